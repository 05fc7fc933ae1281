//! Converts ticks to seconds. It knows the time division of the header and the tempo map, but no
//! events.

use super::mended::{Damage, Mended};

/// The tempo until the file sets one, microseconds per quarter note: 120 per minute.
const DEFAULT_TEMPO_US: u32 = 500_000;
/// The ticks per quarter note if the header has no usable division: the most common value of
/// sequencers.
pub(super) const DEFAULT_DIVISION: u16 = 480;
/// The offset of the division in a plain file, for the report.
const DIVISION_OFFSET: usize = 12;

/// A change of tempo.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tempo {
    pub(super) tick: u64,
    /// Microseconds per quarter note, never 0.
    pub(super) quarter_us: u32,
}

/// Gives the seconds of ticks, which must not go backwards.
pub(super) struct Clock<'a> {
    tick: u64,
    time_s: f64,
    tick_s: f64,
    /// The ticks per quarter note; `None` for SMPTE time, which has no tempo.
    per_quarter: Option<f64>,
    /// The changes that are still to come, by tick.
    tempos: &'a [Tempo],
}

impl<'a> Clock<'a> {
    /// Reads SMPTE time as frames * ticks (29 as 30000/1001). A division that is not usable is
    /// mended.
    pub(super) fn new(division: u16, tempos: &'a [Tempo], mended: &mut Mended) -> Self {
        let (tick_s, per_quarter) = match smpte_tick_s(division) {
            Some(tick_s) => (tick_s, None),
            None => {
                let is_usable = (1..0x8000).contains(&division);
                if !is_usable {
                    mended.add(DIVISION_OFFSET, Damage::Division(division));
                }
                let per_quarter = f64::from(if is_usable { division } else { DEFAULT_DIVISION });
                (f64::from(DEFAULT_TEMPO_US) * 1e-6 / per_quarter, Some(per_quarter))
            }
        };
        Self { tick: 0, time_s: 0.0, tick_s, per_quarter, tempos }
    }

    /// The time of a tick. Ticks before the last one get its time.
    pub(super) fn advance(&mut self, tick: u64) -> f64 {
        while let Some((tempo, later)) = self.tempos.split_first()
            && tempo.tick <= tick
        {
            self.go_to(tempo.tick);
            if let Some(per_quarter) = self.per_quarter {
                self.tick_s = f64::from(tempo.quarter_us) * 1e-6 / per_quarter;
            }
            self.tempos = later;
        }
        self.go_to(tick);
        self.time_s
    }

    fn go_to(&mut self, tick: u64) {
        self.time_s += tick.saturating_sub(self.tick) as f64 * self.tick_s;
        self.tick = self.tick.max(tick);
    }
}

/// The seconds per tick of a division in SMPTE time, `None` for other divisions.
fn smpte_tick_s(division: u16) -> Option<f64> {
    let [high, ticks] = division.to_be_bytes();
    let frames_per_s = match high.wrapping_neg() {
        29 => 30_000.0 / 1001.0,
        fps @ (24 | 25 | 30) => f64::from(fps),
        _ => return None,
    };
    (ticks > 0).then(|| 1.0 / (frames_per_s * f64::from(ticks)))
}
