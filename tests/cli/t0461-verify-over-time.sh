#!/bin/sh
test_description='verify over time: what is due, the oldest first, so much a night'
. "$(dirname "$0")/../lib/lib.sh"

# when REF TIME: the result of its last verify is of then.
when() {
	sed -i "s/\"when\": \"[^\"]*\"/\"when\": \"$(date -u -d "$2" \
		+%Y-%m-%dT%H:%M:%SZ)\"/" "$STORE/.hxsnap/verify/$1.json"
}

# verified [STATUS] OPTION...: verify with these; the references in the order
# they were verified, without the day, go to "got".
verified() {
	status=0
	case $1 in
	[0-9]) status=$1 && shift ;;
	esac
	test_exit "$status" hxsnap --json -q verify "$@" >out 2>err &&
		jq -r "select(.type == \"snapshot\").reference" out |
		sed "s/2026020\(.\)T000000Z/\1/" | paste -sd" " >got
}

# is WANT: these were verified, in this order.
is() {
	[ "$(cat got)" = "$1" ] || {
		cat got out err && return 1
	}
}

test_expect_success 'four backups of one MiB, a rollback point, another environment' '
	new_env dev && make_store && mkdir -p beta &&
	head -c 1M /dev/urandom >"$EVENTS/a" && cp "$EVENTS/a" beta/a &&
	for day in 1 2 3 4; do
		foreign_snapshot dev 2026020${day}T000000Z "$EVENTS" || return 1
	done &&
	foreign_snapshot dev 20260205T000000Z "$EVENTS" &&
	mkdir -p "$STORE/rollbacks/dev" &&
	mv "$STORE/backups/dev/20260205T000000Z" "$STORE/rollbacks/dev/" &&
	foreign_snapshot beta 20260206T000000Z beta
'

test_expect_success 'what was never verified is due, the oldest first' '
	verified dev --older-than 7d &&
	is "dev/1 dev/2 dev/3 dev/4 dev/.rollbacks/5" &&
	jq -e "select(.type == \"summary\") | .verified == 5 and .left == 0" out
'

test_expect_success 'what was verified is not due, and that is a success' '
	verified dev --older-than 7d && is "" &&
	jq -e "select(.type == \"summary\") | .verified == 0 and .left == 0" out &&
	hxsnap verify dev --older-than 7d >out 2>err && test_line_count 0 out &&
	test_grep "verified 0 snapshots; none is left for another time" err &&
	verified --all --older-than 7d && is "beta/6"
'

test_expect_success 'the one that was verified longest ago comes first' '
	when backups/dev/20260203T000000Z "9 days ago" &&
	when rollbacks/dev/20260205T000000Z "11 days ago" &&
	when backups/dev/20260201T000000Z "10 days ago" &&
	when backups/dev/20260202T000000Z "6 days ago" &&
	test_exit 2 hxsnap verify --all --older-than 1w &&
	verified --all --older-than 7d && is "dev/.rollbacks/5 dev/1 dev/3" &&
	verified --all --older-than 7d && is ""
'

test_expect_success 'since a time' '
	when backups/dev/20260203T000000Z "2026-03-01 12:00" &&
	when backups/dev/20260202T000000Z "2026-03-01 11:59:59" &&
	verified dev --older-than 2026-03-01T12:00:00Z && is "dev/2" &&
	verified dev --older-than 2026-03-01T14:00:01+02:00 && is "dev/3"
'

# old: all were verified long ago, the newer ones longer ago.
old() {
	verified --all && when backups/dev/20260204T000000Z "15 days ago" &&
		when backups/dev/20260203T000000Z "14 days ago" &&
		when backups/dev/20260202T000000Z "13 days ago" &&
		when backups/dev/20260201T000000Z "12 days ago" &&
		when rollbacks/dev/20260205T000000Z "11 days ago" &&
		when backups/beta/20260206T000000Z "10 days ago"
}

test_expect_success 'a budget: night after night it goes round all of them' '
	old && verified --all --budget 2100KiB && is "dev/4 dev/3" &&
	jq -e "select(.type == \"summary\") | .verified == 2 and .left == 4" out &&
	verified --all --budget 2100KiB && is "dev/2 dev/1" &&
	verified --all --budget 2100KiB && is "dev/.rollbacks/5 beta/6" &&
	when backups/dev/20260204T000000Z "1 hour ago" &&
	verified --all --budget 2100KiB && test_grep "^dev/4 " got
'

test_expect_success 'a budget and an age: it ends when nothing is due' '
	old && verified --all --older-than 7d --budget 4200KiB &&
	is "dev/4 dev/3 dev/2 dev/1" &&
	verified --all --older-than 7d --budget 4200KiB &&
	is "dev/.rollbacks/5 beta/6" &&
	verified --all --older-than 7d --budget 4200KiB && is ""
'

test_expect_success 'at least one, however small the budget; exactly as much as it says' '
	old && verified --all --budget 1B && is "dev/4" &&
	old && size=$((1048576 + $(stat -c %s \
		"$STORE/backups/dev/20260204T000000Z/manifest.sha256"))) &&
	verified --all --budget 2097152B && is "dev/4 dev/3" &&
	old && verified --all --budget 2097151B && is "dev/4"
'

test_expect_success 'damage counts as verified, is told, and does not stop it' '
	old && flip_byte "$STORE/backups/dev/20260203T000000Z/events/a" 7 &&
	verified 3 --all --older-than 7d --budget 3200KiB && is "dev/4 dev/3 dev/2" &&
	jq -r "select(.type == \"fault\").reference" out >got &&
	is dev/20260203T000000Z &&
	verified --all --older-than 7d --budget 3200KiB && is "dev/1 dev/.rollbacks/5 beta/6" &&
	hxsnap list dev >out && test_grep "dev/20260203T000000Z .* DAMAGED" out &&
	[ "$(grep -c " yes " out)" -eq 3 ] &&
	hxsnap show dev/20260203 >out && test_grep "^verified: .*DAMAGED, 1 fault" out &&
	test_grep "^first fault: *events/a: " out &&
	flip_byte "$STORE/backups/dev/20260203T000000Z/events/a" 7
'

test_expect_success 'one that cannot be opened costs nothing and is told' '
	old && mv "$STORE/backups/dev/20260204T000000Z/manifest.sha256" keep &&
	verified 3 --all --budget 1100KiB && is "dev/4 dev/3" &&
	mv keep "$STORE/backups/dev/20260204T000000Z/manifest.sha256" &&
	hxsnap -q verify dev
'

test_lazy_prereq PTRACE 'root that may trace a process' '
	unshare -pf --mount-proc nthcall 1 kill true
	[ $? -eq 137 ]'

test_expect_success PTRACE 'killed in the middle: what was done is done, it goes on there' '
	old && unshare -pf --mount-proc nthcall -l -m 0 kill \
		hxsnap -q verify --all --older-than 7d 2>calls >out && old &&
	n=$(sed -nE "s/^nthcall: ([0-9]+): rename.*/\1/p" calls | sed -n 2p) &&
	[ "$n" ] && test_exit 137 unshare -pf --mount-proc nthcall -m $((n + 1)) kill \
		hxsnap -q verify --all --older-than 7d 2>err &&
	verified --all --older-than 7d && is "dev/2 dev/1 dev/.rollbacks/5 beta/6"
'

test_expect_success 'a snapshot that is named is verified anyway; words that make no sense' '
	for words in "dev/latest --older-than 7d" "dev/latest --budget 1GiB" \
		"dev --older-than 7" "dev --older-than soon" "dev --older-than -1d" \
		"dev --budget 1" "dev --budget 0B" "dev --budget 1GB" \
		"dev --budget=-1GiB"; do
		# shellcheck disable=SC2086 # several words
		test_exit 2 hxsnap verify $words >out 2>err && test_line_count 0 out &&
		test_grep "^hint: " err || return 1
	done &&
	test_exit 4 hxsnap verify nope --older-than 7d &&
	hxsnap -q verify dev/latest
'

# The timer's units name what may be written; a store elsewhere is not named.
test_expect_success SETPRIV 'a result that cannot be kept: right all the same, and said, also with -q' '
	chmod -R a+rX "$STORE" && hxsnap -q verify dev >out 2>err && test_line_count 0 err &&
	as_nobody "$HXS_BUILD/hxsnap" --store "$STORE" -q verify dev >out 2>err &&
	test_line_count 1 err && test_grep "warning: cannot .*result.*Permission denied" err &&
	as_nobody "$HXS_BUILD/hxsnap" --store "$STORE" --json -q verify dev/latest >out 2>err &&
	jq -e ".passed and .recorded == false" out && test_line_count 1 err &&
	hxsnap --json -q verify dev/latest >out 2>err && test_line_count 0 err &&
	jq -e ".passed and .recorded" out
'

test_done
