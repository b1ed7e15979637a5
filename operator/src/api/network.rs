//! The wire: what a template's desktops may reach.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a desktop may reach beside DNS and TURN.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Networks that may be reached; none if empty. The networks that the operator forbids, such as the cloud's
    /// metadata address and the API server, are left out of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub egress: Vec<EgressRule>,
}

/// A network that may be reached.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("!has(self.except) || !isCIDR(self.cidr) || self.except.all(network, !isCIDR(network) || (cidr(self.cidr).containsCIDR(network) && cidr(network).prefixLength() > cidr(self.cidr).prefixLength()))").message("must be networks within cidr, and smaller").field_path(".except"))]
pub struct EgressRule {
    /// The network, such as `10.20.0.0/16`; `0.0.0.0/0` is everything.
    #[schemars(length(max = 49))]
    #[x_kube(validation = Rule::new("isCIDR(self)").message("must be a network such as 10.20.0.0/16"))]
    pub cidr: String,
    /// Networks in it that may not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 49)))]
    #[x_kube(validation = Rule::new("self.all(network, isCIDR(network))").message("must be networks such as 10.20.30.0/24"))]
    pub except: Vec<String>,
    /// Ports; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub ports: Vec<EgressPort>,
}

/// A port that may be reached.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.endPort) || self.endPort >= self.port").message("must not be below port").field_path(".endPort"))]
pub struct EgressPort {
    /// TCP or UDP.
    #[serde(default)]
    pub protocol: Protocol,
    /// The port.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: i32,
    /// The last port of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub end_port: Option<i32>,
}

/// A transport.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}
