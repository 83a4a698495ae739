#!/bin/sh
# shellcheck disable=SC2016,SC2154 # evaluated later; set by crash.sh
test_description='the power cuts find every barrier that is left out'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/crash/crash.sh"
. "$HXS_SRC/tests/crash/power.sh"

# What barrier $k, which was left out, is for: "fsync journal/dev" and such.
name_of() {
	sed -nE "s,^nthcall: left out $k at [0-9]+: ([a-z]+) '(.*)'\$,\1 \2,p" err |
		sed -E "s,$here/(main|side)/?,,; s,[0-9TZ]{16}(-[0-9a-f]*)?,ID,g
			s,-[0-9a-f]{16},-X,g; s,/\.tmp-dev,/record,"
}

# Whether a restore without barrier $k, its power cut at $n, shows that.
shows() {
	case $status in
	137) crash_recover ;;
	200) crash_recover && [ "$now" = new ] ;;
	*) true ;; # it failed by itself: another fault
	esac >verdict 2>&1 || found=1
}

# Cut the power of each of $cuts from the barrier on, until that shows.
look() {
	found='' at=$n
	for cut in $cuts; do
		n=$at
		look_with "$(echo "$cut" | tr + ' ')" || return 1
		[ -z "$found" ] || return 0
	done
}

look_with() { # "DISK DISK"
	status=''
	while [ -z "$found" ] && [ "$status" != 200 ]; do
		n=$((n + 1))
		# shellcheck disable=SC2086 # several disks
		power_restore $1 -- -s "$k" "$n" || return 1
		shows
		power_off || return 1
	done
}

# each FIRST LAST: leave out each of these barriers, one a sweep; writes the
# names of those that show to 'shown' and of the others to 'hidden'.
each() {
	k=$1
	while [ "$k" -le "$2" ]; do
		# shellcheck disable=SC2086 # several disks
		power_restore ${cuts%% *} -- -s "$k" 100000 && power_off ||
			return 1
		name=$(name_of)
		n=$(sed -nE "s,^nthcall: left out $k at ([0-9]+): .*,\1,p" err)
		[ -n "$name" ] || break
		look || return 1
		if [ -n "$found" ]; then
			echo "$k $name" >>shown
			echo "$k: $name: shows at $n: $(head -n 1 verdict)"
		else
			echo "$k $name" >>hidden
			echo "$k: $name: does not show"
		fi
		k=$((k + 1))
	done
}

# Those of 'hidden' that need not show. On one disk with a log, each later
# fsync writes what an earlier one would have: that a directory for the record,
# or the record's name, is durable matters only once something that it tells of
# is, which is later in the same log. With the store on a disk of its own they
# do show: there each counts.
explained() {
	case $layout in
	together) grep -vE '^[0-9]+ fsync store/\.hxsnap(/journal)?$' hidden ;;
	*) cat hidden ;;
	esac
}

# try FS LAYOUT CUTS FIRST LAST
try() {
	[ -z "${CRASH_ONLY:-}" ] || [ "$CRASH_ONLY" = "$1-$2" ] || return 0
	cuts=$3 layout=$2
	test_expect_success "$(crash_needs two "$1")" \
		"$1, $2, $3 cut: barriers $4 to $5" '
		{ [ -d "$TRASH/'"two-$1-$2"'" ] ||
			power_scenario two '"$1 $2"'; } && cd "$here" &&
		: >shown && : >hidden && each '"$4 $5"' &&
		{ explained >left || :; } && test_line_count 0 left && [ -s shown ]
	'
}

# The record of the restore, which all else hangs on.
if [ -z "$crash_all" ]; then
	try ext4 together main 2 2
else
	try ext4 together main 1 1000
	try ext4 apart 'main side main+side' 1 1000
fi

test_done
