//! The list of sound devices, with the names by which they are chosen. `output` opens them to play.

use super::cards;
use super::jack;

/// The clock in place of a device.
pub(super) const NULL: &str = "null";
/// The sound services as they are shown. The configuration writes them in small letters.
pub(super) const ALSA: &str = "ALSA";
pub(super) const JACK: &str = "JACK";

/// A device that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// The sound service, as in the configuration except for case.
    pub(super) backend: String,
    /// The name of the device in that service; empty for the clock and for JACK, which have only
    /// one.
    pub(super) device: String,
    /// A description for people, which may be empty.
    pub(super) words: String,
}

impl Choice {
    pub(super) fn new(backend: &str, device: &str, words: &str) -> Self {
        let [backend, device, words] = [backend, device, words].map(str::to_owned);
        Self { backend, device, words }
    }

    /// Whether it is the same device, whatever its description.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.backend == other.backend && self.device == other.device
    }

    /// The card it belongs to, or its own name if there is none.
    fn card(&self) -> &str {
        let of_card = self.device.split_once("CARD=").map(|(_, rest)| rest);
        of_card.and_then(|rest| rest.split(',').next()).unwrap_or(&self.device)
    }

    /// The name by which it is shown and chosen. The name of an open output begins with it.
    pub(super) fn label(&self) -> String {
        let words =
            if self.words.is_empty() { String::new() } else { format!(" ({})", self.words) };
        let label = format!("{} {}{words}", self.backend, self.device);
        label.trim_end().to_owned()
    }
}

/// Whether a configured name means a sound service; `auto` means all.
pub(super) fn is_meant(service: &str, backend: &str) -> bool {
    backend == "auto" || service.eq_ignore_ascii_case(backend)
}

/// The devices of a sound service that can be opened, and the clock, which always can. `has_jack`
/// says that we are already a client of a JACK server, so that none is searched.
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

/// The devices that a text means, best first: the one with that name, or those whose names contain
/// it. For each card the name with conversions comes first, because it plays on any card.
///
/// # Errors
/// No device or devices of several cards contain it; the error lists them.
pub(super) fn meant(all: &[Choice], wanted: &str) -> Result<Vec<Choice>, String> {
    let is_exact = |choice: &&Choice| {
        choice.label() == wanted || (choice.device == wanted && !wanted.is_empty())
    };
    if let Some(exact) = all.iter().find(is_exact) {
        return Ok(vec![exact.clone()]);
    }
    let part = wanted.to_lowercase();
    let has_it = |choice: &&Choice| choice.label().to_lowercase().contains(&part);
    let mut alike: Vec<Choice> = all.iter().filter(has_it).cloned().collect();
    let mut cards: Vec<&str> = alike.iter().map(Choice::card).collect();
    cards.dedup();
    let labels =
        |choices: &[Choice]| choices.iter().map(Choice::label).collect::<Vec<_>>().join(", ");
    match cards.as_slice() {
        [] => {
            let there = if all.is_empty() { "none".to_owned() } else { labels(all) };
            Err(format!("there is no sound device {wanted:?}; there are: {there}"))
        }
        [_] => {
            alike.sort_by_key(|choice| !choice.device.starts_with("plughw"));
            Ok(alike)
        }
        _ => {
            let several = labels(&alike);
            Err(format!("{wanted:?} is a part of several names: {several}; give more of it"))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
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
        let all = [
            Choice::new(ALSA, "default", "the system's default"),
            Choice::new(ALSA, "hw:CARD=Box,DEV=0", "USB Box, without conversion"),
            Choice::new(ALSA, "plughw:CARD=Box,DEV=0", "USB Box"),
            Choice::new(ALSA, "plughw:CARD=PCH,DEV=0", "HDA Intel"),
        ];
        let first = |wanted: &str| meant(&all, wanted).map(|found| found[0].device.clone());
        assert_eq!(first("usb").unwrap(), "plughw:CARD=Box,DEV=0");
        assert_eq!(first("hw:CARD=Box,DEV=0").unwrap(), "hw:CARD=Box,DEV=0");
        assert_eq!(first("ALSA default (the system's default)").unwrap(), "default");
        assert_eq!(meant(&all, "Box").unwrap().len(), 2);
        assert!(first("plughw").unwrap_err().contains("several names: ALSA plughw:CARD=Box"));
        assert!(first("Korg").unwrap_err().contains("no sound device \"Korg\"; there are: ALSA d"));
        assert!(is_meant(ALSA, "alsa") && is_meant(ALSA, "auto") && !is_meant(ALSA, "jack"));
    }
}
