//! string_agg and array_agg.

use crate::document::{Array, Datum, Oid, Type};
use crate::err;
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::{Accumulator, Function};
use crate::sql::functions::define::{Args, aggregate, check_length};

pub(crate) static LIST: &[Function] = &[
    aggregate(3538, "string_agg", &[Type::TEXT, Type::TEXT], Type::TEXT, string_agg).loose(),
    aggregate(3545, "string_agg", &[Type::BYTEA, Type::BYTEA], Type::BYTEA, bytea_agg).loose(),
    aggregate(2335, "array_agg", &[Type::ANYNONARRAY], Type::ANYARRAY, array_agg).loose(),
    aggregate(4053, "array_agg", &[Type::ANYARRAY], Type::ANYARRAY, array_agg_arrays).loose(),
];

#[derive(Debug)]
struct StringAgg {
    text: Option<Vec<u8>>,
    bytea: bool,
}

fn string_agg(_: &[Type]) -> Box<dyn Accumulator> {
    Box::new(StringAgg { text: None, bytea: false })
}

fn bytea_agg(_: &[Type]) -> Box<dyn Accumulator> {
    Box::new(StringAgg { text: None, bytea: true })
}

impl Accumulator for StringAgg {
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()> {
        let bytes = |index| -> Result<&[u8]> {
            match args.at(index) {
                Datum::Null => Ok(&[]),
                Datum::Bytea(bytes) => Ok(bytes),
                _ => args.text(index).map(str::as_bytes),
            }
        };
        if args.at(0).is_null() {
            return Ok(());
        }
        let (value, delimiter) = (bytes(0)?, bytes(1)?);
        match &mut self.text {
            None => self.text = Some(value.to_vec()),
            Some(text) => {
                check_length(context, text.len() + delimiter.len() + value.len())?;
                text.extend_from_slice(delimiter);
                text.extend_from_slice(value);
            }
        }
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(match &self.text {
            None => Datum::Null,
            Some(bytes) if self.bytea => Datum::Bytea(bytes.as_slice().into()),
            Some(bytes) => Datum::text(String::from_utf8_lossy(bytes)),
        })
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.text.as_ref().map_or(0, Vec::capacity)
    }
}

#[derive(Debug)]
struct ArrayAgg {
    element: Oid,
    values: Option<Vec<Datum>>,
    bytes: usize,
}

fn array_agg(types: &[Type]) -> Box<dyn Accumulator> {
    let element = types.first().map_or(Type::TEXT.oid, |typ| typ.oid);
    Box::new(ArrayAgg { element, values: None, bytes: 0 })
}

impl Accumulator for ArrayAgg {
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()> {
        let value = args.at(0).clone();
        self.bytes += size_of::<Datum>() + super::heap_bytes(&value);
        check_length(context, self.bytes)?;
        self.values.get_or_insert_default().push(value);
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(match &self.values {
            None => Datum::Null,
            Some(values) => Datum::Array(Box::new(Array::new(self.element, values.clone()))),
        })
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.bytes
    }
}

/// Arrays of equal dimensions become one with a dimension more.
#[derive(Debug, Default)]
struct ArrayAggArrays {
    inner: Option<(Oid, Vec<(i32, i32)>)>,
    count: i32,
    values: Vec<Datum>,
    bytes: usize,
}

fn array_agg_arrays(_: &[Type]) -> Box<dyn Accumulator> {
    Box::<ArrayAggArrays>::default()
}

impl Accumulator for ArrayAggArrays {
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()> {
        if args.at(0).is_null() {
            return Err(err!(NULL_VALUE_NOT_ALLOWED, "cannot accumulate null arrays"));
        }
        let array = args.array(0)?;
        match &self.inner {
            None if array.dims.is_empty() => {
                return Err(err!(ARRAY_SUBSCRIPT_ERROR, "cannot accumulate empty arrays"));
            }
            None if array.dims.len() >= 6 => {
                return Err(err!(
                    PROGRAM_LIMIT_EXCEEDED,
                    "number of array dimensions ({}) exceeds the maximum allowed (6)",
                    array.dims.len() + 1
                ));
            }
            None => self.inner = Some((array.element, array.dims.clone())),
            Some((_, dims)) if *dims != array.dims => {
                return Err(err!(ARRAY_SUBSCRIPT_ERROR, "cannot accumulate arrays of different dimensionality"));
            }
            Some(_) => {}
        }
        self.bytes += array.values.iter().map(|value| size_of::<Datum>() + super::heap_bytes(value)).sum::<usize>();
        check_length(context, self.bytes)?;
        self.values.extend(array.values.iter().cloned());
        self.count += 1;
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        let Some((element, inner)) = &self.inner else { return Ok(Datum::Null) };
        let mut dims = vec![(self.count, 1)];
        dims.extend_from_slice(inner);
        Ok(Datum::Array(Box::new(Array { element: *element, dims, values: self.values.clone() })))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.bytes
    }
}
