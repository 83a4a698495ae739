#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='create: SQLite databases, at rest, in use, damaged'
. "$(dirname "$0")/../lib/lib.sh"

# query DB SQL: what a reader who can write nothing is told.
query() {
	sqlite3 -readonly "$1" "$2"
}

# whole DB: SQLite finds nothing wrong, and it is in rollback mode with
# nothing beside it.
whole() {
	query "$1" "PRAGMA integrity_check" >whole.out && echo ok >whole.want &&
		test_cmp whole.want whole.out &&
		od -An -tu1 -j18 -N2 "$1" >whole.out &&
		echo "   1   1" >whole.want && test_cmp whole.want whole.out &&
		test_path_is_missing "$1-wal" &&
		test_path_is_missing "$1-shm" &&
		test_path_is_missing "$1-journal"
}

# existed DB LOW HIGH: it is whole, and a state that a writer's commits with
# these numbers and those between them left.
existed() {
	whole "$1" && query "$1" "
		SELECT n, n = (SELECT max(n) FROM t),
			(SELECT count(*) FROM (SELECT n FROM t GROUP BY n
				HAVING count(*) <> 8 OR sum(value) <> 0)),
			(SELECT max(n) - min(n) + 1 = count(DISTINCT n) FROM t)
		FROM last" >existed.out && cat existed.out &&
		n=$(sed "s/|1|0|1\$//" existed.out) &&
		[ "$n" -ge "$2" ] && [ "$n" -le "$3" ]
}

# start COMMAND...: in the background, until it has made the file "ready".
start() {
	rm -f ready && { "$@" & } && test_poll 20 'test -e ready'
}

# stop: end what was started last; it must not have failed.
stop() {
	kill "$!" && wait "$!"
}

# is_wal SNAPSHOT PATH: whether the index says that it was in WAL mode.
is_wal() {
	python3 - "$1/index.hxi" "$2" <<-\END
	import struct, sys
	index = open(sys.argv[1], "rb").read()
	at, count = struct.unpack_from("<QQ", index, 40)
	strings, = struct.unpack_from("<Q", index, 88)
	entry = 0
	for name in sys.argv[2].encode().split(b"/"):
	    first, children = struct.unpack_from("<II", index, at + 128 * entry + 72)
	    for entry in range(first, first + children):
	        off, length = struct.unpack_from("<IH", index, at + 128 * entry + 64)
	        if index[strings + off:strings + off + length] == name:
	            break
	    else:
	        sys.exit("there is no " + sys.argv[2])
	flags, = struct.unpack_from("<H", index, at + 128 * entry + 70)
	sys.exit(0 if flags & 2 else 1)
	END
}

# anew: an environment with empty events, and a store that has nothing.
anew() {
	new_env && rm -rf "$EVENTS" "$STORE" && mkdir "$EVENTS" && make_store &&
		echo x >"$STATE/x"
}

# raw_config: make raw.json, which is hxsnap.json with databases as files.
raw_config() {
	sed "s/\"path\": \"[^\"]*events\"/&, \"sqlite\": \"raw\"/" \
		"$HXSNAP_CONFIG" >"$TRASH/raw.json"
}

# settle: wait until nothing made so far changed too recently to be linked.
settle() {
	local stamp
	stamp=$(date +%s%N) &&
		test_poll 5 '[ $(($(date +%s%N) - stamp)) -gt 100000000 ]'
}

fill="PRAGMA page_size=1024; CREATE TABLE a(x INTEGER PRIMARY KEY, y);
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500)
	INSERT INTO a SELECT i, hex(randomblob(100)) FROM n"

test_expect_success 'at rest, in rollback mode: the same bytes' '
	new_env && mkdir "$EVENTS/d" && echo x >"$STATE/x" &&
	sqlite3 "$EVENTS/d/m.db" "$fill" && chmod 640 "$EVENTS/d/m.db" &&
	id=$(hxsnap -q create dev) && snap=$STORE/backups/dev/$id &&
	cmp "$EVENTS/d/m.db" "$snap/events/d/m.db" &&
	test_same_tree "$EVENTS" "$snap/events" &&
	rsync -aHn --delete --itemize-changes "$EVENTS/" "$snap/events/" >got &&
	test_line_count 0 got && whole "$snap/events/d/m.db" &&
	test_must_fail is_wal "$snap" events/d/m.db &&
	ls -A "$EVENTS/d" >got && echo m.db >want && test_cmp want got
'

test_expect_success 'unchanged, it is linked' '
	settle && id=$(hxsnap -q create dev) && hxsnap -q verify "dev/$id" &&
	id2=$(hxsnap -q create dev) &&
	[ "$STORE/backups/dev/$id/events/d/m.db" -ef \
		"$STORE/backups/dev/$id2/events/d/m.db" ]
'

test_expect_success 'in WAL mode with nothing pending: into rollback mode' '
	new_env && rm -rf "$EVENTS/d" &&
	sqlite3 "$EVENTS/m.db" "PRAGMA journal_mode=WAL; $fill" &&
	test_path_is_missing "$EVENTS/m.db-wal" && sha256sum "$EVENTS/m.db" >sum &&
	id=$(hxsnap -q create dev) && snap=$STORE/backups/dev/$id &&
	whole "$snap/events/m.db" && is_wal "$snap" events/m.db &&
	query "$EVENTS/m.db" .dump >want && query "$snap/events/m.db" .dump >got &&
	test_cmp want got && sha256sum -c sum &&
	test $(stat -c %Y "$EVENTS/m.db") -eq $(stat -c %Y "$snap/events/m.db") &&
	rm -f "$EVENTS/m.db-wal" "$EVENTS/m.db-shm" && settle &&
	hxsnap -q verify "dev/$id" && id2=$(hxsnap -q create dev) &&
	cmp "$snap/events/m.db" "$STORE/backups/dev/$id2/events/m.db" &&
	is_wal "$STORE/backups/dev/$id2" events/m.db
'

# Make $EVENTS/m.db, whose last row is in the -wal alone.
pending() {
	rm -rf "$EVENTS" && mkdir "$EVENTS" &&
		sqlite3 "$EVENTS/m.db" "PRAGMA journal_mode=WAL; $fill" &&
		sqlite3 "$EVENTS/m.db" ".dbconfig no_ckpt_on_close on" \
			"INSERT INTO a VALUES(1000, 'pending')" &&
		test -s "$EVENTS/m.db-wal"
}

test_expect_success 'committed to the -wal alone: in the copy' '
	new_env && pending && cp "$EVENTS/m.db" alone.db &&
	! grep -q pending alone.db &&
	echo note >"$EVENTS/other-wal" && echo note >"$EVENTS/other-journal" &&
	mkdir "$EVENTS/m.db-journal.d" &&
	(cd "$EVENTS" && sha256sum m.db m.db-wal) >sum &&
	id=$(hxsnap create dev 2>err) && snap=$STORE/backups/dev/$id &&
	test_grep ! "m.db" err && whole "$snap/events/m.db" &&
	query "$snap/events/m.db" "SELECT y FROM a WHERE x = 1000" >got &&
	echo pending >want && test_cmp want got && is_wal "$snap" events/m.db &&
	ls -A "$snap/events" >got && printf "%s\n" m.db m.db-journal.d \
		other-journal other-wal >want && test_cmp want got &&
	(cd "$EVENTS" && sha256sum -c) <sum && hxsnap -q verify "dev/$id"
'

test_expect_success FUSE 'it opens on the mount' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	whole mnt/dev/latest/events/m.db &&
	query mnt/dev/latest/events/m.db "SELECT y FROM a WHERE x = 1000" >got &&
	echo pending >want && test_cmp want got
'

test_expect_success 'unchanged but for its -wal, it is not linked' '
	sqlite3 "$EVENTS/m.db" "PRAGMA wal_checkpoint(TRUNCATE)" && settle &&
	id=$(hxsnap -q create dev) && hxsnap -q verify "dev/$id" &&
	stat -c "%s %Y %Z" "$EVENTS/m.db" >before &&
	sqlite3 "$EVENTS/m.db" ".dbconfig no_ckpt_on_close on" \
		"INSERT INTO a VALUES(1001, \"later\")" &&
	stat -c "%s %Y %Z" "$EVENTS/m.db" >after && test_cmp before after &&
	id=$(hxsnap -q create dev) &&
	query "$STORE/backups/dev/$id/events/m.db" \
		"SELECT y FROM a WHERE x = 1001" >got &&
	echo later >want && test_cmp want got
'

test_expect_success 'copied raw before, and not any more: not linked' '
	rm -rf "$STORE" && new_env && pending && settle &&
	raw_config &&
	id=$(hxsnap --config raw.json -q create dev) &&
	snap=$STORE/backups/dev/$id && cmp "$EVENTS/m.db" "$snap/events/m.db" &&
	cmp "$EVENTS/m.db-wal" "$snap/events/m.db-wal" &&
	hxsnap -q verify "dev/$id" && id=$(hxsnap -q create dev) &&
	snap=$STORE/backups/dev/$id && whole "$snap/events/m.db" &&
	query "$snap/events/m.db" "SELECT y FROM a WHERE x = 1000" >got &&
	echo pending >want && test_cmp want got
'

test_expect_success ROOT 'what root makes beside it is its owner'\''s' '
	new_env && pending && rm "$EVENTS/m.db-shm" &&
	chown 65534:12345 "$EVENTS/m.db" "$EVENTS/m.db-wal" &&
	chmod 660 "$EVENTS/m.db" && id=$(hxsnap -q create dev) &&
	test_path_is_file "$EVENTS/m.db-shm" &&
	for f in "$EVENTS"/m.db*; do
		stat -c "%u:%g" "$f" || return 1
	done | sort -u >got && echo 65534:12345 >want && test_cmp want got &&
	stat -c "%a %u:%g" "$STORE/backups/dev/$id/events/m.db" >got &&
	echo "660 65534:12345" >want && test_cmp want got
'

test_expect_success SETPRIV 'another user makes nothing beside it' '
	new_env && pending && rm "$EVENTS/m.db-shm" && rm -rf "$STORE" &&
	mkdir -p "$STORE/backups" "$STORE/.hxsnap" &&
	chown -R 65534:65534 "$STORE" && chmod 777 "$EVENTS" &&
	chmod 666 "$EVENTS"/* &&
	test_when_finished "chmod 755 \"$EVENTS\"; rm -rf \"$STORE\"" &&
	test_exit 1 as_nobody hxsnap -q create dev 2>err &&
	test_grep "events/m.db.: only its owner and root" err &&
	test_path_is_missing "$EVENTS/m.db-shm" &&
	sqlite3 "$EVENTS/m.db" "PRAGMA wal_checkpoint(TRUNCATE)" &&
	test_path_is_missing "$EVENTS/m.db-wal" &&
	rm -f "$EVENTS/m.db-shm" && id=$(as_nobody hxsnap -q create dev) &&
	whole "$STORE/backups/dev/$id/events/m.db" &&
	test_path_is_missing "$EVENTS/m.db-wal"
'

# under_writer MODE COUNT: backups while a writer goes on in that mode, each into
# a store of its own, since ids in one are a second apart.
under_writer() {
	local mode="$1" count="$2" i low high
	anew && rm -f values &&
		start sqwriter write "$EVENTS/w.db" "$mode" ready || return 1
	for i in $(seq "$count"); do
		make_store "s$i" &&
			low=$(sqlite3 -cmd ".timeout 20000" "$EVENTS/w.db" \
				"SELECT n FROM last") &&
			hxsnap --store "s$i" -q create dev >id &&
			high=$(sqlite3 -cmd ".timeout 20000" "$EVENTS/w.db" \
				"SELECT n FROM last") &&
			existed "s$i/backups/dev/$(cat id)/events/w.db" \
				"$low" "$high" && echo "$n" >>values &&
			hxsnap --store "s$i" -q verify "dev/$(cat id)" &&
			ls -A "s$i/backups/dev/$(cat id)/events" >got &&
			echo w.db >want && test_cmp want got &&
			rm -rf "s$i" || return 1
	done
	# It went on meanwhile, and was not shut out for good.
	stop && test_line_count "$count" values && sort -n values >sorted &&
		test_cmp values sorted && [ "$(sort -u values | wc -l)" -gt 1 ]
}

test_expect_success 'twenty under a writer in WAL mode: states that existed' '
	under_writer wal 20
'

test_expect_success 'twenty under a writer in rollback mode' '
	under_writer delete 20
'

test_expect_success 'three under a writer that keeps its journal' '
	under_writer persist 3
'

test_expect_success 'a single file as a source' '
	rm -rf "$STORE" && new_env && pending && mkdir project &&
	cat >project/.env.dev <<-END &&
	EVENT_STORE_PATH=$STATE
	PROJECTIONS_DB_PATH=$EVENTS/m.db
	END
	echo x >"$STATE/x" && (
		unset HXSNAP_CONFIG && cd project && mkdir data &&
		id=$(hxsnap -q create dev) &&
		db=data/backups/dev/$id/projections/m.db && whole "$db" &&
		query "$db" "SELECT y FROM a WHERE x = 1000" >got &&
		echo pending >want && test_cmp want got && settle &&
		hxsnap -q verify dev && sqlite3 "$EVENTS/m.db" \
			".dbconfig no_ckpt_on_close on" \
			"UPDATE a SET y = \"later\" WHERE x = 1000" &&
		id=$(hxsnap -q create dev) &&
		query "data/backups/dev/$id/projections/m.db" \
			"SELECT y FROM a WHERE x = 1000" >got &&
		echo later >want && test_cmp want got
	)
'

test_expect_success 'a database that stays locked: 6, and its name' '
	anew && sqlite3 "$EVENTS/m.db" "$fill" &&
	start sqwriter hold "$EVENTS/m.db" same ready &&
	test_exit 6 hxsnap create dev >out 2>err && stop &&
	test_line_count 0 out && cat err && test_grep \
		"events/m.db.: the database stayed locked for 10 s; no snapshot" err &&
	find "$STORE" -name m.db >got && test_line_count 0 got &&
	hxsnap -q create dev
'

test_expect_success 'the same in WAL mode; cancelled while it waits' '
	anew &&
	start sqwriter hold "$EVENTS/m.db" wal ready && holder=$! &&
	{ hxsnap create dev >out 2>err & } && pid=$! &&
	test_poll 20 "find \"$STORE\" -name m.db | grep -q ." &&
	kill -TERM "$pid" && test_must_fail wait "$pid" &&
	kill "$holder" && wait "$holder" && test_line_count 0 out &&
	cat err && ! ls -A "$STORE/backups/dev" | grep -q "^\\."
'

test_expect_success 'a transaction that its writer never ended: told' '
	anew && sqlite3 "$EVENTS/m.db" "$fill" &&
	cp "$EVENTS/m.db" before.db &&
	sqlite3 "$EVENTS/m.db" "PRAGMA cache_size=5; PRAGMA cache_spill=1; BEGIN;
		UPDATE a SET y = \"torn\";" ".shell cp \"$EVENTS/m.db\" torn.db" \
		".shell cp \"$EVENTS/m.db-journal\" torn.db-journal" &&
	cp torn.db "$EVENTS/m.db" && cp torn.db-journal "$EVENTS/m.db-journal" &&
	! cmp before.db "$EVENTS/m.db" && cat "$EVENTS/m.db-journal" >journal &&
	test_exit 1 hxsnap create dev 2>err && cat err &&
	test_grep "events/m.db.: a writer ended in the middle" err &&
	test_grep "^hint: " err && cmp torn.db "$EVENTS/m.db" &&
	cmp journal "$EVENTS/m.db-journal" &&
	sqlite3 "$EVENTS/m.db" "SELECT count(*) FROM a" &&
	id=$(hxsnap -q create dev) &&
	query "$STORE/backups/dev/$id/events/m.db" .dump >got &&
	query before.db .dump >want && test_cmp want got
'

test_expect_success 'no database but for its first bytes: told, or raw' '
	anew && raw_config &&
	{ printf "SQLite format 3\0" && seq 5000; } >"$EVENTS/bad.db" &&
	test_exit 1 hxsnap create dev >out 2>err && cat err &&
	test_line_count 0 out && test_grep "events/bad.db.: .*not a database" err &&
	test_grep "^hint: .*\"sqlite\": \"raw\"" err &&
	find "$STORE" -name bad.db >got && test_line_count 0 got &&
	id=$(hxsnap --config raw.json -q create dev) &&
	cmp "$EVENTS/bad.db" "$STORE/backups/dev/$id/events/bad.db" &&
	printf "SQLite format 3\0" >"$EVENTS/bad.db" &&
	test_exit 1 hxsnap create --allow-shrink dev 2>err &&
	test_grep "events/bad.db.: " err &&
	printf "SQLite format 3" >"$EVENTS/bad.db" &&
	hxsnap -q create --allow-shrink dev
'

test_expect_success 'a damaged page: told' '
	anew && sqlite3 "$EVENTS/m.db" "$fill" &&
	for i in 0 1 2 3 4 5 6 7; do
		flip_byte "$EVENTS/m.db" $((1024 * 3 + i)) || return 1
	done && test_exit 1 hxsnap create dev 2>err && cat err &&
	test_grep "events/m.db.: the database is damaged: " err &&
	hxsnap --config raw.json -q create dev
'

test_expect_success 'what only its application can check: a warning' '
	anew && python3 - "$EVENTS/m.db" <<-\END &&
	import sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	db.create_collation("own", lambda a, b: (a > b) - (a < b))
	db.create_function("mine", 1, lambda x: x, deterministic=True)
	db.execute("CREATE TABLE a(x TEXT COLLATE own CHECK (mine(x) = x))")
	db.execute("CREATE INDEX i ON a(x)")
	db.executemany("INSERT INTO a VALUES (?)", [(str(i),) for i in range(9)])
	db.commit()
	END
	id=$(hxsnap create dev 2>err) && cat err &&
	test_grep "events/m.db.: SQLite could not check all of it: " err &&
	cmp "$EVENTS/m.db" "$STORE/backups/dev/$id/events/m.db"
'

test_expect_success TMPFS 'a store that is full says so and stays clean' '
	anew && mkdir full &&
	mount -t tmpfs -o size=1m tmpfs full &&
	test_when_finished "umount \"$TRASH/full\"" && make_store full &&
	sqlite3 "$EVENTS/m.db" "PRAGMA journal_mode=WAL; CREATE TABLE a(x);" \
		".dbconfig no_ckpt_on_close on" \
		"INSERT INTO a VALUES (randomblob(3000000))" &&
	test_exit 1 hxsnap --store full create dev 2>err && cat err &&
	test_grep "events/m.db.: .*No space left on device" err &&
	find full -name m.db >got && test_line_count 0 got
'

test_done
