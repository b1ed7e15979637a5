//! Encoders that fail, each in one real way. They are ordinary elements with a `bitrate` property.

use gst::{glib, prelude::*, subclass::prelude::*};
use std::sync::atomic::{AtomicU32, Ordering};

/// A sequence parameter set of this profile and size; the only thing that it says of order is in its type 2.
fn sps(profile_idc: u8, width: u32, height: u32) -> Vec<u8> {
    use h264_reader::rbsp::{BitWrite, BitWriter};
    enum Field {
        Number(u32),
        Flag(bool),
    }
    use Field::{Flag, Number};
    let (columns, lines) = (width.div_ceil(16), height.div_ceil(16));
    // 4:2:0, 8 bits, 8 bits, neither bypass nor matrix.
    let chroma = [Number(1), Number(0), Number(0), Flag(false), Flag(false)];
    let head = [Number(0)].into_iter().chain(chroma.into_iter().filter(|_| profile_idc == 100));
    let rest = [
        // Bits of the frame number, order of type 2, one reference, no gaps.
        Number(0),
        Number(2),
        Number(1),
        Flag(false),
        Number(columns - 1),
        Number(lines - 1),
        // Frames only, direct 8x8, cropped.
        Flag(true),
        Flag(true),
        Flag(true),
        Number(0),
        Number((columns * 16 - width) / 2),
        Number(0),
        Number((lines * 16 - height) / 2),
        // No VUI.
        Flag(false),
    ];
    let mut bits = BitWriter::new(vec![0, 0, 0, 1, 0x67, profile_idc, 0xc0, 31]);
    for field in head.chain(rest) {
        match field {
            Number(number) => bits.write_ue(number).unwrap(),
            Flag(flag) => bits.write_bit(flag).unwrap(),
        }
    }
    bits.write_rbsp_trailing_bits().unwrap();
    bits.into_writer()
}

const PPS: &[u8] = &[0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80];
const IDR: &[u8] = &[0, 0, 0, 1, 0x65, 0x88, 0x84];
/// A slice of type B.
const B_SLICE: &[u8] = &[0, 0, 0, 1, 0x01, 0b1010_0000, 0x80];

/// How a test encoder fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// It does not.
    None,
    /// Its driver is not there when it starts.
    Init,
    /// Its device is not there when it starts.
    NoDevice,
    /// It starts without a word of why not.
    SilentStart,
    /// It refuses every caps.
    Caps,
    /// It refuses pictures wider than 320 pixels.
    WideCaps,
    /// The second frame gives an error message and an error.
    SecondFrame,
    /// The second frame gives an error and no message.
    SilentSecondFrame,
    /// The second frame never comes back, and so the element never stops.
    Hang,
    /// It never starts.
    HangAtStart,
    /// What it makes is not H.264.
    Garbage,
    /// Only the first frame comes out.
    Drops,
    /// It makes another profile than asked for.
    Profile,
    /// It sends no parameter sets.
    NoParameterSets,
    /// Its pictures are smaller than what came in.
    OtherSize,
    /// Every picture but the first needs a later one.
    Reorders,
    /// It cuts a picture into more slices than browsers like.
    ManySlices,
}

/// Whatever hangs, hangs for good, as a driver does.
fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

macro_rules! encoder {
    ($module:ident, $factory:literal, $fault:expr) => {
        pub mod $module {
            use super::*;

            pub const FACTORY: &str = $factory;
            const FAULT: Fault = $fault;

            /// Elements that were made.
            pub static MADE: AtomicU32 = AtomicU32::new(0);
            /// Frames that came in.
            pub static FRAMES: AtomicU32 = AtomicU32::new(0);

            glib::wrapper! {
                pub struct Encoder(ObjectSubclass<Imp>) @extends gst::Element, gst::Object;
            }

            pub struct Imp {
                sink: gst::Pad,
                src: gst::Pad,
                frames: AtomicU32,
                size: std::sync::Mutex<(u32, u32)>,
                bitrate: AtomicU32,
            }

            #[glib::object_subclass]
            impl ObjectSubclass for Imp {
                const NAME: &'static str = concat!("VdiTest", $factory);
                type Type = Encoder;
                type ParentType = gst::Element;

                fn with_class(klass: &Self::Class) -> Self {
                    MADE.fetch_add(1, Ordering::SeqCst);
                    let sink = gst::Pad::builder_from_template(&klass.pad_template("sink").unwrap())
                        .chain_function(|_, parent, buffer| {
                            Self::catch_panic_pad_function(
                                parent,
                                || Err(gst::FlowError::Error),
                                |imp| imp.chain(buffer),
                            )
                        })
                        .event_function(|pad, parent, event| {
                            Self::catch_panic_pad_function(parent, || false, |imp| imp.event(pad, event))
                        })
                        .build();
                    let src = gst::Pad::from_template(&klass.pad_template("src").unwrap());
                    Self {
                        sink,
                        src,
                        frames: AtomicU32::new(0),
                        size: std::sync::Mutex::default(),
                        bitrate: AtomicU32::new(1),
                    }
                }
            }

            impl Imp {
                fn event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
                    let gst::EventView::Caps(caps) = event.view() else {
                        return gst::Pad::event_default(pad, Some(&*self.obj()), event);
                    };
                    let side =
                        |name| caps.caps().structure(0).unwrap().get::<i32>(name).unwrap().unsigned_abs();
                    let width = side("width");
                    *self.size.lock().unwrap() = (width, side("height"));
                    if FAULT == Fault::Caps || (FAULT == Fault::WideCaps && width > 320) {
                        return false;
                    }
                    let made =
                        "video/x-h264,stream-format=byte-stream,alignment=au,profile=constrained-baseline";
                    self.src.push_event(gst::event::Caps::new(&made.parse::<gst::Caps>().unwrap()))
                }

                fn chain(&self, frame: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
                    FRAMES.fetch_add(1, Ordering::SeqCst);
                    let is_second = self.frames.fetch_add(1, Ordering::SeqCst) == 1;
                    let (width, height) = *self.size.lock().unwrap();
                    let (mut head, mut slices) = (sps(66, width, height), IDR.to_vec());
                    match FAULT {
                        Fault::SecondFrame if is_second => {
                            gst::element_imp_error!(self, gst::StreamError::Encode, ["the driver said 20"]);
                            return Err(gst::FlowError::Error);
                        }
                        Fault::SilentSecondFrame if is_second => return Err(gst::FlowError::Error),
                        Fault::Hang if is_second => hang(),
                        Fault::Drops if is_second || self.frames.load(Ordering::SeqCst) > 2 => {
                            return Ok(gst::FlowSuccess::Ok);
                        }
                        Fault::Garbage => (head, slices) = (Vec::new(), vec![0xa5; 1000]),
                        Fault::Profile => head = sps(100, width, height),
                        Fault::NoParameterSets => head.clear(),
                        Fault::OtherSize => head = sps(66, width - 16, height),
                        Fault::Reorders if self.frames.load(Ordering::SeqCst) > 1 => {
                            slices = B_SLICE.to_vec()
                        }
                        Fault::ManySlices => slices = IDR.repeat(5),
                        _ => {}
                    }
                    let sets = if head.is_empty() { &[] } else { PPS };
                    let mut unit = gst::Buffer::from_mut_slice([&head[..], sets, &slices].concat());
                    frame.copy_into(unit.get_mut().unwrap(), gst::BufferCopyFlags::TIMESTAMPS, ..).unwrap();
                    self.src.push(unit)
                }
            }

            impl ObjectImpl for Imp {
                fn properties() -> &'static [glib::ParamSpec] {
                    static PROPERTIES: std::sync::OnceLock<Vec<glib::ParamSpec>> = std::sync::OnceLock::new();
                    PROPERTIES.get_or_init(|| {
                        vec![glib::ParamSpecUInt::builder("bitrate").minimum(1).default_value(1).build()]
                    })
                }

                fn set_property(&self, _id: usize, value: &glib::Value, _pspec: &glib::ParamSpec) {
                    self.bitrate.store(value.get().unwrap(), Ordering::SeqCst);
                }

                fn property(&self, _id: usize, _pspec: &glib::ParamSpec) -> glib::Value {
                    self.bitrate.load(Ordering::SeqCst).to_value()
                }

                fn constructed(&self) {
                    self.parent_constructed();
                    self.obj().add_pad(&self.sink).unwrap();
                    self.obj().add_pad(&self.src).unwrap();
                }
            }

            impl GstObjectImpl for Imp {}

            impl ElementImpl for Imp {
                fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                    static METADATA: std::sync::OnceLock<gst::subclass::ElementMetadata> =
                        std::sync::OnceLock::new();
                    Some(METADATA.get_or_init(|| {
                        gst::subclass::ElementMetadata::new($factory, "Codec/Encoder/Video", "Fails", "Tests")
                    }))
                }

                fn pad_templates() -> &'static [gst::PadTemplate] {
                    static TEMPLATES: std::sync::OnceLock<Vec<gst::PadTemplate>> = std::sync::OnceLock::new();
                    TEMPLATES.get_or_init(|| {
                        let template = |name: &str, direction, caps: &str| {
                            let caps: gst::Caps = caps.parse().unwrap();
                            gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).unwrap()
                        };
                        vec![
                            template("sink", gst::PadDirection::Sink, "video/x-raw,format=I420"),
                            template("src", gst::PadDirection::Src, "video/x-h264"),
                        ]
                    })
                }

                fn change_state(
                    &self,
                    transition: gst::StateChange,
                ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
                    if transition == gst::StateChange::NullToReady {
                        match FAULT {
                            Fault::Init => {
                                gst::element_imp_error!(self, gst::LibraryError::Init, ["no driver"]);
                                return Err(gst::StateChangeError);
                            }
                            Fault::NoDevice => {
                                gst::element_imp_error!(self, gst::ResourceError::NotFound, ["no device"]);
                                return Err(gst::StateChangeError);
                            }
                            Fault::SilentStart => return Err(gst::StateChangeError),
                            Fault::HangAtStart => hang(),
                            _ => {}
                        }
                    }
                    self.parent_change_state(transition)
                }
            }

            pub fn register() {
                gst::Element::register(None, FACTORY, gst::Rank::NONE, Encoder::static_type()).unwrap();
            }
        }
    };
}

encoder!(good, "testgood", Fault::None);
encoder!(good_restarted, "testgoodrestarted", Fault::None);
encoder!(init, "testinit", Fault::Init);
encoder!(no_device, "testnodevice", Fault::NoDevice);
encoder!(silent_start, "testsilentstart", Fault::SilentStart);
encoder!(caps, "testcaps", Fault::Caps);
encoder!(wide_caps, "testwidecaps", Fault::WideCaps);
encoder!(second_frame, "testsecondframe", Fault::SecondFrame);
encoder!(silent_second_frame, "testsilentsecondframe", Fault::SilentSecondFrame);
encoder!(hangs, "testhang", Fault::Hang);
encoder!(hangs_for_cancel, "testhangforcancel", Fault::Hang);
encoder!(hangs_at_start, "testhangatstart", Fault::HangAtStart);
encoder!(garbage, "testgarbage", Fault::Garbage);
encoder!(drops, "testdrops", Fault::Drops);
encoder!(profile, "testprofile", Fault::Profile);
encoder!(no_parameter_sets, "testnoparametersets", Fault::NoParameterSets);
encoder!(other_size, "testothersize", Fault::OtherSize);
encoder!(for_cache, "testforcache", Fault::OtherSize);
encoder!(reorders, "testreorders", Fault::Reorders);
encoder!(many_slices, "testmanyslices", Fault::ManySlices);

/// Registers all of them, once.
pub fn register() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        good::register();
        good_restarted::register();
        init::register();
        no_device::register();
        silent_start::register();
        caps::register();
        wide_caps::register();
        second_frame::register();
        silent_second_frame::register();
        hangs::register();
        hangs_for_cancel::register();
        hangs_at_start::register();
        garbage::register();
        drops::register();
        profile::register();
        no_parameter_sets::register();
        other_size::register();
        for_cache::register();
        reorders::register();
        many_slices::register();
    });
}
