#!/bin/sh
test_description='no store where one should be, or no longer: an error, never nothing'

. "$(dirname "$0")/../lib/lib.sh"

A=20260101T000000Z
B=20260102T000000Z

# EXT4_IOC_SHUTDOWN without flushing: the device is gone, as far as we know
cat >shutdown.py <<'EOF_PY'
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(fd, 0x8004587d, struct.pack("I", 2))
EOF_PY
test_lazy_prereq SHUTDOWN 'ext4 that can be shut down' '
	test_have LOOP && loop_fs ext4 8M "$TRASH/.down" &&
	python3 "$TRASH/shutdown.py" "$TRASH/.down"; r=$?;
	umount "$TRASH/.down"; (exit $r)'

# refused STATUS TOOL-STATUS TEXT [COMMAND]: by both programs, and nothing came
# to be
refused() {
	status=$1 tool=$2
	ls -laR "$STORE" >before 2>&1
	test_exit "$status" timeout 20 hxsnapfs "$STORE" none 2>err &&
		test_grep "$3" err && test_grep "^hxsnapfs: .*store" err &&
		test_exit "$status" timeout 20 hxsnapfs -f "$STORE" none 2>err &&
		test_grep "$3" err || return 1
	for command in list "show dev/latest" "verify --all" \
		"diff dev/$A dev/$B" "${4:-create dev}"; do
		# shellcheck disable=SC2086 # several words
		test_exit "$tool" timeout 20 hxsnap $command >out 2>err &&
			test_line_count 0 out && test_grep "$3" err || return 1
	done
	ls -laR "$STORE" >after 2>&1
	sed "s/\\.\\..*//" before >before.own && sed "s/\\.\\..*//" after >after.own
	test_cmp before.own after.own && ls -A none >got && test_line_count 0 got
}

test_expect_success 'a place to mount, something to back up' '
	mkdir none && new_env && echo x >"$EVENTS/x" && echo y >"$STATE/y"
'

# Where there is nothing at all create makes a store, and says so.
test_expect_success FUSE 'missing: not made by whoever reads' '
	refused 1 4 "there is no store" "list dev" &&
	test_path_is_missing "$STORE"
'

test_expect_success FUSE 'an empty directory: is its file system mounted?' '
	mkdir "$STORE" && refused 1 2 "is empty; is its file system mounted" &&
	mkdir "$STORE/lost+found" &&
	refused 1 2 "is empty; is its file system mounted" && rm -r "$STORE"
'

test_expect_success FUSE,TMPFS 'a fresh file system at its place' '
	mkdir "$STORE" && mount -t tmpfs -o mode=755 tmpfs "$STORE" &&
	test_when_finished "umount \"$STORE\" && rmdir \"$STORE\"" &&
	refused 1 2 "is empty; is its file system mounted"
'

test_expect_success FUSE 'something else: a directory of other things' '
	mkdir -p "$STORE/photos" && echo x >"$STORE/backups.txt" &&
	refused 1 2 "holds no .backups" && rm -r "$STORE"
'

test_expect_success FUSE 'a file, a FIFO, a device, a socket' '
	echo x >"$STORE" && refused 1 2 "not a directory" && rm "$STORE" &&
	mkfifo "$STORE" && refused 1 2 "not a directory" && rm "$STORE" &&
	ln -s /dev/zero "$STORE" && refused 1 2 "not a directory" && rm "$STORE"
'

test_expect_success FUSE 'a link to nowhere, to itself' '
	ln -s nowhere "$STORE" && refused 1 4 "there is no store" &&
	rm "$STORE" && ln -s store "$STORE" &&
	test_must_fail hxsnapfs "$STORE" none 2>err &&
	test_grep "symbolic links" err && test_must_fail hxsnap list 2>err &&
	test_grep "symbolic links" err && rm "$STORE"
'

test_expect_success FUSE,SETPRIV 'one that may not be entered: no permission, not empty' '
	make_store && foreign_snapshot dev $A "$EVENTS" && chmod 700 "$STORE" &&
	test_when_finished "chmod 755 \"$STORE\"" && chmod 755 . &&
	test_must_fail as_nobody hxsnap --store "$STORE" list 2>err &&
	test_grep "Permission denied" err &&
	chmod 755 "$STORE" && chmod 700 "$STORE/backups" &&
	{ as_nobody hxsnap --store "$STORE" list >out 2>err; test $? -ne 0; } &&
	test_grep "Permission denied" err && chmod 755 "$STORE/backups" &&
	chmod 700 "$STORE/backups/dev/$A" &&
	{ as_nobody hxsnap --store "$STORE" verify dev/latest >out 2>err;
		test $? -ne 0; } && test_grep "Permission denied" err &&
	chmod 755 "$STORE/backups/dev/$A"
'

test_expect_success FUSE 'the configuration comes and goes: reading needs none' '
	rm -rf "$STORE" && make_store && foreign_snapshot dev $A "$EVENTS" &&
	test_must_fail timeout 20 hxsnapfs "$STORE" none \
		-o config=nowhere.json 2>err && test_grep "nowhere.json" err &&
	for how in file fifo dir huge; do
		rm -rf c.json && case $how in
		file) cp "$HXSNAP_CONFIG" c.json ;;
		fifo) mkfifo c.json ;;
		dir) mkdir c.json ;;
		huge) truncate -s 1G c.json ;;
		esac && status=0 &&
		{ timeout 20 hxsnapfs "$STORE" none -o config=c.json 2>err ||
			status=$?; } &&
		if [ $status -eq 0 ]; then
			{ cat none/dev/$A/events/x >got &&
			echo "{" >c.new && rm -rf c.json && mv c.new c.json &&
			cat none/dev/latest/events/x >>got && rm c.json &&
			ls none/dev && umount none; } || { umount none; return 1; }
		else
			[ $how != file ] && test_grep "c.json" err
		fi || return 1
	done
'

# ---------------------------------------------------------------------------
# Lost while it is mounted.

# lost: whatever is asked now is answered, without a wrong byte; then the
# daemon ends as it should
lost() {
	timeout 30 ls -la mnt >/dev/null 2>&1
	[ $? -ne 124 ] || test_say_ "ls hangs" || return 1
	timeout 30 find mnt -type f -exec cat {} + >got 2>err
	[ $? -ne 124 ] || test_say_ "find hangs" || return 1
	timeout 30 cat mnt/.status >got || return 1
	jq -e .version got >/dev/null && timeout 30 stat -f mnt >/dev/null 2>&1
	[ $? -ne 124 ] || test_say_ "statfs hangs" || return 1
	kill -0 "$(store_pid mnt)"
}

test_expect_success FUSE 'the directory is moved away: what it holds is still that' '
	rm -rf "$STORE" && make_store && foreign_snapshot dev $A "$EVENTS" &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	mv "$STORE" away && cat mnt/dev/$A/events/x >got &&
	test_cmp "$EVENTS/x" got && lost && mkdir "$STORE" &&
	mkdir -p "$STORE/backups/dev/$B" && cat mnt/dev/latest/events/x >got &&
	test_cmp "$EVENTS/x" got && test_path_is_missing mnt/dev/$B &&
	rm -r "$STORE" && mv away "$STORE" && lost &&
	cat mnt/dev/$A/events/x >got && test_cmp "$EVENTS/x" got
'

test_expect_success FUSE 'all of it is deleted: gone, not damaged; then there again' '
	cp -a "$STORE" keep && mount_store mnt &&
	test_when_finished "umount_store mnt" && cat mnt/dev/$A/events/x &&
	rm -r "$STORE"/* "$STORE"/.hxsnap && test_poll 10 "[ ! -e mnt/dev ]" &&
	ls mnt >got && test_line_count 0 got && lost &&
	jq -e ".environments == [] and .damage.snapshots == 0" mnt/.status &&
	cp -a keep/. "$STORE/" && test_poll 10 "cat mnt/dev/$A/events/x >got" &&
	test_cmp "$EVENTS/x" got
'

test_expect_success FUSE 'the directory itself is deleted: an error or nothing, no hang' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	cat mnt/dev/$A/events/x && rm -r "$STORE" &&
	test_poll 10 "! cat mnt/dev/$A/events/x 2>err" && lost &&
	cp -a keep "$STORE" && lost && umount_store mnt && mount_store mnt &&
	cat mnt/dev/$A/events/x >got && test_cmp "$EVENTS/x" got
'

test_expect_success FUSE,LOOP 'unmounted lazily: what is open stays, a new mount says not a store' '
	rm -rf "$STORE" && loop_fs ext4 16M "$STORE" && rmdir "$STORE/lost+found" &&
	make_store && foreign_snapshot dev $A "$EVENTS" && mount_store mnt &&
	test_when_finished "umount_store mnt" && ls mnt/dev &&
	test_must_fail umount "$STORE" && umount -l "$STORE" &&
	cat mnt/dev/$A/events/x >got && test_cmp "$EVENTS/x" got && lost &&
	test_exit 1 hxsnapfs "$STORE" none 2>err &&
	test_grep "is its file system mounted" err
'

test_expect_success FUSE,SHUTDOWN 'its file system dies: EIO, no hang, nothing wrong' '
	rm -rf "$STORE" && loop_fs ext4 16M "$STORE" &&
	test_when_finished "umount \"$STORE\"" && make_store && rm -rf big &&
	mkdir big && for n in 1 2 3; do
		head -c 400000 /dev/urandom >big/$n || return 1
	done && foreign_snapshot dev $A big && foreign_snapshot dev $B big &&
	sync -f "$STORE" && umount "$STORE" && mount -o loop .img-ext4-store "$STORE" &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	cat mnt/dev/$A/big/1 >got && test_cmp big/1 got &&
	python3 shutdown.py "$STORE" &&
	test_must_fail timeout 30 cat mnt/dev/$B/big/2 2>err &&
	test_grep "Input/output error\|Stale\|No such" err &&
	{ timeout 30 cat mnt/dev/$A/big/1 >got 2>err && test_cmp big/1 got ||
		test_grep "Input/output error" err; } &&
	test_must_fail timeout 30 cat mnt/dev/$A/big/3 2>err &&
	test_grep "Input/output error" err && lost
'

test_done
