#!/bin/sh
test_description='ten thousand snapshots: cheap to mount, bounded in memory'

. "$(dirname "$0")/../lib/lib.sh"

COUNT=${HXS_MANY:-10000}

# rss MNT: resident kilobytes of the daemon
rss() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' \
		"/proc/$(store_pid "$1")/status"
}

test_expect_success "$COUNT snapshots of a few files, by hard links" '
	make_store && new_env && echo one >"$EVENTS/one" &&
	mkdir "$EVENTS/sub" && echo two >"$EVENTS/sub/two" &&
	foreign_snapshot dev 20200101T000000Z "$EVENTS" &&
	cat >clone.py <<-\END &&
	import datetime, os, sys
	store, count = sys.argv[1], int(sys.argv[2])
	base = os.path.join(store, "backups/dev")
	first = os.path.join(base, "20200101T000000Z")
	files = [os.path.relpath(os.path.join(d, f), first)
	         for d, _, fs in os.walk(first) for f in fs]
	dirs = [os.path.relpath(d, first) for d, _, _ in os.walk(first)][1:]
	t = datetime.datetime(2020, 1, 1)
	for i in range(1, count):
	    t += datetime.timedelta(hours=6)
	    new = os.path.join(base, t.strftime("%Y%m%dT%H%M%SZ"))
	    os.mkdir(new)
	    for d in dirs:
	        os.mkdir(os.path.join(new, d))
	    for f in files:
	        os.link(os.path.join(first, f), os.path.join(new, f))
	END
	python3 clone.py "$STORE" "$COUNT" &&
	ls "$STORE/backups/dev" >ids && test_line_count "$COUNT" ids &&
	NEWEST=$(tail -n 1 ids)
'

test_expect_success FUSE 'an environment is listed without reading a snapshot' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	ls mnt/dev | grep -v latest >got && test_cmp ids got &&
	ls -l mnt/dev >got && test_grep "^l.* latest -> $NEWEST" got &&
	[ "$(readlink mnt/dev/latest)" = "$NEWEST" ] &&
	jq -e ".loaded.snapshots == 0" mnt/.status &&
	jq -e ".environments[0].snapshots == $COUNT" mnt/.status
'

test_expect_success FUSE 'entering one reads that one' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	ls -l mnt/dev/latest/events && cat mnt/dev/latest/events/sub/two &&
	jq -e ".loaded.snapshots == 1" mnt/.status
'

test_expect_success FUSE 'all of them walked and read: right, and bounded' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	ls -l mnt/dev >/dev/null && before=$(rss mnt) &&
	find mnt/dev -mindepth 1 -maxdepth 3 -name sub >subs &&
	test_line_count "$COUNT" subs &&
	find mnt/dev -name two -exec cat {} + | sort | uniq -c >got &&
	printf "%7d two\n" "$COUNT" >want && test_cmp want got &&
	jq -e ".loaded.bytes <= .loaded.budget and .loaded.snapshots <= 1024" \
		mnt/.status &&
	after=$(rss mnt) && echo "$before kB before, $after kB after" &&
	{ [ -n "${HXS_SAN:-}" ] || [ "$after" -lt 131072 ]; } &&
	ls "/proc/$(store_pid mnt)/fd" >fds && [ "$(wc -l <fds)" -lt 1200 ]
'

test_expect_success FUSE 'one more appears, one vanishes' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	ls mnt/dev >/dev/null &&
	cp -al "$STORE/backups/dev/$NEWEST" \
		"$STORE/backups/dev/20300101T000000Z" &&
	test_poll 3 "ls mnt/dev | grep -q 20300101T000000Z" &&
	test_poll 3 "[ \"\$(readlink mnt/dev/latest)\" = 20300101T000000Z ]" &&
	cat mnt/dev/latest/events/one &&
	rm -r "$STORE/backups/dev/20300101T000000Z" &&
	test_poll 3 "ls mnt/dev | grep -v latest | cmp -s - ids" &&
	test_poll 3 "[ \"\$(readlink mnt/dev/latest)\" = $NEWEST ]"
'

test_expect_success FUSE 'half of them vanish at once' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	ls -l mnt/dev >/dev/null &&
	awk "NR % 2" ids >odd && awk "NR % 2 == 0" ids >even &&
	(cd "$STORE/backups/dev" && xargs rm -r <"$TRASH/odd") &&
	test_poll 5 "ls mnt/dev | grep -v latest | cmp -s - even" &&
	test_poll 3 "[ ! -e mnt/dev/$(head -n 1 odd) ]" &&
	cat "mnt/dev/$(tail -n 1 even)/events/one"
'

test_done
