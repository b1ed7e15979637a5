//! Shell: files between the page and one folder of the desktop, over HTTP on the same port. Only the page in control has
//! the token that opens it; it is another one each time somebody else takes control.

mod folder;
mod headers;
mod name;
mod routes;
mod uploads;

use crate::{config::Sharing, error::Error};
use folder::Folder;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use uploads::Uploads;
use vdi_protocol::files::Policy;

pub use routes::routes;

/// Time between two looks for what nobody goes on with.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// What is shared, and with whom; cheap to clone.
#[derive(Debug, Clone)]
pub struct Files(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folder: Folder,
    uploads: Uploads,
    /// What a page in control may.
    policy: Policy,
    /// The token of the page in control.
    token: Mutex<Option<String>>,
    swept: Mutex<Option<Instant>>,
}

impl Files {
    /// Shares what the configuration says.
    pub fn new(sharing: &Sharing) -> Self {
        let there = !sharing.files_folder.as_os_str().is_empty();
        let (read, write) = (sharing.files.out && there, sharing.files.into && there);
        let folder = Folder::new(sharing.files_folder.clone());
        if (read || write)
            && let Err(err) = folder.create()
        {
            tracing::warn!("the folder {} for files cannot be made: {err}", folder.path().display());
        }
        let policy = Policy { token: String::new(), read, write, max_bytes: sharing.files_max_bytes };
        let uploads = Uploads::new(folder.clone());
        Self(Arc::new(Shared { folder, uploads, policy, token: Mutex::default(), swept: Mutex::default() }))
    }

    /// Another page, or nobody, is in control: what it may, with a token of its own.
    pub fn set_controller(&self, page: Option<&str>) -> Result<Policy, Error> {
        let policy = &self.0.policy;
        let token = match page {
            Some(_) if policy.read || policy.write => Some(token()?),
            _ => None,
        };
        *self.0.token.lock().unwrap_or_else(PoisonError::into_inner) = token.clone();
        Ok(match token {
            Some(token) => Policy { token, ..policy.clone() },
            None => Policy { max_bytes: policy.max_bytes, ..Policy::default() },
        })
    }

    /// Time has passed.
    pub fn tick(&self) {
        if !self.0.policy.write {
            return;
        }
        let mut swept = self.0.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_some_and(|at| at.elapsed() < SWEEP_EVERY) {
            return;
        }
        *swept = Some(Instant::now());
        let uploads = self.0.uploads.clone();
        let now = jiff::Timestamp::now().as_second();
        tokio::task::spawn_blocking(move || uploads.sweep(now));
    }

    fn lets_in(&self, token: &str) -> bool {
        let expected = self.0.token.lock().unwrap_or_else(PoisonError::into_inner);
        expected.as_ref().is_some_and(|expected| bool::from(expected.as_bytes().ct_eq(token.as_bytes())))
    }
}

fn token() -> Result<String, Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|err| Error::pipeline(format!("the system gives no random bytes: {err}")))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
