
use builtin;
use str;

set edit:completion:arg-completer[qom] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'qom'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'qom'= {
            cand -s 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]'
            cand --socket 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]'
            cand --timeout 'How long connecting, and then the greeting, may take'
            cand --wait 'Wait until the server is there, for ever or for SECONDS'
            cand --color 'When to use colour'
            cand -l 'Append every message, both ways, to FILE'
            cand --logfile 'Append every message, both ways, to FILE'
            cand --complete 'Print what Tab would offer at the end of LINE, such as ''qom get -s vm.sock /mach'''
            cand --generate 'Print the manual page, or completions for a shell'
            cand -v 'Show each request and reply as it goes, on standard error'
            cand --verbose 'Show each request and reply as it goes, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand list 'List what an object holds: objects as NAME/, links as @NAME/, properties as NAME'
            cand get 'Print the value of a property'
            cand set 'Set a property'
            cand tree 'Draw an object and all that is below it, with types and values'
            cand fuse 'Mount the tree: objects are directories, properties are files, links are symbolic links'
        }
        &'qom;list'= {
            cand -s 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]'
            cand --socket 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]'
            cand --timeout 'How long connecting, and then the greeting, may take'
            cand --wait 'Wait until the server is there, for ever or for SECONDS'
            cand --color 'When to use colour'
            cand -l 'Append every message, both ways, to FILE'
            cand --logfile 'Append every message, both ways, to FILE'
            cand --json 'The server''s list, with types, as JSON'
            cand -v 'Show each request and reply as it goes, on standard error'
            cand --verbose 'Show each request and reply as it goes, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'qom;get'= {
            cand -s 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]'
            cand --socket 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]'
            cand --timeout 'How long connecting, and then the greeting, may take'
            cand --wait 'Wait until the server is there, for ever or for SECONDS'
            cand --color 'When to use colour'
            cand -l 'Append every message, both ways, to FILE'
            cand --logfile 'Append every message, both ways, to FILE'
            cand --json 'The value as JSON, as the server spells it'
            cand -v 'Show each request and reply as it goes, on standard error'
            cand --verbose 'Show each request and reply as it goes, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'qom;set'= {
            cand -s 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]'
            cand --socket 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]'
            cand --timeout 'How long connecting, and then the greeting, may take'
            cand --wait 'Wait until the server is there, for ever or for SECONDS'
            cand --color 'When to use colour'
            cand -l 'Append every message, both ways, to FILE'
            cand --logfile 'Append every message, both ways, to FILE'
            cand -v 'Show each request and reply as it goes, on standard error'
            cand --verbose 'Show each request and reply as it goes, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'qom;tree'= {
            cand -d 'Open objects no more than N levels below PATH'
            cand --depth 'Open objects no more than N levels below PATH'
            cand -s 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]'
            cand --socket 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]'
            cand --timeout 'How long connecting, and then the greeting, may take'
            cand --wait 'Wait until the server is there, for ever or for SECONDS'
            cand --color 'When to use colour'
            cand -l 'Append every message, both ways, to FILE'
            cand --logfile 'Append every message, both ways, to FILE'
            cand --json 'One JSON document'
            cand -v 'Show each request and reply as it goes, on standard error'
            cand --verbose 'Show each request and reply as it goes, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'qom;fuse'= {
            cand -s 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]'
            cand --socket 'Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default: $QMP_SOCKET]'
            cand --timeout 'How long connecting, and then the greeting, may take'
            cand --wait 'Wait until the server is there, for ever or for SECONDS'
            cand --color 'When to use colour'
            cand -l 'Append every message, both ways, to FILE'
            cand --logfile 'Append every message, both ways, to FILE'
            cand --read-only 'Let nothing be set'
            cand --allow-other 'Let other users in too (for root, or where /etc/fuse.conf says `user_allow_other`)'
            cand --daemonize 'Return once it is mounted, and serve it from the background'
            cand -v 'Show each request and reply as it goes, on standard error'
            cand --verbose 'Show each request and reply as it goes, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
    ]
    $completions[$command]
}
