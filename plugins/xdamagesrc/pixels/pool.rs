//! Decision: which buffer the next frame goes into, and which pixels of it are out of date. Owns the pixels' memory;
//! refuses to write what anyone downstream may still read.
//!
//! For each memory the pool keeps a buffer of its own, and what goes downstream is a second buffer around the same
//! memory. GStreamer then does not let anybody write into it: who wants to gets a copy, so what the pool knows of its
//! pixels stays true. When the pool's buffer is the only one left, it is written again, in the places that have changed
//! since; when nothing has, it is given out again at once, even while others read it.

use gst_video::{VideoFrameRef, VideoInfo};

use super::{Converter, Refused, Region};

/// The most memories kept. A queue, an encoder and a fan-out hold three or four frames; who holds more gets frames that
/// are allocated for once.
const MAX_SLOTS: usize = 8;

/// A memory that was not needed for so many frames is freed: a second of a desktop in motion.
const IDLE_FRAMES: u64 = 60;

/// Memory is aligned to a cache line, which is also the widest vector.
const ALIGNMENT_MASK: usize = 63;

/// Buffers for frames of one kind.
#[derive(Debug)]
pub struct FramePool {
    info: VideoInfo,
    params: gst::AllocationParams,
    slots: Vec<Slot>,
    /// Frames given out.
    frames: u64,
}

#[derive(Debug)]
struct Slot {
    buffer: gst::Buffer,
    /// What has changed since it was written.
    stale: Region,
    /// The frame that it was last used for.
    used: u64,
}

impl Slot {
    /// Whether nobody else can see its pixels.
    fn is_free(&self) -> bool {
        self.buffer.is_writable() && self.buffer.is_all_memory_writable()
    }
}

impl FramePool {
    /// A pool for frames as `info` describes them, in its default layout.
    pub fn new(info: &VideoInfo) -> Self {
        let params = gst::AllocationParams::new(gst::MemoryFlags::empty(), ALIGNMENT_MASK, 0, 0);
        Self { info: info.clone(), params, slots: Vec::with_capacity(MAX_SLOTS), frames: 0 }
    }

    /// The persistent frame has changed in these places.
    pub fn damage(&mut self, region: &Region) {
        for slot in &mut self.slots {
            slot.stale.unite(region);
        }
    }

    /// A buffer with the persistent frame in it, which is `source`, and how many pixels had to be converted for it. The
    /// buffer has no timestamps and may be given any; its pixels belong to the pool.
    pub fn take(
        &mut self,
        converter: &mut Converter,
        source: &[u8],
        source_stride: usize,
    ) -> Result<(gst::Buffer, u64), Refused> {
        self.frames += 1;
        self.slots.retain(|slot| self.frames - slot.used <= IDLE_FRAMES);
        let index = match self.choose() {
            Some(index) => index,
            None => self.grow(),
        };
        let slot = &mut self.slots[index];
        slot.used = self.frames;
        let mut converted_px = 0;
        if !slot.stale.is_empty() {
            let buffer = slot.buffer.make_mut();
            let mut frame = VideoFrameRef::from_buffer_ref_writable(buffer, &self.info)
                .map_err(|error| Refused::Output(error.to_string()))?;
            converted_px = converter.convert(source, source_stride, &slot.stale, &mut frame)?;
            slot.stale.clear();
        }
        let buffer = slot.buffer.copy();
        if self.slots.len() > MAX_SLOTS {
            self.slots.swap_remove(index);
        }
        Ok((buffer, converted_px))
    }

    /// The slot with the least to do: one that is up to date, or else one that is free.
    fn choose(&self) -> Option<usize> {
        let usable =
            self.slots.iter().enumerate().filter(|(_, slot)| slot.stale.is_empty() || slot.is_free());
        usable.min_by_key(|(_, slot)| slot.stale.area()).map(|(index, _)| index)
    }

    /// A new slot at the end. One beyond the bound is taken away again by the caller.
    fn grow(&mut self) -> usize {
        let memory = gst::Memory::with_size_and_params(self.info.size(), &self.params);
        let mut buffer = gst::Buffer::new();
        if let Some(buffer) = buffer.get_mut() {
            buffer.append_memory(memory);
        }
        let stale = Region::full(self.info.width(), self.info.height());
        self.slots.push(Slot { buffer, stale, used: self.frames });
        self.slots.len() - 1
    }
}

#[cfg(test)]
mod tests;
