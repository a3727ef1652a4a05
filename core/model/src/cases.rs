//! For each rule, the evidence that it is needed: a run in which breaking it is noticed, or the reason why there is
//! none.

use crate::rules::{Rule, Rules};
use crate::scene::{PLENTY, Played, play};
use crate::starts::Start;
use crate::state::{Budget, Setup};

/// How breaking a rule is noticed.
#[derive(Clone, Copy, Debug)]
pub enum Case {
    /// By a random walk.
    Walk {
        /// How many nodes there are.
        nodes: u8,
        /// How many backups a session has.
        backups: u8,
        /// Where it begins.
        start: Start,
        /// The actions that may happen.
        budget: Budget,
        /// Its seed.
        seed: u64,
    },
    /// By a run that is written down.
    Scene {
        /// How many nodes there are.
        nodes: u8,
        /// Where it begins.
        start: Start,
        /// Its actions, in the words of a trace.
        lines: &'static [&'static str],
    },
    /// The break isn't noticed. The text says why the rule stays.
    NotShown(&'static str),
}

fn setup(nodes: u8, backups: u8, rules: Rules) -> Setup {
    Setup {
        nodes,
        backups,
        room: 3,
        rules,
    }
}

/// Plays the scene of a rule with these rules.
#[must_use]
pub fn played(rule: Rule, rules: Rules) -> Option<Played> {
    let Case::Scene {
        nodes,
        start,
        lines,
    } = Case::of(rule)
    else {
        return None;
    };
    Some(play(&start.state(setup(nodes, 1, rules), PLENTY), lines))
}

impl Case {
    /// How breaking `rule` is noticed.
    #[must_use]
    pub fn of(rule: Rule) -> Self {
        const fn scene(nodes: u8, start: Start, lines: &'static [&'static str]) -> Case {
            Case::Scene {
                nodes,
                start,
                lines,
            }
        }
        match rule {
            Rule::AnswerOnlyIfAsked => scene(3, Start::Fresh, ANSWER_ONLY_IF_ASKED),
            Rule::NothingOlderThanRelease => scene(3, Start::BackupDown, NOTHING_OLDER),
            Rule::KeepWhatIsOwed => scene(4, Start::LeftOver, KEEP_WHAT_IS_OWED),
            Rule::NoReleaseWhileAsking => scene(3, Start::Fresh, NO_RELEASE_WHILE_ASKING),
            Rule::StrikeByPresentStamp => scene(3, Start::LeftOver, STRIKE_BY_PRESENT_STAMP),
            Rule::DroppedAnswersRelease => scene(3, Start::LeftOver, DROPPED_ANSWERS_RELEASE),
            Rule::DroppedMeansGone => scene(3, Start::LeftOver, DROPPED_MEANS_GONE),
            Rule::ListNamesBoots => scene(4, Start::Fresh, LIST_NAMES_BOOTS),
            Rule::OweAsker => scene(3, Start::LeftOver, OWE_ASKER),
            Rule::TellOfTheDead => scene(3, Start::Fresh, TELL_OF_THE_DEAD),
            Rule::MarkPassedOn => scene(4, Start::LeftOver, MARK_PASSED_ON),
            _ => Self::NotShown("todo"),
        }
    }
}

/// A late answer makes a copy at a node that was struck.
const ANSWER_ONLY_IF_ASKED: &[&str] = &[
    "n2: a request comes",
    "n2 asks n0",
    "arrives: n2 -> n0: Fetch",
    "n2: the bound of its question passes",
    "n0 doesn't wait any more for n2",
    "n0 releases n2",
    "arrives: n0 -> n2: Release",
    "arrives: n2 -> n0: Dropped",
    "arrives: n0 -> n2: Answer",
    "n0: a request comes",
    "n0: the bound of its question passes",
    "the network is split: {n2}",
    "n0: the application ends the session",
    "the end spreads among n0 n1",
];

/// An update from before the release makes a copy.
const NOTHING_OLDER: &[&str] = &[
    "n0: commit of attribute A",
    "n0 sends n2 what it owes",
    "n1 starts again",
    "n0 learns how n1 is",
    "n1 learns how n0 is",
    "n0 writes a new replica set",
    "n0 sends n1 what it owes",
    "arrives: n0 -> n1: Update",
    "arrives: n1 -> n0: Ack",
    "n0 releases n2",
    "arrives: n0 -> n2: Release",
    "arrives: n2 -> n0: Dropped",
    "the network is split: {n2}",
    "n0 learns how n2 is",
    "the network is whole again",
    "n0 learns how n2 is",
    "n0: a request comes",
    "n0: the bound of its question passes",
    "n0 sends n1 what it owes",
    "arrives: n0 -> n1: Update",
    "arrives: n0 -> n2: Update",
    "the network is split: {n2}",
    "n0: the application ends the session",
    "the end spreads among n0 n1",
];

/// Only n2 knows that n3 has a copy, and this knowledge is lost with the copy of n2.
const KEEP_WHAT_IS_OWED: &[&str] = &[
    "n3: a request comes",
    "n3 asks n2",
    "arrives: n3 -> n2: Fetch",
    "arrives: n2 -> n3: Answer",
    "the network is split: {n3}",
    "n0 releases n2",
    "arrives: n0 -> n2: Release",
    "arrives: n2 -> n0: Dropped",
    "n0: the application ends the session",
    "the end spreads among n0 n1 n2",
];

/// n2 says that it has nothing while an answer for it is under way.
const NO_RELEASE_WHILE_ASKING: &[&str] = &[
    "n2: a request comes",
    "n2 asks n0",
    "arrives: n2 -> n0: Fetch",
    "n0 doesn't wait any more for n2",
    "n0 releases n2",
    "arrives: n0 -> n2: Release",
    "arrives: n0 -> n2: Answer",
    "arrives: n2 -> n0: Dropped",
    "n0: a request comes",
    "n0: the bound of its question passes",
    "the network is split: {n2}",
    "n0: the application ends the session",
    "the end spreads among n0 n1",
];

/// A `Dropped` arrives late, and n2 has got another copy since.
const STRIKE_BY_PRESENT_STAMP: &[&str] = &[
    "n0 releases n2",
    "arrives: n0 -> n2: Release",
    "the network is split: {n1}",
    "n0 learns how n1 is",
    "n0 writes a new replica set",
    "n0 sends n2 what it owes",
    "arrives: n0 -> n2: Update",
    "the network is whole again",
    "n0 learns how n1 is",
    "n0 writes a new replica set",
    "arrives: n2 -> n0: Dropped",
    "n0: a request comes",
    "n0: the bound of its question passes",
    "n0 sends n1 what it owes",
    "arrives: n0 -> n1: Update",
    "the network is split: {n2}",
    "n0: the application ends the session",
    "the end spreads among n0 n1",
];

/// A `Dropped` arrives late, and n2 has asked for the session since.
const DROPPED_ANSWERS_RELEASE: &[&str] = &[
    "n0 releases n2",
    "arrives: n0 -> n2: Release",
    "n2: a request comes",
    "n2 asks n0",
    "arrives: n2 -> n0: Fetch",
    "arrives: n0 -> n2: Answer",
    "arrives: n2 -> n0: Dropped",
    "n0: a request comes",
    "n0: the bound of its question passes",
    "n0 sends n1 what it owes",
    "arrives: n0 -> n1: Update",
    "the network is split: {n2}",
    "n0: the application ends the session",
    "the end spreads among n0 n1",
];

/// n2 is struck although it can't obey yet.
const DROPPED_MEANS_GONE: &[&str] = &[
    "n2: a request comes",
    "n0 releases n2",
    "arrives: n0 -> n2: Release",
    "arrives: n2 -> n0: Dropped",
    "the network is split: {n2}",
    "n0 learns how n2 is",
    "the network is whole again",
    "n0 learns how n2 is",
    "n0: a request comes",
    "n0: the bound of its question passes",
    "n0 sends n1 what it owes",
    "arrives: n0 -> n1: Update",
    "the network is split: {n2}",
    "n0: the application ends the session",
    "the end spreads among n0 n1",
];

/// When n1 takes the list in which n0 named the former boot of n2, it already knows the next boot of n2. The
/// former boot had given a copy to n3.
const LIST_NAMES_BOOTS: &[&str] = &[
    "n2: a request comes",
    "n2 asks n0",
    "arrives: n2 -> n0: Fetch",
    "arrives: n0 -> n2: Answer",
    "the network is split: {n0 n1}",
    "n2 learns how n0 is",
    "n2 learns how n1 is",
    "n2: the bound of its question passes",
    "n2 sends n3 what it owes",
    "arrives: n2 -> n3: Update",
    "n2 crashes",
    "n2 starts again",
    "the network is whole again",
    "n1 learns how n2 is",
    "n2 learns how n1 is",
    "n1: a request comes",
    "n1 asks n0",
    "arrives: n1 -> n0: Fetch",
    "arrives: n0 -> n1: Answer",
    "n1: the bound of its question passes",
    "n1 sends n2 what it owes",
    "arrives: n1 -> n2: Update",
    "arrives: n2 -> n1: Ack",
    "n1 releases n0",
    "arrives: n1 -> n0: Release",
    "arrives: n0 -> n1: Dropped",
    "n1: the application ends the session",
    "the network is split: {n3}",
    "the end spreads among n0 n1 n2",
];

/// n1 answers n2, which is in its old list, but which n0 has struck. The next list of n0 doesn't name n2.
const OWE_ASKER: &[&str] = &[
    "n0 releases n2",
    "arrives: n0 -> n2: Release",
    "arrives: n2 -> n0: Dropped",
    "n2: a request comes",
    "n2 asks n1",
    "arrives: n2 -> n1: Fetch",
    "arrives: n1 -> n2: Answer",
    "the network is split: {n2}",
    "n0 learns how n2 is",
    "the network is whole again",
    "n0 learns how n2 is",
    "the network is split: {n2}",
    "n0: a request comes",
    "n0: the bound of its question passes",
    "n0 sends n1 what it owes",
    "arrives: n0 -> n1: Update",
    "n0: the application ends the session",
    "the end spreads among n0 n1",
];

/// n1 gives n2 a copy, restarts while n2 is away, gets the session, and doesn't know of n2.
const TELL_OF_THE_DEAD: &[&str] = &[
    "n1: a request comes",
    "n1: the bound of its question passes",
    "n1 sends n2 what it owes",
    "arrives: n1 -> n2: Update",
    "the network is split: {n2}",
    "n1 crashes",
    "n1 starts again",
    "n0 learns how n2 is",
    "n0 learns how n1 is",
    "n1 learns how n0 is",
    "n0 is told to leave",
    "n0 sends n1 what it owes",
    "arrives: n0 -> n1: Update",
    "arrives: n1 -> n0: Ack",
    "n0 has left",
    "n1 learns how n0 is",
    "n1: a request comes",
    "n1: the application ends the session",
    "the end spreads among n1",
];

/// n0 knows that n2 has a copy. The list that n1 passes on names n2 too, but n3 has struck n2 from it.
const MARK_PASSED_ON: &[&str] = &[
    "n3: a request comes",
    "n3 asks n1",
    "arrives: n3 -> n1: Fetch",
    "arrives: n1 -> n3: Answer",
    "n3: the bound of its question passes",
    "n3 sends n1 what it owes",
    "arrives: n3 -> n1: Update",
    "arrives: n1 -> n3: Ack",
    "n3 releases n2",
    "arrives: n3 -> n2: Release",
    "arrives: n2 -> n3: Dropped",
    "n2: a request comes",
    "n2 asks n0",
    "arrives: n2 -> n0: Fetch",
    "arrives: n0 -> n2: Answer",
    "n0: a request comes",
    "n0 asks n1",
    "arrives: n0 -> n1: Fetch",
    "arrives: n1 -> n0: Answer",
    "the network is split: {n2}",
    "n3 learns how n2 is",
    "the network is whole again",
    "n3 learns how n2 is",
    "the network is split: {n2}",
    "n3: a request comes",
    "n3: the bound of its question passes",
    "n3 sends n1 what it owes",
    "arrives: n3 -> n1: Update",
    "arrives: n1 -> n3: Ack",
    "n3 sends n0 what it owes",
    "arrives: n3 -> n0: Header",
    "n3: the application ends the session",
    "the end spreads among n0 n1 n3",
];
