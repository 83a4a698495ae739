# shellcheck shell=sh
# shellcheck disable=SC3043 # 'local' is known to every sh we run on
# shellcheck disable=SC2016,SC2034 # evaluated later; used by the tests
# shellcheck disable=SC2154 # set by bodies
#
# What the crash tests share; source it after lib.sh. README.md says what for.
#
# A scenario is an environment 'dev' with live data, a store with a backup
# ($base), and live data changed since. Every run begins there:
#
#	one	one target, on the store's file system
#	two	two targets, on the store's file system
#	pair	two targets, on ext4 and on XFS, and the store elsewhere
#	mount	a target that is a mount point, and a directory
#	paths	a directory and a file, of two targets
#	missing	two targets that are not there
#	file	a target that is one file, a database, and a directory
#
# A restore begins with what listing want-old tells and ends with want-new.

crash_all=${HXS_CRASH:-}

# A sanitizer's report is all that its build adds: a few points will do.
crash_few=''
[ -n "$crash_all" ] || crash_few=${HXS_SAN:-}

# crash_step N: how far it is from one point to the next; `make crash` tries
# every one.
crash_step() {
	if [ -n "$crash_all" ]; then
		echo 1
	elif [ -n "$crash_few" ]; then
		echo $(($1 * 5 + 1))
	else
		echo "$1"
	fi
}

# crash_wanted SCENARIO-FS: whether that one is to be tried.
crash_wanted() {
	if [ -n "${CRASH_ONLY:-}" ]; then
		[ "$CRASH_ONLY" = "$1" ]
	else
		[ -z "$crash_few" ] || [ "$1" = two-ext4 ]
	fi
}

# A process namespace of one's own: few others to look at, and none changes.
crash_apart='unshare -pf --mount-proc'

# Disks are files in memory: what is made durable costs no time.
test_lazy_prereq PTRACE 'root that may trace a process, and loop devices' '
	test_have LOOP,TMPFS &&
	{ $crash_apart nthcall 1 kill true; [ $? -eq 137 ]; }'

# ---------------------------------------------------------------------------
# Scenarios.

# crash_disk ext4|xfs|btrfs DIR: a file system of its own at DIR.
crash_disk() {
	local img size=48M
	img=$TRASH/ram/$(echo "${2#"$TRASH"/}" | tr / -).img
	[ "$1" = ext4 ] || size=300M
	mountpoint -q "$TRASH/ram" ||
		{ mkdir -p "$TRASH/ram" && mount -t tmpfs tmpfs "$TRASH/ram"; } ||
		return 1
	mkdir -p "$2" && rm -f "$img" && truncate -s "$size" "$img" &&
		"mkfs.$1" -q "$img" &&
		mount -o loop "$img" "$2" &&
		{ [ "$1" != ext4 ] || rmdir "$2/lost+found"; }
}

crash_config_() {
	export HXSNAP_CONFIG="$here/hxsnap.json"
	{
		printf '{"store": "%s", "environments": {"dev": {"sources": {' \
			"$STORE"
		printf '"events": {"kind": "directory", "path": "%s"}' "$events"
		[ "$scenario" = one ] ||
			printf ', "state": {"kind": "directory", "path": "%s"}' \
				"$state"
		echo '}}}}'
	} >"$HXSNAP_CONFIG"
}

# What the backup holds.
crash_fill_() {
	mkdir -p "$events/d/e" "$events/empty" && echo one >"$events/a" &&
		ln "$events/a" "$events/d/b" && ln -s a "$events/l" &&
		truncate -s 70K "$events/hole" && echo end >>"$events/hole" &&
		echo deep >"$events/d/e/f" && chmod 2750 "$events/d" || return 1
	case $scenario in
	one) return ;;
	file) sqlite3 "$state" 'create table t(a); insert into t values(1)' ;;
	*)
		mkdir -p "$state" && echo two >"$state/x" &&
			setfattr -n user.x -v 1 "$state/x"
		;;
	esac || return 1
	if [ "$scenario" = two ]; then
		sqlite3 "$state/m.db" 'create table t(a)'
	fi
}

# What became of it since.
crash_change_() {
	if [ "$scenario" = missing ]; then
		rm -r "$events" "$state"
		return
	fi
	rm -r "$events/l" "$events/empty" && echo changed >"$events/a" &&
		echo new >"$events/d/new" && echo more >>"$events/d/e/f" &&
		chmod 700 "$events/d" || return 1
	case $scenario in
	one) ;;
	file) sqlite3 "$state" 'insert into t values(2)' ;;
	*) echo y >"$state/y" && echo not two >"$state/x" ;;
	esac
}

# Copy what is at $1 to $2, replacing it; $1 may be missing.
crash_copy_() {
	if mountpoint -q "$2"; then
		find "$2" -mindepth 1 -delete && cp -a "$1/." "$2/"
	else
		rm -rf "${2:?}" && { [ ! -e "$1" ] || cp -a "$1" "$2"; }
	fi
}

# crash_targets TEMPLATE: make the targets what they are there.
crash_targets() {
	crash_copy_ "$1/events" "$events" && crash_copy_ "$1/state" "$state"
}

# crash_list: the canonical listing of all that a restore could touch.
crash_list() {
	local place
	for place in $places; do
		hxtree list --no-root "$place" || return 1
	done
}

# crash_list_stored_ DIR...: listings of these trees, as far as their copies in
# a store are like them: set-id bits are in the index alone, and a database is
# as SQLite copied it. One that is not there has none.
crash_list_stored_() {
	local dir
	for dir; do
		[ -d "$dir" ] || continue
		hxtree list --no-nlink "$dir" >.listed &&
			sed -E '/^m\.db /d; s/^([^ ]+ [a-z] )[0-7]/\10/' .listed ||
			return 1
	done
}

# crash_rollback_is DIR: snapshot DIR is of the live data as they were.
crash_rollback_is() {
	local state="$1/state"
	[ "$scenario" != file ] || state=/nowhere # just that database
	crash_list_stored_ "$1/events" "$state" >got || return 1
	if grep -q "^hxsnap: warning: 'state/x': .*the index has them" err; then
		sed 's/ user\.x=31 / - /' want-rollback | test_cmp - got
	else
		test_cmp want-rollback got
	fi
}

# Make the live data what a restore is to make of them, by other means.
crash_restore_() {
	if [ "$scenario" = paths ]; then
		touch -r "$events" times-events && touch -r "$state" times-state &&
			crash_copy_ new/events/d "$events/d" &&
			crash_copy_ new/state/x "$state/x" &&
			touch -r times-events "$events" &&
			touch -r times-state "$state"
	else
		crash_targets new
	fi
}

# A database comes back as SQLite copied it.
crash_take_stored_() {
	local db
	case $scenario in
	two) db=new/state/m.db ;;
	file) db=new/state ;;
	*) return 0 ;;
	esac
	touch -r "$db" times && touch -r "${db%/*}" times-dir &&
		cat "$STORE/backups/dev/$base/state/m.db" >"$db" &&
		touch -r times "$db" && touch -r times-dir "${db%/*}"
}

# crash_scenario NAME [FS]: make it in $here, a file system of that kind (ext4),
# and go there. $places are where its
# targets are; $what are the paths to restore, or nothing.
crash_scenario() {
	local fs="${2:-ext4}"
	scenario=$1
	here=$TRASH/$1-$fs
	STORE=$here/store
	places=$here/live
	events=$here/live/events
	state=$here/live/state
	what=''
	marks=''
	rollbacks=1 # how many a restore makes
	crash_disk "$fs" "$here" && mkdir "$places" && cd "$here" || return 1
	case $scenario in
	pair)
		places="$here/ext4 $here/xfs"
		events=$here/ext4/events
		state=$here/xfs/state
		crash_disk ext4 "$here/ext4" && crash_disk xfs "$here/xfs"
		;;
	mount) crash_disk "$fs" "$events" ;;
	file) state=$here/live/m.db ;;
	paths) what='events/d state/x' ;;
	missing) rollbacks=0 ;;
	esac || return 1
	crash_begin
}

# crash_needs NAME [FS]: its prerequisites.
crash_needs() {
	case $*,$1 in
	*xfs,* | *,pair) echo PTRACE,XFS ;;
	*btrfs,*) echo PTRACE,BTRFS ;;
	*) echo PTRACE ;;
	esac
}

# crash_begin: the rest of it, once $places, $events and $state are there.
crash_begin() {
	make_store && crash_config_ && crash_fill_ && mkdir old new &&
		base=$(hxsnap -q create dev) && hxsnap -q verify "dev/$base" &&
		cp -a "$events" new/events &&
		{ [ "$scenario" = one ] || cp -a "$state" new/state; } &&
		crash_take_stored_ || return 1
	mkdir "${events%/*}/beside" && crash_change_ &&
		cp -a "$STORE" old/store &&
		{ [ ! -e "$events" ] || cp -a "$events" old/events; } &&
		{ [ ! -e "$state" ] || cp -a "$state" old/state; } &&
		crash_list >want-old && crash_restore_ && crash_list >want-new &&
		test_must_fail cmp -s want-old want-new && crash_reset &&
		crash_list >got && test_cmp want-old got &&
		crash_list_stored_ "$events" "$state" >want-rollback
}

# crash_reset: everything is as before the restore, whatever one that failed
# has left.
crash_reset() {
	local place
	for place in $places; do
		rm -rf "$place"/.hxsnap-* || return 1
	done
	crash_targets old && rm -rf "$STORE" && cp -a old/store "$STORE"
}

# ---------------------------------------------------------------------------
# Runs.

# crash_hxsnap [NTHCALL-OPTION...] N ACTION COMMAND [ARGUMENT...]: run
# `hxsnap COMMAND` with ACTION at call N. $status is nthcall's; 'said' is what
# it failed with, without warnings.
crash_hxsnap() {
	local opts=''
	while [ "${1#-}" != "$1" ]; do
		case $1 in
		-l | -m) opts="$opts $1" && shift ;;
		*) opts="$opts $1 $2" && shift 2 ;;
		esac
	done
	n_=$1 action_=$2
	shift 2
	status=0
	# shellcheck disable=SC2086 # several words
	$crash_apart nthcall -f locks $opts "$n_" "$action_" \
		hxsnap "$@" >out 2>err || status=$?
	grep -v -e '^hxsnap: warning: ' -e '^nthcall: ' err >said || :
}

# crash_restore [NTHCALL-OPTION...] N ACTION
crash_restore() {
	set -- "$@" restore "dev/$base"
	# shellcheck disable=SC2086 # several paths
	crash_hxsnap "$@" $what
}

# ---------------------------------------------------------------------------
# What must hold.

# A listing without the time of the mount point.
crash_timeless_() {
	sed -E 's/^(events d ([^ ]+ ){3})[^ ]+/\1-/'
}

# crash_is [-l]: the targets are wholly old or wholly new; $now says which.
# With -l what is staged may lie beside them, or in a mount point.
crash_is() {
	crash_list >got || return 1
	if [ "${1:-}" = -l ]; then
		# what was displaced may be another name of what stays
		sed -i -E '/^([^ ]*\/)?\.hxsnap-/d
			s, 2 ([^ ]*/)?\.hxsnap-[^ ]+ , 1 - ,' got
	fi
	now=
	cmp -s want-old got && now=old
	cmp -s want-new got && now=new
	# No room for an attribute may mean that there never is any: it is told.
	if [ -z "$now" ] && [ -e err ] &&
		grep -q "^hxsnap: warning: .*'state/x'" err; then
		sed 's/ user\.x=31 / - /' want-new | cmp -s - got && now=new
	fi
	# The last thing that is tidied up in a mount point is its own time.
	if [ -z "$now" ] && [ "${1:-}" = -l ] &&
		grep -q "^hxsnap: warning: .*not all was tidied up" err; then
		crash_timeless_ <want-new >want-untidy &&
			crash_timeless_ <got | cmp -s - want-untidy && now=new
	fi
	if [ -z "$now" ]; then
		echo "neither old nor new:" && diff want-old got
		echo "(to new:)" && diff want-new got
		return 1
	fi
}

# What is in directory $1 of the store, if it is there.
crash_names_() {
	[ ! -d "$STORE/$1" ] || ls -A "$STORE/$1"
}

# crash_whole: recovered. Nothing is left of the restore but its outcome, the
# store is right, and the rollback point, if any, is what was there.
crash_whole() {
	crash_is || return 1
	crash_names_ .hxsnap/journal | grep -v '^\.tmp-' >left
	crash_names_ backups/dev | grep '^\.' >>left
	crash_names_ rollbacks/dev | grep '^\.' >>left
	crash_names_ rollbacks/dev | grep -v '^\.' >ids
	test_line_count 0 left && hxsnap -q verify --all || return 1
	made=$(wc -l <ids)
	if [ "$now" = new ] && [ "$made" -ne "$rollbacks" ] ||
		[ "$made" -gt "$rollbacks" ]; then
		echo "$now, and $made rollback points" && return 1
	fi
	if [ "$made" -eq 1 ]; then
		crash_rollback_is "$STORE/rollbacks/dev/$(cat ids)"
	fi
}

# crash_recover: recovered, and as it must be.
crash_recover() {
	hxsnap -q recover dev 2>recover-err || {
		echo "recover: $?" && cat recover-err
		return 1
	}
	crash_whole
}

# crash_failed: the restore ended by itself with $status and said so in err;
# what it said is what is there.
crash_failed() {
	case $status in
	0) # if something could not be tidied up, that is a warning
		crash_is -l && [ "$now" = new ] && return
		echo "success, and the targets are $now"
		return 1
		;;
	1 | 3 | 5 | 6) ;;
	*) return 1 ;;
	esac
	if ! grep -q "^hxsnap: .*'.*'" said; then
		echo "nothing is named" && return 1
	fi
	if grep -q '; nothing was changed$' said; then
		crash_is && [ "$now" = old ] && return
		echo "'nothing was changed', and the targets are $now"
		return 1
	elif grep -q "; and it could not be undone: .*'.*'" said; then
		now=old # or will be
	elif grep -q -e "; all of '.*' was exchanged, but perhaps not durably$" \
		-e "; 'dev/.*' was restored" -e "; 'dev' has 'dev/" said; then
		crash_is -l && [ "$now" = new ] && return
		echo "new, it said, and the targets are $now"
		return 1
	else
		echo "it does not say what was left as it was" && return 1
	fi
}

# crash_mark FUNCTION [-m]: what that runs, with nthcall's options, is to be
# swept. Note at which of its calls something is exchanged, published or
# journalled: no sample goes without those and the calls after them.
crash_mark() {
	local run="$1"
	shift
	[ -z "$crash_all$crash_few" ] || return 0
	crash_reset && "$run" "$@" -l 0 kill && [ "$status" -eq 0 ] || return 1
	marks=$(sed -nE "s/^nthcall: ([0-9]+): (rename.*|.*\/journal')\$/\1/p" err |
		awk '{ print; print $1 + 1 }' | sort -nu) && [ -n "$marks" ]
}

# crash_next STEP: the point after $n.
crash_next() {
	local mark next=$((n + $1 - (n - 1) % $1))
	for mark in $marks; do
		if [ "$mark" -gt "$n" ] && [ "$mark" -lt "$next" ]; then
			next=$mark
			break
		fi
	done
	n=$next
}

# crash_sweep WHAT STEP BODY: evaluate BODY for n = 1, 1 + STEP, ..., and at
# each of $marks, until it sets $status to 200, the call that never came; it
# must succeed each time. Counts in $points; at least 20 calls. All that fails
# is shown, within reason.
crash_sweep() {
	local bad=0
	n=1 points=0
	while :; do
		status=none
		eval "$3" || {
			bad=$((bad + 1))
			echo "$1: at $n, status $status:"
			cat out err
		}
		[ "$status" != 200 ] || break
		[ "$status" != none ] && [ "$bad" -lt 20 ] || return 1
		points=$((points + 1))
		crash_next "$2"
	done
	echo "$1: $points points of $n calls, $bad failed"
	[ "$bad" -eq 0 ] && [ "$n" -gt 20 ]
}
