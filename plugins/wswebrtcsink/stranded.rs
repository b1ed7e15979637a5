//! Shell: what becomes of consumers when the codec changes. What was negotiated holds for a connection's whole life, so each
//! needs another one. A page makes it by itself, and keeps its last picture until the first of the new codec is there; whoever
//! does not is told good-bye.

use super::{
    consumer::{Consumer, negotiation::Input},
    hub::{Hub, lock},
    payload::Kind,
    producer::Producer,
    runtime::runtime,
};
use std::{sync::Arc, time::Duration};

/// Time that a consumer has for another connection: what one takes that gets through at all.
const GRACE: Duration = Duration::from_secs(15);

const WORDS: &str = "the video has another codec from now on, which takes another connection";

/// Whether it waits for video that does not come any more.
fn is_stranded(consumer: &Consumer, video: &Producer) -> bool {
    let now = video.stream().payload().map(|row| row.media_type);
    !consumer.is_replaced()
        && consumer.video.get().is_some_and(|negotiated| now.is_some_and(|now| now != *negotiated))
}

impl Hub {
    /// The caps have changed.
    pub fn close_stranded(&self) {
        for video in self.producers().into_iter().filter(|producer| producer.kind() == Kind::Video) {
            let stranded: Vec<Arc<Consumer>> = lock(&self.consumers)
                .places
                .living()
                .filter(|one| is_stranded(one, &video))
                .cloned()
                .collect();
            // One that has made the offer itself cannot be told of another.
            let (told, others): (Vec<_>, Vec<_>) =
                stranded.into_iter().partition(|consumer| consumer.visit.offered.is_none());
            others.iter().for_each(|consumer| consumer.input(Input::Stop(WORDS.into())));
            if told.is_empty() {
                continue;
            }
            runtime().spawn(async move {
                tokio::time::sleep(GRACE).await;
                for consumer in told.iter().filter(|consumer| is_stranded(consumer, &video)) {
                    consumer.input(Input::Stop(WORDS.into()));
                }
            });
        }
    }
}
