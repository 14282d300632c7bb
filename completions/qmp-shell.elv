
use builtin;
use str;

set edit:completion:arg-completer[qmp-shell] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'qmp-shell'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'qmp-shell'= {
            cand -l 'Append every message, both ways, to FILE'
            cand --logfile 'Append every message, both ways, to FILE'
            cand -c 'Run LINE and exit; may be repeated, also among -f'
            cand --command 'Run LINE and exit; may be repeated, also among -f'
            cand -f 'Run the lines of SCRIPT (`-`: standard input) and exit; may be repeated'
            cand --file 'Run the lines of SCRIPT (`-`: standard input) and exit; may be repeated'
            cand -o 'How replies are written [default: pretty at a prompt, json in scripts]'
            cand --output 'How replies are written [default: pretty at a prompt, json in scripts]'
            cand --color 'When to use colour; auto has none in scripts'
            cand --max-message 'Refuse longer messages from the server; bytes, or with k, M or G'
            cand --generate 'Print the manual page, or completions for a shell'
            cand --timeout 'How long connecting, and then the greeting, may take'
            cand --wait 'Wait until the server is there, for ever or for SECONDS'
            cand --complete 'Print what Tab would offer at the end of LINE'
            cand -H 'Start in HMP mode: lines go to the human monitor'
            cand --hmp 'Start in HMP mode: lines go to the human monitor'
            cand -v 'Show each request as it is sent'
            cand --verbose 'Show each request as it is sent'
            cand -p 'In a script, indent replies; errors and events go to standard error'
            cand --pretty 'In a script, indent replies; errors and events go to standard error'
            cand -e 'Stop at the first line that fails'
            cand --exit-on-error 'Stop at the first line that fails'
            cand --no-events 'Do not show events'
            cand --no-history 'Neither read nor write the history file'
            cand --no-check 'Send even what the server''s introspection says is wrong'
            cand --no-schema 'Never ask the server for its introspection: no checking, types by form, less for Tab'
            cand --dry-run 'Print the JSON that each line would send; send none of it'
            cand -N 'For a guest agent: synchronise instead of negotiating'
            cand --skip-negotiation 'For a guest agent: synchronise instead of negotiating'
            cand --listen 'Listen on ADDRESS; the server connects to us'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
    ]
    $completions[$command]
}
