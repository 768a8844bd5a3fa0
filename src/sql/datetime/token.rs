//! The first pass over date and time input: the text is cut into fields by what they look like.

/// What a field looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Two or more numbers (or a word) joined by `-`, `/` or `.`.
    Date,
    /// Numbers joined by `:`.
    Time,
    /// A sign and digits.
    Zone,
    /// Digits, perhaps with a fraction.
    Number,
    /// A word.
    Word,
    /// A sign and a word (`-infinity`).
    Special,
}

/// Cuts the text into lower-cased fields; `None` if there is a character that cannot be.
pub(super) fn tokenize(text: &str) -> Option<Vec<(String, Kind)>> {
    let bytes = text.as_bytes();
    let mut fields = Vec::new();
    let mut at = 0;
    let digits = |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let run = |from: usize, test: fn(u8) -> bool| from + bytes[from..].iter().take_while(|b| test(**b)).count();
    while at < bytes.len() {
        let start = at;
        let byte = bytes[at];
        let kind = if byte.is_ascii_whitespace() || byte == 0x0b {
            at += 1;
            continue;
        } else if byte.is_ascii_digit() {
            at = digits(at);
            match bytes.get(at) {
                Some(b':') => {
                    at = run(at, |b| b.is_ascii_digit() || matches!(b, b':' | b'.'));
                    Kind::Time
                }
                Some(&delimiter @ (b'-' | b'/' | b'.')) => {
                    at += 1;
                    if bytes.get(at).is_some_and(u8::is_ascii_digit) {
                        at = digits(at);
                        if bytes.get(at) == Some(&delimiter) {
                            while bytes.get(at).is_some_and(|b| b.is_ascii_digit() || *b == delimiter) {
                                at += 1;
                            }
                            Kind::Date
                        } else if delimiter == b'.' {
                            Kind::Number
                        } else {
                            Kind::Date
                        }
                    } else {
                        while bytes.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || *b == delimiter) {
                            at += 1;
                        }
                        Kind::Date
                    }
                }
                _ => Kind::Number,
            }
        } else if byte == b'.' {
            at = digits(at + 1);
            Kind::Number
        } else if byte.is_ascii_alphabetic() {
            at = run(at, |b| b.is_ascii_alphabetic());
            let is_date = match bytes.get(at) {
                Some(b'-' | b'/' | b'.') => true,
                Some(b) if *b == b'+' || b.is_ascii_digit() => {
                    super::words::keyword(&text[start..at].to_ascii_lowercase()).is_none()
                }
                _ => false,
            };
            if is_date {
                at = run(at, |b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'/' | b'_' | b'.' | b':'));
                Kind::Date
            } else {
                Kind::Word
            }
        } else if matches!(byte, b'+' | b'-') {
            at += 1;
            let sign_end = at;
            at = run(at, |b| b.is_ascii_whitespace());
            let body = at;
            let kind = match bytes.get(at) {
                Some(b) if b.is_ascii_digit() => {
                    at = run(at, |b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-'));
                    Kind::Zone
                }
                Some(b) if b.is_ascii_alphabetic() => {
                    at = run(at, |b| b.is_ascii_alphabetic());
                    Kind::Special
                }
                _ => return None,
            };
            let field = format!("{}{}", &text[start..sign_end], &text[body..at]);
            fields.push((field.to_ascii_lowercase(), kind));
            continue;
        } else if byte.is_ascii_punctuation() {
            at += 1;
            continue;
        } else {
            return None;
        };
        fields.push((text[start..at].to_ascii_lowercase(), kind));
    }
    // PostgreSQL's MAXDATEFIELDS.
    (fields.len() <= 25).then_some(fields)
}
