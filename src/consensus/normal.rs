//! The normal case: PRE-PREPARE, PREPARE, one sync, COMMIT, execution.

use super::ledger::{Turn, turn};
use super::log::Slot;
use super::message::*;
use super::planted::{self, Bug};
use super::pool::Arrival;
use super::replica::{Deferred, Head, Output, Prepared, Record, Replica, Snapshot, Tagged};
use super::signed::{Kind, Refusal, Vote};
use super::types::*;
use std::sync::Arc;

impl Replica {
    // ---- the primary ----

    /// Proposes as long as there is something to propose and room in the pipeline.
    pub(super) fn propose(&mut self) {
        while let Some(batch) = self.next_batch() {
            let (seq, digest) = (self.next_seq, batch.digest());
            self.next_seq = seq.next();
            let vote = self.vote(Kind::PrePrepare, self.view, seq, digest);
            let batch = Arc::new(batch);
            self.batches.insert(digest, batch.clone());
            let slot = self.slots.entry(seq).or_default();
            slot.proposal = Some(vote);
            slot.voted = true;
            self.broadcast(Message::PrePrepare(Proposal { vote, batch }));
            self.advance(seq);
        }
    }

    /// What to propose now, if anything.
    fn next_batch(&self) -> Option<Batch> {
        let seq = self.next_seq;
        // A primary that is behind its own stable checkpoint must catch up before it proposes (P14).
        let is_ready = self.is_primary() && self.probing.is_none() && self.ledger.seq >= self.low;
        let fits = seq > self.low && seq <= self.high().min(self.reserved) && self.may_vote(seq);
        let in_flight = seq.0.saturating_sub(self.ledger.seq.0 + 1);
        if !is_ready || !fits || in_flight >= self.parameters.pipeline {
            return None;
        }
        let (bodies, bytes, oldest) = self.gather();
        let is_small = bytes < self.parameters.batch_bytes_max && bodies.len() < self.parameters.batch_entries_max;
        let is_young = self.now.monotonic < oldest.saturating_add(self.parameters.batch_wait);
        if bodies.is_empty() {
            // An epoch change waits for a checkpoint, and so does what was executed; empty batches carry the log there.
            let waits = self.ledger.next.is_some() || self.is_checkpoint_due();
            return (waits && in_flight == 0).then(|| Batch { bodies, time: self.now.wall.max(1) });
        }
        if in_flight > 0 && is_small && is_young {
            return None;
        }
        Some(Batch { bodies, time: self.now.wall.max(1) })
    }

    /// Bodies whose turn comes after everything in flight, their size, and the arrival of the oldest.
    fn gather(&self) -> (Vec<Digest>, usize, u64) {
        let mut heads = self.ledger.gateways.clone();
        for (_, slot) in self.slots.range(self.ledger.seq.next()..) {
            let batch = slot.proposal.and_then(|vote| self.batches.get(&vote.digest));
            for digest in batch.iter().flat_map(|batch| &batch.bodies) {
                if let Some(signed) = self.pool.get(digest) {
                    let id = signed.body.id();
                    if turn(heads.get(&id.gateway), &id) == Turn::Next {
                        heads.insert(id.gateway, (id.incarnation, id.number));
                    }
                }
            }
        }
        let (mut bodies, mut bytes, mut oldest) = (Vec::new(), 0, u64::MAX);
        while bytes < self.parameters.batch_bytes_max && bodies.len() < self.parameters.batch_entries_max {
            let Some((id, pending)) = self.pool.next(&heads) else { break };
            heads.insert(id.gateway, (id.incarnation, id.number));
            bytes += self.pool.get(&pending.digest).map_or(0, |signed| signed.body.size());
            oldest = oldest.min(pending.arrived);
            bodies.push(pending.digest);
        }
        (bodies, bytes, oldest)
    }

    // ---- the backups ----

    pub(super) fn on_pre_prepare(&mut self, from: ReplicaId, proposal: Proposal) -> Result<(), Refusal> {
        let Proposal { vote, batch } = proposal;
        self.hear(&vote);
        if !self.in_view(from, &vote, || Message::PrePrepare(Proposal { vote, batch: batch.clone() }))? {
            return Ok(());
        }
        if let Some(known) = self.slots.get(&vote.seq).and_then(|slot| slot.proposal) {
            if known.digest == vote.digest {
                self.batches.insert(vote.digest, batch);
                self.advance(vote.seq);
                return Err(Refusal::Duplicate);
            }
            if planted::is(Bug::SecondProposalAccepted) {
                self.batches.insert(vote.digest, batch);
                let slot = self.slots.entry(vote.seq).or_default();
                (slot.proposal, slot.voted) = (Some(vote), false);
                self.advance(vote.seq);
                return Ok(());
            }
            self.accuse(known, vote);
            return Err(Refusal::Equivocation);
        }
        if vote.signer == self.id {
            return Err(Refusal::Duplicate);
        }
        let is_off = batch.time.abs_diff(self.now.wall) > self.parameters.time_slack;
        if batch.time == 0 || (is_off && !planted::is(Bug::TimeUnbounded)) {
            return Err(Refusal::TimeOutOfBounds);
        }
        self.observe_pace(vote.seq);
        self.batches.insert(vote.digest, batch);
        self.slots.entry(vote.seq).or_default().proposal = Some(vote);
        self.advance(vote.seq);
        Ok(())
    }

    pub(super) fn on_prepare(&mut self, from: ReplicaId, vote: Vote) -> Result<(), Refusal> {
        self.hear(&vote);
        if !self.in_view(from, &vote, || Message::Prepare(vote))? {
            return Ok(());
        }
        let slot = self.slots.entry(vote.seq).or_default();
        // One vote per replica, whatever it says: the first one counts.
        if let Some(known) = slot.prepares.get(&vote.signer).copied() {
            if known.digest == vote.digest {
                slot.repeated.0 += usize::from(planted::is(Bug::RepeatedPreparesCounted));
                return Err(Refusal::Duplicate);
            }
            self.accuse(known, vote);
            return Err(Refusal::Equivocation);
        }
        slot.prepares.insert(vote.signer, vote);
        self.advance(vote.seq);
        Ok(())
    }

    pub(super) fn on_commit(&mut self, from: ReplicaId, commit: Commit) -> Result<(), Refusal> {
        if commit.epoch != self.members.epoch {
            return Err(Refusal::WrongEpoch);
        }
        if commit.seq <= self.ledger.seq || commit.seq <= self.low || commit.seq > self.high() {
            return Err(Refusal::OutsideWatermarks);
        }
        let slot = self.slots.entry(commit.seq).or_default();
        if slot.commits.get(&from).is_some_and(|known| known.view >= commit.view) {
            slot.repeated.1 += usize::from(planted::is(Bug::RepeatedCommitsCounted));
            return Err(Refusal::Duplicate);
        }
        slot.commits.insert(from, commit);
        self.advance(commit.seq);
        Ok(())
    }

    /// Whether a vote belongs to the view this replica is in, above the low and below the high watermark. Votes for a
    /// later view wait in a bounded buffer of their sender.
    fn in_view(&mut self, from: ReplicaId, vote: &Vote, message: impl FnOnce() -> Message) -> Result<bool, Refusal> {
        if vote.epoch != self.members.epoch {
            return Err(Refusal::WrongEpoch);
        }
        let is_above = vote.seq > self.high() && !planted::is(Bug::WatermarksIgnored);
        if vote.seq <= self.low || is_above {
            return Err(Refusal::OutsideWatermarks);
        }
        if vote.view < self.view {
            return Err(Refusal::Stale);
        }
        if vote.view == self.view && self.active {
            return Ok(true);
        }
        let buffer = self.future.entry(from).or_default();
        if buffer.len() >= self.parameters.future_max && !planted::is(Bug::FutureUnbounded) {
            return Err(Refusal::BufferFull);
        }
        buffer.push_back((from, message()));
        Ok(false)
    }

    /// Looks again at what earlier came too early.
    pub(super) fn replay_future(&mut self) {
        for (from, message) in std::mem::take(&mut self.future).into_values().flatten() {
            if let Err(refusal) = self.dispatch(from, message) {
                self.count(refusal);
            }
        }
    }

    /// Takes a position as far as what is known about it allows.
    pub(super) fn advance(&mut self, seq: SeqNo) {
        self.try_prepare(seq);
        self.try_certify(seq);
        self.try_decide(seq);
    }

    /// Whether no earlier life of this replica can have voted here.
    pub(super) fn may_vote(&self, seq: SeqNo) -> bool {
        (self.members.epoch, self.view, seq) > self.mute || planted::is(Bug::VotesAfterRestart)
    }

    fn try_prepare(&mut self, seq: SeqNo) {
        let Some(slot) = self.slots.get(&seq) else { return };
        let Some(proposal) = slot.proposal else { return };
        let is_free = self.active && self.is_voter() && self.probing.is_none() && !slot.voted;
        // Never against an own decision: that would be a proposal no correct NEW-VIEW allows.
        let agrees = slot.decided.is_none_or(|digest| digest == proposal.digest);
        let in_window = seq > self.low && seq <= self.high().min(self.reserved);
        let is_here = self.content(&proposal.digest).is_some() || planted::is(Bug::ContentNotNeeded);
        if !is_free || !agrees || !in_window || !self.may_vote(seq) || !is_here {
            return;
        }
        let is_primary = self.primary() == self.id;
        let vote = self.vote(Kind::Prepare, self.view, seq, proposal.digest);
        let slot = self.slots.entry(seq).or_default();
        slot.voted = true;
        if !is_primary {
            slot.prepares.insert(self.id, vote);
            self.broadcast(Message::Prepare(vote));
        }
    }

    /// With q−1 PREPAREs that match the primary's vote, the certificate is written down. COMMIT waits for the disk.
    fn try_certify(&mut self, seq: SeqNo) {
        let (epoch, view, q) = (self.members.epoch, self.view, self.quorum.q);
        let Some(slot) = self.slots.get(&seq) else { return };
        let Some(proposal) = slot.proposal.filter(|_| self.active) else { return };
        let (found, needed) = match planted::is(Bug::CertifiesTooEarly) {
            true => (slot.matching().count(), (q - 1).saturating_sub(1)),
            false => (slot.matching().count() + slot.repeated.0, q - 1),
        };
        if slot.is_prepared_in(epoch, view) || found < needed {
            return;
        }
        let nothing = || planted::is(Bug::ContentNotNeeded).then(|| (Batch::null(), Vec::new()));
        let Some((batch, bodies)) = self.content(&proposal.digest).or_else(nothing) else { return };
        let prepares: Vec<Vote> = slot.matching().take(q - 1).copied().collect();
        let cert = PreparedCert { proposal, prepares };
        let mut records = Vec::new();
        for signed in bodies {
            // A body already written for a later position outlives this one; an earlier one might be truncated first.
            if self.durable_bodies.get(&signed.vote.digest).is_none_or(|at| *at < seq)
                && !planted::is(Bug::BodiesNotWritten)
            {
                self.durable_bodies.insert(signed.vote.digest, seq);
                records.push(Record::Body(Tagged { seq, signed }));
            }
        }
        records.push(Record::Prepared(Prepared { cert: cert.clone(), batch }));
        let slot = self.slots.entry(seq).or_default();
        slot.prepared = Some(cert);
        slot.durable = false;
        self.persist(records, vec![Deferred::Prepared(epoch, view, seq)]);
        if planted::is(Bug::CommitBeforeSync) {
            self.prepared_durable(epoch, view, seq);
        }
    }

    /// The certificate is on disk: now others may rely on it.
    pub(super) fn prepared_durable(&mut self, epoch: Epoch, view: View, seq: SeqNo) {
        let Some(slot) = self.slots.get_mut(&seq) else { return };
        if !slot.is_prepared_in(epoch, view) {
            return;
        }
        slot.durable = true;
        // Having left the view, the certificate travels in the VIEW-CHANGE instead.
        if self.active && (self.members.epoch, self.view) == (epoch, view) && self.is_voter() {
            self.commit(seq);
        }
    }

    pub(super) fn commit(&mut self, seq: SeqNo) {
        let Some(commit) = self.own_commit(seq) else { return };
        self.slots.entry(seq).or_default().commits.insert(self.id, commit);
        self.broadcast(Message::Commit(commit));
        self.advance(seq);
    }

    /// The COMMIT that this replica stands by in the current view.
    pub(super) fn own_commit(&self, seq: SeqNo) -> Option<Commit> {
        let slot = self.slots.get(&seq)?;
        let (epoch, view) = (self.members.epoch, self.view);
        let cert = slot.prepared.as_ref().filter(|_| slot.durable && slot.is_prepared_in(epoch, view))?;
        Some(Commit { epoch, view, seq, digest: cert.proposal.digest })
    }

    fn try_decide(&mut self, seq: SeqNo) {
        let weak = if planted::is(Bug::WeakQuorumOfOne) { 1 } else { self.quorum.weak() };
        let q = self.quorum.q;
        let Some(slot) = self.slots.get_mut(&seq).filter(|slot| slot.decided.is_none()) else { return };
        if let Some(digest) = slot.verdict(&self.members, q, weak) {
            slot.decided = Some(digest);
            self.execute();
        }
    }

    /// A batch and its bodies, if all are here.
    pub(super) fn content(&self, digest: &Digest) -> Option<(Arc<Batch>, Vec<Arc<SignedBody>>)> {
        let batch = self.batches.get(digest)?;
        let bodies = batch.bodies.iter().map(|digest| self.pool.get(digest).cloned()).collect::<Option<_>>()?;
        Some((batch.clone(), bodies))
    }

    /// A planted bug: the batch with the bodies that happen to be here.
    fn remains(&self, digest: &Digest) -> Option<(Arc<Batch>, Vec<Arc<SignedBody>>)> {
        let batch = self.batches.get(digest).filter(|_| planted::is(Bug::MissingBodiesSkipped))?;
        Some((batch.clone(), batch.bodies.iter().filter_map(|digest| self.pool.get(digest).cloned()).collect()))
    }

    // ---- execution ----

    /// Executes decided positions in order, as far as their content is here.
    pub(super) fn execute(&mut self) {
        while !self.ledger.is_last_of_epoch() {
            let seq = self.ledger.seq.next();
            let mut decided = self.slots.get(&seq).and_then(|slot| slot.decided);
            if planted::is(Bug::ExecutesOverGaps) && decided.is_none() {
                decided = self.slots.range(seq..).find_map(|(_, slot)| slot.decided);
            }
            let Some(digest) = decided else { return };
            let Some((batch, bodies)) = self.content(&digest).or_else(|| self.remains(&digest)) else { return };
            let (header, requests) = self.ledger.execute(&batch, &bodies, &self.genesis);
            self.outputs.push(Output::Execute(header, requests));
            self.executed_at = self.now.monotonic;
            self.executed_in_view += 1;
            if planted::is(Bug::TimerRestartsOnProgress) {
                self.head = None;
            }
            if self.executed_in_view >= self.parameters.backoff_reset {
                self.failures = 0;
            }
            self.pool.settle(&self.ledger);
            if self.ledger.is_checkpoint() {
                self.snapshots.insert(seq, Snapshot { ledger: self.ledger.clone(), manifest: None });
                self.outputs.push(Output::TakeCheckpoint(seq));
            }
            self.settle_stable();
        }
    }

    // ---- bodies ----

    pub(super) fn on_body(&mut self, signed: Arc<SignedBody>) -> Result<(), Refusal> {
        let digest = signed.vote.digest;
        let is_wanted = self.pool.get(&digest).is_none() && self.is_wanted(&digest);
        if is_wanted {
            self.pool.store(signed.clone());
        }
        let room = (self.parameters.bodies_per_gateway_max, self.parameters.bytes_per_gateway_max);
        let verdict = match self.pool.arrive(signed.clone(), &self.ledger, self.now.monotonic, room) {
            Arrival::Accepted => Ok(()),
            _ if is_wanted => Ok(()),
            Arrival::Known => Err(Refusal::Duplicate),
            Arrival::Stale => Err(Refusal::Stale),
            Arrival::Full => Err(Refusal::BufferFull),
            Arrival::Equivocation(other) => {
                self.accuse(other.vote, signed.vote);
                Err(Refusal::Equivocation)
            }
        };
        if verdict.is_ok() {
            self.content_arrived();
        }
        verdict
    }

    pub(super) fn on_batch(&mut self, batch: Arc<Batch>) -> Result<(), Refusal> {
        let digest = batch.digest();
        let is_wanted = self.slots.values().any(|slot| slot.digests().any(|wanted| wanted == digest));
        if !is_wanted || self.batches.contains_key(&digest) {
            return Err(Refusal::Unsolicited);
        }
        self.batches.insert(digest, batch);
        self.content_arrived();
        Ok(())
    }

    /// Whether a batch that is still to be executed names this body; those before had all of theirs.
    fn is_wanted(&self, body: &Digest) -> bool {
        self.slots
            .range(self.ledger.seq.next()..)
            .flat_map(|(_, slot)| slot.digests())
            .any(|digest| self.batches.get(&digest).is_some_and(|batch| batch.bodies.contains(body)))
    }

    /// Something that a position may have waited for is here.
    pub(super) fn content_arrived(&mut self) {
        let (epoch, view, first) = (self.members.epoch, self.view, self.low.min(self.ledger.seq).next());
        let is_open = |slot: &Slot| !slot.voted || !slot.is_prepared_in(epoch, view);
        let open = self.slots.range(first..).filter(|(_, slot)| slot.proposal.is_some() && is_open(slot));
        let open: Vec<SeqNo> = open.map(|(seq, _)| *seq).collect();
        for seq in open {
            self.try_prepare(seq);
            self.try_certify(seq);
        }
        self.execute();
    }

    // ---- the request timer ----

    /// Starts the timer anew whenever the oldest waiting body changes (FIFO, so that no client starves).
    pub(super) fn watch_head(&mut self) {
        let body = self.pool.head(&self.ledger).map(|(id, _)| Head::Body(id));
        let head = body
            .or_else(|| self.unfinished())
            .or_else(|| self.ledger.next.as_ref().map(|next| Head::EpochChange(next.epoch)))
            .or_else(|| self.is_checkpoint_overdue().then(|| Head::Checkpoint(self.ledger.seq.next())));
        match (head, self.head) {
            (None, _) => self.head = None,
            (Some(head), Some((known, _))) if head == known => {}
            (Some(head), _) => {
                self.head = Some((head, self.now.monotonic));
                self.relayed = false;
            }
        }
    }

    /// The next position, if it or a later one was prepared: it has to come to an end even if nobody asks again.
    fn unfinished(&self) -> Option<Head> {
        let next = self.ledger.seq.next();
        let is_open = self.ledger.seq >= self.low && self.slots.range(next..).any(|(_, slot)| slot.prepared.is_some());
        is_open.then_some(Head::Position(next))
    }

    /// Whether an empty batch now would be a checkpoint of what has been executed since the last one.
    fn is_checkpoint_due(&self) -> bool {
        let due = self.ledger.open_since.saturating_add(self.genesis.checkpoint_time);
        !self.ledger.is_checkpoint() && self.now.wall >= due
    }

    /// Whether the checkpoint is so late that it cannot be a matter of clocks: the primary withholds it.
    fn is_checkpoint_overdue(&self) -> bool {
        let patience = self.genesis.checkpoint_time.saturating_add(2 * self.parameters.time_slack);
        !self.ledger.is_checkpoint() && self.now.monotonic.saturating_sub(self.executed_at) >= patience
    }

    /// Measures how long the primary took although it could have proposed earlier.
    fn observe_pace(&mut self, seq: SeqNo) {
        let in_flight = seq.0.saturating_sub(self.ledger.seq.0 + 1);
        let Some((_, pending)) = self.pool.head(&self.ledger) else { return };
        if in_flight == 0 {
            let free_since = pending.arrived.max(self.executed_at).max(self.view_since);
            self.pace.observe(self.now.monotonic.saturating_sub(free_since));
        }
    }
}
