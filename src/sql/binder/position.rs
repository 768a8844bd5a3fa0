//! Where in the text an expression or its operator stands, for error positions. Only called when an error is made.

use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::{Location, Span};

use crate::sql::parser;

use super::Binder;

/// The expression that an expression begins with. Walks down one side only: sqlparser's own `span()` visits everything
/// below, each time and without bound.
fn leftmost(expr: &ast::Expr) -> &ast::Expr {
    use ast::Expr::*;
    let mut expr = expr;
    loop {
        expr = match expr {
            BinaryOp { left, .. }
            | AnyOp { left, .. }
            | AllOp { left, .. }
            | IsDistinctFrom(left, _)
            | IsNotDistinctFrom(left, _) => left,
            Nested(inner)
            | IsNull(inner)
            | IsNotNull(inner)
            | IsTrue(inner)
            | IsNotTrue(inner)
            | IsFalse(inner)
            | IsNotFalse(inner)
            | IsUnknown(inner)
            | IsNotUnknown(inner)
            | Between { expr: inner, .. }
            | InList { expr: inner, .. }
            | InSubquery { expr: inner, .. }
            | Like { expr: inner, .. }
            | ILike { expr: inner, .. }
            | SimilarTo { expr: inner, .. }
            | Collate { expr: inner, .. }
            | Cast { expr: inner, .. }
            | AtTimeZone { timestamp: inner, .. }
            | IsJson { expr: inner, .. }
            | IsNormalized { expr: inner, .. }
            | UnaryOp { expr: inner, .. } => inner,
            CompoundFieldAccess { root, .. } => root,
            Tuple(items) | Array(ast::Array { elem: items, .. }) => match items.first() {
                Some(first) => first,
                None => return expr,
            },
            Interval(interval) => &interval.value,
            _ => return expr,
        };
    }
}

/// The first token of an expression.
pub(super) fn start(expr: &ast::Expr) -> Span {
    use ast::Expr::*;
    match leftmost(expr) {
        Identifier(name) => name.span,
        CompoundIdentifier(names) => names.first().map_or(Span::empty(), |name| name.span),
        Value(value) => value.span,
        TypedString(typed) => typed.value.span,
        Function(call) => call.name.span(),
        Case { case_token, .. } => case_token.0.span,
        Subquery(query) | Exists { subquery: query, .. } => query_start(query),
        QualifiedWildcard(name, _) => name.span(),
        Wildcard(token) => token.0.span,
        _ => Span::empty(),
    }
}

/// The first token of a query.
pub(super) fn query_start(query: &ast::Query) -> Span {
    if let Some(with) = &query.with {
        return with.with_token.0.span;
    }
    body_start(&query.body)
}

/// The first token of a query's body.
pub(super) fn body_start(body: &ast::SetExpr) -> Span {
    let mut body = body;
    loop {
        body = match body {
            ast::SetExpr::Query(query) => &query.body,
            ast::SetExpr::SetOperation { left, .. } => left,
            ast::SetExpr::Select(select) => return select.select_token.0.span,
            ast::SetExpr::Values(values) => {
                let first = values.rows.first().and_then(|row| row.content.first());
                return first.map_or(Span::empty(), start);
            }
            _ => return Span::empty(),
        };
    }
}

/// The end of an expression but for closing parentheses and the types of casts, and how many such types follow. Walks
/// down the right side.
fn end(expr: &ast::Expr) -> (Location, usize) {
    use ast::Expr::*;
    let mut expr = expr;
    let mut casts = 0;
    let location = loop {
        casts += usize::from(matches!(expr, Cast { kind: ast::CastKind::DoubleColon, .. }));
        expr = match expr {
            BinaryOp { right, .. } | AnyOp { right, .. } | AllOp { right, .. } => right,
            IsDistinctFrom(_, right) | IsNotDistinctFrom(_, right) => right,
            Nested(inner) | UnaryOp { expr: inner, .. } | Cast { expr: inner, .. } => inner,
            AtTimeZone { time_zone, .. } => time_zone,
            Tuple(items) | Array(ast::Array { elem: items, .. }) => match items.last() {
                Some(last) => last,
                None => break Span::empty().end,
            },
            Function(call) => match last_argument(call) {
                Some(last) => last,
                None => break call.name.span().end,
            },
            CompoundFieldAccess { root, access_chain } => match access_chain.last() {
                Some(
                    ast::AccessExpr::Dot(last) | ast::AccessExpr::Subscript(ast::Subscript::Index { index: last }),
                ) => last,
                _ => root,
            },
            Interval(interval) => &interval.value,
            Identifier(name) => break name.span.end,
            CompoundIdentifier(names) => break names.last().map_or(Span::empty(), |name| name.span).end,
            Value(value) => break value.span.end,
            TypedString(typed) => break typed.value.span.end,
            Case { end_token, .. } => break end_token.0.span.end,
            _ => break Span::empty().end,
        };
    };
    (location, casts)
}

fn last_argument(call: &ast::Function) -> Option<&ast::Expr> {
    let ast::FunctionArguments::List(list) = &call.args else { return None };
    match list.args.last()? {
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr))
        | ast::FunctionArg::Named { arg: ast::FunctionArgExpr::Expr(expr), .. } => Some(expr),
        _ => None,
    }
}

/// What may stand between the end of an operand as [`end`] has it and the operator: parentheses and brackets that
/// close, an empty argument list, the type of a cast.
fn skip_tail(text: &str, casts: usize) -> usize {
    let mut rest = text;
    let mut casts = casts;
    loop {
        let before = rest.len();
        rest = rest.trim_start();
        rest = rest.strip_prefix([')', ']', '*']).unwrap_or(rest);
        rest = rest.strip_prefix("()").or_else(|| rest.strip_prefix("(*)")).unwrap_or(rest);
        if let Some(cast) = rest.strip_prefix("::").filter(|_| casts > 0) {
            casts -= 1;
            rest = skip_type(cast.trim_start());
        }
        if rest.len() == before {
            return text[..text.len() - rest.len()].chars().count();
        }
    }
}

fn skip_type(text: &str) -> &str {
    let word =
        |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || "_.\"$".contains(*c)).map(char::len_utf8).sum();
    let length: usize = word(text);
    let mut rest = &text[length..];
    loop {
        let next = rest.trim_start();
        let length: usize = word(next);
        let known = ["precision", "varying", "with", "without", "time", "zone", "to", "day", "month", "second"];
        if known.contains(&next[..length].to_ascii_lowercase().as_str()) {
            rest = &next[length..];
        } else if let Some(closed) = next.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            rest = closed.1;
        } else if let Some(array) = next.strip_prefix("[]") {
            rest = array;
        } else {
            return rest;
        }
    }
}

/// The words and signs of a text, each with its character position (from `first`) and how many parentheses are around
/// it. Texts in quotes count as one.
fn tokens(text: &str, first: u32) -> impl Iterator<Item = (&str, u32, usize)> {
    let mut rest = text;
    let mut at = first;
    let mut depth = 0usize;
    std::iter::from_fn(move || {
        let trimmed = rest.trim_start();
        at += u32::try_from(rest[..rest.len() - trimmed.len()].chars().count()).unwrap_or(0);
        let next = trimmed.chars().next()?;
        let length = match next {
            quote @ ('\'' | '"') => trimmed[1..].find(quote).map_or(trimmed.len(), |end| end + 2),
            c if c.is_alphanumeric() || c == '_' => {
                trimmed.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(trimmed.len())
            }
            c => c.len_utf8(),
        };
        let (token, after) = trimmed.split_at(length);
        depth = if next == ')' { depth.saturating_sub(1) } else { depth };
        let found = (token, at, depth);
        depth += usize::from(next == '(');
        at += u32::try_from(token.chars().count()).unwrap_or(0);
        rest = after;
        Some(found)
    })
}

/// The text that positions refer to; empty where they mean nothing to the client (inside views). A token's location
/// is its byte offset (as line) and character offset (as column), both from 1.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Source<'a> {
    text: &'a str,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text }
    }

    fn split(&self, at: Location) -> Option<(&'a str, &'a str)> {
        let offset = usize::try_from(at.line).ok()?.checked_sub(1)?;
        self.text.split_at_checked(offset)
    }
}

impl Binder<'_> {
    /// A span's error position.
    pub(super) fn at(&self, span: Span) -> u32 {
        if self.source.text.is_empty() { 0 } else { parser::position(span) }
    }

    /// The position of the leftmost token of an expression.
    pub(super) fn expr_at(&self, expr: &ast::Expr) -> u32 {
        if self.source.text.is_empty() {
            return 0;
        }
        match leftmost(expr) {
            // The parenthesis is the subquery's.
            ast::Expr::Subquery(query) => self.before(query_start(query)),
            first => self.at(start(first)),
        }
    }

    /// The position of the operator that follows `left`.
    pub(super) fn after(&self, left: &ast::Expr) -> u32 {
        if self.source.text.is_empty() {
            return 0;
        }
        // The end is exclusive: the character there is the first one after the operand.
        let (end, casts) = end(left);
        let Some((_, rest)) = self.source.split(end) else { return 0 };
        u32::try_from(end.column as usize + skip_tail(rest, casts)).unwrap_or(0)
    }

    /// The tokens after a place.
    fn tokens_after(&self, span: Span) -> impl Iterator<Item = (&str, u32, usize)> {
        let rest = self.source.split(span.end).map_or("", |(_, rest)| rest);
        tokens(rest, u32::try_from(span.end.column).unwrap_or(0))
    }

    /// The position of the parenthesis that follows a word somewhere after a place: that of `OVER (`, `w AS (`.
    pub(super) fn parenthesis(&self, span: Span, word: &str) -> u32 {
        let mut last = "";
        for (token, at, depth) in self.tokens_after(span) {
            if depth == 0 && token == "(" && last.eq_ignore_ascii_case(word) {
                return at;
            }
            last = token;
        }
        0
    }

    /// The position of the token (of one character) before a place.
    pub(super) fn before(&self, span: Span) -> u32 {
        let Some((before, _)) = self.source.split(span.start) else { return 0 };
        let skipped = before.chars().rev().take_while(|c| c.is_whitespace()).count();
        u32::try_from((span.start.column as usize).saturating_sub(skipped + 1)).unwrap_or(0)
    }
}
