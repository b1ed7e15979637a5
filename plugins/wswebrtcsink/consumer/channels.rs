//! Shell: the data channels of one consumer.

use gst::prelude::*;
use gst_webrtc::{WebRTCDataChannel, WebRTCDataChannelState};

/// Bytes that may wait in a channel. A consumer that takes nothing any more gets nothing any more.
const MAX_BUFFERED_BYTES: u64 = 1024 * 1024;

/// The same for a channel that loses messages: what waits there is old, and the next mends it.
const MAX_BUFFERED_MOTION_BYTES: u64 = 4 * 1024;

/// The channels, in the order in which they are made: label, ordered, retransmissions (`None`: until delivered).
///
/// Keys and buttons must arrive, in order. Motion must arrive soon or not at all. `max-retransmits` alone makes a
/// channel unreliable, `ordered` decides nothing about that. What is copied may be large, and goes where nothing waits
/// behind it.
///
/// The opening of the first says that the consumer can be talked to.
const CHANNELS: [(&str, bool, Option<i32>); 4] =
    [("control", true, None), ("input", true, None), ("pointer", false, Some(0)), ("clipboard", true, None)];

/// The data channels of one consumer.
#[derive(Debug, Clone)]
pub struct Channels(Vec<WebRTCDataChannel>);

/// What a channel reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The channel is open.
    Open,
    /// The first of them is open, and the consumer can be talked to.
    MainOpen,
    /// A text message arrived.
    Text(&'a str),
    /// A binary message arrived; nothing of ours is binary.
    Binary,
    /// The consumer closed the channel.
    Closed,
    /// The consumer closed the first of them.
    MainClosed,
}

impl Channels {
    /// Makes the channels, or `only` this one in their place, on a webrtcbin that has left NULL and has not made its offer.
    pub fn create(
        webrtcbin: &gst::Element,
        only: Option<&str>,
        report: impl Fn(&str, Event<'_>) + Clone + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let wanted = only.map_or_else(|| CHANNELS.to_vec(), |label| vec![(label, true, None)]);
        let mut channels = Vec::with_capacity(wanted.len());
        for (label, ordered, max_retransmits) in wanted {
            let mut options = gst::Structure::builder("config").field("ordered", ordered);
            if let Some(max_retransmits) = max_retransmits {
                options = options.field("max-retransmits", max_retransmits);
            }
            let channel = webrtcbin
                .emit_by_name::<Option<WebRTCDataChannel>>("create-data-channel", &[&label, &options.build()])
                .ok_or_else(|| format!("webrtcbin made no data channel \"{label}\" (is sctp installed?)"))?;
            watch(&channel, label, channels.is_empty(), report.clone());
            channels.push(channel);
        }
        Ok(Self(channels))
    }

    /// Sends text on a channel; false when there is no such channel, or it is not open, or it is full.
    pub fn send(&self, label: &str, text: &str) -> bool {
        let limit = if label == "pointer" { MAX_BUFFERED_MOTION_BYTES } else { MAX_BUFFERED_BYTES };
        self.0
            .iter()
            .find(|channel| channel.label().is_some_and(|own| own == label))
            .filter(|channel| channel.ready_state() == WebRTCDataChannelState::Open)
            .filter(|channel| channel.buffered_amount() < limit)
            .is_some_and(|channel| channel.send_string_full(Some(text)).is_ok())
    }
}

fn watch(
    channel: &WebRTCDataChannel,
    label: &str,
    is_main: bool,
    report: impl Fn(&str, Event<'_>) + Clone + Send + Sync + 'static,
) {
    let opened = (report.clone(), label.to_owned());
    channel.connect_on_open(move |_| {
        let (report, label) = &opened;
        report(label, if is_main { Event::MainOpen } else { Event::Open });
    });
    let texts = (report.clone(), label.to_owned());
    channel.connect_on_message_string(move |_, text| {
        let (report, label) = &texts;
        report(label, Event::Text(text.unwrap_or_default()));
    });
    let data = (report.clone(), label.to_owned());
    channel.connect_on_message_data(move |_, _| {
        let (report, label) = &data;
        report(label, Event::Binary);
    });
    let label = label.to_owned();
    channel.connect_on_close(move |_| {
        report(&label, if is_main { Event::MainClosed } else { Event::Closed });
    });
}
