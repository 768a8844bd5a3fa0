//! [`RowExpr`]: an expression that the row interpreter runs, row by row over Arrow columns; and [`SortKeyExpr`]: the
//! bytes by which values of a type without an Arrow order are compared, grouped and joined.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryViewBuilder};
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;

use crate::document::{Datum, Type, key};
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::eval::Compiled;

use super::physical::{Builder, Physical, Reader};
use super::to_datafusion;

/// Rows between two looks at the cancel flag.
const ROWS_PER_CHECK: usize = 256;

/// An expression run by the row interpreter over the columns that it names.
pub(crate) struct RowExpr {
    inputs: Vec<Arc<dyn PhysicalExpr>>,
    types: Vec<Type>,
    compiled: Arc<Compiled>,
    typ: Type,
    context: EvalContext,
}

impl RowExpr {
    /// `compiled` was compiled against the inputs, in order.
    pub(crate) fn new(
        inputs: Vec<Arc<dyn PhysicalExpr>>,
        types: Vec<Type>,
        compiled: Compiled,
        typ: Type,
        context: EvalContext,
    ) -> Self {
        Self { inputs, types, compiled: Arc::new(compiled), typ, context }
    }

    fn run(&self, arrays: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let readers =
            arrays.iter().zip(&self.types).map(|(a, t)| Reader::new(a.as_ref(), *t)).collect::<Result<Vec<_>>>()?;
        let mut out = Builder::new(self.typ, rows);
        let mut values = vec![Datum::Null; readers.len()];
        for row in 0..rows {
            if row % ROWS_PER_CHECK == 0 {
                self.context.host.check_interrupt()?;
            }
            for (value, reader) in values.iter_mut().zip(&readers) {
                *value = reader.get(row)?;
            }
            out.push(&self.compiled.eval(&values, &[], &self.context)?)?;
        }
        Ok(out.finish())
    }
}

impl fmt::Debug for RowExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row({:?})", self.compiled)
    }
}

impl fmt::Display for RowExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("row(")?;
        for (i, input) in self.inputs.iter().enumerate() {
            write!(f, "{}{input}", if i > 0 { ", " } else { "" })?;
        }
        f.write_str(")")
    }
}

impl PartialEq for RowExpr {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.compiled, &other.compiled) && self.inputs == other.inputs
    }
}

impl Eq for RowExpr {}

impl Hash for RowExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.compiled).hash(state);
        self.inputs.hash(state);
    }
}

impl PhysicalExpr for RowExpr {
    fn data_type(&self, _schema: &Schema) -> DfResult<DataType> {
        Ok(Physical::of(self.typ).data_type())
    }

    fn nullable(&self, _schema: &Schema) -> DfResult<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> DfResult<ColumnarValue> {
        let arrays = self
            .inputs
            .iter()
            .map(|e| e.evaluate(batch)?.into_array(batch.num_rows()))
            .collect::<DfResult<Vec<_>>>()?;
        self.run(&arrays, batch.num_rows()).map(ColumnarValue::Array).map_err(to_datafusion)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.inputs.iter().collect()
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> DfResult<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Self {
            inputs: children,
            types: self.types.clone(),
            compiled: self.compiled.clone(),
            typ: self.typ,
            context: self.context.clone(),
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The bytes by which a value compares: equal bytes are equal values, their order is the values' order. NULL stays NULL.
#[derive(Debug)]
pub(crate) struct SortKeyExpr {
    input: Arc<dyn PhysicalExpr>,
    typ: Type,
}

impl SortKeyExpr {
    /// The key of an expression of this SQL type.
    pub(crate) fn new(input: Arc<dyn PhysicalExpr>, typ: Type) -> Self {
        Self { input, typ }
    }

    fn run(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let reader = Reader::new(array.as_ref(), self.typ)?;
        let mut out = BinaryViewBuilder::with_capacity(array.len());
        let mut bytes = Vec::new();
        for row in 0..array.len() {
            match reader.get(row)? {
                Datum::Null => out.append_null(),
                value => {
                    bytes.clear();
                    sort_key(&value, self.typ, &mut bytes);
                    out.append_value(&bytes);
                }
            }
        }
        Ok(Arc::new(out.finish()))
    }
}

/// Appends the bytes by which a value of a type compares (blanks at the end of `char(n)` do not count).
pub(crate) fn sort_key(value: &Datum, typ: Type, out: &mut Vec<u8>) {
    match value {
        Datum::Text(text) if typ.oid == Type::BPCHAR.oid => {
            key::sort_key(&Datum::text(text.trim_end_matches(' ')), out)
        }
        value => key::sort_key(value, out),
    }
}

impl fmt::Display for SortKeyExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key({})", self.input)
    }
}

impl PartialEq for SortKeyExpr {
    fn eq(&self, other: &Self) -> bool {
        self.input.eq(&other.input) && self.typ == other.typ
    }
}

impl Eq for SortKeyExpr {}

impl Hash for SortKeyExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.typ.hash(state);
    }
}

impl PhysicalExpr for SortKeyExpr {
    fn data_type(&self, _schema: &Schema) -> DfResult<DataType> {
        Ok(DataType::BinaryView)
    }

    fn nullable(&self, _schema: &Schema) -> DfResult<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> DfResult<ColumnarValue> {
        let array = self.input.evaluate(batch)?.into_array(batch.num_rows())?;
        self.run(&array).map(ColumnarValue::Array).map_err(to_datafusion)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> DfResult<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Self { input: children.remove(0), typ: self.typ }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
