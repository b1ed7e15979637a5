//! Shell: the encoder's interface: `api` is its layout, `session` what a session holds, `entry` the functions that a
//! caller gets pointers to, `describe` the ones among them that only tell what the device can do.

mod api;
mod describe;
mod entry;
mod session;

pub use session::open_sessions;
