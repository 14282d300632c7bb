function __fish_qmp_before_words
    set -l words (commandline -opc)
    argparse -s 'path=' 'v/verbose' 'color=' 'l/logfile=' 'wait=?' 'N/skip-negotiation' 'jobs=' 'monitor=' 'max-message=' 'no-check' 'no-schema' 'dry-run' 'jq=' 'events=?' 'every=' 'count=' 'complete=' 'generate=' 'o/output=' 'timeout=' 'h/help' 'V/version' -- $words[2..] 2>/dev/null
    or return 0
    not set -q argv[1]
end

complete -c qmp -n __fish_qmp_before_words -l path -d 'Server [default: $QMP_PATH, or else $QMP_SOCKET]' -r -F
complete -c qmp -n __fish_qmp_before_words -l color -d 'When to use colour' -r -f -a "auto\t'Use colour on a terminal that supports it'
always\t'Always use colour'
never\t'Never use colour'"
complete -c qmp -n __fish_qmp_before_words -s l -l logfile -d 'Append every message, sent or received, to FILE' -r -F
complete -c qmp -n __fish_qmp_before_words -l wait -d 'Wait for the server to appear' -r
complete -c qmp -n __fish_qmp_before_words -l jobs -d 'Query at most N servers at a time' -r
complete -c qmp -n __fish_qmp_before_words -l monitor -d 'The monitor that answers HMP lines' -r -f -a "auto\t'the server\'s if it has one, or else the shell\'s own'
own\t'the shell\'s own, over QMP alone'
server\t'the server\'s, through human-monitor-command'"
complete -c qmp -n __fish_qmp_before_words -l max-message -d 'Maximum size of a message from the server (suffixes k, M, G)' -r
complete -c qmp -n __fish_qmp_before_words -l jq -d 'Pass the return value through a jq filter' -r -f
complete -c qmp -n __fish_qmp_before_words -l events -d 'Follow events: all, or those that match a GLOB' -r
complete -c qmp -n __fish_qmp_before_words -l every -d 'Run COMMAND every SECONDS, until it is interrupted' -r
complete -c qmp -n __fish_qmp_before_words -l count -d 'Stop after N events; fewer are a failure. With --every, after N runs' -r
complete -c qmp -n __fish_qmp_before_words -l complete -d 'Print the completions of LINE, a command line that begins with the name of this program' -r
complete -c qmp -n __fish_qmp_before_words -l generate -d 'Print the manual page, or completions for a shell' -r -f -a "man\t'The manual page'
bash\t'Completions for bash'
zsh\t'Completions for zsh'
fish\t'Completions for fish'
elvish\t'Completions for elvish'
powershell\t'Completions for PowerShell'"
complete -c qmp -n __fish_qmp_before_words -s o -l output -d 'Reply format' -r -f -a "auto\t'The return value as JSON in few lines, or as text if it is for people'
flat\t'One line for each value, such as `a.b[0].c: value`'
json\t'The whole reply as JSON on one line'
pretty\t'The return value as indented JSON'
table\t'An array of objects as a table, other values as in `auto`'"
complete -c qmp -n __fish_qmp_before_words -l timeout -d 'Time limit for connecting, and then for the greeting [default: 5]; with --events, how long to follow [default: indefinitely]' -r
complete -c qmp -n __fish_qmp_before_words -s v -l verbose -d 'Show each request as it is sent'
complete -c qmp -n __fish_qmp_before_words -s N -l skip-negotiation -d 'Connect to a guest agent'
complete -c qmp -n __fish_qmp_before_words -l no-check -d 'Send commands even if they contradict the server\'s introspection'
complete -c qmp -n __fish_qmp_before_words -l no-schema -d 'Do not query introspection: no checks, values interpreted by their form, fewer completions'
complete -c qmp -n __fish_qmp_before_words -l dry-run -d 'Print requests as JSON instead of sending them'
complete -c qmp -n __fish_qmp_before_words -s h -l help -d 'Print help (see more with \'--help\')'
complete -c qmp -n __fish_qmp_before_words -s V -l version -d 'Print version'
# Completes words that are not options with what the program offers: names from the server, addresses.
complete -c qmp -k -a '(qmp --complete (commandline -cp | string collect) 2>/dev/null </dev/null)'
