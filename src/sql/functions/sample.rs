//! TABLESAMPLE: the condition that its rows meet. Not in the catalogue: only the binder makes these calls.

use super::define::{Args, scalar};
use crate::document::{Datum, Type};
use crate::err;
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::Function;

/// `sampled(percent, draw)`: whether a row with this draw from [0, 1) is in a sample of so many percent.
pub(crate) static SAMPLED: Function =
    scalar(10_000_001, "tablesample", &[Type::FLOAT8, Type::FLOAT8], Type::BOOL, sampled).loose();

/// `draw(locator, seed)`: the draw of a row under REPEATABLE, the same for the same row and seed.
pub(crate) static SAMPLE_DRAW: Function =
    scalar(10_000_002, "tablesample_draw", &[Type::BYTEA, Type::FLOAT8], Type::FLOAT8, draw).loose();

fn sampled(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(0).is_null() {
        return Err(err!(INVALID_TABLESAMPLE_ARGUMENT, "TABLESAMPLE parameter cannot be null"));
    }
    let percent = args.float8(0)?;
    if !(0.0..=100.0).contains(&percent) {
        return Err(err!(INVALID_TABLESAMPLE_ARGUMENT, "sample percentage must be between 0 and 100"));
    }
    Ok(Datum::Bool(args.float8(1)? * 100.0 < percent))
}

fn draw(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(1).is_null() {
        return Err(err!(INVALID_TABLESAMPLE_REPEAT, "TABLESAMPLE REPEATABLE parameter cannot be null"));
    }
    // FNV-1a over the seed and the locator, its bits mixed as splitmix64 does.
    let mut hash = args.float8(1)?.to_bits() ^ 0xcbf2_9ce4_8422_2325;
    for byte in args.bytea(0)? {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    Ok(Datum::Float8((hash >> 11) as f64 / (1u64 << 53) as f64))
}
