# shellcheck shell=sh
# shellcheck disable=SC3043 # 'local' is known to every sh we run on
# shellcheck disable=SC2034 # what is set here is used by tests
#
# A PostgreSQL server of the test's own. To be read after lib.sh.
#
#	pg_init && pg_start &&
#	pg_super postgres "CREATE DATABASE d OWNER $PG_OWNER" &&
#	pg_sql d "CREATE TABLE t (n int)" &&
#	dsn=$(pg_dsn d)
#
# It lives in $PG_DIR, below $TRASH, listens there and on 127.0.0.1:$PG_PORT,
# and wants scram-sha-256 from everybody. Roles: $PG_SUPER, who may all, and
# $PG_OWNER, an ordinary one that may create databases; with the passwords
# $PG_SUPER_PASSWORD and $PG_PASSWORD, which stand nowhere else. As root the
# server runs as the user postgres. Whatever a test forgets, lib.sh ends it
# with everything else that carries $HXS_TRASH.

PG_DIR=$TRASH/pg
PG_SUPER=overseer
PG_OWNER=app
PG_FSYNC=${PG_FSYNC:-off}
# Words that no file, log or argument list may hold.
PG_SUPER_PASSWORD=hxsecret-over-$$-$(date +%N)
PG_PASSWORD=hxsecret-app-$$-$(date +%N)

# Where the server's own programs are: the newest of those that there are.
pg_find_() {
	local dir newest=
	for dir in /usr/lib/postgresql/*/bin; do
		if [ -x "$dir/initdb" ] &&
			{ [ -z "$newest" ] || [ "$(pg_number_ "$dir")" -gt \
				"$(pg_number_ "$newest")" ]; }; then
			newest=$dir
		fi
	done
	[ -n "$newest" ] || newest=$(pg_config --bindir 2>/dev/null)
	[ -x "$newest/initdb" ] && echo "$newest"
}
pg_number_() {
	local version="${1#/usr/lib/postgresql/}"
	version=${version%/bin}
	echo "${version%%.*}"
}
PG_BIN=${PG_BIN:-$(pg_find_)}

# Run it as whoever the server runs as.
pg_as_() {
	if [ "$(id -u)" -eq 0 ]; then
		(cd / && setpriv --reuid postgres --regid postgres \
			--init-groups -- "$@")
	else
		"$@"
	fi
}

# shellcheck disable=SC2016 # tried when asked for
test_lazy_prereq POSTGRES 'a PostgreSQL server, and as root its user' '
	[ -n "$PG_BIN" ] && command -v psql && pg_as_ "$PG_BIN/postgres" -V'

# pg_init ["SETTING = VALUE"...]: a new cluster; it is not running yet.
pg_init() {
	local line
	mkdir -p "$PG_DIR" && chmod 700 "$PG_DIR" &&
		printf '%s\n' "$PG_SUPER_PASSWORD" >"$PG_DIR/password" || return 1
	if [ "$(id -u)" -eq 0 ]; then
		chown -R postgres: "$PG_DIR" || return 1
	fi
	pg_as_ "$PG_BIN/initdb" -D "$PG_DIR/data" -U "$PG_SUPER" -E UTF8 \
		--locale=C.UTF-8 -A scram-sha-256 --no-sync \
		--pwfile="$PG_DIR/password" >"$TRASH/pg.init" 2>&1 || {
		cat "$TRASH/pg.init" >&2
		return 1
	}
	rm -f "$PG_DIR/password" &&
		cat >>"$PG_DIR/data/postgresql.conf" <<-END &&
		listen_addresses = '127.0.0.1'
		unix_socket_directories = '$PG_DIR'
		fsync = $PG_FSYNC
		shared_buffers = 32MB
		autovacuum = off
		END
		for line; do
			echo "$line"
		done >>"$PG_DIR/data/postgresql.conf"
}

# pg_start: start it, after whatever ended it; the first time make the roles.
# The port stays the same, unless somebody else took it.
pg_start() {
	local try
	for try in 1 2 3 4 5; do
		[ -n "${PG_PORT:-}" ] || PG_PORT=$(pg_port_) || return 1
		if pg_as_ "$PG_BIN/pg_ctl" -D "$PG_DIR/data" -w -t 60 \
			-l "$PG_DIR/log" -o "-p $PG_PORT" start \
			>"$TRASH/pg.start" 2>&1; then
			pg_roles_
			return
		fi
		[ -e "$PG_DIR/roles" ] || PG_PORT=''
	done
	cat "$TRASH/pg.start" "$PG_DIR/log" >&2
	return 1
}

# One that nobody has at the moment.
pg_port_() {
	python3 -c 'import socket; s = socket.socket()
s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

pg_roles_() {
	[ ! -e "$PG_DIR/roles" ] || return 0
	pg_super postgres <<-END && : >"$PG_DIR/roles"
	CREATE ROLE $PG_OWNER LOGIN CREATEDB PASSWORD '$PG_PASSWORD';
	END
}

# pg_stop [MODE]: stop it; MODE "immediate" is a crash. Not running is fine.
pg_stop() {
	[ -e "$PG_DIR/data/postmaster.pid" ] || return 0
	pg_as_ "$PG_BIN/pg_ctl" -D "$PG_DIR/data" -w -t 60 -m "${1:-fast}" \
		stop >"$TRASH/pg.stop" 2>&1 || {
		cat "$TRASH/pg.stop" >&2
		return 1
	}
}

# pg_crash: as if its machine had lost its power, but for what was written.
pg_crash() {
	pg_stop immediate
}

# pg_sql DATABASE [SQL] [PSQL-OPTIONS]: as $PG_OWNER; without SQL ("" or
# nothing) statements are read from standard input. Prints rows, columns
# separated by "|"; fails at the first fault.
pg_sql() {
	PGPASSWORD=$PG_PASSWORD pg_psql_ "$PG_OWNER" "$@"
}

# pg_super DATABASE [SQL] [PSQL-OPTIONS]: the same as $PG_SUPER.
pg_super() {
	PGPASSWORD=$PG_SUPER_PASSWORD pg_psql_ "$PG_SUPER" "$@"
}

pg_psql_() {
	local user="$1" db="$2" sql="${3:-}"
	shift 2
	[ $# -eq 0 ] || shift
	export PGPASSWORD
	[ -z "$sql" ] || set -- -c "$sql" "$@"
	PGHOST=$PG_DIR PGPORT=$PG_PORT PGUSER=$user PGDATABASE=$db \
		PGCONNECT_TIMEOUT=20 psql -XqAt -v ON_ERROR_STOP=1 "$@"
}

# pg_dsn DATABASE [ROLE PASSWORD]: a URI for $PG_OWNER, or for that one, over
# TCP. DATABASE is written as it stands: odd ones come percent-encoded.
pg_dsn() {
	printf 'postgresql://%s:%s@127.0.0.1:%s/%s\n' "${2:-$PG_OWNER}" \
		"${3:-$PG_PASSWORD}" "$PG_PORT" "$1"
}

# pg_source DATABASE [MORE]: write hxsnap.json for the environment dev, whose
# source "database" this is; MORE is put into that (", \"jobs\": 2").
pg_source() {
	HXSNAP_CONFIG=$TRASH/hxsnap.json
	export HXSNAP_CONFIG
	cat >"$HXSNAP_CONFIG" <<-END
	{"store": "$STORE", "environments": {"dev": {"sources": {"database":
		{"kind": "postgres", "dsn": "$(pg_dsn "$1")"${2:-}}}}}}
	END
}

# pg_databases: the names of all but the server's own.
pg_databases() {
	pg_super postgres "SELECT datname FROM pg_database WHERE datname NOT IN
		('postgres', 'template0', 'template1') ORDER BY 1"
}
