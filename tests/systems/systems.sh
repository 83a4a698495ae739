# shellcheck shell=sh
# shellcheck disable=SC3043,SC2016,SC2034 # 'local' is known to every sh we run on
#
# What the system tests share. To be read after lib.sh.
#
# Each follows a page of examples/: its configuration and its commands are
# taken from there, so that the page cannot say what does not work. A block of
# a page that is marked
#
#	<!-- block: NAME -->
#
# is one that a test has to use: `block NAME` runs it, `block_text NAME` says
# what is in it.

# page NAME [SED-OPTIONS]: take apart examples/NAME.md; SED-OPTIONS turn its
# paths into those of the test.
page() {
	PAGE=$HXS_SRC/examples/$1.md
	BLOCKS=$TRASH/.blocks
	shift
	mkdir -p "$BLOCKS" "$BLOCKS.used" &&
		sed "$@" "$PAGE" | awk -v dir="$BLOCKS" '
		/^<!-- block: [A-Za-z0-9._-]+ -->$/ { name = $3; next }
		/^```/ && inside { close(inside); inside = ""; next }
		/^```/ && name {
			inside = dir "/" name
			if (seen[name]++)
				exit 1
			printf "" >inside
			name = ""
			next
		}
		inside { print >inside }'
}

# block_text NAME
block_text() {
	: >"$BLOCKS.used/$1"
	cat "$BLOCKS/$1"
}

# block NAME: run it in the current directory, as it stands, up to the first
# command that fails. It keeps no variables; hxsnap finds the configuration
# here.
block() {
	block_text "$1" >"$TRASH/.block" || return 1
	sed 's/^/$ /' "$TRASH/.block" >&2
	env -u HXSNAP_CONFIG sh -e "$TRASH/.block"
}

# blocks_used: every one of the page was.
blocks_used() {
	ls "$BLOCKS" >"$TRASH/.there" && ls "$BLOCKS.used" >"$TRASH/.used" &&
		[ -s "$TRASH/.there" ] && test_cmp "$TRASH/.there" "$TRASH/.used"
}

# spy_on SECRET... [-- DIR...]: look for them among the arguments of all that
# runs, and in small files below DIRs, until spied says whether any was there.
spy_on() {
	: >"$TRASH/.secrets"
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		printf '%s\n' "$1" >>"$TRASH/.secrets" && shift
	done
	[ $# -eq 0 ] || shift
	rm -f "$TRASH/.spy" && { spy.py "$TRASH/.spy" "$@" <"$TRASH/.secrets" & } &&
		spy=$! && test_poll 20 'grep -qs looked "$TRASH/.spy"'
}

spied() {
	kill "$spy" && wait "$spy" && cat "$TRASH/.spy" &&
		test_grep "^rounds [0-9]*[0-9]\$" "$TRASH/.spy" &&
		test_grep ! "^found: " "$TRASH/.spy"
}

# not_in PATH...: nor are any of them in these.
not_in() {
	! grep -rlFf "$TRASH/.secrets" "$@"
}

# counts_are DIR DATABASE: DIR, a source in a backup, names every table of this
# database of the PG* variables, with as many rows as it has, and no other.
counts_are() {
	python3 - "$1" "$2" <<-\END
	import json, os, subprocess, sys
	from urllib.parse import unquote

	def ask(sql):
	    out = subprocess.run(["psql", "-XqAtz0", "-F/", "-d", sys.argv[2]],
	                         input=sql, text=True, check=True,
	                         capture_output=True).stdout
	    return [line for line in out.split("\0") if line]

	tables = ask("""SELECT format('SELECT %L, count(*) FROM %I.%I;',
	    nspname || '.' || relname, nspname, relname)
	    FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
	    WHERE relkind IN ('r', 'm') AND nspname !~ '^(pg_|information_schema)'""")
	have = sorted(row.rsplit("/", 1) for row in ask("\n".join(tables)))
	said = []
	top = sys.argv[1] + "/schemas"
	for where, _, names in os.walk(top):
	    for name in names:
	        with open(os.path.join(where, name)) as f:
	            rows = json.load(f)["rows"]
	        said.append([unquote(os.path.relpath(where, top)) + "." +
	                     unquote(name), str(rows)])
	if not have or have != sorted(said):
	    sys.exit(f"there are {have}, and the backup says {sorted(said)}")
	END
}

# pg_text [PG_DUMP-OPTIONS]: a database as text, without what is different each
# time.
pg_text() {
	pg_dump "$@" >"$TRASH/.text" && sed '/^\\\(un\)*restrict /d' "$TRASH/.text"
}

# diag TEXT: what was measured; tests are not judged by it.
diag() {
	echo "# $*" >&5
}
