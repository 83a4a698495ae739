#!/bin/sh
test_description='odd names and links through the mount: exact, and harmless'

. "$(dirname "$0")/../lib/lib.sh"

FAR=20200101T000000Z # the one that a script made

# The same bytes as names: listed, looked up, read, by every program alike.
cat >check.py <<'EOF_PY'
import os, sys
live, mnt = map(os.fsencode, sys.argv[1:])
def walk(top):
    out = {}
    for d, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(d, name)
            rel = path[len(top):]
            if os.path.islink(path):
                out[rel] = b"-> " + os.readlink(path)
            elif os.path.isdir(path):
                out[rel] = None
            else:
                with open(path, "rb") as f:
                    out[rel] = f.read()
    return out
want, got = walk(live), walk(mnt)
if want != got:
    for rel in sorted(set(want) | set(got)):
        if want.get(rel, 0) != got.get(rel, 0):
            print(rel, want.get(rel, 0), got.get(rel, 0))
    sys.exit(1)
print(len(got), "names")
EOF_PY

# clean FILE: no control byte but newlines, no DEL, valid UTF-8
clean() {
	if tr -d "\n" <"$1" | grep -q "[[:cntrl:]]"; then
		cat -v "$1"
		return 1
	fi
	iconv -f UTF-8 -t UTF-8 "$1" >"$TRASH/.utf8"
}

test_expect_success 'names of every kind, natively and by a script' '
	make_store && new_env && echo s >"$STATE/s" &&
	python3 - "$EVENTS" <<-\END &&
	import os, sys
	top = os.fsencode(sys.argv[1])
	names = [b"new\nline", b"tab\tname", b"esc\033[31mred", b"del\177",
	    b"bell\007", b"cr\rname", b"back\\slash", b"\\n", b"\\", b"quote\"s",
	    b"single\047quote", b"$(touch pwned)", b"`touch pwned`",
	    b"; touch pwned", b"-rf", b"--help", b"-", b" ", b"  lead", b"trail ",
	    b"*", b"?", b"[a]", b"caf\303\251", b"cafe\314\201", b"latin\351",
	    b"\377\376", b"\300\257", b"bidi\342\200\256txt", b"c1\302\233m",
	    b"sep\342\200\250x", b"a" * 255, b"\377" * 255,
	    b"\360\237\230\200", b".hidden", b"..more", b"...", b".status",
	    b".metrics", b".control", b".journal", b".tmp-x", b".hxsnap",
	    b".rollbacks", b"latest", b"latest-verified", b"manifest.sha256",
	    b"index.hxi", b"meta.json", b"lost+found", b"UPPER", b"upper",
	    b"%s%n%d", b"x\nhxsnapfs: forged", b"# comment", b"a  b", b"a *b"]
	for b in list(range(1, 47)) + list(range(48, 256)):
	    names.append(b"byte" + bytes([b]) + b"x")
	for i, name in enumerate(names):
	    with open(os.path.join(top, name), "wb") as f:
	        f.write(b"%d\n" % i)
	for name in (b"dir\n\033", b"dir.control", b"-d", b"b" * 255):
	    os.mkdir(os.path.join(top, name))
	    for inner in (b"in\177side", b".status", b"manifest.sha256"):
	        open(os.path.join(top, name, inner), "w").close()
	END
	ID=$(hxsnap create dev) && foreign_snapshot dev $FAR "$EVENTS" &&
	(cd "$STORE/backups/dev/$ID" && sha256sum -c --strict --quiet manifest.sha256)
'

for how in "" nocontrol; do

test_expect_success FUSE "every name is listed, found and read (${how:-default})" '
	mount_store mnt $how && test_when_finished "umount_store mnt" &&
	for id in $ID $FAR; do
		python3 check.py "$EVENTS" mnt/dev/$id/events &&
		(cd mnt/dev/$id && sha256sum -c --strict --quiet manifest.sha256) &&
		test_same_tree "$EVENTS" mnt/dev/$id/events || return 1
	done &&
	jq -e ".damage.files == 0" mnt/.status && test_path_is_missing pwned
'

test_expect_success FUSE "twins by case and by normal form stay apart (${how:-default})" '
	mount_store mnt $how && test_when_finished "umount_store mnt" &&
	for id in $ID $FAR; do
		cd mnt/dev/$id/events && [ "$(cat UPPER)" != "$(cat upper)" ] &&
		[ "$(cat "$(printf "caf\\303\\251")")" != \
			"$(cat "$(printf "cafe\\314\\201")")" ] &&
		test_path_is_missing Upper && test_path_is_missing LATEST &&
		test_path_is_missing "$(printf "latin\\303\\251")" &&
		cd "$TRASH" || return 1
	done
'

done

test_expect_success FUSE 'our own names in the data are the data' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	for id in $ID $FAR; do
		for name in .status .metrics .control .rollbacks latest \
			latest-verified manifest.sha256 index.hxi meta.json; do
			cmp "$EVENTS/$name" "mnt/dev/$id/events/$name" || return 1
		done &&
		jq -e ".state == \"ok\"" mnt/dev/$id/.status || return 1
	done
'

test_expect_success FUSE 'names that cannot be: too long, none at all' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	python3 - mnt/dev/$ID/events mnt/dev mnt <<-\END
	import errno, os, sys
	for top in map(os.fsencode, sys.argv[1:]):
	    for name, want in ((b"c" * 256, errno.ENAMETOOLONG),
	            (b"c" * 5000, errno.ENAMETOOLONG), (b"c" * 255, errno.ENOENT),
	            (b"\377" * 254, errno.ENOENT), (b"", None),
	            (b"/" .join([b"c"] * 3000), errno.ENAMETOOLONG)):
	        try:
	            os.lstat(os.path.join(top, name))
	            got = None
	        except OSError as e:
	            got = e.errno
	        if got != want:
	            sys.exit("%r in %r: %r" % (name[:20], top, got))
	END
'

test_expect_success FUSE 'damage to all of them: told by name, no byte that acts' '
	cp -a "$STORE" keep &&
	find "$STORE/backups/dev" -path "*/events/*" -type f -size +0 -print0 |
		xargs -0 -n 50 sh -c "for f; do printf X | dd of=\"\$f\" \
			conv=notrunc status=none; done" sh &&
	mount_store mnt xattr=on && test_when_finished "umount_store mnt" &&
	for id in $ID $FAR; do
		find mnt/dev/$id/events -type f -size +0 -print0 >list &&
		tr -cd "\\000" <list >nuls && [ "$(wc -c <nuls)" -gt 300 ] &&
		{ xargs -0 cat <list >got 2>err; [ ! -s got ]; } &&
		jq . mnt/dev/$id/.status >parsed && clean parsed &&
		cat mnt/dev/$id/.status >raw && clean raw || return 1
	done &&
	cat mnt/.status >raw && clean raw && jq -e ".damage.files > 600" raw &&
	cat mnt/.metrics >raw && clean raw && clean mnt.log &&
	test_grep "events/new.nline" mnt.log &&
	test_grep ! "^hxsnapfs: forged" mnt.log &&
	find mnt/dev/$ID/events -type f -size +0 -print0 | head -z -n 40 |
		xargs -0 -n 1 getfattr --only-values -n user.hxsnap.fault \
			--absolute-names >got && clean got &&
	rm -rf "$STORE" && mv keep "$STORE"
'

test_expect_success FUSE 'manifests with hostile names: the reason is harmless' '
	for n in 1 2 3 4 5 6; do
		mkdir "$STORE/backups/dev/2024010${n}T000000Z" || return 1
	done &&
	a=$(printf "%064d" 0) &&
	printf "%s  ../\\033[2Jx\\n" $a \
		>"$STORE/backups/dev/20240101T000000Z/manifest.sha256" &&
	printf "\\\\%s  ../x\\\\nhxsnapfs: forged\\n" $a \
		>"$STORE/backups/dev/20240102T000000Z/manifest.sha256" &&
	printf "%s  /\\377\\376\\007\\n" $a \
		>"$STORE/backups/dev/20240103T000000Z/manifest.sha256" &&
	{ printf "%s  /" $a && head -c 500000 /dev/zero | tr "\\000" "\\033" &&
		echo; } >"$STORE/backups/dev/20240104T000000Z/manifest.sha256" &&
	printf "%s  //\\342\\200\\256x\\n" $a \
		>"$STORE/backups/dev/20240105T000000Z/manifest.sha256" &&
	printf "{\"env\": \"dev\\\\n\\\\u001b\", \"backup_id\": \"\\\\u0007\"}" \
		>"$STORE/backups/dev/20240106T000000Z/meta.json" &&
	(cd "$STORE/backups/dev/20240106T000000Z" &&
		sha256sum meta.json >manifest.sha256) &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	for n in 1 2 3 4 5; do
		test_must_fail ls mnt/dev/2024010${n}T000000Z &&
		cat mnt/dev/2024010${n}T000000Z/.status >raw && clean raw &&
		jq -e ".state == \"damaged\"" raw || return 1
	done &&
	{ ls mnt/dev/20240106T000000Z || :; } &&
	cat mnt/dev/20240106T000000Z/.status >raw &&
	clean raw && jq . raw && cat mnt/.status >raw && clean raw && jq . raw &&
	[ "$(wc -c <raw)" -lt 100000 ] && clean mnt.log &&
	test_grep ! "^hxsnapfs: forged" mnt.log && rm -r "$STORE"/backups/dev/2024*
'

# ---------------------------------------------------------------------------
# Links.

test_expect_success 'links of every kind, and what they could lead to' '
	echo SECRET >secret && mkdir -p outside && echo SECRET >outside/f &&
	rm -r "$EVENTS" && mkdir -p "$EVENTS/d" && echo inside >"$EVENTS/file" &&
	python3 - "$EVENTS" "$TRASH" <<-\END &&
	import os, sys
	top, trash = map(os.fsencode, sys.argv[1:])
	os.chdir(top)
	for name, to in ((b"absolute", trash + b"/secret"), (b"up", b"../" * 30 +
	        trash[1:] + b"/secret"), (b"dangling", b"nowhere"),
	        (b"self", b"self"), (b"dot", b"."), (b"dotdot", b".."),
	        (b"slash", b"/"), (b"dir", b"d/"), (b"odd", b"to\n\033[2J\377"),
	        (b"long", b"x/" * 2047), (b"d/back", b"../file"),
	        (b"out", trash + b"/outside"), (b"proc", b"/proc/self/fd/0"),
	        (b"ping", b"pong"), (b"pong", b"ping"), (b"chain41", b"file")):
	    os.symlink(to, name)
	for i in range(40, 0, -1):
	    os.symlink(b"chain%d" % (i + 1), b"chain%d" % i)
	END
	LINKS=$(hxsnap create --allow-shrink dev) && rm -r "$STORE/backups/dev/$FAR" &&
	foreign_snapshot dev $FAR "$EVENTS"
'

test_expect_success FUSE 'they are text: kept exactly, followed by the client alone' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	for id in $LINKS $FAR; do
		python3 check.py "$EVENTS" mnt/dev/$id/events &&
		cd mnt/dev/$id/events &&
		[ "$(cat chain2)" = inside ] && [ "$(cat d/back)" = inside ] &&
		test_must_fail cat chain1 2>"$TRASH/err" &&
		test_grep "symbolic links" "$TRASH/err" &&
		test_must_fail cat self 2>"$TRASH/err" &&
		test_grep "symbolic links" "$TRASH/err" &&
		test_must_fail cat ping && test_must_fail cat dangling &&
		cd "$TRASH" || return 1
	done
'

test_expect_success FUSE 'the daemon reads nothing that they lead to' '
	touch -a -d 2020-01-01 secret outside/f && touch -d 2020-01-01 outside &&
	stat -c "%n %x" secret outside/f >before && mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	for id in $LINKS $FAR; do
		find mnt/dev/$id -ls >/dev/null && find mnt/dev/$id -type f \
			-exec cat {} + >/dev/null && jq . mnt/dev/$id/.status &&
		hxsnap verify dev/$id || return 1
	done &&
	stat -c "%n %x" secret outside/f >after && test_cmp before after
'

test_done
