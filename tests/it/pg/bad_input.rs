//! Statements and values beyond every limit: a clear error or the right answer, the same connection usable, others
//! unaffected, nothing in the log, and memory back to about where it was.
//!
//! The SQLSTATEs are PostgreSQL 18's, with one exception: where its parser runs out of stack ("memory exhausted", 42601)
//! ours counts levels and says 54001, as PostgreSQL does for what its planner finds too deep.

use crate::support::eventually;
use crate::support::process::Process;
use crate::support::raw::{Raw, bind, kinds, message, parse};

const SYNC: &[u8] = b"S\0\0\0\x04";
const MB: u64 = 1 << 20;
/// How much more a node may keep than before, once the work is done: what its allocator and its caches hold on to.
const KEPT_MAX: u64 = 300 * MB;

/// What a query must come to.
#[derive(Clone, Copy)]
enum Expected {
    /// This SQLSTATE.
    Code(&'static str),
    /// One row with this value.
    Value(&'static str),
    /// A finished answer, or out of memory.
    AnyOrOutOfMemory,
}
use Expected::{AnyOrOutOfMemory, Code, Value};

async fn query(raw: &mut Raw, sql: &str) -> Vec<crate::support::raw::Message> {
    raw.send(b'Q', [sql.as_bytes(), b"\0"].concat().as_slice()).await;
    raw.until_ready().await
}

async fn answers(raw: &mut Raw) {
    assert_eq!(kinds(&query(raw, "SELECT 1").await), "TDCZ");
}

/// Runs the queries on one connection while another one looks on.
async fn run(node: &mut Process, cases: &[(&str, String, Expected)]) {
    let mut raw = node.raw().await;
    let mut other = node.raw().await;
    answers(&mut other).await;
    let before = node.resident_bytes();
    query(&mut raw, "CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, 'y')").await;
    for (name, sql, expected) in cases {
        let messages = query(&mut raw, sql).await;
        let error = messages.iter().find(|m| m.kind == b'E').map(|m| m.field(b'C').unwrap());
        let text = messages.iter().find(|m| m.kind == b'E').and_then(|m| m.field(b'M')).unwrap_or_default();
        let first = messages.iter().find(|m| m.kind == b'D').map(|m| m.values()[0].clone().unwrap_or_default());
        match expected {
            Code(code) => assert_eq!(error.as_deref(), Some(*code), "{name}: {text} {first:?}"),
            Value(value) => assert_eq!((error, first.as_deref()), (None, Some(*value)), "{name}: {text}"),
            AnyOrOutOfMemory => assert!(error.is_none() || error.as_deref() == Some("53200"), "{name}: {text}"),
        }
        assert_eq!(messages.last().unwrap().body, b"I", "{name}");
        answers(&mut raw).await;
        answers(&mut other).await;
    }
    query(&mut raw, "DROP TABLE t").await;
    drop(raw);
    eventually("memory is given back", async || node.resident_bytes() < before + KEPT_MAX).await;
    node.assert_calm();
}

fn chain(term: &str, operator: &str, count: usize) -> String {
    vec![term; count].join(operator)
}

fn nested(open: &str, inner: &str, close: &str, count: usize) -> String {
    format!("{}{inner}{}", open.repeat(count), close.repeat(count))
}

fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(",")
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_too_deep_or_too_long() {
    let mut node = Process::start(&[]);
    let cases = [
        ("parentheses", format!("SELECT {}", nested("(", "1", ")", 100_000)), Code("54001")),
        ("parentheses within the limit", format!("SELECT {}", nested("(", "1", ")", 900)), Value("1")),
        ("arrays", format!("SELECT {}", nested("ARRAY[", "1", "]", 100_000)), Code("54001")),
        ("calls", format!("SELECT {}", nested("abs(", "1", ")", 100_000)), Code("54001")),
        ("subqueries", format!("SELECT {}", nested("(SELECT ", "1", ")", 100_000)), Code("54001")),
        ("derived tables", format!("SELECT * FROM {}", nested("(SELECT * FROM ", "t", ") x", 5_000)), Code("54001")),
        ("cases", format!("SELECT {}", nested("CASE WHEN true THEN ", "1", " END", 20_000)), Code("54001")),
        ("minus signs", format!("SELECT {}1", "- ".repeat(100_000)), Code("54001")),
        ("NOT", format!("SELECT {}true", "NOT ".repeat(100_000)), Code("54001")),
        ("casts", format!("SELECT 1{}", "::int".repeat(60_000)), Code("54001")),
        ("arrows", format!("SELECT '{{}}'::jsonb{}", "->'a'".repeat(60_000)), Code("54001")),
        ("sum of constants", format!("SELECT {}", chain("1", "+", 60_000)), Code("54001")),
        ("sum of columns", format!("SELECT {} FROM t", chain("a", "+", 60_000)), Code("54001")),
        ("sum within the limit", format!("SELECT {}", chain("1", "+", 900)), Value("900")),
        ("concatenation", format!("SELECT {} FROM t", chain("b", "||", 60_000)), Code("54001")),
        ("UNION", chain("SELECT 1", " UNION ALL ", 60_000), Code("54001")),
        ("joins", format!("SELECT 1 FROM {}", list(3_000, |n| format!("t x{n}"))), Code("54001")),
        ("AND", format!("SELECT count(*) FROM t WHERE {}", chain("a = 1", " AND ", 60_000)), Value("1")),
        ("OR", format!("SELECT count(*) FROM t WHERE {}", chain("a = 1", " OR ", 60_000)), Value("1")),
        ("IN", format!("SELECT count(*) FROM t WHERE a IN ({})", list(60_000, |n| n.to_string())), Value("2")),
        (
            "VALUES",
            format!("SELECT sum(x) FROM (VALUES {}) v(x)", list(60_000, |n| format!("({n})"))),
            Value("1799970000"),
        ),
        ("INSERT", format!("INSERT INTO t VALUES {}", list(60_000, |n| format!("({n})"))), AnyOrOutOfMemory),
        ("inserted", "SELECT count(*) FROM t".into(), Value("60002")),
        ("output columns", format!("SELECT {}", list(1665, |n| n.to_string())), Code("54011")),
        ("table columns", format!("CREATE TABLE w ({})", list(1601, |n| format!("c{n} int"))), Code("54011")),
        ("parameters", "SELECT $99999999".into(), Code("42P02")),
        ("comments", format!("SELECT 1 {}", nested("/*", "", "*/", 100_000)), Value("1")),
    ];
    run(&mut node, &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_beyond_their_types() {
    let mut node = Process::start(&[]);
    let deep = |open: &str, close: &str| nested(open, "1", close, 1_000_000);
    let digits = "9".repeat(1_000_000);
    let cases = [
        ("jsonb depth", format!("SELECT jsonb '{}'", deep("[", "]")), Code("54001")),
        ("json depth", format!("SELECT json '{}'", deep("[", "]")), Code("54001")),
        ("object depth", format!("SELECT jsonb '{}'", deep("{\"a\":", "}")), Code("54001")),
        ("open arrays", format!("SELECT jsonb '{}'", "[".repeat(1_000_000)), Code("54001")),
        ("computed depth", "SELECT (repeat('[', 1000000) || repeat(']', 1000000))::jsonb".into(), Code("54001")),
        ("json 1e400", "SELECT length((jsonb '1e400')::text)".into(), Value("401")),
        ("float 1e400", "SELECT 1e400::float8".into(), Code("22003")),
        ("float in json", "SELECT (jsonb '1e400')::float8".into(), Code("22003")),
        ("numeric 1e400", "SELECT length((1e400)::text)".into(), Value("401")),
        ("exponent", "SELECT 1e1000000".into(), Code("22003")),
        ("exponent in json", "SELECT jsonb '1e1000000'".into(), Code("22003")),
        ("small exponent", "SELECT 1e-1000000".into(), Code("22003")),
        ("endless exponent", "SELECT jsonb '1e999999999999999999999'".into(), Code("22003")),
        ("digits", format!("SELECT {digits}"), Code("22003")),
        ("digits in json", format!("SELECT jsonb '{digits}'"), Code("22003")),
        ("digits in text", format!("SELECT '{digits}'::numeric"), Code("22003")),
        ("fraction", format!("SELECT 0.{digits}"), Code("22003")),
        ("digits that fit", format!("SELECT length(({})::text)", &digits[..100_000]), Value("100000")),
        ("power", "SELECT 2::numeric ^ 1000000000".into(), Code("22003")),
        ("factorial", "SELECT factorial(100000)".into(), Code("22003")),
        ("lone high surrogate", r#"SELECT jsonb '"\ud800"'"#.into(), Code("22P02")),
        ("lone low surrogate", r#"SELECT jsonb '"\udc00"'"#.into(), Code("22P02")),
        ("two high surrogates", r#"SELECT jsonb '"\ud800\ud800"'"#.into(), Code("22P02")),
        ("a pair", r#"SELECT jsonb '"\ud83d\ude00"'"#.into(), Value("\"😀\"")),
        ("NUL in jsonb", r#"SELECT jsonb '"\u0000"'"#.into(), Code("22P05")),
        ("NUL in json", r#"SELECT json '"\u0000"'"#.into(), Value(r#""\u0000""#)),
        ("NUL out of json", r#"SELECT json '["\u0000"]' ->> 0"#.into(), Code("22P05")),
        ("NUL by escape", r"SELECT E'\u0000'".into(), Code("42601")),
        ("NUL by byte", r"SELECT E'\x00'".into(), Code("22021")),
        ("NUL by chr", "SELECT chr(0)".into(), Code("54000")),
        ("surrogate by escape", r"SELECT E'\ud800'".into(), Code("42601")),
        ("array dimensions", format!("SELECT '{}'::int[]", nested("{", "1", "}", 100_000)), Code("54000")),
        ("date", "SELECT date '99999999-01-01'".into(), Code("22008")),
        ("interval", "SELECT interval '99999999999999999999 years'".into(), Code("22015")),
        ("regular expression", "SELECT 'x' ~ '(a{1000}){1000}'".into(), Code("2201B")),
        ("LIMIT", "SELECT 1 LIMIT 9223372036854775807 OFFSET 0".into(), Value("1")),
        ("LIMIT beyond", "SELECT 1 LIMIT 9223372036854775808".into(), Code("22003")),
        ("negative LIMIT", "SELECT 1 LIMIT -1".into(), Code("2201W")),
    ];
    run(&mut node, &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_has_a_limit() {
    let mut node = Process::start(&[("EXEC_MEMORY_LIMIT", "32MB")]);
    let rows = "generate_series(1, 1000) x(g), generate_series(1, 500) y(g)";
    let cases = [
        ("text", "SELECT length(repeat('x', 1000000000))".into(), Code("53200")),
        ("text beyond all limits", "SELECT repeat('xx', 2000000000)".into(), Code("54000")),
        ("padding", "SELECT length(lpad('x', 2000000000))".into(), Code("54000")),
        ("array", "SELECT array_fill(1, ARRAY[1000000000])".into(), Code("54000")),
        ("string_agg", "SELECT length(string_agg(repeat('x', 1000), '')) FROM generate_series(1, 200000)".into(), Code("53200")),
        ("array_agg", "SELECT cardinality(array_agg(g)) FROM generate_series(1, 10000000) g".into(), Code("53200")),
        ("jsonb_agg", "SELECT length(jsonb_agg(g)::text) FROM generate_series(1, 10000000) g".into(), Code("53200")),
        ("groups", format!("SELECT count(*) FROM (SELECT x.g, y.g, repeat('x', 50), count(*) FROM {rows} GROUP BY 1, 2, 3) s"), AnyOrOutOfMemory),
        ("sort", format!("SELECT x.g FROM {rows} ORDER BY x.g * y.g DESC, repeat('x', 100) LIMIT 1 OFFSET 400000"), AnyOrOutOfMemory),
        ("window", format!("SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY x.g * y.g) AS n FROM {rows}) s"), AnyOrOutOfMemory),
        ("join", "SELECT count(*) FROM generate_series(1, 1000000) a JOIN generate_series(1, 1000000) b ON a = b".into(), AnyOrOutOfMemory),
        ("a long result", "SELECT count(*) FROM generate_series(1, 1000000)".into(), Value("1000000")),
        ("a transaction", "INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 100000) g".into(), Code("53200")),
        ("returned rows", "INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 20000) g RETURNING repeat(b, 5)".into(), Code("53200")),
        ("nothing of them is there", "SELECT count(*) FROM t".into(), Value("2")),
        ("a cursor held", "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT g, repeat('x', 1000) FROM generate_series(1, 100000) g; COMMIT".into(), Code("53200")),
    ];
    run(&mut node, &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_and_portals_have_a_limit() {
    let mut node = Process::start(&[("PG_PREPARED_MEMORY_MAX", "4MB")]);
    let mut raw = node.raw().await;
    let long = format!("SELECT 1{}", " ".repeat(100_000));
    let mut saved = 0;
    let refused = loop {
        raw.bytes(&[parse(&format!("s{saved}"), &long).as_slice(), SYNC].concat()).await;
        let messages = raw.until_ready().await;
        if kinds(&messages) != "1Z" {
            break messages;
        }
        saved += 1;
        assert!(saved < 1000, "there is a limit");
    };
    assert_eq!((kinds(&refused).as_str(), refused[0].field(b'M').unwrap().as_str()), ("E(53200)Z", "out of memory"));
    assert!(saved > 30, "{saved}");
    // The connection goes on, and what it forgets makes room.
    assert_eq!(kinds(&query(&mut raw, "DEALLOCATE s0").await), "CZ");
    raw.bytes(&[parse("again", &long).as_slice(), SYNC].concat()).await;
    assert_eq!(raw.kinds().await, "1Z");
    assert_eq!(kinds(&query(&mut raw, "DEALLOCATE ALL").await), "CZ");

    let value = "x".repeat(100_000);
    let mut batch = parse("p", "SELECT $1::text");
    for number in 0..100 {
        let mut body = format!("portal{number}\0p\0\0\0\0\x01").into_bytes();
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value.as_bytes());
        body.extend_from_slice(&[0, 0]);
        batch.extend(message(b'B', &body));
    }
    batch.extend_from_slice(SYNC);
    raw.bytes(&batch).await;
    let answer = raw.kinds().await;
    assert!(answer.starts_with("12222222222222") && answer.ends_with("2E(53200)Z"), "{answer}");
    // A hundred thousand small ones.
    raw.send(b'Q', b"BEGIN\0").await;
    raw.until_ready().await;
    let mut batch = parse("small", "SELECT 1");
    (0..100_000).for_each(|number| batch.extend(bind(&format!("q{number}"), "small")));
    batch.extend_from_slice(SYNC);
    raw.bytes(&batch).await;
    assert!(raw.kinds().await.ends_with("2E(53200)Z"));
    assert_eq!(kinds(&query(&mut raw, "ROLLBACK").await), "CZ");
    answers(&mut raw).await;
    node.assert_calm();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_takes_memory_as_it_arrives() {
    let mut node = Process::start(&[]);
    let before = node.resident_bytes();
    // A word of 256 MB that never comes, from many at once.
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut raw = node.raw().await;
        raw.bytes(&[b'Q', 0x0f, 0xff, 0xff, 0xff, b'S']).await;
        waiting.push(raw);
    }
    answers(&mut node.raw().await).await;
    assert!(node.resident_bytes() < before + 100 * MB);
    drop(waiting);
    // One that does come is an error of its own, not of the connection.
    let mut raw = node.raw().await;
    let text = format!("SELECT length('{}')", "x".repeat(50 << 20));
    assert_eq!(kinds(&query(&mut raw, &text).await), "TDCZ");
    answers(&mut raw).await;
    drop(raw);
    eventually("memory is given back", async || node.resident_bytes() < before + KEPT_MAX).await;
    node.assert_calm();
}
