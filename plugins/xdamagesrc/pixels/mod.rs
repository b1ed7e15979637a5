//! Decision: what becomes of pixels between the X server and a frame. Owns region arithmetic, the choice of what to
//! fetch, the conversion of what has changed, and buffers that know what of them is out of date. Refuses to talk to the
//! X server and to read a clock.
//!
//! ```text
//! damage ─▶ Region ─▶ fetches() ─▶ the persistent frame, in the server's layout ─┐
//!              └────▶ FramePool::damage()                                        ▼
//!                             └─ what of the next buffer is out of date ─▶ Converter ─▶ buffer
//! ```

mod convert;
mod fetch;
mod layout;
mod pool;
mod region;

pub use convert::{Converter, Refused};
pub use fetch::{Fetch, fetches};
pub use layout::PixelLayout;
pub use pool::FramePool;
pub use region::{Rect, Region};
