//! `information_schema`: the standard's views over the same catalog.

use crate::document::{Datum, Oid, Type};
use crate::sql::binder::view_updatability;
use crate::sql::privilege::{self, Object, Rights};
use crate::sql::types as sql_types;
use crate::storage::catalog::{
    AclItem, Column, Constraint, ConstraintFlags, ConstraintKind, Entry, ObjectClass, Sequence, Table, View,
    is_temporary,
};

use super::builder::{Rows, optional, text};
use super::{Context, SystemRelation, definition, functions, routine, usage, user_types};

pub(super) fn produce(context: &Context<'_>, name: &str, rows: &mut Rows) {
    match name {
        "information_schema_catalog_name" => rows.push([("catalog_name", text(context.database_name()))]),
        "schemata" => schemata(context, rows),
        "tables" => tables(context, rows),
        "columns" => columns(context, rows),
        "views" => views(context, rows),
        "table_constraints" => table_constraints(context, rows),
        "check_constraints" => {
            check_constraints(context, rows);
            user_types::check_constraints(context, rows);
        }
        "domains" => user_types::domains(context, rows),
        "domain_constraints" => user_types::domain_constraints(context, rows),
        "user_defined_types" => user_types::user_defined(context, rows),
        "attributes" => user_types::attributes(context, rows),
        "key_column_usage" => key_columns(context, rows),
        "constraint_column_usage" => constraint_columns(context, rows),
        "referential_constraints" => referential_constraints(context, rows),
        "constraint_table_usage" => constraint_tables(context, rows),
        "view_table_usage" => usage::view_tables(context, rows),
        "view_column_usage" => usage::view_columns(context, rows),
        "view_routine_usage" => usage::view_routines(context, rows),
        "column_domain_usage" => usage::column_domains(context, rows),
        "sequences" => sequences(context, rows),
        "table_privileges" | "role_table_grants" => table_privileges(context, rows),
        "column_privileges" | "role_column_grants" => column_privileges(context, rows),
        "element_types" => element_types(context, rows),
        "routines" => routines(context, rows),
        "parameters" => parameters(context, rows),
        "enabled_roles" => enabled_roles(context, rows),
        "character_sets" => character_sets(context, rows),
        "collations" => collations(context, rows),
        // Everything else is of things that do not exist here.
        _ => {}
    }
}

fn yes_no(value: bool) -> Datum {
    text(if value { "YES" } else { "NO" })
}

fn int(value: Option<i32>) -> Datum {
    value.map_or(Datum::Null, Datum::Int4)
}

/// The tables of users.
fn user_tables<'c>(context: &'c Context<'_>) -> impl Iterator<Item = &'c Table> {
    context.entries().filter_map(|entry| match entry {
        Entry::Table(table) => Some(table),
        _ => None,
    })
}

fn schemata(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    let mut schemas: Vec<(String, Oid)> = vec![
        ("pg_catalog".into(), definition::system_owner()),
        ("information_schema".into(), definition::system_owner()),
    ];
    schemas.extend(context.entries().filter_map(|entry| match entry {
        Entry::Schema(schema) => Some((schema.name.clone(), schema.owner)),
        _ => None,
    }));
    for (name, owner) in schemas {
        rows.push([
            ("catalog_name", text(&catalog)),
            ("schema_name", text(name)),
            ("schema_owner", text(context.role_name(owner))),
        ]);
    }
}

fn tables(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    let mut row = |schema: Oid, name: &str, kind: &str, insertable: bool| {
        rows.push([
            ("table_catalog", text(&catalog)),
            ("table_schema", text(context.schema_name(schema))),
            ("table_name", text(name)),
            ("table_type", text(kind)),
            ("is_insertable_into", yes_no(insertable)),
            ("is_typed", yes_no(false)),
        ]);
    };
    for relation in super::all() {
        let is_table = relation.kind == 'r';
        row(relation.schema(), relation.short_name(), if is_table { "BASE TABLE" } else { "VIEW" }, is_table);
    }
    for entry in context.entries() {
        match entry {
            Entry::Table(table) if table.view.is_some() => {}
            Entry::Table(table) => {
                let temporary = is_temporary(table.oid);
                row(table.schema, &table.name, if temporary { "LOCAL TEMPORARY" } else { "BASE TABLE" }, true);
            }
            Entry::View(view) => row(view.schema, &view.name, "VIEW", can_insert(&writable(context, view))),
            _ => {}
        }
    }
}

/// What the standard says of a type beside its name.
pub(super) struct Attributes {
    pub(super) length: Option<i32>,
    pub(super) octets: Option<i32>,
    pub(super) precision: Option<i32>,
    pub(super) radix: Option<i32>,
    pub(super) scale: Option<i32>,
    pub(super) datetime: Option<i32>,
}

pub(super) fn attributes(typ: Type) -> Attributes {
    let mut all = Attributes { length: None, octets: None, precision: None, radix: None, scale: None, datetime: None };
    let typmod = (typ.typmod >= 0).then_some(typ.typmod);
    match Type::new(typ.oid) {
        Type::BPCHAR | Type::VARCHAR => {
            all.length = typmod.map(|m| m - 4);
            all.octets = Some(typmod.map_or(1 << 30, |m| (m - 4).saturating_mul(4)));
        }
        Type::TEXT => all.octets = Some(1 << 30),
        Type::BIT | Type::VARBIT => all.length = typmod,
        Type::INT2 => (all.precision, all.radix, all.scale) = (Some(16), Some(2), Some(0)),
        Type::INT4 => (all.precision, all.radix, all.scale) = (Some(32), Some(2), Some(0)),
        Type::INT8 => (all.precision, all.radix, all.scale) = (Some(64), Some(2), Some(0)),
        Type::FLOAT4 => (all.precision, all.radix) = (Some(24), Some(2)),
        Type::FLOAT8 => (all.precision, all.radix) = (Some(53), Some(2)),
        Type::NUMERIC => {
            all.radix = Some(10);
            if let Some(typmod) = typmod {
                let (precision, scale) = sql_types::numeric_typmod(typmod);
                (all.precision, all.scale) = (Some(precision), Some(scale));
            }
        }
        Type::DATE => all.datetime = Some(0),
        Type::TIME | Type::TIMETZ | Type::TIMESTAMP | Type::TIMESTAMPTZ => all.datetime = Some(typmod.unwrap_or(6)),
        Type::INTERVAL => {
            let precision = typmod.map(|m| m & 0xFFFF).filter(|p| *p != 0xFFFF);
            all.datetime = Some(precision.unwrap_or(6));
        }
        _ => {}
    }
    all
}

/// `data_type`, `udt_schema` and `udt_name` of a type.
pub(super) fn type_names(context: &Context<'_>, typ: Type) -> (String, String, String) {
    match sql_types::by_oid(typ.oid) {
        Some(info) if info.is_array() => ("ARRAY".into(), "pg_catalog".into(), info.name.into()),
        Some(info) => (sql_types::format_oid(typ.oid, None), "pg_catalog".into(), info.name.into()),
        None => {
            let (schema, name) = crate::sql::user_types::name(&context.catalog, typ.oid).unwrap_or_default();
            let kind = if sql_types::is_array(typ.oid) { "ARRAY" } else { "USER-DEFINED" };
            (kind.into(), context.schema_name(schema), name)
        }
    }
}

/// One column of any relation.
struct ColumnRow<'c> {
    schema: Oid,
    table: &'c str,
    name: &'c str,
    number: i16,
    typ: Type,
    not_null: bool,
    updatable: bool,
    column: Option<&'c Column>,
}

fn columns(context: &Context<'_>, rows: &mut Rows) {
    for relation in super::all() {
        system_columns(context, relation, rows);
    }
    for entry in context.entries() {
        match entry {
            Entry::Table(table) if table.view.is_some() => {}
            Entry::Table(table) => {
                for column in table.live_columns() {
                    let row = ColumnRow {
                        schema: table.schema,
                        table: &table.name,
                        name: &column.name,
                        number: column.number,
                        typ: column.typ,
                        not_null: column.not_null,
                        updatable: true,
                        column: Some(column),
                    };
                    column_row(context, rows, &row);
                }
            }
            Entry::View(view) => {
                let writable = writable(context, view);
                for (i, (name, typ)) in view.columns.iter().enumerate() {
                    let row = ColumnRow {
                        schema: view.schema,
                        table: &view.name,
                        name,
                        number: i as i16 + 1,
                        typ: *typ,
                        not_null: false,
                        updatable: writable.as_ref().is_some_and(|columns| columns.get(i) == Some(&true)),
                        column: None,
                    };
                    column_row(context, rows, &row);
                }
            }
            _ => {}
        }
    }
}

fn system_columns(context: &Context<'_>, relation: &SystemRelation, rows: &mut Rows) {
    for (i, (name, typ)) in relation.columns.iter().enumerate() {
        let row = ColumnRow {
            schema: relation.schema(),
            table: relation.short_name(),
            name,
            number: i as i16 + 1,
            typ: *typ,
            not_null: relation.not_null[i],
            updatable: false,
            column: None,
        };
        column_row(context, rows, &row);
    }
}

fn column_row(context: &Context<'_>, rows: &mut Rows, row: &ColumnRow<'_>) {
    let more = attributes(row.typ);
    let (data_type, udt_schema, udt_name) = type_names(context, row.typ);
    let catalog = context.database_name();
    let identity = row.column.and_then(|c| c.identity.as_ref());
    let sequence = identity.and_then(|i| match context.catalog.get(i.sequence).map(|e| &**e) {
        Some(Entry::Sequence(sequence)) => Some(sequence),
        _ => None,
    });
    let generated = row.column.and_then(|c| c.generated.as_ref()).map(|g| g.expr.clone());
    let of_sequence = |get: fn(&Sequence) -> i64| optional(sequence.map(|s| get(s).to_string()));
    let (collation_schema, collation) = match definition::collation_of(row.typ.oid) {
        950 => (Some("pg_catalog"), Some("C")),
        _ => (None, None),
    };
    let domain = row.column.and_then(|c| c.domain).filter(|oid| sql_types::is_domain(*oid));
    let domain = domain.and_then(|oid| crate::sql::user_types::name(&context.catalog, oid));
    rows.push([
        ("domain_catalog", optional(domain.as_ref().map(|_| catalog.clone()))),
        ("domain_schema", optional(domain.as_ref().map(|(schema, _)| context.schema_name(*schema)))),
        ("domain_name", optional(domain.map(|(_, name)| name))),
        ("table_catalog", text(&catalog)),
        ("table_schema", text(context.schema_name(row.schema))),
        ("table_name", text(row.table)),
        ("column_name", text(row.name)),
        ("ordinal_position", Datum::Int4(i32::from(row.number))),
        (
            "column_default",
            optional(
                row.column
                    .and_then(|c| c.default.as_ref())
                    .map(|text| definition::expression(&context.catalog, None, text, definition::Style::Plain)),
            ),
        ),
        ("is_nullable", yes_no(!row.not_null)),
        ("data_type", text(data_type)),
        ("character_maximum_length", int(more.length)),
        ("character_octet_length", int(more.octets)),
        ("numeric_precision", int(more.precision)),
        ("numeric_precision_radix", int(more.radix)),
        ("numeric_scale", int(more.scale)),
        ("datetime_precision", int(more.datetime)),
        ("collation_catalog", optional(collation.map(|_| catalog.clone()))),
        ("collation_schema", optional(collation_schema)),
        ("collation_name", optional(collation)),
        ("udt_catalog", text(&catalog)),
        ("udt_schema", text(udt_schema)),
        ("udt_name", text(udt_name)),
        ("dtd_identifier", text(row.number.to_string())),
        ("is_self_referencing", yes_no(false)),
        ("is_identity", yes_no(identity.is_some())),
        ("identity_generation", optional(identity.map(|i| if i.always { "ALWAYS" } else { "BY DEFAULT" }))),
        ("identity_start", of_sequence(|s| s.start)),
        ("identity_increment", of_sequence(|s| s.increment)),
        ("identity_maximum", of_sequence(|s| s.max)),
        ("identity_minimum", of_sequence(|s| s.min)),
        ("identity_cycle", yes_no(sequence.is_some_and(|s| s.cycle))),
        ("is_generated", text(if generated.is_some() { "ALWAYS" } else { "NEVER" })),
        ("generation_expression", optional(generated)),
        ("is_updatable", yes_no(row.updatable)),
    ]);
}

fn views(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        let Entry::View(view) = entry else { continue };
        let writable = can_insert(&writable(context, view));
        rows.push([
            ("table_catalog", text(context.database_name())),
            ("table_schema", text(context.schema_name(view.schema))),
            ("table_name", text(&view.name)),
            ("view_definition", text(definition::view(view, Default::default(), context.eval))),
            ("check_option", text(view.check_option().unwrap_or("none").to_uppercase())),
            ("is_updatable", yes_no(writable)),
            ("is_insertable_into", yes_no(writable)),
            ("is_trigger_updatable", yes_no(false)),
            ("is_trigger_deletable", yes_no(false)),
            ("is_trigger_insertable_into", yes_no(false)),
        ]);
    }
}

/// Which columns of a view can be written; `None`: it is not updatable.
fn writable(context: &Context<'_>, view: &View) -> Option<Vec<bool>> {
    view_updatability(view, context.eval).ok()
}

/// Whether rows can be inserted and updated through a view.
fn can_insert(writable: &Option<Vec<bool>>) -> bool {
    writable.as_ref().is_some_and(|columns| columns.contains(&true))
}

/// The standard has NOT NULL as a CHECK; the name is its constraint's.
fn not_null_name(table: &Table, column: &Column) -> String {
    let of = |c: &&Constraint| c.kind == ConstraintKind::NotNull { column: column.number };
    let found = table.constraints.iter().find(of).map(|c| c.name.clone());
    found.unwrap_or_else(|| format!("{}_{}_{}_not_null", table.schema, table.oid, column.number))
}

fn not_null_columns(table: &Table) -> impl Iterator<Item = &Column> {
    table.live_columns().filter(|c| c.not_null)
}

fn table_constraints(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    for table in user_tables(context) {
        let schema = context.schema_name(table.schema);
        let mut row = |name: String, kind: &str, nulls_distinct: Option<bool>, flags: ConstraintFlags| {
            rows.push([
                ("constraint_catalog", text(&catalog)),
                ("constraint_schema", text(&schema)),
                ("constraint_name", text(name)),
                ("table_catalog", text(&catalog)),
                ("table_schema", text(&schema)),
                ("table_name", text(&table.name)),
                ("constraint_type", text(kind)),
                ("is_deferrable", yes_no(flags.deferrable)),
                ("initially_deferred", yes_no(flags.deferred)),
                ("enforced", yes_no(!flags.not_enforced)),
                ("nulls_distinct", nulls_distinct.map_or(Datum::Null, yes_no)),
            ]);
        };
        for constraint in &table.constraints {
            let (kind, nulls_distinct) = match &constraint.kind {
                ConstraintKind::Check { .. } => ("CHECK", None),
                ConstraintKind::Unique { index, .. } => {
                    ("UNIQUE", context.catalog.index(*index).map(|i| !i.nulls_not_distinct))
                }
                ConstraintKind::PrimaryKey { .. } => ("PRIMARY KEY", None),
                ConstraintKind::ForeignKey(_) => ("FOREIGN KEY", None),
                // They come with the columns.
                ConstraintKind::NotNull { .. } => continue,
            };
            row(constraint.name.clone(), kind, nulls_distinct, constraint.attributes);
        }
        for column in not_null_columns(table) {
            row(not_null_name(table, column), "CHECK", None, ConstraintFlags::default());
        }
    }
}

fn check_constraints(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    for table in user_tables(context) {
        let schema = context.schema_name(table.schema);
        let mut row = |name: String, clause: String| {
            rows.push([
                ("constraint_catalog", text(&catalog)),
                ("constraint_schema", text(&schema)),
                ("constraint_name", text(name)),
                ("check_clause", text(clause)),
            ]);
        };
        for constraint in &table.constraints {
            if let ConstraintKind::Check { expr } = &constraint.kind {
                row(constraint.name.clone(), expr.clone());
            }
        }
        for column in not_null_columns(table) {
            row(not_null_name(table, column), format!("{} IS NOT NULL", column.name));
        }
    }
}

/// Whether a constraint is a key: neither CHECK nor NOT NULL.
fn is_key(constraint: &Constraint) -> bool {
    !matches!(constraint.kind, ConstraintKind::Check { .. } | ConstraintKind::NotNull { .. })
}

/// The columns of a constraint.
fn columns_of<'c>(table: &'c Table, constraint: &Constraint) -> Vec<&'c Column> {
    let numbers = match &constraint.kind {
        ConstraintKind::Check { expr } => super::relations::check_columns(table, expr),
        _ => constraint.columns().to_vec(),
    };
    numbers.iter().filter_map(|n| table.column_by_number(*n)).collect()
}

fn key_columns(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    for table in user_tables(context) {
        let schema = context.schema_name(table.schema);
        for constraint in table.constraints.iter().filter(|c| is_key(c)) {
            for (i, column) in columns_of(table, constraint).iter().enumerate() {
                rows.push([
                    ("constraint_catalog", text(&catalog)),
                    ("constraint_schema", text(&schema)),
                    ("constraint_name", text(&constraint.name)),
                    ("table_catalog", text(&catalog)),
                    ("table_schema", text(&schema)),
                    ("table_name", text(&table.name)),
                    ("column_name", text(&column.name)),
                    ("ordinal_position", Datum::Int4(i as i32 + 1)),
                    ("position_in_unique_constraint", int(place_in_unique(context, constraint, i))),
                ]);
            }
        }
    }
}

/// Where the column that a foreign key's column refers to is in the unique constraint.
fn place_in_unique(context: &Context<'_>, constraint: &Constraint, position: usize) -> Option<i32> {
    let key = constraint.foreign_key()?;
    let unique = context.catalog.table(key.table)?.constraints.iter().find(|c| c.index() == Some(key.index))?;
    let number = key.referenced.get(position)?;
    unique.columns().iter().position(|n| n == number).map(|at| at as i32 + 1)
}

fn referential_constraints(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    for table in user_tables(context) {
        for constraint in &table.constraints {
            let Some(key) = constraint.foreign_key() else { continue };
            let parent = context.catalog.table(key.table);
            let unique = parent.and_then(|p| p.constraints.iter().find(|c| c.index() == Some(key.index)));
            let unique_schema = parent.filter(|_| unique.is_some()).map(|p| context.schema_name(p.schema));
            rows.push([
                ("constraint_catalog", text(&catalog)),
                ("constraint_schema", text(context.schema_name(table.schema))),
                ("constraint_name", text(&constraint.name)),
                ("unique_constraint_catalog", optional(unique.map(|_| catalog.clone()))),
                ("unique_constraint_schema", optional(unique_schema)),
                ("unique_constraint_name", optional(unique.map(|c| c.name.clone()))),
                ("match_option", text(if key.match_full { "FULL" } else { "NONE" })),
                ("update_rule", text(key.on_update.words())),
                ("delete_rule", text(key.on_delete.words())),
            ]);
        }
    }
}

fn constraint_columns(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    for table in user_tables(context) {
        let schema = context.schema_name(table.schema);
        for constraint in &table.constraints {
            // A foreign key uses the columns that it refers to.
            let parent = constraint.foreign_key().and_then(|key| Some((key, context.catalog.table(key.table)?)));
            let (of, columns) = match parent {
                Some((key, parent)) => {
                    (parent, key.referenced.iter().filter_map(|n| parent.column_by_number(*n)).collect())
                }
                None => (table, columns_of(table, constraint)),
            };
            for column in columns {
                rows.push([
                    ("table_catalog", text(&catalog)),
                    ("table_schema", text(context.schema_name(of.schema))),
                    ("table_name", text(&of.name)),
                    ("column_name", text(&column.name)),
                    ("constraint_catalog", text(&catalog)),
                    ("constraint_schema", text(&schema)),
                    ("constraint_name", text(&constraint.name)),
                ]);
            }
        }
    }
}

fn constraint_tables(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    for table in user_tables(context) {
        let schema = context.schema_name(table.schema);
        for constraint in table.constraints.iter().filter(|c| is_key(c)) {
            let of = constraint.foreign_key().and_then(|key| context.catalog.table(key.table)).unwrap_or(table);
            rows.push([
                ("table_catalog", text(&catalog)),
                ("table_schema", text(context.schema_name(of.schema))),
                ("table_name", text(&of.name)),
                ("constraint_catalog", text(&catalog)),
                ("constraint_schema", text(&schema)),
                ("constraint_name", text(&constraint.name)),
            ]);
        }
    }
}

fn sequences(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        let Entry::Sequence(sequence) = entry else { continue };
        // Those behind identity columns belong to their columns.
        let internal = sequence.owned_by.is_some_and(|(table, column)| {
            let column = context.catalog.table(table).and_then(|t| t.column_by_number(column));
            column.and_then(|c| c.identity.as_ref()).is_some_and(|i| i.sequence == sequence.oid)
        });
        if internal {
            continue;
        }
        rows.push([
            ("sequence_catalog", text(context.database_name())),
            ("sequence_schema", text(context.schema_name(sequence.schema))),
            ("sequence_name", text(&sequence.name)),
            ("data_type", text(sql_types::format_oid(sequence.typ.oid, None))),
            ("numeric_precision", int(attributes(sequence.typ).precision)),
            ("numeric_precision_radix", Datum::Int4(2)),
            ("numeric_scale", Datum::Int4(0)),
            ("start_value", text(sequence.start.to_string())),
            ("minimum_value", text(sequence.min.to_string())),
            ("maximum_value", text(sequence.max.to_string())),
            ("increment", text(sequence.increment.to_string())),
            ("cycle_option", yes_no(sequence.cycle)),
        ]);
    }
}

/// The privileges on tables that the standard knows.
const TABLE_PRIVILEGES: Rights = privilege::INSERT
    | privilege::SELECT
    | privilege::UPDATE
    | privilege::DELETE
    | privilege::TRUNCATE
    | privilege::REFERENCES
    | 1 << 6;

/// Tables and views of users: the entry, and its columns' names by number.
fn owned<'c>(context: &'c Context<'_>) -> impl Iterator<Item = (&'c Entry, Object, Vec<(i32, &'c str)>)> {
    context.entries().filter_map(|entry| match entry {
        Entry::Table(table) if table.view.is_none() => {
            let columns = table.live_columns().map(|c| (i32::from(c.number), c.name.as_str())).collect();
            Some((entry, Object::relation(entry)?, columns))
        }
        Entry::View(view) => {
            let columns = (1..).zip(view.columns.iter().map(|(name, _)| name.as_str())).collect();
            Some((entry, Object::relation(entry)?, columns))
        }
        _ => None,
    })
}

/// Who a grant is to, as the standard writes it; `None`: the user has nothing to do with it.
fn grant_parties(context: &Context<'_>, item: &AclItem) -> Option<(String, String)> {
    let user = context.catalog.role(&context.eval.host.users().0).map_or(0, |r| r.oid);
    let roles = privilege::roles_of(&context.catalog, user, privilege::Through::Inherit);
    let enabled = |oid: Oid| privilege::is_superuser(&context.catalog, user) || roles.contains(&oid);
    if item.grantee != 0 && !enabled(item.grantor) && !enabled(item.grantee) {
        return None;
    }
    let grantee = if item.grantee == 0 { "PUBLIC".to_string() } else { context.role_name(item.grantee) };
    Some((context.role_name(item.grantor), grantee))
}

fn is_grantable(context: &Context<'_>, item: &AclItem, object: &Object, name: &str) -> bool {
    let right = privilege::right(name).unwrap_or(0);
    item.grantable & right != 0
        || (item.grantee != 0 && privilege::acts_as(&context.catalog, item.grantee, object.owner))
}

fn table_privileges(context: &Context<'_>, rows: &mut Rows) {
    for (entry, object, _) in owned(context) {
        for item in privilege::items(&context.catalog, object.class, object.oid, 0, object.owner) {
            let Some((grantor, grantee)) = grant_parties(context, &item) else { continue };
            for name in privilege::names(item.rights & TABLE_PRIVILEGES) {
                rows.push([
                    ("grantor", text(&grantor)),
                    ("grantee", text(&grantee)),
                    ("table_catalog", text(context.database_name())),
                    ("table_schema", text(context.schema_name(entry.schema().unwrap_or(0)))),
                    ("table_name", text(entry.name())),
                    ("privilege_type", text(name)),
                    ("is_grantable", yes_no(is_grantable(context, &item, &object, name))),
                    ("with_hierarchy", yes_no(name == "SELECT")),
                ]);
            }
        }
    }
}

fn column_privileges(context: &Context<'_>, rows: &mut Rows) {
    let known = privilege::all_rights(ObjectClass::Relation, true);
    for (entry, object, columns) in owned(context) {
        let whole = privilege::items(&context.catalog, object.class, object.oid, 0, object.owner);
        for (number, column) in columns {
            let own = privilege::items(&context.catalog, object.class, object.oid, number, object.owner);
            for item in whole.iter().chain(&own) {
                let Some((grantor, grantee)) = grant_parties(context, item) else { continue };
                for name in privilege::names(item.rights & known) {
                    rows.push([
                        ("grantor", text(&grantor)),
                        ("grantee", text(&grantee)),
                        ("table_catalog", text(context.database_name())),
                        ("table_schema", text(context.schema_name(entry.schema().unwrap_or(0)))),
                        ("table_name", text(entry.name())),
                        ("column_name", text(column)),
                        ("privilege_type", text(name)),
                        ("is_grantable", yes_no(is_grantable(context, item, &object, name))),
                    ]);
                }
            }
        }
    }
}

fn element_types(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    for table in user_tables(context) {
        for column in table.live_columns() {
            let is_array = sql_types::is_array(column.typ.oid);
            let Some(element) = sql_types::element_of(column.typ.oid).filter(|_| is_array) else { continue };
            let (data_type, udt_schema, udt_name) = type_names(context, Type::new(element));
            rows.push([
                ("object_catalog", text(&catalog)),
                ("object_schema", text(context.schema_name(table.schema))),
                ("object_name", text(&table.name)),
                ("object_type", text("TABLE")),
                ("collection_type_identifier", text(column.number.to_string())),
                ("data_type", text(data_type)),
                ("udt_catalog", text(&catalog)),
                ("udt_schema", text(udt_schema)),
                ("udt_name", text(udt_name)),
                ("dtd_identifier", text(format!("a{}", column.number))),
            ]);
        }
    }
}

fn routines(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    for function in crate::sql::functions::all().iter().filter(|f| functions::kind(f) == 'f') {
        let (data_type, udt_schema, udt_name) = type_names(context, function.returns);
        let deterministic = function.volatility == crate::sql::function::Volatility::Immutable;
        rows.push([
            ("specific_catalog", text(&catalog)),
            ("specific_schema", text("pg_catalog")),
            ("specific_name", text(format!("{}_{}", function.name, function.oid))),
            ("routine_catalog", text(&catalog)),
            ("routine_schema", text("pg_catalog")),
            ("routine_name", text(function.name)),
            ("routine_type", text("FUNCTION")),
            ("data_type", text(data_type)),
            ("type_udt_catalog", text(&catalog)),
            ("type_udt_schema", text(udt_schema)),
            ("type_udt_name", text(udt_name)),
            ("dtd_identifier", text("0")),
            ("routine_body", text("EXTERNAL")),
            ("external_language", text("INTERNAL")),
            ("parameter_style", text("GENERAL")),
            ("is_deterministic", yes_no(deterministic)),
            ("sql_data_access", text("MODIFIES")),
            ("is_null_call", yes_no(function.strict)),
            ("schema_level_routine", yes_no(true)),
            ("max_dynamic_result_sets", Datum::Int4(0)),
            ("security_type", text("INVOKER")),
            ("as_locator", yes_no(false)),
            ("is_udt_dependent", yes_no(false)),
        ]);
    }
    routine::routines(context, rows);
}

fn parameters(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    for function in crate::sql::functions::all().iter().filter(|f| functions::kind(f) == 'f') {
        let input = function.args.iter().map(|t| ("IN", None, *t));
        let output = function.columns.iter().map(|(name, t)| ("OUT", Some(*name), *t));
        for (i, (mode, name, typ)) in input.chain(output).enumerate() {
            let (data_type, udt_schema, udt_name) = type_names(context, typ);
            rows.push([
                ("specific_catalog", text(&catalog)),
                ("specific_schema", text("pg_catalog")),
                ("specific_name", text(format!("{}_{}", function.name, function.oid))),
                ("ordinal_position", Datum::Int4(i as i32 + 1)),
                ("parameter_mode", text(mode)),
                ("is_result", yes_no(false)),
                ("as_locator", yes_no(false)),
                ("parameter_name", optional(name)),
                ("data_type", text(data_type)),
                ("udt_catalog", text(&catalog)),
                ("udt_schema", text(udt_schema)),
                ("udt_name", text(udt_name)),
                ("dtd_identifier", text((i + 1).to_string())),
            ]);
        }
    }
    routine::parameters(context, rows);
}

fn enabled_roles(context: &Context<'_>, rows: &mut Rows) {
    let user = context.eval.host.users().0;
    let all = context.catalog.role(&user).is_some_and(|r| r.superuser);
    for name in context.catalog.roles.keys().filter(|name| all || **name == user) {
        rows.push([("role_name", text(name))]);
    }
}

fn character_sets(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    rows.push([
        ("character_set_name", text("UTF8")),
        ("character_repertoire", text("UCS")),
        ("form_of_use", text("UTF8")),
        ("default_collate_catalog", text(catalog)),
        ("default_collate_schema", text("pg_catalog")),
        ("default_collate_name", text("default")),
    ]);
}

fn collations(context: &Context<'_>, rows: &mut Rows) {
    for name in ["default", "C", "POSIX"] {
        rows.push([
            ("collation_catalog", text(context.database_name())),
            ("collation_schema", text("pg_catalog")),
            ("collation_name", text(name)),
            ("pad_attribute", text("NO PAD")),
        ]);
    }
}
