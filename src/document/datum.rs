//! [`Datum`]: one SQL value in memory, in PostgreSQL's own representation (dates and times count from 2000-01-01).

use super::{BitString, Inet, Jsonb, JsonbRef, Multirange, Numeric, Oid, Range};

/// One SQL value. The variant says the representation; the SQL type that goes with it (e.g. `varchar(10)` for
/// `Text`) travels in the plan. `PartialEq` is structural (NaN equals NaN, 1.0 differs from 1.00): SQL equality is an operator in `sql`.
#[derive(Clone, Debug, Default)]
pub enum Datum {
    /// NULL of any type.
    #[default]
    Null,
    /// `boolean`.
    Bool(bool),
    /// `smallint`.
    Int2(i16),
    /// `integer`.
    Int4(i32),
    /// `bigint`.
    Int8(i64),
    /// `oid` and the `reg*` types, `xid`, `cid`.
    Oid(Oid),
    /// `real`.
    Float4(f32),
    /// `double precision`.
    Float8(f64),
    /// `numeric`.
    Numeric(Numeric),
    /// `text`, `varchar`, `char(n)` (blank-padded as declared), `name`, `"char"`, `unknown`, `cstring`.
    Text(Box<str>),
    /// `json`: the text as given.
    Json(Box<str>),
    /// `jsonb`.
    Jsonb(Jsonb),
    /// `bytea`.
    Bytea(Box<[u8]>),
    /// `date`: days since 2000-01-01; `i32::MAX` is infinity, `i32::MIN` -infinity.
    Date(i32),
    /// `time`: microseconds since midnight, 0..=86_400_000_000.
    Time(i64),
    /// `timetz`: microseconds since midnight, and the zone in seconds west of Greenwich.
    TimeTz(i64, i32),
    /// `timestamp`: microseconds since 2000-01-01 00:00; `i64::MAX`/`MIN` are the infinities.
    Timestamp(i64),
    /// `timestamptz`: microseconds since 2000-01-01 00:00 UTC; `i64::MAX`/`MIN` are the infinities.
    TimestampTz(i64),
    /// `interval`.
    Interval(Interval),
    /// `uuid`.
    Uuid([u8; 16]),
    /// An array of any element type.
    Array(Box<Array>),
    /// A row value: `record` or a composite type.
    Record(Box<Record>),
    /// A value of an enum type: the type, and the label's place in the order, which never changes.
    Enum(Oid, i64),
    /// A range.
    Range(Box<Range>),
    /// A multirange.
    Multirange(Box<Multirange>),
    /// `bit(n)` and `bit varying`.
    Bit(BitString),
    /// `inet` and `cidr`.
    Inet(Inet),
    /// `macaddr`.
    MacAddr([u8; 6]),
    /// `macaddr8`.
    MacAddr8([u8; 8]),
    /// `money`: hundredths.
    Money(i64),
}

/// PostgreSQL's interval: three parts that do not convert into each other by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Interval {
    /// Months (years are 12).
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Microseconds.
    pub micros: i64,
}

/// An array value: row-major elements with dimensions and lower bounds. No dimensions = the empty array.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The element type.
    pub element: Oid,
    /// (length, lower bound) of each dimension, at most 6.
    pub dims: Vec<(i32, i32)>,
    /// The elements in row-major order; as many as the product of the lengths.
    pub values: Vec<Datum>,
}

impl Array {
    /// A one-dimensional array with lower bound 1 (or the empty array).
    pub fn new(element: Oid, values: Vec<Datum>) -> Self {
        let dims = if values.is_empty() { Vec::new() } else { vec![(values.len() as i32, 1)] };
        Self { element, dims, values }
    }
}

/// A row value.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Field names and types (`f1`, `f2`, ... for an anonymous ROW).
    pub fields: std::sync::Arc<[(Box<str>, Oid)]>,
    /// One value a field.
    pub values: Vec<Datum>,
}

impl Datum {
    /// Whether the value is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// A text value.
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self::Text(text.into())
    }
}

/// A value read in place from a stored row: text and documents are borrowed.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum DatumRef<'a> {
    Null,
    Bool(bool),
    Int2(i16),
    Int4(i32),
    Int8(i64),
    Oid(Oid),
    Float4(f32),
    Float8(f64),
    Numeric(Numeric),
    Text(&'a str),
    Json(&'a str),
    Jsonb(JsonbRef<'a>),
    Bytea(&'a [u8]),
    Date(i32),
    Time(i64),
    TimeTz(i64, i32),
    Timestamp(i64),
    TimestampTz(i64),
    Interval(Interval),
    Uuid([u8; 16]),
    Array(Box<Array>),
    Record(Box<Record>),
    Enum(Oid, i64),
    Range(Box<Range>),
    Multirange(Box<Multirange>),
    Bit(BitString),
    Inet(Inet),
    MacAddr([u8; 6]),
    MacAddr8([u8; 8]),
    Money(i64),
}

impl DatumRef<'_> {
    /// Whether the value is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value without borrowing.
    pub fn into_owned(self) -> Datum {
        match self {
            Self::Null => Datum::Null,
            Self::Bool(value) => Datum::Bool(value),
            Self::Int2(value) => Datum::Int2(value),
            Self::Int4(value) => Datum::Int4(value),
            Self::Int8(value) => Datum::Int8(value),
            Self::Oid(value) => Datum::Oid(value),
            Self::Float4(value) => Datum::Float4(value),
            Self::Float8(value) => Datum::Float8(value),
            Self::Numeric(value) => Datum::Numeric(value),
            Self::Text(value) => Datum::Text(value.into()),
            Self::Json(value) => Datum::Json(value.into()),
            Self::Jsonb(value) => Datum::Jsonb(value.to_owned()),
            Self::Bytea(value) => Datum::Bytea(value.into()),
            Self::Date(value) => Datum::Date(value),
            Self::Time(value) => Datum::Time(value),
            Self::TimeTz(micros, zone) => Datum::TimeTz(micros, zone),
            Self::Timestamp(value) => Datum::Timestamp(value),
            Self::TimestampTz(value) => Datum::TimestampTz(value),
            Self::Interval(value) => Datum::Interval(value),
            Self::Uuid(value) => Datum::Uuid(value),
            Self::Array(value) => Datum::Array(value),
            Self::Record(value) => Datum::Record(value),
            Self::Enum(typ, order) => Datum::Enum(typ, order),
            Self::Range(value) => Datum::Range(value),
            Self::Multirange(value) => Datum::Multirange(value),
            Self::Bit(value) => Datum::Bit(value),
            Self::Inet(value) => Datum::Inet(value),
            Self::MacAddr(value) => Datum::MacAddr(value),
            Self::MacAddr8(value) => Datum::MacAddr8(value),
            Self::Money(value) => Datum::Money(value),
        }
    }
}

/// Vectors of values are everywhere; a longer `Datum` would be felt.
const _: () = assert!(size_of::<Datum>() <= 32);

impl PartialEq for Datum {
    fn eq(&self, other: &Self) -> bool {
        use Datum::*;
        match (self, other) {
            (Null, Null) => true,
            (Bool(a), Bool(b)) => a == b,
            (Int2(a), Int2(b)) => a == b,
            (Int4(a), Int4(b)) => a == b,
            (Int8(a), Int8(b)) => a == b,
            (Oid(a), Oid(b)) => a == b,
            (Float4(a), Float4(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Float8(a), Float8(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Numeric(a), Numeric(b)) => a.is_identical(b),
            (Text(a), Text(b)) => a == b,
            (Json(a), Json(b)) => a == b,
            (Jsonb(a), Jsonb(b)) => a.as_bytes() == b.as_bytes(),
            (Bytea(a), Bytea(b)) => a == b,
            (Date(a), Date(b)) => a == b,
            (Time(a), Time(b)) | (Timestamp(a), Timestamp(b)) | (TimestampTz(a), TimestampTz(b)) => a == b,
            (TimeTz(a, x), TimeTz(b, y)) => a == b && x == y,
            (Interval(a), Interval(b)) => a == b,
            (Uuid(a), Uuid(b)) => a == b,
            (Array(a), Array(b)) => a == b,
            (Record(a), Record(b)) => a == b,
            (Enum(t, a), Enum(u, b)) => t == u && a == b,
            (Range(a), Range(b)) => a == b,
            (Multirange(a), Multirange(b)) => a == b,
            (Bit(a), Bit(b)) => a == b,
            (Inet(a), Inet(b)) => a == b,
            (MacAddr(a), MacAddr(b)) => a == b,
            (MacAddr8(a), MacAddr8(b)) => a == b,
            (Money(a), Money(b)) => a == b,
            _ => false,
        }
    }
}
