#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='restore, rollback and recover: words, questions, answers'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

test_lazy_prereq PTY 'script(1)' 'script -qec true out </dev/null'

# usage PATTERN WORD...: status 2 and a message with a hint.
usage() {
	pattern=$1
	shift
	test_exit 2 hxsnap "$@" >out 2>err && test_line_count 0 out &&
		sed -n 1p err | grep -q "^hxsnap: .*$pattern" &&
		test_grep "^hint: " err
}

# anew: environments dev, live and lab, the last two with confirmation; a
# backup $id of dev, $live of live and $lab of lab, and what changed since.
anew() {
	rm -rf state "$STORE" && make_store && mkdir -p state/etc &&
		HXSNAP_CONFIG=$TRASH/config.json && export HXSNAP_CONFIG &&
		for env in dev live lab; do
			mkdir -p "state/$env/events" &&
			echo one >"state/$env/events/a" &&
			echo two >"state/$env/events/b" &&
			echo three >"state/$env/db" || return 1
		done &&
		cat >"$HXSNAP_CONFIG" <<-END &&
		{"store": "$STORE", "environments": {
		  "dev": {"sources": {$(both dev)}},
		  "live": {"sources": {$(both live)}},
		  "lab": {"confirm": true, "sources": {$(both lab)}}}}
		END
		id=$(hxsnap -q create dev) && live=$(hxsnap -q create live) &&
		lab=$(hxsnap -q create lab) && for env in dev live lab; do
			echo more >>"state/$env/events/a" &&
			rm "state/$env/events/b" &&
			echo new >"state/$env/events/c" || return 1
		done
}

both() {
	echo "\"events\": {\"kind\": \"directory\",
		\"path\": \"$TRASH/state/$1/events\"},
		\"db\": {\"kind\": \"directory\", \"path\": \"$TRASH/state/$1/db\"}"
}

# is_old ENV, is_new ENV: as it was backed up, as it was changed.
is_old() {
	echo one | cmp - "state/$1/events/a" && test_path_is_file "state/$1/events/b" &&
		test_path_is_missing "state/$1/events/c"
}
is_new() {
	printf 'one\nmore\n' | cmp - "state/$1/events/a" &&
		test_path_is_missing "state/$1/events/b" &&
		test_path_is_file "state/$1/events/c"
}

# acts FILTER: the newest line of the audit log is so.
acts() {
	tail -n 1 "$STORE/.hxsnap/audit.log" | jq -e "$1"
}

# ---- words -------------------------------------------------------------------

test_expect_success 'set up' '
	anew
'

test_expect_success 'words and options that are none' '
	usage "restore wants a snapshot" restore &&
	usage "rollback wants an environment" rollback &&
	usage "unexpected word .x." rollback dev x &&
	usage "unexpected word .live." recover dev live &&
	usage "option .--to. wants DIR" restore dev/latest --to &&
	usage "option .--to. wants DIR, and got an empty word" restore dev/latest --to= &&
	usage "options .--to. and .--dry-run. exclude each other" \
		restore dev/latest --to x --dry-run &&
	usage "unknown option .--force." recover --force &&
	usage "unknown option .--to." rollback dev --to x &&
	usage "unknown option .--dryrun." restore dev/latest --dryrun &&
	usage "dev/... is no reference" restore dev/.. &&
	test_exit 2 hxsnap restore dev >out 2>err && test_line_count 0 out &&
	test_exit 2 hxsnap rollback dev/latest 2>err &&
	test_exit 2 hxsnap recover .. 2>err &&
	test_path_is_missing x && is_new dev
'

test_expect_success 'what is not there: 4, and nothing changed' '
	refused 4 "20000101T000000Z" state hxsnap restore dev/20000101T000000Z &&
	refused 4 "no .events/nosuch." state hxsnap restore "dev/$id" events/nosuch &&
	refused 4 "no .nosuch." state hxsnap restore "dev/$id" nosuch &&
	refused 4 "nosuch" state hxsnap restore nosuch/latest &&
	refused 4 "rollback" state hxsnap rollback dev &&
	refused 4 "nosuch" state hxsnap rollback nosuch &&
	refused 4 "configuration" state env -u HXSNAP_CONFIG \
		hxsnap --store "$STORE" restore "dev/$id" &&
	test_exit 4 hxsnap recover nosuch 2>err && test_grep nosuch err && is_new dev
'

# ---- what it prints ----------------------------------------------------------

test_expect_success 'the id of the rollback point alone is on standard output' '
	hxsnap restore "dev/$id" >out 2>err && test_line_count 1 out &&
	grep -Ex "[0-9]{8}T[0-9]{6}Z" out && first=$(cat out) &&
	test_path_is_dir "$STORE/rollbacks/dev/$first" &&
	is_old dev && test_grep "restored .dev/$id.: 3 files" err &&
	test_grep "dev/.rollbacks/$first" err &&
	acts ".act == \"restore\" and .env == \"dev\" and .ok and .status == 0 and
		.reference == \"dev/$id\" and .rollback_id == \"$first\" and
		.message == null and .from == \"command line\" and
		.uid == $(id -u) and .pid > 1 and .seconds > 0"
'

test_expect_success 'rollback takes it back, and itself' '
	hxsnap -q rollback dev >out 2>err && test_line_count 0 err &&
	test_line_count 1 out && second=$(cat out) && [ "$second" != "$first" ] &&
	is_new dev &&
	acts ".act == \"rollback\" and .reference == \"dev/.rollbacks/$first\" and
		.rollback_id == \"$second\"" &&
	hxsnap -q rollback dev >out && is_old dev &&
	hxsnap -q restore "dev/.rollbacks/$first" >out && is_new dev
'

test_expect_success '--json: one object, stable keys' '
	hxsnap --json restore "dev/$id" >out 2>err && test_line_count 0 err &&
	jq -e "keys_unsorted == [\"reference\", \"rollback_id\", \"files\", \"bytes\",
		\"seconds\", \"absent_seconds\", \"failed_hooks\",
		\"healthy\", \"outcome\", \"confirm_until\", \"undo\", \"message\",
		\"warnings\"]" out &&
	jq -e ".reference == \"dev/$id\" and .files == 3 and .bytes == 14 and
		.seconds > 0 and .absent_seconds == 0 and .warnings == []" out &&
	test_path_is_dir "$STORE/rollbacks/dev/$(jq -r .rollback_id out)" &&
	hxsnap --json rollback dev >out && is_new dev &&
	jq -e ".reference | startswith(\"dev/.rollbacks/\")" out &&
	hxsnap --json restore "dev/$id" --to json >out &&
	jq -e ".rollback_id == null and .files == 3" out &&
	hxsnap --json recover >out &&
	jq -e ". == {finished: 0, undone: 0, removed: 0, put_back: 0, busy: 0, message: null}" out
'

test_expect_success 'paths: only these' '
	hxsnap -q restore "dev/$id" events/b >out && test_line_count 1 out &&
	cmp state/dev/events/b "$STORE/backups/dev/$id/events/b" &&
	test_path_is_file state/dev/events/c && rm state/dev/events/b && is_new dev
'

test_expect_success '--to: verified, elsewhere, without a question or a change' '
	look -c state >before &&
	hxsnap restore "live/$live" --to "$TRASH/copy" >out 2>err &&
	test_line_count 0 out && test_grep "wrote .live/$live." err &&
	diff -r copy/events "$STORE/backups/live/$live/events" &&
	look -c state >after && test_cmp before after &&
	acts ".act == \"restore\" and .rollback_id == null" &&
	env -u HXSNAP_CONFIG hxsnap -q --store "$STORE" restore "live/$live" \
		events/a --to one && echo one | cmp - one/events/a &&
	look -c copy >before && test_exit 1 hxsnap restore "live/$live" --to copy 2>err &&
	test_grep "not empty.*nothing was written" err &&
	look -c copy >after && test_cmp before after
'

# ---- a dry run ---------------------------------------------------------------

test_expect_success '--dry-run: what diff would say of a backup of now' '
	now=$(hxsnap -q create dev) && look -c state >before &&
	cp "$STORE/.hxsnap/audit.log" log &&
	hxsnap diff "dev/$now" "dev/$id" >want && test_line_count 4 want &&
	hxsnap restore "dev/$id" --dry-run >out 2>err && test_cmp want out &&
	test_grep "would add 1 path, change 2 paths and remove 1 path" err &&
	hxsnap -q restore "dev/$now" --dry-run >out && test_line_count 0 out &&
	hxsnap -q restore "dev/$id" events/b --dry-run >out &&
	echo "+ events/b" >want && test_cmp want out &&
	look -c state >after && test_cmp before after &&
	cmp log "$STORE/.hxsnap/audit.log" && no_remains
'

test_expect_success '--dry-run --json: the keys of diff' '
	hxsnap --json -q restore "dev/$id" --dry-run >out &&
	jq -r "[.path, .change] | @tsv" out >got &&
	printf "%s\t%s\n" events modified events/a modified events/b added \
		events/c removed >want && test_cmp want got &&
	jq -e "select(.path == \"events/c\") | .new == null and
		.old.sha256 == null and .old.size == 4" out &&
	hxsnap --json diff "dev/$now" "dev/$id" >want &&
	jq -cS "del(.old.sha256?)" want >want2 &&
	jq -cS "del(.old.sha256?)" out >got2 && test_cmp want2 got2
'

test_expect_success '--dry-run wants no confirmation' '
	hxsnap -q restore "live/$live" --dry-run >out && test_line_count 4 out
'

# ---- confirmation ------------------------------------------------------------

test_expect_success 'without a terminal: refused, unless CONFIRM_LIVE=YES' '
	for env in live lab; do
		refused 5 "wants confirmation" state hxsnap restore "$env/latest" &&
		test_grep "^hint: .*CONFIRM_LIVE=YES" err &&
		acts ".act == \"restore\" and .env == \"$env\" and .ok == false and
			.status == 5 and (.message | contains(\"confirmation\"))" || return 1
		for word in "" yes Y 1 "YES " NO; do
			CONFIRM_LIVE=$word refused 5 "wants confirmation" state \
				hxsnap restore "$env/latest" || return 1
		done
		echo yes | refused 5 "wants confirmation" state \
			hxsnap restore "$env/latest" --force &&
		CONFIRM_LIVE=YES hxsnap -q restore "$env/latest" >out &&
		test_line_count 1 out && is_old "$env" &&
		acts ".act == \"restore\" and .ok" &&
		refused 5 "wants confirmation" state hxsnap rollback "$env" &&
		acts ".act == \"rollback\" and .status == 5" &&
		CONFIRM_LIVE=YES hxsnap -q rollback "$env" >out && is_new "$env" || return 1
	done
'

test_expect_success 'an unconfirmed one does not even read the snapshot' '
	cp -a "$STORE/backups/live/$live" saved &&
	flip_byte "$STORE/backups/live/$live/manifest.sha256" 0 &&
	refused 5 "wants confirmation" state hxsnap restore "live/$live" &&
	CONFIRM_LIVE=YES refused 3 "$live" state/live/events hxsnap restore "live/$live" &&
	rm -rf "$STORE/backups/live/$live" && mv saved "$STORE/backups/live/$live"
'

# typed TEXT WORD...: hxsnap at a terminal where TEXT is typed; what is shown
# there in shown, standard output in out.
typed() {
	text=$1 && shift &&
		printf "exec hxsnap" >cmd && printf " '%s'" "$@" >>cmd &&
		printf " >out\n" >>cmd && status=0 &&
		printf "$text" >keys &&
		{ script -qec "sh ./cmd" raw <keys >/dev/null || status=$?; } &&
		tail -n +2 raw | tr -d "\r" | sed "/^Script done/,\$d" >shown
	return "$status"
}

test_expect_success PTY 'at a terminal: the question names it all, yes is yes' '
	typed "yes\n" restore "live/$live" && cat shown && is_old live &&
	test_line_count 1 out && test_path_is_dir "$STORE/rollbacks/live/$(cat out)" &&
	test_grep "restore of environment .live. on host .$(uname -n).: .live/$live." shown &&
	grep -F "events: $TRASH/state/live/events" shown &&
	grep -F "db: $TRASH/state/live/db" shown &&
	test_grep "type .yes. to go on: " shown &&
	typed "yes\n" rollback live && is_new live &&
	test_grep "rollback of environment .live. on host .*: .live/.rollbacks/$(
		jq -rs "map(select(.act == \"restore\" and .ok))[-1].rollback_id" \
			"$STORE/.hxsnap/audit.log")." shown
'

test_expect_success PTY 'anything else is no, whatever the variable says' '
	CONFIRM_LIVE=YES && export CONFIRM_LIVE &&
	test_when_finished "unset CONFIRM_LIVE" &&
	for answer in "no\n" "\n" "YES\n" "y\n" "yes please\n" " yes\n" "" "yesyes\n" \
		"$(printf "%070d" 0)\nyes\n"; do
		look -c state >before && look_at_store >before2 &&
		test_exit 5 typed "$answer" restore "live/$live" &&
		test_grep "not confirmed; nothing was changed" shown &&
		test_line_count 0 out && look -c state >after &&
		test_cmp before after && look_at_store >after2 &&
		test_cmp before2 after2 || return 1
	done && acts ".act == \"restore\" and .status == 5"
'

test_expect_success PTY 'a question about paths names those, and only their targets' '
	typed "yes\n" restore "live/$live" events/b && cat shown &&
	grep -F "events: $TRASH/state/live/events" shown &&
	test_grep ! "db: " shown && grep -x "    events/b" shown &&
	rm state/live/events/b && is_new live
'

test_expect_success PTY 'no question: dev, --dry-run, --to, live with confirm false' '
	typed "" restore "live/$live" --dry-run && test_grep ! "type .yes." shown &&
	typed "" restore "live/$live" --to quiet && test_grep ! "type .yes." shown &&
	typed "" restore "dev/$id" && test_grep ! "type .yes." shown && is_old dev &&
	typed "" rollback dev && is_new dev &&
	cp config.json saved && sed "s/\"live\": {/&\"confirm\": false, /" saved >config.json &&
	! cmp -s saved config.json &&
	typed "" restore "live/$live" && test_grep ! "type .yes." shown && is_old live &&
	mv saved config.json
'

test_expect_success PTY 'control characters in a path do not reach the terminal' '
	test_exit 4 typed "yes\n" restore "live/$live" "$(printf "events/\033[2Jx")" &&
	test_grep ! "$(printf "\033")\\[2J" shown && grep -F "events/\\033[2Jx" shown
'

# ---- statuses ----------------------------------------------------------------

test_expect_success 'damage: 3' '
	anew && flip_byte "$STORE/backups/dev/$id/events/a" 1 &&
	refused 3 "dev/$id/events/a" state/dev/events hxsnap restore "dev/$id" &&
	acts ".status == 3 and (.message | contains(\"events/a\"))" &&
	test_exit 3 hxsnap restore "dev/$id" --to out3 2>err &&
	test_grep "dev/$id/events/a.*nothing was written" err &&
	test_path_is_missing out3/events
'

# hold PATH: a process that has it open, $pid.
hold() {
	(exec 8<"$1" && exec tail -f /dev/null) &
	pid=$!
	test_poll 20 "[ \"\$(readlink /proc/$pid/fd/8)\" = \"$TRASH/$1\" ] &&
		[ \"\$(cat /proc/$pid/comm)\" = tail ]"
}

test_expect_success 'a process that uses a target: 6 and its name; --force' '
	anew && hold state/dev/events/a && test_when_finished "kill $pid" &&
	refused 6 "tail.*$pid\|$pid.*tail" state/dev/events hxsnap restore "dev/$id" &&
	acts ".status == 6" && hxsnap -q restore "dev/$id" --force >out && is_old dev &&
	hold state/dev/events/b && test_when_finished "kill $pid" &&
	refused 6 "$pid" state/dev/events hxsnap rollback dev &&
	hxsnap -q rollback dev --force >out && is_new dev
'

test_expect_success 'standard output full or closed: done, and the id is told' '
	for out in "/dev/full" "&-"; do
		anew && eval "test_exit 1 hxsnap -q restore dev/$id 2>err >$out" &&
		is_old dev && back=$(ls "$STORE/rollbacks/dev") &&
		test_grep "standard output: .*; .dev/$id. was restored; .*dev/.rollbacks/$back" err &&
		test_line_count 1 err &&
		eval "test_exit 1 hxsnap -q rollback dev 2>err >$out" && is_new dev &&
		back=$(ls "$STORE/rollbacks/dev" | tail -n 1) &&
		test_grep "was restored; .*dev/.rollbacks/$back" err || return 1
	done &&
	test_exit 1 hxsnap restore "dev/$id" --dry-run >/dev/full 2>err &&
	test_grep "standard output: No space left" err && is_new dev &&
	test_exit 1 hxsnap --json recover >/dev/full 2>err
'

# ---- signals and crashes -----------------------------------------------------

# large: enough in dev that a restore takes a while.
large() {
	rm -rf state/dev/events && mkdir -p state/dev/events/many &&
		(cd state/dev/events && echo one >a && head -c 300000000 /dev/urandom >large &&
			seq 3000 | xargs touch) && mv state/dev/events/[1-9]* state/dev/events/many/ &&
		big=$(hxsnap -q create dev) && echo changed >state/dev/events/a
}

# under_way WORD...: a restore in the background, $pid, that has begun; false
# if it had ended before it was seen.
under_way() {
	(trap - INT && exec env --default-signal=INT hxsnap "$@" >out 2>err) &
	pid=$! && test_poll 30 "[ -e \"$STORE/.hxsnap/journal/dev\" ] ||
		! kill -0 $pid 2>/dev/null" && kill -STOP "$pid" &&
		test_poll 30 "[ \"\$(cut -d\" \" -f3 /proc/$pid/stat)\" = T ]" &&
		[ -e "$STORE/.hxsnap/journal/dev" ]
}

test_expect_success 'a signal ends it: 1, nothing changed' '
	anew && large && for signal in INT TERM HUP; do
		look -c state >before && for try in 1 2 3 4 5; do
			under_way -q restore "dev/$big" && kill -s "$signal" "$pid" &&
			kill -CONT "$pid" && status=0 && { wait "$pid" || status=$?; } &&
			[ "$status" -ne 0 ] && break
			echo changed >state/dev/events/a
		done &&
		[ "$status" -eq 1 ] && test_line_count 0 out && test_grep "cancel" err &&
		test_grep "nothing was changed" err && no_remains &&
		grep -x changed state/dev/events/a || return 1
	done && acts ".act == \"restore\" and .ok == false and .status == 1"
'

test_expect_success 'while one is under way: readers are told, others are refused' '
	under_way -q restore "dev/$big" &&
	test_when_finished "kill -KILL $pid; wait $pid || :" &&
	hxsnap list dev >list 2>err &&
	test_grep "warning: a restore of .dev. is under way" err &&
	hxsnap -q list dev 2>err && test_line_count 0 err &&
	test_exit 6 hxsnap create dev 2>err && test_grep "busy.*process $pid" err &&
	test_exit 6 hxsnap restore "dev/$big" 2>err && test_grep "busy.*process $pid" err &&
	acts ".act == \"restore\" and .status == 6" &&
	test_exit 6 hxsnap recover dev 2>err && test_grep "dev. is busy" err &&
	test_exit 6 hxsnap --json recover >got 2>err && jq -e ".busy == 1" got &&
	hxsnap -q create lab >got
'

test_expect_success 'a killed one is undone by the next command, a reader at that' '
	under_way -q restore "dev/$big" && kill -KILL "$pid" &&
	{ wait "$pid" || :; } && test_path_is_file "$STORE/.hxsnap/journal/dev" &&
	hxsnap show "dev/$big" >got 2>err &&
	test_grep "a restore of .dev. was interrupted, and is undone" err &&
	no_remains && grep -x changed state/dev/events/a &&
	acts ".act == \"recover\" and .env == \"dev\" and .ok" &&
	hxsnap list dev >got 2>err && test_line_count 0 err
'

test_expect_success 'recover does it by name and for all, and tells' '
	under_way -q restore "dev/$big" && kill -KILL "$pid" &&
	{ wait "$pid" || :; } &&
	hxsnap recover lab 2>err && test_grep "nothing to recover" err &&
	test_path_is_file "$STORE/.hxsnap/journal/dev" &&
	hxsnap --json recover dev >got 2>err && jq -e ".undone == 1 and .finished == 0" got &&
	no_remains && hxsnap recover 2>err && test_grep "nothing to recover" err &&
	mkdir "$STORE/backups/lab/.new-20260101T000000Z" &&
	hxsnap --json recover >got && jq -e ".removed == 1" got &&
	test_path_is_missing "$STORE/backups/lab/.new-20260101T000000Z" && no_remains
'

test_expect_success 'a record that was being written is no record, and goes' '
	mkdir -p "$STORE/.hxsnap/journal" "$STORE/.hxsnap/unconfirmed" &&
	echo "{" >"$STORE/.hxsnap/journal/.tmp-dev" &&
	echo "{" >"$STORE/.hxsnap/unconfirmed/.tmp-dev" &&
	hxsnap list >got 2>err && test_line_count 0 err &&
	hxsnap recover 2>err && test_grep "nothing to recover" err && no_remains &&
	find "$STORE/.hxsnap/unconfirmed" -type f >got && test_line_count 0 got
'

test_expect_success 'what cannot be recovered: a warning to readers, 3 to others' '
	mkdir -p "$STORE/.hxsnap/journal" && echo garbage >"$STORE/.hxsnap/journal/dev" &&
	look -c state >before &&
	hxsnap list >got 2>err && test_grep "warning: .*journal/dev. is damaged" err &&
	test_exit 3 hxsnap create dev >got 2>err && test_line_count 0 got &&
	test_grep "journal/dev. is damaged" err &&
	test_exit 3 hxsnap restore "dev/$big" 2>err &&
	hxsnap -q restore "dev/$big" events/a --to look >got 2>err &&
	hxsnap restore "dev/$big" --dry-run >got 2>err &&
	test_grep "warning: .*journal/dev. is damaged" err &&
	test_exit 3 hxsnap recover 2>err && test_grep "journal/dev. is damaged" err &&
	hxsnap create lab >got 2>err && test_line_count 1 got &&
	test_grep "warning: .*journal/dev. is damaged" err &&
	look -c state >after && test_cmp before after &&
	echo garbage | cmp - "$STORE/.hxsnap/journal/dev" &&
	rm "$STORE/.hxsnap/journal/dev"
'

# ---- the audit log -----------------------------------------------------------

test_expect_success 'each line carries the hash of the one before' '
	log=$STORE/.hxsnap/audit.log && jq -e . "$log" >/dev/null &&
	[ "$(wc -l <"$log")" -gt 15 ] && want=$(printf "%064d" 0) &&
	while IFS= read -r line; do
		[ "$(printf "%s\n" "$line" | jq -r .previous)" = "$want" ] || return 1
		want=$(printf "%s\n" "$line" | sha256sum | cut -d" " -f1)
	done <"$log" &&
	jq -es "map(.act) | unique == [\"create\", \"recover\", \"restore\"]" "$log" &&
	[ "$(stat -c %a "$log")" = 600 ]
'

test_expect_success 'what cannot be recorded: told, and what was done is said' '
	anew && mv "$STORE/.hxsnap/audit.log" kept && mkdir "$STORE/.hxsnap/audit.log" &&
	test_exit 1 hxsnap -q create dev >out 2>err && test_line_count 1 out &&
	test_grep "audit log.*; snapshot .dev/$(cat out). was made" err &&
	test_exit 1 hxsnap -q restore "dev/$id" >out 2>err && is_old dev &&
	test_line_count 1 out && test_grep "audit log.*; .dev/$id. was restored" err &&
	test_exit 5 hxsnap restore live/latest >out 2>err &&
	test_grep "warning: .*audit log" err && test_grep "wants confirmation" err &&
	test_exit 5 hxsnap -q restore live/latest 2>err && test_grep ! warning err &&
	rmdir "$STORE/.hxsnap/audit.log"
'

test_expect_success SETPRIV 'who may not write to the store: a warning beside the refusal' '
	anew && chmod 755 "$TRASH" && cp "$STORE/.hxsnap/audit.log" log &&
	test_exit 5 as_nobody hxsnap restore "live/$live" >out 2>err &&
	test_grep "wants confirmation" err && test_grep "warning: .*audit log" err &&
	cmp log "$STORE/.hxsnap/audit.log" && is_new live &&
	as_nobody hxsnap list >out 2>err && test_line_count 0 err
'

test_done
