//! Shell: how the server is joined to the sink and to the process: candidates of the sink's ICE agents become peers,
//! consumers that leave take their credentials with them, and the UDP listener is brought up.

use super::{Limits, Peers, Relay, Secret};
use crate::{config::Config, error::Error};
use gst::{glib, prelude::*};
use std::net::SocketAddr;
use tokio::{net::UdpSocket, task::AbortHandle};

/// Bytes of the secret: as many as the HMAC's digest, beyond which it gets no stronger.
const SECRET_BYTES: usize = 20;

/// The server, if it is switched on. Its secret is new with each process: credentials do not outlive it.
pub fn relay(config: &Config) -> Result<Option<Relay>, Error> {
    if !config.builtin_turn {
        return Ok(None);
    }
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret)
        .map_err(|err| Error::pipeline(format!("the system gives no random numbers: {err}")))?;
    let limits = Limits::for_bitrate(u64::from(config.video.max_bitrate_kbps) * 1000);
    Ok(Some(Relay::new(Secret::new(&secret), Peers::default(), limits)))
}

/// Lets the sink tell the server where its ICE agents receive, and who has come and gone.
pub fn connect(relay: &Relay, sink: &impl IsA<glib::Object>) {
    let peers = relay.peers().clone();
    sink.connect("ice-candidate", false, move |values| {
        peers.add_candidate(&text(values, 1), &text(values, 2));
        None
    });
    let minter = relay.minter().clone();
    sink.connect("consumer-added", false, move |values| {
        minter.open(&text(values, 1));
        None
    });
    let (minter, peers) = (relay.minter().clone(), relay.peers().clone());
    sink.connect("consumer-removed", false, move |values| {
        let consumer = text(values, 1);
        minter.close(&consumer);
        peers.forget(&consumer);
        None
    });
}

/// Brings the UDP listener up. Without it pages have the TCP port, so a port that is taken is no reason to end.
pub async fn listen(relay: &Relay, config: &Config) -> Option<AbortHandle> {
    let address = SocketAddr::new(config.address, config.builtin_turn_port);
    match UdpSocket::bind(address).await {
        Ok(socket) => {
            let address = socket.local_addr().unwrap_or(address);
            tracing::info!(%address, "TURN is served on UDP, and on the TCP port");
            let relay = relay.clone();
            Some(tokio::spawn(async move { relay.serve_udp(socket).await }).abort_handle())
        }
        Err(err) => {
            tracing::warn!(
                "TURN is served on the TCP port only: cannot listen on UDP {address}: {err}; where another desktop has the port, \
                 --builtin-turn-port=0 takes a free one"
            );
            None
        }
    }
}

fn text(values: &[glib::Value], index: usize) -> String {
    values.get(index).and_then(|value| value.get::<Option<String>>().ok().flatten()).unwrap_or_default()
}
