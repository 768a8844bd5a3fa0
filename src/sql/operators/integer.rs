//! Integer arithmetic and bits; overflow is an error (22003), division by zero another (22012).

use crate::document::Datum;
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;

/// What kernels are given by the binder always has the declared types.
macro_rules! unexpected {
    ($args:expr) => {
        Err(Error::internal(format!("integer kernel called with {:?}", $args)))
    };
}

fn out_of_range(name: &str) -> Error {
    err!(NUMERIC_VALUE_OUT_OF_RANGE, "{name} out of range")
}

fn division_by_zero() -> Error {
    err!(DIVISION_BY_ZERO, "division by zero")
}

trait Integer: Copy {
    const NAME: &'static str;
    fn datum(self) -> Datum;
}

macro_rules! integer_types {
    ($($t:ty, $variant:ident, $name:literal;)*) => {$(
        impl Integer for $t {
            const NAME: &'static str = $name;
            fn datum(self) -> Datum {
                Datum::$variant(self)
            }
        }
    )*};
}

integer_types! {
    i16, Int2, "smallint";
    i32, Int4, "integer";
    i64, Int8, "bigint";
}

fn checked<T: Integer>(value: Option<T>) -> Result<Datum> {
    value.map(T::datum).ok_or_else(|| out_of_range(T::NAME))
}

/// Kernels over two integers that are widened to `$t`.
macro_rules! binary {
    ($($name:ident: $a:ident, $b:ident => $t:ty, $f:expr;)*) => {$(
        pub(crate) fn $name(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            let f: fn($t, $t) -> Result<Datum> = $f;
            match args {
                [Datum::$a(a), Datum::$b(b)] => f(<$t>::from(*a), <$t>::from(*b)),
                _ => unexpected!(args),
            }
        }
    )*};
}

macro_rules! arithmetic {
    ($($add:ident $sub:ident $mul:ident $div:ident: $a:ident, $b:ident => $t:ty;)*) => {$(
        binary! {
            $add: $a, $b => $t, |a, b| checked(a.checked_add(b));
            $sub: $a, $b => $t, |a, b| checked(a.checked_sub(b));
            $mul: $a, $b => $t, |a, b| checked(a.checked_mul(b));
            $div: $a, $b => $t, |a, b| if b == 0 { Err(division_by_zero()) } else { checked(a.checked_div(b)) };
        }
    )*};
}

arithmetic! {
    int2pl int2mi int2mul int2div: Int2, Int2 => i16;
    int4pl int4mi int4mul int4div: Int4, Int4 => i32;
    int8pl int8mi int8mul int8div: Int8, Int8 => i64;
    int24pl int24mi int24mul int24div: Int2, Int4 => i32;
    int42pl int42mi int42mul int42div: Int4, Int2 => i32;
    int48pl int48mi int48mul int48div: Int4, Int8 => i64;
    int84pl int84mi int84mul int84div: Int8, Int4 => i64;
    int28pl int28mi int28mul int28div: Int2, Int8 => i64;
    int82pl int82mi int82mul int82div: Int8, Int2 => i64;
}

macro_rules! bits {
    ($($modulo:ident $and:ident $or:ident $xor:ident: $v:ident => $t:ty;)*) => {$(
        binary! {
            $modulo: $v, $v => $t, |a, b| if b == 0 { Err(division_by_zero()) } else { Ok(Datum::$v(a.wrapping_rem(b))) };
            $and: $v, $v => $t, |a, b| Ok(Datum::$v(a & b));
            $or: $v, $v => $t, |a, b| Ok(Datum::$v(a | b));
            $xor: $v, $v => $t, |a, b| Ok(Datum::$v(a ^ b));
        }
    )*};
}

bits! {
    int2mod int2and int2or int2xor: Int2 => i16;
    int4mod int4and int4or int4xor: Int4 => i32;
    int8mod int8and int8or int8xor: Int8 => i64;
}

/// Shifts take the count modulo the width, as the machine does.
macro_rules! shifts {
    ($($name:ident: $v:ident, $f:expr;)*) => {$(
        pub(crate) fn $name(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            match args {
                [Datum::$v(a), Datum::Int4(b)] => Ok(Datum::$v($f(*a, *b as u32))),
                _ => unexpected!(args),
            }
        }
    )*};
}

shifts! {
    int2shl: Int2, |a: i16, b| i32::from(a).wrapping_shl(b) as i16;
    int2shr: Int2, |a: i16, b| i32::from(a).wrapping_shr(b) as i16;
    int4shl: Int4, i32::wrapping_shl;
    int4shr: Int4, i32::wrapping_shr;
    int8shl: Int8, i64::wrapping_shl;
    int8shr: Int8, i64::wrapping_shr;
}

macro_rules! unary {
    ($($negate:ident $plus:ident $absolute:ident $not:ident: $v:ident;)*) => {$(
        pub(crate) fn $negate(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            match args {
                [Datum::$v(a)] => checked(a.checked_neg()),
                _ => unexpected!(args),
            }
        }
        pub(crate) fn $plus(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            match args {
                [Datum::$v(a)] => Ok(Datum::$v(*a)),
                _ => unexpected!(args),
            }
        }
        pub(crate) fn $absolute(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            match args {
                [Datum::$v(a)] => checked(a.checked_abs()),
                _ => unexpected!(args),
            }
        }
        pub(crate) fn $not(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            match args {
                [Datum::$v(a)] => Ok(Datum::$v(!*a)),
                _ => unexpected!(args),
            }
        }
    )*};
}

unary! {
    int2um int2up int2abs int2not: Int2;
    int4um int4up int4abs int4not: Int4;
    int8um int8up int8abs int8not: Int8;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(kernel: crate::sql::function::ScalarFn, args: &[Datum]) -> Result<Datum> {
        kernel(&EvalContext::detached(Default::default()), args)
    }

    #[test]
    fn overflow_and_division_are_errors() {
        let message = |result: Result<Datum>| result.unwrap_err().message().to_string();
        assert_eq!(message(run(int4pl, &[Datum::Int4(i32::MAX), Datum::Int4(1)])), "integer out of range");
        assert_eq!(message(run(int2mul, &[Datum::Int2(300), Datum::Int2(300)])), "smallint out of range");
        assert_eq!(message(run(int8um, &[Datum::Int8(i64::MIN)])), "bigint out of range");
        assert_eq!(message(run(int84div, &[Datum::Int8(1), Datum::Int4(0)])), "division by zero");
        assert_eq!(message(run(int4div, &[Datum::Int4(i32::MIN), Datum::Int4(-1)])), "integer out of range");
        assert_eq!(run(int4mod, &[Datum::Int4(i32::MIN), Datum::Int4(-1)]).unwrap(), Datum::Int4(0));
        assert_eq!(run(int4mod, &[Datum::Int4(-7), Datum::Int4(3)]).unwrap(), Datum::Int4(-1));
        assert_eq!(run(int2shl, &[Datum::Int2(1), Datum::Int4(15)]).unwrap(), Datum::Int2(i16::MIN));
    }
}
