//! What the layers under a statement cost: JSONB, keys, the log, `apply`, a point plan, rows to wire bytes.
//!
//! `make bench` runs them optimised; `cargo bench --bench layers -- jsonb` only those named so.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::sync::Arc;

use aerolithdb::document::key::{KeyOrder, encode_key};
use aerolithdb::document::row::{RowRef, encode_row};
use aerolithdb::document::{Datum, Jsonb, Type};
use aerolithdb::error::Result;
use aerolithdb::exec::{
    ConnectOptions, Kernels, OutputColumn, Prepared, Proposer, Response, RowSink, Server, ServerConfig, Session,
};
use aerolithdb::pg::RowEncoder;
use aerolithdb::storage::catalog::Entry;
use aerolithdb::storage::command::{Command, CommandId, Expect, Mutation, Outcome, Position};
use aerolithdb::storage::log::Log;
use aerolithdb::storage::log::disk::{Disk, Folder, ForgetfulDisk};
use aerolithdb::storage::{Engine, StorageConfig};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures::future::BoxFuture;

/// A document of about `fields` times a hundred bytes.
fn document(fields: usize) -> String {
    let field = |i: usize| format!("\"field{i}\":\"{}\"", "abcdefghij".repeat(10));
    let fields: Vec<String> = (0..fields).map(field).collect();
    format!("{{{},\"group\":17,\"n\":4711,\"tags\":[\"a\",\"b\",3.25,null,true]}}", fields.join(","))
}

fn jsonb(c: &mut Criterion) {
    let mut group = c.benchmark_group("jsonb");
    for fields in [1, 10, 100] {
        let text = document(fields);
        let value = Jsonb::parse(&text).unwrap();
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("parse/{fields}"), |b| b.iter(|| Jsonb::parse(black_box(&text)).unwrap()));
        group.bench_function(format!("text/{fields}"), |b| {
            let mut out = Vec::new();
            b.iter(|| {
                out.clear();
                value.as_ref().write_text(&mut out);
                black_box(out.len())
            });
        });
        let last = format!("field{}", fields - 1);
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("get/{fields}"), |b| b.iter(|| value.as_ref().get(black_box(&last))));
        let part = Jsonb::parse("{\"group\": 17}").unwrap();
        group.bench_function(format!("contains/{fields}"), |b| {
            b.iter(|| value.as_ref().contains(black_box(part.as_ref())));
        });
    }
}

fn keys(c: &mut Criterion) {
    let mut group = c.benchmark_group("key");
    let order = KeyOrder { descending: false, nulls_first: false };
    let cases = [
        ("int8", vec![Datum::Int8(123_456_789)]),
        ("text", vec![Datum::Text("a name of usual length".into())]),
        ("numeric", vec![Datum::Numeric("12345.678901".parse().unwrap())]),
        ("three", vec![Datum::Int8(1), Datum::Text("middle".into()), Datum::Int4(7)]),
    ];
    for (name, values) in cases {
        let orders = vec![order; values.len()];
        let mut out = Vec::new();
        group.bench_function(format!("encode/{name}"), |b| {
            b.iter(|| {
                out.clear();
                encode_key(black_box(&values), &orders, &mut out);
                black_box(out.len())
            });
        });
    }
    let row = encode_row(&[Datum::Int8(1), Datum::Jsonb(Jsonb::parse(&document(10)).unwrap())]);
    group.bench_function("row/read", |b| b.iter(|| RowRef::new(black_box(&row)).unwrap().jsonb(1).unwrap().len()));
}

/// An insertion of one row, as a client's INSERT proposes it.
fn command(table: u32, storage: u32, id: i64) -> Command {
    let order = KeyOrder { descending: false, nulls_first: false };
    let mut key = Vec::new();
    encode_key(&[Datum::Int8(id)], &[order], &mut key);
    let row = encode_row(&[Datum::Int8(id), Datum::Jsonb(Jsonb::parse(&document(10)).unwrap())]);
    let put = Mutation::Put { table, key: key.into(), row: row.into(), expect: Expect::Absent };
    Command {
        id: CommandId(id as u128),
        principal: 10,
        time: 0,
        database: 0,
        catalog_version: None,
        tables: vec![(table, storage)],
        mutations: vec![put],
    }
}

fn log(c: &mut Criterion) {
    let mut group = c.benchmark_group("log");
    let one = command(1, 1, 1);
    let open = |disk: Box<dyn Disk>| Log::open(disk, 64 << 20, Position(0), &mut |_, _| Ok(())).unwrap().0;
    let mut memory = open(Box::new(ForgetfulDisk::new()));
    group.bench_function("append", |b| b.iter(|| memory.append(black_box(&one)).unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let mut disk = open(Box::new(Folder::open(folder.path()).unwrap()));
    for size in [1u64, 32] {
        group.throughput(Throughput::Elements(size));
        group.bench_function(format!("append_and_fdatasync/{size}"), |b| {
            b.iter(|| {
                (0..size).for_each(|_| {
                    black_box(disk.append(&one).unwrap());
                });
                disk.sync().unwrap();
            });
        });
    }
}

struct Direct(Arc<Engine>);

impl Proposer for Direct {
    fn propose(&self, command: Command) -> BoxFuture<'static, Result<Outcome>> {
        Box::pin(self.0.submit(command))
    }
}

/// A session on an engine with a table of a thousand documents.
struct Fixture {
    runtime: tokio::runtime::Runtime,
    session: Session,
    engine: Arc<Engine>,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = StorageConfig { data_dir: folder.path().join("data"), ..StorageConfig::default() };
        let engine = Engine::open(&config, Arc::new(Kernels)).unwrap();
        let config = ServerConfig { spill_dir: folder.path().join("spill"), ..ServerConfig::default() };
        let server = Server::new(engine.clone(), Arc::new(Direct(engine.clone())), config).unwrap();
        let options =
            ConnectOptions { user: "aerolith".into(), database: "aerolith".into(), ..ConnectOptions::default() };
        let session = Session::connect(server, options).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut fixture = Self { runtime, session, engine, _folder: folder };
        fixture.run("CREATE TABLE t (id bigint PRIMARY KEY, doc jsonb NOT NULL)");
        let text = document(10);
        fixture.run(&format!("INSERT INTO t SELECT g, '{text}' FROM generate_series(1, 1000) g"));
        fixture
    }

    fn prepare(&mut self, text: &str) -> Arc<Prepared> {
        let parts = self.session.parse(text).unwrap();
        self.session.prepare(&parts[0], &[]).unwrap()
    }

    fn run(&mut self, text: &str) {
        let prepared = self.prepare(text);
        let response = self.runtime.block_on(self.session.execute(&prepared, Vec::new())).unwrap();
        assert!(matches!(response, Response::Command(_)));
    }
}

fn apply(c: &mut Criterion) {
    let fixture = Fixture::new();
    let catalog = fixture.engine.catalog();
    let database = catalog.database("aerolith").unwrap().oid;
    let schema = catalog.schema(database, "public").unwrap();
    let Some(Entry::Table(table)) = catalog.relation(schema, "t").map(|entry| &**entry) else { unreachable!() };
    let (table, storage) = (table.oid, table.storage);
    let mut group = c.benchmark_group("apply");
    let mut next = 1_000_000;
    for size in [1u64, 64] {
        group.throughput(Throughput::Elements(size));
        group.bench_function(format!("log_sync_apply/{size}"), |b| {
            let commands = || {
                next += size as i64;
                (next - size as i64..next).map(|id| command(table, storage, id)).collect::<Vec<_>>()
            };
            let submit = |commands: Vec<Command>| {
                let waiting: Vec<_> = commands.into_iter().map(|c| fixture.engine.submit(c)).collect();
                waiting.into_iter().for_each(|w| assert!(matches!(w.wait().unwrap(), Outcome::Committed(_))));
            };
            b.iter_batched(commands, submit, BatchSize::SmallInput);
        });
    }
}

/// Counts the rows of a point plan.
struct Count(usize);

impl RowSink for Count {
    fn row(&mut self, row: &[Datum]) -> Result<()> {
        self.0 += row.len();
        Ok(())
    }
}

fn point(c: &mut Criterion) {
    let mut fixture = Fixture::new();
    let mut group = c.benchmark_group("point");
    let cases = [
        ("read", "SELECT doc FROM t WHERE id = $1"),
        ("field", "SELECT doc->>'field3' FROM t WHERE id = $1"),
        ("scan50", "SELECT id, doc FROM t WHERE id >= $1 ORDER BY id LIMIT 50"),
    ];
    for (name, text) in cases {
        let prepared = fixture.prepare(text);
        let mut id = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                id = id % 900 + 1;
                let mut count = Count(0);
                fixture.session.execute_point(&prepared, &[Datum::Int8(id)], &mut count).unwrap().unwrap();
                assert!(count.0 > 0);
            });
        });
    }
    group.bench_function("bind_and_plan", |b| {
        let mut n = 0;
        b.iter(|| {
            // Another text each time, so that no cache knows it.
            n += 1;
            fixture.prepare(&format!("SELECT doc->>'field3', {n} FROM t WHERE id = $1"))
        });
    });
}

fn wire(c: &mut Criterion) {
    let mut group = c.benchmark_group("wire");
    let column = |name: &str, typ| OutputColumn { name: name.into(), typ, table: 0, column: 0 };
    let columns = [column("id", Type::INT8), column("doc", Type::JSONB)];
    let row = [Datum::Int8(123_456), Datum::Jsonb(Jsonb::parse(&document(10)).unwrap())];
    for (name, format) in [("text", 0), ("binary", 1)] {
        let mut encoder = RowEncoder::new(&columns, &[format], || unreachable!("these types need no settings"));
        let mut out = Vec::new();
        group.throughput(Throughput::Bytes(document(10).len() as u64));
        group.bench_function(format!("encode/{name}"), |b| {
            b.iter(|| {
                out.clear();
                encoder.row(black_box(&row), &mut out).unwrap();
                black_box(out.len())
            });
        });
    }
}

criterion_group!(layers, jsonb, keys, log, apply, point, wire);
criterion_main!(layers);
