
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'qom' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'qom'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'qom' {
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long connecting, and then the greeting, may take')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until the server is there, for ever or for SECONDS')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('--complete', '--complete', [CompletionResultType]::ParameterName, 'Print what Tab would offer at the end of LINE, such as ''qom get -s vm.sock /mach''')
            [CompletionResult]::new('--generate', '--generate', [CompletionResultType]::ParameterName, 'Print the manual page, or completions for a shell')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request and reply as it goes, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request and reply as it goes, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List what an object holds: objects as NAME/, links as @NAME/, properties as NAME')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print the value of a property')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Set a property')
            [CompletionResult]::new('tree', 'tree', [CompletionResultType]::ParameterValue, 'Draw an object and all that is below it, with types and values')
            [CompletionResult]::new('fuse', 'fuse', [CompletionResultType]::ParameterValue, 'Mount the tree: objects are directories, properties are files, links are symbolic links')
            break
        }
        'qom;list' {
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long connecting, and then the greeting, may take')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until the server is there, for ever or for SECONDS')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The server''s list, with types, as JSON')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request and reply as it goes, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request and reply as it goes, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'qom;get' {
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long connecting, and then the greeting, may take')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until the server is there, for ever or for SECONDS')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The value as JSON, as the server spells it')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request and reply as it goes, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request and reply as it goes, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'qom;set' {
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long connecting, and then the greeting, may take')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until the server is there, for ever or for SECONDS')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request and reply as it goes, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request and reply as it goes, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'qom;tree' {
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Open objects no more than N levels below PATH')
            [CompletionResult]::new('--depth', '--depth', [CompletionResultType]::ParameterName, 'Open objects no more than N levels below PATH')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long connecting, and then the greeting, may take')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until the server is there, for ever or for SECONDS')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON document')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request and reply as it goes, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request and reply as it goes, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'qom;fuse' {
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long connecting, and then the greeting, may take')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until the server is there, for ever or for SECONDS')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('--read-only', '--read-only', [CompletionResultType]::ParameterName, 'Let nothing be set')
            [CompletionResult]::new('--allow-other', '--allow-other', [CompletionResultType]::ParameterName, 'Let other users in too (for root, or where /etc/fuse.conf says `user_allow_other`)')
            [CompletionResult]::new('--daemonize', '--daemonize', [CompletionResultType]::ParameterName, 'Return once it is mounted, and serve it from the background')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request and reply as it goes, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request and reply as it goes, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
