//! Shell: measurements behind the decisions of `docs/latency.md`, each by its name:
//! `cargo bench -p gst-plugin-vdi --bench tuning -- convert`. Judges nothing: the figures depend on the machine, and
//! variants are measured in turn, so that their ratios depend on it less.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for people, whose output is its result"
)]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

mod content;
mod convert;
mod encode;
mod picture;
mod sharpen;

fn main() {
    gst::init().unwrap();
    gstvdi::plugin_register_static().unwrap();
    // Cargo adds `--bench` itself.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let has = |name: &str| wanted.iter().any(|word| word == name);
    if has("convert") {
        convert::run();
    }
    if has("sharpen") {
        sharpen::run();
    }
    if has("encode") {
        encode::run();
    }
    if wanted.is_empty() {
        println!("say which: convert, sharpen, encode");
    }
}
