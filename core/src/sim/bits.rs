//! Checks the state that a node believes others lack against the state that they have.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::host::Host;
use super::observe::{Violation, broken};
use super::world::World;
use crate::ids::{HolderBits, MemberIndex, RecordIndex, SELF};
use crate::key::MAX_ATTRIBUTE_NAME;
use crate::node::Node;
use crate::replica::read::Attribute;
use crate::storage::records::{Ledger, RecordSlot, Records, State};
use crate::storage::stamp::Stamp;

impl Records<'_> {
    /// The record may have changed, so the simulator is to check it, if there is a simulator.
    pub(crate) fn touch(&mut self, record: RecordIndex) {
        if let Some(touched) = &mut self.touched
            && touched.last() != Some(&record)
        {
            touched.push(record);
        }
    }

    /// The records that may have changed since the last call, in order.
    pub(super) fn take_touched(&mut self) -> Vec<RecordIndex> {
        let mut touched = self.touched.replace(Vec::new()).unwrap_or_default();
        touched.sort_unstable();
        touched.dedup();
        touched
    }
}

/// The parts of a record that say which holder lacks what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bits {
    generation: u16,
    ledger: Ledger,
    changed: u64,
    stamp: Stamp,
    digest: u64,
}

impl Bits {
    fn of(slot: &RecordSlot) -> Self {
        Self {
            generation: slot.generation,
            ledger: slot.ledger().clone(),
            changed: slot.changed,
            stamp: slot.stamp,
            digest: slot.digest,
        }
    }
}

impl World<'_> {
    /// Checks records of a node that may have changed.
    pub(super) fn check_bits(
        &mut self,
        node: usize,
        touched: &[RecordIndex],
    ) -> Result<(), Violation> {
        let mut known = core::mem::take(&mut self.hosts[node].observed.bits);
        let result = self.check_bits_against(node, touched, &mut known);
        self.hosts[node].observed.bits = known;
        result
    }

    /// Checks all records of all nodes, including those that only a change on another node can have made wrong.
    pub(super) fn check_all_bits(&mut self) -> Result<(), Violation> {
        for node in 0..self.hosts.len() {
            let host = &mut self.hosts[node];
            host.observed.bits.clear();
            let Some(machine) = &host.node else {
                continue;
            };
            let all: Vec<RecordIndex> = machine.records.all().collect();
            self.check_bits(node, &all)?;
        }
        Ok(())
    }

    fn check_bits_against(
        &self,
        node: usize,
        touched: &[RecordIndex],
        known: &mut Vec<Option<Bits>>,
    ) -> Result<(), Violation> {
        let Some(machine) = &self.hosts[node].node else {
            return Ok(());
        };
        check_packets(node, machine)?;
        if touched.is_empty() {
            return Ok(());
        }
        check_waits(node, machine)?;
        known.resize(machine.records.end().index(), None);
        for record in touched {
            let slot = machine.records.get(*record);
            let bits = Some(Bits::of(slot));
            let Some(known) = known.get_mut(record.index()) else {
                continue;
            };
            if slot.state() != State::Free && *known != bits {
                *known = bits;
                self.check_record(node, machine, *record)?;
            }
        }
        Ok(())
    }

    fn check_record(
        &self,
        node: usize,
        machine: &Node<'_>,
        record: RecordIndex,
    ) -> Result<(), Violation> {
        if let Some(rule) = wrong_bits(machine, record) {
            return broken(
                rule,
                format!("n{node}: {}", self.describe_record(node, record)),
            );
        }
        let slot = machine.records.get(record);
        if slot.is_live() && slot.is_primary_here() {
            let kept = slot.holders().iter().take(usize::from(slot.wanted()));
            let owed_nothing =
                |holder: &&MemberIndex| !slot.owed().intersects(slot.bit_of(**holder));
            // A mark about a former boot is corrected before it is used: see `Node::refresh`.
            let is_present =
                |holder: &&MemberIndex| machine.members.get(**holder).link.since <= slot.changed;
            for holder in kept.skip(1).filter(owed_nothing).filter(is_present) {
                self.check_owed_nothing(node, record, *holder)?;
            }
        }
        Ok(())
    }

    /// A holder for which nothing is marked as missing has had everything in its present boot, or saw the end.
    fn check_owed_nothing(
        &self,
        node: usize,
        record: RecordIndex,
        holder: MemberIndex,
    ) -> Result<(), Violation> {
        let Some((machine, there)) = self.hosts[node]
            .node
            .as_ref()
            .and_then(|machine| Some((machine, self.runs_as(machine, holder)?)))
        else {
            return Ok(());
        };
        let slot = machine.records.get(record);
        let seen = &there.observed;
        if seen.ended.contains_key(&slot.hash) {
            return Ok(());
        }
        let lacks = |what: String| {
            let detail = format!(
                "{} never had {what}: n{node}: {}",
                there.name,
                self.describe_record(node, record)
            );
            broken("a node that is owed nothing has had everything", detail)
        };
        let header = machine.writers.wire(slot.stamp);
        if seen.best_header.get(&slot.hash) < header.as_ref() {
            return lacks("the header".into());
        }
        let copy = there.node.as_ref().and_then(|other| {
            let copy = other.records.get(other.records.find(&slot.hash)?);
            (other.writers.wire(copy.stamp) == header).then_some(copy)
        });
        if copy.is_some_and(|copy| copy.is_live() && copy.max_inactive != slot.max_inactive) {
            return broken(
                "equal headers say the same",
                self.describe_record(node, record),
            );
        }
        for attribute in machine.records.attributes_of(record) {
            let mut buffer = [0; MAX_ATTRIBUTE_NAME];
            let view = Attribute {
                records: &machine.records,
                slot: attribute,
            };
            let [b'a', digit] = view.name(&mut buffer) else {
                continue;
            };
            let key = (slot.hash, digit.wrapping_sub(b'0'));
            let stamp = machine.writers.wire(attribute.stamp);
            if seen.best.get(&key) < stamp.as_ref() {
                return lacks(format!("attribute {}: {stamp:?}", key.1));
            }
        }
        Ok(())
    }

    /// The host that runs the boot which the node knows as this member.
    pub(super) fn runs_as(&self, machine: &Node<'_>, member: MemberIndex) -> Option<&Host<'_>> {
        let boot = machine.members.get(member).boot;
        let mut hosts = self.hosts.iter();
        hosts.find(|host| host.node.as_ref().is_some_and(|it| it.sealer.boot == boot))
    }
}

/// Packets under way are counted for each peer.
fn check_packets(node: usize, machine: &Node<'_>) -> Result<(), Violation> {
    let mut noted = std::vec![0_u16; machine.members.end().index()];
    for peer in machine.in_flight.packets() {
        if let Some(count) = noted.get_mut(peer.index()) {
            *count += 1;
        }
    }
    for member in machine.members.others() {
        let counted = machine.members.get(member).link.in_flight;
        let noted = noted[member.index()];
        if counted != noted {
            return broken(
                "packets in flight are counted right",
                format!("n{node}: {counted} to {member:?}, {noted} noted"),
            );
        }
    }
    Ok(())
}

/// A wait for copies names the present generation of its record.
fn check_waits(node: usize, machine: &Node<'_>) -> Result<(), Violation> {
    for wait in machine.waits.for_nodes() {
        let of = wait.record();
        if machine.records.reference(of.record) != of {
            return broken("a wait ends with its record", format!("n{node}: {wait:?}"));
        }
    }
    Ok(())
}

/// The fault in the bits of a record in use, found without looking at other nodes.
fn wrong_bits(machine: &Node<'_>, record: RecordIndex) -> Option<&'static str> {
    let slot = machine.records.get(record);
    if (slot.owed() | slot.header_owed()).intersects(!slot.all_bits()) {
        return Some("only holders are owed something");
    }
    if slot.header_owed().intersects(!slot.owed()) {
        return Some("a header that is owed makes a record owed");
    }
    // With a header of its former boot a node isn't a primary yet, and isn't a backup of another node.
    let is_former = slot.primary() == Some(SELF) && !slot.is_primary_here();
    if !slot.is_live() || is_former {
        return None;
    }
    let is_primary = slot.is_primary_here();
    let may_be = if is_primary {
        slot.wanted_bits()
    } else {
        HolderBits::PRIMARY
    };
    let bits = machine.records.attributes_of(record);
    let bits = bits.fold(HolderBits::NONE, |all, attribute| {
        all | attribute.debt.owed()
    });
    if bits.intersects(!may_be) {
        Some("attributes are owed to those that are to have them")
    } else if is_primary && bits.intersects(!slot.owed()) {
        Some("an attribute that is owed makes a record owed")
    } else {
        None
    }
}
