//! What surrounds a replica: its process, its clock, its disk and its state machine. Outputs are obeyed here.

use super::super::super::codec::Bytes;
use super::super::super::message::*;
use super::super::super::replica::*;
use super::super::super::types::*;
use super::super::checker::INVENTED;
use super::{App, BODIES_MAX, Disk, EARLY_MAX, Event, World};
use std::sync::Arc;

impl World {
    pub(super) fn start(&mut self, at: usize) -> Result<(), String> {
        let node = &mut self.nodes[at];
        node.life += 1;
        node.ends.clear();
        node.staged.clear();
        node.inbox.clear();
        // A snapshot that cannot be read back is as good as none, as long as there is an older one.
        let disk = &mut node.disk;
        while let Some((newest, _)) = disk.snapshots.last_key_value().filter(|_| disk.snapshots.len() > 1)
            && disk.rotten.contains_key(newest)
        {
            disk.snapshots.pop_last();
        }
        disk.rotten.clear();
        // What is read is synced first: it might not be there a second time.
        disk.synced = disk.records.len();
        let checkpoint = node.disk.snapshots.keys().next_back().copied().unwrap_or_default();
        let recovered = Recovered { records: node.disk.records.clone(), checkpoint, incarnation: self.now };
        let replica =
            Replica::open(node.id, node.keys.clone(), self.genesis.clone(), self.parameters.clone(), recovered)
                .ok_or("genesis refused")?;
        node.app = match replica.executed() {
            SeqNo(0) => App::default(),
            seq => node.disk.snapshots.get(&seq).cloned().ok_or(format!("no snapshot at {seq}"))?,
        };
        node.replica = Some(replica);
        let line = format!("{} starts at {}", node.id, node.app.seq);
        self.note(|_| line);
        self.step(at, Input::Start)
    }

    /// Power goes: what was not synced may be lost from any point on.
    pub(super) fn crash(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if node.replica.take().is_none() {
            return;
        }
        let unsynced = (node.disk.records.len() - node.disk.synced) as u64;
        let kept = node.disk.synced + self.rng.below(unsynced + 1) as usize;
        node.disk.records.truncate(kept);
        node.disk.synced = kept;
        let line = format!("{} crashes", node.id);
        self.note(|_| line);
    }

    pub(super) fn local_now(&self, at: usize) -> Now {
        let wall = (self.now + 1_000_000_000).saturating_add_signed(self.nodes[at].skew);
        Now { monotonic: self.now, wall }
    }

    pub(super) fn step(&mut self, at: usize, input: Input) -> Result<(), String> {
        let now = self.local_now(at);
        let Some(replica) = self.nodes[at].replica.as_mut() else { return Ok(()) };
        let outputs = replica.step(now, input);
        self.after(at, outputs)
    }

    /// Looks at what a step has left behind, and does what it asks for.
    pub(super) fn after(&mut self, at: usize, outputs: Vec<Output>) -> Result<(), String> {
        let Some(replica) = self.nodes[at].replica.as_ref() else { return Ok(()) };
        let sizes = replica.sizes();
        let bound = 8 * self.plan.interval as usize + 8;
        let members = self.nodes.len();
        let is_bounded = sizes.positions <= bound
            && sizes.batches <= 3 * bound
            && sizes.bodies <= 2 * members * BODIES_MAX + 3 * bound * BODIES_MAX
            && sizes.waiting <= 2 * BODIES_MAX
            && sizes.early <= EARLY_MAX
            && sizes.snapshots <= bound
            && sizes.votes <= members * (bound + 2);
        if !is_bounded {
            return Err(format!("I9: {sizes:?} in memory, {bound} positions expected"));
        }
        for output in outputs {
            if self.nodes[at].replica.is_none() {
                // The process has ended at an earlier one.
                break;
            }
            self.obey(at, output)?;
        }
        Ok(())
    }

    pub(super) fn obey(&mut self, at: usize, output: Output) -> Result<(), String> {
        let id = self.nodes[at].id;
        let is_honest = !self.checker.faulty.contains(&id);
        match output {
            Output::Send(to, message) => self.send(at, to, message)?,
            Output::Broadcast(message) => {
                let Some(replica) = &self.nodes[at].replica else { return Ok(()) };
                let peers = replica.peers();
                self.inspect(at, &message)?;
                for peer in peers {
                    self.emit(at, peer, message.clone());
                }
            }
            Output::Persist(token, records) => self.persist(at, token, records)?,
            Output::Execute(header, requests) => self.execute(at, is_honest, &header, &requests)?,
            Output::TakeCheckpoint(seq) => {
                let chunks = self.nodes[at].app.chunks();
                assert_eq!(self.nodes[at].app.seq, seq);
                let app = self.nodes[at].app.clone();
                self.nodes[at].disk.snapshots.insert(seq, app);
                let chunks = chunks.iter().map(|chunk| Chunk::digest(chunk)).collect();
                let delay = self.rng.below(20_000);
                let life = self.nodes[at].life;
                self.at(delay, Event::Checkpoint { node: at, life, seq, chunks });
            }
            Output::Truncate(below) => {
                let disk = &mut self.nodes[at].disk;
                let synced = disk.synced;
                let keep = |record: &Record| record.seq().is_none_or(|seq| seq >= below);
                disk.synced = disk.records[..synced].iter().filter(|record| keep(record)).count();
                let before = disk.records.len();
                let removed: Vec<usize> = (0..before).filter(|index| !keep(&disk.records[*index])).collect();
                for end in self.nodes[at].ends.values_mut() {
                    *end -= removed.partition_point(|index| *index < *end);
                }
                let disk = &mut self.nodes[at].disk;
                disk.records.retain(keep);
                disk.snapshots.retain(|seq, _| *seq >= below);
                disk.rotten.retain(|seq, _| *seq >= below);
            }
            Output::ServeChunk(to, seq, index) => {
                if let Some(app) = self.nodes[at].disk.snapshots.get(&seq) {
                    let mut bytes = app.chunks()[index as usize].clone();
                    if self.nodes[at].disk.rotten.get(&seq) == Some(&index) {
                        bytes.push(1);
                    }
                    let bytes = Bytes::from(bytes);
                    self.send(at, to, Message::Chunk(Arc::new(Chunk { seq, index, bytes })))?;
                }
            }
            Output::StageChunk(_, index, bytes) => {
                self.nodes[at].staged.insert(index, bytes.0.to_vec());
            }
            Output::InstallState(seq, chunks) => {
                let node = &mut self.nodes[at];
                let staged: Vec<Vec<u8>> = node.staged.values().take(chunks.len()).cloned().collect();
                node.app = App::from_chunks(&staged).ok_or(format!("I6: {id} installed what is no state"))?;
                let is_right = node.app.seq == seq && self.checker.is_state_of_history(seq, node.app.hash);
                if !is_right && is_honest {
                    return Err(format!("I6: {id} installed another state for {seq}"));
                }
                node.disk.rotten.remove(&seq);
                node.disk.snapshots.insert(seq, node.app.clone());
                let (life, line) = (node.life, format!("{id} installs the state at {seq}"));
                self.note(|_| line);
                self.at(1_000, Event::Installed { node: at, life, seq });
            }
            Output::RepairChunk(seq, index, bytes) => {
                let disk = &mut self.nodes[at].disk;
                let expected = disk.snapshots.get(&seq).map(|app| app.chunks()[index as usize].clone());
                if expected.is_some_and(|expected| expected != bytes.0) {
                    return Err(format!("I6: {id} repairs chunk {index} at {seq} with something else"));
                }
                disk.rotten.remove(&seq);
                self.note(|_| format!("{id} repairs chunk {index} at {seq}"));
            }
            Output::Refused(..) => {}
            Output::Accuse(evidence) => {
                self.note(|_| format!("{id} accuses {} of {:?}", evidence.accused(), evidence.first.kind));
                if is_honest && let Some(replica) = &self.nodes[at].replica {
                    self.checker.accused(replica.directory(), &evidence)?;
                }
            }
            Output::Entered(epoch, view) => self.note(|_| format!("{id} enters {epoch} {view}")),
            Output::Halt(seq) => {
                if is_honest {
                    return Err(format!("I6: {id} halted at {seq}"));
                }
                if self.spoiled.contains(&at) {
                    // P15: the state is rebuilt from the others'.
                    self.note(|_| format!("{id} halts at {seq} and starts empty"));
                    self.crash(at);
                    self.nodes[at].disk = Disk::default();
                    self.at(1_000, Event::Restart(at));
                }
            }
        }
        Ok(())
    }

    pub(super) fn persist(&mut self, at: usize, token: u64, records: Vec<Record>) -> Result<(), String> {
        let is_honest = !self.checker.faulty.contains(&self.nodes[at].id);
        for record in &records {
            if let (Record::Stable(cert), true) = (record, is_honest)
                && let Some(replica) = &self.nodes[at].replica
            {
                self.checker.certified(replica.directory(), cert)?;
            }
        }
        let node = &mut self.nodes[at];
        node.disk.records.extend(records);
        node.ends.insert(token, node.disk.records.len());
        let life = node.life;
        if node.full_until > self.now {
            // ENOSPC: the process ends, and tries again later.
            self.at(200_000, Event::Restart(at));
            self.crash(at);
            return Ok(());
        }
        let mut delay = 50 + self.rng.below(self.plan.disk_delay);
        if self.plan.disk_errors && !self.healed && self.rng.below(400) == 0 {
            // EIO or ENOSPC: never retried, the process ends. What was written may or may not be there.
            self.at(1, Event::Restart(at));
            return Ok(());
        }
        if self.plan.disk_errors && self.rng.below(50) == 0 {
            delay += 50_000;
        }
        self.at(delay, Event::Synced { node: at, life, token });
        Ok(())
    }

    pub(super) fn execute(
        &mut self,
        at: usize,
        is_honest: bool,
        header: &Header,
        requests: &[(ReplicaId, Request)],
    ) -> Result<(), String> {
        self.nodes[at].app.apply(header, requests);
        let id = self.nodes[at].id;
        self.note(|_| format!("{id} executes {} {} with {} requests", header.seq, header.batch, requests.len()));
        if !is_honest {
            return Ok(());
        }
        let state = self.nodes[at].app.hash;
        let time_max = self.now + 1_000_000_000 + self.parameters.time_slack + self.skew_max();
        let Some(replica) = &self.nodes[at].replica else { return Ok(()) };
        self.checker.executed(header, requests, state, time_max, replica.directory())?;
        self.hash = (self.hash ^ u64::from_be_bytes(header.batch.0[..8].try_into().unwrap_or_default())).rotate_left(7);
        for (_, request) in requests.iter().filter(|(_, request)| request.client.0 < INVENTED) {
            self.acknowledge(at, request.client, request.number);
        }
        Ok(())
    }
}
