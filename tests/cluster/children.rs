//! Shell: programs that the tests start. None outlives the test binary, however that ends.
//!
//! The kernel kills a child when the *thread* that started it ends, and a test's thread ends with its test: so one
//! thread, which lives as long as the process, starts them all.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, OnceLock, mpsc},
    time::Duration,
};

type Order = (Command, mpsc::SyncSender<io::Result<Child>>);

fn starter() -> &'static Mutex<mpsc::Sender<Order>> {
    static STARTER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    STARTER.get_or_init(|| {
        let (orders, taken) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in taken {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    })
}

/// A program that runs, and is killed when this is dropped.
pub struct Program {
    name: String,
    log: PathBuf,
    child: Mutex<Child>,
}

impl Program {
    /// Starts a program whose output goes to `log`, after what is there already.
    pub fn start(name: &str, log: &Path, program: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        change(&mut command);
        let output = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let (answer, child) = mpsc::sync_channel(1);
        starter().lock().unwrap().send((command, answer)).unwrap();
        let child = child.recv().unwrap().unwrap_or_else(|err| panic!("cannot start {name}: {err}"));
        Self { name: name.to_owned(), log: log.to_owned(), child: Mutex::new(child) }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap().try_wait().unwrap()
    }

    /// Ends it at once, as a machine that fails would.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        // One that has ended already is no error.
        let _ = child.kill();
        child.wait().unwrap();
    }

    /// Asks it to end, and tells how it did.
    pub async fn stop(&self, limit: Duration) -> ExitStatus {
        let pid = nix::unistd::Pid::from_raw(self.pid().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        crate::wait::until(&format!("the end of {}", self.name), limit, async || {
            self.ended().ok_or("it runs")
        })
        .await
    }

    /// What it said.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines of what it said.
    pub fn last_words(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<_> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}
