//! Shell: finds the address behind a browser's multicast-DNS candidate: asks on the local network, and gives up soon. Where
//! nobody answers, or there is no multicast, nothing is lost: the page's own checks make its address known.

pub mod wire;

use super::consumer::CAT;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};
use tokio::{net::UdpSocket, sync::Semaphore};

/// Where everybody listens (RFC 6762, 3).
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;

/// When the question is asked, after the beginning. Packets on a Wi-Fi get lost.
const ASKED_AFTER: [Duration; 3] = [Duration::ZERO, Duration::from_millis(300), Duration::from_millis(900)];

/// After this the pair is known from the page's own checks, or the page is not on this network.
const LIMIT: Duration = Duration::from_secs(2);

/// Questions at once, over all consumers. What comes meanwhile goes unasked.
static PLACES: Semaphore = Semaphore::const_new(16);

/// Interfaces on which is asked.
const MAX_INTERFACES: usize = 8;

/// Longest packet of multicast DNS (RFC 6762, 17).
const MAX_PACKET_BYTES: usize = 9000;

/// The address of a browser's name.
pub async fn resolve(name: &str) -> Option<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces.iter().filter_map(|interface| match interface.ip() {
        IpAddr::V4(address) if !interface.is_loopback() => Some(address),
        _ => None,
    });
    let addresses: Vec<_> = addresses.take(MAX_INTERFACES).collect();
    resolve_on(name, &addresses, PORT).await
}

async fn resolve_on(name: &str, interfaces: &[Ipv4Addr], port: u16) -> Option<IpAddr> {
    if !wire::is_browsers_name(name) {
        return None;
    }
    let _place = PLACES.try_acquire().ok()?;
    let socket = match open(interfaces, port) {
        Ok(socket) => socket,
        Err(err) => {
            gst::debug!(CAT, "no multicast DNS: {err}");
            return None;
        }
    };
    let found = tokio::time::timeout(LIMIT, async {
        tokio::select! {
            () = ask(&socket, name, interfaces, port) => None,
            address = listen(&socket, name) => address,
        }
    });
    let found = found.await.ok().flatten();
    gst::debug!(CAT, "{name} is {found:?}");
    found
}

/// A socket beside those of others, such as Avahi's: answers go to the group, so it has to listen there.
fn open(interfaces: &[Ipv4Addr], port: u16) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((GROUP, port)).into())?;
    let joined = interfaces.iter().filter(|own| socket.join_multicast_v4(&GROUP, own).is_ok()).count();
    if joined == 0 {
        return Err(std::io::Error::other("no interface takes part in multicast"));
    }
    // RFC 6762, 11: it stays on the link.
    socket.set_multicast_ttl_v4(255)?;
    UdpSocket::from_std(socket.into())
}

/// Asks a few times, then waits for as long as it is let.
async fn ask(socket: &UdpSocket, name: &str, interfaces: &[Ipv4Addr], port: u16) {
    let question = wire::question(name);
    let mut before = Duration::ZERO;
    for after in ASKED_AFTER {
        tokio::time::sleep(after - before).await;
        before = after;
        for own in interfaces {
            let sender = socket2::SockRef::from(socket);
            if sender.set_multicast_if_v4(own).is_ok() {
                let _ = sender.send_to(&question, &SocketAddrV4::new(GROUP, port).into());
            }
        }
    }
    std::future::pending().await
}

async fn listen(socket: &UdpSocket, name: &str) -> Option<IpAddr> {
    let mut packet = vec![0; MAX_PACKET_BYTES];
    loop {
        let (length, _) = socket.recv_from(&mut packet).await.ok()?;
        if let Some(address) = wire::answer(&packet[..length], name) {
            return Some(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::tests::{NAME, response};

    /// A port of the test's own, so that the machine's responders are left alone.
    fn free_port() -> u16 {
        std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[tokio::test]
    async fn a_name_is_found_by_asking_on_the_network() {
        let (port, here) = (free_port(), [Ipv4Addr::LOCALHOST]);
        let responder = open(&here, port).unwrap();
        let answers = tokio::spawn(async move {
            let mut packet = [0; 512];
            // The question of the other end, and not its own answer.
            let length = responder.recv(&mut packet).await.unwrap();
            assert_eq!(packet[..length], wire::question(NAME));
            let sender = socket2::SockRef::from(&responder);
            sender.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
            let answer = response(NAME, 1, &[192, 0, 2, 7]);
            sender.send_to(&answer, &SocketAddrV4::new(GROUP, port).into()).unwrap();
        });
        assert_eq!(resolve_on(NAME, &here, port).await, Some([192, 0, 2, 7].into()));
        answers.await.unwrap();
    }

    #[tokio::test]
    async fn silence_ends_and_where_there_is_no_multicast_nothing_is_waited_for() {
        use futures_util::FutureExt;
        // Ready at the first look.
        assert_eq!(resolve_on(NAME, &[], free_port()).now_or_never(), Some(None));
        let here = [Ipv4Addr::LOCALHOST];
        assert_eq!(resolve_on("printer.local", &here, free_port()).now_or_never(), Some(None));
        let silence = resolve_on(NAME, &here, free_port());
        assert_eq!(tokio::time::timeout(LIMIT * 30, silence).await, Ok(None));
    }
}
