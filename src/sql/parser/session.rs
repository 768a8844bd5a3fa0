//! Transactions and settings: BEGIN, COMMIT, SET, SHOW and their like.

use sqlparser::ast::{Ident, IntervalFields};
use sqlparser::tokenizer::Token;

use crate::error::SqlState;
use crate::sql::statement::{Absent, Isolation, Set, SetValue, Statement, TransactionModes};

use super::Grammar;
use super::cursor::*;

impl Grammar<'_, '_> {
    pub(super) fn transaction(&mut self) -> Parse<Statement> {
        let verb = word(self).to_string();
        self.advance_token();
        match verb.as_str() {
            "begin" => {
                self.work_or_transaction();
                Ok(Statement::Begin { start: false, modes: self.transaction_modes()? })
            }
            "start" => {
                expect(self, "transaction")?;
                Ok(Statement::Begin { start: true, modes: self.transaction_modes()? })
            }
            "savepoint" => Ok(Statement::Savepoint(column_id(self)?)),
            "release" => {
                take(self, "savepoint");
                Ok(Statement::Release(column_id(self)?))
            }
            "commit" | "rollback" if take(self, "prepared") => {
                Ok(Statement::Absent(Absent::FinishPrepared(string(self)?)))
            }
            "rollback" => {
                self.work_or_transaction();
                if take(self, "to") {
                    take(self, "savepoint");
                    return Ok(Statement::RollbackTo(column_id(self)?));
                }
                Ok(Statement::Rollback { chain: self.and_chain()? })
            }
            "abort" => {
                self.work_or_transaction();
                Ok(Statement::Rollback { chain: self.and_chain()? })
            }
            _ => {
                self.work_or_transaction();
                Ok(Statement::Commit { chain: self.and_chain()? })
            }
        }
    }

    pub(super) fn work_or_transaction(&mut self) {
        if !take(self, "work") {
            take(self, "transaction");
        }
    }

    pub(super) fn and_chain(&mut self) -> Parse<bool> {
        if !take(self, "and") {
            return Ok(false);
        }
        let chain = !take(self, "no");
        expect(self, "chain")?;
        Ok(chain)
    }

    pub(super) fn transaction_modes(&mut self) -> Parse<TransactionModes> {
        let mut modes = TransactionModes::default();
        let mut comma = false;
        loop {
            match word(self) {
                "isolation" => {
                    self.advance_token();
                    expect(self, "level")?;
                    modes.isolation = Some(self.isolation()?);
                }
                "read" => {
                    self.advance_token();
                    let read_only = take(self, "only");
                    if !read_only {
                        expect(self, "write")?;
                    }
                    modes.read_only = Some(read_only);
                }
                "deferrable" => {
                    self.advance_token();
                    modes.deferrable = Some(true);
                }
                "not" => {
                    self.advance_token();
                    expect(self, "deferrable")?;
                    modes.deferrable = Some(false);
                }
                _ if comma => return unexpected(self),
                _ => return Ok(modes),
            }
            comma = take_token(self, &Token::Comma);
        }
    }

    pub(super) fn isolation(&mut self) -> Parse<Isolation> {
        if take(self, "serializable") {
            Ok(Isolation::Serializable)
        } else if take(self, "repeatable") {
            expect(self, "read")?;
            Ok(Isolation::RepeatableRead)
        } else {
            expect(self, "read")?;
            if take(self, "committed") {
                return Ok(Isolation::ReadCommitted);
            }
            expect(self, "uncommitted")?;
            Ok(Isolation::ReadUncommitted)
        }
    }

    pub(super) fn set(&mut self) -> Parse<Statement> {
        self.advance_token();
        if take(self, "constraints") {
            let names = if take(self, "all") { Vec::new() } else { self.list(|g| object_name(g))? };
            let deferred = take(self, "deferred");
            if !deferred {
                expect(self, "immediate")?;
            }
            return Ok(Statement::SetConstraints { names, deferred });
        }
        let qualified_setting = matches!(token_at(self, 1), Token::Period | Token::Eq) || word_at(self, 1) == "to";
        let mut local = false;
        if !qualified_setting && word(self) == "session" && word_at(self, 1) == "characteristics" {
            for expected in ["session", "characteristics", "as", "transaction"] {
                expect(self, expected)?;
            }
            return Ok(Statement::SetTransaction { session: true, modes: self.required_modes()? });
        }
        if !qualified_setting && word(self) == "local" {
            self.advance_token();
            local = true;
        } else if !qualified_setting && word(self) == "session" && word_at(self, 1) != "authorization" {
            self.advance_token();
        }
        if word(self) == "transaction" && !matches!(token_at(self, 1), Token::Eq) && word_at(self, 1) != "to" {
            self.advance_token();
            if take(self, "snapshot") {
                let snapshot = Some(string(self)?);
                let modes = TransactionModes { snapshot, ..TransactionModes::default() };
                return Ok(Statement::SetTransaction { session: false, modes });
            }
            return Ok(Statement::SetTransaction { session: false, modes: self.required_modes()? });
        }
        if word(self) == "xml" && word_at(self, 1) == "option" {
            return self.unsupported_rest("SET XML OPTION");
        }
        let (name, value) = self.setting_and_value()?;
        Ok(Statement::Set(Set { local, name, value }))
    }

    pub(super) fn required_modes(&mut self) -> Parse<TransactionModes> {
        let at = span(self);
        let modes = self.transaction_modes()?;
        if modes == TransactionModes::default() { Err(syntax_at(at)) } else { Ok(modes) }
    }

    /// A setting's name, lower case, with its prefix.
    pub(super) fn setting_name(&mut self) -> Parse<String> {
        let mut name = column_id(self)?.value;
        while take_token(self, &Token::Period) {
            name = format!("{name}.{}", column_id(self)?.value);
        }
        Ok(name)
    }

    /// A setting's name in SHOW and RESET; `None` is ALL.
    pub(super) fn setting_name_or_all(&mut self) -> Parse<Option<String>> {
        if take(self, "all") {
            return Ok(None);
        }
        if take_all(self, &["time", "zone"]) {
            return Ok(Some("timezone".into()));
        }
        if take_all(self, &["transaction", "isolation", "level"]) {
            return Ok(Some("transaction_isolation".into()));
        }
        if take_all(self, &["session", "authorization"]) {
            return Ok(Some("session_authorization".into()));
        }
        Ok(Some(self.setting_name()?))
    }

    /// `name TO|= value, ...` and the forms that SQL has for some settings.
    pub(super) fn setting_and_value(&mut self) -> Parse<(String, SetValue)> {
        let assigned = matches!(token_at(self, 1), Token::Eq) || word_at(self, 1) == "to";
        match word(self) {
            "time" if word_at(self, 1) == "zone" => {
                self.advance_token();
                self.advance_token();
                return Ok(("timezone".into(), self.zone_value()?));
            }
            "names" if !assigned => {
                self.advance_token();
                let value = match token(self) {
                    Token::SingleQuotedString(text) => SetValue::Values(vec![text.clone()]),
                    Token::EOF | Token::SemiColon => return Ok(("client_encoding".into(), SetValue::Default)),
                    _ if word(self) == "default" => SetValue::Default,
                    _ => return unexpected(self),
                };
                self.advance_token();
                return Ok(("client_encoding".into(), value));
            }
            "role" if !assigned => {
                self.advance_token();
                let value = if take(self, "none") {
                    SetValue::Values(vec!["none".into()])
                } else {
                    SetValue::Values(vec![self.name_or_string()?])
                };
                return Ok(("role".into(), value));
            }
            "session" if word_at(self, 1) == "authorization" => {
                self.advance_token();
                self.advance_token();
                let value = if take(self, "default") {
                    SetValue::Default
                } else {
                    SetValue::Values(vec![self.name_or_string()?])
                };
                return Ok(("session_authorization".into(), value));
            }
            "schema" if !assigned => {
                self.advance_token();
                return Ok(("search_path".into(), SetValue::Values(vec![string(self)?])));
            }
            "catalog" if !assigned => return unsupported(self, "SET CATALOG"),
            _ => {}
        }
        let name = self.setting_name()?;
        if take_all(self, &["from", "current"]) {
            return Ok((name, SetValue::FromCurrent));
        }
        if !take_token(self, &Token::Eq) {
            expect(self, "to")?;
        }
        if take(self, "default") {
            return Ok((name, SetValue::Default));
        }
        let values = self.list(|g| {
            let reserved = !matches!(word(g), "" | "true" | "false" | "on" | "off");
            if reserved { Ok(nonreserved(g)?.value) } else { g.option_value() }
        })?;
        Ok((name, SetValue::Values(values)))
    }

    pub(super) fn name_or_string(&mut self) -> Parse<String> {
        match token(self) {
            Token::SingleQuotedString(_) => string(self),
            _ => Ok(nonreserved(self)?.value),
        }
    }

    pub(super) fn zone_value(&mut self) -> Parse<SetValue> {
        if take(self, "default") || take(self, "local") {
            return Ok(SetValue::Default);
        }
        if word(self) == "interval" {
            self.advance_token();
            let precision = if *token(self) == Token::LParen {
                self.advance_token();
                let precision = integer(self)?;
                expect_token(self, &Token::RParen)?;
                format!("({precision})")
            } else {
                String::new()
            };
            let text = string(self)?;
            let at = span(self);
            let (fields, _) = self.interval_fields(None)?;
            let fields = match fields {
                None => String::new(),
                Some(fields @ (IntervalFields::Hour | IntervalFields::HourToMinute)) => {
                    format!(" {fields}")
                }
                Some(_) => {
                    let message = "time zone interval must be HOUR or HOUR TO MINUTE";
                    return Err(failure(SqlState::SYNTAX_ERROR, at, message));
                }
            };
            let text = text.replace('\'', "''");
            return Ok(SetValue::Values(vec![format!("INTERVAL{precision} '{text}'{fields}")]));
        }
        Ok(SetValue::Values(vec![self.option_value()?]))
    }

    pub(super) fn show(&mut self) -> Parse<Statement> {
        self.advance_token();
        Ok(Statement::Show(self.setting_name_or_all()?))
    }

    pub(super) fn name_or_all(&mut self) -> Parse<Option<Ident>> {
        if take(self, "all") { Ok(None) } else { Ok(Some(column_id(self)?)) }
    }
}
