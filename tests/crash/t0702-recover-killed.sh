#!/bin/sh
# shellcheck disable=SC2016,SC2154 # evaluated later; set by crash.sh
test_description='recover: killed, and failing, after a restore was killed'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/crash/crash.sh"

recover() { # N ACTION
	crash_hxsnap -m "$1" "$2" recover dev
}

# After the restore was killed at $n, recovery is killed at its first call,
# then at the second of what was left to do, and so on until it gets through.
worn_down() {
	local m=1
	crash_reset && crash_restore -m "$n" kill || return 1
	[ "$status" -eq 137 ] || { [ "$status" -eq 200 ] && return; }
	while recover $m kill && [ "$status" -eq 137 ]; do
		m=$((m + 1)) runs=$((runs + 1))
	done
	[ "$status" -eq 200 ] && status=137 && crash_recover
}

# Recovery is killed once, at each of its calls.
every_pair() {
	local m=0
	while :; do
		m=$((m + 1)) runs=$((runs + 1))
		crash_reset && crash_restore -m "$n" kill || return 1
		[ "$status" -eq 137 ] || { [ "$status" -eq 200 ] && return; }
		recover $m kill
		case $status in
		137) crash_recover || { echo "recover killed at $m" && return 1; } ;;
		200) status=137 && crash_whole && return ;;
		*) return 1 ;;
		esac
	done
}

# Each of its calls fails once: it says so, or is done.
every_error() {
	local m=0
	while :; do
		m=$((m + 1)) runs=$((runs + 1))
		crash_reset && crash_restore -m "$n" kill || return 1
		[ "$status" -eq 137 ] || { [ "$status" -eq 200 ] && return; }
		recover $m "$error"
		case $status in
		0) crash_whole ;;
		1 | 3) grep -q "^hxsnap: .*'.*'" said && crash_recover ;;
		200) status=137 && crash_whole && return ;;
		*) false ;;
		esac || { echo "recover, $error at $m: $status" && return 1; }
	done
}

# try SCENARIO FS STEP HOW [ERROR]
try() {
	crash_wanted "$1-$2" || return 0
	error=${5:-}
	test_expect_success "$(crash_needs "$1" "$2")" "$1 on $2: $4 $error" '
		runs=0 && crash_scenario '"$1 $2"' &&
		{ [ '"$4"' != worn_down ] || crash_mark crash_restore -m; } &&
		crash_sweep "'"$1 on $2, $4 $error"'" "$(crash_step '"$3"')" '"$4"' &&
		echo "$runs runs of recover" && [ "$runs" -gt "$points" ]
	'
}

try two ext4 9 worn_down
try pair ext4 19 worn_down
[ -n "$crash_all" ] || try two ext4 21 every_error EIO
if [ -n "$crash_all" ]; then
	for name in one paths missing file mount; do
		try $name ext4 1 worn_down
	done
	try two ext4 1 every_pair
	try pair ext4 1 every_pair
	try mount xfs 1 every_pair
	for error in EIO ENOSPC ENOMEM EINTR; do
		try two ext4 1 every_error $error
		try mount ext4 1 every_error $error
	done
fi

test_done
