//! Reading tokens: small helpers over sqlparser's [`Parser`], which is our cursor, and the errors of the grammar.
//!
//! Key words are compared by their folded text (empty for quoted names and everything else), which is how all of
//! PostgreSQL's key words are reached, also those that sqlparser has no name for. Errors travel inside sqlparser's
//! `ParserError` as text with a leading mark, and [`decode`] makes our [`Error`] of them at the rim.

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use crate::err;
use crate::error::{Error, SqlState};

use super::keywords::{self, Category};
use super::lexer;

/// What grammar functions return.
pub(super) type Parse<T> = Result<T, ParserError>;

/// The folded text of the next token when it is an unquoted word, else "".
pub(super) fn word<'p>(p: &'p Parser<'_>) -> &'p str {
    word_at(p, 0)
}

/// The folded text of the n-th token ahead when it is an unquoted word, else "".
pub(super) fn word_at<'p>(p: &'p Parser<'_>, n: usize) -> &'p str {
    match &p.token_at(p.index() + n).token {
        Token::Word(w) if w.quote_style.is_none() => &w.value,
        _ => "",
    }
}

/// The next token.
pub(super) fn token<'p>(p: &'p Parser<'_>) -> &'p Token {
    &p.token_at(p.index()).token
}

/// The n-th token ahead.
pub(super) fn token_at<'p>(p: &'p Parser<'_>, n: usize) -> &'p Token {
    &p.token_at(p.index() + n).token
}

/// The span of the next token.
pub(super) fn span(p: &Parser<'_>) -> Span {
    p.token_at(p.index()).span
}

/// Takes the word if it is next.
pub(super) fn take(p: &mut Parser<'_>, expected: &str) -> bool {
    let found = word(p) == expected;
    if found {
        p.advance_token();
    }
    found
}

/// Takes all of the words if they are next.
pub(super) fn take_all(p: &mut Parser<'_>, expected: &[&str]) -> bool {
    let found = expected.iter().enumerate().all(|(n, w)| word_at(p, n) == *w);
    if found {
        for _ in expected {
            p.advance_token();
        }
    }
    found
}

/// The word must be next.
pub(super) fn expect(p: &mut Parser<'_>, expected: &str) -> Parse<()> {
    if take(p, expected) { Ok(()) } else { unexpected(p) }
}

/// The words must be next.
pub(super) fn expect_all(p: &mut Parser<'_>, expected: &[&str]) -> Parse<()> {
    expected.iter().try_for_each(|w| expect(p, w))
}

/// Takes the token if it is next.
pub(super) fn take_token(p: &mut Parser<'_>, expected: &Token) -> bool {
    let found = token(p) == expected;
    if found {
        p.advance_token();
    }
    found
}

/// The token must be next.
pub(super) fn expect_token(p: &mut Parser<'_>, expected: &Token) -> Parse<()> {
    if take_token(p, expected) { Ok(()) } else { unexpected(p) }
}

/// The next token as a name; `allowed` says which key words may be one.
fn name(p: &mut Parser<'_>, allowed: impl Fn(Category) -> bool) -> Parse<Ident> {
    let Token::Word(w) = token(p) else { return unexpected(p) };
    if w.quote_style.is_none() && keywords::lookup(&w.value).is_some_and(|k| !allowed(k.category)) {
        return unexpected(p);
    }
    let ident = Ident { value: w.value.clone(), quote_style: w.quote_style, span: span(p) };
    p.advance_token();
    Ok(ident)
}

/// A name of a column, table, index, ... (PostgreSQL's ColId).
pub(super) fn column_id(p: &mut Parser<'_>) -> Parse<Ident> {
    name(p, |c| matches!(c, Category::Unreserved | Category::ColumnName))
}

/// A name where any word will do (ColLabel).
pub(super) fn label(p: &mut Parser<'_>) -> Parse<Ident> {
    name(p, |_| true)
}

/// A name that is not reserved (NonReservedWord).
pub(super) fn nonreserved(p: &mut Parser<'_>) -> Parse<Ident> {
    name(p, |c| c != Category::Reserved)
}

/// Whether the next token can be a ColId.
pub(super) fn is_column_id(p: &Parser<'_>) -> bool {
    match token(p) {
        Token::Word(w) if w.quote_style.is_none() => {
            keywords::lookup(&w.value).is_none_or(|k| matches!(k.category, Category::Unreserved | Category::ColumnName))
        }
        Token::Word(_) => true,
        _ => false,
    }
}

/// Whether the next token can be a column label without AS.
pub(super) fn is_bare_label(p: &Parser<'_>) -> bool {
    match token(p) {
        Token::Word(w) if w.quote_style.is_none() => keywords::lookup(&w.value).is_none_or(|k| k.bare_label),
        Token::Word(_) => true,
        _ => false,
    }
}

/// A possibly qualified name.
pub(super) fn object_name(p: &mut Parser<'_>) -> Parse<ObjectName> {
    let first = column_id(p)?;
    qualified(p, first)
}

/// The rest of a qualified name.
pub(super) fn qualified(p: &mut Parser<'_>, first: Ident) -> Parse<ObjectName> {
    let mut parts = vec![ObjectNamePart::Identifier(first)];
    while take_token(p, &Token::Period) {
        parts.push(ObjectNamePart::Identifier(label(p)?));
    }
    Ok(ObjectName(parts))
}

/// A string constant.
pub(super) fn string(p: &mut Parser<'_>) -> Parse<String> {
    match token(p) {
        Token::SingleQuotedString(value) => {
            let value = value.clone();
            p.advance_token();
            Ok(value)
        }
        _ => unexpected(p),
    }
}

/// An integer constant with optional sign that fits i64.
pub(super) fn integer(p: &mut Parser<'_>) -> Parse<i64> {
    let negative = take_token(p, &Token::Minus);
    if !negative {
        take_token(p, &Token::Plus);
    }
    let Token::Number(digits, _) = token(p) else { return unexpected(p) };
    let text = if negative { format!("-{digits}") } else { digits.clone() };
    match text.parse::<i64>() {
        Ok(value) => {
            p.advance_token();
            Ok(value)
        }
        Err(_) if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') => {
            let message = format!("value \"{text}\" is out of range for type bigint");
            Err(failure(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, span(p), &message))
        }
        Err(_) => unexpected(p),
    }
}

const SYNTAX: char = '\u{1}';
const FAILURE: char = '\u{2}';

/// A syntax error at the next token.
pub(super) fn unexpected<T>(p: &Parser<'_>) -> Parse<T> {
    Err(syntax_at(span(p)))
}

/// A syntax error at a token.
pub(super) fn syntax_at(span: Span) -> ParserError {
    ParserError::ParserError(format!("{SYNTAX}{} {} {}", span.start.line, span.end.line, span.start.column))
}

/// An error with a SQLSTATE at a token.
pub(super) fn failure(code: SqlState, span: Span, message: &str) -> ParserError {
    ParserError::ParserError(format!("{FAILURE}{code}{} {message}", span.start.column))
}

/// Something of PostgreSQL's that is not here yet.
pub(super) fn unsupported<T>(p: &Parser<'_>, what: &str) -> Parse<T> {
    let message = format!("{what} is not supported yet");
    Err(failure(SqlState::FEATURE_NOT_SUPPORTED, span(p), &message))
}

/// A ParserError as the client sees it.
pub(super) fn decode(error: ParserError, text: &str) -> Error {
    let message = match error {
        ParserError::RecursionLimitExceeded => return lexer::too_deep(),
        ParserError::ParserError(message) | ParserError::TokenizerError(message) => message,
    };
    if let Some(place) = message.strip_prefix(SYNTAX) {
        let mut numbers = place.split(' ').filter_map(|n| n.parse::<usize>().ok());
        let mut next = || numbers.next().unwrap_or(0);
        let (start, end, column) = (next(), next(), next());
        return syntax_error(text, start, end, column);
    }
    if let Some(rest) = message.strip_prefix(FAILURE) {
        let (code, rest) = rest.split_at(5);
        let (position, message) = rest.split_once(' ').unwrap_or(("0", rest));
        let code = SqlState::ALL.iter().find(|(_, c)| c.as_str() == code).map_or(SqlState::SYNTAX_ERROR, |(_, c)| *c);
        return Error::new(code, message).at(position.parse().unwrap_or(0));
    }
    // From sqlparser's own functions: the column is our position.
    let column = message.rsplit_once("Column: ").and_then(|(_, c)| c.trim().parse::<usize>().ok()).unwrap_or(0);
    match text.char_indices().nth(column.saturating_sub(1)) {
        Some((start, c)) if column > 0 => syntax_error(text, start + 1, start + c.len_utf8() + 1, column),
        _ => err!(SYNTAX_ERROR, "syntax error: {message}"),
    }
}

/// `start` and `end` are byte offsets + 1; 0 is the end of the input.
fn syntax_error(text: &str, start: usize, end: usize, column: usize) -> Error {
    match start.checked_sub(1).and_then(|start| text.get(start..end.saturating_sub(1))) {
        Some(near) => err!(SYNTAX_ERROR, "syntax error at or near \"{near}\"").at(u32::try_from(column).unwrap_or(0)),
        None => {
            let end = u32::try_from(text.chars().count() + 1).unwrap_or(0);
            err!(SYNTAX_ERROR, "syntax error at end of input").at(end)
        }
    }
}
