//! Setup: every option of the operator, once: flag, environment name, default, unit and documentation on one field, and what
//! they come to. Nothing else in the operator reads the values of its environment.

use crate::{
    leader::Election,
    settings::{Peer, Settings, Turn},
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use kube::core::Duration as Span;
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Turns VDISession and VDITemplate objects into desktops on Kubernetes.
///
/// Every option is a flag or an environment variable; the flag wins. The cluster is that of KUBECONFIG, or the one that
/// the operator runs in. Any number of operators may run: one works, the others wait for its lease.
#[derive(Debug, Parser)]
#[command(name = "vdi-operator", version)]
pub struct Options {
    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to run.
    #[command(flatten)]
    pub run: RunOptions,
}

/// What to do instead of running.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Command {
    /// Prints the CustomResourceDefinitions of VDISession and VDITemplate as YAML.
    Crd,
}

/// How to run.
#[derive(Debug, Args)]
pub struct RunOptions {
    /// Domain under which each desktop has its name; its wildcard leads to Traefik.
    #[arg(long, env = "VDI_DOMAIN", value_name = "DOMAIN", default_value = "vdi.localhost")]
    pub domain: String,
    /// Traefik's entry point for the desktops.
    #[arg(long, env = "VDI_ENTRY_POINT", value_name = "NAME", default_value = "websecure")]
    pub entry_point: String,
    /// Secret with the wildcard's certificate, in each namespace with sessions; Traefik's default certificate if not given.
    #[arg(long, env = "VDI_TLS_SECRET", value_name = "NAME")]
    pub tls_secret: Option<String>,
    /// Traefik's certificate resolver, if it is to get certificates by itself.
    #[arg(long, env = "VDI_CERT_RESOLVER", value_name = "NAME")]
    pub cert_resolver: Option<String>,
    /// Traefik middlewares that each request passes.
    #[arg(long, env = "VDI_MIDDLEWARES", value_name = "NAMESPACE/NAME,…", value_delimiter = ',')]
    pub middlewares: Vec<String>,
    /// Namespace of Traefik's pods, from which network policies let requests in.
    #[arg(long, env = "VDI_TRAEFIK_NAMESPACE", value_name = "NAME", default_value = "traefik")]
    pub traefik_namespace: String,
    /// Labels of Traefik's pods.
    #[arg(
        long,
        env = "VDI_TRAEFIK_LABELS",
        value_name = "KEY=VALUE,…",
        value_delimiter = ',',
        default_value = "app.kubernetes.io/name=traefik"
    )]
    pub traefik_labels: Vec<String>,
    /// Networks that Traefik's requests come from, where it runs on its nodes' network: policies see no labels there.
    #[arg(long, env = "VDI_TRAEFIK_NETWORKS", value_name = "CIDR,…", value_delimiter = ',')]
    pub traefik_networks: Vec<String>,
    /// Namespace of the operator's pods, which ask the launchers for their state; the lease is there too.
    #[arg(long, env = "VDI_POD_NAMESPACE", value_name = "NAME", default_value = "vdi-system")]
    pub pod_namespace: String,
    /// Name of this operator's pod, for the lease and for events.
    #[arg(long, env = "VDI_POD_NAME", value_name = "NAME", default_value = "vdi-operator")]
    pub pod_name: String,
    /// Labels of the operator's pods.
    #[arg(
        long,
        env = "VDI_POD_LABELS",
        value_name = "KEY=VALUE,…",
        value_delimiter = ',',
        default_value = "app.kubernetes.io/name=vdi-operator"
    )]
    pub pod_labels: Vec<String>,
    /// Hosts of the TURN servers, as browsers and pods reach them, for which each session gets credentials; without any the
    /// launcher's built-in one serves, or what the template's variables name.
    #[arg(long, env = "VDI_TURN_HOSTS", value_name = "HOST,…", value_delimiter = ',')]
    pub turn_hosts: Vec<String>,
    /// Port of the TURN servers.
    #[arg(long, env = "VDI_TURN_PORT", value_name = "PORT", default_value_t = 3478)]
    pub turn_port: u16,
    /// Port of the TURN servers for TLS (`turns:`), where they have certificates: the only way out of networks that let
    /// nothing but TLS pass. Without it nobody is told of one.
    #[arg(long, env = "VDI_TURN_TLS_PORT", value_name = "PORT")]
    pub turn_tls_port: Option<u16>,
    /// File with coturn's static-auth-secret; needed with TURN servers.
    #[arg(long, env = "VDI_TURN_SECRET_FILE", value_name = "FILE")]
    pub turn_secret_file: Option<PathBuf>,
    /// Life of a session's TURN credentials, which are renewed at half of it: at least 2m.
    #[arg(long, env = "VDI_TURN_LIFETIME", value_name = "SPAN", default_value = "1h")]
    pub turn_lifetime: Span,
    /// Namespace of coturn's pods, where they run in this cluster and not on their nodes' network.
    #[arg(long, env = "VDI_TURN_NAMESPACE", value_name = "NAME")]
    pub turn_namespace: Option<String>,
    /// Labels of coturn's pods.
    #[arg(
        long,
        env = "VDI_TURN_LABELS",
        value_name = "KEY=VALUE,…",
        value_delimiter = ',',
        default_value = "app.kubernetes.io/name=coturn"
    )]
    pub turn_labels: Vec<String>,
    /// Networks that coturn's packets come from, where it runs on its nodes' network or outside of the cluster.
    #[arg(long, env = "VDI_TURN_NETWORKS", value_name = "CIDR,…", value_delimiter = ',')]
    pub turn_networks: Vec<String>,
    /// Networks that no desktop may reach whatever its template opens: the metadata service, the API server.
    #[arg(
        long,
        env = "VDI_FORBIDDEN_NETWORKS",
        value_name = "CIDR,…",
        value_delimiter = ',',
        default_value = "169.254.169.254/32"
    )]
    pub forbidden_networks: Vec<String>,
    /// Address that /metrics, /healthz and /readyz are served on.
    #[arg(long, env = "VDI_ADDR", value_name = "ADDRESS", default_value = "0.0.0.0")]
    pub addr: IpAddr,
    /// Their TCP port; 0 takes a free one.
    #[arg(long, env = "VDI_PORT", value_name = "PORT", default_value_t = 8081)]
    pub port: u16,
    /// How often a launcher is asked how its session stands: at least 1s.
    #[arg(long, env = "VDI_POLL_INTERVAL", value_name = "SPAN", default_value = "30s")]
    pub poll_interval: Span,
    /// Name of the lease that only one operator holds.
    #[arg(long, env = "VDI_LEASE_NAME", value_name = "NAME", default_value = "vdi-operator")]
    pub lease_name: String,
    /// How long the lease holds without being renewed, and so how long a dead operator is waited for: at least 2s.
    #[arg(long, env = "VDI_LEASE_DURATION", value_name = "SPAN", default_value = "15s")]
    pub lease_duration: Span,
    /// Sessions looked at at once.
    #[arg(long, env = "VDI_CONCURRENCY", value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,
    /// Form of the log on stderr.
    #[arg(long, env = "VDI_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Whether the log has every write and every retry.
    #[arg(long, env = "VDI_DEBUG")]
    pub debug: bool,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What the options come to.
#[derive(Debug, Clone)]
pub struct Config {
    /// What builders read.
    pub settings: Settings,
    /// The lease.
    pub election: Election,
    /// Where metrics and probes are served.
    pub addr: SocketAddr,
    /// How often launchers are asked.
    pub poll_interval: Duration,
    /// Sessions looked at at once.
    pub concurrency: u16,
    /// Who tells events.
    pub reporter: String,
}

impl RunOptions {
    /// Reads them all, or says all that is wrong with them. `read` reads a file; `random` tells this process from others
    /// of its name.
    pub fn resolve(
        self,
        read: impl Fn(&PathBuf) -> std::io::Result<String>,
        random: u32,
    ) -> Result<Config, Vec<String>> {
        let mut wrong = Wrong(Vec::new());
        let domain = self.domain.trim_end_matches('.').to_ascii_lowercase();
        wrong.check(!domain.is_empty() && domain.split('.').all(is_dns_label), || {
            format!("--domain is {:?}: it must be a domain such as vdi.example.com", self.domain)
        });
        let middlewares = texts(&self.middlewares).filter_map(|text| match text.split_once('/') {
            Some((namespace, name)) if is_dns_label(namespace) && !name.is_empty() => {
                Some((namespace.to_owned(), name.to_owned()))
            }
            _ => {
                wrong.0.push(format!("--middlewares has {text:?}: each is a namespace/name"));
                None
            }
        });
        let middlewares = middlewares.collect();
        let traefik = Peer {
            namespace: self.traefik_namespace.clone(),
            labels: wrong.labels("--traefik-labels", &self.traefik_labels),
        };
        let operator = Peer {
            namespace: self.pod_namespace.clone(),
            labels: wrong.labels("--pod-labels", &self.pod_labels),
        };
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (tls_secret, cert_resolver) = (given(&self.tls_secret), given(&self.cert_resolver));
        wrong.check(tls_secret.is_none() || cert_resolver.is_none(), || {
            "--tls-secret and --cert-resolver exclude each other: Traefik has the certificate either from the Secret or \
             from its resolver"
                .to_owned()
        });
        let traefik_networks = wrong.networks("--traefik-networks", &self.traefik_networks);
        let forbidden_networks = wrong.networks("--forbidden-networks", &self.forbidden_networks);
        let poll_interval = wrong.span(
            "--poll-interval",
            self.poll_interval,
            Duration::from_secs(1)..=Duration::from_secs(3600),
        );
        let duration = wrong.span(
            "--lease-duration",
            self.lease_duration,
            Duration::from_secs(2)..=Duration::from_secs(300),
        );
        let turn = self.turn(read, &mut wrong);
        if !wrong.0.is_empty() {
            return Err(wrong.0);
        }
        Ok(Config {
            settings: Settings {
                domain,
                entry_point: self.entry_point,
                tls_secret,
                cert_resolver,
                middlewares,
                traefik,
                traefik_networks,
                operator,
                turn,
                forbidden_networks,
            },
            election: Election {
                namespace: self.pod_namespace,
                name: self.lease_name,
                identity: format!("{}-{random:08x}", self.pod_name),
                duration,
            },
            addr: SocketAddr::new(self.addr, self.port),
            poll_interval,
            concurrency: self.concurrency,
            reporter: self.pod_name,
        })
    }

    /// What is given is checked, whether it is used or not.
    fn turn(&self, read: impl Fn(&PathBuf) -> std::io::Result<String>, wrong: &mut Wrong) -> Option<Turn> {
        let hosts: Vec<String> = texts(&self.turn_hosts).map(str::to_owned).collect();
        let lifetime = wrong.span(
            "--turn-lifetime",
            self.turn_lifetime,
            Duration::from_secs(120)..=Duration::from_secs(86_400),
        );
        let file = self.turn_secret_file.as_ref().filter(|file| !file.as_os_str().is_empty());
        let secret = file.map(|file| match read(file) {
            Ok(secret) if secret.trim().is_empty() => {
                Err(format!("--turn-secret-file {}: it is empty", file.display()))
            }
            Ok(secret) => Ok(secret.trim().to_owned()),
            Err(error) => Err(format!("--turn-secret-file {}: {error}", file.display())),
        });
        let labels = wrong.labels("--turn-labels", &self.turn_labels);
        let namespace = self.turn_namespace.clone().filter(|namespace| !namespace.is_empty());
        let peer = namespace.map(|namespace| Peer { namespace, labels });
        let networks = wrong.networks("--turn-networks", &self.turn_networks);
        let is_name = |host: &&String| host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_err();
        if let Some(name) = hosts.iter().find(is_name).filter(|_| peer.is_none() && networks.is_empty()) {
            wrong.0.push(format!(
                "--turn-hosts {name}: a name does not say where coturn's packets come from, and the desktops' network policies \
                 would drop them: give --turn-networks, or --turn-namespace where coturn's pods have addresses of their own"
            ));
        }
        let shared_secret = match secret {
            Some(Err(message)) => {
                wrong.0.push(message);
                return None;
            }
            Some(Ok(secret)) => secret,
            None if hosts.is_empty() => String::new(),
            None => {
                wrong.0.push("--turn-hosts needs --turn-secret-file".to_owned());
                return None;
            }
        };
        let known = !hosts.is_empty() || peer.is_some() || !networks.is_empty();
        let (port, tls_port) = (self.turn_port, self.turn_tls_port);
        known.then_some(Turn { hosts, port, tls_port, shared_secret, lifetime, peer, networks })
    }
}

/// All that is wrong.
struct Wrong(Vec<String>);

impl Wrong {
    fn check(&mut self, right: bool, message: impl FnOnce() -> String) {
        if !right {
            self.0.push(message());
        }
    }

    fn labels(&mut self, option: &str, labels: &[String]) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for text in texts(labels) {
            match text.split_once('=') {
                Some((key, value)) if !key.is_empty() => {
                    found.insert(key.to_owned(), value.to_owned());
                }
                _ => self.0.push(format!("{option} has {text:?}: each is a key=value")),
            }
        }
        found
    }

    fn networks(&mut self, option: &str, networks: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        for text in texts(networks) {
            self.check(is_network(text), || match text.parse::<IpAddr>() {
                Ok(address) => {
                    let all = if address.is_ipv4() { 32 } else { 128 };
                    format!(
                        "{option} has {text:?}, an address without the length of a network: one address alone is {text}/{all}"
                    )
                }
                Err(_) => format!("{option} has {text:?}: each is a network such as 10.20.0.0/16"),
            });
            found.push(text.to_owned());
        }
        found
    }

    fn span(&mut self, option: &str, span: Span, bounds: std::ops::RangeInclusive<Duration>) -> Duration {
        let negative = span.is_negative();
        let found: Duration = span.into();
        self.check(!negative && bounds.contains(&found), || {
            format!("{option} must be between {:?} and {:?}", bounds.start(), bounds.end())
        });
        found
    }
}

fn texts(list: &[String]) -> impl Iterator<Item = &str> {
    list.iter().map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn is_dns_label(text: &str) -> bool {
    let inside = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    !text.is_empty() && text.len() <= 63 && inside && !text.starts_with('-') && !text.ends_with('-')
}

fn is_network(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    match (address.parse::<IpAddr>(), bits.parse::<u8>()) {
        (Ok(address), Ok(bits)) => bits <= if address.is_ipv4() { 32 } else { 128 },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(arguments: &[&str]) -> Result<Config, Vec<String>> {
        let arguments = ["vdi-operator"].iter().chain(arguments);
        let options = Options::try_parse_from(arguments).unwrap();
        options.run.resolve(|_| Ok("secret\n".to_owned()), 7)
    }

    #[test]
    fn without_options_it_runs_with_what_is_documented() {
        let config = resolve(&[]).unwrap();
        assert_eq!(config.settings.entry_point, "websecure");
        assert_eq!(config.settings.forbidden_networks, ["169.254.169.254/32"]);
        assert_eq!(config.settings.turn, None);
        assert_eq!(config.poll_interval, Duration::from_secs(30));
        assert_eq!(config.election.identity, "vdi-operator-00000007");
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let wrong = resolve(&[
            "--domain=VDI_example",
            "--middlewares=headers",
            "--traefik-labels=app",
            "--forbidden-networks=10.0.0.0/33",
            "--poll-interval=1ms",
            "--turn-hosts=turn.example.com",
        ])
        .unwrap_err();
        let options = [
            "--domain",
            "--middlewares",
            "--traefik-labels",
            "--forbidden-networks",
            "--poll-interval",
            "--turn-hosts needs --turn-secret-file",
            "--turn-hosts turn.example.com: a name does not say",
        ];
        for option in options {
            assert!(wrong.iter().any(|message| message.starts_with(option)), "{option}: {wrong:?}");
        }
        assert_eq!(wrong.len(), options.len(), "{wrong:?}");
    }

    #[test]
    fn what_is_not_used_is_checked_all_the_same() {
        let [wrong] = resolve(&["--turn-networks=10.0.0.0"]).unwrap_err().try_into().unwrap();
        assert!(
            wrong.starts_with("--turn-networks has \"10.0.0.0\"") && wrong.ends_with("10.0.0.0/32"),
            "{wrong}"
        );
        let options = Options::try_parse_from(["vdi-operator", "--turn-secret-file=/absent"]).unwrap();
        let absent = |_: &PathBuf| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        let [wrong] = options.run.resolve(absent, 7).unwrap_err().try_into().unwrap();
        assert!(wrong.starts_with("--turn-secret-file /absent: "), "{wrong}");
    }

    #[test]
    fn certificate_has_one_source() {
        let [wrong] = resolve(&["--tls-secret=a", "--cert-resolver=b"]).unwrap_err().try_into().unwrap();
        assert!(wrong.starts_with("--tls-secret and --cert-resolver"), "{wrong}");
        assert!(resolve(&["--tls-secret=a", "--cert-resolver="]).is_ok());
    }

    #[test]
    fn servers_without_hosts_are_for_the_policies_alone() {
        let settings = resolve(&["--turn-networks=192.0.2.0/24"]).unwrap().settings;
        assert_eq!(settings.turn_with_credentials(), None);
        assert_eq!(settings.turn.unwrap().networks, ["192.0.2.0/24"]);
    }

    #[test]
    fn turn_has_its_secret_from_a_file() {
        let config = resolve(&[
            "--turn-hosts=a.example.com,b.example.com",
            "--turn-networks=192.0.2.0/24",
            "--turn-secret-file=/secret",
        ])
        .unwrap();
        let turn = config.settings.turn.unwrap();
        assert_eq!(turn.shared_secret, "secret");
        assert_eq!(turn.hosts, ["a.example.com", "b.example.com"]);
        assert!(!format!("{turn:?}").contains("\"secret\""));
    }
}
