//! Templates of `to_char` and its inverses, cut into keywords and literal text.

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// A keyword with its modifiers.
    Keyword(Keyword),
    /// A character that is itself.
    Literal(char),
    /// A blank.
    Space(char),
    /// Punctuation.
    Separator(char),
}

/// A keyword, as written in the template's table, and what modifies it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Keyword {
    pub(super) name: &'static str,
    /// FM: no padding.
    pub(super) fill: bool,
    /// TM: localized names, which in this locale are the same.
    pub(super) translate: bool,
    /// TH or th: an ordinal's suffix, upper case or lower.
    pub(super) ordinal: Option<bool>,
}

/// Keywords of dates and times; a longer one stands before its beginnings.
const DATES: &[&str] = &[
    "A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "CC", "DAY", "DDD", "DD", "DY", "Day", "Dy", "D", "FF1", "FF2", "FF3",
    "FF4", "FF5", "FF6", "FX", "HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I", "J", "MI", "MM",
    "MONTH", "MON", "MS", "Month", "Mon", "OF", "P.M.", "PM", "Q", "RM", "SSSSS", "SSSS", "SS", "TZH", "TZM", "TZ",
    "US", "WW", "W", "Y,YYY", "YYYY", "YYY", "YY", "Y", "a.d.", "a.m.", "ad", "am", "b.c.", "bc", "cc", "day", "ddd",
    "dd", "dy", "d", "ff1", "ff2", "ff3", "ff4", "ff5", "ff6", "fx", "hh24", "hh12", "hh", "iddd", "id", "iw", "iyyy",
    "iyy", "iy", "i", "j", "mi", "mm", "month", "mon", "ms", "of", "p.m.", "pm", "q", "rm", "sssss", "ssss", "ss",
    "tzh", "tzm", "tz", "us", "ww", "w", "y,yyy", "yyyy", "yyy", "yy", "y",
];

/// Keywords of numbers.
const NUMBERS: &[&str] = &[
    ",", ".", "0", "9", "B", "C", "D", "EEEE", "FM", "G", "L", "MI", "PL", "PR", "RN", "SG", "SP", "S", "TH", "V", "b",
    "c", "d", "eeee", "fm", "g", "l", "mi", "pl", "pr", "rn", "sg", "sp", "s", "th", "v",
];

/// Cuts a template of dates and times.
pub(super) fn dates(template: &str) -> Vec<Node> {
    cut(template, true)
}

/// Cuts a template of numbers.
pub(super) fn numbers(template: &str) -> Vec<Node> {
    cut(template, false)
}

/// Cuts a template of dates and times by the SQL standard's rules: between the keywords stand `-./,':;`, blanks and
/// quoted texts only. The first other character is the error.
pub(super) fn standard(template: &str) -> Result<Vec<Node>, char> {
    let mut refused = None;
    let nodes = cut_with(template, true, |c| {
        if !"-./,':; ".contains(c) {
            refused.get_or_insert(c);
        }
    });
    refused.map_or(Ok(nodes), Err)
}

fn cut(template: &str, dates: bool) -> Vec<Node> {
    cut_with(template, dates, |_| {})
}

/// `between` is told the unquoted characters that belong to no keyword.
fn cut_with(template: &str, dates: bool, mut between: impl FnMut(char)) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let (mut fill, mut translate) = (false, false);
        let mut body = rest;
        if dates {
            if let Some(tail) = body.strip_prefix("FM").or_else(|| body.strip_prefix("fm")) {
                (fill, body) = (true, tail);
            } else if let Some(tail) = body.strip_prefix("TM").or_else(|| body.strip_prefix("tm")) {
                (translate, body) = (true, tail);
            }
        }
        let keywords = if dates { DATES } else { NUMBERS };
        if let Some(name) = keywords.iter().find(|name| body.starts_with(**name)) {
            rest = &body[name.len()..];
            let mut ordinal = None;
            if dates {
                if let Some(tail) = rest.strip_prefix("TH") {
                    (ordinal, rest) = (Some(true), tail);
                } else if let Some(tail) = rest.strip_prefix("th") {
                    (ordinal, rest) = (Some(false), tail);
                } else if let Some(tail) = rest.strip_prefix("SP") {
                    rest = tail;
                }
            }
            nodes.push(Node::Keyword(Keyword { name, fill, translate, ordinal }));
            continue;
        }
        rest = body;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut chars = quoted.chars();
            while let Some(c) = chars.next() {
                match c {
                    '"' => break,
                    '\\' => nodes.extend(Some(Node::Literal(chars.next().unwrap_or('\\')))),
                    c => nodes.push(Node::Literal(c)),
                }
            }
            rest = chars.as_str();
            continue;
        }
        if rest.starts_with("\\\"") {
            rest = &rest[1..];
        }
        let mut chars = rest.chars();
        if let Some(c) = chars.next() {
            between(c);
            nodes.push(match c {
                c if dates && c.is_ascii_punctuation() => Node::Separator(c),
                c if c.is_ascii_whitespace() => Node::Space(c),
                c => Node::Literal(c),
            });
        }
        rest = chars.as_str();
    }
    nodes
}

/// The suffix of an ordinal number.
pub(super) fn ordinal(number: &str, upper: bool) -> &'static str {
    let digits = number.trim_end().as_bytes();
    let last = digits.last().copied().unwrap_or(b'0');
    let teen = digits.len() >= 2 && digits[digits.len() - 2] == b'1';
    match (if teen { b'0' } else { last }, upper) {
        (b'1', true) => "ST",
        (b'1', false) => "st",
        (b'2', true) => "ND",
        (b'2', false) => "nd",
        (b'3', true) => "RD",
        (b'3', false) => "rd",
        (_, true) => "TH",
        (_, false) => "th",
    }
}
