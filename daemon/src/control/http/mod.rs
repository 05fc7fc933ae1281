//! The HTTP server: OSCQuery, its WebSocket, the panel and recordings, on one port. It does not
//! know what packets mean, and runs in the thread `timbred-remote`.
//!
//! | file | its part |
//! | --- | --- |
//! | `gate` | which requests are allowed: Host, Origin, token |
//! | `nodes` | the tree of addresses, one node or one attribute as JSON |
//! | `socket` | the WebSocket: LISTEN, IGNORE, OSC both ways |
//! | `panel` | the page and its files |
//! | `recordings` | the list of recordings, and each file |

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

/// The most connections of HTTP. WebSockets have a limit of their own (`link`).
const MOST: usize = 128;
/// The longest request with its headers, bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// The longest wait for a request, and the longest time without one until a connection is closed.
const HEAD: Duration = Duration::from_secs(5);
/// The longest that an answer may take, for example a long recording to a slow phone.
const ANSWER: Duration = Duration::from_secs(600);
/// The wait after an error of the system, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Everything that answers need.
#[derive(Debug)]
pub struct Site {
    /// The name under which this program is found.
    pub name: String,
    /// The address of OSC over UDP.
    pub osc: SocketAddr,
    /// The way to the service.
    pub links: Links,
    /// The rules for requests.
    pub gate: Gate,
}

/// The client of a request.
#[derive(Debug, Clone, Copy)]
struct Peer(SocketAddr);

/// Accepts connections for ever.
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
                // If there are too many connections, it is closed at once.
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

/// An answer with a text.
fn said(status: StatusCode, text: impl Into<String>) -> Response {
    (status, text.into() + "\n").into_response()
}
