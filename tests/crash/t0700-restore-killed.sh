#!/bin/sh
# shellcheck disable=SC2154 # set by crash.sh
test_description='restore: killed at every change'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/crash/crash.sh"

killed() {
	crash_reset && crash_restore -m "$n" kill || return 1
	case $status in
	137) crash_recover ;;
	200) crash_whole && [ "$now" = new ] ;;
	*) return 1 ;;
	esac
}

# try SCENARIO FS STEP
try() {
	crash_wanted "$1-$2" || return 0
	# shellcheck disable=SC2016 # evaluated later
	test_expect_success "$(crash_needs "$@")" \
		"$1 on $2: wholly old or wholly new" '
		crash_scenario '"$1 $2"' && crash_mark crash_restore -m &&
		crash_sweep "'"$1 on $2"'" "$(crash_step '"$3"')" killed
	'
}

try one ext4 1
try two ext4 1
try paths ext4 9
try missing ext4 9
try file ext4 9
try mount ext4 9
try pair ext4 9
try two xfs 9
try two btrfs 9
try mount xfs 9

test_done
