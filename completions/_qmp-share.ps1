
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'qmp-share' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'qmp-share'
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
        'qmp-share' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit for connecting, and then for the greeting [default: 5]')
            [CompletionResult]::new('--read-only', '--read-only', [CompletionResultType]::ParameterName, 'A further socket, whose clients may only execute commands that change nothing; may be repeated')
            [CompletionResult]::new('--mode', '--mode', [CompletionResultType]::ParameterName, 'Mode of SOCKET [default: 600; 660 with --group]')
            [CompletionResult]::new('--group', '--group', [CompletionResultType]::ParameterName, 'Group that owns SOCKET, by name or number')
            [CompletionResult]::new('--read-only-mode', '--read-only-mode', [CompletionResultType]::ParameterName, 'Mode of the sockets of --read-only [default: 600; 660 with --read-only-group]')
            [CompletionResult]::new('--read-only-group', '--read-only-group', [CompletionResultType]::ParameterName, 'Group that owns the sockets of --read-only')
            [CompletionResult]::new('--generate', '--generate', [CompletionResultType]::ParameterName, 'Print the manual page, or completions for a shell')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour in these lines')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append to FILE which client sent what, which replies it got, and all events')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append to FILE which client sent what, which replies it got, and all events')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Append to FILE which client sent what, which replies it got, and all events')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for the server, also after it has gone')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show the lines of the log on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show the lines of the log on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
