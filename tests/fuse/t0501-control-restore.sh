#!/bin/sh
test_description='.control: restore and rollback from inside the mount'

. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/control.sh"

HUGE=20250101T000000Z

# refused ERRNO TEXT COMMAND...: the command fails with that errno's text,
# .control says which it was and why, and nothing live has changed.
refused() {
	local name="$1" text="$2"
	shift 2
	live >live.before && test_must_fail "$@" 2>err &&
		test_grep "$text" err && live >live.after &&
		test_cmp live.before live.after &&
		reply ".ok == false and .error == \"$name\" and
			.rollback_id == null and
			(.message | length > 10 and (contains(\"\n\") | not))"
}

# What is live, to the inode and the nanosecond, and the names beside it.
live() {
	ls -A live/* &&
		find live/*/* -printf "%p %i %m %U %G %s %T@ %C@ %l\n" | sort &&
		find live -type f -exec sha256sum {} + | sort &&
		find "$STORE" -path "*/rollbacks/*" -prune -printf "%p %i %T@\n"
}

# change: the live files, in every way
change() {
	echo changed >"$EVENTS/a" && rm -rf "$EVENTS/sub" && : >"$EVENTS/added" &&
		chmod 700 "$EVENTS" && rm -f "$STATE/link" && ln -s b "$STATE/link"
}

same() {
	test_same_tree want/events "$EVENTS" && test_same_tree want/state "$STATE"
}

test_expect_success 'a backup, and what it must bring back' '
	make_store && new_env && echo one >"$EVENTS/a" && mkdir "$EVENTS/sub" &&
	echo two >"$EVENTS/sub/b c" && ln "$EVENTS/a" "$EVENTS/twin" &&
	ln -s a "$STATE/link" && echo state >"$STATE/s" &&
	chmod 640 "$STATE/s" && touch -d "2020-01-02 03:04:05.678901234" \
		"$EVENTS/sub/b c" "$EVENTS/sub" && mkdir "$STATE/empty" &&
	cp -a live/dev want && ID=$(hxsnap create dev)
'

test_expect_success FUSE 'restore, from bash and dash, where one stands' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	for shell in bash dash; do
		change && $shell -c "cd mnt/dev/latest && echo restore >.control" &&
		same && reply ".ok and .command == \"restore\" and
			.reference == \"dev/$ID\" and .error == null and .files == 3" &&
		back=$(jq -r .rollback_id mnt/.control) &&
		[ -d "mnt/dev/.rollbacks/$back" ] &&
		[ "$(readlink mnt/dev/.rollbacks/latest)" = "$back" ] &&
		ls mnt/dev/.rollbacks >got && test_grep "^$back$" got &&
		[ "$(cat "mnt/dev/.rollbacks/$back/events/a")" = changed ] ||
		return 1
	done
'

test_expect_success FUSE 'rollback, and the rollback of that' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	change && cp -a live/dev changed && say restore mnt/dev/.control && same &&
	say "rollback dev" && test_same_tree changed/events "$EVENTS" &&
	reply ".command == \"rollback\" and
		(.reference | startswith(\"dev/.rollbacks/\"))" &&
	(cd mnt/dev/$ID && echo rollback >.control) && same &&
	back=$(ls "$STORE/rollbacks/dev" | tail -n 2 | head -n 1) &&
	(cd mnt/dev/.rollbacks/$back && echo restore >.control) &&
	say "restore dev/.rollbacks/latest" &&
	hxsnap verify dev >/dev/null && say "restore dev/$ID" && same
'

test_expect_success FUSE 'single files and directories' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	change && say "restore dev/latest events/a" &&
	[ "$(cat "$EVENTS/a")" = one ] && test_path_is_file "$EVENTS/added" &&
	test_path_is_missing "$EVENTS/sub" &&
	(cd mnt/dev/latest && echo "restore \"events/sub/b c\"" >.control) &&
	cmp "want/events/sub/b c" "$EVENTS/sub/b c" && echo x >"$EVENTS/sub/x" &&
	(cd mnt/dev/latest && echo "restore events/sub state" >.control) &&
	test_same_tree want/state "$STATE" &&
	test_same_tree want/events/sub "$EVENTS/sub" &&
	test_path_is_file "$EVENTS/added" &&
	refused ENOENT "No such file" say "restore dev/latest events/none" &&
	reply ".message | contains(\"events/none\")" &&
	refused ENOENT "No such file" say "restore dev/latest none" &&
	test_must_fail say "restore dev/latest ../events" &&
	test_must_fail say "restore dev/latest /etc/passwd" &&
	test_must_fail say "restore dev/latest events/../state" &&
	say "restore dev/$ID" && same
'

test_expect_success FUSE 'what there is not, or not here' '
	mount_store mnt && test_when_finished "umount_store mnt" && change &&
	refused ENOENT "No such file" say "restore dev/20240101T000000Z" &&
	refused ENOENT "No such file" say "restore live/latest" &&
	refused EINVAL "Invalid argument" say "restore dev" &&
	refused EINVAL "Invalid argument" say "restore dev/*" &&
	refused EINVAL "Invalid argument" say "restore other/latest" mnt/dev/.control &&
	refused EINVAL "Invalid argument" say "restore --force dev/latest" &&
	refused EINVAL "Invalid argument" say "restore dev/latest --to /tmp/x" &&
	mkdir -p "$STORE/backups/other" &&
	cp -a "$STORE/backups/dev/$ID" "$STORE/backups/other/" &&
	test_when_finished "rm -r \"$STORE/backups/other\"" &&
	refused ENOENT "No such file" say "restore other/$ID" &&
	jq ".environments.other = .environments.dev |
		.environments.other.sources |= map_values(.path += \".other\")" \
		"$HXSNAP_CONFIG" >other.json && umount_store mnt &&
	mount_store mnt config=other.json &&
	{ refused EACCES "Permission denied" say "restore other/$ID" ||
		refused EIO "Input/output error" say "restore other/$ID"; }
'

for how in flip missing longer extra manifest index other foreign; do

test_expect_success FUSE "a damaged backup: EIO, and nothing has changed ($how)" '
	dir=$STORE/backups/dev/$ID && cp -a "$dir" saved &&
	test_when_finished "rm -r $dir && mv saved $dir" &&
	case $how in
	flip) flip_byte "$dir/events/a" 1 ;;
	missing) rm "$dir/state/s" ;;
	longer) echo more >>"$dir/state/s" ;;
	extra) echo more >"$dir/state/more" ;;
	manifest) flip_byte "$dir/manifest.sha256" 5 ;;
	index) flip_byte "$dir/index.hxi" 200 ;;
	other) cp "$STORE/rollbacks/dev/$(ls "$STORE/rollbacks/dev" | head -n 1)"/[im]* \
		"$dir/" ;;
	foreign) rm "$dir/index.hxi" "$dir/meta.json" &&
		(cd "$dir" && find . -type f ! -name manifest.sha256 -print0 |
			sort -z | xargs -0 sha256sum >manifest.sha256) &&
		flip_byte "$dir/state/s" 1 ;;
	esac &&
	mount_store mnt && test_when_finished "umount_store mnt" && change &&
	refused EIO "Input/output error" say "restore dev/$ID" &&
	refused EIO "Input/output error" say restore mnt/dev/$ID/.control &&
	reply ".message | contains(\"$ID\")"
'

done

test_expect_success FUSE 'live wants CONFIRM_LIVE=YES as a word of the command' '
	mkdir -p live/live/e && echo 1 >live/live/e/x &&
	jq ".environments.live = {confirm: true, sources: {
		e: {kind: \"directory\", path: \"$TRASH/live/live/e\"}}}" \
		"$HXSNAP_CONFIG" >live.json &&
	(export HXSNAP_CONFIG="$TRASH/live.json" && hxsnap create live) &&
	(export CONFIRM_LIVE=YES && mount_store mnt config=live.json) &&
	test_when_finished "umount_store mnt" && echo 2 >live/live/e/x &&
	refused EPERM "not permitted" say "restore live/latest" &&
	reply "(.message | contains(\"confirm\")) and
		(.hint | contains(\"CONFIRM_LIVE=YES\"))" &&
	(export CONFIRM_LIVE=YES &&
		refused EPERM "not permitted" say "restore live/latest") &&
	refused EPERM "not permitted" say restore mnt/live/latest/.control &&
	refused EPERM "not permitted" say "restore live/latest e/x" &&
	refused EINVAL "Invalid argument" say "restore live/latest CONFIRM_LIVE=yes" &&
	refused EPERM "not permitted" say "restore live/latest CONFIRM_LIVE" &&
	say "restore live/latest CONFIRM_LIVE=YES" && [ "$(cat live/live/e/x)" = 1 ] &&
	refused EPERM "not permitted" say "rollback live" &&
	(cd mnt/live/latest && echo "rollback CONFIRM_LIVE=YES" >.control) &&
	[ "$(cat live/live/e/x)" = 2 ] &&
	(cd mnt/live/latest && echo "restore CONFIRM_LIVE=YES e/x" >.control) &&
	[ "$(cat live/live/e/x)" = 1 ] && rm -r live/live
'

test_expect_success FUSE,SETPRIV 'as an ordinary user who may' '
	mount_store mnt allow_other,control_gid=4321 &&
	test_when_finished "umount_store mnt" && change &&
	for shell in bash dash; do
		setpriv --reuid 2000 --regid 2000 --groups 4321 $shell -c "
			cd mnt/dev/latest && echo restore >.control &&
			jq -e .ok .control" && same && change || return 1
	done &&
	test_must_fail setpriv --reuid 2000 --regid 2000 --clear-groups sh -c "
		cd mnt/dev/latest && echo restore >.control" &&
	[ "$(cat "$EVENTS/a")" = changed ] &&
	setpriv --reuid 2000 --regid 4321 --clear-groups \
		/bin/echo restore >mnt/dev/latest/.control && same &&
	tail -n 1 "$STORE/.hxsnap/audit.log" >got &&
	jq -e ".act == \"restore\" and .uid == 2000 and .from == \"control\" and
		.ok and .reference == \"dev/$ID\" and
		(.rollback_id | test(\"^20\"))" got
'

cat >errnos <<\END
EINVAL dev/latest restore --force
EINVAL . frobnicate
ENOENT dev/latest restore events/none
ENOENT . rollback nowhere
EPERM live/latest restore
EPERM live rollback
EACCES open/latest restore
EIO dev/20260101T000000Z restore
EIO dev/20260101T000000Z verify
EBUSY dev/latest restore
EBUSY dev create
ENOSPC small/latest restore
END

# told ERRNO TEXT USER DIR LINE: USER writes LINE to .control in DIR, from bash,
# dash and Python; each sees the error as well as it can, and what .control
# says of it to that user is one sentence. Nothing live has changed.
told() {
	local name="$1" text="$2" user="$3" dir="$4" line="$5" with
	live >live.before || return 1
	for with in bash dash python3; do
		# shellcheck disable=SC2086 # several words
		case $with in
		python3) test_must_fail $user sh -c "cd \"\$1\" &&
			exec python3 -c \"$write\" \"\$2\"" sh "$dir" "$line" ;;
		*) test_must_fail $user $with -c "cd \"\$1\" &&
			echo \"\$2\" >.control" $with "$dir" "$line" ;;
		esac 2>err || return 1
		case $with in
		dash) test_grep "I/O error" err ;;
		bash) test_grep "write error: $text" err ;;
		python3) test_grep "^$name$" err ;;
		esac && $user cat "$dir/.control" >got &&
			jq -e ".ok == false and .error == \"$name\" and (
				.command == \"${line%% *}\" or .error == \"EINVAL\") and
				(.message | length > 10 and (contains(\"\n\") |
				not) and (endswith(\".\") | not))" got >/dev/null || {
			echo "$with: $line:" && cat got && return 1
		}
	done
	live >live.after && test_cmp live.before live.after
}
write="
import errno, os, sys
fd = os.open('.control', os.O_WRONLY | os.O_TRUNC)
try:
    os.write(fd, sys.argv[1].encode() + b'\\\\n')
except OSError as e:
    sys.exit(errno.errorcode[e.errno])"

test_expect_success FUSE,SETPRIV,TMPFS 'each errno, to root and who may, from bash, dash and Python' '
	bad=20260101T000000Z && mkdir -p live/live/e live/open/e live/small/e &&
	head -c 3000000 /dev/urandom >live/small/e/x && echo 1 >live/live/e/x &&
	echo 1 >live/open/e/x &&
	jq ".environments.live = {confirm: true, sources: {
		e: {kind: \"directory\", path: \"$TRASH/live/live/e\"}}} |
		.environments.open = {sources: {
		e: {kind: \"directory\", path: \"$TRASH/live/open/e\"}}} |
		.environments.small = {sources: {
		e: {kind: \"directory\", path: \"$TRASH/live/small/e\"}}}" \
		"$HXSNAP_CONFIG" >many.json &&
	for env in live open small; do
		HXSNAP_CONFIG=$TRASH/many.json hxsnap -q create $env || return 1
	done && chmod 777 live/open && rm -r live/small/e &&
	mount -t tmpfs -o size=1m,mode=755 tmpfs live/small &&
	test_when_finished "umount live/small; rm -r live/small live/open" &&
	mkdir live/small/e && echo kept >live/small/e/x &&
	foreign_snapshot dev $bad want/events want/state &&
	test_when_finished "rm -r \"$STORE/backups/dev/$bad\"" &&
	flip_byte "$STORE/backups/dev/$bad/events/a" 1 &&
	mount_store mnt allow_other,control_gid=4321,config=many.json &&
	test_when_finished "umount_store mnt" &&
	for user in "" "setpriv --reuid 2000 --regid 2000 --groups 4321"; do
		while read -r name dir line <&8; do
			case $name in
			EINVAL) text="Invalid argument" ;;
			ENOENT) text="No such file or directory" ;;
			EPERM) text="Operation not permitted" ;;
			EACCES) text="Permission denied" ;;
			EIO) text="Input/output error" ;;
			EBUSY) text="Device or resource busy" ;;
			ENOSPC) text="No space left on device" ;;
			esac &&
			{ [ $name != EBUSY ] || flock 9; } &&
			told $name "$text" "$user" mnt/$dir "$line" &&
			flock -u 9 || return 1
		done 8<errnos 9>>"$STORE/.hxsnap/locks/dev" || return 1
	done && [ "$(cat live/small/e/x)" = kept ] &&
	ls -A live/small >got && test_line_count 1 got
'

test_expect_success FUSE 'who uses a target is named, and it stays' '
	mount_store mnt && test_when_finished "umount_store mnt" && change &&
	{ sleep 600 <"$EVENTS/a" & } && user=$! &&
	test_when_finished "kill $user; wait $user || :" &&
	test_poll 10 "[ \"\$(readlink /proc/$user/exe)\" != \"\$(readlink /proc/$$/exe)\" ]" &&
	refused EBUSY "resource busy" say "restore dev/latest" &&
	reply ".message | contains(\"$user\")"
'

test_expect_success FUSE 'targets in a mount of backups, in the store: refused, no deadlock' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	jq ".environments.dev.sources.events.path = \"$TRASH/mnt/dev/$ID/events\"" \
		"$HXSNAP_CONFIG" >inside.json && umount_store mnt &&
	mount_store mnt config=inside.json &&
	test_must_fail timeout 60 /bin/echo "restore dev/$ID" 2>err >mnt/.control &&
	test_grep "Permission denied" err &&
	test_must_fail timeout 60 /bin/echo "create dev" 2>err >mnt/.control &&
	test_grep "Permission denied" err &&
	jq ".environments.dev.sources.events.path = \"$STORE/backups\"" \
		"$HXSNAP_CONFIG" >inside.json &&
	refused EINVAL "Invalid argument" say "restore dev/$ID" &&
	cp "$HXSNAP_CONFIG" inside.json && say "restore dev/$ID" && same
'

test_expect_success FUSE 'cancelled: all is as it was, and nothing is left beside it' '
	dir=$STORE/backups/dev/$HUGE && mkdir -p "$dir/events" "$dir/state" &&
	test_when_finished "rm -r $dir" && truncate -s 4T "$dir/events/huge" &&
	echo small >"$dir/events/small" &&
	(cd "$dir" && printf "%064d  events/huge\n" 0 >manifest.sha256 &&
		sha256sum events/small >>manifest.sha256) &&
	mount_store mnt && test_when_finished "umount_store mnt" && change &&
	for how in cancel kill; do
		live >live.before &&
		{ /bin/echo "restore dev/$HUGE" 2>said >mnt/.control & } &&
		writer=$! &&
		test_poll 20 "jq -e \".operation.command == \\\"restore\\\" and
			.operation.reference == \\\"dev/$HUGE\\\" and
			.operation.phase != null\" mnt/.status >/dev/null" &&
		diff -r want/events mnt/dev/$ID/events &&
		if [ $how = cancel ]; then
			say cancel
		else
			kill -KILL $writer
		fi &&
		! wait $writer &&
		test_poll 20 "jq -e \".operation == null\" mnt/.status >/dev/null" &&
		if [ $how = cancel ]; then
			test_grep "Operation canceled" said && reply .cancelled
		else
			reply ".error == \"ECANCELED\" and
				.command == \"restore\" and (.message | length > 10)"
		fi &&
		live >live.after && test_cmp live.before live.after &&
		ls -A live/dev >got && printf "events\nstate\n" >expect &&
		test_cmp expect got || return 1
	done &&
	tail -n 1 "$STORE/.hxsnap/audit.log" >got &&
	jq -e ".act == \"restore\" and (.ok | not)" got && say "restore dev/$ID" &&
	same
'

test_expect_success FUSE 'who reads the mount never waits, and sees no error' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	cat >reader.sh <<-\END &&
	while ! [ -e stop ]; do
		diff -r want/events "mnt/dev/$1/events" &&
		diff -r --no-dereference want/state "mnt/dev/$1/state" &&
		ls -lR mnt >/dev/null && cat mnt/.status >/dev/null || exit 1
	done
	END
	rm -f stop && { sh reader.sh $ID >reader.log 2>&1 & } && reader=$! &&
	for i in 1 2 3 4 5; do
		change && say "restore dev/$ID" && same && say "rollback dev" ||
		return 1
	done &&
	: >stop && wait $reader && test_line_count 0 reader.log
'

test_expect_success FUSE,PTRACE 'a killed restore is put right before the mount is there' '
	put_right=0 && n=5 && status=137 &&
	while [ $status -eq 137 ]; do
		change && rm -rf was && cp -a live/dev was &&
		{ nthcall -f locks -m $n kill hxsnap -q restore dev/$ID >out 2>&1
			status=$?; } &&
		mount_store mnt && jq -e ".recovery.error == null and
			.recovery.busy == 0" mnt/.status &&
		right=$(jq "[.recovery | .finished, .undone] | add" mnt/.status) &&
		put_right=$((put_right + right)) && umount_store mnt &&
		{ same || { test_same_tree was/events "$EVENTS" &&
			test_same_tree was/state "$STATE"; }; } &&
		ls -A live/dev >got && printf "events\nstate\n" >expect &&
		test_cmp expect got && n=$((n + 11)) || return 1
	done &&
	[ $status -eq 200 ] && [ $put_right -ge 2 ] &&
	jq -e -s "map(select(.act == \"recover\" and .from == \"mount\")) |
		length >= 2 and all(.ok)" "$STORE/.hxsnap/audit.log"
'

test_done
