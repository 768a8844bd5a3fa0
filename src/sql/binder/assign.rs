//! `SET doc['a'] = value`, `SET list[1] = value`: the column's value with a part replaced.
//!
//! PostgreSQL has no functions for it, so these two are ours; they are calls of the plan like any other.

use sqlparser::ast;

use crate::document::jsonb::ops;
use crate::document::{Array, Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::{Body, Function, Volatility};
use crate::sql::functions::define::check_length;
use crate::sql::parser::ident;
use crate::sql::plan::{CastKind, Expr, Subscript};
use crate::sql::statement::{Target, TargetStep};
use crate::sql::{types, user_types};
use crate::storage::catalog::Column;

use super::Binder;
use super::coerce::Context;
use super::scope::Scope;

/// Elements that an array may have, as in PostgreSQL.
const ELEMENTS_MAX: i64 = 134_217_727;

/// (document, path, value, whether the first subscript is an integer).
static JSONB_ASSIGN: Function = Function {
    oid: 10_000_901,
    name: "jsonb_assign_subscript",
    args: &[Type::JSONB, Type::TEXT_ARRAY, Type::JSONB, Type::BOOL],
    variadic: false,
    defaults: 0,
    returns: Type::JSONB,
    columns: &[],
    strict: false,
    volatility: Volatility::Immutable,
    body: Body::Scalar(jsonb_assign),
};

/// (array, subscripts, value, element type).
static ARRAY_ASSIGN: Function = Function {
    oid: 10_000_902,
    name: "array_assign_element",
    args: &[Type::ANYARRAY, Type::INT4_ARRAY, Type::ANYELEMENT, Type::OID],
    variadic: false,
    defaults: 0,
    returns: Type::ANYARRAY,
    columns: &[],
    strict: false,
    volatility: Volatility::Immutable,
    body: Body::Scalar(array_assign),
};

/// (array, lower bounds, upper bounds, which of them are given, value, element type): a letter for each dimension,
/// `l` for the lower bound only, `u` for the upper, `b` for both, `n` for none.
static ARRAY_ASSIGN_SLICE: Function = Function {
    oid: 10_000_903,
    name: "array_assign_slice",
    args: &[Type::ANYARRAY, Type::INT4_ARRAY, Type::INT4_ARRAY, Type::TEXT, Type::ANYARRAY, Type::OID],
    variadic: false,
    defaults: 0,
    returns: Type::ANYARRAY,
    columns: &[],
    strict: false,
    volatility: Volatility::Immutable,
    body: Body::Scalar(array_assign_slice),
};

/// A value to be assigned, and where it stands.
pub(super) type Assigned = (Expr, u32);

impl Binder<'_> {
    /// The column's new value when `value` is assigned to a part of it; `base` is its value before.
    pub(super) fn assigned_part(
        &mut self,
        base: Expr,
        target: &Target,
        value: Assigned,
        column: &Column,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let place = Place { name: column.name.clone(), position: self.at(target.column.span), subscripted: false };
        self.part(base, column.declared(), &target.path, value, place, scope)
    }

    /// The declared type of a part of a column.
    pub(super) fn part_type(&self, target: &Target, column: &Column) -> Result<Type> {
        let mut declared = column.declared();
        let mut place = Place { name: column.name.clone(), position: self.at(target.column.span), subscripted: false };
        let mut path = target.path.as_slice();
        while let Some((step, rest)) = path.split_first() {
            let typ = self.base(declared);
            (declared, path) = match step {
                TargetStep::Field(name) => {
                    let (_, field) = self.assigned_field(typ, name, &place)?;
                    place = Place { name: ident(name), ..place };
                    (field, rest)
                }
                _ => {
                    let count = subscript_count(path);
                    (self.subscripted_type(typ, &path[..count], &place)?, &path[count..])
                }
            };
        }
        Ok(declared)
    }

    /// Which field of a composite type a path names: its position and type.
    fn assigned_field(&self, typ: Type, name: &ast::Ident, place: &Place) -> Result<(usize, Type)> {
        let field = ident(name);
        let Some(fields) = user_types::fields(&self.catalog, typ.oid) else {
            return Err(err!(
                DATATYPE_MISMATCH,
                "cannot assign to field \"{field}\" of column \"{}\" because its type {} is not a composite type",
                place.name,
                self.type_name(typ.oid)
            )
            .at(place.position));
        };
        match fields.iter().position(|(known, _)| *known == field) {
            Some(index) => Ok((index, fields[index].1)),
            None => Err(err!(
                UNDEFINED_COLUMN,
                "cannot assign to field \"{field}\" of column \"{}\" because there is no such column in data type {}",
                place.name,
                self.type_name(typ.oid)
            )
            .at(place.position)),
        }
    }

    /// The type of what subscripts of an array or a document name: an element, or for slices the array's own.
    fn subscripted_type(&self, typ: Type, steps: &[TargetStep], place: &Place) -> Result<Type> {
        let slice = steps.iter().find(|step| matches!(step, TargetStep::Slice(..)));
        if typ.oid == Type::JSONB.oid {
            return match slice {
                Some(TargetStep::Slice(lower, upper)) => {
                    let position =
                        upper.as_ref().or(lower.as_ref()).map_or(place.position, |bound| self.expr_at(bound));
                    Err(err!(DATATYPE_MISMATCH, "jsonb subscript does not support slices").at(position))
                }
                _ => Ok(Type::JSONB),
            };
        }
        let Some(element) = types::element_of(typ.oid) else {
            return Err(err!(
                DATATYPE_MISMATCH,
                "cannot subscript type {} because it does not support subscripting",
                self.type_name(typ.oid)
            )
            .at(place.position));
        };
        Ok(if slice.is_some() { Type::new(typ.oid) } else { Type::new(element) })
    }

    /// A value of a type with a field, elements or a path replaced, as deep as the path goes.
    fn part(
        &mut self,
        base: Expr,
        declared: Type,
        path: &[TargetStep],
        value: Assigned,
        place: Place,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let typ = self.base(declared);
        let Some((step, rest)) = path.split_first() else { return self.leaf(value, declared, &place) };
        let made = match step {
            TargetStep::Field(name) => {
                let (index, _) = self.assigned_field(typ, name, &place)?;
                let fields = user_types::fields(&self.catalog, typ.oid).unwrap_or_default();
                let place = Place { name: ident(name), position: place.position, subscripted: false };
                let mut replaced = Some((value, place));
                let mut values = Vec::with_capacity(fields.len());
                for (i, (_, field)) in fields.iter().enumerate() {
                    let old = Expr::Field { input: Box::new(base.clone()), index: i, typ: self.base(*field) };
                    values.push(match replaced.take_if(|_| i == index) {
                        Some((value, place)) => self.part(old, *field, rest, value, place, scope)?,
                        None => old,
                    });
                }
                let names = fields.iter().map(|(name, field)| (name.as_str().into(), self.base(*field).oid)).collect();
                Expr::Row { fields: values, names, typ: Type::new(typ.oid) }
            }
            _ => {
                let count = subscript_count(path);
                self.subscripted(base, typ, path.split_at(count), value, place, scope)?
            }
        };
        Ok(match user_types::is_checked(declared.oid) {
            true => super::coerce::domain_check(made, declared),
            false => made,
        })
    }

    /// The value itself, as the part is declared.
    fn leaf(&mut self, (bound, at): Assigned, declared: Type, place: &Place) -> Result<Expr> {
        let from = bound.typ().oid;
        if let Some(expr) = self.coerce_to(bound, declared, Context::Assignment, at)? {
            return Ok(expr);
        }
        let (wanted, given) = (self.type_name(declared.oid), self.type_name(from));
        let error = match place.subscripted {
            true => err!(
                DATATYPE_MISMATCH,
                "subscripted assignment to \"{}\" requires type {wanted} but expression is of type {given}",
                place.name
            ),
            false => err!(
                DATATYPE_MISMATCH,
                "subfield \"{}\" is of type {wanted} but expression is of type {given}",
                place.name
            ),
        };
        Err(error.hint("You will need to rewrite or cast the expression.").at(place.position))
    }

    /// A value with what some subscripts name replaced.
    fn subscripted(
        &mut self,
        base: Expr,
        typ: Type,
        (steps, rest): (&[TargetStep], &[TargetStep]),
        value: Assigned,
        place: Place,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let inner = self.subscripted_type(typ, steps, &place)?;
        let place = Place { subscripted: true, ..place };
        let is_jsonb = typ.oid == Type::JSONB.oid;
        if steps.iter().any(|step| matches!(step, TargetStep::Slice(..))) {
            return self.sliced(base, typ, (steps, rest), value, place, scope);
        }
        let mut subscripts = Vec::with_capacity(steps.len());
        for step in steps {
            if let TargetStep::Index(index) = step {
                let bound = self.expr(index, scope)?;
                subscripts.push(self.subscript_index(bound, is_jsonb, index)?);
            }
        }
        let old = Expr::Subscript {
            input: Box::new(base.clone()),
            subscripts: subscripts.iter().cloned().map(Subscript::Index).collect(),
            typ: inner,
        };
        let new = self.part(old, inner, rest, value, place, scope)?;
        if is_jsonb {
            let first_is_integer = subscripts.first().is_some_and(|s| s.typ() == Type::INT4);
            let as_text = |expr: Expr| match expr.typ() {
                Type::INT4 => Expr::Cast { input: Box::new(expr), typ: Type::TEXT, kind: CastKind::InOut },
                _ => expr,
            };
            let elements = subscripts.into_iter().map(as_text).collect();
            let path = Expr::Array { elements, nested: false, typ: Type::TEXT_ARRAY, element: Type::TEXT };
            let args = vec![base, path, new, Expr::bool(first_is_integer)];
            return Ok(Expr::Call { function: &JSONB_ASSIGN, args, typ: Type::JSONB });
        }
        let args = vec![base, int4_array(subscripts), new, Expr::Const(Datum::Oid(inner.oid), Type::OID)];
        Ok(Expr::Call { function: &ARRAY_ASSIGN, args, typ: Type::new(typ.oid) })
    }

    /// An array with a slice replaced.
    fn sliced(
        &mut self,
        base: Expr,
        typ: Type,
        (steps, rest): (&[TargetStep], &[TargetStep]),
        value: Assigned,
        place: Place,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let (mut lowers, mut uppers, mut given) = (Vec::new(), Vec::new(), String::new());
        let mut old = Vec::new();
        for step in steps {
            let one = Expr::Const(Datum::Int4(1), Type::INT4);
            let bound = |binder: &mut Self, index: &ast::Expr| {
                let bound = binder.expr(index, scope)?;
                binder.subscript_index(bound, false, index)
            };
            // Among slices a plain subscript is the upper bound of a slice from 1.
            let (lower, upper) = match step {
                TargetStep::Index(index) => (Some(one.clone()), Some(bound(self, index)?)),
                TargetStep::Slice(lower, upper) => {
                    let lower = lower.as_ref().map(|index| bound(self, index)).transpose()?;
                    (lower, upper.as_ref().map(|index| bound(self, index)).transpose()?)
                }
                TargetStep::Field(_) => return Err(malformed()),
            };
            given.push(match (&lower, &upper) {
                (Some(_), Some(_)) => 'b',
                (Some(_), None) => 'l',
                (None, Some(_)) => 'u',
                (None, None) => 'n',
            });
            old.push(Subscript::Slice(lower.clone(), upper.clone()));
            lowers.push(lower.unwrap_or_else(|| one.clone()));
            uppers.push(upper.unwrap_or(one));
        }
        let whole = Type::new(typ.oid);
        let old = Expr::Subscript { input: Box::new(base.clone()), subscripts: old, typ: whole };
        let new = self.part(old, whole, rest, value, place, scope)?;
        let element = Expr::Const(Datum::Oid(types::element_of(typ.oid).unwrap_or_default()), Type::OID);
        let given = Expr::Const(Datum::text(given), Type::TEXT);
        let args = vec![base, int4_array(lowers), int4_array(uppers), given, new, element];
        Ok(Expr::Call { function: &ARRAY_ASSIGN_SLICE, args, typ: whole })
    }
}

/// What is assigned to, for messages.
struct Place {
    /// The column, or the field that the path has come to.
    name: String,
    position: u32,
    /// The last step was a subscript.
    subscripted: bool,
}

/// How many subscripts a path begins with.
fn subscript_count(path: &[TargetStep]) -> usize {
    path.iter().take_while(|step| !matches!(step, TargetStep::Field(_))).count()
}

fn int4_array(elements: Vec<Expr>) -> Expr {
    Expr::Array { elements, nested: false, typ: Type::INT4_ARRAY, element: Type::INT4 }
}

/// Whether an assigned value is a part put into the column's value.
pub(super) fn is_part(value: &Expr) -> bool {
    match value {
        Expr::Call { function, .. } => {
            *function == &JSONB_ASSIGN || *function == &ARRAY_ASSIGN || *function == &ARRAY_ASSIGN_SLICE
        }
        Expr::Row { typ, .. } => types::is_composite(typ.oid),
        Expr::Cast { input, kind: CastKind::Domain(_), .. } => is_part(input),
        _ => false,
    }
}

fn malformed() -> Error {
    Error::internal("an assignment to a part has its arguments as the binder made them")
}

fn jsonb_assign(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let [document, Datum::Array(path), value, Datum::Bool(first_is_integer)] = args else { return Err(malformed()) };
    let mut steps = Vec::with_capacity(path.values.len());
    for step in &path.values {
        match step {
            Datum::Text(step) => steps.push(Some(&**step)),
            _ => {
                return Err(err!(NULL_VALUE_NOT_ALLOWED, "jsonb subscript in assignment must not be null"));
            }
        }
    }
    let document = match document {
        Datum::Jsonb(document) => Some(document),
        _ => None,
    };
    // An SQL NULL is stored as JSON's null.
    let null = crate::document::Jsonb::parse("null")?;
    let value = match value {
        Datum::Jsonb(value) => value,
        _ => &null,
    };
    let document = document.map(|document| document.as_ref());
    ops::set_subscript(document, &steps, *first_is_integer, value.as_ref()).map(Datum::Jsonb)
}

/// The integers of an array of subscripts, none of which may be NULL.
fn subscripts_of(path: &Array) -> Result<Vec<i32>> {
    let one = |step: &Datum| match step {
        Datum::Int4(step) => Ok(*step),
        _ => Err(err!(NULL_VALUE_NOT_ALLOWED, "array subscript in assignment must not be null")),
    };
    path.values.iter().map(one).collect()
}

fn too_large() -> Error {
    err!(PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed ({ELEMENTS_MAX})")
}

/// Refuses an array of so many elements if the session may not use the memory that it takes.
fn grown(context: &EvalContext, items: usize) -> Result<()> {
    check_length(context, items.saturating_mul(std::mem::size_of::<Datum>()))
}

/// How many items some dimensions have.
fn items_of(lengths: impl Iterator<Item = i64>) -> Result<usize> {
    let mut items: i64 = 1;
    for length in lengths {
        items = items.checked_mul(length).filter(|items| *items <= ELEMENTS_MAX).ok_or_else(too_large)?;
    }
    usize::try_from(items).map_err(|_| too_large())
}

fn array_assign_slice(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let [array, Datum::Array(lowers), Datum::Array(uppers), Datum::Text(given), source, Datum::Oid(element)] = args
    else {
        return Err(malformed());
    };
    let mut lower: Vec<i64> = subscripts_of(lowers)?.into_iter().map(i64::from).collect();
    let mut upper: Vec<i64> = subscripts_of(uppers)?.into_iter().map(i64::from).collect();
    let given = given.as_bytes();
    let mut array = match array {
        Datum::Array(array) => (**array).clone(),
        _ => Array::new(*element, Vec::new()),
    };
    // Assigning NULL to a slice changes nothing.
    let Datum::Array(source) = source else { return Ok(Datum::Array(array.into())) };
    let too_small = || err!(ARRAY_SUBSCRIPT_ERROR, "source array too small");
    if array.dims.is_empty() {
        if given.iter().any(|which| *which != b'b') {
            return Err(err!(ARRAY_SUBSCRIPT_ERROR, "array slice subscript must provide both boundaries").detail(
                "When assigning to a slice of an empty array value, slice boundaries must be fully specified.",
            ));
        }
        let lengths = || lower.iter().zip(&upper).map(|(lower, upper)| (upper - lower + 1).max(0));
        let items = items_of(lengths())?;
        if source.values.len() < items {
            return Err(too_small());
        }
        if items > 0 {
            let length = |n: i64| i32::try_from(n).map_err(|_| too_large());
            let dims = lengths().zip(&lower).map(|(n, lower)| Ok((length(n)?, length(*lower)?)));
            array.dims = dims.collect::<Result<_>>()?;
            array.values = source.values[..items].to_vec();
        }
        return Ok(Datum::Array(array.into()));
    }
    if array.dims.len() < lower.len() {
        return Err(err!(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts"));
    }
    let last = |(length, lower): &(i32, i32)| i64::from(*lower) + i64::from(*length) - 1;
    for (i, which) in given.iter().enumerate() {
        if matches!(which, b'l' | b'n') {
            upper[i] = last(&array.dims[i]);
        }
        if matches!(which, b'u' | b'n') {
            lower[i] = i64::from(array.dims[i].1);
        }
        if lower[i] > upper[i] {
            return Err(err!(ARRAY_SUBSCRIPT_ERROR, "upper bound cannot be less than lower bound"));
        }
    }
    if let [dim] = array.dims.as_slice() {
        let first = lower[0].min(i64::from(dim.1));
        let count = upper[0].max(last(dim)) - first + 1;
        let items = items_of([count].into_iter())?;
        let span = usize::try_from(upper[0] - lower[0] + 1).map_err(|_| too_large())?;
        if source.values.len() < span {
            return Err(too_small());
        }
        grown(context, items)?;
        let before = usize::try_from(i64::from(dim.1) - first).unwrap_or(0);
        array.values.splice(0..0, std::iter::repeat_n(Datum::Null, before));
        array.values.resize(items, Datum::Null);
        let at = usize::try_from(lower[0] - first).unwrap_or(0);
        array.values[at..at + span].clone_from_slice(&source.values[..span]);
        array.dims = vec![(i32::try_from(count).unwrap_or(0), i32::try_from(first).unwrap_or(1))];
        return Ok(Datum::Array(array.into()));
    }
    for (i, dim) in array.dims.iter().enumerate() {
        match (lower.get(i), upper.get(i)) {
            (Some(from), Some(to)) => {
                if *from < i64::from(dim.1) || *to > last(dim) {
                    return Err(err!(ARRAY_SUBSCRIPT_ERROR, "array subscript out of range"));
                }
            }
            // Dimensions without a subscript are meant whole.
            _ => {
                lower.push(i64::from(dim.1));
                upper.push(last(dim));
            }
        }
    }
    let span = items_of(lower.iter().zip(&upper).map(|(lower, upper)| upper - lower + 1))?;
    if source.values.len() < span {
        return Err(too_small());
    }
    let mut at = lower.clone();
    for value in &source.values[..span] {
        let mut offset = 0usize;
        for ((length, first), index) in array.dims.iter().zip(&at) {
            let within = usize::try_from(index - i64::from(*first)).unwrap_or(0);
            offset = offset * usize::try_from(*length).unwrap_or(0) + within;
        }
        array.values[offset] = value.clone();
        // The next place in row-major order.
        for i in (0..at.len()).rev() {
            at[i] += 1;
            if at[i] <= upper[i] {
                break;
            }
            at[i] = lower[i];
        }
    }
    Ok(Datum::Array(array.into()))
}

fn array_assign(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let [array, Datum::Array(path), value, Datum::Oid(element)] = args else { return Err(malformed()) };
    let at = subscripts_of(path)?;
    let mut array = match array {
        Datum::Array(array) => (**array).clone(),
        _ => Array::new(*element, Vec::new()),
    };
    if array.dims.is_empty() {
        array.dims = at.iter().map(|index| (1, *index)).collect();
        array.values = vec![value.clone()];
        return Ok(Datum::Array(array.into()));
    }
    if array.dims.len() != at.len() {
        return Err(err!(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts"));
    }
    if let ([(length, lower)], [index]) = (array.dims.as_slice(), at.as_slice()) {
        let (lower, index) = (i64::from(*lower), i64::from(*index));
        let (first, last) = (lower.min(index), (lower + i64::from(*length) - 1).max(index));
        let count = last - first + 1;
        if count > ELEMENTS_MAX {
            return Err(too_large());
        }
        grown(context, usize::try_from(count).unwrap_or(usize::MAX))?;
        let before = usize::try_from(lower - first).unwrap_or(0);
        array.values.splice(0..0, std::iter::repeat_n(Datum::Null, before));
        array.values.resize(usize::try_from(count).unwrap_or(0), Datum::Null);
        let slot = usize::try_from(index - first).unwrap_or(0);
        array.values[slot] = value.clone();
        array.dims = vec![(i32::try_from(count).unwrap_or(0), i32::try_from(first).unwrap_or(1))];
        return Ok(Datum::Array(array.into()));
    }
    let mut offset = 0usize;
    for ((length, lower), index) in array.dims.iter().zip(&at) {
        let within = i64::from(*index) - i64::from(*lower);
        if within < 0 || within >= i64::from(*length) {
            return Err(err!(ARRAY_SUBSCRIPT_ERROR, "array subscript out of range"));
        }
        offset = offset * usize::try_from(*length).unwrap_or(0) + usize::try_from(within).unwrap_or(0);
    }
    array.values[offset] = value.clone();
    Ok(Datum::Array(array.into()))
}
