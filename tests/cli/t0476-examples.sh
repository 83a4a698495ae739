#!/bin/sh
test_description='the manuals: what stands under EXAMPLES works'
. "$(dirname "$0")/../lib/lib.sh"

test_lazy_prereq MANDOC 'mandoc' 'command -v mandoc'

# examples PAGE: its displays under EXAMPLES become PAGE-1 ..., as they are
# shown to a reader.
examples() {
	awk -v page="$1" '
		/^\.Sh / { on = $2 == "EXAMPLES"; next }
		!on { next }
		/^\.Bd -literal/ { file = page "-" ++n; next }
		/^\.Ed/ { close(file); file = ""; next }
		/^\.Dl / { sub(/^\.Dl /, ""); print >(page "-" ++n); next }
		file { print >file }
	' "$HXS_SRC/man/$1" &&
		for file in "$1"-*; do
			[ -e "$file" ] && mandoc_text "$file" || return 1
		done
}

# What mandoc makes of the escapes in a file, in its place.
mandoc_text() {
	{ printf '.Dd November 21, 2026\n.Dt X 1\n.Os\n.Sh NAME\n.Nm x\n.Nd x\n' &&
		printf '.Sh BEGIN\n.Bd -literal\n' && cat "$1" && printf '.Ed\n'; } |
		mandoc -T ascii -O width=500,indent=0 |
		sed "s/.$(printf '\b')//g" |
		sed '1,/^BEGIN/d' | sed '$d' | sed 's/^     //' >"$1.text" &&
		mv "$1.text" "$1"
}

# run_example FILE: here, where the page's places are.
run_example() {
	sed "s,/tmp/,$TRASH/,g; s,/var/lib/hxsnap,$STORE,g
		s,/srv/app/,$TRASH/live/,g
		s,/usr/local/bin/page-somebody,true,g
		s/2026-02-04T23:59:59Z/$then/g; s/20260205T152900Z/$id/g" "$1" >run &&
		cat run && sh -e ./run >out && cat out
}

each_example() {
	local n=1
	while [ -e "$1-$n" ]; do
		run_example "$1-$n" || {
			echo "example $n of $1 failed"
			return 1
		}
		n=$((n + 1))
	done
	[ "$n" -gt "$2" ]
}

test_expect_success 'environments dev and live, as the pages have them' '
	new_env dev && mkdir -p "$TRASH/live/live" && cp "$HXSNAP_CONFIG" dev.json &&
	jq --arg t "$TRASH/live" ".environments.live = {sources: {events:
		{kind: \"directory\", path: (\$t + \"/events\")}}}" dev.json \
		>"$HXSNAP_CONFIG" &&
	mkdir -p live/events && echo 1 >live/events/a && echo 1 >"$EVENTS/a.json" &&
	echo s >"$STATE/s" && hxsnap init "$STORE" && hxsnap -q create live &&
	id=$(hxsnap -q create dev) && echo 2 >"$EVENTS/a.json" &&
	hxsnap -q create dev && hxsnap -q create live && hxsnap -q verify --all &&
	then=$(date -u -d "+1 hour" +%Y-%m-%dT%H:%M:%SZ)
'

# The line of cron begins with when.
test_expect_success MANDOC 'hxsnap.1' '
	examples hxsnap.1 && sed -i -E "s/^([0-9*]+ ){5} *//" hxsnap.1-* &&
	each_example hxsnap.1 6
'

test_expect_success MANDOC,FUSE,XATTR 'hxsnapfs.8' '
	examples hxsnapfs.8 &&
	test_when_finished "cd \"$TRASH\"; for m in snapshots; do
		! mountpoint -q \$m || umount \$m; done" &&
	run_example hxsnapfs.8-1 && ls "$TRASH/events" &&
	hxsnapfs "$STORE" snapshots -o "config=$HXSNAP_CONFIG,xattr=on" &&
	hxsnap --json list dev --rollbacks >before &&
	run_example hxsnapfs.8-2 && jq -e .ok out &&
	hxsnap --json list dev --rollbacks >after &&
	test_line_count "$(($(wc -l <before) + 2))" after &&
	{ run_example hxsnapfs.8-4 || :; } && test_grep "^> 2" out &&
	umount snapshots && # what was read stays at hand
	hxsnapfs "$STORE" snapshots -o "config=$HXSNAP_CONFIG,xattr=on" &&
	flip_byte "$STORE/backups/dev/$(readlink snapshots/dev/latest)/events/a.json" 0 &&
	test_must_fail cat snapshots/dev/latest/events/a.json &&
	run_example hxsnapfs.8-3 && test_grep user.hxsnap.fault out &&
	test_path_is_missing hxsnapfs.8-5
'

test_expect_success MANDOC 'hxsnap.json.5' '
	examples hxsnap.json.5 && n=1 && while [ -e "hxsnap.json.5-$n" ]; do
		test_exit 4 hxsnap --config "hxsnap.json.5-$n" list 2>err &&
		test_grep "no store at" err || return 1
		n=$((n + 1))
	done && [ "$n" -gt 1 ]
'

test_expect_success MANDOC 'hxsnap-store.5' '
	rm -rf "$STORE/backups" && mkdir -p "$STORE/backups/dev" &&
	mkdir -p "$TRASH/live/events" && examples hxsnap-store.5 &&
	id=20260205T152900Z && each_example hxsnap-store.5 1 &&
	hxsnap verify dev/20260205T152900Z
'

test_expect_success 'each page of a program says how it ends' '
	for page in hxsnap.1 hxsnapfs.8 hxsnap-runbook.7; do
		grep "^.Sh EXIT STATUS" "$HXS_SRC/man/$page" || return 1
	done &&
	for page in "$HXS_SRC"/man/*.[1-9]; do
		grep "^.Sh EXAMPLES" "$page" || return 1
	done
'

test_done
