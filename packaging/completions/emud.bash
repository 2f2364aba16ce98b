# bash completion for emud: its options are those of `emud --help`.

_emud() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]-}
  COMPREPLY=()
  case "$before" in
    --config | --socket | --catalog) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    --state-dir | --runtime-dir | --catalog-dir) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
    --group) mapfile -t COMPREPLY < <(compgen -g -- "$word") ;;
    --private) mapfile -t COMPREPLY < <(compgen -W "everyone group" -- "$word") ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W "error warning notice info debug" -- "$word") ;;
    *)
      mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" --help 2>/dev/null |
        sed -n 's/^  \(-[[:alnum:]]\)\{0,1\},\{0,1\}\(--[[:alnum:]-]*\).*/\1 \2/p')" -- "$word")
      ;;
  esac
}
complete -F _emud emud
