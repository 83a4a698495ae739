#!/bin/sh
test_description='a mount follows the store'

. "$(dirname "$0")/../lib/lib.sh"

A=20260101T000000Z
B=20260102T000000Z
C=20260103T000000Z
D=20260104T000000Z

# publish ID WORD: a snapshot that appears by one rename
publish() {
	mkdir -p work/src && echo "$2" >work/src/word &&
		mkdir "$STORE/backups/dev/.tmp-$1" &&
		cp -a work/src "$STORE/backups/dev/.tmp-$1/" &&
		(cd "$STORE/backups/dev/.tmp-$1" &&
			sha256sum src/word >manifest.sha256) &&
		mv "$STORE/backups/dev/.tmp-$1" "$STORE/backups/dev/$1"
}

# verified ENV ID: what verify leaves behind when all was right
verified() {
	dir=$STORE/.hxsnap/verify/backups/$1
	hxsnap --store "$STORE" verify "$1/$2" && [ -d "$dir" ]
}

# a process with its working directory on the mount, told what to do
start_inside() {
	mkfifo in out || return 1
	(cd "$1" && while read -r line; do
		eval "$line"
		echo "done $?"
	done) <in >out 2>&1 &
	inside_pid=$!
	exec 8>in 9<out
}
inside() {
	echo "$*" >&8
	answer=''
	while read -r line <&9; do
		case $line in
		'done '*) return "${line#done }" ;;
		*) answer=$answer$line ;;
		esac
	done
	return 1
}
stop_inside() {
	exec 8>&- 9<&-
	wait $inside_pid
	rm -f in out
}

test_expect_success 'a store with one environment' '
	make_store && mkdir "$STORE/backups/dev" && publish $A one
'

test_expect_success FUSE 'new ones appear, latest moves, old ones vanish' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	ls -l mnt/dev mnt/dev/latest/src && cat mnt/dev/latest/src/word &&
	test_path_is_missing mnt/dev/$B &&
	publish $B two &&
	test_path_is_dir mnt/dev/$B &&
	test_poll 2 "[ \"\$(cat mnt/dev/latest/src/word)\" = two ]" &&
	test_poll 2 "ls mnt/dev | grep -q $B" &&
	publish $C three &&
	test_poll 2 "ls -l mnt/dev | grep -q $C" &&
	test_poll 2 "[ \"\$(readlink mnt/dev/latest)\" = $C ]" &&
	rm -r "$STORE/backups/dev/$C" &&
	test_poll 2 "[ \"\$(readlink mnt/dev/latest)\" = $B ]" &&
	test_poll 2 "! ls mnt/dev | grep -q $C" &&
	test_poll 2 "[ ! -e mnt/dev/$C ]" &&
	rm -r "$STORE/backups/dev/$A" &&
	test_poll 2 "! ls mnt/dev | grep -q $A" &&
	cat mnt/dev/$B/src/word && publish $A one
'

test_expect_success FUSE 'a staging directory never shows' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	mkdir "$STORE/backups/dev/.tmp-x" &&
	test_when_finished "rmdir \"$STORE/backups/dev/.tmp-x\"" &&
	publish $C three && test_poll 2 "[ -d mnt/dev/$C ]" &&
	ls -A mnt/dev >got && test_grep ! tmp got &&
	rm -r "$STORE/backups/dev/$C"
'

test_expect_success FUSE 'environments come and go' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	ls mnt && test_path_is_missing mnt/live &&
	mkdir "$STORE/backups/live" &&
	test_poll 2 "ls mnt | grep -q live" && test_path_is_dir mnt/live &&
	cp -a "$STORE/backups/dev/$A" "$STORE/backups/live/" &&
	test_poll 2 "[ \"\$(cat mnt/live/latest/src/word)\" = one ]" &&
	mkdir -p "$STORE/rollbacks/live" &&
	cp -a "$STORE/backups/dev/$A" "$STORE/rollbacks/live/$D" &&
	test_poll 2 "[ \"\$(cat mnt/live/.rollbacks/latest/src/word)\" = one ]" &&
	test_poll 2 "ls -A mnt/live | grep -q rollbacks" &&
	rm -r "$STORE/rollbacks" "$STORE/backups/live" &&
	test_poll 2 "! ls mnt | grep -q live" &&
	test_poll 2 "[ ! -e mnt/live ]" &&
	mkdir "$STORE/backups/live" &&
	cp -a "$STORE/backups/dev/$B" "$STORE/backups/live/" &&
	test_poll 2 "[ \"\$(cat mnt/live/latest/src/word)\" = two ]" &&
	rm -r "$STORE/backups/live"
'

test_expect_success FUSE 'a process that stands in an environment sees it too' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	start_inside mnt/dev &&
	test_when_finished "stop_inside" &&
	inside ls && inside cat latest/src/word && [ "$answer" = two ] &&
	! inside cat $C/src/word 2>/dev/null &&
	publish $C three &&
	test_poll 2 "inside cat latest/src/word && [ \"\$answer\" = three ]" &&
	test_poll 2 "inside readlink latest && [ \"\$answer\" = $C ]" &&
	inside cat $C/src/word && [ "$answer" = three ] &&
	test_poll 2 "inside ls && case \$answer in *$C*) ;; *) false ;; esac" &&
	rm -r "$STORE/backups/dev/$C" &&
	test_poll 2 "inside cat latest/src/word && [ \"\$answer\" = two ]" &&
	test_poll 2 "! inside cat $C/src/word"
'

test_expect_success FUSE 'latest-verified follows verify' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	test_path_is_missing mnt/dev/latest-verified &&
	verified dev $A &&
	test_poll 2 "[ \"\$(readlink mnt/dev/latest-verified)\" = $A ]" &&
	test_poll 2 "ls mnt/dev | grep -q latest-verified" &&
	jq -e ".environments[0].latest_verified == \"$A\"" mnt/.status &&
	verified dev $B &&
	test_poll 2 "[ \"\$(readlink mnt/dev/latest-verified)\" = $B ]" &&
	publish $C three &&
	test_poll 2 "[ \"\$(readlink mnt/dev/latest)\" = $C ]" &&
	[ "$(readlink mnt/dev/latest-verified)" = $B ] &&
	rm -r "$STORE/backups/dev/$B" &&
	test_poll 2 "[ \"\$(readlink mnt/dev/latest-verified)\" = $A ]" &&
	rm -r "$STORE/.hxsnap/verify" &&
	test_poll 2 "[ ! -e mnt/dev/latest-verified ]" &&
	rm -r "$STORE/backups/dev/$C" && publish $B two
'

test_expect_success FUSE 'a file that is open stays readable when its snapshot goes' '
	head -c 600000 /dev/urandom >big &&
	publish $C three && cp big "$STORE/backups/dev/$C/src/big" &&
	(cd "$STORE/backups/dev/$C" && sha256sum src/* >manifest.sha256) &&
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	exec 6<mnt/dev/$C/src/big &&
	test_when_finished "exec 6<&-" &&
	head -c 10 <&6 >got &&
	rm -r "$STORE/backups/dev/$C" &&
	test_poll 2 "[ ! -e mnt/dev/$C ]" &&
	tail -c +1 <&6 >>got && test_cmp big got &&
	publish $C other &&
	test_poll 2 "[ \"\$(cat mnt/dev/$C/src/word)\" = other ]" &&
	test_path_is_missing mnt/dev/$C/src/big
'

test_expect_success FUSE 'another directory of the same name is another snapshot' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	[ "$(cat mnt/dev/$C/src/word)" = other ] &&
	before=$(stat -c %i mnt/dev/$C) &&
	mv "$STORE/backups/dev/$C" "$STORE/backups/dev/.old" &&
	publish $C again &&
	test_poll 2 "[ \"\$(cat mnt/dev/$C/src/word)\" = again ]" &&
	[ "$(stat -c %i mnt/dev/$C)" != "$before" ] &&
	rm -r "$STORE/backups/dev/.old" "$STORE/backups/dev/$C"
'

test_expect_success FUSE 'a working directory in a snapshot that went is stale, no more' '
	publish $C three &&
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	start_inside mnt/dev/$C/src &&
	test_when_finished "stop_inside" &&
	inside cat word && rm -r "$STORE/backups/dev/$C" &&
	test_poll 2 "[ ! -e mnt/dev/$C ]" &&
	! inside cat ../src/nothing &&
	[ "$(cat mnt/dev/latest/src/word)" = two ]
'

test_expect_success FUSE 'SIGHUP looks at everything anew' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	kill -HUP "$(store_pid mnt)" && publish $C three &&
	kill -HUP "$(store_pid mnt)" &&
	test_poll 2 "ls mnt/dev | grep -q $C" &&
	rm -r "$STORE/backups/dev/$C"
'

test_expect_success FUSE,USERNS 'without inotify the store is polled' '
	cat >poll.sh <<-\END &&
	echo 0 >/proc/sys/user/max_inotify_instances &&
	mkdir -p mnt && hxsnapfs "$STORE" mnt 2>poll.log &&
	ls mnt/dev && cp -a "$STORE/backups/dev/$A" "$STORE/backups/dev/$D" &&
	i=0 && until ls mnt/dev | grep -q $D; do
		i=$((i + 1)) && [ $i -lt 200 ] && sleep 0.02 || exit 1
	done &&
	[ "$(readlink mnt/dev/latest)" = $D ] &&
	rm -r "$STORE/backups/dev/$D" &&
	i=0 && while ls mnt/dev | grep -q $D; do
		i=$((i + 1)) && [ $i -lt 200 ] && sleep 0.02 || exit 1
	done
	r=$?
	umount mnt || r=1
	exit $r
	END
	A=$A D=$D unshare -Urm sh poll.sh
'

test_expect_success FUSE 'a script writes its backup anew where it lies' '
	mkdir -p anew && echo first >anew/word && foreign_snapshot dev $D anew &&
	test_when_finished "rm -r \"$STORE/backups/dev/$D\"" &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	cat mnt/dev/$D/anew/word >got && test_cmp anew/word got &&
	for text in second third "and more"; do
		echo "$text" >anew/word && echo "$text" >"anew/$text" &&
		rm "$STORE/backups/dev/$D/manifest.sha256" &&
		foreign_snapshot dev $D anew &&
		test_poll 5 "cmp -s anew/word mnt/dev/$D/anew/word" &&
		ls anew >want && ls mnt/dev/$D/anew >got && test_cmp want got ||
			return 1
	done &&
	jq -e ".damage.snapshots == 0" mnt/.status
'

test_expect_success FUSE 'a storm of changes ends in the right listing' '
	mount_store mnt &&
	test_when_finished "umount_store mnt" &&
	{ (for i in $(seq 300); do
		ls mnt/dev >/dev/null
		cat mnt/dev/latest/src/word >/dev/null 2>&1
	done) & } && reader=$! &&
	for i in $(seq 10 59); do
		publish 20260301T0000${i}Z "$i" || return 1
	done &&
	for i in $(seq 11 2 59); do
		rm -r "$STORE/backups/dev/20260301T0000${i}Z" || return 1
	done &&
	wait $reader &&
	ls "$STORE/backups/dev" >want && echo latest >>want &&
	test_poll 2 "ls mnt/dev >got && cmp -s want got" &&
	test_poll 2 "[ \"\$(cat mnt/dev/latest/src/word)\" = 58 ]" &&
	rm -r "$STORE"/backups/dev/20260301*
'

test_done
