//! [`ArithmeticExpr`]: `+ - * / %` of integers, a batch at a time, with PostgreSQL's errors (22003, 22012).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Int16Type, Int32Type, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;

use crate::err;
use crate::error::{Error, Result};

use super::to_datafusion;

/// Which operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Arithmetic {
    /// The operation of an operator's name.
    pub(crate) fn of(operator: &str) -> Option<Self> {
        Some(match operator {
            "+" => Self::Add,
            "-" => Self::Subtract,
            "*" => Self::Multiply,
            "/" => Self::Divide,
            "%" => Self::Remainder,
            _ => return None,
        })
    }

    fn symbol(self) -> char {
        match self {
            Self::Add => '+',
            Self::Subtract => '-',
            Self::Multiply => '*',
            Self::Divide => '/',
            Self::Remainder => '%',
        }
    }
}

/// An operation on two integer expressions, both widened to the result's type.
#[derive(Debug)]
pub(crate) struct ArithmeticExpr {
    operation: Arithmetic,
    left: Arc<dyn PhysicalExpr>,
    right: Arc<dyn PhysicalExpr>,
    result: DataType,
}

macro_rules! checked {
    ($name:ident, $native:ty) => {
        fn $name(operation: Arithmetic, a: $native, b: $native) -> Result<$native> {
            let result = match operation {
                Arithmetic::Add => a.checked_add(b),
                Arithmetic::Subtract => a.checked_sub(b),
                Arithmetic::Multiply => a.checked_mul(b),
                Arithmetic::Divide | Arithmetic::Remainder if b == 0 => {
                    return Err(err!(DIVISION_BY_ZERO, "division by zero"))
                }
                Arithmetic::Divide => a.checked_div(b),
                // The remainder by -1 is 0, also of the smallest number.
                Arithmetic::Remainder => Some(a.checked_rem(b).unwrap_or(0)),
            };
            result.ok_or_else(|| out_of_range(<$native>::BITS))
        }
    };
}

checked!(checked_i16, i16);
checked!(checked_i32, i32);
checked!(checked_i64, i64);

fn out_of_range(bits: u32) -> Error {
    let name = match bits {
        16 => "smallint",
        32 => "integer",
        _ => "bigint",
    };
    err!(NUMERIC_VALUE_OUT_OF_RANGE, "{name} out of range")
}

fn apply<T: ArrowPrimitiveType>(
    left: &ArrayRef,
    right: &ArrayRef,
    f: impl Fn(T::Native, T::Native) -> Result<T::Native>,
) -> Result<ArrayRef> {
    let (left, right) = (left.as_primitive::<T>(), right.as_primitive::<T>());
    let out: PrimitiveArray<T> = match (left.null_count(), right.null_count()) {
        (0, 0) => {
            let values =
                left.values().iter().zip(right.values()).map(|(a, b)| f(*a, *b)).collect::<Result<Vec<_>>>()?;
            PrimitiveArray::new(values.into(), None)
        }
        _ => left
            .iter()
            .zip(right.iter())
            .map(|(a, b)| a.zip(b).map(|(a, b)| f(a, b)).transpose())
            .collect::<Result<_>>()?,
    };
    Ok(Arc::new(out))
}

impl ArithmeticExpr {
    /// `result` is Int16, Int32 or Int64; the operands are integers no wider.
    pub(crate) fn new(
        operation: Arithmetic,
        left: Arc<dyn PhysicalExpr>,
        right: Arc<dyn PhysicalExpr>,
        result: DataType,
    ) -> Self {
        Self { operation, left, right, result }
    }

    fn operand(&self, expr: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> DfResult<ArrayRef> {
        let array = expr.evaluate(batch)?.into_array(batch.num_rows())?;
        if *array.data_type() == self.result { Ok(array) } else { Ok(cast(&array, &self.result)?) }
    }

    fn run(&self, left: &ArrayRef, right: &ArrayRef) -> Result<ArrayRef> {
        let operation = self.operation;
        match self.result {
            DataType::Int16 => apply::<Int16Type>(left, right, |a, b| checked_i16(operation, a, b)),
            DataType::Int32 => apply::<Int32Type>(left, right, |a, b| checked_i32(operation, a, b)),
            _ => apply::<Int64Type>(left, right, |a, b| checked_i64(operation, a, b)),
        }
    }
}

impl fmt::Display for ArithmeticExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} {} {})", self.left, self.operation.symbol(), self.right)
    }
}

impl PartialEq for ArithmeticExpr {
    fn eq(&self, other: &Self) -> bool {
        self.operation == other.operation
            && self.left.eq(&other.left)
            && self.right.eq(&other.right)
            && self.result == other.result
    }
}

impl Eq for ArithmeticExpr {}

impl Hash for ArithmeticExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.operation.hash(state);
        self.left.hash(state);
        self.right.hash(state);
    }
}

impl PhysicalExpr for ArithmeticExpr {
    fn data_type(&self, _schema: &Schema) -> DfResult<DataType> {
        Ok(self.result.clone())
    }

    fn nullable(&self, _schema: &Schema) -> DfResult<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> DfResult<ColumnarValue> {
        let (left, right) = (self.operand(&self.left, batch)?, self.operand(&self.right, batch)?);
        self.run(&left, &right).map(ColumnarValue::Array).map_err(to_datafusion)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.left, &self.right]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> DfResult<Arc<dyn PhysicalExpr>> {
        let right = children.remove(1);
        Ok(Arc::new(Self { operation: self.operation, left: children.remove(0), right, result: self.result.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_and_division_are_errors_and_the_smallest_number_has_a_remainder() {
        assert_eq!(checked_i32(Arithmetic::Add, i32::MAX, 1).unwrap_err().message(), "integer out of range");
        assert_eq!(checked_i16(Arithmetic::Multiply, 256, 256).unwrap_err().message(), "smallint out of range");
        assert_eq!(checked_i64(Arithmetic::Divide, i64::MIN, -1).unwrap_err().message(), "bigint out of range");
        assert_eq!(checked_i64(Arithmetic::Remainder, i64::MIN, -1), Ok(0));
        assert_eq!(checked_i32(Arithmetic::Divide, 1, 0).unwrap_err().code().as_str(), "22012");
        assert_eq!(checked_i32(Arithmetic::Divide, -7, 2), Ok(-3));
    }
}
