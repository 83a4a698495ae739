#!/bin/sh
test_description='manifests that somebody else wrote, with bad intent or none'
. "$(dirname "$0")/../lib/lib.sh"

A=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
BAD=20260101T000000Z
GOOD=20260102T000000Z
M=$STORE/backups/dev/$BAD/manifest.sha256

test_expect_success 'two foreign snapshots' '
	make_store &&
	mkdir -p live/events &&
	echo one >live/events/a.json &&
	echo two >live/events/b.json &&
	foreign_snapshot dev $BAD live/events &&
	foreign_snapshot dev $GOOD live/events &&
	cp "$M" right &&
	sum=$(sha256sum <live/events/a.json) &&
	sum=${sum%% *} &&
	hxsnap --store "$STORE" verify dev
'

# accepted NAME: the manifest now at $M must be taken as right.
accepted() {
	test_expect_success "accepted: $1" '
		hxsnap --store "$STORE" verify dev/$BAD
	'
}

# refused NAME TEXT: the one now at $M must make its snapshot damaged, with
# TEXT in the message, and leave the other alone.
refused() {
	expect=$2
	test_expect_success "refused: $1" '
		test_exit 3 hxsnap --store "$STORE" verify dev/$BAD >out 2>err &&
		grep "dev/$BAD" err &&
		grep -e "$expect" err &&
		test_exit 3 hxsnap --store "$STORE" show dev/$BAD 2>err &&
		hxsnap --store "$STORE" verify dev/$GOOD &&
		hxsnap --store "$STORE" list dev >out &&
		grep $BAD out &&
		grep $GOOD out
	'
}

# What sha256sum itself writes or takes.
sed "s/  / */" right >"$M"
accepted "the '*' of binary mode"
sed "s,  ,  ./," right >"$M"
accepted "a leading './'"
sort -r right >"$M"
accepted "any order"

: >"$M"
refused "empty" "manifest.sha256"
printf x >"$M"
refused "one byte" "line 1"
printf '\n' >"$M"
refused "only a newline" "line 1"
head -c -1 right >"$M"
refused "its last newline missing" "line 2"
sed 's/$/\r/' right >"$M"
refused "CRLF" "line 1"
{ printf '\357\273\277' && cat right; } >"$M"
refused "a byte order mark" "line 1"
{ cat right && printf '%s  events/c\000d\n' $A; } >"$M"
refused "a NUL" "line 3"
tr a-f A-F <right >"$M"
refused "upper-case digits" "line 1"
sed 's/^.//' right >"$M"
refused "63 digits" "line 1"
sed 's/^/0/' right >"$M"
refused "65 digits" "line 1"
sed 's/  / /' right >"$M"
refused "a single blank" "line 1"
{ cat right && echo "# a comment"; } >"$M"
refused "a comment" "line 3"
{ cat right && echo; } >"$M"
refused "an empty line" "line 3"
{ cat right && echo "SHA256 (events/a.json) = $sum"; } >"$M"
refused "the BSD form" "line 3"
{ cat right && echo "$sum  events/a.json"; } >"$M"
refused "a path twice" "a.json"
{ cat right && echo "$A  events/a.json"; } >"$M"
refused "a path twice, another digest" "a.json"
{ cat right && echo "$A  events/a.json/x"; } >"$M"
refused "a file that is a directory too" "a.json"
{ cat right && echo "$A  events/a.json.x" && echo "$A  events/a.json/x"; } >"$M"
refused "the same, with another name sorted between" "a.json"
{ cat right && echo "$A  manifest.sha256"; } >"$M"
refused "itself" "manifest.sha256"
{ cat right && echo "$A  index.hxi"; } >"$M"
refused "an index that is not there" "index.hxi"
for path in ../events/a.json /etc/passwd a//b a/./b ./../x a/../b a/ .. . \
	./ events/../../x; do
	{ cat right && echo "$A  $path"; } >"$M"
	refused "the path '$path'" "line 3"
done
{ cat right && echo "$A  "; } >"$M"
refused "an empty path" "line 3"
{ cat right && printf '%s\n' "\\$A  a\\qb"; } >"$M"
refused "an unknown escape" "line 3"
{ cat right && printf '%s\n' "$A  a\\b"; } >"$M"
refused "a backslash without its marker" "line 3"
{ cat right && printf '%s\n' "\\$A  plain"; } >"$M"
refused "a marker without need" "line 3"
{ cat right && printf '%s  %0300d\n' $A 0; } >"$M"
refused "a name of 300 bytes" "line 3"
rm "$M" && truncate -s 1G "$M"
refused "a gigabyte" "too large"
rm "$M" && mkfifo "$M"
refused "a FIFO" "not a regular file"
rm "$M" && mkdir "$M"
refused "a directory" "not a regular file"
rmdir "$M" && ln -s "../$GOOD/manifest.sha256" "$M"
refused "a symbolic link" "not a regular file"
rm "$M"
refused "missing" "missing"

test_expect_success 'cut at every length: refused, or a shorter right list' '
	size=$(stat -c %s right) &&
	n=0 &&
	while [ $n -lt $size ]; do
		head -c $n right >"$M" &&
		test_exit 3 hxsnap --store "$STORE" verify dev/$BAD >out 2>err &&
		grep "dev/$BAD" err >/dev/null || return 1
		n=$((n + 1))
	done
'

test_expect_success 'the right one again' '
	cp right "$M" &&
	hxsnap --store "$STORE" verify --all
'

test_expect_success '1,000,000 lines are read, in bounded memory' '
	awk -v a=$A "BEGIN { for (i = 0; i < 1000000; i++)
		printf \"%s  events/f%07d\\n\", a, i }" >"$M" &&
	( # sanitizers need address space
	 [ -n "$HXS_SAN" ] || ulimit -v 4000000
	 test_exit 3 hxsnap --store "$STORE" verify dev/$BAD >out 2>err) &&
	test_grep "1000002 faults" err
'

test_expect_success 'a snapshot of another environment or id is refused' '
	for to in "live $BAD" "dev 20251231T000000Z"; do
		set -- $to &&
		mkdir -p "$STORE/backups/$1" &&
		printf "{\"env\":\"dev\",\"backup_id\":\"%s\"}\n" $GOOD \
			>live/meta.json &&
		rm -rf "$STORE/backups/dev/$GOOD" "$STORE/backups/$1/$2" &&
		foreign_snapshot dev $GOOD live/events live/meta.json &&
		hxsnap --store "$STORE" verify dev/$GOOD &&
		cp -a "$STORE/backups/dev/$GOOD" "$STORE/backups/$1/$2" &&
		test_exit 3 hxsnap --store "$STORE" verify "$1/$2" 2>err &&
		test_grep "$GOOD" err || return 1
	done
'

test_done
