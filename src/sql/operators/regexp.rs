//! `~`, `!~`, `~*`, `!~*`: regular expressions as [`pattern`](crate::sql::functions) reads them.

use crate::document::Datum;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::functions::pattern::{Options, compile};

fn matches(context: &EvalContext, args: &[Datum], fold: bool) -> Result<bool> {
    match args {
        [Datum::Text(text), Datum::Text(pattern)] => {
            compile(pattern, Options { fold, ..Options::default() })?.is_match(context, text)
        }
        _ => Err(Error::internal("regular expression called with other types")),
    }
}

pub(crate) fn regexeq(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    matches(context, args, false).map(Datum::Bool)
}

pub(crate) fn regexne(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    matches(context, args, false).map(|matched| Datum::Bool(!matched))
}

pub(crate) fn icregexeq(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    matches(context, args, true).map(Datum::Bool)
}

pub(crate) fn icregexne(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    matches(context, args, true).map(|matched| Datum::Bool(!matched))
}
