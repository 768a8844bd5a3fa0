//! The extended query protocol: pipelines, portals with row limits, formats, and its errors.

use crate::support::raw::{bind, execute, extended, kinds, message, parse};
use crate::support::{Node, code};

const SYNC: &[u8] = b"S\0\0\0\x04";
const FLUSH: &[u8] = b"H\0\0\0\x04";

#[tokio::test(flavor = "multi_thread")]
async fn one_statement() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    raw.bytes(&extended("SELECT 1 AS one, 'x'", 0)).await;
    let messages = raw.until_ready().await;
    assert_eq!(kinds(&messages), "12TDCZ");
    assert_eq!(messages[3].values(), [Some("1".into()), Some("x".into())]);
    assert_eq!(messages[4].body, b"SELECT 1\0");
    raw.bytes(&extended("", 0)).await;
    assert_eq!(raw.kinds().await, "12nIZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn portals_are_suspended_and_go_on() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    let steps = [
        parse("", "SELECT * FROM generate_series(1, 5)"),
        bind("p", ""),
        execute("p", 2),
        execute("p", 2),
        execute("p", 2),
        execute("p", 2),
        SYNC.to_vec(),
    ];
    raw.bytes(&steps.concat()).await;
    let messages = raw.until_ready().await;
    assert_eq!(kinds(&messages), "12DDsDDsDCCZ");
    let tags: Vec<&[u8]> = messages.iter().filter(|m| m.kind == b'C').map(|m| m.body.as_slice()).collect();
    assert_eq!(tags, [b"SELECT 1\0", b"SELECT 0\0"]);
    // Outside a transaction block a portal ends with its Sync; inside it stays.
    raw.bytes(&[execute("p", 0), SYNC.to_vec()].concat()).await;
    assert_eq!(raw.kinds().await, "E(34000)Z");
    raw.send(b'Q', b"BEGIN\0").await;
    assert_eq!(raw.kinds().await, "CZ");
    raw.bytes(&[parse("", "SELECT generate_series(1, 3)"), bind("p", ""), execute("p", 1), SYNC.to_vec()].concat())
        .await;
    assert_eq!(raw.kinds().await, "12DsZ");
    raw.bytes(&[execute("p", 0), SYNC.to_vec()].concat()).await;
    assert_eq!(raw.kinds().await, "DDCZ");
    raw.bytes(&[parse("", "COMMIT"), bind("", ""), execute("", 0), execute("p", 0), SYNC.to_vec()].concat()).await;
    assert_eq!(raw.kinds().await, "12CE(34000)Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_one_transaction() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    raw.send(b'Q', b"CREATE TABLE t(a int primary key)\0").await;
    raw.until_ready().await;
    let run = |sql: &str| [parse("", sql), bind("", ""), execute("", 0)].concat();
    let insert = |n: i32| run(&format!("INSERT INTO t VALUES ({n})"));
    raw.bytes(&[insert(1), insert(2), run("SELECT 1/0"), insert(3), SYNC.to_vec()].concat()).await;
    // A constant expression fails when Bind plans the statement.
    assert_eq!(raw.kinds().await, "12C12C1E(22012)Z");
    raw.bytes(&[insert(1), insert(2), SYNC.to_vec(), insert(3), SYNC.to_vec()].concat()).await;
    assert_eq!(raw.kinds().await, "12C12CZ");
    assert_eq!(raw.kinds().await, "12CZ");
    raw.send(b'Q', b"SELECT count(*) FROM t\0").await;
    assert_eq!(raw.until_ready().await[1].values(), [Some("3".into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_and_portals_have_names() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    raw.bytes(&[parse("s", "SELECT 1"), parse("s", "SELECT 2"), SYNC.to_vec()].concat()).await;
    assert_eq!(raw.kinds().await, "1E(42P05)Z");
    raw.bytes(&[bind("p", "s"), bind("p", "s"), SYNC.to_vec()].concat()).await;
    assert_eq!(raw.kinds().await, "2E(42P03)Z");
    raw.bytes(&[bind("", "nothing"), SYNC.to_vec()].concat()).await;
    assert_eq!(raw.kinds().await, "E(26000)Z");
    raw.bytes(&[message(b'C', b"Ss\0"), message(b'C', b"Snothing\0"), bind("", "s"), SYNC.to_vec()].concat()).await;
    assert_eq!(raw.kinds().await, "33E(26000)Z");
    // It is the name space of PREPARE too.
    raw.bytes(&[parse("shared", "SELECT 7"), SYNC.to_vec()].concat()).await;
    assert_eq!(raw.kinds().await, "1Z");
    raw.send(b'Q', b"EXECUTE shared; DEALLOCATE shared; EXECUTE shared\0").await;
    assert_eq!(raw.kinds().await, "TDCCE(26000)Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_binds() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    raw.bytes(&[parse("s", "SELECT $1::int, $2::text"), SYNC.to_vec()].concat()).await;
    assert_eq!(raw.kinds().await, "1Z");
    let cases: [(&[u8], &str); 6] = [
        (
            b"\0s\0\0\0\0\x01\0\0\0\x011\0\0",
            "bind message supplies 1 parameters, but prepared statement \"s\" requires 2",
        ),
        (
            b"\0s\0\0\x03\0\0\0\0\0\0\0\x02\0\0\0\x011\0\0\0\x011\0\0",
            "bind message has 3 parameter formats but 2 parameters",
        ),
        (b"\0s\0\0\x01\0\x07\0\x02\0\0\0\x011\0\0\0\x011\0\0", "unsupported format code: 7"),
        (
            b"\0s\0\0\0\0\x02\0\0\0\x011\0\0\0\x011\0\x03\0\0\0\0\0\0",
            "bind message has 3 result formats but query has 2 columns",
        ),
        (b"\0s\0\0\0\0\x02\0\0\0\x01x\0\0\0\x011\0\0", "invalid input syntax for type integer: \"x\""),
        (b"\0s\0\0\0\0\x02\0\0\0\x011\0\0\0\x01\xff\0\0", "invalid byte sequence for encoding \"UTF8\": 0xff"),
    ];
    for (body, expected) in cases {
        raw.bytes(&[message(b'B', body), SYNC.to_vec()].concat()).await;
        let messages = raw.until_ready().await;
        assert_eq!(messages[0].field(b'M').as_deref(), Some(expected));
        assert_eq!(messages.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flush_answers_before_sync() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    raw.bytes(&[parse("", "SELECT 1"), message(b'D', b"S\0"), FLUSH.to_vec()].concat()).await;
    raw.expect(b'1').await;
    assert_eq!(raw.expect(b't').await.body, [0, 0]);
    raw.expect(b'T').await;
    raw.bytes(SYNC).await;
    assert_eq!(raw.kinds().await, "Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_in_binary_both_ways() {
    let node = Node::start().await;
    let client = node.connect().await;
    let row = client
        .query_one(
            "SELECT $1::int8 + 1, $2::text || 'x', $3::bool, $4::float8, $5::bytea, $6::int2",
            &[&41i64, &"é", &true, &1.5f64, &&b"\0\xff"[..], &7i16],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 42);
    assert_eq!(row.get::<_, String>(1), "éx");
    assert!(row.get::<_, bool>(2));
    assert_eq!(row.get::<_, f64>(3), 1.5);
    assert_eq!(row.get::<_, Vec<u8>>(4), b"\0\xff");
    assert_eq!(row.get::<_, i16>(5), 7);
    assert_eq!(row.len(), 6);
    assert_eq!(code(client.query("SELECT 1/$1::int", &[&0i32]).await), "22012");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_streams() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    raw.send(b'Q', b"SELECT n, repeat('x', 100) FROM generate_series(1, 200000) n\0").await;
    let mut count = 0;
    while let Some(message) = raw.next().await {
        match message.kind {
            b'D' => count += 1,
            b'Z' => break,
            _ => {}
        }
    }
    assert_eq!(count, 200_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn constants_fail_when_they_are_planned() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    raw.send(b'Q', b"CREATE TABLE t (a int); CREATE VIEW v AS SELECT 1/0 AS x; PREPARE p AS SELECT 1/0\0").await;
    assert_eq!(raw.kinds().await, "CCCZ");
    // Simple and extended, as PostgreSQL 18 answers. Parse and Describe see nothing wrong.
    for (sql, simple, extended_) in [
        ("SELECT 1/0", "E(22012)Z", "1E(22012)Z"),
        ("SELECT 1 FROM t WHERE 1/0 = 1", "E(22012)Z", "1E(22012)Z"),
        ("SELECT CASE WHEN a = 1 THEN 1/0 ELSE 2 END FROM t", "E(22012)Z", "1E(22012)Z"),
        ("SELECT 'x'::text::int", "E(22P02)Z", "1E(22P02)Z"),
        ("SELECT sum(1/0) FROM t", "E(22012)Z", "1E(22012)Z"),
        ("SELECT (SELECT 1/0)", "E(22012)Z", "1E(22012)Z"),
        ("INSERT INTO t VALUES (1/0)", "E(22012)Z", "1E(22012)Z"),
        ("SELECT * FROM v", "E(22012)Z", "1E(22012)Z"),
        ("EXPLAIN SELECT 1/0", "E(22012)Z", "12TE(22012)Z"),
        ("EXECUTE p", "E(22012)Z", "12TE(22012)Z"),
        ("COPY (SELECT 1/0) TO STDOUT", "E(22012)Z", "12nE(22012)Z"),
        // What is folded away, or not asked for, does not fail.
        ("SELECT CASE WHEN true THEN 1 ELSE 1/0 END", "TDCZ", "12TDCZ"),
        ("SELECT coalesce(1, 1/0)", "TDCZ", "12TDCZ"),
        ("SELECT false AND 1/0 = 1", "TDCZ", "12TDCZ"),
        ("SELECT 1 FROM (SELECT 1/0 AS x) s", "TDCZ", "12TDCZ"),
        ("SELECT EXISTS (SELECT 1/0)", "TDCZ", "12TDCZ"),
        // What is not constant fails when it runs.
        ("SELECT 1/(random() * 0)", "TE(22012)Z", "12TE(22012)Z"),
        ("SELECT 1/(SELECT 0)", "TE(22012)Z", "12TE(22012)Z"),
        ("SELECT 1/a FROM (SELECT random()::int * 0) s(a)", "TE(22012)Z", "12TE(22012)Z"),
    ] {
        raw.send(b'Q', format!("{sql}\0").as_bytes()).await;
        assert_eq!(raw.kinds().await, simple, "{sql}");
        raw.bytes(&extended(sql, 0)).await;
        assert_eq!(raw.kinds().await, extended_, "{sql}");
        raw.bytes(&[parse("", sql), message(b'D', b"S\0"), SYNC.to_vec()].concat()).await;
        assert!(raw.kinds().await.starts_with("1t"), "{sql}");
    }
}
