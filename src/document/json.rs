//! The `json` type: text kept as it was given, checked on input and taken apart by its text.
//!
//! Duplicates, order and white space inside values survive. Everything here but [`validate`] expects text that was
//! validated. As in PostgreSQL, input does not decode `\u` escapes and the operators do, so that a document with
//! `\u0000` can be stored but not looked into.

use std::borrow::Cow;

use super::jsonb::ops::parse_index;
use super::jsonb::scan::plain_run;
use super::jsonb::{DEPTH_MAX, Kind, Reading, decode_unicode, diagnose, write_string};
use crate::error::Result;

/// Checks that text is JSON, with PostgreSQL's errors (22P02).
pub fn validate(text: &str) -> Result<()> {
    diagnose(text, Reading::Json)
}

/// Checks that all `\u` escapes can be decoded.
fn check_escapes(text: &str) -> Result<()> {
    if text.contains("\\u") { diagnose(text, Reading::JsonDecoded) } else { Ok(()) }
}

/// What the value is (`json_typeof`).
pub fn kind(text: &str) -> Kind {
    match text.trim_ascii_start().bytes().next() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::String,
        Some(b't' | b'f') => Kind::Bool,
        Some(b'n') | None => Kind::Null,
        Some(_) => Kind::Number,
    }
}

/// `text -> key`: the value of the last field with that name, if this is an object that has it.
pub fn get<'a>(text: &'a str, key: &str) -> Result<Option<&'a str>> {
    check_escapes(text)?;
    Ok(if kind(text) == Kind::Object { find(text, &[Selector::Key(key)]) } else { None })
}

/// `text -> index`: an element (negative: from the end), if this is an array that has it.
pub fn index(text: &str, index: i64) -> Result<Option<&str>> {
    check_escapes(text)?;
    Ok(if kind(text) == Kind::Array { find(text, &[Selector::Index(index)]) } else { None })
}

/// `text #> path`. An empty path is the value itself.
pub fn get_path<'a, S: AsRef<str>>(text: &'a str, path: &[S]) -> Result<Option<&'a str>> {
    check_escapes(text)?;
    let path: Vec<Selector<'_>> = path.iter().map(|step| Selector::Step(step.as_ref())).collect();
    Ok(find(text, &path))
}

/// A value as PostgreSQL's `->>` gives it: strings decoded, SQL NULL for null, anything else as it is.
pub fn as_text(value: &str) -> Option<Cow<'_, str>> {
    match kind(value) {
        Kind::Null => None,
        Kind::String => Some(decode_string(value.trim_ascii())),
        _ => Some(Cow::Borrowed(value)),
    }
}

/// The number of elements, if this is an array.
pub fn array_length(text: &str) -> Option<usize> {
    (kind(text) == Kind::Array).then(|| Elements::new(text).count())
}

/// The elements of an array, each as its text.
pub fn elements(text: &str) -> Result<Elements<'_>> {
    check_escapes(text)?;
    Ok(Elements::new(text))
}

/// The fields of an object in the order they stand: decoded keys, and the values as their text.
pub fn entries(text: &str) -> Result<Entries<'_>> {
    check_escapes(text)?;
    Ok(Entries::new(text))
}

/// Removes object fields that are null at every depth, and null elements of arrays if asked; compact.
pub fn strip_nulls(text: &str, in_arrays: bool) -> Result<String> {
    check_escapes(text)?;
    let mut out = Vec::with_capacity(text.len());
    write_stripped(text, in_arrays, 0, &mut out);
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// One step into a value.
#[derive(Clone, Copy)]
enum Selector<'a> {
    Key(&'a str),
    Index(i64),
    /// A key in an object, the text of a position in an array.
    Step(&'a str),
}

/// The last value that the whole path leads to: of equal keys all are followed.
fn find<'a>(text: &'a str, path: &[Selector<'_>]) -> Option<&'a str> {
    let Some((step, rest)) = path.split_first() else { return Some(text.trim_ascii()) };
    match (kind(text), *step) {
        (Kind::Object, Selector::Key(key) | Selector::Step(key)) => {
            Entries::new(text).filter(|(name, _)| name == key).filter_map(|(_, value)| find(value, rest)).last()
        }
        (Kind::Array, Selector::Index(_) | Selector::Step(_)) => {
            let index = match *step {
                Selector::Index(index) => index,
                Selector::Step(text) | Selector::Key(text) => parse_index(text)?.into(),
            };
            let index = if index < 0 { index + Elements::new(text).count() as i64 } else { index };
            find(Elements::new(text).nth(usize::try_from(index).ok()?)?, rest)
        }
        _ => None,
    }
}

/// The elements of an array.
#[derive(Clone)]
pub struct Elements<'a>(Cursor<'a>);

impl<'a> Elements<'a> {
    fn new(text: &'a str) -> Self {
        Self(Cursor::open(text, b'['))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.0.skip_to_value()?;
        self.0.value()
    }
}

/// The fields of an object.
#[derive(Clone)]
pub struct Entries<'a>(Cursor<'a>);

impl<'a> Entries<'a> {
    fn new(text: &'a str) -> Self {
        Self(Cursor::open(text, b'{'))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Cow<'a, str>, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.skip_to_value()?;
        let key = self.0.value()?;
        self.0.skip_to_value()?;
        Some((decode_string(key), self.0.value()?))
    }
}

/// Walks over the values directly inside a container.
#[derive(Clone)]
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn open(text: &'a str, bracket: u8) -> Self {
        let start = text.len() - text.trim_ascii_start().len();
        let at = if text.as_bytes().get(start) == Some(&bracket) { start + 1 } else { text.len() };
        Self { text, at }
    }

    /// Moves over white space, commas and colons; `None` at the end of the container.
    fn skip_to_value(&mut self) -> Option<()> {
        loop {
            match self.text.as_bytes().get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => self.at += 1,
                b']' | b'}' => return None,
                _ => return Some(()),
            }
        }
    }

    /// The value that starts here, moving behind it.
    fn value(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.at = value_end(self.text.as_bytes(), start);
        self.text.get(start..self.at)
    }
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        at = plain_run(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return bytes.len(),
        }
    }
}

fn value_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut depth = 0usize;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return if depth == 0 { at } else { at + 1 },
            b'}' | b']' => depth -= 1,
            b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

/// The text of a quoted string.
fn decode_string(quoted: &str) -> Cow<'_, str> {
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let bytes = inner.as_bytes();
    let mut out = String::with_capacity(inner.len());
    let mut at = 0;
    while let Some(escape) = bytes[at..].iter().position(|&byte| byte == b'\\') {
        let escape = at + escape;
        out.push_str(&inner[at..escape]);
        at = escape + 2;
        match bytes.get(escape + 1) {
            Some(b'n') => out.push('\n'),
            Some(b't') => out.push('\t'),
            Some(b'r') => out.push('\r'),
            Some(b'b') => out.push('\x08'),
            Some(b'f') => out.push('\x0c'),
            Some(b'u') => match decode_unicode(bytes, escape) {
                Some((decoded, next)) => {
                    out.push(decoded);
                    at = next;
                }
                None => out.push('\u{fffd}'),
            },
            Some(&other) if other < 0x80 => out.push(other as char),
            _ => at = escape + 1,
        }
    }
    out.push_str(inner.get(at..).unwrap_or(""));
    Cow::Owned(out)
}

fn write_stripped(text: &str, in_arrays: bool, depth: usize, out: &mut Vec<u8>) {
    let text = text.trim_ascii();
    match kind(text) {
        Kind::Object if depth <= DEPTH_MAX => {
            out.push(b'{');
            let start = out.len();
            for (key, value) in Entries::new(text).filter(|(_, value)| kind(value) != Kind::Null) {
                if out.len() > start {
                    out.push(b',');
                }
                write_string(key.as_bytes(), out);
                out.push(b':');
                write_stripped(value, in_arrays, depth + 1, out);
            }
            out.push(b'}');
        }
        Kind::Array if depth <= DEPTH_MAX => {
            out.push(b'[');
            let start = out.len();
            for value in Elements::new(text).filter(|value| !(in_arrays && kind(value) == Kind::Null)) {
                if out.len() > start {
                    out.push(b',');
                }
                write_stripped(value, in_arrays, depth + 1, out);
            }
            out.push(b']');
        }
        Kind::String => write_string(decode_string(text).as_bytes(), out),
        _ => out.extend_from_slice(text.as_bytes()),
    }
}
