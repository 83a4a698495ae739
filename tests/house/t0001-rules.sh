#!/bin/sh
test_description='the rules of this source tree that no compiler knows'

. "$(dirname "$0")/../lib/lib.sh"

rules() {
	"$HXS_SRC/scripts/rules" "$@"
}

test_expect_success 'each floor includes itself and what is below' '
	rules layers
'

test_expect_success 'every header compiles on its own' '
	rules headers
'

test_expect_success 'core exports its own names, and neither prints nor exits' '
	rules symbols
'

test_expect_success 'no file is too long' '
	rules sizes
'

# A rule that cannot be broken is none: break each in a tree of its own.
test_expect_success 'breaches are found' '
	mkdir -p tree/core/base tree/core/store tree/fs tree/tools tree/scripts &&
	cp "$HXS_SRC/scripts/rules" tree/scripts/ &&
	cd tree &&
	echo "#include \"store/a.h\"" >core/base/up.h &&
	echo "int hxs_a(size_t n);" >core/store/a.h &&
	echo "#include <openssl/sha.h>" >core/store/crypto.c &&
	echo "#include \"tools/out.h\"" >fs/across.c &&
	cat >core/store/a.c <<-\END &&
	#include <stdio.h>
	#include <stdlib.h>
	int hxs_b_name(void);
	int hxs_a_name(void);
	int hxs_b_name(void) { return puts("x"); }
	int hxs_a_name(void) { exit(1); }
	END
	yes "" | head -n 900 >tools/long.c &&
	mkdir -p o/core/store && ${CC:-gcc} -c core/store/a.c -o o/core/store/a.o &&
	test_must_fail scripts/rules layers >out &&
	test_grep "core/base/up.h: \"store/a.h\" is above it" out &&
	test_grep "crypto.c: <openssl/sha.h> is for" out &&
	test_grep "fs/across.c: \"tools/out.h\" is above it" out &&
	test_line_count 3 out &&
	test_must_fail scripts/rules headers >out &&
	test_grep "core/store/a.h: does not compile" out &&
	test_must_fail env HXS_BUILD=. scripts/rules symbols >out &&
	test_grep "a.c: exports hxs_b_name" out &&
	test_grep "a.c: uses puts" out && test_grep "a.c: uses exit" out &&
	test_line_count 3 out &&
	test_must_fail scripts/rules sizes >out &&
	test_grep "tools/long.c: 900 lines" out
'

test_expect_success 'every test script can be run, and ends with test_done' '
	for t in "$HXS_SRC"/tests/*/t[0-9]*.sh; do
		if ! [ -x "$t" ]; then
			echo "$t: not executable" && return 1
		fi
		if [ "$(tail -n 1 "$t")" != test_done ]; then
			echo "$t: does not end with test_done" && return 1
		fi
	done
'

test_expect_success 'nothing is marked as unfinished' '
	cd "$HXS_SRC" &&
	! grep -rnE "(FIXME|XXX:|<<<<<<<|>>>>>>>)" --include="*.[ch]" \
		--include="*.sh" --exclude=t0001-rules.sh core fs tools tests \
		scripts
'

test_done
