"""psycopg 3 with its default settings: connect, types both ways in text and binary, prepared statements, batches,
server-side cursors, COPY, transactions, errors by SQLSTATE, cancel, notifications. Prints one line a scenario."""

import datetime as dt
import decimal
import ipaddress  # noqa: F401  (psycopg registers its adapters on import)
import threading
import time
import uuid

import psycopg
from psycopg import errors
from psycopg.types.json import Json, Jsonb

UTC = dt.timezone.utc
VALUES = [
    ("bool", True),
    ("int2", -32768),
    ("int4", 2147483647),
    ("int8", -9223372036854775808),
    ("float4", 1.5),
    ("float8", -2.718281828459045),
    ("numeric", decimal.Decimal("12345678901234567890.123456789")),
    ("text", "héllo 'quoted' \\ \n line"),
    ("varchar(20)", "varchar"),
    ("char(5)", "ab   "),
    ("bytea", bytes(range(256))),
    ("date", dt.date(2024, 2, 29)),
    ("time", dt.time(23, 59, 59, 999999)),
    ("timestamp", dt.datetime(1999, 12, 31, 23, 59, 59, 123456)),
    ("timestamptz", dt.datetime(2026, 11, 22, 12, 0, 0, 1, tzinfo=UTC)),
    ("interval", dt.timedelta(days=40, seconds=3661, microseconds=5)),
    ("uuid", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("int4[]", [1, 2, None, 4]),
    ("text[]", ["a", "b,c", 'd"e', None, ""]),
    ("numeric[]", [decimal.Decimal("1.10"), decimal.Decimal("-0.5")]),
    ("int4[]", [[1, 2], [3, 4]]),
]


def scenario(name):
    print(f"psycopg: {name}", flush=True)


with psycopg.connect() as conn:
    conn.execute("DROP TABLE IF EXISTS psycopg_t")
    conn.execute("CREATE TABLE psycopg_t (id int PRIMARY KEY, doc jsonb, note text)")
    conn.commit()

    scenario("types, text and binary")
    for typ, value in VALUES:
        for binary in (False, True):
            cur = conn.cursor(binary=binary)
            got = cur.execute(f"SELECT %s::{typ}", (value,)).fetchone()[0]
            assert got == value, (typ, binary, got, value)
            placeholder = "%b" if binary else "%t"
            got = cur.execute(f"SELECT {placeholder}::{typ}", (value,)).fetchone()[0]
            assert got == value, (typ, placeholder, got, value)
            got = cur.execute(f"SELECT NULL::{typ}").fetchone()[0]
            assert got is None
    doc = {"a": [1, 2.5, None, True, {"ключ": "значение"}], "b": "x"}
    for binary in (False, True):
        cur = conn.cursor(binary=binary)
        assert cur.execute("SELECT %s::jsonb", (Jsonb(doc),)).fetchone()[0] == doc
        assert cur.execute("SELECT %s::json", (Json(doc),)).fetchone()[0] == doc

    scenario("a statement run often is prepared by itself")
    for i in range(20):
        conn.execute("INSERT INTO psycopg_t VALUES (%s, %s, %s)", (i, Jsonb({"n": i}), f"row {i}"))
    rows = conn.execute("SELECT id, doc->>'n' FROM psycopg_t WHERE id < %s ORDER BY id", (3,)).fetchall()
    assert rows == [(0, "0"), (1, "1"), (2, "2")], rows
    conn.commit()

    scenario("executemany and pipeline")
    with conn.cursor() as cur:
        cur.executemany("INSERT INTO psycopg_t (id, note) VALUES (%s, %s)", [(i, "m") for i in range(100, 200)])
        assert cur.rowcount == 100
        cur.executemany("INSERT INTO psycopg_t (id) VALUES (%s) RETURNING id", [(200,), (201,)], returning=True)
        ids = []
        while True:
            ids.append(cur.fetchone()[0])
            if not cur.nextset():
                break
        assert ids == [200, 201]
    with conn.pipeline():
        a = conn.execute("SELECT 1")
        b = conn.execute("SELECT count(*) FROM psycopg_t")
        assert a.fetchone() == (1,)
        assert b.fetchone() == (122,)
    conn.commit()

    scenario("server-side cursor with fetch size")
    with conn.cursor(name="c1") as cur:
        cur.itersize = 10
        cur.execute("SELECT id FROM psycopg_t ORDER BY id")
        got = [r[0] for r in cur]
        assert got == list(range(20)) + list(range(100, 202)), got
    with conn.cursor() as cur:
        got = [r[0] for r in cur.stream("SELECT generate_series(1, 10000)")]
        assert got == list(range(1, 10001))
    conn.commit()

    scenario("COPY in and out")
    with conn.cursor() as cur:
        with cur.copy("COPY psycopg_t (id, doc, note) FROM STDIN") as copy:
            for i in range(1000, 2000):
                copy.write_row((i, Jsonb({"t": "tab\tand\\backslash\nnewline"}), None))
        assert cur.rowcount == 1000
        with cur.copy("COPY psycopg_t (id, doc, note) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int4", "jsonb", "text"])
            for i in range(2000, 2100):
                copy.write_row((i, Jsonb({"b": i}), "bin"))
        with cur.copy("COPY (SELECT id, doc FROM psycopg_t WHERE id BETWEEN 1998 AND 2001 ORDER BY id) TO STDOUT") as copy:
            copy.set_types(["int4", "jsonb"])
            got = list(copy.rows())
        t = {"t": "tab\tand\\backslash\nnewline"}
        assert got == [(1998, t), (1999, t), (2000, {"b": 2000}), (2001, {"b": 2001})], got
        with cur.copy("COPY psycopg_t TO STDOUT (FORMAT BINARY)") as copy:
            assert sum(len(chunk) for chunk in copy) > 1000
    conn.commit()

    scenario("transactions and savepoints")
    with conn.transaction():
        conn.execute("INSERT INTO psycopg_t (id) VALUES (5000)")
        try:
            with conn.transaction():
                conn.execute("INSERT INTO psycopg_t (id) VALUES (5000)")
        except errors.UniqueViolation as e:
            assert e.diag.constraint_name == "psycopg_t_pkey", e.diag.constraint_name
            assert e.diag.table_name == "psycopg_t"
        assert conn.execute("SELECT count(*) FROM psycopg_t WHERE id = 5000").fetchone() == (1,)
    try:
        with conn.transaction():
            conn.execute("DELETE FROM psycopg_t")
            raise RuntimeError("roll back")
    except RuntimeError:
        pass
    assert conn.execute("SELECT count(*) FROM psycopg_t").fetchone()[0] > 1000
    conn.commit()

    scenario("errors by SQLSTATE")
    for sql, cls in [
        ("SELECT * FROM nowhere", errors.UndefinedTable),
        ("SELECT nothing FROM psycopg_t", errors.UndefinedColumn),
        ("SELECT 1 +", errors.SyntaxError),
        ("SELECT 1/0", errors.DivisionByZero),
        ("SELECT 'x'::int", errors.InvalidTextRepresentation),
        ("SELECT 2147483647 + 1", errors.NumericValueOutOfRange),
        ("INSERT INTO psycopg_t VALUES (NULL)", errors.NotNullViolation),
        ("SELECT nofunction(1)", errors.UndefinedFunction),
        ("SELECT '{\"a\":'::jsonb", errors.InvalidTextRepresentation),
    ]:
        try:
            conn.execute(sql)
            raise AssertionError(f"no error: {sql}")
        except cls:
            conn.rollback()
    try:
        conn.execute("SELECT 1/0")
    except errors.DivisionByZero:
        pass
    try:
        conn.execute("SELECT 1")
        raise AssertionError("a failed transaction answered")
    except errors.InFailedSqlTransaction:
        conn.rollback()

    scenario("cancel")
    timer = threading.Timer(0.2, conn.cancel)
    timer.start()
    started = time.monotonic()
    try:
        conn.execute("SELECT count(*) FROM generate_series(1, 1000000000) a, generate_series(1, 1000) b")
        raise AssertionError("not cancelled")
    except errors.QueryCanceled:
        conn.rollback()
    timer.join()
    conn.execute("SET statement_timeout = '100ms'")
    try:
        conn.execute("SELECT pg_sleep(30)")
        raise AssertionError("no timeout")
    except errors.QueryCanceled:
        conn.rollback()

with psycopg.connect(autocommit=True) as listener, psycopg.connect(autocommit=True) as sender:
    scenario("notifications")
    listener.execute("LISTEN psycopg_channel")
    sender.execute("NOTIFY psycopg_channel, 'hello'")
    note = next(listener.notifies(timeout=10))
    assert (note.channel, note.payload) == ("psycopg_channel", "hello"), note
    assert listener.execute("SELECT pg_typeof(now())::text").fetchone() == ("timestamp with time zone",)
    listener.execute("DROP TABLE psycopg_t")

scenario("ok")
