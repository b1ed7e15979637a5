//! Decision: turns the pixels of a region into those of a frame. Owns the colour arithmetic, by way of
//! `dcv-color-primitives`, whose results do not depend on where a rectangle begins; refuses formats, matrices and sizes
//! that it cannot do before the first frame, and touches nothing outside of the region.

use dcv_color_primitives::{ColorSpace, ImageFormat, PixelFormat, convert_image};
use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat, VideoFrameRef, VideoInfo, prelude::*};

use super::layout::PIXEL_BYTES;
use super::{PixelLayout, Rect, Region};

/// Why pixels cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// None of I420, NV12, Y444 and BGRx.
    #[error("cannot make frames of format {0}, only I420, NV12, Y444 and BGRx")]
    Format(String),
    /// Another matrix or range.
    #[error("cannot make frames of colorimetry {0}, only BT.709 and BT.601 of limited range")]
    Colorimetry(String),
    /// Luma and chroma of an odd size, or nothing.
    #[error("cannot make frames of {0}x{1} pixels in this format")]
    Size(u32, u32),
    /// Fewer bytes than the frame has.
    #[error("the frame needs {needed} bytes of pixels, there are {given}")]
    TooShort {
        /// What was given.
        given: usize,
        /// What is needed at least.
        needed: usize,
    },
    /// The output frame is another than was told.
    #[error("the frame cannot be written: {0}")]
    Output(String),
}

/// Pixels that are brought to eight bits a colour at a time: they stay in the processor's nearest cache.
const STRIP_PX: usize = 8 * 1024;

/// Converts parts of frames of one kind to another.
#[derive(Debug)]
pub struct Converter {
    layout: PixelLayout,
    target: Target,
    width: u32,
    height: u32,
    /// Lines in the layout that the crate reads, where the server's is another.
    strip: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Target {
    I420(ColorSpace),
    Nv12(ColorSpace),
    Y444(ColorSpace),
    Bgrx,
}

/// Where pixels are read: a rectangle's first byte and the distance between its lines.
#[derive(Clone, Copy)]
struct Source<'a> {
    bytes: &'a [u8],
    stride: usize,
}

impl Converter {
    /// From the server's layout to the frames that `output` describes.
    pub fn new(layout: PixelLayout, output: &VideoInfo) -> Result<Self, Refused> {
        let target = match output.format() {
            VideoFormat::I420 => Target::I420(color_space(output)?),
            VideoFormat::Nv12 => Target::Nv12(color_space(output)?),
            VideoFormat::Y444 => Target::Y444(color_space(output)?),
            VideoFormat::Bgrx => Target::Bgrx,
            other => return Err(Refused::Format(other.to_string())),
        };
        let (width, height) = (output.width(), output.height());
        let is_odd = !matches!(target, Target::Bgrx) && (width % 2 == 1 || height % 2 == 1);
        if width == 0 || height == 0 || is_odd {
            return Err(Refused::Size(width, height));
        }
        let needs_strip = layout != PixelLayout::Bgrx8 && !matches!(target, Target::Bgrx);
        let strip_px = if needs_strip { STRIP_PX.max(2 * width as usize) } else { 0 };
        Ok(Self { layout, target, width, height, strip: vec![0; strip_px * PIXEL_BYTES] })
    }

    /// Converts the pixels of `region`, and those that share a colour with them, into `output`, and tells how many those
    /// were. `source` is the whole frame in the server's layout; it may be wider and higher than the output.
    pub fn convert(
        &mut self,
        source: &[u8],
        source_stride: usize,
        region: &Region,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<u64, Refused> {
        let line_bytes = self.width as usize * PIXEL_BYTES;
        let needed = source_stride.saturating_mul(self.height as usize - 1).saturating_add(line_bytes);
        if source_stride < line_bytes || source.len() < needed {
            return Err(Refused::TooShort { given: source.len(), needed });
        }
        if (output.width(), output.height()) != (self.width, self.height) {
            return Err(Refused::Size(output.width(), output.height()));
        }
        let mut converted_px = 0;
        for rect in region.rects() {
            let rect = match self.target {
                Target::Bgrx => rect.intersection(&Rect::new(0, 0, self.width, self.height)),
                Target::I420(_) | Target::Nv12(_) | Target::Y444(_) => {
                    rect.even_within(self.width, self.height)
                }
            };
            if rect.is_empty() {
                continue;
            }
            let first = rect.y as usize * source_stride + rect.x as usize * PIXEL_BYTES;
            self.convert_rect(Source { bytes: &source[first..], stride: source_stride }, rect, output)?;
            converted_px += rect.area();
        }
        Ok(converted_px)
    }

    fn convert_rect(
        &mut self,
        source: Source,
        rect: Rect,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<(), Refused> {
        if matches!(self.target, Target::Bgrx) {
            return self.copy(source, rect, output);
        }
        if self.layout == PixelLayout::Bgrx8 {
            return self.to_planes(source, rect, output);
        }
        let stride = rect.width as usize * PIXEL_BYTES;
        // At least two lines, since the strip has room for two of the frame's; always whole blocks.
        let strip_lines = (self.strip.len() / stride) as u32 & !1;
        let mut strip = std::mem::take(&mut self.strip);
        let mut result = Ok(());
        for top in (0..rect.height).step_by(strip_lines as usize) {
            let lines = strip_lines.min(rect.height - top);
            for line in 0..lines {
                let from = (top + line) as usize * source.stride;
                let to = line as usize * stride;
                self.layout.unpack(&source.bytes[from..][..stride], &mut strip[to..][..stride]);
            }
            let part = Rect { y: rect.y + top, height: lines, ..rect };
            result = self.to_planes(Source { bytes: &strip, stride }, part, output);
            if result.is_err() {
                break;
            }
        }
        self.strip = strip;
        result
    }

    /// Copies lines as they are, in eight bits a colour.
    fn copy(
        &self,
        source: Source,
        rect: Rect,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<(), Refused> {
        let stride = stride(output, 0);
        let plane = output.plane_data_mut(0).map_err(|error| Refused::Output(error.to_string()))?;
        let bytes = rect.width as usize * PIXEL_BYTES;
        for line in 0..rect.height as usize {
            let to = (rect.y as usize + line) * stride + rect.x as usize * PIXEL_BYTES;
            self.layout.unpack(&source.bytes[line * source.stride..][..bytes], &mut plane[to..][..bytes]);
        }
        Ok(())
    }

    /// Converts a rectangle with even edges, whose first pixel is the first of `source`.
    fn to_planes(
        &self,
        source: Source,
        rect: Rect,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<(), Refused> {
        let strides = [0, 1, 2].map(|plane| stride(output, plane));
        let [luma, second, third, _] = output.planes_data_mut();
        let (x, y) = (rect.x as usize, rect.y as usize);
        let luma = &mut luma[y * strides[0] + x..];
        let from =
            ImageFormat { pixel_format: PixelFormat::Bgra, color_space: ColorSpace::Rgb, num_planes: 1 };
        let convert = |to: &ImageFormat, to_strides: &[usize], to_planes: &mut [&mut [u8]]| {
            let (strides, planes) = ([source.stride], [source.bytes]);
            let (width, height) = (rect.width, rect.height);
            convert_image(width, height, &from, Some(&strides), &planes, to, Some(to_strides), to_planes)
        };
        let done = match self.target {
            Target::Bgrx => Ok(()),
            Target::I420(color_space) => {
                let u = &mut second[y / 2 * strides[1] + x / 2..];
                let v = &mut third[y / 2 * strides[2] + x / 2..];
                let to = ImageFormat { pixel_format: PixelFormat::I420, color_space, num_planes: 3 };
                convert(&to, &strides, &mut [luma, u, v])
            }
            Target::Nv12(color_space) => {
                let uv = &mut second[y / 2 * strides[1] + x..];
                let to = ImageFormat { pixel_format: PixelFormat::Nv12, color_space, num_planes: 2 };
                convert(&to, &strides[..2], &mut [luma, uv])
            }
            Target::Y444(color_space) => {
                let u = &mut second[y * strides[1] + x..];
                let v = &mut third[y * strides[2] + x..];
                let to = ImageFormat { pixel_format: PixelFormat::I444, color_space, num_planes: 3 };
                convert(&to, &strides, &mut [luma, u, v])
            }
        };
        done.map_err(|error| Refused::Output(error.to_string()))
    }
}

/// Distance between lines of a plane; GStreamer's own planes never run upwards here. 0 where there is no such plane.
fn stride(output: &VideoFrameRef<&mut gst::BufferRef>, plane: usize) -> usize {
    output.plane_stride().get(plane).map_or(0, |&stride| usize::try_from(stride).unwrap_or(0))
}

fn color_space(output: &VideoInfo) -> Result<ColorSpace, Refused> {
    let colorimetry = output.colorimetry();
    match (colorimetry.matrix(), colorimetry.range()) {
        (VideoColorMatrix::Bt709, VideoColorRange::Range16_235) => Ok(ColorSpace::Bt709),
        (VideoColorMatrix::Bt601, VideoColorRange::Range16_235) => Ok(ColorSpace::Bt601),
        _ => Err(Refused::Colorimetry(colorimetry.to_string())),
    }
}

#[cfg(test)]
mod tests;
