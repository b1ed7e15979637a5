//! An example of what `/status` says of a recording.

use vdi_protocol::{recording::RecordingFailure, status::RecordingStatus};

/// One that runs after another one failed.
pub fn status() -> RecordingStatus {
    RecordingStatus {
        running: true,
        started_at: Some("2026-11-22T14:30:05Z".into()),
        file: Some("/recordings/desktop-2026-11-22T14-30-05Z-2.mkv.part".into()),
        files: 3,
        bytes_written: 52_428_800,
        frames_dropped: 12,
        failures: 1,
        failure: Some(RecordingFailure::DiskFull),
        message: Some("/recordings has less than 512 MiB free".into()),
    }
}
