//! CALL: the statements of a procedure run one after the other, in the transaction of the CALL.

use std::sync::Arc;

use crate::document::{Datum, Type};
use crate::error::{Error, Result};
use crate::sql::binder::{bind_call, bind_routine_statement};
use crate::sql::parser;
use crate::sql::statement::ast;
use crate::storage::catalog::{Entry, Routine};

use super::deadline::Deadline;
use super::prepared::{SqlPart, is_query, planned};
use super::session::collect;
use super::{OutputColumn, Prepared, Response, RowsTag, Session};

/// How deep procedures may call one another.
const CALLS_MAX: usize = 32;

impl Session {
    /// CALL.
    pub(super) async fn call(
        &mut self,
        prepared: &Arc<Prepared>,
        call: &ast::Expr,
        deadline: &Deadline,
    ) -> Result<Response> {
        let context = self.statement_context(Arc::from([]))?;
        let (entry, args) = bind_call(call, &context.eval, &prepared.part.text)?;
        let Entry::Routine(routine) = &*entry else { return Err(Error::internal("a routine was expected")) };
        let mut values = Vec::with_capacity(args.len());
        for arg in &args {
            values.push(crate::sql::eval::constant(arg, &[], &context.eval)?);
        }
        let user = self.shared.lock().current_user.0;
        super::authorize::may_execute(&context.view.catalog, user, routine)?;
        let row = Box::pin(self.run_routine(routine, values.into(), deadline)).await?;
        let outputs: Vec<OutputColumn> = routine
            .outputs()
            .enumerate()
            .map(|(i, a)| OutputColumn {
                name: a.name.clone().unwrap_or_else(|| format!("column{}", i + 1)),
                typ: a.typ,
                table: 0,
                column: 0,
            })
            .collect();
        if outputs.is_empty() {
            return Ok(Response::Command("CALL".to_string()));
        }
        let mut row = row.unwrap_or_default();
        row.resize(outputs.len(), Datum::Null);
        Ok(super::session::rows_response(outputs.into(), vec![row], RowsTag::Fixed("CALL".to_string())))
    }

    /// Runs the statements of a body; answers the first row of the last one.
    async fn run_routine(
        &mut self,
        routine: &Routine,
        args: Arc<[Datum]>,
        deadline: &Deadline,
    ) -> Result<Option<Vec<Datum>>> {
        if self.calls >= CALLS_MAX {
            return Err(crate::err!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        let text: Arc<str> = routine.query_text().into();
        let statements = parser::parse(&text)?;
        self.calls += 1;
        let mut last = Ok(None);
        for (i, parsed) in statements.into_iter().enumerate() {
            let part = SqlPart { text: text.clone(), parsed: Arc::new(parsed) };
            last = self.run_part(routine, &part, args.clone(), deadline).await.map_err(|error| {
                let place = format!("SQL function \"{}\" statement {}", routine.name, i + 1);
                error.at(0).context(place)
            });
            if last.is_err() {
                break;
            }
        }
        self.calls -= 1;
        last
    }

    async fn run_part(
        &mut self,
        routine: &Routine,
        part: &SqlPart,
        args: Arc<[Datum]>,
        deadline: &Deadline,
    ) -> Result<Option<Vec<Datum>>> {
        let statement = part.statement();
        if !is_query(statement) {
            let prepared = Arc::new(Prepared::new(part.clone(), Vec::new(), None, None));
            Box::pin(self.utility(&prepared, statement, &Arc::from([]), deadline)).await?;
            return Ok(None);
        }
        let context = self.statement_context(args)?;
        let query = bind_routine_statement(statement, routine, &context.eval)?;
        let types: Vec<Type> = query.output.iter().map(|c| c.typ).collect();
        let path = self.shared.lock().search_path(self.shared.database);
        let bound = Arc::new(planned(query, &context.eval, context.view.catalog.clone(), path));
        let response = self.run_bound(&bound, context, deadline).await?;
        self.take_notify();
        let Response::Rows { columns, stream, .. } = response else { return Ok(None) };
        let mut first = None;
        for batch in collect(stream).await? {
            let rows = batch.rows(&columns)?;
            first = first.or_else(|| rows.into_iter().next());
        }
        // The outputs are of the declared types.
        let Some(row) = first else { return Ok(None) };
        let declared: Vec<Type> = routine.outputs().map(|a| a.typ).collect();
        if declared.len() != types.len() {
            return Ok(Some(row));
        }
        row.into_iter()
            .zip(types.iter().zip(&declared))
            .map(|(value, (from, to))| crate::sql::binder::convert(value, *from, *to, &self.statement_eval()))
            .collect::<Result<Vec<_>>>()
            .map(Some)
    }
}
