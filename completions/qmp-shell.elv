
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
            cand --timeout 'Time limit for connecting, and then for the greeting [default: 5]'
            cand -l 'Append every message, sent or received, to FILE'
            cand --logfile 'Append every message, sent or received, to FILE'
            cand -c 'Run LINE and exit; may be repeated, and mixed with -f'
            cand --command 'Run LINE and exit; may be repeated, and mixed with -f'
            cand -f 'Run the lines of SCRIPT and exit'
            cand --file 'Run the lines of SCRIPT and exit'
            cand --monitor 'The monitor that answers HMP lines'
            cand --max-message 'Maximum size of a message from the server (suffixes k, M, G)'
            cand --generate 'Print the manual page, or completions for a shell'
            cand --color 'When to use colour; auto means never in scripts'
            cand -o 'Reply format'
            cand --output 'Reply format'
            cand --wait 'Wait for the server to appear'
            cand --complete 'Print the completions of LINE, as Tab does at the prompt; with --list, of a command line of this program'
            cand -v 'Show each request as it is sent'
            cand --verbose 'Show each request as it is sent'
            cand -H 'Start in HMP mode: lines go to the human monitor'
            cand --hmp 'Start in HMP mode: lines go to the human monitor'
            cand -e 'Stop at the first line that fails'
            cand --exit-on-error 'Stop at the first line that fails'
            cand --no-check 'Send commands even if they contradict the server''s introspection'
            cand --no-schema 'Do not query introspection: no checks, values interpreted by their form, fewer completions'
            cand --dry-run 'Print requests as JSON instead of sending them'
            cand -p 'The same as --output pretty: in a script, errors and events go to standard error'
            cand --pretty 'The same as --output pretty: in a script, errors and events go to standard error'
            cand --no-events 'Do not show events'
            cand --no-history 'Do not read or write the history files'
            cand --no-rc 'Do not run the lines of the rc file'
            cand -N 'Connect to a guest agent'
            cand --skip-negotiation 'Connect to a guest agent'
            cand --listen 'Listen on ADDRESS and wait for the server to connect'
            cand --list 'List the servers that run on this machine'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
    ]
    $completions[$command]
}
