//! The edge that speaks HTTP: OSCQuery, its WebSocket, the panel and recordings, on one port. Knows
//! no meaning of a packet. Runs in the thread `timbred-remote`.
//!
//! | file | its part |
//! | --- | --- |
//! | `gate` | who may: Host, Origin, token |
//! | `nodes` | the tree of addresses, one node or one attribute as JSON |
//! | `socket` | the WebSocket: LISTEN, IGNORE, OSC both ways |
//! | `panel` | the page and its files |
//! | `recordings` | what was recorded: a list, and each file |

mod gate;
mod nodes;
mod panel;
mod recordings;
mod socket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router, middleware};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::link::{Links, tune};
pub use gate::Gate;

/// Connections of HTTP, until they become WebSockets, which have places of their own (`link`).
const MOST: usize = 128;
/// The longest request with its headers, bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// The longest that a request is waited for, and that a connection may be open without one.
const HEAD: Duration = Duration::from_secs(5);
/// The longest that one answer may take, a long recording to a slow phone among them.
const ANSWER: Duration = Duration::from_secs(600);
/// After an error of the system, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// What the answers need.
#[derive(Debug)]
pub struct Site {
    /// Under which this program is found.
    pub name: String,
    /// Where OSC listens over UDP.
    pub osc: SocketAddr,
    /// The way to the service.
    pub links: Links,
    /// Who may.
    pub gate: Gate,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
struct Peer(SocketAddr);

/// Takes connections for ever.
pub async fn serve(listener: TcpListener, site: Arc<Site>) {
    let router = Router::new()
        .route("/panel", get(panel::page))
        .route("/panel/{file}", get(panel::file))
        .route("/recordings", get(recordings::list))
        .route("/recordings/{name}", get(recordings::file))
        .fallback(nodes::answer)
        .layer(middleware::from_fn_with_state(site.clone(), gate::pass))
        .with_state(site);
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Without a place it is closed at once.
                let Ok(place) = places.clone().try_acquire_owned() else { continue };
                tune(&stream);
                let router = router.clone();
                tokio::spawn(async move {
                    connection(stream, peer, router).await;
                    drop(place);
                });
            }
            Err(e) => {
                tracing::debug!("HTTP: {e}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router) {
    let service = TowerToHyperService::new(router.layer(Extension(Peer(peer))));
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    match tokio::time::timeout(ANSWER, served).await {
        Ok(Ok(())) => {}
        Ok(Err(e)) => tracing::debug!("HTTP: {peer}: {e}"),
        Err(_) => tracing::debug!("HTTP: {peer} takes too long"),
    }
}

/// An answer in words.
fn said(status: StatusCode, text: impl Into<String>) -> Response {
    (status, text.into() + "\n").into_response()
}
