//! ALTER TABLE and its relatives: the actions in order, each on the table as the one before left it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::document::{Datum, Oid};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::exec::kept::bind_check;
use crate::sql::eval::compile;
use crate::sql::parser::ident;
use crate::sql::privilege;
use crate::sql::shape::Rename;
use crate::sql::statement::{Alter, AlterAction, ObjectKind, RoleName, TableConstraint, TableConstraintKind, ast};
use crate::storage::catalog::{Constraint, ConstraintKind, Entry, Table, is_temporary};

use super::Ddl;
use super::alter_column::column_mut;
use super::create::{CheckSpec, Parts, UniqueSpec, check_options};
use crate::exec::rows::row_columns;

impl Ddl<'_> {
    pub(super) fn alter(&mut self, alter: &Alter) -> Result<&'static str> {
        let tag = match alter.kind {
            ObjectKind::Table => "ALTER TABLE",
            ObjectKind::View => "ALTER VIEW",
            ObjectKind::MaterializedView => "ALTER MATERIALIZED VIEW",
            ObjectKind::Index => "ALTER INDEX",
            ObjectKind::Sequence => "ALTER SEQUENCE",
            ObjectKind::Schema => return self.alter_schema(alter).map(|()| "ALTER SCHEMA"),
            ObjectKind::Database => return self.alter_database(alter).map(|()| "ALTER DATABASE"),
            ObjectKind::Role => return self.rename_role(alter).map(|()| "ALTER ROLE"),
            other => return Err(Error::unsupported(format!("ALTER {}", other.name().to_uppercase()))),
        };
        let entry = match self.find(&alter.name)? {
            Some(entry) => entry,
            None if alter.if_exists => {
                let name = self.written(&alter.name)?;
                self.notice(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist, skipping"));
                return Ok(tag);
            }
            None => return self.relation(&alter.name).map(|_| tag),
        };
        self.must_own(&entry)?;
        let (fits, what) = match (alter.kind, &*entry) {
            (ObjectKind::View, other) => (matches!(other, Entry::View(_)), "a view"),
            (ObjectKind::Sequence, other) => (matches!(other, Entry::Sequence(_)), "a sequence"),
            (ObjectKind::MaterializedView, Entry::Table(table)) => (table.view.is_some(), "a materialized view"),
            (ObjectKind::MaterializedView, _) => (false, "a materialized view"),
            _ => (true, ""),
        };
        if !fits {
            return Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not {what}", entry.name()));
        }
        self.temporary = is_temporary(entry.oid());
        for action in &alter.actions {
            let catalog = self.catalog();
            let entry = catalog.get(entry.oid()).ok_or_else(|| Error::internal("the object is gone"))?;
            self.alter_one(alter.kind, entry, action, alter.only)?;
        }
        Ok(tag)
    }

    fn alter_one(&mut self, kind: ObjectKind, entry: &Arc<Entry>, action: &AlterAction, only: bool) -> Result<()> {
        match action {
            AlterAction::Rename(name) => return self.rename(entry, &ident(name)),
            AlterAction::SetSchema(schema) => return self.set_schema(entry, &ident(schema)),
            AlterAction::OwnerTo(role) => return self.set_owner(entry, role),
            _ => {}
        }
        let table = match &**entry {
            Entry::Table(table) if table.view.is_some() => {
                return self.alter_materialized(kind, table.clone(), action);
            }
            Entry::Table(table) if kind == ObjectKind::Table => table.clone(),
            Entry::View(view) => return self.alter_view(kind, view, action),
            Entry::Index(index) if matches!(action, AlterAction::AttachPartition(..)) => {
                if let AlterAction::AttachPartition(part, _) = action {
                    self.attach_index(index, part)?;
                }
                return Ok(());
            }
            Entry::Index(_) | Entry::Sequence(_) => {
                return Err(Error::unsupported(format!("this form of ALTER {}", kind.name().to_uppercase())));
            }
            other => return Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not a {}", other.name(), kind.name())),
        };
        if self.alter_tree(&table, action, only)? {
            return Ok(());
        }
        match action {
            AlterAction::AddConstraint(constraint) => self.add_constraint_tree(table, constraint, only),
            AlterAction::DropConstraint { if_exists, name, cascade } => {
                self.drop_constraint_tree(table, *if_exists, name, *cascade, only)
            }
            AlterAction::AttachPartition(part, Some(bound)) => self.attach_partition(table, part, bound),
            AlterAction::DetachPartition { finalize: true, .. } => {
                Err(err!(OBJECT_NOT_IN_PREREQUISITE_STATE, "no pending detach to finalize"))
            }
            AlterAction::DetachPartition { name, concurrently, .. } => {
                self.detach_partition(table, name, *concurrently)
            }
            action => self.alter_alone(table, action),
        }
    }

    /// An action on one table, whatever inherits from it.
    pub(super) fn alter_alone(&mut self, table: Table, action: &AlterAction) -> Result<()> {
        match action {
            AlterAction::SetType { column, data_type, collation, using } => {
                self.set_type(table, column, data_type, collation.as_ref(), using.as_ref())
            }
            AlterAction::SetDefault { column, default } => self.set_default(table, column, default.as_ref()),
            AlterAction::SetNotNull { column, not_null } => self.set_not_null(table, column, *not_null),
            AlterAction::AddIdentity { column, always, options } => self.add_identity(table, column, *always, options),
            AlterAction::SetIdentity { column, always, options } => self.set_identity(table, column, *always, options),
            AlterAction::DropIdentity { column, if_exists } => self.drop_identity(table, column, *if_exists),
            AlterAction::ValidateConstraint(name) => self.validate_constraint(table, &ident(name)),
            AlterAction::AlterConstraint { name, attributes, inherit } => {
                self.alter_constraint(table, &ident(name), attributes, *inherit)
            }
            AlterAction::SetExpression { column, expression } => self.set_expression(table, column, expression),
            AlterAction::DropExpression { column, if_exists } => self.drop_expression(table, column, *if_exists),
            AlterAction::RenameConstraint(old, new) => self.rename_constraint_tree(table, &ident(old), ident(new)),
            AlterAction::Options { options, reset } => self.set_options(table, options, *reset),
            AlterAction::Other(what) => Err(Error::unsupported(format!("ALTER TABLE {what}"))),
            action => self.alter_physical(table, action),
        }
    }

    /// What ALTER MATERIALIZED VIEW can say beside what all relations have.
    fn alter_materialized(&mut self, kind: ObjectKind, table: Table, action: &AlterAction) -> Result<()> {
        match (kind, action) {
            (ObjectKind::View, _) => Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not a view", table.name)),
            (_, AlterAction::RenameColumn(old, new)) => self.rename_column(table, old, new),
            (_, AlterAction::Options { options, reset }) => self.set_options(table, options, *reset),
            (ObjectKind::MaterializedView, AlterAction::Other(what)) => {
                Err(Error::unsupported(format!("ALTER MATERIALIZED VIEW {what}")))
            }
            (ObjectKind::MaterializedView, _) => Err(Error::unsupported("this form of ALTER MATERIALIZED VIEW")),
            _ => Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not a table", table.name)),
        }
    }

    fn set_options(
        &mut self,
        mut table: Table,
        options: &[crate::sql::statement::StorageOption],
        reset: bool,
    ) -> Result<()> {
        if reset {
            table.options.retain(|(name, _)| options.iter().all(|o| o.name != *name));
        } else {
            for (name, value) in check_options(options)? {
                table.options.retain(|(n, _)| *n != name);
                table.options.push((name, value));
            }
        }
        self.put(Entry::Table(table));
        Ok(())
    }

    /// ADD CONSTRAINT, and what it is for the tables below.
    fn add_constraint_tree(&mut self, table: Table, constraint: &TableConstraint, only: bool) -> Result<()> {
        let (oid, children) = (table.oid, self.children(table.oid));
        let before: BTreeSet<Oid> = table.constraints.iter().map(|c| c.oid).collect();
        let columns = table.columns.clone();
        let inherits = match &constraint.kind {
            TableConstraintKind::Check { no_inherit, .. } | TableConstraintKind::NotNull { no_inherit, .. } => {
                !no_inherit
            }
            _ => false,
        };
        if only && inherits && !children.is_empty() {
            return Err(err!(INVALID_TABLE_DEFINITION, "constraint must be added to child tables too"));
        }
        self.add_constraint(table, constraint)?;
        let parent = self.current(oid)?;
        for child in children {
            if inherits && parent.columns != columns {
                let was_null = |c: &&crate::storage::catalog::Column| {
                    c.not_null && columns.iter().any(|old| old.number == c.number && !old.not_null)
                };
                for theirs in parent.live_columns().filter(was_null) {
                    let child = self.current(child)?;
                    let name = ast::Ident::with_quote('"', &theirs.name);
                    if child.column(&theirs.name).is_some_and(|c| !c.not_null) {
                        self.set_not_null(child, &name, true)?;
                    }
                }
            }
            for made in parent.constraints.iter().filter(|c| !before.contains(&c.oid)) {
                match &made.kind {
                    ConstraintKind::Check { .. } => self.inherit_check(child, made)?,
                    ConstraintKind::ForeignKey(_) if parent.is_partitioned() => {
                        self.foreign_key_for_partition(&parent, made, child)?;
                    }
                    ConstraintKind::Unique { .. } | ConstraintKind::PrimaryKey { .. }
                        if parent.is_partitioned() && !only =>
                    {
                        let specs = self.keys_for_partition(&parent);
                        for spec in specs.iter().filter(|s| s.parent.is_some_and(|(_, c)| c == made.oid)) {
                            self.key_for_partition(&parent, spec, child)?;
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// DROP CONSTRAINT, of the tables below as well.
    fn drop_constraint_tree(
        &mut self,
        table: Table,
        if_exists: bool,
        name: &ast::Ident,
        cascade: bool,
        only: bool,
    ) -> Result<()> {
        let folded = ident(name);
        let found = table.constraints.iter().find(|c| c.name == folded).cloned();
        if let Some(constraint) = found.as_ref().filter(|c| c.origin.inherited > 0) {
            return Err(err!(
                INVALID_TABLE_DEFINITION,
                "cannot drop inherited constraint \"{}\" of relation \"{}\"",
                constraint.name,
                table.name
            ));
        }
        let oid = table.oid;
        self.drop_constraint(table, if_exists, name, cascade)?;
        let Some(constraint) = found else { return Ok(()) };
        match &constraint.kind {
            ConstraintKind::NotNull { column } => {
                let name = self.current(oid)?.column_by_number(*column).map(|c| c.name.clone()).unwrap_or_default();
                for child in self.children(oid) {
                    self.disinherit_not_null(child, &name, only)?;
                }
            }
            ConstraintKind::Check { .. } if !constraint.attributes.no_inherit => {
                for child in self.children(oid) {
                    self.disinherit_check(child, &constraint.name, only)?;
                }
            }
            _ => self.drop_parts(constraint.oid, oid)?,
        }
        Ok(())
    }

    /// Drops the parts that partitions have of a constraint.
    fn drop_parts(&mut self, constraint: Oid, table: Oid) -> Result<()> {
        for child in self.children(table) {
            let child = self.current(child)?;
            let part = child.constraints.iter().find(|c| c.origin.parent == constraint).cloned();
            let Some(part) = part else { continue };
            let oid = child.oid;
            self.drop_constraint(child, false, &ast::Ident::with_quote('"', &part.name), false)?;
            self.drop_parts(part.oid, oid)?;
        }
        Ok(())
    }

    fn rename_constraint_tree(&mut self, table: Table, old: &str, new: String) -> Result<()> {
        let found = self.find_constraint(&table, old)?.clone();
        if found.origin.inherited > 0 {
            return Err(err!(INVALID_TABLE_DEFINITION, "cannot rename inherited constraint \"{old}\""));
        }
        let oid = table.oid;
        self.rename_constraint(table, old, new.clone())?;
        if !matches!(found.kind, ConstraintKind::Check { .. }) || found.attributes.no_inherit {
            return Ok(());
        }
        for below in self.catalog().descendants(oid).into_iter().skip(1) {
            let child = self.current(below)?;
            if child.constraints.iter().any(|c| c.name == old && c.origin.inherited > 0) {
                self.rename_constraint(child, old, new.clone())?;
            }
        }
        Ok(())
    }

    fn add_constraint(&mut self, mut table: Table, constraint: &TableConstraint) -> Result<()> {
        if constraint.attributes.not_valid
            && !matches!(
                constraint.kind,
                TableConstraintKind::Check { .. }
                    | TableConstraintKind::ForeignKey { .. }
                    | TableConstraintKind::NotNull { .. }
            )
        {
            return Err(err!(FEATURE_NOT_SUPPORTED, "constraints of this kind cannot be marked NOT VALID"));
        }
        if let TableConstraintKind::UsingIndex { primary, index } = &constraint.kind {
            let flags = super::foreign_key::flags_of(&constraint.attributes, true, false)?;
            return self.constraint_using_index(table, constraint.name.as_ref().map(ident), *primary, index, flags);
        }
        let mut parts = Parts { columns: table.columns.clone(), table: table.name.clone(), ..Parts::default() };
        self.table_constraint(constraint, &mut parts)?;
        if let (Some(spec), true) = (parts.not_nulls.first(), parts.columns == table.columns) {
            return self.rename_not_null(table, spec);
        }
        if parts.columns != table.columns && !constraint.attributes.not_valid {
            let numbers: Vec<i16> = parts.columns.iter().filter(|c| c.not_null).map(|c| c.number).collect();
            self.refuse_nulls(&table, &numbers)?;
        }
        if parts.columns != table.columns {
            table.columns = parts.columns;
            self.name_not_nulls(&mut table, &parts.not_nulls)?;
            self.put(Entry::Table(table.clone()));
        }
        for check in &parts.checks {
            self.add_check(&mut table, check)?;
        }
        for unique in &parts.uniques {
            self.add_unique(&mut table, unique)?;
        }
        for key in &parts.foreign_keys {
            self.add_foreign_key(&mut table, key, false)?;
        }
        Ok(())
    }

    /// ADD UNIQUE | PRIMARY KEY USING INDEX: an index that is there becomes the constraint's.
    fn constraint_using_index(
        &mut self,
        mut table: Table,
        name: Option<String>,
        primary: bool,
        written: &ast::Ident,
        flags: crate::storage::catalog::ConstraintFlags,
    ) -> Result<()> {
        use crate::storage::catalog::IndexSource;
        let index_name = ident(written);
        let (at, catalog) = (self.at(written), self.catalog());
        if table.is_partitioned() {
            let message = "ALTER TABLE / ADD CONSTRAINT USING INDEX is not supported on partitioned tables";
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        let found = catalog.relation(table.schema, &index_name).map(|e| (**e).clone());
        let Some(Entry::Index(mut index)) = found else {
            return Err(err!(UNDEFINED_OBJECT, "index \"{index_name}\" does not exist").at(at));
        };
        if table.constraints.iter().any(|c| c.index() == Some(index.oid)) {
            return Err(err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "index \"{index_name}\" is already associated with a constraint"
            )
            .at(at));
        }
        if index.table != table.oid {
            return Err(err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "index \"{index_name}\" does not belong to table \"{}\"",
                table.name
            )
            .at(at));
        }
        let cannot = "Cannot create a primary key or unique constraint using such an index.";
        if !index.unique {
            return Err(err!(WRONG_OBJECT_TYPE, "\"{index_name}\" is not a unique index").detail(cannot).at(at));
        }
        let mut columns = Vec::new();
        for key in &index.keys {
            match &key.source {
                IndexSource::Column(number) => columns.push(*number),
                IndexSource::Expression(_) => {
                    let message = format!("index \"{index_name}\" contains expressions");
                    return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message).detail(cannot).at(at));
                }
            }
        }
        if index.predicate.is_some() {
            return Err(err!(WRONG_OBJECT_TYPE, "\"{index_name}\" is a partial index").detail(cannot).at(at));
        }
        if index.keys.iter().any(|key| key.descending || key.nulls_first) {
            let message = format!("index \"{index_name}\" column number 1 does not have default sorting behavior");
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message).detail(cannot).at(at));
        }
        if primary {
            if table.primary_key().is_some() {
                return Err(err!(
                    INVALID_TABLE_DEFINITION,
                    "multiple primary keys for table \"{}\" are not allowed",
                    table.name
                ));
            }
            self.refuse_nulls(&table, &columns)?;
            for number in &columns {
                column_mut(&mut table, *number)?.not_null = true;
            }
            self.name_not_nulls(&mut table, &[])?;
        }
        let name = name.unwrap_or_else(|| index_name.clone());
        if table.constraints.iter().any(|c| c.name == name) {
            return Err(super::create::duplicate_constraint(&name, &table.name));
        }
        if name != index_name {
            self.refuse_duplicate(table.schema, &name)?;
            let message =
                format!("ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index \"{index_name}\" to \"{name}\"");
            self.notice(SqlState::SUCCESSFUL_COMPLETION, message);
        }
        (index.name, index.primary) = (name.clone(), primary);
        let kind = match primary {
            true => ConstraintKind::PrimaryKey { columns, index: index.oid },
            false => ConstraintKind::Unique { columns, index: index.oid },
        };
        self.put(Entry::Index(index));
        let oid = self.allocate();
        table.constraints.push(Constraint { oid, name, kind, attributes: flags, origin: Default::default() });
        self.put(Entry::Table(table));
        Ok(())
    }

    /// A further NOT NULL for a column that has one: nothing to do, unless it has another name.
    fn rename_not_null(&mut self, mut table: Table, spec: &super::create::NotNullSpec) -> Result<()> {
        let number = table.column(&spec.column).map_or(0, |c| c.number);
        let kind = ConstraintKind::NotNull { column: number };
        let Some(known) = table.constraints.iter_mut().find(|c| c.kind == kind) else { return Ok(()) };
        if let Some(name) = spec.name.as_ref().filter(|name| **name != known.name) {
            let (known, table) = (known.name.clone(), &table.name);
            return Err(err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "cannot create not-null constraint \"{name}\" on column \"{}\" of table \"{table}\"",
                spec.column
            )
            .detail(format!("A not-null constraint named \"{known}\" already exists for this column.")));
        }
        known.origin.not_local = false;
        self.put(Entry::Table(table));
        Ok(())
    }

    /// Adds a CHECK that all rows must satisfy.
    pub(super) fn add_check(&mut self, table: &mut Table, check: &CheckSpec) -> Result<()> {
        let constraint = self.check_constraint(table, check)?;
        let mut constraint = constraint;
        if constraint.attributes.not_enforced {
            constraint.attributes.not_valid = true;
        }
        if !constraint.attributes.not_valid {
            self.check_rows(table, &constraint.name, &check.text)?;
        }
        table.constraints.push(constraint);
        self.put(Entry::Table(table.clone()));
        Ok(())
    }

    /// 23514 when a row that is there does not satisfy a condition.
    pub(super) fn check_rows(&self, table: &Table, name: &str, text: &str) -> Result<()> {
        let bound = bind_check(text, table, &self.eval)?;
        let condition = compile(&bound.expr, &row_columns(table))?;
        let eval = self.eval.clone();
        self.each_row(table, |row| match condition.eval(&row, &[], &eval)? {
            Datum::Bool(false) => Err(err!(
                CHECK_VIOLATION,
                "check constraint \"{name}\" of relation \"{}\" is violated by some row",
                table.name
            )
            .table(self.schema_name(table.schema), table.name.clone())
            .constraint(name)),
            _ => Ok(()),
        })
    }

    /// Adds a UNIQUE or PRIMARY KEY to a table that exists.
    pub(super) fn add_unique(&mut self, table: &mut Table, unique: &UniqueSpec) -> Result<()> {
        if unique.primary {
            if table.primary_key().is_some() {
                return Err(err!(
                    INVALID_TABLE_DEFINITION,
                    "multiple primary keys for table \"{}\" are not allowed",
                    table.name
                ));
            }
            let mut numbers = Vec::new();
            for name in &unique.columns {
                let column = table.column(name).ok_or_else(|| super::create::no_key_column(name))?;
                numbers.push(column.number);
            }
            self.refuse_nulls(table, &numbers)?;
            for number in &numbers {
                column_mut(table, *number)?.not_null = true;
            }
            self.name_not_nulls(table, &[])?;
            if !unique.flags.deferrable && !self.has_rows(table)? {
                // Nothing is stored yet: the rows can be stored by the key after all.
                table.key = numbers;
                self.put(Entry::Table(table.clone()));
                self.truncate_table(table.oid)?;
                *table = self.current(table.oid)?;
                return self.unique_constraint(table, unique, true);
            }
            self.put(Entry::Table(table.clone()));
        }
        self.unique_constraint(table, unique, false)
    }

    pub(super) fn find_constraint<'t>(&self, table: &'t Table, name: &str) -> Result<&'t Constraint> {
        table.constraints.iter().find(|c| c.name == name).ok_or_else(|| {
            err!(UNDEFINED_OBJECT, "constraint \"{name}\" of relation \"{}\" does not exist", table.name)
        })
    }

    fn drop_constraint(&mut self, mut table: Table, if_exists: bool, name: &ast::Ident, cascade: bool) -> Result<()> {
        let name = ident(name);
        let constraint = match self.find_constraint(&table, &name) {
            Ok(constraint) => constraint.clone(),
            Err(error) if if_exists => {
                self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{}, skipping", error.message()));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let index = constraint.index();
        if let Some(index) = index {
            let keys = self.foreign_keys_on(table.oid, index);
            let shown = self.shown(&Entry::Table(table.clone()));
            let subject = format!("constraint {} on table {shown}", constraint.name);
            self.release_foreign_keys(keys, &subject, &format!("index {}", constraint.name), cascade)?;
            table = self.current(table.oid)?;
        }
        if let ConstraintKind::NotNull { column } = constraint.kind {
            let name = table.column_by_number(column).map(|c| c.name.clone()).unwrap_or_default();
            return self.set_not_null(table, &ast::Ident::with_quote('"', name), false);
        }
        let old = table.clone();
        table.constraints.retain(|c| c.oid != constraint.oid);
        let catalog = self.catalog();
        let was_row_key = index.and_then(|i| catalog.index(i)).is_some_and(|i| i.is_row_key);
        if let Some(index) = index {
            self.change().remove(index);
        }
        if was_row_key {
            table.key.clear();
            return self.rewrite(&old, table, &[]);
        }
        self.put(Entry::Table(table));
        Ok(())
    }

    fn rename_constraint(&mut self, mut table: Table, old: &str, new: String) -> Result<()> {
        let constraint = self.find_constraint(&table, old)?.clone();
        if table.constraints.iter().any(|c| c.name == new) {
            return Err(super::create::duplicate_constraint(&new, &table.name));
        }
        if let Some(index) = constraint.index() {
            self.refuse_duplicate(table.schema, &new)?;
            let catalog = self.catalog();
            if let Some(index) = catalog.index(index) {
                let mut index = index.clone();
                index.name.clone_from(&new);
                self.put(Entry::Index(index));
            }
        }
        for c in table.constraints.iter_mut().filter(|c| c.oid == constraint.oid) {
            c.name.clone_from(&new);
        }
        self.put(Entry::Table(table));
        Ok(())
    }

    pub(super) fn rename_column(&mut self, mut table: Table, old: &ast::Ident, new: &ast::Ident) -> Result<()> {
        let number = self.column_number(&table, old)?;
        let (old_name, new_name) = (ident(old), ident(new));
        if table.column(&new_name).is_some() {
            return Err(err!(DUPLICATE_COLUMN, "column \"{new_name}\" of relation \"{}\" already exists", table.name));
        }
        self.views_follow(table.oid, &Rename::Column(old_name.clone(), new_name.clone()))?;
        for constraint in &mut table.constraints {
            if let ConstraintKind::Check { expr } = &mut constraint.kind {
                *expr = crate::exec::kept::rename_column(expr, &old_name, &new_name);
            }
        }
        for column in &mut table.columns {
            if let Some(generated) = &mut column.generated {
                generated.expr = crate::exec::kept::rename_column(&generated.expr, &old_name, &new_name);
            }
        }
        let catalog = self.catalog();
        for index in catalog.indexes_of(table.oid) {
            let mut index = index.clone();
            for key in &mut index.keys {
                if let crate::storage::catalog::IndexSource::Expression(text) = &mut key.source {
                    *text = crate::exec::kept::rename_column(text, &old_name, &new_name);
                }
            }
            if let Some(text) = &mut index.predicate {
                *text = crate::exec::kept::rename_column(text, &old_name, &new_name);
            }
            if catalog.index(index.oid) != Some(&index) {
                self.put(Entry::Index(index));
            }
        }
        column_mut(&mut table, number)?.name = new_name;
        self.put(Entry::Table(table));
        Ok(())
    }

    fn rename(&mut self, entry: &Arc<Entry>, name: &str) -> Result<()> {
        let schema = entry.schema().ok_or_else(|| Error::internal("a relation was expected"))?;
        self.refuse_duplicate(schema, name)?;
        if matches!(**entry, Entry::Table(_) | Entry::View(_)) {
            self.views_follow(entry.oid(), &Rename::Relation(name.to_string()))?;
        }
        let mut changed = (**entry).clone();
        match &mut changed {
            Entry::Table(x) => x.name = name.to_string(),
            Entry::View(x) => x.name = name.to_string(),
            Entry::Sequence(x) => x.name = name.to_string(),
            Entry::Index(x) => {
                let old = std::mem::replace(&mut x.name, name.to_string());
                self.rename_constraint_of_index(x.table, x.oid, &old, name)?;
            }
            _ => return Err(Error::internal("a relation was expected")),
        }
        self.put(changed);
        Ok(())
    }

    fn rename_constraint_of_index(&mut self, table: Oid, index: Oid, old: &str, new: &str) -> Result<()> {
        let mut table = self.current(table)?;
        let holds = |c: &Constraint| c.index() == Some(index);
        if let Some(constraint) = table.constraints.iter_mut().find(|c| c.name == old && holds(c)) {
            constraint.name = new.to_string();
            self.put(Entry::Table(table));
        }
        Ok(())
    }

    fn set_schema(&mut self, entry: &Arc<Entry>, schema: &str) -> Result<()> {
        let new = self
            .catalog()
            .schema(self.shared.database, schema)
            .ok_or_else(|| err!(INVALID_SCHEMA_NAME, "schema \"{schema}\" does not exist"))?;
        if entry.schema() == Some(new) {
            return Ok(());
        }
        if is_temporary(new) || is_temporary(entry.oid()) {
            return Err(err!(FEATURE_NOT_SUPPORTED, "cannot move objects into or out of temporary schemas"));
        }
        let mut moved: Vec<Arc<Entry>> = vec![entry.clone()];
        let catalog = self.catalog();
        if let Entry::Table(table) = &**entry {
            self.refuse_used_by_views(table, "moving to another schema")?;
            moved.extend(catalog.indexes_of(table.oid).filter_map(|i| catalog.get(i.oid).cloned()));
            let owned = super::depend::owned_sequences(&catalog, table.oid, None);
            moved.extend(owned.iter().filter_map(|oid| catalog.get(*oid).cloned()));
        }
        for entry in moved {
            if self.catalog().relation(new, entry.name()).is_some() {
                return Err(err!(
                    DUPLICATE_TABLE,
                    "relation \"{}\" already exists in schema \"{schema}\"",
                    entry.name()
                ));
            }
            let mut changed = (*entry).clone();
            match &mut changed {
                Entry::Table(x) => x.schema = new,
                Entry::View(x) => x.schema = new,
                Entry::Sequence(x) => x.schema = new,
                Entry::Index(x) => x.schema = new,
                _ => return Err(Error::internal("a relation was expected")),
            }
            self.put(changed);
        }
        Ok(())
    }

    pub(super) fn set_owner(&mut self, entry: &Arc<Entry>, role: &RoleName) -> Result<()> {
        let owner = self.role(role)?;
        let catalog = self.catalog();
        let user = self.owner();
        if !privilege::is_superuser(&catalog, user)
            && !privilege::roles_of(&catalog, user, privilege::Through::Set).contains(&owner)
        {
            let name = catalog.get(owner).map(|e| e.name().to_string()).unwrap_or_default();
            return Err(err!(INSUFFICIENT_PRIVILEGE, "must be able to SET ROLE \"{name}\""));
        }
        let mut changed = (**entry).clone();
        match &mut changed {
            Entry::Table(x) => x.owner = owner,
            Entry::View(x) => x.owner = owner,
            Entry::Sequence(x) => x.owner = owner,
            Entry::Schema(x) => x.owner = owner,
            Entry::Database(x) => x.owner = owner,
            Entry::Type(x) => x.owner = owner,
            _ => return Err(Error::unsupported("OWNER TO of this object")),
        }
        self.new_owner_in_acl(entry, owner);
        self.put(changed);
        Ok(())
    }

    fn alter_schema(&mut self, alter: &Alter) -> Result<()> {
        let name = self.schema_named(&alter.name);
        let catalog = self.catalog();
        let found = catalog.schema(self.shared.database, &name).and_then(|oid| catalog.get(oid));
        let Some(entry) = found else {
            return Err(err!(INVALID_SCHEMA_NAME, "schema \"{name}\" does not exist"));
        };
        for action in &alter.actions {
            match (action, &**entry) {
                (AlterAction::OwnerTo(role), _) => self.set_owner(entry, role)?,
                (AlterAction::Rename(new), Entry::Schema(schema)) => {
                    let new = ident(new);
                    if catalog.schema(self.shared.database, &new).is_some() {
                        return Err(err!(DUPLICATE_SCHEMA, "schema \"{new}\" already exists"));
                    }
                    let mut schema = schema.clone();
                    schema.name = new;
                    self.put(Entry::Schema(schema));
                }
                _ => return Err(Error::unsupported("this form of ALTER SCHEMA")),
            }
        }
        Ok(())
    }

    fn alter_database(&mut self, alter: &Alter) -> Result<()> {
        let name = self.schema_named(&alter.name);
        let catalog = self.catalog();
        let found = catalog.database(&name).and_then(|d| catalog.get(d.oid));
        let Some(entry) = found else {
            return Err(err!(INVALID_CATALOG_NAME, "database \"{name}\" does not exist"));
        };
        for action in &alter.actions {
            match (action, &**entry) {
                (AlterAction::OwnerTo(role), _) => self.set_owner(entry, role)?,
                (AlterAction::Rename(new), Entry::Database(database)) => {
                    let new = ident(new);
                    if database.oid == self.shared.database {
                        return Err(err!(FEATURE_NOT_SUPPORTED, "current database cannot be renamed"));
                    }
                    if catalog.database(&new).is_some() {
                        return Err(err!(DUPLICATE_DATABASE, "database \"{new}\" already exists"));
                    }
                    let mut database = database.clone();
                    database.name = new;
                    self.put(Entry::Database(database));
                }
                _ => return Err(Error::unsupported("this form of ALTER DATABASE")),
            }
        }
        Ok(())
    }

    fn rename_role(&mut self, alter: &Alter) -> Result<()> {
        let name = self.schema_named(&alter.name);
        let catalog = self.catalog();
        let Some(role) = catalog.role(&name) else {
            return Err(err!(UNDEFINED_OBJECT, "role \"{name}\" does not exist"));
        };
        for action in &alter.actions {
            let AlterAction::Rename(new) = action else {
                return Err(Error::unsupported("this form of ALTER ROLE"));
            };
            let new = ident(new);
            if role.oid == self.owner() {
                return Err(err!(FEATURE_NOT_SUPPORTED, "session user cannot be renamed"));
            }
            if catalog.role(&new).is_some() {
                return Err(err!(DUPLICATE_OBJECT, "role \"{new}\" already exists"));
            }
            let mut role = role.clone();
            role.name = new;
            self.put(Entry::Role(role));
        }
        Ok(())
    }

    /// The views that would no longer bind without a column.
    pub(super) fn views_failing_without(&mut self, table: &Table, column: &str) -> Result<Vec<Arc<Entry>>> {
        let views = self.views_using(&BTreeSet::from([table.oid]));
        if views.is_empty() {
            return Ok(views);
        }
        let mut without = table.clone();
        for c in without.columns.iter_mut().filter(|c| c.name == column) {
            c.dropped = true;
        }
        // Bind against a catalog without the column, then go back.
        let before = self.shared.lock().catalog.clone();
        let mut catalog = (*before).clone();
        catalog.put(Entry::Table(without));
        self.shared.lock().catalog = Arc::new(catalog);
        let failing = views
            .into_iter()
            .filter(|view| match &**view {
                Entry::View(v) => match crate::exec::kept::bind_view(v, &self.eval) {
                    Ok(query) => query.output.len() != v.columns.len(),
                    Err(_) => true,
                },
                _ => false,
            })
            .collect();
        self.shared.lock().catalog = before;
        Ok(failing)
    }
}
