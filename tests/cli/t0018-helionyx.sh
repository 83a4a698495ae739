#!/bin/sh
test_description='a Helionyx environment: .env.dev, a year of events, a database'
. "$(dirname "$0")/../lib/lib.sh"

test_expect_success 'set up: a year of JSONL files, projections, .env.dev' '
	mkdir -p project/data/dev/events project/data/dev/projections &&
	cd project &&
	python3 - data/dev/events <<-\END &&
	import datetime, json, os, sys
	day = datetime.date(2025, 1, 1)
	n = 0
	while day.year == 2025:
	    path = os.path.join(sys.argv[1], f"{day:%Y/%m}")
	    os.makedirs(path, exist_ok=True)
	    with open(f"{path}/events-{day}.jsonl", "w") as f:
	        for hour in range(24):
	            n += 1
	            f.write(json.dumps({"seq": n, "at": f"{day}T{hour:02}:00:00Z",
	                                "type": "note.added", "text": "x" * (n % 97)}) + "\n")
	    day += datetime.timedelta(days=1)
	END
	sqlite3 data/dev/projections/helionyx.db \
		"create table notes (id integer primary key, text);
		 with recursive n(i) as (select 1 union all select i + 1 from n
			where i < 5000)
		 insert into notes select i, \"note \" || i from n" &&
	cat >.env.dev <<-\END &&
	# Helionyx, development
	ENV=dev
	export API_HOST="127.0.0.1"
	API_PORT=8000
	LOG_LEVEL=debug
	EVENT_STORE_PATH=./data/dev/events
	PROJECTIONS_DB_PATH="./data/dev/projections/helionyx.db"
	BACKUP_ROOT=./data/backups
	OPENAI_API_KEY=sk-hunter2
	TELEGRAM_BOT_TOKEN=12345:hunter2
	END
	find data/dev/events -type f | wc -l >"$TRASH/count" &&
	[ "$(cat "$TRASH/count")" -eq 365 ]
'

test_expect_success 'create dev: the id alone is on standard output' '
	cd project && hxsnap create dev >id 2>err &&
	grep -Ex "[0-9]{8}T[0-9]{6}Z" id && test_line_count 1 id &&
	id=$(cat id) && test_path_is_dir "data/backups/dev/$id" &&
	id2=$(hxsnap -q create dev) && [ "$id2" \> "$id" ]
'

test_expect_success 'sha256sum --strict passes in the store' '
	cd "project/data/backups/dev/$id" &&
	sha256sum -c --strict --quiet manifest.sha256 &&
	cut -c67- manifest.sha256 | LC_ALL=C sort -c &&
	find . -type f ! -path ./manifest.sha256 | cut -c3- | LC_ALL=C sort >"$TRASH/there" &&
	cut -c67- manifest.sha256 >"$TRASH/listed" &&
	test_cmp "$TRASH/there" "$TRASH/listed"
'

test_expect_success 'the copy is the source' '
	dir=$TRASH/project/data/backups/dev/$id &&
	test_same_tree project/data/dev/events "$dir/events" &&
	diff -r project/data/dev/events "$dir/events" &&
	db=$(find "$dir/projections" -type f) &&
	sqlite3 -readonly "$db" "pragma integrity_check" >out && grep -x ok out &&
	sqlite3 -readonly "$db" "select count(*) from notes" >out &&
	grep -x 5000 out
'

test_expect_success 'the .env file is not in it, and nothing secret from it' '
	! grep -r -e hunter2 -e OPENAI -e TELEGRAM "project/data/backups/dev/$id" &&
	[ -z "$(find "project/data/backups/dev/$id" -name ".env*")" ] &&
	jq -r "tostring" "project/data/backups/dev/$id/config.json" >config &&
	grep 8000 config && grep debug config
'

test_expect_success 'list, show, verify and diff in the project' '
	cd project && hxsnap list dev >out && test_line_count 3 out &&
	hxsnap show dev/latest >out && grep "^  events  *directory  *365 files" out &&
	hxsnap -q verify dev && hxsnap show dev/latest-verified >out &&
	hxsnap diff "dev/$id" dev/latest >out && test_line_count 0 out &&
	echo "{}" >>data/dev/events/2025/06/events-2025-06-15.jsonl &&
	hxsnap -q create dev >out && hxsnap diff "dev/$id" dev/latest >out &&
	echo "M events/2025/06/events-2025-06-15.jsonl (content, time)" >want &&
	test_cmp want out
'

test_expect_success 'unchanged files are links to the verified backup' '
	cd project && hxsnap --json -q create dev >out &&
	jq -e ".linked_files > 300" out
'

test_expect_success 'a flipped byte: verify names the file, 3' '
	cd project &&
	flip_byte "data/backups/dev/$id/events/2025/03/events-2025-03-01.jsonl" 77 &&
	test_exit 3 hxsnap -q verify "dev/$id" >out &&
	test_grep "^block dev/$id/events/2025/03/events-2025-03-01.jsonl: " out &&
	test_must_fail sh -c "cd \"data/backups/dev/$id\" &&
		sha256sum -c --strict --quiet manifest.sha256" >out 2>&1 &&
	test_grep "events-2025-03-01.jsonl: FAILED" out
'

test_expect_success 'an unmounted data directory does not become a store' '
	mkdir -p gone/data && cp project/.env.dev gone && cd gone &&
	test_must_fail hxsnap create dev >out 2>err && test_line_count 0 out &&
	test_grep "no snapshot was made" err &&
	[ -z "$(ls -A data)" ] && rmdir data &&
	test_must_fail hxsnap create dev 2>err && test_path_is_missing data
'

test_expect_success 'two environments of one project do not meet' '
	cd project && mkdir -p data/live/events && echo 1 >data/live/events/a.jsonl &&
	printf "EVENT_STORE_PATH=./data/live/events\n" >.env.live &&
	hxsnap -q create live >out && hxsnap list live >out &&
	test_line_count 2 out && hxsnap --store data list >all &&
	grep "^live/" all && grep "^dev/" all
'

test_done
