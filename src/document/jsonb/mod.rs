//! [`Jsonb`]: the binary document, and [`JsonbRef`], a borrowed value anywhere inside one.
//!
//! A value is a tag byte and a payload whose length is known from outside, so a value can be copied out of one
//! document into another as it is:
//! ```text
//! 0x00 null   0x01 false   0x02 true   0x03 string: UTF-8
//! 0x40..=0x61 number: 0x40 + the head byte of Numeric's storage form, then its payload
//! 0x80..=0xff the integers 0..=127
//! 0x10        []           0x1w array:  elements, then n end offsets, then n
//! 0x20        {}           0x2w object: pairs, then n x (start of pair, end of pair) in key order, then n
//! ```
//! `w` (1..=4) is the width of the offsets and of `n`; offsets count from the tag. A pair is the key's length (one
//! byte, or 255 and a u32), the key and the value. Tables stand behind the data, so that a document is written in
//! one pass without moving anything. Keys are ordered by (length, bytes) as in PostgreSQL; pairs lie as they came.
//! An array finds element i at once, an object finds a key by binary search.
//!
//! Reading never panics: damaged bytes read as null. [`Jsonb::from_bytes`] checks bytes of unknown origin.
//!
//! - [`builder`]: writes documents. - [`parse`]: from text. - [`text`]: to text. - [`compare`]: order, equality,
//!   hash, sort key, containment. - [`ops`]: the operators that make new documents.

mod builder;
mod compare;
pub mod ops;
mod parse;
pub(crate) mod scan;
mod text;

pub use builder::JsonbBuilder;
pub use compare::read_sort_key;
pub(crate) use parse::{Reading, decode_unicode, diagnose};
pub(crate) use text::write_string;

use super::Numeric;
use crate::err;
use crate::error::{Error, Result};

/// The deepest nesting of arrays and objects.
pub const DEPTH_MAX: usize = 1000;

pub(crate) const NULL: u8 = 0x00;
const FALSE: u8 = 0x01;
const TRUE: u8 = 0x02;
const STRING: u8 = 0x03;
const ARRAY: u8 = 0x10;
const OBJECT: u8 = 0x20;
const NUMBER: u8 = 0x40;
const SMALL_INTEGER: u8 = 0x80;
/// A key of this length or more has its length in four more bytes.
const LONG_KEY: usize = 255;

/// 54001, as PostgreSQL reports running out of stack.
pub(crate) fn too_deep() -> Error {
    err!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
        .detail(format!("JSON values nest at most {DEPTH_MAX} levels deep."))
}

/// An owned document.
#[derive(Clone, Debug)]
pub struct Jsonb(Box<[u8]>);

/// A value inside a document.
#[derive(Clone, Copy)]
pub struct JsonbRef<'a>(&'a [u8]);

/// What a value is, in PostgreSQL's sort order of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Null,
    String,
    Number,
    Bool,
    Array,
    Object,
}

impl Kind {
    /// The name that `jsonb_typeof` gives.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "boolean",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

impl Jsonb {
    /// `null`.
    pub fn null() -> Self {
        Self(Box::new([NULL]))
    }

    /// `true` or `false`.
    pub fn bool(value: bool) -> Self {
        Self(Box::new([if value { TRUE } else { FALSE }]))
    }

    /// A string.
    pub fn string(text: &str) -> Self {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.push(STRING);
        bytes.extend_from_slice(text.as_bytes());
        Self(bytes.into())
    }

    /// A number; NaN and the infinities, which JSON does not have, become strings.
    pub fn number(value: &Numeric) -> Self {
        let mut bytes = Vec::with_capacity(20);
        builder::write_number(value, &mut bytes);
        Self(bytes.into())
    }

    /// `[]`.
    pub fn empty_array() -> Self {
        Self(Box::new([ARRAY]))
    }

    /// `{}`.
    pub fn empty_object() -> Self {
        Self(Box::new([OBJECT]))
    }

    /// Reads JSON text.
    pub fn parse(text: &str) -> Result<Self> {
        parse::parse(text)
    }

    /// Takes encoded bytes of unknown origin; XX001 if they are not a document.
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>) -> Result<Self> {
        let bytes = bytes.into();
        JsonbRef(&bytes).validate()?;
        Ok(Self(bytes))
    }

    /// Takes encoded bytes that were written by this module; damaged parts of them would read as null.
    pub fn from_trusted(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The encoded bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The encoded bytes, owned.
    pub fn into_bytes(self) -> Box<[u8]> {
        self.0
    }

    /// The whole document, borrowed.
    #[allow(clippy::should_implement_trait)]
    pub fn as_ref(&self) -> JsonbRef<'_> {
        JsonbRef(&self.0)
    }
}

impl From<JsonbRef<'_>> for Jsonb {
    fn from(value: JsonbRef<'_>) -> Self {
        value.to_owned()
    }
}

/// The offset table of a non-empty array or object.
#[derive(Clone, Copy)]
struct Table<'a> {
    bytes: &'a [u8],
    width: usize,
    count: usize,
    /// Where the table begins.
    at: usize,
}

#[inline]
fn read_offset(bytes: &[u8], at: usize, width: usize) -> usize {
    match width {
        1 => bytes.get(at).map_or(0, |&b| b as usize),
        2 => bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]) as usize),
        3 => bytes.get(at..at + 3).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], 0]) as usize),
        _ => bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize),
    }
}

impl<'a> Table<'a> {
    /// `entries` is how many offsets an element has. Damaged tables are empty.
    #[inline]
    fn new(bytes: &'a [u8], entries: usize) -> Self {
        let width = (bytes.first().copied().unwrap_or(0) & 0x0f) as usize;
        let empty = Self { bytes: &[], width: 1, count: 0, at: 0 };
        if width == 0 || width > 4 || bytes.len() < 1 + width {
            return empty;
        }
        let end = bytes.len() - width;
        let count = read_offset(bytes, end, width);
        match count.checked_mul(width * entries).and_then(|size| end.checked_sub(size)) {
            Some(at) if at > 0 => Self { bytes, width, count, at },
            _ => empty,
        }
    }

    #[inline]
    fn offset(&self, i: usize) -> usize {
        read_offset(self.bytes, self.at + i * self.width, self.width)
    }

    #[inline]
    fn element(&self, i: usize) -> JsonbRef<'a> {
        let start = if i == 0 { 1 } else { self.offset(i - 1) };
        JsonbRef(self.bytes.get(start..self.offset(i)).unwrap_or(&[NULL]))
    }

    #[inline]
    fn key(&self, i: usize) -> &'a [u8] {
        self.split_key(self.offset(2 * i)).0
    }

    /// The key that starts at an offset, and where its value starts.
    #[inline]
    fn split_key(&self, start: usize) -> (&'a [u8], usize) {
        let Some(&length) = self.bytes.get(start) else { return (&[], usize::MAX) };
        let (length, start) = if (length as usize) < LONG_KEY {
            (length as usize, start + 1)
        } else {
            (read_offset(self.bytes, start + 1, 4), start + 5)
        };
        match start.checked_add(length).and_then(|end| Some((self.bytes.get(start..end)?, end))) {
            Some(found) => found,
            None => (&[], usize::MAX),
        }
    }

    #[inline]
    fn pair(&self, i: usize) -> (&'a [u8], JsonbRef<'a>) {
        let (key, start) = self.split_key(self.offset(2 * i));
        (key, JsonbRef(self.bytes.get(start..self.offset(2 * i + 1)).unwrap_or(&[NULL])))
    }

    #[inline]
    fn find(&self, key: &[u8]) -> Option<JsonbRef<'a>> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = (low + high) / 2;
            let found = self.key(middle);
            match found.len().cmp(&key.len()).then_with(|| found.cmp(key)) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(self.pair(middle).1),
            }
        }
        None
    }
}

impl<'a> JsonbRef<'a> {
    /// A value over encoded bytes that this module wrote.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The encoded bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// An owned copy.
    #[allow(clippy::wrong_self_convention)]
    pub fn to_owned(self) -> Jsonb {
        Jsonb(self.0.into())
    }

    #[inline]
    fn tag(self) -> u8 {
        self.0.first().copied().unwrap_or(NULL)
    }

    #[inline]
    fn payload(self) -> &'a [u8] {
        self.0.get(1..).unwrap_or(&[])
    }

    /// What the value is.
    #[inline]
    pub fn kind(self) -> Kind {
        match self.tag() {
            FALSE | TRUE => Kind::Bool,
            STRING => Kind::String,
            tag if tag & 0xf0 == ARRAY => Kind::Array,
            tag if tag & 0xf0 == OBJECT => Kind::Object,
            0x40..=0x61 | SMALL_INTEGER.. => Kind::Number,
            _ => Kind::Null,
        }
    }

    /// Whether this is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// Whether this is an object.
    pub fn is_object(self) -> bool {
        self.kind() == Kind::Object
    }

    /// Whether this is an array.
    pub fn is_array(self) -> bool {
        self.kind() == Kind::Array
    }

    /// Whether this is neither an array nor an object.
    pub fn is_scalar(self) -> bool {
        !matches!(self.kind(), Kind::Array | Kind::Object)
    }

    /// Elements of an array or pairs of an object; 0 for a scalar.
    pub fn len(self) -> usize {
        match self.kind() {
            Kind::Array => self.array().count,
            Kind::Object => self.object().count,
            _ => 0,
        }
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn array(self) -> Table<'a> {
        Table::new(self.0, 1)
    }

    #[inline]
    fn object(self) -> Table<'a> {
        Table::new(self.0, 2)
    }

    /// The value of a key, if this is an object that has it.
    #[inline]
    pub fn get(self, key: &str) -> Option<JsonbRef<'a>> {
        if self.tag() & 0xf0 == OBJECT { self.object().find(key.as_bytes()) } else { None }
    }

    /// The element at a position (negative: from the end), if this is an array that has it.
    #[inline]
    pub fn index(self, index: i64) -> Option<JsonbRef<'a>> {
        if self.tag() & 0xf0 != ARRAY {
            return None;
        }
        let table = self.array();
        let index = if index < 0 { index.checked_add(table.count as i64)? } else { index };
        let index = usize::try_from(index).ok()?;
        (index < table.count).then(|| table.element(index))
    }

    /// The elements of an array (nothing for anything else).
    pub fn iter_array(self) -> ArrayIter<'a> {
        let table = if self.is_array() { self.array() } else { Table::new(&[], 1) };
        ArrayIter { table, next: 0, start: 1 }
    }

    /// The pairs of an object in key order (nothing for anything else).
    pub fn iter_object(self) -> ObjectIter<'a> {
        let table = if self.is_object() { self.object() } else { Table::new(&[], 2) };
        ObjectIter { table, next: 0 }
    }

    /// The text of a string.
    pub fn as_str(self) -> Option<&'a str> {
        if self.tag() == STRING { std::str::from_utf8(self.payload()).ok() } else { None }
    }

    /// The bytes of a string's text.
    pub(crate) fn as_str_bytes(self) -> Option<&'a [u8]> {
        (self.tag() == STRING).then(|| self.payload())
    }

    /// A boolean.
    pub fn as_bool(self) -> Option<bool> {
        match self.tag() {
            FALSE => Some(false),
            TRUE => Some(true),
            _ => None,
        }
    }

    /// A number.
    #[inline]
    pub fn as_numeric(self) -> Option<Numeric> {
        match self.tag() {
            tag @ SMALL_INTEGER.. => Some(Numeric::from_i64((tag & 0x7f) as i64)),
            tag @ 0x40..=0x61 => Numeric::from_head(tag - NUMBER, self.payload()).ok(),
            _ => None,
        }
    }

    /// An integer written without digits behind the point, if it is one and fits.
    #[inline]
    pub fn as_i64(self) -> Option<i64> {
        match self.tag() {
            tag @ SMALL_INTEGER.. => Some((tag & 0x7f) as i64),
            NUMBER => self.as_numeric()?.to_i64(),
            _ => None,
        }
    }

    /// Checks every part of bytes of unknown origin.
    fn validate(self) -> Result<()> {
        let damaged = || err!(DATA_CORRUPTED, "stored jsonb value is damaged");
        // (value, depth): a list instead of recursion, the depth is not known to be bounded yet.
        let mut open = vec![(self, 0usize)];
        while let Some((value, depth)) = open.pop() {
            if depth > DEPTH_MAX {
                return Err(damaged());
            }
            let sound = match value.0.first().ok_or_else(damaged)? {
                &NULL | &FALSE | &TRUE | &ARRAY | &OBJECT | &(SMALL_INTEGER..) => value.0.len() == 1,
                &STRING => value.as_str().is_some(),
                0x40..=0x61 => value.as_numeric().is_some(),
                0x11..=0x14 => {
                    let table = value.array();
                    let mut start = 1;
                    for i in 0..table.count {
                        let end = table.offset(i);
                        if end <= start || end > table.at {
                            return Err(damaged());
                        }
                        open.push((table.element(i), depth + 1));
                        start = end;
                    }
                    table.count > 0 && start == table.at
                }
                0x21..=0x24 => {
                    let table = value.object();
                    let mut before: Option<&[u8]> = None;
                    let mut size = 1;
                    for i in 0..table.count {
                        let (start, end) = (table.offset(2 * i), table.offset(2 * i + 1));
                        let (key, value_start) = table.split_key(start);
                        let ordered = before.is_none_or(|b| (b.len(), b) < (key.len(), key));
                        if start < 1 || value_start >= end || end > table.at || !ordered {
                            return Err(damaged());
                        }
                        if std::str::from_utf8(key).is_err() {
                            return Err(damaged());
                        }
                        before = Some(key);
                        size += end - start;
                        open.push((table.pair(i).1, depth + 1));
                    }
                    // No overlap and no holes: bounds what a damaged table can make readers do.
                    table.count > 0 && size == table.at
                }
                _ => false,
            };
            if !sound {
                return Err(damaged());
            }
        }
        Ok(())
    }
}

/// The elements of an array.
#[derive(Clone)]
pub struct ArrayIter<'a> {
    table: Table<'a>,
    next: usize,
    start: usize,
}

impl<'a> Iterator for ArrayIter<'a> {
    type Item = JsonbRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<JsonbRef<'a>> {
        if self.next >= self.table.count {
            return None;
        }
        let end = self.table.offset(self.next);
        let value = self.table.bytes.get(self.start..end).unwrap_or(&[NULL]);
        self.next += 1;
        self.start = end;
        Some(JsonbRef(value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.table.count - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for ArrayIter<'_> {}

/// The pairs of an object, in key order.
#[derive(Clone)]
pub struct ObjectIter<'a> {
    table: Table<'a>,
    next: usize,
}

impl<'a> ObjectIter<'a> {
    /// The next pair, with the key as bytes (known to be UTF-8 when the document is sound).
    #[inline]
    pub(crate) fn next_bytes(&mut self) -> Option<(&'a [u8], JsonbRef<'a>)> {
        if self.next >= self.table.count {
            return None;
        }
        let pair = self.table.pair(self.next);
        self.next += 1;
        Some(pair)
    }
}

impl<'a> Iterator for ObjectIter<'a> {
    type Item = (&'a str, JsonbRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.next_bytes()?;
        Some((std::str::from_utf8(key).unwrap_or(""), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.table.count - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for ObjectIter<'_> {}
