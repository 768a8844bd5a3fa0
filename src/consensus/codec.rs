//! The canonical byte layout of everything that is signed, hashed, sent or stored by consensus.
//!
//! One value has exactly one encoding: integers are big-endian and of fixed width, lists carry a `u32` count, maps are
//! written in ascending key order, and a decoder refuses every other spelling (a boolean of 2, unsorted keys, bytes left
//! over). Digests and signatures are taken over these bytes, never over those of a general serializer, whose output may
//! change with its version.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The bytes are not the canonical encoding of the expected value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed consensus message")]
pub struct Malformed;

/// A cursor over received bytes, and the memory they lie in if byte strings may share it.
pub struct Reader<'a>(&'a [u8], Option<&'a bytes::Bytes>);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = tail;
        Ok(head)
    }
}

/// A value with one canonical encoding.
pub trait Codec: Sized {
    /// Appends the encoding to `out`.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads a value, refusing everything that `put` would not have written.
    fn get(reader: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// Encodes a value.
pub fn encode<T: Codec>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    value.put(&mut out);
    out
}

/// Decodes a value that must fill `bytes` entirely.
pub fn decode<T: Codec>(bytes: &[u8]) -> Result<T, Malformed> {
    read_all(Reader(bytes, None))
}

/// Decodes a value that must fill `frame` entirely; long byte strings are not copied but keep the frame alive.
pub fn decode_frame<T: Codec>(frame: &bytes::Bytes) -> Result<T, Malformed> {
    read_all(Reader(frame, Some(frame)))
}

fn read_all<T: Codec>(mut reader: Reader<'_>) -> Result<T, Malformed> {
    let value = T::get(&mut reader)?;
    if reader.0.is_empty() { Ok(value) } else { Err(Malformed) }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Codec for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
            fn get(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                let bytes = reader.take(size_of::<$type>())?;
                Ok(<$type>::from_be_bytes(bytes.try_into().map_err(|_| Malformed)?))
            }
        }
    )*};
}
integers!(u8, u32, u64, u128);

impl Codec for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn get(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        match u8::get(reader)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }
}

impl<const N: usize> Codec for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn get(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.take(N)?.try_into().map_err(|_| Malformed)
    }
}

impl<T: Codec> Codec for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn get(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        if bool::get(reader)? { Ok(Some(T::get(reader)?)) } else { Ok(None) }
    }
}

impl<T: Codec> Codec for Arc<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_ref().put(out);
    }
    fn get(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        T::get(reader).map(Arc::new)
    }
}

fn count<T: ExactSizeIterator>(items: &T) -> u32 {
    u32::try_from(items.len()).expect("lists are bounded far below 2^32 items")
}

impl<T: Codec> Codec for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        count(&self.iter()).put(out);
        self.iter().for_each(|item| item.put(out));
    }
    fn get(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let length = u32::get(reader)? as usize;
        // Every item takes at least one byte, so a count above what is left is a lie and reserves nothing.
        if length > reader.0.len() {
            return Err(Malformed);
        }
        let mut items = Vec::with_capacity(length.min(1024));
        for _ in 0..length {
            items.push(T::get(reader)?);
        }
        Ok(items)
    }
}

/// A byte string that is shared, not copied.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub bytes::Bytes);

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// Shorter ones are copied, so as not to keep a frame alive for a few bytes.
const SHARED_MIN: usize = 1024;

impl Codec for Bytes {
    fn put(&self, out: &mut Vec<u8>) {
        count(&self.0.iter()).put(out);
        out.extend_from_slice(&self.0);
    }
    fn get(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let length = u32::get(reader)? as usize;
        let bytes = reader.take(length)?;
        Ok(Self(match reader.1.filter(|_| length >= SHARED_MIN) {
            Some(frame) => frame.slice_ref(bytes),
            None => bytes::Bytes::copy_from_slice(bytes),
        }))
    }
}

impl<K: Codec + Ord, V: Codec> Codec for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        count(&self.iter()).put(out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }
    fn get(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut map = Self::new();
        for _ in 0..u32::get(reader)? {
            let (key, value) = (K::get(reader)?, V::get(reader)?);
            if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(Malformed);
            }
            map.insert(key, value);
        }
        Ok(map)
    }
}

impl<A: Codec, B: Codec> Codec for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn get(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok((A::get(reader)?, B::get(reader)?))
    }
}

/// Implements [`Codec`] for a struct as the concatenation of the named fields.
macro_rules! codec_struct {
    ($name:ident { $($field:tt),* $(,)? }) => {
        impl $crate::consensus::codec::Codec for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $($crate::consensus::codec::Codec::put(&self.$field, out);)*
            }
            fn get(
                reader: &mut $crate::consensus::codec::Reader<'_>,
            ) -> Result<Self, $crate::consensus::codec::Malformed> {
                Ok(Self { $($field: $crate::consensus::codec::Codec::get(reader)?),* })
            }
        }
    };
}

/// Implements [`Codec`] for an enum of one-field variants as a tag byte and the field.
macro_rules! codec_enum {
    ($name:ident { $($tag:literal => $variant:ident),* $(,)? }) => {
        impl $crate::consensus::codec::Codec for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant(value) => {
                        out.push($tag);
                        $crate::consensus::codec::Codec::put(value, out);
                    })*
                }
            }
            fn get(
                reader: &mut $crate::consensus::codec::Reader<'_>,
            ) -> Result<Self, $crate::consensus::codec::Malformed> {
                match u8::get(reader)? {
                    $($tag => Ok(Self::$variant($crate::consensus::codec::Codec::get(reader)?)),)*
                    _ => Err($crate::consensus::codec::Malformed),
                }
            }
        }
    };
}

pub(crate) use {codec_enum, codec_struct};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_encoding() {
        let map: BTreeMap<u8, Bytes> = [(1, Bytes::from(vec![7])), (2, Bytes::default())].into();
        let bytes = encode(&map);
        assert_eq!(decode::<BTreeMap<u8, Bytes>>(&bytes), Ok(map));
        let long: (Bytes, u8) = (Bytes::from(vec![7; 2 * SHARED_MIN]), 1);
        assert_eq!(decode_frame(&encode(&long).into()), Ok(long));
        // Keys in descending order, a byte left over, and a boolean of 2 are all refused.
        assert!(decode::<BTreeMap<u8, bool>>(&[0, 0, 0, 2, 2, 0, 1, 0]).is_err());
        assert!(decode::<bool>(&[1, 0]).is_err());
        assert!(decode::<bool>(&[2]).is_err());
        assert!(decode::<Vec<u64>>(&[0xff; 8]).is_err());
    }
}
