//! Shell: an NVIDIA driver without NVIDIA hardware. One library exports what GStreamer's unmodified nvcodec plugin looks
//! up in `libcuda.so.1` and `libnvidia-encode.so.1`, and what NVML's callers look up in `libnvidia-ml.so.1`; tests put it
//! in place under those names. Device memory is host memory and the bitstream is OpenH264's. Faults come on command.
//! Refuses everything that no encoder needs: kernels, textures, graphics interop, decoding.
//!
//! ```text
//! NVENC_SIM          faults that hold from the start, as words (see `faults`)
//! NVENC_SIM_CONTROL  file with such words, read at every call that can fail: what it says replaces NVENC_SIM
//! NVENC_SIM_LOG      file that gets a line per session opened, initialised, reconfigured, closed, and per fault
//! ```
//!
//! Laid out for x86-64 and version 11.1 of the encoder's interface, which is what Debian 12's plugin speaks.

mod cuda;
mod encoder;
mod faults;
mod log;
mod memory;
mod nvenc;
mod nvml;
