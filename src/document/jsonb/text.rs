//! Documents to text: PostgreSQL's jsonb output, and the indented form of `jsonb_pretty`.

use std::fmt;

use super::scan::plain_run;
use super::{DEPTH_MAX, Jsonb, JsonbRef, Kind, NUMBER};

impl JsonbRef<'_> {
    /// Appends PostgreSQL's text of the value.
    pub fn write_text(self, out: &mut Vec<u8>) {
        write(self, out, 0);
    }

    /// The text as PostgreSQL's `->>` gives it: a string without quotes, SQL NULL for null.
    pub fn to_text(self) -> Option<String> {
        match self.kind() {
            Kind::Null => None,
            Kind::String => self.as_str().map(str::to_owned),
            _ => Some(self.to_string()),
        }
    }
}

impl fmt::Display for JsonbRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(self.0.len() * 5 / 4 + 16);
        self.write_text(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

impl fmt::Debug for JsonbRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Jsonb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_ref(), f)
    }
}

fn write(value: JsonbRef<'_>, out: &mut Vec<u8>, depth: usize) {
    match value.kind() {
        Kind::Array if depth <= DEPTH_MAX => {
            out.push(b'[');
            for (i, element) in value.iter_array().enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                write(element, out, depth + 1);
            }
            out.push(b']');
        }
        Kind::Object if depth <= DEPTH_MAX => {
            out.push(b'{');
            let mut pairs = value.iter_object();
            let mut first = true;
            while let Some((key, value)) = pairs.next_bytes() {
                if !first {
                    out.extend_from_slice(b", ");
                }
                first = false;
                write_string(key, out);
                out.extend_from_slice(b": ");
                write(value, out, depth + 1);
            }
            out.push(b'}');
        }
        _ => write_scalar(value, out),
    }
}

#[inline]
fn write_scalar(value: JsonbRef<'_>, out: &mut Vec<u8>) {
    match value.kind() {
        Kind::String => write_string(value.payload(), out),
        Kind::Number => write_number(value, out),
        Kind::Bool => out.extend_from_slice(if value.as_bool() == Some(true) { b"true" } else { b"false" }),
        _ => out.extend_from_slice(b"null"),
    }
}

#[inline]
fn write_number(value: JsonbRef<'_>, out: &mut Vec<u8>) {
    match value.tag() {
        small @ 0x80..=0x89 => out.push(b'0' + (small & 0x7f)),
        NUMBER.. => match value.as_numeric() {
            Some(number) => number.write_text(out),
            None => out.extend_from_slice(b"null"),
        },
        _ => {}
    }
}

/// Appends a JSON string: quoted, with `"`, `\` and controls escaped.
pub(crate) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut at = 0;
    loop {
        let end = plain_run(text, at);
        out.extend_from_slice(&text[at..end]);
        let Some(&byte) = text.get(end) else { break };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        at = end + 1;
    }
    out.push(b'"');
}

/// The indented text of `jsonb_pretty`.
pub(super) fn pretty(value: JsonbRef<'_>) -> String {
    let mut out = Vec::with_capacity(value.0.len() * 2 + 16);
    write_indented(value, &mut out, 0);
    String::from_utf8_lossy(&out).into_owned()
}

fn new_line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.resize(out.len() + 4 * depth, b' ');
}

fn write_indented(value: JsonbRef<'_>, out: &mut Vec<u8>, depth: usize) {
    match value.kind() {
        Kind::Array if depth <= DEPTH_MAX => {
            out.push(b'[');
            for (i, element) in value.iter_array().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                new_line(out, depth + 1);
                write_indented(element, out, depth + 1);
            }
            new_line(out, depth);
            out.push(b']');
        }
        Kind::Object if depth <= DEPTH_MAX => {
            out.push(b'{');
            let mut pairs = value.iter_object();
            let mut first = true;
            while let Some((key, value)) = pairs.next_bytes() {
                if !first {
                    out.push(b',');
                }
                first = false;
                new_line(out, depth + 1);
                write_string(key, out);
                out.extend_from_slice(b": ");
                write_indented(value, out, depth + 1);
            }
            new_line(out, depth);
            out.push(b'}');
        }
        _ => write_scalar(value, out),
    }
}
