#!/bin/sh
test_description='the runbook: its commands, each in the accident it is for'
. "$(dirname "$0")/../lib/lib.sh"

# Blocks after a comment
#	.\" tested[ CONDITION][ status N]: NAME
# become block-NAME; the names, in order, are in names.
awk '
	/^\.\\" tested/ {
		name = $0
		sub(/.*: /, "", name)
		next
	}
	/^\.Bd -literal/ && name { file = "block-" name; print name >"names"; next }
	/^\.Ed/ { file = name = "" }
	file { gsub(/\\(e|\(rs)/, "\\"); print >file }
' "$HXS_SRC/man/hxsnap-runbook.7"

# block NAME [ID]: run it here, where the page's places are, with ID for the
# page's. Standard output goes to out.
block() {
	test_path_is_file "block-$1" &&
		sed "s,/tmp/,$TRASH/tmp-,g; s,/mnt/,$TRASH/,g
			s,/srv/app,$TRASH/srv,g; s,/var/lib/hxsnap,$STORE,g
			s,20260205T152900Z,${2:-no id was given},g" \
			"block-$1" >run &&
		cat run && sh -e ./run >out && cat out
}

# the live data are those of now
is_good() {
	test_same_tree good/events "$APP/events" &&
		test_same_tree good/state "$APP/state"
}

APP=$TRASH/srv
CONFIRM_LIVE=YES
HXSNAP_CONFIG=$TRASH/hxsnap.json
export CONFIRM_LIVE HXSNAP_CONFIG

test_expect_success 'an environment with three backups' '
	mkdir -p "$APP/events" "$APP/state" && jq -n --arg s "$STORE" --arg a "$APP" "{
		store: \$s, environments: {live: {sources: {
		events: {kind: \"directory\", path: (\$a + \"/events\")},
		state: {kind: \"directory\", path: (\$a + \"/state\")}}}}}" >hxsnap.json &&
	hxsnap init "$STORE" && echo first >"$APP/events/orders.jsonl" &&
	echo i >"$APP/events/invoices.jsonl" && echo s >"$APP/state/s" &&
	first=$(hxsnap -q create live) &&
	echo second >>"$APP/events/orders.jsonl" && cp -a "$APP" good &&
	second=$(hxsnap -q create live) && hxsnap -q verify live/latest
'

test_expect_success 'first of all: what there is' '
	hxsnap -q restore live/latest && block look && test_grep "^snapshot: *live/$second" out
'

test_expect_success 'first of all: a backup of what is left' '
	rm -r "$APP/events" && mkdir "$APP/events" && block before &&
	incident=$(cat out) && hxsnap list live | grep "$incident.*incident.*kept"
'

test_expect_success 'a file was deleted' '
	hxsnap -q restore "live/$second" && rm "$APP/events/orders.jsonl" &&
	block versions && test_grep "$second" out && test_grep absent out &&
	block file "$second" && touch -r good/events "$APP/events" && is_good
'

test_expect_success FUSE 'the same from the mount' '
	mount_store snapshots && test_when_finished "umount_store snapshots" &&
	rm "$APP/events/orders.jsonl" && touch -r good/events "$APP/events" &&
	block mount-file "$second" && touch -r good/events "$APP/events" && is_good
'

test_expect_success 'everything is damaged' '
	echo rubbish >"$APP/events/orders.jsonl" && : >"$APP/state/new" &&
	block plan && test_grep "^- state/new" out &&
	block days "$second" && test_grep "orders.jsonl" out &&
	block all "$second" && is_good
'

test_expect_success 'the restore was wrong' '
	hxsnap -q restore "live/$first" >rb && test_must_fail is_good &&
	block rollback && is_good &&
	hxsnap -q restore "live/$first" && hxsnap -q restore "live/$incident" &&
	block earlier "$(cat rb)" && is_good
'

test_expect_success 'a backup is damaged' '
	hxsnap -q create live && cp -a "$STORE" copy &&
	flip_byte "$STORE/backups/live/$second/events/orders.jsonl" 2 &&
	test_exit 3 block verify && test_grep "^block live/$second/events/orders" out &&
	block full && test_grep ! damaged out &&
	block salvage "$second" && touch -r good/events "$APP/events" && is_good &&
	test_exit 3 hxsnap restore "live/$second" && is_good &&
	block repair "$second" && test_grep "^repaired events/orders.jsonl" out &&
	hxsnap -q restore "live/$second" && is_good
'

test_expect_success 'the disk of the data is lost' '
	rm -r "$APP/events" "$APP/state" && block target && is_good
'

test_expect_success 'the disk of the store is lost' '
	rm -r "$STORE" && test_exit 4 hxsnap list live && mkdir "$STORE" &&
	test_must_fail hxsnap create live && block store && is_good &&
	rm -r "$STORE" && mkdir "$STORE" && block copy &&
	hxsnap -q verify "live/$second"
'

test_expect_success 'the machine is another one' '
	rm -r "$APP/events" "$APP/state" && block moved && is_good &&
	rm -r "$APP/events" "$APP/state" && block plain "$second" && is_good
'

# Where systemd has not mounted it. It stays in our own mount namespace.
test_lazy_prereq FUSECTL 'the connections of FUSE below /sys' '
	mountpoint -q /sys/fs/fuse/connections ||
		mount -t fusectl fusectl /sys/fs/fuse/connections'

test_expect_success FUSE,ROOT,FUSECTL 'the mount hangs' '
	mount_store snapshots && test_when_finished "umount_store snapshots" &&
	block status && jq -e .store out &&
	kill -STOP "$(store_pid snapshots)" && block abort &&
	kill -CONT "$(store_pid snapshots)" &&
	test_poll 20 "[ -e snapshots.exit ]" && ! mountpoint -q snapshots &&
	block again && test_grep "$second" out && umount snapshots &&
	test_poll 20 "[ -z \"\$(test_processes_)\" ]" && mount_store snapshots
'

test_expect_success ROOT,PTRACE 'a restore was interrupted' '
	unshare -pf --mount-proc nthcall -l -m 0 kill \
		hxsnap -q restore "live/$first" 2>calls && hxsnap -q rollback live &&
	n=$(sed -nE "s/^nthcall: ([0-9]+): renameat2? .*02.*/\1/p" calls | head -n 1) &&
	test_exit 137 unshare -pf --mount-proc nthcall -m $((n + 1)) kill \
		hxsnap -q restore "live/$first" &&
	test_path_is_file "$STORE/.hxsnap/journal/live" && block recover 2>err &&
	test_grep "was interrupted, and is" err && cat err &&
	test_path_is_missing "$STORE/.hxsnap/journal/live" &&
	if grep undone err; then is_good; else
		! grep second "$APP/events/orders.jsonl"; fi
'

test_expect_success 'a rehearsal' '
	hxsnap -q restore "live/$second" && hxsnap -q create live &&
	block rehearsal && test_same_tree good/events tmp-rehearsal/events && is_good
'

# Those that were skipped here are still in the script.
test_expect_success 'nothing on the page was left out' '
	[ "$(wc -l <names)" -ge 20 ] && while read -r name; do
		grep -q "block $name\b" "$HXS_SRC/tests/cli/$test_script" || {
			echo "never run: $name"
			return 1
		}
	done <names &&
	[ "$(grep -c "^.Bd -literal" "$HXS_SRC/man/hxsnap-runbook.7")" -eq \
		"$(wc -l <names)" ]
'

test_done
