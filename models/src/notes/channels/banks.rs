//! Banks: which ones are drums, and which ones do not exist. It knows no key.

use super::{CHANNELS, Channels, DRUM_CHANNEL};
use crate::notes::sysex::Standard;

/// A bank that does not exist, so that bank 0 plays in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingBank {
    /// The channel that selected it, counted from 0.
    pub channel: u8,
    /// The number of the bank (controller 0).
    pub bank: u8,
}

impl std::fmt::Display for MissingBank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { channel, bank } = self;
        write!(f, "channel {}: bank {bank} is not there, bank 0 plays", channel + 1)
    }
}

impl Channels {
    /// The bank of the last program change of a channel, if there is no such bank.
    pub fn missing_bank(&self, channel: usize) -> Option<MissingBank> {
        let bank = self.channels.get(channel)?.missing?;
        Some(MissingBank { channel: channel as u8, bank })
    }

    /// Selects a program of the current bank. Bank 120 (and for XG 127) is rhythm; 121 and 0 are
    /// not.
    pub(super) fn select(&mut self, channel: usize, program: u8) {
        let is_xg = self.standard == Standard::Xg;
        let Some(state) = self.channels.get_mut(channel) else { return };
        (state.program, state.missing) = (program, None);
        match state.bank {
            120 => state.is_rhythm = true,
            126 | 127 if is_xg => state.is_rhythm = true,
            121 => state.is_rhythm = false,
            0 if is_xg && channel % CHANNELS != DRUM_CHANNEL => state.is_rhythm = false,
            // Bank 0 plays in its place.
            bank if bank > 0 && !state.is_rhythm => state.missing = Some(bank),
            _ => {}
        }
    }
}
