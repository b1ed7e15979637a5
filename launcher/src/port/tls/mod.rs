//! Shell: the certificate that the port shows: the given one, followed as its files are replaced, or a self-signed one, renewed
//! in time. Once there is a certificate there always is one: a bad replacement changes nothing but what `/status` says.

pub mod pair;
mod self_signed;

use crate::{
    config::{CertificateFiles, Tls},
    error::Error,
    watched_file::{self, Content},
};
use pair::Pair;
use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use vdi_protocol::{
    reason::FailureReason,
    status::{TlsSource, TlsStatus},
};

/// What is spoken inside TLS. Browsers open a WebSocket over `http/1.1` although they have `h2`; TURN has a name of its own
/// (RFC 7443), and whoever names something else only is refused.
const PROTOCOLS: [&[u8]; 3] = [b"h2", b"http/1.1", b"stun.turn"];
/// Time for the second file of a pair to follow the first; each is looked at once a second.
const SETTLE: Duration = Duration::from_secs(3);
/// How often it is asked whether a self-signed certificate is to be made anew.
const RENEWAL: Duration = Duration::from_secs(3600);

/// The certificate; cheap to clone.
#[derive(Debug, Clone)]
pub struct Certificate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: TlsSource,
    /// TLS is all that is spoken to pages.
    only: bool,
    shown: Mutex<Shown>,
}

#[derive(Debug)]
struct Shown {
    pair: Pair,
    /// What is wrong.
    message: Option<String>,
}

impl Certificate {
    /// Takes the given files, or makes a certificate. The error names the file and the cause.
    pub fn start(tls: &Tls) -> Result<Self, Error> {
        match &tls.files {
            Some(files) => Self::given(files, tls.only),
            None => Self::own(tls.state_folder.clone(), tls.only),
        }
    }

    fn given(files: &CertificateFiles, only: bool) -> Result<Self, Error> {
        let certificate = watched_file::follow(files.certificate.clone());
        let key = watched_file::follow(files.key.clone());
        let mut files = Files { certificate, key, names: files.clone() };
        let pair = files.pair().map_err(|err| Error::new(FailureReason::ConfigInvalid, err))?;
        let shown = Self::new(TlsSource::Given, only, pair, None);
        tokio::spawn(shown.clone().follow(files));
        Ok(shown)
    }

    fn own(folder: Option<PathBuf>, only: bool) -> Result<Self, Error> {
        let (pair, unkept) = self_signed::load_or_make(folder.as_deref(), now()).map_err(Error::pipeline)?;
        if let Some(unkept) = &unkept {
            tracing::warn!("{unkept}");
        }
        let shown = Self::new(TlsSource::SelfSigned, only, pair, unkept);
        tokio::spawn(shown.clone().renew(folder));
        Ok(shown)
    }

    fn new(source: TlsSource, only: bool, pair: Pair, message: Option<String>) -> Self {
        tracing::info!(
            source = source.as_str(),
            fingerprint = pair.fingerprint,
            until = pair.not_after_text,
            "pages are served by TLS too"
        );
        Self(Arc::new(Inner { source, only, shown: Mutex::new(Shown { pair, message }) }))
    }

    /// Takes over what the files hold, whenever that is a pair.
    async fn follow(self, mut files: Files) {
        while files.changed().await {
            let mut refused = None;
            // While one file is new and the other old they do not belong together, and that is nothing to report.
            loop {
                match files.pair() {
                    Ok(pair) if pair.fingerprint == self.shown().pair.fingerprint => break,
                    Ok(pair) => {
                        tracing::info!(
                            fingerprint = pair.fingerprint,
                            until = pair.not_after_text,
                            "a new certificate"
                        );
                        *self.shown() = Shown { pair, message: None };
                        break;
                    }
                    Err(err) => refused = Some(err),
                }
                match tokio::time::timeout(SETTLE, files.changed()).await {
                    Ok(true) => refused = None,
                    Ok(false) => return,
                    Err(_) => break,
                }
            }
            if let Some(err) = &refused {
                tracing::error!("the new certificate is not taken, the one before stays: {err}");
            }
            self.shown().message = refused.map(|err| format!("The new certificate is not taken: {err}"));
        }
    }

    async fn renew(self, folder: Option<PathBuf>) {
        let mut ticks = tokio::time::interval(RENEWAL);
        loop {
            ticks.tick().await;
            if Arc::strong_count(&self.0) == 1 {
                return;
            }
            if !self_signed::is_due(&self.shown().pair, now()) {
                continue;
            }
            let folder = folder.clone();
            let made =
                tokio::task::spawn_blocking(move || self_signed::load_or_make(folder.as_deref(), now()));
            match made.await {
                Ok(Ok((pair, message))) => *self.shown() = Shown { pair, message },
                Ok(Err(err)) => tracing::error!("{err}"),
                Err(_) => return,
            }
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        // Each change is one assignment, so a panic elsewhere leaves it whole.
        self.0.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `/status` says.
    pub fn status(&self) -> TlsStatus {
        let shown = self.shown();
        let expired = || {
            let over = shown.pair.not_after <= unix(now());
            over.then(|| "The certificate has expired: browsers warn of it or refuse the page.".to_owned())
        };
        TlsStatus {
            source: self.0.source,
            fingerprint: shown.pair.fingerprint.clone(),
            not_after: shown.pair.not_after_text.clone(),
            message: shown.message.clone().or_else(expired),
        }
    }

    /// When it expires, in seconds since 1970.
    pub fn not_after(&self) -> i64 {
        self.shown().pair.not_after
    }

    /// Whether nobody vouches for it.
    pub fn is_self_signed(&self) -> bool {
        self.0.source == TlsSource::SelfSigned
    }

    /// Whether pages are to be sent to https.
    pub fn only(&self) -> bool {
        self.0.only
    }

    /// Whether browsers may be told never to come without TLS again. With a self-signed certificate that would lock people
    /// out, since what it forbids to click through is its warning.
    pub fn is_strict(&self) -> bool {
        self.0.only && !self.is_self_signed()
    }

    /// What takes TLS connections with it.
    pub fn acceptor(&self) -> Result<TlsAcceptor, Error> {
        let config = ServerConfig::builder_with_provider(Arc::new(pair::provider()))
            .with_safe_default_protocol_versions()
            .map_err(|err| Error::pipeline(format!("TLS cannot be set up: {err}")))?;
        let mut config = config.with_no_client_auth().with_cert_resolver(Arc::new(Resolver(self.clone())));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

#[derive(Debug)]
struct Resolver(Certificate);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.shown().pair.certified.clone())
    }
}

/// The two files of a given pair; they may be one.
struct Files {
    certificate: watch::Receiver<Content>,
    key: watch::Receiver<Content>,
    names: CertificateFiles,
}

impl Files {
    fn pair(&mut self) -> Result<Pair, String> {
        let certificate = self.certificate.borrow_and_update().clone()?;
        let key = self.key.borrow_and_update().clone()?;
        pair::assemble(&certificate, &key).map_err(|err| {
            let (certificate, key) = (self.names.certificate.display(), self.names.key.display());
            format!("{certificate} with {key}: {err}")
        })
    }

    /// Waits until one changes; false if nobody follows them any more.
    async fn changed(&mut self) -> bool {
        tokio::select! {
            changed = self.certificate.changed() => changed.is_ok(),
            changed = self.key.changed() => changed.is_ok(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "certificates expire by the calendar")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn unix(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs().try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    fn write(folder: &Path, (certificate, key): &(String, String)) -> CertificateFiles {
        let files = CertificateFiles { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
        files
    }

    async fn eventually(what: &str, fits: impl Fn() -> bool) {
        for _ in 0..600 {
            if fits() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{what}: not within a minute");
    }

    #[tokio::test]
    async fn replaced_pair_is_taken_once_both_files_are_there_and_a_bad_one_never() {
        let folder = tempfile::tempdir().unwrap();
        let files = write(folder.path(), &pair::tests::self_signed("one"));
        let certificate = Certificate::given(&files, true).unwrap();
        let first = certificate.status();
        assert_eq!((first.source, first.message.as_deref()), (TlsSource::Given, None));

        let (second, second_key) = pair::tests::self_signed("two");
        fs::write(&files.certificate, second).unwrap();
        eventually("the mismatch is told", || certificate.status().message.is_some()).await;
        let status = certificate.status();
        assert_eq!(status.fingerprint, first.fingerprint, "the old one is still shown");
        let message = status.message.unwrap();
        assert!(message.contains("tls.crt") && message.contains("do not belong together"), "{message}");

        fs::write(&files.key, second_key).unwrap();
        eventually("the second is shown", || certificate.status().fingerprint != first.fingerprint).await;
        assert_eq!(certificate.status().message, None);
        fs::remove_file(&files.key).unwrap();
        eventually("the loss is told", || certificate.status().message.is_some()).await;
        assert!(certificate.status().message.unwrap().contains("tls.key"));
    }

    #[tokio::test]
    async fn unusable_files_at_the_start_are_a_wrong_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, _) = pair::tests::self_signed("one");
        let (_, other) = pair::tests::self_signed("two");
        let files = write(folder.path(), &(certificate, other));
        let err = Certificate::given(&files, false).unwrap_err();
        assert_eq!(err.reason, FailureReason::ConfigInvalid);
        assert!(err.message.contains("tls.crt with "), "{err}");
        fs::remove_file(&files.key).unwrap();
        let err = Certificate::given(&files, false).unwrap_err();
        assert!(err.message.contains("tls.key: No such file"), "{err}");
    }

    #[tokio::test]
    async fn strict_transport_security_is_for_certificates_that_somebody_vouches_for() {
        let folder = tempfile::tempdir().unwrap();
        let files = write(folder.path(), &pair::tests::self_signed("one"));
        assert!(Certificate::given(&files, true).unwrap().is_strict());
        assert!(!Certificate::given(&files, false).unwrap().is_strict());
        assert!(!Certificate::own(None, true).unwrap().is_strict());
    }
}
