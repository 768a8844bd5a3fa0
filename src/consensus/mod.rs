//! Consensus: PBFT as a value you step.
//!
//! A [`Replica`] is a plain value. [`Replica::step`] takes the time and one [`Input`], and returns the [`Output`]s in the
//! order in which they must happen. There is no clock, randomness, disk, socket, thread or hash map inside: the same
//! inputs give the same outputs, so a whole cluster runs in a loop (`simulator`), and a failure is a number.
//!
//! ```text
//!  client ──request──▶ gateway ══BODY══▶ everybody            n replicas, f = ⌊(n−1)/3⌋ may lie
//!                                                             q = ⌈(n+f+1)/2⌉ make a decision
//!  primary  ──PRE-PREPARE──▶ backups                          "position 7 is batch d"         signed
//!  backups  ──PREPARE──────▶ everybody                        "I have seen that"              signed
//!  everybody: q−1 matching PREPAREs = certificate ─▶ disk     the only sync on the path
//!  everybody ──COMMIT──────▶ everybody                        "my certificate is durable"     unsigned
//!  q COMMITs of one view ─▶ execute in order                  every K positions: CHECKPOINT   signed
//! ```
//!
//! # The rules
//!
//! 1. *Quorums* ([`quorum`]). Any two quorums share a correct replica; f+1 contain one. No other number is counted.
//! 2. *One door* ([`signed`]). Only a [`Verified`] message can be stepped, and only [`verify`] makes one. Signed bytes
//!    are canonical and name cluster, kind, epoch, view, position and signer. Messages that have gathered are verified
//!    as one sum ([`Replica::receive_all`]), by a rule that one signature and many share ([`ed25519`]).
//! 3. *Bodies* ([`types::Body`]). A gateway signs its clients' requests once and sends them to everybody. Batches name
//!    bodies by digest. Each gateway's bodies are executed in its own order, without gaps.
//! 4. *Proposal*. The primary of the view proposes the next position, within the pipeline, the watermarks and its
//!    reservation, and never before it has executed its own stable checkpoint.
//! 5. *PREPARE*. A backup accepts the first proposal for a (view, position) if the position lies in (h, h+L], the time is
//!    near its own clock, it holds all content, and rule 12 lets it speak. A contradiction becomes [`evidence`].
//! 6. *COMMIT* is said only when the certificate (proposal and q−1 PREPAREs) and the content are durable.
//! 7. *Decision*. q COMMITs of one view and digest, or f+1 assertions that it was decided. Execution is in order.
//! 8. *Exactly once* ([`ledger`]). A body takes effect in its gateway's turn, a request if its number is above the
//!    client's last. Both tables are part of the checkpointed state.
//! 9. *Checkpoint*. Every K positions, and when a batch's time is 250 ms after that of the first one since the last
//!    checkpoint, the state is made durable and a vote signed over history, state, members and tables. q equal votes
//!    move the window; whoever computed something else halts. An idle primary proposes an empty batch to get there.
//! 10. *Leaving a view*. A timer runs from the receipt of the oldest waiting body, not from its proposal; halfway it is
//!     relayed to the primary. On expiry, on f+1 others having left, or if the primary is much slower than recent ones:
//!     VIEW-CHANGE(h, proof of h, newest certificate of each position above), durable before it is sent. The timer of
//!     the next view starts when q have left, and doubles with each failure.
//! 11. *New view* ([`view_change::Plan`]). q VIEW-CHANGEs determine O: per position the batch of the highest view's
//!     certificate, the null batch in gaps. Every backup computes O itself and accepts nothing else.
//! 12. *Starting*. Before voting in a view a replica durably reserves positions up to h+L. After a restart it is mute, in
//!     that view, on everything reserved; a restarted primary abdicates. It asks its peers for the newest votes of its
//!     own and is mute up to those as well; until n−f−1 have answered it says nothing.
//! 13. *Retransmission*. STATUS tells where one stands; whoever has more answers. Content is fetched by digest.
//! 14. *State transfer*. From any peer, manifest and chunks checked against the certificate before they are staged: that
//!     of a stable checkpoint, or f+1 votes for one that is not stable yet. A chunk that rots on disk is repaired in the
//!     same way ([`scrub`]).
//! 15. *Epochs*. A change of members, signed by administrators and ordered like any request, takes effect after the first
//!     checkpoint at least L further on, once that is stable. One at a time; a newcomer is a learner first. An epoch
//!     starts at view 0 with nothing in flight.
//!
//! # Invariants
//!
//! - *No two correct replicas execute different batches at a position.* COMMIT quorums of one view share a correct replica,
//!   which PREPAREs one digest per (view, position), across restarts too (rule 12). A decision in view v means that q−f
//!   correct replicas hold durable certificates; every quorum of VIEW-CHANGEs contains one of them, and no later
//!   certificate for another digest can exist, by induction over views. So O names the decided batch for ever.
//! - *What was acknowledged survives the loss of power everywhere*: a decision needs q durable certificates.
//! - *A correct replica never signs two statements for one place*, so evidence never accuses one.
//! - *Memory is bounded* by members × window, whatever is received; nothing received can panic.
//! - *Everything pending is decided once messages arrive in bounded time*: timers double past any such bound, and all
//!   correct replicas meet in a view whose primary is correct.
//!
//! # Where this differs from Castro & Liskov, and why
//!
//! - *COMMIT is unsigned.* It convinces only its receiver, and through an authenticated channel; no certificate ever
//!   contains one. Who lags is convinced by f+1 assertions or by a checkpoint, both independent of COMMIT. Commits are
//!   counted per view, and a replica may decide by q of them without a certificate of its own.
//! - *One sync per batch*, before COMMIT. The paper keeps everything in memory. PREPARE before syncing is made safe by the
//!   reservation: after a crash the replica does not know what it PREPAREd, and therefore says nothing there.
//! - *Quorum q instead of 2f+1*, which is unsafe for n ≠ 3f+1.
//! - *Digests in the log, bodies apart*; the client is its gateway, there is no client multicast or reply quorum.
//! - *Position's epoch*: the paper has fixed members. Since epochs start with an empty window at a certified position, the
//!   proof for one epoch never mixes votes of two, and (epoch, view) is ordered lexicographically.
//! - *Header without view*: a batch may be committed in different views at different replicas.
//! - *Slowness* is judged by time, not by throughput: a primary that takes four times as long for a proposal as the best
//!   of the last five views is deposed. Ninety per cent of the best throughput, as Aardvark demands, would depose honest
//!   primaries whenever clients ask for less.
//! - *A key is rotated by replacing its member.* A number stands for one key for ever, so no old statement can be taken
//!   for a new one.
//! - *Signatures are verified by the sum*, whatever has gathered, and PREPAREs that a certificate no longer needs not at
//!   all. The rule has the factor 8 of ZIP 215, under which a sum is good exactly if each of its signatures is.
//! - *No tentative execution, no read-only optimisation, no fast path*: the second breaks liveness, and the others cost
//!   more proof than they save time.
//!
//! # Not here yet
//!
//! Eviction of learners that never catch up, and the host (network, log file, RocksDB) that obeys the outputs.

pub mod codec;
pub mod evidence;
pub mod ledger;
pub mod message;
pub mod quorum;
pub mod replica;
pub mod signed;
pub mod types;
pub mod view_change;

mod checkpoint;
mod ed25519;
mod gateway;
mod log;
mod normal;
mod pace;
mod planted;
mod pool;
mod recovery;
mod scrub;
mod status;
mod transfer;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod script;
#[cfg(test)]
mod simulator;

pub use message::Message;
pub use replica::{Input, Output, Record, Recovered, Replica, Sizes};
pub use signed::{Directory, Keys, Refusal, Verified, verify, verify_all};
