//! The panel: a page inside this program, and its files.

use axum::extract::{Path, Request};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::said;

/// Name, kind and contents of each file.
const FILES: [(&str, &str, &str); 13] = [
    ("panel.css", CSS, include_str!("../../../panel/panel.css")),
    ("parts.css", CSS, include_str!("../../../panel/parts.css")),
    ("keyboard.css", CSS, include_str!("../../../panel/keyboard.css")),
    ("sheets.css", CSS, include_str!("../../../panel/sheets.css")),
    ("narrow.css", CSS, include_str!("../../../panel/narrow.css")),
    ("panel.js", JS, include_str!("../../../panel/panel.js")),
    ("link.js", JS, include_str!("../../../panel/link.js")),
    ("osc.js", JS, include_str!("../../../panel/osc.js")),
    ("keyboard.js", JS, include_str!("../../../panel/keyboard.js")),
    ("parts.js", JS, include_str!("../../../panel/parts.js")),
    ("sheets.js", JS, include_str!("../../../panel/sheets.js")),
    ("words.js", JS, include_str!("../../../panel/words.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../../panel/icon.svg")),
];
const PAGE: &str = include_str!("../../../panel/index.html");
const TOKEN_PAGE: &str = include_str!("../../../panel/token.html");
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
/// Browsers must ask again, because the next version of this program has other files under these
/// names.
const FRESH: &str = "no-cache";

/// Whether the client is a browser that wants a page, and not a program that wants JSON.
pub(super) fn is_page_wanted(request: &Request) -> bool {
    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    request.method() == Method::GET && accepts.is_some_and(|all| all.contains("text/html"))
}

/// Answers with the page.
pub(super) async fn page() -> Response {
    ([(CONTENT_TYPE, HTML), (CACHE_CONTROL, FRESH)], PAGE).into_response()
}

/// Answers with the page that asks for the token.
pub(super) fn token_page() -> Response {
    (StatusCode::UNAUTHORIZED, [(CONTENT_TYPE, HTML), (CACHE_CONTROL, FRESH)], TOKEN_PAGE)
        .into_response()
}

/// Answers with one of its files.
pub(super) async fn file(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => {
            ([(CONTENT_TYPE, *kind), (CACHE_CONTROL, FRESH)], *text).into_response()
        }
        None => said(StatusCode::NOT_FOUND, "the panel has no such file"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest that the panel may be, bytes.
    const LARGEST: usize = 150_000;

    #[test]
    fn the_panel_is_small_and_asks_nobody_else() {
        let all: Vec<&str> = FILES.iter().map(|f| f.2).chain([PAGE, TOKEN_PAGE]).collect();
        let bytes: usize = all.iter().map(|text| text.len()).sum();
        assert!(bytes < LARGEST, "{bytes} bytes");
        for text in all {
            let links = text.matches("://").count();
            let named = text.matches("http://www.w3.org/2000/svg").count();
            assert_eq!(links, named, "an address of somebody else");
        }
    }
}
