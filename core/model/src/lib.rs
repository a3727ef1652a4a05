//! A model of the life of one session's copies: which node has one, who must know of it, when it may go.
//!
//! Small enough to be searched, it keeps to the rules that the core follows ([`Rule`]): with all of
//! them no search finds a broken promise ([`Promise`]), and for many rules a run is known in which
//! breaking it is noticed ([`cases`], tests/walks.rs). The README says what was run and what isn't modelled.

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
