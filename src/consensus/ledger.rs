//! What every replica has agreed on so far, apart from the state machine: the chain of headers, who has been served, and
//! who belongs. It is part of the checkpointed state; [`Ledger::execute`] is a pure function of ledger and batch.

use super::codec::{codec_struct, encode};
use super::message::CheckpointContent;
use super::planted::{self, Bug};
use super::signed::members_digest;
use super::types::*;
use super::{codec::Codec, message::SignedBody};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The agreed bookkeeping after `seq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The last executed position.
    pub seq: SeqNo,
    /// The digest of its header.
    pub header: Digest,
    /// Its time.
    pub time: u64,
    /// The time of the first batch since the last checkpoint; 0 if there is none, that is at a checkpoint.
    pub open_since: u64,
    /// The members of its epoch.
    pub members: Membership,
    /// The next epoch's members; they rule above their `base`, once that is a stable checkpoint.
    pub next: Option<Membership>,
    /// The last request of each client, and where it was executed.
    pub clients: BTreeMap<ClientId, (u64, SeqNo)>,
    /// The last body of each gateway: incarnation and number.
    pub gateways: BTreeMap<ReplicaId, (u64, u64)>,
    /// The roots of all complete subtrees over the headers.
    pub mountains: Mountains,
}
codec_struct!(Ledger { seq, header, time, open_since, members, next, clients, gateways, mountains });

/// An append-only Merkle mountain range; `peaks[h]` is the root of 2^h leaves if the count has that bit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mountains {
    peaks: Vec<Option<Digest>>,
}
codec_struct!(Mountains { peaks });

impl Mountains {
    /// Adds a leaf.
    pub fn append(&mut self, leaf: Digest) {
        let mut carry = Digest::of("leaf", &leaf.0);
        for peak in &mut self.peaks {
            match peak.take() {
                None => {
                    *peak = Some(carry);
                    return;
                }
                Some(left) => carry = Digest::of("node", &[left.0, carry.0].concat()),
            }
        }
        self.peaks.push(Some(carry));
    }

    /// The digest of all peaks.
    pub fn root(&self) -> Digest {
        Digest::of_value("mountains", &self.peaks)
    }
}

/// The place of a body relative to what has been executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Executed, or overtaken by a later incarnation.
    Past,
    /// The next one of its gateway.
    Next,
    /// Others have to come first.
    Later,
}

/// Where `id` stands if `last` is the gateway's last executed (incarnation, number).
pub fn turn(last: Option<&(u64, u64)>, id: &BodyId) -> Turn {
    let &(incarnation, number) = last.unwrap_or(&(0, 0));
    if (id.incarnation, id.number) <= (incarnation, number) {
        Turn::Past
    } else if id.number == if id.incarnation == incarnation { number + 1 } else { 1 } {
        Turn::Next
    } else {
        Turn::Later
    }
}

impl Ledger {
    /// The ledger before the first batch.
    pub fn genesis(genesis: &Genesis) -> Self {
        Self {
            seq: SeqNo(0),
            header: genesis.cluster,
            time: 0,
            open_since: 0,
            members: Membership { epoch: Epoch(0), base: SeqNo(0), members: genesis.members.clone() },
            next: None,
            clients: BTreeMap::new(),
            gateways: BTreeMap::new(),
            mountains: Mountains::default(),
        }
    }

    /// Executes the batch at the next position. Returns its header and the requests that take effect, each with its
    /// gateway, in order. Bodies out of turn and requests served before leave no trace: a primary that proposes them
    /// wastes a place, nothing more.
    pub fn execute(
        &mut self,
        batch: &Batch,
        bodies: &[Arc<SignedBody>],
        genesis: &Genesis,
    ) -> (Header, Vec<(ReplicaId, Request)>) {
        let seq = self.seq.next();
        let header = Header {
            epoch: self.members.epoch,
            seq,
            previous: self.header,
            batch: batch.digest(),
            time: if planted::is(Bug::TimeRunsBackwards) { batch.time } else { batch.time.max(self.time) },
        };
        self.seq = seq;
        self.time = header.time;
        self.header = Digest::of_value("header", &header);
        self.mountains.append(self.header);
        let mut effective = Vec::new();
        for body in bodies.iter().map(|signed| &signed.body) {
            let is_its_turn = turn(self.gateways.get(&body.gateway), &body.id()) == Turn::Next;
            if self.members.member(body.gateway).is_none() || !is_its_turn {
                continue;
            }
            self.gateways.insert(body.gateway, (body.incarnation, body.number));
            for request in &body.requests {
                if self.take(request, genesis) {
                    effective.push((body.gateway, request.clone()));
                }
            }
        }
        if self.open_since == 0 {
            self.open_since = header.time.max(1);
        }
        let is_late = header.time.saturating_sub(self.open_since) >= genesis.checkpoint_time;
        if is_late || seq.0.is_multiple_of(genesis.checkpoint_interval) {
            self.open_since = 0;
            self.clients.retain(|_, (_, at)| at.plus(genesis.client_retention) >= seq);
        }
        (header, effective)
    }

    /// Whether the last executed position is a checkpoint: every K positions, and earlier if a batch would otherwise wait
    /// too long for one. A function of the batches alone, so that everybody finds the same.
    pub fn is_checkpoint(&self) -> bool {
        self.open_since == 0
    }

    /// Marks a request as served; false if it was before.
    fn take(&mut self, request: &Request, genesis: &Genesis) -> bool {
        if self.clients.get(&request.client).is_some_and(|(number, _)| request.number <= *number)
            && !planted::is(Bug::RequestExecutedTwice)
        {
            return false;
        }
        self.clients.insert(request.client, (request.number, self.seq));
        if let Operation::Configure(change) = &request.operation {
            self.configure(change, genesis);
        }
        true
    }

    /// Accepts a change of membership unless one is in flight, it was meant for another epoch, or it lets somebody vote
    /// who has not been a member before. Approvals were checked when the body was verified.
    fn configure(&mut self, change: &ConfigChange, genesis: &Genesis) {
        let keeps_identity = |member: &Member| match self.members.member(member.id) {
            Some(known) => known.key == member.key,
            None => member.role == Role::Learner,
        };
        if self.next.is_some() || change.from != self.members.epoch || !change.members.iter().all(keeps_identity) {
            return;
        }
        // At least L positions away: whoever votes above `base` has a stable checkpoint above the change itself.
        let interval = genesis.checkpoint_interval;
        let distance = if planted::is(Bug::EpochTooEarly) { 1 } else { genesis.watermark_window };
        let base = (self.seq.0 + distance).div_ceil(interval) * interval;
        let epoch = Epoch(self.members.epoch.0 + 1);
        self.next = Some(Membership { epoch, base: SeqNo(base), members: change.members.clone() });
    }

    /// Whether the next epoch begins right after this position.
    pub fn is_last_of_epoch(&self) -> bool {
        self.next.as_ref().is_some_and(|next| next.base == self.seq)
    }

    /// Begins the next epoch.
    pub fn switch(&mut self) {
        let next = self.next.take().expect("switching needs a decided next epoch");
        self.gateways.retain(|gateway, _| next.member(*gateway).is_some());
        self.members = next;
    }

    /// What a checkpoint at this position certifies.
    pub fn content(&self, state_root: Digest) -> CheckpointContent {
        let mut tables = encode(&self.clients);
        self.gateways.put(&mut tables);
        // Both decide what comes next (the next header, the next checkpoint), so a state transfer must not lie about them.
        self.time.put(&mut tables);
        self.open_since.put(&mut tables);
        if planted::is(Bug::TablesUncertified) {
            tables.clear();
        }
        CheckpointContent {
            header: self.header,
            log_root: self.mountains.root(),
            state_root,
            members: members_digest(&self.members, &self.next),
            dedupe: Digest::of("dedupe", &tables),
        }
    }
}
