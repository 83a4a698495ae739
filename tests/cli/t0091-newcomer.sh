#!/bin/sh
test_description='the README: a newcomer types it on a machine that has nothing of it'
. "$(dirname "$0")/../lib/lib.sh"

# The machine is this one, copied: an overlay of its root directory, entered
# with chroot, in which what was typed is typed as it stands, be it
# apt-get or a line for /etc/fstab. Nothing of it is left. Two things are not
# as they would be: the programs were compiled before, so that make finds
# little to do; and no systemd runs in there, so that units are enabled
# but not started. What the timers' services would run is then run here; that
# systemd does it is for `make boot-test` to show.

[ -z "${HXS_SAN:-}" ] || skip_all "a package is made of a build without sanitizers"

test_lazy_prereq ANALYZE 'systemd-analyze' 'systemd-analyze --version'
test_lazy_prereq APT 'apt-get and dpkg-deb' '
	apt-get --version && dpkg-deb --version'
machine=ROOT,FUSE,TMPFS,OVERLAY,ANALYZE,APT
at=$TRASH/m
root=$at/root

# Blocks marked <!-- typed -->, in order, into typed-1 ...; what is shown
# after one, marked <!-- shown -->, into shown-N of the same number.
awk '
	/^<!-- (typed|shown) -->$/ { mark = $2; next }
	/^```/ && inside { inside = 0; next }
	/^```/ && mark {
		inside = 1
		n += mark == "typed"
		file = mark "-" n
		mark = ""
		printf "" >file
		next
	}
	inside { print >file }
' "$HXS_SRC/README.md"

# layer NAME LOWER DIR: an overlay of LOWER at DIR.
layer() {
	mkdir -p "$3" && mkdir "$at/$1-upper" "$at/$1-work" &&
		mount -t overlay overlay -o \
			"lowerdir=$2,upperdir=$at/$1-upper,workdir=$at/$1-work" "$3"
}

# typed N: what it prints, in the order in which a terminal would show it.
typed() {
	on_it stdbuf -oL sh -e -c "$(cat "typed-$1")" >"out-$1" 2>&1 || {
		cat "out-$1"
		return 1
	}
}

# on_it COMMAND...: run it on that machine, as after a login of root.
on_it() {
	env -i HXS_TRASH="$HXS_TRASH" MAKEFLAGS="$flags" HOME=/root TERM=dumb \
		LC_ALL=C TZ=UTC DEBIAN_FRONTEND=noninteractive \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		chroot "$root" sh -c 'cd ~/hxsnap && exec "$@"' sh "$@"
}

# Ids, times and durations differ from day to day, and with them the blanks
# and the size of meta.json.
plain() {
	sed 's/[0-9]\{8\}T[0-9]\{6\}Z/ID/g
		s/[0-9-]\{10\}T[0-9:]\{8\}Z\([^,"}]\)/TIME\1/g
		s/3 files, [0-9]* B/3 files, N B/; s/3 files, [0-9]* b/3 files, N b/
		s/[0-9]*\.[0-9][0-9]* s/N s/g; s/   */  /g' "$1"
}

# Two hundred characters a minute are what a slow typist does.
test_expect_success 'it can be typed in ten minutes' '
	[ "$(ls typed-* | wc -l)" -ge 10 ] && [ "$(ls shown-* | wc -l)" -ge 5 ] &&
	cat typed-* >all && echo "$(wc -c <all) characters" &&
	[ "$(wc -c <all)" -le 2000 ]
'

test_expect_success "$machine" 'a machine without any of it' '
	mkdir "$at" && mount -t tmpfs -o mode=755 tmpfs "$at" &&
	layer root / "$root" &&
	rm -rf "$root/var/lib/hxsnap" "$root"/etc/hxsnap* \
		"$root"/usr/local/bin/hxsnap* &&
	for dir in home mnt root run srv tmp; do
		mkdir -p "$root/$dir" && mount -t tmpfs tmpfs "$root/$dir" ||
			return 1
	done &&
	for dir in dev proc; do
		mount --rbind "/$dir" "$root/$dir" || return 1
	done &&
	layer src "$HXS_SRC" "$root/root/hxsnap" &&
	layer build "$HXS_BUILD" "$root/root/hxsnap/build" &&
	rm -f "$root/root/hxsnap/build"/*.deb &&
	flags=s && { ! grep -q -e -Werror "$HXS_BUILD/flags" ||
		flags="s -- WERROR=1"; } &&
	: >"$root/etc/fstab" && rm -f "$root/var/lib/man-db/auto-update" &&
	echo "APT::Install-Recommends \"false\";" >"$root/etc/apt/apt.conf.d/99here" &&
	cat >"$root/usr/local/bin/systemctl" <<-\EOF &&
		#!/bin/sh
		for word; do
			shift
			[ "$word" = --now ] || set -- "$@" "$word"
		done
		exec /usr/bin/systemctl "$@"
	EOF
	chmod +x "$root/usr/local/bin/systemctl" &&
	{ ! on_it dpkg -s hxsnap || on_it dpkg --purge hxsnap; } &&
	test_must_fail on_it sh -c "command -v hxsnap || exit 1"
'

n=0
while [ -e "typed-$((n + 1))" ]; do
	n=$((n + 1))
	title="$n: $(head -n 1 "typed-$n" | tr -d "'")"
	shown='not shown'
	[ ! -e "shown-$n" ] || shown='as is shown'
	test_expect_success "$machine" "$title, $shown" '
		typed "$n" && { [ "$shown" = "not shown" ] || {
			plain "shown-$n" >want && plain "out-$n" >got &&
				test_cmp want got; }; }'
done

test_expect_success "$machine" 'the restores brought everything back' '
	for env in live dev; do
		test_cmp "$root/root/copy/orders.jsonl" \
			"$root/srv/shop/$env/orders.jsonl" || return 1
	done && test_line_count 3 "$root/srv/shop/dev/orders.jsonl"
'

test_expect_success "$machine" 'when the machine starts, it is mounted' '
	on_it umount /mnt/snapshots && test_path_is_missing "$root/mnt/snapshots/live" &&
	on_it mount -a && on_it diff -r /root/copy /mnt/snapshots/live/latest/data &&
	mkdir "$root/tmp/units" &&
	on_it /usr/lib/systemd/system-generators/systemd-fstab-generator \
		/tmp/units /tmp/units /tmp/units &&
	test_grep "^Type=fuse.hxsnapfs$" "$root/tmp/units/mnt-snapshots.mount" &&
	on_it sh -c "ls /tmp/units/*/mnt-snapshots.mount"
'

test_expect_success "$machine" 'the timers are enabled, and what they run works' '
	for verb in create prune verify drill check; do
		timer=$root/etc/systemd/system/timers.target.wants/hxsnap-$verb@live.timer &&
		[ -L "$timer" ] && test_path_is_file "$root$(readlink "$timer")" &&
		line=$(sed -n "s/^ExecStart=//p" \
			"$root/usr/lib/systemd/system/hxsnap-$verb@.service" |
			sed "s/%i/live/") && [ -n "$line" ] &&
		on_it sh -c "HXSNAP_CONFIG=/etc/hxsnap.json $line" || return 1
	done && on_it hxsnap list live >list && test_line_count 3 list
'

test_expect_success "$machine" 'the package goes, the backups stay, and cp is enough' '
	on_it umount /mnt/snapshots && test_poll 20 "[ -z \"\$(test_processes_)\" ]" &&
	on_it dpkg --purge hxsnap && test_path_is_missing "$root/usr/bin/hxsnap" &&
	for id in "$root"/var/lib/hxsnap/backups/live/[0-9]*; do
		(cd "$id" && sha256sum -c --quiet --strict manifest.sha256) || return 1
	done && umount -R "$at"
'

test_done
