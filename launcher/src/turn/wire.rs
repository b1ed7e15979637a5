//! Wire: the messages that the server sends, as bytes: answers to requests (RFC 8489, RFC 8656), and the two ways of
//! wrapping what a peer has sent.

use super::credentials::REALM;
use std::{
    net::{IpAddr, SocketAddr},
    ops::Range,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use stun_proto::types::{
    attribute::{AttributeType, ErrorCode, Nonce, Realm, XorMappedAddress},
    message::{IntegrityAlgorithm, IntegrityKey, Message, MessageWriteExt, MessageWriteVec, StunWriteError},
    prelude::MessageWrite,
};
use turn_types::attribute::{Lifetime, XorRelayedAddress};

/// Bytes before the attributes of a STUN message.
pub const STUN_HEADER: usize = 20;
/// The magic cookie of STUN, which every message has (RFC 8489, 5).
pub const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Room before a peer's data for either wrapping: header, XOR-PEER-ADDRESS of IPv6, head of DATA.
pub const HEADROOM: usize = STUN_HEADER + 24 + 4;
/// Room after it: a DATA attribute and ChannelData on a stream are rounded up to four bytes.
pub const TAILROOM: usize = 3;

/// How a peer's data is wrapped for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// ChannelData on this channel.
    Channel(u16),
    /// A Data indication that names the peer.
    Indication(SocketAddr),
}

/// An answer. None only if it cannot be written, which would be a fault of ours and not worth the process.
pub type Answer = Option<Vec<u8>>;

/// Binding: how the client looks from here.
pub fn binding(request: &Message, from: SocketAddr) -> Answer {
    let mut answer = Message::builder_success(request, MessageWriteVec::with_capacity(64));
    answer.add_attribute(&XorMappedAddress::new(from, request.transaction_id())).ok()?;
    answer.add_fingerprint().ok()?;
    Some(answer.finish())
}

/// An error for somebody who has not proven who he is; `nonce` invites him to.
pub fn refusal(request: &Message, code: u16, nonce: Option<&str>) -> Answer {
    let mut answer = Message::builder_error(request, MessageWriteVec::with_capacity(128));
    error_code(&mut answer, code).ok()?;
    if let Some(nonce) = nonce {
        answer.add_attribute(&Realm::new(REALM).ok()?).ok()?;
        answer.add_attribute(&Nonce::new(nonce).ok()?).ok()?;
    }
    Some(answer.finish())
}

/// An error for somebody who has.
pub fn error(request: &Message, code: u16, key: &IntegrityKey) -> Answer {
    let mut answer = Message::builder_error(request, MessageWriteVec::with_capacity(128));
    error_code(&mut answer, code).ok()?;
    signed(answer, key)
}

/// The error that names the attributes which are not understood.
pub fn unknown_attributes(request: &Message, unknown: &[AttributeType], key: &IntegrityKey) -> Answer {
    let mut answer = Message::builder_error(request, MessageWriteVec::with_capacity(128));
    error_code(&mut answer, ErrorCode::UNKNOWN_ATTRIBUTE).ok()?;
    answer.add_attribute(&stun_proto::types::attribute::UnknownAttributes::new(unknown)).ok()?;
    signed(answer, key)
}

/// Success without further words.
pub fn success(request: &Message, key: &IntegrityKey) -> Answer {
    signed(Message::builder_success(request, MessageWriteVec::with_capacity(64)), key)
}

/// Refresh.
pub fn refreshed(request: &Message, lifetime_seconds: u32, key: &IntegrityKey) -> Answer {
    let mut answer = Message::builder_success(request, MessageWriteVec::with_capacity(64));
    answer.add_attribute(&Lifetime::new(lifetime_seconds)).ok()?;
    signed(answer, key)
}

/// Allocate.
pub fn allocated(
    request: &Message,
    relayed: SocketAddr,
    from: SocketAddr,
    lifetime_seconds: u32,
    key: &IntegrityKey,
) -> Answer {
    let transaction = request.transaction_id();
    let mut answer = Message::builder_success(request, MessageWriteVec::with_capacity(128));
    answer.add_attribute(&XorRelayedAddress::new(relayed, transaction)).ok()?;
    answer.add_attribute(&XorMappedAddress::new(from, transaction)).ok()?;
    answer.add_attribute(&Lifetime::new(lifetime_seconds)).ok()?;
    signed(answer, key)
}

fn error_code(answer: &mut MessageWriteVec, code: u16) -> Result<(), StunWriteError> {
    answer.add_attribute(&ErrorCode::builder(code).build()?)
}

fn signed(mut answer: MessageWriteVec, key: &IntegrityKey) -> Answer {
    answer.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1).ok()?;
    answer.add_fingerprint().ok()?;
    Some(answer.finish())
}

/// Wraps `length` bytes of a peer's data, which stand at [`HEADROOM`] in a buffer with [`TAILROOM`] after them, in place.
/// Returns where in the buffer the message is; on a stream its padding belongs to it.
pub fn wrap(buffer: &mut [u8], length: usize, wrapping: Wrapping, on_stream: bool) -> Range<usize> {
    let padded = length.next_multiple_of(4);
    buffer[HEADROOM + length..HEADROOM + padded].fill(0);
    match wrapping {
        Wrapping::Channel(number) => {
            let start = HEADROOM - 4;
            buffer[start..start + 2].copy_from_slice(&number.to_be_bytes());
            buffer[start + 2..HEADROOM].copy_from_slice(&two_bytes(length));
            start..HEADROOM + if on_stream { padded } else { length }
        }
        Wrapping::Indication(peer) => {
            let transaction = transaction_id();
            let mut head = Vec::with_capacity(HEADROOM);
            let address_length = if peer.is_ipv4() { 8 } else { 20 };
            head.extend([0x00, 0x17]);
            head.extend(two_bytes(4 + address_length + 4 + padded));
            head.extend(COOKIE);
            head.extend(transaction);
            head.extend([0x00, 0x12]);
            head.extend(two_bytes(address_length));
            head.extend(xored(peer, transaction));
            head.extend([0x00, 0x13]);
            head.extend(two_bytes(length));
            let start = HEADROOM - head.len();
            buffer[start..HEADROOM].copy_from_slice(&head);
            start..HEADROOM + padded
        }
    }
}

/// A datagram is never longer than this counts to.
fn two_bytes(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// Indications are not answered, so their transaction has only to be another each time.
fn transaction_id() -> [u8; 12] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut transaction = [0; 12];
    transaction[4..].copy_from_slice(&NEXT.fetch_add(1, Relaxed).to_be_bytes());
    transaction
}

/// The value of XOR-PEER-ADDRESS (RFC 8489, 14.2).
fn xored(address: SocketAddr, transaction: [u8; 12]) -> Vec<u8> {
    let (family, ip) = match address.ip() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let mask = COOKIE.iter().chain(&transaction);
    let port = address.port().to_be_bytes();
    let mut value = vec![0, family, port[0] ^ COOKIE[0], port[1] ^ COOKIE[1]];
    value.extend(ip.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use stun_proto::types::message::BINDING;
    use turn_types::{
        attribute::{Data, XorPeerAddress},
        channel::ChannelData,
        message::DATA,
    };

    fn buffer(data: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0xee; HEADROOM];
        buffer.extend(data);
        buffer.extend([0xee; TAILROOM]);
        buffer
    }

    #[test]
    fn a_data_indication_says_who_sent_what() {
        for peer in ["192.0.2.1:40000", "[2001:db8::1]:40000"] {
            let peer: SocketAddr = peer.parse().unwrap();
            for length in 0..9 {
                let data = vec![5; length];
                let mut buffer = buffer(&data);
                let range = wrap(&mut buffer, length, Wrapping::Indication(peer), false);
                let message = Message::from_bytes(&buffer[range]).unwrap();
                assert!(message.has_method(DATA) && !message.is_response());
                let address = message.attribute::<XorPeerAddress>().unwrap();
                assert_eq!(address.addr(message.transaction_id()), peer);
                assert_eq!(message.attribute::<Data>().unwrap().data(), data);
            }
        }
    }

    #[test]
    fn channel_data_is_padded_on_a_stream_only() {
        for (length, padded) in [(0, 0), (1, 4), (3, 4), (4, 4), (5, 8)] {
            let data = vec![5; length];
            let mut buffer = buffer(&data);
            let range = wrap(&mut buffer, length, Wrapping::Channel(0x4001), true);
            assert_eq!(range.len(), 4 + padded);
            let parsed = ChannelData::parse(&buffer[range]).unwrap();
            assert_eq!((parsed.id(), parsed.data()), (0x4001, data.as_slice()));
            assert_eq!(wrap(&mut buffer, length, Wrapping::Channel(0x4001), false).len(), 4 + length);
        }
    }

    #[test]
    fn what_a_stranger_is_answered_is_small() {
        let request = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
        let request = Message::from_bytes(&request).unwrap();
        let nonce = super::super::nonce::make(
            &crate::turn::Secret::new(b"s"),
            "192.0.2.1:1".parse().unwrap(),
            std::time::Duration::from_secs(1_700_000_000),
        );
        let answer = refusal(&request, ErrorCode::UNAUTHORIZED, Some(&nonce)).unwrap();
        assert!(answer.len() <= 104, "{} bytes", answer.len());
    }
}
