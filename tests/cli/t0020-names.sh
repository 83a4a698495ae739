#!/bin/sh
test_description='odd names: kept exactly, and harmless on a terminal'
. "$(dirname "$0")/../lib/lib.sh"

# clean FILE: no control byte but newlines, no DEL, valid UTF-8.
clean() {
	if LC_ALL=C tr -d '\n' <"$1" | LC_ALL=C grep -q '[[:cntrl:]]'; then
		cat -v "$1"
		return 1
	fi
	iconv -f UTF-8 -t UTF-8 "$1" >"$TRASH/.utf8"
}

test_expect_success 'a tree of odd names' '
	new_env dev && echo s >"$STATE/s" &&
	python3 - "$EVENTS" <<-\END
	import os, sys
	top = os.fsencode(sys.argv[1])
	names = [b"new\nline", b"tab\tname", b"esc\033[31mred", b"del\177",
	    b"bell\007", b"cr\rname", b"back\\slash", b"quote\"s",
	    b"single\047quote", b"$(touch pwned)", b"`touch pwned`", b"; touch pwned",
	    b"-rf", b"--help", b" ", b"  lead", b"trail ", b"*", b"?", b"[a]",
	    b"caf\303\251", b"cafe\314\201", b"latin\351", b"\377\376",
	    b"bidi\342\200\256txt", b"c1\302\233m", b"sep\342\200\250x",
	    b"a" * 255, b"\360\237\230\200", b".hidden", b"..more", b".status",
	    b".control", b"manifest.sha256", b"index.hxi", b"meta.json",
	    b"lost+found", b"UPPER", b"upper", b"%s%n%d", b"x\nhxsnap: forged"]
	for i, name in enumerate(names):
	    with open(os.path.join(top, name), "wb") as f:
	        f.write(b"%d\n" % i)
	os.mkdir(os.path.join(top, b"dir\n\033"))
	open(os.path.join(top, b"dir\n\033", b"in\177side"), "w").close()
	os.symlink(b"to\n\033[2J", os.path.join(top, b"link\033"))
	END
'

test_expect_success 'a backup of it is right by both measures' '
	id=$(hxsnap create dev) && hxsnap verify dev/latest &&
	(cd "$STORE/backups/dev/$id" &&
		sha256sum -c --strict --quiet manifest.sha256) &&
	test_same_tree "$EVENTS" "$STORE/backups/dev/$id/events"
'

test_expect_success 'every file missing: each named, no byte that acts' '
	cp -a "$STORE/backups/dev/$id" keep &&
	dir=$STORE/backups/dev/$id &&
	find "$dir/events" ! -type d -delete &&
	test_exit 3 hxsnap verify "dev/$id" >out 2>err &&
	clean out && clean err &&
	test_line_count 43 out &&
	grep -F "events/new\\nline:" out && grep -F "events/esc\\033[31mred:" out &&
	grep -F "events/back\\\\slash:" out && grep -F "events/latin\\351:" out &&
	grep -F "events/bidi\\342\\200\\256txt:" out &&
	grep -F "events/c1\\302\\233m:" out &&
	grep -F "events/café:" out && grep -F "events/%s%n%d:" out &&
	grep -F "events/x\\nhxsnap: forged:" out &&
	test_grep ! "^hxsnap: forged" out && test_grep ! "^hxsnap: forged" err &&
	test_grep ! "^hxsnap: forged" out
'

test_expect_success 'the same in list, show and JSON' '
	hxsnap list >out && clean out &&
	hxsnap show "dev/$id" >out && clean out && grep "^first fault: " out &&
	test_exit 3 hxsnap --json verify "dev/$id" >out && clean out &&
	jq . out >parsed && hxsnap --json list >out && clean out && jq . out >parsed
'

test_expect_success 'names that are not listed' '
	rm -r "$dir" && cp -a keep "$dir" &&
	: >"$dir/events/$(printf "extra\\033]0;owned\\007\\nhxsnap: all is well")" &&
	test_exit 3 hxsnap verify "dev/$id" >out 2>err &&
	clean out && clean err && test_line_count 1 out &&
	grep -F "extra\\033]0;owned\\007\\nhxsnap: all is well: " out &&
	test_grep ! "^hxsnap: all is well" err
'

test_expect_success 'a manifest that is hostile, shown' '
	mkdir -p "$STORE/backups/beta/20260205T152900Z" &&
	cd "$STORE/backups/beta/20260205T152900Z" &&
	for line in "evil\\033[2J\\nforged" "\\377\\376" "/etc\\033]0;x\\007"; do
		printf "%064d  $line\\n" 0 >manifest.sha256 &&
		test_exit 3 hxsnap --store "$STORE" verify beta/latest \
			>"$TRASH/out" 2>"$TRASH/err" &&
		clean "$TRASH/out" && clean "$TRASH/err" &&
		{ hxsnap --store "$STORE" show beta/latest \
			>"$TRASH/out" 2>"$TRASH/err" || :; } &&
		clean "$TRASH/out" && clean "$TRASH/err" || return 1
	done
'

test_expect_success 'a meta.json that is hostile, shown' '
	cd "$STORE/backups/beta/20260205T152900Z" &&
	printf "%s\n" "{\"env\": \"beta\", \"backup_id\": \"20260205T152900Z\",
	  \"hostname\": \"h\\u001b[31m\\u0007\\u202e\", \"tags\": [\"a\\nb\\u001b\"],
	  \"git_commit\": \"\\u0085\\u009b31m\", \"warnings\": [\"w\\rx\"],
	  \"sources\": {\"s\": {\"kind\": \"k\\u001b\", \"path\": \"p\\n\\t\"}}}" \
		>meta.json &&
	sha256sum meta.json >manifest.sha256 &&
	hxsnap --store "$STORE" list >"$TRASH/out" && clean "$TRASH/out" &&
	hxsnap --store "$STORE" list beta | wc -l >"$TRASH/lines" &&
	[ "$(cat "$TRASH/lines")" -eq 2 ] &&
	hxsnap --store "$STORE" show beta/latest >"$TRASH/out" &&
	clean "$TRASH/out" && grep -F "h\\033[31m\\007" "$TRASH/out"
'

test_expect_success 'words of the command line and of the configuration, shown' '
	word=$(printf "x\\033[31m\\nhxsnap: forged\\r") &&
	test_exit 2 hxsnap "$word" 2>err && clean err && test_line_count 2 err &&
	test_exit 2 hxsnap list "--$word" 2>err && clean err &&
	test_exit 2 hxsnap list "$word" 2>err && clean err &&
	test_exit 2 hxsnap show "dev/$word" 2>err && clean err &&
	test_exit 4 hxsnap --store "$word" list 2>err && clean err &&
	test_exit 4 hxsnap --config "$word" list 2>err && clean err &&
	printf "{\"store\": \"s\", \"k\\\\u001b[31m\\\\n\": 1}" >c.json &&
	test_exit 2 hxsnap --config c.json list 2>err && clean err &&
	test_line_count 1 err
'

test_expect_success 'tags with odd bytes do not break the list' '
	tag=$(printf "t\\033[31m\\nx") &&
	{ hxsnap create dev --tag "$tag" >out 2>err || :; } && clean err &&
	hxsnap list dev >out && clean out
'

test_done
