//! Shell: the X cookie: a file that only we can read, in a folder that is removed at the end.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const PROTOCOL: &[u8] = b"MIT-MAGIC-COOKIE-1";
/// Matches every address, so that the file can be written before the display has its number (Xau's FamilyWild).
const FAMILY_WILD: u16 = 0xffff;

/// The file, for as long as this value lives.
#[derive(Debug)]
pub struct Cookie {
    folder: PathBuf,
    file: PathBuf,
}

impl Cookie {
    /// Makes a cookie and points this process, and so its children, to it.
    ///
    /// Must be called before the process has a second thread: GStreamer's X11 elements read `XAUTHORITY` from the
    /// environment, and the environment cannot be changed safely later.
    pub fn create() -> io::Result<Self> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|err| io::Error::other(err.to_string()))?;
        let (name, cookie) = random.split_at(8);
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = std::env::temp_dir().join(format!("vdi-{name}"));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let this = Self { file: folder.join("xauthority"), folder };
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&this.file)?
            .write_all(&entry(cookie))?;
        #[expect(unsafe_code, reason = "see above: the caller has one thread")]
        // SAFETY: called from main before any other thread exists, so nobody reads the environment at the same time.
        unsafe {
            std::env::set_var("XAUTHORITY", &this.file);
        }
        Ok(this)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.file
    }
}

impl Drop for Cookie {
    fn drop(&mut self) {
        // Left-overs in the temporary folder harm nobody: the display that they open is gone.
        let _ = std::fs::remove_file(&self.file);
        let _ = std::fs::remove_dir(&self.folder);
    }
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
    fn entry_has_the_form_that_libxau_reads() {
        let entry = entry(&[7; 16]);
        assert_eq!(&entry[..6], [0xff, 0xff, 0, 0, 0, 0]);
        assert_eq!(&entry[6..26], [&[0, 18], PROTOCOL].concat());
        assert_eq!(&entry[26..], [&[0, 16][..], &[7; 16]].concat());
    }
}
