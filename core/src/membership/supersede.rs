//! A boot that was superseded: a later boot took its name while it couldn't be heard. It stops claiming the name.

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

    /// Takes over all keys of `former`, a node that was [superseded](crate::Event::Superseded) and that this node
    /// replaces on its host. Nothing happens if it wasn't superseded.
    pub fn take_keys_of(&mut self, former: &mut Node<'_>) {
        if former.superseded {
            let keys = core::mem::take(&mut former.sealer.keys);
            self.sealer.set_keys(keys);
            former.sealer.set_keys(Keyring::default());
        }
    }

    /// Whether a member that knew this boot knows another one by its name now. That boot is later, since a boot never
    /// replaces a later one. The handshake counts only if it is no recording.
    pub(crate) fn is_of_successor(&self, boot: BootId, handshake: &Handshake<'_>) -> bool {
        let member = self.members.by_tag(boot.tag());
        let knew = member.is_some_and(|member| {
            let slot = self.members.get(member);
            // Only a node that had installed this boot can have sent a packet to it, and an echo of a challenge is
            // later than that packet.
            slot.boot == boot && slot.link.is_open
        });
        knew && (knows_another(handshake) || handshake.name_taken)
    }

    /// The name belongs to another boot: from now on this boot is silent, judges nobody, and owns no session.
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

/// Whether the sender knows another boot by the receiver's name, or says so. A node that knows this very boot sends
/// it no challenge, unless it is asked to.
pub(crate) const fn knows_another(handshake: &Handshake<'_>) -> bool {
    handshake.challenge.is_some() && handshake.least_incarnation > 0
}
