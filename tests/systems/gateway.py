#!/usr/bin/env python3
"""A gateway whose state comes and goes over HTTP, as SONIA has one.

    gateway.py PORT-FILE JOURNAL VERSION [STATE]

GET /v1/state/PART gives the state of "sessions" or "calendar" as JSON, PUT
takes one in its place. It takes none of another VERSION than its own (422),
and nobody without the token that $GATEWAY_TOKEN says (401). GET /health says
"ok" as long as there is something in its calendar.

It works all the time: it says things in its sessions, each first a line of
JOURNAL, "SEQ<tab>SESSION<tab>TEXT"; from when SIGUSR1 comes on it says nothing
more. After SIGUSR2 each capture of a part waits until the other is being
captured, too, and fails if that takes 20 seconds.

STATE is where it keeps its state when it is told to end, and takes it from;
PORT-FILE is where it keeps its port.
"""
import http.server
import json
import os
import random
import signal
import sys
import threading
import time

PARTS = "sessions", "calendar"
TOKEN = "Bearer " + os.environ["GATEWAY_TOKEN"]

lock = threading.Lock()
both = threading.Barrier(2)
quiet = threading.Event()
together = threading.Event()
state = {}


def fresh(version):
    rng = random.Random(8)
    return {
        "sessions": {"version": version, "seq": 0, "said": {}},
        "calendar": {"version": version, "entries": [
            {"id": n, "at": 1735689600 + 3600 * n, "text": "%x" % rng.getrandbits(60)}
            for n in range(20000)]},
    }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def part(self):
        if self.headers.get("Authorization") != TOKEN:
            self.answer(401)
            return None
        part = self.path.rpartition("/")[2]
        if self.path != "/v1/state/" + part or part not in PARTS:
            self.answer(404)
            return None
        return part

    def do_GET(self):
        if self.path == "/health":
            with lock:
                ok = bool(state["calendar"]["entries"])
            return self.answer(200 if ok else 503, b"ok\n" if ok else b"no\n")
        part = self.part()
        if not part:
            return None
        if together.is_set():
            try:
                both.wait(20)
            except threading.BrokenBarrierError:
                return self.answer(500)
        with lock:
            body = json.dumps(state[part]).encode()
        return self.answer(200, body)

    def do_PUT(self):
        part = self.part()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not part:
            return None
        try:
            new = json.loads(body)
            if new["version"] != state[part]["version"]:
                raise ValueError
        except (KeyError, TypeError, ValueError):
            return self.answer(422)
        with lock:
            state[part] = new
        return self.answer(204)


def talk(journal):
    rng = random.Random()
    with open(journal, "x", buffering=1) as known:
        while True:
            if quiet.is_set():
                return
            with lock:
                mine = state["sessions"]
                seq = mine["seq"] + 1
                session, text = f"s{rng.randrange(500)}", f"{rng.getrandbits(99):x}"
                print(seq, session, text, sep="\t", file=known)
                mine["seq"] = seq
                mine["said"].setdefault(session, []).append([seq, text])
            time.sleep(0.001)


def main():
    port_file, journal, version = sys.argv[1:4]
    kept = sys.argv[4] if len(sys.argv) > 4 else None
    state.update(fresh(int(version)))
    if kept and os.path.exists(kept):
        with open(kept) as f:
            state.update(json.load(f))
        for part in PARTS:
            state[part]["version"] = int(version)
    port = 0
    if os.path.exists(port_file):
        with open(port_file) as f:
            port = int(f.read())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    talker = threading.Thread(target=talk, args=(journal,), daemon=True)
    talker.start()

    def end(*_):
        quiet.set()
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGUSR1, lambda *_: quiet.set())
    signal.signal(signal.SIGUSR2, lambda *_: together.clear()
                  if together.is_set() else together.set())
    if not port:
        with open(port_file + ".new", "w") as f:
            print(server.server_port, file=f)
        os.rename(port_file + ".new", port_file)
    server.serve_forever()
    talker.join()
    if kept:
        with open(kept, "w") as f:
            json.dump(state, f)


main()
