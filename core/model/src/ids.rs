//! Nodes, sets of nodes, lists of names, and stamps.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Index, IndexMut, Sub, SubAssign};

/// The largest cluster that is modelled.
pub const MAX_NODES: u8 = 4;

/// A node's name: n0 to n3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct NodeId(u8);

impl NodeId {
    /// The first node.
    pub const FIRST: Self = Self(0);

    /// The first `count` nodes.
    pub fn first(count: u8) -> impl DoubleEndedIterator<Item = Self> {
        (0..count.min(MAX_NODES)).map(Self)
    }

    /// The node with this number, of at most [`MAX_NODES`].
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number < MAX_NODES {
            Some(Self(number))
        } else {
            None
        }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// One value for each node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PerNode<T>([T; MAX_NODES as usize]);

#[expect(
    clippy::indexing_slicing,
    reason = "a node's number is below MAX_NODES"
)]
impl<T> Index<NodeId> for PerNode<T> {
    type Output = T;

    fn index(&self, node: NodeId) -> &T {
        &self.0[usize::from(node.0)]
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "a node's number is below MAX_NODES"
)]
impl<T> IndexMut<NodeId> for PerNode<T> {
    fn index_mut(&mut self, node: NodeId) -> &mut T {
        &mut self.0[usize::from(node.0)]
    }
}

/// A set of nodes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Set(u8);

impl Set {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// The set of one node.
    #[must_use]
    pub const fn of(node: NodeId) -> Self {
        Self(1 << node.0)
    }

    /// Whether `node` is in it.
    #[must_use]
    pub const fn has(self, node: NodeId) -> bool {
        self.0 >> node.0 & 1 == 1
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The number of nodes in it.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Its nodes, in order.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        NodeId::first(MAX_NODES).filter(move |node| self.has(*node))
    }
}

impl FromIterator<NodeId> for Set {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        nodes
            .into_iter()
            .fold(Self::NONE, |set, node| set | Self::of(node))
    }
}

impl BitOr for Set {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Set {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for Set {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for Set {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl SubAssign for Set {
    fn sub_assign(&mut self, other: Self) {
        self.0 &= !other.0;
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.iter().map(|node| node.to_string()).collect();
        write!(f, "{{{}}}", names.join(" "))
    }
}

/// A list of names, as a header has it: each name stands for one boot of that node.
///
/// Boots are counted from 1; 0 says that the node isn't named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Names(PerNode<u8>);

impl Names {
    /// Whether some boot of `node` is named.
    #[must_use]
    pub fn has(self, node: NodeId) -> bool {
        self.boot(node) != 0
    }

    /// The boot of `node` that is named, or 0.
    #[must_use]
    pub fn boot(self, node: NodeId) -> u8 {
        self.0[node]
    }

    /// Names this boot of `node` and no other.
    pub fn set(&mut self, node: NodeId, boot: u8) {
        self.0[node] = boot;
    }

    /// Strikes `node`.
    pub fn strike(&mut self, node: NodeId) {
        self.0[node] = 0;
    }

    /// The nodes that are named.
    #[must_use]
    pub fn set_of(self) -> Set {
        NodeId::first(MAX_NODES)
            .filter(|node| self.has(*node))
            .collect()
    }

    /// Whether nobody is named.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.set_of().is_empty()
    }

    /// Adds the names of `other`; of two boots of a node the later one stays.
    pub fn add(&mut self, other: Self) {
        for node in other.set_of().iter() {
            self.set(node, self.boot(node).max(other.boot(node)));
        }
    }

    /// The names whose nodes aren't in `nodes`.
    #[must_use]
    pub fn without(mut self, nodes: Set) -> Self {
        for node in nodes.iter() {
            self.strike(node);
        }
        self
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self
            .set_of()
            .iter()
            .map(|node| match self.boot(node) {
                1 => node.to_string(),
                boot => format!("{node}.{boot}"),
            })
            .collect();
        write!(f, "[{}]", names.join(" "))
    }
}

/// The stamp of a write, which orders writes: (epoch, node, boot, seq), compared in that order.
///
/// Packed so that numbers compare as stamps do: 12 bits of epoch, 4 of node, 4 of boot, 12 of seq.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp(u32);

impl Stamp {
    /// The stamp of an attribute that was never written.
    pub const NONE: Self = Self(0);

    /// The stamp of the `seq`th write of a boot of `node`.
    #[must_use]
    pub fn new(epoch: u32, node: NodeId, boot: u8, seq: u16) -> Self {
        debug_assert!(epoch < 1 << 12 && boot < 1 << 4 && seq < 1 << 12);
        Self(epoch << 20 | u32::from(node.0) << 16 | u32::from(boot) << 12 | u32::from(seq))
    }

    /// The part that grows when the primary changes.
    #[must_use]
    pub const fn epoch(self) -> u32 {
        self.0 >> 20
    }

    /// The node that wrote it. For a header that is the primary.
    #[must_use]
    pub const fn node(self) -> NodeId {
        NodeId((self.0 >> 16 & 3) as u8)
    }

    /// The boot of [`Self::node`] that wrote it.
    #[must_use]
    pub const fn boot(self) -> u8 {
        (self.0 >> 12 & 15) as u8
    }

    /// Whether one boot of one node wrote both.
    #[must_use]
    pub const fn same_writer(self, other: Self) -> bool {
        self.0 << 12 >> 24 == other.0 << 12 >> 24
    }

    const fn seq(self) -> u32 {
        self.0 & 0xfff
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return write!(f, "none");
        }
        let (node, boot) = (self.node(), self.boot());
        match boot {
            1 => write!(f, "e{}-{node}-{}", self.epoch(), self.seq()),
            _ => write!(f, "e{}-{node}.{boot}-{}", self.epoch(), self.seq()),
        }
    }
}

/// The stamps of the session's two attributes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Contents {
    /// The first attribute's stamp.
    pub a: Stamp,
    /// The second attribute's stamp.
    pub b: Stamp,
}

/// One of the session's two attributes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Attribute {
    /// The first.
    A,
    /// The second.
    B,
}

impl Contents {
    /// Both attributes as they were written with this stamp.
    #[must_use]
    pub const fn written(stamp: Stamp) -> Self {
        Self { a: stamp, b: stamp }
    }

    /// The stamp of one of them.
    #[must_use]
    pub const fn of(self, attribute: Attribute) -> Stamp {
        match attribute {
            Attribute::A => self.a,
            Attribute::B => self.b,
        }
    }

    /// Writes one of them.
    pub fn set(&mut self, attribute: Attribute, stamp: Stamp) {
        match attribute {
            Attribute::A => self.a = stamp,
            Attribute::B => self.b = stamp,
        }
    }

    /// For each attribute the greater stamp.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        Self {
            a: self.a.max(other.a),
            b: self.b.max(other.b),
        }
    }

    /// Whether nothing in `other` is newer.
    #[must_use]
    pub fn cover(self, other: Self) -> bool {
        self.a >= other.a && self.b >= other.b
    }
}
