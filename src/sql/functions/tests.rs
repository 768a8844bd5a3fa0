//! The functions beside PostgreSQL: every line of `cases.txt` is SQL with the answer that PostgreSQL 18 gave (database
//! of the builtin provider, locale C.UTF-8). Calls are evaluated through [`find`](super::find) with a small reader of SQL.

use std::fmt::Write as _;

use crate::document::{Array, Datum, Oid, Type};
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::{Body, Function};
use crate::sql::io;

fn array_type(element: Oid) -> Type {
    crate::sql::types::array_of(element).map_or(Type::TEXT_ARRAY, Type::new)
}

/// A value with the type it was written with; a bare string is `unknown`.
type Value = (Datum, Type);

struct Reader<'a> {
    text: &'a str,
    at: usize,
    context: &'a EvalContext,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn eat(&mut self, token: &str) -> bool {
        let skipped = self.rest().len() - self.rest().trim_start().len();
        let found = self.rest()[skipped..].to_ascii_lowercase().starts_with(token);
        if found {
            self.at += skipped + token.len();
        }
        found
    }

    fn word(&mut self) -> String {
        self.at += self.rest().len() - self.rest().trim_start().len();
        let end = self.rest().find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest().len());
        let word = self.rest()[..end].to_owned();
        self.at += end;
        word
    }

    fn list(&mut self, end: &str) -> Result<Vec<Value>> {
        let mut values = Vec::new();
        while !self.eat(end) {
            values.push(self.expression()?);
            self.eat(",");
        }
        Ok(values)
    }

    fn expression(&mut self) -> Result<Value> {
        let mut value = self.primary()?;
        while self.eat("::") {
            let name = self.word();
            let array = self.eat("[]");
            let mut typ = crate::sql::types::parse_name(&name)?;
            if array {
                typ = array_type(typ.oid);
            }
            value = self.cast(value, typ)?;
        }
        Ok(value)
    }

    fn cast(&self, (value, from): Value, to: Type) -> Result<Value> {
        if value.is_null() || from == to {
            return Ok((value, to));
        }
        if let (Datum::Text(text), Some(element)) = (&value, crate::sql::types::element_of(to.oid)) {
            return Ok((read_array(text, Type::new(element), self.context)?, to));
        }
        Ok((io::convert(&value, from, to, self.context)?, to))
    }

    fn string(&mut self) -> String {
        let mut text = String::new();
        loop {
            let end = self.rest().find('\'').expect("a closed string");
            text.push_str(&self.rest()[..end]);
            self.at += end + 1;
            if !self.rest().starts_with('\'') {
                return text;
            }
            text.push('\'');
            self.at += 1;
        }
    }

    fn primary(&mut self) -> Result<Value> {
        if self.eat("'") {
            return Ok((Datum::text(self.string()), Type::UNKNOWN));
        }
        if self.eat("(") {
            let value = self.expression()?;
            assert!(self.eat(")"), "closing parenthesis at {}", self.rest());
            return Ok(value);
        }
        if self.eat("array[") {
            return Ok(make_array(self.list("]")?));
        }
        for (name, value) in [("null", Datum::Null), ("true", Datum::Bool(true)), ("false", Datum::Bool(false))] {
            if self.eat(name) {
                let typ = if value.is_null() { Type::UNKNOWN } else { Type::BOOL };
                return Ok((value, typ));
            }
        }
        if self.eat("row(") {
            let values = self.list(")")?;
            let fields: Vec<(Box<str>, Oid)> = values
                .iter()
                .enumerate()
                .map(|(i, (_, typ))| (format!("f{}", i + 1).into(), text_if_unknown(*typ).oid))
                .collect();
            let values = values.into_iter().map(|(value, _)| value).collect();
            let record = crate::document::Record { fields: fields.into(), values };
            return Ok((Datum::Record(Box::new(record)), Type::RECORD));
        }
        let negative = self.eat("-");
        if self.rest().trim_start().starts_with(|c: char| c.is_ascii_digit()) {
            self.at += self.rest().len() - self.rest().trim_start().len();
            let end =
                self.rest().find(|c: char| !c.is_ascii_digit() && c != '.' && c != 'e').unwrap_or(self.rest().len());
            let text = format!("{}{}", if negative { "-" } else { "" }, &self.rest()[..end]);
            self.at += end;
            return Ok(match (text.parse::<i32>(), text.parse::<i64>()) {
                (Ok(value), _) => (Datum::Int4(value), Type::INT4),
                (_, Ok(value)) => (Datum::Int8(value), Type::INT8),
                _ => (io::text_in(Type::NUMERIC, &text, self.context)?, Type::NUMERIC),
            });
        }
        let name = self.word();
        assert!(self.eat("("), "a call at {name}{}", self.rest());
        let args = self.list(")")?;
        let (function, args) = resolve(&name, args, self.context)?;
        let value = call(function, &args, self.context)?;
        Ok((value, returned(function, &args)))
    }
}

fn text_if_unknown(typ: Type) -> Type {
    if typ == Type::UNKNOWN { Type::TEXT } else { typ }
}

fn make_array(values: Vec<Value>) -> Value {
    let typ = values.iter().map(|(_, typ)| *typ).find(|typ| *typ != Type::UNKNOWN).unwrap_or(Type::TEXT);
    if let Some(Datum::Array(first)) = values.first().map(|(value, _)| value) {
        let mut array = Array { element: first.element, dims: vec![(values.len() as i32, 1)], values: Vec::new() };
        array.dims.extend(&first.dims);
        for (value, _) in &values {
            if let Datum::Array(inner) = value {
                array.values.extend(inner.values.iter().cloned());
            }
        }
        return (Datum::Array(Box::new(array)), typ);
    }
    let values = values.into_iter().map(|(value, _)| value).collect();
    (Datum::Array(Box::new(Array::new(typ.oid, values))), array_type(typ.oid))
}

/// `{a,b,NULL}` and `[2:3]={a,b}`, unnested.
fn read_array(text: &str, element: Type, context: &EvalContext) -> Result<Datum> {
    let (lower, body) = match text.split_once('=') {
        Some((bounds, body)) if bounds.starts_with('[') => {
            (bounds[1..].split(':').next().and_then(|lower| lower.parse().ok()).unwrap_or(1), body)
        }
        _ => (1, text),
    };
    let body = body.trim_start_matches('{').trim_end_matches('}');
    let values = body.split(',').filter(|_| !body.is_empty()).map(|item| match item.trim() {
        "NULL" | "null" => Ok(Datum::Null),
        item => io::text_in(element, item.trim_matches('"'), context),
    });
    let mut array = Array::new(element.oid, values.collect::<Result<_>>()?);
    if let Some(dimension) = array.dims.first_mut() {
        dimension.1 = lower;
    }
    Ok(Datum::Array(Box::new(array)))
}

const ELEMENTS: [Type; 3] = [Type::ANYELEMENT, Type::ANYCOMPATIBLE, Type::ANYNONARRAY];
const ARRAYS: [Type; 2] = [Type::ANYARRAY, Type::ANYCOMPATIBLEARRAY];

/// How well an argument fits a parameter; `None`: not at all.
fn fit(from: Type, to: Type) -> Option<i32> {
    let is_array = crate::sql::types::element_of(from.oid).is_some();
    if from == to {
        Some(10)
    } else if to == Type::ANY || ELEMENTS.contains(&to) && !(to == Type::ANYNONARRAY && is_array) {
        Some(4)
    } else if ARRAYS.contains(&to) {
        (is_array || from == Type::UNKNOWN).then_some(5)
    } else if from == Type::UNKNOWN {
        Some(if to == Type::TEXT { 8 } else { 3 })
    } else {
        let numbers = [Type::INT2, Type::INT4, Type::INT8, Type::NUMERIC, Type::FLOAT4, Type::FLOAT8];
        let rank = |typ| numbers.iter().position(|number| *number == typ);
        match (rank(from), rank(to)) {
            (Some(a), Some(b)) if a < b => Some(if to == Type::FLOAT8 { 7 } else { 6 - (b - a) as i32 }),
            _ => None,
        }
    }
}

fn parameter(function: &Function, index: usize, given: usize) -> Option<Type> {
    let fixed = function.args.len() - usize::from(function.variadic);
    if function.variadic && index < fixed {
        return Some(function.args[index]);
    }
    if function.variadic {
        let last = *function.args.last()?;
        let element = crate::sql::types::element_of(last.oid).map_or(last, Type::new);
        return Some(element);
    }
    (given <= function.args.len()).then(|| function.args.get(index).copied()).flatten()
}

fn resolve(name: &str, args: Vec<Value>, context: &EvalContext) -> Result<(&'static Function, Vec<Datum>)> {
    let mut best: Option<(i32, &'static Function)> = None;
    for function in super::find(name) {
        let least = function.args.len() - usize::from(function.defaults) - usize::from(function.variadic);
        if args.len() < least {
            continue;
        }
        let fits: Option<i32> =
            args.iter().enumerate().map(|(i, (_, typ))| fit(*typ, parameter(function, i, args.len())?)).sum();
        let Some(score) = fits else { continue };
        if best.is_none_or(|(other, _)| score > other) {
            best = Some((score, function));
        }
    }
    let Some((_, function)) = best else { return Err(crate::err!(UNDEFINED_FUNCTION, "no {name} for {args:?}")) };
    let reader = Reader { text: "", at: 0, context };
    let count = args.len();
    let mut values = Vec::new();
    for (index, value) in args.into_iter().enumerate() {
        let to = parameter(function, index, count).expect("it fitted");
        let pseudo = to == Type::ANY || ELEMENTS.contains(&to) || ARRAYS.contains(&to);
        let to = if pseudo { text_if_unknown(value.1) } else { to };
        values.push(reader.cast(value, to)?.0);
    }
    if function.variadic && function.args.last() != Some(&Type::ANY) {
        let rest = values.split_off(function.args.len() - 1);
        let element = parameter(function, function.args.len() - 1, count).expect("variadic");
        values.push(Datum::Array(Box::new(Array::new(element.oid, rest))));
    }
    Ok((function, values))
}

fn call(function: &Function, args: &[Datum], context: &EvalContext) -> Result<Datum> {
    if function.strict && args.iter().any(Datum::is_null) {
        return Ok(Datum::Null);
    }
    match function.body {
        Body::Scalar(kernel) => kernel(context, args),
        Body::Set(kernel) => {
            let mut rows = String::new();
            for (index, row) in kernel(context, args)?.enumerate() {
                let separator = if index > 0 { ";" } else { "" };
                let row = row?;
                let typ = io::natural_type(&row);
                write!(rows, "{separator}{}", show(&row, typ, context)).expect("to a string");
            }
            Ok(Datum::text(rows))
        }
        _ => panic!("{function:?} is not called like that"),
    }
}

fn returned(function: &Function, args: &[Datum]) -> Type {
    match function.returns {
        _ if matches!(function.body, Body::Set(_)) => Type::TEXT,
        typ if ELEMENTS.contains(&typ) || ARRAYS.contains(&typ) => {
            let array = args.iter().find(|arg| matches!(arg, Datum::Array(_)));
            array.or(args.first()).map_or(Type::TEXT, io::natural_type)
        }
        typ => typ,
    }
}

/// A value as psql shows it (nested arrays and records for the tests only).
fn show(value: &Datum, typ: Type, context: &EvalContext) -> String {
    match value {
        Datum::Null => String::new(),
        Datum::Array(array) => {
            let shifted = array.dims.iter().any(|(_, lower)| *lower != 1);
            let bounds: String = array.dims.iter().map(|(n, lower)| format!("[{lower}:{}]", lower + n - 1)).collect();
            let prefix = if shifted { format!("{bounds}=") } else { String::new() };
            let lengths: Vec<usize> = array.dims.iter().map(|(length, _)| *length as usize).collect();
            let body = show_items(&array.values, &lengths, Type::new(array.element), context);
            format!("{prefix}{body}")
        }
        Datum::Record(record) => {
            let items = record.values.iter().zip(record.fields.iter());
            let quoted = items.map(|(value, (_, typ))| {
                let text = show(value, Type::new(*typ), context);
                let quote = text.is_empty() && !value.is_null() || text.contains(|c: char| "(),\"\\ \t\n".contains(c));
                if quote { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\"\"")) } else { text }
            });
            format!("({})", quoted.collect::<Vec<_>>().join(","))
        }
        Datum::Jsonb(document) => document.to_string(),
        value => {
            let mut text = String::new();
            io::output(value, typ, context, &mut text);
            text
        }
    }
}

fn show_items(values: &[Datum], lengths: &[usize], element: Type, context: &EvalContext) -> String {
    let Some((count, inner)) = lengths.split_first() else { return "{}".into() };
    let items: Vec<String> = if inner.is_empty() {
        values
            .iter()
            .map(|value| {
                let text = show(value, element, context);
                let quote = text.is_empty()
                    || text.eq_ignore_ascii_case("null")
                    || text.contains(|c: char| "{},\"\\ \n\t".contains(c));
                match value {
                    Datum::Null => "NULL".into(),
                    _ if quote => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
                    _ => text,
                }
            })
            .collect()
    } else {
        values.chunks(values.len() / count).map(|part| show_items(part, inner, element, context)).collect()
    };
    format!("{{{}}}", items.join(","))
}

/// `agg name types {column} {column}`; an ordered-set aggregate has its direct argument after the name in parentheses.
fn aggregate(line: &str, context: &EvalContext) -> Result<String> {
    let mut words = line.split_whitespace();
    let name = words.next().expect("a name");
    let (name, direct) = name.split_once('(').map_or((name, None), |(name, rest)| (name, rest.strip_suffix(')')));
    let types: Vec<Type> =
        words.next().expect("types").split(',').map(crate::sql::types::parse_name).collect::<Result<_>>()?;
    let mut columns = Vec::new();
    for (typ, column) in types.iter().zip(words) {
        let Datum::Array(array) = read_array(column, *typ, context)? else { unreachable!("an array was read") };
        columns.push(array.values);
    }
    let mut all_types = types.clone();
    let direct = match direct {
        None => None,
        Some(text) => {
            let mut reader = Reader { text, at: 0, context };
            let (value, typ) = reader.expression()?;
            all_types.insert(0, typ);
            Some(value)
        }
    };
    let values = all_types.iter().map(|typ| (Datum::Null, *typ)).collect();
    let (function, _) = resolve(name, values, context)?;
    let Body::Aggregate(make) = function.body else { panic!("{name} is not an aggregate") };
    let mut state = make(&all_types);
    for row in 0..columns[0].len() {
        let mut args: Vec<Datum> = direct.iter().cloned().collect();
        args.extend(columns.iter().map(|column| column[row].clone()));
        if !(function.strict && args.iter().any(Datum::is_null)) {
            state.update(context, &args)?;
        }
        // A window asks after every row.
        state.finish(context)?;
    }
    let result = state.finish(context)?;
    let typ = io::natural_type(&result);
    Ok(show(&result, typ, context))
}

fn evaluate(line: &str, context: &EvalContext) -> String {
    let result = match line.strip_prefix("agg ") {
        Some(call) => aggregate(call, context),
        None => {
            let mut reader = Reader { text: line, at: 0, context };
            reader.expression().map(|(value, typ)| show(&value, typ, context))
        }
    };
    result.unwrap_or_else(|error: Error| {
        let report = error.report();
        let mut text = format!("ERROR {}: {}", error.code(), report.message);
        for (name, part) in [("DETAIL", &report.detail), ("HINT", &report.hint)] {
            if let Some(part) = part {
                write!(text, " {name}: {part}").expect("to a string");
            }
        }
        text
    })
}

#[test]
fn every_function_answers_as_postgresql_does() {
    let context = EvalContext::detached(Default::default());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql/functions/cases.txt");
    let cases = std::fs::read_to_string(path).expect("the cases beside this file");
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in cases.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (call, expected) = case.split_once(" => ").or_else(|| case.split_once(" =>")).expect("call => answer");
        let got = evaluate(call, &context).replace('\n', "\\n");
        count += 1;
        if got != expected {
            wrong.push(format!("{call}\n  expected {expected}\n  got      {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_name_has_the_same_arguments_twice() {
    for function in super::all() {
        let twins = super::find(function.name).iter().filter(|other| other.args == function.args);
        assert_eq!(twins.count(), 1, "{function:?}");
        assert_eq!(super::by_oid(function.oid).map(|found| found.name), Some(function.name));
    }
}

/// The functions of PostgreSQL's manual, chapter by chapter, and which of them are here.
fn documented_table() -> String {
    let (mut rows, mut here, mut all) = (String::new(), 0, 0);
    for line in include_str!("documented.txt").lines() {
        let (chapter, names) = line.split_once(": ").expect("chapter: names");
        let (yes, no): (Vec<&str>, Vec<&str>) = names.split(' ').partition(|name| !super::find(name).is_empty());
        here += yes.len();
        all += yes.len() + no.len();
        let no = if no.is_empty() { "-".to_string() } else { no.join(" ") };
        rows.push_str(&format!("| {chapter} | {} | {no} |\n", yes.join(" ")));
    }
    format!("{here} of {all}.\n\n| chapter | yes | no |\n|---|---|---|\n{rows}")
}

/// The table in docs/POSTGRES_COMPATIBILITY.md is the catalogue's; `UPDATE_GOLDENFILES=1` writes it anew.
#[test]
fn the_documented_functions_are_listed_as_they_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/POSTGRES_COMPATIBILITY.md");
    let text = std::fs::read_to_string(path).expect("the document is there");
    let (begin, end) = ("<!-- functions -->\n", "<!-- /functions -->");
    let (before, rest) = text.split_once(begin).expect("where the table begins");
    let (table, after) = rest.split_once(end).expect("where it ends");
    let wanted = documented_table();
    if std::env::var("UPDATE_GOLDENFILES").is_ok() {
        std::fs::write(path, format!("{before}{begin}{wanted}{end}{after}")).expect("the document can be written");
    } else {
        assert_eq!(table, wanted, "run this test with UPDATE_GOLDENFILES=1");
    }
}
