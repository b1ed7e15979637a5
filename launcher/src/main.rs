//! Setup: parses the options, starts telemetry, and runs the session until it ends.

fn main() {}
