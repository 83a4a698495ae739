#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='create: what is unchanged is linked, and only that'
. "$(dirname "$0")/../lib/lib.sh"

# Wait until nothing made so far changed too recently to be linked later.
settle() {
	local stamp
	stamp=$(date +%s%N) &&
		test_poll 5 '[ $(($(date +%s%N) - stamp)) -gt 100000000 ]'
}

# create [OPTIONS]: its id in $id, the directory in $snap, the number of
# linked files in $linked.
create() {
	hxsnap --json create dev "$@" >out 2>err || return
	id=$(sed "s/.*\"id\":\"\([^\"]*\)\".*/\1/" out) &&
		linked=$(sed "s/.*\"linked_files\":\([0-9]*\).*/\1/" out) &&
		snap=$STORE/backups/dev/$id
}

# same FILE SNAP1 SNAP2: whether they share it.
same() {
	[ "$(stat -c %i "$2/events/$1")" = "$(stat -c %i "$3/events/$1")" ]
}

# Both copies hold what is there now, and sha256sum agrees.
right() {
	test_same_tree --no-nlink "$EVENTS" "$snap/events" &&
		(cd "$snap" && sha256sum -c --strict --quiet manifest.sha256)
}

test_expect_success 'set up: ten files, ten kinds of change' '
	new_env dev && echo x >"$STATE/x" &&
	for f in same content size mtime mode replaced link xattr gone twin; do
		echo "$f $f" >"$EVENTS/$f" || return 1
	done && ln "$EVENTS/twin" "$EVENTS/twin2" && mkdir "$EVENTS/d" &&
	echo deep >"$EVENTS/d/same" && ln -s same "$EVENTS/symlink" && settle &&
	create && first=$snap && [ "$linked" -eq 0 ]
'

test_expect_success 'nothing is linked from what was not verified' '
	create && [ "$linked" -eq 0 ] && ! same same "$first" "$snap" && right
'

test_expect_success 'unchanged: linked from the newest verified' '
	hxsnap -q verify "dev/$id" && verified=$snap &&
	create && [ "$linked" -eq 13 ] && same same "$verified" "$snap" &&
	same d/same "$verified" "$snap" && same twin "$verified" "$snap" &&
	same twin2 "$snap" "$verified" && right &&
	[ "$(stat -c %i "$snap/events/twin")" = \
		"$(stat -c %i "$snap/events/twin2")" ] && unverified=$snap
'

test_expect_success 'the verified one is linked from, not the newest' '
	create && same same "$verified" "$snap" && [ "$linked" -eq 13 ]
'

test_expect_success '--full links nothing' '
	create --full && [ "$linked" -eq 0 ] && ! same same "$verified" "$snap" &&
	right
'

test_expect_success 'what changed in any way is read again' '
	cd "$EVENTS" &&
	before=$(stat -c %y content) && echo "CONTENT content" >content &&
	touch -d "$before" content &&
	echo more >>size && touch -d "1 hour ago" mtime && chmod 600 mode &&
	cp -a replaced new && mv new replaced && ln link link2 &&
	rm gone && { setfattr -n user.x -v 1 xattr || chmod 640 xattr; } &&
	cd "$TRASH" &&
	create && for f in content size mtime mode replaced link xattr; do
		! same $f "$verified" "$snap" || return 1
	done && test_path_is_missing "$snap/events/gone" &&
	same same "$verified" "$snap" && same twin "$verified" "$snap" &&
	right && [ "$linked" -eq 5 ]
'

test_expect_success 'a file changed right after it was captured is read again' '
	for i in 1 2 3 4 5 6 7 8; do
		echo "aaaa $i" >"$EVENTS/racy" && create &&
		ref=$(stat -c %y "$EVENTS/racy") &&
		echo "bbbb $i" >"$EVENTS/racy" && touch -d "$ref" "$EVENTS/racy" &&
		hxsnap -q verify "dev/$id" && create && right || return 1
	done
'

test_expect_success 'a stored copy that is not what it was is not linked' '
	settle && create && hxsnap -q verify "dev/$id" && base=$snap &&
	touch -d "2 hours ago" "$base/events/same" &&
	truncate -s 3 "$base/events/d/same" &&
	rm "$base/events/mode" && mkdir "$base/events/mode" &&
	rm "$base/events/mtime" && ln -s /etc/passwd "$base/events/mtime" &&
	create && right && ! same same "$base" "$snap" &&
	same twin "$base" "$snap"
'

test_expect_success 'a verified snapshot whose manifest is another one now' '
	hxsnap -q verify "dev/$id" && base=$snap && create &&
	same same "$base" "$snap" && hxsnap -q verify "dev/$id" && base=$snap &&
	echo >>"$base/manifest.sha256" && create && [ "$linked" -eq 0 ] && right
'

test_expect_success 'links within the store only: live data share nothing' '
	find "$EVENTS" -type f -printf "%i\n" | sort -u >live-inodes &&
	find "$STORE" -type f -printf "%i\n" | sort -u >store-inodes &&
	comm -12 live-inodes store-inodes >both && test_line_count 0 both
'

test_expect_success LOOP 'too many links: copied' '
	mkdir -p fs && loop_fs ext4 200M fs && mkdir fs/live &&
	echo x >fs/live/f && echo y >fs/live/g && settle &&
	cat >many.json <<-END &&
	{"store": "$TRASH/fs/store", "environments": {"dev": {"sources": {
	  "events": {"kind": "directory", "path": "$TRASH/fs/live"}}}}}
	END
	HXSNAP_CONFIG=$TRASH/many.json && EVENTS=$TRASH/fs/live &&
	STORE=$TRASH/fs/store && create && hxsnap -q verify "dev/$id" &&
	mkdir fs/many && full=$snap && (cd fs/many && seq 64999 |
		xargs -n 5000 perl -e "for (@ARGV) { link shift(@{[\"$full/events/f\"]}), \$_ or die }") &&
	create && right && ! same f "$full" "$snap" && same g "$full" "$snap"
'

test_done
