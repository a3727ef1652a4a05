//! Makes the core: at the start of a node, and again when a later start of the node took its name.

use std::net::SocketAddr;

use relevo_core::{Config, ConfigError, Entropy, Instant};
use self_cell::MutBorrow;

use crate::cluster_key::{ClusterKey, Keys};
use crate::core_cell::CoreCell;
use crate::error::OpenError;
use crate::io::clock;
use crate::memory::{self, Memory};
use crate::options::Options;

/// How long the acknowledgement of a packet may be delayed if no call waits for it: long enough for more packets to come, and too
/// short for the peer to treat the packet as lost.
const ACK_DELAY: relevo_core::Duration = relevo_core::Duration::from_millis(5);

/// The data from which a core is made, except its keys.
pub(crate) struct CoreFactory {
    options: Options,
    name: String,
    address: SocketAddr,
}

impl CoreFactory {
    /// `name` and `address` are the actual ones, which `options` may leave open.
    pub(crate) fn new(options: &Options, name: &str, address: SocketAddr) -> Self {
        let options = Options {
            keys: Keys::Given(Vec::new()),
            ..options.clone()
        };
        Self {
            options,
            name: name.to_owned(),
            address,
        }
    }

    /// Makes a core that knows no other node, in memory of its own.
    pub(crate) fn core(&self, now: Instant, keys: &[ClusterKey]) -> Result<CoreCell, OpenError> {
        let options = &self.options;
        let usual = Config::new(&options.cluster, &self.name, self.address);
        let config = Config {
            role: options.role,
            capacity: options.capacity,
            frequency: clock::to_core(options.frequency),
            drop_time: clock::to_core(options.drop_time),
            backups: options.backups,
            datagram: options.datagram,
            fetch_timeout: clock::to_core(options.fetch_timeout),
            ack_timeout: clock::to_core(options.ack_timeout),
            group: clock::to_core(options.group),
            ack_delay: ACK_DELAY,
            beacon: options.multicast.is_some(),
            max_value: memory::max_value(options),
            ..usual
        };
        config.check().map_err(OpenError::Config)?;
        let entropy = new_entropy()?;
        let memory = Memory::of(options, config.max_value)?;
        CoreCell::try_new(MutBorrow::new(memory), |lent| {
            let storage = lent.borrow_mut().lend();
            let keys = keys.iter().map(ClusterKey::bytes);
            relevo_core::Node::new(now, &config, &entropy, keys, storage)
        })
        .map_err(|cause| match cause {
            ConfigError::Pages { least } => OpenError::LittleMemory {
                least: memory::of_pages(least),
            },
            cause => OpenError::Config(cause),
        })
    }

    /// Makes the core that replaces a superseded one. It has the keys of the former core, and starts a handshake with
    /// the members that the former core knew.
    pub(crate) fn successor(
        &self,
        now: Instant,
        former: &mut relevo_core::Node<'_>,
    ) -> Result<CoreCell, OpenError> {
        let mut successor = self.core(now, &[])?;
        successor.with_dependent_mut(|_, core| {
            core.take_keys_of(former);
            for member in former.members() {
                core.contact(now, member.address);
            }
        });
        Ok(successor)
    }
}

fn new_entropy() -> Result<Entropy, OpenError> {
    let mut entropy = Entropy {
        boot: [0; 16],
        seed: [0; 16],
    };
    getrandom::fill(&mut entropy.boot)
        .and_then(|()| getrandom::fill(&mut entropy.seed))
        .map_err(|cause| OpenError::Entropy(cause.into()))?;
    Ok(entropy)
}
