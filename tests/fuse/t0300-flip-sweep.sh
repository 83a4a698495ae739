#!/bin/sh
test_description='flip every byte of a store: EIO for its block, or nothing'
. "$(dirname "$0")/../lib/lib.sh"

# One byte in $1 of every file of $id, on the average.
sweep_mounted() {
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	sweep "$STORE/backups/dev/$id" "mnt/dev/$id" "$1" "$seed"
}

seed=$(date +%s)
echo "# seed $seed"

test_expect_success 'a small store: empty, tiny, a block and more' '
	make_store &&
	new_env &&
	printf "%s\n" "{\"seq\":1,\"ts\":\"2026-02-05T15:29:00Z\"}" \
		>"$EVENTS/2026-02-05.jsonl" &&
	: >"$EVENTS/empty" &&
	printf x >"$EVENTS/one" &&
	head -c 3000 /dev/urandom >"$STATE/small" &&
	head -c 65536 /dev/urandom >"$STATE/block" &&
	head -c 150000 /dev/urandom >"$STATE/three blocks" &&
	id=$(hxsnap create dev)
'

test_expect_success FUSE 'every byte of the small files' '
	hxsnap verify "dev/$id" &&
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	sweep "$STORE/backups/dev/$id/events" "mnt/dev/$id/events" 1 &&
	hxsnap verify "dev/$id"
'

test_expect_success FUSE 'one byte in 97 of all files' '
	sweep_mounted 97 &&
	hxsnap verify "dev/$id"
'

test_expect_success FUSE 'a foreign snapshot, once its files were opened' '
	foreign_snapshot dev 20200101T000000Z "$EVENTS" "$STATE" &&
	native=$id &&
	id=20200101T000000Z &&
	sweep_mounted 997 &&
	hxsnap verify dev/$id &&
	id=$native
'

test_expect_success FUSE 'nocontrol: the same by the path without open' '
	mount_store mnt nocontrol &&
	test_when_finished "umount_store mnt" &&
	sweep "$STORE/backups/dev/$id" "mnt/dev/$id" 997 "$seed"
'

test_expect_success FUSE 'a large file, sampled, one block of many' '
	head -c 20000000 /dev/urandom >"$STATE/large" &&
	rm "$STATE/three blocks" &&
	id=$(hxsnap create dev) &&
	sweep_mounted 500000
'

test_done
