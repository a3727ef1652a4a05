//! The rules of the protocol, each of which can be broken.

/// Makes [`Rule`] of the table below: its variants, their numbers and their texts.
macro_rules! rules {
    ($($(#[doc = $text:literal])+ $number:literal $name:ident,)+) => {
        /// One rule for copies. The documentation of each states the rule and its reason.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Rule {
            $($(#[doc = $text])+ $name,)+
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The rule's group, R1 to R13, or "M" for membership.
            #[must_use]
            pub const fn number(self) -> &'static str {
                match self {
                    $(Self::$name => $number,)+
                }
            }

            /// The rule and its reason, in words.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($text),+),)+
                }
            }
        }
    };
}

rules! {
    /// Names that a newer header's list lacks are owed to that header's writer (`also`), as contents are.
    /// Without it the names that only the loser of a split knew are lost, and an end doesn't reach them.
    "R1" OweNames,
    /// A list that was passed on is taken as passed on, until the writer's own word comes.
    /// Without it an old list would pass for the primary's own.
    "R1" MarkPassedOn,
    /// A primary answers a holder that has a passed-on list with its own header.
    /// Without it that holder has a passed-on list for good.
    "R1" AnswerPassedOn,
    /// An update makes a record only where its writer itself names the receiver as wanted.
    /// Without it there are copies that no primary knows.
    "R1" CreateOnlyIfWanted,
    /// An answer is taken only while its question is open.
    /// Without it a late answer makes a copy at a node that was struck.
    "R1" AnswerOnlyIfAsked,
    /// A message that isn't newer than the last release that a node obeyed makes no record there.
    /// Without it a late update makes a copy at a node that was struck.
    "R1" NothingOlderThanRelease,
    /// A write of another node is passed on to the primary, and by the primary to its backups.
    /// Without it a late write of a former primary has no backup.
    "R1" PassOnContents,
    /// A primary that hears from a holder names it.
    /// Without it an end doesn't reach that holder.
    "R1" NoteHolders,
    /// A release carries the header itself and is valid if it isn't older than the one held.
    /// A release that needed an earlier confirmation would never reach a holder with an older header.
    "R2" ReleaseCarriesHeader,
    /// A node without a record answers a release with `Dropped`.
    /// Without it a name can't be struck from a node that has nothing.
    "R2" DroppedWithoutRecord,
    /// The primary releases only when all that shall keep a copy have confirmed this header and these contents.
    /// Without it the last copy of a commit may be dropped.
    "R2" ReleaseWhenConfirmed,
    /// A holder that owes anything, contents or names, or has what the release's digest lacks, isn't released.
    /// Without it knowledge that only this holder has is lost.
    "R2" KeepWhatIsOwed,
    /// A node that has asked for the session neither obeys a release nor answers it before its question is closed.
    /// Without it the primary strikes a node that is about to take over.
    "R2" NoReleaseWhileAsking,
    /// A primary doesn't release a node to which it hands the record over.
    /// Without it the question's answer and the release follow each other for as long as the question is open.
    "R2" NoReleaseWhileHandingOver,
    /// A node remembers which primary released it, and says so to everybody that speaks of the session.
    /// Without it a node with an old list takes "I have nothing" for "nobody got a copy from me".
    "R2" RememberReleaser,
    /// A name is struck only for `Dropped` with the present stamp.
    /// An older `Dropped` says nothing about a copy that was made since.
    "R3" StrikeByPresentStamp,
    /// `Dropped` counts only if it answers a release that was sent since the primary last heard that the node
    /// has a copy or asks for one. Names are noted without a new header, so the stamp alone doesn't tell.
    "R3" DroppedAnswersRelease,
    /// A node says `Dropped` only if it has no record.
    /// Without it the primary strikes a node that keeps its copy.
    "R3" DroppedMeansGone,
    /// A header is marked "not all named" when a named boot was replaced or left.
    /// That boot may have given copies to others, and nobody knows to whom.
    "R4" MarkNotAllNamed,
    /// A name in a list stands for one boot of that node, not for whatever runs under the name.
    /// Without it a list that is taken after its member was replaced hides that the named boot is gone.
    "R4" ListNamesBoots,
    /// A wanted member that was replaced is owed everything again.
    /// Without it the new boot never gets its copy.
    "R4" OweNewBootAgain,
    /// An acknowledgement clears what is owed only if it answers the present header.
    /// Without it the former primary never hears of a takeover.
    "R5" AckNamesHeader,
    /// A node answers an older header with its own and doesn't acknowledge it.
    /// An acknowledgement from a node that goes on with a newer header would be taken for obedience.
    "R5" NoAckOfOlder,
    /// A holder owes names until the primary says that it has seen them.
    /// Without it names are lost with the packet that carried them.
    "R5" AckConfirmsNames,
    /// `Unknown` never deletes.
    /// Without it the only copy is lost when its primary has restarted.
    "R6" UnknownKeeps,
    /// A primary that is told `Unknown` by a wanted member owes it everything again.
    /// Without it that member never gets a copy.
    "R6" UnknownOwesAgain,
    /// A holder whose primary, or the first live holder, has nothing adopts the session: it becomes its guard.
    /// Without it that holder waits for ever.
    "R6" Adopt,
    /// A holder that adopts a session asks all live members first, and follows a newer header.
    /// Without it the guard outranks, for a while, a primary that it doesn't know.
    "R6" AdoptAsksFirst,
    /// If two adopt at once, the one with the smaller number waits for the other.
    /// Without it both guard.
    "R6" AdoptersWait,
    /// Every holder that isn't the primary announces its header, wanted or not.
    /// Without it a wanted holder that its primary doesn't know never reports itself.
    "R6" EveryHolderAnnounces,
    /// A primary compares with its backups from time to time: one that has nothing is owed everything again.
    /// Another primary, which has crashed since, may have released a backup.
    "R6" PrimaryCompares,
    /// A guard adds one to the epoch.
    /// Without it third nodes refuse its header, and nobody is primary.
    "R7" GuardRaisesEpoch,
    /// A primary that served all the time refutes a guard's header by a greater epoch.
    /// Without it the guard outranks a living primary.
    "R7" RefuteGuard,
    /// A primary in doubt refutes too.
    /// Its doubt began when it met the guard again, just before the guard's header came.
    "R7" RefuteInDoubt,
    /// A primary that hands the record over doesn't refute.
    /// The guard may follow from the node that has taken over.
    "R7" HandingOverDoesNotRefute,
    /// A primary that refutes a guard takes the names that the guard knows.
    /// Without it copies that the guard made aren't named.
    "R7" RefuteTakesNames,
    /// A primary that meets a member again, or a new boot that has records, asks before it serves again.
    /// The other side may have taken the session over.
    "R7" DoubtAfterSplit,
    /// A node that is asked for the session notes the asker as a holder.
    /// Without it an end doesn't reach an asker that crashed before it told of its takeover.
    "R8" NoteAsker,
    /// A holder that answers a question owes the asker's name to the primary even if its list has it.
    /// The list may be old: the primary strikes names without a new header.
    "R8" OweAsker,
    /// A tombstone names all that the list and `also` named, and what other tombstones named.
    /// Without it an end doesn't reach holders that only one side of a split knew.
    "R8" TombstoneNamesAll,
    /// The end of a session that isn't all named is owed to all members.
    /// Without it a copy that a vanished boot had given away lives.
    "R8" EndNotAllNamedToAll,
    /// An end becomes owed to all members when a named member left, or came back in another boot, unconfirmed.
    /// Its former boot may have given copies to others.
    "R9" NewBootWidensEnd,
    /// When that happens, earlier confirmations of others don't count any more.
    /// They may have restarted, and got a copy from the boot that is gone before it went.
    "R9" GoneVoidsConfirmations,
    /// A member that has another boot must confirm again.
    /// It may have got a copy since its former boot confirmed.
    "R9" ConfirmInPresentBoot,
    /// A report of another node about a member's confirmation counts only if this node doesn't name that member itself.
    /// They may speak of a former boot.
    "R10" OwnConfirmationCounts,
    /// An end is confirmed only if its sender names all that the receiver knows.
    /// Without it the sender's tombstone goes before all have heard of it.
    "R10" ConfirmIfAllNamed,
    /// A tombstone stays for as long as any packet about the session can still arrive.
    /// Without it a late update makes a new record.
    "R11" Grace,
    /// A tombstone names every node that sends a message about the session, as one that hasn't confirmed.
    /// Without it the tombstone goes before that node has confirmed.
    "R12" TombstoneNamesSenders,
    /// A commit's wait counts an acknowledgement only if its contents have the commit.
    /// Without it any packet's acknowledgement counts.
    "R13" WaitNeedsStamp,
    /// If two fetch at once, the one with the smaller number waits for the other.
    /// Without it both are primaries until they meet.
    "R13" FetchersWait,
    /// A newcomer is told of dead members too.
    /// Without it an end that is owed to all members misses those that the ender never met.
    "M" TellOfTheDead,
}

impl Rule {
    /// The rule with this name, in any case of letters.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let same = |rule: &&Self| format!("{rule:?}").eq_ignore_ascii_case(name);
        Self::ALL.iter().find(same).copied()
    }
}

/// The set of rules that are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rules {
    broken: u64,
}

impl Rules {
    /// All rules.
    pub const ALL: Self = Self { broken: 0 };

    /// These rules without one.
    #[must_use]
    pub const fn without(self, rule: Rule) -> Self {
        Self {
            broken: self.broken | 1 << rule as u64,
        }
    }

    /// Whether `rule` is kept.
    #[must_use]
    pub const fn keep(self, rule: Rule) -> bool {
        self.broken >> rule as u64 & 1 == 0
    }
}
