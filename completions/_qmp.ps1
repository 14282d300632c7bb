
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'qmp' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'qmp'
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
        'qmp' {
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Server [default: $QMP_PATH, or else $QMP_SOCKET]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for the server to appear')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'Query at most N servers at a time')
            [CompletionResult]::new('--monitor', '--monitor', [CompletionResultType]::ParameterName, 'The monitor that answers HMP lines')
            [CompletionResult]::new('--max-message', '--max-message', [CompletionResultType]::ParameterName, 'Maximum size of a message from the server (suffixes k, M, G)')
            [CompletionResult]::new('--jq', '--jq', [CompletionResultType]::ParameterName, 'Pass the return value through a jq filter')
            [CompletionResult]::new('--events', '--events', [CompletionResultType]::ParameterName, 'Follow events: all, or those that match a GLOB')
            [CompletionResult]::new('--every', '--every', [CompletionResultType]::ParameterName, 'Run COMMAND every SECONDS, until it is interrupted')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Stop after N events; fewer are a failure. With --every, after N runs')
            [CompletionResult]::new('--complete', '--complete', [CompletionResultType]::ParameterName, 'Print the completions of LINE, a command line that begins with the name of this program')
            [CompletionResult]::new('--generate', '--generate', [CompletionResultType]::ParameterName, 'Print the manual page, or completions for a shell')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Reply format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Reply format')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit for connecting, and then for the greeting [default: 5]; with --events, how long to follow [default: indefinitely]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request as it is sent')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request as it is sent')
            [CompletionResult]::new('-N', '-N ', [CompletionResultType]::ParameterName, 'Connect to a guest agent')
            [CompletionResult]::new('--skip-negotiation', '--skip-negotiation', [CompletionResultType]::ParameterName, 'Connect to a guest agent')
            [CompletionResult]::new('--no-check', '--no-check', [CompletionResultType]::ParameterName, 'Send commands even if they contradict the server''s introspection')
            [CompletionResult]::new('--no-schema', '--no-schema', [CompletionResultType]::ParameterName, 'Do not query introspection: no checks, values interpreted by their form, fewer completions')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print requests as JSON instead of sending them')
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
