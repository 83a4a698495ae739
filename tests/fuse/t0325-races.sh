#!/bin/sh
test_description='a store that changes while it is read: right bytes or an error'

. "$(dirname "$0")/../lib/lib.sh"

FAR=20270101T000000Z # beyond what create makes
NEAR=20250101T000000Z

# few: run the daemon with so few descriptors that indexes are soon dropped
few() {
	cat >few.sh <<-\END
	ulimit -n 48
	exec hxsnapfs "$@"
	END
	HXSNAPFS="sh $TRASH/few.sh"
}

# crowd N: N foreign snapshots that push others out of memory
crowd() {
	mkdir -p crowd && echo x >crowd/x && for n in $(seq 10 $(($1 + 9))); do
		foreign_snapshot crowd "20250101T0000${n}Z" crowd || return 1
	done
}

# push_out: enter them all
push_out() {
	for dir in mnt/crowd/2*/crowd; do
		ls "$dir" >/dev/null || return 1
	done
	jq -e ".loaded.snapshots < $1" mnt/.status
}

# hammer MINE THEIRS: run the python program THEIRS, which changes the store
# until it is told to end, and MINE, which reads; MINE fails on a wrong byte
hammer() {
	python3 "$2" >theirs.log 2>&1 &
	theirs=$!
	python3 "$1" >mine.log 2>&1
	mine=$?
	kill $theirs
	wait $theirs 2>/dev/null
	cat theirs.log mine.log
	[ $mine -eq 0 ]
}

test_expect_success 'native and foreign snapshots of the same data' '
	make_store && new_env && : >"$EVENTS/empty" && echo 1 >"$STATE/one" &&
	python3 -c "
import sys
for name, size in ((\"a\", 300000), (\"b\", 70000), (\"c\", 1000)):
    with open(sys.argv[1] + \"/\" + name, \"w\") as f:
        f.write((\"this is %s, \" % name) * (size // 11))
" "$EVENTS" &&
	ID=$(hxsnap create dev) && foreign_snapshot dev $FAR "$EVENTS" &&
	crowd 40 && cp -a "$STORE" keep
'

# fresh: the store as it was made
fresh() {
	rm -rf "$STORE" && cp -a keep "$STORE"
}

# The reader: every way that gives bytes gives the right ones, or EIO or
# ESTALE. ENOENT only while a whole snapshot is away.
cat >reader.py <<'EOF_PY'
import errno, mmap, os, sys, time
fine = {errno.EIO, errno.ESTALE}
if "away" in sys.argv:
    fine.add(errno.ENOENT)
want = {}
live = os.environ["EVENTS"]
for name in ("a", "b", "c"):
    with open(os.path.join(live, name), "rb") as f:
        want[name] = f.read()
got = {"right": 0, "error": 0}

def plain(fd, size):
    data = b""
    while True:
        part = os.read(fd, 65536)
        if not part:
            return data
        data += part

def direct(fd, size):
    import fcntl
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_DIRECT)
    data = b""
    while len(data) < size:
        with mmap.mmap(-1, 65536) as buf:
            n = os.preadv(fd, [buf], len(data))
            if n == 0:
                break
            data += buf[:n]
    return data

def cold(fd, size):
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    return plain(fd, size)

def spliced(fd, size):
    r, w = os.pipe()
    data = b""
    try:
        while True:
            n = os.splice(fd, w, 65536)
            if n == 0:
                return data
            data += os.read(r, n)
    finally:
        os.close(r)
        os.close(w)

def read(path, name, how):
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError as e:
        if e.errno not in fine:
            raise
        got["error"] += 1
        return
    try:
        size = os.fstat(fd).st_size
        data = how(fd, size)
    except OSError as e:
        if e.errno not in fine:
            raise
        got["error"] += 1
        return
    finally:
        os.close(fd)
    if data != want[name]:
        at = next((i for i in range(min(len(data), len(want[name])))
                   if data[i] != want[name][i]), min(len(data), len(want[name])))
        sys.exit("%s by %s: %d bytes instead of %d, wrong at %d: %r" % (path,
            how.__name__, len(data), len(want[name]), at, data[at:at + 20]))
    got["right"] += 1

ways = [plain, direct, cold] + ([spliced] if hasattr(os, "splice") else [])
end = time.monotonic() + float(os.environ.get("HXS_RACE_SECONDS", "3"))
rounds = 0
while rounds < 20 or time.monotonic() < end:
    for how in ways:
        for name in want:
            read(os.path.join(sys.argv[1], name), name, how)
    rounds += 1
print(rounds, "rounds:", got)
if not got["right"]:
    sys.exit("nothing could be read at all")
EOF_PY

# The writers. What is theirs has the length of the right one, or not.
cat >rewrite.py <<'EOF_PY'
import os, sys, time
top = sys.argv[1]
files = {n: open(os.path.join(top, n), "rb").read() for n in ("a", "b", "c")}
while True:
    for name, right in files.items():
        path = os.path.join(top, name)
        for data in (right[:-1] + b"X", right[: len(right) // 2], b"",
                     right + right, b"Y" * len(right), right):
            fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
            os.write(fd, data)
            os.close(fd)
        time.sleep(0.001)
EOF_PY
cat >rename.py <<'EOF_PY'
import os, sys, time
top = sys.argv[1]
files = {n: open(os.path.join(top, n), "rb").read() for n in ("a", "b", "c")}
while True:
    for name, right in files.items():
        path = os.path.join(top, name)
        for data in (right[:-1] + b"X", files["c"], b"Z" * len(right), right):
            with open(path + ".new", "wb") as f:
                f.write(data)
            os.rename(path + ".new", path)
        time.sleep(0.001)
EOF_PY
cat >links.py <<'EOF_PY'
import os, sys, time
top = sys.argv[1]
while True:
    for name in ("0", "aa", "bb"):
        path = os.path.join(top, name)
        os.symlink("a", path)
        time.sleep(0.002)
        os.remove(path)
        os.mkdir(path)
        time.sleep(0.002)
        os.rmdir(path)
EOF_PY
cat >replace.py <<'EOF_PY'
import os, shutil, sys, time
top = sys.argv[1]
while True:
    shutil.copytree(top, top + ".new", symlinks=True)
    os.rename(top, top + ".old")
    time.sleep(0.001)
    os.rename(top + ".new", top)
    shutil.rmtree(top + ".old")
    time.sleep(0.01)
EOF_PY

# race WRITER DIR SNAPSHOT [READER-WORD]
race() {
	cat >theirs.py <<-END
	import sys
	sys.argv = ["$1", "$2"]
	exec(open("$TRASH/$1").read())
	END
	cat >mine.py <<-END
	import sys
	sys.argv = ["reader.py", "mnt/dev/$3/events", "${4:-}"]
	exec(open("$TRASH/reader.py").read())
	END
	hammer mine.py theirs.py
}

for how in "" nocontrol; do
for which in native foreign; do

test_expect_success FUSE "rewritten in place while it is read ($which${how:+, $how})" '
	fresh && id=$ID && case $which in foreign) id=$FAR ;; esac &&
	mount_store mnt $how && test_when_finished "umount_store mnt" &&
	race rewrite.py "$STORE/backups/dev/$id/events" $id
'

test_expect_success FUSE "replaced by rename while it is read ($which${how:+, $how})" '
	fresh && id=$ID && case $which in foreign) id=$FAR ;; esac &&
	mount_store mnt $how && test_when_finished "umount_store mnt" &&
	race rename.py "$STORE/backups/dev/$id/events" $id
'

test_expect_success FUSE "the snapshot is replaced while it is read ($which${how:+, $how})" '
	fresh && id=$ID && case $which in foreign) id=$FAR ;; esac &&
	mount_store mnt $how && test_when_finished "umount_store mnt" &&
	race replace.py "$STORE/backups/dev/$id" $id away
'

done

test_expect_success FUSE "links come and go beside foreign files, indexes are dropped (${how:-default})" '
	fresh && few && mount_store mnt $how && HXSNAPFS= &&
	test_when_finished "umount_store mnt" &&
	{ (trap exit TERM; while :; do ls mnt/crowd/*/crowd >/dev/null; done) & } && pusher=$! &&
	test_when_finished "kill $pusher; wait $pusher 2>/dev/null; :" &&
	race links.py "$STORE/backups/dev/$FAR/events" $FAR
'

# What lies beside the listed files numbers them; the kernel keeps numbers.
test_expect_success FUSE "a foreign snapshot changed while it was out of memory (${how:-default})" '
	fresh && few && mount_store mnt $how && HXSNAPFS= &&
	test_when_finished "umount_store mnt" &&
	top=mnt/dev/$FAR/events && ls -l $top && stat $top/a $top/b $top/c &&
	cmp "$EVENTS/b" $top/b && push_out 40 &&
	mkdir "$STORE/backups/dev/$FAR/events/aa" &&
	ln -s a "$STORE/backups/dev/$FAR/events/0" &&
	for file in a b c; do
		{ cat $top/$file >got 2>err && test_cmp "$EVENTS/$file" got; } ||
			test_grep "Stale file handle" err || return 1
	done &&
	cat "$EVENTS/a" "$EVENTS/b" "$EVENTS/c" >want &&
	test_poll 10 "cat $top/a $top/b $top/c >got 2>err" &&
	test_cmp want got &&
	[ "$(readlink $top/0)" = a ] && test_path_is_dir $top/aa &&
	jq -e ".damage.files == 0" mnt/.status
'

test_expect_success FUSE "a foreign file was short and is whole again (${how:-default})" '
	fresh && few && flip --truncate "$STORE/backups/dev/$FAR/events/b" 7 &&
	mount_store mnt $how && HXSNAPFS= && test_when_finished "umount_store mnt" &&
	top=mnt/dev/$FAR/events && [ "$(stat -c %s $top/b)" -eq 7 ] &&
	test_must_fail cat $top/b 2>err && test_grep "Input/output" err &&
	cp "$EVENTS/b" "$STORE/backups/dev/$FAR/events/b" &&
	test_must_fail cat $top/b && push_out 40 &&
	{ cat $top/b >got 2>err || test_grep "Stale\|Input/output" err; } &&
	test_poll 15 "cat $top/b >got 2>err" && test_cmp "$EVENTS/b" got
'

test_expect_success FUSE "one that nobody changed keeps its numbers (${how:-default})" '
	fresh && few && mount_store mnt $how && HXSNAPFS= &&
	test_when_finished "umount_store mnt" &&
	top=mnt/dev/$FAR/events && ls -i $top >before &&
	stat -c %i mnt/dev/$FAR >>before && cat $top/a >got && push_out 40 &&
	cp -al "$STORE/backups/dev/$FAR" "$STORE/backups/dev/$NEAR" &&
	cat $top/a >got && test_cmp "$EVENTS/a" got && cat $top/b >got &&
	test_cmp "$EVENTS/b" got &&
	ls -i $top >after && stat -c %i mnt/dev/$FAR >>after && test_cmp before after
'

test_expect_success FUSE "the manifest is swapped after it was read: the first one holds, then the second (${how:-default})" '
	fresh && few && mount_store mnt $how && HXSNAPFS= &&
	test_when_finished "umount_store mnt" &&
	at=$STORE/backups/dev/$FAR && cat mnt/dev/$FAR/events/c >got &&
	cat mnt/dev/$FAR/manifest.sha256 >manifest &&
	tr a-z A-Z <"$EVENTS/b" >"$at/events/b" &&
	tr a-z A-Z <"$EVENTS/c" >"$at/events/c" &&
	(cd "$at" && sha256sum events/* >manifest.new &&
		mv manifest.new manifest.sha256) &&
	{ cat mnt/dev/$FAR/events/c >got 2>err && test_cmp "$EVENTS/c" got ||
		test_grep "Input/output" err; } &&
	test_must_fail cat mnt/dev/$FAR/events/b 2>err &&
	test_grep "Input/output" err &&
	{ cat mnt/dev/$FAR/manifest.sha256 >got && test_cmp manifest got; } &&
	push_out 40 && cat mnt/dev/$ID/events/a >got && test_cmp "$EVENTS/a" got &&
	for file in a b c; do
		{ cat mnt/dev/$FAR/events/$file >got 2>err &&
			test_cmp "$at/events/$file" got; } ||
			test_grep "Stale\|Input/output" err || return 1
	done
'

# Another snapshot by the same name, entry for entry of the same size.
test_expect_success FUSE "what was cached of a deleted one does not show in its successor (${how:-default})" '
	fresh && mount_store mnt $how && test_when_finished "umount_store mnt" &&
	at=$STORE/backups/dev/$FAR && top=mnt/dev/$FAR/events &&
	for round in 1 2 3 4 5; do
		cat $top/a $top/b $top/c >/dev/null && rm -r "$at" &&
		mkdir -p next/events && for file in a b c; do
			tr a-z "$(echo bcdefghijklmnopqrstuvwxyza | cut -c $round-)" \
				<"$EVENTS/$file" >next/events/$file || return 1
		done &&
		foreign_snapshot dev $FAR next/events &&
		test_poll 10 "cat $top/a >got 2>err && cmp -s got next/events/a" &&
		for file in a b c; do
			cat $top/$file >got && test_cmp next/events/$file got ||
				return 1
		done
	done
'

done

test_expect_success FUSE 'a mapping outlives its snapshot: its bytes or SIGBUS, never others' '
	fresh && cat >map.py <<-\END &&
	import ctypes, mmap, os, shutil, subprocess, sys
	mnt, store, far, events = sys.argv[1:]
	top = os.path.join(mnt, "dev", far, "events", "a")
	at = os.path.join(store, "backups/dev", far)
	want = open(os.path.join(events, "a"), "rb").read()
	fd = os.open(top, os.O_RDONLY)
	m = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ)
	assert m[:4096] == want[:4096]
	shutil.rmtree(at)
	os.makedirs(os.path.join(at, "events"))
	other = bytes(want).upper()
	open(os.path.join(at, "events", "a"), "wb").write(other)
	sums = subprocess.run(["sha256sum", "events/a"], cwd=at,
	    stdout=subprocess.PIPE, check=True).stdout
	open(os.path.join(at, "manifest.sha256"), "wb").write(sums)
	for i in range(1000):
	    try:
	        if open(top, "rb").read() == other:
	            break
	    except OSError:
	        pass
	    os.sched_yield()
	pid = os.fork()
	if pid == 0:
	    os._exit(0 if m[:] == want else 7)
	status = os.waitpid(pid, 0)[1]
	if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 7:
	    sys.exit("other bytes in an old mapping")
	print("ended with", status)
	END
	mount_store mnt && test_when_finished "umount_store mnt" &&
	python3 map.py mnt "$STORE" $FAR "$EVENTS"
'

test_done
