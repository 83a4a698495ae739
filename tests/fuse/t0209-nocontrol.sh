#!/bin/sh
test_description='-o nocontrol: read-only to the kernel, files opened without asking'

. "$(dirname "$0")/../lib/lib.sh"

ID=20260101T000000Z

test_expect_success 'a store' '
	make_store && new_env &&
	for i in $(seq 300); do
		echo "file $i" >"$EVENTS/f$i" || return 1
	done &&
	head -c 3000000 /dev/urandom >"$EVENTS/big" && : >"$EVENTS/empty" &&
	foreign_snapshot dev $ID "$EVENTS" &&
	echo 1 >"$STATE/one" && NATIVE=$(hxsnap create dev)
'

test_expect_success FUSE 'the mount is read-only and has no control file' '
	mount_store mnt nocontrol && test_when_finished "umount_store mnt" &&
	findmnt -n -o OPTIONS mnt >got && test_grep "^ro," got &&
	test_path_is_missing mnt/.control && test_path_is_missing mnt/dev/.control
'

test_expect_success FUSE 'more files than are kept open, by many at once' '
	mount_store mnt nocontrol && test_when_finished "umount_store mnt" &&
	for ref in $ID $NATIVE; do
		for i in 1 2 3 4; do
			diff -r "$EVENTS" mnt/dev/$ref/events &
			pids="$pids $!"
		done
	done &&
	for pid in $pids; do
		wait $pid || return 1
	done
'

test_expect_success FUSE 'few descriptors are held, whatever was read' '
	mount_store mnt nocontrol && test_when_finished "umount_store mnt" &&
	cat mnt/dev/$NATIVE/events/* mnt/dev/$ID/events/* >/dev/null &&
	fds=$(ls "/proc/$(store_pid mnt)/fd" | wc -l) &&
	[ "$fds" -lt 200 ]
'

test_expect_success FUSE 'a file can be read after its snapshot was dropped from memory' '
	for i in 1 2 3 4 5 6 7 8 9; do
		cp -a "$STORE/backups/dev/$ID" \
			"$STORE/backups/dev/2026020${i}T000000Z" || return 1
	done &&
	HXSNAPFS="prlimit --nofile=200:200 hxsnapfs" &&
	test_when_finished "unset HXSNAPFS" &&
	mount_store mnt nocontrol && test_when_finished "umount_store mnt" &&
	exec 6<mnt/dev/$NATIVE/events/big && test_when_finished "exec 6<&-" &&
	head -c 100000 <&6 >got &&
	cat mnt/dev/2026020*/events/f1* >/dev/null &&
	cat <&6 >>got && test_cmp "$EVENTS/big" got
'

test_expect_success FUSE 'an open file of a deleted snapshot: right bytes or an error' '
	mount_store mnt nocontrol && test_when_finished "umount_store mnt" &&
	exec 6<mnt/dev/20260209T000000Z/events/big &&
	test_when_finished "exec 6<&-" &&
	head -c 10 <&6 >got && rm -r "$STORE/backups/dev/20260209T000000Z" &&
	test_poll 2 "[ ! -e mnt/dev/20260209T000000Z ]" &&
	{ cat <&6 >>got 2>err || test_grep "tale\|Input/output" err; } &&
	head -c "$(stat -c %s got)" "$EVENTS/big" >want && test_cmp want got
'

test_done
