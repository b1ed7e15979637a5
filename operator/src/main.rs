//! Setup: parses the options, starts telemetry, and runs the controllers until it is told to stop.

use kube::CustomResourceExt;
use std::io::Write;
use vdi_operator::api::{VDISession, VDITemplate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for crd in [VDISession::crd(), VDITemplate::crd()] {
        writeln!(std::io::stdout(), "---\n{}", serde_saphyr::to_string(&crd)?)?;
    }
    Ok(())
}
