//! The words of the protocol: numbers, digests, requests, batches, members and the parameters they run under.

use super::codec::{Bytes, Codec, Malformed, Reader, codec_enum, codec_struct, encode};
use super::planted::{self, Bug};
use super::quorum::Quorum;
use super::signed::{PublicKey, Signature};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub $inner);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
        codec_struct!($name { 0 });
    };
}

number!(
    /// The number of a primary's reign within an epoch.
    View, u64, "v"
);
number!(
    /// A position in the log; the first batch is 1, 0 is the genesis.
    SeqNo, u64, "s"
);
number!(
    /// The number of a membership.
    Epoch, u64, "e"
);
number!(
    /// A node's number, given once by the membership and never reused for another key.
    ReplicaId, u32, "r"
);
number!(
    /// A client's session, a random number that survives reconnecting to another gateway.
    ClientId, u128, "c"
);

impl SeqNo {
    /// The position `count` further on.
    pub fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
    /// The next position.
    pub fn next(self) -> Self {
        self.plus(1)
    }
}

impl View {
    /// The next view.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The local clocks at the moment of a step, both in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Never goes back while the process lives; measures timeouts.
    pub monotonic: u64,
    /// Wall clock since 1970; only bounds the primary's timestamps, never decides order.
    pub wall: u64,
}

/// A digest: SHA-256, which verifiers everywhere know; BLAKE3 of a body, which may be large.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);
codec_struct!(Digest { 0 });

impl Digest {
    /// The digest of `bytes` in the named domain; two domains never yield the same input to the hash.
    pub fn of(domain: &str, bytes: &[u8]) -> Self {
        let mut hash = Self::hasher(domain);
        hash.update(bytes);
        Self(hash.finalize().into())
    }

    fn hasher(domain: &str) -> Sha256 {
        let mut hash = Sha256::new();
        hash.update([domain.len() as u8]);
        hash.update(domain.as_bytes());
        hash
    }

    /// The digest of a value's canonical encoding.
    pub fn of_value<T: Codec>(domain: &str, value: &T) -> Self {
        Self::of(domain, &encode(value))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a client wants ordered, exactly once per (client, number).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whose request.
    pub client: ClientId,
    /// Grows with each request of the client; the client waits for one before it sends the next.
    pub number: u64,
    /// What to do.
    pub operation: Operation,
}
codec_struct!(Request { client, number, operation });

/// The content of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Bytes for the state machine.
    Data(Bytes),
    /// A change of the membership, decided by the cluster's administrators.
    Configure(ConfigChange),
}
codec_enum!(Operation { 0 => Data, 1 => Configure });

/// A signed wish for the next epoch's membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// The epoch that the change leaves; the change is void in every other one.
    pub from: Epoch,
    /// The members of the next epoch.
    pub members: Vec<Member>,
    /// Administrators' signatures, by their place in the genesis, ascending.
    pub approvals: Vec<(u32, Signature)>,
}
codec_struct!(ConfigChange { from, members, approvals });

impl ConfigChange {
    /// What administrators sign.
    pub fn digest(&self) -> Digest {
        Digest::of("config", &[encode(&self.from), encode(&self.members)].concat())
    }
}

/// Requests that one gateway packed, signed once and sent to everybody; the unit of dissemination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The node that the clients are connected to.
    pub gateway: ReplicaId,
    /// Grows with each start of the gateway, so that numbering may begin again after a crash.
    pub incarnation: u64,
    /// 1, 2, 3, ... within an incarnation; bodies of a gateway are executed in this order without gaps.
    pub number: u64,
    /// The requests.
    pub requests: Vec<Request>,
}
codec_struct!(Body { gateway, incarnation, number, requests });

/// The place of a body in its gateway's stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BodyId {
    /// The gateway.
    pub gateway: ReplicaId,
    /// Its incarnation.
    pub incarnation: u64,
    /// The number within it.
    pub number: u64,
}

impl Body {
    /// The body's digest: BLAKE3 of its encoding, without writing down the large parts first.
    pub fn digest(&self) -> Digest {
        let mut hash = blake3::Hasher::new();
        hash.update(b"\x04body");
        let mut bytes = encode(&(self.gateway, (self.incarnation, self.number)));
        bytes.extend_from_slice(&(self.requests.len() as u32).to_be_bytes());
        for request in &self.requests {
            match &request.operation {
                Operation::Data(data) => {
                    bytes.extend(encode(&(request.client, (request.number, 0_u8))));
                    bytes.extend_from_slice(&(data.0.len() as u32).to_be_bytes());
                    hash.update(&bytes);
                    hash.update(&data.0);
                    bytes.clear();
                }
                Operation::Configure(_) => request.put(&mut bytes),
            }
        }
        hash.update(&bytes);
        Digest(hash.finalize().into())
    }
    /// The body's place in its gateway's stream.
    pub fn id(&self) -> BodyId {
        BodyId { gateway: self.gateway, incarnation: self.incarnation, number: self.number }
    }
    /// A close estimate of the encoded size.
    pub fn size(&self) -> usize {
        let payload = |request: &Request| match &request.operation {
            Operation::Data(bytes) => bytes.0.len(),
            Operation::Configure(change) => change.members.len() * 128,
        };
        self.requests.iter().map(|request| 32 + payload(request)).sum::<usize>() + 32
    }
}

/// What the primary proposes for one position: names of bodies and a time. It says nothing of view or position, so that
/// the same batch keeps its digest when a later primary proposes it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Digests of bodies, in the order of execution.
    pub bodies: Vec<Digest>,
    /// The primary's wall clock in microseconds; 0 in the null batch.
    pub time: u64,
}
codec_struct!(Batch { bodies, time });

impl Batch {
    /// The batch's digest.
    pub fn digest(&self) -> Digest {
        Digest::of_value("batch", self)
    }
    /// The batch that fills gaps after a view change.
    pub fn null() -> Arc<Self> {
        Arc::new(Self::default())
    }
}

/// The certified description of an executed position. Carries no view: two replicas may commit the same batch in
/// different views and must still write the same history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The epoch of the position.
    pub epoch: Epoch,
    /// The position.
    pub seq: SeqNo,
    /// The digest of the header before.
    pub previous: Digest,
    /// The digest of the batch.
    pub batch: Digest,
    /// The time of the batch, never smaller than that of the header before.
    pub time: u64,
}
codec_struct!(Header { epoch, seq, previous, batch, time });

/// Whether a member votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Counts towards quorums.
    Voter,
    /// Receives log and state, and may be a gateway; a future voter.
    Learner,
}

impl Codec for Role {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self == Role::Learner));
    }
    fn get(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(if bool::get(reader)? { Role::Learner } else { Role::Voter })
    }
}

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub id: ReplicaId,
    /// The key it signs with.
    pub key: PublicKey,
    /// Whether it votes.
    pub role: Role,
}
codec_struct!(Member { id, key, role });

/// The members of one epoch, ascending by id, and the position after which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The epoch.
    pub epoch: Epoch,
    /// Positions above this one belong to the epoch (up to the next epoch's base).
    pub base: SeqNo,
    /// The members.
    pub members: Vec<Member>,
}
codec_struct!(Membership { epoch, base, members });

impl Membership {
    /// The member with this number.
    pub fn member(&self, id: ReplicaId) -> Option<&Member> {
        self.members.binary_search_by_key(&id, |member| member.id).ok().map(|at| &self.members[at])
    }
    /// Whether `id` votes.
    pub fn is_voter(&self, id: ReplicaId) -> bool {
        self.member(id).is_some_and(|member| member.role == Role::Voter)
    }
    /// The voters, ascending.
    pub fn voters(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.members.iter().filter(|member| member.role == Role::Voter).map(|member| member.id)
    }
    /// The quorum sizes.
    pub fn quorum(&self) -> Quorum {
        let mut quorum = Quorum::of(self.voters().count());
        if planted::is(Bug::QuorumTooSmall) {
            quorum.q = (quorum.q - 1).max(1);
        }
        quorum
    }
    /// The primary of a view. An epoch starts at view 0; the epoch's number turns the wheel so that successive epochs do
    /// not all begin with the same (perhaps dead) member.
    pub fn primary(&self, view: View) -> ReplicaId {
        let n = self.voters().count() as u64;
        let turn = (view.0 % n + self.epoch.0 % n) % n;
        self.voters().nth(turn as usize).expect("a membership has a voter")
    }
    /// Whether the list is well formed: ascending, unique, with at least one voter and at most `MEMBERS_MAX` members.
    pub fn is_well_formed(members: &[Member]) -> bool {
        members.len() <= MEMBERS_MAX
            && members.windows(2).all(|pair| pair[0].id < pair[1].id)
            && members.iter().any(|member| member.role == Role::Voter)
    }
}

/// The largest membership.
pub const MEMBERS_MAX: usize = 64;

/// What every node of a cluster agrees on before the first message.
#[derive(Clone, Debug)]
pub struct Genesis {
    /// A random name; signatures of one cluster mean nothing in another.
    pub cluster: Digest,
    /// The first epoch's members.
    pub members: Vec<Member>,
    /// The keys that may change the membership.
    pub administrators: Vec<PublicKey>,
    /// How many of them it takes.
    pub approvals: usize,
    /// Positions between checkpoints (K).
    pub checkpoint_interval: u64,
    /// No executed batch waits longer than this for a checkpoint, in microseconds of batch time.
    pub checkpoint_time: u64,
    /// Positions above the stable checkpoint that may be voted on (L), a multiple of K.
    pub watermark_window: u64,
    /// A client silent for this many positions is forgotten at the next checkpoint.
    pub client_retention: u64,
}

/// What a node decides for itself. All durations in microseconds.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// Proposals in flight at the primary.
    pub pipeline: u64,
    /// Bodies of this node in flight; further requests gather in the next one.
    pub gateway_pipeline: u64,
    /// A body is closed at this size.
    pub body_bytes_max: usize,
    /// A batch is closed at this size.
    pub batch_bytes_max: usize,
    /// A body or a batch holds at most so many entries.
    pub batch_entries_max: usize,
    /// With proposals in flight, wait so long for company before proposing a small batch.
    pub batch_wait: u64,
    /// Requests waiting at this gateway; more are refused.
    pub queue_max: usize,
    /// Bodies kept per gateway ahead of execution.
    pub bodies_per_gateway_max: u64,
    /// And their size; what does not fit is fetched when a batch names it.
    pub bytes_per_gateway_max: usize,
    /// How long the oldest body may wait for execution before the primary is deposed.
    pub request_timeout: u64,
    /// How long a view change may take, doubled with each failure.
    pub view_timeout: u64,
    /// The doubling stops here.
    pub timeout_max: u64,
    /// Batches executed in a view before the doubled timeout is forgotten.
    pub backoff_reset: u64,
    /// How often STATUS is sent while something is missing; ten times rarer when idle.
    pub status_interval: u64,
    /// How far the primary's clock may be from ours.
    pub time_slack: u64,
    /// A primary that proposes no slower than this is never deposed for slowness.
    pub proposal_delay_floor: u64,
    /// Messages for a later view kept per peer.
    pub future_max: usize,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            pipeline: 16,
            gateway_pipeline: 4,
            body_bytes_max: 1 << 20,
            batch_bytes_max: 1 << 20,
            batch_entries_max: 4096,
            batch_wait: 500,
            queue_max: 65_536,
            bodies_per_gateway_max: 32,
            bytes_per_gateway_max: 64 << 20,
            request_timeout: 300_000,
            view_timeout: 500_000,
            timeout_max: 60_000_000,
            backoff_reset: 8,
            status_interval: 50_000,
            time_slack: 1_000_000,
            proposal_delay_floor: 40_000,
            future_max: 64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_a_body_is_that_of_its_encoding() {
        let change = ConfigChange { from: Epoch(3), members: Vec::new(), approvals: Vec::new() };
        let operations = [
            Operation::Data(Bytes::from(vec![1, 2, 3])),
            Operation::Configure(change),
            Operation::Data(Bytes::from(vec![])),
        ];
        let request = |(at, operation)| Request { client: ClientId(7), number: at as u64, operation };
        let requests: Vec<Request> = operations.into_iter().enumerate().map(request).collect();
        for count in 0..=requests.len() {
            let body = Body { gateway: ReplicaId(9), incarnation: 4, number: 5, requests: requests[..count].to_vec() };
            let expected = blake3::hash(&[b"\x04body".as_slice(), &encode(&body)].concat());
            assert_eq!(body.digest(), Digest(expected.into()), "{count} requests");
        }
    }
}
