//! The sound devices there are, by the names they are chosen with. Opens none; `output` does.

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{Host, HostId};

/// The clock in place of a device.
pub(super) const NULL: &str = "null";

/// A device that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// Sound service, as the configuration names it.
    pub(super) backend: String,
    /// Name of the device there, empty for the clock.
    pub(super) device: String,
}

impl Choice {
    /// How it is shown and chosen; the name of an open output begins so.
    pub(super) fn label(&self) -> String {
        format!("{} {}", self.backend, self.device).trim_end().to_owned()
    }
}

/// The sound services that are meant: one by its name, or `auto` for all.
pub(super) fn hosts(backend: &str) -> Vec<(HostId, Host)> {
    cpal::available_hosts()
        .into_iter()
        .filter(|id| backend == "auto" || id.name().eq_ignore_ascii_case(backend))
        .filter_map(|id| Some((id, cpal::host_from_id(id).ok()?)))
        .collect()
}

/// What a device is called.
pub(super) fn name(device: &cpal::Device) -> String {
    device.description().map(|d| d.name().to_owned()).unwrap_or_default()
}

/// The devices of a sound service, and the clock, which is always there.
pub(super) fn list(backend: &str) -> Vec<Choice> {
    // What the library has to say goes nowhere instead of to the terminal.
    #[cfg(target_os = "linux")]
    let _library_messages = alsa::Output::local_error_handler();
    let mut all = Vec::new();
    for (id, host) in hosts(backend) {
        for device in host.output_devices().into_iter().flatten() {
            all.push(Choice { backend: id.name().to_owned(), device: name(&device) });
        }
    }
    all.push(Choice { backend: NULL.to_owned(), device: String::new() });
    // ALSA has several entries of one name: the first is the one that is opened.
    let mut seen = std::collections::HashSet::new();
    all.retain(|choice| seen.insert(choice.label()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_sound_service_there_is_the_clock() {
        let clock = Choice { backend: NULL.to_owned(), device: String::new() };
        assert_eq!(list(NULL), std::slice::from_ref(&clock));
        assert_eq!(list("auto").last(), Some(&clock));
        assert_eq!(clock.label(), "null");
        let usb = Choice { backend: "ALSA".to_owned(), device: "USB Audio".to_owned() };
        assert_eq!(usb.label(), "ALSA USB Audio");
    }
}
