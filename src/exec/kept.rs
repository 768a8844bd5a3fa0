//! Expressions that the catalog keeps as text, bound with column numbers as column ids, so that a row's columns by
//! number are the slots they run on.

use std::collections::BTreeSet;

use crate::err;
use crate::error::{Error, Result};
use crate::sql::binder::table::{TableExpr, bind_table_text};
use crate::sql::binder::{BindContext, bind_query};
use crate::sql::context::EvalContext;
use crate::sql::parser;
use crate::sql::plan::{ColumnId, Expr, Query};
use crate::storage::catalog::{Column, Entry, Table, View};

/// A bound expression and the numbers of the columns that it names.
pub(crate) struct Kept {
    pub expr: Expr,
    pub columns: Vec<i16>,
}

fn bind(text: &str, kind: TableExpr, table: &Table, eval: &EvalContext) -> Result<Kept> {
    let bound = bind_table_text(text, kind, table, eval)?;
    let mut expr = bound.expr;
    let mut used = BTreeSet::new();
    expr.replace(&mut |e| match e {
        Expr::Column(id, _) => {
            if let Some((_, number, _)) = bound.columns.iter().find(|(c, _, _)| c == id) {
                *id = *number as ColumnId;
                used.insert(*number);
            }
            true
        }
        _ => false,
    });
    Ok(Kept { expr: crate::sql::eval::fold(expr, eval), columns: used.into_iter().collect() })
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

/// Any expression over a table's columns (USING of ALTER COLUMN TYPE, WHERE of COPY).
pub(crate) fn bind_over_row(text: &str, table: &Table, eval: &EvalContext) -> Result<Kept> {
    bind(text, TableExpr::IndexKey, table, eval)
}

/// A column's DEFAULT, of the column's type.
pub(crate) fn bind_default(text: &str, table: &Table, column: &Column, eval: &EvalContext) -> Result<Expr> {
    Ok(bind(text, TableExpr::Default(column.typ), table, eval)?.expr)
}

/// What a view selects.
pub(crate) fn bind_view(view: &View, eval: &EvalContext) -> Result<Query> {
    let catalog = eval.host.catalog();
    let schema = match catalog.get(view.schema).map(|e| &**e) {
        Some(Entry::Schema(schema)) => schema.name.clone(),
        _ => return Err(err!(INVALID_SCHEMA_NAME, "the schema of view \"{}\" does not exist", view.name)),
    };
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let text = format!("SELECT * FROM {}.{}", quoted(&schema), quoted(&view.name));
    let parsed = parser::parse(&text)?;
    let statement = parsed.first().ok_or_else(|| Error::internal("a query was expected"))?;
    bind_query(&statement.statement, &BindContext { eval, param_types: &[], text: "" })
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
    !before.ends_with("::") && !before.ends_with('.') && !after.starts_with('(') && !after.starts_with('\'')
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
