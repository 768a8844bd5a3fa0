//! Where in the text an expression or its operator stands, for error positions. Only called when an error is made.

use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::{Location, Span};

use crate::sql::parser;

use super::Binder;

/// The first token of an expression. Walks down the left side, so that long chains cost no stack.
pub(super) fn start(expr: &ast::Expr) -> Span {
    let mut expr = expr;
    loop {
        expr = match expr {
            ast::Expr::BinaryOp { left, .. }
            | ast::Expr::AnyOp { left, .. }
            | ast::Expr::AllOp { left, .. }
            | ast::Expr::IsDistinctFrom(left, _)
            | ast::Expr::IsNotDistinctFrom(left, _) => left,
            ast::Expr::Nested(inner)
            | ast::Expr::IsNull(inner)
            | ast::Expr::IsNotNull(inner)
            | ast::Expr::IsTrue(inner)
            | ast::Expr::IsNotTrue(inner)
            | ast::Expr::IsFalse(inner)
            | ast::Expr::IsNotFalse(inner)
            | ast::Expr::IsUnknown(inner)
            | ast::Expr::IsNotUnknown(inner)
            | ast::Expr::Between { expr: inner, .. }
            | ast::Expr::InList { expr: inner, .. }
            | ast::Expr::InSubquery { expr: inner, .. }
            | ast::Expr::Like { expr: inner, .. }
            | ast::Expr::ILike { expr: inner, .. }
            | ast::Expr::SimilarTo { expr: inner, .. }
            | ast::Expr::Collate { expr: inner, .. } => inner,
            ast::Expr::CompoundFieldAccess { root, .. } => root,
            other => return other.span(),
        };
    }
}

/// The end of an expression. Walks down the right side.
fn end(expr: &ast::Expr) -> Location {
    let mut expr = expr;
    loop {
        expr = match expr {
            ast::Expr::BinaryOp { right, .. } | ast::Expr::AnyOp { right, .. } | ast::Expr::AllOp { right, .. } => {
                right
            }
            ast::Expr::IsDistinctFrom(_, right) | ast::Expr::IsNotDistinctFrom(_, right) => right,
            ast::Expr::Nested(inner) | ast::Expr::UnaryOp { expr: inner, .. } => inner,
            other => return other.span().end,
        };
    }
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
        if self.source.text.is_empty() { 0 } else { self.at(start(expr)) }
    }

    /// The position of the operator that follows `left`.
    pub(super) fn after(&self, left: &ast::Expr) -> u32 {
        if self.source.text.is_empty() {
            return 0;
        }
        // The end is exclusive: the character there is the first one after the operand.
        let end = end(left);
        let Some((_, rest)) = self.source.split(end) else { return 0 };
        let skipped = rest.chars().take_while(|c| c.is_whitespace() || *c == ')').count();
        u32::try_from(end.column as usize + skipped).unwrap_or(0)
    }

    /// The position of the token (of one character) before a place.
    pub(super) fn before(&self, span: Span) -> u32 {
        let Some((before, _)) = self.source.split(span.start) else { return 0 };
        let skipped = before.chars().rev().take_while(|c| c.is_whitespace()).count();
        u32::try_from((span.start.column as usize).saturating_sub(skipped + 1)).unwrap_or(0)
    }
}
