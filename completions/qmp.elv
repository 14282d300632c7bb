
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
            cand --path 'Server [default: $QMP_PATH, or else $QMP_SOCKET]'
            cand --color 'When to use colour'
            cand -l 'Append every message, sent or received, to FILE'
            cand --logfile 'Append every message, sent or received, to FILE'
            cand --wait 'Wait for the server to appear'
            cand --jobs 'Query at most N servers at a time'
            cand --monitor 'The monitor that answers HMP lines'
            cand --max-message 'Maximum size of a message from the server (suffixes k, M, G)'
            cand --jq 'Pass the return value through a jq filter'
            cand --events 'Follow events: all, or those that match a GLOB'
            cand --every 'Run COMMAND every SECONDS, until it is interrupted'
            cand --count 'Stop after N events; fewer are a failure. With --every, after N runs'
            cand --complete 'Print the completions of LINE, a command line that begins with the name of this program'
            cand --generate 'Print the manual page, or completions for a shell'
            cand -o 'Reply format'
            cand --output 'Reply format'
            cand --timeout 'Time limit for connecting, and then for the greeting [default: 5]; with --events, how long to follow [default: indefinitely]'
            cand -v 'Show each request as it is sent'
            cand --verbose 'Show each request as it is sent'
            cand -N 'Connect to a guest agent'
            cand --skip-negotiation 'Connect to a guest agent'
            cand --no-check 'Send commands even if they contradict the server''s introspection'
            cand --no-schema 'Do not query introspection: no checks, values interpreted by their form, fewer completions'
            cand --dry-run 'Print requests as JSON instead of sending them'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
    ]
    $completions[$command]
}
