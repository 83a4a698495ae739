#!/bin/sh
test_description='an odd tree and what the mount shows of it are the same'

. "$(dirname "$0")/../lib/lib.sh"

SEED=${HXS_SEED:-20260205}
SCRIPT=20200101T000000Z # the id of the one that a script made

test_expect_success "an odd tree (HXS_SEED=$SEED), backed up" '
	make_store && new_env &&
	echo 1 >"$STATE/one" && rmdir "$EVENTS" &&
	hxtree make $SEED "$EVENTS" &&
	hxsnap create dev >id &&
	NATIVE=$(cat id) &&
	ln -s "$EVENTS" tree
'

# A script'\''s manifest does not list links, so names of one link are told apart.
test_expect_success 'the same tree as a script backs it up' '
	cp -a "$EVENTS" plain &&
	find plain -type l -links +1 -delete &&
	foreign_snapshot dev $SCRIPT plain
'

# equal MADE-BY MOUNT-OPTIONS REFERENCE ORIGINAL
equal() {
	how="$1, ${2:-default}"
	options=$2
	ref=$3
	from=$4
	name=$(basename "$4")

	test_expect_success FUSE "one canonical listing ($how)" '
		mount_store mnt "$options" &&
		test_when_finished "umount_store mnt" &&
		test_same_tree "$from" "mnt/$ref/$name" &&
		test_same_tree "$from" "mnt/$ref/$name"
	'

	test_expect_success FUSE,ROOT "rsync finds nothing to do ($how)" '
		mount_store mnt "$options" &&
		test_when_finished "umount_store mnt" &&
		: >want &&
		rsync -aHAXn --checksum --itemize-changes --delete \
			"$from/" "mnt/$ref/$name/" >got &&
		test_cmp want got &&
		rsync -aHAXn --checksum --itemize-changes --delete \
			"mnt/$ref/$name/" "$from/" >got &&
		test_cmp want got
	'

	test_expect_success FUSE "diff finds nothing ($how)" '
		mount_store mnt "$options" &&
		test_when_finished "umount_store mnt" &&
		diff -r --no-dereference "$from" "mnt/$ref/$name"
	'

	test_expect_success FUSE "tar packs the same ($how)" '
		mount_store mnt "$options" &&
		test_when_finished "umount_store mnt" &&
		for dir in "$from" "mnt/$ref/$name"; do
			tar -C "$dir" --sort=name \
				--numeric-owner --format=posix \
				--pax-option=delete=atime,delete=ctime \
				--pax-option=exthdr.name=%d/pax/%f \
				-cf packed.tar . &&
			sha256sum <packed.tar || return 1
		done >sums &&
		sort -u sums >got && test_line_count 1 got &&
		tar -C "mnt/$ref/$name" --compare --numeric-owner -f packed.tar
	'

	test_expect_success FUSE "cp -a makes the same tree ($how)" '
		mount_store mnt "$options" &&
		test_when_finished "umount_store mnt" &&
		test_when_finished "rm -rf copy" &&
		cp -a "mnt/$ref/$name" copy &&
		test_same_tree "$from" copy
	'

	test_expect_success FUSE "sha256sum agrees with the manifest ($how)" '
		mount_store mnt "$options" &&
		test_when_finished "umount_store mnt" &&
		(cd "mnt/$ref" && sha256sum -c --strict --quiet manifest.sha256)
	'
}

equal 'by create' '' "dev/$NATIVE" "$EVENTS"
equal 'by create' nocontrol "dev/$NATIVE" "$EVENTS"
equal 'by script' xattr=on dev/$SCRIPT "$TRASH/plain"
equal 'by script' xattr=on,nocontrol dev/$SCRIPT "$TRASH/plain"

test_expect_success FUSE 'every way of reading gives the same bytes' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	reads --list >methods &&
	(cd "$EVENTS" && find . -type f -size +0 -print0) |
		sort -z | head -z -n 60 >files &&
	while read -r method; do
		from=$EVENTS to=mnt/dev/$NATIVE/events xargs -0 -n 1 sh -c '\''
			reads "$0" "$from/$1" >want &&
			reads "$0" "$to/$1" >got && cmp want got'\'' \
			"$method" <files || return 1
	done <methods
'

# Whether a second reading asked the daemon for nothing.
from_memory() {
	(cd "mnt/dev/$NATIVE" && sha256sum -c --strict --quiet manifest.sha256) &&
		grep "^hxsnap_reads_total" mnt/.metrics >want &&
		test_grep "total [1-9]" want &&
		(cd "mnt/dev/$NATIVE" &&
			sha256sum -c --strict --quiet manifest.sha256) &&
		grep "^hxsnap_reads_total" mnt/.metrics >got && cmp -s want got
}

# Several times, should something else on the machine empty its caches.
test_expect_success FUSE 'later readers get it from memory, the same' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	(from_memory || from_memory || from_memory || test_cmp want got)
'

test_done
