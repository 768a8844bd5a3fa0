//! CREATE DOMAIN and what ALTER DOMAIN does to one.

use crate::document::user_type::UserKind;
use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::exec::kept::canonical_domain_check;
use crate::sql::binder::table::bind_domain_expr;
use crate::sql::parser::ident;
use crate::sql::statement::{
    ColumnConstraint, ColumnConstraintKind, ConstraintAttributes, CreateDomain, Expression, TypeAction, ast,
};
use crate::sql::{domain, types, user_types};
use crate::storage::catalog::{Column, Domain, DomainCheck, Entry, Table, TypeKind, UserType};

use super::Ddl;
use super::create::check_collation;

impl Ddl<'_> {
    pub(super) fn create_domain(&mut self, create: &CreateDomain) -> Result<()> {
        let (schema, name) = self.type_target(&create.name)?;
        let base = self.data_type(&create.data_type)?;
        let catalog = self.catalog();
        if matches!(types::category(base.oid), 'P' | 'X') {
            let shown = user_types::format(&self.eval, base.oid, None);
            return Err(err!(DATATYPE_MISMATCH, "\"{shown}\" is not a valid base type for a domain"));
        }
        if let Some(collation) = &create.collation {
            check_collation(collation)?;
            let of = user_types::base(&catalog, base).oid;
            if types::category(of) != 'S' {
                let shown = user_types::format(&self.eval, base.oid, None);
                return Err(err!(DATATYPE_MISMATCH, "collations are not supported by type {shown}"));
            }
        }
        let mut made = Domain { base, not_null: None, default: None, checks: Vec::new(), compiled: Default::default() };
        let mut null = None;
        for constraint in &create.constraints {
            check_attributes(&constraint.attributes)?;
            match &constraint.kind {
                ColumnConstraintKind::Default(expression) => {
                    if made.default.is_some() {
                        return Err(err!(SYNTAX_ERROR, "multiple default expressions"));
                    }
                    made.default = self.domain_default(&made, expression, &name)?;
                }
                kind @ (ColumnConstraintKind::NotNull { .. } | ColumnConstraintKind::Null) => {
                    let not_null = matches!(kind, ColumnConstraintKind::NotNull { .. });
                    if null.is_some_and(|known| known != not_null) {
                        return Err(err!(SYNTAX_ERROR, "conflicting NULL/NOT NULL constraints"));
                    }
                    null = Some(not_null);
                    if not_null {
                        let given = constraint.name.as_ref().map(ident);
                        let label = given.unwrap_or_else(|| free_name(&made, &name, "not_null"));
                        made.not_null = Some((self.allocate(), label));
                    }
                }
                ColumnConstraintKind::Check { expression, no_inherit } => {
                    if *no_inherit {
                        return Err(err!(
                            INVALID_OBJECT_DEFINITION,
                            "check constraints for domains cannot be marked NO INHERIT"
                        ));
                    }
                    self.add_domain_check(&mut made, &name, constraint.name.as_ref(), expression, true)?;
                }
                _ => return Err(Error::internal("the parser knows what a domain may have")),
            }
        }
        self.put_type(UserKind::Domain, schema, name, TypeKind::Domain(made)).map(|_| ())
    }

    /// A DEFAULT as it is kept; NULL is none.
    fn domain_default(&self, made: &Domain, expression: &Expression, name: &str) -> Result<Option<String>> {
        let typ = user_types::base(&self.catalog(), made.base);
        let bound = crate::sql::binder::bind_constant(&expression.expr, None, &self.eval, self.text)?;
        let from = bound.typ();
        crate::sql::binder::bind_constant(&expression.expr, Some(typ), &self.eval, self.text).map_err(|error| {
            match error.code() {
                SqlState::CANNOT_COERCE => err!(
                    DATATYPE_MISMATCH,
                    "column \"{name}\" is of type {} but default expression is of type {}",
                    user_types::format(&self.eval, typ.oid, None),
                    user_types::format(&self.eval, from.oid, None)
                )
                .hint("You will need to rewrite or cast the expression."),
                _ => error,
            }
        })?;
        Ok(Some(crate::exec::kept::canonical_constant(&expression.text, typ, &self.eval)))
    }

    fn add_domain_check(
        &mut self,
        made: &mut Domain,
        owner: &str,
        name: Option<&ast::Ident>,
        expression: &Expression,
        validated: bool,
    ) -> Result<String> {
        let base = user_types::base(&self.catalog(), made.base);
        bind_domain_expr(&expression.expr, base, &self.eval, "")?;
        let name = match name.map(ident) {
            Some(name) => {
                if has_constraint(made, &name) {
                    return Err(err!(DUPLICATE_OBJECT, "constraint \"{name}\" for domain \"{owner}\" already exists"));
                }
                name
            }
            None => free_name(made, owner, "check"),
        };
        let expr = canonical_domain_check(&expression.text, base, &self.eval)?;
        made.checks.push(DomainCheck { oid: self.allocate(), name: name.clone(), expr, validated });
        made.compiled = Default::default();
        Ok(name)
    }

    pub(super) fn alter_domain(&mut self, user: UserType, action: &TypeAction) -> Result<()> {
        let shown = user_types::format(&self.eval, user.oid, None);
        let TypeKind::Domain(before) = &user.kind else {
            return Err(err!(WRONG_OBJECT_TYPE, "{shown} is not a domain"));
        };
        let mut made = before.clone();
        let missing =
            |name: &str| err!(UNDEFINED_OBJECT, "constraint \"{name}\" of domain \"{}\" does not exist", user.name);
        match action {
            TypeAction::SetDefault(None) => made.default = None,
            TypeAction::SetDefault(Some(expression)) => {
                made.default = self.domain_default(&made, expression, &user.name)?;
            }
            TypeAction::SetNotNull(true) => {
                if made.not_null.is_none() {
                    made.not_null = Some((self.allocate(), free_name(&made, &user.name, "not_null")));
                    self.refuse_domain_nulls(user.oid)?;
                }
            }
            TypeAction::SetNotNull(false) => made.not_null = None,
            TypeAction::AddConstraint(ColumnConstraint { name, kind, attributes }) => match kind {
                ColumnConstraintKind::Check { expression, .. } => {
                    let validated = !attributes.not_valid;
                    let added = self.add_domain_check(&mut made, &user.name, name.as_ref(), expression, validated)?;
                    if validated {
                        self.validate_domain(user.oid, &made, &added)?;
                    }
                }
                _ => {
                    if made.not_null.is_none() {
                        let label = name.as_ref().map(ident);
                        let label = label.unwrap_or_else(|| free_name(&made, &user.name, "not_null"));
                        made.not_null = Some((self.allocate(), label));
                        self.refuse_domain_nulls(user.oid)?;
                    }
                }
            },
            TypeAction::DropConstraint { if_exists, name } => {
                let name = ident(name);
                if !has_constraint(&made, &name) {
                    if !if_exists {
                        return Err(missing(&name));
                    }
                    let message = format!("constraint \"{name}\" of domain \"{}\" does not exist, skipping", user.name);
                    self.notice(SqlState::SUCCESSFUL_COMPLETION, message);
                    return Ok(());
                }
                made.checks.retain(|check| check.name != name);
                made.not_null = made.not_null.filter(|(_, known)| *known != name);
            }
            TypeAction::RenameConstraint(old, new) => {
                let (old, new) = (ident(old), ident(new));
                if !has_constraint(&made, &old) {
                    return Err(err!(UNDEFINED_OBJECT, "constraint \"{old}\" for domain {shown} does not exist"));
                }
                if has_constraint(&made, &new) {
                    return Err(err!(DUPLICATE_OBJECT, "constraint \"{new}\" for domain {shown} already exists"));
                }
                made.checks.iter_mut().filter(|c| c.name == old).for_each(|c| c.name.clone_from(&new));
                if let Some((_, name)) = made.not_null.as_mut().filter(|(_, name)| *name == old) {
                    *name = new;
                }
            }
            TypeAction::ValidateConstraint(name) => {
                let name = ident(name);
                if !made.checks.iter().any(|c| c.name == name) {
                    return Err(missing(&name));
                }
                self.validate_domain(user.oid, &made, &name)?;
                made.checks.iter_mut().filter(|c| c.name == name).for_each(|c| c.validated = true);
            }
            _ => return Err(Error::internal("a change of a domain was expected")),
        }
        made.compiled = Default::default();
        self.put(Entry::Type(UserType { kind: TypeKind::Domain(made), ..user }));
        Ok(())
    }

    /// The columns of tables that are of a domain or one over it; 0A000 where the domain is inside other values.
    fn domain_columns(&self, oid: Oid) -> Result<Vec<(Table, Column)>> {
        let catalog = self.catalog();
        let mut found = Vec::new();
        for (table, column) in self.columns_of_type(oid) {
            let mut at = column.declared().oid;
            while at != oid {
                match user_types::domain(&catalog, at) {
                    Some(domain) => at = domain.base.oid,
                    None => {
                        let name = user_types::format(&self.eval, oid, None);
                        return Err(err!(
                            FEATURE_NOT_SUPPORTED,
                            "cannot alter type \"{name}\" because column \"{}.{}\" uses it",
                            table.name,
                            column.name
                        ));
                    }
                }
            }
            found.push((table, column));
        }
        Ok(found)
    }

    fn refuse_domain_nulls(&self, oid: Oid) -> Result<()> {
        for (table, column) in self.domain_columns(oid)? {
            self.each_row(&table, |row| match row.get(column.number as usize - 1) {
                Some(value) if !value.is_null() => Ok(()),
                _ => Err(err!(
                    NOT_NULL_VIOLATION,
                    "column \"{}\" of table \"{}\" contains null values",
                    column.name,
                    table.name
                )
                .table(self.schema_name(table.schema), table.name.clone())
                .column(column.name.clone())),
            })?;
        }
        Ok(())
    }

    /// The stored values must satisfy a check.
    fn validate_domain(&self, oid: Oid, made: &Domain, name: &str) -> Result<()> {
        let base: Type = user_types::base(&self.catalog(), made.base);
        let Some(check) = made.checks.iter().find(|c| c.name == name) else { return Ok(()) };
        let condition = domain::compile_check(&check.expr, base, &self.eval)?;
        for (table, column) in self.domain_columns(oid)? {
            self.each_row(&table, |mut row| {
                let value = row.get_mut(column.number as usize - 1).map(std::mem::take).unwrap_or_default();
                match condition.eval(&[value], &[], &self.eval)? {
                    Datum::Bool(false) => Err(err!(
                        CHECK_VIOLATION,
                        "column \"{}\" of table \"{}\" contains values that violate the new constraint",
                        column.name,
                        table.name
                    )
                    .table(self.schema_name(table.schema), table.name.clone())
                    .column(column.name.clone())),
                    _ => Ok(()),
                }
            })?;
        }
        Ok(())
    }
}

fn has_constraint(domain: &Domain, name: &str) -> bool {
    domain.checks.iter().any(|c| c.name == name) || domain.not_null.as_ref().is_some_and(|(_, n)| n == name)
}

/// A free constraint name as PostgreSQL makes it: `domain_label`, numbered when taken.
fn free_name(domain: &Domain, owner: &str, label: &str) -> String {
    (0..)
        .map(|n| super::object_name(owner, "", &if n == 0 { label.to_string() } else { format!("{label}{n}") }))
        .find(|name| !has_constraint(domain, name))
        .expect("there are more numbers than constraints")
}

/// Refuses what a constraint of a domain may not ask for.
fn check_attributes(attributes: &ConstraintAttributes) -> Result<()> {
    if attributes.deferrable == Some(true) || attributes.initially_deferred == Some(true) {
        return Err(err!(FEATURE_NOT_SUPPORTED, "specifying constraint deferrability not supported for domains"));
    }
    if attributes.enforced == Some(false) {
        return Err(err!(FEATURE_NOT_SUPPORTED, "specifying constraint enforceability not supported for domains"));
    }
    Ok(())
}
