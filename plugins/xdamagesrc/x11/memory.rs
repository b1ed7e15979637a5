//! Shell: the memory that holds the picture: shared with the X server, or our own. It refuses to know what is in it.

use memmap2::MmapMut;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use std::{
    fs::File,
    io,
    ops::{Deref, DerefMut},
    os::fd::OwnedFd,
    ptr::NonNull,
};

/// Bytes that we read, and that the X server writes while we wait for its answer to a request that asked it to.
#[derive(Debug)]
pub struct Memory(Kind);

#[derive(Debug)]
enum Kind {
    Mapped(MmapMut),
    Segment(Segment),
    Own(Vec<u8>),
}

impl Memory {
    /// Memory behind a file descriptor, which the server gets.
    #[expect(
        unsafe_code,
        reason = "a mapping can be changed and truncated by others; see below why it is not"
    )]
    pub fn mapped(len: usize) -> io::Result<(Self, OwnedFd)> {
        let fd = memfd_create("xdamagesrc", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&fd, len as u64)?;
        fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::SEAL)?;
        let file = File::from(fd);
        // SAFETY: the file is new, sealed against shrinking, and known to nobody but the X server, which writes into it only
        // between our request and its reply, while no reference into the mapping is used.
        let map = unsafe { MmapMut::map_mut(&file)? };
        Ok((Self(Kind::Mapped(map)), file.into()))
    }

    /// A System V segment, whose number the server gets.
    pub fn segment(len: usize) -> io::Result<(Self, u32)> {
        let segment = Segment::new(len)?;
        let id = u32::try_from(segment.id).map_err(io::Error::other)?;
        Ok((Self(Kind::Segment(segment)), id))
    }

    /// Memory that nobody shares.
    pub fn own(len: usize) -> Self {
        Self(Kind::Own(vec![0; len]))
    }

    /// The server has the segment: it goes when both of us have let go of it, however we end.
    pub fn forget_name(&mut self) {
        if let Kind::Segment(segment) = &mut self.0 {
            segment.remove();
        }
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Kind::Mapped(map) => map,
            Kind::Segment(segment) => segment.bytes(),
            Kind::Own(bytes) => bytes,
        }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Kind::Mapped(map) => map,
            Kind::Segment(segment) => segment.bytes_mut(),
            Kind::Own(bytes) => bytes,
        }
    }
}

/// An attached System V segment.
#[derive(Debug)]
struct Segment {
    id: libc::c_int,
    at: NonNull<u8>,
    len: usize,
    named: bool,
}

// SAFETY: it is owned memory; the address is valid in every thread.
#[expect(unsafe_code, reason = "a raw address is not Send by itself")]
unsafe impl Send for Segment {}

#[expect(unsafe_code, reason = "System V shared memory is C")]
impl Segment {
    fn new(len: usize) -> io::Result<Self> {
        // For this user alone: others must not read the screen. A server of another user cannot attach it then, and is asked
        // for copies.
        // SAFETY: no memory is touched.
        let id = unsafe { libc::shmget(libc::IPC_PRIVATE, len, libc::IPC_CREAT | 0o600) };
        if id < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new segment, at an address of the kernel's choice.
        let at = unsafe { libc::shmat(id, std::ptr::null(), 0) };
        let attached = if at as isize == -1 { None } else { NonNull::new(at.cast()) };
        let Some(at) = attached else {
            let error = io::Error::last_os_error();
            // SAFETY: the segment is ours, and nothing refers to it.
            unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
            return Err(error);
        };
        Ok(Self { id, at, len, named: true })
    }

    fn remove(&mut self) {
        if std::mem::take(&mut self.named) {
            // SAFETY: the memory stays until it is detached.
            unsafe { libc::shmctl(self.id, libc::IPC_RMID, std::ptr::null_mut()) };
        }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: attached for reading and writing, `len` bytes, until this is dropped; written by the server only while it
        // is asked to, as above.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.len) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr(), self.len) }
    }
}

#[expect(unsafe_code, reason = "System V shared memory is C")]
impl Drop for Segment {
    fn drop(&mut self) {
        self.remove();
        // SAFETY: attached once, and nothing refers to it any more.
        unsafe { libc::shmdt(self.at.as_ptr().cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_memory_is_as_long_as_asked_and_keeps_what_is_written() {
        for mut memory in
            [Memory::mapped(5000).unwrap().0, Memory::segment(5000).unwrap().0, Memory::own(5000)]
        {
            assert_eq!(memory.len(), 5000);
            memory[4999] = 7;
            memory.forget_name();
            assert_eq!((memory[0], memory[4999]), (0, 7));
        }
    }
}
