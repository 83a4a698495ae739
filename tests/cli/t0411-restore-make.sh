#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='make backup, make restore: Helionyx from the shell'
. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

test_lazy_prereq PTY 'script(1)' 'script -qec true out </dev/null'

# environment ENV: its .env file, a month of events, a database.
environment() {
	mkdir -p "data/$1/events/2026/02" "data/$1/projections" &&
		for day in $(seq -w 28); do
			echo "{\"day\": \"2026-02-$day\", \"env\": \"$1\"}" \
				>"data/$1/events/2026/02/events-$day.jsonl" || return 1
		done &&
		sqlite3 "data/$1/projections/helionyx.db" "create table notes (id, text);
			insert into notes values (1, \"first\"), (2, \"second\")" &&
		cat >".env.$1" <<-END
		ENV=$1
		EVENT_STORE_PATH=./data/$1/events
		PROJECTIONS_DB_PATH=./data/$1/projections
		BACKUP_ROOT=./data/backups
		OPENAI_API_KEY=sk-hunter2
		END
}

# change ENV: what a day of work does to it.
change() {
	echo "{\"later\": true}" >"data/$1/events/2026/02/events-29.jsonl" &&
		echo "{\"more\": true}" >>"data/$1/events/2026/02/events-28.jsonl" &&
		rm "data/$1/events/2026/02/events-01.jsonl" &&
		sqlite3 "data/$1/projections/helionyx.db" \
			"insert into notes values (3, \"third\")"
}

# is_like DIR ENV: both directories of ENV are what DIR holds.
is_like() {
	test_same_tree "$1/events" "data/$2/events" &&
		test_same_tree "$1/projections" "data/$2/projections"
}

is_id() { # FILE
	test_line_count 1 "$1" && grep -Ex '[0-9]{8}T[0-9]{6}Z' "$1"
}

test_expect_success 'set up: a project with a Makefile that includes ours' '
	mkdir project && cp "$HXS_SRC/examples/Makefile" "$HXS_SRC/examples/hxsnap.mk" \
		project/ && cd project && environment dev && environment live
'

# ---- the story ---------------------------------------------------------------

test_expect_success 'make backup ENV=dev prints an id' '
	cd project && make backup ENV=dev >../out 2>../err && is_id ../out &&
	id=$(cat ../out) && test_path_is_dir "data/backups/dev/$id" &&
	(cd "data/backups/dev/$id" && sha256sum -c --strict --quiet manifest.sha256) &&
	cp -a data/dev ../old
'

test_expect_success 'data change; make restore ENV=dev BACKUP=id restores both' '
	cd project && change dev && cp -a data/dev ../new && ! is_like ../old dev &&
	make restore ENV=dev BACKUP="$id" >../out 2>../err && is_id ../out &&
	rollback=$(cat ../out) && is_like ../old dev &&
	test_path_is_dir "data/rollbacks/dev/$rollback" &&
	sqlite3 data/dev/projections/helionyx.db "select count(*) from notes" >../n &&
	grep -x 2 ../n
'

test_expect_success 'BACKUP_ROOT=data/rollbacks/dev make restore brings the change back' '
	cd project &&
	BACKUP_ROOT=data/rollbacks/dev make restore ENV=dev BACKUP="$rollback" \
		>../out 2>../err && is_id ../out && is_like ../new dev &&
	test_path_is_dir "data/rollbacks/dev/$(cat ../out)" &&
	[ "$(cat ../out)" != "$rollback" ]
'

test_expect_success 'ENV=live refuses without a terminal, and takes CONFIRM_LIVE=YES' '
	cd project && make backup ENV=live >../out && is_id ../out &&
	live=$(cat ../out) && cp -a data/live ../oldlive && change live &&
	cp -a data/live ../newlive && look -c data/live >../before &&
	test_exit 2 make restore ENV=live BACKUP="$live" >../out 2>../err &&
	test_line_count 0 ../out && test_grep "wants confirmation" ../err &&
	test_grep "restore. Error 5" ../err &&
	test_exit 2 env CONFIRM_LIVE=no make restore ENV=live BACKUP="$live" 2>../err &&
	test_exit 2 make restore ENV=live BACKUP="$live" CONFIRM_LIVE=yes 2>../err &&
	look -c data/live >../after && test_cmp ../before ../after &&
	CONFIRM_LIVE=YES make restore ENV=live BACKUP="$live" >../out && is_id ../out &&
	is_like ../oldlive live &&
	test_exit 2 env BACKUP_ROOT=data/rollbacks/live \
		make restore ENV=live BACKUP="$(cat ../out)" 2>../err &&
	make restore ENV=live BACKUP="$(cat ../out)" CONFIRM_LIVE=YES \
		BACKUP_ROOT=data/rollbacks/live >../out2 && is_id ../out2 &&
	is_like ../newlive live
'

# typed TEXT COMMAND: run it at a terminal where TEXT is typed; what is shown
# in ../shown.
typed() {
	printf "$1" >../keys && status=0 &&
		{ script -qec "$2" ../raw <../keys >/dev/null || status=$?; } &&
		tr -d "\r" <../raw | sed "1d; /^Script done/,\$d" >../shown
	return "$status"
}

test_expect_success PTY 'ENV=live at a terminal: no is no, yes is yes' '
	cd project && look -c data/live >../before &&
	for answer in "no\n" "\n" "YES\n" ""; do
		test_exit 2 typed "$answer" \
			"make restore ENV=live BACKUP=$live CONFIRM_LIVE=YES >../out" &&
		test_line_count 0 ../out && test_grep "not confirmed" ../shown &&
		look -c data/live >../after && test_cmp ../before ../after || return 1
	done &&
	typed "yes\n" "make restore ENV=live BACKUP=$live >../out" &&
	is_id ../out && is_like ../oldlive live &&
	test_grep "restore of environment .live. on host .$(uname -n).: .live/$live." ../shown &&
	grep -F "$(pwd -P)/data/live/events" ../shown &&
	typed "yes\n" "BACKUP_ROOT=data/rollbacks/live make restore ENV=live \
		BACKUP=$(cat ../out) >../out2" && is_id ../out2 && is_like ../newlive live
'

test_expect_success FUSE 'ENV=live through .control: EPERM, and CONFIRM_LIVE=YES in the command' '
	cd project && STORE=$PWD/data mount_store "$TRASH/mnt" &&
	test_when_finished "umount_store $TRASH/mnt" &&
	look -c data/live >../before &&
	test_must_fail env CONFIRM_LIVE=YES /bin/sh -c \
		"/bin/echo restore >$TRASH/mnt/live/$live/.control" 2>../err &&
	test_grep "Operation not permitted" ../err &&
	jq -e ".ok == false and .error == \"EPERM\"" "$TRASH/mnt/.control" &&
	look -c data/live >../after && test_cmp ../before ../after &&
	(cd "$TRASH/mnt/live/$live" && echo restore CONFIRM_LIVE=YES >.control) &&
	is_like ../oldlive live &&
	jq -e ".ok and .rollback_id" "$TRASH/mnt/.control"
'

test_expect_success 'nothing secret is in the store, and every act is in its log' '
	cd project && ! grep -r hunter2 data/backups data/rollbacks data/.hxsnap &&
	[ -z "$(find data/backups data/rollbacks -name ".env*")" ] &&
	jq -es "map(select(.env == \"live\" and .act == \"restore\" and
		(.ok | not)) | .status) | length >= 4 and all(. == 5)" data/.hxsnap/audit.log
'

# ---- words -------------------------------------------------------------------

test_expect_success 'what is missing or wrong is told: 2, nothing on standard output' '
	cd project && cp data/.hxsnap/audit.log ../log &&
	for words in "backup" "restore" "restore ENV=dev" "restore BACKUP=$id" \
		"backup ENV=" "restore ENV=dev BACKUP="; do
		# shellcheck disable=SC2086 # several words
		test_exit 2 env -u ENV make $words >../out 2>../err &&
		test_line_count 0 ../out && test_grep "make .* wants ENV=" ../err || return 1
	done && cmp ../log data/.hxsnap/audit.log &&
	test_exit 2 make backup ENV=nosuch >../out 2>../err && test_line_count 0 ../out &&
	test_exit 2 make restore ENV=dev BACKUP=20000101T000000Z >../out 2>../err &&
	test_grep "no snapshot" ../err && test_grep "Error 4" ../err &&
	test_exit 2 make restore ENV=dev BACKUP="$rollback" >../out 2>../err &&
	for root in data data/backups data/rollbacks/live . nosuch /; do
		test_exit 2 make restore ENV=dev BACKUP="$id" BACKUP_ROOT="$root" \
			>../out 2>../err && test_line_count 0 ../out || return 1
	done && is_like ../new dev
'

test_expect_success 'values are words, never text for a shell' '
	cd project && for word in "dev; touch pwned" "\$(touch pwned)" "dev'\''\
; touch pwned #" "\`touch pwned\`" "-h" "--help" "../dev" "dev dev" "*"; do
		test_exit 2 make backup ENV="$(printf %s "$word" | sed "s/\\$/\$\$/g")" \
			>../out 2>../err && test_line_count 0 ../out &&
		test_exit 2 make restore ENV=dev BACKUP="$(printf %s "$word" |
			sed "s/\\$/\$\$/g")" >../out 2>../err &&
		test_line_count 0 ../out || return 1
	done && test_path_is_missing pwned
'

test_expect_success 'BACKUP_ROOT: absolute, through a link, backups as well' '
	cd project && ln -s data/backups/dev short &&
	for root in "$PWD/data/backups/dev" short data/backups/dev/ ./data/backups/dev; do
		make restore ENV=dev BACKUP="$id" BACKUP_ROOT="$root" >../out &&
		is_id ../out && is_like ../old dev || return 1
	done
'

test_expect_success 'a default in the Makefile; hxsnap.json beside it' '
	mkdir other && cd other && mkdir -p state && echo 1 >state/a &&
	printf "%s\n" "{\"store\": \"store\", \"environments\": {\"dev\": {\"sources\":
		{\"state\": {\"kind\": \"directory\", \"path\": \"state\"}}}}}" >hxsnap.json &&
	printf "include hxsnap.mk\nENV = dev\n" >Makefile &&
	make -I "$HXS_SRC/examples" backup >../out && is_id ../out && echo 2 >state/a &&
	make -I "$HXS_SRC/examples" restore BACKUP=latest >../out2 && is_id ../out2 &&
	echo 1 | cmp - state/a &&
	make -I "$HXS_SRC/examples" restore BACKUP="$(cat ../out2)" \
		BACKUP_ROOT=store/rollbacks/dev >../out && echo 2 | cmp - state/a
'

# Without building anything: the tests share the build directory.
test_expect_success 'the same targets in the Makefile of the sources' '
	cd other && HXSNAP_CONFIG=$PWD/hxsnap.json && export HXSNAP_CONFIG &&
	make -s -C "$HXS_SRC" -o built B="$HXS_BUILD" backup ENV=dev >../out &&
	is_id ../out && echo 3 >state/a &&
	make -s -C "$HXS_SRC" -o built B="$HXS_BUILD" restore ENV=dev \
		BACKUP="$(cat ../out)" >../out2 && is_id ../out2 && echo 2 | cmp - state/a &&
	make -s -C "$HXS_SRC" -o built B="$HXS_BUILD" restore ENV=dev \
		BACKUP="$(cat ../out2)" BACKUP_ROOT="$PWD/store/rollbacks/dev" >../out &&
	echo 3 | cmp - state/a
'

test_done
