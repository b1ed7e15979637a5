//! Shell: keeps the list of STUN and TURN servers: reads the file and asks the service when [`keeper`] says so, hands the
//! list to the sink and its pages, also while they run, and answers `GET /turn`.
//!
//! `keeper` decides which servers hold and when they are renewed, `list` reads and writes their forms, `built_in` says how
//! the built-in TURN server appears to a page; all three are pure.

pub mod built_in;
pub mod keeper;
pub mod list;
pub mod rest;

use crate::{
    config,
    latest::Latest,
    port::tls::Certificate,
    turn::{self, Relay},
    watched_file,
};
use built_in::Ways;
use gst::prelude::*;
use keeper::{Current, File, Keeper};
use serde::Serialize;
use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;
use vdi_protocol::{
    signalling::{IceServer, IceTransportPolicy},
    status::{IceServersStatus, IceSource, TlsSource},
};

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(1);

/// What `GET /turn` says of servers whose credentials do not expire: a day, as Selkies does.
const ENDLESS: Duration = Duration::from_secs(86_400);

/// The built-in TURN server, and the certificate of the port that it shares.
#[derive(Clone)]
pub struct BuiltIn {
    /// The server.
    pub relay: Relay,
    /// The port's certificate.
    pub certificate: Certificate,
}

impl BuiltIn {
    /// As a page that has reached us at this authority gets it, with credentials for its session alone.
    pub fn servers_for(&self, consumer: &str, authority: &str, secure: bool) -> Vec<IceServer> {
        let credentials = self.relay.minter().mint(consumer, now());
        let ways = Ways {
            udp_port: self.relay.udp_port(),
            self_signed: self.certificate.status().source == TlsSource::SelfSigned,
        };
        built_in::servers(authority, secure, ways, &credentials.username, &credentials.password)
    }
}

/// The list, kept for as long as this or a clone lives. Cheap to clone.
#[derive(Clone)]
pub struct Ice {
    current: watch::Receiver<Current>,
    built_in: Option<BuiltIn>,
}

/// What `GET /turn` says: handed to `RTCPeerConnection` as it is, in the form that Selkies' web client expects.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtcConfiguration {
    lifetime_duration: String,
    block_status: &'static str,
    ice_transport_policy: IceTransportPolicy,
    ice_servers: Vec<IceServer>,
}

impl Ice {
    /// Begins to keep the list.
    pub fn start(settings: config::Ice, built_in: Option<BuiltIn>) -> Self {
        let settings = Arc::new(settings);
        let mut keeper = Keeper::new(settings.clone(), &host_name());
        let file = watched_file::follow(settings.rtc_config_json.clone());
        read(&mut keeper, &settings.rtc_config_json, &file.latest());
        let due = keeper.tick(now());
        let (sender, current) = watch::channel(keeper.current());
        tokio::spawn(keep(keeper, settings, file, due, sender));
        Self { current, built_in }
    }

    /// Lets the sink use the list from now on: its own end by properties, its pages by signals, and both anew with each
    /// renewal.
    pub fn connect(&self, sink: &impl IsA<gst::Element>) {
        let ice = self.clone();
        sink.connect("request-ice-servers", false, move |values| {
            let consumer = values.get(1)?.get::<Option<String>>().ok().flatten().unwrap_or_default();
            let authority = values.get(2)?.get::<Option<String>>().ok().flatten().unwrap_or_default();
            let secure = values.get(3)?.get::<bool>().unwrap_or_default();
            Some(ice.uris_for(&consumer, &authority, secure).to_value())
        });
        apply(sink.upcast_ref(), &self.current.latest());
        let weak = sink.upcast_ref::<gst::Element>().downgrade();
        let (mut current, has_relay) = (self.current.clone(), self.built_in.is_some());
        tokio::spawn(async move {
            // Credentials of the built-in server are as old as their page's welcome; at half of their life all get new ones.
            let mut renewals =
                tokio::time::interval(if has_relay { turn::CREDENTIAL_LIFE / 2 } else { ENDLESS });
            renewals.tick().await;
            let mut told = current.borrow_and_update().clone();
            loop {
                tokio::select! {
                    changed = current.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        let now = current.borrow_and_update().clone();
                        if (&now.servers, now.policy) == (&told.servers, told.policy) {
                            continue;
                        }
                        told = now;
                    }
                    _ = renewals.tick() => {}
                }
                let Some(sink) = weak.upgrade() else { return };
                apply(&sink, &told);
                sink.emit_by_name::<()>("update-ice-servers", &[]);
            }
        });
    }

    /// The list as it holds now.
    pub fn current(&self) -> Current {
        self.current.latest()
    }

    /// The list once the service that gives it has answered, or failed; at most so long.
    pub async fn answered(&self, limit: Duration) -> Current {
        let mut current = self.current.clone();
        let is_there = |current: &Current| {
            current.error.is_some() || matches!(current.source, IceSource::File | IceSource::Rest)
        };
        // What is waited for is a lock, which must be gone before anything else looks at the list.
        let _ = tokio::time::timeout(limit, current.wait_for(is_there)).await.map(|found| found.map(drop));
        self.current()
    }

    /// The built-in TURN server, if there is one.
    pub fn built_in(&self) -> Option<&BuiltIn> {
        self.built_in.as_ref()
    }

    /// All servers for one page, as the sink takes them.
    fn uris_for(&self, consumer: &str, authority: &str, secure: bool) -> Vec<String> {
        let mut servers = self.current.look(|current| current.servers.clone());
        if let Some(built_in) = &self.built_in {
            servers.extend(built_in.servers_for(consumer, authority, secure));
        }
        list::uris(&servers)
    }

    /// The same for one client that asks nowhere else, with the built-in server and credentials of its own.
    pub fn rtc_configuration_for(&self, client: &str, authority: &str, secure: bool) -> RtcConfiguration {
        let mut configuration = self.rtc_configuration();
        if let Some(built_in) = &self.built_in {
            configuration.ice_servers.extend(built_in.servers_for(client, authority, secure));
        }
        configuration
    }

    /// The body of `GET /turn`. The built-in server is not in it: its credentials belong to a page that is connected.
    pub fn rtc_configuration(&self) -> RtcConfiguration {
        let current = self.current.latest();
        let life = current.expires.map_or(ENDLESS, |expires| expires.saturating_sub(now()));
        RtcConfiguration {
            lifetime_duration: format!("{}s", life.as_secs()),
            block_status: "NOT_BLOCKED",
            ice_transport_policy: current.policy,
            ice_servers: current.servers,
        }
    }

    /// As `/status` shows it.
    pub fn status(&self) -> IceServersStatus {
        let current = self.current.latest();
        let now = now();
        let left = |at: Duration| at.saturating_sub(now).as_secs_f64();
        IceServersStatus {
            urls: current.servers.iter().flat_map(|server| server.urls.clone()).collect(),
            source: current.source,
            transport_policy: current.policy,
            expires_in_seconds: current.expires.map(left),
            renewed_in_seconds: current.renewal.map(left),
            renewal_failures: current.failures,
            error: current.error,
        }
    }
}

/// Follows file, service and clock until nobody wants the list any more.
async fn keep(
    mut keeper: Keeper,
    settings: Arc<config::Ice>,
    mut file: watch::Receiver<watched_file::Content>,
    mut due: bool,
    sender: watch::Sender<Current>,
) {
    let mut ticks = tokio::time::interval(TICK);
    let (answer, mut answered) = tokio::sync::mpsc::channel(1);
    loop {
        if let Some(service) = settings.turn_rest.clone().filter(|_| due) {
            let (answer, user) = (answer.clone(), keeper.user().to_owned());
            tokio::task::spawn_blocking(move || answer.blocking_send(rest::ask(&service, &user)));
        }
        let was_failing = keeper.current().error.is_some();
        tokio::select! {
            _ = ticks.tick() => {}
            Ok(()) = file.changed() => {
                let content = file.borrow_and_update().clone();
                read(&mut keeper, &settings.rtc_config_json, &content);
            }
            Some(body) = answered.recv() => {
                if let Some(words) = keeper.fetched(body, now()) {
                    tracing::warn!("{words}");
                }
            }
            () = sender.closed() => return,
        }
        due = keeper.tick(now());
        let current = keeper.current();
        if was_failing && current.error.is_none() {
            tracing::info!("the STUN and TURN servers are known again");
        }
        sender.send_if_modified(|old| {
            let changed = *old != current;
            if changed && (old.source, &old.servers) != (current.source, &current.servers) {
                tracing::debug!(source = ?current.source, servers = ?current.servers, "other STUN and TURN servers");
            }
            *old = current;
            changed
        });
    }
}

fn read(keeper: &mut Keeper, path: &Path, content: &watched_file::Content) {
    let news = match content {
        Ok(bytes) => match check_owner(path) {
            Ok(()) => keeper.file(File::Content(bytes)),
            Err(why) => keeper.file(File::Unreadable(&why)),
        },
        Err(_) if !path.exists() => keeper.file(File::Absent),
        Err(why) => keeper.file(File::Unreadable(why)),
    };
    if let Some(words) = news {
        tracing::warn!("{words}");
    }
}

/// In a folder like /tmp anybody may put a file; there it must be ours or root's, as the kernel's `protected_regular` asks.
fn check_owner(path: &Path) -> Result<(), String> {
    let folder = path.parent().and_then(|folder| folder.metadata().ok());
    let is_shared = folder.is_some_and(|folder| folder.permissions().mode() & 0o1002 == 0o1002);
    let owner = path.metadata().map(|file| file.uid()).unwrap_or_default();
    if is_shared && ![0, nix::unistd::geteuid().as_raw()].contains(&owner) {
        return Err(format!("{} is not used: it belongs to the user {owner}, not to us", path.display()));
    }
    Ok(())
}

/// Tells the sink what its own end is to use.
pub fn apply(sink: &gst::Element, current: &Current) {
    let uris = list::uris(&current.servers);
    let stun = uris.iter().find(|uri| uri.starts_with("stun:"));
    sink.set_property("stun-server", stun);
    let turn = uris.iter().filter(|uri| uri.starts_with("turn"));
    sink.set_property("turn-servers", gst::Array::new(turn.map(String::as_str)));
    let policy = match current.policy {
        IceTransportPolicy::All => "all",
        IceTransportPolicy::Relay => "relay",
    };
    sink.set_property_from_str("ice-transport-policy", policy);
}

/// The name of the machine, or of the pod.
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "this shell hands the time to the decisions")]
fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}
