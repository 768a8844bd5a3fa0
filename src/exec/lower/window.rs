//! Window functions: all rows are gathered, sorted for each distinct PARTITION BY / ORDER BY, and every call is computed
//! over its frames as PostgreSQL defines them (ROWS, RANGE, GROUPS, EXCLUDE).

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryConsumer;
use futures::stream::{StreamExt, TryStreamExt};

use crate::document::{Datum, Interval, Numeric, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::eval::{self, Compiled};
use crate::sql::function::Body;
use crate::sql::operators;
use crate::sql::plan::{ColumnId, Expr, FrameBound, FrameExclude, FrameUnits, Rel, SortKey, WindowCall};

use super::from_datafusion;
use super::operator::Operator;
use super::physical;
use super::rel::{Lowering, Relation};
use super::row_expr::sort_key;
use super::subquery;

/// One call, ready to be run.
struct Call {
    call: WindowCall,
    args: Vec<Compiled>,
    arg_types: Vec<Type>,
    filter: Option<Compiled>,
    partition: Vec<(Compiled, Type)>,
    order: Vec<(Compiled, Type, bool, bool)>,
    start: Option<Compiled>,
    end: Option<Compiled>,
    /// Calls with the same number share one sort.
    group: usize,
}

impl Call {
    /// How many keys its sort has.
    fn sort_len(&self) -> usize {
        self.partition.len() + self.order.len()
    }

    /// Whether its sort begins with the whole sort of another and goes on.
    fn goes_on(&self, other: &Call) -> bool {
        fn key(call: &WindowCall) -> Vec<(&Expr, bool, bool)> {
            let partition = call.partition.iter().map(|e| (e, false, false));
            partition.chain(call.order.iter().map(|k| (&k.expr, k.descending, k.nulls_first))).collect()
        }
        let (own, others) = (key(&self.call), key(&other.call));
        own.len() > others.len() && own.starts_with(&others)
    }
}

fn bound(bound: &FrameBound) -> Option<&Expr> {
    match bound {
        FrameBound::Preceding(e) | FrameBound::Following(e) => Some(e),
        _ => None,
    }
}

fn exprs_of(call: &mut WindowCall) -> Vec<&mut Expr> {
    let WindowCall { args, filter, partition, order, frame, .. } = call;
    let mut exprs: Vec<&mut Expr> = args.iter_mut().chain(filter).chain(partition).collect();
    exprs.extend(order.iter_mut().map(|k| &mut k.expr));
    for bound in [&mut frame.start, &mut frame.end] {
        if let FrameBound::Preceding(e) | FrameBound::Following(e) = bound {
            exprs.push(e);
        }
    }
    exprs
}

/// Lowers window calls.
pub(crate) fn window(lowering: &Lowering, input: &Rel, calls: &[(ColumnId, WindowCall)]) -> Result<Relation> {
    let mut input = lowering.relation(input)?;
    let passed = input.columns.clone();
    let mut calls = calls.to_vec();
    for (_, call) in &mut calls {
        for expr in exprs_of(call) {
            if expr.contains_subquery() {
                let mut one = [expr.take()];
                input = subquery::apply(lowering, input, &mut one)?;
                [*expr] = one;
            }
        }
    }
    let ids: Vec<ColumnId> = input.columns.iter().map(|(id, _)| *id).collect();
    let mut columns = passed.clone();
    columns.extend(calls.iter().map(|(id, call)| (*id, call.typ)));
    let mut groups: Vec<(Vec<Expr>, Vec<SortKey>)> = Vec::new();
    let mut compiled = Vec::with_capacity(calls.len());
    for (_, call) in calls {
        let group = groups.iter().position(|(p, o)| *p == call.partition && *o == call.order).unwrap_or_else(|| {
            groups.push((call.partition.clone(), call.order.clone()));
            groups.len() - 1
        });
        let one = |e: &Expr| eval::compile(e, &ids);
        compiled.push(Call {
            args: call.args.iter().map(one).collect::<Result<_>>()?,
            arg_types: call.args.iter().map(Expr::typ).collect(),
            filter: call.filter.as_ref().map(one).transpose()?,
            partition: call.partition.iter().map(|e| Ok((one(e)?, e.typ()))).collect::<Result<_>>()?,
            order: call
                .order
                .iter()
                .map(|k| Ok((one(&k.expr)?, k.expr.typ(), k.descending, k.nulls_first)))
                .collect::<Result<_>>()?,
            start: bound(&call.frame.start).map(one).transpose()?,
            end: bound(&call.frame.end).map(one).transpose()?,
            group,
            call,
        });
    }
    let types: Vec<Type> = input.columns.iter().map(|(_, typ)| *typ).collect();
    let schema = physical::schema(&columns);
    let context = lowering.context.eval.clone();
    let state = Arc::new((compiled, types, columns.clone(), passed.len()));
    let run =
        move |_: usize, mut inputs: Vec<SendableRecordBatchStream>, task: Arc<datafusion::execution::TaskContext>| {
            let (state, context) = (state.clone(), context.clone());
            let reservation = MemoryConsumer::new("Window").register(task.memory_pool());
            let stream = async move {
                let (calls, types, columns, passed) = &*state;
                let mut rows: Vec<Vec<Datum>> = Vec::new();
                let mut input = inputs.remove(0);
                while let Some(batch) = input.try_next().await.map_err(from_datafusion)? {
                    reservation.try_grow(batch.get_array_memory_size() * 2).map_err(from_datafusion)?;
                    physical::append_rows(&batch, types, &mut rows)?;
                }
                let (mut results, order) = compute(calls, &rows, &context)?;
                let mut batches = Vec::new();
                for places in order.chunks(super::BATCH_ROWS) {
                    let mut chunk = Vec::with_capacity(places.len());
                    for at in places {
                        let mut row = std::mem::take(&mut rows[*at]);
                        row.truncate(*passed);
                        row.extend(results.iter_mut().map(|values| std::mem::replace(&mut values[*at], Datum::Null)));
                        chunk.push(row);
                    }
                    batches.push(physical::from_rows(columns, &chunk)?);
                }
                drop(reservation);
                Ok::<_, Error>(futures::stream::iter(batches.into_iter().map(Ok)))
            };
            Ok(futures::stream::once(stream).try_flatten().boxed())
        };
    let input = input.single();
    Ok(Relation::new(Operator::new("WindowAgg", schema, vec![input.plan], 1, Arc::new(run)), columns))
}

/// The values of every call by row, and the order in which the rows come out: as in PostgreSQL that of the window that
/// is run last, which is the first one written that sorts, or one that goes on where that ends.
fn compute(calls: &[Call], rows: &[Vec<Datum>], context: &EvalContext) -> Result<(Vec<Vec<Datum>>, Vec<usize>)> {
    let mut results: Vec<Vec<Datum>> = calls.iter().map(|_| vec![Datum::Null; rows.len()]).collect();
    let groups = calls.iter().map(|c| c.group + 1).max().unwrap_or(0);
    let first_of = |group: usize| calls.iter().find(|c| c.group == group);
    let mut last: Option<&Call> = None;
    for call in (0..groups).filter_map(first_of).filter(|call| call.sort_len() > 0) {
        if last.is_none_or(|last| call.goes_on(last)) {
            last = Some(call);
        }
    }
    let mut out: Vec<usize> = (0..rows.len()).collect();
    for group in 0..groups {
        let Some(first) = first_of(group) else { continue };
        let sorted = Sorted::new(first, rows, context)?;
        if last.is_some_and(|last| last.group == group) {
            out.clone_from(&sorted.order);
        }
        for (call, result) in calls.iter().zip(&mut results).filter(|(c, _)| c.group == group) {
            for partition in &sorted.partitions {
                Partition { call, sorted: &sorted, rows, range: partition.clone(), context }.run(result)?;
            }
        }
    }
    Ok((results, out))
}

/// Rows in window order.
struct Sorted {
    /// Row numbers in order.
    order: Vec<usize>,
    /// Partitions, as ranges of `order`.
    partitions: Vec<Range<usize>>,
    /// For each place in `order`: the number of its peer group in its partition.
    group: Vec<usize>,
    /// For each place: where its peer group begins and ends.
    peers: Vec<(usize, usize)>,
}

/// The PARTITION BY keys of a row, each after whether it is NULL.
type PartitionKey = Vec<(bool, Option<Vec<u8>>)>;

/// The sort keys of a row; `None` is NULL.
type OrderKeys = Vec<Option<Vec<u8>>>;

impl Sorted {
    fn new(call: &Call, rows: &[Vec<Datum>], context: &EvalContext) -> Result<Self> {
        let mut keys: Vec<(PartitionKey, OrderKeys)> = Vec::with_capacity(rows.len());
        let key = |expr: &Compiled, typ: Type, row: &[Datum]| -> Result<Option<Vec<u8>>> {
            let value = expr.eval(row, &[], context)?;
            Ok((!value.is_null()).then(|| {
                let mut key = Vec::new();
                sort_key(&value, typ, &mut key);
                key
            }))
        };
        for row in rows {
            // NULLS LAST: whether it is NULL stands before the key.
            let partition = call.partition.iter().map(|(expr, typ)| {
                let key = key(expr, *typ, row)?;
                Ok((key.is_none(), key))
            });
            let partition = partition.collect::<Result<Vec<_>>>()?;
            let order = call.order.iter().map(|(expr, typ, _, _)| key(expr, *typ, row)).collect::<Result<Vec<_>>>()?;
            keys.push((partition, order));
        }
        let compare = |a: &usize, b: &usize| {
            keys[*a].0.cmp(&keys[*b].0).then_with(|| {
                for ((x, y), (_, _, descending, nulls_first)) in keys[*a].1.iter().zip(&keys[*b].1).zip(&call.order) {
                    let by = match (x, y) {
                        (None, None) => Ordering::Equal,
                        (None, Some(_)) => {
                            if *nulls_first {
                                Ordering::Less
                            } else {
                                Ordering::Greater
                            }
                        }
                        (Some(_), None) => {
                            if *nulls_first {
                                Ordering::Greater
                            } else {
                                Ordering::Less
                            }
                        }
                        (Some(x), Some(y)) => {
                            if *descending {
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
            })
        };
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(compare);
        let mut sorted = Self {
            partitions: Vec::new(),
            group: Vec::with_capacity(rows.len()),
            peers: vec![(0, 0); rows.len()],
            order,
        };
        let (mut partition_start, mut peer_start) = (0, 0);
        for at in 0..=sorted.order.len() {
            let end = at == sorted.order.len();
            let new_partition = at > 0 && (end || keys[sorted.order[at]].0 != keys[sorted.order[at - 1]].0);
            let new_peers = at > 0 && (new_partition || keys[sorted.order[at]].1 != keys[sorted.order[at - 1]].1);
            if new_peers {
                for place in peer_start..at {
                    sorted.peers[place] = (peer_start, at);
                }
                peer_start = at;
            }
            if new_partition {
                sorted.partitions.push(partition_start..at);
                partition_start = at;
            }
            if !end {
                let number = if at == partition_start { 0 } else { sorted.group[at - 1] + usize::from(new_peers) };
                sorted.group.push(number);
            }
        }
        Ok(sorted)
    }
}

/// One call over one partition. Places are positions in the sorted order.
struct Partition<'a> {
    call: &'a Call,
    sorted: &'a Sorted,
    rows: &'a [Vec<Datum>],
    range: Range<usize>,
    context: &'a EvalContext,
}

impl Partition<'_> {
    fn row(&self, place: usize) -> &[Datum] {
        &self.rows[self.sorted.order[place]]
    }

    fn arg(&self, index: usize, place: usize) -> Result<Datum> {
        self.call.args[index].eval(self.row(place), &[], self.context)
    }

    fn set(&self, result: &mut [Datum], place: usize, value: Datum) {
        result[self.sorted.order[place]] = value;
    }

    fn run(&self, result: &mut [Datum]) -> Result<()> {
        match self.call.call.function.body {
            Body::Aggregate(_) => self.aggregate(result),
            _ => self.window_function(result),
        }
    }

    fn window_function(&self, result: &mut [Datum]) -> Result<()> {
        let size = self.range.len();
        let start = self.range.start;
        let mut dense = 0;
        for place in self.range.clone() {
            if place % 1024 == 0 {
                self.context.host.check_interrupt()?;
            }
            let (peers_start, peers_end) = self.sorted.peers[place];
            if peers_start == place {
                dense += 1;
            }
            let value = match self.call.call.function.name {
                "row_number" => Datum::Int8((place - start + 1) as i64),
                "rank" => Datum::Int8((peers_start - start + 1) as i64),
                "dense_rank" => Datum::Int8(dense),
                "percent_rank" if size == 1 => Datum::Float8(0.0),
                "percent_rank" => Datum::Float8((peers_start - start) as f64 / (size - 1) as f64),
                "cume_dist" => Datum::Float8((peers_end - start) as f64 / size as f64),
                "ntile" => self.ntile(place - start, size)?,
                "lag" => self.offset(place, -1)?,
                "lead" => self.offset(place, 1)?,
                "first_value" => match self.frame(place)?.first() {
                    Some(at) => self.arg(0, at)?,
                    None => Datum::Null,
                },
                "last_value" => match self.frame(place)?.last() {
                    Some(at) => self.arg(0, at)?,
                    None => Datum::Null,
                },
                "nth_value" => match self.arg(1, place)? {
                    Datum::Null => Datum::Null,
                    Datum::Int4(n) if n > 0 => match self.frame(place)?.nth(n as usize - 1) {
                        Some(at) => self.arg(0, at)?,
                        None => Datum::Null,
                    },
                    _ => {
                        return Err(err!(
                            INVALID_ARGUMENT_FOR_NTH_VALUE_FUNCTION,
                            "argument of nth_value must be greater than zero"
                        ));
                    }
                },
                name => return Err(Error::unsupported(format!("window function {name}()"))),
            };
            self.set(result, place, value);
        }
        Ok(())
    }

    fn ntile(&self, index: usize, size: usize) -> Result<Datum> {
        let buckets = match self.arg(0, self.range.start)? {
            Datum::Null => return Ok(Datum::Null),
            Datum::Int4(n) if n > 0 => n as usize,
            _ => return Err(err!(INVALID_ARGUMENT_FOR_NTILE_FUNCTION, "argument of ntile must be greater than zero")),
        };
        let (each, larger) = (size / buckets, size % buckets);
        let boundary = larger * (each + 1);
        let bucket = if index < boundary { index / (each + 1) } else { larger + (index - boundary) / each.max(1) };
        Ok(Datum::Int4(bucket as i32 + 1))
    }

    fn offset(&self, place: usize, direction: i64) -> Result<Datum> {
        let distance = match self.call.args.len() {
            1 => 1,
            _ => match self.arg(1, place)? {
                Datum::Int4(n) => n as i64,
                _ => return Ok(Datum::Null),
            },
        };
        let at = place as i64 + direction * distance;
        if at >= self.range.start as i64 && at < self.range.end as i64 {
            return self.arg(0, at as usize);
        }
        if self.call.args.len() == 3 { self.arg(2, place) } else { Ok(Datum::Null) }
    }

    fn aggregate(&self, result: &mut [Datum]) -> Result<()> {
        let Body::Aggregate(make) = self.call.call.function.body else { return Ok(()) };
        let frame = &self.call.call.frame;
        let growing = frame.exclude == FrameExclude::NoOthers && matches!(frame.start, FrameBound::UnboundedPreceding);
        if growing {
            // The frame only grows: each row is taken once.
            let mut state = make(&self.call.arg_types);
            let (mut taken, mut value) = (self.range.start, None);
            for place in self.range.clone() {
                let end = self.frame(place)?.end();
                if taken < end || value.is_none() {
                    while taken < end {
                        self.update(&mut *state, taken)?;
                        taken += 1;
                    }
                    value = Some(state.finish(self.context)?);
                }
                self.set(result, place, value.clone().unwrap_or(Datum::Null));
            }
            return Ok(());
        }
        let mut last: Option<(Vec<Range<usize>>, Datum)> = None;
        for place in self.range.clone() {
            self.context.host.check_interrupt()?;
            let frame = self.frame(place)?;
            if let Some((ranges, value)) = &last
                && *ranges == frame.ranges
            {
                self.set(result, place, value.clone());
                continue;
            }
            let mut state = make(&self.call.arg_types);
            for at in frame.ranges.iter().cloned().flatten() {
                self.update(&mut *state, at)?;
            }
            let value = state.finish(self.context)?;
            self.set(result, place, value.clone());
            last = Some((frame.ranges, value));
        }
        Ok(())
    }

    fn update(&self, state: &mut dyn crate::sql::function::Accumulator, place: usize) -> Result<()> {
        let row = self.row(place);
        if let Some(filter) = &self.call.filter
            && !filter.is_true(row, &[], self.context)?
        {
            return Ok(());
        }
        let args = self.call.args.iter().map(|a| a.eval(row, &[], self.context)).collect::<Result<Vec<_>>>()?;
        if self.call.call.function.strict && args.iter().any(Datum::is_null) {
            return Ok(());
        }
        state.update(self.context, &args)
    }

    /// The places in the frame of a row.
    fn frame(&self, place: usize) -> Result<FrameRows> {
        let frame = &self.call.call.frame;
        let start = match &frame.start {
            FrameBound::UnboundedPreceding => self.range.start,
            FrameBound::UnboundedFollowing => self.range.end,
            FrameBound::CurrentRow if frame.units == FrameUnits::Rows => place,
            FrameBound::CurrentRow => self.sorted.peers[place].0,
            FrameBound::Preceding(_) => self.bound(place, self.call.start.as_ref(), true, true)?,
            FrameBound::Following(_) => self.bound(place, self.call.start.as_ref(), false, true)?,
        };
        let end = match &frame.end {
            FrameBound::UnboundedPreceding => self.range.start,
            FrameBound::UnboundedFollowing => self.range.end,
            FrameBound::CurrentRow if frame.units == FrameUnits::Rows => place + 1,
            FrameBound::CurrentRow => self.sorted.peers[place].1,
            FrameBound::Preceding(_) => self.bound(place, self.call.end.as_ref(), true, false)?,
            FrameBound::Following(_) => self.bound(place, self.call.end.as_ref(), false, false)?,
        };
        let whole = start..end.max(start);
        let cut = |range: Range<usize>, hole: Range<usize>| -> Vec<Range<usize>> {
            let before = range.start..range.end.min(hole.start).max(range.start);
            let after = range.start.max(hole.end).min(range.end.max(range.start))..range.end;
            [before, after].into_iter().filter(|r| !r.is_empty()).collect()
        };
        let (peers_start, peers_end) = self.sorted.peers[place];
        let ranges = match frame.exclude {
            FrameExclude::NoOthers => vec![whole],
            FrameExclude::CurrentRow => cut(whole, place..place + 1),
            FrameExclude::Group => cut(whole, peers_start..peers_end),
            FrameExclude::Ties => {
                let mut ranges = cut(whole.clone(), peers_start..peers_end);
                if whole.contains(&place) {
                    ranges.push(place..place + 1);
                    ranges.sort_by_key(|r| r.start);
                }
                ranges
            }
        };
        Ok(FrameRows { ranges })
    }

    /// Where a frame with an offset begins (`start`) or ends.
    fn bound(&self, place: usize, offset: Option<&Compiled>, preceding: bool, start: bool) -> Result<usize> {
        let offset = match offset {
            Some(offset) => offset.eval(self.row(place), &[], self.context)?,
            None => Datum::Null,
        };
        let side = if start { "starting" } else { "ending" };
        if offset.is_null() {
            return Err(err!(NULL_VALUE_NOT_ALLOWED, "frame {side} offset must not be null"));
        }
        let negative = || err!(INVALID_PRECEDING_OR_FOLLOWING_SIZE, "frame {side} offset must not be negative");
        if self.call.call.frame.units == FrameUnits::Range {
            return self.range_bound(place, &offset, preceding, start);
        }
        let n = match offset {
            Datum::Int8(n) if n >= 0 => n,
            _ => return Err(negative()),
        };
        let (low, high) = (self.range.start as i64, self.range.end as i64);
        if self.call.call.frame.units == FrameUnits::Rows {
            let at = if preceding { (place as i64).saturating_sub(n) } else { (place as i64).saturating_add(n) };
            return Ok(at.saturating_add(i64::from(!start)).clamp(low, high) as usize);
        }
        let group = self.sorted.group[place] as i64;
        let wanted = if preceding { group.saturating_sub(n) } else { group.saturating_add(n) };
        let places = self.range.clone();
        let groups = &self.sorted.group;
        Ok(if start {
            places.start + groups[places].partition_point(|g| (*g as i64) < wanted)
        } else {
            places.start + groups[places].partition_point(|g| (*g as i64) <= wanted)
        })
    }

    /// RANGE with an offset: rows whose key is within the distance; NULL keys are within reach of NULL keys only.
    fn range_bound(&self, place: usize, offset: &Datum, preceding: bool, start: bool) -> Result<usize> {
        let [(expr, typ, descending, _)] = self.call.order.as_slice() else {
            return Err(err!(
                WINDOWING_ERROR,
                "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column"
            ));
        };
        let side = if start { "starting" } else { "ending" };
        if is_negative(offset) {
            return Err(err!(
                INVALID_PRECEDING_OR_FOLLOWING_SIZE,
                "invalid preceding or following size in window function"
            )
            .context(format!("frame {side} offset")));
        }
        let current = expr.eval(self.row(place), &[], self.context)?;
        if current.is_null() {
            let (peers_start, peers_end) = self.sorted.peers[place];
            return Ok(if start { peers_start } else { peers_end });
        }
        let subtract = preceding != *descending;
        let name = if subtract { "-" } else { "+" };
        let limit = shifted(name, &current, offset, *typ, self.context)?;
        let mut limit_key = Vec::new();
        let limit_type = if matches!(limit, Datum::Timestamp(_)) { Type::TIMESTAMP } else { *typ };
        sort_key(&limit, limit_type, &mut limit_key);
        for at in self.range.clone() {
            let value = expr.eval(self.row(at), &[], self.context)?;
            if value.is_null() {
                continue;
            }
            let value = if limit_type != *typ { as_timestamp(value) } else { value };
            let mut key = Vec::new();
            sort_key(&value, limit_type, &mut key);
            let order = if *descending { limit_key.cmp(&key) } else { key.cmp(&limit_key) };
            let passed = if start { order != Ordering::Less } else { order == Ordering::Greater };
            if passed {
                return Ok(at);
            }
        }
        // Behind the last value: before the NULLs that are sorted last, after those sorted first.
        let last =
            self.range.clone().rev().find(|at| !matches!(expr.eval(self.row(*at), &[], self.context), Ok(Datum::Null)));
        Ok(last.map_or(self.range.end, |at| at + 1))
    }
}

fn as_timestamp(value: Datum) -> Datum {
    match value {
        Datum::Date(days) if days != i32::MAX && days != i32::MIN => Datum::Timestamp(days as i64 * 86_400_000_000),
        Datum::Date(i32::MAX) => Datum::Timestamp(i64::MAX),
        Datum::Date(_) => Datum::Timestamp(i64::MIN),
        value => value,
    }
}

fn is_negative(offset: &Datum) -> bool {
    match offset {
        Datum::Int2(n) => *n < 0,
        Datum::Int4(n) => *n < 0,
        Datum::Int8(n) => *n < 0,
        Datum::Float4(n) => *n < 0.0 || n.is_nan(),
        Datum::Float8(n) => *n < 0.0 || n.is_nan(),
        Datum::Numeric(n) => n.cmp(&Numeric::from_i64(0)) == Ordering::Less,
        Datum::Interval(Interval { months, days, micros }) => {
            (*months as i128 * 30 + *days as i128) * 86_400_000_000 + (*micros as i128) < 0
        }
        _ => false,
    }
}

/// `value + offset` or `value - offset` by the operator for the two types; an overflow is the type's end.
fn shifted(name: &'static str, value: &Datum, offset: &Datum, typ: Type, context: &EvalContext) -> Result<Datum> {
    // Integers are compared without overflow.
    let wide = |d: &Datum| match d {
        Datum::Int2(n) => Some(*n as i128),
        Datum::Int4(n) => Some(*n as i128),
        Datum::Int8(n) => Some(*n as i128),
        _ => None,
    };
    if let (Some(a), Some(b)) = (wide(value), wide(offset)) {
        let n = if name == "+" { a + b } else { a - b };
        return Ok(match value {
            Datum::Int2(_) => Datum::Int2(n.clamp(i16::MIN as i128, i16::MAX as i128) as i16),
            Datum::Int4(_) => Datum::Int4(n.clamp(i32::MIN as i128, i32::MAX as i128) as i32),
            _ => Datum::Int8(n.clamp(i64::MIN as i128, i64::MAX as i128) as i64),
        });
    }
    let right = match offset {
        Datum::Interval(_) => Type::INTERVAL,
        Datum::Numeric(_) => Type::NUMERIC,
        Datum::Float8(_) => Type::FLOAT8,
        Datum::Float4(_) => Type::FLOAT4,
        Datum::Int4(_) => Type::INT4,
        Datum::Int8(_) => Type::INT8,
        _ => typ,
    };
    let operator =
        operators::find(name).iter().find(|o| o.left.map(|t| t.oid) == Some(typ.oid) && o.right.oid == right.oid);
    let Some(operator) = operator else {
        return Err(Error::unsupported("RANGE with an offset of this type"));
    };
    match operator.function.body {
        Body::Scalar(kernel) => kernel(context, &[value.clone(), offset.clone()]),
        _ => Err(Error::internal("an operator without a kernel")),
    }
}

/// The rows of a frame, in order, as ranges of places.
struct FrameRows {
    ranges: Vec<Range<usize>>,
}

impl FrameRows {
    fn first(&self) -> Option<usize> {
        self.ranges.iter().find(|r| !r.is_empty()).map(|r| r.start)
    }

    fn last(&self) -> Option<usize> {
        self.ranges.iter().rev().find(|r| !r.is_empty()).map(|r| r.end - 1)
    }

    fn nth(&self, n: usize) -> Option<usize> {
        self.ranges.iter().cloned().flatten().nth(n)
    }

    fn end(&self) -> usize {
        self.ranges.last().map_or(0, |r| r.end)
    }
}
