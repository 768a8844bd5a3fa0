//! Bodies waiting for their turn, and the content of everything the log refers to by digest.
//!
//! A body is *pending* from its arrival until its gateway's stream has moved past it. Each gateway has a bounded number
//! of places, so that none can fill another's memory. Content fetched for a batch is kept apart from pending: it was
//! asked for by digest and needs no place.

use super::ledger::{Ledger, Turn, turn};
use super::message::SignedBody;
use super::planted::{self, Bug};
use super::types::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A body on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) digest: Digest,
    pub(super) arrived: u64,
    size: usize,
}

/// Bodies by digest, and which of them wait.
#[derive(Default)]
pub(super) struct Pool {
    bodies: BTreeMap<Digest, Arc<SignedBody>>,
    pub(super) pending: BTreeMap<BodyId, Pending>,
    /// Arrivals are numbered too, so that two at the same instant have an order.
    last_arrival: u64,
    /// The oldest body whose turn it is after what has been executed, until something changes.
    head: Option<Option<(BodyId, Pending)>>,
}

/// What became of a body that arrived.
pub(super) enum Arrival {
    Accepted,
    Known,
    Stale,
    Full,
    /// The gateway signed another body for the same place.
    Equivocation(Arc<SignedBody>),
}

impl Pool {
    pub(super) fn get(&self, digest: &Digest) -> Option<&Arc<SignedBody>> {
        self.bodies.get(digest)
    }

    pub(super) fn len(&self) -> usize {
        self.bodies.len()
    }

    /// How many bodies wait, of the gateway with most.
    pub(super) fn waiting_max(&self) -> usize {
        let (mut most, mut run, mut last) = (0, 0, None);
        for id in self.pending.keys() {
            run = if last == Some(id.gateway) { run + 1 } else { 1 };
            last = Some(id.gateway);
            most = most.max(run);
        }
        most
    }

    /// Keeps content that a batch refers to.
    pub(super) fn store(&mut self, signed: Arc<SignedBody>) {
        self.bodies.insert(signed.vote.digest, signed);
    }

    /// Takes in a body from a gateway, if that has room left: (bodies, bytes).
    pub(super) fn arrive(
        &mut self,
        signed: Arc<SignedBody>,
        ledger: &Ledger,
        now: u64,
        (places, bytes): (u64, usize),
    ) -> Arrival {
        let (id, size) = (signed.body.id(), signed.body.size());
        if let Some(known) = self.pending.get(&id) {
            if known.digest == signed.vote.digest {
                return Arrival::Known;
            }
            return match self.bodies.get(&known.digest) {
                Some(other) => Arrival::Equivocation(other.clone()),
                None => Arrival::Known,
            };
        }
        let last = ledger.gateways.get(&id.gateway);
        if turn(last, &id) == Turn::Past {
            return Arrival::Stale;
        }
        let base = last.filter(|last| last.0 == id.incarnation).map_or(0, |last| last.1);
        // Two incarnations may have bodies under way at once, hence twice the places.
        let (first, end) =
            (BodyId { incarnation: 0, number: 0, ..id }, BodyId { incarnation: u64::MAX, number: u64::MAX, ..id });
        let known = self.pending.range(first..=end).map(|(_, pending)| pending.size);
        let (count, held) = known.fold((0, 0), |(count, held), size| (count + 1, held + size));
        let is_far = id.number > base.saturating_add(places);
        let is_full = is_far || count >= 2 * places || (count > 0 && held + size > bytes);
        if is_full && !planted::is(Bug::BodiesUnbounded) {
            return Arrival::Full;
        }
        self.last_arrival = now.max(self.last_arrival + 1);
        self.pending.insert(id, Pending { digest: signed.vote.digest, arrived: self.last_arrival, size });
        self.head = None;
        self.store(signed);
        Arrival::Accepted
    }

    /// The oldest pending body whose turn it is, given the last body of each gateway; skips what is in `taken`.
    pub(super) fn next(&self, heads: &BTreeMap<ReplicaId, (u64, u64)>) -> Option<(BodyId, Pending)> {
        self.pending
            .iter()
            .filter(|(id, _)| turn(heads.get(&id.gateway), id) == Turn::Next)
            .min_by_key(|(_, pending)| pending.arrived)
            .map(|(id, pending)| (*id, *pending))
    }

    /// The oldest pending body whose turn it is now. Only [`Self::arrive`] and [`Self::settle`] change that, and the
    /// ledger, after which the pool is settled.
    pub(super) fn head(&mut self, ledger: &Ledger) -> Option<(BodyId, Pending)> {
        let head = self.head.unwrap_or_else(|| self.next(&ledger.gateways));
        self.head = Some(head);
        head
    }

    /// Forgets what the ledger has moved past, and content that nothing refers to.
    pub(super) fn settle(&mut self, ledger: &Ledger) {
        self.head = None;
        self.pending.retain(|id, _| {
            turn(ledger.gateways.get(&id.gateway), id) != Turn::Past && ledger.members.member(id.gateway).is_some()
        });
    }

    /// Drops content that is neither pending nor referred to by `used`.
    pub(super) fn collect(&mut self, used: &BTreeSet<Digest>) {
        let waiting: BTreeSet<Digest> = self.pending.values().map(|pending| pending.digest).collect();
        self.bodies.retain(|digest, _| waiting.contains(digest) || used.contains(digest));
    }
}
