//! Decides which requests of HTTP are allowed. Host must be a name of this machine, because a page
//! elsewhere could make its own name lead here. Origin must be one of our own pages. If a token is
//! wanted, it must be given. This room answers refusals only.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Peer, Site, panel, said};
use crate::control::refusals::Refusals;
use crate::control::token::Token;

/// The cookie that keeps the token in a browser.
const COOKIE_NAME: &str = "timbred_token";
/// The name of the token in a query.
const QUERY: &str = "token=";
/// The headers of every answer: no page elsewhere may embed it, guess its type, or learn the token
/// from a link.
const HEADERS: [(HeaderName, &str); 4] = [
    (axum::http::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (axum::http::header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        axum::http::header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; \
         base-uri 'none'; form-action 'self'",
    ),
];

/// The rules for requests.
#[derive(Debug)]
pub struct Gate {
    /// The names of this machine. Every IP address is allowed, too.
    names: Vec<String>,
    token: Token,
    refusals: Mutex<Refusals>,
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Host(String),
    Origin(String),
    Token,
}

impl Gate {
    /// Allows requests with the token that call this machine by one of these names, by an address
    /// or by `localhost`.
    pub fn new(names: Vec<String>, token: Token) -> Self {
        Self { names, token, refusals: Mutex::default() }
    }

    fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Refused> {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let host = text(HOST).unwrap_or_default();
        if !self.is_own(host) {
            return Err(Refused::Host(host.to_owned()));
        }
        if let Some(origin) = headers.get(ORIGIN) {
            let origin = origin.to_str().unwrap_or("?");
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            if authority != Some(host) {
                return Err(Refused::Origin(origin.to_owned()));
            }
        }
        let bearer = text(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let given = [in_query(uri), in_cookie(headers), bearer.map(str::to_owned)];
        let is_known =
            !self.token.is_wanted() || given.iter().flatten().any(|given| self.token.is(given));
        if is_known { Ok(()) } else { Err(Refused::Token) }
    }

    /// Whether a Host means this machine. An address does, as no page elsewhere has an address for
    /// a name.
    fn is_own(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        if host.contains('@') {
            return false;
        }
        let name = authority.host().trim_matches(['[', ']']);
        name.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }
}

/// The token in a query, which may also have attributes.
fn in_query(uri: &Uri) -> Option<String> {
    let query = uri.query()?;
    query.split('&').find_map(|part| part.strip_prefix(QUERY)).map(str::to_owned)
}

fn in_cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|all| all.split(';'))
        .filter_map(|one| one.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, value)| value.to_owned())
}

/// Passes a request on, or answers why it is refused.
pub(super) async fn pass(
    State(site): State<Arc<Site>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let checked = site.gate.check(request.headers(), request.uri());
    let wants_page = panel::is_page_wanted(&request);
    let mut response = match checked {
        Err(refused) => {
            let (what, why, answer) = refused.said(wants_page);
            let mut refusals = site.gate.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            refusals.say(what, peer.ip(), &why);
            answer
        }
        Ok(()) if !matches!(*request.method(), Method::GET | Method::HEAD) => {
            said(StatusCode::METHOD_NOT_ALLOWED, "found another method, wanted GET")
        }
        // The token is removed from the address, so that nobody can read it there.
        Ok(()) if wants_page && in_query(request.uri()).is_some() => kept(request.uri()),
        Ok(()) => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Makes the browser save the token, and open the page without it in the address.
fn kept(uri: &Uri) -> Response {
    let token = in_query(uri).unwrap_or_default();
    let cookie =
        format!("{COOKIE_NAME}={token}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict");
    let found = (StatusCode::SEE_OTHER, [(LOCATION, uri.path().to_owned()), (SET_COOKIE, cookie)]);
    found.into_response()
}

impl Refused {
    /// The kind of refusal, its reason, and the answer.
    fn said(&self, wants_page: bool) -> (&'static str, String, Response) {
        match self {
            Self::Host(found) => {
                let why = format!(
                    "found the host {:?}, wanted an address or a name of this machine",
                    shown(found)
                );
                ("HTTP by another name", why.clone(), said(StatusCode::FORBIDDEN, why))
            }
            Self::Origin(found) => {
                let why = format!("found a page of {:?}, wanted one of this program", shown(found));
                ("HTTP from another page", why.clone(), said(StatusCode::FORBIDDEN, why))
            }
            Self::Token => {
                let why = "found no token, or another, wanted the one of [remote] token, as \
                           ?token=TOKEN or Authorization: Bearer TOKEN"
                    .to_owned();
                let answer = match wants_page {
                    true => panel::token_page(),
                    false => said(StatusCode::UNAUTHORIZED, why.clone()),
                };
                ("HTTP without the token", why, answer)
            }
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(token: &str, uri: &str, headers: &[(HeaderName, &str)]) -> Result<(), Refused> {
        let gate = Gate::new(vec!["stage.local".to_owned()], Token::new(token));
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        gate.check(&headers.collect(), &uri.parse().unwrap())
    }

    #[test]
    fn only_names_of_this_machine_lead_here() {
        for host in ["127.0.0.1:9080", "192.168.1.7", "[::1]:9080", "LOCALHOST:1", "Stage.local"] {
            assert_eq!(check("", "/", &[(HOST, host)]), Ok(()), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "a@127.0.0.1", "", "stage.local."] {
            let refused = Err(Refused::Host(host.to_owned()));
            assert_eq!(check("", "/", &[(HOST, host)]), refused, "{host}");
        }
        assert_eq!(check("", "/", &[]), Err(Refused::Host(String::new())));
    }

    #[test]
    fn only_our_own_pages_ask() {
        let from = |origin| check("", "/", &[(HOST, "10.0.0.2:9080"), (ORIGIN, origin)]);
        assert_eq!(from("http://10.0.0.2:9080"), Ok(()));
        for origin in ["http://evil.example", "null", "http://10.0.0.2", "http://10.0.0.2:9080.x"] {
            assert_eq!(from(origin), Err(Refused::Origin(origin.to_owned())), "{origin}");
        }
    }

    #[test]
    fn the_token_is_taken_from_three_places() {
        let host = (HOST, "10.0.0.2:9080");
        let ask = |uri: &str, more: &[(HeaderName, &str)]| {
            check("sesame-open", uri, &[std::slice::from_ref(&host), more].concat())
        };
        assert_eq!(ask("/", &[]), Err(Refused::Token));
        assert_eq!(ask("/?token=sesame", &[]), Err(Refused::Token));
        assert_eq!(ask("/?VALUE&token=sesame-open", &[]), Ok(()));
        assert_eq!(ask("/", &[(COOKIE, "a=b; timbred_token=sesame-open")]), Ok(()));
        assert_eq!(ask("/", &[(AUTHORIZATION, "Bearer sesame-open")]), Ok(()));
        assert_eq!(ask("/", &[(AUTHORIZATION, "Basic sesame-open")]), Err(Refused::Token));
    }
}
