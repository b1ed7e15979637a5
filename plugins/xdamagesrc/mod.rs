//! Setup: X11 capture that wakes on damage. Refuses nothing yet: so far there is only what turns pixels into frames.

pub mod pixels;
