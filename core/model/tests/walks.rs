//! Random walks through the model: with all rules no promise is broken, and breaking a rule is noticed.

#![expect(clippy::expect_used, reason = "a test says what must be by panicking")]

use std::process::Command;

/// Runs the model's command. Returns what it printed, and whether a promise was broken.
fn walks(arguments: &[&str]) -> (String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_relevo-model"))
        .arg("walks")
        .args(arguments)
        .output()
        .expect("the command was built");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (text, output.status.code() == Some(1))
}

/// Rules whose break is noticed by walks. Each line has the number of nodes and of backups, the start and the seed.
const NOTICED: &[(&str, &str, &str, &str, &str)] = &[
    ("OweNames", "3", "1", "fresh", "7"),
    ("PassOnContents", "3", "1", "fresh", "92"),
    ("NoteHolders", "3", "1", "fresh", "1523"),
    ("ReleaseCarriesHeader", "3", "1", "fresh", "3"),
    ("DroppedWithoutRecord", "3", "1", "fresh", "0"),
    ("ReleaseWhenConfirmed", "3", "1", "fresh", "632"),
    ("KeepWhatIsOwed", "4", "1", "fresh", "958"),
    ("RememberReleaser", "4", "1", "fresh", "1380"),
    ("MarkNotAllNamed", "3", "1", "fresh", "29"),
    ("AckConfirmsNames", "3", "1", "fresh", "114"),
    ("Adopt", "3", "1", "fresh", "845"),
    ("EveryHolderAnnounces", "3", "1", "backupdown", "1480"),
    ("GuardRaisesEpoch", "3", "1", "fresh", "1401"),
    ("RefuteGuard", "3", "1", "fresh", "10"),
    ("RefuteInDoubt", "3", "1", "fresh", "10"),
    ("HandingOverDoesNotRefute", "3", "1", "fresh", "749"),
    ("DoubtAfterSplit", "3", "1", "fresh", "1047"),
    ("NoteAsker", "3", "1", "fresh", "7"),
    ("TombstoneNamesAll", "3", "1", "fresh", "7"),
    ("EndNotAllNamedToAll", "3", "1", "fresh", "29"),
    ("NewBootWidensEnd", "3", "1", "fresh", "920"),
    ("Grace", "3", "1", "fresh", "55"),
    ("WaitNeedsStamp", "3", "1", "fresh", "17"),
    ("FetchersWait", "3", "1", "fresh", "344"),
];

#[test]
fn with_all_rules_no_promise_is_broken() {
    for (nodes, backups) in [("3", "1"), ("4", "1"), ("4", "2")] {
        let arguments = ["--nodes", nodes, "--backups", backups, "--seeds", "2000"];
        let (text, is_broken) = walks(&arguments);
        assert!(!is_broken, "{text}");
        assert!(text.contains("no broken promise"), "{text}");
    }
}

#[test]
fn breaking_a_rule_is_noticed_at_its_known_seed() {
    for (rule, nodes, backups, start, seed) in NOTICED {
        let (text, is_broken) = walks(&[
            "--nodes",
            nodes,
            "--backups",
            backups,
            "--start",
            start,
            "--first",
            seed,
            "--seeds",
            "1",
            "--without",
            rule,
        ]);
        assert!(is_broken, "{rule}: {text}");
    }
}
