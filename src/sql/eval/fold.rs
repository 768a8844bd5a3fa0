//! Constant folding: immutable calls on constants are done once.
//!
//! An expression that fails stays as it is: what is around it may fold to something that has no place for it
//! (`CASE WHEN false THEN 1/0 END`). What is left then is asked for its [`failure`].

use crate::document::{Datum, Type};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::{Body, Volatility};
use crate::sql::plan::{CastKind, Expr};

use super::node::grow;

/// The expression with its constant parts computed.
pub fn fold(expr: Expr, context: &EvalContext) -> Expr {
    grow(|| step(expr, context))
}

/// The error of a constant part that is left after folding because it fails. PostgreSQL folds when it plans, so this is
/// the statement's error before it runs, whether or not a row would ever reach the part.
pub fn failure(expr: &Expr, context: &EvalContext) -> Option<Error> {
    if is_ready(expr) { super::constant(expr, &[], context).err() } else { None }
}

/// Whether a node can be computed at once: immutable, over constants.
fn is_ready(expr: &Expr) -> bool {
    match expr {
        Expr::Call { function, args, .. } => {
            function.volatility == Volatility::Immutable
                && matches!(function.body, Body::Scalar(_))
                && args.iter().all(is_const)
        }
        Expr::Cast { input, typ, kind } => {
            is_const(input)
                && match kind {
                    CastKind::InOut => is_stable_text(super::compile::type_of(input).oid) && is_stable_text(typ.oid),
                    CastKind::Array => false,
                    _ => true,
                }
        }
        Expr::Array { elements, .. } => elements.iter().all(is_const),
        _ => false,
    }
}

fn step(expr: Expr, context: &EvalContext) -> Expr {
    let all = |exprs: Vec<Expr>| exprs.into_iter().map(|expr| fold(expr, context)).collect::<Vec<_>>();
    let boxed = |expr: Box<Expr>| Box::new(fold(*expr, context));
    match expr {
        Expr::Call { function, args, typ } => {
            let args = all(args);
            // NULL, whatever the other arguments would be: they are not computed.
            if function.strict && matches!(function.body, Body::Scalar(_)) && args.iter().any(is_null) {
                return Expr::Const(Datum::Null, typ);
            }
            evaluated(Expr::Call { function, args, typ }, typ, context)
        }
        Expr::Cast { input, typ, kind } => evaluated(Expr::Cast { input: boxed(input), typ, kind }, typ, context),
        Expr::And(terms) => connective(all(terms), false),
        Expr::Or(terms) => connective(all(terms), true),
        Expr::Not(input) => {
            let input = boxed(input);
            match *input {
                Expr::Const(Datum::Bool(value), typ) => Expr::Const(Datum::Bool(!value), typ),
                Expr::Const(Datum::Null, typ) => Expr::Const(Datum::Null, typ),
                _ => Expr::Not(input),
            }
        }
        Expr::IsNull(input, negated) => Expr::IsNull(boxed(input), negated),
        Expr::IsBool(input, value, negated) => Expr::IsBool(boxed(input), value, negated),
        Expr::IsDistinct { left, right, equal, negated } => {
            Expr::IsDistinct { left: boxed(left), right: boxed(right), equal, negated }
        }
        Expr::Case { whens, otherwise, typ } => case(whens, otherwise, typ, context),
        Expr::Coalesce(args, typ) => coalesce(all(args), typ),
        Expr::NullIf { left, condition, typ } => Expr::NullIf { left: boxed(left), condition: boxed(condition), typ },
        Expr::MinMax { greatest, args, less, typ } => Expr::MinMax { greatest, args: all(args), less, typ },
        Expr::AnyAll { all, left, operator, array } => {
            Expr::AnyAll { all, left: boxed(left), operator, array: boxed(array) }
        }
        Expr::InList { left, list, equal, negated } => {
            let left = boxed(left);
            if is_null(&left) && !list.is_empty() {
                return Expr::Const(Datum::Null, Type::BOOL);
            }
            Expr::InList { left, list: all(list), equal, negated }
        }
        Expr::Array { elements, nested, typ, element } => {
            evaluated(Expr::Array { elements: all(elements), nested, typ, element }, typ, context)
        }
        Expr::Row { fields, names, typ } => Expr::Row { fields: all(fields), names, typ },
        Expr::Field { input, index, typ } => Expr::Field { input: boxed(input), index, typ },
        other => other,
    }
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Const(Datum::Null, _))
}

fn is_const(expr: &Expr) -> bool {
    matches!(expr, Expr::Const(..))
}

/// The constant that a node is, if it is one.
fn evaluated(expr: Expr, typ: Type, context: &EvalContext) -> Expr {
    if !is_ready(&expr) {
        return expr;
    }
    let value: Result<Datum> = super::constant(&expr, &[], context);
    match value {
        Ok(value) => Expr::Const(value, typ),
        Err(_) => expr,
    }
}

/// Types whose text form depends on no setting.
fn is_stable_text(oid: u32) -> bool {
    matches!(
        Type::new(oid),
        Type::BOOL
            | Type::INT2
            | Type::INT4
            | Type::INT8
            | Type::NUMERIC
            | Type::TEXT
            | Type::VARCHAR
            | Type::BPCHAR
            | Type::NAME
            | Type::CHAR
            | Type::UUID
            | Type::JSON
            | Type::JSONB
            | Type::OID
            | Type::UNKNOWN
    )
}

fn connective(terms: Vec<Expr>, decisive: bool) -> Expr {
    let mut kept = Vec::with_capacity(terms.len());
    for term in terms {
        match term {
            Expr::Const(Datum::Bool(value), typ) if value == decisive => return Expr::Const(Datum::Bool(value), typ),
            Expr::Const(Datum::Bool(_), _) => {}
            other => kept.push(other),
        }
    }
    match kept.len() {
        0 => Expr::Const(Datum::Bool(!decisive), Type::BOOL),
        1 => kept.swap_remove(0),
        _ if decisive => Expr::Or(kept),
        _ => Expr::And(kept),
    }
}

fn case(whens: Vec<(Expr, Expr)>, otherwise: Option<Box<Expr>>, typ: Type, context: &EvalContext) -> Expr {
    let mut kept = Vec::with_capacity(whens.len());
    let mut otherwise = otherwise;
    for (condition, result) in whens {
        match fold(condition, context) {
            Expr::Const(Datum::Bool(true), _) => {
                otherwise = Some(Box::new(result));
                break;
            }
            Expr::Const(..) => {}
            condition => kept.push((condition, fold(result, context))),
        }
    }
    let otherwise = otherwise.map(|expr| Box::new(fold(*expr, context)));
    if !kept.is_empty() {
        return Expr::Case { whens: kept, otherwise, typ };
    }
    otherwise.map_or(Expr::Const(Datum::Null, typ), |expr| *expr)
}

fn coalesce(args: Vec<Expr>, typ: Type) -> Expr {
    let mut kept: Vec<Expr> = Vec::with_capacity(args.len());
    for arg in args {
        match arg {
            Expr::Const(Datum::Null, _) => {}
            Expr::Const(..) => {
                kept.push(arg);
                break;
            }
            other => kept.push(other),
        }
    }
    match kept.len() {
        0 => Expr::Const(Datum::Null, typ),
        1 if is_const(&kept[0]) => kept.swap_remove(0),
        _ => Expr::Coalesce(kept, typ),
    }
}
