#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='create: killed, and failing, at every call'
. "$(dirname "$0")/../lib/lib.sh"

# A store with one verified backup, at rest, to begin each run from.
test_expect_success 'set up' '
	new_env dev && mkdir "$EVENTS/d" && echo one >"$EVENTS/a" &&
	ln "$EVENTS/a" "$EVENTS/d/b" && ln -s a "$EVENTS/l" &&
	truncate -s 300K "$EVENTS/hole" && echo end >>"$EVENTS/hole" &&
	echo two >"$STATE/x" && setfattr -n user.x -v 1 "$STATE/x" &&
	make_store && foreign_snapshot dev 20200101T000000Z "$EVENTS" &&
	cp -a "$STORE" fresh && base=$(hxsnap -q create dev) &&
	hxsnap -q verify "dev/$base" && echo changed >"$EVENTS/a" &&
	cp -a "$STORE" template && hxtree list --no-nlink "$EVENTS" >want-events
'

# Every snapshot in the store is whole; nothing else looks like one.
whole() {
	local ids id
	ids=$(ls "$STORE/backups/dev") &&
		for id in $ids; do
			hxsnap -q verify "dev/$id" || return 1
		done
}

# The store has the snapshots of template $1, and perhaps one more, which is
# right; $new is its id or empty.
old_or_new() {
	ls "$1/backups/dev" >old-ids && ls "$STORE/backups/dev" >ids &&
		new=$(comm -13 old-ids ids) &&
		comm -23 old-ids ids >lost && test_line_count 0 lost &&
		if [ -n "$new" ]; then
			hxtree list --no-nlink \
				"$STORE/backups/dev/$new/events" >got-events &&
				test_cmp want-events got-events && whole
		fi
}

# run TEMPLATE N kill|ERRNO [OPTION]: create, with that happening.
run() {
	rm -rf "$STORE" && cp -a "$1" "$STORE" || return 1
	status=0
	nthcall ${4:+"$4"} -f locks "$2" "$3" hxsnap -q create dev >out 2>err ||
		status=$?
}

for template in fresh template; do
	test_expect_success PTRACE "killed at every change, onto the $template one" '
		n=0 status=0 && while [ "$status" -ne 200 ]; do
			n=$((n + 1)) && run '$template' $n kill -m || return 1
			case $status in
			137 | 200) ;;
			*) cat err && echo "$n: $status" && return 1 ;;
			esac
			old_or_new '$template' || { echo "at $n" && return 1; }
			[ "$status" -eq 200 ] && break
			id=$(hxsnap -q create dev) || return 1
			ls -A "$STORE/backups/dev" >left
			grep "^\." left && return 1
			hxtree list --no-nlink "$STORE/backups/dev/$id/events" \
				>got-events &&
			test_cmp want-events got-events &&
			rm -rf "$STORE/backups/dev/$id" || return 1
		done && [ "$n" -gt 30 ] && echo "$n calls"
	'

	for error in EIO ENOSPC; do
	# every call once; errors of writing at those that change something
	only=''
	[ $error = EIO ] || only=-m
		test_expect_success PTRACE \
			"$error from every call, onto the $template one" '
			n=0 status=0 && while [ "$status" -ne 200 ]; do
				n=$((n + 1)) && run '$template' $n '"$error $only"' || return 1
				old_or_new '$template' || {
					echo "at $n: $status" && cat err && return 1; }
				ls -A "$STORE/backups/dev" >left
				case $status in
				0) [ -n "$new" ] && [ "$(cat out)" = "$new" ] ||
					{ echo "$n: no snapshot" && return 1; } ;;
				200) break ;;
				1)	grep "^\." left && grep -v unlinkat err && return 1
					if [ -n "$new" ]; then
						said="snapshot .dev/$new. was made"
					else
						said="no snapshot was made" &&
						test_line_count 0 out || return 1
					fi
					grep -q "^hxsnap: .*; $said" err || {
						echo "at $n" && cat err && return 1; } ;;
				*) cat err && echo "$n: $status" && return 1 ;;
				esac
			done && [ "$n" -gt 30 ] && echo "$n calls"
		'
	done
done

test_expect_success 'killed at any time: whole or absent, swept by the next' '
	rm -rf "$STORE" && make_store && (cd "$EVENTS" && for i in $(seq 3000); do
		echo "$i" >"f$i" || exit 1; done) &&
	for try in 1 2 3 4 5 6 7 8 9 10 11 12; do
		hxsnap -q create dev >out 2>err &
		pid=$! &&
		test_poll 10 "[ -n \"\$(ls -A \"$STORE/backups\")\" ]" &&
		for spin in $(seq $((try * 3))); do
			stat "$STORE" >stat || return 1
		done
		kill -9 $pid && wait $pid
		whole || return 1
	done && hxsnap -q create dev && ls -A "$STORE/backups/dev" >left &&
	test_must_fail grep "^\." left
'

test_expect_success 'told to stop: nothing is left' '
	rm -rf "$STORE" && make_store &&
	for sig in INT TERM HUP; do
		hxsnap -q create dev >out 2>err &
		pid=$! &&
		test_poll 10 "[ -n \"\$(ls -A \"$STORE/backups\")\" ]" &&
		kill -$sig $pid
		status=0 && wait $pid || status=$?
		mkdir -p "$STORE/backups/dev" &&
		ls -A "$STORE/backups/dev" >left &&
		if [ "$status" -eq 0 ]; then
			rm -rf "$STORE/backups/dev" || return 1
		else
			test_must_fail grep "^\." left && whole || return 1
			rm -rf "$STORE/backups/dev"
		fi
	done
'

test_expect_success 'two at once: one is refused, and says by whom' '
	rm -rf "$STORE" && make_store && mkdir -p "$STORE/.hxsnap/locks" &&
	mkfifo go && {
		flock -x "$STORE/.hxsnap/locks/dev" cat go &
	} && test_poll 10 "! flock -n \"$STORE/.hxsnap/locks/dev\" true" &&
	echo "restore 4711" >"$STORE/.hxsnap/locks/dev" &&
	test_exit 6 hxsnap -q create dev >out 2>err && test_line_count 0 out &&
	test_grep "restore.*4711" err && test_grep "no snapshot was made" err &&
	echo "$(printf "\\033[31m") junk" >"$STORE/.hxsnap/locks/dev" &&
	test_exit 6 hxsnap -q create dev 2>err && test_grep ! junk err &&
	ls -A "$STORE/backups" >left && test_line_count 0 left &&
	echo >go && wait && hxsnap -q create dev
'

test_done
