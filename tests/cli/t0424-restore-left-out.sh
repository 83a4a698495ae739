#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='restore: what backups leave out stays, the very inode'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

# anew: a source with patterns with and without a slash, a backup $id of it.
anew() {
	rm -rf live "$STORE" && mkdir -p live/all/sub/deep && make_store &&
		SOURCE_MORE='"exclude": ["*.tmp", "cache", "sub/logs", "sub/*.log"]' \
			sources "all=$TRASH/live/all" && echo one >live/all/one &&
		echo two >live/all/sub/two && echo three >live/all/sub/deep/three &&
		id=$(hxsnap -q create dev)
}

# left_out: make something of each kind; their names are in kept.list.
left_out() {
	(cd live/all && mkdir -p cache/deep cache/empty sub/logs new/er && chmod 2710 new/er &&
		for f in .env .env.local sub/.env a.tmp sub/deep/b.tmp cache/c \
			cache/deep/d sub/logs/e sub/f.log new/er/g.tmp; do
			echo "$f" >"$f" && chmod 640 "$f" || return 1
		done && mkfifo sub/fifo && ln -s nowhere .env.link && touch -d @77.5 new/er &&
		python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('sub/socket')") &&
		printf '%s\n' .env .env.local sub/.env a.tmp sub/deep/b.tmp cache/c \
			cache/deep/d sub/logs/e sub/f.log new/er/g.tmp sub/fifo \
			sub/socket .env.link >kept.list
}

# kept: what is known of each, its inode included.
kept() {
	while read -r f; do
		stat -c '%n %F %i %a %u:%g %s %.9Y' "live/all/$f" || return 1
	done <kept.list
}

test_expect_success 'a whole source' '
	anew && left_out && kept >want && echo new >live/all/new/file && rm live/all/one &&
	restore "dev/$id" && kept >got && test_cmp want got && test_path_is_file live/all/one &&
	test_path_is_missing live/all/new/file && test_path_is_dir live/all/cache/empty &&
	[ "$(stat -c "%a %.1Y" live/all/new/er)" = "2710 77.5" ] &&
	(cd "$STORE/rollbacks/dev/$rollback/all" && find . -name ".env*" -o -name "*.tmp") >left &&
	test_line_count 0 left && hxsnap -q rollback dev >out && kept >got &&
	test_cmp want got && test_path_is_file live/all/new/file && no_remains
'

test_expect_success 'a directory of it, one that the snapshot lacks below it' '
	anew && left_out && mkdir -p live/all/sub/more/x && echo s >live/all/sub/more/x/.env &&
	echo sub/more/x/.env >>kept.list && kept >want && restore "dev/$id" all/sub &&
	kept >got && test_cmp want got
'

test_expect_success TMPFS 'on another file system' '
	rm -rf live "$STORE" && mkdir live && mount -t tmpfs -o mode=755 tmpfs live &&
	test_when_finished "umount \"$TRASH/live\"" && make_store && mkdir -p live/all/sub/deep &&
	SOURCE_MORE="\"exclude\": [\"*.tmp\", \"cache\", \"sub/logs\", \"sub/*.log\"]" \
		sources "all=$TRASH/live/all" && echo one >live/all/one &&
	id=$(hxsnap -q create dev) && left_out && kept >want && restore "dev/$id" &&
	kept >got && test_cmp want got
'

test_expect_success 'where the snapshot has a file and it is in a directory: refused' '
	anew && rm live/all/one && mkdir live/all/one && echo s >live/all/one/.env && settled &&
	refused 1 "cannot keep .one/.env" live hxsnap restore "dev/$id" &&
	refused 1 "cannot keep .*.env" live hxsnap restore "dev/$id" all/one &&
	rm live/all/one/.env && restore "dev/$id" && [ "$(cat live/all/one)" = one ]
'

test_expect_success 'one that an older backup still has: the live one stays' '
	anew && sources "all=$TRASH/live/all" && echo old >live/all/a.tmp && id=$(hxsnap -q create dev) &&
	SOURCE_MORE="\"exclude\": [\"*.tmp\"]" sources "all=$TRASH/live/all" &&
	echo live >live/all/a.tmp && inode=$(inode live/all/a.tmp) && restore "dev/$id" &&
	[ "$(cat live/all/a.tmp)" = live ] && [ "$(inode live/all/a.tmp)" = "$inode" ] &&
	rm live/all/a.tmp && restore "dev/$id" && [ "$(cat live/all/a.tmp)" = old ]
'

test_done
