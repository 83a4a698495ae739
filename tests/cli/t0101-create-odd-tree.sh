#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='create: every odd name, link, mode, time and attribute'
. "$(dirname "$0")/../lib/lib.sh"

# A listing as it is in the store: no set-id bits, no file capabilities.
harmless() {
	awk '{
		if ($2 != "l" && length($3) == 4)
			$3 = (substr($3, 1, 1) % 2) substr($3, 2)
		sub(/security\.capability=[0-9a-f]*,?/, "", $10)
		sub(/,$/, "", $10)
		if ($10 == "")
			$10 = "-"
		print
	}'
}

# compare SOURCE SNAPSHOT NAME [LIST-OPTION]: the index and, but for the
# option, the copy say what is there.
compare() {
	hxtree list "$1" >want && hxindex "$2" "$3" | sort >got &&
		sort want >want.sorted && test_cmp want.sorted got &&
		hxtree list ${4:+"$4"} "$1" | harmless >want.copy &&
		hxtree list ${4:+"$4"} "$2/$3" >got && test_cmp want.copy got
}

# Wait until nothing made so far changed too recently to be linked later.
settle() {
	local stamp
	stamp=$(date +%s%N) &&
		test_poll 5 '[ $(($(date +%s%N) - stamp)) -gt 100000000 ]'
}

for seed in 1 2 3; do
	test_expect_success ROOT "tree $seed: the store's copy and the index" '
		rm -rf live && new_env dev && rmdir "$EVENTS" &&
		hxtree make '$seed' "$EVENTS" && echo x >"$STATE/x" &&
		settle && id=$(hxsnap -q create dev) &&
		compare "$EVENTS" "$STORE/backups/dev/$id" events &&
		(cd "$STORE/backups/dev/$id" &&
			sha256sum -c --strict --quiet manifest.sha256) &&
		hxsnap verify "dev/$id"
	'

	test_expect_success ROOT "tree $seed: again, linked" '
		hxsnap --json create dev >out 2>err &&
		id=$(sed "s/.*\"id\":\"\([^\"]*\)\".*/\1/" out) &&
		compare "$EVENTS" "$STORE/backups/dev/$id" events --no-nlink &&
		linked=$(sed "s/.*\"linked_files\":\([0-9]*\).*/\1/" out) &&
		files=$(sed "s/.*\"files\":\([0-9]*\),\"bytes.*/\1/" out) &&
		[ "$linked" -eq "$files" ] && hxsnap verify "dev/$id"
	'
done

test_expect_success ROOT 'set-id bits and capabilities are not in the store' '
	find "$STORE/backups" -perm /6000 >got && test_line_count 0 got &&
	find "$EVENTS" -perm /6000 >got && ! test_line_count 0 got
'

test_expect_success SETPRIV 'an ordinary user: all but the owners' '
	mkdir nobody && hxtree make 4 --small nobody/tree && chmod -R u+rwX nobody &&
	mkdir nobody/store nobody/store/backups nobody/store/.hxsnap &&
	chown -R 65534:65534 nobody && chmod 755 . &&
	cat >nobody/hxsnap.json <<-END &&
	{"store": "$TRASH/nobody/store", "environments": {"dev": {"sources":
	  {"tree": {"kind": "directory", "path": "$TRASH/nobody/tree"}}}}}
	END
	id=$(as_nobody hxsnap -q --config nobody/hxsnap.json create dev) &&
	snap=nobody/store/backups/dev/$id &&
	hxtree list --no-xattr --no-nlink nobody/tree | harmless >want &&
	hxtree list --no-xattr --no-nlink "$snap/tree" >got && test_cmp want got &&
	as_nobody hxsnap -q --config nobody/hxsnap.json verify dev/latest &&
	id=$(as_nobody hxsnap -q --config nobody/hxsnap.json create dev) &&
	hxtree list --no-xattr --no-nlink "nobody/store/backups/dev/$id/tree" >got &&
	test_cmp want got
'

test_expect_success SETPRIV 'a group that cannot be kept lets nobody in' '
	mkdir -p shared/live shared/store/backups && echo secret >shared/live/f &&
	chown 0:65534 shared/live shared/live/f && chmod 750 shared/live &&
	chmod 640 shared/live/f && chown -R 65534:12345 shared/store &&
	cat >shared/hxsnap.json <<-END &&
	{"store": "$TRASH/shared/store", "environments": {"dev": {"sources":
	  {"s": {"kind": "directory", "path": "$TRASH/shared/live"}}}}}
	END
	cat >run <<-END &&
	id=\$(setpriv --reuid 65534 --regid 12345 --groups 65534 \
		--inh-caps=-all hxsnap -q --config shared/hxsnap.json \
		create dev) && echo \$id
	END
	id=$(sh run) && snap=shared/store/backups/dev/$id &&
	stat -c "%a %u:%g" "$snap/s/f" >got && echo "640 65534:65534" >want &&
	test_cmp want got &&
	hxindex "$snap" s | grep "^f f 0640 0:65534 " &&
	chown 0:777 shared/live/f && chmod 644 shared/live/f &&
	chmod g+w shared/live/f && id=$(sh run) &&
	snap=shared/store/backups/dev/$id &&
	stat -c "%a %u:%g" "$snap/s/f" >got && echo "644 65534:12345" >want &&
	test_cmp want got
'

test_expect_success ROOT 'a tree 2,000 deep, which sha256sum cannot reach' '
	rm -rf "$STORE" live && new_env dev && rmdir "$EVENTS" &&
	hxtree make 5 --small --deep 2000 "$EVENTS" && echo x >"$STATE/x" &&
	id=$(hxsnap -q create dev) &&
	compare "$EVENTS" "$STORE/backups/dev/$id" events &&
	hxsnap -q verify dev/latest && id=$(hxsnap -q create dev) &&
	compare "$EVENTS" "$STORE/backups/dev/$id" events --no-nlink
'

test_expect_success '20,000 files in one directory, 3,000 directories' '
	rm -rf "$STORE" live && new_env dev && mkdir "$STATE/many" &&
	(cd "$EVENTS" && seq 20000 | xargs touch) &&
	(cd "$STATE/many" && seq 3000 | xargs mkdir) && echo x >"$STATE/many/7/x" &&
	id=$(hxsnap -q create dev) &&
	test_same_tree "$EVENTS" "$STORE/backups/dev/$id/events" &&
	test_same_tree "$STATE" "$STORE/backups/dev/$id/state"
'

test_expect_success 'few open files are enough' '
	id=$(ulimit -n 20 && hxsnap -q create dev) &&
	test_same_tree "$STATE" "$STORE/backups/dev/$id/state"
'

test_lazy_prereq BIG_XATTR 'a tmpfs with large extended attributes' '
	test_have TMPFS && mkdir m && mount -t tmpfs tmpfs m && : >m/f &&
	setfattr -n user.big -v "$(printf %030000d 1)" m/f;
	r=$?; umount m; (exit $r)'

test_expect_success BIG_XATTR 'attributes that do not fit: told, and in the index' '
	rm -rf "$STORE" live && mkdir x && mount -t tmpfs tmpfs x &&
	test_when_finished "umount \"$TRASH/x\"" && mkdir -p x/live/d &&
	echo data >x/live/f && ln -s f x/live/l &&
	for f in x/live/f x/live/d; do
		setfattr -n user.big -v "$(printf %030000d 1)" "$f" || return 1
	done && cat >x.json <<-END &&
	{"store": "$STORE", "environments": {"dev": {"sources": {"s":
	  {"kind": "directory", "path": "$TRASH/x/live"}}}}}
	END
	id=$(hxsnap --config x.json create dev 2>err) &&
	snap=$STORE/backups/dev/$id && hxtree list x/live >want &&
	hxindex "$snap" s >got && test_cmp want got &&
	if setfattr -n user.big -v "$(printf %030000d 1)" "$snap/s/f"; then
		hxtree list "$snap/s" >got && test_cmp want got
	else
		test_grep "s/f.: not all of its extended attributes" err &&
		test_grep "s/d.: not all of its extended attributes" err &&
		grep -q "s/f.: not all" "$snap/meta.json"
	fi
'

test_done
