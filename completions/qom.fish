# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_qom_global_optspecs
    string join \n s/socket= timeout= color= l/logfile= wait= complete= generate= v/verbose h/help V/version
end

function __fish_qom_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_qom_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_qom_using_subcommand
    set -l cmd (__fish_qom_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c qom -n "__fish_qom_needs_command" -s s -l socket -d 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:' -r -F
complete -c qom -n "__fish_qom_needs_command" -l timeout -d 'Time limit for connecting, and then for the greeting [default: 5]' -r
complete -c qom -n "__fish_qom_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t'Use colour on a terminal that supports it'
always\t'Always use colour'
never\t'Never use colour'"
complete -c qom -n "__fish_qom_needs_command" -s l -l logfile -d 'Append every message, sent or received, to FILE' -r -F
complete -c qom -n "__fish_qom_needs_command" -l wait -d 'Wait for the server to appear' -r
complete -c qom -n "__fish_qom_needs_command" -l complete -d 'Print the completions of LINE, a command line that begins with the name of this program' -r
complete -c qom -n "__fish_qom_needs_command" -l generate -d 'Print the manual page, or completions for a shell' -r -f -a "man\t'The manual page'
bash\t'Completions for bash'
zsh\t'Completions for zsh'
fish\t'Completions for fish'
elvish\t'Completions for elvish'
powershell\t'Completions for PowerShell'"
complete -c qom -n "__fish_qom_needs_command" -s v -l verbose -d 'Show each request and reply on standard error'
complete -c qom -n "__fish_qom_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c qom -n "__fish_qom_needs_command" -s V -l version -d 'Print version'
complete -c qom -n "__fish_qom_needs_command" -f -a "list" -d 'List the contents of an object: objects as NAME/, links as @NAME/, properties as NAME'
complete -c qom -n "__fish_qom_needs_command" -f -a "get" -d 'Print the value of a property'
complete -c qom -n "__fish_qom_needs_command" -f -a "set" -d 'Set a property'
complete -c qom -n "__fish_qom_needs_command" -f -a "tree" -d 'Draw an object and everything below it, with types and values'
complete -c qom -n "__fish_qom_needs_command" -f -a "fuse" -d 'Mount the tree: objects are directories, properties are files, links are symbolic links'
complete -c qom -n "__fish_qom_using_subcommand list" -s s -l socket -d 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:' -r -F
complete -c qom -n "__fish_qom_using_subcommand list" -l timeout -d 'Time limit for connecting, and then for the greeting [default: 5]' -r
complete -c qom -n "__fish_qom_using_subcommand list" -l color -d 'When to use colour' -r -f -a "auto\t'Use colour on a terminal that supports it'
always\t'Always use colour'
never\t'Never use colour'"
complete -c qom -n "__fish_qom_using_subcommand list" -s l -l logfile -d 'Append every message, sent or received, to FILE' -r -F
complete -c qom -n "__fish_qom_using_subcommand list" -l wait -d 'Wait for the server to appear' -r
complete -c qom -n "__fish_qom_using_subcommand list" -l json -d 'Print the server\'s list, with types, as JSON'
complete -c qom -n "__fish_qom_using_subcommand list" -s v -l verbose -d 'Show each request and reply on standard error'
complete -c qom -n "__fish_qom_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c qom -n "__fish_qom_using_subcommand get" -s s -l socket -d 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:' -r -F
complete -c qom -n "__fish_qom_using_subcommand get" -l timeout -d 'Time limit for connecting, and then for the greeting [default: 5]' -r
complete -c qom -n "__fish_qom_using_subcommand get" -l color -d 'When to use colour' -r -f -a "auto\t'Use colour on a terminal that supports it'
always\t'Always use colour'
never\t'Never use colour'"
complete -c qom -n "__fish_qom_using_subcommand get" -s l -l logfile -d 'Append every message, sent or received, to FILE' -r -F
complete -c qom -n "__fish_qom_using_subcommand get" -l wait -d 'Wait for the server to appear' -r
complete -c qom -n "__fish_qom_using_subcommand get" -l json -d 'Print the value as JSON, in the server\'s spelling'
complete -c qom -n "__fish_qom_using_subcommand get" -s v -l verbose -d 'Show each request and reply on standard error'
complete -c qom -n "__fish_qom_using_subcommand get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c qom -n "__fish_qom_using_subcommand set" -s s -l socket -d 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:' -r -F
complete -c qom -n "__fish_qom_using_subcommand set" -l timeout -d 'Time limit for connecting, and then for the greeting [default: 5]' -r
complete -c qom -n "__fish_qom_using_subcommand set" -l color -d 'When to use colour' -r -f -a "auto\t'Use colour on a terminal that supports it'
always\t'Always use colour'
never\t'Never use colour'"
complete -c qom -n "__fish_qom_using_subcommand set" -s l -l logfile -d 'Append every message, sent or received, to FILE' -r -F
complete -c qom -n "__fish_qom_using_subcommand set" -l wait -d 'Wait for the server to appear' -r
complete -c qom -n "__fish_qom_using_subcommand set" -s v -l verbose -d 'Show each request and reply on standard error'
complete -c qom -n "__fish_qom_using_subcommand set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c qom -n "__fish_qom_using_subcommand tree" -s d -l depth -d 'Open objects at most N levels below PATH' -r
complete -c qom -n "__fish_qom_using_subcommand tree" -s s -l socket -d 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:' -r -F
complete -c qom -n "__fish_qom_using_subcommand tree" -l timeout -d 'Time limit for connecting, and then for the greeting [default: 5]' -r
complete -c qom -n "__fish_qom_using_subcommand tree" -l color -d 'When to use colour' -r -f -a "auto\t'Use colour on a terminal that supports it'
always\t'Always use colour'
never\t'Never use colour'"
complete -c qom -n "__fish_qom_using_subcommand tree" -s l -l logfile -d 'Append every message, sent or received, to FILE' -r -F
complete -c qom -n "__fish_qom_using_subcommand tree" -l wait -d 'Wait for the server to appear' -r
complete -c qom -n "__fish_qom_using_subcommand tree" -l json -d 'Print one JSON document'
complete -c qom -n "__fish_qom_using_subcommand tree" -s v -l verbose -d 'Show each request and reply on standard error'
complete -c qom -n "__fish_qom_using_subcommand tree" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c qom -n "__fish_qom_using_subcommand fuse" -s s -l socket -d 'Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:' -r -F
complete -c qom -n "__fish_qom_using_subcommand fuse" -l timeout -d 'Time limit for connecting, and then for the greeting [default: 5]' -r
complete -c qom -n "__fish_qom_using_subcommand fuse" -l color -d 'When to use colour' -r -f -a "auto\t'Use colour on a terminal that supports it'
always\t'Always use colour'
never\t'Never use colour'"
complete -c qom -n "__fish_qom_using_subcommand fuse" -s l -l logfile -d 'Append every message, sent or received, to FILE' -r -F
complete -c qom -n "__fish_qom_using_subcommand fuse" -l wait -d 'Wait for the server to appear' -r
complete -c qom -n "__fish_qom_using_subcommand fuse" -l read-only -d 'Do not allow properties to be set'
complete -c qom -n "__fish_qom_using_subcommand fuse" -l allow-other -d 'Allow access by other users (requires root, or `user_allow_other` in /etc/fuse.conf)'
complete -c qom -n "__fish_qom_using_subcommand fuse" -l daemonize -d 'Return once the tree is mounted, and serve it in the background'
complete -c qom -n "__fish_qom_using_subcommand fuse" -s v -l verbose -d 'Show each request and reply on standard error'
complete -c qom -n "__fish_qom_using_subcommand fuse" -s h -l help -d 'Print help (see more with \'--help\')'
# Completes words that are not options with what the program offers: names from the server, addresses.
complete -c qom -k -a '(qom --complete (commandline -cp | string collect) 2>/dev/null </dev/null)'
