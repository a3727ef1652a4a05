//! The key of a session: its namespace and its id.

use core::fmt;

use heapless::Vec;

use crate::bounded;

/// Longest namespace in bytes.
pub const MAX_NAMESPACE: usize = 64;

/// Longest session id in bytes.
pub const MAX_ID: usize = 128;

/// Longest attribute name in bytes.
pub const MAX_ATTRIBUTE_NAME: usize = 255;

/// A session: the application it belongs to and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key<'a> {
    /// The application (Tomcat: `host#context`), at most [`MAX_NAMESPACE`] bytes.
    pub namespace: &'a [u8],
    /// The id **without** the route suffix: `6B94….tomcat1` is `6B94…`. 1 to [`MAX_ID`] bytes.
    pub id: &'a [u8],
}

impl Key<'_> {
    /// Whether both parts have a length that a node can keep.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.namespace.len() <= MAX_NAMESPACE && !self.id.is_empty() && self.id.len() <= MAX_ID
    }
}

/// A key that owns its bytes: what events carry.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId {
    namespace: Vec<u8, MAX_NAMESPACE>,
    id: Vec<u8, MAX_ID>,
}

impl SessionId {
    /// Copies `key`; `None` if it isn't [valid](Key::is_valid).
    #[must_use]
    pub fn new(key: Key<'_>) -> Option<Self> {
        if !key.is_valid() {
            return None;
        }
        Some(Self {
            namespace: bounded::copy(key.namespace)?,
            id: bounded::copy(key.id)?,
        })
    }

    /// The key with borrowed parts.
    #[must_use]
    pub fn key(&self) -> Key<'_> {
        Key {
            namespace: &self.namespace,
            id: &self.id,
        }
    }
}

/// Shows the namespace and the first six bytes of the id: a whole id is a password.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.namespace.utf8_chunks() {
            f.write_str(part.valid())?;
        }
        f.write_str("/")?;
        for byte in self.id.iter().take(6) {
            fmt::Write::write_char(
                f,
                if byte.is_ascii_graphic() {
                    char::from(*byte)
                } else {
                    '?'
                },
            )?;
        }
        f.write_str("…")
    }
}

/// The hash that finds a session: SipHash-1-3 over namespace and id, keyed by the cluster's name.
pub(crate) fn hash(cluster: u64, key: Key<'_>) -> [u8; 16] {
    use core::hash::Hasher;
    use siphasher::sip128::{Hasher128, SipHasher13};
    let mut hasher = SipHasher13::new_with_keys(cluster, !cluster);
    hasher.write(&[key.namespace.len() as u8]);
    hasher.write(key.namespace);
    hasher.write(key.id);
    hasher.finish128().as_bytes()
}

/// One known application.
#[derive(Clone, Debug, Default)]
pub struct NamespaceSlot {
    name: Vec<u8, MAX_NAMESPACE>,
    /// This node's application runs it.
    runs: bool,
}

/// The applications whose sessions are kept here, by number.
pub(crate) struct Namespaces<'m> {
    slots: &'m mut [NamespaceSlot],
    count: usize,
}

impl<'m> Namespaces<'m> {
    pub(crate) fn new(slots: &'m mut [NamespaceSlot]) -> Self {
        Self { slots, count: 0 }
    }

    /// The number of a namespace that is known already.
    pub(crate) fn find(&self, name: &[u8]) -> Option<u8> {
        let known = self.slots.iter().take(self.count);
        known
            .enumerate()
            .find(|(_, slot)| slot.name == name)
            .and_then(|(i, _)| u8::try_from(i).ok())
    }

    /// The number of a namespace; a new one if there's room.
    pub(crate) fn intern(&mut self, name: &[u8]) -> Option<u8> {
        if let Some(number) = self.find(name) {
            return Some(number);
        }
        let number = u8::try_from(self.count)
            .ok()
            .filter(|number| *number < u8::MAX)?;
        self.slots.get_mut(self.count)?.name = bounded::copy(name)?;
        self.count = self.count.saturating_add(1);
        Some(number)
    }

    /// This node's application runs the namespace of this number.
    pub(crate) fn set_running(&mut self, number: Option<u8>) {
        if let Some(slot) = number.and_then(|number| self.slots.get_mut(usize::from(number))) {
            slot.runs = true;
        }
    }

    pub(crate) fn is_running(&self, name: &[u8]) -> bool {
        let slot = self.find(name).map(usize::from);
        slot.and_then(|number| self.slots.get(number))
            .is_some_and(|slot| slot.runs)
    }

    pub(crate) fn name(&self, number: u8) -> &[u8] {
        self.slots
            .get(usize::from(number))
            .map_or(&[], |slot| &slot.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_namespace_keeps_its_number_and_what_does_not_fit_is_refused() {
        let mut slots: [NamespaceSlot; 3] = core::array::from_fn(|_| NamespaceSlot::default());
        let mut namespaces = Namespaces::new(&mut slots);
        assert_eq!(
            namespaces.find(b""),
            None,
            "an empty slot isn't the empty name"
        );
        assert_eq!(namespaces.intern(b"a"), Some(0));
        assert_eq!(namespaces.intern(b""), Some(1));
        assert_eq!(namespaces.intern(&[7; MAX_NAMESPACE + 1]), None);
        assert_eq!(namespaces.intern(&[7; MAX_NAMESPACE]), Some(2));
        assert_eq!(namespaces.intern(b"b"), None, "all three are taken");
        assert_eq!(namespaces.intern(b"a"), Some(0), "a known one still is");
        assert_eq!(namespaces.find(b""), Some(1));
        assert_eq!(namespaces.name(0), b"a");
        assert_eq!(namespaces.name(2), [7; MAX_NAMESPACE]);
        assert_eq!(namespaces.name(3), b"");
    }

    #[test]
    fn there_are_numbers_for_255_namespaces_however_many_slots_there_are() {
        let mut slots: [NamespaceSlot; 300] = core::array::from_fn(|_| NamespaceSlot::default());
        let mut namespaces = Namespaces::new(&mut slots);
        for number in 0..300_u16 {
            let name = number.to_le_bytes();
            let expected = u8::try_from(number).ok().filter(|number| *number < 255);
            assert_eq!(namespaces.intern(&name), expected);
            assert_eq!(namespaces.find(&name), expected);
        }
        assert_eq!(namespaces.name(254), 254_u16.to_le_bytes());
    }

    #[test]
    fn only_keys_of_a_length_that_fits_are_valid() {
        let key = |namespace: usize, id: usize| {
            let bytes = &[0; 200];
            Key {
                namespace: &bytes[..namespace],
                id: &bytes[..id],
            }
        };
        assert!(key(0, 1).is_valid() && key(64, 128).is_valid());
        for (namespace, id) in [(0, 0), (65, 1), (0, 129), (200, 200)] {
            assert!(!key(namespace, id).is_valid());
            assert_eq!(SessionId::new(key(namespace, id)), None);
        }
        let owned = SessionId::new(key(64, 128)).unwrap();
        assert_eq!(owned.key(), key(64, 128));
    }

    #[test]
    fn a_hash_tells_namespace_from_id_and_cluster_from_cluster() {
        let of = |cluster, namespace, id| {
            let key = Key { namespace, id };
            hash(cluster, key)
        };
        let one = of(1, b"ab", b"c");
        assert_eq!(of(1, b"ab", b"c"), one);
        for other in [of(2, b"ab", b"c"), of(1, b"a", b"bc"), of(1, b"", b"abc")] {
            assert_ne!(other, one);
        }
    }

    #[test]
    fn a_shown_id_gives_away_six_bytes_at_most() {
        use core::fmt::Write;
        let id = SessionId::new(Key {
            namespace: b"host#app",
            id: b"AB\n\xFFEFGHIJKLMNOP",
        });
        let mut shown = heapless::String::<64>::new();
        write!(shown, "{:?}", id.unwrap()).unwrap();
        assert_eq!(shown, "host#app/AB??EF…");
    }
}
