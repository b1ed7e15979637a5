//! Shell: waiting for facts. Every wait has an end, and says what it saw last when it comes to it.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

/// For what takes moments on a machine with nothing else to do.
pub const SOON: Duration = Duration::from_secs(90);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks again and again until `look` has found what it looks for; what it has not found is told when `limit` is over.
pub async fn until<T, E: Display>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let started = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) if started.elapsed() > limit => {
                panic!("waited {} s in vain for {what}; last seen: {seen}", limit.as_secs())
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
