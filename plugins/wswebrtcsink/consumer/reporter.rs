//! Shell: carries what a consumer's pipeline tells to where it belongs: to the consumer's own task, to the encoder, to the
//! application, and back to the page.

use super::{CAT, Consumer, VIEW, json, negotiation::Input, pipeline::Reports};
use crate::wswebrtcsink::{frames::Beyond, hub::Hub, runtime::runtime};
use gst::prelude::*;
use std::sync::{Arc, PoisonError, atomic::Ordering};
use vdi_protocol::{
    control::{FromPage, PageStats, ToPage},
    latency::FrameReports,
    parse,
};

/// Carries reports of a pipeline to where they belong.
pub struct Reporter {
    /// Where what concerns others goes.
    pub hub: Arc<Hub>,
    /// Whose pipeline it is.
    pub consumer: Arc<Consumer>,
}

impl Reporter {
    /// The page tells what it sees: kept for `stats`, passed on to the encoder, and answered with what it makes of the
    /// latency.
    fn reported(&self, stats: PageStats) {
        let (id, now) = (&self.consumer.id, self.consumer.opened.elapsed());
        let frames = self.consumer.frames.get();
        let view = frames.and_then(|frames| Some((frames.codec(), frames.view(Beyond::of(&stats), VIEW)?)));
        let feedback = {
            let mut reports = self.consumer.page_reports.lock().unwrap_or_else(PoisonError::into_inner);
            reports.feedback(id, &stats, view.as_ref().map(|(_, view)| view.median()), now)
        };
        *self.consumer.page_stats.lock().unwrap_or_else(PoisonError::into_inner) = Some(stats);
        let Some(feedback) = feedback else { return };
        self.hub.send_feedback(&feedback);
        if let Some((codec, view)) = view {
            self.consumer.send_data("control", &json(&ToPage::Latency(view.message(codec))));
        }
    }

    /// The page tells of frames.
    fn shown(&self, reports: &FrameReports) {
        let pause = self.consumer.frames.get().and_then(|frames| frames.reported(reports));
        let Some(pause) = pause else { return };
        gst::info!(CAT, "consumer {} is behind: nothing is sent to it for {pause:?}", self.consumer.id);
        let (hub, consumer) = (self.hub.clone(), self.consumer.clone());
        runtime().spawn(async move {
            tokio::time::sleep(pause).await;
            let reporter = Self { hub, consumer };
            if reporter.wants_key_frame() {
                reporter.hub.request_key_frame();
            }
        });
    }
}

impl Reports for Reporter {
    fn input(&self, input: Input) {
        if let Input::LocalCandidate(found) = &input {
            // Before the page can know of it, so that a relay lets the page's first packet through.
            self.hub.ice_candidate(&self.consumer.id, &found.candidate);
        }
        self.consumer.input(input);
    }

    fn heard(&self) {
        self.consumer.note_heard();
    }

    fn audio(&self, frame: &gst::Sample) {
        // The successor's sound is the consumer's then.
        if self.consumer.replaced.load(Ordering::Relaxed) {
            return;
        }
        if let Some(element) = self.hub.element() {
            element.emit_by_name::<()>("received-audio", &[&self.consumer.id, frame]);
        }
    }

    fn video(&self, frame: &gst::Sample) -> bool {
        // As with the sound.
        if self.consumer.replaced.load(Ordering::Relaxed) {
            return false;
        }
        let element = self.hub.element();
        element.is_some_and(|element| element.emit_by_name("received-video", &[&self.consumer.id, frame]))
    }

    fn wants_key_frame(&self) -> bool {
        self.hub.may_request_key_frame(&self.consumer.id)
    }

    fn network_changed(&self) {
        self.consumer.network_news.notify_one();
    }

    fn malformed(&self, channel: &str) {
        self.consumer.input(Input::Malformed(parse::ParseError::Malformed(format!(
            "binary data on channel \"{channel}\", which takes JSON text"
        ))));
    }

    fn text(&self, channel: &str, text: &str) {
        // First of all: a page takes this for the moment at which its message came.
        let received_us = self.hub.clock_us();
        // What a path that was given up brings late would come between what the new one brings.
        if self.consumer.replaced.load(Ordering::Relaxed) {
            return;
        }
        self.consumer.note_heard();
        let limit = self.hub.max_message_size();
        if text.len() > limit {
            self.consumer.input(Input::Malformed(parse::ParseError::TooLarge { bytes: text.len(), limit }));
            return;
        }
        if channel == "control" {
            match parse::message::<FromPage>(text, limit) {
                Ok(FromPage::Ping { id }) => {
                    if !self.consumer.pings.swap(true, Ordering::Relaxed) {
                        self.consumer.input(Input::Pings);
                    }
                    let pong = ToPage::Pong { id, received_us, sent_us: self.hub.clock_us() };
                    self.consumer.send_data(channel, &json(&pong));
                    return;
                }
                Ok(FromPage::Stats(stats)) => {
                    self.reported(stats);
                    return;
                }
                Ok(FromPage::RequestKeyFrame) => {
                    if self.wants_key_frame() {
                        self.hub.request_key_frame();
                    }
                    return;
                }
                Ok(FromPage::Frames(reports)) => {
                    self.shown(&reports);
                    return;
                }
                // An application may have messages of its own.
                Ok(
                    FromPage::TakeControl
                    | FromPage::Settings(_)
                    | FromPage::Viewport(_)
                    | FromPage::Name { .. }
                    | FromPage::GiveControl { .. }
                    | FromPage::KeepControl
                    | FromPage::Extend
                    | FromPage::Invite { .. }
                    | FromPage::Revoke { .. }
                    | FromPage::Record { .. },
                )
                | Err(_) => {}
            }
        }
        self.hub.data_message(&self.consumer.id, channel, text);
    }
}
