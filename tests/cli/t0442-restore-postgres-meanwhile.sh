#!/bin/sh
# shellcheck disable=SC2016 # what pg_dump is to do meanwhile is run by it
test_description='what is committed to a PostgreSQL database while it is restored
is not lost: the restore is refused, and nothing else refuses one'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"
. "$HXS_SRC/tests/lib/postgres.sh"

test_have POSTGRES || skip_all "wants $test_why"

# The rollback point of d was made, and that of e, the next, is: then pg_dump
# does what is in the file meanwhile, as somebody else would.
real=$(command -v pg_dump)
mkdir bin
cat >bin/pg_dump <<END
#!/bin/sh
"$real" "\$@" || exit
case \$* in
*"dbname='\$(cat "$TRASH/moment")'"*) ;;
*) exit ;;
esac
[ ! -e "$TRASH/meanwhile" ] || sh -e "$TRASH/meanwhile" >"$TRASH/said" 2>&1
END
chmod 755 bin/pg_dump
echo e >moment
PATH=$TRASH/bin:$PATH

# source [MORE]: the two of them, one after the other.
source_() {
	pg_source d "${1:-}" && jq --arg dsn "$(pg_dsn e)" ".environments.dev |=
		(.parallel = 1 | .sources.next = {kind: \"postgres\", dsn: \$dsn})" \
		hxsnap.json >with-next && cat with-next >hxsnap.json
}

# meanwhile [COMMAND]: what is done from now on; nothing. It says sql and super
# for pg_sql and pg_super, and DATABASE for d.
meanwhile() {
	rm -f "$TRASH/meanwhile"
	[ $# -eq 0 ] || cat >"$TRASH/meanwhile" <<-END
	sql() {
		PGPASSWORD='$PG_PASSWORD' psql -XqAt -v ON_ERROR_STOP=1 -h "$PG_DIR" \
			-p "$PG_PORT" -U "$PG_OWNER" -d "\${DATABASE:-d}" -c "\$1"
	}
	super() {
		PGPASSWORD='$PG_SUPER_PASSWORD' psql -XqAt -v ON_ERROR_STOP=1 -h "$PG_DIR" \
			-p "$PG_PORT" -U "$PG_SUPER" -d "\${DATABASE:-d}" -c "\$1"
	}
	$1
	END
}

# all: every row of it.
all() {
	pg_sql d "SELECT * FROM shop.item ORDER BY 1; SELECT * FROM shop.note
		ORDER BY 1; SELECT * FROM public.other ORDER BY 1;
		SELECT lo_get(oid) FROM pg_largeobject_metadata ORDER BY oid"
}

# The new rows of an earlier backup are the old ones; see below.
prepare() {
	meanwhile && pg_sql d "TRUNCATE shop.item, shop.note, public.other;
		INSERT INTO shop.item SELECT n, \$\$live\$\$ FROM generate_series(1, 50) n;
		INSERT INTO shop.note VALUES (1, \$\$live\$\$);
		INSERT INTO public.other VALUES (1)"
}

# refused WHAT COMMAND [WORD...]: a restore, of WORDs, is refused as WHAT was
# changed by COMMAND meanwhile, and that is there afterwards.
refused() {
	local what="$1"
	meanwhile "$2" && shift 2 && pg_databases >before && [ $# -gt 0 ] || set -- database &&
		{ test_exit 6 hxsnap -q restore "dev/$id" "$@" 2>err || {
			cat err said
			return 1
		}; } && rm meanwhile &&
		test_grep "source .database. was changed while.*: .$what.*nothing was changed" err &&
		test_grep "stop what writes" err && pg_databases >after &&
		test_cmp before after && no_remains && pg_sql d "SELECT 1" >out
}

# passes COMMAND [WORD...]: it is not refused because of COMMAND.
passes() {
	meanwhile "$1" && shift && : >said && [ $# -gt 0 ] || set -- database &&
		{ hxsnap -q restore "dev/$id" "$@" >out || {
			cat said
			return 1
		}; } && meanwhile &&
		[ "$(pg_sql d "SELECT count(*) FROM shop.item WHERE word = \$\$old\$\$")" = 40 ] &&
		no_remains
}

test_expect_success 'a server, a database, a backup' '
	pg_init && pg_start && make_store && source_ &&
	pg_super postgres "CREATE DATABASE d OWNER $PG_OWNER" &&
	pg_super postgres "CREATE DATABASE e OWNER $PG_OWNER" &&
	pg_sql e "CREATE TABLE t (n int)" &&
	pg_sql d "CREATE SCHEMA shop; CREATE TABLE shop.item (n int, word text);
		CREATE TABLE shop.note (n int, word text); CREATE TABLE public.other (n int);
		INSERT INTO shop.item SELECT n, \$\$old\$\$ FROM generate_series(1, 40) n;
		SELECT lo_from_bytea(4711, \$\$here\$\$)" >out && id=$(hxsnap -q create dev) && prepare
'

test_expect_success 'all of it: rows that come, change and go' '
	refused shop.item "sql \"INSERT INTO shop.item VALUES (51, NULL)\"" &&
	[ "$(pg_sql d "SELECT count(*) FROM shop.item")" = 51 ] &&
	refused shop.note "sql \"UPDATE shop.note SET word = \\\$\\\$third\\\$\\\$\"" &&
	[ "$(pg_sql d "SELECT word FROM shop.note")" = third ] &&
	refused shop.item "sql \"DELETE FROM shop.item WHERE n = 7\"" &&
	refused shop.item "sql \"BEGIN; SAVEPOINT a; UPDATE shop.item SET n = 99
		WHERE n = 9; RELEASE a; COMMIT\"" &&
	refused public.other "sql \"TRUNCATE public.other\"" &&
	[ "$(pg_sql d "SELECT count(*) FROM shop.item")" = 50 ]
'

test_expect_success 'all of it: tables and large objects' '
	refused shop.more "sql \"CREATE TABLE shop.more (n int)\"" &&
	refused shop.more "sql \"DROP TABLE shop.more\"" &&
	refused shop.note "sql \"ALTER TABLE shop.note ADD COLUMN more int\"" &&
	refused pg_catalog.pg_largeobject_metadata "sql \"SELECT lo_unlink(4711)\""
'

test_expect_success 'a part: the same' '
	prepare && set -- database/schemas/shop &&
	refused shop.item "sql \"INSERT INTO shop.item VALUES (51, NULL)\"" "$@" &&
	refused shop.item "sql \"DELETE FROM shop.item WHERE n = 7\"" "$@" &&
	refused shop.note "sql \"TRUNCATE shop.note\"" "$@" &&
	refused shop.more "sql \"CREATE TABLE shop.more (n int)\"" "$@" &&
	pg_sql d "DROP TABLE shop.more" &&
	refused shop.note "sql \"ALTER TABLE shop.note ADD COLUMN extra int\"" "$@" &&
	refused shop.item "sql \"DELETE FROM shop.item WHERE n = 8\"" database/schemas/shop/item &&
	passes "sql \"INSERT INTO shop.note VALUES (2); INSERT INTO public.other VALUES (2)\"" \
		database/schemas/shop/item &&
	[ "$(pg_sql d "SELECT count(*) FROM shop.note")" = 1 ] &&
	[ "$(pg_sql d "SELECT count(*) FROM public.other")" = 2 ] &&
	pg_sql d "ALTER TABLE shop.note DROP COLUMN extra"
'

test_expect_success 'rows alone' '
	prepare && source_ ", \"tables\": [\"shop.*\"], \"data_only\": true" &&
	whole=$id && id=$(hxsnap -q create dev --allow-shrink) &&
	pg_sql d "DELETE FROM shop.item" &&
	refused shop.item "sql \"INSERT INTO shop.item VALUES (51, NULL)\"" &&
	[ "$(pg_sql d "SELECT n FROM shop.item")" = 51 ] &&
	hxsnap -q restore "dev/$id" database >out && [ "$(pg_sql d "SELECT count(*) FROM shop.item")" = 50 ] &&
	source_ && id=$whole
'

# Whoever stays in a transaction has not told the server yet what the one
# before it has written; when it is ended, that is told.
test_expect_success 'one that goes on and says nothing of it' '
	prepare && mkfifo speak && { PGPASSWORD=$PG_PASSWORD psql -XqAt -h "$PG_DIR" -p "$PG_PORT" \
		-U "$PG_OWNER" -d d <speak >writer 2>&1 & } && writer=$! && exec 7>speak &&
	echo "SELECT 1;" >&7 && test_poll 20 "grep -q 1 writer" &&
	cat >next.sql <<-\END &&
	BEGIN \; INSERT INTO public.other VALUES (77) \; COMMIT \; BEGIN \; SELECT 4711;
	END
	refused public.other "cat $TRASH/next.sql >$TRASH/speak
		i=0; until grep -q 4711 $TRASH/writer; do i=\$((i + 1)); [ \$i -lt 2000 ]; done" &&
	exec 7>&- && { wait $writer || :; } &&
	[ "$(pg_sql d "SELECT max(n) FROM public.other")" = 77 ]
'

test_expect_success 'one that was not there: somebody else makes it' '
	prepare && pg_super postgres "ALTER DATABASE d RENAME TO aside" &&
	meanwhile "DATABASE=postgres super \"ALTER DATABASE aside RENAME TO d\"" &&
	test_exit 6 hxsnap -q restore "dev/$id" database 2>err && cat err && meanwhile &&
	test_grep "was changed while.*: .d.; nothing was changed" err && no_remains &&
	[ "$(pg_sql d "SELECT count(*) FROM shop.item")" = 50 ]
'

# Its rows are counted after they were dumped, and in the same state.
test_expect_success 'while the rollback point itself is made' '
	prepare && echo d >moment &&
	refused shop.item "sql \"INSERT INTO shop.item VALUES (51, NULL)\"" &&
	refused shop.item "sql \"DELETE FROM shop.item WHERE n = 7\"" database/schemas/shop &&
	meanwhile "sql \"TRUNCATE public.other\"" &&
	test_exit 6 hxsnap -q restore "dev/$id" database 2>err && cat err &&
	test_grep "public.other. was truncated.*nothing was changed" err &&
	echo e >moment
'

test_expect_success 'with --force it is restored, and what was written is kept aside' '
	prepare && meanwhile "sql \"INSERT INTO public.other VALUES (88)\"" &&
	hxsnap -q restore "dev/$id" database --force >out && meanwhile &&
	[ "$(pg_sql d "SELECT count(*) FROM public.other WHERE n = 88")" = 0 ] &&
	kept=d_hxsnap_$(ls "$STORE/rollbacks/dev" | tail -n 1) &&
	pg_super postgres "ALTER DATABASE \"$kept\" ALLOW_CONNECTIONS true" &&
	[ "$(pg_super "$kept" "SELECT count(*) FROM public.other WHERE n = 88")" = 1 ] &&
	pg_super postgres "ALTER DATABASE \"$kept\" ALLOW_CONNECTIONS false"
'

# Nobody writes the first time: that is the restore. The second is its undoing.
test_expect_success 'what was not confirmed is taken back, although somebody writes' '
	for what in database database/schemas/shop; do
		prepare && rm -f once wrote && meanwhile "[ -e \"$TRASH/once\" ] || { : >\"$TRASH/once\"; exit 0; }
			sql \"INSERT INTO shop.item VALUES (77, NULL)\"; : >\"$TRASH/wrote\"" &&
		{ test_exit 1 hxsnap -q restore "dev/$id" $what --confirm-within 1s 2>err || {
			cat err said
			return 1
		}; } && test_grep "the old state is back" err &&
		test_path_is_file wrote && meanwhile && no_remains &&
		[ "$(pg_sql d "SELECT count(*) FROM shop.item WHERE word = \$\$live\$\$")" = 50 ] &&
		[ "$(pg_sql d "SELECT count(*) FROM shop.item")" = 50 ] || return 1
	done
'

# What nobody would miss. There is an older transaction all the time, which has
# a number, in another database.
test_expect_success 'nothing else refuses one' '
	prepare && { pg_sql e "BEGIN; INSERT INTO t VALUES (1); SELECT pg_sleep(600)" 2>older & } &&
	older=$! && test_poll 20 "[ \$(pg_super e \"SELECT count(*) FROM pg_stat_activity
		WHERE wait_event = \\\$\\\$PgSleep\\\$\\\$\") -gt 0 ]" && prepare &&
	others="DATABASE=e sql \"INSERT INTO t SELECT generate_series(1, 500)\"
		sql \"BEGIN; DELETE FROM shop.item; INSERT INTO public.other VALUES (5); ROLLBACK\"
		sql \"INSERT INTO shop.item SELECT 1 / 0\" || :
		sql \"CREATE TEMPORARY TABLE t AS SELECT 1; TABLE t\"
		sql \"BEGIN; SELECT * FROM shop.item FOR UPDATE; COMMIT\"
		sql \"BEGIN; UPDATE shop.item SET n = n; ROLLBACK\"
		super \"VACUUM (FREEZE, ANALYZE)\"; super \"REINDEX SCHEMA shop\"
		super CHECKPOINT; super \"SELECT txid_current()\"" &&
	passes "$others" && passes "$others" database/schemas/shop && prepare &&
	pg_super postgres "ALTER ROLE $PG_OWNER IN DATABASE d SET track_counts = off" &&
	passes "$others" &&
	pg_super postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = \$\$e\$\$" >out &&
	{ wait $older || :; }
'

# Where nothing is counted, everything is read.
test_expect_success 'rows that nobody counted' '
	prepare && pg_super postgres "ALTER ROLE $PG_OWNER IN DATABASE d SET track_counts = off" &&
	refused shop.note "sql \"UPDATE shop.note SET word = \\\$\\\$third\\\$\\\$\"" &&
	refused shop.item "sql \"DELETE FROM shop.item WHERE n = 7\"" && passes ""
'

pg_stop
test_done
