
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
            cand -s 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:'
            cand --socket 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:'
            cand --timeout 'Time limit for connecting, and then for the greeting [default: 5]'
            cand --color 'When to use colour'
            cand -l 'Append every message, sent or received, to FILE'
            cand --logfile 'Append every message, sent or received, to FILE'
            cand --wait 'Wait for the server to appear'
            cand --complete 'Print the completions of LINE, a command line that begins with the name of this program'
            cand --generate 'Print the manual page, or completions for a shell'
            cand -v 'Show each request and reply on standard error'
            cand --verbose 'Show each request and reply on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand list 'List the contents of an object: objects as NAME/, links as @NAME/, properties as NAME'
            cand get 'Print the value of a property'
            cand set 'Set a property'
            cand tree 'Draw an object and everything below it, with types and values'
            cand fuse 'Mount the tree: objects are directories, properties are files, links are symbolic links'
        }
        &'qom;list'= {
            cand -s 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:'
            cand --socket 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:'
            cand --timeout 'Time limit for connecting, and then for the greeting [default: 5]'
            cand --color 'When to use colour'
            cand -l 'Append every message, sent or received, to FILE'
            cand --logfile 'Append every message, sent or received, to FILE'
            cand --wait 'Wait for the server to appear'
            cand --json 'Print the server''s list, with types, as JSON'
            cand -v 'Show each request and reply on standard error'
            cand --verbose 'Show each request and reply on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'qom;get'= {
            cand -s 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:'
            cand --socket 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:'
            cand --timeout 'Time limit for connecting, and then for the greeting [default: 5]'
            cand --color 'When to use colour'
            cand -l 'Append every message, sent or received, to FILE'
            cand --logfile 'Append every message, sent or received, to FILE'
            cand --wait 'Wait for the server to appear'
            cand --json 'Print the value as JSON, in the server''s spelling'
            cand -v 'Show each request and reply on standard error'
            cand --verbose 'Show each request and reply on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'qom;set'= {
            cand -s 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:'
            cand --socket 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:'
            cand --timeout 'Time limit for connecting, and then for the greeting [default: 5]'
            cand --color 'When to use colour'
            cand -l 'Append every message, sent or received, to FILE'
            cand --logfile 'Append every message, sent or received, to FILE'
            cand --wait 'Wait for the server to appear'
            cand -v 'Show each request and reply on standard error'
            cand --verbose 'Show each request and reply on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'qom;tree'= {
            cand -d 'Open objects at most N levels below PATH'
            cand --depth 'Open objects at most N levels below PATH'
            cand -s 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:'
            cand --socket 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:'
            cand --timeout 'Time limit for connecting, and then for the greeting [default: 5]'
            cand --color 'When to use colour'
            cand -l 'Append every message, sent or received, to FILE'
            cand --logfile 'Append every message, sent or received, to FILE'
            cand --wait 'Wait for the server to appear'
            cand --json 'Print one JSON document'
            cand -v 'Show each request and reply on standard error'
            cand --verbose 'Show each request and reply on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'qom;fuse'= {
            cand -s 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:'
            cand --socket 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:'
            cand --timeout 'Time limit for connecting, and then for the greeting [default: 5]'
            cand --color 'When to use colour'
            cand -l 'Append every message, sent or received, to FILE'
            cand --logfile 'Append every message, sent or received, to FILE'
            cand --wait 'Wait for the server to appear'
            cand --read-only 'Do not allow properties to be set'
            cand --allow-other 'Allow access by other users (requires root, or `user_allow_other` in /etc/fuse.conf)'
            cand --daemonize 'Return once the tree is mounted, and serve it in the background'
            cand -v 'Show each request and reply on standard error'
            cand --verbose 'Show each request and reply on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
    ]
    $completions[$command]
}
