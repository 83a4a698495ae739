#!/bin/sh
test_description='the audit log is rotated, and its chain goes on'
. "$(dirname "$0")/../lib/lib.sh"

test_lazy_prereq LOGROTATE 'logrotate' 'logrotate --version'

log=$STORE/.hxsnap/audit.log

rotate() {
	logrotate -s "$TRASH/state" "$@" "$TRASH/logrotate.conf"
}

# chained FILE...: each line has the SHA-256 of the one before it.
chained() {
	cat "$@" >all.log &&
		python3 - all.log <<-\END
		import hashlib, json, sys
		before = "0" * 64
		n = 0
		for line in open(sys.argv[1], "rb"):
		    if json.loads(line)["previous"] != before:
		        sys.exit("line %d does not follow" % (n + 1))
		    before = hashlib.sha256(line).hexdigest()
		    n += 1
		print(n)
		END
}

test_expect_success 'three backups are three lines' '
	new_env dev && echo 1 >"$EVENTS/a" && echo 1 >"$STATE/s" &&
	for n in 1 2 3; do hxsnap -q create dev || return 1; done &&
	[ "$(chained "$log")" -eq 3 ]
'

test_expect_success LOGROTATE 'the example names this log' '
	grep -v "^#" "$HXS_SRC/examples/logrotate" |
		sed "s,/var/lib/hxsnap/,$STORE/," >logrotate.conf &&
	test_grep "$log {" logrotate.conf &&
	rotate -f -d 2>err && test_grep "rotating pattern: $log" err
'

test_expect_success LOGROTATE 'rotated, the next line follows from the last' '
	rotate -f && test_path_is_missing "$log" &&
	test_path_is_file "$log.1" &&
	hxsnap -q create dev && hxsnap -q create dev &&
	[ "$(chained "$log.1" "$log")" -eq 5 ] && [ "$(wc -l <"$log")" -eq 2 ] &&
	[ "$(stat -c %a "$log")" = 600 ]
'

test_expect_success LOGROTATE 'again and again, the oldest are compressed' '
	rotate -f && hxsnap -q create dev && rotate -f && hxsnap -q create dev &&
	ls "$STORE/.hxsnap" && test_path_is_file "$log.2.gz" &&
	test_path_is_file "$log.3.gz" && test_path_is_file "$log.1" &&
	for n in 3 2; do gzip -dc "$log.$n.gz" >"old.$n" || return 1; done &&
	[ "$(chained old.3 old.2 "$log.1" "$log")" -eq 7 ]
'

test_expect_success LOGROTATE 'nothing happened: nothing is rotated' '
	rotate -f && ls "$STORE/.hxsnap" >before && rotate -f &&
	ls "$STORE/.hxsnap" >after && test_cmp before after &&
	hxsnap -q create dev &&
	for n in 4 3 2; do gzip -dc "$log.$n.gz" >"old.$n" || return 1; done &&
	[ "$(chained old.4 old.3 old.2 "$log.1" "$log")" -eq 8 ]
'

test_expect_success LOGROTATE 'while many write, no line is lost and none apart' '
	for env in a b c d; do
		mkdir -p "src-$env" && echo 1 >"src-$env/f" || return 1
	done &&
	jq -n --arg s "$STORE" --arg t "$TRASH" "{store: \$s, environments: ([\"a\",
		\"b\", \"c\", \"d\"] | map({key: ., value: {sources: {f: {kind:
		\"directory\", path: (\$t + \"/src-\" + .)}}}}) | from_entries)}" >many.json &&
	wc -l <"$log" >had && rm -f "$log".* && rm "$log" &&
	for env in a b c d; do
		(for n in 1 2 3 4 5 6; do
			hxsnap -q --config many.json create "$env" || exit 1
		done >"out-$env" 2>&1; echo $? >"end-$env") &
	done &&
	n=0 && while [ "$(cat end-? 2>/dev/null | wc -l)" -lt 4 ]; do
		[ ! -s "$log" ] || rotate -f || return 1
		n=$((n + 1))
	done && wait &&
	for env in a b c d; do [ "$(cat "end-$env")" = 0 ] || return 1; done &&
	set -- &&
	for n in $(ls "$STORE/.hxsnap" | sed -n "s/^audit.log.\([0-9]*\).*/\1/p" |
		sort -rn); do
		if [ -e "$log.$n.gz" ]; then
			gzip -dc "$log.$n.gz" >"old.$n" && set -- "$@" "old.$n"
		else
			set -- "$@" "$log.$n"
		fi || return 1
	done &&
	{ [ ! -e "$log" ] || set -- "$@" "$log"; } &&
	echo "$# files" && [ $# -gt 1 ] && [ "$(chained "$@")" -eq 24 ]
'

test_done
