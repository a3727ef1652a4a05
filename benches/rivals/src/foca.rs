//! A node of foca: its LAN settings, with all times halved to a probe period of 500 ms.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

use foca::{Config, Foca, Identity, Notification, PostcardCodec, Runtime, Timer};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use relevo_benches::net::{Micros, Protocol, SECOND, Verdict};
use serde::{Deserialize, Serialize};

/// A node and the number of its start. A later start wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    number: u16,
    start: u32,
}

impl Identity for Name {
    type Addr = u16;

    fn renew(&self) -> Option<Self> {
        Some(Self {
            start: self.start + 1,
            ..*self
        })
    }

    fn addr(&self) -> u16 {
        self.number
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.start > adversary.start
    }
}

/// The actions that the node wants, until the network executes them.
#[derive(Default)]
struct Wishes {
    now: Micros,
    order: u64,
    agenda: BinaryHeap<Reverse<(Micros, u64)>>,
    timers: HashMap<u64, Timer<Name>>,
    datagrams: VecDeque<(usize, Vec<u8>)>,
    verdicts: VecDeque<Verdict>,
}

impl Runtime<Name> for &mut Wishes {
    fn notify(&mut self, notification: Notification<'_, Name>) {
        match notification {
            Notification::MemberUp(name) => {
                self.verdicts.push_back(Verdict::Up(name.number.into()));
            }
            Notification::MemberDown(name) => {
                self.verdicts.push_back(Verdict::Down(name.number.into()));
            }
            _ => {}
        }
    }

    fn send_to(&mut self, to: Name, data: &[u8]) {
        self.datagrams.push_back((to.number.into(), data.to_vec()));
    }

    fn submit_after(&mut self, event: Timer<Name>, after: Duration) {
        self.order += 1;
        let at = self.now + u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.agenda.push(Reverse((at, self.order)));
        self.timers.insert(self.order, event);
    }
}

/// A node and its seed.
pub struct FocaNode {
    foca: Foca<Name, PostcardCodec, SmallRng, foca::NoCustomBroadcast>,
    wishes: Wishes,
    number: usize,
    contact: Option<Micros>,
}

impl Protocol for FocaNode {
    fn start(number: usize, nodes: usize, boot: u64, now: Micros) -> Self {
        let name = Name {
            number: number as u16,
            // This leaves numbers for the identities that a node takes when others declare it dead.
            start: (boot as u32).wrapping_mul(1_000),
        };
        Self {
            foca: Foca::new(
                name,
                config(nodes),
                SmallRng::seed_from_u64(boot),
                PostcardCodec,
            ),
            wishes: Wishes {
                now,
                ..Wishes::default()
            },
            number,
            contact: (number != 0).then_some(now),
        }
    }

    fn receive(&mut self, now: Micros, _: usize, datagram: &mut [u8]) {
        self.wishes.now = now;
        // An error only says that it refused the datagram; the node continues.
        let _ = self.foca.handle_data(datagram, &mut self.wishes);
        self.look_for_seed(now);
    }

    fn wake(&mut self, now: Micros) {
        self.wishes.now = now;
        if self.contact.is_some_and(|at| at <= now) {
            self.contact = Some(now + SECOND);
            let seed = Name {
                number: 0,
                start: 0,
            };
            let _ = self.foca.announce(seed, &mut self.wishes);
        }
        while let Some(Reverse((at, order))) = self.wishes.agenda.peek().copied()
            && at <= now
        {
            self.wishes.agenda.pop();
            if let Some(timer) = self.wishes.timers.remove(&order) {
                let _ = self.foca.handle_timer(timer, &mut self.wishes);
            }
        }
        self.look_for_seed(now);
    }

    fn due(&self) -> Option<Micros> {
        let timer = self.wishes.agenda.peek().map(|Reverse((at, _))| *at);
        timer.into_iter().chain(self.contact).min()
    }

    fn transmit(&mut self, _: Micros, out: &mut [u8]) -> Option<(usize, usize)> {
        let (to, datagram) = self.wishes.datagrams.pop_front()?;
        out[..datagram.len()].copy_from_slice(&datagram);
        Some((to, datagram.len()))
    }

    fn verdict(&mut self) -> Option<Verdict> {
        self.wishes.verdicts.pop_front()
    }
}

impl FocaNode {
    /// A node that is alone announces itself to the seed once a second.
    fn look_for_seed(&mut self, now: Micros) {
        let alone = self.number != 0 && self.foca.num_members() == 0;
        self.contact = alone.then(|| self.contact.unwrap_or(now + SECOND));
    }
}

fn config(nodes: usize) -> Config {
    let size = NonZeroU32::new(nodes as u32).unwrap_or(NonZeroU32::MIN);
    let mut config = Config::new_lan(size);
    config.probe_period /= 2;
    config.probe_rtt /= 2;
    config.suspect_to_down_after /= 2;
    for params in [
        &mut config.periodic_announce,
        &mut config.periodic_announce_to_down_members,
        &mut config.periodic_gossip,
    ] {
        if let Some(params) = params {
            params.frequency /= 2;
        }
    }
    config
}
