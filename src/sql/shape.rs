//! How a query was written, bound: what its plan no longer tells. The binder notes it when it is asked to
//! ([`super::binder::bind_shape`]), and [`super::deparse`] prints it as SQL again.
//!
//! A [`Shape`] is a tree of [`Query`]s and what their expressions refer to: columns by id belong to an [`Item`] of some
//! FROM, or stand for an aggregate, window or set-returning [`Call`]. Syntax that binding dissolves (`CASE x WHEN`, `COLLATE`,
//! casts as written) is kept as calls of the functions of [`form`], which nothing can run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::document::{Datum, Oid, Type};

use super::function::Function;
use super::plan::{AggregateCall, ColumnId, Expr, Frame, JoinKind, SetOpKind, SortKey};

/// A query with everything that its expressions refer to.
#[derive(Debug, Default)]
pub struct Shape {
    /// The query.
    pub query: Query,
    /// The FROM items of all levels.
    pub items: Vec<Item>,
    /// Columns of items.
    pub columns: HashMap<ColumnId, Origin>,
    /// Calls that leave a column behind.
    pub calls: HashMap<ColumnId, Call>,
    /// The fields of columns that are anonymous records.
    pub records: HashMap<ColumnId, Vec<(String, Type)>>,
    /// Aggregates that were written as JSON_OBJECTAGG or JSON_ARRAYAGG.
    pub json_aggregates: BTreeSet<ColumnId>,
    /// Something has no form: the query cannot be printed from this.
    pub is_partial: bool,
}

/// What a query uses.
#[derive(Debug, Default)]
pub struct Uses {
    /// Relations by OID, with those of their columns that are named.
    pub relations: BTreeMap<Oid, BTreeSet<String>>,
    /// Functions of users.
    pub routines: BTreeSet<Oid>,
}

impl Shape {
    /// What the query uses.
    pub fn uses(&self) -> Uses {
        let mut uses = Uses::default();
        for item in &self.items {
            if let Source::Relation { oid, .. } = &item.source {
                uses.relations.entry(*oid).or_default();
            }
        }
        self.walk(&mut |expr| match expr {
            Expr::Column(id, _) => {
                let Some(origin) = self.columns.get(id) else { return };
                let Some(item) = self.items.get(origin.item) else { return };
                if let (Source::Relation { oid, .. }, Ok(index)) = (&item.source, &origin.column)
                    && let Some(name) = item.real.get(*index)
                {
                    uses.relations.entry(*oid).or_default().insert(name.clone());
                }
            }
            Expr::Const(Datum::Oid(oid), Type::REGCLASS) => {
                uses.relations.entry(*oid).or_default();
            }
            expr => {
                if let Some([Expr::Const(Datum::Oid(oid), _), ..]) = form::get(&form::ROUTINE, expr) {
                    uses.routines.insert(*oid);
                }
            }
        });
        self.merged_columns(&self.query, &mut uses);
        uses
    }

    /// The columns that USING names are used on both sides.
    fn merged_columns(&self, query: &Query, uses: &mut Uses) {
        fn of_from(shape: &Shape, from: &From, uses: &mut Uses) {
            let From::Join { left, right, on, .. } = from else { return };
            of_from(shape, left, uses);
            of_from(shape, right, uses);
            let On::Using(names, _) = on else { return };
            for item in items_below(from) {
                let Some(Item { source: Source::Relation { oid, .. }, real, names: shown, .. }) = shape.items.get(item)
                else {
                    continue;
                };
                let merged = real.iter().zip(shown).filter(|(_, shown)| names.contains(shown));
                uses.relations.entry(*oid).or_default().extend(merged.map(|(real, _)| real.clone()));
            }
        }
        if let Body::Select(select) = &query.body {
            select.from.iter().for_each(|from| of_from(self, from, uses));
        }
        for cte in &query.ctes {
            self.merged_columns(&cte.query, uses);
        }
        if let Body::Set(tree) = &query.body {
            tree.for_each_leaf(&mut |query| self.merged_columns(query, uses));
        }
        for item in &self.items {
            if let (Source::Query(inner), true) = (&item.source, std::ptr::eq(query, &self.query)) {
                self.merged_columns(inner, uses);
            }
        }
    }

    /// A relation (or one of its columns) gets another name. Columns keep their names where the query gave them one.
    pub fn rename(&mut self, relation: Oid, change: &Rename) {
        let mut merged = Vec::new();
        for_each_join(&self.query, &self.items, &mut |names| merged.extend(names.iter().cloned()));
        for item in &mut self.items {
            let Source::Relation { oid, name, .. } = &mut item.source else { continue };
            if *oid != relation {
                continue;
            }
            match change {
                Rename::Relation(new) => {
                    // An alias that only stands there for its columns is the relation's name.
                    if item.renames && item.alias.as_ref() == Some(name) {
                        item.alias = Some(new.clone());
                    }
                    name.clone_from(new);
                    item.name = Some(new.clone());
                }
                Rename::Column(old, new) => {
                    for (real, shown) in item.real.iter_mut().zip(&mut item.names).filter(|(real, _)| *real == old) {
                        if shown == real && !item.renames && !merged.contains(old) {
                            shown.clone_from(new);
                        }
                        real.clone_from(new);
                    }
                }
            }
        }
    }

    /// Every expression, those inside of others too.
    pub fn walk(&self, f: &mut dyn FnMut(&Expr)) {
        walk_query(&self.query, f);
        for item in &self.items {
            match &item.source {
                Source::Query(query) => walk_query(query, f),
                Source::Function { calls, .. } => calls.iter().for_each(|(call, _)| walk_expr(call, f)),
                Source::Values(rows) => rows.iter().flatten().for_each(|cell| walk_expr(cell, f)),
                Source::JsonTable(args) => args.iter().for_each(|arg| walk_expr(arg, f)),
                Source::Relation { sample: Some(sample), .. } => {
                    std::iter::once(&sample.1).chain(&sample.2).for_each(|expr| walk_expr(expr, f));
                }
                Source::Relation { .. } | Source::Cte(_) | Source::Join => {}
            }
        }
        for call in self.calls.values() {
            match call {
                Call::Aggregate(call, _) => {
                    let order = call.order.iter().map(|key| &key.expr);
                    call.args.iter().chain(order).chain(&call.filter).for_each(|expr| walk_expr(expr, f));
                }
                Call::Window { args, filter, over, .. } => {
                    args.iter().chain(filter).for_each(|expr| walk_expr(expr, f));
                    if let Err(window) = over {
                        walk_window(window, f);
                    }
                }
                Call::Set(expr) => walk_expr(expr, f),
                Call::Grouping(args) => args.iter().for_each(|expr| walk_expr(expr, f)),
            }
        }
    }
}

/// A change of a name.
#[derive(Clone, Debug)]
pub enum Rename {
    /// The relation's new name.
    Relation(String),
    /// A column's old and new name.
    Column(String, String),
}

fn walk_expr(expr: &Expr, f: &mut dyn FnMut(&Expr)) {
    expr.walk(&mut |e| {
        f(e);
        if let Expr::Subquery(subquery) = e
            && let Some(query) = &subquery.shape
        {
            walk_query(query, f);
        }
        true
    });
}

fn walk_window(window: &Window, f: &mut dyn FnMut(&Expr)) {
    window.partition.iter().chain(window.order.iter().map(|key| &key.expr)).for_each(|expr| walk_expr(expr, f));
}

fn walk_query(query: &Query, f: &mut dyn FnMut(&Expr)) {
    query.ctes.iter().for_each(|cte| walk_query(&cte.query, f));
    query.limit.iter().chain(&query.offset).for_each(|expr| walk_expr(expr, f));
    match &query.body {
        Body::Set(tree) => tree.for_each_leaf(&mut |query| walk_query(query, f)),
        Body::Select(select) => {
            let targets = select.targets.iter().map(|target| &target.expr);
            targets.chain(&select.filter).chain(&select.having).for_each(|expr| walk_expr(expr, f));
            select.groups.iter().for_each(|group| walk_group(group, f));
            select.windows.iter().for_each(|(_, window)| walk_window(window, f));
            select.from.iter().for_each(|from| walk_from(from, f));
        }
    }
}

fn walk_group(group: &Group, f: &mut dyn FnMut(&Expr)) {
    match group {
        Group::Set(items) => items.iter().for_each(|expr| walk_expr(expr, f)),
        Group::Rollup(parts) | Group::Cube(parts) | Group::Sets(parts) => {
            parts.iter().for_each(|part| walk_group(part, f));
        }
    }
}

fn walk_from(from: &From, f: &mut dyn FnMut(&Expr)) {
    if let From::Join { left, right, on, .. } = from {
        walk_from(left, f);
        walk_from(right, f);
        if let On::Condition(condition) = on {
            walk_expr(condition, f);
        }
    }
}

/// The items that a part of FROM is made of.
fn items_below(from: &From) -> Vec<usize> {
    match from {
        From::Item(item) => vec![*item],
        From::Join { left, right, .. } => [items_below(left), items_below(right)].concat(),
    }
}

/// The names that each USING of a query merges.
fn for_each_join(query: &Query, items: &[Item], f: &mut dyn FnMut(&[String])) {
    fn of_from(from: &From, f: &mut dyn FnMut(&[String])) {
        if let From::Join { left, right, on, .. } = from {
            of_from(left, f);
            of_from(right, f);
            if let On::Using(names, _) = on {
                f(names);
            }
        }
    }
    fn of_query(query: &Query, f: &mut dyn FnMut(&[String])) {
        query.ctes.iter().for_each(|cte| of_query(&cte.query, f));
        match &query.body {
            Body::Select(select) => select.from.iter().for_each(|from| of_from(from, f)),
            Body::Set(tree) => tree.for_each_leaf(&mut |query| of_query(query, f)),
        }
    }
    of_query(query, f);
    for item in items {
        if let Source::Query(inner) = &item.source {
            of_query(inner, f);
        }
    }
}

/// Where a column comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The item, by its place in [`Shape::items`].
    pub item: usize,
    /// The column's place in it; a system column has its name.
    pub column: Result<usize, String>,
}

/// A query and what stands around its body.
#[derive(Debug, Default)]
pub struct Query {
    /// WITH.
    pub ctes: Vec<Cte>,
    /// WITH RECURSIVE.
    pub recursive: bool,
    /// What makes the rows.
    pub body: Body,
    /// ORDER BY: a target, whether it is descending, whether NULLs are first.
    pub order: Vec<(usize, bool, bool)>,
    /// LIMIT.
    pub limit: Option<Expr>,
    /// OFFSET.
    pub offset: Option<Expr>,
    /// FETCH FIRST ... WITH TIES.
    pub ties: bool,
    /// FOR UPDATE and the like: the words, the items, and what follows them.
    pub locks: Vec<(&'static str, Vec<usize>, &'static str)>,
}

/// A member of WITH.
#[derive(Debug)]
pub struct Cte {
    /// Its name.
    pub name: String,
    /// Names given to its columns.
    pub columns: Vec<String>,
    /// MATERIALIZED or NOT MATERIALIZED.
    pub materialized: Option<bool>,
    /// Its query.
    pub query: Query,
    /// SEARCH: depth first, by which columns, into which column.
    pub search: Option<(bool, Vec<String>, String)>,
    /// CYCLE.
    pub cycle: Option<Cycle>,
}

/// The CYCLE clause.
#[derive(Debug)]
pub struct Cycle {
    /// The columns that are compared.
    pub by: Vec<String>,
    /// The column of the mark.
    pub mark: String,
    /// The marks, where they are not true and false.
    pub values: Option<(Expr, Expr)>,
    /// The column of the path.
    pub path: String,
}

/// What makes the rows of a query.
#[derive(Debug)]
pub enum Body {
    /// SELECT, or VALUES as a select over its rows.
    Select(Box<Select>),
    /// Set operations.
    Set(SetTree),
}

impl Default for Body {
    fn default() -> Self {
        Body::Select(Box::default())
    }
}

/// A tree of set operations.
#[derive(Debug)]
pub enum SetTree {
    /// One query.
    Leaf(Box<Query>),
    /// An operation over two.
    Op {
        /// Which.
        kind: SetOpKind,
        /// ALL.
        all: bool,
        /// The left side.
        left: Box<SetTree>,
        /// The right side.
        right: Box<SetTree>,
    },
}

impl SetTree {
    /// Each query of the tree.
    pub fn for_each_leaf(&self, f: &mut dyn FnMut(&Query)) {
        match self {
            SetTree::Leaf(query) => f(query),
            SetTree::Op { left, right, .. } => {
                left.for_each_leaf(f);
                right.for_each_leaf(f);
            }
        }
    }
}

/// A SELECT.
#[derive(Debug, Default)]
pub struct Select {
    /// DISTINCT (no targets), DISTINCT ON (these targets).
    pub distinct: Option<Vec<usize>>,
    /// The targets, also those that only ORDER BY and its like name.
    pub targets: Vec<Target>,
    /// FROM.
    pub from: Vec<From>,
    /// WHERE.
    pub filter: Option<Expr>,
    /// GROUP BY.
    pub groups: Vec<Group>,
    /// GROUP BY DISTINCT.
    pub group_distinct: bool,
    /// HAVING.
    pub having: Option<Expr>,
    /// WINDOW.
    pub windows: Vec<(String, Window)>,
}

/// A member of a target list.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// The expression.
    pub expr: Expr,
    /// It is not part of the result.
    pub junk: bool,
}

/// A member of GROUP BY.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Group {
    Set(Vec<Expr>),
    Rollup(Vec<Group>),
    Cube(Vec<Group>),
    Sets(Vec<Group>),
}

/// A FROM item and what it is joined with.
#[derive(Clone, Debug)]
pub enum From {
    /// An item, by its place in [`Shape::items`].
    Item(usize),
    /// A join.
    Join {
        /// Its own item: its columns and alias.
        item: usize,
        /// The kind.
        kind: JoinKind,
        /// Left.
        left: Box<From>,
        /// Right.
        right: Box<From>,
        /// What joins them.
        on: On,
    },
}

/// The condition of a join.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum On {
    None,
    Condition(Expr),
    Using(Vec<String>, Option<String>),
}

/// Something that FROM makes visible.
#[derive(Debug)]
pub struct Item {
    /// What it is.
    pub source: Source,
    /// The name it goes by without an alias; joins have none.
    pub name: Option<String>,
    /// The alias.
    pub alias: Option<String>,
    /// Whether the alias names columns.
    pub renames: bool,
    /// LATERAL.
    pub lateral: bool,
    /// The names of its columns before the alias.
    pub real: Vec<String>,
    /// The names of its columns.
    pub names: Vec<String>,
}

/// TABLESAMPLE: the method, its argument, REPEATABLE.
pub type Sample = (String, Expr, Option<Expr>);

/// What a FROM item is.
#[derive(Debug)]
pub enum Source {
    /// A relation: OID, schema, name.
    Relation {
        /// Its OID.
        oid: Oid,
        /// Its schema.
        schema: Oid,
        /// Its name.
        name: String,
        /// TABLESAMPLE.
        sample: Option<Box<Sample>>,
    },
    /// A subquery.
    Query(Arc<Query>),
    /// Function calls, each with its column definitions.
    Function {
        /// The calls.
        calls: Vec<(Expr, Vec<(String, Type)>)>,
        /// WITH ORDINALITY.
        ordinality: bool,
    },
    /// A member of WITH.
    Cte(String),
    /// The rows of VALUES.
    Values(Vec<Vec<Expr>>),
    /// A join.
    Join,
    /// JSON_TABLE: the call's arguments.
    JsonTable(Box<[Expr]>),
}

/// A call that leaves a column behind.
#[derive(Debug)]
pub enum Call {
    /// An aggregate; with WITHIN GROUP the number of direct arguments.
    Aggregate(AggregateCall, Option<usize>),
    /// A window call.
    Window {
        /// The function.
        function: &'static Function,
        /// Its arguments.
        args: Vec<Expr>,
        /// FILTER.
        filter: Option<Expr>,
        /// OVER a name, or a definition.
        over: Result<String, Box<Window>>,
    },
    /// A set-returning call.
    Set(Expr),
    /// GROUPING.
    Grouping(Vec<Expr>),
}

/// A window definition.
#[derive(Clone, Debug)]
pub struct Window {
    /// The definition that it extends.
    pub base: Option<String>,
    /// PARTITION BY.
    pub partition: Vec<Expr>,
    /// ORDER BY, what is taken from the base left out.
    pub order: Vec<SortKey>,
    /// The frame as written, and whether BETWEEN was.
    pub frame: Option<(Frame, bool)>,
}

/// Calls that only say how something was written.
pub mod form {
    use crate::document::{Datum, Type};
    use crate::sql::function::{Body, Function, Volatility};
    use crate::sql::plan::Expr;

    const fn form(oid: u32, name: &'static str) -> Function {
        Function {
            oid,
            name,
            args: &[],
            variadic: false,
            defaults: 0,
            returns: Type::ANY,
            columns: &[],
            strict: false,
            volatility: Volatility::Immutable,
            body: Body::Host,
        }
    }

    /// A cast that was written: the cast.
    pub static EXPLICIT: Function = form(10_000_951, "\u{0}explicit");
    /// A call by name of what an operator or cast is too: the call.
    pub static PLAIN: Function = form(10_000_952, "\u{0}plain");
    /// A call by the standard's syntax, `EXTRACT(x FROM y)`: the call.
    pub static SYNTAX: Function = form(10_000_953, "\u{0}syntax");
    /// `CURRENT_DATE`: the words.
    pub static WORDS: Function = form(10_000_954, "\u{0}words");
    /// `x COLLATE c`: the value, the collation.
    pub static COLLATE: Function = form(10_000_955, "\u{0}collate");
    /// `CASE x WHEN ...`: the operand, the CASE.
    pub static SIMPLE_CASE: Function = form(10_000_956, "\u{0}case");
    /// A row of a FROM item: its columns as a row.
    pub static WHOLE_ROW: Function = form(10_000_957, "\u{0}row");
    /// `name => value`: the name, the value.
    pub static NAMED: Function = form(10_000_958, "\u{0}named");
    /// `(a, b) < (c, d)`: the operator, the rows.
    pub static ROWS: Function = form(10_000_959, "\u{0}rows");
    /// `x IS JSON`: the value, the kind, WITH UNIQUE KEYS.
    pub static IS_JSON: Function = form(10_000_960, "\u{0}is json");
    /// A call of a function in SQL: its OID, the arguments.
    pub static ROUTINE: Function = form(10_000_961, "\u{0}routine");

    /// A parameter inside of a function's body: the function's name, its own.
    pub static PARAMETER: Function = form(10_000_962, "\u{0}parameter");

    /// An expression in a form.
    pub fn of(function: &'static Function, args: Vec<Expr>, typ: Type) -> Expr {
        Expr::Call { function, args, typ }
    }

    /// A word as an argument of a form.
    pub fn word(word: &str) -> Expr {
        Expr::Const(Datum::text(word), Type::TEXT)
    }

    /// The arguments of a form, if an expression is one.
    pub fn get<'e>(function: &Function, expr: &'e Expr) -> Option<&'e [Expr]> {
        match expr {
            Expr::Call { function: found, args, .. } if found.oid == function.oid => Some(args),
            _ => None,
        }
    }
}
