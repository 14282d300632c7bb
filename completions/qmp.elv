
use builtin;
use str;

set edit:completion:arg-completer[qmp] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'qmp'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'qmp'= {
            cand -o 'How the answer is written'
            cand --output 'How the answer is written'
            cand -l 'Append every message, both ways, to FILE'
            cand --logfile 'Append every message, both ways, to FILE'
            cand --path 'Where the server is, or a pattern such as ''/run/vm/*.sock''; may be repeated [default: $QMP_PATH, or else $QMP_SOCKET]'
            cand --timeout 'How long connecting, and then the greeting, may take [default: 5]; with --events, how long to follow [default: for ever]'
            cand --wait 'Wait until the server is there, for ever or for SECONDS'
            cand --jobs 'Ask so many servers at a time'
            cand --color 'When to use colour'
            cand --max-message 'Refuse longer messages from the server; bytes, or with k, M or G'
            cand --events 'Follow events, all or those whose names match, as JSON Lines'
            cand --count 'With --events: end after N events; to see fewer is a failure'
            cand --complete 'Print what Tab would offer at the end of LINE, such as ''qmp --path vm.sock block_res'''
            cand --generate 'Print the manual page, or completions for a shell'
            cand -v 'Show each request as it is sent'
            cand --verbose 'Show each request as it is sent'
            cand -N 'For a guest agent: synchronise instead of negotiating'
            cand --skip-negotiation 'For a guest agent: synchronise instead of negotiating'
            cand --no-check 'Send even what the server''s introspection says is wrong'
            cand --no-schema 'Never ask the server for its introspection: no checking, types by form'
            cand --dry-run 'Print the JSON that would be sent; send none of it'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
    ]
    $completions[$command]
}
