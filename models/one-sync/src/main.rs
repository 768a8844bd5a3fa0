//! A model of the two decisions that differ most from the paper: one sync per batch (between *prepared* and COMMIT, with
//! reservations instead of a sync before PREPARE), and COMMIT without a signature.
//!
//! Four replicas, one of them Byzantine, one position, two views; every replica may lose power at any moment, all of them
//! together as well. Messages are never removed: that covers loss, delay, repetition and reordering, since nobody is
//! obliged to receive anything. The Byzantine replica's messages need no states: whatever it can sign is always there,
//! different for each receiver. A COMMIT is believed of its sender only (the channel is authenticated), so the Byzantine
//! replica adds one voice to whatever it likes and can never lend one to others.
//!
//! Checked in every reachable state, for a Byzantine primary of view 0, of view 1, and a Byzantine backup:
//!
//! - *agreement*: no two batches gather three COMMITs each;
//! - *durability*: a batch with three COMMITs is in durable certificates of two correct replicas, so that the loss of
//!   power everywhere leaves it to every later view;
//! - *one word*: no correct replica PREPAREs two batches in one view.
//!
//! The same model with half of the rule left out must fail, or it proves nothing.
//!
//! `one-sync THREADS LIAR`, or all liars without the second.

use stateright::{Checker, HasDiscoveries, Model, Property};

const N: usize = 4;
const Q: usize = 3;

/// A batch: two that clients have asked for, and a third (or null) that a new primary may come up with.
type Batch = u8;
const BATCHES: std::ops::Range<Batch> = 0..3;
/// Those that the primary of view 0 may propose.
const FIRST: std::ops::Range<Batch> = 0..2;

/// What a replica has done in one view. The first four fields are on disk, or became public; the rest is memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Round {
    /// The reservation: from now on it may vote in this view.
    reserved: bool,
    /// After a crash under the reservation: it no longer knows what it has said, and says nothing.
    mute: bool,
    /// The certificate on disk.
    durable: Option<Batch>,
    /// Votes ever sent, by batch (PRE-PREPARE of the primary, PREPARE of a backup), and COMMITs.
    voted: [bool; 3],
    committed: [bool; 3],
    /// The vote it remembers.
    vote: Option<Batch>,
    /// The certificate that is not on disk yet.
    pending: Option<Batch>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Replica {
    rounds: [Round; 2],
    /// VIEW-CHANGE for view 1, written and sent, with the certificate of view 0 in it.
    left: Option<Option<Batch>>,
    /// The proposal of the NEW-VIEW with which it entered view 1, on disk.
    entered: Option<Batch>,
}

type State = ([Replica; N], Option<Batch>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Reserve(usize),
    Vote(usize, usize, Batch),
    Certify(usize, usize, Batch),
    Sync(usize, usize),
    Commit(usize, usize, Batch),
    Leave(usize),
    Open(Batch),
    Enter(usize, Batch),
    Crash(usize),
}

/// The system, and which halves of the rule it obeys.
#[derive(Clone, Copy, Debug)]
struct System {
    liar: usize,
    reserves: bool,
    syncs: bool,
}

impl System {
    fn correct(&self) -> impl Iterator<Item = usize> + use<> {
        let liar = self.liar;
        (0..N).filter(move |at| *at != liar)
    }

    /// The view a replica is in, if it takes part in it.
    fn is_in(replica: &Replica, view: usize) -> bool {
        match view {
            0 => replica.left.is_none(),
            _ => replica.entered.is_some(),
        }
    }

    /// Whether the primary of the view has proposed the batch to somebody. The liar has proposed everything.
    fn is_proposed(&self, state: &State, view: usize, batch: Batch) -> bool {
        match (view == self.liar, view) {
            (true, 0) => FIRST.contains(&batch),
            (true, _) => self.plans(state).contains(&batch),
            (false, _) => state.0[view].rounds[view].voted[batch as usize],
        }
    }

    /// Whether a certificate exists: the proposal, and q-1 PREPAREs of distinct backups.
    fn is_certifiable(&self, state: &State, view: usize, batch: Batch) -> bool {
        let backups = self.correct().filter(|at| *at != view);
        let votes = backups.filter(|at| state.0[*at].rounds[view].voted[batch as usize]).count();
        let liars = usize::from(self.liar != view);
        self.is_proposed(state, view, batch) && votes + liars >= Q - 1
    }

    /// What a NEW-VIEW may propose: follows from any three VIEW-CHANGEs. The liar's contains any certificate that exists,
    /// or none.
    fn plans(&self, state: &State) -> Vec<Batch> {
        let mut changes: Vec<Vec<Option<Batch>>> =
            self.correct().filter_map(|at| state.0[at].left).map(|cert| vec![cert]).collect();
        let lies = FIRST.filter(|batch| self.is_certifiable(state, 0, *batch)).map(Some);
        changes.push(std::iter::once(None).chain(lies).collect());
        let mut plans = Vec::new();
        for first in 0..changes.len() {
            for second in first + 1..changes.len() {
                for third in second + 1..changes.len() {
                    for a in &changes[first] {
                        for b in &changes[second] {
                            for c in &changes[third] {
                                // All certificates are of view 0; a correct plan takes one of the highest view.
                                let certs: Vec<Batch> = [a, b, c].into_iter().filter_map(|cert| *cert).collect();
                                match certs.is_empty() {
                                    true => plans.extend(BATCHES),
                                    false => plans.extend(certs),
                                }
                            }
                        }
                    }
                }
            }
        }
        plans.sort_unstable();
        plans.dedup();
        plans
    }

    /// Batches that somebody may have decided in a view, with the view.
    fn decided(&self, state: &State) -> Vec<(usize, Batch)> {
        let pairs = (0..2).flat_map(|view| BATCHES.map(move |batch| (view, batch)));
        let voices = |view: usize, batch: Batch| {
            self.correct().filter(|at| state.0[*at].rounds[view].committed[batch as usize]).count()
        };
        pairs.filter(|(view, batch)| voices(*view, *batch) + 1 >= Q).collect()
    }
}

impl Model for System {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![Default::default()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for at in self.correct() {
            let replica = &state.0[at];
            if !replica.rounds[0].reserved {
                actions.push(Action::Reserve(at));
            }
            if replica.left.is_none() {
                actions.push(Action::Leave(at));
            }
            for view in 0..2 {
                let round = &replica.rounds[view];
                if round.pending.is_some() {
                    actions.push(Action::Sync(at, view));
                }
                if !Self::is_in(replica, view) || !round.reserved {
                    continue;
                }
                for batch in BATCHES {
                    let is_free = round.vote.is_none() && !round.mute;
                    let is_offered = match (at == view, view) {
                        (true, 0) => FIRST.contains(&batch),
                        (false, 0) => self.is_proposed(state, 0, batch),
                        _ => replica.entered == Some(batch),
                    };
                    if is_free && is_offered {
                        actions.push(Action::Vote(at, view, batch));
                    }
                    let is_certified = round.pending == Some(batch) || round.durable == Some(batch);
                    // In view 1 the proposal is the one the replica entered with.
                    let is_known = view == 0 || replica.entered == Some(batch);
                    if !is_certified && is_known && self.is_certifiable(state, view, batch) {
                        actions.push(Action::Certify(at, view, batch));
                    }
                    let may_commit = if self.syncs { round.durable == Some(batch) } else { is_certified };
                    if may_commit && !round.committed[batch as usize] {
                        actions.push(Action::Commit(at, view, batch));
                    }
                }
            }
            if replica.left.is_some() && replica.entered.is_none() {
                if self.liar == 1 {
                    actions.extend(self.plans(state).into_iter().map(|batch| Action::Enter(at, batch)));
                } else if let Some(batch) = state.1 {
                    actions.push(Action::Enter(at, batch));
                }
            }
            actions.push(Action::Crash(at));
        }
        // A correct primary of view 1 opens it once.
        if self.liar != 1 && state.1.is_none() && state.0[1].left.is_some() {
            actions.extend(self.plans(state).into_iter().map(Action::Open));
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = *last;
        match action {
            Action::Reserve(at) => next.0[at].rounds[0].reserved = true,
            Action::Vote(at, view, batch) => {
                let round = &mut next.0[at].rounds[view];
                round.vote = Some(batch);
                round.voted[batch as usize] = true;
            }
            Action::Certify(at, view, batch) => next.0[at].rounds[view].pending = Some(batch),
            Action::Sync(at, view) => {
                let round = &mut next.0[at].rounds[view];
                round.durable = round.pending.take();
            }
            Action::Commit(at, view, batch) => next.0[at].rounds[view].committed[batch as usize] = true,
            Action::Leave(at) => {
                let round = next.0[at].rounds[0];
                next.0[at].left = Some(round.pending.or(round.durable));
            }
            Action::Open(batch) => next.1 = Some(batch),
            Action::Enter(at, batch) => {
                next.0[at].entered = Some(batch);
                next.0[at].rounds[1].reserved = true;
            }
            Action::Crash(at) => {
                for round in &mut next.0[at].rounds {
                    (round.vote, round.pending) = (None, None);
                    round.mute |= round.reserved && self.reserves;
                }
            }
        }
        (next != *last).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("agreement", |system: &System, state: &State| {
                let decided = system.decided(state);
                decided.iter().all(|(_, batch)| *batch == decided[0].1)
            }),
            Property::always("durability", |system: &System, state: &State| {
                let holds = |at: &usize, view: usize, batch: Batch| state.0[*at].rounds[view].durable == Some(batch);
                let copies = |view, batch| system.correct().filter(|at| holds(at, view, batch)).count();
                system.decided(state).into_iter().all(|(view, batch)| copies(view, batch) >= Q - 1)
            }),
            Property::always("one word", |system: &System, state: &State| {
                let words = |round: &Round| round.voted.iter().filter(|voted| **voted).count();
                system.correct().all(|at| state.0[at].rounds.iter().all(|round| words(round) <= 1))
            }),
            Property::sometimes("decided in view 1", |system: &System, state: &State| {
                system.decided(state).iter().any(|(view, _)| *view == 1)
            }),
        ]
    }
}

fn main() {
    let threads = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut is_right = true;
    let liars: Vec<usize> = match std::env::args().nth(2).and_then(|text| text.parse().ok()) {
        Some(liar) => vec![liar],
        None => vec![0, 1, 3],
    };
    for liar in liars {
        for (reserves, syncs) in [(true, true), (false, true), (true, false), (false, false)] {
            let started = std::time::Instant::now();
            // All states of the rule as it is; of a broken one as many as it takes.
            let end = if reserves && syncs { HasDiscoveries::All } else { HasDiscoveries::AnyFailures };
            let system = System { liar, reserves, syncs };
            let checker = system.checker().threads(threads).finish_when(end).spawn_bfs().join();
            let broken: Vec<&str> = ["agreement", "durability", "one word"]
                .into_iter()
                .filter(|name| checker.discovery(name).is_some())
                .collect();
            let is_exercised = checker.discovery("decided in view 1").is_some();
            let is_expected = match reserves && syncs {
                true => broken.is_empty() && is_exercised && checker.is_done(),
                false => !broken.is_empty(),
            };
            is_right &= is_expected;
            println!(
                "liar r{liar}, reservation {reserves}, sync before COMMIT {syncs}: {} states, depth {}, violated {broken:?}, {:.0} s",
                checker.unique_state_count(),
                checker.max_depth(),
                started.elapsed().as_secs_f64(),
            );
        }
    }
    assert!(is_right, "the rule does not do what its argument says");
}
