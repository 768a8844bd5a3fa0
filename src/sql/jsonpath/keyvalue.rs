//! The ids of `.keyvalue()`: where PostgreSQL's binary form of a document has the object. Programs may compare them,
//! so they are computed as PostgreSQL would lay the document out.

use crate::document::jsonb::Kind;
use crate::document::{JsonbRef, Numeric};

/// The offset of `target`, a value inside `base`, from the start of `base`.
pub(super) fn offset(base: JsonbRef<'_>, target: JsonbRef<'_>) -> Option<u64> {
    let address = |value: JsonbRef<'_>| value.as_bytes().as_ptr() as usize;
    let (from, wanted) = (address(base), address(target));
    if from == wanted {
        return Some(0);
    }
    if wanted < from || wanted >= from + base.as_bytes().len() {
        return None;
    }
    let mut at = 0;
    let mut value = base;
    // Down the one branch that the target is in.
    loop {
        let mut next = None;
        walk(value, |child, start| {
            let begin = address(child);
            if wanted >= begin && wanted < begin + child.as_bytes().len() {
                next = Some((child, start));
            }
        });
        let (child, start) = next?;
        at += start;
        if address(child) == wanted {
            return Some(at);
        }
        value = child;
    }
}

fn aligned(offset: u64) -> u64 {
    offset.div_ceil(4) * 4
}

/// Visits the values in a container with their offsets from its start; returns its size.
fn walk<'a>(value: JsonbRef<'a>, mut visit: impl FnMut(JsonbRef<'a>, u64)) -> u64 {
    let entries = value.len() as u64 * if value.is_object() { 2 } else { 1 };
    let mut at = 4 + 4 * entries;
    at += value.iter_object().map(|(key, _)| key.len() as u64).sum::<u64>();
    let mut place = |child: JsonbRef<'a>| {
        if !child.is_scalar() || child.kind() == Kind::Number {
            at = aligned(at);
        }
        visit(child, at);
        at += size(child);
    };
    value.iter_array().for_each(&mut place);
    value.iter_object().for_each(|(_, child)| place(child));
    at
}

/// The bytes a value takes.
fn size(value: JsonbRef<'_>) -> u64 {
    match value.kind() {
        Kind::Null | Kind::Bool => 0,
        Kind::String => value.as_str_bytes().map_or(0, |text| text.len() as u64),
        Kind::Number => value.as_numeric().map_or(0, |number| numeric_size(&number)),
        Kind::Array | Kind::Object => stacker::maybe_grow(64 << 10, 1 << 20, || walk(value, |_, _| {})),
    }
}

/// A numeric with its length word: a short header where the weight and the scale allow.
fn numeric_size(number: &Numeric) -> u64 {
    let mut wire = Vec::new();
    number.encode_binary(&mut wire);
    let field = |at: usize| wire.get(at..at + 2).map_or(0, |b| i16::from_be_bytes([b[0], b[1]]));
    let (digits, weight, scale) = (field(0), field(2), field(6));
    let is_short = scale <= 63 && (-64..=63).contains(&weight);
    4 + if is_short { 2 } else { 4 } + 2 * u64::from(digits.unsigned_abs())
}
