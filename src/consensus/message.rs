//! What replicas say to each other. Signed kinds carry a [`Vote`]; the rest is either authenticated by the channel it
//! came through (COMMIT, STATUS, assertions) or proves itself by its content (anything fetched by digest, certificates).

use super::codec::{Bytes, codec_enum, codec_struct, encode};
use super::signed::{Signature, Vote};
use super::types::{Batch, Body, Digest, Epoch, Membership, ReplicaId, SeqNo, View};
use std::sync::Arc;

/// A message between two nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The primary proposes a batch for a position.
    PrePrepare(Proposal),
    /// A backup has accepted the proposal of this view and position.
    Prepare(Vote),
    /// The sender holds a durable prepared certificate. Unsigned: it only drives the receiver's own decision.
    Commit(Commit),
    /// The sender's state after executing a position.
    Checkpoint(Arc<CheckpointVote>),
    /// The sender leaves its view.
    ViewChange(Arc<ViewChange>),
    /// The primary of a new view shows why and how it begins.
    NewView(Arc<NewView>),
    /// Requests from a gateway.
    Body(Arc<SignedBody>),
    /// A batch somebody asked for; its digest is its proof.
    Batch(Arc<Batch>),
    /// The sender lacks these.
    Fetch(Fetch),
    /// Where the sender stands; the receiver sends what it lacks.
    Status(Status),
    /// The sender has committed this; f+1 voices suffice to believe it.
    Committed(Committed),
    /// A stable checkpoint.
    Stable(Arc<CheckpointCert>),
    /// How one epoch handed over to the next.
    Epoch(Arc<EpochProof>),
    /// The sender wants a checkpointed state: the manifest, or one chunk of it.
    StateRequest(StateRequest),
    /// The outline of a checkpointed state.
    Manifest(Arc<Manifest>),
    /// A part of a checkpointed state.
    Chunk(Arc<Chunk>),
    /// The sender has just started and asks what it may have said before.
    Probe(Probe),
    /// The latest votes of the asker that the sender holds.
    ProbeReply(ProbeReply),
}
codec_enum!(Message {
    1 => PrePrepare, 2 => Prepare, 3 => Commit, 4 => Checkpoint, 5 => ViewChange, 6 => NewView, 7 => Body, 8 => Batch,
    9 => Fetch, 10 => Status, 11 => Committed, 12 => Stable, 13 => Epoch, 14 => StateRequest, 15 => Manifest,
    16 => Chunk, 17 => Probe, 18 => ProbeReply,
});

impl Message {
    /// The kind's name, for traces.
    pub fn name(&self) -> &'static str {
        match self {
            Self::PrePrepare(_) => "PRE-PREPARE",
            Self::Prepare(_) => "PREPARE",
            Self::Commit(_) => "COMMIT",
            Self::Checkpoint(_) => "CHECKPOINT",
            Self::ViewChange(_) => "VIEW-CHANGE",
            Self::NewView(_) => "NEW-VIEW",
            Self::Body(_) => "BODY",
            Self::Batch(_) => "BATCH",
            Self::Fetch(_) => "FETCH",
            Self::Status(_) => "STATUS",
            Self::Committed(_) => "COMMITTED",
            Self::Stable(_) => "STABLE",
            Self::Epoch(_) => "EPOCH",
            Self::StateRequest(_) => "STATE-REQUEST",
            Self::Manifest(_) => "MANIFEST",
            Self::Chunk(_) => "CHUNK",
            Self::Probe(_) => "PROBE",
            Self::ProbeReply(_) => "PROBE-REPLY",
        }
    }
}

/// PRE-PREPARE: the signed name of a batch, and the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The primary's vote; its digest is the batch's.
    pub vote: Vote,
    /// The batch.
    pub batch: Arc<Batch>,
}
codec_struct!(Proposal { vote, batch });

/// COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The epoch.
    pub epoch: Epoch,
    /// The view in which the batch was prepared.
    pub view: View,
    /// The position.
    pub seq: SeqNo,
    /// The batch.
    pub digest: Digest,
}
codec_struct!(Commit { epoch, view, seq, digest });

/// Proof that a quorum accepted one batch for a position in one view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedCert {
    /// The primary's vote, which counts as its PREPARE.
    pub proposal: Vote,
    /// q−1 votes of distinct backups for the same digest, ascending by signer.
    pub prepares: Vec<Vote>,
}
codec_struct!(PreparedCert { proposal, prepares });

/// Everything that replicas must agree on after a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointContent {
    /// The digest of the position's header, hence of the history.
    pub header: Digest,
    /// The root of the mountain range over all headers.
    pub log_root: Digest,
    /// The root of the state machine's state.
    pub state_root: Digest,
    /// The digest of this epoch's members and, if decided, the next one's.
    pub members: Digest,
    /// The digest of the tables behind exactly-once execution.
    pub dedupe: Digest,
}
codec_struct!(CheckpointContent { header, log_root, state_root, members, dedupe });

impl CheckpointContent {
    /// What a vote signs.
    pub fn digest(&self) -> Digest {
        Digest::of_value("checkpoint", self)
    }
}

/// CHECKPOINT: one replica's voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointVote {
    /// Signed over position and content.
    pub vote: Vote,
    /// The content.
    pub content: CheckpointContent,
}
codec_struct!(CheckpointVote { vote, content });

/// q CHECKPOINT votes for the same content: a transferable proof of state and history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointCert {
    /// The epoch of the position.
    pub epoch: Epoch,
    /// The position.
    pub seq: SeqNo,
    /// What is certified.
    pub content: CheckpointContent,
    /// Signatures of distinct voters, ascending.
    pub signatures: Vec<(ReplicaId, Signature)>,
}
codec_struct!(CheckpointCert { epoch, seq, content, signatures });

/// VIEW-CHANGE(v, h, C, P).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewChange {
    /// `view` is the one wanted, `seq` is h, `digest` covers the rest.
    pub vote: Vote,
    /// The proof of h; absent only at the genesis.
    pub stable: Option<Arc<CheckpointCert>>,
    /// The newest prepared certificate of every position above h that has one, ascending.
    pub prepared: Vec<PreparedCert>,
}
codec_struct!(ViewChange { vote, stable, prepared });

impl ViewChange {
    /// What the vote signs.
    pub fn content(stable: &Option<Arc<CheckpointCert>>, prepared: &Vec<PreparedCert>) -> Digest {
        let mut bytes = encode(stable);
        super::codec::Codec::put(prepared, &mut bytes);
        Digest::of("view-change", &bytes)
    }
}

/// NEW-VIEW(v, V, O).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewView {
    /// Signed by the new primary over the rest.
    pub vote: Vote,
    /// q VIEW-CHANGEs of distinct voters for this view, ascending.
    pub changes: Vec<Arc<ViewChange>>,
    /// The primary's vote for every position that `changes` leave open.
    pub proposals: Vec<Vote>,
}
codec_struct!(NewView { vote, changes, proposals });

impl NewView {
    /// What the vote signs.
    pub fn content(changes: &[Arc<ViewChange>], proposals: &[Vote]) -> Digest {
        let changes: Vec<Digest> = changes.iter().map(|change| change.vote.identity()).collect();
        let proposals: Vec<Digest> = proposals.iter().map(Vote::identity).collect();
        Digest::of("new-view", &[encode(&changes), encode(&proposals)].concat())
    }
}

/// A body with its gateway's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBody {
    /// Signed by the gateway over the body's digest.
    pub vote: Vote,
    /// The body.
    pub body: Body,
}
codec_struct!(SignedBody { vote, body });

/// Content wanted by digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetch {
    /// Batches.
    pub batches: Vec<Digest>,
    /// Bodies.
    pub bodies: Vec<Digest>,
}
codec_struct!(Fetch { batches, bodies });

/// STATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The sender's epoch.
    pub epoch: Epoch,
    /// The newest epoch whose members it knows; ahead of `epoch` while it catches up.
    pub known: Epoch,
    /// The view it is in, or wants to enter.
    pub view: View,
    /// Whether it is in that view rather than waiting for its NEW-VIEW.
    pub active: bool,
    /// Its stable checkpoint.
    pub stable: SeqNo,
    /// Its last executed position.
    pub executed: SeqNo,
}
codec_struct!(Status { epoch, known, view, active, stable, executed });

/// One replica's word that a batch was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The position.
    pub seq: SeqNo,
    /// The batch.
    pub batch: Arc<Batch>,
}
codec_struct!(Committed { seq, batch });

/// Shows the members of the epoch after `cert.epoch`: the certificate of its last position binds their digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochProof {
    /// The stable checkpoint at which the epoch changed.
    pub cert: CheckpointCert,
    /// The next epoch's members.
    pub next: Membership,
}
codec_struct!(EpochProof { cert, next });

/// Asks for the manifest (`chunk` absent) or a chunk of the state at `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateRequest {
    /// The stable checkpoint.
    pub seq: SeqNo,
    /// The chunk's number.
    pub chunk: Option<u32>,
}
codec_struct!(StateRequest { seq, chunk });

/// What a checkpointed state consists of; checked against the certificate before anything is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The position.
    pub seq: SeqNo,
    /// The encoded [`Ledger`](super::ledger::Ledger).
    pub ledger: Bytes,
    /// Digests of the state machine's chunks; their digest is the state root.
    pub chunks: Vec<Digest>,
}
codec_struct!(Manifest { seq, ledger, chunks });

/// One chunk of a state machine's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The position.
    pub seq: SeqNo,
    /// Its place in the manifest.
    pub index: u32,
    /// Its content.
    pub bytes: Bytes,
}
codec_struct!(Chunk { seq, index, bytes });

impl Chunk {
    /// A chunk's name in the manifest.
    pub fn digest(bytes: &[u8]) -> Digest {
        Digest::of("chunk", bytes)
    }
    /// The state root: the digest of the manifest.
    pub fn root(chunks: &Vec<Digest>) -> Digest {
        Digest::of_value("state", chunks)
    }
}

/// PROBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Tells answers to this start from answers to an earlier one.
    pub incarnation: u64,
}
codec_struct!(Probe { incarnation });

/// The answer to PROBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReply {
    /// From the probe.
    pub incarnation: u64,
    /// The asker's own latest PRE-PREPARE or PREPARE and its latest VIEW-CHANGE.
    pub votes: Vec<Vote>,
}
codec_struct!(ProbeReply { incarnation, votes });
