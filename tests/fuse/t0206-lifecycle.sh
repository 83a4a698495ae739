#!/bin/sh
test_description='mounting, being ready, ending, and what is refused'

. "$(dirname "$0")/../lib/lib.sh"

ID=20260101T000000Z

# A mount of a daemon that left its parent: no pid, no exit status.
gone() {
	test_poll 20 "! findmnt -n '$1' >/dev/null && [ -z \"\$(running)\" ]"
}
# the daemons of this script
running() {
	for process in $(test_processes_); do
		case $(readlink "/proc/$process/exe") in
		*/hxsnapfs) echo "$process" ;;
		esac
	done
}

test_expect_success 'a store' '
	make_store && new_env && echo text >"$EVENTS/file" &&
	foreign_snapshot dev $ID "$EVENTS" && mkdir mnt
'

test_expect_success '-h and -V speak on standard output, whatever else is said' '
	hxsnapfs -h >out 2>err && test_grep "^usage: hxsnapfs STORE" out &&
	test_grep nocontrol out && test_line_count 0 err &&
	hxsnapfs --help >got && test_cmp out got &&
	hxsnapfs -V >out && test_grep "^hxsnapfs [0-9]" out &&
	test_exit 2 hxsnapfs -h >/dev/full
'

test_expect_success 'words that mean nothing are errors by name, status 1' '
	while read -r say words; do
		eval "test_exit 1 hxsnapfs $words" >out 2>err &&
		test_grep "$say" err && test_grep "^usage:" err &&
		test_line_count 0 out || return 1
	done <<-\END
	store
	mount.point "$STORE"
	one.word.too.many a b c
	-x -x a b
	--frob --frob a b
	frobnicate a b -o frobnicate
	frobnicate a b -o rw,frobnicate,ro
	wants -o
	xattr a b -o xattr=maybe
	control_gid a b -o control_gid=nogroupcalledthis
	remount a b -o remount,ro
	allow_root a b -o allow_root
	END
'

test_expect_success FUSE 'mount(8) and fstab(5) may say what they like' '
	mount_store mnt "rw,defaults,auto,noauto,user,users,nofail,_netdev" &&
	umount_store mnt &&
	mount_store mnt "x-systemd.automount,x-gvfs-hide,comment=a b,relatime" &&
	umount_store mnt &&
	mount_store mnt "noatime,nodiratime,exec,suid,dev,async,fsname=x,subtype=y" &&
	findmnt -n -o FSTYPE,SOURCE,OPTIONS mnt >got &&
	test_grep "^fuse.hxsnapfs  *$STORE " got &&
	test_grep nosuid got && test_grep nodev got &&
	umount_store mnt &&
	mount_store mnt "noexec,ro,xattr=on,control_gid=0,config=$HXSNAP_CONFIG" &&
	findmnt -n -o OPTIONS mnt >got && test_grep noexec got &&
	test_grep "^ro" got && umount_store mnt
'

test_expect_success FUSE 'it returns when the mount can be used' '
	for round in 1 2 3 4 5; do
		hxsnapfs "$STORE" mnt >out 2>err &&
		cat mnt/dev/latest/events/file >got &&
		test_cmp "$EVENTS/file" got &&
		test_line_count 0 out && test_line_count 0 err &&
		umount mnt && gone "$TRASH/mnt" || return 1
	done
'

# Until somebody has been let into the root the kernel may throw away what it is
# answered about it when it is told of a change (code 2), and lets nobody in.
test_expect_success FUSE 'the kernel hears nothing of the root while it asks who may enter' '
	HXSNAPFS="hxsnapfs -d" && test_when_finished "unset HXSNAPFS" &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	cat mnt/dev/latest/events/file &&
	for name in one two; do
		mkdir "$STORE/backups/$name" &&
		test_when_finished "rmdir \"$STORE/backups/$name\"" &&
		test_poll 20 "[ -d mnt/$name ]" || return 1
	done &&
	test_poll 20 "[ \"\$(grep -c \"NOTIFY: code=3\" mnt.log)\" -ge 2 ]" &&
	test_grep ! "NOTIFY: code=2" mnt.log &&
	ls mnt >got && test_grep two got && mkdir "$STORE/backups/three" &&
	test_when_finished "rmdir \"$STORE/backups/three\"" &&
	test_poll 20 "ls mnt >got && grep three got" &&
	test_grep "NOTIFY: code=2" mnt.log
'

test_expect_success FUSE 'paths may be relative, options before or behind' '
	(cd store && hxsnapfs -o noatime . ../mnt) &&
	cat mnt/dev/latest/events/file && umount mnt && gone "$TRASH/mnt" &&
	hxsnapfs store -onoatime mnt -oxattr=off &&
	cat mnt/dev/latest/events/file && umount mnt && gone "$TRASH/mnt" &&
	ln -s mnt link && hxsnapfs "hxsnapfs#store" link/ &&
	cat mnt/dev/latest/events/file && umount mnt && gone "$TRASH/mnt"
'

test_expect_success FUSE 'names with blanks, commas and backslashes' '
	odd="a b,c\\d" && mkdir "$odd" "mnt $odd" &&
	cp -a "$STORE" "$odd/store" &&
	hxsnapfs "$odd/store" "mnt $odd" &&
	test_when_finished "umount \"mnt $odd\"" &&
	cat "mnt $odd/dev/latest/events/file" &&
	findmnt -n -o SOURCE "mnt $odd" >got &&
	printf "%s\n" "$TRASH/$odd/store" >want && test_cmp want got &&
	test_exit 32 hxsnapfs "$odd/store" "mnt $odd"
'

test_expect_success FUSE 'the daemon holds no directory and none of our files' '
	mkdir held && hxsnapfs "$STORE" mnt 7>held/file &&
	pid=$(jq .pid mnt/.status) &&
	[ "$(readlink "/proc/$pid/cwd")" = / ] &&
	for fd in 0 1 2; do
		[ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ] || return 1
	done &&
	[ "$(ps -o sid= -p "$pid" | tr -d " ")" != "$pid" ] &&
	[ "$(ps -o tty= -p "$pid" | tr -d " ")" = "?" ] &&
	umount mnt && gone "$TRASH/mnt"
'

test_expect_success FUSE,ROOT 'mount -t fuse.hxsnapfs, as fstab does it' '
	cat >boot.sh <<-\END &&
	umount -a -t fuse.hxsnapfs # copies, which would keep daemons alive
	mount -t tmpfs tmpfs /usr/local/sbin &&
	ln -s "$HXS_BUILD/hxsnapfs" /usr/local/sbin/ &&
	printf "%s %s fuse.hxsnapfs %s 0 0\n" "$STORE" "$TRASH/mnt" \
		allow_other,nosuid,nodev,noexec,nofail,noauto,x-systemd.mount-timeout=60 \
		>fstab &&
	mount -T fstab "$TRASH/mnt" &&
	findmnt -n -o FSTYPE,OPTIONS,FS-OPTIONS mnt >found &&
	cat mnt/dev/latest/events/file >read &&
	umount mnt &&
	mount -t fuse.hxsnapfs "$STORE" mnt -o nocontrol,_netdev &&
	cat mnt/dev/latest/events/file && umount mnt &&
	mount -t fuse "hxsnapfs#$STORE" mnt &&
	cat mnt/dev/latest/events/file && umount mnt || exit
	mount -t fuse.hxsnapfs "$STORE" mnt -o frobnicate 2>wrong
	[ $? -eq 1 ] || exit
	mount -t fuse.hxsnapfs "$TRASH/nothing" mnt
	[ $? -eq 1 ]
	END
	unshare -m sh boot.sh && test_cmp "$EVENTS/file" read &&
	test_grep frobnicate wrong && test_grep allow_other found &&
	test_grep noexec found
'

test_expect_success 'what is no store: status 1, the reason, nothing mounted' '
	mkdir empty other && : >other/file && : >plain &&
	test_exit 1 hxsnapfs empty mnt 2>err && test_grep "empty" err &&
	test_exit 1 hxsnapfs other mnt 2>err && test_grep "not a store" err &&
	test_exit 1 hxsnapfs plain mnt 2>err && test_grep "not a directory" err &&
	test_exit 1 hxsnapfs nothing mnt 2>err && test_grep "nothing" err &&
	ls -A empty >got && test_line_count 0 got &&
	test_grep ! "$TRASH/mnt" /proc/self/mountinfo
'

test_expect_success 'where it cannot go: the reason, nothing mounted' '
	: >file && mkdir -p around && mkdir -p "$STORE/backups/inner" &&
	test_when_finished "rmdir \"$STORE/backups/inner\"" &&
	test_exit 2 hxsnapfs "$STORE" nowhere 2>err && test_grep nowhere err &&
	test_exit 1 hxsnapfs "$STORE" file 2>err && test_grep "not a dir" err &&
	test_exit 1 hxsnapfs "$STORE" "$STORE" 2>err && test_grep inside err &&
	test_exit 1 hxsnapfs "$STORE" "$STORE/backups/inner" 2>err &&
	test_grep "inside" err &&
	test_exit 1 hxsnapfs "$STORE" "$TRASH" 2>err && test_grep "inside" err &&
	ln -s "$STORE/backups/inner" way-in &&
	test_exit 1 hxsnapfs "$STORE" way-in 2>err && test_grep inside err &&
	test_grep ! "$TRASH/.*fuse" /proc/self/mountinfo
'

test_expect_success FUSE 'a second one on the same place is refused, 32' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	test_exit 32 hxsnapfs "$STORE" mnt 2>err &&
	test_grep "mounted on .* already" err &&
	test_exit 32 hxsnapfs -f "$STORE" mnt &&
	cat mnt/dev/latest/events/file
'

test_expect_success FUSE 'two mounts of one store' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	mount_store mnt2 && test_when_finished "umount_store mnt2" &&
	test_same_tree mnt/dev mnt2/dev
'

for sig in TERM INT; do

test_expect_success FUSE "SIG$sig unmounts and ends with 0" '
	mount_store mnt && cat mnt/dev/latest/events/file &&
	kill -$sig "$(store_pid mnt)" && wait_store mnt &&
	test_grep ! "$TRASH/mnt " /proc/self/mountinfo
'

done

test_expect_success FUSE 'SIGTERM while files are open and a directory is used' '
	head -c 3000000 /dev/urandom >"$EVENTS/big" &&
	foreign_snapshot dev 20260102T000000Z "$EVENTS" &&
	mount_store mnt && exec 6<mnt/dev/latest/events/big &&
	test_when_finished "exec 6<&-" &&
	(cd mnt/dev && kill -TERM "$(store_pid "$TRASH/mnt")") &&
	wait_store mnt && test_grep ! "$TRASH/mnt " /proc/self/mountinfo
'

test_expect_success FUSE 'the daemon ends when it is unmounted lazily, after the last user' '
	mount_store mnt && exec 6<mnt/dev/latest/events/big &&
	umount -l mnt && head -c 1000000 <&6 >got &&
	head -c 1000000 "$EVENTS/big" >want && test_cmp want got &&
	kill -0 "$(store_pid mnt)" && exec 6<&- && wait_store mnt
'

test_expect_success FUSE 'a killed daemon: an error, never an empty directory; then taken over' '
	: >mnt/below && mount_store mnt && ls mnt/dev &&
	kill -KILL "$(store_pid mnt)" && wait_store mnt 137 &&
	test_must_fail timeout 10 ls mnt/live 2>err &&
	test_must_fail timeout 10 stat -f mnt 2>err &&
	test_grep "not connected" err &&
	hxsnapfs "$STORE" mnt && cat mnt/dev/latest/events/file &&
	umount mnt && gone "$TRASH/mnt" && rm mnt/below
'

test_expect_success FUSE 'killed while many read, taken over at once, several times' '
	for round in 1 2 3 4; do
		mount_store mnt &&
		{ for i in 1 2 3 4; do
			(while cat mnt/dev/latest/events/big >/dev/null 2>&1 &&
				ls -lR mnt >/dev/null 2>&1; do :; done) &
		done; } &&
		test_poll 5 "grep -q \"reads_total [1-9]\" mnt/.metrics" &&
		kill -KILL "$(store_pid mnt)" && wait_store mnt 137 &&
		mount_store mnt && cat mnt/dev/latest/events/file &&
		kill -TERM "$(store_pid mnt)" && wait_store mnt && wait || return 1
	done
'

test_expect_success FUSE,ROOT 'where something else is mounted it is covered, not removed' '
	mkdir -p over && mount -t tmpfs tmpfs over && : >over/mine &&
	test_when_finished "umount over" &&
	hxsnapfs "$STORE" over && ls over/dev && umount over && ls over/mine
'

test_expect_success FUSE 'a service manager is told, by path and by abstract name' '
	cat >listen.py <<-\END &&
	import os, socket, subprocess, sys
	for name in sys.argv[1:]:
	    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	    s.bind("\0" + name[1:] if name[0] == "@" else name)
	    s.settimeout(30)
	    env = dict(os.environ, NOTIFY_SOCKET=name)
	    p = subprocess.Popen(["hxsnapfs", "-f", os.environ["STORE"], "mnt"],
	                         env=env)
	    assert s.recv(100) == b"READY=1"
	    assert os.listdir("mnt/dev")
	    p.terminate()
	    assert p.wait() == 0
	END
	python3 listen.py "$TRASH/notify" "@hxs-${TRASH##*/}"
'

test_expect_success FUSE 'nobody listens: it goes on all the same' '
	NOTIFY_SOCKET=$TRASH/nobody mount_store mnt && umount_store mnt
'

test_expect_success FUSE 'without a descriptor left, an open fails; the daemon goes on' '
	cat >many.py <<-\END &&
	import errno, os
	held, failed = [], 0
	for i in range(60):
	    try:
	        held.append(os.open("mnt/dev/latest/events/file", os.O_RDONLY))
	    except OSError as e:
	        assert e.errno == errno.EMFILE, e
	        failed += 1
	assert held and failed, (len(held), failed)
	for fd in held:
	    assert os.pread(fd, 100, 0) == b"text\n"
	    os.close(fd)
	END
	HXSNAPFS="prlimit --nofile=24:24 hxsnapfs" &&
	test_when_finished "unset HXSNAPFS" &&
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	cat mnt/dev/latest/events/file && python3 many.py &&
	test_poll 10 "cat mnt/dev/latest/events/file" &&
	test_poll 10 "cat mnt/dev/$ID/events/file"
'

# A user who has nothing but fusermount3; in a mount namespace of its own, so
# that he may use /dev/fuse where only root may.
test_lazy_prereq SETUID 'a set-user-ID fusermount3' '
	[ -u "$(command -v fusermount3)" ]'
test_expect_success FUSE,SETPRIV,SETUID 'an ordinary user, by fusermount3' '
	cp -a "$STORE" theirs && mkdir usermnt secret &&
	chown -R 65534:65534 theirs usermnt && chmod 700 usermnt &&
	cat >user.sh <<-\END &&
	umount -a -t fuse.hxsnapfs # copies, which would keep daemons alive
	mount --make-rprivate / && mkdir dev && mount -t tmpfs tmpfs dev &&
	mknod -m 666 dev/fuse c 10 229 && mount --bind dev/fuse /dev/fuse &&
	setpriv --reuid 65534 --regid 65534 --clear-groups sh -c "
		hxsnapfs theirs usermnt &&
		cat usermnt/dev/latest/events/file >&3 &&
		findmnt -n -o OPTIONS,FS-OPTIONS usermnt >&3 &&
		fusermount3 -u usermnt &&
		hxsnapfs theirs usermnt &&
		killed=\$(jq .pid usermnt/.status) && kill -KILL \$killed &&
		i=0 && while kill -0 \$killed && [ \$i -lt 500 ]; do
			i=\$((i + 1)) && sleep 0.02
		done &&
		hxsnapfs theirs usermnt && jq -e .pid usermnt/.status &&
		kill -TERM \$(jq .pid usermnt/.status) &&
		i=0 && while findmnt -n usermnt && [ \$i -lt 500 ]; do
			i=\$((i + 1)) && sleep 0.02
		done &&
		! findmnt -n usermnt" 3>user.out
	END
	unshare -m sh user.sh && test_grep text user.out &&
	test_grep "nosuid,nodev" user.out && test_grep "user_id=65534" user.out
'

# The kernel itself answers those whom a mount does not let in, root too.
test_expect_success FUSE,SETPRIV,SETUID 'root takes over a dead mount of a user, not a live one' '
	rm -rf theirs usermnt && cp -a "$STORE" theirs && mkdir usermnt &&
	chown -R 65534:65534 theirs usermnt &&
	cat >user.sh <<-\END &&
	umount -a -t fuse.hxsnapfs # copies, which would keep daemons alive
	mount --make-rprivate / && mkdir -p dev && mount -t tmpfs tmpfs dev &&
	mknod -m 666 dev/fuse c 10 229 && mount --bind dev/fuse /dev/fuse &&
	setpriv --reuid 65534 --regid 65534 --clear-groups sh -c "
		hxsnapfs theirs usermnt && jq .pid usermnt/.status >&3" 3>pid &&
	{ hxsnapfs theirs usermnt 2>said; [ $? -eq 32 ]; } &&
	kill -KILL "$(cat pid)" &&
	i=0 && while kill -0 "$(cat pid)" && [ $i -lt 500 ]; do
		i=$((i + 1)) && sleep 0.02
	done &&
	hxsnapfs theirs usermnt && cat usermnt/dev/latest/events/file >taken &&
	umount usermnt && ! findmnt -n usermnt
	END
	unshare -m sh user.sh && test_grep "mounted on .* already" said &&
	test_cmp "$EVENTS/file" taken
'

test_expect_success FUSE,ROOT 'a daemon detached by hand leaves its successor alone' '
	hxsnapfs "$STORE" mnt && old=$(jq .pid mnt/.status) &&
	exec 8<mnt/dev/latest/events/file && umount -l mnt &&
	hxsnapfs "$STORE" mnt && new=$(jq .pid mnt/.status) &&
	test_when_finished "umount mnt && gone \"$TRASH/mnt\"" &&
	kill -TERM "$old" && test_poll 30 "! kill -0 $old 2>/dev/null" &&
	exec 8<&- &&
	[ "$(jq .pid mnt/.status)" = "$new" ] && ls mnt/dev/latest/events
'

# The store lies in another mount, whose daemon is stopped.
test_expect_success FUSE,ROOT 'SIGTERM while the disk under the store does not answer' '
	mkdir -p outer/backups/dev/$ID && cp -a "$STORE" inner &&
	mkdir -p inner/.hxsnap && cp -a inner outer/backups/dev/$ID/ &&
	(cd outer/backups/dev/$ID && find inner -type f -exec sha256sum {} + \
		>manifest.sha256) && mkdir disk &&
	STORE=$TRASH/outer mount_store disk &&
	(STORE=$TRASH/disk/dev/$ID/inner mount_store mnt3) &&
	test_when_finished "kill -CONT $(store_pid disk); umount_store disk" &&
	ls -lR mnt3/dev/latest/ >/dev/null &&
	kill -STOP "$(store_pid disk)" &&
	test_poll 10 "! grep -L \"State:.T\" \
		/proc/$(store_pid disk)/task/*/status | grep -q ." &&
	{ cat mnt3/dev/latest/events/file & } && reader=$! &&
	test_poll 5 "grep -q request_wait_answer \
		/proc/$(store_pid mnt3)/task/*/wchan" &&
	kill -TERM "$(store_pid mnt3)" && wait_store mnt3 &&
	test_must_fail findmnt -n mnt3 && { wait $reader || :; }
'

test_expect_success FUSE,ROOT 'unmounted before it was ready: -f says so' '
	cat >early.py <<-\END &&
	import ctypes, os, select, signal, subprocess, sys
	# On one processor and before all others: when it was mounted, and
	# before it has spoken to the kernel, it is our turn.
	store, mnt = sys.argv[1:]
	libc = ctypes.CDLL(None, use_errno=True)
	os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
	mounts = open("/proc/self/mountinfo")
	for attempt in range(20):
	    mounts.seek(0)
	    mounts.read()
	    d = subprocess.Popen(["hxsnapfs", "-f", store, mnt],
	        stderr=subprocess.PIPE)
	    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
	    p = select.poll()
	    p.register(mounts, select.POLLPRI)
	    if not p.poll(10000):
	        sys.exit("it was not mounted")
	    d.send_signal(signal.SIGSTOP)
	    if libc.umount2(mnt.encode(), 2):
	        sys.exit("umount: %s" % os.strerror(ctypes.get_errno()))
	    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
	    d.send_signal(signal.SIGCONT)
	    said = d.stderr.read().decode()
	    status = d.wait(20)
	    print(status, said)
	    if status == 32 and "unmounted before it was ready" in said:
	        sys.exit()
	    if status != 0:
	        sys.exit("status %d" % status)
	sys.exit("it always says 0")
	END
	timeout 120 python3 early.py "$STORE" "$TRASH/mnt"
'

test_expect_success FUSE,ROOT 'a daemon keeps nothing open that its starter had open' '
	(flock 9 && hxsnapfs "$STORE" mnt) 9>lock &&
	test_when_finished "umount mnt && gone \"$TRASH/mnt\"" &&
	flock -n lock true
'

test_done
