# fish completion for hxsnap(1). All that there is to know it asks of the
# program itself, `hxsnap complete`.

function __hxsnap_complete
    set -l words (commandline -opc)
    set -l present (commandline -ct)
    set -l lines (command $words[1] complete -- $words[2..-1] $present 2>/dev/null)
    # a path may stand behind "--store=", which then stays before it
    set -l option (string match -r -- '^--[a-z-]*=' $present)
    set -l path (string replace -r -- '^--[a-z-]*=' '' $present)
    switch "$lines[1]"
        case :FILE
            string replace -r -- '^' "$option" (__fish_complete_path "$path")
        case :DIR
            string replace -r -- '^' "$option" (__fish_complete_directories "$path" '')
        case '*'
            string join \n -- $lines
    end
end

complete -c hxsnap -f -a '(__hxsnap_complete)'
