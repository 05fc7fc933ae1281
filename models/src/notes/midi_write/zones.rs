//! The zones of MPE in a file: which channels are members of which master channel. It writes
//! nothing.

/// The number of channels, and the master channels of the lower and the upper zone.
const CHANNELS: usize = 16;
const MASTERS: [usize; 2] = [0, CHANNELS - 1];

/// The master channel of each channel that is a member of a zone.
#[derive(Debug, Default)]
pub(super) struct Zones([Option<usize>; CHANNELS]);

impl Zones {
    /// The channel whose program a channel plays.
    pub(super) fn owner(&self, channel: usize) -> usize {
        self.0.get(channel).copied().flatten().unwrap_or(channel)
    }

    /// Makes a channel a member of the zone of `master`, or of none. Returns the zones that change,
    /// as their master channels and their numbers of members.
    pub(super) fn set(&mut self, channel: usize, master: Option<usize>) -> Vec<(usize, u8)> {
        let Some(own) = self.0.get_mut(channel) else { return vec![] };
        let master = master.map(|master| master % CHANNELS).filter(|m| MASTERS.contains(m));
        let before = std::mem::replace(own, master);
        let changed = [before, master].into_iter().flatten().filter(|_| before != master);
        let members = |master| self.0.iter().filter(|own| **own == Some(master)).count() as u8;
        changed.map(|master| (master, members(master))).collect()
    }
}
