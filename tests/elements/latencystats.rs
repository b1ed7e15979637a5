//! `latencystats` on a harness with a test clock: exact figures, reports, and nothing done to what passes.

use gst::prelude::*;
use gst_check::{Harness, TestClock};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

const MS: u64 = 1_000_000;

/// A playing `latencystats` whose running time stands at `now` milliseconds, and whose messages are kept.
struct Bench {
    harness: Harness,
    clock: TestClock,
    element: gst::Element,
    bus: gst::Bus,
}

impl Bench {
    fn new() -> Self {
        crate::init();
        let mut harness = Harness::new("latencystats");
        harness.set_src_caps_str("video/x-h264,stream-format=byte-stream,alignment=au");
        let clock = harness.testclock().expect("a harness has a test clock");
        let element = harness.element().expect("the harness holds the element");
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        Self { harness, clock, element, bus }
    }

    fn set_ms(self, property: &str, ms: u32) -> Self {
        self.element.set_property(property, ms);
        self
    }

    /// Pushes a buffer with this PTS while the running time is `now`, both in milliseconds.
    fn push(&mut self, now: u64, pts: impl Into<Option<u64>>) {
        self.clock
            .set_time(self.element.base_time().unwrap_or_default() + gst::ClockTime::from_mseconds(now));
        let mut buffer = gst::Buffer::with_size(16).unwrap();
        buffer.make_mut().set_pts(pts.into().map(gst::ClockTime::from_mseconds));
        assert_eq!(self.harness.push(buffer), Ok(gst::FlowSuccess::Ok));
    }

    fn stats(&self) -> gst::Structure {
        self.element.property("stats")
    }

    fn field(&self, name: &str) -> u64 {
        self.stats().get(name).unwrap()
    }

    fn reports(&self) -> Vec<gst::Structure> {
        std::iter::from_fn(|| self.bus.pop_filtered(&[gst::MessageType::Element]))
            .map(|message| message.structure().unwrap().to_owned())
            .collect()
    }
}

/// Asserts equality to the histogram's 0.1 %.
#[track_caller]
fn assert_close(got: u64, wanted: u64) {
    assert!(got.abs_diff(wanted) <= wanted / 1000, "{got} is not {wanted}");
}

#[test]
fn age_is_running_time_minus_the_buffers_running_time() {
    let mut bench = Bench::new();
    for n in 1..=100 {
        bench.push(1000 + n, 1000);
    }
    assert_eq!(bench.stats().name(), "application/x-vdi-latency-stats");
    assert_eq!(bench.field("count"), 100);
    assert_eq!(bench.field("min"), MS);
    assert_eq!(bench.field("mean"), 50_500_000);
    assert_close(bench.field("p50"), 50 * MS);
    assert_close(bench.field("p95"), 95 * MS);
    assert_close(bench.field("p99"), 99 * MS);
    assert_eq!(bench.field("max"), 100 * MS);
    assert_eq!(bench.field("window"), 5000 * MS);
}

#[test]
fn a_thousand_hours_in_pts_and_segment_are_no_age() {
    let mut bench = Bench::new();
    let shift = gst::ClockTime::from_seconds(3_600_000);
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_start(shift);
    segment.set_time(gst::ClockTime::ZERO);
    assert!(bench.harness.push_event(gst::event::Segment::new(&segment)));
    bench.push(230, shift.mseconds() + 200);
    assert_eq!((bench.field("count"), bench.field("max")), (1, 30 * MS));
}

#[test]
fn buffers_without_pts_pass_uncounted_and_early_ones_have_age_zero() {
    let mut bench = Bench::new();
    bench.push(100, None);
    assert_eq!(bench.field("count"), 0);
    bench.push(100, 150);
    assert_eq!((bench.field("count"), bench.field("max")), (1, 0));
    assert_eq!(bench.harness.buffers_received(), 2);
}

#[test]
fn old_values_leave_the_window_also_while_nothing_passes() {
    let mut bench = Bench::new().set_ms("window", 1000);
    bench.push(2000, 1500);
    assert_eq!((bench.field("max"), bench.field("window")), (500 * MS, 1000 * MS));
    bench.clock.set_time(bench.element.base_time().unwrap_or_default() + gst::ClockTime::from_seconds(4));
    assert_eq!((bench.field("count"), bench.field("max")), (0, 0));
}

#[test]
fn a_message_every_interval_and_the_rest_at_eos() {
    let mut bench = Bench::new().set_ms("interval", 500);
    for now in (100..1300).step_by(100) {
        bench.push(now, now - 40);
    }
    let reports = bench.reports();
    assert_eq!(reports.len(), 2, "at 600 and 1100 ms");
    for (report, count) in reports.iter().zip([6u64, 11]) {
        assert_eq!(report.name(), "vdi-latency-stats");
        assert_eq!(report.get::<u64>("count"), Ok(count));
        assert_eq!(report.get::<u64>("max"), Ok(40 * MS));
        let of_stats: Vec<_> = bench.stats().fields().map(|field| field.to_string()).collect();
        let of_report: Vec<_> = report.fields().map(|field| field.to_string()).collect();
        assert_eq!(of_report, of_stats);
    }
    bench.harness.push_event(gst::event::Eos::new());
    let last = bench.reports();
    assert_eq!(last.len(), 1);
    assert_eq!(last[0].get::<u64>("count"), Ok(12));
}

#[test]
fn the_interval_can_be_changed_and_switched_off_while_playing() {
    let mut bench = Bench::new().set_ms("interval", 0);
    for now in (0..3000).step_by(100) {
        bench.push(now, now);
    }
    assert_eq!(bench.reports().len(), 0);
    bench = bench.set_ms("interval", 200);
    for now in (3000..=4000).step_by(100) {
        bench.push(now, now);
    }
    assert_eq!(bench.reports().len(), 5);
}

#[test]
fn last_message_is_told_only_when_not_silent() {
    let mut bench = Bench::new().set_ms("interval", 100);
    let notified = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&notified);
    bench.element.connect_notify(Some("last-message"), move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    for now in [0, 100, 200] {
        bench.push(now + 1000, now + 975);
    }
    assert_eq!(notified.load(Ordering::SeqCst), 0, "silent is the default");
    bench.element.set_property("silent", false);
    bench.push(1300, 1275);
    assert_eq!(notified.load(Ordering::SeqCst), 1);
    let text: String = bench.element.property("last-message");
    assert_eq!(
        text,
        "latency of 4 buffers in 5.0 s: p50 25.0 ms, p95 25.0 ms, p99 25.0 ms, max 25.0 ms, mean 25.0 ms"
    );
}

#[test]
fn the_same_buffer_comes_out_and_events_pass_both_ways() {
    let mut bench = Bench::new();
    let mut buffer = gst::Buffer::from_slice([1u8, 2, 3]);
    buffer.make_mut().set_pts(gst::ClockTime::ZERO);
    buffer.make_mut().set_flags(gst::BufferFlags::DELTA_UNIT);
    let address = buffer.as_ptr();
    bench.harness.push(buffer).unwrap();
    let out = bench.harness.pull().unwrap();
    assert_eq!(out.as_ptr(), address, "not a copy");
    assert!(out.flags().contains(gst::BufferFlags::DELTA_UNIT));

    let tags = {
        let mut tags = gst::TagList::new();
        tags.make_mut().add::<gst::tags::Encoder>(&"x264enc", gst::TagMergeMode::Append);
        tags
    };
    assert!(bench.harness.push_event(gst::event::Tag::new(tags)));
    let passed = std::iter::from_fn(|| bench.harness.try_pull_event()).any(|event| match event.view() {
        gst::EventView::Tag(event) => {
            event.tag().get::<gst::tags::Encoder>().is_some_and(|v| v.get() == "x264enc")
        }
        _ => false,
    });
    assert!(passed);

    let request = gst::event::CustomUpstream::new(gst::Structure::new_empty("application/x-vdi-feedback"));
    assert!(bench.harness.push_upstream_event(request));
    let passed = std::iter::from_fn(|| bench.harness.try_pull_upstream_event())
        .any(|event| event.structure().is_some_and(|s| s.name() == "application/x-vdi-feedback"));
    assert!(passed);
}

#[test]
fn a_flush_starts_an_empty_window() {
    let mut bench = Bench::new();
    bench.push(1000, 700);
    bench.harness.push_event(gst::event::FlushStart::new());
    bench.harness.push_event(gst::event::FlushStop::new(true));
    assert_eq!(bench.field("count"), 0);
}

#[test]
fn x264enc_in_a_live_pipeline_ages_by_milliseconds_not_by_its_thousand_hours() {
    crate::init();
    let pipeline = gst::parse::launch(
        "videotestsrc is-live=true num-buffers=20 ! video/x-raw,width=160,height=96,framerate=60/1 \
         ! x264enc tune=zerolatency ! latencystats name=stats ! fakesink sync=false",
    )
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let end = pipeline.bus().unwrap().timed_pop_filtered(
        gst::ClockTime::from_seconds(20),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    assert_eq!(end.map(|message| message.type_()), Some(gst::MessageType::Eos));
    let stats: gst::Structure = pipeline.by_name("stats").unwrap().property("stats");
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(stats.get::<u64>("count"), Ok(20));
    // Anything below the time-out: what is excluded is an age of hours.
    assert!(stats.get::<u64>("max").unwrap() < 20_000 * MS);
    assert!(stats.get::<u64>("max").unwrap() > 0);
}
