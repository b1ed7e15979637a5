//! Decision: the way from a browser to a desktop: Traefik's IngressRoute, and the Service that it leads to.

use super::metadata;
use crate::{desktop::Desktop, names, settings::Settings};
use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::{
    api::{ApiResource, DynamicObject},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

/// Name of the launcher's port, in the pod and in the Service.
pub(super) const PORT: &str = "http";

/// Traefik's kind.
pub fn ingress_route() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("traefik.io", "v1alpha1", "IngressRoute"))
}

/// The Service.
pub(super) fn service(desktop: &Desktop) -> Service {
    Service {
        metadata: metadata::owned(desktop, &names::objects(&desktop.session)),
        spec: Some(ServiceSpec {
            selector: Some(metadata::selector(desktop)),
            ports: Some(vec![ServicePort {
                name: Some(PORT.to_owned()),
                port: vdi_protocol::environment::DEFAULT_PORT.into(),
                protocol: Some("TCP".to_owned()),
                target_port: Some(IntOrString::String(PORT.to_owned())),
                ..ServicePort::default()
            }]),
            type_: Some("ClusterIP".to_owned()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// The route. WebSockets need nothing of their own: Traefik passes upgrades on.
pub(super) fn route(desktop: &Desktop, settings: &Settings) -> DynamicObject {
    let name = names::objects(&desktop.session);
    let mut rule = json!({
        "kind": "Rule",
        "match": format!("Host(`{}.{}`)", desktop.host, settings.domain),
        "services": [{
            "kind": "Service",
            "name": name,
            "port": PORT,
            "passHostHeader": true,
        }],
    });
    if !settings.middlewares.is_empty() {
        let middlewares = settings
            .middlewares
            .iter()
            .map(|(namespace, name)| json!({ "namespace": namespace, "name": name }));
        rule["middlewares"] = middlewares.collect::<Vec<Value>>().into();
    }
    // Empty, it asks for Traefik's default certificate; without it there is no TLS.
    let mut tls = json!({});
    if let Some(secret) = &settings.tls_secret {
        tls["secretName"] = secret.as_str().into();
    }
    if let Some(resolver) = &settings.cert_resolver {
        tls["certResolver"] = resolver.as_str().into();
    }
    let spec = json!({ "entryPoints": [settings.entry_point], "routes": [rule], "tls": tls });
    let mut route = DynamicObject::new(&name, &ingress_route()).data(json!({ "spec": spec }));
    route.metadata = metadata::owned(desktop, &name);
    route
}
