//! Shell: the data channels of one consumer.

use gst::{glib, prelude::*};
use gst_webrtc::{WebRTCDataChannel, WebRTCDataChannelState};

/// Bytes that may wait in a channel. A consumer that takes nothing any more gets nothing any more.
const MAX_BUFFERED_BYTES: u64 = 1024 * 1024;

/// The channels, in the order in which they are made: label, ordered, retransmissions (`None`: until delivered).
///
/// Keys and buttons must arrive, in order. Motion must arrive soon or not at all. `max-retransmits` alone makes a
/// channel unreliable, `ordered` decides nothing about that. What is copied may be large, and goes where nothing waits
/// behind it.
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
    /// A text message arrived.
    Text(&'a str),
    /// A binary message arrived; nothing of ours is binary.
    Binary,
    /// The consumer closed the channel.
    Closed,
}

impl Channels {
    /// Makes the channels on a webrtcbin that has left NULL and has not made its offer.
    pub fn create(
        webrtcbin: &gst::Element,
        report: impl Fn(&str, Event<'_>) + Clone + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let mut channels = Vec::with_capacity(CHANNELS.len());
        for (label, ordered, max_retransmits) in CHANNELS {
            let mut options = gst::Structure::builder("config").field("ordered", ordered);
            if let Some(max_retransmits) = max_retransmits {
                options = options.field("max-retransmits", max_retransmits);
            }
            let channel = webrtcbin
                .emit_by_name::<Option<WebRTCDataChannel>>("create-data-channel", &[&label, &options.build()])
                .ok_or_else(|| format!("webrtcbin made no data channel \"{label}\" (is sctp installed?)"))?;
            watch(&channel, label, report.clone());
            channels.push(channel);
        }
        Ok(Self(channels))
    }

    /// Sends text on a channel; false when there is no such channel, or it is not open, or it is full.
    pub fn send(&self, label: &str, text: &str) -> bool {
        self.0
            .iter()
            .find(|channel| channel.label().is_some_and(|own| own == label))
            .filter(|channel| channel.ready_state() == WebRTCDataChannelState::Open)
            .filter(|channel| channel.buffered_amount() < MAX_BUFFERED_BYTES)
            .is_some_and(|channel| channel.send_string_full(Some(text)).is_ok())
    }

    /// Whether there is a channel of this name, in any consumer.
    pub fn is_label(label: &str) -> bool {
        CHANNELS.iter().any(|(own, ..)| *own == label)
    }
}

fn watch(
    channel: &WebRTCDataChannel,
    label: &'static str,
    report: impl Fn(&str, Event<'_>) + Clone + Send + Sync + 'static,
) {
    channel.connect_on_open(glib::clone!(
        #[strong]
        report,
        move |_| report(label, Event::Open)
    ));
    channel.connect_on_message_string(glib::clone!(
        #[strong]
        report,
        move |_, text| report(label, Event::Text(text.unwrap_or_default()))
    ));
    channel.connect_on_message_data(glib::clone!(
        #[strong]
        report,
        move |_, _| report(label, Event::Binary)
    ));
    channel.connect_on_close(move |_| report(label, Event::Closed));
}
