#!/bin/sh
# shellcheck disable=SC2016,SC2034 # bodies are evaluated later
test_description='Helvino: a database and uploads, every night, and on a new machine'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"
. "$HXS_SRC/tests/lib/postgres.sh"
. "$HXS_SRC/tests/systems/systems.sh"

# What stands in configurations, and nowhere else.
SECRET=hxsecret-$$-$(date +%N)

# machine NAME: a new one, with a server of its own that runs.
machine() {
	PG_DIR=$TRASH/$1/pg PG_PORT='' STORE=$TRASH/$1/store HERE=$TRASH/$1
	UPLOADS=$HERE/srv/uploads
	mkdir -p "$HERE/bin" "$HERE/srv" && pg_init && pg_start &&
		export PGHOST=127.0.0.1 PGPORT="$PG_PORT" PGUSER=helvino \
			PGDATABASE=helvino PG_DIR PG_PORT &&
		page helvino -e "s,/tmp/look,$HERE/scratch,g" \
			-e "s,/mnt/old/hxsnap,$TRASH/old/store,g" \
			-e "s,/var/lib/hxsnap,$STORE,g" -e "s,/srv/helvino,$HERE/srv,g" \
			-e "s,:PASSWORD@localhost,:$SECRET@$PGHOST:$PGPORT," \
			-e "s,'PASSWORD','$SECRET'," &&
		(umask 077 && block_text hxsnap.json >"$HERE/hxsnap.json") &&
		printf '#!/bin/sh\necho "$1" >>"%s/done"\n' "$HERE" >"$HERE/bin/helvino" &&
		chmod 755 "$HERE/bin/helvino" && cd "$HERE" &&
		PGUSER=$PG_SUPER PGPASSWORD=$PG_SUPER_PASSWORD block roles
}

# sql [PSQL-OPTIONS]: as the shop itself does it.
sql() {
	PGPASSWORD=$SECRET psql -XqAt -v ON_ERROR_STOP=1 "$@"
}

# text: the whole database, with all that belongs to it.
text() {
	(export PGPASSWORD="$SECRET" && pg_text -C "$@")
}

# rows_are N [DATABASE]: events and uploads are those up to event N, row by
# row, and what was uploaded is there, byte by byte.
rows_are() {
	local db="${2:-helvino}"
	sql -d "$db" -c "COPY (SELECT * FROM shop.events ORDER BY id) TO STDOUT" >got.e &&
		head -n "$1" "$TRASH/known.events" >want.e && cmp want.e got.e &&
		sql -d "$db" -c "COPY (SELECT * FROM shop.uploads ORDER BY event) TO STDOUT" \
			>got.u && awk -v n="$1" '$1 <= n' "$TRASH/known.uploads" >want.u &&
		cmp want.u got.u && [ -s got.u ]
}

# files_are DIR: so they are, of the uploads that rows_are has found.
files_are() {
	awk -v top="$1" '{ print $3 "  " top "/" $2 }' got.u >sums &&
		sha256sum -c --strict --quiet sums &&
		[ -z "$(find "$1" -name "*.part")" ]
}

test_expect_success POSTGRES 'set up: a shop with 100,000 events and its uploads' '
	machine old && sql -d postgres -c "CREATE DATABASE helvino" &&
	sql -v events=100000 -f "$HXS_SRC/tests/systems/helvino.sql" && cat >.env.live <<-END &&
	API_HOST=127.0.0.1
	API_PORT=4000
	PUBLIC_URL=https://helvino.example/
	DATABASE_URL=postgresql://helvino:$SECRET@localhost/helvino
	STRIPE_API_KEY=$SECRET
	END
	mkdir "$UPLOADS" && echo "KEY=$SECRET" >"$UPLOADS/.env" &&
	sql -c "COPY (SELECT * FROM shop.events ORDER BY id) TO STDOUT" >../known.0 &&
	test_line_count 100000 ../known.0 &&
	PGPASSWORD=$SECRET helvino.py "$UPLOADS" ../known.1 100001 500 &&
	test_grep "100500" ../known.1 && text >../text.1 && cp -a "$UPLOADS" ../uploads.1 &&
	rm ../uploads.1/.env && touch -r "$UPLOADS" ../uploads.1
'

# nightly: what cron does, so far as cron does it.
nightly() {
	block_text crontab | cut -d " " -f 6- >job && sh -e job
}

test_expect_success POSTGRES 'a quiet night' '
	cd "$HERE" && nightly >out && test_line_count 1 out && first=$(cat out) &&
	test_grep nightly "$STORE/backups/live/$first/meta.json"
'

test_expect_success POSTGRES 'a busy night; the password shows nowhere' '
	cd "$HERE" && spy_on "$SECRET" -- "$STORE" &&
	PGUSER=$PG_SUPER PGPASSWORD=$PG_SUPER_PASSWORD psql -Xq -d postgres -c \
		"ALTER SYSTEM SET log_statement = '\''all'\''" -c "SELECT pg_reload_conf()" &&
	{ PGPASSWORD=$SECRET helvino.py "$UPLOADS" ../known.2 100501 & } && writer=$! &&
	test_poll 20 "[ -e ../known.2 ] && [ \$(wc -l <../known.2) -gt 200 ]" &&
	nightly >out && id=$(cat out) && kill $writer && wait $writer && spied &&
	{ cat ../known.0 && sed -n "s/^event.//p" ../known.1 ../known.2; } >../known.events &&
	sed -n "s/^upload.//p" ../known.1 ../known.2 >../known.uploads &&
	block list >out && test_grep "$first" out && test_grep "$id" out &&
	not_in "$STORE" out "$PG_DIR/log" && [ -z "$(find "$STORE" -name ".env*")" ] &&
	(cd "$STORE/backups/live/$id" && sha256sum -c --strict --quiet manifest.sha256)
'

# All that is left of the old one is its store.
test_expect_success POSTGRES 'a new machine: everything is there, as it was that night' '
	pg_stop && rm -rf "$PG_DIR" "$HERE/srv" "$HERE/hxsnap.json" && machine new &&
	spy_on "$SECRET" -- "$STORE" && block copy >out &&
	test_exit 5 hxsnap restore live/latest >out 2>err && test_grep CONFIRM_LIVE err &&
	block restore >out && last=$(sql -c "SELECT max(id) FROM shop.events") &&
	[ "$last" -gt 100600 ] && [ "$last" -lt "$(wc -l <../known.events)" ] &&
	rows_are "$last" && files_are "$UPLOADS" &&
	printf "%s\n" stop start >want && test_cmp want done && no_remains &&
	block settings >out && test_grep 4000 out && test_grep helvino.example out &&
	PGUSER=$PG_SUPER PGPASSWORD=$PG_SUPER_PASSWORD psql -XqAt -c \
		"SET ROLE reporting" -c "SELECT count(*) FROM shop.customers" >got &&
	echo 1666 | test_cmp - got &&
	[ "$(sql -c "INSERT INTO shop.customers (email, country) VALUES
		('\''new@example.ch'\'', '\''ch'\'') RETURNING id")" -eq 5001 ]
'

test_expect_success POSTGRES 'the night before that: byte by byte' '
	cd "$HERE" && CONFIRM_LIVE=YES hxsnap -q restore "live/$first" >out &&
	text >text.got && cmp ../text.1 text.got &&
	test_same_tree ../uploads.1 "$UPLOADS" && no_remains
'

test_expect_success POSTGRES 'rolled back, and again' '
	cd "$HERE" && block rollback >out && rows_are "$last" && files_are "$UPLOADS" &&
	[ "$(sql -c "SELECT count(*) FROM shop.customers")" -eq 5001 ] && text >text.2 &&
	block rollback >out && text >text.got && cmp ../text.1 text.got &&
	block rollback >out && text >text.got && cmp text.2 text.got && no_remains
'

test_expect_success POSTGRES 'one upload; one table' '
	cd "$HERE" && echo spoilt >"$UPLOADS/10/100010.bin" && test_must_fail files_are "$UPLOADS" &&
	sql -c "DELETE FROM shop.prices" && block upload >out && block table >out &&
	rows_are "$last" && files_are "$UPLOADS" && text >text.got && cmp text.2 text.got &&
	no_remains
'

test_expect_success POSTGRES 'up to an event; rolled back' '
	cd "$HERE" && block until >out && rows_are 100300 && files_are "$UPLOADS" &&
	[ "$(sql -c "SELECT count(*) FROM shop.invoices")" -eq 20 ] &&
	block rollback >out && text >text.got && cmp text.2 text.got && no_remains
'

test_expect_success POSTGRES 'a scratch place: the counts are those of that night' '
	cd "$HERE" && (export PGPASSWORD="$SECRET" && block scratch >out &&
		counts_are scratch/database scratch) && [ "$(tail -n 1 out)" -eq "$last" ] &&
	rows_are "$last" scratch && files_are scratch/uploads
'

test_expect_success POSTGRES 'the password was nowhere to be seen' '
	spied && cd "$HERE" && not_in "$STORE" out err "$PG_DIR/log"
'

test_expect_success POSTGRES 'every command of the page was tried' '
	blocks_used
'

pg_stop
test_done
