//! A pipeline around `xdamagesrc`, and what comes out of it.

use super::{LIMIT, SILENCE, desktop::Desktop};
use gst::prelude::*;
use gst_video::{VideoFrameExt, VideoFrameRef, VideoInfo};
use std::time::{Duration, Instant};

/// A playing pipeline.
pub struct Stream {
    pipeline: gst::Pipeline,
    /// The element under test.
    pub src: gst::Element,
    sink: gst_app::AppSink,
    bus: gst::Bus,
}

impl Stream {
    /// Plays with these properties and caps.
    pub fn start(desktop: &Desktop, properties: &str, caps: &str) -> Self {
        let stream = Self::build(&desktop.display, properties, caps);
        stream.play();
        stream
    }

    /// Without playing.
    pub fn build(display: &str, properties: &str, caps: &str) -> Self {
        crate::init();
        let line = format!(
            "xdamagesrc name=src display-name={display} {properties} ! {caps} \
             ! appsink name=sink sync=false max-buffers=4"
        );
        let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let src = pipeline.by_name("src").unwrap();
        let sink = pipeline.by_name("sink").unwrap().downcast().unwrap();
        let bus = pipeline.bus().unwrap();
        Self { pipeline, src, sink, bus }
    }

    /// From whatever state to PLAYING.
    pub fn play(&self) {
        self.pipeline.set_state(gst::State::Playing).unwrap();
    }

    /// Tries to.
    pub fn set_state(&self, state: gst::State) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        self.pipeline.set_state(state)
    }

    /// The next frame, if one comes in this time.
    pub fn frame_within(&self, time: Duration) -> Option<gst::Sample> {
        self.sink.try_pull_sample(gst::ClockTime::try_from(time).unwrap())
    }

    /// The next frame.
    #[track_caller]
    pub fn frame(&self) -> gst::Sample {
        let sample = self.frame_within(LIMIT);
        sample.unwrap_or_else(|| panic!("no frame in {LIMIT:?}; {:?}", self.bus.pop()))
    }

    /// The first frame for which this is true.
    #[track_caller]
    pub fn frame_where(&self, what: &str, is_it: impl Fn(&gst::Sample) -> bool) -> gst::Sample {
        let began = Instant::now();
        let mut frames = 0;
        while began.elapsed() < LIMIT {
            let Some(sample) = self.frame_within(LIMIT.saturating_sub(began.elapsed())) else { break };
            frames += 1;
            if is_it(&sample) {
                return sample;
            }
        }
        panic!("{what}: none of {frames} frames in {LIMIT:?}; {:?}", self.bus.pop());
    }

    /// Lets frames pass until the picture has been repeated so often, and then until there are none for a while.
    pub fn sharpen(&self, repeated: u64) {
        let began = Instant::now();
        while self.stat("frames-repeated") < repeated {
            assert!(began.elapsed() < LIMIT, "{} repeats", self.stat("frames-repeated"));
            self.frame_within(Duration::from_millis(100));
        }
        self.fall_silent(SILENCE);
    }

    /// Lets frames pass until there are none for this time.
    pub fn fall_silent(&self, silence: Duration) {
        let began = Instant::now();
        while self.frame_within(silence).is_some() {
            assert!(began.elapsed() < LIMIT, "it never falls silent");
        }
    }

    /// Asks for the current frame.
    pub fn demand(&self) {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        assert!(self.sink.send_event(event));
    }

    /// A number out of the statistics.
    pub fn stat(&self, name: &str) -> u64 {
        self.src.property::<gst::Structure>("stats").get(name).unwrap()
    }

    /// A yes or no out of the statistics.
    pub fn has(&self, name: &str) -> bool {
        self.src.property::<gst::Structure>("stats").get(name).unwrap()
    }

    /// The next message of a type.
    #[track_caller]
    pub fn message(&self, kind: gst::MessageType) -> gst::Message {
        let message = self.bus.timed_pop_filtered(gst::ClockTime::try_from(LIMIT).unwrap(), &[kind]);
        message.unwrap_or_else(|| panic!("no message {kind:?} in {LIMIT:?}"))
    }

    /// Whatever messages of a type are there.
    pub fn messages(&self, kind: gst::MessageType) -> Vec<gst::Message> {
        std::iter::from_fn(|| self.bus.pop_filtered(&[kind])).collect()
    }

    /// The reason and text of the next error.
    #[track_caller]
    pub fn failure(&self) -> (String, String) {
        let message = self.message(gst::MessageType::Error);
        let gst::MessageView::Error(error) = message.view() else { unreachable!() };
        let reason = error.details().and_then(|details| details.get("reason").ok()).unwrap_or_default();
        (reason, error.error().to_string())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// What kind of frame it is.
pub fn info(sample: &gst::Sample) -> VideoInfo {
    VideoInfo::from_caps(sample.caps().unwrap()).unwrap()
}

/// Columns and lines.
pub fn size(sample: &gst::Sample) -> (u32, u32) {
    (info(sample).width(), info(sample).height())
}

/// The bytes of all planes, line by line, without what is between them.
pub fn planes(buffer: &gst::BufferRef, info: &VideoInfo) -> Vec<u8> {
    let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info).unwrap();
    let mut bytes = Vec::new();
    for plane in 0..frame.n_planes() {
        let line = frame.comp_width(plane) as usize * frame.comp_pstride(plane) as usize;
        let stride = frame.plane_stride()[plane as usize] as usize;
        let data = frame.plane_data(plane).unwrap();
        for y in 0..frame.comp_height(plane) as usize {
            bytes.extend_from_slice(&data[y * stride..][..line]);
        }
    }
    bytes
}

/// Blue, green and red of each pixel of a BGRx frame or of an X image.
pub fn bgr(bytes: &[u8]) -> Vec<[u8; 3]> {
    bytes.as_chunks::<4>().0.iter().map(|[blue, green, red, _]| [*blue, *green, *red]).collect()
}

/// The colours of a BGRx sample.
pub fn colours(sample: &gst::Sample) -> Vec<[u8; 3]> {
    bgr(&planes(sample.buffer().unwrap(), &info(sample)))
}
