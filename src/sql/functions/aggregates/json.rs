//! json_agg, json_object_agg and their jsonb, strict and unique variants.

use std::collections::HashSet;

use crate::document::{Datum, Jsonb, JsonbBuilder, Type};
use crate::err;
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::{Accumulator, Function};
use crate::sql::functions::define::{Args, aggregate, check_length};
use crate::sql::functions::json::encode::{key_of, push_jsonb, to_document, write_json, write_string};

const E: &[Type] = &[Type::ANYELEMENT];
const KV: &[Type] = &[Type::ANY, Type::ANY];
const J: Type = Type::JSON;
const B: Type = Type::JSONB;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    aggregate(3175, "json_agg", E, J, |types| array(types, false)).loose().stable(),
    aggregate(6276, "json_agg_strict", E, J, |types| array(types, true)).loose().stable(),
    aggregate(3267, "jsonb_agg", E, B, |types| jsonb_array(types, false)).loose().stable(),
    aggregate(6284, "jsonb_agg_strict", E, B, |types| jsonb_array(types, true)).loose().stable(),
    aggregate(3197, "json_object_agg", KV, J, |types| object(types, false, false)).loose().stable(),
    aggregate(6280, "json_object_agg_strict", KV, J, |types| object(types, true, false)).loose().stable(),
    aggregate(6281, "json_object_agg_unique", KV, J, |types| object(types, false, true)).loose().stable(),
    aggregate(6282, "json_object_agg_unique_strict", KV, J, |types| object(types, true, true)).loose().stable(),
    aggregate(3270, "jsonb_object_agg", KV, B, |types| jsonb_object(types, false, false)).loose(),
    aggregate(6288, "jsonb_object_agg_strict", KV, B, |types| jsonb_object(types, true, false)).loose(),
    aggregate(6289, "jsonb_object_agg_unique", KV, B, |types| jsonb_object(types, false, true)).loose(),
    aggregate(6290, "jsonb_object_agg_unique_strict", KV, B, |types| jsonb_object(types, true, true)).loose(),
];

fn type_at(types: &[Type], index: usize) -> Type {
    types.get(index).copied().unwrap_or(Type::TEXT)
}

/// `[1, 2]`, rows and arrays on lines of their own.
#[derive(Debug)]
struct JsonArray {
    typ: Type,
    strict: bool,
    text: Option<String>,
}

fn array(types: &[Type], strict: bool) -> Box<dyn Accumulator> {
    Box::new(JsonArray { typ: type_at(types, 0), strict, text: None })
}

impl Accumulator for JsonArray {
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()> {
        let value = args.at(0);
        let text = self.text.get_or_insert_with(|| "[".to_owned());
        if self.strict && value.is_null() {
            return Ok(());
        }
        if text.len() > 1 {
            text.push_str(", ");
            if matches!(value, Datum::Array(_) | Datum::Record(_)) {
                text.push_str("\n ");
            }
        }
        write_json(context, value, self.typ, text)?;
        check_length(context, text.len())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(self.text.as_ref().map_or(Datum::Null, |text| Datum::Json(format!("{text}]").into())))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.text.as_ref().map_or(0, String::capacity)
    }
}

/// The elements as documents of their own, joined at the end.
#[derive(Debug)]
struct JsonbArray {
    typ: Type,
    strict: bool,
    values: Option<Vec<Jsonb>>,
    bytes: usize,
}

fn jsonb_array(types: &[Type], strict: bool) -> Box<dyn Accumulator> {
    Box::new(JsonbArray { typ: type_at(types, 0), strict, values: None, bytes: 0 })
}

impl Accumulator for JsonbArray {
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()> {
        let value = args.at(0);
        let values = self.values.get_or_insert_default();
        if self.strict && value.is_null() {
            return Ok(());
        }
        let document = to_document(context, value, self.typ)?;
        self.bytes += size_of::<Jsonb>() + document.as_bytes().len();
        check_length(context, self.bytes)?;
        values.push(document);
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        let Some(values) = &self.values else { return Ok(Datum::Null) };
        let mut builder = JsonbBuilder::with_capacity(self.bytes);
        builder.begin_array();
        values.iter().for_each(|value| builder.push_value(value.as_ref()));
        builder.end_array();
        builder.finish().map(Datum::Jsonb)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.bytes
    }
}

/// `{ "a" : 1, "b" : 2 }`
#[derive(Debug)]
struct JsonObject {
    types: [Type; 2],
    strict: bool,
    /// The keys so far, when they must be unique.
    keys: Option<HashSet<String>>,
    text: Option<String>,
}

fn object(types: &[Type], strict: bool, unique: bool) -> Box<dyn Accumulator> {
    let types = [type_at(types, 0), type_at(types, 1)];
    Box::new(JsonObject { types, strict, keys: unique.then(HashSet::new), text: None })
}

impl Accumulator for JsonObject {
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()> {
        let (key, value) = (args.at(0), args.at(1));
        let text = self.text.get_or_insert_with(|| "{ ".to_owned());
        if key.is_null() {
            return Err(err!(NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key"));
        }
        let skip = self.strict && value.is_null();
        if skip && self.keys.is_none() {
            return Ok(());
        }
        let mut quoted = String::new();
        write_string(&key_of(context, key, self.types[0])?, &mut quoted);
        if let Some(keys) = &mut self.keys
            && !keys.insert(quoted.clone())
        {
            return Err(err!(DUPLICATE_JSON_OBJECT_KEY_VALUE, "duplicate JSON object key value: {quoted}"));
        }
        if skip {
            return Ok(());
        }
        if text.len() > 2 {
            text.push_str(", ");
        }
        text.push_str(&quoted);
        text.push_str(" : ");
        write_json(context, value, self.types[1], text)?;
        check_length(context, text.len())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        Ok(self.text.as_ref().map_or(Datum::Null, |text| Datum::Json(format!("{text} }}").into())))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.text.as_ref().map_or(0, String::capacity)
    }
}

/// Keys with their documents; of equal keys the last wins, unless that is forbidden.
#[derive(Debug)]
struct JsonbObject {
    types: [Type; 2],
    strict: bool,
    unique: bool,
    pairs: Option<Vec<(String, Option<Jsonb>)>>,
    bytes: usize,
}

fn jsonb_object(types: &[Type], strict: bool, unique: bool) -> Box<dyn Accumulator> {
    let types = [type_at(types, 0), type_at(types, 1)];
    Box::new(JsonbObject { types, strict, unique, pairs: None, bytes: 0 })
}

impl Accumulator for JsonbObject {
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()> {
        let (key, value) = (args.at(0), args.at(1));
        let pairs = self.pairs.get_or_insert_default();
        if key.is_null() {
            return Err(err!(INVALID_PARAMETER_VALUE, "field name must not be null"));
        }
        let skip = self.strict && value.is_null();
        if skip && !self.unique {
            return Ok(());
        }
        let key = key_of(context, key, self.types[0])?;
        let mut builder = JsonbBuilder::new();
        push_jsonb(context, value, self.types[1], &mut builder)?;
        // A skipped value still counts for uniqueness.
        let value = if skip { None } else { Some(builder.finish()?) };
        self.bytes += key.len() + value.as_ref().map_or(0, |value| value.as_bytes().len()) + 48;
        check_length(context, self.bytes)?;
        pairs.push((key, value));
        Ok(())
    }

    fn finish(&self, _: &EvalContext) -> Result<Datum> {
        let Some(pairs) = &self.pairs else { return Ok(Datum::Null) };
        if self.unique {
            let mut seen = HashSet::with_capacity(pairs.len());
            if !pairs.iter().all(|(key, _)| seen.insert(key)) {
                return Err(err!(DUPLICATE_JSON_OBJECT_KEY_VALUE, "duplicate JSON object key value"));
            }
        }
        let mut builder = JsonbBuilder::with_capacity(self.bytes);
        builder.begin_object();
        for (key, value) in pairs {
            if let Some(value) = value {
                builder.push_key(key);
                builder.push_value(value.as_ref());
            }
        }
        builder.end_object();
        builder.finish().map(Datum::Jsonb)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.bytes
    }
}
