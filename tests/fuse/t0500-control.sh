#!/bin/sh
test_description='.control: commands from a shell, one at a time, while reads go on'

. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/control.sh"

HUGE=20250101T000000Z

# refused ERRNO TEXT COMMAND...: the command fails with that errno's text,
# and .control says which it was.
refused() {
	local name="$1" text="$2"
	shift 2
	test_must_fail "$@" 2>err && test_grep "$text" err &&
		reply ".ok == false and .error == \"$name\" and
			(.message | length > 5 and (contains(\"\n\") | not))"
}

acts() {
	wc -l <"$STORE/.hxsnap/audit.log"
}

# begin COMMAND: by a program of its own, $writer, whose words are in said.
begin() {
	/bin/echo "$1" 2>said >mnt/.control &
	writer=$!
}

under_way() {
	test_poll 20 'jq -e ".operation.reference == \"dev/$HUGE\"" \
		mnt/.status >/dev/null'
}

idle() {
	test_poll 20 'jq -e ".operation == null" mnt/.status >/dev/null'
}

# A snapshot as a script makes it, with a file that takes an hour to hash.
test_expect_success 'a store' '
	make_store && new_env && echo one >"$EVENTS/a" && mkdir "$EVENTS/sub" &&
	echo two >"$EVENTS/sub/b" && echo state >"$STATE/s" &&
	dir=$STORE/backups/dev/$HUGE && mkdir -p "$dir/src" &&
	truncate -s 4T "$dir/src/huge" && echo small >"$dir/src/small" &&
	(cd "$dir" && sha256sum src/small >manifest.sha256 &&
		printf "%064d  src/huge\n" 0 >>manifest.sha256) &&
	ID=$(hxsnap create dev)
'

test_expect_success FUSE 'it is in the root, and by name in environments and snapshots' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	ls -A mnt >got && test_grep "^.control$" got &&
	for dir in mnt mnt/dev mnt/dev/$ID mnt/dev/latest mnt/dev/$HUGE; do
		[ "$(stat -c "%a %u %s %F" $dir/.control)" = \
			"600 $(id -u) 0 regular empty file" ] &&
		jq -e ".ok == null and .command == null" $dir/.control || return 1
	done &&
	for dir in mnt/dev mnt/dev/$ID; do
		ls -A $dir >got && test_grep ! control got || return 1
	done &&
	test_path_is_missing mnt/dev/$ID/events/.control &&
	[ "$(stat -c %i mnt/.control)" = "$(stat -c %i mnt/.control)" ] &&
	jq -e ".control and .operation == null" mnt/.status &&
	(cd mnt/dev/$ID && find . -name .control) >got && test_line_count 0 got &&
	diff -r "$EVENTS" mnt/dev/$ID/events
'

test_expect_success FUSE 'nocontrol and ro have none' '
	for how in nocontrol ro; do
		mount_store mnt $how && ls -A mnt >got && test_grep ! control got &&
		for dir in mnt mnt/dev mnt/dev/$ID; do
			test_path_is_missing $dir/.control || return 1
		done &&
		jq -e ".control == false" mnt/.status && umount_store mnt || return 1
	done
'

test_expect_success FUSE 'create: the new one is there when the write returns' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	ls mnt/dev >before && readlink mnt/dev/latest >>before &&
	echo create dev >mnt/.control && ls mnt/dev >after &&
	reply ".ok and .command == \"create\" and .error == null and
		.files == 3 and .environment == \"dev\" and .warnings == []" &&
	id=$(jq -r .id mnt/.control) && test_grep "^$id$" after &&
	reply ".reference == \"dev/$id\" and .seconds >= 0" &&
	[ "$(readlink mnt/dev/latest)" = $id ] &&
	diff -r "$EVENTS" mnt/dev/latest/events &&
	(cd mnt/dev/latest && echo "create tag=x \"tag=y z\"" >.control) &&
	id2=$(jq -r .id mnt/.control) && [ $id2 != $id ] &&
	jq -e ".tags == [\"x\", \"y z\"]" mnt/dev/latest/meta.json &&
	[ "$(readlink mnt/dev/latest)" = $id2 ] &&
	hxsnap verify dev/$id2
'

test_expect_success FUSE 'an environment is shown that the command has made' '
	mkdir -p live/new && echo x >live/new/x &&
	jq ".environments.new = {sources: {x: {kind: \"directory\",
		path: \"$TRASH/live/new\"}}}" "$HXSNAP_CONFIG" >new.json &&
	mount_store mnt config=new.json && test_when_finished "umount_store mnt" &&
	ls mnt >got && test_grep ! new got && test_path_is_missing mnt/new &&
	say "create new" && ls mnt >got && test_grep "^new$" got &&
	cat mnt/new/latest/x/x && say create mnt/new/.control &&
	[ "$(ls mnt/new | wc -l)" -eq 3 ] && rm -r "$STORE/backups/new"
'

test_expect_success FUSE 'from whatever writes' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	echo "verify dev/$ID" >line && before=$(acts) &&
	bash -c "echo verify dev/$ID >mnt/.control" &&
	bash -c "printf \"verify %s\\n\" dev/$ID >mnt/.control" &&
	dash -c "echo verify dev/$ID >mnt/.control" &&
	sh -c "cd mnt/dev/$ID && echo verify >.control" &&
	/bin/echo verify "dev/$ID" >mnt/.control &&
	/bin/echo -n verify "dev/$ID" >mnt/.control &&
	tee mnt/.control <line && tee -a mnt/.control <line &&
	cat line >mnt/.control && cp line mnt/.control &&
	dd if=line of=mnt/.control status=none &&
	dd if=line of=mnt/.control bs=1 status=none &&
	dd if=line of=mnt/.control bs=3 conv=notrunc status=none &&
	echo "verify dev/$ID" >>mnt/.control &&
	python3 -c "open(\"mnt/.control\", \"w\").write(\"verify dev/$ID\")" &&
	sed "s/x/x/w mnt/.control" line &&
	awk "{ print > \"mnt/.control\" }" line &&
	reply ".ok and .command == \"verify\" and
		.reference == \"dev/$ID\" and .faults == 0" &&
	[ "$(acts)" -eq $((before + 16)) ]
'

test_expect_success FUSE 'each failure has its errno, and says why' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	refused EINVAL "Invalid argument" say "frobnicate" &&
	refused EINVAL "Invalid argument" say "restore --force dev/$ID" &&
	refused EINVAL "Invalid argument" say "verify dev" &&
	refused EINVAL "Invalid argument" say "verify dev/2" &&
	refused EINVAL "Invalid argument" say "verify ../dev/latest" &&
	refused EINVAL "Invalid argument" say "verify dev/.." &&
	refused EINVAL "Invalid argument" say "verify \"dev/*\"" &&
	refused EINVAL "Invalid argument" say "verify dev/latest/events" &&
	refused EINVAL "Invalid argument" say "verify \"\"" &&
	refused EINVAL "Invalid argument" say "create Dev" &&
	refused EINVAL "Invalid argument" say "create \$(id)" &&
	refused ENOENT "No such file" say "verify dev/20240101T000000Z" &&
	refused EINVAL "Invalid argument" say "verify dev/latest-verifie" &&
	refused ENOENT "No such file" say "verify live/latest" &&
	refused ENOENT "No such file" say "verify dev/.rollbacks/latest" &&
	refused ENOENT "No such file" say "create live" &&
	mv "$EVENTS" "$EVENTS.away" &&
	test_when_finished "mv \"$EVENTS.away\" \"$EVENTS\"" &&
	refused EACCES "Permission denied" say "create dev" &&
	reply ".message | contains(\"does not exist\")" &&
	flip_byte "$STORE/backups/dev/$ID/events/a" 1 &&
	test_when_finished "flip_byte \"$STORE/backups/dev/$ID/events/a\" 1" &&
	refused EIO "Input/output error" say "verify dev/$ID" &&
	reply ".faults == 1 and (.message | contains(\"events/a\"))" &&
	(exec 8>"$STORE/.hxsnap/locks/dev" && flock 8 &&
		refused EBUSY "resource busy" say "create dev") &&
	test_must_fail bash -c "echo frob >mnt/.control" 2>err &&
	test_grep "write error: Invalid argument" err &&
	test_must_fail dash -c "echo frob >mnt/.control" 2>err &&
	test_grep "I/O error" err
'

test_expect_success FUSE,TMPFS 'a full disk is ENOSPC, and nothing is left' '
	mkdir -p full && mount -t tmpfs -o size=2m tmpfs full &&
	test_when_finished "umount full" && mkdir -p full/backups full/.hxsnap &&
	head -c 3000000 /dev/urandom >"$STATE/big" &&
	test_when_finished "rm \"$STATE/big\"" &&
	(sed "s,$STORE,$TRASH/full," "$HXSNAP_CONFIG" >full.json &&
		STORE=$TRASH/full && mount_store fmnt config=full.json &&
		test_must_fail /bin/echo create dev 2>err >fmnt/.control &&
		test_grep "No space left" err &&
		jq -e ".error == \"ENOSPC\"" fmnt/.control &&
		umount_store fmnt) &&
	test_path_is_missing full/backups/dev/latest &&
	[ -z "$(find full/backups -type f)" ]
'

test_expect_success FUSE 'lines, and what is none' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	before=$(acts) &&
	printf "verify dev/%s\n\nverify dev/%s\n" $ID $ID >two &&
	cat two >mnt/.control && [ "$(acts)" -eq $((before + 2)) ] &&
	printf "verify dev/%s\nfrob\nverify dev/%s\n" $ID $ID >three &&
	test_must_fail cat three >mnt/.control &&
	[ "$(acts)" -eq $((before + 4)) ] && before=$(acts) &&
	: >mnt/.control && printf "" >mnt/.control && echo >mnt/.control &&
	printf "\n \n\n" >mnt/.control && dd of=mnt/.control if=/dev/null &&
	[ "$(acts)" -eq "$before" ] &&
	printf "verify dev/%s \\n" "$ID" >mnt/.control &&
	refused EINVAL "Invalid argument" dd if=/dev/zero bs=1 count=1 \
		of=mnt/.control status=none &&
	printf "verify dev/%s\r\n" $ID >crlf &&
	refused EINVAL "Invalid argument" cp crlf mnt/.control &&
	reply ".message | contains(\"0x0d\")" &&
	refused EINVAL "Invalid argument" \
		dd if=/dev/zero of=mnt/.control bs=1M count=1 &&
	yes "frob" | head -c 1048576 >large &&
	refused EINVAL "Invalid argument" cp large mnt/.control &&
	{ printf "verify \"dev/$ID\"%4067s"; echo; } >most &&
	[ "$(wc -c <most)" -eq 4097 ] && cat most >mnt/.control &&
	{ printf "verify \"dev/$ID\"%4068s"; echo; } >more &&
	refused EINVAL "Invalid argument" cp more mnt/.control &&
	reply ".message | contains(\"4096\")" &&
	printf "verify \\377\\376\n" >bytes &&
	refused EINVAL "Invalid argument" cp bytes mnt/.control
'

test_expect_success FUSE 'a line that nobody ended is told, and does nothing' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	before=$(acts) && printf "creat" >mnt/.control &&
	reply ".error == \"EINVAL\" and (.message | contains(\"nothing was done\"))" &&
	[ "$(acts)" -eq "$before" ]
'

test_expect_success FUSE 'one open file: its own reply, whatever its place' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	exec 6<>mnt/.control && test_when_finished "exec 6>&-" &&
	cat <&6 >got && jq -e ".ok == null" got &&
	echo "verify dev/$ID" >&6 && say cancel &&
	dd bs=10 count=2 status=none <&6 >got && cat <&6 >>got &&
	jq -e ".ok and .command == \"verify\"" got &&
	reply ".command == \"cancel\"" &&
	test_must_fail /bin/echo frob 2>err >&6 && test_grep Invalid err &&
	cat <&6 >got && jq -e ".error == \"EINVAL\"" got &&
	python3 - <<-\END
	import json, os
	fd = os.open("mnt/.control", os.O_RDWR)
	os.write(fd, b"cancel\n")
	first = os.pread(fd, 10, 0)
	assert os.read(fd, 100000) and os.read(fd, 10) == b""
	text = os.pread(fd, 100000, 0)
	assert text[:10] == first and json.loads(text)["command"] == "cancel"
	os.lseek(fd, 0, os.SEEK_SET)
	assert os.read(fd, 100000) == text
	other = os.open("mnt/.control", os.O_RDONLY)
	assert os.pread(other, 5, 3) == text[3:8] and os.read(other, 9999) == text
	assert os.write(fd, b"") == 0
	assert os.pwrite(fd, b"can", 100000) == 3 and os.pwrite(fd, b"cel\n", 0) == 4
	assert os.write(fd, b"cancel\ncancel\n\n\n") == 7
	assert os.fstat(fd).st_size == 0
	END
'

test_expect_success FUSE 'to poll, select and epoll it is always ready, as a file is' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	say "verify dev/$ID" &&
	bash -c "read -t 20 -r line <mnt/.control && jq -e .ok <<<\"\$line\"" &&
	python3 - <<-\END
	import json, os, select
	fd = os.open("mnt/.control", os.O_RDWR)
	assert select.select([fd], [fd], [], 20) == ([fd], [fd], [])
	p = select.poll()
	p.register(fd, select.POLLIN | select.POLLOUT)
	assert p.poll(20000) == [(fd, select.POLLIN | select.POLLOUT)]
	e = select.epoll()
	e.register(fd, select.EPOLLIN | select.EPOLLOUT)
	assert e.poll(20) == [(fd, select.EPOLLIN | select.EPOLLOUT)]
	os.write(fd, b"cancel\n")
	assert e.poll(20) and json.loads(os.read(fd, 9999))["command"] == "cancel"
	END
'

test_expect_success FUSE 'what is done to any file is no command' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	before=$(acts) &&
	truncate -s 0 mnt/.control && touch mnt/.control &&
	touch -d 2020-01-01 mnt/.control &&
	test_must_fail truncate -s 10 mnt/.control &&
	for try in "chmod 666 mnt/.control" "chown 1:1 mnt/.control"; do
		if [ "$(id -u)" -eq 0 ]; then
			test_must_fail $try 2>err && test_grep "not permitted" err
		else
			test_must_fail $try
		fi || return 1
	done &&
	for try in "rm -f mnt/.control" "mv mnt/.control mnt/x" \
		"sed -i s/a/b/ mnt/.control" "ln mnt/.control mnt/x" \
		"fallocate -l 10 mnt/.control" "rm -f mnt/dev/.control" \
		"mv crlf mnt/dev/.control" "touch mnt/dev/.rollbacks/.control"; do
		test_must_fail $try 2>err || return 1
	done &&
	[ "$(stat -c %a mnt/.control)" = 600 ] &&
	python3 - <<-\END &&
	import mmap, os
	fd = os.open("mnt/.control", os.O_RDWR | os.O_TRUNC | os.O_CREAT)
	try:
	    mmap.mmap(fd, 4096, mmap.MAP_SHARED)
	    raise SystemExit("mapped")
	except (OSError, ValueError):
	    pass
	os.close(os.open("mnt/.control", os.O_RDONLY | os.O_TRUNC))
	END
	[ "$(acts)" -eq "$before" ] && reply ".ok == null"
'

test_expect_success FUSE 'reading it all has no side effect, and ends' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	say "verify dev/$ID" && before=$(acts) && ls "$STORE/backups/dev" >want &&
	test_must_fail grep -r --exclude-dir=$HUGE nosuchtext mnt &&
	tar -cf - --exclude=$HUGE mnt >all.tar &&
	tar -xOf all.tar mnt/.control >/dev/null &&
	find mnt -name .control -exec head -c 100 {} + >got &&
	test_grep verify got && cp -r mnt/.control copy && jq -e .ok copy &&
	wc -c mnt/.control && tail -n 3 mnt/.control && file mnt/.control &&
	[ "$(acts)" -eq "$before" ] && ls "$STORE/backups/dev" >got &&
	test_cmp want got && reply ".command == \"verify\""
'

test_expect_success FUSE,SETPRIV 'others may neither write nor read it' '
	mount_store mnt allow_other && test_when_finished "umount_store mnt" &&
	before=$(acts) &&
	for dir in mnt mnt/dev mnt/dev/$ID; do
		test_must_fail as_nobody sh -c "echo cancel >$dir/.control" &&
		test_must_fail as_nobody cat $dir/.control 2>err &&
		test_grep denied err || return 1
	done &&
	[ "$(acts)" -eq "$before" ] && as_nobody cat mnt/.status >/dev/null &&
	test_must_fail as_nobody /bin/echo "create dev" 2>err >mnt/.control &&
	test_grep denied err &&
	reply ".error == \"EACCES\" and (.message | contains(\"65534\"))" &&
	tail -n 1 "$STORE/.hxsnap/audit.log" >got &&
	jq -e ".uid == 65534 and .status == 5 and (.ok | not) and
		.from == \"control\"" got
'

test_expect_success FUSE,SETPRIV 'members of control_gid may' '
	mount_store mnt allow_other,control_gid=4321 &&
	test_when_finished "umount_store mnt" &&
	[ "$(stat -c "%a %u %g" mnt/dev/.control)" = "660 0 4321" ] &&
	setpriv --reuid 2000 --regid 4321 --clear-groups \
		sh -c "echo verify dev/$ID >mnt/.control && cat mnt/.control" &&
	setpriv --reuid 2000 --regid 2000 --groups 1,4321,5 \
		sh -c "cd mnt/dev/$ID && echo verify >.control" &&
	tail -n 1 "$STORE/.hxsnap/audit.log" >got &&
	jq -e ".uid == 2000 and .ok and .pid > 0 and .act == \"verify\"" got &&
	test_must_fail setpriv --reuid 2000 --regid 2000 --groups 1,5 \
		sh -c "echo cancel >mnt/.control" &&
	test_must_fail as_nobody cat mnt/.control
'

test_expect_success FUSE,SETPRIV,!SANITIZER 'an ordinary user controls his own mount' '
	mkdir theirs && cp -a "$STORE" theirs/ && rm -r theirs/store/.hxsnap/locks &&
	cp -a live theirs/ && mkdir theirs/mnt &&
	sed "s,$TRASH/,$TRASH/theirs/,g" "$HXSNAP_CONFIG" >theirs/hxsnap.json &&
	chown -R 65534:65534 theirs &&
	cat >user.sh <<-\END &&
	umount -a -t fuse.hxsnapfs
	mount --make-rprivate / && mkdir dev && mount -t tmpfs tmpfs dev &&
	mknod -m 666 dev/fuse c 10 229 && mount --bind dev/fuse /dev/fuse &&
	cd theirs && unset HXSNAP_CONFIG &&
	setpriv --reuid 65534 --regid 65534 --clear-groups sh -c "
		hxsnapfs store mnt && cd mnt/dev &&
		echo create >.control && jq -e .ok .control >&3 &&
		cd latest && echo verify >.control && jq -e .ok .control >&3 &&
		cd ../../.. && fusermount3 -u mnt" 3>../user.out
	END
	unshare -m sh user.sh && printf "true\ntrue\n" >want &&
	test_cmp want user.out &&
	jq -s -e ".[-1].uid == 65534 and .[-1].ok" \
		theirs/store/.hxsnap/audit.log
'

test_expect_success FUSE 'while a command is under way: told, busy, and reads go on' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	begin "verify dev/$HUGE" &&
	under_way &&
	jq -e ".operation | .command == \"verify\" and .environment == \"dev\" and
		.bytes_total > 1000000000000 and .phase == \"verifying\" and
		(.started_at | fromdate) <= now and .cancelling == false" mnt/.status &&
	jq -e ".operation.command == \"verify\"" mnt/dev/.status &&
	jq -e ".operation == null" mnt/dev/$ID/.status &&
	grep "^hxsnap_operation_running 1$" mnt/.metrics &&
	diff -r "$EVENTS" mnt/dev/$ID/events && ls -lR mnt >/dev/null &&
	refused EBUSY "resource busy" say "verify dev/$ID" &&
	reply ".message | contains(\"verify dev/$HUGE\")" &&
	refused EBUSY "resource busy" say "create dev" &&
	refused EINVAL "Invalid argument" say "frob" &&
	kill -0 $writer && say cancel mnt/dev/.control &&
	reply ".ok and .command == \"cancel\" and .cancelled" &&
	! wait $writer && test_grep "Operation canceled" said &&
	jq -e ".operation == null" mnt/.status &&
	say cancel && reply ".ok and .cancelled == false" &&
	say "verify dev/$ID" && grep "^hxsnap_operation_running 0$" mnt/.metrics &&
	grep "^hxsnap_commands_total 7$" mnt/.metrics &&
	grep "^hxsnap_commands_failed_total 4$" mnt/.metrics
'

test_expect_success FUSE 'several who cancel are all answered' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	begin "verify dev/$HUGE" &&
	under_way && pids= &&
	for i in 1 2 3 4 5 6 7 8; do
		/bin/echo cancel >mnt/.control &
		pids="$pids $!"
	done &&
	for pid in $pids; do
		wait $pid || return 1
	done &&
	! wait $writer && idle
'

for signal in KILL TERM HUP ALRM USR1; do

test_expect_success FUSE "a writer that SIG$signal ends cancels his command" '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	begin "verify dev/$HUGE" &&
	under_way && kill -$signal $writer && ! wait $writer && idle &&
	reply ".error == \"ECANCELED\" and .command == \"verify\"" &&
	say "verify dev/$ID"
'

done

test_expect_success FUSE 'one who catches SIGINT gets an answer and may go on' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	cat >catches.py <<-\END &&
	import errno, os, signal, sys
	signal.signal(signal.SIGINT, lambda *a: None)
	fd = os.open("mnt/.control", os.O_RDWR)
	try:
	    os.write(fd, sys.argv[1].encode() + b"\n")
	    sys.exit(2)
	except OSError as e:
	    sys.exit(e.errno != errno.ECANCELED)
	END
	{ python3 catches.py "verify dev/$HUGE" & } && writer=$! && under_way && kill -INT $writer && wait $writer && idle
'

test_expect_success FUSE 'one who is stopped, or whose child ends, goes on waiting' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	{ bash -c "trap : CHLD USR1; sleep 0.1 & echo verify dev/$HUGE \
		>mnt/.control" 2>said & } && writer=$! && under_way &&
	test_poll 10 "! pgrep -P $writer -r S >/dev/null" &&
	kill -USR1 $writer && kill -STOP $writer && kill -CHLD $writer &&
	kill -WINCH $writer && kill -CONT $writer && kill -STOP $writer &&
	was=$(jq .operation.seconds mnt/.status) &&
	test_poll 10 "[ \$(jq .operation.seconds mnt/.status) -gt $((was + 1)) ]" &&
	jq -e ".operation.cancelling == false" mnt/.status &&
	kill -CONT $writer && kill -TERM $writer && ! wait $writer && idle
'

test_expect_success FUSE 'a backup that is cancelled leaves nothing' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	truncate -s 200G "$STATE/huge" && test_when_finished "rm \"$STATE/huge\"" &&
	ls -A "$STORE/backups/dev" >want &&
	begin "create dev" &&
	test_poll 20 "jq -e \".operation.phase == \\\"reading\\\"\" \
		mnt/.status >/dev/null" &&
	say cancel && ! wait $writer && test_grep canceled said &&
	ls -A "$STORE/backups/dev" >got && test_cmp want got && rm "$STATE/huge" &&
	: >"$STATE/huge" && say "create dev"
'

test_expect_success FUSE 'SIGTERM cancels, answers, and ends with success' '
	mount_store mnt &&
	begin "verify dev/$HUGE" &&
	under_way && kill -TERM "$(store_pid mnt)" && wait_store mnt &&
	! wait $writer && test_grep "canceled" said &&
	! findmnt -n mnt && tail -n 1 "$STORE/.hxsnap/audit.log" >got &&
	jq -e ".act == \"verify\" and (.ok | not)" got
'

test_expect_success FUSE,ROOT 'it cannot be unmounted meanwhile, but lazily or by force' '
	mount_store mnt &&
	begin "verify dev/$HUGE" &&
	under_way && test_must_fail umount mnt && umount -l mnt &&
	kill -0 $writer && kill -KILL $writer && ! wait $writer &&
	wait_store mnt && mount_store mnt &&
	begin "verify dev/$HUGE" &&
	under_way && { umount -f mnt; ! wait $writer; } &&
	{ umount mnt; wait_store mnt; }
'

test_expect_success FUSE 'the configuration: read when it is wanted' '
	mkdir -p start && cp "$HXSNAP_CONFIG" good.json &&
	(cd start && unset HXSNAP_CONFIG && mount_store ../mnt) &&
	test_when_finished "umount_store mnt" &&
	{ [ -e /etc/hxsnap.json ] ||
		refused ENOENT "No such file" say "create dev"; } &&
	say "verify dev/$ID" && echo "{" >start/hxsnap.json &&
	refused EINVAL "Invalid argument" say "create dev" &&
	reply ".message | contains(\"$TRASH/start/hxsnap.json\")" &&
	cp good.json start/hxsnap.json && say "create dev" &&
	chmod 666 start/hxsnap.json &&
	refused EINVAL "Invalid argument" say "create dev" &&
	rm start/hxsnap.json && mkfifo start/hxsnap.json &&
	refused EINVAL "Invalid argument" say "create dev" &&
	rm start/hxsnap.json && mkdir start/hxsnap.json &&
	refused EINVAL "Invalid argument" say "create dev" &&
	rmdir start/hxsnap.json && truncate -s 1G start/hxsnap.json &&
	refused EINVAL "Invalid argument" say "create dev" &&
	make_store other && rm start/hxsnap.json &&
	sed "s,$STORE,$TRASH/other," good.json >start/hxsnap.json &&
	refused EINVAL "Invalid argument" say "create dev" &&
	reply ".message | contains(\"$TRASH/other\")" &&
	rm start/hxsnap.json && ln -s ../good.json start/hxsnap.json &&
	say "create dev" && jq -e ".environments" mnt/.status
'

test_expect_success FUSE 'a relative one counts from where the mount was started' '
	mkdir -p from && cp "$HXSNAP_CONFIG" from/c.json &&
	(cd from && export HXSNAP_CONFIG=c.json && mount_store ../mnt) &&
	say "create dev" && umount_store mnt &&
	(cd from && export HXSNAP_CONFIG=none.json &&
		mount_store ../mnt config=./c.json) &&
	say "create dev" && umount_store mnt && ln -s c.json from/link.json &&
	mount_store mnt config=from/link.json &&
	test_when_finished "umount_store mnt" &&
	ln -sf nowhere.json from/link.json &&
	refused ENOENT "No such file" say "create dev" &&
	ln -sf c.json from/link.json && say "create dev"
'

test_expect_success FUSE 'a project with .env files' '
	mkdir -p project/ev project/pr && echo e >project/ev/e &&
	echo p >project/pr/p &&
	printf "EVENT_STORE_PATH=ev\nPROJECTIONS_DB_PATH=pr\n" >project/.env.dev &&
	(cd project && unset HXSNAP_CONFIG && hxsnap create dev &&
		STORE=$TRASH/project/data && mount_store mnt &&
		/bin/echo create dev >mnt/.control && jq -e .ok mnt/.control &&
		cat mnt/dev/latest/events/e && umount_store mnt)
'

test_expect_success FUSE 'two mounts of one store: one works, the other is busy' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	mount_store mnt2 && test_when_finished "umount_store mnt2" &&
	truncate -s 200G "$STATE/huge" && test_when_finished "rm \"$STATE/huge\"" &&
	begin "create dev" &&
	test_poll 20 "jq -e \".operation.phase == \\\"reading\\\"\" \
		mnt/.status >/dev/null" &&
	test_must_fail /bin/echo create dev 2>err >mnt2/.control &&
	test_grep "resource busy" err && say "verify dev/$ID" mnt2/.control &&
	say cancel mnt2/.control && jq -e ".cancelled == false" mnt2/.control &&
	kill -0 $writer && say cancel && ! wait $writer
'

test_expect_success FUSE 'refusals without end are counted; what is done among them is recorded' '
	mount_store mnt && test_when_finished "umount_store mnt" && before=$(acts) &&
	for i in $(seq 500); do
		/bin/echo no such command 2>>floods >mnt/.control || :
	done && [ $(($(acts) - before)) -lt 500 ] &&
	grep -c "[Ii]nvalid argument" floods >got && echo 500 >want && test_cmp want got &&
	say "create dev" && tail -n 1 "$STORE/.hxsnap/audit.log" | jq -e ".act == \"create\" and .ok" &&
	tail -n 2 "$STORE/.hxsnap/audit.log" | head -n 1 >got &&
	jq -e "(.ok | not) and .uid == $(id -u) and .pid > 0 and
		(.message | test(\"^[0-9]+ more.*too fast\"))" got
'

test_expect_success FUSE 'every act is one line of the log, each with the hash of the last' '
	jq -e -s "map(select(.from == \"control\")) | length > 50 and
		all(.uid >= 0 and .pid > 0 and (.when | fromdate > 0))" \
		"$STORE/.hxsnap/audit.log" &&
	jq -e -s "map(select(.act == \"create\" and .from == \"control\" and .ok)) |
		all(.reference | test(\"^[a-z]+/2\"))" "$STORE/.hxsnap/audit.log" &&
	python3 - "$STORE/.hxsnap/audit.log" <<-\END
	import hashlib, json, sys
	last = "0" * 64
	for line in open(sys.argv[1], "rb"):
	    assert json.loads(line)["previous"] == last, line
	    last = hashlib.sha256(line).hexdigest()
	END
'

test_done
