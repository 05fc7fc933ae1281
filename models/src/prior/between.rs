//! What lies between two frames for which the network was asked. Knows no frame's sum.

use super::knots::stride;
use super::rows::Rows;
use super::{FAINT_POWER, Kept, frame_start_s};
use crate::ledger::Sounding;
use crate::notes::Voice;
use crate::parts::{At, of_note};

/// Rows between which a note lies, and how far it is from the first to the second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between {
    pub(super) rows: [usize; 2],
    pub(super) share: f32,
}

/// Two frames for which the network was asked, between which a note goes evenly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Knots {
    pub(super) is_released: bool,
    /// The program that was asked for, and the times of the part.
    pub(super) program: u8,
    pub(super) times: [f32; 3],
    pub(super) frames: [u64; 2],
    pub(super) rows: [usize; 2],
}

/// Asks for the rows of a note that are not there yet, as an instrument of `program`; `which` of
/// the kept knots are of it.
pub(super) fn between(
    rows: &mut Rows,
    note: &Sounding,
    kept: &mut Kept,
    which: usize,
    program: u8,
    at: &At,
    index: u64,
) -> Between {
    let now_s = frame_start_s(index + 1);
    let rung_s = kept.rung_s;
    let is_released = rung_s > 0.0;
    let stretch = of_note::release(at);
    let voice = Voice { program, ..note.voice };
    let mut ask = |knot: u64| {
        let later_s = frame_start_s(knot + 1) - now_s;
        let age_s = of_note::age(note, at, now_s + later_s - note.start_s);
        let release_s = if is_released { rung_s + later_s / stretch } else { 0.0 };
        rows.ask(voice, note.velocity, age_s, release_s)
    };
    let times = [at.times[0], at.times[1], at.times[2] + at.damper];
    let known = kept.knots[which].filter(|knots| {
        let [from, to] = knots.frames;
        knots.is_released == is_released
            && (knots.program, knots.times) == (program, times)
            && (from..=to).contains(&index)
    });
    let knots = match known {
        Some(knots) if index < knots.frames[1] => knots,
        _ => {
            let since_s = if is_released { rung_s } else { now_s - note.start_s };
            let next = index + stride(index, since_s, u64::from(note.voice.key));
            let first = known.map_or_else(|| ask(index), |knots| knots.rows[1]);
            let rows = [first, ask(next)];
            Knots { is_released, program, times, frames: [index, next], rows }
        }
    };
    kept.knots[which] = Some(knots);
    let [from, to] = knots.frames;
    Between { rows: knots.rows, share: (index - from) as f32 / (to - from) as f32 }
}

/// What lies between two rows.
pub(super) fn mixed(rows: &Rows, between: Between, tone: &mut [f32], noise: &mut [f32]) {
    let Between { rows: [before, after], share } = between;
    let (before, after) = (rows.power(before), rows.power(after));
    for (to, (a, b)) in [(tone, (before.0, after.0)), (noise, (before.1, after.1))] {
        for (to, (a, b)) in to.iter_mut().zip(a.iter().zip(b)) {
            *to = a + share * (b - a);
        }
    }
}

/// Powers on the way to other ones, evenly in their logarithms.
pub(super) fn morph(own: &mut [f32], other: &[f32], amount: f32) {
    for (own, other) in own.iter_mut().zip(other) {
        let (a, b) = (own.max(FAINT_POWER).ln(), other.max(FAINT_POWER).ln());
        *own = (a + amount * (b - a)).exp();
    }
}
