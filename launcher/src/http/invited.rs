//! Shell: how somebody comes with an invitation: the link's token becomes a cookie, and the page is opened without it, so that
//! it stays neither in the history nor in what the page tells others.

use super::invitations::Ending;
use std::time::Duration;
use vdi_protocol::invitations::QUERY;
use warp::{
    Reply,
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header},
    reply::Response,
};

/// Opens the page anew. A redirection would still be the other site's, which the link was on, and the browser would keep the
/// strict cookie back.
const TO_THE_PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta http-equiv=\"refresh\" content=\"0; url=./\">\n<title>gst-vdi</title>\n<p><a href=\"./\">To the desktop</a></p>\n</html>\n";

/// The token of a link to the page, if this is one.
pub fn token<B>(request: &Request<B>) -> Option<&str> {
    if request.method() != Method::GET || request.uri().path() != "/" {
        return None;
    }
    let pairs = request.uri().query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(name, _)| *name == QUERY).map(|(_, token)| token)
}

/// The token that a browser has kept under this name.
pub fn kept<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(known, _)| *known == name).map(|(_, token)| token)
}

/// Lets the browser keep the token under this name for so long, and opens the page.
pub fn welcome(name: &str, token: &str, left: Duration, secure: bool) -> Response {
    let seconds = left.as_secs().max(1);
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let mut response = warp::reply::html(TO_THE_PAGE).into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Has the browser forget what it keeps under this name.
pub fn forget(name: &str, response: &mut Response) {
    if let Ok(cookie) =
        HeaderValue::from_str(&format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"))
    {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
}

/// To whoever comes with an invitation that holds no more.
pub fn ended(how: Ending) -> Response {
    let words = format!("{}. Ask for another one.\n", how.words());
    warp::reply::with_status(words, StatusCode::FORBIDDEN).into_response()
}

/// To whoever comes with what is no invitation.
pub fn unknown() -> Response {
    let words = "There is no such invitation: the link is incomplete, or of an earlier session.\n";
    warp::reply::with_status(words, StatusCode::FORBIDDEN).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_in_the_query_of_the_page_and_of_nothing_else() {
        let of = |method: Method, uri: &str| {
            let request = Request::builder().method(method).uri(uri).body(()).unwrap();
            token(&request).map(str::to_owned)
        };
        assert_eq!(of(Method::GET, "/?invite=abc").as_deref(), Some("abc"));
        assert_eq!(of(Method::GET, "https://desk.example/?x=1&invite=abc&y").as_deref(), Some("abc"));
        assert_eq!(of(Method::GET, "/?invite=").as_deref(), Some(""));
        for other in ["/", "/?x=invite", "/?reinvite=abc", "/status?invite=abc"] {
            assert_eq!(of(Method::GET, other), None, "{other}");
        }
        assert_eq!(of(Method::POST, "/?invite=abc"), None);
    }

    #[test]
    fn cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; vdi-x=no"));
        headers.append(header::COOKIE, HeaderValue::from_static("b=2;vdi-xy=abc"));
        assert_eq!(kept(&headers, "vdi-xy"), Some("abc"));
        assert_eq!(kept(&headers, "vdi-z"), None);
    }

    #[test]
    fn cookie_is_for_this_server_alone_and_no_script_reads_it() {
        let cookie = |secure| {
            let response = welcome("vdi-x", "abc", Duration::from_millis(900_500), secure);
            assert_eq!(response.status(), 200);
            response.headers()["set-cookie"].to_str().unwrap().to_owned()
        };
        assert_eq!(cookie(false), "vdi-x=abc; Path=/; Max-Age=900; HttpOnly; SameSite=Strict");
        assert_eq!(cookie(true), "vdi-x=abc; Path=/; Max-Age=900; HttpOnly; SameSite=Strict; Secure");
    }
}
