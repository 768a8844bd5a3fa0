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
/// As many dimensions an array can have.
const DIMENSIONS_MAX: usize = 6;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(3960, "json_populate_record", &[E, Type::JSON, Type::BOOL], E, record).defaults(1).loose().stable(),
    set(3961, "json_populate_recordset", &[E, Type::JSON, Type::BOOL], E, |c, a| recordset(c, a, "json_populate_recordset")).defaults(1).loose().stable(),
    scalar(3209, "jsonb_populate_record", &[E, Type::JSONB], E, record).loose().stable(),
    scalar(6338, "jsonb_populate_record_valid", &[E, Type::JSONB], Type::BOOL, is_record_valid).loose().stable(),
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

fn record(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let Some(document) = document(args.at(1))? else { return Ok(args.at(0).clone()) };
    let value = (*document).as_ref();
    if !value.is_object() {
        let what = if value.is_array() { "an array" } else { "a scalar" };
        return Err(err!(INVALID_PARAMETER_VALUE, "cannot call populate_composite on {what}"));
    }
    populate(context, shape(args.at(0))?, value)
}

/// Whether `jsonb_populate_record` would find every value well-formed.
fn is_record_valid(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(1).is_null() {
        return Ok(Datum::Null);
    }
    match record(context, args) {
        Ok(_) => Ok(Datum::Bool(true)),
        Err(error) if error.report().code.as_str().starts_with("22") => Ok(Datum::Bool(false)),
        Err(error) => Err(error),
    }
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
            *value = typed(context, found, Type::new(*oid), name)?;
        }
    }
    Ok(Datum::Record(Box::new(Record { fields: shape.fields.clone(), values })))
}

/// The dimensions of an array, as they become known: the first element that is no array says how many there are.
#[derive(Default)]
struct Dimensions {
    known: Option<usize>,
    sizes: Vec<usize>,
    values: Vec<Datum>,
}

impl Dimensions {
    /// Takes one (sub-)array; `path` are the positions that lead to it.
    fn take(
        &mut self,
        context: &EvalContext,
        array: JsonbRef<'_>,
        element: Type,
        key: &str,
        path: &mut Vec<usize>,
    ) -> Result<()> {
        let depth = path.len() + 1;
        if depth > DIMENSIONS_MAX {
            return Err(err!(
                PROGRAM_LIMIT_EXCEEDED,
                "number of array dimensions ({depth}) exceeds the maximum allowed ({DIMENSIONS_MAX})"
            ));
        }
        let mut length = 0;
        for value in array.iter_array() {
            let is_element = self.known.map_or(!value.is_array(), |known| depth >= known);
            if is_element {
                self.known = Some(depth);
                self.values.push(typed(context, value, element, key)?);
            } else {
                path.push(length);
                if !value.is_array() {
                    return Err(no_array(key, path));
                }
                self.take(context, value, element, key, path)?;
                path.pop();
            }
            length += 1;
        }
        if self.sizes.len() < depth {
            self.sizes.resize(depth, usize::MAX);
        }
        let size = &mut self.sizes[depth - 1];
        if *size != usize::MAX && *size != length {
            return Err(err!(INVALID_TEXT_REPRESENTATION, "malformed JSON array")
                .detail("Multidimensional arrays must have sub-arrays with matching dimensions."));
        }
        *size = length;
        Ok(())
    }
}

fn no_array(key: &str, path: &[usize]) -> Error {
    let element: String = path.iter().map(|index| format!("[{index}]")).collect();
    err!(INVALID_TEXT_REPRESENTATION, "expected JSON array").hint(match path {
        [] => format!("See the value of key \"{key}\"."),
        _ => format!("See the array element {element} of key \"{key}\"."),
    })
}

/// A JSON value, of a key, as a value of a type.
fn typed(context: &EvalContext, value: JsonbRef<'_>, typ: Type, key: &str) -> Result<Datum> {
    match (typ, value.kind()) {
        (Type::JSONB, _) => return Ok(Datum::Jsonb(value.to_owned())),
        (Type::JSON, _) => return Ok(Datum::Json(value.to_string().into())),
        (_, Kind::Null) => return Ok(Datum::Null),
        _ => {}
    }
    if types::is_array(typ.oid)
        && value.as_str().is_none()
        && let Some(element) = types::element_of(typ.oid)
    {
        if !value.is_array() {
            return Err(no_array(key, &[]));
        }
        let mut found = Dimensions::default();
        found.take(context, value, Type::new(element), key, &mut Vec::new())?;
        let mut array = Array::new(element, found.values);
        if found.sizes.len() > 1 && !array.values.is_empty() {
            array.dims = found.sizes.iter().map(|size| (*size as i32, 1)).collect();
        }
        return Ok(Datum::Array(Box::new(array)));
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
