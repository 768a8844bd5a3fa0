//! The data model, without I/O: what a value is, how it is written as bytes and compared.
//!
//! - [`types`]: type OIDs and [`Type`] (OID + modifier).
//! - [`datum`]: [`Datum`], one SQL value.
//! - [`numeric`]: [`Numeric`], arbitrary precision with display scale.
//! - [`jsonb`]: [`Jsonb`] and [`JsonbRef`], the binary document.
//! - [`json`]: the text of the `json` type.
//! - [`range`], [`network`]: ranges, addresses, bit strings. - [`user_type`]: OIDs of user-defined types.
//! - [`bytes`]: self-describing bytes of a value. - [`row`]: rows of them, with random access to columns.
//! - [`key`]: bytes that sort like the values.

pub mod bytes;
pub mod datum;
pub mod inverted;
pub mod json;
pub mod jsonb;
pub mod key;
pub mod network;
pub mod numeric;
pub mod range;
pub mod row;
#[cfg(test)]
mod tests;
pub mod types;
pub mod user_type;

pub use datum::{Array, Datum, DatumRef, Interval, Record};
pub use jsonb::{Jsonb, JsonbBuilder, JsonbRef};
pub use key::sort_key;
pub use network::{BitString, Inet};
pub use numeric::Numeric;
pub use range::{Multirange, Range, RangeBound};
pub use types::{Oid, Type};
