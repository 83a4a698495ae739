#!/bin/sh
test_description='holes are told of, so that copies stay sparse'

. "$(dirname "$0")/../lib/lib.sh"

ID=20260101T000000Z

test_expect_success 'sparse files' '
	make_store && new_env && cd "$EVENTS" &&
	truncate -s 1G hole && truncate -s 10M ends &&
	printf x | dd of=ends bs=1 conv=notrunc status=none &&
	printf y | dd of=ends bs=1 seek=10485759 conv=notrunc status=none &&
	truncate -s 50M middle &&
	head -c 200000 /dev/urandom |
		dd of=middle bs=65536 seek=300 conv=notrunc status=none &&
	head -c 300000 /dev/urandom >dense && : >empty &&
	cd "$TRASH" && echo 1 >"$STATE/one" &&
	NATIVE=$(hxsnap create dev) && foreign_snapshot dev $ID "$EVENTS" &&
	cat >seek.py <<-\END
	import errno, os, sys
	def extents(path):
	    fd = os.open(path, os.O_RDONLY)
	    end, at, out = os.fstat(fd).st_size, 0, []
	    while at < end:
	        try:
	            data = os.lseek(fd, at, os.SEEK_DATA)
	        except OSError as e:
	            assert e.errno == errno.ENXIO
	            break
	        hole = os.lseek(fd, data, os.SEEK_HOLE)
	        assert data < hole <= end, (path, at, data, hole)
	        out.append((data, hole))
	        at = hole
	    for off in (end, end + 1):
	        for whence in (os.SEEK_DATA, os.SEEK_HOLE):
	            try:
	                os.lseek(fd, off, whence)
	                assert False, (path, off)
	            except OSError as e:
	                assert e.errno == errno.ENXIO
	    return end, out
	src, dst, exact = sys.argv[1], sys.argv[2], sys.argv[3] == "sparse"
	for name in sorted(os.listdir(src)):
	    end, want = extents(os.path.join(src, name))
	    end2, got = extents(os.path.join(dst, name))
	    assert end == end2
	    # every byte of data lies in an extent that is told of
	    for a, b in want:
	        assert any(c <= a and b <= d for c, d in got), (name, want, got)
	    total = sum(b - a for a, b in got)
	    if exact:
	        assert total <= sum(b - a + 2 * 65536 for a, b in want), (name, got)
	    print(name, got)
	END
'

for how in default nocontrol; do

test_expect_success FUSE "where data lies ($how)" '
	mount_store mnt "$(echo $how | sed s/default//)" &&
	test_when_finished "umount_store mnt" &&
	python3 seek.py "$EVENTS" mnt/dev/$NATIVE/events sparse &&
	python3 seek.py "$EVENTS" mnt/dev/$ID/events foreign
'

test_expect_success FUSE "a copy is as sparse as the original ($how)" '
	mount_store mnt "$(echo $how | sed s/default//)" &&
	test_when_finished "umount_store mnt" &&
	test_when_finished "rm -rf copy" &&
	cp -a mnt/dev/$NATIVE/events copy &&
	du -s --apparent-size copy && du -s copy &&
	[ "$(du -s copy | cut -f1)" -lt 2000 ] &&
	cmp copy/middle "$EVENTS/middle" && cmp copy/ends "$EVENTS/ends" &&
	[ "$(stat -c %s copy/hole)" = 1073741824 ] &&
	[ "$(stat -c %b mnt/dev/$NATIVE/events/hole)" = 0 ] &&
	tar -C mnt/dev/$NATIVE/events -Scf packed.tar . &&
	[ "$(stat -c %s packed.tar)" -lt 2000000 ]
'

done

test_expect_success FUSE 'holes read as zeros' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	dd if=mnt/dev/$NATIVE/events/ends of=got bs=1M status=none &&
	test_cmp "$EVENTS/ends" got &&
	dd if=mnt/dev/$NATIVE/events/hole bs=1M skip=500 count=20 status=none |
		cmp -n 20971520 - /dev/zero
'

test_done
