#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='create: what is refused, and that nothing is left then'
. "$(dirname "$0")/../lib/lib.sh"

# refused STATUS PATTERN [OPTIONS]: create fails so, and leaves nothing.
refused() {
	local status="$1" pattern="$2"
	shift 2
	find "$STORE" ! -path "*/locks*" ! -name audit.log >before &&
		test_exit "$status" hxsnap create "${ENVIRONMENT:-dev}" "$@" \
			>out 2>err &&
		test_line_count 0 out && test_grep "$pattern" err &&
		test_grep "no snapshot was made" err &&
		find "$STORE" ! -path "*/locks*" ! -name audit.log >after &&
		test_cmp before after
}

# source PATH [PATH]: a configuration with these as sources.
source_at() {
	cat >"$HXSNAP_CONFIG" <<-END
	{"store": "$STORE", "environments": {"dev": {"sources": {"one":
	  {"kind": "directory", "path": "$1"}${2:+, "two":
	  {"kind": "directory", "path": "$2"\}}}}}}
	END
}

test_expect_success 'set up' '
	new_env dev && make_store && mkdir -p "$STORE/.hxsnap/locks" &&
	for i in $(seq 30); do printf %05d "$i" >"$EVENTS/$i"; done &&
	head -c 20000 /dev/zero >"$STATE/x"
'

test_expect_success 'an environment that there is not' '
	ENVIRONMENT=live refused 4 "live"
'

test_expect_success 'a server that is not there' '
	cp hxsnap.json saved && test_when_finished "cp saved hxsnap.json" &&
	cat >hxsnap.json <<-END &&
	{"store": "$STORE", "environments": {"dev": {"sources": {
	  "events": {"kind": "directory", "path": "$EVENTS"},
	  "db": {"kind": "postgres",
	    "dsn": "postgresql://x@/y?host=$PWD/nowhere"}}}}}
	END
	refused 1 "source .db.: cannot connect to database .y."
'

test_expect_success 'a missing source' '
	mv "$EVENTS" away && refused 5 "refused: source .events." &&
	test_grep "hint:.*mounted" err &&
	id=$(hxsnap -q create dev --allow-shrink 2>err) &&
	test_path_is_missing "$STORE/backups/dev/$id/events" &&
	grep -q "events. was left out" "$STORE/backups/dev/$id/meta.json" &&
	rm -rf "$STORE/backups/dev" &&
	mv "$STATE" away2 && refused 5 refused --allow-shrink &&
	mv away "$EVENTS" && mv away2 "$STATE"
'

test_expect_success 'an empty source' '
	mv "$EVENTS" away && mkdir -p "$EVENTS/only/directories" &&
	refused 5 "refused: source .events. is empty" &&
	test_grep "allow-shrink" err &&
	id=$(hxsnap -q create dev --allow-shrink) &&
	test_path_is_dir "$STORE/backups/dev/$id/events/only/directories" &&
	rm -rf "$STORE/backups/dev" "$EVENTS" && mv away "$EVENTS"
'

test_expect_success 'a source that shrank to a tenth, in files' '
	id=$(hxsnap -q create dev) && mkdir away &&
	for i in $(seq 4 30); do mv "$EVENTS/$i" away || return 1; done &&
	refused 5 "source .events. shrank from 30 files to 3" &&
	mv away/4 "$EVENTS" && hxsnap -q create dev && mv "$EVENTS/4" away &&
	hxsnap -q create dev && mv away/* "$EVENTS" && rmdir away
'

test_expect_success 'or in bytes; the newest that can be read counts' '
	rm -rf "$STORE/backups/dev" && id=$(hxsnap -q create dev) &&
	mkdir "$STORE/backups/dev/29990101T000000Z" &&
	rmdir "$STORE/backups/dev/29990101T000000Z" &&
	next=$(hxsnap -q create dev) &&
	echo junk >"$STORE/backups/dev/$next/meta.json" &&
	truncate -s 1999 "$STATE/x" &&
	refused 5 "source .state. shrank from 20000 bytes to 1999" &&
	truncate -s 2001 "$STATE/x" && hxsnap -q create dev &&
	truncate -s 200 "$STATE/x" && refused 5 "shrank from 2001 bytes" &&
	hxsnap -q create dev --allow-shrink && hxsnap -q create dev &&
	rm -rf "$STORE/backups/dev"
'

test_expect_success 'everything excluded, or .env alone, is empty' '
	mkdir ex && echo x >ex/.env && source_at "$TRASH/ex" &&
	refused 5 "is empty" && cp saved hxsnap.json
'

test_expect_success 'a source that is no directory and no file' '
	mkfifo fifo && source_at "$TRASH/fifo" && refused 2 "neither a directory" &&
	source_at /dev/null && refused 2 "neither a directory" &&
	ln -s loop loop && source_at "$TRASH/loop" && refused 1 "loop" &&
	cp saved hxsnap.json
'

test_expect_success SETPRIV 'what cannot be read fails, naming it' '
	mkdir np && cp -a "$EVENTS" np/live && mkdir np/live/d &&
	echo x >np/live/d/x && chown -R 65534:65534 np "$STORE" &&
	source_at "$TRASH/np/live" && as_nobody hxsnap -q create dev &&
	rm -rf "$STORE/backups/dev" &&
	for what in d/x 7 d; do
		mode=$(stat -c %a "np/live/$what") && chmod 0 "np/live/$what" &&
		test_exit 1 as_nobody hxsnap create dev >out 2>err &&
		test_grep "one/$what.*Permission denied; no snapshot" err &&
		chmod "$mode" "np/live/$what" || return 1
	done && ls -A "$STORE/backups" >left && test_line_count 0 left &&
	mkdir secret && mv np/live secret/live && chmod 700 secret &&
	source_at "$TRASH/secret/live" &&
	test_exit 1 as_nobody hxsnap create dev 2>err &&
	test_grep "Permission denied" err && cp saved hxsnap.json &&
	chown -R 0:0 "$STORE"
'

test_expect_success 'source and store inside one another, whatever the path' '
	id=$(hxsnap -q create dev) && ln -s "$STORE/backups" innocent &&
	ln -s . here &&
	for inside in "$STORE/backups" "$STORE/backups/dev" \
		"$STORE/backups/dev/$id/events" "$STORE/.hxsnap" \
		"$TRASH/innocent/dev" "$TRASH/here/store/backups"; do
		source_at "$inside" &&
		test_must_fail hxsnap create dev >out 2>err &&
		test_line_count 0 out && test_grep "store" err || return 1
	done &&
	for around in / "$TRASH" "$STORE" "$TRASH/here"; do
		source_at "$around" &&
		test_must_fail hxsnap create dev >out 2>err &&
		test_line_count 0 out && test_grep "store" err || return 1
	done && cp saved hxsnap.json && rm innocent here &&
	ls -A "$STORE/backups/dev" >left && test_line_count 1 left
'

test_expect_success ROOT 'the same through a bind mount' '
	mkdir bound && mount --bind "$STORE/backups" bound &&
	test_when_finished "umount \"$TRASH/bound\"" &&
	source_at "$TRASH/bound" && refused 5 "lies in the store" &&
	mkdir around && mkdir around/s && echo x >around/x &&
	mount --bind "$STORE" around/s &&
	test_when_finished "umount \"$TRASH/around/s\"" &&
	source_at "$TRASH/around" && id=$(hxsnap create dev 2>err) &&
	test_grep "another file system is mounted" err &&
	ls -A "$STORE/backups/dev/$id/one" >got && echo x >want &&
	test_cmp want got && cp saved hxsnap.json
'

test_expect_success FUSE 'a source on a mount of backups' '
	cp saved hxsnap.json && id=$(hxsnap -q create dev) && mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	source_at "$TRASH/mnt/dev/$id/events" &&
	refused 5 "lies in a mount of backups" && cp saved hxsnap.json
'

test_expect_success 'live data beside the store in one directory are fine' '
	mkdir -p project/data/events project/data/backups-old && cd project &&
	echo x >data/events/x && echo EVENT_STORE_PATH=data/events >.env.dev &&
	unset HXSNAP_CONFIG && hxsnap -q create dev &&
	echo EVENT_STORE_PATH=data/backups-old >.env.dev &&
	echo y >data/backups-old/y && hxsnap -q create dev &&
	for bad in data data/backups data/backups/dev data/.hxsnap .; do
		echo "EVENT_STORE_PATH=$bad" >.env.dev &&
		test_must_fail hxsnap create dev >out 2>err &&
		test_line_count 0 out &&
		test_grep "lies in\|are one place" err || return 1
	done && HXSNAP_CONFIG=$TRASH/hxsnap.json && export HXSNAP_CONFIG
'

test_expect_success 'a store that is not one' '
	mkdir nostore && sed "s,\"$STORE\",\"$TRASH/nostore\"," saved >hxsnap.json &&
	test_exit 2 hxsnap create dev 2>err &&
	test_grep "not a store: it is empty; is its file system mounted" err &&
	test_grep "hxsnap init" err && ls -A nostore >left &&
	test_line_count 0 left && echo x >nostore/x &&
	test_exit 2 hxsnap create dev 2>err && test_grep "not a store" err &&
	cp saved hxsnap.json
'

test_expect_success 'a store that everybody may write to' '
	chmod o+w "$STORE/backups" &&
	test_exit 5 hxsnap create dev 2>err && test_grep "writable by" err &&
	chmod o-w "$STORE/backups" && chmod o+w "$STORE" &&
	test_exit 5 hxsnap list 2>err && test_grep "writable by" err &&
	chmod o-w "$STORE" && hxsnap -q create dev
'

test_expect_success 'links in the place of parts of the store' '
	rm -rf "$STORE/backups/dev" && mkdir elsewhere &&
	ln -s ../../elsewhere "$STORE/backups/dev" &&
	test_must_fail hxsnap create dev 2>err && test_grep "no snapshot" err &&
	ls -A elsewhere >left && test_line_count 0 left &&
	rm "$STORE/backups/dev" && rm -rf "$STORE/.hxsnap/locks" &&
	ln -s ../../elsewhere "$STORE/.hxsnap/locks" &&
	test_must_fail hxsnap create dev 2>err && test_grep "no snapshot" err &&
	ls -A elsewhere >left && test_line_count 0 left &&
	rm "$STORE/.hxsnap/locks" && hxsnap -q create dev
'

test_expect_success 'a clock that was set back' '
	mkdir -p "$STORE/backups/dev/29990101T000000Z" &&
	refused 6 "2999-01-01T00:00:00Z" && test_grep "hint:.*clock" err &&
	rmdir "$STORE/backups/dev/29990101T000000Z"
'

test_expect_success TMPFS 'a read-only file system: says so, and can be read' '
	mkdir ro && mount -t tmpfs tmpfs ro && cp -a "$STORE" ro/store &&
	mount -o remount,ro ro && test_when_finished "umount \"$TRASH/ro\"" &&
	test_must_fail hxsnap --store ro/store create dev 2>err &&
	test_grep "Read-only file system; no snapshot was made" err &&
	hxsnap --store ro/store list dev &&
	hxsnap --store ro/store -q verify dev/latest
'

test_expect_success 'deeper than the format can hold: refused before any work' '
	mkdir deep && python3 -c "
import os, sys
os.chdir(os.path.join(sys.argv[1], \"deep\"))
for i in range(4096):
    os.mkdir(\"d\")
    os.chdir(\"d\")
" "$TRASH" &&
	source_at "$TRASH/deep" &&
	refused 1 "source .one. has more than 4096 directories in one another" &&
	cp saved hxsnap.json
'

test_done
