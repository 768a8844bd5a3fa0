//! The gateway: packs its clients' requests into signed bodies and sees them through.
//!
//! While few bodies are in flight a request leaves at once; while many are, requests gather and share the next body. So
//! a lone client pays no waiting, and a crowd pays one signature for thousands of requests.

use super::message::{Message, SignedBody};
use super::replica::{Output, Replica};
use super::signed::Kind;
use super::types::*;
use std::sync::Arc;

impl Replica {
    pub(super) fn submit(&mut self, request: Request) {
        if self.queue.len() >= self.parameters.queue_max {
            self.outputs.push(Output::Refused(request.client, request.number));
            return;
        }
        self.queue.push_back(request);
    }

    /// This node's bodies on their way.
    fn own_bodies(&self) -> Vec<BodyId> {
        let is_own = |id: &&BodyId| id.gateway == self.id && id.incarnation == self.incarnation;
        self.pool.pending.keys().filter(is_own).copied().collect()
    }

    /// Makes a body of what waits, if the pipeline has room.
    pub(super) fn flush_queue(&mut self) {
        // A node that starts does not know yet where its stream stands.
        if self.queue.is_empty() || self.probing.is_some() || self.members.member(self.id).is_none() {
            return;
        }
        while !self.queue.is_empty() && (self.own_bodies().len() as u64) < self.parameters.gateway_pipeline {
            let mut body =
                Body { gateway: self.id, incarnation: self.incarnation, number: self.next_body, requests: Vec::new() };
            let mut bytes = 0;
            while bytes < self.parameters.body_bytes_max && body.requests.len() < self.parameters.batch_entries_max {
                let Some(request) = self.queue.pop_front() else { break };
                bytes += match &request.operation {
                    Operation::Data(data) => data.0.len() + 32,
                    Operation::Configure(_) => 1024,
                };
                body.requests.push(request);
            }
            self.next_body += 1;
            let vote = self.vote(Kind::Body, View(body.incarnation), SeqNo(body.number), body.digest());
            let signed = Arc::new(SignedBody { vote, body });
            self.broadcast(Message::Body(signed.clone()));
            if let Err(refusal) = self.on_body(signed) {
                self.count(refusal);
            }
        }
    }

    /// Sends bodies again that should have been executed by now.
    pub(super) fn tick_gateway(&mut self) {
        let interval = self.parameters.request_timeout / 2;
        if self.now.monotonic.saturating_sub(self.resent_at) < interval {
            return;
        }
        self.resent_at = self.now.monotonic;
        for id in self.own_bodies() {
            let Some(pending) = self.pool.pending.get(&id) else { continue };
            if self.now.monotonic.saturating_sub(pending.arrived) >= interval
                && let Some(signed) = self.pool.get(&pending.digest).cloned()
            {
                self.broadcast(Message::Body(signed));
            }
        }
    }
}
