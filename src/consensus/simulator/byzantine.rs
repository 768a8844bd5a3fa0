//! Nodes that lie. Each runs a correct replica and corrupts what it says: that keeps it plausible.

use super::super::codec::Bytes;
use super::super::message::*;
use super::super::replica::Replica;
use super::super::signed::{Keys, Kind, Signature, Vote};
use super::super::types::*;
use super::checker::INVENTED;
use super::rng::Rng;
use std::sync::Arc;

/// The ways to misbehave; a liar draws some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Equivocate,
    Withhold,
    WrongDigest,
    DoubleVote,
    Garbage,
    Replay,
    OmitPrepared,
    WrongPlan,
    Premature,
    LyingRoot,
    LyingChunk,
    Slow,
    TimeSkew,
    SelectiveBody,
    LyingClaims,
    Gaps,
    Invent,
}

const WAYS: [Way; 17] = [
    Way::Equivocate,
    Way::Withhold,
    Way::WrongDigest,
    Way::DoubleVote,
    Way::Garbage,
    Way::Replay,
    Way::OmitPrepared,
    Way::WrongPlan,
    Way::Premature,
    Way::LyingRoot,
    Way::LyingChunk,
    Way::Slow,
    Way::TimeSkew,
    Way::SelectiveBody,
    Way::LyingClaims,
    Way::Gaps,
    Way::Invent,
];

pub(super) struct Liar {
    ways: Vec<Way>,
    keys: Keys,
    cluster: Digest,
    memory: Vec<Message>,
    bodies: u64,
}

impl Liar {
    pub(super) fn new(rng: &mut Rng, keys: Keys, cluster: Digest) -> Self {
        let count = 1 + rng.below(4);
        let ways = (0..count).map(|_| WAYS[rng.below(WAYS.len() as u64) as usize]).collect();
        Self { ways, keys, cluster, memory: Vec::new(), bodies: 0 }
    }

    pub(super) fn describe(&self) -> String {
        format!("{:?}", self.ways)
    }

    fn does(&self, way: Way) -> bool {
        self.ways.contains(&way)
    }

    fn sign(&self, vote: Vote) -> Vote {
        self.keys.sign(&self.cluster, vote)
    }

    fn other(&self, vote: &Vote) -> Vote {
        let mut digest = vote.digest;
        digest.0[0] ^= 1;
        self.sign(Vote { digest, ..*vote })
    }

    /// What is really sent to `to`, each with an extra delay.
    pub(super) fn corrupt(&mut self, rng: &mut Rng, to: ReplicaId, message: Message) -> Vec<(u64, Message)> {
        if self.does(Way::Replay) && self.memory.len() < 200 {
            self.memory.push(message.clone());
        }
        let victim = to.0 % 2 == 1;
        let mut sent = Vec::new();
        let replaced = match &message {
            _ if self.does(Way::Withhold) && victim && rng.percent(70) => return sent,
            Message::Body(_) if self.does(Way::SelectiveBody) && !victim => return sent,
            Message::PrePrepare(proposal) if self.does(Way::Equivocate) && victim => {
                let mut batch = proposal.batch.as_ref().clone();
                batch.time += 1;
                if rng.percent(30) {
                    batch.bodies.clear();
                }
                let vote = self.sign(Vote { digest: batch.digest(), ..proposal.vote });
                Message::PrePrepare(Proposal { vote, batch: Arc::new(batch) })
            }
            Message::PrePrepare(proposal) if self.does(Way::TimeSkew) => {
                let mut batch = proposal.batch.as_ref().clone();
                batch.time += 5_000_000;
                let vote = self.sign(Vote { digest: batch.digest(), ..proposal.vote });
                Message::PrePrepare(Proposal { vote, batch: Arc::new(batch) })
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
            Message::ViewChange(change) if self.does(Way::OmitPrepared) => {
                let (stable, prepared) = (change.stable.clone(), Vec::new());
                let vote = self.sign(Vote { digest: ViewChange::content(&stable, &prepared), ..change.vote });
                Message::ViewChange(Arc::new(ViewChange { vote, stable, prepared }))
            }
            Message::NewView(new) if self.does(Way::WrongPlan) => {
                let mut new = new.as_ref().clone();
                if let Some(last) = new.proposals.pop()
                    && rng.percent(50)
                {
                    new.proposals.push(self.other(&last));
                }
                new.vote = self.sign(Vote { digest: NewView::content(&new.changes, &new.proposals), ..new.vote });
                Message::NewView(Arc::new(new))
            }
            Message::Checkpoint(checkpoint) if self.does(Way::LyingRoot) => {
                let mut content = checkpoint.content;
                content.state_root.0[0] ^= to.0 as u8 | 1;
                let vote = self.sign(Vote { digest: content.digest(), ..checkpoint.vote });
                Message::Checkpoint(CheckpointVote { vote, content })
            }
            Message::Chunk(chunk) if self.does(Way::LyingChunk) => {
                let mut chunk = chunk.as_ref().clone();
                chunk.bytes.0.push(9);
                Message::Chunk(Arc::new(chunk))
            }
            Message::Manifest(manifest) if self.does(Way::LyingChunk) && rng.percent(50) => {
                let mut manifest = manifest.as_ref().clone();
                manifest.chunks.push(Digest([3; 32]));
                Message::Manifest(Arc::new(manifest))
            }
            Message::Committed(committed) if self.does(Way::LyingClaims) => {
                Message::Committed(Committed { seq: committed.seq, batch: Batch::null() })
            }
            _ => message,
        };
        sent.push((0, replaced));
        sent
    }

    /// Things said unasked, now and then.
    pub(super) fn provoke(&mut self, rng: &mut Rng, replica: &Replica) -> Vec<Message> {
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
        if self.does(Way::Premature) && rng.percent(5) {
            let (stable, prepared) = (replica.stable().cloned(), Vec::new());
            let seq = stable.as_ref().map_or(SeqNo(0), |cert| cert.seq);
            let target = View(view.0 + 1 + rng.below(3));
            let vote = self.sign(blank(Kind::ViewChange, target, seq, ViewChange::content(&stable, &prepared)));
            said.push(Message::ViewChange(Arc::new(ViewChange { vote, stable, prepared })));
        }
        if self.does(Way::Gaps) && rng.percent(10) {
            let batch = Arc::new(Batch { bodies: vec![Digest([5; 32])], time: 1_000_000_000 });
            let seq = SeqNo(replica.executed().0 + 1 + rng.below(40));
            let vote = self.sign(blank(Kind::PrePrepare, view, seq, batch.digest()));
            said.push(Message::PrePrepare(Proposal { vote, batch }));
        }
        if self.does(Way::Invent) && rng.percent(10) {
            self.bodies += rng.below(3);
            for variant in 0..2_u8 {
                let request = Request {
                    client: ClientId(INVENTED + u128::from(rng.below(3))),
                    number: 1 + rng.below(100),
                    operation: Operation::Data(Bytes(vec![variant; 8])),
                };
                let (incarnation, number) = (1 << 40 | rng.below(2), self.bodies.max(1));
                let body = Body { gateway: replica.id(), incarnation, number, requests: vec![request] };
                let vote = blank(Kind::Body, View(incarnation), SeqNo(number), body.digest());
                said.push(Message::Body(Arc::new(SignedBody { vote: self.sign(vote), body })));
            }
        }
        said
    }
}
