#!/bin/sh
# main.sh: the machine's part of tests/boot/boot.sh. Started at the end of each
# boot, it tells on the second serial line what it finds, and then does what
# the kernel's command line says (hxs.do=WORD):
#
#   half    a restore that stands still when one of its two targets is
#           exchanged, on disk, and the other is not
#   call    a restore that stands still before a call chosen by chance
#   time    one restore after the other, without an end
#   end     what the units do, and power off
#
# It waits there for its power to be cut. `main.sh stopped` is what says that a
# restore stands still: with this, nthcall's -x.
set -u

app=/srv/app
mnt=/mnt/snapshots
store=/var/lib/hxsnap
states=/var/lib/hxs-states # LETTER ID, of each state that has a backup
export LC_ALL=C TZ=UTC PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
export CONFIRM_LIVE=YES HOME=/root

say() {
	printf '%s\n' "$*" >&3
}

# Say "WORD STATUS", and what COMMAND prints, a line each.
told() {
	local word="$1" status
	shift
	"$@" >/tmp/told 2>&1
	status=$?
	sed 's/^/# /' /tmp/told >&3
	say "$word $status"
}

property() { # NAME UNIT
	systemctl show -p "$1" --value "$2"
}

# Which states are in the log and in the database: a letter each, or several.
letters() {
	printf 'events=%s memory=%s' \
		"$(sed 's/.*"state": "\(.\)".*/\1/' $app/events/*.jsonl |
			uniq | sort -u | tr -d '\n')" \
		"$(sqlite3 -readonly $app/memory.db \
			"SELECT group_concat(DISTINCT state) FROM memory" 2>&1)"
}

# All that is to be the same as in the state: content, names, modes, times.
sum() {
	{
		hxtree list $app/events && sqlite3 -readonly $app/memory.db \
			'PRAGMA integrity_check' .dump
	} 2>&1 | sha256sum | cut -c 1-16
}

# The cut is there: let the disk have what it would have by now, or not, then
# stand still.
if [ "${1:-}" = stopped ]; then
	exec 3>/dev/ttyS1
	[ "$2" != half ] || sync
	say "stopped $(letters)"
	while :; do sleep 1000; done
fi

# What has become of the timer's backup.
await_backup() {
	local unit=hxsnap-create@live.service n=0
	until [ "$(property ExecMainExitTimestampMonotonic $unit)" != 0 ] &&
		[ "$(property ActiveState $unit)" != activating ]; do
		n=$((n + 1))
		[ $n -lt 600 ] || break
		sleep 1
	done
	say "timer $(property Result $unit) $(property ExecMainStatus $unit)" \
		"$(property LastTriggerUSec hxsnap-create@live.timer)"
	journalctl -b --no-pager -o cat -u $unit | sed 's/^/# /' >&3
}

# restore ID [WRAPPER...]
restore() {
	local id="$1"
	shift
	"$@" hxsnap -q restore "live/$id" >/tmp/rollback-id
}

id_of() { # LETTER
	sed -n "s/^$1 //p" $states
}

# The state that comes after the one that is live.
next() {
	case $(letters) in
	*=A*=A) echo B ;;
	*=B*=B) echo C ;;
	*) echo A ;;
	esac
}

# What is found when the machine has come up.
look() {
	say "mount $(findmnt -rn -o FSTYPE,SOURCE $mnt)"
	say "before $(property Before mnt-snapshots.mount)"
	say "login-after $(property After systemd-user-sessions.service)"
	say "times mount=$(property ActiveEnterTimestampMonotonic \
		mnt-snapshots.mount) data=$(property \
		ActiveEnterTimestampMonotonic srv.mount) login=$(property \
		ActiveEnterTimestampMonotonic systemd-user-sessions.service)" \
		"getty=$(property ActiveEnterTimestampMonotonic \
			serial-getty@ttyS0.service)"
	say "status $(tr '\n' ' ' <$mnt/.status)"
	say "failed $(systemctl --failed --no-legend --plain | cut -d ' ' -f 1 |
		tr '\n' ' ')"
	await_backup
	say "live $(letters) sum=$(sum)"
	told recover hxsnap recover
	say "beside $(find $app -mindepth 1 -maxdepth 1 -printf '%f ')"
	say "left $(find $store/.hxsnap/journal $store/backups \
		$store/rollbacks -mindepth 1 -maxdepth 2 \
		\( -name '.*' -o -path '*/journal/*' \) -printf '%P ')"
	say "latest $(readlink $mnt/live/latest) $(sed -n \
		'1s/.*"state": "\(.\)".*/\1/p' $mnt/live/latest/events/000.jsonl)"
	told verify hxsnap -q verify --all
	told check hxsnap check live
}

# Backups of three states; the first is the timer's. Each is restored, and
# must be what was backed up: that is what the host compares with.
prepare() {
	local state id
	echo "A $(readlink $mnt/live/latest)" >$states
	for state in B C; do
		state.sh $state $app && id=$(hxsnap -q create live) &&
			echo "$state $id" >>$states || return
	done
	say "written C sum=$(sum)"
	for state in A B C; do
		restore "$(id_of $state)" || return
		say "state $state $(id_of $state) sum=$(sum) $(letters)"
	done
	sync
	say prepared
}

# The number of the call that exchanges the second target, or of the last one.
rehearse() { # exchange|last
	local to
	to=$(next)
	restore "$(id_of "$to")" nthcall -f locks -lm 0 EIO 2>/tmp/calls
	sed -n 's/^nthcall: \([0-9]*\): \(.*\)/\1 \2/p' /tmp/calls >/tmp/numbers
	case $1 in
	exchange) grep "^[0-9]* renameat2 '$app' '$app/" /tmp/numbers |
		sed -n 2p ;;
	last) tail -n 1 /tmp/numbers ;;
	esac | cut -d ' ' -f 1
}

stand_still() { # half|call NUMBER
	local to
	to=$(next)
	say "begin $(letters) to=$to at=$2"
	restore "$(id_of "$to")" nthcall -f locks -m \
		-x "exec main.sh stopped $1" "$2" kill 2>/tmp/calls
	say "missed $? $(tail -n 1 /tmp/calls)"
}

loop() {
	local to
	while :; do
		to=$(next)
		say "begin $(letters) to=$to"
		restore "$(id_of "$to")" || break
		say "done to=$to"
	done
	say "missed $?"
}

# The mount of a unit, which is not to stay dead when its program dies.
mount_unit() {
	local unit=hxsnapfs@mnt-unit.service mnt=/mnt/unit pid n=0
	mkdir $mnt && systemctl start $unit && ls $mnt/live || return
	pid=$(property MainPID $unit)
	kill -KILL "$pid"
	until [ "$(property MainPID $unit)" != "$pid" ] &&
		[ "$(property ActiveState $unit)" = active ]; do
		n=$((n + 1))
		[ $n -lt 120 ] || return
		sleep 1
	done
	cmp $mnt/live/latest/events/000.jsonl $app/events/000.jsonl
}

units() {
	local unit
	for unit in verify prune drill check; do
		told "unit-$unit" systemctl start hxsnap-$unit@live.service
		journalctl -b --no-pager -o cat -u hxsnap-$unit@live.service |
			sed 's/^/# /' >&3
	done
	told unit-mount mount_unit
	told checked hxsnap check live
}

stty -F /dev/ttyS1 raw -echo
exec 3>/dev/ttyS1
what=$(sed -n 's/.*hxs\.do=\([^ ]*\).*/\1/p' /proc/cmdline)
chance=$(sed -n 's/.*hxs\.chance=\([^ ]*\).*/\1/p' /proc/cmdline)
say "up $what"
look
[ -e $states ] || prepare || say "prepare failed"
case $what in
half) stand_still half "$(rehearse exchange)" ;;
call) stand_still call $((chance % $(rehearse last) + 1)) ;;
time) loop ;;
end)
	units
	say end
	systemctl poweroff
	;;
esac
