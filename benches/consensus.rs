//! What the normal case of consensus costs without network and disk: four replicas in one process, real signatures, one
//! batch after the other. `make bench` runs it optimised.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use aerolithdb::consensus::codec::Bytes;
use aerolithdb::consensus::message::Message;
use aerolithdb::consensus::types::*;
use aerolithdb::consensus::{Input, Keys, Output, Recovered, Replica, verify};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::collections::VecDeque;
use std::sync::Arc;

struct Cluster {
    replicas: Vec<Replica>,
    mail: VecDeque<(ReplicaId, ReplicaId, Message)>,
    now: u64,
    number: u64,
    executed: u64,
    steps: u64,
}

impl Cluster {
    fn new() -> Self {
        let keys = |id: u32| Keys::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&[id as u8 + 1; 32])));
        let member = |id: u32| Member { id: ReplicaId(id), key: keys(id).public(), role: Role::Voter };
        let genesis = Arc::new(Genesis {
            cluster: Digest::of("cluster", b"bench"),
            members: (0..4).map(member).collect(),
            administrators: Vec::new(),
            approvals: 1,
            checkpoint_interval: 256,
            checkpoint_time: 250_000,
            watermark_window: 512,
            client_retention: 1 << 20,
        });
        let open = |id: u32| {
            let recovered = Recovered { records: Vec::new(), checkpoint: SeqNo(0), incarnation: 1 };
            let parameters = Parameters { gateway_pipeline: 1, ..Parameters::default() };
            Replica::open(ReplicaId(id), keys(id), genesis.clone(), parameters, recovered).expect("a usable genesis")
        };
        let replicas = (0..4).map(open).collect();
        let mut cluster = Self { replicas, mail: VecDeque::new(), now: 1, number: 0, executed: 0, steps: 0 };
        (0..4).for_each(|at| cluster.step(at, Input::Start));
        cluster.deliver();
        cluster
    }

    fn step(&mut self, at: usize, input: Input) {
        self.steps += 1;
        let now = Now { monotonic: self.now, wall: 1_000_000_000 + self.now };
        for output in self.replicas[at].step(now, input) {
            let id = ReplicaId(at as u32);
            match output {
                Output::Send(to, message) => self.mail.push_back((id, to, message)),
                Output::Broadcast(message) => {
                    let peers = (0..4).map(ReplicaId).filter(|to| *to != id);
                    self.mail.extend(peers.map(|to| (id, to, message.clone())));
                }
                Output::Persist(token, _) => self.step(at, Input::Persisted(token)),
                Output::TakeCheckpoint(seq) => self.step(at, Input::CheckpointTaken(seq, Vec::new())),
                Output::Execute(_, requests) => self.executed += requests.len() as u64,
                _ => {}
            }
        }
    }

    fn deliver(&mut self) {
        while let Some((from, to, message)) = self.mail.pop_front() {
            let at = to.0 as usize;
            if self.replicas[at].is_news(from, &message) {
                let message = verify(self.replicas[at].directory(), from, message).expect("everybody is honest here");
                self.step(at, Input::Message(message));
            }
        }
    }

    /// One batch of so many requests, executed by all four.
    fn batch(&mut self, size: u64) {
        self.now += 100;
        self.number += 1;
        let expected = self.executed + 4 * size;
        for client in 0..size {
            let operation = Operation::Data(Bytes::from(vec![7; 64]));
            self.step(0, Input::Submit(Request { client: ClientId(client.into()), number: self.number, operation }));
        }
        while self.executed < expected {
            self.now += 1_000;
            self.deliver();
            (0..4).for_each(|at| self.step(at, Input::Tick));
        }
    }
}

fn normal_case(criterion: &mut Criterion) {
    for size in [1, 100, 4096] {
        let mut cluster = Cluster::new();
        let mut group = criterion.benchmark_group("consensus::normal_case");
        group.throughput(Throughput::Elements(size));
        group.bench_function(format!("batch={size}"), |bencher| bencher.iter(|| cluster.batch(size)));
        // How many steps a batch takes, to turn its time into steps/s.
        let before = cluster.steps;
        (0..10).for_each(|_| cluster.batch(size));
        println!("consensus::normal_case/batch={size}: {} steps a batch", (cluster.steps - before) / 10);
        group.finish();
    }
}

criterion_group!(benches, normal_case);
criterion_main!(benches);
