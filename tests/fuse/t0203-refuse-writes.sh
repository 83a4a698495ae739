#!/bin/sh
test_description='whatever would change something is refused with EROFS'

. "$(dirname "$0")/../lib/lib.sh"

ID=20260101T000000Z

test_expect_success 'a store, and what it looks like now' '
	make_store && new_env &&
	mkdir "$EVENTS/dir" && echo text >"$EVENTS/file" &&
	chmod 666 "$EVENTS/file" && ln -s file "$EVENTS/link" &&
	foreign_snapshot dev $ID "$EVENTS" &&
	hxtree list "$STORE" >before &&
	cat >calls.py <<-\END
	import ctypes, errno, mmap, os, sys

	root = sys.argv[1]                 # a directory on the mount
	f, d, l = root + "/file", root + "/dir", root + "/link"
	here = os.open(root, os.O_RDONLY)
	outside = os.environ["TRASH"]
	libc = ctypes.CDLL(None, use_errno=True)

	def call(name, *args):
	    if getattr(libc, name)(*args) < 0:
	        raise OSError(ctypes.get_errno(), name)

	def opens(path, flags):
	    os.close(os.open(path, flags, 0o600))

	def renameat2(flags):
	    call("renameat2", here, b"file", here, b"dir", flags)

	def mapped():
	    fd = os.open(f, os.O_RDONLY)
	    try:
	        mmap.mmap(fd, 4, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
	    finally:
	        os.close(fd)

	xattr = {"user.x", "trusted.x", "security.x", "system.posix_acl_access"}
	tries = {
	    "chmod": lambda: os.chmod(f, 0o600),
	    "chmod dir": lambda: os.chmod(d, 0o700),
	    "fchmodat": lambda: os.chmod("file", 0o600, dir_fd=here),
	    "chown": lambda: os.chown(f, 1, 1),
	    "lchown": lambda: os.lchown(l, 1, 1),
	    "utime": lambda: os.utime(f),
	    "utime link": lambda: os.utime(l, (1, 1), follow_symlinks=False),
	    "truncate": lambda: os.truncate(f, 0),
	    "truncate up": lambda: os.truncate(f, 100000),
	    "open w": lambda: opens(f, os.O_WRONLY),
	    "open rw": lambda: opens(f, os.O_RDWR),
	    "open append": lambda: opens(f, os.O_WRONLY | os.O_APPEND),
	    "open trunc": lambda: opens(f, os.O_RDONLY | os.O_TRUNC),
	    "open creat": lambda: opens(root + "/new", os.O_RDONLY | os.O_CREAT),
	    "open excl": lambda: opens(root + "/new",
	                               os.O_WRONLY | os.O_CREAT | os.O_EXCL),
	    "open creat dir": lambda: opens(d + "/new", os.O_RDWR | os.O_CREAT),
	    "mknod": lambda: os.mknod(root + "/new"),
	    "mknod char": lambda: os.mknod(root + "/new", 0o20600, 259),
	    "mkfifo": lambda: os.mkfifo(root + "/new"),
	    "mkdir": lambda: os.mkdir(root + "/new"),
	    "unlink": lambda: os.unlink(f),
	    "unlink link": lambda: os.unlink(l),
	    "rmdir": lambda: os.rmdir(d),
	    "symlink": lambda: os.symlink("x", root + "/new"),
	    "link": lambda: os.link(f, root + "/new"),
	    "rename": lambda: os.rename(f, root + "/new"),
	    "rename dir": lambda: os.rename(d, root + "/new"),
	    "rename over": lambda: os.rename(f, l),
	    "exchange": lambda: renameat2(2),
	    "setxattr": lambda: os.setxattr(f, "user.x", b"1"),
	    "setxattr ours": lambda: os.setxattr(f, "user.hxsnap.fault", b"1"),
	    "removexattr": lambda: os.removexattr(f, "user.x"),
	}
	if os.geteuid() == 0:
	    tries["setxattr trusted"] = lambda: os.setxattr(f, "trusted.x", b"1")

	# these end in another error before a file system is asked
	other = {
	    "mmap shared": (mapped, errno.EACCES),
	    "rename out": (lambda: os.rename(f, outside + "/new"), errno.EXDEV),
	    "rename in": (lambda: os.rename(outside + "/calls.py",
	                                    root + "/new"), errno.EXDEV),
	    "fallocate": (lambda: call("fallocate", os.open(f, os.O_RDONLY), 0,
	                               ctypes.c_long(0), ctypes.c_long(10)),
	                  errno.EBADF),
	}

	bad = 0
	for name, run in tries.items():
	    want = errno.EROFS
	    try:
	        run()
	        got = "success"
	    except OSError as e:
	        got = e.errno
	    if got != want:
	        print(name, errno.errorcode.get(got, got))
	        bad += 1
	for name, (run, want) in other.items():
	    try:
	        run()
	        got = "success"
	    except OSError as e:
	        got = e.errno
	    if got not in (want, errno.EROFS):
	        print(name, errno.errorcode.get(got, got))
	        bad += 1
	try:
	    opens(root, os.O_RDWR | os.O_TMPFILE)
	    print("tmpfile success")
	    bad += 1
	except OSError as e:
	    if e.errno not in (errno.EROFS, errno.EOPNOTSUPP):
	        print("tmpfile", errno.errorcode[e.errno])
	        bad += 1
	print(len(tries) + len(other) + 1, "calls,", bad, "wrong")
	sys.exit(bad != 0)
	END
'

for how in '' nocontrol ro xattr=on; do

test_expect_success FUSE,ROOT "every call inside a snapshot (${how:-default})" '
	mount_store mnt "$how" &&
	test_when_finished "umount_store mnt" &&
	python3 calls.py mnt/dev/$ID/events
'

test_expect_success FUSE "every program (${how:-default})" '
	mount_store mnt "$how" &&
	test_when_finished "umount_store mnt" &&
	dir=mnt/dev/$ID/events &&
	for try in "touch $dir/file" "touch $dir/new" "rm -f $dir/file" \
		"rm -rf $dir" "mv $dir/file $dir/new" "mv $dir/file $TRASH/got" \
		"install -m 600 calls.py $dir/new" "sed -i s/t/x/ $dir/file" \
		"cp calls.py $dir/file" "cp --remove-destination calls.py $dir/file" \
		"tee $dir/file" "truncate -s 0 $dir/file" "mkdir -p $dir/a/b" \
		"rmdir $dir/dir" "ln $dir/file $dir/new" "ln -sf x $dir/link" \
		"mknod $dir/new p" "chmod -R go= $dir" "dd of=$dir/file" \
		"rm -rf mnt/dev" "mkdir mnt/new" "mkdir mnt/dev/new" \
		"mv mnt/dev/$ID mnt/dev/20260102T000000Z" "rmdir mnt/dev" \
		"ln -sfn x mnt/dev/latest" "rm mnt/dev/latest" "touch mnt/dev" \
		"touch mnt/dev/$ID" "rm -f mnt/.status" "tee mnt/.status" \
		"tee mnt/dev/.status" "truncate -s 0 mnt/.metrics"
	do
		test_must_fail $try >/dev/null 2>err || return 1
		grep -q "Read-only file system" err || {
			echo "$try:"; cat err; return 1; }
	done
'

done

test_expect_success FUSE 'the rest of a failed try is not there' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	test_path_is_missing mnt/dev/$ID/events/new &&
	test_path_is_missing mnt/new &&
	test_same_tree "$EVENTS" mnt/dev/$ID/events
'

test_expect_success 'and the store is what it was' '
	hxtree list "$STORE" >after && test_cmp before after
'

test_done
