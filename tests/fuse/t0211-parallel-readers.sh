#!/bin/sh
test_description='many readers at once, indexes dropped and loaded under them'

. "$(dirname "$0")/../lib/lib.sh"

test_expect_success 'twenty snapshots' '
	make_store && new_env && echo 1 >"$STATE/one" &&
	for i in $(seq 40); do
		echo "file $i" >"$EVENTS/f$i" || return 1
	done &&
	head -c 2000000 /dev/urandom >"$EVENTS/big" &&
	NATIVE=$(hxsnap create dev) &&
	for i in $(seq 10 29); do
		foreign_snapshot dev 202601${i}T000000Z "$EVENTS" "$STATE" ||
			return 1
	done &&
	ls "$STORE/backups/dev" >ids && test_line_count 21 ids &&
	(cd "$EVENTS" && sha256sum *) >sums &&
	cat >reader.sh <<-\END
	# reader.sh SEED ROUNDS: read whole snapshots in some order
	i=0
	while [ $i -lt "$2" ]; do
		i=$((i + 1))
		id=$(shuf -n 1 --random-source="$TRASH/noise.$1" "$TRASH/ids")
		head -c $((i * 97)) /dev/urandom >"$TRASH/noise.$1"
		(cd "$TRASH/mnt/dev/$id/events" &&
			sha256sum --quiet -c "$TRASH/sums") || exit 1
		cat "$TRASH/mnt/dev/.status" "$TRASH/mnt/dev/$id/.status" \
			"$TRASH/mnt/.metrics" >/dev/null || exit 1
		find "$TRASH/mnt/dev/$id" -ls >/dev/null || exit 1
	done
	END
'

# crowd READERS ROUNDS
crowd() {
	crowd_pids=''
	for reader in $(seq "$1"); do
		head -c 4096 /dev/urandom >"noise.$reader"
		sh reader.sh "$reader" "$2" &
		crowd_pids="$crowd_pids $!"
	done
	for reader in $crowd_pids; do
		wait "$reader" || return 1
	done
}

for how in default nocontrol; do

test_expect_success FUSE "twelve readers, all in memory ($how)" '
	mount_store mnt "$(echo $how | sed s/default//)" &&
	test_when_finished "umount_store mnt" &&
	crowd 12 6 && jq -e ".damage.files == 0 and .faults == []" mnt/.status
'

test_expect_success FUSE "twelve readers, memory for a few ($how)" '
	HXSNAPFS="prlimit --nofile=64:64 hxsnapfs" &&
	test_when_finished "unset HXSNAPFS" &&
	mount_store mnt "$(echo $how | sed s/default//)" &&
	test_when_finished "umount_store mnt" &&
	crowd 12 6 && jq -e ".damage.files == 0 and .faults == []" mnt/.status &&
	jq -e ".loaded.snapshots <= 16" mnt/.status &&
	test_grep "evictions_total [1-9]" mnt/.metrics
'

test_expect_success FUSE "readers while snapshots come and go ($how)" '
	mount_store mnt "$(echo $how | sed s/default//)" &&
	test_when_finished "umount_store mnt" &&
	{ (while [ ! -e stop ]; do
		cp -a "$STORE/backups/dev/$NATIVE" "$STORE/backups/dev/.t" &&
		mv "$STORE/backups/dev/.t" "$STORE/backups/dev/20270101T000000Z" &&
		ls -l "$TRASH/mnt/dev/20270101T000000Z/" >/dev/null 2>&1
		mv "$STORE/backups/dev/20270101T000000Z" "$STORE/backups/dev/.t" &&
		rm -r "$STORE/backups/dev/.t" || exit 1
		kill -HUP "$(store_pid mnt)"
	done) & } && churn=$! &&
	{ crowd 8 5 && r=0 || r=1; } &&
	: >stop && wait $churn && rm stop && [ $r -eq 0 ] &&
	jq -e ".damage.files == 0" mnt/.status
'

done

test_expect_success FUSE 'many readers of one file, cold' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	pids="" && want=$(sha256sum <"$EVENTS/big") &&
	for i in $(seq 30); do
		(got=$(sha256sum <mnt/dev/$NATIVE/events/big) &&
			[ "$got" = "$want" ]) &
		pids="$pids $!"
	done &&
	for pid in $pids; do
		wait "$pid" || return 1
	done
'

test_expect_success FUSE 'a thousand open files' '
	cat >open.py <<-\END &&
	import glob, os
	held = [os.open(p, os.O_RDONLY)
	        for p in sorted(glob.glob("mnt/dev/*/events/*"))] * 1
	while len(held) < 1000:
	    held.append(os.open("mnt/dev/latest/events/big", os.O_RDONLY))
	for fd in held:
	    assert os.pread(fd, 10, 0)
	print(len(held))
	END
	mount_store mnt && test_when_finished "umount_store mnt" &&
	prlimit --nofile=4096: python3 open.py &&
	test_poll 5 "[ \$(ls /proc/$(store_pid mnt)/fd | wc -l) -lt 100 ]"
'

test_done
