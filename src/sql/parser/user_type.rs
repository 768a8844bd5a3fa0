//! CREATE and ALTER TYPE, CREATE and ALTER DOMAIN.

use sqlparser::ast::ObjectName;
use sqlparser::tokenizer::Token;

use crate::error::SqlState;
use crate::sql::statement::{
    AlterType, Attribute, ColumnConstraint, ColumnConstraintKind, CreateDomain, CreateType, RangeParameter, Statement,
    TypeAction, TypeDefinition,
};

use super::Grammar;
use super::cursor::*;

impl Grammar<'_, '_> {
    /// CREATE TYPE behind TYPE.
    pub(super) fn create_type(&mut self) -> Parse<Statement> {
        let name = self.any_name()?;
        if !take(self, "as") {
            return self.unsupported_rest("CREATE TYPE of a base type");
        }
        let definition = match word(self) {
            "enum" => {
                self.advance_token();
                expect_token(self, &Token::LParen)?;
                let labels = if *token(self) == Token::RParen { Vec::new() } else { self.list(|g| string(g))? };
                expect_token(self, &Token::RParen)?;
                TypeDefinition::Enum(labels)
            }
            "range" => {
                self.advance_token();
                TypeDefinition::Range(self.paren_list(Self::range_parameter)?)
            }
            _ => {
                expect_token(self, &Token::LParen)?;
                let attributes = if *token(self) == Token::RParen { Vec::new() } else { self.list(Self::attribute)? };
                expect_token(self, &Token::RParen)?;
                TypeDefinition::Composite(attributes)
            }
        };
        Ok(Statement::CreateType(Box::new(CreateType { name, definition })))
    }

    fn any_name(&mut self) -> Parse<ObjectName> {
        let first = label(self)?;
        qualified(self, first)
    }

    fn range_parameter(&mut self) -> Parse<(String, RangeParameter)> {
        let name = label(self)?.value;
        expect_token(self, &Token::Eq)?;
        let value = match name.as_str() {
            "subtype" => RangeParameter::Type(self.data_type()?),
            _ => RangeParameter::Name(self.any_name()?),
        };
        Ok((name, value))
    }

    fn attribute(&mut self) -> Parse<Attribute> {
        let name = column_id(self)?;
        let data_type = self.data_type()?;
        let collation = if take(self, "collate") { Some(self.any_name()?) } else { None };
        Ok(Attribute { name, data_type, collation })
    }

    /// CREATE DOMAIN behind DOMAIN.
    pub(super) fn create_domain(&mut self) -> Parse<Statement> {
        let name = self.any_name()?;
        take(self, "as");
        let data_type = self.data_type()?;
        let (mut collation, mut constraints) = (None, Vec::new());
        loop {
            if take(self, "collate") {
                collation = Some(self.any_name()?);
                continue;
            }
            let at = span(self);
            let Some(constraint) = self.column_constraint()? else { break };
            let what = match &constraint.kind {
                ColumnConstraintKind::Unique { .. } => "unique constraints",
                ColumnConstraintKind::PrimaryKey { .. } => "primary key constraints",
                ColumnConstraintKind::References(_) => "foreign key constraints",
                ColumnConstraintKind::Identity { .. } | ColumnConstraintKind::Generated { .. } => {
                    return Err(failure(
                        SqlState::FEATURE_NOT_SUPPORTED,
                        at,
                        "specifying GENERATED not supported for domains",
                    ));
                }
                _ => {
                    constraints.push(constraint);
                    continue;
                }
            };
            return Err(failure(SqlState::SYNTAX_ERROR, at, &format!("{what} not possible for domains")));
        }
        Ok(Statement::CreateDomain(Box::new(CreateDomain { name, data_type, collation, constraints })))
    }

    /// ALTER TYPE or ALTER DOMAIN behind the kind.
    pub(super) fn alter_type(&mut self, domain: bool) -> Parse<Statement> {
        let name = self.any_name()?;
        let actions = match word(self) {
            "rename" => vec![self.rename_type(domain)?],
            "owner" => {
                self.advance_token();
                expect(self, "to")?;
                vec![TypeAction::OwnerTo(self.role_name()?)]
            }
            "set" if word_at(self, 1) == "schema" => {
                self.advance_token();
                self.advance_token();
                vec![TypeAction::SetSchema(column_id(self)?)]
            }
            "add" if !domain && word_at(self, 1) == "value" => vec![self.add_value()?],
            "set" if !domain && *token_at(self, 1) == Token::LParen => {
                return self.unsupported_rest("ALTER TYPE SET");
            }
            _ if domain => vec![self.domain_action()?],
            _ => self.list(Self::attribute_action)?,
        };
        Ok(Statement::AlterType(Box::new(AlterType { domain, name, actions })))
    }

    fn rename_type(&mut self, domain: bool) -> Parse<TypeAction> {
        self.advance_token();
        if take(self, "to") {
            return Ok(TypeAction::Rename(column_id(self)?));
        }
        if domain {
            expect(self, "constraint")?;
            let from = column_id(self)?;
            expect(self, "to")?;
            return Ok(TypeAction::RenameConstraint(from, column_id(self)?));
        }
        if take(self, "value") {
            let from = string(self)?;
            expect(self, "to")?;
            return Ok(TypeAction::RenameValue(from, string(self)?));
        }
        expect(self, "attribute")?;
        let from = column_id(self)?;
        expect(self, "to")?;
        let to = column_id(self)?;
        self.cascade();
        Ok(TypeAction::RenameAttribute(from, to))
    }

    fn add_value(&mut self) -> Parse<TypeAction> {
        self.advance_token();
        self.advance_token();
        let if_not_exists = self.if_not_exists();
        let label = string(self)?;
        let place = match word(self) {
            "before" | "after" => {
                let before = word(self) == "before";
                self.advance_token();
                Some((before, string(self)?))
            }
            _ => None,
        };
        Ok(TypeAction::AddValue { if_not_exists, label, place })
    }

    fn attribute_action(&mut self) -> Parse<TypeAction> {
        let action = match word(self) {
            "add" => {
                self.advance_token();
                expect(self, "attribute")?;
                TypeAction::AddAttribute(self.attribute()?)
            }
            "drop" => {
                self.advance_token();
                expect(self, "attribute")?;
                let if_exists = self.if_exists();
                TypeAction::DropAttribute { if_exists, name: column_id(self)? }
            }
            "alter" => {
                self.advance_token();
                expect(self, "attribute")?;
                let name = column_id(self)?;
                take_all(self, &["set", "data"]);
                expect(self, "type")?;
                let data_type = self.data_type()?;
                let collation = if take(self, "collate") { Some(self.any_name()?) } else { None };
                TypeAction::SetAttributeType(Attribute { name, data_type, collation })
            }
            _ => return unexpected(self),
        };
        self.cascade();
        Ok(action)
    }

    fn domain_action(&mut self) -> Parse<TypeAction> {
        match word(self) {
            "set" => {
                self.advance_token();
                if take(self, "default") {
                    return Ok(TypeAction::SetDefault(Some(self.expression()?)));
                }
                expect_all(self, &["not", "null"])?;
                Ok(TypeAction::SetNotNull(true))
            }
            "drop" => {
                self.advance_token();
                if take(self, "default") {
                    return Ok(TypeAction::SetDefault(None));
                }
                if take_all(self, &["not", "null"]) {
                    return Ok(TypeAction::SetNotNull(false));
                }
                expect(self, "constraint")?;
                let if_exists = self.if_exists();
                let name = column_id(self)?;
                self.cascade();
                Ok(TypeAction::DropConstraint { if_exists, name })
            }
            "add" => {
                self.advance_token();
                match self.column_constraint()? {
                    Some(
                        constraint @ ColumnConstraint {
                            kind: ColumnConstraintKind::Check { .. } | ColumnConstraintKind::NotNull { .. },
                            ..
                        },
                    ) => Ok(TypeAction::AddConstraint(constraint)),
                    _ => unexpected(self),
                }
            }
            "validate" => {
                self.advance_token();
                expect(self, "constraint")?;
                Ok(TypeAction::ValidateConstraint(column_id(self)?))
            }
            _ => unexpected(self),
        }
    }
}
