//! An encoder that works, since x264enc is inside, until a test lets it die. One type under several names, so that each
//! test has encoders of its own; since a type knows only one of its names, the row tells it as a property.

use gst::{glib, prelude::*, subclass::prelude::*};
use gstvdi::adaptiveencbin::table::Value;
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
};

/// What happens to frames that come in from now on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fate {
    /// They are encoded.
    #[default]
    Lives,
    /// An error, with a message on the bus.
    Fails,
    /// An error, and not a word.
    Refuses,
    /// An error message, while frames go on; a device that is lost is told so.
    LosesDevice,
    /// It does not come back from the frame, ever.
    Hangs,
    /// It takes frames and gives none.
    Swallows,
}

static FATES: LazyLock<Mutex<HashMap<String, Fate>>> = LazyLock::new(Mutex::default);

/// Decides what happens to all encoders of this name.
pub fn set(factory: &str, fate: Fate) {
    FATES.lock().unwrap().insert(factory.into(), fate);
}

/// A factory name that nobody else uses.
pub fn new() -> &'static str {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let name = format!("testmortal{}", COUNT.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
    gst::Element::register(None, &name, gst::Rank::NONE, Mortal::static_type()).unwrap();
    name.leak()
}

glib::wrapper! {
    pub struct Mortal(ObjectSubclass<Imp>) @extends gst::Bin, gst::Element, gst::Object;
}

/// What a row sets on an encoder of this name.
pub fn settings(factory: &'static str) -> &'static [(&'static str, Value)] {
    vec![("known-as", Value::Fixed(factory))].leak()
}

#[derive(Default)]
pub struct Imp {
    known_as: Mutex<Option<String>>,
    encoder: Mutex<Option<gst::Element>>,
}

#[glib::object_subclass]
impl ObjectSubclass for Imp {
    const NAME: &'static str = "VdiTestMortal";
    type Type = Mortal;
    type ParentType = gst::Bin;
}

impl Imp {
    fn fate(&self) -> Fate {
        let known_as = self.known_as.lock().unwrap().clone().unwrap_or_default();
        FATES.lock().unwrap().get(&known_as).copied().unwrap_or_default()
    }

    fn encoder(&self) -> gst::Element {
        self.encoder.lock().unwrap().clone().unwrap()
    }
}

fn chain(
    mortal: &Mortal,
    pad: &gst::GhostPad,
    buffer: gst::Buffer,
) -> Result<gst::FlowSuccess, gst::FlowError> {
    match mortal.imp().fate() {
        Fate::Lives => {}
        Fate::Fails => {
            gst::element_error!(mortal, gst::StreamError::Encode, ["the driver said 20"]);
            return Err(gst::FlowError::Error);
        }
        Fate::Refuses => return Err(gst::FlowError::Error),
        Fate::LosesDevice => {
            gst::element_error!(mortal, gst::ResourceError::NotFound, ["the device is gone"])
        }
        Fate::Hangs => loop {
            std::thread::park();
        },
        Fate::Swallows => return Ok(gst::FlowSuccess::Ok),
    }
    gst::ProxyPad::chain_default(pad, Some(mortal), buffer)
}

impl ObjectImpl for Imp {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            vec![
                glib::ParamSpecUInt::builder("bitrate").minimum(1).default_value(1).build(),
                glib::ParamSpecString::builder("known-as").build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        match pspec.name() {
            "bitrate" => self.encoder().set_property_from_value("bitrate", value),
            _ => *self.known_as.lock().unwrap() = value.get().unwrap(),
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "bitrate" => self.encoder().property_value("bitrate"),
            _ => self.known_as.lock().unwrap().to_value(),
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        let encoder = gst::ElementFactory::make("x264enc")
            .property_from_str("tune", "zerolatency")
            .property_from_str("speed-preset", "ultrafast")
            .property("key-int-max", 100_000u32)
            .build()
            .unwrap();
        let obj = self.obj();
        obj.add(&encoder).unwrap();
        let weak = obj.downgrade();
        let sink = gst::GhostPad::builder_from_template_with_target(
            &obj.pad_template("sink").unwrap(),
            &encoder.static_pad("sink").unwrap(),
        )
        .unwrap()
        .chain_function(move |pad, _, buffer| chain(&weak.upgrade().unwrap(), pad, buffer))
        .build();
        let src = gst::GhostPad::from_template_with_target(
            &obj.pad_template("src").unwrap(),
            &encoder.static_pad("src").unwrap(),
        )
        .unwrap();
        obj.add_pad(&sink).unwrap();
        obj.add_pad(&src).unwrap();
        *self.encoder.lock().unwrap() = Some(encoder);
    }
}

impl GstObjectImpl for Imp {}

impl ElementImpl for Imp {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new("Mortal", "Codec/Encoder/Video", "Dies when told to", "Tests")
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let template = |name: &str, direction, caps: &str| {
                let caps: gst::Caps = caps.parse().unwrap();
                gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).unwrap()
            };
            vec![
                template("sink", gst::PadDirection::Sink, "video/x-raw,format=I420"),
                template("src", gst::PadDirection::Src, "video/x-h264"),
            ]
        });
        &TEMPLATES
    }
}

impl BinImpl for Imp {}
