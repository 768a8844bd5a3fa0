//! Hostile bytes: whatever arrives, decoding, verification and stepping end without a panic, and an honest state stays
//! as it was.

use super::codec::{decode, encode};
use super::message::*;
use super::replica::*;
use super::signed::{Keys, Refusal, verify, verify_all};
use super::types::*;
use std::sync::Arc;

type KeysOf = fn(u32) -> Keys;

fn mock(id: u32) -> Keys {
    Keys::Mock(u64::from(id))
}

fn real(id: u32) -> Keys {
    Keys::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&[id as u8 + 1; 32])))
}

fn genesis(keys: KeysOf) -> Arc<Genesis> {
    let member = |id: u32| Member { id: ReplicaId(id), key: keys(id).public(), role: Role::Voter };
    Arc::new(Genesis {
        cluster: Digest::of("cluster", b"hostile"),
        members: (0..4).map(member).collect(),
        administrators: vec![],
        approvals: 1,
        checkpoint_interval: 4,
        checkpoint_time: 250_000,
        watermark_window: 8,
        client_retention: 100,
    })
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Runs four replicas through a few requests and a view change, and returns them with everything they said.
fn conversation(keys: KeysOf) -> (Vec<Replica>, Vec<(ReplicaId, ReplicaId, Message)>) {
    let open = |id: u32| {
        let recovered = Recovered { records: vec![], checkpoint: SeqNo(0), incarnation: 1 };
        Replica::open(ReplicaId(id), keys(id), genesis(keys), Parameters::default(), recovered).unwrap()
    };
    let mut replicas: Vec<Replica> = (0..4).map(open).collect();
    let (mut mail, mut said) = (Vec::new(), Vec::new());
    let mut inputs: Vec<(usize, Input)> = (0..4).map(|at| (at, Input::Start)).collect();
    for number in 1..40_u64 {
        let now = Now { monotonic: number * 30_000, wall: number * 30_000 };
        let operation = Operation::Data(super::codec::Bytes::from(vec![1]));
        inputs.push((1, Input::Submit(Request { client: ClientId(1), number, operation })));
        inputs.extend((0..4).map(|at| (at, Input::Tick)));
        while let Some((at, input)) = inputs.pop() {
            let mut outputs: std::collections::VecDeque<Output> = replicas[at].step(now, input).into();
            while let Some(output) = outputs.pop_front() {
                let id = ReplicaId(at as u32);
                match output {
                    Output::Send(to, message) => mail.push((id, to, message)),
                    Output::Broadcast(message) => {
                        mail.extend(replicas[at].peers().into_iter().map(|to| (id, to, message.clone())));
                    }
                    Output::Persist(token, _) => outputs.extend(replicas[at].step(now, Input::Persisted(token))),
                    Output::TakeCheckpoint(seq) => {
                        outputs.extend(replicas[at].step(now, Input::CheckpointTaken(seq, vec![])));
                    }
                    _ => {}
                }
            }
            if inputs.is_empty() {
                for (from, to, message) in std::mem::take(&mut mail) {
                    // The first primary falls silent half way.
                    if from == ReplicaId(0) && number > 15 {
                        continue;
                    }
                    said.push((from, to, message.clone()));
                    let verified = verify(replicas[to.0 as usize].directory(), from, message).unwrap();
                    inputs.push((to.0 as usize, Input::Message(verified)));
                }
            }
        }
    }
    (replicas, said)
}

#[test]
fn the_conversation_covers_every_important_kind() {
    let (replicas, said) = conversation(mock);
    let kinds: std::collections::BTreeSet<&str> = said.iter().map(|(_, _, message)| message.name()).collect();
    for kind in ["PRE-PREPARE", "PREPARE", "COMMIT", "CHECKPOINT", "VIEW-CHANGE", "NEW-VIEW", "BODY", "STATUS"] {
        assert!(kinds.contains(kind), "{kind} missing in {kinds:?}");
    }
    assert!(replicas[1].executed() > SeqNo(10), "executed {}", replicas[1].executed());
}

#[test]
fn mutated_and_random_bytes_neither_panic_nor_move_an_honest_replica() {
    let (mut replicas, said) = conversation(mock);
    let replica = &mut replicas[2];
    let now = Now { monotonic: 39 * 30_000, wall: 39 * 30_000 };
    let (executed, position) = (replica.executed(), replica.position());
    let (mut state, mut decoded, mut verified) = (7_u64, 0, 0);
    for round in 0..20_000 {
        let (from, _, message) = &said[next(&mut state) as usize % said.len()];
        let mut bytes = if round % 10 == 0 { Vec::new() } else { encode(message) };
        if bytes.is_empty() {
            bytes = (0..next(&mut state) % 300).map(|_| next(&mut state) as u8).collect();
        } else {
            for _ in 0..=next(&mut state) % 3 {
                let at = next(&mut state) as usize % bytes.len();
                match next(&mut state) % 4 {
                    0 => bytes.truncate(at + 1),
                    1 => bytes.insert(at, next(&mut state) as u8),
                    _ => bytes[at] ^= 1 << (next(&mut state) % 8),
                }
            }
        }
        let Ok(message) = decode::<Message>(&bytes) else { continue };
        decoded += 1;
        assert_eq!(encode(&message), bytes, "one value, one encoding");
        match verify(replica.directory(), *from, message) {
            Ok(message) => {
                verified += 1;
                replica.step(now, Input::Message(message));
            }
            Err(refusal) => replica.refused(refusal),
        }
    }
    // Signed content cannot be mutated; what got through is unsigned, and one peer's word decides nothing.
    assert_eq!((replica.executed(), replica.position()), (executed, position));
    assert!(decoded > 1000 && verified > 100, "{decoded} decoded, {verified} verified");
    assert!(replica.refusals()[&Refusal::BadSignature] > 100);
    let sizes = replica.sizes();
    assert!(sizes.positions < 64 && sizes.batches < 64 && sizes.bodies < 300, "{sizes:?}");
}

#[test]
fn verified_together_is_verified_alone() {
    let (replicas, said) = conversation(real);
    let directory = replicas[2].directory();
    let (mut state, mut good, mut bad) = (11_u64, 0, 0);
    for _ in 0..300 {
        let messages = (0..=next(&mut state) % 12).filter_map(|_| {
            let (from, _, message) = &said[next(&mut state) as usize % said.len()];
            let mut bytes = encode(message);
            if next(&mut state).is_multiple_of(8) {
                let at = next(&mut state) as usize % bytes.len();
                bytes[at] ^= 1 << (next(&mut state) % 8);
            }
            Some((*from, decode::<Message>(&bytes).ok()?))
        });
        let messages: Vec<(ReplicaId, Message)> = messages.collect();
        let alone: Vec<_> = messages.iter().map(|(from, message)| verify(directory, *from, message.clone())).collect();
        for (alone, together) in alone.into_iter().zip(verify_all(directory, messages)) {
            assert_eq!(alone.as_ref().err(), together.as_ref().err());
            *if alone.is_ok() { &mut good } else { &mut bad } += 1;
        }
    }
    assert!(good > 500 && bad > 50, "{good} good, {bad} bad");
}
