//! Shell: one request on its way to the routes: whether it has to come again through TLS, whether the guard lets it pass, and
//! what every response says beside its route's own words.

use super::{
    auth::{Asked, Guard, OPEN_PATHS, Verdict, is_whep},
    invitations::Found,
    invited,
};
use crate::{pass::Pass, port::tls::Certificate};
use gstvdi::wswebrtcsink::Mark;
use hyper_util::service::TowerToHyperService;
use std::{
    convert::Infallible,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use warp::{
    Filter, Rejection, Reply,
    filters::BoxedFilter,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header, uri::Authority},
    hyper::body::Incoming,
    reply::Response,
};

/// What every response says unless its route says otherwise.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'self'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("permissions-policy"),
        "autoplay=(self), fullscreen=(self), clipboard-read=(self), clipboard-write=(self), gamepad=(self), \
         microphone=(self), camera=(self), geolocation=(), payment=(), usb=()",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];
/// Where a proxy, and our own TLS, say how the page was reached.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// A year. Subdomains are somebody else's.
const STRICT: &str = "max-age=31536000";

/// The routes, and who watches over them; cheap to clone.
#[derive(Clone)]
pub struct Service {
    routes: BoxedFilter<(Response,)>,
    guard: Arc<Mutex<Guard>>,
    certificate: Certificate,
    /// The cookie of invitations: another one in each session, since cookies are shared by all ports of a host.
    cookie: Arc<str>,
    epoch: Instant,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("guard", &self.guard).finish_non_exhaustive()
    }
}

/// How a request came.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// From whom.
    pub from: IpAddr,
    /// Through our own TLS.
    pub tls: bool,
}

impl Service {
    /// Watches over these routes of the session of this name, whose time began at `epoch`.
    pub fn new<F, R>(
        routes: F,
        guard: Arc<Mutex<Guard>>,
        certificate: Certificate,
        name: &str,
        epoch: Instant,
    ) -> Self
    where
        F: Filter<Extract = (R,), Error = Rejection> + Clone + Send + Sync + 'static,
        R: Reply + 'static,
    {
        let routes = routes.map(|reply: R| reply.into_response()).recover(nothing).unify().boxed();
        let cookie = format!("vdi-invitation-{name}").into();
        Self { routes, guard, certificate, cookie, epoch }
    }

    /// Answers. `let_in` is asked once the guard lets a request pass that is no probe; false says that there is no room.
    pub async fn answer(
        self,
        mut request: Request<Incoming>,
        way: Way,
        let_in: impl Fn() -> bool,
    ) -> Result<Response, Infallible> {
        let whep = is_whep(request.uri().path());
        // What a browser asks before a player's request says nothing but which requests there are, and has no credentials.
        let preflight = whep && request.method() == Method::OPTIONS;
        let probe = preflight || OPEN_PATHS.contains(&request.uri().path());
        prepare(&mut request, way.tls);
        let mut response = if self.certificate.only() && !way.tls && !probe {
            to_https(&request)
        } else if let Some(response) = self.invite(&request, way.from) {
            response
        } else {
            let verdict = if preflight { Verdict::Pass(Pass::Full) } else { self.judge(&request, way.from) };
            match verdict {
                Verdict::Pass(pass) if probe || let_in() => {
                    // Consumers that come with this request bear it in their names.
                    if let Some(mark) = pass.mark() {
                        request.extensions_mut().insert(Mark::new(mark));
                    }
                    let routes = TowerToHyperService::new(warp::service(self.routes.clone()));
                    hyper::service::Service::call(&routes, request).await?
                }
                Verdict::Pass(_) => full(),
                refused => self.refuse(refused),
            }
        };
        let headers = response.headers_mut();
        if whep {
            // A player of another site may read why it was refused.
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            if headers.contains_key(header::WWW_AUTHENTICATE) {
                headers
                    .append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"gst-vdi\""));
            }
        }
        if way.tls && self.certificate.is_strict() {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT));
        }
        add_headers(headers);
        Ok(response)
    }

    fn judge(&self, request: &Request<Incoming>, from: IpAddr) -> Verdict {
        let authorization = request.headers().get(header::AUTHORIZATION);
        // A header that is no text is a wrong password, and not none.
        let authorization = authorization.map(|value| value.to_str().unwrap_or_default());
        let invitation = invited::kept(request.headers(), &self.cookie);
        let asked = Asked { path: request.uri().path(), authorization, invitation, from };
        let mut guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner);
        let before = guard.failures();
        let verdict = guard.judge(asked, self.epoch.elapsed());
        let failed = guard.failures() != before;
        // Whoever reads the log may take his time, and others wait for the guard.
        drop(guard);
        // The limit on attempts is also the limit on these lines.
        match verdict {
            _ if !failed => {}
            Verdict::Wait(wait) => {
                tracing::warn!(%from, "too many wrong passwords; the address waits for {wait:?}");
            }
            _ => tracing::warn!(%from, "a wrong password"),
        }
        verdict
    }

    /// Lets somebody in who follows a link, or says why not; none if this is no such link.
    fn invite(&self, request: &Request<Incoming>, from: IpAddr) -> Option<Response> {
        let token = invited::token(request)?;
        let mut guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner);
        let found = guard.redeem(token, from, self.epoch.elapsed())?;
        drop(guard);
        Some(match found {
            Ok(Found::Holds { left, .. }) => {
                let scheme = request.headers().get(FORWARDED_PROTO).and_then(|scheme| scheme.to_str().ok());
                let secure = scheme.is_some_and(|scheme| scheme.starts_with("https"));
                invited::welcome(&self.cookie, token, left, secure)
            }
            Ok(Found::Ended(how)) => invited::ended(how),
            Ok(Found::Unknown) => {
                tracing::warn!(%from, "a link with a wrong invitation");
                invited::unknown()
            }
            Err(wait) => too_many(wait),
        })
    }

    fn refuse(&self, verdict: Verdict) -> Response {
        match verdict {
            Verdict::Wait(wait) => too_many(wait),
            Verdict::Forbid => {
                let words =
                    "This is not for guests: those who were invited, or have the password for watching.\n";
                warp::reply::with_status(words, StatusCode::FORBIDDEN).into_response()
            }
            Verdict::Ended(how) => {
                let asks = self.guard.lock().unwrap_or_else(PoisonError::into_inner).asks();
                // Where a password would let them in, the browser asks for it. Where none does, the browser keeps what it
                // has, or the next request would have everything.
                let mut response = invited::ended(how);
                if asks {
                    response = challenge(response);
                    invited::forget(&self.cookie, &mut response);
                }
                response
            }
            Verdict::Ask | Verdict::Pass(_) => {
                let words = "User and password are needed: those that the session was started with, or printed when it started.\n";
                challenge(words.into_response())
            }
        }
    }
}

/// Brings what HTTP/2 and TLS know into the headers in which the routes look for it.
fn prepare<B>(request: &mut Request<B>, tls: bool) {
    let host = request.uri().authority().map(|authority| HeaderValue::from_str(host_and_port(authority)));
    let headers = request.headers_mut();
    if let Some(Ok(host)) = host {
        // HTTP/2 has `:authority` in its place; where both are there, it rules (RFC 9113, 8.3.1).
        headers.insert(header::HOST, host);
    }
    if tls {
        // A proxy that comes to us through TLS knows better how the page came to it.
        headers.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("https"));
    }
}

fn host_and_port(authority: &Authority) -> &str {
    let text = authority.as_str();
    text.rsplit_once('@').map_or(text, |(_, host)| host)
}

/// The same address through TLS. A method other than GET stays what it is.
fn to_https<B>(request: &Request<B>) -> Response {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if header(FORWARDED_PROTO).is_some_and(|proto| proto.starts_with("https")) {
        let words = "This server takes pages through TLS only, and the proxy in front of it came without: \
            let the proxy connect by https, or start the server with --enable-https=false.\n";
        return warp::reply::with_status(words, StatusCode::MISDIRECTED_REQUEST).into_response();
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let location = header(header::HOST).map(|host| HeaderValue::from_str(&format!("https://{host}{path}")));
    let Some(Ok(location)) = location else {
        return warp::reply::with_status("Come through TLS.\n", StatusCode::BAD_REQUEST).into_response();
    };
    let reply = warp::reply::with_status(
        "This server takes pages through TLS only.\n",
        StatusCode::PERMANENT_REDIRECT,
    );
    let mut response = reply.into_response();
    response.headers_mut().insert(header::LOCATION, location);
    response
}

fn full() -> Response {
    let words = "There are too many connections; close some tabs, or try again later.\n";
    let mut response = warp::reply::with_status(words, StatusCode::SERVICE_UNAVAILABLE).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(10));
    response
}

/// The answer where no route leads; a route that refuses has said why.
async fn nothing(rejection: Rejection) -> Result<Response, Rejection> {
    if !rejection.is_not_found() {
        return Err(rejection);
    }
    let words = "There is nothing at this address.\n";
    Ok(warp::reply::with_status(words, StatusCode::NOT_FOUND).into_response())
}

fn too_many(wait: Duration) -> Response {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let words =
        format!("Too many wrong passwords or invitations from your address. Try again in {seconds} s.\n");
    let mut response = warp::reply::with_status(words, StatusCode::TOO_MANY_REQUESTS).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Has the browser ask for user and password.
fn challenge(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let challenge = HeaderValue::from_static("Basic realm=\"gst-vdi\", charset=\"UTF-8\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

fn add_headers(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::get(uri).body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    }

    #[test]
    fn authority_of_http_2_is_the_host_and_tls_is_marked() {
        let mut request = request("https://me@desk.example:8443/ws", &[]);
        prepare(&mut request, true);
        assert_eq!(request.headers()["host"], "desk.example:8443");
        assert_eq!(request.headers()["x-forwarded-proto"], "https");
    }

    #[test]
    fn what_a_proxy_says_of_the_page_is_left_alone() {
        for tls in [false, true] {
            let mut request = request("/ws", &[("host", "a.example"), ("x-forwarded-proto", "http")]);
            prepare(&mut request, tls);
            assert_eq!(request.headers()["host"], "a.example");
            assert_eq!(request.headers()["x-forwarded-proto"], "http");
        }
    }

    #[test]
    fn pages_are_sent_to_the_same_address_through_tls() {
        let response = to_https(&request("/a?b=c", &[("host", "desk.example:8080")]));
        assert_eq!(response.status(), 308);
        assert_eq!(response.headers()["location"], "https://desk.example:8080/a?b=c");
        assert_eq!(to_https(&request("/", &[])).status(), 400);
    }

    #[test]
    fn proxy_that_has_done_the_tls_itself_gets_words_instead_of_a_loop() {
        let response = to_https(&request("/", &[("host", "a.example"), ("x-forwarded-proto", "https")]));
        assert_eq!(response.status(), 421);
    }
}
