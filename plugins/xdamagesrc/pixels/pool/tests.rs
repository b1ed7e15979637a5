//! Shows that every frame is the whole picture whatever becomes of the buffers, that nobody's frame changes in his
//! hands, and that memory is neither allocated nor freed once the pool is warm.

use std::collections::{HashSet, VecDeque};

use super::*;
use crate::xdamagesrc::pixels::{PixelLayout, Rect};
use gst_video::{VideoColorimetry, VideoFormat};

const WIDTH: u32 = 96;
const HEIGHT: u32 = 64;
const STRIDE: usize = WIDTH as usize * 4;

/// A screen that changes in places, its pool, and a converter that always does all of it.
struct Desktop {
    pixels: Vec<u8>,
    pool: FramePool,
    info: VideoInfo,
    converter: Converter,
    seed: u64,
}

impl Desktop {
    fn new(format: VideoFormat) -> Self {
        gst::init().unwrap();
        let builder = VideoInfo::builder(format, WIDTH, HEIGHT);
        let info = match format {
            VideoFormat::Bgrx => builder.build().unwrap(),
            _ => builder.colorimetry(&"bt709".parse::<VideoColorimetry>().unwrap()).build().unwrap(),
        };
        let converter = Converter::new(PixelLayout::Bgrx8, &info).unwrap();
        let pool = FramePool::new(&info);
        Self {
            pixels: vec![0x40; STRIDE * HEIGHT as usize],
            pool,
            info,
            converter,
            seed: 0x9e37_79b9_7f4a_7c15,
        }
    }

    fn random(&mut self, below: u32) -> u32 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 33) as u32 % below
    }

    /// Draws somewhere, as large as told at most, and tells the pool.
    fn draw(&mut self, largest: u32) {
        let (x, y) = (self.random(WIDTH), self.random(HEIGHT));
        let (width, height) = (1 + self.random(largest), 1 + self.random(largest));
        let rect = Rect::new(x, y, width, height).intersection(&Rect::new(0, 0, WIDTH, HEIGHT));
        let value = self.random(256) as u8;
        for line in rect.y..rect.bottom() {
            self.pixels[line as usize * STRIDE..][rect.x as usize * 4..rect.right() as usize * 4].fill(value);
        }
        let mut region = Region::empty();
        region.add(rect);
        self.pool.damage(&region);
    }

    fn take(&mut self) -> (gst::Buffer, u64) {
        self.pool.take(&mut self.converter, &self.pixels, STRIDE).unwrap()
    }

    /// The picture as a pool that knows nothing would give it.
    fn truth(&mut self) -> Vec<u8> {
        let mut fresh = FramePool::new(&self.info);
        bytes(&fresh.take(&mut self.converter, &self.pixels, STRIDE).unwrap().0)
    }
}

fn bytes(buffer: &gst::Buffer) -> Vec<u8> {
    buffer.map_readable().unwrap().to_vec()
}

#[test]
fn every_frame_is_the_whole_picture_however_long_buffers_are_held() {
    for format in [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Bgrx] {
        let mut desktop = Desktop::new(format);
        let mut held: VecDeque<(gst::Buffer, Vec<u8>)> = VecDeque::new();
        for frame in 0..600 {
            for _ in 0..desktop.random(4) {
                desktop.draw(30);
            }
            let (buffer, _) = desktop.take();
            let truth = desktop.truth();
            assert!(bytes(&buffer) == truth, "frame {frame} of {format:?}");
            held.push_back((buffer, truth));
            // Up to a dozen are held downstream, more than the pool keeps, and given back in any order.
            let keep = desktop.random(12) as usize;
            while held.len() > keep {
                let which = desktop.random(held.len() as u32) as usize;
                let (buffer, truth) = held.remove(which).unwrap();
                assert!(bytes(&buffer) == truth, "a frame changed in its holder's hands at frame {frame}");
            }
        }
    }
}

#[test]
fn who_draws_into_a_frame_draws_into_a_copy() {
    let mut desktop = Desktop::new(VideoFormat::I420);
    for frame in 0..20 {
        desktop.draw(8);
        let (mut buffer, _) = desktop.take();
        let truth = desktop.truth();
        assert!(bytes(&buffer) == truth, "frame {frame}");
        // The buffer itself is its holder's alone: to stamp it costs no copy.
        assert!(buffer.is_writable());
        let shared = desktop.take().0;
        let writable = buffer.make_mut();
        writable.set_pts(gst::ClockTime::SECOND);
        writable.map_writable().unwrap().fill(0xee);
        assert!(bytes(&shared) == truth);
        // Some keep the frame's memory in a buffer of another.
        let mut other = gst::Buffer::new();
        other.make_mut().append_memory(shared.memory(0).unwrap());
        drop(shared);
        desktop.draw(8);
        desktop.take();
        assert!(bytes(&other) == truth);
    }
    assert_eq!(desktop.take().0.pts(), None);
}

#[test]
fn a_replaced_memory_never_comes_back() {
    let mut desktop = Desktop::new(VideoFormat::Nv12);
    for _ in 0..50 {
        desktop.draw(20);
        let (mut buffer, _) = desktop.take();
        let size = buffer.size();
        buffer.make_mut().replace_all_memory(gst::Memory::from_slice(vec![0x11; size]));
        drop(buffer);
        let truth = desktop.truth();
        assert!(bytes(&desktop.take().0) == truth);
    }
}

#[test]
fn a_frame_costs_what_has_changed_since_its_buffer_was_written() {
    let mut desktop = Desktop::new(VideoFormat::Bgrx);
    let all = u64::from(WIDTH * HEIGHT);
    let mark = |desktop: &mut Desktop, x| {
        let mut region = Region::empty();
        region.add(Rect::new(x, 0, 2, 2));
        desktop.pool.damage(&region);
    };
    let (first, px) = desktop.take();
    assert_eq!(px, all);
    // Nothing has changed: the same pixels again, although somebody still has them.
    let (again, px) = desktop.take();
    assert_eq!(px, 0);
    assert_eq!(first.memory(0).unwrap().as_ptr(), again.memory(0).unwrap().as_ptr());
    drop(again);
    mark(&mut desktop, 0);
    let (second, px) = desktop.take();
    assert_eq!(px, all, "the first is held, so a second memory is begun");
    drop(first);
    mark(&mut desktop, 40);
    let (third, px) = desktop.take();
    assert_eq!(px, 8, "the first has missed two changes");
    drop((second, third));
    mark(&mut desktop, 80);
    assert_eq!(desktop.take().1, 4, "the third has missed one");
}

/// In how many places of memory 2,000 frames are, with an encoder that holds the last two. What is freed is taken by
/// something else at once, so that the frames of who frees and allocates turn up in one place after the other.
fn places(desktop: &mut Desktop, mut take: impl FnMut(&mut Desktop) -> gst::Buffer) -> usize {
    let mut seen = HashSet::new();
    let (mut held, mut others) = (VecDeque::new(), VecDeque::new());
    for _ in 0..2_000 {
        desktop.draw(16);
        let buffer = take(desktop);
        seen.insert(buffer.map_readable().unwrap().as_ptr() as usize);
        held.push_back(buffer);
        if held.len() > 2 {
            held.pop_front();
        }
        others.push_back(gst::Memory::with_size_and_params(desktop.info.size(), &desktop.pool.params));
        if others.len() > 100 {
            others.pop_front();
        }
    }
    seen.len()
}

#[test]
fn a_warm_pool_allocates_and_frees_nothing() {
    let mut desktop = Desktop::new(VideoFormat::I420);
    assert_eq!(places(&mut desktop, |desktop| desktop.take().0), 3);
    // A pool for each frame would be seen in many places.
    let fresh = places(&mut desktop, |desktop| {
        FramePool::new(&desktop.info).take(&mut desktop.converter, &desktop.pixels, STRIDE).unwrap().0
    });
    assert!(fresh > 20, "{fresh}");
}

#[test]
fn a_burst_is_served_and_its_memory_given_back() {
    let mut desktop = Desktop::new(VideoFormat::I420);
    let mut burst = Vec::new();
    for _ in 0..20 {
        desktop.draw(16);
        burst.push(desktop.take().0);
    }
    let places: HashSet<_> = burst.iter().map(|buffer| buffer.map_readable().unwrap().as_ptr()).collect();
    assert_eq!((places.len(), desktop.pool.slots.len()), (20, MAX_SLOTS));
    drop(burst);
    for _ in 0..=IDLE_FRAMES {
        desktop.draw(16);
        desktop.take();
    }
    assert_eq!(desktop.pool.slots.len(), 1);
}
