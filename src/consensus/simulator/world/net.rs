//! The network between the nodes, and the liars' hand in it.

use super::super::super::message::Message;
use super::super::super::replica::*;
use super::super::super::signed::verify;
use super::super::super::types::*;
use super::{Event, Node, World};

impl World {
    pub(super) fn send(&mut self, at: usize, to: ReplicaId, message: Message) -> Result<(), String> {
        self.inspect(at, &message)?;
        self.emit(at, to, message);
        Ok(())
    }

    pub(super) fn inspect(&mut self, at: usize, message: &Message) -> Result<(), String> {
        match &self.nodes[at] {
            Node { id, replica: Some(replica), .. } if !self.checker.faulty.contains(id) => {
                self.checker.message(*id, replica.directory(), message)
            }
            _ => Ok(()),
        }
    }

    /// Through the liar, if it is one, onto the network.
    pub(super) fn emit(&mut self, at: usize, to: ReplicaId, message: Message) {
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
    pub(super) fn deliver(&mut self, at: usize, to: ReplicaId, from: ReplicaId, extra: u64, message: &Message) {
        for target in 0..self.nodes.len() {
            if self.nodes[target].id == to {
                self.carry(at, target, from, extra, message);
            }
        }
    }

    pub(super) fn carry(&mut self, at: usize, to: usize, from: ReplicaId, extra: u64, message: &Message) {
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

    pub(super) fn is_cut(&self, at: usize, to: usize, message: &Message) -> bool {
        self.cuts
            .iter()
            .any(|cut| (cut.from >> at) & (cut.to >> to) & 1 == 1 && cut.kind.is_none_or(|kind| kind == message.name()))
    }

    /// A message has arrived: now, or with others when the node looks.
    pub(super) fn hear(&mut self, to: usize, from: ReplicaId, message: Message) -> Result<(), String> {
        let node = &mut self.nodes[to];
        let Some(replica) = node.replica.as_mut() else { return Ok(()) };
        if self.plan.gather > 0 {
            node.inbox.push((from, message));
            if node.inbox.len() == 1 {
                let life = node.life;
                self.at(self.plan.gather, Event::Look { node: to, life });
            }
            return Ok(());
        }
        if !replica.is_news(from, &message) {
            return Ok(());
        }
        match verify(replica.directory(), from, message) {
            Ok(message) => self.step(to, Input::Message(message)),
            Err(refusal) => {
                replica.refused(refusal);
                Ok(())
            }
        }
    }

    pub(super) fn provoke(&mut self, at: usize) -> Result<(), String> {
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
}
