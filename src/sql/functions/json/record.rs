//! json_populate_record and json_to_record: rows from JSON. The first argument is a row of the wanted shape: its field
//! names and types are the target (the binder puts one there where it would be NULL), its values are what is kept where
//! the JSON says nothing.

use std::borrow::Cow;

use crate::document::jsonb::Kind;
use crate::document::{Array, Datum, Jsonb, JsonbRef, Record, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, Rows, scalar, set};
use crate::sql::{io, types, user_types};

const E: Type = Type::ANYELEMENT;
const R: Type = Type::RECORD;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(3960, "json_populate_record", &[E, Type::JSON, Type::BOOL], E, |c, a| record(c, a, "json_populate_record")).defaults(1).loose().stable(),
    set(3961, "json_populate_recordset", &[E, Type::JSON, Type::BOOL], E, |c, a| recordset(c, a, "json_populate_recordset")).defaults(1).loose().stable(),
    scalar(3209, "jsonb_populate_record", &[E, Type::JSONB], E, |c, a| record(c, a, "jsonb_populate_record")).loose().stable(),
    set(3475, "jsonb_populate_recordset", &[E, Type::JSONB], E, |c, a| recordset(c, a, "jsonb_populate_recordset")).loose().stable(),
    scalar(3204, "json_to_record", &[Type::JSON], R, |_, _| Err(no_shape("json_to_record"))).stable(),
    set(3205, "json_to_recordset", &[Type::JSON], R, |_, _| Err(no_shape("json_to_recordset"))).loose().stable(),
    scalar(3490, "jsonb_to_record", &[Type::JSONB], R, |_, _| Err(no_shape("jsonb_to_record"))).stable(),
    set(3491, "jsonb_to_recordset", &[Type::JSONB], R, |_, _| Err(no_shape("jsonb_to_recordset"))).loose().stable(),
];

/// Without a column definition list there is no shape: the binder asks for one before.
fn no_shape(name: &str) -> Error {
    err!(FEATURE_NOT_SUPPORTED, "could not determine row type for result of {name}").hint(
        "Provide a non-null record argument, or call the function in the FROM clause using a column definition list.",
    )
}

fn document(value: &Datum) -> Result<Option<Cow<'_, Jsonb>>> {
    Ok(match value {
        Datum::Jsonb(document) => Some(Cow::Borrowed(document)),
        Datum::Json(text) | Datum::Text(text) => Some(Cow::Owned(Jsonb::parse(text)?)),
        _ => None,
    })
}

fn shape(base: &Datum) -> Result<&Record> {
    match base {
        Datum::Record(record) => Ok(record),
        _ => Err(no_shape("jsonb_populate_record")),
    }
}

fn record(context: &EvalContext, args: &[Datum], name: &str) -> Result<Datum> {
    let Some(document) = document(args.at(1))? else { return Ok(args.at(0).clone()) };
    let value = (*document).as_ref();
    if !value.is_object() {
        let what = if value.is_array() { "an array" } else { "a scalar" };
        return Err(err!(INVALID_PARAMETER_VALUE, "cannot call {name} on {what}"));
    }
    populate(context, shape(args.at(0))?, value)
}

fn recordset(context: &EvalContext, args: &[Datum], name: &str) -> Result<Rows> {
    let Some(document) = document(args.at(1))? else { return Ok(Box::new(std::iter::empty())) };
    let value = (*document).as_ref();
    if !value.is_array() {
        let what = if value.is_object() { "an object" } else { "a scalar" };
        return Err(err!(INVALID_PARAMETER_VALUE, "cannot call {name} on {what}"));
    }
    let shape = shape(args.at(0))?;
    let mut rows = Vec::with_capacity(value.len());
    for element in value.iter_array() {
        if !element.is_object() {
            return Err(err!(INVALID_PARAMETER_VALUE, "argument of {name} must be an array of objects"));
        }
        rows.push(populate(context, shape, element)?);
    }
    Ok(Box::new(rows.into_iter().map(Ok)))
}

fn populate(context: &EvalContext, shape: &Record, object: JsonbRef<'_>) -> Result<Datum> {
    let mut values = shape.values.clone();
    for ((name, oid), value) in shape.fields.iter().zip(&mut values) {
        if let Some(found) = object.get(name) {
            *value = typed(context, found, Type::new(*oid))?;
        }
    }
    Ok(Datum::Record(Box::new(Record { fields: shape.fields.clone(), values })))
}

/// A JSON value as a value of a type.
fn typed(context: &EvalContext, value: JsonbRef<'_>, typ: Type) -> Result<Datum> {
    match (typ, value.kind()) {
        (Type::JSONB, _) => return Ok(Datum::Jsonb(value.to_owned())),
        (Type::JSON, _) => return Ok(Datum::Json(value.to_string().into())),
        (_, Kind::Null) => return Ok(Datum::Null),
        _ => {}
    }
    if value.is_array()
        && types::is_array(typ.oid)
        && let Some(element) = types::element_of(typ.oid)
    {
        let values = value.iter_array().map(|e| typed(context, e, Type::new(element))).collect::<Result<Vec<_>>>()?;
        return Ok(Datum::Array(Box::new(Array::new(element, values))));
    }
    if value.is_object() && types::is_composite(typ.oid) {
        let catalog = context.host.catalog();
        let fields = user_types::fields(&catalog, typ.oid).unwrap_or_default();
        let fields: Vec<_> = fields
            .into_iter()
            .map(|(name, typ)| (name.into_boxed_str(), user_types::base(&catalog, typ).oid))
            .collect();
        let values = vec![Datum::Null; fields.len()];
        return populate(context, &Record { fields: fields.into(), values }, value);
    }
    match value.as_str() {
        Some(text) => io::text_in(typ, text, context),
        None => io::text_in(typ, &value.to_string(), context),
    }
}
