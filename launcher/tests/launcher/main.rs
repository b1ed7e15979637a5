//! The launcher from outside: the real program on real X servers, and the input module read back by an X client.

#![expect(clippy::unwrap_used, reason = "a test ends where its world is not as it should be")]

mod board;
mod desktop;
mod doctor;
mod http;
mod ice;
mod input;
mod options;
mod port;
mod program;
mod screen;
mod turn;
mod xserver;
