//! ALTER TABLE, and ALTER VIEW, INDEX, SEQUENCE where they say the same.

use sqlparser::ast::Ident;
use sqlparser::tokenizer::Token;

use crate::sql::statement::{Alter, AlterAction, ColumnConstraintKind, ObjectKind, SequenceOptions, Statement};

use super::Grammar;
use super::cursor::*;

impl Grammar<'_, '_> {
    /// ALTER TABLE (or VIEW, INDEX, SEQUENCE: the same words) behind the kind.
    pub(super) fn alter_relation(&mut self, kind: ObjectKind) -> Parse<Statement> {
        if word(self) == "all" && word_at(self, 1) == "in" {
            return unsupported(self, "ALTER ... ALL IN TABLESPACE");
        }
        let if_exists = self.if_exists();
        let only = word(self) == "only";
        let name = self.relation_name()?;
        let actions = match word(self) {
            "rename" => vec![self.rename()?],
            "set" if word_at(self, 1) == "schema" => {
                self.advance_token();
                self.advance_token();
                vec![AlterAction::SetSchema(column_id(self)?)]
            }
            "attach" | "detach" => {
                let attach = take(self, "attach");
                if !attach {
                    self.advance_token();
                }
                expect(self, "partition")?;
                let name = object_name(self)?;
                vec![match attach {
                    true if kind == ObjectKind::Index => AlterAction::AttachPartition(name, None),
                    true => AlterAction::AttachPartition(name, Some(self.bound_spec()?)),
                    false => AlterAction::DetachPartition {
                        name,
                        concurrently: take(self, "concurrently"),
                        finalize: take(self, "finalize"),
                    },
                }]
            }
            _ => self.list(Self::alter_action)?,
        };
        Ok(Statement::Alter(Box::new(Alter { kind, if_exists, only, name, actions })))
    }

    /// RENAME TO, RENAME COLUMN, RENAME CONSTRAINT.
    pub(super) fn rename(&mut self) -> Parse<AlterAction> {
        self.advance_token();
        if take(self, "to") {
            return Ok(AlterAction::Rename(column_id(self)?));
        }
        if take(self, "constraint") {
            let from = column_id(self)?;
            expect(self, "to")?;
            return Ok(AlterAction::RenameConstraint(from, column_id(self)?));
        }
        take(self, "column");
        let from = column_id(self)?;
        expect(self, "to")?;
        Ok(AlterAction::RenameColumn(from, column_id(self)?))
    }

    pub(super) fn alter_action(&mut self) -> Parse<AlterAction> {
        match word(self) {
            "add" => {
                self.advance_token();
                if self.at_table_constraint() {
                    return Ok(AlterAction::AddConstraint(self.table_constraint()?));
                }
                take(self, "column");
                let if_not_exists = self.if_not_exists();
                Ok(AlterAction::AddColumn { if_not_exists, column: self.column_definition()? })
            }
            "drop" => {
                self.advance_token();
                if take(self, "constraint") {
                    let if_exists = self.if_exists();
                    let name = column_id(self)?;
                    return Ok(AlterAction::DropConstraint { if_exists, name, cascade: self.cascade() });
                }
                take(self, "column");
                let if_exists = self.if_exists();
                let column = column_id(self)?;
                Ok(AlterAction::DropColumn { if_exists, column, cascade: self.cascade() })
            }
            "alter" => {
                self.advance_token();
                if take(self, "constraint") {
                    return self.alter_constraint();
                }
                take(self, "column");
                self.alter_column()
            }
            "validate" => {
                self.advance_token();
                expect(self, "constraint")?;
                Ok(AlterAction::ValidateConstraint(column_id(self)?))
            }
            "owner" => {
                self.advance_token();
                expect(self, "to")?;
                Ok(AlterAction::OwnerTo(self.role_name()?))
            }
            "set" | "reset" if *token_at(self, 1) == Token::LParen => {
                let reset = word(self) == "reset";
                self.advance_token();
                Ok(AlterAction::Options { options: self.option_list()?, reset })
            }
            "inherit" => {
                self.advance_token();
                Ok(AlterAction::Inherit(object_name(self)?, true))
            }
            "no" if word_at(self, 1) == "inherit" => {
                self.advance_token();
                self.advance_token();
                Ok(AlterAction::Inherit(object_name(self)?, false))
            }
            "cluster" if word_at(self, 1) == "on" => {
                self.advance_token();
                self.advance_token();
                Ok(AlterAction::ClusterOn(Some(column_id(self)?)))
            }
            "replica" => {
                expect_all(self, &["replica", "identity"])?;
                let kind = word(self).to_string();
                if !["default", "full", "nothing", "using"].contains(&kind.as_str()) {
                    return unexpected(self);
                }
                self.advance_token();
                let index = match kind.as_str() {
                    "using" => {
                        expect(self, "index")?;
                        Some(column_id(self)?)
                    }
                    _ => None,
                };
                Ok(AlterAction::ReplicaIdentity(kind, index))
            }
            "set" if matches!(word_at(self, 1), "logged" | "unlogged") => {
                self.advance_token();
                let logged = word(self) == "logged";
                self.advance_token();
                Ok(AlterAction::SetLogged(logged))
            }
            "set" if word_at(self, 1) == "tablespace" => {
                self.advance_token();
                self.advance_token();
                Ok(AlterAction::SetTablespace(column_id(self)?))
            }
            "set" if word_at(self, 1) == "access" => {
                self.advance_token();
                expect_all(self, &["access", "method"])?;
                Ok(AlterAction::SetAccessMethod(column_id(self)?))
            }
            "set" if word_at(self, 1) == "without" && word_at(self, 2) == "cluster" => {
                (0..3).for_each(|_| self.advance_token());
                Ok(AlterAction::ClusterOn(None))
            }
            "set" if word_at(self, 1) == "without" && word_at(self, 2) == "oids" => {
                // No table has them any more.
                (0..3).for_each(|_| self.advance_token());
                Ok(AlterAction::Options { options: Vec::new(), reset: true })
            }
            _ => self.other_action(),
        }
    }

    /// Actions that exist in PostgreSQL and are carried by their words.
    pub(super) fn other_action(&mut self) -> Parse<AlterAction> {
        const KNOWN: &[&[&str]] = &[
            &["enable", "trigger"],
            &["disable", "trigger"],
            &["enable", "always", "trigger"],
            &["enable", "replica", "trigger"],
            &["enable", "rule"],
            &["disable", "rule"],
            &["enable", "always", "rule"],
            &["enable", "replica", "rule"],
            &["enable", "row", "level", "security"],
            &["disable", "row", "level", "security"],
            &["force", "row", "level", "security"],
            &["no", "force", "row", "level", "security"],
            &["of"],
            &["not", "of"],
            &["depends", "on", "extension"],
            &["no", "depends", "on", "extension"],
        ];
        let Some(words) = KNOWN.iter().find(|words| words.iter().enumerate().all(|(n, w)| word_at(self, n) == *w))
        else {
            return unexpected(self);
        };
        for _ in *words {
            self.advance_token();
        }
        // The object that the action names.
        while !matches!(token(self), Token::Comma | Token::SemiColon | Token::EOF) {
            self.advance_token();
        }
        Ok(AlterAction::Other(words.join(" ").to_uppercase()))
    }

    pub(super) fn alter_constraint(&mut self) -> Parse<AlterAction> {
        let name = column_id(self)?;
        let inherit = if take_all(self, &["no", "inherit"]) {
            Some(false)
        } else if take(self, "inherit") {
            Some(true)
        } else {
            None
        };
        let attributes = self.constraint_attributes()?;
        Ok(AlterAction::AlterConstraint { name, attributes, inherit })
    }

    pub(super) fn alter_column(&mut self) -> Parse<AlterAction> {
        if let Token::Number(number, _) = token(self) {
            let column = number.clone();
            self.advance_token();
            expect_all(self, &["set", "statistics"])?;
            return Ok(AlterAction::SetStatistics { column, target: self.statistics_target()? });
        }
        let column = column_id(self)?;
        match word(self) {
            "type" => {
                self.advance_token();
                self.set_type(column)
            }
            "set" => {
                self.advance_token();
                self.alter_column_set(column)
            }
            "drop" => {
                self.advance_token();
                if take(self, "default") {
                    Ok(AlterAction::SetDefault { column, default: None })
                } else if take_all(self, &["not", "null"]) {
                    Ok(AlterAction::SetNotNull { column, not_null: false })
                } else if take(self, "expression") {
                    Ok(AlterAction::DropExpression { column, if_exists: self.if_exists() })
                } else {
                    expect(self, "identity")?;
                    Ok(AlterAction::DropIdentity { column, if_exists: self.if_exists() })
                }
            }
            "add" => {
                self.advance_token();
                expect(self, "generated")?;
                match self.generated()? {
                    ColumnConstraintKind::Identity { always, options } => {
                        Ok(AlterAction::AddIdentity { column, always, options })
                    }
                    _ => unexpected(self),
                }
            }
            "reset" => {
                self.advance_token();
                Ok(AlterAction::ColumnOptions { column, options: self.option_list()?, reset: true })
            }
            "restart" => self.set_identity(column),
            _ => unexpected(self),
        }
    }

    pub(super) fn set_type(&mut self, column: Ident) -> Parse<AlterAction> {
        let data_type = self.data_type()?;
        let collation = if take(self, "collate") { Some(object_name(self)?) } else { None };
        let using = if take(self, "using") { Some(self.expression()?) } else { None };
        Ok(AlterAction::SetType { column, data_type, collation, using })
    }

    pub(super) fn statistics_target(&mut self) -> Parse<Option<i64>> {
        if take(self, "default") { Ok(None) } else { Ok(Some(integer(self)?)) }
    }

    /// ALTER COLUMN SET ..., SET read.
    pub(super) fn alter_column_set(&mut self, column: Ident) -> Parse<AlterAction> {
        match word(self) {
            "data" => {
                self.advance_token();
                expect(self, "type")?;
                self.set_type(column)
            }
            "default" => {
                self.advance_token();
                Ok(AlterAction::SetDefault { column, default: Some(self.expression()?) })
            }
            "not" => {
                self.advance_token();
                expect(self, "null")?;
                Ok(AlterAction::SetNotNull { column, not_null: true })
            }
            "expression" => {
                self.advance_token();
                expect(self, "as")?;
                Ok(AlterAction::SetExpression { column, expression: self.parenthesised_expression()? })
            }
            "statistics" => {
                self.advance_token();
                Ok(AlterAction::SetStatistics { column: column.value, target: self.statistics_target()? })
            }
            "storage" => {
                self.advance_token();
                Ok(AlterAction::SetStorage { column, storage: label(self)?.value })
            }
            "compression" => {
                self.advance_token();
                Ok(AlterAction::SetCompression { column, compression: label(self)?.value })
            }
            _ if *token(self) == Token::LParen => {
                Ok(AlterAction::ColumnOptions { column, options: self.option_list()?, reset: false })
            }
            _ => {
                self.prev_token();
                self.set_identity(column)
            }
        }
    }

    /// `SET GENERATED ... | SET sequence option | RESTART` in any number.
    pub(super) fn set_identity(&mut self, column: Ident) -> Parse<AlterAction> {
        let (mut always, mut options) = (None, SequenceOptions::default());
        loop {
            if word(self) == "restart" {
                self.sequence_option(&mut options)?;
            } else if take(self, "set") {
                if take(self, "generated") {
                    always = Some(take(self, "always"));
                    if always == Some(false) {
                        expect_all(self, &["by", "default"])?;
                    }
                } else if !self.sequence_option(&mut options)? {
                    return unexpected(self);
                }
            } else {
                return Ok(AlterAction::SetIdentity { column, always, options });
            }
        }
    }
}
