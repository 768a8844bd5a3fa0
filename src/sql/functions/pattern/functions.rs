//! regexp_replace, regexp_match and the others, and substring(text, pattern).

use super::similar::substring_pattern;
use super::{Captures, Matcher, Options, compile};
use crate::document::{Datum, Type};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, Rows, check_length, scalar, set, text_array};

const T: Type = Type::TEXT;
const I: Type = Type::INT4;
const A: Type = Type::TEXT_ARRAY;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(2073, "substring", &[T, T], T, substring),
    scalar(2074, "substring", &[T, T, T], T, substring_similar),
    scalar(2284, "regexp_replace", &[T, T, T], T, replace_with_flags),
    scalar(2285, "regexp_replace", &[T, T, T, T], T, replace_with_flags),
    scalar(6251, "regexp_replace", &[T, T, T, I, I, T], T, replace_from),
    scalar(6252, "regexp_replace", &[T, T, T, I, I], T, replace_from),
    scalar(6253, "regexp_replace", &[T, T, T, I], T, replace_from),
    scalar(3396, "regexp_match", &[T, T], A, regexp_match),
    scalar(3397, "regexp_match", &[T, T, T], A, regexp_match),
    set(2763, "regexp_matches", &[T, T], A, regexp_matches),
    set(2764, "regexp_matches", &[T, T, T], A, regexp_matches),
    scalar(2767, "regexp_split_to_array", &[T, T], A, split_to_array),
    scalar(2768, "regexp_split_to_array", &[T, T, T], A, split_to_array),
    set(2765, "regexp_split_to_table", &[T, T], T, split_to_table),
    set(2766, "regexp_split_to_table", &[T, T, T], T, split_to_table),
    scalar(6254, "regexp_count", &[T, T], I, count),
    scalar(6255, "regexp_count", &[T, T, I], I, count),
    scalar(6256, "regexp_count", &[T, T, I, T], I, count),
    scalar(6257, "regexp_instr", &[T, T], I, instr),
    scalar(6258, "regexp_instr", &[T, T, I], I, instr),
    scalar(6259, "regexp_instr", &[T, T, I, I], I, instr),
    scalar(6260, "regexp_instr", &[T, T, I, I, I], I, instr),
    scalar(6261, "regexp_instr", &[T, T, I, I, I, T], I, instr),
    scalar(6262, "regexp_instr", &[T, T, I, I, I, T, I], I, instr),
    scalar(6263, "regexp_like", &[T, T], Type::BOOL, like),
    scalar(6264, "regexp_like", &[T, T, T], Type::BOOL, like),
    scalar(6265, "regexp_substr", &[T, T], T, substr),
    scalar(6266, "regexp_substr", &[T, T, I], T, substr),
    scalar(6267, "regexp_substr", &[T, T, I, I], T, substr),
    scalar(6268, "regexp_substr", &[T, T, I, I, T], T, substr),
    scalar(6269, "regexp_substr", &[T, T, I, I, T, I], T, substr),
];

/// The flags argument, when it is there: options and whether `g` is among them.
fn flags(args: &[Datum], index: usize) -> Result<(Options, bool)> {
    let (mut options, mut global) = (Options::default(), false);
    if args.len() <= index {
        return Ok((options, global));
    }
    for flag in args.text(index)?.chars() {
        match flag {
            'g' => global = true,
            'b' => return Err(Error::unsupported("a basic regular expression (flag \"b\")")),
            'c' => options.fold = false,
            'e' => options.extended = true,
            'i' => options.fold = true,
            'm' | 'n' => (options.newline_stops, options.newline_anchors) = (true, true),
            'p' => (options.newline_stops, options.newline_anchors) = (true, false),
            'q' => options.literal = true,
            's' => (options.newline_stops, options.newline_anchors) = (false, false),
            't' => options.expanded = false,
            'w' => (options.newline_stops, options.newline_anchors) = (false, true),
            'x' => options.expanded = true,
            _ => return Err(err!(INVALID_PARAMETER_VALUE, "invalid regular expression option: \"{flag}\"")),
        }
    }
    Ok((options, global))
}

/// Flags of a function that has no use for `g`.
fn flags_of(name: &str, args: &[Datum], index: usize) -> Result<Options> {
    let (options, global) = flags(args, index)?;
    if global {
        return Err(err!(INVALID_PARAMETER_VALUE, "{name}() does not support the \"global\" option"));
    }
    Ok(options)
}

/// An integer argument with a default and a smallest (and largest) value.
fn number(args: &[Datum], index: usize, name: &str, default: i32, range: std::ops::RangeInclusive<i32>) -> Result<i32> {
    if args.len() <= index {
        return Ok(default);
    }
    let value = args.int4(index)?;
    if !range.contains(&value) {
        return Err(err!(INVALID_PARAMETER_VALUE, "invalid value for parameter \"{name}\": {value}"));
    }
    Ok(value)
}

fn captured(matcher: &Matcher, range: Option<(usize, usize)>) -> Datum {
    range.map_or(Datum::Null, |(start, end)| Datum::text(matcher.slice(start, end)))
}

/// The groups, or the whole match when there are none.
fn captures_array(matcher: &Matcher, captures: &Captures) -> Datum {
    let wanted = if captures.len() > 1 { &captures[1..] } else { &captures[..] };
    text_array(wanted.iter().map(|range| captured(matcher, *range)))
}

fn substring(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    substring_of(context, args.text(0)?, args.text(1)?)
}

fn substring_similar(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    substring_of(context, args.text(0)?, &substring_pattern(args.text(1)?, args.text(2)?)?)
}

fn substring_of(context: &EvalContext, text: &str, pattern: &str) -> Result<Datum> {
    let regex = compile(pattern, Options::default())?;
    let matcher = Matcher::new(&regex, context, text);
    let Some(captures) = matcher.find(0)? else { return Ok(Datum::Null) };
    Ok(captured(&matcher, captures[usize::from(captures.len() > 1)]))
}

fn regexp_match(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let options = flags_of("regexp_match", args, 2).map_err(|error| match error.code() {
        crate::error::SqlState::INVALID_PARAMETER_VALUE if error.message().contains("global") => {
            error.hint("Use the regexp_matches function instead.")
        }
        _ => error,
    })?;
    let regex = compile(args.text(1)?, options)?;
    let matcher = Matcher::new(&regex, context, args.text(0)?);
    Ok(matcher.find(0)?.map_or(Datum::Null, |captures| captures_array(&matcher, &captures)))
}

/// All matches (or the first), from a character position on. A split wants no empty match at the start, at the end or
/// right after the match before.
fn all_matches(
    context: &EvalContext,
    matcher: &Matcher,
    from: usize,
    global: bool,
    split: bool,
) -> Result<Vec<Captures>> {
    let mut matches = Vec::new();
    let (mut search, mut previous_end) = (from, 0);
    while let Some(captures) = matcher.find(search)? {
        let (start, end) = captures[0].unwrap_or_default();
        if !split || start < matcher.len() && end > previous_end {
            matches.push(captures);
        }
        previous_end = end;
        search = end + usize::from(start == end);
        if !global || search > matcher.len() {
            break;
        }
        context.host.check_interrupt()?;
        check_length(context, matches.len() * 64)?;
    }
    Ok(matches)
}

fn regexp_matches(context: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let (options, global) = flags(args, 2)?;
    let regex = compile(args.text(1)?, options)?;
    let matcher = Matcher::new(&regex, context, args.text(0)?);
    let matches = all_matches(context, &matcher, 0, global, false)?;
    let rows: Vec<Datum> = matches.iter().map(|captures| captures_array(&matcher, captures)).collect();
    Ok(Box::new(rows.into_iter().map(Ok)))
}

fn split(name: &str, context: &EvalContext, args: &[Datum]) -> Result<Vec<Datum>> {
    let regex = compile(args.text(1)?, flags_of(name, args, 2)?)?;
    let matcher = Matcher::new(&regex, context, args.text(0)?);
    let mut parts = Vec::new();
    let mut from = 0;
    for captures in all_matches(context, &matcher, 0, true, true)? {
        let (start, end) = captures[0].unwrap_or_default();
        parts.push(Datum::text(matcher.slice(from, start)));
        from = end;
    }
    parts.push(Datum::text(matcher.slice(from, matcher.len())));
    Ok(parts)
}

fn split_to_array(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(text_array(split("regexp_split_to_array", context, args)?))
}

fn split_to_table(context: &EvalContext, args: &[Datum]) -> Result<Rows> {
    Ok(Box::new(split("regexp_split_to_table", context, args)?.into_iter().map(Ok)))
}

fn like(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let regex = compile(args.text(1)?, flags_of("regexp_like", args, 2)?)?;
    Ok(Datum::Bool(regex.is_match(context, args.text(0)?)?))
}

fn count(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let start = number(args, 2, "start", 1, 1..=i32::MAX)?;
    let regex = compile(args.text(1)?, flags_of("regexp_count", args, 3)?)?;
    let matcher = Matcher::new(&regex, context, args.text(0)?);
    Ok(Datum::Int4(all_matches(context, &matcher, start as usize - 1, true, false)?.len() as i32))
}

/// The n-th match from a position.
fn nth_match(context: &EvalContext, matcher: &Matcher, start: i32, n: i32) -> Result<Option<Captures>> {
    let from = start as usize - 1;
    if n == 1 {
        return matcher.find(from);
    }
    Ok(all_matches(context, matcher, from, true, false)?.into_iter().nth(n as usize - 1))
}

fn instr(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let start = number(args, 2, "start", 1, 1..=i32::MAX)?;
    let n = number(args, 3, "n", 1, 1..=i32::MAX)?;
    let end_option = number(args, 4, "endoption", 0, 0..=1)?;
    let group = number(args, 6, "subexpr", 0, 0..=i32::MAX)?;
    let regex = compile(args.text(1)?, flags_of("regexp_instr", args, 5)?)?;
    let matcher = Matcher::new(&regex, context, args.text(0)?);
    let found = nth_match(context, &matcher, start, n)?;
    let range = found.and_then(|captures| captures.get(group as usize).copied().flatten());
    Ok(Datum::Int4(range.map_or(0, |(start, end)| if end_option == 1 { end + 1 } else { start + 1 } as i32)))
}

fn substr(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let start = number(args, 2, "start", 1, 1..=i32::MAX)?;
    let n = number(args, 3, "n", 1, 1..=i32::MAX)?;
    let group = number(args, 5, "subexpr", 0, 0..=i32::MAX)?;
    let regex = compile(args.text(1)?, flags_of("regexp_substr", args, 4)?)?;
    let matcher = Matcher::new(&regex, context, args.text(0)?);
    let found = nth_match(context, &matcher, start, n)?;
    Ok(captured(&matcher, found.and_then(|captures| captures.get(group as usize).copied().flatten())))
}

fn replace_with_flags(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.len() > 3
        && let Some(digit) = args.text(3)?.chars().next().filter(char::is_ascii_digit)
    {
        return Err(err!(INVALID_PARAMETER_VALUE, "invalid regular expression option: \"{digit}\"").hint(
            "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer \
             explicitly.",
        ));
    }
    let (options, global) = flags(args, 3)?;
    replace(context, args, options, 0, if global { 0 } else { 1 })
}

fn replace_from(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let start = number(args, 3, "start", 1, 1..=i32::MAX)?;
    let n = number(args, 4, "n", 1, 0..=i32::MAX)?;
    let (options, global) = flags(args, 5)?;
    let n = if args.len() <= 4 && global { 0 } else { n };
    replace(context, args, options, start as usize - 1, n)
}

/// Replaces the n-th match, or all of them when n is 0.
fn replace(context: &EvalContext, args: &[Datum], options: Options, from: usize, n: i32) -> Result<Datum> {
    let regex = compile(args.text(1)?, options)?;
    let replacement = args.text(2)?;
    let matcher = Matcher::new(&regex, context, args.text(0)?);
    let mut text = String::new();
    let (mut search, mut copied, mut count) = (from, 0, 0);
    while search <= matcher.len() {
        context.host.check_interrupt()?;
        let Some(captures) = matcher.find(search)? else { break };
        let (start, end) = captures[0].unwrap_or_default();
        text.push_str(matcher.slice(copied, start));
        copied = end;
        count += 1;
        if n == 0 || count == n {
            substitute(&matcher, &captures, replacement, &mut text);
            check_length(context, text.len())?;
        } else {
            text.push_str(matcher.slice(start, end));
        }
        if n > 0 && count >= n {
            break;
        }
        search = end + usize::from(start == end);
    }
    text.push_str(matcher.slice(copied, matcher.len()));
    Ok(Datum::text(text))
}

/// `\1`..`\9` are groups, `\&` the whole match, `\\` a backslash; any other backslash is itself.
fn substitute(matcher: &Matcher, captures: &Captures, replacement: &str, text: &mut String) {
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let group = match rest.bytes().next() {
            Some(b'&') => Some(0),
            Some(digit @ b'1'..=b'9') => Some(usize::from(digit - b'0')),
            Some(b'\\') => {
                text.push('\\');
                rest = &rest[1..];
                continue;
            }
            _ => None,
        };
        match group {
            None => text.push('\\'),
            Some(group) => {
                if let Some((start, end)) = captures.get(group).copied().flatten() {
                    text.push_str(matcher.slice(start, end));
                }
                rest = &rest[1..];
            }
        }
    }
    text.push_str(rest);
}
