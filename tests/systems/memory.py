#!/usr/bin/env python3
"""The memory of an assistant such as SONIA, in SQLite.

    memory.py init DB JOURNAL N    N memories
    memory.py run DB JOURNAL       remember on, until SIGTERM
    memory.py check DB JOURNAL [N] what DB holds is what JOURNAL says, to DB's
                                   newest, or N; prints its number

A memory and the words it is found by come in one transaction, and first as a
line of JOURNAL, "SEQ<tab>TEXT".
"""
import random
import signal
import sqlite3
import sys
import time

WORDS = "amber basalt cedar delta ember fjord garnet harbor iris juniper".split()


def open_db(path):
    db = sqlite3.connect(path, isolation_level=None, timeout=30)
    db.execute("PRAGMA journal_mode=wal")
    db.execute("PRAGMA synchronous=off")
    db.execute("CREATE TABLE IF NOT EXISTS memories(seq INTEGER PRIMARY KEY, text)")
    db.execute("CREATE TABLE IF NOT EXISTS words(word PRIMARY KEY, n)")
    return db


def remember(db, seq, text):
    db.execute("INSERT INTO memories VALUES(?, ?)", (seq, text))
    db.execute("INSERT INTO words VALUES(?, 1) ON CONFLICT(word) DO UPDATE"
               " SET n = n + 1", (text.split()[0],))


def phrase(rng):
    return " ".join(rng.choices(WORDS, k=6)) + f" {rng.getrandbits(64):x}"


def init(path, journal, count):
    db, rng = open_db(path), random.Random(6)
    db.execute("BEGIN")
    with open(journal, "x") as known:
        for seq in range(1, count + 1):
            text = phrase(rng)
            print(seq, text, sep="\t", file=known)
            remember(db, seq, text)
    db.execute("COMMIT")


def run(path, journal):
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    db, rng = open_db(path), random.Random()
    seq = db.execute("SELECT max(seq) FROM memories").fetchone()[0]
    with open(journal, "x", buffering=1) as known:
        while going:
            seq += 1
            text = phrase(rng)
            print(seq, text, sep="\t", file=known)
            db.execute("BEGIN IMMEDIATE")
            remember(db, seq, text)
            db.execute("COMMIT")
            time.sleep(0.001)
    db.close()


def check(path, journal, count=None):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
        sys.exit(f"{path} is damaged")
    rows = db.execute("SELECT * FROM memories ORDER BY seq").fetchall()
    last = rows[-1][0]
    if count is not None and last != count:
        sys.exit(f"{path} goes to {last}, not to {count}")
    with open(journal) as known:
        want = [line.rstrip("\n").split("\t") for line in known][:last]
    if rows != [(int(seq), text) for seq, text in want]:
        sys.exit(f"{path} is not what was remembered up to {last}")
    words = {}
    for _, text in want:
        word = text.split()[0]
        words[word] = words.get(word, 0) + 1
    if dict(db.execute("SELECT * FROM words")) != words:
        sys.exit(f"{path}: the words are not those of {last} memories")
    print(last)


what, args = sys.argv[1], sys.argv[2:]
{"init": init, "run": run, "check": check}[what](*args[:2], *map(int, args[2:]))
