#!/bin/sh
# shellcheck disable=SC2016 # bodies, and what hooks run, are evaluated later
test_description='hooks: what runs before and after a backup and a restore'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

# anew [HOOKS]: an environment with hooks, a backup $id made before there were
# any, and what changed since. Hooks write what they have to say into notes.
anew() {
	rm -rf live "$STORE" notes && new_env && make_store &&
		mkdir "$EVENTS/sub" && echo one >"$EVENTS/sub/1" &&
		echo old >"$STATE/state" && id=$(hxsnap -q create dev) &&
		echo later >"$EVENTS/later" && echo new >"$STATE/state" &&
		hooks "${1:-{\}}"
}

# restored: the targets are those of the backup.
restored() {
	[ "$(cat "$STATE/state")" = old ] &&
		test_path_is_missing "$EVENTS/later" && no_remains
}

# no_backup PATTERN: a backup is refused, with status 1.
no_backup() {
	unsaid=1 refused 1 "$1.*no snapshot was made" live hxsnap create dev
}

last_line() {
	tail -n 1 "$STORE/.hxsnap/audit.log" >audit && jq -e "$1" audit
}

cat >note <<-\END
	#!/bin/sh
	# note [STATUS]: write down what is known, end with STATUS
	{
		echo "$HXSNAP_EVENT: $HXSNAP_OPERATION $HXSNAP_ENV" \
			"ref=${HXSNAP_REFERENCE-} id=${HXSNAP_ID-}" \
			"back=${HXSNAP_ROLLBACK_ID-} status=${HXSNAP_STATUS-}" \
			"confirm=${CONFIRM_LIVE-none} in=$(pwd -P)"
		[ -z "${HXSNAP_MESSAGE-}" ] || echo "message: $HXSNAP_MESSAGE"
	} >>"$TRASH/notes"
	exit "${1:-0}"
END
chmod 755 note
ALL='"before_create": [["./note"]], "after_create": [["./note"]],
	"before_restore": [["./note"]], "after_restore": [["./note"]],
	"on_failure": [["./note"]], "health": [["./note"]]'

# ---- when, where, with what --------------------------------------------------

test_expect_success 'they run in order, in the directory of the configuration, and know all' '
	anew "{$ALL}" && mkdir -p elsewhere && cd elsewhere &&
	made=$(CONFIRM_LIVE=YES hxsnap -q create dev) &&
	back=$(hxsnap -q restore "dev/$id") && restored &&
	again=$(hxsnap -q rollback dev) && cd .. &&
	rest="confirm=none in=$TRASH" && cat >want <<-END &&
	before_create: create dev ref= id= back= status= $rest
	after_create: create dev ref=dev/$made id=$made back= status=0 $rest
	before_restore: restore dev ref=dev/$id id=$id back= status= $rest
	after_restore: restore dev ref=dev/$id id=$id back=$back status=0 $rest
	health: restore dev ref=dev/$id id=$id back=$back status=0 $rest
	before_restore: rollback dev ref=dev/.rollbacks/$back id=$back back= status= $rest
	after_restore: rollback dev ref=dev/.rollbacks/$back id=$back back=$again status=0 $rest
	health: rollback dev ref=dev/.rollbacks/$back id=$back back=$again status=0 $rest
	END
	test_cmp want notes
'

test_expect_success 'for single paths, too; not for a copy elsewhere, nor for a question' '
	anew "{$ALL}" && hxsnap -q restore "dev/$id" state/state >/dev/null &&
	test_line_count 3 notes && [ "$(cat "$STATE/state")" = old ] &&
	test_path_is_file "$EVENTS/later" && rm notes &&
	hxsnap -q restore "dev/$id" --to copy && rm -r copy &&
	hxsnap -q restore "dev/$id" --dry-run >/dev/null &&
	test_path_is_missing notes
'

test_expect_success 'HXSNAP_STORE, and nothing of an outer hook' '
	anew "{\"before_create\": [[\"sh\", \"-c\",
		\"env | grep ^HXSNAP_ | grep -v CONFIG= | sort >notes\"]]}" &&
	HXSNAP_ID=x HXSNAP_STATUS=y HXSNAP_EVENT=z hxsnap -q create dev &&
	printf "%s\n" HXSNAP_ENV=dev HXSNAP_EVENT=before_create \
		HXSNAP_OPERATION=create "HXSNAP_STORE=$STORE" >want &&
	test_cmp want notes
'

# ---- create ------------------------------------------------------------------

test_expect_success 'before_create fails: no backup, the rest does not run, on_failure does' '
	anew "{\"before_create\": [[\"sh\", \"-c\",
		\"echo first >&2; printf \\\"why\\\\033[1m\\\\n\\\\n\\\" >&2; exit 3\", \"s3cret\"],
		[\"./note\"]], \"after_create\": [[\"./note\"]], \"on_failure\": [[\"./note\"]]}" &&
	no_backup "hook before_create\[0\]: .sh. failed with status 3: why.033\[1m" &&
	test_grep ! s3cret err && test_grep ! first err && test_line_count 2 notes &&
	test_grep "^on_failure: create dev ref= id= back= status=1" notes &&
	test_grep "^message: hook before_create.*no snapshot was made" notes &&
	last_line ".act == \"create\" and (.ok | not) and .status == 1 and
		(.message | contains(\"before_create[0]\") and (contains(\"s3cret\") | not))"
'

test_expect_success 'it sees the sources as they are before anything is read' '
	anew "{\"before_create\": [[\"sh\", \"-c\", \"echo dumped >\\\"$STATE/dump\\\"\"]]}" &&
	made=$(hxsnap -q create dev) &&
	[ "$(cat "$STORE/backups/dev/$made/state/dump")" = dumped ]
'

test_expect_success 'one that may fail: a warning, and it goes on' '
	anew "{\"before_create\": [{\"run\": [\"false\"], \"policy\": \"warn\"}, [\"./note\"]],
		\"after_create\": [{\"run\": [\"false\"], \"policy\": \"warn\"}],
		\"on_failure\": [[\"./note\"]]}" &&
	made=$(hxsnap create dev 2>err) && test_path_is_dir "$STORE/backups/dev/$made" &&
	test_grep "warning: hook before_create\[0\]: .false. failed with status 1" err &&
	test_grep "warning: hook after_create\[0\]: .false. failed with status 1" err &&
	test_line_count 1 notes
'

test_expect_success 'after_create fails: the backup is there, status 7 says so, on_failure tells' '
	anew "{\"after_create\": [[\"sh\", \"-c\", \"echo no route >&2; exit 9\"], [\"./note\", \"4\"]],
		\"on_failure\": [[\"./note\"]]}" &&
	test_exit 7 hxsnap -q create dev >out 2>err && made=$(cat out) &&
	test_path_is_dir "$STORE/backups/dev/$made" && hxsnap -q verify "dev/$made" &&
	test_grep "snapshot .dev/$made. was made, but hook after_create\[0\]: .sh. failed with status 9: no route; so did 1 more" err &&
	test_grep "^after_create: .* id=$made .* status=0" notes &&
	test_grep "^on_failure: .* id=$made .* status=7" notes &&
	last_line "(.ok | not) and .status == 7 and .reference == \"dev/$made\"" &&
	test_exit 7 hxsnap --json create dev >out && jq -e ".failed_hooks == 2 and (.warnings | length == 2)" out
'

test_expect_success 'a program that is not there; one that is killed' '
	anew "{\"before_create\": [[\"./hxs-no-such\"]]}" &&
	no_backup "hook before_create\[0\]: cannot run .\./hxs-no-such.: No such file" &&
	hooks "{\"before_create\": [[\"sh\", \"-c\", \"kill -KILL \$\$\"]]}" &&
	no_backup "failed with status 137"
'

test_expect_success 'a password that a hook says gets into no message' '
	anew "{\"before_create\": [[\"sh\", \"-c\",
		\"echo cannot reach postgresql://app:hunter2@db/x >&2; exit 1\"]]}" &&
	no_backup "what it said holds a password" &&
	test_grep ! hunter2 err && test_grep ! hunter2 "$STORE/.hxsnap/audit.log"
'

test_expect_success 'however much it says, a message has the last line, or its beginning' '
	anew "{\"before_create\": [[\"sh\", \"-c\",
		\"seq 200000 >&2; head -c 1000 /dev/zero | tr \\\"\\\\0\\\" x >&2; exit 1\"]]}" &&
	no_backup "status 1: x\{200\};" &&
	hooks "{\"before_create\": [[\"sh\", \"-c\", \"seq 200000 >&2; exit 1\"]]}" &&
	no_backup "status 1: 200000;"
'

# ---- time limits -------------------------------------------------------------

test_expect_success 'a time limit ends the hook and what it started' '
	mkfifo up down && anew "{\"before_create\": [{\"run\": [\"sh\", \"-c\",
		\"sh -c \\\"exec 9>down; echo x >up; sleep 1000; :\\\" & wait\"], \"timeout\": \"1s\"}]}" &&
	{ cat down >gone & } && pid=$! && { cat up >came & } &&
	no_backup "hook before_create\[0\]: .sh. did not end within 1 s" &&
	wait $pid && [ "$(cat came)" = x ]
'

test_expect_success 'a program that a hook leaves running goes on, and may speak' '
	rm -f pid alive && anew "{\"after_create\": [[\"sh\", \"-c\",
		\"sh -c \\\"while :; do echo tick >&2; [ -e gone ] && echo y >alive; sleep 0.02; done\\\" & echo \$! >pid\"]]}" &&
	rm -f gone && hxsnap -q create dev && test_when_finished "kill $(cat pid); rm -f gone" &&
	: >gone && test_poll 20 "[ -e alive ]" && kill -0 "$(cat pid)"
'

# ---- a service ---------------------------------------------------------------

# It holds a file of events open, and writes; "hidden" is left out of backups.
cat >service <<-\END
	#!/bin/sh
	case $1 in
	start)
		(
			exec 9>>"$EVENTS/log" >/dev/null 2>&1
			while echo tick >&9; do
				: >>"$EVENTS/hidden.tmp"
				sleep 0.02
			done
		) &
		echo $! >"$TRASH/service.pid"
		;;
	stop)
		pid=$(cat "$TRASH/service.pid") || exit 1
		# A child would outlive it for a moment, and hold the file.
		kill -STOP "$pid"
		until grep -q "^State:.[TZ]" "/proc/$pid/status"; do
			sleep 0.02
		done
		children=$(cat "/proc/$pid/task/$pid/children")
		kill -KILL "$pid"
		for one in $pid $children; do
			while kill -0 "$one" 2>/dev/null &&
				! grep -q "^State:.Z" "/proc/$one/status"; do
				sleep 0.02
			done
		done
		echo bye >"$EVENTS/last-words.tmp"
		echo bye >"$EVENTS/last-words"
		;;
	esac
END
chmod 755 service

serves() {
	[ "$(readlink "/proc/$(cat service.pid)/fd/9")" = "$EVENTS/log" ]
}

# with_service [MORE]: anew, and it runs.
with_service() {
	anew "{\"before_restore\": [[\"./service\", \"stop\"]],
		\"after_restore\": [[\"./service\", \"start\"], [\"./note\"]],
		\"on_failure\": [[\"./note\"]]${1:+, $1}}" &&
	jq ".environments.dev.sources.events.exclude = [\"*.tmp\"]" \
		"$HXSNAP_CONFIG" >c && mv c "$HXSNAP_CONFIG" &&
		./service start && test_poll 10 serves &&
		test_poll 10 "[ -e \"$EVENTS/hidden.tmp\" ]"
}

stop_service() {
	kill "$(cat service.pid)" 2>/dev/null
	:
}

test_expect_success 'a service is stopped, its state exchanged, and it is started again' '
	with_service && test_when_finished stop_service && old=$(cat service.pid) &&
	back=$(hxsnap -q restore "dev/$id") && [ "$(cat service.pid)" != "$old" ] &&
	test_poll 10 serves && test_path_is_missing "$EVENTS/later" &&
	[ "$(cat "$STATE/state")" = old ] && no_remains &&
	kept=$STORE/rollbacks/dev/$back && test_path_is_file "$kept/events/log" &&
	[ "$(cat "$kept/events/last-words")" = bye ] && hxsnap -q verify "dev/.rollbacks/$back" &&
	test_path_is_missing "$EVENTS/last-words" &&
	[ "$(cat "$EVENTS/last-words.tmp")" = bye ] && test_path_is_file "$EVENTS/hidden.tmp"
'

test_expect_success 'without the hook it is refused, before anything is staged' '
	with_service && test_when_finished stop_service && hooks "{\"after_restore\": [[\"./note\"]]}" &&
	before=$(inode "$EVENTS") && test_exit 6 hxsnap -q restore "dev/$id" 2>err &&
	test_grep "events. is in use by $(cat service.pid)" err && serves &&
	[ "$(inode "$EVENTS")" = "$before" ] && test_path_is_missing notes && no_remains
'

test_expect_success 'a hook that fails: nothing has changed, to the inode, and after_restore runs' '
	anew "{\"before_restore\": [[\"./note\"], [\"sh\", \"-c\", \"exit 5\"], [\"./note\"]],
		\"after_restore\": [[\"./note\"]], \"health\": [[\"./note\"]], \"on_failure\": [[\"./note\"]]}" &&
	refused 1 "hook before_restore\[1\]: .sh. failed with status 5; nothing was changed" live \
		hxsnap restore "dev/$id" && cut -d: -f1 notes >got &&
	printf "%s\n" before_restore after_restore message on_failure message >want &&
	test_cmp want got && test_grep "^after_restore: .* back= status=1" notes
'

test_expect_success 'one that does not stop it: refused, and the others are started again' '
	with_service && test_when_finished stop_service &&
	hooks "{\"before_restore\": [[\"./note\"]], \"after_restore\": [[\"./note\"]]}" &&
	before=$(inode "$EVENTS") && test_exit 6 hxsnap -q restore "dev/$id" 2>err &&
	test_grep "events. is in use by $(cat service.pid)" err && test_grep "nothing was changed" err &&
	[ "$(inode "$EVENTS")" = "$before" ] && serves && no_remains &&
	test_line_count 3 notes && test_grep "^after_restore: .* status=6" notes
'

test_expect_success 'a restore that fails afterwards: it is started again; that failing is told, too' '
	with_service && test_when_finished stop_service && old=$(cat service.pid) &&
	spoil="[\"sh\", \"-c\", \"rm -rf \\\"$STORE/rollbacks/dev\\\"; mkdir -p \\\"$STORE/rollbacks\\\"; : >\\\"$STORE/rollbacks/dev\\\"\"]" &&
	hooks "{\"before_restore\": [[\"./service\", \"stop\"], $spoil], \"on_failure\": [[\"./note\"]],
		\"after_restore\": [[\"./service\", \"start\"]]}" &&
	test_exit 1 hxsnap -q restore "dev/$id" 2>err &&
	test_grep "nothing was changed" err && test_poll 10 serves &&
	[ "$(cat service.pid)" != "$old" ] && test_path_is_file "$EVENTS/later" &&
	test_grep "^on_failure: restore dev ref=dev/$id .* status=1" notes &&
	hooks "{\"before_restore\": [[\"./service\", \"stop\"], $spoil], \"after_restore\": [[\"false\"]]}" &&
	rm "$STORE/rollbacks/dev" && test_exit 1 hxsnap -q restore "dev/$id" 2>err &&
	test_grep "nothing was changed; hook after_restore\[0\]: .false. failed" err && no_remains
'

test_expect_success 'a damaged backup stops no service' '
	with_service && test_when_finished stop_service && old=$(cat service.pid) &&
	flip_byte "$STORE/backups/dev/$id/events/sub/1" 1 &&
	test_exit 3 hxsnap -q restore "dev/$id" 2>err && [ "$(cat service.pid)" = "$old" ] && serves &&
	test_line_count 2 notes && test_grep "^on_failure: .* status=3" notes && no_remains
'

test_expect_success 'SIGTERM ends a before_restore hook; the service is started again' '
	with_service && test_when_finished stop_service && rm -f here &&
	hooks "{\"before_restore\": [[\"./service\", \"stop\"], [\"sh\", \"-c\", \": >here; sleep 1000; :\"]],
		\"after_restore\": [[\"./service\", \"start\"]]}" && look "$STATE" >before &&
	{ hxsnap -q restore "dev/$id" 2>err & } && pid=$! && test_poll 20 "[ -e here ]" &&
	kill $pid && test_exit 1 wait $pid && test_grep "hook before_restore\[1\]: .sh. was cancelled; nothing was changed" err &&
	test_poll 10 serves && look "$STATE" >after && test_cmp before after && no_remains
'

# ---- what a service does while all is staged ---------------------------------

test_expect_success TMPFS 'in a mount point: names that come and go meanwhile' '
	anew && rm -r "$EVENTS" && mkdir "$EVENTS" && mount -t tmpfs -o mode=755 tmpfs "$EVENTS" &&
	test_when_finished "umount \"$EVENTS\"" && echo 1 >"$EVENTS/one" && echo 2 >"$EVENTS/two" &&
	id=$(hxsnap -q create dev --allow-shrink) && echo x >"$EVENTS/going" && rm "$EVENTS/two" &&
	hooks "{\"before_restore\": [[\"sh\", \"-c\", \"cd \\\"$EVENTS\\\" && rm going && echo 9 >new && echo 9 >two\"]]}" &&
	back=$(hxsnap -q restore "dev/$id") && ls "$EVENTS" >got && printf "one\ntwo\n" >want &&
	test_cmp want got && [ "$(cat "$EVENTS/two")" = 2 ] && no_remains &&
	[ "$(cat "$STORE/rollbacks/dev/$back/events/new")" = 9 ] &&
	test_path_is_missing "$STORE/rollbacks/dev/$back/events/going"
'

test_expect_success 'a log beside a database, that comes and goes meanwhile' '
	anew && sqlite3 "$STATE/m.db" "CREATE TABLE t(x); INSERT INTO t VALUES (1)" &&
	id=$(hxsnap -q create dev) && sqlite3 "$STATE/m.db" "INSERT INTO t VALUES (2)" &&
	hooks "{\"before_restore\": [[\"sh\", \"-c\", \"echo stale >\\\"$STATE/m.db-wal\\\"\"]]}" &&
	hxsnap -q restore "dev/$id" state/m.db && test_path_is_missing "$STATE/m.db-wal" &&
	[ "$(sqlite3 "$STATE/m.db" "SELECT count(*) FROM t")" = 1 ] && no_remains &&
	echo stale >"$STATE/m.db-wal" &&
	hooks "{\"before_restore\": [[\"rm\", \"$STATE/m.db-wal\"]]}" &&
	hxsnap -q restore "dev/$id" state/m.db && no_remains
'

test_expect_success 'a target that a hook replaces is restored' '
	anew "{\"before_restore\": [[\"sh\", \"-c\", \"mv \\\"$EVENTS\\\" aside && mkdir \\\"$EVENTS\\\"\"]]}" &&
	rm -rf aside && hxsnap -q restore "dev/$id" && restored && [ "$(cat "$EVENTS/sub/1")" = one ]
'

test_expect_success 'to a point in time: what is staged anew is counted once' '
	anew && for i in 1 2 3 4 5; do echo "{\"seq\": $i}" || return 1; done >"$EVENTS/log.jsonl" &&
	jq ".environments.dev.sources.events.records = {\"sequence\": \"seq\"} |
		.environments.dev.sources.state.records = null" "$HXSNAP_CONFIG" >c &&
	mv c "$HXSNAP_CONFIG" && rm -r "$EVENTS/sub" "$EVENTS/later" && rm -rf aside &&
	id=$(hxsnap -q create dev) &&
	hooks "{\"before_restore\": [[\"sh\", \"-c\", \"mv \\\"$EVENTS\\\" aside && mkdir \\\"$EVENTS\\\"\"]]}" &&
	hxsnap --json restore "dev/$id" --until 3 >out && test_line_count 3 "$EVENTS/log.jsonl" &&
	jq -e "[.. | .kept? | numbers] | add == 3" out && no_remains
'

# ---- afterwards --------------------------------------------------------------

test_expect_success 'health fails: restored, status 7, and how to take it back' '
	anew "{\"health\": [[\"./note\"], [\"sh\", \"-c\", \"echo HTTP 503 >&2; exit 22\"], [\"./note\"]],
		\"on_failure\": [[\"./note\"]]}" &&
	test_exit 7 hxsnap restore "dev/$id" >out 2>err && restored && back=$(cat out) &&
	test_grep "dev/$id. was restored, but it is not healthy: hook health\[1\]: .sh. failed with status 22: HTTP 503" err &&
	test_grep "^hint: .hxsnap rollback dev. takes" err &&
	hxsnap -q verify "dev/.rollbacks/$back" && test_line_count 4 notes &&
	test_grep "^on_failure: .* back=$back status=7" notes &&
	last_line "(.ok | not) and .status == 7 and .rollback_id == \"$back\" and (.message | contains(\"HTTP 503\"))" &&
	test_exit 7 hxsnap --json restore "dev/$id" >out &&
	jq -e ".healthy == false and .failed_hooks == 1 and (.warnings | length) == 1" out &&
	hooks "{\"health\": [[\"true\"]]}" && hxsnap --json restore "dev/$id" >out &&
	jq -e ".healthy == true and .failed_hooks == 0" out && hooks "{}" &&
	hxsnap --json restore "dev/$id" >out && jq -e ".healthy == null" out
'

test_expect_success 'after_restore fails: all of them run, and it is told' '
	anew "{\"after_restore\": [[\"false\"], [\"./note\"]]}" &&
	test_exit 7 hxsnap -q restore "dev/$id" >/dev/null 2>err && restored &&
	test_grep "was restored, but hook after_restore\[0\]: .false. failed with status 1" err &&
	test_line_count 1 notes
'

# ---- from inside a hook ------------------------------------------------------

test_expect_success 'a hook that calls for its own environment is told that it is busy' '
	anew && rm -f busy && self="[[\"sh\", \"-c\",
		\"hxsnap create dev 2>>busy; echo \$? >>busy; hxsnap -q list dev >>lists\"]]" &&
	hooks "{\"before_create\": $self, \"after_create\": $self, \"before_restore\": $self, \"after_restore\": $self}" &&
	timeout 60 hxsnap -q create dev && timeout 60 hxsnap -q restore "dev/$id" && restored &&
	grep -c "busy" busy >got && [ "$(cat got)" = 4 ] && [ "$(grep -c "^6$" busy)" = 4 ] &&
	test_grep "$id" lists
'

test_expect_success 'refused before anything begins: no hook runs' '
	anew "{$ALL}" && test_exit 4 hxsnap -q restore dev/20200101T000000Z &&
	jq ".environments.dev.confirm = true" "$HXSNAP_CONFIG" >c && mv c "$HXSNAP_CONFIG" &&
	test_exit 5 hxsnap -q restore "dev/$id" && test_path_is_missing notes
'

test_done
