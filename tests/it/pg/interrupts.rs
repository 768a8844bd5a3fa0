//! Statements that run long can be stopped, whatever they are doing, and do not stop others.

use std::time::{Duration, Instant};

use crate::support::{Node, code, eventually, message};

/// Statements that take minutes or for ever, each in another way.
const LONG: &[&str] = &[
    "SELECT g FROM generate_series(1, 1000000000) g ORDER BY g DESC",
    "SELECT g % 10, count(*) FROM generate_series(1, 10000000000) g GROUP BY 1",
    "SELECT count(*) FROM t a JOIN t b ON a.v <> b.v",
    "SELECT count(*) FROM t a JOIN t b ON a.v = b.v + 1000000 OR a.v = b.v + 2000000",
    "SELECT count(*) FROM t a, t b, t c",
    "SELECT count(*) FROM t a JOIN t b USING (v) JOIN t c USING (v) JOIN t d USING (v)",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY g) AS n FROM generate_series(1, 1000000000) g) s",
    "SELECT count(DISTINCT g % 1000) FROM generate_series(1, 10000000000) g",
    "SELECT g % 10 FROM generate_series(1, 10000000000) g EXCEPT SELECT 1",
    "SELECT (SELECT count(*) FROM t b WHERE b.v <> a.v + c.v) FROM t a, t c",
    "SELECT pg_sleep(600)",
    "SELECT count(pg_sleep(0.01)) FROM t WHERE id < 1000",
    "INSERT INTO t SELECT g, g FROM generate_series(100000, 10000000000) g WHERE g % 1000000000 = 1",
    "UPDATE t SET v = v + 1 WHERE id < 1000 AND pg_sleep(0.01) IS NOT NULL",
    "DELETE FROM t WHERE (SELECT count(*) FROM t b, t c WHERE b.v <> c.v + t.v) = 0",
    "CREATE TABLE copied AS SELECT g FROM generate_series(1, 10000000000) g WHERE g % 1000000000 = 1",
    "DECLARE c CURSOR WITH HOLD FOR SELECT g % 10 FROM generate_series(1, 10000000000) g GROUP BY 1",
    "EXPLAIN ANALYZE SELECT count(*) FROM t a, t b, t c",
    "SELECT count(*) FROM generate_series(1, 10000000000)",
];
/// Much less than the statements take, much more than stopping one takes.
const SOON: Duration = Duration::from_secs(20);

async fn node() -> Node {
    let node = Node::start().await;
    let client = node.connect().await;
    let table =
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT g, g % 100 FROM generate_series(1, 20000) g";
    client.batch_execute(table).await.unwrap();
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_timeout_stops_all_kinds() {
    let node = node().await;
    let client = node.connect().await;
    client.batch_execute("SET statement_timeout = '100ms'").await.unwrap();
    for sql in LONG {
        let started = Instant::now();
        let result = tokio::time::timeout(SOON, client.simple_query(sql)).await;
        let result = result.unwrap_or_else(|_| panic!("not stopped: {sql}"));
        assert_eq!(message(result), "canceling statement due to statement timeout", "{sql}");
        assert!(started.elapsed() >= Duration::from_millis(100), "{sql}");
    }
    // The limit is each statement's own, also when time has passed since the last one.
    tokio::time::sleep(Duration::from_millis(150)).await;
    client.batch_execute("SELECT 1; SELECT repeat('x', 3)::text; RESET statement_timeout").await.unwrap();
    assert_eq!(client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get::<_, i64>(0), 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_request_stops_all_kinds() {
    let node = node().await;
    for sql in LONG {
        let client = node.connect().await;
        let token = client.cancel_token();
        let sql = sql.to_string();
        let running = tokio::spawn({
            let sql = sql.clone();
            async move { client.simple_query(&sql).await.map(|_| ()) }
        });
        // Again and again: a request that comes before the statement begins is for nothing.
        let requests = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let _ = token.cancel_query(tokio_postgres::NoTls).await;
            }
        });
        let result = tokio::time::timeout(SOON, running).await;
        requests.abort();
        let result = result.unwrap_or_else(|_| panic!("not stopped: {sql}")).unwrap();
        assert_eq!(message(result), "canceling statement due to user request", "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_statements_do_not_hold_up_others() {
    let node = node().await;
    let mut busy = Vec::new();
    // More than there are threads for connections.
    for _ in 0..2 * std::thread::available_parallelism().unwrap().get() {
        let client = node.connect().await;
        busy.push((client.cancel_token(), tokio::spawn(async move { client.simple_query(LONG[1]).await.map(|_| ()) })));
    }
    let other = node.connect().await;
    let count = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT g % 10%'";
    eventually("all of them run", async || {
        other.query_one(count, &[]).await.unwrap().get::<_, i64>(0) == busy.len() as i64
    })
    .await;
    let work = async {
        for _ in 0..20 {
            node.connect().await.batch_execute("SELECT 1; SELECT count(*) FROM t").await.unwrap();
        }
    };
    tokio::time::timeout(SOON, work).await.expect("others go on");
    for (token, running) in busy {
        while !running.is_finished() {
            token.cancel_query(tokio_postgres::NoTls).await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(code(running.await.unwrap()), "57014");
    }
}
