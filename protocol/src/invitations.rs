//! The wire: invitations that the page in control has made: links that let somebody in for a time.

use crate::control::Role;
use serde::{Deserialize, Serialize};

/// The query of the page's address by which somebody comes with an invitation.
pub const QUERY: &str = "invite";

/// One that holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// Its number.
    pub id: u32,
    /// What whoever comes with it may become.
    pub role: Role,
    /// Seconds until it expires, when this was sent.
    pub seconds: f64,
}

/// All that hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Invitations {
    /// Whether this page may invite.
    pub allowed: bool,
    /// Those that hold, oldest first.
    pub invitations: Vec<Invitation>,
}

/// Why there is no invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Refusal {
    /// The page is not in control, was invited itself, or the operator has switched it off.
    NotAllowed,
    /// There are [`crate::limits::MAX_INVITATIONS`].
    TooMany,
    /// It would hold for no time, or for longer than [`crate::limits::MAX_INVITATION_SECONDS`].
    BadDuration,
}
