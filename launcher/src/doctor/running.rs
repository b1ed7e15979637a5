//! Shell: asks a launcher that runs on this machine for its `/status`, with the credentials that this one was given.

use super::reachable;
use crate::config::Config;
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{net::IpAddr, sync::Arc, time::Duration};
use ureq::tls::TlsConfig;
use vdi_protocol::{environment, status::Status};

/// Time for the answer: it comes from this machine.
const LIMIT: Duration = Duration::from_secs(5);

/// Where a launcher would be, and how to be let in.
#[derive(Debug, Clone)]
pub struct Running {
    address: IpAddr,
    port: u16,
    authorization: Option<String>,
    has_unknown_password: bool,
}

impl Running {
    /// Where a launcher with these options listens.
    pub fn of(config: &Config) -> Self {
        let address = reachable(config.address);
        let login = config.credentials.as_ref();
        let authorization = login.and_then(|login| {
            let password = login.password.as_ref()?;
            Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", login.user, password.0))))
        });
        let has_unknown_password = login.is_some() && authorization.is_none();
        Self { address, port: config.port, authorization, has_unknown_password }
    }

    /// Its status, or a sentence that says why there is none. Blocks.
    pub fn status(&self) -> Result<Status, String> {
        if self.port == 0 {
            return Err("Without a --port there is no running launcher to ask.".into());
        }
        match self.ask("http") {
            // With TLS, plain HTTP is sent away.
            Ok(Answer::Elsewhere) => self.ask("https").and_then(|answer| self.read(answer)),
            Ok(answer) => self.read(answer),
            Err(why) => Err(why),
        }
    }

    fn ask(&self, scheme: &str) -> Result<Answer, String> {
        let url = format!(
            "{scheme}://{}{}",
            std::net::SocketAddr::new(self.address, self.port),
            environment::STATUS
        );
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            // The certificate is for the name by which browsers come, or signed by itself; this is our own machine.
            .disable_verification(true)
            .build();
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(LIMIT))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .tls_config(tls)
            .build();
        let mut request = ureq::Agent::new_with_config(config).get(&url);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        match request.call() {
            Ok(mut response) => Ok(match response.status().as_u16() {
                200 => response
                    .body_mut()
                    .read_json()
                    .map_or(Answer::Stranger, |status| Answer::Status(Box::new(status))),
                401 => Answer::Refused,
                429 => Answer::Wait,
                300..=399 | 426 => Answer::Elsewhere,
                _ => Answer::Stranger,
            }),
            Err(ureq::Error::Timeout(_)) => Err(format!(
                "What listens on port {} does not answer within {} s.",
                self.port,
                LIMIT.as_secs()
            )),
            Err(ureq::Error::Io(_) | ureq::Error::ConnectionFailed) => {
                Err(format!("No launcher runs on port {} of {}.", self.port, self.address))
            }
            Err(err) => Err(format!("What listens on port {} is no launcher: {err}.", self.port)),
        }
    }

    fn read(&self, answer: Answer) -> Result<Status, String> {
        let port = self.port;
        Err(match answer {
            Answer::Status(status) => return Ok(*status),
            Answer::Refused if self.has_unknown_password => format!(
                "A launcher runs on port {port}; to look at its session, give its password with SELKIES_BASIC_AUTH_PASSWORD."
            ),
            Answer::Refused => {
                format!("A launcher runs on port {port} with another user or password than these.")
            }
            Answer::Wait => {
                format!("The launcher on port {port} makes us wait, after too many wrong passwords.")
            }
            Answer::Stranger | Answer::Elsewhere => {
                format!("What listens on port {port} is no launcher of this version.")
            }
        })
    }
}

/// What came back.
enum Answer {
    Status(Box<Status>),
    Refused,
    Wait,
    Elsewhere,
    Stranger,
}
