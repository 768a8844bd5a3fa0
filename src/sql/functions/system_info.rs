//! What the manual calls system information functions: visibility, definitions, comments, names and OIDs. All are
//! pure over [`Host::catalog`](crate::sql::context::Host::catalog); sizes are the session's.

use super::define::{Args, Rows, host, scalar, set};
use crate::document::{Array, Datum, Oid, Record, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::binder::view_updatability;
use crate::sql::context::EvalContext;
use crate::sql::deparse::Layout;
use crate::sql::function::{Function, Volatility};
use crate::sql::privilege;
use crate::sql::system;
use crate::sql::system::definition::{self, Style};
use crate::sql::system::routine;
use crate::sql::{functions, io, operators, parser, types, user_types};
use crate::storage::catalog::{AclItem, Catalog, Entry, ObjectClass, PG_CATALOG, Routine, Table};

const T: Type = Type::TEXT;
const O: Type = Type::OID;
const B: Type = Type::BOOL;
const I4: Type = Type::INT4;
const I8: Type = Type::INT8;
const CLASS: Type = Type::REGCLASS;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(1402, "current_schema", &[], Type::NAME, current_schema).stable(),
    scalar(1403, "current_schemas", &[B], Type::NAME_ARRAY, current_schemas).stable(),
    scalar(2079, "pg_table_is_visible", &[O], B, table_is_visible).stable(),
    scalar(2080, "pg_type_is_visible", &[O], B, type_is_visible).stable(),
    scalar(2081, "pg_function_is_visible", &[O], B, function_is_visible).stable(),
    scalar(2082, "pg_operator_is_visible", &[O], B, operator_is_visible).stable(),
    scalar(2083, "pg_opclass_is_visible", &[O], B, built_in_is_visible).stable(),
    scalar(3829, "pg_opfamily_is_visible", &[O], B, built_in_is_visible).stable(),
    scalar(3815, "pg_collation_is_visible", &[O], B, built_in_is_visible).stable(),
    scalar(2093, "pg_conversion_is_visible", &[O], B, built_in_is_visible).stable(),
    scalar(3403, "pg_statistics_obj_is_visible", &[O], B, built_in_is_visible).stable(),
    scalar(3756, "pg_ts_parser_is_visible", &[O], B, built_in_is_visible).stable(),
    scalar(3757, "pg_ts_dict_is_visible", &[O], B, built_in_is_visible).stable(),
    scalar(3758, "pg_ts_config_is_visible", &[O], B, built_in_is_visible).stable(),
    scalar(3768, "pg_ts_template_is_visible", &[O], B, built_in_is_visible).stable(),
    scalar(1081, "format_type", &[O, I4], T, format_type).loose().stable(),
    scalar(1642, "pg_get_userbyid", &[O], Type::NAME, |c, a| Ok(Datum::text(definition::role_name(&c.host.catalog(), a.oid(0)?)))).stable(),
    scalar(1716, "pg_get_expr", &[Type::PG_NODE_TREE, O], T, get_expr).stable(),
    scalar(2509, "pg_get_expr", &[Type::PG_NODE_TREE, O, B], T, get_expr).stable(),
    scalar(1643, "pg_get_indexdef", &[O], T, get_indexdef).stable(),
    scalar(2507, "pg_get_indexdef", &[O, I4, B], T, get_indexdef).stable(),
    scalar(1387, "pg_get_constraintdef", &[O], T, get_constraintdef).stable(),
    scalar(2508, "pg_get_constraintdef", &[O, B], T, get_constraintdef).stable(),
    scalar(1640, "pg_get_viewdef", &[T], T, get_viewdef_by_name).stable(),
    scalar(2505, "pg_get_viewdef", &[T, B], T, get_viewdef_by_name).stable(),
    scalar(1641, "pg_get_viewdef", &[O], T, get_viewdef).stable(),
    scalar(2506, "pg_get_viewdef", &[O, B], T, get_viewdef).stable(),
    scalar(3159, "pg_get_viewdef", &[O, I4], T, get_viewdef).stable(),
    scalar(1573, "pg_get_ruledef", &[O], T, get_ruledef).stable(),
    scalar(2504, "pg_get_ruledef", &[O, B], T, get_ruledef).stable(),
    scalar(1662, "pg_get_triggerdef", &[O], T, |_, _| Ok(Datum::Null)).stable(),
    scalar(2730, "pg_get_triggerdef", &[O, B], T, |_, _| Ok(Datum::Null)).stable(),
    scalar(3352, "pg_get_partkeydef", &[O], T, |c, a| { let catalog = c.host.catalog(); Ok(catalog.table(a.oid(0)?).and_then(|t| definition::partition_key(&catalog, t)).map_or(Datum::Null, Datum::text)) }).stable(),
    scalar(3408, "pg_get_partition_constraintdef", &[O], T, |c, a| { let catalog = c.host.catalog(); Ok(catalog.table(a.oid(0)?).and_then(|t| definition::partition_constraint(&catalog, t)).map_or(Datum::Null, Datum::text)) }).stable(),
    scalar(3415, "pg_get_statisticsobjdef", &[O], T, |_, _| Ok(Datum::Null)).stable(),
    scalar(6174, "pg_get_statisticsobjdef_columns", &[O], T, |_, _| Ok(Datum::Null)).stable(),
    scalar(1665, "pg_get_serial_sequence", &[T, T], T, get_serial_sequence).stable(),
    scalar(3078, "pg_sequence_parameters", &[O], Type::RECORD, sequence_parameters).stable().columns(&[
        ("start_value", Type::INT8), ("minimum_value", Type::INT8), ("maximum_value", Type::INT8),
        ("increment", Type::INT8), ("cycle_option", B), ("cache_size", Type::INT8), ("data_type", O),
    ]),
    scalar(4032, "pg_sequence_last_value", &[CLASS], Type::INT8, sequence_last_value).volatile(),
    scalar(2098, "pg_get_functiondef", &[O], T, get_functiondef).stable(),
    scalar(2162, "pg_get_function_arguments", &[O], T, |c, a| Ok(of_routine(c, a.oid(0)?, |r, _| routine::arguments(r, c, true)).unwrap_or_else(|| of_function(a.oid(0).unwrap_or(0), |f| system::arguments(f, true))))).stable(),
    scalar(2232, "pg_get_function_identity_arguments", &[O], T, |c, a| Ok(of_routine(c, a.oid(0)?, |r, _| routine::identity_arguments(r, c)).unwrap_or_else(|| of_function(a.oid(0).unwrap_or(0), |f| system::arguments(f, false))))).stable(),
    scalar(2165, "pg_get_function_result", &[O], T, |c, a| Ok(of_routine(c, a.oid(0)?, |r, _| routine::result(r, c)).unwrap_or_else(|| of_function(a.oid(0).unwrap_or(0), system::result)))).stable(),
    scalar(3808, "pg_get_function_arg_default", &[O, I4], T, |_, _| Ok(Datum::Null)).stable(),
    scalar(6197, "pg_get_function_sqlbody", &[O], T, |c, a| {
        let body = of_routine(c, a.oid(0)?, |r, _| routine::body(r, c).unwrap_or_else(|| routine::NO_RESULT.into()));
        Ok(body.unwrap_or(Datum::Null))
    }).stable(),
    set(6427, "pg_get_sequence_data", &[CLASS], Type::RECORD, get_sequence_data).volatile()
        .columns(&[("last_value", Type::INT8), ("is_called", B)]),
    set(1686, "pg_get_keywords", &[], Type::RECORD, get_keywords).stable()
        .columns(&[("word", T), ("catcode", Type::CHAR), ("barelabel", B), ("catdesc", T), ("baredesc", T)]),
    set(2289, "pg_options_to_table", &[Type::TEXT_ARRAY], Type::RECORD, options_to_table).stable()
        .columns(&[("option_name", T), ("option_value", T)]),
    scalar(3943, "acldefault", &[Type::CHAR, O], Type::ACLITEM_ARRAY, acldefault),
    set(1689, "aclexplode", &[Type::ACLITEM_ARRAY], Type::RECORD, |_, _| Ok(Box::new(std::iter::empty()))).stable()
        .columns(&[("grantor", O), ("grantee", O), ("privilege_type", T), ("is_grantable", B)]),
    scalar(1348, "obj_description", &[O], T, |c, a| Ok(comment(c, a.oid(0)?, 0))).stable(),
    scalar(1215, "obj_description", &[O, Type::NAME], T, obj_description).stable(),
    scalar(1993, "shobj_description", &[O, Type::NAME], T, obj_description).stable(),
    scalar(1216, "col_description", &[O, I4], T, |c, a| Ok(comment(c, a.oid(0)?, a.int4(1)?))).stable(),
    scalar(1597, "pg_encoding_to_char", &[I4], Type::NAME, encoding_to_char).stable(),
    scalar(1264, "pg_char_to_encoding", &[Type::NAME], I4, char_to_encoding).stable(),
    scalar(2319, "pg_encoding_max_length", &[I4], I4, encoding_max_length),
    scalar(3495, "to_regclass", &[T], CLASS, |c, a| to_reg(c, a, CLASS)).stable(),
    scalar(3493, "to_regtype", &[T], Type::REGTYPE, |c, a| to_reg(c, a, Type::REGTYPE)).stable(),
    scalar(3494, "to_regproc", &[T], Type::REGPROC, |c, a| to_reg(c, a, Type::REGPROC)).stable(),
    scalar(3479, "to_regprocedure", &[T], Type::REGPROCEDURE, |c, a| to_reg(c, a, Type::REGPROCEDURE)).stable(),
    scalar(3492, "to_regoper", &[T], Type::REGOPER, |c, a| to_reg(c, a, Type::REGOPER)).stable(),
    scalar(3476, "to_regoperator", &[T], Type::REGOPERATOR, |c, a| to_reg(c, a, Type::REGOPERATOR)).stable(),
    scalar(4086, "to_regnamespace", &[T], Type::REGNAMESPACE, |c, a| to_reg(c, a, Type::REGNAMESPACE)).stable(),
    scalar(4093, "to_regrole", &[T], Type::REGROLE, |c, a| to_reg(c, a, Type::REGROLE)).stable(),
    scalar(4195, "to_regcollation", &[T], Type::REGCOLLATION, |c, a| to_reg(c, a, Type::REGCOLLATION)).stable(),
    scalar(6317, "to_regtypemod", &[T], I4, to_regtypemod).stable(),
    scalar(6315, "pg_basetype", &[Type::REGTYPE], Type::REGTYPE, |c, a| {
        let oid = a.oid(0)?;
        let base = user_types::base(&c.host.catalog(), Type::new(oid)).oid;
        Ok(Datum::Oid(if types::is_domain(oid) { base } else { oid }))
    }).stable(),
    scalar(2854, "pg_my_temp_schema", &[], O, |context, _| {
        Ok(Datum::Oid(context.host.catalog().temporary_schema.unwrap_or(0)))
    })
    .stable(),
    scalar(2855, "pg_is_other_temp_schema", &[O], B, |_, _| Ok(Datum::Bool(false))).stable(),
    scalar(3778, "pg_tablespace_location", &[O], T, |_, _| Ok(Datum::text(""))).stable(),
    scalar(3298, "row_security_active", &[O], B, |_, _| Ok(Datum::Bool(false))).stable(),
    scalar(6121, "pg_relation_is_publishable", &[CLASS], B, is_publishable).stable(),
    scalar(3842, "pg_relation_is_updatable", &[CLASS, B], I4, is_updatable).stable(),
    scalar(3843, "pg_column_is_updatable", &[CLASS, Type::INT2, B], B, column_is_updatable).stable(),
    scalar(2999, "pg_relation_filenode", &[CLASS], O, relation_filenode).stable(),
    scalar(3448, "pg_collation_actual_version", &[O], T, |_, _| Ok(Datum::Null)).volatile(),
    scalar(6249, "pg_database_collation_actual_version", &[O], T, |_, _| Ok(Datum::Null)).volatile(),
    scalar(636, "pg_indexam_has_property", &[O, T], B, indexam_has_property).stable(),
    scalar(637, "pg_index_has_property", &[CLASS, T], B, index_has_property).stable(),
    scalar(638, "pg_index_column_has_property", &[CLASS, I4, T], B, index_column_has_property).stable(),
    scalar(2561, "pg_blocking_pids", &[I4], Type::INT4_ARRAY, |_, _| Ok(Datum::Array(Box::new(Array::new(I4.oid, Vec::new()))))).volatile(),
    scalar(3424, "pg_partition_root", &[CLASS], CLASS, partition_root),
    set(3425, "pg_partition_ancestors", &[CLASS], CLASS, partition_ancestors).volatile().columns(&[("relid", CLASS)]),
    set(3423, "pg_partition_tree", &[CLASS], Type::RECORD, partition_tree).volatile()
        .columns(&[("relid", CLASS), ("parentrelid", CLASS), ("isleaf", B), ("level", I4)]),
    host(2325, "pg_relation_size", &[CLASS], I8).volatile(),
    host(2997, "pg_table_size", &[CLASS], I8).volatile(),
    host(2998, "pg_indexes_size", &[CLASS], I8).volatile(),
    host(2286, "pg_total_relation_size", &[CLASS], I8).volatile(),
    host(2168, "pg_database_size", &[Type::NAME], I8).volatile(),
    host(2324, "pg_database_size", &[O], I8).volatile(),
];

/// The schemas that the search path names and that exist, as OIDs.
fn explicit_path(context: &EvalContext) -> Vec<Oid> {
    let setting = context.host.setting("search_path").unwrap_or_else(|| "\"$user\", public".into());
    let (catalog, database) = (context.host.catalog(), context.host.database());
    let mut path = Vec::new();
    for name in parser::name_list(&setting) {
        let name = if name == "$user" { context.host.users().0 } else { name };
        if let Some(oid) = catalog.schema(database, &name).filter(|oid| !path.contains(oid)) {
            path.push(oid);
        }
    }
    path
}

fn schema_text(catalog: &Catalog, oid: Oid) -> Datum {
    Datum::text(definition::schema_name(catalog, oid).unwrap_or_default())
}

fn current_schema(context: &EvalContext, _: &[Datum]) -> Result<Datum> {
    let first = explicit_path(context).first().copied();
    Ok(first.map_or(Datum::Null, |oid| schema_text(&context.host.catalog(), oid)))
}

fn current_schemas(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let path = if args.bool(0)? { context.host.search_path() } else { explicit_path(context) };
    let catalog = context.host.catalog();
    let names = path.into_iter().map(|oid| schema_text(&catalog, oid)).collect();
    Ok(Datum::Array(Box::new(Array::new(Type::NAME.oid, names))))
}

/// Whether a relation is the first one of its name along the search path.
fn relation_is_visible(context: &EvalContext, schema: Oid, name: &str) -> bool {
    let catalog = context.host.catalog();
    let has = |candidate: Oid| {
        if candidate == schema {
            return true;
        }
        match candidate {
            PG_CATALOG => system::relation(&format!("pg_catalog.{name}")).is_some(),
            _ => {
                let composite = catalog.types.get(&(candidate, name.to_string()));
                catalog.relation(candidate, name).is_some() || composite.is_some_and(|oid| types::is_composite(*oid))
            }
        }
    };
    context.host.search_path().into_iter().find(|candidate| has(*candidate)) == Some(schema)
}

fn table_is_visible(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let relation = definition::relation_name(&context.host.catalog(), args.oid(0)?);
    Ok(relation.map_or(Datum::Null, |(schema, name)| Datum::Bool(relation_is_visible(context, schema, &name))))
}

fn type_is_visible(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let oid = args.oid(0)?;
    if types::by_oid(oid).is_some() {
        return Ok(Datum::Bool(context.host.search_path().contains(&PG_CATALOG)));
    }
    let catalog = context.host.catalog();
    Ok(match user_types::name(&catalog, oid) {
        Some((_, name)) => Datum::Bool(user_types::find(context, None, &name) == Some(oid)),
        None => Datum::Null,
    })
}

/// Built-in objects are visible where `pg_catalog` is searched.
fn in_catalog(context: &EvalContext, exists: bool) -> Datum {
    if exists { Datum::Bool(context.host.search_path().contains(&PG_CATALOG)) } else { Datum::Null }
}

fn function_is_visible(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let catalog = context.host.catalog();
    if let Some(Entry::Routine(routine)) = catalog.get(args.oid(0)?).map(|e| &**e) {
        return Ok(Datum::Bool(context.host.search_path().contains(&routine.schema)));
    }
    Ok(in_catalog(context, functions::by_oid(args.oid(0)?).is_some()))
}

fn operator_is_visible(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(in_catalog(context, operators::by_oid(args.oid(0)?).is_some()))
}

fn built_in_is_visible(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(in_catalog(context, args.oid(0)? != 0))
}

fn format_type(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(0).is_null() {
        return Ok(Datum::Null);
    }
    let oid = args.oid(0)?;
    if oid == 0 {
        return Ok(Datum::text("-"));
    }
    if types::by_oid(oid).is_none() {
        return Ok(Datum::text(user_types::format(context, oid, None)));
    }
    let typmod = if args.at(1).is_null() { None } else { Some(args.int4(1)?) };
    Ok(Datum::text(types::format_oid(oid, typmod)))
}

/// Expressions are kept as text already.
/// How the function at hand shows expressions: pretty when its last argument says so.
fn style<'a>(context: &'a EvalContext, args: &[Datum]) -> Style<'a> {
    if matches!(args.last(), Some(Datum::Bool(true))) { Style::Pretty(context) } else { Style::Plain }
}

/// Whether a relation takes part in partitioning, and what it is a part of: tables and indexes.
fn partition_parent(catalog: &crate::storage::catalog::Catalog, oid: Oid) -> Option<Option<Oid>> {
    match catalog.get(oid).map(|e| &**e) {
        Some(Entry::Table(table)) if table.bound.is_some() => Some(table.partition_of()),
        Some(Entry::Table(table)) if table.is_partitioned() => Some(None),
        Some(Entry::Index(index)) if index.parent.is_some() => Some(index.parent),
        Some(Entry::Index(index)) if catalog.table(index.table).is_some_and(|t| t.is_partitioned()) => Some(None),
        _ => None,
    }
}

fn ancestors(catalog: &crate::storage::catalog::Catalog, oid: Oid) -> Vec<Oid> {
    let mut all = Vec::new();
    let mut at = Some(oid);
    while let Some(oid) = at {
        let Some(parent) = partition_parent(catalog, oid) else { break };
        all.push(oid);
        at = parent;
    }
    all
}

fn partition_root(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(ancestors(&context.host.catalog(), args.oid(0)?).last().map_or(Datum::Null, |oid| Datum::Oid(*oid)))
}

fn partition_ancestors(context: &EvalContext, args: &[Datum]) -> Result<Rows> {
    Ok(Box::new(ancestors(&context.host.catalog(), args.oid(0)?).into_iter().map(|oid| Ok(Datum::Oid(oid)))))
}

fn partition_tree(context: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let catalog = context.host.catalog();
    let root = args.oid(0)?;
    if partition_parent(&catalog, root).is_none() {
        return Ok(Box::new(std::iter::empty()));
    }
    let (mut rows, mut level, mut at) = (Vec::new(), vec![(root, 0)], 0);
    while let Some((oid, depth)) = level.get(at).copied() {
        at += 1;
        let children: Vec<Oid> = match catalog.index(oid) {
            Some(index) => {
                let tables = catalog.children_of(index.table).iter();
                tables.flat_map(|t| catalog.indexes_of(*t)).filter(|i| i.parent == Some(oid)).map(|i| i.oid).collect()
            }
            None => catalog.children_of(oid).to_vec(),
        };
        let is_partitioned = match catalog.index(oid) {
            Some(index) => catalog.table(index.table).is_some_and(|t| t.is_partitioned()),
            None => catalog.table(oid).is_some_and(|t| t.is_partitioned()),
        };
        level.extend(children.into_iter().map(|child| (child, depth + 1)));
        let parent = partition_parent(&catalog, oid).flatten().map_or(Datum::Null, Datum::Oid);
        rows.push((oid, parent, !is_partitioned, depth));
    }
    let make = |(oid, parent, leaf, depth)| {
        let columns = [("relid", CLASS), ("parentrelid", CLASS), ("isleaf", B), ("level", I4)];
        Ok(record(&columns, vec![Datum::Oid(oid), parent, Datum::Bool(leaf), Datum::Int4(depth)]))
    };
    Ok(Box::new(rows.into_iter().map(make)))
}

fn get_expr(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let catalog = context.host.catalog();
    let table = catalog.table(args.oid(1)?);
    Ok(Datum::text(definition::expression(&catalog, table, args.text(0)?, style(context, args))))
}

fn get_indexdef(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let catalog = context.host.catalog();
    let Some(index) = catalog.index(args.oid(0)?) else { return Ok(Datum::Null) };
    let column = if args.len() > 1 { args.int4(1)? } else { 0 };
    if column == 0 {
        return Ok(Datum::text(definition::index(&catalog, index, style(context, args))));
    }
    let position = usize::try_from(column - 1).ok().filter(|p| *p < index.keys.len() + index.include.len());
    let key = position
        .zip(catalog.table(index.table))
        .map(|(p, table)| definition::index_key(&catalog, table, index, p, style(context, args)));
    Ok(Datum::text(key.unwrap_or_default()))
}

fn get_constraintdef(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let catalog = context.host.catalog();
    if let Some((domain, check)) = definition::domain_check(&catalog, args.oid(0)?) {
        return Ok(Datum::text(definition::domain_constraint(&catalog, domain, check, style(context, args))));
    }
    let found = definition::constraint_by_oid(&catalog, args.oid(0)?);
    Ok(found.map_or(Datum::Null, |(table, c)| {
        Datum::text(definition::constraint(&catalog, table, c, style(context, args)))
    }))
}

fn view_definition(context: &EvalContext, oid: Oid, args: &[Datum]) -> Datum {
    let layout = match args.get(1) {
        Some(Datum::Int4(wrap)) => Layout { pretty: true, wrap: i64::from(*wrap) },
        Some(Datum::Bool(pretty)) => Layout { pretty: *pretty, wrap: 0 },
        _ => Layout::default(),
    };
    match context.host.catalog().get(oid).map(|e| &**e) {
        Some(Entry::View(view)) => Datum::text(definition::view(view, layout, context)),
        Some(Entry::Table(table @ Table { view: Some(view), .. })) => {
            Datum::text(definition::materialized(table, view, layout, context))
        }
        _ => Datum::Null,
    }
}

fn get_viewdef(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(view_definition(context, args.oid(0)?, args))
}

fn get_ruledef(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (oid, catalog) = (args.oid(0)?, context.host.catalog());
    let layout = Layout { pretty: matches!(args.get(1), Some(Datum::Bool(true))), wrap: 0 };
    let found = catalog.entries.values().find(|entry| system::rule_oid(entry.oid()) == oid);
    Ok(found.and_then(|entry| definition::rule(entry, layout, context)).map_or(Datum::Null, Datum::text))
}

fn get_viewdef_by_name(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match io::text_in(CLASS, args.text(0)?, context)? {
        Datum::Oid(oid) => Ok(view_definition(context, oid, args)),
        _ => Ok(Datum::Null),
    }
}

fn get_serial_sequence(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (name, column) = (args.text(0)?, args.text(1)?);
    let Datum::Oid(oid) = io::text_in(CLASS, name, context)? else { return Ok(Datum::Null) };
    let catalog = context.host.catalog();
    let Some(table) = catalog.table(oid) else {
        return Err(err!(WRONG_OBJECT_TYPE, "\"{name}\" is not a table"));
    };
    let Some(column) = table.column(column) else {
        return Err(err!(UNDEFINED_COLUMN, "column \"{column}\" of relation \"{}\" does not exist", table.name));
    };
    let owned = catalog.entries.values().find_map(|entry| match &**entry {
        Entry::Sequence(s) if s.owned_by == Some((oid, column.number)) => Some(s),
        _ => None,
    });
    Ok(owned.map_or(Datum::Null, |s| Datum::text(definition::qualified_name(&catalog, s.schema, &s.name))))
}

fn of_function(oid: Oid, show: impl Fn(&Function) -> String) -> Datum {
    functions::by_oid(oid).map_or(Datum::Null, |f| Datum::text(show(f)))
}

/// Something about a function in SQL; `None`: there is no such.
fn of_routine(context: &EvalContext, oid: Oid, f: impl FnOnce(&Routine, &Catalog) -> String) -> Option<Datum> {
    let catalog = context.host.catalog();
    match catalog.get(oid).map(|e| &**e) {
        Some(Entry::Routine(found)) => Some(match (found.kind, f(found, &catalog)) {
            (_, text) if text == routine::NO_RESULT => Datum::Null,
            (_, text) => Datum::text(text),
        }),
        _ => None,
    }
}

fn sequence_parameters(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let oid = args.oid(0)?;
    let catalog = context.host.catalog();
    let Some(Entry::Sequence(sequence)) = catalog.get(oid).map(|e| &**e) else {
        return Err(err!(UNDEFINED_OBJECT, "cache lookup failed for sequence {oid}"));
    };
    let numbers = [sequence.start, sequence.min, sequence.max, sequence.increment].map(Datum::Int8);
    let names =
        ["start_value", "minimum_value", "maximum_value", "increment", "cycle_option", "cache_size", "data_type"];
    let types = [Type::INT8, Type::INT8, Type::INT8, Type::INT8, B, Type::INT8, O];
    let fields: Vec<(&str, Type)> = names.into_iter().zip(types).collect();
    let rest = [Datum::Bool(sequence.cycle), Datum::Int8(sequence.cache), Datum::Oid(sequence.typ.oid)];
    Ok(record(&fields, numbers.into_iter().chain(rest).collect()))
}

fn sequence_last_value(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(match context.host.call("sequence_state", args)? {
        Datum::Array(state) => match state.values.as_slice() {
            [value, Datum::Int8(1)] => value.clone(),
            _ => Datum::Null,
        },
        _ => Datum::Null,
    })
}

fn get_sequence_data(context: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let state = context.host.call("sequence_state", args)?;
    let row = match &state {
        Datum::Array(array) => match array.values.as_slice() {
            [value, Datum::Int8(called)] => vec![value.clone(), Datum::Bool(*called != 0)],
            _ => vec![Datum::Null, Datum::Null],
        },
        _ => vec![Datum::Null, Datum::Null],
    };
    Ok(Box::new(std::iter::once(Ok(record(&[("last_value", Type::INT8), ("is_called", B)], row)))))
}

fn get_functiondef(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let oid = args.oid(0)?;
    if let Some(definition) = of_routine(context, oid, |found, catalog| routine::definition(found, catalog, context)) {
        return Ok(definition);
    }
    let Some(function) = functions::by_oid(oid) else { return Ok(Datum::Null) };
    if system::kind(function) == 'a' {
        return Err(err!(WRONG_OBJECT_TYPE, "\"{}\" is an aggregate function", function.name));
    }
    let volatility = match function.volatility {
        Volatility::Immutable => " IMMUTABLE",
        Volatility::Stable => " STABLE",
        Volatility::Volatile => "",
    };
    let strict = if function.strict { " STRICT" } else { "" };
    let window = if system::kind(function) == 'w' { " WINDOW" } else { "" };
    Ok(Datum::text(format!(
        "CREATE OR REPLACE FUNCTION pg_catalog.{}({})\n RETURNS {}\n LANGUAGE internal\n{window}{volatility} PARALLEL SAFE{strict}\nAS $function${}$function$\n",
        definition::quote_ident(function.name),
        system::arguments(function, true),
        system::result(function),
        function.name,
    )))
}

fn record(fields: &[(&str, Type)], values: Vec<Datum>) -> Datum {
    let fields = fields.iter().map(|(name, typ)| ((*name).into(), typ.oid)).collect();
    Datum::Record(Box::new(Record { fields, values }))
}

fn get_keywords(_: &EvalContext, _: &[Datum]) -> Result<Rows> {
    let fields = [("word", T), ("catcode", Type::CHAR), ("barelabel", B), ("catdesc", T), ("baredesc", T)];
    let rows = parser::key_words().into_iter().map(move |word| {
        let bare = if word.bare_label { "can be bare label" } else { "requires AS" };
        let values = vec![
            Datum::text(word.word),
            Datum::text(word.code),
            Datum::Bool(word.bare_label),
            Datum::text(word.description),
            Datum::text(bare),
        ];
        Ok(record(&fields, values))
    });
    Ok(Box::new(rows))
}

fn options_to_table(_: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let options = args.array(0)?.values.clone();
    let rows = options.into_iter().filter_map(|option| match option {
        Datum::Text(text) => {
            let (name, value) = text.split_once('=').map_or((&*text, None), |(n, v)| (n, Some(v)));
            let value = value.map_or(Datum::Null, Datum::text);
            Some(Ok(record(&[("option_name", T), ("option_value", T)], vec![Datum::text(name), value])))
        }
        _ => None,
    });
    Ok(Box::new(rows))
}

fn comment(context: &EvalContext, oid: Oid, part: i32) -> Datum {
    let catalog = context.host.catalog();
    catalog.comments.get(&(oid, part)).map_or(Datum::Null, |text| Datum::text(text.as_str()))
}

/// The comment of an object of a catalog.
fn obj_description(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (oid, class) = (args.oid(0)?, args.text(1)?);
    let matches = match context.host.catalog().get(oid).map(|e| &**e) {
        Some(Entry::Database(_)) => class == "pg_database",
        Some(Entry::Schema(_)) => class == "pg_namespace",
        Some(Entry::Role(_)) => class == "pg_authid",
        Some(Entry::Routine(_)) => class == "pg_proc",
        Some(Entry::Membership(_)) => class == "pg_auth_members",
        Some(Entry::DefaultPrivileges(_)) => class == "pg_default_acl",
        Some(Entry::Privileges(_)) => false,
        Some(Entry::Table(_) | Entry::Index(_) | Entry::View(_) | Entry::Sequence(_)) => class == "pg_class",
        Some(Entry::Type(_)) => class == "pg_type",
        None => class == "pg_constraint",
    };
    Ok(if matches { comment(context, oid, 0) } else { Datum::Null })
}

/// PostgreSQL's encodings by number.
const ENCODINGS: [&str; 42] = [
    "SQL_ASCII",
    "EUC_JP",
    "EUC_CN",
    "EUC_KR",
    "EUC_TW",
    "EUC_JIS_2004",
    "UTF8",
    "MULE_INTERNAL",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN1256",
    "WIN1258",
    "WIN866",
    "WIN874",
    "KOI8R",
    "WIN1251",
    "WIN1252",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "WIN1250",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1257",
    "KOI8U",
    "SJIS",
    "BIG5",
    "GBK",
    "UHC",
    "GB18030",
    "JOHAB",
    "SHIFT_JIS_2004",
];

fn encoding_to_char(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let name = usize::try_from(args.int4(0)?).ok().and_then(|n| ENCODINGS.get(n));
    Ok(Datum::text(name.copied().unwrap_or_default()))
}

fn char_to_encoding(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let plain = |text: &str| text.to_ascii_uppercase().replace(['-', '_'], "");
    let name = plain(args.text(0)?);
    let name = if name == "UNICODE" { "UTF8".to_string() } else { name };
    let found = ENCODINGS.iter().position(|e| plain(e) == name);
    Ok(Datum::Int4(found.map_or(-1, |n| n as i32)))
}

fn encoding_max_length(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(match args.int4(0)? {
        6 => Datum::Int4(4),
        0 | 8..=34 => Datum::Int4(1),
        _ => Datum::Null,
    })
}

/// `to_reg...`: NULL where the cast would say that there is no such thing.
fn to_reg(context: &EvalContext, args: &[Datum], typ: Type) -> Result<Datum> {
    match io::text_in(typ, args.text(0)?, context) {
        Err(error) if is_missing(&error) => Ok(Datum::Null),
        other => other,
    }
}

fn is_missing(error: &Error) -> bool {
    [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_OBJECT,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::INVALID_SCHEMA_NAME,
        SqlState::AMBIGUOUS_FUNCTION,
    ]
    .contains(&error.code())
}

fn to_regtypemod(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match types::parse_name(args.text(0)?) {
        Ok(typ) => Ok(Datum::Int4(typ.typmod)),
        Err(error) if is_missing(&error) => Ok(Datum::Null),
        Err(error) => Err(error),
    }
}

fn is_table(catalog: &Catalog, oid: Oid) -> bool {
    catalog.table(oid).is_some()
}

fn is_publishable(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(is_table(&context.host.catalog(), args.oid(0)?)))
}

/// Bits: 4 UPDATE, 8 INSERT, 16 DELETE.
fn is_updatable(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let catalog = context.host.catalog();
    Ok(Datum::Int4(match catalog.get(args.oid(0)?).map(|e| &**e) {
        Some(Entry::Table(table)) if table.view.is_none() => 28,
        Some(Entry::View(view)) => match view_updatability(view, context) {
            Ok(columns) if columns.contains(&true) => 28,
            // Without a column to write, rows can be deleted.
            Ok(_) => 16,
            Err(_) => 0,
        },
        _ => 0,
    }))
}

fn column_is_updatable(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let catalog = context.host.catalog();
    let number = args.int2(1)?;
    Ok(Datum::Bool(match catalog.get(args.oid(0)?).map(|e| &**e) {
        Some(Entry::Table(table)) => table.view.is_none() && number > 0,
        Some(Entry::View(view)) => {
            let columns = view_updatability(view, context).unwrap_or_default();
            usize::try_from(number - 1).is_ok_and(|at| columns.get(at) == Some(&true))
        }
        _ => false,
    }))
}

fn relation_filenode(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let catalog = context.host.catalog();
    Ok(match catalog.get(args.oid(0)?).map(|e| &**e) {
        Some(Entry::Table(table)) => Datum::Oid(table.storage),
        Some(Entry::Index(index)) => Datum::Oid(index.oid),
        Some(Entry::Sequence(sequence)) => Datum::Oid(sequence.oid),
        _ => Datum::Null,
    })
}

fn indexam_has_property(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let btree = match args.oid(0)? {
        403 => true,
        405 | 783 | 2742 | 3580 | 4000 => false,
        _ => return Ok(Datum::Null),
    };
    Ok(match args.text(1)?.to_ascii_lowercase().as_str() {
        "can_order" | "can_unique" | "can_multi_col" | "can_include" => Datum::Bool(btree),
        "can_exclude" => Datum::Bool(true),
        _ => Datum::Null,
    })
}

fn index_has_property(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let catalog = context.host.catalog();
    if catalog.index(args.oid(0)?).is_none() {
        return Ok(Datum::Null);
    }
    Ok(match args.text(1)?.to_ascii_lowercase().as_str() {
        "clusterable" | "index_scan" | "bitmap_scan" | "backward_scan" => Datum::Bool(true),
        _ => Datum::Null,
    })
}

fn index_column_has_property(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let catalog = context.host.catalog();
    let position = usize::try_from(args.int4(1)? - 1).ok();
    let key = catalog.index(args.oid(0)?).zip(position).and_then(|(index, p)| index.keys.get(p));
    let Some(key) = key else { return Ok(Datum::Null) };
    Ok(match args.text(2)?.to_ascii_lowercase().as_str() {
        "asc" => Datum::Bool(!key.descending),
        "desc" => Datum::Bool(key.descending),
        "nulls_first" => Datum::Bool(key.nulls_first),
        "nulls_last" => Datum::Bool(!key.nulls_first),
        "orderable" | "returnable" | "search_array" | "search_nulls" => Datum::Bool(true),
        "distance_orderable" => Datum::Bool(false),
        _ => Datum::Null,
    })
}

/// The privileges that an object of a kind has when nothing was granted on it (PostgreSQL's `acldefault`).
fn acldefault(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let catalog = context.host.catalog();
    let (kind, owner) = (args.text(0)?, args.oid(1)?);
    let own = |rights| vec![AclItem { grantee: owner, grantor: owner, rights, grantable: 0 }];
    let of = |class| privilege::default_items(&catalog, class, 0, owner);
    let items = match kind {
        "r" => of(ObjectClass::Relation),
        "s" => of(ObjectClass::Sequence),
        "d" => of(ObjectClass::Database),
        "n" => of(ObjectClass::Schema),
        "f" => of(ObjectClass::Function),
        "T" | "l" => of(ObjectClass::Type),
        "t" => own(privilege::CREATE),
        "L" => own(privilege::SELECT | privilege::UPDATE),
        "F" | "S" => own(privilege::USAGE),
        "c" | "p" => Vec::new(),
        other => return Err(err!(INVALID_PARAMETER_VALUE, "unrecognized object type abbreviation: {other}")),
    };
    let items = items.iter().map(|item| Datum::text(privilege::item_text(&catalog, item))).collect();
    Ok(Datum::Array(Box::new(Array::new(Type::ACLITEM.oid, items))))
}
