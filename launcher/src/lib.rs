//! vdi-launcher: the process beside one X display: desktop supervision, HTTP, input, audio, metrics.
//!
//! ```text
//! desktop (Xvfb + command) ──▶ media: xdamagesrc ─▶ adaptiveencbin ─▶ latencystats ─▶ wswebrtcsink ══▶ pages
//!      ▲                       audio: pulsesrc ─▶ opusenc ─────────────────────────────▲               │
//!      └── input (XTEST) ◀── roles (who may act) ◀── signals of the sink ◀═════════════════════════════┘
//!      ◀── microphone (a source of PulseAudio) ◀── what the page in control says ◀══════════════════════┤
//!      ◀── webcam (a device of v4l2loopback) ◀── what the page in control shows ◀══════════════════════┘
//!                  session (one state machine) ─▶ http: page, /ws, /status, /metrics, /healthz, /readyz
//! ```
//!
//! [`run`] owns all of it: it is the only place where parts meet. `session`, `limits`, `budget`, `decoders`, `pointers::shown`, `roles`,
//! `pass`, `journal`, `encoder`, `desktop::restart`, `input::keyboard`, `input::pointer`, `microphone::pace`,
//! `webcam::gate`, `webcam::picture`, `recording::cutter`, `http::limiter` and `http::invitations` decide and are pure; the rest does I/O or is configuration.

mod access;
pub mod audio;
pub mod board;
pub mod budget;
pub mod clipboard;
pub mod codec;
pub mod config;
mod cursor;
mod decoders;
pub mod delivery;
pub mod desktop;
pub mod doctor;
pub mod encoder;
pub mod error;
pub mod files;
pub mod gamepads;
pub mod gpu;
pub mod http;
pub mod ice;
pub mod input;
pub mod journal;
pub mod latency;
pub mod latest;
pub mod limits;
pub mod media;
pub mod microphone;
pub mod notices;
pub mod options;
pub mod options_table;
pub mod pages;
pub mod pass;
pub mod people;
pub mod pointers;
pub mod port;
mod queue;
pub mod recording;
pub mod roles;
mod run;
mod runtime_folder;
pub mod screen;
pub mod selkies;
pub mod senses;
pub mod session;
pub mod settings;
pub mod telemetry;
pub mod termination;
pub mod turn;
pub mod watched_file;
pub mod webcam;
mod wiring;

pub use run::run;
