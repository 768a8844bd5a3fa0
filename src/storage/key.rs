//! How keys are laid out in the backend. All numbers are big-endian, so that byte order is their order.
//!
//! | space | key | value |
//! |---|---|---|
//! | rows | storage (4) ‖ row key | position (varint) ‖ row |
//! | indexes | index (4) ‖ encoded keys | `1` ‖ row key: unique, and no key is NULL |
//! | indexes | index (4) ‖ encoded keys ‖ row key | `0` ‖ length of the encoded keys (varint) |
//! | catalog | `e` ‖ oid | catalog entry as JSON |
//! | catalog | `c` ‖ oid ‖ column | comment |
//! | catalog | `s` ‖ oid | sequence: last value (8) ‖ is called (1) |
//! | catalog | `t` ‖ storage | table statistics: rows (8) ‖ bytes (8) |
//! | catalog | `m` ‖ name | applied position, catalog version and other single values |

use crate::document::Oid;
use crate::error::Result;
use crate::{err, storage::command::Position};

/// The key of a row: the table's storage OID, then the row's key.
pub fn row_key(storage: Oid, key: &[u8]) -> Vec<u8> {
    prefixed(storage, key)
}

/// An OID followed by bytes.
pub fn prefixed(oid: Oid, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + key.len());
    out.extend_from_slice(&oid.to_be_bytes());
    out.extend_from_slice(key);
    out
}

/// The range of all keys that begin with an OID: from (inclusive), to (exclusive; `None` is the end of the space).
pub fn oid_range(oid: Oid) -> (Vec<u8>, Option<Vec<u8>>) {
    (oid.to_be_bytes().to_vec(), oid.checked_add(1).map(|next| next.to_be_bytes().to_vec()))
}

/// The smallest byte string above every string that begins with `prefix`; `None` when there is none.
///
/// `successor(k)` as an exclusive upper bound means "up to all keys that begin with `k`"; as an inclusive lower
/// bound it means "after all keys that begin with `k`".
pub fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut out = prefix[..=last].to_vec();
    out[last] += 1;
    Some(out)
}

/// Appends a LEB128 number.
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a LEB128 number and says how many bytes it took. `None`: cut off, or longer than 64 bits.
pub(crate) fn get_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().take(10).enumerate() {
        let part = u64::from(byte & 0x7f);
        if i == 9 && part > 1 {
            return None;
        }
        value |= part << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

/// Splits a stored row into the position that wrote it and where its bytes begin.
pub(crate) fn split_row(value: &[u8]) -> Result<(Position, usize)> {
    match get_varint(value) {
        Some((position, start)) => Ok((Position(position), start)),
        None => Err(err!(DATA_CORRUPTED, "a stored row has no valid position")),
    }
}

/// The value of an index entry whose key ends with the row key, after `keys_len` bytes of encoded keys.
pub(crate) fn entry_with_suffix(keys_len: usize) -> Vec<u8> {
    let mut out = vec![0];
    put_varint(keys_len as u64, &mut out);
    out
}

/// The value of a unique index entry, which holds the row key.
pub(crate) fn entry_unique(row_key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + row_key.len());
    out.push(1);
    out.extend_from_slice(row_key);
    out
}

/// Splits an index entry (key without the index OID, value) into encoded keys and row key.
pub(crate) fn split_entry<'a>(key: &'a [u8], value: &'a [u8]) -> Result<(&'a [u8], &'a [u8])> {
    match value.split_first() {
        Some((1, row_key)) => Ok((key, row_key)),
        Some((0, rest)) => match get_varint(rest) {
            Some((len, _)) if len as usize <= key.len() => Ok(key.split_at(len as usize)),
            _ => Err(err!(INDEX_CORRUPTED, "an index entry has no valid key length")),
        },
        _ => Err(err!(INDEX_CORRUPTED, "an index entry has an unknown form")),
    }
}

/// The keys of the catalog space.
pub(crate) mod catalog {
    use crate::document::Oid;

    pub(crate) const APPLIED: &[u8] = b"mapplied";
    pub(crate) const VERSION: &[u8] = b"mcatalog_version";
    pub(crate) const NEXT_OID: &[u8] = b"mnext_oid";
    pub(crate) const PARTIAL: &[u8] = b"mpartial";

    fn tagged(tag: u8, oid: Oid) -> Vec<u8> {
        let mut out = vec![tag];
        out.extend_from_slice(&oid.to_be_bytes());
        out
    }

    pub(crate) fn entry(oid: Oid) -> Vec<u8> {
        tagged(b'e', oid)
    }

    pub(crate) fn sequence(oid: Oid) -> Vec<u8> {
        tagged(b's', oid)
    }

    pub(crate) fn statistics(storage: Oid) -> Vec<u8> {
        tagged(b't', storage)
    }

    pub(crate) fn comment(oid: Oid, column: i32) -> Vec<u8> {
        let mut out = tagged(b'c', oid);
        out.extend_from_slice(&column.to_be_bytes());
        out
    }

    /// The OID and the rest of a key made by one of the functions above.
    pub(crate) fn parse(key: &[u8]) -> Option<(u8, Oid, &[u8])> {
        let (tag, rest) = key.split_first()?;
        let (oid, rest) = rest.split_first_chunk::<4>()?;
        Some((*tag, Oid::from_be_bytes(*oid), rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_and_refuse_rubbish() {
        for value in [0, 1, 127, 128, 300, 1 << 40, u64::MAX] {
            let mut out = Vec::new();
            put_varint(value, &mut out);
            assert_eq!(get_varint(&out), Some((value, out.len())));
            assert_eq!(get_varint(&out[..out.len() - 1]), None);
        }
        assert_eq!(get_varint(&[0xff; 11]), None);
    }

    #[test]
    fn successor_is_above_every_string_with_the_prefix() {
        assert_eq!(successor(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(successor(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(successor(b"\xff"), None);
        assert_eq!(successor(b""), None);
    }

    #[test]
    fn entries_split_into_keys_and_row_key() {
        assert_eq!(split_entry(b"kkkrow", &entry_with_suffix(3)).unwrap(), (&b"kkk"[..], &b"row"[..]));
        assert_eq!(split_entry(b"kkk", &entry_unique(b"row")).unwrap(), (&b"kkk"[..], &b"row"[..]));
        assert!(split_entry(b"k", &entry_with_suffix(3)).is_err());
        assert!(split_entry(b"k", b"").is_err());
    }
}
