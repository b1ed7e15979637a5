//! Decision: the life of one consumer, from `hello` to the end, whatever carries its messages.
//!
//! ```text
//! AwaitingHello ─hello─▶ Building ─offer─▶ AwaitingAnswer ─answer─▶ Connecting ─media up─▶ Connected
//!       └──────────────────┴────────────────────┴───────────────────────┴──────────────────────┴─▶ Closed
//! ```
//!
//! Times are durations since the consumer was opened. Nothing here does I/O: the shell feeds inputs and carries out
//! the actions in order.

use super::{
    failure::{Evidence, Failure},
    sdp,
};
use std::time::Duration;
use vdi_protocol::{
    VERSION,
    connection::ConnectionFailure,
    limits::{MAX_BAD_MESSAGES, MAX_CANDIDATES},
    parse::ParseError,
    signalling::{ErrorCode, FromConsumer, IceCandidate, IceServer, IceTransportPolicy, ToConsumer},
};

/// A connected consumer from which neither RTCP nor data came for so long is gone. RFC 3550, 6.3.1 lets 6.2 s pass
/// between two reports, and one may be lost.
const SILENCE_LIMIT: Duration = Duration::from_secs(15);

/// The same for a consumer that pings, since it does so every second; a busy machine may delay that, a closed lid does
/// not last.
const PINGING_SILENCE_LIMIT: Duration = Duration::from_secs(6);

/// What happens to a consumer.
#[derive(Debug)]
pub enum Input {
    /// It sent a message.
    Message(FromConsumer),
    /// It sent something that is no message.
    Malformed(ParseError),
    /// These are its servers now.
    IceServers(Servers),
    /// Its pipeline is up and has made this offer.
    OfferReady(String),
    /// Its pipeline could not be made, or it has failed.
    PipelineFailed {
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
    },
    /// Our ICE agent found a candidate.
    LocalCandidate(IceCandidate),
    /// webrtcbin refused the answer.
    AnswerRefused(String),
    /// The media path is up.
    MediaConnected,
    /// ICE has found a path; encryption comes next.
    PathFound,
    /// The media path has failed.
    MediaFailed,
    /// The media path was closed by the consumer.
    MediaEnded,
    /// The `control` channel is open.
    ControlOpen,
    /// RTCP or data arrived.
    Heard,
    /// It has begun to ping.
    Pings,
    /// The way of its messages is cut. Clean means that it closed it on purpose.
    SignallingLost {
        /// Closed on purpose.
        clean: bool,
    },
    /// The application or the server ends it.
    Stop(String),
    /// Nothing, but time has passed.
    Tick,
}

/// What the shell is to do.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Send this to the consumer.
    Send(ToConsumer),
    /// Build the consumer's pipeline and make an offer.
    Build,
    /// Hand the answer to webrtcbin.
    ApplyAnswer(String),
    /// Hand a candidate to webrtcbin.
    AddCandidate(IceCandidate),
    /// Let media flow.
    OpenGate,
    /// Tell the application that the consumer can be talked to.
    AnnounceConnected,
    /// Take everything down; nothing follows.
    Close(String),
}

/// Where the consumer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing was said yet.
    AwaitingHello,
    /// The pipeline is being built.
    Building,
    /// The offer is out.
    AwaitingAnswer,
    /// ICE and DTLS are at work.
    Connecting,
    /// Media flows.
    Connected,
    /// Over.
    Closed,
}

/// How the consumer may find its way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Servers {
    /// For the consumer's `RTCPeerConnection`.
    pub ice_servers: Vec<IceServer>,
    /// For the consumer's `RTCPeerConnection`.
    pub ice_transport_policy: IceTransportPolicy,
}

/// What `welcome` says, and the limits.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The consumer's name.
    pub consumer: String,
    /// Its servers, until others are told.
    pub servers: Servers,
    /// From opening to connected.
    pub negotiation_timeout: Duration,
}

/// One consumer's negotiation.
#[derive(Debug)]
pub struct Negotiation {
    terms: Terms,
    state: State,
    /// The offer that is out.
    offer: String,
    /// Our candidates found before the offer was out.
    local_candidates: Vec<IceCandidate>,
    /// Candidates that came before the answer.
    early_candidates: Vec<IceCandidate>,
    /// Candidates taken from the consumer so far.
    candidates_seen: usize,
    /// Messages refused so far.
    bad_messages: u32,
    /// When RTCP or data arrived last.
    last_heard: Duration,
    /// Whether it pings.
    pings: bool,
    /// Whether the consumer has made the offer.
    answers: bool,
    /// What is known of how it connects.
    evidence: Evidence,
    /// Why it did not connect, or is connected no more, if that was not as somebody wished.
    failure: Option<Failure>,
}

impl Negotiation {
    /// A consumer that has just been opened.
    pub fn new(terms: Terms) -> Self {
        let relay_only = terms.servers.ice_transport_policy == IceTransportPolicy::Relay;
        Self {
            evidence: Evidence { relay_only, ..Evidence::default() },
            failure: None,
            terms,
            state: State::AwaitingHello,
            offer: String::new(),
            local_candidates: Vec::new(),
            early_candidates: Vec::new(),
            candidates_seen: 0,
            bad_messages: 0,
            last_heard: Duration::ZERO,
            pings: false,
            answers: false,
        }
    }

    /// The consumer has made the offer, and what goes out is the answer: nothing more is to come, no channel either.
    pub fn answering(self, answers: bool) -> Self {
        Self { answers, ..self }
    }

    /// Where the consumer stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Why it did not connect, or is connected no more; `None` if that was as somebody wished.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// When [`Input::Tick`] is wanted at the latest.
    pub fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::Closed => None,
            State::Connected if self.pings => Some(self.last_heard + PINGING_SILENCE_LIMIT),
            State::Connected => Some(self.last_heard + SILENCE_LIMIT),
            _ => Some(self.terms.negotiation_timeout),
        }
    }

    /// Something happened.
    pub fn handle(&mut self, input: Input, now: Duration) -> Vec<Action> {
        if self.state == State::Closed {
            return Vec::new();
        }
        match input {
            Input::Message(message) => self.message(message),
            Input::Malformed(err) => self.refuse(ErrorCode::MalformedMessage, err.to_string()),
            Input::IceServers(servers) => self.ice_servers(servers),
            Input::OfferReady(offer) => self.offer_ready(offer),
            Input::PipelineFailed { code, message } => self.fail(code, message),
            Input::LocalCandidate(candidate) => {
                self.evidence.local.note(&candidate.candidate);
                self.local_candidate(candidate)
            }
            Input::AnswerRefused(why) => {
                self.fail(ErrorCode::BadSdp, format!("the answer could not be applied: {why}"))
            }
            Input::PathFound => {
                self.evidence.path_found = true;
                Vec::new()
            }
            Input::MediaConnected if self.state == State::Connecting => {
                self.state = State::Connected;
                self.last_heard = now;
                self.evidence.told = None;
                // Where no channel will open, this is all that there is to wait for.
                let connected = self.answers.then_some(Action::AnnounceConnected);
                std::iter::once(Action::OpenGate).chain(connected).collect()
            }
            Input::MediaConnected => Vec::new(),
            Input::MediaFailed | Input::MediaEnded if self.state == State::Connecting => {
                let failure = self.evidence.no_path();
                let message = format!("the media path did not come up: {}", failure.message);
                self.failure = Some(failure);
                self.close(&message)
            }
            Input::MediaFailed => {
                let lost = "the media path has failed";
                self.failure = Some(Failure::new(ConnectionFailure::PathLost, lost));
                self.close(lost)
            }
            Input::MediaEnded => self.close("the media path has ended"),
            Input::ControlOpen => vec![Action::AnnounceConnected],
            Input::Pings => {
                self.pings = true;
                Vec::new()
            }
            Input::Heard => {
                self.last_heard = now;
                Vec::new()
            }
            Input::SignallingLost { clean } => match self.state {
                State::Connected if !clean => Vec::new(),
                // What opens a WebSocket and goes without a word is a probe, and no page that failed.
                State::AwaitingHello => self.close("the consumer has left"),
                _ if clean => self.leave(),
                _ => {
                    let lost = "the signalling was lost";
                    self.failure = Some(Failure::new(ConnectionFailure::SignallingLost, lost));
                    self.close(lost)
                }
            },
            Input::Stop(reason) => {
                let mut actions = vec![Action::Send(ToConsumer::Bye { reason: reason.clone() })];
                actions.extend(self.close(&reason));
                actions
            }
            Input::Tick => self.tick(now),
        }
    }

    fn message(&mut self, message: FromConsumer) -> Vec<Action> {
        match (self.state, message) {
            (_, FromConsumer::Bye) => self.leave(),
            (state, FromConsumer::Failure { reason, message }) if state != State::AwaitingHello => {
                self.evidence.told = Some(Failure::told(reason, &message));
                Vec::new()
            }
            (State::AwaitingHello, FromConsumer::Hello { version, .. }) if version == VERSION => {
                self.state = State::Building;
                vec![
                    Action::Send(ToConsumer::Welcome {
                        version: VERSION,
                        consumer: self.terms.consumer.clone(),
                        ice_servers: self.terms.servers.ice_servers.clone(),
                        ice_transport_policy: self.terms.servers.ice_transport_policy,
                        token: String::new(),
                        resumed: false,
                    }),
                    Action::Build,
                ]
            }
            (State::AwaitingHello, FromConsumer::Hello { version, .. }) => self.fail(
                ErrorCode::UnsupportedVersion,
                format!("version {version} is not spoken here; this server speaks version {VERSION}"),
            ),
            (State::AwaitingAnswer, FromConsumer::Answer { sdp }) => {
                if let Err(why) = sdp::check_answer(&self.offer, &sdp) {
                    return self.fail(ErrorCode::BadSdp, why);
                }
                self.state = State::Connecting;
                let mut actions = vec![Action::ApplyAnswer(sdp)];
                actions.extend(self.early_candidates.drain(..).map(Action::AddCandidate));
                actions
            }
            (State::AwaitingAnswer | State::Connecting | State::Connected, FromConsumer::Ice(candidate)) => {
                self.remote_candidate(candidate)
            }
            (state, message) => {
                let name = match message {
                    FromConsumer::Hello { .. } => "hello",
                    FromConsumer::Answer { .. } => "answer",
                    FromConsumer::Ice(_) => "ice",
                    FromConsumer::Failure { .. } => "failure",
                    FromConsumer::Bye => "bye",
                };
                let accepted = match state {
                    State::AwaitingHello => "hello",
                    State::Building => "bye",
                    State::AwaitingAnswer => "answer, ice and bye",
                    _ => "ice and bye",
                };
                self.refuse(
                    ErrorCode::UnexpectedMessage,
                    format!("\"{name}\" is not expected now; accepted: {accepted}"),
                )
            }
        }
    }

    /// The welcome says what holds at its time; after it a change is told.
    fn ice_servers(&mut self, servers: Servers) -> Vec<Action> {
        let changed = self.terms.servers != servers;
        self.terms.servers = servers.clone();
        if self.state == State::AwaitingHello || !changed {
            return Vec::new();
        }
        let Servers { ice_servers, ice_transport_policy } = servers;
        vec![Action::Send(ToConsumer::IceServers { ice_servers, ice_transport_policy })]
    }

    fn offer_ready(&mut self, offer: String) -> Vec<Action> {
        if self.state != State::Building {
            return Vec::new();
        }
        self.state = if self.answers { State::Connecting } else { State::AwaitingAnswer };
        self.offer.clone_from(&offer);
        let mut actions = vec![Action::Send(ToConsumer::Offer { sdp: offer })];
        actions.extend(self.local_candidates.drain(..).map(|c| Action::Send(ToConsumer::Ice(c))));
        actions
    }

    fn local_candidate(&mut self, candidate: IceCandidate) -> Vec<Action> {
        if self.state == State::Building {
            self.local_candidates.push(candidate);
            return Vec::new();
        }
        vec![Action::Send(ToConsumer::Ice(candidate))]
    }

    fn remote_candidate(&mut self, candidate: IceCandidate) -> Vec<Action> {
        self.candidates_seen += 1;
        if self.candidates_seen > MAX_CANDIDATES {
            return self.refuse(
                ErrorCode::BadCandidate,
                format!("more than {MAX_CANDIDATES} candidates; the rest is ignored"),
            );
        }
        let sections = self.offer.lines().filter(|line| line.starts_with("m=")).count();
        if let Err(why) = sdp::check_candidate(&candidate, u32::try_from(sections).unwrap_or(u32::MAX)) {
            return self.refuse(ErrorCode::BadCandidate, why);
        }
        self.evidence.remote.note(&candidate.candidate);
        if candidate.candidate.is_empty() || sdp::is_mdns(&candidate.candidate) {
            return Vec::new();
        }
        if self.state == State::AwaitingAnswer {
            self.early_candidates.push(candidate);
            return Vec::new();
        }
        vec![Action::AddCandidate(candidate)]
    }

    fn tick(&mut self, now: Duration) -> Vec<Action> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        let seconds = self.terms.negotiation_timeout.as_secs_f32();
        match self.state {
            State::Connected => {
                let silent = "nothing was heard from the consumer any more";
                self.failure = Some(Failure::new(ConnectionFailure::PathLost, silent));
                self.close(silent)
            }
            State::AwaitingHello => {
                self.late(ConnectionFailure::NoHello, format!("no hello within {seconds} s"))
            }
            State::Building => self.late(ConnectionFailure::Internal, format!("no offer within {seconds} s")),
            State::AwaitingAnswer => {
                self.late(ConnectionFailure::NoAnswer, format!("no answer within {seconds} s"))
            }
            _ => {
                let failure = self.evidence.no_path();
                let words = &failure.message;
                self.late(
                    failure.reason,
                    format!("the media path did not come up within {seconds} s: {words}"),
                )
            }
        }
    }

    /// Answers a bad message and goes on, but not for ever.
    fn refuse(&mut self, code: ErrorCode, message: String) -> Vec<Action> {
        self.bad_messages += 1;
        let mut actions = vec![Action::Send(ToConsumer::Error { code, message })];
        if self.bad_messages >= MAX_BAD_MESSAGES {
            let many = "too many bad messages";
            self.failure = Some(Failure::new(ConnectionFailure::BadMessages, many));
            actions.extend(self.close(many));
        }
        actions
    }

    /// The consumer goes of its own will, which is a failure only if it said so.
    fn leave(&mut self) -> Vec<Action> {
        self.failure = self.evidence.told.take();
        self.close("the consumer has left")
    }

    /// Something took too long.
    fn late(&mut self, reason: ConnectionFailure, message: String) -> Vec<Action> {
        self.failure = Some(Failure::new(reason, message.clone()));
        self.fail(ErrorCode::Timeout, message)
    }

    /// Answers and ends.
    fn fail(&mut self, code: ErrorCode, message: String) -> Vec<Action> {
        let reason = match code {
            ErrorCode::UnsupportedVersion => ConnectionFailure::UnsupportedVersion,
            ErrorCode::BadSdp => ConnectionFailure::BadAnswer,
            ErrorCode::NoMedia => ConnectionFailure::NoMedia,
            ErrorCode::TooManyConsumers => ConnectionFailure::Full,
            _ => ConnectionFailure::Internal,
        };
        self.failure.get_or_insert_with(|| Failure::new(reason, message.clone()));
        let mut actions = vec![Action::Send(ToConsumer::Error { code, message: message.clone() })];
        actions.extend(self.close(&message));
        actions
    }

    fn close(&mut self, reason: &str) -> Vec<Action> {
        self.state = State::Closed;
        vec![Action::Close(reason.to_owned())]
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sdp::tests as example, *};

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn new() -> Negotiation {
        gst::init().unwrap();
        Negotiation::new(Terms {
            consumer: "c1".into(),
            servers: Servers::default(),
            negotiation_timeout: s(15),
        })
    }

    fn hello() -> Input {
        Input::Message(FromConsumer::Hello { version: VERSION, client: None, session: None })
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
        assert_eq!(
            (ice_servers, ice_transport_policy),
            (servers("one").ice_servers, IceTransportPolicy::Relay)
        );
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
            candidate:
                "candidate:3 1 udp 2122260223 6b1c1d5e-6f2c-4d1e-8a54-000000000000.local 60000 typ host"
                    .into(),
            ..candidate()
        };
        assert_eq!(at(State::Connecting).handle(Input::Message(FromConsumer::Ice(hidden)), s(0)), []);
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
        let actions =
            n.handle(Input::Message(FromConsumer::Hello { version: 99, client: None, session: None }), s(0));
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
            assert_eq!(
                (codes(&actions), actions.len()),
                (vec![ErrorCode::MalformedMessage], 1),
                "message {i}"
            );
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
}
