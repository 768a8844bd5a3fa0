//! What can be asked of a plan: types, produced and free columns, volatility.

use std::collections::BTreeSet;

use super::super::function::{Body, Volatility};
use super::visit::guard;
use super::*;

impl Expr {
    /// A true or false constant.
    pub fn bool(value: bool) -> Expr {
        Expr::Const(Datum::Bool(value), Type::BOOL)
    }

    /// A NULL of a type.
    pub fn null(typ: Type) -> Expr {
        Expr::Const(Datum::Null, typ)
    }

    /// The type.
    pub fn typ(&self) -> Type {
        match self {
            Expr::Const(_, typ)
            | Expr::Param(_, typ)
            | Expr::Column(_, typ)
            | Expr::Call { typ, .. }
            | Expr::Cast { typ, .. }
            | Expr::Case { typ, .. }
            | Expr::Coalesce(_, typ)
            | Expr::NullIf { typ, .. }
            | Expr::MinMax { typ, .. }
            | Expr::Array { typ, .. }
            | Expr::Row { typ, .. }
            | Expr::Field { typ, .. }
            | Expr::Subscript { typ, .. } => *typ,
            Expr::And(_)
            | Expr::Or(_)
            | Expr::Not(_)
            | Expr::IsNull(..)
            | Expr::IsBool(..)
            | Expr::IsDistinct { .. }
            | Expr::AnyAll { .. }
            | Expr::InList { .. } => Type::BOOL,
            Expr::Subquery(subquery) => subquery.typ,
            Expr::Grouping(_) => Type::INT4,
        }
    }

    /// Whether it is a constant true.
    pub fn is_true(&self) -> bool {
        matches!(self, Expr::Const(Datum::Bool(true), _))
    }

    /// Whether it is a constant false or NULL: a filter that lets nothing through.
    pub fn is_never(&self) -> bool {
        matches!(self, Expr::Const(Datum::Bool(false) | Datum::Null, _))
    }

    /// Whether the value may differ between calls with the same arguments in one statement (also in a subquery).
    pub fn is_volatile(&self) -> bool {
        self.least_volatility() == Volatility::Volatile
    }

    /// The most volatile thing in the expression (and in its subqueries' expressions).
    pub fn least_volatility(&self) -> Volatility {
        self.volatility(Volatility::Stable)
    }

    /// The same, conversions through text not counted: what PostgreSQL looks at for index expressions.
    pub fn least_volatility_of_functions(&self) -> Volatility {
        self.volatility(Volatility::Immutable)
    }

    fn volatility(&self, of_conversion: Volatility) -> Volatility {
        let mut worst = Volatility::Immutable;
        self.walk_deep(&mut |e| {
            let volatility = match e {
                Expr::Call { function, .. } => function.volatility,
                Expr::AnyAll { operator, .. } => operator.volatility,
                // Conversions through text may look at the session's settings.
                Expr::Cast { kind: CastKind::InOut | CastKind::Array, .. } => of_conversion,
                _ => Volatility::Immutable,
            };
            worst = match (worst, volatility) {
                (_, Volatility::Volatile) | (Volatility::Volatile, _) => Volatility::Volatile,
                (_, Volatility::Stable) | (Volatility::Stable, _) => Volatility::Stable,
                _ => Volatility::Immutable,
            };
            worst != Volatility::Volatile
        });
        worst
    }

    /// Whether a subquery is somewhere in the expression.
    pub fn contains_subquery(&self) -> bool {
        let mut found = false;
        self.walk(&mut |e| {
            found |= matches!(e, Expr::Subquery(_));
            !found
        });
        found
    }

    /// Whether a set-returning call is somewhere in the expression.
    pub fn contains_set(&self) -> bool {
        let mut found = false;
        self.walk(&mut |e| {
            found |= matches!(e, Expr::Call { function, .. } if matches!(function.body, Body::Set(_)));
            !found
        });
        found
    }

    /// Whether a parameter is somewhere in the expression (subqueries included).
    pub fn contains_param(&self) -> bool {
        let mut found = false;
        self.walk_deep(&mut |e| {
            found |= matches!(e, Expr::Param(..));
            !found
        });
        found
    }

    /// The columns it needs from around it (for subqueries: without those that the subquery produces itself).
    pub fn free_columns(&self) -> BTreeSet<ColumnId> {
        let (mut used, mut made) = (BTreeSet::new(), BTreeSet::new());
        self.collect(&mut used, &mut made);
        used.retain(|id| !made.contains(id));
        used
    }

    /// Whether it names no column from around it.
    pub fn is_closed(&self) -> bool {
        self.free_columns().is_empty()
    }

    fn collect(&self, used: &mut BTreeSet<ColumnId>, made: &mut BTreeSet<ColumnId>) {
        self.walk(&mut |e| {
            match e {
                Expr::Column(id, _) => {
                    used.insert(*id);
                }
                Expr::Grouping(ids) => used.extend(ids),
                Expr::Subquery(subquery) => subquery.plan.collect(used, made),
                _ => {}
            }
            true
        });
    }

    /// The conjuncts of a condition.
    pub fn into_conjuncts(self) -> Vec<Expr> {
        match self {
            Expr::And(items) => items.into_iter().flat_map(Expr::into_conjuncts).collect(),
            other if other.is_true() => Vec::new(),
            other => vec![other],
        }
    }

    /// The AND of conditions; true when there is none.
    pub fn conjunction(mut items: Vec<Expr>) -> Expr {
        match items.len() {
            0 => Expr::bool(true),
            1 => items.remove(0),
            _ => Expr::And(items),
        }
    }
}

impl Rel {
    /// Lets columns that a leaf below makes come out at the top; false when something on the way cannot pass them on
    /// (grouping, DISTINCT, set operations).
    pub fn carry(&mut self, carried: &[(ColumnId, Type)]) -> bool {
        let Some((first, _)) = carried.first() else { return true };
        match self {
            Rel::CteRef { columns, .. } => columns.iter().any(|(id, _, _)| id == first),
            Rel::Project { input, exprs } => {
                let found = input.carry(carried);
                if found {
                    exprs.extend(carried.iter().map(|(id, typ)| (*id, Expr::Column(*id, *typ))));
                }
                found
            }
            Rel::Filter { input, .. }
            | Rel::Sort { input, .. }
            | Rel::Limit { input, .. }
            | Rel::Window { input, .. }
            | Rel::ProjectSet { input, .. }
            | Rel::Function { input, .. } => input.carry(carried),
            Rel::With { body, .. } => body.carry(carried),
            Rel::Join { left, right, .. } => left.carry(carried) || right.carry(carried),
            _ => false,
        }
    }

    /// The columns that come out, with their types.
    pub fn columns(&self) -> Vec<(ColumnId, Type)> {
        match self {
            Rel::OneRow => Vec::new(),
            Rel::Values { columns, .. } | Rel::SetOp { columns, .. } => columns.clone(),
            Rel::Scan { columns, .. } => columns.iter().map(|(id, _, typ)| (*id, *typ)).collect(),
            Rel::System { columns, .. } => columns.iter().map(|(id, _, typ)| (*id, *typ)).collect(),
            Rel::Function { calls, ordinality, input, .. } => {
                let mut columns = input.columns();
                columns.extend(calls.iter().flat_map(|call| call.columns.iter().copied()));
                columns.extend(ordinality.map(|id| (id, Type::INT8)));
                columns
            }
            Rel::ProjectSet { input, calls } => {
                let mut columns = input.columns();
                columns.extend(calls.iter().flat_map(|call| call.columns.iter().copied()));
                columns
            }
            Rel::Filter { input, .. }
            | Rel::Sort { input, .. }
            | Rel::Limit { input, .. }
            | Rel::Distinct { input }
            | Rel::DistinctOn { input, .. } => input.columns(),
            Rel::Project { exprs, .. } => exprs.iter().map(|(id, expr)| (*id, expr.typ())).collect(),
            Rel::Join { left, right, .. } => {
                let mut columns = left.columns();
                columns.extend(right.columns());
                columns
            }
            Rel::Aggregate { groups, aggregates, .. } => {
                let keys = groups.iter().map(|(id, expr)| (*id, expr.typ()));
                keys.chain(aggregates.iter().map(|(id, call)| (*id, call.typ))).collect()
            }
            Rel::Window { input, calls } => {
                let mut columns = input.columns();
                columns.extend(calls.iter().map(|(id, call)| (*id, call.typ)));
                columns
            }
            Rel::With { body, .. } => body.columns(),
            Rel::CteRef { columns, .. } => columns.iter().map(|(id, _, typ)| (*id, *typ)).collect(),
            Rel::Modify(modify) => modify.returning.iter().flatten().map(|(id, expr)| (*id, expr.typ())).collect(),
        }
    }

    /// The ids of the columns that come out.
    pub fn column_ids(&self) -> BTreeSet<ColumnId> {
        self.columns().into_iter().map(|(id, _)| id).collect()
    }

    /// The columns it uses but does not produce anywhere inside: correlations to an outer query.
    pub fn free_columns(&self) -> BTreeSet<ColumnId> {
        let (mut used, mut made) = (BTreeSet::new(), BTreeSet::new());
        self.collect(&mut used, &mut made);
        used.retain(|id| !made.contains(id));
        used
    }

    /// Every column that is made anywhere inside.
    pub fn made_columns(&self) -> BTreeSet<ColumnId> {
        let (mut used, mut made) = (BTreeSet::new(), BTreeSet::new());
        self.collect(&mut used, &mut made);
        made
    }

    /// Whether running it twice may give different rows, or changes something.
    pub fn is_volatile(&self) -> bool {
        let mut found = false;
        self.walk(&mut |rel| {
            found |= match rel {
                Rel::Modify(_) => true,
                Rel::Aggregate { aggregates, .. } => {
                    aggregates.iter().any(|(_, call)| call.function.volatility == Volatility::Volatile)
                }
                _ => false,
            };
            rel.for_each_expr(|expr| found |= expr.is_volatile());
        });
        found
    }

    /// Every column id that is named anywhere inside, and every one that is made inside.
    fn collect(&self, used: &mut BTreeSet<ColumnId>, made: &mut BTreeSet<ColumnId>) {
        guard(|| {
            self.for_each_expr(|expr| expr.collect(used, made));
            self.for_each_input(|input| input.collect(used, made));
            match self {
                Rel::SetOp { left_columns, right_columns, columns, .. } => {
                    used.extend(left_columns.iter().chain(right_columns));
                    made.extend(columns.iter().map(|(id, _)| *id));
                }
                Rel::Function { calls, ordinality, .. } => {
                    made.extend(calls.iter().flat_map(|call| call.columns.iter().map(|(id, _)| *id)));
                    made.extend(*ordinality);
                }
                Rel::ProjectSet { calls, .. } => {
                    made.extend(calls.iter().flat_map(|call| call.columns.iter().map(|(id, _)| *id)));
                }
                Rel::Values { .. } | Rel::Scan { .. } | Rel::System { .. } | Rel::CteRef { .. } => {
                    made.extend(self.columns().into_iter().map(|(id, _)| id));
                }
                Rel::Project { exprs, .. } => made.extend(exprs.iter().map(|(id, _)| *id)),
                Rel::Aggregate { groups, aggregates, .. } => {
                    made.extend(groups.iter().map(|(id, _)| *id));
                    made.extend(aggregates.iter().map(|(id, _)| *id));
                }
                Rel::Window { calls, .. } => made.extend(calls.iter().map(|(id, _)| *id)),
                Rel::With { ctes, .. } => {
                    made.extend(ctes.iter().flat_map(|cte| cte.columns.iter().map(|(id, _)| *id)));
                }
                Rel::Modify(modify) => {
                    let Modify { returning, new_columns, old_columns, .. } = &**modify;
                    made.extend(returning.iter().flatten().map(|(id, _)| *id));
                    made.extend(new_columns.iter().chain(old_columns).map(|(id, _, _)| *id));
                    if let ModifyKind::Merge { shown_columns, action, .. } = &modify.kind {
                        made.extend(shown_columns.iter().map(|(id, _, _)| *id).chain([*action]));
                    }
                }
                Rel::OneRow
                | Rel::Filter { .. }
                | Rel::Join { .. }
                | Rel::Sort { .. }
                | Rel::Limit { .. }
                | Rel::Distinct { .. }
                | Rel::DistinctOn { .. } => {}
            }
        })
    }
}

impl OutputColumn {
    /// The column as an expression.
    pub fn expr(&self) -> Expr {
        Expr::Column(self.id, self.typ)
    }
}
