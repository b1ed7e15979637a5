//! Decision: what a client that has proven who it is gets for its requests: Allocate, Refresh, CreatePermission, ChannelBind.

use super::{Client, Outcome, User, Wanted, answer, unknown};
use crate::turn::{Refusal, client::Now, peers::canonical, wire};
use std::{net::SocketAddr, time::Duration};
use stun_proto::types::{
    attribute::ErrorCode,
    message::Message,
    prelude::{Attribute, AttributeStaticType},
};
use turn_types::{
    AddressFamily,
    attribute::{
        ChannelNumber, DontFragment, EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport,
        XorPeerAddress,
    },
};

/// Lifetime of an allocation that asks for none, and the least (RFC 8656, 7.2).
const LIFETIME_SECONDS: u32 = 600;
/// The most (RFC 8656, 3.2 recommends an hour).
const MAX_LIFETIME_SECONDS: u32 = 3600;

impl Client {
    pub(super) fn error(
        &self,
        message: &Message,
        user: &User,
        code: u16,
        refusal: Option<Refusal>,
    ) -> Outcome {
        if let Some(refusal) = refusal {
            self.rules.refuse(refusal);
        }
        answer(wire::error(message, code, &user.key))
    }

    pub(super) fn allocate(&mut self, message: &Message, user: User, now: Now) -> Outcome {
        if let Some(own) = &self.allocation {
            // The answer to the same request may have been lost on its way.
            return if own.username() == user.name && own.transaction() == message.transaction_id() {
                answer(wire::allocated(
                    message,
                    own.relayed(),
                    self.from,
                    own.seconds_left(now.monotonic),
                    &user.key,
                ))
            } else {
                self.error(message, &user, ErrorCode::ALLOCATION_MISMATCH, None)
            };
        }
        self.stranger_answers += 1;
        let understood = [
            RequestedTransport::TYPE,
            Lifetime::TYPE,
            RequestedAddressFamily::TYPE,
            EvenPort::TYPE,
            DontFragment::TYPE,
        ];
        let unknown = unknown(message, &understood);
        if !unknown.is_empty() {
            return answer(wire::unknown_attributes(message, &unknown, &user.key));
        }
        match message.attribute::<RequestedTransport>().map(|wanted| wanted.protocol()) {
            Ok(RequestedTransport::UDP) => {}
            Ok(_) => return self.error(message, &user, ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL, None),
            Err(_) => {
                return self.error(message, &user, ErrorCode::BAD_REQUEST, Some(Refusal::Malformed));
            }
        }
        let even_port = message.attribute::<EvenPort>();
        if even_port.as_ref().is_ok_and(EvenPort::requested) {
            // The next port would have to be kept for another allocation.
            return self.error(message, &user, ErrorCode::INSUFFICIENT_CAPACITY, None);
        }
        let even_port = even_port.is_ok();
        let family = match message.attribute::<RequestedAddressFamily>() {
            Ok(family) => family.family(),
            Err(_) if message.has_attribute(RequestedAddressFamily::TYPE) => {
                return self.error(message, &user, ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED, None);
            }
            Err(_) => AddressFamily::IPV4,
        };
        let consumer = match self.rules.minter.admit(&user.name, now.wall) {
            Ok(consumer) => consumer,
            Err(refusal) => return self.refuse(message, ErrorCode::UNAUTHORIZED, Some(refusal), now),
        };
        match self.rules.places.take(&consumer) {
            Ok(place) => Outcome::Allocate(Box::new(Wanted {
                family,
                even_port,
                request: message.as_bytes().to_vec(),
                username: user.name,
                consumer,
                key: user.key,
                lifetime_seconds: lifetime(message),
                place,
            })),
            Err(code) => self.error(message, &user, code, Some(Refusal::Quota)),
        }
    }

    pub(super) fn refresh(&mut self, message: &Message, user: &User, now: Now) -> Outcome {
        let unknown = unknown(message, &[Lifetime::TYPE, RequestedAddressFamily::TYPE]);
        if !unknown.is_empty() {
            return answer(wire::unknown_attributes(message, &unknown, &user.key));
        }
        let Some(own) = &mut self.allocation else { return Outcome::Nothing };
        let family = message.attribute::<RequestedAddressFamily>().map(|wanted| wanted.family());
        if family.is_ok_and(|wanted| wanted != family_of(own.relayed())) {
            return self.error(message, user, ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH, None);
        }
        let seconds = lifetime(message);
        if message.attribute::<Lifetime>().is_ok_and(|lifetime| lifetime.seconds() == 0) {
            self.allocation = None;
            return answer(wire::refreshed(message, 0, &user.key));
        }
        own.refresh(now.monotonic + Duration::from_secs(seconds.into()));
        answer(wire::refreshed(message, seconds, &user.key))
    }

    pub(super) fn create_permission(&mut self, message: &Message, user: &User, now: Now) -> Outcome {
        let unknown = unknown(message, &[XorPeerAddress::TYPE]);
        if !unknown.is_empty() {
            return answer(wire::unknown_attributes(message, &unknown, &user.key));
        }
        let mut peers = Vec::new();
        for (_, attribute) in
            message.iter_attributes().filter(|(_, raw)| raw.get_type() == XorPeerAddress::TYPE)
        {
            match XorPeerAddress::try_from(&attribute) {
                Ok(peer) => peers.push(canonical(peer.addr(message.transaction_id()))),
                Err(_) => return self.error(message, user, ErrorCode::BAD_REQUEST, Some(Refusal::Malformed)),
            }
        }
        if peers.is_empty() {
            return self.error(message, user, ErrorCode::BAD_REQUEST, Some(Refusal::Malformed));
        }
        for peer in &peers {
            if let Some(outcome) = self.refuse_peer(message, user, *peer) {
                return outcome;
            }
        }
        let Some(own) = &mut self.allocation else { return Outcome::Nothing };
        if !own.permit(&peers, now.monotonic) {
            return self.error(message, user, ErrorCode::INSUFFICIENT_CAPACITY, Some(Refusal::Quota));
        }
        answer(wire::success(message, &user.key))
    }

    pub(super) fn bind_channel(&mut self, message: &Message, user: &User, now: Now) -> Outcome {
        let unknown = unknown(message, &[XorPeerAddress::TYPE, ChannelNumber::TYPE]);
        if !unknown.is_empty() {
            return answer(wire::unknown_attributes(message, &unknown, &user.key));
        }
        let (Ok(peer), Ok(number)) =
            (message.attribute::<XorPeerAddress>(), message.attribute::<ChannelNumber>())
        else {
            return self.error(message, user, ErrorCode::BAD_REQUEST, Some(Refusal::Malformed));
        };
        let (peer, number) = (canonical(peer.addr(message.transaction_id())), number.channel());
        // RFC 5766 had numbers up to 0x7fff, and its clients are still there.
        if !(0x4000..=0x7fff).contains(&number) {
            return self.error(message, user, ErrorCode::BAD_REQUEST, Some(Refusal::Malformed));
        }
        if let Some(outcome) = self.refuse_peer(message, user, peer) {
            return outcome;
        }
        if peer.port() == 0 {
            return self.error(message, user, ErrorCode::BAD_REQUEST, Some(Refusal::Malformed));
        }
        let Some(own) = &mut self.allocation else { return Outcome::Nothing };
        match own.bind(number, peer, now.monotonic) {
            Ok(()) => answer(wire::success(message, &user.key)),
            Err(code) => self.error(message, user, code, Some(Refusal::Quota)),
        }
    }

    /// The answer to who asks for a peer that it may not have.
    fn refuse_peer(&self, message: &Message, user: &User, peer: SocketAddr) -> Option<Outcome> {
        let own = self.allocation.as_ref()?;
        if !self.rules.peers.permits(own.consumer(), peer) {
            return Some(self.error(message, user, ErrorCode::FORBIDDEN, Some(Refusal::Peer)));
        }
        (family_of(peer) != family_of(own.relayed()))
            .then(|| self.error(message, user, ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH, None))
    }
}

fn family_of(address: SocketAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::IPV4 } else { AddressFamily::IPV6 }
}

/// The lifetime that a request gets for what it asks.
fn lifetime(message: &Message) -> u32 {
    let asked = message.attribute::<Lifetime>().map_or(LIFETIME_SECONDS, |lifetime| lifetime.seconds());
    asked.clamp(LIFETIME_SECONDS, MAX_LIFETIME_SECONDS)
}
