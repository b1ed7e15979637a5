//! Setup: a Rust application with a web server of its own, into which it mounts the page and the signalling of a
//! `wswebrtcsink`. It links the plugin as a crate, so nothing has to be installed.
//!
//! `cargo run --example own_server -- 127.0.0.1:8080`, then open that address; `/greeting` is the application's own.

#![allow(clippy::print_stdout, reason = "an example talks to whoever started it")]

use futures_util::StreamExt;
use gst::prelude::*;
use gstvdi::wswebrtcsink::{WsWebRtcSink, routes};
use std::net::SocketAddr;
use warp::Filter;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address: SocketAddr = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:8080").parse()?;

    gst::init()?;
    gstvdi::plugin_register_static()?;

    // An empty `listen`: the sink opens no port, the server below is the only one.
    let pipeline = gst::parse::launch(
        "videotestsrc is-live=true ! video/x-raw,width=640,height=480 ! adaptiveencbin ! wswebrtcsink name=web listen=\"\"",
    )?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| "no pipeline")?;
    let sink = pipeline.by_name("web").and_downcast::<WsWebRtcSink>().ok_or("no sink")?;

    sink.connect("consumer-added", false, |values| {
        println!("consumer {} is here", values[1].get::<String>().unwrap_or_default());
        None
    });
    sink.connect("consumer-removed", false, |values| {
        let [_, id, reason] = values else { return None };
        println!("consumer {:?} has left: {:?}", id.get::<String>().ok(), reason.get::<String>().ok());
        None
    });

    pipeline.set_state(gst::State::Playing)?;

    let greeting = warp::path!("greeting").map(|| "hello from the application");
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let server = warp::serve(greeting.or(routes(&sink))).incoming(listener);

    // The application ends when the pipeline fails or someone presses Ctrl-C.
    let bus = pipeline.bus().ok_or("no bus")?;
    let mut failures = bus.stream_filtered(&[gst::MessageType::Error, gst::MessageType::Eos]);
    let outcome = tokio::select! {
        () = server.run() => Ok(()),
        message = failures.next() => Err(format!("the pipeline has ended: {message:?}").into()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    pipeline.set_state(gst::State::Null)?;
    outcome
}
