//! Shell: `deploy/` as kustomize makes it, for the tests of it: the documents of an overlay, and the folder itself.

use crate::control_plane::Cluster;
use serde_json::Value;

/// The folder.
pub const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");
/// What a platform engineer applies, `deploy` itself last.
pub const OVERLAYS: [&str; 4] = ["overlays/small", "overlays/production", "overlays/monitored", "."];

/// Path of something in it.
pub fn path(name: &str) -> String {
    format!("{DEPLOY}/{name}")
}

/// The documents that the real `kubectl kustomize` makes of an overlay.
pub async fn documents(cluster: &Cluster, overlay: &str) -> Vec<Value> {
    let text = cluster.kubectl_ok(&["kustomize", &path(overlay)]).await;
    serde_saphyr::from_multiple(&text).unwrap()
}

/// What a document is called where it is complained about.
pub fn name(document: &Value) -> String {
    let text = |pointer| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
}

/// The pods that the documents make, with the name of what makes them.
pub fn pods(documents: &[Value]) -> Vec<(String, &Value)> {
    let made = |document| Some((name(document), document.pointer("/spec/template/spec")?));
    documents.iter().filter_map(made).collect()
}
