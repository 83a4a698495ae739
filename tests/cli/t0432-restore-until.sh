#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='restore --until: a log of records, cut at a point in time'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

LOG=$TRASH/app/events
DB=$TRASH/app/state.db

# configure RECORDS [RECORDS]: what events, and the database state, say of them.
configure() {
	local log='' state=''
	[ -z "$1" ] || log=", \"records\": $1"
	[ -z "${2:-}" ] || state=", \"records\": $2"
	HXSNAP_CONFIG=$TRASH/hxsnap.json && export HXSNAP_CONFIG &&
		cat >"$HXSNAP_CONFIG" <<-END
	{"store": "$STORE", "environments": {"dev": {"sources": {
	  "events": {"kind": "directory", "path": "$LOG"$log},
	  "state": {"kind": "sqlite", "path": "$DB"$state}}}}}
	END
}

both='{"sequence": "seq", "time": "ts"}'

# anew: ten days of January and ten of February, 100 records a day, numbered
# from 1 on, one every 14 minutes; and a backup $id of that.
anew() {
	rm -rf "$STORE" app copy && make_store && mkdir app &&
		configure "$both" null && python3 - "$LOG" <<-\END &&
	import datetime, json, os, sys
	n = 0
	for month in 1, 2:
	    for day in range(1, 11):
	        os.makedirs(f"{sys.argv[1]}/2026/{month:02}", exist_ok=True)
	        with open(f"{sys.argv[1]}/2026/{month:02}/{day:02}.jsonl", "w") as f:
	            for i in range(100):
	                n += 1
	                at = datetime.datetime(2026, month, day) + \
	                    datetime.timedelta(minutes=14 * i)
	                f.write(json.dumps({"seq": n, "ts": at.isoformat() + "Z",
	                                    "text": "\u00e9" * (n % 50)}) + "\n")
	END
	echo "no log" >"$LOG/README" && mkdir "$LOG/empty" &&
		chmod 640 "$LOG/2026/01/05.jsonl" &&
		sqlite3 "$DB" "CREATE TABLE t(x); INSERT INTO t VALUES(1)" &&
		id=$(hxsnap -q create dev) && snap=$STORE/backups/dev/$id &&
		rm -rf orig && cp -a app orig
}

# numbers DIR: those of all records below it, in order.
numbers() {
	find "$1" -name '*.jsonl' -exec cat {} + | jq .seq | sort -n
}

# until DIR N: DIR holds the records up to N, each day up to that of N, and
# what is no log.
until_is() {
	seq "$2" >want && numbers "$1" >got && test_cmp want got &&
		(cd "$1" && find . -name '*.jsonl' | sort) >got &&
		(cd orig/events && find . -name '*.jsonl' | sort |
			head -n $((($2 + 99) / 100))) >want && test_cmp want got &&
		cmp orig/events/README "$1/README" && test_path_is_dir "$1/empty"
}

test_expect_success 'by a number: whole before it, cut there, gone after it' '
	anew && echo "{}" >"$LOG/2026/03.jsonl" && rm "$LOG/README" &&
	hxsnap restore "dev/$id" --until 1234 >out 2>err && no_remains &&
	until_is "$LOG" 1234 && test_path_is_missing "$LOG/2026/03.jsonl" &&
	test_grep "events. until 1234: kept 1,\?234 records, dropped 766, cut 1 file and left out 7 files" err &&
	test_grep "state. came back whole" err && test_grep "restored .dev/$id.: 15 files" err &&
	hxsnap -q verify "dev/$id" && hxsnap -q verify "dev/.rollbacks/$(cat out)" &&
	(cd "$snap" && sha256sum -c --strict --quiet manifest.sha256)
'

test_expect_success 'what was cut is as of now, and else as it was; the others are untouched' '
	head -n 34 orig/events/2026/02/03.jsonl | cmp - "$LOG/2026/02/03.jsonl" &&
	[ "$LOG/2026/02/03.jsonl" -nt "$snap/meta.json" ] &&
	(cd orig/events/2026 && stat -c "%n %a %s %Y %u" 01/* 02/01* 02/02*) >want &&
	(cd "$LOG/2026" && stat -c "%n %a %s %Y %u" 01/* 02/01* 02/02*) >got &&
	test_cmp want got
'

test_expect_success 'rollback takes it back' '
	hxsnap -q rollback dev >out && test_path_is_file "$LOG/2026/03.jsonl" &&
	numbers orig/events >want && rm "$LOG/2026/03.jsonl" && numbers "$LOG" >got &&
	test_cmp want got && no_remains
'

test_expect_success 'the last of a day, the first of one: no file is cut' '
	hxsnap --json restore "dev/$id" --until 1500 >out && until_is "$LOG" 1500 &&
	jq -e "keys_unsorted == [\"reference\", \"rollback_id\", \"files\", \"bytes\",
		\"seconds\", \"absent_seconds\", \"until\", \"records\", \"failed_hooks\",
		\"healthy\", \"outcome\", \"confirm_until\", \"undo\",
		\"message\", \"warnings\"]" out &&
	jq -e ".until == \"1500\" and .records == [
		{source: \"events\", whole: false, kept: 1500, dropped: 500,
			files_cut: 0, files_removed: 5},
		{source: \"state\", whole: true, kept: 0, dropped: 0,
			files_cut: 0, files_removed: 0}]" out &&
	hxsnap --json restore "dev/$id" --until 1501 >out && until_is "$LOG" 1501 &&
	jq -e ".records[0] | .kept == 1501 and .files_cut == 1 and .files_removed == 4" out
'

test_expect_success 'files and bytes are those that are left' '
	find "$LOG" "$DB" -type f -printf "%s\n" >sizes &&
	jq -e ".files == $(wc -l <sizes) and .bytes == $(paste -sd+ sizes | bc)" out
'

test_expect_success 'by a time, which belongs to what is kept' '
	hxsnap -q restore "dev/$id" --until 2026-02-02T00:28:00Z >out &&
	until_is "$LOG" 1103 &&
	hxsnap -q restore "dev/$id" --until 2026-02-02T01:27:59.999+01:00 >out &&
	until_is "$LOG" 1102 && no_remains
'

test_expect_success 'a month that held nothing before it goes, other directories stay' '
	hxsnap -q restore "dev/$id" --until 999 >out && until_is "$LOG" 999 &&
	test_path_is_missing "$LOG/2026/02" && test_path_is_dir "$LOG/empty" &&
	hxsnap -q restore "dev/$id" --until 0 >out && ls -A "$LOG" >got &&
	printf "README\nempty\n" >want && test_cmp want got
'

test_expect_success 'all of it' '
	hxsnap -q restore "dev/$id" --until 999999999 >out && no_remains &&
	test_same_tree orig/events "$LOG"
'

test_expect_success '--to: elsewhere, with nothing changed' '
	look -c app >before && hxsnap --json restore "dev/$id" --until 1234 --to copy >out &&
	until_is copy/events 1234 && look -c app >after && test_cmp before after &&
	jq -e ".records[0].kept == 1234 and .rollback_id == null and .files == 15" out &&
	cmp orig/state.db copy/state/state.db &&
	(cd orig && test_exit 4 env -u HXSNAP_CONFIG hxsnap --store "$STORE" \
		restore "dev/$id" --until 1 --to copy2) 2>err &&
	test_grep configuration err && test_path_is_missing orig/copy2
'

test_expect_success 'by path: a directory, a file that is cut, one that goes' '
	hxsnap -q restore "dev/$id" --until 1050 events/2026/02 >out &&
	seq 1050 >want && numbers "$LOG" >got && test_cmp want got &&
	hxsnap -q restore "dev/$id" >out &&
	hxsnap -q restore "dev/$id" --until 1950 events/2026/02/10.jsonl \
		events/2026/02/09.jsonl >out && seq 1950 >want && numbers "$LOG" >got &&
	test_cmp want got && hxsnap -q restore "dev/$id" >out &&
	hxsnap -q restore "dev/$id" --until 1850 events/2026/02/10.jsonl \
		events/2026/02/09.jsonl >out && seq 1850 >want && numbers "$LOG" >got &&
	test_cmp want got && test_path_is_missing "$LOG/2026/02/10.jsonl" && no_remains &&
	hxsnap -q verify "dev/.rollbacks/$(cat out)"
'

test_expect_success 'a file that neither is nor is to be' '
	hxsnap -q restore "dev/$id" --until 1850 events/2026/02/10.jsonl >out &&
	seq 1850 >want && numbers "$LOG" >got && test_cmp want got && no_remains
'

# What was never touched cannot be put back, and keeps nothing from being so.
test_expect_success ROOT,PTRACE 'one that neither was nor was to be, and is there by now' '
	rm -rf was && cp -a "$LOG" was && paths="events/2026/02/09.jsonl events/2026/02/10.jsonl" &&
	unshare -pf --mount-proc nthcall -l -m 0 kill hxsnap -q restore "dev/$id" \
		--until 1750 $paths 2>calls >out &&
	hxsnap -q rollback dev >out &&
	n=$(sed -nE "s/^nthcall: ([0-9]+): renameat2? .*02.*/\1/p" calls | head -n 1) &&
	test_exit 137 unshare -pf --mount-proc nthcall -m \
		-x "echo new >$LOG/2026/02/10.jsonl" $((n + 1)) kill \
		hxsnap -q restore "dev/$id" --until 1750 $paths 2>err &&
	hxsnap -q recover && no_remains &&
	[ "$(cat "$LOG/2026/02/10.jsonl")" = new ] && rm "$LOG/2026/02/10.jsonl" &&
	touch -r was/2026/02 "$LOG/2026/02" && test_same_tree was "$LOG"
'

test_expect_success 'below directories that are not there' '
	rm -r "$LOG/2026/01" && hxsnap -q restore "dev/$id" --until 420 \
		events/2026/01/05.jsonl events/2026/01/04.jsonl >out &&
	cat "$LOG"/2026/01/* | jq .seq >got && seq 301 420 >want && test_cmp want got
'

test_expect_success TMPFS 'a target that is a mount point' '
	anew && mv "$LOG/2026/01/01.jsonl" "$LOG/a.jsonl" &&
	mv "$LOG/2026/02/10.jsonl" "$LOG/z.jsonl" && id=$(hxsnap -q create dev) &&
	rm -rf "$LOG" && mkdir "$LOG" && mount -t tmpfs -o mode=755 tmpfs "$LOG" &&
	test_when_finished "umount \"$LOG\"" && echo x >"$LOG/z.jsonl" &&
	hxsnap -q restore "dev/$id" --until 1234 >out && no_remains && seq 1234 >want &&
	numbers "$LOG" >got && test_cmp want got && test_path_is_missing "$LOG/z.jsonl" &&
	hxsnap -q restore "dev/$id" --until 50 >out && seq 50 >want &&
	numbers "$LOG" >got && test_cmp want got && no_remains &&
	echo x >want && hxsnap -q rollback dev >out && hxsnap -q rollback dev >out &&
	no_remains
'

test_expect_success 'a source that is one log' '
	anew && cat "$LOG"/2026/*/* >one.jsonl && rm -rf "$LOG" && mv one.jsonl "$LOG" &&
	configure "{\"sequence\": \"seq\", \"files\": \"events\"}" null &&
	id=$(hxsnap -q create dev --allow-shrink) &&
	hxsnap -q restore "dev/$id" --until 77 >out &&
	jq .seq "$LOG" >got && seq 77 >want && test_cmp want got &&
	hxsnap --json restore "dev/$id" --until 0 >out && test_path_is_file "$LOG" &&
	[ ! -s "$LOG" ] && jq -e ".records[0].files_cut == 1" out && no_remains
'

test_expect_success SETPRIV 'an ordinary user, and files that are read-only' '
	anew && chmod 400 "$LOG"/2026/*/* && chmod 500 "$LOG/2026/02" &&
	id=$(hxsnap -q create dev) && mkdir -m 777 theirs &&
	chown -R 65534:65534 "$STORE" &&
	as_nobody hxsnap -q restore "dev/$id" --until 1234 --to theirs/copy events &&
	seq 1234 >want && numbers theirs/copy/events >got && test_cmp want got &&
	stat -c %a theirs/copy/events/2026/02 theirs/copy/events/2026/02/03.jsonl >got &&
	printf "500\n400\n" >want && test_cmp want got
'

# ---- refused ------------------------------------------------------------------

test_expect_success 'a snapshot from elsewhere, and one of another program' '
	anew && hxsnap -q restore "dev/$id" --until 1234 >out &&
	rm "$snap/index.hxi" && sed -i "/  index.hxi$/d" "$snap/manifest.sha256" &&
	rm -rf "$LOG" && hxsnap -q restore "dev/$id" --until 1234 >out 2>err &&
	until_is "$LOG" 1234
'

test_expect_success 'points that are none' '
	anew && for point in x "" 1.5 2026-02-05 2026-02-05T15:29:00; do
		test_exit 2 hxsnap restore "dev/$id" --until "$point" 2>err &&
		test_grep "^hint: " err || return 1
	done && test_exit 2 hxsnap restore "dev/$id" --until 5 --dry-run 2>err &&
	test_grep "exclude each other" err &&
	test_exit 2 hxsnap rollback dev --until 5 2>err
'

test_expect_success 'sources that have no such point' '
	configure "$both" && refused 2 "source .state. declares no \"records\"" app \
		hxsnap restore "dev/$id" --until 5 && test_grep "^hint: name the PATHs" err &&
	unsaid=1 refused 2 "source .state. declares no" app \
		hxsnap restore "dev/$id" --until 5 --to copy && test_path_is_missing copy &&
	hxsnap -q restore "dev/$id" --until 5 events >out && seq 5 >want &&
	numbers "$LOG" >got && test_cmp want got &&
	configure "{\"time\": \"ts\"}" null &&
	refused 2 "records of source .events. have no \"sequence\"" app \
		hxsnap restore "dev/$id" --until 5 &&
	configure "{\"sequence\": \"seq\"}" null &&
	refused 2 "have no \"time\"" app \
		hxsnap restore "dev/$id" --until 2026-02-05T15:29:00Z &&
	configure "{\"sequence\": \"seq\", \"files\": \"*.json\"}" null &&
	refused 2 "none matches .\*.json" app hxsnap restore "dev/$id" --until 5 &&
	configure "$both" null && refused 2 "none matches" app \
		hxsnap restore "dev/$id" --until 5 events/README
'

# damage LINE: one log, which has this as its last line, is refused.
fault() {
	anew && printf "%b" "$1" >>"$LOG/2026/01/02.jsonl" &&
		id=$(hxsnap -q create dev) &&
		refused 2 "events/2026/01/02.jsonl.: $2" app \
			hxsnap restore "dev/$id" --until 1234
}

test_expect_success 'lines that are no records: file and line' '
	fault "no JSON\n" "line 101, column 1: expected an object" &&
	fault "{\"seq\": 7}\n[]\n" "line 102, " && fault "{}\n" "line 101: the record has no .seq" &&
	fault "{\"seq\": \"7\"}\n" "line 101: its .seq. is no whole number" &&
	fault "{\"seq\": 9999}\n{\"seq\": 201}\n" "line 102: its .seq. is not after the point, and that of line 101 is" &&
	fault "{\"seq\": 201, \"te" "line 101: it is incomplete"
'

test_expect_success 'a record that its writer did not finish, after the point: a warning' '
	anew && printf "{\"seq\": 2001, \"t" >>"$LOG/2026/02/10.jsonl" &&
	id=$(hxsnap -q create dev) && hxsnap restore "dev/$id" --until 1950 >out 2>err &&
	test_grep "02/10.jsonl.: line 101, the last, is incomplete, and was dropped" err &&
	until_is "$LOG" 1950
'

test_expect_success 'other names of a log that is cut' '
	anew && ln "$LOG/2026/01/02.jsonl" "$LOG/other" && id=$(hxsnap -q create dev) &&
	refused 2 "2026/01/02.jsonl. has other names" app hxsnap restore "dev/$id" --until 120 &&
	hxsnap -q restore "dev/$id" --until 200 >out && [ "$LOG/other" -ef "$LOG/2026/01/02.jsonl" ]
'

test_expect_success 'damage in the snapshot comes first' '
	anew && flip_byte "$snap/events/2026/02/07.jsonl" 100 &&
	refused 3 "02/07.jsonl" app hxsnap restore "dev/$id" --until 5
'

test_expect_success 'what backups leave out stays as it is, logs too' '
	anew && jq -c ".environments.dev.sources.events.exclude = [\"live.jsonl\"]" \
		"$HXSNAP_CONFIG" >new && mv new "$HXSNAP_CONFIG" &&
	id=$(hxsnap -q create dev) && echo "{\"seq\": 5000}" >"$LOG/2026/02/live.jsonl" &&
	inode=$(inode "$LOG/2026/02/live.jsonl") &&
	hxsnap -q restore "dev/$id" --until 900 >out &&
	echo "{\"seq\": 5000}" | cmp - "$LOG/2026/02/live.jsonl" &&
	[ "$(inode "$LOG/2026/02/live.jsonl")" = "$inode" ] && ls "$LOG/2026/02" >got &&
	echo live.jsonl >want && test_cmp want got
'

test_expect_success 'the question names the point' '
	jq ".environments.dev.confirm = true" "$HXSNAP_CONFIG" >new &&
	mv new "$HXSNAP_CONFIG" && refused 5 "wants confirmation\|CONFIRM_LIVE" app \
		hxsnap restore "dev/$id" --until 5 &&
	if script -qec true out </dev/null; then
		echo no | script -qec "hxsnap restore dev/$id --until 5" shown
		test_grep "of records those until 5" shown
	fi
'

test_done
