#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='repair: what is damaged is put back from other snapshots'
. "$(dirname "$0")/../lib/lib.sh"

# Wait until nothing made so far changed too recently to be linked later.
settle() {
	local stamp
	stamp=$(date +%s%N) &&
		test_poll 5 '[ $(($(date +%s%N) - stamp)) -gt 100000000 ]'
}

# fresh: the store as it was made.
fresh() {
	rm -rf "$STORE" && cp -a keep "$STORE"
}

# inode ID: of the file they share.
inode() {
	stat -c %i "$STORE/backups/dev/$1/events/big"
}

# whole ID: it is what it was when it was made.
whole() {
	hxsnap -q verify "dev/$1" &&
		test_same_tree --no-nlink "keep/backups/dev/$1" "$STORE/backups/dev/$1"
}

test_expect_success 'set up: one snapshot, one that is linked to it, one that is not' '
	new_env && head -c 200000 /dev/urandom >"$EVENTS/big" &&
	echo small >"$EVENTS/small" && echo state >"$STATE/s" &&
	cp "$EVENTS/small" "$EVENTS/twin" && touch -d "2020-02-02 02:02:02.123456789" "$EVENTS/twin" &&
	chmod 600 "$EVENTS/twin" && settle &&
	a=$(hxsnap -q create dev) && hxsnap -q verify dev &&
	b=$(hxsnap -q create dev) && c=$(hxsnap -q create dev --full) &&
	[ "$(inode "$a")" = "$(inode "$b")" ] && [ "$(inode "$a")" != "$(inode "$c")" ] &&
	cp -a "$STORE" keep
'

test_expect_success 'the damage is in all that share the file: told, and mended one by one' '
	flip_byte "$STORE/backups/dev/$b/events/big" 70000 &&
	hxsnap repair "dev/$b" >out 2>err &&
	printf "%s\n" "repaired events/big from dev/$c" "shared dev/$a: 1 damaged file" >want &&
	test_cmp want out && test_grep "is right: 1 file put back" err &&
	test_grep "hint: run .hxsnap repair. for each" err && whole "$b" && whole "$c" &&
	[ "$(inode "$b")" != "$(inode "$a")" ] && test_exit 3 hxsnap -q verify "dev/$a" 2>err &&
	hxsnap repair "dev/$a" >out 2>err && echo "repaired events/big from dev/$b" >want &&
	test_cmp want out && ! grep hint err && whole "$a" && hxsnap -q verify --all
'

test_expect_success 'what was shared is shared again, and what is not is left alone' '
	[ "$(inode "$a")" = "$(inode "$b")" ] && hxsnap repair "dev/$a" >out &&
	test_line_count 0 out &&
	fresh && flip_byte "$STORE/backups/dev/$c/events/big" 3 &&
	hxsnap --json repair "dev/$c" >out && whole "$c" &&
	jq -s -e ".[0].type == \"file\" and .[0].from == \"dev/$b\" and .[0].repaired and
		.[0].from_path == \"events/big\" and .[0].message == null and
		.[1].type == \"snapshot\" and .[1].passed and .[1].shared == 0" out &&
	fresh && flip_byte "$STORE/backups/dev/$b/events/big" 3 &&
	hxsnap --json -q repair "dev/$b" >out 2>err && test_line_count 0 err &&
	jq -s -e ".[1].type == \"shared\" and .[1].reference == \"dev/$a\" and
		.[1].files == 1 and .[2].shared == 1" out
'

test_expect_success 'an equal file elsewhere, in another or in itself: with its own mode and time' '
	fresh && for id in "$a" "$b" "$c"; do
		rm -f "$STORE/backups/dev/$id/events/twin" || return 1
	done && hxsnap -q repair "dev/$c" >out &&
	echo "repaired events/twin from dev/$b/events/small" >want && test_cmp want out && whole "$c" &&
	rm -r "$STORE/backups/dev/$a" "$STORE/backups/dev/$b" "$STORE/backups/dev/$c/events/twin" &&
	hxsnap -q repair "dev/$c" >out && echo "repaired events/twin from dev/$c/events/small" >want &&
	test_cmp want out && whole "$c" && [ "$(stat -c %i "$STORE/backups/dev/$c/events/twin")" != \
		"$(stat -c %i "$STORE/backups/dev/$c/events/small")" ]
'

test_expect_success 'from another environment, whoever wrote it, and at another path' '
	fresh && mkdir -p moved && cp "$EVENTS/big" moved/else &&
	foreign_snapshot old 20200101T000000Z moved && rm -r "$STORE/backups/dev/$a" \
		"$STORE/backups/dev/$c" && flip_byte "$STORE/backups/dev/$b/events/big" 3 &&
	hxsnap -q repair "dev/$b" >out && echo "repaired events/big from old/20200101T000000Z/moved/else" >want &&
	test_cmp want out && whole "$b" &&
	flip_byte "$STORE/backups/old/20200101T000000Z/moved/else" 9 &&
	hxsnap -q repair old/latest >out && test_grep "^repaired moved/else from dev/$b/events/big$" out &&
	hxsnap -q verify old
'

test_expect_success 'from a rollback point, and of one' '
	fresh && rm -r "$STORE/backups/dev/$a" "$STORE/backups/dev/$b" && echo new >"$EVENTS/small" &&
	hxsnap -q restore "dev/$c" && point=$(ls "$STORE/rollbacks/dev") && [ -n "$point" ] &&
	flip_byte "$STORE/backups/dev/$c/events/big" 3 && hxsnap -q repair "dev/$c" >out &&
	echo "repaired events/big from dev/.rollbacks/$point" >want && test_cmp want out && whole "$c" &&
	flip_byte "$STORE/rollbacks/dev/$point/state/s" 1 &&
	hxsnap -q repair "dev/.rollbacks/$point" >out &&
	echo "repaired state/s from dev/$c" >want && test_cmp want out &&
	hxsnap -q verify dev/.rollbacks/latest
'

test_expect_success 'the nearest in time, of two that have it; a damaged one is passed over' '
	fresh && rm "$STORE/backups/dev/$a/events/small" && hxsnap -q repair "dev/$a" >out &&
	echo "repaired events/small from dev/$b" >want && test_cmp want out && whole "$a" &&
	rm "$STORE/backups/dev/$a/events/small" && flip_byte "$STORE/backups/dev/$b/index.hxi" 300 &&
	hxsnap repair "dev/$a" >out 2>err && echo "repaired events/small from dev/$c" >want &&
	test_cmp want out && test_grep "warning: .*$b.*passed over" err && whole "$a"
'

test_expect_success 'nothing that is not what is listed is believed' '
	fresh && for id in "$a" "$c"; do
		flip_byte "$STORE/backups/dev/$id/events/big" 3 || return 1
	done && cp "$STORE/backups/dev/$c/events/big" was && rm "$STORE/backups/dev/$c/events/small" &&
	test_exit 3 hxsnap repair "dev/$c" >out 2>err &&
	printf "%s\n" "repaired events/small from dev/$b" \
		"left events/big: no snapshot of the store has it undamaged" >want &&
	test_cmp want out && test_cmp was "$STORE/backups/dev/$c/events/big" &&
	test_exit 3 hxsnap --json -q repair "dev/$c" >out 2>err &&
	jq -s -e ".[0].repaired == false and .[0].from == null and (.[0].message | length) > 0 and
		.[1].passed == false and .[1].damaged == 1 and .[1].faults == 1" out &&
	hxsnap list dev >out && test_grep "dev/$c .* DAMAGED" out
'

test_expect_success 'the directory that is named comes first, then the others' '
	fresh && mkdir -p part/events && cp -a "$EVENTS/big" part/events/ &&
	flip_byte "$STORE/backups/dev/$c/events/big" 3 && rm "$STORE/backups/dev/$c/state/s" &&
	hxsnap -q repair "dev/$c" --from part >out && printf "%s\n" "repaired events/big from part" \
		"repaired state/s from dev/$b" >want && sort out >got && test_cmp want got && whole "$c" &&
	flip_byte part/events/big 8 && flip_byte "$STORE/backups/dev/$a/events/big" 3 &&
	rm "$STORE/backups/dev/$c/events/big" &&
	test_exit 3 hxsnap -q repair "dev/$c" --from part >out 2>err &&
	test_grep "^left events/big: the copy is another one .*; no snapshot" out &&
	test_exit 3 hxsnap -q repair "dev/$a" --from "dev/$b" >out 2>err &&
	test_grep "^left events/big: the copy is the damaged file itself" out
'

test_expect_success 'what a repair that was killed left is no hindrance' '
	fresh && rm "$STORE/backups/dev/$c/events/small" && mkdir -p "$STORE/.hxsnap/repair" &&
	echo half >"$STORE/.hxsnap/repair/dev" && chmod 0 "$STORE/.hxsnap/repair/dev" &&
	hxsnap -q repair "dev/$c" >out && whole "$c" &&
	find "$STORE/.hxsnap/repair" -type f >left && test_line_count 0 left
'

test_expect_success 'many snapshots, few descriptors' '
	fresh && rm -r "$STORE/backups/dev/$a" "$STORE/backups/dev/$b" && mkdir -p last &&
	cp "$EVENTS/big" last/ && foreign_snapshot many 20190101T000000Z last &&
	for n in $(seq 10 59); do
		foreign_snapshot many "20200101T0000${n}Z" "$STATE" || return 1
	done && flip_byte "$STORE/backups/dev/$c/events/big" 3 &&
	(ulimit -n 24 && hxsnap -q repair "dev/$c" >out) &&
	test_grep "from many/20190101T000000Z/last/big$" out && whole "$c"
'

test_expect_success XATTR 'directories, links and attributes come back as they were' '
	mkdir -p "$EVENTS/d/e/empty" "$EVENTS/d/shut" && echo x >"$EVENTS/d/e/file" &&
	echo y >"$EVENTS/d/shut/file" && ln -s nowhere "$EVENTS/d/link" && ln -s a "$EVENTS/alone" &&
	setfattr -n user.color -v blue "$EVENTS/d/e/file" && setfattr -n user.dir -v d "$EVENTS/d/e" &&
	chmod 640 "$EVENTS/d/e/file" && chmod 2750 "$EVENTS/d/e" && chmod 500 "$EVENTS/d/shut" &&
	{ [ "$(id -u)" -ne 0 ] || chown -h 12:34 "$EVENTS/d/e" "$EVENTS/d/e/file" "$EVENTS/alone"; } &&
	touch -hd "2021-01-01 01:01:01.111111111" "$EVENTS/d/e/file" "$EVENTS/d/link" "$EVENTS/alone" \
		"$EVENTS/d/e/empty" "$EVENTS/d/shut" "$EVENTS/d/e" "$EVENTS/d" "$EVENTS" &&
	d=$(hxsnap -q create dev) && snap=$STORE/backups/dev/$d && cp -a "$snap" old &&
	chmod 700 "$snap/events/d/shut" && rm -r "$snap/events/d" "$snap/events/alone" &&
	hxsnap repair "dev/$d" --from ./old >out && test_grep "^repaired events/d$" out &&
	test_grep "^repaired events/alone$" out && hxsnap -q verify "dev/$d" &&
	test_same_tree old "$snap" && getfattr -h --only-values -n user.color "$snap/events/d/e/file" >x &&
	echo blue | tr -d "\n" | cmp - x &&
	getfattr -h --only-values -n user.dir "$snap/events/d/e" && chmod 700 "$snap/events/d/shut" &&
	rm -r "$snap/events" && touch -r old "$snap" && hxsnap repair "dev/$d" --from ./old >out && test_same_tree old "$snap" &&
	rm "$snap/events/alone" && ln -s b "$snap/events/alone" &&
	hxsnap -q repair dev/latest >out && test_same_tree old "$snap"
'

test_lazy_prereq PTRACE 'root that may trace a process' '
	unshare -pf --mount-proc nthcall 1 kill true
	[ $? -eq 137 ]'

# damage: a file to be copied, one to be linked, a directory to be made.
damage() {
	fresh && flip_byte "$STORE/backups/dev/$e/events/big" 5 &&
		rm -r "$STORE/backups/dev/$e/events/sub" &&
		rm "$STORE/backups/dev/$b/events/twin" "$STORE/backups/dev/$c/events/twin" \
			"$STORE/backups/dev/$e/events/twin"
}

# like ID: all but the times of directories is as it was.
like() {
	hxsnap -q verify "dev/$1" && for dir in keep "$STORE"; do
		(cd "$dir/backups/dev/$1" && find . -printf "%P %y %m %U %G %l\n" | sort &&
			find . -type f -printf "%P %T@\n" | sort) >"list-$(basename "$dir")" || return 1
	done && test_cmp list-keep list-store
}

# Killed at each of its steps with HXS_CRASH=all, else at every fourth.
test_expect_success PTRACE 'killed anywhere: what is there is old or right, and the next one ends it' '
	rm -rf "$EVENTS/d" "$EVENTS/alone" && fresh && mkdir -m 750 "$EVENTS/sub" && echo s >"$EVENTS/sub/s" &&
	e=$(hxsnap -q create dev) && hxsnap -q verify "dev/$e" && rm -rf keep &&
	hxsnap -q create dev --full >out && cp -a "$STORE" keep && big=$STORE/backups/dev/$e/events/big &&
	damage && cp "$big" damaged && n=1 && killed=0 && step=4 &&
	{ [ "${HXS_CRASH:-}" != all ] || step=1; } &&
	while :; do
		damage || return 1
		status=0
		unshare -pf --mount-proc nthcall -m "$n" kill hxsnap -q repair "dev/$e" \
			>out 2>err || status=$?
		cmp -s "$big" damaged || cmp -s "$big" "$EVENTS/big" || return 1
		[ "$status" -eq 137 ] || break
		killed=$((killed + 1))
		hxsnap -q repair "dev/$e" >out && like "$e" || return 1
		find "$STORE/.hxsnap/repair" -type f >left && test_line_count 0 left || return 1
		n=$((n + step))
	done && echo "$killed kills" && [ "$status" -eq 200 ] && [ "$killed" -ge 6 ]
'

test_done
