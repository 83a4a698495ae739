#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='create: a backup, what is in it, what it says of itself'
. "$(dirname "$0")/../lib/lib.sh"

test_expect_success 'the id alone is on standard output, its time is now' '
	new_env dev && echo one >"$EVENTS/a.json" && mkdir "$STATE/empty" &&
	echo two >"$STATE/b" && cp -a "$STATE/b" "$EVENTS/c" &&
	before=$(date -u +%Y%m%dT%H%M%SZ) &&
	hxsnap create dev >out 2>err &&
	after=$(date -u +%Y%m%dT%H%M%SZ) &&
	test_line_count 1 out && id=$(cat out) &&
	echo "$id" | grep -x "[0-9]\{8\}T[0-9]\{6\}Z" &&
	! [ "$id" \< "$before" ] && ! [ "$id" \> "$after" ] &&
	test_grep "$id" err
'

test_expect_success 'what is in the store' '
	snap=$STORE/backups/dev/$id && test_path_is_dir "$snap" &&
	ls -A "$snap" >got &&
	printf "%s\n" config.json events index.hxi manifest.sha256 meta.json \
		state >want && test_cmp want got &&
	test_same_tree "$EVENTS" "$snap/events" &&
	test_same_tree "$STATE" "$snap/state" &&
	ls -A "$STORE/backups/dev" >got && echo "$id" >want &&
	test_cmp want got && stat -c %a "$snap" "$snap/meta.json" \
		"$snap/config.json" "$snap/index.hxi" "$snap/manifest.sha256" >got &&
	printf "%s\n" 755 644 644 600 600 >want && test_cmp want got
'

test_expect_success 'sha256sum agrees, and so does verify' '
	(cd "$snap" && sha256sum -c --strict --quiet manifest.sha256) &&
	find "$snap" -type f ! -name manifest.sha256 | wc -l >want &&
	wc -l <"$snap/manifest.sha256" >got && test_cmp want got &&
	LC_ALL=C sort -k 2 -c "$snap/manifest.sha256" &&
	hxsnap verify "dev/$id"
'

test_expect_success 'meta.json tells where it came from' '
	meta=$snap/meta.json &&
	grep -q "\"env\": \"dev\"" "$meta" &&
	grep -q "\"backup_id\": \"$id\"" "$meta" &&
	grep -q "\"kind\": \"backup\"" "$meta" &&
	grep -q "\"git_commit\": null" "$meta" &&
	grep -q "\"previous\": null" "$meta" &&
	grep -q "\"hostname\": \"$(uname -n)\"" "$meta" &&
	grep -q "\"tool_version\": \"[0-9]" "$meta" &&
	grep -q "\"path\": \"$EVENTS\"" "$meta" &&
	grep -A 3 "\"events\"" "$meta" | grep -q "\"files\": 2" &&
	created=$(sed -n "s/.*\"created_at_utc\": \"\(.*\)\".*/\1/p" "$meta") &&
	[ "$(echo "$created" | tr -d ":-")" = "$id" ]
'

test_expect_success 'a second one in the same second waits for the next' '
	a=$(hxsnap -q create dev) && b=$(hxsnap -q create dev) &&
	c=$(hxsnap -q create dev) &&
	[ "$a" \< "$b" ] && [ "$b" \< "$c" ]
'

test_expect_success 'previous is the snapshot before it, with its digest' '
	sum=$(sha256sum <"$STORE/backups/dev/$b/manifest.sha256") &&
	grep -A 3 "\"previous\"" "$STORE/backups/dev/$c/meta.json" >got &&
	grep -q "\"id\": \"$b\"" got &&
	grep -q "\"manifest_sha256\": \"${sum%% *}\"" got
'

test_expect_success 'tags and --keep' '
	d=$(hxsnap -q create dev --tag nightly --tag "before the upgrade" \
		--keep) &&
	grep -A 3 "\"tags\"" "$STORE/backups/dev/$d/meta.json" >got &&
	grep -q "\"nightly\"" got && grep -q "\"before the upgrade\"" got &&
	test_path_is_file "$STORE/.hxsnap/pins/backups/dev/$d" &&
	test_exit 2 hxsnap create dev --tag "$(printf "\\377")" 2>err &&
	test_grep "tag" err && test_grep "no snapshot was made" err
'

test_expect_success 'the commit that is checked out beside the configuration' '
	git init -q . && git -c user.name=n -c user.email=e commit -q \
		--allow-empty -m x &&
	test_when_finished "rm -rf .git" &&
	commit=$(git rev-parse HEAD) && id=$(hxsnap -q create dev) &&
	grep -q "\"git_commit\": \"$commit\"" \
		"$STORE/backups/dev/$id/meta.json"
'

test_expect_success 'git runs only where there may be a repository' '
	mkdir bin && test_when_finished "rm -rf bin asked HEAD" &&
	printf "#!/bin/sh\\n: >\"%s/asked\"\\nexit 1\\n" "$PWD" >bin/git &&
	chmod +x bin/git && PATH=$PWD/bin:$PATH &&
	hxsnap -q create dev && test_path_is_missing asked &&
	(GIT_DIR=/nonexistent && export GIT_DIR && hxsnap -q create dev) &&
	test_path_is_file asked && rm asked &&
	: >HEAD && hxsnap -q create dev && test_path_is_file asked
'

test_expect_success 'settings: what is named and set, never a secret' '
	cat >settings.json <<-END &&
	{"store": "$STORE", "environments": {"dev": {
	  "sources": {"events": {"kind": "directory", "path": "$EVENTS"}},
	  "settings": ["API_HOST", "API_PORT"]}}}
	END
	printf "%s\n" API_HOST=localhost API_KEY=hush OTHER=x >.env.dev &&
	test_when_finished "rm .env.dev" &&
	id=$(hxsnap -q --config settings.json create dev) &&
	config=$STORE/backups/dev/$id/config.json &&
	grep -q "\"API_HOST\": \"localhost\"" "$config" &&
	grep -q "\"API_PORT\": null" "$config" &&
	grep -q "\"kind\": \"directory\"" "$config" &&
	test_must_fail grep -rq hush "$STORE"
'

test_expect_success '.env files are never copied, at any depth' '
	mkdir -p "$EVENTS/deep/.env" && echo hush >"$EVENTS/.env" &&
	echo hush >"$EVENTS/deep/.env.live" && echo fine >"$EVENTS/deep/.env/x" &&
	ln -s x "$EVENTS/deep/.envlink" && echo fine >"$EVENTS/not.env" &&
	test_when_finished "rm -rf \"$EVENTS/deep\" \"$EVENTS/.env\"" &&
	id=$(hxsnap create dev 2>err) && test_grep "3 .\.env\*. files" err &&
	(cd "$STORE/backups/dev/$id/events" && find . | sort) >got &&
	printf "%s\n" . ./a.json ./c ./deep ./deep/.env ./deep/.env/x \
		./not.env >want && test_cmp want got &&
	grep -q "3 .\.env\*. files" "$STORE/backups/dev/$id/meta.json" &&
	test_must_fail grep -rq hush "$STORE"
'

test_expect_success 'exclude: by name anywhere, by path from the top' '
	cat >exclude.json <<-END &&
	{"store": "$STORE", "environments": {"ex": {"sources": {"events":
	  {"kind": "directory", "path": "$TRASH/ex",
	   "exclude": ["*.tmp", "cache", "logs/*.gz"]}}}}}
	END
	mkdir -p ex/cache ex/logs ex/sub/cache ex/sub/logs &&
	for f in a a.tmp cache/x logs/1.gz logs/2 sub/b.tmp sub/cache/y \
		sub/logs/3.gz; do echo x >"ex/$f" || return 1; done &&
	id=$(hxsnap -q --config exclude.json create ex) &&
	(cd "$STORE/backups/ex/$id/events" && find . -type f | sort) >got &&
	printf "%s\n" ./a ./logs/2 ./sub/logs/3.gz >want && test_cmp want got
'

test_expect_success 'a source that is a file, behind a link' '
	mkdir -p files/real && echo data >files/real/v2.db &&
	ln -s real/v2.db files/projections.db &&
	cat >file.json <<-END &&
	{"store": "$STORE", "environments": {"one": {"sources": {"db":
	  {"kind": "directory", "path": "$TRASH/files/projections.db"}}}}}
	END
	id=$(hxsnap -q --config file.json create one) &&
	snap=$STORE/backups/one/$id &&
	(cd "$snap/db" && ls -A) >got && echo projections.db >want &&
	test_cmp want got && test_path_is_file "$snap/db/projections.db" &&
	test_cmp files/real/v2.db "$snap/db/projections.db" &&
	[ "$(stat -c %a "$snap/db")" = 755 ] &&
	(cd "$snap" && sha256sum -c --strict --quiet manifest.sha256) &&
	hxsnap -q --config file.json verify one/latest &&
	id=$(hxsnap -q --config file.json create one) &&
	test_cmp files/real/v2.db "$STORE/backups/one/$id/db/projections.db"
'

test_expect_success 'a source behind a link is followed, once' '
	mkdir -p linked/real && echo x >linked/real/a && ln -s a linked/real/l &&
	ln -s real linked/now && cat >link.json <<-END &&
	{"store": "$STORE", "environments": {"ln": {"sources": {"s":
	  {"kind": "directory", "path": "$TRASH/linked/now"}}}}}
	END
	id=$(hxsnap -q --config link.json create ln) &&
	test_same_tree linked/real "$STORE/backups/ln/$id/s"
'

test_expect_success 'without a configuration: .env.dev, and ./data' '
	mkdir -p project/data/events && cd project &&
	echo e >data/events/1.jsonl && echo p >data/projections.db &&
	printf "%s\n" EVENT_STORE_PATH=./data/events \
		PROJECTIONS_DB_PATH=./data/projections.db >.env.dev &&
	id=$(unset HXSNAP_CONFIG && hxsnap -q create dev) &&
	snap=data/backups/dev/$id && test_cmp data/events/1.jsonl \
		"$snap/events/1.jsonl" &&
	test_cmp data/projections.db "$snap/projections/projections.db" &&
	(cd "$snap" && sha256sum -c --strict --quiet manifest.sha256) &&
	(unset HXSNAP_CONFIG && hxsnap -q create dev) >out &&
	test_line_count 1 out
'

test_expect_success 'the umask has no say' '
	for mask in 000 077 777; do
		rm -rf "$STORE" &&
		id=$(umask $mask && hxsnap -q create dev) &&
		stat -c "%a %n" "$STORE" "$STORE/backups" "$STORE/backups/dev" \
			"$STORE/backups/dev/$id" "$STORE/.hxsnap" \
			"$STORE/backups/dev/$id/meta.json" \
			"$STORE/backups/dev/$id/events/a.json" |
			sed "s,$id,ID," >got-$mask &&
		test_same_tree "$EVENTS" "$STORE/backups/dev/$id/events" ||
		return 1
	done &&
	test_cmp got-000 got-077 && test_cmp got-000 got-777 &&
	test_must_fail grep "^7[0-9][2367] " got-000
'

test_expect_success 'standard output full: not silent, and the id is told' '
	test_exit 1 hxsnap -q create dev >/dev/full 2>err &&
	test_grep "was made" err
'

test_done
