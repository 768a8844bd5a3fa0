//! CREATE FUNCTION and PROCEDURE, and what names them.

use sqlparser::ast::{DataType, Ident, ObjectName};

use crate::storage::catalog::ArgumentMode;

use super::{Expression, RoleName};

/// An argument of a routine.
#[derive(Clone, Debug, PartialEq)]
pub struct RoutineArgument {
    /// IN, OUT, ...
    pub mode: ArgumentMode,
    /// The name.
    pub name: Option<Ident>,
    /// The type.
    pub data_type: DataType,
    /// DEFAULT.
    pub default: Option<Expression>,
}

/// The body of a routine.
#[derive(Clone, Debug, PartialEq)]
pub enum RoutineBody {
    /// AS 'text'.
    Text(String),
    /// RETURN expression, or BEGIN ATOMIC ... END: the statements.
    Atomic(String),
    /// RETURN expression.
    Return(String),
}

/// CREATE FUNCTION or PROCEDURE.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateRoutine {
    /// OR REPLACE.
    pub or_replace: bool,
    /// PROCEDURE.
    pub procedure: bool,
    /// The name.
    pub name: ObjectName,
    /// The arguments, with the columns of RETURNS TABLE.
    pub arguments: Vec<RoutineArgument>,
    /// RETURNS type, or RETURNS SETOF type.
    pub returns: Option<(bool, DataType)>,
    /// LANGUAGE.
    pub language: Option<String>,
    /// The body.
    pub body: Option<RoutineBody>,
    /// The other options.
    pub options: RoutineOptions,
}

/// Options of routines, as far as given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoutineOptions {
    /// `i`, `s` or `v`.
    pub volatility: Option<char>,
    /// STRICT.
    pub strict: Option<bool>,
    /// SECURITY DEFINER.
    pub security_definer: Option<bool>,
    /// LEAKPROOF.
    pub leakproof: Option<bool>,
    /// PARALLEL: `u`, `r` or `s`.
    pub parallel: Option<char>,
    /// COST.
    pub cost: Option<f32>,
    /// ROWS.
    pub rows: Option<f32>,
    /// Something that is not there: SET, SUPPORT, TRANSFORM, WINDOW.
    pub unsupported: Option<String>,
}

/// What ALTER FUNCTION does.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum RoutineAction {
    Rename(Ident),
    OwnerTo(RoleName),
    SetSchema(Ident),
    Options(RoutineOptions),
}

/// A routine as DROP and ALTER name it.
#[derive(Clone, Debug, PartialEq)]
pub struct RoutineName {
    /// The name.
    pub name: ObjectName,
    /// The types of its input arguments, if given.
    pub arguments: Option<Vec<DataType>>,
}
