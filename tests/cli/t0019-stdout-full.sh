#!/bin/sh
test_description='standard output full, closed, a broken pipe; no standard error'
. "$(dirname "$0")/../lib/lib.sh"

test_expect_success 'set up' '
	new_env dev && echo one >"$EVENTS/a" && echo two >"$STATE/b" &&
	hxsnap -q create dev >/dev/null &&
	foreign_snapshot beta 20260205T152900Z "$EVENTS"
'

# Every command that prints something.
printing() {
	cat <<-END
	list
	--json list
	show dev/latest
	--json show dev/latest
	--json verify --all
	diff dev/latest beta/latest
	--json recover
	-h
	verify -h
	--version
	END
}

test_expect_success 'a full disk: an error, once, and 1' '
	printing >commands &&
	while read -r words; do
		# shellcheck disable=SC2086 # several words
		test_exit 1 hxsnap -q $words >/dev/full 2>err &&
		test_line_count 1 err &&
		test_grep "standard output: No space left on device" err || return 1
	done <commands
'

test_expect_success 'closed: the same; nothing of ours gets its number' '
	while read -r words; do
		# shellcheck disable=SC2086 # several words
		test_exit 1 hxsnap -q $words >&- 2>err &&
		test_line_count 1 err &&
		test_grep "standard output: Bad file descriptor" err || return 1
	done <commands &&
	hxsnap -q verify --all && cmp "$EVENTS/a" "$STORE/backups/beta/20260205T152900Z/events/a"
'

test_expect_success 'who prints nothing does not mind' '
	hxsnap -q verify --all >&- && hxsnap -q verify dev/latest >/dev/full &&
	hxsnap -q init "$TRASH/other" >/dev/full
'

test_expect_success 'create: the snapshot is there, and the message says so' '
	for out in "/dev/full" "&-"; do
		before=$(ls "$STORE/backups/dev" | wc -l) &&
		eval "test_exit 1 hxsnap -q create dev 2>err >$out" &&
		[ "$(ls "$STORE/backups/dev" | wc -l)" -eq $((before + 1)) ] &&
		id=$(ls "$STORE/backups/dev" | tail -n 1) &&
		test_grep "standard output: .*; snapshot .dev/$id. was made" err ||
			return 1
	done
'

test_expect_success 'a reader that has gone: death by SIGPIPE, or 1 if ignored' '
	sh -c "hxsnap list; echo \$? >status" | : &&
	test_poll 10 "[ -s status ]" &&
	sh -c "trap \"\" PIPE; { hxsnap list 2>err; echo \$? >status2; } | :" &&
	test_poll 10 "[ -s status2 ]" &&
	case $(cat status) in
	0 | 141) ;;
	*) false ;;
	esac &&
	case $(cat status2) in
	0) ;;
	1) test_grep "Broken pipe" err ;;
	*) false ;;
	esac
'

test_expect_success 'no standard error: work is done, nothing is overwritten' '
	hxsnap create dev 2>&- >out && test_line_count 1 out &&
	test_exit 4 hxsnap show nosuch/latest 2>&- &&
	test_exit 2 hxsnap frobnicate >&- 2>&- <&- &&
	hxsnap verify --all >&- 2>&- <&- &&
	hxsnap -q verify --all
'

test_expect_success 'a file size limit while creating: no snapshot, 1' '
	head -c 3000000 /dev/urandom >"$EVENTS/large" &&
	before=$(ls "$STORE/backups/dev" | wc -l) &&
	test_must_fail sh -c "ulimit -f 1000 && trap \"\" XFSZ && exec hxsnap -q create dev" \
		>out 2>err && test_line_count 0 out &&
	test_grep "no snapshot was made" err &&
	[ "$(ls "$STORE/backups/dev" | wc -l)" -eq "$before" ] &&
	hxsnap -q create dev >out &&
	[ "$(ls -A "$STORE/backups/dev" | wc -l)" -eq $((before + 1)) ]
'

test_done
