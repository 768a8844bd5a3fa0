//! Relations by name: schema-qualified or along the search path; row types; type names with the catalog's.

use sqlparser::ast::Spanned;
use sqlparser::ast::{DataType, ObjectName};

use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::parser::ident;
use crate::sql::system::{self, SystemRelation};
use crate::sql::user_types;
use crate::storage::catalog::{Catalog, Entry, INFORMATION_SCHEMA, PG_CATALOG};

use super::Binder;

/// What a relation name may mean.
#[derive(Clone)]
pub enum Relation {
    /// A table, view, index or sequence of the catalog.
    Entry(std::sync::Arc<Entry>),
    /// A built-in relation.
    System(&'static SystemRelation),
}

/// The parts of a name: optional schema and name.
pub(super) fn name_parts(name: &ObjectName) -> Result<(Option<String>, String)> {
    let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident().map(ident)).collect();
    match parts.as_slice() {
        [name] => Ok((None, name.clone())),
        [schema, name] => Ok((Some(schema.clone()), name.clone())),
        [_, _, _] => {
            Err(err!(FEATURE_NOT_SUPPORTED, "cross-database references are not implemented: \"{}\"", parts.join(".")))
        }
        _ => Err(err!(SYNTAX_ERROR, "improper qualified name (too many dotted names): {}", parts.join("."))),
    }
}

/// Finds a relation, if it exists.
pub(super) fn find(
    catalog: &Catalog,
    database: Oid,
    search_path: &[Oid],
    schema: Option<&str>,
    name: &str,
) -> Option<Relation> {
    match schema {
        Some(schema) => in_schema(catalog, catalog.schema(database, schema)?, name),
        None => search_path.iter().find_map(|schema| in_schema(catalog, *schema, name)),
    }
}

fn in_schema(catalog: &Catalog, schema: Oid, name: &str) -> Option<Relation> {
    let system = match schema {
        PG_CATALOG => system::relation(&format!("pg_catalog.{name}")),
        INFORMATION_SCHEMA => system::relation(&format!("information_schema.{name}")),
        _ => return catalog.relation(schema, name).cloned().map(Relation::Entry),
    };
    system.map(Relation::System)
}

/// Finds the relation that a name means for a session: 42P01 when there is none.
pub fn relation_by_name(name: &ObjectName, context: &EvalContext) -> Result<Relation> {
    let (schema, relation) = name_parts(name)?;
    let (catalog, path) = (context.host.catalog(), context.host.search_path());
    find(&catalog, context.host.database(), &path, schema.as_deref(), &relation)
        .ok_or_else(|| undefined(schema.as_deref(), &relation))
}

/// 42P01.
pub(super) fn undefined(schema: Option<&str>, name: &str) -> Error {
    match schema {
        Some(schema) => err!(UNDEFINED_TABLE, "relation \"{schema}.{name}\" does not exist"),
        None => err!(UNDEFINED_TABLE, "relation \"{name}\" does not exist"),
    }
}

/// Names and types of the fields of a row type; `None`: it is none.
pub fn fields_of_row_type(catalog: &Catalog, row_type: Oid) -> Option<Vec<(String, Type)>> {
    row_fields(catalog, row_type)
}

/// Names and types of the fields of a composite or row type.
pub(crate) fn row_fields(catalog: &Catalog, row_type: Oid) -> Option<Vec<(String, Type)>> {
    let fields = user_types::fields(catalog, row_type)?;
    Some(fields.into_iter().map(|(name, typ)| (name, user_types::base(catalog, typ))).collect())
}

impl Binder<'_> {
    /// The relation that a name means; 42P01 with its position.
    pub(super) fn relation(&self, name: &ObjectName) -> Result<Relation> {
        let (schema, relation) = name_parts(name).map_err(|e| e.at(self.at(name.span())))?;
        let database = self.eval.host.database();
        if let Some(oid) = schema.as_deref().and_then(|schema| self.catalog.schema(database, schema))
            && oid >= crate::storage::catalog::FIRST_USER_OID
        {
            self.schemas.borrow_mut().insert((self.views.last().copied().flatten(), oid));
        }
        find(&self.catalog, database, &self.search_path, schema.as_deref(), &relation)
            .ok_or_else(|| undefined(schema.as_deref(), &relation).at(self.at(name.span())))
    }

    /// The type that a written type names.
    pub(super) fn data_type(&self, data_type: &DataType) -> Result<Type> {
        user_types::resolve(data_type, self.eval).map_err(|error| error.at(self.at(data_type_span(data_type))))
    }
}

/// Where a type is written, as far as the AST says.
fn data_type_span(data_type: &DataType) -> sqlparser::tokenizer::Span {
    match data_type {
        DataType::Custom(name, _) => name.span(),
        DataType::Array(sqlparser::ast::ArrayElemTypeDef::SquareBracket(inner, _)) => data_type_span(inner),
        _ => sqlparser::tokenizer::Span::empty(),
    }
}
