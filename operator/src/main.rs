//! Setup: parses the options, starts telemetry, and runs the controllers until it is told to stop.

use std::io::Write;
use vdi_operator::api;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for crd in api::crds() {
        writeln!(std::io::stdout(), "---\n{}", api::yaml(&crd)?)?;
    }
    Ok(())
}
