#!/bin/sh
test_description='help: the tool, its rows, its manual'
. "$(dirname "$0")/../lib/lib.sh"

test_lazy_prereq MANDOC 'mandoc' 'command -v mandoc'

# The commands as the help lists them.
commands() {
	hxsnap -h | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

# The manual $1 as plain text, its lines not broken.
manual() {
	mandoc -T ascii -O width=500 "$HXS_SRC/man/$1" | sed "s/.$(printf '\b')//g"
}

test_expect_success 'help goes to standard output and is a success' '
	for words in "-h" "--help" "help" "-q -h" "list -h" "list --help" \
		"help list" "-h list" "list --store /nowhere x y -h" "help help"; do
		# shellcheck disable=SC2086 # several words
		hxsnap $words >out 2>err &&
		test_line_count 0 err &&
		test_grep "^usage: hxsnap " out || return 1
	done
'

test_expect_success 'the help lists every command, and each has its own' '
	commands >list &&
	for cmd in init create list show verify check repair diff restore rollback \
		drill keep unkeep prune recover help; do
		grep -x "$cmd" list || return 1
	done &&
	while read -r cmd; do
		hxsnap "$cmd" -h >out &&
		sed -n 1p out | grep "^usage: hxsnap $cmd" &&
		hxsnap help "$cmd" >again &&
		test_cmp out again || return 1
	done <list
'

test_expect_success 'no line of any help is wider than a terminal' '
	{ hxsnap -h && for cmd in $(commands); do hxsnap "$cmd" -h || return 1; done; } >all &&
	awk "length > 80 { print; bad = 1 } END { exit bad }" all
'

test_expect_success 'the version' '
	hxsnap --version >out &&
	echo "hxsnap $HXS_VERSION" >want &&
	{ [ -z "$HXS_VERSION" ] || test_cmp want out; } &&
	grep -x "hxsnap [0-9][0-9.]*" out &&
	hxsnap list --version >again && test_cmp out again
'

test_expect_success MANDOC 'each synopsis is the one of the manual' '
	manual hxsnap.1 >page &&
	sed -n "/^SYNOPSIS/,/^DESCRIPTION/s/^  *\(hxsnap .*\)/\1/p" page |
		sort >want &&
	for cmd in $(commands); do
		hxsnap "$cmd" -h | sed -n "1,/^$/p" | tr -s "\n " " " |
			sed "s/^usage: //; s/ *$//" && echo || return 1
	done | sort >got &&
	test_cmp want got
'

test_expect_success MANDOC 'each option of each command is in the manual' '
	manual hxsnap.1 >page &&
	for cmd in $(commands); do hxsnap "$cmd" -h || return 1; done |
		sed -n "s/^  [ -].. *\(--[a-z-]*\).*/\1/p" | sort -u >options &&
	[ "$(wc -l <options)" -ge 8 ] &&
	while read -r option; do
		grep -q -e "^ .*$option" page || {
			echo "not in the manual: $option"
			return 1
		}
	done <options
'

test_expect_success MANDOC 'the manuals have no mistake that mandoc finds' '
	for page in "$HXS_SRC"/man/*.[1-9]; do
		mandoc -T lint "$page" |
			grep -v -e "referenced manual not found" \
				-e "outdated mandoc.db" >lint
		test_line_count 0 lint || return 1
	done
'

test_expect_success 'hxsnapfs tells its usage and version as well' '
	hxsnapfs -h >out 2>err && grep -i "^usage: hxsnapfs" out &&
	hxsnapfs --version >out 2>err && grep "^hxsnapfs [0-9]" out
'

test_done
