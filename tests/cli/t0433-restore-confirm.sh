#!/bin/sh
# shellcheck disable=SC2016 # bodies, and what hooks run, are evaluated later
test_description='a restore that turns out wrong is taken back by itself'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

RECORD=$STORE/.hxsnap/unconfirmed/dev
export TRASH

# A service that loads its state when it starts, and says how that is. Its
# first answers are what the file 'slow' counts down: not ready yet.
cat >service.py <<-\END
	import http.server, os, sys
	state = open(os.environ["STATE"] + "/state").read().strip()
	class Handler(http.server.BaseHTTPRequestHandler):
	    def do_GET(self):
	        good = state == "good"
	        if os.path.exists("slow"):
	            left = int(open("slow").read())
	            with open("slow", "w") as f:
	                f.write(str(left - 1))
	            good = left <= 0
	        self.send_response(200 if good else 503)
	        self.end_headers()
	        self.wfile.write(state.encode())
	    def log_message(self, *args):
	        pass
	server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
	with open("port.new", "w") as f:
	    f.write(str(server.server_port))
	os.rename("port.new", "port")
	server.serve_forever()
END
cat >service <<-\END
	#!/bin/sh
	# service start|stop|health
	cd "$TRASH" || exit 1
	case $1 in
	start)
		echo start >>notes
		rm -f port
		python3 service.py </dev/null >/dev/null 2>&1 &
		echo $! >service.pid
		for i in $(seq 500); do
			[ -e port ] && exit 0
			sleep 0.02
		done
		exit 1
		;;
	stop)
		echo stop >>notes
		if [ -e nostop ]; then
			echo "it does not stop" >&2
			exit 3
		fi
		pid=$(cat service.pid) || exit 1
		kill "$pid" 2>/dev/null
		while kill -0 "$pid" 2>/dev/null &&
			! grep -q "^State:.Z" "/proc/$pid/status"; do
			sleep 0.02
		done
		;;
	health)
		echo health >>notes
		[ ! -e spoil ] || : >nostop
		curl -fsS -o /dev/null "http://127.0.0.1:$(cat port)/"
		;;
	esac
END
cat >note <<-\END
	#!/bin/sh
	echo "$HXSNAP_EVENT $HXSNAP_OPERATION $HXSNAP_STATUS $HXSNAP_MESSAGE" \
		>>"$TRASH/told"
END
chmod 755 service note

HOOKS='"hooks": {"before_restore": [["./service", "stop"]],
	"after_restore": [["./service", "start"]],
	"health": [["./service", "health"]], "on_failure": [["./note"]]}'

# with MEMBERS: give dev these members, beside its sources.
with() {
	jq --argjson more "{$1}" '.environments.dev |= ({sources} + $more)' \
		"$HXSNAP_CONFIG" >config.new && mv config.new "$HXSNAP_CONFIG"
}

# anew MEMBERS: an environment, whose state is good; backups of that and of
# bad ones, as $good and $bad.
anew() {
	stop_service
	rm -rf live "$STORE" notes told slow nostop spoil && new_env && make_store &&
		mkdir "$EVENTS/sub" && echo 1 >"$EVENTS/sub/1" &&
		ln -s sub "$EVENTS/link" && ln "$EVENTS/sub/1" "$EVENTS/twin" &&
		touch -d 2001-02-03T04:05:06.789 "$EVENTS/sub/1" &&
		echo bad >"$STATE/state" && chmod 600 "$STATE/state" &&
		bad=$(hxsnap -q create dev) && chmod 640 "$STATE/state" &&
		echo good >"$STATE/state" && echo 2 >"$EVENTS/sub/2" &&
		chmod 700 "$EVENTS/sub" && good=$(hxsnap -q create dev) &&
		with "${1:-}" && listed >before
}

# serving MEMBERS: likewise, and the service runs.
serving() {
	anew "$HOOKS${1:+, $1}" && ./service start && rm notes
}

stop_service() {
	[ ! -e service.pid ] || kill "$(cat service.pid)" 2>/dev/null
	rm -f service.pid
}

# All there is, with all that is known of it.
listed() {
	hxtree list live
}

is_old() {
	listed >after && test_cmp before after
}
is_new() {
	[ "$(cat "$STATE/state")" = bad ] && test_path_is_missing "$EVENTS/sub/2"
}

no_record() {
	test_path_is_missing "$RECORD"
}

# state NAME: the record says so.
state() {
	sed 1d "$RECORD" | jq -e ".state == \"$1\"" >/dev/null
}

# waiting WORD...: a restore in the background, $pid, that waits by now.
waiting() {
	rm -f out err
	(trap - INT && exec env --default-signal=INT hxsnap "$@" >out 2>err) &
	pid=$! && test_poll 30 '{ [ -e "$RECORD" ] && state waiting; } 2>/dev/null ||
		! kill -0 $pid 2>/dev/null' && state waiting
}

# overdue WORD...: such a restore was killed, and its time is over.
overdue() {
	waiting "$@" && kill -KILL "$pid" && { wait "$pid" || :; } &&
		until=$(sed 1d "$RECORD" | jq -r .confirm_until) &&
		until=$(date -d "$until" +%s) &&
		test_poll 20 "[ \$(date +%s) -ge $until ]" && is_new
}

# ended STATUS: the restore in the background did.
ended() {
	test_exit "$1" wait "$pid"
}

# acts FILTER: one of the last two lines of the audit log is so.
acts() {
	tail -n 2 "$STORE/.hxsnap/audit.log" | jq -se "any(.[]; $1)" >/dev/null ||
		{ tail -n 2 "$STORE/.hxsnap/audit.log" && false; }
}

HEALTHY='"undo_on_failed_health": true'

# ---- undo_on_failed_health ----------------------------------------------------

test_expect_success 'healthy: it stays' '
	serving "$HEALTHY" && test_when_finished stop_service && echo 3 >"$EVENTS/3" &&
	hxsnap -q restore "dev/$good" >out && test_line_count 1 out && is_old &&
	printf "%s\n" stop start health >want && test_cmp want notes && no_record &&
	hxsnap --json rollback dev >out && test_path_is_file "$EVENTS/3" &&
	jq -e ".outcome == \"done\" and .undo == null and .healthy" out
'

test_expect_success 'not healthy: the old state is back, byte for byte, and serves' '
	serving "$HEALTHY" && test_when_finished stop_service &&
	test_exit 1 hxsnap -q restore "dev/$bad" >out 2>err && is_old && no_remains && no_record &&
	test_line_count 0 out && ls "$STORE/rollbacks/dev" >ids && test_line_count 2 ids &&
	old=$(sed -n 1p ids) && new=$(sed -n 2p ids) &&
	test_grep "dev/$bad. was restored, but it is not healthy: hook health\[0\]: .*the old state is back, from .dev/.rollbacks/$old., and what was restored is now .dev/.rollbacks/$new.; it is healthy" err &&
	printf "%s\n" stop start health stop start health >want && test_cmp want notes &&
	./service health && hxsnap -q verify "dev/.rollbacks/$new" &&
	[ "$(cat "$STORE/rollbacks/dev/$new/state/state")" = bad ] &&
	acts ".act == \"restore\" and .status == 1 and .rollback_id == \"$old\" and
		(.message | contains(\"the old state is back\"))" &&
	test_line_count 1 told && test_grep "^on_failure restore 1 .*the old state is back" told
'

test_expect_success 'the same in JSON' '
	serving "$HEALTHY" && test_when_finished stop_service &&
	test_exit 1 hxsnap --json restore "dev/$bad" >out 2>err && is_old &&
	new=$(ls "$STORE/rollbacks/dev" | tail -n 1) &&
	jq -e ".outcome == \"put_back\" and .healthy == false and .confirm_until == null and
		.undo == {rollback_id: \"$new\", failed_hooks: 0, healthy: true} and
		(.message | contains(\"not healthy\"))" out
'

test_expect_success 'a rollback is taken back as well' '
	serving "" && test_when_finished stop_service && test_exit 7 hxsnap -q restore "dev/$bad" 2>err >out &&
	hxsnap -q rollback dev >out && is_old && with "$HOOKS, $HEALTHY" &&
	test_exit 1 hxsnap -q rollback dev 2>err && is_old && test_grep "the old state is back" err
'

test_expect_success 'the old state is not healthy, either: told, and that is the end of it' '
	serving "$HEALTHY" && test_when_finished stop_service && echo 99 >slow &&
	test_exit 1 hxsnap -q restore "dev/$bad" 2>err && is_old && no_record &&
	test_grep "is back.*but that is not healthy, either: hook health\[0\]" err &&
	printf "%s\n" stop start health stop start health >want && test_cmp want notes
'

test_expect_success 'it cannot be put back: 7, and what to do; recover tries again' '
	serving "$HEALTHY" && test_when_finished stop_service && : >spoil &&
	test_exit 7 hxsnap -q restore "dev/$bad" 2>err && is_new && state failed &&
	test_exit 2 hxsnap check dev >out && test_grep "could not be put back" out &&
	test_grep "not healthy.*could not be put back: hook before_restore\[0\]: .*it does not stop; nothing was changed" err &&
	test_grep "^hint: .hxsnap rollback dev. tries again, .hxsnap confirm dev. keeps" err &&
	test_line_count 1 told && test_grep "^on_failure restore 7" told &&
	rm spoil nostop notes && hxsnap list dev >out 2>err && is_new && test_path_is_missing notes &&
	test_grep "warning: the restore of .dev/$bad. was to be taken back, and could not be" err &&
	hxsnap --json recover dev >out 2>err && jq -e ".put_back == 1" out && is_old && no_record &&
	acts ".act == \"undo\" and .ok"
'

test_expect_success '... or rollback does, or it is confirmed, or another restore takes its place' '
	serving "$HEALTHY" && test_when_finished stop_service && for way in rollback confirm restore; do
		: >spoil && test_exit 7 hxsnap -q restore "dev/$bad" 2>err && rm spoil nostop &&
		case $way in
		rollback) hxsnap -q rollback dev >out 2>err && test_line_count 0 err && is_old ;;
		confirm)
			hxsnap confirm dev 2>err && is_new && test_grep "restore of .dev/$bad. is confirmed" err &&
			hxsnap -q rollback dev >out ;;
		restore) hxsnap -q restore "dev/$good" >out && is_old ;;
		esac && no_record && hxsnap list dev 2>err >out && test_line_count 0 err || return 1
	done
'

test_expect_success 'what a program gives and takes is put back, too' '
	serving "$HEALTHY" && test_when_finished stop_service && echo old >program &&
	jq ".environments.dev.sources.program = {kind: \"command\", file: \"p\", capture: [\"cat\", \"program\"],
		restore: [\"sh\", \"-c\", \"cat >program\"]}" "$HXSNAP_CONFIG" >c && mv c "$HXSNAP_CONFIG" &&
	echo bad >"$STATE/state" && both=$(hxsnap -q create dev) && echo good >"$STATE/state" &&
	listed >before && echo new >program && test_exit 1 hxsnap -q restore "dev/$both" 2>err &&
	test_grep "the old state is back" err && is_old && [ "$(cat program)" = new ] &&
	rm notes && hxsnap -q restore "dev/$both" program >out && [ "$(cat program)" = old ] && is_old
'

# ---- --confirm-within ---------------------------------------------------------

test_expect_success 'words that are none' '
	anew && for time in 0s x 10 31d -1s; do
		test_exit 2 hxsnap restore "dev/$bad" --confirm-within="$time" 2>err &&
		test_grep "is no duration such as 10m" err || return 1
	done && test_exit 2 hxsnap restore "dev/$bad" --confirm-within 1m --to x 2>err &&
	test_grep "exclude each other" err &&
	test_exit 2 hxsnap restore "dev/$bad" --confirm-within 1m --dry-run 2>err &&
	test_exit 2 hxsnap confirm 2>err && test_exit 4 hxsnap confirm dev 2>err &&
	test_grep "no restore of .dev. waits for confirmation" err &&
	acts ".act == \"confirm\" and .status == 4" && is_old
'

test_expect_success 'healthy after a while: confirmed by that' '
	serving "$HEALTHY" && test_when_finished stop_service && echo 2 >slow &&
	hxsnap restore "dev/$bad" --confirm-within 10m >out 2>err && is_new && no_record &&
	test_line_count 1 out && test_grep "to be confirmed until 20.*Z, or is taken back" err &&
	test_grep "healthy: the restore of .dev/$bad. is confirmed" err &&
	[ "$(grep -c health notes)" -eq 3 ] && test_path_is_missing told &&
	acts ".act == \"restore\" and .ok" && acts ".act == \"confirm\" and .ok and
		.reference == \"dev/$bad\" and .rollback_id == \"$(cat out)\""
'

test_expect_success 'not healthy in time: the old state is back' '
	serving && test_when_finished stop_service &&
	test_exit 1 hxsnap restore "dev/$bad" --confirm-within 2s >out 2>err && is_old && no_record && no_remains &&
	test_grep "was restored, but not confirmed until 20.*; it was not healthy: hook health\[0\].*the old state is back, from .dev/.rollbacks/$(cat out).*; it is healthy" err &&
	./service health && acts ".act == \"restore\" and .ok and .rollback_id == \"$(cat out)\"" &&
	acts ".act == \"undo\" and .ok and .reference == \"dev/.rollbacks/$(cat out)\"" &&
	test_grep "^on_failure restore 1 .*not confirmed until" told
'

test_expect_success 'without health hooks it waits to be told; backups go on, restores do not' '
	anew && waiting restore "dev/$bad" --confirm-within 10m && is_new &&
	hxsnap -q create dev >made && hxsnap -q verify "dev/$(cat made)" &&
	hxsnap list dev >list 2>list.err && test_line_count 0 list.err &&
	test_exit 6 hxsnap restore "dev/$good" 2>refused &&
	test_grep "the restore of .dev/$bad. is to be confirmed until 20.*; nothing was changed" refused &&
	test_grep "^hint: .hxsnap confirm dev. keeps it, .hxsnap rollback dev. takes it back" refused &&
	test_exit 6 hxsnap restore "dev/$good" --confirm-within 1m 2>refused &&
	test_exit 6 hxsnap rollback dev --confirm-within 1m 2>refused &&
	hxsnap recover dev 2>told && test_grep "is to be confirmed until" told && is_new &&
	hxsnap confirm dev 2>told && ended 0 && is_new && no_record &&
	test_grep "the restore of .dev/$bad. is confirmed" told &&
	test_grep "kept: the restore of .dev/$bad. is confirmed" err &&
	acts ".act == \"confirm\" and .ok and .reference == \"dev/$bad\"" &&
	test_exit 4 hxsnap confirm dev 2>told && hxsnap -q restore "dev/$good" >out && is_old
'

test_expect_success 'a drill meanwhile drops no record of it, whatever comes of the drill' '
	anew && waiting restore "dev/$bad" --confirm-within 10m && cp "$RECORD" record &&
	hxsnap -q drill dev >out2 && test_cmp record "$RECORD" && is_new &&
	flip_byte "$STORE/backups/dev/$good/state/state" 1 && test_exit 3 hxsnap -q drill dev >out2 2>err2 &&
	test_cmp record "$RECORD" && is_new && hxsnap -q rollback dev >out2 && ended 1 && is_old && no_record
'

test_expect_success 'in JSON: one object, at the end' '
	anew && waiting --json restore "dev/$bad" --confirm-within 10m && test_line_count 0 out &&
	hxsnap --json confirm dev >said && ended 0 && test_line_count 1 out &&
	jq -e ".outcome == \"confirmed\" and (.confirm_until | test(\"Z\$\")) and .undo == null and
		.healthy == null and .message == null" out &&
	jq -e ".env == \"dev\" and .reference == \"dev/$bad\"" said &&
	[ "$(jq -r .rollback_id said)" = "$(jq -r .rollback_id out)" ] &&
	hxsnap -q rollback dev >out && is_old &&
	test_exit 1 hxsnap --json restore "dev/$bad" --confirm-within 1s >out 2>err && is_old &&
	jq -e ".outcome == \"put_back\" and (.undo.rollback_id | test(\"Z\$\")) and
		(.message | contains(\"not confirmed\"))" out
'

test_expect_success 'confirmed while a backup is at work' '
	anew "\"hooks\": {\"before_create\": [[\"sh\", \"-c\", \"read x <hold\"]]}" && rm -f hold && mkfifo hold &&
	waiting restore "dev/$bad" --confirm-within 10m && { hxsnap -q create dev >made & } && backup=$! &&
	test_poll 20 "grep -q create \"$STORE/.hxsnap/locks/dev\"" &&
	hxsnap -q confirm dev && ended 0 && echo x >hold && wait $backup && is_new && no_record
'

test_expect_success 'a signal: put back at once, after the backup that is at work' '
	for signal in INT TERM HUP; do
		anew && waiting restore "dev/$bad" --confirm-within 10m && kill -s $signal "$pid" && ended 1 &&
		is_old && no_record && no_remains &&
		test_grep "waiting for its confirmation was cancelled; the old state is back" err || return 1
	done && rm -f hold && mkfifo hold && anew "\"hooks\": {\"before_create\": [[\"sh\", \"-c\", \"read x <hold\"]]}" &&
	waiting restore "dev/$bad" --confirm-within 10m && { hxsnap -q create dev >made & } && backup=$! &&
	test_poll 20 "grep -q create \"$STORE/.hxsnap/locks/dev\"" && kill "$pid" &&
	test_poll 20 "state undoing" && test_exit 6 hxsnap confirm dev 2>late &&
	echo x >hold && wait $backup && ended 1 && is_old && no_record && test_grep "busy: .create. is at work" err
'

test_expect_success 'rollback takes it back, and who waits is told' '
	anew && waiting restore "dev/$bad" --confirm-within 10m && hxsnap -q rollback dev >rolled &&
	is_old && ended 1 && no_record && test_grep "taken back by another command" err &&
	test_line_count 1 rolled && hxsnap -q rollback dev >out && is_new
'

test_expect_success '... though taking it back was tried before, and left a newer rollback point' '
	anew && overdue restore "dev/$bad" --confirm-within 1s && old=$(ls "$STORE/rollbacks/dev") &&
	new=$(date -u -d "@$((until + 1))" +%Y%m%dT%H%M%SZ) &&
	cp -a "$STORE/rollbacks/dev/$old" "$STORE/rollbacks/dev/$new" &&
	rm -r "$STORE/rollbacks/dev/$new/events" && hxsnap -q rollback dev >out && is_old && no_record &&
	acts ".act == \"rollback\" and .ok and .reference == \"dev/.rollbacks/$old\""
'

test_expect_success 'a rollback that is to be confirmed' '
	anew && hxsnap -q restore "dev/$bad" >out && listed >before &&
	test_exit 1 hxsnap -q rollback dev --confirm-within 1s >out 2>err && is_old && is_new && no_record
'

test_expect_success 'of paths, only these are put back' '
	anew && waiting restore "dev/$bad" state/state events/link --confirm-within 10m &&
	[ "$(cat "$STATE/state")" = bad ] && echo later >"$EVENTS/sub/1" && kill "$pid" && ended 1 &&
	[ "$(cat "$EVENTS/sub/1")" = later ] && listed >after &&
	grep -v -e sub/1 -e twin before >want && grep -v -e sub/1 -e twin after >got && test_cmp want got
'

test_expect_success '... or, where there was none of that name, their source' '
	anew && echo x >"$EVENTS/x" && id=$(hxsnap -q create dev) && rm "$EVENTS/x" && listed >before &&
	waiting restore "dev/$id" events/x/ --confirm-within 10m && [ "$(cat "$EVENTS/x")" = x ] &&
	kill "$pid" && ended 1 && is_old
'

test_expect_success 'where nothing was, nothing is waited for' '
	anew && rm -r "$EVENTS" "$STATE" && hxsnap restore "dev/$bad" --confirm-within 10m >out 2>err &&
	is_new && no_record && test_line_count 0 out &&
	test_grep "warning: nothing was there that could be put back" err
'

# ---- killed -------------------------------------------------------------------

test_expect_success 'killed while it waits: nothing before the time is over' '
	anew && waiting restore "dev/$bad" --confirm-within 10m && kill -KILL "$pid" && { wait "$pid" || :; } &&
	hxsnap list dev >out 2>err && hxsnap recover dev >out 2>err && is_new && state waiting &&
	test_exit 6 hxsnap -q restore "dev/$good" 2>err && hxsnap -q confirm dev && no_record && is_new &&
	waiting restore "dev/$good" --confirm-within 10m &&
	kill -KILL "$pid" && { wait "$pid" || :; } && hxsnap -q rollback dev >out && is_new && no_record
'

test_expect_success 'and then the next command puts it back, whatever it is' '
	for cmd in "list dev" "show dev/latest" "create dev" "recover" "recover dev"; do
		serving && test_when_finished stop_service && overdue restore "dev/$bad" --confirm-within 1s &&
		hxsnap $cmd >out 2>err && is_old && no_record && no_remains && ./service health &&
		test_grep "not confirmed until 20.*the old state is back" err &&
		grep "\"undo\"" "$STORE/.hxsnap/audit.log" | jq -e ".ok and (.rollback_id | test(\"Z\$\"))" || return 1
	done && test_grep "^on_failure restore 1 .*not confirmed" told
'

test_expect_success 'a restore comes after that; a rollback is it; confirm still keeps it' '
	anew && overdue restore "dev/$bad" --confirm-within 1s && hxsnap -q restore "dev/$good" >out 2>err &&
	is_old && no_record && overdue restore "dev/$bad" --confirm-within 1s &&
	hxsnap -q rollback dev >out 2>err && is_old && no_record &&
	overdue restore "dev/$bad" --confirm-within 1s && hxsnap confirm dev 2>err && is_new && no_record
'

test_expect_success 'without a configuration it is a warning, and stays to be done' '
	anew && overdue restore "dev/$bad" --confirm-within 1s && mv "$HXSNAP_CONFIG" away &&
	hxsnap --store "$STORE" list dev >out 2>err && is_new && state waiting &&
	test_grep "warning: the restore of .dev/$bad. was not confirmed and is to be taken back, and the configuration" err &&
	test_exit 2 hxsnap --store "$STORE" recover dev 2>err && test_grep "^hint: .hxsnap --config FILE recover dev" err &&
	mv away "$HXSNAP_CONFIG" && hxsnap -q recover dev && is_old && no_record
'

test_expect_success 'the configuration of another store does not count' '
	anew && overdue restore "dev/$bad" --confirm-within 1s && make_store other &&
	jq ".store = \"$TRASH/other\"" "$HXSNAP_CONFIG" >else.json &&
	hxsnap --config else.json --store "$STORE" list dev >out 2>err && is_new && hxsnap -q recover && is_old
'

test_expect_success FUSE 'the mount puts it back when it starts, or warns' '
	anew && overdue restore "dev/$bad" --confirm-within 1s && mv "$HXSNAP_CONFIG" away &&
	mount_store mnt && umount_store mnt && is_new && test_grep "the configuration that tells where" mnt.log &&
	mv away "$HXSNAP_CONFIG" && mount_store mnt && umount_store mnt && is_old && no_record &&
	test_grep "not confirmed until 20.*the old state is back" mnt.log &&
	acts ".act == \"undo\" and .from == \"mount\" and .ok"
'

test_expect_success FUSE 'undo_on_failed_health, from inside the mount' '
	serving "$HEALTHY" && test_when_finished stop_service && mount_store mnt &&
	test_when_finished "umount_store mnt" && test_must_fail /bin/echo "restore dev/$bad" >mnt/.control 2>err &&
	test_grep "canceled" err && is_old && no_record && jq -e ".ok == false and .error == \"ECANCELED\" and
		(.message | contains(\"the old state is back\"))" mnt/.control
'

# killed_at N: a restore that nobody confirms, killed at its Nth change. In the
# end all is as it was, and nothing is left to be done.
killed_at() {
	local status=0
	nthcall -m "$1" kill hxsnap -q restore "dev/$bad" --confirm-within 1s \
		>out 2>err || status=$?
	case $status in
	137) ;;
	1 | 200) last=1 ;; # that change never came: put back by itself
	*)
		echo "at $1: status $status" && cat err
		return 1
		;;
	esac
	if [ -e "$RECORD" ]; then
		records=$((records + 1))
		grep -q undoing "$RECORD" && undoing=$((undoing + 1))
		test_poll 20 '[ $(date +%s) -ge "$(date -d "$(sed 1d "$RECORD" |
			jq -r .confirm_until)" +%s)" ]' || return 1
	fi
	hxsnap -q recover 2>err || {
		echo "at $1: not recovered" && cat err
		return 1
	}
	# The time of the directory that the targets are in is set right after
	# what was staged there is removed: killed between, it stays.
	grep -v "^dev d " before >want
	listed | grep -v "^dev d " >after && cmp -s want after && no_remains && no_record || {
		echo "killed at $1:" && cat err && diff -u want after
		return 1
	}
}

test_expect_success 'killed at any change: in the end all is as it was' '
	anew && records=0 undoing=0 last="" n=1 step=${HXS_CONFIRM_STEP:-17} && while [ -z "$last" ]; do
		killed_at $n && n=$((n + step)) || return 1
	done && echo "$n changes, $records with a record, $undoing undoing" &&
	{ [ "$step" -gt 17 ] || { [ $records -gt 1 ] && [ $undoing -gt 1 ]; }; }
'

# ---- the record ---------------------------------------------------------------

test_expect_success 'one that is damaged: told, restores are refused, confirm removes it' '
	anew && mkdir "$STORE/.hxsnap/unconfirmed" && echo garbage >"$RECORD" && chmod 600 "$RECORD" &&
	hxsnap list dev >out 2>err && test_grep "warning: .*unconfirmed/dev. is damaged" err &&
	test_exit 3 hxsnap -q restore "dev/$bad" 2>err && test_grep "damaged.*nothing was changed" err &&
	test_grep "^hint: .hxsnap confirm dev. removes it" err && is_old && hxsnap -q create dev >out 2>err &&
	hxsnap -q confirm dev && no_record && hxsnap -q restore "dev/$bad" >out && is_new
'

test_expect_success 'one that others may write is not believed' '
	anew && waiting restore "dev/$bad" --confirm-within 1m && kill -KILL "$pid" && { wait "$pid" || :; } &&
	chmod 666 "$RECORD" && test_exit 5 hxsnap -q restore "dev/$bad" 2>err &&
	test_grep "others may write" err && chmod 600 "$RECORD" && hxsnap -q confirm dev
'

test_expect_success SETPRIV 'an ordinary user with a store of his own' '
	chmod 755 "$TRASH" && rm -rf theirs && mkdir theirs && chown 65534:65534 theirs && cd theirs && STORE=$TRASH/theirs/store &&
	as_nobody sh -c "mkdir store live && echo old >live/a && cat >hxsnap.json" <<-\END &&
	{"store": "store", "environments": {"dev": {"undo_on_failed_health": true,
	  "hooks": {"health": [["grep", "-q", "old", "live/a"]]},
	  "sources": {"a": {"kind": "directory", "path": "live"}}}}}
	END
	nobody() { as_nobody env -u HXSNAP_CONFIG hxsnap "$@"; } && nobody -q init &&
	as_nobody sh -c "echo new >live/a" && id=$(nobody -q create dev) && as_nobody sh -c "echo old >live/a" &&
	test_exit 1 nobody -q restore "dev/$id" 2>err && test_grep "the old state is back" err &&
	[ "$(cat live/a)" = old ] && test_exit 1 nobody -q restore "dev/$id" --confirm-within 1s 2>err &&
	[ "$(cat live/a)" = old ] && test_exit 4 nobody confirm dev 2>err
'

test_done
