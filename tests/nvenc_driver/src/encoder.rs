//! Shell: the encoder behind the driver, OpenH264, made to behave as the hardware does: every frame in gives an access
//! unit at once, parameter sets come with the first IDR picture only unless asked for, key frames come when the caller
//! or the GOP says so and never by themselves. Refuses sizes and rates that OpenH264 refuses.

use openh264::{
    OpenH264API,
    encoder::{
        BitRate, Complexity, Encoder, EncoderConfig, FrameRate, IntraFramePeriod, Profile, RateControlMode,
        UsageType,
    },
    formats::YUVSlices,
};
use openh264_sys2::{ENCODER_OPTION_BITRATE, ENCODER_OPTION_MAX_BITRATE, SBitrateInfo, SPATIAL_LAYER_ALL};

/// What a session asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub width: u32,
    pub height: u32,
    pub frame_rate: f32,
    pub profile: &'static str,
    pub bitrate: u32,
    /// Frames from one IDR picture to the next; `u32::MAX` for none but those that are asked for.
    pub gop: u32,
    pub repeat_headers: bool,
    pub aud: bool,
}

/// A picture in three planes without padding.
#[derive(Debug, Default)]
pub struct Picture {
    pub y: Vec<u8>,
    pub u: Vec<u8>,
    pub v: Vec<u8>,
}

impl Picture {
    /// A grey one.
    pub fn new(width: u32, height: u32) -> Self {
        let (luma, chroma) = ((width * height) as usize, (width / 2 * (height / 2)) as usize);
        Self { y: vec![128; luma], u: vec![128; chroma], v: vec![128; chroma] }
    }
}

/// What a caller may ask of a frame.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish {
    pub idr: bool,
    pub headers: bool,
}

/// One encoded frame.
#[derive(Debug, Default)]
pub struct AccessUnit {
    pub bytes: Vec<u8>,
    pub idr: bool,
}

/// One encoder.
pub struct Backend {
    settings: Settings,
    encoder: Encoder,
    headers: Vec<u8>,
    since_idr: u64,
    started: bool,
}

/// Rate for callers that set none: the hardware picks one too.
const DEFAULT_BITRATE_BPS: u32 = 4_000_000;
const START_CODE: [u8; 4] = [0, 0, 0, 1];
const ACCESS_UNIT_DELIMITER: [u8; 6] = [0, 0, 0, 1, 9, 0xf0];
const SPS: u8 = 7;
const PPS: u8 = 8;

impl Backend {
    /// An encoder and its parameter sets, for which it encodes a grey picture that nobody sees.
    pub fn new(settings: Settings) -> Result<Self, openh264::Error> {
        let bitrate = if settings.bitrate == 0 { DEFAULT_BITRATE_BPS } else { settings.bitrate };
        let config = EncoderConfig::new()
            .usage_type(UsageType::CameraVideoRealTime)
            .complexity(Complexity::Low)
            .rate_control_mode(RateControlMode::Bitrate)
            .skip_frames(false)
            .scene_change_detect(false)
            .background_detection(false)
            .adaptive_quantization(false)
            .intra_frame_period(IntraFramePeriod::from_num_frames(0))
            .num_threads(1)
            .profile(match settings.profile {
                "main" => Profile::Main,
                "high" => Profile::High,
                _ => Profile::Baseline,
            })
            .max_frame_rate(FrameRate::from_hz(settings.frame_rate))
            .bitrate(BitRate::from_bps(bitrate));
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config)?;
        let mut backend = Self { settings, encoder, headers: Vec::new(), since_idr: 0, started: false };
        let first = backend.raw(&Picture::new(settings.width, settings.height))?;
        backend.headers = joined(first.iter().filter(|unit| matches!(kind(unit), SPS | PPS)));
        Ok(backend)
    }

    /// SPS and PPS with start codes of four bytes.
    pub fn headers(&self) -> &[u8] {
        &self.headers
    }

    /// What the encoder works with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Another target from the next frame on.
    pub fn set_bitrate(&mut self, bitrate_bps: u32) {
        let raising = bitrate_bps > self.settings.bitrate;
        self.settings.bitrate = bitrate_bps;
        let mut info = SBitrateInfo {
            iLayer: SPATIAL_LAYER_ALL,
            iBitrate: i32::try_from(bitrate_bps).unwrap_or(i32::MAX),
        };
        // The limit may never be below the target, whichever way it goes.
        let order = [ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_BITRATE];
        let order = if raising { order } else { [order[1], order[0]] };
        for option in order {
            // SAFETY: both options take a pointer to an SBitrateInfo, which lives until the call returns.
            unsafe { self.encoder.raw_api().set_option(option, (&raw mut info).cast()) };
        }
    }

    /// Another distance between IDR pictures.
    pub fn set_gop(&mut self, gop: u32) {
        self.settings.gop = gop;
    }

    /// One frame.
    pub fn encode(&mut self, picture: &Picture, wish: Wish) -> Result<AccessUnit, openh264::Error> {
        let gop = self.settings.gop;
        let due = gop != u32::MAX && self.since_idr >= u64::from(gop.max(1));
        let idr = wish.idr || due || !self.started;
        if idr {
            self.encoder.force_intra_frame();
            self.since_idr = 0;
        }
        let units = self.raw(picture)?;
        let mut bytes = Vec::new();
        if self.settings.aud {
            bytes.extend(ACCESS_UNIT_DELIMITER);
        }
        if !self.started || wish.headers || (idr && self.settings.repeat_headers) {
            bytes.extend(&self.headers);
        }
        bytes.extend(joined(units.iter().filter(|unit| !matches!(kind(unit), SPS | PPS))));
        self.started = true;
        self.since_idr += 1;
        Ok(AccessUnit { bytes, idr })
    }

    /// The NAL units of one frame, without start codes.
    fn raw(&mut self, picture: &Picture) -> Result<Vec<Vec<u8>>, openh264::Error> {
        let (width, height) = (self.settings.width as usize, self.settings.height as usize);
        let planes = YUVSlices::new(
            (&picture.y, &picture.u, &picture.v),
            (width, height),
            (width, width / 2, width / 2),
        );
        let stream = self.encoder.encode(&planes)?;
        let layers = (0..stream.num_layers()).filter_map(|index| stream.layer(index));
        Ok(layers
            .flat_map(|layer| {
                (0..layer.nal_count())
                    .filter_map(|index| layer.nal_unit(index).map(|unit| without_start_code(unit).to_vec()))
                    .collect::<Vec<_>>()
            })
            .collect())
    }
}

fn without_start_code(unit: &[u8]) -> &[u8] {
    let zeros = unit.iter().take_while(|byte| **byte == 0).count();
    unit.get(zeros + 1..).unwrap_or_default()
}

fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |byte| byte & 0x1f)
}

fn joined<'a>(units: impl Iterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    units.flat_map(|unit| START_CODE.iter().chain(unit)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        width: 320,
        height: 240,
        frame_rate: 30.0,
        profile: "baseline",
        bitrate: 1_000_000,
        gop: 4,
        repeat_headers: false,
        aud: false,
    };

    fn kinds(unit: &AccessUnit) -> Vec<u8> {
        let starts = unit.bytes.windows(5).filter(|window| window[..4] == START_CODE);
        starts.map(|window| window[4] & 0x1f).collect()
    }

    #[test]
    fn every_frame_gives_a_unit_and_idr_pictures_come_as_the_gop_says() {
        let mut backend = Backend::new(SETTINGS).unwrap();
        let picture = Picture::new(320, 240);
        let units: Vec<_> = (0..9).map(|_| backend.encode(&picture, Wish::default()).unwrap()).collect();
        let idr: Vec<_> = units.iter().map(|unit| unit.idr).collect();
        assert_eq!(idr, [true, false, false, false, true, false, false, false, true]);
        assert_eq!(kinds(&units[0]), [7, 8, 5]);
        assert_eq!(kinds(&units[1]), [1]);
        assert_eq!(kinds(&units[4]), [5], "parameter sets come once");
        assert_eq!(backend.headers()[4] & 0x1f, SPS);
    }

    #[test]
    fn a_caller_gets_idr_pictures_headers_and_delimiters_when_it_asks() {
        let settings = Settings { gop: u32::MAX, repeat_headers: true, aud: true, ..SETTINGS };
        let mut backend = Backend::new(settings).unwrap();
        let picture = Picture::new(320, 240);
        let mut encode = |wish| kinds(&backend.encode(&picture, wish).unwrap());
        assert_eq!(encode(Wish::default()), [9, 7, 8, 5]);
        assert_eq!(encode(Wish::default()), [9, 1]);
        assert_eq!(encode(Wish { idr: true, headers: false }), [9, 7, 8, 5]);
        assert_eq!(encode(Wish { idr: false, headers: true }), [9, 7, 8, 1]);
    }

    #[test]
    fn another_bitrate_makes_no_key_frame() {
        let mut backend = Backend::new(Settings { gop: u32::MAX, ..SETTINGS }).unwrap();
        let picture = Picture::new(320, 240);
        backend.encode(&picture, Wish::default()).unwrap();
        for bitrate in [4_000_000, 300_000] {
            backend.set_bitrate(bitrate);
            assert_eq!(kinds(&backend.encode(&picture, Wish::default()).unwrap()), [1]);
            assert_eq!(backend.settings().bitrate, bitrate);
        }
    }
}
