"""asyncpg with its default settings: binary types, prepared statements, cursors, COPY, transactions, errors, cancel."""

import asyncio
import datetime as dt
import decimal
import io
import json
import os
import uuid

import asyncpg

UTC = dt.timezone.utc
VALUES = [
    ("bool", True),
    ("int2", 7),
    ("int4", -5),
    ("int8", 2**62),
    ("float4", 0.25),
    ("float8", 1e300),
    ("numeric", decimal.Decimal("-0.000123000")),
    ("text", "τεστ"),
    ("varchar", "v"),
    ("bytea", b"\x00\xff"),
    ("date", dt.date(2000, 1, 1)),
    ("time", dt.time(1, 2, 3, 4)),
    ("timestamp", dt.datetime(1970, 1, 1, 0, 0, 0, 1)),
    ("timestamptz", dt.datetime(2030, 6, 1, tzinfo=UTC)),
    ("interval", dt.timedelta(days=3, hours=5, microseconds=17)),
    ("uuid", uuid.uuid4()),
    ("int8[]", [1, None, 3]),
    ("text[]", ["x", None, "y z"]),
    ("jsonb", json.dumps({"a": 1})),
    ("json", '{"a" :  1}'),
]


def scenario(name):
    print(f"asyncpg: {name}", flush=True)


async def main():
    conn = await asyncpg.connect()
    await conn.execute("DROP TABLE IF EXISTS asyncpg_t")
    await conn.execute("CREATE TABLE asyncpg_t (id bigint PRIMARY KEY, doc jsonb, ts timestamptz)")

    scenario("types in binary")
    for typ, value in VALUES:
        got = await conn.fetchval(f"SELECT $1::{typ}", value)
        expected = json.loads(value) if typ == "jsonb" else value
        assert (json.loads(got) if typ == "jsonb" else got) == expected, (typ, got, value)
        assert await conn.fetchval(f"SELECT $1::{typ}", None) is None

    scenario("codec and records")
    await conn.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    row = await conn.fetchrow("SELECT 1 AS a, $1::jsonb AS b", {"k": [1, 2]})
    assert dict(row) == {"a": 1, "b": {"k": [1, 2]}}

    scenario("executemany and prepared statements")
    now = dt.datetime.now(UTC)
    await conn.executemany("INSERT INTO asyncpg_t VALUES ($1, $2, $3)", [(i, {"n": i}, now) for i in range(500)])
    stmt = await conn.prepare("SELECT doc->>'n' FROM asyncpg_t WHERE id = $1")
    for i in (0, 250, 499):
        assert await stmt.fetchval(i) == str(i)
    assert [a.name for a in stmt.get_attributes()] == ["?column?"]
    assert [p.name for p in stmt.get_parameters()] == ["int8"]
    assert len(await conn.fetch("SELECT id FROM asyncpg_t WHERE id = ANY($1::bigint[])", [1, 2, 3, 999])) == 3

    scenario("cursors")
    async with conn.transaction():
        got = [r["id"] async for r in conn.cursor("SELECT id FROM asyncpg_t ORDER BY id", prefetch=37)]
        assert got == list(range(500))
        cur = await conn.cursor("SELECT id FROM asyncpg_t ORDER BY id")
        assert len(await cur.fetch(10)) == 10
        assert (await cur.fetchrow())["id"] == 10

    scenario("COPY")
    out = io.BytesIO()
    assert await conn.copy_from_query("SELECT id, doc FROM asyncpg_t WHERE id < 3 ORDER BY id", output=out) == "COPY 3"
    assert out.getvalue() == b'0\t{"n": 0}\n1\t{"n": 1}\n2\t{"n": 2}\n', out.getvalue()
    records = [(i, now) for i in range(1000, 1100)]
    assert await conn.copy_records_to_table("asyncpg_t", records=records, columns=["id", "ts"]) == "COPY 100"
    csv = io.BytesIO(b'id,doc\n2000,"{""a"": ""x,y""}"\n')
    assert await conn.copy_to_table("asyncpg_t", source=csv, columns=["id", "doc"], format="csv", header=True) == "COPY 1"
    assert await conn.fetchval("SELECT doc->>'a' FROM asyncpg_t WHERE id = 2000") == "x,y"

    scenario("transactions")
    try:
        async with conn.transaction():
            await conn.execute("DELETE FROM asyncpg_t")
            async with conn.transaction():
                await conn.execute("INSERT INTO asyncpg_t VALUES (1)")
            raise RuntimeError
    except RuntimeError:
        pass
    assert await conn.fetchval("SELECT count(*) FROM asyncpg_t") == 601
    for isolation in ("read_committed", "repeatable_read", "serializable"):
        async with conn.transaction(isolation=isolation):
            assert await conn.fetchval("SHOW transaction_isolation") == isolation.replace("_", " ")

    scenario("errors")
    for sql, cls in [
        ("SELECT * FROM nowhere", asyncpg.UndefinedTableError),
        ("SELECT 1/0", asyncpg.DivisionByZeroError),
        ("INSERT INTO asyncpg_t VALUES (1)", asyncpg.UniqueViolationError),
        ("SELEC 1", asyncpg.PostgresSyntaxError),
    ]:
        try:
            await conn.execute(sql)
            raise AssertionError(sql)
        except cls as e:
            assert e.sqlstate == cls.sqlstate

    scenario("cancel by time-out")
    try:
        await conn.fetch("SELECT pg_sleep(60)", timeout=0.3)
        raise AssertionError("not cancelled")
    except asyncio.TimeoutError:
        pass
    assert await conn.fetchval("SELECT 1") == 1

    scenario("notifications")
    got = asyncio.get_running_loop().create_future()
    await conn.add_listener("asyncpg_channel", lambda c, pid, ch, payload: got.set_result((ch, payload)))
    other = await asyncpg.connect()
    await other.execute("SELECT pg_notify('asyncpg_channel', 'ping')")
    assert await asyncio.wait_for(got, 10) == ("asyncpg_channel", "ping")
    await other.close()

    scenario("pool")
    async with asyncpg.create_pool(min_size=2, max_size=4) as pool:
        got = await asyncio.gather(*(pool.fetchval("SELECT $1::int", i) for i in range(20)))
        assert got == list(range(20))
    await conn.execute("DROP TABLE asyncpg_t")
    await conn.close()
    scenario("ok")


assert os.environ.get("PGHOST")
asyncio.run(main())
