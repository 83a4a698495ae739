#!/bin/sh
# shellcheck disable=SC2016 # bodies, and what hooks run, are evaluated later
test_description='drills: a restore is tried in scratch space'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

HXSNAP_CONFIG=$TRASH/hxsnap.json
DRILLS=$STORE/.hxsnap/drills/dev
export HXSNAP_CONFIG

# config [FILTER]: what is configured, changed by a filter of jq.
config() {
	jq -n --arg store "$STORE" --arg live "$TRASH/live" '{
		store: $store, environments: {dev: {sources: {
			events: {kind: "directory", path: ($live + "/events"),
				records: {sequence: "seq", time: "at"}},
			gateway: {kind: "directory", path: ($live + "/gateway")},
			memory: {kind: "sqlite", path: ($live + "/memory.db")}},
			objectives: {rto: "60s"}}}} | '"${1:-.}" \
		>"$HXSNAP_CONFIG"
}

# hooks JSON: the health hooks.
hooks() {
	config ".environments.dev.hooks.health = $1"
}

# anew [FILTER]: an agent's memory, its events and its gateway's state, and a
# backup $id of them.
anew() {
	rm -rf live "$STORE" go here && make_store && config "${1:-.}" &&
		mkdir -p live/events/2026 live/gateway &&
		for i in 1 2 3 4 5; do
			echo "{\"seq\": $i, \"at\": \"2026-01-0${i}T00:00:00.5Z\", \"n\": [$i]}"
		done >live/events/2026/log.jsonl &&
		echo "no log" >live/events/README && echo >>live/events/2026/log.jsonl &&
		echo "{\"sessions\": {}}" >live/gateway/state.json &&
		sqlite3 live/memory.db "CREATE TABLE t(n INTEGER PRIMARY KEY, x);
			CREATE INDEX i ON t(x);
			WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 500)
			INSERT INTO t SELECT n, hex(randomblob(40)) FROM c" &&
		id=$(hxsnap -q create dev) && newest=$STORE/backups/dev/$id
}

no_scratch() {
	find "$TRASH" -name ".scratch" -o -name ".elsewhere" -o \
		-name ".hxsnap-drill-*" >scratches &&
		test_line_count 0 scratches && no_remains
}

# What the store holds, but for what drills keep.
look_at_snapshots() {
	look_at_store | sed "\\,/.hxsnap/drills/,d"
}

# drilled STATUS OUTCOME STEP PATTERN [WORD...]: a drill (of dev) ends with
# this status and outcome, and STEP ("": none) is the first that does not pass,
# for a reason like PATTERN. The report is kept, as it is printed; live data,
# snapshots and scratch space are as before. Earlier reports go: ids of two in
# one second would have to wait for one another.
drilled() {
	local want="$1" outcome="$2" bad="$3" pattern="$4" report
	shift 4
	[ $# -gt 0 ] || set -- dev
	rm -f "$DRILLS"/*.json && look -c live >live-before && look_at_snapshots >store-before &&
		{ test_exit "$want" hxsnap --json drill "$@" >out 2>err || {
			cat out err
			return 1
		}; } && jq -e --arg want "$outcome" --arg bad "$bad" '
			.status == $want and .passed == ($want == "passed") and
			([.steps[] | select(.passed | not) | .step][0] // "") == $bad and
			(.passed or .rto_actual_seconds == null or $bad == "rto")' out >/dev/null &&
		{ [ -z "$pattern" ] || {
			jq -r '[.steps[] | select(.passed | not)][0].detail // ([.steps[].detail] | join("; "))' out >detail &&
				test_grep "$pattern" detail; }; } &&
		{ [ -z "$bad" ] || test_grep "^hxsnap: the drill of .* step '$bad': " err; } &&
		report=$DRILLS/$(jq -r .drill_id out).json && jq -S . "$report" >kept && jq -S . out >said &&
		test_cmp kept said && rm "$report" && no_scratch && look -c live >live-after &&
		test_cmp live-before live-after && look_at_snapshots >store-after &&
		test_cmp store-before store-after && tail -n 1 "$STORE/.hxsnap/audit.log" >audit &&
		jq -e --argjson status "$want" '.act == "drill" and .env == "dev" and .status == $status' audit >/dev/null &&
		return 0
	cat out err
	return 1
}

# copy_foreign FILTER...: the newest backup as a foreign one, $other, changed
# by commands before its manifest is made.
copy_foreign() {
	other=20990101T000000Z
	rm -rf "$STORE/backups/dev/$other" copy && cp -a "$newest" copy &&
		rm copy/index.hxi copy/manifest.sha256 copy/meta.json copy/config.json &&
		(cd copy && eval "$1") && foreign_snapshot dev "$other" copy/*
}

# ---- good ones ---------------------------------------------------------------

test_expect_success 'a good backup passes, in time, with all its steps' '
	anew && drilled 0 passed "" "" && jq -e "
		.reference == \"dev/$id\" and .env == \"dev\" and .warnings == [] and
		[.steps[].step] == [\"snapshot\", \"restore\", \"check events\", \"check gateway\", \"check memory\", \"rto\"] and
		([.steps[].duration_seconds] | all(. >= 0)) and
		.rto_target_seconds == 60 and .rto_actual_seconds > 0 and .rto_actual_seconds < 60 and
		.recovery_point.source == \"events\" and .recovery_point.sequence == 5 and
		.recovery_point.time == \"2026-01-05T00:00:00.5Z\" and
		.recovery_point.age_seconds > 0" out &&
	jq -r ".steps[].detail" out >details && test_grep "5 records in 1 log, to number 5, to 2026-01-05" details &&
	test_grep "1 file, .* 1 database is whole" details && test_grep "6 files, .* verified" details
'

test_expect_success 'how old the newest record is: from then to when the snapshot was made' '
	made=$(jq -n "\"$id\" | strptime(\"%Y%m%dT%H%M%SZ\") | mktime") &&
	then=$(date -u -d 2026-01-05T00:00:00Z +%s) &&
	jq -e ".recovery_point.age_seconds == $((made - then))" out
'

test_expect_success 'for a person: its steps, and what it came to' '
	rm -f "$DRILLS"/*.json && hxsnap drill dev >out 2>err && test_line_count 6 out &&
	test_grep "^ok  *[0-9.]* s  check memory  *1 file" out &&
	test_grep "drill .dev/[0-9TZ]*. of .dev/$id. passed: it took [0-9.]* s, the target is 60 s" err
'

test_expect_success 'other references; an older one; a rollback point; in scratch space elsewhere' '
	drilled 0 passed "" "" dev/latest && drilled 0 passed "" "" "dev/$(echo "$id" | cut -c1-15)" &&
	hxsnap -q verify "dev/$id" && drilled 0 passed "" "" dev/latest-verified &&
	drilled 0 passed "" "" "dev@2099-01-01T00:00:00Z" && mkdir -p elsewhere &&
	drilled 0 passed "" "" dev --scratch elsewhere && ls -A elsewhere >list && test_line_count 0 list &&
	hxsnap -q restore "dev/$id" >back && drilled 0 passed "" "" dev/.rollbacks/latest &&
	jq -e ".reference == \"dev/.rollbacks/$(cat back)\"" out
'

test_expect_success 'without an objective there is no target, and no step for it' '
	anew "del(.environments.dev.objectives)" && drilled 0 passed "" "" &&
	jq -e ".rto_target_seconds == null and .rto_actual_seconds > 0 and ([.steps[].step] | index(\"rto\") == null)" out
'

# ---- the snapshot ------------------------------------------------------------

test_expect_success 'a flipped byte in any file of the newest backup fails it' '
	anew && (cd "$newest" && find . -type f -size +0 | sed "s,^\./,,") >files && [ "$(wc -l <files)" -ge 8 ] &&
	while read -r file; do
		size=$(stat -c %s "$newest/$file") && flip_byte "$newest/$file" $((size / 2)) &&
		case $file in
		manifest.sha256 | index.hxi) step=snapshot ;;
		*) step=restore ;;
		esac &&
		{ [ "$step" != snapshot ] || drilled 3 failed snapshot "$file\|index"; } &&
		{ [ "$step" != restore ] || drilled 3 failed restore "$file"; } &&
		flip_byte "$newest/$file" $((size / 2)) && rm -f "$DRILLS"/*.json || {
			echo "$file: not found"
			return 1
		}
	done <files && drilled 0 passed "" ""
'

test_expect_success 'an older backup is not the worse for it' '
	old=$id && test_poll 5 "[ \$(date -u +%Y%m%dT%H%M%SZ) != $id ]" && id=$(hxsnap -q create dev --full) &&
	flip_byte "$STORE/backups/dev/$id/memory/memory.db" 5000 &&
	drilled 3 failed restore "memory/memory.db" && drilled 0 passed "" "" "dev/$old"
'

test_expect_success 'a missing file, one that is longer, one that nobody listed' '
	anew && mv "$newest/events/README" kept.file && drilled 3 failed restore "events/README.*missing" &&
	mv kept.file "$newest/events/README" && drilled 0 passed "" "" &&
	echo more >>"$newest/gateway/state.json" && drilled 3 failed restore "gateway/state.json" &&
	anew && echo x >"$newest/events/extra" && drilled 3 failed snapshot "events/extra.*does not list"
'

test_expect_success 'no snapshot, none of that id, a damaged manifest, none' '
	anew && drilled 3 failed snapshot "no snapshot .dev/20200101T000000Z" dev/20200101T000000Z &&
	jq -e ".reference == \"dev/20200101T000000Z\" and .rto_actual_seconds == null and .recovery_point == null" out &&
	drilled 3 failed snapshot "" dev@2020-01-01T00:00:00Z && drilled 3 failed snapshot "" dev/.rollbacks/latest &&
	drilled 3 failed snapshot "" dev/latest-verified &&
	echo "not a manifest" >"$newest/manifest.sha256" && drilled 3 failed snapshot "manifest" &&
	rm "$newest/manifest.sha256" && drilled 3 failed snapshot "" &&
	rm -r "$STORE/backups/dev" && drilled 3 failed snapshot "no .*dev"
'

test_expect_success 'a snapshot of another environment' '
	anew ".environments.other = .environments.dev | .environments.other.sources |= {gateway: .gateway} |
		.environments.other.sources.gateway.path += \"2\"" &&
	mkdir live/gateway2 && echo 1 >live/gateway2/f && made=$(hxsnap -q create other) &&
	rm -rf "$newest" && mv "$STORE/backups/other/$made" "$STORE/backups/dev/" &&
	drilled 3 failed snapshot "other"
'

test_expect_success 'what can be no drill: no report, and nothing begun' '
	anew && test_exit 4 hxsnap drill nosuch 2>err && test_grep "no environment .nosuch" err &&
	test_exit 2 hxsnap drill "De v" && test_exit 4 hxsnap drill dev --store "$TRASH/nowhere" &&
	cp -a "$newest" "$STORE/backups/dev/20200101T000000Z" &&
	test_exit 2 hxsnap drill dev/20 2>err && test_grep "20" err && test_path_is_missing "$DRILLS"
'

test_expect_success 'a source that only one of them has' '
	anew && config ".environments.dev.sources.more = {kind: \"directory\", path: \"$TRASH/more\"}" &&
	drilled 3 failed "check more" "has nothing of source .more" &&
	config "del(.environments.dev.sources.gateway)" &&
	drilled 3 failed "check gateway" "has no source of that name now"
'

# ---- what is in it -----------------------------------------------------------

test_expect_success 'a database that is wrong inside, though its bytes are those that were listed' '
	anew && copy_foreign ":" && drilled 0 passed "" "" &&
	copy_foreign "dd if=/dev/zero of=memory/memory.db bs=4096 seek=2 count=1 conv=notrunc 2>/dev/null" &&
	hxsnap -q verify "dev/$other" && drilled 3 failed "check memory" "memory/memory.db.*the database is damaged" &&
	copy_foreign "cp memory/memory.db events/index.db && truncate -s -4196 events/index.db" &&
	drilled 3 failed "check events" "events/index.db.*the database is damaged" &&
	copy_foreign "echo text >memory/memory.db" && drilled 3 failed "check memory" "is no SQLite database" &&
	copy_foreign "rm memory/memory.db; mkdir memory/d" && drilled 3 failed "check memory" "memory"
'

# torn DIR: in it w.db, whose newest changes are in its -wal, and j.db, in the
# middle of a transaction, which its -journal undoes; as an unclean copy of
# live databases has them.
torn() {
	rm -rf "$1" torn.db* && mkdir "$1" &&
		sqlite3 torn.db "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;
			CREATE TABLE t(n INTEGER PRIMARY KEY, x); CREATE INDEX i ON t(x);
			WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 500)
			INSERT INTO t SELECT n, hex(zeroblob(40)) || n FROM c; PRAGMA wal_checkpoint;
			UPDATE t SET x = x || 'later'" ".system cp torn.db $1/w.db" \
			".system cp torn.db-wal $1/w.db-wal" && rm -f torn.db* &&
		sqlite3 torn.db "CREATE TABLE t(n INTEGER PRIMARY KEY, x); CREATE INDEX i ON t(x);
			WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 500)
			INSERT INTO t SELECT n, hex(zeroblob(40)) || n FROM c; PRAGMA cache_size=1;
			BEGIN; UPDATE t SET x = x || 'later' WHERE n % 3 = 0" ".system cp torn.db $1/j.db" \
			".system cp torn.db-journal $1/j.db-journal" && rm -f torn.db* &&
		[ -s "$1/w.db-wal" ] && [ -s "$1/j.db-journal" ]
}

test_expect_success 'databases with changes beside them are checked together with those' '
	anew && torn torn && cp -r torn alone && rm alone/*-wal alone/*-journal &&
	sqlite3 alone/j.db "PRAGMA integrity_check" >said && test_grep ! "^ok$" said &&
	copy_foreign "cp ../torn/* events/" && drilled 0 passed "" "" && jq -e ".warnings == []" out &&
	jq -r ".steps[].detail" out >details && test_grep "2 databases are whole" details
'

test_expect_success 'and wrong where those do not make them right' '
	copy_foreign "cp ../alone/j.db events/" && drilled 3 failed "check events" "events/j.db.*the database is damaged" &&
	zero="dd if=/dev/zero bs=4096 seek=1 count=1 conv=notrunc status=none" &&
	copy_foreign "cp ../torn/w* events/ && $zero of=events/w.db" && drilled 0 passed "" "" &&
	copy_foreign "cp ../alone/w* events/ && $zero of=events/w.db" &&
	drilled 3 failed "check events" "events/w.db.*the database is damaged"
'

test_expect_success 'a -journal removes no file, whatever it names' '
	echo precious >victim && rm -rf evil && mkdir evil && cp torn/j.db* evil/ &&
	python3 -c "
import struct, sys
name = sys.argv[1].encode()
with open(\"evil/j.db-journal\", \"ab\") as f:
    f.write(struct.pack(\">I\", 0x40000000 // 4096 + 1) + name + struct.pack(\">II\", len(name), sum(name)) +
            bytes.fromhex(\"d9d505f920a163d7\"))" "$TRASH/victim" &&
	cp -r evil plain && sqlite3 plain/j.db "PRAGMA integrity_check" >said && test_grep "^ok$" said &&
	test_path_is_missing victim && echo precious >victim &&
	copy_foreign "cp ../evil/j.db* events/" && drilled 0 passed "" "" && test_path_is_file victim &&
	jq -r ".warnings[]" out >warnings && cat warnings && test_grep "events/j.db.*could not check" warnings
'

test_expect_success 'what begins like a database and is none; one of a format to come' '
	copy_foreign "printf \"\\000\\003\" | dd of=memory/memory.db bs=1 seek=16 conv=notrunc status=none" &&
	drilled 3 failed "check memory" "memory/memory.db.*damaged: file is not a database" &&
	copy_foreign "printf \"\\011\\011\" | dd of=memory/memory.db bs=1 seek=18 conv=notrunc status=none" &&
	drilled 1 inconclusive "check memory" "memory/memory.db.*format that this SQLite"
'

test_expect_success 'one failed check keeps no other from being made' '
	copy_foreign "echo text >memory/memory.db; echo [] >events/2026/log.jsonl" &&
	drilled 3 failed "check events" "" && jq -e "[.steps[] | select(.passed | not) | .step] ==
		[\"check events\", \"check memory\"] and ([.steps[].step] | index(\"rto\") == null)" out
'

# log TEXT STEP PATTERN: such a log of events.
log() {
	copy_foreign "cat >events/2026/log.jsonl <<-END
	$1
	END" && if [ -z "$2" ]; then drilled 0 passed "" "$3"; else drilled 3 failed "$2" "$3"; fi
}

test_expect_success 'lines that are no records' '
	good="{\"seq\": 1, \"at\": \"2026-01-01T00:00:00Z\"}" &&
	log "$good" "" "1 record in 1 log" &&
	log "$good
nonsense" "check events" "log.jsonl.*line 2" &&
	log "$good
{\"seq\": 2" "check events" "line 2" && log "[]" "check events" "line 1" &&
	log "{\"at\": \"2026-01-01T00:00:00Z\"}" "check events" "line 1: the record has no .seq" &&
	log "{\"seq\": 1}" "check events" "line 1: the record has no .at" &&
	log "{\"seq\": \"1\", \"at\": \"2026-01-01T00:00:00Z\"}" "check events" "its .seq. is no whole number" &&
	log "{\"seq\": 1, \"at\": \"yesterday\"}" "check events" "its .at. is no time" &&
	log "$good
{\"seq\": 2, \"at\": 5}" "check events" "line 2: its .at. is no time"
'

test_expect_success 'the newest record need not be the last; large numbers stay exact' '
	log "{\"seq\": 999999999999999999, \"at\": \"2026-03-01T01:00:00+02:00\"}
{\"seq\": 7, \"at\": \"2026-03-01T00:30:00Z\"}" "" "" &&
	jq -e ".recovery_point | .sequence == \"999999999999999999\" and .time == \"2026-03-01T00:30:00Z\"" out &&
	rm -f "$DRILLS"/*.json && hxsnap -q drill dev && hxsnap --json drill dev --history >out &&
	jq -e ".recovery_point.sequence == \"999999999999999999\"" out
'

test_expect_success 'a line that was being written is a warning' '
	copy_foreign "printf \"{\\\"seq\\\": 6, \\\"at\\\": \\\"20\" >>events/2026/log.jsonl" && drilled 0 passed "" "5 records" &&
	test_grep "log.jsonl.: line 7, the last, is incomplete" err && jq -e ".warnings | length == 1" out &&
	copy_foreign "printf \"{\\\"seq\\\": 6, \\\"at\\\": \\\"2026-01-07T00:00:00Z\\\"}\" >>events/2026/log.jsonl" &&
	drilled 0 passed "" "6 records" && jq -e ".recovery_point.sequence == 6 and .warnings == []" out
'

test_expect_success 'without records declared: objects a line; with records null: nothing is looked at' '
	copy_foreign "echo 7 >>events/2026/log.jsonl" && drilled 3 failed "check events" "line 7" &&
	config "del(.environments.dev.sources.events.records)" && drilled 3 failed "check events" "line 7" &&
	config ".environments.dev.sources.events.records = null" && drilled 0 passed "" "" &&
	jq -e ".recovery_point == null" out &&
	copy_foreign "echo {} >>events/2026/log.jsonl" && config "del(.environments.dev.sources.events.records)" &&
	drilled 0 passed "" "6 records in 1 log" && jq -e ".recovery_point == null" out
'

test_expect_success 'a line of a megabyte, and lines of any length around a buffer' '
	jq -nc "{seq: 1, at: \"2026-01-01T00:00:00Z\", x: (\"y\" * 1000000)}" >big &&
	for i in $(seq 2 2000); do printf "{\"seq\": %d, \"at\": \"2026-01-01T00:00:00Z\", \"p\": \"%0*d\"}\n" "$i" $((i % 613)) 0; done >>big &&
	config && copy_foreign "cp ../big events/2026/log.jsonl" && drilled 0 passed "" "2000 records in 1 log, to number 2000"
'

test_expect_success 'what a program gave out: there, and not empty' '
	gateway=".environments.dev.sources.gateway = {kind: \"command\", capture: [\"cat\", \"$TRASH/live/gateway/state.json\"],
		restore: [\"false\"], file: \"state.json\"}" && anew "$gateway" && drilled 0 passed "" "" &&
	copy_foreign ": >gateway/state.json" && drilled 3 failed "check gateway" "is empty" &&
	copy_foreign "mv gateway/state.json gateway/other" && drilled 3 failed "check gateway" "does not hold" &&
	copy_foreign ": >gateway/state.json" &&
	config "$gateway | .environments.dev.sources.gateway.may_be_empty = true" && drilled 0 passed "" ""
'

# ---- hooks -------------------------------------------------------------------

test_expect_success 'health hooks are told where all is, and only they run' '
	cat >look_well <<-\END &&
	#!/bin/sh
	env | grep ^HXSNAP_ | grep -v ^HXSNAP_CONFIG | sort >"$TRASH/told"
	sqlite3 "$HXSNAP_SOURCE_MEM_ORY" "SELECT count(*) FROM t" >"$TRASH/count"
	stat -c "%a %U" "$HXSNAP_SCRATCH" >"$TRASH/mode"
	cmp "$HXSNAP_SOURCE_EVENTS/2026/log.jsonl" "$TRASH/live/events/2026/log.jsonl" &&
		cmp "$HXSNAP_SOURCE_GATEWAY" "$TRASH/live/gateway/state.json"
	END
	chmod 755 look_well && anew ".environments.dev.sources |= (.[\"mem-ory\"] = .memory | del(.memory) |
			.gateway.path += \"/state.json\") |
		.environments.dev.hooks = {health: [[\"./look_well\"]], before_restore: [[\"touch\", \"bad\"]],
			after_restore: [[\"touch\", \"bad\"]], on_failure: [[\"touch\", \"bad\"]],
			after_create: [[\"true\"]]}" &&
	rm -f bad && (HXSNAP_SOURCE_EVIL=1 HXSNAP_SCRATCH=/ && export HXSNAP_SOURCE_EVIL HXSNAP_SCRATCH &&
		drilled 0 passed "" "") && test_path_is_missing bad && [ "$(cat count)" = 500 ] &&
	[ "$(cat mode)" = "700 $(id -un)" ] && cat >want <<-END &&
	HXSNAP_ENV=dev
	HXSNAP_EVENT=health
	HXSNAP_ID=$id
	HXSNAP_OPERATION=drill
	HXSNAP_REFERENCE=dev/$id
	HXSNAP_SCRATCH=$DRILLS/.scratch
	HXSNAP_SOURCE_EVENTS=$DRILLS/.scratch/events
	HXSNAP_SOURCE_GATEWAY=$DRILLS/.scratch/gateway/state.json
	HXSNAP_SOURCE_MEM_ORY=$DRILLS/.scratch/mem-ory/memory.db
	HXSNAP_STORE=$STORE
	END
	test_cmp want told && jq -e "[.steps[].step] | index(\"health\") == 5" out
'

test_expect_success 'one that fails, one that is not there, one that takes too long' '
	anew && hooks "[[\"true\"], [\"sh\", \"-c\", \"echo HTTP 503 >&2; exit 22\"], [\"touch\", \"bad\"]]" &&
	drilled 3 failed health "hook health\[1\]: .sh. failed with status 22: HTTP 503" && test_path_is_missing bad &&
	hooks "[[\"./hxs-no-such\"]]" && drilled 3 failed health "cannot run .\./hxs-no-such" &&
	hooks "[{run: [\"sleep\", \"1000\"], timeout: \"1s\"}]" && drilled 3 failed health "did not end within 1 s" &&
	hooks "[{run: [\"false\"], policy: \"warn\"}]" && drilled 0 passed "" "" && jq -e ".warnings | length == 1" out
'

test_expect_success 'what is damaged is shown to no hook' '
	hooks "[[\"touch\", \"bad\"]]" && copy_foreign "echo text >memory/memory.db" &&
	drilled 3 failed "check memory" "" && test_path_is_missing bad
'

# ---- time --------------------------------------------------------------------

WAIT='["sh", "-c", "\"$TRASH/waits\""]'
cat >waits <<-\END
	#!/bin/sh
	: >"$TRASH/here"
	until [ -e "$TRASH/go" ]; do
		sleep 0.02
	done
END
chmod 755 waits

test_expect_success 'the objective is missed' '
	anew ".environments.dev | .objectives.rto = \"1s\" | .hooks.health = [$WAIT] | {store: \"$STORE\", environments: {dev: .}}" &&
	began=$(date +%s%N) &&
	{ { test_poll 20 "[ -e here ] && [ \$((\$(date +%s%N) - $began)) -gt 3000000000 ]"; : >go; } & } &&
	drilled 3 failed rto "it took [1-9][0-9]*\.[0-9] s, and the target is 1 s" && wait &&
	jq -e ".rto_actual_seconds > 1 and .rto_target_seconds == 1" out &&
	jq -e "[.steps[] | select(.step == \"health\")][0] | .passed and .duration_seconds > 0.5" out
'

# ---- what could not be tried -------------------------------------------------

test_expect_success TMPFS 'no room: inconclusive, and nothing is left' '
	anew && head -c 4000000 /dev/urandom >live/events/big && id=$(hxsnap -q create dev --allow-shrink) && mkdir -p small &&
	mount -t tmpfs -o size=1m,mode=755 tmpfs small && test_when_finished "umount small" &&
	drilled 1 inconclusive restore "No space\|room" dev --scratch small && ls -A small >list && test_line_count 0 list &&
	jq -e ".rto_actual_seconds == null" out && drilled 0 passed "" ""
'

test_expect_success 'scratch space that is refused' '
	anew && drilled 1 inconclusive restore "nowhere.*No such file" dev --scratch nowhere &&
	drilled 1 inconclusive restore "waits.*Not a directory" dev --scratch waits &&
	drilled 1 inconclusive restore "lies in live data" dev --scratch live/events/2026 &&
	drilled 1 inconclusive restore "lies in live data" dev --scratch live/gateway &&
	drilled 1 inconclusive restore "lies in the store" dev --scratch "$STORE/backups/dev" &&
	drilled 1 inconclusive restore "lies in the store" dev --scratch "$STORE/.hxsnap" &&
	drilled 0 passed "" "" dev --scratch "$TRASH"
'

test_expect_success SETPRIV 'a place that may not be written to' '
	mkdir -p closed && chmod 755 closed live/* && chown -R nobody "$STORE" live &&
	rm -f "$DRILLS"/*.json && chmod 755 "$TRASH" &&
	test_exit 1 as_nobody hxsnap --json drill dev --scratch closed >out 2>err &&
	jq -e ".status == \"inconclusive\"" out && test_grep "closed.*Permission denied" err && no_scratch
'

test_expect_success 'cancelled: inconclusive, kept, and nothing is left' '
	anew && hooks "[$WAIT]" && rm -f "$DRILLS"/*.json here go && look -c live >before &&
	{ hxsnap --json drill dev >out 2>err & } && pid=$! && test_poll 20 "[ -e here ]" && kill $pid &&
	test_exit 1 wait $pid && : >go && jq -e ".status == \"inconclusive\" and .rto_actual_seconds == null and
		(.steps[-1] | .step == \"health\" and (.passed | not))" out &&
	test_grep "is inconclusive: step .health.: .*cancelled" err && [ -e "$DRILLS/$(jq -r .drill_id out).json" ] &&
	no_scratch && look -c live >after && test_cmp before after
'

# killed [WORD...]: a drill is killed when all is in scratch space.
killed() {
	rm -f here go && { hxsnap drill dev "$@" >/dev/null 2>&1 & } && pid=$! &&
		test_poll 20 "[ -e here ]" && kill -KILL $pid && { wait $pid || :; } && : >go
}

test_expect_success 'killed: the next one removes what it left, wherever that was' '
	anew && hooks "[$WAIT]" && mkdir -p elsewhere && look -c live >before &&
	killed && test_path_is_dir "$DRILLS/.scratch/events" && hooks "[]" && drilled 0 passed "" "" &&
	hooks "[$WAIT]" && killed --scratch elsewhere && find elsewhere -name memory.db >found && test_line_count 1 found &&
	hooks "[]" && drilled 0 passed "" "" && ls -A elsewhere >list && test_line_count 0 list &&
	hooks "[$WAIT]" && killed --scratch elsewhere && rm -rf elsewhere && hooks "[]" && drilled 0 passed "" "" &&
	look -c live >after && test_cmp before after
'

test_expect_success 'a note of what was left that leads elsewhere removes nothing' '
	anew && drilled 0 passed "" "" && mkdir -p precious && echo 1 >precious/f &&
	ln -s "$TRASH/precious" "$DRILLS/.elsewhere" && test_exit 1 hxsnap --json drill dev >out 2>err &&
	jq -e ".status == \"inconclusive\"" out && test_grep "precious" err && test_path_is_file precious/f &&
	rm "$DRILLS/.elsewhere" && ln -s "$TRASH/precious" "$DRILLS/.scratch" && drilled 0 passed "" "" &&
	test_path_is_file precious/f
'

test_expect_success 'two at once: the second is busy; a backup and a list are not' '
	anew && hooks "[$WAIT]" && rm -f here go && { hxsnap -q --json drill dev >first 2>err & } && pid=$! &&
	test_poll 20 "[ -e here ]" && test_exit 6 hxsnap drill dev >out 2>err2 && test_line_count 0 out &&
	test_grep "another drill of .dev. is under way" err2 && hxsnap -q create dev >made &&
	hxsnap -q verify "dev/$(cat made)" && : >go && wait $pid && jq -e .passed first &&
	ls "$DRILLS" >list && test_line_count 1 list && jq -e .passed "$DRILLS/$(jq -r .drill_id first).json"
'

# ---- history -----------------------------------------------------------------

test_expect_success 'the history, and how long they took' '
	anew && hooks "[[\"true\"]]" && test_exit 4 hxsnap drill dev --history 2>err && test_grep "no drill of .dev" err &&
	hxsnap -q drill dev >/dev/null && hxsnap -q drill dev >/dev/null && hooks "[[\"false\"]]" &&
	test_exit 3 hxsnap -q drill dev >/dev/null && hooks "[]" && hxsnap -q drill dev >/dev/null &&
	hxsnap drill dev --history >out 2>err && test_line_count 4 out &&
	cut -c 1-16 out >ids && sort -u ids >sorted && test_cmp ids sorted && test_line_count 4 sorted &&
	sed -n 1p out | grep "  passed  *[0-9.]* s  *-  *60 s  dev/$id" &&
	sed -n 2p out | grep "  passed  *[0-9.]* s  *[-+][0-9.]* s  *60 s  dev/$id" &&
	sed -n 3p out | grep "  failed  *-  *-  *60 s  dev/$id" &&
	test_grep "the last of 3 timed drills took [0-9.]* s, those before it [0-9.]* s on average ([-+]" err &&
	hxsnap --json drill dev --history >out 2>err && test_line_count 4 out &&
	jq -es "(.[0].rto_change_seconds == null) and (.[2].rto_change_seconds == null) and
		((.[3].rto_actual_seconds - .[1].rto_actual_seconds - .[3].rto_change_seconds) | fabs < 0.000002) and
		([.[].status] == [\"passed\", \"passed\", \"failed\", \"passed\"])" out
'

test_expect_success 'the history needs no configuration, and changes nothing' '
	mv "$HXSNAP_CONFIG" aside.json && look "$STORE" >before &&
	hxsnap --store "$STORE" drill dev --history >out && test_line_count 4 out && look "$STORE" >after &&
	mv aside.json "$HXSNAP_CONFIG" && test_cmp before after &&
	test_exit 2 hxsnap drill "dev/$id" --history
'

test_expect_success 'damaged reports are passed over, with a warning' '
	set -- $(cat ids) && echo "{" >"$DRILLS/$1.json" && cp "$DRILLS/$3.json" "$DRILLS/$2.json" &&
	hxsnap drill dev --history >out 2>err && test_line_count 2 out && test_grep "warning: .*$1" err && test_grep "warning: .*$2" err &&
	for change in "del(.status)" ".passed = true" ".steps = 1" ".steps[0].step = 1" ".drill_id = \"x\"" ".env = \"..\"" \
		".rto_actual_seconds = -1" ".recovery_point = {}" ".warnings = [1]" ".started_at_utc = \"now\"" "[.]" "del(.recovery_point)"; do
		jq "$change" "$DRILLS/$3.json" >"$DRILLS/$1.json" && hxsnap drill dev --history >out 2>err &&
		test_line_count 2 out && test_line_count 2 err && test_grep "$1" err || {
			echo "taken: $change"
			return 1
		}
	done && rm "$DRILLS/$1.json" && mkdir "$DRILLS/$1.json" && hxsnap drill dev --history >out 2>err && test_line_count 2 out
'

test_expect_success 'reports of a clock that was ahead: ids go on' '
	anew && drilled 0 passed "" "" && hxsnap -q --json drill dev >out && jq ".drill_id = \"20980101T000000Z\"" out >"$DRILLS/20980101T000000Z.json" &&
	hxsnap -q --json drill dev >out && jq -e ".drill_id == \"20980101T000001Z\" and (.started_at_utc | startswith(\"20980\") | not)" out
'

# ---- users -------------------------------------------------------------------

test_expect_success SETPRIV 'an ordinary user, with files that may not be written or entered' '
	anew && chmod 555 live/events/2026 && chmod 400 live/events/README && chmod 711 live &&
	id=$(hxsnap -q create dev --full) && rm -rf "$DRILLS" && chown -R nobody "$STORE" live &&
	rm -f "$STORE/.hxsnap/audit.log" && look -c live >before &&
	as_nobody hxsnap --json drill dev >out 2>err && jq -e .passed out && no_scratch && look -c live >after && test_cmp before after &&
	[ "$(stat -c %U "$DRILLS/$(jq -r .drill_id out).json")" = nobody ] && chown -R root "$STORE"
'

test_expect_success SETPRIV 'one who may not write to the store is told' '
	chown -R root "$STORE" && chmod -R go+rX "$STORE" && test_exit 1 as_nobody hxsnap -q drill dev 2>err &&
	test_grep "Permission denied" err
'

test_done
