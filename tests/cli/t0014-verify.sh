#!/bin/sh
test_description='verify: every kind of damage is found, named, and 3'
. "$(dirname "$0")/../lib/lib.sh"

big=events/big.bin

test_expect_success 'set up: a native snapshot and a foreign one' '
	new_env dev &&
	seq 1 100000 >"$EVENTS/big.bin" && # nine blocks
	echo small >"$EVENTS/a.json" && : >"$EVENTS/empty" &&
	ln -s a.json "$EVENTS/link" && mkdir "$EVENTS/dir" &&
	echo deep >"$EVENTS/dir/deep" && echo state >"$STATE/s" &&
	id=$(hxsnap -q create dev) &&
	foreign_snapshot beta 20260205T152900Z "$EVENTS" "$STATE" &&
	native=$STORE/backups/dev/$id &&
	foreign=$STORE/backups/beta/20260205T152900Z &&
	cp -a "$native" native.keep && cp -a "$foreign" foreign.keep &&
	blocks=$((($(stat -c %s "$EVENTS/big.bin") + 65535) / 65536)) &&
	[ "$blocks" -eq 9 ]
'

# fresh: both snapshots as they were.
fresh() {
	rm -rf "$native" "$foreign" &&
		cp -a native.keep "$native" && cp -a foreign.keep "$foreign"
}

# found KIND PATH [SNAPSHOT]: verify says exactly this one fault, once, and 3.
found() {
	ref=${3:-dev/$id}
	test_exit 3 timeout 60 hxsnap -q verify "$ref" >out 2>err &&
		test_line_count 1 out &&
		test_grep "^$1 $ref${2:+/$2}: " out &&
		test_grep "^hxsnap: .*$ref.* 1 fault" err
}

# in_native, in_foreign KIND PATH COMMAND...: COMMAND, run inside the snapshot,
# makes this fault there; in_both: in either.
in_native() {
	kind=$1 file=$2
	shift 2
	fresh && (cd "$native" && "$@") && found "$kind" "$file"
}
in_foreign() {
	kind=$1 file=$2
	shift 2
	fresh && (cd "$foreign" && "$@") &&
		found "$kind" "$file" beta/20260205T152900Z
}
in_both() {
	in_native "$@" && in_foreign "$@"
}

test_expect_success 'what is right: status 0, nothing on standard output' '
	hxsnap verify dev/latest >out 2>err && test_line_count 0 out &&
	test_grep "dev/$id. is right: 7 files" err &&
	hxsnap verify beta/latest >out 2>err && test_line_count 0 out &&
	test_grep "beta/20260205T152900Z. is right: 5 files" err &&
	hxsnap -q verify dev >out 2>err && test_line_count 0 out &&
	test_line_count 0 err &&
	hxsnap verify --all >out 2>err && test_line_count 0 out &&
	test_line_count 2 err
'

test_expect_success 'a flipped byte: which block, where' '
	fresh && flip_byte "$native/$big" 200000 && found block "$big" &&
	test_grep "196608" out &&
	fresh && flip_byte "$foreign/$big" 200000 &&
	found digest "$big" beta/20260205T152900Z
'

test_expect_success 'every block that is wrong is named, not only the first' '
	fresh && flip_byte "$native/$big" 0 && flip_byte "$native/$big" 70000 &&
	flip_byte "$native/$big" 588888 && flip_byte "$native/events/a.json" 2 &&
	test_exit 3 hxsnap -q verify dev/latest >out 2>err &&
	test_line_count 4 out &&
	[ "$(grep -c "^block dev/$id/$big: " out)" -eq 3 ] &&
	test_grep "^block dev/$id/events/a.json: " out &&
	test_grep "4 faults" err
'

test_expect_success 'missing, an empty one too' '
	in_both missing events/a.json rm events/a.json &&
	in_both missing events/empty rm events/empty &&
	fresh && rm -r "$native/events/dir" "$foreign/events/dir" &&
	test_exit 3 hxsnap -q verify dev/latest >out &&
	test_grep "^missing dev/$id/events/dir: " out &&
	test_grep "^missing dev/$id/events/dir/deep: " out &&
	test_exit 3 hxsnap -q verify beta/latest >out &&
	test_grep "^missing beta/20260205T152900Z/events/dir/deep: " out
'

test_expect_success 'of directories that are not there the uppermost is named' '
	fresh && mkdir -p "$foreign" &&
	sed "s,  events/dir/deep,  events/no/such/place/deep," \
		<"$foreign/manifest.sha256" >edited &&
	mv edited "$foreign/manifest.sha256" && rm -r "$foreign/events/dir" &&
	test_exit 3 hxsnap -q verify beta/latest >out &&
	test_grep "^missing beta/20260205T152900Z/events/no: " out &&
	test_grep "^missing beta/20260205T152900Z/events/no/such/place/deep: " \
		out && test_line_count 2 out &&
	fresh && rm -r "$native/events/dir" && : >"$native/events/dir" &&
	test_exit 3 hxsnap -q verify dev/latest >out &&
	test_grep "^type dev/$id/events/dir: " out && cat out &&
	fresh && rm -r "$native/events" &&
	test_exit 3 hxsnap -q verify dev/latest >out &&
	test_grep "^missing dev/$id/events: " out &&
	test_grep ! "^missing dev/$id/events/dir: " out &&
	test_grep "^missing dev/$id/events/dir/deep: " out
'

test_expect_success 'extra: a file, at the top, with a strange name' '
	in_both extra events/new sh -c ": >events/new" &&
	in_both extra stray sh -c ": >stray" &&
	in_both extra "events/x.n-" cp events/a.json "events/x
-"
'

test_expect_success 'longer, shorter, emptied' '
	in_native size events/a.json sh -c "echo more >>events/a.json" &&
	in_native size "$big" truncate -s 588000 "$big" &&
	in_native size events/a.json truncate -s 0 events/a.json &&
	in_native size events/empty sh -c "echo >events/empty" &&
	in_foreign digest events/a.json sh -c "echo more >>events/a.json" &&
	in_foreign digest "$big" truncate -s 588000 "$big" &&
	in_foreign digest events/a.json truncate -s 0 events/a.json &&
	in_foreign digest events/empty sh -c "echo >events/empty"
'

test_expect_success 'a link, a FIFO, a directory, a socket in place of a file' '
	in_both type events/a.json sh -c "rm events/a.json &&
		ln -s ../state/s events/a.json" &&
	in_both type events/a.json sh -c "rm events/a.json &&
		mkfifo events/a.json" &&
	fresh && rm "$native/events/a.json" && mkdir "$native/events/a.json" &&
	test_exit 3 hxsnap -q verify dev/latest >out &&
	test_grep "^type dev/$id/events/a.json: " out &&
	in_both type events/a.json python3 -c "
import os, socket
os.unlink(\"events/a.json\")
socket.socket(socket.AF_UNIX).bind(\"events/a.json\")"
'

test_expect_success 'a link to a right copy outside is no way in' '
	cp -a "$native/events/a.json" "$TRASH/outside" &&
	in_both type events/a.json ln -sf "$TRASH/outside" events/a.json &&
	fresh && cp -a "$native/events" "$TRASH/elsewhere" &&
	rm -r "$native/events" && ln -s "$TRASH/elsewhere" "$native/events" &&
	test_exit 3 hxsnap -q verify dev/latest >out && test_grep "events" out
'

test_expect_success 'a symbolic link that leads elsewhere (native)' '
	fresh && ln -sfn /etc/passwd "$native/events/link" &&
	found target events/link &&
	fresh && rm "$native/events/link" &&
	test_exit 3 hxsnap -q verify dev/latest >out &&
	test_line_count 1 out && test_grep " dev/$id/events/link: " out
'

# That this user may not read it says nothing of what is stored: no result.
test_expect_success SETPRIV 'a file that this user may not read is no fault' '
	fresh && chmod a+r "$native/index.hxi" "$native/manifest.sha256" &&
	chmod 0 "$native/events/a.json" &&
	test_exit 1 as_nobody "$(command -v hxsnap)" --store "$STORE" \
		verify dev/latest >out 2>err &&
	test_grep "dev/$id/events/a.json.*Permission denied" err
'

test_expect_success TMPFS 'what was found stays found, and is recorded' '
	fresh && flip_byte "$native/events/a.json" 3 &&
	mkdir -p "$native/events/sub" &&
	mount -t tmpfs none "$native/events" &&
	test_when_finished "umount \"$native/events\"" &&
	test_exit 3 hxsnap verify "dev/$id" >out 2>err &&
	test_grep "^type dev/$id/events: " out &&
	[ "$(hxsnap --json show "dev/$id" | jq .verified.passed)" = false ]
'

test_expect_success 'the manifest: a byte flipped, cut short, cut to nothing, gone' '
	for spoil in "flip_byte manifest.sha256 5" \
		"flip_byte manifest.sha256 70" \
		"truncate -s -1 manifest.sha256" \
		"truncate -s 100 manifest.sha256" "truncate -s 0 manifest.sha256" \
		"rm manifest.sha256"; do
		fresh && (cd "$native" && $spoil) && found snapshot "" &&
		fresh && (cd "$foreign" && $spoil) &&
		test_exit 3 hxsnap -q verify beta/latest >out 2>err &&
		test_grep " beta/20260205T152900Z" out || return 1
	done
'

test_expect_success 'the index: flipped anywhere, cut, grown, gone' '
	size=$(stat -c %s "$native/index.hxi") &&
	for at in 0 8 40 136 216 260 300 400 $((size / 2)) $((size - 1)); do
		fresh && flip_byte "$native/index.hxi" "$at" &&
		found snapshot "" || return 1
	done &&
	for spoil in "truncate -s 255" "truncate -s -8" "truncate -s +8" rm; do
		fresh && $spoil "$native/index.hxi" &&
		found snapshot "" || return 1
	done
'

test_expect_success 'a native snapshot under another name or environment' '
	fresh && mkdir -p "$STORE/backups/other" &&
	cp -a "$native" "$STORE/backups/other/$id" &&
	test_exit 3 hxsnap -q verify "other/$id" >out &&
	cp -a "$native" "$STORE/backups/dev/20200101T000000Z" &&
	test_exit 3 hxsnap -q verify dev/20200101T000000Z >out &&
	rm -r "$STORE/backups/other" "$STORE/backups/dev/20200101T000000Z"
'

test_expect_success 'a foreign manifest that is none' '
	line=$(head -n 1 foreign.keep/manifest.sha256) &&
	for bad in "" "x" "# comment" "${line%% *}  ../../../etc/passwd" \
		"${line%% *}  /etc/passwd" "${line%% *}  a//b" "${line%% *}  ./" \
		"${line%% *} events/x" "SHA256 (x) = ${line%% *}" "$line" \
		"${line%% *}  manifest.sha256" "${line%% *}  events"; do
		fresh && printf "%s\n" "$bad" >>"$foreign/manifest.sha256" &&
		test_exit 3 hxsnap -q verify beta/latest >out 2>err &&
		test_line_count 1 out &&
		test_grep "^snapshot beta/20260205T152900Z: .*line" out || return 1
	done
'

test_expect_success 'after damage it goes on with the next snapshot' '
	fresh && flip_byte "$native/$big" 1 && rm "$foreign/manifest.sha256" &&
	foreign_snapshot gamma 20260205T152900Z "$STATE" &&
	test_exit 3 hxsnap verify --all >out 2>err &&
	test_line_count 2 out &&
	test_grep "^snapshot beta/" out && test_grep "^block dev/" out &&
	test_grep "gamma/20260205T152900Z. is right" err &&
	hxsnap -q verify gamma
'

test_expect_success 'results are kept, and latest-verified follows' '
	hxsnap list >list &&
	grep "^beta/20260205T152900Z .* DAMAGED " list &&
	grep "^dev/$id .* DAMAGED " list &&
	grep "^gamma/20260205T152900Z .* yes " list &&
	test_exit 4 hxsnap show dev/latest-verified &&
	fresh && hxsnap -q verify dev &&
	hxsnap show dev/latest-verified >out
'

test_expect_success 'rollback points are part of an environment and of --all' '
	mkdir -p "$STORE/rollbacks/gamma" &&
	cp -a "$STORE/backups/gamma/20260205T152900Z" \
		"$STORE/rollbacks/gamma/20260206T000000Z" &&
	echo x >>"$STORE/rollbacks/gamma/20260206T000000Z/state/s" &&
	test_exit 3 hxsnap -q verify gamma >out &&
	test_grep "^digest gamma/.rollbacks/20260206T000000Z/state/s: " out &&
	test_exit 3 hxsnap -q verify --all >out && test_line_count 1 out &&
	hxsnap -q verify gamma/latest &&
	test_exit 3 hxsnap -q verify gamma/.rollbacks/latest >out
'

test_expect_success 'nothing to verify is no success' '
	hxsnap -q init none && test_exit 4 hxsnap --store none verify --all 2>err &&
	test_grep "no snapshot" err &&
	test_exit 4 hxsnap verify nosuch 2>err && test_grep "nosuch" err &&
	mkdir "$STORE/backups/bare" && test_exit 4 hxsnap verify bare 2>err &&
	test_exit 4 hxsnap verify dev/20200101T000000Z
'

test_expect_success 'the store is not written to but for the results' '
	fresh && find "$STORE/backups" "$STORE/rollbacks" -printf "%p %i %m %T@ %C@\n" |
		sort >before &&
	hxsnap -q verify dev && hxsnap -q verify beta &&
	find "$STORE/backups" "$STORE/rollbacks" -printf "%p %i %m %T@ %C@\n" |
		sort >after && test_cmp before after
'

test_expect_success ROOT 'a read-only store: verified all the same, with a warning' '
	mkdir ro && mount --bind "$STORE" ro && test_when_finished "umount ro" &&
	mount -o remount,bind,ro ro &&
	hxsnap --store ro verify dev >out 2>err && test_grep "warning" err
'

test_done
