//! Shell: libFuzzer around one target, which the environment names. Without a name it lists the targets; with a folder to unpack
//! into it puts there what the repository keeps; with one to pack it writes what is in there into the repository, and ends.

#![no_main]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::exit,
    sync::OnceLock,
};
use vdi_fuzz::{TARGETS, corpus, target};

static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(init: begin(), |data: &[u8]| {
    if let Some(chosen) = CHOSEN.get() {
        chosen(data);
    }
});

fn begin() {
    let Ok(name) = env::var("FUZZ_TARGET") else {
        TARGETS.iter().for_each(|(name, _)| say(name));
        exit(0);
    };
    let Some(chosen) = target(&name) else {
        say(&format!("{name} is no target"));
        exit(2);
    };
    let _ = CHOSEN.set(chosen);
    let done = match (env::var_os("FUZZ_UNPACK"), env::var_os("FUZZ_PACK")) {
        (Some(folder), _) => unpack(&name, Path::new(&folder)),
        (None, Some(folder)) => pack(&name, Path::new(&folder)),
        (None, None) => return,
    };
    if let Err(why) = done {
        say(&why);
        exit(2);
    }
    exit(0);
}

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn say(line: &str) {
    println!("{line}");
}

fn kept(kind: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(format!("{name}.txt"))
}

fn unpack(name: &str, folder: &Path) -> Result<(), String> {
    for kind in ["corpus", "regressions"] {
        let path = kept(kind, name);
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let inputs = corpus::read(&text).map_err(|line| format!("{}:{line}: no input", path.display()))?;
        for (number, input) in inputs.iter().enumerate() {
            fs::write(folder.join(format!("{kind}-{number}")), input).map_err(|err| err.to_string())?;
        }
    }
    Ok(())
}

fn pack(name: &str, folder: &Path) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|err| err.to_string())?;
    let files = entries.map(|entry| fs::read(entry?.path())).collect::<Result<Vec<_>, _>>();
    let files = files.map_err(|err| err.to_string())?;
    let path = kept("corpus", name);
    let known = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&path, corpus::with(&known, files)).map_err(|err| err.to_string())
}
