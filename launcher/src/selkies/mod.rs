//! Shell: the dialect of the Selkies-GStreamer 1.6 web client. With `--web-root` at its files the launcher serves them, and
//! speaks as their server did: two peer connections a browser, text lines on one data channel. Everything is translated into
//! the messages that our own page has, so nothing behind this folder knows of it.
//!
//! ```text
//! client ══ WebSocket ══▶ socket ── signalling (pure) ──▶ sink, as an application that carries the messages
//!        ══ data ═══════▶ sink ──▶ `interpret`: line, page (pure) ──▶ the same events as from our own page
//!        ◀═ data ════════ sink ◀── `say`: page (pure) ◀── what pages are told
//! ```

#[doc(hidden)]
pub mod clipboard;
mod files;
#[doc(hidden)]
pub mod gamepads;
#[doc(hidden)]
pub mod line;
mod machine;
#[doc(hidden)]
pub mod page;
#[doc(hidden)]
pub mod signalling;
mod socket;

use crate::{
    config::Config,
    ice::Ice,
    media::{Event, Media},
};
use gst::prelude::*;
use gstvdi::wswebrtcsink::{Mark, WsWebRtcSink};
use page::{Greeting, Heard, Page, Said};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};
use vdi_protocol::{
    control::{FromPage, ToPage},
    environment::SOUND_PREFIX,
    signalling::ToConsumer,
};
use warp::{Filter, Rejection, filters::BoxedFilter, reply::Response};

/// The client's data channel; it takes any name.
const CHANNEL: &str = "selkies";
/// Names of the clients among the consumers begin so.
const PREFIX: &str = "selkies-";
/// For whom the relay works: the client has its credentials before it has a name.
const RELAYED: &str = "selkies";
/// How often a client is pinged and told of the machine.
const EVERY: Duration = Duration::from_secs(1);

/// The dialect; cheap to clone.
#[derive(Clone)]
pub struct Selkies(Arc<Inner>);

struct Inner {
    sink: WsWebRtcSink,
    ice: Ice,
    web_root: PathBuf,
    greeting: Greeting,
    began: Instant,
    next: AtomicU64,
    clients: Mutex<BTreeMap<String, Page>>,
    /// The sockets' ends, by consumer.
    outboxes: Mutex<BTreeMap<String, mpsc::Sender<ToConsumer>>>,
    /// Where the clients' messages go in ours.
    core: OnceLock<Box<dyn Fn(Event) + Send + Sync>>,
    /// Own candidates of our ends, by consumer.
    candidates: Mutex<BTreeMap<String, Vec<String>>>,
}

impl Selkies {
    /// Begins to speak it, if the options name a web root.
    pub fn start(config: &Config, media: &Media, ice: &Ice) -> Option<Self> {
        let web_root = config.web_root.clone()?;
        let selkies = Self(Arc::new(Inner {
            sink: media.sink().clone(),
            ice: ice.clone(),
            web_root,
            greeting: Greeting { audio_bps: config.audio.bitrate_bps },
            began: Instant::now(),
            next: AtomicU64::new(1),
            clients: Mutex::default(),
            outboxes: Mutex::default(),
            core: OnceLock::new(),
            candidates: Mutex::default(),
        }));
        let weak = Arc::downgrade(&selkies.0);
        media.sink().connect("send-signalling", false, move |values| {
            let inner = weak.upgrade()?;
            let (id, json) = (values.get(1)?.get::<&str>().ok()?, values.get(2)?.get::<&str>().ok()?);
            let outbox = lock(&inner.outboxes).get(id).cloned()?;
            if let Ok(message) = serde_json::from_str(json) {
                // A socket that takes nothing any more has its own time limit.
                let _ = outbox.try_send(message);
            }
            None
        });
        let weak = Arc::downgrade(&selkies.0);
        media.sink().connect("ice-candidate", false, move |values| {
            let inner = weak.upgrade()?;
            let (id, line) = (values.get(1)?.get::<&str>().ok()?, values.get(2)?.get::<&str>().ok()?);
            let relay = &inner.ice.built_in().filter(|_| lock(&inner.outboxes).contains_key(id))?.relay;
            relay.peers().add_candidate(RELAYED, line);
            lock(&inner.candidates).entry(id.to_owned()).or_default().push(line.to_owned());
            None
        });
        tokio::spawn(tell_each_second(selkies.clone()));
        Some(selkies)
    }

    /// Its socket, and the files of the web root.
    pub fn page(&self) -> BoxedFilter<(Response,)> {
        socket::route(self.clone()).or(files::route(&self.0.web_root)).unify().boxed()
    }

    /// `GET /turn`: with the built-in TURN server, since this client asks nowhere else.
    pub fn servers(
        &self,
    ) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + use<> {
        let own = self.clone();
        warp::path!("turn").and(warp::get()).and(socket::visit()).map(move |visit: socket::Visit| {
            let configuration = own.0.ice.rtc_configuration_for(RELAYED, &visit.authority, visit.secure);
            warp::reply::Reply::into_response(warp::reply::json(&configuration))
        })
    }

    /// What the pipeline tells, with the clients' lines in our messages.
    pub fn interpret(
        this: Option<Self>,
        tell: impl Fn(Event) + Clone + Send + Sync + 'static,
    ) -> impl Fn(Event) + Clone + Send + Sync + 'static {
        if let Some(own) = &this {
            let tell = tell.clone();
            let _ = own.0.core.set(Box::new(tell));
        }
        move |event| {
            let Some(own) = &this else { return tell(event) };
            match event {
                Event::Message { page, channel, text } if channel == CHANNEL => {
                    own.hear(&page, &text).into_iter().for_each(&tell);
                }
                Event::PageConnected(page) if own.knows(&page) => {
                    own.greet(&page);
                    tell(Event::PageConnected(page.clone()));
                    // The client cannot ask for control, and expects to have it.
                    tell(said(&page, &Said::Control(FromPage::TakeControl)));
                }
                Event::PageRemoved(page, reason) => {
                    lock(&own.0.clients).remove(&page);
                    // The socket sees it by this, and closes.
                    lock(&own.0.outboxes).remove(&page);
                    own.forget_candidates(&page);
                    tell(Event::PageRemoved(page, reason));
                }
                event => tell(event),
            }
        }
    }

    /// Tells a page, if it is one of ours; otherwise false.
    pub fn say(&self, page: &str, message: &ToPage) -> bool {
        let mut clients = lock(&self.0.clients);
        let Some(client) = clients.get_mut(page) else { return false };
        let (lines, begins) = (client.tell(message), client.begins_to_control(message));
        drop(clients);
        self.send(page, &lines);
        if let (true, Some(core)) = (begins, self.0.core.get()) {
            // The client listens from the beginning, and says so nowhere.
            core(said(page, &Said::Clipboard(vdi_protocol::clipboard::FromPage::Ready)));
        }
        true
    }

    /// Tells a page of the clipboard, if it is one of ours; otherwise false.
    pub fn say_clipboard(&self, page: &str, message: &vdi_protocol::clipboard::ToPage) -> bool {
        let mut clients = lock(&self.0.clients);
        let Some(client) = clients.get_mut(page) else { return false };
        let heard = client.hear_clipboard(message);
        drop(clients);
        self.send(page, &heard.lines);
        if let Some(core) = self.0.core.get() {
            heard.answers.into_iter().for_each(|answer| core(said(page, &Said::Clipboard(answer))));
        }
        true
    }

    fn hear(&self, page: &str, text: &str) -> Vec<Event> {
        let line = match line::read(text) {
            Ok(line) => line,
            Err(error) => return vec![Event::BadMessage { page: page.to_owned(), error: error.to_string() }],
        };
        let now = self.0.began.elapsed();
        let mut clients = lock(&self.0.clients);
        let Some(client) = clients.get_mut(page) else { return Vec::new() };
        let Heard { said: messages, answer } = client.hear(line, now);
        drop(clients);
        self.send(page, answer.as_slice());
        messages.iter().map(|message| said(page, message)).collect()
    }

    /// Whether this page speaks the dialect.
    pub fn knows(&self, page: &str) -> bool {
        lock(&self.0.clients).contains_key(page)
    }

    fn greet(&self, page: &str) {
        let lines = lock(&self.0.clients).get_mut(page).map(|client| client.greet(&self.0.greeting));
        self.send(page, &lines.unwrap_or_default());
    }

    /// A name for a consumer of this socket, and where its messages come out.
    fn enter(&self, peer: signalling::Peer, mark: Option<&Mark>) -> (String, mpsc::Receiver<ToConsumer>) {
        let number = self.0.next.fetch_add(1, Relaxed);
        let name = match peer {
            signalling::Peer::Video => format!("{PREFIX}{number}"),
            signalling::Peer::Audio => format!("{SOUND_PREFIX}{number}"),
        };
        let name = Mark::on(mark, &name);
        let (outbox, messages) = mpsc::channel(socket::OUTBOX);
        lock(&self.0.outboxes).insert(name.clone(), outbox);
        if peer == signalling::Peer::Video {
            lock(&self.0.clients).insert(name.clone(), Page::default());
        }
        (name, messages)
    }

    /// The socket of this consumer has ended.
    fn leave(&self, name: &str) {
        lock(&self.0.outboxes).remove(name);
        self.0.sink.emit_by_name::<bool>("close-consumer", &[&name, &"the page has left"]);
        lock(&self.0.clients).remove(name);
    }

    /// Nothing is relayed to this consumer's end any more, and to the others' as before.
    fn forget_candidates(&self, name: &str) {
        let mut candidates = lock(&self.0.candidates);
        if let (Some(_), Some(built_in)) = (candidates.remove(name), self.0.ice.built_in()) {
            let peers = built_in.relay.peers();
            peers.forget(RELAYED);
            candidates.values().flatten().for_each(|line| peers.add_candidate(RELAYED, line));
        }
    }

    fn send(&self, page: &str, lines: &[String]) {
        for line in lines {
            self.0.sink.emit_by_name::<bool>("send-data", &[&page, &CHANNEL, line]);
        }
    }
}

/// A client's message as one of our pages sends it.
fn said(page: &str, said: &Said) -> Event {
    let (channel, text) = match said {
        Said::Input(input) => ("input", serde_json::to_string(input)),
        Said::Pointer(motion) => ("pointer", serde_json::to_string(motion)),
        Said::Control(message) => ("control", serde_json::to_string(message)),
        Said::Clipboard(message) => ("clipboard", serde_json::to_string(message)),
    };
    let page = page.to_owned();
    match text {
        Ok(text) => Event::Message { page, channel: channel.into(), text },
        Err(err) => Event::BadMessage { page, error: err.to_string() },
    }
}

/// Pings the clients, and tells them of the machine, until the session ends.
async fn tell_each_second(selkies: Selkies) {
    let weak = Arc::downgrade(&selkies.0);
    drop(selkies);
    let mut machine = machine::Machine::default();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = weak.upgrade() else { return };
        let own = Selkies(inner);
        if lock(&own.0.clients).is_empty() {
            continue;
        }
        let told = machine.look().await;
        let now = own.0.began.elapsed();
        let pings: Vec<_> = {
            let mut clients = lock(&own.0.clients);
            clients.iter_mut().map(|(page, client)| (page.clone(), client.ping(now))).collect()
        };
        for (page, ping) in pings {
            own.send(&page, &[ping]);
            own.send(&page, &told);
        }
        // Where there is no sound, the answer is all that says that somebody is there.
        let sounds: Vec<_> =
            lock(&own.0.outboxes).keys().filter(|id| id.starts_with(SOUND_PREFIX)).cloned().collect();
        for sound in sounds {
            own.send(&sound, &[Page::default().ping(now)]);
        }
    }
}

/// A panic elsewhere leaves these values whole: each is changed in one statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
