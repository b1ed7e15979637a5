//! Decision: whose network moves the one encoder, and the enumerations of the properties that say so. A consumer that does not
//! count gets what the others get, drops whole frames where its network does not carry them, and asks for key frames rarely.

use gst::glib;
use std::time::Duration;
use vdi_congestion::Bitrate;

/// What estimates the network and paces packets, for each consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstVdiCongestionControl")]
pub enum CongestionControl {
    /// Ours.
    #[default]
    #[enum_value(name = "rtpcongestion: made for desktops", nick = "vdi")]
    Vdi,
    /// Google's, as the GStreamer plugin rsrtp has it.
    #[enum_value(name = "rtpgccbwe: Google Congestion Control, for comparison", nick = "gcc")]
    Gcc,
    /// Nothing: the encoder's bit rate follows reports of loss and latency only.
    #[enum_value(name = "None: loss and latency only", nick = "none")]
    None,
}

/// Whose network moves the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstVdiBitratePolicy")]
pub enum BitratePolicy {
    /// Everybody's: the slowest wins.
    #[default]
    #[enum_value(name = "The slowest consumer", nick = "slowest")]
    Slowest,
    /// That of the consumer that the application names, while it is connected.
    #[enum_value(
        name = "The consumer named by the property controller, while it is connected",
        nick = "controller"
    )]
    Controller,
}

/// Key frames that a consumer asks for which does not count are at least so far apart: each costs everybody.
pub const BYSTANDER_KEY_FRAMES: Duration = Duration::from_secs(3);

/// Room beside the pictures' payload: headers, retransmissions, sound, data channels.
const OVERHEAD: f64 = 1.1;
const SOUND_AND_DATA: Bitrate = Bitrate::from_kbps(250);

/// What all streams together want when the pictures want so much.
pub fn ceiling(video: Bitrate) -> Bitrate {
    video.scaled(OVERHEAD) + SOUND_AND_DATA
}

/// How much what a consumer sees moves the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// Not at all.
    None,
    /// As much as that of others.
    Shared,
    /// Alone.
    Sole,
}

/// What a consumer has to say.
pub fn say(policy: BitratePolicy, controller: Option<&str>, is_connected: bool, consumer: &str) -> Say {
    match (policy, controller) {
        (BitratePolicy::Controller, Some(controller)) if is_connected && controller == consumer => Say::Sole,
        (BitratePolicy::Controller, Some(_)) if is_connected => Say::None,
        // The seat may be empty for a moment; somebody has to be heard.
        _ => Say::Shared,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_consumer_alone_counts_while_it_is_there() {
        let alone = BitratePolicy::Controller;
        assert_eq!(say(alone, Some("alice"), true, "alice"), Say::Sole);
        assert_eq!(say(alone, Some("alice"), true, "bob"), Say::None);
        assert_eq!(say(alone, Some("alice"), false, "bob"), Say::Shared, "she has gone, and he is watching");
        assert_eq!(say(alone, None, false, "bob"), Say::Shared, "nobody was named");
    }

    #[test]
    fn everybody_counts_where_the_slowest_wins() {
        for consumer in ["alice", "bob"] {
            assert_eq!(say(BitratePolicy::Slowest, Some("alice"), true, consumer), Say::Shared);
        }
    }

    #[test]
    fn pictures_at_their_ceiling_leave_room_for_sound() {
        assert_eq!(ceiling(Bitrate::from_kbps(12_000)), Bitrate::from_kbps(13_450));
    }
}
