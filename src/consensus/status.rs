//! Retransmission, driven by the receiver: everybody says now and then where it stands, and whoever hears that and has
//! what is missing sends it. No message is therefore sent again on the sender's guess, and any loss heals.

use super::message::*;
use super::planted::{self, Bug};
use super::replica::{Replica, Snapshot};
use super::signed::{FETCH_MAX, Kind, Refusal, Vote};
use super::types::*;
use std::sync::Arc;

/// Positions that one STATUS is answered for.
const POSITIONS_MAX: usize = 16;

/// Bodies worth so many bytes answer one FETCH; the rest is asked for again.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Epochs that one STATUS is answered with.
const EPOCHS_MAX: usize = 4;

impl Replica {
    pub(super) fn tick_status(&mut self) {
        let is_busy = self.head.is_some() || !self.active || self.ahead.is_some() || self.has_open_positions();
        let interval = self.parameters.status_interval * if is_busy { 1 } else { 10 };
        if self.now.monotonic.saturating_sub(self.status_at) < interval || self.probing.is_some() {
            return;
        }
        if planted::is(Bug::NoRetransmission) {
            return;
        }
        self.status_at = self.now.monotonic;
        self.broadcast(Message::Status(Status {
            epoch: self.members.epoch,
            known: self.directory.latest(),
            view: self.view,
            active: self.active,
            stable: self.low,
            executed: self.ledger.seq,
        }));
    }

    fn has_open_positions(&self) -> bool {
        let last_checkpoint = self.snapshots.keys().next_back().copied().unwrap_or_default();
        self.slots.range(self.ledger.seq.next()..).next().is_some() || last_checkpoint > self.low
    }

    pub(super) fn on_status(&mut self, from: ReplicaId, status: Status) -> Result<(), Refusal> {
        // Answers are larger than questions, so each peer gets few.
        let now = self.now.monotonic;
        let quota = self.parameters.status_interval / 2;
        if self.replied_at.get(&from).is_some_and(|at| now.saturating_sub(*at) < quota) || self.probing.is_some() {
            return Err(Refusal::BufferFull);
        }
        self.replied_at.insert(from, now);
        // The chain of memberships comes link by link; each makes the next one verifiable.
        let first = usize::try_from(status.known.0).unwrap_or(usize::MAX);
        let chain: Vec<_> = self.epochs.iter().skip(first).take(EPOCHS_MAX).cloned().collect();
        chain.into_iter().for_each(|proof| self.send(from, Message::Epoch(proof)));
        if status.stable < self.low
            && let Some(cert) = self.stable.clone()
        {
            self.send(from, Message::Stable(cert));
        }
        self.send_decided(from, status.executed);
        if status.executed > self.ledger.seq || status.known > self.members.epoch {
            // The peer is ahead: say so at the next tick, even if this replica believed itself idle.
            self.status_at = self.status_at.min(now.saturating_sub(10 * self.parameters.status_interval));
        }
        if status.epoch == self.members.epoch {
            self.send_view(from, &status);
            self.send_votes(from, &status);
            self.send_checkpoints(from, &status);
        }
        Ok(())
    }

    /// Decisions that the peer has not executed.
    fn send_decided(&mut self, to: ReplicaId, executed: SeqNo) {
        if executed >= self.ledger.seq || !self.is_voter() {
            return;
        }
        let decided: Vec<Committed> = self
            .slots
            .range(executed.next()..=self.ledger.seq)
            .filter_map(|(seq, slot)| Some(Committed { seq: *seq, batch: self.batches.get(&slot.decided?)?.clone() }))
            .take(POSITIONS_MAX)
            .collect();
        // With a gap at the start the peer cannot use them; it needs the checkpoint.
        if decided.first().is_some_and(|first| first.seq == executed.next()) {
            decided.into_iter().for_each(|committed| self.send(to, Message::Committed(committed)));
        }
    }

    /// The peer is in an earlier view, or waits for this one to begin.
    fn send_view(&mut self, to: ReplicaId, status: &Status) {
        let is_behind = status.view < self.view || (status.view == self.view && !status.active);
        if !is_behind {
            return;
        }
        // An own NEW-VIEW is said only once having entered the view is durable: after a crash it might be another one.
        let is_durable = self.reserved > SeqNo(0) || planted::is(Bug::NewViewBeforeSync);
        let new = self.new_view.clone().filter(|new| self.active && (is_durable || new.vote.signer != self.id));
        if let Some(new) = new {
            self.send(to, Message::NewView(new));
        }
        if let Some(change) = self.changes.get(&self.id).cloned() {
            self.send(to, Message::ViewChange(change));
        }
    }

    /// This replica's votes in the view both are in.
    fn send_votes(&mut self, to: ReplicaId, status: &Status) {
        if !self.active || !status.active || status.view != self.view {
            return;
        }
        let from = status.executed.max(status.stable).next();
        let open: Vec<SeqNo> = self.slots.range(from..).map(|(seq, _)| *seq).take(POSITIONS_MAX).collect();
        for seq in open {
            let slot = &self.slots[&seq];
            let proposal = slot.proposal;
            let prepare = slot.prepares.get(&self.id).copied();
            let batch = proposal.and_then(|vote| self.batches.get(&vote.digest).cloned());
            if let (Some(vote), Some(batch)) = (proposal, batch)
                && vote.signer == self.id
                && (seq <= self.reserved || planted::is(Bug::NewViewBeforeSync))
            {
                self.send(to, Message::PrePrepare(Proposal { vote, batch }));
            }
            prepare.into_iter().for_each(|vote| self.send(to, Message::Prepare(vote)));
            self.own_commit(seq).into_iter().for_each(|commit| self.send(to, Message::Commit(commit)));
        }
    }

    /// This replica's checkpoint votes above the peer's stable checkpoint.
    fn send_checkpoints(&mut self, to: ReplicaId, status: &Status) {
        let own: Vec<CheckpointVote> = self
            .checkpoint_votes
            .values()
            .filter(|checkpoint| checkpoint.vote.signer == self.id && checkpoint.vote.seq > status.stable)
            .copied()
            .collect();
        own.into_iter().for_each(|checkpoint| self.send(to, Message::Checkpoint(Arc::new(checkpoint))));
    }

    pub(super) fn on_committed(&mut self, from: ReplicaId, committed: Committed) -> Result<(), Refusal> {
        let window = self.genesis.watermark_window;
        if committed.seq <= self.ledger.seq || committed.seq > self.high().min(self.ledger.seq.plus(window)) {
            return Err(Refusal::OutsideWatermarks);
        }
        if !self.members.is_voter(from) {
            return Err(Refusal::NotAVoter);
        }
        // The batch is kept only once somebody correct stands behind it.
        let digest = committed.batch.digest();
        self.slots.entry(committed.seq).or_default().claims.insert(from, digest);
        self.advance(committed.seq);
        if self.slots.get(&committed.seq).is_some_and(|slot| slot.decided == Some(digest)) {
            self.batches.insert(digest, committed.batch);
        }
        self.execute();
        Ok(())
    }

    // ---- content by digest ----

    /// Asks a peer for batches and bodies that open positions lack.
    pub(super) fn tick_fetch(&mut self) {
        let interval = self.parameters.status_interval / 2;
        if self.now.monotonic.saturating_sub(self.fetched_at) < interval {
            return;
        }
        self.fetched_at = self.now.monotonic;
        let mut fetch = Fetch::default();
        for (_, slot) in self.slots.range(self.ledger.seq.min(self.low).next()..) {
            for digest in slot.digests() {
                match self.batches.get(&digest) {
                    None => fetch.batches.push(digest),
                    Some(batch) => {
                        fetch.bodies.extend(batch.bodies.iter().filter(|body| self.pool.get(body).is_none()));
                    }
                }
            }
        }
        fetch.batches.truncate(FETCH_MAX / 2);
        fetch.bodies.truncate(FETCH_MAX / 2);
        if fetch != Fetch::default()
            && let Some(peer) = self.some_peer()
        {
            self.send(peer, Message::Fetch(fetch));
        }
    }

    pub(super) fn on_fetch(&mut self, from: ReplicaId, fetch: Fetch) -> Result<(), Refusal> {
        // A small question with a large answer: each peer gets as many as a correct one asks for, and so much at once.
        let (now, quota) = (self.now.monotonic, self.parameters.status_interval / 4);
        if self.served_at.get(&from).is_some_and(|at| now.saturating_sub(*at) < quota) {
            return Err(Refusal::BufferFull);
        }
        self.served_at.insert(from, now);
        let batches: Vec<Arc<Batch>> =
            fetch.batches.iter().filter_map(|digest| self.batches.get(digest).cloned()).collect();
        let bodies: Vec<Arc<SignedBody>> =
            fetch.bodies.iter().filter_map(|digest| self.pool.get(digest).cloned()).collect();
        let mut sent = 0;
        let bodies = bodies.into_iter().take_while(|signed| {
            let fits = sent < ANSWER_BYTES_MAX;
            sent += signed.body.size();
            fits
        });
        let bodies: Vec<Arc<SignedBody>> = bodies.collect();
        batches.into_iter().for_each(|batch| self.send(from, Message::Batch(batch)));
        bodies.into_iter().for_each(|signed| self.send(from, Message::Body(signed)));
        Ok(())
    }

    /// Remembers the latest thing each member has signed, for when it asks after a restart.
    pub(super) fn hear(&mut self, vote: &Vote) {
        let place = usize::from(vote.kind == Kind::ViewChange);
        let heard = &mut self.heard.entry(vote.signer).or_default()[place];
        let order = |vote: &Vote| (vote.epoch, vote.view, vote.seq);
        if heard.is_none_or(|known| order(&known) < order(vote)) {
            *heard = Some(*vote);
        }
    }

    /// Checkpoints that this replica could serve.
    pub fn checkpoints(&self) -> impl Iterator<Item = SeqNo> + '_ {
        let is_served = |snapshot: &Snapshot| snapshot.manifest.is_some();
        self.snapshots.iter().filter(move |(_, snapshot)| is_served(snapshot)).map(|(seq, _)| *seq)
    }
}
