//! `xdamagesrc` on X servers of its own: what is drawn there is what comes out, when it changes and only then.

mod cursor;
mod desktop;
mod endurance;
mod pixels;
mod quiet;
mod resize;
mod servers;
mod stream;
mod window;

use std::time::Duration;

/// Limit of every wait for something that must happen. The machine may be busy with other things.
const LIMIT: Duration = Duration::from_secs(30);

/// Long enough for something that must not happen to happen: many frames at any rate.
const SILENCE: Duration = Duration::from_millis(700);
