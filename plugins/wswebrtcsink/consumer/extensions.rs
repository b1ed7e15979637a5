//! Shell: the RTP header extensions of one stream. A packet carries those that its consumer has agreed to: one that tells
//! nothing of the sound's packets would otherwise seem to have lost them.

use super::{pipeline::make, plan::Plan};
use crate::wswebrtcsink::{HeaderExtension, consumer::offered::extension_id, payload::Kind};
use gst::prelude::*;
use gst_rtp::prelude::RTPHeaderExtensionExt;
use std::time::Duration;

/// Those of one stream.
#[derive(Debug)]
pub struct Extensions {
    kind: Kind,
    payloader: gst::Element,
    added: Vec<(HeaderExtension, gst_rtp::RTPHeaderExtension)>,
}

impl Extensions {
    /// Adds what the plan wants, with the numbers that the consumer has for it, if it was the one to offer.
    pub fn add(
        plan: &Plan,
        kind: Kind,
        payloader: &gst::Element,
        is_feedback_wanted: bool,
    ) -> Result<Self, String> {
        let section = plan.offered.as_ref().and_then(|offered| offered.section(kind));
        let id_of = |extension: HeaderExtension| match section {
            None => Some(extension.id),
            Some(section) if extension.uri == HeaderExtension::PLAYOUT_DELAY.uri => section.playout_delay_id,
            Some(section) => section.transport_cc_id,
        };
        let mut extensions = Self { kind, payloader: payloader.clone(), added: Vec::new() };
        let playout_delay = id_of(HeaderExtension::PLAYOUT_DELAY).filter(|_| kind == Kind::Video);
        if let Some(id) = playout_delay {
            let element = make("rtphdrextplayoutdelay")?;
            apply_playout_delay(&element, plan.playout_delay);
            let extension = element
                .downcast::<gst_rtp::RTPHeaderExtension>()
                .map_err(|_| "rtphdrextplayoutdelay is no RTP header extension")?;
            extensions.push(HeaderExtension::PLAYOUT_DELAY, extension, id);
        }
        if let Some(id) = id_of(HeaderExtension::TRANSPORT_CC).filter(|_| is_feedback_wanted) {
            let extension = gst_rtp::RTPHeaderExtension::create_from_uri(HeaderExtension::TRANSPORT_CC.uri)
                .ok_or("GStreamer has no element rtphdrexttwcc; a plugin package is missing")?;
            extensions.push(HeaderExtension::TRANSPORT_CC, extension, id);
        }
        Ok(extensions)
    }

    fn push(&mut self, which: HeaderExtension, extension: gst_rtp::RTPHeaderExtension, id: u8) {
        extension.set_id(u32::from(id));
        self.payloader.emit_by_name::<()>("add-extension", &[&extension]);
        self.added.push((which, extension));
    }

    /// What an offer says of them.
    pub fn offered(&self) -> Vec<HeaderExtension> {
        self.added.iter().map(|(which, _)| *which).collect()
    }

    /// Leaves out what the consumer's answer does not take. What is left.
    pub fn keep(&self, answer: &gst_sdp::SDPMessageRef) -> Vec<HeaderExtension> {
        let section = answer.medias().find(|media| media.media() == Some(self.kind.as_str()));
        let is_taken =
            |which: &HeaderExtension| section.is_some_and(|media| extension_id(media, which.uri).is_some());
        let taken: Vec<_> = self.added.iter().filter(|(which, _)| is_taken(which)).collect();
        if taken.len() < self.added.len() {
            self.payloader.emit_by_name::<()>("clear-extensions", &[]);
            for (_, extension) in &taken {
                self.payloader.emit_by_name::<()>("add-extension", &[extension]);
            }
        }
        taken.into_iter().map(|(which, _)| *which).collect()
    }

    /// Changes the playout delay that the packets ask for.
    pub fn set_playout_delay(&self, delay: (Duration, Duration)) {
        let wanted = self.added.iter().filter(|(which, _)| which.uri == HeaderExtension::PLAYOUT_DELAY.uri);
        for (_, extension) in wanted {
            apply_playout_delay(extension.upcast_ref(), delay);
        }
    }
}

fn apply_playout_delay(extension: &gst::Element, (min, max): (Duration, Duration)) {
    let ms = |delay: Duration| u32::try_from(delay.as_millis()).unwrap_or(u32::MAX);
    extension.set_property("min-delay", ms(min));
    extension.set_property("max-delay", ms(max));
}

#[cfg(test)]
mod tests {
    use super::*;
    use gst_check::Harness;
    use gst_rtp::RTPBuffer;

    const BOTH: [HeaderExtension; 2] = [HeaderExtension::PLAYOUT_DELAY, HeaderExtension::TRANSPORT_CC];

    /// An answer whose section takes these extensions, by number.
    fn answer(taken: &[HeaderExtension]) -> gst_sdp::SDPMessage {
        let mut text = String::from("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n");
        text += "m=audio 9 UDP/TLS/RTP/SAVPF 97\r\na=rtpmap:97 OPUS/48000/2\r\n";
        for HeaderExtension { id, uri } in taken {
            text += &format!("a=extmap:{id} {uri}\r\n");
        }
        gst_sdp::SDPMessage::parse_buffer(text.as_bytes()).unwrap()
    }

    /// Which of both the packets carry after this answer, of a payloader that began with both.
    fn carried(taken: &[HeaderExtension]) -> [bool; 2] {
        gst::init().unwrap();
        crate::plugin_register_static().unwrap();
        let payloader = make("rtpopuspay").unwrap();
        payloader.set_property("pt", 97_u32);
        let mut extensions =
            Extensions { kind: Kind::Audio, payloader: payloader.clone(), added: Vec::new() };
        for which in BOTH {
            let extension = gst_rtp::RTPHeaderExtension::create_from_uri(which.uri).unwrap();
            extensions.push(which, extension, which.id);
        }
        assert_eq!(extensions.keep(&answer(taken)).len(), taken.len());
        let mut harness = Harness::with_element(&payloader, Some("sink"), Some("src"));
        harness.set_src_caps_str("audio/x-opus,rate=48000,channels=2,channel-mapping-family=0");
        let mut sound = gst::Buffer::from_slice([0xfc, 0xff, 0xfe]);
        sound.get_mut().unwrap().set_pts(gst::ClockTime::ZERO);
        harness.push(sound).unwrap();
        let packet = harness.pull().unwrap();
        let packet = RTPBuffer::from_buffer_readable(&packet).unwrap();
        BOTH.map(|which| packet.extension_onebyte_header(which.id, 0).is_some())
    }

    #[test]
    fn packets_carry_what_the_answer_takes_and_nothing_else() {
        assert_eq!(carried(&BOTH), [true, true]);
        assert_eq!(carried(&BOTH[1..]), [false, true]);
        assert_eq!(carried(&BOTH[..1]), [true, false]);
        assert_eq!(carried(&[]), [false, false]);
    }
}
