//! The sound devices there are, by the names they are chosen with. Opens none for long; `output` does.

use super::cards;
use super::jack;

/// The clock in place of a device.
pub(super) const NULL: &str = "null";
/// The sound services, as they are shown; the configuration names them in small letters.
pub(super) const ALSA: &str = "ALSA";
pub(super) const JACK: &str = "JACK";

/// A device that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// Sound service, as the configuration names it, capitals aside.
    pub(super) backend: String,
    /// Name of the device there; empty for the clock and for JACK, which has one only.
    pub(super) device: String,
    /// What it is, in words; may be empty.
    pub(super) words: String,
}

impl Choice {
    pub(super) fn new(backend: &str, device: &str, words: &str) -> Self {
        let [backend, device, words] = [backend, device, words].map(str::to_owned);
        Self { backend, device, words }
    }

    /// Whether it is the same device, whatever is said about it.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.backend == other.backend && self.device == other.device
    }

    /// How it is shown and chosen; the name of an open output begins so.
    pub(super) fn label(&self) -> String {
        let words =
            if self.words.is_empty() { String::new() } else { format!(" ({})", self.words) };
        let label = format!("{} {}{words}", self.backend, self.device);
        label.trim_end().to_owned()
    }
}

/// Whether a sound service is meant: one by its name, or `auto` for all.
pub(super) fn is_meant(service: &str, backend: &str) -> bool {
    backend == "auto" || service.eq_ignore_ascii_case(backend)
}

/// The devices of a sound service that open, and the clock, which is always there. `has_jack` says that we are a client of a JACK
/// server already, so none is looked for.
pub(super) fn list(backend: &str, has_jack: bool) -> Vec<Choice> {
    let mut all = Vec::new();
    if is_meant(JACK, backend) && (has_jack || jack::is_there()) {
        all.push(Choice::new(JACK, "", ""));
    }
    if is_meant(ALSA, backend) {
        all.extend(cards::names().into_iter().map(|n| Choice::new(ALSA, &n.name, &n.words)));
    }
    all.push(Choice::new(NULL, "", ""));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_sound_service_there_is_the_clock() {
        let clock = Choice::new(NULL, "", "");
        assert_eq!(list(NULL, false), std::slice::from_ref(&clock));
        assert_eq!(list("auto", false).last(), Some(&clock));
        assert_eq!(clock.label(), "null");
        assert_eq!(Choice::new(JACK, "", "").label(), "JACK");
        let usb = Choice::new(ALSA, "plughw:CARD=Box,DEV=0", "USB Audio");
        assert_eq!(usb.label(), "ALSA plughw:CARD=Box,DEV=0 (USB Audio)");
        assert!(is_meant(ALSA, "alsa") && is_meant(ALSA, "auto") && !is_meant(ALSA, "jack"));
    }
}
