#!/bin/sh
# shellcheck disable=SC2016 # bodies, and what programs run, are evaluated later
test_description='several programs at once: as many as allowed, and no more'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

# One that comes, and waits until it may go: here/NAME is there meanwhile. Then
# it does what acts/NAME says, if that is there.
cat >come <<-\END
	#!/bin/sh
	: >"here/$HXSNAP_SOURCE"
	echo "$HXSNAP_SOURCE $$" >>came
	until [ -e "go/$HXSNAP_SOURCE" ] || [ -e go/all ]; do
		sleep 0.01
	done
	[ ! -e "acts/$HXSNAP_SOURCE" ] || . "acts/$HXSNAP_SOURCE"
	rm "here/$HXSNAP_SOURCE"
	echo "state of $HXSNAP_SOURCE"
END
chmod 755 come

# programs N [MORE]: an environment of so many, a to ...
programs() {
	rm -rf live "$STORE" here go acts came && mkdir here go acts && new_env &&
		make_store && echo x >"$EVENTS/x" && echo x >"$STATE/x" &&
		jq --argjson n "$1" '.environments.dev |= (
			(.sources += ([range($n) | {key: ([97 + .] | implode),
				value: {kind: "command", capture: ["./come"],
				restore: ["sh", "-c", "cat >/dev/null"],
				file: "state"}}] | from_entries))
			+ {'"${2:-}"'})' "$HXSNAP_CONFIG" >c &&
		mv c "$HXSNAP_CONFIG"
}

# begin: a backup in the background.
begin() {
	hxsnap create dev >out 2>err &
	pid=$!
}

# here N [ALL]: so many are here, of so many that came; and all that the
# backup does is wait: so no more will come.
here() {
	want=$1 all=${2:-$1}
	test_poll 60 '[ "$(cat came 2>/dev/null | wc -l)" -ge "$all" ] &&
		[ "$(ls here | wc -l)" -le "$want" ] &&
		! cat /proc/$pid/task/*/stat | sed "s/.*) //" | grep -v "^S"' &&
		[ "$(ls here | wc -l)" -eq "$want" ] &&
		test_line_count "$all" came
}

made() {
	wait "$pid" && id=$(cat out) && hxsnap -q verify "dev/$id"
}

test_expect_success 'one at a time, if nothing is said' '
	programs 3 && begin && here 1 && : >"go/$(ls here)" &&
	here 1 2 && : >go/all && made && test_line_count 3 came &&
	for one in a b c; do
		[ "$(cat "$STORE/backups/dev/$id/$one/state")" = "state of $one" ] ||
			return 1
	done
'

test_expect_success 'three of seven at a time; the next comes when one has gone' '
	programs 7 "parallel: 3" && begin && here 3 &&
	: >"go/$(ls here | tail -n 1)" && here 3 4 && : >go/all && made &&
	test_line_count 7 came &&
	[ "$(ls "$STORE/backups/dev/$id" | wc -l)" -eq 13 ]
'

test_expect_success 'all of them, if more are allowed than there are' '
	programs 4 "parallel: 16" && begin && here 4 && : >go/all && made
'

test_expect_success 'no source is looked at before the last of them has ended' '
	programs 2 "parallel: 2" && begin && here 2 && : >go/a &&
	here 1 2 && echo late >"$EVENTS/late" && : >go/b && made &&
	[ "$(cat "$STORE/backups/dev/$id/events/late")" = late ]
'

test_expect_success 'one fails: the others are ended, and no more begun; it is named' '
	programs 5 "parallel: 3" && echo "echo gone >&2; exit 9" >acts/b &&
	begin && here 3 && : >go/b && test_exit 1 wait "$pid" &&
	test_line_count 0 out && cat err &&
	test_grep "source .b.: .\./come. failed with status 9: gone; no snapshot" err &&
	test_grep ! cancel err && test_line_count 3 came && no_remains &&
	while read -r name child; do
		test_poll 30 "! kill -0 $child 2>/dev/null" || return 1
	done <came
'

test_expect_success 'cancelled: all are ended' '
	programs 5 "parallel: 3" && begin && here 3 && kill -TERM "$pid" &&
	test_must_fail wait "$pid" && test_line_count 0 out &&
	test_grep cancel err && test_line_count 3 came && no_remains &&
	while read -r name child; do
		test_poll 30 "! kill -0 $child 2>/dev/null" || return 1
	done <came
'

test_expect_success 'killed: the next one removes what is left' '
	programs 3 "parallel: 2" && begin && here 2 && kill -KILL "$pid" &&
	{ wait "$pid" || :; } && : >go/all &&
	while read -r name child; do
		test_poll 30 "! kill -0 $child 2>/dev/null" || return 1
	done <came && id=$(hxsnap -q create dev) && no_remains &&
	hxsnap -q verify "dev/$id"
'

test_expect_success 'so it is for a rollback point' '
	: >go/all && id=$(hxsnap -q create dev) && rm go/all came &&
	{ hxsnap restore "dev/$id" >out 2>err & } && pid=$! &&
	here 2 && : >go/all && wait "$pid" && no_remains &&
	test_line_count 3 came &&
	hxsnap -q verify "dev/.rollbacks/$(cat out)"
'

test_done
