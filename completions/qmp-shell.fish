complete -c qmp-shell -s l -l logfile -d 'Append every message, both ways, to FILE' -r -F
complete -c qmp-shell -s c -l command -d 'Run LINE and exit; may be repeated, also among -f' -r
complete -c qmp-shell -s f -l file -d 'Run the lines of SCRIPT (`-`: standard input) and exit; may be repeated' -r -F
complete -c qmp-shell -s o -l output -d 'How replies are written [default: pretty at a prompt, json in scripts]' -r -f -a "pretty\t'Indented JSON'
json\t'One JSON message a line'"
complete -c qmp-shell -l color -d 'When to use colour; auto has none in scripts' -r -f -a "auto\t'Colour on a terminal that can show it'
always\t'Colour always'
never\t'Never colour'"
complete -c qmp-shell -l max-message -d 'Refuse longer messages from the server; bytes, or with k, M or G' -r
complete -c qmp-shell -l generate -d 'Print the manual page, or completions for a shell' -r -f -a "man\t'The manual page'
bash\t'Completions for bash'
zsh\t'Completions for zsh'
fish\t'Completions for fish'
elvish\t'Completions for elvish'
powershell\t'Completions for PowerShell'"
complete -c qmp-shell -l timeout -d 'How long connecting, and then the greeting, may take' -r
complete -c qmp-shell -l wait -d 'Wait until the server is there, for ever or for SECONDS' -r
complete -c qmp-shell -l complete -d 'Print what Tab would offer at the end of LINE' -r
complete -c qmp-shell -s H -l hmp -d 'Start in HMP mode: lines go to the human monitor'
complete -c qmp-shell -s v -l verbose -d 'Show each request as it is sent'
complete -c qmp-shell -s p -l pretty -d 'In a script, indent replies; errors and events go to standard error'
complete -c qmp-shell -s e -l exit-on-error -d 'Stop at the first line that fails'
complete -c qmp-shell -l no-events -d 'Do not show events'
complete -c qmp-shell -l no-history -d 'Neither read nor write the history file'
complete -c qmp-shell -l no-check -d 'Send even what the server\'s introspection says is wrong'
complete -c qmp-shell -l no-schema -d 'Never ask the server for its introspection: no checking, types by form, less for Tab'
complete -c qmp-shell -l dry-run -d 'Print the JSON that each line would send; send none of it'
complete -c qmp-shell -s N -l skip-negotiation -d 'For a guest agent: synchronise instead of negotiating'
complete -c qmp-shell -l listen -d 'Listen on ADDRESS; the server connects to us'
complete -c qmp-shell -s h -l help -d 'Print help (see more with \'--help\')'
complete -c qmp-shell -s V -l version -d 'Print version'
