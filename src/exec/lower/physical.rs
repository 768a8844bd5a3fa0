//! The physical types of columns, and values in and out of Arrow arrays.
//!
//! | SQL type | Arrow |
//! |---|---|
//! | bool | Boolean |
//! | int2, int4, int8 | Int16, Int32, Int64 |
//! | oid and its kin | UInt32 |
//! | float4, float8 | Float32, Float64 |
//! | date; time, timestamp, timestamptz | Int32; Int64, PostgreSQL's own counts |
//! | text, varchar, char(n), name, json | Utf8View |
//! | jsonb, bytea, uuid, numeric | BinaryView of the value's own bytes |
//! | everything else | BinaryView of `document::bytes` |

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryViewArray, BinaryViewBuilder, BooleanArray, BooleanBuilder, Float32Array, Float32Builder,
    Float64Array, Float64Builder, Int16Array, Int16Builder, Int32Array, Int32Builder, Int64Array, Int64Builder,
    StringViewArray, StringViewBuilder, UInt32Array, UInt32Builder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::ScalarValue;

use crate::document::{Datum, Jsonb, Numeric, Type, bytes};
use crate::error::{Error, Result};
use crate::sql::plan::ColumnId;

use super::from_datafusion;

/// The physical type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Physical {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Text,
    Bpchar,
    Json,
    Jsonb,
    Bytea,
    Uuid,
    Numeric,
    /// Any other value, self-describing.
    Encoded,
}

impl Physical {
    /// The physical type of a SQL type.
    pub(crate) fn of(typ: Type) -> Self {
        match Type::new(typ.oid) {
            Type::BOOL => Self::Bool,
            Type::INT2 => Self::Int2,
            Type::INT4 => Self::Int4,
            Type::INT8 => Self::Int8,
            typ if typ.is_oid() => Self::Oid,
            Type::FLOAT4 => Self::Float4,
            Type::FLOAT8 => Self::Float8,
            Type::DATE => Self::Date,
            Type::TIME => Self::Time,
            Type::TIMESTAMP => Self::Timestamp,
            Type::TIMESTAMPTZ => Self::TimestampTz,
            Type::TEXT | Type::VARCHAR | Type::NAME | Type::CHAR | Type::UNKNOWN | Type::CSTRING => Self::Text,
            Type::BPCHAR => Self::Bpchar,
            Type::JSON => Self::Json,
            Type::JSONB => Self::Jsonb,
            Type::BYTEA => Self::Bytea,
            Type::UUID => Self::Uuid,
            Type::NUMERIC => Self::Numeric,
            _ => Self::Encoded,
        }
    }

    /// Arrow's type.
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int2 => DataType::Int16,
            Self::Int4 | Self::Date => DataType::Int32,
            Self::Int8 | Self::Time | Self::Timestamp | Self::TimestampTz => DataType::Int64,
            Self::Oid => DataType::UInt32,
            Self::Float4 => DataType::Float32,
            Self::Float8 => DataType::Float64,
            Self::Text | Self::Bpchar | Self::Json => DataType::Utf8View,
            Self::Jsonb | Self::Bytea | Self::Uuid | Self::Numeric | Self::Encoded => DataType::BinaryView,
        }
    }

    /// Whether equality and order of the Arrow values are those of SQL.
    pub(crate) fn is_ordered(self) -> bool {
        match self {
            Self::Bool
            | Self::Int2
            | Self::Int4
            | Self::Int8
            | Self::Oid
            | Self::Date
            | Self::Time
            | Self::Timestamp
            | Self::TimestampTz
            | Self::Text
            | Self::Bytea
            | Self::Uuid => true,
            Self::Float4 | Self::Float8 | Self::Bpchar | Self::Json | Self::Jsonb | Self::Numeric | Self::Encoded => {
                false
            }
        }
    }
}

/// The schema of columns: `c<id>`, nullable.
pub(crate) fn schema(columns: &[(ColumnId, Type)]) -> SchemaRef {
    let fields = columns.iter().map(|(id, typ)| Field::new(format!("c{id}"), Physical::of(*typ).data_type(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A batch that keeps its row count without columns.
pub(crate) fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(|e| Error::internal(e.to_string()))
}

/// Builds a column from values.
pub(crate) enum Builder {
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    UInt32(UInt32Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Text(StringViewBuilder),
    Binary(BinaryViewBuilder, Vec<u8>),
}

impl Builder {
    /// A builder of a column.
    pub(crate) fn new(typ: Type, capacity: usize) -> Self {
        match Physical::of(typ).data_type() {
            DataType::Boolean => Self::Bool(BooleanBuilder::with_capacity(capacity)),
            DataType::Int16 => Self::Int16(Int16Builder::with_capacity(capacity)),
            DataType::Int32 => Self::Int32(Int32Builder::with_capacity(capacity)),
            DataType::Int64 => Self::Int64(Int64Builder::with_capacity(capacity)),
            DataType::UInt32 => Self::UInt32(UInt32Builder::with_capacity(capacity)),
            DataType::Float32 => Self::Float32(Float32Builder::with_capacity(capacity)),
            DataType::Float64 => Self::Float64(Float64Builder::with_capacity(capacity)),
            DataType::Utf8View => Self::Text(StringViewBuilder::with_capacity(capacity)),
            _ => Self::Binary(BinaryViewBuilder::with_capacity(capacity), Vec::new()),
        }
    }

    /// Appends NULL.
    pub(crate) fn push_null(&mut self) {
        match self {
            Self::Bool(b) => b.append_null(),
            Self::Int16(b) => b.append_null(),
            Self::Int32(b) => b.append_null(),
            Self::Int64(b) => b.append_null(),
            Self::UInt32(b) => b.append_null(),
            Self::Float32(b) => b.append_null(),
            Self::Float64(b) => b.append_null(),
            Self::Text(b) => b.append_null(),
            Self::Binary(b, _) => b.append_null(),
        }
    }

    /// Appends a value; its variant must be the column's.
    pub(crate) fn push(&mut self, value: &Datum) -> Result<()> {
        match (self, value) {
            (this, Datum::Null) => this.push_null(),
            (Self::Bool(b), Datum::Bool(v)) => b.append_value(*v),
            (Self::Int16(b), Datum::Int2(v)) => b.append_value(*v),
            (Self::Int32(b), Datum::Int4(v) | Datum::Date(v)) => b.append_value(*v),
            (Self::Int64(b), Datum::Int8(v) | Datum::Time(v) | Datum::Timestamp(v) | Datum::TimestampTz(v)) => {
                b.append_value(*v)
            }
            (Self::UInt32(b), Datum::Oid(v)) => b.append_value(*v),
            (Self::Float32(b), Datum::Float4(v)) => b.append_value(*v),
            (Self::Float64(b), Datum::Float8(v)) => b.append_value(*v),
            (Self::Text(b), Datum::Text(v) | Datum::Json(v)) => b.append_value(v),
            (Self::Binary(b, _), Datum::Jsonb(v)) => b.append_value(v.as_bytes()),
            (Self::Binary(b, _), Datum::Bytea(v)) => b.append_value(v),
            (Self::Binary(b, _), Datum::Uuid(v)) => b.append_value(v),
            (Self::Binary(b, _), Datum::Numeric(v)) => b.append_value(&*v.as_bytes()),
            (
                Self::Binary(b, scratch),
                v @ (Datum::Interval(_) | Datum::TimeTz(..) | Datum::Array(_) | Datum::Record(_)),
            ) => {
                scratch.clear();
                bytes::encode(v, scratch);
                b.append_value(&*scratch);
            }
            // A type without a physical form of its own whose values are plain (an enum's text, a counter): self-describing.
            (Self::Binary(b, scratch), v) => {
                scratch.clear();
                bytes::encode(v, scratch);
                b.append_value(&*scratch);
            }
            (_, v) => return Err(Error::internal(format!("a value does not fit its column: {v:?}"))),
        }
        Ok(())
    }

    /// The column.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(b) => Arc::new(b.finish()),
            Self::Int16(b) => Arc::new(b.finish()),
            Self::Int32(b) => Arc::new(b.finish()),
            Self::Int64(b) => Arc::new(b.finish()),
            Self::UInt32(b) => Arc::new(b.finish()),
            Self::Float32(b) => Arc::new(b.finish()),
            Self::Float64(b) => Arc::new(b.finish()),
            Self::Text(b) => Arc::new(b.finish()),
            Self::Binary(b, _) => Arc::new(b.finish()),
        }
    }
}

/// A column ready to be read value by value.
pub(crate) enum Reader<'a> {
    Bool(&'a BooleanArray),
    Int16(&'a Int16Array),
    Int32(&'a Int32Array, bool),
    Int64(&'a Int64Array, Physical),
    UInt32(&'a UInt32Array),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    Text(&'a StringViewArray, bool),
    Binary(&'a BinaryViewArray, Physical),
}

fn cast<T: 'static>(array: &dyn Array) -> Result<&T> {
    array
        .as_any()
        .downcast_ref()
        .ok_or_else(|| Error::internal(format!("a column has the unexpected type {}", array.data_type())))
}

impl<'a> Reader<'a> {
    /// A reader of a column of this SQL type.
    pub(crate) fn new(array: &'a dyn Array, typ: Type) -> Result<Self> {
        let physical = Physical::of(typ);
        Ok(match physical {
            Physical::Bool => Self::Bool(cast(array)?),
            Physical::Int2 => Self::Int16(cast(array)?),
            Physical::Int4 => Self::Int32(cast(array)?, false),
            Physical::Date => Self::Int32(cast(array)?, true),
            Physical::Int8 | Physical::Time | Physical::Timestamp | Physical::TimestampTz => {
                Self::Int64(cast(array)?, physical)
            }
            Physical::Oid => Self::UInt32(cast(array)?),
            Physical::Float4 => Self::Float32(cast(array)?),
            Physical::Float8 => Self::Float64(cast(array)?),
            Physical::Text | Physical::Bpchar => Self::Text(cast(array)?, false),
            Physical::Json => Self::Text(cast(array)?, true),
            Physical::Jsonb | Physical::Bytea | Physical::Uuid | Physical::Numeric | Physical::Encoded => {
                Self::Binary(cast(array)?, physical)
            }
        })
    }

    /// The value of a row.
    pub(crate) fn get(&self, row: usize) -> Result<Datum> {
        let array: &dyn Array = match self {
            Self::Bool(a) => *a,
            Self::Int16(a) => *a,
            Self::Int32(a, _) => *a,
            Self::Int64(a, _) => *a,
            Self::UInt32(a) => *a,
            Self::Float32(a) => *a,
            Self::Float64(a) => *a,
            Self::Text(a, _) => *a,
            Self::Binary(a, _) => *a,
        };
        if array.is_null(row) {
            return Ok(Datum::Null);
        }
        Ok(match self {
            Self::Bool(a) => Datum::Bool(a.value(row)),
            Self::Int16(a) => Datum::Int2(a.value(row)),
            Self::Int32(a, false) => Datum::Int4(a.value(row)),
            Self::Int32(a, true) => Datum::Date(a.value(row)),
            Self::Int64(a, Physical::Time) => Datum::Time(a.value(row)),
            Self::Int64(a, Physical::Timestamp) => Datum::Timestamp(a.value(row)),
            Self::Int64(a, Physical::TimestampTz) => Datum::TimestampTz(a.value(row)),
            Self::Int64(a, _) => Datum::Int8(a.value(row)),
            Self::UInt32(a) => Datum::Oid(a.value(row)),
            Self::Float32(a) => Datum::Float4(a.value(row)),
            Self::Float64(a) => Datum::Float8(a.value(row)),
            Self::Text(a, false) => Datum::Text(a.value(row).into()),
            Self::Text(a, true) => Datum::Json(a.value(row).into()),
            Self::Binary(a, Physical::Jsonb) => Datum::Jsonb(Jsonb::from_trusted(a.value(row))),
            Self::Binary(a, Physical::Bytea) => Datum::Bytea(a.value(row).into()),
            Self::Binary(a, Physical::Uuid) => {
                Datum::Uuid(a.value(row).try_into().map_err(|_| Error::internal("a uuid is 16 bytes long"))?)
            }
            Self::Binary(a, Physical::Numeric) => Datum::Numeric(Numeric::from_bytes(a.value(row))?),
            Self::Binary(a, _) => bytes::decode(a.value(row))?,
        })
    }
}

/// Appends the rows of a batch as values.
pub(crate) fn append_rows(batch: &RecordBatch, types: &[Type], rows: &mut Vec<Vec<Datum>>) -> Result<()> {
    let readers =
        batch.columns().iter().zip(types).map(|(a, t)| Reader::new(a.as_ref(), *t)).collect::<Result<Vec<_>>>()?;
    rows.reserve(batch.num_rows());
    for row in 0..batch.num_rows() {
        rows.push(readers.iter().map(|r| r.get(row)).collect::<Result<Vec<_>>>()?);
    }
    Ok(())
}

/// A batch from rows of values.
pub(crate) fn from_rows(columns: &[(ColumnId, Type)], rows: &[Vec<Datum>]) -> Result<RecordBatch> {
    let mut builders: Vec<Builder> = columns.iter().map(|(_, typ)| Builder::new(*typ, rows.len())).collect();
    for row in rows {
        for (builder, value) in builders.iter_mut().zip(row) {
            builder.push(value)?;
        }
    }
    let arrays = builders.iter_mut().map(Builder::finish).collect();
    batch(&schema(columns), arrays, rows.len())
}

/// A constant as DataFusion wants it.
pub(crate) fn scalar(value: &Datum, typ: Type) -> Result<ScalarValue> {
    let mut builder = Builder::new(typ, 1);
    builder.push(value)?;
    ScalarValue::try_from_array(&builder.finish(), 0).map_err(from_datafusion)
}
