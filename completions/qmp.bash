_qmp() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="qmp"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        qmp)
            opts="-v -l -N -o -h -V --path --verbose --color --logfile --wait --skip-negotiation --jobs --monitor --max-message --no-check --no-schema --dry-run --jq --events --every --count --complete --generate --output --timeout --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --path)
                    COMPREPLY=()
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                --logfile)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=()
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                -l)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=()
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --wait)
                    COMPREPLY=()
                    return 0
                    ;;
                --jobs)
                    COMPREPLY=()
                    return 0
                    ;;
                --monitor)
                    COMPREPLY=($(compgen -W "auto own server" -- "${cur}"))
                    return 0
                    ;;
                --max-message)
                    COMPREPLY=()
                    return 0
                    ;;
                --jq)
                    COMPREPLY=("${cur}")
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o nospace
                    fi
                    return 0
                    ;;
                --events)
                    COMPREPLY=()
                    return 0
                    ;;
                --every)
                    COMPREPLY=()
                    return 0
                    ;;
                --count)
                    COMPREPLY=()
                    return 0
                    ;;
                --complete)
                    COMPREPLY=()
                    return 0
                    ;;
                --generate)
                    COMPREPLY=($(compgen -W "man bash zsh fish elvish powershell" -- "${cur}"))
                    return 0
                    ;;
                --output)
                    COMPREPLY=($(compgen -W "auto flat json pretty table" -- "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -W "auto flat json pretty table" -- "${cur}"))
                    return 0
                    ;;
                --timeout)
                    COMPREPLY=()
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _qmp -o nosort -o bashdefault -o default qmp
else
    complete -F _qmp -o bashdefault -o default qmp
fi

# Completes words that are not options with what the program offers: names from the server, addresses.
_qmp_live() {
    local line=${COMP_LINE:0:COMP_POINT} offered cut candidate
    # Words in quotes are not completed.
    [[ ${COMP_WORDS[COMP_CWORD]} == *[\'\"]* ]] && return 1
    offered=$("${1/#~/$HOME}" --complete "$line" 2>/dev/null </dev/null) || return 1
    # Bash replaces only what follows the last of the characters that break words.
    cut=${line##*[[:space:]]}
    cut=${cut%"$2"}
    COMPREPLY=()
    while IFS=$'\t' read -r candidate _; do
        [[ -n $candidate ]] || continue
        [[ $candidate == *[=./] ]] && compopt -o nospace
        candidate=${candidate#"$cut"}
        [[ $candidate == *[!a-zA-Z0-9_./=:@%+,-]* ]] && printf -v candidate %q "$candidate"
        COMPREPLY+=("$candidate")
    done <<<"$offered"
}

_qmp_all() {
    _qmp_live "$@" || _qmp "$@"
}

complete -F _qmp_all -o nosort -o bashdefault -o default qmp
