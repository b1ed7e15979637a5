//! Setup: where and when the session is recorded, resolved from its options.

use super::checks::Checks;
use crate::options::Options;
use rustix::fs::{Access, access};
use std::path::PathBuf;

/// Most that may be allowed a session: what common file systems hold.
const MAX_BYTES: u64 = 16 << 40;

/// When the session is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// While the page in control wants it.
    OnRequest,
    /// From when it is ready to its end.
    Always,
}

/// How the session is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Where the files go.
    pub folder: PathBuf,
    /// When.
    pub when: When,
    /// Most bytes of all files of the session.
    pub max_bytes: u64,
}

pub(super) fn recording(checks: &mut Checks, options: &Options) -> Option<Recording> {
    let options = &options.recording;
    let when = checks.one_of(
        "recording",
        &options.recording,
        &[("on-request", When::OnRequest), ("always", When::Always)],
    );
    let max_bytes = checks.number("recording-max-bytes", &options.recording_max_bytes, (1, MAX_BYTES));
    let Some(given) = options.recording_dir.as_ref().filter(|folder| !folder.is_empty()) else {
        if when == When::Always {
            checks.refuse(
                "recording",
                &options.recording,
                "on-request as long as there is no --recording-dir",
            );
        }
        return None;
    };
    let folder = PathBuf::from(given);
    let writable = folder.is_dir() && access(&folder, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    if !folder.is_absolute() || !writable {
        checks.refuse("recording-dir", given, "the absolute path of a folder that can be written to");
    }
    Some(Recording { folder, when, max_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::resolve;

    #[test]
    fn nothing_is_recorded_unless_a_folder_is_named_that_can_be_written_to() {
        assert_eq!(resolve(&[]).unwrap().recording, None);
        let folder = tempfile::tempdir().unwrap();
        let named = format!("--recording-dir={}", folder.path().display());
        let recording = resolve(&[&named, "--recording=always"]).unwrap().recording.unwrap();
        assert_eq!((recording.folder.as_path(), recording.when), (folder.path(), When::Always));
        assert_eq!(resolve(&[&named]).unwrap().recording.unwrap().when, When::OnRequest);
        for words in [
            &["--recording=always"][..],
            &["--recording=sometimes"],
            &["--recording-dir=/proc/nonexistent"],
            &["--recording-dir=/dev/null"],
            &["--recording-dir=."],
            &["--recording-max-bytes=0"],
        ] {
            let error = resolve(words).unwrap_err();
            let (option, _) = words[0].split_once('=').unwrap();
            assert!(error.message.starts_with(option), "{error}");
        }
    }
}
