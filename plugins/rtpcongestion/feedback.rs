//! Wire: the upstream events by which GStreamer's RTP session tells what the other end says: transport-wide feedback of the
//! packets that were sent, and requests for those that were lost. Refuses what names packets that were never sent, or were told
//! of long ago: the message comes from the other end.

use super::{packet::on_the_wire, probing::Ask};
use gst::glib;
use std::time::Duration;
use vdi_congestion::Report;

/// Name of feedback's structure.
const NAME: &str = "RTPTWCCPackets";

/// Name of a request's structure.
const REQUEST: &str = "GstRTPRetransmissionRequest";

/// Packets of one message that are looked at. A message has a few dozen; a forged one may claim 65,535.
const MAX_PACKETS: usize = 4096;

/// Whether an event is one.
pub fn is_feedback(structure: &gst::StructureRef) -> bool {
    structure.name() == NAME
}

/// The packet that an event asks for, if it is a request.
pub fn request(structure: &gst::StructureRef) -> Option<Ask> {
    if structure.name() != REQUEST {
        return None;
    }
    let number = |name| structure.get::<u32>(name).ok();
    Some(Ask { ssrc: number("ssrc")?, sequence: number("seqnum")?.try_into().ok()? })
}

/// A request of our own for a packet.
pub fn asking(ask: Ask) -> gst::Structure {
    let structure = gst::Structure::builder(REQUEST).field("seqnum", u32::from(ask.sequence));
    structure.field("ssrc", ask.ssrc).build()
}

/// Its packets. The session counts payloads, so it takes the length of their headers to know what they weighed. `is_picture` tells
/// it of a payload type.
pub fn reports(
    structure: &gst::StructureRef,
    header_bytes: usize,
    is_picture: impl Fn(u8) -> bool,
) -> Vec<Report> {
    let Ok(packets) = structure.get::<&glib::ValueArray>("packets") else { return Vec::new() };
    read(packets.iter(), header_bytes, is_picture)
}

fn read<'a>(
    packets: impl Iterator<Item = &'a glib::Value>,
    header_bytes: usize,
    is_picture: impl Fn(u8) -> bool,
) -> Vec<Report> {
    packets.take(MAX_PACKETS).filter_map(|packet| report(packet, header_bytes, &is_picture)).collect()
}

fn report(packet: &glib::Value, header_bytes: usize, is_picture: impl Fn(u8) -> bool) -> Option<Report> {
    let packet = packet.get::<&gst::StructureRef>().ok()?;
    let time = |name| {
        let ns = packet.get::<u64>(name).ok().filter(|ns| *ns != u64::MAX)?;
        Some(Duration::from_nanos(ns))
    };
    Some(Report {
        sequence: packet.get::<u32>("seqnum").ok()? as u16,
        // Without it the session does not know the packet, or not any more.
        sent: time("local-ts")?,
        arrived: if packet.get("lost").unwrap_or(false) { None } else { Some(time("remote-ts")?) },
        size: on_the_wire(header_bytes.saturating_add(packet.get::<u32>("size").unwrap_or(0) as usize)),
        is_picture: packet.get::<u8>("payload-type").is_ok_and(is_picture),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message about packets: number, when sent and when arrived in ms, payload in bytes.
    fn message(packets: &[(u32, Option<u64>, Option<u64>, u32)]) -> Vec<glib::Value> {
        let ns = |ms: u64| ms * 1_000_000;
        let packets = packets.iter().map(|(number, sent, arrived, size)| {
            let packet = gst::Structure::builder("RTPTWCCPacket")
                .field("seqnum", number)
                .field_if_some("local-ts", sent.map(ns))
                .field_if_some("remote-ts", arrived.map(ns))
                .field("size", size)
                .field("lost", arrived.is_none())
                .field("payload-type", if arrived.is_none() { 97_u8 } else { 96 });
            glib::value::ToValue::to_value(&packet.build())
        });
        packets.collect()
    }

    #[test]
    fn what_arrived_and_what_was_lost_is_read_with_its_weight() {
        gst::init().unwrap();
        let message = message(&[(65_535, Some(10), Some(500), 1000), (0, Some(11), None, 100)]);
        assert!(is_feedback(&gst::Structure::new_empty(NAME)));
        let ms = Duration::from_millis;
        assert_eq!(
            read(message.iter(), 24, |number| number == 96),
            [
                Report {
                    sequence: 65_535,
                    sent: ms(10),
                    arrived: Some(ms(500)),
                    size: on_the_wire(1024),
                    is_picture: true
                },
                Report {
                    sequence: 0,
                    sent: ms(11),
                    arrived: None,
                    size: on_the_wire(124),
                    is_picture: false
                },
            ]
        );
    }

    #[test]
    fn packets_that_were_never_sent_are_left_out() {
        gst::init().unwrap();
        let unknown = message(&[(1, None, Some(500), 1000), (2, None, None, 0)]);
        assert_eq!(read(unknown.iter(), 12, |_| true), []);
        assert_eq!(read([glib::value::ToValue::to_value("no packet")].iter(), 12, |_| true), []);
        let never = gst::Structure::builder(NAME).field("packets", "none").build();
        assert_eq!(reports(&never, 12, |_| true), []);
        assert!(!is_feedback(&gst::Structure::new_empty(REQUEST)));
    }

    #[test]
    fn request_names_one_packet() {
        gst::init().unwrap();
        let ask = Ask { ssrc: 7, sequence: 65_535 };
        assert_eq!(request(&asking(ask)), Some(ask));
        assert_eq!(request(&gst::Structure::new_empty(REQUEST)), None);
        assert_eq!(request(&gst::Structure::new_empty(NAME)), None);
        let forged = gst::Structure::builder(REQUEST).field("seqnum", 65_536_u32).field("ssrc", 7_u32);
        assert_eq!(request(&forged.build()), None);
    }

    #[test]
    fn a_message_without_end_is_cut() {
        gst::init().unwrap();
        let packets: Vec<_> = (0..10_000).map(|n| (n, Some(1), Some(2), 1)).collect();
        assert_eq!(read(message(&packets).iter(), 12, |_| true).len(), MAX_PACKETS);
    }
}
