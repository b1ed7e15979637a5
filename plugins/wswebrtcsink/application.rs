//! Shell: the consumers whose messages the application carries, by the sink's signals.

use super::{
    consumer::Visit,
    imp::{CAT, WsWebRtcSink},
    runtime::runtime,
};
use gst::subclass::prelude::*;
use vdi_protocol::signalling::ToConsumer;

/// Messages that may wait for an application's signal handler.
const APPLICATION_OUTBOX: usize = 256;

impl WsWebRtcSink {
    /// Opens a consumer whose messages the application carries.
    pub fn open_consumer(&self, id: &str) -> bool {
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
        match self.hub().open_consumer(id, Visit::default(), outgoing) {
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

    /// The application ends a consumer.
    pub fn close_consumer(&self, id: &str, reason: &str) {
        self.hub().stop_consumer(id, reason);
    }
}
