//! Decision: who gets what only one session can have: a host, and the home of a user and template. The oldest, as long as
//! nobody has it: times of creation are whole seconds, so of two sessions of one moment either may be the older one, and
//! who has begun keeps it.

use crate::{
    api::VDISession,
    names::{self, Claim},
};
use kube::ResourceExt;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What sessions were given, by their UIDs: from the decision on, and not only once status and pods show it.
#[derive(Default)]
pub struct Given(Mutex<Gifts>);

#[derive(Default)]
struct Gifts {
    homes: HashSet<String>,
    /// Addresses that no status shows yet.
    urls: HashMap<String, String>,
}

impl Given {
    /// Gives a session its host under the domain: the one that it has, or one that nobody of `others` has or has asked for
    /// earlier.
    pub fn host(
        &self,
        session: &VDISession,
        others: impl FnOnce() -> Vec<Arc<VDISession>>,
        domain: &str,
    ) -> String {
        let mut gifts = self.gifts();
        let mine = Claim::from(session);
        if mine.url.is_some_and(|url| url.ends_with(&format!(".{domain}/"))) {
            gifts.urls.remove(mine.uid);
            return names::host(mine, [], domain);
        }
        let others = others();
        let promised = |claim: Claim<'_>| gifts.urls.get(claim.uid).cloned();
        let urls: Vec<_> = others.iter().map(|other| promised(Claim::from(&**other))).collect();
        let claims = others.iter().zip(&urls).map(|(other, promised)| {
            let claim = Claim::from(&**other);
            Claim { url: promised.as_deref().or(claim.url), ..claim }
        });
        let promised = promised(mine);
        let host = names::host(Claim { url: promised.as_deref().or(mine.url), ..mine }, claims, domain);
        gifts.urls.insert(mine.uid.to_owned(), names::url(&host, domain));
        host
    }

    /// Gives a session its home, unless another one has it: then that is named. `others` need the same home; `has_pod` says
    /// who has a pod, and a home with it.
    pub fn home<'a>(
        &self,
        session: &VDISession,
        others: impl IntoIterator<Item = &'a VDISession>,
        has_pod: impl Fn(&VDISession) -> bool,
    ) -> Option<String> {
        let homes = &mut self.gifts().homes;
        if !has_pod(session) {
            let has_begun = homes.contains(uid(session));
            let other = others.into_iter().find(|other| {
                has_pod(other) || !has_begun && (homes.contains(uid(other)) || age(other) < age(session))
            });
            if let Some(other) = other {
                return Some(other.name_any());
            }
        }
        homes.insert(uid(session).to_owned());
        None
    }

    /// A session is gone.
    pub fn forget(&self, uid: &str) {
        let mut gifts = self.gifts();
        gifts.homes.remove(uid);
        gifts.urls.remove(uid);
    }

    fn gifts(&self) -> MutexGuard<'_, Gifts> {
        // They are whole after each single change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn uid(session: &VDISession) -> &str {
    session.metadata.uid.as_deref().unwrap_or_default()
}

fn age(session: &VDISession) -> impl Ord {
    (session.metadata.creation_timestamp.as_ref().map(|time| time.0), session.metadata.uid.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data;
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    /// A session of alice, made in this second.
    fn session(uid: &str, second: i64) -> VDISession {
        let mut session = test_data::session("{}");
        session.metadata.name = Some(format!("session-{uid}"));
        session.metadata.uid = Some(uid.to_owned());
        session.metadata.creation_timestamp = Some(Time(Timestamp::from_second(second).unwrap()));
        session
    }

    fn nobody(_: &VDISession) -> bool {
        false
    }

    #[test]
    fn oldest_is_given_the_home_and_the_next_when_that_is_gone() {
        let given = Given::default();
        let (old, young) = (session("b", 100), session("a", 101));
        assert_eq!(given.home(&young, [&old], nobody).as_deref(), Some("session-b"));
        assert_eq!(given.home(&old, [&young], nobody), None);
        assert_eq!(given.home(&young, [&old], nobody).as_deref(), Some("session-b"));
        given.forget("b");
        assert_eq!(given.home(&young, [], nobody), None);
    }

    #[test]
    fn who_has_begun_keeps_the_home_though_one_of_the_same_second_counts_as_older() {
        for begun in ["a", "b"] {
            let given = Given::default();
            let (first, other) = (session(begun, 100), session(if begun == "a" { "b" } else { "a" }, 100));
            assert_eq!(given.home(&first, [], nobody), None, "there is no other yet");
            let name = format!("session-{begun}");
            assert_eq!(given.home(&other, [&first], nobody).as_ref(), Some(&name));
            assert_eq!(given.home(&first, [&other], nobody), None);
        }
    }

    #[test]
    fn operator_that_comes_back_leaves_the_home_to_who_has_a_pod() {
        let (first, other) = (session("b", 100), session("a", 100));
        let has_pod = |session: &VDISession| uid(session) == "b";
        let given = Given::default();
        assert_eq!(given.home(&other, [&first], has_pod).as_deref(), Some("session-b"));
        assert_eq!(given.home(&first, [&other], has_pod), None);
        // Its pod has gone, since it is suspended: the home is still its own.
        assert_eq!(given.home(&other, [&first], nobody).as_deref(), Some("session-b"));
    }

    #[test]
    fn two_with_pods_both_go_on() {
        let given = Given::default();
        let (first, other) = (session("a", 100), session("b", 100));
        assert_eq!(given.home(&first, [&other], |_| true), None);
        assert_eq!(given.home(&other, [&first], |_| true), None);
    }

    #[test]
    fn host_that_was_given_is_nobody_elses_before_a_status_shows_it() {
        for begun in ["a", "b"] {
            let given = Given::default();
            let (first, other) = (session(begun, 100), session(if begun == "a" { "b" } else { "a" }, 100));
            let all = || vec![Arc::new(first.clone()), Arc::new(other.clone())];
            assert_eq!(given.host(&first, || vec![Arc::new(first.clone())], "vdi.test"), "alice");
            let host = given.host(&other, all, "vdi.test");
            assert!(host.starts_with("alice-"), "{host}");
            assert_eq!(given.host(&first, all, "vdi.test"), "alice");
            assert_eq!(given.host(&other, all, "vdi.test"), host);
            given.forget(uid(&first));
            assert_eq!(given.host(&other, all, "vdi.test"), host, "who has an address keeps it");
        }
    }

    #[test]
    fn host_that_a_status_shows_is_kept_by_that_alone() {
        let given = Given::default();
        let mut session = session("a", 100);
        assert_eq!(given.host(&session, Vec::new, "vdi.test"), "alice");
        let status = session.status.get_or_insert_default();
        status.url = Some("https://alice-1.vdi.test/".to_owned());
        assert_eq!(given.host(&session, Vec::new, "vdi.test"), "alice-1");
        assert!(given.gifts().urls.is_empty());
    }
}
