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
/// Annotation of a pod with the generation of the template that it was made from.
pub const ANNOTATION_TEMPLATE_GENERATION: &str = "vdi.kasm.io/template-generation";
/// Annotation of a Secret with the time at which its TURN credentials end.
pub const ANNOTATION_TURN_EXPIRES_AT: &str = "vdi.kasm.io/turn-expires-at";
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
        // An address of another domain is from before the domain was changed, and is about to follow.
        .filter_map(|other| match other.url.and_then(|url| host_of(url, domain)) {
            Some(host) => Some(host.to_owned()).filter(|host| host.starts_with(&name)),
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

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: &str = "vdi.example.com";

    fn claim<'a>(user: &'a str, uid: &'a str, second: i64) -> Claim<'a> {
        Claim { user, uid, created: Timestamp::from_second(second).ok(), url: None }
    }

    #[test]
    fn host_is_the_users_name_and_a_later_namesake_gets_a_hash() {
        let (first, second) = (claim("Alice.B@example.com", "a", 1), claim("alice-b@example.org", "b", 2));
        let all = [first, second];
        assert_eq!(host(first, all, DOMAIN), "alice-b");
        let other = host(second, all, DOMAIN);
        assert!(other.starts_with("alice-b-") && other.len() == "alice-b-12345".len(), "{other}");
        assert_eq!(host(second, [second], DOMAIN), "alice-b", "nobody else has it");
    }

    #[test]
    fn of_two_that_were_made_in_the_same_second_exactly_one_gets_the_name() {
        let all = [claim("alice@a.example", "x", 1), claim("alice@b.example", "y", 1)];
        let hosts = all.map(|mine| host(mine, all, DOMAIN));
        assert_eq!(hosts.iter().filter(|host| *host == "alice").count(), 1, "{hosts:?}");
    }

    #[test]
    fn address_that_a_session_has_stays_and_is_nobody_elses() {
        let late = Claim { url: Some("https://alice.vdi.example.com/"), ..claim("alice@a.example", "b", 9) };
        let early = claim("alice@b.example", "a", 1);
        assert_eq!(host(late, [early, late], DOMAIN), "alice");
        assert_ne!(host(early, [early, late], DOMAIN), "alice");
    }

    #[test]
    fn address_under_another_domain_is_given_up() {
        let moved = Claim { url: Some("https://alice.old.example/"), ..claim("alice@a.example", "b", 9) };
        assert_eq!(host(moved, [moved], DOMAIN), "alice");
    }

    #[test]
    fn after_a_change_of_the_domain_the_older_namesake_has_the_name_before_its_address_has_followed() {
        let moved = Claim { url: Some("https://alice.old.example/"), ..claim("alice@a.example", "b", 1) };
        let new = claim("alice@b.example", "c", 2);
        assert_eq!(host(moved, [moved, new], DOMAIN), "alice");
        assert_ne!(host(new, [moved, new], DOMAIN), "alice");
    }

    #[test]
    fn hash_that_somebody_has_as_a_name_becomes_longer() {
        let mine = claim("alice@a.example", "b", 9);
        let short = format!("alice-{}", hash("b", 5));
        let address = url(&short, DOMAIN);
        let taken = Claim { url: Some(&address), ..claim("x@a.example", "c", 1) };
        let found = host(mine, [claim("alice@b.example", "a", 1), taken], DOMAIN);
        assert_eq!(found, format!("alice-{}", hash("b", 8)));
    }

    #[test]
    fn hosts_are_dns_labels_whatever_the_address_is() {
        for (user, expected) in [
            ("anna.maria+test@example.com", "anna-maria-test"),
            ("_%_@example.com", "user"),
            ("7@example.com", "7"),
            ("-a--b-@example.com", "a-b"),
        ] {
            assert_eq!(host(claim(user, "u", 1), [], DOMAIN), expected);
        }
        let long = format!("{}@example.com", "a".repeat(240));
        let all = [claim(&long, "u", 1), claim(&long, "v", 2)];
        for mine in all {
            assert!(host(mine, all, DOMAIN).len() <= 63);
        }
    }

    #[test]
    fn home_is_found_again_by_the_same_user_and_template_only() {
        let home = home("Alice@example.com", "office");
        assert_eq!(home, super::home("alice@example.com", "office"));
        assert!(home.starts_with("home-alice-example-com-"), "{home}");
        assert_ne!(home, super::home("alice@example.com", "cad"));
        assert_ne!(home, super::home("alice@example.org", "office"));
        assert!(super::home(&"x".repeat(254), &"y".repeat(253)).len() <= 63);
    }

    #[test]
    fn long_names_become_labels_that_differ() {
        let (one, other) = (format!("{}-1", "t".repeat(100)), format!("{}-2", "t".repeat(100)));
        assert_eq!(label("office"), "office");
        assert!(label(&one).len() <= 63 && label(&one) != label(&other));
        assert!(pool_pod(&one, "x7k2p").len() <= 63);
        assert_eq!(pool_pod("office", "x7k2p"), "pool-office-x7k2p");
    }
}
