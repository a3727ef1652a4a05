//! Records all frames for Wireshark, and counts the frames that faults changed.

use std::cell::RefCell;
use std::rc::Rc;

use smoltcp::phy::{PcapLinkType, PcapSink};
use smoltcp::time::Instant;

const FILE_HEADER: usize = 24;
const FRAME_HEADER: usize = 16;

/// A pcap file in memory that all cards of a segment write to.
#[derive(Clone, Default)]
pub struct Capture(Rc<RefCell<Vec<u8>>>);

impl Capture {
    /// The file.
    pub fn pcap(&self) -> Vec<u8> {
        self.0.borrow().clone()
    }

    /// The frames in it.
    pub fn frames(&self) -> Vec<Vec<u8>> {
        let pcap = self.0.borrow();
        let mut rest = pcap.get(FILE_HEADER..).unwrap_or_default();
        let mut frames = Vec::new();
        while !rest.is_empty() {
            let (header, behind) = rest.split_at(FRAME_HEADER);
            let len = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
            let (frame, behind) = behind.split_at(len as usize);
            frames.push(frame.to_vec());
            rest = behind;
        }
        frames
    }
}

impl PcapSink for Capture {
    fn write(&mut self, data: &[u8]) {
        self.0.borrow_mut().extend_from_slice(data);
    }

    fn global_header(&mut self, link_type: PcapLinkType) {
        if self.0.borrow().is_empty() {
            FileHeader(self).global_header(link_type);
        }
    }
}

/// The header that smoltcp writes for each sink; `Capture` writes it only once.
struct FileHeader<'a>(&'a Capture);

impl PcapSink for FileHeader<'_> {
    fn write(&mut self, data: &[u8]) {
        self.0.0.borrow_mut().extend_from_slice(data);
    }
}

/// Compares the frames that left a cable with those that the stack received from the card.
#[derive(Clone, Default)]
pub struct Tally(Rc<RefCell<Counts>>);

#[derive(Default)]
struct Counts {
    in_card: Option<Vec<u8>>,
    lost: u64,
    damaged: u64,
}

impl Tally {
    pub fn left_cable(&self, frame: &[u8]) {
        let counts = &mut *self.0.borrow_mut();
        counts.lost += u64::from(counts.in_card.is_some());
        counts.in_card = Some(frame.to_vec());
    }

    /// The number of frames that the card lost.
    pub fn lost(&self) -> u64 {
        self.0.borrow().lost
    }

    /// The number of frames that the card passed on with other bytes.
    pub fn damaged(&self) -> u64 {
        self.0.borrow().damaged
    }
}

impl PcapSink for Tally {
    fn write(&mut self, _data: &[u8]) {}

    fn packet(&mut self, _at: Instant, frame: &[u8]) {
        let counts = &mut *self.0.borrow_mut();
        let entered = counts.in_card.take();
        counts.damaged += u64::from(entered.as_deref() != Some(frame));
    }
}
