//! Shell: the file in which processes of one boot tell each other what they have proven. It is written whole beside the
//! old one and put in its place, so that nobody reads half a file. Refuses files of other users and of absurd size.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::MetadataExt,
    path::Path,
    sync::LazyLock,
    time::{Duration, Instant},
};

use super::{CAT, cache::Cache};

/// Some hundred results take a tenth of that.
const MAX_BYTES: u64 = 1 << 20;

/// The kernel's name for this boot; none without `/proc`, and then nothing is shared.
fn boot() -> Option<&'static str> {
    static BOOT: LazyLock<Option<String>> = LazyLock::new(|| {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(id.trim().to_owned()).filter(|id| !id.is_empty())
    });
    BOOT.as_deref()
}

/// Time since the boot, which all processes count alike. Without `/proc` it is this process's own time.
#[expect(clippy::disallowed_methods, reason = "a shell: the age of results is real time")]
pub fn since_boot() -> Duration {
    static START: LazyLock<(Duration, Instant)> = LazyLock::new(|| {
        let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let seconds = text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
        (Duration::try_from_secs_f64(seconds).unwrap_or_default(), Instant::now())
    });
    START.0 + START.1.elapsed()
}

/// What the file says. One that is not there, not ours or broken says nothing.
pub fn load(path: &Path) -> Cache {
    let Some(boot) = boot() else { return Cache::default() };
    match read(path) {
        Ok(text) => Cache::from_json(&text, boot),
        Err(error) => {
            gst::debug!(CAT, "no proofs from {}: {error}", path.display());
            Cache::default()
        }
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let file = fs::File::open(path)?;
    let (owner, us) = (file.metadata()?.uid(), fs::metadata("/proc/self")?.uid());
    // Whoever writes it decides what runs here without a proof.
    if owner != us {
        return Err(std::io::Error::other(format!("it belongs to user {owner}")));
    }
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Adds what this process knows to the file.
pub fn save(path: &Path, known: &Cache) {
    let Some(boot) = boot() else { return };
    if let Err(error) = write(path, &known.to_json(boot, since_boot())) {
        gst::warning!(CAT, "proofs are not kept in {}: {error}", path.display());
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Readable for its owner only.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{cache::Key, proof::Outcome},
        *,
    };

    fn key() -> Key {
        let text = |text: &str| text.to_owned();
        Key {
            factory: text("enc"),
            implementation: text(""),
            row: text(""),
            devices: text(""),
            caps: text(""),
        }
    }

    #[test]
    fn what_one_process_proves_another_knows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proofs.json");
        assert!(load(&path).get(&key(), since_boot()).is_none(), "there is no file yet");

        let mut cache = Cache::default();
        cache.insert(key(), true, Outcome::Proven, since_boot());
        save(&path, &cache);
        let (outcome, age) = load(&path).get(&key(), since_boot()).unwrap();
        assert_eq!(outcome, Outcome::Proven);
        assert!(age < Duration::from_secs(3600));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn broken_files_and_folders_are_no_reason_to_stop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proofs.json");
        fs::write(&path, [0xff; 100]).unwrap();
        assert!(load(&path).get(&key(), since_boot()).is_none());
        save(&folder.path().join("nowhere").join("proofs.json"), &Cache::default());
        save(folder.path(), &Cache::default());
    }
}
