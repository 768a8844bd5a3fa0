//! enum_first, enum_last, enum_range; min and max of enums.

use crate::document::{Array, Datum, Oid, Type};
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::aggregates::extremes::{max, min};
use crate::sql::functions::define::{Args, aggregate, scalar};
use crate::sql::user_types;

const E: Type = Type::ANYENUM;

// The binder adds the type as a last argument: it is asked for of NULLs.
#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(3528, "enum_first", &[E], E, |c, a| Ok(labels(c, a).into_iter().next().unwrap_or_default())).loose().stable(),
    scalar(3529, "enum_last", &[E], E, |c, a| Ok(labels(c, a).pop().unwrap_or_default())).loose().stable(),
    scalar(3530, "enum_range", &[E, E], Type::ANYARRAY, between).loose().stable(),
    scalar(3531, "enum_range", &[E], Type::ANYARRAY, |c, a| Ok(array(a, labels(c, a)))).loose().stable(),
    scalar(3524, "enum_smaller", &[E, E], E, |_, a| Ok(if order(a.at(0)) < order(a.at(1)) { a.at(0).clone() } else { a.at(1).clone() })),
    scalar(3525, "enum_larger", &[E, E], E, |_, a| Ok(if order(a.at(0)) > order(a.at(1)) { a.at(0).clone() } else { a.at(1).clone() })),
    aggregate(3526, "max", &[E], E, max),
    aggregate(3527, "min", &[E], E, min),
];

fn type_of(args: &[Datum]) -> Oid {
    match args.last() {
        Some(Datum::Oid(oid)) => *oid,
        _ => 0,
    }
}

fn order(value: &Datum) -> Option<i64> {
    match value {
        Datum::Enum(_, order) => Some(*order),
        _ => None,
    }
}

fn labels(context: &EvalContext, args: &[Datum]) -> Vec<Datum> {
    let typ = type_of(args);
    let catalog = context.host.catalog();
    user_types::labels(&catalog, typ).into_iter().map(|(_, order)| Datum::Enum(typ, order)).collect()
}

fn array(args: &[Datum], values: Vec<Datum>) -> Datum {
    Datum::Array(Box::new(Array::new(type_of(args), values)))
}

fn between(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (from, to) = (order(args.at(0)), order(args.at(1)));
    let inside = |value: &Datum| {
        let order = order(value);
        from.is_none_or(|from| order >= Some(from)) && to.is_none_or(|to| order <= Some(to))
    };
    Ok(array(args, labels(context, args).into_iter().filter(inside).collect()))
}
