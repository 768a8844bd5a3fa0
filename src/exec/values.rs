//! Values as protocols read and write them: what `pg` and other front ends need of `sql`, in one place.

use crate::document::Oid;
use crate::sql::types;

pub use crate::sql::context::{EvalContext, FormatSettings};
pub use crate::sql::io::{binary_in, binary_out, output, text_in};

/// PostgreSQL's typlen: bytes of a fixed-width type, -1 for a varying one.
pub fn type_length(oid: Oid) -> i16 {
    types::by_oid(oid).map_or(-1, |info| info.len)
}
