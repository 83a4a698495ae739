#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='create: holes stay holes'
. "$(dirname "$0")/../lib/lib.sh"

test_lazy_prereq HOLES 'a file system with holes below $TMPDIR' '
	truncate -s 1M f && [ "$(stat -c %b f)" -eq 0 ]'

# at FILE OFFSET TEXT: write it there.
at() {
	printf %s "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

test_expect_success HOLES 'every way a hole can lie' '
	new_env dev && make_store && echo x >"$STATE/x" && cd "$EVENTS" &&
	truncate -s 10M all && truncate -s 10M end && at end 0 x &&
	truncate -s 10M begin && at begin 10485759 x &&
	truncate -s 10M middle && at middle 5000000 x &&
	truncate -s 65536 block && truncate -s 65537 block1 &&
	truncate -s 1 one && truncate -s 131071 short && at short 65536 y &&
	truncate -s 1M many && for i in 1 3 5 7 9 11 13; do
		at many $((i * 65536 + 100)) "$i" || return 1; done &&
	head -c 300000 /dev/zero >zeros && fallocate -l 300000 reserved &&
	cd "$TRASH" && id=$(hxsnap -q create dev) && snap=$STORE/backups/dev/$id &&
	test_same_tree "$EVENTS" "$snap/events" &&
	(cd "$snap" && sha256sum -c --strict --quiet manifest.sha256) &&
	hxsnap -q verify "dev/$id" &&
	for f in all end begin middle block block1 one short many; do
		want=$(stat -c %b "$EVENTS/$f") &&
		got=$(stat -c %b "$snap/events/$f") &&
		[ "$got" -le $((want + 8)) ] || { echo "$f $want $got"; return 1; }
	done
'

test_expect_success HOLES 'written zeros are data, not a hole' '
	[ "$(stat -c %b "$snap/events/zeros")" -ge 586 ]
'

test_expect_success HOLES '4 GiB and a byte, nearly all of it holes' '
	rm -rf "$EVENTS" && mkdir "$EVENTS" && big=$((4 * 1024 * 1024 * 1024 + 1)) &&
	truncate -s $big "$EVENTS/big" && at "$EVENTS/big" 3000000000 x &&
	at "$EVENTS/big" $((big - 1)) z && rm -rf "$STORE/backups/dev" &&
	id=$(hxsnap -q create dev) &&
	snap=$STORE/backups/dev/$id && [ "$(stat -c %s "$snap/events/big")" = $big ] &&
	[ "$(stat -c %b "$snap/events/big")" -le 64 ] &&
	[ "$(stat -c %s "$snap/index.hxi")" -lt 4096 ] &&
	hxsnap -q verify "dev/$id"
'

for fs in ext4 xfs btrfs; do
	case $fs in
	ext4) need=LOOP ;;
	xfs) need=XFS ;;
	btrfs) need=BTRFS ;;
	esac
	test_expect_success "HOLES,$need" "on $fs, where the store lies too" '
		mkdir -p fs-'$fs' && loop_fs '$fs' 320M fs-'$fs' &&
		mkdir -p fs-'$fs'/live && cd fs-'$fs'/live &&
		truncate -s 50M sparse && at sparse 20000000 x &&
		head -c 5000000 /dev/urandom >data && echo small >small && : >empty &&
		fallocate -l 1M reserved && head -c 200000 /dev/zero >zeros &&
		cd "$TRASH" && sync -f fs-'$fs' &&
		cat >hxsnap.json <<-END &&
		{"store": "$TRASH/fs-'$fs'/store", "environments": {"dev": {
		  "sources": {"s": {"kind": "directory",
		  "path": "$TRASH/fs-'$fs'/live"}}}}}
		END
		id=$(hxsnap -q create dev) && snap=fs-'$fs'/store/backups/dev/$id &&
		test_same_tree fs-'$fs'/live "$snap/s" &&
		(cd "$snap" && sha256sum -c --strict --quiet manifest.sha256) &&
		hxsnap -q verify "dev/$id" &&
		[ "$(stat -c %b "$snap/s/sparse")" -le 1024 ]
	'
	[ $fs = ext4 ] || test_expect_success "$need" "$fs shares the blocks" '
		filefrag -v "$snap/s/data" >extents && test_grep shared extents
	'
done

test_done
