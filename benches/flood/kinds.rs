//! The datagrams that strangers send.

/// The number of datagrams of each kind, which are sent again and again.
const EACH: usize = 512;

/// Kinds of datagrams that a node must refuse.
pub(crate) struct Kinds {
    tape: Vec<Vec<u8>>,
}

impl Kinds {
    /// Makes the kinds from `tape`, the datagrams that a member sent to the flooded node.
    pub(crate) const fn new(tape: Vec<Vec<u8>>) -> Self {
        Self { tape }
    }

    /// The name of each kind and its datagrams. The first kind has none.
    pub(crate) fn all(&self) -> Vec<(&'static str, Vec<Vec<u8>>)> {
        let packets = self.taped(0x10);
        let handshakes = self.taped(0x11);
        let mut random = Random(1);
        let garbage: Vec<_> = (0..EACH).map(|_| random.bytes(64, 1_232)).collect();
        let foreign = flipped(&packets, 2);
        let forged = flipped(&packets, 9);
        let strangers = flipped(&handshakes, 30);
        let all = [
            &garbage,
            &foreign,
            &forged,
            &strangers,
            &packets,
            &handshakes,
        ];
        let mixed = (0..EACH)
            .filter_map(|at| all.get(at % all.len())?.iter().cycle().nth(at).cloned())
            .collect();
        vec![
            ("quiet", Vec::new()),
            ("garbage", garbage),
            ("unknown boot", foreign),
            ("forged packet", forged),
            ("forged hello", strangers),
            ("replayed", packets),
            ("replayed hello", handshakes),
            ("all of them", mixed),
            ("quiet again", Vec::new()),
        ]
    }

    fn taped(&self, kind: u8) -> Vec<Vec<u8>> {
        let of_kind = |datagram: &&Vec<u8>| datagram.first() == Some(&kind);
        self.tape
            .iter()
            .filter(of_kind)
            .take(EACH)
            .cloned()
            .collect()
    }
}

/// The datagrams, each with one bit flipped at this place.
fn flipped(datagrams: &[Vec<u8>], place: usize) -> Vec<Vec<u8>> {
    let mut datagrams = datagrams.to_vec();
    for byte in datagrams
        .iter_mut()
        .filter_map(|bytes| bytes.get_mut(place))
    {
        *byte ^= 1;
    }
    datagrams
}

/// xorshift64* (Marsaglia 2003, Vigna 2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn bytes(&mut self, least: u64, most: u64) -> Vec<u8> {
        let len = least + self.next() % (most - least);
        (0..len).map(|_| self.next() as u8).collect()
    }
}
