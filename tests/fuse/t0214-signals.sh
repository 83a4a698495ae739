#!/bin/sh
test_description='signals while a large foreign file is hashed'

. "$(dirname "$0")/../lib/lib.sh"

ID=20260101T000000Z
MANY=20260102T000000Z
# what takes a while to hash, and what takes a day
SIZE=512M
[ -z "${HXS_SAN:-}" ] || SIZE=128M

# open.py FILE: open(2) it while a timer ticks; the answer is the exit status
cat >open.py <<'EOF_PY'
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
ticks = 0
def tick(sig, frame):
    global ticks
    ticks += 1
signal.signal(signal.SIGALRM, tick)
signal.signal(signal.SIGURG, tick)
signal.signal(signal.SIGTERM, lambda sig, frame: None)
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
print("begin", flush=True)
# Python itself would try again
fd = libc.open(sys.argv[1].encode(), os.O_RDONLY)
e = ctypes.get_errno()
signal.setitimer(signal.ITIMER_REAL, 0)
print("opened" if fd >= 0 else os.strerror(e), flush=True)
sys.exit(0 if fd >= 0 else e)
EOF_PY

test_expect_success 'a file to hash for a while, and one for a day' '
	make_store && mkdir -p "$STORE/backups/dev/$ID" &&
	(cd "$STORE/backups/dev/$ID" && truncate -s $SIZE while &&
		sha256sum while >manifest.sha256) &&
	mkdir -p "$STORE/backups/dev/$MANY" &&
	(cd "$STORE/backups/dev/$MANY" && truncate -s 4T day &&
		echo "$(printf "%064d" 0)  day" >manifest.sha256)
'

test_expect_success FUSE 'a program that handles a timer opens it' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	timeout 60 python3 open.py mnt/dev/$ID/while >out && cat out &&
	test_grep opened out
'

# begin: open what takes a day, in the background, and give it some ticks
begin() {
	rm -f out && { python3 open.py mnt/dev/$MANY/day >out & } && pid=$! &&
		test_poll 10 "grep -q begin out" &&
		test_poll 10 "jq -e \
			\".loaded.snapshots > 0\" mnt/.status" &&
		for tick in 1 2 3 4 5; do
			kill -URG $pid && cat mnt/.status >/dev/null || return 1
		done
}

test_expect_success FUSE 'one that is told to end gets its answer' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	begin && kill -TERM $pid && status=0 && { wait $pid || status=$?; } &&
	cat out && [ $status -eq 4 ] && test_grep "Interrupted system call" out
'

test_expect_success FUSE 'one that is killed is gone' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	begin && kill -KILL $pid && status=0 && { wait $pid || status=$?; } &&
	[ $status -eq 137 ] && test_grep ! opened out
'

test_expect_success FUSE 'the mount ends while one waits' '
	mount_store mnt && begin && kill -TERM "$(store_pid mnt)" &&
	wait_store mnt && { wait $pid || :; } && test_grep ! opened out
'

test_done
