//! How the header of a copy is written, accepted and owed.

use crate::ids::{Names, NodeId, PerNode, Set, Stamp};
use crate::message::{Body, Copied};
use crate::rules::Rule;
use crate::state::{Purpose, Record, Role, Slot, State, Status};

impl State {
    /// Whether, as far as `n` knows, the primary of its copy isn't there any more. A primary that others can
    /// reach is there: if its sessions were guarded, it would refute that again and again.
    fn is_lost(&self, n: NodeId, record: &Record) -> bool {
        let primary = record.header.node();
        let peer = self.nodes[n].peers[primary];
        let there = matches!(peer.status, Status::Unverified | Status::Live);
        primary == n || !there || peer.boot != record.header.boot()
    }

    /// The first live holder in rendezvous order, according to the list of `n`.
    fn first_holder(&self, n: NodeId, record: &Record) -> NodeId {
        let mut named = record.named;
        named.add(record.also);
        let boots = self.keeps(Rule::ListNamesBoots);
        let has_copy = |m: &NodeId| {
            let boot = self.known_boot(n, *m);
            named.has(*m) && self.sees_live(n, *m) && (!boots || named.boot(*m) == boot)
        };
        self.rendezvous()
            .find(|m| *m == n || has_copy(m))
            .unwrap_or(n)
    }

    /// The node to which `n` announces its header: its primary, or the first live holder if the primary is
    /// lost.
    #[must_use]
    pub fn announces_to(&self, n: NodeId) -> Option<NodeId> {
        let record = self
            .record(n)
            .filter(|record| record.role == Role::Holder)?;
        if self.is_lost(n, record) {
            return Some(self.first_holder(n, record)).filter(|first| *first != n);
        }
        let unwanted = record.passed_on || !record.wanted.has(n);
        (unwanted || self.keeps(Rule::EveryHolderAnnounces)).then_some(record.header.node())
    }

    /// Whether `n` is to guard the session.
    #[must_use]
    pub fn is_to_guard(&self, n: NodeId) -> bool {
        let lost = |record: &Record| {
            record.role == Role::Holder
                && self.is_lost(n, record)
                && self.first_holder(n, record) == n
        };
        self.nodes[n].question.is_none() && self.record(n).is_some_and(lost)
    }

    /// The nodes to which `n` sends what it owes.
    #[must_use]
    pub fn owes(&self, n: NodeId) -> Set {
        let Some(record) = self.record(n) else {
            return Set::NONE;
        };
        if record.role == Role::Holder && self.is_lost(n, record) {
            return Set::NONE;
        }
        record.owed & self.live_members(n)
    }

    /// The nodes whose copies differ from that of the primary `n` when it compares. In this model, comparing
    /// equal digests costs nothing.
    #[must_use]
    pub fn compares(&self, n: NodeId) -> Set {
        let Some(record) = self.record(n).filter(|_| self.is_primary(n)) else {
            return Set::NONE;
        };
        if !self.keeps(Rule::PrimaryCompares) {
            return Set::NONE;
        }
        let differs = |m: &NodeId| {
            let copy = self.record(*m);
            copy.is_none_or(|copy| copy.header != record.header || copy.contents != record.contents)
        };
        let settled = record.wanted - Set::of(n) - record.owed;
        (settled & self.live_members(n))
            .iter()
            .filter(differs)
            .collect()
    }

    /// The nodes that the primary `n` releases now.
    #[must_use]
    pub fn releases(&self, n: NodeId) -> Set {
        let Some(record) = self.record(n).filter(|_| self.is_primary(n)) else {
            return Set::NONE;
        };
        let backups = record.wanted - Set::of(n);
        let enough = backups.len() >= u32::from(self.setup.backups);
        let live = (backups - self.live_members(n)).is_empty();
        let confirmed = (backups & record.owed).is_empty();
        if !enough || !live || !confirmed && self.keeps(Rule::ReleaseWhenConfirmed) {
            return Set::NONE;
        }
        let mut released = record.named.set_of() - record.wanted;
        if self.keeps(Rule::NoReleaseWhileHandingOver) {
            released -= record.hand_over_to;
        }
        if !self.keeps(Rule::ReleaseCarriesHeader) {
            released -= record.owed;
        }
        released & self.live_members(n)
    }

    /// `n` writes a header with an epoch above its own and above `over`, to serve or to guard.
    pub(crate) fn take_over(&mut self, n: NodeId, over: Stamp, role: Role) {
        let Some(mut record) = self.record(n).copied() else {
            return;
        };
        let guard = role == Role::Guards;
        let raise = u32::from(!guard || self.keeps(Rule::GuardRaisesEpoch));
        record.header = self.write(n, record.header.max(over).epoch() + raise);
        record.guard = guard;
        record.role = role;
        record.passed_on = false;
        record.hand_over_to = Set::NONE;
        record.named.add(record.also);
        record.also = Names::default();
        record.release_numbers = PerNode::default();
        self.place(n, &mut record);
        self.nodes[n].slot = Slot::Live(record);
        self.review_names(n, None);
    }

    /// `n` as primary writes a header with the replica set that it desires now.
    pub(crate) fn rewrite(&mut self, n: NodeId) {
        let Some(mut record) = self.record(n).copied() else {
            return;
        };
        record.header = self.write(n, record.header.epoch());
        record.release_numbers = PerNode::default();
        self.place(n, &mut record);
        self.nodes[n].slot = Slot::Live(record);
    }

    /// Sets the replica set. The new header is owed to all named nodes.
    fn place(&self, n: NodeId, record: &mut Record) {
        record.wanted = self.placement(n, record);
        for m in record.wanted.iter() {
            if !record.named.has(m) {
                record.named.set(m, self.known_boot(n, m));
            }
        }
        record.owed = record.named.set_of() - Set::of(n);
    }

    /// `n` learns that these boots may have copies. A primary names them and owes them its header. A
    /// holder owes the names that its list lacks to the primary.
    pub(crate) fn note(&mut self, n: NodeId, names: Names) {
        if self.is_primary(n) {
            self.note_as_primary(n, names);
        } else if let Some(record) = self.record(n) {
            let lacks = |m: &NodeId| record.named.boot(*m) < names.boot(*m);
            let lacking: Set = names.set_of().iter().filter(lacks).collect();
            self.owe_names(n, names.without(names.set_of() - lacking));
        }
    }

    fn note_as_primary(&mut self, n: NodeId, names: Names) {
        let Some(record) = self.nodes[n].record_mut() else {
            return;
        };
        let names = names.without(Set::of(n));
        for m in names.set_of().iter() {
            if record.named.boot(m) < names.boot(m) {
                record.named.set(m, names.boot(m));
                record.owed |= Set::of(m);
            }
        }
        for m in names.set_of().iter() {
            self.renumber_release(n, m);
        }
        self.review_names(n, None);
    }

    /// The primary `n` has heard that `m` has a copy or asks for one, so an answer to an earlier release
    /// doesn't count any more.
    pub(crate) fn renumber_release(&mut self, n: NodeId, m: NodeId) {
        let number = self.fresh(n, Set::of(m), Body::release);
        if self.keeps(Rule::DroppedAnswersRelease)
            && let Some(record) = self.nodes[n].record_mut()
        {
            record.release_numbers[m] = number;
        }
    }

    /// `n` as holder owes these names to the primary.
    pub(crate) fn owe_names(&mut self, n: NodeId, names: Names) {
        if !self.keeps(Rule::OweNames) {
            return;
        }
        let Some(record) = self.nodes[n].record_mut() else {
            return;
        };
        let primary = record.header.node();
        let names = names.without(Set::of(n) | Set::of(primary));
        record.also.add(names);
        if !names.is_empty() {
            record.owed |= Set::of(primary) - Set::of(n);
        }
        self.review_names(n, None);
    }

    /// Owes contents that `n` got from another node: a holder owes them to the primary, the primary to its
    /// backups.
    pub(crate) fn pass_on(&mut self, n: NodeId) {
        if !self.keeps(Rule::PassOnContents) {
            return;
        }
        let primary = self.is_primary(n);
        if let Some(record) = self.nodes[n].record_mut() {
            let to = if primary {
                record.wanted
            } else {
                Set::of(record.header.node())
            };
            record.owed |= to - Set::of(n);
        }
    }

    /// `n` accepts the newer header that `f` sent. The contents that came with it are merged already.
    pub(crate) fn take_header(&mut self, n: NodeId, f: NodeId, copy: &Copied) {
        let boot = self.known_boot(n, f);
        let Some(record) = self.nodes[n].record_mut() else {
            return;
        };
        let old = *record;
        let writer = copy.header.node();
        record.header = copy.header;
        record.guard = copy.guard;
        record.role = Role::Holder;
        record.hand_over_to = Set::NONE;
        record.release_numbers = PerNode::default();
        record.owed = Set::NONE;
        if !copy.own_word || !copy.contents.cover(record.contents) {
            record.owed = Set::of(writer) - Set::of(n);
        }
        let mut also = copy.also;
        // A writer knows which names it struck itself, but not what others passed on as its list.
        if !old.header.same_writer(copy.header) || old.passed_on {
            also.add(old.named.without(copy.named.set_of()));
        }
        if !copy.own_word {
            also.set(f, boot);
        }
        self.take_list(n, copy);
        self.owe_names(n, also);
        self.settle_names(n, copy);
        if self.nodes[n].asks(Purpose::Adopt) {
            self.nodes[n].question = None;
        }
        self.hear_of_primary(n);
        self.review_names(n, None);
    }

    /// `n`, to which this header was passed on, hears it from the primary itself.
    pub(crate) fn take_own_word(&mut self, n: NodeId, copy: &Copied) {
        let Some(record) = self.record(n) else {
            return;
        };
        let lacking = record.named.without(copy.named.set_of());
        self.take_list(n, copy);
        self.owe_names(n, lacking);
        self.settle_names(n, copy);
        self.review_names(n, None);
    }

    fn take_list(&mut self, n: NodeId, copy: &Copied) {
        let boot = self.nodes[n].boot;
        let passed_on = !copy.own_word && self.keeps(Rule::MarkPassedOn);
        if let Some(record) = self.nodes[n].record_mut() {
            record.named = copy.named;
            record.named.set(n, boot);
            record.wanted = copy.wanted;
            record.passed_on = passed_on;
        }
    }

    /// Names that the primary itself lists aren't owed to it any more.
    fn settle_names(&mut self, n: NodeId, copy: &Copied) {
        let takes_for_own = copy.own_word || !self.keeps(Rule::MarkPassedOn);
        if let Some(record) = self.nodes[n].record_mut()
            && takes_for_own
        {
            record.also = record.also.without(copy.named.set_of());
        }
    }

    /// The primary `n` refutes the header of a guard, which `f` sent.
    pub(crate) fn refute(&mut self, n: NodeId, f: NodeId, copy: &Copied) {
        let Some(role) = self.record(n).map(|record| record.role) else {
            return;
        };
        if self.keeps(Rule::RefuteTakesNames) {
            let mut names = copy.named;
            names.add(copy.also);
            names.set(f, self.known_boot(n, f));
            self.note_as_primary(n, names);
        }
        self.take_over(n, copy.header, role);
        if role == Role::HandingOver {
            self.ghosts.undue = self.record(n).map_or(Stamp::NONE, |record| record.header);
        }
    }
}
