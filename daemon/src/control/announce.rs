//! Announces this program by mDNS: `_oscjson._tcp` for OSCQuery and `_osc._udp` for OSC, on the
//! interfaces on which it listens, but never on the loopback. It knows no packet of OSC.

use std::net::IpAddr;
use std::time::Duration;

use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};

/// How long the end of the program waits for the goodbye to be sent.
const GOODBYE: Duration = Duration::from_millis(300);

/// An announcement, which ends when it is dropped.
pub struct Announcement {
    daemon: ServiceDaemon,
    names: Vec<String>,
}

/// The name of a machine for mDNS: the letters, digits and hyphens of another name.
pub fn host_name(name: &str) -> String {
    let lower =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let text: String = lower.collect();
    let parts: Vec<&str> = text.split('-').filter(|part| !part.is_empty()).collect();
    format!("{}.local", if parts.is_empty() { "timbred".to_owned() } else { parts.join("-") })
}

/// Announces services, each a type and a port, under a name. They are announced on all interfaces,
/// or on the one with this address.
///
/// # Errors
/// mDNS does not work here.
pub fn announce(
    name: &str,
    services: &[(&str, u16)],
    bind: IpAddr,
) -> Result<Announcement, mdns_sd::Error> {
    let daemon = ServiceDaemon::new()?;
    if bind.is_unspecified() {
        // Interfaces without a server are left out.
        if bind.is_ipv4() {
            daemon.disable_interface(IfKind::IPv6)?;
        }
        daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
    } else {
        daemon.disable_interface(IfKind::All)?;
        daemon.enable_interface(IfKind::Addr(bind))?;
    }
    let host = format!("{}.", host_name(name));
    let mut names = Vec::new();
    for (kind, port) in services {
        let kind = format!("{kind}.local.");
        let properties = [("txtvers", "1")];
        // The addresses of this machine can change.
        let service = ServiceInfo::new(&kind, name, &host, "", *port, &properties[..])?;
        let service = service.enable_addr_auto();
        names.push(service.get_fullname().to_owned());
        daemon.register(service)?;
    }
    Ok(Announcement { daemon, names })
}

impl Drop for Announcement {
    fn drop(&mut self) {
        let told: Vec<_> =
            self.names.iter().filter_map(|name| self.daemon.unregister(name).ok()).collect();
        for goodbye in told {
            // A failure has no consequences.
            let _ = goodbye.recv_timeout(GOODBYE);
        }
        let _ = self.daemon.shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::host_name;

    #[test]
    fn names_of_machines() {
        assert_eq!(host_name("timbred (Stage 3)"), "timbred-stage-3.local");
        assert_eq!(host_name("Bühne"), "b-hne.local");
        assert_eq!(host_name("((("), "timbred.local");
    }
}
