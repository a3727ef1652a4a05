//! Tombstones: which nodes must confirm an end, and when a tombstone is forgotten.

use crate::ids::{Names, NodeId, Set};
use crate::message::{Body, Ended};
use crate::rules::Rule;
use crate::state::{Life, Slot, State, Status, Tombstone};

impl State {
    /// The nodes that may have a copy, according to the copy or the tombstone at `n`.
    fn known_names(&self, n: NodeId) -> Tombstone {
        match self.nodes[n].slot {
            Slot::Empty => Tombstone {
                named: self.nodes[n].moved_to,
                confirmed: Names::default(),
                all: false,
            },
            Slot::Live(record) => {
                let mut named = record.named;
                if self.keeps(Rule::TombstoneNamesAll) {
                    named.add(record.also);
                }
                Tombstone {
                    named: named.without(Set::of(n)),
                    confirmed: Names::default(),
                    all: record.not_all_named && self.keeps(Rule::EndNotAllNamedToAll),
                }
            }
            Slot::Ended(tombstone) => tombstone,
        }
    }

    /// The application at `n` ends the session.
    pub(crate) fn end(&mut self, n: NodeId) {
        let tombstone = self.known_names(n);
        if self.ghosts.heard_end.is_empty() {
            self.ghosts.crashes_at_end = self.ghosts.crashes;
        }
        self.end_with(n, tombstone);
    }

    fn end_with(&mut self, n: NodeId, tombstone: Tombstone) {
        self.ghosts.heard_end |= Set::of(n);
        let node = &mut self.nodes[n];
        node.question = None;
        node.wait = None;
        node.moved_to = Names::default();
        node.slot = Slot::Ended(tombstone);
    }

    /// Handles that a boot is gone which may have given copies to others, and which hasn't confirmed.
    pub(crate) fn widen_end(&mut self, n: NodeId) {
        let (all, void) = (
            self.keeps(Rule::NewBootWidensEnd),
            self.keeps(Rule::GoneVoidsConfirmations),
        );
        if let Slot::Ended(tombstone) = &mut self.nodes[n].slot {
            tombstone.all |= all;
            if void {
                tombstone.confirmed = Names::default();
            }
        }
    }

    /// `n` hears of the end from `f`.
    pub(crate) fn hear_end(&mut self, n: NodeId, f: NodeId, ended: &Ended) {
        let mine = self.known_names(n);
        let theirs = ended.named.without(Set::of(n));
        let mut named = theirs;
        if self.keeps(Rule::TombstoneNamesAll) {
            named.add(mine.named);
        }
        let mut confirmed = ended.confirmed;
        if self.keeps(Rule::OwnConfirmationCounts) {
            confirmed = confirmed.without(mine.named.set_of());
            if mine.all {
                confirmed = Names::default();
            }
        }
        confirmed.add(mine.confirmed);
        confirmed.strike(n);
        let all = mine.all || ended.all;
        self.end_with(
            n,
            Tombstone {
                named,
                confirmed,
                all,
            },
        );
        if self.names_a_boot_that_is_gone(n, &mine, ended) {
            self.widen_end(n);
        }
        self.end_confirmed(n, f);
        let covered = self.covers(n, f, &mine, ended);
        if covered || !self.keeps(Rule::ConfirmIfAllNamed) {
            self.send(n, f, Body::EndAck);
        } else {
            self.tell_end(n, f);
        }
    }

    /// Whether the end that `f` sent names everybody that `n` names, in the same boots.
    fn covers(&self, n: NodeId, f: NodeId, mine: &Tombstone, ended: &Ended) -> bool {
        let boots = self.keeps(Rule::ListNamesBoots);
        let same = |m: NodeId| {
            let (theirs, own) = (ended.named.boot(m), mine.named.boot(m));
            theirs == own || theirs != 0 && !boots
        };
        let named = mine.named.set_of() - Set::of(f) - Set::of(n);
        named.iter().all(same) && (ended.all || !mine.all)
    }

    /// Whether one side names a boot that the other side, or `n` itself, knows to be gone, and that
    /// hasn't confirmed to it.
    fn names_a_boot_that_is_gone(&self, n: NodeId, mine: &Tombstone, ended: &Ended) -> bool {
        if !self.keeps(Rule::ListNamesBoots) {
            return false;
        }
        self.others(n).any(|m| {
            let (own, theirs) = (mine.named.boot(m), ended.named.boot(m));
            let news = theirs != own && theirs != 0;
            let gone = theirs < own || self.is_gone(n, m, theirs, None);
            let theirs_lost = news && gone && ended.confirmed.boot(m) < theirs;
            let own_lost = own != 0 && own < theirs && mine.confirmed.boot(m) < own;
            theirs_lost || own_lost
        })
    }

    /// `f` sends `n`, which has a tombstone, a message about the session.
    pub(crate) fn answer_at_tombstone(&mut self, n: NodeId, f: NodeId) {
        let boot = self.known_boot(n, f);
        let names = self.keeps(Rule::TombstoneNamesSenders);
        if let Slot::Ended(tombstone) = &mut self.nodes[n].slot
            && names
        {
            tombstone.named.set(f, boot);
            tombstone.confirmed.strike(f);
        }
        self.tell_end(n, f);
    }

    /// `f` has confirmed the end to `n`.
    pub(crate) fn end_confirmed(&mut self, n: NodeId, f: NodeId) {
        let boot = self.known_boot(n, f);
        if let Slot::Ended(tombstone) = &mut self.nodes[n].slot {
            tombstone.confirmed.set(f, boot);
        }
    }

    pub(crate) fn tell_end(&mut self, n: NodeId, m: NodeId) {
        if let Slot::Ended(tombstone) = self.nodes[n].slot {
            let mut named = tombstone.named;
            named.set(n, self.nodes[n].boot);
            let ended = Ended {
                named,
                confirmed: tombstone.confirmed,
                all: tombstone.all,
            };
            self.send(n, m, Body::End(ended));
        }
    }

    /// The nodes that haven't confirmed the end to `n` yet.
    #[must_use]
    pub fn owes_end(&self, n: NodeId) -> Set {
        let Slot::Ended(tombstone) = self.nodes[n].slot else {
            return Set::NONE;
        };
        // A node that leaves hands over its tombstones in the same way as its copies.
        let members = if tombstone.all || self.nodes[n].life == Life::Leaving {
            self.members(n)
        } else {
            Set::NONE
        };
        let again = self.keeps(Rule::ConfirmInPresentBoot);
        let lacks = |m: &NodeId| {
            let peer = self.nodes[n].peers[*m];
            let boot = tombstone.named.boot(*m).max(peer.boot);
            let confirmed = tombstone.confirmed.boot(*m);
            peer.status != Status::Left && (confirmed == 0 || again && confirmed < boot)
        };
        let asked = (tombstone.named.set_of() | members) - Set::of(n);
        asked.iter().filter(lacks).collect()
    }

    /// Whether `n` may forget its tombstone.
    #[must_use]
    pub fn may_forget(&self, n: NodeId) -> bool {
        let quiet = self.net.is_empty() || !self.keeps(Rule::Grace);
        self.nodes[n].is_ended() && self.owes_end(n).is_empty() && quiet
    }
}
