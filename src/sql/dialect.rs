//! [`Dialect`]: the wrapper around sqlparser's PostgreSQL dialect that gives expressions PostgreSQL's meaning.
//!
//! Every prefix, infix and precedence question of sqlparser's parser is answered from PostgreSQL's own grammar
//! (`parser::expr`), so that nothing of another dialect can be read into a statement.

use std::any::TypeId;

use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect as SqlparserDialect, PostgreSqlDialect, Precedence};
use sqlparser::parser::{Parser, ParserError};

use super::parser::Grammar;

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dialect;

impl SqlparserDialect for Dialect {
    fn dialect(&self) -> TypeId {
        TypeId::of::<PostgreSqlDialect>()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        PostgreSqlDialect {}.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        PostgreSqlDialect {}.is_identifier_part(ch)
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        Some(Grammar::new(parser).prefix())
    }

    /// The left side is only lent here, so it is copied; our own loop (`Grammar::subexpr`) hands it on.
    fn parse_infix(&self, parser: &mut Parser<'_>, left: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        Some(Grammar::new(parser).infix(left.clone(), precedence))
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        Some(Ok(super::parser::next_precedence(parser)))
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        PostgreSqlDialect {}.prec_value(precedence)
    }
}
