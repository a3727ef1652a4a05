//! A boot whose name a later boot took while this one couldn't be heard: it stops claiming it.

use crate::event::Pending;
use crate::ids::SELF;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::seal::BootId;
use crate::seal::Keyring;
use crate::time::Instant;
use crate::wire::member::MemberState;
use crate::wire::message::Handshake;

impl Node<'_> {
    /// Whether this node was superseded: see [`Event::Superseded`](crate::Event::Superseded).
    #[must_use]
    pub const fn is_superseded(&self) -> bool {
        self.superseded
    }

    /// Takes over all keys of `former`, which was [superseded](crate::Event::Superseded): of the node
    /// that takes its place on this host. Nothing happens if it wasn't.
    pub fn take_keys_of(&mut self, former: &mut Node<'_>) {
        if former.superseded {
            let keys = core::mem::take(&mut former.sealer.keys);
            self.sealer.set_keys(keys);
            former.sealer.set_keys(Keyring::default());
        }
    }

    /// Whether a member that knew this boot knows another one by its name now: a later one, since a
    /// boot never takes the place of a later one. It counts as such only if it is no recording.
    pub(crate) fn is_of_successor(&self, boot: BootId, handshake: &Handshake<'_>) -> bool {
        let member = self.members.by_tag(boot.tag());
        let knew = member.is_some_and(|member| {
            let slot = self.members.get(member);
            // Only whoever had installed this boot can have sent a packet to it, and an echo of a
            // challenge is later than that.
            slot.boot == boot && slot.link.is_open
        });
        knew && (knows_another(handshake) || handshake.name_taken)
    }

    /// The name is another one's: this boot is silent from now on, judges nobody, and owns nothing.
    pub(crate) fn on_superseded(&mut self, now: Instant) {
        self.superseded = !self.breaks(Mutation::SupersededServes);
        self.members.change(SELF, |me| me.state = MemberState::Left);
        for member in self.members.others() {
            self.members
                .change(member, |slot| slot.state = MemberState::Dead);
        }
        self.handshakes.clear();
        self.doubt_ownership();
        self.events.push(Pending::Superseded);
        self.review_waits(now);
    }
}

/// Whether the sender has another boot by the receiver's name, or says so. Who has this very boot puts no
/// challenge to it, unless asked to.
pub(crate) const fn knows_another(handshake: &Handshake<'_>) -> bool {
    handshake.challenge.is_some() && handshake.least_incarnation > 0
}
