//! Where to divide a table for a parallel scan: keys that the backend knows (file boundaries) and keys found by
//! bisecting the space between the first and the last one, weighed by the bytes between them.

use std::ops::Bound;

use super::backend::{Space, StorageBackend};
use super::key;
use super::snapshot::{ScanOptions, Snapshot};
use crate::document::Oid;
use crate::error::Result;

/// How many candidates are wanted for each part: more make the parts more even.
const PROBES_PER_PART: usize = 4;
/// How many times in a row an empty half is left out.
const BISECTIONS_MAX: usize = 16;
/// A table below this size is not worth dividing.
const ROWS_MIN: u64 = 1024;
/// Below so many bytes on disk the backend's sizes say little.
const WEIGHED_BYTES_MIN: u64 = 1 << 20;

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
    let table = TableKeys { snapshot, storage };
    let first = table.edge(Bound::Unbounded, Bound::Unbounded, false)?;
    let last = table.edge(Bound::Unbounded, Bound::Unbounded, true)?;
    let (Some(first), Some(last)) = (first, last) else { return Ok(Vec::new()) };
    let (lower, upper) = key::oid_range(storage);
    let mut keys: Vec<Vec<u8>> = backend
        .known_keys(Space::Rows, &lower, upper.as_deref())?
        .into_iter()
        .filter_map(|key| Some(key.get(4..)?.to_vec()))
        .filter(|key| *key > first && *key <= last)
        .collect();
    let depth = (parts * PROBES_PER_PART).min(1024).ilog2();
    table.bisect(first, last, depth, &mut keys)?;
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

/// The keys of a table, looked at one by one.
struct TableKeys<'s> {
    snapshot: &'s Snapshot,
    storage: Oid,
}

impl TableKeys<'_> {
    /// The first key between two bounds, or the last.
    fn edge(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>, reverse: bool) -> Result<Option<Vec<u8>>> {
        let mut rows = self.snapshot.scan(self.storage, lower, upper, ScanOptions { reverse, bulk: false });
        Ok(rows.advance()?.then(|| rows.key().to_vec()))
    }

    /// Divides the space between two keys in half, `depth` times. A half without keys (letters and digits leave most of
    /// it empty) is left out first.
    fn bisect(&self, mut first: Vec<u8>, mut last: Vec<u8>, depth: u32, found: &mut Vec<Vec<u8>>) -> Result<()> {
        for _ in 0..BISECTIONS_MAX {
            let middle = interpolate(&first, &last);
            if depth == 0 || middle <= first {
                break;
            }
            let above = self.edge(Bound::Included(&middle), Bound::Included(&last), false)?;
            let below = self.edge(Bound::Included(&first), Bound::Excluded(&middle), true)?;
            let (Some(above), Some(below)) = (above, below) else { break };
            match (below == first, above == last) {
                (true, true) => break,
                (true, false) => first = above,
                (false, true) => last = below,
                (false, false) => {
                    self.bisect(first, below, depth - 1, found)?;
                    found.push(above.clone());
                    return self.bisect(above, last, depth - 1, found);
                }
            }
        }
        Ok(())
    }
}

/// The bytes in each interval that the candidates make (one more than there are candidates); all 1 when most of the
/// table is not on disk yet, or is a few blocks there.
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
    if out.iter().sum::<u64>() < WEIGHED_BYTES_MIN {
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

/// The bytes that lie halfway between two keys, looking at the eight bytes after what they share.
fn interpolate(first: &[u8], last: &[u8]) -> Vec<u8> {
    let shared = first.iter().zip(last).take_while(|(a, b)| a == b).count();
    let number = |key: &[u8]| {
        let mut bytes = [0; 8];
        let rest = &key[shared..];
        let len = rest.len().min(8);
        bytes[..len].copy_from_slice(&rest[..len]);
        u64::from_be_bytes(bytes)
    };
    let (low, high) = (number(first), number(last));
    let mut out = first[..shared].to_vec();
    out.extend_from_slice(&(low + high.saturating_sub(low) / 2).to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolation_stays_between_the_keys() {
        let (mut a, b) = (b"user:100".to_vec(), b"user:9".to_vec());
        for _ in 0..20 {
            let key = interpolate(&a, &b);
            assert!(a < key && key < b, "{key:?}");
            a = key;
        }
        assert_eq!(interpolate(b"a", b"a\0"), b"a\0\0\0\0\0\0\0\0");
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
