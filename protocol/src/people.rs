//! The wire: who is here, who asks whom for control, and where those who watch point.

use crate::control::Role;
use serde::{Deserialize, Serialize};

/// A connected page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// The server's name for the page.
    pub consumer: String,
    /// What its user wants to be called; empty if nothing was said.
    #[serde(default)]
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whether it may never have control, by the password or the invitation that it came with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub view_only: bool,
}

/// Everybody who is here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct People {
    /// Connected pages.
    pub people: Vec<Person>,
    /// Whether control is asked for, and not just taken.
    pub asks: bool,
    /// The page that asks for it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asking: Option<String>,
}

/// Where somebody who watches points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pointer {
    /// The server's name for the page.
    pub consumer: String,
    /// Column of the desktop.
    pub x: u16,
    /// Row of the desktop.
    pub y: u16,
}

/// What the server sends on the channel `pointer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ToPointer {
    /// Where all others who watch point now, as far as they show it; at each change, and a few times more.
    Pointers {
        /// Counts up: an older one than the last seen is dropped.
        seq: u32,
        /// One for each of them.
        pointers: Vec<Pointer>,
    },
}
