//! The wire: signalling through a broker that the sink dials (`uri=wss://…`), many consumers over one WebSocket.
//!
//! A broker is any server that relays. The sink registers, the broker announces each consumer under a name of its
//! choosing, and both then wrap that consumer's [`crate::signalling`] messages. When the WebSocket is lost, consumers
//! whose media is connected live on; the sink dials again with back-off and registers with the names it still serves.

use crate::signalling::{FromConsumer, ToConsumer};
use serde::{Deserialize, Serialize};

/// What the sink sends to a broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ToBroker {
    /// First message on each connection.
    Register {
        /// Protocol version ([`crate::VERSION`]).
        version: u32,
        /// Consumers that the sink still serves after a reconnect.
        consumers: Vec<String>,
    },
    /// A message for one consumer.
    Consumer {
        /// The broker's name for the consumer.
        consumer: String,
        /// What the consumer gets.
        message: ToConsumer,
    },
    /// The sink has ended this consumer.
    ConsumerRemoved {
        /// The broker's name for the consumer.
        consumer: String,
    },
}

/// What a broker sends to the sink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FromBroker {
    /// The registration was accepted.
    Registered,
    /// A consumer wants the stream; its `hello` follows as a message.
    ConsumerAdded {
        /// A name that is unique among this sink's consumers.
        consumer: String,
    },
    /// A message from one consumer.
    Consumer {
        /// The consumer's name.
        consumer: String,
        /// What it sent.
        message: FromConsumer,
    },
    /// The consumer has gone.
    ConsumerRemoved {
        /// The consumer's name.
        consumer: String,
    },
    /// The broker refuses; the sink gives up and posts this on its bus.
    Refused {
        /// A sentence, for people.
        reason: String,
    },
}
