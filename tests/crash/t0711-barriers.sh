#!/bin/sh
# shellcheck disable=SC2016,SC2154 # evaluated later; set by crash.sh
test_description='the power cuts find every barrier that is left out'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/crash/crash.sh"
. "$HXS_SRC/tests/crash/power.sh"

power_sanitizers_add_nothing

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
	200) crash_recover && power_acknowledged ;;
	*) true ;; # it failed by itself: another fault
	esac >verdict 2>&1 || found=1
}

# The points after the barrier: into 'near' those at which what is on a disk
# or what a name means changes, into 'far' the others. The last is the end.
find_points() {
	sed -nE "s/^nthcall: ([0-9]+): ([a-z]+).*/\1 \2/p" err |
		awk -v from="$n" '
			$1 > from { point[$1] = 1; last = $1 }
			$2 ~ /sync|rename|unlink|mkdir/ {
				near[$1] = near[$1 + 1] = 1
			}
			END {
				for (i = from + 1; i <= last; i++)
					print i > (near[i] ? "near" : "far")
				print last + 1 > "near"
			}' last="$n"
}

# Cut the power of each of $cuts from the barrier on, until that shows.
look() {
	local cut points
	found=''
	: >far && : >near && find_points || return 1
	for points in near far; do
		for cut in $cuts; do
			look_with "$(echo "$cut" | tr + ' ')" $points || return 1
			[ -z "$found" ] || return 0
		done
	done
}

look_with() { # "DISK DISK" FILE
	while read -r n; do
		# shellcheck disable=SC2086 # several disks
		power_restore $1 -- -s "$k" "$n" || return 1
		shows
		power_off || return 1
		[ -z "$found" ] || break
	done <"$2"
}

# each FIRST LAST: leave out each of these barriers, one a sweep; writes the
# names of those that show to 'shown' and of the others to 'hidden'.
each() {
	k=$1
	while [ "$k" -le "$2" ]; do
		# shellcheck disable=SC2086 # several disks
		power_restore ${cuts%% *} -- -l -s "$k" 100000 && power_off &&
			power_judge err && power_spare && test_line_count 0 left ||
			return 1
		name=$(name_of)
		n=$(sed -nE "s,^nthcall: left out $k at ([0-9]+): .*,\1,p" err)
		[ -n "$name" ] || break
		look || return 1
		if [ -n "$found" ]; then
			echo "$name" >>shown
			echo "$k: $name: shows at $n: $(head -n 1 verdict)"
		else
			echo "$name" >>hidden
			echo "$k: $name: does not show; $(sed -n "s/^$k //p" judged)"
		fi
		k=$((k + 1))
	done
}

# try FS LAYOUT CUTS FIRST LAST NAME...: of these barriers the named ones must
# show. The others may hide behind the file system's log, as a later fsync
# writes all that one would have. For them there is t0714's judgement, which is
# shown here, and which spares none without a reason.
try() {
	[ -z "${CRASH_ONLY:-}" ] || [ "$CRASH_ONLY" = "$1-$2" ] || return 0
	cuts=$3
	test_expect_success "$(crash_needs two "$1")" \
		"$1, $2, $3 cut: barriers $4 to $5" '
		{ [ -d "$TRASH/'"two-$1-$2"'" ] ||
			power_scenario two '"$1 $2"'; } && cd "$here" &&
		: >shown && : >hidden && each '"$4 $5"' &&
		for name in '"$6"'; do
			grep -q "[ /]$name\$" shown || {
				echo "$name does not show"
				return 1
			}
		done
	'
}

# The sample: the first record, which all else hangs on, and the intent with
# its name, which the other disk must not be ahead of.
if [ -z "$crash_all" ]; then
	try ext4 together main 2 2 record
	try ext4 apart side 10 10 journal
else
	try ext4 together main 1 1000 'record audit.log'
	try ext4 apart 'main side main+side' 1 1000 'record journal audit.log'
	try xfs together main 1 1000 'record audit.log'
fi

test_done
