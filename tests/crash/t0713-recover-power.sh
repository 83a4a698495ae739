#!/bin/sh
# shellcheck disable=SC2016,SC2154 # evaluated later; set by crash.sh
test_description='recovery: the power fails at every change, after a kill'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/crash/crash.sh"
. "$HXS_SRC/tests/crash/power.sh"

power_sanitizers_add_nothing

# A restore is killed at its change $at: what it had written by then is in the
# kernel, which lives. Recovery begins; then the power is cut at its change $n,
# and what the kernel alone knew of is lost, of the restore's work as well.
fails() {
	power_recover $cut -- $left_out "$n" && case $status in
	137 | 200) crash_recover ;;
	*) false ;;
	esac && power_off || {
		power_off
		return 1
	}
}

left_out=''

# find_points: at which changes to kill the restore: those at which something
# is exchanged, published, journalled or durable, each before and after. The
# sample: with the journal's record there, and not yet durable.
find_points() {
	power_on orig && status=0 && power_run_ true -l 100000 && power_off ||
		return 1
	sed -nE "s,^nthcall: ([0-9]+): fsync .*/journal'\$,\1,p" err >records
	if [ -z "$crash_all" ]; then
		cat records
	else
		sed -nE "s/^nthcall: ([0-9]+): (rename|fsync|syncfs).*/\1/p" err |
			awk '{ print; print $1 + 1 }' | sort -nu | sed '$d'
	fi >kills
	[ -s kills ]
}

# each: a sweep for each of these.
each() {
	local bad=0
	while read -r at; do
		sweep || bad=1
	done <kills
	[ "$bad" -eq 0 ]
}

# As crash_sweep, which wants many.
sweep() {
	local failed=0
	n=1
	while :; do
		status=none
		fails >verdict 2>&1 || {
			failed=$((failed + 1))
			echo "killed at $at, power cut at $n, $status:"
			cat verdict out err
		}
		[ "$status" != 200 ] && [ "$failed" -lt 5 ] || break
		points=$((points + 1))
		n=$((n + step))
	done
	[ "$failed" -eq 0 ]
}

# try FS LAYOUT CUT STEP
try() {
	[ -z "${CRASH_ONLY:-}" ] || [ "$CRASH_ONLY" = "$1-$2" ] || return 0
	cut=$3 step=$(crash_step "$4")
	test_expect_success "$(crash_needs two "$1")" "$1, $2, $3 cut" '
		{ [ -d "$TRASH/'"two-$1-$2"'" ] ||
			power_scenario two '"$1 $2"'; } && cd "$here" &&
		points=0 && find_points && each &&
		echo "$power_fs, $power_layout, $cut: $points points" &&
		[ "$points" -gt 5 ]
	'
}

try ext4 apart side 7

# That it sees: recovery's first barrier is for the record that it found, here
# that of the commit; by change 11 it is removing what was displaced. The call
# may be one earlier or later, as workers share the copying.
blind() {
	local call
	cut=side n=11 left_out='-s 1'
	call=$(sed -n 3p records)
	for at in $call $((call - 1)) $((call + 1)) $call; do
		fails && continue
		[ "$status" -eq 137 ] &&
			grep "left out 1 at .*/journal" err && return
	done
	return 1
}
[ -n "${CRASH_ONLY:-}" ] ||
	test_expect_success PTRACE 'that barrier left out: it shows' '
		cd "$TRASH/two-ext4-apart" && blind
	'
left_out=''

if [ -n "$crash_all" ]; then
	for fs in ext4 xfs btrfs; do
		try $fs together main 1
		for disks in 'main side' main side; do
			[ "$fs,$disks" = ext4,side ] ||
				try $fs apart "$disks" 1
		done
	done
fi

test_done
