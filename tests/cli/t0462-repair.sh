#!/bin/sh
test_description='repair: damaged files are put back from another copy'
. "$(dirname "$0")/../lib/lib.sh"

# fresh: the snapshot as it was made.
fresh() {
	rm -rf "$STORE/backups/dev/$id" && cp -a keep "$STORE/backups/dev/$id" &&
		hxsnap -q verify dev/latest
}

# whole: it is, to the inode's metadata, what it was.
whole() {
	hxsnap -q verify "dev/$id" && test_same_tree keep "$STORE/backups/dev/$id"
}

test_expect_success 'set up: a snapshot, and a copy of it' '
	new_env && head -c 300000 /dev/urandom >"$EVENTS/big" &&
	echo small >"$EVENTS/small" && : >"$EVENTS/empty" && mkdir "$EVENTS/dir" &&
	echo deep >"$EVENTS/dir/deep" && chmod 640 "$EVENTS/small" &&
	truncate -s 1M "$EVENTS/sparse" && echo end >>"$EVENTS/sparse" &&
	echo state >"$STATE/s" && id=$(hxsnap -q create dev) &&
	cp -a "$STORE/backups/dev/$id" keep && snap=$STORE/backups/dev/$id &&
	hxsnap -q verify dev
'

test_expect_success 'nothing is damaged: nothing is touched' '
	find "$snap" -printf "%p %i %C@\n" | sort >before &&
	hxsnap repair dev/latest --from keep >out && test_line_count 0 out &&
	find "$snap" -printf "%p %i %C@\n" | sort >after && test_cmp before after
'

test_expect_success 'bad blocks, a short file, a missing one: put back, the rest is not touched' '
	fresh && flip_byte "$snap/events/big" 70000 && flip_byte "$snap/events/big" 200000 &&
	truncate -s 3 "$snap/events/small" && rm "$snap/events/sparse" &&
	flip_byte "$snap/meta.json" 10 &&
	find "$snap/state" "$snap/events/empty" "$snap/index.hxi" -printf "%p %i %C@\n" | sort >before &&
	test_exit 3 hxsnap -q verify "dev/$id" >out 2>err &&
	hxsnap repair "dev/$id" --from keep >out 2>err &&
	sort out >got && printf "repaired %s from keep\n" events/big events/small \
		events/sparse meta.json >want && test_cmp want got &&
	test_grep "is right: 4 files put back" err && whole &&
	find "$snap/state" "$snap/events/empty" "$snap/index.hxi" -printf "%p %i %C@\n" | sort >after &&
	test_cmp before after && hxsnap list dev >out && test_grep "dev/$id .* yes " out &&
	[ "$(stat -c %b "$snap/events/sparse")" -lt 200 ] &&
	find "$STORE/.hxsnap/repair" -type f >left && test_line_count 0 left
'

test_expect_success 'a directory that is missing, too' '
	fresh && rm -r "$snap/events/dir" && hxsnap -q repair "dev/$id" --from "$TRASH/keep" >out &&
	hxsnap -q verify "dev/$id" && cmp keep/events/dir/deep "$snap/events/dir/deep"
'

test_expect_success 'a copy that is not what the manifest lists is not believed' '
	fresh && flip_byte "$snap/events/big" 70000 && flip_byte "$snap/events/small" 1 &&
	cp -a "$snap" bad && rm -rf other && cp -a keep other && flip_byte other/events/big 5 &&
	cp "$snap/events/big" was &&
	test_exit 3 hxsnap repair "dev/$id" --from other >out 2>err &&
	test_grep "^left events/big: the copy is another one" out &&
	test_grep "^repaired events/small from other$" out && test_cmp was "$snap/events/big" &&
	test_exit 3 hxsnap --json -q repair "dev/$id" --from other >out 2>err &&
	jq -s -e ".[0].repaired == false and .[1].passed == false and .[1].damaged == 1 and
		.[1].repaired == 0 and .[1].faults == 1" out &&
	truncate -s 2G other/events/big && test_exit 3 hxsnap -q repair "dev/$id" --from other >out 2>err &&
	rm other/events/big && ln -s "$TRASH/keep/events/big" other/events/big &&
	test_exit 3 hxsnap -q repair "dev/$id" --from other >out 2>err && # no link is followed
	rm other/events/big && mkfifo other/events/big &&
	test_exit 3 timeout 20 hxsnap -q repair "dev/$id" --from other >out 2>err &&
	test_cmp was "$snap/events/big" && hxsnap -q repair "dev/$id" --from keep >out && whole
'

test_expect_success 'from another snapshot of the store, made by anybody' '
	fresh && foreign_snapshot old 20260101T000000Z "$EVENTS" "$STATE" &&
	flip_byte "$snap/events/big" 7 && hxsnap -q repair dev/latest --from old/latest >out &&
	test_grep "^repaired events/big from old/latest$" out && whole &&
	flip_byte "$STORE/backups/old/20260101T000000Z/state/s" 1 &&
	rm "$STORE/backups/old/20260101T000000Z/events/small" &&
	hxsnap -q repair old/latest --from "dev/$id" >out && test_line_count 2 out &&
	hxsnap -q verify old
'

test_expect_success 'what nothing lists stays; a place that something else took, too' '
	fresh && echo x >"$snap/events/extra" && rm "$snap/events/small" &&
	ln -s "$TRASH/live" "$snap/events/small" && rm -r "$snap/events/dir" &&
	ln -s "$TRASH/elsewhere" "$snap/events/dir" && mkdir -p elsewhere &&
	test_exit 3 hxsnap -q repair "dev/$id" --from keep >out 2>err &&
	test_path_is_file "$snap/events/extra" &&
	[ -z "$(ls -A elsewhere)" ] && test_path_is_missing live/small &&
	cmp keep/events/small "$snap/events/small" && [ ! -L "$snap/events/small" ]
'

test_expect_success 'refused: a damaged manifest or index, a wrong word; told in the audit log' '
	fresh && flip_byte "$snap/manifest.sha256" 3 &&
	test_exit 3 hxsnap -q repair "dev/$id" --from keep >out 2>err && test_line_count 0 out &&
	fresh && flip_byte "$snap/index.hxi" 300 &&
	test_exit 3 hxsnap -q repair "dev/$id" --from keep >out 2>err && fresh &&
	test_exit 2 hxsnap repair --from keep &&
	test_exit 1 hxsnap repair "dev/$id" --from ./nowhere &&
	test_exit 4 hxsnap repair "dev/$id" --from nope/latest &&
	test_exit 4 hxsnap repair dev/20200101T000000Z --from keep &&
	grep "\"act\":\"repair\"" "$STORE/.hxsnap/audit.log" >acts &&
	grep -q "\"ok\":true" acts && grep -q "\"ok\":false" acts &&
	(
		exec 9<"$STORE/.hxsnap/locks/dev" && flock -x 9 &&
			test_exit 6 hxsnap -q repair "dev/$id" --from keep
	)
'

test_done
