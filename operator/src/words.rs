//! Decision: how the log writes names of sessions, spans of time and numbers of things: one way each.

use kube::ResourceExt;
use std::time::Duration;

/// A session or another object of a namespace: `namespace/name`.
pub fn full_name(object: &impl ResourceExt) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

/// A span of time, as exactly as somebody reads it: `0.5 s`, `12 s`.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds < 9.95 { format!("{:.1} s", seconds.max(0.1)) } else { format!("{seconds:.0} s") }
}

/// So many of a thing: `1 session`, `2 sessions`.
pub fn many(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data;

    #[test]
    fn a_log_is_written_for_people() {
        assert_eq!(full_name(&test_data::session("{}")), "team-a/work");
        let spans = [1, 526, 4_000, 9_960, 12_400].map(|millis| span(Duration::from_millis(millis)));
        assert_eq!(spans, ["0.1 s", "0.5 s", "4.0 s", "10 s", "12 s"]);
        assert_eq!([0, 1, 2].map(|count| many(count, "session")), ["0 sessions", "1 session", "2 sessions"]);
    }
}
