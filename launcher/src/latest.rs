//! What a watch channel holds now. What the channel itself gives is a lock, which lives until the end of the whole expression
//! that it stands in: two of one channel in one expression, and a writer between them, stand for ever. These give a copy, or
//! hold the lock for no longer than a closure takes.

use tokio::sync::watch;

/// An end of a watch channel that can be read.
pub trait Latest<T> {
    /// What a closure makes of it. The closure must not look at another channel.
    fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R;

    /// A copy.
    fn latest(&self) -> T
    where
        T: Clone,
    {
        self.look(T::clone)
    }
}

impl<T> Latest<T> for watch::Receiver<T> {
    #[expect(clippy::disallowed_methods, reason = "the lock is gone when this returns")]
    fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.borrow())
    }
}

impl<T> Latest<T> for watch::Sender<T> {
    #[expect(clippy::disallowed_methods, reason = "the lock is gone when this returns")]
    fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.borrow())
    }
}
