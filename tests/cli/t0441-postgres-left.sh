#!/bin/sh
# shellcheck disable=SC2016 # conditions are evaluated later
test_description='what hxsnap left at work in a server when it was killed has no
effect once that was recovered'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"
. "$HXS_SRC/tests/lib/postgres.sh"

# active CONDITION: whether some connection of ours is that way.
active() {
	[ "$(pg_super postgres "SELECT count(*) > 0 FROM pg_stat_activity
		WHERE pid <> pg_backend_pid() AND $1")" = t ]
}

held="application_name = 'holder'"
loading="datname LIKE 'hxsnap%' AND wait_event = 'PgSleep'"
committing="application_name LIKE 'hxsnap%' AND query LIKE 'COMMIT%' AND
	wait_event_type = 'Lock'"
dumping="application_name = 'pg_dump'"
waiting="$dumping AND wait_event_type = 'Lock'"

# hold SQL: a connection that does this, and stays; and release().
hold() {
	echo "SET application_name = 'holder'; $1; SELECT pg_sleep(600)" |
		pg_sql d >held 2>&1 &
	test_poll 60 'active "$held AND query LIKE \$\$%pg_sleep%\$\$"'
}
release() {
	pg_super postgres "SELECT pg_terminate_backend(pid) FROM
		pg_stat_activity WHERE $held" >released &&
		test_poll 60 '! active "$held"'
}

# cut CONDITION COMMAND...: that is killed once a connection is that way.
cut() {
	local condition="$1" pid
	shift
	"$@" >out 2>err &
	pid=$!
	test_poll 60 'active "$condition"' && kill -KILL "$pid" && {
		wait "$pid"
		active "$condition"
	}
}

# rows N: there are so many, and nothing of ours is at work or left.
rows() {
	echo d >want && pg_databases | grep -v "^d_hxsnap_" >left &&
		test_cmp want left &&
		[ "$(pg_sql d "SELECT count(*) FROM lens.item")" = "$1" ] &&
		[ "$(pg_sql d "SELECT count(*) FROM pg_namespace WHERE
			nspname LIKE 'hxsnap%'")" = 0 ] && no_remains &&
		! active "application_name LIKE 'hxsnap%' OR
			application_name LIKE 'pg_%'"
}

# At the end of a transaction that adds rows it waits for lock 7. Anywhere but
# in d, making the index takes ten minutes.
test_expect_success POSTGRES 'a server, a database, a backup' '
	pg_init && pg_start && make_store && pg_source d ", \"jobs\": 2" &&
	pg_super postgres "CREATE DATABASE d OWNER $PG_OWNER" &&
	pg_sql d <<-\END &&
	CREATE SCHEMA lens;
	CREATE TABLE lens.item (n int);
	CREATE TABLE lens.more (n int);
	INSERT INTO lens.item SELECT generate_series(1, 3);
	CREATE FUNCTION lens.wait() RETURNS trigger LANGUAGE plpgsql AS
		$f$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL;
		END $f$;
	CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON lens.item
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
		EXECUTE FUNCTION lens.wait();
	CREATE FUNCTION lens.slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
		$f$ BEGIN IF current_database() <> $$d$$ THEN
		PERFORM pg_sleep(600); END IF; RETURN $1; END $f$;
	CREATE INDEX ON lens.item (lens.slow(n));
	END
	id=$(hxsnap -q create dev) && pg_sql d "DELETE FROM lens.item" &&
	rows 0
'

test_expect_success POSTGRES 'what loads a new database' '
	cut "$loading" hxsnap restore "dev/$id" && hxsnap recover && rows 0
'

# It has done all but the end of its transaction, which nobody can see: once
# it may go on, it would be as if it had been restored.
test_expect_success POSTGRES 'what is about to commit' '
	pg_source d ", \"data_only\": true, \"tables\": [\"lens.item\"]" &&
	pg_sql d "INSERT INTO lens.item SELECT generate_series(1, 3)" &&
	part=$(hxsnap -q create dev) && pg_sql d "DELETE FROM lens.item" &&
	hold "SELECT pg_advisory_lock(7)" &&
	cut "$committing" hxsnap restore "dev/$part" && hxsnap recover &&
	release && rows 0
'

test_expect_success POSTGRES 'what captures' '
	hold "BEGIN; LOCK TABLE lens.item" &&
	cut "$waiting" hxsnap create dev && release &&
	made=$(hxsnap -q create dev) && hxsnap -q verify "dev/$made" &&
	test_poll 60 "! active \"\$dumping\"" && rows 0
'

test_done
