# fish completion for emuctl. emuctl itself says what may follow (`emuctl __complete WORD...`).

function __emuctl_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l lines ($words[1] __complete $words[2..-1] 2>/dev/null)
    switch "$lines[1]"
        case ':files'
            __fish_complete_path (string replace -r '^--[^=]*=' '' -- $words[-1])
        case ':directories'
            __fish_complete_directories (string replace -r '^--[^=]*=' '' -- $words[-1])
        case ':command*'
            set -l index (math (string replace ':command ' '' -- $lines[1]) + 2)
            complete -C (string join ' ' -- (string escape -- $words[$index..-2]) $words[-1])
        case '*'
            printf '%s\n' $lines
    end
end

complete -c emuctl -f -a '(__emuctl_complete)'
