//! The world: nodes with disks and clocks, a network, clients, and a queue of what happens when.

mod faults;

use super::super::codec::{Bytes, decode, encode};
use super::super::message::*;
use super::super::replica::*;
use super::super::signed::{Keys, PublicKey, verify};
use super::super::types::*;
use super::byzantine::Liar;
use super::checker::{Checker, INVENTED};
use super::rng::Rng;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

/// A run's nature; all of it follows from the seed.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) voters: u32,
    pub(super) spares: u32,
    pub(super) byzantine: u32,
    pub(super) twins: bool,
    pub(super) real_signatures: bool,
    pub(super) loss: u64,
    pub(super) duplication: u64,
    pub(super) delay: u64,
    pub(super) delay_tail: u64,
    pub(super) partitions: bool,
    pub(super) crashes: bool,
    pub(super) power_loss: bool,
    pub(super) amnesia: bool,
    pub(super) disk_errors: bool,
    pub(super) disk_delay: u64,
    pub(super) pauses: bool,
    pub(super) skew: u64,
    pub(super) clients: usize,
    /// How long clients think between requests, at most.
    pub(super) thinking: u64,
    pub(super) interval: u64,
    pub(super) checkpoint_time: u64,
    /// Some kinds of messages vanish on some links, for moments.
    pub(super) cuts: bool,
    pub(super) slow_links: bool,
    pub(super) clock_jumps: bool,
    pub(super) full_disks: bool,
    pub(super) rot: bool,
    /// Nothing fails but the liars: then nobody may wait long.
    pub(super) calm: bool,
    pub(super) timeout: u64,
    /// Timeouts are far too short for this network; only doubling them helps.
    pub(super) impatient: bool,
    /// Twins: the node that exists twice, and who hears whom in each round.
    pub(super) twin: u32,
    pub(super) rounds: Vec<[u8; 5]>,
    pub(super) round: u64,
    pub(super) faults_for: u64,
}

/// What a run came to; two runs of a seed give equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) committed: u64,
    pub(super) acked: usize,
    pub(super) epoch: Epoch,
    pub(super) view: View,
    pub(super) time: u64,
    pub(super) trace: u64,
}

/// The replicated state machine of the simulation.
#[derive(Clone, Default)]
struct App {
    seq: SeqNo,
    hash: u64,
    last: BTreeMap<ClientId, u64>,
}

impl App {
    fn apply(&mut self, header: &Header, requests: &[(ReplicaId, Request)]) {
        assert_eq!(header.seq, self.seq.next(), "I3: executed without gaps");
        self.seq = header.seq;
        for (_, request) in requests {
            self.last.insert(request.client, request.number);
            for word in [request.client.0 as u64, request.number, header.time] {
                self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17);
            }
        }
    }

    /// Three chunks, so that a transfer has something to do.
    fn chunks(&self) -> Vec<Vec<u8>> {
        let bytes = encode(&((self.seq, self.hash), self.last.clone()));
        let (first, rest) = bytes.split_at(8);
        let (second, third) = rest.split_at(8);
        vec![first.to_vec(), second.to_vec(), third.to_vec()]
    }

    /// The digests of the chunks as they can be read.
    fn found(&self, rotten: Option<u32>) -> Vec<Digest> {
        let digest = |(at, chunk): (usize, &Vec<u8>)| {
            if Some(at as u32) == rotten { Digest([1; 32]) } else { Chunk::digest(chunk) }
        };
        self.chunks().iter().enumerate().map(digest).collect()
    }

    fn from_chunks(chunks: &[Vec<u8>]) -> Option<Self> {
        let ((seq, hash), last) = decode(&chunks.concat()).ok()?;
        Some(Self { seq, hash, last })
    }
}

/// A disk: what is synced survives, the rest may be torn off anywhere.
#[derive(Clone, Default)]
struct Disk {
    records: Vec<Record>,
    synced: usize,
    snapshots: BTreeMap<SeqNo, App>,
    /// A chunk that cannot be read back as it was written.
    rotten: BTreeMap<SeqNo, u32>,
}

struct Node {
    id: ReplicaId,
    keys: Keys,
    replica: Option<Replica>,
    life: u64,
    disk: Disk,
    /// An old copy of the disk.
    image: Option<Disk>,
    app: App,
    staged: BTreeMap<u32, Vec<u8>>,
    liar: Option<Liar>,
    skew: i64,
    paused_until: u64,
    /// The disk has no room left.
    full_until: u64,
    /// Where in the log each persist ended.
    ends: BTreeMap<u64, usize>,
}

struct Client {
    id: ClientId,
    gateway: usize,
    number: u64,
    sent_at: u64,
    asked_at: u64,
    is_waiting: bool,
}

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)]
enum Event {
    Deliver { to: usize, from: ReplicaId, message: Message },
    Tick(usize),
    Synced { node: usize, life: u64, token: u64 },
    Checkpoint { node: usize, life: u64, seq: SeqNo, chunks: Vec<Digest> },
    Installed { node: usize, life: u64, seq: SeqNo },
    Client(usize),
    Fault,
    Cut,
    Round(usize),
    Restart(usize),
}

/// Messages of a kind (or all) from some nodes to some vanish.
#[derive(Clone, Copy, Debug)]
struct Cut {
    kind: Option<&'static str>,
    from: u64,
    to: u64,
}

const KINDS: [&str; 8] = ["PRE-PREPARE", "PREPARE", "COMMIT", "VIEW-CHANGE", "NEW-VIEW", "BODY", "STATUS", "COMMITTED"];

const TICK: u64 = 5_000;
/// How far a clock jumps at most.
const JUMP_MAX: u64 = 5_000_000;
const EARLY_MAX: usize = 32;
const BODIES_MAX: usize = 32;
/// Everything pending is done so long after the faults stop; about ten of the longest view timeouts.
const LIVENESS_BOUND: u64 = 60_000_000;

pub(super) struct World {
    plan: Plan,
    rng: Rng,
    now: u64,
    order: u64,
    /// When what happens, earliest first; the events themselves lie in `events`.
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    events: Vec<Option<Event>>,
    unused: Vec<usize>,
    nodes: Vec<Node>,
    clients: Vec<Client>,
    genesis: Arc<Genesis>,
    parameters: Parameters,
    blocked: BTreeSet<(usize, usize)>,
    cuts: Vec<Cut>,
    slow: BTreeMap<(usize, usize), u64>,
    /// Nodes whose disks rot; never more than f.
    rotting: Vec<usize>,
    /// Nodes whose state has changed by itself.
    spoiled: BTreeSet<usize>,
    healed: bool,
    checker: Checker,
    hash: u64,
    is_traced: bool,
    lines: Vec<String>,
    administrator: Keys,
    configured: u64,
    config_client: u64,
}

impl World {
    pub(super) fn new(plan: Plan, is_traced: bool) -> Self {
        let mut rng = Rng::new(plan.seed);
        let key = |id: u64| {
            if plan.real_signatures {
                let mut secret = [7; 32];
                secret[..8].copy_from_slice(&id.to_be_bytes());
                Keys::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&secret)))
            } else {
                Keys::Mock(id)
            }
        };
        let administrator = key(1000);
        let members = (0..plan.voters)
            .map(|id| Member { id: ReplicaId(id), key: key(u64::from(id)).public(), role: Role::Voter })
            .collect();
        let administrators: Vec<PublicKey> = vec![administrator.public()];
        let genesis = Arc::new(Genesis {
            cluster: Digest::of("cluster", &plan.seed.to_be_bytes()),
            members,
            administrators,
            approvals: 1,
            checkpoint_interval: plan.interval,
            checkpoint_time: plan.checkpoint_time,
            watermark_window: plan.interval * 2,
            client_retention: 1 << 30,
        });
        let slowness = plan.delay + plan.delay_tail + plan.disk_delay;
        let (request_timeout, view_timeout) = match plan.impatient {
            true => (10_000 + slowness / 8, 10_000 + slowness / 8),
            false => (plan.timeout + 6 * slowness, plan.timeout * 3 / 2 + 6 * slowness),
        };
        let parameters = Parameters {
            pipeline: 1 + rng.below(8),
            gateway_pipeline: 1 + rng.below(4),
            batch_wait: rng.below(10_000),
            request_timeout,
            view_timeout,
            timeout_max: 4_000_000,
            status_interval: 50_000,
            time_slack: 1_900_000,
            proposal_delay_floor: 100_000 + 4 * slowness,
            future_max: EARLY_MAX,
            bodies_per_gateway_max: BODIES_MAX as u64,
            ..Parameters::default()
        };
        let mut checker = Checker::default();
        let mut nodes = Vec::new();
        for id in 0..plan.voters + plan.spares {
            let keys = key(u64::from(id));
            // Not always the last ones: a liar that is the first primary can do more.
            let turn = (u64::from(id) + plan.seed / 7) % u64::from(plan.voters);
            let is_liar = id < plan.voters && turn < u64::from(plan.byzantine);
            let everybody = || (0..plan.voters + plan.spares).map(|id| key(u64::from(id))).collect();
            let liar = is_liar.then(|| Liar::new(&mut rng, ReplicaId(id), everybody(), genesis.cluster));
            if is_liar {
                checker.faulty.insert(ReplicaId(id));
            }
            let skew = rng.below(2 * plan.skew + 1) as i64 - plan.skew as i64;
            nodes.push(Node::new(ReplicaId(id), keys, liar, skew));
        }
        if plan.twins {
            let id = plan.twin;
            checker.faulty.insert(ReplicaId(id));
            nodes.push(Node::new(ReplicaId(id), key(u64::from(id)), None, 0));
        }
        let f = (plan.voters as usize - 1) / 3;
        let rotting =
            (0..plan.voters as usize).filter(|at| plan.rot && !checker.faulty.contains(&ReplicaId(*at as u32)));
        let rotting = rotting.skip(plan.seed as usize % 2).take(f - checker.faulty.len().min(f)).collect();
        let mut world = Self {
            rng,
            now: 1_000,
            order: 0,
            queue: BinaryHeap::new(),
            events: Vec::new(),
            unused: Vec::new(),
            nodes,
            clients: Vec::new(),
            genesis,
            parameters,
            blocked: BTreeSet::new(),
            cuts: Vec::new(),
            slow: BTreeMap::new(),
            rotting,
            spoiled: BTreeSet::new(),
            healed: false,
            checker,
            hash: 0,
            is_traced,
            lines: Vec::new(),
            administrator,
            configured: 0,
            config_client: 0,
            plan,
        };
        world.note(|world| {
            let liars =
                world.nodes.iter().filter_map(|node| Some(format!("{} {}", node.id, node.liar.as_ref()?.describe())));
            format!("plan {:?} {:?} liars {:?}", world.plan, world.parameters, liars.collect::<Vec<_>>())
        });
        world
    }

    pub(super) fn trace(&self) -> String {
        let skip = self.lines.len().saturating_sub(400);
        let head = self.lines.iter().take(8).cloned();
        head.chain(self.lines.iter().skip(skip.max(8)).cloned()).collect::<Vec<_>>().join("\n")
    }

    fn note(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.is_traced {
            let line = format!("{:>9.3}ms {}", self.now as f64 / 1000.0, line(self));
            self.lines.push(line);
        }
    }

    fn at(&mut self, delay: u64, event: Event) {
        self.order += 1;
        let place = self.unused.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[place] = Some(event);
        self.queue.push(Reverse((self.now + delay.max(1), self.order, place)));
    }

    fn honest(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|at| !self.checker.faulty.contains(&self.nodes[*at].id)).collect()
    }

    /// The whole run.
    pub(super) fn run(&mut self) -> Result<Report, String> {
        for node in 0..self.nodes.len() {
            self.start(node)?;
            let offset = self.rng.below(TICK);
            self.at(offset, Event::Tick(node));
        }
        let gateways: Vec<usize> = self.honest().into_iter().filter(|at| *at < self.plan.voters as usize).collect();
        for client in 0..self.plan.clients {
            let gateway = gateways[client % gateways.len()];
            self.clients.push(Client {
                id: ClientId(client as u128 + 1),
                gateway,
                number: 0,
                sent_at: 0,
                asked_at: 0,
                is_waiting: false,
            });
            let delay = self.rng.below(50_000);
            self.at(delay, Event::Client(client));
        }
        self.at(100_000, Event::Fault);
        if self.plan.cuts {
            self.at(30_000, Event::Cut);
        }
        for round in 0..self.plan.rounds.len() {
            self.at(20_000 + round as u64 * self.plan.round, Event::Round(round));
        }
        let mut deadline = None;
        while let Some(Reverse((time, _, place))) = self.queue.pop() {
            let Some(event) = self.events[place].take() else { continue };
            self.unused.push(place);
            let is_tick = matches!(event, Event::Tick(0));
            self.now = time;
            if time >= self.plan.faults_for && !self.healed {
                self.heal()?;
                deadline = Some(time + LIVENESS_BOUND);
            }
            self.happen(event)?;
            if let Some(deadline) = deadline {
                if is_tick && self.is_done() {
                    break;
                }
                if self.now > deadline {
                    return Err(format!("I8: not everything is done: {}", self.standing()));
                }
            }
        }
        for at in self.honest() {
            let app = &self.nodes[at].app;
            if !self.checker.is_state_of_history(app.seq, app.hash) {
                return Err(format!("I6: {} ends with another state at {}", self.nodes[at].id, app.seq));
            }
        }
        let executed = self.honest().iter().map(|at| self.nodes[*at].app.seq).max().unwrap_or_default();
        self.checker.durable(executed)?;
        let (epoch, view, _) = self.reference().map(Replica::position).unwrap_or_default();
        Ok(Report {
            committed: self.checker.committed(),
            acked: self.checker.acked.len(),
            epoch,
            view,
            time: self.now,
            trace: self.hash,
        })
    }

    fn reference(&self) -> Option<&Replica> {
        let replicas = self.honest().into_iter().filter_map(|at| self.nodes[at].replica.as_ref());
        replicas.max_by_key(|replica| replica.position().0)
    }

    fn standing(&self) -> String {
        let node = |node: &Node| match &node.replica {
            None => format!("{} down", node.id),
            Some(replica) => {
                let low = replica.stable().map_or(0, |cert| cert.seq.0);
                format!(
                    "{} {:?} executed {} stable {low} {:?}",
                    node.id,
                    replica.position(),
                    replica.executed(),
                    replica.refusals()
                )
            }
        };
        let waiting = self.clients.iter().filter(|client| client.is_waiting).count();
        format!("{waiting} clients wait; {}", self.nodes.iter().map(node).collect::<Vec<_>>().join("; "))
    }

    /// Nobody waits, and all correct members have executed the same.
    fn is_done(&self) -> bool {
        if self.clients.iter().any(|client| client.is_waiting) {
            return false;
        }
        let Some(members) = self.reference().map(|replica| replica.membership().clone()) else { return false };
        let mut executed = BTreeSet::new();
        for at in self.honest() {
            if members.member(self.nodes[at].id).is_none() {
                continue;
            }
            match &self.nodes[at].replica {
                Some(replica) => executed.insert((replica.executed(), replica.position().0)),
                None => return false,
            };
        }
        let is_sound = |at: &usize| {
            let app = &self.nodes[*at].app;
            self.checker.is_state_of_history(app.seq, app.hash)
        };
        executed.len() == 1 && self.spoiled.iter().all(is_sound)
    }

    fn heal(&mut self) -> Result<(), String> {
        self.note(|_| "---- faults stop ----".into());
        self.healed = true;
        self.blocked.clear();
        self.cuts.clear();
        self.slow.clear();
        (self.plan.loss, self.plan.duplication) = (0, 0);
        for node in 0..self.nodes.len() {
            self.nodes[node].paused_until = 0;
            self.nodes[node].full_until = 0;
            let bound = self.plan.skew as i64;
            self.nodes[node].skew = self.nodes[node].skew.clamp(-bound, bound);
            if self.nodes[node].replica.is_none() {
                self.start(node)?;
            }
        }
        Ok(())
    }

    // ---- nodes ----

    fn start(&mut self, at: usize) -> Result<(), String> {
        let node = &mut self.nodes[at];
        node.life += 1;
        node.ends.clear();
        node.staged.clear();
        // A snapshot that cannot be read back is as good as none, as long as there is an older one.
        let disk = &mut node.disk;
        while let Some((newest, _)) = disk.snapshots.last_key_value().filter(|_| disk.snapshots.len() > 1)
            && disk.rotten.contains_key(newest)
        {
            disk.snapshots.pop_last();
        }
        disk.rotten.clear();
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
    fn crash(&mut self, at: usize) {
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

    fn local_now(&self, at: usize) -> Now {
        let wall = (self.now + 1_000_000_000).saturating_add_signed(self.nodes[at].skew);
        Now { monotonic: self.now, wall }
    }

    fn step(&mut self, at: usize, input: Input) -> Result<(), String> {
        let now = self.local_now(at);
        let Some(replica) = self.nodes[at].replica.as_mut() else { return Ok(()) };
        let outputs = replica.step(now, input);
        let sizes = replica.sizes();
        let bound = 8 * self.plan.interval as usize + 8;
        let members = self.nodes.len();
        let is_bounded = sizes.positions <= bound
            && sizes.batches <= 3 * bound
            && sizes.bodies <= 2 * members * BODIES_MAX + 3 * bound * BODIES_MAX
            && sizes.early <= EARLY_MAX
            && sizes.snapshots <= bound
            && sizes.votes <= members * (bound + 2);
        if !is_bounded {
            return Err(format!("I9: {sizes:?} in memory, {bound} positions expected"));
        }
        outputs.into_iter().try_for_each(|output| self.obey(at, output))
    }

    fn obey(&mut self, at: usize, output: Output) -> Result<(), String> {
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

    fn persist(&mut self, at: usize, token: u64, records: Vec<Record>) -> Result<(), String> {
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

    fn execute(
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
        self.checker.executed(header, requests, state, time_max)?;
        self.hash = (self.hash ^ u64::from_be_bytes(header.batch.0[..8].try_into().unwrap_or_default())).rotate_left(7);
        for (_, request) in requests.iter().filter(|(_, request)| request.client.0 < INVENTED) {
            self.acknowledge(at, request.client, request.number);
        }
        Ok(())
    }

    // ---- the network ----

    fn send(&mut self, at: usize, to: ReplicaId, message: Message) -> Result<(), String> {
        self.inspect(at, &message)?;
        self.emit(at, to, message);
        Ok(())
    }

    fn inspect(&mut self, at: usize, message: &Message) -> Result<(), String> {
        if !self.checker.faulty.contains(&self.nodes[at].id) {
            self.checker.message(self.nodes[at].id, message)?;
        }
        Ok(())
    }

    /// Through the liar, if it is one, onto the network.
    fn emit(&mut self, at: usize, to: ReplicaId, message: Message) {
        let from = self.nodes[at].id;
        let Some(liar) = &mut self.nodes[at].liar else {
            self.deliver(at, to, from, 0, &message);
            return;
        };
        let messages = liar.corrupt(&mut self.rng, to, message);
        for (extra, message) in messages {
            self.deliver(at, to, from, extra, &message);
        }
    }

    /// To every node that goes by that number.
    fn deliver(&mut self, at: usize, to: ReplicaId, from: ReplicaId, extra: u64, message: &Message) {
        for target in 0..self.nodes.len() {
            if self.nodes[target].id == to {
                self.carry(at, target, from, extra, message);
            }
        }
    }

    fn carry(&mut self, at: usize, to: usize, from: ReplicaId, extra: u64, message: &Message) {
        if self.blocked.contains(&(at, to)) || self.is_cut(at, to, message) || self.rng.percent(self.plan.loss) {
            return;
        }
        let extra = extra + self.slow.get(&(at, to)).copied().unwrap_or_default();
        let copies = if self.rng.percent(self.plan.duplication) { 2 } else { 1 };
        for _ in 0..copies {
            let tail = self.rng.below(self.plan.delay_tail + 1);
            let tail = if self.rng.percent(2) { tail * 5 } else { tail };
            let delay = extra + self.plan.delay / 2 + self.rng.below(self.plan.delay) + tail;
            self.at(delay, Event::Deliver { to, from, message: message.clone() });
        }
    }

    fn is_cut(&self, at: usize, to: usize, message: &Message) -> bool {
        self.cuts
            .iter()
            .any(|cut| (cut.from >> at) & (cut.to >> to) & 1 == 1 && cut.kind.is_none_or(|kind| kind == message.name()))
    }

    fn skew_max(&self) -> u64 {
        if self.plan.clock_jumps { self.plan.skew + JUMP_MAX } else { self.plan.skew }
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        let tag = match &event {
            Event::Deliver { to, from, .. } => 1 + (*to as u64) * 100 + u64::from(from.0) * 10_000,
            Event::Tick(node) => 2 + *node as u64 * 100,
            _ => 3,
        };
        self.hash = (self.hash ^ self.now ^ (tag << 40)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
        match event {
            Event::Deliver { to, from, message } => {
                let paused = self.nodes[to].paused_until;
                if paused > self.now {
                    let delay = paused - self.now;
                    self.at(delay, Event::Deliver { to, from, message });
                    return Ok(());
                }
                let id = self.nodes[to].id;
                if self.nodes[to].replica.is_none() {
                    return Ok(());
                }
                if self.is_traced && !matches!(message, Message::Status(_) | Message::Body(_)) {
                    let line = format!("{from} -> {id} {}", describe(&message));
                    self.lines.push(format!("{:>9.3}ms {line}", self.now as f64 / 1000.0));
                }
                if let Node { liar: Some(liar), replica: Some(replica), .. } = &mut self.nodes[to] {
                    if liar.ignores(&message) {
                        return Ok(());
                    }
                    for (whom, said) in liar.overhear(from, replica, &message) {
                        self.deliver(to, whom, id, 0, &said);
                    }
                }
                let Some(replica) = self.nodes[to].replica.as_mut() else { return Ok(()) };
                if !replica.is_news(from, &message) {
                    return Ok(());
                }
                match verify(replica.directory(), from, message) {
                    Ok(message) => self.step(to, Input::Message(message))?,
                    Err(refusal) => replica.refused(refusal),
                }
            }
            Event::Tick(node) => {
                self.at(TICK, Event::Tick(node));
                if self.nodes[node].paused_until <= self.now {
                    self.provoke(node)?;
                    self.step(node, Input::Tick)?;
                }
            }
            Event::Synced { node, life, token }
                if self.nodes[node].life == life && self.nodes[node].replica.is_some() =>
            {
                let end = self.nodes[node].ends.remove(&token).unwrap_or(0);
                let disk = &mut self.nodes[node].disk;
                disk.synced = disk.synced.max(end);
                self.step(node, Input::Persisted(token))?;
            }
            Event::Checkpoint { node, life, seq, chunks } if self.nodes[node].life == life => {
                self.step(node, Input::CheckpointTaken(seq, chunks))?;
            }
            Event::Installed { node, life, seq } if self.nodes[node].life == life => {
                self.step(node, Input::StateInstalled(seq))?;
            }
            Event::Client(client) => self.client(client)?,
            Event::Fault => self.fault()?,
            Event::Cut => self.cut(),
            Event::Round(round) => self.round(round),
            Event::Restart(node) => {
                self.crash(node);
                self.start(node)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn provoke(&mut self, at: usize) -> Result<(), String> {
        let node = &mut self.nodes[at];
        let (Some(liar), Some(replica)) = (node.liar.as_mut(), node.replica.as_ref()) else { return Ok(()) };
        let wall = self.now + 1_000_000_000;
        let said = liar.provoke(&mut self.rng, replica, wall);
        let peers = replica.peers();
        for message in said {
            for peer in &peers {
                self.send(at, *peer, message.clone())?;
            }
        }
        Ok(())
    }

    // ---- clients ----

    fn acknowledge(&mut self, at: usize, client: ClientId, number: u64) {
        let found = self.clients.iter_mut().position(|known| known.id == client);
        let Some(index) = found else { return };
        let known = &mut self.clients[index];
        if known.gateway == at && known.number == number && known.is_waiting {
            known.is_waiting = false;
            self.checker.acked(client, number);
            let delay = 1_000 + self.rng.below(self.plan.thinking);
            self.at(delay, Event::Client(index));
        }
    }

    fn client(&mut self, index: usize) -> Result<(), String> {
        let client = &mut self.clients[index];
        let (at, id) = (client.gateway, client.id);
        if client.is_waiting {
            // No answer: perhaps the gateway has it from a state transfer; else ask another one for the same number.
            let outcome = self.nodes[at].replica.as_ref().and_then(|replica| replica.outcome(id));
            if outcome.is_some_and(|(number, _)| number >= client.number) {
                let number = client.number;
                self.acknowledge(at, id, number);
                return Ok(());
            }
            let patience = 8 * (self.parameters.request_timeout + self.parameters.view_timeout);
            if self.plan.calm && self.now - client.asked_at > patience {
                let wait = format!("{id} has waited since {}us for {}", client.asked_at, client.number);
                return Err(format!("I8: {wait}; {}", self.standing()));
            }
            if self.now - client.sent_at < 2_000_000 {
                self.at(500_000, Event::Client(index));
                return Ok(());
            }
            let Some(members) = self.reference().map(|replica| replica.membership().clone()) else {
                self.at(500_000, Event::Client(index));
                return Ok(());
            };
            let gateways: Vec<usize> =
                self.honest().into_iter().filter(|at| members.is_voter(self.nodes[*at].id)).collect();
            let gateway = gateways[self.rng.below(gateways.len() as u64) as usize];
            self.clients[index].gateway = gateway;
        } else {
            if self.healed {
                return Ok(());
            }
            client.number += 1;
            client.is_waiting = true;
            client.asked_at = self.now;
        }
        let client = &mut self.clients[index];
        client.sent_at = self.now;
        let (at, number) = (client.gateway, client.number);
        let request = Request { client: id, number, operation: Operation::Data(Bytes::from(vec![number as u8; 16])) };
        self.checker.submitted(&request);
        self.at(500_000, Event::Client(index));
        // A second event for the same wait would double the client; the check above tolerates it.
        self.step(at, Input::Submit(request))
    }
}

impl Node {
    fn new(id: ReplicaId, keys: Keys, liar: Option<Liar>, skew: i64) -> Self {
        Self {
            id,
            keys,
            replica: None,
            life: 0,
            disk: Disk::default(),
            image: None,
            app: App::default(),
            staged: BTreeMap::new(),
            liar,
            skew,
            paused_until: 0,
            full_until: 0,
            ends: BTreeMap::new(),
        }
    }
}

/// A message in a line.
pub(super) fn describe(message: &Message) -> String {
    let name = message.name();
    match message {
        Message::PrePrepare(proposal) => {
            format!("{name} {} {} {}", proposal.vote.view, proposal.vote.seq, proposal.vote.digest)
        }
        Message::Prepare(vote) => format!("{name} {} {} {}", vote.view, vote.seq, vote.digest),
        Message::Commit(commit) => format!("{name} {} {} {}", commit.view, commit.seq, commit.digest),
        Message::Checkpoint(checkpoint) => format!("{name} {}", checkpoint.vote.seq),
        Message::ViewChange(change) => {
            let prepared: Vec<u64> = change.prepared.iter().map(|cert| cert.proposal.seq.0).collect();
            format!("{name} {} h={} P={prepared:?}", change.vote.view, change.vote.seq)
        }
        Message::NewView(new) => {
            let open: Vec<u64> = new.proposals.iter().map(|vote| vote.seq.0).collect();
            format!("{name} {} O={open:?}", new.vote.view)
        }
        Message::Committed(committed) => format!("{name} {}", committed.seq),
        Message::Stable(cert) => format!("{name} {} {}", cert.epoch, cert.seq),
        Message::Status(status) => format!("{name} {status:?}"),
        _ => name.to_string(),
    }
}
