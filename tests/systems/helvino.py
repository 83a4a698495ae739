#!/usr/bin/env python3
"""What the customers of a shop such as Helvino do, until SIGTERM.

    helvino.py UPLOADS JOURNAL FIRST [COUNT]

Events, numbered from FIRST on (with COUNT just so many), each in a transaction
of its own. Every tenth has an upload: first the file, by another name until it
is whole, then event and row together. JOURNAL has each before it is
committed, as COPY prints the rows: "event" or "upload", and the row. The
database is that of the PG* variables.
"""
import datetime
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time

START = datetime.datetime(2025, 1, 1)


def upload(top, seq, rng):
    path = f"{seq % 100:02}/{seq}.bin"
    data = rng.randbytes(rng.randrange(1, 20000))
    os.makedirs(os.path.dirname(f"{top}/{path}"), exist_ok=True)
    with open(f"{top}/{path}.part", "xb") as f:
        f.write(data)
    os.rename(f"{top}/{path}.part", f"{top}/{path}")
    return path, hashlib.sha256(data).hexdigest()


def main():
    top, journal, seq = sys.argv[1], sys.argv[2], int(sys.argv[3])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else -1
    rng = random.Random(seq)
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    psql = subprocess.Popen(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"],
                            text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, start_new_session=True)
    with open(journal, "x", encoding="ascii", buffering=1) as known:
        while going and count != 0:
            at = START + datetime.timedelta(minutes=5 * seq)
            data = json.dumps({"note": f"{rng.getrandbits(99):x}", "wine": seq})
            customer = rng.randrange(1, 5001)
            sql = ("BEGIN; INSERT INTO shop.events (customer, kind, at, data)"
                   f" VALUES ({customer}, 'view', '{at}Z', '{data}')"
                   " RETURNING id;")
            print("event", seq, customer, "view", f"{at}+00", data,
                  sep="\t", file=known)
            if seq % 10 == 0:
                path, digest = upload(top, seq, rng)
                print("upload", seq, path, digest, sep="\t", file=known)
                sql += (" INSERT INTO shop.uploads"
                        f" VALUES ({seq}, '{path}', '{digest}');")
            psql.stdin.write(sql + " COMMIT;\n")
            psql.stdin.flush()
            got = psql.stdout.readline().strip()
            if got != str(seq):
                sys.exit(f"wanted event {seq}, the database says '{got}'")
            seq, count = seq + 1, count - 1
            if count < 0:
                time.sleep(0.001)
    psql.stdin.close()
    sys.exit(psql.wait())


main()
