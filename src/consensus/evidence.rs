//! Proof of misbehaviour: two statements about one place, signed by one key. It convinces anybody who knows the key.

use super::codec::codec_struct;
use super::replica::{Output, Replica};
use super::signed::{Directory, Kind, Vote};
use super::types::ReplicaId;

/// Two contradictory votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What was said first.
    pub first: Vote,
    /// What was said too.
    pub second: Vote,
}
codec_struct!(Evidence { first, second });

impl Evidence {
    /// Whom it accuses.
    pub fn accused(&self) -> ReplicaId {
        self.first.signer
    }

    /// Whether it proves anything: same place, other content, both signatures good. A VIEW-CHANGE is no subject, since a
    /// correct replica may say it with a newer checkpoint after a restart that lost nothing but that.
    pub fn is_valid(&self, directory: &Directory) -> bool {
        self.first.is_same_place(&self.second)
            && self.first.digest != self.second.digest
            && matches!(self.first.kind, Kind::PrePrepare | Kind::Prepare | Kind::Checkpoint | Kind::Body)
            && [self.first, self.second].iter().all(|vote| directory.is_signed(vote))
    }
}

impl Replica {
    /// Reports the first contradiction of each node; one is enough.
    pub(super) fn accuse(&mut self, first: Vote, second: Vote) {
        if self.accused.insert(first.signer, ()).is_none() {
            self.outputs.push(Output::Accuse(Box::new(Evidence { first, second })));
        }
    }
}
