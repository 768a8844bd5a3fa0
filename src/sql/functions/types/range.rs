//! Ranges and multiranges: constructors, operators, functions, aggregates.

use crate::document::{Datum, Multirange, Oid, Range, RangeBound, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::{Accumulator, Body, Function, Volatility};
use crate::sql::functions::define::{Args, Rows, aggregate, scalar, set};
use crate::sql::range::{self, Bounds};
use crate::sql::types;

const R: Type = Type::ANYRANGE;
const M: Type = Type::ANYMULTIRANGE;
const E: Type = Type::ANYELEMENT;
const B: Type = Type::BOOL;
/// `multirange(anyrange)`, which is also the cast of a range to its multirange.
pub(crate) const MULTIRANGE: Oid = 4298;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(3857, "range_overlaps", &[R, R], B, overlaps),
    scalar(4246, "range_overlaps_multirange", &[R, M], B, overlaps),
    scalar(4247, "multirange_overlaps_range", &[M, R], B, overlaps),
    scalar(4248, "multirange_overlaps_multirange", &[M, M], B, overlaps),
    scalar(3858, "range_contains_elem", &[R, E], B, |_, a| Ok(Datum::Bool(range::contains_value(range::parts(a.at(0)), a.at(1))))),
    scalar(3860, "elem_contained_by_range", &[E, R], B, |_, a| Ok(Datum::Bool(range::contains_value(range::parts(a.at(1)), a.at(0))))),
    scalar(4249, "multirange_contains_elem", &[M, E], B, |_, a| Ok(Datum::Bool(range::contains_value(range::parts(a.at(0)), a.at(1))))),
    scalar(4252, "elem_contained_by_multirange", &[E, M], B, |_, a| Ok(Datum::Bool(range::contains_value(range::parts(a.at(1)), a.at(0))))),
    scalar(3859, "range_contains", &[R, R], B, contains),
    scalar(4250, "multirange_contains_range", &[M, R], B, contains),
    scalar(4251, "multirange_contains_multirange", &[M, M], B, contains),
    scalar(4541, "range_contains_multirange", &[R, M], B, contains),
    scalar(3861, "range_contained_by", &[R, R], B, contained),
    scalar(4253, "range_contained_by_multirange", &[R, M], B, contained),
    scalar(4254, "multirange_contained_by_multirange", &[M, M], B, contained),
    scalar(4542, "multirange_contained_by_range", &[M, R], B, contained),
    scalar(3862, "range_adjacent", &[R, R], B, adjacent),
    scalar(4255, "range_adjacent_multirange", &[R, M], B, adjacent),
    scalar(4256, "multirange_adjacent_multirange", &[M, M], B, adjacent),
    scalar(4257, "multirange_adjacent_range", &[M, R], B, adjacent),
    scalar(3863, "range_before", &[R, R], B, before),
    scalar(4258, "range_before_multirange", &[R, M], B, before),
    scalar(4259, "multirange_before_range", &[M, R], B, before),
    scalar(4260, "multirange_before_multirange", &[M, M], B, before),
    scalar(3864, "range_after", &[R, R], B, after),
    scalar(4261, "range_after_multirange", &[R, M], B, after),
    scalar(4262, "multirange_after_range", &[M, R], B, after),
    scalar(4263, "multirange_after_multirange", &[M, M], B, after),
    scalar(3865, "range_overleft", &[R, R], B, overleft),
    scalar(4264, "range_overleft_multirange", &[R, M], B, overleft),
    scalar(4265, "multirange_overleft_range", &[M, R], B, overleft),
    scalar(4266, "multirange_overleft_multirange", &[M, M], B, overleft),
    scalar(3866, "range_overright", &[R, R], B, overright),
    scalar(4267, "range_overright_multirange", &[R, M], B, overright),
    scalar(4268, "multirange_overright_range", &[M, R], B, overright),
    scalar(4269, "multirange_overright_multirange", &[M, M], B, overright),
    scalar(3867, "range_union", &[R, R], R, |_, a| range::union(one(a, 0)?, one(a, 1)?, false).map(datum)),
    scalar(4057, "range_merge", &[R, R], R, |_, a| range::union(one(a, 0)?, one(a, 1)?, true).map(datum)),
    scalar(3868, "range_intersect", &[R, R], R, |_, a| single(a, range::intersection(range::parts(a.at(0)), range::parts(a.at(1))))),
    scalar(3869, "range_minus", &[R, R], R, minus),
    scalar(4270, "multirange_union", &[M, M], M, |_, a| many(a, [range::parts(a.at(0)), range::parts(a.at(1))].concat())),
    scalar(4271, "multirange_minus", &[M, M], M, |_, a| many(a, range::difference(range::parts(a.at(0)), range::parts(a.at(1))))),
    scalar(4272, "multirange_intersect", &[M, M], M, |_, a| many(a, range::intersection(range::parts(a.at(0)), range::parts(a.at(1))))),
    scalar(3848, "lower", &[R], E, |_, a| Ok(first(a).and_then(|b| b.0.value.clone()).unwrap_or_default())),
    scalar(4235, "lower", &[M], E, |_, a| Ok(first(a).and_then(|b| b.0.value.clone()).unwrap_or_default())),
    scalar(3849, "upper", &[R], E, |_, a| Ok(last(a).and_then(|b| b.1.value.clone()).unwrap_or_default())),
    scalar(4236, "upper", &[M], E, |_, a| Ok(last(a).and_then(|b| b.1.value.clone()).unwrap_or_default())),
    scalar(3850, "isempty", &[R], B, |_, a| Ok(Datum::Bool(first(a).is_none()))),
    scalar(4237, "isempty", &[M], B, |_, a| Ok(Datum::Bool(first(a).is_none()))),
    scalar(3851, "lower_inc", &[R], B, |_, a| Ok(Datum::Bool(first(a).is_some_and(|b| b.0.inclusive)))),
    scalar(4238, "lower_inc", &[M], B, |_, a| Ok(Datum::Bool(first(a).is_some_and(|b| b.0.inclusive)))),
    scalar(3852, "upper_inc", &[R], B, |_, a| Ok(Datum::Bool(last(a).is_some_and(|b| b.1.inclusive)))),
    scalar(4239, "upper_inc", &[M], B, |_, a| Ok(Datum::Bool(last(a).is_some_and(|b| b.1.inclusive)))),
    scalar(3853, "lower_inf", &[R], B, |_, a| Ok(Datum::Bool(first(a).is_some_and(|b| b.0.value.is_none())))),
    scalar(4240, "lower_inf", &[M], B, |_, a| Ok(Datum::Bool(first(a).is_some_and(|b| b.0.value.is_none())))),
    scalar(3854, "upper_inf", &[R], B, |_, a| Ok(Datum::Bool(last(a).is_some_and(|b| b.1.value.is_none())))),
    scalar(4241, "upper_inf", &[M], B, |_, a| Ok(Datum::Bool(last(a).is_some_and(|b| b.1.value.is_none())))),
    scalar(4228, "range_merge", &[M], R, merge),
    scalar(MULTIRANGE, "multirange", &[R], M, |_, a| over(one(a, 0)?.typ, range::parts(a.at(0)).to_vec())),
    set(1293, "unnest", &[M], R, unnest),
    aggregate(4301, "range_agg", &[R], M, range_agg),
    aggregate(6227, "range_agg", &[M], M, range_agg),
    aggregate(4450, "range_intersect_agg", &[R], R, intersect_agg),
    aggregate(4389, "range_intersect_agg", &[M], M, intersect_agg),
];

macro_rules! constructors {
    ($($name:literal $multi:literal $range:ident $array:ident $multirange:ident $sub:ident: $two:literal $three:literal $none:literal $one:literal $many:literal;)*) => {
        #[rustfmt::skip]
        pub(crate) static CONSTRUCTORS: &[Function] = &[$(
            scalar($two, $name, &[Type::$sub, Type::$sub], Type::$range, |_, a| construct(Type::$range.oid, a)).loose(),
            scalar($three, $name, &[Type::$sub, Type::$sub, Type::TEXT], Type::$range, |_, a| construct(Type::$range.oid, a)).loose(),
            scalar($none, $multi, &[], Type::$multirange, |_, _| over(Type::$range.oid, Vec::new())),
            scalar($one, $multi, &[Type::$range], Type::$multirange, |_, a| over(Type::$range.oid, range::parts(a.at(0)).to_vec())),
            scalar($many, $multi, &[Type::$array], Type::$multirange, |_, a| gather(Type::$range.oid, a)).variadic(),
        )*];
    };
}

constructors! {
    "int4range" "int4multirange" INT4RANGE INT4RANGE_ARRAY INT4MULTIRANGE INT4: 3840 3841 4280 4281 4282;
    "numrange" "nummultirange" NUMRANGE NUMRANGE_ARRAY NUMMULTIRANGE NUMERIC: 3844 3845 4283 4284 4285;
    "tsrange" "tsmultirange" TSRANGE TSRANGE_ARRAY TSMULTIRANGE TIMESTAMP: 3933 3934 4286 4287 4288;
    "tstzrange" "tstzmultirange" TSTZRANGE TSTZRANGE_ARRAY TSTZMULTIRANGE TIMESTAMPTZ: 3937 3938 4289 4290 4291;
    "daterange" "datemultirange" DATERANGE DATERANGE_ARRAY DATEMULTIRANGE DATE: 3941 3942 4292 4293 4294;
    "int8range" "int8multirange" INT8RANGE INT8RANGE_ARRAY INT8MULTIRANGE INT8: 3945 3946 4295 4296 4297;
}

/// The constructor of a user's range type: lower, upper, flags (NULL cannot be told from none by the values, so the
/// number of arguments says it), and the type.
pub(crate) static CONSTRUCT: Function = Function {
    oid: 10_000_911,
    name: "range_constructor",
    args: &[E, E, Type::TEXT, Type::OID],
    variadic: false,
    defaults: 0,
    returns: R,
    columns: &[],
    strict: false,
    volatility: Volatility::Immutable,
    body: Body::Scalar(|_, args| match args {
        [bounds @ .., Datum::Oid(typ)] => construct(*typ, bounds),
        _ => Err(Error::internal("a range constructor knows its type")),
    }),
};

/// The constructor of a user's multirange type: ranges, and the range type.
pub(crate) static GATHER: Function = Function {
    oid: 10_000_912,
    name: "multirange_constructor",
    args: &[Type::ANYARRAY, Type::OID],
    returns: M,
    strict: true,
    body: Body::Scalar(|_, args| match args {
        [_, Datum::Oid(typ)] => gather(*typ, args),
        _ => Err(Error::internal("a multirange constructor knows its type")),
    }),
    ..CONSTRUCT
};

fn datum(range: Range) -> Datum {
    Datum::Range(Box::new(range))
}

fn one(args: &[Datum], index: usize) -> Result<&Range> {
    match args.at(index) {
        Datum::Range(range) => Ok(range),
        other => Err(Error::internal(format!("a range was expected: {other:?}"))),
    }
}

fn multirange(args: &[Datum]) -> Result<&Multirange> {
    match args.at(0) {
        Datum::Multirange(value) => Ok(value),
        other => Err(Error::internal(format!("a multirange was expected: {other:?}"))),
    }
}

fn first(args: &[Datum]) -> Option<&Bounds> {
    range::parts(args.at(0)).first()
}

fn last(args: &[Datum]) -> Option<&Bounds> {
    range::parts(args.at(0)).last()
}

/// A range of the first argument's type: at most one is there.
fn single(args: &[Datum], mut ranges: Vec<Bounds>) -> Result<Datum> {
    let typ = one(args, 0)?.typ;
    match ranges.pop() {
        Some((lower, upper)) => range::make(typ, lower, upper).map(datum),
        None => Ok(datum(Range::empty(typ))),
    }
}

/// A multirange of the first argument's type.
fn many(args: &[Datum], ranges: Vec<Bounds>) -> Result<Datum> {
    let value = multirange(args)?;
    let ranges = range::canonical(value.range_typ, ranges)?;
    Ok(Datum::Multirange(Box::new(range::make_multirange(value.typ, value.range_typ, ranges))))
}

fn over(range_typ: Oid, ranges: Vec<Bounds>) -> Result<Datum> {
    Ok(Datum::Multirange(Box::new(range::multirange_over(range_typ, ranges))))
}

macro_rules! tests {
    ($($name:ident $test:ident $left:literal $right:literal;)*) => {$(
        fn $name(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            Ok(Datum::Bool(range::$test(range::parts(args.at($left)), range::parts(args.at($right)))))
        }
    )*};
}

tests! {
    overlaps overlaps 0 1;
    contains contains 0 1;
    contained contains 1 0;
    adjacent adjacent 0 1;
    before before 0 1;
    after before 1 0;
    overleft ends_by 0 1;
    overright begins_with 0 1;
}

fn minus(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let left = range::difference(range::parts(args.at(0)), range::parts(args.at(1)));
    if left.len() > 1 {
        return Err(err!(DATA_EXCEPTION, "result of range difference would not be contiguous"));
    }
    single(args, left)
}

fn merge(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let value = multirange(args)?;
    let bounds = first(args).zip(last(args)).map(|(first, last)| (first.0.clone(), last.1.clone()));
    Ok(datum(Range { typ: value.range_typ, bounds }))
}

fn unnest(_: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let value = multirange(args)?;
    let typ = value.range_typ;
    let ranges = value.ranges.clone();
    Ok(Box::new(ranges.into_iter().map(move |bounds| Ok(datum(Range { typ, bounds: Some(bounds) })))))
}

/// `range_constructor2`, `range_constructor3`.
fn construct(typ: Oid, args: &[Datum]) -> Result<Datum> {
    let (lower, upper) = match args.get(2) {
        None => (true, false),
        Some(Datum::Text(flags)) => match &**flags {
            "[]" => (true, true),
            "[)" => (true, false),
            "(]" => (false, true),
            "()" => (false, false),
            _ => {
                return Err(err!(SYNTAX_ERROR, "invalid range bound flags")
                    .hint("Valid values are \"[]\", \"[)\", \"(]\", and \"()\"."));
            }
        },
        Some(_) => return Err(err!(DATA_EXCEPTION, "range constructor flags argument must not be null")),
    };
    let bound =
        |value: &Datum, inclusive| RangeBound { value: Some(value.clone()).filter(|v| !v.is_null()), inclusive };
    range::make(typ, bound(args.at(0), lower), bound(args.at(1), upper)).map(datum)
}

/// `multirange_constructor2`.
fn gather(range_typ: Oid, args: &[Datum]) -> Result<Datum> {
    let array = args.array(0)?;
    if array.dims.len() > 1 {
        return Err(err!(CARDINALITY_VIOLATION, "multiranges cannot be constructed from multidimensional arrays"));
    }
    if array.values.iter().any(Datum::is_null) {
        return Err(err!(NULL_VALUE_NOT_ALLOWED, "multirange values cannot contain null members"));
    }
    over(range_typ, array.values.iter().flat_map(|value| range::parts(value).to_vec()).collect())
}

#[derive(Debug)]
struct RangeAgg {
    range_typ: Oid,
    ranges: Option<Vec<Bounds>>,
}

fn range_agg(types: &[Type]) -> Box<dyn Accumulator> {
    let typ = types.first().map_or(0, |typ| typ.oid);
    Box::new(RangeAgg { range_typ: types::range_of(typ).unwrap_or(typ), ranges: None })
}

impl Accumulator for RangeAgg {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        self.ranges.get_or_insert_default().extend_from_slice(range::parts(args.at(0)));
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        self.ranges.as_ref().map_or(Ok(Datum::Null), |ranges| over(self.range_typ, ranges.clone()))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.ranges.as_ref().map_or(0, |ranges| ranges.len() * size_of::<Bounds>())
    }
}

#[derive(Debug)]
struct IntersectAgg(Datum);

fn intersect_agg(_: &[Type]) -> Box<dyn Accumulator> {
    Box::new(IntersectAgg(Datum::Null))
}

impl Accumulator for IntersectAgg {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        if self.0.is_null() {
            self.0 = args.at(0).clone();
            return Ok(());
        }
        let both = range::intersection(range::parts(&self.0), range::parts(args.at(0)));
        let pair = [std::mem::take(&mut self.0)];
        self.0 = if matches!(pair[0], Datum::Range(_)) { single(&pair, both)? } else { many(&pair, both)? };
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(self.0.clone())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + size_of_val(range::parts(&self.0))
    }
}
