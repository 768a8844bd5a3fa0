//! TABLESAMPLE.

use sqlparser::ast;

use crate::document::Type;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::functions;
use crate::sql::plan::{Expr, Rel};
use crate::sql::shape::From;

use super::Binder;
use super::coerce::Context;
use super::from::FromItem;
use super::scope::{Clause, Entry, Scope};

impl Binder<'_> {
    /// `t TABLESAMPLE method (percent) [REPEATABLE (seed)]`: a filter. SYSTEM, which takes whole pages elsewhere, takes
    /// rows too: rows are not stored in pages here.
    pub(super) fn sampled(
        &mut self,
        mut item: FromItem,
        sample: &ast::TableSample,
        position: u32,
        before: &[Entry],
        parent: Option<&Scope<'_>>,
    ) -> Result<FromItem> {
        let Rel::Scan { columns, .. } = &mut item.rel else {
            return Err(err!(
                FEATURE_NOT_SUPPORTED,
                "TABLESAMPLE clause can only be applied to tables and materialized views"
            )
            .at(position));
        };
        let scope = Scope::over(parent, before.to_vec(), Clause::FromFunction);
        let argument = |binder: &mut Self, expr: &ast::Expr, typ: Type| -> Result<Expr> {
            let at = binder.expr_at(expr);
            let bound = binder.expr(expr, &scope)?;
            binder.coerce(bound, typ, Context::Assignment, at)
        };
        let Some(quantity) = &sample.quantity else { return Err(Error::internal("TABLESAMPLE has an argument")) };
        let percent = argument(self, &quantity.value, Type::FLOAT4)?;
        let percent = self.coerce(percent, Type::FLOAT8, Context::Implicit, position)?;
        if let (true, Some(From::Item(index))) = (self.is_recording(), &item.shape) {
            let argument = self.expr(&quantity.value, &scope)?;
            let seed = match &sample.offset {
                Some(seed) => Some(self.expr(seed, &scope)?),
                None => None,
            };
            let method = sample.name.as_ref().map_or("system".to_string(), |name| name.to_string().to_lowercase());
            self.note_sample(*index, (method, argument, seed));
        }
        let draw = match &sample.offset {
            Some(seed) => {
                let seed = argument(self, seed, Type::FLOAT8)?;
                let locator = self.column();
                columns.push((locator, 0, Type::BYTEA));
                let args = vec![Expr::Column(locator, Type::BYTEA), seed];
                Expr::Call { function: &functions::SAMPLE_DRAW, args, typ: Type::FLOAT8 }
            }
            None => match functions::find("random").iter().find(|f| f.args.is_empty()) {
                Some(function) => Expr::Call { function, args: Vec::new(), typ: Type::FLOAT8 },
                None => return Err(Error::internal("random() is a function")),
            },
        };
        let predicate = Expr::Call { function: &functions::SAMPLED, args: vec![percent, draw], typ: Type::BOOL };
        item.rel = Rel::Filter { input: Box::new(item.rel), predicate };
        Ok(item)
    }
}
