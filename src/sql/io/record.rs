//! Rows as text: `(1,"a b",)`.

use std::sync::Arc;

use crate::document::{Datum, Oid, Record};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::user_types;

use super::number::is_space;

/// `record_in` for a row type of a table.
pub(crate) fn record_in(oid: Oid, text: &str, context: &EvalContext) -> Result<Record> {
    let catalog = context.host.catalog();
    let Some(fields) = user_types::fields(&catalog, oid) else {
        return Err(err!(FEATURE_NOT_SUPPORTED, "input of anonymous composite types is not implemented"));
    };
    let parts = split(text)?;
    let malformed =
        |detail: &str| err!(INVALID_TEXT_REPRESENTATION, "malformed record literal: \"{text}\"").detail(detail);
    // `()` is a row without columns, or a row of one NULL.
    let parts = if fields.is_empty() && parts == [None] { Vec::new() } else { parts };
    if parts.len() < fields.len() {
        return Err(malformed("Too few columns."));
    }
    if parts.len() > fields.len() {
        return Err(malformed("Too many columns."));
    }
    let values = parts
        .into_iter()
        .zip(&fields)
        .map(|(part, (_, typ))| match part {
            Some(part) => super::text_in(*typ, &part, context),
            None if user_types::is_checked(typ.oid) => {
                crate::sql::domain::check(typ.oid, &Datum::Null, context).map(|()| Datum::Null)
            }
            None => Ok(Datum::Null),
        })
        .collect::<Result<Vec<_>>>()?;
    let fields: Arc<[(Box<str>, Oid)]> =
        fields.into_iter().map(|(name, typ)| (name.into(), user_types::base(&catalog, typ).oid)).collect();
    Ok(Record { fields, values })
}

/// The texts of the fields; `None` is NULL.
fn split(text: &str) -> Result<Vec<Option<String>>> {
    let malformed = |detail: &str| -> Error {
        err!(INVALID_TEXT_REPRESENTATION, "malformed record literal: \"{text}\"").detail(detail)
    };
    let rest = text.trim_start_matches(is_space);
    let mut chars = rest.strip_prefix('(').ok_or_else(|| malformed("Missing left parenthesis."))?.chars().peekable();
    let mut parts = Vec::new();
    loop {
        let mut value = None::<String>;
        let mut in_quotes = false;
        let end = loop {
            let c = chars.next().ok_or_else(|| malformed("Unexpected end of input."))?;
            match c {
                ',' | ')' if !in_quotes => break c,
                '"' if in_quotes && chars.peek() == Some(&'"') => {
                    chars.next();
                    value.get_or_insert_default().push('"');
                }
                '"' => {
                    in_quotes = !in_quotes;
                    value.get_or_insert_default();
                }
                '\\' => {
                    let c = chars.next().ok_or_else(|| malformed("Unexpected end of input."))?;
                    value.get_or_insert_default().push(c);
                }
                c => value.get_or_insert_default().push(c),
            }
        };
        parts.push(value);
        if end == ')' {
            break;
        }
    }
    if chars.any(|c| !is_space(c)) {
        return Err(malformed("Junk after right parenthesis."));
    }
    Ok(parts)
}

/// `record_out`, with a way to write a field.
pub(crate) fn record_out(record: &Record, out: &mut String, mut field: impl FnMut(&Datum, Oid, &mut String)) {
    out.push('(');
    let mut text = String::new();
    for (index, (value, (_, oid))) in record.values.iter().zip(record.fields.iter()).enumerate() {
        if index > 0 {
            out.push(',');
        }
        if value.is_null() {
            continue;
        }
        text.clear();
        field(value, *oid, &mut text);
        let needs_quotes =
            text.is_empty() || text.chars().any(|c| matches!(c, '"' | '\\' | '(' | ')' | ',') || is_space(c));
        if !needs_quotes {
            out.push_str(&text);
            continue;
        }
        out.push('"');
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                out.push(c);
            }
            out.push(c);
        }
        out.push('"');
    }
    out.push(')');
}
