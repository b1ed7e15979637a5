//! Shell: the signalling WebSocket that browsers open at `/ws`.

use super::{Reach, origin};
use crate::wswebrtcsink::{
    consumer::{Consumer, Visit, json, negotiation::Input},
    hub::Hub,
};
use futures_util::{SinkExt, StreamExt};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use vdi_protocol::{SUBPROTOCOL, signalling::ToConsumer};
use warp::{
    Filter, Rejection, Reply,
    http::{StatusCode, header},
    ws::{Message, WebSocket},
};

/// Messages that may wait for a browser; a hundred candidates and an offer fit.
const OUTBOX: usize = 256;

/// Proxies cut connections that are idle for a minute.
const PING_EVERY: Duration = Duration::from_secs(20);

/// A browser that takes no bytes for so long is gone.
const SEND_LIMIT: Duration = Duration::from_secs(10);

/// A message up to so many times the limit is read and answered with words; a larger one cuts the connection.
const ANSWERED_OVERSIZE: usize = 4;

/// The WebSocket at `/ws`.
pub fn route(
    hub: Arc<Hub>,
    reach: Reach,
) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send + Sync {
    warp::path("ws")
        .and(warp::path::end())
        .and(warp::ws())
        .and(warp::header::optional::<String>("origin"))
        .and(warp::header::optional::<String>("host"))
        .and(warp::header::optional::<String>("sec-websocket-protocol"))
        .and(warp::header::optional::<String>("x-forwarded-host"))
        .and(warp::header::optional::<String>("x-forwarded-proto"))
        .map(
            move |ws: warp::ws::Ws,
                  origin: Option<String>,
                  host: Option<String>,
                  protocols: Option<String>,
                  forwarded_host: Option<String>,
                  forwarded_proto: Option<String>| {
                if reach == Reach::ThisMachine && !origin::names_this_machine(host.as_deref()) {
                    let text = "without a password this server answers only to localhost and 127.0.0.1; \
                        listen on another address to change that\n";
                    return warp::reply::with_status(text, StatusCode::FORBIDDEN).into_response();
                }
                if !origin::is_allowed_behind(origin.as_deref(), host.as_deref(), forwarded_host.as_deref()) {
                    let text = "this WebSocket may only be opened from the page of this server; \
                        a proxy in front has to pass on Host, or X-Forwarded-Host\n";
                    return warp::reply::with_status(text, StatusCode::FORBIDDEN).into_response();
                }
                let cut = hub.max_message_size().saturating_mul(ANSWERED_OVERSIZE);
                let hub = hub.clone();
                let visit = Visit {
                    authority: first(forwarded_host.as_deref())
                        .or(host.as_deref())
                        .unwrap_or_default()
                        .into(),
                    secure: first(forwarded_proto.as_deref()).is_some_and(|scheme| {
                        ["https", "wss"].iter().any(|tls| scheme.eq_ignore_ascii_case(tls))
                    }),
                    offered: None,
                };
                let mut response = ws
                    .max_message_size(cut)
                    .max_frame_size(cut)
                    .on_upgrade(move |socket| serve(socket, hub, visit))
                    .into_response();
                let named =
                    protocols.is_some_and(|names| names.split(',').any(|name| name.trim() == SUBPROTOCOL));
                if named {
                    response.headers_mut().insert(
                        header::SEC_WEBSOCKET_PROTOCOL,
                        header::HeaderValue::from_static(SUBPROTOCOL),
                    );
                }
                response
            },
        )
}

/// What the proxy that the page spoke to has said; each further one adds its own behind a comma.
fn first(list: Option<&str>) -> Option<&str> {
    list?.split(',').next().map(str::trim).filter(|first| !first.is_empty())
}

async fn serve(socket: WebSocket, hub: Arc<Hub>, visit: Visit) {
    let (mut to_browser, mut from_browser) = socket.split();
    let (outbox, mut messages) = mpsc::channel::<ToConsumer>(OUTBOX);
    let opened = hub.open_consumer(
        &hub.new_id(),
        visit,
        Box::new(move |message| {
            // A full outbox belongs to a browser that takes nothing; its time limit ends it.
            let _ = outbox.try_send(message);
        }),
    );
    let consumer = match opened {
        Ok(consumer) => consumer,
        Err(refusal) => {
            let text = json(&ToConsumer::Error { code: refusal.code, message: refusal.message });
            let _ = to_browser.send(Message::text(text)).await;
            let _ = to_browser.send(Message::close_with(1013_u16, "try again later")).await;
            return;
        }
    };

    // The consumer drops the outbox when it ends; then the rest is sent, and the socket closed.
    let writer = async {
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.tick().await;
        loop {
            let message = tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => Message::text(json(&message)),
                    None => break,
                },
                _ = ping.tick() => Message::ping(Vec::new()),
            };
            if !matches!(tokio::time::timeout(SEND_LIMIT, to_browser.send(message)).await, Ok(Ok(()))) {
                return;
            }
        }
        let closing = to_browser.send(Message::close_with(1000_u16, ""));
        let _ = tokio::time::timeout(SEND_LIMIT, closing).await;
    };
    let reader = read(&mut from_browser, &consumer, hub.max_message_size());
    tokio::select! {
        () = writer => {}
        clean = reader => consumer.input(Input::SignallingLost { clean }),
    }
}

/// Reads until the browser closes; whether it did so on purpose.
async fn read(
    from_browser: &mut futures_util::stream::SplitStream<WebSocket>,
    consumer: &Consumer,
    limit: usize,
) -> bool {
    while let Some(message) = from_browser.next().await {
        match message {
            Ok(message) if message.is_close() => {
                // A page that closes or goes says nothing, 1000 or 1001; whatever else ends a socket is no wish of its.
                return message.close_frame().is_none_or(|(code, _)| matches!(code, 1000 | 1001));
            }
            Ok(message) if message.is_ping() || message.is_pong() => {}
            Ok(message) => match message.to_str() {
                Ok(text) => consumer.receive(text, limit),
                Err(()) => consumer.receive("(binary)", limit),
            },
            Err(_) => return false,
        }
    }
    false
}
