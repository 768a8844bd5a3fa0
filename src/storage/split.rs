//! Where to divide a table for a parallel scan: keys that the backend knows (file boundaries) and keys found by
//! looking at evenly spaced places between the first and the last one, weighed by the bytes between them.

use std::ops::Bound;

use super::backend::{Space, StorageBackend};
use super::key;
use super::snapshot::{ScanOptions, Snapshot};
use crate::document::Oid;
use crate::error::Result;

/// How many places are looked at for each part: more make the parts more even.
const PROBES_PER_PART: usize = 4;
/// A table below this size is not worth dividing.
const ROWS_MIN: u64 = 1024;

pub(crate) fn split_points(
    backend: &dyn StorageBackend,
    snapshot: &Snapshot,
    storage: Oid,
    parts: usize,
) -> Result<Vec<Vec<u8>>> {
    if parts < 2 || snapshot.approximate_rows(storage) < ROWS_MIN {
        return Ok(Vec::new());
    }
    let candidates = candidates(backend, snapshot, storage, parts)?;
    let weights = weights(backend, storage, &candidates)?;
    Ok(choose(candidates, &weights, parts))
}

/// Ascending keys of the table, without its first.
fn candidates(backend: &dyn StorageBackend, snapshot: &Snapshot, storage: Oid, parts: usize) -> Result<Vec<Vec<u8>>> {
    let edge = |reverse| -> Result<Option<Vec<u8>>> {
        let options = ScanOptions { reverse, bulk: false };
        let mut rows = snapshot.scan(storage, Bound::Unbounded, Bound::Unbounded, options);
        Ok(rows.advance()?.then(|| rows.key().to_vec()))
    };
    let (Some(first), Some(last)) = (edge(false)?, edge(true)?) else { return Ok(Vec::new()) };
    let (lower, upper) = key::oid_range(storage);
    let mut keys: Vec<Vec<u8>> = backend
        .known_keys(Space::Rows, &lower, upper.as_deref())?
        .into_iter()
        .filter_map(|key| Some(key.get(4..)?.to_vec()))
        .filter(|key| *key > first && *key <= last)
        .collect();
    let probes = (parts * PROBES_PER_PART).min(1024);
    for i in 1..probes {
        let place = interpolate(&first, &last, i as u64, probes as u64);
        let mut rows = snapshot.scan(storage, Bound::Included(&place), Bound::Unbounded, ScanOptions::default());
        if rows.advance()? && rows.key() > first.as_slice() {
            keys.push(rows.key().to_vec());
        }
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

/// The bytes in each interval that the candidates make (one more than there are candidates); all 1 when the backend
/// has nothing on disk yet.
fn weights(backend: &dyn StorageBackend, storage: Oid, candidates: &[Vec<u8>]) -> Result<Vec<u64>> {
    let (start, end) = key::oid_range(storage);
    let mut edges: Vec<Option<Vec<u8>>> = vec![Some(start)];
    edges.extend(candidates.iter().map(|key| Some(key::prefixed(storage, key))));
    edges.push(end);
    let mut out = Vec::with_capacity(edges.len());
    for pair in edges.windows(2) {
        let lower = pair[0].as_deref().unwrap_or_default();
        out.push(backend.approximate_bytes(Space::Rows, lower, pair[1].as_deref())?);
    }
    if out.iter().all(|weight| *weight == 0) {
        out.fill(1);
    }
    Ok(out)
}

/// Takes the candidates at which a further share of the total is reached.
fn choose(candidates: Vec<Vec<u8>>, weights: &[u64], parts: usize) -> Vec<Vec<u8>> {
    let total: u64 = weights.iter().sum();
    let mut reached = 0;
    let mut chosen = Vec::new();
    for (candidate, weight) in candidates.into_iter().zip(weights) {
        reached += weight;
        let share = total * (chosen.len() as u64 + 1) / parts as u64;
        if reached >= share && reached < total && chosen.len() + 1 < parts {
            chosen.push(candidate);
        }
    }
    chosen
}

/// The bytes that lie i/n of the way from one key to another, looking at the eight bytes after what they share.
fn interpolate(first: &[u8], last: &[u8], i: u64, n: u64) -> Vec<u8> {
    let shared = first.iter().zip(last).take_while(|(a, b)| a == b).count();
    let number = |key: &[u8]| {
        let mut bytes = [0; 8];
        let rest = &key[shared..];
        let len = rest.len().min(8);
        bytes[..len].copy_from_slice(&rest[..len]);
        u64::from_be_bytes(bytes)
    };
    let (low, high) = (number(first), number(last));
    let step = u128::from(high.saturating_sub(low)) * u128::from(i) / u128::from(n);
    let mut out = first[..shared].to_vec();
    out.extend_from_slice(&(low + step as u64).to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolation_stays_between_the_keys() {
        let (a, b) = (b"user:100".to_vec(), b"user:9".to_vec());
        let mut previous = a.clone();
        for i in 1..10 {
            let key = interpolate(&a, &b, i, 10);
            assert!(previous < key && key < b, "{key:?}");
            previous = key;
        }
    }

    #[test]
    fn choice_follows_the_weights() {
        let keys: Vec<Vec<u8>> = (1..10u8).map(|k| vec![k]).collect();
        assert_eq!(choose(keys.clone(), &[1; 10], 2), [[5]]);
        assert_eq!(choose(keys.clone(), &[90, 1, 1, 1, 1, 1, 1, 1, 1, 2], 2), [[1]]);
        assert_eq!(choose(keys, &[1; 10], 20).len(), 9);
        assert!(choose(Vec::new(), &[1], 4).is_empty());
    }
}
