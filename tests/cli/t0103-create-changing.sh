#!/bin/sh
# shellcheck disable=SC2016 # bodies are evaluated later
test_description='create: data that change while they are captured'
. "$(dirname "$0")/../lib/lib.sh"

# Run the python program on standard input in the background; it says
# "ready", and goes on until it is killed.
writer() {
	rm -f ready
	cat >writer.py
	python3 writer.py "$@" >ready 2>writer.err &
	pid=$!
	test_when_finished "kill $pid; wait $pid; :"
	test_poll 10 "grep -q ready ready"
}

# Nothing that looks like a snapshot, nor what one is made of.
nothing() {
	[ ! -e "$STORE/backups/dev" ] || {
		ls -A "$STORE/backups/dev" >left && test_line_count 0 left; }
}

test_expect_success 'set up' '
	new_env dev && make_store && echo x >"$STATE/x"
'

test_expect_success 'a file that grows without end: fails, naming it' '
	truncate -s 64M "$EVENTS/log" && writer "$EVENTS/log" <<-\END &&
	import os, sys
	fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
	os.write(fd, b"x"); print("ready", flush=True)
	while True: os.write(fd, b"x")
	END
	test_exit 1 hxsnap create dev >out 2>err && test_line_count 0 out &&
	test_grep "events/log.: it changed while it was read, three times" err &&
	test_grep "no snapshot was made" err && nothing
'

test_expect_success 'once it is at rest: right' '
	id=$(hxsnap -q create dev) &&
	test_same_tree "$EVENTS" "$STORE/backups/dev/$id/events" &&
	rm -rf "$STORE/backups/dev" "$EVENTS/log"
'

test_expect_success 'rewritten in place: never a mixture' '
	writer "$EVENTS/page" <<-\END &&
	import os, sys, time
	fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
	os.write(fd, b"0" * 262144); print("ready", flush=True)
	n = 0
	while True:
	    n += 1
	    os.pwrite(fd, b"%d" % (n % 10) * 262144, 0)
	    time.sleep(n % 7 * 0.005)
	END
	made=0 && for i in $(seq 40); do
		status=0
		id=$(hxsnap -q create dev 2>err) || status=$?
		case $status in
		0)	made=$((made + 1))
			head -c 1 "$STORE/backups/dev/$id/events/page" >one &&
			tr -d "$(cat one)" \
				<"$STORE/backups/dev/$id/events/page" >rest &&
			[ ! -s rest ] && hxsnap -q verify "dev/$id" &&
			rm -rf "$STORE/backups/dev/$id" || return 1 ;;
		1)	test_grep "events/page.: it changed" err &&
			nothing || return 1 ;;
		*)	cat err && return 1 ;;
		esac
	done && echo "$made made" && rm -rf "$EVENTS/page" "$STORE/backups/dev"
'

test_expect_success 'replaced by rename, made and deleted: whole files only' '
	writer "$EVENTS" <<-\END &&
	import os, sys
	os.chdir(sys.argv[1]); n = 0
	while True:
	    n += 1
	    name, text = "f%d" % (n % 50), b"%d\n" % n * 1000
	    with open("new", "wb") as f: f.write(text)
	    os.rename("new", name)
	    os.makedirs("d/%d" % (n % 20), exist_ok=True)
	    with open("d/%d/x" % (n % 20), "wb") as f: f.write(text)
	    os.rename("d/%d/x" % (n % 20), "d/%d/y" % (n % 20))
	    if n % 3 == 0:
	        os.unlink("f%d" % (n * 7 % 50)) if os.path.exists("f%d" % (n * 7 % 50)) else 0
	        k = "d/%d" % (n * 11 % 20)
	        if os.path.exists(k + "/y"): os.unlink(k + "/y"); os.rmdir(k)
	    if n == 200: print("ready", flush=True)
	END
	made=0 && for i in $(seq 15); do
		status=0
		id=$(hxsnap -q create dev 2>err) || status=$?
		if [ "$status" -eq 0 ]; then
			made=$((made + 1))
			find "$STORE/backups/dev/$id/events" -type f \
				! -name new ! -name x >files
			while read -r f; do
				sort -u "$f" >lines && test_line_count 1 lines &&
				test_line_count 1000 "$f" || return 1
			done <files
			hxsnap -q verify "dev/$id" || return 1
		else
			[ "$status" -eq 1 ] && test_grep "three times" err ||
				return 1
		fi
	done && echo "$made made" && [ "$made" -gt 0 ]
'

test_expect_success 'hard links made, moved and broken meanwhile: still right' '
	rm -rf "$EVENTS" "$STORE/backups/dev" && mkdir "$EVENTS" &&
	writer "$EVENTS" <<-\END &&
	import os, sys
	os.chdir(sys.argv[1]); n = 0
	for i in range(300):
	    with open("a%d" % i, "wb") as f: f.write(b"%d\n" % i * 10)
	    os.link("a%d" % i, "b%d" % i); os.link("a%d" % i, "c%d" % i)
	print("ready", flush=True)
	while True:
	    n += 1; i = n % 300
	    with open("new", "wb") as f: f.write(b"%d\n" % i * 10)
	    os.rename("new", "%s%d" % ("abc"[n % 3], i))
	    try: os.link("b%d" % i, "l"); os.rename("l", "c%d" % i)
	    except OSError: pass
	END
	made=0 && for i in $(seq 8); do
		id=$(hxsnap -q create dev 2>err) || {
			test_grep "three times" err && continue; }
		made=$((made + 1)) &&
		(cd "$STORE/backups/dev/$id/events" && for f in [abc]*; do
			n=${f#?} && [ "$(sort -u "$f")" = "$n" ] || exit 1
		done) && hxsnap -q verify "dev/$id" || return 1
	done && [ "$made" -gt 0 ]
'

test_expect_success 'a directory that becomes a link while it is captured' '
	rm -rf "$EVENTS" "$STORE/backups/dev" && mkdir -p "$EVENTS/d" outside &&
	echo secret >outside/f && writer "$EVENTS" "$TRASH/outside" <<-\END &&
	import os, sys
	os.chdir(sys.argv[1]); out = sys.argv[2]
	for i in range(400):
	    os.makedirs("d/%d" % i); open("d/%d/f" % i, "w").write("fine\n")
	os.symlink(out, "l"); print("ready", flush=True)
	n = 0
	while True:
	    n += 1; k = "d/%d" % (n * 37 % 400)
	    os.rename(k, "aside"); os.rename("l", k)
	    os.rename(k, "l"); os.rename("aside", k)
	END
	for i in $(seq 10); do
		id=$(hxsnap -q create dev 2>err) || {
			grep -q "three times" err || { cat err && return 1; }
			continue
		}
		test_must_fail grep -rl secret "$STORE" || return 1
	done
'

test_done
