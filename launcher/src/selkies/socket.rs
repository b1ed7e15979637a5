//! Shell: the client's WebSockets, one for each of its two peer connections. What is said on them is `signalling.rs`'s.

use super::{
    CHANNEL, Selkies,
    signalling::{self, Peer},
};
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use gst::prelude::*;
use gstvdi::wswebrtcsink::Mark;
use std::time::Duration;
use tokio::time::timeout;
use vdi_protocol::{
    SUBPROTOCOL, VERSION,
    signalling::{FromConsumer, ToConsumer},
};
use warp::{
    Filter, Rejection, Reply,
    http::StatusCode,
    path::FullPath,
    reply::Response,
    ws::{Message, WebSocket, Ws},
};

/// Messages that may wait for a socket.
pub const OUTBOX: usize = 256;
/// Largest message: a browser's answer takes a few kB.
const MAX_MESSAGE_BYTES: usize = 128 * 1024;
/// Time for the first line; the client says it at once.
const HELLO_LIMIT: Duration = Duration::from_secs(10);
/// Time for a message to go out.
const SEND_LIMIT: Duration = Duration::from_secs(5);
/// Proxies cut what is silent for a minute.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A policy of ours, in words (RFC 6455, 7.4.1).
const REFUSED: u16 = 1008;

/// How the client has reached us.
#[derive(Debug, Clone, Default)]
pub struct Visit {
    /// Host, and port if it is not the scheme's own.
    pub authority: String,
    /// Through TLS.
    pub secure: bool,
}

/// Reads it from a request's headers.
pub fn visit() -> impl Filter<Extract = (Visit,), Error = Rejection> + Clone + Send + Sync {
    warp::header::optional::<String>("host")
        .and(warp::header::optional::<String>("x-forwarded-host"))
        .and(warp::header::optional::<String>("x-forwarded-proto"))
        .map(|host: Option<String>, forwarded: Option<String>, proto: Option<String>| {
            let first = |list: Option<String>| {
                list.and_then(|list| list.split(',').next().map(|first| first.trim().to_owned()))
            };
            Visit {
                authority: first(forwarded).or(host).unwrap_or_default(),
                secure: first(proto).is_some_and(|proto| ["https", "wss"].contains(&proto.as_str())),
            }
        })
}

/// `…/signalling`, `…/signalling/`, and `/ws` unless the page there is one of ours, which names its protocol.
pub fn route(
    selkies: Selkies,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync {
    warp::path::full()
        .and(warp::header::optional::<String>("sec-websocket-protocol"))
        .and_then(|path: FullPath, protocols: Option<String>| async move {
            let ours = protocols.is_some_and(|names| names.split(',').any(|name| name.trim() == SUBPROTOCOL));
            let path = path.as_str().trim_end_matches('/');
            if path.ends_with("/signalling") || (path == "/ws" && !ours) {
                Ok(())
            } else {
                Err(warp::reject::not_found())
            }
        })
        .untuple_one()
        .and(warp::ws())
        .and(visit())
        .and(warp::header::optional::<String>("origin"))
        .and(warp::header::optional::<String>("host"))
        .and(warp::header::optional::<String>("x-forwarded-host"))
        .and(warp::ext::optional::<Mark>())
        .map(
            move |ws: Ws,
                  visit,
                  origin: Option<String>,
                  host: Option<String>,
                  forwarded: Option<String>,
                  mark| {
                let (origin, host, forwarded) = (origin.as_deref(), host.as_deref(), forwarded.as_deref());
                if !gstvdi::wswebrtcsink::may_open_socket(origin, host, forwarded) {
                    let words = "this WebSocket may only be opened from the page of this server\n";
                    return warp::reply::with_status(words, StatusCode::FORBIDDEN).into_response();
                }
                let selkies = selkies.clone();
                ws.max_message_size(MAX_MESSAGE_BYTES)
                    .max_frame_size(MAX_MESSAGE_BYTES)
                    .on_upgrade(move |socket| serve(socket, selkies, visit, mark))
                    .into_response()
            },
        )
}

async fn serve(mut socket: WebSocket, selkies: Selkies, visit: Visit, mark: Option<Mark>) {
    let hello = match timeout(HELLO_LIMIT, first_text(&mut socket)).await {
        Ok(Some(text)) => signalling::hello(&text),
        Ok(None) => return,
        Err(_) => Err(format!("there was no HELLO within {} s", HELLO_LIMIT.as_secs())),
    };
    let (mut to_client, mut from_client) = socket.split();
    let hello = match hello {
        Ok(hello) => hello,
        Err(why) => return refuse(&mut to_client, &why).await,
    };
    let (name, mut messages) = selkies.enter(hello.peer, mark.as_ref());
    let media = match hello.peer {
        Peer::Video => "video",
        Peer::Audio => "audio",
    };
    // The channel of the sound's connection is never spoken on; a connection without sound would have nothing else.
    let options = gst::Structure::builder("options")
        .field("media", media)
        .field("data-channel", CHANNEL)
        .field("authority", visit.authority)
        .field("secure", visit.secure)
        .build();
    let sink = selkies.0.sink.clone();
    let say = |message: &FromConsumer| {
        if let Ok(json) = serde_json::to_string(message) {
            sink.emit_by_name::<bool>("receive-signalling", &[&name, &json]);
        }
    };
    if !sink.emit_by_name::<bool>("open-consumer-full", &[&name, &options]) {
        selkies.leave(&name);
        let words = "this session takes no more pages now, or has no picture yet; try again later";
        return refuse(&mut to_client, words).await;
    }
    if send(&mut to_client, Message::text("HELLO")).await {
        say(&FromConsumer::Hello {
            version: VERSION,
            client: None,
            watches: false,
            session: None,
            decodes: Vec::new(),
            full_chroma: Vec::new(),
            surround: false,
        });
        let mut ping = tokio::time::interval(PING_EVERY);
        loop {
            let sent = tokio::select! {
                message = messages.recv() => {
                    let Some(message) = message else { break };
                    let line = signalling::told(&message);
                    let sent = match line {
                        Some(line) => send(&mut to_client, Message::text(line)).await,
                        None => true,
                    };
                    sent && !matches!(message, ToConsumer::Bye { .. })
                }
                message = from_client.next() => match message {
                    Some(Ok(message)) if message.is_text() => {
                        match signalling::said(message.to_str().unwrap_or_default()) {
                            Ok(message) => {
                                say(&message);
                                true
                            }
                            Err(why) => send(&mut to_client, Message::text(format!("ERROR {why}"))).await,
                        }
                    }
                    Some(Ok(message)) => !message.is_close(),
                    _ => false,
                },
                _ = ping.tick() => send(&mut to_client, Message::ping(Vec::new())).await,
            };
            if !sent {
                break;
            }
        }
    }
    selkies.leave(&name);
    let _ = timeout(SEND_LIMIT, to_client.close()).await;
}

async fn first_text(socket: &mut WebSocket) -> Option<String> {
    loop {
        let message = socket.next().await?.ok()?;
        if message.is_close() {
            return None;
        }
        if let Ok(text) = message.to_str() {
            return Some(text.to_owned());
        }
    }
}

async fn send(to_client: &mut SplitSink<WebSocket, Message>, message: Message) -> bool {
    matches!(timeout(SEND_LIMIT, to_client.send(message)).await, Ok(Ok(())))
}

async fn refuse(to_client: &mut SplitSink<WebSocket, Message>, why: &str) {
    if send(to_client, Message::text(format!("ERROR {why}"))).await {
        // A reason may have 123 bytes (RFC 6455, 5.5).
        let short: String = why.chars().filter(char::is_ascii).take(120).collect();
        send(to_client, Message::close_with(REFUSED, short)).await;
    }
}
