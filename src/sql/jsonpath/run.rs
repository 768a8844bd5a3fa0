//! Running a path over a document, with PostgreSQL's rules: lax mode unwraps and wraps arrays and takes what is missing
//! as nothing; conditions are three-valued and errors inside them are unknown.

use std::cell::Cell;
use std::cmp::Ordering;
use std::sync::Arc;

use super::{Arithmetic, Comparison, Method, Node, Path, Step, datetime};
use crate::document::jsonb::Kind;
use crate::document::{Datum, Jsonb, JsonbBuilder, JsonbRef, Numeric, Type};
use crate::err;
use crate::error::{Error, Result, SqlState};
use crate::sql::casts::typmod;
use crate::sql::context::EvalContext;
use crate::sql::functions::pattern::{self, Options, Regex};
use crate::sql::io;

/// A value that a path computes.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// A part of the document.
    Part(JsonbRef<'a>),
    /// A value of its own.
    Own(Arc<Jsonb>),
    /// A date or time, which JSON has not, with the zone it was written in (seconds east).
    Time(Datum, i32),
}

/// How a run ended before its end.
enum Halt {
    /// Enough was found.
    Enough,
    /// As an error that `silent` hides.
    Error(Box<Error>),
}

type Run<T> = std::result::Result<T, Halt>;

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Error(Box::new(error))
    }
}

/// What a path found.
pub struct Found<'a> {
    /// The items, those before an error as well.
    pub items: Vec<Item<'a>>,
    /// What stopped it.
    pub error: Option<Error>,
}

struct Runner<'a, 'p> {
    context: &'p EvalContext,
    root: JsonbRef<'a>,
    variables: Option<JsonbRef<'a>>,
    lax: bool,
    /// What is missing is no error: in lax mode, and under `**`.
    forgiving: Cell<bool>,
    /// The session's time zone may be used.
    zoned: bool,
    /// Stop at this many top-level items.
    enough: usize,
}

/// What a part of a path is run on.
#[derive(Clone, Copy)]
struct Here<'h, 'a> {
    current: &'h Item<'a>,
    /// The length of the innermost array whose subscript is computed.
    length: Option<i64>,
}

/// Runs a path. `first`: in lax mode, stop at the first item; `zoned`: the session's time zone may be used.
pub fn run<'a>(
    context: &EvalContext,
    path: &Path,
    document: JsonbRef<'a>,
    variables: Option<JsonbRef<'a>>,
    first: bool,
    zoned: bool,
) -> Result<Found<'a>> {
    if variables.is_some_and(|v| !v.is_object()) {
        return Err(err!(INVALID_PARAMETER_VALUE, "\"vars\" argument is not an object")
            .detail("Jsonpath parameters should be encoded as key-value pairs of \"vars\" object."));
    }
    let enough = if first && path.lax { 1 } else { usize::MAX };
    let forgiving = Cell::new(path.lax);
    let runner = Runner { context, root: document, variables, lax: path.lax, forgiving, zoned, enough };
    let mut items = Vec::new();
    let root = Item::Part(document);
    let end = runner.expr(&path.expr, Here { current: &root, length: None }, true, &mut items);
    let error = match end {
        Ok(()) | Err(Halt::Enough) => None,
        Err(Halt::Error(error)) => Some(*error),
    };
    Ok(Found { items, error })
}

impl<'a> Item<'a> {
    /// The item as JSON; a date or time is its text.
    pub fn to_jsonb(&self, _: &EvalContext) -> Jsonb {
        match self {
            Self::Part(part) => (*part).to_owned(),
            Self::Own(own) => (**own).clone(),
            Self::Time(value, east) => Jsonb::string(&datetime::to_text(value, *east)),
        }
    }

    /// The value inside a document, if it is one.
    fn json(&self) -> Option<JsonbRef<'_>> {
        match self {
            Self::Part(part) => Some(*part),
            Self::Own(own) => Some(own.as_ref().as_ref()),
            Self::Time(..) => None,
        }
    }

    fn is_array(&self) -> bool {
        self.json().is_some_and(JsonbRef::is_array)
    }

    fn elements(&self) -> Vec<Item<'a>> {
        match self {
            Self::Part(part) => part.iter_array().map(Item::Part).collect(),
            Self::Own(own) => own.as_ref().as_ref().iter_array().map(|e| Item::Own(Arc::new(e.to_owned()))).collect(),
            Self::Time(..) => Vec::new(),
        }
    }

    /// The members of an object in the order that PostgreSQL keeps them.
    fn members(&self) -> Vec<(String, Item<'a>)> {
        match self {
            Self::Part(part) => part.iter_object().map(|(k, v)| (k.to_string(), Item::Part(v))).collect(),
            Self::Own(own) => {
                let members = own.as_ref().as_ref().iter_object();
                members.map(|(k, v)| (k.to_string(), Item::Own(Arc::new(v.to_owned())))).collect()
            }
            Self::Time(..) => Vec::new(),
        }
    }

    fn get(&self, key: &str) -> Option<Item<'a>> {
        match self {
            Self::Part(part) => part.get(key).map(Item::Part),
            Self::Own(own) => own.as_ref().as_ref().get(key).map(|v| Item::Own(Arc::new(v.to_owned()))),
            Self::Time(..) => None,
        }
    }

    fn number(&self) -> Option<Numeric> {
        self.json().and_then(JsonbRef::as_numeric)
    }

    fn text(&self) -> Option<&str> {
        self.json().and_then(JsonbRef::as_str)
    }
}

fn own<'a>(value: Jsonb) -> Item<'a> {
    Item::Own(Arc::new(value))
}

/// A pattern of `like_regex` with its flags.
pub(super) fn regex(pattern: &str, flags: &str) -> Result<Arc<Regex>> {
    // `.` does not match a newline unless the flag says so.
    let mut options = Options { newline_stops: true, ..Options::default() };
    for flag in flags.chars() {
        match flag {
            'i' => options.fold = true,
            's' => options.newline_stops = false,
            'm' => options.newline_anchors = true,
            'q' => options.literal = true,
            'x' => {
                return Err(err!(
                    FEATURE_NOT_SUPPORTED,
                    "XQuery \"x\" flag (expanded regular expressions) is not implemented"
                ));
            }
            other => {
                return Err(err!(SYNTAX_ERROR, "invalid input syntax for type {}", "jsonpath")
                    .detail(format!("Unrecognized flag character \"{other}\" in LIKE_REGEX predicate.")));
            }
        }
    }
    pattern::compile(pattern, options)
}

impl<'a> Runner<'a, '_> {
    /// The items of an expression. `unwrap`: the steps may look into arrays by themselves.
    fn expr(&self, node: &Node, here: Here<'_, 'a>, top: bool, out: &mut Vec<Item<'a>>) -> Run<()> {
        crate::sql::plan::visit::guard(|| self.node(node, here, top, out))
    }

    fn emit(&self, item: Item<'a>, top: bool, out: &mut Vec<Item<'a>>) -> Run<()> {
        out.push(item);
        if top && out.len() >= self.enough { Err(Halt::Enough) } else { Ok(()) }
    }

    fn node(&self, node: &Node, here: Here<'_, 'a>, top: bool, out: &mut Vec<Item<'a>>) -> Run<()> {
        let value = match node {
            Node::Root => Item::Part(self.root),
            Node::Current => here.current.clone(),
            Node::Null => own(Jsonb::null()),
            Node::Bool(value) => own(Jsonb::bool(*value)),
            Node::Number(n) => own(Jsonb::number(n)),
            Node::Text(text) => own(Jsonb::string(text)),
            Node::Last => match here.length {
                Some(length) => own(Jsonb::number(&Numeric::from_i64(length - 1))),
                None => return Err(Error::internal("last outside of an array").into()),
            },
            Node::Variable(name) => match self.variables.and_then(|v| v.get(name)) {
                Some(value) => Item::Part(value),
                None => {
                    return Err(err!(UNDEFINED_OBJECT, "could not find jsonpath variable \"{name}\"").into());
                }
            },
            Node::Steps(base, steps) => {
                let mut bases = Vec::new();
                self.expr(base, here, false, &mut bases)?;
                for base in bases {
                    self.steps(steps, &base, here, true, top, out)?;
                }
                return Ok(());
            }
            Node::Arithmetic(operator, left, right) => own(self.arithmetic(*operator, left, right, here)?),
            Node::Plus(inner) | Node::Minus(inner) => {
                let minus = matches!(node, Node::Minus(_));
                for item in self.unwrapped(inner, here)? {
                    let Some(n) = item.number() else {
                        let symbol = if minus { "-" } else { "+" };
                        return Err(err!(
                            SQL_JSON_NUMBER_NOT_FOUND,
                            "operand of unary jsonpath operator {symbol} is not a numeric value"
                        )
                        .into());
                    };
                    let n = if minus { n.neg() } else { n };
                    self.emit(own(Jsonb::number(&n)), top, out)?;
                }
                return Ok(());
            }
            condition => match self.condition(condition, here)? {
                Some(value) => own(Jsonb::bool(value)),
                None => own(Jsonb::null()),
            },
        };
        self.emit(value, top, out)
    }

    /// The items of an operand: in lax mode the elements of arrays.
    fn unwrapped(&self, node: &Node, here: Here<'_, 'a>) -> Run<Vec<Item<'a>>> {
        let mut items = Vec::new();
        self.expr(node, here, false, &mut items)?;
        if !self.lax || !items.iter().any(Item::is_array) {
            return Ok(items);
        }
        let flat = items.into_iter().flat_map(|i| if i.is_array() { i.elements() } else { vec![i] });
        Ok(flat.collect())
    }

    fn arithmetic(&self, operator: Arithmetic, left: &Node, right: &Node, here: Here<'_, 'a>) -> Run<Jsonb> {
        let number = |side: &str, node: &Node| -> Run<Numeric> {
            let items = self.unwrapped(node, here)?;
            match items.as_slice() {
                [item] if item.number().is_some() => Ok(item.number().unwrap_or_else(|| Numeric::from_i64(0))),
                _ => Err(err!(
                    SINGLETON_SQL_JSON_ITEM_REQUIRED,
                    "{side} operand of jsonpath operator {} is not a single numeric value",
                    operator.symbol()
                )
                .into()),
            }
        };
        let (left, right) = (number("left", left)?, number("right", right)?);
        let result = match operator {
            Arithmetic::Add => left.add(&right),
            Arithmetic::Subtract => left.sub(&right),
            Arithmetic::Multiply => left.mul(&right),
            Arithmetic::Divide => left.div(&right),
            Arithmetic::Modulo => left.rem(&right),
        };
        Ok(Jsonb::number(&result?))
    }

    /// What the steps lead to from an item.
    fn steps(
        &self,
        steps: &[Step],
        item: &Item<'a>,
        here: Here<'_, 'a>,
        unwrap: bool,
        top: bool,
        out: &mut Vec<Item<'a>>,
    ) -> Run<()> {
        let Some((step, rest)) = steps.split_first() else { return self.emit(item.clone(), top, out) };
        crate::sql::plan::visit::guard(|| self.step(step, rest, item, here, unwrap && self.lax, top, out))
    }

    #[allow(clippy::too_many_arguments)]
    fn step(
        &self,
        step: &Step,
        rest: &[Step],
        item: &Item<'a>,
        here: Here<'_, 'a>,
        unwrap: bool,
        top: bool,
        out: &mut Vec<Item<'a>>,
    ) -> Run<()> {
        let go = |item: &Item<'a>, out: &mut Vec<Item<'a>>| self.steps(rest, item, here, true, top, out);
        let each = |out: &mut Vec<Item<'a>>| {
            item.elements().iter().try_for_each(|e| self.step(step, rest, e, here, false, top, out))
        };
        let fails = |code: SqlState, message: &str| -> Run<()> {
            if self.forgiving.get() { Ok(()) } else { Err(Error::new(code, message.to_string()).into()) }
        };
        let is_object = item.json().is_some_and(JsonbRef::is_object);
        match step {
            Step::Key(key) if is_object => match item.get(key) {
                Some(found) => go(&found, out),
                None => {
                    fails(SqlState::SQL_JSON_MEMBER_NOT_FOUND, &format!("JSON object does not contain key \"{key}\""))
                }
            },
            Step::Key(_) | Step::AnyKey | Step::Filter(_) if unwrap && item.is_array() => each(out),
            Step::Key(_) => {
                fails(SqlState::SQL_JSON_MEMBER_NOT_FOUND, "jsonpath member accessor can only be applied to an object")
            }
            Step::AnyKey if is_object => item.members().iter().try_for_each(|(_, v)| go(v, out)),
            Step::AnyKey => fails(
                SqlState::SQL_JSON_OBJECT_NOT_FOUND,
                "jsonpath wildcard member accessor can only be applied to an object",
            ),
            Step::AnyElement if item.is_array() => {
                item.elements().iter().try_for_each(|e| self.steps(rest, e, here, true, top, out))
            }
            Step::AnyElement if self.lax => go(item, out),
            Step::AnyElement => fails(
                SqlState::SQL_JSON_ARRAY_NOT_FOUND,
                "jsonpath wildcard array accessor can only be applied to an array",
            ),
            Step::Elements(list) if item.is_array() || self.lax => {
                let elements = if item.is_array() { item.elements() } else { vec![item.clone()] };
                for (from, to) in list {
                    self.range(from, to.as_ref(), &elements, here, &mut |e| go(e, out))?;
                }
                Ok(())
            }
            Step::Elements(_) => {
                fails(SqlState::SQL_JSON_ARRAY_NOT_FOUND, "jsonpath array accessor can only be applied to an array")
            }
            Step::Any(first, last) => {
                let was = self.forgiving.replace(true);
                let done = self.any(*first, *last, 0, rest, item, here, top, out);
                self.forgiving.set(was);
                done
            }
            Step::Filter(condition) => {
                let inner = Here { current: item, length: here.length };
                if self.condition(condition, inner)? == Some(true) { go(item, out) } else { Ok(()) }
            }
            Step::Method(Method::Type, _) => {
                let name = match item {
                    Item::Time(value, _) => datetime::type_name(value).to_string(),
                    item => item.json().map_or("null", |j| j.kind().name()).to_string(),
                };
                go(&own(Jsonb::string(&name)), out)
            }
            Step::Method(Method::Size, _) => {
                let size = match item.json() {
                    Some(json) if json.is_array() => json.len() as i64,
                    _ if self.lax => 1,
                    _ => {
                        return fails(
                            SqlState::SQL_JSON_ARRAY_NOT_FOUND,
                            "jsonpath item method .size() can only be applied to an array",
                        );
                    }
                };
                go(&own(Jsonb::number(&Numeric::from_i64(size))), out)
            }
            Step::Method(..) if unwrap && item.is_array() => each(out),
            Step::Method(Method::Keyvalue, _) => {
                if !is_object {
                    return Err(err!(
                        SQL_JSON_OBJECT_NOT_FOUND,
                        "jsonpath item method .keyvalue() can only be applied to an object"
                    )
                    .into());
                }
                // Objects are told apart by where they lie in the document.
                let id = match item {
                    Item::Part(part) => super::keyvalue::offset(self.root, *part).unwrap_or(0),
                    _ => 0,
                };
                for (key, value) in item.members() {
                    let mut builder = JsonbBuilder::new();
                    builder.begin_object();
                    builder.push_key("id");
                    builder.push_i64(id as i64);
                    builder.push_key("key");
                    builder.push_str(&key);
                    builder.push_key("value");
                    builder.push_value(value.to_jsonb(self.context).as_ref());
                    builder.end_object();
                    go(&own(builder.finish()?), out)?;
                }
                Ok(())
            }
            Step::Method(method, args) => go(&self.method(*method, args, item)?, out),
        }
    }

    fn range(
        &self,
        from: &Node,
        to: Option<&Node>,
        elements: &[Item<'a>],
        here: Here<'_, 'a>,
        go: &mut dyn FnMut(&Item<'a>) -> Run<()>,
    ) -> Run<()> {
        let length = elements.len() as i64;
        let inner = Here { current: here.current, length: Some(length) };
        let index = |node: &Node| -> Run<i64> {
            let mut items = Vec::new();
            self.expr(node, inner, false, &mut items)?;
            let number = match items.as_slice() {
                [item] => item.number(),
                _ => None,
            };
            let Some(number) = number else {
                return Err(
                    err!(INVALID_SQL_JSON_SUBSCRIPT, "jsonpath array subscript is not a single numeric value").into()
                );
            };
            let whole = number.trunc(0).to_i64().and_then(|n| i32::try_from(n).ok());
            let out_of_range = || err!(INVALID_SQL_JSON_SUBSCRIPT, "jsonpath array subscript is out of integer range");
            Ok(i64::from(whole.ok_or_else(out_of_range)?))
        };
        let from = index(from)?;
        let to = to.map_or(Ok(from), index)?;
        if !self.forgiving.get() && (from < 0 || from > to || to >= length) {
            return Err(err!(INVALID_SQL_JSON_SUBSCRIPT, "jsonpath array subscript is out of bounds").into());
        }
        for at in from.max(0)..=to.min(length - 1) {
            go(&elements[at as usize])?;
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    fn any(
        &self,
        first: Option<u32>,
        last: Option<u32>,
        level: u32,
        rest: &[Step],
        item: &Item<'a>,
        here: Here<'_, 'a>,
        top: bool,
        out: &mut Vec<Item<'a>>,
    ) -> Run<()> {
        crate::sql::plan::visit::guard(|| {
            let children: Vec<Item<'a>> =
                if item.is_array() { item.elements() } else { item.members().into_iter().map(|(_, v)| v).collect() };
            let is_leaf = !matches!(item.json().map(JsonbRef::kind), Some(Kind::Array | Kind::Object));
            // `last` is the depth at which there is nothing further inside.
            let wanted = match first {
                Some(first) => level >= first && last.is_none_or(|last| level <= last),
                None => is_leaf,
            };
            if wanted {
                self.steps(rest, item, here, false, top, out)?;
            }
            if last.is_none_or(|last| level < last) {
                for child in &children {
                    self.any(first, last, level + 1, rest, child, here, top, out)?;
                }
            }
            Ok(())
        })
    }

    fn method(&self, method: Method, args: &[Node], item: &Item<'a>) -> Run<Item<'a>> {
        let name = method.name();
        let only = |what: &str, code: SqlState| -> Halt {
            Error::new(code, format!("jsonpath item method .{name}() can only be applied to {what}")).into()
        };
        match method {
            Method::Abs | Method::Floor | Method::Ceiling => {
                let n = item.number().ok_or_else(|| only("a numeric value", SqlState::NON_NUMERIC_SQL_JSON_ITEM))?;
                let n = match method {
                    Method::Abs => n.abs(),
                    Method::Floor => n.floor()?,
                    _ => n.ceil()?,
                };
                Ok(own(Jsonb::number(&n)))
            }
            Method::Double | Method::Bigint | Method::Integer | Method::Number | Method::Decimal => {
                self.number_of(method, args, item)
            }
            Method::Boolean => {
                let wrong = || only("a boolean, string, or numeric value", SqlState::NON_NUMERIC_SQL_JSON_ITEM);
                let value = match item.json() {
                    Some(json) => match (json.as_bool(), json.as_str(), json.as_numeric()) {
                        (Some(value), _, _) => Some(value),
                        (_, Some(text), _) => match io::text_in(Type::BOOL, text, self.context) {
                            Ok(Datum::Bool(value)) => Some(value),
                            _ => return Err(invalid(text, name, "boolean")),
                        },
                        (_, _, Some(n)) => match n.to_i64().filter(|n| i32::try_from(*n).is_ok()) {
                            Some(n) if Numeric::from_i64(n) == n_of(&json) => Some(n != 0),
                            _ => return Err(invalid(&n.to_string(), name, "boolean")),
                        },
                        _ => None,
                    },
                    None => None,
                };
                Ok(own(Jsonb::bool(value.ok_or_else(wrong)?)))
            }
            Method::String => {
                let text = match item {
                    Item::Time(value, east) => datetime::to_text(value, *east),
                    item => match item.json() {
                        Some(json) if json.as_str().is_some() => json.as_str().unwrap_or_default().to_string(),
                        Some(json) if json.as_numeric().is_some() || json.as_bool().is_some() => json.to_string(),
                        _ => {
                            return Err(only(
                                "a boolean, string, numeric, or datetime value",
                                SqlState::NON_NUMERIC_SQL_JSON_ITEM,
                            ));
                        }
                    },
                };
                Ok(own(Jsonb::string(&text)))
            }
            _ => self.time_of(method, args, item),
        }
    }

    fn number_of(&self, method: Method, args: &[Node], item: &Item<'a>) -> Run<Item<'a>> {
        let name = method.name();
        let (typ, type_name) = match method {
            Method::Double => (Type::FLOAT8, "double precision"),
            Method::Bigint => (Type::INT8, "bigint"),
            Method::Integer => (Type::INT4, "integer"),
            _ => (Type::NUMERIC, "numeric"),
        };
        let text = match item.json() {
            Some(json) => match (json.as_numeric(), json.as_str()) {
                (Some(n), _) => n.to_string(),
                (_, Some(text)) => text.to_string(),
                _ => String::new(),
            },
            None => String::new(),
        };
        let is_text = item.text().is_some();
        if !is_text && item.number().is_none() {
            return Err(err!(
                NON_NUMERIC_SQL_JSON_ITEM,
                "jsonpath item method .{name}() can only be applied to a string or numeric value"
            )
            .into());
        }
        // Numbers are rounded to integers, texts must be integers.
        let read = match (item.number(), method) {
            (Some(n), Method::Integer | Method::Bigint) => {
                n.round(0).and_then(|n| io::text_in(typ, &n.to_string(), self.context))
            }
            _ => io::text_in(typ, &text, self.context),
        };
        let value = read.map_err(|_| invalid(&text, name, type_name))?;
        let value = match value {
            Datum::Float8(n) if n.is_finite() => Numeric::parse(&float_text(n))?,
            Datum::Int8(n) => Numeric::from_i64(n),
            Datum::Int4(n) => Numeric::from_i64(i64::from(n)),
            Datum::Numeric(n) if n.is_finite() => n,
            _ => {
                return Err(err!(
                    NON_NUMERIC_SQL_JSON_ITEM,
                    "NaN or Infinity is not allowed for jsonpath item method .{name}()"
                )
                .into());
            }
        };
        let value = match (method, args) {
            (Method::Decimal, [_, ..]) => {
                let modifiers = args
                    .iter()
                    .map(|a| match a {
                        Node::Number(n) => n.to_i64().and_then(|n| i32::try_from(n).ok()),
                        _ => None,
                    })
                    .collect::<Option<Vec<i32>>>();
                let modifiers = modifiers.ok_or_else(|| {
                    err!(
                        NON_NUMERIC_SQL_JSON_ITEM,
                        "precision of jsonpath item method .decimal() is out of range for type integer"
                    )
                })?;
                let typmod = crate::sql::types::typmod_in(Type::NUMERIC.oid, &modifiers)?;
                let typ = Type::with_typmod(Type::NUMERIC.oid, typmod);
                match typmod::apply(Datum::Numeric(value), typ, true).map_err(|_| invalid(&text, name, "numeric"))? {
                    Datum::Numeric(n) => n,
                    _ => return Err(Error::internal("a numeric is a numeric").into()),
                }
            }
            _ => value,
        };
        Ok(own(Jsonb::number(&value)))
    }

    fn time_of(&self, method: Method, args: &[Node], item: &Item<'a>) -> Run<Item<'a>> {
        let name = method.name();
        let Some(text) = item.text() else {
            return Err(err!(
                INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION,
                "jsonpath item method .{name}() can only be applied to a string"
            )
            .into());
        };
        let made = match (method, args) {
            (Method::Datetime, [Node::Text(template)]) => Ok(datetime::datetime(text, Some(template))?),
            (Method::Datetime, _) => Ok(datetime::datetime(text, None)?),
            (Method::Date, _) => datetime::date(self.context, text, self.zoned),
            (method, args) => {
                let precision = match args {
                    [Node::Number(precision)] => Some(precision),
                    _ => None,
                };
                datetime::moment(self.context, method, text, precision, self.zoned)
            }
        };
        match made {
            Ok((value, east)) => Ok(Item::Time(value, east)),
            // The code of a hard one is no error of the data.
            Err(datetime::Failure::Hard(error) | datetime::Failure::Suppressible(error)) => Err(error.into()),
        }
    }

    /// A condition: true, false or unknown.
    fn condition(&self, node: &Node, here: Here<'_, 'a>) -> Run<Option<bool>> {
        crate::sql::plan::visit::guard(|| self.truth(node, here))
    }

    fn truth(&self, node: &Node, here: Here<'_, 'a>) -> Run<Option<bool>> {
        Ok(match node {
            Node::And(left, right) => match self.condition(left, here)? {
                Some(false) => Some(false),
                left => match (left, self.condition(right, here)?) {
                    (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                },
            },
            Node::Or(left, right) => match self.condition(left, here)? {
                Some(true) => Some(true),
                left => match (left, self.condition(right, here)?) {
                    (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                },
            },
            Node::Not(inner) => self.condition(inner, here)?.map(|value| !value),
            Node::IsUnknown(inner) => Some(self.condition(inner, here)?.is_none()),
            Node::Exists(inner) => {
                let mut items = Vec::new();
                match self.expr(inner, here, false, &mut items) {
                    Ok(()) | Err(Halt::Enough) => Some(!items.is_empty()),
                    Err(Halt::Error(error)) => hidden(*error)?,
                }
            }
            Node::Compare(comparison, left, right) => {
                self.pairs(left, Some(right), here, &mut |l, r| compare(*comparison, l, r, self.context, self.zoned))?
            }
            Node::StartsWith(left, right) => self.pairs(left, Some(right), here, &mut |l, r| {
                Ok(match (l.text(), r.text()) {
                    (Some(l), Some(r)) => Some(l.starts_with(r)),
                    _ => None,
                })
            })?,
            Node::LikeRegex(left, pattern, flags) => {
                let regex = regex(pattern, flags)?;
                self.pairs(left, None, here, &mut |l, _| match l.text() {
                    Some(text) => regex.is_match(self.context, text).map(Some),
                    None => Ok(None),
                })?
            }
            _ => return Err(Error::internal("a condition was expected in a jsonpath").into()),
        })
    }

    /// Whether any pair of items of two operands meets a test: any unknown one makes it unknown in strict mode.
    fn pairs(
        &self,
        left: &Node,
        right: Option<&Node>,
        here: Here<'_, 'a>,
        test: &mut dyn FnMut(&Item<'a>, &Item<'a>) -> Result<Option<bool>>,
    ) -> Run<Option<bool>> {
        let items = |node: &Node| match self.unwrapped(node, here) {
            Ok(items) => Ok(Some(items)),
            Err(Halt::Enough) => Ok(Some(Vec::new())),
            Err(Halt::Error(error)) => hidden::<bool>(*error).map(|_| None),
        };
        let Some(lefts) = items(left)? else { return Ok(None) };
        let rights = match right {
            None => vec![own(Jsonb::null())],
            Some(right) => match items(right)? {
                Some(rights) => rights,
                None => return Ok(None),
            },
        };
        let (mut found, mut unknown) = (false, false);
        for left in &lefts {
            for right in &rights {
                match test(left, right)? {
                    None if !self.lax => return Ok(None),
                    None => unknown = true,
                    Some(true) if self.lax => return Ok(Some(true)),
                    Some(true) => found = true,
                    Some(false) => {}
                }
            }
        }
        Ok(match (found, unknown) {
            (true, _) => Some(true),
            (_, true) => None,
            _ => Some(false),
        })
    }
}

fn n_of(json: &JsonbRef<'_>) -> Numeric {
    json.as_numeric().unwrap_or(Numeric::NAN)
}

fn float_text(n: f64) -> String {
    let mut out = String::new();
    io::number::float8_out(n, 1, &mut out);
    out
}

fn invalid(text: &str, method: &str, typ: &str) -> Halt {
    err!(NON_NUMERIC_SQL_JSON_ITEM, "argument \"{text}\" of jsonpath item method .{method}() is invalid for type {typ}")
        .into()
}

/// An error inside a condition is unknown; what is no matter of the data stays an error.
fn hidden<T>(error: Error) -> Result<Option<T>> {
    match is_hidden(&error) {
        true => Ok(None),
        false => Err(error),
    }
}

/// Whether `silent` and conditions hide an error: those of the data (class 22), not a missing variable or a lack of
/// memory.
pub fn is_hidden(error: &Error) -> bool {
    error.code().as_str().starts_with("22")
}

fn compare(
    comparison: Comparison,
    left: &Item<'_>,
    right: &Item<'_>,
    context: &EvalContext,
    zoned: bool,
) -> Result<Option<bool>> {
    let order = match (left, right) {
        (Item::Time(left, _), Item::Time(right, _)) => datetime::compare(context, left, right, zoned)?,
        (Item::Time(..), other) | (other, Item::Time(..)) => {
            let null = other.json().is_some_and(JsonbRef::is_null);
            return Ok(null.then_some(comparison == Comparison::NotEqual));
        }
        (left, right) => {
            let (Some(left), Some(right)) = (left.json(), right.json()) else { return Ok(None) };
            if left.kind() != right.kind() {
                let null = left.is_null() || right.is_null();
                return Ok(null.then_some(comparison == Comparison::NotEqual));
            }
            match left.kind() {
                Kind::Array | Kind::Object => None,
                Kind::Null => Some(Ordering::Equal),
                Kind::Bool => Some(left.as_bool().cmp(&right.as_bool())),
                Kind::Number => left.as_numeric().zip(right.as_numeric()).map(|(left, right)| left.cmp(&right)),
                Kind::String => Some(left.as_str().cmp(&right.as_str())),
            }
        }
    };
    Ok(order.map(|order| match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }))
}
