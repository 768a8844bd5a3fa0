//! Cursors of SQL and portals of the protocol: one name space, and what pg_cursors and pg_prepared_statements show.

use crate::support::raw::{Raw, bind, execute, kinds, message, parse};
use crate::support::{Node, code};

const SYNC: &[u8] = b"S\0\0\0\x04";

async fn run(raw: &mut Raw, sql: &str) -> String {
    raw.send(b'Q', format!("{sql}\0").as_bytes()).await;
    raw.kinds().await
}

async fn send(raw: &mut Raw, messages: &[Vec<u8>]) -> String {
    raw.bytes(&[messages.concat().as_slice(), SYNC].concat()).await;
    raw.kinds().await
}

fn describe(portal: &str) -> Vec<u8> {
    message(b'D', format!("P{portal}\0").as_bytes())
}

fn close(portal: &str) -> Vec<u8> {
    message(b'C', format!("P{portal}\0").as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_uses_cursors_of_sql() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    assert_eq!(run(&mut raw, "BEGIN; DECLARE c CURSOR FOR SELECT g, 'x' FROM generate_series(1, 5) g").await, "CCZ");
    raw.bytes(&[describe("c").as_slice(), &execute("c", 2), SYNC].concat()).await;
    let messages = raw.until_ready().await;
    assert_eq!(kinds(&messages), "TDDsZ");
    assert_eq!(messages[2].values(), [Some("2".into()), Some("x".into())]);
    // FETCH goes on where Execute stopped, and the other way round.
    raw.send(b'Q', b"FETCH 1 FROM c\0").await;
    assert_eq!(raw.until_ready().await[1].values()[0], Some("3".into()));
    raw.bytes(&[execute("c", 0).as_slice(), SYNC].concat()).await;
    let messages = raw.until_ready().await;
    assert_eq!((kinds(&messages).as_str(), messages[2].body.as_slice()), ("DDCZ", &b"SELECT 2\0"[..]));
    assert_eq!(send(&mut raw, &[close("c"), describe("c")]).await, "3E(34000)Z");
    assert_eq!(run(&mut raw, "ROLLBACK").await, "CZ");
    assert_eq!(send(&mut raw, &[execute("c", 0)]).await, "E(34000)Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_shared() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    assert_eq!(run(&mut raw, "BEGIN; DECLARE c CURSOR FOR SELECT 1").await, "CCZ");
    assert_eq!(send(&mut raw, &[parse("", "SELECT 2"), bind("c", "")]).await, "1E(42P03)Z");
    assert_eq!(run(&mut raw, "ROLLBACK; BEGIN").await, "CCZ");
    assert_eq!(send(&mut raw, &[parse("", "SELECT 2"), bind("p", "")]).await, "12Z");
    assert_eq!(run(&mut raw, "DECLARE p CURSOR FOR SELECT 1").await, "E(42P03)Z");
    assert_eq!(run(&mut raw, "ROLLBACK; BEGIN").await, "CCZ");
    // CLOSE is for portals too.
    assert_eq!(send(&mut raw, &[parse("s", "SELECT 2"), bind("p", "s"), bind("q", "s")]).await, "122Z");
    assert_eq!(run(&mut raw, "CLOSE p").await, "CZ");
    assert_eq!(send(&mut raw, &[describe("q"), bind("p", "s"), describe("p")]).await, "T2TZ");
    assert_eq!(run(&mut raw, "CLOSE ALL").await, "CZ");
    assert_eq!(send(&mut raw, &[describe("q")]).await, "E(34000)Z");
    // Pinned: PostgreSQL gives the portal's rows.
    assert_eq!(run(&mut raw, "ROLLBACK; BEGIN").await, "CCZ");
    assert_eq!(send(&mut raw, &[parse("", "SELECT 2"), bind("p", "")]).await, "12Z");
    assert_eq!(run(&mut raw, "FETCH p").await, "E(0A000)Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_has_is_shown() {
    let node = Node::start().await;
    let client = node.connect().await;
    let shown =
        "SELECT name, statement, parameter_types::text, from_sql FROM pg_prepared_statements WHERE name NOT LIKE 's%'";
    client.batch_execute("PREPARE by_sql (int, text) AS SELECT $1, $2").await.unwrap();
    let row = client.query_one(shown, &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "by_sql");
    assert_eq!(row.get::<_, &str>(1), "PREPARE by_sql (int, text) AS SELECT $1, $2");
    assert_eq!(row.get::<_, &str>(2), "{integer,text}");
    assert!(row.get::<_, bool>(3));
    let _kept = client.prepare("SELECT $1::int8 AS kept").await.unwrap();
    let own = "SELECT parameter_types::text FROM pg_prepared_statements WHERE NOT from_sql AND statement LIKE '%kept'";
    let row = client.query_one(own, &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "{bigint}");
    // Nobody else's.
    assert_eq!(
        node.connect().await.query("SELECT * FROM pg_prepared_statements WHERE from_sql", &[]).await.unwrap().len(),
        0
    );

    client
        .batch_execute("BEGIN; DECLARE a SCROLL CURSOR WITH HOLD FOR SELECT 1; DECLARE b NO SCROLL CURSOR FOR SELECT 2")
        .await
        .unwrap();
    let cursors = "SELECT name, statement, is_holdable, is_scrollable, creation_time <= clock_timestamp() FROM pg_cursors WHERE name <> '' ORDER BY 1";
    let rows = client.query(cursors, &[]).await.unwrap();
    let row = |at: usize| {
        let row = &rows[at];
        (
            row.get::<_, String>(0),
            row.get::<_, String>(1),
            row.get::<_, bool>(2),
            row.get::<_, bool>(3),
            row.get::<_, bool>(4),
        )
    };
    assert_eq!(row(0), ("a".into(), "DECLARE a SCROLL CURSOR WITH HOLD FOR SELECT 1".into(), true, true, true));
    assert_eq!(row(1), ("b".into(), "DECLARE b NO SCROLL CURSOR FOR SELECT 2".into(), false, false, true));
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(client.query(cursors, &[]).await.unwrap().len(), 1);
    client.batch_execute("CLOSE a; DEALLOCATE by_sql").await.unwrap();
    assert_eq!(client.query(cursors, &[]).await.unwrap().len(), 0);
    assert_eq!(code(client.batch_execute("CLOSE a").await), "34000");
}
