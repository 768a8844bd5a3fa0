//! User-defined types by name and by OID: what of them only the catalog knows.
//!
//! The OID alone says the kind of a type, its array and its element ([`crate::document::user_type`], [`super::types`]).
//! A domain never is the type of an expression: where a column or cast names one, the value has the base type and is
//! checked ([`super::domain`]).

use sqlparser::ast::{ArrayElemTypeDef, DataType};

use crate::document::user_type::{self, UserKind};
use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::storage::catalog::{Catalog, Domain, Entry, PG_CATALOG, TypeKind};

use super::context::EvalContext;
use super::io::reg::quote_identifier;
use super::{parser, types};

/// Domains over domains end here.
const DEPTH_MAX: usize = 64;

/// A user-defined type, row type or array of one by its name in a schema.
fn in_schema(catalog: &Catalog, schema: Oid, name: &str) -> Option<Oid> {
    let plain = |name: &str| {
        let user = catalog.types.get(&(schema, name.to_string())).copied();
        user.or_else(|| catalog.relation(schema, name)?.row_type()).or_else(|| {
            let mut multiranges = catalog.types.range((schema, String::new())..).take_while(|((s, _), _)| *s == schema);
            multiranges.find_map(|(_, oid)| match &catalog.user_type(*oid)?.kind {
                TypeKind::Range(range) if range.multirange_name == name => Some(range.multirange),
                _ => None,
            })
        })
    };
    plain(name).or_else(|| name.strip_prefix('_').and_then(plain).and_then(types::array_of))
}

/// The type that a name means, built-in ones aside.
pub fn find(context: &EvalContext, schema: Option<&str>, name: &str) -> Option<Oid> {
    let catalog = context.host.catalog();
    match schema {
        Some(schema) => in_schema(&catalog, catalog.schema(context.host.database(), schema)?, name),
        None => context.host.search_path().into_iter().find_map(|schema| in_schema(&catalog, schema, name)),
    }
}

/// The type that a written type names.
pub fn resolve(data_type: &DataType, context: &EvalContext) -> Result<Type> {
    let error = match types::resolve(data_type) {
        Ok(typ) => return Ok(typ),
        Err(error) => error,
    };
    let mut element = data_type;
    let mut is_array = false;
    while let DataType::Array(ArrayElemTypeDef::SquareBracket(inner, _)) = element {
        (element, is_array) = (inner, true);
    }
    let DataType::Custom(name, modifiers) = element else { return Err(error) };
    let parts = parser::names(name);
    let (schema, name) = match parts.as_slice() {
        [name] => (None, name),
        [schema, name] => (Some(schema), name),
        [database, schema, name] => {
            let catalog = context.host.catalog();
            if catalog.get(context.host.database()).is_none_or(|d| d.name() != database) {
                let written = parts.join(".");
                return Err(err!(FEATURE_NOT_SUPPORTED, "cross-database references are not implemented: {written}"));
            }
            (Some(schema), name)
        }
        _ => return Err(error),
    };
    if let Some(schema) = schema
        && context.host.catalog().schema(context.host.database(), schema).is_none()
    {
        return Err(err!(INVALID_SCHEMA_NAME, "schema \"{schema}\" does not exist"));
    }
    let Some(oid) = find(context, schema.map(String::as_str), name) else { return Err(error) };
    if !modifiers.is_empty() {
        return Err(err!(SYNTAX_ERROR, "type modifier is not allowed for type \"{name}\""));
    }
    match is_array && !types::is_array(oid) {
        false => Ok(Type::new(oid)),
        true => match types::array_of(oid) {
            Some(array) => Ok(Type::new(array)),
            None => {
                Err(err!(UNDEFINED_OBJECT, "could not find array type for data type {}", format(context, oid, None)))
            }
        },
    }
}

/// The type that a text names.
pub fn resolve_text(text: &str, context: &EvalContext) -> Result<Type> {
    match types::parse_name(text) {
        Ok(typ) => Ok(typ),
        Err(error) => match parser::parse_type(text) {
            Ok(data_type) => resolve(&data_type, context),
            Err(_) => Err(error),
        },
    }
}

/// Schema and name (`pg_type.typname`) of any type.
pub fn name(catalog: &Catalog, oid: Oid) -> Option<(Oid, String)> {
    if let Some(info) = types::by_oid(oid) {
        return Some((PG_CATALOG, info.name.to_string()));
    }
    if let Some(element) = user_type::element_of(oid) {
        let (schema, name) = name(catalog, element)?;
        return Some((schema, format!("_{name}")));
    }
    if let Some(relation) = catalog.row_relation(oid) {
        return Some((relation.schema()?, relation.name().to_string()));
    }
    if user_type::kind(oid) == Some(UserKind::Multirange) {
        let range = catalog.user_type(types::range_of(oid)?)?;
        let TypeKind::Range(kind) = &range.kind else { return None };
        return Some((range.schema, kind.multirange_name.clone()));
    }
    let user = catalog.user_type(oid)?;
    Some((user.schema, user.name.clone()))
}

/// `format_type`: as SQL spells the type, with its schema where the search path does not lead to it.
pub fn format(context: &EvalContext, oid: Oid, typmod: Option<i32>) -> String {
    format_along(&context.host.catalog(), &context.host.search_path(), oid, typmod)
}

/// [`format()`] with a search path.
pub fn format_along(catalog: &Catalog, path: &[Oid], oid: Oid, typmod: Option<i32>) -> String {
    if oid == 0 || types::by_oid(oid).is_some() {
        return types::format_oid(oid, typmod);
    }
    if let Some(element) = user_type::element_of(oid) {
        return format_along(catalog, path, element, typmod) + "[]";
    }
    let Some((schema, name)) = name(catalog, oid) else { return "???".to_string() };
    let found = types::by_name(&name).map(|info| info.oid);
    let found = found.or_else(|| path.iter().find_map(|schema| in_schema(catalog, *schema, &name)));
    let quoted = quote_identifier(&name);
    if found == Some(oid) {
        return quoted;
    }
    let schema = catalog.get(schema).map(|s| s.name().to_string()).unwrap_or_default();
    format!("{}.{quoted}", quote_identifier(&schema))
}

/// The domain of an OID.
pub fn domain(catalog: &Catalog, oid: Oid) -> Option<&Domain> {
    match &catalog.user_type(oid)?.kind {
        TypeKind::Domain(domain) => Some(domain),
        _ => None,
    }
}

/// The type of a domain's values; of an array of a domain, the array of them; any other type as it is.
pub fn base(catalog: &Catalog, typ: Type) -> Type {
    if user_type::kind(typ.oid) != Some(UserKind::Domain) {
        return typ;
    }
    if let Some(element) = user_type::element_of(typ.oid) {
        let base = base(catalog, Type::new(element));
        return types::array_of(base.oid).map_or(base, |array| Type::with_typmod(array, base.typmod));
    }
    let mut at = typ;
    for _ in 0..DEPTH_MAX {
        match domain(catalog, at.oid) {
            Some(domain) => at = domain.base,
            None => break,
        }
    }
    // The base may be an array of another domain.
    if at.oid != typ.oid && user_type::kind(at.oid) == Some(UserKind::Domain) { base(catalog, at) } else { at }
}

/// Whether values of a type are checked: a domain or an array of one.
pub fn is_checked(oid: Oid) -> bool {
    user_type::kind(oid) == Some(UserKind::Domain)
}

/// The attributes of a composite type or row type, as declared.
pub fn fields(catalog: &Catalog, oid: Oid) -> Option<Vec<(String, Type)>> {
    if let Some(user) = catalog.user_type(oid) {
        let TypeKind::Composite { columns, .. } = &user.kind else { return None };
        return Some(columns.iter().filter(|c| !c.dropped).map(|c| (c.name.clone(), c.declared())).collect());
    }
    match &**catalog.row_relation(oid)? {
        Entry::Table(table) => Some(table.live_columns().map(|c| (c.name.clone(), c.declared())).collect()),
        Entry::View(view) => Some(view.columns.clone()),
        _ => None,
    }
}

/// The labels of an enum: text and place.
pub fn labels(catalog: &Catalog, oid: Oid) -> Vec<(&str, i64)> {
    match catalog.user_type(oid).map(|t| &t.kind) {
        Some(TypeKind::Enum(labels)) => labels.iter().map(|l| (l.name.as_str(), l.order)).collect(),
        _ => Vec::new(),
    }
}

/// The label of an enum's value.
pub fn label(catalog: &Catalog, oid: Oid, order: i64) -> Option<&str> {
    labels(catalog, oid).into_iter().find(|(_, o)| *o == order).map(|(label, _)| label)
}

/// `enum_in`.
pub fn enum_in(oid: Oid, text: &str, context: &EvalContext) -> Result<crate::document::Datum> {
    let catalog = context.host.catalog();
    match labels(&catalog, oid).into_iter().find(|(label, _)| *label == text) {
        Some((_, order)) => Ok(crate::document::Datum::Enum(oid, order)),
        None => Err(invalid_label(oid, text, context)),
    }
}

fn invalid_label(oid: Oid, text: &str, context: &EvalContext) -> Error {
    err!(INVALID_TEXT_REPRESENTATION, "invalid input value for enum {}: \"{text}\"", format(context, oid, None))
}

/// The type of a range's bounds.
pub fn subtype(catalog: &Catalog, range: Oid) -> Option<Type> {
    if let Some((_, _, subtype)) = types::RANGES.iter().find(|(r, ..)| *r == range) {
        return Some(Type::new(*subtype));
    }
    match &catalog.user_type(range)?.kind {
        TypeKind::Range(range) => Some(range.subtype),
        _ => None,
    }
}
