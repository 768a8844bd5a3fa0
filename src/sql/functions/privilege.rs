//! `has_..._privilege` and `pg_has_role`.
//!
//! The rules are in [`crate::sql::privilege`].

use super::define::{Args, scalar};
use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::privilege::{self, Object, Rights, Through};
use crate::sql::system;
use crate::sql::{functions, io};
use crate::storage::catalog::{Catalog, Entry, INFORMATION_SCHEMA, ObjectClass, PG_CATALOG, Role};

const N: Type = Type::NAME;
const T: Type = Type::TEXT;
const O: Type = Type::OID;
const S: Type = Type::INT2;
const B: Type = Type::BOOL;

/// The six signatures that such a function has: role by name, by OID or the current one; object by name or OID.
macro_rules! six {
    ($name:literal, $kernel:path: $a:literal $b:literal $c:literal $d:literal $e:literal $f:literal) => {
        &[
            scalar($a, $name, &[N, T, T], B, $kernel).stable(),
            scalar($b, $name, &[N, O, T], B, $kernel).stable(),
            scalar($c, $name, &[O, T, T], B, $kernel).stable(),
            scalar($d, $name, &[O, O, T], B, $kernel).stable(),
            scalar($e, $name, &[T, T], B, $kernel).stable(),
            scalar($f, $name, &[O, T], B, $kernel).stable(),
        ]
    };
}

static TABLE: &[Function] = six!("has_table_privilege", has_table: 1922 1923 1924 1925 1926 1927);
static ANY_COLUMN: &[Function] = six!("has_any_column_privilege", has_any_column: 3024 3025 3026 3027 3028 3029);
static SEQUENCE: &[Function] = six!("has_sequence_privilege", has_sequence: 2181 2182 2183 2184 2185 2186);
static DATABASE: &[Function] = six!("has_database_privilege", has_database: 2250 2251 2252 2253 2254 2255);
static FUNCTION: &[Function] = six!("has_function_privilege", has_function: 2256 2257 2258 2259 2260 2261);
static SCHEMA: &[Function] = six!("has_schema_privilege", has_schema: 2268 2269 2270 2271 2272 2273);
static TYPE: &[Function] = six!("has_type_privilege", has_type: 3138 3139 3140 3141 3142 3143);
static TABLESPACE: &[Function] = six!("has_tablespace_privilege", has_tablespace: 2390 2391 2392 2393 2394 2395);

static COLUMN: &[Function] = &[
    scalar(3012, "has_column_privilege", &[N, T, T, T], B, has_column).stable(),
    scalar(3013, "has_column_privilege", &[N, T, S, T], B, has_column).stable(),
    scalar(3014, "has_column_privilege", &[N, O, T, T], B, has_column).stable(),
    scalar(3015, "has_column_privilege", &[N, O, S, T], B, has_column).stable(),
    scalar(3016, "has_column_privilege", &[O, T, T, T], B, has_column).stable(),
    scalar(3017, "has_column_privilege", &[O, T, S, T], B, has_column).stable(),
    scalar(3018, "has_column_privilege", &[O, O, T, T], B, has_column).stable(),
    scalar(3019, "has_column_privilege", &[O, O, S, T], B, has_column).stable(),
    scalar(3020, "has_column_privilege", &[T, T, T], B, has_column).stable(),
    scalar(3021, "has_column_privilege", &[T, S, T], B, has_column).stable(),
    scalar(3022, "has_column_privilege", &[O, T, T], B, has_column).stable(),
    scalar(3023, "has_column_privilege", &[O, S, T], B, has_column).stable(),
];

static ROLE: &[Function] = &[
    scalar(2705, "pg_has_role", &[N, N, T], B, has_role).stable(),
    scalar(2706, "pg_has_role", &[N, O, T], B, has_role).stable(),
    scalar(2707, "pg_has_role", &[O, N, T], B, has_role).stable(),
    scalar(2708, "pg_has_role", &[O, O, T], B, has_role).stable(),
    scalar(2709, "pg_has_role", &[N, T], B, has_role).stable(),
    scalar(2710, "pg_has_role", &[O, T], B, has_role).stable(),
];

pub(crate) fn lists() -> Vec<&'static [Function]> {
    vec![TABLE, ANY_COLUMN, SEQUENCE, DATABASE, FUNCTION, SCHEMA, TYPE, TABLESPACE, COLUMN, ROLE]
}

/// The role that is asked about: its OID, and whether it is a superuser. 42704 for a name that does not exist.
fn role(catalog: &Catalog, datum: &Datum) -> Result<(Oid, bool)> {
    let found: Option<&Role> = match datum {
        Datum::Text(name) if &**name == "public" => return Ok((0, false)),
        Datum::Text(name) => match catalog.role(name) {
            Some(role) => Some(role),
            None => return Err(err!(UNDEFINED_OBJECT, "role \"{name}\" does not exist")),
        },
        Datum::Oid(oid) => match catalog.get(*oid).map(|e| &**e) {
            Some(Entry::Role(role)) => Some(role),
            _ => None,
        },
        _ => None,
    };
    Ok(found.map_or((0, false), |r| (r.oid, r.superuser)))
}

/// Splits the arguments: who asks, and the rest.
fn who<'a>(context: &EvalContext, args: &'a [Datum], plain: usize) -> Result<((Oid, bool), &'a [Datum])> {
    let catalog = context.host.catalog();
    if args.len() > plain {
        return Ok((role(&catalog, &args[0])?, &args[1..]));
    }
    Ok((role(&catalog, &Datum::text(context.host.users().0))?, args))
}

/// One privilege asked about, and whether WITH GRANT OPTION.
struct Wanted {
    right: Rights,
    grantable: bool,
}

/// Checks a list of privileges against those that exist, each possibly WITH GRANT OPTION.
fn privileges(text: &str, known: &[&str]) -> Result<Vec<Wanted>> {
    text.split(',')
        .map(|item| {
            let item = item.trim();
            let upper = item.to_ascii_uppercase();
            let plain = upper.strip_suffix(" WITH GRANT OPTION");
            let name = plain.unwrap_or(&upper).trim();
            match privilege::right(name).filter(|_| known.contains(&name)) {
                Some(right) => Ok(Wanted { right, grantable: plain.is_some() }),
                None => Err(err!(INVALID_PARAMETER_VALUE, "unrecognized privilege type: \"{item}\"")),
            }
        })
        .collect()
}

/// Whether a role has any of some privileges on an object.
fn has_any(catalog: &Catalog, asker: Oid, object: &Object, wanted: &[Wanted]) -> bool {
    let held = privilege::held(catalog, asker, object);
    wanted.iter().any(|wanted| {
        held & wanted.right != 0
            && (!wanted.grantable || privilege::grantable(catalog, asker, object) & wanted.right != 0)
    })
}

const TABLE_PRIVILEGES: &[&str] =
    &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"];
const COLUMN_PRIVILEGES: &[&str] = &["SELECT", "INSERT", "UPDATE", "REFERENCES"];

/// A relation's OID.
fn relation(context: &EvalContext, datum: &Datum) -> Result<Oid> {
    match datum {
        Datum::Text(name) => match io::text_in(Type::REGCLASS, name, context)? {
            Datum::Oid(oid) => Ok(oid),
            _ => Ok(0),
        },
        Datum::Oid(oid) => Ok(*oid),
        _ => Ok(0),
    }
}

/// A relation as an object, and whether everybody may read it; `None`: there is no such relation.
fn relation_object(catalog: &Catalog, oid: Oid) -> Option<(Object, bool)> {
    if let Some(relation) = system::by_oid(oid) {
        // Passwords are for superusers only.
        let secret = ["pg_authid", "pg_shadow"].contains(&relation.short_name());
        let owner = system::definition::system_owner();
        return Some((Object { class: ObjectClass::Relation, oid, column: 0, owner }, !secret));
    }
    Some((Object::relation(catalog.get(oid)?)?, false))
}

fn on_relation(context: &EvalContext, args: &[Datum], known: &[&str], any_column: bool) -> Result<Datum> {
    let ((asker, _), rest) = who(context, args, 2)?;
    let wanted = privileges(rest.text(1)?, known)?;
    let oid = relation(context, rest.at(0))?;
    let catalog = context.host.catalog();
    let Some((object, public)) = relation_object(&catalog, oid) else { return Ok(Datum::Null) };
    let readable = public && wanted.iter().any(|w| w.right == privilege::SELECT && !w.grantable);
    let range = (object.class, oid, 1)..=(object.class, oid, i32::MAX);
    let on_columns = || {
        let mut columns = catalog.privileges.range(range).map(|((_, _, column), _)| *column);
        columns.any(|column| has_any(&catalog, asker, &object.column(column), &wanted))
    };
    Ok(Datum::Bool(readable || has_any(&catalog, asker, &object, &wanted) || (any_column && on_columns())))
}

fn has_table(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    on_relation(context, args, TABLE_PRIVILEGES, false)
}

fn has_any_column(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    on_relation(context, args, COLUMN_PRIVILEGES, true)
}

fn has_sequence(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    on_relation(context, args, &["USAGE", "SELECT", "UPDATE"], false)
}

fn has_column(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let ((asker, _), rest) = who(context, args, 3)?;
    let wanted = privileges(rest.text(2)?, COLUMN_PRIVILEGES)?;
    let oid = relation(context, rest.at(0))?;
    let catalog = context.host.catalog();
    let Some((object, public)) = relation_object(&catalog, oid) else { return Ok(Datum::Null) };
    let number = match (rest.at(1), catalog.table(oid)) {
        (Datum::Text(name), Some(table)) => match table.column(name) {
            Some(column) => column.number,
            None => {
                return Err(err!(UNDEFINED_COLUMN, "column \"{name}\" of relation \"{}\" does not exist", table.name));
            }
        },
        (Datum::Int2(number), Some(table)) => match table.column_by_number(*number) {
            Some(column) if !column.dropped => *number,
            _ => return Ok(Datum::Null),
        },
        (Datum::Int2(number), None) => *number,
        _ => 0,
    };
    let readable = public && wanted.iter().any(|w| w.right == privilege::SELECT && !w.grantable);
    let on_column = number > 0 && has_any(&catalog, asker, &object.column(i32::from(number)), &wanted);
    Ok(Datum::Bool(readable || on_column || has_any(&catalog, asker, &object, &wanted)))
}

fn has_database(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let ((asker, _), rest) = who(context, args, 2)?;
    let wanted = privileges(rest.text(1)?, &["CREATE", "TEMPORARY", "TEMP", "CONNECT"])?;
    let catalog = context.host.catalog();
    let (oid, owner) = match rest.at(0) {
        Datum::Text(name) => match catalog.database(name) {
            Some(database) => (database.oid, database.owner),
            None => return Err(err!(INVALID_CATALOG_NAME, "database \"{name}\" does not exist")),
        },
        Datum::Oid(oid) => match catalog.get(*oid).map(|e| &**e) {
            Some(Entry::Database(database)) => (database.oid, database.owner),
            _ => return Ok(Datum::Null),
        },
        _ => return Ok(Datum::Null),
    };
    let object = Object { class: ObjectClass::Database, oid, column: 0, owner };
    Ok(Datum::Bool(has_any(&catalog, asker, &object, &wanted)))
}

fn has_schema(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let ((asker, _), rest) = who(context, args, 2)?;
    let wanted = privileges(rest.text(1)?, &["CREATE", "USAGE"])?;
    let catalog = context.host.catalog();
    let oid = match rest.at(0) {
        Datum::Text(name) => match catalog.schema(context.host.database(), name) {
            Some(oid) => oid,
            None => return Err(err!(INVALID_SCHEMA_NAME, "schema \"{name}\" does not exist")),
        },
        Datum::Oid(oid) => *oid,
        _ => return Ok(Datum::Null),
    };
    let exists = matches!(catalog.get(oid).map(|e| &**e), Some(Entry::Schema(_)));
    if !exists && oid != PG_CATALOG && oid != INFORMATION_SCHEMA {
        return Ok(Datum::Null);
    }
    Ok(Datum::Bool(has_any(&catalog, asker, &Object::schema(&catalog, oid), &wanted)))
}

fn has_function(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let ((asker, _), rest) = who(context, args, 2)?;
    let wanted = privileges(rest.text(1)?, &["EXECUTE"])?;
    let oid = match rest.at(0) {
        Datum::Text(name) => io::text_in(Type::REGPROCEDURE, name, context)?,
        other => other.clone(),
    };
    let catalog = context.host.catalog();
    if let Datum::Oid(oid) = oid
        && let Some(Entry::Routine(routine)) = catalog.get(oid).map(|e| &**e)
    {
        let object = Object { class: ObjectClass::Function, oid, column: 0, owner: routine.owner };
        return Ok(Datum::Bool(has_any(&catalog, asker, &object, &wanted)));
    }
    Ok(match oid {
        Datum::Oid(oid) if functions::by_oid(oid).is_some() => Datum::Bool(true),
        _ => Datum::Null,
    })
}

fn has_type(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (_, rest) = who(context, args, 2)?;
    privileges(rest.text(1)?, &["USAGE"])?;
    let oid = match rest.at(0) {
        Datum::Text(name) => io::text_in(Type::REGTYPE, name, context)?,
        other => other.clone(),
    };
    let catalog = context.host.catalog();
    Ok(match oid {
        Datum::Oid(oid) if crate::sql::types::by_oid(oid).is_some() => Datum::Bool(true),
        Datum::Oid(oid) if system::definition::row_type(&catalog, oid).is_some() => Datum::Bool(true),
        _ => Datum::Null,
    })
}

fn has_tablespace(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let ((_, superuser), rest) = who(context, args, 2)?;
    privileges(rest.text(1)?, &["CREATE"])?;
    match rest.at(0) {
        Datum::Text(name) if !["pg_default", "pg_global"].contains(&&**name) => {
            Err(err!(UNDEFINED_OBJECT, "tablespace \"{name}\" does not exist"))
        }
        Datum::Oid(oid) if ![1663, 1664].contains(oid) => Ok(Datum::Null),
        _ => Ok(Datum::Bool(superuser)),
    }
}

fn has_role(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let ((asker, superuser), rest) = who(context, args, 2)?;
    let catalog = context.host.catalog();
    let (wanted, _) = role(&catalog, rest.at(0))?;
    let mut any = false;
    for item in rest.text(1)?.split(',') {
        let upper = item.trim().to_ascii_uppercase();
        let through = match upper.as_str() {
            "USAGE" => Through::Inherit,
            "SET" => Through::Set,
            "MEMBER" => Through::Any,
            "USAGE WITH ADMIN OPTION"
            | "USAGE WITH GRANT OPTION"
            | "MEMBER WITH ADMIN OPTION"
            | "MEMBER WITH GRANT OPTION"
            | "SET WITH ADMIN OPTION"
            | "SET WITH GRANT OPTION" => {
                let roles = privilege::roles_of(&catalog, asker, Through::Any);
                any |= roles.iter().any(|r| catalog.memberships_of(*r).any(|m| m.role == wanted && m.admin));
                continue;
            }
            _ => return Err(err!(INVALID_PARAMETER_VALUE, "unrecognized privilege type: \"{}\"", item.trim())),
        };
        any |= privilege::roles_of(&catalog, asker, through).contains(&wanted);
    }
    Ok(Datum::Bool(superuser || any))
}
