//! Shell: an Xvfb of the test's own.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

pub struct XServer {
    child: Child,
    pub display: String,
}

impl XServer {
    /// On a free display.
    pub fn start() -> Self {
        Self::on(None, &[])
    }

    /// The same, with words of its own.
    pub fn start_with(words: &[&str]) -> Self {
        Self::on(None, words)
    }

    /// On a number to which those who take the first free one do not come while it is gone, for [`XServer::start_again`].
    pub fn start_to_restart() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = 40_000 + std::process::id() % 2_000 * 8 + STARTED.fetch_add(1, Ordering::Relaxed);
        Self::on(Some(&format!(":{number}")), &[])
    }

    /// On the display of one that is gone.
    pub fn start_again(&mut self) {
        *self = Self::on(Some(&self.display), &[]);
    }

    fn on(display: Option<&str>, words: &[&str]) -> Self {
        let mut child = Command::new("Xvfb")
            .args(display)
            .args(["-displayfd", "1", "-screen", "0", "1280x720x24", "-noreset", "-nolisten", "tcp"])
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb starts");
        let mut number = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let number: u32 =
            number.trim().parse().expect("Xvfb tells its number; it closes its end when it fails");
        Self { child, display: format!(":{number}") }
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stands still from now on, without an answer to anybody.
    pub fn freeze(&self) {
        kill(self.pid(), Signal::SIGSTOP).unwrap();
    }

    /// Goes on.
    pub fn thaw(&self) {
        kill(self.pid(), Signal::SIGCONT).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Changes the layout, as a user would.
    pub fn set_layout(&self, layout: &str) {
        let status = Command::new("setxkbmap").args(["-display", &self.display, layout]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for XServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
