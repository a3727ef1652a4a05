//! Messages between applications: in order, each at most once, and acknowledged only if they were accepted.

use std::format;
use std::vec::Vec;

use super::clients::Stage;
use super::observe::{Violation, broken};
use super::world::World;
use crate::config::Role;
use crate::link::message_slots::MAX_MESSAGE;
use crate::replica::wait::ticket::SendOutcome;
use crate::seal::BootId;

/// One message that an application sent.
pub(super) struct Sent {
    from: BootId,
    /// The receiver's name; `None` means all.
    to: Option<std::string::String>,
    bytes: Vec<u8>,
    taken_by: Vec<BootId>,
}

impl World<'_> {
    /// An application sends a message to another one, or to all.
    pub(super) fn send_message(
        &mut self,
        from: usize,
        to: Option<usize>,
        len: usize,
    ) -> Result<(), Violation> {
        let name = to.map(|to| self.hosts[to].name.clone());
        let number = self.app_messages.len();
        let host = &mut self.hosts[from];
        if !host.runs(self.now) || to == Some(from) || host.leaving.is_some() {
            return Ok(());
        }
        let clock = host.clock(self.now);
        let Some(machine) = &mut host.node else {
            return Ok(());
        };
        let member = name.as_ref().map(|name| machine.members.by_name(name));
        let Some(to) = member.map_or(Some(None), |member| {
            member.map(|member| Some(crate::event::MemberId(member)))
        }) else {
            return Ok(());
        };
        let mut bytes = (number as u64).to_le_bytes().to_vec();
        bytes.resize(
            len.max(bytes.len()).min(machine.max_message()),
            number as u8,
        );
        let Ok(ticket) = machine.send(clock, to, &bytes) else {
            return Ok(());
        };
        self.report.messages_sent += 1;
        self.app_messages.push(Sent {
            from: machine.sealer.boot,
            to: name,
            bytes,
            taken_by: Vec::new(),
        });
        let stage = Stage::Sending {
            ticket,
            message: number,
        };
        self.wait(from, 0, 0, stage);
        self.settle(from)
    }

    /// The application takes the messages that have arrived.
    pub(super) fn take_messages(&mut self, node: usize) -> Result<(), Violation> {
        let mut out = [0; MAX_MESSAGE];
        loop {
            let host = &mut self.hosts[node];
            let Some(machine) = &mut host.node else {
                return Ok(());
            };
            let Some((from, len)) = machine.poll_message(&mut out) else {
                return Ok(());
            };
            let receiver = machine.sealer.boot;
            let sender = machine.members.get(from.0).boot;
            let serves = host.plan.role == Role::Application;
            let name = host.name.clone();
            self.took(&name, serves, receiver, sender, &out[..len])?;
        }
    }

    fn took(
        &mut self,
        name: &str,
        serves: bool,
        receiver: BootId,
        sender: BootId,
        bytes: &[u8],
    ) -> Result<(), Violation> {
        let number = bytes
            .first_chunk()
            .copied()
            .map_or(u64::MAX, u64::from_le_bytes);
        let detail = format!("message {number} at {name}");
        let Some(sent) = self.app_messages.get_mut(number as usize) else {
            return broken("a message is what was sent", detail);
        };
        if sent.bytes != bytes || sent.from != sender {
            return broken("a message is what was sent", detail);
        }
        if sent.to.as_ref().map_or(!serves, |to| *to != name) {
            return broken("a message goes to whom it is for", detail);
        }
        if sent.taken_by.contains(&receiver) {
            return broken("a message is taken once", detail);
        }
        sent.taken_by.push(receiver);
        let mut later = self.app_messages.iter().skip(number as usize + 1);
        if later.any(|later| later.from == sender && later.taken_by.contains(&receiver)) {
            return broken("messages of one sender come in order", detail);
        }
        self.report.messages_taken += 1;
        Ok(())
    }

    /// Checks the outcome of a message.
    pub(super) fn sent(&self, message: usize, outcome: SendOutcome) -> Result<(), Violation> {
        let sent = &self.app_messages[message];
        let taken = sent.taken_by.len();
        if usize::from(outcome.taken) > taken || (outcome.met && sent.to.is_some() && taken == 0) {
            let detail = format!("message {message}: {outcome:?}, {taken} have it");
            return broken("a message that is acknowledged was taken", detail);
        }
        Ok(())
    }
}
