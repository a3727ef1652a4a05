//! A model of the copies of one session: which node has one, which nodes must know of it, and when it may be
//! dropped.
//!
//! The model is small enough to be searched, and follows the same rules as the core ([`Rule`]). With all
//! rules no search finds a broken promise ([`Promise`]). For many rules a run is known in which the break
//! of the rule is noticed ([`cases`], tests/walks.rs). The README says what was run and what isn't modelled.

mod actions;
pub mod cases;
mod ends;
mod ids;
mod life;
mod members;
mod message;
mod promises;
mod questions;
mod receive;
mod rest;
mod rules;
mod scene;
mod search;
mod starts;
mod state;
mod trace;
mod walk;
mod words;

pub use actions::{Action, Duty};
pub use ids::{Attribute, Contents, MAX_NODES, Names, NodeId, PerNode, Set, Stamp};
pub use message::{Body, Copied, Ended, Message};
pub use promises::{Promise, Violation};
pub use rules::{Rule, Rules};
pub use scene::{Played, play};
pub use search::{Search, search};
pub use starts::Start;
pub use state::{
    Budget, Ghosts, Life, Node, Peer, Purpose, Question, Record, Role, Setup, Slot, State, Status,
    Tombstone, Wait,
};
pub use trace::Trace;
pub use walk::{Walks, walk};
