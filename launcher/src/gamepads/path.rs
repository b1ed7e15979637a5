//! Shell: a socket at a path that others know: made where nobody else has one, and removed only while it is still ours.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

/// Only this user's programs: a gamepad tells what a person does.
const MODE: u32 = 0o600;

/// A socket, and how its file is told from another at the same path.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    file: (u64, u64),
}

impl Socket {
    /// Listens at a path. A socket on which nobody listens any more is replaced; whatever else is there stays.
    pub fn bind(path: &Path) -> io::Result<(UnixListener, Self)> {
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                make_room(path)?;
                UnixListener::bind(path)?
            }
            other => other?,
        };
        fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
        listener.set_nonblocking(true)?;
        let file = identity(path)?;
        Ok((listener, Self { path: path.to_owned(), file }))
    }

    /// Removes its file, unless another one is there.
    pub fn remove(self) {
        let ours = identity(&self.path).is_ok_and(|file| file == self.file);
        if let Some(error) = ours.then(|| fs::remove_file(&self.path).err()).flatten() {
            tracing::debug!(%error, "{} stays behind", self.path.display());
        }
    }
}

fn make_room(path: &Path) -> io::Result<()> {
    let file = fs::symlink_metadata(path)?;
    if !file.file_type().is_socket() || file.uid() != nix::unistd::Uid::effective().as_raw() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "there is something that is not ours"));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "it belongs to another session")),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_that_nobody_listens_on_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("js");
        drop(UnixListener::bind(&path).unwrap());
        let (_listener, socket) = Socket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        socket.remove();
        assert!(!path.exists());
    }

    #[test]
    fn what_is_not_ours_is_neither_replaced_nor_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("js");
        let (listener, socket) = Socket::bind(&path).unwrap();
        let error = Socket::bind(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("another session"), "{error}");
        drop(listener);
        // Two files at once, so that the second has another number than the first.
        let next = folder.path().join("next");
        fs::write(&next, "precious").unwrap();
        fs::rename(&next, &path).unwrap();
        socket.remove();
        assert!(Socket::bind(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
