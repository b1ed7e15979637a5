//! Shell: lets consumers in: those that begin a session and those that go on with one. It refuses whatever is too much,
//! has no secret, or has nothing to go on with; what becomes of them then is `continuity.rs`'s decision.

use super::{
    consumer::{
        Carrier, Consumer, Outgoing, Visit,
        failure::Failure,
        negotiation::Terms,
        token::{self, Token},
    },
    continuity::Refused,
    hub::{Hub, Refusal, lock},
    settings::Settings,
};
use std::sync::{Arc, atomic::Ordering};
use vdi_protocol::{
    connection::ConnectionFailure,
    signalling::{Continued, ErrorCode, MediaPath},
};

impl Hub {
    /// A consumer is there.
    pub fn open_consumer(
        self: &Arc<Self>,
        id: &str,
        visit: Visit,
        outgoing: Outgoing,
    ) -> Result<Arc<Consumer>, Refusal> {
        let opened = self.try_open(id, visit, outgoing);
        if let Err(Refusal { code, message }) = &opened {
            let reason = match code {
                ErrorCode::TooManyConsumers => Some(ConnectionFailure::Full),
                ErrorCode::NoMedia => Some(ConnectionFailure::NoMedia),
                _ => None,
            };
            if let Some(reason) = reason {
                self.consumer_failed(id, &Failure::new(reason, message));
            }
        }
        opened
    }

    fn try_open(
        self: &Arc<Self>,
        id: &str,
        visit: Visit,
        outgoing: Outgoing,
    ) -> Result<Arc<Consumer>, Refusal> {
        let refuse = |code, message| Err(Refusal { code, message });
        let settings = self.settings().clone();
        let Some(token) = new_token() else {
            return refuse(ErrorCode::Internal, "the system gives no random numbers".into());
        };
        let terms = terms(id, &settings, token);
        let mut consumers = lock(&self.consumers);
        if !consumers.open {
            return refuse(ErrorCode::NoMedia, "the stream is not running".into());
        }
        if consumers.places.contains(id) {
            return refuse(ErrorCode::UnexpectedMessage, format!("there is a consumer \"{id}\" already"));
        }
        if consumers.places.count() >= settings.max_consumers as usize {
            return refuse(
                ErrorCode::TooManyConsumers,
                format!("this stream serves at most {} consumers at once", settings.max_consumers),
            );
        }
        let serial = consumers.new_serial();
        let consumer = Consumer::open(self, serial, visit, terms, outgoing);
        consumers.places.open(id, serial, consumer.clone());
        self.opened_total.fetch_add(1, Ordering::Relaxed);
        Ok(consumer)
    }

    /// A consumer goes on with its session over another way: its connection gets it, or a successor is opened.
    ///
    /// The message that asks for it is for the connection that is returned.
    pub fn continue_consumer(
        self: &Arc<Self>,
        session: &Continued,
        visit: Visit,
        outgoing: Outgoing,
    ) -> Result<(Arc<Consumer>, Carrier), Refusal> {
        let unknown = || {
            let (code, message) = token::unknown(session);
            Refusal { code, message }
        };
        let settings = self.settings().clone();
        let mut consumers = lock(&self.consumers);
        let present = consumers.places.get(&session.consumer).cloned().ok_or_else(unknown)?;
        if !consumers.open || !present.token.is(&session.token) {
            return Err(unknown());
        }
        if session.media == MediaPath::Keep {
            // What an old way does when it is let go is its own, and may come back here.
            drop(consumers);
            if !present.is_connected() {
                return Err(unknown());
            }
            let carrier = present.replace_outgoing(outgoing);
            return Ok((present, carrier));
        }
        consumers.places.may_follow(&session.consumer).map_err(|refused| match refused {
            Refused::Unknown => unknown(),
            Refused::TooMany => Refusal {
                code: ErrorCode::Internal,
                message: "earlier connections of this session are still going down".into(),
            },
        })?;
        let serial = consumers.new_serial();
        let terms = Terms {
            succeeds: true,
            known_bitrate: self.known_bitrate(&present),
            ..terms(&session.consumer, &settings, present.token.clone())
        };
        let successor = Consumer::open(self, serial, visit, terms, outgoing);
        let earlier = consumers.places.follow(&session.consumer, serial, successor.clone());
        drop(consumers);
        if let Some(earlier) = earlier {
            earlier.retire();
        }
        Ok((successor, 0))
    }
}

/// A secret for a new consumer.
fn new_token() -> Option<Token> {
    let mut random = [0; token::BYTES];
    getrandom::fill(&mut random).ok()?;
    Some(Token::of(random))
}

fn terms(id: &str, settings: &Settings, token: Token) -> Terms {
    Terms {
        consumer: id.to_owned(),
        servers: settings.servers(),
        negotiation_timeout: settings.negotiation_timeout,
        token,
        succeeds: false,
        known_bitrate: None,
    }
}
