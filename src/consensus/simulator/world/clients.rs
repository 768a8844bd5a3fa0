//! Clients: each waits for one request before it sends the next, and goes elsewhere if the answer does not come.

use super::super::super::codec::Bytes;
use super::super::super::replica::*;
use super::super::super::types::*;
use super::{Event, World};

impl World {
    /// The client acts next after so long; whatever it had in mind before is forgotten.
    pub(super) fn wake(&mut self, index: usize, delay: u64) {
        self.clients[index].turn += 1;
        let turn = self.clients[index].turn;
        self.at(delay, Event::Client { index, turn });
    }

    pub(super) fn acknowledge(&mut self, at: usize, client: ClientId, number: u64) {
        let found = self.clients.iter_mut().position(|known| known.id == client);
        let Some(index) = found else { return };
        let known = &mut self.clients[index];
        if known.gateway == at && known.number == number && known.is_waiting {
            known.is_waiting = false;
            self.checker.acked(client, number);
            let delay = 1_000 + self.rng.below(self.plan.thinking);
            self.wake(index, delay);
        }
    }

    pub(super) fn client(&mut self, index: usize) -> Result<(), String> {
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
                self.wake(index, 500_000);
                return Ok(());
            }
            let Some(members) = self.reference().map(|replica| replica.membership().clone()) else {
                self.wake(index, 500_000);
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
        self.wake(index, 500_000);
        self.step(at, Input::Submit(request))
    }
}
