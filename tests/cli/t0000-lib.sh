#!/bin/sh
test_description='the test library itself: what must fail does'

. "$(dirname "$0")/../lib/lib.sh"

# run_inner NAME: run the script on standard input with a library of its own,
# output in NAME.out and NAME.err.
run_inner() {
	{
		echo '#!/bin/sh'
		echo ". '$HXS_SRC/tests/lib/lib.sh'"
		cat
	} >"$1.sh" &&
		chmod +x "$1.sh" &&
		mkdir -p inner &&
		TMPDIR=$TRASH/inner HXS_TEST_OPTS='' "./$1.sh" \
			>"$1.out" 2>"$1.err"
}

test_expect_success 'a passing body, a failing body, a broken loop' '
	test_must_fail run_inner fails <<-\END &&
	test_expect_success "good" "true && test_path_is_missing x"
	test_expect_success "bad" "echo the reason && false && true"
	test_expect_success "loop" "for i in 1 2; do test \$i = 1 || return 1; done"
	test_expect_failure "known" "false"
	test_done
	END
	cat >want <<-\END &&
	ok 1 - good
	not ok 2 - bad
	not ok 3 - loop
	not ok 4 - known # TODO known fault
	1..4
	END
	test_cmp want fails.out &&
	test_grep "^# the reason" fails.err
'

test_expect_success 'a known fault that is gone is a failure' '
	test_must_fail run_inner gone <<-\END &&
	test_expect_failure "known" "true"
	test_done
	END
	test_grep "^not ok 1" gone.out
'

test_expect_success 'a chain that is broken ends the script' '
	test_must_fail run_inner chain <<-\END &&
	test_expect_success "broken" "false
		true"
	test_done
	END
	test_grep ! "^1\.\." chain.out &&
	test_grep "broken && chain" chain.err
'

test_expect_success 'a script that ends early, or has no test, fails' '
	test_must_fail run_inner early <<-\END &&
	test_expect_success "good" "true"
	exit 0
	END
	test_grep ! "^1\.\." early.out &&
	test_must_fail run_inner none <<-\END &&
	test_done
	END
	test_grep "^not ok" none.out
'

test_expect_success 'what a body sets stays, clean-up runs backwards' '
	run_inner state <<-\END
	test_expect_success "sets" "
		x=3 && : >order &&
		test_when_finished \"echo first >>order\" &&
		test_when_finished \"echo second >>order\""
	test_expect_success "keeps" "
		test \$x = 3 && test_line_count 2 order &&
		test second = \$(head -n 1 order)"
	test_done
	END
'

test_expect_success 'clean-up runs after a failure, and can fail' '
	test_must_fail run_inner cleanup <<-\END &&
	test_expect_success "bad" "test_when_finished \"touch ran\" && false"
	test_expect_success "ran" "test_path_is_file ran"
	test_expect_success "fails" "test_when_finished false && true"
	test_done
	END
	printf "not ok 1 - bad\nok 2 - ran\nnot ok 3 - fails\n1..3\n" >want &&
	test_cmp want cleanup.out
'

test_expect_success 'a missing prerequisite skips, or fails if required' '
	run_inner skips <<-\END &&
	test_lazy_prereq NEVER "the impossible" false
	test_lazy_prereq EVER "nothing" true
	test_expect_success NEVER "a" "false"
	test_expect_success EVER,!NEVER "b" "touch b"
	test_expect_success EVER,NEVER "c" "false"
	test_expect_success "d" "test_path_is_file b"
	test_done
	END
	test_grep "^ok 1 - a # SKIP NEVER: wants the impossible" skips.out &&
	test_grep "^ok 2 - b$" skips.out &&
	test_grep "^ok 3 - c # SKIP NEVER" skips.out &&
	HXS_TEST_REQUIRE="FUSE,NEVER" &&
	export HXS_TEST_REQUIRE &&
	test_when_finished "unset HXS_TEST_REQUIRE" &&
	test_must_fail run_inner required <<-\END &&
	test_lazy_prereq NEVER "the impossible" false
	test_expect_success NEVER "a" "true"
	test_done
	END
	test_grep "^not ok 1 - a (required here: NEVER" required.out
'

test_expect_success 'test_must_fail and test_exit know a crash' '
	test_must_fail false &&
	! test_must_fail true &&
	! test_must_fail sh -c "kill -SEGV \$\$" &&
	! test_must_fail sh -c "exit 99" &&
	! test_must_fail no-such-command-anywhere &&
	test_exit 3 sh -c "exit 3" &&
	! test_exit 3 sh -c "exit 1" &&
	! test_exit 0 sh -c "kill -ABRT \$\$"
'

test_expect_success 'test_cmp, test_grep, test_line_count, test_path_is_*' '
	echo a >a && echo b >b && cp a a2 && ln -s nowhere dangling &&
	test_cmp a a2 && ! test_cmp a b && ! test_cmp a missing &&
	test_grep a a && ! test_grep b a && test_grep ! b a &&
	! test_grep ! a a && ! test_grep ! a missing &&
	test_line_count 1 a && ! test_line_count 2 a &&
	test_path_is_missing missing && ! test_path_is_missing a &&
	! test_path_is_missing dangling &&
	test_path_is_file a && ! test_path_is_file . && test_path_is_dir .
'

test_expect_success 'test_poll waits, and gives up' '
	{ (while ! [ -e go ]; do :; done && touch there) & } &&
	touch go &&
	test_poll 10 "[ -e there ]" &&
	! test_poll 0 false
'

test_expect_success 'a process left behind is ended' '
	run_inner process <<-\END &&
	test_expect_success "leaves" "{ sleep 1000 & } && echo \$! >../../pid"
	test_done
	END
	test_poll 10 "! kill -0 $(cat pid) 2>/dev/null"
'

test_expect_success 'the scratch directory goes, or stays after a failure' '
	rm -rf inner && mkdir inner &&
	run_inner goes <<-\END &&
	test_expect_success "good" "mkdir -p a/b && touch a/b/c && chmod 0 a"
	test_done
	END
	test_path_is_missing inner/* &&
	test_must_fail run_inner stays <<-\END &&
	test_expect_success "bad" "false"
	test_done
	END
	test_path_is_dir inner/hxs-stays.*
'

test_expect_success ROOT 'a mount and a loop device left behind are undone' '
	run_inner mounts <<-\END &&
	test_expect_success "tmpfs" "
		mkdir -p \"a b/c\" && mount -t tmpfs none \"a b/c\""
	test_expect_success LOOP "loop" "
		loop_fs ext4 4M \"a b/c/d\" && touch \"a b/c/d/f\""
	test_done
	END
	test_grep ! "$TRASH/" /proc/self/mountinfo &&
	losetup -l -n -O BACK-FILE >loops &&
	test_grep ! "$TRASH/" loops &&
	test_path_is_missing inner/hxs-mounts.*
'

test_expect_success SANITIZER 'a sanitizer report from any process is seen' '
	cat >leak.c <<-\END &&
	#include <pthread.h>
	int x;
	/* often, as one race alone may be missed */
	static void *f(void *a) { for (int i = 0; i < 10000; i++) x++; return a; }
	int main(int argc, char **argv)
	{
		pthread_t t;
		int *p = new_int();
		pthread_create(&t, 0, f, 0);
		f(0);
		pthread_join(t, 0);
		return p[argc];
	}
	END
	sed -i "s/new_int()/__builtin_malloc(sizeof(int))/" leak.c &&
	case $HXS_SAN in
	asan) kind=address ;;
	*) kind=thread ;;
	esac &&
	${CC:-gcc} -g -w -pthread -fsanitize=$kind -o leak leak.c &&
	test_must_fail run_inner report <<-\END &&
	test_expect_success "hidden" "{ ../../leak 2>/dev/null || :; }"
	test_done
	END
	test_grep "^not ok 1" report.out &&
	test_grep "Sanitizer" report.err
'

test_expect_success 'a tree is what its seed says, and no other' '
	hxtree make 7 a-tree --small >seed && test_grep "^seed 7$" seed &&
	hxtree make 7 b-tree --small && hxtree make 8 c-tree --small &&
	hxtree list a-tree >a.list && hxtree list b-tree >b.list &&
	hxtree list c-tree >c.list && test_cmp a.list b.list &&
	! cmp -s a.list c.list &&
	test_same_tree a-tree b-tree &&
	! test_same_tree a-tree c-tree &&
	test_must_fail hxtree make 7 a-tree
'

test_expect_success 'a copy of it lists the same' '
	cp -a a-tree copy && test_same_tree a-tree copy
'

test_expect_success 'every difference shows in the listing' '
	f=b-tree/sizes/65537 &&
	differs() {
		hxtree list b-tree >now.list &&
			! cmp -s b.list now.list &&
			cp now.list b.list
	} &&
	flip $f 65536 1 && differs &&
	chmod 640 $f && differs &&
	touch -d "2001-02-03 04:05:06.000000001" $f && differs &&
	touch -d "2001-02-03 04:05:06.000000002" $f && differs &&
	ln $f b-tree/again && differs &&
	rm b-tree/again && touch -d @0 b-tree && differs &&
	ln -s a b-tree/link && differs &&
	rm b-tree/link && ln -s b b-tree/link && differs &&
	mkdir b-tree/new-dir && differs &&
	rm b-tree/sizes/0 && differs &&
	ln -f b-tree/sizes/1 b-tree/sizes/63 && differs
'

test_expect_success XATTR 'so does an extended attribute' '
	setfattr -n user.hxs -v 1 b-tree/sizes/1 && differs &&
	setfattr -n user.hxs -v 2 b-tree/sizes/1 && differs &&
	setfattr -x user.hxs b-tree/sizes/1 && differs
'

test_expect_success ROOT 'so does an owner, unless left out' '
	hxtree list --no-owner b-tree >without.list &&
	chown 12:34 b-tree/sizes/1 && chmod u-s b-tree/sizes/1 && differs &&
	hxtree list --no-owner b-tree >without2.list &&
	test_cmp without.list without2.list
'

test_expect_success 'an unreadable file is an error in the listing' '
	ln -s loop b-tree/plain && hxtree list b-tree >/dev/null &&
	test_must_fail hxtree list b-tree/no-such
'

test_expect_success 'flip changes one byte and no time' '
	printf "0123456789" >f && touch -d @1000000000.5 f &&
	stat -c "%Y %y %i" f >before &&
	flip f 3 && stat -c "%Y %y %i" f >after && test_cmp before after &&
	printf "012\314456789" >want && test_cmp want f &&
	flip f 3 && printf "0123456789" >want && test_cmp want f &&
	flip f -1 1 && printf "0123456788" >want && test_cmp want f &&
	flip --truncate f 4 && printf "0123" >want && test_cmp want f &&
	flip --extend f 6 && printf "0123\0\0" >want && test_cmp want f &&
	stat -c "%Y %y %i" f >after && test_cmp before after &&
	test_must_fail flip f 6 && test_must_fail flip f -7 &&
	test_must_fail flip f 0 0 && test_must_fail flip f x &&
	test_must_fail flip --truncate f 6 && test_must_fail flip --extend f 6
'

test_expect_success 'every way of reading reads the same' '
	reads --list >methods &&
	for m in $(cat methods); do
		for f in 0 1 4095 4097 65536 65537 200000; do
			g=a-tree/sizes/$f &&
			reads $m $g >got && test_cmp $g got &&
			reads $m $g 4090 70000 >got &&
			tail -c +4091 $g | head -c 70000 >want &&
			test_cmp want got || return 1
		done
	done
'

test_expect_success 'reads says why it failed' '
	test_must_fail reads read missing 2>err && test_grep "^ENOENT$" err &&
	test_must_fail reads read . 2>err && test_grep "^EISDIR$" err &&
	truncate -s 100000 shrinks &&
	test_exit 2 reads no-such-method shrinks
'

test_expect_success 'an environment, a snapshot by script' '
	make_store && new_env &&
	test_path_is_dir "$EVENTS" && test_path_is_dir "$STATE" &&
	jq -e .environments.dev.sources.events.path <"$HXSNAP_CONFIG" &&
	echo one >"$EVENTS/a" && echo two >"$EVENTS/new
line" &&
	foreign_snapshot dev 20260101T000000Z "$EVENTS" "$STATE" &&
	cd "$STORE/backups/dev/20260101T000000Z" &&
	test_line_count 2 manifest.sha256 &&
	sha256sum -c --strict manifest.sha256
'

test_done
