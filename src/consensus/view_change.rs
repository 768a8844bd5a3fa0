//! Replacing a primary: when to leave a view, what to tell, and how the next one begins.

use super::message::*;
use super::planted::{self, Bug};
use super::replica::{Deferred, Output, Record, Replica, Reservation};
use super::signed::{Kind, Refusal};
use super::types::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a set of VIEW-CHANGEs demands of the new view; a pure function of them, so that everybody finds the same.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// The highest proven stable checkpoint (min-s).
    pub low: SeqNo,
    /// Its proof.
    pub stable: Option<Arc<CheckpointCert>>,
    /// For each position above, up to the highest prepared one (max-s): the batch prepared in the highest view, or the
    /// null batch where nobody has prepared anything.
    pub proposals: BTreeMap<SeqNo, Digest>,
}

impl Plan {
    /// The plan that follows from these VIEW-CHANGEs.
    pub fn of(changes: &[Arc<ViewChange>]) -> Self {
        let newest = changes.iter().max_by_key(|change| change.vote.seq);
        let low = newest.map_or(SeqNo(0), |change| change.vote.seq);
        let stable = newest.and_then(|change| change.stable.clone());
        let mut best: BTreeMap<SeqNo, (View, Digest)> = BTreeMap::new();
        for cert in changes.iter().flat_map(|change| &change.prepared).filter(|cert| cert.proposal.seq > low) {
            let candidate = (cert.proposal.view, cert.proposal.digest);
            let entry = best.entry(cert.proposal.seq).or_insert(candidate);
            if (candidate.0 > entry.0) != planted::is(Bug::PlanTakesOldestView) {
                *entry = candidate;
            }
        }
        let high = best.last_key_value().map_or(low, |(seq, _)| *seq);
        let null = Batch::default().digest();
        let digest = |seq| best.get(&seq).map_or(null, |(_, digest)| *digest);
        let proposals = (low.0 + 1..=high.0).map(|seq| (SeqNo(seq), digest(SeqNo(seq))));
        let leaves_gaps = planted::is(Bug::GapsNotFilled);
        let proposals = proposals.filter(|(seq, _)| !leaves_gaps || best.contains_key(seq)).collect();
        Self { low, stable, proposals }
    }
}

impl Replica {
    /// Leaves the view for `target`. The VIEW-CHANGE goes out once it is on disk: after a restart the same one is sent,
    /// never another.
    pub(super) fn leave_for(&mut self, target: View) {
        if !self.is_voter() || self.probing.is_some() || target <= self.view {
            return;
        }
        if !self.active || self.executed_in_view < self.parameters.backoff_reset {
            self.failures = self.failures.saturating_add(1);
        }
        self.active = false;
        self.view = target;
        self.view_since = self.now.monotonic;
        self.change_since = None;
        self.executed_in_view = 0;
        self.new_view = None;
        self.pace.turn();
        self.slots.values_mut().for_each(super::log::Slot::leave_view);
        let prepared: Vec<PreparedCert> =
            self.slots.range(self.certified_from()..).filter_map(|(_, slot)| slot.prepared.clone()).collect();
        let prepared = if planted::is(Bug::PreparedOmitted) { Vec::new() } else { prepared };
        let digest = ViewChange::content(&self.stable, &prepared);
        let vote = self.vote(Kind::ViewChange, target, self.low, digest);
        let change = Arc::new(ViewChange { vote, stable: self.stable.clone(), prepared });
        if planted::is(Bug::LeavingNotSynced) {
            return self.change_durable(change);
        }
        self.persist(vec![Record::Leaving(change.clone())], vec![Deferred::Change(change)]);
    }

    /// Certificates are told from here on. Executed positions too: only a stable checkpoint speaks for them.
    fn certified_from(&self) -> SeqNo {
        if planted::is(Bug::ExecutedLeftOut) { self.ledger.seq.max(self.low).next() } else { self.low.next() }
    }

    pub(super) fn change_durable(&mut self, change: Arc<ViewChange>) {
        if (change.vote.epoch, change.vote.view) != (self.members.epoch, self.view) || self.active {
            return;
        }
        self.broadcast(Message::ViewChange(change.clone()));
        self.changes.insert(self.id, change);
        self.count_changes();
    }

    pub(super) fn on_view_change(&mut self, change: Arc<ViewChange>) -> Result<(), Refusal> {
        let vote = change.vote;
        self.hear(&vote);
        if vote.epoch != self.members.epoch {
            return Err(Refusal::WrongEpoch);
        }
        if vote.signer == self.id {
            return Err(Refusal::Duplicate);
        }
        if let Some(known) = self.changes.get(&vote.signer)
            && known.vote.view >= vote.view
        {
            return Err(Refusal::Duplicate);
        }
        if vote.view < self.view || (vote.view == self.view && self.active) {
            return Err(Refusal::Stale);
        }
        if let Some(cert) = &change.stable {
            self.adopt_stable(cert.clone());
        }
        if vote.epoch != self.members.epoch {
            return Err(Refusal::WrongEpoch);
        }
        // Only the highest of each replica is kept: memory stays bounded whatever views are asked for.
        self.changes.insert(vote.signer, change);
        self.count_changes();
        Ok(())
    }

    /// Joins, arms the timer, or opens the view, depending on how many want which view.
    pub(super) fn count_changes(&mut self) {
        let ahead: Vec<View> =
            self.changes.values().map(|change| change.vote.view).filter(|view| *view > self.view).collect();
        if ahead.len() >= if planted::is(Bug::OneDeserterSuffices) { 1 } else { self.quorum.weak() }
            && let Some(target) = ahead.iter().min()
        {
            // f+1 others want to leave: one of them is correct. Go to the smallest view, so as not to overtake anybody.
            self.leave_for(*target);
        }
        if self.active {
            return;
        }
        let at_least = self.changes.values().filter(|change| change.vote.view >= self.view).count();
        if at_least >= self.quorum.q && self.change_since.is_none() {
            self.change_since = Some(self.now.monotonic);
        }
        if self.members.primary(self.view) == self.id {
            self.open_view();
        }
    }

    /// The new primary: with q VIEW-CHANGEs, its own among them, it opens the view.
    fn open_view(&mut self) {
        if self.changes.get(&self.id).is_none_or(|own| own.vote.view != self.view) || self.new_view.is_some() {
            return;
        }
        let changes: Vec<Arc<ViewChange>> =
            self.changes.values().filter(|change| change.vote.view == self.view).take(self.quorum.q).cloned().collect();
        if changes.len() < self.quorum.q {
            return;
        }
        let plan = Plan::of(&changes);
        let proposals: Vec<_> =
            plan.proposals.iter().map(|(seq, digest)| self.vote(Kind::PrePrepare, self.view, *seq, *digest)).collect();
        let vote = self.vote(Kind::NewView, self.view, plan.low, NewView::content(&changes, &proposals));
        let new = Arc::new(NewView { vote, changes, proposals });
        self.enter_view(new, plan);
    }

    pub(super) fn on_new_view(&mut self, new: Arc<NewView>) -> Result<(), Refusal> {
        let vote = new.vote;
        if vote.epoch != self.members.epoch {
            return Err(Refusal::WrongEpoch);
        }
        let is_stale = vote.view < self.view || (vote.view == self.view && self.active);
        if is_stale && !planted::is(Bug::StaleNewViewAccepted) {
            return Err(Refusal::Stale);
        }
        if vote.signer == self.id {
            return Err(Refusal::Duplicate);
        }
        let plan = Plan::of(&new.changes);
        self.enter_view(new, plan);
        Ok(())
    }

    /// Begins the view. Votes are cast once the reservation is on disk; the primary's NEW-VIEW waits for it as well.
    fn enter_view(&mut self, new: Arc<NewView>, plan: Plan) {
        if let Some(cert) = plan.stable {
            self.adopt_stable(cert);
        }
        if new.vote.epoch != self.members.epoch {
            return;
        }
        let is_mine = new.vote.signer == self.id;
        self.slots.values_mut().for_each(super::log::Slot::leave_view);
        let next_seq = plan.proposals.last_key_value().map_or(plan.low, |(seq, _)| *seq).next();
        for proposal in new.proposals.iter().filter(|proposal| proposal.seq > self.low) {
            let slot = self.slots.entry(proposal.seq).or_default();
            slot.proposal = Some(*proposal);
            slot.voted = is_mine;
        }
        self.begin(new.vote.view, next_seq.max(self.low.next()));
        let reservation = self.reserve();
        let mut then = Vec::new();
        if is_mine {
            then.push(Deferred::Broadcast(Message::NewView(new.clone())));
        }
        then.push(Deferred::Reserved(reservation));
        self.new_view = Some(new);
        self.persist(vec![Record::Entered(reservation)], then);
        if planted::is(Bug::ReservationNotSynced) {
            self.reservation_durable(reservation);
        }
        self.replay_future();
    }

    /// Takes up work in a view; its reservation is still to come.
    pub(super) fn begin(&mut self, view: View, next_seq: SeqNo) {
        self.view = view;
        self.active = true;
        self.next_seq = next_seq;
        self.reserved = SeqNo(0);
        self.reserving = SeqNo(0);
        self.view_since = self.now.monotonic;
        self.change_since = None;
        self.executed_in_view = 0;
        self.head = None;
        self.changes.retain(|_, change| change.vote.view > view);
        self.outputs.push(Output::Entered(self.members.epoch, view));
    }

    /// The reservation up to the end of the window.
    pub(super) fn reserve(&mut self) -> Reservation {
        self.reserving = self.low.plus(self.genesis.watermark_window);
        Reservation { epoch: self.members.epoch, view: self.view, upto: self.reserving }
    }

    pub(super) fn reservation_durable(&mut self, reservation: Reservation) {
        let is_current = self.active && (self.members.epoch, self.view) == (reservation.epoch, reservation.view);
        if is_current && reservation.upto > self.reserved {
            self.reserved = reservation.upto;
            let open: Vec<SeqNo> = self.slots.range(self.low.next()..).map(|(seq, _)| *seq).collect();
            open.into_iter().for_each(|seq| self.advance(seq));
        }
    }

    /// How long to wait, doubled with every failed view.
    fn patience(&self, base: u64) -> u64 {
        if planted::is(Bug::TimerNotDoubled) {
            return base;
        }
        base.saturating_mul(1 << self.failures.min(16)).min(self.parameters.timeout_max.max(base))
    }

    /// The request timer in a view, the view timer between views.
    pub(super) fn tick_view(&mut self) {
        let now = self.now.monotonic;
        if !self.active {
            let limit = self.patience(self.parameters.view_timeout);
            if self.change_since.is_some_and(|since| now.saturating_sub(since) > limit) {
                self.leave_for(self.view.next());
            }
            return;
        }
        let Some((head, since)) = self.head else { return };
        let limit = self.patience(self.parameters.request_timeout);
        let waited = now.saturating_sub(since);
        if waited > limit && !planted::is(Bug::TimerNeverFires) {
            self.leave_for(self.view.next());
        } else if waited > limit / 2 && !self.relayed {
            // Perhaps the gateway sent it to everybody but the primary.
            self.relayed = true;
            self.relay(head);
        }
        let floor = self.parameters.proposal_delay_floor;
        if self.active && !self.is_primary() && self.pace.is_too_slow(floor, self.failures) {
            self.leave_for(self.view.next());
        }
    }

    fn relay(&mut self, head: super::replica::Head) {
        let super::replica::Head::Body(id) = head else { return };
        let pending = self.pool.pending.get(&id).and_then(|pending| self.pool.get(&pending.digest));
        if let Some(signed) = pending.cloned() {
            self.send(self.primary(), Message::Body(signed));
        }
    }
}
