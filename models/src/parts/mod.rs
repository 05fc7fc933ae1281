//! The state of each part: its controls, smoothed, tick by tick. It knows no note.
//!
//! A control takes effect in the 2.5 ms tick of its event, and moves evenly inside a tick. So a
//! sample depends only on events up to the end of its tick, however the stream is cut into hops.

mod at;
mod buses;
pub mod of_note;

#[cfg(test)]
mod tests;

use crate::event::{Control, Part};
use crate::units::{SAMPLE_RATE_HZ, TICK_SAMPLES};

pub use at::{At, Morph};
pub use buses::{Bus, Buses};

/// The time constant of levels, pans and sends, seconds.
const SMOOTH_S: f64 = 0.010;
/// The time constant of pitch, seconds.
const PITCH_S: f64 = 0.004;
/// A control that is closer to its target than this has reached it.
const THERE: f32 = 1e-5;
/// The rate of a vibrato if nothing sets it, Hz (the default of generator 24 in SoundFont 2.04).
const VIBRATO_HZ: f64 = 8.176;

/// The length of a tick, seconds.
pub const TICK_S: f64 = TICK_SAMPLES as f64 / SAMPLE_RATE_HZ as f64;

/// The state of one part.
#[derive(Debug, Clone)]
struct State {
    targets: [f32; Control::COUNT],
    values: [f32; Control::COUNT],
    /// Whether all values have reached their targets.
    is_settled: bool,
    /// Whether a note has been struck. Before that, controls jump to their targets.
    is_struck: bool,
    /// Whether a control has jumped in this tick.
    has_jumped: bool,
    /// The phase of the vibrato, cycles.
    turns: f64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            targets: Control::REST,
            values: Control::REST,
            is_settled: true,
            is_struck: false,
            has_jumped: false,
            turns: 0.0,
        }
    }
}

impl State {
    /// A part at rest at the start of a tick. The phase of the vibrato is that of a vibrato that
    /// has run since the start of the stream.
    fn new(tick: u64) -> Self {
        let turns = (VIBRATO_HZ * TICK_S * tick as f64).fract();
        Self { turns, ..Self::default() }
    }
}

/// The share of the way to its target that a control moves in a tick; 1 if it jumps.
fn share(control: usize) -> f32 {
    use Control::{
        Attack, Bend, Damper, Decay, Master, MorphProgram, Release, Tuning, VibratoDelay,
        VibratoRate,
    };
    let is = |of: &[Control]| of.iter().any(|c| *c as usize == control);
    let at_once = [Attack, Decay, Release, Damper, Master, MorphProgram, VibratoDelay, VibratoRate];
    let time_s = match () {
        () if is(&at_once) => return 1.0,
        () if is(&[Bend, Tuning]) => PITCH_S,
        () => SMOOTH_S,
    };
    (1.0 - (-TICK_S / time_s).exp()) as f32
}

impl State {
    fn set(&mut self, control: Control, value: f32) {
        let at = control as usize;
        if let (Some(target), Some(now), true) =
            (self.targets.get_mut(at), self.values.get_mut(at), value.is_finite())
        {
            *target = value;
            if !self.is_struck {
                *now = value;
                self.has_jumped = true;
            }
            self.is_settled = false;
        }
    }

    /// Advances by one tick.
    fn tick(&mut self, shares: &[f32; Control::COUNT]) {
        if !self.is_settled {
            self.is_settled = true;
            for ((now, target), share) in self.values.iter_mut().zip(&self.targets).zip(shares) {
                *now += share * (target - *now);
                if (target - *now).abs() < THERE {
                    *now = *target;
                }
                self.is_settled &= *now == *target;
            }
        }
        let octaves = self.values.get(Control::VibratoRate as usize).copied().unwrap_or(0.0);
        self.turns = (self.turns + VIBRATO_HZ * f64::from(octaves).exp2() * TICK_S).fract();
    }

    fn at(&self) -> At {
        At::new(&self.values, self.turns)
    }
}

/// A change that waits for its tick.
#[derive(Debug, Clone, Copy)]
enum Change {
    Control(Control, f32),
    Struck,
}

/// The states of all parts.
#[derive(Debug)]
pub struct Parts {
    states: Vec<State>,
    /// Sorted by tick.
    changes: Vec<(u64, Part, Change)>,
    /// The states of each part at the start of the frame or hop and at the end of each of its
    /// ticks, [ticks + 1]: without the controls of its master, and with them.
    own: Vec<Vec<At>>,
    table: Vec<Vec<At>>,
    shares: [f32; Control::COUNT],
}

impl Default for Parts {
    fn default() -> Self {
        Self::new()
    }
}

impl Parts {
    /// All parts at rest.
    pub fn new() -> Self {
        let shares = std::array::from_fn(share);
        Self { states: vec![], changes: vec![], own: vec![], table: vec![], shares }
    }

    /// Sets a control to a value from a tick on. The tick must lie in the hop that
    /// [`Parts::advance`] makes next, and changes must come in the order of their ticks. Values
    /// that are not finite are ignored.
    pub fn set(&mut self, tick: u64, part: Part, control: Control, value: f32) {
        self.changes.push((tick, part, Change::Control(control, value)));
    }

    /// Records that a note of the part begins in a tick.
    pub fn strike(&mut self, tick: u64, part: Part) {
        self.changes.push((tick, part, Change::Struck));
    }

    /// Advances by `ticks` ticks from the tick `start` on, of which all changes are known.
    pub fn advance(&mut self, start: u64, ticks: usize) {
        for tick in 0..ticks {
            self.tick(start, tick, tick + 1);
        }
    }

    /// Advances by one tick, which has the index `tick` in a frame of `ticks` ticks that begins at
    /// `start`. The states of the later ticks of the frame are computed as if no more changes came.
    pub fn tick(&mut self, start: u64, tick: usize, ticks: usize) {
        let is_changed = self.obey(start + tick as u64, tick);
        for (own, state) in self.own.iter_mut().zip(&mut self.states) {
            state.tick(&self.shares);
            if is_changed || tick == 0 || own.len() < ticks + 1 {
                own.truncate(tick + 1);
                own.push(state.at());
                let mut ahead = state.clone();
                for _ in tick + 1..ticks {
                    ahead.tick(&self.shares);
                    own.push(ahead.at());
                }
            }
        }
        if is_changed || tick == 0 || self.table.iter().any(|table| table.len() < ticks + 1) {
            self.obey_masters(tick);
        }
    }

    /// Applies the changes up to the tick `now`, which has the index `tick` in the frame. Returns
    /// whether there were any.
    fn obey(&mut self, now: u64, tick: usize) -> bool {
        // Because of rounding, a time just before a border may lie in the next tick. Its change
        // waits for that tick.
        let here = self.changes.partition_point(|(at, ..)| *at <= now);
        let most = self.changes[..here].iter().map(|(_, part, _)| usize::from(part.0) + 1).max();
        for _ in self.states.len()..most.unwrap_or(0) {
            let state = State::new(now);
            self.own.push(vec![state.at(); tick + 1]);
            self.table.push(vec![state.at(); tick + 1]);
            self.states.push(state);
        }
        if tick == 0 {
            for (own, state) in self.own.iter_mut().zip(&self.states) {
                own.clear();
                own.push(state.at());
            }
        }
        for (_, part, change) in self.changes.drain(..here) {
            let Some(state) = self.states.get_mut(usize::from(part.0)) else { continue };
            match change {
                Change::Control(control, value) => state.set(control, value),
                Change::Struck => state.is_struck = true,
            }
        }
        for (own, state) in self.own.iter_mut().zip(&mut self.states) {
            if let (true, Some(now)) = (state.has_jumped, own.get_mut(tick)) {
                *now = state.at();
                state.has_jumped = false;
            }
        }
        here > 0
    }

    /// The states of a part at the start of the frame and at the end of each of its ticks, [ticks +
    /// 1]. It is empty for a part without events.
    pub fn of(&self, part: Part) -> &[At] {
        self.table.get(usize::from(part.0)).map(Vec::as_slice).unwrap_or_default()
    }

    /// The state of a part at the end of the frame `frame` of the last hop, counted from 0. For
    /// frames that are not made yet it is the last known state.
    pub fn at_frame(&self, part: Part, frame: usize) -> At {
        let table = self.of(part);
        let tick = (frame + 1) * crate::units::TICKS_PER_FRAME;
        table.get(tick).or(table.last()).copied().unwrap_or(At::REST)
    }

    /// Makes the tables of all parts from the tick `from` on. Parts with a master get its controls,
    /// too.
    fn obey_masters(&mut self, from: usize) {
        for member in 0..self.states.len() {
            let master =
                self.states.get(member).map_or(-1.0, |s| s.values[Control::Master as usize]);
            let is_one = master >= 0.0 && master as usize != member;
            let [own, master] = [member, master as usize].map(|at| self.own.get(at));
            let (Some(own), Some(table)) = (own, self.table.get_mut(member)) else { continue };
            table.truncate(from);
            match master.filter(|_| is_one) {
                Some(master) => {
                    let both = own.iter().zip(master).skip(from);
                    table.extend(both.map(|(own, master)| own.under(master)));
                }
                None => table.extend_from_slice(own.get(from..).unwrap_or_default()),
            }
        }
    }
}
