//! concat, format and quoting.

use super::super::output::{output, output_any, spread};
use crate::document::{Datum, Type};
use crate::err;
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, check_length, natural_type, scalar, text_array};

const T: Type = Type::TEXT;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(3058, "concat", &[Type::ANY], T, concat).variadic().loose().stable(),
    scalar(3059, "concat_ws", &[T, Type::ANY], T, concat_ws).variadic().loose().stable(),
    scalar(3539, "format", &[T, Type::ANY], T, format).variadic().loose().stable(),
    scalar(3540, "format", &[T], T, format).loose().stable(),
    scalar(1282, "quote_ident", &[T], T, quote_ident),
    scalar(1283, "quote_literal", &[T], T, quote_literal),
    scalar(1285, "quote_literal", &[Type::ANYELEMENT], T, quote_literal).stable(),
    scalar(1289, "quote_nullable", &[T], T, quote_nullable).loose(),
    scalar(1290, "quote_nullable", &[Type::ANYELEMENT], T, quote_nullable).loose().stable(),
    scalar(1268, "parse_ident", &[T, Type::BOOL], Type::TEXT_ARRAY, parse_ident).defaults(1),
];

/// The same functions called with VARIADIC array: see [`spread`](crate::sql::functions::spread).
#[rustfmt::skip]
pub(crate) static SPREAD: &[Function] = &[
    scalar(10_003_058, "concat", &[Type::ANYARRAY], T, |c, a| spread(c, a, true, concat)).loose().stable(),
    scalar(10_003_059, "concat_ws", &[T, Type::ANYARRAY], T, |c, a| spread(c, a, true, concat_ws)).loose().stable(),
    scalar(10_003_539, "format", &[T, Type::ANYARRAY], T, |c, a| spread(c, a, false, format)).loose().stable(),
];

fn concat(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    join(context, "", args)
}

fn concat_ws(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(0).is_null() {
        return Ok(Datum::Null);
    }
    join(context, args.text(0)?, args.get(1..).unwrap_or_default())
}

fn join(context: &EvalContext, separator: &str, values: &[Datum]) -> Result<Datum> {
    let mut text = String::new();
    for (index, value) in values.iter().filter(|value| !value.is_null()).enumerate() {
        if index > 0 {
            text.push_str(separator);
        }
        text.push_str(&output_any(context, value)?);
        check_length(context, text.len())?;
    }
    Ok(Datum::text(text))
}

/// One `%...` of a format string: `%[position$][-][width]type`.
#[derive(Default)]
struct Directive {
    position: Option<i32>,
    width_position: Option<i32>,
    width_argument: bool,
    width: i32,
    left: bool,
}

const PERCENT_HINT: &str = "For a single \"%\" use \"%%\".";

struct FormatParser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl FormatParser<'_> {
    fn peek(&self) -> Result<u8> {
        self.bytes
            .get(self.at)
            .copied()
            .ok_or_else(|| err!(INVALID_PARAMETER_VALUE, "unterminated format() type specifier").hint(PERCENT_HINT))
    }

    fn digits(&mut self) -> Result<Option<i32>> {
        let mut value = None;
        while self.peek()?.is_ascii_digit() {
            let digit = i32::from(self.bytes[self.at] - b'0');
            let next = value.unwrap_or(0i32).checked_mul(10).and_then(|value| value.checked_add(digit));
            value = Some(next.ok_or_else(|| err!(NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range"))?);
            self.at += 1;
        }
        Ok(value)
    }

    fn position(value: i32) -> Result<i32> {
        if value == 0 {
            let message = "format specifies argument 0, but arguments are numbered from 1";
            return Err(err!(INVALID_PARAMETER_VALUE, "{message}"));
        }
        Ok(value)
    }

    /// Leaves `at` on the conversion character.
    fn directive(&mut self) -> Result<Directive> {
        let mut directive = Directive::default();
        if let Some(number) = self.digits()? {
            if self.peek()? != b'$' {
                directive.width = number;
                return Ok(directive);
            }
            self.at += 1;
            directive.position = Some(Self::position(number)?);
        }
        while self.peek()? == b'-' {
            directive.left = true;
            self.at += 1;
        }
        if self.peek()? != b'*' {
            directive.width = self.digits()?.unwrap_or(0);
            self.peek()?;
            return Ok(directive);
        }
        self.at += 1;
        directive.width_argument = true;
        if let Some(number) = self.digits()? {
            if self.peek()? != b'$' {
                return Err(err!(INVALID_PARAMETER_VALUE, "width argument position must be ended by \"$\""));
            }
            self.at += 1;
            directive.width_position = Some(Self::position(number)?);
        }
        self.peek()?;
        Ok(directive)
    }
}

fn format(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(0).is_null() {
        return Ok(Datum::Null);
    }
    let template = args.text(0)?;
    let mut parser = FormatParser { bytes: template.as_bytes(), at: 0 };
    let mut text = String::new();
    // The argument that was used last; the format string itself is number 0.
    let mut last = 0usize;
    while let Some(offset) = template[parser.at..].find('%') {
        text.push_str(&template[parser.at..parser.at + offset]);
        parser.at += offset + 1;
        if parser.peek()? == b'%' {
            parser.at += 1;
            text.push('%');
            continue;
        }
        let mut directive = parser.directive()?;
        let conversion = template[parser.at..].chars().next().unwrap_or('%');
        if !matches!(conversion, 's' | 'I' | 'L') {
            return Err(err!(INVALID_PARAMETER_VALUE, "unrecognized format() type specifier \"{conversion}\"")
                .hint(PERCENT_HINT));
        }
        parser.at += 1;
        if directive.width_argument {
            last = directive.width_position.map_or(last + 1, |position| position as usize);
            let width = width_argument(context, argument(args, last)?)?;
            directive.left |= width < 0;
            directive.width =
                width.checked_abs().ok_or_else(|| err!(NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range"))?;
        }
        last = directive.position.map_or(last + 1, |position| position as usize);
        let converted = convert(context, conversion, argument(args, last)?)?;
        pad(context, &mut text, &converted, &directive)?;
    }
    text.push_str(&template[parser.at..]);
    check_length(context, text.len())?;
    Ok(Datum::text(text))
}

fn argument(args: &[Datum], index: usize) -> Result<&Datum> {
    args.get(index).ok_or_else(|| err!(INVALID_PARAMETER_VALUE, "too few arguments for format()"))
}

fn width_argument(context: &EvalContext, value: &Datum) -> Result<i32> {
    match value {
        Datum::Null => Ok(0),
        Datum::Int4(width) => Ok(*width),
        Datum::Int2(width) => Ok(i32::from(*width)),
        other => {
            let text = output_any(context, other)?;
            text.trim()
                .parse()
                .map_err(|_| err!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type integer: \"{text}\""))
        }
    }
}

fn convert(context: &EvalContext, conversion: char, value: &Datum) -> Result<String> {
    if value.is_null() {
        return match conversion {
            's' => Ok(String::new()),
            'L' => Ok("NULL".into()),
            _ => Err(err!(NULL_VALUE_NOT_ALLOWED, "null values cannot be formatted as an SQL identifier")),
        };
    }
    let text = output(context, value, natural_type(value))?;
    Ok(match conversion {
        's' => text,
        'I' => quoted_ident(&text),
        _ => quoted_literal(&text),
    })
}

fn pad(context: &EvalContext, text: &mut String, value: &str, directive: &Directive) -> Result<()> {
    let missing =
        (directive.width as usize).saturating_sub(if directive.width > 0 { value.chars().count() } else { 0 });
    check_length(context, text.len() + value.len() + missing)?;
    if directive.left {
        text.push_str(value);
    }
    text.extend(std::iter::repeat_n(' ', missing));
    if !directive.left {
        text.push_str(value);
    }
    Ok(())
}

/// Keywords that PostgreSQL quotes: all but the unreserved ones, in order.
#[rustfmt::skip]
const QUOTED_KEYWORDS: &[&str] = &[
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "between",
    "bigint", "binary", "bit", "boolean", "both", "case", "cast", "char", "character", "check", "coalesce",
    "collate", "collation", "column", "concurrently", "constraint", "create", "cross", "current_catalog",
    "current_date", "current_role", "current_schema", "current_time", "current_timestamp", "current_user", "dec",
    "decimal", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "exists", "extract",
    "false", "fetch", "float", "for", "foreign", "freeze", "from", "full", "grant", "greatest", "group",
    "grouping", "having", "ilike", "in", "initially", "inner", "inout", "int", "integer", "intersect", "interval",
    "into", "is", "isnull", "join", "json", "json_array", "json_arrayagg", "json_exists", "json_object",
    "json_objectagg", "json_query", "json_scalar", "json_serialize", "json_table", "json_value", "lateral",
    "leading", "least", "left", "like", "limit", "localtime", "localtimestamp", "merge_action", "national",
    "natural", "nchar", "none", "normalize", "not", "notnull", "null", "nullif", "numeric", "offset", "on", "only",
    "or", "order", "out", "outer", "overlaps", "overlay", "placing", "position", "precision", "primary", "real",
    "references", "returning", "right", "row", "select", "session_user", "setof", "similar", "smallint", "some",
    "substring", "symmetric", "system_user", "table", "tablesample", "then", "time", "timestamp", "to", "trailing",
    "treat", "trim", "true", "union", "unique", "user", "using", "values", "varchar", "variadic", "verbose",
    "when", "where", "window", "with", "xmlattributes", "xmlconcat", "xmlelement", "xmlexists", "xmlforest",
    "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize", "xmltable",
];

/// An identifier as it must be written in SQL.
pub(crate) fn quoted_ident(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && QUOTED_KEYWORDS.binary_search(&name).is_err();
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A string literal as it must be written in SQL.
pub(crate) fn quoted_literal(text: &str) -> String {
    let escape = if text.contains('\\') { "E" } else { "" };
    format!("{escape}'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

fn quote_ident(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::text(quoted_ident(args.text(0)?)))
}

fn quote_literal(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::text(quoted_literal(&text_of(context, args.at(0))?)))
}

/// The value cast to text, which differs from its output for booleans.
fn text_of(context: &EvalContext, value: &Datum) -> Result<String> {
    match value {
        Datum::Bool(value) => Ok(value.to_string()),
        other => output_any(context, other),
    }
}

fn quote_nullable(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    if args.at(0).is_null() { Ok(Datum::text("NULL")) } else { quote_literal(context, args) }
}

fn parse_ident(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let text = args.text(0)?;
    let strict = args.len() < 2 || args.bool(1)?;
    let invalid = || err!(INVALID_PARAMETER_VALUE, "string is not a valid identifier: \"{text}\"");
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    let is_part = |c: char| is_start(c) || c.is_ascii_digit() || c == '$';
    let space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}' | '\u{b}');
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(space);
    let mut after_dot = false;
    loop {
        let mut missing = true;
        if let Some(quoted) = rest.strip_prefix('"') {
            let unclosed = || invalid().detail("String has unclosed double quotes.");
            let mut end = quoted.find('"').ok_or_else(unclosed)?;
            while quoted[end + 1..].starts_with('"') {
                end += 2 + quoted[end + 2..].find('"').ok_or_else(unclosed)?;
            }
            if end == 0 {
                return Err(invalid().detail("Quoted identifier must not be empty."));
            }
            parts.push(Datum::text(quoted[..end].replace("\"\"", "\"")));
            rest = &quoted[end + 1..];
            missing = false;
        } else if rest.starts_with(is_start) {
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            parts.push(Datum::text(rest[..end].to_ascii_lowercase()));
            rest = &rest[end..];
            missing = false;
        }
        if missing {
            return Err(if rest.starts_with('.') {
                invalid().detail("No valid identifier before \".\".")
            } else if after_dot {
                invalid().detail("No valid identifier after \".\".")
            } else {
                invalid()
            });
        }
        rest = rest.trim_start_matches(space);
        match rest.strip_prefix('.') {
            Some(following) => {
                after_dot = true;
                rest = following.trim_start_matches(space);
            }
            None if rest.is_empty() || !strict => return Ok(text_array(parts)),
            None => return Err(invalid()),
        }
    }
}
