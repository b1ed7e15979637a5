//! Wire: the structures of version 11.1 of the encoder's C interface that a synchronous H.264 encoder needs, laid out as
//! the C header lays them out; sizes and offsets are asserted against a C compiler's. Refuses to name what nobody reads:
//! that is padding.

use std::ffi::c_void;

/// Status codes.
pub mod status {
    pub const SUCCESS: i32 = 0;
    pub const UNSUPPORTED_DEVICE: i32 = 2;
    pub const INVALID_ENCODER_DEVICE: i32 = 3;
    pub const DEVICE_NOT_EXIST: i32 = 5;
    pub const INVALID_PTR: i32 = 6;
    pub const INVALID_PARAM: i32 = 8;
    pub const INVALID_CALL: i32 = 9;
    pub const OUT_OF_MEMORY: i32 = 10;
    pub const ENCODER_NOT_INITIALIZED: i32 = 11;
    pub const UNSUPPORTED_PARAM: i32 = 12;
    pub const NOT_ENOUGH_BUFFER: i32 = 14;
    pub const INVALID_VERSION: i32 = 15;
    pub const GENERIC: i32 = 20;
    pub const UNIMPLEMENTED: i32 = 22;
    pub const RESOURCE_NOT_REGISTERED: i32 = 24;
    pub const RESOURCE_NOT_MAPPED: i32 = 25;
}

/// Bits of a structure's version that carry its own number; the rest is the interface's version.
pub const fn struct_version(version: u32) -> u32 {
    (version >> 16) & 0xff
}

pub const FORMAT_NV12: u32 = 0x1;
pub const FORMAT_YV12: u32 = 0x10;
pub const FORMAT_IYUV: u32 = 0x100;

pub const PICTURE_P: u32 = 0;
pub const PICTURE_IDR: u32 = 3;

pub const FLAG_FORCE_INTRA: u32 = 1;
pub const FLAG_FORCE_IDR: u32 = 2;
pub const FLAG_OUTPUT_HEADERS: u32 = 4;
pub const FLAG_EOS: u32 = 8;

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guid(pub u32, pub u16, pub u16, pub [u8; 8]);

pub const CODEC_H264: Guid =
    Guid(0x6bc8_2762, 0x4e63, 0x4ca4, [0xaa, 0x85, 0x1e, 0x50, 0xf3, 0x21, 0xf6, 0xbf]);

/// Profiles, with the names that streams give them.
pub const PROFILES: [(&str, Guid); 3] = [
    ("baseline", Guid(0x0727_bcaa, 0x78c4, 0x4c83, [0x8c, 0x2f, 0xef, 0x3d, 0xff, 0x26, 0x7c, 0x6a])),
    ("main", Guid(0x60b5_c1d4, 0x67fe, 0x4790, [0x94, 0xd5, 0xc4, 0x72, 0x6d, 0x7b, 0x6e, 0x6d])),
    ("high", Guid(0xe7cb_c309, 0x4f7a, 0x4b89, [0xaf, 0x2a, 0xd5, 0x37, 0xc9, 0x2b, 0xe3, 0x10])),
];

/// The presets of before P1 to P7, which GStreamer 1.22 asks for, with the nicks that it gives them.
pub const LEGACY_PRESETS: [(&str, Guid); 8] = [
    ("default", Guid(0xb2df_b705, 0x4ebd, 0x4c49, [0x9b, 0x5f, 0x24, 0xa7, 0x77, 0xd3, 0xe5, 0x87])),
    ("hp", Guid(0x60e4_c59f, 0xe846, 0x4484, [0xa5, 0x6d, 0xcd, 0x45, 0xbe, 0x9f, 0xdd, 0xf6])),
    ("hq", Guid(0x34db_a71d, 0xa77b, 0x4b8f, [0x9c, 0x3e, 0xb6, 0xd5, 0xda, 0x24, 0xc0, 0x12])),
    ("low-latency", Guid(0x49df_21c5, 0x6dfa, 0x4feb, [0x97, 0x87, 0x6a, 0xcc, 0x9e, 0xff, 0xb7, 0x26])),
    ("low-latency-hq", Guid(0xc5f7_33b9, 0xea97, 0x4cf9, [0xbe, 0xc2, 0xbf, 0x78, 0xa7, 0x4f, 0xd1, 0x05])),
    ("low-latency-hp", Guid(0x6708_2a44, 0x4bad, 0x48fa, [0x98, 0xea, 0x93, 0x05, 0x6d, 0x15, 0x0a, 0x58])),
    ("lossless", Guid(0xd5bf_b716, 0xc604, 0x44e7, [0x9b, 0xb8, 0xde, 0xa5, 0x51, 0x0f, 0xc3, 0xac])),
    ("lossless-hp", Guid(0x1499_98e7, 0x2364, 0x411d, [0x82, 0xef, 0x17, 0x98, 0x88, 0x09, 0x34, 0x09])),
];

/// The name that a list of GUIDs has for one of them.
pub fn name_of(list: &[(&'static str, Guid)], guid: Guid) -> &'static str {
    list.iter().find(|(_, known)| *known == guid).map_or("unknown", |(name, _)| name)
}

/// The name of a rate control mode.
pub fn rate_control(mode: u32) -> &'static str {
    match mode {
        0 => "cqp",
        1 => "vbr",
        2 => "cbr",
        8 => "cbr-ld-hq",
        0x10 => "cbr-hq",
        0x20 => "vbr-hq",
        _ => "unknown",
    }
}

#[repr(C)]
pub struct CapsParam {
    pub version: u32,
    pub caps: u32,
    pad: [u32; 62],
}

#[repr(C)]
pub struct OpenParams {
    pub version: u32,
    pub device_type: u32,
    pub device: *mut c_void,
    reserved: *mut c_void,
    pub api_version: u32,
    pad: [u32; 253],
    pad2: [*mut c_void; 64],
}

#[repr(C)]
pub struct CreateInputBuffer {
    pub version: u32,
    pub width: u32,
    pub height: u32,
    heap: u32,
    pub format: u32,
    reserved: u32,
    pub buffer: *mut c_void,
    system_memory: *mut c_void,
    pad: [u32; 57],
    pad2: [*mut c_void; 63],
}

#[repr(C)]
pub struct CreateBitstreamBuffer {
    pub version: u32,
    size: u32,
    heap: u32,
    reserved: u32,
    pub buffer: *mut c_void,
    data: *mut c_void,
    pad: [u32; 58],
    pad2: [*mut c_void; 64],
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RateControl {
    pub version: u32,
    pub mode: u32,
    pub const_qp: [u32; 3],
    pub average_bitrate: u32,
    pub max_bitrate: u32,
    pub vbv_buffer_size: u32,
    pub vbv_initial_delay: u32,
    /// Bit 5: look-ahead; bit 9: zero reorder delay; bit 11: strict GOP.
    pub flags: u32,
    pad: [u32; 22],
}

/// Bit of [`RateControl::flags`]: no reordering.
pub const RC_ZERO_REORDER_DELAY: u32 = 1 << 9;

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ConfigH264 {
    /// Bit 6: access unit delimiters; bit 12: parameter sets with every IDR picture.
    pub flags: u32,
    pub level: u32,
    pub idr_period: u32,
    pad: [u32; 317],
    pad2: [*mut c_void; 64],
}

/// Bit of [`ConfigH264::flags`]: access unit delimiters.
pub const H264_OUTPUT_AUD: u32 = 1 << 6;
/// Bit of [`ConfigH264::flags`]: parameter sets with every IDR picture.
pub const H264_REPEAT_HEADERS: u32 = 1 << 12;

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Config {
    pub version: u32,
    pub profile: Guid,
    pub gop_length: u32,
    pub frame_interval_p: i32,
    pub mono_chrome: u32,
    pub frame_field_mode: u32,
    pub mv_precision: u32,
    pub rate_control: RateControl,
    pub h264: ConfigH264,
    pad: [u32; 278],
    pad2: [*mut c_void; 64],
}

#[repr(C)]
pub struct PresetConfig {
    pub version: u32,
    pub config: Config,
    pad: [u32; 255],
    pad2: [*mut c_void; 64],
}

#[repr(C)]
pub struct InitializeParams {
    pub version: u32,
    pub codec: Guid,
    pub preset: Guid,
    pub width: u32,
    pub height: u32,
    dar: [u32; 2],
    pub frame_rate: [u32; 2],
    pub encode_async: u32,
    pub picture_type_decision: u32,
    flags: u32,
    private_size: u32,
    private: *mut c_void,
    pub config: *const Config,
    pub max_width: u32,
    pub max_height: u32,
    me_hints: [u32; 8],
    pub tuning: u32,
    format: u32,
    pad: [u32; 287],
    pad2: [*mut c_void; 64],
}

#[repr(C)]
pub struct ReconfigureParams {
    pub version: u32,
    pub init: InitializeParams,
    /// Bit 0: reset the encoder; bit 1: the next picture is an IDR picture.
    pub flags: u32,
}

#[repr(C)]
pub struct PicParams {
    pub version: u32,
    pub width: u32,
    pub height: u32,
    pub pitch: u32,
    pub flags: u32,
    pub frame: u32,
    pub timestamp: u64,
    pub duration: u64,
    pub input: *mut c_void,
    pub output: *mut c_void,
    event: *mut c_void,
    pub format: u32,
    pub structure: u32,
    pub picture_type: u32,
    pad: [u32; 817],
}

#[repr(C)]
pub struct LockBitstream {
    pub version: u32,
    flags: u32,
    pub output: *mut c_void,
    slice_offsets: *mut u32,
    pub frame: u32,
    pub hw_status: u32,
    pub slices: u32,
    pub bytes: u32,
    pub timestamp: u64,
    pub duration: u64,
    pub data: *mut c_void,
    pub picture_type: u32,
    pub structure: u32,
    pad: [u32; 240],
    pad2: [*mut c_void; 64],
}

#[repr(C)]
pub struct LockInputBuffer {
    pub version: u32,
    flags: u32,
    pub buffer: *mut c_void,
    pub data: *mut c_void,
    pub pitch: u32,
    pad: [u32; 251],
    pad2: [*mut c_void; 64],
}

#[repr(C)]
pub struct MapInputResource {
    pub version: u32,
    sub_resource: u32,
    resource: *mut c_void,
    pub registered: *mut c_void,
    pub mapped: *mut c_void,
    pub format: u32,
    pad: [u32; 251],
    pad2: [*mut c_void; 63],
}

#[repr(C)]
pub struct RegisterResource {
    pub version: u32,
    pub kind: u32,
    pub width: u32,
    pub height: u32,
    pub pitch: u32,
    sub_resource: u32,
    pub resource: *mut c_void,
    pub registered: *mut c_void,
    pub format: u32,
    usage: u32,
    fences: [*mut c_void; 2],
    pad: [u32; 247],
    pad2: [*mut c_void; 60],
}

#[repr(C)]
pub struct SequenceParams {
    pub version: u32,
    pub capacity: u32,
    sps: u32,
    pps: u32,
    pub buffer: *mut c_void,
    pub bytes: *mut u32,
    pad: [u32; 250],
    pad2: [*mut c_void; 64],
}

/// Sizes and offsets as a C compiler computes them from the header, on x86-64.
const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<Guid>() == 16);
    assert!(size_of::<CapsParam>() == 256);
    assert!(size_of::<OpenParams>() == 1552 && offset_of!(OpenParams, api_version) == 24);
    assert!(size_of::<CreateInputBuffer>() == 776 && offset_of!(CreateInputBuffer, buffer) == 24);
    assert!(size_of::<CreateBitstreamBuffer>() == 776 && offset_of!(CreateBitstreamBuffer, buffer) == 16);
    assert!(size_of::<RateControl>() == 128 && offset_of!(RateControl, average_bitrate) == 20);
    assert!(size_of::<ConfigH264>() == 1792);
    assert!(size_of::<Config>() == 3584 && offset_of!(Config, rate_control) == 40);
    assert!(offset_of!(Config, h264) == 168 && offset_of!(Config, gop_length) == 20);
    assert!(size_of::<PresetConfig>() == 5128 && offset_of!(PresetConfig, config) == 8);
    assert!(size_of::<InitializeParams>() == 1808 && offset_of!(InitializeParams, config) == 88);
    assert!(offset_of!(InitializeParams, width) == 36 && offset_of!(InitializeParams, tuning) == 136);
    assert!(size_of::<ReconfigureParams>() == 1824 && offset_of!(ReconfigureParams, init) == 8);
    assert!(size_of::<PicParams>() == 3344 && offset_of!(PicParams, picture_type) == 72);
    assert!(offset_of!(PicParams, input) == 40 && offset_of!(PicParams, format) == 64);
    assert!(size_of::<LockBitstream>() == 1544 && offset_of!(LockBitstream, data) == 56);
    assert!(offset_of!(LockBitstream, bytes) == 36 && offset_of!(LockBitstream, picture_type) == 64);
    assert!(size_of::<LockInputBuffer>() == 1544 && offset_of!(LockInputBuffer, pitch) == 24);
    assert!(size_of::<MapInputResource>() == 1544 && offset_of!(MapInputResource, format) == 32);
    assert!(size_of::<RegisterResource>() == 1536 && offset_of!(RegisterResource, format) == 40);
    assert!(offset_of!(RegisterResource, resource) == 24);
    assert!(size_of::<SequenceParams>() == 1544 && offset_of!(SequenceParams, bytes) == 24);
};
