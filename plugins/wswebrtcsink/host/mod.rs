//! Shell: the sink's own HTTP server, and its routes for servers of others: the page and the signalling WebSocket.

#[doc(hidden)]
pub mod origin;
mod page;
mod socket;
mod whep;

use super::{hub::Hub, runtime::runtime};
pub use origin::is_allowed_behind;
use std::{
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
};
use tokio::sync::oneshot;
use warp::{Filter, Rejection, Reply};

/// Who may reach the routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Programs on this machine, without a password.
    ThisMachine,
    /// Whom the server in front lets through, or anybody.
    Anyone,
}

/// The page at `/`, the signalling at `/ws`, and `/whep` for standard players.
pub fn routes(
    hub: Arc<Hub>,
    reach: Reach,
) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send + Sync {
    socket::route(hub.clone(), reach).or(whep::route(hub, reach)).or(page::route())
}

/// A running server; dropping it ends it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// Listens on `host:port`. The error names the address and the cause.
    pub fn start(listen: &str, hub: Arc<Hub>) -> Result<Self, String> {
        let cannot = |what: &dyn std::fmt::Display| format!("cannot listen on {listen}: {what}");
        let addresses: Vec<_> = listen
            .to_socket_addrs()
            .map_err(|err| cannot(&format!("{err}; the form is host:port, such as 127.0.0.1:8080")))?
            .collect();
        let listener = std::net::TcpListener::bind(&addresses[..]).map_err(|err| cannot(&err))?;
        listener.set_nonblocking(true).map_err(|err| cannot(&err))?;
        let address = listener.local_addr().map_err(|err| cannot(&err))?;

        let (stop, stopped) = oneshot::channel::<()>();
        let _guard = runtime().enter();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(|err| cannot(&err))?;
        let reach = if address.ip().is_loopback() { Reach::ThisMachine } else { Reach::Anyone };
        runtime().spawn(async move {
            let serve = warp::serve(routes(hub, reach)).incoming(listener).run();
            // WebSockets end with their consumers; what is cut here is only the accepting.
            tokio::select! {
                () = serve => {}
                _ = stopped => {}
            }
        });
        Ok(Self { address, _stop: stop })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
