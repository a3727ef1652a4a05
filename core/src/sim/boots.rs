//! All boots that ever ran, and the condition under which a boot may give up its name.

use std::format;
use std::string::String;

use super::observe::{Violation, broken};
use super::world::World;
use crate::seal::BootId;

/// One boot of a node.
pub(super) struct Boot {
    pub(super) name: String,
    pub(super) id: BootId,
    pub(super) started: u64,
    pub(super) ended: Option<u64>,
}

impl World<'_> {
    /// A node was started.
    pub(super) fn began(&mut self, node: usize) {
        let host = &self.hosts[node];
        if let Some(machine) = &host.node {
            self.boots.push(Boot {
                name: host.name.clone(),
                id: machine.sealer.boot,
                started: self.now,
                ended: None,
            });
        }
    }

    /// A node's process is about to end.
    pub(super) fn ends(&mut self, node: usize) {
        let Some(machine) = &self.hosts[node].node else {
            return;
        };
        let id = machine.sealer.boot;
        if let Some(boot) = self.boots.iter_mut().find(|boot| boot.id == id) {
            boot.ended = Some(self.now);
        }
    }

    /// A node considers itself superseded only if another boot with its name ran since it began.
    pub(super) fn check_superseded(&self, node: usize) -> Result<(), Violation> {
        let Some(machine) = self.hosts[node].node.as_ref() else {
            return Ok(());
        };
        if !machine.is_superseded() {
            return Ok(());
        }
        let id = machine.sealer.boot;
        let own = self.boots.iter().find(|boot| boot.id == id);
        let began = own.map_or(0, |boot| boot.started);
        let another = self.boots.iter().any(|boot| {
            let ran = boot.ended.is_none_or(|ended| ended > began);
            boot.id != id && boot.name == self.hosts[node].name && ran
        });
        if another {
            return Ok(());
        }
        broken(
            "a node is superseded only by another boot of its name",
            format!("n{node}\n{}", self.describe_members()),
        )
    }
}
