//! CALL: the statements of a procedure run one after the other, in the transaction of the CALL. And the bodies of
//! functions that a query calls where they are more than a SELECT: they run inside of the query's statement.

use std::sync::Arc;

use crate::document::{Array, Datum, Oid, Record, Type};
use crate::error::{Error, Result};
use crate::sql::binder::{bind_call, bind_routine_statement};
use crate::sql::context::EvalContext;
use crate::sql::parser;
use crate::sql::plan::{Rel, Verb};
use crate::sql::statement::Statement;
use crate::sql::statement::ast;
use crate::storage::catalog::{Catalog, Entry, Routine};

use super::context::Context;
use super::deadline::Deadline;
use super::host::Shared;
use super::prepared::{Bound, SqlPart, is_query, planned};
use super::session::collect;
use super::{OutputColumn, Prepared, Response, RowsTag, Session};

/// How deep procedures may call one another.
const CALLS_MAX: usize = 32;
/// And functions that run inside of queries.
const RUNS_MAX: usize = 128;
/// Statements of bodies that are kept bound.
const BODIES_MAX: usize = 256;
/// With less stack than this a body gets more.
const STACK_LEFT_BYTES: usize = 1 << 20;
const STACK_BYTES: usize = 4 << 20;

impl Session {
    /// CALL.
    pub(super) async fn call(
        &mut self,
        prepared: &Arc<Prepared>,
        call: &ast::Expr,
        deadline: &Deadline,
    ) -> Result<Response> {
        let context = self.statement_context(Arc::from([]))?;
        let (entry, args) = bind_call(call, &context.eval, &prepared.part.text)?;
        let Entry::Routine(routine) = &*entry else { return Err(Error::internal("a routine was expected")) };
        let mut values = Vec::with_capacity(args.len());
        for arg in &args {
            values.push(crate::sql::eval::constant(arg, &[], &context.eval)?);
        }
        let user = self.shared.lock().current_user.0;
        super::authorize::may_execute(&context.view.catalog, user, routine)?;
        let row = Box::pin(self.run_routine(routine, values.into(), deadline)).await?;
        let outputs: Vec<OutputColumn> = routine
            .outputs()
            .enumerate()
            .map(|(i, a)| OutputColumn {
                name: a.name.clone().unwrap_or_else(|| format!("column{}", i + 1)),
                typ: a.typ,
                table: 0,
                column: 0,
            })
            .collect();
        if outputs.is_empty() {
            return Ok(Response::Command("CALL".to_string()));
        }
        let mut row = row.unwrap_or_default();
        row.resize(outputs.len(), Datum::Null);
        Ok(super::session::rows_response(outputs.into(), vec![row], RowsTag::Fixed("CALL".to_string())))
    }

    /// Runs the statements of a body; answers the first row of the last one.
    async fn run_routine(
        &mut self,
        routine: &Routine,
        args: Arc<[Datum]>,
        deadline: &Deadline,
    ) -> Result<Option<Vec<Datum>>> {
        if self.calls >= CALLS_MAX {
            return Err(crate::err!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        let text: Arc<str> = routine.query_text().into();
        let statements = parser::parse(&text)?;
        self.calls += 1;
        let mut last = Ok(None);
        for (i, parsed) in statements.into_iter().enumerate() {
            let part = SqlPart { text: text.clone(), parsed: Arc::new(parsed) };
            last = self.run_part(routine, &part, args.clone(), deadline).await.map_err(|error| {
                let place = format!("SQL function \"{}\" statement {}", routine.name, i + 1);
                error.at(0).context(place)
            });
            if last.is_err() {
                break;
            }
        }
        self.calls -= 1;
        last
    }

    async fn run_part(
        &mut self,
        routine: &Routine,
        part: &SqlPart,
        args: Arc<[Datum]>,
        deadline: &Deadline,
    ) -> Result<Option<Vec<Datum>>> {
        let statement = part.statement();
        if !is_query(statement) {
            let prepared = Arc::new(Prepared::new(part.clone(), Vec::new(), None, None));
            Box::pin(self.utility(&prepared, statement, &Arc::from([]), deadline)).await?;
            return Ok(None);
        }
        let context = self.statement_context(args)?;
        let query = bind_routine_statement(statement, routine, &context.eval, "")?;
        let types: Vec<Type> = query.output.iter().map(|c| c.typ).collect();
        let path = self.shared.lock().search_path(self.shared.database);
        let bound = Arc::new(planned(query, &context.eval, context.view.catalog.clone(), path));
        let response = self.run_bound(&bound, context, deadline).await?;
        self.take_notify();
        let Response::Rows { columns, stream, .. } = response else { return Ok(None) };
        let mut first = None;
        for batch in collect(stream).await? {
            let rows = batch.rows(&columns)?;
            first = first.or_else(|| rows.into_iter().next());
        }
        // The outputs are of the declared types.
        let Some(row) = first else { return Ok(None) };
        let declared: Vec<Type> = routine.outputs().map(|a| a.typ).collect();
        if declared.len() != types.len() {
            return Ok(Some(row));
        }
        row.into_iter()
            .zip(types.iter().zip(&declared))
            .map(|(value, (from, to))| crate::sql::binder::convert(value, *from, *to, &self.statement_eval()))
            .collect::<Result<Vec<_>>>()
            .map(Some)
    }
}

/// Runs the body of a function that a query calls: the arguments are its OID and its own. Answers its value, or an
/// array of its rows.
pub(crate) fn run(session: &Shared, args: &[Datum], rows_wanted: bool) -> Result<Datum> {
    let [Datum::Oid(oid), args @ ..] = args else { return Err(Error::internal("a routine is called by its OID")) };
    let context = {
        let mut state = session.lock();
        if state.routine_depth >= RUNS_MAX {
            return Err(crate::err!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").hint(
                "Increase the configuration parameter \"max_stack_depth\" (currently 2048kB), after ensuring the \
                 platform's stack depth limit is adequate.",
            ));
        }
        let context = state.statement.upgrade();
        state.routine_depth += 1;
        context
    };
    let result = match &context {
        Some(context) => {
            stacker::maybe_grow(STACK_LEFT_BYTES, STACK_BYTES, || run_body(session, context, *oid, args, rows_wanted))
        }
        None => Err(Error::unsupported("a function of several statements in this place")),
    };
    session.lock().routine_depth -= 1;
    result
}

fn run_body(session: &Shared, context: &Context, oid: Oid, args: &[Datum], rows_wanted: bool) -> Result<Datum> {
    let catalog = context.view.catalog.clone();
    let Some(Entry::Routine(routine)) = catalog.get(oid).map(|e| &**e) else {
        return Err(Error::internal("a routine was expected"));
    };
    let mut rows: Vec<Vec<Datum>> = Vec::new();
    let mut types: Vec<Type> = Vec::new();
    // Nothing is known of NULL where the function says so.
    let is_known = !routine.strict || !args.iter().any(Datum::is_null);
    for (i, parsed) in parser::parse(&routine.query_text())?.into_iter().enumerate().filter(|_| is_known) {
        let params: Arc<[Datum]> = args.into();
        (types, rows) = run_statement(session, context, routine, (&parsed.statement, i), params)
            .map_err(|error| error.at(0).context(format!("SQL function \"{}\" statement {}", routine.name, i + 1)))?;
    }
    if routine.returns == Type::VOID {
        rows = vec![vec![Datum::Null]];
        types = vec![Type::VOID];
    }
    let eval = &context.eval;
    let declared = declared_columns(routine, &catalog);
    if !routine.returns_set {
        rows.truncate(1);
    }
    let mut values = Vec::with_capacity(rows.len());
    for row in rows {
        values.push(row_value(row, &types, &declared, eval)?);
    }
    if !rows_wanted {
        return Ok(values.into_iter().next().unwrap_or_default());
    }
    if values.is_empty() && !routine.returns_set {
        values.push(Datum::Null);
    }
    Ok(Datum::Array(Box::new(Array::new(0, values))))
}

/// One row of a body as the value of its function.
fn row_value(row: Vec<Datum>, types: &[Type], declared: &[(String, Type)], eval: &EvalContext) -> Result<Datum> {
    let convert = |value: Datum, from: Type, to: Type| match crate::sql::types::is_polymorphic(to.oid) {
        true => Ok(value),
        false => crate::sql::binder::convert(value, from, to, eval),
    };
    if let ([_], [from]) = (declared, types) {
        let value = row.into_iter().next().unwrap_or_default();
        return convert(value, *from, declared[0].1);
    }
    // A single composite value is the row itself.
    if types.len() == 1 && declared.len() != 1 {
        return Ok(row.into_iter().next().unwrap_or_default());
    }
    let mut values = Vec::with_capacity(row.len());
    for (i, value) in row.into_iter().enumerate() {
        values.push(match (types.get(i), declared.get(i)) {
            (Some(from), Some((_, to))) => convert(value, *from, *to)?,
            _ => value,
        });
    }
    let fields = declared.iter().map(|(name, typ)| (name.as_str().into(), typ.oid)).collect();
    Ok(Datum::Record(Box::new(Record { fields, values })))
}

/// Names and types of what a function gives.
fn declared_columns(routine: &Routine, catalog: &Catalog) -> Vec<(String, Type)> {
    let outputs: Vec<(String, Type)> = routine.outputs().map(|a| (a.name.clone().unwrap_or_default(), a.typ)).collect();
    if !outputs.is_empty() {
        return outputs;
    }
    let fields = crate::sql::binder::relation::fields_of_row_type(catalog, routine.returns.oid);
    fields.unwrap_or_else(|| vec![(routine.name.clone(), routine.returns)])
}

/// Runs one statement of a body inside of the statement that called it: the types and the rows that it gives.
fn run_statement(
    session: &Shared,
    context: &Context,
    routine: &Routine,
    (statement, index): (&Statement, usize),
    params: Arc<[Datum]>,
) -> Result<(Vec<Type>, Vec<Vec<Datum>>)> {
    if !is_query(statement) {
        return Err(Error::unsupported("a utility statement in a function that a query calls"));
    }
    let inner = Arc::new(context.inside(params, routine.volatility == 'v'));
    let bound = bound_statement(session, &inner, routine, (statement, index))?;
    bound.check()?;
    let query = &bound.query;
    let mut writes = query.verb != Verb::Select;
    query.plan.walk(&mut |rel| writes |= matches!(rel, Rel::Modify(_)));
    let user = {
        let state = session.lock();
        if writes && routine.volatility != 'v' {
            let verb = verb_name(query.verb);
            return Err(crate::err!(FEATURE_NOT_SUPPORTED, "{verb} is not allowed in a non-volatile function"));
        }
        if writes && state.read_only {
            return Err(super::session::read_only(verb_name(query.verb)));
        }
        state.current_user.0
    };
    bound.authorize(user)?;
    let types: Vec<Type> = query.output.iter().map(|c| c.typ).collect();
    if let Some(point) = &bound.point {
        let mut rows = Vec::new();
        let done = point.run(&inner, &mut |row| {
            rows.push(std::mem::take(row));
            Ok(())
        })?;
        if done.is_some() {
            super::integrity::settle(&inner)?;
            return Ok((types, rows));
        }
    }
    let handle = tokio::runtime::Handle::try_current()
        .map_err(|_| Error::unsupported("a function of several statements in this place"))?;
    let work = async {
        if query.verb != Verb::Select {
            return super::source::modify(&inner, query).await.map(|(_, rows)| rows);
        }
        let columns: Vec<OutputColumn> = query
            .output
            .iter()
            .map(|c| OutputColumn { name: c.name.clone(), typ: c.typ, table: 0, column: 0 })
            .collect();
        let mut rows = Vec::new();
        for batch in collect(super::source::query(&inner, query).await?).await? {
            rows.extend(batch.rows(&columns)?);
        }
        Ok(rows)
    };
    let rows = super::functions::blocking(|| handle.block_on(work))?;
    Ok((types, rows))
}

/// A statement of a body, bound once for all the calls that come with the same catalog.
fn bound_statement(
    session: &Shared,
    context: &Context,
    routine: &Routine,
    (statement, index): (&Statement, usize),
) -> Result<Arc<Bound>> {
    let catalog = &context.view.catalog;
    let path = session.lock().search_path(session.database);
    let key = (routine.oid, index);
    if let Some(bound) = session.lock().bodies.get(&key).filter(|bound| bound.is_current(catalog, &path)) {
        return Ok(bound.clone());
    }
    let query = bind_routine_statement(statement, routine, &context.eval, "")?;
    let bound = Arc::new(planned(query, &context.eval, catalog.clone(), path));
    let mut state = session.lock();
    if state.bodies.len() >= BODIES_MAX {
        state.bodies.clear();
    }
    state.bodies.insert(key, bound.clone());
    Ok(bound)
}

fn verb_name(verb: Verb) -> &'static str {
    match verb {
        Verb::Select => "SELECT",
        Verb::Insert => "INSERT",
        Verb::Update => "UPDATE",
        Verb::Delete => "DELETE",
        Verb::Merge => "MERGE",
    }
}
