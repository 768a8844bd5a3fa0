//! One position of the log while it is being agreed on.

use super::message::{Commit, PreparedCert};
use super::planted::{self, Bug};
use super::signed::Vote;
use super::types::*;
use std::collections::BTreeMap;

/// What a replica knows about one position. Bounded: one entry per voter and phase.
#[derive(Default)]
pub(super) struct Slot {
    /// The primary's vote of the current view.
    pub(super) proposal: Option<Vote>,
    /// The backups' votes of the current view, whatever their digest.
    pub(super) prepares: BTreeMap<ReplicaId, Vote>,
    /// Whether this replica has voted in the current view.
    pub(super) voted: bool,
    /// Newest COMMIT of each replica, of any view.
    pub(super) commits: BTreeMap<ReplicaId, Commit>,
    /// The newest certificate.
    pub(super) prepared: Option<PreparedCert>,
    /// Whether it is on disk.
    pub(super) durable: bool,
    /// Assertions that the batch was decided.
    pub(super) claims: BTreeMap<ReplicaId, Digest>,
    /// The decision.
    pub(super) decided: Option<Digest>,
    /// PREPAREs and COMMITs that a planted bug counts once more.
    pub(super) repeated: (usize, usize),
}

impl Slot {
    /// Forgets the votes of a view; certificates and decisions stay.
    pub(super) fn leave_view(&mut self) {
        self.proposal = None;
        self.prepares.clear();
        self.voted = false;
        self.repeated.0 = 0;
    }

    /// The votes that agree with the primary's.
    pub(super) fn matching(&self) -> impl Iterator<Item = &Vote> {
        let digest = self.proposal.map(|vote| vote.digest);
        self.prepares.values().filter(move |vote| Some(vote.digest) == digest || planted::is(Bug::PrepareDigestIgnored))
    }

    /// Whether the newest certificate is of this view.
    pub(super) fn is_prepared_in(&self, epoch: Epoch, view: View) -> bool {
        self.prepared.as_ref().is_some_and(|cert| (cert.proposal.epoch, cert.proposal.view) == (epoch, view))
    }

    /// The digest for which `quorum` replicas have said COMMIT in one view, or `weak` have claimed a decision. COMMITs
    /// of different views are never added up: only within one view does each stand for a certificate that every later
    /// view must respect.
    pub(super) fn verdict(&self, members: &Membership, quorum: usize, weak: usize) -> Option<Digest> {
        let repeated = self.repeated.1;
        let agree = |one: &Commit, other: &Commit| {
            let is_same_view = one.view == other.view || planted::is(Bug::CommitViewIgnored);
            is_same_view && (one.epoch, one.digest) == (other.epoch, other.digest)
        };
        if self.commits.len() + repeated >= quorum {
            let voters = || self.commits.iter().filter(|(id, _)| members.is_voter(**id)).map(|(_, commit)| commit);
            let is_quorum = |one: &&Commit| voters().filter(|other| agree(one, other)).count() + repeated >= quorum;
            if let Some(commit) = voters().find(is_quorum) {
                return Some(commit.digest);
            }
        }
        if self.claims.len() < weak {
            return None;
        }
        let voters = || self.claims.iter().filter(|(id, _)| members.is_voter(**id)).map(|(_, digest)| digest);
        voters().find(|one| voters().filter(|other| one == other).count() >= weak).copied()
    }

    /// The batches this position refers to.
    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> + '_ {
        let proposal = self.proposal.map(|vote| vote.digest);
        let prepared = self.prepared.as_ref().map(|cert| cert.proposal.digest);
        [proposal, prepared, self.decided].into_iter().flatten()
    }
}
