//! generate_series, generate_subscripts and unnest, lazily.

use std::sync::Arc;

use crate::document::{Datum, Numeric, Oid, Record, Type};
use crate::err;
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, Rows, set};

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    set(1067, "generate_series", &[Type::INT4, Type::INT4], Type::INT4, series_int4),
    set(1066, "generate_series", &[Type::INT4, Type::INT4, Type::INT4], Type::INT4, series_int4),
    set(1069, "generate_series", &[Type::INT8, Type::INT8], Type::INT8, series_int8),
    set(1068, "generate_series", &[Type::INT8, Type::INT8, Type::INT8], Type::INT8, series_int8),
    set(3260, "generate_series", &[Type::NUMERIC, Type::NUMERIC], Type::NUMERIC, series_numeric),
    set(3259, "generate_series", &[Type::NUMERIC, Type::NUMERIC, Type::NUMERIC], Type::NUMERIC, series_numeric),
    set(1192, "generate_subscripts", &[Type::ANYARRAY, Type::INT4], Type::INT4, subscripts),
    set(1191, "generate_subscripts", &[Type::ANYARRAY, Type::INT4, Type::BOOL], Type::INT4, subscripts),
    // In information_schema. PostgreSQL's takes any array; these are what catalogs have, and drivers ask with.
    set(13145, "_pg_expandarray", &[Type::INT2VECTOR], Type::RECORD, numbered).columns(&NUMBERED),
    set(13146, "_pg_expandarray", &[Type::INT2_ARRAY], Type::RECORD, numbered).columns(&NUMBERED),
    set(2331, "unnest", &[Type::ANYARRAY], Type::ANYELEMENT, unnest),
];

/// Rows between two looks at the interrupt flag.
const INTERRUPT_ROWS: u32 = 1024;

/// Asks the host every [`INTERRUPT_ROWS`] rows whether to go on.
pub(crate) struct Interruptible<I> {
    rows: I,
    context: EvalContext,
    made: u32,
}

/// Makes a long set stop when the statement is cancelled.
pub(crate) fn interruptible<I>(context: &EvalContext, rows: I) -> Rows
where
    I: Iterator<Item = Result<Datum>> + Send + 'static,
{
    Box::new(Interruptible { rows, context: context.clone(), made: 0 })
}

impl<I: Iterator<Item = Result<Datum>>> Iterator for Interruptible<I> {
    type Item = Result<Datum>;

    fn next(&mut self) -> Option<Result<Datum>> {
        self.made += 1;
        if self.made >= INTERRUPT_ROWS {
            self.made = 0;
            if let Err(error) = self.context.host.check_interrupt() {
                return Some(Err(error));
            }
        }
        self.rows.next()
    }
}

/// start, start + step, ... up to and including stop; ends quietly where the integer type does.
fn integers(start: i64, stop: i64, step: i64) -> Result<impl Iterator<Item = i64> + Send> {
    if step == 0 {
        return Err(err!(INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
    }
    let within = move |value: &i64| if step > 0 { *value <= stop } else { *value >= stop };
    Ok(std::iter::successors(Some(start), move |value| value.checked_add(step)).take_while(within))
}

fn optional_step(args: &[Datum]) -> Result<i64> {
    if args.len() > 2 { args.int8(2) } else { Ok(1) }
}

fn series_int4(context: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let rows = integers(args.int8(0)?, args.int8(1)?, optional_step(args)?)?;
    Ok(interruptible(context, rows.map(|value| Ok(Datum::Int4(value as i32)))))
}

fn series_int8(context: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let rows = integers(args.int8(0)?, args.int8(1)?, optional_step(args)?)?;
    Ok(interruptible(context, rows.map(|value| Ok(Datum::Int8(value)))))
}

fn series_numeric(context: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let step = if args.len() > 2 { args.numeric(2)?.clone() } else { Numeric::from_i64(1) };
    let (start, stop) = (args.numeric(0)?.clone(), args.numeric(1)?.clone());
    for (value, what) in [(&start, "start value"), (&stop, "stop value"), (&step, "step size")] {
        if value.is_nan() {
            return Err(err!(INVALID_PARAMETER_VALUE, "{what} cannot be NaN"));
        }
        if value.is_infinite() {
            return Err(err!(INVALID_PARAMETER_VALUE, "{what} cannot be infinity"));
        }
    }
    let zero = Numeric::from_i64(0);
    if step.cmp(&zero).is_eq() {
        return Err(err!(INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
    }
    let upwards = step.cmp(&zero).is_gt();
    let mut next = Some(start);
    let rows = std::iter::from_fn(move || {
        let current =
            next.take().filter(|value| if upwards { value.cmp(&stop).is_le() } else { value.cmp(&stop).is_ge() })?;
        Some(match current.add(&step) {
            Ok(following) => {
                next = Some(following);
                Ok(Datum::Numeric(current))
            }
            Err(error) => Err(error),
        })
    });
    Ok(interruptible(context, rows))
}

fn subscripts(context: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let (array, dimension) = (args.array(0)?, args.int4(1)?);
    let backwards = args.len() > 2 && args.bool(2)?;
    let Some((length, lower)) = usize::try_from(dimension - 1).ok().and_then(|index| array.dims.get(index)).copied()
    else {
        return Ok(Box::new(std::iter::empty()));
    };
    let upper = lower + length - 1;
    let rows = (lower..=upper).map(move |value| if backwards { lower + (upper - value) } else { value });
    Ok(interruptible(context, rows.map(|value| Ok(Datum::Int4(value)))))
}

/// What `_pg_expandarray` gives.
const NUMBERED: [(&str, Type); 2] = [("x", Type::INT2), ("n", Type::INT4)];

/// The elements with their numbers from 1.
fn numbered(context: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let fields: Arc<[(Box<str>, Oid)]> = NUMBERED.iter().map(|(name, typ)| ((*name).into(), typ.oid)).collect();
    let values = args.array(0)?.values.clone();
    let rows = values.into_iter().zip(1..).map(move |(value, number)| {
        Ok(Datum::Record(Box::new(Record { fields: fields.clone(), values: vec![value, Datum::Int4(number)] })))
    });
    Ok(interruptible(context, rows))
}

fn unnest(context: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let values = args.array(0)?.values.clone();
    Ok(interruptible(context, values.into_iter().map(Ok)))
}
