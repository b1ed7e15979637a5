//! Decision: where the session stands. (state, event, now) → actions; no clock, no I/O. It has one owner; others watch.
//!
//! ```text
//!            ready        a page connects      no input for long
//! Starting ─────────▶ Ready ─────────▶ Streaming ─────────▶ Idle
//!     │                 ▲                │    ▲               │ │
//!     │                 └────────────────┘    └───── input ───┘ │   the last page leaves: Ready
//!     │◀── the display is gone: wait for it, capture it again ──┤
//!     ├──── stop asked, or the desktop's command has ended ─────┴──▶ Draining ─▶ Ended
//!     └──── a failure, from any phase but the last three ──────────▶ Failed{reason}
//! ```

use crate::error::Error;
use std::time::Duration;
use vdi_protocol::{
    phase::Phase,
    reason::{EndCause, FailureReason},
};

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Display, pipeline and encoder have shown that they work.
    Proven,
    /// The number of pages is now this.
    Pages {
        /// Pages that have said hello.
        present: usize,
        /// Pages whose media path is up.
        connected: usize,
    },
    /// Whether the session is being recorded.
    Recorded(bool),
    /// The controller acted.
    Input,
    /// Time has passed.
    Tick,
    /// The X display has died, or cannot be captured any more.
    DisplayLost(Error),
    /// The X display answers.
    DisplayReached,
    /// Somebody asked for the end, and why.
    Stop(End),
    /// Something without which there is no session has failed.
    Failed(Error),
    /// All pages are told and all children have ended.
    Drained,
}

/// Why a session ends that has not failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// For pages, which say it in their users' languages.
    pub cause: EndCause,
    /// A sentence, for people.
    pub why: String,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Tell the watchers and the pages.
    Announce,
    /// Let frames flow, or stop capture and encoding.
    Media(bool),
    /// Begin to capture anew: the display is another one behind the same name.
    Recapture,
    /// Begin the end: pages, keys, children, sockets.
    Drain,
}

/// State of the session.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    failure: Option<Error>,
    end: Option<EndCause>,
    message: Option<String>,
    present: usize,
    connected: usize,
    /// A recording watches as well.
    recorded: bool,
    media: bool,
    last_input: Duration,
    idle_after: Option<Duration>,
    /// How long a display that is gone is waited for.
    patience: Duration,
    /// The display is gone: why, and since when.
    lost: Option<(Error, Duration)>,
    /// It has worked once.
    proven: bool,
}

impl Session {
    /// A session that starts. Media flow until it is proven.
    pub fn new(idle_after: Option<Duration>, patience: Duration) -> Self {
        Self {
            phase: Phase::Starting,
            failure: None,
            end: None,
            message: None,
            present: 0,
            connected: 0,
            recorded: false,
            media: true,
            last_input: Duration::ZERO,
            idle_after,
            patience,
            lost: None,
            proven: false,
        }
    }

    /// Since when the display has been gone.
    pub fn lost_since(&self) -> Option<Duration> {
        self.lost.as_ref().map(|(_, since)| *since)
    }

    /// Whether sound is wanted: of a session that has worked once, while anybody is there, be it only a recording. Frames flow
    /// besides while it is proven that they can.
    pub fn is_heard(&self) -> bool {
        self.proven && self.is_attended()
    }

    fn is_attended(&self) -> bool {
        self.present > 0 || self.recorded
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Why it failed, if it did.
    pub fn reason(&self) -> Option<FailureReason> {
        self.failure.as_ref().map(|failure| failure.reason)
    }

    /// Why it ends, if it does and has not failed.
    pub fn end(&self) -> Option<EndCause> {
        self.end
    }

    /// A sentence about it.
    pub fn message(&self) -> Option<String> {
        self.message.clone()
    }

    /// How it ended; to be asked after [`Action::Drain`].
    pub fn outcome(&self) -> Result<(), Error> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Takes one event at `now`.
    pub fn handle(&mut self, event: Event, now: Duration) -> Vec<Action> {
        if matches!(self.phase, Phase::Ended | Phase::Failed) {
            return Vec::new();
        }
        match event {
            Event::Failed(error) if self.phase != Phase::Draining => return self.fail(error),
            // What has never worked is not going to come back.
            Event::DisplayLost(error) if !self.proven && self.phase != Phase::Draining => {
                return self.fail(error);
            }
            Event::DisplayLost(error) if self.phase != Phase::Draining && self.lost.is_none() => {
                // What to do about it, which may follow, is being done.
                let what = error.message.split_once(". ").map_or(error.message.as_str(), |(what, _)| what);
                self.message = Some(format!("{what}; waiting for it to come back"));
                self.lost = Some((error, now));
                self.phase = Phase::Starting;
                // It is proven anew, whether somebody watches or not.
                self.media = true;
                return vec![Action::Announce, Action::Media(true)];
            }
            Event::DisplayReached if self.lost.is_some() => return vec![Action::Recapture],
            Event::Tick if self.has_waited_enough(now) => {
                if let Some((error, _)) = self.lost.take() {
                    return self.fail(error);
                }
            }
            Event::Stop(End { cause, why }) if self.phase != Phase::Draining => {
                self.end = Some(cause);
                self.message = Some(why);
                self.phase = Phase::Draining;
                return vec![Action::Announce, Action::Drain];
            }
            Event::Drained if self.phase == Phase::Draining => {
                self.phase = Phase::Ended;
                return vec![Action::Announce];
            }
            Event::Proven if self.phase == Phase::Starting => {
                self.phase = Phase::Ready;
                self.proven = true;
                self.lost = None;
                self.message = None;
            }
            Event::Pages { present, connected } => {
                if connected > self.connected {
                    self.last_input = now;
                }
                (self.present, self.connected) = (present, connected);
            }
            Event::Recorded(recorded) => self.recorded = recorded,
            Event::Input => self.last_input = now,
            _ => {}
        }
        self.settle(now)
    }

    fn fail(&mut self, error: Error) -> Vec<Action> {
        self.message = Some(error.message.clone());
        self.failure = Some(error);
        self.phase = Phase::Failed;
        vec![Action::Announce, Action::Drain]
    }

    fn has_waited_enough(&self, now: Duration) -> bool {
        self.lost_since().is_some_and(|since| now.saturating_sub(since) >= self.patience)
    }

    /// Ready, Streaming and Idle follow from the pages and the last input; media follow from all of it.
    fn settle(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        if matches!(self.phase, Phase::Ready | Phase::Streaming | Phase::Idle) {
            let idle = self.idle_after.is_some_and(|limit| now.saturating_sub(self.last_input) >= limit);
            let next = match (self.connected, idle) {
                (0, _) => Phase::Ready,
                (_, false) => Phase::Streaming,
                (_, true) => Phase::Idle,
            };
            if next != self.phase {
                self.phase = next;
                actions.push(Action::Announce);
            }
            let media = self.is_attended();
            if media != self.media {
                self.media = media;
                actions.push(Action::Media(media));
            }
        }
        actions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ready() -> Session {
        let mut session = Session::new(Some(s(300)), s(30));
        session.handle(Event::Proven, s(1));
        session
    }

    fn streaming() -> Session {
        let mut session = ready();
        session.handle(Event::Pages { present: 1, connected: 0 }, s(2));
        session.handle(Event::Pages { present: 1, connected: 1 }, s(3));
        session
    }

    #[test]
    fn capture_stops_once_proven_and_starts_with_the_first_page() {
        let mut session = Session::new(None, s(30));
        assert_eq!(session.handle(Event::Proven, s(1)), [Action::Media(false)]);
        assert_eq!(session.phase(), Phase::Ready);
        assert_eq!(session.handle(Event::Pages { present: 1, connected: 0 }, s(2)), [Action::Media(true)]);
        assert_eq!(session.handle(Event::Pages { present: 1, connected: 1 }, s(2)), [Action::Announce]);
        assert_eq!(session.phase(), Phase::Streaming);
        assert_eq!(
            session.handle(Event::Pages { present: 0, connected: 0 }, s(9)),
            [Action::Announce, Action::Media(false)]
        );
        assert_eq!(session.phase(), Phase::Ready);
    }

    #[test]
    fn a_page_that_comes_before_the_proof_finds_frames_that_flow_and_hears_as_well() {
        let mut session = Session::new(None, s(30));
        session.handle(Event::Pages { present: 1, connected: 0 }, s(1));
        assert!(!session.is_heard(), "there is no clock yet");
        assert!(session.handle(Event::Proven, s(2)).is_empty(), "nothing has to begin that has not stopped");
        assert!(session.is_heard());
        session.handle(Event::Pages { present: 0, connected: 0 }, s(3));
        assert!(!session.is_heard());
    }

    #[test]
    fn recording_is_somebody_who_watches_and_no_page() {
        let mut session = ready();
        assert_eq!(session.handle(Event::Recorded(true), s(2)), [Action::Media(true)]);
        assert_eq!(session.phase(), Phase::Ready);
        session.handle(Event::Pages { present: 1, connected: 1 }, s(3));
        assert_eq!(session.handle(Event::Pages { present: 0, connected: 0 }, s(4)), [Action::Announce]);
        assert_eq!(session.handle(Event::Recorded(false), s(5)), [Action::Media(false)]);
    }

    #[test]
    fn idle_comes_after_its_time_without_input_and_goes_with_the_next_input() {
        let mut session = streaming();
        session.handle(Event::Input, s(100));
        session.handle(Event::Tick, s(399));
        assert_eq!(session.phase(), Phase::Streaming);
        session.handle(Event::Tick, s(400));
        assert_eq!(session.phase(), Phase::Idle);
        assert_eq!(session.handle(Event::Input, s(401)), [Action::Announce]);
        assert_eq!(session.phase(), Phase::Streaming);
    }

    #[test]
    fn page_that_connects_after_a_long_quiet_time_is_not_idle_at_once() {
        let mut session = ready();
        session.handle(Event::Pages { present: 1, connected: 1 }, s(1000));
        session.handle(Event::Tick, s(1001));
        assert_eq!(session.phase(), Phase::Streaming);
    }

    #[test]
    fn failure_ends_it_from_any_live_phase_and_the_first_reason_stays() {
        for mut session in [Session::new(None, s(30)), ready(), streaming()] {
            let actions = session.handle(Event::Failed(Error::display("gone")), s(5));
            assert_eq!(actions, [Action::Announce, Action::Drain]);
            session.handle(Event::Failed(Error::pipeline("later")), s(6));
            session.handle(stop(), s(6));
            assert_eq!(
                (session.phase(), session.reason(), session.end()),
                (Phase::Failed, Some(FailureReason::DisplayUnavailable), None)
            );
            assert_eq!(session.outcome(), Err(Error::display("gone")));
        }
    }

    #[test]
    fn display_that_comes_back_is_captured_anew_and_the_session_goes_on() {
        let mut session = streaming();
        let lost = session.handle(Event::DisplayLost(Error::display("gone. Start it again")), s(5));
        assert_eq!(lost, [Action::Announce, Action::Media(true)]);
        assert_eq!((session.phase(), session.reason()), (Phase::Starting, None));
        assert_eq!(session.message().as_deref(), Some("gone; waiting for it to come back"));
        assert!(session.handle(Event::DisplayLost(Error::display("again")), s(6)).is_empty());
        assert_eq!(session.handle(Event::DisplayReached, s(7)), [Action::Recapture]);
        // It is not proven before a frame has come.
        assert_eq!(session.phase(), Phase::Starting);
        assert_eq!(session.handle(Event::Proven, s(8)), [Action::Announce]);
        assert_eq!((session.phase(), session.message()), (Phase::Streaming, None));
        assert!(session.handle(Event::DisplayReached, s(9)).is_empty(), "nothing was lost");
    }

    #[test]
    fn display_that_stays_away_fails_the_session_and_one_that_never_worked_at_once() {
        let mut session = streaming();
        session.handle(Event::DisplayLost(Error::display("gone")), s(5));
        session.handle(Event::DisplayReached, s(20));
        assert!(session.handle(Event::Tick, s(34)).is_empty());
        assert_eq!(session.handle(Event::Tick, s(35)), [Action::Announce, Action::Drain]);
        assert_eq!(session.outcome(), Err(Error::display("gone")));
        let mut session = Session::new(None, s(30));
        session.handle(Event::DisplayLost(Error::display("gone")), s(5));
        assert_eq!(session.outcome(), Err(Error::display("gone")));
    }

    #[test]
    fn stop_drains_once_and_what_breaks_on_the_way_out_is_no_failure() {
        let mut session = streaming();
        assert_eq!(session.handle(stop(), s(5)), [Action::Announce, Action::Drain]);
        assert!(session.handle(stop(), s(5)).is_empty());
        assert!(session.handle(Event::Failed(Error::display("gone")), s(5)).is_empty());
        assert_eq!(session.handle(Event::Drained, s(6)), [Action::Announce]);
        assert_eq!((session.phase(), session.outcome()), (Phase::Ended, Ok(())));
        assert_eq!(session.end(), Some(EndCause::Stopped));
    }

    fn stop() -> Event {
        Event::Stop(End { cause: EndCause::Stopped, why: "SIGTERM".into() })
    }
}
