//! Decision: the stable reason behind an error message of an element. Refuses to guess beyond what the message says.

use super::select::{Reason, Rejection};
use gst::glib;

/// The rejection that an error message stands for.
pub fn of_error(error: &gst::message::Error) -> Rejection {
    let details = error.details();
    let flow = details.and_then(|details| details.get::<i32>("flow-return").ok());
    let text = match (flow, error.debug()) {
        // "Internal data stream error" of the source says nothing; that the encoder kept silent does.
        (Some(_), _) => "it refused a frame without saying why".to_owned(),
        (None, debug) => words(error.error().message(), debug.as_deref()),
    };
    // Words of a driver are more exact than the domains that elements choose for them.
    let reason = of_words(&text).unwrap_or_else(|| reason(&error.error(), flow));
    Rejection::new(reason, text)
}

/// What elements and drivers say, and what it stands for; the first that is found counts.
const WORDS: &[(&str, Reason)] = &[
    // NVENCSTATUS by name, as the rewritten elements print it.
    ("NV_ENC_ERR_OUT_OF_MEMORY", Reason::SessionLimit),
    ("NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY", Reason::SessionLimit),
    ("NV_ENC_ERR_NO_ENCODE_DEVICE", Reason::NoEncoderEngine),
    ("NV_ENC_ERR_UNSUPPORTED_DEVICE", Reason::NoEncoderEngine),
    ("NV_ENC_ERR_INVALID_ENCODERDEVICE", Reason::NoDevice),
    ("NV_ENC_ERR_INVALID_DEVICE", Reason::NoDevice),
    ("NV_ENC_ERR_DEVICE_NOT_EXIST", Reason::NoDevice),
    ("NV_ENC_ERR_INVALID_VERSION", Reason::DriverMismatch),
    // Drivers from 591 on have dropped the presets that GStreamer 1.22 asks for.
    ("Selected preset not supported", Reason::DriverMismatch),
    ("Failed to get encode preset", Reason::DriverMismatch),
    ("Failed to set format", Reason::DriverMismatch),
    // The plugin opened sessions when it was loaded; that there is none now is a matter of their number.
    ("Failed to open encoder", Reason::SessionLimit),
    ("Failed to open session", Reason::SessionLimit),
    ("Failed to init encoder", Reason::UnsupportedSetting),
    // GStreamer's own.
    ("not-negotiated", Reason::CapsNotNegotiated),
    ("could not link", Reason::CapsNotNegotiated),
    ("no element ", Reason::NoElement),
];

/// The reason behind a text, where the text is enough.
pub fn of_words(text: &str) -> Option<Reason> {
    if let Some(reason) = nvenc_code(text).and_then(of_nvenc_code) {
        return Some(reason);
    }
    WORDS.iter().find(|(words, _)| text.contains(words)).map(|(_, reason)| *reason)
}

/// NVENCSTATUS as a number, as the legacy elements print it: "ret 10", "Failed to init encoder: 8- ".
fn nvenc_code(text: &str) -> Option<u32> {
    ["ret ", "ret: ", "encoder: ", "configuration: "].iter().find_map(|before| {
        let (_, after) = text.split_once(before)?;
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        after[..end].parse().ok()
    })
}

fn of_nvenc_code(code: u32) -> Option<Reason> {
    match code {
        1 | 2 => Some(Reason::NoEncoderEngine),
        3..=5 => Some(Reason::NoDevice),
        10 | 21 => Some(Reason::SessionLimit),
        15 => Some(Reason::DriverMismatch),
        _ => None,
    }
}

fn reason(error: &glib::Error, flow: Option<i32>) -> Reason {
    use gst::{CoreError, LibraryError, ResourceError, StreamError};
    const NOT_NEGOTIATED: i32 = gst::ffi::GST_FLOW_NOT_NEGOTIATED;

    if flow == Some(NOT_NEGOTIATED) || error.matches(CoreError::Negotiation) || error.matches(CoreError::Caps)
    {
        return Reason::CapsNotNegotiated;
    }
    if error.matches(StreamError::Format) || error.matches(StreamError::WrongType) {
        return Reason::CapsNotNegotiated;
    }
    match error.kind::<ResourceError>() {
        Some(ResourceError::NotFound | ResourceError::OpenRead | ResourceError::OpenReadWrite) => {
            return Reason::NoDevice;
        }
        Some(ResourceError::Settings) => return Reason::UnsupportedSetting,
        _ => {}
    }
    match error.kind::<LibraryError>() {
        Some(LibraryError::Settings) => Reason::UnsupportedSetting,
        Some(LibraryError::Init) => Reason::InitError,
        _ => Reason::EncodeError,
    }
}

/// The message, and the last line of the debug text where that says more than file and line.
fn words(message: &str, debug: Option<&str>) -> String {
    let detail = debug.and_then(|debug| debug.lines().nth(1)).map(str::trim).unwrap_or_default();
    if detail.is_empty() { message.to_owned() } else { format!("{message} {detail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &gst::Message) -> (Reason, String) {
        let gst::MessageView::Error(error) = message.view() else { panic!("an error") };
        let rejection = of_error(error);
        (rejection.reason, rejection.message)
    }

    fn error<T: gst::MessageErrorDomain>(kind: T, text: &str) -> (Reason, String) {
        gst::init().unwrap();
        of(&gst::message::Error::builder(kind, text).debug("file.c(1): f ():\nthe driver said 8").build())
    }

    #[test]
    fn domains_and_codes_tell_reasons_apart() {
        let reason = |(reason, _)| reason;
        assert_eq!(reason(error(gst::LibraryError::Init, "x")), Reason::InitError);
        assert_eq!(reason(error(gst::LibraryError::Settings, "x")), Reason::UnsupportedSetting);
        assert_eq!(reason(error(gst::ResourceError::NotFound, "x")), Reason::NoDevice);
        assert_eq!(reason(error(gst::StreamError::Format, "x")), Reason::CapsNotNegotiated);
        assert_eq!(reason(error(gst::CoreError::Negotiation, "x")), Reason::CapsNotNegotiated);
        assert_eq!(reason(error(gst::StreamError::Encode, "x")), Reason::EncodeError);
    }

    /// Domain and text as the elements of GStreamer 1.22 post them over a driver that fails on command.
    #[test]
    fn nvencs_messages_are_told_apart() {
        use gst::{LibraryError, StreamError};
        gst::init().unwrap();
        let of = |library: bool, detail: &str| {
            let debug = format!("gstnvbaseenc.c(1): f (): /GstPipeline:p/GstNvH264Enc:e:\n{detail}");
            let message = if library {
                gst::message::Error::builder(LibraryError::Init, "Could not initialize supporting library.")
            } else {
                gst::message::Error::builder(StreamError::Encode, "Could not encode stream.")
            };
            of(&message.debug(&debug).build()).0
        };
        assert_eq!(of(true, "Failed to open encoder"), Reason::SessionLimit);
        assert_eq!(of(false, "Failed to open session"), Reason::SessionLimit);
        assert_eq!(
            of(false, "Failed to open session, status: NV_ENC_ERR_UNSUPPORTED_DEVICE (2)"),
            Reason::NoEncoderEngine
        );
        assert_eq!(
            of(false, "Failed to init encoder, status: NV_ENC_ERR_INVALID_PARAM (8)"),
            Reason::UnsupportedSetting
        );
        assert_eq!(of(true, "Failed to init encoder: 8- no such thing"), Reason::UnsupportedSetting);
        assert_eq!(of(true, "Failed to init encoder: 10- "), Reason::SessionLimit);
        assert_eq!(of(true, "Failed to init encoder: 21- "), Reason::SessionLimit);
        assert_eq!(of(true, "Selected preset not supported"), Reason::DriverMismatch);
        assert_eq!(of(false, "Failed to set format"), Reason::DriverMismatch);
        assert_eq!(of(true, "Failed to get encode preset configuration: 8"), Reason::DriverMismatch);
        assert_eq!(of(false, "x, status: NV_ENC_ERR_INVALID_VERSION (15)"), Reason::DriverMismatch);
        assert_eq!(of(false, "Failed to lock bitstream buffer 0x7f, ret 20"), Reason::EncodeError);
        assert_eq!(of(false, "Failed to lock bitstream buffer 0x7f, ret 4"), Reason::NoDevice);
        assert_eq!(
            of(false, "Failed to lock bitstream, status: NV_ENC_ERR_GENERIC (20)"),
            Reason::EncodeError
        );
    }

    #[test]
    fn the_elements_own_words_are_kept() {
        assert_eq!(
            error(gst::StreamError::Encode, "Could not encode stream.").1,
            "Could not encode stream. the driver said 8"
        );
    }

    #[test]
    fn a_silent_refusal_is_known_by_the_flow_return_at_the_source() {
        gst::init().unwrap();
        let with_flow = |flow: i32| {
            let details = gst::Structure::builder("details").field("flow-return", flow).build();
            let message =
                gst::message::Error::builder(gst::StreamError::Failed, "Internal data stream error.");
            of(&message.details(details).build())
        };
        assert_eq!(with_flow(-4).0, Reason::CapsNotNegotiated);
        assert_eq!(with_flow(-5), (Reason::EncodeError, "it refused a frame without saying why".into()));
    }
}
