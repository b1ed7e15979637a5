//! The wire: how large the desktop is, and how large a page would have it. Both are in pixels of a screen, not in CSS pixels.

use serde::{Deserialize, Serialize};

/// The window of a page, as large as its user would have the desktop. Only the controller's counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Viewport {
    /// Columns, in pixels of the screen.
    pub width: u32,
    /// Rows, in pixels of the screen.
    pub height: u32,
    /// Pixels of the screen in a CSS pixel (`devicePixelRatio`): how large text has to be.
    pub scale: f64,
}

/// The screen that is streamed, and what may be asked of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Screen {
    /// Whether the controller's window decides its size.
    pub resizable: bool,
    /// Why not, where that is not the operator's wish; a sentence, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Most columns that it can have; 0 while unknown.
    pub max_width: u32,
    /// Most rows that it can have; 0 while unknown.
    pub max_height: u32,
    /// Dots per inch that programs are told of; 96 is what they call 100 per cent.
    pub dpi: u32,
    /// Its monitors, as the X server tells them.
    pub monitors: Vec<Monitor>,
}

/// A part of the screen that stands for a monitor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Monitor {
    /// The X server's name for it.
    pub name: String,
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Whether it is the one where programs start.
    pub primary: bool,
}
