//! Signatures, and the one door through which a message reaches a replica.
//!
//! Everything that is signed is a [`Vote`], whose signed bytes have one fixed layout: domain ‖ cluster ‖ kind ‖ epoch ‖
//! view ‖ seq ‖ digest ‖ signer. A signature therefore means nothing in another cluster, epoch, role or position.
//!
//! [`verify`] is the only constructor of [`Verified`], and a `Verified<Message>` is the only message that
//! [`Replica::step`](super::Replica::step) takes. It needs no replica, only a [`Directory`], so a host may call it on
//! many threads. [`verify_all`] takes what has gathered and checks all signatures as one sum, which is cheaper by half;
//! the rule of [`ed25519`](super::ed25519) is the same for one and for many, so nobody can be split from others by it.

use super::codec::{Codec, Malformed, Reader, codec_struct, encode};
use super::ed25519::{Key, Sum};
use super::message::*;
use super::planted::{self, Bug};
use super::types::*;
use super::view_change::Plan;
use ed25519_dalek::{Signer as _, SigningKey};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Separates our signatures from those of any other protocol that might share a key.
const DOMAIN: &[u8] = b"aerolith/consensus/1\0";

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);
codec_struct!(Signature { 0 });

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sig:{:02x}{:02x}", self.0[0], self.0[1])
    }
}

/// An Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey(pub [u8; 32]);
codec_struct!(PublicKey { 0 });

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key:{:02x}{:02x}", self.0[0], self.0[1])
    }
}

/// What a vote is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// PRE-PREPARE.
    PrePrepare = 1,
    /// PREPARE.
    Prepare = 2,
    /// CHECKPOINT.
    Checkpoint = 3,
    /// VIEW-CHANGE.
    ViewChange = 4,
    /// NEW-VIEW.
    NewView = 5,
    /// A gateway's body.
    Body = 6,
}

impl Codec for Kind {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }
    fn get(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match u8::get(reader)? {
            1 => Self::PrePrepare,
            2 => Self::Prepare,
            3 => Self::Checkpoint,
            4 => Self::ViewChange,
            5 => Self::NewView,
            6 => Self::Body,
            _ => return Err(Malformed),
        })
    }
}

/// A signed statement about one digest at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// What is stated.
    pub kind: Kind,
    /// The epoch.
    pub epoch: Epoch,
    /// The view, 0 where it has no meaning.
    pub view: View,
    /// The position, 0 where it has no meaning.
    pub seq: SeqNo,
    /// What it is about.
    pub digest: Digest,
    /// Who states it.
    pub signer: ReplicaId,
    /// The signature.
    pub signature: Signature,
}
codec_struct!(Vote { kind, epoch, view, seq, digest, signer, signature });

impl Vote {
    /// The bytes that are signed.
    fn signed_bytes(&self, cluster: &Digest) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(DOMAIN.len() + 96);
        bytes.extend_from_slice(DOMAIN);
        if !planted::is(Bug::ClusterNotSigned) {
            cluster.put(&mut bytes);
        }
        self.kind.put(&mut bytes);
        self.epoch.put(&mut bytes);
        if !planted::is(Bug::ViewNotSigned) {
            self.view.put(&mut bytes);
        }
        self.seq.put(&mut bytes);
        self.digest.put(&mut bytes);
        self.signer.put(&mut bytes);
        bytes
    }

    /// A short name of the statement, signature included.
    pub fn identity(&self) -> Digest {
        Digest::of_value("vote", self)
    }

    /// Whether both are about the same place and kind.
    pub fn is_same_place(&self, other: &Self) -> bool {
        (self.kind, self.epoch, self.view, self.seq, self.signer)
            == (other.kind, other.epoch, other.view, other.seq, other.signer)
    }
}

/// A node's secret.
#[derive(Clone)]
pub enum Keys {
    /// The real thing.
    Ed25519(Box<SigningKey>),
    /// Simulation only: a checksum that no actor of the simulator forges.
    #[cfg(test)]
    Mock(u64),
}

impl Keys {
    /// The key that others verify with.
    pub fn public(&self) -> PublicKey {
        match self {
            Self::Ed25519(key) => PublicKey(key.verifying_key().to_bytes()),
            #[cfg(test)]
            Self::Mock(secret) => mock::public(*secret),
        }
    }

    fn sign_bytes(&self, bytes: &[u8]) -> Signature {
        match self {
            Self::Ed25519(key) => Signature(key.sign(bytes).to_bytes()),
            #[cfg(test)]
            Self::Mock(_) => mock::sign(&self.public(), bytes),
        }
    }

    /// Fills in the signature of a vote.
    pub fn sign(&self, cluster: &Digest, mut vote: Vote) -> Vote {
        vote.signature = self.sign_bytes(&vote.signed_bytes(cluster));
        vote
    }

    /// Approves a change of membership.
    pub fn approve(&self, cluster: &Digest, change: &ConfigChange) -> Signature {
        self.sign_bytes(&approval_bytes(cluster, change))
    }
}

fn approval_bytes(cluster: &Digest, change: &ConfigChange) -> Vec<u8> {
    [b"aerolith/config/1\0".as_slice(), &cluster.0, &change.digest().0].concat()
}

/// A public key ready to verify with.
#[derive(Clone)]
enum Verifier {
    Ed25519(Box<Key>),
    #[cfg(test)]
    Mock(PublicKey),
}

impl Verifier {
    fn new(key: &PublicKey) -> Option<Self> {
        #[cfg(test)]
        if mock::is_mock(key) {
            return Some(Self::Mock(*key));
        }
        Some(Self::Ed25519(Box::new(Key::new(&key.0)?)))
    }

    /// False if the signature is bad for certain; otherwise `sum` will tell.
    fn verify(&self, bytes: &[u8], signature: &Signature, sum: &mut Sum) -> bool {
        match self {
            Self::Ed25519(key) => sum.add(key, bytes, &signature.0),
            #[cfg(test)]
            Self::Mock(key) => mock::sign(key, bytes) == *signature,
        }
    }
}

#[cfg(test)]
mod mock {
    //! Signatures for simulation: a 128-bit checksum keyed by the public key.
    use super::{PublicKey, Signature};

    const MARK: [u8; 8] = *b"MOCK-KEY";

    pub(super) fn public(secret: u64) -> PublicKey {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&MARK);
        key[8..16].copy_from_slice(&secret.to_be_bytes());
        PublicKey(key)
    }

    pub(super) fn is_mock(key: &PublicKey) -> bool {
        key.0[..8] == MARK
    }

    pub(super) fn sign(key: &PublicKey, bytes: &[u8]) -> Signature {
        let mut hash = [0xcbf2_9ce4_8422_2325_u64, 0x9e37_79b9_7f4a_7c15];
        for chunk in key.0[8..16].chunks(8).chain(bytes.chunks(8)) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let word = u64::from_le_bytes(word) ^ chunk.len() as u64;
            hash[0] = (hash[0] ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
            hash[1] = (hash[1].wrapping_add(word)).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(31);
        }
        let mut signature = [0; 64];
        signature[..8].copy_from_slice(&hash[0].to_be_bytes());
        signature[8..16].copy_from_slice(&hash[1].to_be_bytes());
        Signature(signature)
    }
}

/// Who the members of each epoch are, and what their keys are: all that verification needs.
#[derive(Clone)]
pub struct Directory {
    /// The cluster's name.
    pub cluster: Digest,
    administrators: Vec<Verifier>,
    approvals: usize,
    checkpoint_interval: u64,
    watermark_window: u64,
    /// By epoch, from the genesis on.
    epochs: Vec<(Arc<Membership>, BTreeMap<ReplicaId, Verifier>)>,
}

impl Directory {
    /// The directory that knows the genesis; `None` if a key is not a curve point or the members are not well formed.
    pub fn new(genesis: &Genesis) -> Option<Self> {
        let administrators = genesis.administrators.iter().map(Verifier::new).collect::<Option<_>>()?;
        let first = Membership { epoch: Epoch(0), base: SeqNo(0), members: genesis.members.clone() };
        let mut directory = Self {
            cluster: genesis.cluster,
            administrators,
            approvals: genesis.approvals,
            checkpoint_interval: genesis.checkpoint_interval,
            watermark_window: genesis.watermark_window,
            epochs: Vec::new(),
        };
        directory.learn(first).then_some(directory)
    }

    /// The members of an epoch, if known.
    pub fn membership(&self, epoch: Epoch) -> Option<&Arc<Membership>> {
        self.epochs.get(usize::try_from(epoch.0).ok()?).map(|(members, _)| members)
    }

    /// The newest known epoch.
    pub fn latest(&self) -> Epoch {
        Epoch(self.epochs.len() as u64 - 1)
    }

    /// Adds the epoch after the latest; the caller has seen its proof.
    pub(super) fn learn(&mut self, next: Membership) -> bool {
        let keys: Option<BTreeMap<_, _>> =
            next.members.iter().map(|member| Some((member.id, Verifier::new(&member.key)?))).collect();
        match keys {
            Some(keys) if next.epoch.0 == self.epochs.len() as u64 && Membership::is_well_formed(&next.members) => {
                self.epochs.push((Arc::new(next), keys));
                true
            }
            _ => false,
        }
    }

    /// Whether the node is or was a member.
    pub fn is_known(&self, id: ReplicaId) -> bool {
        self.epochs.iter().any(|(members, _)| members.member(id).is_some())
    }

    /// Whether every member's key can be used.
    pub(super) fn is_acceptable(members: &[Member]) -> bool {
        Membership::is_well_formed(members) && members.iter().all(|member| Verifier::new(&member.key).is_some())
    }

    fn check_vote(&self, vote: &Vote, kind: Kind, sum: &mut Sum) -> Result<&Arc<Membership>, Refusal> {
        if vote.kind != kind {
            return Err(Refusal::WrongKind);
        }
        let (members, keys) =
            usize::try_from(vote.epoch.0).ok().and_then(|at| self.epochs.get(at)).ok_or(Refusal::UnknownEpoch)?;
        let key = keys.get(&vote.signer).ok_or(Refusal::NotAMember)?;
        let is_waved_through = kind == Kind::Prepare && planted::is(Bug::SignatureUnchecked);
        if !is_waved_through && !key.verify(&vote.signed_bytes(&self.cluster), &vote.signature, sum) {
            return Err(Refusal::BadSignature);
        }
        Ok(members)
    }

    fn check_proposal_vote(&self, vote: &Vote, sum: &mut Sum) -> Result<&Arc<Membership>, Refusal> {
        let members = self.check_vote(vote, Kind::PrePrepare, sum)?;
        if vote.signer != members.primary(vote.view) && !planted::is(Bug::PrimaryUnchecked) {
            return Err(Refusal::NotThePrimary);
        }
        self.check_place(members, vote.epoch, vote.seq)?;
        Ok(members)
    }

    fn check_prepare(&self, vote: &Vote, sum: &mut Sum) -> Result<&Arc<Membership>, Refusal> {
        let members = self.check_vote(vote, Kind::Prepare, sum)?;
        // The primary's PRE-PREPARE is its PREPARE; a second voice would count it twice.
        if !members.is_voter(vote.signer)
            || (vote.signer == members.primary(vote.view) && !planted::is(Bug::PrimaryPreparesToo))
        {
            return Err(Refusal::NotAVoter);
        }
        self.check_place(members, vote.epoch, vote.seq)?;
        Ok(members)
    }

    /// A position belongs to exactly one epoch.
    fn check_place(&self, members: &Membership, epoch: Epoch, seq: SeqNo) -> Result<(), Refusal> {
        let end = self.membership(Epoch(epoch.0.saturating_add(1))).map(|next| next.base);
        let fits = seq > members.base && end.is_none_or(|end| seq <= end) && seq.0 < u64::MAX / 2;
        if fits { Ok(()) } else { Err(Refusal::WrongEpoch) }
    }

    /// Checks a stable checkpoint's certificate.
    pub fn check_cert(&self, cert: &CheckpointCert) -> Result<(), Refusal> {
        alone(|sum| self.check_stable(cert, sum))
    }

    fn check_stable(&self, cert: &CheckpointCert, sum: &mut Sum) -> Result<(), Refusal> {
        let members = self.membership(cert.epoch).ok_or(Refusal::UnknownEpoch)?;
        self.check_place(members, cert.epoch, cert.seq)?;
        let ascending = cert.signatures.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let needed = if planted::is(Bug::CertificateTooSmall) { 1 } else { members.quorum().q };
        if !ascending || cert.signatures.len() < needed {
            return Err(Refusal::NoQuorum);
        }
        let digest = cert.content.digest();
        for &(signer, signature) in &cert.signatures {
            let vote = Vote {
                kind: Kind::Checkpoint,
                epoch: cert.epoch,
                view: View(0),
                seq: cert.seq,
                digest,
                signer,
                signature,
            };
            self.check_vote(&vote, Kind::Checkpoint, sum)?;
            if !members.is_voter(signer) {
                return Err(Refusal::NotAVoter);
            }
        }
        Ok(())
    }

    fn check_prepared(&self, cert: &PreparedCert, sum: &mut Sum) -> Result<(), Refusal> {
        if planted::is(Bug::PreparedUnchecked) {
            return Ok(());
        }
        let members = self.check_proposal_vote(&cert.proposal, sum)?;
        let ascending = planted::is(Bug::RepeatedVotesInCertificate)
            || cert.prepares.windows(2).all(|pair| pair[0].signer < pair[1].signer);
        if !ascending || cert.prepares.len() + 1 < members.quorum().q {
            return Err(Refusal::NoQuorum);
        }
        let place = |vote: &Vote| (vote.epoch, vote.view, vote.seq, vote.digest);
        for prepare in &cert.prepares {
            if place(prepare) != place(&cert.proposal) {
                return Err(Refusal::Contradictory);
            }
            self.check_prepare(prepare, sum)?;
        }
        Ok(())
    }

    /// Checks a VIEW-CHANGE with everything inside it.
    fn check_view_change(&self, change: &ViewChange, sum: &mut Sum) -> Result<&Arc<Membership>, Refusal> {
        let vote = &change.vote;
        let members = self.check_vote(vote, Kind::ViewChange, sum)?;
        if !members.is_voter(vote.signer) || vote.view == View(0) {
            return Err(Refusal::NotAVoter);
        }
        if vote.digest != ViewChange::content(&change.stable, &change.prepared) {
            return Err(Refusal::WrongDigest);
        }
        match &change.stable {
            None if vote.epoch == Epoch(0) && vote.seq == SeqNo(0) => {}
            Some(cert) if cert.seq == vote.seq => {
                // Either a checkpoint of this epoch, or the last one of the epoch before.
                let is_base = cert.seq == members.base && cert.epoch.next_is(vote.epoch);
                if cert.epoch != vote.epoch && !is_base {
                    return Err(Refusal::WrongEpoch);
                }
                self.check_stable(cert, sum)?;
            }
            _ => return Err(Refusal::Contradictory),
        }
        let mut last = vote.seq;
        for cert in &change.prepared {
            let proposal = &cert.proposal;
            let in_window = proposal.seq > last && proposal.seq <= vote.seq.plus(self.watermark_window);
            if !in_window || proposal.epoch != vote.epoch || proposal.view >= vote.view {
                return Err(Refusal::Contradictory);
            }
            last = proposal.seq;
            self.check_prepared(cert, sum)?;
        }
        Ok(members)
    }

    fn check_new_view(&self, new: &NewView, sum: &mut Sum) -> Result<(), Refusal> {
        let vote = &new.vote;
        let members = self.check_vote(vote, Kind::NewView, sum)?.clone();
        if vote.signer != members.primary(vote.view) {
            return Err(Refusal::NotThePrimary);
        }
        if vote.digest != NewView::content(&new.changes, &new.proposals) {
            return Err(Refusal::WrongDigest);
        }
        let ascending = new.changes.windows(2).all(|pair| pair[0].vote.signer < pair[1].vote.signer);
        let needed = if planted::is(Bug::NewViewQuorumUnchecked) { 1 } else { members.quorum().q };
        if !ascending || new.changes.len() < needed {
            return Err(Refusal::NoQuorum);
        }
        for change in &new.changes {
            if (change.vote.epoch, change.vote.view) != (vote.epoch, vote.view) {
                return Err(Refusal::Contradictory);
            }
            self.check_view_change(change, sum)?;
        }
        // Every backup computes O again from V and accepts nothing else (P5).
        let plan = Plan::of(&new.changes);
        let same = |vote: &Vote, (seq, digest): (&SeqNo, &Digest)| vote.seq == *seq && vote.digest == *digest;
        let is_planned = plan.proposals.len() == new.proposals.len()
            && new.proposals.iter().zip(&plan.proposals).all(|(vote, planned)| same(vote, planned));
        if !is_planned && !planted::is(Bug::PlanNotRecomputed) {
            return Err(Refusal::WrongPlan);
        }
        for proposal in &new.proposals {
            if (proposal.epoch, proposal.view) != (vote.epoch, vote.view) {
                return Err(Refusal::Contradictory);
            }
            self.check_proposal_vote(proposal, sum)?;
        }
        Ok(())
    }

    fn check_body(&self, signed: &SignedBody, sum: &mut Sum) -> Result<(), Refusal> {
        let SignedBody { vote, body } = signed;
        self.check_vote(vote, Kind::Body, sum)?;
        if vote.signer != body.gateway || vote.view != View(body.incarnation) || vote.seq != SeqNo(body.number) {
            return Err(Refusal::Contradictory);
        }
        let is_huge = body.requests.len() > ENTRIES_MAX || body.size() > BODY_BYTES_MAX;
        if body.requests.is_empty() || is_huge || body.number == 0 {
            return Err(Refusal::Oversized);
        }
        if vote.digest != body.digest() && !planted::is(Bug::BodyUnchecked) {
            return Err(Refusal::WrongDigest);
        }
        body.requests.iter().try_for_each(|request| match &request.operation {
            Operation::Data(_) => Ok(()),
            Operation::Configure(change) => self.check_change(change, sum),
        })
    }

    /// Whether enough administrators approved the change.
    fn check_change(&self, change: &ConfigChange, sum: &mut Sum) -> Result<(), Refusal> {
        let ascending = change.approvals.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !ascending || change.approvals.len() < self.approvals || !Self::is_acceptable(&change.members) {
            return Err(Refusal::NoQuorum);
        }
        if planted::is(Bug::ApprovalsUnchecked) {
            return Ok(());
        }
        let bytes = approval_bytes(&self.cluster, change);
        let is_valid = |(index, signature): &(u32, Signature)| {
            self.administrators.get(*index as usize).is_some_and(|key| key.verify(&bytes, signature, sum))
        };
        if change.approvals.iter().all(is_valid) { Ok(()) } else { Err(Refusal::BadSignature) }
    }

    fn check_epoch(&self, proof: &EpochProof, sum: &mut Sum) -> Result<(), Refusal> {
        self.check_stable(&proof.cert, sum)?;
        let current = self.membership(proof.cert.epoch).ok_or(Refusal::UnknownEpoch)?;
        let follows = proof.cert.epoch.next_is(proof.next.epoch) && proof.next.base == proof.cert.seq;
        if !follows || !proof.cert.seq.0.is_multiple_of(self.checkpoint_interval) {
            return Err(Refusal::Contradictory);
        }
        let is_certified = members_digest(current, &Some(proof.next.clone())) == proof.cert.content.members;
        if !is_certified && !planted::is(Bug::EpochUnchecked) {
            return Err(Refusal::WrongDigest);
        }
        Ok(())
    }

    fn check_probe_reply(&self, reply: &ProbeReply, sum: &mut Sum) -> Result<(), Refusal> {
        if reply.votes.len() > 2 {
            return Err(Refusal::Oversized);
        }
        for vote in &reply.votes {
            if !matches!(vote.kind, Kind::PrePrepare | Kind::Prepare | Kind::ViewChange) {
                return Err(Refusal::WrongKind);
            }
            self.check_vote(vote, vote.kind, sum)?;
        }
        Ok(())
    }
}

impl Epoch {
    /// Whether `other` is the epoch after this one.
    pub fn next_is(self, other: Self) -> bool {
        self.0.checked_add(1) == Some(other.0)
    }
}

/// The digest that a checkpoint vote binds the members with.
pub fn members_digest(current: &Membership, next: &Option<Membership>) -> Digest {
    Digest::of("members", &[encode(current), encode(next)].concat())
}

/// No body is larger.
pub const BODY_BYTES_MAX: usize = 8 << 20;

/// No batch or body has more entries.
pub const ENTRIES_MAX: usize = 65_536;

/// Why a message was dropped; every drop is counted under its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refusal {
    /// The vote is of another kind than its place in the message demands.
    #[error("vote of the wrong kind")]
    WrongKind,
    /// No membership is known for the epoch.
    #[error("unknown epoch")]
    UnknownEpoch,
    /// The position does not belong to the epoch, or the epoch is over.
    #[error("wrong epoch")]
    WrongEpoch,
    /// The signer or sender is not a member.
    #[error("not a member")]
    NotAMember,
    /// The signer does not vote, or not in this phase.
    #[error("not a voter")]
    NotAVoter,
    /// Only the primary may say this.
    #[error("not the primary")]
    NotThePrimary,
    /// The signature does not verify.
    #[error("bad signature")]
    BadSignature,
    /// The signed digest is not that of the content.
    #[error("wrong digest")]
    WrongDigest,
    /// The parts of the message do not fit each other.
    #[error("contradictory")]
    Contradictory,
    /// Too few distinct voters.
    #[error("no quorum")]
    NoQuorum,
    /// NEW-VIEW proposes something other than its VIEW-CHANGEs demand.
    #[error("wrong plan")]
    WrongPlan,
    /// Too large, or empty.
    #[error("oversized")]
    Oversized,
    /// Of a view that is over.
    #[error("stale")]
    Stale,
    /// The position is outside the watermarks.
    #[error("outside the watermarks")]
    OutsideWatermarks,
    /// Already known.
    #[error("duplicate")]
    Duplicate,
    /// The sender said otherwise before.
    #[error("equivocation")]
    Equivocation,
    /// The buffer for this peer is full.
    #[error("buffer full")]
    BufferFull,
    /// Nobody asked for it.
    #[error("unsolicited")]
    Unsolicited,
    /// The primary's clock is too far from ours.
    #[error("time out of bounds")]
    TimeOutOfBounds,
    /// The replica is halted, starting, or does not vote.
    #[error("not taking part")]
    NotTakingPart,
}

/// Something whose origin and inner consistency have been checked; only [`verify`] makes one.
#[derive(Clone, Debug)]
pub struct Verified<T> {
    from: ReplicaId,
    value: T,
}

impl<T> Verified<T> {
    /// The authenticated sender (the other end of the channel; a signed message may have been made by a third).
    pub fn from(&self) -> ReplicaId {
        self.from
    }
    /// What was checked.
    pub fn value(&self) -> &T {
        &self.value
    }
    pub(super) fn into_parts(self) -> (ReplicaId, T) {
        (self.from, self.value)
    }
}

/// Checks a message that arrived through the authenticated channel from `from`.
pub fn verify(directory: &Directory, from: ReplicaId, message: Message) -> Result<Verified<Message>, Refusal> {
    alone(|sum| check(directory, from, &message, sum))?;
    Ok(Verified { from, value: message })
}

/// Checks messages that have gathered, each as [`verify`] would, with all their signatures as one sum.
pub fn verify_all(
    directory: &Directory,
    messages: Vec<(ReplicaId, Message)>,
) -> Vec<Result<Verified<Message>, Refusal>> {
    let mut sum = Sum::default();
    let mut check_one = |(from, message): (ReplicaId, Message)| match check(directory, from, &message, &mut sum) {
        Ok(()) => Ok(Verified { from, value: message }),
        Err(refusal) => Err(refusal),
    };
    let checked: Vec<_> = messages.into_iter().map(&mut check_one).collect();
    if sum.is_good() {
        return checked;
    }
    // Somebody's is bad: each for itself.
    checked
        .into_iter()
        .map(|checked| checked.and_then(|Verified { from, value }| verify(directory, from, value)))
        .collect()
}

/// A check whose signatures are verified at its end.
fn alone(check: impl FnOnce(&mut Sum) -> Result<(), Refusal>) -> Result<(), Refusal> {
    let mut sum = Sum::default();
    check(&mut sum)?;
    if sum.is_good() { Ok(()) } else { Err(Refusal::BadSignature) }
}

fn check(directory: &Directory, from: ReplicaId, message: &Message, sum: &mut Sum) -> Result<(), Refusal> {
    match message {
        Message::PrePrepare(proposal) => {
            directory.check_proposal_vote(&proposal.vote, sum)?;
            check_batch(&proposal.batch)?;
            let is_named = proposal.batch.digest() == proposal.vote.digest || planted::is(Bug::BatchUnchecked);
            if is_named { Ok(()) } else { Err(Refusal::WrongDigest) }
        }
        Message::Prepare(vote) => directory.check_prepare(vote, sum).map(|_| ()),
        Message::Commit(commit) => {
            let members = directory.membership(commit.epoch).ok_or(Refusal::UnknownEpoch)?;
            if members.is_voter(from) { Ok(()) } else { Err(Refusal::NotAVoter) }
        }
        Message::Checkpoint(checkpoint) => {
            let members = directory.check_vote(&checkpoint.vote, Kind::Checkpoint, sum)?;
            directory.check_place(members, checkpoint.vote.epoch, checkpoint.vote.seq)?;
            if checkpoint.vote.view != View(0) {
                return Err(Refusal::Contradictory);
            }
            if checkpoint.content.digest() == checkpoint.vote.digest { Ok(()) } else { Err(Refusal::WrongDigest) }
        }
        Message::ViewChange(change) => directory.check_view_change(change, sum).map(|_| ()),
        Message::NewView(new) => directory.check_new_view(new, sum),
        Message::Body(signed) => directory.check_body(signed, sum),
        Message::Stable(cert) => directory.check_stable(cert, sum),
        Message::Epoch(proof) => directory.check_epoch(proof, sum),
        Message::ProbeReply(reply) => {
            check_sender(directory, from)?;
            directory.check_probe_reply(reply, sum)
        }
        Message::Fetch(fetch) if fetch.batches.len() + fetch.bodies.len() > FETCH_MAX => Err(Refusal::Oversized),
        Message::Batch(batch) => check_batch(batch),
        Message::Committed(committed) => {
            check_sender(directory, from)?;
            check_batch(&committed.batch)
        }
        Message::Fetch(_)
        | Message::Status(_)
        | Message::StateRequest(_)
        | Message::Manifest(_)
        | Message::Chunk(_)
        | Message::Probe(_) => check_sender(directory, from),
    }
}

/// No FETCH asks for more.
pub const FETCH_MAX: usize = 256;

fn check_sender(directory: &Directory, from: ReplicaId) -> Result<(), Refusal> {
    if directory.is_known(from) { Ok(()) } else { Err(Refusal::NotAMember) }
}

/// A batch names each body once and is not absurdly long.
fn check_batch(batch: &Batch) -> Result<(), Refusal> {
    let distinct: BTreeSet<&Digest> = batch.bodies.iter().collect();
    if batch.bodies.len() > ENTRIES_MAX {
        Err(Refusal::Oversized)
    } else if distinct.len() != batch.bodies.len() {
        Err(Refusal::Contradictory)
    } else {
        Ok(())
    }
}

impl Directory {
    /// Whether the signature of a vote is good, whatever it is about.
    pub fn is_signed(&self, vote: &Vote) -> bool {
        alone(|sum| self.check_vote(vote, vote.kind, sum).map(|_| ())).is_ok()
    }
}
