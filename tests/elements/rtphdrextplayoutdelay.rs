//! `rtphdrextplayoutdelay` in real RTP packets: the bytes a payloader writes, and what another instance reads.

use gst::prelude::*;
use gst_check::Harness;
use gst_rtp::prelude::*;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

const URI: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

/// An IDR access unit that rtph264pay takes; what is in the slices does not matter to it.
const ACCESS_UNIT: [u8; 27] = [
    0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0x95, 0xa0, // SPS
    0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80, // PPS
    0, 0, 0, 1, 0x65, 0x88, 0x84, 0x00, 0xff, // IDR slice
];

fn extension(id: u32) -> gst_rtp::RTPHeaderExtension {
    crate::init();
    let element = gst::ElementFactory::make("rtphdrextplayoutdelay").build().unwrap();
    let extension = element.downcast::<gst_rtp::RTPHeaderExtension>().unwrap();
    extension.set_id(id);
    extension
}

/// A payloader with the extension.
fn payloader(extension: &gst_rtp::RTPHeaderExtension) -> Harness {
    let pay = gst::ElementFactory::make("rtph264pay").property("pt", 96u32).build().unwrap();
    pay.downcast_ref::<gst_rtp::RTPBasePayload>().unwrap().emit_add_extension(extension);
    let mut harness = Harness::with_element(&pay, Some("sink"), Some("src"));
    harness.set_src_caps_str("video/x-h264,stream-format=byte-stream,alignment=au");
    harness
}

/// The packets of one access unit at `pts` milliseconds.
fn packets(harness: &mut Harness, pts: u64) -> Vec<gst::Buffer> {
    let mut buffer = gst::Buffer::from_slice(ACCESS_UNIT);
    buffer.make_mut().set_pts(gst::ClockTime::from_mseconds(pts));
    harness.push(buffer).unwrap();
    std::iter::from_fn(|| harness.try_pull()).collect()
}

/// One packet of an access unit.
fn packet(harness: &mut Harness, pts: u64) -> gst::Buffer {
    packets(harness, pts).remove(0)
}

fn one_byte(packet: &gst::Buffer, id: u8) -> Option<Vec<u8>> {
    let rtp = gst_rtp::RTPBuffer::from_buffer_readable(packet).unwrap();
    rtp.extension_onebyte_header(id, 0).map(<[u8]>::to_vec)
}

#[test]
fn every_packet_says_zero_by_default_and_what_was_set_later() {
    let extension = extension(5);
    let mut pay = payloader(&extension);
    let first = packets(&mut pay, 0);
    assert_eq!(first.len(), 3, "SPS, PPS and slice");
    assert!(first.iter().all(|packet| one_byte(packet, 5) == Some(vec![0, 0, 0])));

    extension.set_property("min-delay", 100u32);
    extension.set_property("max-delay", 400u32);
    let next = packet(&mut pay, 20);
    assert_eq!(one_byte(&next, 5), Some(vec![0x00, 0xa0, 0x28]));

    // The header itself: profile 0xbede, one word, id 5 with length 3 (written as 2).
    let map = next.map_readable().unwrap();
    assert_eq!(&map[12..20], [0xbe, 0xde, 0, 1, 0x52, 0x00, 0xa0, 0x28]);
}

#[test]
fn an_id_above_fourteen_makes_two_byte_headers() {
    let extension = extension(15);
    extension.set_property("max-delay", 10u32);
    let packet = packet(&mut payloader(&extension), 0);
    let rtp = gst_rtp::RTPBuffer::from_buffer_readable(&packet).unwrap();
    let (_, data) = rtp.extension_twobytes_header(15, 0).expect("a two-byte header");
    assert_eq!(data, [0, 0, 1]);
}

#[test]
fn delays_are_stored_in_steps_of_ten_and_a_maximum_below_the_minimum_is_raised() {
    let extension = extension(5);
    extension.set_property("min-delay", 199u32);
    assert_eq!(extension.property::<u32>("min-delay"), 190);
    extension.set_property("max-delay", 50u32);
    let packet = packet(&mut payloader(&extension), 0);
    assert_eq!(one_byte(&packet, 5), Some(vec![0x01, 0x30, 0x13]), "19 steps twice");
    let limit = extension.find_property("max-delay").unwrap().downcast::<gst::glib::ParamSpecUInt>().unwrap();
    assert_eq!(limit.maximum(), 40_950);
}

#[test]
fn the_payloaders_caps_carry_the_extmap_for_the_sdp() {
    let mut pay = payloader(&extension(7));
    packet(&mut pay, 0);
    let caps = pay.sinkpad().unwrap().current_caps().unwrap();
    assert_eq!(caps.structure(0).unwrap().get::<&str>("extmap-7"), Ok(URI));
}

#[test]
fn the_element_is_found_by_its_uri() {
    crate::init();
    let found = gst_rtp::RTPHeaderExtension::create_from_uri(URI).expect("found by URI");
    assert_eq!(found.factory().unwrap().name(), "rtphdrextplayoutdelay");
}

#[test]
fn a_depayloader_stores_and_notifies_what_it_saw() {
    let sender = extension(5);
    let receiver = extension(5);
    sender.set_property("min-delay", 40_950u32);
    sender.set_property("max-delay", 40_950u32);
    let notified = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&notified);
    receiver.connect_notify(None, move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
    });

    let mut pay = payloader(&sender);
    let packets = [packets(&mut pay, 0), packets(&mut pay, 20)].concat();
    let depay = gst::ElementFactory::make("rtph264depay").build().unwrap();
    depay.emit_by_name::<()>("add-extension", &[&receiver]);
    let mut harness = Harness::with_element(&depay, Some("sink"), Some("src"));
    harness.set_src_caps_str(&format!(
        "application/x-rtp,media=video,clock-rate=90000,encoding-name=H264,payload=96,extmap-5=(string){URI}"
    ));
    for packet in packets {
        harness.push(packet).unwrap();
    }
    assert_eq!(receiver.property::<u32>("min-delay"), 40_950);
    assert_eq!(receiver.property::<u32>("max-delay"), 40_950);
    assert_eq!(notified.load(Ordering::SeqCst), 2, "once per property: the second packet said the same");
}

#[test]
fn data_of_another_length_changes_nothing() {
    let receiver = extension(5);
    receiver.set_property("min-delay", 30u32);
    let mut buffer = gst::Buffer::new();
    let flags = gst_rtp::RTPHeaderExtensionFlags::ONE_BYTE;
    assert!(!receiver.read(flags, &[1, 2], buffer.make_mut()));
    assert!(!receiver.read(flags, &[1, 2, 3, 4], buffer.make_mut()));
    assert_eq!(receiver.property::<u32>("min-delay"), 30);
    assert!(receiver.read(flags, &[0, 0x10, 0x02], buffer.make_mut()));
    assert_eq!((receiver.property::<u32>("min-delay"), receiver.property::<u32>("max-delay")), (10, 20));
}
