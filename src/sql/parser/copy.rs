//! COPY: both syntaxes of options, PostgreSQL 18's whole list.

use sqlparser::ast::Ident;
use sqlparser::tokenizer::{Span, Token};

use crate::error::SqlState;
use crate::sql::statement::{
    ColumnsOrAll, Copy, CopyFormat, CopyHeader, CopyOptions, CopySource, CopyTarget, Statement,
};

use super::Grammar;
use super::cursor::*;

/// Which options were given, to refuse a second time.
#[derive(Default)]
struct Given(Vec<&'static str>);

impl Given {
    fn once(&mut self, name: &'static str, at: Span) -> Parse<()> {
        if self.0.contains(&name) {
            return Err(failure(SqlState::SYNTAX_ERROR, at, "conflicting or redundant options"));
        }
        self.0.push(name);
        Ok(())
    }
}

impl Grammar<'_, '_> {
    /// COPY.
    pub(super) fn copy(&mut self) -> Parse<Statement> {
        self.advance_token();
        let mut options = CopyOptions::default();
        let mut given = Given::default();
        // The syntax before 7.3: BINARY in front.
        if word(self) == "binary" {
            given.once("format", span(self))?;
            options.format = CopyFormat::Binary;
            self.advance_token();
        }
        let (source, query) = if *token(self) == Token::LParen {
            self.advance_token();
            let statement = self.query_statement(true)?;
            expect_token(self, &Token::RParen)?;
            (CopySource::Query(statement), true)
        } else {
            let table = self.relation_name()?;
            (CopySource::Table { table, columns: self.optional_columns()? }, false)
        };
        let from = !query && word(self) == "from";
        if from {
            self.advance_token();
        } else {
            expect(self, "to")?;
        }
        let target = self.copy_target()?;
        // The old syntax may give DELIMITERS here.
        if word(self) == "using" || word(self) == "delimiters" {
            take(self, "using");
            given.once("delimiter", span(self))?;
            expect(self, "delimiters")?;
            options.delimiter = Some(string(self)?);
        }
        take(self, "with");
        if *token(self) == Token::LParen {
            self.advance_token();
            loop {
                self.copy_option(&mut options, &mut given)?;
                if !take_token(self, &Token::Comma) {
                    break;
                }
            }
            expect_token(self, &Token::RParen)?;
        } else {
            while self.old_copy_option(&mut options, &mut given)? {}
        }
        let at = span(self);
        let predicate = if take(self, "where") { Some(self.expr()?) } else { None };
        if predicate.is_some() && !from {
            let message = "WHERE clause not allowed with COPY TO";
            return Err(failure(SqlState::SYNTAX_ERROR, at, message));
        }
        Ok(Statement::Copy(Box::new(Copy { source, from, target, options, predicate })))
    }

    fn copy_target(&mut self) -> Parse<CopyTarget> {
        let at = span(self);
        if take(self, "program") {
            return Ok(CopyTarget::Program(string(self)?));
        }
        match word(self) {
            "stdin" | "stdout" => {
                self.advance_token();
                Ok(CopyTarget::Client)
            }
            "" => Ok(CopyTarget::File(string(self)?)),
            _ => Err(syntax_at(at)),
        }
    }

    /// One option of the parenthesised list.
    fn copy_option(&mut self, options: &mut CopyOptions, given: &mut Given) -> Parse<()> {
        let at = span(self);
        let name = label(self)?.value;
        match name.as_str() {
            "format" => {
                given.once("format", at)?;
                let format = self.option_value()?;
                options.format = match format.as_str() {
                    "text" => CopyFormat::Text,
                    "csv" => CopyFormat::Csv,
                    "binary" => CopyFormat::Binary,
                    _ => {
                        let message = format!("COPY format \"{format}\" not recognized");
                        return Err(failure(SqlState::INVALID_PARAMETER_VALUE, at, &message));
                    }
                };
            }
            "freeze" => {
                given.once("freeze", at)?;
                options.freeze = self.option_flag("freeze")?;
            }
            "delimiter" => {
                given.once("delimiter", at)?;
                options.delimiter = Some(self.option_value()?);
            }
            "null" => {
                given.once("null", at)?;
                options.null = Some(self.option_value()?);
            }
            "default" => {
                given.once("default", at)?;
                options.default = Some(self.option_value()?);
            }
            "header" => {
                given.once("header", at)?;
                options.header = if take(self, "match") {
                    CopyHeader::Match
                } else if self.option_flag("header")? {
                    CopyHeader::On
                } else {
                    CopyHeader::Off
                };
            }
            "quote" => {
                given.once("quote", at)?;
                options.quote = Some(self.option_value()?);
            }
            "escape" => {
                given.once("escape", at)?;
                options.escape = Some(self.option_value()?);
            }
            "force_quote" => {
                given.once("force_quote", at)?;
                options.force_quote = Some(self.columns_or_all()?);
            }
            "force_not_null" => {
                given.once("force_not_null", at)?;
                options.force_not_null = Some(self.columns_or_all()?);
            }
            "force_null" => {
                given.once("force_null", at)?;
                options.force_null = Some(self.columns_or_all()?);
            }
            "encoding" => {
                given.once("encoding", at)?;
                options.encoding = Some(self.option_value()?);
            }
            "on_error" => {
                given.once("on_error", at)?;
                let value = self.option_value()?;
                options.on_error_ignore = match value.as_str() {
                    "stop" => false,
                    "ignore" => true,
                    _ => {
                        let message = format!("COPY ON_ERROR \"{value}\" not recognized");
                        return Err(failure(SqlState::INVALID_PARAMETER_VALUE, at, &message));
                    }
                };
            }
            "reject_limit" => {
                given.once("reject_limit", at)?;
                let value = self.option_value()?;
                let limit = value.parse::<i64>().ok().filter(|n| *n > 0);
                options.reject_limit = Some(limit.ok_or_else(|| {
                    let message = format!("REJECT_LIMIT ({value}) must be greater than zero");
                    failure(SqlState::INVALID_PARAMETER_VALUE, Span::empty(), &message)
                })?);
            }
            "log_verbosity" => {
                given.once("log_verbosity", at)?;
                let value = self.option_value()?;
                options.log_verbosity = match value.as_str() {
                    "silent" => -1,
                    "default" => 0,
                    "verbose" => 1,
                    _ => {
                        let message = format!("COPY LOG_VERBOSITY \"{value}\" not recognized");
                        return Err(failure(SqlState::INVALID_PARAMETER_VALUE, at, &message));
                    }
                };
            }
            _ => {
                let message = format!("option \"{name}\" not recognized");
                return Err(failure(SqlState::SYNTAX_ERROR, at, &message));
            }
        }
        Ok(())
    }

    /// A boolean that may be left out (true).
    pub(super) fn option_flag(&mut self, name: &str) -> Parse<bool> {
        if matches!(token(self), Token::Comma | Token::RParen) {
            return Ok(true);
        }
        let at = span(self);
        match self.option_value()?.to_ascii_lowercase().as_str() {
            "true" | "on" | "1" => Ok(true),
            "false" | "off" | "0" => Ok(false),
            _ => Err(failure(SqlState::SYNTAX_ERROR, at, &format!("{name} requires a Boolean value"))),
        }
    }

    fn columns_or_all(&mut self) -> Parse<ColumnsOrAll> {
        if take_token(self, &Token::Mul) {
            return Ok(ColumnsOrAll::All);
        }
        Ok(ColumnsOrAll::Columns(self.paren_list(|g| column_id(g))?))
    }

    fn bare_columns_or_all(&mut self) -> Parse<ColumnsOrAll> {
        if take_token(self, &Token::Mul) {
            return Ok(ColumnsOrAll::All);
        }
        let columns: Vec<Ident> = self.list(|g| column_id(g))?;
        Ok(ColumnsOrAll::Columns(columns))
    }

    /// One option of the old syntax, if one is next.
    fn old_copy_option(&mut self, options: &mut CopyOptions, given: &mut Given) -> Parse<bool> {
        let at = span(self);
        match word(self) {
            "binary" | "csv" => {
                given.once("format", at)?;
                options.format = if word(self) == "csv" { CopyFormat::Csv } else { CopyFormat::Binary };
                self.advance_token();
            }
            "freeze" => {
                given.once("freeze", at)?;
                options.freeze = true;
                self.advance_token();
            }
            "header" => {
                given.once("header", at)?;
                options.header = CopyHeader::On;
                self.advance_token();
            }
            "delimiter" | "null" | "quote" | "escape" | "encoding" => {
                let (name, slot) = match word(self) {
                    "delimiter" => ("delimiter", &mut options.delimiter),
                    "null" => ("null", &mut options.null),
                    "quote" => ("quote", &mut options.quote),
                    "escape" => ("escape", &mut options.escape),
                    _ => ("encoding", &mut options.encoding),
                };
                given.once(name, at)?;
                self.advance_token();
                take(self, "as");
                *slot = Some(string(self)?);
            }
            "force" => {
                self.advance_token();
                if take(self, "quote") {
                    given.once("force_quote", at)?;
                    options.force_quote = Some(self.bare_columns_or_all()?);
                } else if take_all(self, &["not", "null"]) {
                    given.once("force_not_null", at)?;
                    options.force_not_null = Some(self.bare_columns_or_all()?);
                } else {
                    expect(self, "null")?;
                    given.once("force_null", at)?;
                    options.force_null = Some(self.bare_columns_or_all()?);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
