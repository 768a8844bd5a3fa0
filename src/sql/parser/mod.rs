//! Text to [`Statement`]s.
//!
//! [`parse`] reads the text once into tokens (`lexer`, PostgreSQL's rules giving sqlparser's tokens) and then the
//! statements one by one: sqlparser's `Parser` is the cursor and its AST the result for queries (`query`) and
//! expressions (`expr`, `infix`, `call`); the statements are ours (`dml`, `table`, `alter`, `objects`, `roles`, `copy`,
//! `session`, `utility`). The grammar
//! never guesses and rarely looks back, so that the token it stops at is the one PostgreSQL names in its error.
//!
//! Every span holds the byte offset + 1 as its line and the position in characters from 1 as its column.

mod alter;
mod call;
mod copy;
mod cursor;
mod dml;
mod expr;
mod from;
mod infix;
mod json;
mod keywords;
mod lexer;
mod objects;
mod query;
mod roles;
mod routine;
mod session;
mod table;
#[cfg(test)]
mod tests;
mod types;
mod user_type;
mod utility;

use std::ops::{Deref, DerefMut};

use sqlparser::ast::{DataType, Expr, Ident, LockClause, LockType, NonBlock, ObjectName, Query};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use crate::error::{Error, Result};

use super::dialect::Dialect;
use super::statement::{Expression, LockStrength, LockWait, RowLock, Statement};

use cursor::*;

pub(crate) use infix::next_precedence;
pub use json::{is_json_table, shown_name};
pub use keywords::{KeyWord, key_words, needs_quotes};
pub use query::{ROWS_FROM, exclusion};

/// One statement of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The statement. Positions in it count characters of the whole text given to [`parse`].
    pub statement: Statement,
    /// Byte offset of its first token.
    pub start: usize,
    /// Byte offset after its last token.
    pub end: usize,
}

/// Parses a text of any number of statements separated by semicolons; empty ones are left out.
pub fn parse(text: &str) -> Result<Vec<Parsed>> {
    let tokens = lexer::lex(text)?;
    let mut parser = Parser::new(&Dialect).with_tokens_with_locations(tokens);
    let mut grammar = Grammar::new(&mut parser);
    grammar.text = text;
    grammar.statements().map_err(|error| decode(error, text))
}

/// Parses an expression on its own (what the catalog keeps as text).
pub fn parse_expression(text: &str) -> Result<Expr> {
    let tokens = lexer::lex(text)?;
    let mut parser = Parser::new(&Dialect).with_tokens_with_locations(tokens);
    let mut grammar = Grammar::new(&mut parser);
    grammar.text = text;
    let parsed =
        grammar.expr().and_then(|expr| if *token(&grammar) == Token::EOF { Ok(expr) } else { unexpected(&grammar) });
    parsed.map_err(|error| decode(error, text))
}

/// Parses a type name on its own (`to_regtype`, `::regtype` and the like).
pub fn parse_type(text: &str) -> Result<DataType> {
    let tokens = lexer::lex(text)?;
    let mut parser = Parser::new(&Dialect).with_tokens_with_locations(tokens);
    let mut grammar = Grammar::new(&mut parser);
    grammar.text = text;
    let parsed =
        grammar.data_type().and_then(|typ| if *token(&grammar) == Token::EOF { Ok(typ) } else { unexpected(&grammar) });
    parsed.map_err(|error| decode(error, text))
}

/// Splits a possibly qualified, possibly quoted name as SQL writes it into its parts (`to_regclass` and the like).
pub fn parse_name(text: &str) -> Result<Vec<String>> {
    let tokens = lexer::lex(text)?;
    let mut parser = Parser::new(&Dialect).with_tokens_with_locations(tokens);
    let parsed = (|| {
        let first = label(&mut parser)?;
        let name = qualified(&mut parser, first)?;
        if *token(&parser) == Token::EOF { Ok(name) } else { unexpected(&parser) }
    })();
    match parsed {
        Ok(name) => Ok(names(&name)),
        Err(_) => Err(crate::err!(INVALID_NAME, "invalid name syntax")),
    }
}

/// The names of a comma-separated list as settings have it (`search_path`): folded unless quoted; empty ones are left
/// out.
pub fn name_list(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut name, mut in_quotes, mut quoted) = (String::new(), false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if in_quotes && chars.peek() == Some(&'"') => {
                chars.next();
                name.push('"');
            }
            '"' => (in_quotes, quoted) = (!in_quotes, true),
            ',' if !in_quotes => {
                names.push(finish_name(std::mem::take(&mut name), quoted));
                quoted = false;
            }
            c => name.push(c),
        }
    }
    names.push(finish_name(name, quoted));
    names.retain(|name| !name.is_empty());
    names
}

fn finish_name(name: String, quoted: bool) -> String {
    let name = name.trim();
    if quoted { name.to_string() } else { lexer::fold(name) }
}

/// The names in an expression's text, folded: every word of it that is no key word and no type.
pub fn words(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    // 0: not in a type; 1: its first word is next; 2: further words of it may come.
    let mut typed = 0;
    for token in lexer::lex(text).unwrap_or_default() {
        match token.token {
            Token::DoubleColon => typed = 1,
            Token::Word(_) if typed == 1 => typed = 2,
            Token::Word(w)
                if typed == 2
                    && matches!(w.value.as_str(), "varying" | "precision" | "with" | "without" | "time" | "zone") => {}
            Token::Word(w) => {
                typed = 0;
                if w.quote_style.is_some() || !keywords::is_reserved(&w.value) {
                    names.push(w.value);
                }
            }
            _ => typed = 0,
        }
    }
    names
}

/// The name that an identifier means: unquoted ones fold to lower case, all are cut to 63 bytes.
pub fn ident(ident: &Ident) -> String {
    if ident.quote_style.is_none() {
        return lexer::fold(&ident.value);
    }
    let mut name = ident.value.clone();
    lexer::truncate_name(&mut name);
    name
}

/// The parts of a qualified name, folded.
pub fn names(name: &ObjectName) -> Vec<String> {
    name.0.iter().filter_map(|part| part.as_ident()).map(ident).collect()
}

/// Where a span of an AST begins, in characters from 1 (0 when it is unknown), as errors report it.
pub fn position(span: Span) -> u32 {
    u32::try_from(span.start.column).unwrap_or(0)
}

/// The row-locking clauses of a query, in order.
pub fn row_locks(query: &Query) -> Result<Vec<RowLock>> {
    query.locks.iter().map(row_lock).collect()
}

fn row_lock(lock: &LockClause) -> Result<RowLock> {
    let mut of = Vec::new();
    for part in lock.of.iter().flat_map(|name| &name.0) {
        of.push(
            part.as_ident().cloned().ok_or_else(|| Error::internal("a row lock names something else than a table"))?,
        );
    }
    let weak = of.first().is_some_and(|first| first.value == query::WEAK_LOCK);
    if weak {
        of.remove(0);
    }
    let strength = match (&lock.lock_type, weak) {
        (LockType::Update, false) => LockStrength::Update,
        (LockType::Update, true) => LockStrength::NoKeyUpdate,
        (LockType::Share, false) => LockStrength::Share,
        (LockType::Share, true) => LockStrength::KeyShare,
    };
    let wait = match lock.nonblock {
        None => LockWait::Block,
        Some(NonBlock::Nowait) => LockWait::Nowait,
        Some(NonBlock::SkipLocked) => LockWait::SkipLocked,
    };
    Ok(RowLock { strength, of, wait })
}

/// The grammar's state over a cursor.
pub(crate) struct Grammar<'p, 'a> {
    parser: &'p mut Parser<'a>,
    /// The text that the tokens are of; empty when it is not known.
    text: &'p str,
    /// How deep rules are nested.
    depth: usize,
    /// The height of the expression that was finished last.
    last: usize,
    /// The greatest height finished since the enclosing expression began.
    peak: usize,
    /// Reading a `b_expr`: see [`Grammar::b_expr`].
    operators_only: bool,
    /// Set operations in this statement.
    chain_length: usize,
    /// The next WITH is the outermost of the statement.
    at_top: bool,
    /// The next SELECT may have an INTO.
    into_allowed: bool,
    /// The data-modifying members of the outermost WITH, each with its place in the list.
    modifying: Vec<(usize, Statement)>,
}

impl<'a> Deref for Grammar<'_, 'a> {
    type Target = Parser<'a>;
    fn deref(&self) -> &Parser<'a> {
        self.parser
    }
}

impl DerefMut for Grammar<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.parser
    }
}

impl<'p, 'a> Grammar<'p, 'a> {
    pub(crate) fn new(parser: &'p mut Parser<'a>) -> Self {
        Self {
            parser,
            text: "",
            depth: 0,
            last: 0,
            peak: 0,
            operators_only: false,
            chain_length: 0,
            at_top: false,
            into_allowed: false,
            modifying: Vec::new(),
        }
    }

    fn statements(&mut self) -> Parse<Vec<Parsed>> {
        let mut all = Vec::new();
        loop {
            while take_token(self, &Token::SemiColon) {}
            if *token(self) == Token::EOF {
                return Ok(all);
            }
            let start = self.offset();
            (self.chain_length, self.peak, self.last) = (0, 0, 0);
            let statement = self.statement()?;
            if !matches!(token(self), Token::SemiColon | Token::EOF) {
                return unexpected(self);
            }
            all.push(Parsed { statement, start, end: self.end_offset() });
        }
    }

    /// The byte offset of the next token.
    fn offset(&self) -> usize {
        match span(self).start.line {
            0 => self.text.len(),
            line => line as usize - 1,
        }
    }

    /// The byte offset after the token before the next one.
    fn end_offset(&self) -> usize {
        let before: &TokenWithSpan = self.token_at(self.index().saturating_sub(1));
        (before.span.end.line as usize).saturating_sub(1)
    }

    /// The text from a byte offset to the end of what was read.
    fn text_since(&self, start: usize) -> String {
        self.text.get(start..self.end_offset()).unwrap_or_default().to_string()
    }

    /// An expression with its text.
    fn expression(&mut self) -> Parse<Expression> {
        let start = self.offset();
        let expr = self.expr()?;
        Ok(Expression { expr, text: self.text_since(start) })
    }

    /// `( expression )` with the text between the parentheses.
    fn parenthesised_expression(&mut self) -> Parse<Expression> {
        expect_token(self, &Token::LParen)?;
        let expression = self.expression()?;
        expect_token(self, &Token::RParen)?;
        Ok(expression)
    }

    /// One or more, separated by commas.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        let mut items = vec![item(self)?];
        while take_token(self, &Token::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `( one or more )`.
    fn paren_list<T>(&mut self, item: impl FnMut(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        expect_token(self, &Token::LParen)?;
        let items = self.list(item)?;
        expect_token(self, &Token::RParen)?;
        Ok(items)
    }

    /// `( name, ... )`, or nothing.
    fn optional_columns(&mut self) -> Parse<Vec<Ident>> {
        if *token(self) == Token::LParen { self.paren_list(|g| column_id(g)) } else { Ok(Vec::new()) }
    }

    /// IF EXISTS, if it is next.
    fn if_exists(&mut self) -> bool {
        take_all(self, &["if", "exists"])
    }

    /// IF NOT EXISTS, if it is next.
    fn if_not_exists(&mut self) -> bool {
        take_all(self, &["if", "not", "exists"])
    }

    /// CASCADE or RESTRICT, if one is next.
    fn cascade(&mut self) -> bool {
        let cascade = take(self, "cascade");
        if !cascade {
            take(self, "restrict");
        }
        cascade
    }
}
