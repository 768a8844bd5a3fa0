//! The operators that take documents apart and make new ones, with PostgreSQL's rules and errors.

use super::{Jsonb, JsonbRef, Kind};

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

/// The value at a path of keys and positions (`#>`), if it is there. An empty path is the document itself.
pub fn get_path<'a, S: AsRef<str>>(document: JsonbRef<'a>, path: &[S]) -> Option<JsonbRef<'a>> {
    path.iter().try_fold(document, |value, step| match value.kind() {
        Kind::Object => value.get(step.as_ref()),
        Kind::Array => value.index(parse_index(step.as_ref())?.into()),
        _ => None,
    })
}

/// An array or object without anything in it.
pub fn empty_like(value: JsonbRef<'_>) -> Jsonb {
    if value.is_array() { Jsonb::empty_array() } else { Jsonb::empty_object() }
}
