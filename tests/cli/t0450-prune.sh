#!/bin/sh
# shellcheck disable=SC2016,SC2034,SC2154 # evaluated later; set by bodies
# shellcheck disable=SC3043 # 'local' is known to every sh we run on
# shellcheck disable=SC2012,SC2010 # names of our own
test_description='prune, keep, unkeep: what stays, why, and what goes'
. "$(dirname "$0")/../lib/lib.sh"

# config RETENTION: the environment dev, with this policy ('' for none)
config() {
	local policy=''
	[ -z "$1" ] || policy=", \"retention\": {$1}"
	mkdir -p live/events && export HXSNAP_CONFIG="$TRASH/hxsnap.json" &&
		cat >"$HXSNAP_CONFIG" <<-END
		{"store": "$STORE", "environments": {"dev": {
		  "sources": {"events": {"kind": "directory",
		    "path": "$TRASH/live/events"}}$policy}}}
		END
}

# snap ID [TAGS [AREA]]: a small one, with tags such as '"a", "b"'
snap() {
	local dir="$STORE/${3:-backups}/dev/$1"
	mkdir -p "$dir/events/d" && echo "$1" >"$dir/events/d/a" &&
		echo same >"$dir/events/b" || return 1
	[ -z "${2:-}" ] || echo "{\"env\": \"dev\", \"backup_id\": \"$1\",
		\"tags\": [$2]}" >"$dir/meta.json" || return 1
	(cd "$dir" && find . -type f | sed 's,^\./,,' | sort |
		xargs sha256sum >"$TRASH/.manifest" &&
		mv "$TRASH/.manifest" manifest.sha256)
}

# a_store: empty, whatever there was
a_store() {
	rm -rf "$STORE" && make_store
}

# ids [AREA]: what there is
ids() {
	ls "$STORE/${1:-backups}/dev" 2>/dev/null
}

# The ids named stay, and no others; all of them are whole.
stay() {
	ids >got && printf '%s\n' "$@" >want && test_cmp want got && whole
}

# Every snapshot is whole by its manifest, and nothing else is there.
whole() {
	local dir
	for dir in "$STORE"/backups/dev/* "$STORE"/rollbacks/dev/*; do
		[ ! -d "$dir" ] || (cd "$dir" &&
			sha256sum -c --strict --quiet manifest.sha256 &&
			find . -type f ! -name manifest.sha256 | wc -l >"$TRASH/n" &&
			wc -l <manifest.sha256 | cmp - "$TRASH/n") || return 1
	done
}

# plan ID WORD REASON: so says plan, the output of prune
plan() {
	grep -E "^dev/(\.rollbacks/)?$1 +$2 +[^ ]+ +$3\$" plan && return
	cat plan && return 1
}

# prune [OPTION]...: what it prints is in plan and err
prune() {
	hxsnap prune dev "$@" >plan 2>err
}

test_expect_success 'each snapshot, the rules that keep it, and nothing is removed' '
	config "\"last\": 1, \"daily\": 2, \"weekly\": 2, \"yearly\": 2" && a_store &&
	for id in 20190301T000000Z 20191231T235959Z 20200103T000000Z \
		20200106T000000Z 20200107T000000Z 20200107T120000Z; do
		snap $id || return 1
	done && find "$STORE" | sort >before && prune &&
	test_line_count 7 plan &&
	plan 20190301T000000Z goes "no rule keeps it" &&
	plan 20191231T235959Z stays yearly &&
	plan 20200103T000000Z stays weekly &&
	plan 20200106T000000Z stays daily &&
	plan 20200107T000000Z goes "no rule keeps it" &&
	plan 20200107T120000Z stays "last, daily, weekly, yearly, newest" &&
	grep "2 snapshots of .dev. would go: .--apply. removes them" err &&
	find "$STORE" | sort >after && test_cmp before after
'

test_expect_success 'the same as JSON' '
	hxsnap --json prune dev >json 2>err && test_line_count 0 err &&
	jq -s -e "length == 7 and (.[:6] | all(.type == \"snapshot\" and
		.kind == \"backup\" and .damaged == false and .tags == [] and
		.reference == \"dev/\" + .id and (.stays == (.reasons != [])))) and
		.[5].reasons == [\"last\", \"daily\", \"weekly\", \"yearly\", \"newest\"] and
		([.[] | select(.stays == false) | .id] ==
			[\"20190301T000000Z\", \"20200107T000000Z\"])" json &&
	jq -s -e ".[6] | .type == \"prune\" and .environment == \"dev\" and
		.applied == false and .staying == 4 and .going == 2 and
		.wants_allow_many == false and .removed == 0 and .left == 0 and
		.warnings == []" json
'

test_expect_success '--apply removes just what goes, and tells who did it' '
	hxsnap -q verify dev && whole &&
	prune --apply && plan 20200107T000000Z goes "no rule keeps it" &&
	grep "removed 2 snapshots of .dev.; 4 stay" err &&
	stay 20191231T235959Z 20200103T000000Z 20200106T000000Z 20200107T120000Z &&
	ls "$STORE/.hxsnap/verify/backups/dev" | sed "s/\.json\$//" >got &&
	test_cmp want got && hxsnap -q verify dev &&
	ls -A "$STORE/backups/dev" | sed -n "/^\./p" >left && test_line_count 0 left &&
	tail -n 3 "$STORE/.hxsnap/audit.log" | jq -s -e "
		all(.act == \"prune\" and .env == \"dev\" and .ok) and
		map(.reference) == [\"dev/20190301T000000Z\",
			\"dev/20200107T000000Z\", null]" &&
	prune --apply && grep "removed 0 snapshots" err &&
	hxsnap --json prune dev --apply >json && jq -s -e ".[-1].applied" json
'

test_expect_success 'as JSON it tells each one that is gone' '
	snap 20200107T000000Z && hxsnap --json prune dev --apply >json &&
	jq -s -e "[.[] | select(.type == \"removed\")] ==
		[{type: \"removed\", reference: \"dev/20200107T000000Z\",
			reason: null}] and
		(.[-1] | .removed == 1 and .left == 0)" json &&
	stay 20191231T235959Z 20200103T000000Z 20200106T000000Z 20200107T120000Z
'

test_expect_success 'without retention nothing goes' '
	config "" && prune --apply && plan 20200106T000000Z stays "no retention is set" &&
	grep "removed 0" err &&
	stay 20191231T235959Z 20200103T000000Z 20200106T000000Z 20200107T120000Z &&
	test_exit 4 hxsnap prune nowhere 2>err && grep "nowhere" err
'

test_expect_success 'backups and rollback points apart' '
	config "\"rollbacks\": {\"last\": 2}" && a_store &&
	for id in 20200101T000000Z 20200102T000000Z 20200103T000000Z; do
		snap $id && snap $id "" rollbacks || return 1
	done && prune --apply &&
	grep "^dev/.rollbacks/20200101T000000Z *goes" plan &&
	stay 20200101T000000Z 20200102T000000Z 20200103T000000Z &&
	ids rollbacks >got && printf "%s\n" 20200102T000000Z 20200103T000000Z >want &&
	test_cmp want got &&
	config "\"last\": 2" && prune --apply &&
	stay 20200102T000000Z 20200103T000000Z && ids rollbacks | wc -l >got &&
	grep -x 2 got
'

test_expect_success 'a tag with a rule of its own' '
	config "\"last\": 2, \"tags\": {\"pre-deploy\": {\"last\": 1},
		\"manual\": {\"keep\": \"forever\"}}" && a_store &&
	snap 20200101T000000Z "\"manual\"" && snap 20200102T000000Z "\"pre-deploy\"" &&
	snap 20200103T000000Z "\"pre-deploy\", \"manual\"" &&
	snap 20200104T000000Z "\"pre-deploy\", \"other\"" &&
	snap 20200105T000000Z "\"other\"" && snap 20200106T000000Z &&
	snap 20200107T000000Z && prune --apply &&
	plan 20200101T000000Z stays "tag .manual.: forever" &&
	plan 20200102T000000Z goes "no rule keeps it" &&
	plan 20200103T000000Z stays "tag .manual.: forever" &&
	plan 20200104T000000Z stays "tag .pre-deploy.: last" &&
	plan 20200105T000000Z goes "no rule keeps it" &&
	plan 20200106T000000Z stays last &&
	stay 20200101T000000Z 20200103T000000Z 20200104T000000Z 20200106T000000Z \
		20200107T000000Z
'

test_expect_success 'tags that cannot be read may be any' '
	echo "{" >"$STORE/backups/dev/20200101T000000Z/meta.json" &&
	snap 20200108T000000Z && snap 20200109T000000Z && prune --apply &&
	grep "^dev/20200101T000000Z *stays *DAMAGED *its tags cannot be read" plan &&
	test_path_is_dir "$STORE/backups/dev/20200101T000000Z" &&
	test_path_is_missing "$STORE/backups/dev/20200106T000000Z"
'

test_expect_success 'a damaged one stands in for none' '
	config "\"daily\": 2" && a_store && snap 20200101T000000Z &&
	snap 20200102T000000Z && snap 20200102T010000Z && snap 20200103T000000Z &&
	flip_byte "$STORE/backups/dev/20200102T010000Z/events/b" 1 &&
	test_exit 3 hxsnap -q verify dev/20200102T010000Z >out 2>err &&
	prune --apply &&
	grep "^dev/20200102T010000Z *goes *DAMAGED *no rule keeps it" plan &&
	stay 20200102T000000Z 20200103T000000Z
'

test_expect_success 'more than half of the backups wants --allow-many' '
	config "\"last\": 1" && a_store && snap 20200101T000000Z &&
	snap 20200102T000000Z && snap 20200103T000000Z &&
	prune && grep "more than half of the backups: it wants .--allow-many" err &&
	test_exit 5 hxsnap prune dev --apply >plan 2>err &&
	plan 20200101T000000Z goes "no rule keeps it" &&
	grep "refused: 2 of 3 backups of .dev. would go, more than half; no snapshot was removed" err &&
	grep "^hint: .*--allow-many" err &&
	stay 20200101T000000Z 20200102T000000Z 20200103T000000Z &&
	tail -n 1 "$STORE/.hxsnap/audit.log" |
		jq -e ".act == \"prune\" and .ok == false and .status == 5" &&
	prune --apply --allow-many && stay 20200103T000000Z &&
	prune --apply && stay 20200103T000000Z
'

# three: of each kind, the oldest would go
three() {
	config "\"last\": 2, \"rollbacks\": {\"last\": 2}" && a_store &&
	for id in 20200101T000000Z 20200102T000000Z 20200103T000000Z; do
		snap $id && snap $id "" rollbacks || return 1
	done
}

# refused STATUS PATTERN: with and without --apply; and nothing is removed
refused() {
	find "$STORE/backups" "$STORE/rollbacks" | sort >before &&
	for apply in "" --apply --apply; do
		test_exit "$1" hxsnap prune dev $apply >plan 2>err &&
			test_grep "$2" err && test_line_count 0 plan || return 1
	done && grep "; no snapshot was removed" err &&
		find "$STORE/backups" "$STORE/rollbacks" | sort >after &&
		test_cmp before after && whole
}

test_expect_success 'a snapshot of the future stops it, of either kind' '
	three && snap 29990101T000000Z &&
	refused 5 "refused: snapshot .29990101T000000Z. is dated in the future" &&
	grep "^hint: was the clock set back" err &&
	rm -r "$STORE/backups/dev/29990101T000000Z" && prune &&
	snap 29990101T000000Z "" rollbacks && refused 5 "29990101T000000Z"
'

test_expect_success 'a clock earlier than the audit log stops it, again and again' '
	three && prune && hxsnap -q keep dev/20200103T000000Z &&
	hxsnap -q unkeep dev/20200103T000000Z && log=$STORE/.hxsnap/audit.log &&
	cp "$log" log && printf "%s\n%s" \
		"{\"when\": \"2999-01-01T00:00:00Z\", \"act\": \"create\", \"ok\": true}" \
		"{\"when\": \"a torn li" >>"$log" &&
	refused 5 "newest line of the audit log is of .2999-01-01T00:00:00Z" &&
	cp log "$log" && prune --apply && stay 20200102T000000Z 20200103T000000Z
'

# going: what goes by plan
going() {
	sed -n "s/ *goes .*//p" plan
}

test_expect_success PTRACE 'what cannot be read stops it, or stays' '
	config "\"last\": 1, \"rollbacks\": {\"last\": 1}" && a_store &&
	snap 20200101T000000Z && snap 20200102T000000Z && snap 20200103T000000Z &&
	snap 20200104T000000Z && snap 20200102T000000Z "" rollbacks &&
	snap 20200103T000000Z "" rollbacks && hxsnap -q keep dev/20200102T000000Z &&
	hxsnap -q verify dev/20200101T000000Z && prune && going >may &&
	printf "%s\n" dev/20200103T000000Z dev/.rollbacks/20200102T000000Z |
		test_cmp - may && n=0 refused=0 status=0 &&
	while [ $status -ne 200 ]; do
		n=$((n + 1)) status=0
		nthcall -f hxsnap.json $n EIO hxsnap prune dev >plan 2>err || status=$?
		going | grep -vxF -f may >more && cat more err && return 1
		[ $status -eq 0 ] || [ $status -eq 200 ] || {
			grep "^hxsnap: .*Input/output error\|cannot be read" err &&
			refused=$((refused + 1)) || return 1
		}
	done && echo "$refused of $n" && [ $refused -ge 20 ]
'

test_expect_success 'a journal or a result that is damaged stops it' '
	echo garbage >"$STORE/.hxsnap/verify/backups/dev/20200101T000000Z.json" &&
	refused 1 "the verify result of .dev/20200101T000000Z. cannot be read" &&
	hxsnap -q verify dev/20200101T000000Z && prune && three &&
	mkdir -p "$STORE/.hxsnap/journal" && echo garbage >"$STORE/.hxsnap/journal/dev" &&
	for apply in "" --apply; do
		test_exit 3 hxsnap prune dev $apply >plan 2>err && test_line_count 0 plan &&
		grep journal err || return 1
	done && stay 20200101T000000Z 20200102T000000Z 20200103T000000Z
'

test_expect_success 'the newest verified one stays, and the newest that is not damaged' '
	config "\"last\": 1" && a_store && snap 20200101T000000Z &&
	snap 20200102T000000Z "\"x\"" && snap 20200103T000000Z && snap 20200104T000000Z &&
	hxsnap -q verify dev/20200101T000000Z && hxsnap -q verify dev/20200102T000000Z &&
	flip_byte "$STORE/backups/dev/20200104T000000Z/events/b" 1 &&
	test_exit 3 hxsnap -q verify dev/20200104T000000Z >out 2>err &&
	config "\"last\": 1, \"tags\": {\"x\": {\"last\": 1}}" &&
	prune --apply && plan 20200102T000000Z stays "tag .x.: last, newest verified" &&
	plan 20200103T000000Z stays "last, newest" &&
	plan 20200104T000000Z stays "last, newest" &&
	config "\"last\": 1" && prune --apply && ids >got &&
	printf "%s\n" 20200102T000000Z 20200103T000000Z 20200104T000000Z >want &&
	test_cmp want got &&
	ls -l "$STORE/backups/dev" && hxsnap show dev/latest-verified >out &&
	grep 20200102T000000Z out
'

test_expect_success 'keep and unkeep: again does no harm, each is recorded' '
	three && hxsnap keep dev/20200101T000000Z >out 2>err &&
	test_line_count 0 out && grep "is kept\$" err &&
	hxsnap keep dev/20200101 2>err && grep "as it was before" err &&
	hxsnap -q keep dev/.rollbacks/20200101T000000Z 2>err && test_line_count 0 err &&
	prune --apply && plan 20200101T000000Z stays kept &&
	stay 20200101T000000Z 20200102T000000Z 20200103T000000Z &&
	hxsnap list dev | grep "20200101T000000Z.*kept" &&
	hxsnap --json unkeep dev/20200101T000000Z >json &&
	jq -e ". == {reference: \"dev/20200101T000000Z\", kept: false,
		changed: true}" json &&
	hxsnap --json unkeep dev/20200101T000000Z >json && jq -e ".changed == false" json &&
	test_exit 4 hxsnap keep dev/20200109T000000Z 2>err &&
	test_exit 4 hxsnap unkeep dev/20200109T000000Z 2>err &&
	jq -s -e "[.[] | select(.act == \"keep\")] | map(.ok) == [true, true, true, false]" \
		"$STORE/.hxsnap/audit.log" &&
	jq -s -e "[.[] | select(.act == \"unkeep\")] | map(.reference) ==
		[\"dev/20200101T000000Z\", \"dev/20200101T000000Z\", null]" \
		"$STORE/.hxsnap/audit.log" &&
	prune --apply && stay 20200102T000000Z 20200103T000000Z &&
	test_path_is_dir "$STORE/rollbacks/dev/20200101T000000Z" &&
	echo 1 >live/events/x && id=$(hxsnap -q create dev --keep) && touch live/events/x &&
	hxsnap -q create dev >out && hxsnap -q create dev >out &&
	hxsnap -q create dev >out && prune --apply && plan $id stays kept
'

# hold KIND PATH: somebody has a lock of it until let_go
hold() {
	rm -f fifo && mkfifo fifo || return 1
	flock "$1" "$2" sh -c ': >held; cat fifo >fifo.out' &
	holder=$!
	test_poll 20 '[ -e held ]'
}

let_go() {
	: >fifo && wait "$holder" && rm -f held
}

test_expect_success 'what an operation uses stays for now' '
	three && hold -s "$STORE/backups/dev/20200101T000000Z" &&
	prune --apply && plan 20200101T000000Z goes "no rule keeps it" &&
	grep "warning: .dev/20200101T000000Z. was not removed: an operation uses it" err &&
	stay 20200101T000000Z 20200102T000000Z 20200103T000000Z &&
	ids rollbacks | wc -l >got && grep -x 2 got &&
	hxsnap --json prune dev --apply >json && jq -s -e "
		(.[-2] | .type == \"left\" and .reason == \"an operation uses it\") and
		(.[-1] | .left == 1 and .removed == 0)" json &&
	let_go && prune --apply && stay 20200102T000000Z 20200103T000000Z
'

test_expect_success 'one that is being removed cannot be kept, nor verified' '
	three && hold -x "$STORE/backups/dev/20200101T000000Z" &&
	test_exit 6 hxsnap keep dev/20200101T000000Z 2>err &&
	grep "is being removed" err && let_go && hxsnap -q keep dev/20200101T000000Z
'

test_expect_success 'another operation: busy, and what is only told needs no lock' '
	three && mkdir -p "$STORE/.hxsnap/locks" && : >"$STORE/.hxsnap/locks/dev" &&
	hold -x "$STORE/.hxsnap/locks/dev" &&
	test_exit 6 hxsnap prune dev --apply >plan 2>err && prune &&
	plan 20200101T000000Z goes "no rule keeps it" && let_go &&
	stay 20200101T000000Z 20200102T000000Z 20200103T000000Z
'

test_expect_success 'something mounted in it: nothing of it is removed' '
	three && if test_have TMPFS; then
		dir=$STORE/backups/dev/20200101T000000Z/events/d && mount -t tmpfs t "$dir" &&
		test_when_finished "umount $dir" &&
		test_exit 6 hxsnap prune dev --apply >plan 2>err &&
		grep "something is mounted in it" err &&
		test_path_is_file "$STORE/backups/dev/20200101T000000Z/events/b"
	fi
'

test_expect_success 'the rollback point of a restore that is to be confirmed' '
	config "\"last\": 5, \"rollbacks\": {\"last\": 1}" && a_store &&
	echo 1 >live/events/x && hxsnap -q create dev >out && echo 2 >live/events/x &&
	{ hxsnap -q restore dev/latest --confirm-within 10m >out 2>err & } && waiter=$! &&
	test_poll 60 "[ -e $STORE/.hxsnap/unconfirmed/dev ] &&
		[ \"\$(cat live/events/x)\" = 1 ] &&
		[ -z \"\$(ls $STORE/.hxsnap/journal)\" ]" &&
	id=$(ids rollbacks) && cp -a "$STORE/rollbacks/dev/$id" copy &&
	snap 20200101T000000Z "" rollbacks &&
	test_poll 20 "[ \$(date -u +%Y%m%dT%H%M%SZ) != $id ]" &&
	next=$(date -u +%Y%m%dT%H%M%SZ) && cp -a copy "$STORE/rollbacks/dev/$next" &&
	sed -i "s/$id/$next/" "$STORE/rollbacks/dev/$next/meta.json" &&
	prune && plan $id stays "a restore waits for confirmation" &&
	plan $next stays last &&
	prune --apply && printf "%s\n" $id $next >want && ids rollbacks >got &&
	test_cmp want got &&
	hxsnap -q confirm dev && wait $waiter && prune --apply && plan $id goes "no rule keeps it" &&
	ids rollbacks >got && echo $next >want && test_cmp want got
'

test_expect_success FUSE 'files that are open in a mount stay readable' '
	three && mount_store mnt && test_when_finished "umount_store mnt" &&
	exec 4<mnt/dev/20200101T000000Z/events/d/a && prune --apply &&
	cat <&4 >got && exec 4<&- && echo 20200101T000000Z >want && test_cmp want got &&
	test_poll 20 "[ ! -e mnt/dev/20200101T000000Z ]" &&
	ls mnt/dev >got && printf "%s\n" 20200102T000000Z 20200103T000000Z latest >want &&
	test_cmp want got && test_same_tree --no-root mnt/dev/20200103T000000Z/events \
		"$STORE/backups/dev/20200103T000000Z/events" &&
	jq -e ".damage | [.blocks, .files, .snapshots, .unlisted] | add == 0" mnt/.status
'

test_expect_success FUSE 'readers and verifiers while it prunes: right bytes or nothing' '
	config "\"last\": 3" && a_store &&
	for day in $(seq -w 28); do snap 202001${day}T000000Z || return 1; done &&
	mount_store mnt && test_when_finished "umount_store mnt" && rm -f stop &&
	cat >reader.sh <<-\END &&
	while [ ! -e stop ]; do
		for dir in mnt/dev/2*; do
			id=${dir##*/}
			got=$(cat "$dir/events/d/a" 2>/dev/null) || continue
			[ "$got" = "$id" ] || echo "$id: $got" >>wrong
			echo >>read
		done
	done
	END
	{ sh reader.sh & } && reader=$! && test_poll 20 "[ -s read ]" &&
	{ (hxsnap -q verify dev >verify.out 2>&1; echo $? >verify.end) & } &&
	prune --apply --allow-many && test_poll 60 "[ -e verify.end ]" &&
	[ "$(cat verify.end)" -eq 0 ] && : >stop && wait $reader &&
	test_path_is_missing wrong && prune --apply --allow-many &&
	stay 20200126T000000Z 20200127T000000Z 20200128T000000Z &&
	jq -e ".damage | [.blocks, .files, .snapshots, .unlisted] | add == 0" mnt/.status
'

# What there is after an interruption: of those that go all or nothing, and
# all of the others. Then everything is put right.
after() {
	ids | grep -v "^20200102" >got && printf "%s\n" 20200103T000000Z \
		20200104T000000Z >want && grep -v "^20200101" got | test_cmp want - &&
		whole && hxsnap -q recover dev && whole || return 1
	ls -A "$STORE/backups/dev" "$STORE/rollbacks/dev" | grep "^\." && return 1
	for file in "$STORE"/.hxsnap/verify/backups/dev/*; do
		test_path_is_dir "$STORE/backups/dev/$(basename "$file" .json)" ||
			return 1
	done
	hxsnap -q verify dev && hxsnap -q prune dev --apply >plan &&
		stay 20200103T000000Z 20200104T000000Z && ids rollbacks >got &&
		echo 20200102T000000Z | test_cmp - got
}

# each OPTION ACTION STATUSES: at the first call, the second, the third...
each() {
	local n=0 status=0 points=0
	while [ $status -ne 200 ]; do
		n=$((n + ${STEP:-1})) status=0
		rm -rf "$STORE" && cp -a template "$STORE" || return 1
		# shellcheck disable=SC2086 # an option or none
		nthcall -f locks $1 $n "$2" hxsnap -q prune dev --apply >plan 2>err ||
			status=$?
		case " $3 200 " in
		*" $status "*) ;;
		*) echo "at $n: $status" && cat err && return 1 ;;
		esac
		after || {
			echo "at $n, status $status:" && cat err && return 1
		}
		points=$((points + 1))
	done
	echo "$points points" && [ $points -ge 10 ]
}

test_expect_success 'two backups and a rollback point that go' '
	config "\"last\": 2, \"rollbacks\": {\"last\": 1}" && a_store &&
	for id in 20200101T000000Z 20200102T000000Z; do
		snap $id && snap $id "" rollbacks || return 1
	done && snap 20200103T000000Z && snap 20200104T000000Z &&
	hxsnap -q verify dev && rm -rf template && cp -a "$STORE" template
'

test_expect_success PTRACE 'killed at each change: all of a snapshot or none' '
	each -m kill 137
'

for error in EIO ENOSPC EINTR; do
	test_expect_success PTRACE "$error from calls: the same" '
		STEP=29 && each "" '$error' "0 1 3 5 6" && unset STEP
	'
done

test_done
