//! Row ids: the keys of rows in a table without key columns. Eight bytes whose order is the order of the numbers.

use crate::err;
use crate::error::Result;

/// The key of a row id.
pub fn encode(id: i64) -> [u8; 8] {
    (id as u64 ^ 1 << 63).to_be_bytes()
}

/// The row id of a key.
pub fn decode(key: &[u8]) -> Result<i64> {
    match key.try_into() {
        Ok(bytes) => Ok((u64::from_be_bytes(bytes) ^ 1 << 63) as i64),
        Err(_) => Err(err!(DATA_CORRUPTED, "a row id has {} bytes", key.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_the_ids() {
        let ids = [i64::MIN, -1, 0, 1, 256, i64::MAX];
        assert!(ids.map(encode).is_sorted());
        assert_eq!(ids.map(|id| decode(&encode(id)).unwrap()), ids);
        assert!(decode(b"short").is_err());
    }
}
