//! ALTER TABLE: actions on columns.

use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::exec::kept::{bind_conversion, bind_default, bind_index_key, bind_predicate};
use crate::sql::casts::{self, Context as CastContext};
use crate::sql::eval::compile;
use crate::sql::parser::ident;
use crate::sql::statement::{ColumnDefinition, Expression, SequenceOptions, ast};
use crate::sql::user_types;
use crate::storage::catalog::{ConstraintKind, Entry, Identity, IndexSource, Table};

use super::create::{Parts, check_collation, is_pseudo};
use super::depend::owned_sequences;
use super::rewrite::NewValue;
use super::{Ddl, quote_ident};
use crate::exec::rows::{row_columns, text_of};

impl Ddl<'_> {
    /// A live column of a table by name.
    pub(super) fn column_number(&self, table: &Table, name: &ast::Ident) -> Result<i16> {
        let name = ident(name);
        table
            .column(&name)
            .map(|c| c.number)
            .ok_or_else(|| err!(UNDEFINED_COLUMN, "column \"{name}\" of relation \"{}\" does not exist", table.name))
    }

    pub(super) fn add_column(
        &mut self,
        mut table: Table,
        if_not_exists: bool,
        definition: &ColumnDefinition,
    ) -> Result<()> {
        let name = ident(&definition.name);
        if table.column(&name).is_some() {
            if if_not_exists {
                let message = format!("column \"{name}\" of relation \"{}\" already exists, skipping", table.name);
                self.notice(SqlState::DUPLICATE_COLUMN, message);
                return Ok(());
            }
            return Err(err!(DUPLICATE_COLUMN, "column \"{name}\" of relation \"{}\" already exists", table.name));
        }
        let old = table.clone();
        // The definition is read with the old columns in place, so that the new one gets the next number.
        let mut parts = Parts { columns: std::mem::take(&mut table.columns), ..Parts::default() };
        let at = parts.columns.len();
        self.column_definition(definition, &table.name, &mut parts)?;
        let Parts { columns, uniques, checks, foreign_keys, sequences, defaults, generated, not_nulls, .. } = parts;
        table.columns = columns;
        self.name_not_nulls(&mut table, &not_nulls)?;
        for (position, typ, identity, options) in sequences {
            self.owned_sequence(&mut table, position, typ, identity, &options)?;
        }
        self.put(Entry::Table(table.clone()));
        for (position, text) in &defaults {
            let kept = self.check_default(&table, &table.columns[*position], text)?;
            table.columns[*position].default = Some(kept);
            self.put(Entry::Table(table.clone()));
        }
        for (position, written) in &generated {
            self.make_generated(&mut table, *position, written)?;
        }
        let column = table.columns[at].clone();
        let has_rows = self.has_rows(&old)?;
        if !generated.is_empty() && has_rows {
            self.compute_generated(&old, &table, column.number)?;
            table = self.current(table.oid)?;
        }
        let has_rows = has_rows && generated.is_empty();
        let is_volatile = column.identity.is_some()
            || match &column.default {
                Some(text) => bind_default(text, &table, &column, &self.eval)?.is_volatile(),
                None => false,
            };
        if is_volatile && has_rows {
            let value = match &column.identity {
                Some(identity) => {
                    let text = format!("nextval('{}'::regclass)", identity.sequence);
                    bind_default(&text, &table, &column, &self.eval)?
                }
                None => bind_default(column.default.as_deref().unwrap_or("NULL"), &table, &column, &self.eval)?,
            };
            let expr = compile(&value, &[])?;
            self.rewrite(&old, table.clone(), &[NewValue { number: column.number, expr }])?;
        } else if has_rows {
            let of_domain = column.domain.and_then(|oid| crate::sql::domain::default(&self.catalog(), oid));
            let value = match column.default.as_ref().or(of_domain.as_ref()) {
                Some(text) => {
                    let expr = bind_default(text, &table, &column, &self.eval)?;
                    compile(&expr, &[])?.eval(&[], &[], &self.eval)?
                }
                None => Datum::Null,
            };
            if let Some(domain) = column.domain {
                crate::sql::domain::check(domain, &value, &self.eval)?;
            }
            if value.is_null() && column.not_null && !uniques.iter().any(|u| u.primary) {
                return Err(self.contains_null(&table, &column));
            }
            table.columns[at].missing = text_of(&value, column.typ, &self.eval);
            self.put(Entry::Table(table.clone()));
        }
        table = self.current(table.oid)?;
        for check in &checks {
            self.add_check(&mut table, check)?;
        }
        for unique in &uniques {
            self.add_unique(&mut table, unique)?;
        }
        for key in &foreign_keys {
            self.add_foreign_key(&mut table, key, false)?;
        }
        Ok(())
    }

    /// The table as the catalog has it now.
    pub(super) fn current(&self, oid: u32) -> Result<Table> {
        self.catalog().table(oid).cloned().ok_or_else(|| Error::internal("a table was expected"))
    }

    pub(super) fn drop_column(
        &mut self,
        table: Table,
        if_exists: bool,
        name: &ast::Ident,
        cascade: bool,
    ) -> Result<()> {
        let number = match self.column_number(&table, name) {
            Ok(number) => number,
            Err(error) if if_exists => {
                self.notice(SqlState::UNDEFINED_COLUMN, format!("{}, skipping", error.message()));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let column_name = ident(name);
        self.release_column(&table, number, cascade)?;
        let mut table = self.current(table.oid)?;
        let old = table.clone();
        // Keys and checks that name the column go with it.
        let catalog = self.catalog();
        let mut indexes: Vec<u32> = Vec::new();
        for index in catalog.indexes_of(table.oid) {
            if self.index_columns(&table, index).contains(&number) {
                indexes.push(index.oid);
            }
        }
        let mut kept = Vec::new();
        for constraint in std::mem::take(&mut table.constraints) {
            let names_it = match &constraint.kind {
                ConstraintKind::Unique { .. }
                | ConstraintKind::PrimaryKey { .. }
                | ConstraintKind::ForeignKey(_)
                | ConstraintKind::NotNull { .. } => constraint.columns().contains(&number),
                ConstraintKind::Check { expr } => {
                    crate::exec::kept::bind_check(expr, &old, &self.eval)?.columns.contains(&number)
                }
            };
            if !names_it {
                kept.push(constraint);
            }
        }
        table.constraints = kept;
        let views = self.views_failing_without(&old, &column_name)?;
        if !views.is_empty() {
            if !cascade {
                let detail: Vec<String> = views
                    .iter()
                    .map(|v| format!("view {} depends on column {column_name} of table {}", v.name(), table.name))
                    .collect();
                return Err(err!(
                    DEPENDENT_OBJECTS_STILL_EXIST,
                    "cannot drop column {column_name} of table {} because other objects depend on it",
                    table.name
                )
                .detail(detail.join("\n"))
                .hint("Use DROP ... CASCADE to drop the dependent objects too."));
            }
            for view in &views {
                self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("drop cascades to view {}", view.name()));
                self.change().remove(view.oid());
            }
        }
        let sequences = owned_sequences(&self.catalog(), table.oid, Some(number));
        for oid in indexes.into_iter().chain(sequences) {
            self.change().remove(oid);
        }
        if let Some(column) = table.columns.iter_mut().find(|c| c.number == number) {
            column.name = format!("........pg.dropped.{number}........");
            column.dropped = true;
            column.not_null = false;
            column.default = None;
            column.identity = None;
            column.generated = None;
        }
        self.change().comment((table.oid, i32::from(number)), None);
        if table.key.contains(&number) {
            // The rows were stored by this key: they get row ids.
            table.key.clear();
            return self.rewrite(&old, table, &[]);
        }
        self.put(Entry::Table(table));
        Ok(())
    }

    /// The columns that an index names.
    pub(super) fn index_columns(&self, table: &Table, index: &crate::storage::catalog::Index) -> Vec<i16> {
        let mut columns = index.include.clone();
        for key in &index.keys {
            match &key.source {
                IndexSource::Column(number) => columns.push(*number),
                IndexSource::Expression(text) => {
                    if let Ok(bound) = bind_index_key(text, table, &self.eval) {
                        columns.extend(bound.columns);
                    }
                }
            }
        }
        if let Some(bound) = index.predicate.as_ref().and_then(|p| bind_predicate(p, table, &self.eval).ok()) {
            columns.extend(bound.columns);
        }
        columns
    }

    pub(super) fn set_type(
        &mut self,
        mut table: Table,
        name: &ast::Ident,
        data_type: &ast::DataType,
        collation: Option<&ast::ObjectName>,
        using: Option<&Expression>,
    ) -> Result<()> {
        if let Some(collation) = collation {
            check_collation(collation)?;
        }
        let number = self.column_number(&table, name)?;
        let declared = self.data_type(data_type)?;
        let typ = user_types::base(&self.catalog(), declared);
        let domain = user_types::is_checked(declared.oid).then_some(declared.oid);
        let shown = user_types::format(&self.eval, declared.oid, None);
        let old = table.clone();
        let column = table
            .columns
            .iter_mut()
            .find(|c| c.number == number)
            .ok_or_else(|| Error::internal("the column was found above"))?;
        let old_type = column.typ;
        if is_pseudo(typ.oid) {
            return Err(err!(INVALID_TABLE_DEFINITION, "column \"{}\" has pseudo-type {shown}", column.name));
        }
        if old_type == typ && column.domain == domain && using.is_none() {
            return Ok(());
        }
        let keys: Vec<_> = self.catalog().foreign_keys_to(old.oid).map(|(t, c)| (t.oid, c.clone())).collect();
        let concerned = |(_, c): &&(u32, crate::storage::catalog::Constraint)| {
            c.foreign_key().is_some_and(|key| key.referenced.contains(&number))
        };
        if let Some((_, constraint)) = keys.iter().find(concerned) {
            let what = format!("ALTER COLUMN TYPE of a column that foreign key \"{}\" refers to", constraint.name);
            return Err(Error::unsupported(what));
        }
        let own = old.constraints.iter().find(|c| c.foreign_key().is_some() && c.columns().contains(&number));
        if let Some((constraint, key)) = own.and_then(|c| Some((c, c.foreign_key()?))) {
            let at = key.columns.iter().position(|n| *n == number).unwrap_or(0);
            let theirs = self.current(key.table)?.column_by_number(key.referenced[at]).map_or(typ, |c| c.typ);
            if !crate::exec::foreign_key::can_refer(typ, theirs) {
                return Err(err!(
                    DATATYPE_MISMATCH,
                    "foreign key constraint \"{}\" cannot be implemented",
                    constraint.name
                ));
            }
        }
        self.refuse_used_by_views(&old, "ALTER COLUMN TYPE")?;
        self.refuse_used_by_generated(&old, number)?;
        if old.column_by_number(number).is_some_and(|c| c.generated.is_some()) {
            return Err(Error::unsupported("ALTER COLUMN TYPE of a generated column"));
        }
        let column_name = column.name.clone();
        if using.is_none() && old_type.oid != typ.oid && !is_assignable(old_type.oid, typ.oid) {
            return Err(err!(
                DATATYPE_MISMATCH,
                "column \"{column_name}\" cannot be cast automatically to type {shown}"
            )
            .hint(format!("You might need to specify \"USING {}::{shown}\".", quote_ident(&column_name))));
        }
        column.typ = typ;
        column.domain = domain;
        column.missing = None;
        let text = using.map_or_else(|| quote_ident(&column_name), |u| u.text.clone());
        let bound = bind_conversion(&text, declared, &old, &self.eval)?;
        // The default must fit the new type as well.
        if let Some(default) = column.default.clone()
            && !default.starts_with("nextval('")
        {
            let changed = table.clone();
            let column = changed.column_by_number(number).ok_or_else(|| Error::internal("the column is there"))?;
            bind_default(&default, &changed, column, &self.eval).map_err(|_| {
                err!(
                    DATATYPE_MISMATCH,
                    "default for column \"{column_name}\" cannot be cast automatically to type {shown}"
                )
            })?;
        }
        let expr = compile(&bound.expr, &row_columns(&old))?;
        self.retype_indexes(&table, number, typ);
        self.rewrite(&old, table, &[NewValue { number, expr }])
    }

    /// Index keys on a column take its new type.
    fn retype_indexes(&mut self, table: &Table, number: i16, typ: Type) {
        let catalog = self.catalog();
        for index in catalog.indexes_of(table.oid) {
            if index.keys.iter().any(|k| k.source == IndexSource::Column(number)) {
                let mut index = index.clone();
                for key in index.keys.iter_mut().filter(|k| k.source == IndexSource::Column(number)) {
                    key.typ = typ;
                }
                self.put(Entry::Index(index));
            }
        }
    }

    pub(super) fn set_default(
        &mut self,
        mut table: Table,
        name: &ast::Ident,
        default: Option<&Expression>,
    ) -> Result<()> {
        let number = self.column_number(&table, name)?;
        let owner = table.name.clone();
        let column = column_mut(&mut table, number)?;
        if column.identity.is_some() {
            return Err(err!(SYNTAX_ERROR, "column \"{}\" of relation \"{owner}\" is an identity column", column.name));
        }
        if let Some(generated) = &column.generated {
            let error = err!(SYNTAX_ERROR, "column \"{}\" of relation \"{owner}\" is a generated column", column.name);
            return Err(match (default, generated.stored) {
                (Some(_), _) => error.hint("Use ALTER TABLE ... ALTER COLUMN ... SET EXPRESSION instead."),
                (None, true) => error.hint("Use ALTER TABLE ... ALTER COLUMN ... DROP EXPRESSION instead."),
                (None, false) => error,
            });
        }
        column.default = None;
        let column = column.clone();
        if let Some(default) = default {
            let kept = self.check_default(&table, &column, &default.text)?;
            column_mut(&mut table, number)?.default = Some(kept);
        }
        self.put(Entry::Table(table));
        Ok(())
    }

    pub(super) fn set_not_null(&mut self, mut table: Table, name: &ast::Ident, not_null: bool) -> Result<()> {
        let number = self.column_number(&table, name)?;
        if !not_null {
            if table.primary_key().is_some_and(|key| key.contains(&number)) {
                let name = ident(name);
                return Err(err!(INVALID_TABLE_DEFINITION, "column \"{name}\" is in a primary key"));
            }
            if column_mut(&mut table, number)?.identity.is_some() {
                let (column, relation) = (ident(name), &table.name);
                return Err(err!(SYNTAX_ERROR, "column \"{column}\" of relation \"{relation}\" is an identity column"));
            }
        }
        if not_null {
            self.refuse_nulls(&table, &[number])?;
        }
        if !not_null && self.is_not_null_above(&table, number) {
            let kind = ConstraintKind::NotNull { column: number };
            let own = table.constraints.iter().find(|c| c.kind == kind).map(|c| c.name.clone()).unwrap_or_default();
            return Err(err!(
                INVALID_TABLE_DEFINITION,
                "cannot drop inherited constraint \"{own}\" of relation \"{}\"",
                table.name
            ));
        }
        column_mut(&mut table, number)?.not_null = not_null;
        self.name_not_nulls(&mut table, &[])?;
        self.put(Entry::Table(table));
        Ok(())
    }

    /// 23502 when a row has NULL in one of these columns.
    pub(super) fn refuse_nulls(&self, table: &Table, numbers: &[i16]) -> Result<()> {
        self.each_row(table, |row| {
            match numbers.iter().find(|n| row[**n as usize - 1].is_null()).and_then(|n| table.column_by_number(*n)) {
                Some(column) => Err(self.contains_null(table, column)),
                None => Ok(()),
            }
        })
    }

    pub(super) fn add_identity(
        &mut self,
        mut table: Table,
        name: &ast::Ident,
        always: bool,
        options: &SequenceOptions,
    ) -> Result<()> {
        let number = self.column_number(&table, name)?;
        let (owner, column) = (table.name.clone(), column_mut(&mut table, number)?.clone());
        let complain = |text: &str| {
            Err(err!(OBJECT_NOT_IN_PREREQUISITE_STATE, "column \"{}\" of relation \"{owner}\" {text}", column.name))
        };
        if !column.not_null {
            return complain("must be declared NOT NULL before identity can be added");
        }
        if column.identity.is_some() {
            return complain("is already an identity column");
        }
        if column.default.is_some() {
            return complain("already has a default value");
        }
        if ![Type::INT2.oid, Type::INT4.oid, Type::INT8.oid].contains(&column.typ.oid) {
            return Err(err!(INVALID_PARAMETER_VALUE, "identity column type must be smallint, integer, or bigint"));
        }
        let position = table.columns.iter().position(|c| c.number == number).unwrap_or_default();
        self.owned_sequence(&mut table, position, column.typ, Some(always), options)?;
        self.put(Entry::Table(table));
        Ok(())
    }

    pub(super) fn set_identity(
        &mut self,
        mut table: Table,
        name: &ast::Ident,
        always: Option<bool>,
        options: &SequenceOptions,
    ) -> Result<()> {
        let number = self.column_number(&table, name)?;
        let owner = table.name.clone();
        let column = column_mut(&mut table, number)?;
        let Some(identity) = &mut column.identity else {
            return Err(err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "column \"{}\" of relation \"{owner}\" is not an identity column",
                column.name
            ));
        };
        if let Some(always) = always {
            identity.always = always;
        }
        let Identity { sequence, .. } = *identity;
        self.put(Entry::Table(table));
        let catalog = self.catalog();
        match catalog.get(sequence).map(|e| &**e) {
            Some(Entry::Sequence(sequence)) => self.change_sequence(sequence.clone(), options),
            _ => Err(Error::internal("the sequence of an identity column is missing")),
        }
    }

    pub(super) fn drop_identity(&mut self, mut table: Table, name: &ast::Ident, if_exists: bool) -> Result<()> {
        let number = self.column_number(&table, name)?;
        let owner = table.name.clone();
        let column = column_mut(&mut table, number)?;
        let Some(identity) = column.identity.take() else {
            let message = format!("column \"{}\" of relation \"{owner}\" is not an identity column", column.name);
            if if_exists {
                self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{message}, skipping"));
                return Ok(());
            }
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        };
        self.put(Entry::Table(table));
        self.change().remove(identity.sequence);
        self.publish();
        Ok(())
    }
}

pub(super) fn column_mut(table: &mut Table, number: i16) -> Result<&mut crate::storage::catalog::Column> {
    let found = table.columns.iter_mut().find(|c| c.number == number);
    found.ok_or_else(|| Error::internal("the column was found before"))
}

fn is_assignable(from: u32, to: u32) -> bool {
    let is_text = |oid| [Type::TEXT.oid, Type::VARCHAR.oid, Type::BPCHAR.oid].contains(&oid);
    // Everything can be assigned to text through its output function.
    is_text(to) || casts::find(from, to).is_some_and(|c| c.context != CastContext::Explicit)
}
