complete -c qmp-shell -l timeout -d 'Time limit for connecting, and then for the greeting [default: 5]' -r
complete -c qmp-shell -s l -l logfile -d 'Append every message, sent or received, to FILE' -r -F
complete -c qmp-shell -s c -l command -d 'Run LINE and exit; may be repeated, and mixed with -f' -r
complete -c qmp-shell -s f -l file -d 'Run the lines of SCRIPT and exit' -r -F
complete -c qmp-shell -l monitor -d 'The monitor that answers HMP lines' -r -f -a "auto\t'the server\'s if it has one, or else the shell\'s own'
own\t'the shell\'s own, over QMP alone'
server\t'the server\'s, through human-monitor-command'"
complete -c qmp-shell -l max-message -d 'Maximum size of a message from the server (suffixes k, M, G)' -r
complete -c qmp-shell -l generate -d 'Print the manual page, or completions for a shell' -r -f -a "man\t'The manual page'
bash\t'Completions for bash'
zsh\t'Completions for zsh'
fish\t'Completions for fish'
elvish\t'Completions for elvish'
powershell\t'Completions for PowerShell'"
complete -c qmp-shell -l color -d 'When to use colour; auto means never in scripts' -r -f -a "auto\t'Use colour on a terminal that supports it'
always\t'Always use colour'
never\t'Never use colour'"
complete -c qmp-shell -s o -l output -d 'Reply format' -r -f -a "auto\t'The return value as JSON in few lines, or as text if it is for people'
flat\t'One line for each value, such as `a.b[0].c: value`'
json\t'The whole reply as JSON on one line'
pretty\t'The return value as indented JSON'
table\t'An array of objects as a table, other values as in `auto`'"
complete -c qmp-shell -l wait -d 'Wait for the server to appear' -r
complete -c qmp-shell -l complete -d 'Print the completions of LINE, as Tab does at the prompt; with --list, of a command line of this program' -r
complete -c qmp-shell -s v -l verbose -d 'Show each request as it is sent'
complete -c qmp-shell -s H -l hmp -d 'Start in HMP mode: lines go to the human monitor'
complete -c qmp-shell -s e -l exit-on-error -d 'Stop at the first line that fails'
complete -c qmp-shell -l no-check -d 'Send commands even if they contradict the server\'s introspection'
complete -c qmp-shell -l no-schema -d 'Do not query introspection: no checks, values interpreted by their form, fewer completions'
complete -c qmp-shell -l dry-run -d 'Print requests as JSON instead of sending them'
complete -c qmp-shell -s p -l pretty -d 'The same as --output pretty: in a script, errors and events go to standard error'
complete -c qmp-shell -l no-events -d 'Do not show events'
complete -c qmp-shell -l no-history -d 'Do not read or write the history files'
complete -c qmp-shell -l no-rc -d 'Do not run the lines of the rc file'
complete -c qmp-shell -s N -l skip-negotiation -d 'Connect to a guest agent'
complete -c qmp-shell -l listen -d 'Listen on ADDRESS and wait for the server to connect'
complete -c qmp-shell -l list -d 'List the servers that run on this machine'
complete -c qmp-shell -s h -l help -d 'Print help (see more with \'--help\')'
complete -c qmp-shell -s V -l version -d 'Print version'
# Completes words that are not options with what the program offers: names from the server, addresses.
complete -c qmp-shell -k -a '(qmp-shell --list --complete (commandline -cp | string collect) 2>/dev/null </dev/null)'
