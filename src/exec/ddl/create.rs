//! CREATE TABLE, and new tables for CREATE TABLE AS.

use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::parser::ident;
use crate::sql::statement::{
    ColumnConstraint, ColumnConstraintKind, ColumnDefinition, CreateTable, LikeClause, PartitionBy, Persistence,
    SequenceOptions, StorageOption, TableConstraint, TableConstraintKind, ast,
};
use crate::sql::types;
use crate::storage::catalog::{
    Column, Constraint, ConstraintFlags, ConstraintKind, Entry, Generated, Identity, IndexSource, MaterializedView,
    ObjectClass, Origin, Table, is_temporary,
};

use super::Ddl;
use super::foreign_key::{ForeignKeySpec, column_check_flags, flags_of, refuse_temporary_deferral};
use super::index::{KeySpec, NewIndex};

/// Columns of a table at most.
const COLUMNS_MAX: usize = 1_600;
const SYSTEM_COLUMNS: &[&str] = &["tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"];

/// A UNIQUE or PRIMARY KEY to be made with the table.
#[derive(Clone)]
pub(super) struct UniqueSpec {
    pub name: Option<String>,
    pub primary: bool,
    pub columns: Vec<String>,
    pub include: Vec<String>,
    pub nulls_not_distinct: bool,
    pub flags: ConstraintFlags,
    /// The index and constraint of the partitioned table that it is a part of.
    pub parent: Option<(Oid, Oid)>,
}

/// A NOT NULL that is named.
#[derive(Clone)]
pub(super) struct NotNullSpec {
    pub column: String,
    pub name: Option<String>,
    pub flags: ConstraintFlags,
}

/// A CHECK to be made.
#[derive(Clone)]
pub(super) struct CheckSpec {
    pub name: Option<String>,
    pub text: String,
    /// The column it is written at.
    pub column: Option<String>,
    pub flags: ConstraintFlags,
}

/// Everything that column definitions and table constraints ask for.
#[derive(Default)]
pub(super) struct Parts {
    pub columns: Vec<Column>,
    pub uniques: Vec<UniqueSpec>,
    pub checks: Vec<CheckSpec>,
    pub foreign_keys: Vec<ForeignKeySpec>,
    /// Columns that want a sequence: position, type of the sequence, identity (ALWAYS?), options.
    pub sequences: Vec<(usize, Type, Option<bool>, SequenceOptions)>,
    /// DEFAULTs to be checked: column and text.
    pub defaults: Vec<(usize, String)>,
    /// Generated columns to be checked.
    pub generated: Vec<(usize, ast::Expr)>,
    /// NOT NULLs that have a name or options.
    pub not_nulls: Vec<NotNullSpec>,
    /// CHECKs of the parents.
    pub inherited: Vec<Constraint>,
    /// The table's name.
    pub table: String,
    /// How many columns were defined before the one that is read.
    pub own: usize,
    /// Columns whose parents have different defaults.
    pub conflicting: Vec<String>,
}

/// A table without rows and columns.
pub(crate) fn new_table(oid: Oid, row_type: Oid, schema: Oid, name: String, owner: Oid) -> Table {
    Table { oid, schema, name, owner, row_type, storage: oid, ..Table::default() }
}

/// The columns of a table that takes the rows of a query.
pub(crate) fn table_from_columns(columns: &[(String, Type)]) -> Result<Vec<Column>> {
    let mut made: Vec<Column> = Vec::with_capacity(columns.len());
    for (name, typ) in columns {
        if made.iter().any(|c| c.name == *name) {
            return Err(err!(DUPLICATE_COLUMN, "column \"{name}\" specified more than once"));
        }
        let typ = if typ.oid == Type::UNKNOWN.oid { Type::TEXT } else { *typ };
        check_column(name, typ)?;
        made.push(new_column(made.len(), name.clone(), typ));
    }
    Ok(made)
}

pub(super) fn new_column(position: usize, name: String, typ: Type) -> Column {
    Column {
        number: position as i16 + 1,
        name,
        typ,
        domain: None,
        not_null: false,
        default: None,
        identity: None,
        dropped: false,
        missing: None,
        generated: None,
        origin: Default::default(),
        physical: Default::default(),
    }
}

/// Types that no column can have.
pub(super) fn is_pseudo(oid: Oid) -> bool {
    oid == Type::UNKNOWN.oid || types::category(oid) == 'P'
}

fn check_column(name: &str, typ: Type) -> Result<()> {
    if SYSTEM_COLUMNS.contains(&name) {
        return Err(err!(DUPLICATE_COLUMN, "column name \"{name}\" conflicts with a system column name"));
    }
    if is_pseudo(typ.oid) {
        let type_name = types::format_type(typ);
        return Err(err!(INVALID_TABLE_DEFINITION, "column \"{name}\" has pseudo-type {type_name}"));
    }
    Ok(())
}

/// The integer type behind a serial type.
fn serial_type(data_type: &ast::DataType) -> Option<Type> {
    match data_type.to_string().to_ascii_lowercase().as_str() {
        "smallserial" | "serial2" => Some(Type::INT2),
        "serial" | "serial4" => Some(Type::INT4),
        "bigserial" | "serial8" => Some(Type::INT8),
        _ => None,
    }
}

/// Checks the options of WITH (...).
pub(super) fn check_options(options: &[StorageOption]) -> Result<Vec<(String, String)>> {
    options
        .iter()
        .map(|option| match (option.name.as_str(), option.value.as_deref()) {
            ("fillfactor", Some(value)) => match value.parse::<i64>() {
                Ok(v) if (10..=100).contains(&v) => Ok((option.name.clone(), value.to_string())),
                Ok(v) => Err(err!(INVALID_PARAMETER_VALUE, "value {v} out of bounds for option \"fillfactor\"")
                    .detail("Valid values are between \"10\" and \"100\".")),
                Err(_) => {
                    Err(err!(INVALID_PARAMETER_VALUE, "invalid value for integer option \"fillfactor\": {value}"))
                }
            },
            (name, _) => Err(err!(INVALID_PARAMETER_VALUE, "unrecognized parameter \"{name}\"")),
        })
        .collect()
}

impl Ddl<'_> {
    pub(super) fn create_table(&mut self, create: &CreateTable) -> Result<()> {
        if create.of_type.is_some() {
            return Err(Error::unsupported("CREATE TABLE OF"));
        }
        self.check_placement(create.access_method.as_ref(), create.tablespace.as_ref())?;
        let options = check_options(&create.options)?;
        let (schema, name) = self.creation_target(&create.table, create.persistence)?;
        let persistence = self.persistence(create.persistence, create.on_commit)?;
        if self.catalog().relation(schema, &name).is_some() {
            if create.if_not_exists {
                self.notice(
                    crate::error::SqlState::DUPLICATE_TABLE,
                    format!("relation \"{name}\" already exists, skipping"),
                );
                return Ok(());
            }
            return Err(err!(DUPLICATE_TABLE, "relation \"{name}\" already exists"));
        }
        self.refuse_row_type_name(schema, &name)?;
        let mut parts = Parts { table: name.clone(), ..Parts::default() };
        let mut parents = self.named_parents(create)?;
        if let Some((parent, _)) = &create.partition_of {
            let entry = self.relation(parent)?;
            self.must_own(&entry)?;
            let Entry::Table(parent) = &*entry else {
                return Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is not partitioned", entry.name()));
            };
            if !parent.is_partitioned() {
                return Err(crate::exec::tree::not_partitioned(parent));
            }
            self.refuse_mixed_persistence(parent, self.temporary, false)?;
            parents.push(parent.clone());
        }
        self.inherit_parts(&parents, &mut parts)?;
        for (column, constraints) in &create.column_options {
            self.column_options(column, constraints, &name, &mut parts)?;
        }
        for (i, definition) in create.columns.iter().enumerate() {
            self.copy_like(&create.likes, i, &mut parts)?;
            parts.own = i;
            self.column_definition(definition, &name, &mut parts)?;
        }
        self.copy_like(&create.likes, create.columns.len(), &mut parts)?;
        for constraint in &create.constraints {
            self.table_constraint(constraint, &mut parts)?;
        }
        self.refuse_conflicts(&parts)?;
        if parts.columns.len() > COLUMNS_MAX {
            return Err(err!(TOO_MANY_COLUMNS, "tables can have at most {COLUMNS_MAX} columns"));
        }
        let (oid, row_type, owner) = (self.allocate(), self.allocate_row_type()?, self.owner());
        let mut table = new_table(oid, row_type, schema, name, owner);
        table.options = options;
        table.persistence = persistence;
        table.parents = parents.iter().map(|p| p.oid).collect();
        if let (Some((_, spec)), Some(parent)) = (&create.partition_of, parents.first()) {
            table.bound = Some(self.partition_bound(parent, &table.name, spec)?);
            parts.uniques.extend(self.keys_for_partition(parent));
        }
        self.finish_table(table, parts, create.partition_by.as_ref())?;
        for like in &create.likes {
            self.finish_like(like, oid)?;
        }
        if let (true, Some(parent)) = (create.partition_of.is_some(), parents.first()) {
            self.check_default_partition(parent)?;
            self.complete_partition(parent, oid)?;
        }
        Ok(())
    }

    /// Makes the table of CREATE TABLE AS; `None`: it is there already (IF NOT EXISTS).
    pub(crate) fn create_table_for(
        &mut self,
        create: &crate::sql::statement::CreateTableAs,
        columns: &[crate::exec::OutputColumn],
    ) -> Result<Option<Table>> {
        let (schema, name) = self.creation_target(&create.table, create.persistence)?;
        let persistence = self.persistence(create.persistence, create.on_commit)?;
        if self.catalog().relation(schema, &name).is_some() {
            if create.if_not_exists {
                self.notice(
                    crate::error::SqlState::DUPLICATE_TABLE,
                    format!("relation \"{name}\" already exists, skipping"),
                );
                return Ok(None);
            }
            return Err(err!(DUPLICATE_TABLE, "relation \"{name}\" already exists"));
        }
        self.refuse_row_type_name(schema, &name)?;
        if create.columns.len() > columns.len() {
            return Err(err!(SYNTAX_ERROR, "too many column names were specified"));
        }
        let named: Vec<(String, Type)> = columns
            .iter()
            .enumerate()
            .map(|(i, c)| (create.columns.get(i).map_or_else(|| c.name.clone(), ident), c.typ))
            .collect();
        let (oid, row_type, owner) = (self.allocate(), self.allocate_row_type()?, self.owner());
        let mut table = new_table(oid, row_type, schema, name, owner);
        table.columns = table_from_columns(&named)?;
        table.persistence = persistence;
        if create.materialized_view {
            let used = crate::exec::kept::bind_kept(&create.text, &self.whole_path_names(), &self.eval);
            if used.is_ok_and(|query| query.relations.iter().any(|(oid, _)| is_temporary(*oid))) {
                return Err(err!(FEATURE_NOT_SUPPORTED, "materialized views must not use temporary tables or views"));
            }
            let (query, search_path) = (create.text.clone(), self.path_names());
            table.view = Some(MaterializedView { query, search_path, populated: create.with_data });
        }
        self.put(Entry::Table(table.clone()));
        self.default_acl(ObjectClass::Relation, oid, schema);
        Ok(Some(table))
    }

    /// USING and TABLESPACE: only the one that there is.
    pub(super) fn check_placement(&self, method: Option<&ast::Ident>, tablespace: Option<&ast::Ident>) -> Result<()> {
        if let Some(method) = method.map(ident)
            && method != "heap"
        {
            return Err(err!(UNDEFINED_OBJECT, "access method \"{method}\" does not exist"));
        }
        self.check_tablespace(tablespace)
    }

    pub(super) fn check_tablespace(&self, tablespace: Option<&ast::Ident>) -> Result<()> {
        match tablespace.map(ident) {
            Some(name) if name != "pg_default" => Err(err!(UNDEFINED_OBJECT, "tablespace \"{name}\" does not exist")),
            _ => Ok(()),
        }
    }

    /// Reads one column definition.
    pub(super) fn column_definition(
        &mut self,
        definition: &ColumnDefinition,
        table: &str,
        parts: &mut Parts,
    ) -> Result<()> {
        let name = ident(&definition.name);
        // A column that a parent has too keeps its place.
        let inherited = parts.columns.iter().position(|c| c.name == name && c.origin.not_local);
        if inherited.is_none() && parts.columns.iter().any(|c| c.name == name && !c.dropped) {
            return Err(err!(DUPLICATE_COLUMN, "column \"{name}\" specified more than once"));
        }
        if let Some(collation) = &definition.collation {
            check_collation(collation)?;
        }
        let serial = serial_type(&definition.data_type);
        let typ = match serial {
            Some(typ) => typ,
            None => self.data_type(&definition.data_type)?,
        };
        check_column(&name, typ)?;
        let at = inherited.unwrap_or(parts.columns.len());
        let mut made = self.declared_column(at, name.clone(), typ);
        if let Some(word) = &definition.storage {
            made.physical.storage = super::physical::storage_letter(word, made.typ)?;
        }
        if let Some(word) = &definition.compression {
            made.physical.compression = super::physical::compression_letter(word, made.typ)?;
        }
        self.constrain_column(&mut made, at, serial, &definition.constraints, table, parts)?;
        match inherited {
            Some(at) => {
                let theirs = parts.columns[at].clone();
                self.merge_own(&theirs, &mut made, parts)?;
                parts.columns[at] = made;
            }
            None => parts.columns.push(made),
        }
        Ok(())
    }

    /// What PARTITION OF says of a column.
    fn column_options(
        &mut self,
        column: &ast::Ident,
        constraints: &[ColumnConstraint],
        table: &str,
        parts: &mut Parts,
    ) -> Result<()> {
        let name = ident(column);
        let Some(at) = parts.columns.iter().position(|c| c.name == name) else {
            return Err(err!(UNDEFINED_COLUMN, "column \"{name}\" does not exist"));
        };
        if !parts.columns[at].origin.not_local {
            return Err(err!(DUPLICATE_COLUMN, "column \"{name}\" specified more than once"));
        }
        let mut made = parts.columns[at].clone();
        let theirs = made.default.take();
        self.constrain_column(&mut made, at, None, constraints, table, parts)?;
        if made.default.is_none() && made.generated.is_none() {
            made.default = theirs;
        }
        made.origin.not_local = false;
        parts.columns[at] = made;
        Ok(())
    }

    /// Reads the constraints of a column.
    fn constrain_column(
        &mut self,
        made: &mut Column,
        at: usize,
        serial: Option<Type>,
        constraints: &[ColumnConstraint],
        table: &str,
        parts: &mut Parts,
    ) -> Result<()> {
        let (name, typ) = (made.name.clone(), made.typ);
        let mut nullable = false;
        if let Some(typ) = serial {
            made.not_null = true;
            parts.sequences.push((at, typ, None, SequenceOptions::default()));
        }
        for constraint in constraints {
            let attributes = &constraint.attributes;
            let constraint_name = constraint.name.as_ref().map(ident);
            match &constraint.kind {
                ColumnConstraintKind::NotNull { no_inherit } => {
                    made.not_null = true;
                    let flags = ConstraintFlags { no_inherit: *no_inherit, ..flags_of(attributes, false, false)? };
                    self.note_not_null(NotNullSpec { column: name.clone(), name: constraint_name, flags }, parts)?;
                }
                ColumnConstraintKind::Null => nullable = true,
                ColumnConstraintKind::Default(expression) => {
                    if made.default.is_some() || serial.is_some() {
                        return Err(err!(
                            SYNTAX_ERROR,
                            "multiple default values specified for column \"{name}\" of table \"{table}\""
                        ));
                    }
                    made.default = Some(expression.text.clone());
                    parts.defaults.push((at, expression.text.clone()));
                }
                ColumnConstraintKind::Check { expression, no_inherit } => parts.checks.push(CheckSpec {
                    name: constraint_name,
                    text: expression.text.clone(),
                    column: Some(name.clone()),
                    flags: ConstraintFlags { no_inherit: *no_inherit, ..column_check_flags(attributes)? },
                }),
                ColumnConstraintKind::Unique { nulls_not_distinct, options, tablespace } => {
                    check_options(options)?;
                    self.check_tablespace(tablespace.as_ref())?;
                    parts.uniques.push(UniqueSpec {
                        name: constraint_name,
                        primary: false,
                        columns: vec![name.clone()],
                        include: Vec::new(),
                        nulls_not_distinct: *nulls_not_distinct,
                        flags: flags_of(attributes, true, false)?,
                        parent: None,
                    });
                }
                ColumnConstraintKind::PrimaryKey { options, tablespace } => {
                    check_options(options)?;
                    self.check_tablespace(tablespace.as_ref())?;
                    parts.uniques.push(UniqueSpec {
                        name: constraint_name,
                        primary: true,
                        columns: vec![name.clone()],
                        include: Vec::new(),
                        nulls_not_distinct: false,
                        flags: flags_of(attributes, true, false)?,
                        parent: None,
                    });
                }
                ColumnConstraintKind::Identity { always, options } => {
                    if serial.is_some() || made.default.is_some() {
                        return Err(err!(
                            SYNTAX_ERROR,
                            "both default and identity specified for column \"{name}\" of table \"{table}\""
                        ));
                    }
                    check_identity_type(typ)?;
                    made.not_null = true;
                    parts.sequences.push((at, typ, Some(*always), options.clone()));
                }
                ColumnConstraintKind::Generated { expression, stored } => {
                    if made.generated.is_some() {
                        return Err(err!(
                            SYNTAX_ERROR,
                            "multiple generation clauses specified for column \"{name}\" of table \"{table}\""
                        ));
                    }
                    made.generated = Some(Generated { expr: expression.text.clone(), stored: *stored });
                    parts.generated.push((at, expression.expr.clone()));
                }
                ColumnConstraintKind::References(reference) => parts.foreign_keys.push(ForeignKeySpec {
                    name: constraint_name,
                    columns: vec![name.clone()],
                    reference: reference.clone(),
                    flags: flags_of(attributes, true, true)?,
                }),
            }
        }
        if made.generated.is_some() {
            let has_identity = parts.sequences.iter().any(|(position, _, _, _)| *position == at);
            let other = match () {
                () if made.default.is_some() || serial.is_some() => "default",
                () if has_identity => "identity",
                () => "",
            };
            if !other.is_empty() {
                return Err(err!(
                    SYNTAX_ERROR,
                    "both {other} and generation expression specified for column \"{name}\" of table \"{table}\""
                ));
            }
        }
        if nullable && made.not_null {
            return Err(err!(
                SYNTAX_ERROR,
                "conflicting NULL/NOT NULL declarations for column \"{name}\" of table \"{table}\""
            ));
        }
        Ok(())
    }

    /// Reads one table constraint.
    pub(super) fn table_constraint(&mut self, constraint: &TableConstraint, parts: &mut Parts) -> Result<()> {
        let attributes = &constraint.attributes;
        let name = constraint.name.as_ref().map(ident);
        match &constraint.kind {
            TableConstraintKind::Check { expression, no_inherit } => {
                let flags = ConstraintFlags { no_inherit: *no_inherit, ..flags_of(attributes, false, true)? };
                parts.checks.push(CheckSpec { name, text: expression.text.clone(), column: None, flags });
            }
            TableConstraintKind::NotNull { column, no_inherit } => {
                let column = ident(column);
                match parts.columns.iter_mut().find(|c| c.name == column && !c.dropped) {
                    Some(found) => found.not_null = true,
                    None => {
                        let table = parts.table.clone();
                        return Err(err!(
                            UNDEFINED_COLUMN,
                            "column \"{column}\" of relation \"{table}\" does not exist"
                        ));
                    }
                }
                let flags = ConstraintFlags { no_inherit: *no_inherit, ..flags_of(attributes, false, false)? };
                self.note_not_null(NotNullSpec { column, name, flags }, parts)?;
            }
            TableConstraintKind::Unique {
                primary,
                nulls_not_distinct,
                columns,
                without_overlaps,
                include,
                options,
                tablespace,
            } => {
                if *without_overlaps {
                    return Err(Error::unsupported("WITHOUT OVERLAPS"));
                }
                check_options(options)?;
                self.check_tablespace(tablespace.as_ref())?;
                parts.uniques.push(UniqueSpec {
                    name,
                    primary: *primary,
                    columns: columns.iter().map(ident).collect(),
                    include: include.iter().map(ident).collect(),
                    nulls_not_distinct: *nulls_not_distinct,
                    flags: flags_of(attributes, true, false)?,
                    parent: None,
                });
            }
            TableConstraintKind::UsingIndex { .. } => {
                return Err(Error::internal("USING INDEX is an action of ALTER TABLE"));
            }
            TableConstraintKind::ForeignKey { columns, reference } => parts.foreign_keys.push(ForeignKeySpec {
                name,
                columns: columns.iter().map(ident).collect(),
                reference: reference.clone(),
                flags: flags_of(attributes, true, true)?,
            }),
            TableConstraintKind::Exclude { .. } => return Err(Error::unsupported("an exclusion constraint")),
        }
        Ok(())
    }

    /// Copies what LIKE names into the definition.
    fn copy_like(&mut self, likes: &[LikeClause], position: usize, parts: &mut Parts) -> Result<()> {
        for like in likes.iter().filter(|l| l.position == position) {
            let source = self.like_source(&like.table)?;
            let including = |word: &str| like.includes(word);
            if including("indexes") {
                self.copy_keys(&source, parts);
            }
            for old in source.live_columns() {
                if parts.columns.iter().any(|c| c.name == old.name) {
                    return Err(err!(DUPLICATE_COLUMN, "column \"{}\" specified more than once", old.name));
                }
                let at = parts.columns.len();
                let mut new = self.declared_column(at, old.name.clone(), old.declared());
                new.not_null = old.not_null;
                if including("storage") {
                    new.physical.storage = old.physical.storage;
                }
                if including("compression") {
                    new.physical.compression = old.physical.compression;
                }
                let kind = ConstraintKind::NotNull { column: old.number };
                if let Some(theirs) = source.constraints.iter().find(|c| c.kind == kind) {
                    let (column, name) = (old.name.clone(), Some(theirs.name.clone()));
                    parts.not_nulls.push(NotNullSpec { column, name, flags: theirs.attributes });
                }
                if including("defaults") {
                    new.default.clone_from(&old.default);
                }
                if including("generated") {
                    new.generated.clone_from(&old.generated);
                }
                if let Some(identity) = old.identity.as_ref().filter(|_| including("identity")) {
                    parts.sequences.push((at, old.typ, Some(identity.always), SequenceOptions::default()));
                }
                parts.columns.push(new);
            }
            if including("constraints") {
                for constraint in &source.constraints {
                    if let ConstraintKind::Check { expr } = &constraint.kind {
                        parts.checks.push(CheckSpec {
                            name: Some(constraint.name.clone()),
                            text: expr.clone(),
                            column: None,
                            flags: constraint.attributes,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// What LIKE copies when the table is there: indexes without constraints, and comments.
    fn finish_like(&mut self, like: &LikeClause, oid: Oid) -> Result<()> {
        let (source, made) = (self.like_source(&like.table)?, self.current(oid)?);
        let catalog = self.catalog();
        if like.includes("indexes") {
            let held = |index: &Oid| source.constraints.iter().any(|c| c.index() == Some(*index));
            for index in catalog.indexes_of(source.oid).filter(|i| !held(&i.oid)) {
                let wanted = super::partition::mapped_index(&source, index, &made)?;
                let copy = self.index_like(&made, wanted, None)?;
                if like.includes("comments") {
                    self.copy_comment((index.oid, 0), (copy, 0));
                }
            }
        }
        if like.includes("comments") {
            for column in source.live_columns() {
                if let Some(own) = made.column(&column.name) {
                    self.copy_comment((source.oid, i32::from(column.number)), (oid, i32::from(own.number)));
                }
            }
        }
        Ok(())
    }

    /// What LIKE names: a table, or a view or composite type as one.
    fn like_source(&self, name: &ast::ObjectName) -> Result<Table> {
        let view = match self.find(name)?.as_deref() {
            Some(Entry::View(view)) => Some(view.clone()),
            Some(_) => return self.table(name),
            None => None,
        };
        if let Some(view) = view {
            let columns = view.columns.iter().enumerate();
            let columns = columns.map(|(at, (name, typ))| new_column(at, name.clone(), *typ)).collect();
            return Ok(Table { oid: view.oid, name: view.name, schema: view.schema, columns, ..Table::default() });
        }
        let (schema, written) = self.parts(name)?;
        let catalog = self.catalog();
        let path = match schema {
            Some(schema) => catalog.schema(self.shared.database, &schema).into_iter().collect(),
            None => self.shared.lock().search_path(self.shared.database).to_vec(),
        };
        let found = path.iter().find_map(|schema| catalog.types.get(&(*schema, written.clone())));
        match found.and_then(|oid| catalog.user_type(*oid)).map(|t| &t.kind) {
            Some(crate::storage::catalog::TypeKind::Composite { relation, columns }) => {
                Ok(Table { oid: *relation, name: written, columns: columns.clone(), ..Table::default() })
            }
            _ => self.table(name),
        }
    }

    fn copy_comment(&mut self, from: (Oid, i32), to: (Oid, i32)) {
        if let Some(text) = self.catalog().comments.get(&from).cloned() {
            self.change().comment(to, Some(text));
            self.publish();
        }
    }

    fn copy_keys(&self, source: &Table, parts: &mut Parts) {
        let catalog = self.catalog();
        let name = |number: &i16| source.column_by_number(*number).map(|c| c.name.clone()).unwrap_or_default();
        for constraint in &source.constraints {
            let (columns, primary) = match &constraint.kind {
                ConstraintKind::PrimaryKey { columns, .. } => (columns, true),
                ConstraintKind::Unique { columns, .. } => (columns, false),
                ConstraintKind::Check { .. } | ConstraintKind::ForeignKey(_) | ConstraintKind::NotNull { .. } => {
                    continue;
                }
            };
            let index = constraint.index().and_then(|oid| catalog.index(oid));
            parts.uniques.push(UniqueSpec {
                name: None,
                primary,
                columns: columns.iter().map(name).collect(),
                include: index.map(|i| i.include.iter().map(name).collect()).unwrap_or_default(),
                nulls_not_distinct: index.is_some_and(|i| i.nulls_not_distinct),
                flags: constraint.attributes,
                parent: None,
            });
        }
    }

    /// Makes the table with everything that was asked for.
    fn finish_table(&mut self, mut table: Table, parts: Parts, partition_by: Option<&PartitionBy>) -> Result<()> {
        let Parts {
            columns, uniques, checks, foreign_keys, sequences, defaults, generated, inherited, not_nulls, ..
        } = parts;
        table.columns = columns;
        if uniques.iter().filter(|u| u.primary).count() > 1 {
            return Err(err!(
                INVALID_TABLE_DEFINITION,
                "multiple primary keys for table \"{}\" are not allowed",
                table.name
            ));
        }
        // The primary key is the key of the rows: a read by it is one look-up.
        if let Some(primary) = uniques.iter().find(|u| u.primary) {
            for name in &primary.columns {
                let column = table.columns.iter_mut().find(|c| c.name == *name).ok_or_else(|| no_key_column(name))?;
                column.not_null = true;
                // Rows stored by it could not have the same key for a while.
                if !primary.flags.deferrable {
                    table.key.push(column.number);
                }
            }
        }
        for (position, typ, identity, options) in sequences {
            self.owned_sequence(&mut table, position, typ, identity, &options)?;
        }
        if let Some(written) = partition_by {
            table.partition_key = Some(self.partition_key(&table, written)?);
        }
        for constraint in inherited {
            table.constraints.push(Constraint { oid: self.allocate(), ..constraint });
        }
        self.name_not_nulls(&mut table, &not_nulls)?;
        self.put(Entry::Table(table.clone()));
        self.default_acl(ObjectClass::Relation, table.oid, table.schema);
        for (position, text) in &defaults {
            let kept = self.check_default(&table, &table.columns[*position], text)?;
            table.columns[*position].default = Some(kept);
        }
        if !defaults.is_empty() {
            self.put(Entry::Table(table.clone()));
        }
        for (position, written) in &generated {
            self.make_generated(&mut table, *position, written)?;
        }
        for check in &checks {
            if self.merge_check(&mut table, check)? {
                continue;
            }
            let mut constraint = self.check_constraint(&table, check)?;
            constraint.attributes.not_valid = constraint.attributes.not_enforced;
            table.constraints.push(constraint);
            self.put(Entry::Table(table.clone()));
        }
        // PostgreSQL makes the primary key's index first.
        for unique in uniques.iter().filter(|u| u.primary).chain(uniques.iter().filter(|u| !u.primary)) {
            self.unique_constraint(&mut table, unique, unique.primary && !unique.flags.deferrable)?;
        }
        for key in &foreign_keys {
            self.add_foreign_key(&mut table, key, true)?;
        }
        Ok(())
    }

    /// Notes a NOT NULL that is written: of one column all must have the same name.
    fn note_not_null(&self, spec: NotNullSpec, parts: &mut Parts) -> Result<()> {
        let Some(known) = parts.not_nulls.iter_mut().find(|k| k.column == spec.column) else {
            parts.not_nulls.push(spec);
            return Ok(());
        };
        match (&known.name, spec.name) {
            (Some(old), Some(new)) if *old != new => {
                return Err(err!(SYNTAX_ERROR, "conflicting not-null constraint names \"{old}\" and \"{new}\""));
            }
            (None, Some(new)) => known.name = Some(new),
            _ => {}
        }
        if known.flags.no_inherit != spec.flags.no_inherit {
            return Err(err!(
                SYNTAX_ERROR,
                "conflicting NO INHERIT declarations for not-null constraints on column \"{}\"",
                known.column
            ));
        }
        Ok(())
    }

    /// Whether a parent says NOT NULL of a column.
    pub(super) fn is_not_null_above(&self, table: &Table, number: i16) -> bool {
        let catalog = self.catalog();
        let Some(name) = table.column_by_number(number).map(|c| &c.name) else { return false };
        let parents = table.parents.iter().filter_map(|oid| catalog.table(*oid));
        let kind = |column: &Column| ConstraintKind::NotNull { column: column.number };
        let says = |parent: &Table| {
            let column = parent.column(name).filter(|c| c.not_null);
            let kept = |c: &Constraint| column.is_some_and(|column| c.kind == kind(column));
            column.is_some() && !parent.constraints.iter().any(|c| kept(c) && c.attributes.no_inherit)
        };
        let mut parents = parents;
        parents.any(says)
    }

    /// Gives each NOT NULL its constraint, and takes away those of columns that may be NULL.
    pub(super) fn name_not_nulls(&mut self, table: &mut Table, specs: &[NotNullSpec]) -> Result<()> {
        let nullable: Vec<i16> = table.columns.iter().filter(|c| !c.not_null || c.dropped).map(|c| c.number).collect();
        table
            .constraints
            .retain(|c| !matches!(&c.kind, ConstraintKind::NotNull { column } if nullable.contains(column)));
        let catalog = self.catalog();
        for column in table.columns.clone().iter().filter(|c| c.not_null && !c.dropped) {
            let kind = ConstraintKind::NotNull { column: column.number };
            if table.constraints.iter().any(|c| c.kind == kind) {
                continue;
            }
            let spec = specs.iter().find(|s| s.column == column.name);
            let theirs = table.parents.iter().filter_map(|oid| catalog.table(*oid)).find_map(|parent| {
                let number = parent.column(&column.name)?.number;
                let above = ConstraintKind::NotNull { column: number };
                parent.constraints.iter().find(|c| c.kind == above && !c.attributes.no_inherit)
            });
            let taken = |name: &str| table.constraints.iter().any(|c| c.name == name);
            let name = match (spec.and_then(|s| s.name.clone()), theirs) {
                (Some(name), _) if taken(&name) => return Err(duplicate_constraint(&name, &table.name)),
                (Some(name), _) => name,
                (None, Some(theirs)) if spec.is_none() && !taken(&theirs.name) => theirs.name.clone(),
                _ => free_constraint_name(table, &table.name, &column.name, "not_null"),
            };
            let origin = match theirs {
                Some(_) => Origin { inherited: 1, not_local: spec.is_none(), parent: 0 },
                None => Origin::default(),
            };
            let attributes = spec.map(|s| s.flags).unwrap_or_default();
            let oid = self.allocate();
            table.constraints.push(Constraint { oid, name, kind, attributes, origin });
        }
        Ok(())
    }

    /// A CHECK that a parent has as well becomes one with it.
    fn merge_check(&mut self, table: &mut Table, check: &CheckSpec) -> Result<bool> {
        let Some(name) = &check.name else { return Ok(false) };
        let kept = crate::exec::kept::canonical_check(&check.text, table, &self.eval)?;
        let inherits = |c: &&mut Constraint| c.name == *name && c.origin.not_local;
        let Some(known) = table.constraints.iter_mut().find(inherits) else { return Ok(false) };
        if known.kind != (ConstraintKind::Check { expr: kept }) {
            return Err(duplicate_constraint(name, &table.name));
        }
        known.origin.not_local = false;
        self.put(Entry::Table(table.clone()));
        let message = format!("merging constraint \"{name}\" with inherited definition");
        self.notice(crate::error::SqlState::SUCCESSFUL_COMPLETION, message);
        Ok(true)
    }

    /// The sequence of a serial or identity column, owned by it.
    pub(super) fn owned_sequence(
        &mut self,
        table: &mut Table,
        position: usize,
        typ: Type,
        identity: Option<bool>,
        options: &SequenceOptions,
    ) -> Result<()> {
        let column = &table.columns[position];
        let name = match &options.name {
            Some(name) => self.creation_target(name, Persistence::Permanent)?.1,
            None => self.free_name(table.schema, &table.name, &column.name, "seq", &[]),
        };
        let oid = self.make_sequence(table.schema, name, typ, options, Some((table.oid, column.number)))?;
        let column = &mut table.columns[position];
        match identity {
            Some(always) => column.identity = Some(Identity { always, sequence: oid }),
            // By OID: the default follows the sequence when it is renamed.
            None => column.default = Some(format!("nextval('{oid}'::regclass)")),
        }
        Ok(())
    }

    /// Checks a DEFAULT, which must be bindable without columns and fit the column, and answers what is kept of it.
    pub(super) fn check_default(&self, table: &Table, column: &Column, text: &str) -> Result<String> {
        crate::exec::kept::bind_default(text, table, column, &self.eval)?;
        crate::exec::kept::canonical_default(text, table, column, &self.eval)
    }

    /// Checks and names a CHECK constraint.
    pub(super) fn check_constraint(&mut self, table: &Table, check: &CheckSpec) -> Result<Constraint> {
        let bound = crate::exec::kept::bind_check(&check.text, table, &self.eval)?;
        let name = match &check.name {
            Some(name) => {
                if table.constraints.iter().any(|c| c.name == *name) {
                    return Err(duplicate_constraint(name, &table.name));
                }
                name.clone()
            }
            None => {
                let column = check.column.clone().or_else(|| single_column(&bound.columns, table)).unwrap_or_default();
                free_constraint_name(table, &table.name, &column, "check")
            }
        };
        let oid = self.allocate();
        let expr = crate::exec::kept::canonical_check(&check.text, table, &self.eval)?;
        Ok(Constraint {
            oid,
            name,
            kind: ConstraintKind::Check { expr },
            attributes: check.flags,
            origin: Default::default(),
        })
    }

    /// Makes a UNIQUE or PRIMARY KEY with its index. `is_row_key`: the rows are stored by it.
    pub(super) fn unique_constraint(&mut self, table: &mut Table, unique: &UniqueSpec, is_row_key: bool) -> Result<()> {
        refuse_temporary_deferral(table, unique.flags)?;
        let mut numbers = Vec::new();
        for name in &unique.columns {
            let column = table.column(name).ok_or_else(|| no_key_column(name))?;
            if numbers.contains(&column.number) {
                let what = if unique.primary { "primary key" } else { "unique" };
                return Err(err!(DUPLICATE_COLUMN, "column \"{name}\" appears twice in {what} constraint"));
            }
            if column.is_virtual() {
                let what = if unique.primary { "primary keys" } else { "unique constraints" };
                return Err(err!(FEATURE_NOT_SUPPORTED, "{what} on virtual generated columns are not supported"));
            }
            numbers.push(column.number);
        }
        self.check_unique_partitioned(table, &numbers, if unique.primary { "PRIMARY KEY" } else { "UNIQUE" })?;
        let mut include = Vec::new();
        for name in &unique.include {
            include.push(table.column(name).ok_or_else(|| no_key_column(name))?.number);
        }
        let name = match &unique.name {
            Some(name) => {
                if table.constraints.iter().any(|c| c.name == *name) {
                    return Err(duplicate_constraint(name, &table.name));
                }
                self.refuse_duplicate(table.schema, name)?;
                name.clone()
            }
            None if unique.primary => self.free_name(table.schema, &table.name, "", "pkey", &[]),
            None => self.free_name(table.schema, &table.name, &unique.columns.join("_"), "key", &[]),
        };
        let keys = numbers
            .iter()
            .map(|number| {
                let typ = table.column_by_number(*number).expect("it was found by name above").typ;
                KeySpec {
                    source: IndexSource::Column(*number),
                    typ,
                    descending: false,
                    nulls_first: false,
                    opclass: None,
                }
            })
            .collect();
        let index = self.make_index(
            table,
            NewIndex {
                method: "btree".to_string(),
                name: name.clone(),
                unique: true,
                primary: unique.primary,
                is_row_key,
                nulls_not_distinct: unique.nulls_not_distinct,
                keys,
                include,
                predicate: None,
                parent: unique.parent.map(|(index, _)| index),
            },
        )?;
        let kind = match unique.primary {
            true => ConstraintKind::PrimaryKey { columns: numbers, index },
            false => ConstraintKind::Unique { columns: numbers, index },
        };
        let oid = self.allocate();
        let of_parent = |(_, constraint)| Origin { parent: constraint, ..Origin::inherited() };
        let origin = unique.parent.map(of_parent).unwrap_or_default();
        table.constraints.push(Constraint { oid, name, kind, attributes: unique.flags, origin });
        self.put(Entry::Table(table.clone()));
        Ok(())
    }
}

fn check_identity_type(typ: Type) -> Result<()> {
    match [Type::INT2, Type::INT4, Type::INT8].contains(&Type::new(typ.oid)) {
        true => Ok(()),
        false => Err(err!(INVALID_PARAMETER_VALUE, "identity column type must be smallint, integer, or bigint")),
    }
}

/// COLLATE: the one collation that there is, under its names.
pub(super) fn check_collation(name: &ast::ObjectName) -> Result<()> {
    let last = name.0.last().and_then(|p| p.as_ident()).map(|i| i.value.clone()).unwrap_or_default();
    match last.as_str() {
        "C" | "POSIX" | "default" | "C.UTF-8" | "C.utf8" | "ucs_basic" | "pg_c_utf8" => Ok(()),
        _ => Err(err!(UNDEFINED_OBJECT, "collation \"{last}\" for encoding \"UTF8\" does not exist")),
    }
}

pub(super) fn no_key_column(name: &str) -> Error {
    err!(UNDEFINED_COLUMN, "column \"{name}\" named in key does not exist")
}

pub(super) fn duplicate_constraint(name: &str, table: &str) -> Error {
    err!(DUPLICATE_OBJECT, "constraint \"{name}\" for relation \"{table}\" already exists")
}

/// The name of the only column among these numbers.
fn single_column(numbers: &[i16], table: &Table) -> Option<String> {
    match numbers {
        [number] => table.column_by_number(*number).map(|c| c.name.clone()),
        _ => None,
    }
}

/// A free constraint name of a table, as PostgreSQL makes it.
pub(super) fn free_constraint_name(table: &Table, name1: &str, name2: &str, label: &str) -> String {
    (0..)
        .map(|n| super::object_name(name1, name2, &if n == 0 { label.to_string() } else { format!("{label}{n}") }))
        .find(|name| table.constraints.iter().all(|c| c.name != *name))
        .expect("there are more numbers than constraints")
}
