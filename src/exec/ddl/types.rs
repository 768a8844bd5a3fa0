//! CREATE, ALTER and DROP of types: enums, composite types, ranges. Domains are in [`super::domain`].

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::document::user_type::UserKind;
use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::operators;
use crate::sql::parser::{ident, names};
use crate::sql::statement::{
    AlterType, Attribute, CreateType, Drop, ObjectKind, Persistence, RangeParameter, TypeAction, TypeDefinition, ast,
};
use crate::sql::{types, user_types};
use crate::storage::catalog::{
    Column, ConstraintKind, Entry, EnumLabel, IndexSource, RangeType, Table, TypeKind, UserType,
};

use super::Ddl;
use super::create::{check_collation, is_pseudo, new_column};
use super::depend::Removal;
use super::quote_ident;

/// The distance between the labels that an enum begins with: room for as many halvings between two of them.
const LABEL_STEP: i64 = 1 << 40;
/// Bytes of a label at most.
const LABEL_BYTES_MAX: usize = 63;

impl Ddl<'_> {
    pub(super) fn create_type(&mut self, create: &CreateType) -> Result<()> {
        match &create.definition {
            TypeDefinition::Enum(labels) => self.create_enum(&create.name, labels),
            TypeDefinition::Composite(attributes) => self.create_composite(&create.name, attributes),
            TypeDefinition::Range(parameters) => self.create_range(&create.name, parameters),
        }
    }

    /// Schema and name for a new type.
    pub(super) fn type_target(&mut self, name: &ast::ObjectName) -> Result<(Oid, String)> {
        let (schema, name) = self.lasting_target(name)?;
        self.refuse_type_name(schema, &name)?;
        Ok((schema, name))
    }

    fn lasting_target(&mut self, name: &ast::ObjectName) -> Result<(Oid, String)> {
        let target = self.creation_target(name, Persistence::Permanent)?;
        match self.temporary {
            true => Err(Error::unsupported("a type in a temporary schema")),
            false => Ok(target),
        }
    }

    /// Refuses a name that a type of the schema has.
    pub(super) fn refuse_type_name(&self, schema: Oid, name: &str) -> Result<()> {
        let catalog = self.catalog();
        let is_type = catalog.types.contains_key(&(schema, name.to_string()))
            || catalog.relation(schema, name).is_some_and(|entry| entry.row_type().is_some());
        match is_type {
            true => Err(err!(DUPLICATE_OBJECT, "type \"{name}\" already exists")),
            false => Ok(()),
        }
    }

    /// Refuses a relation's name that a type of the schema has: the relation's row type has it as well.
    pub(super) fn refuse_row_type_name(&self, schema: Oid, name: &str) -> Result<()> {
        match self.catalog().types.get(&(schema, name.to_string())) {
            Some(oid) if types::is_composite(*oid) => Err(err!(DUPLICATE_TABLE, "relation \"{name}\" already exists")),
            Some(_) => Err(err!(DUPLICATE_OBJECT, "type \"{name}\" already exists").hint(
                "A relation has an associated type of the same name, so you must use a name that doesn't conflict \
                 with any existing type.",
            )),
            None => Ok(()),
        }
    }

    pub(super) fn put_type(&mut self, kind: UserKind, schema: Oid, name: String, definition: TypeKind) -> Result<Oid> {
        let oid = self.change().allocate_type(kind)?;
        let owner = self.owner();
        self.put(Entry::Type(UserType { oid, schema, name, owner, kind: definition }));
        Ok(oid)
    }

    fn create_enum(&mut self, name: &ast::ObjectName, labels: &[String]) -> Result<()> {
        let (schema, name) = self.type_target(name)?;
        let mut made: Vec<EnumLabel> = Vec::with_capacity(labels.len());
        for (i, label) in labels.iter().enumerate() {
            check_label(label)?;
            if made.iter().any(|known| known.name == *label) {
                let unique = "duplicate key value violates unique constraint \"pg_enum_typid_label_index\"";
                return Err(Error::new(SqlState::UNIQUE_VIOLATION, unique)
                    .detail(format!("Key (enumtypid, enumlabel)=({}, {label}) already exists.", self.allocate())));
            }
            made.push(EnumLabel { oid: self.allocate(), name: label.clone(), order: (i as i64 + 1) * LABEL_STEP });
        }
        self.put_type(UserKind::Enum, schema, name, TypeKind::Enum(made)).map(|_| ())
    }

    /// An attribute of a composite type as a column.
    fn attribute(&self, attribute: &Attribute, columns: &[Column]) -> Result<Column> {
        let name = ident(&attribute.name);
        if columns.iter().any(|c| !c.dropped && c.name == name) {
            return Err(err!(DUPLICATE_COLUMN, "column \"{name}\" specified more than once"));
        }
        if let Some(collation) = &attribute.collation {
            check_collation(collation)?;
        }
        let declared = self.data_type(&attribute.data_type)?;
        if is_pseudo(declared.oid) {
            let shown = types::format_type(declared);
            return Err(err!(INVALID_TABLE_DEFINITION, "column \"{name}\" has pseudo-type {shown}"));
        }
        Ok(self.declared_column(columns.len(), name, declared))
    }

    /// A column of a declared type, which may be a domain.
    pub(super) fn declared_column(&self, position: usize, name: String, declared: Type) -> Column {
        let mut column = new_column(position, name, user_types::base(&self.catalog(), declared));
        column.domain = user_types::is_checked(declared.oid).then_some(declared.oid);
        column
    }

    fn create_composite(&mut self, name: &ast::ObjectName, attributes: &[Attribute]) -> Result<()> {
        let (schema, name) = self.lasting_target(name)?;
        let catalog = self.catalog();
        if catalog.relation(schema, &name).is_some() {
            return Err(err!(DUPLICATE_TABLE, "relation \"{name}\" already exists"));
        }
        self.refuse_type_name(schema, &name)?;
        let mut columns = Vec::with_capacity(attributes.len());
        for attribute in attributes {
            let column = self.attribute(attribute, &columns)?;
            columns.push(column);
        }
        let relation = self.allocate();
        self.put_type(UserKind::Composite, schema, name, TypeKind::Composite { relation, columns }).map(|_| ())
    }

    fn create_range(&mut self, name: &ast::ObjectName, parameters: &[(String, RangeParameter)]) -> Result<()> {
        let (schema, name) = self.type_target(name)?;
        let (mut subtype, mut multirange_name, mut subtype_diff) = (None, None, None);
        let mut seen = BTreeSet::new();
        for (parameter, value) in parameters {
            if !seen.insert(parameter) {
                return Err(err!(SYNTAX_ERROR, "conflicting or redundant options"));
            }
            let written = |value: &RangeParameter| match value {
                RangeParameter::Name(name) => names(name),
                RangeParameter::Type(_) => Vec::new(),
            };
            match (parameter.as_str(), value) {
                ("subtype", RangeParameter::Type(data_type)) => subtype = Some(self.data_type(data_type)?),
                ("multirange_type_name", value) => multirange_name = written(value).pop(),
                ("subtype_diff", value) => subtype_diff = written(value).pop(),
                // The orders that there are are the types' own.
                ("subtype_opclass", _) => {}
                ("collation", RangeParameter::Name(name)) => check_collation(name)?,
                ("canonical", _) => return Err(Error::unsupported("CREATE TYPE AS RANGE with CANONICAL")),
                _ => return Err(err!(SYNTAX_ERROR, "type attribute \"{parameter}\" not recognized")),
            }
        }
        let Some(subtype) = subtype else {
            return Err(err!(SYNTAX_ERROR, "type attribute \"subtype\" is required"));
        };
        if is_pseudo(subtype.oid) {
            let shown = user_types::format(&self.eval, subtype.oid, None);
            return Err(err!(DATATYPE_MISMATCH, "range subtype cannot be {shown}"));
        }
        let subtype = user_types::base(&self.catalog(), subtype);
        if operators::less_than(subtype.oid).is_none() {
            let shown = user_types::format(&self.eval, subtype.oid, None);
            return Err(err!(
                UNDEFINED_OBJECT,
                "data type {shown} has no default operator class for access method \"btree\""
            )
            .hint("You must specify an operator class for the range type or define a default operator class for the subtype."));
        }
        let multirange_name = multirange_name.unwrap_or_else(|| match name.find("range") {
            Some(at) => format!("{}multirange{}", &name[..at], &name[at + "range".len()..]),
            None => format!("{name}_multirange"),
        });
        if self.refuse_type_name(schema, &multirange_name).is_err() {
            return Err(err!(DUPLICATE_OBJECT, "type \"{multirange_name}\" already exists"));
        }
        let oid = self.change().allocate_type(UserKind::Range)?;
        let owner = self.owner();
        let multirange = types::multirange_of(oid).unwrap_or(0);
        let kind = TypeKind::Range(RangeType { subtype, multirange, multirange_name, subtype_diff });
        self.put(Entry::Type(UserType { oid, schema, name, owner, kind }));
        Ok(())
    }

    /// The type that a name means, which must exist.
    pub(super) fn type_named(&self, name: &ast::ObjectName) -> Result<Oid> {
        let (schema, written) = self.parts(name)?;
        if let Some(oid) = user_types::find(&self.eval, schema.as_deref(), &written) {
            return Ok(oid);
        }
        let built_in = types::parse_name(&self.written(name)?).ok().and_then(|typ| types::by_oid(typ.oid));
        match built_in {
            Some(info) => Err(err!(INSUFFICIENT_PRIVILEGE, "must be owner of type {}", info.display)),
            None => Err(err!(UNDEFINED_OBJECT, "type \"{}\" does not exist", self.written(name)?)),
        }
    }

    pub(super) fn alter_type(&mut self, alter: &AlterType) -> Result<&'static str> {
        let tag = if alter.domain { "ALTER DOMAIN" } else { "ALTER TYPE" };
        let oid = self.type_named(&alter.name)?;
        if let Some(entry) = self.catalog().get(oid) {
            self.must_own(entry)?;
        }
        for action in &alter.actions {
            self.alter_type_once(oid, alter.domain, action)?;
        }
        Ok(tag)
    }

    fn alter_type_once(&mut self, oid: Oid, domain: bool, action: &TypeAction) -> Result<()> {
        let catalog = self.catalog();
        let shown = user_types::format(&self.eval, oid, None);
        let Some(user) = catalog.user_type(oid).cloned() else {
            return Err(match (action, catalog.row_relation(oid)) {
                (TypeAction::Rename(_) | TypeAction::SetSchema(_) | TypeAction::OwnerTo(_), Some(_)) => {
                    err!(WRONG_OBJECT_TYPE, "{shown} is a table's row type").hint("Use ALTER TABLE instead.")
                }
                (TypeAction::AddValue { .. } | TypeAction::RenameValue(..), _) => {
                    err!(WRONG_OBJECT_TYPE, "{shown} is not an enum")
                }
                (_, Some(relation)) => err!(WRONG_OBJECT_TYPE, "\"{}\" is not a composite type", relation.name()),
                _ => err!(WRONG_OBJECT_TYPE, "cannot alter array type {shown}"),
            });
        };
        if domain && !matches!(user.kind, TypeKind::Domain(_)) {
            return Err(err!(WRONG_OBJECT_TYPE, "{shown} is not a domain"));
        }
        match action {
            TypeAction::Rename(name) => {
                let name = ident(name);
                self.refuse_type_name(user.schema, &name)?;
                let before = user.clone();
                self.put(Entry::Type(UserType { name, ..user }));
                self.follow_type_name(&before)?;
            }
            TypeAction::SetSchema(schema) => {
                let new = ident(schema);
                let schema = catalog
                    .schema(self.shared.database, &new)
                    .ok_or_else(|| err!(INVALID_SCHEMA_NAME, "schema \"{new}\" does not exist"))?;
                if schema != user.schema && self.refuse_type_name(schema, &user.name).is_err() {
                    return Err(err!(DUPLICATE_OBJECT, "type \"{}\" already exists in schema \"{new}\"", user.name));
                }
                let before = user.clone();
                self.put(Entry::Type(UserType { schema, ..user }));
                self.follow_type_name(&before)?;
            }
            TypeAction::OwnerTo(role) => {
                let owner = self.role(role)?;
                self.put(Entry::Type(UserType { owner, ..user }));
            }
            TypeAction::AddValue { .. } | TypeAction::RenameValue(..) => self.alter_enum(user, action, &shown)?,
            TypeAction::AddAttribute(_)
            | TypeAction::DropAttribute { .. }
            | TypeAction::SetAttributeType(_)
            | TypeAction::RenameAttribute(..) => self.alter_composite(user, action, &shown)?,
            _ => self.alter_domain(user, action)?,
        }
        Ok(())
    }

    fn alter_enum(&mut self, mut user: UserType, action: &TypeAction, shown: &str) -> Result<()> {
        let TypeKind::Enum(labels) = &mut user.kind else {
            return Err(err!(WRONG_OBJECT_TYPE, "{shown} is not an enum"));
        };
        let missing = |label: &str| err!(INVALID_PARAMETER_VALUE, "\"{label}\" is not an existing enum label");
        let place_of = |labels: &[EnumLabel], label: &str| labels.iter().position(|l| l.name == label);
        match action {
            TypeAction::AddValue { if_not_exists, label, place } => {
                check_label(label)?;
                if place_of(labels, label).is_some() {
                    if *if_not_exists {
                        self.notice(
                            SqlState::DUPLICATE_OBJECT,
                            format!("enum label \"{label}\" already exists, skipping"),
                        );
                        return Ok(());
                    }
                    return Err(err!(DUPLICATE_OBJECT, "enum label \"{label}\" already exists"));
                }
                let at = match place {
                    None => labels.len(),
                    Some((before, neighbour)) => {
                        let at = place_of(labels, neighbour).ok_or_else(|| missing(neighbour))?;
                        if *before { at } else { at + 1 }
                    }
                };
                let order = order_between(at.checked_sub(1).map(|i| labels[i].order), labels.get(at).map(|l| l.order))?;
                labels.insert(at, EnumLabel { oid: 0, name: label.clone(), order });
                let oid = self.allocate();
                labels[at].oid = oid;
            }
            TypeAction::RenameValue(old, new) => {
                check_label(new)?;
                let at = place_of(labels, old).ok_or_else(|| missing(old))?;
                if place_of(labels, new).is_some() {
                    return Err(err!(DUPLICATE_OBJECT, "enum label \"{new}\" already exists"));
                }
                labels[at].name.clone_from(new);
                let name = format!("'::{}", user_types::format_along(&self.catalog(), &[], user.oid, None));
                let quoted = |label: &str| format!("'{}{name}", label.replace('\'', "''"));
                let (old, new) = (quoted(old), quoted(new));
                self.rewrite_kept(&|text| text.replace(&old, &new));
            }
            _ => return Err(Error::internal("a change of an enum was expected")),
        }
        self.put(Entry::Type(user));
        Ok(())
    }

    fn alter_composite(&mut self, mut user: UserType, action: &TypeAction, shown: &str) -> Result<()> {
        let name = user.name.clone();
        let oid = user.oid;
        let mut dropped = None;
        let TypeKind::Composite { columns, .. } = &mut user.kind else {
            return Err(err!(WRONG_OBJECT_TYPE, "{shown} is not a composite type"));
        };
        let find = |columns: &[Column], attribute: &ast::Ident| {
            let attribute = ident(attribute);
            let found = columns.iter().position(|c| !c.dropped && c.name == attribute);
            found.ok_or_else(|| err!(UNDEFINED_COLUMN, "column \"{attribute}\" of relation \"{name}\" does not exist"))
        };
        match action {
            TypeAction::AddAttribute(attribute) => {
                let new = ident(&attribute.name);
                if columns.iter().any(|c| !c.dropped && c.name == new) {
                    return Err(err!(DUPLICATE_COLUMN, "column \"{new}\" of relation \"{name}\" already exists"));
                }
                let column = self.attribute(attribute, columns)?;
                columns.push(column);
            }
            TypeAction::DropAttribute { if_exists, name: attribute } => match find(columns, attribute) {
                Ok(at) => {
                    dropped = Some(columns[..at].iter().filter(|c| !c.dropped).count());
                    columns[at].dropped = true;
                }
                Err(error) if *if_exists => {
                    self.notice(SqlState::UNDEFINED_COLUMN, format!("{}, skipping", error.message()));
                    return Ok(());
                }
                Err(error) => return Err(error),
            },
            TypeAction::SetAttributeType(attribute) => {
                let at = find(columns, &attribute.name)?;
                let declared = self.data_type(&attribute.data_type)?;
                if let Some((table, column)) = self.columns_of_type(oid).first() {
                    return Err(err!(
                        FEATURE_NOT_SUPPORTED,
                        "cannot alter type \"{name}\" because column \"{}.{}\" uses it",
                        table.name,
                        column.name
                    ));
                }
                let column = self.declared_column(at, columns[at].name.clone(), declared);
                columns[at].typ = column.typ;
                columns[at].domain = column.domain;
            }
            TypeAction::RenameAttribute(old, new) => {
                let at = find(columns, old)?;
                let new = ident(new);
                if columns.iter().any(|c| !c.dropped && c.name == new) {
                    return Err(err!(DUPLICATE_COLUMN, "column \"{new}\" of relation \"{name}\" already exists"));
                }
                columns[at].name = new;
            }
            _ => return Err(Error::internal("a change of a composite type was expected")),
        }
        // Values hold their fields: those that are stored are written anew.
        let fields: Vec<(Box<str>, Oid)> =
            columns.iter().filter(|c| !c.dropped).map(|c| (c.name.as_str().into(), c.typ.oid)).collect();
        let used = self.columns_of_type(oid);
        self.put(Entry::Type(user));
        let gone = match action {
            TypeAction::DropAttribute { .. } => dropped,
            _ => None,
        };
        let mut tables: Vec<Table> = Vec::new();
        for (table, _) in used {
            if tables.iter().all(|known| known.oid != table.oid) && self.has_rows(&table)? {
                tables.push(table);
            }
        }
        for table in tables {
            let types: Vec<Oid> = table.columns.iter().map(|c| c.typ.oid).collect();
            self.rewrite_rows(&table, table.clone(), &mut |row| {
                row.iter_mut().zip(&types).for_each(|(value, typ)| adapt(value, *typ, oid, &fields, gone));
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Kept expressions name a type with its schema: they follow when it gets another name.
    fn follow_type_name(&mut self, before: &UserType) -> Result<()> {
        let shown =
            |schema: Oid, name: &str| format!("{}.{}", quote_ident(&self.schema_name(schema)), quote_ident(name));
        let old = format!("::{}", shown(before.schema, &before.name));
        let new = format!("::{}", user_types::format_along(&self.catalog(), &[], before.oid, None));
        let catalog = self.catalog();
        for entry in catalog.entries.values() {
            if let Entry::View(view) = &**entry
                && parser_words(&view.query).contains(&before.name)
            {
                let name = &view.name;
                return Err(Error::unsupported(format!("renaming or moving a type that view \"{name}\" may use")));
            }
        }
        self.rewrite_kept(&|text| replace_name(text, &old, &new));
        Ok(())
    }

    /// Changes the text of kept expressions.
    fn rewrite_kept(&mut self, change: &dyn Fn(&str) -> String) {
        let catalog = self.catalog();
        for entry in catalog.entries.values() {
            let mut changed = (**entry).clone();
            let each = |text: &mut String| *text = change(text);
            match &mut changed {
                Entry::Table(table) => {
                    table.columns.iter_mut().filter_map(|c| c.default.as_mut()).for_each(each);
                    for constraint in &mut table.constraints {
                        if let ConstraintKind::Check { expr } = &mut constraint.kind {
                            each(expr);
                        }
                    }
                }
                Entry::Index(index) => {
                    for key in &mut index.keys {
                        if let IndexSource::Expression(text) = &mut key.source {
                            each(text);
                        }
                    }
                    index.predicate.iter_mut().for_each(each);
                }
                Entry::Type(UserType { kind: TypeKind::Domain(domain), .. }) => {
                    domain.default.iter_mut().for_each(each);
                    domain.checks.iter_mut().for_each(|check| each(&mut check.expr));
                }
                _ => continue,
            }
            if changed != **entry {
                self.put(changed);
            }
        }
    }

    /// The columns of tables whose values are, or contain, values of a type.
    pub(super) fn columns_of_type(&self, oid: Oid) -> Vec<(Table, Column)> {
        let catalog = self.catalog();
        let mut found = Vec::new();
        for entry in catalog.entries.values() {
            let Entry::Table(table) = &**entry else { continue };
            for column in table.live_columns().filter(|c| self.contains_type(c.declared().oid, oid, 0)) {
                found.push((table.clone(), column.clone()));
            }
        }
        found
    }

    /// Whether values of a type are, or contain, values of another.
    fn contains_type(&self, outer: Oid, inner: Oid, depth: usize) -> bool {
        if outer == inner {
            return true;
        }
        if depth > 32 || types::by_oid(outer).is_some() {
            return types::element_of(outer) == Some(inner);
        }
        if let Some(element) = types::element_of(outer).or_else(|| types::range_of(outer)) {
            return self.contains_type(element, inner, depth + 1);
        }
        let catalog = self.catalog();
        if let Some(domain) = user_types::domain(&catalog, outer) {
            return self.contains_type(domain.base.oid, inner, depth + 1);
        }
        if let Some(fields) = user_types::fields(&catalog, outer) {
            return fields.iter().any(|(_, typ)| self.contains_type(typ.oid, inner, depth + 1));
        }
        user_types::subtype(&catalog, outer).is_some_and(|typ| self.contains_type(typ.oid, inner, depth + 1))
    }

    pub(super) fn drop_types(&mut self, drop: &Drop) -> Result<()> {
        let (mut oids, mut named) = (BTreeSet::new(), Vec::new());
        for name in &drop.names {
            let oid = match self.type_named(name) {
                Ok(oid) => oid,
                Err(error) if error.code() == SqlState::UNDEFINED_OBJECT && drop.if_exists => {
                    self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{}, skipping", error.message()));
                    continue;
                }
                Err(error) if error.code() == SqlState::INSUFFICIENT_PRIVILEGE => {
                    let typ = types::parse_name(&self.written(name)?)?;
                    let info = types::by_oid(typ.oid).map_or("", |info| info.name);
                    return Err(match drop.kind {
                        ObjectKind::Domain => err!(WRONG_OBJECT_TYPE, "\"pg_catalog.{info}\" is not a domain"),
                        _ => err!(
                            DEPENDENT_OBJECTS_STILL_EXIST,
                            "cannot drop type {} because it is required by the database system",
                            types::format_oid(typ.oid, None)
                        ),
                    });
                }
                Err(error) => return Err(error),
            };
            let catalog = self.catalog();
            let shown = user_types::format(&self.eval, oid, None);
            let Some(user) = catalog.get(oid).filter(|_| catalog.user_type(oid).is_some()) else {
                return Err(match catalog.row_relation(oid) {
                    Some(relation) => {
                        let what = self.describe(relation);
                        err!(DEPENDENT_OBJECTS_STILL_EXIST, "cannot drop type {shown} because {what} requires it")
                            .hint(format!("You can drop {what} instead."))
                    }
                    None => {
                        err!(DEPENDENT_OBJECTS_STILL_EXIST, "cannot drop type {shown} because another type requires it")
                    }
                });
            };
            if drop.kind == ObjectKind::Domain && !types::is_domain(oid) {
                return Err(err!(WRONG_OBJECT_TYPE, "{shown} is not a domain"));
            }
            self.must_own_or_schema(user)?;
            named.push(self.describe(user));
            oids.insert(oid);
        }
        let mut removal = Removal::default();
        for oid in &oids {
            self.gather(*oid, &oids, &mut removal);
        }
        self.check_dependents(&removal, &named, drop.cascade)?;
        self.remove_all(&removal)
    }

    /// What uses a type, for an object whose type it is: columns of tables and types, domains, ranges, views.
    pub(super) fn gather_users_of_type(&self, typ: Oid, owner: &str, named: &BTreeSet<Oid>, removal: &mut Removal) {
        let catalog = self.catalog();
        let uses = |other: Type| {
            let other = types::element_of(other.oid).filter(|_| types::is_array(other.oid)).unwrap_or(other.oid);
            other == typ || types::range_of(other) == Some(typ)
        };
        for entry in catalog.entries.values() {
            if removal.objects.contains(&entry.oid()) || named.contains(&entry.oid()) {
                continue;
            }
            let columns = match &**entry {
                Entry::Table(table) => &table.columns,
                Entry::Type(UserType { kind: TypeKind::Composite { columns, .. }, .. }) => columns,
                Entry::Type(UserType { kind: TypeKind::Domain(domain), .. }) if uses(domain.base) => {
                    self.gather_dependent(entry, owner, named, removal);
                    continue;
                }
                Entry::Type(UserType { kind: TypeKind::Range(range), .. }) if uses(range.subtype) => {
                    self.gather_dependent(entry, owner, named, removal);
                    continue;
                }
                Entry::View(view) if view.columns.iter().any(|(_, t)| uses(*t)) => {
                    self.gather_dependent(entry, owner, named, removal);
                    continue;
                }
                _ => continue,
            };
            for column in columns.iter().filter(|c| !c.dropped && uses(c.declared())) {
                let what = match &**entry {
                    Entry::Table(_) => "table",
                    _ => "composite type",
                };
                let dependent = format!("column {} of {what} {}", column.name, self.shown(entry));
                // What is of an array depends on the array type.
                let on = match types::is_array(column.declared().oid) {
                    true => format!("{owner}[]"),
                    false => owner.to_string(),
                };
                removal.dependents.push((dependent, on));
                removal.columns.push((entry.oid(), column.number));
            }
        }
    }

    fn gather_dependent(&self, entry: &Arc<Entry>, owner: &str, named: &BTreeSet<Oid>, removal: &mut Removal) {
        removal.dependents.push((self.describe(entry), owner.to_string()));
        self.gather(entry.oid(), named, removal);
    }

    /// Drops a column of a table, or an attribute of a composite type, whose type goes.
    pub(super) fn remove_column(&mut self, oid: Oid, number: i16) -> Result<()> {
        let catalog = self.catalog();
        match catalog.get(oid).map(|entry| (**entry).clone()) {
            Some(Entry::Table(table)) => {
                let Some(column) = table.column_by_number(number).filter(|c| !c.dropped) else { return Ok(()) };
                let name = ast::Ident::with_quote('"', column.name.clone());
                self.drop_column(table, true, &name, true)
            }
            Some(Entry::Type(mut user)) => {
                if let TypeKind::Composite { columns, .. } = &mut user.kind {
                    columns.iter_mut().filter(|c| c.number == number).for_each(|c| c.dropped = true);
                }
                self.put(Entry::Type(user));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn check_label(label: &str) -> Result<()> {
    if label.len() > LABEL_BYTES_MAX {
        return Err(err!(INVALID_NAME, "invalid enum label \"{label}\"").detail("Labels must be 63 bytes or less."));
    }
    Ok(())
}

/// A stored value after a change of a composite type: its values get the type's fields, without the one that is gone.
fn adapt(value: &mut Datum, typ: Oid, changed: Oid, fields: &[(Box<str>, Oid)], gone: Option<usize>) {
    match value {
        Datum::Array(array) => {
            let element = array.element;
            array.values.iter_mut().for_each(|value| adapt(value, element, changed, fields, gone));
        }
        Datum::Record(record) => {
            if typ == changed {
                if let Some(at) = gone.filter(|at| *at < record.values.len()) {
                    record.values.remove(at);
                }
                record.values.resize(fields.len(), Datum::Null);
                record.fields = fields.to_vec().into();
            }
            let record = &mut **record;
            for (value, (_, typ)) in record.values.iter_mut().zip(record.fields.iter()) {
                adapt(value, *typ, changed, fields, gone);
            }
        }
        _ => {}
    }
}

/// The words of a query.
fn parser_words(text: &str) -> Vec<String> {
    crate::sql::parser::words(&text.replace("::", " , "))
}

/// A text with a name in place of another, where that ends.
fn replace_name(text: &str, old: &str, new: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(old) {
        let (head, tail) = rest.split_at(at);
        let tail = &tail[old.len()..];
        let goes_on = tail.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '"' | '.'));
        out.push_str(head);
        out.push_str(if goes_on { old } else { new });
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// A place between two labels.
fn order_between(before: Option<i64>, after: Option<i64>) -> Result<i64> {
    let full = || err!(PROGRAM_LIMIT_EXCEEDED, "there is no place left between the labels of the enum");
    match (before, after) {
        (None, None) => Ok(LABEL_STEP),
        (Some(before), None) => before.checked_add(LABEL_STEP).ok_or_else(full),
        (None, Some(after)) => after.checked_sub(LABEL_STEP).ok_or_else(full),
        (Some(before), Some(after)) => {
            let middle = before + (after - before) / 2;
            if middle == before { Err(full()) } else { Ok(middle) }
        }
    }
}
