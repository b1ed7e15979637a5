//! Shell: WHEP (draft-ietf-wish-whep): standard players send an offer to `/whep` and watch. Each is a consumer called `whep-…`,
//! without data channels; it may never control anything.

use super::{Reach, origin};
use crate::wswebrtcsink::{
    Mark,
    consumer::{
        Consumer, Part, Visit,
        negotiation::Input,
        offered::{self, Offered, Refusal},
    },
    hub::Hub,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};
use vdi_protocol::{
    VERSION,
    environment::WHEP_PREFIX,
    signalling::{Bye, FromConsumer, IceCandidate, IceServer, ToConsumer},
};
use warp::{
    Filter, Rejection, Reply,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    hyper::body::Bytes,
    reply::Response,
};

/// Largest offer or fragment. A browser's offer of every codec takes 10 kB.
const MAX_BODY_BYTES: u64 = 64 * 1024;
/// Time for the answer; a pipeline is up in a fraction of a second.
const ANSWER_LIMIT: Duration = Duration::from_secs(12);
/// Time for its candidates: a STUN or TURN server that does not answer must not hold it up.
const GATHERING_LIMIT: Duration = Duration::from_secs(2);
/// Messages of one negotiation: an answer and a candidate for each address and server.
const OUTBOX: usize = 256;

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// What a player of another site may do and read. No browser sends cookies with it, so this gives nobody's credentials away.
const CORS: [(header::HeaderName, &str); 5] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, PATCH, DELETE, OPTIONS"),
    (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, If-Match"),
    (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Location, ETag, Link, Accept-Patch, Retry-After"),
    (header::ACCESS_CONTROL_MAX_AGE, "86400"),
];

/// The secrets in the sessions' addresses, by consumer.
type Sessions = Arc<Mutex<HashMap<String, String>>>;

/// `/whep` and what is below it.
pub fn route(
    hub: Arc<Hub>,
    reach: Reach,
) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send + Sync {
    let sessions = Sessions::default();
    warp::path("whep")
        .and(warp::method())
        .and(warp::path::tail())
        .and(warp::header::headers_cloned())
        // One without a length, or too long, has no body here, and so no offer.
        .and(
            warp::body::content_length_limit(MAX_BODY_BYTES)
                .and(warp::body::bytes())
                .or(warp::any().map(Bytes::new))
                .unify(),
        )
        .and(warp::ext::optional::<Mark>())
        .then(move |method, tail: warp::path::Tail, headers, body, mark| {
            let request = Request { hub: hub.clone(), sessions: sessions.clone(), headers, body, mark };
            async move {
                if reach == Reach::ThisMachine && !request.is_from_here() {
                    let words =
                        "without a password this server answers only to its own pages and to programs";
                    return text(StatusCode::FORBIDDEN, words);
                }
                let mut response = request.answer(method, tail.as_str()).await;
                if reach == Reach::Anyone {
                    for (name, value) in CORS {
                        response.headers_mut().insert(name, HeaderValue::from_static(value));
                    }
                }
                response
            }
        })
}

struct Request {
    hub: Arc<Hub>,
    sessions: Sessions,
    headers: HeaderMap,
    body: Bytes,
    mark: Option<Mark>,
}

impl Request {
    fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Nobody but this machine's own programs and the server's own page, since there is no password.
    fn is_from_here(&self) -> bool {
        let host = self.header(header::HOST);
        origin::names_this_machine(host) && origin::is_allowed_behind(self.header(header::ORIGIN), host, None)
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, method: Method, tail: &str) -> Response {
        if method == Method::OPTIONS {
            let mut response = StatusCode::NO_CONTENT.into_response();
            response.headers_mut().insert("accept-post", HeaderValue::from_static(SDP));
            return response;
        }
        match (method, tail) {
            (Method::POST, "") => self.open().await,
            (Method::PATCH, name) if !name.is_empty() => match self.session(name) {
                Some(consumer) => self.trickle(&consumer),
                None => gone(),
            },
            (Method::DELETE, name) if !name.is_empty() => match self.session(name) {
                Some(consumer) => {
                    consumer.input(Input::Message(FromConsumer::Bye));
                    StatusCode::OK.into_response()
                }
                None => gone(),
            },
            (_, tail) => {
                let allowed = if tail.is_empty() { "POST, OPTIONS" } else { "PATCH, DELETE, OPTIONS" };
                let mut response = text(StatusCode::METHOD_NOT_ALLOWED, &format!("allowed are {allowed}"));
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
                response
            }
        }
    }

    /// The consumer of an address that was given out.
    fn session(&self, tail: &str) -> Option<Arc<Consumer>> {
        let (name, secret) = tail.split_once('.')?;
        let known = self.sessions().get(name).is_some_and(|known| known == secret);
        known.then(|| self.hub.consumer(name)).flatten()
    }

    fn trickle(&self, consumer: &Consumer) -> Response {
        if !self.is_of(FRAGMENT) {
            return text(StatusCode::UNSUPPORTED_MEDIA_TYPE, &format!("the body has to be {FRAGMENT}"));
        }
        let fragment = String::from_utf8_lossy(&self.body);
        if fragment.contains("a=ice-ufrag:") && self.header(header::IF_MATCH) == Some("*") {
            return text(
                StatusCode::UNPROCESSABLE_ENTITY,
                "ICE cannot be restarted here; open another session",
            );
        }
        for candidate in offered::candidates_of(&fragment) {
            consumer.input(Input::Message(FromConsumer::Ice(candidate)));
        }
        StatusCode::NO_CONTENT.into_response()
    }

    fn is_of(&self, wanted: &str) -> bool {
        let given = self.header(header::CONTENT_TYPE).and_then(|given| given.split(';').next());
        given.is_some_and(|given| given.trim().eq_ignore_ascii_case(wanted))
    }

    /// A player comes.
    async fn open(&self) -> Response {
        if !self.is_of(SDP) {
            return text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                &format!("the body has to be an offer as {SDP}"),
            );
        }
        let Some(name) = self.new_name() else { return busy("there are too many players") };
        let streams = match self.hub.plan(name.clone()).await {
            Ok(plan) => plan.streams,
            Err(why) => return busy(&why),
        };
        let streams: Vec<_> = streams.into_iter().map(|(_, row, caps)| (row, caps)).collect();
        let offer = String::from_utf8_lossy(&self.body);
        let offered = match Offered::read(&offer, &streams) {
            Ok(offered) => offered,
            Err(Refusal::Bad(why)) => return text(StatusCode::BAD_REQUEST, &why),
            Err(Refusal::Codec(why)) => return text(StatusCode::NOT_ACCEPTABLE, &why),
        };
        let authority = self.header("x-forwarded-host").or(self.header(header::HOST)).unwrap_or_default();
        let visit = Visit {
            authority: authority.split(',').next().unwrap_or_default().trim().to_owned(),
            secure: self.header("x-forwarded-proto").is_some_and(|proto| proto.starts_with("https")),
            offered: Some(Arc::new(offered)),
            part: Part::default(),
        };
        let (outbox, messages) = mpsc::channel(OUTBOX);
        let outgoing = Box::new(move |message| {
            // After the answer nobody reads any more.
            let _ = outbox.try_send(message);
        });
        let consumer = match self.hub.open_consumer(&name, visit, outgoing) {
            Ok(consumer) => consumer,
            Err(refusal) => return busy(&refusal.message),
        };
        consumer.input(Input::Message(FromConsumer::Hello {
            version: VERSION,
            client: None,
            watches: false,
            session: None,
            decodes: Vec::new(),
            full_chroma: Vec::new(),
            surround: false,
        }));
        match negotiate(messages).await {
            Ok(answer) => self.created(name, answer),
            Err(why) => {
                consumer.input(Input::Stop(why.as_str().into()));
                text(StatusCode::INTERNAL_SERVER_ERROR, &why)
            }
        }
    }

    fn new_name(&self) -> Option<String> {
        let mut sessions = self.sessions();
        sessions.retain(|name, _| self.hub.consumer(name).is_some());
        let taken = |name: &String| sessions.contains_key(name) || self.hub.consumer(name).is_some();
        let mut random = [0; 8];
        getrandom::fill(&mut random).ok()?;
        let name = (1..=1024)
            .map(|number| Mark::on(self.mark.as_ref(), &format!("{WHEP_PREFIX}{number}")))
            .find(|name| !taken(name))?;
        sessions.insert(name.clone(), random.iter().map(|byte| format!("{byte:02x}")).collect());
        Some(name)
    }

    fn created(&self, name: String, answer: Answer) -> Response {
        let secret = self.sessions().get(&name).cloned().unwrap_or_default();
        let mut response = warp::reply::with_status(answer.sdp, StatusCode::CREATED).into_response();
        let headers = response.headers_mut();
        // Relative to /whep, whatever a proxy put in front of it.
        let own = [
            (header::CONTENT_TYPE, SDP.to_owned()),
            (header::LOCATION, format!("whep/{name}.{secret}")),
            (header::ETAG, format!("\"{name}\"")),
            (header::HeaderName::from_static("accept-patch"), FRAGMENT.to_owned()),
        ];
        for (name, value) in own {
            headers.extend(HeaderValue::from_str(&value).ok().map(|value| (name, value)));
        }
        for link in answer.servers.iter().flat_map(links) {
            headers.extend(HeaderValue::from_str(&link).ok().map(|link| (header::LINK, link)));
        }
        response
    }
}

/// What a player gets.
struct Answer {
    sdp: String,
    servers: Vec<IceServer>,
}

/// Waits for the answer, and for its candidates as long as they may take.
async fn negotiate(mut messages: mpsc::Receiver<ToConsumer>) -> Result<Answer, String> {
    let mut servers = Vec::new();
    let answer = timeout(ANSWER_LIMIT, async {
        loop {
            match messages.recv().await {
                Some(ToConsumer::Welcome { ice_servers, .. }) => servers = ice_servers,
                Some(ToConsumer::Offer { sdp }) => return Ok(sdp),
                Some(ToConsumer::Error { message, .. }) => return Err(message),
                Some(ToConsumer::Bye(Bye { reason, .. })) => return Err(reason),
                Some(_) => {}
                None => return Err("the stream has ended".to_owned()),
            }
        }
    });
    let answer = answer.await.map_err(|_| "there was no answer in time".to_owned())??;
    let mut candidates: Vec<IceCandidate> = Vec::new();
    let end = Instant::now() + GATHERING_LIMIT;
    while let Ok(Some(message)) = timeout_at(end, messages.recv()).await {
        match message {
            ToConsumer::Ice(candidate) if candidate.candidate.is_empty() => break,
            ToConsumer::Ice(candidate) => candidates.push(candidate),
            _ => {}
        }
    }
    Ok(Answer { sdp: offered::with_candidates(&answer, &candidates), servers })
}

/// The servers as WHEP tells them. Quotes could end a value; none of ours has any.
fn links(server: &IceServer) -> Vec<String> {
    let quoted = |name: &str, value: &Option<String>| match value {
        Some(value) if !value.contains(['"', '\\']) => format!("; {name}=\"{value}\""),
        _ => String::new(),
    };
    let credentials = match server.credential {
        Some(_) => {
            let (username, credential) =
                (quoted("username", &server.username), quoted("credential", &server.credential));
            format!("{username}{credential}; credential-type=\"password\"")
        }
        None => String::new(),
    };
    server.urls.iter().map(|url| format!("<{url}>; rel=\"ice-server\"{credentials}")).collect()
}

fn text(status: StatusCode, words: &str) -> Response {
    warp::reply::with_status(format!("{words}\n"), status).into_response()
}

fn busy(words: &str) -> Response {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, words);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

fn gone() -> Response {
    text(StatusCode::NOT_FOUND, "there is no such session")
}
