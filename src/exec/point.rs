//! Point plans: statements that read or write a few rows by key run here, on the snapshot, with the row interpreter;
//! no DataFusion, no tasks, no batches.
//!
//! [`plan`] recognises them; it is a pure function of the bound statement and the catalog. Everything else, and what
//! turns out to touch more than [`ROWS_MAX`] rows, takes the general way.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::document::key::{KeyOrder, encode_column};
use crate::document::{Datum, Oid, Type};
use crate::error::Result;
use crate::exec::kept::{bind_index_key, bind_predicate};
use crate::sql::context::EvalContext;
use crate::sql::eval::{Compiled, compile};
use crate::sql::function::Body;
use crate::sql::plan::{ColumnId, Expr, Modify, ModifyKind, Query, Rel, SortKey};
use crate::storage::ScanOptions;
use crate::storage::catalog::{Catalog, Table};

use super::access_path::{self, Candidate, Path};
use super::context::Context;
use super::dml::{CompiledModify, Writer, compile_modify};
use super::rows::{RowReader, key_value};

/// More rows than this are better read by the general way.
pub(crate) const ROWS_MAX: usize = 2_000;

/// A statement that runs by key.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // One a statement.
pub(crate) enum PointPlan {
    /// SELECT.
    Read(PointRead),
    /// INSERT of computed rows.
    Insert { rows: Vec<Vec<Compiled>>, modify: Arc<CompiledModify> },
    /// UPDATE or DELETE of rows found by key.
    Change { read: PointRead, modify: Arc<CompiledModify> },
}

/// Rows of one table, found by key.
#[derive(Debug)]
pub(crate) struct PointRead {
    table: Oid,
    /// What each slot of a row is: a column number, 0 for the row key, -6 for the table's OID.
    slots: Vec<i16>,
    reader: RowReader,
    path: Path,
    conditions: Vec<Compiled>,
    output: Vec<Compiled>,
    /// Every output is a slot of its own: values can be moved.
    moves: Option<Vec<usize>>,
    sort: Vec<(Compiled, KeyOrder, Type)>,
    limit: Option<Compiled>,
    offset: Option<Compiled>,
}

/// Recognises a statement that runs by key.
pub(crate) fn plan(query: &Query, catalog: &Arc<Catalog>, eval: &EvalContext) -> Option<PointPlan> {
    if query.locking.is_some() {
        return None;
    }
    if let Rel::Modify(modify) = strip_trivial(&query.plan, query) {
        return modify_plan(modify, query, catalog, eval);
    }
    let output: Vec<Expr> = query.output.iter().map(|c| c.expr()).collect();
    read_plan(&query.plan, output, catalog, eval).map(PointPlan::Read)
}

/// A modification under a projection that only picks its columns in order.
fn strip_trivial<'a>(rel: &'a Rel, query: &Query) -> &'a Rel {
    match rel {
        Rel::Project { input, exprs } if matches!(**input, Rel::Modify(_)) => {
            let columns = input.columns();
            let same = exprs.len() == columns.len()
                && exprs.iter().zip(&columns).all(|((id, e), (c, t))| id == c && *e == Expr::Column(*c, *t))
                && query.output.len() == columns.len();
            if same { input } else { rel }
        }
        _ => rel,
    }
}

fn modify_plan(modify: &Modify, query: &Query, catalog: &Arc<Catalog>, eval: &EvalContext) -> Option<PointPlan> {
    // RETURNING must come out as it is.
    let returning: Vec<ColumnId> = modify.returning.iter().flatten().map(|(id, _)| *id).collect();
    if query.output.iter().map(|c| c.id).collect::<Vec<_>>() != returning || has_subquery(modify) {
        return None;
    }
    match &modify.kind {
        ModifyKind::Insert { source, .. } => {
            let (columns, rows) = computed_rows(source)?;
            let modify = Arc::new(compile_modify(modify, &columns).ok()?);
            Some(PointPlan::Insert { rows, modify })
        }
        ModifyKind::Update { source, .. } | ModifyKind::Delete { source, .. } => {
            let columns = source.columns();
            let output = columns.iter().map(|(id, typ)| Expr::Column(*id, *typ)).collect();
            let read = read_plan(source, output, catalog, eval)?;
            let ids: Vec<ColumnId> = columns.iter().map(|(id, _)| *id).collect();
            Some(PointPlan::Change { read, modify: Arc::new(compile_modify(modify, &ids).ok()?) })
        }
        ModifyKind::Merge { .. } => None,
    }
}

fn has_subquery(modify: &Modify) -> bool {
    let mut found = false;
    let rel = Rel::Modify(Box::new(modify.clone()));
    rel.for_each_expr(|e| found |= e.contains_subquery());
    found
}

/// The rows of a source that needs no table.
fn computed_rows(source: &Rel) -> Option<(Vec<ColumnId>, Vec<Vec<Compiled>>)> {
    let compile_all =
        |exprs: &[Expr]| exprs.iter().map(|e| simple(e).then(|| compile(e, &[]).ok())?).collect::<Option<Vec<_>>>();
    match source {
        Rel::OneRow => Some((Vec::new(), vec![Vec::new()])),
        Rel::Values { columns, rows } => {
            let rows = rows.iter().map(|row| compile_all(row)).collect::<Option<Vec<_>>>()?;
            Some((columns.iter().map(|(id, _)| *id).collect(), rows))
        }
        Rel::Project { input, exprs } => match &**input {
            Rel::OneRow => {
                let row: Vec<Expr> = exprs.iter().map(|(_, e)| e.clone()).collect();
                Some((exprs.iter().map(|(id, _)| *id).collect(), vec![compile_all(&row)?]))
            }
            Rel::Values { columns, rows } => {
                let mut made = Vec::with_capacity(rows.len());
                for row in rows {
                    let by_id: HashMap<ColumnId, &Expr> = columns.iter().map(|(id, _)| *id).zip(row.iter()).collect();
                    let row: Vec<Expr> = exprs.iter().map(|(_, e)| inlined(e, &by_id)).collect();
                    made.push(compile_all(&row)?);
                }
                Some((exprs.iter().map(|(id, _)| *id).collect(), made))
            }
            _ => None,
        },
        _ => None,
    }
}

/// An expression that the row interpreter runs by itself.
fn simple(expr: &Expr) -> bool {
    let mut ok = true;
    expr.walk(&mut |e| {
        match e {
            Expr::Subquery(_) | Expr::Grouping(_) => ok = false,
            Expr::Call { function, .. } => ok &= matches!(function.body, Body::Scalar(_) | Body::Host),
            _ => {}
        }
        ok
    });
    ok
}

fn inlined(expr: &Expr, by_id: &HashMap<ColumnId, &Expr>) -> Expr {
    let mut expr = expr.clone();
    expr.replace(&mut |e| match e {
        Expr::Column(id, _) => match by_id.get(id) {
            Some(value) => {
                *e = (*value).clone();
                true
            }
            None => false,
        },
        _ => false,
    });
    expr
}

/// What stands between a table and the result.
struct Shape<'a> {
    table: Oid,
    columns: &'a [(ColumnId, i16, Type)],
    conditions: Vec<Expr>,
    output: Vec<Expr>,
    sort: Vec<SortKey>,
    limit: Option<Expr>,
    offset: Option<Expr>,
}

/// Walks down to the only table; `None` when there is anything else on the way.
fn shape<'a>(mut rel: &'a Rel, output: Vec<Expr>) -> Option<Shape<'a>> {
    let mut shape =
        Shape { table: 0, columns: &[], conditions: Vec::new(), output, sort: Vec::new(), limit: None, offset: None };
    let mut has_limit = false;
    loop {
        match rel {
            Rel::Limit { input, limit, offset, ties: None }
                if !has_limit && shape.sort.is_empty() && shape.conditions.is_empty() =>
            {
                (shape.limit, shape.offset, has_limit) = (limit.clone(), offset.clone(), true);
                rel = input;
            }
            Rel::Sort { input, keys } if shape.sort.is_empty() => {
                shape.sort = keys.clone();
                rel = input;
            }
            Rel::Project { input, exprs } => {
                if exprs.iter().any(|(_, e)| !simple(e) || e.is_volatile()) {
                    return None;
                }
                let by_id: HashMap<ColumnId, &Expr> = exprs.iter().map(|(id, e)| (*id, e)).collect();
                for e in &mut shape.output {
                    *e = inlined(e, &by_id);
                }
                for e in &mut shape.conditions {
                    *e = inlined(e, &by_id);
                }
                for key in &mut shape.sort {
                    key.expr = inlined(&key.expr, &by_id);
                }
                rel = input;
            }
            Rel::Filter { input, predicate } => {
                shape.conditions.extend(predicate.clone().into_conjuncts());
                rel = input;
            }
            Rel::Scan { table, columns, tree: false, .. } => {
                (shape.table, shape.columns) = (*table, columns);
                return Some(shape);
            }
            _ => return None,
        }
    }
}

fn read_plan(rel: &Rel, output: Vec<Expr>, catalog: &Arc<Catalog>, eval: &EvalContext) -> Option<PointRead> {
    let shape = shape(rel, output)?;
    let table = catalog.table(shape.table)?;
    let exprs = || shape.output.iter().chain(&shape.conditions).chain(shape.sort.iter().map(|k| &k.expr));
    let supported = |number: i16| number >= 0 || number == -6;
    if !exprs().all(simple) || !shape.columns.iter().all(|(_, number, _)| supported(*number)) {
        return None;
    }
    let by_number: HashMap<ColumnId, (i16, Type)> =
        shape.columns.iter().map(|(id, number, typ)| (*id, (*number, *typ))).collect();
    let conditions: Vec<Expr> = shape.conditions.iter().map(|e| numbered(e, &by_number)).collect();
    let order: Vec<SortKey> =
        shape.sort.iter().map(|k| SortKey { expr: numbered(&k.expr, &by_number), ..k.clone() }).collect();
    let path = access_path::choose(&candidates(table, catalog, eval), &conditions, &order)?;
    let has_limit = shape.limit.is_some();
    let narrow = path.is_unique || path.any.is_some() || !path.equal.is_empty();
    let short =
        has_limit && (path.is_ordered || (shape.sort.is_empty() && (path.lower.is_some() || path.upper.is_some())));
    if !narrow && !short {
        return None;
    }
    let ids: Vec<ColumnId> = shape.columns.iter().map(|(id, _, _)| *id).collect();
    let slots: Vec<i16> = shape.columns.iter().map(|(_, number, _)| *number).collect();
    let real: Vec<i16> = slots.iter().copied().filter(|n| *n > 0).collect();
    let compiled = |e: &Expr| compile(e, &ids).ok();
    let output = shape.output.iter().map(compiled).collect::<Option<Vec<_>>>()?;
    let mut moves: Option<Vec<usize>> = output.iter().map(Compiled::as_slot).collect();
    if let Some(slots) = &moves
        && slots.iter().enumerate().any(|(i, s)| slots[..i].contains(s))
    {
        moves = None;
    }
    let is_sorted = path.is_ordered || shape.sort.is_empty();
    Some(PointRead {
        table: table.oid,
        slots,
        reader: RowReader::new(table, &real, eval).ok()?,
        conditions: shape.conditions.iter().map(compiled).collect::<Option<_>>()?,
        output,
        moves,
        sort: match is_sorted {
            true => Vec::new(),
            false => shape
                .sort
                .iter()
                .map(|k| {
                    let order = KeyOrder { descending: k.descending, nulls_first: k.nulls_first };
                    Some((compiled(&k.expr)?, order, k.expr.typ()))
                })
                .collect::<Option<_>>()?,
        },
        limit: match &shape.limit {
            Some(e) => Some(compile(e, &[]).ok()?),
            None => None,
        },
        offset: match &shape.offset {
            Some(e) => Some(compile(e, &[]).ok()?),
            None => None,
        },
        path,
    })
}

/// An expression over a scan's ids, with column numbers as ids.
pub(crate) fn numbered(expr: &Expr, by_number: &HashMap<ColumnId, (i16, Type)>) -> Expr {
    let mut expr = expr.clone();
    expr.replace(&mut |e| match e {
        Expr::Column(id, typ) => {
            if let Some((number, _)) = by_number.get(id) {
                // Hidden columns get ids that no column number is.
                *e = Expr::Column(if *number > 0 { *number as ColumnId } else { ColumnId::MAX }, *typ);
            }
            true
        }
        _ => false,
    });
    expr
}

/// The ways by which a table's rows can be found.
pub(crate) fn candidates(table: &Table, catalog: &Arc<Catalog>, eval: &EvalContext) -> Vec<Candidate> {
    let row_key_name = catalog.indexes_of(table.oid).find(|i| i.is_row_key).map_or("", |i| i.name.as_str());
    let mut all: Vec<Candidate> = access_path::row_key_candidate(table, row_key_name).into_iter().collect();
    for index in catalog.indexes_of(table.oid).filter(|i| !i.is_row_key && i.method == "btree") {
        let keys = index.keys.iter().map(|key| match &key.source {
            crate::storage::catalog::IndexSource::Column(number) => {
                Some(Expr::Column(*number as ColumnId, table.column_by_number(*number)?.typ))
            }
            crate::storage::catalog::IndexSource::Expression(text) => {
                Some(bind_index_key(text, table, eval).ok()?.expr)
            }
        });
        let Some(keys) = keys.collect::<Option<Vec<_>>>() else { continue };
        let predicate = match &index.predicate {
            None => None,
            Some(text) => match bind_predicate(text, table, eval) {
                Ok(bound) => Some(bound.expr),
                Err(_) => continue,
            },
        };
        all.push(access_path::index_candidate(index, keys, predicate));
    }
    all
}

/// Where the rows of a read go.
type Sink<'s> = &'s mut dyn FnMut(&mut Vec<Datum>) -> Result<()>;

impl PointRead {
    /// Gives the rows, in order. `false`: there are too many, or the index is not filled yet; nothing was given.
    pub(crate) fn run(&self, context: &Context, sink: Sink<'_>) -> Result<bool> {
        if let Some(index) = self.path.index
            && !context.view.has_entries(context.table(self.table)?, index)
        {
            return Ok(false);
        }
        let count = |expr: &Option<Compiled>, what: &str| -> Result<Option<u64>> {
            let Some(expr) = expr else { return Ok(None) };
            match expr.eval(&[], &context.params, &context.eval)? {
                Datum::Null => Ok(None),
                Datum::Int8(n) if n >= 0 => Ok(Some(n as u64)),
                _ => Err(limit_error(what)),
            }
        };
        let offset = count(&self.offset, "OFFSET")?.unwrap_or(0) as usize;
        let limit = count(&self.limit, "LIMIT")?.map(|n| n as usize);
        if limit == Some(0) {
            return Ok(true);
        }
        let is_small = self.path.is_unique && self.path.any.is_none();
        let straight =
            self.sort.is_empty() && (is_small || limit.is_some_and(|n| n.saturating_add(offset) <= ROWS_MAX));
        if straight {
            let (mut seen, mut out) = (0usize, Vec::with_capacity(self.output.len()));
            self.each(context, &mut |row| {
                seen += 1;
                if seen > offset {
                    out.clear();
                    self.project_into(context, row, &mut out)?;
                    sink(&mut out)?;
                }
                Ok(limit.is_none_or(|n| seen < n.saturating_add(offset)))
            })?;
            return Ok(true);
        }
        let mut rows: Vec<(Vec<u8>, Vec<Datum>)> = Vec::new();
        let mut too_many = false;
        self.each(context, &mut |row| {
            let mut key = Vec::new();
            for (expr, order, typ) in &self.sort {
                let value = expr.eval(row, &context.params, &context.eval)?;
                encode_column(&key_value(&value, *typ), *order, &mut key);
            }
            let mut out = Vec::with_capacity(self.output.len());
            self.project_into(context, row, &mut out)?;
            rows.push((key, out));
            too_many = rows.len() > ROWS_MAX;
            Ok(!too_many)
        })?;
        if too_many {
            return Ok(false);
        }
        if !self.sort.is_empty() {
            rows.sort_by(|a, b| a.0.cmp(&b.0));
        }
        for (_, mut row) in rows.into_iter().skip(offset).take(limit.unwrap_or(usize::MAX)) {
            sink(&mut row)?;
        }
        Ok(true)
    }

    fn project_into(&self, context: &Context, row: &mut [Datum], out: &mut Vec<Datum>) -> Result<()> {
        if let Some(slots) = &self.moves {
            out.extend(slots.iter().map(|slot| std::mem::take(&mut row[*slot])));
            return Ok(());
        }
        for expr in &self.output {
            out.push(expr.eval(row, &context.params, &context.eval)?);
        }
        Ok(())
    }

    /// Calls a function with every row that satisfies the conditions until it says false.
    fn each(&self, context: &Context, f: &mut dyn FnMut(&mut Vec<Datum>) -> Result<bool>) -> Result<()> {
        let table = context.table(self.table)?;
        let ranges = access_path::ranges(&self.path, |e| match e {
            Expr::Const(value, _) => Ok(value.clone()),
            Expr::Param(i, _) => Ok(context.params.get(*i).cloned().unwrap_or_default()),
            other => crate::sql::eval::constant(other, &context.params, &context.eval),
        })?;
        let mut row = Vec::with_capacity(self.slots.len());
        let options = ScanOptions { reverse: self.path.reverse, bulk: false };
        let mut ranges: SmallVec<[_; 2]> = ranges.into();
        if self.path.reverse {
            ranges.reverse();
        }
        for range in &ranges {
            match self.path.index {
                None if self.path.is_unique => {
                    let std::ops::Bound::Included(key) = &range.0 else { continue };
                    if let Some(found) = context.view.get(table, key)?
                        && self.take(context, key, &found.row, &mut row)?
                        && !f(&mut row)?
                    {
                        return Ok(());
                    }
                }
                None => {
                    let mut scan = context.view.scan(table, range, options);
                    while scan.advance()? {
                        if self.take(context, scan.key(), scan.row(), &mut row)? && !f(&mut row)? {
                            return Ok(());
                        }
                    }
                }
                Some(index) => {
                    let view = context.with_index(table, index)?;
                    let mut keys = view.index_keys(table, index, range, options)?;
                    while let Some(key) = keys.next_key()? {
                        if let Some(found) = view.get(table, &key)?
                            && self.take(context, &key, &found.row, &mut row)?
                            && !f(&mut row)?
                        {
                            return Ok(());
                        }
                    }
                }
            }
            context.check()?;
        }
        Ok(())
    }

    /// Reads a row into the slots; whether it satisfies the conditions.
    fn take(&self, context: &Context, key: &[u8], bytes: &[u8], row: &mut Vec<Datum>) -> Result<bool> {
        row.clear();
        let stored = crate::document::row::RowRef::new(bytes)?;
        let mut at = 0;
        for number in &self.slots {
            row.push(match number {
                0 => Datum::Bytea(key.into()),
                n if *n > 0 => {
                    at += 1;
                    self.reader.value(&stored, at - 1)?
                }
                _ => Datum::Oid(self.table),
            });
        }
        for condition in &self.conditions {
            if !condition.is_true(row, &context.params, &context.eval)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// 2201W / 2201X.
pub(crate) fn limit_error(what: &str) -> crate::error::Error {
    match what {
        "OFFSET" => crate::err!(INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE, "OFFSET must not be negative"),
        _ => crate::err!(INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, "LIMIT must not be negative"),
    }
}

/// What a point plan did.
pub(crate) struct Done {
    /// Rows given (SELECT) or changed.
    pub count: u64,
}

impl PointPlan {
    /// Whether it only reads.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self, Self::Read(_))
    }

    /// Runs it; the sink gets the result rows. `None`: it touches too many rows, take the general way.
    pub(crate) fn run(&self, context: &Context, sink: Sink<'_>) -> Result<Option<Done>> {
        match self {
            Self::Read(read) => {
                let mut count = 0;
                let fits = read.run(context, &mut |row| {
                    count += 1;
                    sink(row)
                })?;
                Ok(fits.then_some(Done { count }))
            }
            Self::Insert { rows, modify } => {
                let mut writer = Writer::new(context, modify, rows.len() == 1)?;
                for row in rows {
                    let source = row.iter().map(|e| e.eval(&[], &context.params, &context.eval));
                    writer.row(source.collect::<Result<_>>()?)?;
                }
                finish(writer, sink)
            }
            Self::Change { read, modify } => {
                let mut found: SmallVec<[Vec<Datum>; 1]> = SmallVec::new();
                let fits = read.run(context, &mut |row| {
                    found.push(std::mem::take(row));
                    Ok(())
                })?;
                if !fits {
                    return Ok(None);
                }
                let mut writer = Writer::new(context, modify, found.len() <= 1)?;
                for row in found {
                    writer.row(row)?;
                }
                finish(writer, sink)
            }
        }
    }
}

fn finish(mut writer: Writer<'_>, sink: Sink<'_>) -> Result<Option<Done>> {
    writer.finish()?;
    writer.settle()?;
    for mut row in std::mem::take(&mut writer.returned) {
        sink(&mut row)?;
    }
    Ok(Some(Done { count: writer.count }))
}
