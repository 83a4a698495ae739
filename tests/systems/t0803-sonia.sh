#!/bin/sh
# shellcheck disable=SC2016,SC2034 # bodies are evaluated later
test_description='SONIA: a memory in SQLite, and a gateway whose state comes over HTTP'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"
. "$HXS_SRC/tests/systems/systems.sh"

# What no file of the store, and no argument list, may hold.
GATEWAY_TOKEN=hxsecret-$$-$(date +%N)
export GATEWAY_TOKEN

# gateway start VERSION | quiet | stop
gateway() {
	case $1 in
	start)
		journal=said.$(date +%s%N)
		gateway.py port "$journal" "$2" gateway.json 2>gateway.err &
		gateway=$!
		test_poll 20 '[ -s "$journal" ] && [ -s port ]' &&
			URL=http://127.0.0.1:$(cat port) &&
			test_poll 20 'curl -fsS "$URL/health"'
		;;
	quiet) kill -USR1 "$gateway" && gateway_at_rest ;;
	stop) kill "$gateway" && wait "$gateway" ;;
	esac
}

ask() {
	curl -K gateway.curl -fsS "$URL/v1/state/$1"
}

# set_calendar FILE
set_calendar() {
	curl -K gateway.curl -fsS -X PUT --data-binary "@$1" "$URL/v1/state/calendar"
}

gateway_at_rest() {
	local seq
	test_poll 20 'seq=$(ask sessions | jq .seq) &&
		[ "$(tail -n 1 "$journal" | cut -f 1)" -eq "$seq" ]'
}

# sessions_are STATE JOURNAL: what was said is what JOURNAL says, as far as
# STATE goes.
sessions_are() {
	jq -r '.said | to_entries[] | .key as $s | .value[] |
		"\(.[0])\t\($s)\t\(.[1])"' "$1" | sort -n >said.got &&
		head -n "$(jq .seq "$1")" "$2" >said.want && cmp said.want said.got
}

# as_captured: all of the live state is what the backup holds, and the .env
# files, which no backup does, are as they were.
as_captured() {
	memory.py check srv/memory.db known "$last" &&
		test_same_tree workspace.live srv/workspace &&
		ask sessions >got.json && cmp "$snap/sessions/state.json" got.json &&
		ask calendar >got.json && cmp "$snap/calendar/state.json" got.json &&
		no_remains
}

# live NAME: what is live now, into files NAME.*
live() {
	rm -rf "$1".* && ask sessions >"$1.sessions" && ask calendar >"$1.calendar" &&
		cp -a srv/workspace "$1.workspace" && sqlite3 srv/memory.db .dump >"$1.memory"
}

# as_in NAME: and is still that.
as_in() {
	live now && for what in sessions calendar memory; do
		cmp "$1.$what" "now.$what" || return 1
	done && test_same_tree "$1.workspace" now.workspace
}

# memory start|stop|hold: as a service would
cat >memory <<-\END
	#!/bin/sh
	cd "$TRASH" || exit
	case $1 in
	start)
		[ ! -e held ] || exit 0
		memory.py run srv/memory.db "known.$(ls known.* | wc -l)" &
		echo $! >memory.pid
		;;
	stop)
		[ -e memory.pid ] || exit 0
		kill "$(cat memory.pid)"
		while grep -qs "State:.[^Z]" "/proc/$(cat memory.pid)/status"; do
			sleep 0.01
		done
		rm memory.pid
		;;
	esac
	END
chmod 755 memory

test_expect_success 'set up: 100,000 memories, a gateway, a workspace' '
	mkdir -p srv/workspace/plans bin && ln -s ../memory bin/memory &&
	memory.py init srv/memory.db known.0 100000 && ./memory start &&
	for n in $(seq 50); do
		seq "$n" 1000 >"srv/workspace/plans/$n.md" || return 1
	done && cp -a srv/workspace workspace.kept &&
	echo "PASSWORD=$GATEWAY_TOKEN" >srv/workspace/.env &&
	echo "PASSWORD=$GATEWAY_TOKEN" >srv/workspace/plans/.env.live &&
	touch -r srv/workspace workspace.kept && touch -r srv/workspace/plans workspace.kept/plans &&
	cp -a srv/workspace workspace.live &&
	gateway start 1 && page sonia -e "s,/tmp/look,$TRASH/scratch,g" \
		-e "s,/var/lib/hxsnap,$STORE,g" -e "s,/srv/sonia,$TRASH/srv,g" \
		-e "s,http://127.0.0.1:7000,$URL,g" -e "s,TOKEN,$GATEWAY_TOKEN," &&
	block_text hxsnap.json >hxsnap.json && (umask 077 && block_text gateway.curl >gateway.curl)
'

test_expect_success 'a backup, while all of them go on; the gateway is asked twice at once' '
	spy_on "$GATEWAY_TOKEN" -- "$STORE" &&
	kill -USR2 "$gateway" && before=$(wc -l <known.1) &&
	test_poll 20 "[ \$(wc -l <$journal) -gt 200 ]" && block backup >out &&
	kill -USR2 "$gateway" &&
	after=$(wc -l <known.1) && id=$(head -n 1 out) && snap=$STORE/backups/sonia/$id &&
	cat known.0 known.1 >known && last=$(memory.py check "$snap/memory/memory.db" known) &&
	[ "$last" -ge $((100000 + before - 1)) ] && [ "$last" -le $((100000 + after)) ] &&
	[ "$after" -gt "$before" ] && cp "$journal" said && sessions_are "$snap/sessions/state.json" said &&
	[ "$(jq .seq "$snap/sessions/state.json")" -ge 199 ] &&
	[ "$(jq ".entries | length" "$snap/calendar/state.json")" = 20000 ] &&
	test_same_tree workspace.kept "$snap/workspace" &&
	[ -z "$(find "$STORE" -name ".env*")" ] && not_in "$STORE" out &&
	(cd "$snap" && sha256sum -c --strict --quiet manifest.sha256) && spied
'

test_expect_success 'all of it comes back, and the memory goes on' '
	gateway quiet && rm -r srv/workspace/plans/1* &&
	dd if=/dev/zero of=srv/memory.db bs=4k seek=20 count=9 conv=notrunc status=none &&
	echo "{\"version\": 1, \"entries\": []}" >none.json && set_calendar none.json && block restore >out &&
	test_poll 20 "[ -s known.2 ]" && ./memory stop && : >held &&
	{ head -n "$last" known && cat known.2; } >known.both &&
	memory.py check srv/memory.db known.both >seen && [ "$(cat seen)" -gt "$last" ] &&
	block restore >out && as_captured && hxsnap -q verify "sonia/.rollbacks/$(cat out)"
'

# It comes again with another version, which takes its own state alone.
test_expect_success 'a gateway that rejects the state: all is as it was' '
	gateway stop && gateway start 2 && gateway quiet &&
	sqlite3 srv/memory.db "INSERT INTO memories VALUES(7000000, 1)" &&
	echo new >srv/workspace/new && live before &&
	test_must_fail hxsnap restore sonia/latest >out 2>err && cat err && test_line_count 0 out &&
	test_grep "sessions\|calendar" err && as_in before && no_remains &&
	test_must_fail hxsnap restore sonia/latest sessions >out 2>err && as_in before &&
	hxsnap -q verify --all && hxsnap recover && as_in before
'

test_expect_success 'one part alone; one file alone' '
	gateway stop && gateway start 1 && gateway quiet && live before &&
	block part >out && ask sessions | cmp - "$snap/sessions/state.json" &&
	cp "$snap/sessions/state.json" before.sessions && as_in before &&
	rm srv/workspace/plans/3.md && block file >out &&
	touch -r before.workspace/plans srv/workspace/plans && as_in before
'

test_expect_success 'restored, rolled back' '
	spy_on "$GATEWAY_TOKEN" -- "$STORE" && block restore >out && as_captured &&
	block rollback >out && as_in before && spied
'

test_expect_success 'into a scratch place' '
	block scratch >out && printf "%s\n" "$last" 20000 >want && tail -n 2 out >got &&
	test_cmp want got && memory.py check scratch/memory/memory.db known "$last" &&
	sessions_are scratch/sessions/state.json said &&
	cmp scratch/calendar/state.json "$snap/calendar/state.json" && as_in before
'

test_expect_success 'a state that it takes and is not well with: taken back by itself' '
	ask calendar >full.json && jq -c ".entries = []" full.json >empty.json &&
	set_calendar empty.json && sick=$(hxsnap -q create sonia --allow-shrink) &&
	set_calendar full.json && echo newer >srv/workspace/new && live before &&
	test_exit 1 hxsnap restore "sonia/$sick" >out 2>err && cat err && as_in before &&
	no_remains && curl -fsS "$URL/health"
'

test_expect_success 'a gateway that is away, or wants another token: no backup, no restore' '
	cp gateway.curl curl.kept && sed -i "s,hxsecret,other," gateway.curl &&
	test_must_fail hxsnap create sonia >out 2>err && test_line_count 0 out &&
	test_grep "401" err && cp curl.kept gateway.curl && as_in before &&
	gateway stop && look srv >look && test_must_fail hxsnap create sonia 2>err &&
	test_must_fail hxsnap restore sonia/latest 2>err && cat err &&
	look srv >look.2 && test_cmp look look.2 && no_remains && not_in "$STORE" err
'

test_expect_success 'every command of the page was tried' '
	blocks_used
'

test_done
