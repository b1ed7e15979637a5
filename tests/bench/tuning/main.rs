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

/// x264enc as adaptiveencbin's row sets it, but for threads and rate.
const X264: &str = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=2147483647 bframes=0 b-adapt=false \
    rc-lookahead=0 sync-lookahead=0 mb-tree=false dct8x8=false cabac=false insert-vui=true aud=false byte-stream=true";

fn main() {
    gst::init().unwrap();
    gstvdi::plugin_register_static().unwrap();
    // Cargo adds `--bench` itself.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["convert"] => convert::run(),
        ["encode"] => encode::run(),
        ["sharpen"] => sharpen::run(None),
        ["sharpen", beginning] => sharpen::run(Some(beginning)),
        _ => println!("say which: convert, encode, sharpen, or sharpen \"one letter\""),
    }
}
