//! Shell: the life of the process after its options are read: brings the parts up in order, passes events between them
//! and the session, and takes them down in order, within bounds. It owns the session; everybody else watches.

mod control;
mod end;
mod events;
mod invitations;
mod recoding;
mod recording;
mod telling;

use crate::{
    access,
    audio::Audio,
    board::{Board, Snapshot, Sources},
    clipboard::{self, Clipboard, ClipboardThread},
    codec::{self, Codecs},
    config::Config,
    delivery::{self, Delivery},
    desktop::{Desktop, DisplayName, cookie::Cookie},
    doctor,
    encoder::Story,
    error::Error,
    files::{self, Files},
    gamepads::Gamepads,
    http::{self, auth, service::Service},
    ice::{self, Ice},
    input::{Input, InputThread},
    journal, latency,
    latest::Latest,
    limits::Limits,
    media::{self, Media},
    pages::{News, Pages},
    pointers::Pointers,
    port::{self, Server, tls::Certificate},
    recording::Recorder,
    screen::{self, Screen},
    selkies::Selkies,
    senses::Senses,
    session::{self, Action, Session},
    settings,
    termination::Ended,
    turn, watched_file,
    wiring::{connect_input, pass_rumble, play, proofs, share_clipboard, show_pointers, start_recorder},
};
use gstvdi::wswebrtcsink;
use jiff::Timestamp;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use vdi_protocol::{control::Cursor, phase::Phase, reason::EndCause, settings::Settings};
use warp::Filter;

/// What the desktop's programs and its display tell, which is little.
const DESKTOP_QUEUE: usize = 64;
/// Time from the start until the first encoded frame; proving every encoder of the table takes half of it at worst.
const FIRST_FRAME_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the session until it ends. `stop` resolves, with the reason, when somebody asks for the end.
pub async fn run(
    config: Config,
    cookie: Option<Cookie>,
    stop: impl Future<Output = String>,
) -> Result<Ended, Error> {
    let began = Instant::now();
    if !config.without_effect.is_empty() {
        tracing::warn!("accepted, but without effect yet: {}", config.without_effect.join(" "));
    }
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    let listener = port::bind(config.address, config.port, "--port").await?;
    let certificate = Certificate::start(&config.tls)?;
    media::register()?;
    let (events, mut inbox) = delivery::queue();
    let (desktop_events, mut from_desktop) = mpsc::channel(DESKTOP_QUEUE);
    let pulse_server = config.audio.server.name.clone();
    let desktop =
        Desktop::start(&config.desktop, cookie.as_ref(), pulse_server, desktop_events.clone()).await?;
    let door = (listener, certificate);
    let result = match Parts::start(&config, &desktop.display, door, began, &events, desktop_events).await {
        Ok(mut parts) => {
            parts.live(&mut inbox, &mut from_desktop, stop).await;
            parts.end(&mut inbox).await
        }
        Err(error) => Err(error),
    };
    desktop.stop().await;
    result
}

/// Everything that runs beside the desktop.
struct Parts {
    began: Instant,
    /// Tells this session from others at the same address.
    name: String,
    session: Session,
    pages: Pages,
    encoder: Story,
    display: Option<(u32, u32)>,
    cursor: Option<Cursor>,
    enable_cursors: bool,
    /// When the session began to start, the last time.
    starting_since: Duration,
    snapshot: watch::Sender<Snapshot>,
    board: Board,
    media: Arc<Media>,
    /// The dialect of the Selkies client, if it is spoken.
    selkies: Option<Selkies>,
    audio: Audio,
    /// What programs hear and see of the page in control.
    senses: Senses,
    /// What records the session, if the operator lets it.
    recorder: Option<Recorder>,
    /// Recordings that have failed, as far as pages were told.
    recordings_failed: u64,
    input: Input,
    input_thread: InputThread,
    gamepads: Gamepads,
    screen: Screen,
    /// What the screen is, as its thread tells.
    screen_state: watch::Receiver<vdi_protocol::screen::Screen>,
    clipboard: Clipboard,
    clipboard_thread: ClipboardThread,
    pointers: Pointers,
    files: Files,
    /// What the page in control may do with files.
    files_policy: vdi_protocol::files::Policy,
    server: Server,
    /// Who may in, and who is invited.
    guard: Arc<Mutex<auth::Guard>>,
    controller: Option<String>,
    /// The task of the TURN server's UDP listener.
    turn_listener: Option<tokio::task::AbortHandle>,
    /// The task of the metrics' own port.
    exporter: Option<tokio::task::AbortHandle>,
    /// What pages have set.
    settings: Settings,
    recoding: recoding::Recoding,
    /// The last input that the session was told of.
    seen_input: Option<Instant>,
    /// Since when no page is connected.
    alone_since: Option<Instant>,
    /// How long the session may live, and the file that says so.
    limits: Limits,
    limits_file: Option<watch::Receiver<watched_file::Content>>,
    /// Somebody was here once.
    seen_page: bool,
}

impl Parts {
    async fn start(
        config: &Config,
        display: &DisplayName,
        (listener, certificate): (tokio::net::TcpListener, Certificate),
        began: Instant,
        events: &mpsc::Sender<media::Event>,
        failures: mpsc::Sender<session::Event>,
    ) -> Result<Self, Error> {
        let (gamepads, felt) = Gamepads::open(config.gamepads, &config.js_socket_path)?;
        let (input, input_thread) = connect_input(display, gamepads.clone(), failures.clone()).await?;
        let screen = screen::start(display, config.resize)
            .map_err(|err| Error::display(format!("the screen thread cannot be started: {err}")))?;
        let media = Arc::new(Media::new(config, display, proofs(config).as_deref())?);
        let messages = Arc::new(delivery::Counters::default());
        if let Some((bus, encoder)) = media.bus() {
            tokio::spawn(Media::watch_bus(bus, encoder, events.clone()));
        }
        let relay = turn::wiring::relay(config)?;
        let mut turn_listener = None;
        if let Some(relay) = &relay {
            turn::wiring::connect(relay, media.sink());
            turn_listener = turn::wiring::listen(relay, config).await;
        }
        let built_in = relay.clone().map(|relay| ice::BuiltIn { relay, certificate: certificate.clone() });
        let ice = Ice::start(config.ice.clone(), built_in);
        ice.connect(media.sink());
        let selkies = Selkies::start(config, &media, &ice);
        felt.into_iter().for_each(|felt| pass_rumble(felt, media.clone(), selkies.clone()));
        let (clipboard, clipboard_thread) = share_clipboard(display, config, media.clone(), selkies.clone())?;
        let pointers = show_pointers(media.clone());
        let (events, counters) = (events.clone(), messages.clone());
        let delivery = Delivery::new(input.clone(), clipboard.clone(), pointers.clone(), events, counters);
        media.connect(
            codec::offered(&config.video),
            Selkies::interpret(selkies.clone(), move |event| delivery.take(event)),
        );
        let audio = Audio::start(config.audio.clone(), media.sound().clone(), media.pipeline().clone());
        let (senses, sensed) = Senses::start(config, display, &media);
        let recorder = start_recorder(config, &media)?;
        let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::new(config.address, config.port));
        let (password, generated) = access::password(config.credentials.as_ref())?;
        let credentials = config.credentials.as_ref().zip(password.as_ref());
        let (viewer_token, token_generated) = access::viewer_token(config.viewer_token.as_ref())?;
        let guard = auth::Guard::new(
            credentials.map(|(credentials, password)| (credentials.user.as_str(), password.0.as_str())),
            &viewer_token.0,
        )
        .with_view_password(
            config
                .credentials
                .as_ref()
                .and_then(|credentials| Some(credentials.view_password.as_ref()?.0.as_str())),
        )
        .with_invitations(config.invitations);
        let guard = Arc::new(Mutex::new(guard));
        let connections = port::Counters::default();
        let (snapshot, watched) = watch::channel(Snapshot::default());
        let board = Board::new(Sources {
            began,
            display: display.clone(),
            snapshot: watched,
            audio: audio.status.clone(),
            senses: sensed,
            recording: recorder.as_ref().map(|recorder| recorder.status.clone()),
            input: input.clone(),
            screen: screen.state(),
            frames: media.frames(),
            latency: media.latency(),
            ways: latency::watch(media.sink()),
            guard: guard.clone(),
            messages,
            doctor: doctor::Doctor::new(doctor::Subject::follow(config, ice.clone(), address)),
            ice,
            certificate: certificate.clone(),
            connections: connections.clone(),
            turn: relay.clone(),
        });
        let files = Files::new(&config.sharing);
        let own = http::routes(board.clone()).or(files::routes(files.clone()));
        let sink = wswebrtcsink::routes(media.sink());
        let routes = match &selkies {
            Some(selkies) => {
                selkies.servers().or(own).or(selkies.page()).or(sink).map(warp::Reply::into_response).boxed()
            }
            None => own.or(sink).map(warp::Reply::into_response).boxed(),
        };
        let exporter = match config.metrics_port {
            Some(port) => Some(http::exporter::start(config.address, port, board.clone()).await?),
            None => None,
        };
        let name = access::session_name()?;
        let services = port::Services {
            http: Service::new(routes, guard.clone(), certificate.clone(), &name, began),
            certificate: certificate.clone(),
            relay: relay.clone(),
            counters: connections,
        };
        let server = Server::start(listener, services)?;
        let generated = password.filter(|_| generated);
        let viewer_token = Some(viewer_token).filter(|_| token_generated);
        let (generated, token) = (generated.as_ref(), viewer_token.as_ref());
        access::print(address, &certificate, config.credentials.as_ref(), generated, token);
        tracing::info!(%address, "the page is served");
        play(media.clone(), failures);
        Ok(Self {
            began,
            name,
            session: Session::new(config.idle_after, config.display_timeout),
            pages: Pages::new(clipboard::policy(&config.sharing), config.control_policy),
            encoder: Story::default(),
            display: None,
            cursor: None,
            enable_cursors: config.video.enable_cursors,
            starting_since: Duration::ZERO,
            snapshot,
            board,
            media,
            selkies,
            audio,
            senses,
            recorder,
            recordings_failed: 0,
            input,
            input_thread,
            gamepads,
            screen_state: screen.state(),
            screen,
            clipboard,
            clipboard_thread,
            pointers,
            files_policy: files.set_controller(None)?,
            files,
            server,
            guard,
            controller: None,
            turn_listener,
            exporter,
            settings: settings::beginning(
                &config.video,
                codec::first(&config.video),
                codec::offered(&config.video),
            ),
            recoding: recoding::Recoding::new(Codecs::new(&config.video, proofs(config))),
            seen_input: None,
            alone_since: Some(began),
            limits: Limits::new(config.extensions),
            limits_file: config.session_limits.clone().map(|path| {
                let mut file = watched_file::follow(path);
                file.mark_changed();
                file
            }),
            seen_page: false,
        })
    }

    /// Passes events on until the session drains.
    async fn live(
        &mut self,
        inbox: &mut mpsc::Receiver<media::Event>,
        from_desktop: &mut mpsc::Receiver<session::Event>,
        stop: impl Future<Output = String>,
    ) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        tokio::pin!(stop);
        loop {
            let event = tokio::select! {
                Some(event) = from_desktop.recv() => Some(event),
                Some(event) = inbox.recv() => self.media_event(event),
                why = &mut stop => {
                    let struck = self.limits.struck(self.activity(), self.now(), Timestamp::now());
                    Some(session::Event::Stop(struck.unwrap_or(session::End { cause: EndCause::Stopped, why })))
                }
                Ok(()) = self.screen_state.changed() => None,
                (codec, result) = self.recoding.codecs.tried() => {
                    self.codec_tried(codec, result);
                    None
                }
                Some(event) = recording::news(&mut self.recorder) => Some(self.recorder_told(event)),
                _ = ticks.tick() => Some(self.tick()),
            };
            if self.handle(event) {
                return;
            }
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn tick(&mut self) -> session::Event {
        let now = self.now();
        self.board.tick();
        self.files.tick();
        self.pages.tick(now);
        self.tell_of_the_senses();
        self.close_guests();
        self.read_limits();
        let waits = self.session.phase() == Phase::Starting && self.session.lost_since().is_none();
        if waits && now >= self.starting_since + FIRST_FRAME_TIMEOUT {
            let words = format!("no encoded frame came within {} s", FIRST_FRAME_TIMEOUT.as_secs());
            return session::Event::Failed(Error::pipeline(words));
        }
        let last_input = self.input.last_input();
        if last_input != self.seen_input {
            self.seen_input = last_input;
            return session::Event::Input;
        }
        session::Event::Tick
    }

    /// Lets the session decide, does what it says, and tells everybody. Returns whether the session drains.
    fn handle(&mut self, event: Option<session::Event>) -> bool {
        let now = self.now();
        let before = self.session.phase();
        let actions = event.map(|event| self.session.handle(event, now)).unwrap_or_default();
        for action in &actions {
            match action {
                Action::Media(flowing) => self.media.set_flowing(*flowing),
                Action::Recapture => {
                    tracing::info!("the display answers; it is captured anew");
                    let media = self.media.clone();
                    tokio::task::spawn_blocking(move || media.recapture());
                }
                Action::Announce | Action::Drain => {}
            }
        }
        // Whoever was here before the first frame is listening as well.
        self.audio.set_wanted(self.session.is_heard());
        let after = self.session.phase();
        if after != before {
            tracing::info!("{}", journal::phase(after, before, self.session.message().as_deref()));
            self.tell_of_the_display(after, before);
            self.record_always(after);
        }
        self.publish();
        actions.contains(&Action::Drain)
    }

    /// Brings watchers, pages and the input thread up to date.
    fn publish(&mut self) {
        let controller = self.pages.controller().map(str::to_owned);
        if controller != self.controller {
            self.input.set_controller(controller.as_deref());
            self.clipboard.set_controller(controller.as_deref());
            match self.files.set_controller(self.pages.browser_in_control().as_deref()) {
                Ok(policy) => self.files_policy = policy,
                Err(error) => tracing::error!("files are not shared: {error}"),
            }
            self.media.set_controller(controller.as_deref());
            self.senses.set_controller(controller.as_deref());
            self.controller = controller;
        }
        self.tell_the_log();
        self.pointers.set_audience(self.audience(), self.controller.as_deref());
        // A page that has locked the pointer cannot draw it: the browser hides it, and knows no place for it. Nor can a file.
        let alone = self.pages.watching() <= 1 && !self.is_recorded();
        self.media.draw_pointer(!self.enable_cursors || !alone || self.input.locked());
        let now = self.now();
        let news = News {
            phase: self.session.phase(),
            reason: self.session.reason(),
            message: self.session.message(),
            display: self.display,
            screen: Some(self.screen_state.latest()),
            quality: self.encoder.quality(self.now()),
            cursor: self.cursor.clone(),
            files: self.files_policy.clone(),
            settings: Some(self.settings.clone()),
            recording: self.recording(),
            invitations: self.invitations(),
            ending: self
                .limits
                .coming(self.activity(), now, Timestamp::now())
                .map(|coming| (coming, coming.due.saturating_sub(now))),
        };
        for (page, message) in self.pages.tell(&news) {
            self.say(&page, &message);
        }
        self.alone_since = match self.pages.count().1 {
            0 => self.alone_since.or_else(|| Some(Instant::now())),
            _ => None,
        };
        let snapshot = Snapshot {
            phase: news.phase,
            reason: news.reason,
            message: news.message,
            encoder: self.encoder.status().cloned(),
            switches: self.encoder.switches().clone(),
            consumers: self.pages.status(),
            alone_since: self.alone_since,
            limits: self.limits.status(),
        };
        self.snapshot.send_if_modified(|old| {
            let changed = *old != snapshot;
            *old = snapshot;
            changed
        });
    }
}
