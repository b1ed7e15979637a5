//! Decision: who leads, as client-go's leader election decides it: from one Lease, without trusting anybody else's clock.
//!
//! A Lease is free once it has not changed for its own duration *by our clock*, however wrong the time is that stands in
//! it. Every write carries the resource version that was read, so that of two who find it free one wins.
//!
//! ```text
//!            free: take            renewed in time: renew
//!  follow ─────────────────▶ lead ──────────────────────▶ lead
//!     ▲                        │
//!     └────────────────────────┘ somebody else holds it, or it could not be renewed before its duration was over
//! ```

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use std::time::{Duration, Instant};

/// A Lease as it was when it last changed, and when this process saw that.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    last: Option<(Option<String>, Instant)>,
}

/// What to do about the Lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Write this; who succeeds leads.
    Write(LeaseSpec),
    /// Somebody else holds it.
    Follow {
        /// Who it is.
        holder: String,
    },
}

impl Observed {
    /// What to do about the Lease that was just read. `now` is for what is written, `instant` for what is measured.
    pub fn step(
        &mut self,
        lease: &Lease,
        identity: &str,
        duration: Duration,
        now: Timestamp,
        instant: Instant,
    ) -> Step {
        let version = &lease.metadata.resource_version;
        let since = match &self.last {
            Some((last, since)) if last == version => *since,
            _ => {
                self.last = Some((version.clone(), instant));
                instant
            }
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().filter(|holder| !holder.is_empty());
        let term = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let expired = instant.duration_since(since) >= term.map_or(duration, Duration::from_secs);
        match holder {
            Some(holder) if holder != identity && !expired => Step::Follow { holder: holder.to_owned() },
            _ => {
                let ours = holder == Some(identity);
                let transitions = spec.lease_transitions.unwrap_or_default();
                Step::Write(LeaseSpec {
                    holder_identity: Some(identity.to_owned()),
                    lease_duration_seconds: i32::try_from(duration.as_secs()).ok(),
                    acquire_time: if ours { spec.acquire_time } else { Some(MicroTime(now)) },
                    renew_time: Some(MicroTime(now)),
                    lease_transitions: Some(if ours { transitions } else { transitions.saturating_add(1) }),
                    ..LeaseSpec::default()
                })
            }
        }
    }
}

/// What the Lease says once its holder has let go of it: anybody may take it at once.
pub fn released(spec: &LeaseSpec, now: Timestamp) -> LeaseSpec {
    LeaseSpec {
        holder_identity: None,
        lease_duration_seconds: Some(1),
        renew_time: Some(MicroTime(now)),
        lease_transitions: spec.lease_transitions,
        ..LeaseSpec::default()
    }
}

/// How often the holder renews: often enough that two renewals may fail.
pub fn renew_every(duration: Duration) -> Duration {
    duration / 4
}

/// Until when a renewal that was begun at `begun` lets the holder write. It ends before others may take the Lease, by what
/// clocks drift and a request takes.
pub fn leads_until(begun: Instant, duration: Duration) -> Instant {
    begun + duration.mul_f64(0.8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Duration = Duration::from_secs(15);

    fn lease(version: &str, holder: Option<&str>) -> Lease {
        let mut lease = Lease::default();
        lease.metadata.resource_version = Some(version.to_owned());
        lease.spec = Some(LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(15),
            lease_transitions: Some(3),
            ..LeaseSpec::default()
        });
        lease
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant can be had in no other way; only differences count"
    )]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_lease_that_is_renewed_is_left_to_its_holder_whatever_its_clock_says() {
        let (mut observed, start) = (Observed::default(), start());
        for (version, seconds) in [("1", 0), ("2", 14), ("3", 28), ("4", 42)] {
            let at = start + Duration::from_secs(seconds);
            let step = observed.step(&lease(version, Some("other")), "me", TERM, Timestamp::UNIX_EPOCH, at);
            assert_eq!(step, Step::Follow { holder: "other".to_owned() }, "{version}");
        }
    }

    #[test]
    fn a_lease_that_stands_still_for_its_term_is_taken() {
        let (mut observed, start) = (Observed::default(), start());
        let held = lease("1", Some("other"));
        assert!(matches!(
            observed.step(&held, "me", TERM, Timestamp::UNIX_EPOCH, start),
            Step::Follow { .. }
        ));
        let Step::Write(spec) =
            observed.step(&held, "me", TERM, Timestamp::UNIX_EPOCH, start + Duration::from_secs(15))
        else {
            panic!("it was not taken");
        };
        assert_eq!(spec.holder_identity.as_deref(), Some("me"));
        assert_eq!(spec.lease_transitions, Some(4));
    }

    #[test]
    fn the_holder_renews_and_a_released_lease_is_taken_at_once() {
        let (mut observed, start) = (Observed::default(), start());
        for (held, transitions) in [(lease("1", Some("me")), 3), (lease("2", None), 4)] {
            let Step::Write(spec) = observed.step(&held, "me", TERM, Timestamp::UNIX_EPOCH, start) else {
                panic!("it was not written");
            };
            assert_eq!(spec.lease_transitions, Some(transitions));
        }
    }

    #[test]
    fn the_holder_stops_before_others_may_begin() {
        let start = start();
        assert!(leads_until(start, TERM) < start + TERM);
        assert!(renew_every(TERM) * 3 < leads_until(start, TERM) - start + renew_every(TERM));
    }
}
