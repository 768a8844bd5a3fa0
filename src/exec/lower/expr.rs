//! Expressions: native where DataFusion's meaning is PostgreSQL's, a kernel of ours where it is hot, otherwise the row
//! interpreter over the columns that are named.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NotExpr, in_list,
};

use crate::document::{Datum, Oid, Type};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::eval;
use crate::sql::function::Function;
use crate::sql::operators;
use crate::sql::plan::{CastKind, ColumnId, Expr};

use super::arithmetic::{Arithmetic, ArithmeticExpr};
use super::from_datafusion;
use super::physical::{Physical, scalar};
use super::row_expr::{RowExpr, SortKeyExpr};

/// The operator symbol of each function that is behind a binary operator.
static SYMBOLS: LazyLock<HashMap<Oid, &'static str>> =
    LazyLock::new(|| operators::all().iter().filter(|o| o.left.is_some()).map(|o| (o.function.oid, o.name)).collect());

/// The symbol of the operator that a function is behind.
pub(crate) fn symbol(function: &Function) -> Option<&'static str> {
    SYMBOLS.get(&function.oid).copied()
}

/// What expressions are lowered against.
pub(crate) struct Scope<'a> {
    /// The input's columns: position and type.
    pub columns: HashMap<ColumnId, (usize, Type)>,
    /// The input's schema.
    pub schema: SchemaRef,
    /// What functions may know.
    pub context: &'a EvalContext,
}

/// A lowered expression.
pub(crate) struct Lowered {
    pub expr: Arc<dyn PhysicalExpr>,
    /// It cannot fail: it may be run on rows that an earlier condition would have dropped.
    pub safe: bool,
}

fn comparison(symbol: &str) -> Option<Operator> {
    Some(match symbol {
        "=" => Operator::Eq,
        "<>" => Operator::NotEq,
        "<" => Operator::Lt,
        "<=" => Operator::LtEq,
        ">" => Operator::Gt,
        ">=" => Operator::GtEq,
        _ => return None,
    })
}

/// The Arrow type in which two physical types compare natively.
fn common(left: Physical, right: Physical) -> Option<DataType> {
    if left == right && left.is_ordered() {
        return Some(left.data_type());
    }
    let width = |p| match p {
        Physical::Int2 => Some((16, DataType::Int16)),
        Physical::Int4 => Some((32, DataType::Int32)),
        Physical::Int8 => Some((64, DataType::Int64)),
        _ => None,
    };
    let (left, right) = (width(left)?, width(right)?);
    Some(if left.0 >= right.0 { left.1 } else { right.1 })
}

impl Scope<'_> {
    /// Lowers an expression.
    pub(crate) fn lower(&self, expr: &Expr) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(self.lowered(expr)?.expr)
    }

    /// Lowers an expression and says whether it can fail.
    pub(crate) fn lowered(&self, expr: &Expr) -> Result<Lowered> {
        crate::sql::plan::visit::guard(|| match self.native(expr)? {
            Some(lowered) => Ok(lowered),
            None => Ok(Lowered { expr: self.by_row(expr)?, safe: false }),
        })
    }

    /// The expression by which a value is compared, grouped or joined.
    pub(crate) fn key(&self, expr: &Expr) -> Result<Arc<dyn PhysicalExpr>> {
        let typ = expr.typ();
        let lowered = self.lower(expr)?;
        Ok(if Physical::of(typ).is_ordered() { lowered } else { Arc::new(SortKeyExpr::new(lowered, typ)) })
    }

    fn literal(&self, value: &Datum, typ: Type) -> Result<Option<Lowered>> {
        let expr: Arc<dyn PhysicalExpr> = Arc::new(Literal::new(scalar(value, typ)?));
        Ok(Some(Lowered { expr, safe: true }))
    }

    /// The native form, where there is one with the same meaning.
    fn native(&self, expr: &Expr) -> Result<Option<Lowered>> {
        match expr {
            Expr::Const(value, typ) => self.literal(value, *typ),
            Expr::Column(id, _) => self.column(*id),
            Expr::Call { function, args, typ } => self.call(function, args, *typ),
            Expr::And(items) => self.connective(items, Operator::And),
            Expr::Or(items) => self.connective(items, Operator::Or),
            Expr::Not(input) => {
                let input = self.lowered(input)?;
                Ok(Some(Lowered { expr: Arc::new(NotExpr::new(input.expr)), safe: input.safe }))
            }
            Expr::IsNull(input, negated) if Physical::of(input.typ()) != Physical::Encoded => {
                let input = self.lowered(input)?;
                let expr: Arc<dyn PhysicalExpr> = if *negated {
                    Arc::new(IsNotNullExpr::new(input.expr))
                } else {
                    Arc::new(IsNullExpr::new(input.expr))
                };
                Ok(Some(Lowered { expr, safe: input.safe }))
            }
            Expr::IsBool(input, asked, negated) => {
                let input = self.lowered(input)?;
                let value = asked.map_or(Datum::Null, Datum::Bool);
                let literal = Arc::new(Literal::new(scalar(&value, Type::BOOL)?));
                let operator = if *negated { Operator::IsDistinctFrom } else { Operator::IsNotDistinctFrom };
                Ok(Some(Lowered { expr: Arc::new(BinaryExpr::new(input.expr, operator, literal)), safe: input.safe }))
            }
            Expr::IsDistinct { left, right, negated, .. } => {
                let Some(typ) = common(Physical::of(left.typ()), Physical::of(right.typ())) else { return Ok(None) };
                let (left, right) = (self.lowered(left)?, self.lowered(right)?);
                let operator = if *negated { Operator::IsNotDistinctFrom } else { Operator::IsDistinctFrom };
                let safe = left.safe && right.safe;
                let (left, right) = (self.widen(left.expr, &typ)?, self.widen(right.expr, &typ)?);
                Ok(Some(Lowered { expr: Arc::new(BinaryExpr::new(left, operator, right)), safe }))
            }
            Expr::Case { whens, otherwise, .. } => self.case(whens, otherwise.as_deref()),
            Expr::InList { left, list, negated, .. } => self.in_list(left, list.iter().collect(), *negated),
            Expr::AnyAll { all, left, operator, array } => self.any_all(*all, left, operator, array),
            Expr::Cast { input, typ, kind: CastKind::Relabel } => {
                let (from, to) = (Physical::of(input.typ()), Physical::of(*typ));
                // A network is shown otherwise than an address.
                if typ.oid == Type::INET.oid && input.typ().oid != typ.oid {
                    return Ok(None);
                }
                // Text without its blank padding is another value, and json another variant.
                if from.data_type() != to.data_type() || from == Physical::Bpchar || to == Physical::Bpchar {
                    return Ok(None);
                }
                if from != to
                    && (from == Physical::Json
                        || to == Physical::Json
                        || from == Physical::Encoded
                        || to == Physical::Encoded)
                {
                    return Ok(None);
                }
                Ok(Some(self.lowered(input)?))
            }
            _ => Ok(None),
        }
    }

    fn column(&self, id: ColumnId) -> Result<Option<Lowered>> {
        if let Some((position, _)) = self.columns.get(&id) {
            let expr: Arc<dyn PhysicalExpr> = Arc::new(Column::new(self.schema.field(*position).name(), *position));
            return Ok(Some(Lowered { expr, safe: true }));
        }
        Err(Error::internal(format!("column c{id} is not in the input")))
    }

    fn connective(&self, items: &[Expr], operator: Operator) -> Result<Option<Lowered>> {
        let mut exprs = Vec::with_capacity(items.len());
        for item in items {
            let lowered = self.lowered(item)?;
            // What may fail is left to the row interpreter, which stops at the first item that decides.
            if !lowered.safe {
                return Ok(None);
            }
            exprs.push(lowered.expr);
        }
        // A balanced tree: its depth stays small however many items there are.
        while exprs.len() > 1 {
            let mut next = Vec::with_capacity(exprs.len().div_ceil(2));
            let mut items = exprs.into_iter();
            while let Some(left) = items.next() {
                next.push(match items.next() {
                    Some(right) => Arc::new(BinaryExpr::new(left, operator, right)) as Arc<dyn PhysicalExpr>,
                    None => left,
                });
            }
            exprs = next;
        }
        Ok(exprs.pop().map(|expr| Lowered { expr, safe: true }))
    }

    fn widen(&self, expr: Arc<dyn PhysicalExpr>, typ: &DataType) -> Result<Arc<dyn PhysicalExpr>> {
        if expr.data_type(&self.schema).map_err(from_datafusion)? == *typ {
            return Ok(expr);
        }
        Ok(Arc::new(CastExpr::new(expr, typ.clone(), None)))
    }

    fn call(&self, function: &'static Function, args: &[Expr], typ: Type) -> Result<Option<Lowered>> {
        let [left, right] = args else { return Ok(None) };
        let Some(symbol) = symbol(function) else { return Ok(None) };
        let physical = (Physical::of(left.typ()), Physical::of(right.typ()));
        if let Some(operator) = comparison(symbol) {
            let Some(common) = common(physical.0, physical.1) else { return Ok(None) };
            let (left, right) = (self.lowered(left)?, self.lowered(right)?);
            let safe = left.safe && right.safe;
            let (left, right) = (self.widen(left.expr, &common)?, self.widen(right.expr, &common)?);
            return Ok(Some(Lowered { expr: Arc::new(BinaryExpr::new(left, operator, right)), safe }));
        }
        if let Some(operation) = Arithmetic::of(symbol) {
            let integer = |p| matches!(p, Physical::Int2 | Physical::Int4 | Physical::Int8);
            let result = Physical::of(typ);
            if !(integer(physical.0) && integer(physical.1) && integer(result)) {
                return Ok(None);
            }
            let (left, right) = (self.lower(left)?, self.lower(right)?);
            let expr = ArithmeticExpr::new(operation, left, right, result.data_type());
            return Ok(Some(Lowered { expr: Arc::new(expr), safe: false }));
        }
        if matches!(symbol, "~~" | "!~~") && physical == (Physical::Text, Physical::Text) {
            let Expr::Const(Datum::Text(pattern), _) = right else { return Ok(None) };
            // A backslash at the end is an error, which the interpreter reports; escapes are left to it as well.
            if pattern.contains('\\') {
                return Ok(None);
            }
            let (left, right) = (self.lowered(left)?, self.lower(right)?);
            return Ok(Some(Lowered {
                expr: Arc::new(LikeExpr::new(symbol == "!~~", false, left.expr, right)),
                safe: left.safe,
            }));
        }
        Ok(None)
    }

    fn case(&self, whens: &[(Expr, Expr)], otherwise: Option<&Expr>) -> Result<Option<Lowered>> {
        let mut pairs = Vec::with_capacity(whens.len());
        let mut safe = true;
        for (condition, result) in whens {
            let (condition, result) = (self.lowered(condition)?, self.lowered(result)?);
            safe &= condition.safe && result.safe;
            pairs.push((condition.expr, result.expr));
        }
        let otherwise = otherwise.map(|e| self.lowered(e)).transpose()?;
        safe &= otherwise.as_ref().is_none_or(|e| e.safe);
        // Branches that may fail must not be run for rows of other branches: the interpreter's job.
        if !safe {
            return Ok(None);
        }
        let expr = CaseExpr::try_new(None, pairs, otherwise.map(|e| e.expr)).map_err(from_datafusion)?;
        Ok(Some(Lowered { expr: Arc::new(expr), safe }))
    }

    fn in_list(&self, left: &Expr, list: Vec<&Expr>, negated: bool) -> Result<Option<Lowered>> {
        let physical = Physical::of(left.typ());
        if !physical.is_ordered()
            || list.iter().any(|e| !matches!(e, Expr::Const(..)) || Physical::of(e.typ()) != physical)
        {
            return Ok(None);
        }
        let left = self.lowered(left)?;
        let list = list.into_iter().map(|e| self.lower(e)).collect::<Result<Vec<_>>>()?;
        let expr = in_list(left.expr, list, &negated, &self.schema).map_err(from_datafusion)?;
        Ok(Some(Lowered { expr, safe: left.safe }))
    }

    /// `= ANY (constant array)` and `<> ALL (constant array)` are lists.
    fn any_all(&self, all: bool, left: &Expr, operator: &'static Function, array: &Expr) -> Result<Option<Lowered>> {
        let negated = match symbol(operator) {
            Some("=") if !all => false,
            Some("<>") if all => true,
            _ => return Ok(None),
        };
        let Expr::Const(Datum::Array(array), _) = array else { return Ok(None) };
        if array.values.is_empty() {
            return Ok(None);
        }
        let typ = Type::new(array.element);
        let items: Vec<Expr> = array.values.iter().map(|v| Expr::Const(v.clone(), typ)).collect();
        self.in_list(left, items.iter().collect(), negated)
    }

    /// The row interpreter over the columns that the expression names.
    fn by_row(&self, expr: &Expr) -> Result<Arc<dyn PhysicalExpr>> {
        let (mut ids, mut inputs, mut types): (Vec<ColumnId>, Vec<Arc<dyn PhysicalExpr>>, Vec<Type>) =
            Default::default();
        for id in expr.free_columns() {
            let Some((position, typ)) = self.columns.get(&id) else {
                return Err(Error::internal(format!("column c{id} is not in the input")));
            };
            ids.push(id);
            inputs.push(Arc::new(Column::new(self.schema.field(*position).name(), *position)));
            types.push(*typ);
        }
        let compiled = eval::compile(expr, &ids)?;
        Ok(Arc::new(RowExpr::new(inputs, types, compiled, expr.typ(), self.context.clone())))
    }
}
