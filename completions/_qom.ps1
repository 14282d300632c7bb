
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
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit for connecting, and then for the greeting [default: 5]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for the server to appear')
            [CompletionResult]::new('--complete', '--complete', [CompletionResultType]::ParameterName, 'Print the completions of LINE, a command line that begins with the name of this program')
            [CompletionResult]::new('--generate', '--generate', [CompletionResultType]::ParameterName, 'Print the manual page, or completions for a shell')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request and reply on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request and reply on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the contents of an object: objects as NAME/, links as @NAME/, properties as NAME')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print the value of a property')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Set a property')
            [CompletionResult]::new('tree', 'tree', [CompletionResultType]::ParameterValue, 'Draw an object and everything below it, with types and values')
            [CompletionResult]::new('fuse', 'fuse', [CompletionResultType]::ParameterValue, 'Mount the tree: objects are directories, properties are files, links are symbolic links')
            break
        }
        'qom;list' {
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit for connecting, and then for the greeting [default: 5]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for the server to appear')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print the server''s list, with types, as JSON')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request and reply on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request and reply on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'qom;get' {
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit for connecting, and then for the greeting [default: 5]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for the server to appear')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print the value as JSON, in the server''s spelling')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request and reply on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request and reply on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'qom;set' {
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit for connecting, and then for the greeting [default: 5]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for the server to appear')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request and reply on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request and reply on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'qom;tree' {
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Open objects at most N levels below PATH')
            [CompletionResult]::new('--depth', '--depth', [CompletionResultType]::ParameterName, 'Open objects at most N levels below PATH')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit for connecting, and then for the greeting [default: 5]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for the server to appear')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON document')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request and reply on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request and reply on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'qom;fuse' {
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit for connecting, and then for the greeting [default: 5]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for the server to appear')
            [CompletionResult]::new('--read-only', '--read-only', [CompletionResultType]::ParameterName, 'Do not allow properties to be set')
            [CompletionResult]::new('--allow-other', '--allow-other', [CompletionResultType]::ParameterName, 'Allow access by other users (requires root, or `user_allow_other` in /etc/fuse.conf)')
            [CompletionResult]::new('--daemonize', '--daemonize', [CompletionResultType]::ParameterName, 'Return once the tree is mounted, and serve it in the background')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request and reply on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request and reply on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
