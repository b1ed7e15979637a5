//! Setup: records the plugin's version for GStreamer, and lays out the page that is embedded in the plugin.
//!
//! The page is `web/dist` as Vite built it. Without it (a plain `cargo build` on a machine without Node) a page that
//! says how to build it takes its place, so the Rust side never depends on Node.

use std::{env, fs, io, path::Path};

const PLACEHOLDER: &str = include_str!("web/placeholder.html");

fn main() -> io::Result<()> {
    gst_plugin_version_helper::info();

    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let page = Path::new(&out).join("page");
    if page.exists() {
        fs::remove_dir_all(&page)?;
    }
    fs::create_dir_all(&page)?;

    let dist = Path::new("web/dist");
    println!("cargo::rerun-if-changed=web/placeholder.html");
    if dist.join("index.html").is_file() {
        println!("cargo::rerun-if-changed=web/dist");
        copy_tree(dist, &page)
    } else {
        println!("cargo::rerun-if-changed=web/dist/index.html");
        fs::write(page.join("index.html"), PLACEHOLDER)
    }
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
