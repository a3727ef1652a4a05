//! Calls the C ABI as C does: with NULL, with handles that are invalid or closed, and with any numbers and bytes. Each pointer
//! points to as many bytes as its length says, as the header demands.

#![no_main]

use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use relevo as _;
use relevo_fuzz::Tape;

#[repr(C)]
#[derive(Clone, Copy)]
struct Bytes {
    data: *const c_void,
    len: usize,
}

#[repr(C)]
struct Key {
    application: Bytes,
    id: Bytes,
}

#[repr(C)]
struct Change {
    kind: u32,
    name: Bytes,
    value: Bytes,
}

type Pointer = *mut c_void;
type Text = *const c_char;

unsafe extern "C" {
    fn relevo_config_new() -> Pointer;
    fn relevo_config_free(config: Pointer);
    fn relevo_config_set_cluster(config: Pointer, cluster: Text) -> u32;
    fn relevo_config_set_name(config: Pointer, name: Text) -> u32;
    fn relevo_config_set_address(config: Pointer, address: Text, auto_bind: u16) -> u32;
    fn relevo_config_add_seed(config: Pointer, seed: Text) -> u32;
    fn relevo_config_set_multicast(config: Pointer, group: Text, bind: Text, ttl: u8) -> u32;
    fn relevo_config_set_keys(config: Pointer, keys: *const Bytes, count: usize) -> u32;
    fn relevo_config_set_insecure(config: Pointer, insecure: u32) -> u32;
    fn relevo_config_set_role(config: Pointer, role: u32) -> u32;
    fn relevo_config_set_backups(config: Pointer, backups: u8) -> u32;
    fn relevo_config_set_capacity(config: Pointer, capacity: u8) -> u32;
    fn relevo_config_set_detection(config: Pointer, frequency: u32, drop_time: u32) -> u32;
    fn relevo_config_set_timeouts(config: Pointer, fetch: u32, ack: u32) -> u32;
    fn relevo_config_set_memory(config: Pointer, bytes: usize, sessions: usize) -> u32;
    fn relevo_config_set_datagram(config: Pointer, bytes: u32) -> u32;
    fn relevo_node_open(config: Pointer, node: *mut Pointer) -> u32;
    fn relevo_node_leave(node: Pointer, timeout: u32) -> u32;
    fn relevo_node_close(node: Pointer) -> u32;
    fn relevo_node_commit(
        node: Pointer,
        key: *const Key,
        changes: *const Change,
        count: usize,
        max_inactive: u32,
        ack: u32,
        copies: *mut u32,
    ) -> u32;
    fn relevo_node_get(node: Pointer, key: *const Key, session: *mut Pointer) -> u32;
    fn relevo_node_fetch(node: Pointer, key: *const Key, hint: Text, session: *mut Pointer) -> u32;
    fn relevo_node_owns(node: Pointer, key: *const Key) -> bool;
    fn relevo_node_invalidate(node: Pointer, key: *const Key, copies: *mut u32) -> u32;
    fn relevo_node_rename(node: Pointer, key: *const Key, id: Bytes, copies: *mut u32) -> u32;
    fn relevo_node_touch(node: Pointer, key: *const Key) -> u32;
    fn relevo_node_members(node: Pointer, members: *mut Pointer) -> u32;
    fn relevo_node_status(node: Pointer, status: *mut Pointer) -> u32;
    fn relevo_node_next_event(node: Pointer, timeout: u32, event: *mut Pointer) -> u32;
    fn relevo_session_free(session: Pointer);
    fn relevo_session_count(session: Pointer) -> usize;
    fn relevo_session_attribute(
        session: Pointer,
        index: usize,
        name: *mut Bytes,
        value: *mut Bytes,
    ) -> u32;
    fn relevo_session_find(session: Pointer, name: Bytes, value: *mut Bytes) -> u32;
    fn relevo_session_max_inactive(session: Pointer) -> u32;
    fn relevo_session_idle_ms(session: Pointer) -> u64;
    fn relevo_members_free(members: Pointer);
    fn relevo_members_count(members: Pointer) -> usize;
    fn relevo_members_name(members: Pointer, index: usize) -> Text;
    fn relevo_members_state(members: Pointer, index: usize) -> u32;
    fn relevo_members_is_self(members: Pointer, index: usize) -> bool;
    fn relevo_status_free(status: Pointer);
    fn relevo_status_name(status: Pointer) -> Text;
    fn relevo_status_sessions(status: Pointer) -> u32;
    fn relevo_event_free(event: Pointer);
    fn relevo_result_message(result: u32) -> Text;
    fn relevo_last_error() -> Text;
}

const OK: u32 = 7_000;
const PANIC: u32 = 7_002;

/// One node that stays open, and one that was closed.
static NODES: LazyLock<[usize; 2]> = LazyLock::new(|| [open(), closed()]);

fn open() -> usize {
    // SAFETY: as the header says.
    unsafe {
        let config = relevo_config_new();
        relevo_config_set_address(config, c"127.0.0.1:0".as_ptr(), 0);
        relevo_config_set_multicast(config, ptr::null(), ptr::null(), 0);
        relevo_config_set_memory(config, 1 << 16, 16);
        let mut node = ptr::null_mut();
        assert_eq!(relevo_node_open(config, &raw mut node), OK);
        relevo_config_free(config);
        node as usize
    }
}

fn closed() -> usize {
    let node = open();
    // SAFETY: any number is a handle, and this one is open.
    assert_eq!(unsafe { relevo_node_close(node as Pointer) }, OK);
    node
}

fn handle(tape: &mut Tape<'_>) -> Pointer {
    let node = match tape.byte() {
        0 => 0,
        1 => NODES[1],
        2 => usize::from(tape.word()) << 32,
        _ => NODES[0],
    };
    node as Pointer
}

/// Some bytes, no bytes, or NULL with a length.
fn bytes(tape: &mut Tape<'_>) -> Bytes {
    let len = match tape.byte() {
        255 => {
            return Bytes {
                data: ptr::null(),
                len: usize::from(tape.word()),
            };
        }
        254 => usize::from(tape.word()),
        short => usize::from(short),
    };
    let bytes = tape.slice(len);
    Bytes {
        data: bytes.as_ptr().cast(),
        len: bytes.len(),
    }
}

/// A text that ends with a NUL byte, or a NULL pointer.
fn text(tape: &mut Tape<'_>, kept: &mut Vec<Vec<u8>>) -> Text {
    let len = tape.byte();
    if len == 255 {
        return ptr::null();
    }
    let mut text = tape.slice(usize::from(len)).to_vec();
    text.push(0);
    kept.push(text);
    kept.last().map_or(ptr::null(), |text| text.as_ptr().cast())
}

fn number(tape: &mut Tape<'_>) -> u32 {
    match tape.byte() {
        255 => u32::MAX,
        254 => u32::from(tape.word()) << 16,
        few => u32::from(few),
    }
}

/// A pointer to the place of an answer, or NULL.
fn out<T>(tape: &mut Tape<'_>, place: &mut T) -> *mut T {
    if tape.byte() == 255 {
        ptr::null_mut()
    } else {
        place
    }
}

fn configure(tape: &mut Tape<'_>, config: Pointer) -> u32 {
    let mut kept = Vec::new();
    let mut text = |tape: &mut Tape<'_>| text(tape, &mut kept);
    let kind = tape.byte() % 15;
    // SAFETY: texts end with NUL and live until the end; the rest is numbers, or NULL.
    unsafe {
        match kind {
            0 => relevo_config_set_cluster(config, text(tape)),
            1 => relevo_config_set_name(config, text(tape)),
            2 => relevo_config_set_address(config, text(tape), tape.word()),
            3 => relevo_config_add_seed(config, text(tape)),
            4 => relevo_config_set_multicast(config, text(tape), text(tape), tape.byte()),
            5 => relevo_config_set_keys(config, &bytes(tape), 1),
            6 => relevo_config_set_insecure(config, number(tape)),
            7 => relevo_config_set_role(config, number(tape)),
            8 => relevo_config_set_backups(config, tape.byte()),
            9 => relevo_config_set_capacity(config, tape.byte()),
            10 => relevo_config_set_detection(config, number(tape), number(tape)),
            11 => relevo_config_set_timeouts(config, number(tape), number(tape)),
            12 => relevo_config_set_memory(config, number(tape) as usize, number(tape) as usize),
            13 => relevo_config_set_datagram(config, number(tape)),
            _ => relevo_config_set_keys(ptr::null_mut(), &bytes(tape), 1),
        }
    }
}

/// Opens a small node on loopback with drawn settings, and closes it.
fn open_and_close(tape: &mut Tape<'_>, config: Pointer) -> u32 {
    // SAFETY: as the header says.
    unsafe {
        relevo_config_set_address(config, c"127.0.0.1:0".as_ptr(), 0);
        relevo_config_set_multicast(config, ptr::null(), ptr::null(), 0);
        relevo_config_set_memory(config, usize::from(tape.word()), usize::from(tape.byte()));
        let mut node = ptr::null_mut();
        let opened = relevo_node_open(config, &raw mut node);
        if opened == OK {
            assert_ne!(relevo_node_leave(node, 50), PANIC);
            assert_eq!(relevo_node_close(node), OK);
        }
        opened
    }
}

fn read(tape: &mut Tape<'_>, session: Pointer) {
    let (mut name, mut value) = (bytes(tape), bytes(tape));
    let index = number(tape) as usize;
    // SAFETY: the session is NULL, or was returned and isn't freed yet.
    unsafe {
        let count = relevo_session_count(session);
        let found = relevo_session_attribute(session, index, &raw mut name, &raw mut value);
        assert_eq!(found == OK, index < count);
        if found == OK {
            assert!(name.len <= 255);
            assert_eq!(relevo_session_find(session, name, &raw mut value), OK);
            let value = std::slice::from_raw_parts(value.data.cast::<u8>(), value.len);
            std::hint::black_box(value.iter().fold(0_u8, |sum, byte| sum ^ byte));
        }
        assert_ne!(
            relevo_session_find(session, bytes(tape), &raw mut value),
            PANIC
        );
        relevo_session_max_inactive(session);
        relevo_session_idle_ms(session);
        relevo_session_free(session);
    }
}

fn look(tape: &mut Tape<'_>, node: Pointer) -> u32 {
    let mut found = ptr::null_mut();
    let place = out(tape, &mut found);
    let index = number(tape) as usize;
    // SAFETY: handles may be any number; everything that was returned is freed once.
    unsafe {
        match tape.byte() % 3 {
            0 => {
                let code = relevo_node_members(node, place);
                let count = relevo_members_count(found);
                assert_eq!(relevo_members_name(found, index).is_null(), index >= count);
                relevo_members_state(found, index);
                relevo_members_is_self(found, index);
                relevo_members_free(found);
                code
            }
            1 => {
                let code = relevo_node_status(node, place);
                assert_eq!(relevo_status_name(found).is_null(), code != OK);
                assert!(relevo_status_sessions(found) <= 16);
                relevo_status_free(found);
                code
            }
            _ => {
                let code = relevo_node_next_event(node, 0, place);
                relevo_event_free(found);
                code
            }
        }
    }
}

fn use_node(tape: &mut Tape<'_>) -> u32 {
    let node = handle(tape);
    let key = Key {
        application: bytes(tape),
        id: bytes(tape),
    };
    let key = if tape.byte() == 255 {
        ptr::null()
    } else {
        &raw const key
    };
    let mut copies = 0;
    let copies = out(tape, &mut copies);
    let mut session = ptr::null_mut();
    let mut kept = Vec::new();
    // SAFETY: handles may be any number; pointers have as many bytes as their lengths say, or are NULL.
    unsafe {
        let code = match tape.byte() % 8 {
            0 | 1 => {
                let count = tape.pick(4);
                let changes: Vec<_> = (0..count)
                    .map(|_| Change {
                        kind: number(tape),
                        name: bytes(tape),
                        value: bytes(tape),
                    })
                    .collect();
                let max_inactive = number(tape);
                relevo_node_commit(
                    node,
                    key,
                    changes.as_ptr(),
                    count,
                    max_inactive,
                    number(tape),
                    copies,
                )
            }
            2 => relevo_node_get(node, key, out(tape, &mut session)),
            3 => {
                let hint = text(tape, &mut kept);
                relevo_node_fetch(node, key, hint, out(tape, &mut session))
            }
            4 => {
                relevo_node_owns(node, key);
                OK
            }
            5 => relevo_node_invalidate(node, key, copies),
            6 => relevo_node_rename(node, key, bytes(tape), copies),
            _ => relevo_node_touch(node, key),
        };
        read(tape, session);
        code
    }
}

fuzz_target!(|input: &[u8]| {
    let mut tape = Tape::new(input);
    // SAFETY: freed below.
    let config = unsafe { relevo_config_new() };
    for _ in 0..64 {
        if tape.is_empty() {
            break;
        }
        let code = match tape.byte() % 16 {
            0..=3 => configure(&mut tape, config),
            4 if tape.byte() < 4 => open_and_close(&mut tape, config),
            5 | 6 => {
                let node = handle(&mut tape);
                look(&mut tape, node)
            }
            // SAFETY: a handle that is closed may be passed again; the calls have no effect.
            7 => unsafe {
                relevo_node_leave(NODES[1] as Pointer, 0)
                    .max(relevo_node_close(NODES[1] as Pointer))
            },
            _ => use_node(&mut tape),
        };
        assert_ne!(code, PANIC);
        // SAFETY: both functions accept any number, and return a text.
        unsafe {
            assert!(!relevo_result_message(number(&mut tape)).is_null());
            assert!(!relevo_last_error().is_null());
        }
    }
    // SAFETY: made above.
    unsafe { relevo_config_free(config) };
});
