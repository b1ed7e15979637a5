//! Decision: what is said of a kind that cannot be watched: to the administrator in the log and at `/readyz`, and to each
//! session that cannot be given an object of it.

use crate::{object::Kind, phase::Refusal};
use kube::{core::Status, runtime::watcher::Error as Failed};

/// What the API server has answered, if it was that.
pub fn answer(error: &Failed) -> Option<&Status> {
    match error {
        Failed::InitialListFailed(kube::Error::Api(status))
        | Failed::WatchStartFailed(kube::Error::Api(status))
        | Failed::WatchFailed(kube::Error::Api(status))
        | Failed::WatchError(status) => Some(&**status),
        _ => None,
    }
}

/// What is wrong in words, where it is more than a watch that has run its time.
pub fn complaint(name: &str, error: &Failed) -> Option<String> {
    let Some(status) = answer(error) else {
        return match error {
            Failed::InitialListFailed(error) | Failed::WatchStartFailed(error) => {
                Some(format!("cannot watch {name}: {error}"))
            }
            _ => None,
        };
    };
    match (status.code, name) {
        (410, _) => None,
        (404, "IngressRoute") => Some(no_traefik()),
        (404, _) => Some(format!(
            "the cluster has no {name}: apply the CustomResourceDefinitions that `vdi-operator crd` prints"
        )),
        (401 | 403, _) => Some(forbidden(name, status)),
        _ => Some(format!("cannot watch {name}: {}", status.message)),
    }
}

/// What sessions are told, if they can be given no object of this kind until somebody does something about it. What was
/// `listed` once is known well enough to go on while a watch is refused.
pub fn of_watch(kind: Kind, status: &Status, listed: bool) -> Option<Refusal> {
    match status.code {
        404 => Some(lacking(kind)),
        401 | 403 if !listed => Some(Refusal {
            reason: "Forbidden",
            message: format!("The operator {}.", forbidden(kind.name(), status)),
        }),
        _ => None,
    }
}

/// What sessions are told where the cluster has no such kind.
pub fn lacking(kind: Kind) -> Refusal {
    match kind {
        Kind::IngressRoute => Refusal {
            reason: "TraefikMissing",
            message: format!("{}; the session goes on by itself then.", capital(&no_traefik())),
        },
        Kind::ResourceClaim => Refusal {
            reason: "ResourceClaimsMissing",
            message: "The cluster has no ResourceClaim of resource.k8s.io/v1, which gpu.mode dra needs: Kubernetes 1.34 and \
                      newer have it. Restart the operator after an upgrade."
                .to_owned(),
        },
        _ => Refusal { reason: "NotFound", message: format!("The cluster has no {}.", kind.name()) },
    }
}

fn no_traefik() -> String {
    "the cluster has no IngressRoute of traefik.io/v1alpha1: install Traefik 3 with its CustomResourceDefinitions".to_owned()
}

fn forbidden(name: &str, status: &Status) -> String {
    format!(
        "must not watch {name}: {}; the operator's ClusterRole has to allow get, list and watch",
        status.message
    )
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> Status {
        Status { code, message: "as the test wants it".to_owned(), ..Status::default() }
    }

    #[test]
    fn session_without_traefik_is_told_what_to_install() {
        for listed in [false, true] {
            let refusal = of_watch(Kind::IngressRoute, &status(404), listed).unwrap();
            assert_eq!(refusal.reason, "TraefikMissing");
            assert!(refusal.message.starts_with("The cluster has no IngressRoute"), "{}", refusal.message);
            assert!(refusal.message.contains("install Traefik 3 with its CustomResourceDefinitions"));
        }
    }

    #[test]
    fn watch_that_is_refused_hinders_only_where_nothing_is_known_yet() {
        let refusal = of_watch(Kind::Secret, &status(403), false).unwrap();
        assert_eq!(refusal.reason, "Forbidden");
        assert!(
            refusal.message.contains("Secret") && refusal.message.contains("ClusterRole"),
            "{}",
            refusal.message
        );
        assert_eq!(of_watch(Kind::Secret, &status(403), true), None);
        for code in [410, 429, 500, 503] {
            assert_eq!(of_watch(Kind::Secret, &status(code), false), None, "{code}");
        }
    }

    #[test]
    fn watch_that_has_run_its_time_is_no_complaint() {
        assert_eq!(complaint("Pod", &Failed::WatchError(Box::new(status(410)))), None);
        let told = complaint("IngressRoute", &Failed::WatchError(Box::new(status(404)))).unwrap();
        assert!(told.contains("install Traefik"), "{told}");
    }
}
