//! Wire: what can go wrong between the operator and the API server, and what follows from each.
//!
//! A variant is what the reader can act on: try again later, look again at once, or tell the person who asked.

use crate::phase::Refusal;
use std::time::Duration;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused a request, or could not be reached.
    #[error("cannot {what}: {}", words(.source))]
    Api {
        /// What was tried.
        what: String,
        /// What the client says.
        #[source]
        source: Box<kube::Error>,
    },
    /// The API server did not answer in time. What was asked may have been done or not.
    #[error("cannot {what}: no answer within {} s", .limit.as_secs())]
    Late {
        /// What was tried.
        what: String,
        /// How long was waited.
        limit: Duration,
    },
    /// Another operator leads now, or may.
    #[error("did not {what}: this operator does not hold the lease")]
    NotLeading {
        /// What was not even tried.
        what: String,
    },
    /// What this operator knew was not the latest: it has to look again.
    #[error("{what} has changed meanwhile")]
    Stale {
        /// What has changed.
        what: String,
    },
    /// What stands in the way has to be removed by somebody else.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// An object could not be read or written as JSON.
    #[error("cannot read {what}: {source}")]
    Json {
        /// What was read.
        what: String,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The process cannot start or go on.
    #[error("{0}")]
    Setup(String),
}

impl Error {
    /// Status code of the API server's refusal.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Api { source, .. } => match &**source {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            _ => None,
        }
    }

    /// Label for metrics.
    pub fn label(&self) -> &'static str {
        match (self, self.code()) {
            (Self::Late { .. }, _) => "late",
            (Self::NotLeading { .. }, _) => "not_leading",
            (Self::Stale { .. }, _) | (_, Some(409)) => "conflict",
            (Self::Json { .. }, _) => "json",
            (Self::Refused(_), _) => "refused",
            (Self::Setup(_), _) => "setup",
            (_, Some(429)) => "too_many_requests",
            (_, Some(401 | 403)) => "forbidden",
            (_, Some(404)) => "not_found",
            (_, Some(400 | 422)) => "invalid",
            (_, Some(_)) => "server",
            (_, None) => "unreachable",
        }
    }

    /// Whether what this operator knew was not the latest.
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Stale { .. }) || self.code() == Some(409)
    }

    /// How long the API server asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        let Self::Api { source, .. } = self else { return None };
        let kube::Error::Api(status) = &**source else { return None };
        let seconds = status.details.as_ref()?.retry_after_seconds;
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    /// The refusal that this is, if trying the same again is of no use before something else changes.
    pub fn refusal(&self) -> Option<Refusal> {
        if let Self::Refused(refusal) = self {
            return Some(refusal.clone());
        }
        let Self::Api { what, source } = self else { return None };
        let kube::Error::Api(status) = &**source else { return None };
        let reason = match status.code {
            403 if status.message.contains("exceeded quota") => "QuotaExceeded",
            403 if status.message.contains("is being terminated") => "NamespaceTerminating",
            403 => "Forbidden",
            400 | 422 => "Invalid",
            404 if status.message.starts_with("namespaces ") => "NamespaceNotFound",
            404 => "NotFound",
            _ => return None,
        };
        Some(Refusal { reason, message: format!("cannot {what}: {}", status.message) })
    }
}

/// What the client says, without its own frame around it.
fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.message.is_empty() => {
            format!("the API server answered {}", status.code)
        }
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// An error with what lies behind it: that a request failed says little without the address that could not be reached.
pub fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn refused(code: u16, message: &str) -> Error {
        let status = Status { code, message: message.to_owned(), ..Status::default() };
        Error::Api {
            what: "create Pod desktop-work".into(),
            source: Box::new(kube::Error::Api(status.boxed())),
        }
    }

    #[test]
    fn a_quota_is_told_and_a_busy_server_is_not() {
        let quota = refused(403, "pods \"desktop-work\" is forbidden: exceeded quota: gpus");
        assert_eq!(quota.refusal().map(|refusal| refusal.reason), Some("QuotaExceeded"));
        for code in [409, 429, 500, 503] {
            assert_eq!(refused(code, "").refusal(), None, "{code}");
        }
    }

    #[test]
    fn the_words_say_what_was_tried_and_what_was_answered() {
        assert_eq!(
            refused(500, "").to_string(),
            "cannot create Pod desktop-work: the API server answered 500"
        );
        assert_eq!(refused(422, "spec: no").to_string(), "cannot create Pod desktop-work: spec: no");
    }

    #[test]
    fn an_error_is_told_with_what_lies_behind_it() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let source = Box::new(kube::Error::Service(Box::new(refused)));
        let text = whole(&Error::Api { what: "hold the lease vdi-system/vdi-operator".to_owned(), source });
        assert!(text.starts_with("cannot hold the lease") && text.contains("refused"), "{text}");
    }
}
