//! OSCQuery by HTTP: the tree, a node or one of its attributes as JSON, and the description of this
//! host (HOST_INFO). A request with an upgrade becomes the WebSocket, and a browser that opens `/`
//! gets the panel.

use std::sync::Arc;

use axum::Extension;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value as Json, json};
use timbre_control::query::{ATTRIBUTES, Attribute, attribute, node};
use timbre_control::value::Value;
use tokio::sync::oneshot;

use super::{Peer, Site, panel, said, socket};
use crate::control::service::Input;

/// Answers all paths that have no handler of their own.
pub(super) async fn answer(
    State(site): State<Arc<Site>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Response {
    let wants_page = panel::is_page_wanted(&request);
    let (mut parts, _) = request.into_parts();
    if let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        return socket::open(upgrade, site, peer).await;
    }
    let path = parts.uri.path();
    if wants_page && path == "/" {
        return panel::page().await;
    }
    // The query may also have the token.
    let query = parts.uri.query().unwrap_or_default();
    let wanted = query.split('&').find(|part| !part.is_empty() && !part.starts_with("token="));
    match wanted {
        Some("HOST_INFO") => json_answer(&host_info(&site)),
        Some(name) => {
            let Some(values) = values(&site).await else { return over() };
            match attribute(path, name, &values) {
                Attribute::Found(found) => json_answer(&found),
                Attribute::Absent => StatusCode::NO_CONTENT.into_response(),
                Attribute::Nowhere => nowhere(path),
                Attribute::Unknown => said(
                    StatusCode::BAD_REQUEST,
                    format!(
                        "found an unknown attribute, wanted {} or HOST_INFO",
                        ATTRIBUTES.join(", ")
                    ),
                ),
            }
        }
        None => {
            let Some(values) = values(&site).await else { return over() };
            node(path, &values).map_or_else(|| nowhere(path), |node| json_answer(&node))
        }
    }
}

/// The current value of every parameter, unless the service has ended.
async fn values(site: &Site) -> Option<Vec<Value>> {
    let (wanted, values) = oneshot::channel();
    if !site.links.give(Input::Values(wanted)).await {
        return None;
    }
    values.await.ok()
}

fn host_info(site: &Site) -> Json {
    let mut info = json!({
        "NAME": site.name,
        "OSC_PORT": site.osc.port(),
        "OSC_TRANSPORT": "UDP",
        "EXTENSIONS": {
            "ACCESS": true, "VALUE": true, "RANGE": true, "DESCRIPTION": true, "UNIT": true,
            "CLIPMODE": true, "TAGS": true, "LISTEN": true, "IGNORE": true, "PATH_CHANGED": true,
        },
    });
    // Without an address the client uses the host that it asked.
    if !site.osc.ip().is_unspecified()
        && let Some(info) = info.as_object_mut()
    {
        info.insert("OSC_IP".to_owned(), json!(site.osc.ip()));
    }
    info
}

fn json_answer(json: &Json) -> Response {
    ([(CONTENT_TYPE, "application/json")], json.to_string()).into_response()
}

fn nowhere(path: &str) -> Response {
    said(StatusCode::NOT_FOUND, timbre_control::parameters::unknown(path).text)
}

fn over() -> Response {
    said(StatusCode::SERVICE_UNAVAILABLE, "timbred is ending")
}
