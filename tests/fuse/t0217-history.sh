#!/bin/sh
test_description='.history: the versions of each file over all backups'

. "$(dirname "$0")/../lib/lib.sh"

LONG=$(printf '%0255d' 0)
NEWLINE='one
two'

# make: a backup in a second of its own; its id is $id.
make() {
	id=$(hxsnap -q create dev --allow-shrink)
}

# versions PATH: what `log` tells, as .history shows it: the ids, in order.
versions() {
	hxsnap --json log dev "$1" >.json &&
		jq -r 'select((.absent | not) and .type != "directory") |
			.oldest | sub("dev/"; "")' .json | sort
}

# shows PATH ID...: what .history lists of it, by any order.
shows() {
	path=$1
	shift
	printf "%s\n" "$@" | sort >want && ls "$H/$path" >got && test_cmp want got
}

# same HISTORY BACKUPS PATH/ID: it is what the backup of that id has there.
cat >same <<\EOF
one=$1/$3 id=${3##*/} path=${3%/*}
two=${1%/.history}/$id/$path
format="%i %s %h %a %u %g %y %z %F"
[ "$(stat -c "$format" "$one")" = "$(stat -c "$format" "$two")" ] &&
if [ -L "$one" ]; then
	[ "$(readlink "$one")" = "$(readlink "$2/$id/$path")" ]
else
	cmp "$one" "$2/$id/$path" && cmp "$one" "$two"
fi || exit 255
EOF

eio() {
	test_must_fail "$@" >/dev/null 2>err && test_grep "Input/output error" err
}

test_expect_success 'eight backups' '
	new_env dev && echo state >"$STATE/s" &&
	echo one >"$EVENTS/f" && chmod 640 "$EVENTS/f" &&
	echo x >"$EVENTS/both" && echo old >"$EVENTS/name" &&
	ln -s here "$EVENTS/link" && head -c 200000 /dev/urandom >"$EVENTS/big" &&
	echo odd >"$EVENTS/$NEWLINE" && mkdir "$EVENTS/d" "$EVENTS/$LONG" &&
	echo deep >"$EVENTS/$LONG/$LONG" && echo y >"$EVENTS/d/y" &&
	make && a=$id &&
	make && b=$id &&
	echo "two and more" >"$EVENTS/f" && touch -d 2001-02-03 "$EVENTS/f" &&
	ln -sfn there "$EVENTS/link" &&
	mv "$EVENTS/name" "$EVENTS/renamed" && make && c=$id &&
	rm "$EVENTS/f" && echo "odd too" >"$EVENTS/$NEWLINE" && make && d=$id &&
	echo one >"$EVENTS/f" && chmod 640 "$EVENTS/f" &&
	rm "$EVENTS/both" && mkdir "$EVENTS/both" && echo in >"$EVENTS/both/in" &&
	make && e=$id &&
	touch "$EVENTS/big" && head -c 200000 /dev/urandom >"$EVENTS/big2" &&
	rm -r "$EVENTS/d" && make && f=$id &&
	rm -r "$EVENTS/both" && echo y >"$EVENTS/both" && make && g=$id
'

test_expect_success FUSE 'versions are told as log tells them' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	H=mnt/dev/.history &&
	shows events/f "$a" "$c" "$e" && shows events/link "$a" "$c" &&
	shows events/both "$a" "$g" in && shows events/both/in "$e" &&
	shows events/name "$a" && shows events/renamed "$c" &&
	shows events/d y && shows events/d/y "$a" &&
	shows "events/$NEWLINE" "$a" "$d" && shows "events/$LONG/$LONG" "$a" &&
	shows events/big "$a" && shows events/big2 "$f" &&
	(cd "$STORE/backups/dev" && find . -mindepth 2 ! -type d \
		! -name index.hxi ! -name manifest.sha256 -printf "%P\0" |
		sed -z "s,^[^/]*/,," | sort -zu) >paths &&
	[ "$(tr -dc "\0" <paths | wc -c)" -ge 14 ] &&
	xargs -0 -n 1 sh -c "printf %s \"\$1\" >\"\$(mktemp path.XXXXXX)\"" sh <paths &&
	for file in path.*; do
		path=$(cat $file) && versions "$path" >want &&
		find "$H/$path" -mindepth 1 -maxdepth 1 ! -type d -printf "%f\n" |
			sort >got && test_cmp want got || return 1
	done
'

test_expect_success FUSE 'each is that file of that backup, the very same' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	H=mnt/dev/.history && find $H ! -type d -printf "%P\0" >all &&
	[ "$(tr -dc "\0" <all | wc -c)" -ge 20 ] &&
	xargs -0 -n 1 sh ./same $H "$STORE/backups/dev" <all &&
	echo one >want && cat $H/events/f/$a >got && test_cmp want got &&
	[ "$(stat -c "%a %Y" $H/events/f/$c)" = \
		"640 $(date -d 2001-02-03 +%s)" ] &&
	[ "$(readlink $H/events/link/$a)" = here ] &&
	find $H -type d -printf "%i\n" | sort | uniq -d >got &&
	test_line_count 0 got &&
	find $H -printf "%i %P\0" | sort -z >one &&
	find $H -printf "%i %P\0" | sort -z >two && test_cmp one two
'

test_expect_success FUSE 'it is there by name and in no listing' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	ls -a mnt/dev >got && test_grep ! history got &&
	find mnt >got && test_grep ! history got &&
	cp -a mnt/dev copy && test_path_is_missing copy/.history &&
	ls -a mnt/dev/.history >got && sort got >sorted &&
	printf "%s\n" . .. config.json events meta.json state >want &&
	test_cmp want sorted && [ mnt/dev/.history/.. -ef mnt/dev ] &&
	[ mnt/dev/.history/events/.. -ef mnt/dev/.history ] &&
	test_must_fail ls mnt/.history && test_must_fail ls mnt/dev/$a/.history &&
	test_must_fail ls mnt/dev/.rollbacks/.history
'

test_expect_success FUSE 'what is not there is not there' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	H=mnt/dev/.history &&
	for path in none events/none events/f/$b events/f/$d events/f/latest \
		events/f/x events/name/$c events/both/in/$f; do
		test_must_fail ls $H/$path 2>err &&
		test_grep "No such file" err || return 1
	done &&
	test_must_fail ls $H/events/f/$a/x 2>err && test_grep "Not a dir" err &&
	for cmd in "mkdir $H/x" "touch $H/events/f/$a" "rm $H/events/f/$a" \
		"rmdir $H/events" "mv $H/events $H/x"; do
		test_must_fail $cmd 2>err && test_grep "Read-only" err || return 1
	done
'

test_expect_success FUSE 'without .control, where the kernel opens files' '
	mount_store mnt nocontrol && test_when_finished "umount_store mnt" &&
	H=mnt/dev/.history && shows events/f "$a" "$c" "$e" &&
	cmp $H/events/big/$a "$STORE/backups/dev/$a/events/big" &&
	shows events/both "$a" "$g" in
'

test_expect_success FUSE 'backups come and go, and versions with them' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	H=mnt/dev/.history && shows events/f "$a" "$c" "$e" && ls $H/events >got &&
	test_grep ! late got &&
	echo three >"$EVENTS/f" && : >"$EVENTS/late" && make && h=$id &&
	test_poll 10 "[ -e $H/events/f/$h ]" &&
	shows events/f "$a" "$c" "$e" "$h" &&
	test_poll 10 "ls $H/events | grep -x late" && shows events/late "$h" &&
	echo three >want && test_cmp want $H/events/f/$h &&
	mkdir gone && mv "$STORE/backups/dev/$c" gone/ &&
	test_poll 10 "[ ! -e $H/events/f/$c ]" &&
	test_poll 10 "shows events/f $a $e $h" &&
	mv "$STORE/backups/dev/$d" gone/ &&
	test_poll 10 "shows events/f $a $h" && shows "events/$NEWLINE" "$a" "$e" &&
	mv "$STORE/backups/dev/$a" gone/ &&
	test_poll 10 "shows events/f $b $h" && test_poll 10 "shows events/d/y $b" &&
	mv "$STORE/backups/dev/$b" "$STORE/backups/dev/$e" gone/ &&
	test_poll 10 "[ ! -e $H/events/d ]" && shows events/renamed "$f" &&
	test_poll 10 "[ ! -e $H/events/name ]" &&
	test_poll 10 "ls $H/events >got && ! grep -x -e d -e name got" &&
	mv gone/* "$STORE/backups/dev/" && test_poll 10 "[ -e $H/events/name ]" &&
	test_poll 10 "shows events/f $a $c $e $h" && shows events/d/y "$a"
'

test_expect_success FUSE 'open and entered, while backups are pruned' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	H=mnt/dev/.history && ino=$(stat -c %i $H/events/f) &&
	cp -a "$STORE/backups/dev/$a" held &&
	exec 8<$H/events/f/$a && cd $H/events/f && ls >"$TRASH/got" &&
	mv "$STORE/backups/dev/$a" "$STORE/backups/dev/.going" &&
	rm -r "$STORE/backups/dev/.going" &&
	test_poll 10 "[ ! -e $a ]" && [ -e "$b" ] &&
	test_poll 10 "ls | grep -x $b" && [ "$(stat -c %i .)" = "$ino" ] &&
	cat $b >"$TRASH/got" && cat <&8 >"$TRASH/open" && exec 8<&- &&
	cd "$TRASH" && echo one >want && test_cmp want got &&
	test_cmp want open && mv held "$STORE/backups/dev/$a" &&
	test_poll 10 "shows events/f $a $c $e $h"
'

test_expect_success FUSE 'a damaged block: EIO for it and no other' '
	file=$STORE/backups/dev/$a/events/big && cp -p $file saved &&
	test_when_finished "cp -p saved $file" &&
	flip_byte $file 70000 && mount_store mnt &&
	test_when_finished "umount_store mnt" && H=mnt/dev/.history &&
	eio cat $H/events/big/$a && eio cat mnt/dev/$a/events/big &&
	dd if=$H/events/big/$a bs=65536 count=1 status=none >got &&
	dd if=saved bs=65536 count=1 status=none >want && test_cmp want got &&
	cmp $H/events/big2/$f "$STORE/backups/dev/$f/events/big2" &&
	grep -F "events/big" mnt/.status
'

test_expect_success FUSE 'a damaged index: the others are told, and no absence' '
	file=$STORE/backups/dev/$c/index.hxi && cp -p $file index &&
	test_when_finished "cp -p index $file" && flip_byte $file 400 &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	H=mnt/dev/.history && ls $H/events/f >got && test_grep ! $c got &&
	test_grep $a got && test_grep $e got && cat $H/events/f/$a &&
	eio ls $H/events/f/$c && eio ls $H/events/none &&
	flip_byte $file 400 && test_poll 20 "[ -e $H/events/f/$c ]"
'

test_expect_success FUSE 'an environment that has rollback points alone, or foreign backups' '
	mkdir -p "$STORE/rollbacks/only" && mkdir src && echo 1 >src/f &&
	foreign_snapshot hand 20200101T000000Z src &&
	foreign_snapshot hand 20200102T000000Z src && echo 2 >src/f &&
	foreign_snapshot hand 20200103T000000Z src &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	H=mnt/hand/.history && shows src/f 20200101T000000Z 20200103T000000Z &&
	cat $H/src/f/20200103T000000Z >got && test_cmp src/f got &&
	ls mnt/only/.history >got && test_line_count 0 got
'

test_expect_success FUSE,SETPRIV 'nobody sees more than in the backups' '
	chmod 755 "$EVENTS" && mkdir "$EVENTS/p" && echo 1 >"$EVENTS/p/f" &&
	echo secret >"$EVENTS/mine" && chmod 600 "$EVENTS/mine" &&
	chown 65534 "$EVENTS/p" && make && i=$id &&
	echo 2 >"$EVENTS/p/f" && chmod 700 "$EVENTS/p" && make && j=$id &&
	chown 0 "$EVENTS/p" && chmod 755 "$EVENTS/p" && make &&
	mount_store mnt allow_other && test_when_finished "umount_store mnt" &&
	H=mnt/dev/.history && cat $H/events/p/f/$i $H/events/p/f/$j &&
	as_nobody cat mnt/dev/$i/events/p/f && as_nobody ls $H/events &&
	test_must_fail as_nobody ls $H/events/p 2>err && test_grep denied err &&
	test_must_fail as_nobody cat $H/events/p/f/$i &&
	as_nobody ls $H/events/mine && test_must_fail as_nobody cat $H/events/mine/$i &&
	cat $H/events/mine/$i && as_nobody cat $H/events/renamed/$c &&
	chmod 700 "$STORE/backups/dev/$b" &&
	test_poll 10 "test_must_fail as_nobody ls $H" && ls $H &&
	chmod 755 "$STORE/backups/dev/$b" && test_poll 10 "as_nobody ls $H"
'

# Whoever is in a directory gets no further when those above it are closed.
# held DIR CLOSE...: sit in .history/events/DIR/in, close, look for what comes.
held() {
	dir=$1
	shift
	rm -rf ready go && mkdir ready && chmod 777 ready || return 1
	as_nobody sh -c "cd $H/events/$dir/in && : >$TRASH/ready/in && n=0 &&
		until [ -e $TRASH/go ]; do
			sleep 0.1
			n=\$((n + 1)); [ \$n -lt 600 ] || exit 3
		done
		for id in \$(cat $TRASH/go); do cat f/\$id; done; ls f; ls" \
		>got 2>err &
	pid=$!
	test_poll 20 "[ -e ready/in ]" && "$@" && echo new >"$EVENTS/$dir/in/f" &&
		make && test_poll 10 "[ -e $H/events/$dir/in/f/$id ]" &&
		made=yes || made=
	echo "$id" >coming && mv coming go && test_exit 2 wait $pid &&
		[ "$made" ] || return 1
	grep -c denied err >count && [ "$(cat count)" -ge 2 ] &&
	[ ! -s got ]
}

test_expect_success FUSE,SETPRIV 'nor does who was in before it was closed' '
	umask 022 && chmod 755 "$TRASH" &&
	mkdir -p "$EVENTS/q/in" "$EVENTS/r/in" && echo old >"$EVENTS/q/in/f" &&
	make &&
	mount_store mnt allow_other && test_when_finished "umount_store mnt" &&
	H=$TRASH/mnt/dev/.history && as_nobody cat $H/events/q/in/f/$id >got &&
	echo old >want && test_cmp want got &&
	held q chmod 700 "$EVENTS/q" &&
	test_must_fail as_nobody cat $H/events/q/in/f/$id &&
	cat $H/events/q/in/f/$id &&
	test_when_finished "chmod 755 $STORE/backups/dev" &&
	held r chmod 700 "$STORE/backups/dev"
'

test_expect_success FUSE,XATTR 'extended attributes are those of the version' '
	setfattr -n user.colour -v red "$EVENTS/f" && make && k=$id &&
	setfattr -n user.colour -v blue "$EVENTS/f" && make && l=$id &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	H=mnt/dev/.history && for pair in "$k red" "$l blue"; do
		[ "$(getfattr --only-values -n user.colour $H/events/f/${pair% *})" = \
			"${pair#* }" ] || return 1
	done &&
	test_must_fail getfattr -n user.colour $H/events/f
'

test_done
