//! Decision: the TURN server: strangers, a client with good credentials that says what it wants, and the stream between messages.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use stun_proto::types::{
    attribute::{AttributeType, Nonce, RawAttribute, Realm, Username},
    message::{IntegrityAlgorithm, IntegrityKey, Message, MessageWriteExt, MessageWriteVec, Method},
    prelude::MessageWrite,
};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH};
use vdi_launcher::turn::{
    Limits, Peers, REALM, Secret, Transport,
    client::{Client, Now, Outcome, Rules},
    framing::{self, Frame},
    nonce,
};

/// The agent of the only consumer.
const PEER: &str = "192.0.2.1:40000";
const FROM: &str = "198.51.100.1:1000";
const RELAYED: &str = "127.0.0.1:50000";
/// A stranger's own address may be a lie, so an answer to it is no larger than this.
const MAX_ANSWER_TO_STRANGER: usize = 128;
/// MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT, which the writer takes as what they are only.
const WRITTEN_LAST: [u16; 3] = [0x0008, 0x001c, 0x8028];

struct Scene {
    rules: Arc<Rules>,
    secret: Secret,
    client: Client,
    now: Now,
    username: String,
    key: IntegrityKey,
}

/// Steps, each of which is one byte for what it is, two for how long, and as many: a message as it is, a signed request with these
/// attributes, or time that passes.
pub fn client(data: &[u8]) {
    let mut scene = Scene::new();
    let mut rest = data;
    while let [what, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (bytes, after) = after.split_at(length);
        rest = after;
        match what % 8 {
            0 => scene.receive(bytes),
            1 => scene.request(ALLOCATE, bytes),
            2 => scene.request(REFRESH, bytes),
            3 => scene.request(CREATE_PERMISSION, bytes),
            4 => scene.request(CHANNEL_BIND, bytes),
            5 => scene.pass(length),
            6 => scene.peer_sent(bytes),
            _ => {
                let channel = [&[0x40, 0][..], &(bytes.len() as u16).to_be_bytes(), bytes].concat();
                scene.receive(&channel);
            }
        }
    }
}

impl Scene {
    fn new() -> Self {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        #[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
        let monotonic = *BEGAN.get_or_init(Instant::now);
        let now = Now { monotonic, wall: Duration::from_secs(1_700_000_000) };
        let secret = Secret::new(b"s");
        let rules = Rules::new(secret.clone(), Peers::default(), Limits::default(), now.monotonic);
        rules.peers.add("c1", PEER.parse().unwrap());
        let username = rules.minter.mint("c1", now.wall).username;
        let key = rules.minter.key(&username);
        let rules = Arc::new(rules);
        let client = Client::new(rules.clone(), Transport::Udp, FROM.parse().unwrap());
        Self { rules, secret, client, now, username, key }
    }

    fn receive(&mut self, bytes: &[u8]) {
        let known = self.client.has_allocation();
        let answer = match self.client.receive(bytes, self.now) {
            Outcome::Answer(answer) => Some(answer),
            Outcome::Allocate(wanted) => {
                self.client.allocated(*wanted, Some(RELAYED.parse().unwrap()), self.now)
            }
            Outcome::ToPeer(to, range) => {
                assert!(known && to == PEER.parse::<SocketAddr>().unwrap(), "{to} is nobody's agent");
                assert!(range.end <= bytes.len() && range.start <= range.end);
                None
            }
            Outcome::Nothing | Outcome::Garbage => None,
        };
        if let Some(answer) = answer {
            let answer = Message::from_bytes(&answer).expect("an answer is a message");
            assert!(answer.is_response());
            let signed = answer.validate_integrity_with_key(&self.key).is_ok();
            assert!(signed || answer.as_bytes().len() <= MAX_ANSWER_TO_STRANGER, "a flood");
        }
    }

    /// A request that is signed as it should be, whatever its attributes are: a type, a length and as many bytes each.
    fn request(&mut self, method: Method, mut attributes: &[u8]) {
        let mut message = Message::builder_request(method, MessageWriteVec::new());
        while let [high, low, length, rest @ ..] = attributes {
            let (value, after) = rest.split_at(usize::from(*length).min(rest.len()));
            attributes = after;
            let kind = u16::from_be_bytes([*high, *low]);
            if !WRITTEN_LAST.contains(&kind) {
                let _ = message.add_attribute(&RawAttribute::new(AttributeType::new(kind), value));
            }
        }
        let nonce = nonce::make(&self.secret, FROM.parse().unwrap(), self.now.wall);
        let whole = message.add_attribute(&Username::new(&self.username).unwrap()).is_ok()
            && message.add_attribute(&Realm::new(REALM).unwrap()).is_ok()
            && message.add_attribute(&Nonce::new(&nonce).unwrap()).is_ok()
            && message.add_message_integrity_with_key(&self.key, IntegrityAlgorithm::Sha1).is_ok();
        if whole {
            self.receive(&message.finish());
        }
    }

    fn peer_sent(&mut self, bytes: &[u8]) {
        self.client.peer_sent(PEER.parse().unwrap(), bytes.len(), self.now);
        let text = crate::text(bytes);
        assert!(!nonce::is_good(&self.secret, text, "192.0.2.7:7".parse().unwrap(), self.now.wall));
        let elsewhere = SocketAddr::new(PEER.parse::<SocketAddr>().unwrap().ip(), 40_001);
        assert!(self.client.peer_sent(elsewhere, bytes.len(), self.now).is_none(), "another port");
    }

    fn pass(&mut self, seconds: usize) {
        let time = Duration::from_secs(seconds as u64);
        self.now.monotonic += time;
        self.now.wall += time;
        self.client.tick(self.now);
        assert!(!self.client.has_allocation() || self.rules.minter.is_open("c1"));
    }
}

/// A stream: whatever its beginning is found to be, it was not found to be something else with fewer bytes.
pub fn stream(data: &[u8]) {
    let mut rest = data;
    loop {
        let found = framing::next(rest);
        for length in 0..rest.len().min(32) {
            let part = framing::next(&rest[..length]);
            assert!(part == Frame::Partial || part == found, "{part:?} has become {found:?}");
        }
        let Frame::Complete { message, total } = found else { break };
        assert!(message >= 4 && message <= total && total - message < 4 && total <= rest.len());
        assert!(message <= framing::MAX_MESSAGE);
        rest = &rest[total..];
    }
}
