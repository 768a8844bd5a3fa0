//! SQL/JSON paths: [`parse`](Path::parse), print (`Display`), and [`run`].
//!
//! ```text
//! strict $.items[*] ? (@.price > $limit).name      mode, steps, a filter, a variable
//! ```
//! A value of type `jsonpath` is kept as the text that PostgreSQL prints for it; [`Path::of`] reads it back and keeps
//! the last few.

mod datetime;
mod keyvalue;
mod parse;
mod print;
pub mod run;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::document::Numeric;
use crate::error::Result;

/// A path.
#[derive(Debug)]
pub struct Path {
    /// `lax`: arrays are unwrapped and wrapped as needed, and what is missing is no error.
    pub lax: bool,
    /// What it computes.
    pub expr: Node,
}

/// A part of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `$`
    Root,
    /// `@`
    Current,
    /// `last`
    Last,
    /// `$name`
    Variable(String),
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Number(Numeric),
    /// A string.
    Text(String),
    /// What a value leads to.
    Steps(Box<Node>, Vec<Step>),
    /// `a + b` and its like.
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
    /// `+a`
    Plus(Box<Node>),
    /// `-a`
    Minus(Box<Node>),
    /// `a == b` and its like.
    Compare(Comparison, Box<Node>, Box<Node>),
    /// `a && b`
    And(Box<Node>, Box<Node>),
    /// `a || b`
    Or(Box<Node>, Box<Node>),
    /// `!(a)`
    Not(Box<Node>),
    /// `(a) is unknown`
    IsUnknown(Box<Node>),
    /// `exists (a)`
    Exists(Box<Node>),
    /// `a starts with b`
    StartsWith(Box<Node>, Box<Node>),
    /// `a like_regex "pattern" flag "flags"`
    LikeRegex(Box<Node>, String, String),
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// `.key`
    Key(String),
    /// `.*`
    AnyKey,
    /// `[*]`
    AnyElement,
    /// `[1, 2 to last]`
    Elements(Vec<(Node, Option<Node>)>),
    /// `.**{2 to 3}`; `None` is `last`.
    Any(Option<u32>, Option<u32>),
    /// `? (...)`
    Filter(Box<Node>),
    /// `.size()` and its like, with arguments as written.
    Method(Method, Vec<Node>),
}

/// The arithmetic operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Arithmetic {
    fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }
}

/// The comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

macro_rules! methods {
    ($($variant:ident $name:literal)*) => {
        /// The item methods.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Method { $($variant,)* }

        impl Method {
            fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            fn of(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

methods! {
    Type "type" Size "size" Abs "abs" Floor "floor" Ceiling "ceiling" Double "double" Keyvalue "keyvalue"
    Bigint "bigint" Integer "integer" Number "number" Decimal "decimal" Boolean "boolean" String "string"
    Datetime "datetime" Date "date" Time "time" TimeTz "time_tz" Timestamp "timestamp" TimestampTz "timestamp_tz"
}

/// Paths kept for the next row.
const KEPT_MAX: usize = 64;

thread_local! {
    static KEPT: RefCell<HashMap<Box<str>, Arc<Path>>> = RefCell::default();
}

impl Path {
    /// The path that a text is, parsed once for many rows.
    pub fn of(text: &str) -> Result<Arc<Self>> {
        if let Some(path) = KEPT.with_borrow(|kept| kept.get(text).cloned()) {
            return Ok(path);
        }
        let path = Arc::new(Self::parse(text)?);
        KEPT.with_borrow_mut(|kept| {
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
            kept.insert(text.into(), path.clone());
        });
        Ok(path)
    }
}
