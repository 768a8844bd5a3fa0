//! FOREIGN KEY: making, validating and dropping one.

use std::collections::HashMap;
use std::ops::Bound;

use crate::document::{Datum, Oid};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::exec::foreign_key::{Link, can_refer};
use crate::sql::parser::ident;
use crate::sql::statement::{ConstraintAttributes, ForeignKeyReference, ReferentialAction, ast};
use crate::sql::types;
use crate::storage::catalog::{
    Constraint, ConstraintFlags, ConstraintKind, Entry, ForeignKey, ForeignKeyAction, Index, IndexSource, Table,
    is_temporary,
};
use crate::storage::evaluator::NamedKey;

use super::Ddl;
use super::create::{duplicate_constraint, free_constraint_name};

/// A foreign key to be made.
#[derive(Clone)]
pub(super) struct ForeignKeySpec {
    pub name: Option<String>,
    pub columns: Vec<String>,
    pub reference: ForeignKeyReference,
    pub flags: ConstraintFlags,
}

/// What the attributes of a column's CHECK say.
pub(super) fn column_check_flags(attributes: &ConstraintAttributes) -> Result<ConstraintFlags> {
    let misplaced = match attributes {
        ConstraintAttributes { deferrable: Some(true), .. } => "DEFERRABLE",
        ConstraintAttributes { deferrable: Some(false), .. } => "NOT DEFERRABLE",
        ConstraintAttributes { initially_deferred: Some(true), .. } => "INITIALLY DEFERRED",
        ConstraintAttributes { initially_deferred: Some(false), .. } => "INITIALLY IMMEDIATE",
        _ => return flags_of(attributes, false, true),
    };
    Err(err!(SYNTAX_ERROR, "misplaced {misplaced} clause"))
}

/// What a constraint's attributes say. `enforceable`: NOT ENFORCED may be said of it.
pub(super) fn flags_of(
    attributes: &ConstraintAttributes,
    deferrable: bool,
    enforceable: bool,
) -> Result<ConstraintFlags> {
    let wants_deferral = attributes.deferrable == Some(true) || attributes.initially_deferred == Some(true);
    if wants_deferral && !deferrable {
        return Err(err!(FEATURE_NOT_SUPPORTED, "CHECK constraints cannot be marked DEFERRABLE"));
    }
    if attributes.initially_deferred == Some(true) && attributes.deferrable == Some(false) {
        return Err(err!(SYNTAX_ERROR, "constraint declared INITIALLY DEFERRED must be DEFERRABLE"));
    }
    if attributes.enforced == Some(false) && !enforceable {
        return Err(err!(FEATURE_NOT_SUPPORTED, "constraints of this kind cannot be marked NOT ENFORCED"));
    }
    Ok(ConstraintFlags {
        deferrable: wants_deferral,
        deferred: attributes.initially_deferred == Some(true),
        not_valid: attributes.not_valid,
        not_enforced: attributes.enforced == Some(false),
        no_inherit: false,
    })
}

impl Ddl<'_> {
    /// Makes a foreign key. `is_new`: the table has no rows from before.
    pub(super) fn add_foreign_key(&mut self, table: &mut Table, spec: &ForeignKeySpec, is_new: bool) -> Result<()> {
        let parent = self.referenced_table(table, &spec.reference.table)?;
        refuse_temporary_deferral(table, spec.flags)?;
        match (is_temporary(table.oid), is_temporary(parent.oid)) {
            (true, false) => {
                return Err(err!(
                    INVALID_TABLE_DEFINITION,
                    "constraints on temporary tables may reference only temporary tables"
                ));
            }
            (true, true) => return Err(Error::unsupported("a foreign key of a temporary table")),
            (false, true) => {
                return Err(err!(
                    INVALID_TABLE_DEFINITION,
                    "constraints on permanent tables may reference only permanent tables"
                ));
            }
            _ => {}
        }
        let mut columns = Vec::new();
        for name in &spec.columns {
            let column = table.column(name).ok_or_else(|| {
                err!(UNDEFINED_COLUMN, "column \"{name}\" referenced in foreign key constraint does not exist")
            })?;
            if column.is_virtual() {
                return Err(err!(
                    FEATURE_NOT_SUPPORTED,
                    "foreign key constraints on virtual generated columns are not supported"
                ));
            }
            columns.push(column.number);
        }
        let (index, referenced) = self.referenced_index(&parent, &spec.reference.columns, columns.len())?;
        let mut set_columns = Vec::new();
        for name in set_list(&spec.reference.on_delete) {
            let name = ident(name);
            let number = table.column(&name).map(|c| c.number).ok_or_else(|| {
                err!(UNDEFINED_COLUMN, "column \"{name}\" referenced in foreign key constraint does not exist")
            })?;
            if !columns.contains(&number) {
                return Err(err!(
                    INVALID_COLUMN_REFERENCE,
                    "column \"{name}\" referenced in ON DELETE SET action must be part of foreign key"
                ));
            }
            if !set_columns.contains(&number) {
                set_columns.push(number);
            }
        }
        if !set_list(&spec.reference.on_update).is_empty() {
            let what = action(&spec.reference.on_update).words();
            return Err(err!(
                FEATURE_NOT_SUPPORTED,
                "a column list with {what} is only supported for ON DELETE actions"
            ));
        }
        self.refuse_generated(table, &columns, spec)?;
        let name = match &spec.name {
            Some(name) if table.constraints.iter().any(|c| c.name == *name) => {
                return Err(duplicate_constraint(name, &table.name));
            }
            Some(name) => name.clone(),
            None => free_constraint_name(table, &table.name, &spec.columns.join("_"), "fkey"),
        };
        for (own, theirs) in columns.iter().zip(&referenced) {
            let (Some(own), Some(theirs)) = (table.column_by_number(*own), parent.column_by_number(*theirs)) else {
                return Err(Error::internal("the columns were found above"));
            };
            if !can_refer(own.typ, theirs.typ) {
                return Err(err!(DATATYPE_MISMATCH, "foreign key constraint \"{name}\" cannot be implemented").detail(
                    format!(
                        "Key columns \"{}\" of the referencing table and \"{}\" of the referenced table are of incompatible types: {} and {}.",
                        own.name,
                        theirs.name,
                        types::format_type(crate::document::Type::new(own.typ.oid)),
                        types::format_type(crate::document::Type::new(theirs.typ.oid))
                    ),
                ));
            }
        }
        let mut flags = spec.flags;
        let skips = flags.not_valid || flags.not_enforced;
        flags.not_valid = !is_new && flags.not_valid || flags.not_enforced;
        let kind = ConstraintKind::ForeignKey(ForeignKey {
            columns,
            table: parent.oid,
            referenced,
            index,
            match_full: spec.reference.match_full,
            on_update: action(&spec.reference.on_update),
            on_delete: action(&spec.reference.on_delete),
            set_columns,
        });
        let oid = self.allocate();
        let constraint = Constraint { oid, name, kind, attributes: flags, origin: Default::default() };
        table.constraints.push(constraint.clone());
        self.put(Entry::Table(table.clone()));
        if !is_new && !skips {
            self.validate_foreign_key(table, &constraint)?;
        }
        Ok(())
    }

    fn referenced_table(&self, table: &Table, name: &ast::ObjectName) -> Result<Table> {
        match self.find(name)? {
            Some(entry) => match &*entry {
                Entry::Table(parent) => Ok(parent.clone()),
                other => Err(err!(WRONG_OBJECT_TYPE, "referenced relation \"{}\" is not a table", other.name())),
            },
            None => {
                let written = self.written(name)?;
                if written == table.name {
                    return Ok(table.clone());
                }
                Err(err!(UNDEFINED_TABLE, "relation \"{written}\" does not exist"))
            }
        }
    }

    /// The unique index that a foreign key refers to, and the column numbers in the order written.
    fn referenced_index(&self, parent: &Table, written: &[ast::Ident], count: usize) -> Result<(Oid, Vec<i16>)> {
        let disagree =
            || err!(INVALID_FOREIGN_KEY, "number of referencing and referenced columns for foreign key disagree");
        let deferrable = |index: Oid| {
            let constraint = parent.constraints.iter().find(|c| c.index() == Some(index));
            constraint.is_some_and(|c| c.attributes.deferrable)
        };
        if written.is_empty() {
            let primary = parent.constraints.iter().find_map(|c| match &c.kind {
                ConstraintKind::PrimaryKey { columns, index } => Some((*index, columns.clone())),
                _ => None,
            });
            let Some((index, columns)) = primary else {
                return Err(err!(UNDEFINED_OBJECT, "there is no primary key for referenced table \"{}\"", parent.name));
            };
            if deferrable(index) {
                return Err(err!(
                    OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "cannot use a deferrable primary key for referenced table \"{}\"",
                    parent.name
                ));
            }
            return if columns.len() == count { Ok((index, columns)) } else { Err(disagree()) };
        }
        let mut numbers = Vec::new();
        for name in written {
            let name = ident(name);
            let column = parent.column(&name).ok_or_else(|| {
                err!(UNDEFINED_COLUMN, "column \"{name}\" referenced in foreign key constraint does not exist")
            })?;
            numbers.push(column.number);
        }
        if numbers.iter().enumerate().any(|(i, n)| numbers[..i].contains(n)) {
            return Err(err!(INVALID_FOREIGN_KEY, "foreign key referenced-columns list must not contain duplicates"));
        }
        let catalog = self.catalog();
        let fits = |index: &&Index| {
            index.unique
                && index.predicate.is_none()
                && index.keys.len() == numbers.len()
                && index.keys.iter().all(|k| matches!(k.source, IndexSource::Column(n) if numbers.contains(&n)))
        };
        let mut found: Vec<Oid> = catalog.indexes_of(parent.oid).filter(fits).map(|i| i.oid).collect();
        if let Some(index) = found.iter().copied().find(|index| !deferrable(*index)) {
            return if numbers.len() == count { Ok((index, numbers)) } else { Err(disagree()) };
        }
        match found.pop() {
            Some(_) => Err(err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "cannot use a deferrable unique constraint for referenced table \"{}\"",
                parent.name
            )),
            None => Err(err!(
                INVALID_FOREIGN_KEY,
                "there is no unique constraint matching given keys for referenced table \"{}\"",
                parent.name
            )),
        }
    }

    /// What a foreign key over a generated column cannot do.
    fn refuse_generated(&self, table: &Table, columns: &[i16], spec: &ForeignKeySpec) -> Result<()> {
        let is_generated = |n: &i16| table.column_by_number(*n).is_some_and(|c| c.generated.is_some());
        if !columns.iter().any(is_generated) {
            return Ok(());
        }
        let (update, delete) = (action(&spec.reference.on_update), action(&spec.reference.on_delete));
        let sets = |a: ForeignKeyAction| matches!(a, ForeignKeyAction::SetNull | ForeignKeyAction::SetDefault);
        let refuse = |what: &str| {
            Err(err!(SYNTAX_ERROR, "invalid {what} action for foreign key constraint containing generated column"))
        };
        if sets(update) || update == ForeignKeyAction::Cascade {
            return refuse("ON UPDATE");
        }
        if sets(delete) { refuse("ON DELETE") } else { Ok(()) }
    }

    /// Checks the rows that are there against a foreign key.
    pub(super) fn validate_foreign_key(&self, table: &Table, constraint: &Constraint) -> Result<()> {
        let Some(link) = Link::new(&self.catalog(), table, constraint)? else { return Ok(()) };
        let mut named: HashMap<Vec<u8>, Vec<Datum>> = HashMap::new();
        self.each_row(table, |row| {
            match link.named(&row)? {
                NamedKey::Nothing => {}
                NamedKey::Key(key) => {
                    named.entry(key).or_insert(row);
                }
                NamedKey::Impossible | NamedKey::Mixed => return Err(link.missing_error(&row)),
            }
            Ok(())
        })?;
        if named.is_empty() {
            return Ok(());
        }
        let catalog = self.catalog();
        for (parent, index) in link.targets() {
            let parent = self.current(*parent)?;
            let keys = crate::exec::evaluator::index_function(&catalog, &parent, index)?;
            let mut scan = self.view.scan(&parent, &(Bound::Unbounded, Bound::Unbounded), Default::default());
            while scan.advance()? {
                self.shared.cancel.check()?;
                if let Some(values) = keys.values(scan.row())? {
                    named.remove(&keys.encode(&values));
                }
            }
        }
        match named.values().next() {
            Some(row) => Err(link.missing_error(row)),
            None => Ok(()),
        }
    }

    /// VALIDATE CONSTRAINT.
    pub(super) fn validate_constraint(&mut self, mut table: Table, name: &str) -> Result<()> {
        let constraint = self.find_constraint(&table, name)?.clone();
        match &constraint.kind {
            ConstraintKind::ForeignKey(_) | ConstraintKind::Check { .. } | ConstraintKind::NotNull { .. } => {}
            _ => {
                return Err(err!(
                    WRONG_OBJECT_TYPE,
                    "cannot validate constraint \"{name}\" of relation \"{}\"",
                    table.name
                )
                .detail("This operation is not supported for this type of constraint."));
            }
        }
        if constraint.attributes.not_enforced {
            return Err(err!(WRONG_OBJECT_TYPE, "cannot validate NOT ENFORCED constraint"));
        }
        if !constraint.attributes.not_valid {
            return Ok(());
        }
        match &constraint.kind {
            ConstraintKind::Check { expr } => self.check_rows(&table, &constraint.name, expr)?,
            ConstraintKind::NotNull { column } => self.refuse_nulls(&table, &[*column])?,
            _ => self.validate_foreign_key(&table, &constraint)?,
        }
        for c in table.constraints.iter_mut().filter(|c| c.oid == constraint.oid) {
            c.attributes.not_valid = false;
        }
        self.put(Entry::Table(table));
        Ok(())
    }

    /// ALTER CONSTRAINT.
    pub(super) fn alter_constraint(
        &mut self,
        mut table: Table,
        name: &str,
        attributes: &ConstraintAttributes,
        inherit: Option<bool>,
    ) -> Result<()> {
        let constraint = self.find_constraint(&table, name)?.clone();
        if inherit.is_some() {
            return Err(Error::unsupported("ALTER CONSTRAINT with INHERIT"));
        }
        if constraint.foreign_key().is_none() {
            return Err(err!(
                WRONG_OBJECT_TYPE,
                "constraint \"{name}\" of relation \"{}\" is not a foreign key constraint",
                table.name
            ));
        }
        let mut flags = constraint.attributes;
        if let Some(enforced) = attributes.enforced {
            if enforced && flags.not_enforced {
                let mut wanted = constraint.clone();
                wanted.attributes.not_enforced = false;
                self.validate_foreign_key(&table, &wanted)?;
            }
            (flags.not_enforced, flags.not_valid) = (!enforced, !enforced);
        }
        if attributes.deferrable.is_some() || attributes.initially_deferred.is_some() {
            let deferred = attributes.initially_deferred == Some(true);
            flags.deferrable = attributes.deferrable.unwrap_or(deferred);
            flags.deferred = deferred;
        }
        for c in table.constraints.iter_mut().filter(|c| c.oid == constraint.oid) {
            c.attributes = flags;
        }
        self.put(Entry::Table(table));
        Ok(())
    }

    /// The foreign keys of other tables (and of a table itself) that rely on an index.
    pub(super) fn foreign_keys_on(&self, table: Oid, index: Oid) -> Vec<(Oid, Constraint)> {
        let catalog = self.catalog();
        let on = catalog.foreign_keys_to(table);
        on.filter(|(_, c)| c.foreign_key().is_some_and(|k| k.index == index)).map(|(t, c)| (t.oid, c.clone())).collect()
    }

    /// Removes foreign keys.
    pub(super) fn remove_foreign_keys(&mut self, keys: &[(Oid, Oid)]) -> Result<()> {
        for (table, constraint) in keys {
            let Some(mut table) = self.catalog().table(*table).cloned() else { continue };
            table.constraints.retain(|c| c.oid != *constraint);
            self.put(Entry::Table(table));
        }
        Ok(())
    }

    /// Refuses to lose what foreign keys rely on, or with CASCADE drops them with a notice. `subject` is what is dropped,
    /// `on` what they depend on.
    pub(super) fn release_foreign_keys(
        &mut self,
        keys: Vec<(Oid, Constraint)>,
        subject: &str,
        on: &str,
        cascade: bool,
    ) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let catalog = self.catalog();
        let shown = |oid: Oid| catalog.get(oid).map(|e| self.shown(e)).unwrap_or_default();
        let names: Vec<String> =
            keys.iter().map(|(t, c)| format!("constraint {} on table {}", c.name, shown(*t))).collect();
        if !cascade {
            let detail: Vec<String> = names.iter().map(|n| format!("{n} depends on {on}")).collect();
            return Err(err!(
                DEPENDENT_OBJECTS_STILL_EXIST,
                "cannot drop {subject} because other objects depend on it"
            )
            .detail(detail.join("\n"))
            .hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        let report = match names.as_slice() {
            [one] => Error::new(SqlState::SUCCESSFUL_COMPLETION, format!("drop cascades to {one}")),
            many => {
                let list: Vec<String> = many.iter().map(|n| format!("drop cascades to {n}")).collect();
                let text = format!("drop cascades to {} other objects", many.len());
                Error::new(SqlState::SUCCESSFUL_COMPLETION, text).detail(list.join("\n"))
            }
        };
        self.shared.notice("NOTICE", report);
        let keys: Vec<(Oid, Oid)> = keys.iter().map(|(t, c)| (*t, c.oid)).collect();
        self.remove_foreign_keys(&keys)
    }
}

/// What a temporary table has is not seen by `apply`, which is who checks at commit.
pub(super) fn refuse_temporary_deferral(table: &Table, flags: ConstraintFlags) -> Result<()> {
    match flags.deferrable && is_temporary(table.oid) {
        true => Err(Error::unsupported("a deferrable constraint of a temporary table")),
        false => Ok(()),
    }
}

fn set_list(action: &ReferentialAction) -> &[ast::Ident] {
    match action {
        ReferentialAction::SetNull(columns) | ReferentialAction::SetDefault(columns) => columns,
        _ => &[],
    }
}

fn action(written: &ReferentialAction) -> ForeignKeyAction {
    match written {
        ReferentialAction::NoAction => ForeignKeyAction::NoAction,
        ReferentialAction::Restrict => ForeignKeyAction::Restrict,
        ReferentialAction::Cascade => ForeignKeyAction::Cascade,
        ReferentialAction::SetNull(_) => ForeignKeyAction::SetNull,
        ReferentialAction::SetDefault(_) => ForeignKeyAction::SetDefault,
    }
}
