#!/bin/sh
test_description='check: every condition, both ways, for a person and a monitor'
. "$(dirname "$0")/../lib/lib.sh"

test_lazy_prereq PTRACE 'root that may trace a process' '
	unshare -pf --mount-proc nthcall 1 kill true
	[ $? -eq 137 ]'

# objectives [TEXT]: the configuration of dev, with these objectives. What is
# free where tests run is none of their business, unless they say so.
# shellcheck disable=SC2120 # bodies pass some
objectives() {
	HXSNAP_CONFIG=$TRASH/hxsnap.json
	export HXSNAP_CONFIG
	EVENTS=$TRASH/live/events
	mkdir -p "$EVENTS" && cat >"$HXSNAP_CONFIG" <<-END
	{"store": "$STORE", "environments": {"dev": {
	  "sources": {"events": {"kind": "directory", "path": "$EVENTS"}},
	  "objectives": {"store_free": "1B"${1:+, $1}}}}}
	END
}

# aged AGE: what a snapshot made so long ago is called.
aged() {
	date -u -d "$1" +%Y%m%dT%H%M%SZ
}

# verified REF AGE: the result of its last verify is as old as that.
verified() {
	sed -i "s/\"when\": \"[^\"]*\"/\"when\": \"$(date -u -d "$2" \
		+%Y-%m-%dT%H:%M:%SZ)\"/" "$STORE/.hxsnap/verify/backups/$1.json"
}

# is STATUS [WORDS...]: check ends with it, and finds these, worst first, each
# "state condition".
is() {
	want_status=$1
	shift
	test_exit "$want_status" hxsnap check dev >out 2>err &&
		test_line_count 0 err &&
		case $want_status in
		0) test_grep "^HXSNAP OK - 1 environment, " out ;;
		1) test_grep "^HXSNAP WARNING - 1 warning; 1 environment, " out ;;
		2) test_grep "^HXSNAP CRITICAL - [0-9]* critical" out ;;
		3) test_grep "^HXSNAP UNKNOWN - 1 unknown; " out ;;
		esac &&
		sed 1d out | grep -v "^not looked at" | cut -d" " -f1,2 >got
		: >want && for one; do echo "$one" >>want; done && test_cmp want got
}

# anew: a store with a backup, an hour old, that was verified.
anew() {
	rm -rf "$STORE" live && objectives && echo a >"$EVENTS/a" &&
		make_store && last=$(aged "1 hour ago") &&
		foreign_snapshot dev "$last" "$EVENTS" &&
		hxsnap -q verify dev/latest
}

test_expect_success 'there is no backup; there is one; it was verified' '
	objectives && make_store && echo a >"$EVENTS/a" &&
	is 2 "critical backup" &&
	test_grep "^critical backup dev: there is no backup of .dev.; run .hxsnap create dev.$" out &&
	hxsnap -q create dev >id && is 1 "warning verified" &&
	test_grep "run .hxsnap verify dev.$" out &&
	hxsnap -q verify dev && is 0 &&
	test_grep "^HXSNAP OK - 1 environment, 1 backup, 0 rollback points$" out
'

test_expect_success 'the newest is older than the objective' '
	anew && is 0 && objectives "\"rpo\": \"2h\"" && is 0 &&
	objectives "\"rpo\": \"30m\"" && is 2 "critical age" &&
	test_grep "^critical age dev/$last: the newest .* is 60 min old, the objective is 30 min;" out &&
	hxsnap -q create dev >id && is 0
'

test_expect_success 'it holds less than it should' '
	anew && hxsnap -q create dev >id && hxsnap -q verify dev &&
	objectives "\"min_size\": \"2B\"" && is 0 &&
	objectives "\"min_size\": \"3B\"" && is 2 "critical size" &&
	test_grep "it holds 2 B, at least 3 B is asked for" out
'

test_expect_success 'it is far from what was usual' '
	anew && truncate -s 1M "$EVENTS/a" &&
	for n in 1 2 3; do hxsnap -q create dev >id || return 1; done && is 0 &&
	truncate -s 500K "$EVENTS/a" && hxsnap -q create dev >id &&
	is 1 "warning usual_size" &&
	test_grep "it holds 500.0 KiB, those before it 1.0 MiB" out &&
	truncate -s 3M "$EVENTS/a" && hxsnap -q create dev >id &&
	is 1 "warning usual_size" &&
	truncate -s 1200K "$EVENTS/a" && hxsnap -q create dev >id && is 0
'

test_expect_success 'the last verify is long ago' '
	anew && verified "dev/$last" "7 days ago 20 hours ago" && is 0 &&
	verified "dev/$last" "9 days ago" && is 1 "warning verified" &&
	test_grep "the last verify that passed is 9 days ago" out &&
	objectives "\"verify_every\": \"10d\"" && is 0
'

test_expect_success 'a verify is dated in the future: told, due, and set right by the next' '
	anew && verified "dev/$last" "3 days" && is 1 "warning verified" &&
	test_grep "dev/$last: its verify is dated [23] days from now: .*; run .hxsnap verify dev/$last" out &&
	mkdir -p m && test_exit 1 hxsnap -q check --metrics m/m.prom >out &&
	! grep "^hxsnap_check_verified_timestamp" m/m.prom && hxsnap -q verify --all --older-than 7d && is 0 &&
	hxsnap -q check --metrics m/m.prom >out && grep "^hxsnap_check_verified_timestamp" m/m.prom &&
	flip_byte "$STORE/backups/dev/$last/events/a" 0 &&
	test_exit 3 hxsnap -q verify dev >out 2>err && verified "dev/$last" "3 days" &&
	is 2 "critical backup" "critical damage" && flip_byte "$STORE/backups/dev/$last/events/a" 0 &&
	hxsnap verify dev 2>err && ! grep "a reader met" err && is 0
'

test_expect_success 'what was verified is no longer what is there' '
	anew && echo b >"$EVENTS/a" && rm -r "$STORE/backups/dev/$last" &&
	foreign_snapshot dev "$last" "$EVENTS" && is 1 "warning verified" &&
	hxsnap -q verify dev && is 0
'

test_expect_success 'a snapshot is damaged: known from a verify, or at first sight' '
	anew && old=$(aged "2 hours ago") && foreign_snapshot dev "$old" "$EVENTS" &&
	flip_byte "$STORE/backups/dev/$old/events/a" 0 && is 0 &&
	test_exit 3 hxsnap -q verify dev >out 2>err && is 2 "critical damage" &&
	test_grep "^critical damage dev/$old: it is damaged: events/a: .*; look after the disk, then run .hxsnap repair dev/$old." out &&
	flip_byte "$STORE/backups/dev/$old/events/a" 0 &&
	hxsnap -q verify "dev/$old" && is 0 &&
	flip_byte "$STORE/backups/dev/$last/manifest.sha256" 65 &&
	is 2 "critical damage" && test_grep "dev/$last: it is damaged: " out &&
	flip_byte "$STORE/backups/dev/$last/manifest.sha256" 65 && is 0 &&
	rm "$STORE/backups/dev/$old/manifest.sha256" && is 2 "critical damage" &&
	test_grep "it has no manifest" out
'

test_expect_success 'all of them are damaged: that is as good as none' '
	anew && flip_byte "$STORE/backups/dev/$last/events/a" 0 &&
	test_exit 3 hxsnap -q verify dev >out 2>err &&
	is 2 "critical backup" "critical damage" &&
	test_grep "every backup of .dev. is damaged" out
'

# drill ID FINISHED STATUS: a report as a drill leaves it.
drill() {
	mkdir -p "$STORE/.hxsnap/drills/dev" &&
		cat >"$STORE/.hxsnap/drills/dev/$1.json" <<-END
		{"drill_id": "$1", "env": "dev", "reference": "dev/$last", "status": "$3",
		 "passed": $([ "$3" = passed ] && echo true || echo false),
		 "started_at_utc": "2026-01-01T00:00:00Z",
		 "finished_at_utc": "$(date -u -d "$2" +%Y-%m-%dT%H:%M:%SZ)",
		 "rto_actual_seconds": 1, "rto_target_seconds": null,
		 "recovery_point": null, "steps": [], "warnings": []}
		END
}

test_expect_success 'the last drill: none, long ago, failed, inconclusive, unreadable' '
	anew && objectives "\"drill_every\": \"30d\"" && is 1 "warning drill" &&
	test_grep "there was no drill of .dev. yet; run .hxsnap drill dev." out &&
	drill 20260101T000001Z "31 days ago" passed && is 1 "warning drill" &&
	test_grep "the last drill is 31 days ago" out &&
	drill 20260101T000002Z "2 days ago" passed && is 0 &&
	drill 20260101T000003Z "1 day ago" failed && is 2 "critical drill" &&
	test_grep "the last drill, .20260101T000003Z., ended as .failed." out &&
	drill 20260101T000004Z "1 hour ago" inconclusive && is 1 "warning drill" &&
	drill 20260101T000005Z "1 minute ago" passed && is 0 &&
	echo "{\"drill_id\": " >"$STORE/.hxsnap/drills/dev/20260101T000005Z.json" &&
	is 1 "warning drill" && test_grep "the last drill cannot be read: .*000005Z" out &&
	rm -r "$STORE/.hxsnap/drills" && objectives && is 0
'

test_expect_success 'a drill of a clock that was ahead hides none that came after it' '
	anew && objectives "\"drill_every\": \"30d\"" &&
	drill 20300101T000000Z "1000 days" failed && is 2 "critical drill" &&
	drill 20300101T000000Z "1000 days" passed && is 1 "warning drill" &&
	test_grep "the last drill, .20300101T000000Z., is dated [0-9]* days from now" out &&
	objectives && is 0 && objectives "\"drill_every\": \"30d\"" &&
	drill 20300101T000001Z "1 hour ago" failed && is 2 "critical drill" &&
	drill 20300101T000001Z "1 hour ago" passed && is 0 &&
	hxsnap -q drill dev >out && is 0 && ls "$STORE/.hxsnap/drills/dev" >ids && test_line_count 3 ids &&
	test_grep "^20300101T000002Z" ids
'

test_expect_success PTRACE 'a restore was interrupted; it is recovered; one is under way' '
	anew && echo now >"$EVENTS/a" && hxsnap -q restore dev/latest >out &&
	echo now >"$EVENTS/a" && is 0 &&
	unshare -pf --mount-proc nthcall -l -m 0 kill \
		hxsnap -q restore dev/latest 2>calls >out &&
	n=$(sed -nE "s/^nthcall: ([0-9]+): renameat2? .*02.*/\1/p" calls | head -n 1) &&
	echo now >"$EVENTS/a" &&
	test_exit 137 unshare -pf --mount-proc nthcall -m $((n + 1)) kill \
		hxsnap -q restore dev/latest 2>err &&
	test_path_is_file "$STORE/.hxsnap/journal/dev" &&
	is 2 "critical interrupted" && test_grep "run .hxsnap recover." out &&
	is 2 "critical interrupted" && # it was told, and left alone
	(
		exec 9<"$STORE/.hxsnap/locks/dev" && flock -x 9 && is 0
	) &&
	hxsnap -q recover && is 0
'

# waiting TIME: a restore that is to be confirmed within that, as $pid, seen by
# check.
waiting() {
	anew && echo now >"$EVENTS/a" && {
		hxsnap -q restore dev/latest --confirm-within "$1" >id 2>log &
		pid=$!
	} && test_poll 30 "hxsnap check dev >out; grep -q unconfirmed out"
}

test_expect_success 'a restore waits for confirmation; it is confirmed' '
	waiting 1h && is 1 "warning unconfirmed" &&
	test_grep "a restore of .dev. waits for confirmation, for [56][0-9] min yet; run .hxsnap confirm dev." out &&
	hxsnap -q confirm dev && wait "$pid" && is 0
'

test_expect_success 'nobody waits any longer for one that was not confirmed' '
	waiting 2s && kill -KILL "$pid" && { wait "$pid"; [ $? -eq 137 ]; } &&
	test_poll 30 "hxsnap check dev >out; grep -q \"until . s ago\" out" &&
	is 1 "warning unconfirmed" && test_grep "run .hxsnap recover." out &&
	[ "$(cat "$EVENTS/a")" = a ] && # told, and left alone
	hxsnap -q recover && [ "$(cat "$EVENTS/a")" = now ] && is 0
'

test_expect_success 'whether one waits cannot be told' '
	anew && mkdir -p "$STORE/.hxsnap/unconfirmed" &&
	: >"$STORE/.hxsnap/unconfirmed/dev" && is 2 "critical unconfirmed" &&
	test_grep "is damaged" out && rm "$STORE/.hxsnap/unconfirmed/dev" && is 0
'

test_expect_success 'a snapshot is of the future' '
	anew && next=$(aged "1 day") && foreign_snapshot dev "$next" "$EVENTS" &&
	is 2 "critical clock" && test_grep "dev/$next: it was made 2[34] h from now" out &&
	rm -r "$STORE/backups/dev/$next" && is 0
'

test_expect_success TMPFS 'the store is nearly full, of bytes or of inodes' '
	anew && mkdir -p disk && mount -t tmpfs -o size=16m,nr_inodes=1000 tmpfs disk &&
	test_when_finished "umount disk" && cp -a "$STORE" disk/store &&
	cat >"$HXSNAP_CONFIG" <<-END &&
	{"store": "$TRASH/disk/store", "environments": {"dev": {"sources":
	  {"events": {"kind": "directory", "path": "$EVENTS"}}}}}
	END
	is 0 && dd if=/dev/zero of=disk/fill bs=1M count=15 status=none &&
	is 1 "warning space" && test_grep "^warning space $TRASH/disk/store: the store has .* of space left" out &&
	! dd if=/dev/zero of=disk/more bs=4K count=10000 status=none 2>err &&
	is 2 "critical space" "warning space" && rm disk/fill disk/more && is 0 &&
	mkdir disk/many && (cd disk/many && seq 1 930 | xargs touch) &&
	is 1 "warning space" && test_grep "inodes left, at least 100" out &&
	rm -r disk/many && is 0
'

test_expect_success TMPFS 'one more backup does not fit' '
	anew && mkdir -p disk && mount -t tmpfs -o size=16m tmpfs disk &&
	test_when_finished "umount disk" && STORE=$TRASH/disk/store &&
	test_when_finished "STORE=$TRASH/store" && make_store && objectives &&
	head -c 7M /dev/zero >"$EVENTS/a" && hxsnap -q create dev >id &&
	hxsnap -q verify dev && is 0 && head -c 8500K /dev/zero >disk/other &&
	is 1 "warning space" &&
	test_grep "^warning space dev/$(cat id): it holds 7.0 MiB, and the store has " out &&
	rm disk/other && is 0
'

test_expect_success 'the audit log was changed' '
	anew && hxsnap -q create dev >id && hxsnap -q create dev >id &&
	is 0 && cp -p "$STORE/.hxsnap/audit.log" keep &&
	sed -i "1s/\"create\"/\"delete\"/" "$STORE/.hxsnap/audit.log" &&
	is 2 "critical audit" && test_grep "line 2 of the audit log" out &&
	cp keep "$STORE/.hxsnap/audit.log" && is 0 &&
	sed -i 1d "$STORE/.hxsnap/audit.log" && is 2 "critical audit"
'

test_expect_success 'no store, no configuration, a wrong one, a wrong word: 3' '
	anew && mv "$STORE" elsewhere && is 3 "unknown access" &&
	mkdir "$STORE" && is 3 "unknown access" && test_grep "is not a store" out &&
	rmdir "$STORE" && mv elsewhere "$STORE" && is 0 &&
	mv hxsnap.json keep && is 3 "unknown access" &&
	echo "{" >hxsnap.json && is 3 "unknown access" &&
	mv keep hxsnap.json && is 0 &&
	test_exit 3 hxsnap check nope >out && test_grep "no environment .nope." out &&
	test_exit 3 hxsnap check Nope >out &&
	test_exit 3 hxsnap check dev dev >out && test_grep "^HXSNAP UNKNOWN" out &&
	test_exit 3 hxsnap check --frob 2>err && test_exit 3 hxsnap check --metrics 2>err &&
	test_exit 3 hxsnap check >/dev/full 2>err && test_line_count 1 err &&
	hxsnap check -h >out && hxsnap check dev
'

test_expect_success 'the store alone, its environments and those of the configuration' '
	anew && foreign_snapshot beta "$(aged "1 hour ago")" "$EVENTS" &&
	test_exit 1 hxsnap check >out && test_grep "^warning verified beta: " out &&
	hxsnap -q verify beta && hxsnap check >out &&
	test_grep "OK - 2 environments, 2 backups" out &&
	(
		unset HXSNAP_CONFIG && cd live &&
		! test_exit 2 hxsnap --store "$STORE" check >../out &&
		test_grep "2 environments, 2 backups" ../out
	) &&
	rm -r "$STORE/backups/dev" && test_exit 2 hxsnap check >out &&
	test_grep "^critical backup dev: " out && test_grep "2 environments" out
'

test_expect_success 'JSON: one object, the same keys whatever is found' '
	anew && hxsnap --json check >out && jq -e ".state == \"ok\" and .status == 0 and
		.findings == [] and .environments[0].newest == \"$last\" and
		.environments[0].newest_age_seconds >= 3600 and
		.environments[0].newest_bytes > 0 and
		.environments[0].state == \"ok\"" out &&
	jq -r "paths | map(if type == \"number\" then 0 else . end) | join(\".\")" out |
		sort -u >keys &&
	rm -r "$STORE/backups/dev" && test_exit 2 hxsnap --json check >out &&
	jq -e ".state == \"critical\" and .status == 2 and
		.findings[0].condition == \"backup\" and
		.findings[0].environment == \"dev\" and
		.findings[0].reference == null and
		(.findings[0].action | test(\"create dev\"))" out &&
	jq -r "paths | map(if type == \"number\" then 0 else . end) | join(\".\")" out |
		grep -v "^findings" | sort -u >again && grep -v "^findings" keys >want &&
	test_cmp want again &&
	rm -r "$STORE" && test_exit 3 hxsnap --json check >out &&
	jq -e ".state == \"unknown\" and .status == 3 and .store == null and
		.environments == [] and .findings[0].condition == \"access\"" out &&
	jq -r "keys | sort | join(\" \")" out >again &&
	sed -n "/\./!p" keys | sort | paste -sd" " >want && test_cmp want again
'

# metric NAME VALUE: the file says so.
metric() {
	grep -qxF "hxsnap_check_$1 $2" m/m.prom || {
		echo "no: $1 $2" && cat m/m.prom && return 1
	}
}

test_expect_success 'metrics: written whole, and success is overwritten by failure' '
	anew && mkdir -p m && hxsnap -q check dev --metrics m/m.prom >out &&
	metric state 0 && metric "condition_state{environment=\"dev\",condition=\"backup\"}" 0 &&
	metric "snapshots{environment=\"dev\",kind=\"backup\"}" 1 &&
	grep "^hxsnap_check_newest_timestamp_seconds{environment=\"dev\"} [0-9]*$" m/m.prom &&
	[ "$(stat -c %a m/m.prom)" = 644 ] && ino=$(stat -c %i m/m.prom) &&
	rm -r "$STORE/backups/dev" &&
	test_exit 2 hxsnap -q check --metrics m/m.prom >out && metric state 2 &&
	metric "condition_state{environment=\"dev\",condition=\"backup\"}" 2 &&
	metric "findings{state=\"critical\"}" 1 &&
	[ "$(stat -c %i m/m.prom)" -ne "$ino" ] && # another file, not the old one changed
	mv "$STORE" gone && test_exit 3 hxsnap -q check --metrics m/m.prom >out &&
	metric state 3 && ! grep "environment=\"dev\"" m/m.prom &&
	mv gone "$STORE" && test_exit 2 hxsnap -q check --metrics m/m.prom >out &&
	metric state 2 && mv hxsnap.json keep &&
	test_exit 3 hxsnap -q check --metrics m/m.prom >out && metric state 3 &&
	mv keep hxsnap.json && test_exit 2 hxsnap -q check --metrics m/m.prom >out &&
	test_exit 3 hxsnap -q check a b --metrics m/m.prom >out && metric state 3 &&
	(cd m && test_exit 2 hxsnap -q check --metrics m.prom >../out) && metric state 2 &&
	ls -A m >list && echo m.prom >want && test_cmp want list &&
	awk "/^#/ { next } { if (NF != 2) bad = 1 } END { exit bad }" m/m.prom
'

test_expect_success 'metrics: what is not judged has no state, and is said to have none' '
	anew && mkdir -p m && hxsnap -q check dev --metrics m/m.prom >out &&
	metric "condition_judged{environment=\"dev\",condition=\"backup\"}" 1 &&
	metric "condition_judged{environment=\"dev\",condition=\"age\"}" 0 &&
	metric "condition_judged{environment=\"dev\",condition=\"drill\"}" 0 &&
	metric "condition_judged{environment=\"\",condition=\"audit\"}" 1 &&
	metric "condition_state{environment=\"\",condition=\"audit\"}" 0 &&
	test_grep ! "condition_state.*\"age\"" m/m.prom &&
	objectives "\"rpo\": \"2h\"" && hxsnap -q check dev --metrics m/m.prom >out &&
	metric "condition_state{environment=\"dev\",condition=\"age\"}" 0 &&
	objectives "\"rpo\": \"2m\"" && test_exit 2 hxsnap -q check dev --metrics m/m.prom >out &&
	metric "condition_state{environment=\"dev\",condition=\"age\"}" 2 &&
	metric "condition_judged{environment=\"dev\",condition=\"age\"}" 1 &&
	mv "$STORE" gone && test_exit 3 hxsnap -q check --metrics m/m.prom >out &&
	metric "condition_state{environment=\"\",condition=\"access\"}" 3 &&
	metric "condition_judged{environment=\"\",condition=\"space\"}" 0 &&
	test_grep ! "condition_state.*\"space\"" m/m.prom && mv gone "$STORE"
'

test_expect_success PTRACE 'metrics: what a kill leaves is not read as metrics' '
	anew && mkdir -p killed && unshare -pf --mount-proc nthcall -l -m 0 kill \
		hxsnap -q check --metrics killed/m.prom 2>calls >out &&
	n=$(sed -nE "s/^nthcall: ([0-9]+): renameat2? .*/\1/p" calls | tail -n 1) && rm killed/m.prom &&
	test_exit 137 unshare -pf --mount-proc nthcall -m "$n" kill \
		hxsnap -q check --metrics killed/m.prom 2>err >out &&
	ls -A killed >list && test_line_count 1 list && test_grep ! "\.prom$" list &&
	hxsnap -q check --metrics killed/m.prom >out && ls -A killed >list &&
	echo m.prom >want && test_cmp want list
'

test_expect_success 'metrics that cannot be written are no success' '
	anew && test_exit 3 hxsnap check --metrics nowhere/m.prom >out 2>err &&
	test_grep "^unknown access .*nowhere/m.prom" out &&
	mkdir -p d.prom && test_exit 3 hxsnap check --metrics d.prom >out
'

test_expect_success 'quiet: the line for the monitor alone' '
	anew && rm -r "$STORE/backups/dev" && test_exit 2 hxsnap -q check >out &&
	test_line_count 1 out && test_grep "; dev: there is no backup of .dev.$" out
'

test_expect_success 'nothing is changed, nobody waits, nobody is waited for' '
	anew && hxsnap -q create dev >id && find "$STORE" -printf "%p %i %T@ %C@\n" | sort >before &&
	exec 8<"$STORE/.hxsnap/locks/dev" && flock -x 8 &&
	timeout 20 hxsnap check >out && exec 8<&- &&
	find "$STORE" -printf "%p %i %T@ %C@\n" | sort >after && test_cmp before after
'

test_expect_success SETPRIV 'an ordinary user who may read the store' '
	anew && hxsnap -q create dev >id && chmod -R a+rX "$STORE/backups" "$TRASH/live" &&
	as_nobody "$HXS_BUILD/hxsnap" check >out 2>err && test_line_count 0 err &&
	test_grep "^HXSNAP OK - " out && test_grep "^not looked at.*: the audit log$" out &&
	mkdir -p m && chmod 777 m && rm -f m/m.prom && as_nobody "$HXS_BUILD/hxsnap" check --metrics m/m.prom >out &&
	metric state 0 && test_grep ! "condition_state.*\"audit\"" m/m.prom &&
	metric "condition_judged{environment=\"\",condition=\"audit\"}" 0 &&
	chmod 700 "$STORE/backups/dev" && test_exit 3 as_nobody "$HXS_BUILD/hxsnap" check >out 2>err &&
	test_grep "^unknown access dev: .*Permission denied" out &&
	hxsnap check >out
'

test_done
