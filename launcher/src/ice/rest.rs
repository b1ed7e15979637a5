//! Shell: asks a TURN REST service. It blocks, within a limit, and never repeats the service's address, which may hold a key.

use crate::config::TurnRest;
use std::{sync::Arc, time::Duration};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// For the whole question and answer.
const LIMIT: Duration = Duration::from_secs(10);

/// Largest answer that is read; real ones have a few hundred bytes.
const MAX_BODY_BYTES: u64 = 64 * 1024;

/// Asks for servers on behalf of `user`; the body, or what went wrong.
pub fn ask(service: &TurnRest, user: &str) -> Result<Vec<u8>, String> {
    let mut response = call(service, user)?;
    if response.status() != 200 {
        return Err(format!("it answers with {}", response.status()));
    }
    response.body_mut().with_config().limit(MAX_BODY_BYTES).read_to_vec().map_err(|err| words(&err))
}

/// What time it is there, as an HTTP date; whatever it answers with has one.
pub fn date(service: &TurnRest, user: &str) -> Option<String> {
    let response = call(service, user).ok()?;
    Some(response.headers().get("date")?.to_str().ok()?.to_owned())
}

fn call(service: &TurnRest, user: &str) -> Result<ureq::http::Response<ureq::Body>, String> {
    let roots = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<_> = roots.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(LIMIT))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // Nothing but the options reads the environment.
        .proxy(None)
        .user_agent(concat!("gst-vdi/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build()
        .into();
    let mut request = agent.get(&service.uri.0).header("accept", "application/json");
    for (name, value) in &service.headers {
        request = request.header(name, if value.is_empty() { user } else { value });
    }
    request.call().map_err(|err| words(&err))
}

/// Errors about the address would quote it.
fn words(err: &ureq::Error) -> String {
    match err {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "its address or a header cannot be used".into(),
        other => other.to_string(),
    }
}
