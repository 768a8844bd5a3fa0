//! Relations: each node of the plan becomes operators over its input's operators.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::record_batch::RecordBatch;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::stream::{StreamExt, TryStreamExt};

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::eval;
use crate::sql::plan::visit::guard;
use crate::sql::plan::{ColumnId, Expr, Rel, SetOpKind, SortKey};
use crate::storage::catalog::{Catalog, Table};

use super::CteRows;
use super::expr::Scope;
use super::interrupt;
use super::json_path::PushedPaths;
use super::operator::Operator;
use super::physical::{self, from_rows};
use super::{
    QueryContext, aggregate, from_datafusion, join, scan, set_function, set_operation, single, subquery, window,
};

/// A lowered relation: an operator and what its columns are.
#[derive(Clone)]
pub(crate) struct Relation {
    pub plan: Arc<dyn ExecutionPlan>,
    pub columns: Vec<(ColumnId, Type)>,
}

/// Lowers the relations of one statement. The columns of outer queries are constants by now.
#[derive(Clone)]
pub(crate) struct Lowering {
    pub context: Arc<QueryContext>,
    pub pushed: Arc<PushedPaths>,
}

impl Relation {
    /// A relation over columns in the order of the operator's schema.
    pub(crate) fn new(plan: Arc<dyn ExecutionPlan>, columns: Vec<(ColumnId, Type)>) -> Self {
        Self { plan, columns }
    }

    /// The scope for expressions over this relation.
    pub(crate) fn scope<'a>(&self, lowering: &'a Lowering) -> Scope<'a> {
        let columns = self.columns.iter().enumerate().map(|(i, (id, typ))| (*id, (i, *typ))).collect();
        Scope { columns, schema: self.plan.schema(), context: &lowering.context.eval }
    }

    /// The position of a column.
    pub(crate) fn position(&self, id: ColumnId) -> Result<usize> {
        let position = self.columns.iter().position(|(c, _)| *c == id);
        position.ok_or_else(|| Error::internal(format!("column c{id} is not in the input")))
    }

    /// Only these columns, in this order.
    pub(crate) fn select(self, wanted: &[(ColumnId, Type)]) -> Result<Self> {
        if self.columns.len() == wanted.len() && self.columns.iter().zip(wanted).all(|(a, b)| a.0 == b.0) {
            return Ok(self);
        }
        let schema = self.plan.schema();
        let mut exprs: Vec<(Arc<dyn PhysicalExpr>, String)> = Vec::with_capacity(wanted.len());
        for (i, (id, _)) in wanted.iter().enumerate() {
            let position = self.position(*id)?;
            // The same column may be wanted twice: names are by place.
            let name = if wanted[..i].iter().any(|(c, _)| c == id) { format!("c{id}_{i}") } else { format!("c{id}") };
            exprs.push((Arc::new(Column::new(schema.field(position).name(), position)), name));
        }
        Ok(Self { plan: project(self.plan, exprs)?, columns: wanted.to_vec() })
    }

    /// All rows in one partition.
    pub(crate) fn single(self) -> Self {
        Self { plan: single(self.plan), columns: self.columns }
    }
}

/// A projection. Without columns the number of rows must survive: DataFusion keeps it.
pub(crate) fn project(
    input: Arc<dyn ExecutionPlan>,
    exprs: Vec<(Arc<dyn PhysicalExpr>, String)>,
) -> Result<Arc<dyn ExecutionPlan>> {
    Ok(Arc::new(ProjectionExec::try_new(exprs, input).map_err(from_datafusion)?))
}

impl Lowering {
    /// Lowers outermost plans.
    pub(crate) fn new(context: Arc<QueryContext>, pushed: Arc<PushedPaths>) -> Self {
        Self { context, pushed }
    }

    /// Lowers a relation.
    pub(crate) fn relation(&self, rel: &Rel) -> Result<Relation> {
        guard(|| match rel {
            Rel::OneRow => self.rows(&[], &[Vec::new()]),
            Rel::Values { columns, rows } => self.values(columns, rows),
            Rel::Scan { table, columns, tree, .. } => self.scan(*table, columns, *tree, Vec::new()),
            Rel::System { name, columns } => {
                let positions: Vec<usize> = columns.iter().map(|(_, position, _)| *position).collect();
                let rows = self.context.source.system(name, &positions)?;
                let columns: Vec<_> = columns.iter().map(|(id, _, typ)| (*id, *typ)).collect();
                self.rows(&columns, &rows)
            }
            Rel::Function { calls, ordinality, input, outer } => {
                set_function::function(self, calls, *ordinality, input, *outer)
            }
            Rel::ProjectSet { input, calls } => set_function::project_set(self, input, calls),
            Rel::Filter { input, predicate } => self.filter(input, predicate),
            Rel::Project { input, exprs } => self.project(input, exprs),
            Rel::Join { kind, left, right, on, lateral } => join::join(self, *kind, left, right, on, *lateral),
            Rel::Aggregate { input, groups, sets, aggregates } => {
                aggregate::aggregate(self, input, groups, sets.as_deref(), aggregates)
            }
            Rel::Window { input, calls } => window::window(self, input, calls),
            Rel::Sort { input, keys } => self.sort(self.relation(input)?, keys, None),
            Rel::Limit { input, limit, offset, ties } => {
                self.limit(input, limit.as_ref(), offset.as_ref(), ties.as_deref())
            }
            Rel::Distinct { input } => {
                let input = self.relation(input)?;
                aggregate::distinct(self, input)
            }
            Rel::DistinctOn { input, on, keys } => self.distinct_on(input, on, keys),
            Rel::SetOp { kind, all, left, left_columns, right, right_columns, columns } => {
                let left = self.matched(left, left_columns, columns)?;
                let right = self.matched(right, right_columns, columns)?;
                self.set_operation(*kind, *all, left, right)
            }
            Rel::CteRef { cte, columns } => self.cte(*cte, columns),
            Rel::With { .. } | Rel::Modify(_) => Err(Error::internal("WITH was not run before lowering")),
        })
    }

    /// Rows that are there already.
    fn rows(&self, columns: &[(ColumnId, Type)], rows: &[Vec<Datum>]) -> Result<Relation> {
        let batches =
            rows.chunks(super::BATCH_ROWS).map(|chunk| from_rows(columns, chunk)).collect::<Result<Vec<_>>>()?;
        Ok(self.batches(columns.to_vec(), batches))
    }

    /// Batches that are there already.
    fn batches(&self, columns: Vec<(ColumnId, Type)>, batches: Vec<RecordBatch>) -> Relation {
        let run = move |_, _, _| Ok(futures::stream::iter(batches.clone().into_iter().map(Ok)).boxed());
        Relation::new(Operator::new("Rows", physical::schema(&columns), Vec::new(), 1, Arc::new(run)), columns)
    }

    fn values(&self, columns: &[(ColumnId, Type)], rows: &[Vec<Expr>]) -> Result<Relation> {
        let has_subquery = rows.iter().flatten().any(Expr::contains_subquery);
        if has_subquery {
            // Each row is a projection of one row: subqueries get their operator.
            let parts = rows.iter().map(|row| {
                let exprs: Vec<(ColumnId, Expr)> = columns.iter().map(|(id, _)| *id).zip(row.iter().cloned()).collect();
                Ok(self.project(&Rel::OneRow, &exprs)?.plan)
            });
            let parts = parts.collect::<Result<Vec<_>>>()?;
            let plan =
                if parts.len() == 1 { parts[0].clone() } else { UnionExec::try_new(parts).map_err(from_datafusion)? };
            return Ok(Relation::new(plan, columns.to_vec()));
        }
        let mut values = Vec::with_capacity(rows.len());
        for row in rows {
            values.push(row.iter().map(|e| self.constant(e)).collect::<Result<Vec<_>>>()?);
        }
        self.rows(columns, &values)
    }

    /// The value of an expression without columns of its own (LIMIT, VALUES).
    pub(crate) fn constant(&self, expr: &Expr) -> Result<Datum> {
        eval::constant(expr, &[], &self.context.eval)
    }

    fn scan(&self, table: Oid, asked: &[(ColumnId, i16, Type)], tree: bool, filters: Vec<Expr>) -> Result<Relation> {
        if tree {
            return self.scan_tree(table, asked, filters);
        }
        self.scan_one(table, asked, false, filters)
    }

    /// The tables of a tree one after the other: their columns have the same ids.
    fn scan_tree(&self, table: Oid, asked: &[(ColumnId, i16, Type)], filters: Vec<Expr>) -> Result<Relation> {
        let request = super::ScanRequest { table, columns: asked.to_vec(), filters, partitions: 1 };
        let mut parts: Vec<Relation> = Vec::new();
        for (member, columns) in self.context.source.members(&request)? {
            parts.push(self.scan_one(member, &columns, true, request.filters.clone())?);
        }
        let Some(first) = parts.pop() else {
            // Nothing is left to read: the columns as the table itself would give them.
            let catalog = self.context.eval.host.catalog();
            let plan = scan::ScanPlan::new(definition(&catalog, table)?, asked, &self.pushed, true, &self.context)?;
            return self.rows(plan.columns(), &[]);
        };
        if parts.is_empty() {
            return Ok(first);
        }
        let columns = first.columns.clone();
        parts.push(first);
        let plan = UnionExec::try_new(parts.into_iter().map(|part| part.plan).collect()).map_err(from_datafusion)?;
        Ok(self.one_after_the_other(Relation::new(plan, columns)))
    }

    fn scan_one(
        &self,
        table: Oid,
        asked: &[(ColumnId, i16, Type)],
        in_tree: bool,
        filters: Vec<Expr>,
    ) -> Result<Relation> {
        let catalog = self.context.eval.host.catalog();
        let plan = scan::ScanPlan::new(definition(&catalog, table)?, asked, &self.pushed, in_tree, &self.context)?;
        let operator = scan::scan(table, &plan, asked, filters, &self.context)?;
        Ok(Relation::new(operator, plan.columns().to_vec()))
    }

    /// The conjuncts that choose an access path: over the scan's own columns, the paths that were pushed down
    /// written out again.
    fn scan_filters(&self, conjuncts: &[Expr], asked: &[(ColumnId, i16, Type)]) -> Vec<Expr> {
        let own = |id: &ColumnId| asked.iter().any(|(c, _, _)| c == id);
        let mut filters = Vec::new();
        for conjunct in conjuncts {
            let mut conjunct = conjunct.clone();
            conjunct.rewrite(&mut |e| {
                if let Expr::Column(id, _) = e
                    && let Some(original) = self.pushed.original(*id)
                {
                    *e = original.clone();
                }
            });
            if !conjunct.contains_subquery() && conjunct.free_columns().iter().all(own) {
                filters.push(conjunct);
            }
        }
        filters
    }

    fn filter(&self, input: &Rel, predicate: &Expr) -> Result<Relation> {
        let conjuncts = predicate.clone().into_conjuncts();
        let input = match input {
            Rel::Scan { table, columns, tree, .. } => {
                self.scan(*table, columns, *tree, self.scan_filters(&conjuncts, columns))?
            }
            input => self.relation(input)?,
        };
        self.filter_by(input, conjuncts)
    }

    /// Keeps the rows for which every conjunct is true. Those that may fail see only the rows that those before left.
    pub(crate) fn filter_by(&self, input: Relation, conjuncts: Vec<Expr>) -> Result<Relation> {
        let (plain, with_subquery): (Vec<_>, Vec<_>) = conjuncts.into_iter().partition(|c| !c.contains_subquery());
        let mut input = input;
        let mut stage: Vec<Expr> = Vec::new();
        for conjunct in plain {
            let safe = input.scope(self).lowered(&conjunct)?.safe;
            if !safe && !stage.is_empty() {
                input = self.filter_stage(input, std::mem::take(&mut stage))?;
            }
            stage.push(conjunct);
            if !safe {
                input = self.filter_stage(input, std::mem::take(&mut stage))?;
            }
        }
        if !stage.is_empty() {
            input = self.filter_stage(input, stage)?;
        }
        for conjunct in with_subquery {
            let columns = input.columns.clone();
            input = match subquery::semi_join(self, &input, &conjunct)? {
                Some(joined) => joined,
                None => {
                    let mut conjunct = [conjunct];
                    let applied = subquery::apply(self, input, &mut conjunct)?;
                    let [conjunct] = conjunct;
                    self.filter_stage(applied, vec![conjunct])?.select(&columns)?
                }
            };
        }
        Ok(input)
    }

    fn filter_stage(&self, input: Relation, conjuncts: Vec<Expr>) -> Result<Relation> {
        let predicate = Expr::conjunction(conjuncts);
        let lowered = input.scope(self).lower(&predicate)?;
        let plan = FilterExec::try_new(lowered, input.plan).map_err(from_datafusion)?;
        Ok(Relation::new(Arc::new(plan), input.columns))
    }

    fn project(&self, input: &Rel, exprs: &[(ColumnId, Expr)]) -> Result<Relation> {
        let input = self.relation(input)?;
        self.project_over(input, exprs)
    }

    /// Computes expressions, subqueries among them.
    pub(crate) fn project_over(&self, input: Relation, exprs: &[(ColumnId, Expr)]) -> Result<Relation> {
        let columns: Vec<(ColumnId, Type)> = exprs.iter().map(|(id, e)| (*id, e.typ())).collect();
        let (ids, mut values): (Vec<ColumnId>, Vec<Expr>) = exprs.iter().cloned().unzip();
        let input = subquery::apply(self, input, &mut values)?;
        let scope = input.scope(self);
        let mut lowered = Vec::with_capacity(values.len());
        for (id, value) in ids.iter().zip(&values) {
            lowered.push((scope.lower(value)?, format!("c{id}")));
        }
        Ok(Relation::new(project(input.plan, lowered)?, columns))
    }

    /// The ordering of sort keys over a relation.
    pub(crate) fn ordering(&self, input: &Relation, keys: &[SortKey]) -> Result<Option<LexOrdering>> {
        let scope = input.scope(self);
        let mut exprs = Vec::with_capacity(keys.len());
        for key in keys {
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            exprs.push(PhysicalSortExpr { expr: scope.key(&key.expr)?, options });
        }
        Ok(LexOrdering::new(exprs))
    }

    /// Sorts; with `fetch`, only so many first rows are kept.
    pub(crate) fn sort(&self, input: Relation, keys: &[SortKey], fetch: Option<usize>) -> Result<Relation> {
        let columns = input.columns.clone();
        let mut keys = keys.to_vec();
        let mut input = input;
        if keys.iter().any(|k| k.expr.contains_subquery()) {
            let mut exprs: Vec<Expr> = keys.iter().map(|k| k.expr.clone()).collect();
            input = subquery::apply(self, input, &mut exprs)?;
            for (key, expr) in keys.iter_mut().zip(exprs) {
                key.expr = expr;
            }
        }
        let Some(ordering) = self.ordering(&input, &keys)? else { return Ok(input) };
        let several = input.plan.output_partitioning().partition_count() > 1;
        let sort = SortExec::new(ordering.clone(), input.plan).with_preserve_partitioning(several).with_fetch(fetch);
        let plan: Arc<dyn ExecutionPlan> = if several {
            Arc::new(SortPreservingMergeExec::new(ordering, interrupt::aside(Arc::new(sort))).with_fetch(fetch))
        } else {
            Arc::new(sort)
        };
        Relation::new(plan, input.columns).select(&columns)
    }

    fn count(&self, expr: Option<&Expr>, what: &str) -> Result<Option<usize>> {
        let Some(expr) = expr else { return Ok(None) };
        match self.constant(expr)? {
            Datum::Null => Ok(None),
            Datum::Int8(n) if n >= 0 => Ok(Some(n as usize)),
            _ if what == "LIMIT" => Err(err!(INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, "LIMIT must not be negative")),
            _ => Err(err!(INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE, "OFFSET must not be negative")),
        }
    }

    fn limit(
        &self,
        input: &Rel,
        limit: Option<&Expr>,
        offset: Option<&Expr>,
        ties: Option<&[SortKey]>,
    ) -> Result<Relation> {
        let (fetch, skip) = (self.count(limit, "LIMIT")?, self.count(offset, "OFFSET")?.unwrap_or(0));
        let kept = fetch.and_then(|f| f.checked_add(skip));
        if let (Some(ties), Some(fetch)) = (ties, fetch) {
            let input = self.relation(input)?.single();
            return set_operation::with_ties(self, input, ties, skip, fetch);
        }
        let input = match input {
            // Only the rows that are kept need to be sorted.
            Rel::Sort { input, keys } => self.sort(self.relation(input)?, keys, kept.map(|rows| rows.max(1)))?,
            input => self.relation(input)?,
        };
        let input = input.single();
        if fetch.is_none() && skip == 0 {
            return Ok(input);
        }
        Ok(Relation::new(Arc::new(GlobalLimitExec::new(input.plan, skip, fetch)), input.columns))
    }

    fn distinct_on(&self, input: &Rel, on: &[Expr], keys: &[SortKey]) -> Result<Relation> {
        let input = self.relation(input)?;
        let keys = if keys.is_empty() {
            on.iter().map(|e| SortKey { expr: e.clone(), descending: false, nulls_first: false }).collect()
        } else {
            keys.to_vec()
        };
        let sorted = self.sort(input, &keys, None)?.single();
        set_operation::first_of_each(self, sorted, on)
    }

    /// An input of a set operation under the operation's columns.
    fn matched(&self, rel: &Rel, taken: &[ColumnId], columns: &[(ColumnId, Type)]) -> Result<Relation> {
        let input = self.relation(rel)?;
        let schema = input.plan.schema();
        let mut exprs: Vec<(Arc<dyn PhysicalExpr>, String)> = Vec::with_capacity(taken.len());
        for (id, (out, _)) in taken.iter().zip(columns) {
            let position = input.position(*id)?;
            exprs.push((Arc::new(Column::new(schema.field(position).name(), position)), format!("c{out}")));
        }
        Ok(Relation::new(project(input.plan, exprs)?, columns.to_vec()))
    }

    fn set_operation(&self, kind: SetOpKind, all: bool, left: Relation, right: Relation) -> Result<Relation> {
        match kind {
            SetOpKind::Union => {
                let columns = left.columns;
                let plan = UnionExec::try_new(vec![left.plan, right.plan]).map_err(from_datafusion)?;
                let union = Relation::new(plan, columns);
                if !all {
                    return aggregate::distinct(self, union);
                }
                Ok(self.one_after_the_other(union))
            }
            SetOpKind::Intersect => set_operation::match_rows(left.single(), right.single(), all, true),
            SetOpKind::Except => set_operation::match_rows(left.single(), right.single(), all, false),
        }
    }

    /// The partitions of a relation one after the other: the rows of UNION ALL come as they are written.
    fn one_after_the_other(&self, union: Relation) -> Relation {
        let schema = physical::schema(&union.columns);
        let (plan, columns) = (union.plan, union.columns);
        let run = move |_, _, task: Arc<TaskContext>| {
            let (plan, task) = (plan.clone(), task.clone());
            let count = plan.output_partitioning().partition_count();
            let parts = futures::stream::iter(0..count).map(move |part| plan.execute(part, task.clone()));
            Ok(parts.try_flatten().map_err(from_datafusion).boxed())
        };
        Relation::new(Operator::new("Append", schema, Vec::new(), 1, Arc::new(run)), columns)
    }

    fn cte(&self, cte: u32, columns: &[(ColumnId, ColumnId, Type)]) -> Result<Relation> {
        let rows = self.context.cte(cte).ok_or_else(|| Error::internal("a WITH query was used before it was run"))?;
        let mut positions = Vec::with_capacity(columns.len());
        for (_, from, _) in columns {
            let position = rows.columns.iter().position(|(id, _)| id == from);
            positions.push(position.ok_or_else(|| Error::internal("a column of a WITH query is missing"))?);
        }
        let columns: Vec<(ColumnId, Type)> = columns.iter().map(|(id, _, typ)| (*id, *typ)).collect();
        let schema = physical::schema(&columns);
        let of = schema.clone();
        let batch = move |b: &RecordBatch| {
            physical::batch(&of, positions.iter().map(|p| b.column(*p).clone()).collect(), b.num_rows())
        };
        match &rows.rows {
            CteRows::Done(batches) => {
                let batches = batches.iter().map(batch).collect::<Result<Vec<_>>>()?;
                Ok(self.batches(columns, batches))
            }
            CteRows::Growing(recursion) => {
                let (recursion, batch) = (recursion.clone(), Arc::new(batch));
                let run = move |_, _, _| {
                    let batch = batch.clone();
                    Ok(recursion.rows().map(move |rows| batch(&rows?)).boxed())
                };
                Ok(Relation::new(Operator::new("RecursiveUnion", schema, Vec::new(), 1, Arc::new(run)), columns))
            }
        }
    }
}

fn definition(catalog: &Catalog, table: Oid) -> Result<&Table> {
    catalog.table(table).ok_or_else(|| err!(UNDEFINED_TABLE, "relation with OID {table} does not exist"))
}
