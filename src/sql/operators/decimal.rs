//! `numeric` arithmetic.

use crate::document::{Datum, Numeric};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;

macro_rules! binary {
    ($($name:ident: $f:expr;)*) => {$(
        pub(crate) fn $name(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            let f: fn(&Numeric, &Numeric) -> Result<Numeric> = $f;
            match args {
                [Datum::Numeric(a), Datum::Numeric(b)] => f(a, b).map(Datum::Numeric),
                _ => Err(Error::internal("numeric kernel called with other types")),
            }
        }
    )*};
}

binary! {
    numeric_add: Numeric::add;
    numeric_sub: Numeric::sub;
    numeric_mul: Numeric::mul;
    numeric_div: Numeric::div;
    numeric_mod: Numeric::rem;
    numeric_power: Numeric::power;
}

macro_rules! unary {
    ($($name:ident: $f:expr;)*) => {$(
        pub(crate) fn $name(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            let f: fn(&Numeric) -> Numeric = $f;
            match args {
                [Datum::Numeric(a)] => Ok(Datum::Numeric(f(a))),
                _ => Err(Error::internal("numeric kernel called with another type")),
            }
        }
    )*};
}

unary! {
    numeric_abs: Numeric::abs;
    numeric_uminus: Numeric::neg;
    numeric_uplus: Numeric::clone;
}
