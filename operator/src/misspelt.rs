//! Decision: which variables look like options of the operator and are none, so that a misspelt one is not passed over in
//! silence. It refuses nothing: in a pod others set variables too.

use crate::options::Options;
use clap::CommandFactory;
use std::collections::BTreeSet;

/// What the operator's variables begin with.
const PREFIX: &str = "VDI_";
/// How much alike two names are that may be meant for each other, from 0 to 1; clap takes the same.
const ALIKE: f64 = 0.7;

/// A sentence for each of these variables that begins like an option and that nobody reads.
pub fn complaints<'v>(variables: impl IntoIterator<Item = &'v str>) -> Vec<String> {
    let command = Options::command();
    let known: BTreeSet<&str> =
        command.get_arguments().filter_map(|option| option.get_env()?.to_str()).collect();
    let ours: BTreeSet<&str> = variables.into_iter().filter(|name| name.starts_with(PREFIX)).collect();
    let unread = ours.iter().filter(|name| !known.contains(**name) && !is_of_a_service(name, &ours));
    unread.map(|name| complaint(name, &known)).collect()
}

fn complaint(name: &str, known: &BTreeSet<&str>) -> String {
    let nearest = known
        .iter()
        .map(|other| (strsim::jaro(behind(name), behind(other)), other))
        .filter(|(alike, _)| *alike > ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    let meant = nearest.map_or_else(String::new, |(_, other)| format!(" Is {other} meant?"));
    format!(
        "the variable {name} is no option of vdi-operator and is passed over.{meant} `vdi-operator --help` has them all"
    )
}

fn behind(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// Whether Kubernetes has set it for a Service: `VDI_OPERATOR_PORT_8081_TCP` for one that is called `vdi-operator`. It sets
/// `…_SERVICE_HOST` for each, and the others begin as that does.
fn is_of_a_service(name: &str, all: &BTreeSet<&str>) -> bool {
    let services = all.iter().filter_map(|other| other.strip_suffix("_SERVICE_HOST"));
    services.into_iter().any(|service| {
        let rest = name.strip_prefix(service).unwrap_or_default();
        ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"].contains(&rest)
            || rest.starts_with("_SERVICE_PORT_")
            || rest.strip_prefix("_PORT_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_variable_is_named_with_the_one_that_is_meant() {
        let [told] = complaints(["VDI_TREAFIK_NAMESPACE", "VDI_DOMAIN", "PATH"]).try_into().unwrap();
        assert!(
            told.contains("VDI_TREAFIK_NAMESPACE ") && told.contains("Is VDI_TRAEFIK_NAMESPACE meant?"),
            "{told}"
        );
        let [told] = complaints(["VDI_TURN_HOST"]).try_into().unwrap();
        assert!(told.contains("Is VDI_TURN_HOSTS meant?"), "{told}");
        let [told] = complaints(["VDI_QQ"]).try_into().unwrap();
        assert!(!told.contains("meant"), "{told}");
    }

    #[test]
    fn every_option_is_known() {
        let command = Options::command();
        let all: Vec<&str> =
            command.get_arguments().filter_map(|option| option.get_env()?.to_str()).collect();
        assert!(all.len() > 20 && all.iter().all(|name| name.starts_with(PREFIX)), "{all:?}");
        assert_eq!(complaints(all), Vec::<String>::new());
    }

    #[test]
    fn what_kubernetes_sets_for_services_is_no_mistake() {
        let of_a_service = [
            "VDI_OPERATOR_SERVICE_HOST",
            "VDI_OPERATOR_SERVICE_PORT",
            "VDI_OPERATOR_SERVICE_PORT_METRICS",
            "VDI_OPERATOR_PORT",
            "VDI_OPERATOR_PORT_8081_TCP",
            "VDI_OPERATOR_PORT_8081_TCP_PROTO",
        ];
        assert_eq!(complaints(of_a_service), Vec::<String>::new());
        let [told] = complaints(["VDI_OPERATOR_SERVICE_HOST", "VDI_PROT"]).try_into().unwrap();
        assert!(told.contains("VDI_PROT ") && told.contains("VDI_PORT meant"), "{told}");
        assert_eq!(complaints(["VDI_OPERATOR_PORT_8081_TCP"]).len(), 1, "there is no such service");
    }
}
