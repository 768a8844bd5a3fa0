//! The lexer: PostgreSQL's rules (its `scan.l`) giving sqlparser's tokens, in one pass and without white space.
//!
//! sqlparser's own tokenizer reads numbers, operators, continued strings and escapes by the rules of many dialects at
//! once. Here words arrive folded and cut to 63 bytes, strings decoded, numbers in decimal, and a [`Span`] holds for
//! both ends the byte offset + 1 (as `line`) and the position in characters from 1 (as `column`).

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Word};

use crate::err;
use crate::error::{Error, Result};

use super::keywords;

/// How deep parentheses and brackets may nest (limits: 54001 beyond).
const NESTING_MAX: usize = 1000;
/// Bits of the largest integer that numeric holds (131072 decimal digits).
const DECIMAL_BITS_MAX: usize = 435_412;
/// Bytes of an identifier (NAMEDATALEN - 1).
const NAME_BYTES_MAX: usize = 63;

/// PostgreSQL's answer to statements that nest too deep.
pub(super) fn too_deep() -> Error {
    err!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").hint(
        "Statements may nest expressions and subqueries 1000 levels deep; write long chains as lists or arrays instead.",
    )
}

/// Folds an unquoted identifier (ASCII only, as PostgreSQL does in UTF-8).
pub(super) fn fold(word: &str) -> String {
    let mut folded = word.to_ascii_lowercase();
    truncate_name(&mut folded);
    folded
}

/// Cuts a name to 63 bytes at a character boundary.
pub(super) fn truncate_name(name: &mut String) {
    if name.len() > NAME_BYTES_MAX {
        let end = (0..=NAME_BYTES_MAX).rev().find(|i| name.is_char_boundary(*i)).unwrap_or(0);
        name.truncate(end);
    }
}

/// All tokens of a text.
pub(super) fn lex(text: &str) -> Result<Vec<TokenWithSpan>> {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at: 0,
        counted: 0,
        chars: 0,
        tokens: Vec::with_capacity(text.len() / 4 + 8),
        nesting: 0,
    };
    lexer.run()?;
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// The next byte.
    at: usize,
    /// Up to here characters were counted: `chars` of them.
    counted: usize,
    chars: u64,
    tokens: Vec<TokenWithSpan>,
    nesting: usize,
}

fn is_ident_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_ident_part(byte: u8) -> bool {
    is_ident_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

fn is_operator(byte: u8) -> bool {
    b"~!@#^&|`?+-*/%<>=".contains(&byte)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// The location of a byte offset that is not before the last one asked for (errors look back, see `position_of`).
    fn locate(&mut self, offset: usize) -> Location {
        let passed = &self.bytes[self.counted..offset];
        // Continuation bytes of UTF-8 start no character.
        self.chars += passed.iter().filter(|b| (**b as i8) >= -0x40).count() as u64;
        self.counted = offset;
        Location { line: offset as u64 + 1, column: self.chars + 1 }
    }

    fn position_of(&self, offset: usize) -> u32 {
        let count = self.text.get(..offset).map_or(0, |before| before.chars().count());
        u32::try_from(count + 1).unwrap_or(u32::MAX)
    }

    fn error_near(&self, message: &str, start: usize) -> Error {
        let near = self.text.get(start..self.at.max(start)).unwrap_or_default();
        err!(SYNTAX_ERROR, "{message} at or near \"{near}\"").at(self.position_of(start))
    }

    fn push(&mut self, token: Token, start: usize) {
        let span = Span { start: self.locate(start), end: self.locate(self.at) };
        self.tokens.push(TokenWithSpan { token, span });
    }

    fn run(&mut self) -> Result<()> {
        loop {
            self.skip_space()?;
            let start = self.at;
            let Some(&byte) = self.bytes.get(start) else { return Ok(()) };
            match byte {
                b'\'' => {
                    self.at += 1;
                    let value = self.plain_string(start)?;
                    self.push(Token::SingleQuotedString(value), start);
                }
                b'"' => {
                    self.at += 1;
                    let name = self.quoted_name(start)?;
                    self.push_name(name, start);
                }
                b'0'..=b'9' => self.number(start)?,
                b'.' if self.peek(1).is_ascii_digit() => self.number(start)?,
                b'$' => self.dollar(start)?,
                b'e' | b'E' if self.peek(1) == b'\'' => {
                    self.at += 2;
                    let value = self.escape_string(start)?;
                    self.push(Token::SingleQuotedString(value), start);
                }
                b'b' | b'B' if self.peek(1) == b'\'' => {
                    self.at += 2;
                    let value = self.plain_string(start)?;
                    self.push(Token::SingleQuotedByteStringLiteral(value), start);
                }
                b'x' | b'X' if self.peek(1) == b'\'' => {
                    self.at += 2;
                    let value = self.plain_string(start)?;
                    self.push(Token::HexStringLiteral(value), start);
                }
                b'n' | b'N' if self.peek(1) == b'\'' => {
                    self.at += 2;
                    let value = self.plain_string(start)?;
                    self.push(Token::NationalStringLiteral(value), start);
                }
                b'u' | b'U' if self.peek(1) == b'&' && self.peek(2) == b'\'' => {
                    self.at += 3;
                    let raw = self.plain_string(start)?;
                    let value = self.unicode_escapes(&raw, start)?;
                    self.push(Token::SingleQuotedString(value), start);
                }
                b'u' | b'U' if self.peek(1) == b'&' && self.peek(2) == b'"' => {
                    self.at += 3;
                    let raw = self.quoted_name(start)?;
                    let name = self.unicode_escapes(&raw, start)?;
                    self.push_name(name, start);
                }
                _ if is_ident_start(byte) => self.word(start),
                _ if is_operator(byte) => self.operator(start),
                0 => {
                    return Err(err!(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": 0x00"));
                }
                _ => self.punctuation(start, byte)?,
            }
        }
    }

    fn skip_space(&mut self) -> Result<()> {
        loop {
            match self.peek(0) {
                b if is_space(b) => self.at += 1,
                b'-' if self.peek(1) == b'-' => self.skip_line(),
                b'/' if self.peek(1) == b'*' => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        while self.at < self.bytes.len() && !matches!(self.bytes[self.at], b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn skip_comment(&mut self) -> Result<()> {
        let start = self.at;
        let mut depth = 0usize;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ => self.at += 1,
            }
        }
        Err(self.error_near("unterminated /* comment", start))
    }

    fn word(&mut self, start: usize) {
        while is_ident_part(self.peek(0)) && self.at < self.bytes.len() {
            self.at += 1;
        }
        let value = fold(&self.text[start..self.at]);
        let keyword = keywords::lookup(&value).map_or(Keyword::NoKeyword, |w| w.keyword);
        self.push(Token::Word(Word { value, quote_style: None, keyword }), start);
    }

    fn push_name(&mut self, mut name: String, start: usize) {
        truncate_name(&mut name);
        self.push(Token::Word(Word { value: name, quote_style: Some('"'), keyword: Keyword::NoKeyword }), start);
    }

    /// Whether the string that just ended is continued: white space with a line break (comments to the end of line
    /// count), then a quote. Moves behind that quote.
    fn continued(&mut self) -> bool {
        let (mut at, mut newline) = (self.at, false);
        loop {
            match self.bytes.get(at) {
                Some(b'\n' | b'\r') => (at, newline) = (at + 1, true),
                Some(&b) if is_space(b) => at += 1,
                Some(b'-') if self.bytes.get(at + 1) == Some(&b'-') => {
                    while !matches!(self.bytes.get(at), None | Some(b'\n' | b'\r')) {
                        at += 1;
                    }
                }
                Some(b'\'') if newline => {
                    self.at = at + 1;
                    return true;
                }
                _ => return false,
            }
        }
    }

    /// The rest of a string without escapes; `at` is behind the opening quote.
    fn plain_string(&mut self, start: usize) -> Result<String> {
        let mut value = String::new();
        loop {
            let from = self.at;
            while self.at < self.bytes.len() && self.bytes[self.at] != b'\'' {
                self.at += 1;
            }
            if self.at >= self.bytes.len() {
                return Err(self.error_near("unterminated quoted string", start));
            }
            value.push_str(&self.text[from..self.at]);
            self.at += 1;
            if self.peek(0) == b'\'' {
                value.push('\'');
                self.at += 1;
            } else if !self.continued() {
                return Ok(value);
            }
        }
    }

    /// The rest of an `E''` string.
    fn escape_string(&mut self, start: usize) -> Result<String> {
        let mut value = Vec::new();
        loop {
            if self.at >= self.bytes.len() {
                return Err(self.error_near("unterminated quoted string", start));
            }
            let byte = self.bytes[self.at];
            self.at += 1;
            match byte {
                b'\'' if self.peek(0) == b'\'' => {
                    value.push(b'\'');
                    self.at += 1;
                }
                b'\'' => {
                    if !self.continued() {
                        break;
                    }
                }
                b'\\' => self.escape(&mut value, start)?,
                _ => value.push(byte),
            }
        }
        String::from_utf8(value).map_err(|e| {
            let bad = e.utf8_error().valid_up_to();
            let shown: Vec<String> = e.as_bytes()[bad..].iter().take(4).map(|b| format!("0x{b:02x}")).collect();
            err!(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": {}", shown.join(" "))
        })
    }

    /// One escape of an `E''` string; `at` is behind the backslash.
    fn escape(&mut self, value: &mut Vec<u8>, start: usize) -> Result<()> {
        if self.at >= self.bytes.len() {
            return Err(self.error_near("unterminated quoted string", start));
        }
        let byte = self.bytes[self.at];
        self.at += 1;
        let code = match byte {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'0'..=b'7' => {
                let mut code = u32::from(byte - b'0');
                for _ in 0..2 {
                    if !matches!(self.peek(0), b'0'..=b'7') {
                        break;
                    }
                    code = code * 8 + u32::from(self.peek(0) - b'0');
                    self.at += 1;
                }
                code as u8
            }
            b'x' if self.peek(0).is_ascii_hexdigit() => {
                let digits = if self.peek(1).is_ascii_hexdigit() { 2 } else { 1 };
                let code = u8::from_str_radix(&self.text[self.at..self.at + digits], 16).unwrap_or(0);
                self.at += digits;
                code
            }
            b'u' | b'U' => {
                let c = self.unicode_escape(if byte == b'u' { 4 } else { 8 })?;
                value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            other => other,
        };
        if code == 0 {
            return Err(err!(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": 0x00"));
        }
        value.push(code);
        Ok(())
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        let text = self.text.get(self.at..self.at + digits)?;
        if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        self.at += digits;
        u32::from_str_radix(text, 16).ok()
    }

    /// `\uXXXX` or `\UXXXXXXXX` of an `E''` string, surrogate pairs joined; `at` is behind the letter.
    fn unicode_escape(&mut self, digits: usize) -> Result<char> {
        let start = self.at - 2;
        let position = self.position_of(start);
        let Some(code) = self.hex(digits) else {
            return Err(err!(INVALID_ESCAPE_SEQUENCE, "invalid Unicode escape")
                .hint("Unicode escapes must be \\uXXXX or \\UXXXXXXXX.")
                .at(position));
        };
        if (0xd800..0xdc00).contains(&code) {
            let digits = match (self.peek(0), self.peek(1)) {
                (b'\\', b'u') => 4,
                (b'\\', b'U') => 8,
                _ => return Err(self.half_surrogate(self.text[self.at..].chars().next().map_or(0, char::len_utf8))),
            };
            self.at += 2;
            let low = self.at;
            let joined = self.hex(digits).and_then(|low| join_surrogates(code, low));
            self.at = low - 2;
            let Some(joined) = joined else { return Err(self.half_surrogate(digits + 2)) };
            self.at = low + digits;
            return Ok(joined);
        }
        if (0xdc00..0xe000).contains(&code) {
            self.at = start;
            return Err(self.half_surrogate(digits + 2));
        }
        scalar(code, position)
    }

    /// A high surrogate that the next `bytes` bytes do not complete.
    fn half_surrogate(&self, bytes: usize) -> Error {
        let near = self.text.get(self.at..self.at + bytes).unwrap_or_default();
        let error = err!(SYNTAX_ERROR, "invalid Unicode surrogate pair at or near \"{near}\"");
        error.at(self.position_of(self.at))
    }

    /// The name in double quotes; `at` is behind the opening one.
    fn quoted_name(&mut self, start: usize) -> Result<String> {
        let mut name = String::new();
        loop {
            let from = self.at;
            while self.at < self.bytes.len() && self.bytes[self.at] != b'"' {
                self.at += 1;
            }
            if self.at >= self.bytes.len() {
                return Err(self.error_near("unterminated quoted identifier", start));
            }
            name.push_str(&self.text[from..self.at]);
            self.at += 1;
            if self.peek(0) != b'"' {
                break;
            }
            name.push('"');
            self.at += 1;
        }
        if name.is_empty() {
            return Err(self.error_near("zero-length delimited identifier", start));
        }
        Ok(name)
    }

    /// Decodes `U&` text, with the UESCAPE that may follow.
    fn unicode_escapes(&mut self, raw: &str, start: usize) -> Result<String> {
        let end = self.at;
        self.skip_space()?;
        let mut escape = '\\';
        let word = self.text.get(self.at..self.at + 7).unwrap_or_default();
        if word.eq_ignore_ascii_case("uescape") && !is_ident_part(self.peek(7)) {
            self.at += 7;
            self.skip_space()?;
            let quote = self.at;
            if self.peek(0) != b'\'' {
                self.at += usize::from(quote < self.bytes.len());
                return Err(self.error_near("UESCAPE must be followed by a simple string literal", quote));
            }
            self.at += 1;
            let given = self.plain_string(quote)?;
            let mut chars = given.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) if !c.is_ascii_hexdigit() && !"+'\"".contains(c) && !c.is_whitespace() => escape = c,
                _ => return Err(self.error_near("invalid Unicode escape character", quote)),
            }
        } else {
            self.at = end;
        }
        self.decode_unicode(raw, escape, start)
    }

    fn decode_unicode(&self, raw: &str, escape: char, start: usize) -> Result<String> {
        // As PostgreSQL counts: behind `U&'`, without regard for quotes that are doubled inside.
        let first = self.position_of(start) + 3;
        let mut value = String::with_capacity(raw.len());
        let mut rest = raw;
        let mut pending: Option<u32> = None;
        while let Some(c) = rest.chars().next() {
            let position = first + raw[..raw.len() - rest.len()].chars().count() as u32;
            let invalid = || {
                err!(SYNTAX_ERROR, "invalid Unicode escape")
                    .hint("Unicode escapes must be \\XXXX or \\+XXXXXX.")
                    .at(position)
            };
            rest = &rest[c.len_utf8()..];
            let doubled = c == escape && rest.starts_with(escape);
            if c != escape || doubled {
                if pending.is_some() {
                    return Err(surrogate(position));
                }
                value.push(c);
                if doubled {
                    rest = &rest[escape.len_utf8()..];
                }
                continue;
            }
            let (skip, digits) = if rest.starts_with('+') { (1, 6) } else { (0, 4) };
            let text = rest.get(skip..skip + digits).ok_or_else(invalid)?;
            if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(invalid());
            }
            let code = u32::from_str_radix(text, 16).map_err(|_| invalid())?;
            rest = &rest[skip + digits..];
            match pending.take() {
                Some(high) => value.push(join_surrogates(high, code).ok_or_else(|| surrogate(position))?),
                None if (0xd800..0xdc00).contains(&code) => pending = Some(code),
                None => value.push(scalar(code, position)?),
            }
        }
        if pending.is_some() {
            return Err(surrogate(first + raw.chars().count() as u32));
        }
        Ok(value)
    }

    fn digits(&mut self, radix: u32) -> bool {
        let from = self.at;
        loop {
            let byte = self.peek(0);
            if (byte as char).is_digit(radix) {
                self.at += 1;
            } else if byte == b'_' && (self.peek(1) as char).is_digit(radix) && (self.at > from || radix != 10) {
                self.at += 2;
            } else {
                return self.at > from;
            }
        }
    }

    fn number(&mut self, start: usize) -> Result<()> {
        let radix = match (self.peek(0), self.peek(1)) {
            (b'0', b'x' | b'X') => Some((16, "hexadecimal")),
            (b'0', b'o' | b'O') => Some((8, "octal")),
            (b'0', b'b' | b'B') => Some((2, "binary")),
            _ => None,
        };
        if let Some((radix, name)) = radix {
            self.at += 2;
            let any = self.digits(radix);
            if self.at < self.bytes.len() && is_ident_part(self.peek(0)) {
                self.skip_ident();
                return Err(self.error_near("trailing junk after numeric literal", start));
            }
            if !any {
                return Err(self.error_near(&format!("invalid {name} integer"), start));
            }
            let value = to_decimal(&self.text[start + 2..self.at], radix)
                .ok_or_else(|| err!(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format"))?;
            self.push(Token::Number(value, false), start);
            return Ok(());
        }
        self.digits(10);
        // `1..2` is a range of two integers.
        if self.peek(0) == b'.' && self.peek(1) != b'.' {
            self.at += 1;
            self.digits(10);
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if self.peek(1 + sign).is_ascii_digit() {
                self.at += 1 + sign;
                self.digits(10);
            } else if sign == 1 {
                self.at += 2;
                return Err(self.error_near("trailing junk after numeric literal", start));
            }
        }
        self.refuse_junk(start)?;
        let mut value = self.text[start..self.at].to_string();
        if value.contains('_') {
            value.retain(|c| c != '_');
        }
        self.push(Token::Number(value, false), start);
        Ok(())
    }

    fn refuse_junk(&mut self, start: usize) -> Result<()> {
        if self.at < self.bytes.len() && is_ident_start(self.peek(0)) {
            self.skip_ident();
            return Err(self.error_near("trailing junk after numeric literal", start));
        }
        Ok(())
    }

    fn skip_ident(&mut self) {
        while self.at < self.bytes.len() && is_ident_part(self.bytes[self.at]) {
            self.at += 1;
        }
    }

    /// A parameter or a dollar-quoted string.
    fn dollar(&mut self, start: usize) -> Result<()> {
        self.at += 1;
        if self.peek(0).is_ascii_digit() {
            while self.peek(0).is_ascii_digit() {
                self.at += 1;
            }
            if self.at < self.bytes.len() && is_ident_start(self.peek(0)) {
                self.skip_ident();
                return Err(self.error_near("trailing junk after parameter", start));
            }
            let number = &self.text[start + 1..self.at];
            if number.parse::<i32>().is_err() {
                return Err(self.error_near("parameter number too large", start));
            }
            self.push(Token::Placeholder(self.text[start..self.at].to_string()), start);
            return Ok(());
        }
        let mut end = self.at;
        while end < self.bytes.len() && is_ident_part(self.bytes[end]) && self.bytes[end] != b'$' {
            end += 1;
        }
        if self.bytes.get(end) != Some(&b'$') {
            return Err(self.error_near("syntax error", start));
        }
        let tag = &self.text[start..=end];
        let body = end + 1;
        let Some(length) = self.text[body..].find(tag) else {
            self.at = self.bytes.len();
            return Err(self.error_near("unterminated dollar-quoted string", start));
        };
        let value = self.text[body..body + length].to_string();
        self.at = body + length + tag.len();
        self.push(Token::SingleQuotedString(value), start);
        Ok(())
    }

    /// The longest operator: comments end it, and it may end in + or - only with an unusual character before.
    fn operator(&mut self, start: usize) {
        let mut end = start;
        while end < self.bytes.len() && is_operator(self.bytes[end]) {
            let comment = matches!((self.bytes[end], self.bytes.get(end + 1)), (b'-', Some(b'-')) | (b'/', Some(b'*')));
            if comment && end > start {
                break;
            }
            end += 1;
        }
        let text = &self.bytes[start..end];
        if text.len() > 1 && !text.iter().any(|b| b"~!@#^&|`?%".contains(b)) {
            while end - start > 1 && matches!(self.bytes[end - 1], b'+' | b'-') {
                end -= 1;
            }
        }
        self.at = end;
        let token = match &self.text[start..end] {
            "+" => Token::Plus,
            "-" => Token::Minus,
            "*" => Token::Mul,
            "/" => Token::Div,
            "%" => Token::Mod,
            "^" => Token::Caret,
            "<" => Token::Lt,
            ">" => Token::Gt,
            "=" => Token::Eq,
            "<=" => Token::LtEq,
            ">=" => Token::GtEq,
            "<>" | "!=" => Token::Neq,
            "=>" => Token::RArrow,
            other => Token::CustomBinaryOperator(other.to_string()),
        };
        self.push(token, start);
    }

    fn punctuation(&mut self, start: usize, byte: u8) -> Result<()> {
        self.at += 1;
        let token = match byte {
            b'(' => {
                self.open()?;
                Token::LParen
            }
            b'[' => {
                self.open()?;
                Token::LBracket
            }
            b')' => {
                self.nesting = self.nesting.saturating_sub(1);
                Token::RParen
            }
            b']' => {
                self.nesting = self.nesting.saturating_sub(1);
                Token::RBracket
            }
            b',' => Token::Comma,
            b';' => Token::SemiColon,
            b'.' => Token::Period,
            b':' if self.peek(0) == b':' => {
                self.at += 1;
                Token::DoubleColon
            }
            b':' if self.peek(0) == b'=' => {
                self.at += 1;
                Token::Assignment
            }
            b':' => Token::Colon,
            // No statement has these outside of strings: the parser reports them where they stand.
            b'{' => Token::LBrace,
            b'}' => Token::RBrace,
            b'\\' => Token::Backslash,
            other => Token::Char(other as char),
        };
        self.push(token, start);
        Ok(())
    }

    fn open(&mut self) -> Result<()> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX { Err(too_deep()) } else { Ok(()) }
    }
}

fn surrogate(position: u32) -> Error {
    err!(SYNTAX_ERROR, "invalid Unicode surrogate pair").at(position)
}

fn join_surrogates(high: u32, low: u32) -> Option<char> {
    if !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    char::from_u32(0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff))
}

fn scalar(code: u32, position: u32) -> Result<char> {
    if (0xdc00..0xe000).contains(&code) {
        return Err(surrogate(position));
    }
    match char::from_u32(code) {
        Some(c) if code != 0 => Ok(c),
        _ => Err(err!(SYNTAX_ERROR, "invalid Unicode escape value").at(position)),
    }
}

/// The decimal digits of an integer of another radix (underscores are skipped); `None` beyond what numeric holds.
fn to_decimal(digits: &str, radix: u32) -> Option<String> {
    let plain = digits.replace('_', "");
    if let Ok(value) = u128::from_str_radix(&plain, radix) {
        return Some(value.to_string());
    }
    // As many digits at once as fit 28 bits, into base 10^9 limbs, least first.
    let bits = radix.trailing_zeros() as usize;
    if plain.len() * bits > DECIMAL_BITS_MAX {
        return None;
    }
    let group = 28 / bits;
    let mut limbs: Vec<u64> = vec![0];
    for chunk in plain.as_bytes().chunks(group) {
        let chunk = std::str::from_utf8(chunk).ok()?;
        let mut carry = u64::from_str_radix(chunk, radix).ok()?;
        let factor = 1u64 << (bits * chunk.len());
        for limb in &mut limbs {
            let value = *limb * factor + carry;
            *limb = value % 1_000_000_000;
            carry = value / 1_000_000_000;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let mut text = limbs.last().map_or_else(String::new, u64::to_string);
    for limb in limbs.iter().rev().skip(1) {
        text.push_str(&format!("{limb:09}"));
    }
    Some(text)
}
