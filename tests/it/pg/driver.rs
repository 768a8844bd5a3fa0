//! tokio-postgres as a program uses it, with its default settings: what tests/drivers does with the drivers of other
//! languages. Types both ways in text and binary, prepared statements, batches, cursors, COPY, transactions, errors by
//! SQLSTATE, cancel.

use bytes::{Bytes, BytesMut};
use futures::{SinkExt, TryStreamExt};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::support::{Node, code};

type AnyError = Box<dyn std::error::Error + Sync + Send>;

/// A value of any type in the binary format, as it is.
#[derive(Clone, Debug, PartialEq)]
struct Binary(Vec<u8>);

impl<'a> FromSql<'a> for Binary {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, AnyError> {
        Ok(Self(bytes.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl ToSql for Binary {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, AnyError> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A type, a value as text, and the value in binary as PostgreSQL 18 sends it (hexadecimal).
const VALUES: &[(&str, &str, &str)] = &[
    ("bool", "t", "01"),
    ("int2", "-32768", "8000"),
    ("int4", "2147483647", "7fffffff"),
    ("int8", "-9223372036854775808", "8000000000000000"),
    ("float4", "1.5", "3fc00000"),
    ("float8", "-Infinity", "fff0000000000000"),
    ("numeric", "-12345.6700", "0003000140000004000109291a2c"),
    ("numeric", "NaN", "00000000c0000000"),
    ("text", "häß\t", "68c3a4c39f09"),
    ("varchar(5)", "abc", "616263"),
    ("char(5)", "ab   ", "6162202020"),
    ("bytea", "\\x00ff", "00ff"),
    ("date", "2024-02-29", "00002279"),
    ("date", "infinity", "7fffffff"),
    ("time", "23:59:59.999999", "000000141dd75fff"),
    ("timestamp", "1999-12-31 23:59:59.5", "fffffffffff85ee0"),
    ("timestamptz", "2000-01-01 00:00:01+00", "00000000000f4240"),
    ("interval", "1 year 2 mons 3 days 04:05:06", "000000036c8bc080000000030000000e"),
    ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11"),
    ("json", "{\"b\":  1}", "7b2262223a2020317d"),
    ("jsonb", "{\"a\": 1.50}", "017b2261223a20312e35307d"),
    ("oid", "4294967295", "ffffffff"),
    ("int4[]", "{1,NULL,3}", "00000001000000010000001700000003000000010000000400000001ffffffff0000000400000003"),
    ("int2[]", "[2:2]={7}", "0000000100000000000000150000000100000002000000020007"),
    ("text[]", "{a,\"b,c\"}", "0000000100000000000000190000000200000001000000016100000003622c63"),
    ("jsonb[]", "{[1]}", "000000010000000000000eda000000010000000100000004015b315d"),
];

#[tokio::test(flavor = "multi_thread")]
async fn types_both_ways_in_text_and_binary() {
    let node = Node::start().await;
    let client = node.connect().await;
    client.batch_execute("SET TimeZone = 'UTC'").await.unwrap();
    for (typ, text, hex) in VALUES {
        let literal = format!("'{}'::{typ}", text.replace('\'', "''"));
        // Out as text.
        let messages = client.simple_query(&format!("SELECT {literal}")).await.unwrap();
        let row = messages.iter().find_map(|m| if let SimpleQueryMessage::Row(row) = m { Some(row) } else { None });
        assert_eq!(row.unwrap().get(0), Some(*text), "{typ}");
        // Out in binary.
        let value: Binary = client.query_one(&format!("SELECT {literal}"), &[]).await.unwrap().get(0);
        assert_eq!(hex::encode(&value.0), *hex, "{typ} {text}");
        // In in binary, and back in both forms.
        let row = client.query_one(&format!("SELECT $1::{typ}, ($1::{typ})::text"), &[&value]).await.unwrap();
        assert_eq!(row.get::<_, Binary>(0), value, "{typ}");
        let cast = if *typ == "bool" { "true" } else { text };
        assert_eq!(row.get::<_, &str>(1).trim_end(), cast.trim_end(), "{typ}");
        // In as text.
        let row = client.query_one(&format!("SELECT ($1::text)::{typ}"), &[text]).await.unwrap();
        assert_eq!(row.get::<_, Binary>(0), value, "{typ}");
        let null: Option<Binary> = client.query_one(&format!("SELECT NULL::{typ}"), &[]).await.unwrap().get(0);
        assert_eq!(null, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements_batches_and_transactions() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    client.batch_execute("CREATE TABLE t (id int8 PRIMARY KEY, doc jsonb, note text); SELECT 1").await.unwrap();
    let insert = client.prepare("INSERT INTO t (id, note) VALUES ($1, $2) RETURNING id").await.unwrap();
    assert_eq!(insert.params(), [Type::INT8, Type::TEXT]);
    assert_eq!(insert.columns()[0].type_(), &Type::INT8);
    // Sent without waiting for each other.
    let notes: Vec<String> = (0..500).map(|n| format!("note {n}")).collect();
    let inserts = notes.iter().enumerate().map(|(id, note)| {
        let (client, insert) = (&client, &insert);
        async move { client.query_one(insert, &[&(id as i64), note]).await.map(|row| row.get::<_, i64>(0)) }
    });
    let ids: Vec<i64> = futures::future::try_join_all(inserts).await.unwrap();
    assert_eq!(ids, (0..500).collect::<Vec<i64>>());

    let mut outer = client.transaction().await.unwrap();
    assert_eq!(outer.execute("UPDATE t SET note = NULL WHERE id < $1", &[&100i64]).await.unwrap(), 100);
    let inner = outer.transaction().await.unwrap();
    assert_eq!(code(inner.execute(&insert, &[&5i64, &"again"]).await), "23505");
    assert_eq!(code(inner.execute("SELECT 1", &[]).await), "25P02");
    inner.rollback().await.unwrap();
    assert_eq!(outer.query_one("SELECT count(note) FROM t", &[]).await.unwrap().get::<_, i64>(0), 400);
    outer.rollback().await.unwrap();
    assert_eq!(client.query_one("SELECT count(note) FROM t", &[]).await.unwrap().get::<_, i64>(0), 500);
    for isolation in [tokio_postgres::IsolationLevel::RepeatableRead, tokio_postgres::IsolationLevel::Serializable] {
        let transaction = client.build_transaction().isolation_level(isolation).read_only(true).start().await.unwrap();
        assert_eq!(code(transaction.execute("DELETE FROM t", &[]).await), "25006");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_streams_and_copy() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    client.batch_execute("CREATE TABLE t (id int8, doc jsonb)").await.unwrap();
    let sink = client.copy_in("COPY t FROM STDIN (FORMAT csv)").await.unwrap();
    let mut sink = std::pin::pin!(sink);
    for part in 0..10 {
        let lines: String = (0..1000).map(|n| format!("{},\"{{\"\"n\"\": {n}}}\"\n", part * 1000 + n)).collect();
        sink.send(Bytes::from(lines)).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 10_000);
    let out =
        client.copy_out("COPY (SELECT id, doc->>'n' FROM t WHERE id % 1000 = 7 ORDER BY id) TO STDOUT").await.unwrap();
    let out: Vec<Bytes> = out.try_collect().await.unwrap();
    assert_eq!(out.concat().split(|b| *b == b'\n').count(), 11);
    assert!(out.concat().starts_with(b"7\t7\n1007\t7\n"));
    let aborted = client.copy_in::<_, Bytes>("COPY t FROM STDIN").await.unwrap();
    drop(aborted);
    let transaction = client.transaction().await.unwrap();
    // A portal with a fetch size.
    let portal = transaction.bind("SELECT id FROM t ORDER BY id", &[]).await.unwrap();
    let mut seen = 0;
    loop {
        let rows = transaction.query_portal(&portal, 777).await.unwrap();
        assert!(rows.iter().enumerate().all(|(at, row)| row.get::<_, i64>(0) == (seen + at) as i64));
        seen += rows.len();
        if rows.len() < 777 {
            break;
        }
    }
    assert_eq!(seen, 10_000);
    transaction.commit().await.unwrap();
    let rows = client.query_raw("SELECT id FROM t WHERE id < $1", [&20i64]).await.unwrap();
    assert_eq!(rows.try_collect::<Vec<_>>().await.unwrap().len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_by_sqlstate_and_cancel() {
    let node = Node::start().await;
    let client = node.connect().await;
    client
        .batch_execute("CREATE TABLE t (id int PRIMARY KEY, name varchar(3) NOT NULL CHECK (name <> 'no'))")
        .await
        .unwrap();
    for (sql, expected) in [
        ("SELECT * FROM nowhere", "42P01"),
        ("SELECT nothing FROM t", "42703"),
        ("SELECT nofunction(1)", "42883"),
        ("SELEC 1", "42601"),
        ("SELECT 1/0", "22012"),
        ("SELECT 'x'::int", "22P02"),
        ("SELECT 2147483647 + 1", "22003"),
        ("INSERT INTO t VALUES (1, NULL)", "23502"),
        ("INSERT INTO t VALUES (1, 'no')", "23514"),
        ("INSERT INTO t VALUES (1, 'long')", "22001"),
        ("INSERT INTO t VALUES (1, 'a'), (1, 'b')", "23505"),
        ("CREATE TABLE t (a int)", "42P07"),
    ] {
        assert_eq!(code(client.execute(sql, &[]).await), expected, "{sql}");
        assert_eq!(code(client.simple_query(sql).await), expected, "{sql}");
    }
    let error = client.execute("INSERT INTO t VALUES (1, 'a'), (1, 'b')", &[]).await.unwrap_err();
    let report = error.as_db_error().unwrap();
    assert_eq!((report.table(), report.constraint()), (Some("t"), Some("t_pkey")));
    assert_eq!(report.detail(), Some("Key (id)=(1) already exists."));
    let token = client.cancel_token();
    let sleeping = client.batch_execute("SELECT pg_sleep(600)");
    let cancelling = async {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            token.cancel_query(NoTls).await.unwrap();
        }
    };
    let result = tokio::select! { result = sleeping => result, () = cancelling => unreachable!() };
    assert_eq!(code(result), "57014");
    assert!(client.query_one("SELECT 1", &[]).await.is_ok());
}
