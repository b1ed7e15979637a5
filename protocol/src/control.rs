//! The wire: the reliable channel `control` between page and server: pings, statistics, state.

use crate::{
    clipboard, files,
    gamepad::Rumble,
    invitations,
    latency::{FrameReports, Latency},
    notice::Notice,
    people::People,
    phase::Phase,
    reason::FailureReason,
    recording::{Recording, RecordingFailure},
    screen::{Screen, Viewport},
    settings::{Settings, Wish},
    status::QualityLimitationReason,
};
use serde::{Deserialize, Serialize};

/// What the page sends. `ping`, `stats`, `frames` and `requestKeyFrame` are the sink's; the rest is the application's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FromPage {
    /// Asks for a `pong`.
    Ping {
        /// Returned as it is.
        id: u32,
    },
    /// What the browser sees, once a second, in W3C webrtc-stats terms.
    Stats(PageStats),
    /// When single frames came, were decoded and were shown.
    Frames(FrameReports),
    /// The picture is missing or frozen although data arrives.
    RequestKeyFrame,
    /// The user wants control of keyboard and pointer.
    TakeControl,
    /// How large the user would have the desktop; whenever that changes, and when the page gets control.
    Viewport(Viewport),
    /// The user wants something of the session set.
    Settings(Wish),
    /// What the user wants to be called, at most [`crate::limits::MAX_NAME_CHARS`].
    Name {
        /// One short line; empty for nothing.
        name: String,
    },
    /// Whoever is in control gives it to another page, asked or not.
    GiveControl {
        /// The page.
        consumer: String,
    },
    /// Whoever is in control keeps it, though asked.
    KeepControl,
    /// Whoever is in control would have the session's longest time extended, as `ending` has offered.
    Extend,
    /// Whoever is in control would have a link by which others come. The answer is `invited` or `notInvited`.
    Invite {
        /// What they may become.
        role: Role,
        /// For how long it holds, at most [`crate::limits::MAX_INVITATION_SECONDS`].
        seconds: u32,
    },
    /// Whoever is in control takes an invitation back, and whoever has come with it has to go.
    Revoke {
        /// Its number.
        id: u32,
    },
    /// Whoever is in control wants the session recorded, or recorded no more.
    Record {
        /// Recorded.
        on: bool,
    },
}

/// The browser's view of the stream over the last second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PageStats {
    /// Frames decoded since the start.
    pub frames_decoded: u64,
    /// Frames dropped since the start.
    pub frames_dropped: u64,
    /// Frames put on the screen since the start; 0 where the browser does not tell.
    pub frames_presented: u64,
    /// Frames per second.
    pub frames_per_second: f64,
    /// Video bits per second received.
    pub bitrate_bps: f64,
    /// Interarrival jitter of the video in ms.
    pub jitter_ms: f64,
    /// Mean time in the jitter buffer over the last second in ms.
    pub jitter_buffer_delay_ms: f64,
    /// Mean decode time over the last second in ms.
    pub decode_ms: f64,
    /// Video packets received since the start.
    pub packets_received: u64,
    /// Packets lost since the start.
    pub packets_lost: i64,
    /// Round trip of a ping over this channel in ms.
    pub round_trip_ms: f64,
    /// Freezes since the start.
    pub freeze_count: u64,
}

/// What the server sends. `pong`, `media` and `latency` come from the sink; the rest from the application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ToPage {
    /// The answer to `ping`.
    Pong {
        /// The ping's.
        id: u32,
        /// The server's clock when the ping came, in microseconds; absent where the server has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        received_us: Option<u64>,
        /// The server's clock when the answer went, in microseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sent_us: Option<u64>,
    },
    /// How long the way of the page's frames took, once a second while frames are shown.
    Latency(Latency),
    /// What is being sent; on connect and at every change.
    Media(Media),
    /// State of the session; on connect and at every change.
    Session {
        /// Where the session stands.
        phase: Phase,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<FailureReason>,
        /// A sentence about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// What this page may do.
        role: Role,
        /// Connected pages.
        consumers: u32,
    },
    /// Something the user should know.
    Notice(Notice),
    /// The session will be ended by one of its limits, unless that moves; at each change, and when it no longer will.
    Ending {
        /// The limit; absent when the session is not about to be ended any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<SessionLimit>,
        /// Seconds until then, when this was sent.
        seconds: f64,
        /// By how many seconds whoever is in control may extend it, by `extend`; absent where nobody may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        extension_seconds: Option<u64>,
    },
    /// This page had control, and another one has it now. It goes on watching.
    ControlTaken {
        /// By another page of the same user.
        same_user: bool,
    },
    /// What is encoded and what holds it back; on connect and at every change.
    Quality(Quality),
    /// Size of the desktop, in whose pixels the page reports the pointer; on connect and at every change. The frame may
    /// be smaller.
    Display {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// What the page may do with the clipboard; on connect and at every change.
    Clipboard(clipboard::Policy),
    /// What the page may do with files, and where; on connect and at every change.
    Files(files::Policy),
    /// The pointer's shape, for pages into whose picture it is not drawn; on connect and at every change.
    Cursor(Cursor),
    /// Who is here, and who asks for control; on connect and at every change.
    People(People),
    /// This page has asked for control, and does not get it.
    ControlRefused,
    /// Which invitations hold, to a page that may invite; when it may, at every change, and when it may no more.
    Invitations(invitations::Invitations),
    /// The invitation that the page has asked for. Its token is told this once.
    Invited {
        /// Its number.
        id: u32,
        /// What the link has in its query [`invitations::QUERY`].
        token: String,
    },
    /// There is no invitation.
    NotInvited {
        /// Why.
        reason: invitations::Refusal,
    },
    /// What the screen is, and whether its size follows the controller's window; on connect and at every change.
    Screen(Screen),
    /// What is set, and between which bounds; on connect, at every change, and to a page whose wish was not granted.
    Settings(Settings),
    /// A program on the desktop would have a gamepad shake, to the page in control whose gamepad it is.
    Rumble(Rumble),
    /// Whether the session is recorded; on connect and at every change.
    Recording(Recording),
    /// The recording has ended, or has not begun, although nobody wanted that.
    RecordingFailed {
        /// Why.
        reason: RecordingFailure,
    },
}

/// The pointer's shape.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cursor {
    /// Columns, at most [`crate::limits::MAX_CURSOR_PX`]; 0 for a pointer that is invisible.
    pub width: u32,
    /// Rows, at most as many.
    pub height: u32,
    /// Column of the point that points.
    pub hotspot_x: u32,
    /// Row of the point that points.
    pub hotspot_y: u32,
    /// The picture as PNG in base64; empty for a pointer that is invisible.
    pub png: String,
}

/// The media on its way to the page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Media {
    /// `H264`, `VP8`, … as in SDP; empty while unknown.
    pub codec: String,
    /// `4:2:0` or `4:4:4`: how many pixels share a colour; empty while unknown.
    pub chroma_format: String,
    /// GStreamer factory name of the encoder; empty while unknown.
    pub encoder: String,
    /// Columns of the frame; 0 while unknown.
    pub width: u32,
    /// Rows of the frame; 0 while unknown.
    pub height: u32,
    /// Frames per second the source promises; 0 if variable.
    pub framerate: u32,
    /// Whether there is an audio track.
    pub audio: bool,
}

/// What is encoded and what holds it back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Quality {
    /// What holds quality back now.
    pub reason: QualityLimitationReason,
    /// For how long it has held when this was sent, in seconds.
    pub seconds: f64,
    /// GStreamer factory name of the encoder.
    pub encoder: String,
    /// Whether it runs on a GPU.
    pub hardware: bool,
    /// `H264`, `VP8`, … as in SDP.
    pub codec: String,
    /// Columns of the desktop that the frame was made of; 0 while unknown.
    pub source_width: u32,
    /// Rows of the desktop that the frame was made of; 0 while unknown.
    pub source_height: u32,
    /// Columns of the encoded frame; 0 while unknown.
    pub width: u32,
    /// Rows of the encoded frame; 0 while unknown.
    pub height: u32,
    /// Most frames per second for now; 0 while only the source sets the pace.
    pub max_framerate: f64,
    /// Bit rate asked of the encoder.
    pub bitrate_bps: u64,
}

/// What a page may do. The server enforces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees, hears and acts.
    Controller,
    /// Sees and hears.
    Viewer,
}

impl Role {
    /// Name on the wire, in logs and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Controller => "controller",
            Role::Viewer => "viewer",
        }
    }
}

/// What ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionLimit {
    /// Its longest time.
    Timeout,
    /// Time without input.
    Idle,
    /// Time without a page.
    Disconnected,
}
