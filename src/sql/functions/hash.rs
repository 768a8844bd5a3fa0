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

fn hash_u32(value: u32) -> u32 {
    let start = INITIAL.wrapping_add(4);
    finish([start.wrapping_add(value), start, start]).1
}
