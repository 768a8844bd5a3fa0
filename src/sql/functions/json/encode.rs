//! Any value as JSON text or as a jsonb document, by PostgreSQL's rules: numbers as numbers where JSON has them, dates
//! in ISO 8601, arrays and rows nested, json and jsonb embedded, everything else as a string of its output.

use crate::document::{Array, Datum, Jsonb, JsonbBuilder, JsonbRef, Numeric, Oid, Record, Type};
use crate::err;
use crate::error::Result;
use crate::sql::context::{DateStyle, EvalContext};
use crate::sql::functions::output::output;

/// Appends a JSON string.
pub(crate) fn write_string(text: &str, out: &mut String) {
    let mut bytes = Vec::with_capacity(text.len() + 2);
    crate::document::jsonb::write_string(text.as_bytes(), &mut bytes);
    out.push_str(&String::from_utf8_lossy(&bytes));
}

/// A value's text for a JSON string: ISO 8601 for dates and timestamps whatever DateStyle is, else the output.
fn string_of(context: &EvalContext, value: &Datum, typ: Type) -> Result<String> {
    if !matches!(value, Datum::Date(_) | Datum::Timestamp(_) | Datum::TimestampTz(_)) {
        return output(context, value, typ);
    }
    let mut iso = context.clone();
    iso.format.date_style = DateStyle::Iso;
    let mut text = output(&iso, value, typ)?;
    if matches!(value, Datum::Date(_)) || !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(text);
    }
    if let Some(at) = text.find(' ') {
        text.replace_range(at..=at, "T");
    }
    // The zone has its minutes always: +02:00.
    let (time, era) = text.strip_suffix(" BC").map_or((text.as_str(), ""), |time| (time, " BC"));
    let sign = time.find('T').and_then(|at| time[at..].find(['+', '-']).map(|sign| at + sign));
    Ok(match sign {
        Some(sign) if time.len() - sign == 3 => format!("{time}:00{era}"),
        _ => text,
    })
}

/// The number's text if JSON has it (not NaN, not an infinity).
fn number_of(context: &EvalContext, value: &Datum) -> Result<Option<String>> {
    let is_number = match value {
        Datum::Int2(_) | Datum::Int4(_) | Datum::Int8(_) => true,
        Datum::Float4(number) => number.is_finite(),
        Datum::Float8(number) => number.is_finite(),
        Datum::Numeric(number) => number.is_finite(),
        _ => false,
    };
    if is_number { output(context, value, crate::sql::io::natural_type(value)).map(Some) } else { Ok(None) }
}

/// Appends the value as JSON text.
pub(crate) fn write_json(context: &EvalContext, value: &Datum, typ: Type, out: &mut String) -> Result<()> {
    crate::sql::functions::define::check_length(context, out.len())?;
    if let Some(number) = number_of(context, value)? {
        out.push_str(&number);
        return Ok(());
    }
    match value {
        Datum::Null => out.push_str("null"),
        Datum::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Datum::Json(text) => out.push_str(text),
        Datum::Jsonb(document) => out.push_str(&document.to_string()),
        Datum::Array(array) => write_array(context, array, false, out)?,
        Datum::Record(record) => write_record(context, record, false, out)?,
        value => write_string(&string_of(context, value, typ)?, out),
    }
    Ok(())
}

/// `[1,2]`; with `pretty`, a line for each item of the first dimension.
pub(crate) fn write_array(context: &EvalContext, array: &Array, pretty: bool, out: &mut String) -> Result<()> {
    let lengths: Vec<usize> = array.dims.iter().map(|(length, _)| *length as usize).collect();
    let mut values = array.values.iter();
    if lengths.is_empty() {
        out.push_str("[]");
        return Ok(());
    }
    write_dimension(context, Type::new(array.element), &lengths, &mut values, pretty, out)
}

fn write_dimension(
    context: &EvalContext,
    element: Type,
    lengths: &[usize],
    values: &mut std::slice::Iter<'_, Datum>,
    pretty: bool,
    out: &mut String,
) -> Result<()> {
    out.push('[');
    for index in 0..lengths[0] {
        if index > 0 {
            out.push_str(if pretty { ",\n " } else { "," });
        }
        if lengths.len() > 1 {
            write_dimension(context, element, &lengths[1..], values, false, out)?;
        } else if let Some(value) = values.next() {
            write_json(context, value, element, out)?;
        }
    }
    out.push(']');
    Ok(())
}

/// `{"f1":1,"f2":2}`; with `pretty`, a line for each field.
pub(crate) fn write_record(context: &EvalContext, record: &Record, pretty: bool, out: &mut String) -> Result<()> {
    out.push('{');
    for (index, ((name, typ), value)) in record.fields.iter().zip(&record.values).enumerate() {
        if index > 0 {
            out.push_str(if pretty { ",\n " } else { "," });
        }
        write_string(name, out);
        out.push(':');
        write_json(context, value, Type::new(*typ), out)?;
    }
    out.push('}');
    Ok(())
}

/// The text of a value used as a key.
pub(crate) fn key_of(context: &EvalContext, value: &Datum, typ: Type) -> Result<String> {
    match value {
        Datum::Array(_) | Datum::Record(_) | Datum::Json(_) | Datum::Jsonb(_) => {
            Err(err!(INVALID_PARAMETER_VALUE, "key value must be scalar, not array, composite, or json"))
        }
        Datum::Bool(value) => Ok(value.to_string()),
        value => string_of(context, value, typ),
    }
}

/// Pushes the value into a document.
pub(crate) fn push_jsonb(context: &EvalContext, value: &Datum, typ: Type, builder: &mut JsonbBuilder) -> Result<()> {
    if let Some(number) = number_of(context, value)? {
        builder.push_numeric(&Numeric::parse(&number)?);
        return Ok(());
    }
    match value {
        Datum::Null => builder.push_null(),
        Datum::Bool(value) => builder.push_bool(*value),
        Datum::Json(text) => builder.push_value(Jsonb::parse(text)?.as_ref()),
        Datum::Jsonb(document) => builder.push_value(document.as_ref()),
        Datum::Array(array) => push_array(context, array, builder)?,
        Datum::Record(record) => push_record(context, record, builder)?,
        value => builder.push_str(&string_of(context, value, typ)?),
    }
    Ok(())
}

fn push_array(context: &EvalContext, array: &Array, builder: &mut JsonbBuilder) -> Result<()> {
    let lengths: Vec<usize> = array.dims.iter().map(|(length, _)| *length as usize).collect();
    if lengths.is_empty() {
        builder.push_value(Jsonb::empty_array().as_ref());
        return Ok(());
    }
    push_dimension(context, array.element, &lengths, &mut array.values.iter(), builder)
}

fn push_dimension(
    context: &EvalContext,
    element: Oid,
    lengths: &[usize],
    values: &mut std::slice::Iter<'_, Datum>,
    builder: &mut JsonbBuilder,
) -> Result<()> {
    builder.begin_array();
    for _ in 0..lengths[0] {
        if lengths.len() > 1 {
            push_dimension(context, element, &lengths[1..], values, builder)?;
        } else if let Some(value) = values.next() {
            push_jsonb(context, value, Type::new(element), builder)?;
        }
    }
    builder.end_array();
    Ok(())
}

fn push_record(context: &EvalContext, record: &Record, builder: &mut JsonbBuilder) -> Result<()> {
    builder.begin_object();
    for ((name, typ), value) in record.fields.iter().zip(&record.values) {
        builder.push_key(name);
        push_jsonb(context, value, Type::new(*typ), builder)?;
    }
    builder.end_object();
    Ok(())
}

/// The value as a document.
pub(crate) fn to_document(context: &EvalContext, value: &Datum, typ: Type) -> Result<Jsonb> {
    let mut builder = JsonbBuilder::new();
    push_jsonb(context, value, typ, &mut builder)?;
    builder.finish()
}

/// A jsonb value as text: strings without quotes, null as NULL.
pub(crate) fn text_of(value: JsonbRef<'_>) -> Datum {
    value.to_text().map_or(Datum::Null, Datum::text)
}

/// The text of a text value, `None` for NULL.
pub(crate) fn optional_str(datum: &Datum) -> Option<&str> {
    match datum {
        Datum::Text(text) => Some(text),
        _ => None,
    }
}
