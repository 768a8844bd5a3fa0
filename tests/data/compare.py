#!/usr/bin/env python3
"""Real documents and the questions a person would ask of them, beside PostgreSQL in one run.

usage: compare.py DATA_DIR DSN REFERENCE_DSN [--only SET,...] [-v]
For every *.ndjson.gz in DATA_DIR: loads it on both servers with psql's \\copy, on the first one once more with INSERT
from a driver, checks that both copies hold the same documents to the last digit, and runs queries/SET.sql on both.
Prints one line a set; exits 1 when any answer differs.
"""
import argparse
import gzip
import pathlib
import subprocess
import sys
import time

import psycopg

HERE = pathlib.Path(__file__).parent


def copy_in(dsn, table, lines):
    script = f"DROP TABLE IF EXISTS {table};\nCREATE TABLE {table} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, doc jsonb);\n"
    script += f"\\copy {table} (doc) from pstdin with (format csv, quote e'\\x01', delimiter e'\\x02')\n"
    run = ["psql", "-qX", "-v", "ON_ERROR_STOP=1", dsn, "-c", script.split("\n")[0], "-c", script.split("\n")[1], "-c", script.split("\n")[2]]
    done = subprocess.run(run, input=lines, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{table}: {done.stderr.decode()}")


def insert_in(conn, table, lines):
    conn.execute(f"DROP TABLE IF EXISTS {table}")
    conn.execute(f"CREATE TABLE {table} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, doc jsonb)")
    with conn.cursor() as cur:
        cur.executemany(f"INSERT INTO {table} (doc) VALUES (%s)", [(line,) for line in lines.decode().splitlines()])
    conn.commit()


def answer(conn, sql):
    try:
        rows = [tuple(None if v is None else str(v, "utf8") for v in r) for r in raw(conn, sql)]
        conn.commit()
        return rows
    except psycopg.Error as e:
        conn.rollback()
        return f"{e.sqlstate}: {e}"


def raw(conn, sql):
    """Every value as the server's text."""
    result = conn.pgconn.exec_params(sql.encode(), None)
    if result.status not in (psycopg.pq.ExecStatus.TUPLES_OK, psycopg.pq.ExecStatus.COMMAND_OK):
        raise psycopg.errors.lookup((result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"XX000").decode())(
            (result.error_message or b"").decode())
    return [[result.get_value(r, c) for c in range(result.nfields)] for r in range(result.ntuples)]


def main():
    args = argparse.ArgumentParser()
    args.add_argument("data")
    args.add_argument("dsn")
    args.add_argument("reference")
    args.add_argument("--only", default="")
    args.add_argument("-v", action="store_true")
    args = args.parse_args()
    only = args.only.split(",") if args.only else None
    ours, reference = psycopg.connect(args.dsn), psycopg.connect(args.reference)
    passed = failed = 0
    for path in sorted(pathlib.Path(args.data).glob("*.ndjson.gz")):
        table = path.name.removesuffix(".ndjson.gz")
        if only and table not in only:
            continue
        lines = gzip.open(path).read()
        started = time.monotonic()
        copy_in(args.dsn, table, lines)
        copied = time.monotonic() - started
        copy_in(args.reference, table, lines)
        started = time.monotonic()
        insert_in(ours, f"{table}_inserted", lines)
        inserted = time.monotonic() - started
        checks = [
            f"SELECT count(*), md5(string_agg(doc::text, E'\\n' ORDER BY id)) FROM {table}",
            f"SELECT count(*), md5(string_agg(doc::text, E'\\n' ORDER BY id)) FROM {table}_inserted",
        ]
        questions = [q for q in (HERE / "queries" / f"{table}.sql").read_text().splitlines() if q.strip()]
        bad = 0
        for i, sql in enumerate(checks + questions):
            got, want = answer(ours, sql), answer(reference, sql.replace("_inserted", ""))
            if got == want:
                passed += 1
                continue
            bad += 1
            failed += 1
            if args.v:
                print(f"-- {table} {i - 1}: {sql}\n   ours:      {str(got)[:400]}\n   reference: {str(want)[:400]}")
        print(f"{table}: {len(lines.splitlines())} documents, \\copy {copied:.2f} s, INSERT {inserted:.2f} s, {len(questions)} queries, {bad} differ", flush=True)
    print(f"data: {passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
