//! Length, case, padding, trimming, parts, search and replacement of text.

use crate::document::{Datum, Type};
use crate::err;
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, check_length, scalar};

const T: Type = Type::TEXT;
const I: Type = Type::INT4;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(1317, "length", &[T], I, char_length),
    scalar(1318, "length", &[Type::BPCHAR], I, bpchar_length),
    scalar(1381, "char_length", &[T], I, char_length),
    scalar(1372, "char_length", &[Type::BPCHAR], I, bpchar_length),
    scalar(1369, "character_length", &[T], I, char_length),
    scalar(1367, "character_length", &[Type::BPCHAR], I, bpchar_length),
    scalar(1257, "textlen", &[T], I, char_length),
    scalar(1374, "octet_length", &[T], I, octet_length),
    scalar(1375, "octet_length", &[Type::BPCHAR], I, octet_length),
    scalar(1811, "bit_length", &[T], I, bit_length),
    scalar(870, "lower", &[T], T, lower),
    scalar(871, "upper", &[T], T, upper),
    scalar(872, "initcap", &[T], T, initcap),
    scalar(6412, "casefold", &[T], T, casefold),
    scalar(3060, "left", &[T, I], T, left),
    scalar(3061, "right", &[T, I], T, right),
    scalar(873, "lpad", &[T, I, T], T, lpad),
    scalar(879, "lpad", &[T, I], T, lpad),
    scalar(874, "rpad", &[T, I, T], T, rpad),
    scalar(880, "rpad", &[T, I], T, rpad),
    scalar(875, "ltrim", &[T, T], T, ltrim),
    scalar(881, "ltrim", &[T], T, ltrim),
    scalar(876, "rtrim", &[T, T], T, rtrim),
    scalar(882, "rtrim", &[T], T, rtrim),
    scalar(884, "btrim", &[T, T], T, btrim),
    scalar(885, "btrim", &[T], T, btrim),
    scalar(877, "substr", &[T, I, I], T, substring),
    scalar(883, "substr", &[T, I], T, substring),
    scalar(936, "substring", &[T, I, I], T, substring),
    scalar(937, "substring", &[T, I], T, substring),
    scalar(1404, "overlay", &[T, T, I, I], T, overlay),
    scalar(1405, "overlay", &[T, T, I], T, overlay),
    scalar(849, "position", &[T, T], I, strpos),
    scalar(868, "strpos", &[T, T], I, strpos),
    scalar(3696, "starts_with", &[T, T], Type::BOOL, starts_with),
    scalar(2087, "replace", &[T, T, T], T, replace),
    scalar(878, "translate", &[T, T, T], T, translate),
    scalar(3062, "reverse", &[T], T, reverse),
    scalar(1622, "repeat", &[T, I], T, repeat),
    scalar(1620, "ascii", &[T], I, ascii),
    scalar(1621, "chr", &[I], T, chr),
    scalar(2089, "to_hex", &[I], T, to_hex),
    scalar(2090, "to_hex", &[Type::INT8], T, to_hex),
    scalar(6330, "to_bin", &[I], T, to_bin),
    scalar(6331, "to_bin", &[Type::INT8], T, to_bin),
    scalar(6332, "to_oct", &[I], T, to_oct),
    scalar(6333, "to_oct", &[Type::INT8], T, to_oct),
];

/// A length or position as int4; values are at most 1 GB long.
pub(crate) fn int4(length: usize) -> Datum {
    Datum::Int4(i32::try_from(length).unwrap_or(i32::MAX))
}

pub(crate) fn char_length(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(int4(args.text(0)?.chars().count()))
}

fn bpchar_length(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(int4(args.text(0)?.trim_end_matches(' ').chars().count()))
}

fn octet_length(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(int4(args.text(0)?.len()))
}

fn bit_length(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(int4(args.text(0)?.len() * 8))
}

/// Simple (one to one) case mapping, as the builtin C.UTF-8 provider does: `upper('ß')` is `ß`.
fn map_case(text: &str, map: fn(char) -> char) -> String {
    text.chars().map(map).collect()
}

pub(crate) fn simple_lower(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    // The only character whose full mapping differs from the simple one downwards.
    if c == '\u{130}' {
        return 'i';
    }
    let mut mapped = c.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(lower), None) => lower,
        _ => c,
    }
}

pub(crate) fn simple_upper(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(upper), None) => upper,
        // The Greek letters with iota subscript have a simple titlecase mapping although the full one is two characters.
        _ => simple_upper_of_special(c),
    }
}

fn simple_upper_of_special(c: char) -> char {
    let code = c as u32;
    let upper = match code {
        0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7 => code + 8,
        0x1fb3 | 0x1fc3 | 0x1ff3 => code + 9,
        _ => code,
    };
    char::from_u32(upper).unwrap_or(c)
}

fn lower(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::text(map_case(args.text(0)?, simple_lower)))
}

fn upper(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::text(map_case(args.text(0)?, simple_upper)))
}

fn casefold(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::text(map_case(args.text(0)?, |c| match c {
        // Fold to the common lower form what lower() keeps apart.
        '\u{130}' => c,
        'ς' => 'σ',
        'ſ' => 's',
        '\u{b5}' => 'μ',
        _ => simple_lower(simple_upper_for_fold(c)),
    })))
}

/// Characters such as U+0345 or the variant symbols of Greek fold through their upper case.
fn simple_upper_for_fold(c: char) -> char {
    match c {
        '\u{345}' | 'ϐ' | 'ϑ' | 'ϕ' | 'ϖ' | 'ϰ' | 'ϱ' | 'ϵ' | '\u{1e9b}' | '\u{1fbe}' => simple_upper(c),
        _ => c,
    }
}

fn initcap(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let mut in_word = false;
    let text: String = args
        .text(0)?
        .chars()
        .map(|c| {
            let mapped = if in_word { simple_lower(c) } else { simple_upper(c) };
            in_word = c.is_alphabetic() || c.is_ascii_digit();
            mapped
        })
        .collect();
    Ok(Datum::text(text))
}

/// The byte offset of the `n`-th character (from 0), the length when there are fewer.
pub(crate) fn offset_of(text: &str, n: usize) -> usize {
    if text.is_ascii() {
        return n.min(text.len());
    }
    text.char_indices().nth(n).map_or(text.len(), |(offset, _)| offset)
}

/// A count from the left; negative ones count from the end.
fn prefix_length(text: &str, n: i32) -> usize {
    if n >= 0 {
        return offset_of(text, n as usize);
    }
    let length = text.chars().count();
    offset_of(text, length.saturating_sub(n.unsigned_abs() as usize))
}

fn left(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let text = args.text(0)?;
    Ok(Datum::text(&text[..prefix_length(text, args.int4(1)?)]))
}

fn right(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (text, n) = (args.text(0)?, args.int4(1)?);
    let start = match n {
        // PostgreSQL negates in 32 bits, where this one stays what it is.
        i32::MIN => 0,
        0 => text.len(),
        n => prefix_length(text, -n),
    };
    Ok(Datum::text(&text[start..]))
}

/// What pads `text` to `length` characters, and the text cut to it.
fn padding<'a>(context: &EvalContext, args: &'a [Datum]) -> Result<(String, &'a str)> {
    let text = args.text(0)?;
    let length = usize::try_from(args.int4(1)?).unwrap_or(0);
    let fill = if args.len() > 2 { args.text(2)? } else { " " };
    let present = text.chars().count();
    if present >= length {
        return Ok((String::new(), &text[..offset_of(text, length)]));
    }
    if fill.is_empty() {
        return Ok((String::new(), text));
    }
    // PostgreSQL counts four bytes a character here.
    check_length(context, length.saturating_mul(4))?;
    Ok((fill.chars().cycle().take(length - present).collect(), text))
}

fn lpad(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (pad, text) = padding(context, args)?;
    Ok(Datum::text(pad + text))
}

fn rpad(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (pad, text) = padding(context, args)?;
    Ok(Datum::text(text.to_owned() + &pad))
}

fn trim(args: &[Datum], from_left: bool, from_right: bool) -> Result<Datum> {
    let mut text = args.text(0)?;
    let set = if args.len() > 1 { args.text(1)? } else { " " };
    let in_set = |c: char| set.contains(c);
    if from_left {
        text = text.trim_start_matches(in_set);
    }
    if from_right {
        text = text.trim_end_matches(in_set);
    }
    Ok(Datum::text(text))
}

fn ltrim(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    trim(args, true, false)
}

fn rtrim(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    trim(args, false, true)
}

fn btrim(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    trim(args, true, true)
}

/// The half-open range from 0 that `substring(from start for length)` means; positions before 1 eat of the length.
pub(crate) fn substring_range(start: i32, length: Option<i32>) -> Result<(usize, usize)> {
    let from = usize::try_from(start.saturating_sub(1)).unwrap_or(0);
    let Some(length) = length else { return Ok((from, usize::MAX)) };
    if length < 0 {
        return Err(err!(SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let end = i64::from(start) + i64::from(length) - 1;
    Ok((from, usize::try_from(end).unwrap_or(0).max(from)))
}

fn optional_int4(args: &[Datum], index: usize) -> Result<Option<i32>> {
    if args.len() > index { args.int4(index).map(Some) } else { Ok(None) }
}

fn substring(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let text = args.text(0)?;
    let (from, to) = substring_range(args.int4(1)?, optional_int4(args, 2)?)?;
    let start = offset_of(text, from);
    let end = if to == usize::MAX { text.len() } else { start + offset_of(&text[start..], to - from) };
    Ok(Datum::text(&text[start..end]))
}

fn overlay(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (text, new, start) = (args.text(0)?, args.text(1)?, args.int4(2)?);
    let length = match optional_int4(args, 3)? {
        Some(length) => length,
        None => new.chars().count() as i32,
    };
    if start <= 0 {
        return Err(err!(SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let after = start.checked_add(length).ok_or_else(|| err!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
    let head = &text[..offset_of(text, start as usize - 1)];
    let tail = &text[offset_of(text, usize::try_from(after - 1).unwrap_or(0))..];
    check_length(context, head.len() + new.len() + tail.len())?;
    Ok(Datum::text([head, new, tail].concat()))
}

fn strpos(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (text, part) = (args.text(0)?, args.text(1)?);
    Ok(int4(text.find(part).map_or(0, |offset| text[..offset].chars().count() + 1)))
}

fn starts_with(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(args.text(0)?.starts_with(args.text(1)?)))
}

fn replace(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (text, from, to) = (args.text(0)?, args.text(1)?, args.text(2)?);
    if from.is_empty() || text.is_empty() {
        return Ok(args.at(0).clone());
    }
    if to.len() > from.len() {
        let hits = text.matches(from).count();
        check_length(context, text.len() + hits.saturating_mul(to.len() - from.len()))?;
    }
    Ok(Datum::text(text.replace(from, to)))
}

fn translate(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (text, from, to) = (args.text(0)?, args.text(1)?, args.text(2)?);
    let mut map = std::collections::HashMap::new();
    let mut targets = to.chars();
    for c in from.chars() {
        let target = targets.next();
        map.entry(c).or_insert(target);
    }
    let text: String = text.chars().filter_map(|c| map.get(&c).copied().unwrap_or(Some(c))).collect();
    Ok(Datum::text(text))
}

fn reverse(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::text(args.text(0)?.chars().rev().collect::<String>()))
}

fn repeat(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (text, count) = (args.text(0)?, usize::try_from(args.int4(1)?).unwrap_or(0));
    check_length(context, text.len().saturating_mul(count))?;
    Ok(Datum::text(text.repeat(count)))
}

fn ascii(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Int4(args.text(0)?.chars().next().map_or(0, |c| c as i32)))
}

fn chr(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let code = args.int4(0)?;
    if code < 0 {
        return Err(err!(INVALID_PARAMETER_VALUE, "character number must be positive"));
    }
    if code == 0 {
        return Err(err!(PROGRAM_LIMIT_EXCEEDED, "null character not permitted"));
    }
    if code > 0x10ffff {
        return Err(err!(PROGRAM_LIMIT_EXCEEDED, "requested character too large for encoding: {code}"));
    }
    let c = char::from_u32(code as u32)
        .ok_or_else(|| err!(PROGRAM_LIMIT_EXCEEDED, "requested character not valid for encoding: {code}"))?;
    Ok(Datum::text(c.to_string()))
}

/// The two's complement of the argument's own width.
fn bits(args: &[Datum]) -> Result<u64> {
    match args.at(0) {
        Datum::Int4(value) => Ok(u64::from(*value as u32)),
        _ => Ok(args.int8(0)? as u64),
    }
}

fn to_hex(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::text(format!("{:x}", bits(args)?)))
}

fn to_bin(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::text(format!("{:b}", bits(args)?)))
}

fn to_oct(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::text(format!("{:o}", bits(args)?)))
}
