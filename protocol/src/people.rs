//! The wire: who is here, and who asks whom for control.

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
