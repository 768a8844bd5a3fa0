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

impl Binder<'_> {
    /// The column's new value when `value` is assigned to a part of it; `base` is its value before.
    pub(super) fn assigned_part(
        &mut self,
        base: Expr,
        target: &Target,
        value: &ast::Expr,
        column: &Column,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let position = self.at(target.column.span);
        if target.path.iter().any(|step| matches!(step, TargetStep::Field(_))) {
            return self.part(base, column.declared(), &target.path, value, (column, position), scope);
        }
        let is_jsonb = column.typ.oid == Type::JSONB.oid;
        let element = if is_jsonb { Some(Type::JSONB.oid) } else { types::element_of(column.typ.oid) };
        let Some(element) = element else {
            return Err(err!(
                DATATYPE_MISMATCH,
                "cannot subscript type {} because it does not support subscripting",
                self.type_name(column.typ.oid)
            )
            .at(position));
        };
        let mut subscripts = Vec::with_capacity(target.path.len());
        for step in &target.path {
            match step {
                TargetStep::Index(index) => {
                    let bound = self.expr(index, scope)?;
                    subscripts.push(self.subscript_index(bound, is_jsonb, index)?);
                }
                TargetStep::Slice(..) => return Err(Error::unsupported("assignment to an array slice").at(position)),
                TargetStep::Field(name) => {
                    return Err(err!(
                        DATATYPE_MISMATCH,
                        "cannot assign to field \"{}\" of column \"{}\" because its type {} is not a composite type",
                        ident(name),
                        column.name,
                        self.type_name(column.typ.oid)
                    )
                    .at(position));
                }
            }
        }
        let value_at = self.expr_at(value);
        let bound = self.expr(value, scope)?;
        let from = bound.typ().oid;
        let Some(value) = self.coerce_to(bound, Type::new(element), Context::Assignment, value_at)? else {
            return Err(err!(
                DATATYPE_MISMATCH,
                "subscripted assignment to \"{}\" requires a value of type {} but expression is of type {}",
                column.name,
                self.type_name(element),
                self.type_name(from)
            )
            .hint("You will need to rewrite or cast the expression.")
            .at(value_at));
        };
        if is_jsonb {
            let first_is_integer = subscripts.first().is_some_and(|s| s.typ() == Type::INT4);
            let as_text = |expr: Expr| match expr.typ() {
                Type::INT4 => Expr::Cast { input: Box::new(expr), typ: Type::TEXT, kind: CastKind::InOut },
                _ => expr,
            };
            let elements = subscripts.into_iter().map(as_text).collect();
            let path = Expr::Array { elements, nested: false, typ: Type::TEXT_ARRAY, element: Type::TEXT };
            let args = vec![base, path, value, Expr::bool(first_is_integer)];
            return Ok(Expr::Call { function: &JSONB_ASSIGN, args, typ: Type::JSONB });
        }
        let path = Expr::Array { elements: subscripts, nested: false, typ: Type::INT4_ARRAY, element: Type::INT4 };
        let args = vec![base, path, value, Expr::Const(Datum::Oid(element), Type::OID)];
        Ok(Expr::Call { function: &ARRAY_ASSIGN, args, typ: Type::new(column.typ.oid) })
    }
}

impl Binder<'_> {
    /// A value of a type with a field or element replaced, as deep as the path goes.
    fn part(
        &mut self,
        base: Expr,
        declared: Type,
        path: &[TargetStep],
        value: &ast::Expr,
        of: (&Column, u32),
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let (column, position) = of;
        let typ = self.base(declared);
        let Some((step, rest)) = path.split_first() else {
            let at = self.expr_at(value);
            let bound = self.expr(value, scope)?;
            let from = bound.typ().oid;
            return self.coerce_to(bound, declared, Context::Assignment, at)?.ok_or_else(|| {
                err!(
                    DATATYPE_MISMATCH,
                    "subfield \"{}\" is of type {} but expression is of type {}",
                    column.name,
                    self.type_name(declared.oid),
                    self.type_name(from)
                )
                .hint("You will need to rewrite or cast the expression.")
                .at(at)
            });
        };
        let made = match step {
            TargetStep::Field(name) => {
                let field = ident(name);
                let Some(fields) = user_types::fields(&self.catalog, typ.oid) else {
                    return Err(err!(
                        DATATYPE_MISMATCH,
                        "cannot assign to field \"{field}\" of column \"{}\" because its type {} is not a composite type",
                        column.name,
                        self.type_name(typ.oid)
                    )
                    .at(position));
                };
                let Some(index) = fields.iter().position(|(known, _)| *known == field) else {
                    return Err(err!(
                        UNDEFINED_COLUMN,
                        "cannot assign to field \"{field}\" of column \"{}\" because there is no such column in data type {}",
                        column.name,
                        self.type_name(typ.oid)
                    )
                    .at(position));
                };
                let mut values = Vec::with_capacity(fields.len());
                for (i, (_, field)) in fields.iter().enumerate() {
                    let old = Expr::Field { input: Box::new(base.clone()), index: i, typ: self.base(*field) };
                    values.push(match i == index {
                        true => self.part(old, *field, rest, value, of, scope)?,
                        false => old,
                    });
                }
                let names = fields.iter().map(|(name, field)| (name.as_str().into(), self.base(*field).oid)).collect();
                Expr::Row { fields: values, names, typ: Type::new(typ.oid) }
            }
            TargetStep::Index(_) => {
                let count = path.iter().take_while(|step| matches!(step, TargetStep::Index(_))).count();
                let Some(element) = types::element_of(typ.oid) else {
                    return Err(err!(
                        DATATYPE_MISMATCH,
                        "cannot subscript type {} because it does not support subscripting",
                        self.type_name(typ.oid)
                    )
                    .at(position));
                };
                let mut subscripts = Vec::with_capacity(count);
                for step in &path[..count] {
                    if let TargetStep::Index(index) = step {
                        let bound = self.expr(index, scope)?;
                        subscripts.push(self.subscript_index(bound, false, index)?);
                    }
                }
                let element = Type::new(element);
                let old = Expr::Subscript {
                    input: Box::new(base.clone()),
                    subscripts: subscripts.iter().cloned().map(Subscript::Index).collect(),
                    typ: element,
                };
                let new = self.part(old, element, &path[count..], value, of, scope)?;
                let at =
                    Expr::Array { elements: subscripts, nested: false, typ: Type::INT4_ARRAY, element: Type::INT4 };
                let args = vec![base, at, new, Expr::Const(Datum::Oid(element.oid), Type::OID)];
                Expr::Call { function: &ARRAY_ASSIGN, args, typ: Type::new(typ.oid) }
            }
            TargetStep::Slice(..) => return Err(Error::unsupported("assignment to an array slice").at(position)),
        };
        Ok(match user_types::is_checked(declared.oid) {
            true => super::coerce::domain_check(made, declared),
            false => made,
        })
    }
}

/// Whether an assigned value is a part put into the column's value.
pub(super) fn is_part(value: &Expr) -> bool {
    match value {
        Expr::Call { function, .. } => *function == &JSONB_ASSIGN || *function == &ARRAY_ASSIGN,
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

fn array_assign(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let [array, Datum::Array(path), value, Datum::Oid(element)] = args else { return Err(malformed()) };
    let mut at = Vec::with_capacity(path.values.len());
    for step in &path.values {
        match step {
            Datum::Int4(step) => at.push(*step),
            _ => {
                return Err(err!(NULL_VALUE_NOT_ALLOWED, "array subscript in assignment must not be null"));
            }
        }
    }
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
            return Err(err!(PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed ({ELEMENTS_MAX})"));
        }
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
