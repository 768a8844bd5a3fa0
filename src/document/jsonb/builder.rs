//! [`JsonbBuilder`]: writes a document front to back in one pass.

use super::{
    ARRAY, DEPTH_MAX, FALSE, Jsonb, JsonbRef, LONG_KEY, NULL, NUMBER, Numeric, OBJECT, SMALL_INTEGER, STRING, TRUE,
    too_deep,
};
use crate::err;
use crate::error::{Error, Result};

/// The most bytes of one array, object or string, PostgreSQL's limit.
const SIZE_MAX: usize = 0x0fff_ffff;

/// Builds a document: containers are opened and closed, keys and values pushed in order.
///
/// A key must be pushed before each value of an object; of equal keys the last one wins. A call that does not fit
/// (a key in an array, a second top-level value) is a mistake of the caller and reported by [`finish`](Self::finish).
#[derive(Default)]
pub struct JsonbBuilder {
    out: Vec<u8>,
    /// Open containers.
    stack: Vec<Frame>,
    /// Ends of the elements of all open arrays.
    ends: Vec<u32>,
    /// Pairs of all open objects.
    pairs: Vec<Pair>,
    misused: bool,
    failure: Option<Error>,
    /// Whether a container was pushed whole, so that the depth is not known.
    depth_unknown: bool,
}

struct Frame {
    /// Where the tag byte is.
    start: usize,
    /// Where the entries of this container begin in `ends` or `pairs`.
    base: usize,
    is_object: bool,
}

#[derive(Clone, Copy)]
struct Pair {
    start: u32,
    end: u32,
    key_length: u32,
    /// The first eight bytes of the key, so that most comparisons need not look it up.
    prefix: u64,
}

impl Pair {
    #[inline]
    fn key<'a>(&self, out: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize + if (self.key_length as usize) < LONG_KEY { 1 } else { 5 };
        &out[start..start + self.key_length as usize]
    }

    #[inline]
    fn cmp_key(&self, other: &Self, out: &[u8]) -> std::cmp::Ordering {
        (self.key_length, self.prefix).cmp(&(other.key_length, other.prefix)).then_with(|| {
            if self.key_length > 8 { self.key(out).cmp(other.key(out)) } else { std::cmp::Ordering::Equal }
        })
    }
}

#[inline]
fn prefix(key: &[u8]) -> u64 {
    match key.first_chunk::<8>() {
        Some(first) => u64::from_be_bytes(*first),
        None => key.iter().fold(0, |sum, &b| sum << 8 | b as u64) << ((8 - key.len()) * 8 % 64),
    }
}

impl JsonbBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty builder with room for a document of about so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Opens an array.
    #[inline]
    pub fn begin_array(&mut self) {
        self.stack.push(Frame { start: self.out.len(), base: self.ends.len(), is_object: false });
        self.out.push(ARRAY);
    }

    /// Closes an array.
    #[inline]
    pub fn end_array(&mut self) {
        match self.stack.pop() {
            Some(frame) if !frame.is_object => self.close_array(frame),
            _ => self.misused = true,
        }
    }

    /// Opens an object.
    #[inline]
    pub fn begin_object(&mut self) {
        self.stack.push(Frame { start: self.out.len(), base: self.pairs.len(), is_object: true });
        self.out.push(OBJECT);
    }

    /// Closes an object.
    #[inline]
    pub fn end_object(&mut self) {
        match self.stack.pop() {
            Some(frame) if frame.is_object => self.close_object(frame),
            _ => self.misused = true,
        }
    }

    /// How many containers are open.
    #[inline]
    pub fn depth(&self) -> usize {
        self.stack.len()
    }

    #[inline]
    pub(super) fn in_object(&self) -> Option<bool> {
        self.stack.last().map(|frame| frame.is_object)
    }

    /// Writes the key of the next value.
    #[inline]
    pub fn push_key(&mut self, key: &str) {
        self.push_key_bytes(key.as_bytes());
    }

    #[inline]
    pub(super) fn push_key_bytes(&mut self, key: &[u8]) {
        if key.len() > SIZE_MAX {
            self.fail_string();
            return;
        }
        self.pairs.push(Pair {
            start: self.out.len() as u32,
            end: 0,
            key_length: key.len() as u32,
            prefix: prefix(key),
        });
        if key.len() < LONG_KEY {
            self.out.push(key.len() as u8);
        } else {
            self.out.push(LONG_KEY as u8);
            self.out.extend_from_slice(&(key.len() as u32).to_le_bytes());
        }
        self.out.extend_from_slice(key);
    }

    /// Writes `null`.
    pub fn push_null(&mut self) {
        self.out.push(NULL);
        self.value_written();
    }

    /// Writes a boolean.
    pub fn push_bool(&mut self, value: bool) {
        self.out.push(if value { TRUE } else { FALSE });
        self.value_written();
    }

    /// Writes a string.
    #[inline]
    pub fn push_str(&mut self, text: &str) {
        self.push_str_bytes(text.as_bytes());
    }

    /// Writes a string whose bytes are known to be UTF-8.
    #[inline]
    pub(super) fn push_str_bytes(&mut self, text: &[u8]) {
        if text.len() > SIZE_MAX {
            self.fail_string();
            return;
        }
        self.out.push(STRING);
        self.out.extend_from_slice(text);
        self.value_written();
    }

    /// Writes a number; NaN and the infinities become strings.
    pub fn push_numeric(&mut self, value: &Numeric) {
        write_number(value, &mut self.out);
        self.value_written();
    }

    /// Writes an integer.
    #[inline]
    pub fn push_i64(&mut self, value: i64) {
        self.push_mantissa(value, 0);
    }

    /// Writes `mantissa * 10^-scale`, the scale at most 30.
    #[inline]
    pub(super) fn push_mantissa(&mut self, mantissa: i64, scale: u8) {
        if scale == 0 && (0..128).contains(&mantissa) {
            self.out.push(SMALL_INTEGER | mantissa as u8);
        } else {
            let zigzag = ((mantissa << 1) ^ (mantissa >> 63)) as u64;
            let length = 8 - zigzag.leading_zeros() as usize / 8;
            let mut raw = [0u8; 9];
            raw[0] = NUMBER + scale;
            raw[1..].copy_from_slice(&zigzag.to_le_bytes());
            // Nine bytes at once and a cut are faster than a copy of a varying length.
            let end = self.out.len() + 1 + length;
            self.out.extend_from_slice(&raw);
            self.out.truncate(end);
        }
        self.value_written();
    }

    /// Copies a value.
    pub fn push_value(&mut self, value: JsonbRef<'_>) {
        self.depth_unknown |= !value.is_scalar();
        self.out.extend_from_slice(if value.0.is_empty() { &[NULL] } else { value.0 });
        self.value_written();
    }

    #[inline]
    fn value_written(&mut self) {
        let end = self.out.len() as u32;
        match self.stack.last() {
            Some(Frame { is_object: false, .. }) => self.ends.push(end),
            Some(Frame { base, .. }) => match self.pairs.get_mut(*base..).and_then(|pairs| pairs.last_mut()) {
                Some(pair) if pair.end == 0 => pair.end = end,
                _ => self.misused = true,
            },
            None => {}
        }
    }

    fn fail_string(&mut self) {
        self.failure.get_or_insert_with(|| {
            err!(PROGRAM_LIMIT_EXCEEDED, "string too long to represent as jsonb string")
                .detail(format!("Due to an implementation restriction, jsonb strings cannot exceed {SIZE_MAX} bytes."))
        });
    }

    fn check_size(&mut self, frame: &Frame) -> bool {
        if self.out.len() - frame.start <= SIZE_MAX {
            return true;
        }
        let what = if frame.is_object { "object" } else { "array" };
        self.failure.get_or_insert_with(|| {
            err!(PROGRAM_LIMIT_EXCEEDED, "total size of jsonb {what} elements exceeds the maximum of {SIZE_MAX} bytes")
        });
        false
    }

    fn close_array(&mut self, frame: Frame) {
        let count = self.ends.len() - frame.base;
        if count > 0 && self.check_size(&frame) {
            let width = width_for(self.out.len() - frame.start);
            self.out[frame.start] = ARRAY | width as u8;
            let start = frame.start as u32;
            write_offsets(&mut self.out, width, self.ends[frame.base..].iter().map(|end| end - start), count);
        }
        self.ends.truncate(frame.base);
        self.value_written();
    }

    fn close_object(&mut self, frame: Frame) {
        if self.pairs.len() > frame.base && self.check_size(&frame) {
            if self.pairs.last().is_some_and(|pair| pair.end == 0) {
                self.misused = true;
            }
            let out = &self.out;
            let pairs = &mut self.pairs[frame.base..];
            pairs.sort_unstable_by(|a, b| a.cmp_key(b, out).then(a.start.cmp(&b.start)));
            if pairs.windows(2).any(|two| two[0].cmp_key(&two[1], out).is_eq()) {
                self.remove_duplicates(&frame);
            }
            let width = width_for(self.out.len() - frame.start);
            self.out[frame.start] = OBJECT | width as u8;
            let (start, pairs) = (frame.start as u32, &self.pairs[frame.base..]);
            let offsets = pairs.iter().flat_map(|pair| [pair.start - start, pair.end - start]);
            write_offsets(&mut self.out, width, offsets, pairs.len());
        }
        self.pairs.truncate(frame.base);
        self.value_written();
    }

    /// Keeps the last of the pairs with equal keys (the table is sorted) and closes the holes.
    fn remove_duplicates(&mut self, frame: &Frame) {
        let mut kept: Vec<Pair> = Vec::with_capacity(self.pairs.len() - frame.base);
        for pair in &self.pairs[frame.base..] {
            match kept.last_mut() {
                Some(last) if last.cmp_key(pair, &self.out).is_eq() => *last = *pair,
                _ => kept.push(*pair),
            }
        }
        let mut order: Vec<usize> = (0..kept.len()).collect();
        order.sort_unstable_by_key(|&i| kept[i].start);
        let data = self.out.split_off(frame.start + 1);
        let shift = frame.start + 1;
        for i in order {
            let pair = &mut kept[i];
            let bytes = &data[pair.start as usize - shift..pair.end as usize - shift];
            pair.start = self.out.len() as u32;
            self.out.extend_from_slice(bytes);
            pair.end = self.out.len() as u32;
        }
        self.pairs.truncate(frame.base);
        self.pairs.extend(kept);
    }

    /// Whether a limit was exceeded so far.
    pub(super) fn failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// The finished document. 54000 and 54001 when it is too large or too deep.
    pub fn finish(mut self) -> Result<Jsonb> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.misused || !self.stack.is_empty() || self.out.is_empty() {
            return Err(Error::internal("jsonb builder was not used as keys, values and matching ends"));
        }
        let document = Jsonb(self.out.into());
        // Every level takes at least three bytes, so small documents need no look.
        if self.depth_unknown && document.0.len() > 3 * DEPTH_MAX && is_deeper(document.as_ref(), DEPTH_MAX) {
            return Err(too_deep());
        }
        Ok(document)
    }
}

/// Whether containers nest more than `limit` levels.
fn is_deeper(value: JsonbRef<'_>, limit: usize) -> bool {
    if value.is_scalar() || value.0.len() <= 3 * limit {
        return false;
    }
    if limit == 0 {
        return true;
    }
    match value.is_array() {
        true => value.iter_array().any(|element| is_deeper(element, limit - 1)),
        false => {
            let mut pairs = value.iter_object();
            std::iter::from_fn(|| pairs.next_bytes()).any(|(_, value)| is_deeper(value, limit - 1))
        }
    }
}

#[inline]
fn width_for(size: usize) -> usize {
    match size {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xff_ffff => 3,
        _ => 4,
    }
}

#[inline]
fn write_offsets(out: &mut Vec<u8>, width: usize, offsets: impl Iterator<Item = u32>, count: usize) {
    let offsets = offsets.chain(std::iter::once(count as u32));
    match width {
        1 => offsets.for_each(|offset| out.push(offset as u8)),
        2 => offsets.for_each(|offset| out.extend_from_slice(&(offset as u16).to_le_bytes())),
        3 => offsets.for_each(|offset| out.extend_from_slice(&offset.to_le_bytes()[..3])),
        _ => offsets.for_each(|offset| out.extend_from_slice(&offset.to_le_bytes())),
    }
}

/// Appends a number value.
pub(super) fn write_number(value: &Numeric, out: &mut Vec<u8>) {
    if !value.is_finite() {
        out.push(STRING);
        return value.write_text(out);
    }
    match value.as_mantissa() {
        Some((small @ 0..=127, 0)) => out.push(SMALL_INTEGER | small as u8),
        _ => {
            let at = out.len();
            value.write_bytes(out);
            out[at] += NUMBER;
        }
    }
}
