#!/bin/sh
test_description='stores on every file system: works, or is refused with the reason'

. "$(dirname "$0")/../lib/lib.sh"

test_lazy_prereq RAMFS 'leave to mount a ramfs' '
	mkdir m && mount -t ramfs ramfs m && umount m'
test_lazy_prereq SQUASHFS 'squashfs on loop devices' '
	test_have LOOP && mkdir d m && : >d/f && mksquashfs d img -quiet &&
	mount -o loop img m && umount m'

# on DIR: the store under test lies there
on() {
	STORE=$TRASH/$1/store && new_env && rm -f "$HXSNAP_CONFIG" && new_env
}

# data: what is backed up; some of it is rewritten in place by nobody
data() {
	rm -rf live && new_env && head -c 300000 /dev/urandom >"$EVENTS/big" &&
		echo small >"$EVENTS/small" && truncate -s 500000 "$EVENTS/hole" &&
		mkdir -p "$EVENTS/d/e" && ln "$EVENTS/small" "$EVENTS/d/twin" &&
		ln -s ../small "$EVENTS/d/link" && echo 1 >"$STATE/one"
}

# round DIR [LIST-OPTIONS]: all that the programs do, on a store in DIR
round() {
	on "$1" && data && hxsnap -q init "$STORE" && id=$(hxsnap -q create dev) &&
		hxsnap -q verify dev/latest && again=$(hxsnap -q create dev) &&
		hxsnap -q verify --all && hxsnap list >got && test_line_count 3 got &&
		hxsnap show dev/latest && hxsnap diff "dev/$id" "dev/$again" >got &&
		test_line_count 0 got &&
		(cd "$STORE/backups/dev/$id" &&
			sha256sum -c --strict --quiet manifest.sha256) &&
		mount_store mnt && {
		{ test_same_tree "$EVENTS" "mnt/dev/$id/events" &&
			test_same_tree "$EVENTS" "mnt/dev/$again/events" &&
			reads direct "mnt/dev/$id/events/big" >got &&
			test_cmp "$EVENTS/big" got &&
			[ "$(stat -f -c %S "$STORE")" = "$(stat -f -c %S mnt)" ] &&
			third=$(hxsnap -q create dev --full) &&
			test_poll 10 "[ \"\$(readlink mnt/dev/latest)\" = $third ]" &&
			cat "mnt/dev/latest/events/small" >got &&
			test_cmp "$EVENTS/small" got &&
			rm -r "$STORE/backups/dev/$third" &&
			test_poll 10 "[ \"\$(readlink mnt/dev/latest)\" = $again ]" &&
			flip_byte "$STORE/backups/dev/$again/events/big" 70000 &&
			test_must_fail reads direct "mnt/dev/$again/events/big" >/dev/null
		} || { umount_store mnt; false; }; } && umount_store mnt &&
		test_exit 3 hxsnap -q verify "dev/$again" >got &&
		test_grep "events/big" got &&
		flip_byte "$STORE/backups/dev/$again/events/big" 70000 &&
		hxsnap -q verify --all
}

for fs in ext4,LOOP,64M xfs,XFS,300M btrfs,BTRFS,120M; do
	type=${fs%%,*} size=${fs##*,} need=${fs#*,} need=${need%,*}

test_expect_success "FUSE,$need" "$type" '
	loop_fs "$type" "$size" disk && test_when_finished "umount disk" &&
	round disk
'

done

test_expect_success FUSE,TMPFS 'tmpfs' '
	mkdir -p disk && mount -t tmpfs tmpfs disk &&
	test_when_finished "umount disk" && round disk
'

test_expect_success FUSE,OVERLAY 'overlayfs, new and on its lower layer' '
	mkdir -p disk && mount -t tmpfs tmpfs disk &&
	test_when_finished "umount disk" &&
	mkdir disk/lower disk/upper disk/work disk/over &&
	mount -t overlay over -o lowerdir=disk/lower,upperdir=disk/upper,workdir=disk/work \
		disk/over && test_when_finished "umount disk/over" &&
	round disk/over && umount disk/over && mkdir disk/upper2 disk/work2 &&
	mount -t overlay over -o lowerdir=disk/upper:disk/lower,upperdir=disk/upper2,workdir=disk/work2 \
		disk/over && hxsnap -q verify "dev/$id" && mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	test_same_tree "$EVENTS" "mnt/dev/$id/events" &&
	new=$(hxsnap -q create dev) &&
	test_poll 10 "[ \"\$(readlink mnt/dev/latest)\" = $new ]" &&
	test_same_tree "$EVENTS" "mnt/dev/$new/events"
'

test_expect_success FUSE,RAMFS 'ramfs, which counts no space' '
	mkdir -p disk && mount -t ramfs -o mode=755 ramfs disk &&
	test_when_finished "umount disk" && round disk
'

test_expect_success FUSE,SQUASHFS,TMPFS 'squashfs: an archive of a store' '
	mkdir -p disk && mount -t tmpfs -o mode=755 tmpfs disk && on disk && data &&
	hxsnap -q init "$STORE" && id=$(hxsnap -q create dev) &&
	hxsnap -q verify dev/latest && mksquashfs "$STORE" archive -quiet &&
	umount disk && mkdir -p disk/store &&
	mount -o loop archive disk/store && test_when_finished "umount disk/store" &&
	hxsnap -q verify dev/latest 2>err && mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	test_same_tree "$EVENTS" "mnt/dev/$id/events" &&
	[ "$(readlink mnt/dev/latest-verified)" = "$id" ] &&
	test_exit 1 hxsnap create dev 2>err && test_grep "[Rr]ead-only" err
'

test_expect_success FUSE,ROOT 'the store of a mount on another FUSE mount: itself read-only' '
	STORE=$TRASH/plain && make_store && rm -rf live && mkdir -p live &&
	STORE=$TRASH/inner && make_store && echo x >live/x &&
	foreign_snapshot dev 20260101T000000Z live &&
	mkdir -p "$TRASH/plain/data" && STORE=$TRASH/plain &&
	dir=$STORE/backups/outer/20260101T000000Z && mkdir -p "$dir" &&
	cp -a "$TRASH/inner" "$dir/" && (cd "$dir" &&
		find . -type f | sed "s,^\\./,," | sort | xargs sha256sum \
			>../m && mv ../m manifest.sha256) &&
	mount_store outer && test_when_finished "umount_store outer" &&
	STORE=$TRASH/outer/outer/20260101T000000Z/inner &&
	hxsnap -q --store "$STORE" list >got && test_line_count 2 got &&
	hxsnap -q --store "$STORE" verify dev/latest 2>err && mount_store inner.mnt &&
	test_when_finished "umount_store inner.mnt" &&
	cat inner.mnt/dev/latest/live/x >got && test_cmp live/x got &&
	test_must_fail sh -c ": >inner.mnt/dev/latest/live/x"
'

test_expect_success FUSE,TMPFS 'a read-only store: read and verified, not written' '
	mkdir -p disk && mount -t tmpfs tmpfs disk &&
	test_when_finished "umount disk" && on disk && data &&
	hxsnap -q init "$STORE" && id=$(hxsnap -q create dev) &&
	mount -o remount,ro disk && mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	test_same_tree "$EVENTS" "mnt/dev/$id/events" && hxsnap list &&
	hxsnap show dev/latest && hxsnap verify dev/latest &&
	test_exit 1 hxsnap create dev 2>err && test_grep "[Rr]ead-only" err &&
	jq -e ".damage.files == 0" mnt/.status
'

test_expect_success FUSE,TMPFS 'a full disk: nothing is lost, nothing half made shows' '
	mkdir -p disk && mount -t tmpfs -o size=3m tmpfs disk &&
	test_when_finished "umount disk" && on disk && data &&
	hxsnap -q init "$STORE" && id=$(hxsnap -q create dev) &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	head -c 8M /dev/urandom >"$EVENTS/more" &&
	test_exit 1 hxsnap -q create dev >got 2>err && test_line_count 0 got &&
	test_grep "No space left" err && rm "$EVENTS/more" &&
	{ dd if=/dev/zero of=disk/filler bs=64k 2>/dev/null || :; } &&
	hxsnap list >got && test_line_count 2 got && hxsnap show dev/latest &&
	hxsnap verify dev/latest && test_same_tree --no-root "$EVENTS" "mnt/dev/$id/events" &&
	ls mnt/dev >got && printf "%s\n" "$id" latest >want &&
	sed "/latest-verified/d" -i got && test_cmp want got &&
	jq -e ".damage.files == 0 and .damage.snapshots == 0" mnt/.status &&
	rm disk/filler && hxsnap -q create dev && hxsnap -q verify --all
'

test_expect_success FUSE,TMPFS 'no inodes left: the same' '
	mkdir -p disk && mount -t tmpfs -o nr_inodes=60 tmpfs disk &&
	test_when_finished "umount disk" && on disk && data &&
	hxsnap -q init "$STORE" && id=$(hxsnap -q create dev) &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	(cd "$EVENTS" && seq 100 | xargs touch) &&
	test_exit 1 hxsnap -q create dev 2>err && test_grep "No space left" err &&
	hxsnap verify --all && (cd "$EVENTS" && seq 100 | xargs rm) &&
	test_same_tree --no-root "$EVENTS" "mnt/dev/$id/events"
'

test_expect_success FUSE,TMPFS 'parts of a store on another file system are refused' '
	STORE=$TRASH/parts && make_store && rm -rf live && mkdir -p live &&
	echo x >live/x && mount -t tmpfs -o mode=755 tmpfs "$STORE/backups" &&
	test_when_finished "umount \"$STORE/backups\"" &&
	foreign_snapshot dev 20260101T000000Z live &&
	test_must_fail hxsnap --store "$STORE" verify dev/latest 2>err &&
	test_grep "backups" err && mkdir -p mnt &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	ls mnt >got && test_line_count 0 got && test_grep "backups" mnt.log
'

test_done
