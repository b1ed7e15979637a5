//! Shell: serves the page that is embedded in this library.

use rust_embed::{EmbeddedFile, RustEmbed};
use warp::{
    Filter, Rejection, Reply,
    http::{Response, StatusCode, header},
    hyper::body::Bytes,
    path::FullPath,
};

/// `web/dist`, or the page that says how to build it.
#[derive(RustEmbed)]
#[folder = "$OUT_DIR/page"]
struct Page;

/// Nothing inline, nothing from elsewhere: what a page like this could load is what it was shipped with.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; \
    media-src 'self' blob: mediastream:; object-src 'none'; base-uri 'self'; frame-ancestors 'self'";

/// `GET` and `HEAD` of the page's files; `/` is `index.html`.
pub fn route() -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send + Sync {
    warp::get()
        .or(warp::head())
        .unify()
        .and(warp::path::full())
        .and(warp::header::optional::<String>("if-none-match"))
        .and_then(|path: FullPath, etag: Option<String>| async move {
            let name = match path.as_str().trim_start_matches('/') {
                "" => "index.html",
                name => name,
            };
            Page::get(name)
                .map(|file| response(name, file, etag.as_deref()))
                .ok_or_else(warp::reject::not_found)
        })
}

fn response(name: &str, file: EmbeddedFile, known: Option<&str>) -> Response<Bytes> {
    let etag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    // Vite puts a hash of the content into the names under assets/; all else is asked for again each time.
    let caching =
        if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    for (key, value) in [
        (header::CONTENT_TYPE, file.metadata.mimetype()),
        (header::CACHE_CONTROL, caching),
        (header::ETAG, &etag),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        if let Ok(value) = value.parse() {
            headers.insert(key, value);
        }
    }
    if known == Some(etag.as_str()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Bytes::from(file.data.into_owned());
    }
    response
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
