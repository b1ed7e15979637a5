//! The wire: the reliable channel `clipboard` between page and server, on which what was copied goes both ways.
//!
//! ```text
//! sender                                   receiver
//!   │ ── offer {id, selection, items} ──────▶ │   an item is a MIME type and a number of bytes
//!   │ ── piece {id, data} ──────────────────▶ │   the items' bytes one after the other, at most WINDOW_BYTES of them
//!   │ ◀─────────── received {id, bytes} ───── │   beyond what was received
//!   │ ◀─────────────────────── taken {id} ─── │   by the desktop; it is pasted from now on
//! ```
//!
//! An offer takes the place of the one before it, which is not gone on with. A page that has said nothing is told nothing:
//! it begins with `ready`.

use serde::{Deserialize, Serialize};

/// Bytes of one piece, before they are written in base64: a quarter of what a message may have, so that keys, which
/// share the connection, wait for no more than that.
pub const PIECE_BYTES: usize = 16 * 1024;

/// Bytes that may be on their way. With 50 ms there and back this is 20 Mbit/s, and on a line of 5 Mbit/s it holds up
/// what comes after it by 0.2 s.
pub const WINDOW_BYTES: u64 = 8 * PIECE_BYTES as u64;

/// Items of one offer; there are as many types.
pub const MAX_ITEMS: usize = 3;

/// Which of the desktop's selections (ICCCM, 2.6.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Selection {
    /// What was copied.
    #[default]
    Clipboard,
    /// What is marked; the middle button pastes it.
    Primary,
}

/// The types that every browser's clipboard takes (W3C Clipboard API, 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mime {
    /// Text in UTF-8.
    #[serde(rename = "text/plain")]
    Text,
    /// A piece of HTML in UTF-8.
    #[serde(rename = "text/html")]
    Html,
    /// A picture.
    #[serde(rename = "image/png")]
    Png,
}

/// One form of what was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its type; no two of an offer have the same.
    pub mime: Mime,
    /// Its length.
    pub bytes: u64,
}

/// Something is copied, and its pieces follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The sender's number of it; each is larger than the one before.
    pub id: u32,
    /// Where it was copied, or is to be pasted from.
    #[serde(default)]
    pub selection: Selection,
    /// Its forms, at most [`MAX_ITEMS`].
    pub items: Vec<Item>,
    /// A page brings this by itself, and not at a word of its user: the last of the server's offers of what was copied that it has
    /// seen, 0 for none. What was copied on the desktop since is newer, and stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u32>,
}

/// What the page sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FromPage {
    /// It listens from now on.
    Ready,
    /// It wants what is in this selection now.
    Fetch {
        /// Which one.
        selection: Selection,
    },
    /// Something was copied outside of the desktop.
    Offer(Offer),
    /// The next bytes of its own offer.
    Piece {
        /// The offer.
        id: u32,
        /// At most [`PIECE_BYTES`], in base64.
        data: String,
    },
    /// So much of the server's offer has come.
    Received {
        /// The offer.
        id: u32,
        /// Bytes from its beginning.
        bytes: u64,
    },
}

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ToPage {
    /// Something was copied on the desktop.
    Offer(Offer),
    /// The next bytes of its own offer.
    Piece {
        /// The offer.
        id: u32,
        /// At most [`PIECE_BYTES`], in base64.
        data: String,
    },
    /// So much of the page's offer has come.
    Received {
        /// The offer.
        id: u32,
        /// Bytes from its beginning.
        bytes: u64,
    },
    /// The page's offer is what the desktop pastes from now on.
    Taken {
        /// The offer.
        id: u32,
    },
    /// The page's offer is not.
    Refused {
        /// The offer.
        id: u32,
        /// Why.
        reason: Refusal,
    },
    /// What was copied on the desktop, or was asked for, does not come.
    Missed {
        /// From where.
        selection: Selection,
        /// Why.
        reason: Refusal,
    },
}

/// Why something that was copied does not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Refusal {
    /// It has more bytes than [`Policy::max_bytes`].
    TooLarge,
    /// This page may not, or nobody may.
    NotAllowed,
    /// There is nothing, or nothing in a form that browsers know.
    Empty,
    /// It is not what its offer said.
    Malformed,
    /// The program on the desktop that has it does not give it, or the desktop is gone.
    Failed,
    /// Something newer was copied on the desktop meanwhile, and is on its way.
    Superseded,
}

/// What a page may do with the clipboard: on connect and at every change, on the channel `control`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    /// What is copied on the desktop comes to the page.
    pub read: bool,
    /// What is copied outside may be pasted on the desktop.
    pub write: bool,
    /// Most bytes of one thing that is copied, all its forms together.
    pub max_bytes: u64,
}
