//! Shell: speaks to one STUN or TURN server for real: a binding, or an allocation that is given back at once. It tells what
//! it met and judges nothing.
//!
//! The exchange is written out here since what matters is why a server refuses: its error codes.

use super::servers::{Server, Transport};
use std::{
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::Instant,
};
use turn_types::{
    attribute::{Lifetime, RequestedTransport, XorRelayedAddress},
    message::{ALLOCATE, REFRESH},
    stun::{
        attribute::{ErrorCode, Nonce, Realm, Username, XorMappedAddress},
        message::{
            BINDING, IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageIntegrityCredentials,
            MessageWrite, MessageWriteExt, MessageWriteVec, Method,
        },
    },
};

/// Time for the whole exchange with one server.
const LIMIT: Duration = Duration::from_secs(8);
/// When a datagram that nobody answered is sent again: half of RFC 8489's times, within [`LIMIT`].
const AGAIN_AFTER: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(2),
];
/// Time for a server to take back what is given back; it forgets by itself what it does not hear of.
const GIVE_BACK: Duration = Duration::from_secs(1);
/// Largest STUN message that is read.
const MAX_MESSAGE: usize = 2048;
/// First bytes of every STUN message after type and length (RFC 8489, 5).
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// What was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met {
    /// A binding.
    Bound {
        /// Our address as the server sees it.
        seen: SocketAddr,
        /// Our address as we see it.
        own: SocketAddr,
    },
    /// An allocation.
    Allocated {
        /// The relay's address.
        relayed: SocketAddr,
    },
    /// The name has no address.
    NoAddress(String),
    /// The machine is there, and nothing listens.
    Refused,
    /// The machine cannot be reached.
    Unreachable(String),
    /// Nothing came back in time.
    Silent,
    /// The certificate is not trusted, and why.
    Untrusted(String),
    /// TLS did not come up for another reason.
    NoTls(String),
    /// What answers there is no STUN or TURN server.
    Stranger,
    /// A TURN server without user and password.
    NoCredentials,
    /// The server said no.
    Rejected {
        /// STUN's error code.
        code: u16,
        /// The server's words.
        words: String,
        /// Whether it had been given credentials.
        authenticated: bool,
    },
}

/// Speaks to a server, and tells how long that took.
pub async fn exchange(server: &Server) -> (Met, Duration) {
    let began = Instant::now();
    let met = tokio::time::timeout(LIMIT, speak(server)).await;
    (met.unwrap_or(Ok(Met::Silent)).unwrap_or_else(|met| met), began.elapsed())
}

/// The error is a finding as well.
async fn speak(server: &Server) -> Result<Met, Met> {
    if server.relays && server.credentials.is_none() {
        return Err(Met::NoCredentials);
    }
    let found = tokio::net::lookup_host((server.host.as_str(), server.port)).await;
    let addresses: Vec<_> = found.map_err(|err| Met::NoAddress(err.to_string()))?.collect();
    let mut last = Met::NoAddress("the name has no address".into());
    for address in addresses {
        match attempt(server, address).await {
            // Another address of the same name may be reachable.
            Err(met @ (Met::Refused | Met::Unreachable(_))) => last = met,
            met => return met,
        }
    }
    Err(last)
}

async fn attempt(server: &Server, address: SocketAddr) -> Result<Met, Met> {
    if server.transport == Transport::Udp {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await.map_err(of_network)?;
        // A connected socket is told when nothing listens there.
        socket.connect(address).await.map_err(of_network)?;
        let own = socket.local_addr().map_err(of_network)?;
        return converse(server, Wire::Datagrams(socket), own).await;
    }
    let stream = TcpStream::connect(address).await.map_err(of_network)?;
    let _ = stream.set_nodelay(true);
    let own = stream.local_addr().map_err(of_network)?;
    if server.transport == Transport::Tcp {
        return converse(server, Wire::Stream(Box::new(stream)), own).await;
    }
    let name = rustls_pki_types::ServerName::try_from(server.host.clone())
        .map_err(|err| Met::NoTls(err.to_string()))?;
    let connector = tokio_rustls::TlsConnector::from(trust().map_err(Met::NoTls)?);
    let stream = connector.connect(name, stream).await.map_err(|err| of_tls(&err))?;
    converse(server, Wire::Stream(Box::new(stream)), own).await
}

fn of_network(err: std::io::Error) -> Met {
    match err.kind() {
        ErrorKind::ConnectionRefused => Met::Refused,
        ErrorKind::TimedOut => Met::Silent,
        ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => Met::Stranger,
        _ => Met::Unreachable(err.to_string()),
    }
}

fn of_tls(err: &std::io::Error) -> Met {
    let inner = err.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => Met::Untrusted(certificate(why)),
        Some(rustls::Error::InvalidMessage(_)) => Met::NoTls("what answers there speaks no TLS".into()),
        Some(other) => Met::NoTls(other.to_string()),
        None => Met::NoTls(err.to_string()),
    }
}

fn certificate(why: &rustls::CertificateError) -> String {
    use rustls::CertificateError as Why;
    match why {
        Why::UnknownIssuer => "it is signed by nobody whom this system trusts, or by itself".into(),
        Why::Expired | Why::ExpiredContext { .. } => "it has expired".into(),
        Why::NotValidYet | Why::NotValidYetContext { .. } => {
            "it is not valid yet: a clock may be wrong".into()
        }
        Why::NotValidForName | Why::NotValidForNameContext { .. } => "it is for another name".into(),
        other => other.to_string(),
    }
}

/// Trusts what the system trusts, as a browser would.
fn trust() -> Result<Arc<rustls::ClientConfig>, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|err| err.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

enum Wire {
    Datagrams(UdpSocket),
    Stream(Box<dyn Stream>),
}

impl Wire {
    /// Sends a request and waits for its answer.
    async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, Met> {
        match self {
            Self::Datagrams(socket) => {
                for wait in AGAIN_AFTER {
                    socket.send(request).await.map_err(of_network)?;
                    let answer = tokio::time::timeout(wait, answer(socket, request)).await;
                    if let Ok(answer) = answer {
                        return answer;
                    }
                }
                Err(Met::Silent)
            }
            Self::Stream(stream) => {
                stream.write_all(request).await.map_err(of_network)?;
                stream.flush().await.map_err(of_network)?;
                let mut message = vec![0; 20];
                stream.read_exact(&mut message).await.map_err(of_network)?;
                if message[0] > 1 || message[4..8] != MAGIC_COOKIE {
                    return Err(Met::Stranger);
                }
                let length = usize::from(u16::from_be_bytes([message[2], message[3]]));
                if length > MAX_MESSAGE {
                    return Err(Met::Stranger);
                }
                message.resize(20 + length, 0);
                stream.read_exact(&mut message[20..]).await.map_err(of_network)?;
                Ok(message)
            }
        }
    }
}

/// The datagram that answers the request: a late answer to an earlier one is passed over.
async fn answer(socket: &UdpSocket, request: &[u8]) -> Result<Vec<u8>, Met> {
    let mut buffer = vec![0; MAX_MESSAGE];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(of_network)?;
        let answer = &buffer[..length];
        if length >= 20 && answer[4..8] != MAGIC_COOKIE {
            return Err(Met::Stranger);
        }
        if length >= 20 && answer[4..20] == request[4..20] {
            return Ok(answer.to_vec());
        }
    }
}

async fn converse(server: &Server, mut wire: Wire, own: SocketAddr) -> Result<Met, Met> {
    let Some((user, password)) = server.credentials.as_ref().filter(|_| server.relays) else {
        let request = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
        let bytes = wire.ask(&request).await?;
        let message = Message::from_bytes(&bytes).map_err(|_| Met::Stranger)?;
        let seen = message.attribute::<XorMappedAddress>().map_err(|_| Met::Stranger)?;
        return Ok(Met::Bound { seen: seen.addr(message.transaction_id()), own });
    };
    let mut challenge: Option<(String, String)> = None;
    // Without credentials, with them, and once more with a nonce that is not stale.
    for _ in 0..3 {
        let credentials =
            challenge.as_ref().map(|(realm, nonce)| Login { user, password: &password.0, realm, nonce });
        let bytes = wire.ask(&request(ALLOCATE, credentials.as_ref())?).await?;
        let message = Message::from_bytes(&bytes).map_err(|_| Met::Stranger)?;
        if let Ok(relayed) = message.attribute::<XorRelayedAddress>() {
            let relayed = relayed.addr(message.transaction_id());
            if let Some(login) = &credentials {
                // What is not given back in time expires by itself.
                let request = request(REFRESH, Some(login))?;
                let _ = tokio::time::timeout(GIVE_BACK, wire.ask(&request)).await;
            }
            return Ok(Met::Allocated { relayed });
        }
        let error = message.attribute::<ErrorCode>().map_err(|_| Met::Stranger)?;
        let rejected = Met::Rejected {
            code: error.code(),
            words: error.reason().to_owned(),
            authenticated: challenge.is_some(),
        };
        let asks = (error.code() == ErrorCode::UNAUTHORIZED && challenge.is_none())
            || error.code() == ErrorCode::STALE_NONCE;
        let realm = message.attribute::<Realm>().map(|realm| realm.realm().to_owned());
        let nonce = message.attribute::<Nonce>().map(|nonce| nonce.nonce().to_owned());
        match (asks, realm, nonce) {
            (true, Ok(realm), Ok(nonce)) => challenge = Some((realm, nonce)),
            _ => return Err(rejected),
        }
    }
    Err(Met::Rejected { code: ErrorCode::STALE_NONCE, words: "Stale Nonce".into(), authenticated: true })
}

/// What a request is signed with.
struct Login<'a> {
    user: &'a str,
    password: &'a str,
    realm: &'a str,
    nonce: &'a str,
}

fn request(method: Method, login: Option<&Login>) -> Result<Vec<u8>, Met> {
    let unfit = |err| Met::NoTls(format!("user name or realm cannot be sent: {err}"));
    let mut message = Message::builder_request(method, MessageWriteVec::new());
    let transport = RequestedTransport::new(RequestedTransport::UDP);
    let none_left = Lifetime::new(0);
    if method == ALLOCATE {
        message.add_attribute(&transport).map_err(unfit)?;
    } else {
        message.add_attribute(&none_left).map_err(unfit)?;
    }
    if let Some(login) = login {
        let user = Username::new(login.user).map_err(unfit)?;
        let realm = Realm::new(login.realm).map_err(unfit)?;
        let nonce = Nonce::new(login.nonce).map_err(unfit)?;
        message.add_attribute(&user).map_err(unfit)?;
        message.add_attribute(&realm).map_err(unfit)?;
        message.add_attribute(&nonce).map_err(unfit)?;
        let key = LongTermKeyCredentials::new(
            login.user.to_owned(),
            login.password.to_owned(),
            login.realm.to_owned(),
        );
        let key = MessageIntegrityCredentials::from(key);
        message.add_message_integrity(&key, IntegrityAlgorithm::Sha1).map_err(unfit)?;
    }
    Ok(message.finish())
}
