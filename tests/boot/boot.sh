#!/bin/sh
test_description='a machine of Debian packages: it mounts the store from its
fstab before anybody may log in, makes the backup that its timer missed, and
loses its power in the middle of restores'
# Run it with `make boot-test`. The machine is emulated by qemu, processor and
# all (HXS_BOOT_ACCEL=kvm where that works). tests/boot/README.md tells more.
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/boot/machine.sh"

cuts=${HXS_BOOT_CUTS:-3}
chance=${HXS_BOOT_SEED:-$(date +%s)}
boot_deb=$HXS_BUILD/hxsnap_${HXS_VERSION:-0.1.0}_amd64.deb

test_have ROOT || skip_all "$test_why"
[ "$(uname -m)" = x86_64 ] || skip_all "the machine is an x86_64 one"
room=$(df --output=avail -k "$TRASH" | tail -n 1)
if [ "$room" -lt 3000000 ]; then
	echo "boot.sh: 3 GB are wanted below '$TMPDIR', and there are" \
		"$((room / 1000000))" >&2
	exit 1
fi
echo "# seed $chance, see HXS_BOOT_SEED; $cuts cuts, see HXS_BOOT_CUTS" >&5

# order A B...: these times, NAME=NUMBER in "times", come in this order.
order() {
	local name last=0 now
	for name; do
		now=$(said times | tr ' ' '\n' | sed -n "s/^$name=//p")
		[ "$now" -gt "$last" ] || {
			test_say_ "'$name' is out of order: $(said times)"
			return 1
		}
		last=$now
	done
}

# sum_of LETTER: what is live after a restore of that state.
sum_of() {
	sed -n "s/^state $1 .* sum=\([^ ]*\) .*/\1/p" "$TRASH/report-1"
}

# Between the disks and the login; by systemd's own word, and as it happened.
is_mounted() {
	said mount | grep -x "fuse.hxsnapfs /var/lib/hxsnap" &&
		said before | tr ' ' '\n' | grep -x remote-fs.target &&
		said login-after | tr ' ' '\n' | grep -x remote-fs.target &&
		order data mount login getty
}

made_its_backup() {
	local day
	day=$(date -u -d "@$((boot_began + machine_starts * 86400))" +%Y%m%d) &&
		said timer | grep "^success 0 ." &&
		said latest | grep "^$day"
}

# whole LETTER...: one of these states and nothing else, in the targets and
# in the backup that was made of them since.
whole() {
	local state
	state=$(said live | sed -n 's/^events=\(.\) memory=\1 sum=.*/\1/p') &&
		echo "live: $(said live)" &&
		case " $* " in *" $state "*) ;; *) false ;; esac &&
		[ "$(said live)" = \
			"events=$state memory=$state sum=$(sum_of "$state")" ] &&
		said latest | grep " $state$"
}

# Nothing of a restore is left, and nothing is wrong.
is_clean() {
	[ "$(said recover)" = 0 ] && [ "$(said verify)" = 0 ] &&
		[ "$(said check)" -le 1 ] &&
		grep -x "failed " "$report" && grep -x "left " "$report" &&
		[ "$(said beside | tr ' ' '\n' | sort | paste -s -d ' ')" = \
			" events memory.db" ]
}

# What follows needs what was to be there.
or_end() {
	[ "$test_failed" -eq 0 ] || test_done
}

test_expect_success 'a Debian system with the package of hxsnap' '
	boot_base && boot_disks
'
or_end

# What the disk holds when the power goes, and what may be live afterwards:
# half: one target exchanged, the other not.
cut=half
test_expect_success 'first start: the store is mounted before the login' '
	machine_on $cut && machine_says "^check " && is_mounted
'
or_end
test_expect_success 'the timer makes up for the backup that was missed' '
	made_its_backup && is_clean
'
test_expect_success 'each state comes back as it was backed up' '
	machine_says "^prepared$" && [ "$(grep -c "^state " "$report")" -eq 3 ] &&
	for state in A B C; do
		grep "^state $state .* events=$state memory=$state$" "$report" ||
			return 1
	done &&
	[ "$(said "written C")" = "sum=$(sum_of C)" ] &&
	[ "$(sum_of A)" != "$(sum_of B)" ]
'

# The power goes as soon as the restore stands still, or at a moment that
# chance chooses while one follows the other.
for n in $(seq "$cuts"); do
	test_expect_success "cut $n ($cut): the power goes during a restore" '
		case $cut in
		half)
			machine_says "^stopped " &&
			! said stopped | grep "^events=\(.\) memory=\1$"
			;;
		call) machine_says "^stopped " ;;
		time)
			machine_says "^begin " && machine_says "^done " &&
			sleep "$((chance % 7)).$((chance % 10))"
			;;
		esac && machine_cut &&
		# all that may be live then
		old=$(said begin | sed -n "s/^events=\(.\) .*/\1/p") &&
		new=$(said begin | sed -n "s/.* to=\(.\).*/\1/p") &&
		if [ "$(grep -e "^begin " -e "^done " "$report" | tail -n 1)" = \
			"done to=$new" ]; then
			old=$new
		fi && echo "$old or $new: $(said begin)" && [ -n "$old$new" ]
	'
	cut_was=$cut
	chance=$(((chance * 1103515245 + 12345) % 2147483648))
	if [ "$n" -eq "$cuts" ]; then
		cut=end
	else
		case $cut in
		half) cut=call ;;
		call) cut='time' ;;
		time) cut=half ;;
		esac
	fi
	test_expect_success "cut $n: it comes up, and the mount is there" '
		machine_on "$cut" "$chance" && machine_says "^check " && is_mounted
	'
	or_end
	test_expect_success "cut $n: wholly old or wholly new, nothing left" '
		whole "$old" "$new" && is_clean
	'
	if [ "$cut_was" = half ]; then
		test_expect_success "cut $n: the mount itself put it right" '
			said status | grep -e "\"undone\": 1," -e "\"finished\": 1,"
		'
	fi
	test_expect_success "cut $n: the timer made its backup again" '
		made_its_backup
	'
done

test_expect_success 'what the units do succeeds' '
	machine_says "^end$" &&
	for unit in verify prune drill check mount; do
		[ "$(said "unit-$unit")" = 0 ] || {
			cat "$report" && test_say_ "unit-$unit failed"
			return 1
		}
	done && [ "$(said checked)" = 0 ]
'
test_expect_success 'it powers off, and its disks are clean' '
	test_poll "${HXS_BOOT_LIMIT:-900}" machine_off && wait "$machine" &&
	for disk in system store data; do
		E2FSPROGS_FAKE_TIME=$((boot_began + 99 * 86400)) \
			e2fsck -fn "$disk.img" || return 1
	done
'

test_done
