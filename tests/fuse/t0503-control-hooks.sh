#!/bin/sh
# shellcheck disable=SC2016 # bodies, and what hooks run, are evaluated later
test_description='.control: the hooks of what is done from inside the mount'

. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/control.sh"
. "$HXS_SRC/tests/lib/restore.sh"

# note [STATUS]: what a hook knows, and where it runs
cat >note <<-\END
	#!/bin/sh
	echo "$HXSNAP_EVENT $HXSNAP_OPERATION $HXSNAP_ENV ${HXSNAP_ID-}" \
		"${HXSNAP_STATUS-} ${CONFIRM_LIVE-none} ${OTHER-} $(pwd -P)" >>notes
	exit "${1:-0}"
END
chmod 755 note

test_expect_success FUSE 'they run in the daemon, from the directory of the configuration' '
	make_store && new_env && echo one >"$EVENTS/a" && echo s >"$STATE/s" &&
	id=$(hxsnap -q create dev) && echo two >"$EVENTS/a" &&
	hooks "{\"before_create\": [[\"./note\"]], \"after_create\": [[\"./note\"]],
		\"before_restore\": [[\"./note\"]], \"after_restore\": [[\"./note\"]],
		\"health\": [[\"./note\"]], \"on_failure\": [[\"./note\"]]}" &&
	(export CONFIRM_LIVE=YES OTHER=kept && mount_store mnt) &&
	test_when_finished "umount_store mnt" &&
	say "create dev" && made=$(jq -r .id mnt/.control) && reply ".failed_hooks == 0" &&
	(cd "mnt/dev/$id" && echo restore >.control) && [ "$(cat "$EVENTS/a")" = one ] &&
	reply ".ok and .healthy" && back=$(jq -r .rollback_id mnt/.control) &&
	say "rollback dev" && [ "$(cat "$EVENTS/a")" = two ] &&
	rest="none kept $TRASH" && cat >want <<-END &&
	before_create create dev   $rest
	after_create create dev $made 0 $rest
	before_restore restore dev $id  $rest
	after_restore restore dev $id 0 $rest
	health restore dev $id 0 $rest
	before_restore rollback dev $back  $rest
	after_restore rollback dev $back 0 $rest
	health rollback dev $back 0 $rest
	END
	test_cmp want notes
'

test_expect_success FUSE 'before_restore fails: the write fails, and nothing has changed' '
	rm -f notes && hooks "{\"before_restore\": [[\"sh\", \"-c\", \"echo not now >&2; exit 3\"]],
		\"after_restore\": [[\"./note\"]]}" &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	look "$EVENTS" "$STATE" >before && test_must_fail say "restore dev/$id" 2>err &&
	test_grep "canceled" err && look "$EVENTS" "$STATE" >after && test_cmp before after &&
	reply ".ok == false and .error == \"ECANCELED\" and .rollback_id == null and
		(.message | contains(\"before_restore[0]: '\''sh'\'' failed with status 3: not now\"))" &&
	test_line_count 1 notes && no_remains
'

test_expect_success FUSE 'health fails: it is done, the write succeeds, the reply and the log tell' '
	hooks "{\"health\": [[\"sh\", \"-c\", \"echo HTTP 503 >&2; exit 22\"]]}" &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	say "restore dev/$id" && [ "$(cat "$EVENTS/a")" = one ] &&
	reply ".ok and .error == null and .healthy == false and .failed_hooks == 1 and
		(.rollback_id | test(\"^20\")) and .warning_count == 1 and
		(.message | contains(\"was restored\") and contains(\"not healthy\") and
			contains(\"HTTP 503\"))" &&
	tail -n 1 "$STORE/.hxsnap/audit.log" >got && jq -e ".act == \"restore\" and
		.status == 7 and (.message | contains(\"HTTP 503\"))" got
'

test_expect_success FUSE 'cancel ends a before_restore hook; what it stopped is started' '
	rm -f notes here && hooks "{\"before_restore\": [[\"sh\", \"-c\", \": >here; sleep 1000; :\"]],
		\"after_restore\": [[\"./note\"]]}" &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	look "$EVENTS" "$STATE" >before &&
	{ /bin/echo "restore dev/$id" 2>said >mnt/.control & } && writer=$! &&
	test_poll 20 "[ -e here ]" &&
	jq -e ".operation.phase == \"running hooks\"" mnt/.status && say cancel &&
	reply ".cancelled" && ! wait $writer && test_grep "canceled" said &&
	look "$EVENTS" "$STATE" >after && test_cmp before after &&
	test_line_count 1 notes && test_grep "^after_restore .* 1 none" notes && no_remains
'

test_expect_success FUSE 'a hook that uses the mount, and its control file: no deadlock' '
	rm -f seen && cat >inside <<-\END && chmod 755 inside &&
	#!/bin/sh
	cat mnt/dev/latest/events/a >>seen 2>&1
	/bin/echo "create dev" 2>>seen >mnt/.control && echo accepted >>seen
	hxsnap create dev 2>>seen && echo accepted >>seen
	exit 0
	END
	hooks "{\"before_create\": [[\"./inside\"]], \"after_restore\": [[\"./inside\"]]}" &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	timeout 60 /bin/echo "create dev" >mnt/.control &&
	timeout 60 /bin/echo "restore dev/$id" >mnt/.control &&
	grep -c -i busy seen >got && [ "$(cat got)" = 4 ] && test_grep ! accepted seen &&
	test_grep one seen
'

test_done
