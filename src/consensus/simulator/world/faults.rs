//! What goes wrong, and when: the faults that a plan allows, drawn one by one while they last.

use super::super::super::replica::*;
use super::super::super::types::*;
use super::{Cut, Disk, Event, JUMP_MAX, KINDS, World};
use std::collections::BTreeSet;

impl World {
    pub(super) fn fault(&mut self) -> Result<(), String> {
        if self.healed {
            return Ok(());
        }
        let delay = 100_000 + self.rng.below(900_000);
        self.at(delay, Event::Fault);
        let count = self.nodes.len() as u64;
        let victim = self.rng.below(count) as usize;
        if self.plan.spares > 0 && self.rng.percent(50) {
            self.reconfigure()?;
        }
        match self.rng.below(12) {
            7 if self.plan.slow_links => {
                let (from, to) = (self.rng.below(count) as usize, self.rng.below(count) as usize);
                let delay = self.rng.below(400_000);
                self.slow.insert((from, to), delay);
                if self.rng.percent(30) {
                    self.slow.clear();
                }
            }
            8 if self.plan.clock_jumps => {
                let jump = self.rng.below(2 * JUMP_MAX) as i64 - JUMP_MAX as i64;
                self.nodes[victim].skew = jump;
                self.note(|_| format!("clock of node {victim} jumps to {jump}us"));
            }
            9 if self.plan.full_disks => self.nodes[victim].full_until = self.now + self.rng.below(1_500_000),
            10 | 11 if !self.rotting.is_empty() => self.rot()?,
            0 | 1 if self.plan.crashes => {
                self.crash(victim);
                if !self.rng.percent(30) {
                    self.start(victim)?;
                } else {
                    let delay = self.rng.below(2_000_000);
                    self.at(delay, Event::Restart(victim));
                }
            }
            2 if self.plan.power_loss => {
                self.note(|_| "power loss".into());
                (0..self.nodes.len()).for_each(|node| self.crash(node));
                for node in 0..self.nodes.len() {
                    self.start(node)?;
                }
            }
            3 if self.plan.pauses => {
                self.nodes[victim].paused_until = self.now + self.rng.below(1_500_000);
            }
            4 if self.plan.amnesia => self.forget(victim)?,
            5 | 6 | 0 if self.plan.partitions => {
                self.blocked.clear();
                if self.rng.percent(70) {
                    let sides: Vec<u64> = (0..count).map(|_| self.rng.below(2)).collect();
                    let is_symmetric = self.rng.percent(60);
                    for from in 0..count as usize {
                        for to in 0..count as usize {
                            let crosses = sides[from] < sides[to] || (is_symmetric && sides[from] != sides[to]);
                            if crosses {
                                self.blocked.insert((from, to));
                            }
                        }
                    }
                    self.note(|_| format!("partition {sides:?} symmetric {is_symmetric}"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Other links are cut, in a moment others again.
    pub(super) fn cut(&mut self) {
        self.cuts.clear();
        if self.healed {
            return;
        }
        if self.rng.percent(75) {
            for _ in 0..=self.rng.below(3) {
                let kind = KINDS[self.rng.below(KINDS.len() as u64) as usize];
                let kind = (!self.rng.percent(30)).then_some(kind);
                let cut = Cut { kind, from: self.rng.next(), to: self.rng.next() };
                self.cuts.push(cut);
            }
        }
        let delay = [5_000, 40_000, 150_000][self.rng.below(3) as usize];
        let delay = 1_000 + self.rng.below(delay);
        self.at(delay, Event::Cut);
    }

    /// The next round of a Twins scenario: nodes of different groups do not hear each other.
    pub(super) fn round(&mut self, round: usize) {
        let groups = self.plan.rounds[round];
        let count = self.nodes.len();
        let pairs = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
        self.blocked = pairs.filter(|(from, to)| groups[*from] != groups[*to]).collect();
        self.note(|_| format!("round {round}: groups {groups:?}"));
    }

    /// Something on a disk, or in a state, is not what was written any more.
    fn rot(&mut self) -> Result<(), String> {
        let at = self.rotting[self.rng.below(self.rotting.len() as u64) as usize];
        let id = self.nodes[at].id;
        let stable = self.nodes[at].replica.as_ref().and_then(|replica| Some(replica.stable()?.seq));
        match self.rng.below(4) {
            0 => {
                let disk = &mut self.nodes[at].disk;
                let index = self.rng.below(3) as u32;
                disk.snapshots.keys().next_back().map(|seq| disk.rotten.insert(*seq, index));
            }
            1 => {
                let disk = &mut self.nodes[at].disk;
                let index = self.rng.below(3) as u32;
                stable.filter(|seq| disk.snapshots.contains_key(seq)).map(|seq| disk.rotten.insert(seq, index));
            }
            2 => {
                // The host reads its checkpoint again.
                let Some(seq) = stable else { return Ok(()) };
                let disk = &self.nodes[at].disk;
                let Some(app) = disk.snapshots.get(&seq) else { return Ok(()) };
                let found = app.found(disk.rotten.get(&seq).copied());
                self.step(at, Input::Scrubbed(seq, found))?;
            }
            _ => {
                let is_gateway = self.clients.iter().any(|client| client.gateway == at);
                let f = (self.plan.voters as usize - 1) / 3;
                let is_allowed = self.checker.faulty.contains(&id) || self.checker.faulty.len() < f;
                if is_allowed && !is_gateway && self.plan.spares == 0 && self.nodes[at].replica.is_some() {
                    self.checker.faulty.insert(id);
                    self.spoiled.insert(at);
                    self.nodes[at].app.hash ^= 1;
                    self.note(|_| format!("the state of {id} rots"));
                }
            }
        }
        Ok(())
    }

    /// A disk is lost, or put back to an old copy. At most f nodes ever suffer that; they count as faulty from then on,
    /// for what they say, not for what they execute.
    fn forget(&mut self, at: usize) -> Result<(), String> {
        let f = (self.plan.voters as usize - 1) / 3;
        let id = self.nodes[at].id;
        if self.nodes[at].image.is_none() {
            self.nodes[at].image = Some(self.nodes[at].disk.clone());
            return Ok(());
        }
        let is_gateway = self.clients.iter().any(|client| client.gateway == at);
        if is_gateway || (self.checker.faulty.len() >= f && !self.checker.faulty.contains(&id)) {
            return Ok(());
        }
        self.checker.faulty.insert(id);
        self.crash(at);
        let image = self.nodes[at].image.clone().unwrap_or_default();
        match self.rng.below(3) {
            0 => self.nodes[at].disk = Disk::default(),
            1 => self.nodes[at].disk = image,
            _ => {
                // A rotten record in the middle: the log ends there.
                let disk = &mut self.nodes[at].disk;
                disk.records.truncate(self.rng.below(disk.records.len() as u64 + 1) as usize);
                let kept: BTreeSet<SeqNo> = disk.records.iter().filter_map(Record::seq).collect();
                disk.snapshots.retain(|seq, _| kept.contains(seq));
            }
        }
        let disk = &mut self.nodes[at].disk;
        disk.synced = disk.records.len();
        self.note(|_| format!("{id} forgets"));
        self.start(at)
    }

    /// Asks for a random next membership.
    fn reconfigure(&mut self) -> Result<(), String> {
        let Some(reference) = self.reference() else { return Ok(()) };
        let current = reference.membership().clone();
        let mut members = current.members.clone();
        let spares = self.plan.voters..self.plan.voters + self.plan.spares;
        let spare = spares.start + self.rng.below(u64::from(self.plan.spares)) as u32;
        match members.iter().position(|member| member.id == ReplicaId(spare)) {
            None => {
                let key = self.nodes[spare as usize].keys.public();
                members.push(Member { id: ReplicaId(spare), key, role: Role::Learner });
            }
            Some(at) if members[at].role == Role::Learner => members[at].role = Role::Voter,
            Some(at) => {
                members.remove(at);
            }
        }
        members.sort_by_key(|member| member.id);
        let mut change = ConfigChange { from: current.epoch, members, approvals: Vec::new() };
        change.approvals.push((0, self.administrator.approve(&self.genesis.cluster, &change)));
        self.configured += 1;
        self.config_client += 1;
        let request = Request {
            client: ClientId(1_000_000 + u128::from(self.config_client)),
            number: 1,
            operation: Operation::Configure(change),
        };
        self.checker.submitted(&request);
        let gateways = self.honest();
        let at = gateways[self.rng.below(u64::from(self.plan.voters).min(gateways.len() as u64)) as usize];
        self.step(at, Input::Submit(request))
    }
}
