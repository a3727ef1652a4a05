//! Makes the core: at the start of a node, and anew when a later start of it took its name.

use std::net::SocketAddr;

use relevo_core::{Config, ConfigError, Entropy, Instant};
use self_cell::MutBorrow;

use crate::cluster_key::{ClusterKey, Keys};
use crate::core_cell::CoreCell;
use crate::error::OpenError;
use crate::io::clock;
use crate::memory::{self, Memory};
use crate::options::Options;

/// How much later a packet may be acknowledged that nobody waits for: enough for others to come, and too little to be taken for
/// a loss.
const ACK_DELAY: relevo_core::Duration = relevo_core::Duration::from_millis(5);

/// What a core is made of, apart from its keys.
pub(crate) struct CoreFactory {
    options: Options,
    name: String,
    address: SocketAddr,
}

impl CoreFactory {
    /// `name` and `address`: those that were found, if `options` leave them open.
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

    /// A core that knows nobody, in memory of its own.
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

    /// The core that takes the place of a superseded one. It has its keys, and starts a handshake with
    /// the members that it knew.
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
