//! Setup: TLS on the port: whether it is all that is spoken, and where the certificate comes from.

use super::checks::Checks;
use crate::options::Options;
use std::path::PathBuf;

/// TLS on the port. It is always there; this says how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Pages that come without are sent to it.
    pub only: bool,
    /// The operator's certificate; one is made if none.
    pub files: Option<CertificateFiles>,
    /// Where a certificate that was made is kept, if there is such a place.
    pub state_folder: Option<PathBuf>,
}

/// Two PEM files, or twice the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain.
    pub certificate: PathBuf,
    /// The key of its first certificate.
    pub key: PathBuf,
}

pub(super) fn tls(checks: &mut Checks, options: &Options) -> Tls {
    let server = &options.server;
    let path = |option: &Option<String>| option.as_ref().filter(|path| !path.is_empty()).map(PathBuf::from);
    let files = match (path(&server.https_cert), path(&server.https_key)) {
        (Some(certificate), key) => {
            Some(CertificateFiles { key: key.unwrap_or_else(|| certificate.clone()), certificate })
        }
        (None, Some(key)) => {
            checks.refuse("https-key", &key.to_string_lossy(), "one together with --https-cert");
            None
        }
        (None, None) => None,
    };
    // Relative paths in the variable are to be ignored, says the XDG Base Directory Specification.
    let state = path(&options.state_folder).filter(|path| path.is_absolute());
    let home = path(&options.home_folder).filter(|path| path.is_absolute());
    let state = state.or_else(|| home.map(|home| home.join(".local/state")));
    Tls {
        only: checks.boolean("enable-https", &server.enable_https),
        files,
        state_folder: state.map(|state| state.join("gst-vdi")),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::resolve;
    use std::path::{Path, PathBuf};

    #[test]
    fn tls_is_beside_http_unless_it_is_to_be_all() {
        assert!(!resolve(&[]).unwrap().tls.only);
        assert!(resolve(&["--enable-https"]).unwrap().tls.only);
    }

    #[test]
    fn key_may_be_in_the_file_of_the_certificate_but_not_alone() {
        let files = resolve(&["--https-cert=/etc/tls.pem"]).unwrap().tls.files.unwrap();
        assert_eq!(
            (files.certificate.as_path(), files.key.as_path()),
            (Path::new("/etc/tls.pem"), Path::new("/etc/tls.pem"))
        );
        let err = resolve(&["--https-key=/etc/tls.key"]).unwrap_err();
        assert!(
            err.message.contains("--https-key \"/etc/tls.key\": accepted is one together with --https-cert"),
            "{err}"
        );
    }

    #[test]
    fn certificate_is_kept_where_programs_keep_their_state() {
        let folder = |words: &[&str]| resolve(words).unwrap().tls.state_folder;
        let kept = folder(&["--home-folder=/home/me", "--state-folder=/var/state"]);
        assert_eq!(kept, Some(PathBuf::from("/var/state/gst-vdi")));
        let kept = folder(&["--home-folder=/home/me", "--state-folder=relative"]);
        assert_eq!(kept, Some(PathBuf::from("/home/me/.local/state/gst-vdi")));
    }
}
