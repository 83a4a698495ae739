#!/bin/sh
# shellcheck disable=SC2016,SC2154 # evaluated later; set by crash.sh
test_description='restore: what was written reaches the disk in part'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/crash/crash.sh"
. "$HXS_SRC/tests/crash/power.sh"

power_sanitizers_add_nothing

# Others with another seed; the same with the same one, as far as the kernel
# writes the same.
seed=${CRASH_SEED:-1}
echo "# CRASH_SEED=$seed"

# record [NTHCALL-OPTION]...: record a restore, to 'log'.
record() {
	local disk img images=''
	mkdir -p recorded && power_keep orig record || return 1
	for disk in $power_disks; do
		img=$(power_image_ "$disk") && images="$images ${img%img}record"
	done
	# shellcheck disable=SC2086 # several disks
	recorder "$TRASH/ram/log" recorded $images &
	recorder=$!
	test_poll 30 'mountpoint -q recorded' || return 1
	for img in $images; do
		disk=${img##*-}
		mount -o loop "recorded/${img##*/}" "$here/${disk%.record}" ||
			return 1
	done
	echo begin >>recorded/mark && status=0 &&
		{ $crash_apart nthcall -f locks -m "$@" 100000 kill \
			hxsnap -q restore "dev/$base" >out 2>err || status=$?; } &&
		[ "$status" -eq 200 ] && echo acknowledged >>recorded/mark &&
		crash_is && [ "$now" = new ] && sync -f "$here/main" &&
		echo end >>recorded/mark &&
		power_off &&
		# the loop devices let go of it a moment later
		test_poll 30 "umount recorded 2>/dev/null" && wait "$recorder"
}

# pairs ENDING: each disk's image with that one, and what it is to boot from.
pairs() {
	local disk img
	for disk in $power_disks; do
		img=$(power_image_ "$disk") &&
			echo "${img%img}$1" "${img%img}boot$boot"
	done
}

# found KIND AT SEED acknowledged|open: how it is found then, and recovered.
found() {
	# shellcheck disable=SC2046 # several disks
	power_new && replay make -b "$sector" "$TRASH/ram/log" "$1" "$2" "$3" \
		$(pairs orig) && power_mount || {
		echo "cannot be mounted"
		power_off
		return 1
	}
	if crash_recover && { [ "$4" = open ] || power_acknowledged; }; then
		power_off
	else
		power_off
		return 1
	fi
}

# each BAD: all of 'states', until so many of them fail; counts them.
each() {
	points=0 bad=0
	while read -r state; do
		points=$((points + 1))
		# shellcheck disable=SC2086 # KIND AT SEED and so on
		found $state >verdict 2>&1 || {
			bad=$((bad + 1))
			echo "$state:" && cat verdict
			[ "$bad" -lt "$1" ] || break
		}
	done <states
}

# try FS LAYOUT SECTOR LIST-OPTION...
try() {
	[ -z "${CRASH_ONLY:-}" ] || [ "$CRASH_ONLY" = "$1-$2" ] || return 0
	fs=$1 layout=$2 sector=$3
	shift 3
	options=$*
	test_expect_success "FUSE,$(crash_needs two "$fs")" \
		"$fs, $layout: $options" '
		power_scenario two $fs $layout && cd "$here" && record &&
		replay list -r "$seed" $options "$TRASH/ram/log" >states &&
		each 20 && echo "$fs, $layout: $bad of $points states fail" &&
		[ "$bad" -eq 0 ] && [ "$points" -gt 10 ] &&
		grep -q open states && grep -q acknowledged states
	'
}

# That it sees: without the flush of the journal's first record.
blind() {
	[ -z "${CRASH_ONLY:-}" ] || return 0
	sector=512
	test_expect_success "FUSE,$(crash_needs two ext4)" \
		'the flush of the record left out: it shows' '
		power_scenario one ext4 together && cd "$here" &&
		record -s 2 &&
		replay list -r "$seed" -s 2 "$TRASH/ram/log" >states &&
		each 1 && [ "$bad" -gt 0 ]
	'
}

# Half a block of btrfs's, which has 4096 bytes, is more than it can bear.
if [ -n "$crash_all" ]; then
	try ext4 together 512 -p 1 -t 1 -s 60 -h 60
	try xfs together 512 -p 1 -t 1 -s 60 -h 60
	try btrfs together 4096 -p 1 -t 1 -s 60 -h 60
	try ext4 apart 512 -p 1 -t 1 -s 60 -h 60
	try xfs apart 512 -p 1 -t 1 -s 30 -h 30
	try btrfs apart 4096 -p 1 -t 1 -s 30 -h 30
else
	try ext4 together 512 -p 9 -t 20 -s 1
	try xfs together 512 -p 9 -t 20 -s 1
	try btrfs together 4096 -p 20 -t 40 -s 1
fi
blind

test_done
