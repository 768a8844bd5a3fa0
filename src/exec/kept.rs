//! Expressions that the catalog keeps as text, bound with column numbers as column ids, so that a row's columns by
//! number are the slots they run on.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::document::{Oid, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::binder::table::{TableExpr, bind_constant, bind_domain_check, bind_table_text};
use crate::sql::binder::{BindContext, bind_query, bind_query_raw};
use crate::sql::binder::{note_domain_expr, note_table_expr};
use crate::sql::context::{EvalContext, Host};
use crate::sql::deparse;
use crate::sql::parser;
use crate::sql::plan::{ColumnId, Expr, Query, Rel};
use crate::storage::catalog::{Catalog, Column, PG_CATALOG, Table, View};

/// A bound expression and the numbers of the columns that it names.
pub(crate) struct Kept {
    pub expr: Expr,
    pub columns: Vec<i16>,
}

fn bind(text: &str, kind: TableExpr, table: &Table, eval: &EvalContext) -> Result<Kept> {
    let bound = bind_table_text(text, kind, table, eval)?;
    Ok(numbered(bound.expr, &bound.columns, eval))
}

/// An expression with column numbers in place of ids.
fn numbered(mut expr: Expr, columns: &[(ColumnId, i16, Type)], eval: &EvalContext) -> Kept {
    let mut used = BTreeSet::new();
    expr.replace(&mut |e| match e {
        Expr::Column(id, _) => {
            if let Some((_, number, _)) = columns.iter().find(|(c, _, _)| c == id) {
                *id = *number as ColumnId;
                used.insert(*number);
            }
            true
        }
        _ => false,
    });
    Kept { expr: crate::sql::eval::fold(expr, eval), columns: used.into_iter().collect() }
}

/// A CHECK.
pub(crate) fn bind_check(text: &str, table: &Table, eval: &EvalContext) -> Result<Kept> {
    bind(text, TableExpr::Check, table, eval)
}

/// An index key.
pub(crate) fn bind_index_key(text: &str, table: &Table, eval: &EvalContext) -> Result<Kept> {
    bind(text, TableExpr::IndexKey, table, eval)
}

/// A partial index's predicate.
pub(crate) fn bind_predicate(text: &str, table: &Table, eval: &EvalContext) -> Result<Kept> {
    bind(text, TableExpr::IndexPredicate, table, eval)
}

/// A column's DEFAULT, of the column's type.
pub(crate) fn bind_default(text: &str, table: &Table, column: &Column, eval: &EvalContext) -> Result<Expr> {
    Ok(bind(text, TableExpr::Default(column.number, column.typ), table, eval)?.expr)
}

/// The expression of a generated column, of the column's type.
pub(crate) fn bind_generated(text: &str, table: &Table, column: &Column, eval: &EvalContext) -> Result<Expr> {
    Ok(bind(text, TableExpr::Generated(column.number, column.typ), table, eval)?.expr)
}

/// The columns that the expression of a generated column names.
pub(crate) fn generated_from(text: &str, table: &Table, column: &Column, eval: &EvalContext) -> Result<Vec<i16>> {
    Ok(bind(text, TableExpr::Generated(column.number, column.typ), table, eval)?.columns)
}

/// The expression of a generated column as it is kept.
pub(crate) fn canonical_generated(text: &str, table: &Table, column: &Column, eval: &EvalContext) -> Result<String> {
    canonical(text, TableExpr::Generated(column.number, column.typ), table, eval)
}

/// An expression as the catalog keeps it: with every cast said, so that it shows what PostgreSQL shows and means the same
/// whatever the settings are. What cannot be written so is kept as it was.
fn canonical(text: &str, kind: TableExpr, table: &Table, eval: &EvalContext) -> Result<String> {
    use sqlparser::ast;
    let parsed = parser::parse_expression(text)?;
    let mut written = &parsed;
    while let ast::Expr::Nested(inner) = written {
        written = inner;
    }
    if let ast::Expr::Function(ast::Function { name, args: ast::FunctionArguments::None, .. }) = written {
        return Ok(name.to_string().to_uppercase());
    }
    let bound = bind_table_text(text, kind, table, eval)?;
    let explicit =
        matches!(written, ast::Expr::Cast { .. }) || !matches!(kind, TableExpr::Default(..) | TableExpr::Generated(..));
    let again = |text: &str| bind_table_text(text, kind, table, eval).map(|again| again.expr.typ() == bound.expr.typ());
    if let Some(noted) = note_table_expr(&parsed, kind, table, eval) {
        let name = |id| {
            let (_, number, _) = noted.columns.iter().find(|(c, _, _)| *c == id)?;
            Some(super::ddl::quote_ident(&table.column_by_number(*number)?.name))
        };
        let shown = deparse::noted_expression(&noted.expr, &name, false, eval);
        if let Some(shown) = shown.filter(|shown| again(shown).unwrap_or(false)) {
            return Ok(shown);
        }
    }
    let expr = if explicit { &bound.expr } else { deparse::without_assignment(&bound.expr) };
    let name = |id| {
        let (_, number, _) = bound.columns.iter().find(|(c, _, _)| *c == id)?;
        Some(super::ddl::quote_ident(&table.column_by_number(*number)?.name))
    };
    Ok(match deparse::expression(expr, &name, false, eval) {
        Some(shown) if again(&shown).unwrap_or(false) => shown,
        _ if matches!(kind, TableExpr::Default(..) | TableExpr::IndexKey) => text.to_string(),
        _ => format!("({text})"),
    })
}

/// A CHECK as it is kept.
pub(crate) fn canonical_check(text: &str, table: &Table, eval: &EvalContext) -> Result<String> {
    canonical(text, TableExpr::Check, table, eval)
}

/// A DEFAULT as it is kept.
pub(crate) fn canonical_default(text: &str, table: &Table, column: &Column, eval: &EvalContext) -> Result<String> {
    canonical(text, TableExpr::Default(column.number, column.typ), table, eval)
}

/// An index key as it is kept.
pub(crate) fn canonical_key(text: &str, table: &Table, eval: &EvalContext) -> Result<String> {
    canonical(text, TableExpr::IndexKey, table, eval)
}

/// A partial index's predicate as it is kept.
pub(crate) fn canonical_predicate(text: &str, table: &Table, eval: &EvalContext) -> Result<String> {
    canonical(text, TableExpr::IndexPredicate, table, eval)
}

/// A CHECK of a domain as it is kept.
pub(crate) fn canonical_domain_check(text: &str, base: Type, eval: &EvalContext) -> Result<String> {
    let (expr, _) = bind_domain_check(text, base, eval, "")?;
    let noted = note_domain_expr(&parser::parse_expression(text)?, base, eval);
    let value = |_| Some("VALUE".to_string());
    let shown = noted.and_then(|noted| deparse::noted_expression(&noted, &value, false, eval));
    if let Some(shown) = shown.filter(|shown| bind_domain_check(shown, base, eval, "").is_ok()) {
        return Ok(shown);
    }
    Ok(match deparse::expression(&expr, &|_| Some("VALUE".to_string()), false, eval) {
        Some(shown) if bind_domain_check(&shown, base, eval, "").is_ok() => shown,
        _ => format!("({text})"),
    })
}

/// A DEFAULT of a domain as it is kept.
pub(crate) fn canonical_constant(text: &str, typ: Type, eval: &EvalContext) -> String {
    let shown = || {
        let parsed = parser::parse_expression(text).ok()?;
        let bound = bind_constant(&parsed, Some(typ), eval, "").ok()?;
        let shown = deparse::expression(deparse::without_assignment(&bound), &|_| None, false, eval)?;
        let again = parser::parse_expression(&shown).ok()?;
        bind_constant(&again, Some(typ), eval, "").ok().map(|_| shown)
    };
    shown().unwrap_or_else(|| text.to_string())
}

/// What a view selects, its names resolved by the search path it was made with.
pub(crate) fn bind_view(view: &View, eval: &EvalContext) -> Result<Query> {
    bind_kept(&view.query, &view.search_path, eval)
}

/// A kept query, its names resolved by the search path it was made with.
pub(crate) fn bind_kept(text: &str, search_path: &[String], eval: &EvalContext) -> Result<Query> {
    let (catalog, database) = (eval.host.catalog(), eval.host.database());
    let mut path: Vec<Oid> = search_path.iter().filter_map(|name| catalog.schema(database, name)).collect();
    if !path.contains(&PG_CATALOG) {
        path.insert(0, PG_CATALOG);
    }
    let eval = EvalContext { host: Arc::new(WithPath { inner: eval.host.clone(), path }), ..eval.clone() };
    let parsed = parser::parse(text)?;
    let statement = parsed.first().ok_or_else(|| Error::internal("a query was expected"))?;
    bind_query(&statement.statement, &BindContext { eval: &eval, param_types: &[], text: "" })
}

/// A session with another search path.
struct WithPath {
    inner: Arc<dyn Host>,
    path: Vec<Oid>,
}

impl Host for WithPath {
    fn catalog(&self) -> Arc<Catalog> {
        self.inner.catalog()
    }
    fn database(&self) -> Oid {
        self.inner.database()
    }
    fn users(&self) -> (String, String) {
        self.inner.users()
    }
    fn search_path(&self) -> Vec<Oid> {
        self.path.clone()
    }
    fn setting(&self, name: &str) -> Option<String> {
        self.inner.setting(name)
    }
    fn set_setting(&self, name: &str, value: &str, local: bool) -> Result<()> {
        self.inner.set_setting(name, value, local)
    }
    fn nextval(&self, sequence: Oid) -> Result<i64> {
        self.inner.nextval(sequence)
    }
    fn currval(&self, sequence: Oid) -> Result<i64> {
        self.inner.currval(sequence)
    }
    fn setval(&self, sequence: Oid, value: i64, is_called: bool) -> Result<i64> {
        self.inner.setval(sequence, value, is_called)
    }
    fn lastval(&self) -> Result<i64> {
        self.inner.lastval()
    }
    fn backend_pid(&self) -> i32 {
        self.inner.backend_pid()
    }
    fn random(&self) -> u64 {
        self.inner.random()
    }
    fn set_seed(&self, seed: f64) {
        self.inner.set_seed(seed);
    }
    fn clock(&self) -> i64 {
        self.inner.clock()
    }
}

/// USING of ALTER COLUMN TYPE: an expression over a row, converted to a type. Only its own columns may be named.
pub(crate) fn bind_conversion(text: &str, typ: Type, table: &Table, eval: &EvalContext) -> Result<Kept> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let catalog = eval.host.catalog();
    let schema = catalog.get(table.schema).map(|s| s.name().to_string()).unwrap_or_default();
    let text = format!(
        "SELECT ({text})::{} FROM {}.{}",
        crate::sql::user_types::format_along(&catalog, &[], typ.oid, Some(typ.typmod).filter(|m| *m >= 0)),
        quoted(&schema),
        quoted(&table.name)
    );
    let parsed = parser::parse(&text)?;
    let statement = parsed.first().ok_or_else(|| Error::internal("a query was expected"))?;
    let context = BindContext { eval, param_types: &[], text: "" };
    let query = bind_query_raw(&statement.statement, &context)?;
    let mut found = None;
    let mut columns = Vec::new();
    let mut rel = &query.plan;
    loop {
        match rel {
            Rel::Project { input, exprs } if found.is_none() => {
                found = exprs.first().map(|(_, e)| e.clone());
                rel = input;
            }
            // The virtual columns of the table.
            Rel::Project { input, exprs } => {
                if let Some(expr) = &mut found {
                    expr.replace(&mut |e| match e {
                        Expr::Column(id, _) => match exprs.iter().find(|(known, _)| known == id) {
                            Some((_, value)) => {
                                *e = value.clone();
                                true
                            }
                            None => false,
                        },
                        _ => false,
                    });
                }
                rel = input;
            }
            Rel::Scan { columns: scanned, .. } => {
                columns.extend(scanned.iter().copied());
                break;
            }
            _ => return Err(err!(FEATURE_NOT_SUPPORTED, "cannot use subquery in transform expression")),
        }
    }
    let expr = found.ok_or_else(|| Error::internal("a query gives a column"))?;
    if expr.contains_subquery() {
        return Err(err!(FEATURE_NOT_SUPPORTED, "cannot use subquery in transform expression"));
    }
    Ok(numbered(expr, &columns, eval))
}

/// The text with a column's new name: words and quoted names that mean the old one, which are no types, functions or
/// fields.
pub(crate) fn rename_column(text: &str, old: &str, new: &str) -> String {
    let new = super::ddl::quote_ident(new);
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len() + 16);
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            quote @ (b'\'' | b'"') => {
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += 1;
                }
                at = (at + 1).min(bytes.len());
                let is_name = quote == b'"' && text.get(start + 1..at - 1) == Some(old);
                out.push_str(if is_name && is_column(text, start, at) { &new } else { &text[start..at] });
            }
            b if b.is_ascii_alphabetic() || b == b'_' || b >= 0x80 => {
                while at < bytes.len()
                    && (bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b'_' | b'$' | 0x80..))
                {
                    at += 1;
                }
                let is_name = text[start..at].to_lowercase() == old;
                out.push_str(if is_name && is_column(text, start, at) { &new } else { &text[start..at] });
            }
            _ => {
                let c = text[at..].chars().next().expect("the index is inside the text");
                out.push(c);
                at += c.len_utf8();
            }
        }
    }
    out
}

/// Whether the name at a place in an expression can be a column's.
fn is_column(text: &str, start: usize, end: usize) -> bool {
    let before = text[..start].trim_end();
    let after = text[end..].trim_start();
    // The further words of a type: `timestamp without time zone`.
    let in_type = before.rsplit_once("::").is_some_and(|(_, typ)| {
        matches!(typ.split_whitespace().next(), Some("character" | "double" | "bit" | "time" | "timestamp"))
            && typ.split_whitespace().skip(1).all(|w| matches!(w, "with" | "without" | "time"))
            && matches!(&text[start..end], "varying" | "precision" | "time" | "zone")
    });
    !in_type && !before.ends_with("::") && !before.ends_with('.') && !after.starts_with('(') && !after.starts_with('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_renamed_in_kept_text() {
        let renamed = |text: &str| rename_column(text, "date", "Day");
        assert_eq!(
            renamed("date > 'date' and f(date)::date = \"date\""),
            "\"Day\" > 'date' and f(\"Day\")::date = \"Day\""
        );
        assert_eq!(renamed("date(x) + DATE '2020-01-01' + updated"), "date(x) + DATE '2020-01-01' + updated");
    }
}
