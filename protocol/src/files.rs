//! The wire: files, which go over HTTP on the same port. A page is told over the channel `control` what it may
//! ([`Policy`]), and under which path.
//!
//! | request under `files/{token}` | |
//! |---|---|
//! | `GET /`, `GET /{folder}` | [`List`] of what is there |
//! | `GET /{file}`, `HEAD` | its bytes, with `Range`, `If-Range` and `ETag` (RFC 9110) |
//! | `POST /{folder}` | begins an upload: tus 1.0 creation, with `Upload-Length` and `filename` in `Upload-Metadata` |
//! | `HEAD`, `PATCH`, `DELETE /.uploads/{id}` | tus 1.0: how much is there, more of it, no more of it |
//!
//! The token is that of one page for as long as it is in control. The last `PATCH` is answered with `Upload-Name`, the
//! name under which the file was kept, percent-encoded: nothing is overwritten.

use serde::{Deserialize, Serialize};

/// What a page may do with files: on connect and at every change, on the channel `control`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    /// Part of the path of every request; empty for a page that may nothing.
    pub token: String,
    /// It may see and download what is in the folder.
    pub read: bool,
    /// It may upload.
    pub write: bool,
    /// Most bytes of one file that is uploaded.
    pub max_bytes: u64,
}

/// What is in a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct List {
    /// Folders first, each by name.
    pub entries: Vec<Entry>,
}

/// A file or a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Whether it is a folder.
    pub folder: bool,
    /// Its size; 0 for a folder.
    pub bytes: u64,
    /// When it was last written, in seconds since 1970.
    pub modified_seconds: u64,
}
