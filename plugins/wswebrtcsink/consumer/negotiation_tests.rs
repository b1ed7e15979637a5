//! The negotiation's behaviour, without any I/O.

use super::{
    super::{sdp::tests as example, token::Token},
    *,
};
use vdi_protocol::{limits::MAX_CLIENT_BYTES, signalling::IceServer};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn new() -> Negotiation {
    gst::init().unwrap();
    Negotiation::new(Terms {
        consumer: "c1".into(),
        servers: Servers::default(),
        negotiation_timeout: s(15),
        token: Token::of([7; 16]),
        succeeds: false,
        known_bitrate: None,
    })
}

fn hello() -> Input {
    Input::Message(FromConsumer::Hello {
        version: VERSION,
        client: None,
        watches: false,
        session: None,
        decodes: Vec::new(),
        full_chroma: Vec::new(),
        surround: false,
    })
}

fn answer() -> Input {
    Input::Message(FromConsumer::Answer { sdp: example::answer() })
}

fn candidate() -> IceCandidate {
    IceCandidate {
        candidate: "candidate:1 1 UDP 2015363327 127.0.0.1 54321 typ host".into(),
        sdp_m_line_index: Some(0),
        sdp_mid: None,
    }
}

/// Drives a fresh consumer as far as wanted.
fn at(state: State) -> Negotiation {
    let mut n = new();
    let steps: [(State, fn() -> Input); 4] = [
        (State::Building, hello),
        (State::AwaitingAnswer, || Input::OfferReady(example::OFFER.into())),
        (State::Connecting, answer),
        (State::Connected, || Input::MediaConnected),
    ];
    for (reached, input) in steps {
        if n.state() == state {
            break;
        }
        n.handle(input(), Duration::ZERO);
        assert_eq!(n.state(), reached);
    }
    assert_eq!(n.state(), state);
    n
}

fn codes(actions: &[Action]) -> Vec<ErrorCode> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Send(ToConsumer::Error { code, .. }) => Some(*code),
            _ => None,
        })
        .collect()
}

#[test]
fn hello_is_welcomed_and_the_pipeline_is_built() {
    let actions = new().handle(hello(), s(0));
    assert!(
        matches!(&actions[..], [Action::Send(ToConsumer::Welcome { consumer, .. }), Action::Build] if consumer == "c1")
    );
}

#[test]
fn servers_stand_in_the_welcome_and_are_told_afterwards_when_they_change() {
    let servers = |credential: &str| Servers {
        ice_servers: vec![IceServer {
            urls: vec!["turn:turn.example.com".into()],
            username: Some("u".into()),
            credential: Some(credential.into()),
        }],
        ice_transport_policy: IceTransportPolicy::Relay,
    };
    let mut n = new();
    assert_eq!(n.handle(Input::IceServers(servers("one")), s(0)), [], "before hello nobody listens");
    let Some(Action::Send(ToConsumer::Welcome { ice_servers, ice_transport_policy, .. })) =
        n.handle(hello(), s(0)).into_iter().next()
    else {
        panic!("no welcome");
    };
    assert_eq!((ice_servers, ice_transport_policy), (servers("one").ice_servers, IceTransportPolicy::Relay));
    assert_eq!(n.handle(Input::IceServers(servers("one")), s(1)), [], "no news");
    let told = n.handle(Input::IceServers(servers("two")), s(2));
    assert!(
        matches!(&told[..], [Action::Send(ToConsumer::IceServers { ice_servers, .. })] if *ice_servers == servers("two").ice_servers)
    );
    assert!(!format!("{told:?}").contains("two"), "no password in what a log may show");
}

#[test]
fn own_candidates_wait_for_the_offer() {
    let mut n = at(State::Building);
    assert_eq!(n.handle(Input::LocalCandidate(candidate()), s(0)), []);
    let actions = n.handle(Input::OfferReady("v=0".into()), s(0));
    assert!(matches!(
        &actions[..],
        [Action::Send(ToConsumer::Offer { .. }), Action::Send(ToConsumer::Ice(_))]
    ));
    assert_eq!(n.handle(Input::LocalCandidate(candidate()), s(0)).len(), 1, "later ones trickle");
}

#[test]
fn candidates_that_overtake_the_answer_are_kept_for_it() {
    let mut n = at(State::AwaitingAnswer);
    assert_eq!(n.handle(Input::Message(FromConsumer::Ice(candidate())), s(0)), []);
    let actions = n.handle(answer(), s(0));
    assert!(matches!(&actions[..], [Action::ApplyAnswer(_), Action::AddCandidate(_)]));
}

#[test]
fn candidates_with_an_mdns_name_are_kept_from_webrtcbin() {
    let hidden = IceCandidate {
        candidate: "candidate:3 1 udp 2122260223 6b1c1d5e-6f2c-4d1e-8a54-000000000000.local 60000 typ host"
            .into(),
        ..candidate()
    };
    let told = || Input::Message(FromConsumer::Ice(hidden.clone()));
    let mut n = at(State::AwaitingAnswer);
    assert_eq!(n.handle(told(), s(0)), [Action::Resolve(hidden.clone())]);
    // The address was found before the answer came.
    assert_eq!(n.handle(Input::Resolved(candidate()), s(0)), []);
    assert_eq!(n.handle(answer(), s(0)).last(), Some(&Action::AddCandidate(candidate())));
    assert_eq!(n.handle(Input::Resolved(candidate()), s(1)), [Action::AddCandidate(candidate())]);
    let asked = (0..20).flat_map(|_| n.handle(told(), s(1))).count();
    assert_eq!(asked, MAX_NAMES - 1, "a page cannot make us ask for ever");
}

#[test]
fn the_gate_opens_when_the_media_path_is_up() {
    let mut n = at(State::Connecting);
    assert_eq!(n.handle(Input::MediaConnected, s(1)), [Action::OpenGate]);
    assert_eq!(n.handle(Input::MediaConnected, s(1)), [], "and only once");
}

#[test]
fn whatever_ends_a_connection_before_its_time_has_a_reason() {
    let after = |state, inputs: Vec<Input>, at_s| {
        let mut n = at(state);
        for input in inputs {
            n.handle(input, s(at_s));
        }
        assert_eq!(n.state(), State::Closed, "{state:?}");
        n.failure().map(|failure| failure.reason)
    };
    let lost = |clean| Input::SignallingLost { clean };
    let told = |reason| Input::Message(FromConsumer::Failure { reason, message: "no pair".into() });
    use ConnectionFailure as Why;
    for (state, inputs, at_s, reason) in [
        (State::AwaitingHello, vec![Input::Tick], 15, Some(Why::NoHello)),
        (State::AwaitingHello, vec![lost(false)], 1, None),
        (State::AwaitingAnswer, vec![Input::Tick], 15, Some(Why::NoAnswer)),
        (State::AwaitingAnswer, vec![lost(false)], 1, Some(Why::SignallingLost)),
        (State::AwaitingAnswer, vec![Input::Message(FromConsumer::Bye)], 1, None),
        (State::Connecting, vec![Input::Tick], 15, Some(Why::NoCandidates)),
        (State::Connecting, vec![Input::PathFound, Input::Tick], 15, Some(Why::DtlsFailed)),
        (State::Connecting, vec![Input::PathFound, Input::MediaFailed], 3, Some(Why::DtlsFailed)),
        (
            State::Connecting,
            vec![
                Input::LocalCandidate(candidate()),
                Input::Message(FromConsumer::Ice(candidate())),
                Input::MediaFailed,
            ],
            3,
            Some(Why::PathBlocked),
        ),
        (
            State::Connecting,
            vec![told(Why::RelayRefused), Input::Message(FromConsumer::Bye)],
            3,
            Some(Why::RelayRefused),
        ),
        (State::Connecting, vec![told(Why::RelayRefused), lost(true)], 3, Some(Why::RelayRefused)),
        (State::Connected, vec![Input::MediaFailed], 3, Some(Why::PathLost)),
        (State::Connected, vec![Input::Tick], 15, Some(Why::PathLost)),
        (State::Connected, vec![Input::MediaEnded], 3, None),
        (State::Connected, vec![lost(true)], 3, None),
        (State::Connected, vec![Input::Stop("the end".into())], 3, None),
    ] {
        let words = format!("{state:?} {inputs:?}");
        assert_eq!(after(state, inputs, at_s), reason, "{words}");
    }
}

#[test]
fn what_a_page_told_before_it_connected_all_the_same_is_no_failure() {
    let mut n = at(State::Connecting);
    let reason = ConnectionFailure::PathBlocked;
    n.handle(Input::Message(FromConsumer::Failure { reason, message: String::new() }), s(1));
    n.handle(Input::MediaConnected, s(2));
    n.handle(Input::Message(FromConsumer::Bye), s(3));
    assert_eq!((n.state(), n.failure()), (State::Closed, None));
}

#[test]
fn another_version_is_refused_with_the_version_spoken_here() {
    let mut n = new();
    let actions = n.handle(
        Input::Message(FromConsumer::Hello {
            version: 99,
            client: None,
            watches: false,
            session: None,
            decodes: Vec::new(),
            full_chroma: Vec::new(),
            surround: false,
        }),
        s(0),
    );
    assert_eq!(codes(&actions), [ErrorCode::UnsupportedVersion]);
    assert_eq!(n.state(), State::Closed);
}

#[test]
fn messages_at_the_wrong_time_are_refused_and_the_session_goes_on() {
    let mut n = new();
    assert_eq!(codes(&n.handle(answer(), s(0))), [ErrorCode::UnexpectedMessage]);
    let mut n = at(State::Connected);
    assert_eq!(codes(&n.handle(hello(), s(0))), [ErrorCode::UnexpectedMessage]);
    assert_eq!(codes(&n.handle(answer(), s(0))), [ErrorCode::UnexpectedMessage]);
    assert_eq!(n.state(), State::Connected);
}

#[test]
fn malformed_messages_are_answered_but_not_for_ever() {
    let mut n = at(State::Connected);
    for i in 1..MAX_BAD_MESSAGES {
        let actions = n.handle(Input::Malformed(ParseError::Malformed("x".into())), s(0));
        assert_eq!((codes(&actions), actions.len()), (vec![ErrorCode::MalformedMessage], 1), "message {i}");
    }
    n.handle(Input::Malformed(ParseError::Malformed("x".into())), s(0));
    assert_eq!(n.state(), State::Closed);
}

#[test]
fn a_nonsense_answer_ends_the_session_with_words() {
    let mut n = at(State::AwaitingAnswer);
    let actions = n.handle(Input::Message(FromConsumer::Answer { sdp: "hello".into() }), s(0));
    assert_eq!(codes(&actions), [ErrorCode::BadSdp]);
    assert!(matches!(actions.last(), Some(Action::Close(_))));
}

#[test]
fn a_nonsense_candidate_is_refused_and_the_session_goes_on() {
    let mut n = at(State::Connecting);
    let bad = IceCandidate { candidate: "hello".into(), ..candidate() };
    assert_eq!(codes(&n.handle(Input::Message(FromConsumer::Ice(bad)), s(0))), [ErrorCode::BadCandidate]);
    assert_eq!(n.state(), State::Connecting);
}

#[test]
fn a_flood_of_candidates_is_cut() {
    let mut n = at(State::Connecting);
    let mut taken = 0;
    for _ in 0..1000 {
        taken += n
            .handle(Input::Message(FromConsumer::Ice(candidate())), s(0))
            .iter()
            .filter(|action| matches!(action, Action::AddCandidate(_)))
            .count();
    }
    assert_eq!(taken, MAX_CANDIDATES);
    assert_eq!(n.state(), State::Closed);
}

#[test]
fn a_consumer_that_never_answers_is_closed_in_time() {
    for state in [State::AwaitingHello, State::Building, State::AwaitingAnswer, State::Connecting] {
        let mut n = at(state);
        assert_eq!(n.deadline(), Some(s(15)));
        assert_eq!(n.handle(Input::Tick, s(14)), []);
        assert_eq!(codes(&n.handle(Input::Tick, s(15))), [ErrorCode::Timeout], "{state:?}");
        assert_eq!(n.state(), State::Closed);
        assert_eq!(n.deadline(), None);
    }
}

#[test]
fn media_lives_on_when_the_signalling_is_cut_and_ends_when_nothing_is_heard() {
    let mut n = at(State::Connected);
    n.handle(Input::Heard, s(10));
    assert_eq!(n.handle(Input::SignallingLost { clean: false }, s(11)), []);
    n.handle(Input::Heard, s(13));
    assert_eq!(n.handle(Input::Tick, s(27)), [], "RFC 3550 lets six seconds pass between reports");
    assert!(matches!(&n.handle(Input::Tick, s(28))[..], [Action::Close(_)]));
}

#[test]
fn a_consumer_that_pings_is_missed_sooner() {
    let mut n = at(State::Connected);
    n.handle(Input::Heard, s(13));
    n.handle(Input::Pings, s(13));
    assert_eq!(n.handle(Input::Tick, s(18)), []);
    assert!(matches!(&n.handle(Input::Tick, s(19))[..], [Action::Close(_)]));
}

#[test]
fn a_consumer_that_closes_its_signalling_on_purpose_has_left() {
    let mut n = at(State::Connected);
    assert!(matches!(&n.handle(Input::SignallingLost { clean: true }, s(1))[..], [Action::Close(_)]));
    let mut n = at(State::Connecting);
    assert!(matches!(&n.handle(Input::SignallingLost { clean: false }, s(1))[..], [Action::Close(_)]));
}

#[test]
fn nothing_follows_the_end() {
    let mut n = at(State::Connected);
    let actions = n.handle(Input::Stop("the session has ended".into()), s(1));
    assert!(matches!(&actions[..], [Action::Send(ToConsumer::Bye { .. }), Action::Close(_)]));
    assert_eq!(n.handle(hello(), s(2)), []);
    assert_eq!(n.handle(Input::MediaConnected, s(2)), []);
    assert_eq!(n.handle(Input::Tick, s(100)), []);
}

fn go_on(media: MediaPath, token: &Token) -> Input {
    let session = Continued { consumer: "c1".into(), token: token.text().into(), media };
    Input::Message(FromConsumer::Hello {
        version: VERSION,
        client: Some("b".into()),
        watches: false,
        session: Some(session),
        decodes: Vec::new(),
        full_chroma: Vec::new(),
        surround: false,
    })
}

fn successor() -> Negotiation {
    gst::init().unwrap();
    let mut n = new();
    n.terms.succeeds = true;
    n
}

fn token() -> Token {
    Token::of([7; 16])
}

#[test]
fn a_consumer_is_given_the_secret_by_which_it_goes_on() {
    let actions = new().handle(hello(), s(0));
    let Action::Send(ToConsumer::Welcome { token: given, resumed, .. }) = &actions[0] else { panic!() };
    assert!(token().is(given) && !resumed);
}

#[test]
fn a_connected_consumer_that_comes_over_another_way_goes_on_without_a_new_offer() {
    let mut n = at(State::Connected);
    n.handle(Input::SignallingLost { clean: false }, s(10));
    let actions = n.handle(go_on(MediaPath::Keep, &token()), s(12));
    assert!(matches!(&actions[..], [Action::Send(ToConsumer::Welcome { resumed: true, .. })]), "{actions:?}");
    assert_eq!(n.state(), State::Connected);
}

#[test]
fn nobody_goes_on_with_a_session_without_its_secret() {
    let wrong = Token::of([8; 16]);
    let mut n = at(State::Connected);
    assert_eq!(codes(&n.handle(go_on(MediaPath::Keep, &wrong), s(1))), [ErrorCode::UnknownConsumer]);
    assert_eq!(n.state(), State::Connected, "and the one who has it does not suffer");
    let mut n = successor();
    assert_eq!(codes(&n.handle(go_on(MediaPath::Replace, &wrong), s(1))), [ErrorCode::UnknownConsumer]);
    assert_eq!(n.state(), State::Closed);
}

#[test]
fn a_session_that_a_new_consumer_names_is_unknown() {
    let mut n = new();
    assert_eq!(codes(&n.handle(go_on(MediaPath::Replace, &token()), s(0))), [ErrorCode::UnknownConsumer]);
    assert_eq!(n.state(), State::Closed);
}

#[test]
fn a_successor_is_welcomed_back_and_gets_an_offer() {
    let mut n = successor();
    let actions = n.handle(go_on(MediaPath::Replace, &token()), s(0));
    assert!(
        matches!(&actions[..], [Action::Send(ToConsumer::Welcome { resumed: true, .. }), Action::Build]),
        "who it is was told before: {actions:?}"
    );
}

#[test]
fn a_connection_that_was_replaced_ends_without_a_word_to_the_page() {
    let actions = at(State::Connected).handle(Input::Replaced, s(1));
    assert!(matches!(&actions[..], [Action::Close(_)]));
}

#[test]
fn the_browsers_name_is_told_if_it_is_one() {
    let named = |client: &str| {
        let hello = FromConsumer::Hello {
            version: VERSION,
            client: Some(client.into()),
            watches: false,
            session: None,
            decodes: Vec::new(),
            full_chroma: Vec::new(),
            surround: false,
        };
        new().handle(Input::Message(hello), s(0)).into_iter().find_map(|action| match action {
            Action::AnnounceClient(client) => Some(client),
            _ => None,
        })
    };
    assert_eq!(named("0b1e-_A").as_deref(), Some("0b1e-_A"));
    for none in ["", "a b", "ä", "a\n", &"x".repeat(MAX_CLIENT_BYTES + 1)] {
        assert_eq!(named(none), None, "{none:?}");
    }
}

#[test]
fn consumer_that_made_the_offer_is_connected_without_an_answer_or_a_channel() {
    let mut n = new().answering(true);
    n.handle(hello(), s(0));
    let actions = n.handle(Input::OfferReady(example::answer()), s(1));
    assert!(matches!(&actions[..], [Action::Send(ToConsumer::Offer { .. })]), "the answer goes out");
    assert_eq!(
        n.handle(Input::Message(FromConsumer::Ice(candidate())), s(1)),
        [Action::AddCandidate(candidate())]
    );
    assert_eq!(n.handle(Input::MediaConnected, s(2)), [Action::OpenGate, Action::AnnounceConnected]);
    assert_eq!(n.state(), State::Connected);
}
