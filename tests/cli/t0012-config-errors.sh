#!/bin/sh
test_description='wrong configurations: refused with the place, nothing done'
. "$(dirname "$0")/../lib/lib.sh"

# refused PATTERN: hxsnap says 2 and PATTERN about the configuration c.json,
# in one line, and nothing came into being.
refused() {
	for cmd in "list" "create dev"; do
		# shellcheck disable=SC2086 # several words
		test_exit 2 hxsnap --config c.json $cmd >out 2>err &&
			test_line_count 0 out &&
			grep -v "^hint: " err >message &&
			test_line_count 1 message &&
			test_grep "^hxsnap: .*c.json" message &&
			test_grep "$1" message || return 1
	done &&
		test_path_is_missing "$STORE"
}

# config TEXT PATTERN
config() {
	printf '%s' "$1" >c.json && refused "$2"
}

# env TEXT PATTERN: the same for the object of environment dev.
env_is() {
	config '{"store": "store", "environments": {"dev": '"$1"'}}' "$2"
}

# source TEXT PATTERN: the same for source x of it.
source_is() {
	env_is '{"sources": {"x": '"$1"'}}' "$2"
}


x='{"sources": {"x": {"kind": "directory", "path": "x"}}'

test_expect_success 'no JSON object: empty, null, a list, a number, a text' '
	config "" "line 1" &&
	config "   " "line 1" &&
	config "null" "object" &&
	config "[]" "object" &&
	config "7" "object" &&
	config "\"x\"" "object"
'

test_expect_success 'no JSON: the line and the column are named' '
	config "{\"store\": \"s\",}" "line 1" &&
	config "{
	  // a comment
	}" "line 2" &&
	config "{
	  \"store\": NaN
	}" "line 2" &&
	config "{\"store\": \"s\"} x" "line 1" &&
	config "{\"store\": \"s\"" "line 1" &&
	config "{\"store\": 1e999}" "." &&
	config "{\"store\": \"\\ud800\"}" "line 1" &&
	config "{\"store\": \"a\\u0000b\"}" "line 1" &&
	{ printf "{\"store\": \"\\377\"}" >c.json && refused "line 1"; }
'

test_expect_success '100,000 levels of nesting, in no time and memory' '
	{ printf "%0100000d" 0 | tr 0 "[" && printf "%0100000d" 0 | tr 0 "]"; } \
		>c.json &&
	([ -n "$HXS_SAN" ] || ulimit -v 200000 && refused "deep")
'

test_expect_success 'unknown, missing and duplicate keys, by their path' '
	config "{\"stor\": \"s\"}" "stor" &&
	config "{\"environments\": {}}" "store" &&
	config "{\"store\": \"s\"}" "environments" &&
	config "{\"store\": \"s\", \"store\": \"t\", \"environments\": {}}" "store" &&
	config "{\"store\": \"s\", \"environments\": {}}" "environments" &&
	config "{\"store\": \"s\", \"environments\": {\"dev\": $x},
		\"dev\": $x}}}" "line 2.*dev" &&
	env_is "{}" "environments.dev.sources" &&
	env_is "{\"sources\": {}}" "environments.dev.sources" &&
	env_is "$x, \"color\": 1}" "environments.dev.*color" &&
	source_is "{\"path\": \"x\"}" "environments.dev.sources.x.kind" &&
	source_is "{\"kind\": \"directory\"}" "environments.dev.sources.x.path" &&
	source_is "{\"kind\": \"directory\", \"path\": \"x\", \"pth\": 1}" \
		"environments.dev.sources.x.*pth" &&
	source_is "{\"kind\": \"zip\", \"path\": \"x\"}" \
		"environments.dev.sources.x.kind"
'

test_expect_success 'wrong types, by their path' '
	config "{\"store\": 7, \"environments\": {\"dev\": $x}}}" "store" &&
	config "{\"store\": \"s\", \"environments\": []}" "environments" &&
	env_is "7" "environments.dev" &&
	env_is "{\"sources\": []}" "environments.dev.sources" &&
	env_is "$x, \"confirm\": \"yes\"}" "environments.dev.confirm" &&
	env_is "$x, \"settings\": \"A\"}" "environments.dev.settings" &&
	env_is "$x, \"settings\": [7]}" "environments.dev.settings" &&
	env_is "$x, \"hooks\": {\"before_create\": \"rm -rf /\"}}" \
		"environments.dev.hooks.before_create" &&
	env_is "$x, \"hooks\": {\"before_create\": [\"rm -rf /\"]}}" \
		"environments.dev.hooks.before_create" &&
	source_is "{\"kind\": \"directory\", \"path\": []}" \
		"environments.dev.sources.x.path" &&
	source_is "{\"kind\": \"directory\", \"path\": \"x\", \"exclude\": \"*.o\"}" \
		"environments.dev.sources.x.exclude"
'

test_expect_success 'impossible values' '
	env_is "$x, \"retention\": {\"last\": -1}}" "retention.last" &&
	env_is "$x, \"retention\": {\"last\": 1.5}}" "retention.last" &&
	env_is "$x, \"retention\": {\"last\": \"all\"}}" "retention.last" &&
	env_is "$x, \"retention\": {\"last\": 0}}" "retention" &&
	env_is "$x, \"retention\": {}}" "retention" &&
	env_is "$x, \"retention\": {\"last\": 1e30}}" "retention.last" &&
	env_is "$x, \"objectives\": {\"rpo\": \"soon\"}}" "objectives.rpo" &&
	env_is "$x, \"objectives\": {\"min_size\": \"-1MiB\"}}" \
		"objectives.min_size"
'

test_expect_success 'names that are none' '
	config "{\"store\": \"s\", \"environments\": {\"Dev\": $x}}}" "Dev" &&
	config "{\"store\": \"s\", \"environments\": {\"../x\": $x}}}" "\.\./x" &&
	config "{\"store\": \"s\", \"environments\": {\"\": $x}}}" "environments" &&
	env_is "{\"sources\": {\".x\": {\"kind\": \"directory\",
		\"path\": \"x\"}}}" "sources.*\.x"
'

test_expect_success 'paths that are none, or expect a shell' '
	source_is "{\"kind\": \"directory\", \"path\": \"\"}" "sources.x.path" &&
	source_is "{\"kind\": \"directory\", \"path\": \"~/x\"}" "sources.x.path" &&
	source_is "{\"kind\": \"directory\", \"path\": \"\$HOME/x\"}" \
		"sources.x.path" &&
	source_is "{\"kind\": \"directory\", \"path\": \"../x\"}" \
		"sources.x.path" &&
	source_is "{\"kind\": \"directory\", \"path\": \"/a/../b\"}" \
		"sources.x.path" &&
	config "{\"store\": \"\", \"environments\": {\"dev\": $x}}}" "store" &&
	config "{\"store\": \"~/s\", \"environments\": {\"dev\": $x}}}" "store"
'

test_expect_success 'places inside one another' '
	env_is "{\"sources\": {
		\"x\": {\"kind\": \"directory\", \"path\": \"a\"},
		\"y\": {\"kind\": \"directory\", \"path\": \"./a/\"}}}" "one place" &&
	env_is "{\"sources\": {
		\"x\": {\"kind\": \"directory\", \"path\": \"a\"},
		\"y\": {\"kind\": \"directory\", \"path\": \"a/b\"}}}" "inside" &&
	source_is "{\"kind\": \"directory\", \"path\": \"store/x\"}" "inside" &&
	source_is "{\"kind\": \"directory\", \"path\": \".\"}" "inside"
'

test_expect_success 'a secret is no setting' '
	env_is "$x, \"settings\": [\"API_KEY\"]}" "secret" &&
	env_is "$x, \"settings\": [\"db_password\"]}" "secret"
'

test_expect_success 'no file: a directory, a FIFO, a device' '
	rm -f c.json && mkdir d && ln -s d c.json && refused "directory" &&
	rm c.json && mkfifo c.json && refused "regular" &&
	rm c.json && ln -s /dev/null c.json && refused "regular" && rm c.json
'

test_expect_success '1 GiB of it is refused without reading it' '
	truncate -s 1G c.json && refused "16 MiB" && rm c.json
'

test_expect_success 'writable by everybody: refused, with what to do' '
	config "{\"store\": 7}" "store" &&
	chmod 666 c.json &&
	test_exit 2 hxsnap --config c.json list 2>err &&
	test_grep "writable" err && test_grep "^hint: .*chmod" err &&
	rm c.json
'

test_expect_success 'none at all: 4; one that was named must be there' '
	test_exit 4 hxsnap list 2>err &&
	test_grep "no configuration" err && test_grep "^hint: .*--store" err &&
	test_exit 4 hxsnap create dev 2>err && test_grep "\.env\.dev" err &&
	test_exit 4 hxsnap --config nowhere.json list 2>err &&
	test_grep "nowhere.json" err &&
	test_exit 4 env HXSNAP_CONFIG=nowhere.json hxsnap list 2>err &&
	test_grep "nowhere.json" err
'

test_expect_success 'which one counts: --config, the variable, ./hxsnap.json' '
	for n in 1 2 3; do
		hxsnap -q init "s$n" &&
		printf "{\"store\": \"s$n\", \"environments\": {\"dev\": $x}}}" \
			>"c$n.json" || return 1
	done &&
	mv c3.json hxsnap.json &&
	hxsnap list 2>err && test_grep "/s3" err &&
	HXSNAP_CONFIG=c2.json hxsnap list 2>err && test_grep "/s2" err &&
	HXSNAP_CONFIG=c2.json hxsnap --config c1.json list 2>err &&
	test_grep "/s1" err && rm hxsnap.json
'

test_expect_success 'an environment that is not in it: 4' '
	test_exit 4 hxsnap --config c1.json create live 2>err &&
	test_grep "live" err &&
	test_exit 4 hxsnap --config c1.json list live 2>err &&
	test_grep "live" err &&
	hxsnap --config c1.json list dev 2>err &&
	test_grep "no backups of .dev." err
'

test_expect_success 'a database and a program that are not there: no secret is told' '
	for source in "{\"kind\": \"postgres\", \"dsn\": \"postgresql://u:hunter2@127.0.0.1:1/d\"}" \
		"{\"kind\": \"command\", \"capture\": [\"no-such-program\", \"--token=hunter2\"],
		  \"restore\": [\"b\"],
		  \"file\": \"f\"}"; do
		printf "%s" "{\"store\": \"s1\", \"environments\":
			{\"dev\": {\"sources\": {\"x\": $source}}}}" >k.json &&
		test_must_fail hxsnap --config k.json create dev >out 2>err &&
		test_line_count 0 out &&
		test_grep "source .x.: " err &&
		test_grep ! hunter2 err || return 1
	done
'

test_expect_success 'an .env file that is wrong: the line, never what it says' '
	mkdir -p env/data && cd env &&
	printf "A=1\nhunter2 hunter2\n" >.env.dev &&
	test_exit 2 hxsnap create dev >out 2>err && test_line_count 0 out &&
	test_grep "\.env\.dev.*line 2" err && test_grep ! hunter2 err &&
	printf "PASSWORD=hunter2\n" >.env.dev &&
	test_exit 2 hxsnap create dev 2>err &&
	test_grep "EVENT_STORE_PATH" err && test_grep ! hunter2 err &&
	rm .env.dev && mkdir .env.dev &&
	test_exit 2 hxsnap create dev 2>err && test_grep "directory" err &&
	rmdir .env.dev && mkfifo .env.dev &&
	test_exit 2 hxsnap create dev 2>err && test_grep "regular" err &&
	cd .. && test_path_is_missing env/data/backups
'

test_done
