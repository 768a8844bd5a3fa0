//! Lines of COPY text and csv: where they end, and their fields. No I/O and no types here.

use std::ops::Range;

use crate::err;
use crate::error::{Error, Result};
use crate::exec::{CopyFormat, CopyOptions};

/// Finds the ends of lines in a growing buffer; remembers how far it has looked, so that a long line that arrives in many
/// pieces is looked at once.
#[derive(Debug)]
pub(super) struct LineFinder {
    quoting: Option<Quoting>,
    eol: Option<Eol>,
    /// Bytes of the current line that have been looked at.
    scanned: usize,
    in_quote: bool,
    /// Line ends inside quotes in the current line.
    inner_lines: u64,
}

/// csv's quote and escape bytes.
#[derive(Clone, Copy, Debug)]
struct Quoting {
    quote: u8,
    escape: u8,
}

/// How lines end: decided by the first one, and then the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Eol {
    Lf,
    CrLf,
    Cr,
}

/// A line that has been found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Bytes of the line without its end.
    pub(super) len: usize,
    /// Bytes to go on to the next one.
    pub(super) advance: usize,
    /// How many lines of the file it spans.
    pub(super) lines: u64,
}

impl LineFinder {
    pub(super) fn new(options: &CopyOptions) -> Self {
        let quoting =
            (options.format == CopyFormat::Csv).then_some(Quoting { quote: options.quote, escape: options.escape });
        Self { quoting, eol: None, scanned: 0, in_quote: false, inner_lines: 0 }
    }

    /// The first line of `data`, if its end is there; at the end of all data (`is_last`) what is left is a line too.
    pub(super) fn next(&mut self, data: &[u8], is_last: bool) -> Result<Option<Line>> {
        let found = match self.quoting {
            None => self.find_text(data, is_last)?,
            Some(quoting) => self.find_csv(data, is_last, quoting)?,
        };
        let line = match found {
            Some((len, advance)) => Line { len, advance, lines: 1 + self.inner_lines },
            None if is_last && !data.is_empty() => {
                if self.in_quote {
                    return Err(err!(BAD_COPY_FILE_FORMAT, "unterminated CSV quoted field"));
                }
                Line { len: data.len(), advance: data.len(), lines: 1 + self.inner_lines }
            }
            None => return Ok(None),
        };
        (self.scanned, self.in_quote, self.inner_lines) = (0, false, 0);
        Ok(Some(line))
    }

    fn find_text(&mut self, data: &[u8], is_last: bool) -> Result<Option<(usize, usize)>> {
        loop {
            let rest = &data[self.scanned..];
            let hit = match self.eol {
                Some(Eol::Lf) => memchr::memchr(b'\n', rest),
                _ => memchr::memchr2(b'\n', b'\r', rest),
            };
            let Some(at) = hit.map(|at| self.scanned + at) else {
                self.scanned = data.len();
                return Ok(None);
            };
            // A backslash in front makes it data; but that backslash may be escaped itself.
            let backslashes = data[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
            if backslashes % 2 == 1 {
                self.scanned = at + 1;
                continue;
            }
            match self.end_at(data, at, is_last)? {
                End::Here(advance) => {
                    if self.eol == Some(Eol::Lf) && has_bare_return(&data[..at]) {
                        return Err(literal("carriage return", "\\r"));
                    }
                    return Ok(Some((at, advance)));
                }
                End::Unknown => {
                    self.scanned = at;
                    return Ok(None);
                }
                End::Data => return Err(literal_at(data[at])),
            }
        }
    }

    fn find_csv(&mut self, data: &[u8], is_last: bool, quoting: Quoting) -> Result<Option<(usize, usize)>> {
        loop {
            let rest = &data[self.scanned..];
            let hit = match (self.in_quote, quoting.quote == quoting.escape) {
                // Doubled quotes leave and enter again, which comes to the same.
                (true, true) => memchr::memchr2(quoting.quote, b'\n', rest),
                (true, false) => memchr::memchr3(quoting.quote, quoting.escape, b'\n', rest),
                (false, _) => memchr::memchr3(quoting.quote, b'\n', b'\r', rest),
            };
            let Some(at) = hit.map(|at| self.scanned + at) else {
                self.scanned = data.len();
                return Ok(None);
            };
            let byte = data[at];
            if byte == quoting.quote {
                self.in_quote = !self.in_quote;
                self.scanned = at + 1;
            } else if self.in_quote && byte == quoting.escape {
                match data.get(at + 1) {
                    None if !is_last => {
                        self.scanned = at;
                        return Ok(None);
                    }
                    Some(next) if *next == quoting.quote || *next == quoting.escape => self.scanned = at + 2,
                    _ => self.scanned = at + 1,
                }
            } else if self.in_quote {
                // As PostgreSQL counts: before the first line has ended, it does not know what a line end is.
                self.inner_lines += u64::from(self.eol.is_some());
                self.scanned = at + 1;
            } else {
                match self.end_at(data, at, is_last)? {
                    End::Here(advance) => return Ok(Some((at, advance))),
                    End::Unknown => {
                        self.scanned = at;
                        return Ok(None);
                    }
                    End::Data => return Err(unquoted(byte)),
                }
            }
        }
    }

    /// What a line feed or carriage return at `at` is.
    fn end_at(&mut self, data: &[u8], at: usize, is_last: bool) -> Result<End> {
        let next = data.get(at + 1);
        if self.eol.is_none() {
            self.eol = match (data[at], next) {
                (b'\n', _) => Some(Eol::Lf),
                (_, Some(b'\n')) => Some(Eol::CrLf),
                (_, Some(_)) => Some(Eol::Cr),
                (_, None) if is_last => Some(Eol::Cr),
                (_, None) => None,
            };
        }
        Ok(match (self.eol, data[at]) {
            (None, _) => End::Unknown,
            (Some(Eol::Lf), b'\n') | (Some(Eol::Cr), b'\r') => End::Here(at + 1),
            (Some(Eol::CrLf), b'\r') => match next {
                Some(b'\n') => End::Here(at + 2),
                None if !is_last => End::Unknown,
                _ => End::Data,
            },
            _ => End::Data,
        })
    }
}

enum End {
    /// The line ends, and the next starts there.
    Here(usize),
    /// The next byte decides.
    Unknown,
    /// Not an end of line in this file.
    Data,
}

/// A carriage return without a backslash in front, in text whose lines end with line feeds.
fn has_bare_return(line: &[u8]) -> bool {
    memchr::memchr_iter(b'\r', line)
        .any(|at| line[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0)
}

fn literal(what: &str, escape: &str) -> Error {
    err!(BAD_COPY_FILE_FORMAT, "literal {what} found in data").hint(format!("Use \"{escape}\" to represent {what}."))
}

fn literal_at(byte: u8) -> Error {
    if byte == b'\r' { literal("carriage return", "\\r") } else { literal("newline", "\\n") }
}

fn unquoted(byte: u8) -> Error {
    let what = if byte == b'\r' { "carriage return" } else { "newline" };
    err!(BAD_COPY_FILE_FORMAT, "unquoted {what} found in data")
        .hint(format!("Use quoted CSV field to represent {what}."))
}

/// The fields of one line. Values that had to be unescaped lie in `scratch`, the others in the line.
#[derive(Debug, Default)]
pub(super) struct Fields {
    scratch: Vec<u8>,
    fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    Null,
    /// The column's default.
    Default,
    Line(Range<usize>),
    Scratch(Range<usize>),
}

impl Fields {
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// The bytes of a field; `None` is NULL.
    pub(super) fn get<'a>(&'a self, index: usize, line: &'a [u8]) -> Option<&'a [u8]> {
        match &self.fields[index] {
            Field::Null | Field::Default => None,
            Field::Line(range) => Some(&line[range.clone()]),
            Field::Scratch(range) => Some(&self.scratch[range.clone()]),
        }
    }

    /// Whether a field stands for its column's default.
    pub(super) fn is_default(&self, index: usize) -> bool {
        self.fields[index] == Field::Default
    }

    /// Whether some value was unescaped: then it need not be the UTF-8 that the line was.
    pub(super) fn is_unescaped(&self, index: usize) -> bool {
        matches!(self.fields[index], Field::Scratch(_))
    }

    /// Cuts a line.
    pub(super) fn split(&mut self, line: &[u8], options: &CopyOptions) -> Result<()> {
        self.fields.clear();
        self.scratch.clear();
        match options.format {
            CopyFormat::Csv => self.split_csv(line, options),
            _ => {
                self.split_text(line, options);
                Ok(())
            }
        }
    }

    fn split_text(&mut self, line: &[u8], options: &CopyOptions) {
        let (null, delimiter) = (options.null.as_bytes(), options.delimiter);
        let default = options.default.as_deref().map(str::as_bytes);
        let push = |fields: &mut Vec<Field>, raw: Range<usize>, value: Field| {
            fields.push(match &line[raw] {
                raw if raw == null => Field::Null,
                raw if Some(raw) == default => Field::Default,
                _ => value,
            });
        };
        if memchr::memchr(b'\\', line).is_none() {
            let mut start = 0;
            for at in memchr::memchr_iter(delimiter, line).chain([line.len()]) {
                push(&mut self.fields, start..at, Field::Line(start..at));
                start = at + 1;
            }
            return;
        }
        let mut start = 0;
        loop {
            let value_start = self.scratch.len();
            let mut at = start;
            let mut copied = start;
            let mut is_escaped = false;
            let end = loop {
                match memchr::memchr2(delimiter, b'\\', &line[at..]) {
                    None => break line.len(),
                    Some(offset) if line[at + offset] == delimiter => break at + offset,
                    Some(offset) => {
                        let backslash = at + offset;
                        self.scratch.extend_from_slice(&line[copied..backslash]);
                        is_escaped = true;
                        at = unescape(line, backslash, &mut self.scratch);
                        copied = at;
                    }
                }
            };
            let value = if is_escaped {
                self.scratch.extend_from_slice(&line[copied..end]);
                Field::Scratch(value_start..self.scratch.len())
            } else {
                Field::Line(start..end)
            };
            push(&mut self.fields, start..end, value);
            if end == line.len() {
                return;
            }
            start = end + 1;
        }
    }

    fn split_csv(&mut self, line: &[u8], options: &CopyOptions) -> Result<()> {
        let (delimiter, quote, escape) = (options.delimiter, options.quote, options.escape);
        let mut start = 0;
        loop {
            // A field without quotes ends at the next delimiter.
            let end = memchr::memchr2(delimiter, quote, &line[start..]).map_or(line.len(), |at| start + at);
            let next = if line.get(end) != Some(&quote) {
                let default = options.default.as_deref().map(str::as_bytes);
                self.fields.push(match &line[start..end] {
                    raw if raw == options.null.as_bytes() => Field::Null,
                    raw if Some(raw) == default => Field::Default,
                    _ => Field::Line(start..end),
                });
                end
            } else {
                let value_start = self.scratch.len();
                self.scratch.extend_from_slice(&line[start..end]);
                let mut at = end;
                loop {
                    // Inside quotes, from after the opening one.
                    at += 1;
                    loop {
                        let stop = memchr::memchr2(quote, escape, &line[at..]).map(|offset| at + offset);
                        let Some(stop) = stop else {
                            return Err(err!(BAD_COPY_FILE_FORMAT, "unterminated CSV quoted field"));
                        };
                        self.scratch.extend_from_slice(&line[at..stop]);
                        let next = line.get(stop + 1);
                        if line[stop] == escape && next.is_some_and(|b| *b == quote || *b == escape) {
                            self.scratch.push(line[stop + 1]);
                            at = stop + 2;
                        } else if line[stop] == quote {
                            at = stop + 1;
                            break;
                        } else {
                            self.scratch.push(escape);
                            at = stop + 1;
                        }
                    }
                    // Outside again: up to the delimiter, or another quoted part.
                    let stop = memchr::memchr2(delimiter, quote, &line[at..]).map_or(line.len(), |o| at + o);
                    self.scratch.extend_from_slice(&line[at..stop]);
                    at = stop;
                    if line.get(at) != Some(&quote) {
                        break;
                    }
                }
                self.fields.push(Field::Scratch(value_start..self.scratch.len()));
                at
            };
            if next == line.len() {
                break;
            }
            start = next + 1;
        }
        self.force_nulls(line, options);
        Ok(())
    }

    /// FORCE_NOT_NULL and FORCE_NULL.
    fn force_nulls(&mut self, line: &[u8], options: &CopyOptions) {
        let null = options.null.as_bytes();
        for index in 0..self.fields.len() {
            let forced = |list: &[bool]| list.get(index).copied().unwrap_or(false);
            let is_null = self.fields[index] == Field::Null;
            if is_null && forced(&options.force_not_null) {
                let start = self.scratch.len();
                self.scratch.extend_from_slice(null);
                self.fields[index] = Field::Scratch(start..self.scratch.len());
            } else if !is_null && forced(&options.force_null) && self.get(index, line) == Some(null) {
                self.fields[index] = Field::Null;
            }
        }
    }
}

/// Appends what the escape sequence at `at` means; gives where it ends.
fn unescape(line: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let Some(&byte) = line.get(at + 1) else {
        out.push(b'\\');
        return at + 1;
    };
    let digits = |from: usize, radix: u32, max: usize| {
        let digits = line[from..].iter().take(max).map_while(|b| char::from(*b).to_digit(radix));
        digits.fold((0u32, 0usize), |(value, count), digit| (value * radix + digit, count + 1))
    };
    match byte {
        b'b' => out.push(8),
        b'f' => out.push(12),
        b'n' => out.push(b'\n'),
        b'r' => out.push(b'\r'),
        b't' => out.push(b'\t'),
        b'v' => out.push(11),
        b'0'..=b'7' => {
            let (value, count) = digits(at + 1, 8, 3);
            out.push(value as u8);
            return at + 1 + count;
        }
        b'x' => {
            let (value, count) = digits(at + 2, 16, 2);
            if count > 0 {
                out.push(value as u8);
                return at + 2 + count;
            }
            out.push(b'x');
        }
        other => out.push(other),
    }
    at + 2
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::pg) fn options(format: CopyFormat) -> CopyOptions {
        let is_csv = format == CopyFormat::Csv;
        CopyOptions {
            format,
            header: false,
            header_match: false,
            delimiter: if is_csv { b',' } else { b'\t' },
            null: if is_csv { String::new() } else { "\\N".to_string() },
            quote: b'"',
            escape: b'"',
            force_quote: Vec::new(),
            force_not_null: Vec::new(),
            force_null: Vec::new(),
            default: None,
            has_default: Vec::new(),
            skips_errors: false,
            reject_limit: None,
            log_verbosity: 0,
            file: None,
            table: "t".to_string(),
        }
    }

    fn split(line: &str, options: &CopyOptions) -> Result<Vec<Option<String>>> {
        let mut fields = Fields::default();
        fields.split(line.as_bytes(), options)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok((0..fields.len()).map(|i| fields.get(i, line.as_bytes()).map(text)).collect())
    }

    /// All lines of a text, given in pieces of `step` bytes.
    fn lines(text: &str, options: &CopyOptions, step: usize) -> Result<Vec<(String, u64)>> {
        let mut finder = LineFinder::new(options);
        let (mut start, mut end) = (0, 0);
        let mut found = Vec::new();
        loop {
            let is_last = end == text.len();
            match finder.next(&text.as_bytes()[start..end], is_last)? {
                Some(line) => {
                    found.push((text[start..start + line.len].to_string(), line.lines));
                    start += line.advance;
                }
                None if is_last => return Ok(found),
                None => end = (end + step).min(text.len()),
            }
        }
    }

    fn some(values: &[&str]) -> Vec<Option<String>> {
        values.iter().map(|v| if *v == "NULL" { None } else { Some(v.to_string()) }).collect()
    }

    #[test]
    fn text_fields() {
        let options = options(CopyFormat::Text);
        assert_eq!(split("1\ta b\t\\N\t", &options).unwrap(), some(&["1", "a b", "NULL", ""]));
        assert_eq!(split("a\\tb\t\\\\N\t\\101\\x41\\q\\", &options).unwrap(), some(&["a\tb", "\\N", "AAq\\"]));
        assert_eq!(split("a\\\tb", &options).unwrap(), some(&["a\tb"]));
        assert_eq!(split("", &options).unwrap(), some(&[""]));
        assert_eq!(split("\\xg\\1x", &options).unwrap(), some(&["xg\u{1}x"]));
    }

    #[test]
    fn csv_fields() {
        let options = options(CopyFormat::Csv);
        assert_eq!(split("1,,\"\",\"a,\"\"b\"\"\"", &options).unwrap(), some(&["1", "NULL", "", "a,\"b\""]));
        assert_eq!(split("x\"y\"z,\"a\"\"b\"c\"d\"", &options).unwrap(), some(&["xyz", "a\"bcd"]));
        assert_eq!(split("\"a\nb\",", &options).unwrap(), some(&["a\nb", "NULL"]));
        assert!(split("\"a", &options).is_err());
        let mut other = options.clone();
        (other.escape, other.force_null, other.force_not_null) = (b'\\', vec![true], vec![false, true]);
        assert_eq!(split("\"\",,\"a\\\"b\\c\"", &other).unwrap(), some(&["NULL", "", "a\"b\\c"]));
    }

    #[test]
    fn lines_end_where_the_first_one_says() {
        for step in [1, 2, 3, 100] {
            let text = options(CopyFormat::Text);
            let found = |t: &str| lines(t, &text, step).unwrap().into_iter().map(|l| l.0).collect::<Vec<_>>();
            assert_eq!(found("a\nb\\\nc\n\nd"), ["a", "b\\\nc", "", "d"]);
            assert_eq!(found("a\r\nb\r\n"), ["a", "b"]);
            assert_eq!(found("a\rb\r"), ["a", "b"]);
            assert_eq!(found("a\\\\\nb\n"), ["a\\\\", "b"]);
            assert!(lines("a\nb\rc\n", &text, step).unwrap_err().message().starts_with("literal carriage return"));
            assert!(lines("a\r\nb\nc\r\n", &text, step).unwrap_err().message().starts_with("literal newline"));
        }
    }

    #[test]
    fn csv_lines_may_span_lines() {
        for step in [1, 2, 3, 100] {
            let csv = options(CopyFormat::Csv);
            let found = lines("0\n1,\"a\nb\"\"\nc\"\n2,x\n", &csv, step).unwrap();
            let expected = [("0", 1), ("1,\"a\nb\"\"\nc\"", 3), ("2,x", 1)];
            assert_eq!(found, expected.map(|(line, lines)| (line.to_string(), lines)));
            assert!(lines("1,\"a\n", &csv, step).unwrap_err().message().starts_with("unterminated"));
            let mut other = csv.clone();
            other.escape = b'\\';
            assert_eq!(lines("\"a\\\"\nb\"\nc\n", &other, step).unwrap().len(), 2);
        }
    }
}
