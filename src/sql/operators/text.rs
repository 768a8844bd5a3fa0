//! `||` of text and bytea, and `^@`.

use crate::document::Datum;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::{err, sql::io};

fn concat(a: &str, b: &str) -> Datum {
    let mut text = String::with_capacity(a.len() + b.len());
    text.push_str(a);
    text.push_str(b);
    Datum::Text(text.into())
}

pub(crate) fn textcat(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Text(a), Datum::Text(b)] if a.len() + b.len() > context.host.memory_limit() => {
            Err(err!(PROGRAM_LIMIT_EXCEEDED, "requested length too large"))
        }
        [Datum::Text(a), Datum::Text(b)] => Ok(concat(a, b)),
        _ => Err(Error::internal("text kernel called with other types")),
    }
}

pub(crate) fn byteacat(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Bytea(a), Datum::Bytea(b)] => Ok(Datum::Bytea([&**a, &**b].concat().into())),
        _ => Err(Error::internal("bytea kernel called with other types")),
    }
}

/// `text || anynonarray` and `anynonarray || text`: the other side as its cast to text.
pub(crate) fn anytextcat(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut text = String::new();
    for arg in args {
        match arg {
            Datum::Text(part) => text.push_str(part),
            Datum::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
            other => io::output(other, io::natural_type(other), context, &mut text),
        }
    }
    Ok(Datum::Text(text.into()))
}

pub(crate) fn text_starts_with(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args {
        [Datum::Text(a), Datum::Text(b)] => Ok(Datum::Bool(a.starts_with(&**b))),
        _ => Err(Error::internal("text kernel called with other types")),
    }
}
