//! The output of a node: datagrams for the network, and events for its host.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::tell;
use super::world::World;
use crate::event::Destination;

impl World<'_> {
    /// Takes all output of the node.
    pub(super) fn drain(&mut self, node: usize) {
        self.take_events(node);
        let host = &mut self.hosts[node];
        let (clock, address) = (host.clock(self.now), host.address);
        let Some(machine) = &mut host.node else {
            return;
        };
        let is_superseded = host.is_superseded;
        let mut out = Vec::new();
        while let Some(transmit) = machine.poll_transmit(clock, &mut self.buffer) {
            let Destination::Address(to) = transmit.to else {
                continue;
            };
            out.push((to, self.buffer[..transmit.len].to_vec()));
        }
        if is_superseded && !out.is_empty() {
            self.loud = Some(node);
        }
        for (to, bytes) in out {
            if let Some(to) = self.hosts.iter().position(|host| host.address == to) {
                if self.now >= super::SETTLED_BY {
                    self.note(|world| world.told(node, to, &bytes));
                }
                self.sent.word(self.now);
                self.sent.word((node as u64) << 32 | to as u64);
                self.sent.bytes(&bytes);
                let there = &self.hosts[to];
                let (delay, to) = (there.plan.slowness, (to, there.address));
                self.network
                    .send(self.now + delay, node, address, to, &bytes);
            }
        }
        self.take_events(node);
    }

    /// The contents of a datagram from the node, for the trace.
    fn told(&self, node: usize, to: usize, bytes: &[u8]) -> String {
        let machine = self.hosts[node].node.as_ref();
        let text = machine.map(|machine| tell::packet(machine, bytes));
        format!("n{node} to n{to}:{}", text.unwrap_or_default())
    }

    fn take_events(&mut self, node: usize) {
        let Some(machine) = &mut self.hosts[node].node else {
            return;
        };
        let mut events = Vec::new();
        while let Some(event) = machine.poll_event() {
            events.push(event);
        }
        for event in events {
            self.hear(node, &event);
            if self.now >= super::SETTLED_BY {
                self.note(|world| format!("{} says {event:?}", world.hosts[node].name));
            }
        }
        self.see_members(node);
    }
}
