//! The cables of our JACK port: which ports of other programs could be heard, which are, and plugging them in and out. Knows no
//! messages.
//!
//! Called by the supervisor's thread. A cable that is pulled releases its notes: JACK tells the port's notification handler.

use jack::{MidiIn, PortFlags, PortSpec};

use super::heard::Port;
use super::jack_port::JackPort;

impl JackPort {
    /// The MIDI outputs of other programs.
    pub fn list(&self) -> Vec<Port> {
        let (Some(client), false) = (self.client(), self.is_gone()) else { return Vec::new() };
        let own = format!("{}:", client.name());
        let into = format!("{own}midi_in");
        let names =
            client.ports(None, Some(MidiIn::default().jack_port_type()), PortFlags::IS_OUTPUT);
        let others = names.into_iter().filter(|name| !name.starts_with(&own));
        let port = |name: String| {
            let port = client.port_by_name(&name);
            let is_heard = port.is_some_and(|p| p.is_connected_to(&into).unwrap_or(false));
            Port { name, is_heard }
        };
        others.map(port).collect()
    }

    /// Plugs the output of another program in, or pulls it out.
    ///
    /// # Errors
    /// What JACK says.
    pub fn listen(&self, port: &str, wanted: bool) -> Result<(), String> {
        let (Some(client), false) = (self.client(), self.is_gone()) else {
            return Err("the JACK server is gone".to_owned());
        };
        let into = format!("{}:midi_in", client.name());
        let done = match wanted {
            true => client.connect_ports_by_name(port, &into),
            false => client.disconnect_ports_by_name(port, &into),
        };
        match done {
            Ok(()) | Err(jack::Error::PortAlreadyConnected(..)) => Ok(()),
            Err(e) => Err(format!("the MIDI port {port}: {e}")),
        }
    }
}
