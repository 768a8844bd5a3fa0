//! The plan as text: one node a line, indented, expressions in a SQL-like notation with columns as `#id`. EXPLAIN
//! (VERBOSE) and the binder's tests print plans this way.

use std::fmt::{self, Display, Formatter, Write};

use super::super::context::FormatSettings;
use super::super::{io, types};
use super::visit::guard;
use super::*;

/// A comma-separated list.
fn list<T>(
    f: &mut Formatter<'_>,
    items: &[T],
    mut one: impl FnMut(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        one(f, item)?;
    }
    Ok(())
}

fn exprs(f: &mut Formatter<'_>, items: &[Expr]) -> fmt::Result {
    list(f, items, |f, e| write!(f, "{e}"))
}

fn joined(f: &mut Formatter<'_>, items: &[Expr], word: &str) -> fmt::Result {
    f.write_char('(')?;
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            write!(f, " {word} ")?;
        }
        write!(f, "{item}")?;
    }
    f.write_char(')')
}

fn datum(f: &mut Formatter<'_>, datum: &Datum, typ: Type) -> fmt::Result {
    match datum {
        Datum::Null => f.write_str("NULL"),
        Datum::Text(x) | Datum::Json(x) => write!(f, "'{}'", x.replace('\'', "''")),
        Datum::Bool(x) => write!(f, "{x}"),
        Datum::Int2(_) | Datum::Int4(_) | Datum::Int8(_) | Datum::Numeric(_) | Datum::Oid(_) => {
            let typ = if matches!(datum, Datum::Oid(_)) { Type::OID } else { typ };
            f.write_str(&text(datum, typ))
        }
        other => write!(f, "'{}'", text(other, typ).replace('\'', "''")),
    }
}

fn text(datum: &Datum, typ: Type) -> String {
    let mut out = String::new();
    io::text_out(datum, typ, &FormatSettings::default(), &mut out);
    out
}

fn type_name(typ: Type) -> String {
    types::format_type(typ)
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        guard(|| self.write(f))
    }
}

impl Expr {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Const(value, typ) => {
                datum(f, value, *typ)?;
                match *typ {
                    Type::INT4 | Type::BOOL | Type::TEXT => Ok(()),
                    other => write!(f, "::{}", type_name(other)),
                }
            }
            Expr::Param(index, typ) => write!(f, "${}::{}", index + 1, type_name(*typ)),
            Expr::Column(id, _) => write!(f, "#{id}"),
            Expr::Call { function, args, .. } => {
                write!(f, "{}(", function.name)?;
                exprs(f, args)?;
                f.write_char(')')
            }
            Expr::Cast { input, typ, kind } => {
                let mark = match kind {
                    CastKind::Relabel => "~",
                    CastKind::InOut => "text ",
                    CastKind::TypmodAssign => "fit ",
                    CastKind::TypmodExplicit => "cut ",
                    CastKind::Array => "each ",
                    CastKind::Domain(_) => "checked ",
                };
                write!(f, "{input}::{mark}{}", type_name(*typ))
            }
            Expr::And(items) => joined(f, items, "AND"),
            Expr::Or(items) => joined(f, items, "OR"),
            Expr::Not(input) => write!(f, "NOT {input}"),
            Expr::IsNull(input, negated) => write!(f, "{input} IS {}NULL", if *negated { "NOT " } else { "" }),
            Expr::IsBool(input, value, negated) => {
                let word = match value {
                    Some(true) => "TRUE",
                    Some(false) => "FALSE",
                    None => "UNKNOWN",
                };
                write!(f, "{input} IS {}{word}", if *negated { "NOT " } else { "" })
            }
            Expr::IsDistinct { left, right, negated, .. } => {
                write!(f, "{left} IS {}DISTINCT FROM {right}", if *negated { "NOT " } else { "" })
            }
            Expr::Case { whens, otherwise, .. } => {
                f.write_str("CASE")?;
                for (condition, result) in whens {
                    write!(f, " WHEN {condition} THEN {result}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " ELSE {otherwise}")?;
                }
                f.write_str(" END")
            }
            Expr::Coalesce(items, _) => {
                f.write_str("coalesce(")?;
                exprs(f, items)?;
                f.write_char(')')
            }
            Expr::NullIf { left, condition, .. } => write!(f, "nullif({left}, {condition})"),
            Expr::MinMax { greatest, args, .. } => {
                f.write_str(if *greatest { "greatest(" } else { "least(" })?;
                exprs(f, args)?;
                f.write_char(')')
            }
            Expr::AnyAll { all, left, operator, array } => {
                write!(f, "{left} {} {} ({array})", operator.name, if *all { "ALL" } else { "ANY" })
            }
            Expr::InList { left, list, negated, .. } => {
                write!(f, "{left} {}IN (", if *negated { "NOT " } else { "" })?;
                exprs(f, list)?;
                f.write_char(')')
            }
            Expr::Array { elements, .. } => {
                f.write_str("ARRAY[")?;
                exprs(f, elements)?;
                f.write_char(']')
            }
            Expr::Row { fields, .. } => {
                f.write_str("ROW(")?;
                exprs(f, fields)?;
                f.write_char(')')
            }
            Expr::Field { input, index, .. } => write!(f, "({input}).{}", index + 1),
            Expr::Subscript { input, subscripts, .. } => {
                write!(f, "({input})")?;
                for subscript in subscripts {
                    match subscript {
                        Subscript::Index(index) => write!(f, "[{index}]")?,
                        Subscript::Slice(lower, upper) => {
                            f.write_char('[')?;
                            if let Some(lower) = lower {
                                write!(f, "{lower}")?;
                            }
                            f.write_char(':')?;
                            if let Some(upper) = upper {
                                write!(f, "{upper}")?;
                            }
                            f.write_char(']')?;
                        }
                    }
                }
                Ok(())
            }
            Expr::Subquery(subquery) => {
                let plan = Inline(&subquery.plan);
                match &subquery.kind {
                    SubqueryKind::Scalar => write!(f, "scalar{{{plan}}}"),
                    SubqueryKind::Exists => write!(f, "exists{{{plan}}}"),
                    SubqueryKind::Array => write!(f, "array{{{plan}}}"),
                    SubqueryKind::Quantified { all, condition } => {
                        write!(f, "{}({condition}){{{plan}}}", if *all { "all" } else { "any" })
                    }
                    SubqueryKind::Row { condition } => write!(f, "row({condition}){{{plan}}}"),
                }
            }
            Expr::Grouping(ids) => {
                f.write_str("grouping(")?;
                list(f, ids, |f, id| write!(f, "#{id}"))?;
                f.write_char(')')
            }
        }
    }
}

impl Display for SortKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.expr)?;
        if self.descending {
            f.write_str(" DESC")?;
        }
        match (self.descending, self.nulls_first) {
            (false, true) => f.write_str(" NULLS FIRST"),
            (true, false) => f.write_str(" NULLS LAST"),
            _ => Ok(()),
        }
    }
}

impl Display for AggregateCall {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}", self.function.name, if self.distinct { "DISTINCT " } else { "" })?;
        exprs(f, &self.args)?;
        if !self.order.is_empty() {
            f.write_str(" ORDER BY ")?;
            list(f, &self.order, |f, key| write!(f, "{key}"))?;
        }
        f.write_char(')')?;
        match &self.filter {
            Some(filter) => write!(f, " FILTER {filter}"),
            None => Ok(()),
        }
    }
}

impl Display for FrameBound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            FrameBound::UnboundedPreceding => f.write_str("unbounded preceding"),
            FrameBound::Preceding(expr) => write!(f, "{expr} preceding"),
            FrameBound::CurrentRow => f.write_str("current row"),
            FrameBound::Following(expr) => write!(f, "{expr} following"),
            FrameBound::UnboundedFollowing => f.write_str("unbounded following"),
        }
    }
}

impl Display for WindowCall {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function.name)?;
        exprs(f, &self.args)?;
        f.write_char(')')?;
        if let Some(filter) = &self.filter {
            write!(f, " FILTER {filter}")?;
        }
        f.write_str(" OVER (")?;
        if !self.partition.is_empty() {
            f.write_str("PARTITION BY ")?;
            exprs(f, &self.partition)?;
            f.write_char(' ')?;
        }
        if !self.order.is_empty() {
            f.write_str("ORDER BY ")?;
            list(f, &self.order, |f, key| write!(f, "{key}"))?;
            f.write_char(' ')?;
        }
        write!(f, "{:?} {} .. {})", self.frame.units, self.frame.start, self.frame.end)
    }
}

/// A plan on one line, for subqueries inside expressions.
struct Inline<'a>(&'a Rel);

impl Display for Inline<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        guard(|| {
            self.0.head(f)?;
            let mut result = Ok(());
            self.0.for_each_input(|input| {
                if result.is_ok() && *input != Rel::OneRow {
                    result = write!(f, " <- {}", Inline(input));
                }
            });
            result
        })
    }
}

impl Display for Rel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.tree(f, 0)
    }
}

impl Rel {
    fn tree(&self, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
        guard(|| {
            write!(f, "{:indent$}", "", indent = depth * 2)?;
            self.head(f)?;
            f.write_char('\n')?;
            let mut result = Ok(());
            self.for_each_input(|input| {
                if result.is_ok() {
                    result = input.tree(f, depth + 1);
                }
            });
            result
        })
    }

    /// The node itself on one line, without its inputs.
    pub fn headline(&self) -> String {
        struct Head<'a>(&'a Rel);
        impl Display for Head<'_> {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                self.0.head(f)
            }
        }
        Head(self).to_string()
    }

    fn head(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Rel::OneRow => f.write_str("OneRow"),
            Rel::Values { columns, rows } => {
                f.write_str("Values [")?;
                list(f, columns, |f, (id, _)| write!(f, "#{id}"))?;
                f.write_str("] ")?;
                list(f, rows, |f, row| {
                    f.write_char('(')?;
                    exprs(f, row)?;
                    f.write_char(')')
                })
            }
            Rel::Scan { alias, columns, .. } => {
                write!(f, "Scan {alias} [")?;
                list(f, columns, |f, (id, number, _)| write!(f, "#{id}={number}"))?;
                f.write_char(']')
            }
            Rel::System { name, columns } => {
                write!(f, "System {name} [")?;
                list(f, columns, |f, (id, number, _)| write!(f, "#{id}={number}"))?;
                f.write_char(']')
            }
            Rel::Function { calls, ordinality, outer, .. } => {
                f.write_str(if *outer { "Function outer " } else { "Function " })?;
                set_calls(f, calls)?;
                match ordinality {
                    Some(id) => write!(f, " ordinality #{id}"),
                    None => Ok(()),
                }
            }
            Rel::ProjectSet { calls, .. } => {
                f.write_str("ProjectSet ")?;
                set_calls(f, calls)
            }
            Rel::Filter { predicate, .. } => write!(f, "Filter {predicate}"),
            Rel::Project { exprs, .. } => {
                f.write_str("Project ")?;
                named(f, exprs)
            }
            Rel::Join { kind, on, lateral, .. } => {
                write!(f, "{kind:?} Join{} on {on}", if *lateral { " lateral" } else { "" })
            }
            Rel::Aggregate { groups, sets, aggregates, .. } => {
                f.write_str("Aggregate by [")?;
                named(f, groups)?;
                f.write_char(']')?;
                if let Some(sets) = sets {
                    write!(f, " sets {sets:?}")?;
                }
                f.write_str(" [")?;
                list(f, aggregates, |f, (id, call)| write!(f, "#{id}={call}"))?;
                f.write_char(']')
            }
            Rel::Window { calls, .. } => {
                f.write_str("Window ")?;
                list(f, calls, |f, (id, call)| write!(f, "#{id}={call}"))
            }
            Rel::Sort { keys, .. } => {
                f.write_str("Sort ")?;
                list(f, keys, |f, key| write!(f, "{key}"))
            }
            Rel::Limit { limit, offset, ties, .. } => {
                f.write_str("Limit")?;
                if let Some(limit) = limit {
                    write!(f, " {limit}")?;
                }
                if let Some(offset) = offset {
                    write!(f, " offset {offset}")?;
                }
                if let Some(keys) = ties {
                    f.write_str(" with ties by ")?;
                    list(f, keys, |f, key| write!(f, "{key}"))?;
                }
                Ok(())
            }
            Rel::Distinct { .. } => f.write_str("Distinct"),
            Rel::DistinctOn { on, keys, .. } => {
                f.write_str("DistinctOn ")?;
                exprs(f, on)?;
                f.write_str(" by ")?;
                list(f, keys, |f, key| write!(f, "{key}"))
            }
            Rel::SetOp { kind, all, left_columns, right_columns, columns, .. } => {
                write!(f, "{kind:?}{} [", if *all { " all" } else { "" })?;
                let count = columns.len();
                list(f, &(0..count).collect::<Vec<_>>(), |f, i| {
                    write!(f, "#{}=#{}|#{}", columns[*i].0, left_columns[*i], right_columns[*i])
                })?;
                f.write_char(']')
            }
            Rel::With { ctes, .. } => {
                f.write_str("With ")?;
                list(f, ctes, |f, cte| {
                    write!(f, "{}@{}", cte.name, cte.id)?;
                    f.write_str(if cte.recursive.is_some() { " recursive" } else { "" })
                })
            }
            Rel::CteRef { cte, columns } => {
                write!(f, "CteRef @{cte} [")?;
                list(f, columns, |f, (id, source, _)| write!(f, "#{id}=#{source}"))?;
                f.write_char(']')
            }
            Rel::Modify(modify) => modify.head(f),
        }
    }
}

fn set_calls(f: &mut Formatter<'_>, calls: &[SetCall]) -> fmt::Result {
    list(f, calls, |f, call| {
        f.write_char('[')?;
        list(f, &call.columns, |f, (id, _)| write!(f, "#{id}"))?;
        write!(f, "]={}", call.call)
    })
}

fn named(f: &mut Formatter<'_>, items: &[(ColumnId, Expr)]) -> fmt::Result {
    list(f, items, |f, (id, expr)| match expr {
        Expr::Column(same, _) if same == id => write!(f, "#{id}"),
        _ => write!(f, "#{id}={expr}"),
    })
}

fn numbered(f: &mut Formatter<'_>, items: &[(i16, Expr)]) -> fmt::Result {
    list(f, items, |f, (number, expr)| write!(f, "{number}={expr}"))
}

impl MergeArm {
    fn head(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " when {:?}", self.kind)?;
        if let Some(condition) = &self.condition {
            write!(f, " and {condition}")?;
        }
        let (verb, values) = match &self.action {
            MergeAction::Nothing => return f.write_str(" nothing"),
            MergeAction::Delete => return f.write_str(" delete"),
            MergeAction::Update(values) => ("update", values),
            MergeAction::Insert(values) => ("insert", values),
        };
        write!(f, " {verb} (")?;
        numbered(f, values)?;
        f.write_char(')')
    }
}

impl Modify {
    fn head(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ModifyKind::Insert { values, on_conflict, .. } => {
                write!(f, "Insert {} (", self.table)?;
                numbered(f, values)?;
                f.write_char(')')?;
                if let Some(OnConflict { arbiters, update }) = on_conflict {
                    write!(f, " on conflict {arbiters:?}")?;
                    if let Some((assignments, filter)) = update {
                        f.write_str(" update (")?;
                        numbered(f, assignments)?;
                        f.write_char(')')?;
                        if let Some(filter) = filter {
                            write!(f, " where {filter}")?;
                        }
                    }
                }
            }
            ModifyKind::Update { locator, assignments, .. } => {
                write!(f, "Update {} at #{locator} (", self.table)?;
                numbered(f, assignments)?;
                f.write_char(')')?;
            }
            ModifyKind::Delete { locator, .. } => write!(f, "Delete {} at #{locator}", self.table)?,
            ModifyKind::Merge { locator, arms, .. } => {
                write!(f, "Merge {} at #{locator}", self.table)?;
                arms.iter().try_for_each(|arm| arm.head(f))?;
            }
        }
        for (name, check) in &self.checks {
            write!(f, " check {name} {check}")?;
        }
        for (view, check) in &self.view_checks {
            write!(f, " check of {view} {check}")?;
        }
        if let Some(returning) = &self.returning {
            f.write_str(" returning ")?;
            named(f, returning)?;
        }
        Ok(())
    }
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.output.is_empty() {
            f.write_str("-> ")?;
            list(f, &self.output, |f, column| write!(f, "{} #{} {}", column.name, column.id, type_name(column.typ)))?;
            f.write_char('\n')?;
        }
        write!(f, "{}", self.plan)
    }
}
