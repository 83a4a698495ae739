#!/bin/sh
# shellcheck disable=SC2016 # bodies, and what programs run, are evaluated later
test_description='sources that a program gives out and another takes back'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

# A service that keeps one state, at /state, in the file "state": it gives it
# out, and takes a new one, to those who know the token. After every change
# it adds a line to "puts". PORT is written once it listens.
cat >service.py <<-\END
	import http.server, os, sys
	class Service(http.server.BaseHTTPRequestHandler):
	    def allowed(self):
	        if self.headers.get("Authorization") == "Bearer hunter2":
	            return True
	        self.send_error(403, "token refused")
	        return False
	    def do_POST(self):
	        if self.allowed():
	            state = open("state", "rb").read()
	            self.send_response(200)
	            self.send_header("Content-Length", str(len(state)))
	            self.end_headers()
	            self.wfile.write(state)
	    def do_PUT(self):
	        if not self.allowed():
	            return
	        state = self.rfile.read(int(self.headers["Content-Length"]))
	        if os.path.exists("refuse"):
	            self.send_error(409, "this state is not mine")
	            return
	        open("state", "wb").write(state)
	        open("puts", "a").write("put\n")
	        self.send_response(204)
	        self.end_headers()
	    def log_message(self, *args):
	        pass
	server = http.server.HTTPServer(("127.0.0.1", 0), Service)
	open("port.new", "w").write(str(server.server_port))
	os.rename("port.new", "port")
	server.serve_forever()
END

# What curl would do: client METHOD URL HEADER
cat >client.py <<-\END
	import sys, urllib.request, urllib.error
	method, url, header = sys.argv[1:]
	name, value = header.split(": ", 1)
	data = sys.stdin.buffer.read() if method == "PUT" else b""
	req = urllib.request.Request(url, data, {name: value}, method=method)
	try:
	    sys.stdout.buffer.write(urllib.request.urlopen(req, timeout=60).read())
	except (urllib.error.URLError, OSError) as e:
	    print("client: (22)", e, file=sys.stderr)
	    sys.exit(22)
END

start_service() {
	rm -f port
	python3 service.py &
	service=$!
	test_poll 30 "[ -e port ]" && url=http://127.0.0.1:$(cat port)/state
}

stop_service() {
	kill "$service" && { wait "$service" || :; }
}

# source NAME JSON: one more source of dev, or another one of that name.
source_is() {
	jq --arg name "$1" --argjson source "$2" \
		'.environments.dev.sources[$name] = $source' "$HXSNAP_CONFIG" \
		>config.new && mv config.new "$HXSNAP_CONFIG"
}

# program CAPTURE RESTORE [MORE]: the source p, of two shell scripts.
program() {
	source_is p "$(jq -n --arg capture "$1" --arg restore "$2" \
		'{kind: "command", capture: ["sh", "-c", $capture],
		  restore: ["sh", "-c", $restore], file: "p.out"}')" &&
		jq ".environments.dev.sources.p += {${3:-}}" "$HXSNAP_CONFIG" \
			>config.new && mv config.new "$HXSNAP_CONFIG"
}

anew() {
	rm -rf live "$STORE" state puts refuse && new_env && make_store &&
		echo one >"$EVENTS/1" && echo old >"$STATE/state"
}

# no_backup PATTERN: none is made, with status 1, and what was said is in err.
no_backup() {
	unsaid=1 refused 1 "$1.*no snapshot was made" live hxsnap create dev
}

# found TEXT: whether the store, or what was said, holds it.
found() {
	grep -rqF "$1" "$STORE" "$TRASH/err" "$TRASH/out"
}

# ---- a service ---------------------------------------------------------------

test_expect_success 'the state of a service, over HTTP' '
	start_service && anew && echo "{\"users\": 1}" >state &&
	source_is gateway "$(jq -n --arg url "$url" "
		def words: [\"python3\", \"client.py\", ., \$url,
			\"Authorization: Bearer hunter2\"];
		{kind: \"command\", capture: (\"POST\" | words),
		 restore: (\"PUT\" | words), file: \"state.json\"}")" &&
	id=$(hxsnap create dev 2>err) && snap=$STORE/backups/dev/$id &&
	test_cmp state "$snap/gateway/state.json" &&
	[ "$(stat -c %a "$snap/gateway" "$snap/gateway/state.json")" = \
		"$(printf "700\n600")" ] &&
	(cd "$snap" && sha256sum -c --strict --quiet manifest.sha256) &&
	jq -e ".sources.gateway == {kind: \"command\", path: null, files: 1,
		bytes: $(stat -c %s state)}" "$snap/meta.json" &&
	jq -e ".sources.gateway == {kind: \"command\", path: null}" \
		"$snap/config.json" &&
	hxsnap -q verify "dev/$id" &&
	hxsnap show "dev/$id" >out && test_grep "gateway  *command" out
'

test_expect_success 'two of them are told apart' '
	echo "{\"users\": 2}" >state && again=$(hxsnap -q create dev) &&
	hxsnap diff "dev/$id" "dev/$again" >out &&
	test_grep "gateway/state.json" out && test_grep ! events out
'

test_expect_success FUSE 'the mount shows it' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	test_cmp state "mnt/dev/$again/gateway/state.json" &&
	diff -r "$STORE/backups/dev/$id" "mnt/dev/$id"
'

test_expect_success 'it is given back, with the files; and a rollback takes that back' '
	echo new >"$STATE/state" && echo "{\"users\": 3}" >state &&
	restore "dev/$id" && [ "$(cat "$STATE/state")" = old ] &&
	[ "$(cat state)" = "{\"users\": 1}" ] && test_line_count 1 puts &&
	grep 3 "$STORE/rollbacks/dev/$rollback/gateway/state.json" &&
	hxsnap -q rollback dev && no_remains &&
	[ "$(cat state)" = "{\"users\": 3}" ] &&
	[ "$(cat "$STATE/state")" = new ]
'

test_expect_success 'alone, and not in part' '
	unsaid=1 refused 2 "gateway/state.json.*by itself: it is restored as a whole" \
		live hxsnap restore "dev/$id" gateway/state.json &&
	restore "dev/$id" gateway && [ "$(cat state)" = "{\"users\": 1}" ] &&
	[ "$(cat "$STATE/state")" = new ] && hxsnap -q rollback dev &&
	[ "$(cat state)" = "{\"users\": 3}" ]
'

test_expect_success 'a question, and a copy elsewhere: the service hears nothing' '
	cp puts before && hxsnap restore "dev/$id" --dry-run >out 2>&1 &&
	test_grep gateway out && hxsnap -q restore "dev/$id" --to copy &&
	[ "$(cat copy/gateway/state.json)" = "{\"users\": 1}" ] &&
	test_cmp before puts && [ "$(cat state)" = "{\"users\": 3}" ]
'

test_expect_success 'damage in the snapshot: the service hears nothing' '
	cp puts before &&
	flip_byte "$STORE/backups/dev/$again/gateway/state.json" 2 &&
	refused 3 "gateway/state.json" live hxsnap restore "dev/$again" &&
	test_cmp before puts
'

test_expect_success 'it takes no state at all: told, and nothing else is done meanwhile' '
	: >refuse && test_exit 1 hxsnap restore "dev/$id" >out 2>err &&
	test_grep "gateway.*status 22.*409: this state is not mine; and it could not be undone" err &&
	test_grep "^hint: .*hxsnap recover dev" err && ! found hunter2 &&
	[ "$(cat "$STATE/state")" = new ] &&
	test_must_fail hxsnap create dev 2>err &&
	test_grep "cannot be recovered.*gateway.*409" err
'

test_expect_success 'once it takes one again, recovery gives it the old one' '
	rm refuse && echo "{\"users\": 0}" >state && hxsnap recover dev &&
	no_remains && [ "$(cat "$STATE/state")" = new ] &&
	[ "$(cat state)" = "{\"users\": 3}" ]
'

test_expect_success 'it does not answer: no backup, and what was said' '
	stop_service && no_backup "gateway.*python3.*status 22: client: (22)" &&
	! found hunter2
'

test_expect_success 'it does not know us: what was said, and no secret' '
	start_service && sed "s,:[0-9]*/state,:$(cat port)/state,
		s,hunter2,swordfish," "$HXSNAP_CONFIG" >config.new &&
	mv config.new "$HXSNAP_CONFIG" &&
	no_backup "status 22: .*HTTP Error 403: token refused" &&
	! found swordfish && stop_service
'

# ---- a program that fails ----------------------------------------------------

test_expect_success 'what it is told, and where it runs' '
	anew && program "env >seen; pwd; echo \$0" "cat >got; env >seen" &&
	id=$(CONFIRM_LIVE=YES HXSNAP_MESSAGE=x hxsnap -q create dev) &&
	[ "$(head -n 1 "$STORE/backups/dev/$id/p/p.out")" = "$TRASH" ] &&
	grep "^HXSNAP_\|^CONFIRM" seen | grep -v _CONFIG | sort >told &&
	printf "%s\n" "HXSNAP_ENV=dev" "HXSNAP_EVENT=capture" \
		"HXSNAP_ID=$id" "HXSNAP_SOURCE=p" "HXSNAP_STORE=$STORE" >want &&
	test_cmp want told && rollback=$(hxsnap -q restore "dev/$id") &&
	grep "^HXSNAP_\|^CONFIRM" seen | grep -v _CONFIG | sort >told &&
	printf "%s\n" "HXSNAP_ENV=dev" "HXSNAP_EVENT=restore" \
		"HXSNAP_ID=$id" "HXSNAP_ROLLBACK_ID=$rollback" \
		"HXSNAP_SOURCE=p" "HXSNAP_STORE=$STORE" >want &&
	test_cmp want told && test_cmp got "$STORE/backups/dev/$id/p/p.out"
'

test_expect_success 'a status other than 0 is a failure, whatever it wrote' '
	anew && program "echo much; echo why >&2; exit 3" "cat" &&
	no_backup "source .p.: .sh. failed with status 3: why"
'

test_expect_success 'so is none at all' '
	anew && source_is p "{\"kind\": \"command\", \"file\": \"f\",
		\"capture\": [\"./nothing-here\"], \"restore\": [\"cat\"]}" &&
	no_backup "source .p.: cannot run .\./nothing-here.: No such file"
'

test_expect_success 'and one that takes too long, with all that it started' '
	anew && program "echo begun; sh -c \"echo \\\$\\\$ >pid; exec tail -f /dev/null\"" \
		"cat" "\"timeout\": \"1s\"" &&
	no_backup "source .p.: .sh. did not end within 1 s" &&
	test_poll 30 "! kill -0 $(cat pid) 2>/dev/null"
'

test_expect_success 'nothing is no state, unless it is said to be one' '
	anew && program ":" "cat >got" &&
	no_backup "source .p.: .sh. ended well, and wrote nothing" &&
	test_grep "^hint: .*may_be_empty" err &&
	program ":" "cat >got" "\"may_be_empty\": true" &&
	id=$(hxsnap -q create dev) && rm -f got && restore "dev/$id" &&
	[ -e got ] && [ ! -s got ]
'

test_expect_success 'much less than before is refused, as of files' '
	anew && program "cat p.in" "cat >p.in" &&
	head -c 100000 /dev/zero >p.in && hxsnap -q create dev &&
	echo little >p.in && unsaid=1 refused 5 "refused: source .p. shrank" \
		live hxsnap create dev &&
	hxsnap -q create dev --allow-shrink
'

test_expect_success 'cancelled: it ends, and nothing is left' '
	anew && program "echo \$\$ >pid; exec tail -f /dev/null" "cat" &&
	rm -f pid && { hxsnap create dev >out 2>err & } && pid=$! &&
	test_poll 30 "[ -s pid ]" && kill -TERM "$pid" &&
	test_must_fail wait "$pid" && test_line_count 0 out &&
	test_grep "cancel" err && no_remains &&
	test_poll 30 "! kill -0 $(cat pid) 2>/dev/null" &&
	[ -z "$(ls "$STORE/backups/dev" 2>/dev/null)" ]
'

test_expect_success 'what a word of it says is told nowhere' '
	anew && source_is p "{\"kind\": \"command\", \"file\": \"f\",
		\"capture\": [\"sh\", \"-c\", \"echo \\\"bad \$2\\\" >&2; exit 1\",
			\"sh\", \"--token\", \"hunter2\"], \"restore\": [\"cat\"]}" &&
	no_backup "status 1: what it said holds a secret" && ! found hunter2 &&
	program "echo postgresql://me:hunter2@host/ >&2; exit 1" cat &&
	no_backup "status 1: what it said holds a password" && ! found hunter2 &&
	source_is p "{\"kind\": \"command\", \"file\": \"f\",
		\"capture\": [\"sh\", \"-c\", \"echo x\", \"token=hunter2\"],
		\"restore\": [\"sh\", \"-c\", \"cat >/dev/null\", \"hunter2\"]}" &&
	hxsnap create dev >out 2>err && hxsnap restore dev/latest >out 2>err &&
	! found hunter2
'

# ---- what it writes ----------------------------------------------------------

test_expect_success '200 MB, in little memory' '
	anew && program "head -c 200000000 /dev/zero; echo end" "wc -c >count" &&
	cat >measure.py <<-\END &&
	import resource, subprocess, sys
	r = subprocess.run(sys.argv[1:])
	print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
	      file=open("rss", "w"))
	sys.exit(r.returncode)
	END
	python3 measure.py hxsnap -q create dev >id && id=$(cat id) &&
	[ "$(stat -c %s "$STORE/backups/dev/$id/p/p.out")" = 200000004 ] &&
	cat rss && { [ -n "${HXS_SAN:-}" ] || [ "$(cat rss)" -lt 65536 ]; } &&
	(cd "$STORE/backups/dev/$id" && sha256sum -c --quiet manifest.sha256) &&
	python3 measure.py hxsnap -q restore "dev/$id" &&
	[ "$(cat count)" = 200000004 ] && cat rss &&
	{ [ -n "${HXS_SAN:-}" ] || [ "$(cat rss)" -lt 65536 ]; }
'

test_expect_success 'what begins like a database of SQLite is mere bytes' '
	anew && python3 -c "
import sqlite3
c = sqlite3.connect(\"whole.db\")
c.execute(\"PRAGMA journal_mode = WAL\")
c.execute(\"CREATE TABLE t (x)\")
c.execute(\"INSERT INTO t VALUES (1)\")
c.commit()
c.close()
" && head -c 5000 whole.db >part.db &&
	program "cat part.db" "cat >got.db" && id=$(hxsnap -q create dev) &&
	test_cmp part.db "$STORE/backups/dev/$id/p/p.out" &&
	hxsnap -q verify "dev/$id" && restore "dev/$id" && test_cmp part.db got.db
'

test_expect_success 'what it leaves in the background writes nothing more' '
	anew && rm -f go done &&
	program "(trap \"\" PIPE; until [ -e go ]; do sleep 0.01; done
		echo late; : >done) & echo early" "cat >got" &&
	id=$(hxsnap -q create dev) && : >go && test_poll 30 "[ -e done ]" &&
	[ "$(cat "$STORE/backups/dev/$id/p/p.out")" = early ] &&
	hxsnap -q verify "dev/$id"
'

# ---- restoring ---------------------------------------------------------------

test_expect_success 'no program to restore with: refused, nothing was changed' '
	anew && program "echo x" "cat >got" && id=$(hxsnap -q create dev) &&
	rm -f got && echo later >"$EVENTS/later" && for name in no-such-program \
		./no-such-program ./service.py; do
		jq ".environments.dev.sources.p.restore = [\"$name\"]" \
			"$HXSNAP_CONFIG" >c.json &&
		refused 1 "source .p.: cannot run .$name." live \
			hxsnap --config c.json restore "dev/$id" &&
		test_path_is_missing got || return 1
	done
'

test_expect_success 'it reads only some of it: its status alone counts' '
	anew && program "head -c 3000000 /dev/zero" "head -c 5 >got" &&
	id=$(hxsnap -q create dev) && restore "dev/$id" &&
	[ "$(stat -c %s got)" = 5 ] &&
	program "head -c 3000000 /dev/zero" "exec <&-; : >got" &&
	restore "dev/$id" && [ ! -s got ]
'

test_expect_success 'it fails: files are as they were, and it got the old state' '
	anew && echo 1 >p.state &&
	program "cat p.state" "cat >p.new; echo fed >>fed
		if grep -q 1 p.new; then echo torn >p.state; echo no >&2; exit 4
		else cat p.new >p.state; fi" &&
	id=$(hxsnap -q create dev) && echo 2 >p.state && rm -f fed &&
	echo later >"$EVENTS/later" &&
	test_exit 1 hxsnap restore "dev/$id" >out 2>err && cat err &&
	test_grep "source .p.: .sh. failed with status 4: no" err &&
	test_grep "nothing was changed" err && no_remains &&
	[ "$(cat p.state)" = 2 ] && test_line_count 2 fed &&
	test_path_is_file "$EVENTS/later"
'

test_expect_success 'its old state cannot be had: refused' '
	anew && echo 1 >p.state && program "cat p.state" "cat >p.state" &&
	id=$(hxsnap -q create dev) && rm p.state &&
	refused 1 "rollback point.*source .p.: .sh. failed with status 1: cat" \
		live hxsnap restore "dev/$id" && test_path_is_missing p.state
'

test_expect_success 'but of one that is not restored, that is a warning' '
	echo later >"$EVENTS/later" &&
	rollback=$(hxsnap restore "dev/$id" events 2>err) &&
	test_grep "status 1.*source .p. was left out" err &&
	test_path_is_missing "$EVENTS/later" &&
	test_path_is_missing p.state &&
	test_path_is_missing "$STORE/rollbacks/dev/$rollback/p" &&
	jq -e ".warnings | length == 1" \
		"$STORE/rollbacks/dev/$rollback/meta.json" &&
	hxsnap -q verify "dev/.rollbacks/$rollback" &&
	hxsnap -q rollback dev 2>err && test_path_is_file "$EVENTS/later"
'

test_expect_success 'a point in time: said to have no records, it comes back whole' '
	anew && echo 1 >p.state && program "cat p.state" "cat >p.state" &&
	id=$(hxsnap -q create dev) && echo 2 >p.state &&
	unsaid=1 refused 2 "source .p. declares no" live \
		hxsnap restore "dev/$id" p --until 5 && [ "$(cat p.state)" = 2 ] &&
	program "cat p.state" "cat >p.state" "\"records\": null" &&
	restore "dev/$id" --until 5 p && [ "$(cat p.state)" = 1 ]
'

# ---- cut short ---------------------------------------------------------------

# slow: a program whose restoring waits until "go" is there.
slow() {
	anew && rm -f go fed pid && echo 1 >p.state &&
		program "cat p.state" "cat >p.new; echo \$\$ >>pid
			echo \$HXSNAP_EVENT >>fed; echo torn >p.state
			[ \$HXSNAP_EVENT = undo ] || until [ -e go ]; do
				sleep 0.01; done
			mv p.new p.state" && id=$(hxsnap -q create dev) &&
		echo 2 >p.state && echo later >"$EVENTS/later" &&
		{ hxsnap restore "dev/$id" >out 2>err & } && pid=$! &&
		test_poll 30 "[ -s pid ]"
}

test_expect_success 'cancelled while it restores: all is as it was' '
	slow && kill -TERM "$pid" && test_must_fail wait "$pid" && cat err &&
	test_grep "cancel.*nothing was changed" err && no_remains &&
	test_poll 30 "! kill -0 $(head -n 1 pid) 2>/dev/null" &&
	[ "$(cat p.state)" = 2 ] && [ "$(tail -n 1 fed)" = undo ] &&
	test_path_is_file "$EVENTS/later"
'

test_expect_success 'killed while it restores: the next command undoes it first' '
	slow && kill -KILL "$pid" && { wait "$pid" || :; } && : >go &&
	test_poll 30 "! kill -0 $(cat pid) 2>/dev/null" &&
	[ "$(cat p.state)" = 1 ] && made=$(hxsnap create dev 2>err) &&
	test_grep undone err && no_remains && [ "$(cat p.state)" = 2 ] &&
	[ "$(tail -n 1 fed)" = undo ] && test_path_is_file "$EVENTS/later" &&
	[ "$(cat "$STORE/backups/dev/$made/p/p.out")" = 2 ]
'

test_expect_success 'what was not touched is not given an older state' '
	anew && cat >take <<-\END && chmod 755 take &&
	#!/bin/sh
	echo "$HXSNAP_SOURCE $HXSNAP_EVENT" >>events
	cat >/dev/null
	[ "$HXSNAP_EVENT" != restore ] || [ ! -e "refuse-$HXSNAP_SOURCE" ]
	END
	jq ".environments.dev.sources += ([\"p\", \"q\"] | map({key: .,
		value: {kind: \"command\", capture: [\"echo\", \"state\"],
		restore: [\"./take\"], file: \"f\"}}) | from_entries)" \
		"$HXSNAP_CONFIG" >c && mv c "$HXSNAP_CONFIG" &&
	id=$(hxsnap -q create dev) && : >refuse-p &&
	test_exit 1 hxsnap restore "dev/$id" 2>err && no_remains &&
	printf "%s\n" "p restore" "p undo" | test_cmp - events &&
	rm refuse-p events && hxsnap -q restore "dev/$id" &&
	printf "%s\n" "p restore" "q restore" | test_cmp - events
'

test_expect_success FUSE 'by the control file of a mount' '
	anew && echo 1 >p.state && program "cat p.state" "cat >p.state" &&
	HXSNAPFS="hxsnapfs" mount_store mnt "config=$HXSNAP_CONFIG" &&
	test_when_finished "umount_store mnt" &&
	echo "create dev" >mnt/.control && echo 2 >p.state &&
	test_poll 10 "[ -e mnt/dev/latest/p/p.out ]" &&
	[ "$(cat mnt/dev/latest/p/p.out)" = 1 ] &&
	echo restore >mnt/dev/latest/.control && [ "$(cat p.state)" = 1 ] &&
	echo "rollback dev" >mnt/.control && [ "$(cat p.state)" = 2 ]
'

test_expect_success 'not healthy after it: taken back by itself' '
	anew && echo 1 >p.state && program "cat p.state" "cat >p.state" &&
	id=$(hxsnap -q create dev) && echo 2 >p.state &&
	jq ".environments.dev += {undo_on_failed_health: true,
		hooks: {health: [[\"grep\", \"-q\", \"2\", \"p.state\"]]}}" \
		"$HXSNAP_CONFIG" >c && mv c "$HXSNAP_CONFIG" &&
	test_must_fail hxsnap restore "dev/$id" >out 2>err && cat err &&
	test_grep health err && no_remains && [ "$(cat p.state)" = 2 ]
'

test_done
