//! Arrays as text: `{1,NULL,"a b"}`, nested, with explicit bounds `[2:3]={...}`; and the vectors of catalogs.

use crate::document::{Array, Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;

use super::number::is_space;

/// PostgreSQL's limit of dimensions.
pub(crate) const DIMENSIONS_MAX: usize = 6;
/// PostgreSQL's limit of elements.
pub(crate) const ELEMENTS_MAX: usize = 134_217_727;

enum Token {
    Open,
    Close,
    Comma,
    Element(String),
    Null,
}

struct Scanner<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn malformed(&self, detail: &str) -> Error {
        err!(INVALID_TEXT_REPRESENTATION, "malformed array literal: \"{}\"", self.text).detail(detail)
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches(is_space);
    }

    fn eat(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn integer(&mut self) -> Result<Option<i32>> {
        let sign = usize::from(self.rest.starts_with(['-', '+']));
        let digits = self.rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Ok(None);
        }
        let (number, rest) = self.rest.split_at(sign + digits);
        self.rest = rest;
        number.parse().map(Some).map_err(|_| err!(PROGRAM_LIMIT_EXCEEDED, "array bound is out of integer range"))
    }

    /// `[lower:upper]...=`
    fn dimensions(&mut self) -> Result<Vec<(i32, i32)>> {
        let mut dims = Vec::new();
        loop {
            self.skip_space();
            if !self.eat('[') {
                break;
            }
            if dims.len() >= DIMENSIONS_MAX {
                return Err(err!(
                    PROGRAM_LIMIT_EXCEEDED,
                    "number of array dimensions exceeds the maximum allowed ({DIMENSIONS_MAX})"
                ));
            }
            let missing =
                |scanner: &Self| scanner.malformed("\"[\" must introduce explicitly-specified array dimensions.");
            let first = self.integer()?.ok_or_else(|| missing(self))?;
            let (lower, upper) = if self.eat(':') {
                (first, self.integer()?.ok_or_else(|| self.malformed("Missing array dimension value."))?)
            } else {
                (1, first)
            };
            if !self.eat(']') {
                return Err(self.malformed("Missing \"]\" after array dimensions."));
            }
            if upper < lower {
                return Err(err!(ARRAY_SUBSCRIPT_ERROR, "upper bound cannot be less than lower bound"));
            }
            let length = i64::from(upper) - i64::from(lower) + 1;
            if upper == i32::MAX || length > ELEMENTS_MAX as i64 {
                return Err(too_large());
            }
            dims.push((length as i32, lower));
        }
        if !dims.is_empty() {
            if !self.eat('=') {
                return Err(self.malformed("Missing \"=\" after array dimensions."));
            }
            self.skip_space();
        }
        Ok(dims)
    }

    fn token(&mut self) -> Result<Token> {
        self.skip_space();
        let mut chars = self.rest.chars();
        let Some(first) = chars.next() else { return Err(self.malformed("Unexpected end of input.")) };
        match first {
            '{' => self.rest = chars.as_str(),
            '}' | ',' => {
                self.rest = chars.as_str();
                return Ok(if first == ',' { Token::Comma } else { Token::Close });
            }
            '"' => {
                self.rest = chars.as_str();
                return self.quoted();
            }
            _ => return self.unquoted(),
        }
        Ok(Token::Open)
    }

    fn quoted(&mut self) -> Result<Token> {
        let mut value = String::new();
        let mut chars = self.rest.chars();
        loop {
            match chars.next() {
                Some('"') => break,
                Some('\\') => match chars.next() {
                    Some(c) => value.push(c),
                    None => return Err(self.malformed("Unexpected end of input.")),
                },
                Some(c) => value.push(c),
                None => return Err(self.malformed("Unexpected end of input.")),
            }
        }
        self.rest = chars.as_str();
        self.skip_space();
        match self.rest.chars().next() {
            Some(',' | '}') => Ok(Token::Element(value)),
            Some('{') => Err(self.malformed("Unexpected \"{\" character.")),
            None => Err(self.malformed("Unexpected end of input.")),
            Some(_) => Err(self.malformed("Incorrectly quoted array element.")),
        }
    }

    fn unquoted(&mut self) -> Result<Token> {
        let mut value = String::new();
        // How much of the value must stay: escaped blanks are not trimmed.
        let mut kept = 0;
        let mut escaped = false;
        let mut chars = self.rest.chars();
        loop {
            let before = chars.as_str();
            match chars.next() {
                None => return Err(self.malformed("Unexpected end of input.")),
                Some('"') => return Err(self.malformed("Incorrectly quoted array element.")),
                Some('{') => return Err(self.malformed("Unexpected \"{\" character.")),
                Some('\\') => {
                    let Some(c) = chars.next() else { return Err(self.malformed("Unexpected end of input.")) };
                    value.push(c);
                    kept = value.len();
                    escaped = true;
                }
                Some(',' | '}') => {
                    self.rest = before;
                    break;
                }
                Some(c) => {
                    value.push(c);
                    if !is_space(c) {
                        kept = value.len();
                    }
                }
            }
        }
        value.truncate(kept);
        if !escaped && value.eq_ignore_ascii_case("null") {
            return Ok(Token::Null);
        }
        Ok(Token::Element(value))
    }
}

pub(crate) fn too_many_dimensions(count: usize) -> Error {
    err!(PROGRAM_LIMIT_EXCEEDED, "number of array dimensions ({count}) exceeds the maximum allowed ({DIMENSIONS_MAX})")
}

pub(crate) fn too_large() -> Error {
    err!(PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed ({ELEMENTS_MAX})")
}

/// `array_in`.
pub(crate) fn array_in(element: Type, text: &str, context: &EvalContext) -> Result<Array> {
    let mut scanner = Scanner { text, rest: text };
    let given = scanner.dimensions()?;
    if !scanner.rest.trim_start_matches(is_space).starts_with('{') {
        return Err(if given.is_empty() {
            scanner.malformed("Array value must start with \"{\" or dimension information.")
        } else {
            scanner.malformed("Array contents must start with \"{\".")
        });
    }
    let mismatch = |scanner: &Scanner<'_>| {
        scanner.malformed("Multidimensional arrays must have sub-arrays with matching dimensions.")
    };
    let mut values = Vec::new();
    let mut lengths: Vec<Option<usize>> = Vec::new();
    let mut counts: Vec<usize> = Vec::new();
    let mut frozen = false;
    let mut expect_comma = false;
    let mut after_comma = false;
    loop {
        match scanner.token()? {
            Token::Open => {
                if expect_comma {
                    return Err(scanner.malformed("Unexpected \"{\" character."));
                }
                if counts.len() >= DIMENSIONS_MAX {
                    return Err(err!(
                        PROGRAM_LIMIT_EXCEEDED,
                        "number of array dimensions exceeds the maximum allowed ({DIMENSIONS_MAX})"
                    ));
                }
                counts.push(0);
                if counts.len() > lengths.len() {
                    if frozen {
                        return Err(mismatch(&scanner));
                    }
                    lengths.push(None);
                }
                after_comma = false;
            }
            Token::Close => {
                if after_comma {
                    return Err(scanner.malformed("Unexpected \"}\" character."));
                }
                let Some(count) = counts.pop() else { return Err(scanner.malformed("Unexpected \"}\" character.")) };
                let level = counts.len();
                match lengths[level] {
                    None => lengths[level] = Some(count),
                    Some(length) if length == count => {}
                    Some(_) => return Err(mismatch(&scanner)),
                }
                // Once a level has closed, deeper ones cannot be added beside it.
                frozen = true;
                match counts.last_mut() {
                    None => break,
                    Some(outer) => *outer += 1,
                }
                expect_comma = true;
            }
            Token::Comma => {
                if !expect_comma {
                    return Err(scanner.malformed("Unexpected \",\" character."));
                }
                (expect_comma, after_comma) = (false, true);
            }
            token @ (Token::Element(_) | Token::Null) => {
                if expect_comma {
                    return Err(scanner.malformed("Unexpected array element."));
                }
                frozen = true;
                if counts.len() != lengths.len() {
                    return Err(mismatch(&scanner));
                }
                if values.len() >= ELEMENTS_MAX {
                    return Err(too_large());
                }
                values.push(match token {
                    Token::Element(text) => super::text_in(element, &text, context)?,
                    _ => Datum::Null,
                });
                if let Some(count) = counts.last_mut() {
                    *count += 1;
                }
                (expect_comma, after_comma) = (true, false);
            }
        }
    }
    scanner.skip_space();
    if !scanner.rest.is_empty() {
        return Err(scanner.malformed("Junk after closing right brace."));
    }
    let lengths: Vec<usize> = lengths.into_iter().map(Option::unwrap_or_default).collect();
    if !given.is_empty() {
        let same = given.len() == lengths.len() && given.iter().zip(&lengths).all(|(dim, len)| dim.0 as usize == *len);
        if !same {
            return Err(scanner.malformed("Specified array dimensions do not match array contents."));
        }
    }
    if values.is_empty() {
        return Ok(Array { element: element.oid, dims: Vec::new(), values });
    }
    let dims = if given.is_empty() { lengths.iter().map(|length| (*length as i32, 1)).collect() } else { given };
    Ok(Array { element: element.oid, dims, values })
}

/// `array_out`, with a way to write an element.
pub(crate) fn array_out(array: &Array, out: &mut String, mut element: impl FnMut(&Datum, &mut String)) {
    if array.dims.is_empty() {
        out.push_str("{}");
        return;
    }
    if array.dims.iter().any(|dim| dim.1 != 1) {
        for (length, lower) in &array.dims {
            out.push_str(&format!("[{lower}:{}]", i64::from(*lower) + i64::from(*length) - 1));
        }
        out.push('=');
    }
    let mut text = String::new();
    let mut values = array.values.iter();
    level(&array.dims, &mut values, out, &mut |value, out| {
        if value.is_null() {
            out.push_str("NULL");
            return;
        }
        text.clear();
        element(value, &mut text);
        quoted(&text, out);
    });
}

fn level<'a>(
    dims: &[(i32, i32)],
    values: &mut impl Iterator<Item = &'a Datum>,
    out: &mut String,
    write: &mut impl FnMut(&'a Datum, &mut String),
) {
    out.push('{');
    for index in 0..dims[0].0 {
        if index > 0 {
            out.push(',');
        }
        match dims.len() {
            1 => {
                if let Some(value) = values.next() {
                    write(value, out);
                }
            }
            _ => level(&dims[1..], values, out, write),
        }
    }
    out.push('}');
}

fn quoted(text: &str, out: &mut String) {
    let needs_quotes = text.is_empty()
        || text.eq_ignore_ascii_case("null")
        || text.chars().any(|c| matches!(c, '"' | '\\' | '{' | '}' | ',') || is_space(c));
    if !needs_quotes {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// `int2vectorin`, `oidvectorin`: numbers with blanks between, counted from 0.
pub(crate) fn vector_in(element: Oid, text: &str, context: &EvalContext) -> Result<Array> {
    let values = text
        .split(is_space)
        .filter(|word| !word.is_empty())
        .map(|word| super::text_in(Type::new(element), word, context))
        .collect::<Result<Vec<_>>>()?;
    let dims = if values.is_empty() { Vec::new() } else { vec![(values.len() as i32, 0)] };
    Ok(Array { element, dims, values })
}

/// `int2vectorout`, `oidvectorout`.
pub(crate) fn vector_out(array: &Array, out: &mut String) {
    for (index, value) in array.values.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        match value {
            Datum::Int2(n) => super::number::integer_out(i64::from(*n), out),
            Datum::Oid(n) => super::number::integer_out(i64::from(*n), out),
            _ => {}
        }
    }
}
