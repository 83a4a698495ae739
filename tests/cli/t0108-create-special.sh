#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='create: special files and other file systems are left out'
. "$(dirname "$0")/../lib/lib.sh"

test_expect_success 'FIFOs and sockets: left out, told, recorded' '
	new_env dev && make_store && echo x >"$STATE/x" && echo y >"$EVENTS/y" &&
	mkfifo "$EVENTS/fifo" && mkdir "$EVENTS/d" && python3 -c "
import os, socket, sys
os.chdir(sys.argv[1]); socket.socket(socket.AF_UNIX).bind(\"sock\")
" "$EVENTS/d" &&
	id=$(timeout 60 hxsnap create dev 2>err) && snap=$STORE/backups/dev/$id &&
	test_grep "events/fifo. was left out: it is a FIFO" err &&
	test_grep "events/d/sock. was left out: it is a socket" err &&
	grep -q "events/fifo. was left out" "$snap/meta.json" &&
	hxtree list --no-special "$EVENTS" >want &&
	hxtree list "$snap/events" >got && test_cmp want got &&
	hxsnap -q verify "dev/$id"
'

test_expect_success ROOT 'devices too' '
	if mknod "$EVENTS/null" c 1 3 && mknod "$EVENTS/blk" b 7 200; then
		id=$(hxsnap create dev 2>err) &&
		test_grep "events/null. was left out: it is a device" err &&
		test_grep "events/blk. was left out: it is a device" err &&
		find "$STORE" -type b -o -type c -o -type p -o -type s >got &&
		test_line_count 0 got
	fi
'

test_expect_success 'hidden names in warnings cannot act on a terminal' '
	mkfifo "$EVENTS/$(printf "\\033[2Jx\\377\\nz")" &&
	hxsnap create dev 2>err >out && test_must_fail grep "$(printf "\\033")" err &&
	grep "events/.*033.*377" err && hxsnap show "dev/$(cat out)"
'

test_expect_success 'ten thousand of them: told of, not one by one' '
	mkdir "$EVENTS/many" && python3 -c "
import os, sys
os.chdir(sys.argv[1])
for i in range(10000): os.mkfifo(\"%0200d\" % i)
" "$EVENTS/many" &&
	id=$(hxsnap create dev 2>err) && snap=$STORE/backups/dev/$id &&
	[ "$(stat -c %s "$snap/meta.json")" -lt 1000000 ] &&
	grep -q "more warnings are not listed" "$snap/meta.json" &&
	hxsnap -q verify "dev/$id" && hxsnap show "dev/$id" >out &&
	rm -rf "$EVENTS/many"
'

test_expect_success TMPFS 'other mounted file systems are not entered' '
	mkdir "$EVENTS/mnt" "$EVENTS/bind" && echo hidden >"$EVENTS/mnt/hidden" &&
	echo under >"$EVENTS/file" && mount -t tmpfs tmpfs "$EVENTS/mnt" &&
	test_when_finished "umount \"$EVENTS/mnt\"" && echo no >"$EVENTS/mnt/no" &&
	mount --bind "$STATE" "$EVENTS/bind" &&
	test_when_finished "umount \"$EVENTS/bind\"" &&
	mount --bind "$STATE/x" "$EVENTS/file" &&
	test_when_finished "umount \"$EVENTS/file\"" &&
	id=$(hxsnap create dev 2>err) && snap=$STORE/backups/dev/$id &&
	for m in mnt bind file; do
		test_grep "events/$m. was left out: another file system" err &&
		test_path_is_missing "$snap/events/$m" || return 1
	done && grep -q "events/mnt. was left out" "$snap/meta.json"
'

test_expect_success TMPFS 'a source that is itself a mount is captured' '
	mount -t tmpfs tmpfs "$STATE" &&
	test_when_finished "umount \"$STATE\"" && echo inside >"$STATE/inside" &&
	id=$(hxsnap -q create dev) &&
	test_same_tree "$STATE" "$STORE/backups/dev/$id/state"
'

test_expect_success OVERLAY 'on overlayfs all is entered' '
	mkdir ov && mount -t tmpfs tmpfs ov &&
	test_when_finished "umount \"$TRASH/ov\"" &&
	mkdir ov/l ov/u ov/w ov/o ov/l/d && echo low >ov/l/d/low &&
	echo both >ov/l/both &&
	mount -t overlay o -o lowerdir=ov/l,upperdir=ov/u,workdir=ov/w ov/o &&
	test_when_finished "umount \"$TRASH/ov/o\"" &&
	echo up >ov/o/d/up && echo changed >ov/o/both && ln ov/o/both ov/o/again &&
	cat >ov.json <<-END &&
	{"store": "$STORE", "environments": {"dev": {"sources": {"s":
	  {"kind": "directory", "path": "$TRASH/ov/o"}}}}}
	END
	id=$(hxsnap --config ov.json create dev 2>err) &&
	test_must_fail grep "left out" err &&
	test_same_tree --no-xattr ov/o "$STORE/backups/dev/$id/s"
'

test_expect_success BTRFS 'subvolumes are entered' '
	loop_fs btrfs 200M bt && mkdir bt/live && echo a >bt/live/a &&
	btrfs subvolume create bt/live/sub && echo b >bt/live/sub/b &&
	cat >bt.json <<-END &&
	{"store": "$STORE", "environments": {"dev": {"sources": {"s":
	  {"kind": "directory", "path": "$TRASH/bt/live"}}}}}
	END
	id=$(hxsnap -q --config bt.json create dev) &&
	test_cmp bt/live/sub/b "$STORE/backups/dev/$id/s/sub/b"
'

test_expect_success ROOT 'immutable and append-only files' '
	echo fixed >"$EVENTS/fixed" && echo log >"$EVENTS/log" &&
	if chattr +i "$EVENTS/fixed" && chattr +a "$EVENTS/log"; then
		test_when_finished "chattr -ia \"$EVENTS/fixed\" \"$EVENTS/log\"" &&
		id=$(hxsnap -q create dev) && hxsnap -q verify "dev/$id" &&
		id=$(hxsnap -q create dev) &&
		test_cmp "$EVENTS/fixed" "$STORE/backups/dev/$id/events/fixed"
	fi
'

test_done
