//! Tombstones: who must confirm an end, and when a tombstone goes.

use crate::ids::{Names, NodeId, Set};
use crate::message::{Body, Ended};
use crate::rules::Rule;
use crate::state::{Life, Slot, State, Tombstone};

impl State {
    /// What a copy or a tombstone at `n` says of who may have a copy.
    fn known_names(&self, n: NodeId) -> Tombstone {
        match self.nodes[n].slot {
            Slot::Empty => Tombstone {
                named: self.nodes[n].moved_to,
                confirmed: Set::NONE,
                all: false,
            },
            Slot::Live(record) => {
                let mut named = record.named;
                if self.keeps(Rule::TombstoneNamesAll) {
                    named.add(record.also);
                }
                Tombstone {
                    named: named.without(Set::of(n)),
                    confirmed: Set::NONE,
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
        self.bury(n, tombstone);
    }

    fn bury(&mut self, n: NodeId, tombstone: Tombstone) {
        self.ghosts.heard_end |= Set::of(n);
        let node = &mut self.nodes[n];
        node.question = None;
        node.wait = None;
        node.moved_to = Names::default();
        node.slot = Slot::Ended(tombstone);
        self.review_names(n, None);
    }

    /// `n` hears of the end from `f`.
    pub(crate) fn hear_end(&mut self, n: NodeId, f: NodeId, ended: &Ended) {
        let mine = self.known_names(n);
        let boots = self.keeps(Rule::ListNamesBoots);
        let covers = |m: &NodeId| {
            let (theirs, own) = (ended.named.boot(*m), mine.named.boot(*m));
            theirs == own || theirs != 0 && !boots
        };
        let both = mine.named.set_of() & ended.named.set_of();
        let disagree = !both.iter().all(|m| covers(&m));
        let rest = mine.named.set_of() - Set::of(f);
        let covered = rest.iter().all(|m| covers(&m)) && (ended.all || !mine.all);
        let mut named = ended.named.without(Set::of(n));
        if self.keeps(Rule::TombstoneNamesAll) {
            named.add(mine.named);
        }
        let mut believed = ended.confirmed;
        if self.keeps(Rule::OwnConfirmationCounts) {
            believed -= mine.named.set_of();
            if mine.all {
                believed = Set::NONE;
            }
        }
        let confirmed = (mine.confirmed | believed | Set::of(f)) - Set::of(n);
        let all = mine.all || ended.all || disagree && self.keeps(Rule::NewBootWidensEnd);
        self.bury(
            n,
            Tombstone {
                named,
                confirmed,
                all,
            },
        );
        if covered || !self.keeps(Rule::ConfirmIfAllNamed) {
            self.send(n, f, Body::EndAck);
        } else {
            self.tell_end(n, f);
        }
    }

    /// Somebody speaks to the tombstone of `n` of the session.
    pub(crate) fn answer_at_tombstone(&mut self, n: NodeId, f: NodeId) {
        let boot = self.known_boot(n, f);
        let names = self.keeps(Rule::TombstoneNamesSenders);
        if let Slot::Ended(tombstone) = &mut self.nodes[n].slot
            && names
        {
            tombstone.named.set(f, boot);
            tombstone.confirmed -= Set::of(f);
        }
        self.tell_end(n, f);
    }

    /// `f` has confirmed the end to `n`.
    pub(crate) fn end_confirmed(&mut self, n: NodeId, f: NodeId) {
        if let Slot::Ended(tombstone) = &mut self.nodes[n].slot {
            tombstone.confirmed |= Set::of(f);
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

    /// Who has yet to confirm the end to `n`.
    #[must_use]
    pub fn owes_end(&self, n: NodeId) -> Set {
        let Slot::Ended(tombstone) = self.nodes[n].slot else {
            return Set::NONE;
        };
        // A node that leaves hands its tombstones over as it does its copies.
        let members = if tombstone.all || self.nodes[n].life == Life::Leaving {
            self.members(n)
        } else {
            Set::NONE
        };
        (tombstone.named.set_of() | members) - tombstone.confirmed - Set::of(n)
    }

    /// Whether the tombstone of `n` may go.
    #[must_use]
    pub fn may_forget(&self, n: NodeId) -> bool {
        let quiet = self.net.is_empty() || !self.keeps(Rule::Grace);
        self.nodes[n].is_ended() && self.owes_end(n).is_empty() && quiet
    }
}
