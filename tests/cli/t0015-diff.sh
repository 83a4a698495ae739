#!/bin/sh
test_description='diff: what changed between two snapshots'
. "$(dirname "$0")/../lib/lib.sh"

# differ FROM TO <want
differ() {
	cat >want && hxsnap diff "$1" "$2" >got && test_cmp want got
}

# keep_time FILE COMMAND...: run it, the times stay as they were.
keep_time() {
	: >.time && touch -h -r "$1" .time &&
		touch -r "$(dirname "$1")" .dirtime &&
		file=$1 && shift && "$@" &&
		touch -h -r .time "$file" && touch -r .dirtime "$(dirname "$file")"
}

test_expect_success 'a snapshot and itself: nothing' '
	new_env dev && mkdir "$EVENTS/d" &&
	for f in a b c d/x d/y; do echo "$f" >"$EVENTS/$f" || return 1; done &&
	ln -s a "$EVENTS/link" && echo s >"$STATE/s" &&
	one=$(hxsnap -q create dev) &&
	differ "dev/$one" dev/latest </dev/null &&
	two=$(hxsnap -q create dev) &&
	differ "dev/$one" "dev/$two" </dev/null
'

test_expect_success 'added, removed, content, each with its directory' '
	echo new >"$EVENTS/d/new" && rm "$EVENTS/b" &&
	echo more >>"$EVENTS/a" && three=$(hxsnap -q create dev) &&
	differ "dev/$two" "dev/$three" <<-END &&
	M events/ (time)
	M events/a (content, time)
	- events/b
	M events/d/ (time)
	+ events/d/new
	END
	differ "dev/$three" "dev/$two" <<-END
	M events/ (time)
	M events/a (content, time)
	+ events/b
	M events/d/ (time)
	- events/d/new
	END
'

test_expect_success 'one thing at a time: mode, time, content, target, type' '
	chmod 600 "$EVENTS/a" &&
	touch -d "2020-01-01 00:00:00.000000001" "$EVENTS/c" &&
	keep_time "$EVENTS/d/x" sh -c "echo D/X >$EVENTS/d/x" &&
	keep_time "$EVENTS/link" ln -sfn c "$EVENTS/link" &&
	rm "$STATE/s" && mkdir "$STATE/s" && echo t >"$STATE/t" &&
	four=$(hxsnap -q create dev --full) &&
	hxsnap diff "dev/$three" "dev/$four" >got &&
	grep -x "M events/a (mode)" got &&
	grep -x "M events/c (time)" got &&
	grep -x "M events/d/x (content)" got &&
	grep -x "M events/link (content)" got &&
	grep "^M state/s/ (type" got &&
	sort -c -k 2 got
'

test_expect_success 'hard links made and parted' '
	ln "$EVENTS/d/x" "$EVENTS/d/z" && five=$(hxsnap -q create dev) &&
	hxsnap diff "dev/$four" "dev/$five" >got &&
	grep -x "+ events/d/z" got &&
	keep_time "$EVENTS/d/z" sh -c "cp -p $EVENTS/d/z t && rm $EVENTS/d/z &&
		cp -p t $EVENTS/d/z" && six=$(hxsnap -q create dev) &&
	hxsnap diff "dev/$five" "dev/$six" >got &&
	grep "^M events/d/z (.*links" got
'

test_expect_success XATTR 'extended attributes' '
	setfattr -n user.color -v blue "$EVENTS/c" &&
	seven=$(hxsnap -q create dev) &&
	differ "dev/$six" "dev/$seven" <<-END
	M events/c (xattrs)
	END
'

test_expect_success ROOT 'owners' '
	chown 1234:4321 "$EVENTS/c" && before=$(hxsnap -q create dev) &&
	chown 1235:4321 "$EVENTS/c" && hxsnap -q create dev &&
	differ "dev/$before" dev/latest <<-END
	M events/c (owner)
	END
'

test_expect_success 'foreign against native, and against foreign' '
	foreign_snapshot dev 20200101T000000Z "$EVENTS" "$STATE" &&
	now=$(hxsnap -q create dev) &&
	hxsnap diff dev/20200101T000000Z "dev/$now" >got &&
	test_line_count 0 got &&
	cp -a "$EVENTS" "$TRASH/events" && echo x >"$TRASH/events/c" &&
	foreign_snapshot dev 20200102T000000Z "$TRASH/events" "$STATE" &&
	hxsnap diff dev/20200101T000000Z dev/20200102T000000Z >got &&
	grep -x "M events/c (content, time)" got && test_line_count 1 got
'

test_expect_success 'names that sort or show strangely' '
	mkdir "$EVENTS/e" && : >"$EVENTS/e/f" && : >"$EVENTS/e-" &&
	: >"$EVENTS/e.x" && : >"$EVENTS/tab	and
newline" && : >"$EVENTS/back\\slash" &&
	hxsnap -q create dev >/dev/null &&
	differ "dev/$now" dev/latest <<-\END
	M events/ (time)
	+ events/back\\slash
	+ events/e-
	+ events/e.x
	+ events/e/
	+ events/e/f
	+ events/tab\tand\nnewline
	END
'

test_expect_success 'damage: 3, and nothing is said of the content' '
	flip_byte "$STORE/backups/dev/$now/index.hxi" 400 &&
	test_exit 3 hxsnap diff "dev/$one" "dev/$now" >got 2>err &&
	test_line_count 0 got && test_grep "$now" err &&
	test_exit 3 hxsnap diff "dev/$now" "dev/$one" &&
	test_exit 4 hxsnap diff "dev/$one" dev/20200505T000000Z &&
	test_exit 2 hxsnap diff "dev/$one" dev
'

test_done
