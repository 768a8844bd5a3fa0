//! The built-in relations of `pg_catalog` and `information_schema`: their names and columns, and their rows.
//!
//! The shapes are PostgreSQL 15's, as data in `relations.txt`: OID, name, kind (`s`: shared by all databases), columns
//! with their types (`!`: not null). The rows are made from the [`Catalog`] and from the tables of types, functions,
//! operators and casts ([`rows`]); what only a running server knows comes through [`Live`]. Views of PostgreSQL are
//! made directly too, with the same columns. What PostgreSQL has and we do not (triggers, publications, ...) is empty.

mod builder;
mod cluster;
pub mod definition;
mod functions;
mod information;
pub(crate) mod io_functions;
mod objects;
mod opfamily;
mod relations;
pub(crate) mod routine;
mod statistics;
#[cfg(test)]
mod tests;
mod types;
mod usage;
mod user_types;
mod views;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::Result;
use crate::storage::catalog::{Catalog, Entry, INFORMATION_SCHEMA, PG_CATALOG};

use super::context::EvalContext;
use builder::Rows;

pub(crate) use functions::{arguments, kind, result};
pub(crate) use objects::rule_oid;

/// A built-in relation.
#[derive(Debug)]
pub struct SystemRelation {
    /// Schema-qualified name: `pg_catalog.pg_class`.
    pub name: &'static str,
    /// PostgreSQL's OID of it.
    pub oid: Oid,
    /// Names and types of its columns, in order.
    pub columns: &'static [(&'static str, Type)],
    /// Which columns are never NULL, in order.
    pub not_null: &'static [bool],
    /// pg_class.relkind: `r` or `v`.
    pub kind: char,
    /// pg_class.relisshared.
    pub is_shared: bool,
}

impl SystemRelation {
    /// The schema's OID.
    pub fn schema(&self) -> Oid {
        if self.name.starts_with("pg_catalog.") { PG_CATALOG } else { INFORMATION_SCHEMA }
    }

    /// The name without its schema.
    pub fn short_name(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, name)| name)
    }
}

struct Relations {
    all: Vec<&'static SystemRelation>,
    by_name: HashMap<&'static str, &'static SystemRelation>,
    by_oid: HashMap<Oid, &'static SystemRelation>,
}

static RELATIONS: LazyLock<Relations> = LazyLock::new(|| {
    let mut relations = Relations { all: Vec::new(), by_name: HashMap::new(), by_oid: HashMap::new() };
    for line in include_str!("system/relations.txt").lines() {
        let relation: &'static SystemRelation = Box::leak(Box::new(read_relation(line)));
        relations.all.push(relation);
        relations.by_name.insert(relation.name, relation);
        relations.by_oid.insert(relation.oid, relation);
    }
    relations
});

/// One line of `relations.txt`.
fn read_relation(line: &'static str) -> SystemRelation {
    let mut words = line.split(' ');
    let mut word = || words.next().expect("a line of relations.txt has OID, name and kind");
    let (oid, name, kind) = (word(), word(), word());
    let (mut columns, mut not_null) = (Vec::new(), Vec::new());
    for column in words {
        let (column, typ) = column.split_once(':').expect("a column of relations.txt has a type");
        not_null.push(typ.ends_with('!'));
        // Types that have no values here are shown as text.
        let typ = super::types::by_name(typ.trim_end_matches('!')).map_or(Type::TEXT, |t| Type::new(t.oid));
        columns.push((column, typ));
    }
    SystemRelation {
        name,
        oid: oid.parse().expect("a line of relations.txt begins with an OID"),
        columns: columns.leak(),
        not_null: not_null.leak(),
        kind: if kind.starts_with('v') { 'v' } else { 'r' },
        is_shared: kind.ends_with('s'),
    }
}

/// The built-in relation with a schema-qualified name.
pub fn relation(name: &str) -> Option<&'static SystemRelation> {
    RELATIONS.by_name.get(name).copied()
}

/// The built-in relation with an OID.
pub fn by_oid(oid: Oid) -> Option<&'static SystemRelation> {
    RELATIONS.by_oid.get(&oid).copied()
}

/// All built-in relations.
pub fn all() -> &'static [&'static SystemRelation] {
    &RELATIONS.all
}

/// One session, as pg_stat_activity shows it. Times count as timestamptz does.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Activity {
    pub pid: i32,
    pub database: Oid,
    pub user: Oid,
    pub application_name: String,
    pub client_address: Option<String>,
    pub client_port: Option<i32>,
    pub backend_start: i64,
    pub transaction_start: Option<i64>,
    pub query_start: Option<i64>,
    pub state_change: Option<i64>,
    /// `active`, `idle`, `idle in transaction`, ...
    pub state: String,
    pub query: String,
}

/// One setting, as pg_settings shows it.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Setting {
    pub name: String,
    pub setting: String,
    pub unit: Option<String>,
    pub category: String,
    pub description: String,
    /// `internal`, `user`, ...
    pub context: String,
    /// `bool`, `integer`, `real`, `string` or `enum`.
    pub kind: String,
    pub source: String,
    pub min: Option<String>,
    pub max: Option<String>,
    pub words: Option<Vec<String>>,
    pub boot: Option<String>,
    pub reset: Option<String>,
}

/// One prepared statement of the session.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct PreparedStatement {
    pub name: String,
    pub statement: String,
    pub prepare_time: i64,
    pub parameter_types: Vec<Oid>,
    /// Made by PREPARE, not by the protocol.
    pub from_sql: bool,
}

/// One cursor of the session.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Cursor {
    pub name: String,
    pub statement: String,
    pub is_holdable: bool,
    pub is_binary: bool,
    pub is_scrollable: bool,
    pub creation_time: i64,
}

/// What only a running server and session know. Every answer may be empty.
pub trait Live {
    /// All settings, in order of name.
    fn settings(&self) -> Vec<Setting> {
        Vec::new()
    }
    /// All sessions.
    fn activity(&self) -> Vec<Activity> {
        Vec::new()
    }
    /// The session's prepared statements.
    fn prepared_statements(&self) -> Vec<PreparedStatement> {
        Vec::new()
    }
    /// The session's cursors.
    fn cursors(&self) -> Vec<Cursor> {
        Vec::new()
    }
    /// About how many rows a table has; `None` when nobody knows.
    fn rows(&self, _table: Oid) -> Option<u64> {
        None
    }
    /// About how many bytes a table or index takes.
    fn bytes(&self, _relation: Oid) -> Option<u64> {
        None
    }
    /// A sequence's last value, if nextval was ever called.
    fn last_value(&self, _sequence: Oid) -> Option<i64> {
        None
    }
}

/// Nothing is known (tests, and expressions without a session).
pub struct NotLive;

impl Live for NotLive {}

/// What row producers work with.
struct Context<'a> {
    catalog: Arc<Catalog>,
    database: Oid,
    /// The schemas of the database.
    schemas: HashSet<Oid>,
    eval: &'a EvalContext,
    live: &'a dyn Live,
}

impl Context<'_> {
    /// The entries of the database, in order of OID: relations by their schema; shared objects are left out.
    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.catalog.entries.values().map(|e| &**e).filter(|e| match e {
            Entry::Schema(schema) => schema.database == self.database,
            other => other.schema().is_some_and(|schema| self.schemas.contains(&schema)),
        })
    }

    /// A role's name, as pg_get_userbyid gives it.
    fn role_name(&self, oid: Oid) -> String {
        definition::role_name(&self.catalog, oid)
    }

    /// A schema's name.
    fn schema_name(&self, oid: Oid) -> String {
        definition::schema_name(&self.catalog, oid).unwrap_or_default()
    }

    fn database_name(&self) -> String {
        self.catalog.get(self.database).map(|e| e.name().to_string()).unwrap_or_default()
    }
}

/// The rows of a built-in relation: of each row the columns at these positions.
pub fn rows(eval: &EvalContext, live: &dyn Live, name: &str, columns: &[usize]) -> Result<Vec<Vec<Datum>>> {
    let Some(relation) = relation(name) else {
        return Err(err!(UNDEFINED_TABLE, "relation \"{name}\" does not exist"));
    };
    let catalog = eval.host.catalog();
    let database = eval.host.database();
    let mut schemas: HashSet<Oid> = catalog
        .schemas
        .range((database, String::new())..)
        .map_while(|((db, _), oid)| (*db == database).then_some(*oid))
        .collect();
    schemas.extend([PG_CATALOG, INFORMATION_SCHEMA]);
    let context = Context { catalog, database, schemas, eval, live };
    let mut rows = Rows::new(relation, columns);
    produce(&context, relation.short_name(), relation.schema() == PG_CATALOG, &mut rows)?;
    Ok(rows.finish())
}

fn produce(context: &Context<'_>, name: &str, pg_catalog: bool, rows: &mut Rows) -> Result<()> {
    if !pg_catalog {
        information::produce(context, name, rows);
        return Ok(());
    }
    match name {
        "pg_class" => relations::classes(context, rows),
        "pg_attribute" => relations::attributes(context, rows),
        "pg_attrdef" => relations::defaults(context, rows),
        "pg_index" => relations::indexes(context, rows),
        "pg_constraint" => relations::constraints(context, rows),
        "pg_inherits" => relations::inherits(context, rows),
        "pg_partitioned_table" => relations::partitioned(context, rows),
        "pg_sequence" => relations::sequences(context, rows),
        "pg_namespace" => objects::namespaces(context, rows),
        "pg_depend" => objects::depends(context, rows),
        "pg_description" => objects::descriptions(context, rows),
        "pg_shdescription" => objects::shared_descriptions(context, rows),
        "pg_rewrite" => objects::rewrites(context, rows),
        "pg_type" => types::types(context, rows),
        "pg_enum" => user_types::enums(context, rows),
        "pg_range" => user_types::ranges(context, rows),
        "pg_proc" => {
            functions::procedures(rows);
            routine::procedures(context, rows);
        }
        "pg_aggregate" => functions::aggregates(rows),
        "pg_operator" => types::operators(rows),
        "pg_cast" => types::casts(rows),
        "pg_collation" => types::collations(rows),
        "pg_am" => types::access_methods(rows),
        "pg_language" => types::languages(rows),
        "pg_opfamily" => opfamily::families(rows),
        "pg_opclass" => opfamily::classes(rows),
        "pg_amop" => opfamily::operators(rows),
        "pg_amproc" => opfamily::procedures(rows),
        "pg_database" => cluster::databases(context, rows),
        "pg_authid" => cluster::authids(context, rows),
        "pg_auth_members" => cluster::memberships(context, rows),
        "pg_default_acl" => cluster::default_acls(context, rows),
        "pg_roles" => cluster::roles(context, rows),
        "pg_user" => cluster::users(context, rows, false),
        "pg_shadow" => cluster::users(context, rows, true),
        "pg_group" => cluster::groups(context, rows),
        "pg_tablespace" => cluster::tablespaces(rows),
        "pg_settings" => cluster::settings(context, rows),
        "pg_config" => cluster::config(rows),
        "pg_timezone_names" => cluster::time_zones(context, rows),
        "pg_timezone_abbrevs" => cluster::time_zone_abbreviations(rows),
        "pg_stat_activity" => statistics::activity(context, rows),
        "pg_prepared_statements" => statistics::prepared_statements(context, rows),
        "pg_cursors" => statistics::cursors(context, rows),
        "pg_stat_database" => statistics::databases(context, rows),
        "pg_stat_all_tables"
        | "pg_stat_user_tables"
        | "pg_stat_xact_all_tables"
        | "pg_stat_xact_user_tables"
        | "pg_statio_all_tables"
        | "pg_statio_user_tables" => statistics::tables(context, rows),
        "pg_stat_all_indexes" | "pg_stat_user_indexes" | "pg_statio_all_indexes" | "pg_statio_user_indexes" => {
            statistics::indexes(context, rows);
        }
        "pg_tables" => views::tables(context, rows),
        "pg_views" => views::views(context, rows),
        "pg_matviews" => views::materialized_views(context, rows),
        "pg_indexes" => views::indexes(context, rows),
        "pg_sequences" => views::sequences(context, rows),
        // Everything else is of things that do not exist here.
        _ => {}
    }
    Ok(())
}
