//! Who is in the cluster: SWIM with the Lifeguard extensions.
//!
//! Das, Gupta, Motivala: SWIM (DSN 2002); Dadgar, Phillips, Currey: Lifeguard
//! (arXiv 1707.00788). [`member`] draws the states, [`probe`] finds who doesn't answer, [`gossip`]
//! tells the others, [`introduce`] lets boots prove that they are live and hold the key,
//! [`leave`] says good-bye.

pub(crate) mod gossip;
pub(crate) mod introduce;
pub(crate) mod leave;
pub(crate) mod member;
pub(crate) mod probe;
