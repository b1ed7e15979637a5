//! Shell: the consumers whose messages the application carries, by the sink's signals.

use super::{
    consumer::Visit,
    imp::{CAT, WsWebRtcSink},
    payload::Kind,
    runtime::runtime,
};
use gst::subclass::prelude::*;
use vdi_protocol::{
    reason::EndCause,
    signalling::{Bye, ToConsumer},
};

/// Messages that may wait for an application's signal handler.
const APPLICATION_OUTBOX: usize = 256;

impl WsWebRtcSink {
    /// Opens a consumer whose messages the application carries, as `options` say.
    pub fn open_consumer_full(&self, id: &str, options: Option<&gst::StructureRef>) -> bool {
        match options.map_or_else(|| Ok(Visit::default()), visit) {
            Ok(visit) => self.open_consumer(id, visit),
            Err(why) => {
                gst::warning!(CAT, imp = self, "consumer {id} is refused: {why}");
                false
            }
        }
    }

    fn open_consumer(&self, id: &str, visit: Visit) -> bool {
        let (hub, name) = (self.hub().clone(), id.to_owned());
        let (outbox, mut messages) = tokio::sync::mpsc::channel::<ToConsumer>(APPLICATION_OUTBOX);
        // On a task of its own, so that no signal is emitted from within a lock or another signal.
        runtime().spawn(async move {
            while let Some(message) = messages.recv().await {
                hub.send_signalling(&name, &message);
            }
        });
        let outgoing = Box::new(move |message| {
            let _ = outbox.try_send(message);
        });
        match self.hub().open_consumer(id, visit, outgoing) {
            Ok(_) => true,
            Err(refusal) => {
                gst::warning!(CAT, imp = self, "consumer {id} is refused: {}", refusal.message);
                false
            }
        }
    }

    /// The application brings a consumer's message; false when there is no such consumer.
    pub fn receive_signalling(&self, id: &str, json: &str) -> bool {
        match self.hub().consumer(id) {
            Some(consumer) => {
                consumer.receive(json, self.hub().max_message_size());
                true
            }
            None => false,
        }
    }

    /// The application ends a consumer; false when there is no such consumer.
    pub fn close_consumer(&self, id: &str, bye: &Bye) -> bool {
        let known = self.hub().consumer(id).is_some();
        self.hub().stop_consumer(id, bye);
        known
    }

    /// The same, with what `options` say of the end.
    pub fn close_consumer_full(&self, id: &str, options: Option<&gst::StructureRef>) -> bool {
        match options.map_or_else(|| Ok("".into()), farewell) {
            Ok(bye) => self.close_consumer(id, &bye),
            Err(why) => {
                gst::warning!(CAT, imp = self, "consumer {id} is not ended: {why}");
                false
            }
        }
    }
}

/// What the options of a consumer's end say.
fn farewell(options: &gst::StructureRef) -> Result<Bye, String> {
    let mut bye = Bye::from("");
    for (name, value) in options.iter() {
        match name.as_str() {
            "reason" => bye.reason = value.get().map_err(|_| "reason in the options has to be a string")?,
            "cause" => {
                let cause = value.get::<&str>().ok().and_then(EndCause::from_name);
                let known = EndCause::ALL.map(EndCause::as_str).join(", ");
                bye.cause =
                    Some(cause.ok_or_else(|| format!("cause in the options has to be one of {known}"))?);
            }
            other => return Err(format!("the options have no {other}; known are reason and cause")),
        }
    }
    Ok(bye)
}

/// What the options of a consumer say.
fn visit(options: &gst::StructureRef) -> Result<Visit, String> {
    let mut visit = Visit::default();
    let wrong = |name: &str, wanted: &str| format!("{name} in the options has to be {wanted}");
    for (name, value) in options.iter() {
        match name.as_str() {
            "media" => {
                let kind = value.get::<&str>().ok();
                let kind = [Kind::Video, Kind::Audio].into_iter().find(|known| Some(known.as_str()) == kind);
                visit.part.kind = Some(kind.ok_or_else(|| wrong("media", "the string video or audio"))?);
            }
            "data-channel" => {
                let label = value.get::<String>().ok().filter(|label| !label.is_empty());
                visit.part.channel = Some(label.ok_or_else(|| wrong("data-channel", "a string, not empty"))?);
            }
            "authority" => visit.authority = value.get().map_err(|_| wrong("authority", "a string"))?,
            "secure" => visit.secure = value.get().map_err(|_| wrong("secure", "a boolean"))?,
            other => {
                let known = "media, data-channel, authority and secure";
                return Err(format!("the options have no {other}; known are {known}"));
            }
        }
    }
    Ok(visit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wswebrtcsink::consumer::Part;
    use gst::{glib, prelude::*};

    #[test]
    fn options_say_what_a_consumer_gets_and_how_it_came() {
        gst::init().unwrap();
        let options = gst::Structure::builder("options")
            .field("media", "audio")
            .field("data-channel", "sound")
            .field("authority", "desk.example:8443")
            .field("secure", true)
            .build();
        let part = Part { kind: Some(Kind::Audio), channel: Some("sound".into()) };
        let expected = Visit { authority: "desk.example:8443".into(), secure: true, offered: None, part };
        assert_eq!(visit(&options), Ok(expected));
        assert_eq!(visit(&gst::Structure::new_empty("options")), Ok(Visit::default()));
    }

    #[test]
    fn options_of_an_end_say_why_in_words_and_by_name() {
        gst::init().unwrap();
        let options = gst::Structure::builder("options")
            .field("reason", "time is up")
            .field("cause", "timeout")
            .build();
        let bye = Bye { reason: "time is up".into(), cause: Some(EndCause::Timeout) };
        assert_eq!(farewell(&options), Ok(bye));
        let options = gst::Structure::builder("options").field("cause", "fatigue").build();
        assert!(farewell(&options).unwrap_err().contains("stopped, loggedOut, timeout"));
        let options = gst::Structure::builder("options").field("mood", "sad").build();
        assert!(farewell(&options).unwrap_err().contains("reason and cause"));
    }

    #[test]
    fn options_that_are_wrong_are_named_with_what_is_accepted() {
        gst::init().unwrap();
        let refused = |name: &str, value: glib::SendValue| {
            let mut options = gst::Structure::new_empty("options");
            options.set_value(name, value);
            visit(&options).unwrap_err()
        };
        assert!(refused("media", "smell".to_send_value()).contains("video or audio"));
        assert!(refused("secure", "yes".to_send_value()).contains("boolean"));
        assert!(refused("data-channel", "".to_send_value()).contains("not empty"));
        let unknown = refused("colour", 1.to_send_value());
        assert!(unknown.contains("colour") && unknown.contains("authority"), "{unknown}");
    }
}
