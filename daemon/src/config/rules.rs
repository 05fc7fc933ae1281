//! The rules for what a port plays: channels, split, layers and transposition. It knows no port and
//! no queue.

use std::borrow::Borrow;

use super::raw;

/// A rule for what the ports that match play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The names of the ports: `*` stands for anything, `?` for one character; case does not
    /// matter.
    pub port: String,
    /// Bit n: channel n + 1 is heard.
    pub channels: u16,
    /// Semitones to add to every key.
    pub transpose: i8,
    /// The lowest key that is heard.
    pub low_key: u8,
    /// The highest key that is heard.
    pub high_key: u8,
    /// The channel to play on, 0 to 15; none if messages stay on their channel.
    pub to_channel: Option<u8>,
    /// Whether the next rules hear the same keys, too.
    pub layer: bool,
}

impl Rule {
    /// The rule that is written in a file, where channels count from 1.
    pub(super) fn from_raw(raw: &raw::Rule) -> Self {
        let bit = |channel: &u8| 1u16.checked_shl(u32::from(channel.wrapping_sub(1))).unwrap_or(0);
        Self {
            port: raw.port.clone(),
            channels: raw.channels.iter().map(bit).fold(0, |all, bit| all | bit),
            transpose: raw.transpose,
            low_key: raw.low_key,
            high_key: raw.high_key,
            to_channel: raw.to_channel.map(|channel| channel.saturating_sub(1).min(15)),
            layer: raw.layer,
        }
    }

    /// The message as this rule plays it; none if the rule does not hear it, or its key would leave
    /// 0..=127.
    ///
    /// Only channel and key matter, so that the end of a note is changed like its beginning.
    /// Messages without a channel (0xF0 and up) pass unchanged.
    ///
    /// # Real time
    /// It neither allocates nor waits.
    pub fn apply(&self, message: [u8; 3]) -> Option<[u8; 3]> {
        let [status, first, second] = message;
        let channel = status & 0x0F;
        if !has_channel(message) {
            return Some(message);
        }
        if self.channels >> channel & 1 == 0 {
            return None;
        }
        let status = (status & 0xF0) | self.to_channel.unwrap_or(channel);
        if !has_key(message) {
            return Some([status, first, second]);
        }
        if !(self.low_key..=self.high_key).contains(&first) {
            return None;
        }
        let key = u8::try_from(i16::from(first) + i16::from(self.transpose)).ok()?;
        (key <= 127).then_some([status, key, second])
    }

    /// Whether the ports that match are ignored.
    pub fn is_deaf(&self) -> bool {
        self.channels == 0
    }
}

fn has_channel(message: [u8; 3]) -> bool {
    (0x80..0xF0).contains(&message[0])
}

/// Note off, note on and key pressure.
fn has_key(message: [u8; 3]) -> bool {
    (0x80..0xB0).contains(&message[0])
}

/// The rules for a port, in the order of the file.
pub fn matching<'a>(rules: &'a [Rule], port_name: &str) -> Vec<&'a Rule> {
    rules.iter().filter(|rule| is_like(&rule.port, port_name)).collect()
}

/// Sends a message of a port through the rules for that port (all of [`matching`], in order):
///
/// * No rules: the message as it is.
/// * A key goes to the first rule that hears it, and on to the next ones while they say `layer`.
/// * Anything else (pedals, programs, bends) goes to every rule that hears it, once to each
///   channel.
///
/// If the rules of a port change while it plays, its notes must be released first, because the end
/// of a note may go elsewhere than its beginning.
///
/// # Real time
/// It neither allocates nor waits.
pub fn route<R: Borrow<Rule>>(rules: &[R], message: [u8; 3], mut send: impl FnMut([u8; 3])) {
    if rules.is_empty() || !has_channel(message) {
        return send(message);
    }
    for (i, rule) in rules.iter().enumerate() {
        let rule: &Rule = rule.borrow();
        let Some(out) = rule.apply(message) else { continue };
        if has_key(message) {
            send(out);
            if !rule.layer {
                return;
            }
        } else if !rules[..i].iter().any(|r| r.borrow().apply(message) == Some(out)) {
            send(out);
        }
    }
}

/// Whether a name fits a pattern of `*` (anything) and `?` (one character); case does not matter.
fn is_like(pattern: &str, name: &str) -> bool {
    let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<char>>();
    let (pattern, name) = (lower(pattern), lower(name));
    let (mut p, mut n) = (0, 0);
    // Where to continue if the text behind the last `*` does not fit: that star, and how much of
    // the name it stands for.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((star, eaten)) = retry else { return false };
                retry = Some((star, eaten + 1));
                p = star + 1;
                n = eaten + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn rule(change: impl FnOnce(&mut raw::Rule)) -> Rule {
        let mut raw = raw::Rule::default();
        change(&mut raw);
        Rule::from_raw(&raw)
    }

    fn routed(rules: &[Rule], message: [u8; 3]) -> Vec<[u8; 3]> {
        let mut out = Vec::new();
        route(rules, message, |m| out.push(m));
        out
    }

    #[test]
    fn patterns() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("*", "Nord Stage 3", true),
            ("nord*", "Nord Stage 3 MIDI 1", true),
            ("*MIDI ?", "Nord Stage 3 MIDI 1", true),
            ("*MIDI ?", "Nord Stage 3 MIDI 12", false),
            ("*a*b*c", "aXbXbXc", true),
            ("*a*b*c", "aXbXbX", false),
            ("Nord", "Nord Stage", false),
            ("", "", true),
            ("?", "é", true),
        ] {
            assert_eq!(is_like(pattern, name), fits, "{pattern:?} {name:?}");
        }
    }

    #[test]
    fn a_rule_lets_its_channels_and_keys_through() {
        let r = rule(|r| {
            r.channels = vec![1, 3];
            r.low_key = 40;
            r.high_key = 60;
            r.transpose = 12;
            r.to_channel = Some(16);
        });
        assert_eq!(r.apply([0x90, 40, 100]), Some([0x9F, 52, 100]));
        assert_eq!(r.apply([0x82, 60, 0]), Some([0x8F, 72, 0]));
        assert_eq!(r.apply([0x91, 40, 100]), None, "channel 2");
        assert_eq!(r.apply([0x90, 61, 100]), None, "key");
        assert_eq!(r.apply([0xB0, 64, 127]), Some([0xBF, 64, 127]), "a pedal has no key");
        assert_eq!(r.apply([0xE2, 0, 64]), Some([0xEF, 0, 64]));
        assert_eq!(r.apply([0xF8, 0, 0]), Some([0xF8, 0, 0]), "clock");
        let high = rule(|r| r.transpose = 127);
        assert_eq!(high.apply([0x90, 0, 1]), Some([0x90, 127, 1]));
        assert_eq!(high.apply([0x90, 1, 1]), None);
        let low = rule(|r| r.transpose = -127);
        assert_eq!(low.apply([0x90, 126, 1]), None);
        assert!(rule(|r| r.channels.clear()).is_deaf());
    }

    #[test]
    fn no_note_sticks_whatever_the_rules() {
        let rules = [
            rule(|r| {
                r.high_key = 59;
                r.to_channel = Some(2);
                r.transpose = -24;
            }),
            rule(|r| {
                r.low_key = 48;
                r.layer = true;
                r.channels = vec![1, 5, 10];
            }),
            rule(|r| {
                r.to_channel = Some(3);
                r.transpose = 100;
            }),
        ];
        for first in 0..8 {
            let rules = &rules[..(first % 4).min(3)];
            for channel in 0..16u8 {
                for key in 0..128u8 {
                    let on = routed(rules, [0x90 | channel, key, 99]);
                    let off = routed(rules, [0x80 | channel, key, 0]);
                    let ended = on.iter().map(|[s, k, _]| [s & 0xEF, *k, 0]).collect::<Vec<_>>();
                    assert_eq!(ended, off);
                    assert!(on.iter().all(|m| m[1] < 128));
                }
            }
        }
    }

    #[test]
    fn a_split_shares_the_pedal_and_a_layer_doubles_the_keys() {
        let bass = rule(|r| {
            r.high_key = 59;
            r.to_channel = Some(2);
        });
        let piano = rule(|r| {
            r.low_key = 60;
            r.to_channel = Some(1);
        });
        let split = [bass.clone(), piano.clone()];
        assert_eq!(routed(&split, [0x90, 59, 9]), [[0x91, 59, 9]]);
        assert_eq!(routed(&split, [0x90, 60, 9]), [[0x90, 60, 9]]);
        assert_eq!(routed(&split, [0xB0, 64, 127]), [[0xB1, 64, 127], [0xB0, 64, 127]]);
        let layered = [rule(|r| r.layer = true), rule(|r| r.to_channel = Some(4)), piano.clone()];
        assert_eq!(routed(&layered, [0x90, 60, 9]), [[0x90, 60, 9], [0x93, 60, 9]]);
        assert_eq!(
            routed(&layered, [0xB0, 64, 127]),
            [[0xB0, 64, 127], [0xB3, 64, 127]],
            "once a channel"
        );
        assert_eq!(routed(&[], [0x95, 60, 9]), [[0x95, 60, 9]]);
        let for_all = [bass, rule(|r| r.port = "Nord*".to_owned())];
        assert_eq!(matching(&for_all, "nord stage").len(), 2);
        assert_eq!(matching(&for_all, "Keystation").len(), 1);
    }
}
