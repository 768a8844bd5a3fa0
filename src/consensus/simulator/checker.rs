//! The invariants. Each is checked at the output that could break it.

use super::super::evidence::Evidence;
use super::super::message::*;
use super::super::signed::{Directory, Kind, Vote};
use super::super::types::*;
use std::collections::{BTreeMap, BTreeSet};

type Place = (ReplicaId, Kind, Epoch, View, SeqNo);

/// What all correct replicas together have shown.
#[derive(Default)]
pub(super) struct Checker {
    /// The history: header digest by position.
    history: BTreeMap<SeqNo, Digest>,
    /// The state machine's state by position.
    states: BTreeMap<SeqNo, u64>,
    /// Where each request took effect.
    positions: BTreeMap<(ClientId, u64), SeqNo>,
    submitted: BTreeMap<(ClientId, u64), SeqNo>,
    pub(super) acked: BTreeMap<(ClientId, u64), SeqNo>,
    pub(super) acked_up_to: SeqNo,
    said: BTreeMap<Place, Digest>,
    /// The newest view that each correct replica has asked for; it says nothing in earlier ones any more.
    left: BTreeMap<ReplicaId, (Epoch, View)>,
    times: BTreeMap<SeqNo, u64>,
    /// Who of the correct has said COMMIT: by epoch, position, view and batch.
    commits: BTreeMap<(Epoch, SeqNo, View, Digest), BTreeSet<ReplicaId>>,
    /// NEW-VIEWs that have been looked at.
    seen: BTreeSet<Digest>,
    /// Where each epoch ended and the next began, as far as executed.
    ends: BTreeMap<Epoch, SeqNo>,
    /// Byzantine, twinned, or with a disk that forgot: they count towards f, and only they may be accused.
    pub(super) faulty: BTreeSet<ReplicaId>,
}

/// A quorum by its definition, not by the code that is on trial.
fn quorum(members: &Membership) -> usize {
    let n = members.voters().count();
    (n + (n - 1) / 3 + 1).div_ceil(2)
}

/// Clients from here on are inventions of Byzantine gateways.
pub(super) const INVENTED: u128 = 1 << 100;

impl Checker {
    pub(super) fn submitted(&mut self, request: &Request) {
        self.submitted.entry((request.client, request.number)).or_insert(self.acked_up_to);
    }

    pub(super) fn executed(
        &mut self,
        header: &Header,
        requests: &[(ReplicaId, Request)],
        state: u64,
        time_max: u64,
        directory: &Directory,
    ) -> Result<(), String> {
        let seq = header.seq;
        if !self.history.contains_key(&seq) {
            self.decided(header, directory)?;
        }
        // P11: the log's time never runs back, and never ahead of every correct clock.
        let before = seq.0.checked_sub(1).and_then(|seq| self.times.get(&SeqNo(seq)));
        if header.time > time_max || before.is_some_and(|before| header.time < *before) {
            return Err(format!("P11: {seq} has time {}, at most {time_max}, after {before:?}", header.time));
        }
        self.times.insert(seq, header.time);
        let digest = Digest::of_value("header", header);
        // I1 agreement and I6 equal states; the header chains to its predecessor, so equal headers are equal histories.
        if *self.history.entry(seq).or_insert(digest) != digest {
            return Err(format!("I1: two histories at {seq}"));
        }
        if *self.states.entry(seq).or_insert(state) != state {
            return Err(format!("I6: two states at {seq}"));
        }
        for (_, request) in requests {
            let is_change = matches!(request.operation, Operation::Configure(_));
            if request.client.0 >= INVENTED && is_change {
                return Err(format!("I2: a change of members that no administrator approved, at {seq}"));
            }
            if request.client.0 >= INVENTED {
                continue;
            }
            let key = (request.client, request.number);
            // I2 validity.
            let Some(floor) = self.submitted.get(&key) else { return Err(format!("I2: {key:?} was never submitted")) };
            // I3 exactly once; I5 what was acknowledged before the submission comes before.
            if *self.positions.entry(key).or_insert(seq) != seq {
                return Err(format!("I3: {key:?} took effect twice"));
            }
            if seq <= *floor && !self.acked.contains_key(&key) {
                return Err(format!("I5: {key:?} at {seq}, though {floor} was acknowledged before it was submitted"));
            }
        }
        Ok(())
    }

    /// The first execution of a position: a quorum has said COMMIT, all in one view. And no quorum has, in an epoch, above
    /// the position at which it ended.
    fn decided(&mut self, header: &Header, directory: &Directory) -> Result<(), String> {
        let (epoch, seq) = (header.epoch, header.seq);
        let members = directory.membership(epoch).ok_or("an epoch without members")?;
        let needed = quorum(members);
        let faulty = members.voters().filter(|id| self.faulty.contains(id)).count();
        let first = (epoch, seq, View(0), Digest([0; 32]));
        let last = (epoch, seq, View(u64::MAX), Digest([0xff; 32]));
        let said = self.commits.range(first..=last).filter(|((.., digest), _)| *digest == header.batch);
        let most = said.map(|(_, who)| self.correct(members, who)).max().unwrap_or_default();
        if most + faulty < needed {
            return Err(format!("I1: {epoch} {seq} is executed after {most} COMMITs of correct voters in one view"));
        }
        if members.base.next() == seq && epoch > Epoch(0) {
            self.ends.insert(Epoch(epoch.0 - 1), members.base);
            return self.ended(directory);
        }
        Ok(())
    }

    fn correct(&self, members: &Membership, who: &BTreeSet<ReplicaId>) -> usize {
        who.iter().filter(|id| members.is_voter(**id) && !self.faulty.contains(id)).count()
    }

    /// I12: nothing is decided in an epoch above its end.
    fn ended(&self, directory: &Directory) -> Result<(), String> {
        for (epoch, end) in &self.ends {
            let Some(members) = directory.membership(*epoch) else { continue };
            let needed = quorum(members);
            let faulty = members.voters().filter(|id| self.faulty.contains(id)).count();
            let above = (*epoch, end.next(), View(0), Digest([0; 32]));
            let mut later = self.commits.range(above..).take_while(|((of, ..), _)| of == epoch);
            if let Some(((_, seq, ..), _)) = later.find(|(_, who)| self.correct(members, who) + faulty >= needed) {
                return Err(format!("I12: {seq} is decided in {epoch}, which ended at {end}"));
            }
        }
        Ok(())
    }

    /// What a NEW-VIEW rests on, told apart from the code that makes and checks it: votes of distinct voters for one view,
    /// certificates of distinct voters for one batch, and O with the batch of the highest view at each position.
    fn founded(&self, directory: &Directory, new: &NewView) -> Result<(), String> {
        let Some(members) = directory.membership(new.vote.epoch) else { return Ok(()) };
        let needed = quorum(members);
        let at = |what: &str| Err(format!("I7: NEW-VIEW {} of {} {what}", new.vote.view, new.vote.epoch));
        let signers: BTreeSet<ReplicaId> = new.changes.iter().map(|change| change.vote.signer).collect();
        if signers.len() < needed || new.changes.iter().any(|change| change.vote.view != new.vote.view) {
            return at("rests on too few VIEW-CHANGEs");
        }
        let low = new.changes.iter().map(|change| change.vote.seq).max().unwrap_or_default();
        let mut best: BTreeMap<SeqNo, (View, Digest)> = BTreeMap::new();
        for cert in new.changes.iter().flat_map(|change| &change.prepared) {
            let vote = cert.proposal;
            let mut voters: BTreeSet<ReplicaId> = cert.prepares.iter().map(|prepare| prepare.signer).collect();
            voters.insert(vote.signer);
            let place = |vote: &Vote| (vote.epoch, vote.view, vote.seq, vote.digest);
            let is_sound = voters.len() >= needed
                && cert.prepares.iter().all(|prepare| place(prepare) == place(&vote) && directory.is_signed(prepare))
                && directory.is_signed(&vote);
            if !is_sound {
                return at("contains a certificate that is none");
            }
            if vote.seq > low && best.get(&vote.seq).is_none_or(|(view, _)| *view < vote.view) {
                best.insert(vote.seq, (vote.view, vote.digest));
            }
        }
        let high = best.last_key_value().map_or(low, |(seq, _)| *seq);
        let null = Batch::default().digest();
        let planned = (low.0 + 1..=high.0).map(SeqNo);
        let planned: Vec<_> = planned.map(|seq| (seq, best.get(&seq).map_or(null, |(_, digest)| *digest))).collect();
        let proposed: Vec<_> = new.proposals.iter().map(|vote| (vote.seq, vote.digest)).collect();
        if planned == proposed { Ok(()) } else { at("proposes something else than it rests on") }
    }

    pub(super) fn acked(&mut self, client: ClientId, number: u64) {
        if let Some(seq) = self.positions.get(&(client, number)) {
            self.acked.insert((client, number), *seq);
            self.acked_up_to = self.acked_up_to.max(*seq);
        }
    }

    pub(super) fn committed(&self) -> u64 {
        self.history.len() as u64
    }

    /// I10: a correct replica says one thing at one place, across restarts.
    pub(super) fn said(&mut self, vote: &Vote) -> Result<(), String> {
        if self.faulty.contains(&vote.signer) {
            return Ok(());
        }
        let seq = if matches!(vote.kind, Kind::ViewChange | Kind::NewView) { SeqNo(0) } else { vote.seq };
        let place = (vote.signer, vote.kind, vote.epoch, vote.view, seq);
        match *self.said.entry(place).or_insert(vote.digest) {
            known if known == vote.digest => Ok(()),
            _ => Err(format!("I10: {place:?} was said twice")),
        }
    }

    /// I6 for a state that was not executed but installed, or is about to be compared.
    pub(super) fn is_state_of_history(&self, seq: SeqNo, state: u64) -> bool {
        seq == SeqNo(0) || self.states.get(&seq) == Some(&state)
    }

    /// Rule 10: who has asked for a view takes no part in earlier ones.
    fn stays_away(&self, from: ReplicaId, epoch: Epoch, view: View) -> Result<(), String> {
        match self.left.get(&from) {
            Some(left) if !self.faulty.contains(&from) && (epoch, view) < *left => {
                Err(format!("I10: {from} votes in {epoch} {view} after asking for {left:?}"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn message(&mut self, from: ReplicaId, directory: &Directory, message: &Message) -> Result<(), String> {
        match message {
            Message::PrePrepare(proposal) => {
                self.stays_away(from, proposal.vote.epoch, proposal.vote.view)?;
                self.said(&proposal.vote)
            }
            Message::Prepare(vote) => {
                self.stays_away(from, vote.epoch, vote.view)?;
                self.said(vote)
            }
            Message::Commit(commit) => {
                self.stays_away(from, commit.epoch, commit.view)?;
                let place = (commit.epoch, commit.seq, commit.view, commit.digest);
                let is_new = self.commits.entry(place).or_default().insert(from);
                let is_late = self.ends.get(&commit.epoch).is_some_and(|end| commit.seq > *end);
                if is_new && is_late { self.ended(directory) } else { Ok(()) }
            }
            Message::Checkpoint(checkpoint) => self.said(&checkpoint.vote),
            Message::ViewChange(change) => {
                if change.vote.signer == from {
                    let left = self.left.entry(from).or_default();
                    *left = (*left).max((change.vote.epoch, change.vote.view));
                }
                self.said(&change.vote)
            }
            Message::NewView(new) => {
                if self.seen.insert(new.vote.identity()) {
                    self.founded(directory, new)?;
                }
                self.said(&new.vote)?;
                new.proposals.iter().try_for_each(|vote| self.said(vote))
            }
            _ => Ok(()),
        }
    }

    /// I7: no certificate for a history that is not ours.
    pub(super) fn certified(&self, directory: &Directory, cert: &CheckpointCert) -> Result<(), String> {
        directory.check_cert(cert).map_err(|refusal| format!("I7: certificate of {}: {refusal}", cert.seq))?;
        match self.history.get(&cert.seq) {
            Some(digest) if *digest == cert.content.header => Ok(()),
            _ => Err(format!("I7: certificate of {} for another history", cert.seq)),
        }
    }

    /// I11: no correct node is ever accused.
    pub(super) fn accused(&self, directory: &Directory, evidence: &Evidence) -> Result<(), String> {
        if !evidence.is_valid(directory) {
            return Err(format!("I11: worthless evidence {evidence:?}"));
        }
        if self.faulty.contains(&evidence.accused()) {
            Ok(())
        } else {
            Err(format!("I11: {evidence:?} accuses a correct node"))
        }
    }

    /// I4: what was acknowledged is in the history that the cluster ends with.
    pub(super) fn durable(&self, executed: SeqNo) -> Result<(), String> {
        match self.acked.iter().find(|(_, seq)| **seq > executed) {
            Some((key, seq)) => Err(format!("I4: {key:?} acknowledged at {seq}, cluster ends at {executed}")),
            None => Ok(()),
        }
    }
}
