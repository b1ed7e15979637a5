//! Setup: whom the sink trusts when it dials a broker over TLS.

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::sync::Arc;

/// The system's certificates, and those of `ca_file` beside them. Nothing switches the verification off.
pub fn config(ca_file: Option<&str>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca_file {
        let wrong = |why: &dyn std::fmt::Display| {
            format!("ca-file {file}: {why}; a PEM file with certificates is accepted")
        };
        let certificates: Vec<_> =
            CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(|err| wrong(&err))?;
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(wrong(&"it has no certificate"));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|err| err.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
