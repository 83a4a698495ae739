#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='restore: what is refused, with nothing changed'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

# anew: an environment, a backup $id of it, and what changed since.
anew() {
	rm -rf live orig "$STORE" && new_env && make_store &&
		mkdir "$EVENTS/2026" && for i in 1 2 3; do
			head -c 100000 /dev/urandom >"$EVENTS/2026/$i" || return 1
		done && echo state >"$STATE/state" &&
		id=$(hxsnap -q create dev) && snap=$STORE/backups/dev/$id &&
		echo later >"$EVENTS/later" && rm "$EVENTS/2026/2"
}

# ---- the snapshot ------------------------------------------------------------

test_expect_success 'a corrupt block' '
	anew && flip_byte "$snap/events/2026/3" 70000 &&
	refused 3 "dev/$id/events/2026/3.: wrong bytes in the block at byte 65536" live hxsnap restore "dev/$id" &&
	refused 3 "dev/$id/events/2026/3.: wrong bytes in the block at byte 65536" live \
		hxsnap restore "dev/$id" events/2026/3 &&
	restore "dev/$id" events/2026/2
'

test_expect_success 'a missing file' '
	anew && rm "$snap/events/2026/3" &&
	refused 3 "dev/$id/events/2026/3" live hxsnap restore "dev/$id"
'

test_expect_success 'a file of another length' '
	anew && echo more >>"$snap/state/state" &&
	refused 3 "dev/$id/state/state" live hxsnap restore "dev/$id" &&
	truncate -s 3 "$snap/state/state" &&
	refused 3 "dev/$id/state/state" live hxsnap restore "dev/$id"
'

test_expect_success 'an extra file' '
	anew && echo extra >"$snap/events/2026/extra" &&
	refused 3 "events/2026/extra.*manifest does not list" live \
		hxsnap restore "dev/$id" && restore "dev/$id" state
'

test_expect_success 'a symbolic link, a FIFO or a directory where a file was' '
	anew && mv "$snap/events/2026/3" kept && ln -s "$TRASH/kept" "$snap/events/2026/3" &&
	refused 3 "dev/$id/events/2026/3" live hxsnap restore "dev/$id" &&
	rm "$snap/events/2026/3" && mkfifo "$snap/events/2026/3" &&
	refused 3 "dev/$id/events/2026/3" live timeout 60 hxsnap restore "dev/$id" &&
	rm "$snap/events/2026/3" && mkdir "$snap/events/2026/3" &&
	refused 3 "dev/$id/events/2026/3" live hxsnap restore "dev/$id"
'

test_expect_success 'a manifest taken from another snapshot; an index; both' '
	anew && other=$(hxsnap -q create dev) && old=$STORE/backups/dev/$other &&
	cp "$snap/manifest.sha256" m && cp "$snap/index.hxi" i &&
	cat "$old/manifest.sha256" >"$snap/manifest.sha256" &&
	refused 3 "$id" live hxsnap restore "dev/$id" &&
	cat m >"$snap/manifest.sha256" && cat "$old/index.hxi" >"$snap/index.hxi" &&
	refused 3 "$id" live hxsnap restore "dev/$id" &&
	cat "$old/manifest.sha256" >"$snap/manifest.sha256" &&
	refused 3 "$id" live hxsnap restore "dev/$id" &&
	cat m >"$snap/manifest.sha256" && cat i >"$snap/index.hxi" &&
	restore "dev/$id"
'

test_expect_success 'a snapshot of another environment' '
	anew && mkdir -p "$STORE/backups/prod" && cp -a "$snap" "$STORE/backups/prod/" &&
	sed "s/\"dev\"/\"prod\"/" hxsnap.json >prod.json &&
	refused 3 "prod/$id" live hxsnap --config prod.json restore "prod/$id" &&
	refused 4 "no environment .prod" live hxsnap restore "prod/$id"
'

test_expect_success 'a database that is damaged in a snapshot of a script' '
	anew && rm -rf "$STORE/backups" && sqlite3 "$EVENTS/m.db" "CREATE TABLE t(x);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
		LIMIT 5000) INSERT INTO t SELECT i FROM n" && cp "$EVENTS/m.db" kept &&
	dd if=/dev/urandom of="$EVENTS/m.db" bs=1 seek=5000 count=9000 \
		conv=notrunc status=none &&
	foreign_snapshot dev 20260101T000000Z "$EVENTS" "$STATE" &&
	cp kept "$EVENTS/m.db" && settled &&
	refused 3 "events/m.db.*damaged" live hxsnap restore dev/latest
'

test_expect_success 'what is not there' '
	anew && unsaid=1 && test_when_finished "unset unsaid" &&
	refused 4 "20200101T000000Z" live hxsnap restore dev/20200101T000000Z &&
	refused 4 "prod" live hxsnap restore prod/latest &&
	refused 4 "has no .events/nothing" live hxsnap restore "dev/$id" events/nothing &&
	refused 4 "has no .nothing" live hxsnap restore "dev/$id" events nothing &&
	refused 4 "has no .meta.json" live hxsnap restore "dev/$id" meta.json &&
	refused 2 "\.\." live hxsnap restore "dev/$id" events/../state &&
	refused 2 "/etc" live hxsnap restore "dev/$id" /etc/passwd &&
	refused 4 "rollback" live hxsnap rollback dev
'

# ---- the target --------------------------------------------------------------

# refuse_target PATTERN PATH [LIVE]: with source events at PATH.
refuse_target() {
	sources "events=$2" "state=$STATE" &&
		refused "${status:-5}" "$1" "${3:-live}" hxsnap restore "dev/$id"
}

# Links lead there: what a path says is looked at with the configuration.
test_expect_success 'in the store, on a part of it' '
	anew && ln -sfn "$STORE" way && mkdir -p "$STORE/backups/x/live" &&
	echo x >"$STORE/backups/x/live/f" &&
	refuse_target "lies in the store" "$TRASH/way/backups/x/live" &&
	refuse_target "lies in the store" "$TRASH/way/backups/dev/$id/events" &&
	refuse_target "lies in the store" "$TRASH/way/backups" &&
	mkdir "$STORE/rollbacks" &&
	refuse_target "lies in the store" "$TRASH/way/rollbacks/new" &&
	refuse_target "lies in the store" "$TRASH/way/.hxsnap/x" &&
	unsaid=1 && test_when_finished "unset unsaid" && status=2 \
		refuse_target "lies inside .store" "$STORE/backups/x/live"
'

test_expect_success 'around the store' '
	anew && rm -rf around && mkdir around && mv "$STORE" around/store &&
	test_when_finished "STORE=$STORE; rm -rf around" &&
	STORE=$TRASH/way && ln -sfn "$TRASH/around/store" way &&
	echo f >around/file && refuse_target "the store lies in" "$TRASH/around" &&
	rm way && mv around/store way && mkdir around/way && mount --bind way around/way &&
	test_when_finished "umount \"$TRASH/around/way\"" &&
	refuse_target "mounted inside it" "$TRASH/around" &&
	STORE=$TRASH/around/way && ln -sfn "$TRASH" other &&
	refuse_target "the store lies in" "$TRASH/other/around"
'

test_expect_success FUSE 'on a mount of backups; with one inside' '
	anew && mount_store mnt && test_when_finished "umount_store mnt" &&
	refuse_target "lies in a mount of backups" "$TRASH/mnt/dev/$id/events" &&
	refuse_target "lies in a mount of backups" "$TRASH/mnt/dev/new" &&
	refuse_target "lies in a mount of backups" "$TRASH/mnt"
'

test_expect_success FUSE 'a mount of backups inside the target' '
	anew && mkdir "$EVENTS/view" && mount_store "$EVENTS/view" &&
	test_when_finished "umount_store \"$EVENTS/view\"" && rm -rf mnt &&
	look -c "$STATE" >want && test_exit 5 hxsnap restore "dev/$id" 2>err &&
	test_grep "something is mounted inside it, at .*events/view" err &&
	test_grep "nothing was changed" err && look -c "$STATE" >got &&
	test_cmp want got && test_path_is_file "$EVENTS/later" && no_remains
'

test_expect_success TMPFS 'any mount inside the target' '
	anew && mkdir -p "$EVENTS/2026/deep" && mount -t tmpfs tmpfs "$EVENTS/2026/deep" &&
	test_when_finished "umount \"$EVENTS/2026/deep\"" &&
	refused 5 "something is mounted inside it, at .*2026/deep" live \
		hxsnap restore "dev/$id" && test_grep "^hint: unmount" err
'

test_expect_success 'a symbolic link; something that is no file; the root' '
	anew && mv "$EVENTS" "$EVENTS.real" && ln -s "$EVENTS.real" "$EVENTS" &&
	refused 5 "events. is a symbolic link" live hxsnap restore "dev/$id" &&
	test_grep "^hint: name the real path" err && rm "$EVENTS" &&
	ln -s nowhere "$EVENTS" &&
	refused 5 "events. is a symbolic link" live hxsnap restore "dev/$id" &&
	rm "$EVENTS" && mkfifo "$EVENTS" &&
	refused 5 "neither a directory nor a regular file" live hxsnap restore "dev/$id" &&
	unsaid=1 && test_when_finished "unset unsaid" && status=2 \
		refuse_target "lies inside" / live
'

test_expect_success 'a parent that everybody may write to, or that is not there' '
	anew && chmod 1777 live/dev && echo "$(stat -c %a live/dev)" &&
	refused 5 "everybody may write to .*live/dev" live hxsnap restore "dev/$id" &&
	chmod 755 live/dev && refuse_target "no directory .*live/gone" \
		"$TRASH/live/gone/events" && test_grep "^hint: is its file system mounted" err &&
	echo x >live/file && status=1 refuse_target "Not a directory" \
		"$TRASH/live/file/events"
'

test_lazy_prereq CHATTR 'file attributes below $TMPDIR, as root' '
	test_have ROOT && : >f && chattr +i f && chattr -i f'

for flag in i a; do
	test_expect_success CHATTR "immutable and append-only (chattr +$flag)" '
		anew && chattr +'$flag' "$EVENTS" &&
		test_when_finished "chattr -'$flag' \"$EVENTS\"" &&
		refused 5 "chattr" live hxsnap restore "dev/$id" &&
		chattr -'$flag' "$EVENTS" && chattr +'$flag' live/dev &&
		test_when_finished "chattr -'$flag' \"$TRASH/live/dev\"" &&
		refused 5 "chattr" live hxsnap restore "dev/$id"
	'

	test_expect_success CHATTR "a file inside, of either kind (chattr +$flag)" '
		anew && chattr +'$flag' "$EVENTS/2026/3" &&
		test_when_finished "chattr -'$flag' \"$EVENTS/2026/3\"" &&
		refused 5 "2026/3.*chattr" live hxsnap restore "dev/$id" &&
		refused 5 "2026/3.*chattr" live hxsnap restore "dev/$id" events/2026/3 &&
		refused 5 "2026/3.*chattr" live hxsnap restore "dev/$id" events/2026 &&
		restore "dev/$id" events/2026/2
	'

	test_expect_success CHATTR "a single file (chattr +$flag)" '
		rm -rf one "$STORE" && make_store && mkdir one && echo a >one/a &&
		sources "first=$TRASH/one/a" && id=$(hxsnap -q create dev) &&
		chattr +'$flag' one/a && test_when_finished "chattr -'$flag' \"$TRASH/one/a\"" &&
		refused 5 "one/a.*chattr" one hxsnap restore "dev/$id"
	'
done

test_expect_success LOOP 'a read-only file system' '
	anew && loop_fs ext4 20M ro && test_when_finished "umount \"$TRASH/ro\"" &&
	cp -a "$EVENTS" ro/events && mount -o remount,ro ro &&
	status=1 refuse_target "Read-only file system" "$TRASH/ro/events" ro
'

for fs in ext4 tmpfs; do
	case $fs in
	ext4) need=LOOP ;;
	tmpfs) need=TMPFS ;;
	esac
	test_expect_success "$need" "$fs: a full disk, at several sizes" '
		anew && mkdir -p full && case '$fs' in
		ext4) loop_fs ext4 20M full ;;
		*) mount -t tmpfs -o size=20M,mode=755 tmpfs full ;;
		esac && test_when_finished "umount \"$TRASH/full\"" &&
		mkdir full/events && echo old >full/events/old &&
		sources "events=$TRASH/full/events" "state=$STATE" &&
		free=$(($(stat -f -c "%f * %S" full) / 1024)) && failed=0 &&
		for room in 0 4 16 64 128 200 280 330; do
			head -c $(((free - room) * 1024)) /dev/zero >full/ballast
			settled &&
			if refused 1 "No space left on device" full hxsnap restore "dev/$id"; then
				failed=$((failed + 1))
			else
				hxsnap -q verify "dev/.rollbacks/$(cat out)" &&
				hxsnap -q rollback dev >out && no_remains &&
				[ "$(cat full/events/old)" = old ] || return 1
			fi
			rm full/ballast || return 1
		done && echo "$failed failed" && [ "$failed" -ge 5 ] &&
		restore "dev/$id" && test_path_is_file full/events/2026/2
	'
done

test_expect_success TMPFS 'what cannot fit is not begun, here and elsewhere' '
	anew && mkdir -p full && mount -t tmpfs -o size=1M,mode=755 tmpfs full &&
	test_when_finished "umount \"$TRASH/full\"" && mkdir full/events full/out &&
	sources "events=$TRASH/full/events" "state=$STATE" &&
	head -c 1040000 /dev/zero >full/ballast && settled &&
	refused 1 "bytes are to be written in .*/full., and [0-9]* are free: No space left on device; nothing was changed" \
		full hxsnap restore "dev/$id" &&
	test_exit 1 hxsnap restore "dev/$id" --to full/out 2>err &&
	test_grep "bytes are to be written in .full/out., and" err &&
	[ -z "$(ls -A full/out)" ] &&
	rm full/ballast && restore "dev/$id"
'

test_expect_success TMPFS 'no inodes left' '
	anew && mkdir -p inodes && mount -t tmpfs -o nr_inodes=20,mode=755 tmpfs inodes &&
	test_when_finished "umount \"$TRASH/inodes\"" && mkdir inodes/events &&
	(cd inodes && seq 17 | xargs touch) &&
	status=1 refuse_target "No space left on device" "$TRASH/inodes/events" inodes &&
	rm inodes/1 inodes/2 &&
	status=1 refuse_target "No space left on device" "$TRASH/inodes/events" inodes &&
	(cd inodes && seq 17 | xargs rm -f) && restore "dev/$id"
'

test_expect_success TMPFS 'no room in the store for the rollback point' '
	mkdir -p small && mount -t tmpfs -o size=1M,mode=755 tmpfs small &&
	test_when_finished "umount \"$TRASH/small\"" && kept=$STORE &&
	STORE=$TRASH/small/store && test_when_finished "STORE=$kept" && anew &&
	head -c 900000 /dev/urandom >"$EVENTS/large" && settled &&
	refused 1 "rollback point.*No space left on device" live \
		hxsnap restore "dev/$id" && rm "$EVENTS/large" && restore "dev/$id"
'

# ---- who is in the way -------------------------------------------------------

test_expect_success 'processes that hold files, a working directory, a mapping' '
	anew && { sleep 1000 3<"$EVENTS/2026/1" & } && pid=$! &&
	test_when_finished "kill $pid 2>/dev/null; wait $pid; :" &&
	test_poll 10 "[ -e /proc/$pid/fd/3 ] && grep -q sleep /proc/$pid/comm" &&
	refused 6 "events. is in use by $pid (sleep: .*2026/1" live hxsnap restore "dev/$id" &&
	test_grep "^hint: .*--force" err &&
	refused 6 "$pid (sleep" live hxsnap restore "dev/$id" events/2026/2 &&
	restore "dev/$id" state && hxsnap -q restore --force "dev/$id" >out &&
	test_path_is_file "$EVENTS/2026/2" && no_remains &&
	hxsnap -q verify "dev/.rollbacks/$(cat out)"
'

test_expect_success 'a working directory there' '
	anew && { (cd "$STATE" && exec sleep 1000) & } && pid=$! &&
	test_when_finished "kill $pid; wait $pid; :" &&
	test_poll 10 "grep -q sleep /proc/$pid/comm" &&
	refused 6 "state. is in use by $pid (sleep" live hxsnap restore "dev/$id"
'

test_expect_success 'another restore is under way' '
	anew && mkfifo hold && hxsnap -q create dev >/dev/null &&
	lock=$(find "$STORE/.hxsnap" -path "*lock*" -type f -name "dev*" | head -n 1) &&
	test_path_is_file "$lock" && { flock "$lock" sh -c "echo >hold; exec sleep 1000" & } &&
	pid=$! && read -r x <hold && test_when_finished "kill $pid; wait $pid; :" &&
	refused 6 "dev" live hxsnap restore "dev/$id" &&
	refused 6 "dev" live hxsnap restore "dev/$id" events/2026/2
'

# ---- confirmation ------------------------------------------------------------

test_expect_success 'an environment marked confirm' '
	anew && sed "s/\"dev\": {/\"dev\": {\"confirm\": true,/" hxsnap.json >confirm.json &&
	refused 5 "confirm" live hxsnap --config confirm.json restore "dev/$id" &&
	refused 5 "confirm" live hxsnap --config confirm.json restore "dev/$id" events/2026/2 &&
	refused 5 "confirm" live env CONFIRM_LIVE=yes \
		hxsnap --config confirm.json restore "dev/$id" &&
	CONFIRM_LIVE=YES hxsnap -q --config confirm.json restore "dev/$id" >out &&
	test_path_is_file "$EVENTS/2026/2" && settled &&
	refused 5 "confirm" live hxsnap --config confirm.json rollback dev
'

test_done
