//! User-defined types in the catalogs: their rows of `pg_type`, `pg_enum`, `pg_range`, `pg_class`, `pg_attribute` and
//! `pg_constraint`, and the views of `information_schema` that are about them.

use crate::document::{Datum, Oid, Type};
use crate::sql::{types as sql_types, user_types};
use crate::storage::catalog::{Domain, Entry, TypeKind, UserType};

use super::builder::{Rows, letter, optional, text};
use super::{Context, definition};

/// Input, output, receive and send functions by the kind of type.
const ENUM: [Oid; 4] = [3506, 3507, 3532, 3533];
const RECORD: [Oid; 4] = [2290, 2291, 2402, 2403];
const RANGE: [Oid; 4] = [3834, 3835, 3836, 3837];
const MULTIRANGE: [Oid; 4] = [4231, 4232, 4233, 4234];
const ARRAY: [Oid; 4] = [750, 751, 2400, 2401];
/// domain_in and domain_recv.
const DOMAIN: (Oid, Oid) = (2597, 2598);

/// What a row of `pg_type` says of a user's type.
struct TypeRow<'a> {
    oid: Oid,
    name: &'a str,
    schema: Oid,
    owner: Oid,
    len: i16,
    by_value: bool,
    kind: char,
    category: char,
    relation: Oid,
    functions: [Oid; 4],
    align: char,
    storage: char,
    domain: Option<(&'a Domain, String)>,
}

fn all<'c>(context: &'c Context<'_>) -> impl Iterator<Item = &'c UserType> {
    context.entries().filter_map(|entry| match entry {
        Entry::Type(user) => Some(user),
        _ => None,
    })
}

pub(super) fn types(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        match entry {
            Entry::Table(x) => composite(context, rows, (x.row_type, &x.name, x.schema, x.owner), x.oid),
            Entry::View(x) => composite(context, rows, (x.row_type, &x.name, x.schema, x.owner), x.oid),
            Entry::Type(user) => user_type(context, rows, user),
            _ => {}
        }
    }
}

fn composite(context: &Context<'_>, rows: &mut Rows, of: (Oid, &str, Oid, Oid), relation: Oid) {
    let (oid, name, schema, owner) = of;
    type_row(
        context,
        rows,
        &TypeRow {
            oid,
            name,
            schema,
            owner,
            len: -1,
            by_value: false,
            kind: 'c',
            category: 'C',
            relation,
            functions: RECORD,
            align: 'd',
            storage: 'x',
            domain: None,
        },
    );
}

fn user_type(context: &Context<'_>, rows: &mut Rows, user: &UserType) {
    let mut row = TypeRow {
        oid: user.oid,
        name: &user.name,
        schema: user.schema,
        owner: user.owner,
        len: -1,
        by_value: false,
        kind: 'r',
        category: 'R',
        relation: 0,
        functions: RANGE,
        align: 'i',
        storage: 'x',
        domain: None,
    };
    match &user.kind {
        TypeKind::Enum(_) => {
            let plain =
                TypeRow { len: 4, by_value: true, kind: 'e', category: 'E', functions: ENUM, storage: 'p', ..row };
            type_row(context, rows, &plain);
        }
        TypeKind::Composite { relation, .. } => {
            composite(context, rows, (user.oid, &user.name, user.schema, user.owner), *relation);
        }
        TypeKind::Domain(domain) => {
            let base = user_types::base(&context.catalog, domain.base);
            let of = |oid: Oid| sql_types::by_oid(oid).map(|info| (info.len, info.by_value, info.align, info.storage));
            (row.len, row.by_value, row.align, row.storage) = of(base.oid).unwrap_or((-1, false, 'i', 'x'));
            (row.kind, row.category) = ('d', sql_types::category(base.oid));
            let default = user_types_default(context, user.oid);
            row.domain = Some((domain, default.unwrap_or_default()));
            row.functions = super::types::functions_of(base.oid);
            (row.functions[0], row.functions[2]) = DOMAIN;
            type_row(context, rows, &row);
        }
        TypeKind::Range(range) => {
            type_row(context, rows, &row);
            let multirange = TypeRow {
                oid: range.multirange,
                name: &range.multirange_name,
                kind: 'm',
                functions: MULTIRANGE,
                ..row
            };
            type_row(context, rows, &multirange);
        }
    }
}

fn user_types_default(context: &Context<'_>, oid: Oid) -> Option<String> {
    user_types::domain(&context.catalog, oid)?.default.clone()
}

fn type_row(context: &Context<'_>, rows: &mut Rows, row: &TypeRow<'_>) {
    let array = sql_types::array_of(row.oid).unwrap_or(0);
    let domain = row.domain.as_ref().map(|(domain, _)| *domain);
    let default = row.domain.as_ref().map(|(_, default)| default.clone()).filter(|text| !text.is_empty());
    let subscript = match domain.map(|d| user_types::base(&context.catalog, d.base).oid) {
        Some(base) if sql_types::is_array(base) => 6179,
        _ => 0,
    };
    rows.push([
        ("oid", Datum::Oid(row.oid)),
        ("typname", text(row.name)),
        ("typnamespace", Datum::Oid(row.schema)),
        ("typowner", Datum::Oid(row.owner)),
        ("typlen", Datum::Int2(row.len)),
        ("typbyval", Datum::Bool(row.by_value)),
        ("typtype", letter(row.kind)),
        ("typcategory", letter(row.category)),
        ("typisdefined", Datum::Bool(true)),
        ("typdelim", letter(',')),
        ("typrelid", Datum::Oid(row.relation)),
        ("typsubscript", Datum::Oid(subscript)),
        ("typarray", Datum::Oid(array)),
        ("typinput", Datum::Oid(row.functions[0])),
        ("typoutput", Datum::Oid(row.functions[1])),
        ("typreceive", Datum::Oid(row.functions[2])),
        ("typsend", Datum::Oid(row.functions[3])),
        ("typalign", letter(row.align)),
        ("typstorage", letter(row.storage)),
        ("typnotnull", Datum::Bool(domain.is_some_and(|d| d.not_null.is_some()))),
        ("typbasetype", Datum::Oid(domain.map_or(0, |d| d.base.oid))),
        ("typtypmod", Datum::Int4(domain.map_or(-1, |d| d.base.typmod))),
        ("typndims", Datum::Int4(i32::from(domain.is_some_and(|d| sql_types::is_array(d.base.oid))))),
        (
            "typcollation",
            Datum::Oid(domain.map_or(0, |d| definition::collation_of(user_types::base(&context.catalog, d.base).oid))),
        ),
        ("typdefaultbin", optional(default.clone())),
        ("typdefault", optional(default)),
    ]);
    if array != 0 {
        rows.push([
            ("oid", Datum::Oid(array)),
            ("typname", text(format!("_{}", row.name))),
            ("typnamespace", Datum::Oid(row.schema)),
            ("typowner", Datum::Oid(row.owner)),
            ("typlen", Datum::Int2(-1)),
            ("typtype", letter('b')),
            ("typcategory", letter('A')),
            ("typisdefined", Datum::Bool(true)),
            ("typdelim", letter(',')),
            ("typsubscript", Datum::Oid(6179)),
            ("typelem", Datum::Oid(row.oid)),
            ("typinput", Datum::Oid(ARRAY[0])),
            ("typoutput", Datum::Oid(ARRAY[1])),
            ("typreceive", Datum::Oid(ARRAY[2])),
            ("typsend", Datum::Oid(ARRAY[3])),
            ("typanalyze", Datum::Oid(3816)),
            ("typalign", letter(if row.align == 'd' { 'd' } else { 'i' })),
            ("typstorage", letter('x')),
            ("typtypmod", Datum::Int4(-1)),
        ]);
    }
}

pub(super) fn enums(context: &Context<'_>, rows: &mut Rows) {
    for user in all(context) {
        let TypeKind::Enum(labels) = &user.kind else { continue };
        for label in labels {
            rows.push([
                ("oid", Datum::Oid(label.oid)),
                ("enumtypid", Datum::Oid(user.oid)),
                ("enumsortorder", Datum::Float4((label.order as f64 / (1u64 << 40) as f64) as f32)),
                ("enumlabel", text(&label.name)),
            ]);
        }
    }
}

pub(super) fn ranges(context: &Context<'_>, rows: &mut Rows) {
    let mut row = |range: Oid, multirange: Oid, subtype: Oid| {
        rows.push([
            ("rngtypid", Datum::Oid(range)),
            ("rngsubtype", Datum::Oid(subtype)),
            ("rngmultitypid", Datum::Oid(multirange)),
            ("rngcollation", Datum::Oid(definition::collation_of(subtype))),
            ("rngsubopc", Datum::Oid(definition::default_opclass("btree", subtype).map_or(0, |(oid, _)| oid))),
        ]);
    };
    sql_types::RANGES.iter().for_each(|(range, multirange, subtype)| row(*range, *multirange, *subtype));
    for user in all(context) {
        if let TypeKind::Range(range) = &user.kind {
            row(user.oid, range.multirange, range.subtype.oid);
        }
    }
}

/// `pg_class` of a composite type.
pub(super) fn class(user: &UserType, rows: &mut Rows) {
    let TypeKind::Composite { relation, columns } = &user.kind else { return };
    rows.push([
        ("oid", Datum::Oid(*relation)),
        ("relname", text(&user.name)),
        ("relnamespace", Datum::Oid(user.schema)),
        ("reltype", Datum::Oid(user.oid)),
        ("relowner", Datum::Oid(user.owner)),
        ("relpersistence", letter('p')),
        ("relkind", letter('c')),
        ("relnatts", Datum::Int2(columns.len() as i16)),
        ("relispopulated", Datum::Bool(true)),
        ("relreplident", letter('n')),
    ]);
}

/// `pg_constraint` of a domain.
pub(super) fn constraints(user: &UserType, rows: &mut Rows) {
    let TypeKind::Domain(domain) = &user.kind else { return };
    let mut row = |oid: Oid, name: &str, kind: char, validated: bool, bin: Datum| {
        rows.push([
            ("oid", Datum::Oid(oid)),
            ("conname", text(name)),
            ("connamespace", Datum::Oid(user.schema)),
            ("contype", letter(kind)),
            ("convalidated", Datum::Bool(validated)),
            ("contypid", Datum::Oid(user.oid)),
            ("confupdtype", letter(' ')),
            ("confdeltype", letter(' ')),
            ("confmatchtype", letter(' ')),
            ("conislocal", Datum::Bool(true)),
            ("conbin", bin),
        ]);
    };
    for check in &domain.checks {
        row(check.oid, &check.name, 'c', check.validated, text(&check.expr));
    }
}

fn yes_no(value: bool) -> Datum {
    text(if value { "YES" } else { "NO" })
}

/// `information_schema.domains`.
pub(super) fn domains(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    for user in all(context) {
        let TypeKind::Domain(domain) = &user.kind else { continue };
        let base = user_types::base(&context.catalog, domain.base);
        let more = super::information::attributes(base);
        let (_, udt_schema, udt_name) = super::information::type_names(context, base);
        let data_type = match sql_types::by_oid(domain.base.oid) {
            Some(_) => sql_types::format_oid(domain.base.oid, None),
            None => "USER-DEFINED".to_string(),
        };
        let int = |value: Option<i32>| value.map_or(Datum::Null, Datum::Int4);
        rows.push([
            ("domain_catalog", text(&catalog)),
            ("domain_schema", text(context.schema_name(user.schema))),
            ("domain_name", text(&user.name)),
            ("data_type", text(data_type)),
            ("character_maximum_length", int(more.length)),
            ("character_octet_length", int(more.octets)),
            ("numeric_precision", int(more.precision)),
            ("numeric_precision_radix", int(more.radix)),
            ("numeric_scale", int(more.scale)),
            ("datetime_precision", int(more.datetime)),
            ("domain_default", optional(domain.default.clone())),
            ("udt_catalog", text(&catalog)),
            ("udt_schema", text(udt_schema)),
            ("udt_name", text(udt_name)),
            ("dtd_identifier", text("1")),
        ]);
    }
}

/// `information_schema.domain_constraints`.
pub(super) fn domain_constraints(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    for user in all(context) {
        let TypeKind::Domain(domain) = &user.kind else { continue };
        let schema = context.schema_name(user.schema);
        let names = domain.checks.iter().map(|check| &check.name).chain(domain.not_null.iter().map(|(_, name)| name));
        for name in names {
            rows.push([
                ("constraint_catalog", text(&catalog)),
                ("constraint_schema", text(&schema)),
                ("constraint_name", text(name)),
                ("domain_catalog", text(&catalog)),
                ("domain_schema", text(&schema)),
                ("domain_name", text(&user.name)),
                ("is_deferrable", yes_no(false)),
                ("initially_deferred", yes_no(false)),
            ]);
        }
    }
}

/// The rows of `information_schema.check_constraints` that domains have.
pub(super) fn check_constraints(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    for user in all(context) {
        let TypeKind::Domain(domain) = &user.kind else { continue };
        let schema = context.schema_name(user.schema);
        let checks = domain.checks.iter().map(|check| (&check.name, check.expr.clone()));
        let not_null = domain.not_null.iter().map(|(_, name)| (name, "VALUE IS NOT NULL".to_string()));
        for (name, clause) in checks.chain(not_null) {
            rows.push([
                ("constraint_catalog", text(&catalog)),
                ("constraint_schema", text(&schema)),
                ("constraint_name", text(name)),
                ("check_clause", text(clause)),
            ]);
        }
    }
}

/// `information_schema.user_defined_types`.
pub(super) fn user_defined(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    for user in all(context).filter(|user| matches!(user.kind, TypeKind::Composite { .. })) {
        rows.push([
            ("user_defined_type_catalog", text(&catalog)),
            ("user_defined_type_schema", text(context.schema_name(user.schema))),
            ("user_defined_type_name", text(&user.name)),
            ("user_defined_type_category", text("STRUCTURED")),
            ("is_instantiable", yes_no(true)),
        ]);
    }
}

/// `information_schema.attributes`.
pub(super) fn attributes(context: &Context<'_>, rows: &mut Rows) {
    let catalog = context.database_name();
    for user in all(context) {
        let TypeKind::Composite { columns, .. } = &user.kind else { continue };
        for column in columns.iter().filter(|c| !c.dropped) {
            let more = super::information::attributes(column.typ);
            let (data_type, udt_schema, udt_name) = super::information::type_names(context, Type::new(column.typ.oid));
            let int = |value: Option<i32>| value.map_or(Datum::Null, Datum::Int4);
            rows.push([
                ("udt_catalog", text(&catalog)),
                ("udt_schema", text(context.schema_name(user.schema))),
                ("udt_name", text(&user.name)),
                ("attribute_name", text(&column.name)),
                ("ordinal_position", Datum::Int4(i32::from(column.number))),
                ("is_nullable", yes_no(true)),
                ("data_type", text(data_type)),
                ("character_maximum_length", int(more.length)),
                ("character_octet_length", int(more.octets)),
                ("numeric_precision", int(more.precision)),
                ("numeric_precision_radix", int(more.radix)),
                ("numeric_scale", int(more.scale)),
                ("datetime_precision", int(more.datetime)),
                ("attribute_udt_catalog", text(&catalog)),
                ("attribute_udt_schema", text(udt_schema)),
                ("attribute_udt_name", text(udt_name)),
                ("dtd_identifier", text(column.number.to_string())),
            ]);
        }
    }
}
