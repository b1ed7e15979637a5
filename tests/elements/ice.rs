//! `wswebrtcsink` and the ways to it: servers that the application names for each page, and the direct paths that are offered.

use crate::{
    consumer::PATIENCE,
    init,
    sink::{RUNTIME, TestStream},
};
use futures_util::{SinkExt, StreamExt};
use gst::prelude::*;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};
use vdi_protocol::signalling::{ErrorCode, IceServer, IceTransportPolicy, ToConsumer};

/// A page of which only the messages are there.
struct Page(WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>);

impl Page {
    fn open(stream: &TestStream, headers: &[(&'static str, &str)]) -> Self {
        let mut request = format!("ws://{}/ws", stream.address()).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let mut page = Self(RUNTIME.block_on(tokio_tungstenite::connect_async(request)).unwrap().0);
        RUNTIME.block_on(page.0.send(Message::text(r#"{"type":"hello","version":1}"#))).unwrap();
        page
    }

    /// The next message that `pick` takes.
    fn next<T>(&mut self, what: &str, mut pick: impl FnMut(ToConsumer) -> Option<T>) -> T {
        let found = async {
            loop {
                let Message::Text(text) = self.0.next().await.unwrap().unwrap() else { continue };
                if let Some(found) = pick(serde_json::from_str(&text).unwrap()) {
                    return found;
                }
            }
        };
        RUNTIME
            .block_on(async { tokio::time::timeout(PATIENCE, found).await })
            .unwrap_or_else(|_| panic!("{what} did not come"))
    }

    fn welcome(&mut self) -> (Vec<IceServer>, IceTransportPolicy) {
        self.next("the welcome", |message| match message {
            ToConsumer::Welcome { ice_servers, ice_transport_policy, .. } => {
                Some((ice_servers, ice_transport_policy))
            }
            _ => None,
        })
    }
}

fn hosted(configure: impl FnOnce(&gst::Element)) -> TestStream {
    init();
    TestStream::new(|sink| {
        sink.set_property("listen", "127.0.0.1:0");
        configure(sink);
    })
}

#[test]
fn application_is_asked_for_each_pages_servers_and_pages_are_told_when_they_change() {
    let stream = hosted(|sink| sink.set_property("stun-server", "stun://127.0.0.1:9"));
    let (servers, _) = Page::open(&stream, &[]).welcome();
    assert_eq!(servers[0].urls, ["stun:127.0.0.1:9"], "nobody answers the signal: the properties hold");

    let round = Arc::new(AtomicU64::new(1));
    let rounds = round.clone();
    stream.sink.connect("request-ice-servers", false, move |values| {
        let text = |i: usize| values[i].get::<String>().unwrap();
        let (consumer, authority, secure) = (text(1), text(2), values[3].get::<bool>().unwrap());
        let round = rounds.load(Ordering::SeqCst);
        let scheme = if secure { "turns" } else { "turn" };
        let turn = format!("{scheme}://{round}%3A{consumer}:p%2F@{authority}?transport=tcp");
        Some(vec!["nonsense".to_owned(), turn].to_value())
    });
    let headers = [("x-forwarded-host", "desk.example.com:8443, inner"), ("x-forwarded-proto", "https")];
    let mut page = Page::open(&stream, &headers);
    let (servers, policy) = page.welcome();
    assert_eq!((servers.len(), policy), (1, IceTransportPolicy::All), "what is no server is left out");
    assert_eq!(servers[0].urls, ["turns:desk.example.com:8443?transport=tcp"]);
    assert!(servers[0].username.as_deref().unwrap().starts_with("1:c"));
    assert_eq!(servers[0].credential.as_deref(), Some("p/"));
    let (servers, _) = Page::open(&stream, &[]).welcome();
    assert_eq!(servers[0].urls, [format!("turn:{}?transport=tcp", stream.address())]);

    round.store(2, Ordering::SeqCst);
    stream.sink.set_property_from_str("ice-transport-policy", "relay");
    stream.sink.emit_by_name::<()>("update-ice-servers", &[]);
    let (servers, policy) = page.next("the other servers", |message| match message {
        ToConsumer::IceServers { ice_servers, ice_transport_policy } => {
            Some((ice_servers, ice_transport_policy))
        }
        _ => None,
    });
    assert!(servers[0].username.as_deref().unwrap().starts_with("2:c"));
    assert_eq!(policy, IceTransportPolicy::Relay);
}

/// The page's candidates, up to the one that `enough` asks for and those that come together with it.
fn candidates(stream: &TestStream, what: &str, enough: impl Fn(&str) -> bool) -> Vec<String> {
    let mut page = Page::open(stream, &[]);
    let mut lines = Vec::new();
    page.next(what, |message| {
        let ToConsumer::Ice(ice) = message else { return None };
        lines.push(ice.candidate);
        enough(&lines[lines.len() - 1]).then_some(())
    });
    let others = async {
        while let Some(Ok(message)) = page.0.next().await {
            let Message::Text(text) = message else { continue };
            if let ToConsumer::Ice(ice) = serde_json::from_str(&text).unwrap() {
                lines.push(ice.candidate);
            }
        }
    };
    let _ = RUNTIME.block_on(async { tokio::time::timeout(Duration::from_millis(500), others).await });
    lines
}

#[test]
fn candidates_stay_on_the_interface_and_within_the_ports_that_are_given() {
    let local = |sink: &gst::Element| sink.set_property("interfaces", gst::Array::new(["127.0.0.0/8"]));
    let (address, port) = (4, 5);
    let free = hosted(local);
    let lines = candidates(&free, "a candidate for TCP", |line| line.contains("tcptype passive"));
    assert!(lines.iter().any(|line| line.contains(" UDP ")), "{lines:?}");
    for line in &lines {
        assert_eq!(line.split(' ').nth(address), Some("127.0.0.1"), "{line}");
    }

    let ranged = hosted(|sink| {
        local(sink);
        sink.set_property("min-rtp-port", 52_000_u32);
        sink.set_property("max-rtp-port", 52_009_u32);
    });
    let lines = candidates(&ranged, "a candidate for UDP", |line| line.contains(" UDP "));
    for line in &lines {
        let fields: Vec<_> = line.split(' ').collect();
        assert_eq!((fields[2], fields[address]), ("UDP", "127.0.0.1"), "the range is for UDP: {line}");
        assert!((52_000..=52_009).contains(&fields[port].parse::<u16>().unwrap()), "{line}");
    }
}

#[test]
fn interface_that_is_not_there_is_named_to_the_page_with_those_that_are() {
    let stream = hosted(|sink| sink.set_property("interfaces", gst::Array::new(["vdi-none"])));
    let (code, words) = Page::open(&stream, &[]).next("the error", |message| match message {
        ToConsumer::Error { code, message } => Some((code, message)),
        _ => None,
    });
    assert_eq!(code, ErrorCode::Internal);
    assert!(words.contains("vdi-none") && words.contains("127.0.0.1"), "{words}");
}

#[test]
fn direct_paths_that_make_no_sense_are_refused_at_ready() {
    init();
    for (property, values, wanted) in [
        ("announced-addresses", vec!["example.com"], "announced-addresses: \"example.com\" is no IP address"),
        ("interfaces", vec!["10.0.0.0/99"], "interfaces: \"10.0.0.0/99\""),
    ] {
        let sink = gst::ElementFactory::make("wswebrtcsink").property("listen", "").build().unwrap();
        sink.set_property(property, gst::Array::new(values));
        let bus = gst::Bus::new();
        sink.set_bus(Some(&bus));
        assert!(sink.set_state(gst::State::Ready).is_err(), "{property}");
        let error = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
        let gst::MessageView::Error(error) = error.view() else { panic!() };
        assert!(error.error().to_string().contains(wanted), "{}", error.error());
        let _ = sink.set_state(gst::State::Null);
    }
}
