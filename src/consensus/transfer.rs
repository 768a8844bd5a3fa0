//! State transfer: a replica that has fallen too far behind takes the state at a certified checkpoint from anybody. A
//! stable one is certified, and one that f+1 have voted for: a correct replica among them has executed it.
//!
//! Nothing is believed. The manifest must hash to the state root in the certificate and its ledger to the other roots;
//! every chunk must hash to its entry in the manifest before it is staged. Chunks already staged are kept when the target
//! moves to a newer checkpoint, so progress is never lost.

use super::codec::decode;
use super::ledger::Ledger;
use super::message::*;
use super::planted::{self, Bug};
use super::replica::{Deferred, Output, Record, Replica, Snapshot};
use super::signed::{Kind, Refusal};
use super::types::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Chunks asked for at once.
const CHUNKS_IN_FLIGHT: usize = 4;

/// A transfer under way.
pub(super) struct Transfer {
    cert: Arc<CheckpointCert>,
    source: ReplicaId,
    manifest: Option<Arc<Manifest>>,
    staged: BTreeMap<u32, Digest>,
    asked: BTreeSet<u32>,
    progress_at: u64,
    /// Peers that have sent something wrong.
    banned: BTreeSet<ReplicaId>,
}

impl Transfer {
    fn missing(&self) -> Vec<u32> {
        let Some(manifest) = &self.manifest else { return Vec::new() };
        let is_missing = |(index, digest): (usize, &Digest)| {
            let index = index as u32;
            (self.staged.get(&index) != Some(digest)).then_some(index)
        };
        manifest.chunks.iter().enumerate().filter_map(is_missing).collect()
    }
}

impl Replica {
    /// Starts, retries elsewhere, or gives up a transfer.
    pub(super) fn tick_transfer(&mut self) {
        let now = self.now.monotonic;
        let executed = self.ledger.seq;
        if self.ahead.as_ref().is_some_and(|ahead| ahead.seq <= executed) {
            self.ahead = None;
        }
        let Some(target) = self.ahead.clone() else {
            self.transfer = None;
            return;
        };
        let patience = 4 * self.parameters.status_interval;
        let idle_since = self.transfer.as_ref().map_or(self.executed_at, |transfer| transfer.progress_at);
        if now.saturating_sub(idle_since) < patience {
            return;
        }
        let mut old = self.transfer.take();
        let banned = old.as_mut().map(|old| std::mem::take(&mut old.banned)).unwrap_or_default();
        let Some(source) = self.some_peer() else { return };
        if banned.contains(&source) && banned.len() < self.members.members.len() - 1 {
            // Another one at the next tick.
            self.transfer = old.map(|old| Transfer { banned, ..old });
            return;
        }
        let manifest = old.as_ref().filter(|old| old.cert.seq == target.seq).and_then(|old| old.manifest.clone());
        let staged = old.map(|old| old.staged).unwrap_or_default();
        let asked = BTreeSet::new();
        self.transfer = Some(Transfer { cert: target, source, manifest, staged, asked, progress_at: now, banned });
        self.ask();
    }

    /// Asks for the manifest, or for a few chunks.
    fn ask(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        let (source, seq) = (transfer.source, transfer.cert.seq);
        let mut wanted: Vec<Option<u32>> = Vec::new();
        if transfer.manifest.is_none() {
            wanted.push(None);
        }
        for index in transfer.missing() {
            if transfer.asked.len() < CHUNKS_IN_FLIGHT && transfer.asked.insert(index) {
                wanted.push(Some(index));
            }
        }
        for chunk in wanted {
            self.send(source, Message::StateRequest(StateRequest { seq, chunk }));
        }
    }

    pub(super) fn on_state_request(&mut self, from: ReplicaId, request: StateRequest) -> Result<(), Refusal> {
        let manifest = self.snapshots.get(&request.seq).and_then(|snapshot| snapshot.manifest.clone());
        let manifest = manifest.ok_or(Refusal::Unsolicited)?;
        match request.chunk {
            None => self.send(from, Message::Manifest(manifest)),
            Some(index) if (index as usize) < manifest.chunks.len() => {
                self.outputs.push(Output::ServeChunk(from, request.seq, index));
            }
            Some(_) => return Err(Refusal::Unsolicited),
        }
        Ok(())
    }

    pub(super) fn on_manifest(&mut self, from: ReplicaId, manifest: Arc<Manifest>) -> Result<(), Refusal> {
        let transfer = self.transfer.as_mut().ok_or(Refusal::Unsolicited)?;
        if transfer.source != from || transfer.cert.seq != manifest.seq || transfer.manifest.is_some() {
            return Err(Refusal::Unsolicited);
        }
        if certified_ledger(&transfer.cert, &manifest).is_none() {
            transfer.banned.insert(from);
            return Err(Refusal::WrongDigest);
        }
        transfer.manifest = Some(manifest);
        transfer.progress_at = self.now.monotonic;
        self.ask();
        self.finish_transfer();
        Ok(())
    }

    pub(super) fn on_chunk(&mut self, from: ReplicaId, chunk: Arc<Chunk>) -> Result<(), Refusal> {
        if self.mends(&chunk) {
            return Ok(());
        }
        let transfer = self.transfer.as_mut().ok_or(Refusal::Unsolicited)?;
        let expected = transfer.manifest.as_ref().and_then(|manifest| manifest.chunks.get(chunk.index as usize));
        let expected = expected.copied().filter(|_| transfer.asked.remove(&chunk.index)).ok_or(Refusal::Unsolicited)?;
        if Chunk::digest(&chunk.bytes.0) != expected && !planted::is(Bug::ChunkUnchecked) {
            transfer.banned.insert(from);
            return Err(Refusal::WrongDigest);
        }
        transfer.progress_at = self.now.monotonic;
        transfer.staged.insert(chunk.index, expected);
        self.outputs.push(Output::StageChunk(chunk.seq, chunk.index, chunk.bytes.clone()));
        self.ask();
        self.finish_transfer();
        Ok(())
    }

    /// Everything is here: from this point on, outputs speak about the new state.
    fn finish_transfer(&mut self) {
        let Some(transfer) = &self.transfer else { return };
        let Some(manifest) = transfer.manifest.clone().filter(|_| transfer.missing().is_empty()) else { return };
        let cert = transfer.cert.clone();
        let Some(ledger) = certified_ledger(&cert, &manifest).filter(|ledger| ledger.seq > self.ledger.seq) else {
            return;
        };
        self.transfer = None;
        self.outputs.push(Output::InstallState(cert.seq, manifest.chunks.clone()));
        self.executed_at = self.now.monotonic;
        let epoch_before = self.members.epoch;
        self.ledger = ledger.clone();
        self.pool.settle(&self.ledger);
        self.snapshots.insert(cert.seq, Snapshot { ledger, manifest: Some(manifest) });
        // A newer checkpoint may have become known meanwhile: then that one is next.
        self.ahead = self.ahead.take().filter(|ahead| ahead.seq > cert.seq);
        if self.ledger.members.epoch != epoch_before {
            self.stable = Some(cert.clone());
            self.low = cert.seq;
            self.slots.clear();
            self.enter_epoch();
        } else if cert.signatures.len() >= self.quorum.q {
            self.adopt_stable(cert);
        }
        self.settle_stable();
        self.execute();
        self.collect();
    }

    /// The installed state is durable: a restart may begin from it. If it is not stable yet, this vote may be what lacks.
    pub(super) fn state_installed(&mut self, seq: SeqNo) {
        let snapshot = self.snapshots.get(&seq);
        let manifest = snapshot.and_then(|snapshot| snapshot.manifest.clone());
        let content = snapshot.zip(manifest.as_ref()).map(|(snapshot, manifest)| {
            (snapshot.ledger.members.epoch, snapshot.ledger.content(Chunk::root(&manifest.chunks)))
        });
        let open = content.filter(|(epoch, _)| *epoch == self.members.epoch && seq > self.low);
        let vote = open.map(|(_, content)| {
            let vote = self.vote(Kind::Checkpoint, View(0), seq, content.digest());
            Deferred::Checkpoint(CheckpointVote { vote, content })
        });
        let records = manifest.map(Record::Snapshot).into_iter().chain(self.stable.clone().map(Record::Stable));
        let records = records.collect();
        self.persist(records, vote.into_iter().collect());
    }
}

/// The ledger in a manifest, if every root in the certificate is confirmed.
fn certified_ledger(cert: &CheckpointCert, manifest: &Manifest) -> Option<Ledger> {
    let ledger: Ledger = decode(&manifest.ledger.0).ok()?;
    let is_certified = ledger.seq == cert.seq
        && ledger.members.epoch == cert.epoch
        && (ledger.content(Chunk::root(&manifest.chunks)) == cert.content || planted::is(Bug::ManifestUnchecked));
    // The time is not a root of its own; the header binds it, and only the next batch's lower bound depends on it.
    is_certified.then_some(ledger)
}
