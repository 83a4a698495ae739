#!/bin/sh
# shellcheck disable=SC2016,SC2154 # evaluated later; set by crash.sh
test_description='restore: every call fails once'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/crash/crash.sh"

# What it says is what there is; then what it could not clean up is cleaned up.
fails() {
	crash_reset && crash_restore ${changes:+"$changes"} "$n" "$error" ||
		return 1
	if [ "$status" -eq 200 ]; then
		crash_whole && [ "$now" = new ]
		return
	fi
	crash_failed && before=$now && crash_recover || return 1
	[ "$before" = "$now" ] || {
		echo "recover made it $now, which was $before"
		return 1
	}
}

# try SCENARIO FS STEP ERROR [-m]: -m for calls that change something. Only
# those have the same numbers in each run: who uses what is looked for in
# places that others change.
try() {
	crash_wanted "$1-$2" || return 0
	error=$4
	changes=${5:-}
	test_expect_success "$(crash_needs "$1" "$2")" \
		"$1 on $2: $4 from every ${5:+changing }call" '
		crash_scenario '"$1 $2"' &&
		{ [ -z "$changes" ] || crash_mark crash_restore -m; } &&
		crash_sweep "'"$1 on $2, $4"'" "$(crash_step '"$3"')" fails
	'
}

try two ext4 29 EIO
try pair ext4 83 EIO
if [ -z "$crash_all" ]; then # or that was all of them
	try two ext4 17 EIO -m
	try pair ext4 17 EIO -m
fi
try two ext4 17 ENOSPC -m
try two ext4 83 ENOMEM
try two ext4 83 EINTR
if [ -n "$crash_all" ]; then
	for name in one paths missing file mount; do
		try $name ext4 1 EIO
	done
	for name in pair mount; do
		try $name xfs 1 EIO -m
		try $name ext4 1 ENOSPC -m
		try $name ext4 1 ENOMEM -m
		try $name ext4 1 EINTR -m
	done
	try two btrfs 1 EIO -m
fi

test_done
