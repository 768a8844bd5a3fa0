//! What goes wrong after start-up: bad messages, cancelled statements, clients that leave.

use std::time::Duration;

use crate::support::raw::{Raw, kinds, message};
use crate::support::{Node, code, eventually, message as text};

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_one_text() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    raw.send(b'Q', b"CREATE TABLE t(a int); INSERT INTO t VALUES (1); SELECT 1/0; SELECT 2\0").await;
    let messages = raw.until_ready().await;
    // A constant expression fails when the statement is planned, before its RowDescription.
    assert_eq!(kinds(&messages), "CCE(22012)Z");
    assert_eq!(messages.last().unwrap().body, b"I");
    // All of it was one transaction.
    raw.send(b'Q', b"SELECT * FROM t\0").await;
    assert_eq!(raw.kinds().await, "E(42P01)Z");
    // Nothing runs of a text that cannot be parsed.
    raw.send(b'Q', b"SELECT 1; SELEC 2\0").await;
    let messages = raw.until_ready().await;
    assert_eq!(kinds(&messages), "E(42601)Z");
    assert_eq!(messages[0].field(b'P').unwrap(), "11");
    raw.send(b'Q', b" ; \0").await;
    assert_eq!(raw.kinds().await, "IZ");
    raw.send(b'Q', b"BEGIN; SELECT 1/0\0").await;
    let messages = raw.until_ready().await;
    assert_eq!((kinds(&messages).as_str(), messages.last().unwrap().body.as_slice()), ("CE(22012)Z", &b"E"[..]));
    raw.send(b'Q', b"SELECT 1\0").await;
    assert_eq!(raw.kinds().await, "E(25P02)Z");
    raw.send(b'Q', b"ROLLBACK\0").await;
    assert_eq!(raw.kinds().await, "CZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_messages() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    raw.send(b'Q', b"SELECT 'caf\xe9'\0").await;
    assert_eq!(raw.kinds().await, "E(22021)Z");
    raw.send(b'Q', b"SELECT 1").await;
    assert_eq!(raw.kinds().await, "E(08P01)Z");
    raw.send(b'F', b"\0\0\0\x01\0\0\0\0\0\0").await;
    assert_eq!(raw.kinds().await, "E(0A000)Z");
    // In the extended protocol an error skips to the next Sync.
    raw.bytes(&[message(b'B', b"x"), message(b'E', b"y"), message(b'Q', b"SELECT 1\0"), message(b'S', b"")].concat())
        .await;
    assert_eq!(raw.kinds().await, "E(08P01)Z");
    // COPY messages that nobody waits for are ignored.
    raw.bytes(&[message(b'd', b"x"), message(b'c', b""), message(b'Q', b"\0")].concat()).await;
    assert_eq!(raw.kinds().await, "IZ");
    for bad in [&b"?\0\0\0\x04"[..], b"Q\0\0\0\x03", b"Q\xff\xff\xff\xff", b"S\0\x01\0\0", b"p\0\0\0\x04"] {
        let mut raw = node.raw().await;
        raw.bytes(bad).await;
        let error = raw.expect(b'E').await;
        assert_eq!((error.field(b'S').unwrap().as_str(), error.field(b'C').unwrap().as_str()), ("FATAL", "08P01"));
        assert!(raw.next().await.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_have_a_limit() {
    let node = Node::with(|config| config.pg.message_size_max = aerolithdb::config::ByteSize(1 << 16)).await;
    let mut raw = node.raw().await;
    raw.bytes(&[b'Q', 0, 1, 0, 1]).await;
    let error = raw.expect(b'E').await;
    assert_eq!(error.field(b'C').unwrap(), "54000");
    assert!(raw.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_stops_a_result_that_streams() {
    let node = Node::start().await;
    let client = node.connect().await;
    let token = client.cancel_token();
    let endless =
        tokio::spawn(
            async move { client.simple_query("SELECT * FROM generate_series(1, 1000000000)").await.map(|_| ()) },
        );
    eventually("the statement runs", async || node.node().server().session_count() > 0).await;
    // Until it has hit: a request that comes before the statement begins is for nothing.
    let watcher = tokio::spawn(async move {
        loop {
            let _ = token.cancel_query(tokio_postgres::NoTls).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let result = tokio::time::timeout(Duration::from_secs(30), endless).await.expect("it stops").unwrap();
    watcher.abort();
    assert_eq!(text(result), "canceling statement due to user request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_cancel_key_does_nothing() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    let mut other = Raw::connect(node.port()).await;
    other.bytes(b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01\x01\x02\x03\x04").await;
    assert!(other.next().await.is_none(), "a CancelRequest is never answered");
    raw.send(b'Q', b"SELECT 1\0").await;
    assert_eq!(raw.kinds().await, "TDCZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_timeout_stops_a_result_that_streams() {
    let node = Node::start().await;
    let client = node.connect().await;
    client.batch_execute("SET statement_timeout = '50ms'").await.unwrap();
    let result = client.simple_query("SELECT * FROM generate_series(1, 1000000000)").await;
    assert_eq!(text(result), "canceling statement due to statement timeout");
    client.batch_execute("RESET statement_timeout").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_its_statement() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    raw.send(b'Q', b"SELECT * FROM generate_series(1, 1000000000)\0").await;
    raw.expect(b'T').await;
    assert_eq!(node.node().server().session_count(), 1);
    drop(raw);
    eventually("the session ends", async || node.node().server().session_count() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_have_time_limits() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    raw.send(b'Q', b"SET idle_in_transaction_session_timeout = 30; BEGIN\0").await;
    raw.until_ready().await;
    let error = raw.expect(b'E').await;
    assert_eq!(error.field(b'C').unwrap(), "25P03");
    let mut raw = node.raw().await;
    raw.send(b'Q', b"SET idle_session_timeout = 30\0").await;
    raw.until_ready().await;
    assert_eq!(raw.expect(b'E').await.field(b'C').unwrap(), "57P05");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_drivers_watch_are_reported() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    raw.send(b'Q', b"SET TimeZone = 'Asia/Tokyo'\0").await;
    let messages = raw.until_ready().await;
    assert_eq!(kinds(&messages), "CSZ");
    assert_eq!(messages[1].body, b"TimeZone\0Asia/Tokyo\0");
    let client = node.connect().await;
    assert_eq!(code(client.batch_execute("SET client_encoding = 'LATIN1'").await), "0A000");
}
