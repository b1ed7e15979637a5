//! Wire: the upstream event by which GStreamer's RTP session tells what transport-wide feedback says of the packets that it
//! sent. Refuses what names packets that were never sent, or were told of long ago: the message comes from the other end.

use super::packet::on_the_wire;
use gst::glib;
use std::time::Duration;
use vdi_congestion::Report;

/// Name of the event's structure.
const NAME: &str = "RTPTWCCPackets";

/// Packets of one message that are looked at. A message has a few dozen; a forged one may claim 65,535.
const MAX_PACKETS: usize = 4096;

/// Whether an event is one.
pub fn is_feedback(structure: &gst::StructureRef) -> bool {
    structure.name() == NAME
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
        assert!(!is_feedback(&gst::Structure::new_empty("GstRTPRetransmissionRequest")));
    }

    #[test]
    fn a_message_without_end_is_cut() {
        gst::init().unwrap();
        let packets: Vec<_> = (0..10_000).map(|n| (n, Some(1), Some(2), 1)).collect();
        assert_eq!(read(message(&packets).iter(), 12, |_| true).len(), MAX_PACKETS);
    }
}
