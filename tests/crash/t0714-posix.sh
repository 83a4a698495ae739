#!/bin/sh
# shellcheck disable=SC2016,SC2154 # evaluated later; set by crash.sh
test_description='each barrier is needed where a file system keeps no more than it must'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/crash/crash.sh"
. "$HXS_SRC/tests/crash/power.sh"

power_sanitizers_add_nothing

restores() {
	power_on orig && status=0 && power_run_ true -l 100000 && power_off &&
		[ "$status" -eq 200 ] && mv err restored && power_judge restored &&
		cat judged && head -n 1 judged >first && echo whole >want &&
		test_cmp want first &&
		power_spare && test_line_count 0 left &&
		grep -c needed judged >count && [ "$(cat count)" -gt 15 ]
}

# Killed at change $at, which leaves what was not durable as it was, and
# recovered. Three things are no promise of one that was killed: its line in the
# audit log; that its record is gone, which then comes to the same again; and
# the rollback point of what is old again.
recovers() {
	power_on orig && power_run_ true -l "$at" && [ "$status" -eq 137 ] &&
		sed "\$d; /audit.log'\$/d; /unlinkat .*\/journal'\$/d" err >killed && status=0 &&
		{ $crash_apart nthcall -f locks -m -l 0 kill \
			hxsnap -q recover dev >out 2>err || status=$?; } &&
		[ "$status" -eq 0 ] && crash_whole && power_off || {
		power_off
		return 1
	}
	# without a record nothing was begun
	grep -q " renameat '.*/journal' " killed || return 0
	[ "$now" = new ] ||
		sed -i "/ syncfs /!{ /\/rollbacks/d; / fchmodat .*\/store'\$/d; }" \
			killed
	power_judge killed err && head -n 1 judged >first && echo whole >want &&
		test_cmp want first
}

# Before and after each call that makes something durable or gives it a name;
# the sample: with the journal's record there, and not yet durable, and before
# each exchange.
each() {
	if [ -n "$crash_all" ]; then
		sed -nE "s/^nthcall: ([0-9]+): (rename|fsync|syncfs).*/\1/p" restored |
			awk '{ print; print $1 + 1 }' | sort -nu | sed '$d'
	else
		sed -nE "s,^nthcall: ([0-9]+): (fsync .*/journal'|renameat2 .*)\$,\1,p" \
			restored
	fi >kills && points=0 && while read -r at; do
		points=$((points + 1))
		recovers || {
			echo "killed at $at: $(cat first)"
			sed "s,$here/,," calls
			return 1
		}
	done <kills
}

for layout in together apart; do
	test_expect_success PTRACE "$layout: a restore" '
		power_scenario two ext4 $layout && cd "$here" && restores
	'

	test_expect_success PTRACE "$layout: recovery of one that was killed" '
		cd "$here" && each && echo "$points points" && [ "$points" -gt 5 ]
	'
done

test_done
