#!/bin/sh
# shellcheck disable=SC2016,SC2154 # evaluated later; set by crash.sh
test_description='restore: the power fails at every change'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/crash/crash.sh"
. "$HXS_SRC/tests/crash/power.sh"

power_sanitizers_add_nothing

# $cut: the disks that lose their power
fails() {
	# shellcheck disable=SC2086 # several disks
	power_restore $cut -- "$n" || return 1
	case $status in
	137) crash_recover ;;
	200) crash_recover && power_acknowledged ;;
	*) false ;;
	esac && power_off || {
		power_off
		return 1
	}
}

# try SCENARIO FS LAYOUT CUT STEP
try() {
	[ -z "${CRASH_ONLY:-}" ] || [ "$CRASH_ONLY" = "$1-$2-$3" ] || return 0
	cut=$4
	test_expect_success "$(crash_needs "$1" "$2")" \
		"$1 on $2, $3: $4 cut" '
		{ [ -d "$TRASH/'"$1-$2-$3"'" ] ||
			power_scenario '"$1 $2 $3"'; } && cd "$here" &&
		crash_sweep "'"$1 on $2, $3, $4"'" "$(crash_step '"$5"')" fails
	'
}

try two ext4 together main 17
try two xfs together main 37
try two btrfs together main 37
try two ext4 apart 'main side' 53
try two ext4 apart main 53
try two ext4 apart side 53
if [ -n "$crash_all" ]; then
	for fs in xfs btrfs; do
		for disks in 'main side' main side; do
			try two $fs apart "$disks" 1
		done
	done
	try paths ext4 together main 1
	try paths xfs together main 1
	try paths ext4 apart main 1
	try missing ext4 together main 1
	try missing ext4 apart main 1
fi

test_done
