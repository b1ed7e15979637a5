//! Shell: the element in a consumer's webrtcbin that estimates its network and paces its packets, and what that element tells.

use super::{estimate::Network, pipeline::Reports};
use crate::{
    adaptiveencbin::rate::Bitrate,
    wswebrtcsink::{payload::Kind, policy::CongestionControl},
};
use gst::{glib, prelude::*};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// The estimate before anything is known: what most links carry.
const START: vdi_congestion::Bitrate = vdi_congestion::Bitrate::from_kbps(4_000);

/// The estimate does not fall below: less is no desktop.
const FLOOR: vdi_congestion::Bitrate = vdi_congestion::Bitrate::from_kbps(100);

/// What a consumer's congestion control is made from.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Which one.
    pub control: CongestionControl,
    /// More than this all streams together do not want.
    pub ceiling: vdi_congestion::Bitrate,
    /// What the way carries, if that is known.
    pub known: Option<vdi_congestion::Bitrate>,
}

/// The congestion control of one consumer.
pub struct Congestion {
    terms: Terms,
    /// Of the sound, if there is some.
    audio_payload_type: Option<i32>,
    element: Mutex<Option<glib::WeakRef<gst::Element>>>,
    /// Whether there was feedback.
    heard: AtomicBool,
    reports: Arc<dyn Reports>,
}

impl std::fmt::Debug for Congestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Congestion").field("terms", &self.terms).finish_non_exhaustive()
    }
}

impl Congestion {
    /// Will be put into a webrtcbin as soon as that asks for it. `payload_types` are those of the streams.
    pub fn connect(
        webrtcbin: &gst::Element,
        terms: Terms,
        payload_types: &[(Kind, i32)],
        reports: &Arc<dyn Reports>,
    ) -> Arc<Self> {
        let audio = payload_types.iter().find(|(kind, _)| *kind == Kind::Audio);
        let congestion = Arc::new(Self {
            terms,
            audio_payload_type: audio.map(|(_, payload_type)| *payload_type),
            element: Mutex::default(),
            heard: AtomicBool::new(false),
            reports: reports.clone(),
        });
        if terms.control != CongestionControl::None {
            let made = Arc::downgrade(&congestion);
            webrtcbin.connect("request-aux-sender", false, move |_| {
                let element = made.upgrade()?.make()?;
                Some(element.to_value())
            });
        }
        congestion
    }

    fn make(&self) -> Option<gst::Element> {
        let factory = match self.terms.control {
            CongestionControl::Vdi => "rtpcongestion",
            CongestionControl::Gcc => "rtpgccbwe",
            CongestionControl::None => return None,
        };
        let Ok(element) = gst::ElementFactory::make(factory).build() else {
            gst::warning!(super::CAT, "GStreamer has no element {factory}: there is no congestion control");
            return None;
        };
        let bps = |rate: vdi_congestion::Bitrate| u32::try_from(rate.bps()).unwrap_or(u32::MAX);
        let start = bps(self.terms.known.unwrap_or(START).min(self.terms.ceiling));
        element.set_property("min-bitrate", bps(FLOOR.min(self.terms.ceiling)));
        element.set_property("max-bitrate", bps(self.terms.ceiling));
        match self.terms.control {
            CongestionControl::Vdi => {
                element.set_property("start-bitrate", start);
                element.set_property("audio-payload-type", self.audio_payload_type.unwrap_or(-1));
            }
            _ => element.set_property("estimated-bitrate", start),
        }
        let reports = self.reports.clone();
        element.connect_notify(Some("estimated-bitrate"), move |_, _| reports.network_changed());
        *self.element.lock().unwrap_or_else(PoisonError::into_inner) = Some(element.downgrade());
        Some(element)
    }

    fn element(&self) -> Option<gst::Element> {
        self.element.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.upgrade()
    }

    /// Whether feedback is wanted.
    pub fn is_wanted(&self) -> bool {
        self.terms.control != CongestionControl::None
    }

    /// How long a packet that is sent now waits in this process.
    pub fn pacer_delay(&self) -> Duration {
        match (self.terms.control, self.element()) {
            (CongestionControl::Vdi, Some(element)) => Duration::from_nanos(element.property("pacer-delay")),
            _ => Duration::ZERO,
        }
    }

    /// What is known of the network; `None` before the first feedback, unless that stays away.
    pub fn network(&self) -> Option<Network> {
        let element = self.element()?;
        if self.terms.control == CongestionControl::Gcc {
            let estimate: u32 = element.property("estimated-bitrate");
            let for_video = Bitrate::from_kbps(estimate / 1000);
            return Some(Network { for_video, round_trip_time: None, packet_loss: None, queue_delay: None });
        }
        let stats: gst::Structure = element.property("stats");
        let time = |name| stats.get::<u64>(name).ok().map(Duration::from_nanos);
        // A round trip is known once there was feedback, and may be forgotten while a desktop is silent. Feedback that was agreed on
        // and never comes is news as well.
        let round_trip_time = time("round-trip-time");
        let is_silent = stats.get::<&str>("state") == Ok("silent");
        if !self.heard.fetch_or(round_trip_time.is_some(), Relaxed) && round_trip_time.is_none() && !is_silent
        {
            return None;
        }
        let bps = stats.get::<u64>("available-video-bitrate").ok()?;
        Some(Network {
            for_video: Bitrate::from_kbps(u32::try_from(bps / 1000).unwrap_or(u32::MAX)),
            round_trip_time,
            packet_loss: stats.get("packet-loss").ok(),
            queue_delay: time("queue-delay"),
        })
    }

    /// The element's figures, for `stats`.
    pub fn stats(&self) -> Option<gst::Structure> {
        let element = self.element()?;
        match self.terms.control {
            CongestionControl::Vdi => Some(element.property("stats")),
            _ => Some(
                gst::Structure::builder("application/x-vdi-congestion-stats")
                    .field(
                        "available-outgoing-bitrate",
                        u64::from(element.property::<u32>("estimated-bitrate")),
                    )
                    .build(),
            ),
        }
    }
}
