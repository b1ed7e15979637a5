//! Shell: the doctor. It looks at everything side by side, within a bounded time, and has the rules say what that means.
//!
//! ```text
//! vdi-launcher doctor ──▶ command ─┐            ┌─▶ pipelines: an encoder encodes, the sink gathers addresses
//! GET /doctor ──▶ Doctor ──────────┴─▶ examine ─┼─▶ exchange: STUN bindings, TURN allocations
//!                                               ├─▶ gpu (NVML), DNS, the clock of what makes credentials
//!                                               ├─▶ devices: sound server, microphone, webcam, gamepads
//!                                               └─▶ /status of the running session
//!                                                        facts ──▶ rules, session, senses (pure) ──▶ Report
//! ```

pub mod clock;
pub mod command;
pub mod devices;
pub mod exchange;
mod pipelines;
pub mod rules;
pub mod running;
pub mod senses;
pub mod servers;
pub mod session;
pub mod text;

use crate::{
    config::{Config, Desktop, DirectPaths, Size, TurnRest, Video},
    gpu,
    ice::{BuiltIn, Ice, keeper::Current, rest},
};
use devices::{DeviceFacts, Devices};
use rules::With;
use servers::Server;
use session::{CandidateFacts, EncoderFacts};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{Mutex, oneshot},
    task::JoinSet,
    time::Instant,
};
use vdi_protocol::{
    doctor::{Check, CheckName, Outcome, Report},
    status::Status,
};

/// Time for everything; each part has less of its own, and this is for what hangs in a driver or a resolver.
const LIMIT: Duration = Duration::from_secs(20);
/// Time for the address of a name.
const DNS_LIMIT: Duration = Duration::from_secs(6);
/// Age up to which a report is given again: whoever asks twice has nothing changed meanwhile.
const FRESH: Duration = Duration::from_secs(5);
/// Size of the picture that an encoder is tried with where the desktop's is not known.
const USUAL_SIZE: Size = Size { width_px: 1920, height_px: 1080 };

/// What is looked at.
#[derive(Clone)]
pub struct Subject {
    /// How the video is made.
    pub video: Video,
    /// Size of the desktop.
    pub size: Size,
    /// The direct paths that are offered.
    pub direct: DirectPaths,
    /// The STUN and TURN servers.
    pub ice: Current,
    /// The service that they come from, and the name by which it is asked.
    pub service: Option<(TurnRest, String)>,
    /// The built-in TURN server, and where it is.
    pub built_in: Option<(BuiltIn, SocketAddr)>,
    /// Whether the options switch it on.
    pub relays_itself: bool,
    /// What programs on the desktop are to have beside its picture.
    pub devices: Devices,
}

impl Subject {
    /// What the options say, with the servers that hold now.
    pub fn of(config: &Config, ice: Current) -> Self {
        let size = match &config.desktop {
            Desktop::Virtual { size, .. } => *size,
            Desktop::Existing { .. } => USUAL_SIZE,
        };
        let service = config.ice.turn_rest.clone();
        Self {
            video: config.video.clone(),
            size,
            direct: config.direct_paths.clone(),
            ice,
            service: service.map(|service| (service, config.ice.turn_user.clone().unwrap_or_default())),
            built_in: None,
            relays_itself: config.builtin_turn,
            devices: Devices::of(config),
        }
    }

    /// The doctor of a session that is about to run with these options, at this address.
    pub fn follow(
        config: &Config,
        ice: Ice,
        address: SocketAddr,
    ) -> impl Fn() -> Self + Send + Sync + 'static {
        let subject = Self::of(config, Current::default());
        let address = SocketAddr::new(reachable(address.ip()), address.port());
        move || Self {
            ice: ice.current(),
            built_in: ice.built_in().cloned().map(|built_in| (built_in, address)),
            ..subject.clone()
        }
    }

    fn has_stun(&self) -> bool {
        self.urls().any(|url| url.starts_with("stun"))
    }

    fn has_turn(&self) -> bool {
        self.urls().any(|url| url.starts_with("turn"))
    }

    fn urls(&self) -> impl Iterator<Item = &String> {
        self.ice.servers.iter().flat_map(|server| &server.urls)
    }
}

/// The address by which this machine reaches what listens on that one.
pub fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

/// Where facts of a session come from.
pub enum Session {
    /// This process's own.
    Own(Box<Status>),
    /// Another launcher's, if one runs.
    Other(running::Running),
}

/// The doctor of a running session.
pub struct Doctor {
    subject: Box<dyn Fn() -> Subject + Send + Sync>,
    /// Held while it looks: a second visitor gets what the first has asked for.
    last: Mutex<Option<(Instant, Report)>>,
}

impl Doctor {
    /// A doctor who asks `subject` what to look at, each time.
    pub fn new(subject: impl Fn() -> Subject + Send + Sync + 'static) -> Self {
        Self { subject: Box::new(subject), last: Mutex::default() }
    }

    /// Looks, or tells what was found a moment ago.
    pub async fn report(&self, status: impl Future<Output = Status>) -> Report {
        // Before anybody else's look is waited for.
        let status = status.await;
        let mut last = self.last.lock().await;
        if let Some((at, report)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return Report { unix_seconds: unix_seconds(), ..report.clone() };
        }
        let report = examine((self.subject)(), Session::Own(Box::new(status))).await;
        *last = Some((Instant::now(), report.clone()));
        report
    }
}

/// Name under which the built-in TURN server knows us, while it is tested.
const CONSUMER: &str = "doctor";

/// What one part has found.
enum Part {
    Encoder(EncoderFacts),
    Candidates(CandidateFacts),
    Devices(DeviceFacts),
    Session(Result<Box<Status>, String>),
    Server(usize, Check),
    Name(Check),
    /// By how many seconds the clock of what makes credentials is ahead of ours.
    Ahead(Option<f64>),
}

/// Looks at everything, side by side.
pub async fn examine(subject: Subject, session: Session) -> Report {
    let mut ice_servers = subject.ice.servers.clone();
    if let Some((built_in, address)) = &subject.built_in {
        built_in.relay.minter().open(CONSUMER);
        ice_servers.extend(built_in.servers_for(CONSUMER, &address.to_string(), false));
    }
    let (servers, unknown) = servers::servers(&ice_servers);
    let subject = Arc::new(subject);
    let mut parts = JoinSet::new();
    look(&mut parts, subject.clone(), session);
    for (index, server) in servers.iter().cloned().enumerate() {
        parts.spawn(async move {
            let (met, took) = exchange::exchange(&server).await;
            Part::Server(index, rules::server(&server, &met, took))
        });
    }
    for host in names(&servers) {
        parts.spawn(async move { Part::Name(resolve(host).await) });
    }
    if let Some((service, user)) = subject.service.clone() {
        parts.spawn_blocking(move || {
            let date = rest::date(&service, &user);
            Part::Ahead(date.and_then(|date| clock::unix_seconds(&date)).map(|there| there - unix_seconds()))
        });
    }
    let mut found = Found::default();
    let everything = async {
        while let Some(part) = parts.join_next().await {
            match part {
                Ok(Part::Encoder(facts)) => found.encoder = facts,
                Ok(Part::Candidates(facts)) => found.candidates = Some(facts),
                Ok(Part::Devices(facts)) => found.devices = Some(facts),
                Ok(Part::Session(status)) => found.session = Some(status.map(|status| *status)),
                Ok(Part::Server(index, check)) => found.servers.push((index, check)),
                Ok(Part::Name(check)) => found.names.push(check),
                Ok(Part::Ahead(seconds)) => found.ahead = seconds,
                Err(err) => tracing::error!("a part of the doctor failed: {err}"),
            }
        }
    };
    // What is still at work then is left behind, and its absence told.
    let _ = tokio::time::timeout(LIMIT, everything).await;
    found.names.extend(unknown.iter().map(|url| rules::no_url(url)));
    if let Some((built_in, _)) = &subject.built_in {
        built_in.relay.minter().close(CONSUMER);
    }
    report(&subject, &servers, &gpu::status(DNS_LIMIT).await, found)
}

#[derive(Default)]
struct Found {
    encoder: EncoderFacts,
    candidates: Option<CandidateFacts>,
    devices: Option<DeviceFacts>,
    session: Option<Result<Status, String>>,
    servers: Vec<(usize, Check)>,
    names: Vec<Check>,
    ahead: Option<f64>,
}

fn look(parts: &mut JoinSet<Part>, subject: Arc<Subject>, session: Session) {
    let gathered = subject.clone();
    parts.spawn_blocking(move || Part::Candidates(pipelines::gather(&gathered)));
    let devices = subject.devices.clone();
    match session {
        Session::Own(status) => {
            let own = devices::of_session(&status);
            parts.spawn(async move { Part::Devices(devices.look(Some(own)).await) });
            // An encoder that is at work has proven itself with this session's own frames.
            let at_work = status.encoder.as_ref().map(|encoder| EncoderFacts {
                chosen: Some((encoder.name.clone(), encoder.hardware)),
                rejections: encoder.rejections.clone(),
                ..EncoderFacts::default()
            });
            match at_work {
                Some(facts) => drop(parts.spawn(async { Part::Encoder(facts) })),
                None => prove(parts, subject),
            }
            parts.spawn(async { Part::Session(Ok(status)) });
        }
        Session::Other(running) => {
            prove(parts, subject);
            // What a session that runs has in use is not tried a second time, whosever it is.
            let (told, status) = oneshot::channel();
            parts.spawn(async move {
                let own = status.await.ok();
                Part::Devices(devices.look(own).await)
            });
            parts.spawn_blocking(move || {
                let status = running.status().map(Box::new);
                if let Ok(status) = &status {
                    let _ = told.send(devices::of_session(status));
                }
                Part::Session(status)
            });
        }
    }
}

fn prove(parts: &mut JoinSet<Part>, subject: Arc<Subject>) {
    parts.spawn_blocking(move || Part::Encoder(pipelines::prove_encoder(&subject)));
}

/// Names that have to be looked up; an address is none.
fn names(servers: &[Server]) -> BTreeSet<String> {
    let is_name = |host: &&String| host.parse::<std::net::IpAddr>().is_err();
    servers.iter().map(|server| &server.host).filter(is_name).cloned().collect()
}

async fn resolve(host: String) -> Check {
    let found = tokio::time::timeout(DNS_LIMIT, tokio::net::lookup_host((host.as_str(), 0))).await;
    let found = match found {
        Ok(Ok(addresses)) => Ok(addresses.map(|address| address.ip()).collect()),
        Ok(Err(err)) => Err(err.to_string()),
        Err(_) => Err(format!("no answer within {} s", DNS_LIMIT.as_secs())),
    };
    rules::name(&host, found)
}

fn report(
    subject: &Subject,
    servers: &[Server],
    gpu: &vdi_protocol::status::GpuStatus,
    found: Found,
) -> Report {
    let policy = subject.video.policy;
    let late = || Err("It was not looked at in time.".to_owned());
    let status = found.session.unwrap_or_else(late);
    let mut by_server = found.servers;
    by_server.sort_by_key(|(index, _)| *index);
    let mut tested: Vec<_> = by_server.into_iter().map(|(_, check)| check).collect();
    for server in servers {
        if !tested.iter().any(|check| check.target.as_deref() == Some(server.url.as_str())) {
            let late = rules::check(server.check(), Outcome::Failed, "No result came in time.");
            tested.push(late.of(&server.url).because("UNREACHABLE"));
        }
    }
    let kinds: BTreeSet<CheckName> = tested.iter().map(|check| check.name).collect();
    tested = rules::weigh(tested);
    let untried = subject.relays_itself && subject.built_in.is_none();
    let missing = rules::no_turn_server(untried).into_iter().filter(|check| !kinds.contains(&check.name));
    tested.extend(missing);
    tested.sort_by_key(|check| check.name);
    let gathered =
        found.candidates.unwrap_or_else(|| CandidateFacts::Failed("it was not done in time".into()));
    let mut checks = vec![
        session::gpu(gpu, policy, &found.encoder),
        session::encoder(policy, &found.encoder),
        session::media(&status),
        session::latency(&status),
        session::candidates(&gathered, subject.has_stun(), subject.has_turn()),
    ];
    checks.push(rules::list(&subject.ice, subject.relays_itself));
    checks.extend(tested);
    checks.extend(found.names);
    checks.push(rules::clock(servers, unix_seconds(), found.ahead));
    checks.extend(senses::checks(&subject.devices, found.devices.as_ref()));
    let healthy = checks.iter().all(|check| check.outcome != Outcome::Failed);
    Report { healthy, unix_seconds: unix_seconds(), checks }
}

#[expect(clippy::disallowed_methods, reason = "a page compares its own clock with this one")]
fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
