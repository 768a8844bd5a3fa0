//! What all databases share: databases, roles, tablespaces; settings and time zones.

use chrono::{Offset, TimeZone};
use chrono_tz::OffsetName;

use crate::document::{Datum, Interval};
use crate::storage::catalog::{BOOTSTRAP_ROLE, Entry, ObjectClass, Role};

use super::Context;
use super::builder::{Rows, acl, acl_array, letter, oid_array, optional, text, text_array};
use crate::document::Type;

/// UTF8 in PostgreSQL's numbering of encodings.
pub(super) const UTF8: i32 = 6;
/// The collation of every database.
const LOCALE: &str = "C.UTF-8";
/// The tablespace `pg_default`.
const PG_DEFAULT: u32 = 1663;

pub(super) fn databases(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.catalog.entries.values() {
        let Entry::Database(database) = &**entry else { continue };
        rows.push([
            ("oid", Datum::Oid(database.oid)),
            ("datname", text(&database.name)),
            ("datdba", Datum::Oid(database.owner)),
            ("encoding", Datum::Int4(UTF8)),
            ("datlocprovider", letter('c')),
            ("datallowconn", Datum::Bool(true)),
            ("datconnlimit", Datum::Int4(-1)),
            ("dattablespace", Datum::Oid(PG_DEFAULT)),
            ("datcollate", text(LOCALE)),
            ("datctype", text(LOCALE)),
            ("datacl", acl(&context.catalog, ObjectClass::Database, database.oid, 0)),
        ]);
    }
}

fn all_roles<'c>(context: &'c Context<'_>) -> impl Iterator<Item = &'c Role> {
    context.catalog.entries.values().filter_map(|entry| match &**entry {
        Entry::Role(role) => Some(role),
        _ => None,
    })
}

pub(super) fn authids(context: &Context<'_>, rows: &mut Rows) {
    for role in all_roles(context) {
        rows.push([
            ("oid", Datum::Oid(role.oid)),
            ("rolname", text(&role.name)),
            ("rolsuper", Datum::Bool(role.superuser)),
            ("rolinherit", Datum::Bool(role.inherit)),
            ("rolcreaterole", Datum::Bool(role.create_role)),
            ("rolcreatedb", Datum::Bool(role.create_db)),
            ("rolcanlogin", Datum::Bool(role.login)),
            ("rolreplication", Datum::Bool(role.replication)),
            ("rolbypassrls", Datum::Bool(role.bypass_rls)),
            ("rolconnlimit", Datum::Int4(role.connection_limit)),
            ("rolpassword", password(context, role)),
        ]);
    }
}

pub(super) fn memberships(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.catalog.entries.values() {
        let Entry::Membership(membership) = &**entry else { continue };
        rows.push([
            ("roleid", Datum::Oid(membership.role)),
            ("member", Datum::Oid(membership.member)),
            ("grantor", Datum::Oid(membership.grantor)),
            ("admin_option", Datum::Bool(membership.admin)),
        ]);
    }
}

pub(super) fn default_acls(context: &Context<'_>, rows: &mut Rows) {
    for entry in context.catalog.entries.values() {
        let Entry::DefaultPrivileges(defaults) = &**entry else { continue };
        let kind = match defaults.class {
            ObjectClass::Sequence => 'S',
            ObjectClass::Function => 'f',
            ObjectClass::Type => 'T',
            ObjectClass::Schema => 'n',
            ObjectClass::Relation | ObjectClass::Database => 'r',
        };
        rows.push([
            ("oid", Datum::Oid(defaults.oid)),
            ("defaclrole", Datum::Oid(defaults.role)),
            ("defaclnamespace", Datum::Oid(defaults.schema)),
            ("defaclobjtype", letter(kind)),
            ("defaclacl", acl_array(&context.catalog, &defaults.items)),
        ]);
    }
}

/// A role's verifier, which only superusers see.
fn password(context: &Context<'_>, role: &Role) -> Datum {
    let user = context.eval.host.users().0;
    let may_see = context.catalog.role(&user).is_some_and(|r| r.superuser);
    if may_see { optional(role.password.clone()) } else { Datum::Null }
}

pub(super) fn roles(context: &Context<'_>, rows: &mut Rows) {
    for role in all_roles(context) {
        rows.push([
            ("rolname", text(&role.name)),
            ("rolsuper", Datum::Bool(role.superuser)),
            ("rolinherit", Datum::Bool(role.inherit)),
            ("rolcreaterole", Datum::Bool(role.create_role)),
            ("rolcreatedb", Datum::Bool(role.create_db)),
            ("rolcanlogin", Datum::Bool(role.login)),
            ("rolreplication", Datum::Bool(role.replication)),
            ("rolconnlimit", Datum::Int4(role.connection_limit)),
            ("rolpassword", text("********")),
            ("rolbypassrls", Datum::Bool(role.bypass_rls)),
            ("oid", Datum::Oid(role.oid)),
        ]);
    }
}

pub(super) fn users(context: &Context<'_>, rows: &mut Rows, shadow: bool) {
    for role in all_roles(context).filter(|r| r.login) {
        rows.push([
            ("usename", text(&role.name)),
            ("usesysid", Datum::Oid(role.oid)),
            ("usecreatedb", Datum::Bool(role.create_db)),
            ("usesuper", Datum::Bool(role.superuser)),
            ("userepl", Datum::Bool(role.replication)),
            ("usebypassrls", Datum::Bool(role.bypass_rls)),
            ("passwd", if shadow { password(context, role) } else { text("********") }),
        ]);
    }
}

pub(super) fn groups(context: &Context<'_>, rows: &mut Rows) {
    for role in all_roles(context).filter(|r| !r.login) {
        rows.push([
            ("groname", text(&role.name)),
            ("grosysid", Datum::Oid(role.oid)),
            ("grolist", oid_array(Type::OID, [])),
        ]);
    }
}

pub(super) fn tablespaces(rows: &mut Rows) {
    for (oid, name) in [(PG_DEFAULT, "pg_default"), (1664, "pg_global")] {
        rows.push([("oid", Datum::Oid(oid)), ("spcname", text(name)), ("spcowner", Datum::Oid(BOOTSTRAP_ROLE))]);
    }
}

pub(super) fn settings(context: &Context<'_>, rows: &mut Rows) {
    for setting in context.live.settings() {
        rows.push([
            ("name", text(setting.name)),
            ("setting", text(setting.setting)),
            ("unit", optional(setting.unit)),
            ("category", text(setting.category)),
            ("short_desc", text(setting.description)),
            ("context", text(setting.context)),
            ("vartype", text(setting.kind)),
            ("source", text(setting.source)),
            ("min_val", optional(setting.min)),
            ("max_val", optional(setting.max)),
            ("enumvals", setting.words.map_or(Datum::Null, text_array)),
            ("boot_val", optional(setting.boot)),
            ("reset_val", optional(setting.reset)),
            ("pending_restart", Datum::Bool(false)),
        ]);
    }
}

pub(super) fn config(rows: &mut Rows) {
    rows.push([("name", text("VERSION")), ("setting", text(concat!("AerolithDB ", env!("CARGO_PKG_VERSION"))))]);
}

/// Seconds from 1970-01-01 to 2000-01-01.
const EPOCH_SECONDS: i64 = 946_684_800;

pub(super) fn time_zone_abbreviations(rows: &mut Rows) {
    for (abbreviation, east, is_dst) in crate::sql::datetime::abbreviations::ABBREVIATIONS {
        let utc_offset = Interval { months: 0, days: 0, micros: i64::from(*east) * 1_000_000 };
        rows.push([
            ("abbrev", Datum::text(abbreviation.to_uppercase())),
            ("utc_offset", Datum::Interval(utc_offset)),
            ("is_dst", Datum::Bool(*is_dst)),
        ]);
    }
}

pub(super) fn time_zones(context: &Context<'_>, rows: &mut Rows) {
    let seconds = context.eval.transaction_time.div_euclid(1_000_000) + EPOCH_SECONDS;
    let Some(now) = chrono::DateTime::from_timestamp(seconds, 0) else { return };
    for zone in chrono_tz::TZ_VARIANTS {
        let offset = zone.offset_from_utc_datetime(&now.naive_utc());
        let east = i64::from(offset.fix().local_minus_utc());
        let daylight = chrono_tz::OffsetComponents::dst_offset(&offset).num_seconds() != 0;
        let utc_offset = Interval { months: 0, days: 0, micros: east * 1_000_000 };
        rows.push([
            ("name", text(zone.name())),
            ("abbrev", optional(offset.abbreviation())),
            ("utc_offset", Datum::Interval(utc_offset)),
            ("is_dst", Datum::Bool(daylight)),
        ]);
    }
}
