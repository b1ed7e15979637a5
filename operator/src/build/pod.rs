//! Decision: the pod of a desktop: one container with display, desktop and launcher, as locked down as it can be.

use super::metadata;
use crate::{desktop::Desktop, settings::Settings};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

/// The pod of a session.
pub(super) fn pod(desktop: &Desktop, settings: &Settings, name: &str, expires_at: Option<Timestamp>) -> Pod {
    let _ = (settings, expires_at);
    Pod { metadata: metadata::owned(desktop, name), spec: None, status: None }
}
