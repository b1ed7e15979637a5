//! Setup: how the session's longest time may be extended, resolved from its options.

use super::checks::Checks;
use crate::{limits::Extensions, options::LimitsOptions};
use std::time::Duration;

/// Least and most that one click adds: after less the end would be near still, and a second of two clicks would add again; more
/// is a session without a limit.
const SECONDS: (u64, u64) = (600, 24 * 3600);
/// Most extensions; none are the default.
const COUNT: (u32, u32) = (0, 1000);

pub(super) fn extensions(checks: &mut Checks, options: &LimitsOptions) -> Extensions {
    let by = Duration::from_secs(checks.number("session-extension", &options.session_extension, SECONDS));
    Extensions { by, count: checks.number("session-extensions", &options.session_extensions, COUNT) }
}
