//! `pg_class`, `pg_attribute`, `pg_attrdef`, `pg_index`, `pg_constraint`, `pg_sequence`.

use crate::document::{Datum, Oid, Type};
use crate::sql::types as sql_types;
use crate::storage::catalog::{
    Column, Constraint, ConstraintKind, Entry, ForeignKey, Index, IndexKey, IndexSource, ObjectClass, Origin,
    PartitionBound, PartitionStrategy, Persistence, Physical, ReplicaIdentity, Sequence, Table, TypeKind, UserType,
    View, is_temporary,
};

use super::builder::{Rows, acl, int2_array, int2vector, letter, oid_array, oidvector, optional, text, text_array};
use super::{Context, SystemRelation, definition};

/// Rows of a block of PostgreSQL's, to tell `relpages` from a row count.
const ROWS_PER_PAGE: u64 = 100;

pub(super) fn classes(context: &Context<'_>, rows: &mut Rows) {
    for relation in super::all() {
        system_class(relation, rows);
    }
    for entry in context.entries() {
        match entry {
            Entry::Table(table) => table_class(context, table, rows),
            Entry::Index(index) => index_class(context, index, rows),
            Entry::View(view) => view_class(context, view, rows),
            Entry::Sequence(sequence) => sequence_class(context, sequence, rows),
            Entry::Type(user) => super::user_types::class(user, rows),
            _ => {}
        }
    }
}

fn system_class(relation: &SystemRelation, rows: &mut Rows) {
    let is_table = relation.kind == 'r';
    rows.push([
        ("oid", Datum::Oid(relation.oid)),
        ("relname", text(relation.short_name())),
        ("relnamespace", Datum::Oid(relation.schema())),
        ("relowner", Datum::Oid(definition::system_owner())),
        ("relam", Datum::Oid(if is_table { 2 } else { 0 })),
        ("relfilenode", Datum::Oid(if is_table { relation.oid } else { 0 })),
        ("reltuples", Datum::Float4(-1.0)),
        ("relisshared", Datum::Bool(relation.is_shared)),
        ("relpersistence", letter('p')),
        ("relkind", letter(relation.kind)),
        ("relnatts", Datum::Int2(i16::try_from(relation.columns.len()).unwrap_or(0))),
        ("relhasrules", Datum::Bool(!is_table)),
        ("relispopulated", Datum::Bool(true)),
        ("relreplident", letter('n')),
    ]);
}

/// `relpersistence` of a table and its indexes.
fn persistence(table: &Table) -> Datum {
    letter(match table.persistence {
        Persistence::Permanent => 'p',
        Persistence::Unlogged => 'u',
        Persistence::Temporary(_) => 't',
    })
}

fn table_class(context: &Context<'_>, table: &Table, rows: &mut Rows) {
    let count = context.live.rows(table.oid);
    let checks = table.constraints.iter().filter(|c| matches!(c.kind, ConstraintKind::Check { .. })).count();
    let options = table.options.iter().map(|(name, value)| format!("{name}={value}"));
    rows.push([
        ("oid", Datum::Oid(table.oid)),
        ("relname", text(&table.name)),
        ("relnamespace", Datum::Oid(table.schema)),
        ("reltype", Datum::Oid(table.row_type)),
        ("relowner", Datum::Oid(table.owner)),
        ("relam", Datum::Oid(if table.is_partitioned() { 0 } else { 2 })),
        ("relfilenode", Datum::Oid(if table.is_partitioned() { 0 } else { table.storage })),
        ("relpages", Datum::Int4(i32::try_from(count.unwrap_or(0).div_ceil(ROWS_PER_PAGE)).unwrap_or(i32::MAX))),
        ("reltuples", Datum::Float4(count.map_or(-1.0, |n| n as f32))),
        ("relhasindex", Datum::Bool(context.catalog.indexes_of(table.oid).next().is_some())),
        ("relpersistence", persistence(table)),
        ("relkind", letter(table_kind(table))),
        ("relhassubclass", Datum::Bool(!context.catalog.children_of(table.oid).is_empty())),
        ("relispartition", Datum::Bool(table.bound.is_some())),
        ("relpartbound", optional(definition::partition_bound(&context.catalog, table))),
        ("relnatts", Datum::Int2(table.columns.iter().map(|c| c.number).max().unwrap_or(0))),
        ("relhastriggers", Datum::Bool(has_foreign_keys(context, table))),
        ("relchecks", Datum::Int2(i16::try_from(checks).unwrap_or(i16::MAX))),
        ("relhasrules", Datum::Bool(table.view.is_some())),
        ("relispopulated", Datum::Bool(table.view.as_ref().is_none_or(|v| v.populated))),
        ("relreplident", letter(table.replica_identity.letter())),
        ("relacl", acl(&context.catalog, ObjectClass::Relation, table.oid, 0)),
        ("reloptions", if table.options.is_empty() { Datum::Null } else { text_array(options) }),
    ]);
}

/// `relkind` of a table.
fn table_kind(table: &Table) -> char {
    match () {
        () if table.view.is_some() => 'm',
        () if table.is_partitioned() => 'p',
        () => 'r',
    }
}

/// Foreign keys show as triggers on both tables: psql asks for them by that.
fn has_foreign_keys(context: &Context<'_>, table: &Table) -> bool {
    table.foreign_keys().next().is_some() || context.catalog.referencing.contains_key(&table.oid)
}

fn index_class(context: &Context<'_>, index: &Index, rows: &mut Rows) {
    let owner = context.catalog.table(index.table).map_or(0, |t| t.owner);
    rows.push([
        ("oid", Datum::Oid(index.oid)),
        ("relname", text(&index.name)),
        ("relnamespace", Datum::Oid(index.schema)),
        ("relowner", Datum::Oid(owner)),
        ("relam", Datum::Oid(definition::access_method(&index.method))),
        ("relfilenode", Datum::Oid(index.oid)),
        ("relpersistence", context.catalog.table(index.table).map_or(Datum::Null, persistence)),
        ("relkind", letter(if is_partitioned(context, index) { 'I' } else { 'i' })),
        ("relispartition", Datum::Bool(index.parent.is_some())),
        ("relhassubclass", Datum::Bool(is_partitioned(context, index) && has_parts(context, index))),
        ("relnatts", Datum::Int2((index.keys.len() + index.include.len()) as i16)),
        ("relispopulated", Datum::Bool(true)),
        ("relreplident", letter('n')),
    ]);
}

fn is_partitioned(context: &Context<'_>, index: &Index) -> bool {
    context.catalog.table(index.table).is_some_and(Table::is_partitioned)
}

fn has_parts(context: &Context<'_>, index: &Index) -> bool {
    let children = context.catalog.children_of(index.table).iter();
    children.flat_map(|child| context.catalog.indexes_of(*child)).any(|part| part.parent == Some(index.oid))
}

/// `pg_inherits`: tables, and the parts of indexes.
pub(super) fn inherits(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        match entry {
            Entry::Table(table) => {
                for (parent, at) in table.parents.iter().zip(1..) {
                    inherits_row(rows, table.oid, *parent, at);
                }
            }
            Entry::Index(Index { oid, parent: Some(parent), .. }) => inherits_row(rows, *oid, *parent, 1),
            _ => {}
        }
    }
}

fn inherits_row(rows: &mut Rows, child: Oid, parent: Oid, at: i32) {
    rows.push([
        ("inhrelid", Datum::Oid(child)),
        ("inhparent", Datum::Oid(parent)),
        ("inhseqno", Datum::Int4(at)),
        ("inhdetachpending", Datum::Bool(false)),
    ]);
}

/// `pg_partitioned_table`.
pub(super) fn partitioned(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        let Entry::Table(table) = entry else { continue };
        let Some(key) = &table.partition_key else { continue };
        let is_default = |oid: &&Oid| {
            let bound = context.catalog.table(**oid).and_then(|t| t.bound.as_ref());
            bound == Some(&PartitionBound::Default)
        };
        let number = |key: &IndexKey| match key.source {
            IndexSource::Column(number) => number,
            IndexSource::Expression(_) => 0,
        };
        let expressions: Vec<String> = key
            .keys
            .iter()
            .filter_map(|key| match &key.source {
                IndexSource::Expression(text) => Some(text.clone()),
                IndexSource::Column(_) => None,
            })
            .collect();
        let method = if key.strategy == PartitionStrategy::Hash { "hash" } else { "btree" };
        rows.push([
            ("partrelid", Datum::Oid(table.oid)),
            ("partstrat", letter(key.strategy.letter())),
            ("partnatts", Datum::Int2(key.keys.len() as i16)),
            (
                "partdefid",
                Datum::Oid(context.catalog.children_of(table.oid).iter().find(is_default).copied().unwrap_or(0)),
            ),
            ("partattrs", int2vector(key.keys.iter().map(number))),
            ("partclass", oidvector(key.keys.iter().map(|k| definition::opclass(method, k)))),
            ("partcollation", oidvector(key.keys.iter().map(|k| definition::collation_of(k.typ.oid)))),
            ("partexprs", if expressions.is_empty() { Datum::Null } else { text(expressions.join(", ")) }),
        ]);
    }
}

fn view_class(context: &Context<'_>, view: &View, rows: &mut Rows) {
    rows.push([
        ("oid", Datum::Oid(view.oid)),
        ("relname", text(&view.name)),
        ("relnamespace", Datum::Oid(view.schema)),
        ("reltype", Datum::Oid(view.row_type)),
        ("relowner", Datum::Oid(view.owner)),
        ("relpersistence", letter(if is_temporary(view.oid) { 't' } else { 'p' })),
        ("relkind", letter('v')),
        ("relnatts", Datum::Int2(view.columns.len() as i16)),
        ("relhasrules", Datum::Bool(true)),
        ("relispopulated", Datum::Bool(true)),
        ("relreplident", letter('n')),
        ("relacl", acl(&context.catalog, ObjectClass::Relation, view.oid, 0)),
        (
            "reloptions",
            match view.options.is_empty() {
                true => Datum::Null,
                false => text_array(view.options.iter().map(|(name, value)| format!("{name}={value}"))),
            },
        ),
    ]);
}

fn sequence_class(context: &Context<'_>, sequence: &Sequence, rows: &mut Rows) {
    rows.push([
        ("oid", Datum::Oid(sequence.oid)),
        ("relname", text(&sequence.name)),
        ("relnamespace", Datum::Oid(sequence.schema)),
        ("relowner", Datum::Oid(sequence.owner)),
        ("relfilenode", Datum::Oid(sequence.oid)),
        ("relpages", Datum::Int4(1)),
        ("reltuples", Datum::Float4(1.0)),
        ("relpersistence", letter(if is_temporary(sequence.oid) { 't' } else { 'p' })),
        ("relkind", letter('S')),
        ("relnatts", Datum::Int2(3)),
        ("relispopulated", Datum::Bool(true)),
        ("relreplident", letter('n')),
        ("relacl", acl(&context.catalog, ObjectClass::Sequence, sequence.oid, 0)),
    ]);
}

/// What `pg_attribute` says of a column beside its type.
#[derive(Default)]
struct Attribute<'a> {
    generated: &'a str,
    not_null: bool,
    has_default: bool,
    has_missing: bool,
    identity: &'a str,
    dropped: bool,
    acl: Datum,
    origin: Origin,
    /// The type that its values are stored as, where it is not the declared one.
    stored: Option<Type>,
    physical: Physical,
}

fn attribute(rows: &mut Rows, relation: Oid, number: i16, name: &str, typ: Type, more: &Attribute<'_>) {
    let stored = more.stored.unwrap_or(typ);
    let info = sql_types::by_oid(stored.oid);
    let is_enum = sql_types::is_enum(stored.oid);
    // Row types and others that are not in the table of types: of variable length.
    let (len, by_value, align, storage) =
        info.map_or((-1, false, 'd', 'x'), |i| (i.len, i.by_value, i.align, i.storage));
    let (len, by_value, align, storage) = if is_enum { (4, true, 'i', 'p') } else { (len, by_value, align, storage) };
    let is_array = sql_types::is_array(typ.oid);
    rows.push([
        ("attrelid", Datum::Oid(relation)),
        ("attname", text(name)),
        ("atttypid", Datum::Oid(if more.dropped { 0 } else { typ.oid })),
        ("attstattarget", Datum::Int4(if number > 0 { more.physical.statistics.map_or(-1, i32::from) } else { 0 })),
        ("attcompression", more.physical.compression.map_or_else(|| text(""), letter)),
        ("attlen", Datum::Int2(len)),
        ("attnum", Datum::Int2(number)),
        ("attndims", Datum::Int4(i32::from(is_array))),
        ("attcacheoff", Datum::Int4(-1)),
        ("atttypmod", Datum::Int4(typ.typmod)),
        ("attbyval", Datum::Bool(by_value)),
        ("attalign", letter(align)),
        ("attstorage", letter(more.physical.storage.unwrap_or(storage))),
        ("attnotnull", Datum::Bool(more.not_null)),
        ("atthasdef", Datum::Bool(more.has_default)),
        ("atthasmissing", Datum::Bool(more.has_missing)),
        ("attidentity", text(more.identity)),
        ("attgenerated", text(more.generated)),
        ("attisdropped", Datum::Bool(more.dropped)),
        ("attislocal", Datum::Bool(!more.origin.not_local)),
        ("attinhcount", Datum::Int4(i32::from(more.origin.inherited))),
        ("attcollation", Datum::Oid(definition::collation_of(typ.oid))),
        ("attacl", more.acl.clone()),
    ]);
}

pub(super) fn attributes(context: &Context<'_>, rows: &mut Rows) {
    for relation in super::all() {
        for (i, (name, typ)) in relation.columns.iter().enumerate() {
            let more = Attribute { not_null: relation.not_null[i], ..Attribute::default() };
            attribute(rows, relation.oid, i as i16 + 1, name, *typ, &more);
        }
    }
    for entry in context.entries() {
        match entry {
            Entry::Table(table) => {
                table.columns.iter().for_each(|column| table_attribute(context, rows, table.oid, column));
                system_attributes(rows, table.oid);
            }
            Entry::Index(index) => index_attributes(context, rows, index),
            Entry::View(view) => {
                for (i, (name, typ)) in view.columns.iter().enumerate() {
                    attribute(rows, view.oid, i as i16 + 1, name, *typ, &Attribute::default());
                }
            }
            Entry::Sequence(sequence) => {
                let not_null = Attribute { not_null: true, ..Attribute::default() };
                attribute(rows, sequence.oid, 1, "last_value", Type::INT8, &not_null);
                attribute(rows, sequence.oid, 2, "log_cnt", Type::INT8, &not_null);
                attribute(rows, sequence.oid, 3, "is_called", Type::BOOL, &not_null);
            }
            Entry::Type(UserType { kind: TypeKind::Composite { relation, columns }, .. }) => {
                columns.iter().for_each(|column| table_attribute(context, rows, *relation, column));
            }
            _ => {}
        }
    }
}

fn table_attribute(context: &Context<'_>, rows: &mut Rows, table: Oid, column: &Column) {
    let identity = match &column.identity {
        Some(identity) if identity.always => "a",
        Some(_) => "d",
        None => "",
    };
    let generated = match &column.generated {
        Some(generated) if generated.stored => "s",
        Some(_) => "v",
        None => "",
    };
    let more = Attribute {
        generated,
        not_null: column.not_null && !column.dropped,
        has_default: (column.default.is_some() || column.generated.is_some()) && !column.dropped,
        has_missing: column.missing.is_some() && !column.dropped,
        identity,
        dropped: column.dropped,
        acl: acl(&context.catalog, ObjectClass::Relation, table, i32::from(column.number)),
        origin: column.origin,
        stored: Some(column.typ),
        physical: column.physical,
    };
    let dropped_name = format!("........pg.dropped.{}........", column.number);
    let name = if column.dropped { &dropped_name } else { &column.name };
    attribute(rows, table, column.number, name, declared_type(column), &more);
}

/// The type of a column as `pg_attribute` has it: the domain, without the modifier of its base.
fn declared_type(column: &Column) -> Type {
    column.declared()
}

/// The system columns of a table.
fn system_attributes(rows: &mut Rows, table: Oid) {
    let not_null = Attribute { not_null: true, ..Attribute::default() };
    for (number, name, typ) in [
        (-1, "ctid", Type::TID),
        (-2, "xmin", Type::XID),
        (-3, "cmin", Type::CID),
        (-4, "xmax", Type::XID),
        (-5, "cmax", Type::CID),
        (-6, "tableoid", Type::OID),
    ] {
        attribute(rows, table, number, name, typ, &not_null);
    }
}

fn index_attributes(context: &Context<'_>, rows: &mut Rows, index: &Index) {
    let Some(table) = context.catalog.table(index.table) else { return };
    let mut expressions = 0;
    for (i, key) in index.keys.iter().enumerate() {
        let name = match &key.source {
            IndexSource::Column(number) => table.column_by_number(*number).map(|c| c.name.clone()).unwrap_or_default(),
            IndexSource::Expression(text) => {
                expressions += 1;
                expression_name(text, expressions)
            }
        };
        attribute(rows, index.oid, i as i16 + 1, &name, key.typ, &Attribute::default());
    }
    for (i, number) in index.include.iter().enumerate() {
        let Some(column) = table.column_by_number(*number) else { continue };
        let place = (index.keys.len() + i) as i16 + 1;
        attribute(rows, index.oid, place, &column.name, column.typ, &Attribute::default());
    }
}

/// PostgreSQL's name of an expression key: the function's, or `expr`, numbered from the second on.
fn expression_name(text: &str, count: usize) -> String {
    let base = match crate::sql::parser::parse_expression(text) {
        Ok(sqlparser::ast::Expr::Function(f)) => crate::sql::parser::names(&f.name).pop(),
        _ => None,
    };
    let base = base.unwrap_or_else(|| "expr".into());
    if count == 1 { base } else { format!("{base}{}", count - 1) }
}

/// The OID that a column's default has in `pg_attrdef`: made from the table's, out of the way of all others.
pub(super) fn default_oid(table: Oid, number: i16) -> Oid {
    0x8000_0000 | (table.wrapping_mul(1601).wrapping_add(number as u32) & 0x7FFF_FFFF)
}

pub(super) fn defaults(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        let Entry::Table(table) = entry else { continue };
        for column in table.live_columns() {
            let generated = column.generated.as_ref().map(|g| &g.expr);
            let Some(default) = column.default.as_ref().or(generated) else { continue };
            rows.push([
                ("oid", Datum::Oid(default_oid(table.oid, column.number))),
                ("adrelid", Datum::Oid(table.oid)),
                ("adnum", Datum::Int2(column.number)),
                ("adbin", text(default)),
            ]);
        }
    }
}

pub(super) fn indexes(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        let Entry::Index(index) = entry else { continue };
        let number = |key: &crate::storage::catalog::IndexKey| match key.source {
            IndexSource::Column(number) => number,
            IndexSource::Expression(_) => 0,
        };
        let all = index.keys.iter().map(number).chain(index.include.iter().copied());
        let expressions: Vec<String> = index
            .keys
            .iter()
            .filter_map(|key| match &key.source {
                IndexSource::Expression(text) => Some(text.clone()),
                IndexSource::Column(_) => None,
            })
            .collect();
        let option =
            |key: &crate::storage::catalog::IndexKey| i16::from(key.descending) | i16::from(key.nulls_first) << 1;
        rows.push([
            ("indexrelid", Datum::Oid(index.oid)),
            ("indrelid", Datum::Oid(index.table)),
            ("indnatts", Datum::Int2((index.keys.len() + index.include.len()) as i16)),
            ("indnkeyatts", Datum::Int2(index.keys.len() as i16)),
            ("indisunique", Datum::Bool(index.unique)),
            ("indnullsnotdistinct", Datum::Bool(index.nulls_not_distinct)),
            ("indisprimary", Datum::Bool(index.primary)),
            ("indimmediate", Datum::Bool(!is_deferrable(context, index))),
            (
                "indisclustered",
                Datum::Bool(context.catalog.table(index.table).is_some_and(|t| t.clustered == Some(index.oid))),
            ),
            (
                "indisreplident",
                Datum::Bool(
                    context
                        .catalog
                        .table(index.table)
                        .is_some_and(|t| t.replica_identity == ReplicaIdentity::Index(index.oid)),
                ),
            ),
            ("indisvalid", Datum::Bool(true)),
            ("indisready", Datum::Bool(true)),
            ("indislive", Datum::Bool(true)),
            ("indkey", int2vector(all)),
            ("indcollation", oidvector(index.keys.iter().map(|k| definition::collation_of(k.typ.oid)))),
            ("indclass", oidvector(index.keys.iter().map(|k| definition::opclass(&index.method, k)))),
            ("indoption", int2vector(index.keys.iter().map(option))),
            ("indexprs", if expressions.is_empty() { Datum::Null } else { text(expressions.join(", ")) }),
            ("indpred", optional(index.predicate.clone())),
        ]);
    }
}

/// Whether the constraint of an index is DEFERRABLE.
fn is_deferrable(context: &Context<'_>, index: &Index) -> bool {
    let table = context.catalog.table(index.table);
    let mut constraints = table.into_iter().flat_map(|t| &t.constraints);
    constraints.any(|c| c.index() == Some(index.oid) && c.attributes.deferrable)
}

pub(super) fn constraints(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        if let Entry::Type(user) = entry {
            super::user_types::constraints(user, rows);
        }
        let Entry::Table(table) = entry else { continue };
        for constraint in &table.constraints {
            constraint_row(context, rows, table, constraint);
        }
    }
}

fn constraint_row(context: &Context<'_>, rows: &mut Rows, table: &Table, constraint: &Constraint) {
    let (kind, index, columns, bin) = match &constraint.kind {
        ConstraintKind::Check { expr } => ('c', 0, check_columns(table, expr), text(expr)),
        ConstraintKind::Unique { columns, index } => ('u', *index, columns.clone(), Datum::Null),
        ConstraintKind::PrimaryKey { columns, index } => ('p', *index, columns.clone(), Datum::Null),
        ConstraintKind::ForeignKey(key) => ('f', key.index, key.columns.clone(), Datum::Null),
        ConstraintKind::NotNull { column } => ('n', 0, vec![*column], Datum::Null),
    };
    let foreign = constraint.foreign_key();
    let flags = constraint.attributes;
    let action = |of: fn(&ForeignKey) -> char| letter(foreign.map_or(' ', of));
    let equal = |left: i16, right: i16, (a, b): (&Table, &Table)| {
        let typ = |table: &Table, n| table.column_by_number(n).map_or(0, |c| c.typ.oid);
        crate::sql::system::opfamily::equality(typ(a, left), typ(b, right))
    };
    let parent = foreign.and_then(|key| context.catalog.table(key.table));
    let operators = |which: u8| match (foreign, parent) {
        (Some(key), Some(parent)) => oid_array(
            Type::OID,
            key.referenced.iter().zip(&key.columns).map(|(theirs, own)| match which {
                0 => equal(*theirs, *own, (parent, table)),
                1 => equal(*theirs, *theirs, (parent, parent)),
                _ => equal(*own, *own, (table, table)),
            }),
        ),
        _ => Datum::Null,
    };
    let set_columns = foreign.map(|key| key.set_columns.clone()).unwrap_or_default();
    rows.push([
        ("oid", Datum::Oid(constraint.oid)),
        ("conname", text(&constraint.name)),
        ("connamespace", Datum::Oid(table.schema)),
        ("contype", letter(kind)),
        ("condeferrable", Datum::Bool(flags.deferrable)),
        ("condeferred", Datum::Bool(flags.deferred)),
        ("convalidated", Datum::Bool(!flags.not_valid && !flags.not_enforced)),
        ("conrelid", Datum::Oid(table.oid)),
        ("conindid", Datum::Oid(index)),
        ("confrelid", Datum::Oid(foreign.map_or(0, |key| key.table))),
        ("confupdtype", action(|key| key.on_update.letter())),
        ("confdeltype", action(|key| key.on_delete.letter())),
        ("confmatchtype", action(|key| if key.match_full { 'f' } else { 's' })),
        ("conislocal", Datum::Bool(!constraint.origin.not_local)),
        ("coninhcount", Datum::Int4(i32::from(constraint.origin.inherited))),
        ("conparentid", Datum::Oid(constraint.origin.parent)),
        ("connoinherit", Datum::Bool((!matches!(kind, 'c' | 'n') && !table.is_partitioned()) || flags.no_inherit)),
        ("conkey", if columns.is_empty() { Datum::Null } else { int2_array(columns) }),
        ("confkey", foreign.map_or(Datum::Null, |key| int2_array(key.referenced.clone()))),
        ("conpfeqop", operators(0)),
        ("conppeqop", operators(1)),
        ("conffeqop", operators(2)),
        ("confdelsetcols", if set_columns.is_empty() { Datum::Null } else { int2_array(set_columns) }),
        ("conbin", bin),
    ]);
}

/// The columns that a CHECK names, in order of their numbers.
pub(super) fn check_columns(table: &Table, expr: &str) -> Vec<i16> {
    let mut numbers: Vec<i16> =
        crate::sql::parser::words(expr).iter().filter_map(|word| table.column(word).map(|c| c.number)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

pub(super) fn sequences(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.entries() {
        let Entry::Sequence(sequence) = entry else { continue };
        rows.push([
            ("seqrelid", Datum::Oid(sequence.oid)),
            ("seqtypid", Datum::Oid(sequence.typ.oid)),
            ("seqstart", Datum::Int8(sequence.start)),
            ("seqincrement", Datum::Int8(sequence.increment)),
            ("seqmax", Datum::Int8(sequence.max)),
            ("seqmin", Datum::Int8(sequence.min)),
            ("seqcache", Datum::Int8(sequence.cache)),
            ("seqcycle", Datum::Bool(sequence.cycle)),
        ]);
    }
}

/// Types of arguments as `pg_proc.proallargtypes` has them.
pub(super) fn type_array(types: impl IntoIterator<Item = Oid>) -> Datum {
    oid_array(Type::OID, types)
}
