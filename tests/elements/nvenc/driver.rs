//! Shell: puts the simulated driver in place for a child process. The loader reads its paths when a process starts, and
//! the plugin asks the driver once per process, so every state of the driver is a process of its own, with a plugin
//! registry of its own: a registry that was written under another state lies.

use std::{
    any::type_name,
    collections::HashMap,
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

/// What one child process may take at most, on a machine that is busy with other things.
const CHILD_LIMIT: Duration = Duration::from_secs(150);
/// Names by which programs ask for parts of the driver. All lead to the same library; the last two only shadow a real one.
const NAMES: [&str; 5] =
    ["libcuda.so.1", "libnvidia-encode.so.1", "libnvidia-ml.so.1", "libnvcuvid.so.1", "libnvrtc.so"];
/// Tells a child where its driver's folder is.
const FOLDER: &str = "VDI_TEST_DRIVER";

/// A driver in a folder of its own: the libraries, the control file, the log, the plugin registry.
pub struct Driver {
    folder: PathBuf,
    owned: bool,
}

impl Driver {
    /// A driver that works, but for the faults in `words`.
    pub fn with(words: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("vdi-driver-{}-{number}", std::process::id()));
        fs::create_dir_all(folder.join("lib")).unwrap();
        let tests = std::env::current_exe().unwrap();
        let library = tests.parent().unwrap().join("libnvenc_driver_sim.so");
        assert!(library.exists(), "cargo builds the driver as a dev-dependency: {}", library.display());
        for name in NAMES {
            std::os::unix::fs::symlink(&library, folder.join("lib").join(name)).unwrap();
        }
        let driver = Self { folder, owned: true };
        driver.say(words);
        driver
    }

    /// Takes one library away, as a container does that was started without the capability. Where a real driver is
    /// installed, its library is found instead.
    pub fn without(self, name: &str) -> Self {
        fs::remove_file(self.folder.join("lib").join(name)).unwrap();
        self
    }

    /// Other faults from now on, at once and as a whole.
    pub fn say(&self, words: &str) {
        let next = self.folder.join("control.next");
        fs::write(&next, words).unwrap();
        fs::rename(next, self.folder.join("control")).unwrap();
    }

    /// What reached the driver so far, but for the four sessions that the plugin opens when it is loaded.
    pub fn log(&self) -> Vec<Event> {
        let text = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        text.lines()
            .map(Event::parse)
            .filter(|event| event.get("session").is_none_or(|n| n > PROBES))
            .collect()
    }

    /// The events of this name.
    pub fn events(&self, name: &str) -> Vec<Event> {
        self.log().into_iter().filter(|event| event.name == name).collect()
    }

    /// A program that finds this driver.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut path = self.folder.join("lib").into_os_string();
        if let Some(old) = std::env::var_os("LD_LIBRARY_PATH") {
            path.push(":");
            path.push(old);
        }
        let mut command = Command::new(program);
        command
            .env("LD_LIBRARY_PATH", path)
            .env("GST_REGISTRY", self.folder.join("registry.bin"))
            // nvh264enc asks for a GL display when it starts, and no screen is to be touched for that.
            .env("GST_GL_PLATFORM", "egl")
            .env("GST_GL_WINDOW", "surfaceless")
            .env("NVENC_SIM_CONTROL", self.folder.join("control"))
            .env("NVENC_SIM_LOG", self.folder.join("log"))
            .env(FOLDER, &self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a program to its end.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Output {
        finish(self.command(program).args(arguments).spawn().unwrap())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.owned {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Sessions that the plugin opens and closes when it is loaded.
const PROBES: u64 = 4;

/// One line of the driver's log.
#[derive(Clone)]
pub struct Event {
    pub name: String,
    line: String,
    fields: HashMap<String, String>,
}

impl Event {
    fn parse(line: &str) -> Self {
        let (fields, names): (Vec<_>, Vec<_>) = line.split_whitespace().partition(|word| word.contains('='));
        let fields = fields.iter().filter_map(|word| word.split_once('='));
        Self {
            name: names.join(" "),
            line: line.to_owned(),
            fields: fields.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        }
    }

    /// A field's text, empty if there is none.
    pub fn text(&self, key: &str) -> &str {
        self.fields.get(key).map_or("", String::as_str)
    }

    /// A field's number.
    pub fn get(&self, key: &str) -> Option<u64> {
        self.text(key).parse().ok()
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.line)
    }
}

/// Runs `body` in a child process under `driver`: this test, once more. In the child the driver's control and log are
/// the same files, so that the body can change what the driver does and read what reached it.
#[track_caller]
pub fn under<F: FnOnce(&Driver)>(driver: Driver, body: F) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        drop(driver);
        return body(&Driver { folder: PathBuf::from(folder), owned: false });
    }
    // The body is a closure in the test, so its type's name is `elements::nvenc::…::the_test::{{closure}}`.
    let path = type_name::<F>().split_once("::").map(|(_, path)| path).unwrap_or_default();
    let test = path.trim_end_matches("::{{closure}}");
    let mut command = driver.command(std::env::current_exe().unwrap());
    let output = finish(command.args(["--exact", test, "--nocapture"]).spawn().unwrap());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{test} failed in its child ({}):\n{text}\n{}\ndriver's log: {:#?}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
        driver.log(),
    );
}

/// Waits for a child's end with a limit, after which it is killed.
#[track_caller]
fn finish(child: Child) -> Output {
    let id = child.id().to_string();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    receiver
        .recv_timeout(CHILD_LIMIT)
        .unwrap_or_else(|_| {
            let _ = Command::new("kill").args(["-KILL", &id]).status();
            panic!("a child process did not end within {CHILD_LIMIT:?}")
        })
        .unwrap()
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, limit: Duration, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !so() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        sleep(Duration::from_millis(5));
    }
}
