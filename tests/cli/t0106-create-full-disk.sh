#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='create: no room, no inodes, a store that fails midway'
. "$(dirname "$0")/../lib/lib.sh"

# The old backup is whole, nothing else is there.
old_alone() {
	ls -A "$STORE/backups/dev" >left && echo "$old" >want &&
		test_cmp want left && hxsnap -q verify "dev/$old"
}

test_expect_success 'set up: a megabyte in 60 files' '
	new_env dev && for i in $(seq 60); do
		head -c 17000 /dev/urandom >"$EVENTS/$i" || return 1
	done && echo x >"$STATE/x"
'

for fs in tmpfs ext4; do
	case $fs in
	tmpfs) need=TMPFS ;;
	ext4) need=LOOP ;;
	esac
	test_expect_success "$need" "$fs: full at every 64 KiB: the old one stays" '
		mkdir -p disk && if [ '$fs' = tmpfs ]; then
			mount -t tmpfs -o size=8M tmpfs disk
		else
			loop_fs ext4 12M disk
		fi && test_when_finished "umount \"$TRASH/disk\"" &&
		STORE=$TRASH/disk/store && new_env dev && hxsnap init "$STORE" &&
		old=$(hxsnap -q create dev) && failed=0 &&
		free=$(($(stat -f -c "%a * %S" disk) / 65536)) &&
		for room in $(seq 0 22); do
			fallocate -l $(((free - room) * 65536)) disk/ballast ||
				return 1
			status=0
			hxsnap create dev --full >out 2>err || status=$?
			if [ $status -eq 0 ]; then
				hxsnap -q verify "dev/$(cat out)" &&
				rm -rf "$STORE/backups/dev/$(cat out)" || return 1
			else
				failed=$((failed + 1))
				[ $status -eq 1 ] && test_line_count 0 out &&
				test_grep "No space left on device" err &&
				test_grep "no snapshot was made" err || return 1
			fi
			old_alone && rm disk/ballast || return 1
		done && echo "$failed failed" && [ "$failed" -gt 3 ] &&
		hxsnap -q create dev
	'
done

test_expect_success TMPFS 'no inodes left' '
	mkdir -p inodes && mount -t tmpfs -o nr_inodes=150 tmpfs inodes &&
	test_when_finished "umount \"$TRASH/inodes\"" &&
	STORE=$TRASH/inodes/store && new_env dev && hxsnap init "$STORE" &&
	old=$(hxsnap -q create dev) && { (cd inodes && seq 200 | xargs touch) || :; } &&
	test_exit 1 hxsnap create dev >out 2>err &&
	test_grep "No space left on device; no snapshot was made" err &&
	(cd inodes && seq 200 | xargs rm -f) && old_alone &&
	(cd inodes && seq 50 | xargs touch) &&
	test_exit 1 hxsnap create dev >out 2>err &&
	test_grep "copy of .events/\|events/.*cannot create its copy" err &&
	test_grep "No space left on device; no snapshot was made" err && old_alone
'

test_expect_success 'a limit on file sizes is an error, not a death' '
	STORE=$TRASH/store && new_env dev && make_store &&
	head -c 3000000 /dev/urandom >"$EVENTS/large" &&
	test_exit 1 sh -c "trap \"\" XFSZ && ulimit -f 2000 &&
		exec hxsnap create dev" >out 2>err &&
	test_grep "events/large.*File too large; no snapshot was made" err &&
	ls -A "$STORE/backups" >left && test_line_count 0 left
'

test_expect_success LOOP 'a store that turns read-only midway' '
	mkdir -p turn && loop_fs ext4 40M turn && STORE=$TRASH/turn/store &&
	new_env dev && hxsnap init "$STORE" && old=$(hxsnap -q create dev) &&
	(cd "$EVENTS" && seq 5000 | xargs touch) && {
		hxsnap create dev >out 2>err &
		pid=$!
	} && test_poll 10 "ls -A \"$STORE/backups/dev\" | grep -q new" &&
	{ mount -o remount,ro turn || :; } &&
	status=0 && { wait $pid || status=$?; } && mount -o remount,rw turn &&
	if [ "$status" -eq 0 ]; then
		hxsnap -q verify "dev/$(cat out)"
	else
		test_grep "no snapshot was made" err &&
		id=$(hxsnap -q create dev) && hxsnap -q verify "dev/$id"
	fi && (cd "$EVENTS" && seq 5000 | xargs rm -f)
'

# The file system's own shutdown: what was not yet durable is lost.
test_lazy_prereq SHUTDOWN 'a file system that can be shut down' '
	test_have XFS && command -v xfs_io'
test_expect_success SHUTDOWN 'power lost during create: whole or absent' '
	new_env dev && for i in $(seq 2000); do
		echo "$i" >"$EVENTS/small$i" || return 1
	done && for cut in 1 2 4 8 16 32 64; do
		rm -rf "$TRASH/power" && loop_fs xfs 320M "$TRASH/power" &&
		STORE=$TRASH/power/store && new_env dev &&
		hxsnap -q init "$STORE" && old=$(hxsnap -q create dev) || return 1
		hxsnap -q create dev >out 2>err &
		pid=$!
		for spin in $(seq $((cut * 2))); do
			stat out >/dev/null || return 1
		done
		xfs_io -x -c shutdown "$TRASH/power" || return 1
		status=0 && { wait $pid || status=$?; }
		umount "$TRASH/power" &&
		mount -o loop "$TRASH/.img-xfs-power" "$TRASH/power" || return 1
		for id in $(ls "$STORE/backups/dev"); do
			hxsnap -q verify "dev/$id" || return 1
		done
		[ -d "$STORE/backups/dev/$old" ] || return 1
		[ $status -ne 0 ] || [ -d "$STORE/backups/dev/$(cat out)" ] ||
			return 1
		hxsnap -q create dev && ls -A "$STORE/backups/dev" >left &&
		test_must_fail grep "^\." left && umount "$TRASH/power" || return 1
	done
'

test_done
