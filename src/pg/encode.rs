//! Rows to bytes: [`RowEncoder`] writes DataRow messages straight into the output buffer, from Arrow columns or from
//! values, as text or binary, without an intermediate copy of the row.
//!
//! Every value passes as a [`Cell`], a borrowed view that Arrow arrays and [`Datum`]s both give; what a type looks like is
//! then written in one place a format.

use arrow::array::{Array, AsArray, BinaryViewArray, BooleanArray, PrimitiveArray, StringViewArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt32Type};
use arrow::record_batch::RecordBatch;

use crate::document::jsonb::JsonbRef;
use crate::document::{Datum, Numeric, Type};
use crate::error::{Error, Result};
use crate::exec::values::{self, EvalContext};
use crate::exec::{Batch, OutputColumn, RowSink};

use super::backend::{self, format_of};

/// Writes the rows of one result.
pub struct RowEncoder {
    columns: Vec<Column>,
    /// What the text of dates, floats and names depends on; made when the first such column is there.
    context: Option<EvalContext>,
    scratch: String,
}

#[derive(Clone, Copy)]
struct Column {
    typ: Type,
    is_binary: bool,
}

/// One value, borrowed.
pub(super) enum Cell<'a> {
    Null,
    Bool(bool),
    Int2(i16),
    Int4(i32),
    Int8(i64),
    Oid(u32),
    /// Everything that is its own text.
    Text(&'a str),
    Jsonb(JsonbRef<'a>),
    Bytea(&'a [u8]),
    Uuid(&'a [u8]),
    Borrowed(&'a Datum),
    Owned(Datum),
}

impl RowEncoder {
    /// For these columns in these formats. `context` is asked for only when some column's text depends on it.
    pub fn new(columns: &[OutputColumn], formats: &[i16], context: impl FnOnce() -> EvalContext) -> Self {
        let columns: Vec<Column> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| Column { typ: column.typ, is_binary: format_of(formats, index) == 1 })
            .collect();
        let context = columns.iter().any(|c| needs_context(c.typ)).then(context);
        Self { columns, context, scratch: String::new() }
    }

    /// Writes a row of values as a DataRow.
    pub fn row(&mut self, values: &[Datum], out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        let written = self.row_fields(values.len(), out, |index| Ok(Cell::from(&values[index])));
        // An error leaves no half of a message behind.
        written.inspect_err(|_| out.truncate(start))
    }

    fn arrow_row(&mut self, columns: &[ArrowColumn<'_>], row: usize, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        let written = self.row_fields(columns.len(), out, |index| columns[index].cell(row));
        written.inspect_err(|_| out.truncate(start))
    }

    fn row_fields<'a>(
        &mut self,
        count: usize,
        out: &mut Vec<u8>,
        cell: impl Fn(usize) -> Result<Cell<'a>>,
    ) -> Result<()> {
        if count != self.columns.len() {
            return Err(Error::internal(format!("a row has {count} values for {} columns", self.columns.len())));
        }
        let at = backend::start(out, b'D');
        out.extend_from_slice(&(count as u16).to_be_bytes());
        for index in 0..count {
            self.field(index, cell(index)?, out)?;
        }
        backend::finish(out, at);
        Ok(())
    }

    /// Writes rows `from..` of a batch until the output has grown to `bytes_max` or `rows_max` rows are written; gives how
    /// many were.
    pub(super) fn rows(
        &mut self,
        rows: &Rows<'_>,
        from: usize,
        rows_max: usize,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize> {
        let mut count = 0;
        while from + count < rows.len() && count < rows_max && out.len() < bytes_max {
            match rows {
                Rows::Values(rows) => self.row(&rows[from + count], out)?,
                Rows::Arrow { columns, .. } => self.arrow_row(columns, from + count, out)?,
            }
            count += 1;
        }
        Ok(count)
    }

    /// Appends the text of one value, as COPY writes it (before escaping); `false` for NULL.
    pub(super) fn text(&mut self, index: usize, cell: &Cell<'_>, out: &mut Vec<u8>) -> Result<bool> {
        let typ = self.columns[index].typ;
        write_text(cell, typ, self.context.as_ref(), &mut self.scratch, out)
    }

    /// Appends a length and a value in binary, as in DataRow and binary COPY.
    pub(super) fn binary_field(&mut self, index: usize, cell: &Cell<'_>, out: &mut Vec<u8>) -> Result<()> {
        let typ = self.columns[index].typ;
        let context = self.context.as_ref();
        put_value(out, |out| write_binary(cell, typ, context, out))
    }

    fn field(&mut self, index: usize, cell: Cell<'_>, out: &mut Vec<u8>) -> Result<()> {
        let Column { typ, is_binary } = self.columns[index];
        let (context, scratch) = (self.context.as_ref(), &mut self.scratch);
        put_value(out, |out| match is_binary {
            true => write_binary(&cell, typ, context, out),
            false => write_text(&cell, typ, context, scratch, out),
        })
    }
}

/// Appends a length and what `write` appends; -1 when it says NULL.
fn put_value(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<bool>) -> Result<()> {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    let length = if write(out)? { (out.len() - at - 4) as i32 } else { -1 };
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// Whether the text form of a type depends on settings or the catalog.
fn needs_context(typ: Type) -> bool {
    !matches!(
        Type::new(typ.oid),
        Type::BOOL
            | Type::INT2
            | Type::INT4
            | Type::INT8
            | Type::OID
            | Type::TEXT
            | Type::VARCHAR
            | Type::BPCHAR
            | Type::NAME
            | Type::JSON
            | Type::JSONB
            | Type::UUID
            | Type::NUMERIC
    )
}

/// Appends the text form; `false` for NULL.
fn write_text(
    cell: &Cell<'_>,
    typ: Type,
    context: Option<&EvalContext>,
    scratch: &mut String,
    out: &mut Vec<u8>,
) -> Result<bool> {
    match cell {
        Cell::Null => return Ok(false),
        Cell::Bool(value) => out.push(if *value { b't' } else { b'f' }),
        Cell::Int2(value) => put_integer(out, i64::from(*value)),
        Cell::Int4(value) => put_integer(out, i64::from(*value)),
        Cell::Int8(value) => put_integer(out, *value),
        Cell::Oid(value) if typ == Type::OID => put_integer(out, i64::from(*value)),
        Cell::Text(text) => out.extend_from_slice(text.as_bytes()),
        Cell::Jsonb(document) => document.write_text(out),
        Cell::Uuid(bytes) => put_uuid(out, bytes),
        Cell::Borrowed(Datum::Numeric(value)) => value.write_text(out),
        Cell::Owned(Datum::Numeric(value)) => value.write_text(out),
        Cell::Oid(value) => return write_other(&Datum::Oid(*value), typ, context, scratch, out),
        Cell::Bytea(bytes) => match context {
            Some(context) if !context.format.bytea_hex => {
                return write_other(&Datum::Bytea((*bytes).into()), typ, Some(context), scratch, out);
            }
            _ => put_hex(out, bytes),
        },
        Cell::Borrowed(value) => return write_other(value, typ, context, scratch, out),
        Cell::Owned(value) => return write_other(value, typ, context, scratch, out),
    }
    Ok(true)
}

fn write_other(
    value: &Datum,
    typ: Type,
    context: Option<&EvalContext>,
    scratch: &mut String,
    out: &mut Vec<u8>,
) -> Result<bool> {
    let context = context.ok_or_else(|| Error::internal("a value that is not of its column's type"))?;
    scratch.clear();
    values::output(value, typ, context, scratch);
    out.extend_from_slice(scratch.as_bytes());
    Ok(true)
}

/// Appends the binary form; `false` for NULL.
fn write_binary(cell: &Cell<'_>, typ: Type, context: Option<&EvalContext>, out: &mut Vec<u8>) -> Result<bool> {
    let known = || context.ok_or_else(|| Error::internal("a value that is not of its column's type"));
    match cell {
        Cell::Null => return Ok(false),
        Cell::Bool(value) => out.push(u8::from(*value)),
        Cell::Int2(value) => out.extend_from_slice(&value.to_be_bytes()),
        Cell::Int4(value) => out.extend_from_slice(&value.to_be_bytes()),
        Cell::Int8(value) => out.extend_from_slice(&value.to_be_bytes()),
        Cell::Oid(value) => out.extend_from_slice(&value.to_be_bytes()),
        Cell::Text(text) => {
            // So has jsonpath's.
            if typ.oid == Type::JSONPATH.oid {
                out.push(1);
            }
            out.extend_from_slice(text.as_bytes());
        }
        Cell::Jsonb(document) => {
            // The version of jsonb's binary form, then its text.
            out.push(1);
            document.write_text(out);
        }
        Cell::Bytea(bytes) | Cell::Uuid(bytes) => out.extend_from_slice(bytes),
        Cell::Borrowed(Datum::Numeric(value)) | Cell::Owned(Datum::Numeric(value)) if context.is_none() => {
            value.encode_binary(out);
        }
        Cell::Borrowed(value) => values::binary_out(value, typ, known()?, out),
        Cell::Owned(value) => values::binary_out(value, typ, known()?, out),
    }
    Ok(true)
}

/// Appends a whole number.
pub(super) fn put_integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn put_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(b"\\x");
    out.extend(bytes.iter().flat_map(|byte| [HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]]));
}

fn put_uuid(out: &mut Vec<u8>, bytes: &[u8]) {
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.extend_from_slice(&[HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]]);
    }
}

impl<'a> From<&'a Datum> for Cell<'a> {
    fn from(value: &'a Datum) -> Self {
        match value {
            Datum::Null => Self::Null,
            Datum::Bool(value) => Self::Bool(*value),
            Datum::Int2(value) => Self::Int2(*value),
            Datum::Int4(value) => Self::Int4(*value),
            Datum::Int8(value) => Self::Int8(*value),
            Datum::Oid(value) => Self::Oid(*value),
            Datum::Text(text) | Datum::Json(text) => Self::Text(text),
            Datum::Jsonb(document) => Self::Jsonb(document.as_ref()),
            Datum::Bytea(bytes) => Self::Bytea(bytes),
            Datum::Uuid(bytes) => Self::Uuid(bytes),
            other => Self::Borrowed(other),
        }
    }
}

/// The rows of a batch, ready to be read.
pub(super) enum Rows<'a> {
    Values(&'a [Vec<Datum>]),
    Arrow { columns: Vec<ArrowColumn<'a>>, count: usize },
}

impl<'a> Rows<'a> {
    /// The rows of a batch that has the columns of the encoder.
    pub(super) fn new(batch: &'a Batch, encoder: &RowEncoder) -> Result<Self> {
        match batch {
            Batch::Rows(rows) => Ok(Self::Values(rows)),
            Batch::Arrow(batch) => Self::of_arrow(batch, &encoder.columns),
        }
    }

    fn of_arrow(batch: &'a RecordBatch, columns: &[Column]) -> Result<Self> {
        if batch.num_columns() != columns.len() {
            return Err(Error::internal(format!(
                "a batch has {} columns where {} are described",
                batch.num_columns(),
                columns.len()
            )));
        }
        let arrays = batch.columns().iter().zip(columns);
        let columns = arrays.map(|(array, column)| ArrowColumn::new(array, column.typ)).collect::<Result<_>>()?;
        Ok(Self::Arrow { columns, count: batch.num_rows() })
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Values(rows) => rows.len(),
            Self::Arrow { count, .. } => *count,
        }
    }

    /// Calls `each` with every cell of a row.
    pub(super) fn cells(&self, row: usize, mut each: impl FnMut(usize, Cell<'_>) -> Result<()>) -> Result<()> {
        match self {
            Self::Values(rows) => rows[row].iter().enumerate().try_for_each(|(i, value)| each(i, Cell::from(value))),
            Self::Arrow { columns, .. } => {
                columns.iter().enumerate().try_for_each(|(i, column)| each(i, column.cell(row)?))
            }
        }
    }
}

/// An array, downcast once a batch, with what its values mean.
pub(super) struct ArrowColumn<'a> {
    array: &'a dyn Array,
    has_nulls: bool,
    typ: Type,
    data: Data<'a>,
}

enum Data<'a> {
    Null,
    Bool(&'a BooleanArray),
    Int8(&'a PrimitiveArray<Int8Type>),
    Int16(&'a PrimitiveArray<Int16Type>),
    Int32(&'a PrimitiveArray<Int32Type>),
    Int64(&'a PrimitiveArray<Int64Type>),
    UInt32(&'a PrimitiveArray<UInt32Type>),
    Float32(&'a PrimitiveArray<Float32Type>),
    Float64(&'a PrimitiveArray<Float64Type>),
    Utf8View(&'a StringViewArray),
    BinaryView(&'a BinaryViewArray),
}

impl<'a> ArrowColumn<'a> {
    fn new(array: &'a dyn Array, typ: Type) -> Result<Self> {
        let data = match array.data_type() {
            DataType::Null => Data::Null,
            DataType::Boolean => Data::Bool(array.as_boolean()),
            DataType::Int8 => Data::Int8(array.as_primitive()),
            DataType::Int16 => Data::Int16(array.as_primitive()),
            DataType::Int32 => Data::Int32(array.as_primitive()),
            DataType::Int64 => Data::Int64(array.as_primitive()),
            DataType::UInt32 => Data::UInt32(array.as_primitive()),
            DataType::Float32 => Data::Float32(array.as_primitive()),
            DataType::Float64 => Data::Float64(array.as_primitive()),
            DataType::Utf8View => Data::Utf8View(array.as_string_view()),
            DataType::BinaryView => Data::BinaryView(array.as_binary_view()),
            other => return Err(Error::internal(format!("no wire form for Arrow type {other}"))),
        };
        Ok(Self { array, has_nulls: array.null_count() > 0, typ: Type::new(typ.oid), data })
    }

    fn cell(&self, row: usize) -> Result<Cell<'a>> {
        if self.has_nulls && self.array.is_null(row) {
            return Ok(Cell::Null);
        }
        Ok(match &self.data {
            Data::Null => Cell::Null,
            Data::Bool(array) => Cell::Bool(array.value(row)),
            Data::Int8(array) => Cell::Int2(i16::from(array.value(row))),
            Data::Int16(array) => Cell::Int2(array.value(row)),
            Data::Int32(array) => match self.typ {
                Type::DATE => Cell::Owned(Datum::Date(array.value(row))),
                _ => Cell::Int4(array.value(row)),
            },
            Data::Int64(array) => {
                let value = array.value(row);
                match self.typ {
                    Type::TIMESTAMPTZ => Cell::Owned(Datum::TimestampTz(value)),
                    Type::TIMESTAMP => Cell::Owned(Datum::Timestamp(value)),
                    Type::TIME => Cell::Owned(Datum::Time(value)),
                    _ => Cell::Int8(value),
                }
            }
            Data::UInt32(array) => Cell::Oid(array.value(row)),
            Data::Float32(array) => Cell::Owned(Datum::Float4(array.value(row))),
            Data::Float64(array) => Cell::Owned(Datum::Float8(array.value(row))),
            Data::Utf8View(array) => Cell::Text(array.value(row)),
            Data::BinaryView(array) => {
                let bytes = array.value(row);
                match self.typ {
                    Type::JSONB => Cell::Jsonb(JsonbRef::new(bytes)),
                    Type::BYTEA => Cell::Bytea(bytes),
                    Type::UUID => Cell::Uuid(bytes),
                    Type::NUMERIC => Cell::Owned(Datum::Numeric(Numeric::from_bytes(bytes)?)),
                    _ => Cell::Owned(crate::document::bytes::decode(bytes)?),
                }
            }
        })
    }
}

/// Writes the rows of a point plan into an output buffer as they are found.
pub(super) struct OutputSink<'a> {
    pub(super) encoder: &'a mut RowEncoder,
    pub(super) out: &'a mut Vec<u8>,
}

impl RowSink for OutputSink<'_> {
    fn row(&mut self, values: &[Datum]) -> Result<()> {
        self.encoder.row(values, self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, StringViewArray};
    use arrow::datatypes::{Field, Schema};

    use crate::document::Jsonb;

    fn column(typ: Type) -> OutputColumn {
        OutputColumn { name: "c".into(), typ, table: 0, column: 0 }
    }

    fn detached() -> EvalContext {
        EvalContext::detached(Arc::default())
    }

    fn fields(message: &[u8]) -> Vec<Option<Vec<u8>>> {
        let count = u16::from_be_bytes(message[5..7].try_into().unwrap());
        let mut rest = &message[7..];
        let fields = (0..count)
            .map(|_| {
                let length = i32::from_be_bytes(rest[..4].try_into().unwrap());
                rest = &rest[4..];
                let value = usize::try_from(length).ok().map(|n| rest[..n].to_vec());
                rest = &rest[value.as_ref().map_or(0, Vec::len)..];
                value
            })
            .collect();
        assert!(rest.is_empty());
        fields
    }

    fn one(typ: Type, format: i16, value: Datum) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        RowEncoder::new(&[column(typ)], &[format], detached).row(&[value], &mut out).unwrap();
        fields(&out).remove(0)
    }

    #[test]
    fn text_and_binary_of_values() {
        let text = |typ, value| one(typ, 0, value).map(|v| String::from_utf8(v).unwrap());
        assert_eq!(text(Type::INT4, Datum::Int4(i32::MIN)).unwrap(), "-2147483648");
        assert_eq!(text(Type::BOOL, Datum::Bool(true)).unwrap(), "t");
        assert_eq!(text(Type::TEXT, Datum::Null), None);
        assert_eq!(text(Type::BYTEA, Datum::Bytea([0, 255].into())).unwrap(), "\\x00ff");
        let uuid: [u8; 16] = std::array::from_fn(|i| i as u8);
        assert_eq!(text(Type::UUID, Datum::Uuid(uuid)).unwrap(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
        let document = || Datum::Jsonb(Jsonb::parse("{\"b\":1,\"a\":[true]}").unwrap());
        assert_eq!(text(Type::JSONB, document()).unwrap(), "{\"a\": [true], \"b\": 1}");
        assert_eq!(one(Type::JSONB, 1, document()).unwrap()[..2], [1, b'{']);
        assert_eq!(one(Type::INT8, 1, Datum::Int8(1)).unwrap(), [0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(one(Type::UUID, 1, Datum::Uuid(uuid)).unwrap(), uuid);
    }

    #[test]
    fn arrow_batches_row_by_row() {
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
        let names: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "a name longer than an inlined view"]));
        let schema =
            Schema::new(vec![Field::new("0", DataType::Int32, true), Field::new("1", DataType::Utf8View, true)]);
        let batch = Batch::Arrow(RecordBatch::try_new(Arc::new(schema), vec![ids, names]).unwrap());
        let columns = [column(Type::INT4), column(Type::TEXT)];
        let mut encoder = RowEncoder::new(&columns, &[1, 0], detached);
        let rows = Rows::new(&batch, &encoder).unwrap();
        let mut out = Vec::new();
        assert_eq!(encoder.rows(&rows, 0, 1, usize::MAX, &mut out).unwrap(), 1);
        assert_eq!(fields(&out), [Some(vec![0, 0, 0, 1]), Some(b"a".to_vec())]);
        out.clear();
        assert_eq!(encoder.rows(&rows, 1, 9, usize::MAX, &mut out).unwrap(), 1);
        assert_eq!(fields(&out), [None, Some(b"a name longer than an inlined view".to_vec())]);
        // The byte limit stops between rows.
        assert_eq!(encoder.rows(&rows, 0, 9, 0, &mut Vec::new()).unwrap(), 0);
    }

    #[test]
    fn a_row_of_the_wrong_width_is_an_error() {
        let mut encoder = RowEncoder::new(&[column(Type::INT4)], &[], detached);
        assert!(encoder.row(&[], &mut Vec::new()).is_err());
        assert!(encoder.row(&[Datum::Int4(1), Datum::Int4(1)], &mut Vec::new()).is_err());
    }
}
