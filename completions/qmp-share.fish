complete -c qmp-share -l timeout -d 'Time limit for connecting, and then for the greeting [default: 5]' -r
complete -c qmp-share -l read-only -d 'A further socket, whose clients may only execute commands that change nothing; may be repeated' -r -F
complete -c qmp-share -l mode -d 'Mode of SOCKET [default: 600; 660 with --group]' -r
complete -c qmp-share -l group -d 'Group that owns SOCKET, by name or number' -r
complete -c qmp-share -l read-only-mode -d 'Mode of the sockets of --read-only [default: 600; 660 with --read-only-group]' -r
complete -c qmp-share -l read-only-group -d 'Group that owns the sockets of --read-only' -r
complete -c qmp-share -l generate -d 'Print the manual page, or completions for a shell' -r -f -a "man\t'The manual page'
bash\t'Completions for bash'
zsh\t'Completions for zsh'
fish\t'Completions for fish'
elvish\t'Completions for elvish'
powershell\t'Completions for PowerShell'"
complete -c qmp-share -l color -d 'When to use colour in these lines' -r -f -a "auto\t'Use colour on a terminal that supports it'
always\t'Always use colour'
never\t'Never use colour'"
complete -c qmp-share -s l -l logfile -l log -d 'Append to FILE which client sent what, which replies it got, and all events' -r -F
complete -c qmp-share -l wait -d 'Wait for the server, also after it has gone' -r
complete -c qmp-share -s v -l verbose -d 'Show the lines of the log on standard error'
complete -c qmp-share -s h -l help -d 'Print help (see more with \'--help\')'
complete -c qmp-share -s V -l version -d 'Print version'
