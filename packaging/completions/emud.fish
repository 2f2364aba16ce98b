# fish completion for emud: its options are those of `emud --help`.

function __emud_complete
    set -l words (commandline -opc)
    switch "$words[-1]"
        case --config --socket --catalog
            __fish_complete_path (commandline -ct)
        case --state-dir --runtime-dir --catalog-dir
            __fish_complete_directories (commandline -ct)
        case --group
            __fish_complete_groups
        case --private
            printf '%s\n' everyone group
        case --log-level
            printf '%s\n' error warning notice info debug
        case '*'
            $words[1] --help 2>/dev/null |
                string match -r '^  (?:-[[:alnum:]],)?--[[:alnum:]-]+' |
                string trim | string split ,
    end
end

complete -c emud -f -a '(__emud_complete)'
