#!/bin/sh
test_description='a PostgreSQL database is restored: wholly old or wholly new,
whoever is connected, and whatever is killed meanwhile'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"
. "$HXS_SRC/tests/lib/postgres.sh"

# How often a restore is killed.
KILLS=12
[ "${HXS_CRASH:-}" != all ] || KILLS=100

# dump DATABASE: all of it as text, with what the database itself has.
dump() {
	PGPASSWORD=$PG_SUPER_PASSWORD pg_dump -C -h "$PG_DIR" -p "$PG_PORT" \
		-U "$PG_SUPER" "$1" | grep -v '^\\\(un\)\?restrict '
}

# no_leftovers [KEPT]: no database but d, and those that are kept; no marker,
# no journal; d takes connections.
no_leftovers() {
	pg_databases | grep -v '^d_hxsnap_[0-9]*T[0-9]*Z$' >left
	echo d >want && test_cmp want left && no_remains &&
		pg_sql d "SELECT nspname FROM pg_namespace WHERE
			nspname LIKE 'hxsnap%'" >left && test_line_count 0 left
}

# Everything that a database can have, as one that is not all-powerful.
test_expect_success POSTGRES 'a server, a database, a backup' '
	pg_init && pg_start && make_store && pg_source d &&
	pg_super postgres <<-END &&
	CREATE ROLE reader;
	CREATE ROLE builder;
	GRANT builder TO $PG_OWNER;
	CREATE DATABASE d OWNER $PG_OWNER;
	END
	pg_sql d <<-\END &&
	CREATE EXTENSION pgcrypto;
	CREATE SCHEMA core AUTHORIZATION builder;
	SET ROLE builder;
	CREATE TYPE core.mood AS ENUM ($$sad$$, $$glad$$);
	CREATE TABLE core.log (seq bigserial PRIMARY KEY, at timestamptz
		NOT NULL, mood core.mood, text text);
	INSERT INTO core.log (at, mood, text) SELECT
		$$2026-02-01T00:00:00Z$$::timestamptz + n * interval $$1 min$$,
		$$glad$$, repeat(md5(n::text), 3) FROM generate_series(1, 5000) n;
	CREATE FUNCTION core.newest() RETURNS bigint LANGUAGE plpgsql AS
		$f$ BEGIN RETURN (SELECT max(seq) FROM core.log); END $f$;
	CREATE TABLE core.parts (n int) PARTITION BY RANGE (n);
	CREATE TABLE core.low PARTITION OF core.parts FOR VALUES FROM (0) TO (9);
	INSERT INTO core.parts SELECT generate_series(0, 8);
	RESET ROLE;
	CREATE SCHEMA lens;
	CREATE TABLE lens.item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		name text CHECK (name <> $$$$));
	INSERT INTO lens.item (name) SELECT n FROM generate_series(1, 500) n;
	CREATE TABLE lens.link (id serial, item int REFERENCES lens.item);
	CREATE INDEX ON lens.link (item);
	INSERT INTO lens.link (item) SELECT n FROM generate_series(1, 500) n;
	CREATE FUNCTION lens.touch() RETURNS trigger LANGUAGE plpgsql AS
		$f$ BEGIN RETURN NEW; END $f$;
	CREATE TRIGGER touch BEFORE INSERT ON lens.link FOR EACH ROW
		EXECUTE FUNCTION lens.touch();
	CREATE MATERIALIZED VIEW lens.total AS SELECT count(*) FROM lens.item;
	CREATE VIEW lens.names AS SELECT name FROM lens.item;
	GRANT SELECT ON lens.item, lens.names TO reader;
	COMMENT ON TABLE lens.item IS $$a "comment"$$;
	CREATE TABLE mark (word text);
	INSERT INTO mark VALUES ($$old$$);
	SELECT lo_from_bytea(0, decode(repeat($$00ff$$, 5000), $$hex$$));
	ALTER DATABASE d SET search_path = core, lens, "Odd one", public;
	ALTER DATABASE d SET work_mem = $$5MB$$;
	ALTER ROLE app IN DATABASE d SET statement_timeout = $$10min$$;
	ALTER DATABASE d CONNECTION LIMIT 50;
	COMMENT ON DATABASE d IS $$the "d" of it$$;
	REVOKE CONNECT ON DATABASE d FROM PUBLIC;
	GRANT CONNECT, TEMPORARY ON DATABASE d TO reader;
	END
	id=$(hxsnap -q create dev) && dump d >old.sql
'

# change: what one would like to be rid of.
change() {
	pg_sql d <<-\END
	UPDATE public.mark SET word = 'new';
	TRUNCATE lens.link;
	INSERT INTO core.log (at, text) SELECT now(), 'x'
		FROM generate_series(1, 100);
	CREATE TABLE IF NOT EXISTS lens.more (n int);
	DROP FUNCTION IF EXISTS core.newest();
	SELECT lo_unlink(oid) FROM pg_largeobject_metadata;
	ALTER DATABASE d SET work_mem = '9MB';
	END
}

test_expect_success POSTGRES 'all of it comes back, and goes back again' '
	change >out && dump d >new.sql && ! cmp -s old.sql new.sql &&
	hxsnap --json restore "dev/$id" >out && cat out &&
	jq -e ".absent_seconds < 20" out && dump d >got && test_cmp old.sql got &&
	[ "$(pg_sql d "SELECT core.newest()")" = 5000 ] &&
	[ "$(pg_sql d "INSERT INTO lens.item (name) VALUES (\$\$y\$\$)
		RETURNING id")" = 501 ] && pg_sql d "DELETE FROM lens.item
			WHERE id = 501" && no_leftovers &&
	hxsnap -q rollback dev >out && dump d >got && test_cmp new.sql got &&
	no_leftovers
'

test_expect_success POSTGRES 'the old one is kept, and takes nobody' '
	pg_super postgres <<-END >out &&
	SELECT datname FROM pg_database WHERE NOT datallowconn AND
		shobj_description(oid, \$\$pg_database\$\$) LIKE \$\$kept by hxsnap % environment % store %$STORE%\$\$
	END
	test_line_count 2 out && test_must_fail pg_sql "$(head -n 1 out)" \
		"SELECT 1"
'

# A rollback point that has gone takes its database along.
test_expect_success POSTGRES 'and goes when its rollback point does' '
	oldest=$(ls "$STORE/rollbacks/dev" | head -n 1) &&
	pg_super postgres "CREATE DATABASE \"d_hxsnap_20200101T000000Z\"
		ALLOW_CONNECTIONS false" &&
	rm -rf "$STORE/rollbacks/dev/$oldest" &&
	hxsnap -q create dev --allow-shrink >out &&
	pg_databases >got && test_grep ! "d_hxsnap_$oldest" got &&
	test_grep "d_hxsnap_20200101T000000Z" got &&
	test_grep "d_hxsnap_$(ls "$STORE/rollbacks/dev" | tail -n 1)" got &&
	pg_super postgres "DROP DATABASE \"d_hxsnap_20200101T000000Z\""
'

test_expect_success POSTGRES 'a database that is not there is made' '
	pg_super postgres "DROP DATABASE d" &&
	hxsnap -q restore "dev/$id" >out && dump d >got &&
	test_cmp old.sql got && no_leftovers
'

test_expect_success POSTGRES 'who is connected is ended' '
	change >out &&
	{ pg_sql d "BEGIN; UPDATE public.mark SET word = \$\$third\$\$;
		SELECT pg_sleep(600)" 2>client & } && client=$! &&
	test_poll 20 "[ \$(pg_super d \"SELECT count(*) FROM pg_stat_activity
		WHERE wait_event = \\\$\\\$PgSleep\\\$\\\$\") -gt 0 ]" &&
	hxsnap -q restore "dev/$id" >out && ! wait $client &&
	test_grep "terminating connection" client &&
	dump d >got && test_cmp old.sql got && no_leftovers
'

# Asks for the word all the time, anew each time; other answers are none. Who
# was on the way in when the name changed hands is told that, and no more.
cat >ask.sh <<'END'
while [ ! -e stop ]; do
	psql -XqAt "$1" -c "SELECT word FROM public.mark" 2>&1 | tr "\n" " "
	echo
done
END

test_expect_success POSTGRES 'the name means the old one or the new one' '
	change >out && rm -f stop &&
	{ sh ask.sh "$(pg_dsn d)" >answers & } && asker=$! &&
	for i in 1 2 3; do
		hxsnap -q restore "dev/$id" >out &&
		hxsnap -q rollback dev >out || return 1
	done &&
	: >stop && wait $asker && sort answers | uniq -c &&
	sed -e "/^old \$/d" -e "/^new \$/d" -e "/just been dropped or renamed/d" \
		-e "/not currently accepting connections/d" \
		-e "/terminating connection/d" answers >strange &&
	test_line_count 0 strange && grep -q old answers &&
	grep -q new answers && no_leftovers
'

# refused PATTERN COMMAND...: it fails, says so, and nothing was changed.
refused() {
	local pattern="$1"
	shift
	dump d >before && pg_databases >names && look_at_store >store-before &&
		test_must_fail "$@" 2>err && test_grep "$pattern" err &&
		dump d >after && test_cmp before after &&
		pg_databases >after && test_cmp names after &&
		look_at_store >after && test_cmp store-before after &&
		no_leftovers
}

# other NAME JQ: a backup whose database.json is changed so.
other() {
	rm -rf "$TRASH/other" "$STORE/backups/dev/$1" && mkdir "$TRASH/other" &&
		cp -a "$STORE/backups/dev/$id/database" "$TRASH/other/" &&
		jq "$2" "$STORE/backups/dev/$id/database/database.json" \
			>"$TRASH/other/database/database.json" &&
		foreign_snapshot dev "$1" "$TRASH/other/database"
}

test_expect_success POSTGRES 'what this server cannot hold is refused' '
	other 20200101T000000Z ".server = 140005 | .server_version = \"14.5\"" &&
	refused "version 14.5" hxsnap restore dev/20200101T000000Z &&
	other 20200101T000001Z ".extensions += [\"nosuchthing\"]" &&
	refused "extension .nosuchthing." hxsnap restore dev/20200101T000001Z &&
	other 20200101T000002Z ".roles += [\"stranger\"]" &&
	refused "role .stranger." hxsnap restore dev/20200101T000002Z &&
	other 20200101T000003Z ".tablespace = \"fast\"" &&
	refused "tablespace .fast." hxsnap restore dev/20200101T000003Z &&
	other 20200101T000004Z ".encoding = 3" &&
	refused "database.json" hxsnap restore dev/20200101T000004Z &&
	rm -rf "$STORE"/backups/dev/2020*
'

test_expect_success POSTGRES 'rows that do not come back are noticed' '
	other 20200101T000000Z . &&
	echo "{\"rows\": 499}" >"$TRASH/other/database/schemas/lens/item" &&
	rm -rf "$STORE/backups/dev/20200101T000000Z" &&
	foreign_snapshot dev 20200101T000000Z "$TRASH/other/database" &&
	refused "lens.item.*500 rows instead of 499" \
		hxsnap restore dev/20200101T000000Z &&
	rm -rf "$STORE"/backups/dev/2020*
'

test_expect_success POSTGRES 'who may not is refused' '
	pg_super postgres "ALTER ROLE $PG_OWNER NOCREATEDB" &&
	refused "may not create databases" hxsnap restore "dev/$id" &&
	pg_super postgres "ALTER ROLE $PG_OWNER CREATEDB" &&
	pg_super postgres "ALTER DATABASE d OWNER TO $PG_SUPER" &&
	pg_super postgres "GRANT CONNECT ON DATABASE d TO $PG_OWNER" &&
	refused "does not own database" hxsnap restore "dev/$id" &&
	pg_super postgres "ALTER DATABASE d OWNER TO $PG_OWNER" &&
	PG_REAL=$PG_PASSWORD && PG_PASSWORD=wrong && pg_source d &&
	PG_PASSWORD=$PG_REAL &&
	refused "password authentication failed" hxsnap restore "dev/$id" &&
	pg_source d && hxsnap -q restore "dev/$id" >out && dump d >got &&
	test_cmp old.sql got
'

test_expect_success POSTGRES,TMPFS,ROOT 'a full disk: nothing is changed' '
	mkdir small && mount -t tmpfs -o size=24m tmpfs small &&
	test_when_finished "pg_source d" && mkdir small/space && chown postgres: small/space &&
	pg_super postgres "CREATE TABLESPACE small
		LOCATION \$\$$TRASH/small/space\$\$" &&
	pg_super postgres "GRANT CREATE ON TABLESPACE small TO $PG_OWNER" &&
	pg_super postgres "CREATE DATABASE e OWNER $PG_OWNER TABLESPACE small" &&
	pg_source e && pg_sql e "CREATE TABLE t (n int);
		INSERT INTO t SELECT generate_series(1, 200000)" &&
	pg_super e CHECKPOINT &&
	full=$(hxsnap -q create dev --allow-shrink) &&
	test_must_fail hxsnap restore "dev/$full" 2>err &&
	test_grep "No space left on device" err &&
	[ "$(pg_sql e "SELECT count(*) FROM t")" = 200000 ] &&
	pg_databases >got && test_grep ! "hxsnap_[0-9a-f]*\$" got &&
	pg_super postgres "DROP DATABASE e" &&
	pg_super postgres "DROP TABLESPACE small" && umount small &&
	rm -rf "$STORE/backups/dev/$full"
'

test_expect_success POSTGRES 'one schema, one table' '
	change >out && dump d >new.sql &&
	hxsnap -q restore "dev/$id" database/schemas/lens >out && no_leftovers &&
	[ "$(pg_sql d "SELECT count(*) FROM lens.link")" = 500 ] &&
	[ "$(pg_sql d "SELECT word FROM public.mark")" = new ] &&
	[ "$(pg_sql d "SELECT max(seq) > 5000 FROM core.log")" = t ] &&
	test_must_fail pg_sql d "SELECT * FROM lens.more" &&
	dump d >got && sed -n "/^-- Name.*Schema: lens/,/^--\$/p" got >got-lens &&
	sed -n "/^-- Name.*Schema: lens/,/^--\$/p" old.sql >old-lens &&
	test_cmp old-lens got-lens &&
	hxsnap -q restore "dev/$id" database/schemas/public/mark >out &&
	[ "$(pg_sql d "SELECT word FROM public.mark")" = old ] &&
	pg_sql d "TRUNCATE lens.link" &&
	hxsnap -q restore "dev/$id" database/schemas/lens/link >out &&
	[ "$(pg_sql d "SELECT count(*) FROM lens.link")" = 500 ] &&
	[ "$(pg_sql d "INSERT INTO lens.link (item) VALUES (1)
		RETURNING id")" = 501 ] && no_leftovers
'

test_expect_success POSTGRES 'a schema that was dropped, and back' '
	pg_sql d "DROP SCHEMA core CASCADE" && dump d >new.sql &&
	hxsnap -q restore "dev/$id" database/schemas/core >out &&
	[ "$(pg_sql d "SELECT core.newest()")" = 5000 ] && no_leftovers &&
	pg_sql d "SELECT nspowner::regrole FROM pg_namespace
		WHERE nspname = \$\$core\$\$" >out && test_grep builder out
'

test_expect_success POSTGRES 'what others depend on is not torn out' '
	refused "constraint link_item_fkey.*depends" hxsnap restore "dev/$id" \
		database/schemas/lens/item &&
	pg_sql d "CREATE VIEW public.outside AS SELECT * FROM lens.item" &&
	refused "view public.outside depends" hxsnap restore "dev/$id" \
		database/schemas/lens &&
	pg_sql d "DROP VIEW public.outside" &&
	refused "only together" hxsnap restore "dev/$id" \
		database/schemas/core/low &&
	refused "schemas/SCHEMA" hxsnap restore "dev/$id" database/dump
'

test_expect_success POSTGRES 'rows alone' '
	pg_source d ", \"tables\": [\"lens.item\", \"lens.link\"],
		\"data_only\": true" &&
	rows=$(hxsnap -q create dev --allow-shrink) &&
	pg_sql d "CREATE VIEW public.outside AS SELECT * FROM lens.item" &&
	next=$(pg_sql d "SELECT last_value FROM lens.link_id_seq") &&
	pg_sql d "TRUNCATE lens.link RESTART IDENTITY" &&
	pg_sql d "DELETE FROM lens.item" &&
	hxsnap -q restore "dev/$rows" >out && no_leftovers &&
	[ "$(pg_sql d "SELECT last_value FROM lens.link_id_seq")" = $next ] &&
	[ "$(pg_sql d "SELECT count(*) FROM lens.link")" -ge 500 ] &&
	[ "$(pg_sql d "SELECT count(*) FROM public.outside")" = 500 ] &&
	refused "declares no statement" hxsnap restore "dev/$rows" --until 5 &&
	pg_sql d "DROP VIEW public.outside" && pg_source d
'

test_expect_success POSTGRES 'until a number, until a time' '
	pg_source d ", \"until\": {
		\"sequence\": [\"DELETE FROM log WHERE seq > :until -- :until\",
			\"UPDATE public.mark SET word = '"'"':until'"'"' || :until::text\"],
		\"time\": [\"DELETE FROM log WHERE at > :until\"]}" &&
	hxsnap -q restore "dev/$id" --until 1234 >out &&
	[ "$(pg_sql d "SELECT core.newest()")" = 1234 ] &&
	[ "$(pg_sql d "SELECT word FROM public.mark")" = :until1234 ] &&
	hxsnap --json restore "dev/$id" --until 2026-02-01T01:00:00Z >out &&
	[ "$(pg_sql d "SELECT core.newest()")" = 60 ] &&
	jq -e ".records[0].dropped == 4940" out && no_leftovers &&
	pg_source d ", \"until\": [\"DELETE FROM nothing WHERE n > :until\"]" &&
	refused "statement 1" hxsnap restore "dev/$id" --until 7 && pg_source d
'

# whole_or_not: the word, and everything else, is of one state or the other;
# but that after a crash a sequence may go on with a later number.
whole_or_not() {
	local word
	word=$(pg_sql d "SELECT word FROM public.mark") && dump d >got &&
		sed "/setval(/d" "$word.sql" >want-sql &&
		sed -i "/setval(/d" got && test_cmp want-sql got &&
		echo "state: $word"
}

# interrupt COMMAND...: start it, and kill it at some instant; then recover.
interrupt() {
	local pid
	"$@" >out 2>err &
	pid=$!
	# from nothing done to all done
	python3 -c "import random, time; time.sleep(random.uniform(0, $span))"
	kill -KILL $pid 2>/dev/null
	wait $pid
	hxsnap recover >recovered 2>&1 || {
		cat recovered
		return 1
	}
	no_leftovers
}

# measure COMMAND...: how long it takes, in $span.
measure() {
	local from
	from=$(date +%s.%N) && "$@" >out 2>&1 &&
		span=$(echo "$from $(date +%s.%N)" | awk '{ print $2 - $1 }')
}

test_expect_success POSTGRES "killed $KILLS times, it is old or new" '
	hxsnap -q restore "dev/$id" >out && change >out && dump d >new.sql &&
	measure hxsnap -q restore "dev/$id" && dump d >old.sql &&
	for i in $(seq $KILLS); do
		[ "$(pg_sql d "SELECT word FROM public.mark")" = new ] || {
			change >out && dump d >new.sql
		} &&
		interrupt hxsnap -q restore "dev/$id" && whole_or_not || return 1
	done
'

test_expect_success POSTGRES "a part killed $KILLS times, it is old or new" '
	hxsnap -q restore "dev/$id" >out && dump d >old.sql &&
	pg_sql d "TRUNCATE lens.link" && dump d >new.sql &&
	measure hxsnap -q restore "dev/$id" database/schemas/lens &&
	for i in $(seq $KILLS); do
		pg_sql d "TRUNCATE lens.link" &&
		interrupt hxsnap -q restore "dev/$id" database/schemas/lens &&
		pg_sql d "SELECT count(*) FROM lens.link" >count &&
		cat count && grep -q -x -e 0 -e 500 count || return 1
	done
'

test_expect_success POSTGRES 'the server crashes in the middle' '
	hxsnap -q restore "dev/$id" >out && dump d >old.sql &&
	change >out && dump d >new.sql &&
	measure hxsnap -q restore "dev/$id" &&
	for i in 1 2 3 4; do
		[ "$(pg_sql d "SELECT word FROM public.mark")" = new ] || {
			change >out && dump d >new.sql
		} &&
		{ hxsnap -q restore "dev/$id" >out 2>err & } && pid=$! &&
		python3 -c "import random, time
time.sleep(random.uniform(0, $span))" &&
		pg_crash && { wait $pid || cat err; } && pg_start &&
		hxsnap recover && whole_or_not && no_leftovers || return 1
	done
'

test_done
