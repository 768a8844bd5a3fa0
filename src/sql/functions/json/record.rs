//! json_populate_record and json_to_record: rows from JSON need the target row type, which a kernel is not given yet.

use crate::document::{Datum, Type};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Rows, scalar, set};

const E: Type = Type::ANYELEMENT;
const R: Type = Type::RECORD;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(3960, "json_populate_record", &[E, Type::JSON, Type::BOOL], E, record).defaults(1).loose().stable(),
    set(3961, "json_populate_recordset", &[E, Type::JSON, Type::BOOL], E, recordset).defaults(1).loose().stable(),
    scalar(3209, "jsonb_populate_record", &[E, Type::JSONB], E, record).loose().stable(),
    set(3475, "jsonb_populate_recordset", &[E, Type::JSONB], E, recordset).loose().stable(),
    scalar(3204, "json_to_record", &[Type::JSON], R, record).stable(),
    set(3205, "json_to_recordset", &[Type::JSON], R, recordset).loose().stable(),
    scalar(3490, "jsonb_to_record", &[Type::JSONB], R, record).stable(),
    set(3491, "jsonb_to_recordset", &[Type::JSONB], R, recordset).loose().stable(),
];

fn unsupported() -> Error {
    Error::unsupported("a row made from JSON (json_populate_record, json_to_record)")
}

fn record(_: &EvalContext, _: &[Datum]) -> Result<Datum> {
    Err(unsupported())
}

fn recordset(_: &EvalContext, _: &[Datum]) -> Result<Rows> {
    Err(unsupported())
}
