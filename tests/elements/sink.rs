//! Streams for the sink's tests, and its ways of signalling seen from the other end.

use crate::consumer::{Consumer, PATIENCE};
use futures_util::{SinkExt, StreamExt};
use gst::prelude::*;
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock, Mutex, mpsc},
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
use vdi_protocol::signalling::{Bye, Continued, ErrorCode, FromConsumer, ToConsumer};

pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Data channels that a consumer gets.
pub const CHANNELS: usize = 4;

const ENCODER: &str = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=100000 bitrate=500";

/// A test picture, encoded, into the sink.
pub struct TestStream {
    pub pipeline: gst::Pipeline,
    pub sink: gst::Element,
}

impl TestStream {
    pub fn new(configure: impl FnOnce(&gst::Element)) -> Self {
        Self::launch(&Self::video(320, 240, 30), configure)
    }

    pub fn of_size(width: u32, height: u32, framerate: u32) -> Self {
        Self::launch(&Self::video(width, height, framerate), |_| {})
    }

    /// From a source of the test's own, which ends in `sink.`
    pub fn of(source: &str) -> Self {
        Self::launch(source, |_| {})
    }

    /// What `adaptiveencbin` makes of a test picture in this codec.
    pub fn of_codec(codec: &str, configure: impl FnOnce(&gst::Element)) -> Self {
        let source = format!(
            "videotestsrc name=source is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 \
             ! adaptiveencbin name=encoder codec={codec} encoder-policy=software bitrate=1000 ! sink."
        );
        Self::launch(&source, configure)
    }

    pub fn with_audio(configure: impl FnOnce(&gst::Element)) -> Self {
        let audio =
            "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! opusenc frame-size=10 ! sink.";
        Self::launch(&format!("{} {audio}", Self::video(320, 240, 30)), configure)
    }

    /// A pad that nothing ever comes to.
    pub fn without_media() -> Self {
        Self::launch(
            "appsrc is-live=true ! video/x-h264,stream-format=byte-stream,alignment=au ! sink.",
            |_| {},
        )
    }

    fn video(width: u32, height: u32, framerate: u32) -> String {
        format!(
            "videotestsrc is-live=true pattern=ball ! video/x-raw,width={width},height={height},framerate={framerate}/1 ! {ENCODER} \
             ! video/x-h264,profile=constrained-baseline ! sink."
        )
    }

    fn launch(source: &str, configure: impl FnOnce(&gst::Element)) -> Self {
        let pipeline = gst::parse::launch(&format!("wswebrtcsink name=sink listen=\"\" {source}")).unwrap();
        let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
        let sink = pipeline.by_name("sink").unwrap();
        configure(&sink);
        pipeline.set_state(gst::State::Playing).unwrap();
        Self { pipeline, sink }
    }

    /// Where the sink listens.
    pub fn address(&self) -> String {
        self.sink.property::<Option<String>>("listening-address").unwrap()
    }
}

impl Drop for TestStream {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// An application that carries the messages itself.
pub struct Application {
    sink: gst::Element,
    consumers: Arc<Mutex<HashMap<String, std::sync::Weak<Consumer>>>>,
}

impl Application {
    pub fn new(stream: &TestStream) -> Self {
        let consumers: Arc<Mutex<HashMap<String, std::sync::Weak<Consumer>>>> = Arc::default();
        let table = consumers.clone();
        stream.sink.connect("send-signalling", false, move |values| {
            let consumer =
                table.lock().unwrap().get(values[1].get::<&str>().unwrap()).and_then(|c| c.upgrade());
            if let Some(consumer) = consumer {
                consumer.receive(serde_json::from_str(values[2].get::<&str>().unwrap()).unwrap());
            }
            None
        });
        Self { sink: stream.sink.clone(), consumers }
    }

    /// Opens a consumer and waits until it can be talked to.
    pub fn connect(&self, id: &str) -> Arc<Consumer> {
        self.connect_opened(id, CHANNELS, |sink| sink.emit_by_name("open-consumer", &[&id]))
    }

    /// The same for one that gets only a part of what there is.
    pub fn connect_part(&self, id: &str, options: &gst::Structure) -> Arc<Consumer> {
        self.connect_opened(id, 1, |sink| sink.emit_by_name("open-consumer-full", &[&id, options]))
    }

    fn connect_opened(
        &self,
        id: &str,
        channels: usize,
        open: impl FnOnce(&gst::Element) -> bool,
    ) -> Arc<Consumer> {
        let (sender, connected) = mpsc::channel();
        let name = id.to_owned();
        let handler = self.sink.connect("consumer-connected", false, move |values| {
            if values[1].get::<&str>().unwrap() == name {
                let _ = sender.send(());
            }
            None
        });
        assert!(open(&self.sink));
        let (sink, name) = (self.sink.downgrade(), id.to_owned());
        let consumer = Consumer::new(move |message| {
            if let Some(sink) = sink.upgrade() {
                let json = serde_json::to_string(&message).unwrap();
                sink.emit_by_name::<bool>("receive-signalling", &[&name, &json]);
            }
        });
        self.consumers.lock().unwrap().insert(id.to_owned(), Arc::downgrade(&consumer));
        consumer.hello();
        connected.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{id} did not connect"));
        consumer.wait_for("the data channels", |seen| (seen.open.len() == channels).then_some(()));
        self.sink.disconnect(handler);
        consumer
    }

    /// Names and reasons of the consumers that end from now on.
    pub fn removed(&self) -> mpsc::Receiver<(String, String)> {
        let (sender, removed) = mpsc::channel();
        self.sink.connect("consumer-removed", false, move |values| {
            let _ = sender.send((values[1].get().unwrap(), values[2].get().unwrap()));
            None
        });
        removed
    }
}

/// A consumer over the sink's own WebSocket.
pub struct Hosted {
    pub consumer: Arc<Consumer>,
    task: tokio::task::JoinHandle<()>,
}

/// What a consumer says of itself.
#[derive(Debug, Default, Clone)]
pub struct Greeting {
    pub client: Option<String>,
    pub session: Option<Continued>,
    pub decodes: Vec<String>,
}

/// A WebSocket on which nothing is said but hello.
pub struct Line {
    replies: mpsc::Receiver<ToConsumer>,
}

impl Line {
    fn next<T>(&self, found: impl Fn(ToConsumer) -> Option<T>) -> T {
        loop {
            if let Some(wanted) = found(self.replies.recv_timeout(PATIENCE).unwrap()) {
                return wanted;
            }
        }
    }

    /// Whether the welcome goes on with a session.
    pub fn resumed(&self) -> bool {
        self.next(|message| match message {
            ToConsumer::Welcome { resumed, .. } => Some(resumed),
            _ => None,
        })
    }

    pub fn bye(&self) -> String {
        self.next(|message| match message {
            ToConsumer::Bye(Bye { reason, .. }) => Some(reason),
            _ => None,
        })
    }

    pub fn error(&self) -> ErrorCode {
        self.next(|message| match message {
            ToConsumer::Error { code, .. } => Some(code),
            _ => None,
        })
    }
}

impl Hosted {
    pub fn connect(address: &str) -> Self {
        Self::greet(address, Greeting::default())
    }

    /// Opens a WebSocket that says hello, and nothing after it.
    pub fn bare(address: &str, greeting: Greeting) -> Line {
        let url = format!("ws://{address}/ws");
        let (mut socket, _) = RUNTIME.block_on(tokio_tungstenite::connect_async(url)).unwrap();
        let (sender, replies) = mpsc::channel();
        RUNTIME.spawn(async move {
            let Greeting { client, session, decodes } = greeting;
            let hello = FromConsumer::Hello {
                version: vdi_protocol::VERSION,
                client,
                watches: false,
                session,
                decodes,
                full_chroma: Vec::new(),
                surround: false,
            };
            let _ = socket.send(Message::text(serde_json::to_string(&hello).unwrap())).await;
            while let Some(Ok(message)) = socket.next().await {
                let Message::Text(text) = message else { continue };
                if sender.send(serde_json::from_str(&text).unwrap()).is_err() {
                    break;
                }
            }
        });
        Line { replies }
    }

    /// Name and secret, as the welcome told them.
    pub fn welcomed(&self) -> (String, String) {
        let (consumer, token, _) = self.consumer.wait_for("the welcome", |seen| seen.welcome.clone());
        (consumer, token)
    }

    /// The WebSocket is cut without a word.
    pub fn cut(&mut self) {
        self.task.abort();
    }

    pub fn greet(address: &str, greeting: Greeting) -> Self {
        let url = format!("ws://{address}/ws");
        let (socket, _) = RUNTIME.block_on(tokio_tungstenite::connect_async(url)).unwrap();
        let (mut to_sink, mut from_sink) = socket.split();
        let (sender, mut messages) = tokio::sync::mpsc::unbounded_channel::<FromConsumer>();
        let consumer = Consumer::new(move |message| {
            let _ = sender.send(message);
        });
        consumer.greet(greeting);
        let receiver = Arc::downgrade(&consumer);
        let task = RUNTIME.spawn(async move {
            loop {
                tokio::select! {
                    message = messages.recv() => {
                        let Some(message) = message else { break };
                        let text = serde_json::to_string(&message).unwrap();
                        if to_sink.send(Message::text(text)).await.is_err() { break }
                    }
                    message = from_sink.next() => match message {
                        Some(Ok(Message::Text(text))) => {
                            let Some(consumer) = receiver.upgrade() else { break };
                            let message = serde_json::from_str(&text).unwrap();
                            // Dropping the last reference stops a pipeline, which may not happen on these threads.
                            let _ = tokio::task::spawn_blocking(move || consumer.receive(message)).await;
                        }
                        Some(Ok(_)) => {}
                        _ => break,
                    }
                }
            }
            let _ = to_sink.close().await;
        });
        Self { consumer, task }
    }

    /// Leaves politely.
    pub fn leave(self) {
        drop(self.consumer);
        let _ = RUNTIME.block_on(async { tokio::time::timeout(PATIENCE, self.task).await });
    }
}

/// The head and body of a plain GET.
pub fn http_get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// The HTTP status that answers a WebSocket from a page of `origin`, which may know the server by another name.
pub fn websocket_status(address: &str, origin: &str, host: Option<&str>) -> u16 {
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    request.headers_mut().insert("origin", origin.parse().unwrap());
    if let Some(host) = host {
        request.headers_mut().insert("host", host.parse().unwrap());
    }
    match RUNTIME.block_on(tokio_tungstenite::connect_async(request)) {
        Ok((_, response)) => response.status().as_u16(),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => response.status().as_u16(),
        Err(err) => panic!("{err}"),
    }
}

/// A sink in a process of its own, by a bare launch line, so that its threads and descriptors can be counted.
pub struct ChildSink {
    child: Child,
    pub address: String,
}

impl ChildSink {
    pub fn start() -> Self {
        // Cargo builds the plugin for this test beside the test.
        let plugin = std::env::current_exe().unwrap().with_file_name("libgstvdi.so");
        assert!(plugin.is_file(), "{} is missing", plugin.display());
        let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("child-sink");
        std::fs::create_dir_all(&scratch).unwrap();
        // Below those that the system gives to whoever asks for any, as the agents of other tests do.
        let first = 10_000 + (std::process::id() % 8_000) as u16;
        let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let port = (first..first + 2_000).find(is_free).expect("a free port among two thousand");
        let address = format!("127.0.0.1:{port}");
        let line = format!(
            "{} ! wswebrtcsink listen={address}",
            TestStream::video(320, 240, 30).trim_end_matches(" ! sink.")
        );
        let mut child = Command::new("gst-launch-1.0")
            .arg("--gst-plugin-load")
            .arg(&plugin)
            .args(line.split_whitespace())
            .env("GST_REGISTRY", scratch.join("registry.bin"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let playing = lines.by_ref().any(|line| line.is_ok_and(|line| line.contains("PLAYING")));
        assert!(playing, "gst-launch-1.0 ended: {:?}", child.wait());
        // The rest is read, so that the pipe never fills.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// A consumer that comes, sees a few frames, and goes.
    pub fn visit(&self) {
        let hosted = Hosted::connect(&self.address);
        hosted.consumer.wait_for_frames(2);
        hosted.leave();
    }

    /// Threads and file descriptors.
    pub fn resources(&self) -> (usize, usize) {
        let count =
            |what: &str| std::fs::read_dir(format!("/proc/{}/{what}", self.child.id())).unwrap().count();
        (count("task"), count("fd"))
    }

    /// Waits until the threads of the last consumer are gone.
    pub fn wait_until_alone(&self) {
        let mut last = self.resources();
        let mut still_since = Instant::now();
        let started = Instant::now();
        while still_since.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(100));
            let now = self.resources();
            if now != last {
                (last, still_since) = (now, Instant::now());
            }
            assert!(started.elapsed() < 2 * PATIENCE, "threads and descriptors never came to rest: {now:?}");
        }
    }

    /// Waits until there are no more threads and descriptors than before.
    pub fn wait_for_resources(&self, before: (usize, usize)) {
        let started = Instant::now();
        loop {
            let now = self.resources();
            if now.0 <= before.0 && now.1 <= before.1 {
                return;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "threads and descriptors: {before:?} before, {now:?} after"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for ChildSink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
