#!/bin/sh
test_description='the verbs that mount, and what they clean up'

. "$(dirname "$0")/../lib/lib.sh"

test_expect_success 'a small store, made by script' '
	make_store && new_env && echo hello >"$EVENTS/a" &&
	foreign_snapshot dev 20260101T000000Z "$EVENTS" "$STATE"
'

test_expect_success FUSE 'mount, read, unmount' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	cat mnt/dev/20260101T000000Z/events/a >got &&
	test_cmp "$EVENTS/a" got &&
	kill -0 "$(store_pid mnt)"
'

test_expect_success FUSE 'nothing stays mounted after that' '
	test_grep ! "$TRASH/mnt" /proc/self/mountinfo &&
	test_must_fail kill -0 "$(store_pid mnt)"
'

test_expect_success FUSE 'SIGTERM ends it cleanly' '
	mount_store mnt &&
	kill -TERM "$(store_pid mnt)" &&
	wait_store mnt &&
	test_grep ! "$TRASH/mnt" /proc/self/mountinfo
'

test_expect_success FUSE 'a killed daemon is no clean end; its place is taken' '
	mount_store mnt &&
	kill -KILL "$(store_pid mnt)" &&
	wait_store mnt 137 &&
	test_must_fail ls mnt &&
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	ls mnt/dev
'

test_expect_success FUSE 'what is no store cannot be mounted' '
	mkdir nothing &&
	STORE=$TRASH/nothing test_must_fail mount_store none 2>err &&
	test_grep "hxsnapfs ended with" err &&
	test_grep ! "$TRASH/none" /proc/self/mountinfo
'

test_expect_success FUSE 'a mount left behind is a failure, and undone' '
	mkdir inner &&
	cat >leaves.sh <<-END &&
	#!/bin/sh
	. "$HXS_SRC/tests/lib/lib.sh"
	STORE=$STORE
	test_expect_success "leaves it" "mount_store mnt"
	test_done
	END
	chmod +x leaves.sh &&
	TMPDIR=$TRASH/inner HXS_TEST_OPTS= test_must_fail ./leaves.sh \
		>out 2>err &&
	test_grep "^ok 1" out && test_grep "^not ok 2" out &&
	test_grep "left running" err && test_grep "left mounted" err &&
	test_grep ! "$TRASH/" /proc/self/mountinfo &&
	test_poll 10 "! test_grep . inner/*/mnt.pid ||
		! kill -0 \$(cat inner/*/mnt.pid) 2>/dev/null"
'

test_done
