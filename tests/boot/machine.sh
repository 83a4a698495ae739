# shellcheck shell=sh
# shellcheck disable=SC3043
# A machine: its disks made of Debian packages, and its power.
#
# boot_base makes an archive of a Debian system with a kernel, which is kept
# beside what was built: it takes longest, and is the same every time.
# boot_disks makes three disks: the system with hxsnap's own package installed
# in it, one for the store, one for the application's data. machine_on starts
# the machine, machine_cut takes its power away.
#
# The packages come from where this machine's apt is told to look; the system
# is the release that runs here.

# At what time the machine was switched on first; a day passes from one start
# to the next, so that each morning a backup was missed.
boot_began=$(date -u +%s)
boot_kept=$HXS_BUILD/boot
boot_system=$TRASH/system

# What the package of hxsnap wants, and what the test does in the machine.
boot_packages() {
	dpkg-deb -f "$boot_deb" Depends | sed 's/([^)]*)//g; s/ //g' |
		tr ',' '\n' | grep -v '^libc6$'
	printf '%s\n' systemd-sysv udev e2fsprogs fuse3 sqlite3 zstd \
		initramfs-tools linux-image-cloud-amd64
}

# Where apt looks: files, and what else it was told about the way there.
boot_sources() {
	local file
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
		/etc/apt/sources.list.d/*.sources; do
		if [ -s "$file" ] && grep -qv -e '^#' -e '^$' "$file"; then
			echo "$file"
		fi
	done
}

boot_base() {
	local packages release
	packages=$(boot_packages | sort -u | paste -s -d ,) &&
		release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release) &&
		[ -n "$release" ] || return
	mkdir -p "$boot_kept" &&
		echo "$release $packages" >"$TRASH/base.list" || return
	if [ -s "$boot_kept/base.tar" ] &&
		cmp -s "$TRASH/base.list" "$boot_kept/base.list"; then
		return 0
	fi
	# The smallest set of modules that finds the disks.
	mkdir -p initramfs/hooks initramfs/conf.d &&
		echo MODULES=list >initramfs/conf.d/boot &&
		cat >initramfs/hooks/boot <<-\END &&
		#!/bin/sh
		[ "$1" != prereqs ] || exit 0
		. /usr/share/initramfs-tools/hook-functions
		manual_add_modules virtio_pci virtio_blk ext4 crc32c_generic
		END
		chmod +x initramfs/hooks/boot || return
	apt-config dump --format '%f "%v";%n' >apt.conf &&
		grep -E '^Acquire::(https?|Retries)' apt.conf >way.conf || :
	# shellcheck disable=SC2046 # several files
	mmdebstrap --variant=minbase --format=tar --include="$packages" \
		--aptopt="$TRASH/way.conf" \
		--aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--essential-hook='mkdir -p "$1/etc/initramfs-tools"' \
		--essential-hook='cp -r "$TRASH/initramfs/." "$1/etc/initramfs-tools/"' \
		"$release" "$boot_kept/base.tar.new" $(boot_sources) &&
		mv "$boot_kept/base.tar.new" "$boot_kept/base.tar" &&
		cp "$TRASH/base.list" "$boot_kept/base.list"
}

# What an operator would do: the package, the configuration, the line of the
# README in /etc/fstab, the timer.
boot_install() {
	local unit
	cp "$boot_deb" "$boot_system/tmp/hxsnap.deb" &&
		chroot "$boot_system" dpkg -i /tmp/hxsnap.deb &&
		rm "$boot_system/tmp/hxsnap.deb" &&
		mkdir -p "$boot_system/mnt/snapshots" \
			"$boot_system/var/lib/hxsnap" &&
		cat >"$boot_system/etc/hxsnap.json" <<-\END &&
		{
		  "store": "/var/lib/hxsnap",
		  "environments": {
		    "live": {
		      "sources": {
		        "events": {"kind": "directory", "path": "/srv/app/events"},
		        "memory": {"kind": "sqlite", "path": "/srv/app/memory.db"}
		      },
		      "retention": {"last": 30, "rollbacks": {"last": 30}},
		      "objectives": {"rpo": "26h", "rto": "1h"}
		    }
		  }
		}
		END
		cat >"$boot_system/etc/fstab" <<-END &&
		LABEL=system / ext4 defaults 0 1
		LABEL=store /var/lib/hxsnap ext4 defaults 0 2
		LABEL=data /srv ext4 defaults 0 2
		$(grep '^/var/lib/hxsnap .* fuse\.hxsnapfs .* 0 0$' \
			"$HXS_SRC/README.md")
		END
		chroot "$boot_system" systemctl enable hxsnap-create@live.timer ||
		return
	# The backup is late by two days, and the timer must make up for it at once.
	unit=$boot_system/etc/systemd/system/hxsnap-create@live.timer.d &&
		mkdir -p "$unit" "$boot_system/var/lib/systemd/timers" &&
		printf '[Timer]\nRandomizedDelaySec=0\n' >"$unit/at-once.conf" &&
		touch -d "@$((boot_began - 2 * 86400))" \
			"$boot_system/var/lib/systemd/timers/stamp-hxsnap-create@live.timer"
}

# The machine's part of the test. It may be slow, so time is never up; and it
# does without what only costs time.
boot_guest() {
	local unit etc=$boot_system/etc/systemd/system
	cp "$HXS_SRC/tests/boot/guest/"*.sh "$HXS_BUILD/tests/hxtree" \
		"$HXS_BUILD/tests/nthcall" "$boot_system/usr/local/sbin/" &&
		cat >"$etc/boot-test.service" <<-\END &&
		[Unit]
		After=multi-user.target
		[Service]
		ExecStart=/usr/local/sbin/main.sh
		[Install]
		WantedBy=multi-user.target
		END
		mkdir -p "$boot_system/etc/systemd/system.conf.d" &&
		printf '[Manager]\n%s\n%s\n' DefaultTimeoutStartSec=1h \
			DefaultDeviceTimeoutSec=1h \
			>"$boot_system/etc/systemd/system.conf.d/slow.conf" &&
		chroot "$boot_system" systemctl enable boot-test.service &&
		for unit in apt-daily.timer apt-daily-upgrade.timer \
			e2scrub_all.timer e2scrub_reap.service fstrim.timer \
			dpkg-db-backup.timer getty-static.service \
			getty@tty1.service dev-hugepages.mount dev-mqueue.mount \
			sys-kernel-debug.mount sys-kernel-tracing.mount \
			modprobe@efi_pstore.service; do
			ln -sf /dev/null "$etc/$unit" || return
		done
}

# disk NAME SIZE DIR: an ext4 file system with what is in DIR.
boot_disk() {
	truncate -s "$2" "$1.img" && mkfs.ext4 -q -F -L "$1" -d "$3" "$1.img"
}

boot_disks() {
	mkdir -p "$boot_system" data/app &&
		tar -x -f "$boot_kept/base.tar" -C "$boot_system" &&
		boot_install && boot_guest &&
		cp "$boot_system"/boot/vmlinuz-* vmlinuz &&
		cp "$boot_system"/boot/initrd.img-* initrd &&
		"$HXS_SRC/tests/boot/guest/state.sh" A data/app &&
		hxsnap init store &&
		boot_disk system 1500M "$boot_system" &&
		boot_disk store 1G store &&
		boot_disk data 400M data &&
		rm -rf "$boot_system" store data
}

# machine_on WORD [NUMBER]: what it is to do, see guest/main.sh. $report is
# what it tells, $console what its kernel and systemd print.
#
# A power cut is a SIGKILL for qemu. What the machine had given to its disk is
# in this kernel's memory by then and stays; what was still in its own memory
# is lost, as it is when real power goes. So there is no need to bring
# anything to a real disk meanwhile: cache=unsafe.
machine_on() {
	machine_starts=$((${machine_starts:-0} + 1))
	report=$TRASH/report-$machine_starts
	console=$TRASH/console-$machine_starts
	: >"$report"
	qemu-system-x86_64 -accel "${HXS_BOOT_ACCEL:-tcg,thread=multi}" \
		-smp 2 -m 512 -nodefaults -display none -no-reboot \
		-kernel vmlinuz -initrd initrd -append "root=LABEL=system ro \
			console=ttyS0 edd=off no_timer_check panic=-1 \
			mitigations=off systemd.show_status=1 quiet \
			hxs.do=$1 hxs.chance=${2:-0}" \
		-rtc "base=$(date -u -d "@$((boot_began + machine_starts * 86400))" \
			+%Y-%m-%dT%H:%M:%S)" \
		-drive file=system.img,if=virtio,format=raw,cache=unsafe \
		-drive file=store.img,if=virtio,format=raw,cache=unsafe \
		-drive file=data.img,if=virtio,format=raw,cache=unsafe \
		-serial "file:$console" -serial "file:$report" \
		>"qemu-$machine_starts" 2>&1 &
	machine=$!
}

machine_off() {
	! kill -0 "$machine" 2>/dev/null
}

# machine_says PATTERN: wait for a line like that.
machine_says() {
	local wanted="$1"
	test_poll "${HXS_BOOT_LIMIT:-900}" '
		grep -q "$wanted" "$report" || machine_off' &&
		grep "$wanted" "$report" ||
		{
			tail -n 40 "qemu-$machine_starts" "$console" "$report"
			return 1
		}
}

machine_cut() {
	kill -KILL "$machine" && ! wait "$machine"
}

# said WORD: what the line of that word says.
said() {
	sed -n "s/^$1 //p" "$report" | tail -n 1
}
