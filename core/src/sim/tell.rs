//! The contents of a packet, for the trace. A sealed packet is opened with its sender's own key.

use std::format;
use std::string::String;
use std::vec::Vec;

use crate::node::Node;
use crate::sealer::Opener;
use crate::wire::message::{
    AttributeHead, AttributeUpdateHead, Handshake, Message, UpdateHead, ValueHead,
};
use crate::wire::packet::{ANY_CLUSTER, Header};

/// The messages in a packet of this node, as one line.
pub(super) fn packet(node: &Node<'_>, datagram: &[u8]) -> String {
    let Ok(header) = Header::parse(datagram) else {
        return " no packet".into();
    };
    let body = opened(node, &header, datagram);
    let mut body = body.as_slice();
    let mut text = format!(" #{}", header.counter);
    while let Ok((message, rest)) = postcard::take_from_bytes::<Message<'_>>(body) {
        body = rest;
        match message {
            Message::RecordUpdate { request, len } => {
                let (update, rest) = body.split_at(body.len().min(len as usize));
                body = rest;
                text += &format!(" record-update(for {request}, {})", self::update(update));
            }
            Message::AttributeUpdate(change) => {
                body = body.split_at(body.len().min(change.len as usize)).1;
                let (name, seq) = (String::from_utf8_lossy(change.name), change.seq);
                let AttributeUpdateHead {
                    session,
                    epoch,
                    len,
                    ..
                } = change;
                text += &format!(
                    " attribute-update({:02x} {name} {epoch}.{seq}: {len})",
                    session[0]
                );
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
            Message::Handshake(message) => text += &handshake(&message),
            Message::Fetch { request, id, .. } => {
                text += &format!(" fetch({request}: {})", String::from_utf8_lossy(id));
            }
            Message::MemberUpdate(update) => {
                text += &format!(" {} {:?}", update.name, update.state)
            }
            other => text += &format!(" {other:?}"),
        }
    }
    text
}

/// The body. It was sealed for one of the members, or for any receiver.
fn opened(node: &Node<'_>, header: &Header, datagram: &[u8]) -> Vec<u8> {
    let subkey = node.sealer.subkey_of(&node.sealer.boot, header.hint);
    let members = node.members.others();
    let members = members.map(|member| Some(&node.members.get(member).boot));
    for receiver in members.chain([None]) {
        let opener = Opener {
            cluster: receiver.map_or(ANY_CLUSTER, |_| node.rules.cluster),
            subkey: subkey.as_ref(),
            receiver,
        };
        if let Some(body) = opener.open(header, &mut datagram.to_vec()) {
            return body.to_vec();
        }
    }
    Vec::new()
}

fn handshake(message: &Handshake<'_>) -> String {
    let short = |word: [u8; 8]| format!("{:02x}{:02x}", word[0], word[1]);
    let mut text = format!(
        " handshake({} {:08x} {}",
        message.member.name, message.member.boot, message.member.incarnation
    );
    if message.asks {
        text += " asks";
    }
    if let Some(challenge) = message.challenge {
        text += &format!(" challenge {}", short(challenge));
    }
    if let Some(echo) = message.echo {
        text += &format!(" echo {}", short(echo));
    }
    if message.least_incarnation > 0 {
        text += &format!(" least {}", message.least_incarnation);
    }
    if message.name_taken {
        text += " taken";
    }
    text + ")"
}

fn update(mut update: &[u8]) -> String {
    let Ok((head, rest)) = postcard::take_from_bytes::<UpdateHead<'_>>(update) else {
        return "malformed".into();
    };
    update = rest;
    let id = head.key.map(|key| String::from_utf8_lossy(key.id));
    let mut text = format!("{:02x} {id:?} flags {:b}", head.hash[0], head.flags);
    if let Some(header) = head.header {
        text += &format!(" header {}.{}", header.stamp.epoch, header.stamp.seq);
    }
    for _ in 0..head.attributes {
        let Ok((head, rest)) = postcard::take_from_bytes::<AttributeHead<'_>>(update) else {
            break;
        };
        let len = match head.value {
            ValueHead::Removed => 0,
            ValueHead::Whole { len } | ValueHead::Delta { len, .. } => len as usize,
        };
        text += &format!(" {}.{} {:?}", head.stamp.epoch, head.stamp.seq, head.value);
        update = rest.get(len..).unwrap_or_default();
    }
    text
}
