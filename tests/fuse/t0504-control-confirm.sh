#!/bin/sh
# shellcheck disable=SC2016 # bodies, and what hooks run, are evaluated later
test_description='.control: a restore that is to be confirmed in time'

. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/control.sh"
. "$HXS_SRC/tests/lib/restore.sh"

RECORD=$STORE/.hxsnap/unconfirmed/dev

# anew [HOOKS]: what is live is good; a backup of what was bad, $bad.
anew() {
	rm -rf live "$STORE" config.new && new_env && make_store &&
		echo bad >"$EVENTS/state" && echo more >"$EVENTS/more" &&
		echo s >"$STATE/s" && bad=$(hxsnap -q create dev) &&
		echo good >"$EVENTS/state" && rm "$EVENTS/more" &&
		{ [ $# -eq 0 ] || hooks "$1"; } && hxtree list live >before
}

is_old() {
	hxtree list live >after && test_cmp before after
}
is_new() {
	[ "$(cat "$EVENTS/state")" = bad ] && [ -e "$EVENTS/more" ]
}

no_record() {
	test_path_is_missing "$RECORD"
}

# waiting ARGUMENT...: hxsnap in the background, $pid, that waits by now.
waiting() {
	(exec hxsnap -q "$@" >out 2>err) &
	pid=$! && test_poll 30 "grep -q waiting $RECORD 2>/dev/null"
}

# acts CONDITION: the last line of the audit log.
acts() {
	tail -n 1 "$STORE/.hxsnap/audit.log" | jq -e "$1" >/dev/null
}

test_expect_success FUSE 'the write returns when it is restored; confirmed it stays' '
	anew && mount_store mnt && test_when_finished "umount_store mnt" &&
	say "restore dev/$bad confirm-within=1h" && is_new && [ -e "$RECORD" ] &&
	reply ".ok and .command == \"restore\" and (.confirm_until | test(\"^20.*Z$\")) and
		(.message | contains(\"unless it is confirmed until\"))" &&
	back=$(jq -r .rollback_id mnt/.control) &&
	test_must_fail say "restore dev/$bad" 2>err && test_grep "busy" err &&
	reply ".hint | contains(\"confirm\")" &&
	say confirm mnt/dev/.control && no_record && is_new &&
	reply ".ok and .command == \"confirm\" and .environment == \"dev\" and
		.reference == \"dev/$bad\" and .rollback_id == \"$back\"" &&
	acts ".act == \"confirm\" and .from == \"control\" and .ok" &&
	test_must_fail say "confirm dev" 2>err && test_grep "No such" err &&
	reply ".error == \"ENOENT\"" && say "rollback dev" && is_old &&
	reply ".confirm_until == null"
'

test_expect_success FUSE 'not confirmed it is put back, by itself and in time' '
	anew && mount_store mnt && test_when_finished "umount_store mnt" &&
	say "restore confirm-within=2s" mnt/dev/$bad/.control && is_new &&
	until=$(jq -r .confirm_until mnt/.control) &&
	test_poll 60 "[ ! -e $RECORD ]" && is_old &&
	[ "$(date +%s)" -ge "$(date -d "$until" +%s)" ] &&
	test_grep "not confirmed until 20.*the old state is back" mnt.log &&
	test_poll 10 "acts \".act == \\\"undo\\\" and .from == \\\"mount\\\" and .ok\"" &&
	test_must_fail say "confirm dev" && is_old && say "verify dev/$bad"
'

test_expect_success FUSE 'the tool confirms it, or takes it back, and the other way about' '
	anew && mount_store mnt && test_when_finished "umount_store mnt" &&
	say "restore dev/$bad events/state confirm-within=1h" &&
	[ "$(cat "$EVENTS/state")" = bad ] && test_path_is_missing "$EVENTS/more" &&
	hxsnap rollback dev && is_old && no_record &&
	say "restore dev/$bad confirm-within=1h" && hxsnap confirm dev &&
	is_new && no_record && say "rollback dev confirm-within=1h" && is_old &&
	say "rollback dev" && is_new && no_record &&
	hxsnap -q rollback dev && is_old &&
	waiting restore "dev/$bad" --confirm-within 1h && say "confirm dev" && wait $pid &&
	is_new && no_record
'

test_expect_success FUSE 'a mount that ends leaves it to the next' '
	anew && mount_store mnt && say "restore dev/$bad confirm-within=1h" &&
	umount_store mnt && is_new && [ -e "$RECORD" ] &&
	mount_store mnt && is_new && say "confirm dev" && is_new && no_record &&
	hxsnap -q rollback dev && is_old && say "restore dev/$bad confirm-within=3s" &&
	until=$(date -d "$(jq -r .confirm_until mnt/.control)" +%s) &&
	kill -9 $(store_pid mnt) && wait_store mnt 137 && mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	test_poll 60 "[ ! -e $RECORD ]" && is_old && [ "$(date +%s)" -ge "$until" ]
'

test_expect_success FUSE 'one whose command was killed is put back by the mount' '
	anew && mount_store mnt && test_when_finished "umount_store mnt" &&
	waiting restore "dev/$bad" --confirm-within 3s && kill -9 $pid && is_new &&
	test_poll 60 "[ ! -e $RECORD ]" && is_old
'

test_expect_success FUSE 'health hooks that pass confirm it' '
	anew "{\"health\": [[\"test\", \"-e\", \"$TRASH/well\"]]}" &&
	mount_store mnt && test_when_finished "umount_store mnt; rm -f well" &&
	say "restore dev/$bad confirm-within=1h" && [ -e "$RECORD" ] && : >well &&
	test_poll 60 "[ ! -e $RECORD ]" && is_new &&
	test_poll 10 "acts \".act == \\\"confirm\\\" and .from == \\\"mount\\\"\"" &&
	test_must_fail say "confirm dev" && is_new
'

HANGS="{\"health\": [[\"sh\", \"-c\", \"echo \$\$ >$TRASH/hangs; exec tail -f /dev/null\"]]}"

test_expect_success FUSE 'a hook that hangs holds up neither a confirmation nor the end' '
	anew "$HANGS" && mount_store mnt && say "restore dev/$bad confirm-within=1h" &&
	test_poll 30 "[ -s hangs ]" && say "confirm dev" && is_new &&
	test_poll 30 "[ ! -e $RECORD ]" && rm hangs && hooks "{}" &&
	hxsnap -q rollback dev && is_old && hooks "$HANGS" &&
	say "restore dev/$bad confirm-within=1h" && test_poll 30 "[ -s hangs ]" &&
	umount_store mnt && is_new && [ -e "$RECORD" ] &&
	! kill -0 $(cat hangs) 2>/dev/null && rm hangs && hxsnap confirm dev
'

test_expect_success FUSE 'a confirmation does not wait for a command' '
	anew && mkfifo go && mount_store mnt && test_when_finished "umount_store mnt" &&
	say "restore dev/$bad confirm-within=1h" &&
	hooks "{\"before_create\": [[\"sh\", \"-c\", \"read x <$TRASH/go\"]]}" &&
	{ say "create dev" & } && pid=$! &&
	test_poll 30 "jq -e .operation.command mnt/.status" &&
	jq -e ".operation.command == \"create\"" mnt/.status &&
	say "confirm dev" && no_record && is_new && echo >go && wait $pid &&
	reply .ok
'

test_expect_success FUSE 'what is not understood' '
	anew && mount_store mnt && test_when_finished "umount_store mnt" &&
	for words in "restore dev/$bad confirm-within=" "restore dev/$bad confirm-within=x" \
		"restore dev/$bad confirm-within=0s" "restore dev/$bad confirm-within=31d" \
		"restore dev/$bad confirm-within=1m confirm-within=2m" \
		"create dev confirm-within=1m" "verify dev/$bad confirm-within=1m" \
		"confirm" "confirm dev dev" "confirm dev CONFIRM_LIVE=YES"; do
		test_must_fail say "$words" 2>err && test_grep "Invalid" err || return 1
	done && is_old && no_record &&
	test_must_fail say "confirm other" mnt/dev/.control 2>err && test_grep Invalid err
'

test_done
