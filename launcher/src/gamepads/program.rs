//! Shell: a program that has a gamepad open by a socket. What one does not read while it loads or stands still is not kept: when it
//! reads again it is told how the gamepad stands, as the kernel's joysticks do.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::Arc,
};

/// What became of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The program has them, or will be told what came of them.
    All,
    /// The program has fallen behind by them.
    Nothing,
    /// It has gone.
    Gone,
}

#[derive(Debug)]
pub struct Program {
    socket: Arc<UnixStream>,
    /// It has not taken all that it was told.
    behind: bool,
}

impl Program {
    /// `socket` does not block.
    pub fn new(socket: UnixStream) -> Self {
        Self { socket: Arc::new(socket), behind: false }
    }

    /// Tells it what has happened, unless it is behind anyway.
    pub fn tell(&mut self, events: &[u8]) -> Taken {
        if self.behind { Taken::All } else { self.told(self.socket.as_ref().write(events), events) }
    }

    /// Tells it, now that it reads again, how the gamepad stands.
    pub fn mend(&mut self, reading: &Reading, standing: &[u8]) -> Taken {
        self.told(reading.stream.try_write(standing), standing)
    }

    fn told(&mut self, written: io::Result<usize>, events: &[u8]) -> Taken {
        let taken = match written {
            Ok(bytes) if bytes == events.len() => Taken::All,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Taken::Nothing,
            // Half an event would shift all that follow.
            Ok(_) | Err(_) => Taken::Gone,
        };
        self.behind = taken == Taken::Nothing;
        taken
    }

    /// Whether it still has the gamepad open. What it says, as newer interposers do, is nothing that we need.
    pub fn is_there(&self) -> bool {
        match self.socket.as_ref().read(&mut [0; 64]) {
            Ok(bytes) => bytes > 0,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    /// For whoever waits until it reads again.
    pub fn reading(&self) -> io::Result<Reading> {
        let stream = tokio::net::UnixStream::from_std(self.socket.try_clone()?)?;
        Ok(Reading { stream, of: self.socket.clone() })
    }
}

/// Whoever waits for it to read has it open too, and should not keep it so.
impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Tells when a program reads again.
#[derive(Debug)]
pub struct Reading {
    stream: tokio::net::UnixStream,
    of: Arc<UnixStream>,
}

impl Reading {
    /// It reads, or has gone.
    pub async fn again(&self) -> io::Result<()> {
        self.stream.writable().await
    }

    pub fn is_of(&self, program: &Program) -> bool {
        Arc::ptr_eq(&self.of, &program.socket)
    }
}
