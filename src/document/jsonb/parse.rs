//! JSON text to documents: one pass over the bytes, straight into [`JsonbBuilder`].
//!
//! The fast pass only knows that something is wrong; [`diagnose`] then reads the text again as PostgreSQL's lexer and
//! parser do and words the error.

use super::scan::plain_run;
use super::{DEPTH_MAX, Jsonb, JsonbBuilder, Numeric, too_deep};
use crate::err;
use crate::error::{Error, Result};

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Jsonb> {
    let builder = JsonbBuilder::with_capacity(text.len() + 16);
    let mut parser = Parser { bytes: text.as_bytes(), at: 0, builder, scratch: Vec::new() };
    match parser.document() {
        Some(()) => parser.builder.finish(),
        None => Err(match parser.builder.failure() {
            Some(failure) => failure,
            None => match diagnose(text, Reading::Jsonb) {
                Err(error) => error,
                Ok(()) => Error::internal("JSON text was refused without a reason"),
            },
        }),
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    builder: JsonbBuilder,
    scratch: Vec<u8>,
}

impl Parser<'_> {
    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline(always)]
    fn skip_space(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                next => return next,
            }
        }
    }

    /// `None` on any error.
    fn document(&mut self) -> Option<()> {
        loop {
            // A value.
            match self.skip_space()? {
                b'"' => {
                    let (start, end) = self.string()?;
                    match start {
                        Some(start) => self.builder.push_str_bytes(&self.bytes[start..end]),
                        None => self.builder.push_str_bytes(&self.scratch),
                    }
                }
                b'{' => {
                    self.at += 1;
                    self.open()?;
                    self.builder.begin_object();
                    if self.skip_space()? != b'}' {
                        self.key()?;
                        continue;
                    }
                    self.at += 1;
                    self.builder.end_object();
                }
                b'[' => {
                    self.at += 1;
                    self.open()?;
                    self.builder.begin_array();
                    if self.skip_space()? != b']' {
                        continue;
                    }
                    self.at += 1;
                    self.builder.end_array();
                }
                b't' => {
                    self.word(b"true")?;
                    self.builder.push_bool(true);
                }
                b'f' => {
                    self.word(b"false")?;
                    self.builder.push_bool(false);
                }
                b'n' => {
                    self.word(b"null")?;
                    self.builder.push_null();
                }
                b'-' | b'0'..=b'9' => self.number()?,
                _ => return None,
            }
            // What follows it.
            loop {
                let next = self.skip_space();
                match self.builder.in_object() {
                    None => return next.is_none().then_some(()),
                    Some(in_object) => {
                        self.at += 1;
                        match (next?, in_object) {
                            (b',', true) => {
                                self.skip_space();
                                self.key()?;
                                break;
                            }
                            (b',', false) => break,
                            (b'}', true) => self.builder.end_object(),
                            (b']', false) => self.builder.end_array(),
                            _ => return None,
                        }
                    }
                }
            }
        }
    }

    #[inline]
    fn open(&self) -> Option<()> {
        (self.builder.depth() < DEPTH_MAX).then_some(())
    }

    /// `"key":`
    #[inline]
    fn key(&mut self) -> Option<()> {
        if self.peek()? != b'"' {
            return None;
        }
        let (start, end) = self.string()?;
        match start {
            Some(start) => self.builder.push_key_bytes(&self.bytes[start..end]),
            None => self.builder.push_key_bytes(&self.scratch),
        }
        if self.skip_space()? != b':' {
            return None;
        }
        self.at += 1;
        Some(())
    }

    #[inline]
    fn word(&mut self, word: &[u8]) -> Option<()> {
        let rest = &self.bytes[self.at..];
        if !rest.starts_with(word) || rest.get(word.len()).copied().is_some_and(is_word) {
            return None;
        }
        self.at += word.len();
        Some(())
    }

    /// The text between the quotes: where it stands, or `None` as start when it was decoded into `scratch`.
    #[inline]
    fn string(&mut self) -> Option<(Option<usize>, usize)> {
        let start = self.at + 1;
        let end = plain_run(self.bytes, start);
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Some((Some(start), end));
        }
        self.escaped_string(start, end)?;
        Some((None, 0))
    }

    fn escaped_string(&mut self, mut start: usize, mut end: usize) -> Option<()> {
        self.scratch.clear();
        loop {
            self.scratch.extend_from_slice(&self.bytes[start..end]);
            match self.bytes.get(end)? {
                b'"' => {
                    self.at = end + 1;
                    return Some(());
                }
                b'\\' => {}
                _ => return None,
            }
            start = end + 2;
            let plain = match self.bytes.get(end + 1)? {
                b'u' => {
                    let (decoded, next) = decode_unicode(self.bytes, end)?;
                    let mut buffer = [0u8; 4];
                    self.scratch.extend_from_slice(decoded.encode_utf8(&mut buffer).as_bytes());
                    start = next;
                    None
                }
                b'n' => Some(b'\n'),
                b't' => Some(b'\t'),
                b'r' => Some(b'\r'),
                b'b' => Some(0x08),
                b'f' => Some(0x0c),
                &other @ (b'"' | b'\\' | b'/') => Some(other),
                _ => return None,
            };
            self.scratch.extend(plain);
            end = plain_run(self.bytes, start);
        }
    }

    #[inline]
    fn number(&mut self) -> Option<()> {
        let start = self.at;
        let bytes = self.bytes;
        let mut at = start;
        let negative = bytes[at] == b'-';
        at += negative as usize;
        let first = at;
        let mut value = 0u64;
        let digit = |at: usize| bytes.get(at).map_or(10, |b| b.wrapping_sub(b'0'));
        while digit(at) < 10 {
            value = value.wrapping_mul(10).wrapping_add(digit(at) as u64);
            at += 1;
        }
        let whole = at - first;
        if whole == 0 || (whole > 1 && bytes[first] == b'0') {
            return None;
        }
        let mut scale = 0;
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            let point = at;
            while digit(at) < 10 {
                value = value.wrapping_mul(10).wrapping_add(digit(at) as u64);
                at += 1;
            }
            scale = at - point;
            if scale == 0 {
                return None;
            }
        }
        let mut exact = whole + scale <= 18;
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            exact = false;
            at += 1;
            at += matches!(bytes.get(at), Some(b'+' | b'-')) as usize;
            if digit(at) >= 10 {
                return None;
            }
            while digit(at) < 10 {
                at += 1;
            }
        }
        if bytes.get(at).copied().is_some_and(is_word) {
            return None;
        }
        self.at = at;
        if exact {
            let value = value as i64;
            self.builder.push_mantissa(if negative { -value } else { value }, scale as u8);
        } else {
            let number = Numeric::parse_json(&bytes[start..at]).ok()?;
            self.builder.push_numeric(&number);
        }
        Some(())
    }
}

/// PostgreSQL's JSON_ALPHANUMERIC_CHAR.
#[inline]
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.iter().try_fold(0, |sum, &b| Some(sum << 4 | (b as char).to_digit(16)?))
}

/// Decodes the `\uXXXX` (or pair of them) at a position: the character and where the text goes on. `None` for a lone
/// surrogate, a null character or something else.
pub(crate) fn decode_unicode(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let code = hex4(bytes, at + 2)?;
    match code {
        0 => None,
        0xd800..=0xdbff => {
            if bytes.get(at + 6..at + 8)? != b"\\u" {
                return None;
            }
            let low = hex4(bytes, at + 8)?;
            if !(0xdc00..=0xdfff).contains(&low) {
                return None;
            }
            Some((char::from_u32(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00))?, at + 12))
        }
        _ => Some((char::from_u32(code)?, at + 6)),
    }
}

/// What the text is read for, which decides what can be wrong with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A document: `\u` escapes are decoded and numbers must fit.
    Jsonb,
    /// Input of the `json` type: only the form matters.
    Json,
    /// The `json` operators: `\u` escapes are decoded, numbers stay text.
    JsonDecoded,
}

/// Reads JSON text as PostgreSQL does and says what is wrong with it, if something is.
pub(crate) fn diagnose(text: &str, reading: Reading) -> Result<()> {
    let mut lexer =
        Lexer { bytes: text.as_bytes(), reading, token: Token::Comma, start: 0, end: 0, line: 1, line_start: 0 };
    lexer.run()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token {
    String,
    Number,
    Word,
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Comma,
    Colon,
    End,
}

/// PostgreSQL's JsonLexContext: the token just read, and where it stands.
struct Lexer<'a> {
    bytes: &'a [u8],
    reading: Reading,
    token: Token,
    start: usize,
    end: usize,
    line: usize,
    line_start: usize,
}

impl Lexer<'_> {
    fn run(&mut self) -> Result<()> {
        /// What must come next.
        enum State {
            Value,
            Field,
            AfterValue,
        }
        let mut stack = Vec::new();
        let mut state = State::Value;
        self.lex()?;
        loop {
            match state {
                State::Value => {
                    let token = self.token;
                    let (start, end) = (self.start, self.end);
                    state = State::AfterValue;
                    match token {
                        Token::ObjectStart | Token::ArrayStart => {
                            if stack.len() >= DEPTH_MAX {
                                return Err(too_deep());
                            }
                            let is_object = token == Token::ObjectStart;
                            stack.push(is_object);
                            self.lex()?;
                            match (self.token, is_object) {
                                (Token::ObjectEnd, true) | (Token::ArrayEnd, false) => {
                                    stack.pop();
                                    self.lex()?;
                                }
                                (Token::String, true) => state = State::Field,
                                (_, true) => return Err(self.unexpected("string or \"}\"")),
                                (_, false) => state = State::Value,
                            }
                        }
                        Token::String | Token::Word => self.lex()?,
                        Token::Number => {
                            self.lex()?;
                            if self.reading == Reading::Jsonb {
                                Numeric::parse_json(&self.bytes[start..end])?;
                            }
                        }
                        _ => return Err(self.unexpected("JSON value")),
                    }
                }
                State::Field => {
                    if self.token != Token::String {
                        return Err(self.unexpected("string"));
                    }
                    self.lex()?;
                    if self.token != Token::Colon {
                        return Err(self.unexpected("\":\""));
                    }
                    self.lex()?;
                    state = State::Value;
                }
                State::AfterValue => match (stack.last(), self.token) {
                    (None, Token::End) => return Ok(()),
                    (None, _) => return Err(self.unexpected("end of input")),
                    (Some(true), Token::Comma) => {
                        self.lex()?;
                        state = State::Field;
                    }
                    (Some(false), Token::Comma) => {
                        self.lex()?;
                        state = State::Value;
                    }
                    (Some(true), Token::ObjectEnd) | (Some(false), Token::ArrayEnd) => {
                        stack.pop();
                        self.lex()?;
                    }
                    (Some(true), _) => return Err(self.unexpected("\",\" or \"}\"")),
                    (Some(false), _) => return Err(self.unexpected("\",\" or \"]\"")),
                },
            }
        }
    }

    /// Reads the next token.
    fn lex(&mut self) -> Result<()> {
        let mut at = self.end;
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(at) {
            if self.bytes[at] == b'\n' {
                self.line += 1;
                self.line_start = at + 1;
            }
            at += 1;
        }
        self.start = at;
        self.end = at + 1;
        self.token = match self.bytes.get(at) {
            None => {
                self.end = at;
                Token::End
            }
            Some(b'{') => Token::ObjectStart,
            Some(b'}') => Token::ObjectEnd,
            Some(b'[') => Token::ArrayStart,
            Some(b']') => Token::ArrayEnd,
            Some(b',') => Token::Comma,
            Some(b':') => Token::Colon,
            Some(b'"') => return self.lex_string(),
            Some(b'-') => return self.lex_number(at + 1),
            Some(b'0'..=b'9') => return self.lex_number(at),
            Some(_) => {
                let length = self.bytes[at..].iter().take_while(|&&b| is_word(b)).count();
                self.end = at + length.max(1);
                match &self.bytes[at..self.end] {
                    b"true" | b"false" | b"null" => Token::Word,
                    _ => return Err(self.invalid_token()),
                }
            }
        };
        Ok(())
    }

    fn lex_number(&mut self, mut at: usize) -> Result<()> {
        let bytes = self.bytes;
        let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let digits = |mut at: usize| {
            while is_digit(at) {
                at += 1;
            }
            at
        };
        let mut sound = is_digit(at);
        at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at) };
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            sound &= is_digit(at);
            at = digits(at);
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            at += 1;
            at += matches!(bytes.get(at), Some(b'+' | b'-')) as usize;
            sound &= is_digit(at);
            at = digits(at);
        }
        while bytes.get(at).copied().is_some_and(is_word) {
            sound = false;
            at += 1;
        }
        self.end = at;
        self.token = Token::Number;
        if sound { Ok(()) } else { Err(self.invalid_token()) }
    }

    fn lex_string(&mut self) -> Result<()> {
        self.token = Token::String;
        let bytes = self.bytes;
        let decoded = self.reading != Reading::Json;
        let mut at = self.start + 1;
        let mut high_surrogate = false;
        let low_wanted = "Unicode low surrogate must follow a high surrogate.";
        loop {
            let Some(&byte) = bytes.get(at) else {
                self.end = at;
                return Err(self.invalid_token());
            };
            match byte {
                b'"' => break,
                b'\\' => {
                    at += 1;
                    match bytes.get(at) {
                        None => {
                            self.end = at;
                            return Err(self.invalid_token());
                        }
                        Some(b'u') => {
                            let mut code = 0;
                            for _ in 0..4 {
                                at += 1;
                                match bytes.get(at).map(|&b| (b as char).to_digit(16)) {
                                    None => {
                                        self.end = at;
                                        return Err(self.invalid_token());
                                    }
                                    Some(None) => {
                                        return Err(
                                            self.fail_at(at, "\"\\u\" must be followed by four hexadecimal digits.")
                                        );
                                    }
                                    Some(Some(digit)) => code = code * 16 + digit,
                                }
                            }
                            if decoded {
                                match code {
                                    0xd800..=0xdbff if high_surrogate => {
                                        return Err(self
                                            .fail_at(at, "Unicode high surrogate must not follow a high surrogate."));
                                    }
                                    0xd800..=0xdbff => high_surrogate = true,
                                    0xdc00..=0xdfff if high_surrogate => high_surrogate = false,
                                    0xdc00..=0xdfff => return Err(self.fail_at(at, low_wanted)),
                                    _ if high_surrogate => return Err(self.fail_at(at, low_wanted)),
                                    0 => {
                                        self.end = at + 1;
                                        return Err(err!(
                                            UNTRANSLATABLE_CHARACTER,
                                            "unsupported Unicode escape sequence"
                                        )
                                        .detail("\\u0000 cannot be converted to text.")
                                        .context(self.context()));
                                    }
                                    _ => {}
                                }
                            }
                        }
                        Some(_) if high_surrogate => return Err(self.fail_at(at, low_wanted)),
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {}
                        Some(_) => {
                            self.start = at;
                            self.end = self.char_end(at);
                            let shown = String::from_utf8_lossy(&bytes[at..self.end]).into_owned();
                            return Err(self.error(format!("Escape sequence \"\\{shown}\" is invalid.")));
                        }
                    }
                    at += 1;
                }
                _ if high_surrogate => return Err(self.fail_at(at, low_wanted)),
                0..0x20 => {
                    self.end = at;
                    return Err(self.error(format!("Character with value 0x{byte:02x} must be escaped.")));
                }
                _ => at = plain_run(bytes, at),
            }
        }
        self.end = at + 1;
        if high_surrogate {
            return Err(self.error(low_wanted.to_owned()));
        }
        Ok(())
    }

    /// Where the character at a position ends.
    fn char_end(&self, at: usize) -> usize {
        let rest = self.bytes.get(at + 1..).unwrap_or(&[]);
        at + 1 + rest.iter().take_while(|&&b| b & 0xc0 == 0x80).count()
    }

    fn fail_at(&mut self, at: usize, detail: &str) -> Error {
        self.end = self.char_end(at);
        self.error(detail.to_owned())
    }

    fn invalid_token(&self) -> Error {
        self.error(format!("Token \"{}\" is invalid.", self.token_text()))
    }

    fn unexpected(&self, wanted: &str) -> Error {
        if self.token == Token::End {
            return self.error("The input string ended unexpectedly.".to_owned());
        }
        self.error(format!("Expected {wanted}, but found \"{}\".", self.token_text()))
    }

    fn token_text(&self) -> String {
        String::from_utf8_lossy(&self.bytes[self.start..self.end]).into_owned()
    }

    fn error(&self, detail: String) -> Error {
        err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json").detail(detail).context(self.context())
    }

    /// "JSON data, line 1: ..." with at most about fifty bytes of the line.
    fn context(&self) -> String {
        let mut start = self.line_start;
        while self.end - start >= 50 {
            start = self.char_end(start);
        }
        if start - self.line_start <= 3 {
            start = self.line_start;
        }
        let before = if start > self.line_start { "..." } else { "" };
        let more = self.bytes.get(self.end).is_some_and(|&b| b != b'\n' && b != b'\r');
        let after = if self.token != Token::End && more { "..." } else { "" };
        let shown = String::from_utf8_lossy(&self.bytes[start..self.end]);
        format!("JSON data, line {}: {before}{shown}{after}", self.line)
    }
}
