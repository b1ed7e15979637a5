//! Decision: the life of one consumer, from `hello` to the end, whatever carries its messages.
//!
//! ```text
//! AwaitingHello ─hello─▶ Building ─offer─▶ AwaitingAnswer ─answer─▶ Connecting ─media up─▶ Connected
//!       └──────────────────┴────────────────────┴───────────────────────┴──────────────────────┴─▶ Closed
//! ```
//!
//! A connection that goes on with a session goes the same way from the beginning, in place of another one
//! (`continuity.rs`). A connected one may lose the way of its messages and get another.
//!
//! Times are durations since the consumer was opened. Nothing here does I/O: the shell feeds inputs and carries out
//! the actions in order.

use super::terms::{PINGING_SILENCE_LIMIT, SILENCE_LIMIT};
pub use super::terms::{Servers, State, Terms};
use super::{
    failure::{Evidence, Failure},
    sdp,
    token::{is_client, unknown},
};
use std::time::Duration;
use vdi_protocol::{
    VERSION,
    connection::ConnectionFailure,
    limits::{MAX_BAD_MESSAGES, MAX_CANDIDATES},
    parse::ParseError,
    signalling::{
        Bye, Continued, ErrorCode, FromConsumer, IceCandidate, IceTransportPolicy, MediaPath, ToConsumer,
    },
};

/// Names of multicast DNS that are looked for. A browser makes one for each interface and kind of address.
const MAX_NAMES: usize = 8;

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
    /// The address behind one of its names was found.
    Resolved(IceCandidate),
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
    /// Its successor has taken its place.
    Replaced,
    /// The application or the server ends it.
    Stop(Bye),
    /// Nothing, but time has passed.
    Tick,
}

/// What the shell is to do.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Send this to the consumer.
    Send(ToConsumer),
    /// Tell the application which browser it is.
    AnnounceClient(String),
    /// Tell the application that the consumer comes back as one that only watched.
    AnnounceWatching,
    /// Build the consumer's pipeline and make an offer.
    Build,
    /// Hand the answer to webrtcbin.
    ApplyAnswer(String),
    /// Hand a candidate to webrtcbin.
    AddCandidate(IceCandidate),
    /// Look for the address behind a candidate's name, which is [`Input::Resolved`] if it is found.
    Resolve(IceCandidate),
    /// Let media flow.
    OpenGate,
    /// Tell the application that the consumer can be talked to.
    AnnounceConnected,
    /// Take everything down; nothing follows.
    Close(String),
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
    /// Names among them.
    names_seen: usize,
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
        Self {
            evidence: Evidence::default(),
            failure: None,
            terms,
            state: State::AwaitingHello,
            offer: String::new(),
            local_candidates: Vec::new(),
            early_candidates: Vec::new(),
            candidates_seen: 0,
            names_seen: 0,
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
            Input::Resolved(candidate) => self.usable_candidate(candidate),
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
            Input::Replaced => self.close("another connection of the same consumer has taken its place"),
            Input::Stop(bye) => {
                let mut actions = vec![Action::Send(ToConsumer::Bye(bye.clone()))];
                actions.extend(self.close(&bye.reason));
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
            (State::AwaitingHello, FromConsumer::Hello { version, .. }) if version != VERSION => self.fail(
                ErrorCode::UnsupportedVersion,
                format!("version {version} is not spoken here; this server speaks version {VERSION}"),
            ),
            (State::AwaitingHello, FromConsumer::Hello { client, watches, session, .. }) => {
                self.hello(client, watches, session.as_ref())
            }
            (State::Connected, FromConsumer::Hello { session: Some(session), .. }) => {
                if self.is_own(&session, MediaPath::Keep) {
                    return vec![self.welcome(true)];
                }
                let (code, message) = unknown(&session);
                self.refuse(code, message)
            }
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

    fn hello(&mut self, client: Option<String>, watches: bool, session: Option<&Continued>) -> Vec<Action> {
        let succeeds = self.terms.succeeds;
        if let Some(other) = session.filter(|it| !(succeeds && self.is_own(it, MediaPath::Replace))) {
            let (code, message) = unknown(other);
            return self.fail(code, message);
        }
        self.state = State::Building;
        self.evidence.relay_only = self.terms.servers.ice_transport_policy == IceTransportPolicy::Relay;
        let mut actions = vec![self.welcome(succeeds)];
        // Who the successor is, the application knows already. A name that is none is no reason to turn a page away.
        let client = client.filter(|client| !succeeds && is_client(client));
        actions.extend(client.map(Action::AnnounceClient));
        actions.extend((watches && !succeeds).then_some(Action::AnnounceWatching));
        actions.push(Action::Build);
        actions
    }

    /// Whether this connection is the one to go on with the session.
    fn is_own(&self, session: &Continued, media: MediaPath) -> bool {
        let named = session.media == media && session.consumer == self.terms.consumer;
        self.terms.token.is(&session.token) && named
    }

    fn welcome(&self, resumed: bool) -> Action {
        Action::Send(ToConsumer::Welcome {
            version: VERSION,
            consumer: self.terms.consumer.clone(),
            ice_servers: self.terms.servers.ice_servers.clone(),
            ice_transport_policy: self.terms.servers.ice_transport_policy,
            token: self.terms.token.text().to_owned(),
            resumed,
        })
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
        if candidate.candidate.is_empty() {
            return Vec::new();
        }
        if sdp::is_mdns(&candidate.candidate) {
            self.names_seen += 1;
            let few = self.names_seen <= MAX_NAMES;
            return few.then_some(Action::Resolve(candidate)).into_iter().collect();
        }
        self.usable_candidate(candidate)
    }

    fn usable_candidate(&mut self, candidate: IceCandidate) -> Vec<Action> {
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
#[path = "negotiation_tests.rs"]
mod tests;
