//! Binding against a small catalog: plans as text, output columns, and errors as PostgreSQL 18 words them.

use std::sync::Arc;

use crate::document::{Oid, Type};
use crate::error::{Error, Result};
use crate::sql::context::{EvalContext, Host, NoHost};
use crate::sql::parser;
use crate::sql::plan::Query;
use crate::storage::catalog::{
    Catalog, Column, Constraint, ConstraintKind, Database, Entry, Identity, Index, IndexKey, IndexSource, PG_CATALOG,
    Schema, Sequence, Table, View,
};

use super::{BindContext, bind_query, bind_query_raw};

const DATABASE: Oid = 5;
const PUBLIC: Oid = 2200;

/// A session whose search path is `pg_catalog, public`.
struct Session(NoHost);

impl Host for Session {
    fn catalog(&self) -> Arc<Catalog> {
        self.0.catalog()
    }
    fn database(&self) -> Oid {
        DATABASE
    }
    fn users(&self) -> (String, String) {
        self.0.users()
    }
    fn search_path(&self) -> Vec<Oid> {
        vec![PG_CATALOG, PUBLIC]
    }
    fn setting(&self, name: &str) -> Option<String> {
        self.0.setting(name)
    }
    fn set_setting(&self, name: &str, value: &str, local: bool) -> Result<()> {
        self.0.set_setting(name, value, local)
    }
    fn nextval(&self, sequence: Oid) -> Result<i64> {
        self.0.nextval(sequence)
    }
    fn currval(&self, sequence: Oid) -> Result<i64> {
        self.0.currval(sequence)
    }
    fn setval(&self, sequence: Oid, value: i64, is_called: bool) -> Result<i64> {
        self.0.setval(sequence, value, is_called)
    }
    fn lastval(&self) -> Result<i64> {
        self.0.lastval()
    }
    fn backend_pid(&self) -> i32 {
        0
    }
    fn random(&self) -> u64 {
        0
    }
    fn set_seed(&self, _seed: f64) {}
    fn clock(&self) -> i64 {
        0
    }
}

fn column(number: i16, name: &str, typ: Type) -> Column {
    Column {
        number,
        name: name.into(),
        typ,
        not_null: false,
        default: None,
        identity: None,
        dropped: false,
        missing: None,
    }
}

fn table(oid: Oid, name: &str, columns: Vec<Column>) -> Table {
    Table {
        oid,
        schema: PUBLIC,
        name: name.into(),
        owner: 10,
        row_type: oid + 1,
        storage: oid,
        columns,
        key: Vec::new(),
        constraints: Vec::new(),
        options: Vec::new(),
    }
}

fn index(oid: Oid, of: Oid, name: &str, source: IndexSource, typ: Type) -> Index {
    Index {
        oid,
        table: of,
        schema: PUBLIC,
        name: name.into(),
        method: "btree".into(),
        unique: true,
        primary: false,
        is_row_key: false,
        nulls_not_distinct: false,
        keys: vec![IndexKey { source, typ, descending: false, nulls_first: false }],
        include: Vec::new(),
        predicate: None,
    }
}

/// The same as this in PostgreSQL:
/// ```sql
/// create table t(a int primary key, b text, c numeric(10,2), d jsonb, e timestamptz, f int[], g date,
///                h varchar(5), i bigint, j boolean);
/// create unique index t_lower on t(lower(b));
/// create table u(a int, x bigint, b varchar(10));
/// create table w(id int generated always as identity, n int default 7 check (n > 0), s text default upper('x'));
/// create view v as select a, b, c + 1 as d from t where a > 0;
/// ```
fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    catalog.put(Entry::Database(Database { oid: DATABASE, name: "test".into(), owner: 10 }));
    catalog.put(Entry::Schema(Schema { oid: PUBLIC, database: DATABASE, name: "public".into(), owner: 10 }));
    let mut t = table(
        20000,
        "t",
        vec![
            column(1, "a", Type::INT4),
            column(2, "b", Type::TEXT),
            column(3, "c", Type::with_typmod(Type::NUMERIC.oid, 655366)),
            column(4, "d", Type::JSONB),
            column(5, "e", Type::TIMESTAMPTZ),
            column(6, "f", Type::INT4_ARRAY),
            column(7, "g", Type::DATE),
            column(8, "h", Type::with_typmod(Type::VARCHAR.oid, 9)),
            column(9, "i", Type::INT8),
            column(10, "j", Type::BOOL),
        ],
    );
    t.constraints.push(Constraint {
        oid: 20010,
        name: "t_pkey".into(),
        kind: ConstraintKind::PrimaryKey { columns: vec![1], index: 20011 },
    });
    catalog.put(Entry::Table(t));
    catalog.put(Entry::Index(index(20011, 20000, "t_pkey", IndexSource::Column(1), Type::INT4)));
    let lower = IndexSource::Expression("lower(b)".into());
    catalog.put(Entry::Index(index(20012, 20000, "t_lower", lower, Type::TEXT)));
    let columns = vec![
        column(1, "a", Type::INT4),
        column(2, "x", Type::INT8),
        column(3, "b", Type::with_typmod(Type::VARCHAR.oid, 14)),
    ];
    catalog.put(Entry::Table(table(20100, "u", columns)));
    let mut w =
        table(20200, "w", vec![column(1, "id", Type::INT4), column(2, "n", Type::INT4), column(3, "s", Type::TEXT)]);
    w.columns[0].identity = Some(Identity { always: true, sequence: 20300 });
    w.columns[1].default = Some("7".into());
    w.columns[2].default = Some("upper('x')".into());
    w.constraints.push(Constraint {
        oid: 20210,
        name: "w_n_check".into(),
        kind: ConstraintKind::Check { expr: "n > 0".into() },
    });
    catalog.put(Entry::Table(w));
    catalog.put(Entry::Sequence(Sequence {
        oid: 20300,
        schema: PUBLIC,
        name: "w_id_seq".into(),
        owner: 10,
        typ: Type::INT4,
        start: 1,
        increment: 1,
        min: 1,
        max: i64::from(i32::MAX),
        cache: 1,
        cycle: false,
        owned_by: Some((20200, 1)),
    }));
    catalog.put(Entry::View(View {
        oid: 20400,
        schema: PUBLIC,
        name: "v".into(),
        owner: 10,
        row_type: 20401,
        query: "SELECT a, b, c + 1 AS d FROM t WHERE a > 0".into(),
        search_path: vec!["public".into()],
        columns: vec![("a".into(), Type::INT4), ("b".into(), Type::TEXT), ("d".into(), Type::NUMERIC)],
    }));
    catalog
}

fn context() -> EvalContext {
    let catalog = Arc::new(catalog());
    let mut context = EvalContext::detached(catalog.clone());
    context.host = Arc::new(Session(NoHost { catalog }));
    context
}

fn bind_with(text: &str, raw: bool) -> Result<Query> {
    let eval = context();
    let parsed = parser::parse(text)?;
    let statement = &parsed.first().ok_or_else(|| Error::internal("no statement"))?.statement;
    let context = BindContext { eval: &eval, param_types: &[], text };
    if raw { bind_query_raw(statement, &context) } else { bind_query(statement, &context) }
}

fn bind(text: &str) -> Result<Query> {
    bind_with(text, false)
}

/// Output names and types, as psql's \gdesc shows them.
fn described(query: &Query) -> String {
    let name = |c: &crate::sql::plan::OutputColumn| format!("{}|{}", c.name, crate::sql::types::format_type(c.typ));
    query.output.iter().map(name).collect::<Vec<_>>().join("\n")
}

#[test]
fn explore() {
    let Ok(file) = std::env::var("EXPLORE") else { return };
    for line in std::fs::read_to_string(file).unwrap().lines() {
        if line.trim().is_empty() {
            continue;
        }
        println!("=== {line}");
        match bind_with(line, std::env::var("RAW").is_ok()) {
            Ok(query) => {
                println!("{}", described(&query));
                if std::env::var("PLAN").is_ok() {
                    println!("{}", query.plan);
                    println!("params {:?}", query.params);
                }
            }
            Err(e) => {
                let r = e.report();
                println!("ERROR:  {}: {}", r.code, r.message);
                if let Some(d) = &r.detail {
                    println!("DETAIL:  {d}");
                }
                if let Some(d) = &r.hint {
                    println!("HINT:  {d}");
                }
                if let Some(p) = r.position {
                    println!("POSITION: {p}");
                }
            }
        }
    }
}
