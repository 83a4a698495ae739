#!/bin/sh
test_description='attributes of files that were read come with a listing'

. "$(dirname "$0")/../lib/lib.sh"

test_expect_success 'a store' '
	make_store && new_env && echo 1 >"$STATE/one" &&
	for d in 1 2 3; do
		mkdir "$EVENTS/$d" || return 1
		for i in $(seq 100 199); do
			echo "file $d $i" >"$EVENTS/$d/f$i" || return 1
		done
	done &&
	hxsnap create dev
'

# asked WHAT: how often that stands in the log of requests
asked() {
	grep -c "$1" mnt.log || :
}

# look DIR: its files with their attributes, as ls -l has them
look() {
	find "$1" -type f -printf "%p %m %u %g %s %T@ %i\n"
}

# again DIR: look at it, read it, and once more without asking for each file
again() {
	look "$1" >before && test_line_count 100 before &&
	told=$(asked "NOTIFY: code=2 ") && cat "$1"/* >got &&
	test_poll 10 "[ \$(asked \"NOTIFY: code=2 \") -gt $told ]" &&
	was=$(asked "opcode: GETATTR ") &&
	lists=$(asked "opcode: READDIRPLUS ") &&
	look "$1" >after && test_cmp before after &&
	[ $(($(asked "opcode: GETATTR ") - was)) -lt 20 ] &&
	[ "$(asked "opcode: READDIRPLUS ")" -gt "$lists" ]
}

# The line stands in the log a moment before the kernel is told.
test_expect_success FUSE 'looked at again after all was read: no file is asked for' '
	mount_store mnt debug && test_when_finished "umount_store mnt" &&
	real=mnt/dev/$(readlink mnt/dev/latest)/events &&
	{ again $real/1 || again $real/2 || again $real/3; }
'

test_done
