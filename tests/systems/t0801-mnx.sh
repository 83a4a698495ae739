#!/bin/sh
# shellcheck disable=SC2016,SC2034 # bodies are evaluated later
test_description='MNX: an event store in PostgreSQL with read models, in use'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"
. "$HXS_SRC/tests/lib/postgres.sh"
. "$HXS_SRC/tests/systems/systems.sh"

QUERY="SELECT concat_ws('/', (SELECT max(global_seq) FROM event_core.event_log),
	(SELECT count(*) FROM lens_graph.edges), (SELECT count(*) FROM lens_rel.facts),
	(SELECT sum(valence) FROM lens_emo.moods))"

# log_is KNOWN N [DATABASE]: the events are the first N that were written, row
# by row, and so is the outbox.
log_is() {
	psql -XqAt -d "${3:-mnx}" -c "COPY (SELECT global_seq, stream, payload, ts
		FROM event_core.event_log ORDER BY global_seq) TO STDOUT" >log.got &&
		head -n "$2" "$1" >log.want && cmp log.want log.got &&
		psql -XqAt -d "${3:-mnx}" -c "SELECT global_seq FROM
			event_core.outbox ORDER BY 1" >outbox.got &&
		seq "$2" >outbox.want && cmp outbox.want outbox.got
}

# lens NAME [DATABASE]: its rows.
lens() {
	local table
	for table in $(psql -XqAt -d "${2:-mnx}" -c "SELECT table_name FROM
		information_schema.tables WHERE table_schema = '$1' ORDER BY 1"); do
		echo "$1.$table" && psql -XqAt -d "${2:-mnx}" -c \
			"COPY (SELECT * FROM $1.$table ORDER BY 1, 2) TO STDOUT" ||
			return 1
	done
}

lenses() {
	local one
	for one in lens_rel lens_sem lens_graph lens_emo; do
		lens "$one" "${1:-mnx}" || return 1
	done
}

watermarks() {
	psql -XqAt -d "${1:-mnx}" -c "SELECT projector, global_seq FROM
		event_core.projector_watermarks ORDER BY 1"
}

# lenses_are WATERMARK [DATABASE]: the read models are what the events up to this
# one make, which log_is has just seen; they are made anew of those, once for
# each WATERMARK, in a database of its own.
lenses_are() {
	local want="lenses.$1"
	lenses "${2:-mnx}" >lenses.got && watermarks "${2:-mnx}" >marks.got &&
		printf "lens_%s|$1\n" emo graph rel sem >marks.want &&
		test_cmp marks.want marks.got || return 1
	[ -e "$want" ] || {
		psql -XqAt -d proof -c "TRUNCATE event_core.event_log CASCADE" \
			-c "\\copy event_core.event_log FROM log.got" \
			-c "SELECT event_core.rebuild($1)" &&
			lenses proof >"$want"
	} && cmp "$want" lenses.got
}

# writer start|stop: it appends events and has them projected.
writer() {
	case $1 in
	start)
		first=$(($(cat known* | wc -l) + 1))
		mnx.py known.2 "$first" 2>writer.err &
		writer=$!
		test_poll 20 '[ "$(wc -l <known.2)" -gt 100 ]'
		;;
	stop)
		kill "$writer" && wait "$writer"
		;;
	esac
}

damage() {
	psql -XqAt -c "DELETE FROM event_core.outbox WHERE global_seq % 7 = 0" \
		-c "DELETE FROM event_core.event_log WHERE global_seq % 7 = 0" \
		-c "UPDATE lens_rel.facts SET events = 1" \
		-c "DROP TABLE lens_sem.texts" -c "TRUNCATE lens_graph.edges" \
		-c "DROP FUNCTION event_core.append"
}

test_expect_success POSTGRES 'set up: 100,000 events and four lenses' '
	pg_init && pg_start && pg_super postgres "CREATE DATABASE mnx OWNER $PG_OWNER" &&
	export PGHOST=127.0.0.1 PGPORT="$PG_PORT" PGUSER="$PG_OWNER" PGDATABASE=mnx &&
	(umask 077 && echo "*:*:*:$PG_OWNER:$PG_PASSWORD" >.pgpass) &&
	psql -Xq -v ON_ERROR_STOP=1 -v events=100000 -f "$HXS_SRC/tests/systems/mnx.sql" &&
	createdb proof -T mnx && page mnx -e "s,/tmp/look,$TRASH/scratch,g" \
		-e "s,/var/lib/hxsnap,$STORE,g" \
		-e "s,mnx@localhost,$PG_OWNER@$PGHOST:$PGPORT," &&
	block_text hxsnap.json >hxsnap.json && psql -XqAt -c "COPY (SELECT global_seq,
		stream, payload, ts FROM event_core.event_log ORDER BY 1) TO STDOUT" >known.1 &&
	test_line_count 100000 known.1 && log_is known.1 100000 && lenses_are 100000 &&
	pg_text -s >schema
'

test_expect_success POSTGRES 'a backup, while events are appended and projected' '
	writer start && before=$(wc -l <known.2) && block backup >out &&
	id=$(head -n 1 out) && after=$(wc -l <known.2) && writer stop &&
	echo "$before events when it began, $after when it had ended" &&
	cat known.1 known.2 >known && [ "$after" -gt "$before" ] && block look >out &&
	cat out && (cd "$STORE/backups/mnx/$id" &&
		sha256sum -c --strict --quiet manifest.sha256)
'

test_expect_success POSTGRES 'into a scratch database: a moment that was, row by row' '
	block scratch >out && last=$(tail -n 1 out) &&
	[ "$last" -ge $((100000 + before - 1)) ] && [ "$last" -le $((100000 + after)) ] &&
	log_is known "$last" scratch && mark=$((last / 50 * 50)) &&
	{ watermarks scratch | grep -q "|$mark\$" || mark=$((mark - 50)); } &&
	lenses_are "$mark" scratch && counts_are scratch/database scratch
'

# restored N: all of the live database is the backup.
restored() {
	log_is known "$last" && lenses_are "$mark" && pg_text -s >schema.got &&
		test_cmp schema schema.got && no_remains
}

# watch: from now on somebody asks all the time, and somebody else is in the
# middle of a transaction.
watch() {
	pgwatch.py "$QUERY" watched &
	watch=$!
	psql -XqAt -c "BEGIN" -c "SELECT pg_sleep(600)" >idle.out 2>&1 &
	idle=$!
	test_poll 20 '[ "$(psql -XqAt -c "SELECT count(*) FROM pg_stat_activity
		WHERE query LIKE '\''%pg_sleep(600)'\'' AND state = '\''active'\''")" -ge 1 ]' &&
		test_poll 20 "grep -q answer watched"
}

# unwatch: it got some answers more; all of them are in report.
unwatch() {
	local seen
	seen=$(wc -l <watched) &&
		test_poll 20 "[ \$(wc -l <watched) -gt $((seen + 20)) ]" &&
		kill "$watch" && wait "$watch" && test_must_fail wait "$idle" &&
		pgwatch.py --report watched >report && cat report
}

test_expect_success POSTGRES 'all of it comes back, while others ask all the time' '
	damage && now=$(psql -XqAt -c "$QUERY") && watch && block restore >out &&
	rollback=$(cat out) && unwatch && restored && grep ^answer: report >got &&
	printf "answer: %s\nanswer: %s\n" "$now" "$(psql -XqAt -c "$QUERY")" >want &&
	test_cmp want got && hxsnap -q verify "mnx/.rollbacks/$rollback"
'
[ ! -e report ] || while read -r line; do diag "$line"; done <report

test_expect_success POSTGRES 'it goes on from there: nothing is numbered twice' '
	seq=$(psql -XqAt -c "SELECT event_core.append('\''note-1'\'', '\''{\"n\": 1}'\'', now())") &&
	[ "$seq" -gt "$last" ] && psql -XqAt -c "DELETE FROM event_core.outbox WHERE global_seq = $seq" \
		-c "DELETE FROM event_core.event_log WHERE global_seq = $seq"
'

test_expect_success POSTGRES 'rolled back: the damage, and once more' '
	psql -XqAt -c "SELECT count(*) FROM event_core.event_log" >count &&
	block rollback >out && [ "$(psql -XqAt -c "$QUERY")" = "$now" ] &&
	test_must_fail psql -XqAt -c "TABLE lens_sem.texts" && block rollback >out && restored
'

test_expect_success POSTGRES 'one lens alone; its projector catches up' '
	psql -XqAt -c "SELECT event_core.append('\''note-2'\'', '\''{\"n\": 3, \"to\": \"note-3\",
		\"mood\": \"sad\", \"text\": \"later\"}'\'', now())" >newest &&
	psql -XqAt -c "SELECT event_core.project($(cat newest))" && lens lens_rel >rel &&
	for one in lens_sem lens_graph lens_emo; do lens $one || return 1; done >others &&
	psql -XqAt -c "UPDATE lens_rel.facts SET events = 77" -c "DROP TABLE lens_rel.links" &&
	block lens >out && lens lens_rel >got && lens lens_rel scratch >want &&
	test_cmp want got && watermarks >marks && test_grep "lens_rel|" marks &&
	psql -XqAt -c "SELECT event_core.project($(cat newest))" && lens lens_rel >got &&
	test_cmp rel got && for one in lens_sem lens_graph lens_emo; do
		lens $one || return 1; done >others.got && test_cmp others others.got && no_remains
'

test_expect_success POSTGRES 'up to an event; up to a time; rolled back' '
	pg_text >whole && block until >out && log_is known 60000 && lenses_are 60000 &&
	block rollback >out && pg_text >got && cmp whole got &&
	block until-time >out && log_is known 60000 && lenses_are 60000 &&
	block rollback >out && pg_text >got && cmp whole got && no_remains
'

test_expect_success POSTGRES 'what was kept goes with its rollback point' '
	psql -XqAt -c "SELECT count(*) FROM pg_database WHERE datname NOT IN
		('\''mnx'\'', '\''proof'\'', '\''scratch'\'', '\''postgres'\'') AND NOT datistemplate" >kept &&
	[ "$(cat kept)" -gt 0 ] && rm -rf "$STORE/rollbacks/mnx" &&
	block backup >out && psql -XqAt -c "SELECT datname FROM pg_database
		WHERE NOT datistemplate ORDER BY 1" >got &&
	printf "%s\n" mnx postgres proof scratch >want && test_cmp want got
'

test_expect_success POSTGRES 'every command of the page was tried' '
	blocks_used
'

pg_stop
test_done
