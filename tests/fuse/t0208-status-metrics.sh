#!/bin/sh
test_description='.status and .metrics say what is'

. "$(dirname "$0")/../lib/lib.sh"

A=20260101T000000Z
B=20260102T000000Z

test_expect_success 'a store' '
	make_store && new_env && echo text >"$EVENTS/a" &&
	echo more text >"$EVENTS/b" &&
	foreign_snapshot dev $A "$EVENTS" && foreign_snapshot dev $B "$EVENTS" &&
	mkdir -p "$STORE/rollbacks/dev" "$STORE/backups/idle" &&
	cp -a "$STORE/backups/dev/$A" "$STORE/rollbacks/dev/"
'

for how in default nocontrol; do

test_expect_success FUSE "the root's .status ($how)" '
	mount_store mnt "$(echo $how | sed s/default//)" &&
	test_when_finished "umount_store mnt" &&
	jq -e ".store == \"$STORE\" and .mountpoint == \"$TRASH/mnt\"" \
		mnt/.status &&
	jq -e ".pid == $(store_pid mnt)" mnt/.status &&
	jq -e "(.started_at | fromdate) <= now and (.version | length > 2)" \
		mnt/.status &&
	jq -e ".environments == [
		{name: \"dev\", snapshots: 2, rollbacks: 1, latest: \"$B\",
			latest_verified: null},
		{name: \"idle\", snapshots: 0, rollbacks: 0, latest: null,
			latest_verified: null}]" mnt/.status &&
	jq -e ".damage == {blocks: 0, files: 0, snapshots: 0, unlisted: 0} and
		.faults == [] and .damaged_snapshots == [] and
		.operation == null and .recovery == {finished: 0, undone: 0,
			busy: 0, removed: 0, error: null}" mnt/.status &&
	jq -e ".control == $([ $how = default ] && echo true || echo false)" \
		mnt/.status &&
	jq -e ".loaded.snapshots == 0 and .loaded.bytes == 0 and
		.loaded.budget == 67108864" mnt/.status &&
	cat mnt/dev/$A/events/a &&
	jq -e ".loaded.snapshots == 1 and .loaded.bytes > 100" mnt/.status
'

test_expect_success FUSE "an environment's and a snapshot's ($how)" '
	mount_store mnt "$(echo $how | sed s/default//)" &&
	test_when_finished "umount_store mnt" &&
	jq -e ".environment.name == \"dev\" and .environment.snapshots == 2" \
		mnt/dev/.status &&
	jq -e ".environment.latest == null" mnt/idle/.status &&
	jq -e ".snapshot == \"dev/$A\" and .state == \"ok\" and
		.reason == null and .files == 2 and .bytes == 15 and
		.unlisted == 0 and .verify == null and .faults == [] and
		.foreign" mnt/dev/$A/.status &&
	sha256sum "$STORE/backups/dev/$A/manifest.sha256" >sum &&
	jq -e ".manifest == \"$(cut -c1-64 sum)\"" mnt/dev/$A/.status &&
	jq -e ".snapshot == \"dev/.rollbacks/$A\"" \
		mnt/dev/.rollbacks/latest/.status &&
	hxsnap --store "$STORE" verify dev/$A &&
	jq -e ".verify.passed and .verify.current and .verify.faults == 0" \
		mnt/dev/$A/.status && rm -r "$STORE/.hxsnap/verify"
'

test_expect_success FUSE "every program reads them whole ($how)" '
	mount_store mnt "$(echo $how | sed s/default//)" &&
	test_when_finished "umount_store mnt" &&
	for status in mnt/.status mnt/dev/.status mnt/dev/$A/.status; do
		cat $status >want && jq -e . want >/dev/null &&
		dd if=$status of=got bs=7 status=none && test_cmp want got &&
		cp $status got && test_cmp want got &&
		head -c 100000 $status >got && test_cmp want got &&
		sed "" $status >got && test_cmp want got &&
		python3 -c "import sys; sys.stdout.write(open(sys.argv[1]).read())" \
			$status >got && test_cmp want got &&
		grep -c . $status >got && tail -n 3 $status >got || return 1
	done &&
	tar -C mnt -cf status.tar .status .metrics
'

test_expect_success FUSE "a reader keeps the text that he began with ($how)" '
	mount_store mnt "$(echo $how | sed s/default//)" &&
	test_when_finished "umount_store mnt" &&
	cat mnt/.metrics >want &&
	exec 6<mnt/.metrics && test_when_finished "exec 6<&-" &&
	dd bs=100 count=1 status=none <&6 >got &&
	cat mnt/dev/$B/events/b mnt/dev/$A/events/a >/dev/null &&
	cat mnt/.metrics >later && ! cmp -s want later &&
	cat <&6 >>got && grep -v "^hxsnap_lookups_total" got >got1 &&
	grep -v "^hxsnap_lookups_total" want >want1 && test_cmp want1 got1
'

test_expect_success FUSE "metrics in the form that Prometheus reads ($how)" '
	mount_store mnt "$(echo $how | sed s/default//)" &&
	test_when_finished "umount_store mnt" &&
	cat mnt/dev/$A/events/a mnt/dev/$A/events/b &&
	cat mnt/.metrics >got &&
	test_grep "^hxsnap_snapshots{environment=\"dev\",kind=\"backup\"} 2$" got &&
	test_grep "^hxsnap_snapshots{environment=\"dev\",kind=\"rollback\"} 1$" got &&
	test_grep "^hxsnap_snapshots{environment=\"idle\",kind=\"backup\"} 0$" got &&
	test_grep "^hxsnap_latest_timestamp_seconds{environment=\"dev\"} 1767312000$" got &&
	test_grep "^hxsnap_read_bytes_total 15$" got &&
	test_grep "^hxsnap_loaded_snapshots 1$" got &&
	test_grep "^hxsnap_damaged_blocks_total 0$" got &&
	awk "
		/^# HELP hxsnap_[a-z_]+ .+\\.\$/ { help[\$3] = 1; next }
		/^# TYPE hxsnap_[a-z_]+ (counter|gauge)\$/ {
			if (!help[\$3] || type[\$3]++) bad(); next }
		/^hxsnap_[a-z_]+(\\{[a-z]+=\"[^\"]*\"(,[a-z]+=\"[^\"]*\")*\\})? [0-9]+\$/ {
			name = \$1; sub(/\\{.*/, \"\", name)
			if (!type[name]) bad(); if (seen[\$1]++) bad(); n++; next }
		{ bad() }
		function bad() { print \"line \" NR \": \" \$0; wrong = 1 }
		END { exit wrong || n < 15 }" got
'

done

test_expect_success FUSE 'xattr: what is asked, what is active, what would show' '
	for mode in auto on off; do
		mount_store mnt xattr=$mode &&
		jq -c .xattr mnt/.status && umount_store mnt || return 1
	done >got &&
	cat >want <<-\END &&
	{"mode":"auto","active":false,"remount_would_show":false}
	{"mode":"on","active":true,"remount_would_show":false}
	{"mode":"off","active":false,"remount_would_show":false}
	END
	test_cmp want got
'

test_expect_success FUSE,XATTR 'attributes that come later are told of' '
	echo 1 >"$STATE/one" &&
	mount_store mnt && test_when_finished "umount_store mnt" &&
	setfattr -n user.hxs -v 1 "$EVENTS/a" && id=$(hxsnap create dev) &&
	test_must_fail getfattr -n user.hxs "mnt/dev/$id/events/a" 2>err &&
	test_grep "not supported" err &&
	jq -e ".xattr.remount_would_show and (.xattr.active | not)" mnt/.status
'

test_expect_success FUSE,XATTR 'and the next mount shows them' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	jq -e .xattr.active mnt/.status &&
	[ "$(getfattr --only-values -n user.hxs mnt/dev/latest/events/a)" = 1 ] &&
	sha256sum "$EVENTS/a" >sum &&
	[ "$(getfattr --only-values -n user.hxsnap.sha256 \
		mnt/dev/latest/events/a)" = "$(cut -c1-64 sum)" ] &&
	test_must_fail getfattr -n user.hxsnap.verified mnt/dev/latest/events/a &&
	hxsnap verify dev &&
	getfattr --only-values -n user.hxsnap.verified \
		mnt/dev/latest/events/a >got &&
	test_grep "^20..-..-..T..:..:..Z" got &&
	getfattr -d -m - mnt/dev/latest/events/a >got && test_grep ! hxsnap got &&
	getfattr --only-values -n user.hxsnap.sha256 \
		mnt/dev/latest/manifest.sha256 >got &&
	(cd mnt/dev/latest && sha256sum manifest.sha256 index.hxi) >sum &&
	test_grep "^$(cat got)  manifest" sum &&
	getfattr --only-values -n user.hxsnap.sha256 \
		mnt/dev/latest/index.hxi >got && test_grep "^$(cat got)  index" sum
'

test_done
