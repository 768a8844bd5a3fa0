//! `sqllogictest/pg_compat_jsonpath.slt`, whose answers are PostgreSQL 18's, without a node: every statement is bound
//! and its plan run by the small interpreter below. Its tables are in [`catalog`]; they are empty.

use std::sync::Arc;

use super::Path;
use crate::document::{Datum, Oid, Type};
use crate::error::{Error, Result};
use crate::sql::binder::{BindContext, bind_query};
use crate::sql::context::{EvalContext, Host, NoHost};
use crate::sql::eval;
use crate::sql::function::Body;
use crate::sql::plan::{ColumnId, Expr, Rel, SetCall};
use crate::sql::{io, parser};
use crate::storage::catalog::{Catalog, Column, Entry, PG_CATALOG, Table};

/// Rows of a relation with the ids of their columns.
type Rows = (Vec<ColumnId>, Vec<Vec<Datum>>);

struct Interpreter<'a> {
    context: &'a EvalContext,
}

impl Interpreter<'_> {
    fn value(&self, expr: &Expr, columns: &[ColumnId], row: &[Datum]) -> Result<Datum> {
        eval::compile(expr, columns)?.eval(row, &[], self.context)
    }

    /// The rows of a set-returning (or scalar) call for one row.
    fn call(&self, call: &SetCall, columns: &[ColumnId], row: &[Datum]) -> Result<Vec<Vec<Datum>>> {
        let split = |value: Datum| match value {
            Datum::Record(record) if call.columns.len() > 1 => record.values,
            Datum::Null if call.columns.len() > 1 => vec![Datum::Null; call.columns.len()],
            Datum::Record(record) if call.columns[0].1 != Type::RECORD && !is_row(call.columns[0].1) => record.values,
            value => vec![value],
        };
        if let Expr::Call { function, args, .. } = &call.call
            && let Body::Set(kernel) = function.body
        {
            let args: Vec<Datum> = args.iter().map(|arg| self.value(arg, columns, row)).collect::<Result<_>>()?;
            if function.strict && args.iter().any(Datum::is_null) {
                return Ok(Vec::new());
            }
            return kernel(self.context, &args)?.map(|value| value.map(split)).collect();
        }
        Ok(vec![split(self.value(&call.call, columns, row)?)])
    }

    fn calls(&self, calls: &[SetCall], input: Rows, outer: bool) -> Result<Rows> {
        let (columns, rows) = input;
        let mut made = Vec::new();
        for row in rows {
            let lists: Vec<_> = calls.iter().map(|call| self.call(call, &columns, &row)).collect::<Result<_>>()?;
            let longest = lists.iter().map(Vec::len).max().unwrap_or(0).max(usize::from(outer));
            for at in 0..longest {
                let mut out = row.clone();
                for (call, list) in calls.iter().zip(&lists) {
                    match list.get(at) {
                        Some(values) => out.extend(values.iter().cloned()),
                        None => out.extend(vec![Datum::Null; call.columns.len()]),
                    }
                }
                made.push(out);
            }
        }
        let mut all = columns;
        all.extend(calls.iter().flat_map(|call| call.columns.iter().map(|(id, _)| *id)));
        Ok((all, made))
    }

    fn run(&self, rel: &Rel) -> Result<Rows> {
        match rel {
            Rel::OneRow => Ok((Vec::new(), vec![Vec::new()])),
            Rel::Values { columns, rows } => {
                let ids = columns.iter().map(|(id, _)| *id).collect();
                let rows = rows.iter().map(|row| row.iter().map(|value| self.value(value, &[], &[])).collect());
                Ok((ids, rows.collect::<Result<_>>()?))
            }
            Rel::Project { input, exprs } => {
                let (columns, rows) = self.run(input)?;
                let project = |row: Vec<Datum>| exprs.iter().map(|(_, e)| self.value(e, &columns, &row)).collect();
                Ok((exprs.iter().map(|(id, _)| *id).collect(), rows.into_iter().map(project).collect::<Result<_>>()?))
            }
            Rel::Filter { input, predicate } => {
                let (columns, rows) = self.run(input)?;
                let mut kept = Vec::new();
                for row in rows {
                    if self.value(predicate, &columns, &row)? == Datum::Bool(true) {
                        kept.push(row);
                    }
                }
                Ok((columns, kept))
            }
            Rel::ProjectSet { input, calls } => self.calls(calls, self.run(input)?, false),
            Rel::Function { calls, ordinality, input, outer } => {
                let (mut columns, mut rows) = self.calls(calls, self.run(input)?, *outer)?;
                if let Some(id) = ordinality {
                    columns.push(*id);
                    rows.iter_mut().enumerate().for_each(|(at, row)| row.push(Datum::Int8(at as i64 + 1)));
                }
                Ok((columns, rows))
            }
            Rel::Aggregate { input, groups, sets: None, aggregates } if groups.is_empty() => {
                let (columns, rows) = self.run(input)?;
                let mut out = Vec::new();
                for (_, call) in aggregates {
                    let Body::Aggregate(make) = call.function.body else { panic!("{call:?}") };
                    let types: Vec<Type> = call.args.iter().map(Expr::typ).collect();
                    let mut state = make(&types);
                    let mut rows = rows.clone();
                    if let Some(key) = call.order.first() {
                        let number = |row: &Vec<Datum>| format!("{:?}", self.value(&key.expr, &columns, row));
                        rows.sort_by_key(number);
                        if key.descending {
                            rows.reverse();
                        }
                    }
                    for row in &rows {
                        if let Some(filter) = &call.filter
                            && self.value(filter, &columns, row)? != Datum::Bool(true)
                        {
                            continue;
                        }
                        let args: Vec<Datum> =
                            call.args.iter().map(|arg| self.value(arg, &columns, row)).collect::<Result<_>>()?;
                        if !(call.function.strict && args.iter().any(Datum::is_null)) {
                            state.update(self.context, &args)?;
                        }
                    }
                    out.push(state.finish(self.context)?);
                }
                Ok((aggregates.iter().map(|(id, _)| *id).collect(), vec![out]))
            }
            other => Err(Error::internal(format!("the tests' interpreter does not run {other:?}"))),
        }
    }
}

fn is_row(typ: Type) -> bool {
    crate::sql::types::by_oid(typ.oid).is_none()
}

const PUBLIC: Oid = 2200;

/// `CREATE TABLE jp (a int, b text, c numeric(5,2)[], d date, e jsonb, f varchar(3))`
fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    let types = [
        ("a", Type::INT4),
        ("b", Type::TEXT),
        ("c", Type::with_typmod(Type::NUMERIC_ARRAY.oid, 4 + (5 << 16 | 2))),
        ("d", Type::DATE),
        ("e", Type::JSONB),
        ("f", Type::with_typmod(Type::VARCHAR.oid, 7)),
    ];
    let columns = types.into_iter().enumerate().map(|(index, (name, typ))| Column {
        number: index as i16 + 1,
        name: name.into(),
        typ,
        not_null: false,
        default: None,
        identity: None,
        dropped: false,
        missing: None,
        origin: Default::default(),
        physical: Default::default(),
        domain: None,
        generated: None,
    });
    catalog.put(Entry::Table(Table {
        oid: 20000,
        schema: PUBLIC,
        name: "jp".into(),
        owner: 10,
        row_type: 20001,
        storage: 20000,
        columns: columns.collect(),
        key: Vec::new(),
        ..Table::default()
    }));
    catalog
}

/// A session whose search path is `pg_catalog, public`.
struct Session(NoHost);

impl Host for Session {
    fn catalog(&self) -> Arc<Catalog> {
        self.0.catalog()
    }
    fn database(&self) -> Oid {
        0
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

fn context() -> EvalContext {
    let catalog = Arc::new(catalog());
    let mut context = EvalContext::detached(catalog.clone());
    context.host = Arc::new(Session(NoHost { catalog, database: 0 }));
    context
}

/// A value as the runner of `.slt` files shows it.
fn cell(value: &Datum, typ: Type, context: &EvalContext) -> String {
    if value.is_null() {
        return "NULL".into();
    }
    let mut text = String::new();
    io::output(value, typ, context, &mut text);
    if text.is_empty() { "(empty)".into() } else { text.replace('\\', "\\\\").replace('\n', "\\n") }
}

fn rows(sql: &str, context: &EvalContext) -> Result<Vec<String>> {
    let parsed = parser::parse(sql)?;
    let statement = &parsed.first().ok_or_else(|| Error::internal("no statement"))?.statement;
    let query = bind_query(statement, &BindContext { eval: context, param_types: &[], text: sql })?;
    let (columns, rows) = Interpreter { context }.run(&query.plan)?;
    let slots: Vec<(usize, Type)> = query
        .output
        .iter()
        .map(|column| (columns.iter().position(|id| *id == column.id).expect("an output column"), column.typ))
        .collect();
    let line = |row: Vec<Datum>| {
        slots.iter().map(|(slot, typ)| cell(&row[*slot], *typ, context)).collect::<Vec<_>>().join(" ")
    };
    Ok(rows.into_iter().map(line).collect())
}

#[test]
fn the_file_of_postgresqls_answers() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/sqllogictest/pg_compat_jsonpath.slt");
    let file = std::fs::read_to_string(path).expect("the file");
    let context = context();
    let (mut count, mut wrong) = (0, Vec::new());
    for record in file.split("\n\n") {
        let lines: Vec<&str> = record.lines().filter(|line| !line.starts_with('#')).collect();
        let Some((head, body)) = lines.split_first() else { continue };
        let sql = body.first().copied().unwrap_or_default();
        let (expected, found) = if let Some(error) = head.strip_prefix("statement error ") {
            let found = match rows(sql, &context) {
                Ok(rows) => rows.join("\n"),
                Err(error) => format!("{}: {}", error.code(), error.message()),
            };
            let pattern = regex::Regex::new(error).expect("a regular expression");
            if pattern.is_match(&found) { (String::new(), String::new()) } else { (error.to_string(), found) }
        } else if head.starts_with("query") {
            let found = rows(sql, &context).map_or_else(
                |error| format!("{}: {} {:?}", error.code(), error.message(), error.report().detail),
                |rows| rows.iter().map(|row| row.trim()).collect::<Vec<_>>().join("\n"),
            );
            (body[2..].iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n"), found)
        } else {
            continue;
        };
        count += 1;
        if expected != found {
            wrong.push(format!("{sql}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(count > 100, "the file was read");
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// What is printed means the same when it is read again.
#[test]
fn canonical_text_is_stable() {
    for text in [
        "(1*2).type() + 1",
        "(exists($)).type()",
        "(!(1 == 1)).type()",
        "((1 == 1) is unknown).type()",
        "2 - (3 - 4) * -(-$x).abs() % 5",
        "strict $.**{1 to last}[last - 1 to last, 0].\"a\\\"b\"?(@ like_regex \"\\\\d+\" flag \"i\")",
        "$ ? ((@.a == 1 || @.b > 2) && !(exists(@.c)))",
    ] {
        let printed = Path::parse(text).unwrap().to_string();
        assert_eq!(Path::parse(&printed).unwrap().to_string(), printed, "{text}");
    }
}

#[test]
fn binary_form_has_a_version() {
    let value = io::text_in(Type::JSONPATH, "$.a", &context()).unwrap();
    let mut bytes = Vec::new();
    io::binary_out(&value, Type::JSONPATH, &context(), &mut bytes);
    assert_eq!(bytes, b"\x01$.\"a\"");
    assert_eq!(io::binary_in(Type::JSONPATH, &bytes, &context()).unwrap(), value);
    assert_eq!(
        io::binary_in(Type::JSONPATH, b"\x01@", &context()).unwrap_err().message(),
        "@ is not allowed in root expressions"
    );
    assert!(io::binary_in(Type::JSONPATH, b"\x02$", &context()).is_err());
}

#[test]
fn depth_is_bounded() {
    let deep = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    assert!(Path::parse(&deep(100)).is_ok());
    assert!(Path::parse(&deep(100_000)).is_err());
    let context = context();
    let nested = format!("SELECT jsonb_path_exists('{}1{}', '$.** ? (@ == 1)')", "[".repeat(900), "]".repeat(900));
    assert_eq!(rows(&nested, &context).unwrap(), ["t"]);
}
