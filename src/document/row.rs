//! Rows as bytes: the columns in [`bytes`](super::bytes) form, then a table of where each ends.
//!
//! ```text
//! value 0 | value 1 | ... | n end offsets of w bytes | n, w bytes | w
//! ```
//! NULL takes no bytes in front. Any column is read without looking at the others, text and documents without
//! copying. Columns past the stored count are missing: the table got them after the row was written.

use super::bytes::{decode_ref, encode};
use super::{Datum, DatumRef, JsonbRef};
use crate::err;
use crate::error::{Error, Result};

/// Encodes the columns of a row, by column number.
pub fn encode_row(values: &[Datum]) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len() * 10 + 8);
    encode_row_into(values, &mut out);
    out
}

/// Appends the bytes of a row to an empty buffer (offsets count from the buffer's start).
fn encode_row_into(values: &[Datum], out: &mut Vec<u8>) {
    let mut ends: smallvec::SmallVec<[u32; 32]> = smallvec::SmallVec::with_capacity(values.len());
    for value in values {
        if !value.is_null() {
            encode(value, out);
        }
        ends.push(out.len() as u32);
    }
    let width = match out.len().max(values.len()) {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xff_ffff => 3,
        _ => 4,
    };
    for end in ends.iter().chain([&(values.len() as u32)]) {
        out.extend_from_slice(&end.to_le_bytes()[..width]);
    }
    out.push(width as u8);
}

fn damaged() -> Error {
    err!(DATA_CORRUPTED, "stored row is damaged")
}

/// An encoded row.
#[derive(Clone, Copy, Debug)]
pub struct RowRef<'a> {
    /// The values.
    data: &'a [u8],
    /// The end offsets.
    ends: &'a [u8],
    width: usize,
    count: usize,
}

impl<'a> RowRef<'a> {
    /// Opens a row; XX001 if its table is damaged.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        let (&width, rest) = bytes.split_last().ok_or_else(damaged)?;
        let width = width as usize;
        if !(1..=4).contains(&width) {
            return Err(damaged());
        }
        let (rest, count) = rest.split_at_checked(rest.len().wrapping_sub(width)).ok_or_else(damaged)?;
        let count = read(count);
        let table = count.checked_mul(width).and_then(|size| rest.len().checked_sub(size)).ok_or_else(damaged)?;
        let (data, ends) = rest.split_at(table);
        Ok(Self { data, ends, width, count })
    }

    /// How many columns are stored.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether no column is stored.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    #[inline]
    fn end(&self, i: usize) -> usize {
        read(&self.ends[i * self.width..(i + 1) * self.width])
    }

    /// The encoded bytes of a column: `None` if it is missing, empty for NULL.
    #[inline]
    pub fn raw(&self, i: usize) -> Result<Option<&'a [u8]>> {
        if i >= self.count {
            return Ok(None);
        }
        let start = if i == 0 { 0 } else { self.end(i - 1) };
        self.data.get(start..self.end(i)).map(Some).ok_or_else(damaged)
    }

    /// A column's value; `None` if it is missing.
    #[inline]
    pub fn get(&self, i: usize) -> Result<Option<DatumRef<'a>>> {
        match self.raw(i)? {
            None => Ok(None),
            Some([]) => Ok(Some(DatumRef::Null)),
            Some(bytes) => decode_ref(bytes).map(Some),
        }
    }

    /// A column's value, owned; NULL if it is missing.
    pub fn datum(&self, i: usize) -> Result<Datum> {
        Ok(self.get(i)?.map_or(Datum::Null, DatumRef::into_owned))
    }

    /// All stored values, owned.
    pub fn to_datums(&self) -> Result<Vec<Datum>> {
        (0..self.count).map(|i| self.datum(i)).collect()
    }

    /// A jsonb column without copying it; `None` if it is NULL, missing or of another type.
    #[inline]
    pub fn jsonb(&self, i: usize) -> Option<JsonbRef<'a>> {
        match self.get(i) {
            Ok(Some(DatumRef::Jsonb(document))) => Some(document),
            _ => None,
        }
    }
}

#[inline]
fn read(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | byte as usize)
}
