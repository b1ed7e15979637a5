//! Decision: what may reach a desktop, and what it may reach: Traefik and the operator come in, DNS, TURN and the
//! template's networks are open to it, and all else is closed.

use super::{
    metadata::{self, texts},
    route::PORT,
    subnet::Subnet,
};
use crate::{
    api::{EgressRule, Protocol, VDITemplate},
    desktop::Desktop,
    names,
    settings::{Peer, Settings, Turn},
};
use k8s_openapi::{
    api::networking::v1::{
        IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
        NetworkPolicyPort, NetworkPolicySpec,
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

/// Where the cluster's DNS runs, by the labels that every distribution gives it.
const DNS: (&str, &str, &str) = ("kube-system", "k8s-app", "kube-dns");
const DNS_PORT: u16 = 53;
/// Label that every namespace has.
const NAMESPACE: &str = "kubernetes.io/metadata.name";
/// Ports that TURN servers relay from (RFC 8656, 5: the dynamic ports): the browser's end of a relayed path.
const RELAYED: (u16, u16) = (49_152, 65_535);

/// The policy of a session.
pub(super) fn policy(desktop: &Desktop, settings: &Settings) -> NetworkPolicy {
    let turn = settings
        .turn
        .iter()
        .map(|turn| NetworkPolicyIngressRule { from: Some(turn_peers(turn)), ports: Some(vec![any("UDP")]) });
    let ingress = [from_traefik(settings), from_operator(settings)].into_iter().chain(turn);
    let open = desktop.spec.network.egress.iter().filter_map(|rule| egress(rule, settings));
    let egress = std::iter::once(to_dns()).chain(settings.turn.as_ref().map(to_turn)).chain(open);
    NetworkPolicy {
        metadata: metadata::owned(desktop, &names::objects(&desktop.session)),
        spec: Some(spec(metadata::selector(desktop), ingress.collect(), egress.collect())),
    }
}

/// The policy for a template's desktops while they wait; `None` if it has no pool. It stays with those that are claimed,
/// so that there is no moment without one; what it opens, a session's own opens too.
pub fn pool_network(template: &VDITemplate, settings: &Settings) -> Option<NetworkPolicy> {
    let pool = template.spec.warm_pool.as_ref()?;
    let owner = template.metadata.name.as_deref().unwrap_or_default();
    let selector = texts([
        (names::LABEL_SESSION_TYPE, names::DESKTOP.to_owned()),
        (names::LABEL_POOL, names::label(owner)),
    ]);
    Some(NetworkPolicy {
        metadata: metadata::pooled(template, &pool.namespace, &names::pool_policy(owner)),
        spec: Some(spec(selector, vec![from_operator(settings)], vec![to_dns()])),
    })
}

fn spec(
    selector: metadata::Texts,
    ingress: Vec<NetworkPolicyIngressRule>,
    egress: Vec<NetworkPolicyEgressRule>,
) -> NetworkPolicySpec {
    NetworkPolicySpec {
        pod_selector: Some(matching(selector)),
        policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
        ingress: Some(ingress),
        egress: Some(egress),
    }
}

fn from_traefik(settings: &Settings) -> NetworkPolicyIngressRule {
    let networks = settings.traefik_networks.iter().map(|network| block(network, vec![]));
    NetworkPolicyIngressRule {
        from: Some(std::iter::once(pods(&settings.traefik)).chain(networks).collect()),
        ports: Some(vec![to_launcher()]),
    }
}

fn from_operator(settings: &Settings) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule { from: Some(vec![pods(&settings.operator)]), ports: Some(vec![to_launcher()]) }
}

fn to_dns() -> NetworkPolicyEgressRule {
    let (namespace, label, value) = DNS;
    let dns = Peer { namespace: namespace.to_owned(), labels: [(label.to_owned(), value.to_owned())].into() };
    NetworkPolicyEgressRule {
        to: Some(vec![pods(&dns)]),
        ports: Some(["UDP", "TCP"].map(|protocol| port(protocol, DNS_PORT.into(), None)).into()),
    }
}

fn to_turn(turn: &Turn) -> NetworkPolicyEgressRule {
    let listening = ["UDP", "TCP"].map(|protocol| port(protocol, turn.port.into(), None));
    let tls = turn.tls_port.map(|tls| port("TCP", tls.into(), None));
    let relayed = port("UDP", RELAYED.0.into(), Some(RELAYED.1.into()));
    NetworkPolicyEgressRule {
        to: Some(turn_peers(turn)),
        ports: Some(listening.into_iter().chain(tls).chain([relayed]).collect()),
    }
}

/// Where the TURN servers are. An address among the hosts speaks for itself; of a name nothing is known here.
fn turn_peers(turn: &Turn) -> Vec<NetworkPolicyPeer> {
    let addresses = turn.hosts.iter().filter_map(|host| Subnet::parse(host.trim_matches(['[', ']'])));
    let mut networks = turn.networks.clone();
    networks.extend(addresses.map(|address| address.to_string()));
    networks.dedup();
    turn.peer.iter().map(pods).chain(networks.iter().map(|network| block(network, vec![]))).collect()
}

/// What the template opens, without what the administrator forbids; `None` if nothing is left.
fn egress(rule: &EgressRule, settings: &Settings) -> Option<NetworkPolicyEgressRule> {
    let network = Subnet::parse(&rule.cidr)?;
    let mut except = rule.except.clone();
    for forbidden in &settings.forbidden_networks {
        let subnet = Subnet::parse(forbidden)?;
        if subnet.contains(network) {
            return None;
        }
        let known = |other: &String| Subnet::parse(other).is_some_and(|other| other.contains(subnet));
        if network.contains(subnet) && !except.iter().any(known) {
            except.push(subnet.to_string());
        }
    }
    let ports = rule.ports.iter().map(|open| {
        let protocol = match open.protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        };
        port(protocol, open.port, open.end_port)
    });
    Some(NetworkPolicyEgressRule {
        to: Some(vec![block(&rule.cidr, except)]),
        ports: (!rule.ports.is_empty()).then(|| ports.collect()),
    })
}

fn block(network: &str, except: Vec<String>) -> NetworkPolicyPeer {
    let cidr = Subnet::parse(network).map_or_else(|| network.to_owned(), |network| network.to_string());
    let except = (!except.is_empty()).then_some(except);
    NetworkPolicyPeer { ip_block: Some(IPBlock { cidr, except }), ..NetworkPolicyPeer::default() }
}

fn pods(peer: &Peer) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(matching(texts([(NAMESPACE, peer.namespace.clone())]))),
        pod_selector: Some(matching(peer.labels.clone())),
        ip_block: None,
    }
}

fn matching(labels: metadata::Texts) -> LabelSelector {
    LabelSelector { match_labels: (!labels.is_empty()).then_some(labels), match_expressions: None }
}

fn to_launcher() -> NetworkPolicyPort {
    NetworkPolicyPort { port: Some(IntOrString::String(PORT.to_owned())), ..any("TCP") }
}

fn port(protocol: &str, first: i32, last: Option<i32>) -> NetworkPolicyPort {
    NetworkPolicyPort { port: Some(IntOrString::Int(first)), end_port: last, ..any(protocol) }
}

fn any(protocol: &str) -> NetworkPolicyPort {
    NetworkPolicyPort { protocol: Some(protocol.to_owned()), ..NetworkPolicyPort::default() }
}
