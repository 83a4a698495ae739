# shellcheck shell=sh
# shellcheck disable=SC3043 # 'local' is known to every sh we run on
#
# What tests of restore share. To be read after lib.sh.

# sources NAME=PATH...: write hxsnap.json for the environment dev with these
# sources; $SOURCE_MORE is put into each ("exclude": [...]).
sources() {
	local one list='' more="${SOURCE_MORE:+, $SOURCE_MORE}"
	HXSNAP_CONFIG=$TRASH/hxsnap.json
	export HXSNAP_CONFIG
	for one; do
		list="$list${list:+, }\"${one%%=*}\": {\"kind\":
			\"directory\", \"path\": \"${one#*=}\"$more}"
	done
	cat >"$HXSNAP_CONFIG" <<-END
	{"store": "$STORE", "environments": {"dev": {"sources": {$list}}}}
	END
}

# look [-c] PATH...: all there is, to the inode and the nanosecond; with -c
# also when each was changed in any way, but for directories: staging beside a
# target makes a name that goes again. How large a directory is, is for the
# file system to say.
look() {
	local dir='%p %y %i %n %m %U %G - %T@ %l' more=''
	local form='%p %y %i %n %m %U %G %s %T@ %l'
	if [ "$1" = -c ]; then
		shift
		more=' %C@'
	fi
	find "$@" \( -type d -printf "$dir\n" -o \
		-printf "$form$more\n" \) | sort
}

# What a store holds, but for the log of what was tried, locks, and what is
# known of snapshots already there.
look_at_store() {
	find "$STORE" \( -path "$STORE/.hxsnap/audit*" -o \
		-path "$STORE/.hxsnap/lock*" -o \
		-path "$STORE/.hxsnap/verify*" \) -prune -o \
		-type f -printf '%p %i %s %T@\n' | sort
	find "$STORE/backups" "$STORE/rollbacks" -mindepth 2 -maxdepth 2 \
		2>/dev/null | sort
}

# Nothing half done is left: beside targets, in the store, as a journal.
no_remains() {
	find "$TRASH" -name '.hxsnap-*' >"$TRASH/.remains"
	find "$STORE/backups" "$STORE/rollbacks" -mindepth 2 -maxdepth 2 \
		-name '.*' >>"$TRASH/.remains" 2>/dev/null
	[ ! -d "$STORE/.hxsnap/journal" ] ||
		find "$STORE/.hxsnap/journal" -type f >>"$TRASH/.remains"
	test_line_count 0 "$TRASH/.remains"
}

# restore REF [PATH...]: the rollback point's id in $rollback; it is whole.
restore() {
	rollback=$(hxsnap -q restore "$@") && no_remains && {
		[ -z "$rollback" ] ||
			hxsnap -q verify "dev/.rollbacks/$rollback"
	}
}

# settled: wait until what was made so far is not of the clock's last tick.
settled() {
	local stamp
	stamp=$(date +%s%N) &&
		test_poll 5 "[ \$((\$(date +%s%N) - $stamp)) -gt 100000000 ]"
}

# refused STATUS PATTERN LIVE COMMAND...: it ends with this status and says
# why, and what is at LIVE, and the store, is as it was, which it says, too
# (unless $unsaid is set). What it said is in err.
refused() {
	local want="$1" pattern="$2" live="$3"
	shift 3
	look -c "$live" >"$TRASH/.live-before" &&
		look_at_store >"$TRASH/.store-before" &&
		{ test_exit "$want" "$@" >"$TRASH/out" 2>"$TRASH/err" || {
			cat "$TRASH/err" >&2
			false
		}; } && test_line_count 0 "$TRASH/out" &&
		test_grep "$pattern" "$TRASH/err" &&
		{ [ -n "${unsaid:-}" ] ||
			test_grep "nothing was [ct][a-z]*ed" "$TRASH/err"; } &&
		look -c "$live" >"$TRASH/.live-after" &&
		test_cmp "$TRASH/.live-before" "$TRASH/.live-after" &&
		look_at_store >"$TRASH/.store-after" &&
		test_cmp "$TRASH/.store-before" "$TRASH/.store-after" &&
		no_remains
}

# same_by_rsync A B: rsync, told to compare everything, would do nothing.
same_by_rsync() {
	rsync -aHAXn --checksum --delete --itemize-changes "$1/" "$2/" \
		>"$TRASH/.rsync" && test_line_count 0 "$TRASH/.rsync"
}

# inode PATH
inode() {
	stat -c %i "$1"
}

# hooks JSON: the hooks of dev.
hooks() {
	jq --argjson hooks "$1" '.environments.dev.hooks = $hooks' \
		"$HXSNAP_CONFIG" >hooks.new && mv hooks.new "$HXSNAP_CONFIG"
}

# crashed_wal DB: a writer that died with changes in the -wal.
crashed_wal() {
	python3 - "$1" <<-\END
	import os, sqlite3, sys
	db = sqlite3.connect(sys.argv[1], isolation_level=None)
	db.execute("PRAGMA journal_mode=wal")
	db.execute("PRAGMA wal_autocheckpoint=0")
	db.execute("CREATE TABLE IF NOT EXISTS t(x)")
	db.execute("INSERT INTO t VALUES(1000)")
	os._exit(0)
	END
}
