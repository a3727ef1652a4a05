//! The examples of `wire/SPEC.md`, for a firmware that shows that its processor makes the same bytes.

use crate::delta::Sink;
use crate::wire::message::{Body, Message, UnitHead};
use crate::wire::vectors::{CHANGE, OPERATIONS, change, datagrams, messages, updates};

/// Makes every example of what it says. `show` is told the bytes that came out, none if they don't
/// fit, and whether the bytes of the specification are read as what they say: those of a datagram
/// with no bit of them changed.
pub fn make(mut show: impl FnMut(&[u8], bool)) {
    for (bytes, message) in messages() {
        let read = postcard::take_from_bytes(bytes) == Ok((message.clone(), &[][..]));
        with_body(|body| body.push(&message), |made| show(made, read));
    }
    for (bytes, request, head, attribute) in updates() {
        let write = |body: &mut Body<'_>| {
            body.push(&head)?;
            if let Some((head, content)) = &attribute {
                body.push(head)?;
                body.put(content)?;
            }
            let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
            body.prepend(0, &Message::Update { request, len })
        };
        let head_of = |bytes| {
            let (_, unit) = postcard::take_from_bytes::<Message<'_>>(bytes).ok()?;
            let (head, _) = postcard::take_from_bytes::<UnitHead<'_>>(unit).ok()?;
            Some(head)
        };
        let read = head_of(bytes).as_ref() == Some(&head);
        with_body(write, |made| show(made, read));
    }
    let message = Message::Change(change());
    let read = postcard::take_from_bytes(CHANGE) == Ok((message.clone(), OPERATIONS));
    let write = |body: &mut Body<'_>| {
        body.push(&message)?;
        body.put(OPERATIONS)
    };
    with_body(write, |made| show(made, read));
    for datagram in datagrams() {
        let mut out = [0; 128];
        let len = datagram.seal(&mut out).map_or(0, |(_, len)| len);
        let made = out.get(..len).unwrap_or_default();
        show(made, datagram.opens_only_unchanged());
    }
}

fn with_body<E>(write: impl FnOnce(&mut Body<'_>) -> Result<(), E>, show: impl FnOnce(&[u8])) {
    let mut buffer = [0; 256];
    let mut body = Body::new(&mut buffer);
    let len = write(&mut body).map_or(0, |()| body.len());
    show(buffer.get(..len).unwrap_or_default());
}
