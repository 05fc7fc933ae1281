//! Who was refused what: each is said once in the log, so that nobody fills it. Knows no transport.

use std::collections::HashSet;
use std::net::IpAddr;

/// Refusals that are remembered; nothing is said of those after them.
const MOST: usize = 256;

/// All that was refused so far.
#[derive(Debug, Default)]
pub struct Refusals(HashSet<(&'static str, IpAddr)>);

impl Refusals {
    /// Says that a client was refused, and why, unless it was said before.
    pub fn say(&mut self, what: &'static str, from: IpAddr, why: &str) {
        let from = from.to_canonical();
        if self.0.len() < MOST && self.0.insert((what, from)) {
            tracing::warn!("{what} of {from} refused: {why}; said once");
        }
    }
}
