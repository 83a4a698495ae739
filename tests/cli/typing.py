#!/usr/bin/env python3
"""typing.py SHELL RC LINE: type LINE and TAB in an interactive shell that has
read RC, and print the words that stand there then, one a line."""

import os
import pty
import select
import sys
import time

shell, rc, line = sys.argv[1:4]
LIMIT = 30

pid, fd = pty.fork()
if pid == 0:
    os.environ.update(TERM="dumb", PS1="READY> ", INPUTRC="/dev/null")
    if shell == "bash":
        os.execvp("bash", ["bash", "--noprofile", "--rcfile", rc, "-i"])
    os.environ["ZDOTDIR"] = os.path.dirname(rc)
    os.execvp("zsh", ["zsh", "-i"])

seen = b""


def wait_for(what):
    global seen
    end = time.monotonic() + LIMIT
    while what not in seen:
        ready, _, _ = select.select([fd], [], [], max(0, end - time.monotonic()))
        if not ready:
            sys.exit("nothing like %r in %r" % (what, seen))
        try:
            data = os.read(fd, 4096)
        except OSError:
            data = b""
        if not data:
            sys.exit("the shell ended: %r" % seen)
        seen += data
    seen = seen[seen.index(what) + len(what):]


wait_for(b"READY> ")
# TAB; then ctrl-A makes a command of it that tells its words.
os.write(fd, line.encode() + b"\t\x01show_words \n")
wait_for(b"[words]\r\n")
text = b""
while b"[end]" not in seen:
    ready, _, _ = select.select([fd], [], [], LIMIT)
    if not ready:
        sys.exit("no end: %r" % seen)
    seen += os.read(fd, 4096)
print(seen[:seen.index(b"[end]")].decode().replace("\r\n", "\n"), end="")
os.write(fd, b"exit\n")
os.close(fd)
os.waitpid(pid, 0)
