#!/bin/sh
test_description='a backup that a shell script made is a first-class snapshot'

. "$(dirname "$0")/../lib/lib.sh"

ID=20260101T000000Z

# script ID: ten lines of shell that know nothing of us
script() {
	dir=$STORE/backups/dev/$1
	mkdir -p "$dir" &&
		cp -a "$EVENTS" "$dir/" &&
		(cd "$dir" && find . -type f ! -name manifest.sha256 \
			-exec sha256sum {} + >manifest.sha256)
}

test_expect_success 'a tree, copied and summed by a script' '
	make_store && new_env &&
	mkdir "$EVENTS/sub" "$EVENTS/none" &&
	echo small >"$EVENTS/small" &&
	: >"$EVENTS/empty" &&
	head -c 700000 /dev/urandom >"$EVENTS/big" &&
	ln "$EVENTS/big" "$EVENTS/sub/again" &&
	ln -s ../small "$EVENTS/sub/link" &&
	ln -P "$EVENTS/sub/link" "$EVENTS/twin" &&
	printf x >"$EVENTS/back\\slash" &&
	printf y >"$EVENTS/new
line" &&
	script $ID
'

test_expect_success FUSE 'it reads as it was, and its manifest holds' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	test_same_tree "$EVENTS" mnt/dev/$ID/events &&
	(cd mnt/dev/latest && sha256sum -c --strict --quiet manifest.sha256) &&
	jq -e ".state == \"ok\" and .foreign and .files == 6 and .unlisted == 0" \
		mnt/dev/$ID/.status
'

test_expect_success FUSE 'whatever sha256sum writes and accepts is read' '
	for id in 20260102T000000Z 20260103T000000Z; do
		cp -a "$STORE/backups/dev/$ID" "$STORE/backups/dev/$id" || return 1
	done &&
	sed "s,  \./, *," <"$STORE/backups/dev/$ID/manifest.sha256" \
		>"$STORE/backups/dev/20260102T000000Z/manifest.sha256" &&
	sort -r <"$STORE/backups/dev/$ID/manifest.sha256" \
		>"$STORE/backups/dev/20260103T000000Z/manifest.sha256" &&
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	test_same_tree "$EVENTS" mnt/dev/20260102T000000Z/events &&
	test_same_tree "$EVENTS" mnt/dev/20260103T000000Z/events
'

test_expect_success FUSE 'a file is hashed whole at its first open and once' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	cat mnt/dev/$ID/events/big >got && test_cmp "$EVENTS/big" got &&
	dd if=mnt/dev/$ID/events/big of=got bs=4096 skip=100 count=3 \
		iflag=direct status=none &&
	dd if="$EVENTS/big" of=want bs=4096 skip=100 count=3 status=none &&
	test_cmp want got
'

test_expect_success FUSE 'one wrong byte: the file cannot be opened, others can' '
	mkdir keep && cp -a "$STORE/backups/dev/$ID" keep/ &&
	test_when_finished "rm -rf \"$STORE/backups/dev/$ID\" &&
		mv keep/$ID \"$STORE/backups/dev/\"" &&
	flip_byte "$STORE/backups/dev/$ID/events/big" 400000 &&
	mount_store mnt xattr=on &&
	test_when_finished "umount_store mnt" &&
	ls -l mnt/dev/$ID/events/big &&
	test_must_fail cat mnt/dev/$ID/events/big 2>err &&
	test_grep "Input/output error" err &&
	test_must_fail cat mnt/dev/$ID/events/sub/again 2>err &&
	cat mnt/dev/$ID/events/small >got && test_cmp "$EVENTS/small" got &&
	getfattr --only-values -n user.hxsnap.fault mnt/dev/$ID/events/big >got &&
	test_grep "expected" got &&
	jq -e ".faults | length == 1 and .[0].kind == \"digest\"" \
		mnt/dev/$ID/.status &&
	test_grep "dev/$ID/events/big" mnt.log
'

test_expect_success FUSE 'a listed file that is missing is listed and cannot be opened' '
	cp -a "$STORE/backups/dev/$ID" "$STORE/backups/dev/20260104T000000Z" &&
	rm -r "$STORE/backups/dev/20260104T000000Z/events/small" \
		"$STORE/backups/dev/20260104T000000Z/events/sub" &&
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	ls mnt/dev/latest/events >got && test_grep "^small$" got &&
	ls mnt/dev/latest/events/sub >got && test_grep "^again$" got &&
	test_must_fail cat mnt/dev/latest/events/small 2>err &&
	test_grep "Input/output error" err &&
	test_must_fail cat mnt/dev/latest/events/sub/again 2>err &&
	test_grep "Input/output error" err &&
	cat mnt/dev/latest/events/big >got && test_cmp "$EVENTS/big" got
'

test_expect_success FUSE 'what the manifest does not list is not shown, and counted' '
	cp -a "$STORE/backups/dev/$ID" "$STORE/backups/dev/20260105T000000Z" &&
	echo more >"$STORE/backups/dev/20260105T000000Z/events/extra" &&
	echo more >"$STORE/backups/dev/20260105T000000Z/events/none/extra" &&
	mkfifo "$STORE/backups/dev/20260105T000000Z/events/fifo" &&
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	find mnt/dev/latest/ >got &&
	test_grep ! extra got && test_grep ! fifo got &&
	test_path_is_missing mnt/dev/latest/events/extra &&
	jq -e ".unlisted == 3" mnt/dev/latest/.status &&
	jq -e ".damage.unlisted == 3" mnt/.status
'

test_expect_success FUSE 'a manifest that is none makes the snapshot damaged, not empty' '
	cp -a "$STORE/backups/dev/$ID" "$STORE/backups/dev/20260106T000000Z" &&
	echo nonsense >>"$STORE/backups/dev/20260106T000000Z/manifest.sha256" &&
	mkdir "$STORE/backups/dev/20260107T000000Z" &&
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	ls mnt/dev >got && test_grep 20260106T000000Z got &&
	test_must_fail ls mnt/dev/20260106T000000Z 2>err &&
	test_grep "Input/output error" err &&
	test_must_fail ls mnt/dev/20260107T000000Z 2>err &&
	test_grep "Input/output error" err &&
	jq -e ".state == \"damaged\" and (.reason | test(\"line 7\"))" \
		mnt/dev/20260106T000000Z/.status &&
	jq -e ".state == \"damaged\" and (.reason | test(\"missing\"))" \
		mnt/dev/20260107T000000Z/.status &&
	jq -e ".damage.snapshots == 2 and (.damaged_snapshots | length == 2)" \
		mnt/.status &&
	cat mnt/dev/$ID/events/small
'

test_expect_success FUSE 'names of ours inside a snapshot are its own' '
	rm -r "$STORE/backups/dev/20260106T000000Z" &&
	dir=$STORE/backups/dev/20260108T000000Z &&
	mkdir "$dir" && echo mine >"$dir/.status" && echo too >"$dir/.control" &&
	(cd "$dir" && sha256sum .control .status >manifest.sha256) &&
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	echo mine >want && cat mnt/dev/latest/.status >got && test_cmp want got &&
	echo too >want && cat mnt/dev/latest/.control >got && test_cmp want got &&
	ls -A mnt/dev/latest/ >got &&
	printf "%s\n" .control .status manifest.sha256 >want && test_cmp want got
'

# So large that hashing it outlasts the test on any machine.
test_expect_success FUSE 'while a huge file is hashed others are served, and one may give up' '
	dir=$STORE/backups/huge/$ID && mkdir -p "$dir" &&
	truncate -s 4T "$dir/huge" && echo small >"$dir/small" &&
	(cd "$dir" && sha256sum small >manifest.sha256 &&
		sed "s/small/huge/" manifest.sha256 >>manifest.sha256) &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	mkdir readers &&
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		cat mnt/huge/$ID/huge >/dev/null 2>&1 &
		echo $! >readers/$i
	done &&
	for i in 1 2 3 4 5; do
		timeout 10 cat mnt/huge/$ID/small mnt/dev/$ID/events/small &&
		timeout 10 jq -e .pid mnt/.status || return 1
	done &&
	kill -TERM $(cat readers/*) &&
	test_poll 10 "! ps -o stat= -p $(cat readers/* | paste -sd,) |
		grep -v Z" &&
	timeout 10 cat mnt/huge/$ID/small
'

test_done
