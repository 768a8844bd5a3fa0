//! Starting: from nothing, from one's own disk, or from a disk that has forgotten something.
//!
//! A replica must not vote twice for one place, not even across a crash. What it voted for without syncing lies under
//! its reservation; what an older disk image has forgotten, its peers remember. So at every start a replica asks them
//! for the newest votes of its own that they hold, and says nothing until n−f−1 have answered.

use super::codec::decode;
use super::ledger::Ledger;
use super::message::*;
use super::pace::Pace;
use super::planted::{self, Bug};
use super::pool::Pool;
use super::replica::*;
use super::signed::{Directory, Keys, Kind, Refusal, Vote};
use super::types::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A start that waits for answers.
pub(super) struct Probing {
    answered: BTreeSet<ReplicaId>,
    asked_at: u64,
    /// The newest votes that came back.
    votes: Vec<Vote>,
}

impl Replica {
    /// A replica as its disk describes it; `None` if the genesis is not usable. It does nothing before
    /// [`Input::Start`]. [`Replica::executed`] tells the host which checkpoint of the state machine to continue from.
    pub fn open(
        id: ReplicaId,
        keys: Keys,
        genesis: Arc<Genesis>,
        parameters: Parameters,
        recovered: Recovered,
    ) -> Option<Self> {
        let directory = Directory::new(&genesis)?;
        let ledger = Ledger::genesis(&genesis);
        let members = directory.membership(Epoch(0))?.clone();
        let mut replica = Self {
            id,
            keys,
            parameters,
            directory,
            incarnation: recovered.incarnation,
            now: Now::default(),
            outputs: Vec::new(),
            halted: false,
            quorum: members.quorum(),
            members,
            view: View(0),
            active: true,
            reserved: SeqNo(0),
            reserving: SeqNo(0),
            mute: (Epoch(0), View(0), SeqNo(0)),
            low: SeqNo(0),
            stable: None,
            slots: BTreeMap::new(),
            batches: [(Batch::default().digest(), Batch::null())].into(),
            next_seq: SeqNo(1),
            future: BTreeMap::new(),
            changes: BTreeMap::new(),
            new_view: None,
            view_since: 0,
            change_since: None,
            failures: 0,
            executed_in_view: 0,
            head: None,
            relayed: false,
            pace: Pace::default(),
            snapshots: [(SeqNo(0), Snapshot { ledger: ledger.clone(), manifest: None })].into(),
            ledger,
            pool: Pool::default(),
            checkpoint_votes: BTreeMap::new(),
            epochs: Vec::new(),
            transfer: None,
            repair: None,
            ahead: None,
            executed_at: 0,
            token: 0,
            waiting: BTreeMap::new(),
            durable_bodies: BTreeMap::new(),
            queue: VecDeque::new(),
            next_body: 1,
            resent_at: 0,
            probing: None,
            heard: BTreeMap::new(),
            status_at: 0,
            replied_at: BTreeMap::new(),
            served_at: BTreeMap::new(),
            fetched_at: 0,
            peer: id.0 as usize,
            accused: BTreeMap::new(),
            refusals: BTreeMap::new(),
            genesis,
        };
        replica.replay(recovered.records, recovered.checkpoint);
        Some(replica)
    }

    /// Rebuilds the state from the write-ahead log.
    fn replay(&mut self, records: Vec<Record>, checkpoint: SeqNo) {
        for record in &records {
            if let Record::Epoch(proof) = record
                && self.directory.learn(proof.next.clone())
            {
                self.epochs.push(proof.clone());
            }
        }
        self.replay_ledger(&records, checkpoint);
        let epoch = self.members.epoch;
        for record in records {
            match record {
                Record::Entered(reservation) => self.replay_entered(reservation),
                Record::Leaving(change) if change.vote.epoch == epoch && !planted::is(Bug::LeavingForgotten) => {
                    self.view = change.vote.view;
                    self.active = false;
                    self.changes.insert(self.id, change);
                }
                Record::Body(Tagged { seq, signed }) => {
                    self.durable_bodies.insert(signed.vote.digest, seq);
                    self.pool.store(signed);
                }
                Record::Prepared(Prepared { cert, batch })
                    if cert.proposal.epoch == epoch && !planted::is(Bug::PreparedNotRestored) =>
                {
                    self.batches.insert(cert.proposal.digest, batch);
                    let slot = self.slots.entry(cert.proposal.seq).or_default();
                    slot.prepared = Some(cert);
                    slot.durable = true;
                }
                Record::Stable(cert) if cert.epoch == epoch || cert.seq == self.members.base => {
                    if cert.seq > self.low {
                        self.low = cert.seq;
                        self.stable = Some(cert.clone());
                    }
                    if cert.seq > self.ledger.seq {
                        self.ahead = Some(cert);
                    }
                }
                _ => {}
            }
        }
        self.next_seq = self.low.next();
        self.collect();
    }

    /// The newest ledger whose state the host still has, and the epoch it leads to.
    fn replay_ledger(&mut self, records: &[Record], checkpoint: SeqNo) {
        let mut certs: BTreeMap<SeqNo, Arc<CheckpointCert>> = BTreeMap::new();
        for record in records {
            if let Record::Stable(cert) = record {
                certs.insert(cert.seq, cert.clone());
            }
            if let Record::Snapshot(manifest) = record
                && manifest.seq <= checkpoint
                && let Ok(ledger) = decode::<Ledger>(&manifest.ledger.0)
            {
                if ledger.seq >= self.ledger.seq {
                    self.ledger = ledger.clone();
                    if planted::is(Bug::TablesNotRestored) {
                        self.ledger.clients.clear();
                    }
                }
                self.snapshots.insert(manifest.seq, Snapshot { ledger, manifest: Some(manifest.clone()) });
            }
        }
        // The snapshot at the end of an epoch was taken before the handover; the proof says it happened.
        let handover =
            |ledger: &Ledger, proof: &Arc<EpochProof>| proof.cert.seq == ledger.seq && ledger.is_last_of_epoch();
        if let Some(proof) = self.epochs.iter().find(|proof| handover(&self.ledger, proof)).cloned() {
            self.low = proof.cert.seq;
            self.stable = Some(Arc::new(proof.cert.clone()));
            self.ledger.switch();
        }
        self.members = Arc::new(self.ledger.members.clone());
        self.quorum = self.members.quorum();
    }

    fn replay_entered(&mut self, reservation: Reservation) {
        let Reservation { epoch, view, upto } = reservation;
        if !planted::is(Bug::ReservationIgnored) {
            self.mute = self.mute.max((epoch, view, upto));
        }
        if epoch == self.members.epoch {
            self.view = view;
            self.active = true;
            self.changes.remove(&self.id);
        }
    }

    /// The first step.
    pub(super) fn start(&mut self) {
        let now = self.now.monotonic;
        (self.view_since, self.executed_at, self.status_at) = (now, now, now);
        self.probing = Some(Probing { answered: BTreeSet::new(), asked_at: now, votes: Vec::new() });
        self.broadcast(Message::Probe(Probe { incarnation: self.incarnation }));
        // The end of an epoch may have reached the disk without the handover. Nothing was said in the next one then: its
        // reservation is written after the handover.
        self.hand_over();
        self.try_wake();
    }

    pub(super) fn tick_probe(&mut self) {
        let now = self.now.monotonic;
        let Some(probing) = &mut self.probing else { return };
        if now.saturating_sub(probing.asked_at) >= self.parameters.status_interval {
            probing.asked_at = now;
            self.broadcast(Message::Probe(Probe { incarnation: self.incarnation }));
        }
    }

    pub(super) fn on_probe(&mut self, from: ReplicaId, probe: Probe) -> Result<(), Refusal> {
        let votes = self.heard.get(&from).into_iter().flatten().flatten().copied().collect();
        self.send(from, Message::ProbeReply(ProbeReply { incarnation: probe.incarnation, votes }));
        Ok(())
    }

    pub(super) fn on_probe_reply(&mut self, from: ReplicaId, reply: ProbeReply) -> Result<(), Refusal> {
        if reply.incarnation != self.incarnation || reply.votes.iter().any(|vote| vote.signer != self.id) {
            return Err(Refusal::Unsolicited);
        }
        let probing = self.probing.as_mut().ok_or(Refusal::Unsolicited)?;
        if probing.answered.insert(from) {
            probing.votes.extend(reply.votes);
        }
        self.try_wake();
        Ok(())
    }

    /// Enough have answered: from now on the replica speaks.
    fn try_wake(&mut self) {
        let Some(probing) = &self.probing else { return };
        let others = self.quorum.n - usize::from(self.is_voter());
        let enough = if planted::is(Bug::NoProbe) { 0 } else { others.saturating_sub(self.quorum.f) };
        if probing.answered.iter().filter(|id| self.members.is_voter(**id)).count() < enough {
            return;
        }
        let Some(probing) = self.probing.take() else { return };
        for vote in &probing.votes {
            let said = match vote.kind {
                // Having asked for a view is having left all before it.
                Kind::ViewChange => (vote.epoch, vote.view, SeqNo(0)),
                _ => (vote.epoch, vote.view, vote.seq),
            };
            self.mute = self.mute.max(said);
        }
        self.vote_again();
        self.wake();
    }

    /// Checkpoints on disk whose votes may never have left: without them a restarted quorum could not move its window.
    fn vote_again(&mut self) {
        let epoch = self.members.epoch;
        let own: Vec<(SeqNo, CheckpointContent)> = self
            .snapshots
            .range(self.low.next()..)
            .filter(|(_, snapshot)| snapshot.ledger.members.epoch == epoch)
            .filter_map(|(seq, snapshot)| {
                let manifest = snapshot.manifest.as_ref()?;
                Some((*seq, snapshot.ledger.content(Chunk::root(&manifest.chunks))))
            })
            .collect();
        if planted::is(Bug::CheckpointVoteNotRepeated) {
            return;
        }
        for (seq, content) in own {
            let vote = self.vote(Kind::Checkpoint, View(0), seq, content.digest());
            self.checkpoint_durable(CheckpointVote { vote, content });
        }
    }

    fn wake(&mut self) {
        let (epoch, view, _) = self.mute;
        if epoch == self.members.epoch && view > self.view {
            // The disk has forgotten views: go on from the newest one, waiting for others to open it.
            self.view = view;
            self.active = false;
            self.changes.remove(&self.id);
        }
        if !self.active {
            // Without the VIEW-CHANGE of an earlier life this replica waits in silence for NEW-VIEW, or for the next view.
            if let Some(change) = self.changes.get(&self.id).cloned() {
                self.broadcast(Message::ViewChange(change));
                // Alone, or the last to start, it may have all it takes already.
                self.count_changes();
            }
            return;
        }
        let reservation = self.reserve();
        self.persist(vec![Record::Entered(reservation)], vec![Deferred::Reserved(reservation)]);
        let has_voted = self.mute != (Epoch(0), View(0), SeqNo(0));
        if has_voted && self.primary() == self.id {
            // A restarted primary cannot know what it has proposed: it abdicates.
            self.leave_for(self.view.next());
        }
        self.content_arrived();
    }
}
