//! Shell: runs the launcher and talks HTTP to it; every wait is bounded.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

/// The machine may be busy with other tests; nothing here takes a tenth of it on a quiet one.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "a test bounds its waits")]
pub fn now() -> Instant {
    Instant::now()
}

/// Polls until there is a value; panics with `what` if there is none in time.
pub fn eventually<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = now() + PATIENCE;
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A running launcher. It is killed when dropped, and its children die with it.
pub struct Program {
    child: Child,
    stdout: mpsc::Receiver<String>,
    log: Arc<Mutex<String>>,
    /// Nothing ever comes; it is cut when the log has ended.
    log_end: mpsc::Receiver<()>,
}

/// Where the page is and who may see it.
#[derive(Debug, Clone)]
pub struct Access {
    pub address: String,
    pub user: String,
    pub password: String,
}

impl Program {
    /// Starts it with nothing in its environment that could mislead it.
    pub fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_as(&[], arguments, environment)
    }

    /// The same, with words before all options.
    pub fn start_as(first: &[&str], arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vdi-launcher"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SELKIES_")) {
            command.env_remove(name);
        }
        command
            .env_remove("DISPLAY")
            .env_remove("XAUTHORITY")
            .env("PULSE_SERVER", "unix:/nonexistent/pulse")
            // Nothing is to be kept of a test, and here nothing can be.
            .env("XDG_STATE_HOME", "/proc/nonexistent")
            .envs(environment.iter().copied())
            .args(first)
            .args([
                "--addr=127.0.0.1",
                "--display-size=640x480",
                "--termination-log=/nonexistent/termination",
            ])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (lines, stdout) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
        let log = Arc::new(Mutex::new(String::new()));
        let kept = log.clone();
        let err = BufReader::new(child.stderr.take().unwrap());
        let (log_open, log_end) = mpsc::channel();
        std::thread::spawn(move || {
            let _open: mpsc::Sender<()> = log_open;
            for line in err.lines().map_while(Result::ok) {
                *kept.lock().unwrap() += &(line + "\n");
            }
        });
        Self { child, stdout, log, log_end }
    }

    /// Reads the block that it prints.
    pub fn access(&self) -> Access {
        let line = |prefix| self.line(prefix);
        let url = line("URL: http");
        let address = url.trim_start_matches("s").trim_start_matches("://").trim_end_matches('/');
        Access { address: address.to_owned(), user: line("User: "), password: line("Password: ") }
    }

    /// The rest of the next line on stdout, which begins so.
    pub fn line(&self, prefix: &str) -> String {
        let line = self
            .stdout
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|err| panic!("no {prefix:?} on stdout: {err}\n{}", self.log()));
        line.strip_prefix(prefix).unwrap_or_else(|| panic!("{line:?} instead of {prefix:?}")).to_owned()
    }

    /// Waits until `/readyz` says so.
    pub fn ready(arguments: &[&str], environment: &[(&str, &str)]) -> (Self, Access) {
        let mut program = Self::start(arguments, environment);
        let access = program.access();
        eventually("ready", || {
            if let Some(status) = program.child.try_wait().unwrap() {
                panic!("it ended with {status}:\n{}", program.log());
            }
            (access.get("/readyz", &[]).status == 200).then_some(())
        });
        (program, access)
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has logged the words, and gives the line: what `/status` tells may be ahead of the log.
    pub fn logged(&self, words: &str) -> String {
        let deadline = now() + PATIENCE;
        loop {
            if let Some(line) = self.log().lines().find(|line| line.contains(words)) {
                return line.to_owned();
            }
            assert!(now() < deadline, "{words:?} is not logged within {PATIENCE:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What is left on stdout, once it has ended.
    pub fn rest_of_stdout(&self) -> Vec<String> {
        self.stdout.iter().collect()
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let status = eventually("the end of the launcher", || self.child.try_wait().unwrap());
        // What it wrote last is on its way through the pipe, which what it has started may hold open for longer.
        let _ = self.log_end.recv_timeout(Duration::from_secs(2));
        status
    }

    /// Its children, by name.
    pub fn children(&self) -> HashMap<String, Pid> {
        children_of(self.pid())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let children = self.children();
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in children.into_values() {
            let _ = kill(pid, Signal::SIGKILL);
        }
        if std::thread::panicking() {
            eprintln!("--- the launcher's log ---\n{}", self.log());
        }
    }
}

/// Child processes of a process, by name.
pub fn children_of(parent: Pid) -> HashMap<String, Pid> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name is in parentheses and may hold anything.
            let (head, tail) = stat.rsplit_once(')')?;
            let name = head.split_once('(')?.1.to_owned();
            let mut fields = tail.split_whitespace();
            let (state, of) = (fields.next()?, fields.next()?.parse::<i32>().ok()?);
            (of == parent.as_raw() && state != "Z").then(|| (name, Pid::from_raw(pid)))
        })
        .collect()
}

/// Whether a process is there and no zombie.
pub fn is_alive(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, tail)| !tail.trim_start().starts_with('Z'))
}

/// A folder of the test's own.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vdi-launcher-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A file in it, which exists and is empty.
    pub fn file(&self, name: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, "").unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An HTTP response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Access {
    /// `GET` with more headers; one response, then the connection is closed.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.get_through(&mut self.connect(), path, headers)
    }

    /// A connection with nothing sent on it.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// `GET` through a connection that is there.
    pub fn get_through(
        &self,
        stream: &mut (impl Read + Write),
        path: &str,
        headers: &[(&str, &str)],
    ) -> Response {
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !headers.iter().any(|(name, _)| *name == "Connection") {
            request += "Connection: close\r\n";
        }
        stream.write_all((request + "\r\n").as_bytes()).unwrap();
        Response::read(stream)
    }

    /// The header that lets in.
    pub fn authorization(&self) -> String {
        basic(&self.user, &self.password)
    }

    /// `GET` with the right password.
    pub fn get_authorized(&self, path: &str) -> Response {
        self.get(path, &[("Authorization", &self.authorization())])
    }
}

pub fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}")))
}

impl Response {
    fn read(stream: &mut impl Read) -> Self {
        let mut reader = BufReader::new(stream);
        let mut line = || {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let status = line().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HashMap::new();
        loop {
            let line = line();
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = String::new();
        reader.take(length).read_to_string(&mut body).unwrap();
        Self { status, headers, body }
    }
}
