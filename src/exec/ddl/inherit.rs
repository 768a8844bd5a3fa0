//! INHERITS: what a new table takes from its parents, INHERIT and NO INHERIT, and actions of ALTER TABLE that reach the
//! tables below.

use std::collections::BTreeSet;

use crate::document::Oid;
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::parser::ident;
use crate::sql::statement::{AlterAction, ColumnConstraintKind, ColumnDefinition, CreateTable, ast};
use crate::sql::user_types;
use crate::storage::catalog::{Column, Constraint, ConstraintKind, Entry, Origin, Table, is_temporary};

use super::Ddl;
use super::alter_column::column_mut;
use super::create::Parts;

/// Whether the tables below have a column's NOT NULL too.
fn inherits_not_null(parent: &Table, column: &Column) -> bool {
    let kind = ConstraintKind::NotNull { column: column.number };
    column.not_null && !parent.constraints.iter().any(|c| c.kind == kind && c.attributes.no_inherit)
}

impl Ddl<'_> {
    /// The parents that a new table names, in order.
    pub(super) fn named_parents(&self, create: &CreateTable) -> Result<Vec<Table>> {
        let mut parents: Vec<Table> = Vec::new();
        for name in &create.inherits {
            let Some(entry) = self.find(name)? else {
                return Err(err!(UNDEFINED_TABLE, "relation \"{}\" does not exist", self.written(name)?));
            };
            let Entry::Table(parent) = &*entry else {
                let message = format!("inherited relation \"{}\" is not a table or foreign table", entry.name());
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
            };
            self.must_own(&entry)?;
            self.may_be_parent(parent)?;
            if is_temporary(parent.oid) && !self.temporary {
                return Err(err!(WRONG_OBJECT_TYPE, "cannot inherit from temporary relation \"{}\"", parent.name));
            }
            if parents.iter().any(|p| p.oid == parent.oid) {
                let message = format!("relation \"{}\" would be inherited from more than once", parent.name);
                return Err(Error::new(SqlState::DUPLICATE_TABLE, message));
            }
            parents.push(parent.clone());
        }
        Ok(parents)
    }

    fn may_be_parent(&self, parent: &Table) -> Result<()> {
        let name = &parent.name;
        if parent.view.is_some() {
            return Err(err!(WRONG_OBJECT_TYPE, "inherited relation \"{name}\" is not a table or foreign table"));
        }
        if parent.is_partitioned() {
            return Err(err!(WRONG_OBJECT_TYPE, "cannot inherit from partitioned table \"{name}\""));
        }
        if parent.bound.is_some() {
            return Err(err!(WRONG_OBJECT_TYPE, "cannot inherit from a partition"));
        }
        Ok(())
    }

    /// Puts the columns and CHECKs of the parents into a definition.
    pub(super) fn inherit_parts(&mut self, parents: &[Table], parts: &mut Parts) -> Result<()> {
        for parent in parents {
            for theirs in parent.live_columns() {
                self.inherit_column(parent, theirs, parts)?;
            }
            for constraint in &parent.constraints {
                if !matches!(constraint.kind, ConstraintKind::Check { .. }) || constraint.attributes.no_inherit {
                    continue;
                }
                match parts.inherited.iter_mut().find(|c| c.name == constraint.name) {
                    Some(known) if known.kind == constraint.kind => known.origin.inherited += 1,
                    Some(_) => {
                        let name = &constraint.name;
                        return Err(err!(
                            DUPLICATE_OBJECT,
                            "check constraint name \"{name}\" appears multiple times but with different expressions"
                        ));
                    }
                    None => {
                        let origin = Origin::inherited();
                        parts.inherited.push(Constraint { origin, ..constraint.clone() });
                    }
                }
            }
        }
        Ok(())
    }

    fn inherit_column(&mut self, parent: &Table, theirs: &Column, parts: &mut Parts) -> Result<()> {
        let name = &theirs.name;
        let at = parts.columns.len();
        let Some(known) = parts.columns.iter_mut().find(|c| c.name == *name) else {
            let mut column = self.declared_column(at, name.clone(), theirs.declared());
            column.not_null = inherits_not_null(parent, theirs);
            column.default.clone_from(&theirs.default);
            column.generated.clone_from(&theirs.generated);
            column.origin = Origin::inherited();
            if parent.is_partitioned() {
                column.identity.clone_from(&theirs.identity);
            }
            parts.columns.push(column);
            return Ok(());
        };
        known.not_null |= inherits_not_null(parent, theirs);
        known.origin.inherited += 1;
        let (had, declared) = (known.declared(), known.default.clone());
        let message = format!("merging multiple inherited definitions of column \"{name}\"");
        self.notice(SqlState::SUCCESSFUL_COMPLETION, message);
        if had != theirs.declared() {
            let error = err!(DATATYPE_MISMATCH, "inherited column \"{name}\" has a type conflict");
            return Err(error.detail(self.versus(had, theirs.declared())));
        }
        match (&declared, &theirs.default) {
            (Some(a), Some(b)) if a != b => parts.conflicting.push(name.clone()),
            (None, Some(b)) => {
                let known = parts.columns.iter_mut().find(|c| c.name == *name);
                known.into_iter().for_each(|c| c.default = Some(b.clone()));
            }
            _ => {}
        }
        Ok(())
    }

    fn versus(&self, a: crate::document::Type, b: crate::document::Type) -> String {
        let shown =
            |t: crate::document::Type| user_types::format(&self.eval, t.oid, Some(t.typmod).filter(|m| *m >= 0));
        format!("{} versus {}", shown(a), shown(b))
    }

    /// A column of a definition that a parent has as well: both become one.
    pub(super) fn merge_own(&mut self, inherited: &Column, made: &mut Column, parts: &mut Parts) -> Result<()> {
        let name = &made.name;
        if parts.own + 1 == usize::from(inherited.number.unsigned_abs()) {
            let message = format!("merging column \"{name}\" with inherited definition");
            self.notice(SqlState::SUCCESSFUL_COMPLETION, message);
        } else {
            let message = format!("moving and merging column \"{name}\" with inherited definition");
            let report = Error::new(SqlState::SUCCESSFUL_COMPLETION, message);
            let detail = "User-specified column moved to the position of the inherited column.";
            self.shared.notice("NOTICE", report.detail(detail));
        }
        if inherited.declared() != made.declared() {
            let error = err!(DATATYPE_MISMATCH, "column \"{name}\" has a type conflict");
            return Err(error.detail(self.versus(inherited.declared(), made.declared())));
        }
        if inherited.generated.is_some() && made.default.is_some() {
            return Err(err!(
                INVALID_TABLE_DEFINITION,
                "column \"{name}\" inherits from generated column but specifies default"
            ));
        }
        if inherited.generated.is_none() && made.generated.is_some() {
            let error = err!(INVALID_TABLE_DEFINITION, "child column \"{name}\" specifies generation expression");
            return Err(error.hint("Omit the generation expression in the definition of the child table column to inherit the generation expression from the parent table."));
        }
        made.origin = Origin { not_local: false, ..inherited.origin };
        made.not_null |= inherited.not_null;
        if made.default.is_some() {
            parts.conflicting.retain(|c| c != name);
        } else if made.generated.is_none() {
            made.default.clone_from(&inherited.default);
        }
        if made.generated.is_none() {
            made.generated.clone_from(&inherited.generated);
        }
        Ok(())
    }

    /// What the parents' defaults leave open.
    pub(super) fn refuse_conflicts(&self, parts: &Parts) -> Result<()> {
        match parts.conflicting.first() {
            Some(name) => {
                let error = err!(INVALID_COLUMN_DEFINITION, "column \"{name}\" inherits conflicting default values");
                Err(error.hint("To resolve the conflict, specify a default explicitly."))
            }
            None => Ok(()),
        }
    }

    /// The children of a table.
    pub(super) fn children(&self, table: Oid) -> Vec<Oid> {
        self.catalog().children_of(table).to_vec()
    }

    /// An action of ALTER TABLE that says something of the tables below; `false`: it does not.
    pub(super) fn alter_tree(&mut self, table: &Table, action: &AlterAction, only: bool) -> Result<bool> {
        match action {
            AlterAction::AddColumn { if_not_exists, column } => {
                self.add_column_tree(table.clone(), *if_not_exists, column, only)?;
            }
            AlterAction::DropColumn { if_exists, column, cascade } => {
                self.refuse_inherited(table, column, "drop")?;
                self.drop_column_tree(table.clone(), *if_exists, column, *cascade, only)?;
            }
            AlterAction::RenameColumn(old, new) => {
                self.refuse_inherited(table, old, "rename")?;
                let children = self.children(table.oid);
                if only && !children.is_empty() && table.column(&ident(old)).is_some() {
                    let name = ident(old);
                    return Err(err!(
                        INVALID_TABLE_DEFINITION,
                        "inherited column \"{name}\" must be renamed in child tables too"
                    ));
                }
                self.rename_column_tree(table.oid, old, new)?;
            }
            AlterAction::SetType { column, .. } => {
                let at = self.at(column);
                self.refuse_inherited(table, column, "alter").map_err(|error| error.at(at))?;
                self.refuse_partition_key(table, column, "alter").map_err(|error| error.at(at))?;
                if only && !self.children(table.oid).is_empty() {
                    return Err(err!(
                        INVALID_TABLE_DEFINITION,
                        "type of inherited column \"{}\" must be changed in child tables too",
                        ident(column)
                    ));
                }
                self.same_for_all(table, action, false)?;
            }
            AlterAction::SetNotNull { column, not_null: false } => {
                self.alter_alone(table.clone(), action)?;
                for child in self.children(table.oid) {
                    self.disinherit_not_null(child, &ident(column), only)?;
                }
            }
            AlterAction::SetDefault { .. } | AlterAction::SetNotNull { .. } | AlterAction::SetExpression { .. } => {
                self.same_for_all(table, action, only)?;
            }
            AlterAction::Inherit(parent, true) => self.add_parent(table.clone(), parent)?,
            AlterAction::Inherit(parent, false) => self.drop_parent(table.clone(), parent)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The same action on a table and, unless ONLY, on all below.
    fn same_for_all(&mut self, table: &Table, action: &AlterAction, only: bool) -> Result<()> {
        let all = match only {
            true => vec![table.oid],
            false => self.catalog().descendants(table.oid),
        };
        for oid in all {
            let table = self.current(oid)?;
            self.alter_alone(table, action)?;
        }
        Ok(())
    }

    fn refuse_inherited(&self, table: &Table, column: &ast::Ident, verb: &str) -> Result<()> {
        let name = ident(column);
        match table.column(&name) {
            Some(column) if column.origin.inherited > 0 => {
                Err(err!(INVALID_TABLE_DEFINITION, "cannot {verb} inherited column \"{name}\""))
            }
            _ => Ok(()),
        }
    }

    fn add_column_tree(
        &mut self,
        table: Table,
        if_not_exists: bool,
        definition: &ColumnDefinition,
        only: bool,
    ) -> Result<()> {
        let children = self.children(table.oid);
        let name = ident(&definition.name);
        if only && !children.is_empty() {
            return Err(err!(INVALID_TABLE_DEFINITION, "column must be added to child tables too"));
        }
        if table.bound.is_some() && !self.recursing {
            return Err(err!(WRONG_OBJECT_TYPE, "cannot add column to a partition"));
        }
        let exists = table.column(&name).is_some();
        let before: BTreeSet<Oid> = table.constraints.iter().map(|c| c.oid).collect();
        self.add_column(table.clone(), if_not_exists, definition)?;
        if children.is_empty() || exists {
            return Ok(());
        }
        let parent = self.current(table.oid)?;
        let mut stripped = definition.clone();
        stripped.constraints.retain(|c| {
            matches!(
                c.kind,
                ColumnConstraintKind::NotNull { .. }
                    | ColumnConstraintKind::Null
                    | ColumnConstraintKind::Default(_)
                    | ColumnConstraintKind::Generated { .. }
            )
        });
        for oid in children {
            let mut child = self.current(oid)?;
            let theirs = parent.column(&name).ok_or_else(|| Error::internal("the column was added above"))?;
            if let Some(own) = child.column(&name) {
                if own.declared() != theirs.declared() {
                    return Err(err!(
                        DATATYPE_MISMATCH,
                        "child table \"{}\" has different type for column \"{name}\"",
                        child.name
                    ));
                }
                let (number, child_name) = (own.number, child.name.clone());
                column_mut(&mut child, number)?.origin.inherited += 1;
                self.put(Entry::Table(child));
                let message = format!("merging definition of column \"{name}\" for child \"{child_name}\"");
                self.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            } else {
                let outer = std::mem::replace(&mut self.recursing, true);
                let added = self.add_column_tree(child, false, &stripped, false);
                self.recursing = outer;
                added?;
                let mut child = self.current(oid)?;
                if let Some(number) = child.column(&name).map(|c| c.number) {
                    column_mut(&mut child, number)?.origin = Origin::inherited();
                    self.put(Entry::Table(child));
                }
            }
            for check in parent.constraints.iter().filter(|c| !before.contains(&c.oid)) {
                self.inherit_check(oid, check)?;
            }
        }
        Ok(())
    }

    fn drop_column_tree(
        &mut self,
        table: Table,
        if_exists: bool,
        column: &ast::Ident,
        cascade: bool,
        only: bool,
    ) -> Result<()> {
        let name = ident(column);
        let exists = table.column(&name).is_some();
        self.refuse_partition_key(&table, column, "drop")?;
        let children = self.children(table.oid);
        if table.is_partitioned() && only && !children.is_empty() {
            let error = err!(
                INVALID_TABLE_DEFINITION,
                "cannot drop column from only the partitioned table when partitions exist"
            );
            return Err(error.hint("Do not specify the ONLY keyword."));
        }
        self.drop_column(table.clone(), if_exists, column, cascade)?;
        if !exists {
            return Ok(());
        }
        for oid in children {
            let mut child = self.current(oid)?;
            let Some(number) = child.column(&name).map(|c| c.number) else { continue };
            let own = column_mut(&mut child, number)?;
            if own.origin.inherited <= 1 && own.origin.not_local && !only {
                self.drop_column_tree(child, false, column, cascade, false)?;
                continue;
            }
            own.origin.inherited = own.origin.inherited.saturating_sub(1);
            if only {
                own.origin.not_local = false;
            }
            self.put(Entry::Table(child));
        }
        Ok(())
    }

    fn rename_column_tree(&mut self, oid: Oid, old: &ast::Ident, new: &ast::Ident) -> Result<()> {
        for oid in self.catalog().descendants(oid) {
            let table = self.current(oid)?;
            self.rename_column(table, old, new)?;
        }
        Ok(())
    }

    /// Gives a child a CHECK of its parent, and those below it.
    pub(super) fn inherit_check(&mut self, child: Oid, check: &Constraint) -> Result<()> {
        let ConstraintKind::Check { expr } = &check.kind else { return Ok(()) };
        if check.attributes.no_inherit {
            return Ok(());
        }
        let mut child = self.current(child)?;
        let table_name = child.name.clone();
        match child.constraints.iter_mut().find(|c| c.name == check.name) {
            Some(own) if own.kind == check.kind => {
                own.origin.inherited += 1;
                let message = format!("merging constraint \"{}\" with inherited definition", check.name);
                self.put(Entry::Table(child.clone()));
                self.notice(SqlState::SUCCESSFUL_COMPLETION, message);
                return Ok(());
            }
            Some(_) => return Err(super::create::duplicate_constraint(&check.name, &table_name)),
            None => {
                if !check.attributes.not_valid {
                    self.check_rows(&child, &check.name, expr)?;
                }
                let oid = self.allocate();
                child.constraints.push(Constraint { oid, origin: Origin::inherited(), ..check.clone() });
                self.put(Entry::Table(child.clone()));
            }
        }
        for below in self.children(child.oid) {
            self.inherit_check(below, check)?;
        }
        Ok(())
    }

    /// Takes a CHECK of a parent away from the tables below.
    pub(super) fn disinherit_check(&mut self, child: Oid, name: &str, only: bool) -> Result<()> {
        let mut child = self.current(child)?;
        let Some(own) = child.constraints.iter_mut().find(|c| c.name == name) else { return Ok(()) };
        own.origin.inherited = own.origin.inherited.saturating_sub(1);
        if only {
            own.origin.not_local = false;
        }
        let goes = own.origin.inherited == 0 && own.origin.not_local;
        if goes {
            child.constraints.retain(|c| c.name != name);
        }
        self.put(Entry::Table(child.clone()));
        if goes {
            for below in self.children(child.oid) {
                self.disinherit_check(below, name, false)?;
            }
        }
        Ok(())
    }

    /// Takes a NOT NULL of a parent away from the tables below.
    pub(super) fn disinherit_not_null(&mut self, child: Oid, name: &str, only: bool) -> Result<()> {
        let mut child = self.current(child)?;
        let Some(number) = child.column(name).map(|c| c.number) else { return Ok(()) };
        let kind = ConstraintKind::NotNull { column: number };
        let Some(own) = child.constraints.iter_mut().find(|c| c.kind == kind) else { return Ok(()) };
        own.origin.inherited = own.origin.inherited.saturating_sub(1);
        if only {
            own.origin.not_local = false;
        }
        let goes = own.origin.inherited == 0 && own.origin.not_local;
        if goes {
            column_mut(&mut child, number)?.not_null = false;
            self.name_not_nulls(&mut child, &[])?;
        }
        self.put(Entry::Table(child.clone()));
        if goes {
            for below in self.children(child.oid) {
                self.disinherit_not_null(below, name, false)?;
            }
        }
        Ok(())
    }

    fn add_parent(&mut self, child: Table, parent: &ast::ObjectName) -> Result<()> {
        let entry = self.relation(parent)?;
        let Entry::Table(parent) = &*entry else {
            return Err(err!(
                WRONG_OBJECT_TYPE,
                "ALTER action INHERIT cannot be performed on relation \"{}\"",
                entry.name()
            ));
        };
        self.must_own(&entry)?;
        if child.is_partitioned() {
            return Err(err!(
                WRONG_OBJECT_TYPE,
                "ALTER action INHERIT cannot be performed on relation \"{}\"",
                child.name
            )
            .detail("This operation is not supported for partitioned tables."));
        }
        if child.bound.is_some() {
            return Err(err!(WRONG_OBJECT_TYPE, "cannot change inheritance of a partition"));
        }
        self.may_be_parent(parent)?;
        if is_temporary(parent.oid) && !is_temporary(child.oid) {
            return Err(err!(WRONG_OBJECT_TYPE, "cannot inherit from temporary relation \"{}\"", parent.name));
        }
        if child.parents.contains(&parent.oid) {
            let message = format!("relation \"{}\" would be inherited from more than once", parent.name);
            return Err(Error::new(SqlState::DUPLICATE_TABLE, message));
        }
        if self.catalog().descendants(child.oid).contains(&parent.oid) {
            return Err(err!(DUPLICATE_TABLE, "circular inheritance not allowed")
                .detail(format!("\"{}\" is already a child of \"{}\".", parent.name, child.name)));
        }
        self.adopt(parent, child)
    }

    /// Makes a table a child: its columns and constraints must be those of the parent.
    pub(super) fn adopt(&mut self, parent: &Table, mut child: Table) -> Result<()> {
        for theirs in parent.live_columns() {
            let name = &theirs.name;
            let Some(own) = child.column(name) else {
                return Err(err!(DATATYPE_MISMATCH, "child table is missing column \"{name}\""));
            };
            if own.declared() != theirs.declared() {
                return Err(err!(
                    DATATYPE_MISMATCH,
                    "child table \"{}\" has different type for column \"{name}\"",
                    child.name
                ));
            }
            if inherits_not_null(parent, theirs) && !own.not_null {
                return Err(err!(
                    DATATYPE_MISMATCH,
                    "column \"{name}\" in child table \"{}\" must be marked NOT NULL",
                    child.name
                ));
            }
            match (theirs.generated.is_some(), own.generated.is_some()) {
                (true, false) => {
                    return Err(err!(DATATYPE_MISMATCH, "column \"{name}\" in child table must be a generated column"));
                }
                (false, true) => {
                    return Err(err!(
                        DATATYPE_MISMATCH,
                        "column \"{name}\" in child table must not be a generated column"
                    ));
                }
                _ => {}
            }
            let number = own.number;
            let origin = &mut column_mut(&mut child, number)?.origin;
            origin.inherited += 1;
            origin.not_local |= parent.is_partitioned();
        }
        for theirs in &parent.constraints {
            if !matches!(theirs.kind, ConstraintKind::Check { .. }) || theirs.attributes.no_inherit {
                continue;
            }
            let (name, table) = (&theirs.name, child.name.clone());
            let Some(own) = child.constraints.iter_mut().find(|c| c.name == *name) else {
                return Err(err!(DATATYPE_MISMATCH, "child table is missing constraint \"{name}\""));
            };
            if own.kind != theirs.kind {
                return Err(err!(
                    DATATYPE_MISMATCH,
                    "child table \"{table}\" has different definition for check constraint \"{name}\""
                ));
            }
            if own.attributes.no_inherit {
                return Err(err!(
                    OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "constraint \"{name}\" conflicts with non-inherited constraint on child table \"{table}\""
                ));
            }
            own.origin.inherited += 1;
            own.origin.not_local |= parent.is_partitioned();
        }
        for theirs in parent.live_columns().filter(|c| inherits_not_null(parent, c)) {
            let Some(number) = child.column(&theirs.name).map(|c| c.number) else { continue };
            let kind = ConstraintKind::NotNull { column: number };
            for own in child.constraints.iter_mut().filter(|c| c.kind == kind) {
                own.origin.inherited += 1;
                own.origin.not_local |= parent.is_partitioned();
            }
        }
        child.parents.push(parent.oid);
        self.put(Entry::Table(child));
        Ok(())
    }

    fn drop_parent(&mut self, child: Table, parent: &ast::ObjectName) -> Result<()> {
        let parent = self.table(parent)?;
        if child.bound.is_some() {
            return Err(err!(WRONG_OBJECT_TYPE, "cannot change inheritance of a partition"));
        }
        if !child.parents.contains(&parent.oid) {
            return Err(err!(
                UNDEFINED_TABLE,
                "relation \"{}\" is not a parent of relation \"{}\"",
                parent.name,
                child.name
            ));
        }
        self.release_child(&parent, child)
    }

    /// A child is on its own again: what it had from the parent stays.
    pub(super) fn release_child(&mut self, parent: &Table, mut child: Table) -> Result<()> {
        let less = |origin: &mut Origin| {
            origin.inherited = origin.inherited.saturating_sub(1);
            if origin.inherited == 0 {
                origin.not_local = false;
            }
        };
        for theirs in parent.live_columns() {
            if let Some(number) = child.column(&theirs.name).map(|c| c.number) {
                less(&mut column_mut(&mut child, number)?.origin);
            }
        }
        for theirs in parent.constraints.iter().filter(|c| matches!(c.kind, ConstraintKind::Check { .. })) {
            let own = child.constraints.iter_mut().find(|c| c.name == theirs.name && c.kind == theirs.kind);
            own.into_iter().for_each(|c| less(&mut c.origin));
        }
        for theirs in parent.live_columns().filter(|c| inherits_not_null(parent, c)) {
            let number = child.column(&theirs.name).map(|c| c.number);
            let of =
                |c: &&mut Constraint| matches!(c.kind, ConstraintKind::NotNull { column } if Some(column) == number);
            child.constraints.iter_mut().filter(of).for_each(|c| less(&mut c.origin));
        }
        child.parents.retain(|p| *p != parent.oid);
        self.put(Entry::Table(child));
        Ok(())
    }
}
