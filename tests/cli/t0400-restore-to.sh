#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='restore --to: a verified copy elsewhere'
. "$(dirname "$0")/../lib/lib.sh"

# to DIR REF [PATH...]: restore, and leave nothing beside DIR.
to() {
	local dir="$1"
	shift
	hxsnap -q restore "$@" --to "$dir" && no_remains
}

no_remains() {
	find "$TRASH" -name '.hxsnap-*' >"$TRASH/.remains" &&
		test_line_count 0 "$TRASH/.remains"
}

# refused STATUS DIR REF [PATH...]: and nothing is left of DIR.
refused() {
	local status="$1" dir="$2"
	shift 2
	test_exit "$status" hxsnap restore "$@" --to "$dir" 2>err &&
		test_path_is_missing "$dir" && no_remains
}

# stored PATH: where the newest backup has it
stored() {
	echo "$STORE/backups/dev/$id/$1"
}

for seed in 1 2 3; do
	test_expect_success ROOT "tree $seed comes back to the last attribute" '
		rm -rf live out && new_env dev && rmdir "$EVENTS" &&
		hxtree make '$seed' "$EVENTS" && echo x >"$STATE/x" &&
		id=$(hxsnap -q create dev) && to out dev/latest &&
		test_same_tree "$EVENTS" out/events &&
		test_same_tree "$STATE" out/state &&
		ls -A out >got && printf "events\nstate\n" >want &&
		test_cmp want got
	'
done

test_expect_success ROOT 'the live data and the store are as they were' '
	hxtree list live >before && find "$STORE/backups" -printf "%p %i %T@ %C@\n" |
		sort >store.before && to again dev/latest &&
	hxtree list live >after && test_cmp before after &&
	find "$STORE/backups" -printf "%p %i %T@ %C@\n" | sort >store.after &&
	test_cmp store.before store.after
'

test_expect_success 'a plain tree for what follows' '
	rm -rf live out again "$STORE" && make_store && new_env dev &&
	mkdir "$EVENTS/2025" "$EVENTS/2025/empty" &&
	echo one >"$EVENTS/2025/one" && echo two >"$EVENTS/2025/two" &&
	echo x >"$STATE/x" && ln -s x "$STATE/link" &&
	head -c 40000000 /dev/urandom >"$EVENTS/large" &&
	chmod 750 "$EVENTS/2025" && touch -d 2001-02-03 "$EVENTS/2025" &&
	id=$(hxsnap -q create dev) && to out dev/latest &&
	test_same_tree live/dev/events out/events
'

test_expect_success 'only some paths, in directories as they were' '
	rm -rf out && to out "dev/$id" events/2025/two state/link &&
	find out -mindepth 1 -printf "%P %y %m\n" | sort >got &&
	cat >want <<-\END && test_cmp want got &&
	events d 755
	events/2025 d 750
	events/2025/two f 644
	state d 755
	state/link l 777
	END
	hxtree list live/dev/events/2025 | head -n 1 >want &&
	hxtree list out/events/2025 | head -n 1 >got && test_cmp want got
'

test_expect_success 'a directory that is there must be empty' '
	rm -rf out && mkdir -m 700 out && to out dev/latest state &&
	[ "$(stat -c %a out)" = 700 ] && hxtree list out >before &&
	test_exit 1 hxsnap restore dev/latest --to out 2>err &&
	test_grep "is not empty: it holds .state." err &&
	hxtree list out >after && test_cmp before after
'

test_expect_success 'no path, no snapshot, no place' '
	rm -rf out &&
	refused 4 out dev/latest events/none && test_grep "events/none" err &&
	refused 4 out dev/latest meta.json &&
	refused 4 out dev/20010101T000000Z &&
	refused 2 out dev/latest ../etc &&
	refused 1 none/out dev/latest &&
	refused 5 "$STORE/backups/out" dev/latest &&
	test_grep "lies in the store" err &&
	refused 5 "$STORE/.hxsnap/out" dev/latest
'

test_expect_success 'a damaged block, a file too few, a file too many' '
	rm -rf out && flip_byte "$(stored events/large)" 36000000 &&
	refused 3 out dev/latest &&
	test_grep "events/large.: wrong bytes in the block at byte 35979264" err &&
	test_grep "nothing was written" err &&
	to out dev/latest state && rm -r out &&
	flip_byte "$(stored events/large)" 36000000 &&
	mv "$(stored events/2025/one)" aside &&
	refused 3 out dev/latest && test_grep "events/2025/one" err &&
	cp aside "$(stored events/2025/one)" && echo more >>"$(stored events/2025/one)" &&
	refused 3 out dev/latest && test_grep "bytes instead of 4" err &&
	ln -sf two "$(stored events/2025/one)" &&
	refused 3 out dev/latest && test_grep "no regular file" err &&
	rm "$(stored events/2025/one)" && mv aside "$(stored events/2025/one)" &&
	: >"$(stored events/2025/three)" &&
	refused 3 out dev/latest && test_grep "events/2025/three" err &&
	refused 3 out dev/latest events/2025 &&
	to out dev/latest events/2025/one && rm -r out &&
	rm "$(stored events/2025/three)" && to out dev/latest
'

test_expect_success 'a manifest of another snapshot' '
	rm -rf out && cp "$(stored manifest.sha256)" kept &&
	echo y >"$STATE/y" && other=$(hxsnap -q create dev) &&
	cp "$STORE/backups/dev/$other/manifest.sha256" "$(stored .)" &&
	refused 3 out "dev/$id" && test_grep "manifest" err &&
	cp kept "$(stored manifest.sha256)" && to out "dev/$id" &&
	rm "$STATE/y"
'

test_expect_success LOOP 'a full disk leaves nothing' '
	mkdir -p disk && loop_fs ext4 30M disk &&
	refused 1 disk/out dev/latest && test_grep "No space left" err &&
	find disk -mindepth 1 ! -name lost+found >got && test_line_count 0 got &&
	to disk/out dev/latest events/2025 && umount disk
'

test_expect_success 'a backup that a shell script made' '
	rm -rf out && foreign_snapshot dev 20010101T000000Z live/dev/events live/dev/state &&
	to out dev/20010101T000000Z && test_same_tree --no-root live/dev out
'

test_expect_success SETPRIV 'an ordinary user: its own files, and one warning' '
	rm -rf nobody && mkdir nobody && cp -a live/dev/events nobody/theirs &&
	chmod 4755 nobody/theirs/2025/one && chmod 555 nobody/theirs &&
	mkdir -p nobody/store/backups nobody/store/.hxsnap &&
	chown -R 65534:65534 nobody && chown 0:0 nobody/theirs/2025/two &&
	chmod 4755 nobody/theirs/2025/one nobody/theirs/2025/two && chmod 755 . &&
	cat >nobody/hxsnap.json <<-END &&
	{"store": "$TRASH/nobody/store", "environments": {"dev": {"sources":
	  {"theirs": {"kind": "directory", "path": "$TRASH/nobody/theirs"}}}}}
	END
	as_nobody hxsnap -q --config nobody/hxsnap.json create dev &&
	mkdir nobody/out && chown 65534 nobody/out &&
	as_nobody hxsnap --config nobody/hxsnap.json restore dev/latest \
		--to nobody/out 2>err && no_remains &&
	grep -c "could not be set here" err >got && echo 1 >want && test_cmp want got &&
	test_grep "the owner of .theirs/2025/two. could not be set" err &&
	[ "$(stat -c %a nobody/out/theirs/2025/one)" = 4755 ] &&
	[ "$(stat -c %a nobody/out/theirs/2025/two)" = 755 ] &&
	[ "$(stat -c %a nobody/out/theirs)" = 555 ] &&
	hxtree list --no-owner nobody/theirs | grep -v 2025/two >want &&
	hxtree list --no-owner nobody/out/theirs | grep -v 2025/two >got &&
	test_cmp want got
'

for fs in xfs btrfs; do
	need=$(echo $fs | tr a-z A-Z)
	test_expect_success "$need" "$fs: large files are clones, and are checked" '
		mkdir -p clones && loop_fs '$fs' 400M clones &&
		STORE=$TRASH/clones/store && make_store && new_env dev &&
		truncate -s 5M "$EVENTS/large" && echo end >>"$EVENTS/large" &&
		head -c 100000000 /dev/urandom >>"$EVENTS/large" &&
		id=$(hxsnap -q create dev) && sync &&
		before=$(df --output=used -k clones | tail -n 1) &&
		to clones/out dev/latest events && sync &&
		after=$(df --output=used -k clones | tail -n 1) &&
		test_same_tree "$EVENTS" clones/out/events &&
		[ $((after - before)) -lt 20000 ] && rm -r clones/out &&
		flip_byte "$(stored events/large)" 60000000 &&
		refused 3 clones/out dev/latest &&
		test_grep "wrong bytes in the block" err &&
		STORE=$TRASH/store && umount clones
	'
done

test_expect_success 'killed: nothing has the name that was asked for' '
	rm -rf out live "$STORE" && make_store && new_env dev && echo x >"$STATE/x" &&
	head -c 3000000 /dev/urandom >"$EVENTS/f" && id=$(hxsnap -q create dev) &&
	n=1 && tried=0 &&
	while [ $n -lt 400 ]; do
		nthcall -f out -m $n kill hxsnap -q restore dev/latest --to out \
			2>/dev/null && status=0 || status=$?
		[ $status -eq 200 ] && break
		[ ! -e out ] || test_same_tree --no-root live/dev out || return 1
		rm -rf out .hxsnap-restore-* && tried=$((tried + 1))
		n=$((n + 1))
	done && [ $tried -gt 10 ] && [ $status -eq 200 ]
'

test_done
