//! A client and its server, message by message, on a clock of the test's own.

use super::{super::nonce, *};
use proptest::prelude::*;
use stun_proto::types::{
    message::{IntegrityAlgorithm, MessageWriteExt, MessageWriteVec},
    prelude::MessageWrite,
};
use turn_types::attribute::{
    ChannelNumber, EvenPort, Lifetime, RequestedTransport, ReservationToken, XorRelayedAddress,
};

const PEER: &str = "192.0.2.1:40000";
const FROM: &str = "198.51.100.1:1000";
const RELAYED: &str = "127.0.0.1:50000";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A server with one consumer, `c1`, whose agent is at [`PEER`], and a client that has its credentials.
struct Scene {
    rules: Arc<Rules>,
    client: Client,
    now: Now,
    username: String,
    key: IntegrityKey,
}

impl Scene {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        #[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
        let now = Now { monotonic: Instant::now(), wall: Duration::from_secs(1_700_000_000) };
        let rules = Rules::new(Secret::new(b"s"), Peers::default(), limits, now.monotonic);
        rules.peers.add("c1", at(PEER));
        let username = rules.minter.mint("c1", now.wall).username;
        let key = rules.minter.key(&username);
        let rules = Arc::new(rules);
        let client = Client::new(rules.clone(), Transport::Udp, at(FROM));
        Self { rules, client, now, username, key }
    }

    fn allocated() -> Self {
        let mut scene = Self::new();
        assert_eq!(scene.request(ALLOCATE, udp), Ok(()));
        scene
    }

    fn pass(&mut self, seconds: u64) {
        self.now.monotonic += Duration::from_secs(seconds);
        self.now.wall += Duration::from_secs(seconds);
    }

    fn bytes(&self, method: Method, fill: impl FnOnce(&mut MessageWriteVec)) -> Vec<u8> {
        let mut message = Message::builder_request(method, MessageWriteVec::new());
        fill(&mut message);
        message.add_attribute(&Username::new(&self.username).unwrap()).unwrap();
        message.add_attribute(&Realm::new(super::super::REALM).unwrap()).unwrap();
        let nonce = nonce::make(&self.rules.secret, at(FROM), self.now.wall);
        message.add_attribute(&Nonce::new(&nonce).unwrap()).unwrap();
        message.add_message_integrity_with_key(&self.key, IntegrityAlgorithm::Sha1).unwrap();
        message.finish()
    }

    /// What becomes of a signed request: the code of the error, if it is one. Answers are signed too.
    fn request(&mut self, method: Method, fill: impl FnOnce(&mut MessageWriteVec)) -> Result<(), u16> {
        let bytes = self.bytes(method, fill);
        let answer = self.answer(&bytes).expect("an answer");
        let answer = Message::from_bytes(&answer).unwrap();
        match answer.attribute::<ErrorCode>().map(|error| error.code()) {
            Ok(code) => Err(code),
            Err(_) => {
                answer.validate_integrity_with_key(&self.key).expect("success is signed");
                Ok(())
            }
        }
    }

    fn answer(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self.client.receive(bytes, self.now) {
            Outcome::Answer(answer) => Some(answer),
            Outcome::Allocate(wanted) => self.client.allocated(*wanted, Some(at(RELAYED)), self.now),
            _ => None,
        }
    }

    fn send(&mut self, peer: &str, data: &[u8]) -> Option<SocketAddr> {
        let mut message = Message::builder_indication(SEND, MessageWriteVec::new());
        message.add_attribute(&XorPeerAddress::new(at(peer), message.transaction_id())).unwrap();
        message.add_attribute(&Data::new(data)).unwrap();
        let bytes = message.finish();
        match self.client.receive(&bytes, self.now) {
            Outcome::ToPeer(to, range) => {
                assert_eq!(&bytes[range], data);
                Some(to)
            }
            _ => None,
        }
    }

    fn send_on_channel(&mut self, number: u16, data: &[u8]) -> Option<SocketAddr> {
        let mut bytes = vec![0; 4 + data.len()];
        ChannelData::new(number, data).write_into_unchecked(&mut bytes);
        match self.client.receive(&bytes, self.now) {
            Outcome::ToPeer(to, range) => {
                assert_eq!(&bytes[range], data);
                Some(to)
            }
            _ => None,
        }
    }

    fn refused(&self, refusal: Refusal) -> u64 {
        self.rules.counters.status().refused[refusal.as_str()]
    }

    fn allocations(&self) -> u64 {
        self.rules.counters.status().allocations
    }
}

fn udp(message: &mut MessageWriteVec) {
    message.add_attribute(&RequestedTransport::new(RequestedTransport::UDP)).unwrap();
}

fn peer(address: &str) -> impl FnOnce(&mut MessageWriteVec) + use<> {
    let address = at(address);
    move |message| {
        message.add_attribute(&XorPeerAddress::new(address, message.transaction_id())).unwrap();
    }
}

fn channel(number: u16, address: &str) -> impl FnOnce(&mut MessageWriteVec) + use<> {
    let address = peer(address);
    move |message| {
        message.add_attribute(&ChannelNumber::new(number)).unwrap();
        address(message);
    }
}

fn lifetime(seconds: u32) -> impl FnOnce(&mut MessageWriteVec) {
    move |message| message.add_attribute(&Lifetime::new(seconds)).unwrap()
}

/// Every address that must never be reached: services on loopback, metadata services, other hosts, other ports.
const ELSEWHERE: [&str; 12] = [
    "127.0.0.1:40000",
    "127.0.0.1:53",
    "169.254.169.254:80",
    "192.0.2.1:40001",
    "192.0.2.2:40000",
    "10.0.0.1:22",
    "[::1]:40000",
    "[::ffff:127.0.0.1]:40000",
    "[::ffff:169.254.169.254]:80",
    "[::ffff:192.0.2.1]:53",
    "0.0.0.0:40000",
    "[2001:db8::1]:40000",
];

#[test]
fn a_stranger_is_told_how_to_prove_himself_and_then_gets_an_allocation() {
    let mut scene = Scene::new();
    let bare = Message::builder_request(ALLOCATE, MessageWriteVec::new()).finish();
    let answer = scene.answer(&bare).unwrap();
    let answer = Message::from_bytes(&answer).unwrap();
    assert_eq!(answer.attribute::<ErrorCode>().unwrap().code(), 401);
    assert_eq!(answer.attribute::<Realm>().unwrap().realm(), super::super::REALM);
    assert!(nonce::is_good(
        &scene.rules.secret,
        answer.attribute::<Nonce>().unwrap().nonce(),
        at(FROM),
        scene.now.wall
    ));
    let bytes = scene.bytes(ALLOCATE, udp);
    let answer = scene.answer(&bytes).unwrap();
    let answer = Message::from_bytes(&answer).unwrap();
    answer.validate_integrity_with_key(&scene.key).unwrap();
    let id = answer.transaction_id();
    assert_eq!(answer.attribute::<XorRelayedAddress>().unwrap().addr(id), at(RELAYED));
    assert_eq!(
        answer.attribute::<stun_proto::types::attribute::XorMappedAddress>().unwrap().addr(id),
        at(FROM)
    );
    assert_eq!(answer.attribute::<Lifetime>().unwrap().seconds(), 600);
    assert_eq!(scene.allocations(), 1);
}

#[test]
fn an_allocation_whose_answer_was_lost_is_told_again_and_no_second_is_made() {
    let mut scene = Scene::new();
    let bytes = scene.bytes(ALLOCATE, udp);
    let first = scene.answer(&bytes).unwrap();
    assert_eq!(scene.answer(&bytes), Some(first));
    assert_eq!(scene.request(ALLOCATE, udp), Err(437), "another request is another matter");
    assert_eq!(scene.allocations(), 1);
}

#[test]
fn bad_credentials_get_nothing_and_are_counted_by_what_is_wrong_with_them() {
    let mut scene = Scene::new();
    scene.pass(600);
    assert_eq!((scene.request(ALLOCATE, udp), scene.refused(Refusal::Expired)), (Err(401), 1));

    let mut scene = Scene::new();
    scene.key = scene.rules.minter.key("1700000600:c2");
    assert_eq!((scene.request(ALLOCATE, udp), scene.refused(Refusal::Forged)), (Err(401), 1));

    let mut scene = Scene::new();
    scene.username = "1900000000:c1".into();
    assert_eq!(
        (scene.request(ALLOCATE, udp), scene.refused(Refusal::Forged)),
        (Err(401), 1),
        "a longer life"
    );

    let mut scene = Scene::new();
    scene.rules.minter.close("c1");
    assert_eq!((scene.request(ALLOCATE, udp), scene.refused(Refusal::Ended)), (Err(401), 1));
    assert_eq!(scene.allocations(), 0);
}

#[test]
fn a_session_that_lives_keeps_its_allocation_beyond_the_life_of_its_credentials() {
    let mut scene = Scene::allocated();
    for _ in 0..10 {
        scene.pass(500);
        scene.client.tick(scene.now);
        assert_eq!(scene.request(REFRESH, lifetime(600)), Ok(()));
    }
    assert_eq!(scene.request(CREATE_PERMISSION, peer(PEER)), Ok(()));
    assert_eq!(scene.send(PEER, b"x"), Some(at(PEER)));
}

#[test]
fn an_allocation_ends_with_its_session_its_refresh_or_its_time() {
    let mut scene = Scene::allocated();
    scene.rules.minter.close("c1");
    scene.client.tick(scene.now);
    assert_eq!(scene.allocations(), 0);
    assert_eq!(scene.request(REFRESH, lifetime(600)), Err(437));

    let mut scene = Scene::allocated();
    assert_eq!(scene.request(REFRESH, lifetime(0)), Ok(()));
    assert_eq!(scene.allocations(), 0);

    let mut scene = Scene::allocated();
    scene.pass(599);
    scene.client.tick(scene.now);
    assert_eq!(scene.allocations(), 1);
    scene.pass(1);
    scene.client.tick(scene.now);
    assert_eq!(scene.allocations(), 0);
}

#[test]
fn data_of_a_session_that_is_over_goes_nowhere_even_before_the_next_look() {
    let mut scene = Scene::allocated();
    assert_eq!(scene.request(CHANNEL_BIND, channel(0x4000, PEER)), Ok(()));
    assert_eq!(scene.send_on_channel(0x4000, b"x"), Some(at(PEER)));
    scene.rules.peers.forget("c1");
    assert_eq!(scene.send_on_channel(0x4000, b"x"), None);
    assert_eq!(scene.send(PEER, b"x"), None);
    assert_eq!(scene.client.peer_sent(at(PEER), 1, scene.now), None);
    assert_eq!(scene.refused(Refusal::Peer), 3);
}

#[test]
fn nobody_but_the_sessions_own_agent_is_reached_whatever_the_message() {
    for address in ELSEWHERE {
        let mut scene = Scene::allocated();
        // The permission is for the agent's address, all ports of which it names.
        assert_eq!(scene.request(CREATE_PERMISSION, peer("192.0.2.1:0")), Ok(()));
        assert_eq!(scene.request(CREATE_PERMISSION, peer(address)), Err(403), "{address}");
        assert_eq!(scene.request(CHANNEL_BIND, channel(0x4000, address)), Err(403), "{address}");
        assert_eq!(scene.send(address, b"x"), None, "{address}");
        assert_eq!(scene.client.peer_sent(at(address), 1, scene.now), None, "{address}");
        assert!(scene.refused(Refusal::Peer) >= 3, "{address}");
        assert_eq!(scene.send(PEER, b"x"), Some(at(PEER)));
    }
}

#[test]
fn the_agents_address_in_the_clothes_of_ipv6_is_the_agents_address() {
    let mut scene = Scene::allocated();
    assert_eq!(scene.request(CREATE_PERMISSION, peer("[::ffff:192.0.2.1]:40000")), Ok(()));
    assert_eq!(scene.send("[::ffff:192.0.2.1]:40000", b"x"), Some(at(PEER)));
}

#[test]
fn nothing_passes_without_a_permission_in_either_direction() {
    let mut scene = Scene::allocated();
    assert_eq!(scene.send(PEER, b"x"), None);
    assert_eq!(scene.client.peer_sent(at(PEER), 1, scene.now), None);
    assert_eq!(scene.request(CREATE_PERMISSION, peer(PEER)), Ok(()));
    assert_eq!(scene.send(PEER, b"x"), Some(at(PEER)));
    let wrapping = Some(Wrapping::Indication(at(PEER)));
    assert_eq!(scene.client.peer_sent(at(PEER), 1, scene.now), wrapping);
    scene.pass(300);
    assert_eq!(scene.send(PEER, b"x"), None, "it holds for five minutes");
    assert_eq!(scene.client.peer_sent(at(PEER), 1, scene.now), None);
}

#[test]
fn a_channel_has_one_peer_and_a_peer_one_channel() {
    let mut scene = Scene::allocated();
    scene.rules.peers.add("c1", at("192.0.2.7:40000"));
    assert_eq!(scene.request(CHANNEL_BIND, channel(0x4000, PEER)), Ok(()));
    assert_eq!(scene.request(CHANNEL_BIND, channel(0x4000, PEER)), Ok(()), "renewed");
    assert_eq!(scene.request(CHANNEL_BIND, channel(0x4001, PEER)), Err(400));
    assert_eq!(scene.request(CHANNEL_BIND, channel(0x4000, "192.0.2.7:40000")), Err(400));
    assert_eq!(scene.request(CHANNEL_BIND, channel(0x3fff, "192.0.2.7:40000")), Err(400));
    assert_eq!(scene.send_on_channel(0x4000, b"xyz"), Some(at(PEER)));
    assert_eq!(scene.send_on_channel(0x4001, b"xyz"), None);
    assert_eq!(scene.client.peer_sent(at(PEER), 3, scene.now), Some(Wrapping::Channel(0x4000)));
    scene.pass(300);
    assert_eq!(scene.send_on_channel(0x4000, b"x"), None, "the permission that it brought is over");
    assert_eq!(scene.request(CREATE_PERMISSION, peer(PEER)), Ok(()));
    assert_eq!(scene.send_on_channel(0x4000, b"x"), Some(at(PEER)));
    scene.pass(299);
    assert_eq!(scene.request(CREATE_PERMISSION, peer(PEER)), Ok(()));
    scene.pass(1);
    assert_eq!(scene.send_on_channel(0x4000, b"x"), None, "and now the channel is, too");
}

#[test]
fn requests_that_make_no_sense_are_answered_with_the_code_for_it() {
    let tcp = |message: &mut MessageWriteVec| {
        message.add_attribute(&RequestedTransport::new(RequestedTransport::TCP)).unwrap();
    };
    let pair = |message: &mut MessageWriteVec| {
        udp(message);
        message.add_attribute(&EvenPort::new(true)).unwrap();
    };
    let reservation = |message: &mut MessageWriteVec| {
        udp(message);
        message.add_attribute(&ReservationToken::new(1)).unwrap();
    };
    let mut scene = Scene::new();
    assert_eq!(scene.request(ALLOCATE, tcp), Err(442));
    assert_eq!(scene.request(ALLOCATE, pair), Err(508));
    assert_eq!(scene.request(ALLOCATE, reservation), Err(420));
    assert_eq!(scene.request(ALLOCATE, |_| {}), Err(400));
    assert_eq!(scene.request(CREATE_PERMISSION, peer(PEER)), Err(437));
    assert_eq!(scene.request(ALLOCATE, udp), Ok(()));
    assert_eq!(scene.request(CREATE_PERMISSION, |_| {}), Err(400));
    scene.rules.peers.add("c1", at("[2001:db8::9]:40000"));
    assert_eq!(scene.request(CREATE_PERMISSION, peer("[2001:db8::9]:40000")), Err(443));
    assert_eq!(scene.request(turn_types::message::CONNECT, peer(PEER)), Err(400));
    scene.username = scene.rules.minter.mint("c2", scene.now.wall).username;
    scene.key = scene.rules.minter.key(&scene.username);
    assert_eq!(scene.request(REFRESH, lifetime(0)), Err(441), "another's allocation");
    assert_eq!(scene.allocations(), 1);
}

#[test]
fn allocations_are_bounded_for_one_consumer_and_in_all() {
    let limits = Limits { per_consumer: 2, in_all: 3, ..Limits::default() };
    let mut scene = Scene::with(limits);
    let mut kept = Vec::new();
    let mut allocate = |scene: &mut Scene| {
        scene.client = Client::new(scene.rules.clone(), Transport::Udp, at(FROM));
        let result = scene.request(ALLOCATE, udp);
        let next = Client::new(scene.rules.clone(), Transport::Udp, at(FROM));
        kept.push(std::mem::replace(&mut scene.client, next));
        result
    };
    assert_eq!(
        (allocate(&mut scene), allocate(&mut scene), allocate(&mut scene)),
        (Ok(()), Ok(()), Err(486))
    );
    scene.username = scene.rules.minter.mint("c2", scene.now.wall).username;
    scene.key = scene.rules.minter.key(&scene.username);
    assert_eq!((allocate(&mut scene), allocate(&mut scene)), (Ok(()), Err(508)));
    assert_eq!((scene.refused(Refusal::Quota), scene.allocations()), (2, 3));
    kept.clear();
    assert_eq!(scene.allocations(), 0, "places are given back");
}

#[test]
fn an_allocation_carries_so_much_a_second_and_no_more() {
    let mut scene = Scene::with(Limits { bytes_per_second: 100_000, ..Limits::default() });
    assert_eq!(scene.request(ALLOCATE, udp), Ok(()));
    assert_eq!(scene.request(CHANNEL_BIND, channel(0x4000, PEER)), Ok(()));
    let mut passed = 0;
    for _ in 0..1000 {
        passed += usize::from(scene.send_on_channel(0x4000, &[0; 1000]).is_some());
        passed += usize::from(scene.client.peer_sent(at(PEER), 1000, scene.now).is_some());
        scene.now.monotonic += Duration::from_millis(10);
    }
    assert!((1000..=1026).contains(&passed), "{passed} packets of 1 kB in 10 s");
    assert_eq!(scene.rules.counters.status().traffic["udp"].packets_dropped, 2000 - passed as u64);
}

#[test]
fn one_who_asks_without_end_is_left_without_an_answer() {
    let mut scene = Scene::allocated();
    let answered = (0..1000).filter(|_| {
        let bytes = scene.bytes(REFRESH, lifetime(600));
        scene.answer(&bytes).is_some()
    });
    assert_eq!(answered.count(), 200);
    let mut scene = Scene::new();
    let bare = Message::builder_request(ALLOCATE, MessageWriteVec::new()).finish();
    assert_eq!((0..1000).filter(|_| scene.answer(&bare).is_some()).count(), 100);
    assert_eq!(scene.refused(Refusal::Rate), 900);
}

#[test]
fn a_message_with_something_behind_it_is_no_message() {
    let mut scene = Scene::new();
    let mut bytes = scene.bytes(ALLOCATE, udp);
    bytes.extend([0; 4]);
    assert!(matches!(scene.client.receive(&bytes, scene.now), Outcome::Garbage));
    assert_eq!(scene.refused(Refusal::Malformed), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_whatever_bring_the_server_down_or_reach_anyone(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cut in 0usize..120,
        changed in 0usize..120,
        value in any::<u8>(),
    ) {
        let mut scene = Scene::allocated();
        scene.request(CREATE_PERMISSION, peer(PEER)).unwrap();
        let mut damaged = scene.bytes(CHANNEL_BIND, channel(0x4000, PEER));
        damaged.truncate(cut.max(1));
        let place = changed % damaged.len();
        damaged[place] ^= value;
        for bytes in [bytes, damaged] {
            if let Outcome::ToPeer(to, range) = scene.client.receive(&bytes, scene.now) {
                prop_assert_eq!(to, at(PEER));
                prop_assert!(range.end <= bytes.len());
            }
        }
    }
}
