#!/bin/sh
test_description='few descriptors, little memory, large and deep snapshots'

. "$(dirname "$0")/../lib/lib.sh"

# HXS_TEST_LONG=1: ten times the size
LONG=$([ -n "${HXS_TEST_LONG:-}" ] && echo 1)
FILES=${LONG:+1000000}
FILES=${FILES:-100000}
LINES_=1000000
[ -z "${HXS_SAN:-}" ] || [ -n "$LONG" ] || LINES_=200000 FILES=20000
A=20260101T000000Z
B=20260102T000000Z

# limited OPTION...: run the daemon under this ulimit
limited() {
	cat >limited.sh <<-END
	ulimit $*
	exec hxsnapfs "\$@"
	END
	HXSNAPFS="sh $TRASH/limited.sh"
}

# peak MNT: the most kilobytes that the daemon has had
peak() {
	sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' \
		"/proc/$(store_pid "$1")/status"
}
# below MNT KB: with a sanitizer it may be anything
below() {
	kb=$(peak "$1") && echo "$kb kB at most" &&
		{ [ -n "${HXS_SAN:-}" ] || [ "$kb" -lt "$2" ]; }
}

test_expect_success 'a small store' '
	make_store && new_env && echo x >"$EVENTS/x" &&
	for n in $(seq 100); do
		head -c 3000 /dev/urandom >"$EVENTS/$n" || return 1
	done && foreign_snapshot dev $A "$EVENTS" && echo 1 >"$STATE/one" &&
	ID=$(hxsnap create dev)
'

# ---------------------------------------------------------------------------
# Descriptors and memory.

# With fewer the shell or the loader gives up before us.
for n in 5 7 9 11 14 20; do

test_expect_success FUSE "$n descriptors: it works, or says why not" '
	limited -n $n && rm -f mnt.log && mkdir -p mnt && status=0 &&
	{ timeout 30 $HXSNAPFS "$STORE" mnt 2>err || status=$?; } && HXSNAPFS= &&
	if [ $status -eq 0 ]; then
		test_when_finished "umount mnt && test_poll 20 \
			\"! pgrep -f \\\"^hxsnapfs $STORE mnt\\\"\"" &&
		{ cat mnt/dev/$ID/events/x >got 2>err &&
			test_cmp "$EVENTS/x" got ||
			test_grep "Too many open files" err; } && cat mnt/.status
	else
		[ $status -lt 126 ] && test_grep "^hxsnapfs: " err
	fi
'

done

test_expect_success FUSE 'more readers than descriptors: right bytes or EMFILE, no damage' '
	limited -n 40 && mount_store mnt && HXSNAPFS= &&
	test_when_finished "umount_store mnt" &&
	python3 - mnt/dev/$ID/events mnt/dev/$A/events "$EVENTS" <<-\END &&
	import errno, os, sys
	live = sys.argv[3]
	failed = right = 0
	held = []
	for top in sys.argv[1:3]:
	    for i in range(1, 101):
	        try:
	            fd = os.open("%s/%d" % (top, i), os.O_RDONLY)
	        except OSError as e:
	            if e.errno not in (errno.EMFILE, errno.ENFILE):
	                sys.exit("%s/%d: %r" % (top, i, e))
	            failed += 1
	            continue
	        held.append((fd, "%s/%d" % (live, i)))
	for fd, path in held:
	    if os.read(fd, 100000) != open(path, "rb").read():
	        sys.exit("wrong bytes of " + path)
	    right += 1
	    os.close(fd)
	print(right, "right,", failed, "refused")
	if not failed or not right:
	    sys.exit("nothing was tried")
	END
	jq -e ".damage.files == 0 and .damage.blocks == 0" mnt/.status &&
	for id in $ID $A; do
		test_poll 20 "cat mnt/dev/$id/events/* >got 2>err" &&
		cat "$EVENTS"/* >want && test_cmp want got || return 1
	done &&
	test_poll 10 "jq -e \".damage.snapshots == 0\" mnt/.status"
'

test_expect_success FUSE,!SANITIZER 'little memory: ENOMEM or right, and it lives on' '
	limited -v 900000 && mount_store mnt && HXSNAPFS= &&
	test_when_finished "umount_store mnt" &&
	mkdir -p "$STORE/backups/huge/$A" &&
	awk -v a="$(printf "%064d" 0)" "BEGIN { for (i = 0; i < 3000000; i++)
		printf \"%s  f%07d\\n\", a, i }" \
		>"$STORE/backups/huge/$A/manifest.sha256" &&
	test_when_finished "rm -r \"$STORE/backups/huge\"" &&
	{ timeout 60 ls -f mnt/huge/$A 2>err >got; [ $? -ne 124 ]; } && cat err &&
	cat mnt/dev/$ID/events/* >got && cat "$EVENTS"/* >want &&
	test_cmp want got && cat mnt/dev/$A/events/* >got && test_cmp want got
'

# ---------------------------------------------------------------------------
# Large.

test_expect_success FUSE "a manifest of $LINES_ lines, no file of it there" '
	mkdir -p "$STORE/backups/many/$A" &&
	test_when_finished "rm -r \"$STORE/backups/many\"" &&
	awk -v n=$LINES_ -v a="$(printf "%064d" 1)" \
		"BEGIN { for (i = 0; i < n; i++)
		printf \"%s  d%03d/f%07d\\n\", a, i % 100, i }" |
		LC_ALL=C sort -k 2 >"$STORE/backups/many/$A/manifest.sha256" &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	ls -f mnt/many/$A >got && test_line_count 103 got &&
	ls -f mnt/many/$A/d042 >got &&
	test_line_count $((LINES_ / 100 + 2)) got &&
	test_must_fail cat mnt/many/$A/d042/f0000042 2>err &&
	test_grep "Input/output error" err &&
	cat mnt/dev/$ID/events/x && below mnt 900000 &&
	jq -e ".loaded.snapshots <= 2 or .loaded.bytes <= .loaded.budget" \
		mnt/.status
'

test_expect_success "$FILES files in one directory, natively and by a script" '
	python3 -c "
import os, sys
os.chdir(sys.argv[1])
for i in range(int(sys.argv[2])):
    with open(\"f%07d\" % i, \"w\") as f:
        if i % 1000 == 0:
            f.write(str(i))
" "$STATE" $FILES && BIG=$(hxsnap create dev) &&
	mkdir -p "$STORE/backups/dev/$B" &&
	cp -al "$STORE/backups/dev/$BIG/state" "$STORE/backups/dev/$B/" &&
	grep "  state/" "$STORE/backups/dev/$BIG/manifest.sha256" \
		>"$STORE/backups/dev/$B/manifest.sha256"
'

for how in "" nocontrol; do

test_expect_success FUSE "they are listed, found and read (${how:-default})" '
	mount_store mnt $how && test_when_finished "umount_store mnt" &&
	for id in $BIG $B; do
		ls mnt/dev/$id/state >got && ls "$STATE" >want &&
		test_cmp want got &&
		find mnt/dev/$id/state -name "f*000" -print0 | sort -z |
			xargs -0 cat >got &&
		find "$STATE" -name "f*000" -print0 | sort -z |
			xargs -0 cat >want && test_cmp want got &&
		[ "$(stat -c %s mnt/dev/$id/state/f0001000)" -eq 4 ] &&
		test_path_is_missing mnt/dev/$id/state/f9999999 || return 1
	done && below mnt 700000 && jq -e ".damage.files == 0" mnt/.status
'

done

test_expect_success FUSE 'tar and cp of all of them' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	tar -C mnt/dev/$BIG -cf - state | tar -tf - >got &&
	test_line_count $((FILES + 2)) got &&
	{ [ -z "$LONG" ] || { cp -a mnt/dev/$B/state copy &&
		diff -r "$STATE" copy && rm -rf copy; }; }
'

# ---------------------------------------------------------------------------
# Deep.

# deep.py make|check DIR LEVELS EVERY: names of 255 bytes on the way, one in
# EVERY; content at the end
cat >deep.py <<'EOF_PY'
import os, sys
what, top, levels, every = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
os.chdir(top)
start = os.open(".", os.O_RDONLY)
for i in range(levels):
    name = ("%03d" % (i % 1000) + "d" * 252) if i % every == 0 else "d"
    if what == "make":
        os.mkdir(name)
    elif os.listdir(".") != [name]:
        sys.exit("level %d holds %r" % (i, os.listdir(".")))
    os.chdir(name)
if what == "make":
    open("e" * 255, "w").write("deep")
    os.symlink("e" * 255, "link")
else:
    if sorted(os.listdir(".")) != ["e" * 255, "link"]:
        sys.exit("at the end: %r" % os.listdir("."))
    if open("link").read() != "deep":
        sys.exit("wrong bytes")
    for i in range(levels):
        os.chdir("..")
    if not os.path.samestat(os.stat("."), os.fstat(start)):
        sys.exit("the way back leads elsewhere")
EOF_PY

# The first still fits into one path, which cp needs; the second does not.
for every in 200 40; do

test_expect_success "1,000 levels, one name in $every of 255 bytes" '
	rm -rf live && new_env && mkdir "$STATE/x" && echo 1 >"$STATE/x/y" &&
	python3 deep.py make "$EVENTS" 1000 $every &&
	DEEP=$(hxsnap create --allow-shrink dev) &&
	rm -rf "$STORE/backups/dev/$B" && mkdir -p "$STORE/backups/dev/$B" &&
	mkdir "$STORE/backups/dev/$B/events" &&
	python3 deep.py make "$STORE/backups/dev/$B/events" 1000 $every &&
	python3 - "$STORE/backups/dev/$B" <<-\END
	import hashlib, os, sys
	top = sys.argv[1]
	path = "events"
	fd = os.open(os.path.join(top, "events"), os.O_RDONLY)
	while True:
	    names = os.listdir(fd)
	    if "link" in names:
	        break
	    new = os.open(names[0], os.O_RDONLY, dir_fd=fd)
	    os.close(fd)
	    fd = new
	    path += "/" + names[0]
	with open(os.path.join(top, "manifest.sha256"), "w") as f:
	    f.write("%s  %s/%s\n" % (hashlib.sha256(b"deep").hexdigest(), path,
	        "e" * 255))
	END
'

for how in "" nocontrol; do

test_expect_success FUSE "down to the last of them, and back ($every${how:+, $how})" '
	mount_store mnt $how && test_when_finished "umount_store mnt" &&
	for id in $DEEP $B; do
		python3 deep.py check "mnt/dev/$id/events" 1000 $every &&
		find mnt/dev/$id/events >got && test_line_count 1003 got &&
		hxtree list --no-time mnt/dev/$id/events >got &&
		hxtree list --no-time "$EVENTS" >want && test_cmp want got &&
		if [ $every -eq 200 ]; then
			tar -C mnt/dev/$id -cf copy.tar events && rm -rf copy &&
			mkdir copy && tar -C copy -xf copy.tar &&
			python3 deep.py check copy/events 1000 $every &&
			rm -rf copy && cp -a mnt/dev/$id/events copy &&
			python3 deep.py check copy 1000 $every
		fi &&
		hxsnap -q verify "dev/$id" || return 1
	done && jq -e ".damage.files == 0" mnt/.status
'

done

test_expect_success FUSE "a deep file that is damaged: its path is told, 4 KiB of it ($every)" '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	python3 - "$STORE/backups/dev/$DEEP/events" <<-\END &&
	import os, sys
	os.chdir(sys.argv[1])
	while "link" not in os.listdir("."):
	    os.chdir(os.listdir(".")[0])
	with open("e" * 255, "r+") as f:
	    f.write("D")
	END
	test_must_fail find mnt/dev/$DEEP/events -type f -execdir cat {} + 2>err &&
	test_grep "Input/output error" err &&
	case $every in
	200) end=eee ;;
	*) end= ;;
	esac &&
	jq -e ".faults[0].path | length > 2500 and length < 4200 and
		startswith(\"events/000dd\") and endswith(\"$end\")" mnt/.status
'

done

# ---------------------------------------------------------------------------
# A foreign file is hashed whole before its first byte. Readers that gave up
# must not keep the workers, and with them everybody else.

# tera: many begin to read one each, and give up
tera() {
	mkdir -p small "$STORE/backups/slow/$A" &&
		head -c 3000000 /dev/urandom >small/s &&
		foreign_snapshot slow $B small && (cd "$STORE/backups/slow/$A" &&
			for n in $(seq 24); do
				truncate -s 1T "$n" &&
					echo "$(printf "%064d" 0)  $n" || exit 1
			done >manifest.sha256) && mount_store mnt &&
		{ seq 24 | xargs -P 24 -I @ timeout 1 cat "mnt/slow/$A/@" ||
			:; }
}

test_expect_success FUSE 'files of terabytes were opened: all else goes on' '
	tera && test_when_finished "umount_store mnt" &&
	timeout 20 ls mnt/slow/$B && timeout 20 cat mnt/.status &&
	timeout 20 cat mnt/dev/latest/state/x/y
'

test_expect_success FUSE 'files of terabytes were opened: others can be hashed' '
	rm -rf "$STORE/backups/slow" && tera &&
	test_when_finished "umount_store mnt" &&
	timeout 10 cat mnt/slow/$B/small/s >got && test_cmp small/s got
'

test_done
