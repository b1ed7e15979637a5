//! Shell: the X server: the connection, what is captured of it, how it tells of changes, how pixels come over, and the cursor.
//! Refuses to decide when.

mod cursor;
mod display;
mod frame;
mod link;
mod memory;
mod target;
mod watch;

pub use cursor::Pointer;
pub use display::{Display, Sharing, Wanted};
pub use frame::{Frame, Source};
pub use link::Doorbell;
pub use target::{Selection, Target};
pub use watch::{Changed, Watch};
