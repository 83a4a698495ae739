#!/bin/sh
test_description='a damaged or hostile store through the mount: EIO or hidden, told why'

. "$(dirname "$0")/../lib/lib.sh"

A=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
FAR=20270101T000000Z # beyond what create makes
GOOD=20250101T000000Z

# Reading a file older than its last access is seen by its time.
test_lazy_prereq ATIME 'access times that are kept' '
	: >f && touch -d 2020-01-01 f && cat f && [ "$(stat -c %X f)" != \
		"$(date -d 2020-01-01 +%s)" ]'

# fresh: the store as it was made
fresh() {
	rm -rf "$STORE" && cp -a keep "$STORE" && SNAP=$STORE/backups/dev/$ID
}

# lure: nobody has touched the file that links lead to
lure() {
	rm -f secret && echo SECRET >secret && touch -d 2020-01-01 secret
}
untouched() {
	test_have ATIME || return 0
	[ "$(stat -c %X secret)" = "$(date -d 2020-01-01 +%s)" ] ||
		test_say_ "'secret' was read"
}

# walk MNT: whatever a nosy program does, it ends, and finds no secret
walk() {
	timeout 60 find "$1" -ls >found 2>walk.err
	[ $? -ne 124 ] || test_say_ "find hangs" || return 1
	timeout 60 grep -r -a -l SECRET "$1" >found 2>walk.err
	[ $? -ne 124 ] || test_say_ "grep hangs" || return 1
	test_line_count 0 found
}

# eio COMMAND...: it ends, with Input/output error
eio() {
	test_must_fail timeout 60 "$@" >/dev/null 2>err &&
		test_grep "Input/output error" err
}

# others MNT: the neighbours are what they were
others() {
	cat "$1/dev/$OTHER/events/small" "$1/dev/$GOOD/events/small" >got &&
		cat "$EVENTS/small" "$EVENTS/small" >want &&
		test_cmp want got && test_same_tree "$EVENTS" "$1/dev/$OTHER/events"
}

# bad MNT ID REASON: listed, EIO in every way in, and why
bad() {
	ls "$1/dev" >got && test_grep "^$2$" got &&
		[ "$(stat -c %F "$1/dev/$2")" = directory ] &&
		eio ls "$1/dev/$2" && eio cat "$1/dev/$2/events/small" &&
		eio stat "$1/dev/$2/meta.json" &&
		eio cat "$1/dev/$2/manifest.sha256" &&
		timeout 20 jq -e ".state == \"damaged\"" "$1/dev/$2/.status" &&
		timeout 20 jq -r .reason "$1/dev/$2/.status" >got &&
		test_grep "$3" got &&
		jq -e ".damaged_snapshots | any(.snapshot == \"dev/$2\")" \
			"$1/.status"
}

# hidden MNT PATH: it is not there, in no listing and by no name
hidden() {
	ls -A "$1/$(dirname "$2")" >got && test_grep ! "^$(basename "$2")$" got &&
		test_must_fail timeout 20 stat "$1/$2" 2>err &&
		test_grep "No such file" err &&
		test_must_fail timeout 20 ls "$1/$2/" 2>err &&
		test_grep "No such file" err
}

# take_place WHAT PATH: something else lies there now
take_place() {
	case $1 in
	missing) rm -rf "$2" ;;
	file) rm -rf "$2" && echo "a file" >"$2" ;;
	empty) rm -rf "$2" && : >"$2" ;;
	flip) flip_byte "$2" 40 1 ;;
	cut) flip --truncate "$2" 41 ;;
	huge) rm -rf "$2" && truncate -s 1T "$2" ;;
	dir) rm -rf "$2" && mkdir "$2" && echo SECRET >"$2/x" ;;
	fifo) rm -rf "$2" && mkfifo "$2" ;;
	link) mv "$2" moved.away && ln -s "$TRASH/moved.away" "$2" ;;
	link-secret) rm -rf "$2" && ln -s "$TRASH/secret" "$2" ;;
	link-self) rm -rf "$2" && ln -s "$(basename "$2")" "$2" ;;
	link-fifo) rm -rf "$2" && mkfifo fifo.away && ln -s "$TRASH/fifo.away" "$2" ;;
	link-root) rm -rf "$2" && ln -s / "$2" ;;
	socket) rm -rf "$2" && python3 -c "import socket, sys, os
os.chdir(os.path.dirname(sys.argv[1]))
socket.socket(socket.AF_UNIX).bind(os.path.basename(sys.argv[1]))" "$2" ;;
	device) rm -rf "$2" && mknod "$2" c 1 5 ;; # /dev/zero: never ends
	esac
}
restore_away() {
	rm -rf moved.away fifo.away
}

kinds="missing empty flip cut huge dir fifo link link-secret link-self link-fifo socket"
if test_have ROOT; then
	kinds="$kinds device"
fi

test_expect_success 'a native snapshot, another, a foreign one' '
	make_store && new_env &&
	head -c 200000 /dev/urandom >"$EVENTS/big" && echo small >"$EVENTS/small" &&
	mkdir -p "$EVENTS/dir/sub" && echo deep >"$EVENTS/dir/sub/file" &&
	ln -s small "$EVENTS/link" && echo 1 >"$STATE/one" &&
	ID=$(hxsnap create dev) && OTHER=$(hxsnap create --full dev) &&
	foreign_snapshot dev $GOOD "$EVENTS" &&
	echo "{\"env\": \"dev\", \"backup_id\": \"$FAR\"}" >meta.json &&
	foreign_snapshot dev $FAR "$EVENTS" "$STATE" meta.json &&
	mv "$STORE" keep && lure
'

# ---------------------------------------------------------------------------
# Foreign manifests: each its own snapshot, all in one mount.

# hostile REASON <MANIFEST: one more snapshot with this manifest; in a pipe,
# so that only a file remembers how many there are
hostile() {
	id=20240101T0000$(($(wc -l <expected) + 10))Z
	cp -a "keep/backups/dev/$GOOD" "$STORE/backups/dev/$id" &&
		cat >"$STORE/backups/dev/$id/manifest.sha256" &&
		echo "$id $1" >>expected
}

# hostile_all: the kinds of manifest that are refused
hostile_all() {
	right=keep/backups/dev/$GOOD/manifest.sha256
	: >expected
	hostile "it is empty" </dev/null &&
		printf x | hostile "line 1" &&
		echo | hostile "line 1: it is empty" &&
		head -c -1 $right | hostile "does not end in a newline" &&
		head -c 100 $right | hostile "line 2" &&
		sed "s/\$/\\r/" $right | hostile "carriage return" &&
		{ printf "\\357\\273\\277" && cat $right; } | hostile "byte order mark" &&
		{ cat $right && printf "%s  a\\000b\\n" $A; } | hostile "NUL" &&
		tr a-f A-F <$right | hostile "upper-case" &&
		sed "s/^.//" $right | hostile "64 hexadecimal" &&
		sed "s/^/0/" $right | hostile "line 1" &&
		{ cat $right && echo "$A  events/small"; } | hostile "events/small" &&
		{ cat $right && echo "$A  events/small/x"; } | hostile "below" &&
		{ cat $right && echo "$A  manifest.sha256"; } | hostile "itself" &&
		{ cat $right && echo "$A  index.hxi"; } | hostile "index.hxi" &&
		for path in ../secret /etc/passwd "$TRASH/secret" a//b a/./b a/../b \
			a/ .. . events/../../x; do
			{ cat $right && echo "$A  $path"; } | hostile "line 4" || return 1
		done &&
		{ cat $right && echo "$A  "; } | hostile "line 4" &&
		{ cat $right && printf "%s  %0300d\\n" $A 0; } | hostile "line 4" &&
		{ cat $right && printf "%s  d" $A && printf "/d%.0s" $(seq 4200) &&
			echo; } | hostile "levels deep" &&
		{ cat $right && printf "\\\\%s  a\\\\qb\\n" $A; } | hostile "escape" &&
		hostile "missing" <$right &&
		rm "$STORE/backups/dev/$id/manifest.sha256" &&
		hostile "too large" <$right &&
		truncate -s 1G "$STORE/backups/dev/$id/manifest.sha256" &&
		hostile "belongs to" <$right && rm -r "$STORE/backups/dev/$id" &&
		sed "s/$FAR/$GOOD/" "keep/backups/dev/$FAR/meta.json" \
			>meta.other &&
		mkdir "$STORE/backups/dev/$id" &&
		cp meta.other "$STORE/backups/dev/$id/meta.json" &&
		(cd "$STORE/backups/dev/$id" && sha256sum meta.json \
			>manifest.sha256)
}

for how in "" nocontrol; do

test_expect_success FUSE "every hostile manifest: its own EIO, its own reason (${how:-default})" '
	fresh && hostile_all && mount_store mnt $how &&
	test_when_finished "umount_store mnt" &&
	while read -r id reason; do
		bad mnt $id "$reason" || return 1
	done <expected &&
	jq -e ".damage.snapshots == $(wc -l <expected)" mnt/.status &&
	jq -e ".damaged_snapshots | length == $(wc -l <expected)" mnt/.status &&
	others mnt && cat mnt/dev/latest/state/one && walk mnt && untouched
'

done

test_expect_success FUSE 'a manifest that asks for more directories than memory' '
	fresh && : >expected && python3 -c "
for i in range(400):
    print(\"a\" * 64 + \"  x%06d/%s/f\" % (i, \"/\".join([\"d\"] * 4090)))" |
	hostile "directories" &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	bad mnt "$(cut -d " " -f 1 expected)" "directories" && others mnt &&
	peak=$(sed -n "s/^VmHWM:[^0-9]*\\([0-9]*\\) kB/\\1/p" \
		"/proc/$(store_pid mnt)/status") && echo "$peak kB" &&
	{ [ -n "${HXS_SAN:-}" ] || [ "$peak" -lt 700000 ]; }
'

# ---------------------------------------------------------------------------
# One thing in a snapshot after the other.

for what in manifest.sha256 index.hxi; do

test_expect_success FUSE "$what is something else: the snapshot is refused" '
	for how in $kinds; do
		echo "$how" && fresh && lure && take_place $how "$SNAP/$what" &&
		mount_store mnt &&
		{ bad mnt $ID "" && others mnt && walk mnt && untouched ||
			{ umount_store mnt; return 1; }; } &&
		umount_store mnt && restore_away || return 1
	done
'

done

test_expect_success FUSE 'the manifest of a foreign one is something else' '
	for how in $kinds; do
		case $how in flip) continue ;; esac # a digit more or less is a digit
		echo "$how" && fresh && lure &&
		take_place $how "$STORE/backups/dev/$FAR/manifest.sha256" &&
		mount_store mnt &&
		{ bad mnt $FAR "manifest.sha256" && others mnt && walk mnt &&
			untouched || { umount_store mnt; return 1; }; } &&
		umount_store mnt && restore_away || return 1
	done
'

for which in native foreign; do

test_expect_success FUSE "a file or meta.json is something else: it alone is lost ($which)" '
	for how in $kinds; do
		for what in events/big meta.json; do
			# a foreign file may be as long as it likes
			case $which-$how in foreign-huge) continue ;; esac
			echo "$how $what" && fresh && lure &&
			case $which in
			native) at=$ID ;;
			foreign) at=$FAR ;;
			esac &&
			take_place $how "$STORE/backups/dev/$at/$what" &&
			mount_store mnt xattr=on &&
			{ ls "mnt/dev/$at/$(dirname $what)" >got &&
			test_grep "^$(basename $what)$" got &&
			[ "$(stat -c %F "mnt/dev/$at/$what")" != "symbolic link" ] &&
			eio cat "mnt/dev/$at/$what" &&
			eio dd if="mnt/dev/$at/$what" of=got iflag=direct bs=64k &&
			cat "mnt/dev/$at/events/small" >got &&
			test_cmp "$EVENTS/small" got &&
			jq -e ".damage.files == 1 and .damage.snapshots == 0 and
				.faults[0].path == \"$what\" and
				(.faults[0].reason | length > 5)" mnt/.status &&
			getfattr --only-values -n user.hxsnap.fault "mnt/dev/$at/$what" &&
			others mnt && walk mnt && untouched ||
				{ umount_store mnt; return 1; }; } &&
			umount_store mnt && restore_away || return 1
		done
	done
'

test_expect_success FUSE "a directory is something else: its files are listed, EIO ($which)" '
	for how in missing file fifo link link-secret link-self link-root socket; do
		echo "$how" && fresh && lure &&
		case $which in
		native) at=$ID ;;
		foreign) at=$FAR ;;
		esac &&
		take_place $how "$STORE/backups/dev/$at/events/dir" &&
		mount_store mnt &&
		{ ls "mnt/dev/$at/events/dir/sub" >got && echo file >want &&
		test_cmp want got && eio cat "mnt/dev/$at/events/dir/sub/file" &&
		cat "mnt/dev/$at/events/small" >got && test_cmp "$EVENTS/small" got &&
		jq -e ".damage.files == 1 and .damage.snapshots == 0" mnt/.status &&
		others mnt && walk mnt && untouched ||
			{ umount_store mnt; return 1; }; } &&
		umount_store mnt && restore_away || return 1
	done
'

test_expect_success FUSE,TMPFS "what is mounted upon a directory of it is not read ($which)" '
	fresh && lure && at=$ID && case $which in foreign) at=$FAR ;; esac &&
	mount -t tmpfs tmpfs "$STORE/backups/dev/$at/events/dir" &&
	test_when_finished "umount \"$STORE/backups/dev/$at/events/dir\"" &&
	mkdir "$STORE/backups/dev/$at/events/dir/sub" &&
	echo deep >"$STORE/backups/dev/$at/events/dir/sub/file" &&
	echo SECRET >"$STORE/backups/dev/$at/events/dir/x" &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	eio cat "mnt/dev/$at/events/dir/sub/file" &&
	cat "mnt/dev/$at/events/small" && others mnt && walk mnt
'

done

# ---------------------------------------------------------------------------
# The directories above.

test_expect_success FUSE 'a snapshot directory that is none is hidden' '
	mkdir -p outside && rm -rf outside/* && cp -a "keep/backups/dev/$FAR" outside/ &&
	echo SECRET >outside/$FAR/events/small &&
	for how in file fifo link link-secret link-self link-root socket; do
		echo "$how" && fresh && lure &&
		take_place $how "$STORE/backups/dev/$FAR" && mount_store mnt &&
		{ hidden mnt dev/$FAR && others mnt && walk mnt && untouched &&
		jq -e ".damage.snapshots == 0 and .environments[0].snapshots == 3" \
			mnt/.status && [ "$(readlink mnt/dev/latest)" != $FAR ] ||
			{ umount_store mnt; return 1; }; } &&
		umount_store mnt && restore_away || return 1
	done &&
	fresh && rm -r "$STORE/backups/dev/$FAR" &&
	ln -s "$TRASH/outside/$FAR" "$STORE/backups/dev/$FAR" && mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	hidden mnt dev/$FAR && others mnt && walk mnt
'

test_expect_success FUSE 'names that are no id are hidden' '
	fresh && for name in 2026 20260101T000000 20260101T000000Z.old \
		20261301T000000Z 20260101t000000z .tmp-x latest .status "a b"; do
		mkdir "$STORE/backups/dev/$name" &&
		echo SECRET >"$STORE/backups/dev/$name/x" || return 1
	done &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	ls -A mnt/dev >got && printf "%s\n" $GOOD $ID $OTHER $FAR latest |
		LC_ALL=C sort >want && LC_ALL=C sort -o got got && test_cmp want got &&
	[ "$(readlink mnt/dev/latest)" = $FAR ] && walk mnt
'

test_expect_success FUSE 'an environment that is none is hidden' '
	for how in file fifo link link-secret link-self link-root socket; do
		echo "$how" && fresh && lure && cp -a "$STORE/backups/dev" \
			"$STORE/backups/beta" &&
		mkdir -p "$STORE/rollbacks" &&
		take_place $how "$STORE/backups/beta" && mount_store mnt &&
		{ hidden mnt beta && others mnt && walk mnt && untouched ||
			{ umount_store mnt; return 1; }; } &&
		umount_store mnt && restore_away || return 1
	done
'

test_expect_success FUSE 'environment names that are none are hidden' '
	fresh && for name in Dev .dev "d v" -dev "d
v" "$(printf "%065d" 0)"; do
		cp -a "$STORE/backups/dev" "$STORE/backups/$name" || return 1
	done &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	ls mnt >got && echo dev >want && test_cmp want got && others mnt
'

test_expect_success FUSE 'backups or rollbacks or .hxsnap is none: no mount, and why' '
	mkdir -p none && for part in backups rollbacks .hxsnap; do
		for how in file fifo link link-secret link-self link-root; do
			echo "$part $how" && fresh && lure &&
			mkdir -p "$STORE/$part" && take_place $how "$STORE/$part" &&
			test_exit 1 timeout 20 hxsnapfs "$STORE" none 2>err &&
			test_grep "$part.*not a directory" err &&
			test_exit 2 timeout 20 hxsnap --store "$STORE" list 2>err &&
			test_grep "$part.*not a directory" err && untouched &&
			restore_away || return 1
		done
	done
'

test_expect_success FUSE 'they become so while it is mounted: nothing of theirs shows' '
	mkdir -p outside/dev && cp -a "keep/backups/dev/$FAR" outside/dev/ &&
	for how in file fifo link-self link-root outside; do
		echo "$how" && fresh && mount_store mnt &&
		{ others mnt && mv "$STORE/backups" "$STORE/was" &&
		case $how in
		outside) ln -s "$TRASH/outside" "$STORE/backups" ;;
		*) take_place $how "$STORE/backups" ;;
		esac &&
		test_poll 10 "[ ! -e mnt/dev/$OTHER ] && [ -z \"\$(ls mnt)\" ]" &&
		timeout 20 jq -e ".environments == []" mnt/.status && walk mnt &&
		rm "$STORE/backups" && mv "$STORE/was" "$STORE/backups" &&
		test_poll 10 "ls mnt/dev/$OTHER" && others mnt ||
			{ umount_store mnt; return 1; }; } &&
		umount_store mnt || return 1
	done
'

# ---------------------------------------------------------------------------
# What we wrote ourselves.

test_expect_success FUSE 'results of verify that are something else' '
	fresh && hxsnap verify dev/$ID && results=$STORE/.hxsnap/verify/backups/dev &&
	ls "$results" >got && test_line_count 1 got && result=$(cat got) &&
	cp -a "$STORE" with-result &&
	for how in empty flip cut huge dir fifo link-secret link-self link-fifo \
		socket; do
		echo "$how" && rm -rf "$STORE" && cp -a with-result "$STORE" && lure &&
		take_place $how "$results/$result" && mount_store mnt &&
		{ timeout 20 ls -l mnt/dev >got && others mnt &&
		timeout 20 jq -e ".damage.snapshots == 0" mnt/.status &&
		{ getfattr --only-values -n user.hxsnap.verified \
			"mnt/dev/$ID/events/small" >got 2>&1; :; } &&
		walk mnt && untouched || { umount_store mnt; return 1; }; } &&
		umount_store mnt && restore_away || return 1
	done &&
	for dir in .hxsnap/verify .hxsnap/verify/backups \
		.hxsnap/verify/backups/dev; do
		for how in missing file fifo link-root link-self; do
			echo "$dir $how" && rm -rf "$STORE" &&
			cp -a with-result "$STORE" && lure &&
			take_place $how "$STORE/$dir" && mount_store mnt &&
			{ timeout 20 ls -l mnt/dev >got && others mnt && walk mnt &&
			test_path_is_missing mnt/dev/latest-verified ||
				{ umount_store mnt; return 1; }; } &&
			umount_store mnt || return 1
		done
	done
'

test_expect_success FUSE 'a file that lost all its bytes is never an empty one' '
	for how in "" nocontrol; do
		for what in empty missing fifo link-secret; do
			fresh && lure && for at in $ID $FAR; do
				take_place $what "$STORE/backups/dev/$at/events/big" ||
					return 1
			done && mount_store mnt $how &&
			{ for at in $ID $FAR; do
				eio cat mnt/dev/$at/events/big &&
				eio cp mnt/dev/$at/events/big got &&
				eio dd if=mnt/dev/$at/events/big iflag=direct \
					of=got bs=64k &&
				test_must_fail reads mmap mnt/dev/$at/events/big ||
					break
			done && jq -e ".damage.files == 2" mnt/.status && untouched ||
				{ umount_store mnt; return 1; }; } &&
			umount_store mnt || return 1
		done
	done
'

test_expect_success FUSE 'hard links to a file outside: its bytes are not the listed ones' '
	fresh && lure && for at in $ID $FAR; do
		rm "$STORE/backups/dev/$at/events/small" &&
		ln secret "$STORE/backups/dev/$at/events/small" || return 1
	done && mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	eio cat mnt/dev/$ID/events/small && eio cat mnt/dev/$FAR/events/small &&
	others mnt && walk mnt
'

test_done
