//! What nodes know of each other, and how lists change when a boot is gone.

use crate::ids::{NodeId, Set};
use crate::rules::Rule;
use crate::state::{Life, Peer, Purpose, Role, Slot, State, Status};

impl Peer {
    /// Whether this boot of the member is gone: another one followed, or it left.
    pub(crate) const fn supersedes(self, boot: u8) -> bool {
        match self.status {
            Status::Left => self.boot >= boot,
            _ => self.boot > boot,
        }
    }
}

impl State {
    /// The state of `m` that `n` would see if it looked now. Failure detection is correct, except that it
    /// can't tell a split from a crash.
    fn peer_now(&self, n: NodeId, m: NodeId) -> Peer {
        let known = self.nodes[n].peers[m];
        let other = &self.nodes[m];
        let (boot, status) = match (other.life, known.status) {
            (Life::Up | Life::Leaving, _) if self.connected(n, m) => (other.boot, Status::Live),
            (Life::Left, Status::Unverified | Status::Live | Status::Dead) => {
                (other.boot, Status::Left)
            }
            (_, Status::Unverified | Status::Live) => (known.boot, Status::Dead),
            (_, status) => (known.boot, status),
        };
        Peer { boot, status }
    }

    /// The members about which the live `m` can tell `n` something new: a member that `n` doesn't know, a
    /// later boot, or that a boot has left.
    fn untold(&self, n: NodeId, m: NodeId) -> Set {
        if self.peer_now(n, m).status != Status::Live {
            return Set::NONE;
        }
        let tells = |o: &NodeId| {
            let (mine, theirs) = (self.nodes[n].peers[*o], self.nodes[m].peers[*o]);
            let left = theirs.status == Status::Left;
            if mine.status == Status::Unknown {
                return theirs.boot > 0 && !left && self.keeps(Rule::TellOfTheDead);
            }
            theirs.boot > mine.boot
                || theirs.boot == mine.boot && left && mine.status != Status::Left
        };
        self.others(n).filter(tells).collect()
    }

    /// Whether `n` could learn something by looking at `m`.
    #[must_use]
    pub fn may_discover(&self, n: NodeId, m: NodeId) -> bool {
        let now = self.peer_now(n, m);
        n != m && (now != self.nodes[n].peers[m] || !self.untold(n, m).is_empty())
    }

    /// `n` learns the state of `m`, and which members `m` knows.
    pub(crate) fn discover(&mut self, n: NodeId, m: NodeId) {
        let (old, new) = (self.nodes[n].peers[m], self.peer_now(n, m));
        let untold = self.untold(n, m);
        self.nodes[n].peers[m] = new;
        self.changed(n, m, old);
        let new_boot = new.boot != old.boot;
        let back = !new_boot && old.status == Status::Dead || self.record(m).is_some();
        if old.status != Status::Live && new.status == Status::Live && back {
            self.doubt(n);
        }
        for other in untold.iter() {
            self.hear_of(n, other, self.nodes[m].peers[other]);
        }
    }

    /// `n` is told what another node knows of `m`.
    fn hear_of(&mut self, n: NodeId, m: NodeId, news: Peer) {
        let old = self.nodes[n].peers[m];
        let left = news.status == Status::Left;
        let status = if left {
            Status::Left
        } else {
            Status::Unverified
        };
        self.nodes[n].peers[m] = Peer { status, ..news };
        self.changed(n, m, old);
    }

    /// A newer header tells something about its primary: `n` treats a boot that it hasn't met, or believed to
    /// be dead, as live until it has looked.
    pub(crate) fn hear_of_primary(&mut self, n: NodeId) {
        let Some(header) = self.record(n).map(|record| record.header) else {
            return;
        };
        let (primary, boot) = (header.node(), header.boot());
        let known = self.nodes[n].peers[primary];
        let dead = known.status == Status::Dead && boot == known.boot;
        if primary != n && (boot > known.boot || dead) {
            let status = Status::Unverified;
            self.hear_of(n, primary, Peer { boot, status });
        }
    }

    /// Handles that the knowledge of `n` about `m` has changed from `old`.
    fn changed(&mut self, n: NodeId, m: NodeId, old: Peer) {
        let new = self.nodes[n].peers[m];
        let new_boot = new.boot != old.boot;
        if new.status != Status::Live || new_boot {
            if let Some(record) = self.nodes[n].record_mut() {
                record.hand_over_to -= Set::of(m);
            }
            self.await_no_more(n, m);
        }
        let left = new.status == Status::Left && old.status != Status::Left;
        let gone = left || new_boot && old.boot != 0;
        self.review_names(n, gone.then_some((m, old.boot)));
    }

    /// Handles that `m` won't answer the open question of `n`.
    fn await_no_more(&mut self, n: NodeId, m: NodeId) {
        let Some(question) = self.nodes[n].question else {
            return;
        };
        if question.awaits.has(m) {
            match question.purpose {
                Purpose::Fetch => self.answered(n, m),
                Purpose::Adopt => self.nodes[n].question = None,
            }
        }
    }

    /// The other side may have taken the session over, so `n` asks before it serves again.
    fn doubt(&mut self, n: NodeId) {
        let keeps = self.keeps(Rule::DoubtAfterSplit);
        let acknowledged = self.ghosts.acknowledged;
        let Some(record) = self.nodes[n].record_mut() else {
            return;
        };
        if record.role != Role::Serves {
            return;
        }
        if keeps {
            record.role = Role::Doubts;
        } else if !record.contents.cover(acknowledged) {
            self.ghosts.stale = true;
        }
    }

    /// Handles the names of boots that are gone, as far as `n` knows. `gone` is the boot of which it has just
    /// heard that it is gone.
    pub(crate) fn review_names(&mut self, n: NodeId, gone: Option<(NodeId, u8)>) {
        match self.nodes[n].slot {
            Slot::Live(_) => self.review_list(n, gone),
            Slot::Ended(_) => self.review_tombstone(n, gone),
            Slot::Empty => {}
        }
    }

    /// Whether the boot of `m` in a list is gone. If lists don't name boots, only the news that has just
    /// arrived says so.
    pub(crate) fn is_gone(
        &self,
        n: NodeId,
        m: NodeId,
        boot: u8,
        gone: Option<(NodeId, u8)>,
    ) -> bool {
        if !self.keeps(Rule::ListNamesBoots) {
            return gone.is_some_and(|(other, _)| other == m);
        }
        m != n && self.nodes[n].peers[m].supersedes(boot)
    }

    fn review_list(&mut self, n: NodeId, gone: Option<(NodeId, u8)>) {
        let Some(mut record) = self.record(n).copied() else {
            return;
        };
        let marks = self.keeps(Rule::MarkNotAllNamed);
        for m in (record.named.set_of() | record.also.set_of()).iter() {
            let peer = self.nodes[n].peers[m];
            if record.also.has(m) && self.is_gone(n, m, record.also.boot(m), gone) {
                record.not_all_named |= marks;
                record.also.strike(m);
            }
            if !record.named.has(m) || !self.is_gone(n, m, record.named.boot(m), gone) {
                continue;
            }
            record.not_all_named |= marks;
            if record.role == Role::Holder {
                continue; // the primary itself wrote the list
            }
            if peer.status == Status::Left {
                record.wanted -= Set::of(m);
            }
            if record.wanted.has(m) {
                record.named.set(m, peer.boot);
                if self.keeps(Rule::OweNewBootAgain) {
                    record.owed |= Set::of(m);
                }
            } else {
                record.named.strike(m);
                record.owed -= Set::of(m);
            }
        }
        self.nodes[n].slot = Slot::Live(record);
    }

    /// Handles that a boot is gone which had to confirm and hasn't.
    fn review_tombstone(&mut self, n: NodeId, gone: Option<(NodeId, u8)>) {
        let (Slot::Ended(tombstone), Some((m, boot))) = (self.nodes[n].slot, gone) else {
            return;
        };
        let named = tombstone.named.boot(m);
        let was_named = named != 0 && self.is_gone(n, m, named, gone);
        let boot = if was_named { named } else { boot };
        if (was_named || tombstone.all) && tombstone.confirmed.boot(m) < boot {
            self.widen_end(n);
        }
    }
}
