# bash completion for emuctl. emuctl itself says what may follow (`emuctl __complete WORD...`).

_emuctl() {
  local -a words=() starts=() lines=()
  local index word line strip=""
  COMPREPLY=()
  # bash splits --scope=private at the equals sign: put it together again.
  for ((index = 1; index <= COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    if [[ ${#words[@]} -gt 0 && ($word == = || ${words[-1]} == --*=) && ${words[-1]} == --* ]]; then
      words[-1]+=$word
    else
      words+=("$word")
      starts+=("$index")
    fi
  done
  mapfile -t lines < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
  case "${lines[0]-}" in
    :files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "${words[-1]#--*=}") ;;
    :directories) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "${words[-1]#--*=}") ;;
    :command*)
      index=${starts[${lines[0]#:command }]}
      # Of the package bash-completion; without it, programs and files.
      if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$index"
      elif declare -F _command_offset >/dev/null; then
        _command_offset "$index"
      elif [ "$index" -eq "$COMP_CWORD" ]; then
        mapfile -t COMPREPLY < <(compgen -c -- "${words[-1]}")
      else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "${words[-1]}")
      fi
      ;;
    *)
      if [[ ${words[-1]} == --*=* ]]; then strip=${words[-1]%%=*}=; fi
      for line in "${lines[@]}"; do
        word=${line%%$'\t'*}
        COMPREPLY+=("${word#"$strip"}")
      done
      ;;
  esac
}
complete -F _emuctl emuctl
