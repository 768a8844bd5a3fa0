//! `money`: arithmetic, casts, words.

use crate::document::{Datum, Numeric, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::{Accumulator, Function};
use crate::sql::functions::aggregates::extremes::{max, min};
use crate::sql::functions::define::{Args, aggregate, scalar};
use crate::sql::operators::compare::{eq, ge, gt, le, lt, ne};

const M: Type = Type::MONEY;
const B: Type = Type::BOOL;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(888, "cash_eq", &[M, M], B, eq),
    scalar(889, "cash_ne", &[M, M], B, ne),
    scalar(890, "cash_lt", &[M, M], B, lt),
    scalar(891, "cash_le", &[M, M], B, le),
    scalar(892, "cash_gt", &[M, M], B, gt),
    scalar(893, "cash_ge", &[M, M], B, ge),
    scalar(894, "cash_pl", &[M, M], M, |_, a| checked(money(a, 0)?.checked_add(money(a, 1)?))),
    scalar(895, "cash_mi", &[M, M], M, |_, a| checked(money(a, 0)?.checked_sub(money(a, 1)?))),
    scalar(3822, "cash_div_cash", &[M, M], Type::FLOAT8, div_cash),
    scalar(846, "cash_mul_flt4", &[M, Type::FLOAT4], M, |_, a| times(money(a, 0)?, a.float8(1)?)),
    scalar(847, "cash_div_flt4", &[M, Type::FLOAT4], M, |_, a| over(money(a, 0)?, a.float8(1)?)),
    scalar(848, "flt4_mul_cash", &[Type::FLOAT4, M], M, |_, a| times(money(a, 1)?, a.float8(0)?)),
    scalar(896, "cash_mul_flt8", &[M, Type::FLOAT8], M, |_, a| times(money(a, 0)?, a.float8(1)?)),
    scalar(897, "cash_div_flt8", &[M, Type::FLOAT8], M, |_, a| over(money(a, 0)?, a.float8(1)?)),
    scalar(919, "flt8_mul_cash", &[Type::FLOAT8, M], M, |_, a| times(money(a, 1)?, a.float8(0)?)),
    scalar(862, "int4_mul_cash", &[Type::INT4, M], M, |_, a| checked(money(a, 1)?.checked_mul(a.int8(0)?))),
    scalar(863, "int2_mul_cash", &[Type::INT2, M], M, |_, a| checked(money(a, 1)?.checked_mul(a.int8(0)?))),
    scalar(3399, "int8_mul_cash", &[Type::INT8, M], M, |_, a| checked(money(a, 1)?.checked_mul(a.int8(0)?))),
    scalar(864, "cash_mul_int4", &[M, Type::INT4], M, |_, a| checked(money(a, 0)?.checked_mul(a.int8(1)?))),
    scalar(866, "cash_mul_int2", &[M, Type::INT2], M, |_, a| checked(money(a, 0)?.checked_mul(a.int8(1)?))),
    scalar(3344, "cash_mul_int8", &[M, Type::INT8], M, |_, a| checked(money(a, 0)?.checked_mul(a.int8(1)?))),
    scalar(865, "cash_div_int4", &[M, Type::INT4], M, div_integer),
    scalar(867, "cash_div_int2", &[M, Type::INT2], M, div_integer),
    scalar(3345, "cash_div_int8", &[M, Type::INT8], M, div_integer),
    scalar(898, "cashlarger", &[M, M], M, |_, a| Ok(Datum::Money(money(a, 0)?.max(money(a, 1)?)))),
    scalar(899, "cashsmaller", &[M, M], M, |_, a| Ok(Datum::Money(money(a, 0)?.min(money(a, 1)?)))),
    scalar(935, "cash_words", &[M], Type::TEXT, |_, a| Ok(Datum::text(words(money(a, 0)?)))),
    scalar(3811, "money", &[Type::INT4], M, from_integer).stable(),
    scalar(3812, "money", &[Type::INT8], M, from_integer).stable(),
    scalar(3823, "numeric", &[M], Type::NUMERIC, |_, a| Numeric::from_i64(money(a, 0)?).div(&Numeric::from_i64(100)).and_then(|n| n.round(2)).map(Datum::Numeric)).stable(),
    scalar(3824, "money", &[Type::NUMERIC], M, from_numeric).stable(),
    aggregate(2112, "sum", &[M], M, |_| Box::new(Sum(None))),
    aggregate(2125, "max", &[M], M, max),
    aggregate(2141, "min", &[M], M, min),
];

fn money(args: &[Datum], index: usize) -> Result<i64> {
    match args.at(index) {
        Datum::Money(value) => Ok(*value),
        other => Err(Error::internal(format!("money was expected: {other:?}"))),
    }
}

fn out_of_range() -> Error {
    err!(NUMERIC_VALUE_OUT_OF_RANGE, "money out of range")
}

fn checked(value: Option<i64>) -> Result<Datum> {
    value.map(Datum::Money).ok_or_else(out_of_range)
}

fn zero() -> Error {
    err!(DIVISION_BY_ZERO, "division by zero")
}

fn rounded(value: f64) -> Result<Datum> {
    let value = value.round_ties_even();
    if value.is_nan() || !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
        return Err(out_of_range());
    }
    Ok(Datum::Money(value as i64))
}

fn times(value: i64, factor: f64) -> Result<Datum> {
    rounded(value as f64 * factor)
}

fn over(value: i64, divisor: f64) -> Result<Datum> {
    if divisor == 0.0 { Err(zero()) } else { rounded(value as f64 / divisor) }
}

fn div_integer(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match args.int8(1)? {
        0 => Err(zero()),
        divisor => checked(money(args, 0)?.checked_div(divisor)),
    }
}

fn div_cash(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match money(args, 1)? {
        0 => Err(zero()),
        divisor => Ok(Datum::Float8(money(args, 0)? as f64 / divisor as f64)),
    }
}

fn from_integer(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let value = args.int8(0)?.checked_mul(100);
    value.map(Datum::Money).ok_or_else(|| err!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"))
}

fn from_numeric(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let cents = args.numeric(0)?.mul(&Numeric::from_i64(100))?.round(0)?;
    let text = cents.to_string();
    text.parse().map(Datum::Money).map_err(|_| match text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        true => err!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"),
        false => {
            err!(FEATURE_NOT_SUPPORTED, "cannot convert {} to bigint", if text == "NaN" { "NaN" } else { "infinity" })
        }
    })
}

const SMALL: &[&str] = &[
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: &[&str] = &["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// A number below a thousand, as PostgreSQL's num_word.
fn number(value: u64) -> String {
    let small = |n: u64| SMALL[n as usize];
    let below_hundred = |n: u64| match (n / 10, n % 10) {
        _ if n < 20 => small(n).to_string(),
        (tens, 0) => TENS[tens as usize].to_string(),
        (tens, ones) => format!("{} {}", TENS[tens as usize], small(ones)),
    };
    match (value / 100, value % 100) {
        (0, rest) => below_hundred(rest),
        (hundreds, 0) => format!("{} hundred", small(hundreds)),
        (hundreds, rest) if rest > 10 => format!("{} hundred {}", small(hundreds), below_hundred(rest)),
        (hundreds, rest) => format!("{} hundred and {}", small(hundreds), below_hundred(rest)),
    }
}

/// `cash_words`.
fn words(value: i64) -> String {
    let total = value.unsigned_abs();
    let mut out = String::new();
    if value < 0 {
        out.push_str("minus ");
    }
    let (dollars, cents) = (total / 100, total % 100);
    let groups = [
        (1_000_000_000_000_000, " quadrillion "),
        (1_000_000_000_000, " trillion "),
        (1_000_000_000, " billion "),
        (1_000_000, " million "),
        (1_000, " thousand "),
    ];
    for (size, name) in groups {
        let part = dollars / size % 1000;
        if part > 0 {
            out.push_str(&number(part));
            out.push_str(name);
        }
    }
    if dollars % 1000 > 0 {
        out.push_str(&number(dollars % 1000));
    }
    if dollars == 0 {
        out.push_str("zero");
    }
    let out = out.trim_end();
    let text = format!(
        "{out} dollar{} and {} cent{}",
        if dollars == 1 { "" } else { "s" },
        number(cents),
        if cents == 1 { "" } else { "s" }
    );
    let mut chars = text.chars();
    chars.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

#[derive(Debug)]
struct Sum(Option<i64>);

impl Accumulator for Sum {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let value = money(args, 0)?;
        self.0 = Some(self.0.unwrap_or(0).checked_add(value).ok_or_else(out_of_range)?);
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(self.0.map_or(Datum::Null, Datum::Money))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}
