#!/bin/sh
test_description='--json: one object, or one a line, with stable keys'
. "$(dirname "$0")/../lib/lib.sh"

# keys FILE WANT: the sorted keys of each object in FILE.
keys() {
	echo "$2" >want &&
		jq -r 'keys | join(" ")' "$1" | sort -u >got &&
		test_cmp want got
}

# holds FILE EXPRESSION: jq says that it is true of every object.
holds() {
	jq -e "$2" "$1" >.true || {
		echo "not so: $2" && cat "$1"
		return 1
	}
}

test_expect_success 'create: one object' '
	new_env dev && echo one >"$EVENTS/a" && echo two >"$STATE/b" &&
	mkfifo "$STATE/fifo" &&
	hxsnap --json create dev --tag x >out 2>err &&
	test_line_count 1 out &&
	keys out "bytes failed_hooks files id linked_bytes linked_files reference seconds warnings" &&
	id=$(jq -r .id out) && test_path_is_dir "$STORE/backups/dev/$id" &&
	holds out ".reference == \"dev/$id\" and .files == 2 and .bytes == 8" &&
	holds out ".linked_files == 0 and .linked_bytes == 0 and .seconds >= 0" &&
	holds out "(.warnings | length) == 1 and (.warnings[0] | contains(\"fifo\"))" &&
	test_grep "warning: .*fifo" err &&
	rm "$STATE/fifo"
'

test_expect_success 'create again: what was linked, no warnings' '
	hxsnap -q create dev >/dev/null && # the sources are settled by now
	id=$(hxsnap -q create dev --tag x) && hxsnap -q verify dev/latest &&
	hxsnap -q --json create dev --keep >out 2>err &&
	test_line_count 0 err && second=$(jq -r .id out) &&
	holds out ".linked_files == 2 and .linked_bytes == 8 and .warnings == []"
'

list_keys="bytes created environment files foreign id kept kind readable reason reference tags verified"

test_expect_success 'list: an object a line' '
	foreign_snapshot beta 20260205T152900Z "$EVENTS" &&
	hxsnap --json list >out && test_line_count 5 out &&
	keys out "$list_keys" &&
	jq -c "select(.environment == \"beta\")" out >beta &&
	holds beta ".id == \"20260205T152900Z\" and .foreign and (.kept | not)" &&
	holds beta ".created == \"2026-02-05T15:29:00Z\" and .files == null" &&
	holds beta ".verified == null and .tags == [] and .readable and .reason == null" &&
	jq -c "select(.id == \"$id\")" out >first &&
	holds first ".kind == \"backup\" and .files == 2 and .bytes == 8" &&
	holds first ".tags == [\"x\"] and .reference == \"dev/$id\"" &&
	holds first ".verified.passed and .verified.faults == 0" &&
	holds first ".verified.first_fault == null" &&
	jq -c "select(.id == \"$second\")" out >next && holds next ".kept"
'

test_expect_success 'show: one object with the keys of list and more' '
	hxsnap --json show "dev/$second" >out &&
	keys out "$(echo "$list_keys damage entries git_commit hostname \
		manifest_sha256 previous snapshot_bytes snapshot_files sources \
		tool_version verified_is_stale warnings" | xargs -n 1 | sort | xargs)" &&
	sum=$(sha256sum "$STORE/backups/dev/$second/manifest.sha256") &&
	holds out ".manifest_sha256 == \"${sum%% *}\" and .damage == null" &&
	sum=$(sha256sum "$STORE/backups/dev/$id/manifest.sha256") &&
	holds out ".previous == {id: \"$id\", manifest_sha256: \"${sum%% *}\"}" &&
	holds out ".sources.events == {kind: \"directory\", path: \"$EVENTS\",
		files: 1, bytes: 4}" &&
	hxsnap --json show beta/latest >out &&
	holds out ".previous == null and .sources == {} and .hostname == null" &&
	holds out ".snapshot_files == 1 and .snapshot_bytes == 4"
'

test_expect_success 'verify: each fault, then the snapshot' '
	echo x >"$EVENTS/c" && third=$(hxsnap -q create dev --full) &&
	hxsnap --json verify "dev/$third" >out && test_line_count 1 out &&
	keys out "bytes faults files foreign message passed recorded reference seconds type" &&
	holds out ".type == \"snapshot\" and .passed and .faults == 0" &&
	holds out ".message == null and (.foreign | not)" &&
	flip_byte "$STORE/backups/dev/$third/events/a" 1 &&
	rm "$STORE/backups/dev/$third/events/c" &&
	test_exit 3 hxsnap --json verify "dev/$third" >out &&
	test_line_count 3 out &&
	jq -c "select(.type == \"fault\")" out >faults && test_line_count 2 faults &&
	keys faults "expected fault found length offset path reason reference type" &&
	jq -c "select(.fault == \"block\")" faults >block &&
	holds block ".path == \"events/a\" and .offset == 0 and .length == 4" &&
	holds block ".expected != .found and (.expected | length) == 64" &&
	jq -c "select(.fault == \"missing\")" faults >missing &&
	holds missing ".path == \"events/c\" and .offset == null" &&
	tail -n 1 out >last &&
	holds last ".type == \"snapshot\" and (.passed | not) and .faults == 2" &&
	holds last "(.message | contains(\"$third\"))"
'

test_expect_success 'what cannot be opened is an object as well' '
	rm "$STORE/backups/dev/$third/manifest.sha256" &&
	test_exit 3 hxsnap --json verify "dev/$third" >out &&
	tail -n 1 out >last &&
	holds last ".type == \"snapshot\" and (.passed | not)" &&
	test_exit 3 hxsnap --json show "dev/$third" >out &&
	holds out "(.damage | contains(\"manifest\")) and (.readable | not)" &&
	holds out ".manifest_sha256 == null and .entries == null" &&
	hxsnap --json list dev | jq -c "select(.id == \"$third\")" >row &&
	holds row "(.readable | not) and (.reason | contains(\"manifest\"))"
'

test_expect_success 'diff: an object a line, both sides' '
	printf more >>"$EVENTS/a" && ln -s a "$EVENTS/l" && rm "$STATE/b" &&
	: >"$STATE/n" && chmod 640 "$STATE/n" &&
	touch -d "2026-02-05 15:29:00.123456789" "$STATE/n" &&
	fourth=$(hxsnap -q create dev --full --allow-shrink) &&
	hxsnap --json diff "dev/$second" "dev/$fourth" >out &&
	keys out "change new old path what" &&
	row() { jq -c "select(.path == \"$1\")" out >row && test_line_count 1 row; } &&
	row events/a && holds row ".change == \"modified\"" &&
	holds row ".what == [\"content\", \"time\"]" &&
	sum=$(sha256sum <"$EVENTS/a") &&
	holds row ".new.sha256 == \"${sum%% *}\" and .old.sha256 != .new.sha256" &&
	holds row ".old.size == 4 and .new.size == 8" &&
	row events/l && holds row ".change == \"added\" and .old == null" &&
	holds row ".new.type == \"link\" and .new.target == \"a\" and .what == []" &&
	row state/b && holds row ".change == \"removed\" and .new == null" &&
	row state/n &&
	holds row ".new.mtime == \"2026-02-05T15:29:00.123456789Z\"" &&
	holds row ".new.mode == 416" &&
	jq -r .path out | LC_ALL=C sort -c
'

test_expect_success 'names that are no UTF-8 survive the way through Python' '
	name=$(printf "caf\\351\\n\\033") && : >"$EVENTS/$name" &&
	before=$fourth && hxsnap -q create dev >/dev/null &&
	hxsnap --json diff "dev/$before" dev/latest >out &&
	python3 - "$EVENTS" <<-\END
	import json, os, sys
	paths = [json.loads(line)["path"] for line in open("out")]
	names = [p.encode("utf-8", "surrogateescape").rpartition(b"/")[2] for p in paths]
	sys.exit(b"caf\351\n\033" not in names)
	END
'

test_expect_success 'failures are no JSON: standard output stays empty' '
	test_exit 4 hxsnap --json show dev/20200101T000000Z >out 2>err &&
	test_line_count 0 out && test_grep "^hxsnap: " err &&
	test_exit 2 hxsnap --json list Dev >out 2>err && test_line_count 0 out &&
	test_exit 4 hxsnap --json create nosuch >out 2>err &&
	test_line_count 0 out
'

test_done
