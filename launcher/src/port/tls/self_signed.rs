//! Shell: the certificate of those who have none: made at the first start, kept for later ones, so that a browser's
//! exception holds, and made anew before it expires. Where nothing can be kept it lives in memory.

use super::pair::{self, Pair};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use std::{
    fs,
    io::{self, Write},
    net::IpAddr,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
    time::{Duration, SystemTime},
};

/// How long it is valid. Apple's systems take none above 825 days.
const VALID_FOR: Duration = Duration::from_secs(365 * 86_400);
/// It is made anew so long before its end.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 86_400);
/// A clock of somebody else may be behind.
const BACKDATED: Duration = Duration::from_secs(86_400);
/// Names and addresses in it; a machine with many bridges has more than anybody uses.
const MAX_NAMES: usize = 32;

/// Both in one file: they cannot be out of step.
const FILE: &str = "self-signed.pem";

/// The kept one, or a new one, and a sentence if it could not be kept.
pub fn load_or_make(folder: Option<&Path>, now: SystemTime) -> Result<(Pair, Option<String>), String> {
    let kept = folder.and_then(|folder| load(folder).ok()).filter(|pair| !is_due(pair, now));
    if let Some(pair) = kept {
        return Ok((pair, None));
    }
    let text = make(now).map_err(|err| format!("no certificate can be made: {err}"))?;
    let pair = pair::assemble(text.as_bytes(), text.as_bytes())?;
    let unkept = match folder.map(|folder| keep(folder, &text)) {
        Some(Ok(())) => None,
        Some(Err(err)) => {
            Some(format!("the certificate cannot be kept, and the next start makes another: {err}"))
        }
        None => {
            Some("there is no folder to keep the certificate in, and the next start makes another".into())
        }
    };
    Ok((pair, unkept))
}

/// Whether it is to be made anew.
pub fn is_due(pair: &Pair, now: SystemTime) -> bool {
    let now = seconds(now);
    let renew = RENEW_BEFORE.as_secs().try_into().unwrap_or(i64::MAX);
    now < pair.not_before || pair.not_after - now < renew
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs().try_into().unwrap_or(i64::MAX)
}

fn make(now: SystemTime) -> Result<String, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(names())?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, format!("gst-vdi on {}", host_name().unwrap_or("localhost".into())));
    params.distinguished_name = subject;
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + VALID_FOR).into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params.self_signed(&key)?.pem() + &key.serialize_pem())
}

/// By which this machine is likely to be called.
fn names() -> Vec<String> {
    let addresses = if_addrs::get_if_addrs().unwrap_or_default();
    // A link-local address means nothing without the name of an interface, which no URL carries.
    let usable = |address: &IpAddr| match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    };
    let addresses = addresses.into_iter().map(|interface| interface.ip()).filter(usable);
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".into(), "::1".into()];
    for name in host_name().into_iter().chain(addresses.map(|address| address.to_string())) {
        if !names.contains(&name) && names.len() < MAX_NAMES {
            names.push(name);
        }
    }
    names
}

/// The kernel's name of this machine, if it can be a name in a certificate.
fn host_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    let proper = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    (proper && !name.is_empty() && name.len() < 64).then(|| name.to_owned())
}

fn load(folder: &Path) -> Result<Pair, String> {
    let path = folder.join(FILE);
    let metadata = fs::symlink_metadata(&path).map_err(|err| err.to_string())?;
    // Whoever could write it could have put a key of theirs there, and whoever could read it has this one.
    if !metadata.is_file()
        || metadata.uid() != nix::unistd::geteuid().as_raw()
        || metadata.mode() & 0o077 != 0
    {
        return Err(format!("{} is not a file of this user alone", path.display()));
    }
    let text = fs::read(&path).map_err(|err| err.to_string())?;
    pair::assemble(&text, &text)
}

fn keep(folder: &Path, text: &str) -> io::Result<()> {
    let named = |err: io::Error| io::Error::new(err.kind(), format!("{}: {err}", folder.display()));
    fs::DirBuilder::new().mode(0o700).recursive(true).create(folder).map_err(named)?;
    // Another launcher that starts now writes one of its own; the last one to be renamed stays, whole.
    let new = folder.join(format!("{FILE}.{}", std::process::id()));
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, folder.join(FILE))
    };
    write().map_err(|err| {
        let _ = fs::remove_file(&new);
        named(err)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    #[test]
    fn it_is_kept_for_this_user_alone_and_found_again() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("state/gst-vdi");
        let (first, unkept) = load_or_make(Some(&folder), now()).unwrap();
        assert_eq!(unkept, None);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(FILE))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left");
        let (again, _) = load_or_make(Some(&folder), now()).unwrap();
        assert_eq!(first.fingerprint, again.fingerprint);
        assert_eq!(first.not_after, seconds(now() + VALID_FOR));
    }

    #[test]
    fn it_is_made_anew_before_its_end_and_when_others_could_have_seen_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let (first, _) = load_or_make(Some(folder.path()), now()).unwrap();
        let late = now() + VALID_FOR - RENEW_BEFORE;
        let (same, _) = load_or_make(Some(folder.path()), late).unwrap();
        assert_eq!(first.fingerprint, same.fingerprint, "it is not due yet");
        let (renewed, _) = load_or_make(Some(folder.path()), late + Duration::from_secs(1)).unwrap();
        assert_ne!(first.fingerprint, renewed.fingerprint);

        let file = folder.path().join(FILE);
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(&file, open).unwrap();
        let (closed, _) = load_or_make(Some(folder.path()), late).unwrap();
        assert_ne!(renewed.fingerprint, closed.fingerprint);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn without_a_place_to_keep_it_it_serves_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for place in [None, Some(file.as_path())] {
            let (pair, unkept) = load_or_make(place, now()).unwrap();
            assert!(!pair.fingerprint.is_empty());
            assert!(unkept.unwrap().contains("the next start makes another"));
        }
    }

    #[test]
    fn it_names_this_machine() {
        let names = names();
        assert!(
            ["localhost", "127.0.0.1", "::1"].iter().all(|name| names.contains(&(*name).to_owned())),
            "{names:?}"
        );
        assert!(names.len() <= MAX_NAMES);
    }
}
