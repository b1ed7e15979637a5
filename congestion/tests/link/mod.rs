//! A simulated link and the session on it, seeded: hours run in seconds.

#![expect(
    clippy::unwrap_used,
    reason = "what the simulation has made itself is there; a test's helpers are no tests to the lint"
)]

pub mod figures;
pub mod gcc;
pub mod nada;
pub mod ours;
pub mod path;
pub mod receiver;
pub mod rival;
pub mod scenarios;
pub mod session;
pub mod source;
pub mod trace;
