//! The launcher from outside: the real program on real X servers, and the input module read back by an X client.

mod desktop;
mod http;
mod input;
mod options;
mod program;
mod xserver;
