#!/bin/sh
test_description='what a mount shows of a small store'

. "$(dirname "$0")/../lib/lib.sh"

OLD=20260101T000000Z
NEW=20260102T030405Z
BACK=20260103T000000Z

test_expect_success 'a store with two backups and a rollback point' '
	make_store && new_env &&
	mkdir "$EVENTS/sub" "$EVENTS/empty" &&
	echo hello >"$EVENTS/a.json" &&
	echo other >"$EVENTS/sub/b" &&
	ln -s a.json "$EVENTS/link" &&
	ln "$EVENTS/a.json" "$EVENTS/hard" &&
	foreign_snapshot dev $OLD "$EVENTS" "$STATE" &&
	echo newer >"$EVENTS/a.json" &&
	foreign_snapshot dev $NEW "$EVENTS" "$STATE" &&
	foreign_snapshot live $OLD "$EVENTS" &&
	mkdir "$STORE/rollbacks" &&
	mkdir "$STORE/rollbacks/dev" &&
	cp -a "$STORE/backups/dev/$OLD" "$STORE/rollbacks/dev/$BACK" &&
	mkdir "$STORE/backups/dev/.tmp-x" "$STORE/backups/dev/notes" \
		"$STORE/backups/dev/20260230T000000Z" "$STORE/backups/Bad" &&
	: >"$STORE/backups/dev/20260105T000000Z" &&
	ln -s $OLD "$STORE/backups/dev/20260106T000000Z"
'

test_expect_success FUSE 'the root and an environment list what there is' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	ls -A mnt >got &&
	printf "%s\n" .control .metrics .status dev live >want &&
	test_cmp want got &&
	ls -A mnt/dev >got &&
	printf "%s\n" .rollbacks $OLD $NEW latest >want &&
	test_cmp want got &&
	ls -A mnt/dev/.rollbacks >got &&
	printf "%s\n" $BACK latest >want &&
	test_cmp want got &&
	ls -A mnt/live >got &&
	printf "%s\n" $OLD latest >want &&
	test_cmp want got
'

test_expect_success FUSE 'the links lead to the newest' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	[ "$(readlink mnt/dev/latest)" = $NEW ] &&
	[ "$(readlink mnt/dev/.rollbacks/latest)" = $BACK ] &&
	test_path_is_missing mnt/dev/latest-verified &&
	echo newer >want && cat mnt/dev/latest/events/a.json >got &&
	test_cmp want got &&
	echo hello >want && cat mnt/dev/.rollbacks/latest/events/a.json >got &&
	test_cmp want got
'

test_expect_success FUSE 'files, links and directories are what they were' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	test_same_tree "$EVENTS" mnt/dev/$NEW/events &&
	[ "$(stat -c "%i %h" mnt/dev/$NEW/events/hard)" = \
		"$(stat -c "%i %h" mnt/dev/$NEW/events/a.json)" ] &&
	[ "$(stat -c %h mnt/dev/$NEW/events/hard)" = 2 ] &&
	(cd mnt/dev/$NEW && sha256sum -c --strict --quiet manifest.sha256)
'

test_expect_success FUSE 'the same numbers in a listing, a stat and again' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	ls -i1 mnt/dev/$NEW/events >listed &&
	(cd mnt/dev/$NEW/events && stat -c "%i %n" -- *) >asked &&
	sed "s/^ *//" listed >got && test_cmp asked got &&
	before=$(stat -c %i mnt/dev/$NEW/events/sub) &&
	echo 2 >/proc/sys/vm/drop_caches &&
	[ "$(stat -c %i mnt/dev/$NEW/events/sub)" = "$before" ] &&
	find mnt -printf "%i\n" | sort | uniq -d >twice &&
	find mnt -samefile mnt/dev/$NEW/events/hard -printf "%i\n" | sort -u >same &&
	find mnt -samefile mnt/dev/$OLD/events/hard -printf "%i\n" | sort -u >>same &&
	find mnt -samefile mnt/live/$OLD/events/hard -printf "%i\n" | sort -u >>same &&
	find mnt -samefile mnt/dev/.rollbacks/$BACK/events/hard -printf "%i\n" |
		sort -u >>same &&
	sort same >want && test_cmp want twice
'

test_expect_success FUSE 'what is not there is not there' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	for name in nothing Bad dev/.rollbacks/.control "dev/.tmp-x" dev/notes \
		dev/20260230T000000Z dev/20260105T000000Z dev/20260106T000000Z \
		dev/20250101T000000Z dev/20260101T000000Zx dev/$NEW/nothing \
		dev/$NEW/events/nothing dev/$NEW/index.hxi dev/.rollbacks/$NEW \
		live/.rollbacks dev/.rollbacks/.status \
		dev/$NEW/events/.status dev/$NEW/events/a.json/x
	do
		test_path_is_missing "mnt/$name" || return 1
	done
'

test_expect_success FUSE 'a name of 255 bytes may be asked for, not a longer one' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	long=$(printf "%0255d" 0) &&
	test_path_is_missing "mnt/dev/$NEW/events/$long" &&
	test_must_fail stat "mnt/dev/$NEW/events/${long}0" 2>err &&
	test_grep "File name too long" err
'

test_expect_success FUSE '.status is reachable in environments and snapshots, unlisted' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	for dir in mnt mnt/dev mnt/dev/$NEW mnt/dev/.rollbacks/$BACK; do
		jq -e . "$dir/.status" >/dev/null || return 1
	done &&
	for dir in mnt/dev mnt/dev/$NEW mnt/dev/.rollbacks/$BACK; do
		ls -A "$dir" >got && test_grep ! "status" got || return 1
	done
'

test_expect_success FUSE 'df shows the file system of the store' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	stat -f -c "%b %S %c" "$STORE" >want &&
	stat -f -c "%b %S %c" mnt >got && test_cmp want got &&
	stat -f -c "%l" mnt >got && echo 255 >want && test_cmp want got &&
	df mnt >got && test_grep "$STORE" got
'

test_expect_success FUSE 'findmnt names type, store and forced options' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	findmnt -n -o FSTYPE,SOURCE "$TRASH/mnt" >got &&
	test_grep "^fuse.hxsnapfs  *$STORE$" got &&
	findmnt -n -o OPTIONS "$TRASH/mnt" >got &&
	test_grep nosuid got && test_grep nodev got && test_grep "^rw" got &&
	findmnt -n -o FS-OPTIONS "$TRASH/mnt" >got &&
	test_grep default_permissions got && test_grep ! allow_other got
'

test_expect_success FUSE 'a directory is listed whole, whatever the size of the pieces' '
	mkdir many &&
	for i in $(seq 3000); do
		: >"many/file-with-a-longer-name-$i" || return 1
	done &&
	foreign_snapshot big $OLD many &&
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	ls many >want && ls mnt/big/latest/many >got && test_cmp want got &&
	ls -f mnt/big/latest/many | sort >got &&
	(cd many && ls -f) | sort >want && test_cmp want got &&
	find mnt/big/latest/many -type f | wc -l >got &&
	echo 3000 >want && test_cmp want got
'

test_expect_success FUSE 'a very long list, and places in it that can be sought' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	cat >seek.py <<-\END &&
	import ctypes, os, sys
	libc = ctypes.CDLL(None, use_errno=True)
	libc.opendir.restype = ctypes.c_void_p
	libc.readdir.restype = ctypes.c_void_p
	libc.readdir.argtypes = [ctypes.c_void_p]
	libc.telldir.restype = ctypes.c_long
	libc.telldir.argtypes = [ctypes.c_void_p]
	libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
	def name(p):
	    return ctypes.string_at(p + 19)
	for path in sys.argv[1:]:
	    d = libc.opendir(path.encode())
	    places, names = [], []
	    while True:
	        places.append(libc.telldir(d))
	        p = libc.readdir(d)
	        if not p:
	            break
	        names.append(name(p))
	    step = max(1, len(names) // 50)
	    for i in range(len(names) - 1, -1, -step):
	        libc.seekdir(d, places[i])
	        p = libc.readdir(d)
	        assert p and name(p) == names[i], (path, i, names[i])
	END
	python3 seek.py mnt mnt/dev mnt/dev/$NEW mnt/dev/.rollbacks \
		mnt/big/latest/many
'

test_done
