//! The operators that take documents apart and make new ones, with PostgreSQL's rules and errors.

use super::{Jsonb, JsonbBuilder, JsonbRef, Kind};
use crate::err;
use crate::error::{Error, Result};

/// One step of a path: a key or the text of a position; `None` for SQL NULL.
pub type Step<'a> = Option<&'a str>;

/// The indented text of `jsonb_pretty`.
pub fn pretty(value: JsonbRef<'_>) -> String {
    super::text::pretty(value)
}

/// PostgreSQL's strtoint: white space, a sign, digits, within 32 bits.
pub(crate) fn parse_index(text: &str) -> Option<i32> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// `document -> index`. A top-level scalar counts as an array of itself.
pub fn element(document: JsonbRef<'_>, index: i64) -> Option<JsonbRef<'_>> {
    if document.is_scalar() { matches!(index, 0 | -1).then_some(document) } else { document.index(index) }
}

/// The value at a path of keys and positions (`#>`), if it is there. An empty path is the document itself.
pub fn get_path<'a, S: AsRef<str>>(document: JsonbRef<'a>, path: &[S]) -> Option<JsonbRef<'a>> {
    path.iter().try_fold(document, |value, step| match value.kind() {
        Kind::Object => value.get(step.as_ref()),
        Kind::Array => value.index(parse_index(step.as_ref())?.into()),
        _ => None,
    })
}

/// `a || b`: objects merge (the right one wins), everything else is put together as arrays.
pub fn concat(a: JsonbRef<'_>, b: JsonbRef<'_>) -> Result<Jsonb> {
    if a.is_object() == b.is_object() {
        if !a.is_scalar() && a.is_empty() && !b.is_scalar() {
            return Ok(b.to_owned());
        }
        if !b.is_scalar() && b.is_empty() && !a.is_scalar() {
            return Ok(a.to_owned());
        }
    }
    let mut builder = JsonbBuilder::with_capacity(a.0.len() + b.0.len() + 16);
    if a.is_object() && b.is_object() {
        builder.begin_object();
        push_pairs(a, &mut builder, |_, _| true);
        push_pairs(b, &mut builder, |_, _| true);
        builder.end_object();
    } else {
        builder.begin_array();
        for side in [a, b] {
            if side.is_array() {
                side.iter_array().for_each(|element| builder.push_value(element));
            } else {
                builder.push_value(side);
            }
        }
        builder.end_array();
    }
    builder.finish()
}

/// Copies the pairs that `keep` wants.
fn push_pairs(object: JsonbRef<'_>, builder: &mut JsonbBuilder, keep: impl Fn(&[u8], JsonbRef<'_>) -> bool) {
    let mut pairs = object.iter_object();
    while let Some((key, value)) = pairs.next_bytes() {
        if keep(key, value) {
            builder.push_key_bytes(key);
            builder.push_value(value);
        }
    }
}

fn invalid(message: &str) -> Error {
    err!(INVALID_PARAMETER_VALUE, "{message}")
}

/// `document - key`: removes a key of an object, or the equal strings of an array.
pub fn delete_key(document: JsonbRef<'_>, key: &str) -> Result<Jsonb> {
    delete_keys(document, &[key])
}

/// `document - keys`: removes several.
pub fn delete_keys<S: AsRef<str>>(document: JsonbRef<'_>, keys: &[S]) -> Result<Jsonb> {
    let listed = |key: &[u8]| keys.iter().any(|listed| listed.as_ref().as_bytes() == key);
    let mut builder = JsonbBuilder::with_capacity(document.0.len());
    match document.kind() {
        Kind::Object => {
            builder.begin_object();
            push_pairs(document, &mut builder, |key, _| !listed(key));
            builder.end_object();
        }
        Kind::Array => {
            builder.begin_array();
            for element in document.iter_array() {
                if !element.as_str_bytes().is_some_and(listed) {
                    builder.push_value(element);
                }
            }
            builder.end_array();
        }
        _ => return Err(invalid("cannot delete from scalar")),
    }
    builder.finish()
}

/// `document - index`: removes an element (negative: counted from the end).
pub fn delete_index(document: JsonbRef<'_>, index: i64) -> Result<Jsonb> {
    match document.kind() {
        Kind::Array => {}
        Kind::Object => return Err(invalid("cannot delete from object using integer index")),
        _ => return Err(invalid("cannot delete from scalar")),
    }
    let index = if index < 0 { index + document.len() as i64 } else { index };
    let mut builder = JsonbBuilder::with_capacity(document.0.len());
    builder.begin_array();
    for (i, element) in document.iter_array().enumerate() {
        if i as i64 != index {
            builder.push_value(element);
        }
    }
    builder.end_array();
    builder.finish()
}

/// Removes object fields that are null, at every depth, and null elements of arrays if asked.
pub fn strip_nulls(document: JsonbRef<'_>, in_arrays: bool) -> Result<Jsonb> {
    let mut builder = JsonbBuilder::with_capacity(document.0.len());
    push_stripped(document, in_arrays, &mut builder);
    builder.finish()
}

fn push_stripped(value: JsonbRef<'_>, in_arrays: bool, builder: &mut JsonbBuilder) {
    if builder.depth() > super::DEPTH_MAX {
        return builder.push_value(value);
    }
    match value.kind() {
        Kind::Object => {
            builder.begin_object();
            let mut pairs = value.iter_object();
            while let Some((key, value)) = pairs.next_bytes() {
                if !value.is_null() {
                    builder.push_key_bytes(key);
                    push_stripped(value, in_arrays, builder);
                }
            }
            builder.end_object();
        }
        Kind::Array => {
            builder.begin_array();
            for element in value.iter_array() {
                if !(in_arrays && element.is_null()) {
                    push_stripped(element, in_arrays, builder);
                }
            }
            builder.end_array();
        }
        _ => builder.push_value(value),
    }
}

/// `jsonb_set`: replaces the value at a path; with `create`, also adds the last step when only that is missing.
pub fn set(document: JsonbRef<'_>, path: &[Step<'_>], value: JsonbRef<'_>, create: bool) -> Result<Jsonb> {
    if document.is_scalar() {
        return Err(invalid("cannot set path in scalar"));
    }
    if path.is_empty() || (document.is_empty() && !create) {
        return Ok(document.to_owned());
    }
    Change { path, value, mode: if create { Mode::Create } else { Mode::Replace } }.apply(document)
}

/// `jsonb_insert`: adds a value before (or after) an element, or under a key that is not there yet.
pub fn insert(document: JsonbRef<'_>, path: &[Step<'_>], value: JsonbRef<'_>, after: bool) -> Result<Jsonb> {
    if document.is_scalar() {
        return Err(invalid("cannot set path in scalar"));
    }
    if path.is_empty() {
        return Ok(document.to_owned());
    }
    Change { path, value, mode: if after { Mode::InsertAfter } else { Mode::InsertBefore } }.apply(document)
}

/// `document #- path`.
pub fn delete_path(document: JsonbRef<'_>, path: &[Step<'_>]) -> Result<Jsonb> {
    if document.is_scalar() {
        return Err(invalid("cannot delete path in scalar"));
    }
    if path.is_empty() || document.is_empty() {
        return Ok(document.to_owned());
    }
    Change { path, value: JsonbRef(&[super::NULL]), mode: Mode::Delete }.apply(document)
}

/// `UPDATE ... SET document[path] = value`: creates what is missing on the way, filling arrays with nulls. A NULL
/// document begins as an array if the first subscript is an integer, else as an object.
pub fn set_subscript(
    document: Option<JsonbRef<'_>>,
    path: &[Step<'_>],
    first_is_integer: bool,
    value: JsonbRef<'_>,
) -> Result<Jsonb> {
    let empty = if first_is_integer { Jsonb::empty_array() } else { Jsonb::empty_object() };
    let document = document.unwrap_or(empty.as_ref());
    if path.is_empty() {
        return Ok(value.to_owned());
    }
    Change { path, value, mode: Mode::Subscript }.apply(document)
}

/// `jsonb_set_lax`: what a NULL value means is said by `treatment`.
pub fn set_lax(
    document: JsonbRef<'_>,
    path: &[Step<'_>],
    value: Option<JsonbRef<'_>>,
    create: bool,
    treatment: Option<&str>,
) -> Result<Jsonb> {
    if let (Some(value), Some(_)) = (value, treatment) {
        return set(document, path, value, create);
    }
    match treatment {
        Some("raise_exception") => Err(err!(NULL_VALUE_NOT_ALLOWED, "JSON value must not be null")
            .detail("Exception was raised because null_value_treatment is \"raise_exception\".")
            .hint(
                "To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.",
            )),
        Some("use_json_null") => set(document, path, JsonbRef(&[super::NULL]), create),
        Some("delete_key") => delete_path(document, path),
        Some("return_target") => Ok(document.to_owned()),
        _ => Err(invalid(
            "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"",
        )),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Create,
    Replace,
    Delete,
    InsertBefore,
    InsertAfter,
    Subscript,
}

impl Mode {
    /// Whether a missing last step is added.
    fn adds(self) -> bool {
        !matches!(self, Self::Replace | Self::Delete)
    }
}

/// One change of a document at a path (PostgreSQL's setPath).
struct Change<'a> {
    path: &'a [Step<'a>],
    value: JsonbRef<'a>,
    mode: Mode,
}

impl Change<'_> {
    fn apply(&self, document: JsonbRef<'_>) -> Result<Jsonb> {
        let mut builder = JsonbBuilder::with_capacity(document.0.len() + self.value.0.len() + 32);
        self.write(document, 0, &mut builder)?;
        builder.finish()
    }

    fn step(&self, level: usize) -> Result<&str> {
        self.path[level].ok_or_else(|| err!(NULL_VALUE_NOT_ALLOWED, "path element at position {} is null", level + 1))
    }

    /// Writes `value`, which is at `path[..level]`, with the change. `level` is inside the path.
    fn write(&self, value: JsonbRef<'_>, level: usize, builder: &mut JsonbBuilder) -> Result<()> {
        let step = self.step(level)?;
        match value.kind() {
            Kind::Object => self.write_object(value, step, level, builder),
            Kind::Array => self.write_array(value, step, level, builder),
            _ if self.mode == Mode::Subscript => Err(invalid("cannot replace existing key")
                .detail("The path assumes key is a composite object, but it is a scalar value.")),
            _ => {
                builder.push_value(value);
                Ok(())
            }
        }
    }

    fn write_object(&self, object: JsonbRef<'_>, step: &str, level: usize, builder: &mut JsonbBuilder) -> Result<()> {
        let is_last = level + 1 == self.path.len();
        let mut done = false;
        builder.begin_object();
        let mut pairs = object.iter_object();
        while let Some((key, value)) = pairs.next_bytes() {
            if key != step.as_bytes() {
                builder.push_key_bytes(key);
                builder.push_value(value);
                continue;
            }
            done = true;
            if !is_last {
                builder.push_key_bytes(key);
                self.write(value, level + 1, builder)?;
                continue;
            }
            match self.mode {
                Mode::Delete => {}
                Mode::InsertBefore | Mode::InsertAfter => {
                    return Err(invalid("cannot replace existing key")
                        .hint("Try using the function jsonb_set to replace key value."));
                }
                _ => {
                    builder.push_key_bytes(key);
                    builder.push_value(self.value);
                }
            }
        }
        if !done && is_last && self.mode.adds() {
            builder.push_key(step);
            builder.push_value(self.value);
        } else if !done && !is_last && self.mode == Mode::Subscript {
            builder.push_key(step);
            self.write_chain(level + 1, builder);
        }
        builder.end_object();
        Ok(())
    }

    fn write_array(&self, array: JsonbRef<'_>, step: &str, level: usize, builder: &mut JsonbBuilder) -> Result<()> {
        let position = level + 1;
        let index = parse_index(step).ok_or_else(|| {
            err!(INVALID_TEXT_REPRESENTATION, "path element at position {position} is not an integer: \"{step}\"")
        })?;
        let count = array.len() as i64;
        let subscript = self.mode == Mode::Subscript;
        // Positions before the first element mean "in front", those behind the last mean "at the end".
        let target = match index as i64 {
            index if index >= 0 && subscript => index,
            index if index >= 0 => index.min(count),
            index if -index <= count => count + index,
            _ if subscript => {
                return Err(invalid(&format!("path element at position {position} is out of range: {index}")));
            }
            _ => i64::MIN,
        };
        let is_last = position == self.path.len();
        let mut done = false;
        builder.begin_array();
        if is_last && self.mode.adds() && (target == i64::MIN || count == 0) {
            if subscript {
                push_nulls(target, builder);
            }
            builder.push_value(self.value);
            done = true;
        }
        for (i, element) in array.iter_array().enumerate() {
            if i as i64 != target {
                builder.push_value(element);
                continue;
            }
            done = true;
            if !is_last {
                self.write(element, level + 1, builder)?;
                continue;
            }
            match self.mode {
                Mode::Delete => {}
                Mode::InsertBefore => {
                    builder.push_value(self.value);
                    builder.push_value(element);
                }
                Mode::InsertAfter => {
                    builder.push_value(element);
                    builder.push_value(self.value);
                }
                _ => builder.push_value(self.value),
            }
        }
        if !done && is_last && self.mode.adds() {
            if subscript {
                push_nulls(target - count, builder);
            }
            builder.push_value(self.value);
        } else if !done && !is_last && subscript {
            push_nulls(target - count, builder);
            self.write_chain(level + 1, builder);
        }
        builder.end_array();
        Ok(())
    }

    /// Writes the containers that the path still needs, and the value in the innermost.
    fn write_chain(&self, level: usize, builder: &mut JsonbBuilder) {
        match self.path.get(level) {
            // As PostgreSQL, which stops at a NULL step.
            None | Some(None) => builder.push_value(self.value),
            Some(Some(step)) => match parse_index(step) {
                Some(index) => {
                    builder.begin_array();
                    push_nulls(index.into(), builder);
                    self.write_chain(level + 1, builder);
                    builder.end_array();
                }
                None => {
                    builder.begin_object();
                    builder.push_key(step);
                    self.write_chain(level + 1, builder);
                    builder.end_object();
                }
            },
        }
    }
}

fn push_nulls(count: i64, builder: &mut JsonbBuilder) {
    (0..count).for_each(|_| builder.push_null());
}
