//! Shell: the GstRTPHeaderExtension around [`PlayoutDelay`]; owns the two delays, writes and reads their bytes. It
//! refuses to judge what a good delay is.

use gst::{glib, prelude::*, subclass::prelude::*};
use gst_rtp::{RTPHeaderExtensionFlags, subclass::prelude::*};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::delay::{LENGTH_BYTES, MAX_MS, PlayoutDelay, STEP_MS, representable};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "rtphdrextplayoutdelay",
        gst::DebugColorFlags::empty(),
        Some("Playout-delay RTP header extension"),
    )
});

#[derive(Default)]
pub struct RTPHeaderExtPlayoutDelay {
    /// What is sent, or what was received last.
    delay: Mutex<PlayoutDelay>,
}

impl RTPHeaderExtPlayoutDelay {
    fn lock(&self) -> MutexGuard<'_, PlayoutDelay> {
        self.delay.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[glib::object_subclass]
impl ObjectSubclass for RTPHeaderExtPlayoutDelay {
    const NAME: &'static str = "GstVdiRTPHeaderExtPlayoutDelay";
    type Type = super::RTPHeaderExtPlayoutDelay;
    type ParentType = gst_rtp::RTPHeaderExtension;
}

impl ObjectImpl for RTPHeaderExtPlayoutDelay {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let delay = |name, nick, blurb| {
                glib::ParamSpecUInt::builder(name)
                    .nick(nick)
                    .blurb(blurb)
                    .maximum(MAX_MS)
                    .default_value(0)
                    .mutable_playing()
                    .build()
            };
            vec![
                delay(
                    "min-delay",
                    "Minimum delay",
                    "Least time a receiver holds a frame, in ms (rounded down to a multiple of 10)",
                ),
                delay(
                    "max-delay",
                    "Maximum delay",
                    "Longest time a receiver holds a frame, in ms (rounded down to a multiple of 10; sent as min-delay if below it)",
                ),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let Ok(ms) = value.get::<u32>() else { return };
        let ms = representable(ms);
        let mut delay = self.lock();
        match pspec.name() {
            "min-delay" => delay.min_ms = ms,
            _ => delay.max_ms = ms,
        }
        gst::debug!(CAT, imp = self, "{} is {ms} ms (steps of {STEP_MS} ms)", pspec.name());
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let delay = self.lock();
        match pspec.name() {
            "min-delay" => delay.min_ms.to_value(),
            _ => delay.max_ms.to_value(),
        }
    }
}

impl GstObjectImpl for RTPHeaderExtPlayoutDelay {}

impl ElementImpl for RTPHeaderExtPlayoutDelay {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Playout-delay RTP header extension",
                "Network/Extension/RTPHeader",
                "Tells a WebRTC receiver in every packet how long it may hold a frame before showing it",
                "The gst-vdi authors",
            )
        });
        Some(&METADATA)
    }
}

impl RTPHeaderExtensionImpl for RTPHeaderExtPlayoutDelay {
    const URI: &'static str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

    fn supported_flags(&self) -> RTPHeaderExtensionFlags {
        RTPHeaderExtensionFlags::ONE_BYTE | RTPHeaderExtensionFlags::TWO_BYTE
    }

    fn max_size(&self, _input: &gst::BufferRef) -> usize {
        LENGTH_BYTES
    }

    fn write(
        &self,
        _input: &gst::BufferRef,
        _flags: RTPHeaderExtensionFlags,
        _output: &gst::BufferRef,
        output_data: &mut [u8],
    ) -> Result<usize, gst::LoggableError> {
        let room = output_data.get_mut(..LENGTH_BYTES).ok_or_else(|| {
            gst::loggable_error!(CAT, "less than {LENGTH_BYTES} bytes of room for the extension")
        })?;
        room.copy_from_slice(&self.lock().to_bytes());
        Ok(LENGTH_BYTES)
    }

    fn read(
        &self,
        _flags: RTPHeaderExtensionFlags,
        input_data: &[u8],
        _output: &mut gst::BufferRef,
    ) -> Result<(), gst::LoggableError> {
        let Some(seen) = PlayoutDelay::from_bytes(input_data) else {
            return Err(gst::loggable_error!(
                CAT,
                "{} bytes of data instead of {LENGTH_BYTES}",
                input_data.len()
            ));
        };
        let before = std::mem::replace(&mut *self.lock(), seen);
        if before.min_ms != seen.min_ms {
            self.obj().notify("min-delay");
        }
        if before.max_ms != seen.max_ms {
            self.obj().notify("max-delay");
        }
        Ok(())
    }
}
