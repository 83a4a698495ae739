#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='Helionyx: a log of JSON lines and SQLite projections, in use'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"
. "$HXS_SRC/tests/systems/systems.sh"

EVENTS=data/dev/events
STORE=$TRASH/project/snapshots
PROJECTIONS=data/dev/projections

# is_at DIR WATERMARKS JOURNAL [N]: events and projections in DIR are those of
# the journal (its first N), row by row; what they know of is in seen.
is_at() {
	helionyx.py check "$1/events" "$1/projections/notes.db" \
		"$1/projections/tags.db" "$2" ${3:+"$3"} >seen && cat seen
}

# all_at N JOURNAL: so is the live state, and the projections know all of it.
all_at() {
	is_at data/dev "$2" "$1" && echo "$1 $1 $1" | test_cmp - seen
}

last_known() {
	wc -l <"run/journal.$1"
}

test_expect_success 'set up: 100,000 events, two projections, the service' '
	page helionyx -e "s,/tmp/look,$TRASH/scratch,g" && mkdir project &&
	mkdir -p project/bin && cd project && ln -s "$(command -v helionyx.py)" bin/helionyx &&
	cat >.env.dev <<-END &&
	ENV=dev
	API_PORT=8000
	EVENT_STORE_PATH=./$EVENTS
	PROJECTIONS_DB_PATH=./$PROJECTIONS
	OPENAI_API_KEY=sk-hunter2
	END
	bin/helionyx init 100000 && all_at 100000 run/journal.0 && bin/helionyx start
'

test_expect_success 'with .env.dev alone' '
	cd project && block env >../out && test_line_count 3 ../out
'

test_expect_success 'a backup, while it appends and projects' '
	cd project && block_text hxsnap.json >hxsnap.json && block move &&
	before=$(last_known 1) &&
	block backup >../out && id=$(head -n 1 ../out) && after=$(last_known 1) &&
	echo "$before events when it began, $after when it had ended" &&
	cat run/journal.0 run/journal.1 >../known && [ "$after" -gt "$before" ] &&
	is_at "snapshots/backups/dev/$id" ../known && read -r notes tags last <seen &&
	[ "$last" -ge $((100000 + before - 1)) ] && [ "$last" -le $((100000 + after)) ] &&
	[ "$notes" -ge $((last - 200)) ] && [ "$tags" -ge $((last - 200)) ] &&
	! grep -r hunter2 snapshots/backups && [ -z "$(find snapshots/backups -name ".env*")" ] &&
	(cd "snapshots/backups/dev/$id" && sha256sum -c --strict --quiet manifest.sha256)
'

test_expect_success 'a month is lost and a database is damaged: all of it comes back' '
	cd project && test_poll 10 "[ \$(last_known 1) -gt $((after + 50)) ]" &&
	rm -r $EVENTS/2025/03 && dd if=/dev/urandom of=$PROJECTIONS/tags.db bs=1k \
		seek=1 count=3 conv=notrunc status=none && block restore >../out &&
	rollback=$(tail -n 1 ../out) && bin/helionyx stop && bin/helionyx hold &&
	{ head -n "$last" ../known && cat run/journal.2; } >../known.2 &&
	all=$(wc -l <../known.2) && [ "$all" -gt "$last" ] &&
	is_at data/dev ../known.2 && read -r _ _ seen <seen && [ "$seen" -eq "$all" ] &&
	hxsnap -q verify "dev/.rollbacks/$rollback" && no_remains
'

test_expect_success 'nobody writes: exactly what was committed at capture' '
	cd project && cp -a data/dev ../later && block restore >../out &&
	all_at "$last" ../known
'

test_expect_success 'rolled back: what was there before' '
	cd project && block rollback >../out && is_at data/dev ../known.2 &&
	test_same_tree ../later/events $EVENTS && block rollback >../out &&
	all_at "$last" ../known
'

test_expect_success 'one projector alone' '
	cd project && sqlite3 $PROJECTIONS/tags.db "DROP TABLE tags" &&
	look -c $EVENTS $PROJECTIONS/notes.db >../look && block projector >../out &&
	look -c $EVENTS $PROJECTIONS/notes.db >../look.2 && test_cmp ../look ../look.2 &&
	all_at "$last" ../known
'

test_expect_success 'up to an event; up to a time; rolled back' '
	cd project && block until >../out && all_at 60000 ../known &&
	block rollback >../out && all_at "$last" ../known &&
	block until-time >../out && all_at 60000 ../known &&
	block rollback >../out && all_at "$last" ../known && no_remains
'

test_expect_success 'into a scratch place: the counts are those of the backup' '
	cd project && look -c data/dev >../look && block scratch >../out &&
	look -c data/dev >../look.2 && test_cmp ../look ../look.2 &&
	count=$(sqlite3 -readonly "snapshots/backups/dev/$id/projections/notes.db" \
		"SELECT count(*) FROM notes") &&
	tail -n 2 ../out >got && printf "%s\n" "$last" "$count" >want &&
	test_cmp want got && is_at ../scratch ../known
'

test_expect_success FUSE 'from inside the mount' '
	cd project && bin/helionyx rebuild && rm -r $EVENTS/2025/01 &&
	block mount >../out && grep -h amber snapshots/backups/dev/$id/events/2025/03/*.jsonl |
		wc -l >../want && test_cmp ../want ../out && all_at "$last" ../known &&
	test_poll 20 "[ -z \"\$(test_daemons_)\" ]"
'

test_expect_success 'every command of the page was tried' '
	blocks_used
'

test_done
