# shellcheck shell=sh
# shellcheck disable=SC3043 # 'local' is known to every sh we run on
# shellcheck disable=SC2016,SC2034 # bodies and conditions are evaluated later
#
# The shell tests' library. A test script is
#
#	#!/bin/sh
#	test_description='what this is about'
#	. "$(dirname "$0")/../lib/lib.sh"
#
#	test_expect_success FUSE 'a name that says what must hold' '
#		body && with && chains
#	'
#
#	test_done
#
# and runs alone (tests/cli/t0001-x.sh -v) or under prove. Options, also in
# $HXS_TEST_OPTS: -v shows the bodies' output, -x traces them, -i stops at the
# first failure, -d keeps the scratch directory.
#
# Each script has a scratch directory of its own, $TRASH, which is the current
# directory; it goes away when everything passed. So do mounts, loop devices
# and processes that a body left behind, and a daemon left behind is a
# failure. Never sleep: poll with a limit.

# A mount ends when the last mount namespace lets go of it. Tests make
# namespaces of their own, which are copies: if those held another test's
# mounts, its daemon would outlive its umount. So no test sees another's,
# however it was started.
if [ -z "${HXS_TEST_APART:-}" ] && [ "$(id -u)" -eq 0 ] &&
	unshare -m true 2>/dev/null; then
	export HXS_TEST_APART=1
	exec unshare -m --propagation private sh "$0" "$@"
fi

# ---------------------------------------------------------------------------
# Where things are.

HXS_SRC=${HXS_SRC:-$(cd "$(dirname "$0")/../.." && pwd -P)}
HXS_BUILD=${HXS_BUILD:-$HXS_SRC/build${HXS_SAN:+-$HXS_SAN}}
test_script=$(basename "$0")
test_folder=$(basename "$(cd "$(dirname "$0")" && pwd -P)")
PATH=$HXS_BUILD:$HXS_BUILD/tests:$HXS_BUILD/tests/$test_folder:$HXS_SRC/tests/$test_folder:$PATH:/usr/sbin:/sbin

LC_ALL=C
TZ=UTC
TMPDIR=$(cd "${TMPDIR:-/tmp}" && pwd -P)
TRASH=$(mktemp -d "$TMPDIR/hxs-${test_script%.sh}.XXXXXX") || exit 1
HXS_TRASH=$TRASH # marks every process that we start
HOME=$TRASH
STORE=$TRASH/store
export HXS_SRC HXS_BUILD PATH LC_ALL TZ TMPDIR TRASH HXS_TRASH HOME STORE
unset HXSNAP_CONFIG CONFIRM_LIVE BACKUP_ROOT NOTIFY_SOCKET MAKEFLAGS MAKELEVEL \
	CDPATH COLUMNS GREP_COLORS
umask 022
chmod 755 "$TRASH"

# Every report of a sanitizer, from whatever process, lands in a file here;
# test_run_ looks after each body. 99 is also the exit status of the reporter.
test_reports=$TMPDIR/${TRASH##*/}.reports
mkdir -m 1777 "$test_reports" && chmod 1777 "$test_reports" || exit 1
ASAN_OPTIONS=exitcode=99:detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1:log_path=$test_reports/asan
UBSAN_OPTIONS=exitcode=99:print_stacktrace=1:halt_on_error=1:log_path=$test_reports/ubsan
LSAN_OPTIONS=exitcode=99:suppressions=$HXS_SRC/tests/lib/lsan.supp:print_suppressions=0
# A daemon that is told to end leaves work that would take long.
TSAN_OPTIONS=exitcode=99:second_deadlock_stack=1:report_thread_leaks=0:suppressions=$HXS_SRC/tests/lib/tsan.supp:log_path=$test_reports/tsan
export ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS TSAN_OPTIONS

test_verbose=''
test_trace=''
test_immediate=''
test_keep=''
for test_opt in ${HXS_TEST_OPTS:-} "$@"; do
	case $test_opt in
	-v) test_verbose=1 ;;
	-x) test_trace=1 ;;
	-i) test_immediate=1 ;;
	-d) test_keep=1 ;;
	*)
		echo "$test_script: option '$test_opt' is not known" >&2
		exit 2
		;;
	esac
done

test_count=0
test_failed=0
test_missing=''
test_why=''
test_over=''
test_log=$TRASH/.log
cd "$TRASH" || exit 1

# The TAP stream. Bodies, and so what they leave running, never hold it.
exec 5>&1 7>&2

# ---------------------------------------------------------------------------
# Tests.

# test_expect_success [PREREQ[,PREREQ]] NAME BODY
#
# BODY runs in this shell, so that what it sets stays, and passes when its
# last command does; every command is chained with &&. Without a prerequisite
# it is skipped, or fails if HXS_TEST_REQUIRE names that one (or "all").
# '!PREREQ' wants it to be absent.
test_expect_success() {
	if [ $# -eq 3 ]; then
		test_prereq_ "$1" "$2" || return 0
		shift
	fi
	[ $# -eq 2 ] || test_bug_ "test_expect_success takes 2 or 3 arguments"
	if test_run_ "$2"; then
		test_result_ "ok" "$1"
	else
		test_fail_ "$1" "$2"
	fi
}

# test_expect_failure [PREREQ[,PREREQ]] NAME BODY: a known fault. It is
# counted but fails nothing; once it passes, that is a failure.
test_expect_failure() {
	if [ $# -eq 3 ]; then
		test_prereq_ "$1" "$2" || return 0
		shift
	fi
	[ $# -eq 2 ] || test_bug_ "test_expect_failure takes 2 or 3 arguments"
	if test_run_ "$2"; then
		test_fail_ "$1 (a known fault is gone: expect success)"
	else
		test_result_ "not ok" "$1" "TODO known fault"
	fi
}

# test_when_finished COMMAND: run it when the body has ended, however it
# ended, the last registered first. If it fails, so does the test.
test_when_finished() {
	# shellcheck disable=SC2089 # evaluated below
	test_cleanup="{ $*
	} && (exit \$test_status); test_status=\$?; $test_cleanup"
}

# skip_all REASON: nothing in this script can run here.
skip_all() {
	test_over=1
	echo "1..0 # SKIP $*" >&5
	exit 0
}

# test_done: the last line of every script.
test_done() {
	test_cleanup_all_
	if [ "$test_count" -eq 0 ]; then
		test_fail_ "the script has a test"
	fi
	test_over=1
	echo "1..$test_count" >&5
	[ "$test_failed" -eq 0 ]
	exit
}

test_result_() { # ok|not ok, name, directive
	test_count=$((test_count + 1))
	printf '%s %d - %s%s\n' "$1" "$test_count" \
		"$(printf '%s' "$2" | tr '#\n' '  ')" "${3:+ # $3}" >&5
}

test_fail_() { # name, body
	test_failed=$((test_failed + 1))
	test_result_ "not ok" "$1"
	{
		echo "$test_script: '$1' failed${2:+:$2}"
		[ -z "$test_verbose" ] && tail -n 200 "$test_log" 2>/dev/null
	} | test_show_
	if [ -n "$test_immediate" ]; then
		test_over=1 test_immediate=''
		test_cleanup_all_ # the files stay, to be looked at
		exit 1
	fi
}

test_show_() {
	sed 's/^/# /' >&7
}

test_bug_() {
	echo "$test_script: $*" | test_show_
	exit 1
}

# Kept apart so that a body's 'return' ends here, redirections undone.
test_eval_() {
	if [ -n "$test_trace" ]; then
		PS4='+ '
		set -x
	fi
	eval "$1"
}

test_run_() {
	: >"$test_log"
	test_cleanup=:
	test_status=0
	# A broken && chain runs what follows the break and loses the 117.
	test_eval_ "(exit 117) && $1
	" </dev/null >>"$test_log" 2>&1 5>&- 7>&-
	if [ $? -ne 117 ]; then
		set +x
		test_bug_ "broken && chain in: $1"
	fi 2>/dev/null
	: >"$test_log"
	test_eval_ "$1" </dev/null >>"$test_log" 2>&1 5>&- 7>&-
	test_status=$?
	{ set +x; } 2>/dev/null
	test_eval_ "$test_cleanup" </dev/null >>"$test_log" 2>&1 5>&- 7>&-
	{ set +x; } 2>/dev/null
	cd "$TRASH" || exit 1
	test_reports_ >>"$test_log" || test_status=99
	if [ -n "$test_verbose" ]; then
		test_show_ <"$test_log"
	fi
	[ "$test_status" -eq 0 ]
}

# Sanitizer reports since the last look: printed, and a failure.
test_reports_() {
	local file found=''
	for file in "$test_reports"/*; do
		[ -e "$file" ] || continue
		cat "$file"
		rm -f "$file"
		found=1
	done
	[ -z "$found" ]
}

# ---------------------------------------------------------------------------
# What a test may want to be there.

# test_lazy_prereq NAME REASON COMMAND: tried when first asked for, with its
# own empty directory as the current one. REASON says what is missing.
test_lazy_prereq() {
	eval "test_reason_$1=\$2 test_try_$1=\$3"
	unset "test_have_$1"
}

# test_have PREREQ[,PREREQ]: whether all are there; else $test_missing.
test_have() {
	local list="$1" one have wanted
	while [ -n "$list" ]; do
		one=${list%%,*}
		case $list in
		*,*) list=${list#*,} ;;
		*) list= ;;
		esac
		wanted=yes
		case $one in
		!*)
			wanted=no
			one=${one#!}
			;;
		esac
		eval "have=\${test_have_$one:-}"
		if [ -z "$have" ]; then
			eval "[ -n \"\${test_try_$one:-}\" ]" ||
				test_bug_ "prerequisite '$one' is not known"
			have=no
			mkdir -p "$TRASH/.prereq-$one"
			if (cd "$TRASH/.prereq-$one" && eval "eval \"\$test_try_$one\"") \
				</dev/null >/dev/null 2>&1 5>&- 7>&-; then
				have=yes
			fi
			rm -rf "$TRASH/.prereq-$one"
			eval "test_have_$one=\$have"
		fi
		if [ "$have" != "$wanted" ]; then
			test_missing=$one
			eval "test_why=\"wants \$test_reason_$one\""
			[ "$wanted" = yes ] || test_why="not $test_why"
			return 1
		fi
	done
	return 0
}

test_prereq_() { # list, name of the test
	test_have "$1" && return 0
	case " $(printf '%s' "${HXS_TEST_REQUIRE:-}" | tr ',' ' ') " in
	*" $test_missing "* | *" all "*)
		: >"$test_log"
		test_fail_ "$2 (required here: $test_missing, $test_why)"
		;;
	*) test_result_ ok "$2" "SKIP $test_missing: $test_why" ;;
	esac
	return 1
}

test_lazy_prereq ROOT 'root' '[ "$(id -u)" -eq 0 ]'
test_lazy_prereq FUSE 'a usable /dev/fuse' '
	[ -r /dev/fuse ] && [ -w /dev/fuse ] && : 4<>/dev/fuse &&
	{ test_have ROOT || command -v fusermount3; }'
test_lazy_prereq LOOP 'root with loop devices' '
	test_have ROOT && truncate -s 2M img && mkfs.ext4 -q -F img &&
	mkdir m && mount -o loop img m && umount m'
test_lazy_prereq XFS 'XFS on loop devices' '
	test_have LOOP && truncate -s 300M img && mkfs.xfs -q img &&
	mkdir m && mount -o loop img m && umount m'
test_lazy_prereq BTRFS 'btrfs on loop devices' '
	test_have LOOP && truncate -s 120M img && mkfs.btrfs -q img &&
	mkdir m && mount -o loop img m && umount m'
test_lazy_prereq TMPFS 'leave to mount a tmpfs' '
	mkdir m && mount -t tmpfs tmpfs m && umount m'
test_lazy_prereq OVERLAY 'leave to mount an overlayfs' '
	mkdir m && mount -t tmpfs tmpfs m && mkdir m/l m/u m/w m/o &&
	mount -t overlay o -o lowerdir=m/l,upperdir=m/u,workdir=m/w m/o;
	r=$?; umount m/o; umount m; (exit $r)'
test_lazy_prereq USERNS 'user namespaces' 'unshare -Urm true'
test_lazy_prereq SETPRIV 'root that may become nobody' '
	test_have ROOT && as_nobody true'
test_lazy_prereq XATTR 'user extended attributes below $TMPDIR' '
	: >f && setfattr -n user.hxs -v 1 f'
test_lazy_prereq ACL 'POSIX ACLs below $TMPDIR' '
	: >f && setfacl -m u:1:r f'
test_lazy_prereq PTRACE 'leave to trace a process' '
	nthcall 1 kill true; [ $? -eq 137 ]'
test_lazy_prereq SANITIZER 'a build with a sanitizer' '[ -n "${HXS_SAN:-}" ]'

# as_nobody COMMAND...: run it as the user and group nobody, without any
# capability.
as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
		--no-new-privs "$@"
}

# ---------------------------------------------------------------------------
# What must hold.

test_say_() {
	echo "$*" >&2
	return 1
}

# test_must_fail COMMAND...: it fails, by its own decision: not by a signal,
# not because there is no such command, not because a sanitizer spoke.
test_must_fail() {
	local status=0
	"$@" || status=$?
	case $status in
	0) test_say_ "test_must_fail: success of: $*" ;;
	99) test_say_ "test_must_fail: sanitizer report of: $*" ;;
	126 | 127) test_say_ "test_must_fail: no such command: $*" ;;
	*)
		[ "$status" -lt 128 ] ||
			test_say_ "test_must_fail: died with $status: $*"
		;;
	esac
}

# test_exit STATUS COMMAND...: it ends with exactly this status.
test_exit() {
	local want="$1" status=0
	shift
	"$@" || status=$?
	[ "$status" -eq "$want" ] ||
		test_say_ "test_exit: $status, wanted $want, from: $*"
}

# test_cmp WANT GOT: the same bytes; the difference is shown.
test_cmp() {
	cmp -s "$1" "$2" && return 0
	diff -u "$1" "$2" || cmp "$1" "$2"
	return 1
}

# test_same_tree [LIST-OPTIONS] A B: the same entries with the same content
# and metadata.
test_same_tree() {
	local opts=''
	while [ $# -gt 2 ]; do
		opts="$opts $1"
		shift
	done
	# shellcheck disable=SC2086 # several options
	hxtree list $opts "$1" >"$TRASH/.list-a" &&
		hxtree list $opts "$2" >"$TRASH/.list-b" &&
		test_cmp "$TRASH/.list-a" "$TRASH/.list-b"
}

# test_grep [!] PATTERN FILE: a line matches, or none does; FILE is shown if
# not so.
test_grep() {
	local not=''
	if [ "$1" = ! ]; then
		not=1
		shift
	fi
	test_path_is_file "$2" || return 1
	if grep -q -e "$1" "$2"; then
		[ -z "$not" ] && return 0
	else
		[ -n "$not" ] && return 0
	fi
	echo "test_grep: ${not:+! }'$1' does not hold for '$2':" >&2
	cat "$2" >&2
	return 1
}

test_line_count() { # N FILE
	local lines
	lines=$(wc -l <"$2") && [ "$lines" -eq "$1" ] && return 0
	echo "test_line_count: $lines lines, wanted $1, in '$2':" >&2
	cat "$2" >&2
	return 1
}

test_path_is_missing() {
	if [ -e "$1" ] || [ -L "$1" ]; then
		ls -ld "$1" >&2
		test_say_ "'$1' is there"
	fi
}
test_path_is_file() {
	[ -f "$1" ] || test_say_ "'$1' is no file"
}
test_path_is_dir() {
	[ -d "$1" ] || test_say_ "'$1' is no directory"
}

# Whole seconds since the machine started.
test_uptime_() {
	local up
	read -r up _ </proc/uptime
	echo "${up%.*}"
}

# test_poll SECONDS CONDITION: evaluate CONDITION until it holds.
test_poll() {
	local end
	end=$(($(test_uptime_) + $1 + 1))
	while ! eval "$2"; do
		if [ "$(test_uptime_)" -ge "$end" ]; then
			test_say_ "not within $1 seconds: $2"
			return 1
		fi
		sleep 0.02
	done
}

# ---------------------------------------------------------------------------
# Stores, environments, mounts.

# make_store [DIR]: an empty store ($STORE).
make_store() {
	mkdir -p "${1:-$STORE}/backups" "${1:-$STORE}/.hxsnap"
}

# new_env [NAME]: an environment (dev) with the directory sources events and
# state, empty, in $TRASH/live/NAME; $EVENTS and $STATE say where. Writes
# hxsnap.json, anew each time, which hxsnap finds by $HXSNAP_CONFIG.
new_env() {
	local name="${1:-dev}"
	EVENTS=$TRASH/live/$name/events
	STATE=$TRASH/live/$name/state
	HXSNAP_CONFIG=$TRASH/hxsnap.json
	export EVENTS STATE HXSNAP_CONFIG
	mkdir -p "$EVENTS" "$STATE" &&
		cat >"$HXSNAP_CONFIG" <<-END
		{
		  "store": "$STORE",
		  "environments": {
		    "$name": {
		      "sources": {
		        "events": {"kind": "directory", "path": "$EVENTS"},
		        "state": {"kind": "directory", "path": "$STATE"}
		      }
		    }
		  }
		}
		END
}

# foreign_snapshot ENV ID DIR...: a backup as a shell script would make it:
# plain copies and a manifest, nothing else.
foreign_snapshot() {
	local dir="$STORE/backups/$1/$2"
	shift 2
	mkdir -p "$dir" && cp -a "$@" "$dir/" &&
		(cd "$dir" && find . -type f -print0 | sort -z |
			sed -z 's,^\./,,' |
			xargs -0 -r sha256sum -- >"$TRASH/.manifest" &&
			mv "$TRASH/.manifest" manifest.sha256)
}

# mount_store MNT [OPTIONS]: serve $STORE at MNT (made if missing), wait until
# it answers. $HXSNAPFS may put words before the program's name. What the
# daemon says goes to MNT.log, its process id to MNT.pid.
mount_store() {
	local mnt="$1"
	mkdir -p "$mnt" 2>/dev/null # a dead mount says it exists, and more
	rm -f "$mnt.exit" "$mnt.pid"
	(
		# shellcheck disable=SC2086 # HXSNAPFS may be several words
		sh -c 'echo $$ >"$1.pid" && shift && exec "$@"' sh "$mnt" \
			${HXSNAPFS:-hxsnapfs} -f "$STORE" "$mnt" ${2:+-o "$2"}
		echo $? >"$mnt.exit.new"
		mv "$mnt.exit.new" "$mnt.exit"
	) </dev/null >"$mnt.log" 2>&1 5>&- 7>&- &
	# Not by stat: a dead mount may still answer that from memory, and
	# device numbers come again. Only a daemon answers statfs; the magic
	# number is FUSE's.
	test_poll 30 '
		[ -e "$mnt.exit" ] || [ 65735546 = \
			"$(timeout 10 stat -f -c %t "$mnt" 2>/dev/null)" ]' || {
		cat "$mnt.log" >&2
		return 1
	}
	if [ -e "$mnt.exit" ]; then
		cat "$mnt.log" >&2
		test_say_ "hxsnapfs ended with $(cat "$mnt.exit")"
	fi
}

# store_pid MNT: the daemon's process id.
store_pid() {
	cat "$1.pid"
}

# wait_store MNT [STATUS]: wait until the daemon has ended, with STATUS (0).
wait_store() {
	local mnt="$1" want="${2:-0}" status
	test_poll 30 '[ -e "$mnt.exit" ]' || return 1
	status=$(cat "$mnt.exit")
	if [ "$status" -ne "$want" ]; then
		cat "$mnt.log" >&2
		test_say_ "hxsnapfs ended with $status, wanted $want"
	fi
}

# umount_store MNT: unmount; the daemon must end, and with success.
umount_store() {
	if [ "$(id -u)" -eq 0 ]; then
		umount "$1" || return 1
	else
		fusermount3 -u "$1" || return 1
	fi
	wait_store "$1"
}

# loop_fs ext4|xfs|btrfs SIZE DIR: a new file system of its own at DIR. It is
# unmounted when the script ends, if not before.
loop_fs() {
	local img opts=''
	img=$TRASH/.img-$1-$(basename "$3")
	case $1 in
	ext4) opts='-F' ;;
	xfs | btrfs) opts='-f' ;;
	esac
	rm -f "$img" && mkdir -p "$3" && truncate -s "$2" "$img" &&
		"mkfs.$1" -q $opts "$img" && mount -o loop "$img" "$3"
}

# flip_byte FILE OFFSET [MASK]: change it in place, keeping the times.
flip_byte() {
	flip "$@"
}

# ---------------------------------------------------------------------------
# The end.

# Print what is mounted below $TRASH, the innermost first: type, path.
test_mounts_() {
	local line path
	grep -F "${TRASH##*/}" /proc/self/mountinfo | tac |
		while read -r line; do
			# shellcheck disable=SC2086 # fields
			set -- $line
			# the kernel writes blanks as \040, which printf undoes
			# shellcheck disable=SC2059
			path=$(printf "$(printf '%s' "$5" | sed 's/%/%%/g')")
			line=${line#* - }
			case $path in
			"$TRASH"/*) printf '%s %s\n' "${line%% *}" "$path" ;;
			esac
		done
}

# Print the ids of processes that a body started and that are still there.
test_processes_() {
	local file
	grep -lzsxF "HXS_TRASH=$TRASH" /proc/[0-9]*/environ 2>/dev/null |
		while read -r file; do
			file=${file#/proc/}
			file=${file%/environ}
			# this very grep; one that has just ended
			case $(readlink "/proc/$file/exe" 2>/dev/null) in
			'' | */grep) ;;
			*) echo "$file" ;;
			esac
		done
}

# Those of them that are programs under test.
test_daemons_() {
	local pid
	for pid in $(test_processes_); do
		case $(readlink "/proc/$pid/exe") in
		"$HXS_BUILD"/*) echo "$pid" ;;
		esac
	done
}

# Undo what bodies left behind; what was a daemon of ours is a failure.
test_cleanup_all_() {
	local pid type path left=''
	cd "$TRASH" || return
	: >"$test_log"
	if [ -n "$(test_daemons_)" ]; then
		# one that was unmounted a moment ago may be about to end
		test_poll 30 '[ -z "$(test_daemons_)" ]' 2>/dev/null
	fi
	for pid in $(test_daemons_); do
		left=1
		echo "left running: $pid $(tr '\0' ' ' \
			<"/proc/$pid/cmdline")" >>"$test_log"
	done
	test_mounts_ >"$TRASH/.mounts"
	while read -r type path; do
		case $type in
		fuse*)
			left=1
			echo "left mounted: $path" >>"$test_log"
			;;
		esac
		umount -l "$path" 2>/dev/null || fusermount3 -uz "$path"
	done <"$TRASH/.mounts"
	# Not by `jobs -p`: the number of one that has ended is another's by now.
	for pid in $(test_processes_); do
		kill -TERM "$pid" 2>/dev/null
	done
	if [ -n "$(test_processes_)" ]; then
		test_poll 5 '[ -z "$(test_processes_)" ]' 2>/dev/null
		for pid in $(test_processes_); do
			kill -KILL "$pid" 2>/dev/null
		done
	fi
	if command -v losetup >/dev/null; then
		losetup -l -n -O NAME,BACK-FILE 2>/dev/null |
			while read -r name path; do
				case $path in
				"$TRASH"/*) losetup -d "$name" ;;
				esac
			done
	fi
	test_reports_ >>"$test_log" || left=1
	if [ -n "$left" ]; then
		test_verbose='' test_immediate='' \
			test_fail_ "nothing is left behind"
	fi
}

test_remove_() {
	cd / || return
	rm -rf --one-file-system "$TRASH" 2>/dev/null && return
	chmod -R u+rwx "$TRASH" 2>/dev/null
	rm -rf --one-file-system "$TRASH"
}

test_exit_() {
	local status=$?
	trap - EXIT
	{ set +x; } 2>/dev/null
	if [ -z "$test_over" ]; then
		test_cleanup_all_
		tail -n 50 "$test_log" 2>/dev/null | test_show_
		echo "$test_script ended before test_done" | test_show_
		status=1
	fi
	rm -rf "$test_reports"
	if [ -n "$test_keep" ] || [ "$test_failed" -ne 0 ] ||
		[ "$status" -ne 0 ]; then
		echo "scratch directory: $TRASH" | test_show_
	else
		test_remove_
	fi
	exit "$status"
}
trap test_exit_ EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
