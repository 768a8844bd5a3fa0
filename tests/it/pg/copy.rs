//! COPY over the wire: formats both ways, errors with their place, and how it ends.

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio_postgres::Client;

use crate::support::raw::{Raw, kinds};
use crate::support::{Node, code};

async fn table(node: &Node) -> Client {
    let client = node.connect().await;
    client.batch_execute("CREATE TABLE t(id int PRIMARY KEY, doc jsonb)").await.unwrap();
    client
}

async fn copy_in(client: &Client, statement: &str, chunks: &[&str]) -> Result<u64, tokio_postgres::Error> {
    let sink = client.copy_in::<_, Bytes>(statement).await?;
    let mut sink = std::pin::pin!(sink);
    for chunk in chunks {
        sink.send(Bytes::copy_from_slice(chunk.as_bytes())).await?;
    }
    sink.finish().await
}

async fn copy_out(client: &Client, statement: &str) -> String {
    let stream = client.copy_out(statement).await.unwrap();
    let chunks: Vec<Bytes> = stream.map(|chunk| chunk.unwrap()).collect().await;
    String::from_utf8(chunks.concat()).unwrap()
}

async fn raw_copy(raw: &mut Raw, statement: &str, data: &[&str]) -> String {
    raw.send(b'Q', format!("{statement}\0").as_bytes()).await;
    raw.expect(b'G').await;
    for chunk in data {
        raw.send(b'd', chunk.as_bytes()).await;
    }
    raw.send(b'c', b"").await;
    kinds(&raw.until_ready().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn text_and_csv_both_ways() {
    let node = Node::start().await;
    let client = table(&node).await;
    let text = ["1\t{\"a\": \"tab\\\\t\"}\n2\t\\", "N\n", "3\t[1, 2.50]"];
    assert_eq!(copy_in(&client, "COPY t FROM STDIN", &text).await.unwrap(), 3);
    assert_eq!(copy_out(&client, "COPY t TO STDOUT").await, "1\t{\"a\": \"tab\\\\t\"}\n2\t\\N\n3\t[1, 2.50]\n");
    let csv = copy_out(&client, "COPY (SELECT * FROM t ORDER BY id) TO STDOUT (FORMAT csv, HEADER)").await;
    assert_eq!(csv, "id,doc\n1,\"{\"\"a\"\": \"\"tab\\t\"\"}\"\n2,\n3,\"[1, 2.50]\"\n");
    client.batch_execute("TRUNCATE t").await.unwrap();
    let pieces: Vec<&str> = csv.split_inclusive(',').collect();
    assert_eq!(copy_in(&client, "COPY t FROM STDIN (FORMAT csv, HEADER match)", &pieces).await.unwrap(), 3);
    assert_eq!(copy_out(&client, "COPY t (id) TO STDOUT").await, "1\n2\n3\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_goes_out_and_in() {
    let node = Node::start().await;
    let client = table(&node).await;
    client
        .batch_execute("INSERT INTO t SELECT n, jsonb_build_object('n', n) FROM generate_series(1, 1000) n")
        .await
        .unwrap();
    let stream = client.copy_out("COPY t TO STDOUT (FORMAT binary)").await.unwrap();
    let data: Vec<Bytes> = stream.map(|chunk| chunk.unwrap()).collect().await;
    client.batch_execute("CREATE TABLE u(id int, doc jsonb)").await.unwrap();
    let sink = client.copy_in::<_, Bytes>("COPY u FROM STDIN (FORMAT binary)").await.unwrap();
    let mut sink = std::pin::pin!(sink);
    for chunk in data.concat().chunks(777) {
        sink.send(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 1000);
    let same = client.query_one("SELECT count(*) FROM t JOIN u USING (id) WHERE t.doc = u.doc", &[]).await.unwrap();
    assert_eq!(same.get::<_, i64>(0), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_name_their_line() {
    let node = Node::start().await;
    let client = table(&node).await;
    for (data, expected, message, context) in [
        ("1\t{}\n2\n", "22P04", "missing data for column \"doc\"", "COPY t, line 2: \"2\""),
        ("1\t{}\t\n", "22P04", "extra data after last expected column", "COPY t, line 1: \"1\t{}\t\""),
        (
            "1\t{}\n2\t{}\nx\t{}\n",
            "22P02",
            "invalid input syntax for type integer: \"x\"",
            "COPY t, line 3, column id: \"x\"",
        ),
    ] {
        let error = copy_in(&client, "COPY t FROM STDIN", &[data]).await.unwrap_err();
        let report = error.as_db_error().unwrap();
        assert_eq!((report.code().code(), report.message()), (expected, message));
        assert_eq!(report.where_(), Some(context));
    }
    let duplicate = copy_in(&client, "COPY t FROM STDIN", &["1\t{}\n1\t{}\n"]).await;
    assert_eq!(code(duplicate), "23505");
    // Nothing of a failed COPY is there.
    assert_eq!(copy_out(&client, "COPY t TO STDOUT").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_copy_ends() {
    let node = Node::start().await;
    let _client = table(&node).await;
    let mut raw = node.raw().await;
    assert_eq!(raw_copy(&mut raw, "COPY t FROM STDIN", &["1\t{}\n\\.\n", "nonsense"]).await, "CZ");
    assert_eq!(raw_copy(&mut raw, "COPY t FROM STDIN; SELECT 1", &["2\t{}\n"]).await, "CTDCZ");
    raw.send(b'Q', b"COPY t FROM STDIN\0").await;
    raw.expect(b'G').await;
    raw.send(b'f', b"no more\0").await;
    let messages = raw.until_ready().await;
    assert_eq!(kinds(&messages), "E(57014)Z");
    assert_eq!(messages[0].field(b'M').unwrap(), "COPY from stdin failed: no more");
    raw.send(b'Q', b"COPY t FROM STDIN\0").await;
    raw.expect(b'G').await;
    raw.send(b'Q', b"SELECT 1\0").await;
    assert_eq!(raw.kinds().await, "E(08P01)Z");
    // An error while the client still sends: what it sends is swallowed.
    raw.send(b'Q', b"COPY t FROM STDIN\0").await;
    raw.expect(b'G').await;
    raw.send(b'd', b"bad\n").await;
    raw.send(b'd', b"more\n").await;
    raw.send(b'c', b"").await;
    assert_eq!(raw.kinds().await, "E(22P04)Z");
    raw.send(b'Q', b"SELECT count(*) FROM t\0").await;
    assert_eq!(raw.until_ready().await[1].values(), [Some("2".into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_copy_and_an_error_deep_inside() {
    let node = Node::start().await;
    let client = table(&node).await;
    let line = |n: usize| format!("{n}\t{{\"n\": {n}, \"text\": \"{}\"}}\n", "x".repeat(300));
    let piece = |range: std::ops::Range<usize>| range.map(line).collect::<String>();
    let pieces: Vec<String> = (0..20).map(|n| piece(n * 1000..(n + 1) * 1000)).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    assert_eq!(copy_in(&client, "COPY t FROM STDIN", &pieces).await.unwrap(), 20_000);
    let row = client.query_one("SELECT count(*), sum((doc->>'n')::int8)::int8 FROM t", &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (20_000, 199_990_000));

    client.batch_execute("TRUNCATE t").await.unwrap();
    let bad = [pieces.as_slice(), &["x\t{}\n"], &pieces[..5]].concat();
    let error = copy_in(&client, "COPY t FROM STDIN", &bad).await.unwrap_err();
    assert_eq!(error.as_db_error().unwrap().where_(), Some("COPY t, line 20001, column id: \"x\""));
    assert_eq!(copy_out(&client, "COPY (SELECT count(*) FROM t) TO STDOUT").await, "0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_name_their_row_in_every_format() {
    let node = Node::start().await;
    let client = node.connect().await;
    client.batch_execute("CREATE TABLE c (a int PRIMARY KEY CHECK (a > 0), b text, d date)").await.unwrap();
    // Contexts as PostgreSQL 18 says them (it does not count a line end inside quotes before it has seen one outside); it
    // adds the line's text to those of constraints.
    for (options, data, expected, context) in [
        ("", "1\tx\t2020-01-01\n2\ty\t2020-13-01\n", "22008", "COPY c, line 2, column d: \"2020-13-01\""),
        ("", "1\tx\t2020-01-01\n1\ty\t2020-01-01\n2\tz\t2020-01-01\n", "23505", "COPY c, line 2"),
        ("", "1\t\\N\t\\N\n-1\t\\N\t\\N\n3\t\\N\t\\N\n", "23514", "COPY c, line 2"),
        ("", "\\N\tx\t2020-01-01\n", "23502", "COPY c, line 1"),
        ("WHERE a / (a - 3) > 0", "1\tx\t\\N\n2\tx\t\\N\n3\tx\t\\N\n4\tx\t\\N\n", "22012", "COPY c, line 3"),
        ("(FORMAT csv)", "1,\"two\nlines\",2020-01-01\n2,y,bad\n", "22007", "COPY c, line 2, column d: \"bad\""),
        ("(FORMAT csv)", "1,x,2020-01-01,4\n", "22P04", "COPY c, line 1: \"1,x,2020-01-01,4\""),
        ("(FORMAT csv, HEADER match)", "a,b,zz\n", "22P04", "COPY c, line 1: \"a,b,zz\""),
    ] {
        let error = copy_in(&client, &format!("COPY c FROM STDIN {options}"), &[data]).await.unwrap_err();
        let report = error.as_db_error().unwrap();
        assert_eq!((report.code().code(), report.where_()), (expected, Some(context)), "{data}");
    }
    let mut raw = node.raw().await;
    let head = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    let row = b"\0\x03\0\0\0\x04\0\0\0\x01\0\0\0\x01x\0\0\0\x04\0\0\0\0";
    for (data, expected, context) in [
        (&b"nonsense"[..], "22P04", None),
        (b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x02", "22P04", Some("COPY c, line 1")),
        (
            &[head, &row[..], b"\0\x03\0\0\0\x03\0\0\0\0\0\0\x01x\0\0\0\x04\0\0\0\0\xff\xff"].concat(),
            "08P01",
            Some("COPY c, line 2, column a"),
        ),
        (&[head, &b"\0\x03\0\0\0\x04\0\0\0\x01\x7f\xff\xff\xff"[..]].concat(), "22P04", Some("COPY c, line 1")),
    ] {
        raw.send(b'Q', b"COPY c FROM STDIN (FORMAT binary)\0").await;
        raw.expect(b'G').await;
        raw.send(b'd', data).await;
        raw.send(b'c', b"").await;
        let messages = raw.until_ready().await;
        assert_eq!(messages[0].field(b'C').unwrap(), expected);
        assert_eq!(messages[0].field(b'W').as_deref(), context);
    }
    assert_eq!(copy_out(&client, "COPY c TO STDOUT").await, "");
}
