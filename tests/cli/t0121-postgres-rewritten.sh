#!/bin/sh
test_description='a table that is given another file while it is captured: it has
all its rows there, or none'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"
. "$HXS_SRC/tests/lib/postgres.sh"

test_have POSTGRES || skip_all "wants $test_why"

# When it has dumped, and nothing is counted yet, somebody else does what is in
# the file meanwhile.
real=$(command -v pg_dump)
mkdir bin
cat >bin/pg_dump <<END
#!/bin/sh
"$real" "\$@" || exit
case \$* in *--version*) exit ;; esac
PGPASSWORD='$PG_PASSWORD' psql -X -h "$PG_DIR" -U "$PG_OWNER" -d d -p "\$(cat "$TRASH/port")" \
	-f "$TRASH/meanwhile" >"$TRASH/said" 2>&1
END
chmod 755 bin/pg_dump
PATH=$TRASH/bin:$PATH

test_expect_success 'VACUUM FULL keeps them, and it is captured' '
	pg_init && pg_start && echo "$PG_PORT" >port && make_store &&
	pg_super postgres "CREATE DATABASE d OWNER $PG_OWNER" && pg_source d &&
	pg_sql d "CREATE TABLE t AS SELECT generate_series(1, 50) n" &&
	echo "VACUUM FULL t" >meanwhile && id=$(hxsnap -q create dev) && test_grep VACUUM said &&
	[ "$(jq .rows "$STORE/backups/dev/$id/database/schemas/public/t")" = 50 ]
'

test_expect_success 'what ALTER TABLE writes anew is not' '
	echo "ALTER TABLE t ALTER n TYPE bigint" >meanwhile &&
	test_must_fail hxsnap -q create dev 2>err && test_grep "ALTER TABLE" said &&
	test_grep "public.t. was truncated or written anew" err && pg_stop
'

test_done
