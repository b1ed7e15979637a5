//! Shell: the properties of `wswebrtcsink` that can be set, as GObject has them, and their places in [`Settings`].

use super::{
    hub::Hub,
    policy::{BitratePolicy, CongestionControl},
    settings::{DEFAULT_LISTEN, MAX_PLAYOUT_DELAY, Settings},
};
use gst::{glib, prelude::*};
use gst_webrtc::WebRTCICETransportPolicy;
use std::time::Duration;

/// All of them, and those that can only be read.
pub fn specs() -> Vec<glib::ParamSpec> {
    let defaults = Settings::default();
    let max_delay = ms(MAX_PLAYOUT_DELAY);
    vec![
        glib::ParamSpecString::builder("listen")
            .nick("Listen")
            .blurb("host:port on which page and signalling are hosted; port 0 takes a free one, empty hosts nothing")
            .default_value(Some(DEFAULT_LISTEN))
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("listening-address")
            .nick("Listening address")
            .blurb("host:port on which the sink really listens; NULL while it does not")
            .read_only()
            .build(),
        glib::ParamSpecString::builder("uri")
            .nick("URI")
            .blurb("ws:// or wss:// URI of a signalling broker to dial; wss is verified")
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("ca-file")
            .nick("CA file")
            .blurb("PEM file with certificates to trust beside the system's when dialling")
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("stun-server")
            .nick("STUN server")
            .blurb("stun://host[:port], for both ends; for consumers to come")
            .build(),
        gst::ParamSpecArray::builder("turn-servers")
            .nick("TURN servers")
            .blurb("turn(s)://user:password@host[:port][?transport=tcp], percent-encoded, for both ends; for consumers to come")
            .element_spec(&glib::ParamSpecString::builder("turn-server").build())
            .build(),
        glib::ParamSpecEnum::builder_with_default("ice-transport-policy", WebRTCICETransportPolicy::All)
            .nick("ICE transport policy")
            .blurb("Candidates that may be used; for consumers to come")
            .build(),
        glib::ParamSpecUInt::builder("min-rtp-port")
            .nick("Minimum port")
            .blurb("First of the ports for direct paths, UDP only once a range is set; for consumers to come")
            .maximum(u32::from(u16::MAX))
            .build(),
        glib::ParamSpecUInt::builder("max-rtp-port")
            .nick("Maximum port")
            .blurb("Last of the ports for direct paths, of which each consumer takes one for each address of this machine; for consumers to come")
            .maximum(u32::from(u16::MAX))
            .default_value(u32::from(u16::MAX))
            .build(),
        gst::ParamSpecArray::builder("announced-addresses")
            .nick("Announced addresses")
            .blurb("Public IP addresses of 1-to-1 NAT: each host candidate is offered with that of its family as well; for consumers to come")
            .element_spec(&glib::ParamSpecString::builder("announced-address").build())
            .build(),
        gst::ParamSpecArray::builder("interfaces")
            .nick("Interfaces")
            .blurb("Names of interfaces (eth0), addresses or networks (10.0.0.0/8) for direct paths; empty takes all; for consumers to come")
            .element_spec(&glib::ParamSpecString::builder("interface").build())
            .build(),
        glib::ParamSpecUInt::builder("min-playout-delay")
            .nick("Minimum playout delay")
            .blurb("Least time in ms that browsers hold a frame back (RTP header extension playout-delay)")
            .maximum(max_delay)
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("max-playout-delay")
            .nick("Maximum playout delay")
            .blurb("Most time in ms that browsers may hold a frame back; 0 with a minimum of 0 presents at once")
            .maximum(max_delay)
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("max-consumers")
            .nick("Maximum consumers")
            .blurb("Consumers served at once")
            .minimum(1)
            .default_value(defaults.max_consumers)
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("max-message-size")
            .nick("Maximum message size")
            .blurb("Largest signalling or data-channel message in bytes")
            .minimum(1024)
            .maximum(16 * 1024 * 1024)
            .default_value(u32::try_from(defaults.max_message_size).unwrap_or(u32::MAX))
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("negotiation-timeout")
            .nick("Negotiation timeout")
            .blurb("Time in ms that a consumer has from its coming until its media path is up")
            .minimum(100)
            .default_value(ms(defaults.negotiation_timeout))
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("key-frame-interval")
            .nick("Key frame interval")
            .blurb("Least time in ms between two requested key frames")
            .maximum(60_000)
            .default_value(ms(defaults.key_frame_interval))
            .mutable_playing()
            .build(),
        glib::ParamSpecEnum::builder_with_default("congestion-control", CongestionControl::default())
            .nick("Congestion control")
            .blurb("What estimates each consumer's network and paces its packets; for consumers to come")
            .build(),
        glib::ParamSpecEnum::builder_with_default("bitrate-policy", BitratePolicy::default())
            .nick("Bit rate policy")
            .blurb("Whose network moves the encoder when several consumers share it")
            .mutable_playing()
            .build(),
        glib::ParamSpecString::builder("controller")
            .nick("Controller")
            .blurb("Name of the consumer whose network counts under bitrate-policy=controller; NULL or one that is not connected: everybody's does")
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("max-bitrate")
            .nick("Maximum bit rate")
            .blurb("What the pictures want at most, in kbit/s: nobody's network is asked for more; for consumers to come")
            .minimum(100)
            .maximum(1_000_000)
            .default_value(defaults.max_bitrate_kbps)
            .build(),
        glib::ParamSpecBoolean::builder("receive-audio")
            .nick("Receive audio")
            .blurb("Offers consumers to send sound, which comes by the signal received-audio; for consumers to come")
            .build(),
        glib::ParamSpecBoolean::builder("receive-video")
            .nick("Receive video")
            .blurb("Offers consumers to send pictures, which come by the signal received-video; for consumers to come")
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Statistics")
            .blurb("Totals, and one structure per consumer")
            .read_only()
            .build(),
    ]
}

/// Sets one; false when there is none of this name.
pub fn set(hub: &Hub, value: &glib::Value, name: &str) -> bool {
    let playout_delay = hub.settings().playout_delay;
    let mut settings = hub.settings();
    match name {
        "listen" => settings.listen = text(value).unwrap_or_default(),
        "uri" => settings.uri = text(value),
        "ca-file" => settings.ca_file = text(value),
        "stun-server" => settings.stun_server = text(value),
        "turn-servers" => settings.turn_servers = texts(value),
        "ice-transport-policy" => {
            settings.ice_transport_policy = value.get().unwrap_or(WebRTCICETransportPolicy::All);
        }
        "min-rtp-port" => settings.direct.ports.min = port(value, 0),
        "max-rtp-port" => settings.direct.ports.max = port(value, u16::MAX),
        "announced-addresses" => settings.direct.announced = texts(value),
        "interfaces" => settings.direct.interfaces = texts(value),
        "min-playout-delay" => {
            drop(settings);
            hub.set_playout_delay((duration_ms(value), playout_delay.1));
        }
        "max-playout-delay" => {
            drop(settings);
            hub.set_playout_delay((playout_delay.0, duration_ms(value)));
        }
        "max-consumers" => settings.max_consumers = value.get().unwrap_or(1),
        "max-message-size" => settings.max_message_size = value.get::<u32>().unwrap_or(1024) as usize,
        "negotiation-timeout" => settings.negotiation_timeout = duration_ms(value),
        "key-frame-interval" => settings.key_frame_interval = duration_ms(value),
        "congestion-control" => settings.congestion_control = value.get().unwrap_or_default(),
        "bitrate-policy" => settings.bitrate_policy = value.get().unwrap_or_default(),
        "controller" => settings.controller = text(value),
        "max-bitrate" => settings.max_bitrate_kbps = value.get().unwrap_or(settings.max_bitrate_kbps),
        "receive-audio" => settings.receive_audio = value.get().unwrap_or(false),
        "receive-video" => settings.receive_video = value.get().unwrap_or(false),
        _ => return false,
    }
    true
}

/// The value of one.
pub fn get(hub: &Hub, pspec: &glib::ParamSpec) -> glib::Value {
    let settings = hub.settings();
    match pspec.name() {
        "listen" => settings.listen.to_value(),
        "uri" => settings.uri.to_value(),
        "ca-file" => settings.ca_file.to_value(),
        "stun-server" => settings.stun_server.to_value(),
        "turn-servers" => array(&settings.turn_servers),
        "ice-transport-policy" => settings.ice_transport_policy.to_value(),
        "min-rtp-port" => u32::from(settings.direct.ports.min).to_value(),
        "max-rtp-port" => u32::from(settings.direct.ports.max).to_value(),
        "announced-addresses" => array(&settings.direct.announced),
        "interfaces" => array(&settings.direct.interfaces),
        "min-playout-delay" => ms(settings.playout_delay.0).to_value(),
        "max-playout-delay" => ms(settings.playout_delay.1).to_value(),
        "max-consumers" => settings.max_consumers.to_value(),
        "max-message-size" => u32::try_from(settings.max_message_size).unwrap_or(u32::MAX).to_value(),
        "negotiation-timeout" => ms(settings.negotiation_timeout).to_value(),
        "key-frame-interval" => ms(settings.key_frame_interval).to_value(),
        "congestion-control" => settings.congestion_control.to_value(),
        "bitrate-policy" => settings.bitrate_policy.to_value(),
        "controller" => settings.controller.to_value(),
        "max-bitrate" => settings.max_bitrate_kbps.to_value(),
        "receive-audio" => settings.receive_audio.to_value(),
        "receive-video" => settings.receive_video.to_value(),
        _ => pspec.default_value().clone(),
    }
}

fn duration_ms(value: &glib::Value) -> Duration {
    Duration::from_millis(u64::from(value.get::<u32>().unwrap_or(0)))
}

fn ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// An empty string is no value.
fn text(value: &glib::Value) -> Option<String> {
    value.get::<Option<String>>().ok().flatten().filter(|text| !text.is_empty())
}

fn texts(value: &glib::Value) -> Vec<String> {
    let text_of = |value: &glib::SendValue| value.get::<Option<String>>().ok().flatten();
    value.get::<gst::Array>().map(|array| array.iter().filter_map(text_of).collect()).unwrap_or_default()
}

fn array(texts: &[String]) -> glib::Value {
    gst::Array::new(texts.iter().map(String::as_str)).to_value()
}

fn port(value: &glib::Value, default: u16) -> u16 {
    value.get::<u32>().ok().and_then(|port| port.try_into().ok()).unwrap_or(default)
}
