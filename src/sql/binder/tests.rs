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
        domain: None,
        generated: None,
        origin: Default::default(),
        physical: Default::default(),
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
        persistence: Default::default(),
        ..Table::default()
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
        keys: vec![IndexKey { source, typ, descending: false, nulls_first: false, opclass: None }],
        include: Vec::new(),
        predicate: None,
        parent: None,
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
        attributes: Default::default(),
        origin: Default::default(),
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
        attributes: Default::default(),
        origin: Default::default(),
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
        options: Vec::new(),
        defaults: Vec::new(),
    }));
    catalog
}

fn context() -> EvalContext {
    let catalog = Arc::new(catalog());
    let mut context = EvalContext::detached(catalog.clone());
    context.host = Arc::new(Session(NoHost { catalog, database: 0 }));
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
    let name = |c: &crate::sql::plan::OutputColumn| match crate::sql::types::by_oid(c.typ.oid) {
        Some(_) => format!("{}|{}", c.name, crate::sql::types::format_type(c.typ)),
        None => format!("{}|{}", c.name, crate::sql::user_types::format_along(&catalog(), &[PUBLIC], c.typ.oid, None)),
    };
    query.output.iter().map(name).collect::<Vec<_>>().join("\n")
}

/// What a statement comes to: the described columns, or the error's fields, a line each.
fn answer(text: &str) -> String {
    match bind_with(text, true) {
        Ok(query) => described(&query),
        Err(error) => {
            let report = error.report();
            let mut out = format!("ERROR:  {}: {}", report.code, report.message);
            for (label, field) in [("DETAIL", &report.detail), ("HINT", &report.hint)] {
                if let Some(field) = field {
                    out.push_str(&format!("\n{label}:  {field}"));
                }
            }
            if let Some(position) = report.position {
                out.push_str(&format!("\nPOSITION: {position}"));
            }
            out
        }
    }
}

/// psql's `\gdesc` of each statement, and its errors with VERBOSITY verbose, as PostgreSQL 18 gives them.
#[test]
fn columns_and_errors_are_postgresqls() {
    let file = include_str!("testdata/postgres18.txt").replace("\n> ", "\n\u{1}> ");
    let mut wrong = String::new();
    for part in file.split('\u{1}') {
        let Some((statement, expected)) = part.strip_prefix("> ").and_then(|part| part.split_once('\n')) else {
            continue;
        };
        let (expected, found) = (expected.trim(), answer(statement));
        if expected != found {
            wrong.push_str(&format!("> {statement}\nexpected:\n{expected}\nfound:\n{found}\n\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Plans after simplification. UPDATE_GOLDENFILES=1 writes them anew.
#[test]
fn plans_have_these_shapes() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sql/binder/testdata/plans.txt");
    let file = std::fs::read_to_string(&path).unwrap();
    let mut out = String::new();
    for statement in file.lines().filter_map(|line| line.strip_prefix("> ")) {
        let plan = match bind(statement) {
            Ok(query) => query.plan.to_string(),
            Err(error) => format!("{error:?}\n"),
        };
        out.push_str(&format!("> {statement}\n{plan}\n"));
    }
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        std::fs::write(&path, &out).unwrap();
    }
    assert_eq!(out.trim(), file.trim());
}

#[test]
fn long_chains_and_deep_nesting_end_in_an_answer() {
    let long = |n: usize, op: &str, term: &str| format!("SELECT {}", vec![term; n].join(op));
    for (text, ok) in [
        (format!("{} FROM t", long(60_000, " AND ", "j")), true),
        (format!("{} FROM t", long(60_000, " OR ", "a = 1")), true),
        (format!("{} FROM t", long(990, " + ", "a")), true),
        (format!("{} FROM t", long(60_000, " + ", "a")), false),
        (format!("SELECT {}1{}", "abs(".repeat(900), ")".repeat(900)), true),
        (format!("SELECT {}1{}", "abs(".repeat(5_000), ")".repeat(5_000)), false),
        (format!("SELECT {}1{}", "(SELECT ".repeat(400), ")".repeat(400)), true),
        (format!("SELECT {}1{}", "(SELECT ".repeat(5_000), ")".repeat(5_000)), false),
    ] {
        match bind(&text) {
            Ok(_) => assert!(ok, "{}", &text[..40]),
            Err(error) => {
                assert!(!ok, "{}: {error:?}", &text[..40]);
                assert_eq!(error.code().as_str(), "54001", "{}", &text[..40]);
            }
        }
    }
}

#[test]
fn too_many_output_columns_are_refused() {
    let text = format!("SELECT {}", vec!["1"; 1665].join(", "));
    assert_eq!(bind(&text).unwrap_err().code().as_str(), "54011");
    assert_eq!(bind(&format!("SELECT {}", vec!["1"; 1664].join(", "))).unwrap().output.len(), 1664);
}

#[test]
fn parameter_types_come_from_the_client_or_the_context() {
    let eval = context();
    let bind = |text: &str, given: &[Option<Type>]| {
        let parsed = parser::parse(text).unwrap();
        let context = BindContext { eval: &eval, param_types: given, text };
        bind_query(&parsed[0].statement, &context).map(|query| query.params)
    };
    assert_eq!(bind("SELECT $1", &[]).unwrap(), [Type::TEXT]);
    assert_eq!(bind("SELECT $1", &[Some(Type::INT8)]).unwrap(), [Type::INT8]);
    assert_eq!(bind("SELECT a FROM t LIMIT $1", &[None]).unwrap(), [Type::INT8]);
    assert_eq!(bind("SELECT $1 + 1.5", &[]).unwrap(), [Type::NUMERIC]);
    assert_eq!(bind("SELECT a FROM t WHERE a = ANY($1)", &[]).unwrap(), [Type::INT4_ARRAY]);
    assert_eq!(bind("SELECT coalesce($1, a) FROM t", &[]).unwrap(), [Type::INT4]);
    assert_eq!(bind("INSERT INTO t (g, d) VALUES ($1, $2)", &[]).unwrap(), [Type::DATE, Type::JSONB]);
    assert_eq!(bind("SELECT a = $2 FROM t", &[]).unwrap_err().code().as_str(), "42P18");
}

/// What a query is printed as has the same columns and is printed the same again.
#[test]
fn printed_queries_mean_the_same() {
    use crate::sql::deparse::{self, Layout};
    let eval = context();
    let path = ["public".to_string()];
    let (mut printed, mut wrong) = (0, String::new());
    for statement in include_str!("testdata/postgres18.txt").lines().filter_map(|line| line.strip_prefix("> ")) {
        let Ok(bound) = bind_with(statement, true) else { continue };
        let names: Vec<String> = bound.output.iter().map(|column| column.name.clone()).collect();
        for pretty in [false, true] {
            let print = |text: &str| {
                let shape = super::bind_shape(text, &path, &eval)?;
                deparse::query(&shape, &names, Layout { pretty, wrap: 0 }, &eval)
            };
            let Some(text) = print(statement) else { continue };
            printed += 1;
            let again = print(&text);
            if again.as_ref() != Some(&text) || answer(&text) != described(&bound) {
                wrong.push_str(&format!("> {statement}\n{text}\n{}\n{}\n\n", again.unwrap_or_default(), answer(&text)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(printed > 100, "{printed}");
}
