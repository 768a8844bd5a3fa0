//! Planted bugs: each breaks one rule, in tests only, to show that the simulator notices. Outside tests the question
//! whether a bug is planted is the constant no.

/// A rule that can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(test), allow(dead_code))]
pub(super) enum Bug {
    QuorumTooSmall,
    WeakQuorumOfOne,
    CommitBeforeSync,
    PreparedOmitted,
    PlanNotRecomputed,
    PlanTakesOldestView,
    GapsNotFilled,
    VotesAfterRestart,
    NoProbe,
    NoAbdication,
    PrepareDigestIgnored,
    CommitViewIgnored,
    SecondProposalAccepted,
    RequestExecutedTwice,
    BodyOutOfTurn,
    CheckpointContentIgnored,
    ChunkUnchecked,
    ManifestUnchecked,
    TimerNeverFires,
    TimerNotDoubled,
    NoRetransmission,
    EpochNotDrained,
    LeavingNotSynced,
    BodiesNotWritten,
    CheckpointVoteNotRepeated,
    PrimaryPreparesToo,
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

#[cfg(test)]
pub(super) const ALL: [Bug; 26] = [
    Bug::QuorumTooSmall,
    Bug::WeakQuorumOfOne,
    Bug::CommitBeforeSync,
    Bug::PreparedOmitted,
    Bug::PlanNotRecomputed,
    Bug::PlanTakesOldestView,
    Bug::GapsNotFilled,
    Bug::VotesAfterRestart,
    Bug::NoProbe,
    Bug::NoAbdication,
    Bug::PrepareDigestIgnored,
    Bug::CommitViewIgnored,
    Bug::SecondProposalAccepted,
    Bug::RequestExecutedTwice,
    Bug::BodyOutOfTurn,
    Bug::CheckpointContentIgnored,
    Bug::ChunkUnchecked,
    Bug::ManifestUnchecked,
    Bug::TimerNeverFires,
    Bug::TimerNotDoubled,
    Bug::NoRetransmission,
    Bug::EpochNotDrained,
    Bug::LeavingNotSynced,
    Bug::BodiesNotWritten,
    Bug::CheckpointVoteNotRepeated,
    Bug::PrimaryPreparesToo,
];
