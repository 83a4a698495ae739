#!/usr/bin/env python3
"""The writer of tests/systems: it appends events until it is told to end.

    mnx.py JOURNAL FIRST

Each is a transaction of its own, and first a line of JOURNAL, as COPY prints
the row that it will be, beginning with number FIRST. After every 50 the read
models are brought up to date, by transactions of their own. The database is
that of the PG* variables.
"""
import datetime
import json
import os
import random
import signal
import subprocess
import sys
import time

START = datetime.datetime(2025, 1, 1)


def main():
    journal, seq = sys.argv[1], int(sys.argv[2])
    rng = random.Random()
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    # not in our group: what ends us is not to end it before it has said all
    psql = subprocess.Popen(
        ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)

    def ask(sql):
        psql.stdin.write(sql + "\n")
        psql.stdin.flush()
        return psql.stdout.readline().strip()

    with open(journal, "x", encoding="ascii", buffering=1) as known:
        while going:
            stream = f"note-{rng.randrange(4001)}"
            payload = json.dumps({
                "n": seq, "to": f"note-{rng.randrange(4001)}",
                "mood": rng.choice(("calm", "glad", "sad")),
                "text": f"{rng.getrandbits(128):032x} {os.getpid()}"})
            at = START + datetime.timedelta(seconds=216 * seq)
            known.write(f"{seq}\t{stream}\t{payload}\t{at}+00\n")
            got = ask(f"SELECT event_core.append('{stream}', '{payload}', '{at}Z');")
            if got != str(seq):
                sys.exit(f"wanted event {seq}, the database says '{got}'")
            if seq % 50 == 0:
                ask(f"SELECT event_core.project({seq});")
            seq += 1
            time.sleep(0.001)
    psql.stdin.close()
    sys.exit(psql.wait())


main()
