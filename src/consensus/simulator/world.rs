//! The world: nodes with disks and clocks, a network, clients, and a queue of what happens when.

mod clients;
mod faults;
mod host;
mod net;

use super::super::codec::{decode, encode};
use super::super::message::*;
use super::super::replica::*;
use super::super::signed::{Keys, PublicKey};
use super::super::types::*;
use super::byzantine::Liar;
use super::checker::Checker;
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
    /// Nodes look at their messages only so often, and then at all that have come.
    pub(super) gather: u64,
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
    /// Messages that have come since it last looked.
    inbox: Vec<(ReplicaId, Message)>,
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
    /// The number of its next act.
    turn: u64,
}

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)]
enum Event {
    Deliver { to: usize, from: ReplicaId, message: Message },
    Look { node: usize, life: u64 },
    Tick(usize),
    Synced { node: usize, life: u64, token: u64 },
    Checkpoint { node: usize, life: u64, seq: SeqNo, chunks: Vec<Digest> },
    Installed { node: usize, life: u64, seq: SeqNo },
    Client { index: usize, turn: u64 },
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
        let slowness = plan.delay + plan.delay_tail + plan.disk_delay + plan.gather;
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
                turn: 0,
            });
            let delay = self.rng.below(50_000);
            self.wake(client, delay);
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
                    let executed = self.honest().iter().map(|at| self.nodes[*at].app.seq).max().unwrap_or_default();
                    self.checker.durable(executed)?;
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

    /// Nobody waits, and all correct members have executed the same, and all that was acknowledged. After a loss of power
    /// they may stand at the same checkpoint for a moment, with certificates above it still to be agreed on again.
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
        let is_all = executed.first().is_some_and(|(executed, _)| *executed >= self.checker.acked_up_to);
        executed.len() == 1 && is_all && self.spoiled.iter().all(is_sound)
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
                self.hear(to, from, message)?;
            }
            Event::Look { node, life } if self.nodes[node].life == life => {
                let now = self.local_now(node);
                let messages = std::mem::take(&mut self.nodes[node].inbox);
                let Some(replica) = self.nodes[node].replica.as_mut() else { return Ok(()) };
                let outputs = replica.receive_all(now, messages);
                self.after(node, outputs)?;
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
            Event::Client { index, turn } if self.clients[index].turn == turn => self.client(index)?,
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
            inbox: Vec::new(),
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
