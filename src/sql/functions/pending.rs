//! Stand-ins for what `sql::io` does not export yet.
use crate::document::{Datum, Type};
use crate::error::{Error, Result};
use crate::sql::context::FormatSettings;
pub(crate) fn text_out(value: &Datum, _: Type, _: &FormatSettings, out: &mut String) -> Result<()> {
    match value {
        Datum::Bool(v) => out.push_str(if *v { "t" } else { "f" }),
        Datum::Int2(v) => out.push_str(&v.to_string()),
        Datum::Int4(v) => out.push_str(&v.to_string()),
        Datum::Int8(v) => out.push_str(&v.to_string()),
        Datum::Oid(v) => out.push_str(&v.to_string()),
        Datum::Numeric(v) => out.push_str(&v.to_string()),
        _ => return Err(Error::unsupported("text of this type")),
    }
    Ok(())
}
