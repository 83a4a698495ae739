#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='restore --dry-run: what would be done, and nothing is'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

# plan REF [PATH...]: what a restore would do, in plan.out; nothing is done.
plan() {
	look -c live >"$TRASH/.before" && look_at_store >"$TRASH/.store" &&
		hxsnap restore --dry-run "$@" >plan.out 2>plan.err &&
		look -c live >"$TRASH/.after" && test_cmp "$TRASH/.before" "$TRASH/.after" &&
		look_at_store >"$TRASH/.after" && test_cmp "$TRASH/.store" "$TRASH/.after" &&
		no_remains
}

# planned LINE...: that is what the plan says, and all of it.
planned() {
	printf '%s\n' "$@" | sort >want &&
		awk '{ sub("/$", "", $2); print $1, $2 }' plan.out | sort >got &&
		test_cmp want got
}

# anew: an environment and a backup $id of it.
anew() {
	rm -rf live "$STORE" && new_env && make_store && mkdir "$EVENTS/2026" &&
		for i in 1 2 3; do
			echo "event $i" >"$EVENTS/2026/$i" || return 1
		done && echo state >"$STATE/state" && ln -s state "$STATE/link" &&
		ln "$EVENTS/2026/1" "$EVENTS/twin" && id=$(hxsnap -q create dev)
}

test_expect_success 'nothing changed: nothing is planned' '
	anew && plan "dev/$id" && test_line_count 0 plan.out &&
	test_grep "would add 0 paths, change 0 paths and remove 0 paths" plan.err
'

test_expect_success 'added, changed, removed' '
	rm "$EVENTS/2026/2" && echo other >"$EVENTS/2026/3" && mkdir "$STATE/new" &&
	echo n >"$STATE/new/file" && ln -sfn elsewhere "$STATE/link" &&
	chmod 600 "$STATE/state" && plan "dev/$id" &&
	planned "M events/2026" "+ events/2026/2" "M events/2026/3" "M state" \
		"M state/link" "- state/new" "- state/new/file" "M state/state" &&
	plan "dev/$id" events && planned "M events/2026" "+ events/2026/2" "M events/2026/3" &&
	plan "dev/$id" events/2026/2 state/state &&
	planned "+ events/2026/2" "M state/state"
'

test_expect_success 'it is what the restore then does' '
	plan "dev/$id" && cat plan.out >want &&
	restore "dev/$id" && hxsnap diff "dev/.rollbacks/$rollback" "dev/$id" >got &&
	 test_cmp want got &&
	plan "dev/$id" && test_line_count 0 plan.out
'

test_expect_success ROOT 'a seeded tree of odd things: nothing, and all of it' '
	rm -rf live "$STORE" && new_env && make_store && rmdir "$EVENTS" &&
	hxtree make 41 "$EVENTS" && echo s >"$STATE/s" && id=$(hxsnap -q create dev) &&
	plan "dev/$id" && test_line_count 0 plan.out && rm -r "$EVENTS" && mkdir "$EVENTS" &&
	hxtree make 42 "$EVENTS/new" --small && plan "dev/$id" && cp plan.out all.out &&
	restore "dev/$id" && hxsnap diff "dev/.rollbacks/$rollback" "dev/$id" >want &&
	test_cmp want all.out && plan "dev/$id" && test_line_count 0 plan.out
'

test_expect_success 'the same bytes at another time are told by the time alone' '
	anew && touch "$EVENTS/2026/2" && plan "dev/$id" &&
	planned "M events/2026/2" && hxsnap --json restore --dry-run "dev/$id" >out &&
	test_grep "events/2026/2" out && test_grep ! "content" out &&
	echo "Event 2" >"$EVENTS/2026/2" &&
	hxsnap --json restore --dry-run "dev/$id" >out && test_grep "content" out
'

# A file that this user may not open would be a failure.
test_expect_success SETPRIV 'unchanged files are not opened' '
	anew && chmod 000 "$EVENTS/2026/2" "$STATE/state" && id=$(hxsnap -q create dev) &&
	rm "$EVENTS/2026/3" && chown -hR 65534 "$STORE" live &&
	test_must_fail as_nobody cat "$STATE/state" &&
	as_nobody hxsnap restore --dry-run "dev/$id" >plan.out 2>plan.err &&
	test_grep "^+.*events/2026/3" plan.out && test_grep ! "state/state.*content" plan.out &&
	touch "$STATE/state" && test_exit 1 as_nobody \
		hxsnap restore --dry-run "dev/$id" >out 2>err && test_grep "state/state" err
'

test_lazy_prereq STRACE 'strace' 'strace -o /dev/null true'
test_expect_success STRACE,!SANITIZER 'no call opens one for reading' '
	anew && rm "$EVENTS/2026/3" && echo other >"$EVENTS/2026/1" &&
	strace -f -qq -e trace=open,openat,openat2 -o trace \
		hxsnap restore --dry-run "dev/$id" >out 2>err &&
	sed "/O_DIRECTORY/d; /O_PATH/d" trace >opened &&
	test_grep ! "\"state\"\|\"[123]\"" opened
'

test_expect_success XATTR 'attributes' '
	anew && setfattr -n user.a -v 1 "$STATE/state" && id=$(hxsnap -q create dev) &&
	plan "dev/$id" && test_line_count 0 plan.out && setfattr -n user.a -v 2 "$STATE/state" &&
	plan "dev/$id" && planned "M state/state" && setfattr -x user.a "$STATE/state" &&
	plan "dev/$id" && planned "M state/state"
'

test_expect_success 'single files, and databases with changes beside them' '
	rm -rf live "$STORE" && make_store && mkdir live &&
	sqlite3 live/m.db "PRAGMA journal_mode=wal; CREATE TABLE t(x)" &&
	echo a >live/a && sources "first=$TRASH/live/a" "memory=$TRASH/live/m.db" &&
	id=$(hxsnap -q create dev) && plan "dev/$id" && test_line_count 0 plan.out &&
	python3 - "$TRASH/live/m.db" <<-\END &&
	import os, sqlite3, sys
	db = sqlite3.connect(sys.argv[1], isolation_level=None)
	db.execute("PRAGMA wal_autocheckpoint=0")
	db.execute("INSERT INTO t VALUES(1000)")
	os._exit(0)
	END
	plan "dev/$id" && planned "M memory/m.db" && restore "dev/$id" &&
	plan "dev/$id" && test_line_count 0 plan.out && echo b >live/a &&
	plan "dev/$id" && planned "M first/a"
'

test_expect_success 'what is left out is not mentioned' '
	anew && echo s >"$EVENTS/.env" && mkfifo "$EVENTS/2026/fifo" && plan "dev/$id" &&
	planned "M events" "M events/2026"
'

test_expect_success 'what is not there: a target, the way to a path' '
	anew && rm -r "$EVENTS" && plan "dev/$id" state && test_line_count 0 plan.out &&
	plan "dev/$id" events/2026/2 &&
	planned "+ events" "+ events/2026" "+ events/2026/2" &&
	hxsnap -q restore "dev/$id" events/2026/2 >out &&
	(cd live/dev && find events | sort) >got &&
	printf "%s\n" events events/2026 events/2026/2 >want && test_cmp want got
'

test_expect_success 'refused as the restore would be' '
	anew && test_exit 4 hxsnap restore --dry-run "dev/$id" nothing 2>err &&
	test_exit 4 hxsnap restore --dry-run dev/20200101T000000Z 2>err &&
	flip_byte "$STORE/backups/dev/$id/index.hxi" 500 &&
	test_exit 3 hxsnap restore --dry-run "dev/$id" 2>err
'

test_done
