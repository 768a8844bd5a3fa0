//! The data model, without I/O: what a value is, how it is written as bytes and compared.
//!
//! - [`types`]: type OIDs and [`Type`] (OID + modifier).
//! - [`datum`]: [`Datum`], one SQL value.
//! - [`numeric`]: [`Numeric`], arbitrary precision with display scale.
//! - [`jsonb`]: [`Jsonb`] and `JsonbRef`, the binary document.

pub mod datum;
pub mod jsonb;
pub mod numeric;
pub mod types;

pub use datum::{Array, Datum, Interval, Record};
pub use jsonb::Jsonb;
pub use numeric::Numeric;
pub use types::{Oid, Type};
