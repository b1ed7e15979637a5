//! Examples of what a sink that dials out and its broker say to each other.

use super::check;
use vdi_protocol::{
    broker::{FromBroker, ToBroker},
    signalling::{FromConsumer, ToConsumer},
};

#[test]
fn broker_messages_stand_on_the_wire_as_in_the_golden_files() {
    check(
        "broker.toBroker",
        &[
            ToBroker::Register { version: 1, consumers: vec!["alice".into()] },
            ToBroker::Consumer {
                consumer: "alice".into(),
                message: ToConsumer::Offer { sdp: "v=0\r\n".into() },
            },
            ToBroker::ConsumerRemoved { consumer: "alice".into() },
        ],
    );
    check(
        "broker.fromBroker",
        &[
            FromBroker::Registered,
            FromBroker::ConsumerAdded { consumer: "alice".into() },
            FromBroker::Consumer {
                consumer: "alice".into(),
                message: FromConsumer::Hello {
                    version: 1,
                    client: None,
                    watches: false,
                    session: None,
                    decodes: Vec::new(),
                    full_chroma: Vec::new(),
                    surround: false,
                },
            },
            FromBroker::ConsumerRemoved { consumer: "alice".into() },
            FromBroker::Refused { reason: "unknown token".into() },
        ],
    );
}
