//! Nodes that lie. Each runs a correct replica and corrupts what it says: that keeps it plausible. It also listens, and
//! agrees with everybody about everything if that is one of its ways.

use super::super::codec::{Bytes, decode, encode};
use super::super::ledger::Ledger;
use super::super::message::*;
use super::super::replica::Replica;
use super::super::signed::{Keys, Kind, Signature, Vote};
use super::super::types::*;
use super::super::view_change::Plan;
use super::checker::INVENTED;
use super::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

macro_rules! ways {
    ($($(#[doc = $what:literal])+ $name:ident,)*) => {
        /// The ways to misbehave; a liar draws some.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Way {
            $($(#[doc = $what])+ $name,)*
        }
        const WAYS: &[Way] = &[$(Way::$name),*];
    };
}

ways! {
    /// different proposals to different backups
    Equivocate,
    /// nothing to some
    Withhold,
    /// PREPARE and COMMIT for another batch
    WrongDigest,
    /// two PREPAREs
    DoubleVote,
    /// signatures that do not verify
    Garbage,
    /// everything said before, again
    Replay,
    /// PREPAREs of others, with another view written on them
    ReplayInOtherView,
    /// votes of correct nodes from another cluster with the same keys
    Foreign,
    /// votes in the names of others
    Forge,
    /// VIEW-CHANGE without certificates
    OmitPrepared,
    /// VIEW-CHANGE with invented certificates
    FabricatePrepared,
    /// NEW-VIEW with another O
    WrongPlan,
    /// NEW-VIEW that rests on one VIEW-CHANGE
    Hasty,
    /// VIEW-CHANGEs without a reason
    Premature,
    /// a state root of its own
    LyingRoot,
    /// certificates of checkpoints that never were
    ForgeStable,
    /// memberships that were never decided
    ForgeEpoch,
    /// changes of members that nobody approved
    Usurp,
    /// chunks and manifests that are not those certified
    LyingChunk,
    /// manifests whose ledger is not the certified one
    LyingLedger,
    /// proposals just before the timers
    Slow,
    /// proposals from the future
    TimeSkew,
    /// bodies for some
    SelectiveBody,
    /// bodies that differ from their digest
    TamperBody,
    /// proposals that differ from their digest
    TamperBatch,
    /// assertions of decisions that were not made
    LyingClaims,
    /// proposals far ahead, naming bodies that nobody has
    Gaps,
    /// proposals without being the primary
    Impostor,
    /// requests of clients that do not exist
    Invent,
    /// one client's requests are ignored
    Censor,
    /// everything that might fill a memory
    Flood,
    /// PREPARE and COMMIT for whatever anybody believes in
    YesMan,
}

pub(super) struct Liar {
    ways: Vec<Way>,
    id: ReplicaId,
    /// Its own keys, and to quote honest nodes from another cluster, theirs.
    keys: Vec<Keys>,
    cluster: Digest,
    memory: Vec<Message>,
    overheard: BTreeMap<(Epoch, View, SeqNo, Digest), Vote>,
    proposed: BTreeMap<(Epoch, View, SeqNo, Digest), Vote>,
    agreed: BTreeSet<(ReplicaId, u8, View, SeqNo, Digest)>,
    bodies: u64,
}

const MEMORY: usize = 200;

impl Liar {
    pub(super) fn new(rng: &mut Rng, id: ReplicaId, keys: Vec<Keys>, cluster: Digest) -> Self {
        let count = [1, 2, 4, 8, 12][rng.below(5) as usize];
        let mut ways: Vec<Way> = (0..count).map(|_| WAYS[rng.below(WAYS.len() as u64) as usize]).collect();
        // What makes most others dangerous is drawn more often.
        let likely = [
            (Way::YesMan, 40),
            (Way::Equivocate, 30),
            (Way::WrongPlan, 25),
            (Way::FabricatePrepared, 15),
            (Way::Hasty, 10),
            (Way::Censor, 15),
            (Way::Flood, 10),
            (Way::Premature, 15),
            (Way::LyingChunk, 15),
        ];
        for (way, percent) in likely {
            if rng.percent(percent) && !ways.contains(&way) {
                ways.push(way);
            }
        }
        if ways.contains(&Way::Censor) && rng.percent(50) && !ways.contains(&Way::Invent) {
            // Whoever is censored must not be comforted by the progress of others.
            ways.push(Way::Invent);
        }
        Self {
            ways,
            id,
            keys,
            cluster,
            memory: Vec::new(),
            overheard: BTreeMap::new(),
            proposed: BTreeMap::new(),
            agreed: BTreeSet::new(),
            bodies: 0,
        }
    }

    pub(super) fn describe(&self) -> String {
        format!("{:?}", self.ways)
    }

    fn does(&self, way: Way) -> bool {
        self.ways.contains(&way)
    }

    fn sign(&self, vote: Vote) -> Vote {
        self.keys[self.id.0 as usize].sign(&self.cluster, Vote { signer: self.id, ..vote })
    }

    fn other(&self, vote: &Vote) -> Vote {
        let mut digest = vote.digest;
        digest.0[0] ^= 1;
        self.sign(Vote { digest, ..*vote })
    }

    fn propose(&self, proposal: &Proposal, batch: Batch) -> Message {
        let vote = self.sign(Vote { digest: batch.digest(), ..proposal.vote });
        Message::PrePrepare(Proposal { vote, batch: Arc::new(batch) })
    }

    /// Whether a message is treated as if it had never come.
    pub(super) fn ignores(&self, message: &Message) -> bool {
        let is_victims = |request: &Request| request.client == ClientId(1);
        match message {
            Message::Body(signed) => self.does(Way::Censor) && signed.body.requests.iter().any(is_victims),
            _ => false,
        }
    }

    /// What is really sent to `to`, each with an extra delay.
    pub(super) fn corrupt(&mut self, rng: &mut Rng, to: ReplicaId, message: Message) -> Vec<(u64, Message)> {
        if self.does(Way::Replay) && self.memory.len() < MEMORY {
            self.memory.push(message.clone());
        }
        let victim = (to.0 % 2 == 1) != rng.percent(10);
        let mut sent = Vec::new();
        let replaced = match &message {
            _ if self.does(Way::Withhold) && victim && rng.percent(70) => return sent,
            Message::Body(_) if self.does(Way::SelectiveBody) && !victim => return sent,
            Message::Body(signed) if self.does(Way::TamperBody) && victim => {
                let mut signed = signed.as_ref().clone();
                if let Some(request) = signed.body.requests.first_mut() {
                    request.number += 1_000_000;
                }
                Message::Body(Arc::new(signed))
            }
            Message::PrePrepare(proposal) if self.does(Way::Equivocate) && victim => {
                let mut batch = proposal.batch.as_ref().clone();
                batch.time += 1;
                if rng.percent(30) {
                    batch.bodies.clear();
                }
                self.propose(proposal, batch)
            }
            Message::PrePrepare(proposal) if self.does(Way::TamperBatch) && victim => {
                let batch = Batch { bodies: Vec::new(), time: proposal.batch.time };
                Message::PrePrepare(Proposal { vote: proposal.vote, batch: Arc::new(batch) })
            }
            Message::PrePrepare(proposal) if self.does(Way::TimeSkew) => {
                let time = proposal.batch.time + [5_000_000, 1_500_000, 300_000][rng.below(3) as usize];
                self.propose(proposal, Batch { time, ..proposal.batch.as_ref().clone() })
            }
            Message::PrePrepare(proposal) if self.does(Way::Gaps) && rng.percent(10) => {
                let mut batch = proposal.batch.as_ref().clone();
                batch.bodies.push(Digest([5; 32]));
                self.propose(proposal, batch)
            }
            Message::PrePrepare(_) if self.does(Way::Slow) => return vec![(200_000, message)],
            Message::Prepare(vote) if self.does(Way::WrongDigest) => Message::Prepare(self.other(vote)),
            Message::Prepare(vote) if self.does(Way::DoubleVote) => {
                sent.push((0, Message::Prepare(self.other(vote))));
                message.clone()
            }
            Message::Prepare(vote) if self.does(Way::Garbage) => {
                Message::Prepare(Vote { signature: Signature([7; 64]), ..*vote })
            }
            Message::Commit(commit) if self.does(Way::WrongDigest) && rng.percent(50) => {
                let mut commit = *commit;
                commit.digest.0[0] ^= 1;
                Message::Commit(commit)
            }
            Message::ViewChange(change) if self.does(Way::OmitPrepared) => self.change(change, Vec::new()),
            Message::ViewChange(change) if self.does(Way::FabricatePrepared) => {
                let prepared = self.fabricate(rng, change);
                self.change(change, prepared)
            }
            Message::NewView(new) if self.does(Way::Hasty) => {
                let mut new = new.as_ref().clone();
                new.changes.sort_by_key(|change| change.prepared.len());
                new.changes.truncate(1);
                new.proposals = self.plan(&new);
                self.new_view(new)
            }
            Message::NewView(new) if self.does(Way::WrongPlan) => {
                let mut new = new.as_ref().clone();
                self.spoil(rng, &mut new);
                self.new_view(new)
            }
            Message::Checkpoint(checkpoint) if self.does(Way::LyingRoot) => {
                let mut content = checkpoint.content;
                content.state_root.0[0] ^= to.0 as u8 | 1;
                let vote = self.sign(Vote { digest: content.digest(), ..checkpoint.vote });
                Message::Checkpoint(Arc::new(CheckpointVote { vote, content }))
            }
            Message::Chunk(chunk) if self.does(Way::LyingChunk) => {
                let mut chunk = chunk.as_ref().clone();
                let mut bytes = chunk.bytes.0.to_vec();
                match bytes.last_mut() {
                    Some(byte) => *byte ^= 1,
                    None => bytes.push(9),
                }
                chunk.bytes = Bytes::from(bytes);
                Message::Chunk(Arc::new(chunk))
            }
            Message::Manifest(manifest) if self.does(Way::LyingChunk) && rng.percent(50) => {
                let mut manifest = manifest.as_ref().clone();
                manifest.chunks.push(Digest([3; 32]));
                Message::Manifest(Arc::new(manifest))
            }
            Message::Manifest(manifest) if self.does(Way::LyingLedger) => Self::falsify(rng, manifest),
            Message::Committed(committed) if self.does(Way::LyingClaims) => {
                Message::Committed(Committed { seq: committed.seq, batch: Batch::null() })
            }
            _ => message,
        };
        if let Message::PrePrepare(Proposal { vote, .. }) = &replaced {
            self.remember_proposal(*vote);
        }
        sent.push((0, replaced));
        sent
    }

    fn remember_proposal(&mut self, vote: Vote) {
        if self.proposed.len() < MEMORY {
            self.proposed.insert((vote.epoch, vote.view, vote.seq, vote.digest), vote);
        }
    }

    fn change(&self, change: &ViewChange, prepared: Vec<PreparedCert>) -> Message {
        let stable = change.stable.clone();
        let vote = self.sign(Vote { digest: ViewChange::content(&stable, &prepared), ..change.vote });
        Message::ViewChange(Arc::new(ViewChange { vote, stable, prepared }))
    }

    fn new_view(&self, mut new: NewView) -> Message {
        new.vote = self.sign(Vote { digest: NewView::content(&new.changes, &new.proposals), ..new.vote });
        Message::NewView(Arc::new(new))
    }

    fn plan(&self, new: &NewView) -> Vec<Vote> {
        let vote = |(seq, digest): (&SeqNo, &Digest)| {
            self.sign(Vote { kind: Kind::PrePrepare, seq: *seq, digest: *digest, ..new.vote })
        };
        Plan::of(&new.changes).proposals.iter().map(vote).collect()
    }

    /// Another O: shorter, or with a batch replaced by the null batch or one that was once proposed elsewhere.
    fn spoil(&self, rng: &mut Rng, new: &mut NewView) {
        // The last ones are most likely not decided everywhere.
        let Some(last) = new.proposals.len().checked_sub(1) else { return };
        let at = last.saturating_sub(rng.below(3) as usize);
        let digest = match rng.below(3) {
            0 => {
                new.proposals.truncate(at);
                return;
            }
            1 => self.overheard.keys().map(|key| key.3).nth(rng.below(MEMORY as u64) as usize),
            _ => None,
        };
        let digest = digest.unwrap_or(Batch::default().digest());
        new.proposals[at] = self.sign(Vote { digest, ..new.proposals[at] });
    }

    /// Certificates that never were: from votes that exist, one of them used often, or with signatures made up.
    fn fabricate(&self, rng: &mut Rng, change: &ViewChange) -> Vec<PreparedCert> {
        let mut certs: BTreeMap<SeqNo, PreparedCert> =
            change.prepared.iter().map(|cert| (cert.proposal.seq, cert.clone())).collect();
        let count = certs.values().map(|cert| cert.prepares.len()).max().unwrap_or(2);
        for (key, prepare) in self.overheard.iter().filter(|(key, _)| key.2 > change.vote.seq) {
            if let Some(proposal) = self.proposed.get(key) {
                certs.insert(key.2, PreparedCert { proposal: *proposal, prepares: vec![*prepare; count] });
            }
        }
        if rng.percent(50) {
            let seq = change.vote.seq.plus(1 + rng.below(3));
            let view = View(change.vote.view.0 - 1);
            let vote = Vote { view, seq, digest: Batch::default().digest(), ..change.vote };
            let proposal = Vote { kind: Kind::PrePrepare, ..vote };
            let prepares = vec![Vote { kind: Kind::Prepare, ..vote }; count];
            certs.insert(seq, PreparedCert { proposal, prepares });
        }
        certs.into_values().collect()
    }

    fn falsify(rng: &mut Rng, manifest: &Arc<Manifest>) -> Message {
        let mut manifest = manifest.as_ref().clone();
        if let Ok(mut ledger) = decode::<Ledger>(&manifest.ledger.0) {
            match rng.below(4) {
                0 => ledger.time += 3_600_000_000,
                1 => ledger.clients.clear(),
                2 => ledger.open_since += 7,
                _ => ledger.gateways.clear(),
            }
            manifest.ledger = Bytes::from(encode(&ledger));
        }
        Message::Manifest(Arc::new(manifest))
    }

    /// Answers to what others say, each for one of them.
    pub(super) fn overhear(
        &mut self,
        from: ReplicaId,
        replica: &Replica,
        message: &Message,
    ) -> Vec<(ReplicaId, Message)> {
        let mut said = Vec::new();
        match message {
            Message::PrePrepare(Proposal { vote, .. }) => {
                self.forge(vote, &mut said, from);
                self.agree(from, replica, vote, &mut said);
            }
            Message::Prepare(vote) => {
                if self.overheard.len() < MEMORY && vote.signer == from {
                    self.overheard.insert((vote.epoch, vote.view, vote.seq, vote.digest), *vote);
                }
                self.agree(from, replica, vote, &mut said);
            }
            Message::Commit(commit)
                if self.does(Way::YesMan) && self.agreed.insert((from, 3, commit.view, commit.seq, commit.digest)) =>
            {
                said.push((from, message.clone()));
            }
            _ => {}
        }
        said
    }

    /// The colluder: a PREPARE and a COMMIT of its own for whatever `from` believes in.
    fn agree(&mut self, from: ReplicaId, replica: &Replica, vote: &Vote, said: &mut Vec<(ReplicaId, Message)>) {
        if !self.does(Way::YesMan) || !self.agreed.insert((from, 2, vote.view, vote.seq, vote.digest)) {
            return;
        }
        if replica.membership().epoch == vote.epoch {
            // Even as the primary, whose PREPARE must not count.
            said.push((from, Message::Prepare(self.sign(Vote { kind: Kind::Prepare, ..*vote }))));
        }
        let Vote { epoch, view, seq, digest, .. } = *vote;
        said.push((from, Message::Commit(Commit { epoch, view, seq, digest })));
    }

    /// PREPAREs for another batch in the names of others: made up, from another cluster, or from another view.
    fn forge(&mut self, vote: &Vote, said: &mut Vec<(ReplicaId, Message)>, to: ReplicaId) {
        let mut digest = vote.digest;
        digest.0[0] ^= 2;
        for signer in (0..self.keys.len() as u32).map(ReplicaId).filter(|signer| *signer != self.id) {
            let vote = Vote { kind: Kind::Prepare, digest, signer, ..*vote };
            if self.does(Way::Forge) {
                said.push((to, Message::Prepare(Vote { signature: Signature([9; 64]), ..vote })));
            }
            if self.does(Way::Foreign) {
                let foreign = Digest::of("cluster", b"another");
                said.push((to, Message::Prepare(self.keys[signer.0 as usize].sign(&foreign, vote))));
            }
        }
        if self.does(Way::ReplayInOtherView) {
            let old = self.overheard.values().filter(|old| old.seq == vote.seq && old.view != vote.view);
            said.extend(old.map(|old| (to, Message::Prepare(Vote { view: vote.view, ..*old }))));
        }
    }

    /// Things said unasked, now and then.
    pub(super) fn provoke(&mut self, rng: &mut Rng, replica: &Replica, wall: u64) -> Vec<Message> {
        let mut said = Vec::new();
        let (epoch, view, _) = replica.position();
        let blank = |kind, view, seq, digest| Vote {
            kind,
            epoch,
            view,
            seq,
            digest,
            signer: replica.id(),
            signature: Signature([0; 64]),
        };
        if self.does(Way::Replay) && !self.memory.is_empty() && rng.percent(20) {
            said.push(self.memory[rng.below(self.memory.len() as u64) as usize].clone());
        }
        let haste = if self.ways.len().is_multiple_of(2) { 60 } else { 5 };
        if self.does(Way::Premature) && rng.percent(haste) {
            let (stable, prepared) = (replica.stable().cloned(), Vec::new());
            let seq = stable.as_ref().map_or(SeqNo(0), |cert| cert.seq);
            let target = View(view.0 + 1 + rng.below(3));
            let vote = self.sign(blank(Kind::ViewChange, target, seq, ViewChange::content(&stable, &prepared)));
            said.push(Message::ViewChange(Arc::new(ViewChange { vote, stable, prepared })));
        }
        if (self.does(Way::Gaps) || self.does(Way::Impostor)) && rng.percent(10) {
            let bodies = if self.does(Way::Gaps) { vec![Digest([5; 32])] } else { Vec::new() };
            let batch = Arc::new(Batch { bodies, time: wall });
            let reach = [3, 400][rng.below(2) as usize];
            let seq = SeqNo(replica.executed().0 + 1 + rng.below(reach));
            let vote = self.sign(blank(Kind::PrePrepare, view, seq, batch.digest()));
            self.remember_proposal(vote);
            said.push(Message::PrePrepare(Proposal { vote, batch }));
        }
        if self.does(Way::Invent) && rng.percent(10) {
            self.bodies += rng.below(3);
            for variant in 0..2_u8 {
                let operation = Operation::Data(Bytes::from(vec![variant; 8]));
                said.push(self.invent(rng, operation, self.bodies.max(1)));
            }
        }
        if self.does(Way::Usurp) && rng.percent(5) {
            let members: Vec<Member> = replica.membership().members.iter().skip(1).cloned().collect();
            let approvals = vec![(0, Signature([8; 64]))];
            let change = ConfigChange { from: epoch, members, approvals };
            self.bodies += 1;
            said.push(self.invent(rng, Operation::Configure(change), self.bodies));
        }
        if self.does(Way::ForgeStable) && rng.percent(5) {
            let seq = SeqNo(replica.executed().0 + rng.below(10));
            let root = Digest([4; 32]);
            let content =
                CheckpointContent { header: root, log_root: root, state_root: root, members: root, dedupe: root };
            let vote = self.sign(blank(Kind::Checkpoint, View(0), seq, content.digest()));
            let signatures = vec![(self.id, vote.signature)];
            said.push(Message::Stable(Arc::new(CheckpointCert { epoch, seq, content, signatures })));
        }
        if self.does(Way::ForgeEpoch)
            && rng.percent(5)
            && let Some(cert) = replica.stable()
        {
            let members = replica.membership().members.iter().filter(|member| member.id == self.id).cloned().collect();
            let next = Membership { epoch: Epoch(cert.epoch.0 + 1), base: cert.seq, members };
            said.push(Message::Epoch(Arc::new(EpochProof { cert: cert.as_ref().clone(), next })));
        }
        if self.does(Way::Flood) && rng.percent(20) {
            said.extend(self.flood(rng, replica, blank));
        }
        said
    }

    fn invent(&self, rng: &mut Rng, operation: Operation, number: u64) -> Message {
        let (client, request) = (ClientId(INVENTED + u128::from(rng.below(3))), 1 + rng.below(100));
        let requests = vec![Request { client, number: request, operation }];
        let incarnation = 1 << 40 | rng.below(2);
        self.body(Body { gateway: self.id, incarnation, number, requests })
    }

    fn body(&self, body: Body) -> Message {
        let signature = Signature([0; 64]);
        let (view, seq, digest) = (View(body.incarnation), SeqNo(body.number), body.digest());
        let vote = Vote { kind: Kind::Body, epoch: Epoch(0), view, seq, digest, signer: self.id, signature };
        Message::Body(Arc::new(SignedBody { vote: self.sign(vote), body }))
    }

    fn flood(
        &self,
        rng: &mut Rng,
        replica: &Replica,
        blank: impl Fn(Kind, View, SeqNo, Digest) -> Vote,
    ) -> Vec<Message> {
        let (epoch, view, _) = replica.position();
        let digest = Digest::of("flood", &rng.next().to_be_bytes());
        let seq = SeqNo(replica.executed().0 + rng.below(300));
        let later = View(view.0 + 1 + rng.below(1000));
        let operation = Operation::Data(Bytes::from(vec![1; 8]));
        let requests = vec![Request { client: ClientId(INVENTED), number: rng.next(), operation }];
        vec![
            Message::Batch(Arc::new(Batch { bodies: vec![digest], time: 1 })),
            Message::Prepare(self.sign(blank(Kind::Prepare, view, seq, digest))),
            Message::Prepare(self.sign(blank(Kind::Prepare, later, replica.executed().next(), digest))),
            Message::Commit(Commit { epoch, view, seq, digest }),
            Message::Committed(Committed { seq, batch: Arc::new(Batch { bodies: vec![digest], time: 2 }) }),
            Message::Fetch(Fetch { batches: vec![digest; 100], bodies: vec![digest; 100] }),
            self.body(Body {
                gateway: self.id,
                incarnation: 1 << 41 | rng.next() >> 30,
                number: 1 + rng.below(3),
                requests,
            }),
        ]
    }
}
