//! Decision: the Secret of a desktop: the page's password, and the TURN servers with credentials where there are any.

use super::metadata;
use crate::{
    credentials::{Credentials, KEY_PASSWORD, KEY_RTC, KEY_USERNAME},
    desktop::Desktop,
    names,
};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};

/// The Secret of a session.
pub(super) fn secret(desktop: &Desktop, name: &str, credentials: &Credentials) -> Secret {
    filled(metadata::owned(desktop, name), credentials)
}

/// A Secret of ours.
pub(super) fn filled(mut metadata: ObjectMeta, credentials: &Credentials) -> Secret {
    let mut data = vec![(KEY_USERNAME, &credentials.username), (KEY_PASSWORD, &credentials.password)];
    if let Some(turn) = &credentials.turn {
        data.push((KEY_RTC, &turn.rtc));
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert(names::ANNOTATION_TURN_EXPIRES_AT.to_owned(), turn.expires_at.to_string());
    }
    let data = data.into_iter().map(|(key, text)| (key.to_owned(), ByteString(text.clone().into_bytes())));
    Secret { metadata, data: Some(data.collect()), type_: Some("Opaque".to_owned()), ..Secret::default() }
}
