//! Shell: a folder of this user's own for files that outlive one process: below the system's folder for running programs
//! if there is one, else in the temporary folder. One that somebody else could write to is refused.

use std::{
    fs::{DirBuilder, symlink_metadata},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Permissions of everybody else.
const OTHERS: u32 = 0o077;

/// Makes the folder, or takes the one that is there.
pub fn create(system: Option<&Path>) -> io::Result<PathBuf> {
    let user = nix::unistd::geteuid().as_raw();
    match system.map(|system| private(&system.join("gst-vdi"), user)) {
        Some(Ok(folder)) => Ok(folder),
        _ => private(&std::env::temp_dir().join(format!("gst-vdi-{user}")), user),
    }
}

fn private(folder: &Path, user: u32) -> io::Result<PathBuf> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(err) if err.kind() != io::ErrorKind::AlreadyExists => return Err(err),
        _ => {}
    }
    let found = symlink_metadata(folder)?;
    if found.is_dir() && found.uid() == user && found.mode() & OTHERS == 0 {
        Ok(folder.to_owned())
    } else {
        Err(io::Error::other(format!("{} is not a folder of this user alone", folder.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn folder_is_ours_alone_is_found_again_and_a_foreign_one_is_refused() {
        let base = std::env::temp_dir().join(format!("vdi-runtime-{}", std::process::id()));
        std::fs::create_dir_all(&base).unwrap();
        let made = create(Some(&base)).unwrap();
        assert_eq!(made, base.join("gst-vdi"));
        assert_eq!(std::fs::metadata(&made).unwrap().mode() & 0o777, 0o700);
        assert_eq!(create(Some(&base)).unwrap(), made, "it is found again");

        let user = nix::unistd::geteuid().as_raw();
        let (open, link) = (base.join("open"), base.join("link"));
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
        symlink(&made, &link).unwrap();
        for foreign in [&open, &link] {
            assert!(private(foreign, user).is_err(), "{}", foreign.display());
        }
        assert!(private(&made, user + 1).is_err(), "somebody else's");
        std::fs::remove_dir_all(base).unwrap();
    }
}
