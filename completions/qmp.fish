complete -c qmp -s o -l output -d 'How the answer is written' -r -f -a "flat\t'A line for each value, such as `a.b[0].c: value`'
json\t'The whole reply on one line'
pretty\t'The return value as indented JSON'"
complete -c qmp -s l -l logfile -d 'Append every message, both ways, to FILE' -r -F
complete -c qmp -l path -d 'Where the server is, or a pattern such as \'/run/vm/*.sock\'; may be repeated [default: $QMP_PATH, or else $QMP_SOCKET]' -r -F
complete -c qmp -l timeout -d 'How long connecting, and then the greeting, may take [default: 5]; with --events, how long to follow [default: for ever]' -r
complete -c qmp -l wait -d 'Wait until the server is there, for ever or for SECONDS' -r
complete -c qmp -l jobs -d 'Ask so many servers at a time' -r
complete -c qmp -l color -d 'When to use colour' -r -f -a "auto\t'Colour on a terminal that can show it'
always\t'Colour always'
never\t'Never colour'"
complete -c qmp -l max-message -d 'Refuse longer messages from the server; bytes, or with k, M or G' -r
complete -c qmp -l events -d 'Follow events, all or those whose names match, as JSON Lines' -r
complete -c qmp -l count -d 'With --events: end after N events; to see fewer is a failure' -r
complete -c qmp -l complete -d 'Print what Tab would offer at the end of LINE, such as \'qmp --path vm.sock block_res\'' -r
complete -c qmp -l generate -d 'Print the manual page, or completions for a shell' -r -f -a "man\t'The manual page'
bash\t'Completions for bash'
zsh\t'Completions for zsh'
fish\t'Completions for fish'
elvish\t'Completions for elvish'
powershell\t'Completions for PowerShell'"
complete -c qmp -s v -l verbose -d 'Show each request as it is sent'
complete -c qmp -s N -l skip-negotiation -d 'For a guest agent: synchronise instead of negotiating'
complete -c qmp -l no-check -d 'Send even what the server\'s introspection says is wrong'
complete -c qmp -l no-schema -d 'Never ask the server for its introspection: no checking, types by form'
complete -c qmp -l dry-run -d 'Print the JSON that would be sent; send none of it'
complete -c qmp -s h -l help -d 'Print help (see more with \'--help\')'
complete -c qmp -s V -l version -d 'Print version'
# What the server says, for words that are no options: commands, keys, values, paths.
complete -c qmp -k -a '(qmp --complete (commandline -cp | string collect) 2>/dev/null </dev/null)'
