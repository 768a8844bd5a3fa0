//! Scrubbing: what lies on disk decays. Now and then the host reads a checkpoint again and says what it has found; chunks
//! that differ from the certified manifest are asked from the peers and handed back for repair, each checked like those
//! of a transfer. So rot heals before it is the last copy (P17).

use super::message::*;
use super::replica::{Output, Replica};
use super::types::*;
use std::collections::BTreeSet;

/// Chunks asked for at once.
const CHUNKS_IN_FLIGHT: usize = 4;

/// A checkpoint with rotten chunks.
pub(super) struct Repair {
    seq: SeqNo,
    missing: BTreeSet<u32>,
    asked_at: u64,
}

impl Replica {
    /// The chunks of a checkpoint as they are on disk now. Only the stable checkpoint is repaired: what it ought to be is
    /// certified.
    pub(super) fn scrubbed(&mut self, seq: SeqNo, found: &[Digest]) {
        let is_stable = self.stable.as_ref().is_some_and(|cert| cert.seq == seq);
        let manifest = self.snapshots.get(&seq).and_then(|snapshot| snapshot.manifest.clone());
        let Some(manifest) = manifest.filter(|_| is_stable) else { return };
        let expected = manifest.chunks.iter().enumerate();
        let missing: BTreeSet<u32> =
            expected.filter(|(at, digest)| found.get(*at) != Some(digest)).map(|(at, _)| at as u32).collect();
        self.repair = (!missing.is_empty()).then_some(Repair { seq, missing, asked_at: 0 });
        self.tick_repair();
    }

    /// Asks another peer while chunks are missing; gives up when the checkpoint is no longer kept.
    pub(super) fn tick_repair(&mut self) {
        let Some(repair) = &mut self.repair else { return };
        if !self.snapshots.contains_key(&repair.seq) {
            self.repair = None;
            return;
        }
        let now = self.now.monotonic;
        if repair.asked_at != 0 && now.saturating_sub(repair.asked_at) < self.parameters.status_interval {
            return;
        }
        repair.asked_at = now.max(1);
        let seq = repair.seq;
        let wanted: Vec<u32> = repair.missing.iter().take(CHUNKS_IN_FLIGHT).copied().collect();
        let Some(peer) = self.some_peer() else { return };
        for index in wanted {
            self.send(peer, Message::StateRequest(StateRequest { seq, chunk: Some(index) }));
        }
    }

    /// Whether the chunk was one that a repair waits for.
    pub(super) fn mends(&mut self, chunk: &Chunk) -> bool {
        let Some(repair) = &mut self.repair else { return false };
        let manifest = self.snapshots.get(&repair.seq).and_then(|snapshot| snapshot.manifest.as_ref());
        let expected = manifest.and_then(|manifest| manifest.chunks.get(chunk.index as usize));
        let is_good = chunk.seq == repair.seq && expected == Some(&Chunk::digest(&chunk.bytes.0));
        if !is_good || !repair.missing.remove(&chunk.index) {
            return false;
        }
        if repair.missing.is_empty() {
            self.repair = None;
        }
        self.outputs.push(Output::RepairChunk(chunk.seq, chunk.index, chunk.bytes.clone()));
        true
    }
}
