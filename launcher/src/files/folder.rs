//! Shell: the shared folder. Every name is opened from the folder that it stands in, and none that is a link, so that no
//! path leads out of it, whatever programs on the desktop make of it meanwhile.

use super::{
    name::{self, MAX_COPIES},
    note::{self, Note},
};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, Stat},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};
use vdi_protocol::files::Entry;

/// Where what is on its way is kept: in the folder itself, so that it is renamed and not copied when it is whole.
const UPLOADS: &str = ".vdi-uploads";
/// Entries of one list; more are of no use to somebody who reads it.
pub const MAX_ENTRIES: usize = 2000;
const FILE_MODE: Mode = Mode::from_raw_mode(0o644);

/// The shared folder.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// What a path leads to.
pub enum Found {
    /// A folder, open.
    Folder(OwnedFd),
    /// A file, open for reading.
    File(File, Stat),
}

impl Folder {
    /// A folder that may not be there yet.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Makes it, if it is not there.
    pub fn create(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.0)
    }

    /// Its path, for people.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn root(&self) -> io::Result<OwnedFd> {
        // The shared folder itself may be a link: whoever configures it may do that.
        Ok(rustix::fs::open(&self.0, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
    }

    fn folder(&self, names: &[String]) -> io::Result<OwnedFd> {
        names.iter().try_fold(self.root()?, |at, name| sub_folder(&at, name))
    }

    /// Opens what a path of good names leads to. Links, devices, sockets and pipes count as not there.
    pub fn open(&self, names: &[String]) -> io::Result<Found> {
        let Some((last, before)) = names.split_last() else { return Ok(Found::Folder(self.root()?)) };
        let at = self.folder(before)?;
        // Without blocking: opening a pipe would wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&at, last.as_str(), flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&opened)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Ok(Found::Folder(opened)),
            FileType::RegularFile => Ok(Found::File(File::from(opened), stat)),
            _ => Err(Errno::NOENT.into()),
        }
    }

    /// What is in an open folder: files and folders, by name; nothing that is hidden, and no links.
    pub fn list(folder: OwnedFd) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for found in Dir::read_from(&folder)? {
            let found = found?;
            let Ok(name) = found.file_name().to_str() else { continue };
            if !name::is_name(name) {
                continue;
            }
            let Ok(stat) = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let folder = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => true,
                FileType::RegularFile => false,
                _ => continue,
            };
            let bytes = if folder { 0 } else { size(&stat) };
            let modified_seconds = u64::try_from(stat.st_mtime).unwrap_or(0);
            entries.push(Entry { name: name.to_owned(), folder, bytes, modified_seconds });
        }
        entries.sort_by(|a, b| b.folder.cmp(&a.folder).then_with(|| a.name.cmp(&b.name)));
        entries.truncate(MAX_ENTRIES);
        Ok(entries)
    }

    fn uploads(&self) -> io::Result<OwnedFd> {
        let root = self.root()?;
        match rustix::fs::mkdirat(&root, UPLOADS, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        sub_folder(&root, UPLOADS)
    }

    /// Begins a file that is not there for anybody until it is whole, with a note of what it is to be.
    pub fn begin(&self, id: &str, note: &Note) -> io::Result<File> {
        let uploads = self.uploads()?;
        let create = |name: &str| {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(&uploads, name, flags, FILE_MODE).map(File::from)
        };
        let file = create(id)?;
        let noted = create(&note::name_of(id)).map_err(io::Error::from);
        noted.and_then(|mut file| file.write_all(&note.write())).inspect_err(|_| remove(&uploads, id))?;
        Ok(file)
    }

    /// Goes on with a file that was begun, by this process or one before it: what is there of it, and what it is to be. One that
    /// has not grown since `since`, in seconds of the clock on the wall, is given up.
    pub fn resume(&self, id: &str, since: i64) -> io::Result<(File, u64, Note)> {
        let uploads = sub_folder(&self.root()?, UPLOADS)?;
        let open = |name: &str, flags| -> io::Result<(File, Stat)> {
            let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let opened = rustix::fs::openat(&uploads, name, flags, Mode::empty())?;
            let stat = rustix::fs::fstat(&opened)?;
            let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
            if is_file { Ok((File::from(opened), stat)) } else { Err(Errno::NOENT.into()) }
        };
        let (file, stat) = open(id, OFlags::WRONLY)?;
        let (noted, _) = open(&note::name_of(id), OFlags::RDONLY)?;
        let mut bytes = Vec::new();
        noted.take(note::MAX_BYTES).read_to_end(&mut bytes)?;
        match Note::read(&bytes) {
            Some(note) if size(&stat) <= note.length && stat.st_mtime >= since => {
                Ok((file, size(&stat), note))
            }
            _ => Err(Errno::NOENT.into()),
        }
    }

    /// Gives it its name, or the next that is free: nothing is ever overwritten. Returns the name.
    pub fn finish(&self, id: &str, folder: &[String], wanted: &str) -> io::Result<String> {
        let (from, to) = (self.uploads()?, self.folder(folder)?);
        for number in 0..MAX_COPIES {
            let name = name::copy(wanted, number);
            match move_new(&from, id, &to, &name) {
                Ok(()) => {
                    let _ = rustix::fs::unlinkat(&from, note::name_of(id), AtFlags::empty());
                    return Ok(name);
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    }

    /// Whether a path leads to a folder that is there.
    pub fn has(&self, folder: &[String]) -> bool {
        self.folder(folder).is_ok()
    }

    /// Lets go of what is not going to be whole.
    pub fn abandon(&self, id: &str) -> io::Result<()> {
        remove(&self.uploads()?, id);
        Ok(())
    }

    /// Removes what nobody has gone on with since `before`, in seconds of the clock on the wall. Returns how many.
    pub fn sweep(&self, before: i64) -> io::Result<usize> {
        let Ok(uploads) = self.root().and_then(|root| sub_folder(&root, UPLOADS)) else { return Ok(0) };
        let mut swept = 0;
        for found in Dir::read_from(&uploads)? {
            let found = found?;
            let Ok(name) = found.file_name().to_str() else { continue };
            let is_old = |name: &str| {
                let stat = rustix::fs::statat(&uploads, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
                let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
                Some(is_file && stat.st_mtime < before)
            };
            // A note is as old as what it is of, which may have grown since.
            let noted = note::id_of(name);
            let old = noted.and_then(is_old).or_else(|| is_old(name));
            if old == Some(true) && rustix::fs::unlinkat(&uploads, name, AtFlags::empty()).is_ok() {
                swept += usize::from(noted.is_none());
            }
        }
        Ok(swept)
    }
}

/// Removes an upload and its note.
fn remove(uploads: &OwnedFd, id: &str) {
    for name in [id, &note::name_of(id)] {
        let _ = rustix::fs::unlinkat(uploads, name, AtFlags::empty());
    }
}

/// The size that a file system tells.
pub fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn sub_folder(at: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, name, flags, Mode::empty())?)
}

/// Renames where nothing has the new name. Where the file system cannot do that at once, a second name does.
fn move_new(from: &OwnedFd, old: &str, to: &OwnedFd, new: &str) -> Result<(), Errno> {
    match rustix::fs::renameat_with(from, old, to, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(from, old, to, new, AtFlags::empty())?;
            rustix::fs::unlinkat(from, old, AtFlags::empty())
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write, os::unix::fs::symlink};

    fn names(path: &str) -> Vec<String> {
        path.split('/').map(str::to_owned).collect()
    }

    fn shared() -> (tempfile::TempDir, Folder) {
        let outside = tempfile::tempdir().unwrap();
        let path = outside.path().join("shared");
        std::fs::create_dir_all(path.join("sub")).unwrap();
        std::fs::write(outside.path().join("secret"), "secret").unwrap();
        std::fs::write(path.join("a.txt"), "a").unwrap();
        std::fs::write(path.join(".hidden"), "h").unwrap();
        symlink(outside.path().join("secret"), path.join("link")).unwrap();
        symlink(outside.path(), path.join("way")).unwrap();
        (outside, Folder::new(path))
    }

    #[test]
    fn links_lead_nowhere_neither_at_the_end_nor_on_the_way() {
        let (_outside, folder) = shared();
        for path in ["link", "way", "way/secret", "sub/../../secret"] {
            assert!(folder.open(&names(path)).is_err() || path.contains(".."), "{path}");
        }
        assert!(matches!(folder.open(&names("a.txt")), Ok(Found::File(..))));
        assert!(!folder.has(&names("way")));
    }

    #[test]
    fn lists_what_can_be_had_and_nothing_else() {
        let (_outside, folder) = shared();
        let Ok(Found::Folder(root)) = folder.open(&[]) else { panic!("no folder") };
        let list: Vec<_> =
            Folder::list(root).unwrap().into_iter().map(|entry| (entry.name, entry.folder)).collect();
        assert_eq!(list, [("sub".to_owned(), true), ("a.txt".to_owned(), false)]);
    }

    #[test]
    fn what_is_whole_gets_the_next_free_name_and_what_was_there_stays() {
        let (outside, folder) = shared();
        for (id, expected) in [("1", "a (1).txt"), ("2", "a (2).txt")] {
            folder.begin(id, &note()).unwrap().write_all(id.as_bytes()).unwrap();
            assert_eq!(folder.finish(id, &[], "a.txt").unwrap(), expected);
        }
        assert_eq!(std::fs::read_to_string(outside.path().join("shared/a.txt")).unwrap(), "a");
        assert_eq!(std::fs::read_to_string(outside.path().join("shared/a (2).txt")).unwrap(), "2");
        folder.begin("3", &note()).unwrap();
        assert_eq!(folder.finish("3", &[], "link").unwrap(), "link (1)", "a link is a name that is taken");
    }

    fn note() -> Note {
        Note { folder: vec![], name: "a.txt".into(), length: 5 }
    }

    #[test]
    fn what_nobody_goes_on_with_is_swept() {
        let (outside, folder) = shared();
        folder.begin("1", &note()).unwrap();
        // As long ago as the beginning of an upload that has grown since.
        let old = File::open(outside.path().join("shared/.vdi-uploads/1.json")).unwrap();
        old.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(folder.sweep(1).unwrap(), 0);
        assert!(folder.resume("1", 1).is_ok(), "its note is still there");
        assert_eq!(folder.sweep(i64::MAX).unwrap(), 1);
        assert!(folder.finish("1", &[], "x").is_err());
        assert_eq!(std::fs::read_dir(outside.path().join("shared/.vdi-uploads")).unwrap().count(), 0);
    }

    #[test]
    fn what_was_begun_is_gone_on_with_unless_it_is_old_longer_than_it_was_to_be_or_a_link() {
        let (outside, folder) = shared();
        folder.begin("1", &note()).unwrap().write_all(b"abc").unwrap();
        let (_, there, read) = folder.resume("1", 0).unwrap();
        assert_eq!((there, read), (3, note()));
        assert!(folder.resume("1", i64::MAX).is_err(), "old");
        let uploads = outside.path().join("shared/.vdi-uploads");
        std::fs::write(uploads.join("1"), "abcdef").unwrap();
        assert!(folder.resume("1", 0).is_err(), "longer");
        std::fs::remove_file(uploads.join("1")).unwrap();
        symlink(outside.path().join("secret"), uploads.join("1")).unwrap();
        assert!(folder.resume("1", 0).is_err(), "a link");
        assert!(folder.resume("2", 0).is_err(), "nothing");
    }
}
