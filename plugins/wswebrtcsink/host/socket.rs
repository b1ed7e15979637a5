//! Shell: the signalling WebSocket that browsers open at `/ws`.

use super::{Reach, origin};
use crate::wswebrtcsink::{
    Mark,
    consumer::{Carrier, Consumer, Part, Visit, failure::Failure, json, negotiation::Input},
    hub::{Hub, Refusal},
};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;
use vdi_protocol::{
    SUBPROTOCOL,
    connection::ConnectionFailure,
    parse,
    signalling::{Continued, ErrorCode, FromConsumer, ToConsumer},
};
use warp::{
    Filter, Rejection, Reply,
    http::{StatusCode, header},
    ws::{Message, WebSocket},
};

/// Messages that may wait for a browser; a hundred candidates and an offer fit.
const OUTBOX: usize = 256;

/// Proxies cut connections that are idle for a minute.
const PING_EVERY: Duration = Duration::from_secs(20);

/// Pings that a browser may leave unanswered, since nothing else may come for hours: a path that was cut without a word
/// takes its socket with it.
const PINGS_UNHEARD: u32 = 2;

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
        .and(warp::ext::optional::<Mark>())
        .map(
            move |ws: warp::ws::Ws,
                  origin: Option<String>,
                  host: Option<String>,
                  protocols: Option<String>,
                  forwarded_host: Option<String>,
                  forwarded_proto: Option<String>,
                  mark: Option<Mark>| {
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
                    part: Part::default(),
                };
                let mut response = ws
                    .max_message_size(cut)
                    .max_frame_size(cut)
                    .on_upgrade(move |socket| serve(socket, hub, visit, mark))
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

async fn serve(socket: WebSocket, hub: Arc<Hub>, visit: Visit, mark: Option<Mark>) {
    let (mut to_browser, mut from_browser) = socket.split();
    // A socket that has not said what it wants takes no place among the consumers, and does not stay for long.
    let Ok(greeting) = hub.greeting.try_acquire() else {
        let message = "too many browsers are at the door".into();
        refuse(&mut to_browser, Refusal { code: ErrorCode::TooManyConsumers, message }).await;
        return;
    };
    let limit = hub.settings().negotiation_timeout;
    let greeted = match tokio::time::timeout(limit, first_text(&mut from_browser)).await {
        Ok(Some(text)) => text,
        Ok(None) => return,
        Err(_) => {
            let message = format!("no hello within {} s", limit.as_secs_f32());
            hub.consumer_failed(&hub.new_id(), &Failure::new(ConnectionFailure::NoHello, &message));
            refuse(&mut to_browser, Refusal { code: ErrorCode::Timeout, message }).await;
            return;
        }
    };
    drop(greeting);
    let (outbox, messages) = mpsc::channel::<ToConsumer>(OUTBOX);
    let outgoing = Box::new(move |message| {
        // A full outbox belongs to a browser that takes nothing; its time limit ends it.
        let _ = outbox.try_send(message);
    });
    let opened = match continued(&greeted, hub.max_message_size()) {
        Some(session) => hub.continue_consumer(&session, visit, outgoing),
        None => {
            let name = Mark::on(mark.as_ref(), &hub.new_id());
            hub.open_consumer(&name, visit, outgoing).map(|consumer| (consumer, 0))
        }
    };
    let (consumer, carrier) = match opened {
        Ok(opened) => opened,
        Err(refusal) => {
            refuse(&mut to_browser, refusal).await;
            return;
        }
    };
    consumer.receive(&greeted, hub.max_message_size());
    drop(greeted);

    let heard = AtomicBool::new(true);
    let reader = async {
        let clean = read(&mut from_browser, &consumer, carrier, hub.max_message_size(), &heard).await;
        // Another WebSocket may carry the messages by now.
        if consumer.is_carried_by(carrier) {
            consumer.input(Input::SignallingLost { clean });
        }
    };
    tokio::select! {
        alive = write(&mut to_browser, messages, &heard) => {
            if !alive && consumer.is_carried_by(carrier) {
                consumer.input(Input::SignallingLost { clean: false });
            }
        }
        () = reader => {}
    }
}

/// The session that the first message asks to go on with.
fn continued(text: &str, limit: usize) -> Option<Continued> {
    match parse::message(text, limit) {
        Ok(FromConsumer::Hello { session, .. }) => session,
        _ => None,
    }
}

async fn refuse(to_browser: &mut SplitSink<WebSocket, Message>, refusal: Refusal) {
    let text = json(&ToConsumer::Error { code: refusal.code, message: refusal.message });
    let goodbye = async {
        let _ = to_browser.send(Message::text(text)).await;
        let _ = to_browser.send(Message::close_with(1013_u16, "try again later")).await;
    };
    let _ = tokio::time::timeout(SEND_LIMIT, goodbye).await;
}

/// Sends until the consumer lets go of the outbox, which is when it ends or another WebSocket takes over; then the rest
/// is sent, and the socket closed. False when the browser is gone instead.
async fn write(
    to_browser: &mut SplitSink<WebSocket, Message>,
    mut messages: mpsc::Receiver<ToConsumer>,
    heard: &AtomicBool,
) -> bool {
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.tick().await;
    let mut unheard = 0;
    loop {
        let message = tokio::select! {
            message = messages.recv() => match message {
                Some(message) => Message::text(json(&message)),
                None => break,
            },
            _ = ping.tick() => {
                unheard = if heard.swap(false, Ordering::Relaxed) { 0 } else { unheard + 1 };
                if unheard >= PINGS_UNHEARD {
                    return false;
                }
                Message::ping(Vec::new())
            }
        };
        if !matches!(tokio::time::timeout(SEND_LIMIT, to_browser.send(message)).await, Ok(Ok(()))) {
            return false;
        }
    }
    let closing = to_browser.send(Message::close_with(1000_u16, ""));
    let _ = tokio::time::timeout(SEND_LIMIT, closing).await;
    true
}

/// The first message; `None` when the browser closes before it says anything.
async fn first_text(from_browser: &mut SplitStream<WebSocket>) -> Option<String> {
    loop {
        let message = from_browser.next().await?.ok()?;
        if message.is_close() {
            return None;
        }
        if !message.is_ping() && !message.is_pong() {
            return Some(text_of(&message).to_owned());
        }
    }
}

fn text_of(message: &Message) -> &str {
    message.to_str().unwrap_or("(binary)")
}

/// Reads until the browser closes; whether it did so on purpose.
async fn read(
    from_browser: &mut SplitStream<WebSocket>,
    consumer: &Consumer,
    carrier: Carrier,
    limit: usize,
    heard: &AtomicBool,
) -> bool {
    while let Some(message) = from_browser.next().await {
        heard.store(true, Ordering::Relaxed);
        match message {
            Ok(message) if message.is_close() => {
                // A page that closes or goes says nothing, 1000 or 1001; whatever else ends a socket is no wish of its.
                return message.close_frame().is_none_or(|(code, _)| matches!(code, 1000 | 1001));
            }
            Ok(message) if message.is_ping() || message.is_pong() => {}
            Ok(message) if consumer.is_carried_by(carrier) => consumer.receive(text_of(&message), limit),
            // Another WebSocket carries the messages by now.
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}
