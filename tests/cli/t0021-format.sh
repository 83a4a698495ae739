#!/bin/sh
test_description='index.hxi, read by a program written from the manual alone'
. "$(dirname "$0")/../lib/lib.sh"

# Reads and checks an index by hxsnap-store(5): nothing of it is ours.
cat >reader.py <<'END'
import hashlib, os, stat, struct, sys

top = os.fsencode(sys.argv[1])
data = open(top + b"/index.hxi", "rb").read()
BLOCK = 65536
blocks_checked = 0


def need(what, truth):
    if not truth:
        sys.exit("wrong: " + what)


# SHA-256 that can start from a state (FIPS 180-4)
def primes():
    n = 2
    while True:
        if all(n % p for p in range(2, int(n ** 0.5) + 1)):
            yield n
        n += 1


def fraction(n, root):  # the first 32 bits after the point, exactly
    low, high = 0, n << 96
    n <<= 32 * root
    while low < high:
        mid = (low + high + 1) // 2
        low, high = (mid, high) if mid ** root <= n else (low, mid - 1)
    return low & 0xffffffff


P = []
for p in primes():
    P.append(p)
    if len(P) == 64:
        break
K = [fraction(p, 3) for p in P]
START = struct.pack(">8I", *[fraction(p, 2) for p in P[:8]])


def rotate(x, n):
    return (x >> n | x << 32 - n) & 0xffffffff


def compress(state, chunk):
    w = list(struct.unpack(">16I", chunk))
    for i in range(16, 64):
        x, y = w[i - 15], w[i - 2]
        w.append((w[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[i - 7]
                  + (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10)) & 0xffffffff)
    a, b, c, d, e, f, g, h = start = struct.unpack(">8I", state)
    for i in range(64):
        t = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25))
             + (e & f ^ ~e & g) + K[i] + w[i])
        u = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = ((t + u) & 0xffffffff, a, b, c,
                                  (d + t) & 0xffffffff, e, f, g)
    return struct.pack(">8I", *[(x + y) & 0xffffffff
                                for x, y in zip(start, (a, b, c, d, e, f, g, h))])


def resume(state, before, block, last):
    if last:
        bits = 8 * (before + len(block))
        block += b"\x80" + bytes(-(len(block) + 9) % 64) + struct.pack(">Q", bits)
    for i in range(0, len(block), 64):
        state = compress(state, block[i:i + 64])
    return state


# header
(magic, version, header, entry, shift, flags, size, e_off, e_n, s_off, s_n,
 r_off, r_n, str_off, str_len, x_off, x_len, sec, nsec, zero, ident, env,
 kind) = struct.unpack_from("<8sIIIIQQ10QqII16s64sB", data)
need("magic", magic == b"HXSINDEX" and version == 1)
need("sizes", (header, entry, shift, size) == (256, 128, 16, len(data)))
need("zeros", zero == 0 and not any(data[217:256]))
need("id", ident.decode() == os.path.basename(sys.argv[1]))
need("environment", env.rstrip(b"\0") == os.path.basename(os.path.dirname(top)))
need("kind", kind == 1)
end = 256
for off, length in ((e_off, 128 * e_n), (s_off, 32 * s_n), (r_off, 24 * r_n),
                    (str_off, str_len), (x_off, x_len)):
    need("place of a section", off == (end + 7) // 8 * 8)
    need("gap", not any(data[end:off]))
    end = off + length
need("end", end == len(data))


class Entry:
    def __init__(self, n):
        at = e_off + 128 * n
        (self.size, self.mtime, self.ctime, self.ino, self.mtime_ns,
         self.ctime_ns, self.mode, self.uid, self.gid, self.nlink, self.parent,
         self.leader, name, length, self.flags, self.a, self.b, self.c,
         self.x_off, self.x_len, self.digest) = struct.unpack_from(
             "<QqqQIIIIIIIIIHHIIQII32s", data, at)
        self.n = n
        self.name = text(name, length)


def text(off, length):
    need("NUL after a string", data[str_off + off + length] == 0)
    return data[str_off + off:str_off + off + length]


entries = [Entry(n) for n in range(e_n)]


def path(e):
    return e.name if e.parent == 0 else path(entries[e.parent]) + b"/" + e.name


def xattrs(e):
    blob, found = data[x_off + e.x_off:x_off + e.x_off + e.x_len], {}
    while blob:
        n, v = struct.unpack_from("<HI", blob)
        found[blob[6:6 + n]] = blob[6 + n:6 + n + v]
        blob = blob[6 + n + v:]
    return found


def state(n):
    need("number of a state", n < s_n)
    return data[s_off + 32 * n:s_off + 32 * n + 32]


def check_block(f, e, block, before, after):
    global blocks_checked
    f.seek(block * BLOCK)
    found = resume(before, block * BLOCK, f.read(BLOCK), after is None)
    need("block %d of %r" % (block, e.name), found == (after or e.digest))
    blocks_checked += 1


def check_content(e, file):
    blocks = (e.size + BLOCK - 1) // BLOCK
    last = blocks - 1
    with open(file, "rb") as f:
        need("digest of %r" % file,
             hashlib.sha256(f.read()).digest() == e.digest)
        if not e.flags & 1:
            for i in range(blocks):
                check_block(f, e, i, state(e.c + i - 1) if i else START,
                            state(e.c + i) if i < last else None)
            return
        data_blocks = set()
        for r in range(e.c, e.c + e.a):
            first, count, at = struct.unpack_from("<QQQ", data, r_off + 24 * r)
            for i in range(count):
                check_block(f, e, first + i, state(at + i),
                            state(at + i + 1) if first + i < last else None)
                data_blocks.add(first + i)
        need("a hole", len(data_blocks) < blocks)
        for i in set(range(blocks)) - data_blocks:
            f.seek(i * BLOCK)
            need("a hole of zeros", not any(f.read(BLOCK)))


seen = set()
for e in entries[1:]:
    file = top + b"/" + path(e)
    st = os.lstat(file)
    seen.add(path(e))
    # the copy never has set-id bits
    need("mode of %r" % file,
         st.st_mode & ~0o6000 == e.mode & ~0o6000 and not st.st_mode & 0o6000)
    need("owner of %r" % file, (st.st_uid, st.st_gid) == (e.uid, e.gid))
    need("time of %r" % file,
         st.st_mtime_ns == e.mtime * 10 ** 9 + e.mtime_ns)
    need("leader", entries[e.leader].leader == e.leader <= e.n)
    if stat.S_ISDIR(e.mode):
        names = [c.name + (b"/" if stat.S_ISDIR(c.mode) else b"")
                 for c in entries[e.a:e.a + e.b]]
        need("order in %r" % file, names == sorted(names))
        need("children of %r" % file,
             sorted(os.listdir(file)) == sorted(n.rstrip(b"/") for n in names))
        need("parents", all(c.parent == e.n for c in entries[e.a:e.a + e.b]))
    else:
        group = [o for o in entries if o.leader == e.leader]
        need("link count of %r" % file, e.nlink == len(group))
        need("one inode", all(os.lstat(top + b"/" + path(o)).st_ino == st.st_ino
                              for o in group))
    if stat.S_ISLNK(e.mode):
        need("target of %r" % file, os.readlink(file) == text(e.a, e.b))
    elif stat.S_ISREG(e.mode):
        need("size of %r" % file, st.st_size == e.size)
        check_content(e, file)
    for name, value in xattrs(e).items():
        if name == b"security.capability":
            continue
        need("attribute %r of %r" % (name, file),
             os.getxattr(file, name, follow_symlinks=False) == value)
    if flags & 1 == 0:
        need("flag", e.x_len == 0)

there = {os.path.relpath(os.path.join(d, f), top)
         for d, dirs, files in os.walk(top) for f in dirs + files}
need("every entry", there - seen == {b"index.hxi", b"manifest.sha256"})
print(len(entries), blocks_checked, flags)
END

test_expect_success 'a tree with everything an index can hold' '
	new_env dev && echo s >"$STATE/s" && mkdir "$EVENTS/d" "$EVENTS/d-" &&
	for size in 0 1 63 64 65535 65536 65537 131072 200000; do
		head -c "$size" /dev/urandom >"$EVENTS/d/$size" || return 1
	done &&
	ln "$EVENTS/d/65537" "$EVENTS/d-/hard" && ln -s "../d/1" "$EVENTS/d-/soft" &&
	ln -s nowhere "$EVENTS/dangling" &&
	: >"$EVENTS/d.x" && : >"$EVENTS/$(printf "new\nline\351")" &&
	chmod 4750 "$EVENTS/d/1" && chmod 700 "$EVENTS/d" &&
	touch -d "1969-12-31 23:59:58.5" "$EVENTS/d/64" &&
	touch -d "2500-01-01 00:00:00.000000001" "$EVENTS/d/0" &&
	truncate -s 1M "$EVENTS/sparse" &&
	printf x | dd of="$EVENTS/sparse" bs=1 seek=300000 conv=notrunc status=none &&
	printf y | dd of="$EVENTS/sparse" bs=1 seek=1048575 conv=notrunc status=none &&
	truncate -s 100000 "$EVENTS/empty-sparse" &&
	{ ! test_have XATTR || setfattr -n user.a -v 1 "$EVENTS/d/63" &&
		setfattr -n user.b -v "two words" "$EVENTS/d/63"; } &&
	{ ! test_have ACL || setfacl -m u:12345:rw "$EVENTS/d/64"; } &&
	id=$(hxsnap -q create dev)
'

test_expect_success 'a stranger reads it: every field, every block, every hole' '
	python3 reader.py "$STORE/backups/dev/$id" >out &&
	read -r entries blocks flags <out && echo "$entries $blocks $flags" &&
	[ "$entries" -ge 24 ] && [ "$blocks" -ge 15 ]
'

test_expect_success 'and sees what is wrong' '
	cp -a "$STORE/backups/dev/$id" "$TRASH/copy" && mkdir dev &&
	mv copy "dev/$id" && python3 reader.py "$TRASH/dev/$id" &&
	flip_byte "dev/$id/events/d/200000" 70000 &&
	test_must_fail python3 reader.py "$TRASH/dev/$id" 2>err &&
	test_grep "wrong: digest of .*200000" err
'

test_expect_success 'a seeded tree as well' '
	rm -r "$EVENTS" && hxtree make 7 "$EVENTS" --small &&
	id=$(hxsnap -q create dev) &&
	python3 reader.py "$STORE/backups/dev/$id" >out && cat out
'

test_done
