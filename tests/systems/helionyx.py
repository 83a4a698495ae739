#!/usr/bin/env python3
"""A service in the shape of Helionyx: a log of events, and what is made of it.

    helionyx.py init N       write N events and their projections
    helionyx.py start|stop   the service: it appends events, and projects them
    helionyx.py rebuild      make the projections those of the log
    helionyx.py health       whether they are
    helionyx.py hold         start does nothing from now on
    helionyx.py check LOG NOTES TAGS JOURNAL [N]
                             LOG is what JOURNAL says (its first N events),
                             each database is what those up to its watermark
                             make; prints the watermarks and the last event

The project is the current directory: data/dev/events/YYYY/MM/events-DATE.jsonl
and data/dev/projections/{notes,tags}.db. What the service is about to commit
it first writes into run/journal.N, one for each start, which no backup sees.
"""
import datetime
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

EVENTS = "data/dev/events"
NOTES = "data/dev/projections/notes.db"
TAGS = "data/dev/projections/tags.db"
PER_DAY = 400
START = datetime.datetime(2025, 1, 1)
WORDS = "amber basalt cedar delta ember fjord garnet harbor iris juniper".split()


def event(seq, rng):
    at = START + datetime.timedelta(seconds=86400 // PER_DAY * seq)
    kind = rng.choice(("added", "added", "edited", "removed"))
    record = {
        "seq": seq,
        "ts": at.isoformat() + "Z",
        "type": "note." + kind,
        "note": seq if kind == "added" else rng.randrange(1, seq + 1),
        "text": " ".join(rng.choices(WORDS, k=rng.randrange(3, 9))),
        "tag": rng.choice(WORDS),
    }
    line = json.dumps(record) + "\n"
    return record, line.encode(), f"{EVENTS}/{at:%Y/%m}/events-{at:%F}.jsonl"


def log_files(top):
    return sorted(os.path.join(d, f) for d, _, names in os.walk(top)
                  for f in names if f.endswith(".jsonl"))


def log_records(top, after=0):
    for name in log_files(top):
        with open(name, "rb") as f:
            lines = f.readlines()
            if json.loads(lines[-1])["seq"] <= after:
                continue
            for line in lines:
                record = json.loads(line)
                if record["seq"] > after:
                    yield record


def log_last(top):
    files = log_files(top)
    if not files:
        return 0
    with open(files[-1], "rb") as f:
        return json.loads(f.readlines()[-1])["seq"]


# --- projections: each a database of its own, with the last event it knows

SCHEMA = {
    NOTES: "CREATE TABLE IF NOT EXISTS notes(id INTEGER PRIMARY KEY, text, edits, seq)",
    TAGS: "CREATE TABLE IF NOT EXISTS tags(tag PRIMARY KEY, n)",
}


def open_projection(name):
    db = sqlite3.connect(name, isolation_level=None, timeout=30)
    db.execute("PRAGMA journal_mode=wal")
    db.execute("PRAGMA synchronous=off")
    db.execute("CREATE TABLE IF NOT EXISTS watermark(seq)")
    db.execute(SCHEMA[name])
    return db


def watermark(db):
    row = db.execute("SELECT seq FROM watermark").fetchone()
    return row[0] if row else 0


def project(db, name, records):
    last = None
    db.execute("BEGIN IMMEDIATE")
    for e in records:
        last = e["seq"]
        if name == TAGS:
            db.execute("INSERT INTO tags VALUES(?, 1) ON CONFLICT(tag)"
                       " DO UPDATE SET n = n + 1", (e["tag"],))
        elif e["type"] == "note.added":
            db.execute("INSERT INTO notes VALUES(?, ?, 0, ?)",
                       (e["note"], e["text"], last))
        elif e["type"] == "note.edited":
            db.execute("UPDATE notes SET text = ?, edits = edits + 1, seq = ?"
                       " WHERE id = ?", (e["text"], last, e["note"]))
        else:
            db.execute("DELETE FROM notes WHERE id = ?", (e["note"],))
    if last is not None:
        db.execute("DELETE FROM watermark")
        db.execute("INSERT INTO watermark VALUES(?)", (last,))
    db.execute("COMMIT")


def rebuild():
    last = log_last(EVENTS)
    for name in NOTES, TAGS:
        db = open_projection(name)
        if watermark(db) > last:
            db.execute("BEGIN")
            for table in "watermark", "notes" if name == NOTES else "tags":
                db.execute("DELETE FROM " + table)
            db.execute("COMMIT")
        project(db, name, log_records(EVENTS, watermark(db)))


def health():
    last = log_last(EVENTS)
    for name in NOTES, TAGS:
        db = sqlite3.connect(f"file:{name}?mode=ro", uri=True, timeout=30)
        # the service goes on meanwhile, and is at most a few events behind
        if watermark(db) < last - 10 * BATCH:
            sys.exit(f"{name} is at {watermark(db)}, the log at {last}")


# --- the service

BATCH = 20


def init(count):
    rng = random.Random(4)
    records, lines, out, at = [], [], None, None
    for seq in range(1, count + 1):
        record, line, path = event(seq, rng)
        if path != at:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if out:
                out.close()
            out, at = open(path, "ab"), path
        out.write(line)
        records.append(record)
        lines.append(line)
    out.close()
    os.makedirs("run", exist_ok=True)
    os.makedirs(os.path.dirname(NOTES), exist_ok=True)
    with open("run/journal.0", "wb") as f:
        f.writelines(lines)
    for name in NOTES, TAGS:
        project(open_projection(name), name, records)


def run(journal):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    rng = random.Random()
    dbs = {name: open_projection(name) for name in (NOTES, TAGS)}
    seq, at, out, waiting = log_last(EVENTS), None, -1, []
    with open(journal, "xb", buffering=0) as known:
        while True:
            seq += 1
            record, line, path = event(seq, rng)
            if path != at:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                if out >= 0:
                    os.close(out)
                out = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                at = path
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            known.write(line)
            os.write(out, line)
            waiting.append(record)
            if len(waiting) == BATCH:
                for name, db in dbs.items():
                    project(db, name, waiting)
                waiting = []
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            time.sleep(0.01)  # a file that always changes cannot be read


def stop():
    try:
        with open("run/pid") as f:
            pid = int(f.read())
        os.kill(pid, signal.SIGTERM)
        while True:
            os.kill(pid, 0)
            with open(f"/proc/{pid}/stat") as f:
                if f.read().rpartition(")")[2].split()[0] == "Z":
                    break
            time.sleep(0.01)
    except (FileNotFoundError, ProcessLookupError):
        pass
    if os.path.exists("run/pid"):
        os.remove("run/pid")


def start():
    if os.path.exists("run/held"):
        return
    n = 1
    while os.path.exists(f"run/journal.{n}"):
        n += 1
    journal = f"run/journal.{n}"
    with open("run/log", "ab") as log:
        child = subprocess.Popen([sys.executable, __file__, "run", journal],
                                 stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log, start_new_session=True)
    with open("run/pid", "w") as f:
        f.write(str(child.pid))
    while not (os.path.exists(journal) and os.path.getsize(journal)):
        if child.poll() is not None:
            sys.exit("the service ended at once")
        time.sleep(0.01)


# --- what must hold: by other means than those above

def check(log, notes_db, tags_db, journal, count=None):
    with open(journal, "rb") as f:
        known = f.readlines()
    if count is not None:
        known = known[:count]
    got = b"".join(open(name, "rb").read() for name in log_files(log))
    if count is None:  # a log in use: what its newest record says
        count = got.count(b"\n")
        known = known[:count]
    if got != b"".join(known):
        sys.exit(f"{log} is not the first {count} events")

    dbs = [sqlite3.connect(f"file:{name}?mode=ro", uri=True)
           for name in (notes_db, tags_db)]
    marks = [watermark(db) for db in dbs]
    if max(marks) > count:  # captured later than the log was
        with open(journal, "rb") as f:
            known = f.readlines()
    notes, tags = {}, {}
    for seq, line in enumerate(known[:max(marks)], 1):
        e = json.loads(line)
        if seq <= marks[1]:
            tags[e["tag"]] = tags.get(e["tag"], 0) + 1
        if seq > marks[0]:
            continue
        if e["type"] == "note.added":
            notes[e["note"]] = (e["note"], e["text"], 0, seq)
        elif e["type"] == "note.removed":
            notes.pop(e["note"], None)
        elif e["note"] in notes:
            edits = notes[e["note"]][2] + 1
            notes[e["note"]] = (e["note"], e["text"], edits, seq)
    for db, table, want in ((dbs[0], "notes", notes.values()),
                            (dbs[1], "tags", tags.items())):
        rows = db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
        if rows != sorted(want):
            sys.exit(f"{table} are not what the events make: {marks}")
    print(*marks, count)


def main():
    what, args = sys.argv[1], sys.argv[2:]
    if what == "init":
        init(int(args[0]))
    elif what == "run":
        run(args[0])
    elif what == "hold":
        open("run/held", "w").close()
    elif what == "check":
        check(*args[:4], *map(int, args[4:]))
    else:
        {"start": start, "stop": stop, "rebuild": rebuild,
         "health": health}[what]()


main()
