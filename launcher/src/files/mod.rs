//! Shell: files between the page and one folder of the desktop, over HTTP on the same port. Only the page in control has
//! the token that opens it; each browser has its own, which is worth something while it is in control.

mod folder;
#[doc(hidden)]
pub mod headers;
#[doc(hidden)]
pub mod name;
#[doc(hidden)]
pub mod note;
mod routes;
mod uploads;

use crate::{config::Sharing, error::Error};
use folder::Folder;
use ring::hmac;
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use uploads::Uploads;
use vdi_protocol::files::Policy;

pub use routes::routes;

/// Time between two looks for what nobody goes on with.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// Bytes of a token; guessing one of 128 bits is out of the question.
const TOKEN_BYTES: usize = 16;

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
    /// What browsers' tokens are made of.
    key: OnceLock<hmac::Key>,
    /// Who is in control, for the log.
    person: Mutex<String>,
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
        let (token, key) = (Mutex::default(), OnceLock::new());
        let (person, swept) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { folder, uploads, policy, token, key, person, swept }))
    }

    /// Another browser, or none, is in control: what it may, with a token of its own. It is the same when it comes back, so that its
    /// downloads go on where they were.
    pub fn set_controller(&self, browser: Option<&str>) -> Result<Policy, Error> {
        let policy = &self.0.policy;
        let token = match browser {
            Some(browser) if policy.read || policy.write => Some(self.token(browser)?),
            _ => None,
        };
        self.0.token.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&token);
        Ok(match token {
            Some(token) => Policy { token, ..policy.clone() },
            None => Policy { max_bytes: policy.max_bytes, ..Policy::default() },
        })
    }

    /// This is who has control, for the log.
    pub fn set_person(&self, who: Option<String>) {
        *self.0.person.lock().unwrap_or_else(PoisonError::into_inner) = who.unwrap_or_default();
    }

    fn person(&self) -> String {
        self.0.person.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn token(&self, browser: &str) -> Result<String, Error> {
        let key = match self.0.key.get() {
            Some(key) => key,
            None => {
                let mut random = [0; 32];
                getrandom::fill(&mut random)
                    .map_err(|err| Error::pipeline(format!("the system gives no random bytes: {err}")))?;
                self.0.key.get_or_init(|| hmac::Key::new(hmac::HMAC_SHA256, &random))
            }
        };
        let tag = hmac::sign(key, browser.as_bytes());
        Ok(tag.as_ref().iter().take(TOKEN_BYTES).map(|byte| format!("{byte:02x}")).collect())
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
        expected.as_ref().is_some_and(|expected| same(expected, token))
    }

    /// Whether somebody is in control who has another token.
    fn is_others(&self, token: &str) -> bool {
        let expected = self.0.token.lock().unwrap_or_else(PoisonError::into_inner);
        expected.as_ref().is_some_and(|expected| !same(expected, token))
    }
}

fn same(expected: &str, token: &str) -> bool {
    expected.as_bytes().ct_eq(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::resolve;

    #[test]
    fn each_browser_has_a_token_of_its_own_that_holds_while_it_is_in_control() {
        let folder = tempfile::tempdir().unwrap();
        let config = resolve(&[&format!("--files-folder={}", folder.path().display())]).unwrap();
        let files = Files::new(&config.sharing);
        let first = files.set_controller(Some("a")).unwrap().token;
        assert!(files.lets_in(&first) && !files.is_others(&first) && !files.lets_in(""));
        assert_eq!(files.set_controller(None).unwrap().token, "");
        assert!(!files.lets_in(&first), "nobody is in control");
        assert!(!files.is_others(&first), "what is under way waits for its page");
        let second = files.set_controller(Some("b")).unwrap().token;
        assert!(!files.lets_in(&first) && files.is_others(&first) && files.lets_in(&second));
        assert_eq!(files.set_controller(Some("a")).unwrap().token, first);
        let another = Files::new(&config.sharing);
        assert_ne!(another.set_controller(Some("a")).unwrap().token, first, "another process");
    }
}
