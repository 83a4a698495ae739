#!/bin/sh
test_description='units: systemd understands them, and what they allow is enough'
. "$(dirname "$0")/../lib/lib.sh"

test_lazy_prereq ANALYZE 'systemd-analyze' 'systemd-analyze --version'
test_lazy_prereq REMOUNT 'root that may make a tree read-only' '
	test_have ROOT && mkdir w && unshare -m --propagation private sh -c "
		mount --bind w w && mount -o remount,bind,ro / &&
		touch w/f && ! touch f"'

units=$HXS_SRC/systemd

# key KEY UNIT: its values, a line each.
key() {
	sed -n "s/^$1=//p" "$units/$2"
}

test_expect_success ANALYZE 'systemd-analyze finds nothing wrong' '
	mkdir units && cp "$units"/*.service "$units"/*.timer units/ &&
	sed -i "s,^ExecStart=hxs,ExecStart=$HXS_BUILD/hxs," units/*.service &&
	set -- && for unit in units/hxsnap-*; do
		set -- "$@" "$(echo "./$unit" | sed "s/@/@live/")" || return 1
	done && [ $# -eq 10 ] &&
	systemd-analyze verify --man=no "$@" \
		./units/hxsnapfs@mnt-snapshots.service >out 2>&1 &&
	cat out && test_line_count 0 out
'

test_expect_success ANALYZE 'a mistake would be found' '
	sed "s/^ProtectSystem=.*/ProtectSystem=perhaps/" \
		units/hxsnap-create@.service >units/wrong@.service &&
	{ systemd-analyze verify --man=no ./units/wrong@live.service >out 2>&1 ||
		:; } && test_grep perhaps out
'

test_expect_success ANALYZE 'the times of the timers are times' '
	for timer in "$units"/*.timer; do
		systemd-analyze calendar --iterations=3 \
			"$(sed -n "s/^OnCalendar=//p" "$timer")" || return 1
	done
'

generator=/usr/lib/systemd/system-generators/systemd-fstab-generator
test_lazy_prereq GENERATOR 'systemd-fstab-generator' '[ -x $generator ]'

# Where nothing says otherwise, a mount that may fail is waited for by nobody,
# and comes as soon as its own directory is there.
test_expect_success GENERATOR 'the line for fstab: after all disks, before the login' '
	line="^/var/lib/hxsnap .* fuse.hxsnapfs .* 0 0\$" &&
	grep "$line" "$HXS_SRC/README.md" >fstab && test_line_count 1 fstab &&
	grep "$line" "$HXS_SRC/man/hxsnapfs.8" >man && test_cmp fstab man &&
	mkdir generated && SYSTEMD_FSTAB=$TRASH/fstab $generator \
		generated generated generated &&
	unit=generated/mnt-snapshots.mount &&
	test_grep "^Type=fuse.hxsnapfs$" $unit &&
	test_grep "^After=local-fs.target$" $unit &&
	test_grep "^Before=remote-fs.target$" $unit &&
	[ -L generated/local-fs.target.wants/mnt-snapshots.mount ]
'

test_expect_success 'each timer has its service, and each is in the table' '
	for timer in "$units"/*.timer; do
		name=$(basename "$timer" .timer) &&
		test_path_is_file "$units/$name.service" &&
		grep "^| .${name}ENV.timer. |" "$units/README.md" || return 1
	done
'

test_expect_success 'each is hardened' '
	for service in "$units"/*.service; do
		name=$(basename "$service") &&
		[ "$(key NoNewPrivileges "$name")" = yes ] &&
		[ -n "$(key CapabilityBoundingSet "$name")" ] || return 1
		case $name in
		hxsnapfs@*) test_grep ! "^ProtectSystem=" "$service" ;;
		*) [ "$(key ProtectSystem "$name")" = strict ] ;;
		esac || return 1
	done
'

test_expect_success 'their command lines and those of cron are understood' '
	{ sed -n "s/^ExecStart=\(hxsnap .*\)/\1/p" "$units"/*.service &&
		sed -n "s/^[^#].*\(hxsnap -q .*\)/\1/p" "$HXS_SRC/examples/cron" |
			sed "s/ >.*//; s/).*//"; } >commands &&
	[ "$(wc -l <commands)" -eq 10 ] && hxsnap -h >help &&
	while read -r _ _ cmd words; do
		hxsnap complete -- "$cmd" - | cut -f 1 >options &&
		for word in $words; do
			case $word in
			--*) grep -qx -e "$word" options ;;
			%i | live) ;;
			*) false ;;
			esac || grep -q "^  $cmd " help && continue
			grep -q "^  $cmd " help && return 1
			echo "there is no $cmd yet"
		done
	done <commands
'

# as_unit NAME COMMAND...: with the capabilities of that unit and, unless it
# is the mount, a tree that is read-only but for what the unit names; here
# STORE is /var/lib/hxsnap and LIVE is /srv.
as_unit() {
	local name="$1@.service" caps writable
	shift
	caps=$(key CapabilityBoundingSet "$name" | tr " " "\n" |
		sed "s/^CAP_/+/" | tr "[:upper:]\n" "[:lower:]," | sed "s/,$//") &&
		writable=$(key ReadWritePaths "$name" | sed "s/^-//
			s,^/var/lib/hxsnap\$,$STORE,
			s,^/srv\$,$LIVE,") &&
		for path in $writable; do
			[ -d "$path" ] || {
				echo "what is $path?"
				return 1
			}
		done &&
		unshare -m --propagation private sh -c '
			caps=$1 && writable=$2 && shift 2 &&
			for path in $writable; do
				mount --bind "$path" "$path" || exit
			done &&
			mount -o remount,bind,ro / && cd / &&
			exec setpriv --bounding-set "-all,$caps" \
				--no-new-privs "$@"' sh "$caps" "$writable" "$@"
}

test_expect_success REMOUNT 'an environment of two users with odd files' '
	LIVE=$TRASH/live && new_env dev && hxsnap init "$STORE" &&
	echo 1 >"$EVENTS/a" && echo 2 >"$EVENTS/secret" &&
	chmod 600 "$EVENTS/secret" && printf x >"$EVENTS/setuid" &&
	mkdir "$EVENTS/closed" && echo 3 >"$EVENTS/closed/c" &&
	sqlite3 "$STATE/db" "PRAGMA journal_mode=WAL; CREATE TABLE t(a);
		INSERT INTO t VALUES(1);" &&
	chown -R 1234:4321 "$EVENTS" && chown -R 1235:4322 "$STATE" &&
	chmod 4755 "$EVENTS/setuid" && chmod 700 "$EVENTS/closed" "$STATE" &&
	hxtree list "$EVENTS" >events.want
'

test_expect_success REMOUNT 'create: a backup as without it' '
	id=$(as_unit hxsnap-create hxsnap -q create dev) &&
	hxsnap -q verify "dev/$id" && hxsnap restore "dev/$id" --to all &&
	test_same_tree "$EVENTS" all/events &&
	[ "$(sqlite3 all/state/db "SELECT a FROM t")" = 1 ]
'

test_expect_success REMOUNT 'create: its hooks may become another user' '
	jq ".environments.dev.hooks = {before_create: [[\"setpriv\",
		\"--reuid=65534\", \"--clear-groups\", \"true\"]]}" \
		"$HXSNAP_CONFIG" >hooks.json &&
	as_unit hxsnap-create hxsnap -q --config "$TRASH/hooks.json" create dev
'

test_expect_success REMOUNT 'verify: what it finds is recorded' '
	as_unit hxsnap-verify hxsnap -q verify dev &&
	hxsnap --json list dev >list && jq -e -s "all(.verified.passed)" list &&
	chown -R 1236 "$STORE" && as_unit hxsnap-verify hxsnap -q verify dev &&
	chown -R 0 "$STORE"
'

# Recovery, which comes before a backup, does no more than this.
test_expect_success REMOUNT 'create: it may do all that a restore does' '
	hxtree list "$EVENTS" >want && echo new >"$EVENTS/a" &&
	as_unit hxsnap-create hxsnap -q restore dev/latest &&
	hxtree list "$EVENTS" >got && test_cmp want got
'

for cmd in prune drill check; do
	test_lazy_prereq "CMD_$cmd" "hxsnap $cmd" "hxsnap $cmd -h"
done
test_expect_success REMOUNT,CMD_prune 'prune' '
	jq ".environments.dev.retention = {last: 1}" "$HXSNAP_CONFIG" >keep.json &&
	for n in 1 2 3; do hxsnap -q create dev || return 1; done &&
	hxsnap -q verify dev/latest && hxsnap -q list dev >before &&
	as_unit hxsnap-prune hxsnap -q --config "$TRASH/keep.json" \
		prune dev --apply --allow-many &&
	hxsnap -q list dev >after && [ "$(wc -l <after)" -lt "$(wc -l <before)" ]
'
test_expect_success REMOUNT,CMD_drill 'drill' '
	as_unit hxsnap-drill hxsnap -q drill dev
'
test_expect_success REMOUNT,CMD_check 'check' '
	{ hxsnap -q check dev >want && status=0 || status=$?; } &&
	test_exit "$status" as_unit hxsnap-check hxsnap -q check dev
'

# The mount has no tree of its own: its capabilities alone.
test_expect_success REMOUNT,FUSE,SETPRIV 'the mount: it mounts, reads and restores' '
	caps=$(key CapabilityBoundingSet hxsnapfs@.service | tr " " "\n" |
		sed "s/^CAP_/+/" | tr "[:upper:]\n" "[:lower:]," | sed "s/,$//") &&
	HXSNAPFS="setpriv --bounding-set -all,$caps --no-new-privs hxsnapfs" &&
	mount_store m "config=$HXSNAP_CONFIG,allow_other" &&
	test_when_finished "umount_store m; unset HXSNAPFS" &&
	echo changed >"$EVENTS/a" && chown 1234:4321 "$EVENTS/a" &&
	hxsnap restore dev/latest --to now && echo verify >m/dev/latest/.control &&
	echo restore >m/dev/latest/.control &&
	test_same_tree "$EVENTS" now/events
'

test_done
