
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
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is written')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is written')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('--logfile', '--logfile', [CompletionResultType]::ParameterName, 'Append every message, both ways, to FILE')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Where the server is, or a pattern such as ''/run/vm/*.sock''; may be repeated [default: $QMP_PATH, or else $QMP_SOCKET]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long connecting, and then the greeting, may take [default: 5]; with --events, how long to follow [default: for ever]')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until the server is there, for ever or for SECONDS')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'Ask so many servers at a time')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--max-message', '--max-message', [CompletionResultType]::ParameterName, 'Refuse longer messages from the server; bytes, or with k, M or G')
            [CompletionResult]::new('--events', '--events', [CompletionResultType]::ParameterName, 'Follow events, all or those whose names match, as JSON Lines')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'With --events: end after N events; to see fewer is a failure')
            [CompletionResult]::new('--complete', '--complete', [CompletionResultType]::ParameterName, 'Print what Tab would offer at the end of LINE, such as ''qmp --path vm.sock block_res''')
            [CompletionResult]::new('--generate', '--generate', [CompletionResultType]::ParameterName, 'Print the manual page, or completions for a shell')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show each request as it is sent')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show each request as it is sent')
            [CompletionResult]::new('-N', '-N ', [CompletionResultType]::ParameterName, 'For a guest agent: synchronise instead of negotiating')
            [CompletionResult]::new('--skip-negotiation', '--skip-negotiation', [CompletionResultType]::ParameterName, 'For a guest agent: synchronise instead of negotiating')
            [CompletionResult]::new('--no-check', '--no-check', [CompletionResultType]::ParameterName, 'Send even what the server''s introspection says is wrong')
            [CompletionResult]::new('--no-schema', '--no-schema', [CompletionResultType]::ParameterName, 'Never ask the server for its introspection: no checking, types by form')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the JSON that would be sent; send none of it')
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
