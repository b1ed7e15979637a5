//! Shell: the elements of one encoder, made and set as its row says. The proof and the stream use the same function,
//! so what was proven is what runs.
//!
//! ```text
//! videocrop ─▶ videoconvertscale ─▶ front… ─▶ capsfilter ─▶ encoder ─▶ capsfilter ─▶ behind… ─▶ capsfilter
//! to even                                     size, format,            form, profile            (only if there is
//! sizes                                       colorimetry                                       something behind)
//! ```

use gst::{glib, prelude::*};
use gst_video::VideoInfo;

use super::{
    CAT,
    input::{self, Size},
    rate::{Bitrate, FrameRate, WriteCost},
    select::{Reason, Rejection},
    table::{self, Live, RateUnit, Row, Value, VbvUnit},
};

/// The elements of one encoder.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The row they follow.
    pub row: &'static Row,
    /// The encoder itself.
    pub encoder: gst::Element,
    /// In the order of the data.
    elements: Vec<gst::Element>,
    /// Takes an odd line or column off.
    crop: gst::Element,
    /// The caps in front of the encoder.
    input_filter: gst::Element,
}

/// Cores that this process may use; it honours the cgroup's quota.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub fn make(factory: &str) -> Result<gst::Element, Rejection> {
    let factory = gst::ElementFactory::find(factory)
        .ok_or_else(|| Rejection::new(Reason::NoFactory, format!("{factory} is not installed")))?;
    factory.create().build().map_err(|_| {
        let name = factory.name();
        Rejection::new(Reason::NoElement, format!("the installed {name} makes no element"))
    })
}

fn capsfilter(caps: &gst::Caps) -> Result<gst::Element, Rejection> {
    let filter = make("capsfilter")?;
    filter.set_property("caps", caps);
    Ok(filter)
}

/// Sets a property from text. One that this version lacks is none of our business; one that it has and refuses is.
fn set(element: &gst::Element, name: &str, texts: &[&str]) -> Result<(), Rejection> {
    let Some(pspec) = element.find_property(name) else {
        gst::debug!(CAT, obj = element, "this version has no property {name}");
        return Ok(());
    };
    let parsed = texts.iter().find_map(|text| glib::Value::deserialize_with_pspec(text, &pspec).ok());
    match parsed {
        Some(value) if is_in_range(&pspec, &value) => {
            element.set_property_from_value(name, &value);
            Ok(())
        }
        _ => Err(Rejection::new(
            Reason::UnsupportedSetting,
            format!("{name} does not take {}", texts.join(" or ")),
        )),
    }
}

/// Whether an integer lies in its property's range; everything else that could be parsed can be set.
fn is_in_range(pspec: &glib::ParamSpec, value: &glib::Value) -> bool {
    if let (Some(pspec), Ok(number)) = (pspec.downcast_ref::<glib::ParamSpecUInt>(), value.get::<u32>()) {
        (pspec.minimum()..=pspec.maximum()).contains(&number)
    } else if let (Some(pspec), Ok(number)) = (pspec.downcast_ref::<glib::ParamSpecInt>(), value.get::<i32>())
    {
        (pspec.minimum()..=pspec.maximum()).contains(&number)
    } else {
        true
    }
}

fn apply(row: &Row, element: &gst::Element, settings: &[(&str, Value)]) -> Result<(), Rejection> {
    settings.iter().try_for_each(|(name, value)| match value {
        Value::FirstOf(texts) => set(element, name, texts),
        value => set(element, name, &[&table::text(row, value, cores())]),
    })
}

/// Writes a number into whatever integer the property is, held to its range. Nothing is written if it is there already:
/// some encoders start again at every write. False if there is no such property.
fn write_number(element: &gst::Element, name: &str, number: u32) -> bool {
    let Some(pspec) = element.find_property(name) else { return false };
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecUInt>() {
        let number = number.clamp(pspec.minimum(), pspec.maximum());
        if element.property::<u32>(name) != number {
            element.set_property(name, number);
        }
    } else if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecInt>() {
        let number = i32::try_from(number).unwrap_or(i32::MAX).clamp(pspec.minimum(), pspec.maximum());
        if element.property::<i32>(name) != number {
            element.set_property(name, number);
        }
    } else {
        return false;
    }
    true
}

fn crop_to_even(crop: &gst::Element, info: &VideoInfo) {
    let (right, bottom) = input::odd_edge_px(info);
    crop.set_properties(&[("right", &right), ("bottom", &bottom)]);
}

fn is_live(element: &gst::Element, name: &str) -> bool {
    let flag = glib::ParamFlags::from_bits_retain(gst::PARAM_FLAG_MUTABLE_PLAYING.bits());
    element.find_property(name).is_some_and(|pspec| pspec.flags().contains(flag))
}

impl Chain {
    /// Makes and sets the elements. They are neither in a bin nor linked.
    pub fn new(row: &'static Row, info: &VideoInfo, size: Size, rate: Bitrate) -> Result<Self, Rejection> {
        // The encoder first: whether it exists is what decides.
        let encoder = make(row.factory)?;
        apply(row, &encoder, row.settings)?;

        let convert = make("videoconvertscale")?;
        // The size is even and the aspect kept as far as that goes; borders would be encoded with every picture.
        set(&convert, "add-borders", &["false"])?;
        set(&convert, "n-threads", &[&table::conversion_threads(cores()).to_string()])?;
        let crop = make("videocrop")?;
        crop_to_even(&crop, info);
        let input_filter = capsfilter(&input::encoder_caps(row, info, size))?;

        let mut elements = vec![crop.clone(), convert];
        for helper in row.front {
            let element = make(helper.factory)?;
            apply(row, &element, helper.settings)?;
            elements.push(element);
        }
        elements.extend([input_filter.clone(), encoder.clone(), capsfilter(&row.codec.caps(row.profiles))?]);
        for helper in row.behind {
            let element = make(helper.factory)?;
            apply(row, &element, helper.settings)?;
            elements.push(element);
        }
        if !row.behind.is_empty() {
            elements.push(capsfilter(&row.codec.caps(&[]))?);
        }
        let chain = Self { row, encoder, elements, crop, input_filter };
        chain.write_vbv(rate, input::frame_rate(info));
        if chain.write_rate(rate) {
            Ok(chain)
        } else {
            Err(Rejection::new(Reason::UnsupportedSetting, format!("it has no property {}", row.rate.name)))
        }
    }

    /// Puts the elements into a bin and links them.
    pub fn add_to(&self, bin: &gst::Bin) -> Result<(), glib::BoolError> {
        bin.add_many(&self.elements)?;
        gst::Element::link_many(&self.elements)
    }

    /// The elements, in the order of the data.
    pub fn elements(&self) -> &[gst::Element] {
        &self.elements
    }

    /// Where raw video goes in.
    pub fn sink_pad(&self) -> Option<gst::Pad> {
        self.elements.first()?.static_pad("sink")
    }

    /// Where encoded video comes out.
    pub fn src_pad(&self) -> Option<gst::Pad> {
        self.elements.last()?.static_pad("src")
    }

    /// Prepares for another input or size, before the CAPS event comes through.
    pub fn reconfigure(&self, info: &VideoInfo, size: Size) {
        crop_to_even(&self.crop, info);
        let caps = input::encoder_caps(self.row, info, size);
        if self.input_filter.property::<gst::Caps>("caps") != caps {
            self.input_filter.set_property("caps", &caps);
        }
    }

    /// Writes the target bit rate in the encoder's unit. False if it has no such property.
    pub fn write_rate(&self, rate: Bitrate) -> bool {
        let property = &self.row.rate;
        let number = match property.unit {
            RateUnit::KbitPerSecond => rate.kbps(),
            RateUnit::BitPerSecond => rate.bps(),
        };
        gst::debug!(CAT, obj = self.encoder, "{}={number}", property.name);
        write_number(&self.encoder, property.name, number)
    }

    /// Lets the buffer follow while the encoder runs, where that is possible without starting it anew.
    pub fn follow_vbv(&self, rate: Bitrate, frame_rate: FrameRate) {
        let Some(property) = &self.row.vbv else { return };
        let is_live = match property.live {
            Live::AsFlagged => property.names.iter().all(|name| is_live(&self.encoder, name)),
            live => live == Live::Yes,
        };
        if self.row.rate.cost == WriteCost::Soft && is_live {
            self.write_vbv(rate, frame_rate);
        }
    }

    fn write_vbv(&self, rate: Bitrate, frame_rate: FrameRate) {
        let Some(property) = &self.row.vbv else { return };
        let kbit = frame_rate.vbv_kbit(rate);
        let number = match property.unit {
            VbvUnit::Milliseconds => frame_rate.vbv_ms(),
            VbvUnit::Kbit => kbit,
            VbvUnit::Options(template) => {
                let text = template.replace("{kbps}", &rate.kbps().to_string());
                let text = text.replace("{kbit}", &kbit.to_string());
                return property.names.iter().for_each(|name| {
                    // The numbers were put into a text that the row holds: there is nothing that could be refused.
                    let _ = set(&self.encoder, name, &[&text]);
                });
            }
        };
        for name in property.names {
            write_number(&self.encoder, name, number);
        }
    }
}

/// Writes the factory's name into the tags that pass, since encoders write their library's.
pub fn name_the_encoder(pad: &gst::Pad, factory: &'static str) {
    fn name(tags: Option<&gst::TagListRef>, factory: &str) -> gst::Event {
        let mut tags = tags.map_or_else(gst::TagList::new, gst::TagListRef::to_owned);
        tags.make_mut().add::<gst::tags::Encoder>(&factory, gst::TagMergeMode::Replace);
        gst::event::Tag::new(tags)
    }
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let named = info.event().and_then(|event| match event.view() {
            gst::EventView::Tag(event) if event.tag().scope() == gst::TagScope::Stream => {
                Some(name(Some(event.tag()), factory))
            }
            _ => None,
        });
        if let Some(named) = named {
            info.data = Some(gst::PadProbeData::Event(named));
        }
        gst::PadProbeReturn::Ok
    });
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
        if pad.sticky_event::<gst::event::Tag>(0).is_none() {
            pad.push_event(name(None, factory));
        }
        gst::PadProbeReturn::Remove
    });
}
