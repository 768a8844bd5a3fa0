//! Ranges and multiranges as text: `[1,5)`, `{[1,5),[7,)}`.

use crate::document::{Datum, Multirange, Oid, Range, RangeBound, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::range::{Bounds, make, make_multirange};
use crate::sql::{types, user_types};

use super::number::is_space;

const EMPTY: &str = "empty";

fn subtype_of(range: Oid, context: &EvalContext) -> Result<Type> {
    user_types::subtype(&context.host.catalog(), range)
        .ok_or_else(|| Error::internal(format!("{range} is no range type")))
}

/// Text at its start without regard to case.
fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.get(..word.len()).filter(|head| head.eq_ignore_ascii_case(word)).map(|_| &text[word.len()..])
}

/// `range_in`.
pub(crate) fn range_in(oid: Oid, text: &str, context: &EvalContext) -> Result<Range> {
    let malformed =
        |detail: &str| err!(INVALID_TEXT_REPRESENTATION, "malformed range literal: \"{text}\"").detail(detail);
    let rest = text.trim_start_matches(is_space);
    if let Some(rest) = strip_word(rest, EMPTY) {
        return match rest.chars().all(is_space) {
            true => Ok(Range::empty(oid)),
            false => Err(malformed("Junk after \"empty\" key word.")),
        };
    }
    let mut chars = rest.chars().peekable();
    let lower_inclusive = match chars.next() {
        Some('[') => true,
        Some('(') => false,
        _ => return Err(malformed("Missing left parenthesis or bracket.")),
    };
    let lower = bound(&mut chars, &malformed)?;
    if chars.next() != Some(',') {
        return Err(malformed("Missing comma after lower bound."));
    }
    let upper = bound(&mut chars, &malformed)?;
    let upper_inclusive = match chars.next() {
        Some(']') => true,
        Some(')') => false,
        _ => return Err(malformed("Too many commas.")),
    };
    if chars.any(|c| !is_space(c)) {
        return Err(malformed("Junk after right parenthesis or bracket."));
    }
    let subtype = subtype_of(oid, context)?;
    let read = |text: Option<String>| text.map(|text| super::text_in(subtype, &text, context)).transpose();
    let lower = RangeBound { value: read(lower)?, inclusive: lower_inclusive };
    make(oid, lower, RangeBound { value: read(upper)?, inclusive: upper_inclusive })
}

fn bound(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    malformed: &dyn Fn(&str) -> Error,
) -> Result<Option<String>> {
    if matches!(chars.peek(), Some(',' | ')' | ']')) {
        return Ok(None);
    }
    let (mut value, mut in_quotes) = (String::new(), false);
    loop {
        if !in_quotes && matches!(chars.peek(), Some(',' | ')' | ']')) {
            return Ok(Some(value));
        }
        let c = chars.next().ok_or_else(|| malformed("Unexpected end of input."))?;
        match c {
            '\\' => value.push(chars.next().ok_or_else(|| malformed("Unexpected end of input."))?),
            '"' if in_quotes && chars.peek() == Some(&'"') => {
                chars.next();
                value.push('"');
            }
            '"' => in_quotes = !in_quotes,
            c => value.push(c),
        }
    }
}

/// `multirange_in`.
pub(crate) fn multirange_in(oid: Oid, text: &str, context: &EvalContext) -> Result<Multirange> {
    let malformed =
        |detail: &str| err!(INVALID_TEXT_REPRESENTATION, "malformed multirange literal: \"{text}\"").detail(detail);
    let range_typ = types::range_of(oid).ok_or_else(|| Error::internal("a multirange has a range type"))?;
    let mut rest =
        text.trim_start_matches(is_space).strip_prefix('{').ok_or_else(|| malformed("Missing left brace."))?;
    let mut ranges: Vec<Bounds> = Vec::new();
    let mut seen = false;
    loop {
        rest = rest.trim_start_matches(is_space);
        if rest.is_empty() {
            return Err(malformed("Unexpected end of input."));
        }
        if let Some(after) = rest.strip_prefix('}').filter(|_| !seen) {
            rest = after;
            break;
        }
        if let Some(after) = strip_word(rest, EMPTY) {
            rest = after;
        } else if rest.starts_with(['[', '(']) {
            let end = range_end(rest).ok_or_else(|| malformed("Unexpected end of input."))?;
            ranges.extend(range_in(range_typ, &rest[..end], context)?.bounds);
            rest = &rest[end..];
        } else {
            return Err(malformed("Expected range start."));
        }
        seen = true;
        rest = rest.trim_start_matches(is_space);
        match rest.chars().next() {
            Some(',') => rest = &rest[1..],
            Some('}') => {
                rest = &rest[1..];
                break;
            }
            Some(_) => return Err(malformed("Expected comma or end of multirange.")),
            None => return Err(malformed("Unexpected end of input.")),
        }
    }
    if !rest.chars().all(is_space) {
        return Err(malformed("Junk after closing right brace."));
    }
    Ok(make_multirange(oid, range_typ, ranges))
}

/// Where the range that a text begins with ends.
fn range_end(text: &str) -> Option<usize> {
    let (mut in_quotes, mut escaped) = (false, false);
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_quotes = !in_quotes,
            ')' | ']' if !in_quotes => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// `range_out`, with a way to write a bound.
pub(crate) fn range_out(range: &Range, out: &mut String, mut value: impl FnMut(&Datum, &mut String)) {
    match &range.bounds {
        None => out.push_str(EMPTY),
        Some(bounds) => bounds_out(bounds, out, &mut value),
    }
}

/// `multirange_out`, with a way to write a bound.
pub(crate) fn multirange_out(multirange: &Multirange, out: &mut String, mut value: impl FnMut(&Datum, &mut String)) {
    out.push('{');
    for (i, bounds) in multirange.ranges.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        bounds_out(bounds, out, &mut value);
    }
    out.push('}');
}

fn bounds_out((lower, upper): &Bounds, out: &mut String, value: &mut dyn FnMut(&Datum, &mut String)) {
    let mut text = String::new();
    out.push(if lower.inclusive { '[' } else { '(' });
    for (i, bound) in [lower, upper].into_iter().enumerate() {
        if i == 1 {
            out.push(',');
        }
        if let Some(bound) = &bound.value {
            text.clear();
            value(bound, &mut text);
            quoted(&text, out);
        }
    }
    out.push(if upper.inclusive { ']' } else { ')' });
}

fn quoted(text: &str, out: &mut String) {
    let special = |c: char| matches!(c, '"' | '\\' | '(' | ')' | '[' | ']' | ',') || is_space(c);
    if !text.is_empty() && !text.chars().any(special) {
        return out.push_str(text);
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('"');
}
