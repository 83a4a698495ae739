#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='restore of paths: just those, and nothing else'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

# anew: an environment and a backup $id of it; then all of it changes.
anew() {
	rm -rf live orig "$STORE" && new_env && make_store &&
		mkdir -p "$EVENTS/a/b/c" "$EVENTS/other" &&
		for f in top a/one a/two a/b/deep a/b/c/deeper other/file; do
			echo "old $f" >"$EVENTS/$f" || return 1
		done && ln -s top "$EVENTS/link" && ln "$EVENTS/top" "$EVENTS/a/twin" &&
		chmod 2750 "$EVENTS/a" && chmod 700 "$EVENTS/a/b" &&
		touch -d @1001.5 "$EVENTS/a/b" && touch -d @1002.5 "$EVENTS/a" &&
		touch -d @1003.5 "$EVENTS" && echo state >"$STATE/state" &&
		id=$(hxsnap -q create dev) && cp -a live orig &&
		for f in top a/one a/two a/b/deep a/b/c/deeper other/file; do
			echo "new $f" >"$EVENTS/$f" || return 1
		done && touch -d @2001.5 "$EVENTS/a/b" && touch -d @2002.5 "$EVENTS/a" &&
		touch -d @2003.5 "$EVENTS"
}

# only PATH... -- REF...: restore, after which all but what lies at PATH
# (below $EVENTS) is as before to the inode, the nanosecond, and the change;
# the directories around, but for their change.
only() {
	local list='' prune=''
	while [ "$1" != -- ]; do
		prune="$prune -path $EVENTS/$1 -o -path $EVENTS/$1/* -o"
		list="$list $1"
		shift
	done
	shift
	see_rest >"$TRASH/.rest" && restore "$@" && see_rest >"$TRASH/.now" &&
		test_cmp "$TRASH/.rest" "$TRASH/.now" || return 1
	for one in $list; do
		diff -r --no-dereference "orig/dev/events/$one" "$EVENTS/$one" || return 1
	done
}
see_rest() {
	local form='%p %y %i %m %U %G %T@ %l'
	# shellcheck disable=SC2086 # several words
	set -f
	find "$EVENTS" "$STATE" \( $prune -false \) -prune -o \
		-type d -printf "$form\n" -o -printf "$form %s %n %C@\n" | sort
	set +f
}

test_expect_success 'a file' '
	anew && only a/one -- "dev/$id" events/a/one &&
	[ "$(stat -c %.9Y "$EVENTS/a/one")" = "$(stat -c %.9Y orig/dev/events/a/one)" ]
'

test_expect_success 'a directory, with a slash or without' '
	anew && only a/b -- "dev/$id" events/a/b && test_same_tree orig/dev/events/a/b "$EVENTS/a/b" &&
	anew && echo extra >"$EVENTS/a/b/c/extra" && only a/b -- "dev/$id" events/a/b/ &&
	test_path_is_missing "$EVENTS/a/b/c/extra"
'

test_expect_success 'several, in two sources, twice the same, one in another' '
	anew && echo other >"$STATE/state" && echo more >"$STATE/more" &&
	only a/one other link -- "dev/$id" events/link events/other events/a/one \
		events/other/file events/link &&
	hxsnap -q restore "dev/$id" events/a/two state/state >out &&
	[ "$(cat "$EVENTS/a/two" "$STATE/state" "$STATE/more")" = "old a/two
state
more" ]
'

test_expect_success 'a whole source, and the rollback of all of it' '
	anew && look -c "$STATE" >want && cp -a live now && restore "dev/$id" events &&
	test_same_tree orig/dev/events "$EVENTS" && look -c "$STATE" >got &&
	test_cmp want got && hxsnap -q rollback dev >out && no_remains &&
	test_same_tree now/dev/events "$EVENTS" && rm -r now
'

test_expect_success 'one that is gone live' '
	anew && rm "$EVENTS/a/one" && rm -r "$EVENTS/other" && touch -d @2002.5 "$EVENTS/a" &&
	touch -d @2003.5 "$EVENTS" && only a/one other -- "dev/$id" events/a/one events/other &&
	test_same_tree orig/dev/events/other "$EVENTS/other"
'

test_expect_success 'whose parents are gone live: they come back as they were' '
	anew && rm -r "$EVENTS/a" && touch -d @2003.5 "$EVENTS" &&
	restore "dev/$id" events/a/b/c/deeper events/a/b/deep events/a/one &&
	(cd "$EVENTS" && find a | sort) >got &&
	printf "%s\n" a a/b a/b/c a/b/c/deeper a/b/deep a/one >want && test_cmp want got &&
	for d in a a/b a/b/c; do
		[ "$(stat -c "%a %.9Y" "$EVENTS/$d")" = \
			"$(stat -c "%a %.9Y" "orig/dev/events/$d")" ] || return 1
	done && [ "$(stat -c %.1Y "$EVENTS")" = 2003.5 ] &&
	hxsnap -q rollback dev >out && no_remains && test_path_is_missing "$EVENTS/a" &&
	[ "$(stat -c %.1Y "$EVENTS")" = 2003.5 ]
'

test_expect_success 'the target itself is gone' '
	anew && rm -r "$EVENTS" && restore "dev/$id" events/a/b/c/deeper &&
	(cd "$EVENTS" && find . | sort) >got &&
	printf "%s\n" . ./a ./a/b ./a/b/c ./a/b/c/deeper >want && test_cmp want got &&
	[ "$(stat -c %.1Y "$EVENTS")" = 1003.5 ]
'

test_expect_success 'a file where a parent was' '
	anew && rm -r "$EVENTS/a" && echo file >"$EVENTS/a" && settled &&
	refused 1 "Not a directory" live hxsnap restore "dev/$id" events/a/one &&
	restore "dev/$id" events/a && [ "$(cat "$EVENTS/a/one")" = "old a/one" ]
'

test_expect_success 'a symbolic link; one where a file is; one in the way' '
	anew && ln -sfn elsewhere "$EVENTS/link" && restore "dev/$id" events/link &&
	[ "$(readlink "$EVENTS/link")" = top ] && rm "$EVENTS/link" "$EVENTS/a/one" &&
	echo f >"$EVENTS/link" && ln -s "$TRASH/orig" "$EVENTS/a/one" &&
	restore "dev/$id" events/link events/a/one && [ "$(readlink "$EVENTS/link")" = top ] &&
	[ "$(cat "$EVENTS/a/one")" = "old a/one" ] && test_path_is_dir orig/dev &&
	mkdir aside && mv "$EVENTS/a" aside/ && ln -s "$TRASH/aside/a" "$EVENTS/a" &&
	look aside >want && settled && refused 1 "Too many levels of symbolic links" live \
		hxsnap restore "dev/$id" events/a/one && look aside >got && test_cmp want got &&
	refused 4 "has no .events/link/x" live hxsnap restore "dev/$id" events/link/x
'

test_expect_success 'one name of several of one file' '
	anew && other=$(inode "$EVENTS/a/twin") && restore "dev/$id" events/top &&
	[ "$(stat -c %h "$EVENTS/top" "$EVENTS/a/twin")" = "1
1" ] && [ "$(cat "$EVENTS/top")" = "old top" ] &&
	[ "$(cat "$EVENTS/a/twin")" = "new top" ] && [ "$(inode "$EVENTS/a/twin")" = "$other" ] &&
	[ "$(inode "$EVENTS/top")" != "$other" ]
'

test_expect_success 'another type than before' '
	anew && rm -r "$EVENTS/a/one" "$EVENTS/other" && mkdir "$EVENTS/a/one" &&
	echo x >"$EVENTS/a/one/x" && ln -s nowhere "$EVENTS/other" &&
	restore "dev/$id" events/a/one events/other &&
	[ "$(cat "$EVENTS/a/one")" = "old a/one" ] &&
	test_same_tree orig/dev/events/other "$EVENTS/other"
'

# ---- databases ---------------------------------------------------------------

# sum DB
sum() {
	sqlite3 "$1" 'SELECT sum(x) FROM t'
}

test_expect_success 'a database in a directory: nothing stale beside it' '
	anew && sqlite3 "$EVENTS/a/m.db" "CREATE TABLE t(x); INSERT INTO t VALUES(1)" &&
	echo other >"$EVENTS/a/n.db-wal" && id=$(hxsnap -q create dev) &&
	crashed_wal "$EVENTS/a/m.db" && test_path_is_file "$EVENTS/a/m.db-wal" &&
	restore "dev/$id" events/a/m.db && (cd "$EVENTS/a" && ls -d *.db*) >got &&
	printf "m.db\nn.db-wal\n" >want && test_cmp want got &&
	[ "$(sum "$EVENTS/a/m.db")" = 1 ] && hxsnap -q rollback dev >out &&
	[ "$(sum "$EVENTS/a/m.db")" = 1001 ]
'

test_expect_success 'raw databases come back with what was beside them' '
	anew && crashed_wal "$EVENTS/a/m.db" && SOURCE_MORE="\"sqlite\": \"raw\"" \
		sources "events=$EVENTS" && id=$(hxsnap -q create dev) &&
	test_path_is_file "$STORE/backups/dev/$id/events/a/m.db-wal" &&
	[ "$(sum "$EVENTS/a/m.db")" = 1000 ] && sqlite3 "$EVENTS/a/m.db" "DELETE FROM t" &&
	test_path_is_missing "$EVENTS/a/m.db-wal" && restore "dev/$id" events/a/m.db &&
	[ "$(sum "$EVENTS/a/m.db")" = 1000 ] && rm -r "$EVENTS/a" &&
	restore "dev/$id" events/a/m.db-wal events/a/m.db &&
	[ "$(sum "$EVENTS/a/m.db")" = 1000 ]
'

# ---- what is refused ---------------------------------------------------------

test_expect_success 'what backups leave out and a snapshot has nevertheless' '
	anew && echo theirs >"$EVENTS/.env" && rm -rf "$STORE/backups" &&
	foreign_snapshot dev 20260101T000000Z "$EVENTS" "$STATE" && echo ours >"$EVENTS/.env" &&
	settled && refused 5 "events/.env. is left out of backups" live \
		hxsnap restore dev/latest events/.env && restore dev/latest &&
	[ "$(cat "$EVENTS/.env")" = ours ] && rm "$EVENTS/.env" &&
	restore dev/latest events/.env && [ "$(cat "$EVENTS/.env")" = theirs ]
'

test_expect_success SETPRIV 'an ordinary user: a chain of parents, one not passable' '
	rm -rf own "$STORE" && mkdir -p own/live/a/b && echo f >own/live/a/b/f &&
	echo g >own/live/a/b/g && echo h >own/live/a/h && chmod 500 own/live/a/b &&
	chmod 311 own/live/a && chown -R 65534 own && kept=$STORE &&
	test_when_finished "STORE=$kept" && STORE=$TRASH/own/store &&
	sources "all=$TRASH/own/live" && as_nobody hxsnap -q init "$STORE" &&
	id=$(hxsnap -q create dev) && chown -R 65534 own/store && rm -r own/live/a &&
	as_nobody hxsnap -q restore "dev/$id" all/a/b/f all/a/b/g all/a/h >out && no_remains &&
	(cd own/live && find . -printf "%p %m\n" | sort) >got && sed 1d got >rest &&
	printf "%s\n" "./a 311" "./a/b 500" "./a/b/f 644" "./a/b/g 644" "./a/h 644" >want &&
	test_cmp want rest
'

test_done
