//! What an unsealed packet says, for the trace.

use std::format;
use std::string::String;

use crate::wire::message::{AttributeHead, ChangeHead, Message, UnitHead, ValueHead};
use crate::wire::packet::{Header, TAG};

/// The messages of a packet, in a line.
pub(super) fn packet(datagram: &[u8]) -> String {
    let Ok(header) = Header::parse(datagram) else {
        return " no packet".into();
    };
    let body = header.len()..datagram.len().saturating_sub(TAG);
    let mut body = datagram.get(body).unwrap_or_default();
    let mut text = format!(" #{}", header.counter);
    while let Ok((message, rest)) = postcard::take_from_bytes::<Message<'_>>(body) {
        body = rest;
        match message {
            Message::Update { request, len } => {
                let (unit, rest) = body.split_at(body.len().min(len as usize));
                body = rest;
                text += &format!(" update(for {request}, {})", self::unit(unit));
            }
            Message::Change(change) => {
                body = body.split_at(body.len().min(change.len as usize)).1;
                let (name, seq) = (String::from_utf8_lossy(change.name), change.seq);
                let ChangeHead {
                    session,
                    epoch,
                    len,
                    ..
                } = change;
                text += &format!(" change({:02x} {name} {epoch}.{seq}: {len})", session[0]);
            }
            Message::Chunk {
                transfer,
                request,
                total,
                offset,
                bytes,
            } => {
                let len = bytes.len();
                text += &format!(" piece({transfer} for {request}: {len} at {offset} of {total})");
            }
            Message::Introduction(_) => text += " introduction",
            Message::Fetch { request, id, .. } => {
                text += &format!(" fetch({request}: {})", String::from_utf8_lossy(id));
            }
            Message::Member(update) => text += &format!(" {} {:?}", update.name, update.state),
            other => text += &format!(" {other:?}"),
        }
    }
    text
}

fn unit(mut unit: &[u8]) -> String {
    let Ok((head, rest)) = postcard::take_from_bytes::<UnitHead<'_>>(unit) else {
        return "malformed".into();
    };
    unit = rest;
    let id = head.key.map(|key| String::from_utf8_lossy(key.id));
    let mut text = format!("{:02x} {id:?} flags {:b}", head.hash[0], head.flags);
    if let Some(header) = head.header {
        text += &format!(" header {}.{}", header.stamp.epoch, header.stamp.seq);
    }
    for _ in 0..head.attributes {
        let Ok((head, rest)) = postcard::take_from_bytes::<AttributeHead<'_>>(unit) else {
            break;
        };
        let len = match head.value {
            ValueHead::Removed => 0,
            ValueHead::Whole { len } | ValueHead::Delta { len, .. } => len as usize,
        };
        text += &format!(" {}.{} {:?}", head.stamp.epoch, head.stamp.seq, head.value);
        unit = rest.get(len..).unwrap_or_default();
    }
    text
}
