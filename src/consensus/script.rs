//! Golden scripts: scenarios of the protocol as text. Four replicas (or `n=`), messages that move only when told to, disks
//! that sync when told to. See `testscripts/`; `UPDATE_GOLDENFILES=1` writes what happens now.

use super::codec::{Bytes, decode, encode};
use super::ledger::Ledger;
use super::message::*;
use super::replica::*;
use super::signed::{Keys, Kind, Signature, Vote, verify};
use super::types::*;
use goldenscript::{Command, Context, Runner};
use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;

struct Node {
    replica: Option<Replica>,
    records: Vec<Record>,
    synced: usize,
    unsynced: Vec<(u64, usize)>,
    state: Vec<String>,
    snapshots: BTreeMap<SeqNo, Vec<String>>,
    staged: BTreeMap<u32, Vec<u8>>,
    is_manual: bool,
    is_rotten: bool,
    skew: i64,
    life: u64,
}

#[derive(Default)]
struct Stage {
    now: u64,
    nodes: Vec<Node>,
    genesis: Option<Arc<Genesis>>,
    mail: VecDeque<(ReplicaId, ReplicaId, Message)>,
    silent: Vec<ReplicaId>,
    deaf: Vec<ReplicaId>,
    /// Whose proposals leave so many microseconds late, and those on their way.
    late: BTreeMap<ReplicaId, u64>,
    later: Vec<(u64, ReplicaId, ReplicaId, Message)>,
    changes: u64,
    lines: String,
    is_quiet: bool,
}

impl Stage {
    fn open(&mut self, n: u32, spares: u32, interval: u64, time: u64) {
        let keys = |id: u32| Keys::Mock(u64::from(id));
        let member = |id| Member { id: ReplicaId(id), key: keys(id).public(), role: Role::Voter };
        self.genesis = Some(Arc::new(Genesis {
            cluster: Digest::of("cluster", b"script"),
            members: (0..n).map(member).collect(),
            administrators: vec![Keys::Mock(1000).public()],
            approvals: 1,
            checkpoint_interval: interval,
            checkpoint_time: time,
            watermark_window: 2 * interval,
            client_retention: 1000,
        }));
        for _ in 0..n + spares {
            self.nodes.push(Node {
                replica: None,
                records: Vec::new(),
                synced: 0,
                unsynced: Vec::new(),
                state: Vec::new(),
                snapshots: BTreeMap::new(),
                staged: BTreeMap::new(),
                is_manual: false,
                is_rotten: false,
                skew: 0,
                life: 0,
            });
        }
        (0..(n + spares) as usize).for_each(|at| self.start(at));
    }

    fn start(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.life += 1;
        node.unsynced.clear();
        let checkpoint = node.snapshots.keys().next_back().copied().unwrap_or_default();
        let recovered = Recovered { records: node.records.clone(), checkpoint, incarnation: node.life };
        let parameters = Parameters { batch_wait: 0, ..Parameters::default() };
        let genesis = self.genesis.clone().expect("a cluster");
        let replica = Replica::open(ReplicaId(at as u32), Keys::Mock(at as u64), genesis, parameters, recovered);
        let replica = replica.expect("the genesis is usable");
        node.state = node.snapshots.get(&replica.executed()).cloned().unwrap_or_default();
        node.replica = Some(replica);
        self.step(at, Input::Start);
    }

    fn say(&mut self, line: &str) {
        if !self.is_quiet {
            writeln!(self.lines, "{line}").expect("a string takes anything");
        }
    }

    fn step(&mut self, at: usize, input: Input) {
        let wall = (1_000_000_000 + self.now).saturating_add_signed(self.nodes[at].skew);
        let now = Now { monotonic: self.now, wall };
        let Some(replica) = self.nodes[at].replica.as_mut() else { return };
        for output in replica.step(now, input) {
            self.obey(at, output);
        }
    }

    fn obey(&mut self, at: usize, output: Output) {
        let id = ReplicaId(at as u32);
        match output {
            Output::Send(to, message) => self.post(id, to, message),
            Output::Broadcast(message) => {
                let peers = self.nodes[at].replica.as_ref().map(Replica::peers).unwrap_or_default();
                peers.into_iter().for_each(|to| self.post(id, to, message.clone()));
            }
            Output::Persist(token, records) => {
                let node = &mut self.nodes[at];
                node.records.extend(records);
                node.unsynced.push((token, node.records.len()));
                if !node.is_manual {
                    self.sync(at);
                }
            }
            Output::Execute(header, requests) => {
                let data = |(_, request): &(ReplicaId, Request)| match &request.operation {
                    Operation::Data(data) => String::from_utf8_lossy(&data.0).into_owned(),
                    Operation::Configure(change) => format!("configure from {}", change.from),
                };
                let data: Vec<String> = requests.iter().map(data).collect();
                self.say(&format!("{id} executes {} {data:?}", header.seq));
                self.nodes[at].state.extend(data);
            }
            Output::TakeCheckpoint(seq) => {
                let node = &mut self.nodes[at];
                node.snapshots.insert(seq, node.state.clone());
                let chunk = Chunk::digest(&encode_state(&node.state));
                self.step(at, Input::CheckpointTaken(seq, vec![chunk]));
            }
            Output::Truncate(below) => {
                let node = &mut self.nodes[at];
                let is_kept = |record: &Record| record.seq().is_none_or(|seq| seq >= below);
                node.records.retain(is_kept);
                node.synced = node.records.len();
                node.snapshots.retain(|seq, _| *seq >= below);
            }
            Output::ServeChunk(to, seq, index) => {
                let mut bytes = encode_state(&self.nodes[at].snapshots[&seq]);
                if self.nodes[at].is_rotten {
                    bytes.push(0);
                }
                let bytes = Bytes::from(bytes);
                self.mail.push_back((id, to, Message::Chunk(Arc::new(Chunk { seq, index, bytes }))));
            }
            Output::StageChunk(_, index, bytes) => {
                self.nodes[at].staged.insert(index, bytes.0.to_vec());
            }
            Output::InstallState(seq, _) => {
                let node = &mut self.nodes[at];
                let items: Vec<Bytes> = decode(&node.staged[&0]).expect("verified");
                node.state = items.iter().map(|item| String::from_utf8_lossy(&item.0).into_owned()).collect();
                node.snapshots.insert(seq, node.state.clone());
                self.say(&format!("{id} installs the state at {seq}"));
                self.step(at, Input::StateInstalled(seq));
            }
            Output::RepairChunk(seq, index, bytes) => {
                let is_right = bytes.0 == encode_state(&self.nodes[at].snapshots[&seq]);
                self.nodes[at].is_rotten = !is_right;
                self.say(&format!("{id} repairs chunk {index} of {seq}"));
            }
            Output::Accuse(evidence) => {
                let (who, kind, seq) = (evidence.accused(), evidence.first.kind, evidence.first.seq);
                self.say(&format!("{id} accuses {who} of two {kind:?} at {seq}"));
            }
            Output::Entered(epoch, view) => self.say(&format!("{id} enters {epoch} {view}")),
            Output::Refused(client, number) => self.say(&format!("{id} refuses {client} {number}")),
            Output::Halt(seq) => self.say(&format!("{id} halts at {seq}")),
        }
    }

    /// Into the mail, at once or late.
    fn post(&mut self, from: ReplicaId, to: ReplicaId, message: Message) {
        match self.late.get(&from).filter(|_| matches!(message, Message::PrePrepare(_))) {
            Some(delay) => self.later.push((self.now + delay, from, to, message)),
            None => self.mail.push_back((from, to, message)),
        }
    }

    fn sync(&mut self, at: usize) {
        for (token, end) in std::mem::take(&mut self.nodes[at].unsynced) {
            self.nodes[at].synced = self.nodes[at].synced.max(end);
            self.step(at, Input::Persisted(token));
        }
    }

    /// Delivers what the filter lets through, in order, until nothing moves; the rest stays.
    fn deliver(&mut self, passes: &dyn Fn(ReplicaId, ReplicaId, &Message) -> bool) {
        let mut kept = VecDeque::new();
        let mut budget = 20_000;
        while let Some((from, to, message)) = self.mail.pop_front() {
            if self.silent.contains(&from) || self.deaf.contains(&to) {
                continue;
            }
            if !passes(from, to, &message) || budget == 0 {
                kept.push_back((from, to, message));
                continue;
            }
            budget -= 1;
            let is_noise = matches!(
                message,
                Message::Body(_) | Message::Status(_) | Message::Probe(_) | Message::ProbeReply(_) | Message::Fetch(_)
            );
            if !is_noise {
                self.say(&format!("{from} → {to} {}", describe(&message)));
            }
            self.hand(from, to, message);
        }
        self.mail = kept;
    }

    fn hand(&mut self, from: ReplicaId, to: ReplicaId, message: Message) {
        let at = to.0 as usize;
        let Some(replica) = self.nodes[at].replica.as_mut() else { return };
        // Everything crosses the wire as bytes.
        let message = decode(&encode(&message)).expect("what is sent can be read");
        match verify(replica.directory(), from, message) {
            Ok(message) => self.step(at, Input::Message(message)),
            Err(refusal) => {
                replica.refused(refusal);
                self.say(&format!("{to} refuses it: {refusal}"));
            }
        }
    }

    fn tick(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds.div_ceil(10) {
            self.now += 10_000;
            let now = self.now;
            for (_, from, to, message) in self.later.extract_if(.., |(due, ..)| *due <= now) {
                self.mail.push_back((from, to, message));
            }
            (0..self.nodes.len()).for_each(|at| self.step(at, Input::Tick));
        }
    }

    fn status(&mut self) {
        for at in 0..self.nodes.len() {
            let line = match &self.nodes[at].replica {
                None => format!("r{at} down"),
                Some(replica) => {
                    let (epoch, view, active) = replica.position();
                    let low = replica.stable().map_or(SeqNo(0), |cert| cert.seq);
                    let mode = if active { "" } else { " (changing)" };
                    let executed = replica.executed();
                    format!("r{at} {epoch} {view}{mode} executed {executed} stable {low} {:?}", self.nodes[at].state)
                }
            };
            writeln!(self.lines, "{line}").expect("a string takes anything");
        }
    }

    fn configure(&mut self, args: &mut goldenscript::ArgumentConsumer<'_>) -> Result<(), Box<dyn Error>> {
        let at = replica(args.next_pos().ok_or("which gateway?")?)?.0 as usize;
        let mut members = Vec::new();
        while let Some(text) = args.next_pos() {
            let (text, role) = match text.strip_suffix("/learner") {
                Some(text) => (text, Role::Learner),
                None => (text, Role::Voter),
            };
            let id = replica(text)?;
            members.push(Member { id, key: Keys::Mock(u64::from(id.0)).public(), role });
        }
        let from = self.nodes[at].replica.as_ref().ok_or("down")?.membership().epoch;
        let cluster = self.genesis.as_ref().ok_or("no cluster")?.cluster;
        let mut change = ConfigChange { from, members, approvals: Vec::new() };
        change.approvals.push((0, Keys::Mock(1000).approve(&cluster, &change)));
        self.changes += 1;
        let client = ClientId(1000 + u128::from(self.changes));
        self.step(at, Input::Submit(Request { client, number: 1, operation: Operation::Configure(change) }));
        Ok(())
    }

    /// A vote of a liar, signed with its real key.
    fn forge(&mut self, vote: Vote) -> Vote {
        let cluster = self.genesis.as_ref().expect("a cluster").cluster;
        Keys::Mock(u64::from(vote.signer.0)).sign(&cluster, vote)
    }
}

fn encode_state(state: &[String]) -> Vec<u8> {
    encode(&state.iter().map(|item| Bytes::from(item.clone().into_bytes())).collect::<Vec<_>>())
}

fn describe(message: &Message) -> String {
    let name = message.name();
    match message {
        Message::PrePrepare(proposal) => {
            let Proposal { vote, batch } = proposal;
            format!("{name} {} {} {} ({} bodies)", vote.view, vote.seq, vote.digest, batch.bodies.len())
        }
        Message::Prepare(vote) => format!("{name} {} {} {}", vote.view, vote.seq, vote.digest),
        Message::Commit(commit) => format!("{name} {} {} {}", commit.view, commit.seq, commit.digest),
        Message::Checkpoint(checkpoint) => format!("{name} {}", checkpoint.vote.seq),
        Message::ViewChange(change) => {
            let prepared = change.prepared.iter().map(|cert| format!("{}@{}", cert.proposal.seq, cert.proposal.view));
            format!("{name} {} h={} P={:?}", change.vote.view, change.vote.seq, prepared.collect::<Vec<_>>())
        }
        Message::NewView(new) => {
            let changes: Vec<String> = new.changes.iter().map(|change| change.vote.signer.to_string()).collect();
            let open = new.proposals.iter().map(|vote| format!("{}={}", vote.seq, vote.digest));
            format!("{name} {} V={changes:?} O={:?}", new.vote.view, open.collect::<Vec<_>>())
        }
        Message::Committed(committed) => format!("{name} {}", committed.seq),
        Message::Stable(cert) => format!("{name} {}", cert.seq),
        _ => name.to_string(),
    }
}

fn position(message: &Message) -> Option<SeqNo> {
    match message {
        Message::PrePrepare(proposal) => Some(proposal.vote.seq),
        Message::Prepare(vote) => Some(vote.seq),
        Message::Commit(commit) => Some(commit.seq),
        _ => None,
    }
}

fn replica(text: &str) -> Result<ReplicaId, Box<dyn Error>> {
    Ok(ReplicaId(text.trim_start_matches('r').parse()?))
}

impl Runner for Stage {
    type Command = Command;

    fn run(&mut self, command: &Command, context: &Context) -> Result<String, Box<dyn Error>> {
        self.is_quiet = context.tags.contains("quiet");
        let mut args = command.consume_args();
        let kind = args.take_key("kind").map(str::to_string);
        let from = args.take_key("from").map(replica).transpose()?;
        let to = args.take_key("to").map(replica).transpose()?;
        let number = |text: Option<&str>, default: u64| text.map_or(Ok(default), str::parse);
        match command.name.as_str() {
            "cluster" => {
                let n = number(args.take_key("n"), 4)?;
                let interval = number(args.take_key("interval"), 4)?;
                let spares = number(args.take_key("spares"), 0)?;
                let time = number(args.take_key("time"), u64::MAX / 1000)?;
                self.open(n as u32, spares as u32, interval, time * 1000);
                self.deliver(&|_, _, _| true);
                self.lines.clear();
            }
            "submit" => {
                let at = replica(args.next_pos().ok_or("which gateway?")?)?;
                let client = ClientId(u128::from(number(args.take_key("client"), 1)?));
                let number = number(args.take_key("number"), 1)?;
                let data = args.next_pos().ok_or("what?")?;
                let operation = Operation::Data(Bytes::from(data.as_bytes().to_vec()));
                self.step(at.0 as usize, Input::Submit(Request { client, number, operation }));
            }
            "deliver" | "drop" => {
                let seq = args.take_key("seq").map(str::parse).transpose()?.map(SeqNo);
                let fits = move |sender: ReplicaId, receiver: ReplicaId, message: &Message| {
                    kind.as_deref().is_none_or(|kind| kind == message.name())
                        && from.is_none_or(|from| from == sender)
                        && to.is_none_or(|to| to == receiver)
                        && seq.is_none_or(|seq| position(message) == Some(seq))
                };
                if command.name == "drop" {
                    self.mail.retain(|(sender, receiver, message)| !fits(*sender, *receiver, message));
                } else {
                    self.deliver(&fits);
                }
            }
            "tick" => self.tick(number(args.next_pos(), 10)?),
            "run" => {
                // Time passes while messages flow.
                for _ in 0..number(args.next_pos(), 10)?.div_ceil(10) {
                    self.tick(10);
                    self.deliver(&|_, _, _| true);
                }
            }
            "silence" | "speak" | "deafen" | "hear" => {
                let id = replica(args.next_pos().ok_or("who?")?)?;
                let list = if matches!(command.name.as_str(), "silence" | "speak") {
                    &mut self.silent
                } else {
                    &mut self.deaf
                };
                list.retain(|known| *known != id);
                if matches!(command.name.as_str(), "silence" | "deafen") {
                    list.push(id);
                }
            }
            // `sync` lets the disk go on; `sync-once` only what has been written so far.
            "hold-disk" | "sync" | "sync-once" => {
                let at = replica(args.next_pos().ok_or("who?")?)?.0 as usize;
                self.nodes[at].is_manual = command.name != "sync";
                if command.name != "hold-disk" {
                    self.sync(at);
                }
            }
            "crash" | "restart" | "forget" => {
                while let Some(id) = args.next_pos() {
                    let at = replica(id)?.0 as usize;
                    let node = &mut self.nodes[at];
                    node.replica = None;
                    node.records.truncate(node.synced);
                    if command.name == "forget" {
                        node.records.clear();
                        node.snapshots.clear();
                        node.synced = 0;
                    }
                    self.mail.retain(|(sender, receiver, _)| sender.0 as usize != at && receiver.0 as usize != at);
                    if command.name != "crash" {
                        self.start(at);
                    }
                }
            }
            // A clock is wrong by so many milliseconds, proposals leave so late.
            "skew" => {
                let at = replica(args.next_pos().ok_or("who?")?)?.0 as usize;
                self.nodes[at].skew = 1000 * args.next_pos().ok_or("by how much?")?.parse::<i64>()?;
            }
            "delay" => {
                let id = replica(args.next_pos().ok_or("who?")?)?;
                self.late.insert(id, 1000 * number(args.next_pos(), 0)?);
            }
            // Something in a state, or on a disk, is not what it was.
            "spoil" => {
                let at = replica(args.next_pos().ok_or("who?")?)?.0 as usize;
                self.nodes[at].state.push("spoiled".into());
            }
            "rot" => self.nodes[replica(args.next_pos().ok_or("who?")?)?.0 as usize].is_rotten = true,
            "scrub" => {
                let at = replica(args.next_pos().ok_or("who?")?)?.0 as usize;
                let seq = self.nodes[at].replica.as_ref().and_then(|replica| Some(replica.stable()?.seq));
                let seq = seq.ok_or("no stable checkpoint")?;
                let mut bytes = encode_state(&self.nodes[at].snapshots[&seq]);
                if self.nodes[at].is_rotten {
                    bytes.push(0);
                }
                self.step(at, Input::Scrubbed(seq, vec![Chunk::digest(&bytes)]));
            }
            // Administrators sign a list of members: `configure r1 r0 r1 r2 r3 r4=learner`.
            "configure" => self.configure(&mut args)?,
            // A liar's vote, signed with its own key.
            "say" => {
                let signer = from.ok_or("from= whom?")?;
                let view = View(number(args.take_key("view"), 0)?);
                let seq = SeqNo(number(args.take_key("seq"), 1)?);
                let epoch = Epoch(number(args.take_key("epoch"), 0)?);
                let cluster = args.take_key("cluster").map(|name| Digest::of("cluster", name.as_bytes()));
                let batch = Arc::new(Batch { bodies: Vec::new(), time: 1_000_000_000 + self.now });
                let kind = match kind.as_deref() {
                    Some("PRE-PREPARE") => Kind::PrePrepare,
                    Some("PREPARE") => Kind::Prepare,
                    _ => return Err("kind= PRE-PREPARE or PREPARE".into()),
                };
                let signature = Signature([0; 64]);
                let vote = Vote { kind, epoch, view, seq, digest: batch.digest(), signer, signature };
                let cluster = cluster.unwrap_or(self.genesis.as_ref().ok_or("a cluster")?.cluster);
                let vote = Keys::Mock(u64::from(signer.0)).sign(&cluster, vote);
                let message = match kind {
                    Kind::PrePrepare => Message::PrePrepare(Proposal { vote, batch }),
                    _ => Message::Prepare(vote),
                };
                for to in (0..self.nodes.len() as u32).map(ReplicaId).filter(|id| to.is_none_or(|to| to == *id)) {
                    if to != signer {
                        self.mail.push_back((signer, to, message.clone()));
                    }
                }
            }
            "refusals" => {
                let at = replica(args.next_pos().ok_or("whose?")?)?.0 as usize;
                let refusals = self.nodes[at].replica.as_ref().map(|replica| replica.refusals().clone());
                let mode = self.is_quiet;
                self.is_quiet = false;
                for (refusal, count) in refusals.into_iter().flatten() {
                    self.say(&format!("{refusal}: {count}"));
                }
                self.is_quiet = mode;
            }
            "outcome" => {
                let at = replica(args.next_pos().ok_or("where?")?)?.0 as usize;
                let client = ClientId(u128::from(number(args.take_key("client"), 1)?));
                let outcome = self.nodes[at].replica.as_ref().and_then(|replica| replica.outcome(client));
                let line = match outcome {
                    Some((number, seq)) => format!("request {number} took effect at {seq}"),
                    None => "nothing took effect".into(),
                };
                self.say(&line);
            }
            "equivocate" => {
                // Before each queued PRE-PREPARE to one backup comes a signed one for another batch.
                for (sender, receiver, message) in std::mem::take(&mut self.mail) {
                    if let (Message::PrePrepare(proposal), true) = (&message, to == Some(receiver)) {
                        let batch =
                            Arc::new(Batch { time: proposal.batch.time + 1, ..proposal.batch.as_ref().clone() });
                        let vote = self.forge(Vote { digest: batch.digest(), ..proposal.vote });
                        self.mail.push_back((sender, receiver, Message::PrePrepare(Proposal { vote, batch })));
                    }
                    self.mail.push_back((sender, receiver, message));
                }
            }
            "tamper" => {
                // Queued messages lose their valid signature, or their new view its plan.
                let mut mail = std::mem::take(&mut self.mail);
                for (sender, _, message) in &mut mail {
                    if kind.as_deref().is_some_and(|kind| kind != message.name())
                        || from.is_some_and(|from| from != *sender)
                    {
                        continue;
                    }
                    match message {
                        Message::Prepare(vote) => vote.signature = Signature([1; 64]),
                        Message::Manifest(manifest) => {
                            let mut other = manifest.as_ref().clone();
                            let mut ledger: Ledger = decode(&other.ledger.0)?;
                            ledger.time += 3_600_000_000;
                            other.ledger = Bytes::from(encode(&ledger));
                            *manifest = Arc::new(other);
                        }
                        Message::Chunk(chunk) => {
                            let mut other = chunk.as_ref().clone();
                            other.bytes = Bytes::from([&other.bytes.0[..], &[0]].concat());
                            *chunk = Arc::new(other);
                        }
                        Message::NewView(new) => {
                            let mut other = new.as_ref().clone();
                            other.proposals.clear();
                            let digest = NewView::content(&other.changes, &other.proposals);
                            other.vote = self.forge(Vote { digest, ..other.vote });
                            *new = Arc::new(other);
                        }
                        _ => return Err("cannot tamper with that".into()),
                    }
                }
                self.mail = mail;
            }
            "status" => self.status(),
            name => return Err(format!("no command {name}").into()),
        }
        args.reject_next()?;
        Ok(std::mem::take(&mut self.lines))
    }
}

macro_rules! scripts {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            let path = concat!("src/consensus/testscripts/", stringify!($name));
            goldenscript::run(&mut Stage::default(), path).expect("the script runs as written");
        }
    )*};
}

scripts!(
    commit_a_request,
    commit_waits_for_the_disk,
    view_change_after_silent_primary,
    view_change_keeps_a_prepared_batch,
    new_view_with_wrong_plan_is_refused,
    restart_between_prepared_and_commit,
    restart_with_unsynced_vote_stays_mute,
    power_loss_keeps_what_was_acknowledged,
    equivocating_primary_is_accused,
    forged_vote_is_refused,
    request_is_executed_once,
    lost_commit_is_sent_again,
    lagging_replica_takes_the_state,
    forgetful_replica_is_mute_where_it_spoke,
    one_replica_decides_alone,
    checkpoint_moves_the_window,
    censored_request_deposes_the_primary,
    outcome_of_a_request_in_doubt,
    proposal_outside_the_watermarks_is_dropped,
    checkpoint_comes_by_time,
    new_view_waits_for_bodies,
    timers_double_with_each_failed_view,
    replica_joins_the_smallest_view_of_f_plus_one,
    slow_primary_is_deposed,
    six_replicas_need_four,
    primary_with_a_wrong_clock_is_replaced,
    lying_chunk_is_asked_elsewhere,
    null_batches_fill_the_gaps,
    primary_behind_its_checkpoint_catches_up_first,
    divergent_replica_halts_and_rebuilds,
    body_is_fetched_by_digest,
    scrub_repairs_a_rotten_chunk,
    key_is_rotated_by_replacing_the_member,
    votes_for_later_views_fill_a_bounded_buffer,
    votes_of_another_cluster_mean_nothing,
    linearizable_read_is_a_request,
    lying_manifest_is_asked_elsewhere,
    new_view_waits_for_the_disk,
    lonely_replica_restarts_between_two_views,
    learner_becomes_a_voter,
    removed_member_no_longer_counts,
);
