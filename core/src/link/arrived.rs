//! The packets of a peer that are to be acknowledged.

use heapless::Vec;

use crate::wire::message::{Body, Message};

/// Packets of one peer that arrived and are to be acknowledged: as many as the window against replays
/// lets in, since a host may hand in many before it polls.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    newest: u64,
    /// Bit n: the n-th packet before the newest.
    before: u128,
}

impl Arrived {
    pub(crate) const fn new() -> Self {
        Self {
            newest: 0,
            before: 0,
        }
    }

    /// A packet that is older than the window is sent again.
    pub(super) fn add(&mut self, counter: u64) {
        let ahead = counter.saturating_sub(self.newest);
        self.before = shifted(self.before, ahead);
        self.newest = self.newest.max(counter);
        self.before |= shifted(1, self.newest.saturating_sub(counter));
    }

    /// The number of them.
    pub(super) const fn count(&self) -> u32 {
        self.before.count_ones()
    }

    /// The next message that names some of them, the newest first.
    #[cfg(test)]
    pub(crate) fn message(&self) -> Option<Message<'static>> {
        self.next().map(|(message, _)| message)
    }

    /// The next message that names some of them, the newest first, and what is left to name then.
    fn next(&self) -> Option<(Message<'static>, u128)> {
        if self.before == 0 {
            return None;
        }
        let nearest = self.before.trailing_zeros();
        let newest = self.newest.saturating_sub(u64::from(nearest));
        let mut left = self.before & self.before.wrapping_sub(1);
        let mut before = Vec::new();
        while left != 0
            && before
                .push(left.trailing_zeros().saturating_sub(nearest))
                .is_ok()
        {
            left &= left.wrapping_sub(1);
        }
        Some((Message::Ack { newest, before }, left))
    }

    /// Writes all of them to a packet. Returns whether there was room.
    pub(crate) fn write(&mut self, body: &mut Body<'_>) -> bool {
        while let Some((message, left)) = self.next() {
            if body.push(&message).is_err() {
                return false;
            }
            self.before = left;
        }
        true
    }
}

/// `bits` moved up by `count`; what is moved out is gone.
fn shifted(bits: u128, count: u64) -> u128 {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    bits.checked_shl(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_of(counters: &[u64]) -> Option<Message<'static>> {
        let mut arrived = Arrived::new();
        counters.iter().for_each(|counter| arrived.add(*counter));
        arrived.message()
    }

    fn received(newest: u64, before: &[u32]) -> Option<Message<'static>> {
        let before = Vec::from_slice(before).unwrap();
        Some(Message::Ack { newest, before })
    }

    #[test]
    fn each_packet_that_arrived_is_named_in_whatever_order() {
        assert_eq!(message_of(&[]), None);
        assert_eq!(message_of(&[7]), received(7, &[]));
        assert_eq!(message_of(&[7, 5, 9]), received(9, &[2, 4]));
        assert_eq!(message_of(&[0]), received(0, &[]));
        assert_eq!(message_of(&[u64::MAX, 0]), received(u64::MAX, &[]));
        assert_eq!(message_of(&[1, 129, 130]), received(130, &[1]));
        assert_eq!(message_of(&[130, 3, 2]), received(130, &[127]));
    }

    #[test]
    fn all_packets_of_the_window_are_named_over_several_messages_and_once() {
        let mut arrived = Arrived::new();
        (1_000..1_128).for_each(|counter| arrived.add(counter));
        let mut named = std::vec::Vec::new();
        while let Some((Message::Ack { newest, before }, left)) = arrived.next() {
            named.push(newest);
            named.extend(before.iter().map(|far| newest - u64::from(*far)));
            arrived.before = left;
        }
        named.reverse();
        assert!(named.into_iter().eq(1_000..1_128));
    }

    #[test]
    fn what_a_packet_has_no_room_to_name_is_left_for_the_next_one() {
        let mut arrived = Arrived::new();
        (0..40).for_each(|counter| arrived.add(2 * counter));
        let mut room = [0; 30];
        assert!(!arrived.write(&mut Body::new(&mut room)));
        assert!(arrived.message().is_some());
        assert!(arrived.write(&mut Body::new(&mut room)));
        assert_eq!(arrived.message(), None);
        arrived.add(5);
        assert_eq!(arrived.message(), received(5, &[]));
    }
}
