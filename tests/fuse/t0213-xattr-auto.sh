#!/bin/sh
test_description='extended attributes: answered only where a snapshot has some'
. "$(dirname "$0")/../lib/lib.sh"

test_expect_success FUSE 'a store without any does not answer, and says so' '
	make_store &&
	new_env &&
	echo one >"$EVENTS/file" &&
	echo one >"$STATE/file" &&
	first=$(hxsnap create dev) &&
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	! getfattr -n user.hxsnap.sha256 "mnt/dev/$first/events/file" 2>err &&
	test_grep "not supported" err &&
	[ "$(jq .xattr.active mnt/.status)" = false ] &&
	setfattr -n user.note -v kept "$EVENTS/file" &&
	second=$(hxsnap create dev) &&
	test_poll 5 "cat mnt/dev/$second/events/file" &&
	[ "$(jq .xattr.remount_would_show mnt/.status)" = true ]
'

test_expect_success FUSE 'the next mount answers, for old and new' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	getfattr --only-values -n user.note "mnt/dev/$second/events/file" >got &&
	printf kept >want &&
	test_cmp want got &&
	! getfattr -n user.note "mnt/dev/$first/events/file" &&
	getfattr --only-values -n user.hxsnap.sha256 \
		"mnt/dev/$first/events/file" >got &&
	[ "$(cat got)" = "$(sha256sum <"$EVENTS/file" | cut -c-64)" ]
'

test_expect_success FUSE 'so does one whose newest snapshots have none' '
	setfattr -x user.note "$EVENTS/file" &&
	hxsnap create dev &&
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	[ "$(jq .xattr.active mnt/.status)" = true ] &&
	getfattr -n user.note "mnt/dev/$second/events/file"
'

test_done
