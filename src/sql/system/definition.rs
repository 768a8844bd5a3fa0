//! Objects in words: the texts behind `pg_get_indexdef`, `pg_get_constraintdef`, `pg_get_expr` and their like, and the
//! names of things by OID. Expressions are kept as PostgreSQL shows them; [`Style::Pretty`] leaves out what is not needed.

use sqlparser::ast::Expr;

use crate::document::{Oid, Type};
use crate::sql::binder::{TableExpr, bind_shape, note_domain_expr, note_table_expr};
use crate::sql::context::EvalContext;
use crate::sql::deparse::{self, Layout};
use crate::sql::parser;
use crate::sql::shape::Shape;
use crate::storage::catalog::{
    BOOTSTRAP_ROLE, Catalog, Constraint, ConstraintKind, Domain, DomainCheck, Entry, ForeignKey, ForeignKeyAction,
    INFORMATION_SCHEMA, Index, IndexKey, IndexSource, MaterializedView, PG_CATALOG, PartitionBound, RangeEnd, Table,
    TypeKind, UserType, View,
};

/// How expressions are shown.
#[derive(Clone, Copy)]
pub enum Style<'a> {
    /// With every parenthesis.
    Plain,
    /// As psql asks for them.
    Pretty(&'a EvalContext),
}

/// A kept expression of a table, as it is shown.
pub fn expression(catalog: &Catalog, table: Option<&Table>, text: &str, style: Style<'_>) -> String {
    let pretty = match (style, table) {
        (Style::Pretty(context), Some(table)) => pretty(table, text, context),
        _ => None,
    };
    with_names(catalog, pretty.as_deref().unwrap_or(text))
}

fn pretty(table: &Table, text: &str, context: &EvalContext) -> Option<String> {
    // A clock's word is a call when it is bound.
    if text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') {
        return None;
    }
    let mut parsed = parser::parse_expression(text).ok()?;
    while let Expr::Nested(inner) = parsed {
        parsed = *inner;
    }
    let bound = note_table_expr(&parsed, TableExpr::Any, table, context)?;
    let name = |id| {
        let (_, number, _) = bound.columns.iter().find(|(c, _, _)| *c == id)?;
        Some(column_name(table, *number))
    };
    deparse::noted_expression(&bound.expr, &name, true, context)
}

/// Relations that an expression names by OID, by name.
fn with_names(catalog: &Catalog, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = rest.find("'::regclass") {
        let (head, tail) = rest.split_at(end);
        let start = head.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let entry = head[start..].parse::<Oid>().ok().and_then(|oid| catalog.get(oid));
        match entry {
            Some(entry) if head[..start].ends_with('\'') => {
                out.push_str(&head[..start]);
                let schema = entry.schema().and_then(|s| schema_name(catalog, s)).unwrap_or_default();
                if schema != "public" {
                    out.push_str(&format!("{}.", quote_ident(&schema)));
                }
                out.push_str(&quote_ident(entry.name()));
            }
            _ => out.push_str(head),
        }
        let (cast, after) = tail.split_at("'::regclass".len());
        out.push_str(cast);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A name as SQL must write it: quoted unless it is plain.
pub fn quote_ident(name: &str) -> String {
    let plain =
        name.bytes().enumerate().all(|(i, b)| b.is_ascii_lowercase() || b == b'_' || (i > 0 && (b.is_ascii_digit())));
    if plain && !name.is_empty() && !parser::needs_quotes(name) {
        return name.to_string();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `pg_get_userbyid`.
pub fn role_name(catalog: &Catalog, oid: Oid) -> String {
    match catalog.get(oid).map(|e| &**e) {
        Some(Entry::Role(role)) => role.name.clone(),
        _ => format!("unknown (OID={oid})"),
    }
}

/// A schema's name.
pub fn schema_name(catalog: &Catalog, oid: Oid) -> Option<String> {
    match oid {
        PG_CATALOG => Some("pg_catalog".into()),
        INFORMATION_SCHEMA => Some("information_schema".into()),
        _ => match catalog.get(oid).map(|e| &**e) {
            Some(Entry::Schema(schema)) => Some(schema.name.clone()),
            _ => None,
        },
    }
}

/// The owner of the built-in objects.
pub fn system_owner() -> Oid {
    BOOTSTRAP_ROLE
}

/// A relation's schema and name.
pub fn relation_name(catalog: &Catalog, oid: Oid) -> Option<(Oid, String)> {
    if let Some(relation) = super::by_oid(oid) {
        return Some((relation.schema(), relation.short_name().to_string()));
    }
    let entry = catalog.get(oid).or_else(|| catalog.composite(oid))?;
    Some((entry.schema()?, entry.name().to_string()))
}

/// `schema.name`, both quoted as needed.
pub fn qualified_name(catalog: &Catalog, schema: Oid, name: &str) -> String {
    format!("{}.{}", quote_ident(&schema_name(catalog, schema).unwrap_or_default()), quote_ident(name))
}

/// A column's name, quoted as needed.
fn column_name(table: &Table, number: i16) -> String {
    table.column_by_number(number).map(|c| quote_ident(&c.name)).unwrap_or_default()
}

fn column_list(table: &Table, numbers: &[i16]) -> String {
    numbers.iter().map(|n| column_name(table, *n)).collect::<Vec<_>>().join(", ")
}

/// The operator class that a key of a type has when none is named: OID and name.
pub fn default_opclass(method: &str, typ: Oid) -> Option<(Oid, &'static str)> {
    super::opfamily::default_class(access_method(method), typ)
}

/// The OID of a key's operator class; 0: it has none that is known.
pub fn opclass(method: &str, key: &IndexKey) -> Oid {
    match &key.opclass {
        Some(name) => super::opfamily::named_class(access_method(method), name).unwrap_or(0),
        None => default_opclass(method, key.typ.oid).map_or(0, |(oid, _)| oid),
    }
}

/// The OID of an access method.
pub fn access_method(name: &str) -> Oid {
    match name {
        "heap" => 2,
        "hash" => 405,
        "gist" => 783,
        "gin" => 2742,
        "brin" => 3580,
        "spgist" => 4000,
        _ => 403,
    }
}

/// One key of an index, without its direction.
pub fn index_key(catalog: &Catalog, table: &Table, index: &Index, position: usize, style: Style<'_>) -> String {
    let Some(key) = index.keys.get(position) else {
        return index.include.get(position - index.keys.len()).map(|n| column_name(table, *n)).unwrap_or_default();
    };
    match &key.source {
        IndexSource::Column(number) => column_name(table, *number),
        IndexSource::Expression(text) => {
            let shown = expression(catalog, Some(table), text, style);
            match parser::parse_expression(text) {
                Ok(Expr::Function(_)) => shown,
                _ => format!("({shown})"),
            }
        }
    }
}

/// `pg_get_indexdef`.
pub fn index(catalog: &Catalog, index: &Index, style: Style<'_>) -> String {
    let Some(table) = catalog.table(index.table) else { return String::new() };
    let key = |position: usize| {
        let key = &index.keys[position];
        let direction = match (key.descending, key.nulls_first) {
            (false, false) => "",
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC",
            (true, false) => " DESC NULLS LAST",
        };
        let class = key.opclass.as_ref().map(|class| format!(" {class}")).unwrap_or_default();
        format!("{}{class}{direction}", index_key(catalog, table, index, position, style))
    };
    let keys: Vec<String> = (0..index.keys.len()).map(key).collect();
    let mut text = format!(
        "CREATE {}INDEX {} ON {}{} USING {} ({})",
        if index.unique { "UNIQUE " } else { "" },
        quote_ident(&index.name),
        if table.is_partitioned() { "ONLY " } else { "" },
        match style {
            // Only what the search path would not find says its schema.
            Style::Pretty(context) if context.host.search_path().contains(&table.schema) => quote_ident(&table.name),
            _ => qualified_name(catalog, table.schema, &table.name),
        },
        index.method,
        keys.join(", "),
    );
    if !index.include.is_empty() {
        text.push_str(&format!(" INCLUDE ({})", column_list(table, &index.include)));
    }
    if index.nulls_not_distinct {
        text.push_str(" NULLS NOT DISTINCT");
    }
    if let Some(predicate) = &index.predicate {
        text.push_str(&format!(" WHERE {}", expression(catalog, Some(table), predicate, style)));
    }
    text
}

/// A value of a partition's bound as `pg_get_expr` shows it: plain numbers and truth values bare, others quoted.
pub fn bound_value(text: &str, typ: Option<Type>) -> String {
    let is_number = |allowed: &[Type]| typ.is_some_and(|t| allowed.iter().any(|a| a.oid == t.oid));
    let digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !text.is_empty();
    match () {
        () if is_number(&[Type::INT4, Type::NUMERIC]) && digits => text.to_string(),
        () if is_number(&[Type::BOOL]) => if text == "t" { "true" } else { "false" }.to_string(),
        () => format!("'{}'", text.replace('\'', "''")),
    }
}

/// The bound of a partition: `FOR VALUES ...` or DEFAULT.
pub fn partition_bound(catalog: &Catalog, table: &Table) -> Option<String> {
    let key = catalog.table(table.partition_of()?)?.partition_key.as_ref()?;
    let typ = |at: usize| key.keys.get(at).map(|k| k.typ);
    let ends = |ends: &[RangeEnd]| {
        let one = |(at, end): (usize, &RangeEnd)| match end {
            RangeEnd::Min => "MINVALUE".to_string(),
            RangeEnd::Max => "MAXVALUE".to_string(),
            RangeEnd::Value(text) => bound_value(text, typ(at)),
        };
        ends.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
    };
    Some(match table.bound.as_ref()? {
        PartitionBound::Default => "DEFAULT".to_string(),
        PartitionBound::List(values) => {
            let one = |v: &Option<String>| v.as_ref().map_or("NULL".to_string(), |v| bound_value(v, typ(0)));
            format!("FOR VALUES IN ({})", values.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        PartitionBound::Range { from, to } => format!("FOR VALUES FROM ({}) TO ({})", ends(from), ends(to)),
        PartitionBound::Hash { modulus, remainder } => {
            format!("FOR VALUES WITH (modulus {modulus}, remainder {remainder})")
        }
    })
}

/// `pg_get_partition_constraintdef`: what the rows of a partition satisfy; `None`: everything may be in it.
pub fn partition_constraint(catalog: &Catalog, table: &Table) -> Option<String> {
    let mut parts = Vec::new();
    let mut at = table;
    while let Some(parent) = at.partition_of().and_then(|oid| catalog.table(oid)) {
        let mut own = own_constraint(catalog, parent, at)?;
        own.append(&mut parts);
        parts = own;
        at = parent;
    }
    match parts.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("({})", many.join(" AND "))),
    }
}

/// What one bound asks for, condition by condition.
fn own_constraint(catalog: &Catalog, parent: &Table, part: &Table) -> Option<Vec<String>> {
    let key = parent.partition_key.as_ref()?;
    let source = |key: &IndexKey| match &key.source {
        IndexSource::Column(number) => column_name(parent, *number),
        IndexSource::Expression(text) => text.clone(),
    };
    let names: Vec<String> = key.keys.iter().map(source).collect();
    let shown = |at: usize, text: &str| {
        let typ = key.keys.get(at).map(|k| k.typ);
        let value = bound_value(text, typ);
        match typ {
            Some(typ) if value.starts_with('\'') => format!("{value}::{}", type_name(catalog, typ)),
            _ => value,
        }
    };
    let not_null = |name: &String| format!("({name} IS NOT NULL)");
    Some(match part.bound.as_ref()? {
        PartitionBound::Hash { modulus, remainder } => {
            let keys = names.join(", ");
            vec![format!("satisfies_hash_partition('{}'::oid, {modulus}, {remainder}, {keys})", parent.oid)]
        }
        PartitionBound::List(values) => {
            let name = &names[0];
            let known: Vec<String> = values.iter().flatten().map(|v| shown(0, v)).collect();
            let equal = match known.as_slice() {
                [] => None,
                [one] => Some(format!("({name} = {one})")),
                many => Some(format!("({name} = ANY (ARRAY[{}]))", many.join(", "))),
            };
            match (values.contains(&None), equal) {
                (false, equal) => [Some(not_null(name)), equal].into_iter().flatten().collect(),
                (true, Some(equal)) => vec![format!("(({name} IS NULL) OR {equal})")],
                (true, None) => vec![format!("({name} IS NULL)")],
            }
        }
        PartitionBound::Range { from, to } => {
            let mut all: Vec<String> = names.iter().map(not_null).collect();
            all.extend(range_condition(&names, from, (">", ">="), &shown));
            all.extend(range_condition(&names, to, ("<", "<"), &shown));
            all
        }
        PartitionBound::Default => {
            let others = catalog.children_of(parent.oid).iter().filter_map(|oid| catalog.table(*oid));
            let others: Vec<String> = others
                .filter(|other| other.bound != Some(PartitionBound::Default))
                .filter_map(|other| own_constraint(catalog, parent, other))
                .map(|all| if all.len() == 1 { all[0].clone() } else { format!("({})", all.join(" AND ")) })
                .collect();
            match others.as_slice() {
                [] => Vec::new(),
                [one] => vec![format!("(NOT {one})")],
                many => vec![format!("(NOT ({}))", many.join(" OR "))],
            }
        }
    })
}

/// `(a > 1) OR ((a = 1) AND (b >= 2))`: the row is on the right side of an end. `operators`: of the keys but the last, and
/// of the last.
fn range_condition(
    names: &[String],
    ends: &[RangeEnd],
    operators: (&str, &str),
    shown: &dyn Fn(usize, &str) -> String,
) -> Option<String> {
    let fixed: Vec<(usize, &String)> = ends
        .iter()
        .enumerate()
        .map_while(|(at, end)| match end {
            RangeEnd::Value(text) => Some((at, text)),
            RangeEnd::Min | RangeEnd::Max => None,
        })
        .collect();
    // MAXVALUE behind the values of an upper end lets the last value in.
    let behind = ends.get(fixed.len());
    let mut terms = Vec::new();
    for (n, (at, text)) in fixed.iter().enumerate() {
        let is_last = n + 1 == fixed.len();
        let operator = match (is_last, behind, operators.0) {
            (false, _, operator) => operator,
            (true, Some(RangeEnd::Max), "<") => "<=",
            (true, Some(RangeEnd::Max), operator) => operator,
            (true, _, _) => operators.1,
        };
        let mut conjuncts: Vec<String> =
            fixed[..n].iter().map(|(at, text)| format!("({} = {})", names[*at], shown(*at, text))).collect();
        conjuncts.push(format!("({} {operator} {})", names[*at], shown(*at, text)));
        terms.push(match conjuncts.as_slice() {
            [one] => one.clone(),
            many => format!("({})", many.join(" AND ")),
        });
    }
    match terms.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("({})", many.join(" OR "))),
    }
}

/// `pg_get_partkeydef`: `RANGE (a, b)`.
pub fn partition_key(catalog: &Catalog, table: &Table) -> Option<String> {
    let key = table.partition_key.as_ref()?;
    let one = |key: &IndexKey| {
        let source = match &key.source {
            IndexSource::Column(number) => column_name(table, *number),
            IndexSource::Expression(text) => {
                let shown = expression(catalog, Some(table), text, Style::Plain);
                match parser::parse_expression(text) {
                    Ok(Expr::Function(_)) => shown,
                    _ => format!("({shown})"),
                }
            }
        };
        let class = key.opclass.as_ref().map(|class| format!(" {class}")).unwrap_or_default();
        format!("{source}{class}")
    };
    let keys: Vec<String> = key.keys.iter().map(one).collect();
    Some(format!("{} ({})", key.strategy.word(), keys.join(", ")))
}

/// `pg_get_viewdef`.
pub fn view(view: &View, layout: Layout, context: &EvalContext) -> String {
    let columns: Vec<String> = view.columns.iter().map(|(name, _)| name.clone()).collect();
    query(&view.query, &view.search_path, &columns, layout, context)
}

/// `pg_get_viewdef` of a materialized view.
pub fn materialized(table: &Table, view: &MaterializedView, layout: Layout, context: &EvalContext) -> String {
    let columns: Vec<String> = table.live_columns().map(|column| column.name.clone()).collect();
    query(&view.query, &view.search_path, &columns, layout, context)
}

/// What the query of a view or materialized view is made of.
pub fn shape(entry: &Entry, context: &EvalContext) -> Option<Shape> {
    match entry {
        Entry::View(view) => bind_shape(&view.query, &view.search_path, context),
        Entry::Table(Table { view: Some(view), .. }) => bind_shape(&view.query, &view.search_path, context),
        _ => None,
    }
}

/// `pg_get_ruledef` of the rule that makes a view one.
pub fn rule(entry: &Entry, layout: Layout, context: &EvalContext) -> Option<String> {
    let catalog = context.host.catalog();
    let query = match entry {
        Entry::View(query) => view(query, layout, context),
        Entry::Table(table @ Table { view: Some(query), .. }) => materialized(table, query, layout, context),
        _ => return None,
    };
    let schema = entry.schema()?;
    let is_found = layout.pretty && context.host.search_path().contains(&schema);
    let name = if is_found { quote_ident(entry.name()) } else { qualified_name(&catalog, schema, entry.name()) };
    Some(format!("CREATE RULE \"_RETURN\" AS\n    ON SELECT TO {name} DO INSTEAD {query}"))
}

/// A kept query as PostgreSQL shows it; one that has something without a form is shown as it was written.
fn query(text: &str, path: &[String], columns: &[String], layout: Layout, context: &EvalContext) -> String {
    let shown = bind_shape(text, path, context).and_then(|shape| deparse::query(&shape, columns, layout, context));
    format!("{};", shown.unwrap_or_else(|| format!(" {}", text.trim().trim_end_matches(';'))))
}

/// `pg_get_constraintdef`.
pub fn constraint(catalog: &Catalog, table: &Table, constraint: &Constraint, style: Style<'_>) -> String {
    let key = |word: &str, columns: &[i16], index: Oid| {
        let index = catalog.index(index);
        let distinct = if index.is_some_and(|i| i.nulls_not_distinct) { " NULLS NOT DISTINCT" } else { "" };
        let include = match index {
            Some(i) if !i.include.is_empty() => format!(" INCLUDE ({})", column_list(table, &i.include)),
            _ => String::new(),
        };
        format!("{word}{distinct} ({}){include}", column_list(table, columns))
    };
    let mut text = match &constraint.kind {
        ConstraintKind::Check { expr } => format!("CHECK ({})", expression(catalog, Some(table), expr, style)),
        ConstraintKind::Unique { columns, index } => key("UNIQUE", columns, *index),
        ConstraintKind::PrimaryKey { columns, index } => key("PRIMARY KEY", columns, *index),
        ConstraintKind::ForeignKey(key) => foreign_key(catalog, table, key, style),
        ConstraintKind::NotNull { column } => format!("NOT NULL {}", column_name(table, *column)),
    };
    let flags = constraint.attributes;
    let said = [
        (flags.no_inherit, " NO INHERIT"),
        (flags.deferrable, " DEFERRABLE"),
        (flags.deferred, " INITIALLY DEFERRED"),
        (flags.not_enforced, " NOT ENFORCED"),
        (flags.not_valid && !flags.not_enforced, " NOT VALID"),
    ];
    said.iter().filter(|(is_said, _)| *is_said).for_each(|(_, words)| text.push_str(words));
    text
}

fn foreign_key(catalog: &Catalog, table: &Table, key: &ForeignKey, style: Style<'_>) -> String {
    let Some(parent) = catalog.table(key.table) else { return String::new() };
    let name = match style {
        // Only what the search path would not find says its schema.
        Style::Pretty(context) if context.host.search_path().contains(&parent.schema) => quote_ident(&parent.name),
        _ if schema_name(catalog, parent.schema).as_deref() == Some("public") => quote_ident(&parent.name),
        _ => qualified_name(catalog, parent.schema, &parent.name),
    };
    let (own, theirs) = (column_list(table, &key.columns), column_list(parent, &key.referenced));
    let mut text = format!("FOREIGN KEY ({own}) REFERENCES {name}({theirs})");
    if key.match_full {
        text.push_str(" MATCH FULL");
    }
    if key.on_update != ForeignKeyAction::NoAction {
        text.push_str(&format!(" ON UPDATE {}", key.on_update.words()));
    }
    if key.on_delete != ForeignKeyAction::NoAction {
        text.push_str(&format!(" ON DELETE {}", key.on_delete.words()));
    }
    if !key.set_columns.is_empty() {
        text.push_str(&format!(" ({})", column_list(table, &key.set_columns)));
    }
    text
}

/// The table and constraint of a constraint's OID.
pub fn constraint_by_oid(catalog: &Catalog, oid: Oid) -> Option<(&Table, &Constraint)> {
    catalog.entries.values().find_map(|entry| match &**entry {
        Entry::Table(table) => table.constraints.iter().find(|c| c.oid == oid).map(|c| (table, c)),
        _ => None,
    })
}

/// The relation that a row type is of: schema and name.
pub fn row_type(catalog: &Catalog, oid: Oid) -> Option<(Oid, String)> {
    let entry = catalog.row_relation(oid)?;
    Some((entry.schema()?, entry.name().to_string()))
}

/// The domain and CHECK of a constraint's OID.
pub fn domain_check(catalog: &Catalog, oid: Oid) -> Option<(&Domain, &DomainCheck)> {
    catalog.entries.values().find_map(|entry| match &**entry {
        Entry::Type(UserType { kind: TypeKind::Domain(domain), .. }) => {
            domain.checks.iter().find(|check| check.oid == oid).map(|check| (domain, check))
        }
        _ => None,
    })
}

/// A CHECK of a domain, as it is shown.
pub fn domain_constraint(catalog: &Catalog, domain: &Domain, check: &DomainCheck, style: Style<'_>) -> String {
    let pretty = match style {
        Style::Pretty(context) => {
            let base = crate::sql::user_types::base(catalog, domain.base);
            let parsed = parser::parse_expression(&check.expr).ok();
            let bound = parsed.and_then(|parsed| note_domain_expr(&parsed, base, context));
            bound.and_then(|expr| deparse::noted_expression(&expr, &|_| Some("VALUE".to_string()), true, context))
        }
        Style::Plain => None,
    };
    let valid = if check.validated { "" } else { " NOT VALID" };
    format!("CHECK ({}){valid}", pretty.as_deref().unwrap_or(&check.expr))
}

/// The collation that values of a type have: the default one, or C for `name`.
pub fn collation_of(typ: Oid) -> Oid {
    let element = crate::sql::types::element_of(typ).filter(|_| crate::sql::types::category(typ) == 'A').unwrap_or(typ);
    match Type::new(element) {
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => 100,
        Type::NAME => 950,
        _ => 0,
    }
}

/// `format_type` of any type; those that are not in pg_catalog with their schema.
pub fn type_name(catalog: &Catalog, typ: Type) -> String {
    crate::sql::user_types::format_along(catalog, &[PG_CATALOG], typ.oid, Some(typ.typmod))
}
