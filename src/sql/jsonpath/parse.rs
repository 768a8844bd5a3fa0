//! The grammar of paths.

use super::{Arithmetic, Comparison, Method, Node, Path, Step};
use crate::document::Numeric;
use crate::err;
use crate::error::{Error, Result};

/// The deepest nesting of a path.
const DEPTH_MAX: usize = 500;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    End,
    Word(String),
    Text(String),
    Number(Numeric, String),
    Variable(String),
    Symbol(&'static str),
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, usize, usize)>,
    at: usize,
    depth: usize,
    /// Inside brackets, where `last` has a meaning; inside a filter, where `@` has one.
    in_subscript: usize,
    in_filter: usize,
}

impl Path {
    /// Reads a path's text.
    pub fn parse(text: &str) -> Result<Self> {
        let tokens = lex(text)?;
        let mut parser = Parser { text, tokens, at: 0, depth: 0, in_subscript: 0, in_filter: 0 };
        if *parser.token() == Token::End {
            return Err(err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type jsonpath: \"{text}\""));
        }
        let lax = match parser.token() {
            Token::Word(word) if word == "strict" => {
                parser.at += 1;
                false
            }
            Token::Word(word) if word == "lax" => {
                parser.at += 1;
                true
            }
            _ => true,
        };
        let expr = parser.or()?;
        match parser.token() {
            Token::End => Ok(Self { lax, expr }),
            _ => Err(parser.unexpected()),
        }
    }
}

fn near(text: &str, from: usize, to: usize) -> Error {
    if from >= text.len() {
        return err!(SYNTAX_ERROR, "syntax error at end of jsonpath input");
    }
    err!(SYNTAX_ERROR, "syntax error at or near \"{}\" of jsonpath input", &text[from..to])
}

fn is_special(c: char) -> bool {
    "?%$.[]{}()|&!=<>@#,*:-+/\\\"".contains(c) || c.is_whitespace()
}

const SYMBOLS: &[&str] = &[
    "**", "==", "!=", "<>", "<=", ">=", "&&", "||", "$", "@", "?", "%", ".", "[", "]", "{", "}", "(", ")", "!", "<",
    ">", ",", "*", ":", "-", "+", "/",
];

fn lex(text: &str) -> Result<Vec<(Token, usize, usize)>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let start = at;
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        if text[at..].starts_with("/*") {
            match text[at..].find("*/") {
                Some(end) => at += end + 2,
                None => return Err(err!(SYNTAX_ERROR, "unexpected end of comment at end of jsonpath input")),
            }
            continue;
        }
        let token = match c {
            '"' => {
                let (value, end) = string(text, at)?;
                at = end;
                Token::Text(value)
            }
            '$' if text[at + 1..].starts_with('"') => {
                let (value, end) = string(text, at + 1)?;
                at = end;
                Token::Variable(value)
            }
            '$' if text[at + 1..].starts_with(|c: char| !is_special(c)) => {
                let (value, end) = word(text, at + 1)?;
                at = end;
                Token::Variable(value)
            }
            '0'..='9' => {
                at = number_end(text, at)?;
                number(&text[start..at]).ok_or_else(|| trailing_junk(text, start, at))?
            }
            '.' if text[at + 1..].starts_with(|c: char| c.is_ascii_digit()) => {
                at = number_end(text, at)?;
                number(&text[start..at]).ok_or_else(|| trailing_junk(text, start, at))?
            }
            c if !is_special(c) || c == '\\' => {
                let (value, end) = word(text, at)?;
                at = end;
                Token::Word(value)
            }
            _ => {
                let Some(symbol) = SYMBOLS.iter().find(|s| text[at..].starts_with(**s)) else {
                    return Err(near(text, at, at + c.len_utf8()));
                };
                at += symbol.len();
                Token::Symbol(symbol)
            }
        };
        tokens.push((token, start, at));
    }
    tokens.push((Token::End, text.len(), text.len()));
    Ok(tokens)
}

fn trailing_junk(text: &str, start: usize, end: usize) -> Error {
    err!(SYNTAX_ERROR, "trailing junk after numeric literal at or near \"{}\" of jsonpath input", &text[start..end])
}

/// The end of a number that begins here: digits, a fraction, an exponent; other bases.
fn number_end(text: &str, start: usize) -> Result<usize> {
    let bytes = text.as_bytes();
    let mut at = start;
    if bytes[at] == b'0' && matches!(bytes.get(at + 1), Some(b'x' | b'X' | b'o' | b'O' | b'b' | b'B')) {
        at += 2;
        while bytes.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_') {
            at += 1;
        }
        return Ok(at);
    }
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(|b| b.is_ascii_digit() || *b == b'_') {
            at += 1;
        }
        at
    };
    at = digits(at);
    // `1.type()` is an error in PostgreSQL, `1..2` as well: a point belongs to the number.
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if bytes.get(at + 1 + sign).is_some_and(u8::is_ascii_digit) {
            at = digits(at + 1 + sign);
        }
    }
    let mut end = at;
    while let Some(c) = text[end..].chars().next().filter(|c| !is_special(*c)) {
        end += c.len_utf8();
    }
    if end > at { Err(trailing_junk(text, start, end)) } else { Ok(at) }
}

fn number(text: &str) -> Option<Token> {
    let plain = text.replace('_', "");
    let based = |radix| i64::from_str_radix(&plain[2..], radix).ok().map(Numeric::from_i64);
    let value = match plain.as_bytes().get(..2) {
        Some(b"0x" | b"0X") => based(16)?,
        Some(b"0o" | b"0O") => based(8)?,
        Some(b"0b" | b"0B") => based(2)?,
        _ => Numeric::parse(&plain).ok()?,
    };
    Some(Token::Number(value, plain))
}

/// A word without quotes; backslashes escape as in strings.
fn word(text: &str, start: usize) -> Result<(String, usize)> {
    let mut out = String::new();
    let mut at = start;
    while let Some(c) = text[at..].chars().next() {
        if c == '\\' {
            at = escape(text, at, &mut out)?;
        } else if is_special(c) {
            break;
        } else {
            out.push(c);
            at += c.len_utf8();
        }
    }
    Ok((out, at))
}

fn string(text: &str, start: usize) -> Result<(String, usize)> {
    let mut out = String::new();
    let mut at = start + 1;
    loop {
        match text[at..].chars().next() {
            None => return Err(err!(SYNTAX_ERROR, "unterminated quoted string at end of jsonpath input")),
            Some('"') => return Ok((out, at + 1)),
            Some('\\') => at = escape(text, at, &mut out)?,
            Some(c) => {
                out.push(c);
                at += c.len_utf8();
            }
        }
    }
}

/// One escape, as in JavaScript.
fn escape(text: &str, start: usize, out: &mut String) -> Result<usize> {
    let invalid =
        || err!(SYNTAX_ERROR, "invalid Unicode escape sequence at or near \"{}\" of jsonpath input", &text[start..]);
    let Some(c) = text[start + 1..].chars().next() else {
        return Err(err!(SYNTAX_ERROR, "unexpected end after backslash at end of jsonpath input"));
    };
    let hex = |at: usize, len: usize| -> Result<u32> {
        let digits = text.get(at..at + len).ok_or_else(invalid)?;
        u32::from_str_radix(digits, 16).map_err(|_| invalid())
    };
    let after = start + 1 + c.len_utf8();
    match c {
        'b' => out.push('\u{8}'),
        'f' => out.push('\u{c}'),
        'n' => out.push('\n'),
        'r' => out.push('\r'),
        't' => out.push('\t'),
        'v' => out.push('\u{b}'),
        'x' => {
            out.push(char::from_u32(hex(after, 2)?).ok_or_else(invalid)?);
            return Ok(after + 2);
        }
        'u' => {
            let (first, mut end) = match text[after..].strip_prefix('{') {
                Some(rest) => {
                    let len = rest.find('}').filter(|n| (1..=6).contains(n)).ok_or_else(invalid)?;
                    (hex(after + 1, len)?, after + len + 2)
                }
                None => (hex(after, 4)?, after + 4),
            };
            let mut code = first;
            if (0xd800..0xdc00).contains(&first) {
                if !text[end..].starts_with("\\u") {
                    return Err(invalid());
                }
                let low = hex(end + 2, 4)?;
                if !(0xdc00..0xe000).contains(&low) {
                    return Err(invalid());
                }
                code = 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
                end += 6;
            }
            if code == 0 {
                return Err(err!(UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence")
                    .detail("\\u0000 cannot be converted to text."));
            }
            out.push(char::from_u32(code).ok_or_else(invalid)?);
            return Ok(end);
        }
        other => out.push(other),
    }
    Ok(after)
}

impl Parser<'_> {
    fn token(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn next(&self, ahead: usize) -> &Token {
        &self.tokens[(self.at + ahead).min(self.tokens.len() - 1)].0
    }

    fn unexpected(&self) -> Error {
        let (_, from, to) = &self.tokens[self.at];
        near(self.text, *from, *to)
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.token(), Token::Symbol(s) if *s == symbol)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<()> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.token(), Token::Word(w) if w == word)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(err!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
                .detail(format!("A jsonpath nests at most {DEPTH_MAX} levels deep.")));
        }
        let result = crate::sql::plan::visit::guard(|| f(self));
        self.depth -= 1;
        result
    }

    /// A condition, or an expression.
    fn or(&mut self) -> Result<Node> {
        self.deeper(|p| {
            let mut left = p.and()?;
            while p.is("||") {
                p.condition(&left)?;
                p.at += 1;
                let right = p.and()?;
                p.condition(&right)?;
                left = Node::Or(Box::new(left), Box::new(right));
            }
            Ok(left)
        })
    }

    fn and(&mut self) -> Result<Node> {
        let mut left = self.comparison()?;
        while self.is("&&") {
            self.condition(&left)?;
            self.at += 1;
            let right = self.comparison()?;
            self.condition(&right)?;
            left = Node::And(Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    /// Only conditions may stand beside `&&`, in filters and the like.
    fn condition(&self, node: &Node) -> Result<()> {
        if is_condition(node) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn comparison(&mut self) -> Result<Node> {
        if self.take("!") {
            let inner = self.delimited()?;
            return Ok(Node::Not(Box::new(inner)));
        }
        let left = self.sum()?;
        let comparison = match self.token() {
            Token::Symbol("==") => Comparison::Equal,
            Token::Symbol("!=" | "<>") => Comparison::NotEqual,
            Token::Symbol("<") => Comparison::Less,
            Token::Symbol("<=") => Comparison::LessOrEqual,
            Token::Symbol(">") => Comparison::Greater,
            Token::Symbol(">=") => Comparison::GreaterOrEqual,
            Token::Word(word) if word == "starts" => {
                self.at += 1;
                if !self.take_word("with") {
                    return Err(self.unexpected());
                }
                let right = match self.token().clone() {
                    Token::Text(text) => Node::Text(text),
                    Token::Variable(name) => Node::Variable(name),
                    _ => return Err(self.unexpected()),
                };
                self.at += 1;
                return Ok(Node::StartsWith(Box::new(left), Box::new(right)));
            }
            Token::Word(word) if word == "like_regex" => {
                self.at += 1;
                let Token::Text(pattern) = self.token().clone() else { return Err(self.unexpected()) };
                self.at += 1;
                let mut flags = String::new();
                if self.take_word("flag") {
                    let Token::Text(text) = self.token().clone() else { return Err(self.unexpected()) };
                    self.at += 1;
                    flags = text;
                }
                super::run::regex(&pattern, &flags)?;
                return Ok(Node::LikeRegex(Box::new(left), pattern, flags));
            }
            _ => return Ok(left),
        };
        self.at += 1;
        let right = self.sum()?;
        Ok(Node::Compare(comparison, Box::new(left), Box::new(right)))
    }

    /// `( condition )` or `exists ( expression )`.
    fn delimited(&mut self) -> Result<Node> {
        if self.is_word("exists") && *self.next(1) == Token::Symbol("(") {
            return self.primary();
        }
        self.expect("(")?;
        let inner = self.or()?;
        self.condition(&inner)?;
        self.expect(")")?;
        Ok(inner)
    }

    fn sum(&mut self) -> Result<Node> {
        let mut left = self.product()?;
        loop {
            let operator = match self.token() {
                Token::Symbol("+") => Arithmetic::Add,
                Token::Symbol("-") => Arithmetic::Subtract,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.product()?;
            left = Node::Arithmetic(operator, Box::new(left), Box::new(right));
        }
    }

    fn product(&mut self) -> Result<Node> {
        let mut left = self.unary()?;
        loop {
            let operator = match self.token() {
                Token::Symbol("*") => Arithmetic::Multiply,
                Token::Symbol("/") => Arithmetic::Divide,
                Token::Symbol("%") => Arithmetic::Modulo,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.unary()?;
            left = Node::Arithmetic(operator, Box::new(left), Box::new(right));
        }
    }

    fn unary(&mut self) -> Result<Node> {
        self.deeper(|p| {
            if p.take("+") {
                return Ok(match p.unary()? {
                    Node::Number(n) => Node::Number(n),
                    inner => Node::Plus(Box::new(inner)),
                });
            }
            if p.take("-") {
                return Ok(match p.unary()? {
                    Node::Number(n) => Node::Number(n.neg()),
                    inner => Node::Minus(Box::new(inner)),
                });
            }
            p.path()
        })
    }

    fn path(&mut self) -> Result<Node> {
        let base = self.primary()?;
        let mut steps = Vec::new();
        loop {
            if self.take("[") {
                steps.push(self.subscripts()?);
            } else if self.is("?") {
                self.at += 1;
                self.expect("(")?;
                self.in_filter += 1;
                let condition = self.or()?;
                self.in_filter -= 1;
                self.condition(&condition)?;
                self.expect(")")?;
                steps.push(Step::Filter(Box::new(condition)));
            } else if self.take(".") {
                steps.push(self.member()?);
            } else {
                break;
            }
        }
        if steps.is_empty() {
            return Ok(base);
        }
        Ok(match base {
            Node::Steps(base, mut before) => {
                before.extend(steps);
                Node::Steps(base, before)
            }
            base => Node::Steps(Box::new(base), steps),
        })
    }

    fn subscripts(&mut self) -> Result<Step> {
        if self.is("*") && *self.next(1) == Token::Symbol("]") {
            self.at += 2;
            return Ok(Step::AnyElement);
        }
        let mut list = Vec::new();
        self.in_subscript += 1;
        loop {
            let from = self.sum()?;
            let to = if self.take_word("to") { Some(self.sum()?) } else { None };
            list.push((from, to));
            if !self.take(",") {
                break;
            }
        }
        self.in_subscript -= 1;
        self.expect("]")?;
        Ok(Step::Elements(list))
    }

    fn level(&mut self) -> Result<Option<u32>> {
        if self.take_word("last") {
            return Ok(None);
        }
        match self.token().clone() {
            Token::Number(n, _) => {
                let level = n.to_i64().and_then(|n| u32::try_from(n).ok()).ok_or_else(|| self.unexpected())?;
                self.at += 1;
                Ok(Some(level))
            }
            _ => Err(self.unexpected()),
        }
    }

    fn member(&mut self) -> Result<Step> {
        if self.take("*") {
            return Ok(Step::AnyKey);
        }
        if self.take("**") {
            if !self.take("{") {
                return Ok(Step::Any(Some(0), None));
            }
            let first = self.level()?;
            let last = if self.take_word("to") { self.level()? } else { first };
            self.expect("}")?;
            return Ok(Step::Any(first, last));
        }
        let name = match self.token().clone() {
            Token::Text(name) => {
                self.at += 1;
                return Ok(Step::Key(name));
            }
            Token::Word(name) => name,
            _ => return Err(self.unexpected()),
        };
        if *self.next(1) != Token::Symbol("(") {
            self.at += 1;
            return Ok(Step::Key(name));
        }
        let Some(method) = Method::of(&name) else {
            self.at += 1;
            return Err(self.unexpected());
        };
        self.at += 2;
        let mut args = Vec::new();
        while !self.is(")") {
            if !args.is_empty() {
                self.expect(",")?;
            }
            let sign = self.take("-");
            if !sign {
                self.take("+");
            }
            args.push(match self.token().clone() {
                Token::Number(n, _) => Node::Number(if sign { n.neg() } else { n }),
                Token::Text(text) if !sign => Node::Text(text),
                _ => return Err(self.unexpected()),
            });
            self.at += 1;
        }
        let allowed = match method {
            Method::Decimal => args.len() <= 2 && args.iter().all(|a| matches!(a, Node::Number(_))),
            Method::Datetime => args.len() <= 1 && args.iter().all(|a| matches!(a, Node::Text(_))),
            Method::Time | Method::TimeTz | Method::Timestamp | Method::TimestampTz => {
                args.len() <= 1 && args.iter().all(|a| matches!(a, Node::Number(_)))
            }
            _ => args.is_empty(),
        };
        if !allowed {
            return Err(self.unexpected());
        }
        self.expect(")")?;
        Ok(Step::Method(method, args))
    }

    fn primary(&mut self) -> Result<Node> {
        let node = match self.token().clone() {
            Token::Symbol("$") => Node::Root,
            Token::Symbol("@") => {
                if self.in_filter == 0 {
                    return Err(err!(SYNTAX_ERROR, "@ is not allowed in root expressions"));
                }
                Node::Current
            }
            Token::Variable(name) => Node::Variable(name),
            Token::Text(text) => Node::Text(text),
            Token::Number(n, _) => Node::Number(n),
            Token::Word(word) => match word.as_str() {
                "null" => Node::Null,
                "true" => Node::Bool(true),
                "false" => Node::Bool(false),
                "last" => {
                    if self.in_subscript == 0 {
                        return Err(err!(SYNTAX_ERROR, "LAST is allowed only in array subscripts"));
                    }
                    Node::Last
                }
                "exists" => {
                    self.at += 1;
                    self.expect("(")?;
                    let inner = self.sum()?;
                    self.expect(")")?;
                    return Ok(Node::Exists(Box::new(inner)));
                }
                _ => return Err(self.unexpected()),
            },
            Token::Symbol("(") => {
                self.at += 1;
                let inner = self.or()?;
                self.expect(")")?;
                if is_condition(&inner) && self.is_word("is") {
                    self.at += 1;
                    if !self.take_word("unknown") {
                        return Err(self.unexpected());
                    }
                    return Ok(Node::IsUnknown(Box::new(inner)));
                }
                return Ok(inner);
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(node)
    }
}

pub(super) fn is_condition(node: &Node) -> bool {
    matches!(
        node,
        Node::Compare(..)
            | Node::And(..)
            | Node::Or(..)
            | Node::Not(_)
            | Node::IsUnknown(_)
            | Node::Exists(_)
            | Node::StartsWith(..)
            | Node::LikeRegex(..)
    )
}
