//! Values, operators and functions against the answers of PostgreSQL 18.
//!
//! A case is a line of tab-separated fields: `name(type, ...)`, the arguments as text (`NULL` for NULL), and the result
//! as text, or `!SQLSTATE message`. `in(type)` reads a value and writes it again; `bin(type)` goes through the binary
//! form as well; `cast(from, to)` converts explicitly.

use std::sync::Arc;

use super::*;
use crate::sql::casts::{self, Context, Pathway};
use crate::sql::context::{DateOrder, DateStyle, IntervalStyle};
use crate::sql::function::{Body, Function};
use crate::sql::{functions, operators, types};

/// The moment that `now` is in all cases: 2024-05-06 07:08:09.123456+00.
const NOW: i64 = 768_294_489_123_456;

fn context() -> EvalContext {
    let mut context = EvalContext::detached(Arc::default());
    context.transaction_time = NOW;
    context.statement_time = NOW;
    context.format.time_zone = crate::sql::datetime::zone::find("America/New_York").unwrap();
    context
}

fn call(function: &Function, args: &[Datum], context: &EvalContext) -> Result<Datum> {
    if function.strict && args.iter().any(Datum::is_null) {
        return Ok(Datum::Null);
    }
    match function.body {
        Body::Scalar(kernel) => kernel(context, args),
        Body::Set(kernel) => {
            let rows = kernel(context, args)?.collect::<Result<Vec<_>>>()?;
            let element = rows.first().map_or(Type::INT4, natural_type);
            Ok(Datum::Array(Box::new(crate::document::Array::new(element.oid, rows))))
        }
        _ => panic!("{function:?} is not a plain function"),
    }
}

/// The operator or function of a name: an exact match, else a polymorphic one.
fn resolve(name: &str, args: &[Type]) -> &'static Function {
    let exact = |declared: &Type, given: &Type| declared.oid == given.oid;
    let loose = |declared: &Type, given: &Type| match *declared {
        Type::ANYARRAY | Type::ANYCOMPATIBLEARRAY => types::by_oid(given.oid).unwrap().is_array(),
        Type::ANYELEMENT | Type::ANY => true,
        Type::ANYCOMPATIBLE | Type::ANYNONARRAY => !types::by_oid(given.oid).unwrap().is_array(),
        declared => declared.oid == given.oid,
    };
    for fits in [exact as fn(&Type, &Type) -> bool, loose] {
        let operator = operators::find(name).iter().find(|o| match (o.left, args) {
            (Some(left), [a, b]) => fits(&left, a) && fits(&o.right, b),
            (None, [a]) => fits(&o.right, a),
            _ => false,
        });
        let all =
            |f: &&&'static Function| f.args.len() == args.len() && f.args.iter().zip(args).all(|(a, b)| fits(a, b));
        let function = operator.map(|o| o.function).or_else(|| functions::find(name).iter().find(all).copied());
        if let Some(function) = function {
            return function;
        }
    }
    panic!("no {name}{args:?}")
}

fn run(name: &str, types: &[Type], args: &[&str], context: &EvalContext) -> Result<String> {
    let value = |(typ, text): (&Type, &&str)| match *text {
        "NULL" => Ok(Datum::Null),
        text => text_in(*typ, text, context),
    };
    let (result, typ) = match (name, types) {
        ("in", [typ]) => (text_in(*typ, args[0], context)?, *typ),
        ("bin", [typ]) => {
            let mut bytes = Vec::new();
            binary_out(&text_in(*typ, args[0], context)?, *typ, context, &mut bytes);
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let again = binary_in(*typ, &bytes, context)?;
            assert_eq!(again, text_in(*typ, args[0], context)?, "{typ:?} {args:?}");
            return Ok(hex);
        }
        ("cast", [from, to]) => {
            let input = value((from, &args[0]))?;
            let result = match casts::pathway(from.oid, to.oid, Context::Explicit) {
                Some(Pathway::Function(function)) => call(function, &[input], context)?,
                Some(Pathway::Relabel) => casts::relabelled(input, *to),
                Some(Pathway::InOut) => convert(&input, *from, *to, context)?,
                other => panic!("{other:?}"),
            };
            (typmod::apply(result, *to, true)?, *to)
        }
        _ => {
            let args = types.iter().zip(args).map(value).collect::<Result<Vec<_>>>()?;
            let function = resolve(name, types);
            let result = call(function, &args, context)?;
            let typ = match function.returns {
                typ if types::is_polymorphic(typ.oid) => natural_type(&result),
                typ => typ,
            };
            (result, typ)
        }
    };
    if result.is_null() {
        return Ok("NULL".to_string());
    }
    let mut out = String::new();
    output(&result, typ, context, &mut out);
    Ok(out)
}

fn check(cases: &str, context: &mut EvalContext) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in cases.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        if let Some(setting) = line.strip_prefix("SET ") {
            set(setting, context);
            continue;
        }
        count += 1;
        let fields: Vec<String> =
            line.split('\t').map(|field| field.replace("\\n", "\n").replace("\\t", "\t")).collect();
        let (name, rest) = fields[0].split_at(fields[0].find('(').unwrap());
        let list = rest[1..].strip_suffix(')').unwrap();
        let types: Vec<Type> =
            list.split(';').filter(|t| !t.is_empty()).map(|name| types::parse_name(name).unwrap()).collect();
        let args: Vec<&str> = fields[1..fields.len() - 1].iter().map(String::as_str).collect();
        let expected = &fields[fields.len() - 1];
        let found = match run(name, &types, &args, context) {
            Ok(text) => text,
            Err(error) => format!("!{} {}", error.code(), error.message()),
        };
        if found != *expected {
            wrong
                .push(format!("{}\n  expected {expected}\n  found    {found}", fields[..fields.len() - 1].join(" | ")));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn set(setting: &str, context: &mut EvalContext) {
    let (name, value) = setting.split_once('=').unwrap();
    let format = &mut context.format;
    match (name, value) {
        ("TimeZone", zone) => format.time_zone = crate::sql::datetime::zone::find(zone).unwrap(),
        ("IntervalStyle", style) => {
            format.interval_style = match style {
                "postgres" => IntervalStyle::Postgres,
                "postgres_verbose" => IntervalStyle::PostgresVerbose,
                "sql_standard" => IntervalStyle::SqlStandard,
                _ => IntervalStyle::Iso8601,
            }
        }
        ("DateStyle", style) => {
            let (style, order) = style.split_once(", ").unwrap();
            format.date_style = match style {
                "ISO" => DateStyle::Iso,
                "SQL" => DateStyle::Sql,
                "German" => DateStyle::German,
                _ => DateStyle::Postgres,
            };
            format.date_order = match order {
                "MDY" => DateOrder::Mdy,
                "DMY" => DateOrder::Dmy,
                _ => DateOrder::Ymd,
            };
        }
        ("extra_float_digits", digits) => format.extra_float_digits = digits.parse().unwrap(),
        ("bytea_output", form) => format.bytea_hex = form == "hex",
        _ => panic!("unknown setting {name}"),
    }
}

#[test]
fn values() {
    check(include_str!("cases/values.txt"), &mut context());
}

#[test]
fn operators_and_casts() {
    check(include_str!("cases/operators.txt"), &mut context());
}

#[test]
fn datetime_input_and_output() {
    check(include_str!("cases/datetime.txt"), &mut context());
}

#[test]
fn datetime_functions() {
    check(include_str!("cases/datetime_functions.txt"), &mut context());
}

#[test]
fn templates() {
    check(include_str!("cases/templates.txt"), &mut context());
}

/// xorshift64*: the same cases in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[(self.next() >> 20) as usize % words.len()]
    }

    fn text(&mut self, words: &[&str]) -> String {
        (0..1 + self.next() % 8).map(|_| self.pick(words)).collect()
    }
}

fn show(value: &Datum, typ: Type, context: &mut EvalContext) {
    for (date, interval) in [
        (DateStyle::Iso, IntervalStyle::Postgres),
        (DateStyle::Sql, IntervalStyle::SqlStandard),
        (DateStyle::Postgres, IntervalStyle::PostgresVerbose),
        (DateStyle::German, IntervalStyle::Iso8601),
    ] {
        context.format.date_style = date;
        context.format.interval_style = interval;
        output(value, typ, context, &mut String::new());
    }
}

/// Bytes that no client should send: errors, never panics. What is taken can be shown.
#[test]
fn malformed_binary_input_is_refused() {
    let mut context = context();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for info in types::all() {
        for _ in 0..300 {
            let length = (random.next() % 40) as usize;
            let mut bytes: Vec<u8> = (0..length).map(|_| (random.next() >> 24) as u8 % 5).collect();
            if random.next().is_multiple_of(2) {
                bytes.iter_mut().for_each(|byte| *byte = (random.next() >> 16) as u8);
            }
            if let Ok(value) = binary_in(Type::new(info.oid), &bytes, &context) {
                show(&value, Type::new(info.oid), &mut context);
            }
        }
    }
}

/// Text of every kind to every type: errors, never panics.
#[test]
fn malformed_text_input_is_refused() {
    const WORDS: &[&str] = &[
        "1",
        "2024",
        "-",
        ":",
        ".",
        "/",
        " ",
        "T",
        "Z",
        "jan",
        "bc",
        "am",
        "infinity",
        "day",
        "mon",
        "P",
        "Y",
        "H",
        "+",
        "99999999999",
        "-2147483648",
        "{",
        "}",
        "\"",
        "\\",
        ",",
        "(",
        ")",
        "[",
        "]",
        "=",
        "null",
        "ä",
        "☃",
        "e",
        "x",
        "0",
        "0x",
        "_",
        "now",
        "J",
        "utc",
        "ago",
        "allballs",
        "12",
        "30",
        "T040506",
        "Europe/Berlin",
        "d",
        "\u{0}",
        "\'",
    ];
    let mut context = context();
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    for info in types::all() {
        for _ in 0..400 {
            let text = random.text(WORDS);
            if let Ok(value) = text_in(Type::new(info.oid), &text, &context) {
                show(&value, Type::new(info.oid), &mut context);
            }
        }
    }
}

/// Any template on any value: errors, never panics.
#[test]
fn any_template_is_survived() {
    const WORDS: &[&str] = &[
        "YYYY", "YY", "Y,YYY", "I", "IYYY", "IW", "ID", "MM", "MON", "Month", "DD", "DDD", "D", "WW", "W", "CC", "J",
        "Q", "RM", "HH24", "HH12", "MI", "SS", "MS", "US", "FF3", "SSSS", "AM", "BC", "TZ", "OF", "TZH", "TZM", "FM",
        "TH", "FX", "-", " ", "9", "0", ".", ",", "S", "MI", "PR", "RN", "V", "EEEE", "L", "G", "D", "B", "PL", "SG",
        "th", "\"", "\\", "ä",
    ];
    const INPUT: &[&str] = &[
        "1",
        "99",
        "-",
        " ",
        ".",
        ",",
        "2024",
        "jan",
        "☃",
        "+",
        "9999999999",
        "2147483647",
        "am",
        "IV",
        "<",
        ">",
        "th",
        "utc",
    ];
    let context = context();
    let mut random = Random(0xDEAD_BEEF_CAFE_F00D);
    let types =
        [Type::TIMESTAMP, Type::TIMESTAMPTZ, Type::INTERVAL, Type::NUMERIC, Type::INT4, Type::INT8, Type::FLOAT8];
    for _ in 0..20_000 {
        let template = Datum::text(random.text(WORDS));
        let typ = types[(random.next() >> 20) as usize % types.len()];
        let bytes: Vec<u8> = (0..16).map(|_| (random.next() >> 30) as u8).collect();
        let length = match typ {
            Type::INTERVAL => 16,
            Type::INT4 => 4,
            _ => 8,
        };
        let value = match typ {
            Type::NUMERIC => Ok(Datum::Numeric(crate::document::Numeric::from_i64(random.next() as i64))),
            typ => binary_in(typ, &bytes[..length], &context),
        };
        if let Ok(value) = value {
            let _ = call(resolve("to_char", &[typ, Type::TEXT]), &[value, template.clone()], &context);
        }
        let text = Datum::text(random.text(INPUT));
        for name in ["to_date", "to_timestamp", "to_number"] {
            let _ = call(resolve(name, &[Type::TEXT, Type::TEXT]), &[text.clone(), template.clone()], &context);
        }
    }
}

/// Values at the limits go through every operator without a panic.
#[test]
fn operators_survive_extremes() {
    let context = context();
    let texts: &[(Type, &[&str])] = &[
        (Type::INT2, &["-32768", "32767", "0", "-1"]),
        (Type::INT4, &["-2147483648", "2147483647", "0", "-1", "40"]),
        (Type::INT8, &["-9223372036854775808", "9223372036854775807", "0", "-1"]),
        (Type::FLOAT4, &["nan", "infinity", "-0", "3e38", "1e-45"]),
        (Type::FLOAT8, &["nan", "-infinity", "0", "1e308", "-1.5"]),
        (Type::NUMERIC, &["NaN", "Infinity", "0", "-1e100", "0.001"]),
        (Type::DATE, &["infinity", "-infinity", "4714-11-24 BC", "5874897-12-31", "2024-02-29"]),
        (Type::TIMESTAMP, &["infinity", "4714-11-24 00:00 BC", "294276-12-31 23:59:59.999999", "2024-02-29"]),
        (Type::TIMESTAMPTZ, &["-infinity", "4714-11-25 00:00 BC", "294276-12-31 12:00", "2024-02-29"]),
        (
            Type::INTERVAL,
            &["infinity", "-infinity", "2147483647 mons", "-2147483648 days", "2562047788:00:54.775807", "0"],
        ),
        (Type::TIME, &["00:00", "24:00"]),
        (Type::TIMETZ, &["00:00+15:59", "24:00-15:59"]),
        (Type::TEXT, &["", "a\\", "ä%_"]),
        (Type::INT4_ARRAY, &["{}", "{NULL,1}", "[-5:-4]={1,2}"]),
        (Type::TEXT_ARRAY, &["{}", "{a,NULL}"]),
        (Type::JSONB, &["1", "[]", "{\"a\":[1]}", "null"]),
        (Type::JSON, &["1", "[1]", "{\"a\":[1]}"]),
    ];
    let values = |typ: Type| -> Vec<Datum> {
        let typ = match typ {
            Type::ANYARRAY | Type::ANYCOMPATIBLEARRAY => Type::INT4_ARRAY,
            Type::ANYCOMPATIBLE | Type::ANYNONARRAY => Type::INT4,
            typ => typ,
        };
        let found = texts.iter().find(|(t, _)| t.oid == typ.oid);
        found.map_or(Vec::new(), |(t, texts)| texts.iter().map(|text| text_in(*t, text, &context).unwrap()).collect())
    };
    for operator in operators::all() {
        for right in values(operator.right) {
            match operator.left {
                None => {
                    let _ = call(operator.function, &[right], &context);
                }
                Some(left) => {
                    for left in values(left) {
                        let _ = call(operator.function, &[left, right.clone()], &context);
                    }
                }
            }
        }
    }
}
