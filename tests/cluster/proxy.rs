//! Shell: what stands between an operator and the API server, so that the one meets what the other cannot be made to do
//! at will: refusals, delays, answers that are cut, and an operator that dies at one of its writes.
//!
//! It also narrows what its operator sees to one test's namespace and templates, so that tests do not meet.

use crate::children::Program;
use http_body_util::BodyExt;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use kube::{Client, client::Body};
use serde_json::json;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// Label of the templates that a test has made, with its namespace.
pub const LABEL_PLACE: &str = "vdi.test/place";
/// Kinds without a namespace, beside templates.
const OF_THE_CLUSTER: [&str; 4] = ["customresourcedefinitions", "namespaces", "nodes", "persistentvolumes"];

/// One write of an operator. Renewals of its lease are not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Counted from 0.
    pub number: usize,
    /// `POST`, `PATCH`, `PUT` or `DELETE`.
    pub method: String,
    /// Its kind, and the subresource: `pods`, `vdisessions/status`.
    pub resource: String,
    /// Its name; empty where the API server makes one.
    pub name: String,
    /// When the API server had done it, if it has.
    pub answered: Option<Instant>,
}

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is carried out.
    Pass,
    /// It is carried out after this time.
    Delay(Duration),
    /// It is refused with this code.
    Refuse(u16),
    /// It is lost on its way.
    CutBefore,
    /// It is carried out, and the answer is lost.
    CutAfter,
    /// The operator is killed before it is carried out.
    KillBefore,
    /// The operator is killed after it was carried out.
    KillAfter,
}

type Judge = Box<dyn FnMut(&Write) -> Verdict + Send>;

/// One operator's way to the API server.
pub struct Proxy {
    client: Client,
    namespace: String,
    address: SocketAddr,
    state: Mutex<State>,
}

struct State {
    judge: Judge,
    writes: Vec<Write>,
    victim: Option<Arc<Program>>,
    connections: Vec<AbortHandle>,
    down: bool,
}

impl Proxy {
    /// Listens for the operator of one namespace.
    pub async fn start(client: Client, namespace: &str, address: Ipv4Addr) -> Arc<Self> {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let state = State {
            judge: Box::new(|_| Verdict::Pass),
            writes: Vec::new(),
            victim: None,
            connections: Vec::new(),
            down: false,
        };
        let proxy = Arc::new(Self {
            client,
            namespace: namespace.to_owned(),
            address: listener.local_addr().unwrap(),
            state: Mutex::new(state),
        });
        tokio::spawn(proxy.clone().accept(listener));
        proxy
    }

    /// Where the operator finds it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Who decides what becomes of writes from now on.
    pub fn judge(&self, judge: impl FnMut(&Write) -> Verdict + Send + 'static) {
        self.state.lock().unwrap().judge = Box::new(judge);
    }

    /// Who dies where a verdict says so.
    pub fn victim(&self, program: Arc<Program>) {
        self.state.lock().unwrap().victim = Some(program);
    }

    /// All writes until now, whatever became of them.
    pub fn writes(&self) -> Vec<Write> {
        self.state.lock().unwrap().writes.clone()
    }

    /// Closes all connections, and takes none until it is told otherwise.
    pub fn is_down(&self, down: bool) {
        let mut state = self.state.lock().unwrap();
        state.down = down;
        if down {
            state.connections.drain(..).for_each(|connection| connection.abort());
        }
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let mut state = self.state.lock().unwrap();
            if !state.down {
                state.connections.retain(|connection| !connection.is_finished());
                state.connections.push(tokio::spawn(self.clone().serve(stream)).abort_handle());
            }
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        // An answer is small and is waited for.
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| self.answer(request));
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let (number, verdict) = self.verdict(&parts.method, &parts.uri, &body);
        match verdict {
            Verdict::Refuse(code) => return Ok(refusal(code)),
            Verdict::CutBefore => return Err(lost()),
            Verdict::KillBefore => return Err(self.kill().await),
            Verdict::Delay(time) => tokio::time::sleep(time).await,
            Verdict::Pass | Verdict::CutAfter | Verdict::KillAfter => (),
        }
        let answer = self.forward(&parts.method, &parts.uri, parts.headers, body).await?;
        if let Some(number) = number.filter(|_| answer.status().is_success()) {
            self.state.lock().unwrap().writes[number].answered = Some(Instant::now());
        }
        match verdict {
            Verdict::CutAfter => Err(lost()),
            Verdict::KillAfter => Err(self.kill().await),
            _ => Ok(answer),
        }
    }

    fn verdict(&self, method: &Method, uri: &Uri, body: &[u8]) -> (Option<usize>, Verdict) {
        let Some((resource, mut name)) = written(method, uri.path()) else { return (None, Verdict::Pass) };
        if name.is_empty() {
            let created: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            name = created["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        }
        let mut state = self.state.lock().unwrap();
        let number = state.writes.len();
        let write = Write { number, method: method.to_string(), resource, name, answered: None };
        let verdict = (state.judge)(&write);
        state.writes.push(write);
        (Some(number), verdict)
    }

    async fn kill(&self) -> io::Error {
        let victim = self.state.lock().unwrap().victim.clone().expect("a verdict kills nobody");
        tokio::task::spawn_blocking(move || victim.kill()).await.unwrap();
        lost()
    }

    async fn forward(
        &self,
        method: &Method,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> io::Result<Response<Body>> {
        let mut forwarded = Request::new(Body::from(body));
        *forwarded.method_mut() = method.clone();
        *forwarded.uri_mut() = narrowed(method, uri, &self.namespace).parse().unwrap();
        for name in [header::ACCEPT, header::CONTENT_TYPE, header::USER_AGENT] {
            if let Some(value) = headers.get(&name) {
                forwarded.headers_mut().insert(name, value.clone());
            }
        }
        let mut answer = self.client.send(forwarded).await.map_err(io::Error::other)?;
        for name in [header::TRANSFER_ENCODING, header::CONNECTION] {
            answer.headers_mut().remove(name);
        }
        Ok(answer)
    }
}

fn lost() -> io::Error {
    io::Error::other("the test has cut the connection")
}

fn refusal(code: u16) -> Response<Body> {
    let reason = match code {
        403 => "Forbidden",
        409 => "Conflict",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
        "reason": reason, "message": format!("the test wants it: {reason}"),
    });
    let mut answer = Response::new(Body::from(serde_json::to_vec(&status).unwrap()));
    *answer.status_mut() = StatusCode::from_u16(code).unwrap();
    answer.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    if code == 429 {
        answer.headers_mut().insert(header::RETRY_AFTER, "1".parse().unwrap());
    }
    answer
}

/// The segments of a path behind group and version.
fn behind_version(path: &str) -> Option<(usize, Vec<&str>)> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let version = match *segments.first()? {
        "api" => 2,
        "apis" => 3,
        _ => return None,
    };
    let rest = segments.get(version..)?.to_vec();
    Some((version, rest))
}

/// Kind and name of what a request writes, if it does.
fn written(method: &Method, path: &str) -> Option<(String, String)> {
    if method == Method::GET {
        return None;
    }
    let (_, mut rest) = behind_version(path)?;
    if rest.first() == Some(&"namespaces") && rest.len() > 2 {
        rest.drain(..2);
    }
    let (kind, name) = (*rest.first()?, rest.get(1).copied().unwrap_or_default());
    if matches!(kind, "leases" | "selfsubjectaccessreviews" | "selfsubjectrulesreviews") {
        return None;
    }
    let resource = rest.get(2).map_or_else(|| kind.to_owned(), |sub| format!("{kind}/{sub}"));
    Some((resource, name.to_owned()))
}

/// The request with which the operator sees nothing of other tests.
fn narrowed(method: &Method, uri: &Uri, namespace: &str) -> String {
    let query = uri.query().unwrap_or_default();
    let path = uri.path().trim_end_matches('/');
    let with = |path: String, query: &str| if query.is_empty() { path } else { format!("{path}?{query}") };
    let all_of = behind_version(path).filter(|(_, rest)| method == Method::GET && rest.len() == 1);
    let Some((version, rest)) = all_of else { return with(path.to_owned(), query) };
    let kind = rest[0];
    if kind == "vditemplates" {
        let selector = format!("labelSelector={}%3D{namespace}", LABEL_PLACE.replace('/', "%2F"));
        let query = match query.split('&').find(|pair| pair.starts_with("labelSelector=")) {
            Some(pair) => query.replace(pair, &pair.replace("labelSelector=", &format!("{selector}%2C"))),
            None if query.is_empty() => selector,
            None => format!("{query}&{selector}"),
        };
        return with(path.to_owned(), &query);
    }
    if OF_THE_CLUSTER.contains(&kind) {
        return with(path.to_owned(), query);
    }
    let before: Vec<&str> = path.trim_matches('/').split('/').take(version).collect();
    with(format!("/{}/namespaces/{namespace}/{kind}", before.join("/")), query)
}

#[test]
fn operator_sees_only_its_own_namespace_and_templates() {
    let seen = |uri: &str| narrowed(&Method::GET, &uri.parse().unwrap(), "mine");
    assert_eq!(seen("/api/v1/pods?watch=true"), "/api/v1/namespaces/mine/pods?watch=true");
    assert_eq!(
        seen("/apis/vdi.kasm.io/v1alpha1/vdisessions"),
        "/apis/vdi.kasm.io/v1alpha1/namespaces/mine/vdisessions"
    );
    let templates = "/apis/vdi.kasm.io/v1alpha1/vditemplates";
    assert_eq!(seen(&format!("{templates}?")), format!("{templates}?labelSelector=vdi.test%2Fplace%3Dmine"));
    assert_eq!(
        seen(&format!("{templates}?limit=5&labelSelector=a%3Db")),
        format!("{templates}?limit=5&labelSelector=vdi.test%2Fplace%3Dmine%2Ca%3Db")
    );
    assert_eq!(seen(&format!("{templates}/x")), format!("{templates}/x"));
    assert_eq!(seen("/api/v1/nodes"), "/api/v1/nodes");
    assert_eq!(seen("/api/v1/namespaces/other/pods/x"), "/api/v1/namespaces/other/pods/x");
}

#[test]
fn writes_are_known_by_kind_and_name_and_leases_are_none() {
    let of = |method: &str, path: &str| written(&method.parse().unwrap(), path);
    let some = |kind: &str, name: &str| Some((kind.to_owned(), name.to_owned()));
    assert_eq!(of("PATCH", "/api/v1/namespaces/a/pods/desktop-x"), some("pods", "desktop-x"));
    assert_eq!(
        of("PATCH", "/apis/vdi.kasm.io/v1alpha1/namespaces/a/vdisessions/x/status"),
        some("vdisessions/status", "x")
    );
    assert_eq!(of("POST", "/apis/events.k8s.io/v1/namespaces/a/events"), some("events", ""));
    assert_eq!(of("PATCH", "/apis/coordination.k8s.io/v1/namespaces/a/leases/x"), None);
    assert_eq!(of("GET", "/api/v1/namespaces/a/pods/desktop-x"), None);
}
