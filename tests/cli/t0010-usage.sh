#!/bin/sh
test_description='the command line: options, words, statuses'
. "$(dirname "$0")/../lib/lib.sh"

# usage PATTERN WORD...: status 2, nothing on standard output, a message that
# matches PATTERN, one line with a hint and no more.
usage() {
	pattern=$1
	shift
	test_exit 2 hxsnap "$@" >out 2>err &&
		test_line_count 0 out &&
		test_line_count 2 err &&
		sed -n 1p err | grep -q "^hxsnap: .*$pattern" &&
		sed -n 2p err | grep -q "^hint: " && return 0
	cat out err >&2
	return 1
}

test_expect_success 'no command, an unknown one, one like a known one' '
	usage "no command was given" &&
	usage "unknown command .frobnicate." frobnicate &&
	grep "hxsnap -h" err &&
	usage "unknown command .lits." lits &&
	grep "did you mean .hxsnap list.?" err &&
	usage "unknown command .verfy." --store x verfy &&
	grep "did you mean .hxsnap verify.?" err &&
	usage "unknown command .prun." prun dev &&
	grep "did you mean .hxsnap prune.?" err &&
	usage "unknown command .x." x &&
	test_grep ! "did you mean" err &&
	long=$(printf "%0200d" 0) &&
	usage "unknown command .0*" "$long"
'

test_expect_success 'unknown options are named, wherever they stand' '
	usage "unknown option .--frob." --frob list &&
	usage "unknown option .--frob." list --frob &&
	usage "unknown option .--frob." list --frob=x &&
	usage "unknown option .-x." list -x &&
	usage "unknown option .-x." list -qx &&
	usage "unknown option .--keep." list --keep &&
	usage "unknown option .--keep." --keep create dev &&
	usage "unknown option .--older-than." list --older-than 1d &&
	usage "unknown option .--budget." show x --budget=1GiB
'

test_expect_success 'options are not abbreviated' '
	usage "unknown option .--sto." --sto=x list &&
	usage "unknown option .--roll." list --roll
'

test_expect_success 'an argument is never optional, never empty, never too much' '
	usage "option .--store. wants DIR" list --store &&
	usage "option .--config. wants FILE" list --config &&
	usage "option .--tag. wants TAG" create dev --tag &&
	usage "option .--tag. wants TAG, and got an empty word" create dev --tag= &&
	usage "option .--store. wants DIR, and got an empty word" --store "" list &&
	usage "option .--json. takes no argument" list --json=yes &&
	usage "option .--full. takes no argument" create dev --full= &&
	usage "option .--apply. takes no argument" prune dev --apply=yes
'

test_expect_success 'too few words, too many' '
	usage "create wants an environment" create &&
	usage "unexpected word .b." create a b &&
	usage "unexpected word .b." list a b &&
	usage "show wants a snapshot" show &&
	usage "unexpected word .y." show x y &&
	usage "verify wants a snapshot, an environment or .--all." verify &&
	usage "unexpected word .dev." verify --all dev &&
	usage "unexpected word .b." verify a b &&
	usage "diff wants two snapshots" diff a &&
	usage "unexpected word .c." diff a b c &&
	usage "unexpected word .b." init a b &&
	usage "restore wants a snapshot" restore &&
	usage "rollback wants an environment" rollback &&
	usage "unexpected word .b." rollback a b &&
	usage "drill wants an environment or a snapshot" drill &&
	usage "unexpected word .b." drill a b &&
	usage "options .--history. and .--scratch. exclude" drill a --history --scratch x &&
	usage "option .--scratch. wants DIR" drill a --scratch &&
	usage "unexpected word .b." recover a b &&
	usage "prune wants an environment" prune &&
	usage "unexpected word .b." prune a b &&
	usage "keep wants a snapshot" keep &&
	usage "unkeep wants a snapshot" unkeep &&
	usage "unexpected word .b." keep a b &&
	usage "unexpected word .b." help list b &&
	usage "unknown command .frob." help frob
'

test_expect_success 'names and references that are none' '
	make_store &&
	for word in "" . .. a/b A "a b" -- "../x" "*" "$(printf "%065d" 0)"; do
		test_exit 2 hxsnap --store "$STORE" list -- "$word" 2>err &&
		test_line_count 0 out || return 1
	done &&
	for word in "" / dev/ dev// dev/x dev/.. dev/latest/x dev@ dev@yesterday \
		dev/20260230T000000Z dev/.rollbacks dev/.rollbacks/../x; do
		test_exit 2 hxsnap --store "$STORE" show -- "$word" >out 2>err &&
		test_line_count 0 out &&
		test_grep "^hxsnap: " err || return 1
	done
'

test_expect_success 'options before and after the command, both spellings' '
	foreign_snapshot dev 20260205T152900Z "$HXS_SRC/tests/lib/rules.yml" &&
	hxsnap --store "$STORE" list >a &&
	hxsnap --store="$STORE" list >b && test_cmp a b &&
	hxsnap list --store "$STORE" >b && test_cmp a b &&
	hxsnap list --store="$STORE" >b && test_cmp a b &&
	hxsnap list dev --store "$STORE" -q >b && test_cmp a b &&
	hxsnap list --store "$STORE" -- dev >b && test_cmp a b &&
	hxsnap --store /nowhere list --store "$STORE" >b && test_cmp a b &&
	hxsnap --store "$STORE" -- list >b && test_cmp a b &&
	test_line_count 2 a
'

test_expect_success 'after -- a word may begin with a dash' '
	usage "unknown option .-dev." list --store "$STORE" -dev &&
	test_exit 2 hxsnap --store "$STORE" list -- -dev 2>err &&
	test_grep "^hxsnap: .-dev. is no environment" err
'

test_expect_success 'init makes an empty directory a store, once' '
	mkdir empty &&
	hxsnap init empty 2>err &&
	test_grep "is a store" err &&
	test_path_is_dir empty/backups &&
	hxsnap -q init empty 2>err && test_line_count 0 err &&
	hxsnap -q init fresh && test_path_is_dir fresh/backups &&
	hxsnap --store other -q init && test_path_is_dir other/backups &&
	hxsnap --store fresh list >out && test_line_count 0 out
'

test_expect_success 'init refuses what holds something else, or no place' '
	mkdir full && : >full/x &&
	test_exit 2 hxsnap init full 2>err && test_grep "not empty" err &&
	test_path_is_missing full/backups &&
	: >file &&
	test_exit 2 hxsnap init file 2>err && test_grep "file" err &&
	test_exit 1 hxsnap init no/such/dir 2>err &&
	test_path_is_missing no
'

test_expect_success 'a store that is none: missing, empty, something else' '
	mkdir nothing some && : >some/file &&
	test_exit 4 hxsnap --store missing list 2>err &&
	test_grep "missing" err &&
	test_exit 2 hxsnap --store nothing list 2>err &&
	test_grep "not a store.*empty" err && test_grep "^hint: .*init" err &&
	test_exit 2 hxsnap --store some verify --all 2>err &&
	test_grep "not a store" err &&
	test_exit 2 hxsnap --store some/file show dev/latest 2>err &&
	test_path_is_missing nothing/backups &&
	test_path_is_missing missing
'

test_expect_success '--config and --store together: the store is the one given' '
	new_env dev && echo 1 >"$EVENTS/a" && echo 2 >"$STATE/b" &&
	hxsnap -q init elsewhere &&
	id=$(hxsnap -q --store elsewhere create dev) &&
	test_path_is_dir "elsewhere/backups/dev/$id" &&
	test_path_is_missing "$STORE/backups/dev/$id"
'

test_done
