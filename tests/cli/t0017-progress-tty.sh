#!/bin/sh
test_description='progress: on a terminal, after a second, and gone in the end'
. "$(dirname "$0")/../lib/lib.sh"

# A clock that runs: each look at it is 0.3 seconds after the last. So work
# takes seconds without anybody waiting for them.
cat >fast.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	static atomic_long looks;
	long ms;
	int r;

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(
			RTLD_NEXT, "clock_gettime");
	r = real(id, ts);
	if (r == 0 && id == CLOCK_MONOTONIC) {
		ms = 300 * atomic_fetch_add(&looks, 1);
		ts->tv_sec += ms / 1000;
	}
	return r;
}
END
test_lazy_prereq FASTCLOCK 'a compiler, and no sanitizer with a clock of its own' '
	[ "${HXS_SAN:-}" != tsan ] &&
	${CC:-gcc} -shared -fPIC -o "$TRASH/fast.so" "$TRASH/fast.c" -ldl'
test_lazy_prereq PTY 'script(1)' 'script -qec true out </dev/null'

# on_tty WORD...: run hxsnap with standard error on a terminal of 80 columns,
# what it writes there in err.
on_tty() {
	printf 'stty cols 80 2>/dev/null; exec hxsnap' >cmd
	printf " '%s'" "$@" >>cmd
	printf ' >out\n' >>cmd
	status=0
	script -qec "${PRELOAD:+ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0
		LD_PRELOAD=$PRELOAD} sh ./cmd" typed </dev/null >/dev/null ||
		status=$?
	# without script's own head and tail
	tail -n +2 typed | sed '/^Script done/,$d; /^.\{0,1\}$/d' >err
	return "$status"
}

# env_fast COMMAND...: with that clock.
env_fast() {
	PRELOAD=$TRASH/fast.so
	status=0
	"$@" || status=$?
	PRELOAD=
	return "$status"
}

test_expect_success 'set up' '
	new_env dev && echo s >"$STATE/s" &&
	i=0 && while [ "$i" -lt 50 ]; do
		head -c 10000 /dev/zero >"$EVENTS/$i" && i=$((i + 1)) || return 1
	done && hxsnap -q create dev >/dev/null
'

test_expect_success PTY 'work of less than a second shows nothing but its end' '
	on_tty verify dev/latest && cat -v err &&
	test_grep "is right" err && test_grep ! "\\[K" err &&
	test_line_count 1 err
'

test_expect_success PTY,FASTCLOCK 'longer work shows phase, bytes, files, rate' '
	env_fast on_tty verify dev/latest &&
	tr "\\r" "\\n" <err >lines &&
	grep "verifying: .*iB of [0-9]*.*iB ([0-9]*%), [0-9]* of [0-9]* files, .*/s" lines &&
	grep ", [0-9]*:[0-9][0-9] left" lines
'

test_expect_success PTY,FASTCLOCK 'each line replaces the one before, and the last goes' '
	esc=$(printf "\\033") &&
	[ "$(tr "\\r" "\\n" <err | grep -c "^$esc\\[K")" -ge 2 ] &&
	tr "\\r" "\\n" <err | sed "/^\$/d" | tail -n 1 >last && cat -v last &&
	grep "^$esc\\[Khxsnap: .* is right" last
'

test_expect_success PTY,FASTCLOCK 'no line is wider than the terminal' '
	tr "\\r" "\\n" <err | grep verifying | sed "s/^.\\[K//" >shown &&
	awk "length > 79 { print; bad = 1 } END { exit bad }" shown
'

test_expect_success PTY,FASTCLOCK 'create shows it too, and its id is not disturbed' '
	env_fast on_tty create dev --full &&
	tr "\\r" "\\n" <err | grep "files, .*/s" &&
	test_line_count 1 out && test_path_is_dir "$STORE/backups/dev/$(cat out)"
'

test_expect_success PTY,FASTCLOCK 'faults and warnings have a line of their own' '
	id=$(cat out) && rm "$STORE/backups/dev/$id/events/7" &&
	test_exit 3 env_fast on_tty verify dev/latest &&
	test_line_count 1 out && tr "\\r" "\\n" <err | sed "/^\$/d" | tail -n 1 >last &&
	grep "^.\\[Khxsnap: snapshot .* is damaged" last &&
	mkfifo "$STATE/fifo" && env_fast on_tty create dev --full &&
	tr "\\r" "\\n" <err >lines && grep "^\\(.\\[K\\)*hxsnap: warning: .*fifo" lines
'

test_expect_success PTY,FASTCLOCK 'nothing with -q, nothing where there is no terminal' '
	env_fast on_tty -q verify "dev/$(hxsnap -q create dev)" &&
	test_line_count 0 err &&
	ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0 \
		LD_PRELOAD=$TRASH/fast.so hxsnap verify dev/latest >out 2>err &&
	test_line_count 1 err && test_grep ! "\\[K" err
'

test_expect_success 'a signal ends create cleanly: 1, nothing left' '
	i=0 && while [ "$i" -lt 40 ]; do
		head -c 4000000 /dev/urandom >"$EVENTS/large$i" &&
			i=$((i + 1)) || return 1
	done &&
	for signal in INT TERM HUP; do
		before=$(ls -A "$STORE/backups/dev" | sort) &&
		stopped=
		for try in 1 2 3 4 5 6 7 8 9 10; do
			(trap - INT; exec env --default-signal=INT \
				hxsnap -q create dev --full >out 2>err) &
			pid=$! &&
			test_poll 30 "ls -d \"$STORE\"/backups/dev/.new-* \
				>/dev/null 2>&1 || ! kill -0 $pid 2>/dev/null" &&
			kill -s "$signal" "$pid" 2>/dev/null
			status=0 && wait "$pid" || status=$?
			[ "$status" -ne 0 ] && stopped=1 && break
			before=$(ls -A "$STORE/backups/dev" | sort)
		done
		[ -n "$stopped" ] && [ "$status" -eq 1 ] &&
		test_line_count 0 out && test_grep "^hxsnap: .*cancel" err &&
		test_grep "no snapshot was made" err &&
		[ "$(ls -A "$STORE/backups/dev" | sort)" = "$before" ] || return 1
	done
'

test_done
