//! Shell: the X cookie: a file that only we can read, in a folder that is removed at the end, or by the next launcher where this
//! one is killed: it holds a lock for as long as it lives.

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const PROTOCOL: &[u8] = b"MIT-MAGIC-COOKIE-1";
/// Matches every address, so that the file can be written before the display has its number (Xau's FamilyWild).
const FAMILY_WILD: u16 = 0xffff;

/// What the names of the folders begin with; the rest are [`NAME_DIGITS`] digits that nobody can guess.
const PREFIX: &str = "vdi-";
const NAME_DIGITS: usize = 16;
/// What they hold. A folder without the second is of a launcher that knew no lock, and is left alone.
const COOKIE: &str = "xauthority";
const LOCK: &str = "lock";
/// Permissions of everybody else.
const OTHERS: u32 = 0o077;

/// The file, for as long as this value lives.
#[derive(Debug)]
pub struct Cookie {
    folder: PathBuf,
    file: PathBuf,
    /// Tells others that its process lives. No child of ours has it.
    _lock: File,
}

impl Cookie {
    /// Makes a cookie and points this process, and so its children, to it.
    ///
    /// Must be called before the process has a second thread: GStreamer's X11 elements read `XAUTHORITY` from the
    /// environment, and the environment cannot be changed safely later.
    pub fn create() -> io::Result<Self> {
        let base = std::env::temp_dir();
        sweep(&base);
        let this = Self::create_in(&base)?;
        #[expect(unsafe_code, reason = "see above: the caller has one thread")]
        // SAFETY: called from main before any other thread exists, so nobody reads the environment at the same time.
        unsafe {
            std::env::set_var("XAUTHORITY", &this.file);
        }
        Ok(this)
    }

    fn create_in(base: &Path) -> io::Result<Self> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|err| io::Error::other(err.to_string()))?;
        let (name, cookie) = random.split_at(NAME_DIGITS / 2);
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = base.join(format!("{PREFIX}{name}"));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let new = |name| OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name));
        // Under another name until it is locked: nobody may take it for one that was left behind.
        let lock = new("new")?;
        // Where files cannot be locked, nobody finds this one free either, and it stays.
        let _ = flock(&lock, FlockOperation::NonBlockingLockExclusive);
        fs::rename(folder.join("new"), folder.join(LOCK))?;
        new(COOKIE)?.write_all(&entry(cookie))?;
        Ok(Self { file: folder.join(COOKIE), folder, _lock: lock })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.file
    }
}

impl Drop for Cookie {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// Left-overs in the temporary folder harm nobody: the display that they open is gone. So what cannot be removed stays.
fn remove(folder: &Path) {
    let _ = fs::remove_file(folder.join(COOKIE));
    let _ = fs::remove_file(folder.join(LOCK));
    let _ = fs::remove_dir(folder);
}

/// Removes what launchers of this user have left behind that were killed.
fn sweep(base: &Path) {
    let user = nix::unistd::geteuid().as_raw();
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).unwrap_or_default();
        if digits.len() != NAME_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            continue;
        }
        let folder = entry.path();
        // Of the entry itself, and not of what a link leads to.
        let ours = entry
            .metadata()
            .is_ok_and(|found| found.is_dir() && found.uid() == user && found.mode() & OTHERS == 0);
        if ours && is_left_behind(&folder) {
            remove(&folder);
        }
    }
}

/// Whether the process that made it is gone, and its lock with it.
fn is_left_behind(folder: &Path) -> bool {
    // Programs of the desktop are this user's as well: what they leave there is neither waited for nor followed.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    open(folder.join(LOCK), flags, Mode::empty())
        .is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok())
}

/// One entry of an Xauthority file: family, then address, number, name and data with their lengths, big-endian.
fn entry(cookie: &[u8]) -> Vec<u8> {
    let mut entry = FAMILY_WILD.to_be_bytes().to_vec();
    for field in [&[], &[], PROTOCOL, cookie] {
        // Every field is at most 18 bytes long.
        entry.extend((field.len() as u16).to_be_bytes());
        entry.extend(field);
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_launcher_that_was_killed_has_left_is_removed_and_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let lives = Cookie::create_in(base.path()).unwrap();
        let killed = Cookie::create_in(base.path()).unwrap();
        let folder = killed.folder.clone();
        // As by a signal: the lock is gone, and nothing else has happened.
        let Cookie { _lock: lock, .. } = &killed;
        flock(lock, FlockOperation::Unlock).unwrap();
        std::mem::forget(killed);
        let (other, old) = (base.path().join("vdi-runtime-7"), base.path().join("vdi-0123456789abcdef"));
        for (folder, file) in [(&other, LOCK), (&old, COOKIE)] {
            DirBuilder::new().mode(0o700).create(folder).unwrap();
            fs::write(folder.join(file), "").unwrap();
        }
        let link = base.path().join("vdi-00000000000000ff");
        std::os::unix::fs::symlink(&other, &link).unwrap();
        sweep(base.path());
        assert!(!folder.exists());
        assert!(lives.path().exists() && other.join(LOCK).exists() && old.join(COOKIE).exists());
        assert!(link.is_symlink());
        let folder = lives.folder.clone();
        drop(lives);
        assert!(!folder.exists(), "it takes all with it");
    }

    #[test]
    fn entry_has_the_form_that_libxau_reads() {
        let entry = entry(&[7; 16]);
        assert_eq!(&entry[..6], [0xff, 0xff, 0, 0, 0, 0]);
        assert_eq!(&entry[6..26], [&[0, 18], PROTOCOL].concat());
        assert_eq!(&entry[26..], [&[0, 16][..], &[7; 16]].concat());
    }
}
