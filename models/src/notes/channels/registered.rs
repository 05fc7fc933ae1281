//! Registered and unregistered parameters: ranges, tunings, MPE zones, and the parameters of GS and
//! XG. It knows no key.

use super::own::{LEGATO, OWN, control_of};
use super::{BEND_SEMITONES, CHANNELS, Channels, Emit, MEMBER_BEND_SEMITONES};
use crate::event::{Control, Event};

impl Channels {
    /// Data entry for the selected parameter.
    pub(super) fn data<F: FnMut(Event)>(
        &mut self,
        channel: usize,
        controller: u8,
        value: u8,
        emit: &mut Emit<'_, F>,
    ) {
        let Some(state) = self.channels.get_mut(channel) else { return };
        let is_coarse = controller == 6;
        if let ([Some(1), Some(low)], true) = (state.unregistered, is_coarse) {
            // These parameters of GS and XG are controllers in General MIDI 2.
            let known =
                [(8, 76), (9, 77), (10, 78), (32, 74), (33, 71), (99, 73), (100, 75), (102, 72)];
            if let Some((_, controller)) = known.iter().find(|(number, _)| *number == low) {
                self.control(channel, *controller, value, emit);
            }
            return;
        }
        if let [Some(OWN), Some(number)] = state.unregistered {
            let data = match controller {
                6 => [value, 0],
                38 => [state.data, value],
                _ => return,
            };
            state.data = data[0];
            state.goes_on |= number == LEGATO;
            if let Some((control, value)) = control_of(number, data) {
                emit.control(channel, control, value);
            }
            return;
        }
        let [Some(0), Some(low)] = state.registered else { return };
        let value = f32::from(value);
        match (low, controller) {
            (0, 6) => state.bend_semitones = value + state.bend_semitones.fract(),
            (0, 38) => state.bend_semitones = state.bend_semitones.trunc() + value / 100.0,
            (0, 96) => state.bend_semitones = (state.bend_semitones + 1.0).min(127.0),
            (0, 97) => state.bend_semitones = (state.bend_semitones - 1.0).max(0.0),
            (1, 6) => state.fine = (value - 64.0) / 64.0,
            (1, 38) => state.fine = (64.0 * state.fine).floor() / 64.0 + value / 8192.0,
            (2, 6) => state.coarse = value - 64.0,
            (5, 6) => state.vibrato_semitones = value + state.vibrato_semitones.fract(),
            (5, 38) => state.vibrato_semitones = state.vibrato_semitones.trunc() + value / 128.0,
            (6, 6) => return self.zone(channel, value as usize, emit),
            _ => return,
        }
        match low {
            0 => self.bend(channel, emit),
            5 => {
                let depth = state.wheel * state.vibrato_semitones;
                emit.control(channel, Control::Vibrato, depth);
            }
            _ => self.tune(channel, emit),
        }
    }

    /// Defines an MPE zone with a number of members, which is the lower zone (master channel 1) or
    /// the upper (16). If it overlaps the other zone, it takes members from it.
    fn zone<F: FnMut(Event)>(&mut self, channel: usize, count: usize, emit: &mut Emit<'_, F>) {
        let (port, within) = (channel - channel % CHANNELS, channel % CHANNELS);
        if !matches!(within, 0 | 15) {
            return;
        }
        let is_member = |other: usize| match within {
            0 => (1..=count.min(15)).contains(&other),
            _ => (15 - count.min(15)..15).contains(&other),
        };
        for other in 0..CHANNELS {
            let Some(state) = self.channels.get_mut(port + other) else { return };
            let was_member = state.master == Some(channel as u8);
            if is_member(other) {
                state.master = Some(channel as u8);
                state.bend_semitones = MEMBER_BEND_SEMITONES;
            } else if was_member || (other == within && state.master.is_some()) {
                state.master = None;
                state.bend_semitones = BEND_SEMITONES;
            } else {
                continue;
            }
            let master = state.master.map_or(-1.0, f32::from);
            emit.control(port + other, Control::Master, master);
            self.bend(port + other, emit);
        }
    }
}
