
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'qmp-shell-wrap' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'qmp-shell-wrap'
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
        'qmp-shell-wrap' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, sent or received, to FILE')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Run LINE and exit; may be repeated, and mixed with -f')
            [CompletionResult]::new('--command', '--command', [CompletionResultType]::ParameterName, 'Run LINE and exit; may be repeated, and mixed with -f')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Run the lines of SCRIPT and exit')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Run the lines of SCRIPT and exit')
            [CompletionResult]::new('--monitor', '--monitor', [CompletionResultType]::ParameterName, 'The monitor that answers HMP lines')
            [CompletionResult]::new('--max-message', '--max-message', [CompletionResultType]::ParameterName, 'Maximum size of a message from the server (suffixes k, M, G)')
            [CompletionResult]::new('--generate', '--generate', [CompletionResultType]::ParameterName, 'Print the manual page, or completions for a shell')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour; auto means never in scripts')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Reply format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Reply format')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit for QEMU''s greeting [default: none, as long as QEMU runs]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request as it is sent')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request as it is sent')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Start in HMP mode: lines go to the human monitor')
            [CompletionResult]::new('--hmp', '--hmp', [CompletionResultType]::ParameterName, 'Start in HMP mode: lines go to the human monitor')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'Stop at the first line that fails')
            [CompletionResult]::new('--exit-on-error', '--exit-on-error', [CompletionResultType]::ParameterName, 'Stop at the first line that fails')
            [CompletionResult]::new('--no-check', '--no-check', [CompletionResultType]::ParameterName, 'Send commands even if they contradict the server''s introspection')
            [CompletionResult]::new('--no-schema', '--no-schema', [CompletionResultType]::ParameterName, 'Do not query introspection: no checks, values interpreted by their form, fewer completions')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print requests as JSON instead of sending them')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'The same as --output pretty: in a script, errors and events go to standard error')
            [CompletionResult]::new('--pretty', '--pretty', [CompletionResultType]::ParameterName, 'The same as --output pretty: in a script, errors and events go to standard error')
            [CompletionResult]::new('--no-events', '--no-events', [CompletionResultType]::ParameterName, 'Do not show events')
            [CompletionResult]::new('--no-history', '--no-history', [CompletionResultType]::ParameterName, 'Do not read or write the history files')
            [CompletionResult]::new('--no-rc', '--no-rc', [CompletionResultType]::ParameterName, 'Do not run the lines of the rc file')
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
