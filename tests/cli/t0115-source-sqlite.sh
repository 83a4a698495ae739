#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='a source that is one SQLite database'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

DB=$TRASH/app/memory.db

# anew: an environment of directory events and database memory (at $at, or else
# at $DB), with nothing but the events there yet, and an empty store.
anew() {
	rm -rf "$STORE" app events && make_store && mkdir app events &&
		echo one >events/a && HXSNAP_CONFIG=$TRASH/hxsnap.json &&
		export HXSNAP_CONFIG && cat >"$HXSNAP_CONFIG" <<-END
	{"store": "$STORE", "environments": {"dev": {"sources": {
	  "events": {"kind": "directory", "path": "$TRASH/events"},
	  "memory": {"kind": "sqlite", "path": "${at:-$DB}"}}}}}
	END
}

# make_db: a database of the row 1, in WAL mode.
make_db() {
	sqlite3 "$DB" "PRAGMA journal_mode=wal; CREATE TABLE t(x);
		INSERT INTO t VALUES(1)" >/dev/null
}

# pending N: a writer that died with row N in the -wal alone.
pending() {
	sqlite3 "$DB" ".dbconfig no_ckpt_on_close on" \
		"INSERT INTO t VALUES($1)" >/dev/null && test -s "$DB-wal"
}

# rows DB WANT: SQLite finds nothing wrong with it, and its rows are these.
rows() {
	[ "$(sqlite3 -readonly "$1" "PRAGMA integrity_check")" = ok ] &&
		[ "$(sqlite3 -readonly "$1" "SELECT x FROM t ORDER BY x" |
			tr '\n' ' ')" = "$2 " ]
}

# alone DIR NAME: DIR holds nothing else.
alone() {
	ls -A "$1" >got && echo "$2" >want && test_cmp want got
}

test_expect_success 'what is in the -wal alone is in the backup' '
	anew && make_db && pending 2 && (cd app && sha256sum memory.db memory.db-wal) >sum &&
	id=$(hxsnap -q create dev) && snap=$STORE/backups/dev/$id &&
	alone "$snap/memory" memory.db && rows "$snap/memory/memory.db" "1 2" &&
	(cd app && sha256sum -c --quiet) <sum && hxsnap -q verify "dev/$id" &&
	(cd "$snap" && sha256sum -c --strict --quiet manifest.sha256) &&
	jq -e ".sources.memory | .kind == \"sqlite\" and .files == 1 and
		.path == \"$DB\"" "$snap/meta.json" &&
	jq -e ".sources.memory == {kind: \"sqlite\", path: \"$DB\"}" \
		"$snap/config.json"
'

test_expect_success FUSE 'and opens on the mount, to be read alone' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	rows mnt/dev/latest/memory/memory.db "1 2" &&
	alone mnt/dev/latest/memory memory.db
'

test_expect_success 'diff tells of it' '
	sqlite3 "$DB" "INSERT INTO t VALUES(3)" && id2=$(hxsnap -q create dev) &&
	hxsnap diff "dev/$id" "dev/$id2" >got && test_grep "^M.*memory/memory.db (.*content" got
'

test_expect_success 'what a restore would do' '
	sqlite3 "$DB" "INSERT INTO t VALUES(4)" && look -c app >before &&
	hxsnap restore "dev/$id2" --dry-run >got 2>err && look -c app >after &&
	test_cmp before after && test_grep "^M.*memory/memory.db" got &&
	test_line_count 1 got
'

test_expect_success 'restore: nothing stale beside it; rollback brings all of it back' '
	pending 5 && restore "dev/$id" && alone app memory.db && rows "$DB" "1 2" &&
	[ "$(sqlite3 "$DB" "PRAGMA journal_mode")" = wal ] && rm -f "$DB"-* &&
	rows "$STORE/rollbacks/dev/$rollback/memory/memory.db" "1 2 3 4 5" &&
	hxsnap -q rollback dev >out && no_remains && alone app memory.db &&
	rows "$DB" "1 2 3 4 5" && rm -f "$DB"-*
'

test_expect_success 'by its source, by its name, with an interrupted transaction beside it' '
	echo two >events/a && restore "dev/$id" memory && rows "$DB" "1 2" &&
	echo two | cmp - events/a && rm -f "$DB"-* &&
	python3 - "$DB" <<-\END &&
	import os, sqlite3, sys
	db = sqlite3.connect(sys.argv[1], isolation_level=None)
	db.execute("PRAGMA journal_mode=delete")
	db.execute("PRAGMA cache_size=1")
	db.execute("PRAGMA cache_spill=1")
	db.execute("BEGIN")
	for i in range(50):
	    db.execute("INSERT INTO t VALUES(randomblob(5000))")
	os._exit(0)
	END
	test -s "$DB-journal" && sha256sum app/* >sum &&
	hxsnap -q restore "dev/$id2" memory/memory.db >out 2>err &&
	alone app memory.db && rows "$DB" "1 2 3" && rm -f "$DB"-* &&
	hxsnap -q rollback dev >out 2>err && sha256sum -c --quiet sum &&
	echo two | cmp - events/a && no_remains
'

test_expect_success '--to: a copy elsewhere, in its own mode' '
	hxsnap -q restore "dev/$id" --to copy memory && alone copy/memory memory.db &&
	[ "$(sqlite3 copy/memory/memory.db "PRAGMA journal_mode")" = wal ] &&
	rows copy/memory/memory.db "1 2"
'

test_expect_success 'restored to where nothing is' '
	rm -r app && mkdir app && restore "dev/$id" && rows "$DB" "1 2"
'

test_expect_success 'unchanged, in rollback mode, it is linked; by another name through a link' '
	at=$TRASH/link.db anew && sqlite3 "$DB" "CREATE TABLE t(x); INSERT INTO t VALUES(7)" &&
	ln -sfn app/memory.db link.db && settled && id=$(hxsnap -q create dev) &&
	rows "$STORE/backups/dev/$id/memory/link.db" 7 && hxsnap -q verify dev &&
	id2=$(hxsnap -q create dev) && [ "$STORE/backups/dev/$id/memory/link.db" -ef \
		"$STORE/backups/dev/$id2/memory/link.db" ] &&
	refused 5 "link.db. is a symbolic link" app hxsnap restore "dev/$id"
'

# ---- what is none -------------------------------------------------------------

test_expect_success 'missing: as any source' '
	anew && unsaid=1 refused 5 "source .memory.: .*memory.db. does not exist" events \
		hxsnap create dev && test_grep "hint: .*mounted" err
'

test_expect_success 'no database: refused, and nothing is kept' '
	echo text >"$DB" &&
	unsaid=1 refused 1 "source .memory.: .$DB. is no SQLite database" app \
		hxsnap create dev && test_grep "no snapshot" err && : >"$DB" &&
	unsaid=1 refused 1 "is no SQLite database" app hxsnap create dev --allow-shrink &&
	rm "$DB" && mkdir "$DB" && echo x >"$DB/x" &&
	unsaid=1 refused 2 "source .memory.: .$DB. is a directory" app hxsnap create dev &&
	rm -r "$DB" && mkfifo "$DB" &&
	unsaid=1 refused 2 "neither a directory nor a regular file" app hxsnap create dev &&
	rm "$DB" && { printf "SQLite format 3\0" && seq 5000; } >"$DB" &&
	unsaid=1 refused 1 "memory/memory.db.: .*not a database" app hxsnap create dev &&
	test_grep "^hint: .*directory.*\"sqlite\": \"raw\"" err && rm "$DB" &&
	at=$TRASH/app/.env.db anew && DB=$TRASH/app/.env.db make_db &&
	unsaid=1 refused 2 ".env.db. is never copied" app hxsnap create dev
'

test_expect_success 'linked from a backup of another kind, it is not taken for one' '
	anew && echo text >"$DB" && sed "s/\"sqlite\"/\"directory\"/" "$HXSNAP_CONFIG" >file.json &&
	settled && text=$(hxsnap --config file.json -q create dev) &&
	hxsnap -q verify dev &&
	unsaid=1 refused 1 "is no SQLite database" app hxsnap create dev
'

test_expect_success 'what a snapshot has of it must be one' '
	rm "$DB" && refused 5 "what snapshot .dev/.*. has of it is none" app \
		hxsnap restore "dev/$text" &&
	mkdir "$DB" && echo x >"$DB/x" && settled &&
	id=$(hxsnap --config file.json -q create dev) && rm -r "$DB" &&
	refused 5 "what snapshot .dev/.*. has of it is none" app hxsnap restore "dev/$id"
'

test_expect_success 'a live file that is none is kept, byte by byte, and replaced' '
	anew && make_db && id=$(hxsnap -q create dev) && rm -f "$DB"-* &&
	echo broken >"$DB" && hxsnap restore "dev/$id" >out 2>err && no_remains &&
	test_grep "kept as they are" err && rows "$DB" 1 && rm -f "$DB"-* &&
	echo broken | cmp - "$STORE/rollbacks/dev/$(cat out)/memory/memory.db" &&
	hxsnap -q rollback dev >out && echo broken | cmp - "$DB"
'

test_expect_success 'a stored one that is damaged is not restored' '
	damaged=$STORE/backups/dev/$id/memory/memory.db && flip_byte "$damaged" 5000 &&
	refused 3 "memory/memory.db" app hxsnap restore "dev/$id"
'

test_expect_success 'whole by its digest and damaged by SQLite: not swapped in' '
	anew && make_db && id=$(hxsnap -q create dev) && rm -f "$DB"-* &&
	snap=$STORE/backups/dev/$id && chmod u+w "$snap" "$snap/memory" &&
	sqlite3 "$snap/memory/memory.db" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL
		SELECT i + 1 FROM n LIMIT 5000) INSERT INTO t SELECT i FROM n" &&
	flip_byte "$snap/memory/memory.db" 8192 255 && rm "$snap/index.hxi" &&
	(cd "$snap" && find . -type f ! -name manifest.sha256 -print0 |
		sort -z | xargs -0 sha256sum) >sums && cp sums "$snap/manifest.sha256" &&
	refused 3 "memory/memory.db.: the database is damaged" app \
		hxsnap restore "dev/$id" && rows "$DB" 1
'

# ---- killed ------------------------------------------------------------------

# killed_at N: a restore killed at its N-th change, with a -wal beside the live
# file. Whoever opens it then, or after recovery, finds the old database or the
# stored one, and never the one with the changes of the other.
killed_at() {
	rm -rf app "$STORE" copy && cp -a app.before app &&
		cp -a store.before "$STORE" || return 1
	unshare -pf --mount-proc nthcall -m "$1" kill \
		hxsnap -q restore "dev/$id" >out 2>err
	ended=$? && cp -a app copy &&
		{ cmp -s app.before/memory.db copy/memory.db ||
			test_path_is_missing copy/memory.db-wal; } &&
		{ rows copy/memory.db "1 2 3" || rows copy/memory.db "1 2" ||
			rows copy/memory.db 1; } &&
		rm -rf copy && hxsnap -q recover && no_remains &&
		if cmp -s app.before/memory.db "$DB"; then
			cmp app.before/memory.db-wal "$DB-wal" &&
				rows "$DB" "1 2 3"
		else
			alone app memory.db && rows "$DB" 1
		fi
}

test_expect_success ROOT,PTRACE 'killed anywhere: no -wal is ever applied to another database' '
	anew && make_db && id=$(hxsnap -q create dev) && rm -f "$DB"-* &&
	sqlite3 "$DB" "INSERT INTO t VALUES(2)" && rm -f "$DB"-* && pending 3 &&
	cp -a app app.before && cp -a "$STORE" store.before && n=1 ended=137 &&
	while [ "$ended" -eq 137 ]; do
		killed_at "$n" && n=$((n + 8)) || return 1
	done && [ "$ended" -eq 200 ] && [ "$n" -gt 60 ]
'

# ---- under writers ------------------------------------------------------------

# twenty MODE: backups while a writer goes on in that mode, each into a store
# of its own, since ids in one are a second apart. Each is whole, and a state
# that the writer's commits left: rows of one transaction add up to 0, and its
# number is the newest.
twenty() {
	local i low high
	anew && rm -f ready values && { sqwriter write "$DB" "$1" ready & } &&
		test_poll 20 'test -e ready' || return 1
	for i in $(seq 20); do
		make_store "s$i" &&
			low=$(sqlite3 -cmd ".timeout 20000" "$DB" \
				"SELECT n FROM last") &&
			id=$(hxsnap --store "s$i" -q create dev) &&
			high=$(sqlite3 -cmd ".timeout 20000" "$DB" \
				"SELECT n FROM last") &&
			alone "s$i/backups/dev/$id/memory" memory.db &&
			sqlite3 -readonly "s$i/backups/dev/$id/memory/memory.db" "
				PRAGMA integrity_check;
				SELECT n >= $low AND n <= $high,
					n = (SELECT max(n) FROM t),
					(SELECT count(*) FROM (SELECT n FROM t
						GROUP BY n HAVING count(*) <> 8
						OR sum(value) <> 0)) FROM last;
				SELECT n FROM last" >got && cat got &&
			[ "$(sed -n 1p got)" = ok ] &&
			[ "$(sed -n 2p got)" = "1|1|0" ] &&
			sed -n 3p got >>values && rm -rf "s$i" || return 1
	done
	kill "$!" && wait "$!" && test_line_count 20 values &&
		[ "$(sort -u values | wc -l)" -gt 1 ]
}

test_expect_success 'twenty under a writer in WAL mode: states that existed' '
	twenty wal
'

test_expect_success 'twenty under a writer in rollback mode: states that existed' '
	twenty delete
'

test_expect_success 'held by a writer: 6 after 10 seconds, by its name' '
	anew && make_db && rm -f ready && { sqwriter hold "$DB" delete ready & } &&
	test_poll 20 "test -e ready" && unsaid=1 refused 6 \
		"memory/memory.db.: the database stayed locked for 10 s" app \
		hxsnap create dev && kill "$!" && wait "$!" && hxsnap -q create dev
'

test_done
