//! Values as protocols read and write them: what `pg` and other front ends need of `sql`, in one place.

use crate::document::Oid;
use crate::sql::types;

pub use crate::sql::context::{EvalContext, FormatSettings};
pub use crate::sql::io::{output, text_in};

/// PostgreSQL's typlen: bytes of a fixed-width type, -1 for a varying one.
pub fn type_length(oid: Oid) -> i16 {
    types::by_oid(oid).map_or(-1, |info| info.len)
}

/// Reads a value's binary form.
pub fn binary_in(typ: crate::document::Type, _bytes: &[u8]) -> crate::error::Result<crate::document::Datum> {
    Err(crate::error::Error::unsupported(format!("binary input of type {}", types::format_type(typ))))
}

/// Writes a value's binary form; `false` for NULL.
pub fn binary_out(
    _value: &crate::document::Datum,
    typ: crate::document::Type,
    _out: &mut Vec<u8>,
) -> crate::error::Result<bool> {
    Err(crate::error::Error::unsupported(format!("binary output of type {}", types::format_type(typ))))
}
