//! Who is in the cluster: SWIM with the Lifeguard extensions.
//!
//! Das, Gupta, Motivala: SWIM (DSN 2002); Dadgar, Phillips, Currey: Lifeguard
//! (arXiv 1707.00788). [`member`] is the table, whose states [`MemberState`](crate::MemberState) draws, [`probe`] finds
//! who doesn't answer, [`suspect`] judges, [`health`] says how much that judgement is worth, [`gossip`] tells the
//! others, [`exchange`] finds what a table lacks, [`handshake`] lets boots prove that they are live
//! and hold the key, [`discovery`] starts handshakes with those that others told of, [`leave`] says good-bye,
//! [`supersede`] gives a name up. [`member_index`] finds members, [`rendezvous`] draws some. [`prober`] says
//! when what is due, [`pending`] which handshakes wait to be sent.

pub(crate) mod discovery;
pub(crate) mod exchange;
pub(crate) mod gossip;
pub(crate) mod handshake;
pub(crate) mod health;
pub(crate) mod leave;
pub(crate) mod member;
pub(crate) mod member_index;
pub(crate) mod pending;
pub(crate) mod probe;
pub(crate) mod prober;
mod rendezvous;
pub(crate) mod supersede;
pub(crate) mod suspect;
