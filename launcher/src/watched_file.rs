//! Shell: follows the content of a small file that others replace: certificates, lists of servers. It is read again each
//! second, since Kubernetes replaces mounted files by swapping symbolic links, of which watches on the file learn nothing.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// How long a change may stay unnoticed.
const EVERY: Duration = Duration::from_secs(1);

/// Largest file that is read; certificates and lists of servers take a few kilobytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// What a file holds, or why that is unknown, in a sentence that names the file.
pub type Content = Result<Arc<[u8]>, String>;

/// Reads a file now. One that is larger than a megabyte is refused.
pub fn read(path: &Path) -> Content {
    let cannot = |why: &dyn std::fmt::Display| format!("cannot read {}: {why}", path.display());
    let metadata = std::fs::metadata(path).map_err(|err| cannot(&err))?;
    // A device may have no end, and a pipe no beginning.
    if !metadata.is_file() {
        return Err(cannot(&"it is not a regular file"));
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(|err| cannot(&err))?;
    // It may grow while it is read.
    file.take(MAX_BYTES + 1).read_to_end(&mut content).map_err(|err| cannot(&err))?;
    if content.len() as u64 > MAX_BYTES {
        let size = metadata.len().max(content.len() as u64);
        return Err(cannot(&format!("it has {size} bytes, and at most {MAX_BYTES} are taken")));
    }
    Ok(content.into())
}

/// Follows a file for as long as the receiver lives. The first value is what it holds now.
pub fn follow(path: PathBuf) -> watch::Receiver<Content> {
    let (sender, receiver) = watch::channel(read(&path));
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.tick().await;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = sender.closed() => return,
            }
            let path = path.clone();
            let Ok(content) = tokio::task::spawn_blocking(move || read(&path)).await else { return };
            sender.send_if_modified(|known| {
                let changed = *known != content;
                *known = content;
                changed
            });
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latest::Latest;

    #[tokio::test]
    async fn a_file_that_is_replaced_lost_and_back_is_told_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.json");
        std::fs::write(&path, "one").unwrap();
        let mut content = follow(path.clone());
        assert_eq!(content.latest().as_deref(), Ok(&b"one"[..]));
        std::fs::write(folder.path().join("new"), "two").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        content.changed().await.unwrap();
        assert_eq!(content.borrow_and_update().as_deref(), Ok(&b"two"[..]));
        std::fs::remove_file(&path).unwrap();
        content.changed().await.unwrap();
        assert!(content.borrow_and_update().as_deref().unwrap_err().contains("list.json"));
        std::fs::write(&path, "two").unwrap();
        content.changed().await.unwrap();
        assert_eq!(content.borrow_and_update().as_deref(), Ok(&b"two"[..]));
    }

    #[test]
    fn a_huge_file_is_refused_with_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("huge");
        std::fs::File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(read(&path).unwrap_err().contains("1048577 bytes"));
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        for path in ["/dev/zero", "/"] {
            let why = read(Path::new(path)).unwrap_err();
            assert_eq!(why, format!("cannot read {path}: it is not a regular file"));
        }
    }
}
