//! Shell: shows the people at one desktop where the others point: takes places from the data channels and tells them to the
//! pages, at a pace of its own. [`shown`] decides who is told what.

pub mod shown;

use shown::Shown;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;
use vdi_protocol::people::ToPointer;

/// Time between two messages to one page, however many people move: a hand that points is followed well at 20 a second.
const PACE: Duration = Duration::from_millis(50);

/// The pointers of all; cheap to clone.
#[derive(Clone, Default)]
pub struct Pointers(Arc<Inner>);

#[derive(Default)]
struct Inner {
    shown: Mutex<Shown>,
    moved: Notify,
}

impl Pointers {
    /// Begins to tell pages by `send`, which must not wait, and drops what a page does not take.
    pub fn start(send: impl Fn(&str, &ToPointer) + Send + 'static) -> Self {
        let pointers = Self::default();
        let own = pointers.clone();
        tokio::spawn(async move {
            loop {
                own.0.moved.notified().await;
                loop {
                    let news = own.shown().news();
                    if news.is_empty() {
                        break;
                    }
                    news.iter().for_each(|(page, message)| send(page, message));
                    tokio::time::sleep(PACE).await;
                }
            }
        });
        pointers
    }

    /// A page's user points at a place of the desktop, or at none any more.
    pub fn point(&self, page: &str, seq: u32, at: Option<(u16, u16)>) {
        self.shown().point(page, seq, at);
        self.0.moved.notify_one();
    }

    /// These pages are here from now on, and this one is in control.
    pub fn set_audience(&self, audience: Vec<String>, controller: Option<&str>) {
        self.shown().set_audience(audience, controller);
        self.0.moved.notify_one();
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.0.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
