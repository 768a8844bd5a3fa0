//! The typed plan (our IR): what the binder makes and `exec` runs.
//!
//! Every column that a relation produces has a [`ColumnId`] unique in the statement; an expression names columns by
//! id only. A column that an inner plan uses but does not produce is a correlation to an outer one: nothing else
//! marks it (see [`Rel::free_columns`]). All types are resolved, all casts are explicit.

use std::sync::Arc;

use crate::document::{Datum, Oid, Type};

use super::function::Function;
use super::statement::MergeKind;

mod display;
mod properties;
pub mod visit;

/// A column of a statement's plan, unique within the statement.
pub type ColumnId = u32;

/// A typed scalar expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A constant.
    Const(Datum, Type),
    /// A parameter, from 0.
    Param(usize, Type),
    /// A column of the input (or of an outer query).
    Column(ColumnId, Type),
    /// A function or operator call; NULL rules are the function's.
    Call {
        /// The function (operators point at one too).
        function: &'static Function,
        /// One expression an argument; variadic ones are gathered into an array already, except VARIADIC "any".
        args: Vec<Expr>,
        /// The result type, polymorphism resolved.
        typ: Type,
    },
    /// A conversion that is not a function: see [`CastKind`].
    Cast {
        /// What is converted.
        input: Box<Expr>,
        /// To which type.
        typ: Type,
        /// How.
        kind: CastKind,
    },
    /// Three-valued AND of two or more.
    And(Vec<Expr>),
    /// Three-valued OR of two or more.
    Or(Vec<Expr>),
    /// Three-valued NOT.
    Not(Box<Expr>),
    /// `IS [NOT] NULL` (for a row value: all fields NULL / all not NULL).
    IsNull(Box<Expr>, bool),
    /// `IS [NOT] TRUE|FALSE|UNKNOWN`: the input, the value asked for (`None` = unknown), negated.
    IsBool(Box<Expr>, Option<bool>, bool),
    /// `IS [NOT] DISTINCT FROM`.
    IsDistinct {
        /// Left side.
        left: Box<Expr>,
        /// Right side.
        right: Box<Expr>,
        /// The `=` of the type.
        equal: &'static Function,
        /// `IS NOT DISTINCT FROM`.
        negated: bool,
    },
    /// `CASE`, the simple form already written as conditions.
    Case {
        /// WHEN condition THEN result.
        whens: Vec<(Expr, Expr)>,
        /// ELSE.
        otherwise: Option<Box<Expr>>,
        /// The result type.
        typ: Type,
    },
    /// `COALESCE`.
    Coalesce(Vec<Expr>, Type),
    /// `NULLIF(left, right)` with the `=` to use (over possibly cast copies `equal_args` of both).
    NullIf {
        /// The value.
        left: Box<Expr>,
        /// The comparison `left = right`, as a complete boolean expression.
        condition: Box<Expr>,
        /// The result type.
        typ: Type,
    },
    /// `GREATEST` (true) or `LEAST`: NULLs are ignored; the function is the type's `<`.
    MinMax {
        /// GREATEST.
        greatest: bool,
        /// The arguments, of one type.
        args: Vec<Expr>,
        /// The `<` of the type.
        less: &'static Function,
        /// The type.
        typ: Type,
    },
    /// `left op ANY (array)` / `left op ALL (array)`.
    AnyAll {
        /// ALL.
        all: bool,
        /// The scalar.
        left: Box<Expr>,
        /// The operator's function: (scalar, element) -> bool.
        operator: &'static Function,
        /// The array.
        array: Box<Expr>,
    },
    /// `left [NOT] IN (list)`; every item has been cast to the common type.
    InList {
        /// The scalar.
        left: Box<Expr>,
        /// The items.
        list: Vec<Expr>,
        /// The `=` of the type.
        equal: &'static Function,
        /// NOT IN.
        negated: bool,
    },
    /// `ARRAY[...]`; `nested`: the elements are arrays themselves (a further dimension).
    Array {
        /// The elements.
        elements: Vec<Expr>,
        /// The elements are arrays of the same type.
        nested: bool,
        /// The array type.
        typ: Type,
        /// The (innermost) element type.
        element: Type,
    },
    /// `ROW(...)`.
    Row {
        /// The fields.
        fields: Vec<Expr>,
        /// Field names (`f1`...) and types.
        names: Arc<[(Box<str>, Oid)]>,
        /// `record` or a composite type.
        typ: Type,
    },
    /// `(row).field`, by position from 0.
    Field {
        /// The row value.
        input: Box<Expr>,
        /// Which field.
        index: usize,
        /// Its type.
        typ: Type,
    },
    /// `container[subscript]` of an array or jsonb; slices have both bounds possibly absent.
    Subscript {
        /// Array or jsonb.
        input: Box<Expr>,
        /// One entry a bracket pair.
        subscripts: Vec<Subscript>,
        /// The result type.
        typ: Type,
    },
    /// A subquery in an expression.
    Subquery(Box<Subquery>),
    /// `CURRENT_DATE` and its family, and everything else without arguments, are `Call`s. `GROUPING(...)` is this: bit i is set
    /// when the i-th listed grouping column is not in the current grouping set. Only above a `Rel::Aggregate` with sets.
    Grouping(Vec<ColumnId>),
}

/// One bracket pair.
#[derive(Clone, Debug, PartialEq)]
pub enum Subscript {
    /// `[i]`: int4 for arrays, text or int4 for jsonb.
    Index(Expr),
    /// `[lower:upper]`.
    Slice(Option<Expr>, Option<Expr>),
}

/// How a [`Expr::Cast`] converts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CastKind {
    /// The value does not change (binary-coercible types, e.g. varchar to text).
    Relabel,
    /// To text by the output function, then the target's input function.
    InOut,
    /// Apply the type modifier (length, precision) implicitly, as an assignment does: too long is an error (22001).
    TypmodAssign,
    /// Apply the type modifier explicitly, as a CAST does: too long is cut.
    TypmodExplicit,
    /// Element by element, by the explicit cast between the element types (its typmod applied as a CAST does).
    Array,
    /// The value does not change, and is checked by a domain (or, element by element, by the domain that an array is of).
    Domain(Oid),
}

/// A subquery used as a value.
#[derive(Debug)]
pub struct Subquery {
    /// What is asked of it.
    pub kind: SubqueryKind,
    /// The plan; its output columns are `columns`.
    pub plan: Rel,
    /// The output columns.
    pub columns: Vec<(ColumnId, Type)>,
    /// The type of the value.
    pub typ: Type,
    /// How it was written, when that was asked for.
    pub shape: Option<Arc<super::shape::Query>>,
}

impl Clone for Subquery {
    fn clone(&self) -> Self {
        // Subqueries nest deep: each level makes sure of its stack.
        visit::guard(|| Self {
            kind: self.kind.clone(),
            plan: self.plan.clone(),
            columns: self.columns.clone(),
            typ: self.typ,
            shape: self.shape.clone(),
        })
    }
}

impl PartialEq for Subquery {
    fn eq(&self, other: &Self) -> bool {
        visit::guard(|| {
            self.kind == other.kind && self.columns == other.columns && self.typ == other.typ && self.plan == other.plan
        })
    }
}

/// What is asked of a subquery.
#[derive(Clone, Debug, PartialEq)]
pub enum SubqueryKind {
    /// One row, one column; more rows are 21000; none is NULL.
    Scalar,
    /// EXISTS.
    Exists,
    /// `ARRAY(SELECT ...)`.
    Array,
    /// `left op ANY|ALL (SELECT ...)`, also IN (= ANY) and NOT IN (NOT = ANY): `condition` compares, row by row, outer
    /// expressions with the subquery's output columns and is three-valued; the result is their OR (ANY) or AND (ALL).
    Quantified {
        /// ALL.
        all: bool,
        /// The comparison, over outer columns and the subquery's columns.
        condition: Expr,
    },
    /// `ROW(a, b) = (SELECT x, y ...)`: as Scalar, but the comparison is made here.
    Row {
        /// The comparison, over outer columns and the subquery's columns.
        condition: Expr,
    },
}

/// A relation: something that produces rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Rel {
    /// One row without columns.
    OneRow,
    /// `VALUES`.
    Values {
        /// The columns.
        columns: Vec<(ColumnId, Type)>,
        /// The rows; each expression has its column's type.
        rows: Vec<Vec<Expr>>,
    },
    /// A user table.
    Scan {
        /// The table's OID.
        table: Oid,
        /// The columns read: id, column number, type. Numbers <= 0 are system columns (-1 ctid, -6 tableoid, ...).
        columns: Vec<(ColumnId, i16, Type)>,
        /// The name in the query, for EXPLAIN.
        alias: String,
        /// With the rows of all tables that inherit from it: not ONLY, and there are some.
        tree: bool,
    },
    /// A built-in relation of `pg_catalog` or `information_schema` that `exec::system` produces.
    System {
        /// Schema-qualified name.
        name: &'static str,
        /// The columns read: id, position from 0, type.
        columns: Vec<(ColumnId, usize, Type)>,
    },
    /// Set-returning functions in FROM: one, or several side by side (ROWS FROM), optionally numbered.
    Function {
        /// The calls, each with the columns it makes. A scalar function gives one row.
        calls: Vec<SetCall>,
        /// WITH ORDINALITY: an int8 column counting from 1.
        ordinality: Option<ColumnId>,
        /// For lateral references: the rows on the left (`OneRow` when nothing is referenced outside). Its columns
        /// pass through.
        input: Box<Rel>,
        /// Keep left rows for which there is no row (LEFT JOIN LATERAL ... ON true).
        outer: bool,
    },
    /// Set-returning functions in a SELECT list: each input row is repeated, in lock-step, padded with NULL.
    ProjectSet {
        /// The rows.
        input: Box<Rel>,
        /// The calls; the input's columns pass through.
        calls: Vec<SetCall>,
    },
    /// WHERE / HAVING.
    Filter {
        /// The rows.
        input: Box<Rel>,
        /// The condition.
        predicate: Expr,
    },
    /// Computes columns. Only these come out.
    Project {
        /// The rows.
        input: Box<Rel>,
        /// The columns.
        exprs: Vec<(ColumnId, Expr)>,
    },
    /// A join. The right side may name the left's columns when `lateral`.
    Join {
        /// The kind.
        kind: JoinKind,
        /// Left rows.
        left: Box<Rel>,
        /// Right rows.
        right: Box<Rel>,
        /// The condition (a true constant for CROSS JOIN).
        on: Expr,
        /// The right side depends on the left.
        lateral: bool,
    },
    /// GROUP BY.
    Aggregate {
        /// The rows.
        input: Box<Rel>,
        /// Group keys.
        groups: Vec<(ColumnId, Expr)>,
        /// Grouping sets as positions in `groups`; `None`: all of them, once.
        sets: Option<Vec<Vec<usize>>>,
        /// Aggregates.
        aggregates: Vec<(ColumnId, AggregateCall)>,
    },
    /// Window functions; the input's columns pass through.
    Window {
        /// The rows.
        input: Box<Rel>,
        /// The calls.
        calls: Vec<(ColumnId, WindowCall)>,
    },
    /// ORDER BY.
    Sort {
        /// The rows.
        input: Box<Rel>,
        /// The keys.
        keys: Vec<SortKey>,
    },
    /// LIMIT / OFFSET; int8 expressions without columns; NULL is no limit.
    Limit {
        /// The rows.
        input: Box<Rel>,
        /// LIMIT.
        limit: Option<Expr>,
        /// OFFSET.
        offset: Option<Expr>,
        /// FETCH ... WITH TIES by these keys.
        ties: Option<Vec<SortKey>>,
    },
    /// DISTINCT over all columns.
    Distinct {
        /// The rows.
        input: Box<Rel>,
    },
    /// DISTINCT ON: the first row of each key by the sort keys (which begin with the ON expressions); output sorted so.
    DistinctOn {
        /// The rows.
        input: Box<Rel>,
        /// The ON expressions.
        on: Vec<Expr>,
        /// The whole ORDER BY.
        keys: Vec<SortKey>,
    },
    /// UNION, INTERSECT, EXCEPT. Both inputs' output columns are matched by position.
    SetOp {
        /// Which.
        kind: SetOpKind,
        /// ALL.
        all: bool,
        /// Left rows and the columns taken from them.
        left: Box<Rel>,
        /// Left columns in order.
        left_columns: Vec<ColumnId>,
        /// Right rows.
        right: Box<Rel>,
        /// Right columns in order.
        right_columns: Vec<ColumnId>,
        /// The columns that come out.
        columns: Vec<(ColumnId, Type)>,
    },
    /// WITH: definitions that are run once and kept (referenced more than once, volatile, recursive or MATERIALIZED);
    /// others were put in place of their references by the binder.
    With {
        /// The definitions, in order; later ones may use earlier ones.
        ctes: Vec<Cte>,
        /// The query.
        body: Box<Rel>,
    },
    /// A reference to a definition of an enclosing `With` (or, inside a recursive term, to the working table).
    CteRef {
        /// Which.
        cte: u32,
        /// (id here, id in the definition, type).
        columns: Vec<(ColumnId, ColumnId, Type)>,
    },
    /// A data-modifying statement with RETURNING, as the source of rows (in WITH or at the top).
    Modify(Box<Modify>),
}

/// A definition of WITH.
#[derive(Clone, Debug, PartialEq)]
pub struct Cte {
    /// Its number, unique in the statement.
    pub id: u32,
    /// Its name, for EXPLAIN.
    pub name: String,
    /// Its output columns.
    pub columns: Vec<(ColumnId, Type)>,
    /// The (non-recursive) plan. Its output columns are `columns`.
    pub plan: Rel,
    /// The recursive term and whether duplicates are kept (UNION ALL); its outputs match `columns` by position.
    pub recursive: Option<(Rel, Vec<ColumnId>, bool)>,
}

/// A set-returning (or scalar) call that makes rows.
#[derive(Clone, Debug, PartialEq)]
pub struct SetCall {
    /// The call: `Expr::Call` of a set function, or any scalar expression (one row).
    pub call: Expr,
    /// The columns it makes; several when the function returns records.
    pub columns: Vec<(ColumnId, Type)>,
}

/// The kind of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

/// The kind of a set operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SetOpKind {
    Union,
    Intersect,
    Except,
}

/// An ORDER BY key.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    /// The expression.
    pub expr: Expr,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// One aggregate call.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateCall {
    /// The aggregate.
    pub function: &'static Function,
    /// Arguments (for WITHIN GROUP: direct arguments first, then the ordered ones, which are also in `order`).
    pub args: Vec<Expr>,
    /// DISTINCT.
    pub distinct: bool,
    /// ORDER BY inside the call.
    pub order: Vec<SortKey>,
    /// FILTER.
    pub filter: Option<Expr>,
    /// The result type.
    pub typ: Type,
}

/// One window call.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowCall {
    /// The aggregate or window function.
    pub function: &'static Function,
    /// Arguments.
    pub args: Vec<Expr>,
    /// FILTER.
    pub filter: Option<Expr>,
    /// PARTITION BY.
    pub partition: Vec<Expr>,
    /// ORDER BY.
    pub order: Vec<SortKey>,
    /// The frame.
    pub frame: Frame,
    /// The result type.
    pub typ: Type,
}

/// A window frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// ROWS, RANGE or GROUPS.
    pub units: FrameUnits,
    /// Where it starts.
    pub start: FrameBound,
    /// Where it ends.
    pub end: FrameBound,
    /// EXCLUDE.
    pub exclude: FrameExclude,
}

/// ROWS, RANGE, GROUPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FrameUnits {
    Rows,
    Range,
    Groups,
}

/// EXCLUDE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FrameExclude {
    NoOthers,
    CurrentRow,
    Group,
    Ties,
}

/// A bound of a frame.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum FrameBound {
    UnboundedPreceding,
    Preceding(Expr),
    CurrentRow,
    Following(Expr),
    UnboundedFollowing,
}

/// INSERT, UPDATE, DELETE, MERGE.
#[derive(Clone, Debug, PartialEq)]
pub struct Modify {
    /// The table.
    pub table: Oid,
    /// The rows of tables that inherit from it are meant as well, and rows of a partitioned table find their place.
    pub tree: bool,
    /// What is done.
    pub kind: ModifyKind,
    /// RETURNING: output columns computed over `new_columns`/`old_columns` and the source's columns.
    pub returning: Option<Vec<(ColumnId, Expr)>>,
    /// Ids by which CHECKs, RETURNING and generated expressions name the new row: (id, column number, type).
    pub new_columns: Vec<(ColumnId, i16, Type)>,
    /// Ids that name the old row (UPDATE, DELETE, and the existing row of ON CONFLICT DO UPDATE).
    pub old_columns: Vec<(ColumnId, i16, Type)>,
    /// CHECK constraints: name and condition over `new_columns`; false is 23514.
    pub checks: Vec<(String, Expr)>,
    /// CHECK OPTIONs of views: the view and a condition over `new_columns`; what is not true is 44000.
    pub view_checks: Vec<(String, Expr)>,
}

/// Which change.
#[derive(Clone, Debug, PartialEq)]
pub enum ModifyKind {
    /// INSERT: for each source row, `values` gives every live column (defaults and identity filled in, typmods applied).
    Insert {
        /// The rows.
        source: Rel,
        /// (column number, expression over the source's columns).
        values: Vec<(i16, Expr)>,
        /// ON CONFLICT.
        on_conflict: Option<OnConflict>,
    },
    /// UPDATE: the source yields `old_columns` of the target (with the hidden key, as `Scan` column 0) and FROM's columns, filtered already.
    Update {
        /// The rows to change.
        source: Rel,
        /// The id under which the source yields the row's locator (`Scan` column number 0, bytea).
        locator: ColumnId,
        /// (column number, expression over the source's columns).
        assignments: Vec<(i16, Expr)>,
    },
    /// DELETE.
    Delete {
        /// The rows to delete.
        source: Rel,
        /// As for UPDATE.
        locator: ColumnId,
    },
    /// MERGE: the target joined with the data source, outer where rows without a partner matter.
    Merge {
        /// The joined rows.
        source: Rel,
        /// As for UPDATE; NULL in a row that has no target.
        locator: ColumnId,
        /// A column of the source that is true where the data source has a row; `None`: it always has.
        present: Option<ColumnId>,
        /// WHEN clauses in order: the first that is for a row and whose condition holds is done.
        arms: Vec<MergeArm>,
        /// Ids that name the row as RETURNING shows it: the new one, the old one of a DELETE.
        shown_columns: Vec<(ColumnId, i16, Type)>,
        /// The id of what `merge_action()` gives.
        action: ColumnId,
    },
}

/// A WHEN clause of MERGE.
#[derive(Clone, Debug, PartialEq)]
pub struct MergeArm {
    /// For which rows.
    pub kind: MergeKind,
    /// AND condition, over the source's columns.
    pub condition: Option<Expr>,
    /// THEN.
    pub action: MergeAction,
}

impl MergeArm {
    /// Its condition and values, to change them.
    pub fn exprs_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        let values: &mut [(i16, Expr)] = match &mut self.action {
            MergeAction::Update(values) | MergeAction::Insert(values) => values,
            MergeAction::Nothing | MergeAction::Delete => &mut [],
        };
        self.condition.iter_mut().chain(values.iter_mut().map(|(_, expr)| expr))
    }
}

/// What a WHEN clause does.
#[derive(Clone, Debug, PartialEq)]
pub enum MergeAction {
    /// DO NOTHING.
    Nothing,
    /// DELETE.
    Delete,
    /// UPDATE: assigned columns with their values over the source's columns.
    Update(Assignments),
    /// INSERT: a value for every live column.
    Insert(Assignments),
}

impl ModifyKind {
    /// The relation whose rows say what to change.
    pub fn source(&self) -> &Rel {
        match self {
            Self::Insert { source, .. }
            | Self::Update { source, .. }
            | Self::Delete { source, .. }
            | Self::Merge { source, .. } => source,
        }
    }

    /// As [`ModifyKind::source`], to change it.
    pub fn source_mut(&mut self) -> &mut Rel {
        match self {
            Self::Insert { source, .. }
            | Self::Update { source, .. }
            | Self::Delete { source, .. }
            | Self::Merge { source, .. } => source,
        }
    }
}

/// Assigned columns by number, with their values.
pub type Assignments = Vec<(i16, Expr)>;

/// ON CONFLICT.
#[derive(Clone, Debug, PartialEq)]
pub struct OnConflict {
    /// The unique indexes that arbitrate; empty: any (DO NOTHING without target).
    pub arbiters: Vec<Oid>,
    /// DO UPDATE: assignments and WHERE over `old_columns` (the existing row) and `new_columns` (EXCLUDED). `None`: DO NOTHING.
    pub update: Option<(Assignments, Option<Expr>)>,
}

/// A bound query or DML statement, ready for `exec`.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The plan.
    pub plan: Rel,
    /// The result columns, in order. Empty for DML without RETURNING.
    pub output: Vec<OutputColumn>,
    /// The types of the parameters, from 0.
    pub params: Vec<Type>,
    /// OIDs of the tables, views and sequences it depends on, with the privilege needed (for checks and cache invalidation).
    pub relations: Vec<(Oid, Access)>,
    /// The same for relations inside of views, each with the role that must have the privilege: the view's owner.
    pub inside_views: Vec<(Oid, Oid, Access)>,
    /// Columns that are written.
    pub columns: Vec<(Oid, Access, i16)>,
    /// Functions in SQL that are called.
    pub routines: Vec<Oid>,
    /// Schemas that are named, with the role (`None`: the user) that must have USAGE.
    pub schemas: Vec<(Option<Oid>, Oid)>,
    /// The command tag's verb.
    pub verb: Verb,
    /// FOR UPDATE / SHARE was asked for (row locks on the scanned base tables).
    pub locking: Option<Locking>,
}

/// A result column.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputColumn {
    /// The id in the plan.
    pub id: ColumnId,
    /// The name.
    pub name: String,
    /// The type.
    pub typ: Type,
    /// Origin: table OID and column number, when it is a plain column; else 0, 0.
    pub origin: (Oid, i16),
}

/// What a statement wants of a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Access {
    Select,
    Insert,
    Update,
    Delete,
    Truncate,
}

/// The command tag's verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Verb {
    Select,
    Insert,
    Update,
    Delete,
    Merge,
}

/// Row-level locking strength and wait policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Locking {
    pub exclusive: bool,
    pub nowait: bool,
    pub skip_locked: bool,
}
