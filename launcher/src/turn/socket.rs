//! Shell: the relay's own sockets. One is bound for each allocation, on loopback: the only peer there can be is an ICE agent
//! in this process, and what is not reachable from outside needs no protection from outside.

use super::client::Wanted;
use socket2::SockRef;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};
use tokio::net::UdpSocket;
use turn_types::AddressFamily;

/// Buffers of sockets. A key frame comes in one burst of hundreds of kilobytes, since webrtcbin does not pace; the system
/// gives less where it does not allow as much.
const BUFFER_BYTES: usize = 1 << 20;

/// Ports that are tried until one is even. The system gives any, so the last is odd once in a million times; the client is
/// told which it is.
const EVEN_TRIES: u32 = 20;

/// A socket for an allocation.
pub fn relay(wanted: &Wanted) -> io::Result<UdpSocket> {
    let ip = match wanted.family {
        AddressFamily::IPV4 => IpAddr::V4(Ipv4Addr::LOCALHOST),
        AddressFamily::IPV6 => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    let mut socket = std::net::UdpSocket::bind((ip, 0))?;
    for _ in 0..EVEN_TRIES {
        if !wanted.even_port || socket.local_addr()?.port().is_multiple_of(2) {
            break;
        }
        socket = std::net::UdpSocket::bind((ip, 0))?;
    }
    socket.set_nonblocking(true)?;
    let socket = UdpSocket::from_std(socket)?;
    enlarge(&socket);
    Ok(socket)
}

/// Makes room for bursts.
pub fn enlarge(socket: &UdpSocket) {
    let socket = SockRef::from(socket);
    // Less room costs packets in bursts, and nothing else.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
}

/// Sends a datagram now or never. Returns whether it went. Unlike tokio's own way it does not ask the reactor first, which
/// does not know yet of a socket that was bound a moment ago.
pub fn send(socket: &UdpSocket, data: &[u8], to: SocketAddr) -> bool {
    SockRef::from(socket).send_to(data, &to.into()).is_ok()
}
