//! Shell: what is being uploaded: how much of each file is there, and who goes on with it. A path that is cut leaves its
//! upload where it was; whoever comes next takes it over from the one that may still hang, and from a process that is gone.

use super::{
    folder::Folder,
    note::{self, Note},
};
use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Uploads that are not whole at once: a folder full of files is sent one after the other.
const MAX_UPLOADS: usize = 16;
/// Where there are too many, the oldest that nobody has gone on with for so long makes room: its page is gone, or has given up.
const IDLE: Duration = Duration::from_secs(300);
/// How long it is known how an upload ended: its page may not have heard.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How long one that nobody goes on with is kept: over a night with the lid closed.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);

/// One file on its way.
#[derive(Debug)]
pub struct Upload {
    /// Its name on the wire and on the disk.
    pub id: String,
    /// What it is to become.
    pub note: Note,
    file: File,
    /// Held for as long as the disk takes; the rest is held for a moment only, and nobody who answers requests waits for a disk.
    writing: Mutex<()>,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    offset: u64,
    /// Who goes on with it; whoever did before finds another number here, and stops.
    turn: u64,
    at: Instant,
    /// It is given up, and its half on the way off the disk.
    is_over: bool,
}

impl Progress {
    /// Where it stands, for whoever goes on with it.
    fn offset_of(&self, turn: u64) -> Result<u64, NotWritten> {
        if self.turn == turn { Ok(self.offset) } else { Err(NotWritten::Overtaken) }
    }
}

/// Why more of an upload is not taken.
#[derive(Debug)]
pub enum NotWritten {
    /// Another request goes on with it.
    Overtaken,
    /// It would be longer than was said.
    TooLong,
    /// The disk does not take it.
    Disk(io::Error),
}

impl Upload {
    /// How much is there.
    pub fn offset(&self) -> u64 {
        self.progress().offset
    }

    /// Goes on at `offset`; `None` if that is not where it stands.
    pub fn take_turn(&self, offset: u64) -> Option<u64> {
        let mut progress = self.progress();
        if progress.offset != offset || progress.is_over {
            return None;
        }
        progress.turn += 1;
        progress.at = Instant::now();
        Some(progress.turn)
    }

    /// Writes the next bytes. It may take as long as the disk does; who is overtaken meanwhile has written nothing that counts.
    pub fn write(&self, turn: u64, bytes: &[u8]) -> Result<(), NotWritten> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = self.progress().offset_of(turn)?;
        let end = offset + bytes.len() as u64;
        if end > self.note.length {
            return Err(NotWritten::TooLong);
        }
        self.file.write_all_at(bytes, offset).map_err(NotWritten::Disk)?;
        let mut progress = self.progress();
        progress.offset_of(turn)?;
        progress.offset = end;
        progress.at = Instant::now();
        Ok(())
    }

    /// When somebody went on with it.
    fn last(&self) -> Instant {
        self.progress().at
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all of it is there.
    pub fn is_whole(&self) -> bool {
        self.offset() == self.note.length
    }
}

/// All that are not whole.
#[derive(Debug, Clone)]
pub struct Uploads {
    folder: Folder,
    all: Arc<Mutex<BTreeMap<String, Arc<Upload>>>>,
    finished: Arc<Mutex<BTreeMap<String, Finished>>>,
}

/// An upload that has got its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The name, which may not be the one that was asked for.
    pub name: String,
    /// How long it is.
    pub length: u64,
    at: Instant,
}

/// Why an upload does not begin.
#[derive(Debug)]
pub enum NotBegun {
    /// There are too many.
    TooMany,
    /// The folder does not take it.
    Disk(io::Error),
}

impl Uploads {
    /// Into this folder.
    pub fn new(folder: Folder) -> Self {
        Self { folder, all: Arc::default(), finished: Arc::default() }
    }

    /// Begins one, of a good name. It takes as long as the disk does.
    pub fn begin(&self, folder: Vec<String>, name: String, length: u64) -> Result<Arc<Upload>, NotBegun> {
        let id = id().map_err(NotBegun::Disk)?;
        let note = Note { folder, name, length };
        let file = self.folder.begin(&id, &note).map_err(NotBegun::Disk)?;
        self.insert(&id, note, file, 0).ok_or_else(|| {
            let _ = self.folder.abandon(&id);
            NotBegun::TooMany
        })
    }

    /// One of them, which a process before this one may have begun: the page that knows its number goes on with it. `now_seconds`
    /// is the wall's clock. It takes as long as the disk does.
    pub fn resume(&self, id: &str, now_seconds: i64) -> Option<Arc<Upload>> {
        if let Some(known) = self.find(id) {
            return Some(known);
        }
        if !note::is_id(id) {
            return None;
        }
        let (file, there, note) = self.folder.resume(id, since(now_seconds)).ok()?;
        tracing::info!(there, length = note.length, "an upload from before goes on");
        self.insert(id, note, file, there)
    }

    /// Makes one of these known, if there is room; the one that is known by this number already stays.
    fn insert(&self, id: &str, note: Note, file: File, offset: u64) -> Option<Arc<Upload>> {
        let mut all = self.all();
        if let Some(known) = all.get(id) {
            return Some(known.clone()).filter(|known| !known.progress().is_over);
        }
        let under_way = all.values().filter(|upload| !upload.progress().is_over).count();
        let given_up = if under_way >= MAX_UPLOADS { Some(idle(&all)?) } else { None };
        if let Some(given_up) = &given_up {
            given_up.progress().is_over = true;
        }
        let progress = Mutex::new(Progress { offset, turn: 0, at: Instant::now(), is_over: false });
        let upload = Arc::new(Upload { id: id.to_owned(), note, file, writing: Mutex::default(), progress });
        all.insert(id.to_owned(), upload.clone());
        drop(all);
        if let Some(given_up) = given_up {
            self.give_up(&given_up);
        }
        Some(upload)
    }

    /// It may take as long as the disk does. It is known until then, so that nobody takes it up from the disk meanwhile.
    fn give_up(&self, upload: &Upload) {
        {
            let mut progress = upload.progress();
            progress.turn += 1;
            progress.is_over = true;
        }
        let _ = self.folder.abandon(&upload.id);
        self.all().remove(&upload.id);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Upload>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How one ended, for a while.
    pub fn finished(&self, id: &str) -> Option<Finished> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// One of them.
    pub fn find(&self, id: &str) -> Option<Arc<Upload>> {
        self.all().get(id).filter(|upload| !upload.progress().is_over).cloned()
    }

    /// Gives one that is whole its name; tells which that is.
    pub fn finish(&self, upload: &Upload) -> io::Result<String> {
        let finished = self.folder.finish(&upload.id, &upload.note.folder, &upload.note.name);
        match &finished {
            Ok(name) => {
                let known = Finished { name: name.clone(), length: upload.note.length, at: Instant::now() };
                let mut all = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
                all.retain(|_, one| one.at.elapsed() < REMEMBERED);
                all.insert(upload.id.clone(), known);
            }
            Err(_) => {
                let _ = self.folder.abandon(&upload.id);
            }
        }
        // Last: while it is known nobody takes it up from the disk.
        self.all().remove(&upload.id);
        finished
    }

    /// Lets go of one.
    pub fn abandon(&self, id: &str) -> bool {
        let known = self.find(id);
        if let Some(upload) = &known {
            self.give_up(upload);
        }
        known.is_some()
    }

    /// Lets go of those that nobody goes on with, here and on the disk. `now_seconds` is the wall's clock.
    pub fn sweep(&self, now_seconds: i64) {
        // Files are closed here, and not while others wait for the list.
        let old: Vec<_> = self.all().extract_if(.., |_, upload| upload.last().elapsed() >= KEPT).collect();
        drop(old);
        match self.folder.sweep(since(now_seconds)) {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "uploads that nobody went on with are removed"),
            Err(err) => tracing::debug!(%err, "the folder of uploads cannot be swept"),
        }
    }
}

/// The oldest that nobody has gone on with for a while, if there is one.
fn idle(all: &BTreeMap<String, Arc<Upload>>) -> Option<Arc<Upload>> {
    let under_way = all.values().filter(|upload| !upload.progress().is_over);
    under_way.min_by_key(|upload| upload.last()).filter(|oldest| oldest.last().elapsed() >= IDLE).cloned()
}

/// Since when somebody must have gone on with an upload that is kept.
fn since(now_seconds: i64) -> i64 {
    now_seconds.saturating_sub(i64::try_from(KEPT.as_secs()).unwrap_or(i64::MAX))
}

fn id() -> io::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|err| io::Error::other(err.to_string()))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uploads() -> (tempfile::TempDir, Uploads) {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Uploads::new(Folder::new(folder.path().to_owned()));
        (folder, uploads)
    }

    #[test]
    fn who_comes_after_a_cut_goes_on_where_it_was_and_who_hangs_writes_nothing_more() {
        let (folder, uploads) = uploads();
        let upload = uploads.begin(vec![], "a.txt".into(), 6).unwrap();
        let first = upload.take_turn(0).unwrap();
        upload.write(first, b"abc").unwrap();
        assert!(upload.take_turn(0).is_none(), "it is further");
        let second = upload.take_turn(3).unwrap();
        assert!(matches!(upload.write(first, b"xyz"), Err(NotWritten::Overtaken)));
        upload.write(second, b"def").unwrap();
        assert!(matches!(upload.write(second, b"!"), Err(NotWritten::TooLong)));
        assert!(upload.is_whole());
        assert_eq!(uploads.finish(&upload).unwrap(), "a.txt");
        assert_eq!(std::fs::read_to_string(folder.path().join("a.txt")).unwrap(), "abcdef");
        assert!(uploads.find(&upload.id).is_none());
        let known = uploads.finished(&upload.id).unwrap();
        assert_eq!((known.name.as_str(), known.length), ("a.txt", 6), "its page may not have heard");
    }

    #[test]
    fn a_disk_that_takes_its_time_keeps_nobody_waiting_who_asks_how_much_is_there() {
        let (_folder, uploads) = uploads();
        let upload = uploads.begin(vec![], "a.txt".into(), 6).unwrap();
        let first = upload.take_turn(0).unwrap();
        let slow = upload.writing.lock().unwrap();
        let (wrote, written) = std::sync::mpsc::channel();
        let hanging = upload.clone();
        std::thread::spawn(move || wrote.send(hanging.write(first, b"abc")));
        assert_eq!(uploads.find(&upload.id).unwrap().offset(), 0);
        let second = upload.take_turn(0).unwrap();
        uploads.sweep(0);
        uploads.begin(vec![], "b.txt".into(), 1).unwrap();
        drop(slow);
        assert!(matches!(written.recv().unwrap(), Err(NotWritten::Overtaken)));
        upload.write(second, b"abcdef").unwrap();
        assert!(upload.is_whole());
    }

    #[test]
    fn half_an_upload_is_gone_on_with_by_a_process_that_did_not_begin_it() {
        let (folder, uploads) = uploads();
        let upload = uploads.begin(vec![], "a.txt".into(), 6).unwrap();
        upload.write(upload.take_turn(0).unwrap(), b"abc").unwrap();
        let another = Uploads::new(Folder::new(folder.path().to_owned()));
        let kept = i64::try_from(KEPT.as_secs()).unwrap();
        assert!(another.find(&upload.id).is_none());
        assert!(another.resume(&upload.id, i64::MAX).is_none(), "too old");
        assert!(another.resume("../a.txt", kept).is_none());
        let rest = another.resume(&upload.id, kept).unwrap();
        assert_eq!(rest.offset(), 3);
        rest.write(rest.take_turn(3).unwrap(), b"def").unwrap();
        assert_eq!(another.finish(&rest).unwrap(), "a.txt");
        assert_eq!(std::fs::read_to_string(folder.path().join("a.txt")).unwrap(), "abcdef");
        assert_eq!(std::fs::read_dir(folder.path().join(".vdi-uploads")).unwrap().count(), 0);
    }

    #[test]
    fn uploads_whose_pages_are_gone_make_room_and_those_that_go_on_do_not() {
        let (_folder, uploads) = uploads();
        let all: Vec<_> = (0..MAX_UPLOADS).map(|_| uploads.begin(vec![], "a".into(), 1).unwrap()).collect();
        all[3].progress.lock().unwrap().at -= IDLE;
        uploads.begin(vec![], "b".into(), 1).unwrap();
        assert!(uploads.find(&all[3].id).is_none());
        assert!(matches!(uploads.begin(vec![], "c".into(), 1), Err(NotBegun::TooMany)));
    }

    #[test]
    fn there_are_only_so_many_at_once_and_those_that_are_given_up_leave_nothing() {
        let (folder, uploads) = uploads();
        let all: Vec<_> = (0..MAX_UPLOADS).map(|_| uploads.begin(vec![], "a".into(), 1).unwrap()).collect();
        assert!(matches!(uploads.begin(vec![], "a".into(), 1), Err(NotBegun::TooMany)));
        for upload in all {
            assert!(uploads.abandon(&upload.id));
        }
        assert_eq!(std::fs::read_dir(folder.path().join(".vdi-uploads")).unwrap().count(), 0);
    }
}
