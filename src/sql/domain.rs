//! Domains: NOT NULL and CHECKs of a value that becomes one.

use std::sync::Arc;

use crate::document::{Datum, Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::storage::catalog::{Catalog, Domain};

use super::binder::table::bind_domain_check;
use super::context::EvalContext;
use super::eval::{Compiled, compile};
use super::user_types;

/// Checks a value of a domain, or of an array of one.
pub fn check(oid: Oid, value: &Datum, context: &EvalContext) -> Result<()> {
    let catalog = context.host.catalog();
    match (crate::document::user_type::element_of(oid), value) {
        (Some(element), Datum::Array(array)) => {
            array.values.iter().try_for_each(|value| check_scalar(&catalog, element, value, context))
        }
        (Some(_), _) => Ok(()),
        (None, value) => check_scalar(&catalog, oid, value, context),
    }
}

/// A domain and those below it, itself first.
fn chain(catalog: &Catalog, oid: Oid) -> Vec<&Domain> {
    let mut chain = Vec::new();
    let mut at = oid;
    while let Some(domain) = user_types::domain(catalog, at).filter(|_| chain.len() < 64) {
        chain.push(domain);
        at = domain.base.oid;
    }
    chain
}

fn check_scalar(catalog: &Catalog, oid: Oid, value: &Datum, context: &EvalContext) -> Result<()> {
    let chain = chain(catalog, oid);
    let name = || user_types::format(context, oid, None);
    if value.is_null() && chain.iter().any(|domain| domain.not_null.is_some()) {
        return Err(of_type(err!(NOT_NULL_VIOLATION, "domain {} does not allow null values", name()), catalog, oid));
    }
    // A domain over an array of a domain has checked elements.
    if let Some(base) = chain.last().map(|domain| domain.base)
        && user_types::is_checked(base.oid)
        && !value.is_null()
    {
        check(base.oid, value, context)?;
    }
    for domain in chain.iter().rev() {
        for (constraint, condition) in compiled(catalog, domain, context)?.iter() {
            if let Datum::Bool(false) = condition.eval(std::slice::from_ref(value), &[], context)? {
                let error =
                    err!(CHECK_VIOLATION, "value for domain {} violates check constraint \"{constraint}\"", name());
                return Err(of_type(error.constraint(constraint.clone()), catalog, oid));
            }
        }
    }
    Ok(())
}

/// The error with the fields that say which type it is about.
fn of_type(error: Error, catalog: &Catalog, oid: Oid) -> Error {
    match user_types::name(catalog, oid) {
        Some((schema, name)) => {
            let schema = catalog.get(schema).map(|s| s.name().to_string()).unwrap_or_default();
            error.data_type(schema, name)
        }
        None => error,
    }
}

type Checks = Vec<(String, Compiled)>;

/// The checks ready to be run, in order of name.
fn compiled(catalog: &Catalog, domain: &Domain, context: &EvalContext) -> Result<Arc<Checks>> {
    if let Some(known) = domain.compiled.0.get().and_then(|any| any.clone().downcast::<Checks>().ok()) {
        return Ok(known);
    }
    let base = user_types::base(catalog, domain.base);
    let mut checks: Vec<_> = domain.checks.iter().collect();
    checks.sort_by(|a, b| a.name.cmp(&b.name));
    let made = checks
        .into_iter()
        .map(|check| Ok((check.name.clone(), compile_check(&check.expr, base, context)?)))
        .collect::<Result<Checks>>()?;
    let made = Arc::new(made);
    let _ = domain.compiled.0.set(made.clone());
    Ok(made)
}

/// A CHECK over `VALUE`, which is the only column.
pub fn compile_check(text: &str, base: Type, context: &EvalContext) -> Result<Compiled> {
    let (expr, value) = bind_domain_check(text, base, context, "")?;
    compile(&expr, &[value])
}

/// DEFAULT of a domain as SQL text: its own or that of what it is over.
pub fn default(catalog: &Catalog, oid: Oid) -> Option<String> {
    chain(catalog, oid).into_iter().find_map(|domain| domain.default.clone())
}
