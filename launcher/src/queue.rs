//! A queue to a thread that may stand still, as one does whose X server does: what comes from pages finds so many places
//! and no more, what the session itself says always gets in, in the same order, and nobody who says something waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel},
    },
    time::Duration,
};

/// A queue with so many places for what is offered.
pub fn queue<T>(places: usize) -> (Inlet<T>, Outlet<T>) {
    let (sender, receiver) = channel();
    let taken = Arc::new(AtomicUsize::new(0));
    (Inlet { sender, taken: taken.clone(), places }, Outlet { receiver, taken })
}

/// Why something did not get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// All places are taken.
    Full,
    /// Nobody takes anything out any more.
    Ended,
}

/// Where things go in; cheap to clone.
#[derive(Debug)]
pub struct Inlet<T> {
    sender: Sender<(T, bool)>,
    taken: Arc<AtomicUsize>,
    places: usize,
}

impl<T> Clone for Inlet<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), taken: self.taken.clone(), places: self.places }
    }
}

impl<T> Inlet<T> {
    /// Puts in what may find no place.
    pub fn offer(&self, item: T) -> Result<(), Refused> {
        let next = |taken| (taken < self.places).then_some(taken + 1);
        self.taken.fetch_update(Relaxed, Relaxed, next).map_err(|_| Refused::Full)?;
        self.sender.send((item, true)).map_err(|_| Refused::Ended)
    }

    /// Puts in what needs no place: it is seldom, and must not be lost.
    pub fn say(&self, item: T) {
        // Who has ended needs to know nothing more.
        let _ = self.sender.send((item, false));
    }
}

/// Where things come out.
#[derive(Debug)]
pub struct Outlet<T> {
    receiver: Receiver<(T, bool)>,
    taken: Arc<AtomicUsize>,
}

impl<T> Outlet<T> {
    /// The next one, waited for.
    pub fn recv_timeout(&self, limit: Duration) -> Result<T, RecvTimeoutError> {
        self.receiver.recv_timeout(limit).map(|out| self.leave(out))
    }

    /// The next one, if it is there.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.receiver.try_recv().map(|out| self.leave(out))
    }

    fn leave(&self, (item, had_place): (T, bool)) -> T {
        if had_place {
            self.taken.fetch_sub(1, Relaxed);
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_finds_so_many_places_and_what_is_said_always_gets_in_in_order() {
        let (inlet, outlet) = queue(2);
        assert_eq!([inlet.offer(1), inlet.offer(2), inlet.offer(3)], [Ok(()), Ok(()), Err(Refused::Full)]);
        inlet.say(4);
        inlet.say(5);
        assert_eq!(inlet.offer(6), Err(Refused::Full));
        assert_eq!(outlet.try_recv(), Ok(1));
        assert_eq!(inlet.offer(7), Ok(()));
        let out = [(); 5].map(|()| outlet.try_recv());
        assert_eq!(out, [Ok(2), Ok(4), Ok(5), Ok(7), Err(TryRecvError::Empty)]);
        assert_eq!([inlet.offer(8), inlet.offer(9), inlet.offer(10)], [Ok(()), Ok(()), Err(Refused::Full)]);
    }

    #[test]
    fn nobody_waits_for_one_who_has_ended() {
        let (inlet, outlet) = queue(1);
        drop(outlet);
        inlet.say(1);
        assert_eq!(inlet.offer(2), Err(Refused::Ended));
    }
}
