//! Order, equality, hash, sort key and containment of documents, as PostgreSQL's jsonb operators have them.
//!
//! Types order as Object > Array > Boolean > Number > String > Null, containers by their size before their contents.
//! At the top level a scalar compares as an array of one element that is less than a real one, which makes the
//! empty array less than every scalar.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use super::{DEPTH_MAX, Jsonb, JsonbBuilder, JsonbRef, Kind};
use crate::document::Numeric;
use crate::document::key::{read_escaped, write_escaped};
use crate::err;
use crate::error::{Error, Result};

impl JsonbRef<'_> {
    /// PostgreSQL's btree order of whole documents.
    #[allow(clippy::should_implement_trait)] // By value, and beside an equality of another kind.
    pub fn cmp(self, other: JsonbRef<'_>) -> Ordering {
        match (self.kind(), other.kind()) {
            (Kind::Array, kind) if kind < Kind::Array && self.is_empty() => Ordering::Less,
            (kind, Kind::Array) if kind < Kind::Array && other.is_empty() => Ordering::Greater,
            _ => compare(self, other, 0),
        }
    }

    /// SQL equality: keys and values equal, numbers by value.
    pub fn is_equal(self, other: JsonbRef<'_>) -> bool {
        self.0 == other.0 || compare(self, other, 0) == Ordering::Equal
    }

    /// Whether this document contains the other (`@>`).
    pub fn contains(self, other: JsonbRef<'_>) -> bool {
        match (self.kind(), other.kind()) {
            // A top-level array may contain a bare scalar; nothing else is contained in a different kind.
            (Kind::Array, kind) if kind < Kind::Array => has_element(self, other),
            _ => contains(self, other, 0),
        }
    }

    /// Whether a string is a key of this object, an element of this array, or this string itself (`?`).
    pub fn exists(self, key: &str) -> bool {
        match self.kind() {
            Kind::Object => self.get(key).is_some(),
            Kind::Array => self.iter_array().any(|element| element.as_str_bytes() == Some(key.as_bytes())),
            _ => self.as_str_bytes() == Some(key.as_bytes()),
        }
    }

    /// Feeds a hasher so that equal documents hash equally.
    pub fn hash_into<H: Hasher>(self, state: &mut H) {
        hash(self, state, 0);
    }

    /// Appends a key whose byte order is the order of documents and whose equality is theirs. Prefix-free.
    pub fn write_sort_key(self, out: &mut Vec<u8>) {
        match self.kind() {
            Kind::Array if self.is_empty() => out.push(KEY_EMPTY_ARRAY),
            _ => write_key(self, out, 0),
        }
    }
}

impl PartialEq for Jsonb {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref().is_equal(other.as_ref())
    }
}

impl Eq for Jsonb {}

impl PartialOrd for Jsonb {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(Ord::cmp(self, other))
    }
}

impl Ord for Jsonb {
    fn cmp(&self, other: &Self) -> Ordering {
        JsonbRef::cmp(self.as_ref(), other.as_ref())
    }
}

impl Hash for Jsonb {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash_into(state);
    }
}

fn compare(a: JsonbRef<'_>, b: JsonbRef<'_>, depth: usize) -> Ordering {
    let (kind, other) = (a.kind(), b.kind());
    if kind != other || depth > DEPTH_MAX {
        return kind.cmp(&other);
    }
    match kind {
        Kind::Null => Ordering::Equal,
        Kind::Bool => a.tag().cmp(&b.tag()),
        Kind::String => a.payload().cmp(b.payload()),
        Kind::Number => compare_numbers(a, b),
        Kind::Array => a.len().cmp(&b.len()).then_with(|| {
            a.iter_array()
                .zip(b.iter_array())
                .map(|(a, b)| compare(a, b, depth + 1))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        }),
        Kind::Object => a.len().cmp(&b.len()).then_with(|| {
            let (mut a, mut b) = (a.iter_object(), b.iter_object());
            while let (Some((key, value)), Some((other_key, other))) = (a.next_bytes(), b.next_bytes()) {
                let order = key.cmp(other_key).then_with(|| compare(value, other, depth + 1));
                if order.is_ne() {
                    return order;
                }
            }
            Ordering::Equal
        }),
    }
}

fn compare_numbers(a: JsonbRef<'_>, b: JsonbRef<'_>) -> Ordering {
    if a.0 == b.0 {
        return Ordering::Equal;
    }
    let number = |value: JsonbRef<'_>| value.as_numeric().unwrap_or(Numeric::NAN);
    number(a).cmp(&number(b))
}

fn has_element(array: JsonbRef<'_>, scalar: JsonbRef<'_>) -> bool {
    array.iter_array().any(|element| element.kind() == scalar.kind() && compare(element, scalar, 0).is_eq())
}

fn contains(value: JsonbRef<'_>, part: JsonbRef<'_>, depth: usize) -> bool {
    if value.kind() != part.kind() || depth > DEPTH_MAX {
        return false;
    }
    match value.kind() {
        Kind::Object => {
            if value.len() < part.len() {
                return false;
            }
            let table = value.object();
            let mut pairs = part.iter_object();
            std::iter::from_fn(|| pairs.next_bytes())
                .all(|(key, part)| table.find(key).is_some_and(|value| contains(value, part, depth + 1)))
        }
        Kind::Array => part.iter_array().all(|part| {
            if part.is_scalar() {
                has_element(value, part)
            } else {
                value.iter_array().any(|element| contains(element, part, depth + 1))
            }
        }),
        _ => compare(value, part, depth).is_eq(),
    }
}

fn hash<H: Hasher>(value: JsonbRef<'_>, state: &mut H, depth: usize) {
    let kind = value.kind();
    state.write_u8(kind as u8);
    if depth > DEPTH_MAX {
        return;
    }
    match kind {
        Kind::Null => {}
        Kind::Bool => state.write_u8(value.tag()),
        Kind::String => {
            state.write(value.payload());
            state.write_u8(0xff);
        }
        Kind::Number => value.as_numeric().unwrap_or(Numeric::NAN).hash(state),
        Kind::Array => {
            state.write_usize(value.len());
            value.iter_array().for_each(|element| hash(element, state, depth + 1));
        }
        Kind::Object => {
            state.write_usize(value.len());
            let mut pairs = value.iter_object();
            while let Some((key, value)) = pairs.next_bytes() {
                state.write(key);
                state.write_u8(0xff);
                hash(value, state, depth + 1);
            }
        }
    }
}

const KEY_EMPTY_ARRAY: u8 = 1;
const KEY_NULL: u8 = 2;
const KEY_STRING: u8 = 3;
const KEY_NUMBER: u8 = 4;
const KEY_FALSE: u8 = 5;
const KEY_TRUE: u8 = 6;
const KEY_ARRAY: u8 = 7;
const KEY_OBJECT: u8 = 8;

fn write_key(value: JsonbRef<'_>, out: &mut Vec<u8>, depth: usize) {
    if depth > DEPTH_MAX {
        return out.push(KEY_NULL);
    }
    match value.kind() {
        Kind::Null => out.push(KEY_NULL),
        Kind::Bool => out.push(if value.as_bool() == Some(true) { KEY_TRUE } else { KEY_FALSE }),
        Kind::String => {
            out.push(KEY_STRING);
            write_escaped(value.payload(), out);
        }
        Kind::Number => {
            out.push(KEY_NUMBER);
            value.as_numeric().unwrap_or(Numeric::NAN).write_sort_key(out);
        }
        Kind::Array => {
            out.push(KEY_ARRAY);
            out.extend_from_slice(&(value.len() as u32).to_be_bytes());
            value.iter_array().for_each(|element| write_key(element, out, depth + 1));
        }
        Kind::Object => {
            out.push(KEY_OBJECT);
            out.extend_from_slice(&(value.len() as u32).to_be_bytes());
            let mut pairs = value.iter_object();
            while let Some((key, value)) = pairs.next_bytes() {
                write_escaped(key, out);
                write_key(value, out, depth + 1);
            }
        }
    }
}

fn damaged() -> Error {
    err!(INDEX_CORRUPTED, "jsonb key is damaged")
}

/// Reads a sort key back: the document (numbers with their smallest scale), and the bytes used.
pub fn read_sort_key(bytes: &[u8]) -> Result<(Jsonb, usize)> {
    let mut builder = JsonbBuilder::new();
    let mut at = 0;
    if bytes.first() == Some(&KEY_EMPTY_ARRAY) {
        return Ok((Jsonb::empty_array(), 1));
    }
    read_value(bytes, &mut at, &mut builder, 0)?;
    Ok((builder.finish().map_err(|_| damaged())?, at))
}

fn read_value(bytes: &[u8], at: &mut usize, builder: &mut JsonbBuilder, depth: usize) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(damaged());
    }
    let tag = *bytes.get(*at).ok_or_else(damaged)?;
    *at += 1;
    let rest = &bytes[*at..];
    let text = |at: &mut usize, rest: &[u8]| -> Result<String> {
        let (text, used) = read_escaped(rest).ok_or_else(damaged)?;
        *at += used;
        String::from_utf8(text).map_err(|_| damaged())
    };
    match tag {
        KEY_NULL => builder.push_null(),
        KEY_FALSE => builder.push_bool(false),
        KEY_TRUE => builder.push_bool(true),
        KEY_STRING => builder.push_str(&text(at, rest)?),
        KEY_NUMBER => {
            let (number, used) = Numeric::read_sort_key(rest)?;
            *at += used;
            builder.push_numeric(&number);
        }
        KEY_ARRAY | KEY_OBJECT => {
            let count = rest.first_chunk::<4>().map(|raw| u32::from_be_bytes(*raw)).ok_or_else(damaged)?;
            *at += 4;
            if tag == KEY_ARRAY {
                builder.begin_array();
            } else {
                builder.begin_object();
            }
            for _ in 0..count {
                if tag == KEY_OBJECT {
                    let key = text(at, &bytes[*at..])?;
                    builder.push_key(&key);
                }
                read_value(bytes, at, builder, depth + 1)?;
            }
            if tag == KEY_ARRAY {
                builder.end_array();
            } else {
                builder.end_object();
            }
        }
        _ => return Err(damaged()),
    }
    Ok(())
}
