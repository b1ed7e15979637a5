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
    Rejection::new(reason(&error.error(), flow), text)
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
