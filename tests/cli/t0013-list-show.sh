#!/bin/sh
test_description='list and show: what there is'
. "$(dirname "$0")/../lib/lib.sh"

test_expect_success 'an empty store: nothing on standard output, status 0' '
	hxsnap -q init "$STORE" &&
	hxsnap --store "$STORE" list >out 2>err &&
	test_line_count 0 out && test_grep "no backups" err &&
	hxsnap --store "$STORE" -q list >out 2>err &&
	test_line_count 0 out && test_line_count 0 err &&
	hxsnap --store "$STORE" --json list >out && test_line_count 0 out &&
	test_exit 4 hxsnap --store "$STORE" list dev 2>err &&
	test_grep "dev" err
'

test_expect_success 'a backup and its row' '
	new_env dev && echo one >"$EVENTS/a.json" && echo two >"$STATE/b" &&
	first=$(hxsnap -q create dev --tag nightly --tag v1.2) &&
	hxsnap list >out && test_line_count 2 out &&
	sed -n 1p out | grep "^SNAPSHOT  *CREATED  *FILES  *SIZE  *VERIFIED  *TAGS  *MARKS" &&
	sed -n 2p out | grep "^dev/$first  *20[0-9-]*T[0-9:]*Z  *2  *8 B  *no  *nightly,v1.2  *-$" &&
	hxsnap list dev >again && test_cmp out again
'

test_expect_success 'verified, kept: in the row' '
	hxsnap -q verify dev/latest &&
	hxsnap list >out && sed -n 2p out | grep " yes " &&
	second=$(hxsnap -q create dev --keep) &&
	hxsnap list >out && test_line_count 3 out &&
	sed -n 3p out | grep "^dev/$second .* no  *-  *kept$" &&
	[ "$second" \> "$first" ]
'

test_expect_success 'several environments, sorted; one alone' '
	foreign_snapshot beta 20260206T000000Z "$EVENTS" &&
	foreign_snapshot alpha 20260205T000000Z "$EVENTS" &&
	foreign_snapshot beta 20260205T235959Z "$EVENTS" &&
	hxsnap list | sed 1d | cut -d " " -f 1 >got &&
	cat >want <<-END &&
	alpha/20260205T000000Z
	beta/20260205T235959Z
	beta/20260206T000000Z
	dev/$first
	dev/$second
	END
	test_cmp want got &&
	hxsnap list beta >out && test_line_count 3 out &&
	sed -n 2p out | grep "^beta/20260205T235959Z  *2026-02-05T23:59:59Z  *-  *-  *no  *-  *foreign$"
'

test_expect_success 'rollback points are listed apart' '
	mkdir -p "$STORE/rollbacks/beta" &&
	cp -a "$STORE/backups/beta/20260206T000000Z" \
		"$STORE/rollbacks/beta/20260207T000000Z" &&
	hxsnap list --rollbacks >out && test_line_count 2 out &&
	grep "^beta/.rollbacks/20260207T000000Z " out &&
	hxsnap list beta --rollbacks >again && test_cmp out again &&
	hxsnap list dev --rollbacks >out 2>err && test_line_count 0 out &&
	test_grep "no rollback points of .dev." err
'

test_expect_success 'what is no snapshot is not listed' '
	dir=$STORE/backups/dev &&
	mkdir "$dir/.new-20260101T000000Z-x" "$dir/20260230T000000Z" "$dir/x" \
		"$STORE/backups/Not-a-name" "$STORE/backups/.hidden" &&
	: >"$dir/20260101T000000Z" &&
	ln -s "$second" "$dir/20260102T000000Z" &&
	hxsnap list dev >out && test_line_count 3 out &&
	hxsnap list >out && test_line_count 6 out &&
	test_exit 4 hxsnap show dev/20260102T000000Z &&
	test_exit 4 hxsnap show dev/20260101T000000Z &&
	rm -r "$dir/.new-20260101T000000Z-x" "$dir/20260230T000000Z" "$dir/x" \
		"$STORE/backups/Not-a-name" "$STORE/backups/.hidden" \
		"$dir/20260101T000000Z" "$dir/20260102T000000Z"
'

test_expect_success 'references: latest, a prefix, a time, latest-verified' '
	for ref in "dev/$second" dev/latest "dev/latest/" \
		"dev/$(echo "$second" | cut -c -15)" "dev@9999-01-01T00:00:00Z"; do
		hxsnap show "$ref" >out &&
		grep -x "snapshot:     dev/$second" out || return 1
	done &&
	hxsnap show dev/latest-verified >out &&
	grep -x "snapshot:     dev/$first" out &&
	hxsnap show beta@2026-02-06T00:59:59+01:00 >out &&
	grep -x "snapshot:     beta/20260205T235959Z" out &&
	hxsnap show beta/.rollbacks/latest >out &&
	grep -x "kind:         rollback" out
'

test_expect_success 'references to what is not there, or is more than one' '
	test_exit 4 hxsnap show dev/20200101T000000Z 2>err && test_grep "2020" err &&
	test_exit 4 hxsnap show nosuch/latest 2>err && test_grep "nosuch" err &&
	test_exit 4 hxsnap show alpha/latest-verified 2>err &&
	test_grep "verified" err &&
	test_exit 4 hxsnap show alpha@2020-01-01T00:00:00Z 2>err &&
	test_exit 4 hxsnap show dev/.rollbacks/latest &&
	test_exit 2 hxsnap show beta/202602 2>err && test_grep "2 snapshots" err &&
	test_exit 2 hxsnap show dev 2>err && test_grep "^hint: .*dev/latest" err
'

test_expect_success 'show tells all of a native snapshot' '
	hxsnap show "dev/$first" >out &&
	manifest=$(sha256sum "$STORE/backups/dev/$first/manifest.sha256") &&
	grep -x "snapshot:     dev/$first" out &&
	grep -x "kind:         backup" out &&
	grep -x "form:         native" out &&
	grep -x "manifest:     ${manifest%% *}" out &&
	grep -x "tags:         nightly, v1.2" out &&
	grep -x "kept:         no" out &&
	grep "^host: " out &&
	grep "^verified:     20.*, right$" out &&
	grep "^  events  directory  1 file   *4 B  $EVENTS$" out &&
	grep "^  state   directory  1 file   *4 B  $STATE$" out &&
	hxsnap show "dev/$second" >out &&
	grep -x "kept:         yes" out &&
	grep -x "previous:     $first, manifest ${manifest%% *}" out &&
	grep -x "verified:     never" out
'

test_expect_success 'a verify of other bytes does not count' '
	cp "$STORE/.hxsnap/verify/backups/dev/$first.json" \
		"$STORE/.hxsnap/verify/backups/dev/$second.json" &&
	hxsnap show "dev/$second" >out &&
	grep "^verified:     not since its manifest changed" out &&
	rm "$STORE/.hxsnap/verify/backups/dev/$second.json"
'

test_expect_success 'show of a foreign snapshot, with and without meta.json' '
	hxsnap show alpha/latest >out &&
	grep "^form:         foreign" out &&
	grep "^holds:        1 file, 4 B" out &&
	dir=$STORE/backups/alpha/20260205T000000Z &&
	echo "{\"env\": \"alpha\", \"backup_id\": \"20260205T000000Z\",
		\"git_commit\": \"abc123\", \"extra\": [1]}" >"$dir/meta.json" &&
	test_exit 0 hxsnap list alpha >out &&
	(cd "$dir" && sha256sum meta.json >>manifest.sha256) &&
	hxsnap show alpha/latest >out && grep -x "git commit:   abc123" out
'

test_expect_success 'damage that can be seen at once: in list, and 3 from show' '
	dir=$STORE/backups/dev/$second &&
	cp -a "$dir" keep &&
	flip_byte "$dir/meta.json" 3 &&
	test_exit 3 hxsnap show "dev/$second" >out 2>err &&
	grep -x "snapshot:     dev/$second" out &&
	test_grep "meta.json" err &&
	rm "$dir/meta.json" &&
	hxsnap list dev >out && grep "^dev/$second .*unreadable: .*meta.json" out &&
	test_exit 3 hxsnap show "dev/$second" >out 2>err &&
	rm -r "$dir" && cp -a keep "$dir" &&
	rm "$dir/manifest.sha256" &&
	hxsnap list dev >out && grep "^dev/$second .*unreadable: .*manifest" out &&
	test_exit 3 hxsnap show "dev/$second" >out 2>err &&
	grep "^unreadable: .*manifest" out && test_grep "manifest" err &&
	rm -r "$dir" && cp -a keep "$dir" &&
	flip_byte "$dir/index.hxi" 300 &&
	test_exit 3 hxsnap show "dev/$second" >out 2>err &&
	test_grep "index" err &&
	echo "{\"env\": \"live\", \"backup_id\": \"$second\"}" >"$dir/meta.json" &&
	hxsnap list dev >out &&
	grep "^dev/$second .*unreadable: .*live/$second" out &&
	hxsnap show "dev/$first" >out && grep "^verified: .*right" out &&
	rm -r "$dir" && mv keep "$dir" && hxsnap show "dev/$second" >out
'

test_expect_success 'meta.json that is a FIFO, a link, a directory, 2 MiB' '
	dir=$STORE/backups/dev/$second &&
	cp -a "$dir" keep &&
	for make in "mkfifo \$f" "ln -s /etc/passwd \$f" "mkdir \$f" \
		"truncate -s 2M \$f"; do
		f=$dir/meta.json && rm -r "$f" && eval "$make" &&
		timeout 20 hxsnap list dev >out &&
		grep "^dev/$second .*unreadable: .*meta.json" out &&
		test_exit 3 timeout 20 hxsnap show "dev/$second" >out 2>err &&
		test_grep "meta.json" err || return 1
	done &&
	rm -r "$dir" && mv keep "$dir"
'

test_expect_success '1,000 snapshots are listed' '
	i=1000 && mkdir -p "$STORE/backups/many" &&
	while [ "$i" -lt 2000 ]; do
		cp -al "$STORE/backups/alpha/20260205T000000Z" \
			"$STORE/backups/many/${i}0101T000000Z" || return 1
		i=$((i + 1))
	done &&
	hxsnap list many >out && test_line_count 1001 out &&
	sed 1d out | sort -c
'

test_done
