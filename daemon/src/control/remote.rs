//! The servers with connections (OSC over TCP, HTTP) and the announcement by mDNS. They run in one
//! thread of low priority, `timbred-remote`, which has a runtime of its own.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::Sender;
use tokio::sync::oneshot;

use super::announce::{announce, host_name};
use super::http::{self, Gate, Site};
use super::link::Links;
use super::osc::tcp;
use super::service::Input;
use super::token::Token;
use crate::bus::priority::give_way_to_sound;

/// How long the end of the program waits for the disk at most.
const LAST: Duration = Duration::from_secs(1);
/// How many threads of the runtime may wait for the disk.
const DISK_THREADS: usize = 2;

/// The options of the servers.
#[derive(Debug, Clone)]
pub struct RemoteOptions {
    /// The address to listen on for HTTP; port 0 is any free one.
    pub http: SocketAddr,
    /// The address to listen on for OSC over UDP; TCP uses the same.
    pub osc: SocketAddr,
    /// The token that clients of the network must give.
    pub token: Token,
    /// The name under which the network finds this program.
    pub name: String,
}

/// The running servers. When this is dropped, their thread is ended and joined.
#[derive(Debug)]
pub struct Remote {
    urls: Vec<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Remote {
    /// Opens the ports and starts the thread. The packets of connections go to the service.
    ///
    /// # Errors
    /// The port of HTTP is taken, or the system refuses the thread. If the port of OSC over TCP is
    /// taken, the rest works without it.
    pub fn start(options: RemoteOptions, service: Sender<Input>) -> io::Result<Self> {
        let http = bound(options.http)?;
        let osc = bound(options.osc).inspect_err(|e| {
            tracing::warn!("OSC over TCP cannot listen on {}: {e}; UDP goes on", options.osc);
        });
        let at = http.local_addr()?;
        let urls = urls(at);
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(DISK_THREADS)
            .build()?;
        let run = move || {
            give_way_to_sound();
            runtime.block_on(serve(options, (http, at), osc.ok(), service, stopped));
            runtime.shutdown_timeout(LAST);
        };
        let thread = std::thread::Builder::new().name("timbred-remote".to_owned()).spawn(run)?;
        Ok(Self { urls, stop: Some(stop), thread: Some(thread) })
    }

    /// The addresses at which a browser finds the panel.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Whether its thread has ended although nobody ended it.
    pub fn is_dead(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // The thread waits for the end of this channel.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(
    options: RemoteOptions,
    (http, at): (TcpListener, SocketAddr),
    osc: Option<TcpListener>,
    service: Sender<Input>,
    stopped: oneshot::Receiver<()>,
) {
    let listener = |listener| {
        tokio::net::TcpListener::from_std(listener)
            .inspect_err(|e| tracing::error!("cannot listen on a port: {e}"))
            .ok()
    };
    let links = Links::new(service);
    let RemoteOptions { osc: osc_at, token, name, .. } = options;
    let announced = announcement(&name, at, osc_at);
    if let Some(osc) = osc.and_then(listener) {
        tokio::spawn(tcp::serve(osc, links.clone()));
    }
    if let Some(http) = listener(http) {
        let gate = Gate::new(names(&name), token);
        let site = Site { name, osc: osc_at, links, gate };
        tokio::spawn(http::serve(http, Arc::new(site)));
    }
    // An error means that the other side has ended, too.
    let _ = stopped.await;
    drop(announced);
}

/// Announces the servers that the network can reach, if there are any.
fn announcement(
    name: &str,
    http: SocketAddr,
    osc: SocketAddr,
) -> Option<super::announce::Announcement> {
    let services = [("_oscjson._tcp", http), ("_osc._udp", osc)];
    let reached = services.iter().filter(|(_, at)| !at.ip().is_loopback());
    let reached: Vec<(&str, u16)> = reached.map(|(kind, at)| (*kind, at.port())).collect();
    if reached.is_empty() {
        return None;
    }
    let bind = if http.ip().is_loopback() { osc.ip() } else { http.ip() };
    let announced = announce(name, &reached, bind);
    announced
        .inspect_err(|e| tracing::warn!("mDNS: {e}; programs find timbred by its address only"))
        .ok()
}

fn bound(at: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The names by which this machine may be called.
fn names(name: &str) -> Vec<String> {
    let machine = machine_name();
    vec![format!("{machine}.local"), machine, host_name(name)]
}

/// The name of this machine.
pub fn machine_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}

/// The addresses of a page that is served at `at`. If that means all interfaces, these are the
/// addresses of all interfaces except the loopback.
fn urls(at: SocketAddr) -> Vec<String> {
    let url = |ip: IpAddr| format!("http://{}/", SocketAddr::new(ip, at.port()));
    if !at.ip().is_unspecified() {
        return vec![url(at.ip())];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let reached = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local(),
        // Link-local addresses need the name of an interface, which browsers do not accept.
        IpAddr::V6(ip) => at.is_ipv6() && !ip.is_loopback() && !ip.is_unicast_link_local(),
    };
    let mut ips: Vec<IpAddr> = interfaces.iter().map(|i| i.ip()).filter(reached).collect();
    ips.sort_by_key(IpAddr::is_ipv6);
    match ips.as_slice() {
        [] => vec![url(IpAddr::from([127, 0, 0, 1]))],
        ips => ips.iter().map(|ip| url(*ip)).collect(),
    }
}
