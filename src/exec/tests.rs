//! Sessions driven directly, on an engine in memory: each test is a script of statements and what they answer.

use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;

use super::*;
use crate::document::Datum;
use crate::error::{Error, Result};
use crate::sql::io;
use crate::storage::command::{Command, Outcome};
use crate::storage::{Engine, StorageConfig};

/// Proposes straight to the engine.
struct Direct(Arc<Engine>);

impl Proposer for Direct {
    fn propose(&self, command: Command) -> BoxFuture<'static, Result<Outcome>> {
        Box::pin(self.0.submit(command))
    }
}

fn server() -> Arc<Server> {
    let engine = Engine::in_memory(&StorageConfig::default(), Arc::new(Kernels)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = ServerConfig { spill_dir: dir.path().to_path_buf(), ..ServerConfig::default() };
    Server::new(engine.clone(), Arc::new(Direct(engine)), config).unwrap()
}

fn connect(server: &Arc<Server>) -> Session {
    let options = ConnectOptions { user: "aerolith".into(), database: "aerolith".into(), ..ConnectOptions::default() };
    Session::connect(server.clone(), options).unwrap()
}

/// Runs a text, statement by statement, and shows what came out: rows with `|`, tags, errors with their SQLSTATE.
async fn run(session: &mut Session, text: &str) -> String {
    let mut out = Vec::new();
    let parts = match session.parse(text) {
        Ok(parts) => parts,
        Err(error) => return show_error(&error),
    };
    for part in parts {
        match one(session, &part).await {
            Ok(lines) => out.extend(lines),
            Err(error) => {
                out.push(show_error(&error));
                break;
            }
        }
        for notice in session.take_notices() {
            out.push(format!("{}: {}", notice.severity, notice.report.message()));
        }
    }
    out.join("\n")
}

fn show_error(error: &Error) -> String {
    let detail = error.report().detail.as_deref().map(|d| format!(" ({d})")).unwrap_or_default();
    format!("ERROR {}: {}{detail}", error.code(), error.message())
}

async fn one(session: &mut Session, part: &SqlPart) -> Result<Vec<String>> {
    let prepared = session.prepare(part, &[])?;
    let mut point = Vec::new();
    if let Some(tag) = session.execute_point(&prepared, &[], &mut point) {
        let tag = tag?;
        let columns = prepared.columns().cloned();
        let mut lines: Vec<String> =
            point.iter().map(|row| show_row(session, row, columns.as_deref().unwrap_or_default())).collect();
        lines.push(tag);
        return Ok(lines);
    }
    match session.execute(&prepared, Vec::new()).await? {
        Response::Command(tag) => Ok(vec![tag]),
        Response::Rows { columns, mut stream, tag } => {
            let (mut lines, mut count) = (Vec::new(), 0);
            while let Some(batch) = stream.next().await {
                let rows = batch?.rows(&columns)?;
                count += rows.len() as u64;
                lines.extend(rows.iter().map(|row| show_row(session, row, &columns)));
            }
            lines.push(tag.text(count));
            Ok(lines)
        }
        Response::CopyIn(mut copy) => {
            let row = copy.types().iter().map(|_| Datum::Null).collect();
            copy.push(vec![row]).await?;
            Ok(vec![session.finish_copy(copy).await?])
        }
        Response::CopyOut { .. } | Response::Empty => Ok(Vec::new()),
    }
}

fn show_row(session: &Session, row: &[Datum], columns: &[OutputColumn]) -> String {
    let context = session.eval_context();
    let show = |(value, column): (&Datum, &OutputColumn)| {
        let mut text = String::new();
        if !value.is_null() {
            io::output(value, column.typ, &context, &mut text);
        }
        text
    };
    row.iter().zip(columns).map(show).collect::<Vec<_>>().join("|")
}

/// Runs each statement and compares what comes out.
fn script(steps: &[(&str, &str)]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = server();
    runtime.block_on(async {
        let mut session = connect(&server);
        for (text, expected) in steps {
            let found = run(&mut session, text).await;
            assert_eq!(found, *expected, "{text}");
        }
    });
}

#[test]
fn rows_are_written_and_read_by_key() {
    script(&[
        ("create table t (id int primary key, name text not null, n int default 7)", "CREATE TABLE"),
        ("insert into t values (1, 'one')", "INSERT 0 1"),
        ("insert into t values (2, 'two', 3)", "INSERT 0 1"),
        ("select id, name, n from t where id = 1", "1|one|7\nSELECT 1"),
        ("select name from t where id in (1, 2, 5)", "one\ntwo\nSELECT 2"),
        ("select id from t where id >= 1 order by id desc limit 1", "2\nSELECT 1"),
        ("update t set n = n + 1 where id = 2 returning id, n", "2|4\nUPDATE 1"),
        (
            "insert into t values (1, 'x')",
            "ERROR 23505: duplicate key value violates unique constraint \"t_pkey\" (Key (id)=(1) already exists.)",
        ),
        (
            "insert into t (id) values (9)",
            "ERROR 23502: null value in column \"name\" of relation \"t\" violates not-null constraint (Failing row contains (9, null, 7).)",
        ),
        (
            "insert into t values (1, 'x') on conflict (id) do update set name = excluded.name || t.name returning name",
            "xone\nINSERT 0 1",
        ),
        ("insert into t values (1, 'x') on conflict do nothing", "INSERT 0 0"),
        ("delete from t where id = 1", "DELETE 1"),
        ("select id from t where id = 1", "SELECT 0"),
    ]);
}

#[test]
fn a_block_sees_its_own_writes_and_rolls_back() {
    script(&[
        ("create table t (id int primary key, k int unique)", "CREATE TABLE"),
        ("begin", "BEGIN"),
        ("insert into t values (1, 10)", "INSERT 0 1"),
        ("select k from t where id = 1", "10\nSELECT 1"),
        ("savepoint s", "SAVEPOINT"),
        (
            "insert into t values (2, 10)",
            "ERROR 23505: duplicate key value violates unique constraint \"t_k_key\" (Key (k)=(10) already exists.)",
        ),
        ("select 1", "ERROR 25P02: current transaction is aborted, commands ignored until end of transaction block"),
        ("rollback to s", "ROLLBACK"),
        ("insert into t values (2, 20)", "INSERT 0 1"),
        ("select id from t where k = 20", "2\nSELECT 1"),
        ("commit", "COMMIT"),
        ("begin; delete from t where id = 1; rollback", "BEGIN\nDELETE 1\nROLLBACK"),
        ("select id from t where id = 1", "1\nSELECT 1"),
        ("begin read only", "BEGIN"),
        ("delete from t where id = 1", "ERROR 25006: cannot execute DELETE in a read-only transaction"),
        ("commit", "ROLLBACK"),
        ("commit", "COMMIT\nWARNING: there is no transaction in progress"),
    ]);
}

#[test]
fn ddl_is_transactional_and_named_as_postgresql_names() {
    script(&[
        ("begin", "BEGIN"),
        ("create table t (id serial primary key, a int check (a > 0), b text unique)", "CREATE TABLE"),
        ("insert into t (a, b) values (1, 'x') returning id", "1\nINSERT 0 1"),
        (
            "insert into t (a) values (0)",
            "ERROR 23514: new row for relation \"t\" violates check constraint \"t_a_check\" (Failing row contains (2, 0, null).)",
        ),
        ("rollback", "ROLLBACK"),
        ("insert into t (a) values (0)", "ERROR 42P01: relation \"t\" does not exist"),
        ("create table t (id serial primary key, a int)", "CREATE TABLE"),
        ("insert into t (a) values (5), (6) returning id", "1\n2\nINSERT 0 2"),
        ("create index on t (a)", "CREATE INDEX"),
        ("select id from t where a = 6", "2\nSELECT 1"),
        ("alter table t add column c text default 'none'", "ALTER TABLE"),
        ("select c from t where id = 1", "none\nSELECT 1"),
        ("alter table t alter column a type bigint using a * 10", "ALTER TABLE"),
        ("select id, a from t where a = 60", "2|60\nSELECT 1"),
        ("alter table t rename column a to amount", "ALTER TABLE"),
        ("select id from t where amount = 50", "1\nSELECT 1"),
        (
            "alter table t add constraint big check (amount > 55)",
            "ERROR 23514: check constraint \"big\" of relation \"t\" is violated by some row",
        ),
        ("create view v as select id from t", "CREATE VIEW"),
        (
            "drop table t",
            "ERROR 2BP01: cannot drop table t because other objects depend on it (view v depends on table t)",
        ),
        ("drop table t cascade", "DROP TABLE\nNOTICE: drop cascades to view v"),
        ("drop table if exists t", "DROP TABLE\nNOTICE: table \"t\" does not exist, skipping"),
    ]);
}

#[test]
fn settings_statements() {
    script(&[
        ("set application_name = 'x'; show application_name", "SET\nx\nSHOW"),
        (
            "begin; set local timezone = 'Europe/Oslo'; show timezone; commit; show timezone",
            "BEGIN\nSET\nEurope/Oslo\nSHOW\nCOMMIT\nUTC\nSHOW",
        ),
        ("set nonsense = 1", "ERROR 42704: unrecognized configuration parameter \"nonsense\""),
        (
            "begin isolation level repeatable read; show transaction_isolation; rollback",
            "BEGIN\nrepeatable read\nSHOW\nROLLBACK",
        ),
        ("show transaction_isolation", "read committed\nSHOW"),
        ("prepare p as select $1::int + 1; execute p (2)", "PREPARE\n3\nSELECT 1"),
        ("execute q", "ERROR 26000: prepared statement \"q\" does not exist"),
    ]);
}

#[test]
fn a_lost_conflict_is_40001_in_a_block_and_retried_outside() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = server();
    runtime.block_on(async {
        let (mut a, mut b) = (connect(&server), connect(&server));
        assert_eq!(run(&mut a, "create table t (id int primary key, n int)").await, "CREATE TABLE");
        assert_eq!(run(&mut a, "insert into t values (1, 0)").await, "INSERT 0 1");
        assert_eq!(run(&mut a, "begin; update t set n = n + 1 where id = 1").await, "BEGIN\nUPDATE 1");
        assert_eq!(run(&mut b, "update t set n = n + 10 where id = 1").await, "UPDATE 1");
        let lost = run(&mut a, "commit").await;
        assert!(lost.starts_with("ERROR 40001: could not serialize access due to concurrent update"), "{lost}");
        let mut tasks = Vec::new();
        for _ in 0..8 {
            let mut session = connect(&server);
            tasks.push(tokio::spawn(async move {
                for _ in 0..25 {
                    assert_eq!(run(&mut session, "update t set n = n + 1 where id = 1").await, "UPDATE 1");
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(run(&mut a, "select n from t where id = 1").await, "210\nSELECT 1");
    });
}

#[test]
fn notifications_come_with_the_commit() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = server();
    runtime.block_on(async {
        let (mut a, mut b) = (connect(&server), connect(&server));
        assert_eq!(run(&mut a, "listen news").await, "LISTEN");
        assert_eq!(run(&mut b, "begin; notify news, 'one'").await, "BEGIN\nNOTIFY");
        assert_eq!(a.try_notification(), None);
        assert_eq!(run(&mut b, "commit").await, "COMMIT");
        let notification = a.next_notification().await;
        assert_eq!((notification.channel.as_str(), notification.payload.as_str()), ("news", "one"));
        assert_eq!(notification.pid, b.pid());
    });
}
