#!/bin/sh
test_description='nobody sees or does through a mount what he may not'

. "$(dirname "$0")/../lib/lib.sh"

ID=20260101T000000Z

test_expect_success ROOT 'files of several owners and modes' '
	make_store && new_env && cd "$EVENTS" &&
	echo public >public && echo secret >secret && chmod 600 secret &&
	echo group >group && chgrp 1234 group && chmod 640 group &&
	echo theirs >theirs && chown 65534:65534 theirs && chmod 400 theirs &&
	mkdir closed && echo inside >closed/file && chmod 700 closed &&
	mkdir blind && echo inside >blind/file && chmod 711 blind &&
	cp /usr/bin/id suid && chmod 4755 suid &&
	cp /usr/bin/id sgid && chmod 2755 sgid &&
	ln -s secret way &&
	cd "$TRASH" && foreign_snapshot dev $ID "$EVENTS"
'

test_expect_success FUSE,SETPRIV 'without allow_other nobody else comes in, root neither' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	test_must_fail as_nobody ls mnt 2>err && test_grep "denied" err &&
	test_must_fail as_nobody cat mnt/dev/latest/events/public
'

test_expect_success FUSE,SETPRIV 'with it the original permissions hold' '
	mount_store mnt allow_other && test_when_finished "umount_store mnt" &&
	cd mnt/dev/latest/events &&
	as_nobody cat public && as_nobody cat theirs &&
	for name in secret group way closed/file; do
		test_must_fail as_nobody cat $name 2>"$TRASH/err" &&
		test_grep "denied" "$TRASH/err" || return 1
	done &&
	test_must_fail as_nobody ls closed && test_must_fail as_nobody ls blind &&
	as_nobody cat blind/file &&
	setpriv --reuid 65534 --regid 65534 --groups 1234 cat group &&
	cat secret closed/file &&
	test_must_fail as_nobody cat secret && cd "$TRASH"
'

test_expect_success FUSE,SETPRIV 'what root has read before is not for others' '
	mount_store mnt allow_other && test_when_finished "umount_store mnt" &&
	cat mnt/dev/latest/events/secret && ls -lR mnt >/dev/null &&
	test_must_fail as_nobody cat mnt/dev/latest/events/secret &&
	test_must_fail as_nobody ls mnt/dev/latest/events/closed
'

for how in allow_other allow_other,suid,dev,exec allow_other,nocontrol,suid,dev; do

test_expect_success FUSE,SETPRIV "set-user-ID is shown and has no effect ($how)" '
	mount_store mnt "$how" && test_when_finished "umount_store mnt" &&
	[ "$(stat -c %a mnt/dev/latest/events/suid)" = 4755 ] &&
	[ "$(stat -c %a mnt/dev/latest/events/sgid)" = 2755 ] &&
	setpriv --reuid 65534 --regid 65534 --clear-groups \
		mnt/dev/latest/events/suid -u >got &&
	echo 65534 >want && test_cmp want got &&
	setpriv --reuid 65534 --regid 65534 --clear-groups \
		mnt/dev/latest/events/sgid -g >got && test_cmp want got &&
	findmnt -n -o OPTIONS mnt >got &&
	test_grep nosuid got && test_grep nodev got
'

done

test_expect_success FUSE,ROOT 'noexec is kept' '
	mount_store mnt noexec && test_when_finished "umount_store mnt" &&
	! mnt/dev/latest/events/suid 2>err && test_grep "denied" err
'

test_expect_success FUSE,SETPRIV 'closed directories of the store stay closed' '
	mkdir "$STORE/backups/shut" &&
	cp -a "$STORE/backups/dev/$ID" "$STORE/backups/shut/" &&
	chmod 700 "$STORE/backups/shut" &&
	test_when_finished "rm -r \"$STORE/backups/shut\"" &&
	mount_store mnt allow_other && test_when_finished "umount_store mnt" &&
	[ "$(stat -c "%a %u" mnt/shut)" = "700 0" ] &&
	test_must_fail as_nobody ls mnt/shut &&
	test_must_fail as_nobody cat mnt/shut/$ID/events/public &&
	chmod 700 "$STORE/backups" &&
	test_when_finished "chmod 755 \"$STORE/backups\"" &&
	test_poll 3 "! as_nobody ls mnt 2>/dev/null"
'

test_expect_success FUSE,SETPRIV 'a stranger learns of damage, but no paths' '
	flip_byte "$STORE/backups/dev/$ID/events/closed/file" 0 &&
	test_when_finished "flip_byte \"$STORE/backups/dev/$ID/events/closed/file\" 0" &&
	mount_store mnt allow_other && test_when_finished "umount_store mnt" &&
	test_must_fail cat mnt/dev/latest/events/closed/file &&
	jq -e ".faults[0].path == \"events/closed/file\"" mnt/.status &&
	as_nobody cat mnt/.status >got && test_grep ! closed got &&
	jq -e ".damage.files == 1 and .faults[0].path == null" got &&
	as_nobody cat mnt/dev/latest/.status >got && test_grep ! closed got &&
	as_nobody cat mnt/dev/.status >got && test_grep ! closed got &&
	as_nobody cat mnt/.metrics
'

test_expect_success FUSE,SETPRIV 'the control group is no stranger' '
	flip_byte "$STORE/backups/dev/$ID/events/closed/file" 0 &&
	test_when_finished "flip_byte \"$STORE/backups/dev/$ID/events/closed/file\" 0" &&
	mount_store mnt allow_other,control_gid=4321 &&
	test_when_finished "umount_store mnt" &&
	test_must_fail cat mnt/dev/latest/events/closed/file &&
	setpriv --reuid 65534 --regid 4321 --clear-groups \
		jq -e ".faults[0].path == \"events/closed/file\"" mnt/.status &&
	setpriv --reuid 65534 --regid 65534 --groups 4321 \
		jq -e ".faults[0].path == \"events/closed/file\"" mnt/.status
'

test_expect_success ROOT,ACL 'a backup with ACLs' '
	mkdir acl && cd acl &&
	for name in user nouser group nogroup masked; do
		echo $name >$name && chmod 644 $name || return 1
	done &&
	chmod 600 user && setfacl -m u:65534:r user &&
	setfacl -m u:65534:- nouser &&
	chmod 600 group && setfacl -m g:1234:r group &&
	setfacl -m g:1234:- nogroup &&
	chmod 600 masked && setfacl -m u:65534:rw,m::- masked &&
	mkdir dir && echo x >dir/file && setfacl -m u:65534:- dir &&
	cd "$TRASH" && foreign_snapshot acl $ID acl
'

# allowed OPTIONS: who may read what, one line each
allowed() {
	for name in user nouser group nogroup masked dir/file; do
		for who in "65534 65534 0" "65534 1234 0" "2000 1234 0" \
			"2000 2000 1234" "2000 2000 2000"; do
			# shellcheck disable=SC2086 # three words
			set -- "$1" $who
			if setpriv --reuid "$2" --regid "$3" --groups "$4" \
				cat "$1/$name" >/dev/null 2>&1; then
				echo "$name $2 $3 $4"
			fi
		done
	done
}

test_expect_success FUSE,SETPRIV,ACL 'with attributes ACLs allow exactly what they did' '
	allowed acl >want && test_grep "^user 65534" want &&
	test_grep ! "^nouser 65534" want &&
	mount_store mnt allow_other,xattr=on &&
	test_when_finished "umount_store mnt" &&
	allowed mnt/acl/latest/acl >got && test_cmp want got &&
	find acl | sort | xargs getfacl >want &&
	(cd mnt/acl/latest && find acl | sort | xargs getfacl) >got &&
	test_cmp want got
'

test_expect_success FUSE,SETPRIV,ACL 'without them, never more' '
	allowed acl | sort >want &&
	mount_store mnt allow_other,xattr=off &&
	test_when_finished "umount_store mnt" &&
	allowed mnt/acl/latest/acl | sort >got &&
	comm -13 want got >more && test_line_count 0 more &&
	cat mnt/acl/latest/acl/masked >/dev/null
'

test_expect_success FUSE,ROOT 'nothing outside the store is read, whatever links say' '
	echo outside >outside &&
	dir=$STORE/backups/links/$ID && mkdir -p "$dir/src" &&
	(cd "$dir/src" && echo in >in && ln -s "$TRASH/outside" absolute &&
		ln -s ../../../../../outside climbs && ln -s self self &&
		for i in $(seq 41); do ln -s "c$((i + 1))" "c$i" || exit 1; done &&
		cd .. && sha256sum src/in >manifest.sha256) &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	[ "$(readlink mnt/links/latest/src/absolute)" = "$TRASH/outside" ] &&
	[ "$(readlink mnt/links/latest/src/climbs)" = \
		../../../../../outside ] &&
	[ "$(readlink mnt/links/latest/src/self)" = self ] &&
	test_must_fail cat mnt/links/latest/src/climbs &&
	test_must_fail cat mnt/links/latest/src/c1 &&
	rm -r "$STORE/backups/links" &&
	mkdir -p elsewhere/$ID/src && echo in >elsewhere/$ID/src/in &&
	(cd elsewhere/$ID && sha256sum src/in >manifest.sha256) &&
	ln -s "$TRASH/elsewhere" "$STORE/backups/linked" &&
	mkdir "$STORE/backups/half" &&
	ln -s "$TRASH/elsewhere/$ID" "$STORE/backups/half/$ID" &&
	test_poll 2 "ls mnt | grep -q half" &&
	test_path_is_missing mnt/linked && test_path_is_missing mnt/half/$ID &&
	ls mnt >got && test_grep ! linked got &&
	rm "$STORE/backups/linked" && rm -r "$STORE/backups/half"
'

test_expect_success FUSE,ROOT 'special files in the store do not show and do not block' '
	dir=$STORE/backups/odd/$ID && mkdir -p "$dir/src" &&
	(cd "$dir/src" && echo in >in && mkfifo fifo && mknod null c 1 3 &&
		mknod disk b 7 99 && cd .. && sha256sum src/in >manifest.sha256) &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	ls mnt/odd/latest/src >got && echo in >want && test_cmp want got &&
	jq -e ".unlisted == 3" mnt/odd/latest/.status &&
	(cd "$dir" && printf "%s  %s\n" "$(sha256sum </dev/null | cut -d" " -f1)" \
		src/fifo "$(sha256sum </dev/null | cut -d" " -f1)" src/null \
		>>manifest.sha256) &&
	cp -a "$dir" "$STORE/backups/odd/20260102T000000Z" &&
	test_poll 2 "[ -d mnt/odd/20260102T000000Z ]" &&
	ls -l mnt/odd/20260102T000000Z/src >got && test_grep "^-.* fifo$" got &&
	for name in fifo null; do
		test_must_fail timeout 10 cat \
			mnt/odd/20260102T000000Z/src/$name 2>err &&
		test_grep "Input/output" err || return 1
	done
'

test_done
