#!/bin/sh
test_description='the README: what it tells to type works; t0091 has the first hour'
. "$(dirname "$0")/../lib/lib.sh"

readme=$HXS_SRC/README.md

# Blocks marked <!-- tested[: CONDITION] -->, in order, into block-1 ...; the
# conditions into conditions, a line each.
awk '
	/^<!-- tested.* -->$/ {
		mark = $0
		sub(/^<!-- tested:? ?/, "", mark)
		sub(/ ?-->$/, "", mark)
		marked = 1
		next
	}
	/^```/ && inside { inside = 0; next }
	/^```/ && marked {
		inside = 1
		marked = 0
		print mark >"conditions"
		file = "block-" ++n
		printf "" >file
		next
	}
	inside { print >file }
' "$readme"

# run_block N: in the shell that the blocks before it ran in, as far as one
# can tell: the directory and the variable that they set.
run_block() {
	(
		cd "$HOME/tour" 2>/dev/null || cd "$HOME" || exit 1
		[ ! -e "$TRASH/id" ] || id=$(cat "$TRASH/id")
		set -e
		# shellcheck disable=SC1090 # from the README
		. "$TRASH/block-$1"
		printf '%s\n' "$id" >"$TRASH/id"
	)
}

# damaged: what must hold between the block that finds the damage and those
# that mend it.
damaged() {
	test_expect_success FUSE 'the damaged file was an error, the others were not' '
		cd tour && id=$(cat ../id) &&
		STORE=$TRASH/tour/store mount_store "$TRASH/m" &&
		test_when_finished "umount_store $TRASH/m" &&
		cat "$TRASH/m/dev/$id/events/2026-02-01.jsonl" &&
		test_must_fail cat "$TRASH/m/dev/$id/events/2026-02-02.jsonl" 2>err &&
		test_grep "Input/output error" err &&
		cmp events/2026-02-04.jsonl "$TRASH/m/dev/latest/events/2026-02-04.jsonl"
	'

	test_expect_success 'what verify prints is what the README shows' '
		grep "^block dev/" "$readme" | sed "s/20260205T152900Z/$(cat id)/" >want &&
		test_cmp want out
	'
}

test_expect_success 'there are blocks to try' '
	[ "$(wc -l <conditions)" -ge 7 ] &&
	for n in 1 2 3; do [ -s "block-$n" ] || return 1; done
'

n=0
while read -r condition; do
	n=$((n + 1))
	title="block $n: $(grep -v '^$' "block-$n" | head -n 1 | tr -d "'")"
	case $condition in
	'') test_expect_success "$title" 'run_block "$n"' ;;
	FUSE) test_expect_success FUSE "$title" '
		test_when_finished "! mountpoint -q $HOME/tour/mnt ||
			umount $HOME/tour/mnt" &&
		run_block "$n"' ;;
	"status "*)
		test_expect_success "$title" '
			test_exit "${condition#status }" run_block "$n" >out'
		damaged
		;;
	*) test_expect_success "$title" 'false' ;;
	esac
done <conditions

test_expect_success 'the configurations in the tree are right' '
	for file in "$HXS_SRC"/examples/*.json; do
		test_exit 4 hxsnap --config "$file" list 2>err &&
		test_grep "no store at" err || return 1
	done
'

# Their commands are tried by tests/systems, each page's by one script.
test_expect_success 'every page is there, named, and tried' '
	grep -o "(examples/[a-z]*\.md)" "$readme" | tr -d "()" | sort >named &&
	(cd "$HXS_SRC" && ls examples/*.md) >there && test_cmp there named &&
	while read -r page; do
		page=${page#examples/} &&
		grep -lw "page ${page%.md}" "$HXS_SRC"/tests/systems/t[0-9]*.sh >tried &&
		test_line_count 1 tried && grep "\`$page\`" "$HXS_SRC/tests/systems/README.md" ||
			return 1
	done <named
'

test_expect_success 'every package is in its table' '
	sed -n "s/^[a-z][a-z]*[[:space:]][[:space:]]*\([^[:space:]]*\).*/\1/p" \
		"$HXS_SRC/scripts/packages" | sort -u >packages &&
	[ "$(wc -l <packages)" -ge 20 ] &&
	while read -r package; do
		grep -q -e "[| ]$package[ ,.]" -e "^$package[ ,.]" "$readme" || {
			echo "not in the README: $package"
			return 1
		}
	done <packages
'

test_expect_success 'every make target and manual that it names is there' '
	grep -o "make [a-z][a-z-]*" "$readme" | sort -u | cut -d " " -f 2 >targets &&
	while read -r target; do
		case $target in
		git) continue ;;
		esac
		grep "^$target:" "$HXS_SRC/Makefile" \
			"$HXS_SRC/examples/hxsnap.mk" || return 1
	done <targets &&
	grep -o "\`hxsnap[a-z.-]*([1-9])\`" "$readme" | tr -d "\`)" | tr "(" "." |
		while read -r page; do
			test_path_is_file "$HXS_SRC/man/$page" || return 1
		done
'

test_done
