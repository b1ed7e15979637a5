//! GStreamer's own NVENC elements over the simulated driver: that the driver is one, and what `adaptiveencbin` makes of
//! each of its states. Every test runs in a child process, since a process asks the driver once.

mod driver;
mod failover;
mod fixture;
mod reasons;
mod stream;
mod values;
