//! The row interpreter: a [`plan::Expr`](super::plan::Expr) compiled against the columns of a row.
//!
//! [`fn@compile`] resolves columns to slots and picks fast forms (comparisons and json navigation work on references,
//! constant IN lists become hash sets, long operator chains are flat). [`Compiled::eval`] then runs it for one row.
//! Subqueries have no place here: the executor replaces them before.

use crate::document::Datum;
use crate::error::Result;

use super::context::EvalContext;
use super::plan::{ColumnId, Expr};

mod array;
mod compile;
mod fold;
mod node;
mod run;

pub use fold::{failure, fold};

/// An expression ready to be run on rows.
#[derive(Debug)]
pub struct Compiled {
    root: node::Node,
}

/// Prepares an expression for rows whose slots are `columns`, in order.
pub fn compile(expr: &Expr, columns: &[ColumnId]) -> Result<Compiled> {
    let slots = columns.iter().enumerate().map(|(slot, id)| (*id, slot)).collect();
    Ok(Compiled { root: compile::Compiler { slots }.node(expr, 0)? })
}

impl Compiled {
    /// The value for one row.
    pub fn eval(&self, row: &[Datum], params: &[Datum], context: &EvalContext) -> Result<Datum> {
        run::Frame { row, params, context }.eval(&self.root).map(run::Value::into_owned)
    }

    /// Whether a condition is true for a row (NULL is not).
    pub fn is_true(&self, row: &[Datum], params: &[Datum], context: &EvalContext) -> Result<bool> {
        let value = run::Frame { row, params, context }.eval(&self.root)?;
        Ok(matches!(value.as_ref(), Datum::Bool(true)))
    }

    /// The slot, if the expression is just a column.
    pub fn as_slot(&self) -> Option<usize> {
        match self.root {
            node::Node::Column(slot) => Some(slot),
            _ => None,
        }
    }

    /// The value, if the expression is just a constant.
    pub fn as_constant(&self) -> Option<&Datum> {
        match &self.root {
            node::Node::Const(value) => Some(value),
            _ => None,
        }
    }
}

/// Evaluates an expression without columns.
pub fn constant(expr: &Expr, params: &[Datum], context: &EvalContext) -> Result<Datum> {
    compile(expr, &[])?.eval(&[], params, context)
}

#[cfg(test)]
mod tests;
