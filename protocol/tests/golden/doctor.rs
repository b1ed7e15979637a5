//! What the doctor found, as it stands on the wire.

use super::check;
use vdi_protocol::doctor::{Check, CheckName, Outcome, Report};

#[test]
fn what_the_doctor_found_stands_on_the_wire_as_in_the_golden_file() {
    check(
        "doctor",
        &[Report {
            healthy: false,
            unix_seconds: 1_700_000_000.25,
            checks: vec![
                Check {
                    name: CheckName::Gpu,
                    outcome: Outcome::Warning,
                    target: None,
                    reason: Some("GPU_INIT_ERROR".into()),
                    message: "No NVIDIA driver: libnvidia-ml.so is not on this machine.".into(),
                    advice: Some("Software encodes instead.".into()),
                },
                Check {
                    name: CheckName::TurnTls,
                    outcome: Outcome::Failed,
                    target: Some("turns:turn.example.com:5349?transport=tcp".into()),
                    reason: Some("UNREACHABLE".into()),
                    message: "Nothing answers there.".into(),
                    advice: Some("Open TCP port 5349 in the firewall.".into()),
                },
                Check {
                    name: CheckName::Media,
                    outcome: Outcome::Skipped,
                    target: None,
                    reason: None,
                    message: "Nobody watches.".into(),
                    advice: None,
                },
            ],
        }],
    );
}
