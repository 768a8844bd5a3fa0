//! The replica: its state, what goes in, what comes out, and the order of work within a step.

use super::codec::{Bytes, codec_enum, codec_struct};
use super::evidence::Evidence;
use super::ledger::Ledger;
use super::log::Slot;
use super::message::*;
use super::planted::{self, Bug};
use super::pool::Pool;
use super::quorum::Quorum;
use super::recovery::Probing;
use super::scrub::Repair;
use super::signed::{Directory, Keys, Kind, Refusal, Signature, Verified, Vote, verify_all};
use super::transfer::Transfer;
use super::types::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What happens to a replica.
// A message is large, but an input lives only as long as its step; a box would cost an allocation each.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug)]
pub enum Input {
    /// The first step after [`Replica::open`].
    Start,
    /// Time has passed; at least every few milliseconds.
    Tick,
    /// A message from another node.
    Message(Verified<Message>),
    /// A request of a client connected to this node.
    Submit(Request),
    /// Everything persisted up to and including this token is durable.
    Persisted(u64),
    /// The state machine's state after a position is durable; digests of its chunks.
    CheckpointTaken(SeqNo, Vec<Digest>),
    /// The staged state has replaced the state machine's.
    StateInstalled(SeqNo),
    /// A checkpoint was read again; digests of its chunks as they are now.
    Scrubbed(SeqNo, Vec<Digest>),
}

/// What the host must do, in this order.
#[derive(Clone, Debug)]
pub enum Output {
    /// To one node.
    Send(ReplicaId, Message),
    /// To all [`Replica::peers`], learners included.
    Broadcast(Message),
    /// Append to the write-ahead log and sync, then answer [`Input::Persisted`]. The host may go on with other outputs
    /// and sync several at once; what must wait for the disk comes out of the core only after the answer.
    Persist(u64, Vec<Record>),
    /// Apply to the state machine.
    Execute(Header, Vec<(ReplicaId, Request)>),
    /// Make the state after this position (the last executed) durable, then answer [`Input::CheckpointTaken`].
    TakeCheckpoint(SeqNo),
    /// Write-ahead records and checkpoints of positions below are no longer needed.
    Truncate(SeqNo),
    /// Send a [`Message::Chunk`] of the checkpoint to the node.
    ServeChunk(ReplicaId, SeqNo, u32),
    /// Keep a verified chunk of a state to be installed.
    StageChunk(SeqNo, u32, Bytes),
    /// Replace the state machine's state by these chunks, staged before, durably; then answer [`Input::StateInstalled`].
    InstallState(SeqNo, Vec<Digest>),
    /// Put this verified chunk in the place of a rotten one of the checkpoint.
    RepairChunk(SeqNo, u32, Bytes),
    /// A client's request was not accepted: too many are waiting.
    Refused(ClientId, u64),
    /// Somebody broke the protocol and signed it.
    Accuse(Box<Evidence>),
    /// A view or epoch has begun here.
    Entered(Epoch, View),
    /// This replica computed another state than a quorum: it has stopped, its state must be rebuilt.
    Halt(SeqNo),
}

/// An entry of the write-ahead log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A view was entered; PREPARE and PRE-PREPARE may be sent in it up to a position.
    Entered(Reservation),
    /// The replica has left its view for the one in here.
    Leaving(Arc<ViewChange>),
    /// A body that a later `Prepared` refers to.
    Body(Tagged),
    /// A batch was prepared.
    Prepared(Prepared),
    /// The ledger at a checkpoint of this replica, and the manifest of the state.
    Snapshot(Arc<Manifest>),
    /// A stable checkpoint.
    Stable(Arc<CheckpointCert>),
    /// An epoch handed over to the next.
    Epoch(Arc<EpochProof>),
}
codec_enum!(Record {
    1 => Entered, 2 => Leaving, 3 => Body, 4 => Prepared, 5 => Snapshot, 6 => Stable, 7 => Epoch,
});

/// Permission to vote, given to oneself in advance: the one durable write that replaces one per vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The epoch.
    pub epoch: Epoch,
    /// The view.
    pub view: View,
    /// The last position.
    pub upto: SeqNo,
}
codec_struct!(Reservation { epoch, view, upto });

/// A body and the position that needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// The position.
    pub seq: SeqNo,
    /// The body.
    pub signed: Arc<SignedBody>,
}
codec_struct!(Tagged { seq, signed });

/// A prepared batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The proof.
    pub cert: PreparedCert,
    /// The content.
    pub batch: Arc<Batch>,
}
codec_struct!(Prepared { cert, batch });

impl Record {
    /// The position after whose truncation the record is of no use; `None` for records that are always kept (of
    /// `Entered` and `Leaving` only the last one matters).
    pub fn seq(&self) -> Option<SeqNo> {
        match self {
            Self::Body(tagged) => Some(tagged.seq),
            Self::Prepared(prepared) => Some(prepared.cert.proposal.seq),
            Self::Snapshot(manifest) => Some(manifest.seq),
            Self::Stable(cert) => Some(cert.seq),
            Self::Entered(_) | Self::Leaving(_) | Self::Epoch(_) => None,
        }
    }
}

/// What a host hands to a replica that starts.
pub struct Recovered {
    /// The write-ahead log.
    pub records: Vec<Record>,
    /// The newest durable checkpoint of the state machine. If the replica starts from an older one
    /// (see [`Replica::executed`]), the host goes back to that one or ignores what it has applied already.
    pub checkpoint: SeqNo,
    /// Greater than at any start before, for instance the wall clock.
    pub incarnation: u64,
}

/// What waits for the disk.
pub(super) enum Deferred {
    Prepared(Epoch, View, SeqNo),
    Reserved(Reservation),
    Broadcast(Message),
    Change(Arc<ViewChange>),
    Checkpoint(CheckpointVote),
    Truncate(SeqNo),
}

/// A member of the cluster, as a value.
pub struct Replica {
    pub(super) id: ReplicaId,
    pub(super) keys: Keys,
    pub(super) genesis: Arc<Genesis>,
    pub(super) parameters: Parameters,
    pub(super) directory: Directory,
    pub(super) incarnation: u64,
    pub(super) now: Now,
    pub(super) outputs: Vec<Output>,
    pub(super) halted: bool,
    // Agreement.
    pub(super) members: Arc<Membership>,
    pub(super) quorum: Quorum,
    pub(super) view: View,
    pub(super) active: bool,
    /// Positions up to here may be voted on in this view: the reservation is durable.
    pub(super) reserved: SeqNo,
    pub(super) reserving: SeqNo,
    /// In views before this one, and in this one up to this position, an earlier life may have voted.
    pub(super) mute: (Epoch, View, SeqNo),
    pub(super) low: SeqNo,
    pub(super) stable: Option<Arc<CheckpointCert>>,
    pub(super) slots: BTreeMap<SeqNo, Slot>,
    pub(super) batches: BTreeMap<Digest, Arc<Batch>>,
    pub(super) next_seq: SeqNo,
    pub(super) future: BTreeMap<ReplicaId, VecDeque<(ReplicaId, Message)>>,
    // View change.
    pub(super) changes: BTreeMap<ReplicaId, Arc<ViewChange>>,
    pub(super) new_view: Option<Arc<NewView>>,
    pub(super) view_since: u64,
    /// When a quorum had left the view before; the view timer runs from then.
    pub(super) change_since: Option<u64>,
    pub(super) failures: u32,
    pub(super) executed_in_view: u64,
    pub(super) head: Option<(Head, u64)>,
    pub(super) relayed: bool,
    pub(super) pace: super::pace::Pace,
    // Execution and checkpoints.
    pub(super) ledger: Ledger,
    pub(super) pool: Pool,
    pub(super) snapshots: BTreeMap<SeqNo, Snapshot>,
    pub(super) checkpoint_votes: BTreeMap<(SeqNo, ReplicaId), CheckpointVote>,
    pub(super) epochs: Vec<Arc<EpochProof>>,
    pub(super) transfer: Option<Transfer>,
    pub(super) repair: Option<Repair>,
    /// The newest certificate seen of a position not yet executed here, perhaps of a later epoch.
    pub(super) ahead: Option<Arc<CheckpointCert>>,
    pub(super) executed_at: u64,
    // Durability.
    pub(super) token: u64,
    pub(super) waiting: BTreeMap<u64, Vec<Deferred>>,
    pub(super) durable_bodies: BTreeMap<Digest, SeqNo>,
    // Gateway.
    pub(super) queue: VecDeque<Request>,
    pub(super) next_body: u64,
    pub(super) resent_at: u64,
    // Housekeeping.
    pub(super) probing: Option<Probing>,
    pub(super) heard: BTreeMap<ReplicaId, [Option<Vote>; 2]>,
    pub(super) status_at: u64,
    pub(super) replied_at: BTreeMap<ReplicaId, u64>,
    pub(super) served_at: BTreeMap<ReplicaId, u64>,
    pub(super) fetched_at: u64,
    pub(super) peer: usize,
    pub(super) accused: BTreeMap<ReplicaId, ()>,
    pub(super) refusals: BTreeMap<Refusal, u64>,
}

/// What the request timer waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    Body(BodyId),
    /// A position that was prepared but not executed, perhaps acknowledged before everybody lost power.
    Position(SeqNo),
    EpochChange(Epoch),
    /// A checkpoint by time; its position.
    Checkpoint(SeqNo),
}

/// How much a replica holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Positions of the log.
    pub positions: usize,
    /// Bodies, waiting or named by a batch.
    pub bodies: usize,
    /// Bodies that wait, of the gateway with most.
    pub waiting: usize,
    /// Batches.
    pub batches: usize,
    /// Messages for later views, of the peer with most.
    pub early: usize,
    /// Votes for checkpoints and views.
    pub votes: usize,
    /// Own checkpoints.
    pub snapshots: usize,
}

/// A checkpoint of this replica.
pub(super) struct Snapshot {
    pub(super) ledger: Ledger,
    /// Known once the host has taken the checkpoint.
    pub(super) manifest: Option<Arc<Manifest>>,
}

impl Replica {
    /// One step: the only way anything happens to a replica.
    pub fn step(&mut self, now: Now, input: Input) -> Vec<Output> {
        self.now = now;
        if self.halted {
            return Vec::new();
        }
        match input {
            Input::Start => self.start(),
            Input::Tick => self.tick(),
            Input::Message(message) => self.receive(message),
            Input::Submit(request) => self.submit(request),
            Input::Persisted(token) => self.persisted(token),
            Input::CheckpointTaken(seq, chunks) => self.checkpoint_taken(seq, chunks),
            Input::StateInstalled(seq) => self.state_installed(seq),
            Input::Scrubbed(seq, chunks) => self.scrubbed(seq, &chunks),
        }
        self.flush_queue();
        self.propose();
        self.watch_head();
        std::mem::take(&mut self.outputs)
    }

    /// Steps through messages that have gathered: those worth it are verified as one sum. PREPAREs beyond what a
    /// certificate still lacks are looked at last, when most of them are no news any more.
    pub fn receive_all(&mut self, now: Now, messages: Vec<(ReplicaId, Message)>) -> Vec<Output> {
        let (mut outputs, mut waiting) = (Vec::new(), messages);
        while !waiting.is_empty() {
            let (mut first, mut spare) = (Vec::new(), Vec::new());
            let mut lacking: BTreeMap<(View, SeqNo), usize> = BTreeMap::new();
            for (from, message) in waiting {
                if !self.is_news(from, &message) {
                    continue;
                }
                let is_spare = match &message {
                    Message::Prepare(vote) => {
                        let place = (vote.view, vote.seq);
                        let left = lacking.entry(place).or_insert_with(|| self.lacks(vote.seq));
                        let is_spare = *left == 0;
                        *left = left.saturating_sub(1);
                        is_spare
                    }
                    _ => false,
                };
                if is_spare { &mut spare } else { &mut first }.push((from, message));
            }
            for checked in verify_all(&self.directory, first) {
                match checked {
                    Ok(message) => outputs.extend(self.step(now, Input::Message(message))),
                    Err(refusal) => self.count(refusal),
                }
            }
            waiting = spare;
        }
        outputs
    }

    /// How many PREPAREs of others a position still needs, at least one.
    fn lacks(&self, seq: SeqNo) -> usize {
        let slot = self.slots.get(&seq);
        let others = slot.map_or(0, |slot| slot.prepares.keys().filter(|id| **id != self.id).count());
        // The primary's proposal is none, and a backup's own will come.
        let needed = self.quorum.q - 1 - usize::from(self.primary() != self.id && self.is_voter());
        needed.saturating_sub(others).max(1)
    }

    /// Whether a message that has arrived is worth the price of verifying it; if not, it is counted and may be dropped.
    /// A PREPARE for a batch that has its certificate, a body that is here, a checkpoint that is stable change nothing.
    pub fn is_news(&mut self, from: ReplicaId, message: &Message) -> bool {
        let is_known = match message {
            Message::Prepare(vote) if vote.epoch == self.members.epoch && vote.signer == from => {
                let slot = self.slots.get(&vote.seq).filter(|slot| slot.is_prepared_in(vote.epoch, vote.view));
                let cert = slot.and_then(|slot| slot.prepared.as_ref());
                let is_known = cert.is_some_and(|cert| cert.proposal.digest == vote.digest);
                if is_known {
                    // Unverified, but from the signer itself: it would only deceive itself when it asks for it.
                    self.hear(vote);
                }
                is_known
            }
            Message::Body(signed) => {
                let known = self.pool.pending.get(&signed.body.id());
                known.is_some_and(|known| known.digest == signed.vote.digest)
            }
            Message::Checkpoint(checkpoint) => {
                checkpoint.vote.epoch == self.members.epoch && checkpoint.vote.seq <= self.low
            }
            _ => false,
        };
        if is_known {
            self.count(Refusal::Duplicate);
        }
        !is_known
    }

    fn receive(&mut self, message: Verified<Message>) {
        let (from, message) = message.into_parts();
        if let Err(refusal) = self.dispatch(from, message) {
            self.count(refusal);
        }
    }

    pub(super) fn dispatch(&mut self, from: ReplicaId, message: Message) -> Result<(), Refusal> {
        match message {
            Message::PrePrepare(proposal) => self.on_pre_prepare(from, proposal),
            Message::Prepare(vote) => self.on_prepare(from, vote),
            Message::Commit(commit) => self.on_commit(from, commit),
            Message::Checkpoint(checkpoint) => self.on_checkpoint(*checkpoint),
            Message::ViewChange(change) => self.on_view_change(change),
            Message::NewView(new) => self.on_new_view(new),
            Message::Body(signed) => self.on_body(signed),
            Message::Batch(batch) => self.on_batch(batch),
            Message::Fetch(fetch) => self.on_fetch(from, fetch),
            Message::Status(status) => self.on_status(from, status),
            Message::Committed(committed) => self.on_committed(from, committed),
            Message::Stable(cert) => self.on_stable(cert),
            Message::Epoch(proof) => self.on_epoch(proof),
            Message::StateRequest(request) => self.on_state_request(from, request),
            Message::Manifest(manifest) => self.on_manifest(from, manifest),
            Message::Chunk(chunk) => self.on_chunk(from, chunk),
            Message::Probe(probe) => self.on_probe(from, probe),
            Message::ProbeReply(reply) => self.on_probe_reply(from, reply),
        }
    }

    fn tick(&mut self) {
        self.tick_probe();
        self.tick_view();
        self.tick_gateway();
        self.tick_fetch();
        self.tick_transfer();
        self.tick_repair();
        self.tick_status();
    }

    fn persisted(&mut self, token: u64) {
        let later = self.waiting.split_off(&(token + 1));
        let done = std::mem::replace(&mut self.waiting, later);
        for deferred in done.into_values().flatten() {
            match deferred {
                Deferred::Prepared(epoch, view, seq) => self.prepared_durable(epoch, view, seq),
                Deferred::Reserved(reservation) => self.reservation_durable(reservation),
                Deferred::Broadcast(message) => self.outputs.push(Output::Broadcast(message)),
                Deferred::Change(change) => self.change_durable(change),
                Deferred::Checkpoint(vote) => self.checkpoint_durable(vote),
                Deferred::Truncate(seq) => self.outputs.push(Output::Truncate(seq)),
            }
        }
    }

    /// Writes records; `then` happens when they are durable.
    pub(super) fn persist(&mut self, records: Vec<Record>, then: Vec<Deferred>) {
        self.token += 1;
        self.outputs.push(Output::Persist(self.token, records));
        self.waiting.insert(self.token, then);
    }

    pub(super) fn count(&mut self, refusal: Refusal) {
        *self.refusals.entry(refusal).or_default() += 1;
    }

    /// Counts a message that the host could not verify.
    pub fn refused(&mut self, refusal: Refusal) {
        self.count(refusal);
    }

    pub(super) fn broadcast(&mut self, message: Message) {
        self.outputs.push(Output::Broadcast(message));
    }

    pub(super) fn send(&mut self, to: ReplicaId, message: Message) {
        if to != self.id {
            self.outputs.push(Output::Send(to, message));
        }
    }

    pub(super) fn vote(&self, kind: Kind, view: View, seq: SeqNo, digest: Digest) -> Vote {
        let (epoch, signer) = (self.members.epoch, self.id);
        let vote = Vote { kind, epoch, view, seq, digest, signer, signature: Signature([0; 64]) };
        self.keys.sign(&self.directory.cluster, vote)
    }

    pub(super) fn primary(&self) -> ReplicaId {
        self.members.primary(self.view)
    }

    pub(super) fn is_primary(&self) -> bool {
        self.active && self.primary() == self.id
    }

    pub(super) fn is_voter(&self) -> bool {
        self.members.is_voter(self.id)
    }

    /// The highest position that may be voted on.
    pub(super) fn high(&self) -> SeqNo {
        let high = self.low.plus(self.genesis.watermark_window);
        let next = self.ledger.next.as_ref().filter(|_| !planted::is(Bug::EpochNotDrained));
        next.map_or(high, |next| high.min(next.base))
    }

    /// Another member, a different one with each call.
    pub(super) fn some_peer(&mut self) -> Option<ReplicaId> {
        let peers = self.peers();
        self.peer = self.peer.wrapping_add(1);
        (!peers.is_empty()).then(|| peers[self.peer % peers.len()])
    }

    /// Whom a broadcast goes to: the members, and while catching up those of the newest epoch known.
    pub fn peers(&self) -> Vec<ReplicaId> {
        let newest = self.directory.membership(self.directory.latest());
        let newest = newest.filter(|newest| newest.epoch != self.members.epoch);
        if newest.is_none() {
            return self.members.members.iter().map(|member| member.id).filter(|id| *id != self.id).collect();
        }
        let members = self.members.members.iter().chain(newest.iter().flat_map(|newest| &newest.members));
        let ids: BTreeSet<ReplicaId> = members.map(|member| member.id).filter(|id| *id != self.id).collect();
        ids.into_iter().collect()
    }

    /// This node's number.
    pub fn id(&self) -> ReplicaId {
        self.id
    }
    /// What messages to this replica are verified against; take a fresh copy when [`Output::Entered`] names an epoch.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }
    /// The last executed position.
    pub fn executed(&self) -> SeqNo {
        self.ledger.seq
    }
    /// The stable checkpoint.
    pub fn stable(&self) -> Option<&Arc<CheckpointCert>> {
        self.stable.as_ref()
    }
    /// The members of the current epoch.
    pub fn membership(&self) -> &Membership {
        &self.members
    }
    /// The epoch, the view, and whether the view has begun here.
    pub fn position(&self) -> (Epoch, View, bool) {
        (self.members.epoch, self.view, self.active)
    }
    /// The last request of a client that took effect, and where; answers the question of an in-doubt commit.
    pub fn outcome(&self, client: ClientId) -> Option<(u64, SeqNo)> {
        self.ledger.clients.get(&client).copied()
    }
    /// Dropped messages by reason.
    pub fn refusals(&self) -> &BTreeMap<Refusal, u64> {
        &self.refusals
    }
    /// What is held in memory; each number is bounded whatever peers send.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            positions: self.slots.len(),
            bodies: self.pool.len(),
            waiting: self.pool.waiting_max(),
            batches: self.batches.len(),
            early: self.future.values().map(VecDeque::len).max().unwrap_or_default(),
            votes: self.checkpoint_votes.len() + self.changes.len() + self.heard.len(),
            snapshots: self.snapshots.len(),
        }
    }
}
