#!/bin/sh
# demo.sh: what `make demo` runs. A project of the kind hxsnap is for, a
# backup of it, the backup mounted; a flipped byte, and what it says; then an
# accident, and the restore of it from inside the mount.
#
# Runs as root or as an ordinary user. Everything happens in a directory of
# its own, which is gone in the end, whatever happens. HXS_BUILD is where the
# programs are.
set -eu

HXS_SRC=$(cd "$(dirname "$0")/.." && pwd -P)
PATH=${HXS_BUILD:-$HXS_SRC/build}:$PATH
LC_ALL=C
TZ=UTC
export PATH LC_ALL TZ
unset HXSNAP_CONFIG

dir=$(mktemp -d "${TMPDIR:-/tmp}/hxsnap-demo.XXXXXX")
dir=$(cd "$dir" && pwd -P)
mnt=$dir/project/mnt

clean_up() {
	status=$?
	trap - EXIT
	cd /
	if mountpoint -q "$mnt" 2>/dev/null; then
		take_off || fusermount3 -uz "$mnt" || umount -l "$mnt"
	fi
	rm -rf --one-file-system "$dir"
	[ "$status" -eq 0 ] || echo "demo: failed (status $status)" >&2
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ -t 1 ]; then
	bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
	bold='' plain=''
fi

say() {
	printf '\n%s\n' "$*"
}

# run COMMAND: show it, then do it, in the project.
run() {
	printf '%s$ %s%s\n' "$bold" "$1" "$plain"
	eval "$1"
}

# fails STATUS COMMAND: the same for one that is to end with this status.
fails() {
	printf '%s$ %s%s\n' "$bold" "$2" "$plain"
	status=0
	eval "$2" || status=$?
	if [ "$status" -ne "$1" ]; then
		echo "demo: status $status, and $1 was to be" >&2
		exit 1
	fi
	echo "(status $status, as it must be)"
}

take_off() {
	if [ "$(id -u)" -eq 0 ]; then
		umount "$mnt"
	else
		fusermount3 -u "$mnt"
	fi
}

mkdir -p "$mnt"
cd "$dir/project"

say "A project: a year of events, a database made from them, settings with a
secret among them."
mkdir -p data/dev/events data/dev/projections
awk 'BEGIN {
	split("31 28 31 30 31 30 31 31 30 31 30 31", days, " ")
	for (m = 1; m <= 12; m++)
		for (d = 1; d <= days[m]; d++) {
			file = sprintf("data/dev/events/2025-%02d-%02d.jsonl", m, d)
			for (h = 0; h < 24; h++)
				printf "{\"seq\": %d, \"at\": \"2025-%02d-%02dT%02d:00:00Z\", \"type\": \"note.added\"}\n",
					++n, m, d, h >file
			close(file)
		}
}'
sqlite3 data/dev/projections/notes.db '
	create table notes (seq integer primary key, at text);
	with recursive n(i) as (select 1 union all select i + 1 from n
		where i < 8760)
	insert into notes select i, "note " || i from n;'
cat >.env.dev <<'END'
ENV=dev
API_PORT=8000
EVENT_STORE_PATH=./data/dev/events
PROJECTIONS_DB_PATH=./data/dev/projections/notes.db
API_KEY=sk-not-for-backups
END
run 'ls data/dev/events | wc -l'
run 'grep -v KEY .env.dev'

say "A backup. Its id is all that standard output gets."
run 'id=$(hxsnap create dev)'
run 'echo $id'
run 'hxsnap list dev'

say "It is plain files: coreutils can check it, and so can hxsnap."
run '(cd data/backups/dev/$id && sha256sum -c --strict --quiet manifest.sha256 && echo all right)'
run 'hxsnap verify dev/$id'

say "Mounted, every byte is checked as it is read."
run 'hxsnapfs data mnt'
run 'ls -l mnt/dev'
run 'ls mnt/dev/latest mnt/dev/latest/events | head -n 12'
run 'cp -a mnt/dev/latest/events copy && diff -r data/dev/events copy && echo the same'
run '(cd mnt/dev/latest && sha256sum -c --strict --quiet manifest.sha256 && echo all right)'
run 'sqlite3 -readonly mnt/dev/latest/projections/notes.db "select count(*) from notes"'

say "The next day: unchanged files are not copied again."
run 'echo "{\"seq\": 8761}" >data/dev/events/2026-01-01.jsonl'
run 'hxsnap create dev'
run 'hxsnap diff dev/$id dev/latest'

say "A disk changes one byte, behind everybody's back. Nobody is shown the wrong
byte; the other files can be read."
take_off
run 'printf X | dd of=data/backups/dev/$id/events/2025-06-15.jsonl bs=1 seek=700 conv=notrunc status=none'
run 'hxsnapfs data mnt'
fails 1 'cat mnt/dev/$id/events/2025-06-15.jsonl'
run 'head -n 1 mnt/dev/$id/events/2025-06-16.jsonl'

say "hxsnap verify names the place and tells programs by its status. Backups
share the copies of files that did not change, so several may tell."
fails 3 'hxsnap verify dev'
run 'hxsnap list dev'

say "The source is still right: a full backup reads everything anew."
damaged=$id
run 'id=$(hxsnap create dev --full)'
run 'hxsnap verify dev/$id'
run 'cmp mnt/dev/$id/events/2025-06-15.jsonl data/dev/events/2025-06-15.jsonl && echo the same'

say "Then an accident in the live data."
run 'rm data/dev/events/2025-0*.jsonl'
run 'sqlite3 data/dev/projections/notes.db "delete from notes"'
run 'ls data/dev/events | wc -l'
run 'hxsnap restore dev/latest --dry-run | tail -n 2'

say "Restored from inside the mount: staged, verified, exchanged in one step. The
write returns when it is done."
run '(cd mnt/dev/latest && echo restore >.control && cat .control)'
run 'ls data/dev/events | wc -l'
run 'sqlite3 data/dev/projections/notes.db "select count(*) from notes"'
run 'diff -r mnt/dev/latest/events data/dev/events && echo the same'

say "A damaged backup is refused, and nothing is changed."
fails 1 'echo restore >mnt/dev/$damaged/.control'
run 'cat mnt/.control'

say "What there was before the restore is kept, and every act is on record."
run 'hxsnap list dev --rollbacks'
run 'hxsnap rollback dev'
run 'ls data/dev/events | wc -l'
run 'hxsnap rollback dev'
run 'ls data/dev/events | wc -l'
run 'tail -n 1 data/.hxsnap/audit.log'
take_off

say "That was all. README.md says how to set it up for data of your own."
