
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'qmp-shell' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'qmp-shell'
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
        'qmp-shell' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Run LINE and exit; may be repeated, also among -f')
            [CompletionResult]::new('--command', '--command', [CompletionResultType]::ParameterName, 'Run LINE and exit; may be repeated, also among -f')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Run the lines of SCRIPT (`-`: standard input) and exit; may be repeated')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Run the lines of SCRIPT (`-`: standard input) and exit; may be repeated')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How replies are written [default: pretty at a prompt, json in scripts]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How replies are written [default: pretty at a prompt, json in scripts]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour; auto has none in scripts')
            [CompletionResult]::new('--max-message', '--max-message', [CompletionResultType]::ParameterName, 'Refuse longer messages from the server; bytes, or with k, M or G')
            [CompletionResult]::new('--generate', '--generate', [CompletionResultType]::ParameterName, 'Print the manual page, or completions for a shell')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long connecting, and then the greeting, may take')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until the server is there, for ever or for SECONDS')
            [CompletionResult]::new('--complete', '--complete', [CompletionResultType]::ParameterName, 'Print what Tab would offer at the end of LINE')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Start in HMP mode: lines go to the human monitor')
            [CompletionResult]::new('--hmp', '--hmp', [CompletionResultType]::ParameterName, 'Start in HMP mode: lines go to the human monitor')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request as it is sent')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request as it is sent')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'In a script, indent replies; errors and events go to standard error')
            [CompletionResult]::new('--pretty', '--pretty', [CompletionResultType]::ParameterName, 'In a script, indent replies; errors and events go to standard error')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'Stop at the first line that fails')
            [CompletionResult]::new('--exit-on-error', '--exit-on-error', [CompletionResultType]::ParameterName, 'Stop at the first line that fails')
            [CompletionResult]::new('--no-events', '--no-events', [CompletionResultType]::ParameterName, 'Do not show events')
            [CompletionResult]::new('--no-history', '--no-history', [CompletionResultType]::ParameterName, 'Neither read nor write the history file')
            [CompletionResult]::new('--no-check', '--no-check', [CompletionResultType]::ParameterName, 'Send even what the server''s introspection says is wrong')
            [CompletionResult]::new('--no-schema', '--no-schema', [CompletionResultType]::ParameterName, 'Never ask the server for its introspection: no checking, types by form, less for Tab')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the JSON that each line would send; send none of it')
            [CompletionResult]::new('-N', '-N ', [CompletionResultType]::ParameterName, 'For a guest agent: synchronise instead of negotiating')
            [CompletionResult]::new('--skip-negotiation', '--skip-negotiation', [CompletionResultType]::ParameterName, 'For a guest agent: synchronise instead of negotiating')
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Listen on ADDRESS; the server connects to us')
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
