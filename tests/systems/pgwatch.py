#!/usr/bin/env python3
"""Ask a database the same all the time, each time by a new connection.

    pgwatch.py QUERY LOG     until SIGTERM
    pgwatch.py --report LOG  what it was told

The database is that of the PG* variables. LOG has a line for each answer:
seconds before and after, "answer" or "error", and what was said. The report
has each answer once, in the order of their coming, as often as it changed;
then the errors, each kind once; then the longest time that passed, from the
beginning of a question that was answered, to the end of the next that was,
when there were errors between them.
"""
import ctypes
import re
import signal
import sys
import time


def library():
    pq = ctypes.CDLL("libpq.so.5")
    pointers = pq.PQconnectdb, pq.PQexec
    texts = pq.PQerrorMessage, pq.PQresultErrorMessage, pq.PQgetvalue
    for f in pointers:
        f.restype = ctypes.c_void_p
    for f in texts:
        f.restype = ctypes.c_char_p
    return pq


def ask(pq, query):
    conn = ctypes.c_void_p(pq.PQconnectdb(b""))
    try:
        if pq.PQstatus(conn) != 0:
            return "error", pq.PQerrorMessage(conn)
        result = ctypes.c_void_p(pq.PQexec(conn, query.encode()))
        try:
            if pq.PQresultStatus(result) != 2:
                return "error", pq.PQresultErrorMessage(result)
            return "answer", pq.PQgetvalue(result, 0, 0)
        finally:
            pq.PQclear(result)
    finally:
        pq.PQfinish(conn)


def watch(query, log):
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    pq = library()
    with open(log, "x", buffering=1) as out:
        while going:
            began = time.monotonic()
            kind, text = ask(pq, query)
            text = " ".join(text.decode(errors="replace").split())
            print(began, time.monotonic(), kind, text, file=out)


def report(log):
    answers, errors, absent = [], set(), 0.0
    good, failed, count = None, False, 0
    for line in open(log):
        began, ended, kind, text = line.rstrip("\n").split(" ", 3)
        if kind == "error":
            failed = True
            errors.add(re.sub(r"connection to server .* failed: ", "", text))
            continue
        count += 1
        if good is not None and failed:
            absent = max(absent, float(ended) - good)
        good, failed = float(began), False
        if not answers or answers[-1] != text:
            answers.append(text)
    for text in answers:
        print("answer:", text)
    for text in sorted(errors):
        print("error:", text)
    print(f"{count} answers; without one for {absent * 1000:.1f} ms at most")


if sys.argv[1] == "--report":
    report(sys.argv[2])
else:
    watch(*sys.argv[1:])
