//! Paths of documents, extracted where the rows are read.
//!
//! `doc->'a'->>'b'` over a table's jsonb column becomes a column of the scan: the scan walks the row's bytes to the value
//! and appends it to an Arrow column; no document is built, and a column used only through paths is never copied.

use std::collections::{HashMap, HashSet};

use crate::document::{Datum, JsonbRef, Type};
use crate::sql::plan::visit::guard;
use crate::sql::plan::{ColumnId, Expr, Rel};

use super::expr::symbol;
use super::physical::Builder;

/// The first id of columns that are made here; the binder's are far below.
const FIRST_ID: ColumnId = 1 << 30;

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// `-> 'key'`: only of objects.
    Key(Box<str>),
    /// `-> 3`: only of arrays; negative counts from the end.
    Index(i32),
    /// An element of `#> '{...}'`: a key of an object or a position in an array.
    Any(Box<str>),
}

/// A path into a jsonb column, and whether its result is text (`->>`, `#>>`) or jsonb.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    pub steps: Vec<Step>,
    pub text: bool,
}

/// A column that a scan makes from a path.
#[derive(Clone, Debug)]
pub(crate) struct Extracted {
    pub id: ColumnId,
    pub path: Path,
}

impl Extracted {
    /// The type of the column.
    pub(crate) fn typ(&self) -> Type {
        if self.path.text { Type::TEXT } else { Type::JSONB }
    }
}

/// What scans extract from their jsonb columns, by the column's id.
#[derive(Default, Debug)]
pub(crate) struct PushedPaths {
    columns: HashMap<ColumnId, Pushed>,
    originals: HashMap<ColumnId, Expr>,
}

/// What is made of one jsonb column.
#[derive(Default, Debug)]
pub(crate) struct Pushed {
    pub paths: Vec<Extracted>,
    /// The document itself is asked for as well.
    pub whole: bool,
}

impl PushedPaths {
    /// The expression that a column made here stands for.
    pub(crate) fn original(&self, id: ColumnId) -> Option<&Expr> {
        self.originals.get(&id)
    }

    /// What is made of a column.
    pub(crate) fn of(&self, column: ColumnId) -> Option<&Pushed> {
        self.columns.get(&column)
    }
}

/// The column and path that an expression is, if it is one.
fn as_path(expr: &Expr) -> Option<(ColumnId, Path)> {
    let Expr::Call { function, args, .. } = expr else { return None };
    let [container, key] = args.as_slice() else { return None };
    if container.typ().oid != Type::JSONB.oid {
        return None;
    }
    let (steps, text): (Vec<Step>, bool) = match (symbol(function)?, key) {
        (op @ ("->" | "->>"), Expr::Const(Datum::Text(key), _)) => (vec![Step::Key(key.clone())], op == "->>"),
        (op @ ("->" | "->>"), Expr::Const(Datum::Int4(index), _)) => (vec![Step::Index(*index)], op == "->>"),
        (op @ ("#>" | "#>>"), Expr::Const(Datum::Array(keys), _)) => {
            let steps = keys.values.iter().map(|k| match k {
                Datum::Text(key) => Some(Step::Any(key.clone())),
                _ => None,
            });
            (steps.collect::<Option<_>>()?, op == "#>>")
        }
        _ => return None,
    };
    match container {
        Expr::Column(id, _) => Some((*id, Path { steps, text })),
        inner => {
            let (id, mut path) = as_path(inner)?;
            if path.text {
                return None;
            }
            path.steps.extend(steps);
            path.text = text;
            Some((id, path))
        }
    }
}

/// The jsonb columns of the tables that a plan reads itself: those of its subqueries have a plan of their own.
fn own_documents(plan: &Rel, documents: &mut HashSet<ColumnId>) {
    if let Rel::Scan { columns, .. } = plan {
        documents.extend(columns.iter().filter(|(_, _, typ)| typ.oid == Type::JSONB.oid).map(|(id, _, _)| *id));
    }
    // The right side of a lateral join runs as a plan of its own.
    if let Rel::Join { left, lateral: true, .. } = plan {
        return guard(|| own_documents(left, documents));
    }
    guard(|| plan.for_each_input(|input| own_documents(input, documents)));
}

/// Replaces paths over the jsonb columns of tables by columns of their scans.
pub(crate) fn push_down(plan: &mut Rel) -> PushedPaths {
    let mut documents = HashSet::new();
    own_documents(plan, &mut documents);
    // What is grouped by is a value of the group above: paths into it are not those of a row.
    plan.walk(&mut |rel| {
        if let Rel::Aggregate { groups, .. } = rel {
            for (id, _) in groups {
                documents.remove(id);
            }
        }
    });
    let mut pushed = PushedPaths::default();
    if documents.is_empty() {
        return pushed;
    }
    let mut known: HashMap<(ColumnId, Path), ColumnId> = HashMap::new();
    let mut next = FIRST_ID;
    plan.replace_exprs(&mut |expr| {
        if let Some((column, path)) = as_path(expr)
            && documents.contains(&column)
        {
            let id = *known.entry((column, path.clone())).or_insert_with(|| {
                let id = next;
                next += 1;
                pushed.columns.entry(column).or_default().paths.push(Extracted { id, path: path.clone() });
                pushed.originals.insert(id, expr.clone());
                id
            });
            *expr = Expr::Column(id, expr.typ());
            return true;
        }
        if let Expr::Column(id, _) = expr
            && documents.contains(id)
        {
            pushed.columns.entry(*id).or_default().whole = true;
        }
        false
    });
    // Columns that are taken by position (set operations, the result itself) are asked for whole.
    plan.walk(&mut |rel| match rel {
        Rel::SetOp { left_columns, right_columns, .. } => {
            for id in left_columns.iter().chain(right_columns).filter(|id| documents.contains(id)) {
                pushed.columns.entry(*id).or_default().whole = true;
            }
        }
        Rel::With { ctes, .. } => {
            for id in ctes.iter().flat_map(|c| c.columns.iter().map(|(id, _)| *id)).filter(|id| documents.contains(id))
            {
                pushed.columns.entry(id).or_default().whole = true;
            }
        }
        _ => {}
    });
    // Where a document passes a projection under its own id, its paths pass with it.
    plan.rewrite_rels(&mut |rel| {
        let Rel::Project { exprs, .. } = rel else { return };
        let passes = |(id, expr): &(ColumnId, Expr)| matches!(expr, Expr::Column(from, _) if from == id);
        let passed: Vec<ColumnId> = exprs.iter().filter(|expr| passes(expr)).map(|(id, _)| *id).collect();
        for path in passed.iter().filter_map(|id| pushed.columns.get(id)).flat_map(|pushed| &pushed.paths) {
            exprs.push((path.id, Expr::Column(path.id, path.typ())));
        }
    });
    pushed
}

/// Marks columns that a caller takes by id.
impl PushedPaths {
    pub(crate) fn keep_whole(&mut self, ids: impl Iterator<Item = ColumnId>) {
        for id in ids {
            if let Some(pushed) = self.columns.get_mut(&id) {
                pushed.whole = true;
            }
        }
    }
}

/// The value at a path, as PostgreSQL's operators find it.
pub(crate) fn find<'a>(document: JsonbRef<'a>, steps: &[Step]) -> Option<JsonbRef<'a>> {
    let mut at = document;
    for step in steps {
        at = match step {
            Step::Key(key) if at.is_object() => at.get(key)?,
            Step::Index(index) if at.is_array() => at.index(*index as i64)?,
            // A scalar by itself counts as an array of one for `->`.
            Step::Index(0 | -1) if at.is_scalar() => at,
            Step::Any(key) if at.is_object() => at.get(key)?,
            Step::Any(key) if at.is_array() => at.index(key.trim().parse::<i32>().ok()? as i64)?,
            _ => return None,
        };
    }
    Some(at)
}

/// Appends the value at a path.
pub(crate) fn append(document: Option<JsonbRef<'_>>, path: &Path, out: &mut Builder, scratch: &mut Vec<u8>) {
    let found = document.and_then(|d| find(d, &path.steps));
    match (out, found) {
        (Builder::Binary(out, _), Some(value)) => out.append_value(value.as_bytes()),
        (Builder::Text(out), Some(value)) if !value.is_null() => match value.as_str() {
            Some(text) => out.append_value(text),
            None => {
                scratch.clear();
                value.write_text(scratch);
                out.append_value(std::str::from_utf8(scratch).expect("a document's text is UTF-8"));
            }
        },
        (out, _) => out.push_null(),
    }
}
