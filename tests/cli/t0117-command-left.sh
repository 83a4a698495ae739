#!/bin/sh
# shellcheck disable=SC2016 # bodies, and what programs run, are evaluated later
test_description='a program that hxsnap left behind when it was killed: it and
the next one for that source are never at work at once'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

# What gives back: whatever it starts has "busy" locked, too, until the last of
# it has ended; a run that finds it locked says so. What it does meanwhile is
# in acts/EVENT. It is the same for what gives out.
cat >take <<-\END
	#!/bin/sh
	exec 9>>busy
	flock -n 9 || echo overlap >>runs
	echo "$HXSNAP_EVENT begun" >>runs
	[ "$HXSNAP_EVENT" = capture ] || cat >p.new
	[ ! -e "acts/$HXSNAP_EVENT" ] || . "./acts/$HXSNAP_EVENT"
	if [ "$HXSNAP_EVENT" = capture ]; then
		cat p.state
	else
		mv p.new p.state
	fi
	echo "$HXSNAP_EVENT ended" >>runs
END
chmod 755 take

# An act that does not end, with one that it started and that keeps tearing
# what there is.
cat >endless <<-\END
	sh -c 'while :; do echo torn >p.state; echo $$ >worker.new
		mv worker.new worker; sleep 0.01; done' &
	echo $$ >leader
	until [ -e go ] && [ -s worker ]; do sleep 0.01; done
END

# What a service does that is started: it leaves the group, and the lock.
cat >serve <<-\END
	setsid sh -c 'exec 9>&-; echo $$ >daemon.new; mv daemon.new daemon
		exec tail -f /dev/null' &
END

record=$STORE/.hxsnap/running/dev.p

# gone PID: it has ended, whether or not somebody has waited for it.
gone() {
	! grep -q "^State:.[^ZX]" "/proc/$1/status" 2>/dev/null
}

# What anew() makes: state 1 is in the backup $id, and there is state 2 now.
anew() {
	rm -rf live "$STORE" acts runs worker leader go daemon p.state &&
		mkdir acts && new_env && make_store && echo 1 >p.state &&
		echo old >"$EVENTS/1" && echo old >"$STATE/state" &&
		jq '.environments.dev.sources.p = {kind: "command", file: "f",
			capture: ["./take"], restore: ["./take"]}' \
			"$HXSNAP_CONFIG" >c && mv c "$HXSNAP_CONFIG" &&
		id=$(hxsnap -q create dev) && echo 2 >p.state && rm runs
}

# begin COMMAND...: in the background, until its program is at work.
begin() {
	"$@" >out 2>err &
	pid=$!
	test_poll 60 "[ -s worker ] && [ -s leader ]"
}

kill_it() {
	kill -KILL "$pid" && { wait "$pid" || :; }
}

# killed: what restores is, in the middle of its program.
killed() {
	anew && cp endless acts/restore && begin hxsnap restore "dev/$id" &&
		kill_it && ! gone "$(cat leader)" && ! gone "$(cat worker)"
}

# end_group: all of it, but for what has left the group.
end_group() {
	kill -KILL "-$(cat leader)" && test_poll 30 "gone $(cat leader)" &&
		test_poll 30 "gone $(cat worker)"
}

# number_is PID: that of the program, in what is noted of it.
number_is() {
	sed "s/^\(.* restore \)[0-9]*/\1$1/" "$record" >noted &&
		cat noted >"$record"
}

# old_again [LINE]: nothing of it runs, and all of it was undone, by one after
# the other.
old_again() {
	{
		printf "%s\n" "capture begun" "capture ended" "restore begun"
		[ -z "${1:-}" ] || echo "$1"
		printf "%s\n" "undo begun" "undo ended"
	} >want && test_cmp want runs && gone "$(cat leader)" &&
		gone "$(cat worker)" && [ "$(cat p.state)" = 2 ] &&
		no_remains && test_path_is_missing "$record"
}

test_expect_success 'recovery ends it, and all of its group, and undoes what it did' '
	killed && hxsnap recover && old_again
'

test_expect_success 'so does the next command, if only others of its group are left' '
	killed && kill -KILL "$(cat leader)" &&
	test_poll 30 "gone $(cat leader)" && ! gone "$(cat worker)" &&
	hxsnap diff "dev/$id" "dev/$id" >out 2>err && cat err && old_again
'

test_expect_success FUSE 'so does the mount when it starts' '
	killed && HXSNAPFS="hxsnapfs" \
		mount_store mnt "config=$HXSNAP_CONFIG" && umount_store mnt &&
	old_again
'

test_expect_success 'one that was started, and not noted yet' '
	killed && number_is 0000000000 && hxsnap recover && old_again
'

test_expect_success 'and what undoes, if recovery was killed' '
	killed && rm -f go && mv worker worker.1 && mv leader leader.1 &&
	cp endless acts/undo && begin hxsnap recover && kill_it &&
	gone "$(cat worker.1)" && ! gone "$(cat leader)" && rm acts/undo &&
	hxsnap recover && old_again "undo begun"
'

test_expect_success 'a service that it started is no part of it, and goes on' '
	anew && cat serve endless >acts/restore &&
	begin hxsnap restore "dev/$id" && test_poll 30 "[ -s daemon ]" &&
	kill_it && hxsnap recover && old_again && ! gone "$(cat daemon)" &&
	kill "$(cat daemon)"
'

test_expect_success 'nor is it when the program was not noted yet, and has ended' '
	anew && cat serve endless >acts/restore &&
	begin hxsnap restore "dev/$id" && test_poll 30 "[ -s daemon ]" &&
	kill_it && end_group && number_is 0000000000 && hxsnap recover &&
	old_again && ! gone "$(cat daemon)" && kill "$(cat daemon)"
'

test_expect_success 'what has its number by now is let alone' '
	killed && end_group && sh -c ". ./serve" &&
	test_poll 30 "[ -s daemon ]" && number_is "$(cat daemon)" &&
	hxsnap recover && old_again && ! gone "$(cat daemon)" &&
	kill "$(cat daemon)"
'

test_expect_success 'so is a group that has its number, and nothing of ours' '
	killed && end_group && setsid sh -c "echo \$\$ >group
		exec 9>&-; tail -f /dev/null & echo \$! >daemon" &&
	test_poll 30 "gone $(cat group)" && ! gone "$(cat daemon)" &&
	number_is "$(cat group)" && hxsnap recover && old_again &&
	! gone "$(cat daemon)" && kill "$(cat daemon)"
'

test_expect_success 'it cannot be ended, being what asks for that: told, and done later' '
	anew && { cat endless && cat <<-\END
		exec <&- 9>&-
		hxsnap recover dev 2>asked || echo $? >asked.status
		exec tail -f /dev/null
	END
	} >acts/restore && rm -f asked.status &&
	begin hxsnap restore "dev/$id" && kill_it && : >go &&
	test_poll 60 "[ -s asked.status ]" && cat asked &&
	[ "$(cat asked.status)" = 6 ] &&
	test_grep "cannot be recovered: source .p.: .*event .restore.*still runs (process [0-9]" asked &&
	[ -e "$STORE/.hxsnap/journal/dev" ] && hxsnap recover && old_again
'

test_expect_success 'where it cannot be looked for, what it reads from tells of it' '
	killed && sed "s,pid:\[,pid:[1," "$record" >noted &&
	cat noted >"$record" && test_exit 6 hxsnap recover 2>err &&
	test_grep "still runs, on another machine" err &&
	! gone "$(cat leader)" && [ "$(tail -n 1 runs)" = "restore begun" ] &&
	end_group && hxsnap recover && old_again
'

test_expect_success 'a record that anybody could have written, or that says nothing' '
	killed && chmod 666 "$record" && test_exit 5 hxsnap recover 2>err &&
	test_grep "dev.p. may be written by others" err &&
	! gone "$(cat leader)" && chmod 600 "$record" &&
	end_group && : >"$record" && hxsnap recover && old_again
'

test_expect_success 'it failed, and what it had started goes on: ended before the undo' '
	anew && { cat endless && echo exit 3; } >acts/restore && : >go &&
	test_exit 1 hxsnap restore "dev/$id" 2>err &&
	test_grep "status 3.*nothing was changed" err && old_again
'

test_expect_success 'it ended well: what it had started goes on' '
	anew && cp serve acts/restore && hxsnap -q restore "dev/$id" &&
	test_poll 30 "[ -s daemon ]" && test_path_is_missing "$record" &&
	[ "$(cat p.state)" = 1 ] && hxsnap -q rollback dev &&
	[ "$(cat p.state)" = 2 ] && test_grep ! overlap runs &&
	! gone "$(cat daemon)" && kill "$(cat daemon)"
'

test_expect_success 'what gives out is ended as well' '
	anew && sed "s/torn >p.state/x >>p.log/" endless >acts/capture &&
	begin hxsnap create dev && kill_it && ! gone "$(cat leader)" &&
	rm acts/capture && made=$(hxsnap -q create dev) &&
	gone "$(cat leader)" && gone "$(cat worker)" &&
	test_grep ! overlap runs && no_remains &&
	[ "$(cat "$STORE/backups/dev/$made/p/f")" = 2 ] &&
	test_path_is_missing "$record"
'

test_done
