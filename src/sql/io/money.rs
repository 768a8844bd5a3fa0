//! `money` as text, in the C locale: `-$1,234.56`.

use crate::err;
use crate::error::Result;

use super::number::is_space;

/// `cash_in`.
pub(crate) fn money_in(text: &str) -> Result<i64> {
    let invalid = || err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type money: \"{text}\"");
    let range = || err!(NUMERIC_VALUE_OUT_OF_RANGE, "value \"{text}\" is out of range for type money");
    let mut rest = text.trim_start_matches(is_space);
    let skip = |rest: &mut &str, c: char| match rest.strip_prefix(c) {
        Some(tail) => {
            *rest = tail;
            true
        }
        None => false,
    };
    skip(&mut rest, '$');
    rest = rest.trim_start_matches(is_space);
    let mut negative = skip(&mut rest, '-') || skip(&mut rest, '(');
    if !negative {
        skip(&mut rest, '+');
    }
    rest = rest.trim_start_matches(is_space);
    skip(&mut rest, '$');
    rest = rest.trim_start_matches(is_space);
    // Counted downwards: the least value has no positive one.
    let mut value: i64 = 0;
    let (mut decimals, mut seen_point, mut digits) = (0, false, 0);
    while let Some(c) = rest.chars().next() {
        match c {
            '0'..='9' if !seen_point || decimals < 2 => {
                let digit = i64::from(c as u8 - b'0');
                value = value.checked_mul(10).and_then(|v| v.checked_sub(digit)).ok_or_else(range)?;
                decimals += i32::from(seen_point);
                digits += 1;
            }
            '0'..='9' => {
                if c >= '5' && decimals == 2 {
                    value = value.checked_sub(1).ok_or_else(range)?;
                }
                decimals += 1;
                // Only the first digit that is cut off decides.
                decimals = decimals.max(3);
            }
            '.' if !seen_point => seen_point = true,
            ',' => {}
            _ => break,
        }
        rest = &rest[1..];
    }
    while decimals < 2 {
        value = value.checked_mul(10).ok_or_else(range)?;
        decimals += 1;
    }
    for c in rest.chars() {
        match c {
            ')' | '$' => {}
            '-' => negative = true,
            '+' => {}
            c if is_space(c) => {}
            _ => return Err(invalid()),
        }
    }
    if digits == 0 && !seen_point && text.trim_matches(is_space).is_empty() {
        return Err(invalid());
    }
    if digits == 0 {
        return Err(invalid());
    }
    if negative { Ok(value) } else { value.checked_neg().ok_or_else(range) }
}

/// `cash_out`.
pub(crate) fn money_out(value: i64, out: &mut String) {
    if value < 0 {
        out.push('-');
    }
    out.push('$');
    let (whole, cents) = (value.unsigned_abs() / 100, value.unsigned_abs() % 100);
    let digits = whole.to_string();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(c);
    }
    out.push_str(&format!(".{cents:02}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_read_and_written() {
        for (text, shown) in [
            ("123", "$123.00"),
            ("$1,234.567", "$1,234.57"),
            ("-12.345", "-$12.35"),
            ("($0.01)", "-$0.01"),
            ("92233720368547758.07", "$92,233,720,368,547,758.07"),
            ("-92233720368547758.08", "-$92,233,720,368,547,758.08"),
            ("1.449", "$1.45"),
        ] {
            let mut out = String::new();
            money_out(money_in(text).unwrap(), &mut out);
            assert_eq!(out, shown, "{text}");
        }
        assert!(money_in("").is_err() && money_in("1x").is_err() && money_in("92233720368547758.08").is_err());
    }
}
