//! Shell: one child process in a process group of its own, ended as a group: TERM, then KILL after a bound.

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{io, os::fd::AsFd, os::unix::process::CommandExt, process::Stdio, time::Duration};
use tokio::process::{Child, Command};

/// Time between TERM and KILL.
pub const TERM_TO_KILL: Duration = Duration::from_secs(3);

/// Spawns a command that dies with us. Must be called from a thread that lives as long as the process, since the kernel
/// ties the death signal to the thread.
pub fn spawn(mut command: std::process::Command) -> io::Result<Child> {
    for variable in crate::options::SECRET_VARIABLES {
        command.env_remove(variable);
    }
    command.process_group(0).stdin(Stdio::null());
    #[expect(
        unsafe_code,
        reason = "a child asks for its death signal between fork and exec; there is no safe way"
    )]
    // SAFETY: the closure makes one system call, which is async-signal-safe, and allocates nothing.
    unsafe {
        command.pre_exec(|| nix::sys::prctl::set_pdeathsig(Signal::SIGTERM).map_err(io::Error::from));
    }
    Command::from(command).spawn()
}

/// Our stderr as a child's stdout: our own stdout carries only the block with URL and password.
pub fn stderr() -> Stdio {
    io::stderr().as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from)
}

/// Ends the group that `group` leads and waits for its leader.
pub async fn end(child: &mut Child, group: Option<Pid>) {
    let Some(group) = group else { return };
    // ESRCH says that nobody is left, which is what is wanted.
    let _ = killpg(group, Signal::SIGTERM);
    if tokio::time::timeout(TERM_TO_KILL, child.wait()).await.is_err() {
        tracing::warn!(pid = group.as_raw(), "a child did not end when asked, so it is killed");
    }
    let _ = killpg(group, Signal::SIGKILL);
    let _ = child.wait().await;
}

/// The group of a freshly spawned child.
pub fn group(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw)
}
