#!/bin/sh
# shellcheck disable=SC2016 # bodies, and what hooks run, are evaluated later
test_description='drills of a database: restored beside the live one, and gone afterwards'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"
. "$HXS_SRC/tests/lib/postgres.sh"

HXSNAP_CONFIG=$TRASH/hxsnap.json
DRILLS=$STORE/.hxsnap/drills/dev
export HXSNAP_CONFIG

test_have POSTGRES || skip_all "wants $test_why"

# config [FILTER]: what is configured, changed by a filter of jq.
config() {
	jq -n --arg store "$STORE" --arg live "$TRASH/live" --arg dsn "$(pg_dsn shop)" '{
		store: $store, environments: {dev: {sources: {
			files: {kind: "directory", path: $live},
			database: {kind: "postgres", dsn: $dsn}},
			objectives: {rto: "10m"}}}} | '"${1:-.}" >"$HXSNAP_CONFIG"
}

# The databases there are, and what is in the live one.
databases() {
	pg_super postgres "SELECT oid, datname, datallowconn FROM pg_database ORDER BY oid"
	pg_sql shop "SELECT * FROM lens.items ORDER BY 1; SELECT count(*) FROM orders;
		SELECT oid, relfilenode, relname FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace
		WHERE nspname = 'lens') ORDER BY oid"
}

# drilled STATUS OUTCOME STEP PATTERN [WORD...]: a drill ends so; see t0465.
# The server, and live data, are as before.
drilled() {
	local want="$1" outcome="$2" bad="$3" pattern="$4"
	shift 4
	[ $# -gt 0 ] || set -- dev
	rm -f "$DRILLS"/*.json && databases >databases-before && look -c live >live-before &&
		{ test_exit "$want" hxsnap --json drill "$@" >out 2>err || {
			cat out err
			return 1
		}; } && jq -e --arg want "$outcome" --arg bad "$bad" '
			.status == $want and ([.steps[] | select(.passed | not) | .step][0] // "") == $bad' out >/dev/null &&
		{ [ -z "$pattern" ] || {
			jq -r '[.steps[] | select(.passed | not)][0].detail // ([.steps[].detail] | join("; "))' out >detail &&
				test_grep "$pattern" detail; }; } &&
		databases >databases-after && test_cmp databases-before databases-after && look -c live >live-after &&
		test_cmp live-before live-after && no_remains && no_secret && test_path_is_missing "$STORE/.hxsnap/staged/dev" &&
		test_path_is_missing "$DRILLS/.scratch" && return 0
	cat out err
	return 1
}

no_secret() {
	! grep -rlF -e "$PG_PASSWORD" -e "$PG_SUPER_PASSWORD" "$STORE" out err
}

test_expect_success 'a server with a database, and a backup of it' '
	pg_init && pg_start && pg_super postgres "CREATE DATABASE shop OWNER $PG_OWNER" &&
	pg_sql shop "CREATE TABLE orders (n int PRIMARY KEY, at timestamptz DEFAULT now());
		CREATE SCHEMA lens; CREATE TABLE lens.items (n int, x text);
		INSERT INTO orders SELECT generate_series(1, 1000);
		INSERT INTO lens.items SELECT n, repeat(chr(97 + n % 26), n) FROM generate_series(1, 50) n" &&
	mkdir live && echo 1 >live/f && make_store && config && id=$(hxsnap -q create dev) && newest=$STORE/backups/dev/$id
'

test_expect_success 'it passes: restored beside the live one, counted, and gone afterwards' '
	drilled 0 passed "" "2 tables, 1050 rows, in database .hxsnap_" && jq -e "
		[.steps[].step] == [\"snapshot\", \"restore\", \"check database\", \"check files\", \"rto\"] and
		.rto_actual_seconds > 0 and .warnings == []" out
'

test_expect_success 'what the live one holds by now is no matter' '
	pg_sql shop "DELETE FROM orders WHERE n > 10; INSERT INTO lens.items VALUES (51, NULL)" &&
	drilled 0 passed "" "2 tables, 1050 rows"
'

test_expect_success 'health hooks are told its name, and find it there' '
	cat >look_well <<-\END && chmod 755 look_well &&
	#!/bin/sh
	echo "$HXSNAP_SOURCE_DATABASE" >"$TRASH/name"
	psql -XqAt -c "SELECT count(*) FROM orders" "$HXSNAP_SOURCE_DATABASE" >"$TRASH/count"
	END
	config ".environments.dev.hooks.health = [[\"./look_well\"]]" &&
	(PGHOST=$PG_DIR PGPORT=$PG_PORT PGUSER=$PG_OWNER PGPASSWORD=$PG_PASSWORD && export PGHOST PGPORT PGUSER PGPASSWORD &&
		drilled 0 passed "" "") && [ "$(cat count)" = 1000 ] && test_grep "^hxsnap_[0-9a-f]*$" name
'

test_expect_success 'a flipped byte of the dump fails it, before the server is asked for anything' '
	file=$(cd "$newest" && find database/dump -type f -size +100c | sort | sed -n 1p) && flip_byte "$newest/$file" 60 &&
	drilled 3 failed restore "$file" && flip_byte "$newest/$file" 60 && config && drilled 0 passed "" ""
'

# copy_foreign COMMANDS: the backup as a foreign one, changed before its
# manifest is made.
copy_foreign() {
	rm -rf "$STORE/backups/dev/20990101T000000Z" copy && cp -a "$newest" copy &&
		rm copy/index.hxi copy/manifest.sha256 copy/meta.json copy/config.json &&
		(cd copy && eval "$1") && foreign_snapshot dev 20990101T000000Z copy/*
}

test_expect_success 'a dump that is wrong inside, though its bytes are those that were listed' '
	copy_foreign ":" && drilled 0 passed "" "1050 rows" &&
	copy_foreign "find database/dump -name \"*.dat*\" -size +100c | sort | sed -n 1p | xargs truncate -s 60" &&
	drilled 3 failed "check database" "pg_restore" &&
	copy_foreign "echo \"{\\\"rows\\\": 1001}\" >database/schemas/public/orders" &&
	drilled 3 failed "check database" "orders" &&
	copy_foreign "rm database/database.json" && drilled 3 failed "check database" "database.json" &&
	rm -r "$STORE/backups/dev/20990101T000000Z"
'

test_expect_success 'no server: inconclusive; it is told which step' '
	pg_stop && rm -f "$DRILLS"/*.json && test_exit 1 hxsnap --json drill dev >out 2>err &&
	jq -e ".status == \"inconclusive\" and ([.steps[] | select(.passed | not) | .step] == [\"check database\"])" out &&
	no_remains && pg_start && drilled 0 passed "" ""
'

test_expect_success 'a role that may not create databases: inconclusive' '
	pg_super postgres "ALTER ROLE $PG_OWNER NOCREATEDB" && drilled 1 inconclusive "check database" "may not create" &&
	pg_super postgres "ALTER ROLE $PG_OWNER CREATEDB" && drilled 0 passed "" ""
'

WAIT='["sh", "-c", ": >\"$TRASH/here\"; until [ -e \"$TRASH/go\" ]; do sleep 0.02; done"]'

test_expect_success 'meanwhile the environment is busy, and is not afterwards' '
	config ".environments.dev.hooks.health = [$WAIT]" && rm -f here go && { hxsnap -q drill dev >out 2>err & } && pid=$! &&
	test_poll 60 "[ -e here ]" && test_exit 6 hxsnap -q create dev 2>err2 && test_grep "drill. is at work" err2 &&
	: >go && wait $pid && hxsnap -q create dev --allow-shrink
'

# killed: a drill is killed when its database is there.
killed() {
	config ".environments.dev.hooks.health = [$WAIT]" && rm -f here go && { hxsnap drill dev >/dev/null 2>&1 & } && pid=$! &&
		test_poll 60 "[ -e here ]" && kill -KILL $pid && { wait $pid || :; } && : >go && config &&
		pg_super postgres "SELECT datname FROM pg_database WHERE datname LIKE 'hxsnap\\_%'" >left && test_line_count 1 left
}

test_expect_success 'killed: the next one, or recovery, removes its database' '
	databases >before && killed && hxsnap -q drill dev >/dev/null && databases >after && test_cmp before after &&
	killed && hxsnap recover dev && databases >after && test_cmp before after && no_remains && drilled 0 passed "" ""
'

test_expect_success 'cancelled: inconclusive, and its database is gone' '
	databases >before && config ".environments.dev.hooks.health = [$WAIT]" && rm -f here go "$DRILLS"/*.json &&
	{ hxsnap --json drill dev >out 2>err & } && pid=$! && test_poll 60 "[ -e here ]" && kill $pid &&
	test_exit 1 wait $pid && : >go && jq -e ".status == \"inconclusive\"" out && config && databases >after &&
	test_cmp before after && no_remains
'

# part FILTER: the source is a part, backed up anew as $newest.
part() {
	config ".environments.dev.sources.database += $1" && id=$(hxsnap -q create dev --allow-shrink) &&
		newest=$STORE/backups/dev/$id
}

test_expect_success 'a schema is loaded into a database that is like the live one' '
	pg_sql shop "CREATE TYPE mood AS ENUM (\$\$good\$\$, \$\$bad\$\$);
		CREATE TABLE lens.kinds (kind int PRIMARY KEY, above int REFERENCES lens.kinds);
		CREATE TABLE lens.marks (n int REFERENCES orders, kind int REFERENCES lens.kinds, mood mood,
			made serial);
		INSERT INTO lens.kinds VALUES (1, NULL), (2, 1);
		INSERT INTO lens.marks SELECT n, 1 + n % 2, \$\$good\$\$ FROM generate_series(1, 7) n;
		CREATE VIEW lens.seen AS SELECT n FROM orders" &&
	part "{schemas: [\"lens\"]}" && drilled 0 passed "" "3 tables, 60 rows, in database .hxsnap_" &&
	jq -e ".warnings == []" out
'

test_expect_success 'health hooks find it there, and the rest without rows' '
	cat >look_well <<-\END &&
	#!/bin/sh
	psql -XqAt -c "SELECT count(*), sum(kind) FROM lens.marks" -c "SELECT count(*) FROM orders" \
		-c "SELECT count(*) FROM lens.seen" -c "SELECT contype, conname FROM pg_constraint WHERE contype = '"'f'"' ORDER BY 2" \
		"$HXSNAP_SOURCE_DATABASE" >"$TRASH/seen"
	END
	config ".environments.dev.sources.database += {schemas: [\"lens\"]} | .environments.dev.hooks.health = [[\"./look_well\"]]" &&
	(PGHOST=$PG_DIR PGPORT=$PG_PORT PGUSER=$PG_OWNER PGPASSWORD=$PG_PASSWORD && export PGHOST PGPORT PGUSER PGPASSWORD &&
		drilled 0 passed "" "") && printf "%s\n" "7|11" 0 0 "f|kinds_above_fkey" "f|marks_kind_fkey" >want && test_cmp want seen
'

test_expect_success 'tables; rows alone, whatever keys and triggers would say' '
	part "{tables: [\"lens.kinds\", \"lens.marks\"]}" && drilled 0 passed "" "2 tables, 9 rows, in database" &&
	pg_sql shop "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN RAISE EXCEPTION \$b\$no\$b\$; END\$\$;
		CREATE TRIGGER no BEFORE INSERT ON lens.marks FOR EACH ROW EXECUTE FUNCTION no()" &&
	part "{tables: [\"lens.marks\"], data_only: true}" && drilled 0 passed "" "1 table, 7 rows, in database" &&
	part "{data_only: true}" && drilled 0 passed "" "4 tables, 70 rows, in database"
'

test_expect_success 'a part that is wrong inside' '
	part "{schemas: [\"lens\"]}" && copy_foreign ":" && drilled 0 passed "" "60 rows" &&
	copy_foreign "echo \"{\\\"rows\\\": 8}\" >database/schemas/lens/marks" &&
	drilled 3 failed "check database" "lens.marks.* came back with 7 rows instead of 8" &&
	copy_foreign "find database/dump -name \"*.dat*\" -size +100c | sort | sed -n 1p | xargs truncate -s 60" &&
	drilled 3 failed "check database" "pg_restore" && rm -r "$STORE/backups/dev/20990101T000000Z"
'

test_expect_success 'what else depends on a part, by which its restore would be refused' '
	pg_sql shop "CREATE VIEW best AS SELECT n FROM lens.marks" &&
	drilled 1 inconclusive "check database" "refused: .*view public.best depends on .*table lens.marks" && pg_sql shop "DROP VIEW best"
'

test_expect_success 'no database can be made that is like the live one: inconclusive' '
	pg_super shop "CREATE TABLE secret (n int); REVOKE ALL ON secret FROM PUBLIC" &&
	drilled 1 inconclusive "check database" "a database like .shop. cannot be made.*secret" && pg_super shop "DROP TABLE secret" &&
	drilled 0 passed "" "60 rows"
'

test_expect_success 'killed with a part: its database goes, too' '
	databases >before &&
	config ".environments.dev.sources.database += {schemas: [\"lens\"]} | .environments.dev.hooks.health = [$WAIT]" && rm -f here go && { hxsnap drill dev >/dev/null 2>&1 & } && pid=$! && test_poll 60 "[ -e here ]" &&
	kill -KILL $pid && { wait $pid || :; } && : >go &&
	pg_super postgres "SELECT datname FROM pg_database WHERE datname LIKE \$\$hxsnap\\_%\$\$" >left && test_line_count 1 left &&
	config ".environments.dev.sources.database += {schemas: [\"lens\"]}" && hxsnap recover dev && databases >after &&
	test_cmp before after && no_remains
'

test_expect_success 'a restore that is to be confirmed still is, after drills that have a journal of their own' '
	config && id=$(hxsnap -q create dev --allow-shrink) && record=$STORE/.hxsnap/unconfirmed/dev && echo 2 >live/f &&
	{ hxsnap -q restore "dev/$id" files --confirm-within 10m >out2 2>err2 & } && pid=$! &&
	test_poll 60 "grep -q waiting \"$record\" 2>/dev/null || ! kill -0 $pid" && cp "$record" record &&
	hxsnap -q drill dev >out && test_cmp record "$record" &&
	config ".environments.dev.hooks.health = [[\"false\"]]" && test_must_fail hxsnap -q drill dev >out 2>err &&
	config && test_cmp record "$record" && [ "$(cat live/f)" = 1 ] &&
	hxsnap -q rollback dev >out && test_exit 1 wait $pid && [ "$(cat live/f)" = 2 ] && test_path_is_missing "$record"
'

test_expect_success 'what is left of all this' '
	pg_super postgres "SELECT datname FROM pg_database WHERE datname LIKE \$\$hxsnap%\$\$" >left && test_line_count 0 left && pg_stop
'

test_done
