//! VALUES.

use sqlparser::ast;

use crate::document::{Oid, Type};
use crate::err;
use crate::error::Result;
use crate::sql::plan::{Expr, OutputColumn, Rel};

use super::coerce::{Context, common_typmod};
use super::scope::{Clause, Scope};
use super::select::QueryOptions;
use super::{Binder, Bound};

impl Binder<'_> {
    /// Binds a VALUES list as a relation.
    pub(super) fn values(
        &mut self,
        rows: &[ast::Parens<Vec<ast::Expr>>],
        _options: QueryOptions<'_>,
        parent: &Scope<'_>,
    ) -> Result<Bound> {
        let scope = Scope::over(Some(parent), Vec::new(), Clause::Values);
        let mut bound: Vec<Vec<Expr>> = Vec::with_capacity(rows.len());
        for row in rows {
            let mut out = Vec::with_capacity(row.content.len());
            for expr in &row.content {
                out.push(self.expr(expr, &scope)?);
            }
            if bound.first().is_some_and(|first| first.len() != out.len()) {
                let at = row.content.first().map_or(0, |expr| self.expr_at(expr));
                return Err(err!(SYNTAX_ERROR, "VALUES lists must all be the same length").at(at));
            }
            bound.push(out);
        }
        let width = bound.first().map_or(0, Vec::len);
        let written = self.is_recording().then(|| bound.clone());
        let mut columns = Vec::with_capacity(width);
        for i in 0..width {
            let oids: Vec<Oid> = bound.iter().map(|row| row[i].typ().oid).collect();
            let position = || rows.first().and_then(|row| row.content.get(i)).map_or(0, |expr| self.expr_at(expr));
            let common = self.common_type(&oids, Some("VALUES"), position())?.unwrap_or(Type::TEXT);
            for (row, written) in bound.iter_mut().zip(rows) {
                let at = if row[i].typ() == Type::UNKNOWN { self.expr_at(&written.content[i]) } else { 0 };
                row[i] = self.coerce(row[i].take(), common, Context::Implicit, at)?;
            }
            let typ = common_typmod(bound.iter().map(|row| row[i].typ()), common);
            columns.push(OutputColumn { id: self.column(), name: format!("column{}", i + 1), typ, origin: (0, 0) });
        }
        if let Some(written) = written {
            self.note_values(written, &bound, &columns);
        }
        let ids = columns.iter().map(|c| (c.id, c.typ)).collect();
        Ok(Bound { rel: Rel::Values { columns: ids, rows: bound }, columns })
    }
}
