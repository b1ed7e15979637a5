//! Shell: the files of the web root.

use std::path::Path;
use warp::{
    Filter, Rejection, Reply,
    http::{HeaderValue, header},
    reply::Response,
};

/// The client compiles its templates in the browser and has styles in its elements, so the policy allows as much; what it
/// loads still has to come from here.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; \
    style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; media-src 'self' blob: mediastream:; object-src 'none'; \
    frame-ancestors 'self'";

/// `GET` and `HEAD` of the files below `root`; a folder is its `index.html`. What is not there is left to others.
pub fn route(
    root: &Path,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + use<> {
    warp::fs::dir(root.to_owned()).map(|file: warp::fs::File| {
        let mut response = file.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
        // The client puts a time behind its files' names, and changes them under the same name.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    })
}
