//! The membership of the cluster: SWIM with the Lifeguard extensions.
//!
//! Das, Gupta, Motivala: SWIM (DSN 2002); Dadgar, Phillips, Currey: Lifeguard (arXiv 1707.00788). [`member`] is the
//! table, whose states are drawn at [`MemberState`](crate::MemberState). [`probe`] finds members that don't answer,
//! [`suspect`] judges them, and [`health`] says how reliable that judgement is. [`gossip`] tells the others, and
//! [`exchange`] finds what a table lacks. By a [`handshake`] a boot proves that it is live and holds the key;
//! [`discovery`] starts handshakes with members of which others told. [`leave`] says good-bye, and [`supersede`]
//! gives a name up. [`member_index`] finds members, and [`rendezvous`] chooses some. [`prober`] keeps the timers, and
//! [`pending`] the handshakes that wait to be sent.

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
