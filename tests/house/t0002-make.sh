#!/bin/sh
test_description='what the Makefile promises'

. "$(dirname "$0")/../lib/lib.sh"

# Without building anything: the tests share the build directory.
make_here() {
	make -C "$HXS_SRC" --no-print-directory -o all B="$HXS_BUILD" "$@"
}

test_expect_success 'install puts all that there is below DESTDIR' '
	make_here install DESTDIR="$TRASH/dest dir" PREFIX=/usr &&
	(cd "dest dir" && find . ! -type d) | sort >got &&
	{
		for f in hxsnap hxsnapfs; do
			echo "./usr/bin/$f" || return 1
		done &&
		for f in "$HXS_SRC"/man/*.[1-9]; do
			echo "./usr/share/man/man${f##*.}/${f##*/}" || return 1
		done &&
		for f in "$HXS_SRC"/systemd/*.service "$HXS_SRC"/systemd/*.timer; do
			echo "./usr/lib/systemd/system/${f##*/}" || return 1
		done &&
		for f in "$HXS_SRC"/examples/*; do
			echo "./usr/share/doc/hxsnap/examples/${f##*/}" || return 1
		done &&
		cat <<-\END
		./usr/include/hxsnap.mk
		./usr/share/bash-completion/completions/hxsnap
		./usr/share/doc/hxsnap/README.md
		./usr/share/doc/hxsnap/systemd.md
		./usr/share/fish/vendor_completions.d/hxsnap.fish
		./usr/share/zsh/site-functions/_hxsnap
		END
	} | sort >want &&
	test_cmp want got &&
	test "$(stat -c %a "dest dir/usr/bin/hxsnap")" = 755 &&
	find "dest dir" -path "*man?/*" ! -perm 644 >odd &&
	test_line_count 0 odd &&
	"dest dir/usr/bin/hxsnap" -h >help &&
	test_grep verify help
'

test_expect_success 'uninstall leaves no file of it' '
	touch "dest dir/usr/bin/other" &&
	make_here uninstall DESTDIR="$TRASH/dest dir" PREFIX=/usr &&
	find "dest dir" ! -type d >left &&
	echo "dest dir/usr/bin/other" >want &&
	test_cmp want left
'

test_expect_success 'help lists what one can ask for' '
	make_here help >help &&
	for t in all check crash boot-test lint fuzz format install uninstall clean bench \
		demo help backup restore; do
		test_grep "^make $t " help || return 1
	done
'

test_expect_success 'an unknown test or sanitizer is refused' '
	test_must_fail env HXS_BUILD="$HXS_BUILD" \
		"$HXS_SRC/tests/run" no-such-test &&
	test_must_fail make_here all SAN=none
'

# dpkg-query as on a machine that lacks some of them
test_expect_success 'missing packages are named' '
	mkdir bin &&
	cat >bin/dpkg-query <<-\END &&
	#!/bin/sh
	echo "installed gcc"
	echo "config-files libc6-dev"
	echo "no packages found matching libssl-dev" >&2
	exit 1
	END
	chmod +x bin/dpkg-query &&
	PATH=$TRASH/bin:$PATH test_exit 1 "$HXS_SRC/scripts/deps" \
		--check build 2>err &&
	test_grep "sudo apt-get install libc6-dev " err &&
	test_grep " libssl-dev" err && test_grep ! " gcc" err
'

test_expect_success 'each package has a known group and a reason' '
	grep -v "^#" "$HXS_SRC/scripts/packages" | grep . >list &&
	test_must_fail grep -vE \
		"^(build|test|demo|bench|lint|boot)	[a-z0-9.+-]+	+[^ 	]" list
'

test_done
