//! Decision: which limit of the session is coming, so that its pages are warned, and which one has struck, so that its
//! end can be explained. (limits, activity, now) → words; it ends nothing: that is the operator's, and its alone.

use crate::{notices, session::End};
use jiff::Timestamp;
use std::time::Duration;
use vdi_protocol::{
    control::SessionLimit, notice::Notice, reason::EndCause, session_limits::SessionLimits,
    status::LimitsStatus,
};

/// How long before its end a session is warned.
const LEAD: Duration = Duration::from_secs(300);
/// The same for a limit of at most [`SHORT`].
const SHORT_LEAD: Duration = Duration::from_secs(60);
/// What counts as a short limit.
const SHORT: Duration = Duration::from_secs(1800);
/// By how much the operator's clock may be ahead of this one.
const SKEW: Duration = Duration::from_secs(5);

/// What happens in the session, on the clock of the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Activity {
    /// The last key, button, wheel or motion.
    pub last_input: Option<Duration>,
    /// Since when no page is connected.
    pub alone_since: Option<Duration>,
}

/// A limit that is coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coming {
    /// The limit.
    pub limit: SessionLimit,
    /// When, on the clock of the process.
    pub due: Duration,
    /// By how much whoever is in control may put it off.
    pub extension: Option<Duration>,
}

/// By how much whoever is in control may extend the longest time, and how often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extensions {
    /// What one of them adds.
    pub by: Duration,
    /// How many there are.
    pub count: u32,
}

/// The limits as they were told last.
#[derive(Debug, Default)]
pub struct Limits {
    told: SessionLimits,
    expires_at: Option<Timestamp>,
    /// From when on input and pages count: a desktop may have waited long for its user.
    since: Duration,
    extensions: Extensions,
    /// How many were taken.
    taken: u32,
}

impl Limits {
    /// No limits yet; what comes may be extended so.
    pub fn new(extensions: Extensions) -> Self {
        Self { extensions, ..Self::default() }
    }

    /// Takes what the operator says now. What cannot be read leaves the limits as they were.
    pub fn tell(&mut self, json: &[u8], now: Duration) -> Result<(), String> {
        let told: SessionLimits = match json.trim_ascii() {
            b"" => SessionLimits::default(),
            json => serde_json::from_slice(json).map_err(|err| format!("limits of the session: {err}"))?,
        };
        let expires_at = told.expires_at.as_deref().map(str::parse).transpose();
        let expires_at = expires_at.map_err(|err| format!("limits of the session: expiresAt: {err}"))?;
        let had =
            self.told.idle_timeout_seconds.is_some() || self.told.disconnected_timeout_seconds.is_some();
        if !had {
            self.since = now;
        }
        (self.told, self.expires_at) = (told, expires_at);
        // What an earlier process of this session has granted is not to be had again.
        let granted =
            self.told.extended_seconds.checked_div(self.extensions.by.as_secs()).unwrap_or_default();
        self.taken = self.taken.max(u32::try_from(granted).unwrap_or(u32::MAX));
        Ok(())
    }

    /// The page in control would have the longest time extended. Granted only while its end is near and one is left, so that two
    /// clicks are not two extensions.
    pub fn extend(&mut self, now: Duration, wall: Timestamp) -> bool {
        let [expires, ..] = self.dues(Activity::default(), now, wall);
        let near =
            expires.is_some_and(|(coming, lead)| coming.extension.is_some() && now + lead >= coming.due);
        self.taken += u32::from(near);
        near
    }

    /// As `/status` shows them.
    pub fn status(&self) -> LimitsStatus {
        LimitsStatus {
            expires_at: self.expires_at().map(|at| at.to_string()),
            idle_timeout_seconds: self.told.idle_timeout_seconds,
            disconnected_timeout_seconds: self.told.disconnected_timeout_seconds,
            extended_seconds: self.extended().as_secs(),
            extension_seconds: self.extensions.by.as_secs(),
            extensions_left: self.left(),
        }
    }

    fn left(&self) -> u32 {
        let left = self.extensions.count.saturating_sub(self.taken);
        let Some(most) = self.told.most_extended_seconds else { return left };
        let room = most.saturating_sub(self.extended().as_secs());
        let fit = room.checked_div(self.extensions.by.as_secs()).unwrap_or_default();
        left.min(u32::try_from(fit).unwrap_or(u32::MAX))
    }

    fn extended(&self) -> Duration {
        self.extensions.by.saturating_mul(self.taken)
    }

    /// When the longest time is over, with what was added to it.
    fn expires_at(&self) -> Option<Timestamp> {
        let added = self.extended().saturating_sub(Duration::from_secs(self.told.extended_seconds));
        self.expires_at.map(|at| at.checked_add(added).unwrap_or(Timestamp::MAX))
    }

    /// When each limit comes due, with the time for which it warns.
    fn dues(&self, activity: Activity, now: Duration, wall: Timestamp) -> [Option<(Coming, Duration)>; 3] {
        let span = |seconds: Option<u64>| seconds.map(Duration::from_secs);
        let lead = |limit: Duration| if limit > SHORT { LEAD } else { SHORT_LEAD.min(limit / 2) };
        let extension = (self.left() > 0).then_some(self.extensions.by);
        let expires = self.expires_at().map(|at| {
            let left = at.duration_since(wall);
            let due = match Duration::try_from(left) {
                Ok(left) => now + left,
                Err(_) => now.saturating_sub(left.unsigned_abs()),
            };
            (Coming { limit: SessionLimit::Timeout, due, extension }, LEAD)
        });
        let idle = span(self.told.idle_timeout_seconds).map(|limit| {
            let from = activity.last_input.unwrap_or_default().max(self.since);
            (
                Coming { limit: SessionLimit::Idle, due: from.saturating_add(limit), extension: None },
                lead(limit),
            )
        });
        let disconnected = span(self.told.disconnected_timeout_seconds).zip(activity.alone_since);
        let disconnected = disconnected.map(|(limit, since)| {
            let due = since.max(self.since).saturating_add(limit);
            (Coming { limit: SessionLimit::Disconnected, due, extension: None }, lead(limit))
        });
        [expires, idle, disconnected]
    }

    /// The limit that pages are to be warned of, if it is time.
    pub fn coming(&self, activity: Activity, now: Duration, wall: Timestamp) -> Option<Coming> {
        let near = self.dues(activity, now, wall).into_iter().flatten();
        // Of the third nobody is there to be told.
        let near = near
            .filter(|(coming, lead)| coming.limit != SessionLimit::Disconnected && now + *lead >= coming.due);
        near.map(|(coming, _)| coming).min_by_key(|coming| coming.due)
    }

    /// What is said of the end, if a limit has struck.
    pub fn struck(&self, activity: Activity, now: Duration, wall: Timestamp) -> Option<End> {
        let struck = self.dues(activity, now, wall).into_iter().flatten();
        let struck =
            struck.filter(|(coming, _)| now + SKEW >= coming.due).min_by_key(|(coming, _)| coming.due);
        let (cause, why) = match struck?.0.limit {
            SessionLimit::Timeout => {
                (EndCause::Timeout, "the session has reached its longest time".to_owned())
            }
            SessionLimit::Idle => {
                let seconds = self.told.idle_timeout_seconds.unwrap_or_default();
                (EndCause::Idle, format!("nobody used the desktop for {}", words(seconds)))
            }
            SessionLimit::Disconnected => {
                let seconds = self.told.disconnected_timeout_seconds.unwrap_or_default();
                (EndCause::Disconnected, format!("nobody was connected for {}", words(seconds)))
            }
        };
        Some(End { cause, why })
    }

    /// What one is told who comes back to a desktop that would not have waited much longer.
    pub fn welcome_back(&self, alone_for: Duration) -> Option<Notice> {
        let limit = self.told.disconnected_timeout_seconds?;
        let seconds = alone_for.as_secs();
        (seconds * 2 >= limit).then(|| notices::left_alone(seconds, limit))
    }
}

/// A span as people say it, in its largest unit.
pub fn words(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        _ => (seconds / 3600, "hour"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn wall() -> Timestamp {
        "2026-03-01T09:00:00Z".parse().unwrap()
    }

    fn limits(json: &str) -> Limits {
        let mut limits = Limits::default();
        limits.tell(json.as_bytes(), s(0)).unwrap();
        limits
    }

    fn input(at: u64) -> Activity {
        Activity { last_input: Some(s(at)), alone_since: None }
    }

    #[test]
    fn idle_is_announced_a_minute_or_five_before_and_taken_back_by_a_key() {
        let short = limits(r#"{"idleTimeoutSeconds": 600}"#);
        assert_eq!(short.coming(input(100), s(639), wall()), None);
        let coming = Some(Coming { limit: SessionLimit::Idle, due: s(700), extension: None });
        assert_eq!(short.coming(input(100), s(640), wall()), coming);
        assert_eq!(short.coming(input(641), s(642), wall()), None);
        let long = limits(r#"{"idleTimeoutSeconds": 3600}"#);
        assert_eq!(long.coming(input(0), s(3299), wall()), None);
        assert!(long.coming(input(0), s(3300), wall()).is_some());
        assert!(limits(r#"{"idleTimeoutSeconds": 20}"#).coming(input(0), s(9), wall()).is_none());
    }

    #[test]
    fn longest_time_is_announced_by_the_wall_clock_and_the_nearer_limit_first() {
        let both = limits(r#"{"expiresAt": "2026-03-01T09:04:00Z", "idleTimeoutSeconds": 3600}"#);
        let coming = Some(Coming { limit: SessionLimit::Timeout, due: s(340), extension: None });
        assert_eq!(both.coming(input(0), s(100), wall()), coming);
        assert_eq!(both.coming(input(0), s(3500), wall()).unwrap().limit, SessionLimit::Idle);
        let far = limits(r#"{"expiresAt": "2026-03-01T09:05:01Z"}"#);
        assert_eq!(far.coming(input(0), s(100), wall()), None);
    }

    fn extensible(json: &str) -> Limits {
        let mut limits = Limits::new(Extensions { by: s(1800), count: 2 });
        limits.tell(json.as_bytes(), s(0)).unwrap();
        limits
    }

    #[test]
    fn longest_time_is_extended_when_its_end_is_near_and_as_often_as_the_operator_allows() {
        let mut limits = extensible(r#"{"expiresAt": "2026-03-01T09:04:00Z"}"#);
        let coming = Some(Coming { limit: SessionLimit::Timeout, due: s(340), extension: Some(s(1800)) });
        assert_eq!(limits.coming(input(0), s(100), wall()), coming);
        assert!(limits.extend(s(100), wall()));
        assert_eq!(limits.coming(input(0), s(100), wall()), None);
        assert!(!limits.extend(s(100), wall()), "the second of two clicks finds the end far away");
        let status = limits.status();
        assert_eq!(status.expires_at.as_deref(), Some("2026-03-01T09:34:00Z"));
        assert_eq!(
            (status.extended_seconds, status.extension_seconds, status.extensions_left),
            (1800, 1800, 1)
        );
        let later: Timestamp = "2026-03-01T09:30:00Z".parse().unwrap();
        assert!(limits.extend(s(1660), later));
        let last: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        assert_eq!(limits.coming(input(0), s(3460), last).unwrap().extension, None);
        assert!(!limits.extend(s(3460), last));
        assert_eq!(limits.status().extended_seconds, 3600);
    }

    #[test]
    fn nothing_is_extended_unless_the_operator_allows_it_nor_another_limit() {
        assert!(!limits(r#"{"expiresAt": "2026-03-01T09:04:00Z"}"#).extend(s(100), wall()));
        let mut idle = extensible(r#"{"idleTimeoutSeconds": 600}"#);
        assert_eq!(idle.coming(input(0), s(590), wall()).unwrap().extension, None);
        assert!(!idle.extend(s(590), wall()));
    }

    #[test]
    fn extension_that_the_operator_has_taken_into_account_does_not_count_twice() {
        let mut limits = extensible(r#"{"expiresAt": "2026-03-01T09:04:00Z"}"#);
        assert!(limits.extend(s(0), wall()));
        let moved = br#"{"expiresAt": "2026-03-01T09:34:00Z", "extendedSeconds": 1800}"#;
        limits.tell(moved, s(1)).unwrap();
        assert_eq!(limits.status().expires_at.as_deref(), Some("2026-03-01T09:34:00Z"));
        // Nor does a launcher that was started anew grant it again.
        let anew = extensible(r#"{"expiresAt": "2026-03-01T09:34:00Z", "extendedSeconds": 1800}"#);
        assert_eq!(anew.status(), limits.status());
    }

    #[test]
    fn operator_that_has_less_to_give_than_when_the_session_began_says_so() {
        let left = |most: u64| {
            let limits = format!(r#"{{"expiresAt": "2026-03-01T09:04:00Z", "mostExtendedSeconds": {most}}}"#);
            extensible(&limits).status().extensions_left
        };
        assert_eq!([0, 1799, 1800, 86_400].map(left), [0, 0, 1, 2], "two are all that there are");
        let taken = extensible(r#"{"extendedSeconds": 1800, "mostExtendedSeconds": 1800}"#);
        assert_eq!(taken.status().extensions_left, 0);
    }

    #[test]
    fn end_is_explained_by_the_limit_that_struck_and_by_none_if_none_did() {
        let idle = limits(r#"{"idleTimeoutSeconds": 600, "disconnectedTimeoutSeconds": 7200}"#);
        assert_eq!(idle.struck(input(0), s(590), wall()), None);
        let said = |cause, why: &str| Some(End { cause, why: why.into() });
        let long = said(EndCause::Idle, "nobody used the desktop for 10 minutes");
        assert_eq!(idle.struck(input(0), s(601), wall()), long);
        let alone = Activity { last_input: Some(s(7000)), alone_since: Some(s(0)) };
        let long = said(EndCause::Disconnected, "nobody was connected for 2 hours");
        assert_eq!(idle.struck(alone, s(7200), wall()), long);
        let over = limits(r#"{"expiresAt": "2026-03-01T08:59:00Z"}"#);
        let long = said(EndCause::Timeout, "the session has reached its longest time");
        assert_eq!(over.struck(input(9), s(10), wall()), long);
    }

    #[test]
    fn desktop_that_waited_for_its_user_counts_from_when_it_was_told_its_limits() {
        let mut limits = limits("{}");
        limits.tell(br#"{"idleTimeoutSeconds": 600}"#, s(5000)).unwrap();
        assert_eq!(limits.struck(Activity::default(), s(5500), wall()), None);
        // A limit that moves later does not begin the count anew.
        limits.tell(br#"{"idleTimeoutSeconds": 700}"#, s(5600)).unwrap();
        assert!(limits.struck(Activity::default(), s(5700), wall()).is_some());
    }

    #[test]
    fn what_cannot_be_read_leaves_the_limits_as_they_were() {
        let mut limits = limits(r#"{"idleTimeoutSeconds": 600}"#);
        assert!(limits.tell(b"{\"idle", s(1)).is_err());
        assert!(limits.tell(br#"{"expiresAt": "soon"}"#, s(1)).unwrap_err().contains("expiresAt"));
        assert!(limits.struck(input(0), s(600), wall()).is_some());
        limits.tell(b"\n", s(2)).unwrap();
        assert_eq!(limits.struck(input(0), s(600), wall()), None);
    }

    #[test]
    fn who_comes_back_late_is_told() {
        let limits = limits(r#"{"disconnectedTimeoutSeconds": 600}"#);
        assert_eq!(limits.welcome_back(s(299)), None);
        assert_eq!(limits.welcome_back(s(420)), Some(notices::left_alone(420, 600)));
    }
}
