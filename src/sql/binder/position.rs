//! Where in the text an expression or its operator stands, for error positions. Only called when an error is made.

use std::cell::OnceCell;

use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::{Location, Span};

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
            ast::Expr::BinaryOp { right, .. } | ast::Expr::AnyOp { right, .. } | ast::Expr::AllOp { right, .. } => right,
            ast::Expr::IsDistinctFrom(_, right) | ast::Expr::IsNotDistinctFrom(_, right) => right,
            ast::Expr::Nested(inner) | ast::Expr::UnaryOp { expr: inner, .. } => inner,
            other => return other.span().end,
        };
    }
}

/// The text that positions refer to, with an index that is made when the first position is asked for.
#[derive(Debug, Default)]
pub(super) struct Source<'a> {
    text: &'a str,
    index: OnceCell<Index>,
}

#[derive(Debug)]
struct Index {
    /// Characters before each line.
    lines: Vec<u32>,
    /// The characters, unless all are ASCII.
    chars: Option<Vec<char>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, index: OnceCell::new() }
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let mut lines = vec![0];
            let mut count = 0;
            for c in self.text.chars() {
                count += 1;
                if c == '\n' {
                    lines.push(count);
                }
            }
            let chars = (!self.text.is_ascii()).then(|| self.text.chars().collect());
            Index { lines, chars }
        })
    }

    /// Characters from 1; 0 when unknown.
    fn offset(&self, at: Location) -> u32 {
        if self.text.is_empty() || at.line == 0 {
            return 0;
        }
        let line = usize::try_from(at.line - 1).ok().and_then(|line| self.index().lines.get(line));
        line.map_or(0, |before| before + u32::try_from(at.column).unwrap_or(0))
    }

    /// The character at a position.
    fn char_at(&self, position: u32) -> Option<char> {
        let i = (position as usize).checked_sub(1)?;
        match &self.index().chars {
            Some(chars) => chars.get(i).copied(),
            None => self.text.as_bytes().get(i).map(|b| char::from(*b)),
        }
    }
}

impl Binder<'_> {
    /// A span's error position.
    pub(super) fn at(&self, span: Span) -> u32 {
        self.source.offset(span.start)
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
        let mut position = self.source.offset(end(left));
        if position == 0 {
            return 0;
        }
        while let Some(c) = self.source.char_at(position) {
            if !(c.is_whitespace() || c == ')') {
                return position;
            }
            position += 1;
        }
        0
    }

    /// The position of a prefix operator, or of any token, before what starts at `position`.
    pub(super) fn before(&self, position: u32) -> u32 {
        let mut position = position.saturating_sub(1);
        while position > 0 && self.source.char_at(position).is_some_and(char::is_whitespace) {
            position -= 1;
        }
        position
    }
}
