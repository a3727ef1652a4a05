//! The examples of `wire/SPEC.md`, for a firmware that shows that its processor makes the same bytes.

use core::hint::black_box;

use crate::delta::Sink;
use crate::sealer::Opener;
use crate::wire::message::{Body, Message, UpdateHead};
use crate::wire::packet::{Header, TAG};
use crate::wire::vectors::{
    ATTRIBUTE_UPDATE, OPERATIONS, attribute_update, cluster, datagrams, messages, record_updates,
    sealer,
};

/// Length in bytes of the datagrams of [`seal_and_open`].
pub const LENGTH: usize = 200;

/// Makes every example of what it says. `show` is told the bytes that came out, none if they don't
/// fit, and whether the bytes of the specification are read as what they say: those of a datagram
/// with no bit of them changed.
pub fn make(mut show: impl FnMut(&[u8], bool)) {
    for (bytes, message) in messages() {
        let read = postcard::take_from_bytes(bytes) == Ok((message.clone(), &[][..]));
        with_body(|body| body.push(&message), |made| show(made, read));
    }
    for (bytes, request, head, attribute) in record_updates() {
        let write = |body: &mut Body<'_>| {
            body.push(&head)?;
            if let Some((head, content)) = &attribute {
                body.push(head)?;
                body.put(content)?;
            }
            let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
            body.prepend(0, &Message::RecordUpdate { request, len })
        };
        let head_of = |bytes| {
            let (_, update) = postcard::take_from_bytes::<Message<'_>>(bytes).ok()?;
            let (head, _) = postcard::take_from_bytes::<UpdateHead<'_>>(update).ok()?;
            Some(head)
        };
        let read = head_of(bytes).as_ref() == Some(&head);
        with_body(write, |made| show(made, read));
    }
    let message = Message::AttributeUpdate(attribute_update());
    let read = postcard::take_from_bytes(ATTRIBUTE_UPDATE) == Ok((message.clone(), OPERATIONS));
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

/// Seals a datagram of [`LENGTH`] bytes and opens it, then does the same without a key, where its tag is
/// a mere hash. `busy` is told when each of the four begins and ends. Whether all were opened.
pub fn seal_and_open(mut busy: impl FnMut(bool)) -> bool {
    let [sealed, unsealed, _] = datagrams();
    [sealed, unsealed].iter().all(|example| {
        let sealer = sealer(example.key);
        let header = Header {
            hint: sealer.hint(),
            sender: example.sender,
            counter: example.counter,
        };
        let receiver = example.receiver.as_ref();
        let subkey = sealer.subkey_of(&sealer.boot, header.hint);
        let mut datagram = [0; LENGTH];
        let len = LENGTH.saturating_sub(header.len()).saturating_sub(TAG);

        busy(true);
        let out = black_box(&mut datagram);
        black_box(sealer.seal(cluster(), &header, receiver, len, out));
        busy(false);

        let opener = Opener {
            cluster: cluster(),
            subkey: subkey.as_ref(),
            receiver,
        };
        busy(true);
        let opened = opener.open(&header, black_box(&mut datagram)).is_some();
        busy(false);
        opened
    })
}

fn with_body<E>(write: impl FnOnce(&mut Body<'_>) -> Result<(), E>, show: impl FnOnce(&[u8])) {
    let mut buffer = [0; 256];
    let mut body = Body::new(&mut buffer);
    let len = write(&mut body).map_or(0, |()| body.len());
    show(buffer.get(..len).unwrap_or_default());
}
