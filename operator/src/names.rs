//! Decision: what things are called: a session's objects, a user's home, a desktop's host, labels and annotations.
//!
//! Names are made from what cannot change, so that whoever looks again finds what was made before. Nothing here is
//! random and nothing is looked up.

use crate::api::VDISession;
use jiff::Timestamp;
use ring::digest;

/// Field manager of everything that the operator applies.
pub const FIELD_MANAGER: &str = "vdi-operator";
/// Label of Kubernetes with what a thing is.
pub const LABEL_NAME: &str = "app.kubernetes.io/name";
/// Label of Kubernetes with who looks after it.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label that tells desktops from what may come beside them.
pub const LABEL_SESSION_TYPE: &str = "vdi.kasm.io/session-type";
/// Label with the name of the session.
pub const LABEL_SESSION: &str = "vdi.kasm.io/session";
/// Label with the name of the template, as [`label`] writes it.
pub const LABEL_TEMPLATE: &str = "vdi.kasm.io/template";
/// Label of the desktops that wait, with the name of their template; it stays when one is claimed.
pub const LABEL_POOL: &str = "vdi.kasm.io/pool";
/// Value of [`LABEL_NAME`].
pub const NAME: &str = "vdi-desktop";
/// Value of [`LABEL_SESSION_TYPE`].
pub const DESKTOP: &str = "desktop";
/// Annotation with the e-mail address, which may be too long for a label and has characters that none may have.
pub const ANNOTATION_USER: &str = "vdi.kasm.io/user";
/// Annotation of a pod with what its launcher is to warn of, as JSON; it is mounted into the pod.
pub const ANNOTATION_LIMITS: &str = "vdi.kasm.io/limits";
/// Annotation of a pod with the generation of the template that it was made from.
pub const ANNOTATION_TEMPLATE_GENERATION: &str = "vdi.kasm.io/template-generation";
/// Annotation of a Secret with the time at which its TURN credentials end.
pub const ANNOTATION_TURN_EXPIRES_AT: &str = "vdi.kasm.io/turn-expires-at";
/// Annotation of a session whose change asks for another try after a failure.
pub const ANNOTATION_RETRY_AT: &str = "vdi.kasm.io/retry-at";
/// Finalizer of the sessions.
pub const FINALIZER: &str = "vdi.kasm.io/home";

/// Longest label value.
const MAX_LABEL: usize = 63;
/// Characters of a user's name in the name of a home: enough to know it by.
const MAX_SLUG_IN_HOME: usize = 20;
/// Characters of a user's name in a host; with a hash behind it, it is still a DNS label.
const MAX_SLUG_IN_HOST: usize = 50;

/// Name of a session's pod, Service, Secret, IngressRoute, NetworkPolicy and ResourceClaim.
pub fn objects(session: &str) -> String {
    format!("desktop-{session}")
}

/// Name of a user's home on desktops of a template. Addresses that differ in case only are one person's.
pub fn home(user: &str, template: &str) -> String {
    let user = user.to_ascii_lowercase();
    let slug = slug(&user);
    format!("home-{}-{}", cut(&slug, MAX_SLUG_IN_HOME), hash(&format!("{user}/{template}"), 10))
}

/// Name of the policy for a template's desktops that wait.
pub fn pool_policy(template: &str) -> String {
    format!("pool-{}", label(template))
}

/// Name of a desktop that waits. `random` are at least five lower-case letters or digits.
pub fn pool_pod(template: &str, random: &str) -> String {
    // A pod's name is its host name, which has at most 63 characters.
    format!("{}-{random}", cut(&pool_policy(template), MAX_LABEL - 1 - random.len()))
}

/// A name as the value of a label: itself, or cut and told apart by a hash where it is too long.
pub fn label(name: &str) -> String {
    if name.len() <= MAX_LABEL {
        return name.to_owned();
    }
    format!("{}-{}", cut(name, MAX_LABEL - 11), hash(name, 10))
}

/// Who wants a host, or has one.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Whose session it is.
    pub user: &'a str,
    /// The session's UID.
    pub uid: &'a str,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// `status.url`, once it has one.
    pub url: Option<&'a str>,
}

impl<'a> From<&'a VDISession> for Claim<'a> {
    fn from(session: &'a VDISession) -> Self {
        Self {
            user: &session.spec.user,
            uid: session.metadata.uid.as_deref().unwrap_or_default(),
            created: session.metadata.creation_timestamp.as_ref().map(|time| time.0),
            url: session.status.as_ref().and_then(|status| status.url.as_deref()),
        }
    }
}

/// The host of a session under the domain: the one that it has; else the name of its user; else, where another session
/// has that or has asked for it earlier, the name with a hash. `others` may have the session itself among them.
pub fn host<'a>(mine: Claim<'_>, others: impl IntoIterator<Item = Claim<'a>>, domain: &str) -> String {
    if let Some(host) = mine.url.and_then(|url| host_of(url, domain)) {
        return host.to_owned();
    }
    let name = slug_of(mine.user);
    let taken: Vec<String> = others
        .into_iter()
        .filter(|other| other.uid != mine.uid)
        .filter_map(|other| match other.url {
            Some(url) => host_of(url, domain).filter(|host| host.starts_with(&name)).map(str::to_owned),
            None if (other.created, other.uid) < (mine.created, mine.uid) => {
                Some(slug_of(other.user)).filter(|other| *other == name)
            }
            None => None,
        })
        .collect();
    let digits = hash(mine.uid, 12);
    let longer = [5, 8, 12].map(|length| format!("{name}-{}", &digits[..length]));
    let last = longer[2].clone();
    let mut candidates = std::iter::once(name).chain(longer);
    candidates.find(|candidate| !taken.contains(candidate)).unwrap_or(last)
}

/// The address of a host.
pub fn url(host: &str, domain: &str) -> String {
    format!("https://{host}.{domain}/")
}

/// The host in an address under the domain.
fn host_of<'a>(url: &'a str, domain: &str) -> Option<&'a str> {
    url.strip_prefix("https://")?.strip_suffix('/')?.strip_suffix(domain)?.strip_suffix('.')
}

/// The part of an e-mail address before the `@` as a DNS label.
fn slug_of(user: &str) -> String {
    cut(&slug(user.split('@').next().unwrap_or_default()), MAX_SLUG_IN_HOST).to_owned()
}

/// Text as a DNS label: lower-case letters, digits, and single hyphens between them.
fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    if slug.is_empty() { "user".to_owned() } else { slug }
}

/// The beginning of an ASCII text, without a separator at its end.
fn cut(text: &str, length: usize) -> &str {
    text.get(..length).unwrap_or(text).trim_end_matches(['-', '.', '_'])
}

/// The first hexadecimal digits of a text's SHA-256.
pub(crate) fn hash(text: &str, digits: usize) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    hex[..digits].to_owned()
}
