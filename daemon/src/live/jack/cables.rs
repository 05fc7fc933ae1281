//! The connections of our JACK ports: which ports of other programs can be heard and which are, and
//! where our sound goes. It makes and breaks connections, and knows no messages.
//!
//! The thread of the supervisor calls it. A connection that is broken releases its notes: JACK
//! calls the client's notification handler.

use jack::{AudioIn, Client, MidiIn, PortFlags, PortSpec};

use super::{JackClient, OUTPUTS};
use crate::live::midi::heard::Port;

impl JackClient {
    /// The MIDI outputs of other programs.
    pub fn list(&self) -> Vec<Port> {
        let (Some(client), false) = (self.client(), self.is_gone() || !self.hears()) else {
            return Vec::new();
        };
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

    /// Connects the output of another program to our input, or disconnects it.
    ///
    /// # Errors
    /// The error that JACK gives.
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

    /// Connects our outputs to the inputs that are wanted: left to the first, right to the second.
    /// A connection that fails is a warning in the log and no error: somebody can still make it by
    /// hand while timbred plays.
    pub(super) fn plug_outputs(&self, to: &str) {
        let Some(client) = self.client() else { return };
        let inputs = inputs(client, to);
        if inputs.is_empty() && to != "none" {
            tracing::warn!(
                "JACK: no inputs for the sound (audio.connect = {to:?}); connect {}:{} by hand",
                client.name(),
                OUTPUTS.join(" and ")
            );
        }
        for (from, into) in pairs(&inputs) {
            let from = format!("{}:{from}", client.name());
            match client.connect_ports_by_name(&from, into) {
                Ok(()) | Err(jack::Error::PortAlreadyConnected(..)) => {
                    tracing::info!("JACK: {from} is connected to {into}");
                }
                Err(e) => tracing::warn!("JACK: {from} cannot be connected to {into}: {e}"),
            }
        }
    }
}

/// The inputs that `to` means: those of the system for `auto`, none for `none`, otherwise those
/// whose names begin with it.
fn inputs(client: &Client, to: &str) -> Vec<String> {
    let flags = match to {
        "auto" => PortFlags::IS_INPUT | PortFlags::IS_PHYSICAL,
        _ => PortFlags::IS_INPUT,
    };
    let all = client.ports(None, Some(AudioIn::default().jack_port_type()), flags);
    match to {
        "auto" => all,
        "none" => Vec::new(),
        begins => all.into_iter().filter(|name| name.starts_with(begins)).collect(),
    }
}

/// Pairs of our outputs and the inputs they go to. If there is only one input, both go there.
fn pairs(inputs: &[String]) -> Vec<(&'static str, &String)> {
    let [left, right] = OUTPUTS;
    match inputs {
        [] => vec![],
        [one] => vec![(left, one), (right, one)],
        [first, second, ..] => vec![(left, first), (right, second)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_goes_into_the_first_and_both_into_an_only_one() {
        let names: Vec<String> = ["system:playback_1", "system:playback_2", "system:playback_3"]
            .map(str::to_owned)
            .to_vec();
        let plugged = |n: usize| {
            pairs(&names[..n]).into_iter().map(|(a, b)| format!("{a}>{b}")).collect::<Vec<_>>()
        };
        assert_eq!(plugged(0), [""; 0]);
        assert_eq!(plugged(1), ["out_left>system:playback_1", "out_right>system:playback_1"]);
        assert_eq!(plugged(3), ["out_left>system:playback_1", "out_right>system:playback_2"]);
    }
}
