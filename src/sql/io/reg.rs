//! OIDs of objects by name: `regclass` and its family.

use crate::document::Datum;
use crate::error::Result;
use crate::sql::context::EvalContext;

/// `regclassin`.
pub(crate) fn regclass_in(text: &str, _context: &EvalContext) -> Result<Datum> {
    Ok(Datum::Oid(super::number::oid_in(text, "oid")?))
}
