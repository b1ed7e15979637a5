//! Decision: what the API server is to hold for a desktop, as whole objects ready to be applied.
//!
//! ```text
//! Desktop ──┬─▶ Standing: home, Service, IngressRoute, NetworkPolicy    for as long as there is the session
//! Settings ─┤
//! Credentials ─▶ Running: Secret, ResourceClaim, Pod                    not while it is suspended
//! ```
//!
//! Pure: the same arguments give the same bytes. Homes, claims and pods are made once and then left as they are, since
//! Kubernetes lets hardly anything of them change; of a pod only the annotation with its limits follows.

mod claim;
mod environment;
mod home;
mod metadata;
mod network;
mod pod;
mod pool;
mod route;
mod secret;
mod subnet;
mod volumes;

pub use home::is_home_of;
pub use metadata::{claimed, template_generation};
pub use network::pool_network;
pub use pool::{Pooled, pool};
pub use route::ingress_route;

use crate::{api::VDISessionStatus, credentials::Credentials, desktop::Desktop, settings::Settings};
use k8s_openapi::api::{
    core::v1::{PersistentVolumeClaim, Pod, Secret, Service},
    networking::v1::NetworkPolicy,
    resource::v1::ResourceClaim,
};
use kube::api::DynamicObject;

/// What stays for as long as there is the session.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Where `/home/user` is kept; nobody owns it. To be created if it is absent, and left as it is otherwise.
    pub home: Option<PersistentVolumeClaim>,
    /// What the route leads to.
    pub service: Service,
    /// The route to it, of the kind [`ingress_route`].
    pub route: DynamicObject,
    /// What may reach it, and what it may reach.
    pub network: NetworkPolicy,
}

/// What is there while the desktop runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// Password and TURN credentials.
    pub secret: Secret,
    /// Its GPU, where the mode is dra. To be created before the pod and deleted after it.
    pub claim: Option<ResourceClaim>,
    /// The desktop. To be created if it is absent, and left as it is otherwise.
    pub pod: Pod,
}

/// What stays for as long as there is the session.
pub fn standing(desktop: &Desktop, settings: &Settings) -> Standing {
    Standing {
        home: home::home(desktop),
        service: route::service(desktop),
        route: route::route(desktop, settings),
        network: network::policy(desktop, settings),
    }
}

/// What is there while the desktop runs. `name` is the pod's and its Secret's: that of the session's objects, or that of
/// the desktop that was claimed.
pub fn running(
    desktop: &Desktop,
    name: &str,
    credentials: &Credentials,
    status: &VDISessionStatus,
) -> Running {
    Running {
        secret: secret::secret(desktop, name, credentials),
        claim: claim::claim(desktop, name),
        pod: pod::pod(desktop, name, status),
    }
}

#[cfg(test)]
mod tests;
