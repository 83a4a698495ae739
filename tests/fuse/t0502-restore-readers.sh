#!/bin/sh
# shellcheck disable=SC2016,SC2034 # bodies are evaluated later
test_description='readers: through restores, backups and removals, and while a restore is held still'

. "$(dirname "$0")/../lib/lib.sh"
. "$HXS_SRC/tests/lib/restore.sh"

# make crash T=t0502 tries all of it.
ROUNDS=6
STEP=60
if [ -n "${HXS_CRASH:-}" ]; then
	ROUNDS=100
	STEP=1
elif [ -n "${HXS_SAN:-}" ]; then
	ROUNDS=4
	STEP=200
fi

test_lazy_prereq SQLITE 'sqlite3' 'sqlite3 -version'

# reader.py mount MNT STORE: one pass over every snapshot that MNT lists: all
# its files are there, can be read, and say the same. One that is not in STORE
# any more may have gone while it was read.
# reader.py live DIR...: the same of each DIR, through one open directory.
cat >reader.py <<\END
import errno, os, sys

WORDS = (b"first", b"second")
NAMES = ["0", "1", "2", "app.db", "large"]

def look(top):
    said = set()
    fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        names = sorted(os.listdir(fd))
        if names != NAMES:
            sys.exit("%s holds %s" % (top, names))
        for name in names:
            with open(os.open(name, os.O_RDONLY, dir_fd=fd), "rb") as f:
                data = f.read()
            said.add(tuple(w for w in WORDS if w in data))
    finally:
        os.close(fd)
    return said

def agree(what, said):
    if len(said) != 1 or len(list(said)[0]) != 1:
        sys.exit("%s says %s" % (what, said))

def look_at_snapshot(at, in_store):
    said = set()
    try:
        for source in ("events", "state"):
            said |= look(at + "/" + source)
    except OSError as e:
        if (e.errno not in (errno.ENOENT, errno.ESTALE) or
            os.path.exists(in_store)):
            raise
        return
    agree(at, said)

def look_at_mount(mnt, store):
    for area, there in (("/dev", "/backups/dev"),
                        ("/dev/.rollbacks", "/rollbacks/dev")):
        if not os.path.isdir(store + there):
            continue
        for id in sorted(os.listdir(mnt + area)):
            at = mnt + area + "/" + id
            if id[0] != "." and not os.path.islink(at):
                look_at_snapshot(at, store + there + "/" + id)
    if not os.path.isdir("%s/dev/%s" % (mnt, os.readlink(mnt + "/dev/latest"))):
        sys.exit("latest leads nowhere")

if sys.argv[1] == "mount":
    look_at_mount(sys.argv[2], sys.argv[3])
else:
    for top in sys.argv[2:]:
        agree(top, look(top))
END

# fill WORD: the live data, all of which say it
fill() {
	local dir n
	for dir in "$EVENTS" "$STATE"; do
		rm -f "$dir"/* && for n in 0 1 2; do
			echo "$1" >"$dir/$n" || return 1
		done && yes "$1" | head -c 300000 >"$dir/large" &&
			sqlite3 "$dir/app.db" "create table t(word);
				insert into t values('$1')" || return 1
	done
}

# What programs do with a backup: NAME, COMMAND.
cat >readers <<\END
sums cd mnt/dev/$FIRST && sha256sum -c --strict --quiet manifest.sha256
cats find mnt/dev/$SECOND -type f -exec cat {} + | cmp - second.all
base [ "$(sqlite3 -readonly mnt/dev/$FIRST/state/app.db "pragma integrity_check; select word from t" | tr "\n" " ")" = "ok first " ]
list ls -lR mnt/dev/$FIRST mnt/dev/$SECOND
tars tar -cf /dev/null --warning=no-file-ignored mnt/dev/$FIRST
whole python3 reader.py mount mnt "$STORE"
live python3 reader.py live "$EVENTS" "$STATE"
END

# loop NAME COMMAND: again and again until there is a file "stop"; how often
# is in NAME.passes. The first failure ends it.
loop() {
	local passes=0
	until [ -e stop ]; do
		(eval "$2") >"$1.log" 2>&1 || return 1
		passes=$((passes + 1))
		echo $passes >"$1.new" && mv "$1.new" "$1.passes" || return 1
	done
}

begin_readers() {
	local name line
	rm -f stop ./*.passes ./*.end
	while read -r name line; do
		{ loop "$name" "$line"
			echo $? >"$name.end.new"
			mv "$name.end.new" "$name.end"; } &
	done <readers
}

# Every reader has begun and ended one more pass since now.
all_pass() {
	local name line was want=''
	while read -r name line; do
		was=$(cat "$name.passes" 2>/dev/null)
		want="$want$name $((${was:-0} + 2))
"
	done <readers
	echo "$want" >wanted
	while read -r name was; do
		[ -z "$name" ] || test_poll 120 "[ -e $name.end ] || { [ -e $name.passes ] &&
			[ \"\$(cat $name.passes)\" -ge $was ]; }" || return 1
		[ ! -e "$name.end" ] || {
			echo "$name ended: $(cat "$name.log")"
			return 1
		}
	done <wanted
}

end_readers() {
	local name line
	: >stop
	while read -r name line; do
		test_poll 120 "[ -e $name.end ]" || return 1
		[ "$(cat "$name.end")" -eq 0 ] || {
			echo "$name: $(cat "$name.log")"
			return 1
		}
	done <readers
}

# remove DIR: as a retention does it, by one rename.
remove() {
	mv "$1" "$TRASH/gone" && rm -r "$TRASH/gone"
}

no_damage() {
	jq -e '.damage | [.blocks, .files, .snapshots, .unlisted] | add == 0' \
		"$1/.status"
}

# a_round N: the other state is restored; in turn a backup is made and an
# older one removed, and an old rollback point.
a_round() {
	local id=$FIRST want=first old
	if [ $(($1 % 2)) -eq 1 ]; then
		id=$SECOND
		want=second
	fi
	hxsnap -q restore --force "dev/$id" >out && no_remains &&
		[ "$(cat "$EVENTS/0" "$STATE/2" | sort -u)" = $want ] || return 1
	if [ $(($1 % 3)) -eq 0 ]; then
		old=$spare && spare=$(hxsnap -q create dev) &&
			remove "$STORE/backups/dev/$old" || return 1
	elif [ "$(ls "$STORE/rollbacks/dev" | wc -l)" -gt 3 ]; then
		old=$(ls "$STORE/rollbacks/dev" | head -n 1) &&
			remove "$STORE/rollbacks/dev/$old" || return 1
	fi
	all_pass
}

test_expect_success SQLITE 'two backups, and a third' '
	new_env && make_store && fill first && FIRST=$(hxsnap -q create dev) &&
	fill second && SECOND=$(hxsnap -q create dev) && export FIRST SECOND &&
	spare=$(hxsnap -q create dev)
'

test_expect_success FUSE,SQLITE 'nobody sees an error or a mixture, and nobody stands still' '
	mount_store mnt && test_when_finished "umount_store mnt" &&
	find mnt/dev/$SECOND -type f -exec cat {} + >second.all &&
	begin_readers && test_when_finished end_readers && all_pass &&
	for round in $(seq $ROUNDS); do
		a_round $round || return 1
	done && end_readers && no_damage mnt && hxsnap -q verify dev
'

# other: the backup that is not live now, in $id
other() {
	case $(cat "$EVENTS/0") in
	first) id=$SECOND ;;
	*) id=$FIRST ;;
	esac
}

# held N: a restore stands still at its N-th change while all.sh is carried
# out, and is killed then; what remains of it is put right.
held() {
	local status
	other
	nthcall -f locks -m -x "timeout 120 sh '$TRASH/all.sh'" "$1" kill \
		hxsnap -q restore "dev/$id" >out 2>err
	status=$?
	# a journal that never came to be: the next one is written over it
	[ $status -eq 137 ] && hxsnap -q recover &&
		rm -f "$STORE/.hxsnap/journal/.tmp-dev" && no_remains &&
		python3 reader.py live "$EVENTS" "$STATE" &&
		cmp "$EVENTS/large" "$STATE/large" || {
		echo "at $1: $status" && cat out err
		return 1
	}
}

# At one change after another, and at each name that it changes: among those
# are the exchanges.
test_expect_success FUSE,SQLITE,PTRACE 'while a restore stands still, everybody reads everything' '
	cat >all.sh <<-\END &&
	cd "$TRASH" && n=0 &&
	while read -r name line; do
		n=$((n + 1)) && (eval "$line") >$name.log 2>&1 ||
			{ echo "$name: $(cat $name.log)"; exit 1; }
	done <readers && [ $n -ge 7 ] && hxsnapfs "$STORE" late && {
		python3 reader.py mount late "$STORE" && cat late/.status >late.status
		read=$?
		umount late
	} && [ $read -eq 0 ] && jq -e ".recovery.error == null" late.status
	END
	mount_store mnt && test_when_finished "umount_store mnt" && mkdir -p late &&
	find mnt/dev/$SECOND -type f -exec cat {} + >second.all && other &&
	nthcall -l -f locks -m 0 kill hxsnap -q restore dev/$id 2>err &&
	sed -nE "s/^nthcall: ([0-9]+): .*/\1/p" err | head -n -5 >every &&
	sed -nE "s/^nthcall: ([0-9]+): rename.*/\1/p" err >renames &&
	[ "$(wc -l <renames)" -ge 5 ] &&
	for n in $(sed -n "1~${STEP}p" every | sort -n - renames | uniq); do
		held $n || return 1
	done && no_damage mnt && python3 reader.py mount mnt "$STORE" &&
	test_poll 20 "! findmnt -n \"$TRASH/late\" >/dev/null"
'

# removed.py MNT STORE: snapshots of other/ are removed, each while a file of it
# was read and another is about to be.
cat >removed.py <<\END
import errno, os, shutil, sys

mnt, store = sys.argv[1:]
for id in sorted(os.listdir(store + "/backups/other")):
    fd = os.open("%s/other/%s/events" % (mnt, id), os.O_RDONLY)
    os.close(os.open("0", os.O_RDONLY, dir_fd=fd))
    os.rename("%s/backups/other/%s" % (store, id), store + "/gone")
    shutil.rmtree(store + "/gone")
    try:
        os.open("1", os.O_RDONLY, dir_fd=fd)
        sys.exit("%s: what was removed can be opened" % id)
    except OSError as e:
        if e.errno not in (errno.ENOENT, errno.ESTALE):
            raise
    os.close(fd)
END

test_expect_success FUSE 'what is removed is gone, and not damaged' '
	for day in $(seq -w 20); do
		dir=$STORE/backups/other/202501${day}T000000Z &&
		mkdir -p "$dir/events" && echo a >"$dir/events/0" &&
		echo b >"$dir/events/1" &&
		(cd "$dir" && sha256sum events/* >manifest.sha256) || return 1
	done && mount_store mnt && test_when_finished "umount_store mnt" &&
	python3 removed.py mnt "$STORE" && no_damage mnt
'

test_done
