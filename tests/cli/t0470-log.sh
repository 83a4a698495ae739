#!/bin/sh
test_description='log: the versions of one file over all snapshots'
. "$(dirname "$0")/../lib/lib.sh"

# make: a backup in a second of its own; its id is $id.
make() {
	id=$(hxsnap -q create dev --allow-shrink)
}

# rows [OPTION]... PATH: newest, oldest, count, change, content; one a line.
rows() {
	hxsnap --json log dev "$@" >.json &&
		jq -r '[(.newest, .oldest | sub("dev/(.rollbacks/)?"; "")), .snapshots,
			(.change // "-"), if .absent then "absent" else
			.sha256 // .target // .type end] |
			map(tostring) | join(" ")' .json
}

sum() {
	sha256sum "$1" | cut -d " " -f 1
}

test_expect_success 'versions, an absence between them, the same one again' '
	new_env dev && echo one >"$EVENTS/f" && echo x >"$STATE/s" &&
	sum_one=$(sum "$EVENTS/f") &&
	make && a=$id && make && b=$id &&
	echo "two and more" >"$EVENTS/f" && sum_two=$(sum "$EVENTS/f") &&
	make && c=$id &&
	rm "$EVENTS/f" && : >"$EVENTS/other" && make && d=$id &&
	echo one >"$EVENTS/f" && make && e=$id && make && f=$id &&
	cat >want <<-END &&
	$f $e 2 added $sum_one
	$d $d 1 removed absent
	$c $c 1 modified $sum_two
	$b $a 2 - $sum_one
	END
	rows events/f >got && test_cmp want got
'

test_expect_success 'as text: references, size, when it was written, SHA-256' '
	touch -d "2001-02-03 04:05:06" "$EVENTS/f" && make && g=$id &&
	hxsnap log dev events/f >got &&
	sed -n 1p got | grep -x "NEWEST  *OLDEST  *IN  *SIZE  *WRITTEN  *CHANGE  *CONTENT" &&
	test_line_count 5 got &&
	sed -n 2p got | grep "^dev/$g  *$e  *3  *4 B  *20[^ ]*Z  *added  *$sum_one$" &&
	sed -n 3p got | grep "^dev/$d  *$d  *1  *-  *-  *removed  *absent$" &&
	sed -n 4p got | grep " content  *$sum_two$" &&
	cat >want <<-END &&
	one
	END
	ref=$(sed -n 5p got | cut -d " " -f 1) &&
	hxsnap -q restore "$ref" events/f --to out && test_cmp want out/events/f
'

test_expect_success 'what came late is told from when it came' '
	rows events/other >got &&
	echo "$g $d 4 added $(sum "$EVENTS/other")" >want && test_cmp want got &&
	rm "$EVENTS/other" && make && h=$id && rows events/other >got &&
	sed -n 1p got | grep -x "$h $h 1 removed absent" && test_line_count 2 got
'

test_expect_success 'modes, kinds and targets are versions, times are none' '
	touch "$STATE/s" && make && rows state/s >got && test_line_count 1 got &&
	chmod 600 "$STATE/s" && make && rows state/s >got &&
	test_line_count 2 got &&
	jq -e -s ".[0].what == [\"mode\"] and .[0].sha256 == .[1].sha256" .json &&
	rm "$STATE/s" && ln -s here "$STATE/s" && make &&
	ln -sfn there "$STATE/s" && make &&
	rows state/s | sed "s/^[^ ]* [^ ]* //" >got &&
	cat >want <<-END &&
	1 modified there
	1 modified here
	END
	head -n 2 got >head && test_cmp want head &&
	jq -e -s ".[0].what == [\"content\"] and .[1].what[0] == \"type\"" .json &&
	hxsnap log dev state/s >got && grep -e "-> there$" got
'

test_expect_success 'a directory: when anything in it changed, and how' '
	mkdir -p "$EVENTS/d/e" && echo 1 >"$EVENTS/d/e/x" &&
	make && p=$id &&
	echo 2 >"$EVENTS/d/y" && echo 3 >"$EVENTS/d/z" &&
	echo 11 >"$EVENTS/d/e/x" && make && q=$id && echo 4 >"$EVENTS/w" &&
	make && r=$id &&
	rm "$EVENTS/d/z" && make && s=$id &&
	cat >want <<-END &&
	$s $s 1 modified directory
	$r $q 2 modified directory
	$p $p 1 added directory
	END
	rows events/d/ >got && test_cmp want got &&
	jq -s -c ".[] | [.added, .removed, .modified, .files, .bytes]" .json >got &&
	cat >want <<-END &&
	[0,1,0,2,5]
	[2,0,1,3,7]
	[0,0,0,1,2]
	END
	test_cmp want got &&
	hxsnap log dev events/d >got && grep " +2 M1  *directory of 3 files$" got &&
	grep " -1  *directory of 2 files$" got && grep "of 1 file$" got
'

test_expect_success 'a source itself' '
	rows events >got && sed -n 1p got | grep "^$s $s 1 modified directory$" &&
	test_exit 4 hxsnap log dev nothing 2>err &&
	test_grep "no backup of .dev. holds .nothing." err &&
	test_exit 4 hxsnap log dev events/f/below &&
	test_exit 4 hxsnap log other events
'

test_expect_success 'words that are wrong' '
	test_exit 2 hxsnap log dev &&
	test_exit 2 hxsnap log dev events/f more &&
	test_exit 2 hxsnap log dev/latest events/f &&
	for path in "" / /events events//f events/../f ./events ..; do
		test_exit 2 hxsnap log dev "$path" || return 1
	done
'

test_expect_success 'rollback points have versions of their own' '
	echo three >"$EVENTS/f" && hxsnap -q restore "dev/$a" events/f >rb1 &&
	hxsnap -q restore "dev/$c" events/f >rb2 &&
	rows --rollbacks events/f >got &&
	cat >want <<-END &&
	$(cat rb2) $(cat rb2) 1 modified $sum_one
	$(cat rb1) $(cat rb1) 1 - $(echo three | sha256sum | cut -d " " -f 1)
	END
	test_cmp want got &&
	hxsnap log dev events/f --rollbacks >got &&
	grep "^dev/.rollbacks/$(cat rb2) " got
'

test_expect_success 'indexes alone are read' '
	rows events/d >want && for dir in "$STORE"/backups/dev/*/; do
		mv "$dir/events" "$dir/gone" || return 1
	done &&
	rows events/d >got && test_cmp want got &&
	for dir in "$STORE"/backups/dev/*/; do
		mv "$dir/gone" "$dir/events" || return 1
	done
'

test_expect_success 'snapshots that another program made' '
	mkdir old && echo zero >old/f && mkdir events.old &&
	cp -a "$EVENTS" events && echo zero >events/f &&
	chmod --reference="$EVENTS/f" events/f &&
	foreign_snapshot dev 20200101T000000Z events &&
	foreign_snapshot dev 20200102T000000Z events &&
	rows events/f | tail -n 2 >got &&
	sed -n 2p got | grep -x "20200102T000000Z 20200101T000000Z 2 - $(sum events/f)"
'

test_expect_success 'standard output that takes nothing is a failure' '
	test_exit 1 hxsnap log dev events >/dev/full &&
	test_exit 1 hxsnap --json log dev events >/dev/full
'

test_expect_success 'a damaged snapshot is told and passed over, with 3' '
	rows events/f >want && flip_byte "$STORE/backups/dev/$b/index.hxi" 400 &&
	test_exit 3 hxsnap --json log dev events/f >.json 2>err &&
	test_grep "warning: .*$b.*passed over" err &&
	test_grep "1 of [0-9]* snapshots of .dev. could not" err &&
	[ "$(jq -s length .json)" -eq "$(wc -l <want)" ] &&
	jq -e -s --arg a "dev/$a" "any(.newest == \$a and .snapshots == 1)" .json &&
	rm "$STORE/backups/dev/$q/manifest.sha256" &&
	test_exit 3 hxsnap -q log dev events/d >got 2>err &&
	test_line_count 1 err && test_grep "2 of" err && test_line_count 6 got
'

test_done
