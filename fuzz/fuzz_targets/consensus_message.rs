//! Arbitrary bytes as messages: decode, verify, step. Nothing may panic, one value has one encoding, and an honest replica
//! executes nothing on the word of one peer.

#![no_main]

use aerolithdb::consensus::codec::{decode, encode};
use aerolithdb::consensus::message::Message;
use aerolithdb::consensus::types::*;
use aerolithdb::consensus::{Input, Keys, Output, Recovered, Replica, verify};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fn keys(id: u32) -> Keys {
    Keys::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&[id as u8 + 1; 32])))
}

fn replica() -> Replica {
    let member = |id| Member { id: ReplicaId(id), key: keys(id).public(), role: Role::Voter };
    let genesis = Arc::new(Genesis {
        cluster: Digest::of("cluster", b"fuzz"),
        members: (0..4).map(member).collect(),
        administrators: Vec::new(),
        approvals: 1,
        checkpoint_interval: 4,
        checkpoint_time: 250_000,
        watermark_window: 8,
        client_retention: 100,
    });
    let recovered = Recovered { records: Vec::new(), checkpoint: SeqNo(0), incarnation: 1 };
    Replica::open(ReplicaId(1), keys(1), genesis, Parameters::default(), recovered).expect("a usable genesis")
}

// The first byte of each message says how many bytes follow; all of them come from the liar r3.
fuzz_target!(|data: &[u8]| {
    let mut replica = replica();
    let mut now = Now { monotonic: 1, wall: 1_000_000 };
    let mut inputs = vec![Input::Start];
    let mut rest = data;
    loop {
        while let Some(input) = inputs.pop() {
            for output in replica.step(now, input) {
                assert!(!matches!(output, Output::Execute(..)), "one liar decides nothing");
                if let Output::Persist(token, _) = output {
                    inputs.push(Input::Persisted(token));
                }
            }
        }
        let Some((length, tail)) = rest.split_first() else { break };
        let length = (usize::from(*length) * 4).min(tail.len());
        let (bytes, tail) = tail.split_at(length);
        rest = tail;
        now.monotonic += 1_000;
        inputs.push(Input::Tick);
        let Ok(message) = decode::<Message>(bytes) else { continue };
        assert_eq!(encode(&message), bytes, "one value has one encoding");
        if replica.is_news(ReplicaId(3), &message) {
            match verify(replica.directory(), ReplicaId(3), message) {
                Ok(message) => inputs.push(Input::Message(message)),
                Err(refusal) => replica.refused(refusal),
            }
        }
    }
    let sizes = replica.sizes();
    assert!(sizes.positions <= 64 && sizes.early <= 64 && sizes.votes <= 64, "{sizes:?}");
});
