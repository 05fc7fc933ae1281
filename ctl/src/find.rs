//! Finds daemons in the network by mDNS. It knows no verb.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use mdns_sd::{Error, ResolvedService, ServiceDaemon, ServiceEvent};

/// How long to listen to the network.
const LISTEN: Duration = Duration::from_secs(2);
/// The services that are announced: OSC, and OSCQuery with the panel.
const OSC: &str = "_osc._udp.local.";
const QUERY: &str = "_oscjson._tcp.local.";
/// The beginning of the default name of a daemon. Other programs announce OSC, too.
const NAME: &str = "timbred";

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The name that it announces.
    pub name: String,
    /// The address of its machine.
    pub ip: IpAddr,
    /// Its port of OSC over UDP, if that can be reached.
    pub osc_port: Option<u16>,
    /// Its port of OSCQuery and the panel, if that can be reached.
    pub http_port: Option<u16>,
}

/// Everything that announces OSC or OSCQuery, by name.
///
/// # Errors
/// mDNS does not work here.
pub fn find() -> Result<Vec<Found>, Error> {
    let daemon = ServiceDaemon::new()?;
    let [osc, query] = [daemon.browse(OSC)?, daemon.browse(QUERY)?];
    let until = Instant::now() + LISTEN;
    let mut all: Vec<Found> = Vec::new();
    for (events, is_osc) in [(osc, true), (query, false)] {
        // Both services are searched at the same time. Answers for the second wait in its queue.
        while let Ok(event) = events.recv_deadline(until.max(Instant::now() + LISTEN / 10)) {
            if let ServiceEvent::ServiceResolved(service) = event {
                add(&mut all, &service, is_osc);
            }
        }
    }
    let _ = daemon.shutdown();
    all.sort_by_key(|found| (!found.name.starts_with(NAME), found.name.clone()));
    Ok(all)
}

fn add(all: &mut Vec<Found>, service: &ResolvedService, is_osc: bool) {
    let full = service.get_fullname();
    let kind = if is_osc { OSC } else { QUERY };
    let name = full.strip_suffix(kind).unwrap_or(full).trim_end_matches('.').to_owned();
    let ips = service.get_addresses().iter().map(|ip| ip.to_ip_addr());
    // Link-local addresses are useless without the name of an interface.
    let reached = |ip: &IpAddr| match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    };
    let Some(ip) = ips.filter(reached).min_by_key(|ip| (ip.is_ipv6(), *ip)) else { return };
    let place = all.iter().position(|found| found.name == name).unwrap_or_else(|| {
        all.push(Found { name, ip, osc_port: None, http_port: None });
        all.len() - 1
    });
    if let Some(found) = all.get_mut(place) {
        // Addresses arrive one by one.
        if (ip.is_ipv6(), ip) < (found.ip.is_ipv6(), found.ip) {
            found.ip = ip;
        }
        let port = Some(service.get_port());
        *(if is_osc { &mut found.osc_port } else { &mut found.http_port }) = port;
    }
}
