//! The general way to run a query: [`StatementSource`] gives `lower` the statement's tables, [`query`] and [`modify`]
//! run bound statements through it.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::plan::{ColumnId, Expr, Locking, MergeArm, Modify, ModifyKind, OutputColumn, Query, Rel};
use crate::storage::ScanOptions;
use crate::storage::catalog::{Index, Table};

use super::access_path::{self, Candidate, Path};
use super::context::Context;
use super::dml::{Writer, compile_modify};
use super::inverted_path::{self, InvertedPath};
use super::lower::{self, QueryContext, ScanPartition, ScanRequest, TableSource};
use super::point;
use super::prepared::Bound as Prepared;
use super::tree;
use super::view::{KeyRange, ReadView};
use super::{Batch, RowStream};

/// Rows found by an index that are worth reading one by one, at least.
const INDEX_ROWS_MIN: usize = 1_000;
/// And at most this part of the table.
const INDEX_PART: u64 = 8;
/// Ids of columns that are made here, out of the binder's way.
const OWN_IDS: ColumnId = 0xE000_0000;

/// A statement's tables: its snapshot with the transaction's own writes.
pub(crate) struct StatementSource {
    context: Arc<Context>,
    /// Rows changed by the last modification.
    count: AtomicU64,
}

impl TableSource for StatementSource {
    fn scan(&self, request: &ScanRequest) -> Result<Vec<ScanPartition>> {
        let context = &self.context;
        let table = Arc::new(context.table(request.table)?.clone());
        if let Some(key) = located_row(context, request)? {
            return Ok(vec![key_partition(context, context.view.clone(), &table, vec![key])]);
        }
        let partitions = match chosen_path(context, &table, &request.columns, &request.filters) {
            Some(Chosen::Ordered(path)) => path_partitions(context, &table, &path, request.partitions)?,
            Some(Chosen::Inverted(path)) => inverted_partitions(context, &table, &path, request.partitions)?,
            None => None,
        };
        if let Some(partitions) = partitions {
            return Ok(partitions);
        }
        full_partitions(context, &table, request.partitions)
    }

    fn members(&self, request: &ScanRequest) -> Result<Vec<(Oid, Vec<(ColumnId, i16, Type)>)>> {
        tree::members(&self.context, request.table, &request.columns, &request.filters)
    }

    fn system(&self, name: &str, columns: &[usize]) -> Result<Vec<Vec<Datum>>> {
        super::system::rows(&self.context, name, columns)
    }

    fn modify<'a>(&'a self, modify: &'a Modify, context: Arc<QueryContext>) -> BoxFuture<'a, Result<Vec<Vec<Datum>>>> {
        async move {
            let (count, rows) = run_modify(&self.context, modify, &context).await?;
            self.count.store(count, Ordering::Relaxed);
            Ok(rows)
        }
        .boxed()
    }

    fn approximate_rows(&self, table: Oid) -> u64 {
        let view = &self.context.view;
        let rows = |table: &Oid| {
            let Some(found) = view.catalog.table(*table) else { return 0 };
            let own = view.buffered(*table).map_or(0, |b| b.rows().len() as u64);
            view.snapshot.approximate_rows(found.storage) + own
        };
        match view.catalog.children_of(table) {
            [] => rows(&table),
            _ => view.catalog.descendants(table).iter().map(rows).sum(),
        }
    }
}

/// The key of the only row that a scan is for, if its filters say so (WHERE CURRENT OF).
fn located_row(context: &Context, request: &ScanRequest) -> Result<Option<Vec<u8>>> {
    let is_locator = |id: &ColumnId| request.columns.iter().any(|(known, number, _)| known == id && *number == 0);
    for filter in &request.filters {
        let Expr::Call { args, .. } = filter else { continue };
        if let [Expr::Column(id, _), value @ Expr::Call { function, .. }] = args.as_slice()
            && function.name == "current_of"
            && is_locator(id)
            && let Datum::Bytea(key) = crate::sql::eval::constant(value, &context.params, &context.eval)?
        {
            return Ok(Some(key.to_vec()));
        }
    }
    Ok(None)
}

/// How the rows that pass some filters are found.
#[allow(clippy::large_enum_variant)] // One a scan.
pub(crate) enum Chosen {
    /// By ranges of the row key or of an ordered index.
    Ordered(Path),
    /// By an inverted index.
    Inverted(InvertedPath),
}

impl Chosen {
    /// Positions of the conditions that the path uses.
    pub(crate) fn used(&self) -> &[usize] {
        match self {
            Self::Ordered(path) => &path.used,
            Self::Inverted(path) => &path.used,
        }
    }
}

/// How the rows that pass some filters would be found; `None`: by reading all.
pub(crate) fn chosen_path(
    context: &Context,
    table: &Table,
    columns: &[(ColumnId, i16, Type)],
    filters: &[Expr],
) -> Option<Chosen> {
    if filters.is_empty() {
        return None;
    }
    let by_number: HashMap<ColumnId, (i16, Type)> =
        columns.iter().map(|(id, number, typ)| (*id, (*number, *typ))).collect();
    let conditions: Vec<Expr> = filters.iter().map(|e| point::numbered(e, &by_number)).collect();
    let ordered = access_path::choose(&candidates(context, table), &conditions, &[]);
    // A value that a key must have narrows down more than a range.
    if let Some(path) = ordered.as_ref().filter(|path| !path.equal.is_empty() || path.any.is_some()) {
        return Some(Chosen::Ordered(path.clone()));
    }
    match inverted_path::choose(&inverted_candidates(context, table), &conditions) {
        Some(path) => Some(Chosen::Inverted(path)),
        None => ordered.map(Chosen::Ordered),
    }
}

fn inverted_candidates(context: &Context, table: &Table) -> Vec<inverted_path::Candidate> {
    let indexes = context.view.catalog.indexes_of(table.oid);
    let usable = indexes.filter(|i| i.method == "gin" && context.view.has_entries(table, i.oid));
    usable.filter_map(|index| context.index_keys(table, index.oid).ok()?.inverted()).collect()
}

/// Reads the rows that an inverted index finds; `None`: it finds so many that reading all is better.
fn inverted_partitions(
    context: &Arc<Context>,
    table: &Arc<Table>,
    path: &InvertedPath,
    partitions: usize,
) -> Result<Option<Vec<ScanPartition>>> {
    let eval = |e: &Expr| crate::sql::eval::constant(e, &context.params, &context.eval);
    let keys = path.row_keys(context, table.oid, rows_worth_an_index(context, table), eval)?;
    Ok(keys.map(|keys| key_partitions(context, context.view.clone(), table, keys, partitions)))
}

/// More rows than this are read faster by reading all.
fn rows_worth_an_index(context: &Context, table: &Table) -> usize {
    INDEX_ROWS_MIN.max((context.view.snapshot.approximate_rows(table.storage) / INDEX_PART) as usize)
}

/// As [`point::candidates`], with the bound keys that are kept for `apply`.
fn candidates(context: &Context, table: &Table) -> Vec<Candidate> {
    let catalog = &context.view.catalog;
    let mut all: Vec<Candidate> = access_path::row_key_candidate(
        table,
        catalog.indexes_of(table.oid).find(|i| i.is_row_key).map_or("", |i| i.name.as_str()),
    )
    .into_iter()
    .collect();
    let usable = |i: &&Index| !i.is_row_key && i.method == "btree" && context.view.has_entries(table, i.oid);
    for index in catalog.indexes_of(table.oid).filter(usable) {
        if let Ok(keys) = context.index_keys(table, index.oid) {
            let (exprs, predicate) = keys.bound();
            all.push(access_path::index_candidate(index, exprs.to_vec(), predicate.cloned()));
        }
    }
    all
}

/// Reads a path; `None`: it leads to so many rows that reading all is better.
fn path_partitions(
    context: &Arc<Context>,
    table: &Arc<Table>,
    path: &Path,
    partitions: usize,
) -> Result<Option<Vec<ScanPartition>>> {
    let ranges = access_path::ranges(path, |e| crate::sql::eval::constant(e, &context.params, &context.eval))?;
    let Some(index) = path.index else {
        return Ok(Some(range_partitions(context, table, ranges)));
    };
    let view = context.with_index(table, index)?;
    let enough = rows_worth_an_index(context, table);
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for range in &ranges {
        let mut found = view.index_keys(table, index, range, ScanOptions::default())?;
        while let Some(key) = found.next_key()? {
            keys.push(key);
            if keys.len() > enough {
                return Ok(None);
            }
        }
        context.check()?;
    }
    // In the order of the rows: neighbours are read together.
    keys.sort_unstable();
    Ok(Some(key_partitions(context, view, table, keys, partitions)))
}

/// Reads the rows of some keys, in parts if they are many.
fn key_partitions(
    context: &Arc<Context>,
    view: ReadView,
    table: &Arc<Table>,
    keys: Vec<Vec<u8>>,
    partitions: usize,
) -> Vec<ScanPartition> {
    let parts = if keys.len() > INDEX_ROWS_MIN { partitions.max(1) } else { 1 };
    let size = keys.len().div_ceil(parts).max(1);
    let chunks: Vec<Vec<Vec<u8>>> = keys.chunks(size).map(<[_]>::to_vec).collect();
    chunks.into_iter().map(|keys| key_partition(context, view.clone(), table, keys)).collect()
}

fn key_partition(context: &Arc<Context>, view: ReadView, table: &Arc<Table>, keys: Vec<Vec<u8>>) -> ScanPartition {
    let (context, table) = (context.clone(), table.clone());
    Box::new(move |visit| {
        for (i, key) in keys.iter().enumerate() {
            if i % 256 == 0 {
                context.check()?;
            }
            if let Some(found) = view.get(&table, key)?
                && !visit(key, &found.row)?
            {
                break;
            }
        }
        Ok(())
    })
}

fn range_partitions(context: &Arc<Context>, table: &Arc<Table>, ranges: Vec<KeyRange>) -> Vec<ScanPartition> {
    if ranges.is_empty() {
        return Vec::new();
    }
    vec![scan_partition(context, table, ranges, false)]
}

fn scan_partition(context: &Arc<Context>, table: &Arc<Table>, ranges: Vec<KeyRange>, bulk: bool) -> ScanPartition {
    let (context, table) = (context.clone(), table.clone());
    Box::new(move |visit| {
        let mut seen = 0usize;
        for range in &ranges {
            let mut scan = context.view.scan(&table, range, ScanOptions { reverse: false, bulk });
            while scan.advance()? {
                seen += 1;
                if seen.is_multiple_of(1024) {
                    context.check()?;
                }
                if !visit(scan.key(), scan.row())? {
                    return Ok(());
                }
            }
        }
        Ok(())
    })
}

/// The whole table, in parts that can be read at the same time.
fn full_partitions(context: &Arc<Context>, table: &Arc<Table>, partitions: usize) -> Result<Vec<ScanPartition>> {
    let splits = context.view.snapshot.split_points(table.storage, partitions)?;
    let mut parts = Vec::with_capacity(splits.len() + 1);
    let mut lower = Bound::Unbounded;
    for split in splits {
        let range = (lower, Bound::Excluded(split.clone()));
        parts.push(scan_partition(context, table, vec![range], true));
        lower = Bound::Included(split);
    }
    parts.push(scan_partition(context, table, vec![(lower, Bound::Unbounded)], true));
    Ok(parts)
}

/// The `lower` side of a statement's context.
fn query_context(context: &Arc<Context>, plan: &Rel) -> (Arc<QueryContext>, Arc<StatementSource>) {
    let source = Arc::new(StatementSource { context: context.clone(), count: AtomicU64::new(0) });
    let server = &context.shared.server;
    let query = QueryContext::new(
        context.eval.clone(),
        source.clone(),
        server.task(),
        context.shared.cancel.clone(),
        if is_in_order(context, plan) { 1 } else { server.config.parallelism },
    );
    (query, source)
}

/// Whether a plan runs row by row in the order of the rows: it calls functions that run statements of their own, or
/// gives rows keys that others may have at that moment.
fn is_in_order(context: &Context, plan: &Rel) -> bool {
    let mut found = false;
    plan.walk(&mut |rel| {
        if let Rel::Modify(modify) = rel {
            let assigned = super::rules::assigned_columns(&modify.kind);
            found |= super::rules::moves_keys(&context.view.catalog, modify.table, &assigned);
        }
    });
    plan.walk_exprs(&mut |e| {
        found |=
            matches!(e, Expr::Call { function, .. } if matches!(function.name, "run_routine" | "run_routine_rows"));
        !found
    });
    found
}

/// Runs a query.
pub(crate) async fn query(context: &Arc<Context>, query: &Query) -> Result<RowStream> {
    let (lowered, _) = query_context(context, &query.plan);
    let output: Vec<(ColumnId, Type)> = query.output.iter().map(|c| (c.id, c.typ)).collect();
    let batches = match &query.locking {
        None => lower::execute(&query.plan, &output, &context.params, &lowered).await?,
        Some(_) => return lock_rows(context, query, &output, &lowered).await,
    };
    // When nobody wants the rows any more, its parts are to stop wherever they are.
    let guard = lowered.stop.guard();
    let rows = batches.map_ok(move |batch| {
        let _held = &guard;
        Batch::Arrow(batch)
    });
    Ok(rows.boxed())
}

/// FOR UPDATE: the rows are written as they are, so that a commit fails when somebody else has changed them since.
async fn lock_rows(
    context: &Arc<Context>,
    query: &Query,
    output: &[(ColumnId, Type)],
    lowered: &Arc<QueryContext>,
) -> Result<RowStream> {
    let locking = query.locking.as_ref().ok_or_else(|| Error::internal("a locking clause was expected"))?;
    if context.shared.lock().read_only {
        return Err(err!(READ_ONLY_SQL_TRANSACTION, "cannot execute SELECT FOR UPDATE in a read-only transaction"));
    }
    let mut plan = query.plan.clone();
    let mut locators = Vec::new();
    expose_locators(&mut plan, &mut locators)?;
    for (_, oid, _) in &locators {
        let table = context.table(*oid)?;
        if table.view.is_some() {
            return Err(err!(WRONG_OBJECT_TYPE, "cannot lock rows in materialized view \"{}\"", table.name));
        }
    }
    // LIMIT counts the rows that could be locked.
    let (mut offset, mut limit) = (0, usize::MAX);
    if locking.skip_locked
        && let Rel::Limit { input, limit: most, offset: skipped, ties: None } = &mut plan
    {
        limit = count_of(context, most.as_ref())?.unwrap_or(usize::MAX);
        offset = count_of(context, skipped.as_ref())?.unwrap_or(0);
        plan = input.take();
    }
    let mut wanted = output.to_vec();
    wanted.extend(locators.iter().map(|(id, _, _)| (*id, Type::BYTEA)));
    let mut rows = lower::collect_rows(&plan, &wanted, &context.params, lowered).await?;
    let mut kept = Vec::new();
    for mut row in rows.drain(..) {
        if kept.len() >= limit {
            break;
        }
        let keys: Vec<Datum> = row.drain(output.len()..).collect();
        if !lock_row(context, locking, &locators, &keys)? {
            continue;
        }
        if offset > 0 {
            offset -= 1;
        } else {
            kept.push(row);
        }
        for ((_, table, tree), locator) in locators.iter().zip(keys) {
            let Datum::Bytea(key) = locator else { continue };
            let (table, key) = match tree {
                true => tree::split_locator(&key)?,
                false => (*table, &key[..]),
            };
            let table = context.table(table)?;
            let storage = context.base_storage(table.oid);
            if context.is_auto {
                continue;
            }
            if let Some(found) = context.view.get(table, key)? {
                let mut buffer = context.buffer.lock().unwrap_or_else(|p| p.into_inner());
                buffer.write(table.oid, storage, key, Some(Arc::from(&*found.row)), found.expect)?;
            }
        }
    }
    Ok(futures::stream::iter((!kept.is_empty()).then_some(Ok(Batch::Rows(kept)))).boxed())
}

/// Locks the rows behind a row of the result; whether it is to be given.
fn lock_row(context: &Context, locking: &Locking, locators: &[(ColumnId, Oid, bool)], keys: &[Datum]) -> Result<bool> {
    for ((_, oid, tree), key) in locators.iter().zip(keys) {
        let Datum::Bytea(key) = key else { continue };
        let (oid, key) = match tree {
            true => tree::split_locator(key)?,
            false => (*oid, &key[..]),
        };
        if super::advisory::try_lock_row(&context.shared, oid, key, !locking.exclusive) {
            continue;
        }
        if locking.nowait {
            let name = &context.table(oid)?.name;
            return Err(err!(LOCK_NOT_AVAILABLE, "could not obtain lock on row in relation \"{name}\""));
        }
        // Nobody waits for a row: who commits first has won.
        if locking.skip_locked {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The value of LIMIT or OFFSET; `None`: there is none.
fn count_of(context: &Context, expr: Option<&Expr>) -> Result<Option<usize>> {
    let Some(expr) = expr else { return Ok(None) };
    match crate::sql::eval::constant(expr, &context.params, &context.eval)? {
        Datum::Int8(n) => match usize::try_from(n) {
            Ok(n) => Ok(Some(n)),
            Err(_) => Err(err!(INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, "LIMIT must not be negative")),
        },
        _ => Ok(None),
    }
}

/// The query of a cursor with the keys of the rows it reads behind its columns, and their tables; unchanged where rows
/// of the result are not rows of tables.
pub(crate) fn with_locators(bound: Arc<Prepared>, eval: &EvalContext) -> (Arc<Prepared>, Vec<Oid>) {
    let (mut plan, mut locators) = (bound.query.plan.clone(), Vec::new());
    if bound.query.locking.is_some() || expose_locators(&mut plan, &mut locators).is_err() || locators.is_empty() {
        return (bound, Vec::new());
    }
    let mut query = (*bound.query).clone();
    query.plan = plan;
    query.output.extend(locators.iter().map(|(id, _, _)| OutputColumn {
        id: *id,
        name: String::new(),
        typ: Type::BYTEA,
        origin: (0, 0),
    }));
    let tables = locators.into_iter().map(|(_, table, _)| table).collect();
    (Arc::new(bound.with_query(query, eval)), tables)
}

/// Lets the locators of the scanned tables come out of a plan.
fn expose_locators(rel: &mut Rel, locators: &mut Vec<(ColumnId, Oid, bool)>) -> Result<()> {
    match rel {
        Rel::Scan { table, columns, tree, .. } => {
            let id = match columns.iter().find(|(_, number, _)| *number == 0) {
                Some((id, _, _)) => *id,
                None => {
                    let id = OWN_IDS + locators.len() as ColumnId;
                    columns.push((id, 0, Type::BYTEA));
                    id
                }
            };
            locators.push((id, *table, *tree));
            Ok(())
        }
        Rel::Filter { input, .. } | Rel::Sort { input, .. } | Rel::Limit { input, .. } => {
            expose_locators(input, locators)
        }
        Rel::Project { input, exprs } => {
            let before = locators.len();
            expose_locators(input, locators)?;
            exprs.extend(locators[before..].iter().map(|(id, _, _)| (*id, Expr::Column(*id, Type::BYTEA))));
            Ok(())
        }
        Rel::Join { left, right, .. } => {
            expose_locators(left, locators)?;
            expose_locators(right, locators)
        }
        Rel::OneRow | Rel::Values { .. } | Rel::Function { .. } | Rel::System { .. } | Rel::CteRef { .. } => Ok(()),
        Rel::Distinct { .. } | Rel::DistinctOn { .. } => {
            Err(err!(FEATURE_NOT_SUPPORTED, "FOR UPDATE is not allowed with DISTINCT clause"))
        }
        Rel::Aggregate { .. } => Err(err!(FEATURE_NOT_SUPPORTED, "FOR UPDATE is not allowed with GROUP BY clause")),
        Rel::Window { .. } => Err(err!(FEATURE_NOT_SUPPORTED, "FOR UPDATE is not allowed with window functions")),
        Rel::SetOp { .. } => Err(err!(FEATURE_NOT_SUPPORTED, "FOR UPDATE is not allowed with UNION/INTERSECT/EXCEPT")),
        Rel::ProjectSet { .. } | Rel::With { .. } | Rel::Modify(_) => {
            Err(Error::unsupported("FOR UPDATE in this query"))
        }
    }
}

/// Runs INSERT, UPDATE or DELETE: the number of rows changed and the rows of RETURNING.
pub(crate) async fn modify(context: &Arc<Context>, query: &Query) -> Result<(u64, Vec<Vec<Datum>>)> {
    let (lowered, source) = query_context(context, &query.plan);
    let _guard = lowered.stop.guard();
    let output: Vec<(ColumnId, Type)> = query.output.iter().map(|c| (c.id, c.typ)).collect();
    if let Rel::Modify(modify) = &query.plan {
        let columns: Vec<ColumnId> = modify.returning.iter().flatten().map(|(id, _)| *id).collect();
        let (count, mut rows) = run_modify(context, modify, &lowered).await?;
        if !output.iter().map(|(id, _)| *id).eq(columns.iter().copied()) {
            let at: Vec<usize> = output
                .iter()
                .map(|(id, _)| columns.iter().position(|c| c == id))
                .collect::<Option<_>>()
                .ok_or_else(|| Error::internal("RETURNING does not give its columns"))?;
            for row in &mut rows {
                *row = at.iter().map(|i| row[*i].clone()).collect();
            }
        }
        super::integrity::settle(context)?;
        return Ok((count, rows));
    }
    let rows = lower::collect_rows(&query.plan, &output, &context.params, &lowered).await?;
    super::integrity::settle(context)?;
    Ok((source.count.load(Ordering::Relaxed), rows))
}

async fn run_modify(
    context: &Arc<Context>,
    modify: &Modify,
    lowered: &Arc<QueryContext>,
) -> Result<(u64, Vec<Vec<Datum>>)> {
    let mut modify = modify.clone();
    hoist_subqueries(&mut modify)?;
    run_closed_subqueries(context, &mut modify, lowered).await?;
    let source = modify.kind.source_mut().take();
    let columns = source.columns();
    let ids: Vec<ColumnId> = columns.iter().map(|(id, _)| *id).collect();
    let types: Vec<Type> = columns.iter().map(|(_, typ)| *typ).collect();
    let plan = Arc::new(compile_modify(&modify, &ids)?);
    let mut batches = lower::execute(&source, &columns, &context.params, lowered).await?;
    let (mut count, mut returned) = (0, Vec::new());
    let mut state = None;
    while let Some(batch) = batches.try_next().await? {
        let mut rows = Vec::with_capacity(batch.num_rows());
        lower::physical::append_rows(&batch, &types, &mut rows)?;
        let mut writer = Writer::resume(context, &plan, state.take())?;
        for row in rows {
            writer.row(row)?;
        }
        context.check()?;
        state = Some(writer.suspend());
    }
    let mut writer = Writer::resume(context, &plan, state)?;
    writer.finish()?;
    count += writer.count;
    returned.append(&mut writer.returned);
    Ok((count, returned))
}

/// Subqueries in values and assignments are computed with the source's rows.
fn hoist_subqueries(modify: &mut Modify) -> Result<()> {
    let (source, mut values): (&mut Rel, Vec<&mut Expr>) = match &mut modify.kind {
        ModifyKind::Insert { source, values, .. } => (source, values.iter_mut().map(|(_, e)| e).collect()),
        ModifyKind::Update { source, assignments, .. } => (source, assignments.iter_mut().map(|(_, e)| e).collect()),
        ModifyKind::Delete { .. } => return Ok(()),
        ModifyKind::Merge { source, arms, .. } => (source, arms.iter_mut().flat_map(MergeArm::exprs_mut).collect()),
    };
    if !values.iter().any(|e| e.contains_subquery()) {
        return Ok(());
    }
    let mut exprs: Vec<(ColumnId, Expr)> =
        source.columns().into_iter().map(|(id, typ)| (id, Expr::Column(id, typ))).collect();
    let known: BTreeSet<ColumnId> = exprs.iter().map(|(id, _)| *id).collect();
    for (i, value) in values.iter_mut().enumerate() {
        if !value.contains_subquery() {
            continue;
        }
        if value.free_columns().iter().any(|id| !known.contains(id)) {
            return Err(Error::unsupported("a subquery here that depends on the new row"));
        }
        let (id, typ) = (OWN_IDS + 1000 + i as ColumnId, value.typ());
        exprs.push((id, value.take()));
        **value = Expr::Column(id, typ);
    }
    let input = Box::new(source.take());
    *source = Rel::Project { input, exprs };
    Ok(())
}

/// Subqueries elsewhere (RETURNING, ON CONFLICT, CHECK) run once if they depend on nothing.
async fn run_closed_subqueries(context: &Arc<Context>, modify: &mut Modify, lowered: &Arc<QueryContext>) -> Result<()> {
    let mut exprs: Vec<&mut Expr> = Vec::new();
    exprs.extend(modify.returning.iter_mut().flatten().map(|(_, e)| e));
    exprs.extend(modify.checks.iter_mut().chain(&mut modify.view_checks).map(|(_, e)| e));
    if let ModifyKind::Insert { on_conflict: Some(conflict), .. } = &mut modify.kind
        && let Some((assignments, condition)) = &mut conflict.update
    {
        exprs.extend(assignments.iter_mut().map(|(_, e)| e));
        exprs.extend(condition.iter_mut());
    }
    for expr in exprs {
        if !expr.contains_subquery() {
            continue;
        }
        let mut found: Vec<Expr> = Vec::new();
        expr.replace(&mut |e| match e {
            Expr::Subquery(_) => {
                found.push(e.clone());
                true
            }
            _ => false,
        });
        let mut values = Vec::new();
        for subquery in found {
            if !subquery.free_columns().is_empty() {
                return Err(Error::unsupported("a correlated subquery in RETURNING or ON CONFLICT"));
            }
            let typ = subquery.typ();
            let id = OWN_IDS + 5000;
            let plan = Rel::Project { input: Box::new(Rel::OneRow), exprs: vec![(id, subquery)] };
            let rows = lower::collect_rows(&plan, &[(id, typ)], &context.params, lowered).await?;
            let value = rows.into_iter().next().and_then(|r| r.into_iter().next()).unwrap_or_default();
            values.push(Expr::Const(value, typ));
        }
        let mut values = values.into_iter();
        expr.replace(&mut |e| match e {
            Expr::Subquery(_) => {
                if let Some(value) = values.next() {
                    *e = value;
                }
                true
            }
            _ => false,
        });
    }
    Ok(())
}
