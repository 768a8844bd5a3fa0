//! [`Node`]: what an expression is compiled to.

use std::collections::HashSet;
use std::sync::Arc;

use crate::document::{Datum, Oid, Type};
use crate::sql::casts::Pathway;
use crate::sql::function::{Function, ScalarFn};
use crate::sql::operators::Comparison;

#[derive(Debug)]
pub(super) enum Node {
    Const(Datum),
    Column(usize),
    Param(usize),
    Call(Call),
    /// `((a op b) op c) op ...`, flat.
    Chain {
        first: Box<Node>,
        links: Vec<(Call, Node)>,
    },
    Compare {
        comparison: Comparison,
        left: Box<Node>,
        right: Box<Node>,
    },
    /// `->`, `->>`, `#>`, `#>>` with constant or computed steps over one jsonb value, without copies in between.
    Navigate {
        input: Box<Node>,
        steps: Vec<Node>,
        as_text: bool,
    },
    Cast {
        input: Box<Node>,
        cast: Cast,
    },
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    IsNull(Box<Node>, bool),
    IsBool(Box<Node>, Option<bool>, bool),
    IsDistinct {
        left: Box<Node>,
        right: Box<Node>,
        equal: Equality,
        negated: bool,
    },
    Case {
        whens: Vec<(Node, Node)>,
        otherwise: Option<Box<Node>>,
    },
    Coalesce(Vec<Node>),
    NullIf {
        left: Box<Node>,
        condition: Box<Node>,
    },
    MinMax {
        greatest: bool,
        args: Vec<Node>,
        less: Equality,
    },
    AnyAll {
        all: bool,
        left: Box<Node>,
        operator: Equality,
        array: Box<Node>,
    },
    /// A list with items that are not constant.
    InList {
        left: Box<Node>,
        list: Vec<Node>,
        equal: Equality,
        negated: bool,
    },
    /// A list of constants; NULLs taken out and noted.
    InSet {
        left: Box<Node>,
        set: Set,
        has_null: bool,
        negated: bool,
    },
    Array {
        elements: Vec<Node>,
        nested: bool,
        element: Oid,
    },
    Row {
        fields: Vec<Node>,
        names: Arc<[(Box<str>, Oid)]>,
    },
    Field {
        input: Box<Node>,
        index: usize,
    },
    Subscript {
        input: Box<Node>,
        subscripts: Vec<Subscript>,
    },
    /// The same node, on a stack that is made larger when it runs low: put in every so many levels.
    Grow(Deep),
}

/// A subtree far from the root, which is also dropped on a stack that may grow.
#[derive(Debug)]
pub(super) struct Deep(pub(super) Option<Box<Node>>);

impl Deep {
    pub(super) fn node(&self) -> &Node {
        self.0.as_deref().expect("a deep node is taken only when it is dropped")
    }
}

impl Drop for Deep {
    fn drop(&mut self) {
        let node = self.0.take();
        grow(|| drop(node));
    }
}

/// Runs on the stack, or on a new piece of it when little is left.
pub(super) fn grow<R>(f: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(256 << 10, 4 << 20, f)
}

/// A function call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: &'static Function,
    /// `None`: answered by the session.
    pub(super) kernel: Option<ScalarFn>,
    pub(super) args: Vec<Node>,
}

/// A two-place test, on references where the type's order is known.
#[derive(Debug)]
pub(super) enum Equality {
    Fast(Comparison),
    Kernel(ScalarFn, bool),
}

/// The constants of an IN list.
#[derive(Debug)]
pub(super) enum Set {
    Integers(HashSet<i64>),
    Texts(HashSet<Box<str>>),
    Keys(HashSet<Vec<u8>>),
}

#[derive(Debug)]
pub(super) enum Cast {
    Relabel { to: Type },
    InOut { from: Type, to: Type },
    Typmod { to: Type, explicit: bool },
    Array { pathway: Pathway, from: Type, to: Type },
    Domain { domain: Oid },
}

#[derive(Debug)]
pub(super) enum Subscript {
    Index(Node),
    Slice(Option<Node>, Option<Node>),
}
