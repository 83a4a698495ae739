#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='restore: every kind of target'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

# fill DIR: something to make a backup of; change it: something else.
fill() {
	mkdir -p "$1/deep/er" "$1/empty" && echo one >"$1/one" && echo two >"$1/deep/two" &&
		echo three >"$1/deep/er/three" && ln -s one "$1/link" &&
		ln "$1/one" "$1/deep/twin" && chmod 750 "$1/deep" &&
		touch -d @1000.25 "$1/one" && chmod 2755 "$1/empty"
}
change() {
	echo other >"$1/one" && rm -r "$1/deep/er" && mkdir "$1/new" &&
		echo new >"$1/new/file" && echo more >"$1/more" && rm "$1/link"
}

# ---- several file systems ----------------------------------------------------

test_expect_success XFS 'two file systems at once, the store on a third' '
	loop_fs ext4 40M a && loop_fs xfs 320M b && make_store &&
	fill a/events && fill b/state && sources "events=$TRASH/a/events" "state=$TRASH/b/state" &&
	hxtree list a/events >a.want && hxtree list b/state >b.want &&
	id=$(hxsnap -q create dev) && change a/events && change b/state &&
	hxtree list a/events >a.now && hxtree list b/state >b.now &&
	restore "dev/$id" && hxtree list a/events >got && test_cmp a.want got &&
	hxtree list b/state >got && test_cmp b.want got &&
	hxsnap -q rollback dev >out && no_remains &&
	hxtree list a/events >got && test_cmp a.now got &&
	hxtree list b/state >got && test_cmp b.now got
'

test_expect_success XFS 'a fault in the second leaves the first as it was' '
	look a/events >a.want && flip_byte "$STORE/backups/dev/$id/state/one" 1 &&
	refused 3 "state/one" b hxsnap restore "dev/$id" &&
	flip_byte "$STORE/backups/dev/$id/state/one" 1 &&
	look a/events >got && test_cmp a.want got &&
	mount -o remount,ro b && refused 1 "Read-only file system" b \
		hxsnap restore "dev/$id" && look a/events >got && test_cmp a.want got &&
	mount -o remount,rw b && restore "dev/$id" && umount a && umount b
'

# ---- mount points ------------------------------------------------------------

for fs in ext4 xfs btrfs tmpfs; do
	case $fs in
	ext4) need=LOOP ;;
	xfs) need=XFS ;;
	btrfs) need=BTRFS ;;
	tmpfs) need=TMPFS ;;
	esac
	test_expect_success "ROOT,$need,ACL" "a target that is a mount point: $fs" '
		rm -rf "$STORE" point && make_store && mkdir point && case '$fs' in
		tmpfs) mount -t tmpfs -o mode=755 tmpfs point ;;
		*) loop_fs '$fs' 320M point ;;
		esac && test_when_finished "umount \"$TRASH/point\"" &&
		fill point && chmod 2751 point && chown 12:34 point &&
		setfacl -m u:7:rx -d -m u:8:rx point && touch -d @777.125 point &&
		SOURCE_MORE="\"exclude\": [\"*.keep\", \"cache\"]" \
			sources "all=$TRASH/point" &&
		hxtree list point >want && id=$(hxsnap -q create dev) &&
		change point && setfacl -b point && chmod 700 point && chown 0:0 point &&
		echo secret >point/.env.local && echo kept >point/x.keep &&
		mkdir -p point/cache/deep point/gone/below && echo c >point/cache/deep/c &&
		echo secret >point/gone/below/.env && chmod 2710 point/gone &&
		echo goes >point/gone/file && mkfifo point/fifo && touch -d @5.5 point/gone &&
		touch -d @555.5 point && hxtree list point >now &&
		mnt=$(stat -c %m:%i point) && for f in .env.local x.keep cache \
			cache/deep/c gone/below/.env fifo; do
			stat -c "%n %i %y" "point/$f" || return 1
		done >kept.want && if [ -d point/lost+found ]; then
			inode point/lost+found >lost
		fi && restore "dev/$id" && [ "$(stat -c %m:%i point)" = "$mnt" ] &&
		for f in .env.local x.keep cache cache/deep/c gone/below/.env fifo; do
			stat -c "%n %i %y" "point/$f" || return 1
		done >kept.got && test_cmp kept.want kept.got &&
		[ "$(stat -c "%a %.2Y" point/gone)" = "2710 5.50" ] &&
		test_path_is_missing point/gone/file &&
		{ [ ! -e lost ] || [ "$(inode point/lost+found)" = "$(cat lost)" ]; } &&
		rm -f lost && hxsnap -q rollback dev >out && no_remains &&
		hxtree list point >got && test_cmp now got && restore "dev/$id" &&
		(cd point && rm -r .env.local x.keep cache gone fifo) &&
		touch -d @777.125 point && hxtree list point >got && test_cmp want got
	'
done

test_expect_success TMPFS 'in a mount point, databases get nothing stale' '
	rm -rf "$STORE" point && make_store && mkdir point &&
	mount -t tmpfs -o mode=755 tmpfs point && test_when_finished "umount \"$TRASH/point\"" &&
	SOURCE_MORE="\"exclude\": [\"*-wal\"]" sources "all=$TRASH/point" &&
	sqlite3 point/m.db "CREATE TABLE t(x); INSERT INTO t VALUES(1)" &&
	id=$(hxsnap -q create dev) && echo junk >point/m.db-wal && echo j >point/m.db-journal &&
	echo kept >point/other-wal && hxsnap -q restore "dev/$id" >out &&
	ls -A point >got && printf "m.db\nother-wal\n" >want && test_cmp want got
'

test_expect_success LOOP 'paths in a mount point' '
	rm -rf "$STORE" point && make_store && loop_fs ext4 40M point &&
	test_when_finished "umount \"$TRASH/point\"" && fill point &&
	touch -d @9.5 point && sources "all=$TRASH/point" && look point >want &&
	id=$(hxsnap -q create dev) && rm point/one && rm -r point/deep/er &&
	touch -d @9.5 point && hxtree list point >now &&
	restore "dev/$id" all/deep/er all/one &&
	[ "$(cat point/one point/deep/er/three)" = "one
three" ] && [ "$(stat -c %.1Y point)" = 9.5 ] && hxsnap -q rollback dev >out &&
	hxtree list point >got && test_cmp now got
'

# ---- what is not there -------------------------------------------------------

test_expect_success 'missing targets: all, or one of two' '
	rm -rf "$STORE" live && new_env && make_store && fill "$EVENTS" && fill "$STATE" &&
	hxtree list live >want && id=$(hxsnap -q create dev) && rm -r "$EVENTS" &&
	change "$STATE" && restore "dev/$id" && hxtree list --no-root live >got &&
	hxtree list "$EVENTS" >e && hxtree list "$STATE" >s &&
	hxsnap rollback dev >out 2>err && test_grep "events. is not in snapshot" err &&
	[ "$(cat "$STATE/one")" = other ] && hxtree list "$EVENTS" >got &&
	test_cmp e got && rm -r "$EVENTS" "$STATE" && restore "dev/$id" &&
	[ -z "$rollback" ] && hxtree list "$STATE" >got && test_cmp s got
'

# ---- file systems that cannot exchange ---------------------------------------

test_expect_success 'no RENAME_EXCHANGE here' '
	mkdir -p ex/a ex/b && cat >exchange.py <<-\END &&
	import ctypes
	exit(-ctypes.CDLL(None).renameat2(-100, b"ex/a", -100, b"ex/b", 2))
	END
	python3 exchange.py && test_exit 1 noexchange python3 exchange.py
'

test_expect_success 'two renames instead: directories, paths, single files' '
	rm -rf "$STORE" live one && new_env && make_store && fill "$EVENTS" && fill "$STATE" &&
	mkdir one && echo a >one/a && echo b >one/b &&
	sources "events=$EVENTS" "state=$STATE" "single=$TRASH/one/a" &&
	hxtree list live >want && id=$(hxsnap -q create dev) &&
	change "$EVENTS" && change "$STATE" && echo new >one/a && hxtree list live >now &&
	rollback=$(noexchange hxsnap -q restore "dev/$id") && no_remains &&
	hxtree list live >got && test_cmp want got && [ "$(cat one/a one/b)" = "a
b" ] && hxsnap -q verify "dev/.rollbacks/$rollback" &&
	noexchange hxsnap -q rollback dev >out && no_remains &&
	hxtree list live >got && test_cmp now got && [ "$(cat one/a)" = new ] &&
	noexchange hxsnap --json restore "dev/$id" events/one events/deep >out &&
	test_grep ! "\"absent_seconds\":0[,}]" out &&
	[ "$(cat "$EVENTS/one" "$EVENTS/deep/er/three")" = "one
three" ] && no_remains
'

test_expect_success TMPFS 'two renames in a mount point' '
	rm -rf "$STORE" point && make_store && mkdir point &&
	mount -t tmpfs -o mode=755 tmpfs point && test_when_finished "umount \"$TRASH/point\"" &&
	fill point && sources "all=$TRASH/point" && hxtree list point >want &&
	id=$(hxsnap -q create dev) && change point && hxtree list point >now &&
	noexchange hxsnap -q restore "dev/$id" >out && no_remains &&
	hxtree list point >got && test_cmp want got &&
	noexchange hxsnap -q rollback dev >out && hxtree list point >got && test_cmp now got
'

# ---- layers ------------------------------------------------------------------

test_expect_success OVERLAY 'overlayfs: the upper layer, and the lower one' '
	rm -rf "$STORE" && make_store && mkdir -p ov && mount -t tmpfs -o mode=755 tmpfs ov &&
	test_when_finished "umount \"$TRASH/ov\"" && mkdir -p ov/low ov/up ov/work ov/all &&
	fill ov/low/below && echo l >ov/low/file && mount -t overlay o -o \
		"lowerdir=$TRASH/ov/low,upperdir=$TRASH/ov/up,workdir=$TRASH/ov/work" ov/all &&
	test_when_finished "umount \"$TRASH/ov/all\"" && fill ov/all/above &&
	sources "up=$TRASH/ov/all/above" "one=$TRASH/ov/all/file" &&
	hxtree list ov/all/above >want && id=$(hxsnap -q create dev) && change ov/all/above &&
	echo new >ov/all/file && restore "dev/$id" && hxtree list ov/all/above >got &&
	test_cmp want got && [ "$(cat ov/all/file)" = l ] &&
	sources "low=$TRASH/ov/all/below" && id=$(hxsnap -q create dev) &&
	echo changed >ov/all/below/one && look ov/all/below >want &&
	test_exit 1 hxsnap restore "dev/$id" 2>err && cat err &&
	test_grep "cannot exchange .below." err && test_grep "^hint: overlayfs" err && test_grep "nothing was changed" err &&
	look ov/all/below >got && test_cmp want got && no_remains &&
	restore "dev/$id" low/one && [ "$(cat ov/all/below/one)" = one ]
'

test_expect_success TMPFS 'tmpfs: the store and the target on one' '
	mkdir -p mem && mount -t tmpfs -o mode=755 tmpfs mem && kept=$STORE &&
	test_when_finished "STORE=$kept; umount \"$TRASH/mem\"" && STORE=$TRASH/mem/store &&
	make_store && fill mem/live && sources "all=$TRASH/mem/live" &&
	hxtree list mem/live >want && id=$(hxsnap -q create dev) && change mem/live &&
	dir=$(inode mem/live) && restore "dev/$id" && hxtree list mem/live >got &&
	test_cmp want got && [ "$(inode "$STORE/rollbacks/dev/$rollback/all")" -eq "$dir" ]
'

test_expect_success BTRFS 'a btrfs subvolume stays one' '
	loop_fs btrfs 320M bt && kept=$STORE &&
	test_when_finished "STORE=$kept; umount \"$TRASH/bt\"" && STORE=$TRASH/bt/store &&
	make_store && btrfs subvolume create bt/vol && fill bt/vol &&
	sources "all=$TRASH/bt/vol" && hxtree list bt/vol >want &&
	id=$(hxsnap -q create dev) && change bt/vol && hxtree list bt/vol >now &&
	echo secret >bt/vol/.env && touch -d @3 bt/vol && restore "dev/$id" &&
	btrfs subvolume show bt/vol && [ "$(cat bt/vol/.env)" = secret ] && rm bt/vol/.env &&
	touch -r "$STORE/backups/dev/$id/all" bt/vol && hxtree list bt/vol >got &&
	test_cmp want got && hxsnap -q rollback dev >out && hxtree list bt/vol >got &&
	sed 1d now >want && sed 1d got >have && test_cmp want have
'

# ---- who does it -------------------------------------------------------------

for mask in 000 022 777; do
	test_expect_success "umask $mask changes nothing" '
		rm -rf "$STORE" live && new_env && make_store && fill "$EVENTS" && fill "$STATE" &&
		hxtree list live >want && id=$(hxsnap -q create dev) && change "$EVENTS" &&
		change "$STATE" && (umask '$mask' && exec hxsnap -q restore "dev/$id") >out &&
		no_remains && hxtree list live >got && test_cmp want got &&
		hxsnap -q verify "dev/.rollbacks/$(cat out)" && rm -r "$EVENTS/deep" &&
		(umask '$mask' && exec hxsnap -q restore "dev/$id" events/deep/er/three) >out &&
		[ "$(stat -c %a "$EVENTS/deep")" = 750 ]
	'

	test_expect_success SETPRIV "an ordinary user'\\''s own, umask $mask" '
		rm -rf "$STORE" own && mkdir own && chown 65534:65534 own &&
		fill own/live && chown -hR 65534:65534 own && chmod 2755 own/live/empty &&
		kept=$STORE && test_when_finished "STORE=$kept" && STORE=$TRASH/own/store &&
		sources "all=$TRASH/own/live" && as_nobody hxsnap -q init "$STORE" &&
		hxtree list own/live >want && id=$(as_nobody hxsnap -q create dev) &&
		as_nobody sh -c "cd own/live && rm -r deep one && echo n >new" &&
		echo secret >own/live/.env && chown 65534 own/live/.env &&
		(umask '$mask' && as_nobody hxsnap restore "dev/$id") >out 2>err &&
		test_grep ! "warning: .*could not" err && no_remains && rm own/live/.env &&
		touch -r "$STORE/backups/dev/$id/all" own/live && hxtree list own/live >got &&
		test_cmp want got && as_nobody hxsnap -q verify --all &&
		as_nobody rm -r own/live/deep &&
		(umask '$mask' && as_nobody hxsnap -q restore "dev/$id" all/deep/er/three) >out &&
		[ "$(stat -c %a:%u own/live/deep)" = 750:65534 ] &&
		(umask '$mask' && as_nobody hxsnap -q rollback dev) >out && no_remains &&
		test_path_is_missing own/live/deep
	'
done

test_expect_success SETPRIV 'others'\''  files come back as this user'\''s, and that is told' '
	rm -rf "$STORE" own && mkdir own && fill own/live && chown -hR 65534:65534 own &&
	chown 12:13 own/live/deep/two && kept=$STORE && test_when_finished "STORE=$kept" &&
	STORE=$TRASH/own/store && sources "all=$TRASH/own/live" &&
	as_nobody hxsnap -q init "$STORE" && id=$(as_nobody hxsnap -q create dev) &&
	as_nobody rm own/live/one && as_nobody hxsnap restore "dev/$id" >out 2>err &&
	test_grep "all/deep/two" err && no_remains &&
	[ "$(stat -c %u:%a own/live/deep/two)" = 65534:644 ] &&
	[ "$(cat own/live/one)" = one ]
'

test_expect_success SETPRIV 'what this user cannot do away with is refused' '
	rm -rf "$STORE" own && mkdir own && fill own/live && chown -hR 65534:65534 own &&
	kept=$STORE && test_when_finished "STORE=$kept" &&
	STORE=$TRASH/own/store && sources "all=$TRASH/own/live" &&
	as_nobody hxsnap -q init "$STORE" && id=$(as_nobody hxsnap -q create dev) &&
	mkdir own/live/roots && echo r >own/live/roots/file && mkfifo own/live/fifo &&
	chown 65534 own/live/fifo && look own/live >want &&
	test_exit 5 as_nobody hxsnap restore "dev/$id" 2>err && no_remains &&
	test_grep "all/roots. belongs to another" err && look own/live >got &&
	test_cmp want got && rm own/live/fifo &&
	as_nobody hxsnap -q restore "dev/$id" >out && no_remains &&
	test_path_is_file "$STORE/rollbacks/dev/$(cat out)/all/roots/file" &&
	mkdir own/live/roots &&
	rm -r own/live/roots && chown 0 own/live && chmod 755 own/live && settled &&
	refused 1 "Permission denied\|Operation not permitted" own/live \
		as_nobody hxsnap restore "dev/$id" &&
	chown 0 own && refused 1 "Permission denied" own/live as_nobody hxsnap restore "dev/$id"
'

test_done
