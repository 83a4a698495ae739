#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='restore: everything comes back equal, and rollback undoes it'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

# change TREE: what a day of work may do to it, left-out names included.
change() {
	find "$1" -mindepth 1 -maxdepth 1 | sort | sed -n '2p;5p' |
		while read -r name; do rm -rf -- "$name"; done
	mkdir -p "$1/new dir/below" && echo new >"$1/new dir/below/file" &&
		echo more >"$1/another" && ln -s nowhere "$1/new link" &&
		chmod 2750 "$1/new dir" && touch -d @1.5 "$1/another"
}

for seed in 11 12; do
	test_expect_success ROOT "tree $seed, two sources: back, and back again" '
		rm -rf live orig now "$STORE" && new_env && rmdir "$EVENTS" "$STATE" &&
		hxtree make '$seed' "$EVENTS" && hxtree make 1'$seed' "$STATE" --small &&
		make_store && id=$(hxsnap -q create dev) &&
		cp -a live orig && change "$EVENTS" && change "$STATE" &&
		cp -a live now && before=$(inode "$EVENTS") &&
		restore "dev/$id" && test_same_tree orig/dev live/dev &&
		same_by_rsync orig live &&
		point=$STORE/rollbacks/dev/$rollback &&
		hxindex "$point" events | sort >got &&
		hxtree list now/dev/events | sort >want && test_cmp want got &&
		hxindex "$point" state | sort >got &&
		hxtree list now/dev/state | sort >want && test_cmp want got &&
		(cd "$point" && sha256sum -c --strict --quiet manifest.sha256) &&
		back=$(hxsnap -q rollback dev) && no_remains &&
		test_same_tree now/dev live/dev && same_by_rsync now live &&
		hxsnap -q verify --all && restore "dev/.rollbacks/$back" &&
		test_same_tree orig/dev live/dev
	'
done

# plain: an environment of few files, and an empty store.
plain() {
	rm -rf live orig now "$STORE" && new_env && make_store &&
		mkdir "$EVENTS/2026" && for i in 1 2 3; do
			echo "event $i" >"$EVENTS/$i" &&
				echo "event $i" >"$EVENTS/2026/$i" || return 1
		done && echo state >"$STATE/state"
}

test_expect_success 'the same file system: the tree itself becomes the rollback point' '
	plain && id=$(hxsnap -q create dev) && echo changed >"$EVENTS/2" &&
	look live/dev/events | sed "s,^[^ ]*,," >want &&
	dir=$(inode "$EVENTS") && file=$(inode "$EVENTS/2026/3") &&
	restore "dev/$id" && point=$STORE/rollbacks/dev/$rollback &&
	look "$point/events" | sed "s,^[^ ]*,," >got && test_cmp want got &&
	[ "$(inode "$point/events")" -eq "$dir" ] &&
	[ "$(inode "$point/events/2026/3")" -eq "$file" ] &&
	[ "$(cat "$EVENTS/2")" = "event 2" ]
'

test_expect_success 'what it reports: files, bytes, and no moment without a live path' '
	plain && id=$(hxsnap -q create dev) &&
	hxsnap --json restore "dev/$id" >out 2>err &&
	test_grep "\"reference\":\"dev/$id\"" out &&
	test_grep "\"files\":7,\"bytes\":54,"  out &&
	test_grep "\"absent_seconds\":0\\.*0*[,}]" out &&
	test_grep "\"rollback_id\":\"2[0-9T]*Z\"" out
'

for fs in ext4 xfs tmpfs; do
	case $fs in
	ext4) need=LOOP ;;
	xfs) need=XFS ;;
	tmpfs) need=TMPFS ;;
	esac
	test_expect_success "ROOT,$need" "another file system, $fs: copied" '
		rm -rf "$STORE" orig now && mkdir -p disk && case '$fs' in
		tmpfs) mount -t tmpfs -o mode=755 tmpfs disk ;;
		*) loop_fs '$fs' 320M disk ;;
		esac && test_when_finished "umount \"$TRASH/disk\"" &&
		hxtree make 21 disk/events && sources "events=$TRASH/disk/events" &&
		make_store && id=$(hxsnap -q create dev) &&
		cp -a --sparse=always disk/events orig && hxtree list disk/events >orig.list &&
		change disk/events && hxtree list disk/events >now.list &&
		restore "dev/$id" && hxtree list disk/events >got &&
		test_cmp orig.list got &&
		hxindex "$STORE/rollbacks/dev/$rollback" events | sort >got &&
		sort now.list >want && test_cmp want got &&
		hxsnap -q rollback dev >out && hxtree list disk/events >got &&
		test_cmp now.list got && no_remains
	'
done

test_expect_success XFS 'a file system that clones: the store and the targets on it' '
	rm -rf "$STORE" && loop_fs xfs 320M clones &&
	test_when_finished "umount \"$TRASH/clones\"" &&
	STORE=$TRASH/clones/store && mkdir -p clones/live &&
	sources "events=$TRASH/clones/live/events" && make_store &&
	hxtree make 31 clones/live/events &&
	head -c 20000000 /dev/urandom >clones/live/events/large &&
	hxtree list clones/live/events >want && id=$(hxsnap -q create dev) &&
	change clones/live/events && rm -f clones/live/events/large &&
	used=$(df --output=used -k clones | tail -n 1) && restore "dev/$id" &&
	hxtree list clones/live/events >got && test_cmp want got && sync &&
	now=$(df --output=used -k clones | tail -n 1) &&
	echo "$used $now" && [ $((now - used)) -lt 10000 ]
'

test_expect_success 'a snapshot that a shell script made' '
	STORE=$TRASH/store && plain && rm -rf "$STORE" &&
	ln -s 2026/1 "$EVENTS/link" && touch -d @12345.678 "$EVENTS/1" &&
	mkdir -p "$STORE/.hxsnap" "$EVENTS/empty" && cat >backup.sh <<-\END &&
	#!/bin/sh
	set -e
	dir=$1/backups/dev/20260101T000000Z
	mkdir -p "$dir"
	cp -a "$2" "$3" "$dir/"
	cd "$dir"
	find . -type f ! -name manifest.sha256 -print0 | sort -z |
		xargs -0 sha256sum >manifest.sha256
	END
	sh backup.sh "$STORE" "$EVENTS" "$STATE" && cp -a live orig &&
	change "$EVENTS" && rm "$STATE/state" && restore dev/latest &&
	test_same_tree orig/dev live/dev && same_by_rsync orig live
'

test_expect_success 'a backup without one of the sources: left as it is, and told' '
	plain && sources "events=$EVENTS" && id=$(hxsnap -q create dev) &&
	sources "events=$EVENTS" "state=$STATE" && echo later >"$STATE/later" &&
	rm "$EVENTS/1" && look -c "$STATE" >want &&
	hxsnap restore "dev/$id" >out 2>err &&
	test_grep "source .state. .*left as it is" err &&
	look -c "$STATE" >got && test_cmp want got && test_path_is_file "$EVENTS/1"
'

test_expect_success 'a source that the configuration no longer names' '
	plain && id=$(hxsnap -q create dev) && sources "events=$EVENTS" &&
	rm "$EVENTS/1" && cp hxsnap.json kept.json &&
	refused 4 "no source of that name" live hxsnap restore "dev/$id" &&
	test_grep "^hint: .*hxsnap restore" err &&
	restore "dev/$id" events && test_path_is_file "$EVENTS/1"
'

test_expect_success 'a source moved elsewhere since: the configuration decides' '
	plain && id=$(hxsnap -q create dev) && mkdir -p elsewhere/deep &&
	sources "events=$TRASH/elsewhere/deep/other" "state=$STATE" &&
	look -c "$EVENTS" >want && restore "dev/$id" && look -c "$EVENTS" >got &&
	test_cmp want got && test_same_tree "$EVENTS" elsewhere/deep/other
'

# ---- sources that are one file ----------------------------------------------

test_expect_success 'single files, beside others that stay' '
	rm -rf "$STORE" one && make_store && mkdir one && echo a >one/a &&
	echo b >one/b && echo c >one/c && touch -d @99.9 one/a &&
	sources "first=$TRASH/one/a" "second=$TRASH/one/b" &&
	id=$(hxsnap -q create dev) && cp -a one orig-one && echo changed >one/a &&
	rm one/b && look -c one/c >want && touch -d @5 one && look one | head -n 1 >dir &&
	restore "dev/$id" && test_same_tree --no-root orig-one one &&
	look -c one/c >got && test_cmp want got && look one | head -n 1 >got &&
	test_cmp dir got && hxsnap -q rollback dev >out &&
	[ "$(cat one/a)" = changed ] && [ "$(cat one/b)" = b ]
'

test_expect_success 'a single file whose name changed in the configuration' '
	rm -rf "$STORE" one && make_store && mkdir one && echo a >one/a &&
	sources "first=$TRASH/one/a" && id=$(hxsnap -q create dev) &&
	sources "first=$TRASH/one/z" && restore "dev/$id" && cmp one/a one/z &&
	echo later >one/z && restore "dev/$id" && cmp one/a one/z
'

test_expect_success 'a file where a directory was, a directory where a file was: refused' '
	rm -rf "$STORE" one && make_store && mkdir one && echo a >one/a &&
	sources "first=$TRASH/one/a" && id=$(hxsnap -q create dev) &&
	rm one/a && mkdir one/a && echo x >one/a/x &&
	refused 5 "is a directory, and the snapshot.s is a file" one \
		hxsnap restore "dev/$id" &&
	plain && id=$(hxsnap -q create dev) && rm -r "$STATE" && echo x >"$STATE" &&
	refused 5 "is a file, and the snapshot.s is a directory" live \
		hxsnap restore "dev/$id"
'

# ---- databases ---------------------------------------------------------------

# mode DB: "wal" or "delete"
mode() {
	sqlite3 "$1" "PRAGMA journal_mode"
}

test_expect_success 'databases come back in the mode they were in' '
	plain && sqlite3 "$EVENTS/wal.db" "PRAGMA journal_mode=wal;
		CREATE TABLE t(x); INSERT INTO t VALUES(1)" &&
	sqlite3 "$EVENTS/plain.db" "CREATE TABLE t(x); INSERT INTO t VALUES(2)" &&
	id=$(hxsnap -q create dev) &&
	sqlite3 "$EVENTS/wal.db" "INSERT INTO t VALUES(3)" && rm "$EVENTS/plain.db" &&
	restore "dev/$id" && [ "$(mode "$EVENTS/wal.db")" = wal ] &&
	[ "$(mode "$EVENTS/plain.db")" = delete ] &&
	[ "$(sqlite3 "$EVENTS/wal.db" "SELECT * FROM t")" = 1 ] &&
	hxsnap -q rollback dev >out && [ "$(mode "$EVENTS/wal.db")" = wal ] &&
	[ "$(sqlite3 "$EVENTS/wal.db" "SELECT sum(x) FROM t")" = 4 ]
'

# A writer that died in the middle of a transaction, whose -journal would be
# rolled back.
crashed_journal() {
	python3 - "$1" <<-\END
	import os, sqlite3, sys
	db = sqlite3.connect(sys.argv[1], isolation_level=None)
	db.execute("PRAGMA journal_mode=delete")
	db.execute("PRAGMA cache_size=1")
	db.execute("PRAGMA cache_spill=1")
	db.execute("BEGIN")
	db.execute("INSERT INTO t SELECT randomblob(5000) FROM t, t, t, t")
	os._exit(0)
	END
}

test_expect_success 'a single-file database: nothing stale beside it survives' '
	rm -rf "$STORE" one && make_store && mkdir one &&
	sqlite3 one/m.db "CREATE TABLE t(x); INSERT INTO t VALUES(1)" &&
	sources "memory=$TRASH/one/m.db" && id=$(hxsnap -q create dev) &&
	crashed_wal one/m.db && test_path_is_file one/m.db-wal &&
	test_path_is_file one/m.db-shm && restore "dev/$id" &&
	ls -A one >got && echo m.db >want && test_cmp want got &&
	[ "$(sqlite3 one/m.db "SELECT sum(x) FROM t")" = 1 ] &&
	hxsnap -q rollback dev >out &&
	[ "$(sqlite3 one/m.db "SELECT sum(x) FROM t")" = 1001 ]
'

test_expect_success 'an interrupted transaction beside it goes, too' '
	rm -rf "$STORE" one && make_store && mkdir one &&
	sqlite3 one/m.db "CREATE TABLE t(x); INSERT INTO t VALUES(1),(2),(3),(4)" &&
	sources "memory=$TRASH/one/m.db" && id=$(hxsnap -q create dev) &&
	crashed_journal one/m.db && test_path_is_file one/m.db-journal &&
	hxsnap -q restore "dev/$id" >out 2>err && ls -A one >got && echo m.db >want &&
	test_cmp want got && [ "$(sqlite3 one/m.db "SELECT sum(x) FROM t")" = 10 ] &&
	no_remains
'

test_expect_success 'a pattern that leaves out -wal files does not keep a stale one' '
	SOURCE_MORE="\"exclude\": [\"*-wal\", \"*-shm\"]" && export SOURCE_MORE &&
	test_when_finished "unset SOURCE_MORE" && rm -rf "$STORE" one &&
	make_store && mkdir -p one/d && : >one/d/stray-wal &&
	sqlite3 one/d/m.db "CREATE TABLE t(x); INSERT INTO t VALUES(1)" &&
	sources "all=$TRASH/one" && id=$(hxsnap -q create dev) &&
	crashed_wal one/d/m.db && hxsnap -q restore "dev/$id" >out 2>err &&
	ls -A one/d >got && printf "m.db\nstray-wal\n" >want && test_cmp want got &&
	[ "$(sqlite3 one/d/m.db "SELECT sum(x) FROM t")" = 1 ]
'

test_expect_success 'a damaged live database can be replaced, its bytes are kept' '
	plain && sqlite3 "$EVENTS/m.db" "CREATE TABLE t(x);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
		LIMIT 5000) INSERT INTO t SELECT i FROM n; CREATE INDEX i ON t(x)" &&
	id=$(hxsnap -q create dev) && sum=$(sha256sum <"$EVENTS/m.db") &&
	dd if=/dev/urandom of="$EVENTS/m.db" bs=1 seek=100 count=30000 \
		conv=notrunc status=none && bad=$(sha256sum <"$EVENTS/m.db") &&
	test_exit 1 hxsnap -q create dev 2>err && test_grep "m.db" err &&
	hxsnap -q restore "dev/$id" >out 2>err &&
	[ "$(sha256sum <"$EVENTS/m.db")" = "$sum" ] &&
	point=$STORE/rollbacks/dev/$(cat out) &&
	[ "$(sha256sum <"$point/events/m.db")" = "$bad" ] &&
	hxsnap -q verify "dev/.rollbacks/$(cat out)" && no_remains &&
	hxsnap rollback dev >out 2>err && test_grep "so it was when" err &&
	[ "$(sha256sum <"$EVENTS/m.db")" = "$bad" ]
'

test_expect_success 'a damaged live database with a -wal: kept as it is, and told' '
	plain && sqlite3 "$EVENTS/m.db" "CREATE TABLE t(x); INSERT INTO t VALUES(1)" &&
	id=$(hxsnap -q create dev) && crashed_wal "$EVENTS/m.db" &&
	dd if=/dev/urandom of="$EVENTS/m.db" bs=1 seek=100 count=4000 \
		conv=notrunc status=none && bad=$(sha256sum <"$EVENTS/m.db") &&
	wal=$(sha256sum <"$EVENTS/m.db-wal") &&
	test_must_fail hxsnap -q create dev 2>err && test_grep "m.db" err &&
	hxsnap restore "dev/$id" >out 2>err &&
	test_grep "events/m.db.*events. are kept as they are" err &&
	[ "$(sqlite3 "$EVENTS/m.db" "SELECT sum(x) FROM t")" = 1 ] &&
	point=$STORE/rollbacks/dev/$(cat out) &&
	[ "$(sha256sum <"$point/events/m.db")" = "$bad" ] &&
	grep -q "kept as they are" "$point/meta.json" &&
	[ "$(sha256sum <"$point/events/m.db-wal")" = "$wal" ] &&
	hxsnap -q verify "dev/.rollbacks/$(cat out)" && no_remains &&
	hxsnap rollback dev >out 2>err && test_grep "could not check all of it" err &&
	[ "$(sha256sum <"$EVENTS/m.db")" = "$bad" ] &&
	[ "$(sha256sum <"$EVENTS/m.db-wal")" = "$wal" ]
'

test_expect_success 'as a single file, too: what lies beside it is kept with it' '
	rm -rf "$STORE" one && make_store && mkdir one &&
	sqlite3 one/m.db "CREATE TABLE t(x); INSERT INTO t VALUES(1)" &&
	sources "memory=$TRASH/one/m.db" && id=$(hxsnap -q create dev) &&
	crashed_wal one/m.db && dd if=/dev/urandom of=one/m.db bs=1 seek=100 \
		count=4000 conv=notrunc status=none &&
	sha256sum one/m.db one/m.db-wal >want &&
	hxsnap -q restore "dev/$id" >out 2>err && no_remains && ls -A one >got &&
	echo m.db >only && test_cmp only got &&
	[ "$(sqlite3 one/m.db "SELECT sum(x) FROM t")" = 1 ] &&
	hxsnap -q verify "dev/.rollbacks/$(cat out)" &&
	hxsnap -q rollback dev >out && sha256sum -c --quiet want && no_remains
'

test_expect_success 'the first restore into nothing: no rollback point' '
	plain && id=$(hxsnap -q create dev) && cp -a live orig &&
	rm -r "$EVENTS" "$STATE" && restore "dev/$id" && [ -z "$rollback" ] &&
	test_same_tree --no-root orig/dev live/dev && ls -A "$STORE" >got &&
	test_exit 4 hxsnap rollback dev 2>err
'

test_done
