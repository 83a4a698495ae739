#!/bin/sh
test_description='what readers of the mount meet is put down in the store'
. "$(dirname "$0")/../lib/lib.sh"

# result REF: what is known of it, as JSON.
result() {
	hxsnap --json show "$1" | jq -c .verified
}

# known REF FILTER: within a while, that holds of it.
known() {
	test_poll 20 "result $1 | jq -e '$2' >/dev/null" || {
		result "$1"
		return 1
	}
}

eio() {
	test_must_fail cat "$1" >/dev/null 2>err && test_grep "Input/output error" err
}

test_expect_success 'three backups, all of them right' '
	make_store && new_env && head -c 300000 /dev/urandom >"$EVENTS/big" &&
	echo small >"$EVENTS/small" && echo state >"$STATE/s" &&
	A=$(hxsnap -q create --full dev) && B=$(hxsnap -q create --full dev) &&
	C=$(hxsnap -q create --full dev) && foreign_snapshot old 20260101T000000Z "$EVENTS" &&
	hxsnap -q verify --all && big=$STORE/backups/dev/$C/events/big
'

test_expect_success FUSE 'a block that a reader met: damaged, and not latest-verified' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	[ "$(readlink mnt/dev/latest-verified)" = "$C" ] &&
	cat mnt/dev/$B/events/big >/dev/null &&
	flip_byte "$big" 70000 && eio mnt/dev/$C/events/big &&
	known dev/$C ".passed == false and .faults == 1 and .by_reader" &&
	result dev/$C | jq -e ".first_fault | test(\"^events/big: \")" &&
	test_poll 20 "[ \"\$(readlink mnt/dev/latest-verified)\" = $B ]" &&
	hxsnap list dev >out && test_grep "dev/$C .* DAMAGED" out &&
	hxsnap show dev/$C >out && test_grep "^verified: .*a reader met damage" out &&
	test_exit 2 hxsnap check dev >out && test_grep "^critical damage dev/$C: it is damaged: events/big: " out &&
	result dev/$B | jq -e .passed && result dev/$A | jq -e .passed
'

test_expect_success FUSE 'it is due at once, and what verify finds is more' '
	flip_byte "$big" 200000 &&
	test_exit 3 hxsnap --json -q verify dev --older-than 30d >out 2>err &&
	[ "$(jq -r "select(.type == \"snapshot\").reference" out)" = "dev/$C" ] &&
	result dev/$C | jq -e ".faults == 2 and .by_reader == false" &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	cp -p "$STORE/.hxsnap/verify/backups/dev/$C.json" before &&
	eio mnt/dev/$C/events/big && eio mnt/dev/$C/events/big &&
	flip_byte "$STORE/backups/dev/$B/events/big" 7 &&
	eio mnt/dev/$B/events/big && known dev/$B ".by_reader" &&
	test_cmp before "$STORE/.hxsnap/verify/backups/dev/$C.json"
'

test_expect_success FUSE 'what is right again is so when a verify says so' '
	flip_byte "$big" 70000 && flip_byte "$big" 200000 &&
	flip_byte "$STORE/backups/dev/$B/events/big" 7 &&
	result dev/$B | jq -e ".passed == false" && hxsnap -q verify dev &&
	result dev/$B | jq -e "(.passed and .by_reader == false)" &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	[ "$(readlink mnt/dev/latest-verified)" = "$C" ]
'

test_expect_success FUSE 'damage comes back in the same mount: it is put down again' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	flip_byte "$big" 70000 && eio mnt/dev/$C/events/big &&
	known dev/$C ".by_reader" && flip_byte "$big" 70000 &&
	hxsnap -q verify dev && result dev/$C | jq -e .passed &&
	flip_byte "$big" 70000 && eio mnt/dev/$C/events/big &&
	known dev/$C ".by_reader" && flip_byte "$big" 70000 && hxsnap -q verify dev
'

test_expect_success FUSE 'a file that is missing, one of a snapshot without an index' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	mv "$STORE/backups/dev/$A/events/small" keep && eio mnt/dev/$A/events/small &&
	known dev/$A ".by_reader and (.first_fault | test(\"^events/small: \"))" &&
	mv keep "$STORE/backups/dev/$A/events/small" &&
	flip_byte "$STORE/backups/old/20260101T000000Z/events/big" 7 &&
	eio mnt/old/20260101T000000Z/events/big &&
	known old/20260101 ".by_reader" &&
	flip_byte "$STORE/backups/old/20260101T000000Z/events/big" 7 && hxsnap -q verify --all
'

test_expect_success FUSE 'ro: nothing is put down' '
	mount_store mnt ro && test_when_finished "umount_store mnt" &&
	flip_byte "$big" 70000 && test_when_finished "flip_byte $big 70000" &&
	find "$STORE" -printf "%p %i %T@ %s\n" | sort >before &&
	eio mnt/dev/$C/events/big && jq -e ".damage.blocks == 1" mnt/.status &&
	umount_store mnt && find "$STORE" -printf "%p %i %T@ %s\n" | sort >after &&
	test_cmp before after && mount_store mnt
'

test_expect_success FUSE 'many readers of many bad blocks; it is down before the mount ends' '
	mount_store mnt && pids="" &&
	for at in 10 70000 140000 200000 270000; do flip_byte "$big" $at || return 1; done &&
	for n in 1 2 3 4 5 6 7 8; do
		dd if=mnt/dev/$C/events/big of=/dev/null bs=4096 conv=noerror,sync 2>/dev/null &
		pids="$pids $!"
	done &&
	for pid in $pids; do wait "$pid" || return 1; done &&
	umount_store mnt && result dev/$C | jq -e ".by_reader and .faults == 1" &&
	find "$STORE/.hxsnap/verify" -name ".tmp*" >left && test_line_count 0 left &&
	for at in 10 70000 140000 200000 270000; do flip_byte "$big" $at || return 1; done
'

test_lazy_prereq RO_MOUNT 'root that may mount read-only' '
	mkdir a b && mount --bind a b && mount -o remount,bind,ro b && umount b'

test_expect_success FUSE,RO_MOUNT 'a store that cannot be written: EIO all the same, no word about that' '
	mount --bind "$STORE" "$STORE" && test_when_finished "umount \"$STORE\"" &&
	flip_byte "$big" 70000 && test_when_finished "flip_byte $big 70000" &&
	mount -o remount,bind,ro "$STORE" &&
	test_when_finished "mount -o remount,bind,rw \"$STORE\"" &&
	mount_store mnt && eio mnt/dev/$C/events/big && umount_store mnt &&
	[ "$(grep -c "events/big" mnt.log)" -eq 1 ] && test_grep ! "cannot store" mnt.log
'

test_done
