#!/bin/sh
test_description='an index whose writer also mended the manifest'
. "$(dirname "$0")/../lib/lib.sh"

# resign DIR: put the digest of DIR/index.hxi into its manifest, as whoever can
# write the store can. What is left then are the index's own checks.
resign() {
	local sum
	sum=$(sha256sum <"$1/index.hxi") &&
		sed -i "s/^[0-9a-f]*  index.hxi\$/${sum%% *}  index.hxi/" \
			"$1/manifest.sha256"
}

test_expect_success 'a native snapshot' '
	make_store &&
	new_env &&
	echo one >"$EVENTS/a.json" &&
	mkdir "$EVENTS/sub" &&
	ln "$EVENTS/a.json" "$EVENTS/sub/twin" &&
	ln -s a.json "$EVENTS/link" &&
	head -c 150000 /dev/urandom >"$STATE/blocks" &&
	truncate -s 300000 "$STATE/sparse" &&
	echo end >>"$STATE/sparse" &&
	id=$(hxsnap create dev) &&
	dir=$STORE/backups/dev/$id &&
	cp "$dir/index.hxi" "$dir/manifest.sha256" . &&
	resign "$dir" &&
	cmp manifest.sha256 "$dir/manifest.sha256" &&
	hxsnap verify dev/$id
'

test_expect_success 'every byte flipped and signed again: right, or refused' '
	size=$(stat -c %s index.hxi) &&
	at=0 refused=0 &&
	while [ $at -lt $size ]; do
		cp index.hxi manifest.sha256 "$dir/" &&
		flip_byte "$dir/index.hxi" $at 0x41 &&
		resign "$dir" &&
		status=0 &&
		{ hxsnap verify dev/$id >out 2>err || status=$?; } &&
		case $status in
		0) ;;
		3) refused=$((refused + 1)) ;;
		*)
			cat err
			echo "byte $at: exit $status"
			return 1
			;;
		esac
		at=$((at + ${HXS_SAN:+6} + 1))
	done &&
	echo "$refused refused" &&
	[ $refused -gt 100 ]
'

test_expect_success 'another program made it longer or shorter' '
	cp index.hxi manifest.sha256 "$dir/" &&
	echo >>"$dir/index.hxi" &&
	resign "$dir" &&
	test_exit 3 hxsnap verify dev/$id 2>err &&
	test_grep "index" err &&
	cp manifest.sha256 "$dir/" &&
	head -c -1 index.hxi >"$dir/index.hxi" &&
	resign "$dir" &&
	test_exit 3 hxsnap verify dev/$id 2>err &&
	: >"$dir/index.hxi" &&
	resign "$dir" &&
	test_exit 3 hxsnap verify dev/$id 2>err &&
	test_grep "header" err
'

test_expect_success 'a huge one is refused before it is read' '
	cp manifest.sha256 "$dir/" &&
	rm "$dir/index.hxi" &&
	truncate -s 1T "$dir/index.hxi" &&
	test_exit 3 hxsnap verify dev/$id 2>err &&
	test_grep "too large" err
'

test_expect_success 'a link, a FIFO, a directory in its place' '
	rm "$dir/index.hxi" &&
	ln -s "$PWD/index.hxi" "$dir/index.hxi" &&
	test_exit 3 hxsnap verify dev/$id 2>err &&
	test_grep "not a regular file" err &&
	rm "$dir/index.hxi" &&
	mkfifo "$dir/index.hxi" &&
	test_exit 3 hxsnap verify dev/$id 2>err &&
	rm "$dir/index.hxi" &&
	mkdir "$dir/index.hxi" &&
	test_exit 3 hxsnap verify dev/$id 2>err &&
	rmdir "$dir/index.hxi" &&
	test_exit 3 hxsnap verify dev/$id 2>err &&
	test_grep "missing" err
'

test_expect_success 'an index that the manifest does not list is no way in' '
	cp index.hxi "$dir/" &&
	grep -v "  index.hxi" manifest.sha256 >"$dir/manifest.sha256" &&
	test_exit 3 hxsnap verify dev/$id 2>err &&
	cp manifest.sha256 "$dir/" &&
	hxsnap verify dev/$id
'

test_done
