//! PostgreSQL's hash functions, as clients use them to shard and for advisory lock keys: Bob Jenkins's lookup3.

use super::define::{Args, scalar};
use crate::document::{Datum, Type};
use crate::error::Result;
use crate::sql::context::EvalContext;
use crate::sql::function::Function;

#[rustfmt::skip]
pub(crate) static LIST: &[Function] = &[
    scalar(400, "hashtext", &[Type::TEXT], Type::INT4, hash_text),
    scalar(448, "hashtextextended", &[Type::TEXT, Type::INT8], Type::INT8, hash_text_extended),
    scalar(1080, "hashbpchar", &[Type::BPCHAR], Type::INT4, |_, args| {
        Ok(Datum::Int4(hash(args.text(0)?.trim_end_matches(' ').as_bytes(), 0).1 as i32))
    }),
    scalar(456, "hashvarlena", &[Type::INTERNAL], Type::INT4, |_, args| Ok(Datum::Int4(hash(args.bytea(0)?, 0).1 as i32))),
    scalar(450, "hashint4", &[Type::INT4], Type::INT4, |_, args| Ok(Datum::Int4(hash_u32(args.int4(0)? as u32) as i32))),
    scalar(449, "hashint2", &[Type::INT2], Type::INT4, |_, args| Ok(Datum::Int4(hash_u32(args.int4(0)? as u32) as i32))),
    scalar(949, "hashint8", &[Type::INT8], Type::INT4, hash_int8),
];

fn hash_text(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Int4(hash(args.text(0)?.as_bytes(), 0).1 as i32))
}

fn hash_text_extended(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (high, low) = hash(args.text(0)?.as_bytes(), args.int8(1)? as u64);
    Ok(Datum::Int8((u64::from(high) << 32 | u64::from(low)) as i64))
}

/// Equal to the hash of the same number as int4.
fn hash_int8(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let value = args.int8(0)?;
    let (low, high) = (value as u32, (value >> 32) as u32);
    Ok(Datum::Int4(hash_u32(low ^ if value >= 0 { high } else { !high }) as i32))
}

fn mix(state: &mut [u32; 3]) {
    let [a, b, c] = state;
    *a = a.wrapping_sub(*c) ^ c.rotate_left(4);
    *c = c.wrapping_add(*b);
    *b = b.wrapping_sub(*a) ^ a.rotate_left(6);
    *a = a.wrapping_add(*c);
    *c = c.wrapping_sub(*b) ^ b.rotate_left(8);
    *b = b.wrapping_add(*a);
    *a = a.wrapping_sub(*c) ^ c.rotate_left(16);
    *c = c.wrapping_add(*b);
    *b = b.wrapping_sub(*a) ^ a.rotate_left(19);
    *a = a.wrapping_add(*c);
    *c = c.wrapping_sub(*b) ^ b.rotate_left(4);
    *b = b.wrapping_add(*a);
}

fn finish([mut a, mut b, mut c]: [u32; 3]) -> (u32, u32) {
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    c = (c ^ b).wrapping_sub(b.rotate_left(24));
    (b, c)
}

const INITIAL: u32 = 0x9e37_79b9 + 3_923_095;

/// The upper and the lower half of the 64-bit hash; the 32-bit hash is the lower one.
fn hash(bytes: &[u8], seed: u64) -> (u32, u32) {
    let start = INITIAL.wrapping_add(bytes.len() as u32);
    let mut state = [start; 3];
    if seed != 0 {
        state[0] = state[0].wrapping_add((seed >> 32) as u32);
        state[1] = state[1].wrapping_add(seed as u32);
        mix(&mut state);
    }
    let word =
        |bytes: &[u8], shift: u32| bytes.iter().rev().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << shift;
    let mut chunks = bytes.chunks_exact(12);
    for chunk in &mut chunks {
        for (part, four) in state.iter_mut().zip(chunk.chunks(4)) {
            *part = part.wrapping_add(word(four, 0));
        }
        mix(&mut state);
    }
    let rest = chunks.remainder();
    let part = |from: usize, to: usize| rest.get(from.min(rest.len())..to.min(rest.len())).unwrap_or_default();
    state[0] = state[0].wrapping_add(word(part(0, 4), 0));
    state[1] = state[1].wrapping_add(word(part(4, 8), 0));
    // The lowest byte of the last word is reserved for the length.
    state[2] = state[2].wrapping_add(word(part(8, 11), 8));
    finish(state)
}

/// The seed of hash partitions.
const PARTITION_SEED: u64 = 0x7A5B_2236_7996_DCFD;

/// The hash by which rows are divided among hash partitions, of the values of the keys: PostgreSQL's.
pub(crate) fn partition_hash(values: &[Datum], types: &[Type]) -> u64 {
    let mut hash = 0u64;
    for (value, typ) in values.iter().zip(types).filter(|(value, _)| !value.is_null()) {
        let one = extended(value, *typ, PARTITION_SEED);
        let mixed = one.wrapping_add(0x49a0_f4dd_15e5_a8e3).wrapping_add(hash << 54).wrapping_add(hash >> 7);
        hash ^= mixed;
    }
    hash
}

/// The 64-bit hash of a value. Types whose hash is another one in PostgreSQL (enums hold other OIDs) are hashed by the
/// bytes of their keys.
fn extended(value: &Datum, typ: Type, seed: u64) -> u64 {
    let bytes = |bytes: &[u8]| {
        let (high, low) = hash(bytes, seed);
        u64::from(high) << 32 | u64::from(low)
    };
    let float = |value: f64| match value {
        0.0 => seed,
        v if v.is_nan() => bytes(&f64::NAN.to_ne_bytes()),
        v => bytes(&v.to_ne_bytes()),
    };
    let long = |value: i64| {
        let (low, high) = (value as u32, (value >> 32) as u32);
        hash_u32_extended(low ^ if value >= 0 { high } else { !high }, seed)
    };
    match value {
        Datum::Bool(v) => hash_u32_extended(u32::from(*v), seed),
        Datum::Int2(v) => hash_u32_extended(i32::from(*v) as u32, seed),
        Datum::Int4(v) => hash_u32_extended(*v as u32, seed),
        Datum::Int8(v) => long(*v),
        Datum::Oid(v) => hash_u32_extended(*v, seed),
        Datum::Date(v) => hash_u32_extended(*v as u32, seed),
        Datum::Timestamp(v) | Datum::TimestampTz(v) => long(*v),
        Datum::Float4(v) => float(f64::from(*v)),
        Datum::Float8(v) => float(*v),
        Datum::Text(v) if typ.oid == Type::BPCHAR.oid => bytes(v.trim_end_matches(' ').as_bytes()),
        Datum::Text(v) => bytes(v.as_bytes()),
        Datum::Bytea(v) => bytes(v),
        Datum::Uuid(v) => bytes(&v[..]),
        Datum::Numeric(v) => numeric_extended(&v.to_string(), seed),
        other => {
            let mut key = Vec::new();
            crate::document::key::encode_column(other, Default::default(), &mut key);
            bytes(&key)
        }
    }
}

/// A numeric is hashed by its digits to the base of 10000, zeros at both ends left out, and the weight of the first.
fn numeric_extended(text: &str, seed: u64) -> u64 {
    let text = text.trim_start_matches('-');
    if !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return seed;
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = format!("{}{whole}", "0".repeat((4 - whole.len() % 4) % 4));
    let fraction = format!("{fraction}{}", "0".repeat((4 - fraction.len() % 4) % 4));
    let digits: Vec<i16> = [whole.as_bytes(), fraction.as_bytes()]
        .concat()
        .chunks(4)
        .map(|four| four.iter().fold(0i16, |n, b| n * 10 + i16::from(b - b'0')))
        .collect();
    let Some(first) = digits.iter().position(|d| *d != 0) else { return seed.wrapping_sub(1) };
    let last = digits.iter().rposition(|d| *d != 0).unwrap_or(first);
    let weight = (whole.len() / 4) as i64 - 1 - first as i64;
    let raw: Vec<u8> = digits[first..=last].iter().flat_map(|d| d.to_ne_bytes()).collect();
    let (high, low) = hash(&raw, seed);
    (u64::from(high) << 32 | u64::from(low)) ^ weight as u64
}

fn hash_u32_extended(value: u32, seed: u64) -> u64 {
    let start = INITIAL.wrapping_add(4);
    let mut state = [start; 3];
    if seed != 0 {
        state[0] = state[0].wrapping_add((seed >> 32) as u32);
        state[1] = state[1].wrapping_add(seed as u32);
        mix(&mut state);
    }
    state[0] = state[0].wrapping_add(value);
    let (high, low) = finish(state);
    u64::from(high) << 32 | u64::from(low)
}

fn hash_u32(value: u32) -> u32 {
    let start = INITIAL.wrapping_add(4);
    finish([start.wrapping_add(value), start, start]).1
}
