#!/bin/sh
test_description='a PostgreSQL database is captured: all of it or a part, one
state of it while others write, and no secret goes anywhere'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"
. "$HXS_SRC/tests/lib/postgres.sh"

# snapshot ID: where its database lies.
snapshot() {
	echo "$STORE/backups/dev/$1/database"
}

# rows ID FILE: what it tells of a table's rows.
rows() {
	jq .rows "$(snapshot "$1")/schemas/$2"
}

# dumped ID TABLE: how many rows of it the dump holds.
dumped() {
	pg_restore -a -t "$2" -f - "$(snapshot "$1")/dump" >dumped &&
		sed -n '/^COPY /,/^\\\.$/p' dumped | sed '1d;$d' | wc -l
}

# nothing_made COMMAND...: no backup is there that was not.
nothing_made() {
	look_at_store >before && "$@" && look_at_store >after &&
		test_cmp before after
}

test_expect_success POSTGRES 'a server, a database, a store' '
	pg_init && pg_start && make_store &&
	pg_super postgres "CREATE DATABASE d OWNER $PG_OWNER" &&
	pg_sql d <<-\END
	CREATE TABLE one (n bigint PRIMARY KEY, text text);
	CREATE TABLE two (n bigint PRIMARY KEY);
	INSERT INTO one SELECT n, repeat($$x$$, 100) FROM
		generate_series(1, 20000) n;
	INSERT INTO two SELECT n FROM generate_series(1, 20000) n;
	END
'

# Each transaction puts one row into both tables, in two statements.
test_expect_success POSTGRES 'every backup is one state, whoever writes' '
	pg_source d &&
	{
		pg_sql d "DO \$\$ BEGIN FOR i IN 20001..10000000 LOOP
			INSERT INTO one VALUES (i); INSERT INTO two VALUES (i);
			COMMIT; END LOOP; END \$\$" &
		writer=$!
	} &&
	for i in 1 2 3; do
		was=$(pg_sql d "SELECT max(n) FROM two") &&
		id=$(hxsnap -q create dev) &&
		rows $id public/one >one && rows $id public/two >two &&
		test_cmp one two && [ $(cat one) -ge $was ] &&
		dumped $id one >got && test_cmp one got &&
		dumped $id two >got && test_cmp two got &&
		test_poll 20 "[ \$(pg_sql d \"SELECT max(n) FROM two\") -gt \
			$(cat one) ]" || return 1
	done &&
	kill -0 $writer &&
	pg_super postgres "SELECT pg_terminate_backend(pid) FROM
		pg_stat_activity WHERE query LIKE \$\$DO %\$\$" >out &&
	! wait $writer && hxsnap -q verify dev
'

test_expect_success POSTGRES 'what it holds is for its owner, and is said' '
	id=$(umask 000 && hxsnap -q create dev) &&
	find "$(snapshot $id)" ! -perm 700 -type d >out &&
	find "$(snapshot $id)" ! -perm 600 -type f >>out &&
	test_line_count 0 out &&
	jq -e ".name == \"d\" and .whole and .encoding == \"UTF8\" and
		.owner == \"$PG_OWNER\" and .server >= 100000" \
		"$(snapshot $id)/database.json" &&
	(cd "$STORE/backups/dev/$id" && sha256sum -c --strict --quiet \
		manifest.sha256)
'

test_expect_success POSTGRES 'names of any kind' '
	pg_super postgres <<-END &&
	CREATE DATABASE "Odd ""d"" it'"'"'s \\ ü %41 x=y" OWNER $PG_OWNER;
	END
	odd="Odd \"d\" it'"'"'s \\ ü %41 x=y" &&
	pg_sql "$odd" <<-\END &&
	CREATE SCHEMA "..";
	CREATE SCHEMA "a/b";
	CREATE TABLE ".."."." (n int);
	CREATE TABLE ".."."..." (n int);
	CREATE TABLE "a/b".".env.live" (n int);
	CREATE TABLE "a/b"."UPPER upper" (n int);
	CREATE TABLE "a/b"."line
	end" (n int);
	CREATE TABLE "a/b"."quote""s '"'"' \ %2F" (n int);
	CREATE TABLE "a/b"."ünïcödé 日本" (n int);
	INSERT INTO "a/b"."ünïcödé 日本" VALUES (1), (2);
	INSERT INTO "a/b"."line
	end" VALUES (1);
	END
	pg_source "Odd%20%22d%22%20it%27s%20%5C%20%C3%BC%20%2541%20x%3Dy" &&
	id=$(hxsnap -q create --allow-shrink dev) &&
	(cd "$(snapshot $id)/schemas" && find . -type f | sort) >got &&
	printf "./%s\n" "%2E./%2E" "%2E./%2E.." "a%2Fb/%2Eenv.live" \
		"a%2Fb/UPPER upper" "a%2Fb/line%0Aend" \
		"a%2Fb/quote\"s '"'"' %5C %252F" "a%2Fb/ünïcödé 日本" |
		sort >want &&
	test_cmp want got &&
	[ $(rows $id "a%2Fb/ünïcödé 日本") = 2 ] &&
	[ $(rows $id "a%2Fb/line%0Aend") = 1 ] &&
	jq -e --arg odd "$odd" ".name == \$odd" \
		"$(snapshot $id)/database.json" &&
	hxsnap -q verify "dev/$id" && hxsnap show "dev/$id" >out
'

test_expect_success POSTGRES,FUSE 'in the mount one sees its tables' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	ls "mnt/dev/$id/database/schemas/a%2Fb" >out &&
	test_grep "^line%0Aend\$" out &&
	jq -e ".rows == 2" "mnt/dev/$id/database/schemas/a%2Fb/ünïcödé 日本"
'

# Every argument of every process, as often as can be, until STOP is there.
cat >watch-arguments.py <<'END'
import os, sys
stop, secret = sys.argv[1], open(sys.argv[2]).read().strip().encode()
looks = 0
seen = set()
while not os.path.exists(stop):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = open(f"/proc/{pid}/cmdline", "rb").read()
        except OSError:
            continue
        seen.add(os.path.basename(line.split(b"\0")[0].decode(errors="replace")))
        if secret in line:
            print("secret:", line)
    looks += 1
print("looks:", looks, file=sys.stderr)
print(*sorted(seen), file=sys.stderr, sep="\n")
END

test_expect_success POSTGRES 'the password is nowhere' '
	pg_super postgres "ALTER SYSTEM SET log_statement TO \$\$all\$\$" &&
	pg_super postgres "SELECT pg_reload_conf()" >out && pg_source d &&
	rm -f stop && echo "$PG_PASSWORD" >secret &&
	chmod 600 secret &&
	{
		python3 watch-arguments.py stop secret >found 2>looks &
		watcher=$!
	} &&
	hxsnap --json create dev >out 2>err &&
	hxsnap --json create dev >>out 2>>err &&
	hxsnap --json show dev/latest >>out 2>>err &&
	hxsnap --json restore dev/latest >>out 2>>err &&
	: >stop && wait $watcher && cat looks && test_grep "^pg_dump" looks &&
	test_line_count 0 found &&
	! grep -rlF "$PG_PASSWORD" "$STORE" out err &&
	cat "$PG_DIR/log" >log && grep -q "pg_export_snapshot" log &&
	! grep -F "$PG_PASSWORD" log
'

test_expect_success POSTGRES 'no such database' '
	pg_source missing &&
	nothing_made test_exit 5 hxsnap create dev 2>err &&
	test_grep "missing" err
'

test_expect_success POSTGRES 'a wrong password, or none where one is wanted' '
	PG_REAL=$PG_PASSWORD && PG_PASSWORD=hxsecret-wrong &&
	pg_source d && PG_PASSWORD=$PG_REAL &&
	nothing_made test_exit 5 hxsnap create dev 2>err &&
	test_grep "password authentication failed" err &&
	test_grep ! hxsecret err &&
	sed -i "s/:hxsecret-wrong//" "$HXSNAP_CONFIG" &&
	nothing_made test_exit 5 hxsnap create dev 2>err &&
	test_grep "no password supplied" err
'

test_expect_success POSTGRES 'a password from elsewhere will do' '
	echo "*:*:*:*:$PG_PASSWORD" >.pgpass && chmod 600 .pgpass &&
	hxsnap -q create dev >out && rm .pgpass &&
	PGPASSWORD=$PG_PASSWORD hxsnap -q create dev >out
'

test_expect_success POSTGRES 'a dsn that is none, or leads nowhere' '
	pg_source d && sed -i "s,/d\",\"," "$HXSNAP_CONFIG" &&
	nothing_made test_must_fail hxsnap create dev 2>err &&
	test_grep "names no database" err && test_grep ! hxsecret err &&
	sed -i "s,@127,@%zz," "$HXSNAP_CONFIG" &&
	nothing_made test_must_fail hxsnap create dev 2>err &&
	test_grep ! hxsecret err && pg_source d &&
	sed -i "s,:$PG_PORT/,:1/," "$HXSNAP_CONFIG" &&
	nothing_made test_exit 1 hxsnap create dev 2>err &&
	test_grep "Connection refused" err && test_grep ! hxsecret err
'

test_expect_success POSTGRES 'some schemas, some tables, rows alone' '
	pg_sql d <<-\END &&
	CREATE SCHEMA core;
	CREATE SCHEMA lens;
	CREATE TABLE core.log (n serial, t text);
	INSERT INTO core.log (t) VALUES ($$a$$), ($$b$$);
	CREATE TABLE core.box (n int);
	CREATE TABLE lens.view (n int);
	CREATE TABLE core.parts (n int) PARTITION BY RANGE (n);
	CREATE TABLE core.low PARTITION OF core.parts FOR VALUES FROM (0) TO (9);
	INSERT INTO core.parts SELECT generate_series(0, 8);
	CREATE MATERIALIZED VIEW core.sum AS SELECT count(*) FROM core.parts;
	END
	tables() {
		(cd "$(snapshot $1)/schemas" && find . -type f | sort |
			tr "\n" " ")
	} &&
	pg_source d ", \"schemas\": [\"core\"]" &&
	id=$(hxsnap -q create --allow-shrink dev) &&
	[ "$(tables $id)" = "./core/box ./core/log ./core/low ./core/sum " ] &&
	[ $(rows $id core/low) = 9 ] && [ $(rows $id core/sum) = 1 ] &&
	pg_source d ", \"tables\": [\"core.b*\", \"lens.view\"]" &&
	id=$(hxsnap -q create --allow-shrink dev) &&
	[ "$(tables $id)" = "./core/box ./lens/view " ] &&
	pg_source d ", \"tables\": [\"core.log\"], \"data_only\": true" &&
	id=$(hxsnap -q create --allow-shrink dev) &&
	[ "$(tables $id)" = "./core/log " ] && [ $(rows $id core/log) = 2 ] &&
	pg_restore -f - "$(snapshot $id)/dump" >sql &&
	test_grep "^COPY core.log" sql && test_grep ! "CREATE TABLE" sql &&
	pg_source d ", \"tables\": [\"nothing.like_it\"]" &&
	nothing_made test_must_fail hxsnap create dev 2>err &&
	test_grep "no matching tables" err
'

# Programs of the same names, which note their arguments.
test_expect_success POSTGRES 'as many jobs, and as much compression, as said' '
	mkdir -p bin && real=$(command -v pg_dump) &&
	printf "#!/bin/sh\necho \"\$@\" >>%s/args\nexec %s \"\$@\"\n" \
		"$TRASH" "$real" >bin/pg_dump && chmod 755 bin/pg_dump &&
	pg_source d ", \"jobs\": 3, \"compress\": 0" && rm -f args &&
	id=$(PATH="$TRASH/bin:$PATH" hxsnap -q create --allow-shrink dev) &&
	test_grep "--jobs=3" args && test_grep "--compress=0" args &&
	ls "$(snapshot $id)/dump" >out && test_grep "\.dat\$" out &&
	test_grep ! "\.gz\$" out
'

test_expect_success POSTGRES 'without its programs it says what to install' '
	pg_source d && mkdir -p none &&
	hxsnap=$(command -v hxsnap) &&
	nothing_made test_must_fail env PATH="$TRASH/none" "$hxsnap" create dev \
		2>err &&
	test_grep "pg_dump" err && test_grep "install.*postgresql-client" err
'

test_expect_success POSTGRES 'who looks at backups alone loads no library' '
	for i in "list dev" "show dev/latest" "verify dev/latest"; do
		LD_DEBUG=files LD_DEBUG_OUTPUT=$TRASH/ld hxsnap $i >out &&
		cat ld.* >ld && rm -f ld.* &&
		test_grep "libc.so" ld && test_grep ! libpq ld || return 1
	done &&
	LD_DEBUG=files LD_DEBUG_OUTPUT=$TRASH/ld hxsnap -q create --allow-shrink dev >out &&
	cat ld.* >ld && test_grep "libpq.so.5" ld
'

# A table that somebody else has for himself: pg_dump waits.
test_expect_success POSTGRES 'one may end it while it waits' '
	look_at_store >before &&
	{ pg_sql d "BEGIN; LOCK TABLE one; SELECT pg_sleep(600)" & } &&
	test_poll 20 "[ \$(pg_super d \"SELECT count(*) FROM pg_locks WHERE
		mode = \\\$\\\$AccessExclusiveLock\\\$\\\$ AND granted AND
		relation = \\\$\\\$one\\\$\\\$::regclass\") -gt 0 ]" &&
	{
		hxsnap create dev >out 2>err &
		pid=$!
	} &&
	test_poll 20 "[ \$(pg_super d \"SELECT count(*) FROM pg_locks WHERE
		NOT granted\") -gt 0 ]" &&
	kill -TERM $pid && ! wait $pid && cat err &&
	look_at_store >after && test_cmp before after &&
	test_poll 20 "! pgrep -f \"[p]g_dump.*$TRASH\"" &&
	pg_super postgres "SELECT pg_terminate_backend(pid) FROM
		pg_stat_activity WHERE query LIKE \$\$BEGIN; LOCK%\$\$" >out &&
	hxsnap -q create --allow-shrink dev >out
'

test_expect_success POSTGRES 'a server that ends meanwhile: no backup' '
	look_at_store >before &&
	{ pg_sql d "BEGIN; LOCK TABLE one; SELECT pg_sleep(600)" & } &&
	test_poll 20 "[ \$(pg_super d \"SELECT count(*) FROM pg_locks WHERE
		mode = \\\$\\\$AccessExclusiveLock\\\$\\\$ AND granted AND
		relation = \\\$\\\$one\\\$\\\$::regclass\") -gt 0 ]" &&
	{
		hxsnap create dev >out 2>err &
		pid=$!
	} &&
	test_poll 20 "[ \$(pg_super d \"SELECT count(*) FROM pg_locks WHERE
		NOT granted\") -gt 0 ]" &&
	pg_crash && ! wait $pid && cat err && test_line_count 0 out &&
	look_at_store >after && test_cmp before after &&
	pg_start && hxsnap -q create --allow-shrink dev >out && hxsnap -q verify dev/latest
'

test_done
