//! Tests two boards on a network in memory, on a clock that the test moves. There is only one clock, so
//! there is only one test.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_stack_arrays,
    reason = "a test ends with the first thing that is wrong"
)]

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use embassy_futures::join::{join, join5};
use embassy_futures::select::select;
use embassy_net::driver::{HardwareAddress, LinkState};
use embassy_net::{Config, Ipv4Cidr, Stack, StackResources, StaticConfigV4};
use embassy_net_driver_channel as channel;
use embassy_time::{Duration, MockDriver};
use relevo_board_node::relevo_core::{Ack, Change, Commit, Entropy, Key, Node, Role};
use relevo_board_node::{Buffers, Driver, Memory, Network, SOCKETS, Settings, Status, now};

const MTU: usize = 1_514;

/// The most milliseconds that anything may take.
const BOUND: u32 = 30_000;

const KEY: Key<'_> = Key {
    namespace: b"localhost#/shop",
    id: b"6B94",
};

type Frames = channel::State<MTU, 4, 4>;

#[test]
fn boards_meet_and_keep_copies_although_most_seeds_are_nobodys() {
    let (mut frames, mut resources) = (
        [Frames::new(), Frames::new()],
        [const { StackResources::new() }; 2],
    );
    let [frames_a, frames_b] = &mut frames;
    let [resources_a, resources_b] = &mut resources;
    let ((stack_a, mut runner_a), wire_a) = card(1, frames_a, resources_a);
    let ((stack_b, mut runner_b), wire_b) = card(2, frames_b, resources_b);
    let mut wires = (wire_a, wire_b);

    let mut seeds =
        [3, 4, 5, 6, 7, 8, 9, 2].map(|host| Some(SocketAddrV4::new(address(host), 4_000)));
    let settings_a = Settings {
        group: None,
        seeds,
        ..Settings::default()
    };
    seeds = [None; 8];
    let settings_b = Settings {
        group: None,
        seeds,
        ..Settings::default()
    };
    let (mut memory_a, mut memory_b) = (Box::new(Memory::new()), Box::new(Memory::new()));
    let mut a = node(1, &settings_a, &mut memory_a, Role::Replica);
    let mut b = node(2, &settings_b, &mut memory_b, Role::Application);
    let mut buffers = Box::new([const { Buffers::new() }; 2]);
    let mut meet = |a: &mut Node<'_>, b: &mut Node<'_>, done: &dyn Fn(&Status, &Status) -> bool| {
        let [buffers_a, buffers_b] = &mut *buffers;
        let seen = [const { Cell::new(Status::NOTHING) }; 2];
        let [seen_a, seen_b] = &seen;
        let network_a = Network::open(stack_a, buffers_a, 4_000, None);
        let network_b = Network::open(stack_b, buffers_b, 4_000, None);
        let all = join5(
            runner_a.run(),
            runner_b.run(),
            wire(&mut wires),
            Driver::new(a, network_a, &settings_a.seeds).run(|status| seen_a.set(*status)),
            Driver::new(b, network_b, &settings_b.seeds).run(|status| seen_b.set(*status)),
        );
        let end = poll_fn(|_| match done(&seen_a.get(), &seen_b.get()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        run(select(end, all));
    };

    meet(&mut a, &mut b, &|a, b| (a.members, b.members) == (2, 2));
    commit(&mut b, b"three apples");
    meet(&mut a, &mut b, &|a, _| a.usage.sessions == 1);
    let mut value = [0; 12];
    let record = a.read(KEY).unwrap();
    assert!(record.attributes().next().unwrap().copy_value(&mut value));
    assert_eq!(&value, b"three apples");
}

fn commit(node: &mut Node<'_>, value: &[u8]) {
    let changes = &[Change {
        name: b"cart",
        value: Some(value),
    }];
    let commit = Commit {
        changes,
        max_inactive: 1_800,
        ack: Ack::None,
    };
    let ticket = node.commit(now(), KEY, &commit).unwrap();
    node.finish(ticket);
}

fn node<'m>(host: u8, settings: &Settings<'_>, memory: &'m mut Memory, role: Role) -> Node<'m> {
    let name = format!("board-{host}");
    let mut config = settings.config(&name, address(host));
    config.role = role;
    let entropy = Entropy {
        boot: [host; 16],
        seed: [host; 16],
    };
    Node::new(now(), &config, &entropy, Some(&[7; 32]), memory.lend()).unwrap()
}

type Wire<'a> = channel::Runner<'a, MTU>;
type Card<'a> = (Stack<'a>, embassy_net::Runner<'a, channel::Device<'a, MTU>>);

/// A network card with its stack, and its end of the wire.
fn card<'a>(
    host: u8,
    frames: &'a mut Frames,
    resources: &'a mut StackResources<SOCKETS>,
) -> (Card<'a>, Wire<'a>) {
    let hardware = HardwareAddress::Ethernet([2, 0, 0, 0, 0, host]);
    let (wire, device) = channel::new(frames, hardware);
    wire.state_runner().set_link_state(LinkState::Up);
    let config = Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(address(host), 24),
        gateway: None,
        dns_servers: Default::default(),
    });
    (
        embassy_net::new(device, config, resources, host.into()),
        wire,
    )
}

fn address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, host)
}

/// Carries frames both ways.
async fn wire((a, b): &mut (Wire<'_>, Wire<'_>)) {
    let (_, rx_a, tx_a) = a.borrow_split();
    let (_, rx_b, tx_b) = b.borrow_split();
    join(carry(tx_a, rx_b), carry(tx_b, rx_a)).await;
}

async fn carry(mut from: channel::TxRunner<'_, MTU>, mut to: channel::RxRunner<'_, MTU>) {
    loop {
        let frame = from.tx_buf().await;
        let len = frame.len();
        to.rx_buf().await[..len].copy_from_slice(frame);
        to.rx_done(len);
        from.tx_done();
    }
}

/// Polls without pause. Whenever nothing more happens, lets a millisecond pass.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..BOUND {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
        MockDriver::get().advance(Duration::from_millis(1));
    }
    panic!("it didn't happen in {BOUND} ms");
}
