//! Functions and procedures in SQL.

use serde::{Deserialize, Serialize};

use crate::document::{Oid, Type};

/// What a routine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum RoutineKind {
    Function,
    Procedure,
}

/// How an argument of a routine goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ArgumentMode {
    In,
    Out,
    InOut,
    Variadic,
    /// A column of RETURNS TABLE.
    Table,
}

/// An argument of a routine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Argument {
    pub mode: ArgumentMode,
    pub name: Option<String>,
    pub typ: Type,
    /// DEFAULT as SQL text.
    pub default: Option<String>,
}

/// A function or procedure in SQL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Routine {
    pub oid: Oid,
    pub schema: Oid,
    pub name: String,
    pub owner: Oid,
    pub kind: RoutineKind,
    pub arguments: Vec<Argument>,
    pub returns: Type,
    pub returns_set: bool,
    /// The statements as SQL text; of RETURN: the expression.
    pub body: String,
    /// The body is `RETURN body`.
    pub is_return: bool,
    /// The body was bound when it was made (RETURN, BEGIN ATOMIC): its names mean what they meant then.
    pub is_bound: bool,
    /// search_path when it was made.
    pub search_path: Vec<String>,
    /// `i`, `s` or `v`.
    pub volatility: char,
    pub strict: bool,
    pub security_definer: bool,
    pub leakproof: bool,
    /// `u`, `r` or `s`.
    pub parallel: char,
    pub cost: f32,
    pub rows: f32,
}

impl Routine {
    /// The arguments that a call gives.
    pub fn inputs(&self) -> impl Iterator<Item = &Argument> {
        self.arguments.iter().filter(|a| !matches!(a.mode, ArgumentMode::Out | ArgumentMode::Table))
    }

    /// The arguments that it gives back.
    pub fn outputs(&self) -> impl Iterator<Item = &Argument> {
        self.arguments
            .iter()
            .filter(|a| matches!(a.mode, ArgumentMode::Out | ArgumentMode::InOut | ArgumentMode::Table))
    }

    /// The body as statements.
    pub fn query_text(&self) -> String {
        if self.is_return { format!("SELECT {}", self.body) } else { self.body.clone() }
    }
}
