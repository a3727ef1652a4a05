//! The result of a call, as a number and as a sentence.

use std::ffi::{CStr, c_char};

/// The result of a call. Numbers are never reused; zeroed memory is not a result.
///
/// The numbers 7000 to 7099 are about the call itself, 7100 to 7199 about settings, 7200 to 7299 about opening a
/// node, 7300 to 7399 about sessions, and 7400 to 7499 about members and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Code {
    /// It was done.
    Ok = 7000,
    /// A pointer that is required was NULL. Nothing was done.
    NullPointer = 7001,
    /// A bug in Relevo. The call may have been done in part; other calls go on working.
    Panic = 7002,
    /// The pointer isn't an open node: the node was closed, has left or stopped, or never existed.
    Closed = 7003,
    /// A number, an index or an enumerator is outside the range that the function takes. Nothing was done.
    OutOfRange = 7004,
    /// A text isn't UTF-8. Nothing was done.
    NotUtf8 = 7005,
    /// The operation was started. Its outcome comes as a completion.
    Pending = 7006,
    // 7007 to 7099 are reserved for calls.
    /// A setting can't be used; the text of the error names it and the values that are allowed.
    BadSetting = 7100,
    /// An address isn't written as `127.0.0.1:4000` or `[::1]:4000`.
    BadAddress = 7101,
    /// The cluster key doesn't have 32 bytes.
    BadKey = 7102,
    /// The file of the cluster key can't be read.
    KeyFile = 7103,
    // 7104 to 7199 are reserved for settings.
    /// Another program has the port.
    AddressInUse = 7200,
    /// An address other than loopback needs a key, or the explicit choice to do without.
    KeyNeeded = 7201,
    /// The system refused a socket, a thread or memory.
    System = 7202,
    // 7203 to 7299 are reserved for opening a node.
    /// There is no such session or attribute.
    NotFound = 7300,
    /// It was done here, but fewer nodes than asked for have confirmed it in time. It goes on in
    /// the background; `copies` says how many have confirmed.
    NotConfirmed = 7301,
    /// Fewer live nodes than the commit demands could hold a copy. Nothing was written.
    TooFewNodes = 7302,
    /// The application, the id, an attribute's name, its value, the session or a message is too long, or an id or a
    /// name is empty. Nothing was written.
    BadLength = 7303,
    /// This node's memory is full. Nothing was written.
    Full = 7304,
    /// The session was invalidated and can't come back. Nothing was written.
    Ended = 7305,
    /// The session isn't as the caller has seen it, or another node owns it. Nothing was written.
    Changed = 7306,
    // 7307 to 7399 are reserved for sessions.
    /// No event within the time given.
    NoEvent = 7400,
    /// No such member is reachable. Nothing was sent.
    NoMember = 7401,
    // 7402 to 7499 are reserved for members and events.
}

/// The general meaning of `result`, such as "the port is taken by another program". It is never NULL, and must not be
/// freed. relevo_last_error has the particulars.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_result_message(result: u32) -> *const c_char {
    message(result).as_ptr()
}

fn message(result: u32) -> &'static CStr {
    // A number, not a `Code`: C may hand in any value, and an enum of Rust must not hold it.
    let known = MESSAGES.iter().find(|(code, _)| *code as u32 == result);
    known.map_or(c"not a result of Relevo", |(_, text)| text)
}

const MESSAGES: [(Code, &CStr); 23] = [
    (Code::Ok, c"done"),
    (Code::NullPointer, c"a required pointer is NULL"),
    (Code::Panic, c"a bug in Relevo"),
    (Code::Closed, c"the node is closed"),
    (Code::OutOfRange, c"a number is out of range"),
    (Code::NotUtf8, c"a text is not UTF-8"),
    (Code::Pending, c"started, and not decided yet"),
    (Code::BadSetting, c"a setting can't be used"),
    (Code::BadAddress, c"not an address with a port"),
    (Code::BadKey, c"the cluster key needs 32 bytes"),
    (Code::KeyFile, c"the file of the cluster key can't be read"),
    (Code::AddressInUse, c"another program has the port"),
    (Code::KeyNeeded, c"a cluster key is needed"),
    (Code::System, c"the system refused a resource"),
    (Code::NotFound, c"no such session or attribute"),
    (
        Code::NotConfirmed,
        c"done here, but not confirmed by enough nodes in time",
    ),
    (Code::TooFewNodes, c"too few live nodes"),
    (
        Code::BadLength,
        c"a key, a name, a value or a session has a length that can't be kept",
    ),
    (Code::Full, c"the node's memory is full"),
    (Code::Ended, c"the session has ended"),
    (
        Code::Changed,
        c"the session was changed, or another node owns it",
    ),
    (Code::NoEvent, c"no event in time"),
    (Code::NoMember, c"no such member is reachable"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_message_and_the_order_of_the_numbers() {
        let numbers: Vec<u32> = MESSAGES.iter().map(|(code, _)| *code as u32).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b));
        let declared = include_str!("result.rs")
            .lines()
            .filter(|line| is_code(line))
            .count();
        assert_eq!(declared, numbers.len());
    }

    #[test]
    fn a_number_that_is_no_code_has_a_message_too() {
        assert_eq!(message(0), c"not a result of Relevo");
        assert_eq!(message(u32::MAX), c"not a result of Relevo");
    }

    /// Whether a line of this file is `    Name = 7123,`.
    fn is_code(line: &str) -> bool {
        let number = line
            .split_once(" = 7")
            .and_then(|(_, rest)| rest.strip_suffix(','));
        number.is_some_and(|digits| digits.len() == 3 && digits.parse::<u32>().is_ok())
    }
}
