//! A simulated link and the session on it, seeded: hours run in seconds.

pub mod figures;
pub mod gcc;
pub mod ours;
pub mod path;
pub mod receiver;
pub mod rival;
pub mod scenarios;
pub mod session;
pub mod source;
pub mod trace;
