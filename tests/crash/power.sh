# shellcheck shell=sh
# shellcheck disable=SC3043 # 'local' is known to every sh we run on
# shellcheck disable=SC2034,SC2154 # used by the tests; set by crash.sh
#
# Power cuts; source it after crash.sh.
#
# power_scenario NAME FS LAYOUT makes a scenario of crash.sh whose disks can
# lose their power. LAYOUT together: the store and the targets are on one
# disk. LAYOUT apart: the store is on one, the targets are on another.
#
# A cut leaves on a disk what had reached it; nothing that only the kernel
# knew. For ext4 and XFS the file system itself is told to stop (fscut). btrfs
# refuses that: there the disk is copied while the program stands still, which
# is the same, as everything that was sent to it has arrived by then. After
# that the machine starts anew: from copies of the disks, since the kernel may
# not have let go of the old ones yet.

# power_sanitizers_add_nothing: skip all, if that is how we were built: the
# same calls leave the same on the disks. `make crash` tries it nevertheless.
power_sanitizers_add_nothing() {
	[ -z "${HXS_SAN:-}" ] || [ -n "$crash_all" ] ||
		skip_all "disks are tried here, which a sanitizer does not see"
}

power_scenario() {
	local fs="$2"
	scenario=$1
	power_fs=$fs
	power_layout=$3
	here=$TRASH/$1-$2-$3
	places=$here/main/live
	events=$places/events
	state=$places/state
	what=''
	rollbacks=1
	STORE=$here/main/store
	power_disks=main
	mkdir "$here" && crash_disk "$fs" "$here/main" || return 1
	if [ "$3" = apart ]; then
		STORE=$here/side/store
		power_disks='main side'
		crash_disk "$fs" "$here/side" || return 1
	fi
	mkdir "$places" && cd "$here" || return 1
	[ "$1" != paths ] || what='events/d state/x'
	crash_begin && power_off && power_keep img orig
}

power_image_() { # disk
	echo "$TRASH/ram/${here##*/}-$1.img"
}

# power_keep FROM TO: copy all disks' images, by their endings.
power_keep() {
	local disk
	for disk in $power_disks; do
		disk=$(power_image_ "$disk") &&
			cp --sparse=always "${disk%img}$1" "${disk%img}$2" || return 1
	done
}

power_off() {
	local disk
	for disk in $power_disks; do
		umount "$here/$disk" || return 1
	done
}

# power_new: names for the images that are booted next, by the ending
# boot$boot; those of the last time go.
power_new() {
	local disk
	boot=$((${boot:-0} + 1))
	for disk in $power_disks; do
		disk=$(power_image_ "$disk")
		rm -f "${disk%img}boot"[0-9]*
	done
}

# power_mount: use those. ext4 is not to write its log because time has passed:
# on a slow machine that would hide what was left to it.
power_mount() {
	local disk img opts=loop
	[ "$power_fs" != ext4 ] || opts=loop,commit=600
	for disk in $power_disks; do
		img=$(power_image_ "$disk") &&
			mount -o $opts "${img%img}boot$boot" "$here/$disk" ||
			return 1
	done
}

# power_on ENDING: start from a new copy of the images with that ending.
power_on() {
	power_new && power_keep "$1" "boot$boot" && power_mount
}

# power_acknowledged: recovered after a restore that was acknowledged: all of
# it is there, and the audit log knows it.
power_acknowledged() {
	if [ "$now" != new ]; then
		echo "acknowledged, and lost" && return 1
	fi
	grep -q "\"act\": *\"restore\".*\"dev/$base\".*\"ok\": *true" \
		"$STORE/.hxsnap/audit.log" || {
		echo "acknowledged, and not in the audit log" && return 1
	}
}

# power_cut_command DISK...: what cuts their power, for nthcall -x; the others
# go on, and what they have not written yet they will.
power_cut_command() {
	local disk img command='true'
	for disk; do
		img=$(power_image_ "$disk")
		if [ "$power_fs" = btrfs ]; then
			command="$command && cp --sparse=always ${img%img}boot$boot ${img%img}cut"
		else
			command="$command && fscut $here/$disk"
		fi
	done
	echo "$command"
}

# power_again DISK...: the machine starts again after the power of these was
# cut.
power_again() {
	local disk img
	power_off || return 1
	for disk in $power_disks; do
		img=$(power_image_ "$disk")
		case $power_fs,\ $*\  in
		btrfs,*" $disk "*) ;;
		*) cp --sparse=always "${img%img}boot$boot" "${img%img}cut" ||
			return 1 ;;
		esac
	done
	power_on cut
}

# power_restore DISK... -- [NTHCALL-OPTION]... N: the restore, its power cut
# at call N, or when it has ended.
power_restore() {
	local disks='' command
	while [ "$1" != -- ]; do
		disks="$disks $1"
		shift
	done
	shift
	# shellcheck disable=SC2086 # several disks
	power_on orig && command=$(power_cut_command $disks) &&
		power_run_ "$command" "$@" &&
		{ [ "$status" -eq 137 ] || sh -c "$command"; } &&
		power_again $disks
}

# power_recover DISK... -- [NTHCALL-OPTION]... N: a restore that was killed at its change $at, the
# recovery of that, and the power cut at call N of that, or when it has ended.
power_recover() {
	local disks='' command
	while [ "$1" != -- ]; do
		disks="$disks $1"
		shift
	done
	shift
	# shellcheck disable=SC2086 # several disks
	power_on orig && command=$(power_cut_command $disks) &&
		power_run_ true "$at" && [ "$status" -eq 137 ] || return 1
	status=0
	$crash_apart nthcall -f locks -m -x "$command" "$@" kill \
		hxsnap -q recover dev >out 2>err || status=$?
	# shellcheck disable=SC2086 # several disks
	[ "$status" -ne 2 ] &&
		{ [ "$status" -eq 137 ] || sh -c "$command"; } &&
		power_again $disks
}

power_run_() {
	local command="$1" opts=''
	shift
	while [ $# -gt 1 ]; do
		opts="$opts $1"
		shift
	done
	status=0
	# shellcheck disable=SC2086 # several options, several paths
	$crash_apart nthcall -f locks -m $opts -x "$command" "$1" kill \
		hxsnap -q restore "dev/$base" $what >out 2>err || status=$?
	[ "$status" -ne 2 ]
}

# power_judge FILE...: what these calls, one after the other, promise on a file
# system that keeps no more than it must (barriers.awk), to 'judged'.
power_judge() {
	cat "$@" >calls && awk -v root="$here" \
		-f "$HXS_SRC/tests/crash/barriers.awk" calls >judged &&
		[ -s judged ]
}

# power_spare: those that it could spare, and why not there: to 'left'. That a
# directory for rollback points was made is durable with the first of these at
# the latest; the journal's is not, and one place makes both. With the store on
# the targets' disk what was staged is durable with the rollback point; but one
# without a target that is there has none.
power_spare() {
	sed -nE 's/^[0-9]+ spare: //p' judged |
		grep -vE '^fsync (main|side)/store(/rollbacks)?$' |
		{ [ "$power_layout" = together ] &&
			sed '/^syncfs main\/live$/d' || cat; } >left
}
