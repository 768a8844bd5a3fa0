//! `sqllogictest/*.slt` over the wire: every file in a database of its own on a node of its own. `pg_compat_*.slt` hold
//! for PostgreSQL 18 too and are run on it when one can be had (`AEROLITHDB_REFERENCE_DSN`, or the shared tool that starts
//! one); `UPDATE_GOLDENFILES=1` lets PostgreSQL write their answers. Where there is none, the test says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use sqllogictest::{
    DBOutput, DefaultColumnType, Runner, default_column_validator, default_normalizer, default_validator,
};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::support::Node;

/// One connection, as the runner drives it: simple protocol, values as the server's text.
struct Wire {
    client: Client,
}

#[derive(Debug)]
struct WireError(tokio_postgres::Error);

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_db_error() {
            Some(e) => write!(f, "{}: {}", e.code().code(), e.message()),
            None => write!(f, "{}", self.0),
        }
    }
}

impl std::error::Error for WireError {}

impl Wire {
    async fn connect(dsn: &str) -> Result<Self, WireError> {
        let (client, connection) = tokio_postgres::connect(dsn, NoTls).await.map_err(WireError)?;
        tokio::spawn(connection);
        Ok(Self { client })
    }
}

fn cell(value: Option<&str>) -> String {
    match value {
        None => "NULL".to_string(),
        Some("") => "(empty)".to_string(),
        Some(text) => text.replace('\\', "\\\\").replace('\n', "\\n"),
    }
}

#[async_trait::async_trait]
impl sqllogictest::AsyncDB for Wire {
    type Error = WireError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, WireError> {
        let (mut rows, mut columns, mut count) = (Vec::new(), 0, 0);
        for message in self.client.simple_query(sql).await.map_err(WireError)? {
            match message {
                SimpleQueryMessage::RowDescription(fields) => columns = fields.len(),
                SimpleQueryMessage::Row(row) => rows.push((0..row.len()).map(|i| cell(row.get(i))).collect::<Vec<_>>()),
                SimpleQueryMessage::CommandComplete(n) => count = n,
                _ => {}
            }
        }
        if columns == 0 && rows.is_empty() {
            return Ok(DBOutput::StatementComplete(count));
        }
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows })
    }

    async fn shutdown(&mut self) {}

    fn error_sql_state(err: &WireError) -> Option<String> {
        err.0.code().map(|c| c.code().to_string())
    }
}

fn files(prefix: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sqllogictest");
    let only = std::env::var("SLT").unwrap_or_default();
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "slt"))
        .filter(|p| {
            let name = p.file_name().unwrap().to_string_lossy().to_string();
            name.starts_with(prefix) && name.contains(&only)
        })
        .collect();
    found.sort();
    found
}

/// Runs one file in a fresh database; `update` writes the server's answers into it.
async fn run_file(server: &str, file: &Path, update: bool) -> Result<(), String> {
    let name = format!("slt_{}", file.file_stem().unwrap().to_string_lossy());
    let admin = Wire::connect(server).await.map_err(|e| e.to_string())?;
    for sql in [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")] {
        admin.client.simple_query(&sql).await.map_err(|e| WireError(e).to_string())?;
    }
    let dsn = format!("{server} dbname={name}");
    let mut runner = Runner::new(|| async { Wire::connect(&dsn).await });
    let result = if update {
        let outcome =
            runner.update_test_file(file, " ", default_validator, default_normalizer, default_column_validator);
        outcome.await.map_err(|e| e.to_string())
    } else {
        runner.run_file_async(file).await.map_err(|e| e.display(false).to_string())
    };
    runner.shutdown_async().await;
    result
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqllogictest_files_pass_on_a_node() {
    let node = Node::start().await;
    let mut failures = Vec::new();
    let files = files("");
    assert!(!files.is_empty() || std::env::var("SLT").is_ok(), "no .slt files");
    for file in &files {
        if let Err(error) = run_file(&node.key_values(), file, false).await {
            failures.push(format!("{}: {error}", file.file_name().unwrap().to_string_lossy()));
        }
    }
    println!("{} sqllogictest files, {} failed", files.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pg_compat_files_pass_on_postgresql_18() {
    let Some(reference) = Reference::start() else {
        println!("no PostgreSQL 18 here: pg_compat_*.slt were run on the node only");
        return;
    };
    let update = std::env::var("UPDATE_GOLDENFILES").is_ok();
    let mut failures = Vec::new();
    for file in files("pg_compat_") {
        if let Err(error) = run_file(&reference.dsn, &file, update).await {
            failures.push(format!("{}: {error}", file.file_name().unwrap().to_string_lossy()));
        }
    }
    assert!(failures.is_empty(), "PostgreSQL disagrees:\n{}", failures.join("\n\n"));
}

/// A PostgreSQL 18: one that was named, or one that the shared tool starts for the test and stops after it.
struct Reference {
    dsn: String,
    stop: Option<(PathBuf, String)>,
}

impl Reference {
    fn start() -> Option<Self> {
        if let Ok(dsn) = std::env::var("AEROLITHDB_REFERENCE_DSN") {
            return Some(Self { dsn, stop: None });
        }
        let shared = std::env::var("AEROLITHDB_SHARED")
            .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
        let tool = shared.join("tools/pg18");
        if !tool.exists() {
            return None;
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port().to_string();
        let output = Command::new(&tool).args(["start", &port]).output().expect("the tool runs");
        assert!(output.status.success(), "pg18 start: {}", String::from_utf8_lossy(&output.stderr));
        let dsn = String::from_utf8(output.stdout).expect("a DSN").trim().replace(" dbname=postgres", "");
        Some(Self { dsn, stop: Some((tool, port)) })
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        if let Some((tool, port)) = &self.stop {
            let _ = Command::new(tool).args(["stop", port]).status();
        }
    }
}
