# shellcheck shell=bash
# bash completion for hxsnap(1). All that there is to know it asks of the
# program itself, `hxsnap complete`.

_hxsnap() {
	local line=${COMP_LINE:0:COMP_POINT} cur candidate skip value
	local -a words
	COMPREPLY=()

	# bash splits words at '=' and more: they are put together again here,
	# and what bash sees before the cursor's piece is cut off below.
	# shellcheck disable=SC2162 # a backslash keeps a blank in its word
	read -a words <<<"$line"
	[[ $line != *[[:blank:]] ]] || words+=('')
	words=("${words[@]/#\~\//$HOME/}")
	cur=${words[${#words[@]} - 1]}
	value=${COMP_WORDS[COMP_CWORD]:0:${#cur}}
	[[ $value != = ]] || value=''
	skip=${cur%"$value"}
	[[ $cur == "$skip$value" ]] || skip=''

	while IFS= read -r candidate; do
		case $candidate in
		:FILE | :DIR)
			value=${cur#--*=}
			skip=''
			while IFS= read -r candidate; do
				COMPREPLY+=("$candidate")
			done < <([[ $candidate == :FILE ]] || opt=-d
				compgen "${opt:--f}" -- "$value")
			compopt -o filenames
			return
			;;
		esac
		candidate=${candidate%%$'\t'*}
		printf -v candidate %q "${candidate#"$skip"}"
		COMPREPLY+=("$candidate")
	done < <("${COMP_WORDS[0]/#\~\//$HOME/}" complete -- \
		"${words[@]:1}" 2>/dev/null)
	[[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *[/=] ]] ||
		compopt -o nospace
}

complete -F _hxsnap hxsnap
