//! Decision: what can go wrong between us and an X server, in words that say what to do. Refuses nothing.

use vdi_protocol::reason::FailureReason;
use x11rb::errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError};
use x11rb::x11_utils::X11Error;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no server behind the name.
    #[error("cannot be reached: {0}. Is the X server running, and are DISPLAY and XAUTHORITY right?")]
    Connect(#[from] ConnectError),
    /// It was there, and is gone.
    #[error("is gone: {0}. Start the X server again, and then the stream")]
    Lost(#[from] ConnectionError),
    /// It said no.
    #[error("refuses a request: {} ({:?} {})", .0.error_kind_name(), .0.request_name, .0.bad_value)]
    Refused(X11Error),
    /// The window does not exist.
    #[error("has no window {0}")]
    NoWindow(String),
    /// The window existed, and does no longer.
    #[error("has closed the window {0:#x} that was captured")]
    WindowGone(u32),
    /// Nothing of the picture is inside of the region.
    #[error("has {width}x{height} pixels, and the region that starts at {x},{y} lies outside or is empty")]
    Outside {
        /// Size of what is captured.
        width: u32,
        /// Lines.
        height: u32,
        /// Start of the region.
        x: u32,
        /// Its first line.
        y: u32,
    },
    /// Its pixels are not among those that we read.
    #[error("has pixels of {depth} bits depth in {bits_per_pixel}; 24, 30 and 32 in 32 can be captured")]
    Layout {
        /// Bits that mean something.
        depth: u8,
        /// Bits in memory.
        bits_per_pixel: u8,
    },
    /// No memory for the picture.
    #[error("needs memory for the picture that the system does not give: {0}")]
    Memory(#[from] std::io::Error),
}

/// The kind of an X error, by name.
trait ErrorKindName {
    fn error_kind_name(&self) -> String;
}

impl ErrorKindName for X11Error {
    fn error_kind_name(&self) -> String {
        format!("{:?}", self.error_kind)
    }
}

impl Error {
    /// Its name for those who act on it.
    pub fn reason(&self) -> FailureReason {
        match self {
            Self::Outside { .. } => FailureReason::ConfigInvalid,
            Self::Layout { .. } | Self::Memory(_) => FailureReason::PipelineError,
            _ => FailureReason::DisplayUnavailable,
        }
    }
}

impl From<ReplyError> for Error {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::ConnectionError(error) => Self::Lost(error),
            ReplyError::X11Error(error) => Self::Refused(error),
        }
    }
}

impl From<ReplyOrIdError> for Error {
    fn from(error: ReplyOrIdError) -> Self {
        match error {
            ReplyOrIdError::IdsExhausted => Self::Lost(ConnectionError::UnknownError),
            ReplyOrIdError::ConnectionError(error) => Self::Lost(error),
            ReplyOrIdError::X11Error(error) => Self::Refused(error),
        }
    }
}
