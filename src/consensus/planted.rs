//! Planted bugs: each breaks one rule, in tests only, to show that the simulator notices. Outside tests the question
//! whether a bug is planted is the constant no. `make mutations` plants them one after the other and tells how long each
//! survived; docs/RELIABILITY.md keeps the list.

macro_rules! bugs {
    ($($(#[doc = $what:literal])+ $name:ident,)*) => {
        /// A rule that can be broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(not(test), allow(dead_code))]
        pub(super) enum Bug {
            $($(#[doc = $what])+ $name,)*
        }

        /// Every bug, with what it breaks.
        #[cfg(test)]
        pub(super) const ALL: &[(Bug, &str)] = &[$((Bug::$name, concat!($($what),+))),*];
    };
}

bugs! {
    // Counting.
    /// a quorum is one voter smaller
    QuorumTooSmall,
    /// one claim of a decision is believed
    WeakQuorumOfOne,
    /// a certificate is written with one PREPARE too few
    CertifiesTooEarly,
    /// PREPAREs for other batches count
    PrepareDigestIgnored,
    /// a PREPARE that comes twice counts twice
    RepeatedPreparesCounted,
    /// a COMMIT that comes twice counts twice
    RepeatedCommitsCounted,
    /// COMMITs of different views are added up
    CommitViewIgnored,
    /// the primary may PREPARE its own proposal
    PrimaryPreparesToo,
    /// the epoch after a change of members keeps the old quorum
    OldQuorumKept,
    // Agreement.
    /// a second proposal for a position replaces the first
    SecondProposalAccepted,
    /// anybody may propose
    PrimaryUnchecked,
    /// votes are accepted at any position
    WatermarksIgnored,
    /// decided positions are executed over undecided ones
    ExecutesOverGaps,
    /// a batch is executed without bodies that are missing
    MissingBodiesSkipped,
    /// votes and certificates do not wait for bodies
    ContentNotNeeded,
    /// the primary's clock is not compared
    TimeUnbounded,
    /// a batch may be older than the one before
    TimeRunsBackwards,
    /// the client table is not consulted
    RequestExecutedTwice,
    // Durability.
    /// COMMIT is said before the certificate is on disk
    CommitBeforeSync,
    /// certificates are written without their bodies
    BodiesNotWritten,
    /// votes do not wait for the reservation
    ReservationNotSynced,
    /// NEW-VIEW is repeated before it is on disk
    NewViewBeforeSync,
    /// VIEW-CHANGE is sent before it is on disk
    LeavingNotSynced,
    /// the log is truncated below a checkpoint that is not stable
    TruncatesUnstable,
    /// the log is truncated above the stable checkpoint
    TruncatesTooMuch,
    // Restart.
    /// a restarted replica votes where it may have voted
    VotesAfterRestart,
    /// a restarted replica forgets its reservation
    ReservationIgnored,
    /// a restarted replica forgets that it has left its view
    LeavingForgotten,
    /// a restarted replica forgets its certificates
    PreparedNotRestored,
    /// a restarted replica forgets whom it has served
    TablesNotRestored,
    /// a restarted replica does not ask what it has said
    NoProbe,
    /// CHECKPOINT votes are not repeated after a restart
    CheckpointVoteNotRepeated,
    // View change.
    /// VIEW-CHANGE without certificates
    PreparedOmitted,
    /// VIEW-CHANGE without certificates of executed positions
    ExecutedLeftOut,
    /// certificates in a VIEW-CHANGE are not verified
    PreparedUnchecked,
    /// a certificate may name one voter several times
    RepeatedVotesInCertificate,
    /// backups do not compute O again
    PlanNotRecomputed,
    /// O takes the certificate of the lowest view
    PlanTakesOldestView,
    /// O has holes
    GapsNotFilled,
    /// a NEW-VIEW may rest on any number of VIEW-CHANGEs
    NewViewQuorumUnchecked,
    /// a NEW-VIEW of an earlier view is accepted
    StaleNewViewAccepted,
    /// one VIEW-CHANGE is enough to follow
    OneDeserterSuffices,
    // Time.
    /// the request timer never fires
    TimerNeverFires,
    /// timers do not double
    TimerNotDoubled,
    /// any progress restarts the request timer
    TimerRestartsOnProgress,
    /// nothing is sent again
    NoRetransmission,
    // Checkpoints and transfer.
    /// CHECKPOINT votes for different contents are added up
    CheckpointContentIgnored,
    /// a checkpoint's certificate may have any number of signatures
    CertificateTooSmall,
    /// a replica with another state than the quorum's goes on
    DivergenceTolerated,
    /// chunks are not compared with the manifest
    ChunkUnchecked,
    /// the manifest is not compared with the certificate
    ManifestUnchecked,
    /// times and client table are not part of the certificate
    TablesUncertified,
    // Epochs.
    /// an epoch may go on past its end
    EpochNotDrained,
    /// a change of members takes effect at the next checkpoint
    EpochTooEarly,
    /// the members named in an EPOCH are believed
    EpochUnchecked,
    /// changes of members need no approval
    ApprovalsUnchecked,
    // The door.
    /// signatures of PREPAREs are not verified
    SignatureUnchecked,
    /// signed bytes do not name the cluster
    ClusterNotSigned,
    /// signed bytes do not name the view
    ViewNotSigned,
    /// a body need not match its digest
    BodyUnchecked,
    /// a batch need not match its digest
    BatchUnchecked,
    // Memory.
    /// messages for later views are kept without bound
    FutureUnbounded,
    /// bodies are kept without bound
    BodiesUnbounded,
}

#[cfg(test)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Whether this bug is planted in this thread.
#[inline]
pub(super) fn is(bug: Bug) -> bool {
    #[cfg(test)]
    return PLANTED.get() == Some(bug);
    #[cfg(not(test))]
    {
        let _ = bug;
        false
    }
}

/// Plants a bug for the rest of the thread, or none.
#[cfg(test)]
pub(super) fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}
