//! Shell: finds the addresses of the STUN and TURN servers that the sink's own end uses.
//!
//! webrtcbin must get addresses, no names: it looks names up in the background (seen in 1.22) and waits for the answer on
//! the default main context. Where nobody runs that, as in the launcher, it never hears of it, and never frees its ICE agent.

use super::{consumer::CAT, ice_servers};
use futures_util::future::join_all;
use std::{net::SocketAddr, time::Duration};

/// How long a name may take; a server whose name is not found in time is left out. This is part of a page's wait for its
/// picture, and its other ways are there without it.
const LIMIT: Duration = Duration::from_secs(2);

/// What webrtcbin gets.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct OwnServers {
    /// `stun://address:port`.
    pub stun: Option<String>,
    /// `turn://user:password@address:port`.
    pub turn: Vec<String>,
}

/// The servers with addresses for names. Those through TLS are for pages only: libnice does not speak it.
pub async fn own_servers(stun: Option<&str>, turn: &[String]) -> OwnServers {
    let turn = turn.iter().filter(|uri| uri.starts_with("turn://"));
    let (stun, turn) = tokio::join!(async { resolve(stun?).await }, join_all(turn.map(|uri| resolve(uri))),);
    OwnServers { stun, turn: turn.into_iter().flatten().collect() }
}

async fn resolve(uri: &str) -> Option<String> {
    let place = ice_servers::place(uri)?;
    if place.host.parse::<std::net::IpAddr>().is_ok() || place.host.starts_with('[') {
        return Some(uri.to_owned());
    }
    let lookup = tokio::net::lookup_host((place.host, place.port));
    let found = match tokio::time::timeout(LIMIT, lookup).await {
        Ok(Ok(mut addresses)) => addresses.next().ok_or_else(|| "it has no address".to_owned()),
        Ok(Err(err)) => Err(err.to_string()),
        Err(_) => Err(format!("no answer within {LIMIT:?}")),
    };
    match found {
        Ok(address) => Some(with_address(uri, &place, address)),
        Err(why) => {
            gst::warning!(CAT, "the server {} is not used by this end: {why}", place.host);
            None
        }
    }
}

fn with_address(uri: &str, place: &ice_servers::Place<'_>, address: SocketAddr) -> String {
    format!("{}{address}{}", &uri[..place.start], &uri[place.end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_become_addresses_and_the_rest_stays() {
        let turn = [
            "turn://u:p%40@localhost:3478?transport=tcp",
            "turn://u:p@192.0.2.1",
            "turn://u:p@[2001:db8::1]:3478",
            "turns://u:p@192.0.2.2",
            "turn://u:p@nowhere.invalid",
        ];
        let own = own_servers(Some("stun://localhost"), &turn.map(str::to_owned)).await;
        let [first, rest @ ..] = &own.turn[..] else { panic!("{own:?}") };
        let loopback = ["127.0.0.1", "[::1]"];
        assert!(
            loopback.iter().any(|ip| *first == format!("turn://u:p%40@{ip}:3478?transport=tcp")),
            "{first}"
        );
        assert_eq!(rest, ["turn://u:p@192.0.2.1", "turn://u:p@[2001:db8::1]:3478"]);
        assert!(loopback.iter().any(|ip| own.stun == Some(format!("stun://{ip}:3478"))), "{own:?}");
    }
}
