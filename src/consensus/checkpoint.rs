//! Checkpoints: agreeing on the state, forgetting the past, handing over to the next epoch.

use super::codec::{Bytes, encode};
use super::log::Slot;
use super::message::*;
use super::planted::{self, Bug};
use super::replica::{Deferred, Output, Record, Replica};
use super::signed::{Kind, Refusal};
use super::types::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Replica {
    /// The state machine's state at `seq` is durable: write the ledger beside it, then vote.
    pub(super) fn checkpoint_taken(&mut self, seq: SeqNo, chunks: Vec<Digest>) {
        let Some(snapshot) = self.snapshots.get_mut(&seq) else { return };
        let content = snapshot.ledger.content(Chunk::root(&chunks));
        let epoch = snapshot.ledger.members.epoch;
        let manifest = Arc::new(Manifest { seq, ledger: Bytes::from(encode(&snapshot.ledger)), chunks });
        snapshot.manifest = Some(manifest.clone());
        let mut then = Vec::new();
        if epoch == self.members.epoch {
            let vote = self.vote(Kind::Checkpoint, View(0), seq, content.digest());
            then.push(Deferred::Checkpoint(CheckpointVote { vote, content }));
        }
        if planted::is(Bug::TruncatesUnstable) {
            then.push(Deferred::Truncate(seq));
        }
        self.persist(vec![Record::Snapshot(manifest)], then);
        self.settle_stable();
    }

    pub(super) fn checkpoint_durable(&mut self, checkpoint: CheckpointVote) {
        if checkpoint.vote.epoch != self.members.epoch || self.halted {
            return;
        }
        self.broadcast(Message::Checkpoint(Arc::new(checkpoint)));
        if let Err(refusal) = self.on_checkpoint(checkpoint) {
            self.count(refusal);
        }
    }

    pub(super) fn on_checkpoint(&mut self, checkpoint: CheckpointVote) -> Result<(), Refusal> {
        let vote = checkpoint.vote;
        if vote.epoch != self.members.epoch {
            return Err(Refusal::WrongEpoch);
        }
        // Which positions are checkpoints is known only to who has executed them; a quorum of voters has.
        if vote.seq <= self.low || vote.seq > self.high() {
            return Err(Refusal::OutsideWatermarks);
        }
        if let Some(known) = self.checkpoint_votes.get(&(vote.seq, vote.signer)).map(|known| known.vote) {
            if known.digest == vote.digest {
                return Err(Refusal::Duplicate);
            }
            self.accuse(known, vote);
            return Err(Refusal::Equivocation);
        }
        self.checkpoint_votes.insert((vote.seq, vote.signer), checkpoint);
        let signatures: Vec<_> = self
            .checkpoint_votes
            .range((vote.seq, ReplicaId(0))..=(vote.seq, ReplicaId(u32::MAX)))
            .filter(|((_, signer), other)| {
                let is_same = other.content == checkpoint.content || planted::is(Bug::CheckpointContentIgnored);
                self.members.is_voter(*signer) && is_same
            })
            .map(|((_, signer), other)| (*signer, other.vote.signature))
            .collect();
        if signatures.len() >= self.quorum.q {
            let (epoch, seq, content) = (vote.epoch, vote.seq, checkpoint.content);
            self.adopt_stable(Arc::new(CheckpointCert { epoch, seq, content, signatures }));
        } else if signatures.len() >= self.quorum.weak() && vote.seq > self.ledger.seq {
            // Somebody correct has executed that far: enough to take the state, not to forget the past. It may be the
            // only way on, if the quorum lacks this replica's vote and too few remember the decisions before.
            let (epoch, seq, content) = (vote.epoch, vote.seq, checkpoint.content);
            if self.ahead.as_ref().is_none_or(|ahead| ahead.seq < seq) {
                self.ahead = Some(Arc::new(CheckpointCert { epoch, seq, content, signatures }));
            }
        }
        Ok(())
    }

    pub(super) fn on_stable(&mut self, cert: Arc<CheckpointCert>) -> Result<(), Refusal> {
        if cert.seq <= self.low {
            return Err(Refusal::Stale);
        }
        self.adopt_stable(cert);
        Ok(())
    }

    /// Moves the window. The certificate has been verified. One of a later epoch only says where to transfer to.
    pub(super) fn adopt_stable(&mut self, cert: Arc<CheckpointCert>) {
        if cert.seq > self.ledger.seq && self.ahead.as_ref().is_none_or(|ahead| ahead.seq < cert.seq) {
            self.ahead = Some(cert.clone());
        }
        if cert.seq <= self.low || cert.epoch != self.members.epoch {
            return;
        }
        self.low = cert.seq;
        self.stable = Some(cert.clone());
        self.next_seq = self.next_seq.max(self.low.next());
        self.persist(vec![Record::Stable(cert)], Vec::new());
        self.settle_stable();
        self.collect();
        self.thin();
        // The reservation moves with the window: one durable write per checkpoint, in the shadow of the old one.
        if self.active && self.reserving < self.low.plus(self.genesis.watermark_window) {
            let reservation = self.reserve();
            self.persist(vec![Record::Entered(reservation)], vec![Deferred::Reserved(reservation)]);
        }
    }

    /// What follows once the stable checkpoint is executed here too.
    pub(super) fn settle_stable(&mut self) {
        let Some(cert) = self.stable.clone().filter(|cert| cert.seq <= self.ledger.seq) else { return };
        let own = self.snapshots.get(&cert.seq).and_then(|snapshot| {
            let manifest = snapshot.manifest.as_ref()?;
            Some(snapshot.ledger.content(Chunk::root(&manifest.chunks)))
        });
        if own.is_some_and(|own| own != cert.content) && !planted::is(Bug::DivergenceTolerated) {
            // Another state than a quorum's: nothing this replica says about its state is worth anything (P15).
            self.halted = true;
            self.outputs.push(Output::Halt(cert.seq));
            return;
        }
        self.truncate(cert.seq);
        self.hand_over();
    }

    /// Goes on to the next epoch if the stable checkpoint is the last of this one and executed here.
    pub(super) fn hand_over(&mut self) {
        let Some(cert) = self.stable.clone() else { return };
        if cert.seq == self.ledger.seq && self.ledger.is_last_of_epoch() && cert.epoch == self.members.epoch {
            self.switch_epoch(cert);
        }
    }

    /// A disk that is slower than the others' has many checkpoints to take that nobody waits for any more. Of those it
    /// keeps the oldest, which will be finished first, and the newest.
    fn thin(&mut self) {
        let untaken = self.snapshots.range(..=self.low).filter(|(_, snapshot)| snapshot.manifest.is_none());
        let untaken: Vec<SeqNo> = untaken.map(|(seq, _)| *seq).collect();
        for seq in untaken.iter().skip(1).rev().skip(1) {
            self.snapshots.remove(seq);
        }
    }

    /// Keeps the two newest checkpoints that are stable and on this disk; what is older goes, once the newer one is
    /// durable. A disk slower than the others' holds back only what it has not written itself.
    fn truncate(&mut self, stable: SeqNo) {
        let taken = self.snapshots.range(..=stable).rev().filter(|(_, snapshot)| snapshot.manifest.is_some());
        let older = taken.map(|(seq, _)| *seq).nth(1);
        let Some(older) = older.filter(|older| self.snapshots.keys().next() != Some(older)) else { return };
        self.snapshots = self.snapshots.split_off(&older);
        let older = if planted::is(Bug::TruncatesTooMuch) { self.ledger.seq.next() } else { older };
        self.persist(Vec::new(), vec![Deferred::Truncate(older)]);
    }

    /// Drops positions that nobody will ask for: one interval below the checkpoint is kept for those who lag.
    pub(super) fn collect(&mut self) {
        let (interval, window) = (self.genesis.checkpoint_interval, self.genesis.watermark_window);
        let behind = self.ledger.seq.min(self.low).0.saturating_sub(interval);
        let floor = SeqNo(behind.max(self.low.0.saturating_sub(window + interval)));
        self.slots = self.slots.split_off(&floor.next());
        let mut used: BTreeSet<Digest> = self.slots.values().flat_map(Slot::digests).collect();
        used.insert(Batch::default().digest());
        self.batches.retain(|digest, _| used.contains(digest));
        let bodies: BTreeSet<Digest> = self.batches.values().flat_map(|batch| batch.bodies.clone()).collect();
        self.pool.collect(&bodies);
        self.durable_bodies.retain(|digest, _| bodies.contains(digest));
        self.checkpoint_votes.retain(|(seq, _), _| *seq > self.low);
    }

    /// Hands over to the next epoch: new members, view 0, nothing in flight. Every correct replica does this after the
    /// same position, with the same certificate, so the new epoch starts from one state everywhere.
    fn switch_epoch(&mut self, cert: Arc<CheckpointCert>) {
        let next = self.ledger.next.clone().expect("the epoch ends because a next one is decided");
        let proof = Arc::new(EpochProof { cert: cert.as_ref().clone(), next: next.clone() });
        self.remember_epoch(proof);
        self.ledger.switch();
        self.enter_epoch();
    }

    /// Adds an epoch to the directory, durably.
    pub(super) fn remember_epoch(&mut self, proof: Arc<EpochProof>) {
        if self.directory.learn(proof.next.clone()) {
            self.epochs.push(proof.clone());
            self.persist(vec![Record::Epoch(proof)], Vec::new());
        }
    }

    /// Takes up work in the ledger's epoch, at view 0.
    pub(super) fn enter_epoch(&mut self) {
        self.members = Arc::new(self.ledger.members.clone());
        if !planted::is(Bug::OldQuorumKept) {
            self.quorum = self.members.quorum();
        }
        self.changes = BTreeMap::new();
        self.new_view = None;
        self.future = BTreeMap::new();
        self.checkpoint_votes = BTreeMap::new();
        self.failures = 0;
        self.slots = self.slots.split_off(&SeqNo(0));
        self.slots.retain(|seq, _| *seq <= self.members.base);
        self.slots.values_mut().for_each(Slot::leave_view);
        self.pool.settle(&self.ledger);
        self.begin(View(0), self.low.next());
        let reservation = self.reserve();
        self.persist(vec![Record::Entered(reservation)], vec![Deferred::Reserved(reservation)]);
    }

    pub(super) fn on_epoch(&mut self, proof: Arc<EpochProof>) -> Result<(), Refusal> {
        if !self.directory.latest().next_is(proof.next.epoch) {
            return Err(Refusal::Stale);
        }
        self.adopt_stable(Arc::new(proof.cert.clone()));
        // Settling may just have made the same step by itself.
        self.remember_epoch(proof);
        Ok(())
    }
}
