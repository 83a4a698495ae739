#!/bin/sh
# shellcheck disable=SC2016,SC2154 # evaluated later; set by crash.sh
test_description='create: killed and failing at every call, and then recover'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/crash/crash.sh"

# The live data are as ever, and $new is the new backup, or empty.
kept() {
	crash_list >got && test_cmp want-old got &&
		crash_names_ backups/dev | grep -v -e '^\.' -e "^$base\$" >ids
	new=$(cat ids)
}

# The new backup, if there is one, is what is live.
right() {
	kept && crash_names_ backups/dev | grep '^\.' >left
	test_line_count 0 left && hxsnap -q verify --all || return 1
	[ -z "$new" ] || crash_rollback_is "$STORE/backups/dev/$new"
}

# Recovery, killed over and over until it gets through.
recovers() {
	local m=1
	while crash_hxsnap -m $m kill recover dev && [ "$status" -eq 137 ]; do
		m=$((m + 1))
	done
	[ "$status" -eq 200 ] && right
}

create() { # [NTHCALL-OPTION...] N ACTION
	crash_hxsnap "$@" create dev
}

killed() {
	crash_reset && create -m "$n" kill || return 1
	case $status in
	137) recovers && status=137 ;;
	200) right && [ -n "$new" ] && [ "$(cat out)" = "$new" ] ;;
	*) return 1 ;;
	esac
}

fails() {
	crash_reset && create "$n" "$error" && kept || return 1
	case $status in
	0 | 200) [ -n "$new" ] && [ "$(cat out)" = "$new" ] && right ;;
	1 | 3 | 5 | 6)
		if grep -q "; no snapshot was made$" said; then
			[ -z "$new" ]
		else
			grep -q "; snapshot .dev/$new. was made$" said
		fi && grep -q "^hxsnap: .*'.*'" said && before=$new &&
			hxsnap -q recover dev && right && [ "$new" = "$before" ]
		;;
	*) return 1 ;;
	esac
}

test_expect_success PTRACE 'killed: whole or absent' '
	crash_scenario two &&
	crash_sweep "create, killed" "$(crash_step 1)" killed
'

# try ERROR STEP
try() {
	error=$1
	test_expect_success PTRACE "$1 from every call" '
		cd "$here" && crash_mark create &&
		crash_sweep "create, '"$1"'" "$(crash_step '"$2"')" fails
	'
}

for error in ENOMEM EINTR EIO ENOSPC; do
	try $error 29
done

test_done
