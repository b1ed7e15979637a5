//! A consumer for the tests: a real webrtcbin that receives what the sink sends and speaks its signalling.

use crate::sink::Greeting;
use gst::{glib, prelude::*};
use gst_webrtc::{WebRTCDataChannel, WebRTCSDPType, WebRTCSessionDescription};
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use vdi_protocol::signalling::{Bye, FromConsumer, IceCandidate, ToConsumer};

/// Longest wait for anything; a busy two-core machine needs seconds at times.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Frames whose arrival is remembered.
const ARRIVALS: usize = 64;

/// What a consumer has seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    /// Name, secret, and whether it goes on with a session.
    pub welcome: Option<(String, String, bool)>,
    pub offer: Option<String>,
    pub errors: Vec<(vdi_protocol::signalling::ErrorCode, String)>,
    pub bye: Option<String>,
    /// First RTP packets of the video, whole.
    pub video_packets: Vec<Vec<u8>>,
    /// RTP timestamps of the last frames, and the system clock's time when their last packet came.
    pub arrivals: VecDeque<(u32, gst::ClockTime)>,
    /// Bytes of header extension 5, one after the other, as they changed.
    pub playout_delays: Vec<Vec<u8>>,
    /// Whether the first decoded access unit was a key frame.
    pub first_is_key: Option<bool>,
    /// Texts per data channel.
    pub texts: HashMap<String, Vec<String>>,
    pub channels: HashMap<String, WebRTCDataChannel>,
    pub open: Vec<String>,
}

type Send_ = Arc<dyn Fn(FromConsumer) + Send + Sync>;

/// A receiving webrtcbin.
pub struct Consumer {
    pipeline: gst::Pipeline,
    webrtcbin: gst::Element,
    _ice_agent: gst_webrtc::WebRTCICE,
    send: Send_,
    pub seen: Arc<(Mutex<Seen>, Condvar)>,
    pub video_frames: Arc<AtomicU64>,
    pub key_frames: Arc<AtomicU64>,
    pub audio_packets: Arc<AtomicU64>,
}

impl Consumer {
    /// A consumer that sends its messages with `send`. Hand [`Consumer::receive`] what comes back.
    pub fn new(send: impl Fn(FromConsumer) + Send + Sync + 'static) -> Arc<Self> {
        let pipeline = gst::Pipeline::new();
        let webrtcbin = gst::ElementFactory::make("webrtcbin")
            .property_from_str("bundle-policy", "max-bundle")
            .property("latency", 0_u32)
            .build()
            .unwrap();
        pipeline.add(&webrtcbin).unwrap();
        let ice_agent = webrtcbin.property::<gst_webrtc::WebRTCICE>("ice-agent");
        ice_agent.emit_by_name::<bool>("add-local-ip-address", &[&"127.0.0.1"]);
        let consumer = Arc::new(Self {
            pipeline,
            webrtcbin,
            _ice_agent: ice_agent,
            send: Arc::new(send),
            seen: Arc::default(),
            video_frames: Arc::default(),
            key_frames: Arc::default(),
            audio_packets: Arc::default(),
        });
        consumer.watch();
        consumer.pipeline.set_state(gst::State::Playing).unwrap();
        consumer
    }

    pub fn hello(&self) {
        self.greet(Greeting::default());
    }

    pub fn greet(&self, Greeting { client, session, decodes }: Greeting) {
        (self.send)(FromConsumer::Hello {
            version: vdi_protocol::VERSION,
            client,
            watches: false,
            session,
            decodes,
            full_chroma: Vec::new(),
            surround: false,
        });
    }

    fn watch(self: &Arc<Self>) {
        let send = self.send.clone();
        self.webrtcbin.connect("on-ice-candidate", false, move |values| {
            let index = values[1].get::<u32>().unwrap();
            let candidate = values[2].get::<String>().unwrap();
            send(FromConsumer::Ice(IceCandidate { candidate, sdp_m_line_index: Some(index), sdp_mid: None }));
            None
        });
        let weak = Arc::downgrade(self);
        self.webrtcbin.connect_pad_added(move |_, pad| {
            let Some(this) = weak.upgrade().filter(|_| pad.direction() == gst::PadDirection::Src) else {
                return;
            };
            this.receive_stream(pad);
        });
        let seen = self.seen.clone();
        self.webrtcbin.connect("on-data-channel", false, move |values| {
            let channel = values[1].get::<WebRTCDataChannel>().unwrap();
            let label = channel.label().unwrap().to_string();
            channel.connect_on_message_string(glib::clone!(
                #[strong]
                seen,
                #[strong]
                label,
                move |_, text| {
                    let text = text.unwrap_or_default().to_owned();
                    seen.0.lock().unwrap().texts.entry(label.clone()).or_default().push(text);
                    seen.1.notify_all();
                }
            ));
            let mut state = seen.0.lock().unwrap();
            state.open.push(label.clone());
            state.channels.insert(label, channel);
            seen.1.notify_all();
            None
        });
    }

    fn receive_stream(self: &Arc<Self>, pad: &gst::Pad) {
        let caps = pad.current_caps().unwrap();
        let media = caps.structure(0).unwrap().get::<String>("media").unwrap();
        let sink = gst::ElementFactory::make("fakesink").property("sync", false).property("async", false);
        let sink = sink.build().unwrap();
        let chain = if media == "video" {
            self.watch_video_packets(pad);
            let encoding = caps.structure(0).unwrap().get::<String>("encoding-name").unwrap();
            let (depay, frames) = match encoding.as_str() {
                "VP8" => ("rtpvp8depay", "video/x-vp8"),
                "VP9" => ("rtpvp9depay", "video/x-vp9"),
                "AV1" => ("rtpav1depay", "video/x-av1"),
                "H265" => ("rtph265depay", "video/x-h265,alignment=au"),
                _ => ("rtph264depay", "video/x-h264,alignment=au"),
            };
            let depay = gst::ElementFactory::make(depay).build().unwrap();
            let filter = gst::ElementFactory::make("capsfilter")
                .property("caps", frames.parse::<gst::Caps>().unwrap())
                .build()
                .unwrap();
            self.watch_video_frames(&filter.static_pad("src").unwrap());
            vec![depay, filter, sink]
        } else {
            let packets = self.audio_packets.clone();
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                packets.fetch_add(1, Ordering::SeqCst);
                gst::PadProbeReturn::Ok
            });
            vec![sink]
        };
        self.pipeline.add_many(&chain).unwrap();
        gst::Element::link_many(&chain).unwrap();
        for element in chain.iter().rev() {
            element.sync_state_with_parent().unwrap();
        }
        pad.link(&chain[0].static_pad("sink").unwrap()).unwrap();
    }

    fn watch_video_packets(&self, pad: &gst::Pad) {
        let seen = self.seen.clone();
        pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
            let note = |buffer: &gst::BufferRef| {
                let map = buffer.map_readable().unwrap();
                let mut seen = seen.0.lock().unwrap();
                if seen.video_packets.len() < 50 {
                    seen.video_packets.push(map.to_vec());
                }
                if map[1] & 0x80 != 0 {
                    let rtp_timestamp = u32::from_be_bytes([map[4], map[5], map[6], map[7]]);
                    seen.arrivals.push_back((rtp_timestamp, gst::SystemClock::obtain().time()));
                    if seen.arrivals.len() > ARRIVALS {
                        seen.arrivals.pop_front();
                    }
                }
                if let Some(value) = one_byte_extension(&map, 5)
                    && seen.playout_delays.last() != Some(&value)
                {
                    seen.playout_delays.push(value);
                }
            };
            match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => note(buffer),
                Some(gst::PadProbeData::BufferList(list)) => list.iter().for_each(note),
                _ => {}
            }
            seen.1.notify_all();
            gst::PadProbeReturn::Ok
        });
    }

    fn watch_video_frames(&self, pad: &gst::Pad) {
        let (seen, frames, keys) = (self.seen.clone(), self.video_frames.clone(), self.key_frames.clone());
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let buffer = info.buffer().unwrap();
            let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            seen.0.lock().unwrap().first_is_key.get_or_insert(key);
            keys.fetch_add(u64::from(key), Ordering::SeqCst);
            frames.fetch_add(1, Ordering::SeqCst);
            seen.1.notify_all();
            gst::PadProbeReturn::Ok
        });
    }

    /// The sink sent this.
    pub fn receive(self: &Arc<Self>, message: ToConsumer) {
        match message {
            ToConsumer::Welcome { consumer, token, resumed, .. } => {
                self.seen.0.lock().unwrap().welcome = Some((consumer, token, resumed));
            }
            ToConsumer::IceServers { .. } => {}
            ToConsumer::Offer { sdp } => {
                self.seen.0.lock().unwrap().offer = Some(sdp.clone());
                self.answer(&sdp);
            }
            ToConsumer::Ice(candidate) => self.webrtcbin.emit_by_name::<()>(
                "add-ice-candidate",
                &[&candidate.sdp_m_line_index.unwrap_or(0), &candidate.candidate],
            ),
            ToConsumer::Error { code, message } => self.seen.0.lock().unwrap().errors.push((code, message)),
            ToConsumer::Bye(Bye { reason, .. }) => self.seen.0.lock().unwrap().bye = Some(reason),
        }
        self.seen.1.notify_all();
    }

    fn answer(self: &Arc<Self>, offer: &str) {
        let sdp = gst_sdp::SDPMessage::parse_buffer(offer.as_bytes()).unwrap();
        // Left alone, webrtcbin answers no header extension and asks for nothing again, as no browser does.
        for media in sdp.medias() {
            let Some(caps) = format(media) else { continue };
            if media.attribute_val("recvonly").is_some() {
                self.speak(caps);
                continue;
            }
            let is_video = caps.structure(0).unwrap().get::<&str>("media") == Ok("video");
            let transceiver = self.webrtcbin.emit_by_name::<gst_webrtc::WebRTCRTPTransceiver>(
                "add-transceiver",
                &[&gst_webrtc::WebRTCRTPTransceiverDirection::Recvonly, &caps],
            );
            transceiver.set_property("do-nack", is_video);
        }
        let offer = WebRTCSessionDescription::new(WebRTCSDPType::Offer, sdp);
        self.webrtcbin.emit_by_name::<()>("set-remote-description", &[&offer, &None::<gst::Promise>]);
        let weak = Arc::downgrade(self);
        let promise = gst::Promise::with_change_func(move |reply| {
            let Some(this) = weak.upgrade() else { return };
            let answer = reply.unwrap().unwrap().get::<WebRTCSessionDescription>("answer").unwrap();
            this.webrtcbin.emit_by_name::<()>("set-local-description", &[&answer, &None::<gst::Promise>]);
            (this.send)(FromConsumer::Answer { sdp: answer.sdp().as_text().unwrap() });
        });
        self.webrtcbin.emit_by_name::<()>("create-answer", &[&None::<gst::Structure>, &promise]);
    }

    /// Sends a tone, where the sink offers to receive sound, or a film of which only the first frame is a key frame, with 3 Mbit/s or more.
    fn speak(&self, caps: gst::Caps) {
        let payload_type = caps.structure(0).unwrap().get::<i32>("payload").unwrap();
        let line = if caps.structure(0).unwrap().get::<&str>("media") == Ok("video") {
            format!(
                "videotestsrc is-live=true pattern=snow ! video/x-raw,width=160,height=120,framerate=20/1 \
                 ! vp8enc deadline=1 keyframe-max-dist=100000 target-bitrate=6000000 max-quantizer=8 ! rtpvp8pay pt={payload_type}"
            )
        } else {
            format!(
                "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=1 ! opusenc ! rtpopuspay pt={payload_type}"
            )
        };
        let voice = gst::parse::bin_from_description(&line, true).unwrap();
        self.pipeline.add(&voice).unwrap();
        let pad = self.webrtcbin.request_pad_simple("sink_%u").unwrap();
        let transceiver = pad.property::<gst_webrtc::WebRTCRTPTransceiver>("transceiver");
        transceiver.set_property("direction", gst_webrtc::WebRTCRTPTransceiverDirection::Sendonly);
        transceiver.set_property("codec-preferences", &caps);
        voice.static_pad("src").unwrap().link(&pad).unwrap();
        voice.sync_state_with_parent().unwrap();
    }

    /// Sends text on a data channel.
    pub fn send_text(&self, channel: &str, text: &str) {
        let seen = self.seen.0.lock().unwrap();
        let channel = seen.channels.get(channel).cloned().unwrap();
        drop(seen);
        channel.send_string_full(Some(text)).unwrap();
    }

    /// Asks the sink for a key frame as a browser does, by PLI.
    pub fn request_key_frame(&self) {
        for pad in self.webrtcbin.src_pads() {
            pad.send_event(gst_video::UpstreamForceKeyUnitEvent::builder().build());
        }
    }

    /// Waits until something was seen; panics with what was waited for.
    pub fn wait_for<T>(&self, what: &str, mut found: impl FnMut(&Seen) -> Option<T>) -> T {
        let mut seen = self.seen.0.lock().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = found(&seen) {
                return value;
            }
            assert!(
                Instant::now() < deadline,
                "{what} did not come; seen: offer {:?}, errors {:?}, bye {:?}, channels {:?}, {} packets",
                seen.offer.is_some(),
                seen.errors,
                seen.bye,
                seen.open,
                seen.video_packets.len()
            );
            // Counters beside the lock have no notification of their own, so the wait is short.
            seen = self.seen.1.wait_timeout(seen, Duration::from_millis(10)).unwrap().0;
        }
    }

    /// Waits for so many video frames more than now.
    pub fn wait_for_frames(&self, more: u64) {
        let wanted = self.video_frames.load(Ordering::SeqCst) + more;
        self.wait_for(&format!("{more} frames"), |_| {
            (self.video_frames.load(Ordering::SeqCst) >= wanted).then_some(())
        });
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// The first format of a media section, with its header extensions.
fn format(media: &gst_sdp::SDPMediaRef) -> Option<gst::Caps> {
    let mut caps = media.caps_from_media(media.format(0)?.parse().ok()?)?;
    media.attributes_to_caps(caps.get_mut()?).ok()?;
    let structure = caps.get_mut()?.structure_mut(0)?;
    structure.set_name("application/x-rtp");
    // What is the connection's or the stream's own is no matter of formats.
    let own: Vec<_> = structure
        .fields()
        .filter(|name| name.starts_with("ssrc-") || name.starts_with("a-"))
        .map(|name| name.to_string())
        .collect();
    own.iter().for_each(|name| structure.remove_field(name.as_str()));
    Some(caps)
}

/// The value of a one-byte header extension (RFC 8285, 4.2) in an RTP packet.
pub fn one_byte_extension(packet: &[u8], id: u8) -> Option<Vec<u8>> {
    let csrcs = usize::from(packet[0] & 0x0f);
    if packet[0] & 0x10 == 0 {
        return None;
    }
    let start = 12 + 4 * csrcs;
    if packet[start..start + 2] != [0xbe, 0xde] {
        return None;
    }
    let words = usize::from(u16::from_be_bytes([packet[start + 2], packet[start + 3]]));
    let mut rest = &packet[start + 4..start + 4 + 4 * words];
    while let Some((&head, tail)) = rest.split_first() {
        if head == 0 {
            rest = tail;
            continue;
        }
        let length = usize::from(head & 0x0f) + 1;
        if head >> 4 == id {
            return Some(tail[..length].to_vec());
        }
        rest = &tail[length..];
    }
    None
}
