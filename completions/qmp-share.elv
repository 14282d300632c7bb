
use builtin;
use str;

set edit:completion:arg-completer[qmp-share] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'qmp-share'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'qmp-share'= {
            cand --timeout 'Time limit for connecting, and then for the greeting [default: 5]'
            cand --read-only 'A further socket, whose clients may only execute commands that change nothing; may be repeated'
            cand --mode 'Mode of SOCKET [default: 600; 660 with --group]'
            cand --group 'Group that owns SOCKET, by name or number'
            cand --read-only-mode 'Mode of the sockets of --read-only [default: 600; 660 with --read-only-group]'
            cand --read-only-group 'Group that owns the sockets of --read-only'
            cand --generate 'Print the manual page, or completions for a shell'
            cand --color 'When to use colour in these lines'
            cand -l 'Append to FILE which client sent what, which replies it got, and all events'
            cand --logfile 'Append to FILE which client sent what, which replies it got, and all events'
            cand --log 'Append to FILE which client sent what, which replies it got, and all events'
            cand --wait 'Wait for the server, also after it has gone'
            cand -v 'Show the lines of the log on standard error'
            cand --verbose 'Show the lines of the log on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
    ]
    $completions[$command]
}
