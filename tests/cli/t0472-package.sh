#!/bin/sh
test_description='what is installed, and what a package of it is'
. "$(dirname "$0")/../lib/lib.sh"

test_lazy_prereq DPKG 'dpkg-deb, and a build without sanitizers' '
	dpkg-deb --version && objdump --version && [ -z "${HXS_SAN:-}" ]'

# "all" is what is tested here: it is not to be built anew.
make_it() {
	make -s -C "$HXS_SRC" -o all B="$HXS_BUILD" "$@"
}

# files DIR: all in it that is no directory, sorted.
files() {
	(cd "$1" && find . ! -type d | sort)
}

test_expect_success 'install: everything, and in its place' '
	make_it DESTDIR="$TRASH/at" install >log 2>&1 && files at >list &&
	for file in bin/hxsnap bin/hxsnapfs include/hxsnap.mk \
		share/man/man1/hxsnap.1 share/man/man8/hxsnapfs.8 \
		share/bash-completion/completions/hxsnap \
		share/zsh/site-functions/_hxsnap \
		share/fish/vendor_completions.d/hxsnap.fish \
		lib/systemd/system/hxsnapfs@.service \
		lib/systemd/system/hxsnap-create@.timer \
		share/doc/hxsnap/README.md share/doc/hxsnap/systemd.md \
		share/doc/hxsnap/examples/cron \
		share/doc/hxsnap/examples/logrotate; do
		grep -x "./usr/local/$file" list || return 1
	done &&
	for dir in man systemd; do
		for file in "$HXS_SRC/$dir"/*.[1-9] "$HXS_SRC/$dir"/*.service \
			"$HXS_SRC/$dir"/*.timer; do
			[ ! -e "$file" ] || grep "/$(basename "$file")$" list ||
				return 1
		done
	done &&
	[ -z "$(find at ! -type d -perm /022)" ] &&
	[ -z "$(find at ! -type d -perm /111 ! -path "*/bin/*")" ] &&
	at/usr/local/bin/hxsnap --version
'

test_expect_success 'PREFIX and the other directories are followed' '
	make_it DESTDIR="$TRASH/other" PREFIX=/opt/x unitdir=/units \
		install >log 2>&1 &&
	test_path_is_file other/opt/x/bin/hxsnap &&
	test_path_is_file other/units/hxsnapfs@.service &&
	[ "$(files other | wc -l)" -eq "$(wc -l <list)" ]
'

test_expect_success 'uninstall: nothing of it is left, nothing else is touched' '
	: >at/usr/local/bin/other && : >at/usr/local/lib/systemd/system/my.service &&
	make_it DESTDIR="$TRASH/at" uninstall >log 2>&1 && files at >left &&
	printf "./usr/local/%s\n" bin/other lib/systemd/system/my.service >want &&
	test_cmp want left && test_path_is_missing at/usr/local/share/doc/hxsnap &&
	make_it DESTDIR="$TRASH/at" uninstall
'

test_expect_success DPKG 'a package is made, twice the same' '
	(cd "$HXS_SRC" && MAKE=make INSTALL_FROM=$HXS_BUILD VERSION=1.2.3 \
		SOURCE_DATE_EPOCH=1700000000 scripts/deb "$TRASH/one") >log 2>&1 &&
	deb=$(cat log) && test_path_is_file "$deb" &&
	[ "$(basename "$deb")" = "hxsnap_1.2.3_$(dpkg --print-architecture).deb" ] &&
	(cd "$HXS_SRC" && MAKE=make INSTALL_FROM=$HXS_BUILD VERSION=1.2.3 \
		SOURCE_DATE_EPOCH=1700000000 scripts/deb "$TRASH/two") &&
	cmp "$deb" "two/$(basename "$deb")"
'

test_expect_success DPKG 'it depends on every library that it is linked with' '
	dpkg-deb -f "$deb" Depends | sed "s/([^)]*)//g" | tr -d " " |
		tr "," "\n" >depends &&
	for program in hxsnap hxsnapfs; do
		objdump -p "$HXS_BUILD/$program" | sed -n "s/.*NEEDED *//p"
	done | sort -u >needed && test_grep libfuse3 needed &&
	while read -r library; do
		dpkg -S "*/$library" | sed "s/:.*//" | sort -u >owners &&
		grep -qxFf depends owners || {
			echo "who has $library?"
			return 1
		}
	done <needed &&
	grep -x fuse3 depends && dpkg-deb -f "$deb" Recommends >recommends &&
	test_grep libpq5 recommends && test_grep postgresql-client recommends
'

test_lazy_prereq SHLIBDEPS 'dpkg-shlibdeps' 'dpkg-shlibdeps --version'
test_lazy_prereq LINTIAN 'lintian' 'lintian --version'

# depends_by NAME: what a package depends on whose libraries NAME looked up.
depends_by() {
	(cd "$HXS_SRC" && MAKE=make INSTALL_FROM=$HXS_BUILD VERSION=1.2.3 \
		SHLIBDEPS=$1 scripts/deb "$TRASH/by") >log && dpkg-deb -f "$(cat log)" Depends
}

test_expect_success DPKG 'each library in a version that this machine has' '
	depends_by "" >plain && tr "," "\n" <plain >depends && cat depends &&
	[ "$(grep -c " (>= [0-9]" depends)" -ge 5 ] &&
	sed -n "s/^ *\([^ ]*\) (>= \(.*\))$/\1 \2/p" depends >wanted && while read -r package version; do
		dpkg --compare-versions "$version" le \
			"$(dpkg-query -W -f "\${Version}" "$package:$(dpkg --print-architecture)")" || return 1
	done <wanted
'

test_expect_success DPKG,SHLIBDEPS 'dpkg-shlibdeps names the same, and wants nothing newer' '
	depends_by dpkg-shlibdeps | tr "," "\n" >by-symbols &&
	sed "s/(.*//" by-symbols | sort >want && sed "s/(.*//" depends | sort >got && test_cmp want got &&
	sed -n "s/^ *\([^ ]*\) (>= \(.*\))$/\1 \2/p" by-symbols >sure && while read -r package version; do
		dpkg --compare-versions "$version" le \
			"$(sed -n "s/^$package //p" wanted)" || return 1
	done <sure
'

test_expect_success DPKG,LINTIAN 'lintian finds nothing' '
	lintian --allow-root "$deb" >out && cat out && test_line_count 0 out
'

test_expect_success DPKG 'it holds what install puts there, owned by root' '
	dpkg-deb -c "$deb" >contents &&
	awk "\$2 != \"root/root\" { print; bad = 1 } END { exit bad }" contents &&
	for file in usr/bin/hxsnap usr/bin/hxsnapfs \
		usr/lib/systemd/system/hxsnap-create@.timer \
		usr/share/zsh/vendor-completions/_hxsnap \
		usr/share/man/man1/hxsnap.1.gz etc/logrotate.d/hxsnap \
		usr/share/doc/hxsnap/changelog.gz; do
		grep " ./$file$" contents || return 1
	done &&
	test_grep ! " ./usr/local" contents
'

# dpkg with a database of its own, a copy of this machine's, so that it really
# looks for what the package depends on.
pkg() {
	PATH=$PATH:/usr/sbin:/sbin dpkg --admindir="$TRASH/admin" \
		--instdir="$TRASH/root" --force-script-chrootless --log=/dev/null "$@"
}

test_expect_success DPKG,ROOT 'it is installed by dpkg, and works' '
	mkdir -p admin/info admin/updates admin/triggers root &&
	cp /var/lib/dpkg/status admin/ && : >admin/available &&
	pkg --no-triggers -i "$deb" >log 2>&1 && cat log &&
	pkg -s hxsnap | grep -x "Status: install ok installed" &&
	files root >list &&
	root/usr/bin/hxsnap --version && root/usr/bin/hxsnapfs --version &&
	new_env dev && echo 1 >"$EVENTS/a" && echo 1 >"$STATE/s" &&
	root/usr/bin/hxsnap -q create dev && root/usr/bin/hxsnap -q verify dev
'

test_expect_success DPKG,ROOT 'removed, its configuration stays; purged, nothing does' '
	pkg --no-triggers -r hxsnap && files root >left &&
	echo ./etc/logrotate.d/hxsnap >want && test_cmp want left &&
	pkg --no-triggers -P hxsnap && files root >left && test_line_count 0 left &&
	hxsnap -q verify dev
'

test_expect_success DPKG,ROOT 'without what it depends on it is not configured' '
	sed "/^Package: libcjson1$/,/^$/d" /var/lib/dpkg/status >admin/status &&
	test_must_fail pkg --no-triggers -i "$deb" 2>err && test_grep libcjson1 err
'

test_done
