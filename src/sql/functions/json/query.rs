//! JSON_EXISTS, JSON_VALUE, JSON_QUERY, JSON_TABLE, IS JSON and the SQL/JSON constructors, in the form that the parser
//! gives them: ordinary calls whose clauses are arguments. The type of RETURNING is that of the DEFAULT arguments (NULLs of
//! the type where there is none).

use std::collections::HashSet;

use crate::document::jsonb::Kind;
use crate::document::{Datum, Jsonb, JsonbRef, Oid, Record, Type, json};
use crate::err;
use crate::error::{Error, Result};
use crate::sql::context::EvalContext;
use crate::sql::function::Function;
use crate::sql::functions::define::{Args, Rows, natural_type, scalar, set};
use crate::sql::io;
use crate::sql::jsonpath::Path;
use crate::sql::jsonpath::run::{Item, is_hidden, run};

use super::encode::{key_of, write_json, write_string};

const B: Type = Type::JSONB;
const J: Type = Type::JSON;
const P: Type = Type::JSONPATH;
const T: Type = Type::TEXT;
const BOOL: Type = Type::BOOL;
const ANY: Type = Type::ANY;
const E: Type = Type::ANYELEMENT;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(10_100_001, "json_exists", &[B, P, B, T], BOOL, json_exists).loose(),
    scalar(10_100_002, "json_value", &[B, P, B, T, T, Type::REGTYPE, E, E], E, json_value).loose().stable(),
    scalar(10_100_003, "json_query", &[B, P, B, T, T, T, T, Type::REGTYPE, E, E], E, json_query).loose().stable(),
    set(10_100_004, "json_table", &[B, P, B, T], Type::RECORD, json_table).loose().stable(),
    scalar(10_100_005, "is_json", &[T, T, BOOL], BOOL, is_json),
    scalar(10_100_006, "json_object", &[BOOL, BOOL, ANY], J, make_object).variadic().loose().stable(),
    scalar(10_100_008, "json_array", &[BOOL, ANY], J, make_array).variadic().loose().stable(),
    scalar(10_100_009, "json_array", &[BOOL], J, make_array).loose().stable(),
    scalar(10_100_012, "json_unique", &[J], J, json_unique),
    scalar(10_100_010, "json_scalar", &[ANY], J, super::build::to_json).stable(),
    scalar(10_100_011, "json_serialize", &[J], T, |_, a| Ok(Datum::text(a.json(0)?))),
];

/// What a path finds in a context item; errors of the data as the second part.
fn find<'a>(
    context: &EvalContext,
    document: JsonbRef<'a>,
    path: &str,
    variables: Option<JsonbRef<'a>>,
    first: bool,
) -> Result<std::result::Result<Vec<Item<'a>>, Error>> {
    let found = run(context, &*Path::of(path)?, document, variables, first, true)?;
    match found.error {
        Some(error) if is_hidden(&error) => Ok(Err(error)),
        Some(error) => Err(error),
        None => Ok(Ok(found.items)),
    }
}

fn variables(args: &[Datum]) -> Option<JsonbRef<'_>> {
    match args.at(2) {
        Datum::Jsonb(variables) => Some(variables.as_ref()),
        _ => None,
    }
}

fn json_exists(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (Datum::Jsonb(document), Datum::Text(path)) = (args.at(0), args.at(1)) else { return Ok(Datum::Null) };
    match find(context, document.as_ref(), path, variables(args), true)? {
        Ok(items) => Ok(Datum::Bool(!items.is_empty())),
        Err(error) => match args.text(3)? {
            "error" => Err(error),
            "true" => Ok(Datum::Bool(true)),
            "unknown" => Ok(Datum::Null),
            _ => Ok(Datum::Bool(false)),
        },
    }
}

/// What ON EMPTY and ON ERROR ask for.
struct Otherwise<'a> {
    /// `null`, `error`, `array`, `object`, `default`.
    word: &'a str,
    default: &'a Datum,
}

impl Otherwise<'_> {
    fn value(&self, error: Error, typ: Type, context: &EvalContext) -> Result<Datum> {
        match self.word {
            "error" => Err(error),
            "default" => Ok(self.default.clone()),
            "array" => shaped(&Jsonb::empty_array(), typ, false, context),
            "object" => shaped(&Jsonb::empty_object(), typ, false, context),
            "true" => Ok(Datum::Bool(true)),
            "false" => Ok(Datum::Bool(false)),
            _ => Ok(Datum::Null),
        }
    }
}

/// What is missing says in which column of JSON_TABLE.
fn of_column(error: Error, name: &str) -> Error {
    if error.code() != crate::error::SqlState::NO_SQL_JSON_ITEM {
        return error;
    }
    Error::new(error.code(), format!("{} of column \"{name}\"", error.message()))
}

fn no_item() -> Error {
    err!(NO_SQL_JSON_ITEM, "no SQL/JSON item found for specified path")
}

/// A scalar as a value of a type; NULL for JSON's null.
fn scalar_value(item: &Item<'_>, typ: Type, context: &EvalContext) -> Result<Option<Datum>> {
    let value = item.to_jsonb(context);
    let value = value.as_ref();
    let text = match value.kind() {
        Kind::Null => return Ok(Some(Datum::Null)),
        Kind::Array | Kind::Object => return Ok(None),
        Kind::String => value.as_str().unwrap_or_default().to_string(),
        _ => value.to_string(),
    };
    match Type::new(typ.oid) {
        Type::JSONB => Ok(Some(Datum::Jsonb(value.to_owned()))),
        Type::JSON => Ok(Some(Datum::Json(value.to_string().into()))),
        // An integer takes what a numeric would give it.
        Type::INT2 | Type::INT4 | Type::INT8 if value.kind() == Kind::Number => {
            let number = value.as_numeric().unwrap_or(crate::document::Numeric::NAN);
            let rounded = number.round(0)?;
            io::text_in(typ, &rounded.to_string(), context).map(Some)
        }
        _ => io::text_in(typ, &text, context).map(Some),
    }
}

/// JSON as a value of a type. `unquoted`: a string without its quotes.
fn shaped(value: &Jsonb, typ: Type, unquoted: bool, context: &EvalContext) -> Result<Datum> {
    let value = value.as_ref();
    let bare = value.as_str().filter(|_| unquoted);
    match Type::new(typ.oid) {
        Type::JSONB => match bare {
            Some(text) => Ok(Datum::Jsonb(Jsonb::parse(text)?)),
            None => Ok(Datum::Jsonb(value.to_owned())),
        },
        Type::BYTEA => Ok(Datum::Bytea(bare.map_or_else(|| value.to_string(), str::to_string).into_bytes().into())),
        _ if value.is_array() && crate::sql::types::by_oid(typ.oid).is_some_and(|t| t.is_array()) => {
            let element = Type::new(crate::sql::types::element_of(typ.oid).unwrap_or(Type::TEXT.oid));
            let values = value.iter_array().map(|e| match scalar_value(&Item::Part(e), element, context)? {
                Some(value) => Ok(value),
                None => shaped(&e.to_owned(), element, false, context),
            });
            let values = values.collect::<Result<Vec<_>>>()?;
            Ok(Datum::Array(Box::new(crate::document::Array::new(element.oid, values))))
        }
        _ => {
            let text = bare.map_or_else(|| value.to_string(), str::to_string);
            io::text_in(typ, &text, context)
        }
    }
}

/// JSON_VALUE of what a path found.
fn value_of(
    found: std::result::Result<Vec<Item<'_>>, Error>,
    typ: Type,
    empty: &Otherwise<'_>,
    failed: &Otherwise<'_>,
    context: &EvalContext,
) -> Result<Datum> {
    let single = |code: crate::error::SqlState| {
        Error::new(code, "JSON path expression in JSON_VALUE must return single scalar item".to_string())
    };
    let items = match found {
        Ok(items) => items,
        Err(error) => return failed.value(error, typ, context),
    };
    let item = match items.as_slice() {
        [] if empty.word == "error" => return failed.value(no_item(), typ, context),
        [] => return empty.value(no_item(), typ, context),
        [item] => item,
        _ => return failed.value(single(crate::error::SqlState::MORE_THAN_ONE_SQL_JSON_ITEM), typ, context),
    };
    match scalar_value(item, typ, context) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => failed.value(single(crate::error::SqlState::SQL_JSON_SCALAR_REQUIRED), typ, context),
        Err(error) => failed.value(error, typ, context),
    }
}

fn json_value(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (Datum::Jsonb(document), Datum::Text(path)) = (args.at(0), args.at(1)) else { return Ok(Datum::Null) };
    let typ = Type::new(args.oid(5)?);
    let empty = Otherwise { word: args.text(3)?, default: args.at(6) };
    let failed = Otherwise { word: args.text(4)?, default: args.at(7) };
    value_of(find(context, document.as_ref(), path, variables(args), false)?, typ, &empty, &failed, context)
}

/// JSON_QUERY of what a path found.
fn query_of(
    found: std::result::Result<Vec<Item<'_>>, Error>,
    typ: Type,
    (wrapper, omit_quotes): (&str, bool),
    empty: &Otherwise<'_>,
    failed: &Otherwise<'_>,
    context: &EvalContext,
) -> Result<Datum> {
    let items = match found {
        Ok(items) => items,
        Err(error) => return failed.value(error, typ, context),
    };
    if items.is_empty() {
        return match empty.word {
            "error" => failed.value(no_item(), typ, context),
            _ => empty.value(no_item(), typ, context),
        };
    }
    let wrap = match wrapper {
        "unconditional" => true,
        "conditional" => items.len() > 1,
        _ => false,
    };
    let value = match items.as_slice() {
        items if wrap => super::path::array_of(items.iter().map(|item| item.to_jsonb(context)))?,
        [item] => item.to_jsonb(context),
        _ => {
            let error = err!(
                MORE_THAN_ONE_SQL_JSON_ITEM,
                "JSON path expression in JSON_QUERY must return single item when no wrapper is requested"
            )
            .hint("Use the WITH WRAPPER clause to wrap SQL/JSON items into an array.");
            return failed.value(error, typ, context);
        }
    };
    shaped(&value, typ, omit_quotes, context).or_else(|error| failed.value(error, typ, context))
}

fn json_query(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (Datum::Jsonb(document), Datum::Text(path)) = (args.at(0), args.at(1)) else { return Ok(Datum::Null) };
    let form = (args.text(3)?, args.text(4)? == "omit");
    let typ = Type::new(args.oid(7)?);
    let empty = Otherwise { word: args.text(5)?, default: args.at(8) };
    let failed = Otherwise { word: args.text(6)?, default: args.at(9) };
    query_of(find(context, document.as_ref(), path, variables(args), false)?, typ, form, &empty, &failed, context)
}

/// A column of JSON_TABLE, or a nested path with columns of its own, as the binder says it.
enum Column {
    Ordinality,
    Value { name: String, typ: Type, path: String, empty: Kept, failed: Kept },
    Query { name: String, typ: Type, path: String, wrapper: String, omit: bool, empty: Kept, failed: Kept },
    Exists { typ: Type, path: String, failed: Kept },
    Nested { path: String, columns: Vec<Column>, width: usize },
}

/// ON EMPTY or ON ERROR of a column; a DEFAULT is the text of a constant.
struct Kept {
    word: String,
    default: Option<String>,
}

impl Kept {
    fn of(value: &serde_json::Value) -> Self {
        let text = |key: &str| value.get(key).and_then(|v| v.as_str()).map(str::to_string);
        Self { word: text("word").unwrap_or_else(|| "null".into()), default: text("default") }
    }

    fn with<R>(&self, typ: Type, context: &EvalContext, f: impl FnOnce(&Otherwise<'_>) -> R) -> Result<R> {
        let default = match &self.default {
            Some(text) => io::text_in(typ, text, context)?,
            None => Datum::Null,
        };
        Ok(f(&Otherwise { word: &self.word, default: &default }))
    }
}

impl Column {
    fn of(value: &serde_json::Value) -> Self {
        let text = |key: &str| value.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_string();
        let number = |key: &str| value.get(key).and_then(serde_json::Value::as_i64).unwrap_or(-1);
        let typ = Type::with_typmod(number("oid") as Oid, number("typmod") as i32);
        let otherwise = |key: &str| Kept::of(value.get(key).unwrap_or(&serde_json::Value::Null));
        match text("kind").as_str() {
            "ordinality" => Self::Ordinality,
            "exists" => Self::Exists { typ, path: text("path"), failed: otherwise("failed") },
            "query" => Self::Query {
                name: text("name"),
                typ,
                path: text("path"),
                wrapper: text("wrapper"),
                omit: text("quotes") == "omit",
                empty: otherwise("empty"),
                failed: otherwise("failed"),
            },
            "nested" => {
                let columns = Self::list(value);
                let width = columns.iter().map(Self::width).sum();
                Self::Nested { path: text("path"), columns, width }
            }
            _ => Self::Value {
                name: text("name"),
                typ,
                path: text("path"),
                empty: otherwise("empty"),
                failed: otherwise("failed"),
            },
        }
    }

    fn list(value: &serde_json::Value) -> Vec<Self> {
        value.get("columns").and_then(|c| c.as_array()).map(|c| c.iter().map(Self::of).collect()).unwrap_or_default()
    }

    fn width(&self) -> usize {
        match self {
            Self::Nested { width, .. } => *width,
            _ => 1,
        }
    }
}

struct Table<'a> {
    context: &'a EvalContext,
    variables: Option<JsonbRef<'a>>,
}

impl Table<'_> {
    /// The rows that an item gives: its own columns beside each row of the nested paths, one after the other.
    fn rows(&self, columns: &[Column], item: &Jsonb, ordinal: i32) -> Result<Vec<Vec<Datum>>> {
        crate::sql::plan::visit::guard(|| self.rows_of(columns, item, ordinal))
    }

    fn rows_of(&self, columns: &[Column], item: &Jsonb, ordinal: i32) -> Result<Vec<Vec<Datum>>> {
        let width: usize = columns.iter().map(Column::width).sum();
        let mut own = vec![Datum::Null; width];
        let mut nested: Vec<(usize, Vec<Vec<Datum>>)> = Vec::new();
        let mut at = 0;
        for column in columns {
            match column {
                Column::Nested { path, columns, .. } => {
                    let mut rows = Vec::new();
                    for (i, inner) in self.items(item, path)?.iter().enumerate() {
                        rows.extend(self.rows(columns, inner, i as i32 + 1)?);
                    }
                    nested.push((at, rows));
                }
                column => own[at] = self.value(column, item, ordinal)?,
            }
            at += column.width();
        }
        if nested.iter().all(|(_, rows)| rows.is_empty()) {
            return Ok(vec![own]);
        }
        let mut out = Vec::new();
        for (at, rows) in nested {
            for row in rows {
                let mut whole = own.clone();
                for (slot, value) in whole[at..].iter_mut().zip(row) {
                    *slot = value;
                }
                out.push(whole);
            }
        }
        Ok(out)
    }

    /// What a nested path finds; its errors find nothing.
    fn items(&self, item: &Jsonb, path: &str) -> Result<Vec<Jsonb>> {
        let found = find(self.context, item.as_ref(), path, self.variables, false)?;
        Ok(found.unwrap_or_default().iter().map(|i| i.to_jsonb(self.context)).collect())
    }

    fn value(&self, column: &Column, item: &Jsonb, ordinal: i32) -> Result<Datum> {
        let context = self.context;
        let found = |path: &str, first| find(context, item.as_ref(), path, self.variables, first);
        match column {
            Column::Ordinality => Ok(Datum::Int4(ordinal)),
            Column::Value { name, typ, path, empty, failed } => {
                let found = found(path, false)?;
                let value = empty
                    .with(*typ, context, |e| failed.with(*typ, context, |f| value_of(found, *typ, e, f, context)))??;
                value.map_err(|error| of_column(error, name))
            }
            Column::Query { name, typ, path, wrapper, omit, empty, failed } => {
                let (found, form) = (found(path, false)?, (wrapper.as_str(), *omit));
                let value = empty.with(*typ, context, |e| {
                    failed.with(*typ, context, |f| query_of(found, *typ, form, e, f, context))
                })??;
                value.map_err(|error| of_column(error, name))
            }
            Column::Exists { typ, path, failed } => {
                let exists = match found(path, true)? {
                    Ok(items) => Some(!items.is_empty()),
                    Err(error) => match failed.word.as_str() {
                        "error" => return Err(error),
                        "true" => Some(true),
                        "unknown" => None,
                        _ => Some(false),
                    },
                };
                match exists {
                    None => Ok(Datum::Null),
                    Some(exists) => match Type::new(typ.oid) {
                        Type::BOOL => Ok(Datum::Bool(exists)),
                        Type::INT2 | Type::INT4 | Type::INT8 => {
                            io::text_in(*typ, if exists { "1" } else { "0" }, context)
                        }
                        _ => io::text_in(*typ, if exists { "true" } else { "false" }, context),
                    },
                }
            }
            Column::Nested { .. } => Err(Error::internal("a nested path is no column")),
        }
    }
}

fn json_table(context: &EvalContext, args: &[Datum]) -> Result<Rows> {
    let (Datum::Jsonb(document), Datum::Text(path)) = (args.at(0), args.at(1)) else {
        return Ok(Box::new(std::iter::empty()));
    };
    let plan: serde_json::Value =
        serde_json::from_str(args.text(3)?).map_err(|e| Error::internal(format!("a plan of JSON_TABLE: {e}")))?;
    let columns = Column::list(&plan);
    let items = match find(context, document.as_ref(), path, variables(args), false)? {
        Ok(items) => items,
        Err(error) if plan.get("failed").and_then(|f| f.as_str()) == Some("error") => return Err(error),
        Err(_) => Vec::new(),
    };
    let table = Table { context, variables: variables(args) };
    let mut rows = Vec::new();
    for (i, item) in items.iter().enumerate() {
        rows.extend(table.rows(&columns, &item.to_jsonb(context), i as i32 + 1)?);
    }
    let rows = rows.into_iter().map(|mut values| {
        // One column needs no record around it.
        if values.len() == 1 {
            return Ok(values.remove(0));
        }
        let fields: Vec<(Box<str>, Oid)> =
            values.iter().enumerate().map(|(i, v)| (format!("f{}", i + 1).into(), natural_type(v).oid)).collect();
        Ok(Datum::Record(Box::new(Record { fields: fields.into(), values })))
    });
    Ok(Box::new(rows.collect::<Vec<_>>().into_iter()))
}

fn is_json(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let text = args.text(0)?;
    if json::validate(text).is_err() {
        return Ok(Datum::Bool(false));
    }
    let kind = json::kind(text);
    let fits = match args.text(1)? {
        "object" => kind == Kind::Object,
        "array" => kind == Kind::Array,
        "scalar" => !matches!(kind, Kind::Object | Kind::Array),
        _ => true,
    };
    Ok(Datum::Bool(fits && !(args.bool(2)? && has_duplicates(text))))
}

/// `JSON(... WITH UNIQUE KEYS)`.
fn json_unique(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    match has_duplicates(args.json(0)?) {
        true => Err(err!(DUPLICATE_JSON_OBJECT_KEY_VALUE, "duplicate JSON object key value")),
        false => Ok(args.at(0).clone()),
    }
}

/// Whether an object anywhere in a valid text has a key twice.
fn has_duplicates(text: &str) -> bool {
    // One set of keys for each open object; `None` for arrays.
    let mut open: Vec<Option<HashSet<String>>> = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut key_next = false;
    while at < bytes.len() {
        match bytes[at] {
            b'{' => {
                open.push(Some(HashSet::new()));
                key_next = true;
            }
            b'[' => {
                open.push(None);
                key_next = false;
            }
            b'}' | b']' => {
                open.pop();
                key_next = false;
            }
            b',' => key_next = matches!(open.last(), Some(Some(_))),
            b'"' => {
                let start = at;
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                let end = (at + 1).min(bytes.len());
                if key_next && let Some(Some(keys)) = open.last_mut() {
                    let key = serde_json::from_str::<String>(&text[start..end]);
                    if !keys.insert(key.unwrap_or_else(|_| text[start..end].to_string())) {
                        return true;
                    }
                }
                key_next = false;
            }
            _ => {}
        }
        at += 1;
    }
    false
}

/// JSON_OBJECT: (ABSENT ON NULL, WITH UNIQUE, key, value, ...).
fn make_object(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (absent, unique) = (args.bool(0)?, args.bool(1)?);
    let mut text = String::from("{");
    let mut keys = HashSet::new();
    for pair in args[2..].chunks(2) {
        let [key, value] = pair else { return Err(Error::internal("a key has a value")) };
        if key.is_null() {
            return Err(err!(NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key"));
        }
        let key = key_of(context, key, natural_type(key))?.to_string();
        if unique && !keys.insert(key.clone()) {
            return Err(err!(DUPLICATE_JSON_OBJECT_KEY_VALUE, "duplicate JSON object key value: \"{key}\""));
        }
        if absent && value.is_null() {
            continue;
        }
        if text.len() > 1 {
            text.push_str(", ");
        }
        write_string(&key, &mut text);
        text.push_str(" : ");
        write_json(context, value, natural_type(value), &mut text)?;
    }
    text.push('}');
    Ok(Datum::Json(text.into()))
}

/// JSON_ARRAY: (ABSENT ON NULL, value, ...).
fn make_array(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let absent = args.bool(0)?;
    let mut text = String::from("[");
    for value in args[1..].iter().filter(|v| !(absent && v.is_null())) {
        if text.len() > 1 {
            text.push_str(", ");
        }
        write_json(context, value, natural_type(value), &mut text)?;
    }
    text.push(']');
    Ok(Datum::Json(text.into()))
}
