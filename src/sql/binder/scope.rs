//! [`Scope`]: what names mean at one query level, and the chain of levels around it.
//!
//! An [`Entry`] is PostgreSQL's namespace item: one thing that FROM made visible, with what of it can be named
//! (the relation, its columns unqualified, or nothing yet but by LATERAL).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use sqlparser::ast;
use sqlparser::tokenizer::Span;

use crate::document::{Oid, Type};
use crate::sql::plan::{AggregateCall, ColumnId, Expr, SetCall, WindowCall};

use super::with::CteEntry;

/// A named column of a FROM item.
#[derive(Clone, Debug)]
pub(super) struct ScopeColumn {
    pub(super) name: String,
    /// What a reference to it is: a column, or for merged columns of FULL JOIN ... USING an expression.
    pub(super) expr: Expr,
    /// Table and column number it comes from.
    pub(super) origin: (Oid, i16),
}

/// A FROM item.
#[derive(Debug)]
pub(super) struct Item {
    /// The name it goes by; joins and unnamed subqueries have none.
    pub(super) name: Option<String>,
    /// The schema, when a schema-qualified name may refer to it (a relation without alias).
    pub(super) schema: Option<Oid>,
    /// The relation behind it, by its own name.
    pub(super) relation: Option<(Oid, String)>,
    pub(super) columns: Vec<ScopeColumn>,
    /// System columns of a table: name and reference.
    pub(super) system: Vec<ScopeColumn>,
    /// The row type of a whole-row reference.
    pub(super) row_type: Type,
    /// A function that returns a scalar: a whole-row reference is the value itself.
    pub(super) is_scalar_function: bool,
}

/// An item with what is visible of it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) item: Rc<Item>,
    /// `t.a` and `t.*` work.
    pub(super) relation_visible: bool,
    /// `a` and `*` work.
    pub(super) columns_visible: bool,
    /// Visible to LATERAL items only, and not to them in this place (wrong side of an outer join).
    pub(super) lateral_forbidden: bool,
    /// On the side of an outer join where rows may be missing: a whole-row reference is NULL then.
    pub(super) nullable: bool,
}

impl Entry {
    pub(super) fn new(item: Item) -> Self {
        Self {
            item: Rc::new(item),
            relation_visible: true,
            columns_visible: true,
            lateral_forbidden: false,
            nullable: false,
        }
    }
}

/// Which part of a statement an expression stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Clause {
    #[default]
    None,
    Target,
    From,
    FromFunction,
    JoinOn,
    Where,
    GroupBy,
    Having,
    OrderBy,
    DistinctOn,
    Limit,
    Offset,
    Filter,
    WindowPartition,
    WindowOrder,
    WindowFrame,
    Values,
    Returning,
    Update,
    ConflictWhere,
    MergeWhen,
    Check,
    Default,
    Generated,
    IndexExpression,
    IndexPredicate,
    Copy,
}

impl Clause {
    /// As messages name it ("aggregate functions are not allowed in ...").
    pub(super) fn phrase(self) -> &'static str {
        match self {
            Clause::None => "this context",
            Clause::Target => "SELECT",
            Clause::From => "FROM clause of their own query level",
            Clause::FromFunction => "functions in FROM",
            Clause::JoinOn => "JOIN conditions",
            Clause::Where => "WHERE",
            Clause::GroupBy => "GROUP BY",
            Clause::Having => "HAVING",
            Clause::OrderBy => "ORDER BY",
            Clause::DistinctOn => "DISTINCT ON",
            Clause::Limit => "LIMIT",
            Clause::Offset => "OFFSET",
            Clause::Filter => "FILTER",
            Clause::WindowPartition => "window definitions",
            Clause::WindowOrder => "window definitions",
            Clause::WindowFrame => "window definitions",
            Clause::Values => "VALUES",
            Clause::Returning => "RETURNING",
            Clause::Update => "UPDATE",
            Clause::ConflictWhere => "WHERE",
            Clause::MergeWhen => "MERGE WHEN conditions",
            Clause::Check => "check constraints",
            Clause::Default => "DEFAULT expressions",
            Clause::Generated => "column generation expressions",
            Clause::IndexExpression => "index expressions",
            Clause::IndexPredicate => "index predicates",
            Clause::Copy => "COPY FROM WHERE conditions",
        }
    }

    /// Whether aggregates of this level may stand here.
    pub(super) fn allows_aggregates(self) -> bool {
        use Clause::*;
        matches!(self, Target | Having | OrderBy | DistinctOn | WindowPartition | WindowOrder | WindowFrame)
    }

    /// Whether window functions may stand here.
    pub(super) fn allows_windows(self) -> bool {
        matches!(self, Clause::Target | Clause::OrderBy | Clause::DistinctOn)
    }

    /// Whether set-returning functions may stand here.
    pub(super) fn allows_sets(self) -> bool {
        use Clause::*;
        matches!(self, Target | OrderBy | GroupBy | DistinctOn | WindowPartition | WindowOrder | FromFunction)
    }
}

/// What expressions of a level leave behind.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub(super) clause: Clause,
    pub(super) aggregates: Vec<(ColumnId, AggregateCall)>,
    pub(super) windows: Vec<(ColumnId, WindowCall)>,
    /// Set-returning calls, with how many calls they are nested around others.
    pub(super) sets: Vec<(usize, SetCall)>,
    /// GROUPING(): the column that stands for it, its arguments and their positions.
    pub(super) groupings: Vec<(ColumnId, Vec<Expr>, Vec<u32>)>,
    /// WINDOW definitions by name, and where each stands.
    pub(super) window_names: BTreeMap<String, (ast::WindowSpec, u32)>,
    /// References to columns that are subject to the rules of GROUP BY: id and place.
    pub(super) references: Vec<(ColumnId, Span)>,
    /// Inside an aggregate's arguments.
    pub(super) in_aggregate: bool,
    /// Inside a window call's arguments or definition.
    pub(super) in_window: bool,
    /// Inside CASE or COALESCE, where set-returning functions may not stand.
    pub(super) conditional: Option<&'static str>,
}

/// One query level.
#[derive(Debug)]
pub(super) struct Scope<'p> {
    pub(super) parent: Option<&'p Scope<'p>>,
    pub(super) entries: Vec<Entry>,
    pub(super) ctes: Vec<Rc<CteEntry>>,
    /// Names that this level's WITH defines and that cannot be referred to yet.
    pub(super) later: Vec<String>,
    /// Of those, one that a WITH RECURSIVE has to define before it can go on.
    pub(super) wanted: RefCell<Option<String>>,
    /// The items are seen by LATERAL only and this is not: they explain errors and nothing else.
    pub(super) hidden: bool,
    pub(super) level: RefCell<Level>,
}

impl<'p> Scope<'p> {
    /// The outermost scope: nothing.
    pub(super) fn root() -> Self {
        Self::with_parent(None)
    }

    /// A new, empty level inside another.
    pub(super) fn inside(parent: &'p Scope<'p>) -> Self {
        Self::with_parent(Some(parent))
    }

    fn with_parent(parent: Option<&'p Scope<'p>>) -> Self {
        Self {
            parent,
            entries: Vec::new(),
            ctes: Vec::new(),
            later: Vec::new(),
            wanted: RefCell::default(),
            hidden: false,
            level: RefCell::default(),
        }
    }

    /// A level with these items, for one clause.
    pub(super) fn over(parent: Option<&'p Scope<'p>>, entries: Vec<Entry>, clause: Clause) -> Self {
        let mut scope = Self::with_parent(parent);
        scope.entries = entries;
        scope.level.get_mut().clause = clause;
        scope
    }

    /// What the expressions of the level left behind, when all are bound.
    pub(super) fn take_level(&self) -> Level {
        self.level.take()
    }

    /// The clause being bound.
    pub(super) fn clause(&self) -> Clause {
        self.level.borrow().clause
    }

    /// Says which clause is bound from here on.
    pub(super) fn set_clause(&self, clause: Clause) {
        self.level.borrow_mut().clause = clause;
    }

    /// Whether a column belongs to this level's items.
    pub(super) fn owns(&self, id: ColumnId) -> bool {
        self.entries.iter().any(|entry| {
            let columns = entry.item.columns.iter().chain(&entry.item.system);
            columns.into_iter().any(|column| match &column.expr {
                Expr::Column(own, _) => *own == id,
                merged => merged.free_columns().contains(&id),
            })
        })
    }

    /// The levels from here outwards.
    pub(super) fn chain(&self) -> impl Iterator<Item = &Scope<'p>> {
        let mut next: Option<&Scope<'p>> = Some(self);
        std::iter::from_fn(move || {
            let scope = next?;
            next = scope.parent;
            Some(scope)
        })
    }
}
