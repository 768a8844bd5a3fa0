//! GROUP BY, DISTINCT and grouping sets over the SQL layer's accumulators; what DataFusion can do with the same meaning
//! goes to [`native_aggregate`].

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{filter_record_batch, prep_null_mask_filter};
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_expr::PhysicalExpr;
use futures::stream::{StreamExt, TryStreamExt};

use crate::document::{Datum, Type};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::{Accumulator, Body, Function};
use crate::sql::operators;
use crate::sql::plan::{AggregateCall, ColumnId, Expr, Rel};

use super::operator::Operator;
use super::physical::{self, Reader};
use super::rel::{Lowering, Relation};
use super::row_expr::sort_key;
use super::set_operation::{row_key, row_keys};
use super::{from_datafusion, native_aggregate, subquery};

/// Bytes that a group takes beside its key and states.
const GROUP_BYTES: usize = 128;

/// The column in which an aggregation with grouping sets says which set a row is of, by its first group column.
fn set_column(first: ColumnId) -> ColumnId {
    (3 << 30) + first
}

/// Replaces GROUPING(...) by a CASE over the number of the grouping set.
pub(crate) fn number_sets(plan: &mut Rel) {
    let mut aggregations: Vec<(Vec<ColumnId>, Vec<Vec<usize>>)> = Vec::new();
    plan.walk(&mut |rel| {
        if let Rel::Aggregate { groups, sets: Some(sets), .. } = rel {
            aggregations.push((groups.iter().map(|(id, _)| *id).collect(), sets.clone()));
        }
    });
    let equal = operators::equality(Type::INT4.oid);
    plan.rewrite_exprs(&mut |expr| {
        let Expr::Grouping(ids) = expr else { return };
        let found = aggregations.iter().find(|(groups, _)| ids.iter().all(|id| groups.contains(id)));
        let (Some((groups, sets)), Some(equal)) = (found, equal) else {
            // Without sets nothing is ever left out.
            *expr = Expr::Const(Datum::Int4(0), Type::INT4);
            return;
        };
        let column = Expr::Column(set_column(groups[0]), Type::INT4);
        let when = |(number, set): (usize, &Vec<usize>)| {
            let bit = |mask: i32, id: &ColumnId| {
                let grouped = set.iter().any(|g| groups[*g] == *id);
                mask << 1 | i32::from(!grouped)
            };
            let args = vec![column.clone(), Expr::Const(Datum::Int4(number as i32), Type::INT4)];
            let condition = Expr::Call { function: equal, args, typ: Type::BOOL };
            (condition, Expr::Const(Datum::Int4(ids.iter().fold(0, bit)), Type::INT4))
        };
        *expr = Expr::Case { whens: sets.iter().enumerate().map(when).collect(), otherwise: None, typ: Type::INT4 };
    });
}

/// Lowers GROUP BY.
pub(crate) fn aggregate(
    lowering: &Lowering,
    input: &Rel,
    groups: &[(ColumnId, Expr)],
    sets: Option<&[Vec<usize>]>,
    aggregates: &[(ColumnId, AggregateCall)],
) -> Result<Relation> {
    let mut input = lowering.relation(input)?;
    let (mut groups, mut aggregates) = (groups.to_vec(), aggregates.to_vec());
    for expr in groups.iter_mut().map(|(_, e)| e).chain(aggregates.iter_mut().flat_map(|(_, c)| exprs_of(c))) {
        if expr.contains_subquery() {
            let mut one = [expr.take()];
            input = subquery::apply(lowering, input, &mut one)?;
            [*expr] = one;
        }
    }
    if sets.is_none()
        && let Some(native) = native_aggregate::aggregate(lowering, &input, &groups, &aggregates)?
    {
        return Ok(native);
    }
    let all: Vec<usize> = (0..groups.len()).collect();
    let numbered = sets.is_some() && !groups.is_empty();
    let sets = sets.map_or_else(|| vec![all], <[Vec<usize>]>::to_vec);
    by_row(lowering, input, &groups, sets, numbered, &aggregates)
}

/// DISTINCT over all columns.
pub(crate) fn distinct(lowering: &Lowering, input: Relation) -> Result<Relation> {
    let groups: Vec<(ColumnId, Expr)> = input.columns.iter().map(|(id, typ)| (*id, Expr::Column(*id, *typ))).collect();
    if groups.is_empty() {
        return Ok(Relation::new(
            Arc::new(datafusion::physical_plan::limit::GlobalLimitExec::new(super::single(input.plan), 0, Some(1))),
            Vec::new(),
        ));
    }
    if let Some(native) = native_aggregate::aggregate(lowering, &input, &groups, &[])? {
        return Ok(native);
    }
    let all = (0..groups.len()).collect();
    by_row(lowering, input, &groups, vec![all], false, &[])
}

fn exprs_of(call: &mut AggregateCall) -> impl Iterator<Item = &mut Expr> {
    call.args.iter_mut().chain(call.order.iter_mut().map(|k| &mut k.expr)).chain(&mut call.filter)
}

/// One aggregate, ready to be run.
struct Spec {
    function: &'static Function,
    args: Vec<Arc<dyn PhysicalExpr>>,
    arg_types: Vec<Type>,
    order: Vec<(Arc<dyn PhysicalExpr>, Type, bool, bool)>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    distinct: bool,
    /// Rows are kept until the end: their order matters.
    buffered: bool,
    /// The state grows with each value.
    growing: bool,
}

/// The aggregates whose result does not depend on the order of its input.
const ORDERLESS: &[&str] =
    &["count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every", "bit_and", "bit_or", "bit_xor"];

struct Plan {
    groups: Vec<(Arc<dyn PhysicalExpr>, Type)>,
    specs: Vec<Spec>,
    sets: Vec<Vec<usize>>,
    numbered: bool,
    columns: Vec<(ColumnId, Type)>,
}

fn by_row(
    lowering: &Lowering,
    input: Relation,
    groups: &[(ColumnId, Expr)],
    sets: Vec<Vec<usize>>,
    numbered: bool,
    aggregates: &[(ColumnId, AggregateCall)],
) -> Result<Relation> {
    let input = input.single();
    let scope = input.scope(lowering);
    let mut columns: Vec<(ColumnId, Type)> =
        groups.iter().map(|(id, e)| (*id, e.typ())).chain(aggregates.iter().map(|(id, c)| (*id, c.typ))).collect();
    if numbered {
        columns.push((set_column(groups[0].0), Type::INT4));
    }
    let mut specs = Vec::with_capacity(aggregates.len());
    for (_, call) in aggregates {
        let orderless = ORDERLESS.contains(&call.function.name);
        let order = call.order.iter().map(|k| Ok((scope.lower(&k.expr)?, k.expr.typ(), k.descending, k.nulls_first)));
        let order = order.collect::<Result<Vec<_>>>()?;
        specs.push(Spec {
            function: call.function,
            args: call.args.iter().map(|a| scope.lower(a)).collect::<Result<_>>()?,
            arg_types: call.args.iter().map(Expr::typ).collect(),
            filter: call.filter.as_ref().map(|f| scope.lower(f)).transpose()?,
            distinct: call.distinct,
            buffered: (!order.is_empty() || call.distinct) && !orderless,
            growing: !orderless,
            order,
        });
    }
    let groups = groups.iter().map(|(_, e)| Ok((scope.lower(e)?, e.typ()))).collect::<Result<Vec<_>>>()?;
    let schema = physical::schema(&columns);
    let plan = Arc::new(Plan { groups, specs, sets, numbered, columns: columns.clone() });
    let context = lowering.context.eval.clone();
    let run =
        move |_: usize, mut inputs: Vec<SendableRecordBatchStream>, task: Arc<datafusion::execution::TaskContext>| {
            let (plan, context) = (plan.clone(), context.clone());
            let reservation = MemoryConsumer::new("Aggregate").register(task.memory_pool());
            let stream = async move {
                let mut table = Table::new(&plan, reservation);
                let mut input = inputs.remove(0);
                while let Some(batch) = input.try_next().await.map_err(from_datafusion)? {
                    context.host.check_interrupt()?;
                    table.update(&batch, &context)?;
                }
                let batches = table.finish(&context)?;
                Ok::<_, Error>(futures::stream::iter(batches.into_iter().map(Ok)))
            };
            Ok(futures::stream::once(stream).try_flatten().boxed())
        };
    Ok(Relation::new(Operator::new("GroupAggregate", schema, vec![input.plan], 1, Arc::new(run)), columns))
}

/// The state of one aggregate in one group.
struct State {
    accumulator: Box<dyn Accumulator>,
    seen: HashSet<Vec<u8>>,
    rows: Vec<(OrderKeys, Vec<Datum>)>,
}

/// The sort keys of a row; `None` is NULL.
type OrderKeys = Vec<Option<Vec<u8>>>;

struct Group {
    set: usize,
    keys: Vec<Datum>,
    states: Vec<State>,
}

/// All groups of all sets, in the order in which they came up.
struct Table<'a> {
    plan: &'a Plan,
    index: HashMap<Vec<u8>, usize>,
    groups: Vec<Group>,
    reservation: MemoryReservation,
    bytes: usize,
}

/// The arguments of one aggregate in one batch.
struct Arguments {
    /// Which row of the filtered batch each row is; `None`: filtered out.
    places: Option<Vec<Option<usize>>>,
    args: Vec<ArrayRef>,
    order: Vec<ArrayRef>,
}

fn evaluate(expr: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<ArrayRef> {
    expr.evaluate(batch).and_then(|v| v.into_array(batch.num_rows())).map_err(from_datafusion)
}

impl Arguments {
    /// Evaluates the arguments for the rows that the filter lets through.
    fn new(spec: &Spec, batch: &RecordBatch) -> Result<Self> {
        let Some(filter) = &spec.filter else {
            return Ok(Self { places: None, args: Self::all(&spec.args, batch)?, order: Self::order(spec, batch)? });
        };
        let mask = evaluate(filter, batch)?;
        let mask: &BooleanArray = mask.as_boolean();
        let mask = if mask.null_count() > 0 { prep_null_mask_filter(mask) } else { mask.clone() };
        let filtered = filter_record_batch(batch, &mask).map_err(|e| Error::internal(e.to_string()))?;
        let mut next = 0;
        let place = |kept: bool| {
            kept.then(|| {
                next += 1;
                next - 1
            })
        };
        let places = mask.values().iter().map(place).collect();
        Ok(Self { places: Some(places), args: Self::all(&spec.args, &filtered)?, order: Self::order(spec, &filtered)? })
    }

    fn all(exprs: &[Arc<dyn PhysicalExpr>], batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        exprs.iter().map(|e| evaluate(e, batch)).collect()
    }

    fn order(spec: &Spec, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        spec.order.iter().map(|(e, ..)| evaluate(e, batch)).collect()
    }
}

impl<'a> Table<'a> {
    fn new(plan: &'a Plan, reservation: MemoryReservation) -> Self {
        let mut table = Self { plan, index: HashMap::new(), groups: Vec::new(), reservation, bytes: 0 };
        // A set without columns has its one group also when there are no rows.
        for (number, set) in plan.sets.iter().enumerate() {
            if set.is_empty() {
                table.group(number, number.to_be_bytes().to_vec(), || vec![Datum::Null; plan.groups.len()]);
            }
        }
        table
    }

    fn group(&mut self, set: usize, key: Vec<u8>, keys: impl FnOnce() -> Vec<Datum>) -> usize {
        if let Some(index) = self.index.get(&key) {
            return *index;
        }
        let states = self.plan.specs.iter().map(State::new).collect();
        self.bytes += key.len() * 2 + GROUP_BYTES + self.plan.specs.len() * GROUP_BYTES;
        self.groups.push(Group { set, keys: keys(), states });
        self.index.insert(key, self.groups.len() - 1);
        self.groups.len() - 1
    }

    fn update(&mut self, batch: &RecordBatch, context: &EvalContext) -> Result<()> {
        let plan = self.plan;
        let rows = batch.num_rows();
        let keys: Vec<ArrayRef> = plan.groups.iter().map(|(e, _)| evaluate(e, batch)).collect::<Result<_>>()?;
        let readers =
            keys.iter().zip(&plan.groups).map(|(a, (_, t))| Reader::new(a.as_ref(), *t)).collect::<Result<Vec<_>>>()?;
        let arguments = plan.specs.iter().map(|s| Arguments::new(s, batch)).collect::<Result<Vec<_>>>()?;
        let mut places: Vec<Vec<usize>> = Vec::with_capacity(plan.sets.len());
        for (number, set) in plan.sets.iter().enumerate() {
            let arrays: Vec<ArrayRef> = set.iter().map(|g| keys[*g].clone()).collect();
            let types: Vec<Type> = set.iter().map(|g| plan.groups[*g].1).collect();
            let mut of_row = Vec::with_capacity(rows);
            for (row, key) in row_keys(&arrays, &types, rows)?.into_iter().enumerate() {
                let mut full = number.to_be_bytes().to_vec();
                full.extend(key);
                let mut failed = None;
                let index = self.group(number, full, || {
                    let value = |g: usize| if set.contains(&g) { readers[g].get(row) } else { Ok(Datum::Null) };
                    (0..plan.groups.len()).map(value).collect::<Result<Vec<_>>>().unwrap_or_else(|e| {
                        failed = Some(e);
                        Vec::new()
                    })
                });
                if let Some(error) = failed {
                    return Err(error);
                }
                of_row.push(index);
            }
            places.push(of_row);
        }
        for (at, (spec, arguments)) in plan.specs.iter().zip(&arguments).enumerate() {
            self.update_one(at, spec, arguments, &places, rows, context)?;
        }
        self.reservation.try_resize(self.bytes).map_err(from_datafusion)
    }

    fn update_one(
        &mut self,
        at: usize,
        spec: &Spec,
        arguments: &Arguments,
        places: &[Vec<usize>],
        rows: usize,
        context: &EvalContext,
    ) -> Result<()> {
        let args = arguments
            .args
            .iter()
            .zip(&spec.arg_types)
            .map(|(a, t)| Reader::new(a.as_ref(), *t))
            .collect::<Result<Vec<_>>>()?;
        let order = arguments
            .order
            .iter()
            .zip(&spec.order)
            .map(|(a, (_, t, ..))| Reader::new(a.as_ref(), *t))
            .collect::<Result<Vec<_>>>()?;
        let mut values = Vec::with_capacity(args.len());
        for row in 0..rows {
            let from = match &arguments.places {
                None => row,
                Some(places) => match places[row] {
                    Some(from) => from,
                    None => continue,
                },
            };
            values.clear();
            for arg in &args {
                values.push(arg.get(from)?);
            }
            if spec.function.strict && values.iter().any(Datum::is_null) {
                continue;
            }
            for of_row in places {
                let state = &mut self.groups[of_row[row]].states[at];
                self.bytes += state.update(spec, &values, &order, from, context)?;
            }
        }
        Ok(())
    }

    fn finish(self, context: &EvalContext) -> Result<Vec<RecordBatch>> {
        let plan = self.plan;
        let mut batches = Vec::new();
        let mut groups = self.groups.into_iter().peekable();
        while groups.peek().is_some() {
            let mut rows = Vec::new();
            for group in groups.by_ref().take(super::BATCH_ROWS) {
                let mut row = group.keys;
                for (state, spec) in group.states.into_iter().zip(&plan.specs) {
                    row.push(state.finish(spec, context)?);
                }
                if plan.numbered {
                    row.push(Datum::Int4(group.set as i32));
                }
                rows.push(row);
            }
            batches.push(physical::from_rows(&plan.columns, &rows)?);
        }
        Ok(batches)
    }
}

fn size_of(values: &[Datum]) -> usize {
    let size = |v: &Datum| {
        32 + match v {
            Datum::Text(t) | Datum::Json(t) => t.len(),
            Datum::Bytea(b) => b.len(),
            Datum::Jsonb(j) => j.as_bytes().len(),
            Datum::Array(a) => a.values.len() * 32,
            _ => 0,
        }
    };
    values.iter().map(size).sum()
}

impl State {
    fn new(spec: &Spec) -> Self {
        let accumulator = match spec.function.body {
            Body::Aggregate(make) => make(&spec.arg_types),
            _ => unreachable_aggregate(),
        };
        Self { accumulator, seen: HashSet::new(), rows: Vec::new() }
    }

    /// Takes one row; answers the bytes that it keeps.
    fn update(
        &mut self,
        spec: &Spec,
        values: &[Datum],
        order: &[Reader<'_>],
        row: usize,
        context: &EvalContext,
    ) -> Result<usize> {
        let mut bytes = if spec.growing { size_of(values) } else { 0 };
        if spec.distinct {
            let key = row_key(values, &spec.arg_types);
            bytes += key.len() + 32;
            if !self.seen.insert(key) {
                return Ok(0);
            }
        }
        if !spec.buffered {
            self.accumulator.update(context, values)?;
            return Ok(bytes);
        }
        let mut keys = Vec::with_capacity(order.len());
        for (reader, (_, typ, ..)) in order.iter().zip(&spec.order) {
            keys.push(key_of(&reader.get(row)?, *typ));
        }
        if spec.distinct && keys.is_empty() {
            keys.extend(values.iter().zip(&spec.arg_types).map(|(v, t)| key_of(v, *t)));
        }
        self.rows.push((keys, values.to_vec()));
        Ok(bytes * 2)
    }

    fn finish(mut self, spec: &Spec, context: &EvalContext) -> Result<Datum> {
        if spec.buffered {
            let directions: Vec<(bool, bool)> = spec.order.iter().map(|(_, _, d, n)| (*d, *n)).collect();
            self.rows.sort_by(|(a, _), (b, _)| compare(a, b, &directions));
            for (_, values) in &self.rows {
                self.accumulator.update(context, values)?;
            }
        }
        self.accumulator.finish(context)
    }
}

/// The plan checks that aggregates are aggregates; this state takes nothing and answers an error.
fn unreachable_aggregate() -> Box<dyn Accumulator> {
    #[derive(Debug)]
    struct None;
    impl Accumulator for None {
        fn update(&mut self, _: &EvalContext, _: &[Datum]) -> Result<()> {
            Err(Error::internal("not an aggregate"))
        }
        fn finish(&self, _: &EvalContext) -> Result<Datum> {
            Err(Error::internal("not an aggregate"))
        }
        fn size(&self) -> usize {
            0
        }
    }
    Box::new(None)
}

fn key_of(value: &Datum, typ: Type) -> Option<Vec<u8>> {
    (!value.is_null()).then(|| {
        let mut key = Vec::new();
        sort_key(value, typ, &mut key);
        key
    })
}

/// Compares sort keys; directions beyond those given are ascending, NULLs last.
fn compare(a: &[Option<Vec<u8>>], b: &[Option<Vec<u8>>], directions: &[(bool, bool)]) -> Ordering {
    for (i, (x, y)) in a.iter().zip(b).enumerate() {
        let (descending, nulls_first) = directions.get(i).copied().unwrap_or((false, false));
        let by = match (x, y) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => {
                if nulls_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (Some(_), None) => {
                if nulls_first {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (Some(x), Some(y)) => {
                if descending {
                    y.cmp(x)
                } else {
                    x.cmp(y)
                }
            }
        };
        if by != Ordering::Equal {
            return by;
        }
    }
    Ordering::Equal
}
