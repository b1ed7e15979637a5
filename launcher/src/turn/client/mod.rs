//! Decision: one client, which is one 5-tuple: what each of its messages means, and whether it may. Time is an argument; a
//! relay socket, when one is wanted, is bound by the shell and told back.
//!
//! ```text
//! stranger ── Allocate, unsigned ──▶ 401 with a nonce ── Allocate, signed ──▶ allocation ── Refresh 0, expiry, ──▶ gone
//!          ◀──────────────────────── 401, 438, 486 … ◀──────────┘              │   ▲   or end of the session
//!                                                         permissions, channels, data
//! ```

mod requests;

use crate::turn::{
    Minter, Peers, Refusal, Secret, Transport,
    allocation::{Allocation, Place, Places},
    counters::Counters,
    limits::{Limits, Strangers},
    nonce,
    peers::canonical,
    wire::{self, Answer, STUN_HEADER, Wrapping},
};
use std::{
    net::SocketAddr,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use stun_proto::types::{
    attribute::{AttributeType, ErrorCode, Fingerprint, MessageIntegrity, Nonce, Realm, Software, Username},
    message::{BINDING, IntegrityKey, Message, MessageClass, Method},
    prelude::{Attribute, AttributeStaticType},
};
use turn_types::{
    AddressFamily,
    attribute::{Data, DontFragment, XorPeerAddress},
    channel::ChannelData,
    message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND},
};

/// The time, as the shell read it.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Of the clock that never jumps.
    pub monotonic: Instant,
    /// Since 1970, for credentials.
    pub wall: Duration,
}

/// What all clients share.
#[derive(Debug)]
pub struct Rules {
    /// Who may.
    pub minter: Minter,
    /// To whom.
    pub peers: Peers,
    /// How much.
    pub limits: Limits,
    /// What has been done.
    pub counters: Arc<Counters>,
    secret: Secret,
    strangers: Mutex<Strangers>,
    places: Arc<Places>,
}

impl Rules {
    /// Nobody is there yet.
    pub fn new(secret: Secret, peers: Peers, limits: Limits, now: Instant) -> Self {
        let counters = Arc::<Counters>::default();
        Self {
            minter: Minter::new(secret.clone()),
            peers,
            limits,
            secret,
            strangers: Mutex::new(Strangers::new(now)),
            places: Places::new(limits, counters.clone()),
            counters,
        }
    }

    /// Counts a refusal.
    fn refuse(&self, refusal: Refusal) {
        self.counters.refused(refusal);
    }
}

/// What a message of the client leads to.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing.
    Nothing,
    /// It is answered.
    Answer(Vec<u8>),
    /// A socket is wanted; [`Client::allocated`] is to be told of it.
    Allocate(Box<Wanted>),
    /// These bytes of the message go to this peer.
    ToPeer(SocketAddr, Range<usize>),
    /// It is no message of this protocol.
    Garbage,
}

/// An allocation that only lacks its socket.
#[derive(Debug)]
pub struct Wanted {
    /// The family of the socket.
    pub family: AddressFamily,
    /// Whether its port must be even, for the sake of old clients that keep RTCP on the next.
    pub even_port: bool,
    request: Vec<u8>,
    username: String,
    consumer: String,
    key: IntegrityKey,
    lifetime_seconds: u32,
    place: Place,
}

/// One client.
#[derive(Debug)]
pub struct Client {
    rules: Arc<Rules>,
    transport: Transport,
    from: SocketAddr,
    allocation: Option<Allocation>,
    stranger_answers: u32,
}

/// Whoever has proven to know the password of a user name.
struct User {
    name: String,
    key: IntegrityKey,
}

impl Client {
    /// A client of whom nothing is known but where it comes from.
    pub fn new(rules: Arc<Rules>, transport: Transport, from: SocketAddr) -> Self {
        Self { rules, transport, from: canonical(from), allocation: None, stranger_answers: 0 }
    }

    /// Whether it has an allocation.
    pub fn has_allocation(&self) -> bool {
        self.allocation.is_some()
    }

    /// Answers it got without having an allocation.
    pub fn stranger_answers(&self) -> u32 {
        self.stranger_answers
    }

    /// Ends an allocation that has expired or whose session is over.
    pub fn tick(&mut self, now: Now) {
        let rules = &self.rules;
        self.allocation.take_if(|own| own.is_over(now.monotonic) || !rules.minter.is_open(own.consumer()));
    }

    /// A message has come: exactly one, without padding of a stream.
    pub fn receive(&mut self, bytes: &[u8], now: Now) -> Outcome {
        match bytes.first() {
            Some(0x00..=0x3f) => self.message(bytes, now),
            Some(0x40..=0x7f) => self.channel_data(bytes, now),
            _ => self.garbage(),
        }
    }

    /// The peer has sent this much to the relay socket: how it is to be wrapped, if the client may have it.
    pub fn peer_sent(&mut self, peer: SocketAddr, length: usize, now: Now) -> Option<Wrapping> {
        let rules = &self.rules;
        let own = self.allocation.as_mut()?;
        let peer = canonical(peer);
        let known = own.permits(peer.ip(), now.monotonic) && rules.peers.allows(own.consumer(), peer);
        if !known || own.is_over(now.monotonic) {
            rules.refuse(Refusal::Peer);
            return None;
        }
        if !own.carries(length, now.monotonic) {
            rules.counters.dropped(self.transport, 1);
            return None;
        }
        rules.counters.client_got(self.transport, length);
        let channel = own.channel_of(peer, now.monotonic);
        Some(channel.map_or(Wrapping::Indication(peer), Wrapping::Channel))
    }

    /// The socket that was wanted is bound, or cannot be. What the client is answered.
    pub fn allocated(&mut self, wanted: Wanted, relayed: Option<SocketAddr>, now: Now) -> Answer {
        let Wanted { request, username, consumer, key, lifetime_seconds, place, .. } = wanted;
        let request = Message::from_bytes(&request).ok()?;
        let Some(relayed) = relayed else {
            self.rules.refuse(Refusal::Quota);
            return wire::error(&request, ErrorCode::INSUFFICIENT_CAPACITY, &key);
        };
        let answer = wire::allocated(&request, relayed, self.from, lifetime_seconds, &key);
        self.allocation = Some(Allocation::new(
            (username, consumer, key),
            (relayed, request.transaction_id()),
            now.monotonic + Duration::from_secs(lifetime_seconds.into()),
            self.rules.limits.bytes_per_second,
            place,
            now.monotonic,
        ));
        answer
    }

    fn garbage(&self) -> Outcome {
        self.rules.refuse(Refusal::Malformed);
        Outcome::Garbage
    }

    fn channel_data(&mut self, bytes: &[u8], now: Now) -> Outcome {
        let Ok(message) = ChannelData::parse(bytes) else { return self.garbage() };
        let Some(own) = &self.allocation else {
            return Outcome::Nothing;
        };
        let Some(peer) = own.peer_of(message.id(), now.monotonic) else {
            return Outcome::Nothing;
        };
        self.relay_to(peer, 4..4 + message.data().len(), now)
    }

    /// Data for a peer: judged anew each time, since the peer may have gone.
    fn relay_to(&mut self, peer: SocketAddr, range: Range<usize>, now: Now) -> Outcome {
        let rules = &self.rules;
        let Some(own) = &mut self.allocation else { return Outcome::Nothing };
        if own.is_over(now.monotonic) || !own.permits(peer.ip(), now.monotonic) {
            return Outcome::Nothing;
        }
        if !rules.peers.allows(own.consumer(), peer) {
            rules.refuse(Refusal::Peer);
            return Outcome::Nothing;
        }
        if !own.carries(range.len(), now.monotonic) {
            rules.counters.dropped(self.transport, 1);
            return Outcome::Nothing;
        }
        rules.counters.client_sent(self.transport, range.len());
        Outcome::ToPeer(peer, range)
    }

    fn message(&mut self, bytes: &[u8], now: Now) -> Outcome {
        // What stands behind the message is not part of it, and must not be read as if it were.
        let Some(&[high, low]) = bytes.get(2..4) else { return self.garbage() };
        let length = STUN_HEADER + usize::from(u16::from_be_bytes([high, low]));
        let Some(Ok(message)) = bytes.get(..length).map(Message::from_bytes) else { return self.garbage() };
        if bytes.len() != length {
            return self.garbage();
        }
        match (message.class(), message.method()) {
            (MessageClass::Request, BINDING) => {
                if !self.may_be_answered(now) {
                    return Outcome::Nothing;
                }
                answer(wire::binding(&message, self.from))
            }
            (MessageClass::Request, method) => self.request(&message, method, now),
            (MessageClass::Indication, SEND) => self.send_indication(&message, now),
            _ => Outcome::Nothing,
        }
    }

    fn send_indication(&mut self, message: &Message, now: Now) -> Outcome {
        let understood = [XorPeerAddress::TYPE, Data::TYPE, DontFragment::TYPE, Fingerprint::TYPE];
        if !unknown(message, &understood).is_empty() {
            return Outcome::Nothing;
        }
        let (Ok(peer), Some((offset, data))) =
            (message.attribute::<XorPeerAddress>(), message.raw_attribute_and_offset(Data::TYPE))
        else {
            self.rules.refuse(Refusal::Malformed);
            return Outcome::Nothing;
        };
        let peer = canonical(peer.addr(message.transaction_id()));
        self.relay_to(peer, offset + 4..offset + 4 + usize::from(data.length()), now)
    }

    fn request(&mut self, message: &Message, method: Method, now: Now) -> Outcome {
        let user = match self.authenticate(message, now) {
            Ok(user) => user,
            Err(outcome) => return outcome,
        };
        if self.allocation.as_mut().is_some_and(|own| !own.takes_request(now.monotonic)) {
            self.rules.refuse(Refusal::Rate);
            return Outcome::Nothing;
        }
        self.tick(now);
        match (method, &self.allocation) {
            (ALLOCATE, _) => self.allocate(message, user, now),
            (REFRESH | CREATE_PERMISSION | CHANNEL_BIND, None) => {
                answer(wire::error(message, ErrorCode::ALLOCATION_MISMATCH, &user.key))
            }
            (_, Some(own)) if own.username() != user.name => {
                answer(wire::error(message, ErrorCode::WRONG_CREDENTIALS, &user.key))
            }
            (REFRESH, _) => self.refresh(message, &user, now),
            (CREATE_PERMISSION, _) => self.create_permission(message, &user, now),
            (CHANNEL_BIND, _) => self.bind_channel(message, &user, now),
            _ => self.error(message, &user, ErrorCode::BAD_REQUEST, Some(Refusal::Malformed)),
        }
    }

    /// The long-term credential mechanism (RFC 8489, 9.2.4).
    fn authenticate(&mut self, message: &Message, now: Now) -> Result<User, Outcome> {
        if !message.has_attribute(MessageIntegrity::TYPE) {
            return Err(self.refuse(message, ErrorCode::UNAUTHORIZED, None, now));
        }
        let (Ok(name), Ok(_), Ok(nonce)) =
            (message.attribute::<Username>(), message.attribute::<Realm>(), message.attribute::<Nonce>())
        else {
            return Err(self.refuse(message, ErrorCode::BAD_REQUEST, Some(Refusal::Malformed), now));
        };
        if !nonce::is_good(&self.rules.secret, nonce.nonce(), self.from, now.wall) {
            return Err(self.refuse(message, ErrorCode::STALE_NONCE, None, now));
        }
        let name = name.username().to_owned();
        let known =
            self.allocation.as_ref().filter(|own| own.username() == name).map(|own| own.key().clone());
        let key = known.unwrap_or_else(|| self.rules.minter.key(&name));
        if message.validate_integrity_with_key(&key).is_err() {
            return Err(self.refuse(message, ErrorCode::UNAUTHORIZED, Some(Refusal::Forged), now));
        }
        Ok(User { name, key })
    }

    /// The answer to one who has proven nothing, or nothing that helps. A good nonce is given back as it is: clients see
    /// from it that asking again with the same credentials is no use.
    fn refuse(&mut self, message: &Message, code: u16, refusal: Option<Refusal>, now: Now) -> Outcome {
        if let Some(refusal) = refusal {
            self.rules.refuse(refusal);
        }
        if !self.may_be_answered(now) {
            return Outcome::Nothing;
        }
        let secret = &self.rules.secret;
        let nonce = message.attribute::<Nonce>().map(|nonce| nonce.nonce().to_owned()).ok();
        let nonce = nonce
            .filter(|nonce| nonce::is_good(secret, nonce, self.from, now.wall))
            .unwrap_or_else(|| nonce::make(secret, self.from, now.wall));
        answer(wire::refusal(message, code, (code != ErrorCode::BAD_REQUEST).then_some(&nonce)))
    }

    /// Whether one who has proven nothing is answered. On a stream the address cannot be a lie, and the shell counts.
    fn may_be_answered(&mut self, now: Now) -> bool {
        if self.allocation.is_some() {
            return true;
        }
        self.stranger_answers += 1;
        if self.transport != Transport::Udp {
            return true;
        }
        let mut strangers = self.rules.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        let may = strangers.may_be_answered(self.from.ip(), now.monotonic);
        drop(strangers);
        if !may {
            self.rules.refuse(Refusal::Rate);
        }
        may
    }
}

fn answer(answer: Answer) -> Outcome {
    answer.map_or(Outcome::Nothing, Outcome::Answer)
}

/// Attributes that must be understood and are not, beside those of the credential mechanism.
fn unknown(message: &Message, understood: &[AttributeType]) -> Vec<AttributeType> {
    let always =
        [Username::TYPE, Realm::TYPE, Nonce::TYPE, MessageIntegrity::TYPE, Fingerprint::TYPE, Software::TYPE];
    message
        .iter_attributes()
        .map(|(_, attribute)| attribute.get_type())
        .filter(|kind| kind.comprehension_required() && !always.contains(kind) && !understood.contains(kind))
        .collect()
}

#[cfg(test)]
mod tests;
