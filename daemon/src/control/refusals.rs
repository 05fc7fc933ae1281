//! The refusals of clients. Each is logged once, so that nobody can fill the log. It knows no
//! transport.

use std::collections::HashSet;
use std::net::IpAddr;

/// How many refusals are remembered. Further ones are not logged.
const MOST: usize = 256;

/// All refusals so far.
#[derive(Debug, Default)]
pub struct Refusals(HashSet<(&'static str, IpAddr)>);

impl Refusals {
    /// Logs that a client was refused and why, unless that was logged before.
    pub fn say(&mut self, what: &'static str, from: IpAddr, why: &str) {
        let from = from.to_canonical();
        if self.0.len() < MOST && self.0.insert((what, from)) {
            tracing::warn!("{what} of {from} refused: {why} (logged once)");
        }
    }
}
