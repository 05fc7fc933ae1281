//! The positions of the controllers of all sixteen channels, whichever source moved them.

use midly::MidiMessage;
use midly::num::{u7, u14};
use timbre_models::event::What;
use timbre_models::notes::{Channels, Keys, keyboard};

const CHANNELS: usize = 16;
/// Controllers of a channel.
pub const CONTROLLERS: usize = 128;
/// The controllers whose positions are published, each with its position at the start.
pub const TOLD: [(u8, u8); 22] = [
    (1, 0),
    (5, 0),
    (7, 100),
    (10, 64),
    (11, 127),
    (64, 0),
    (65, 0),
    (67, 0),
    (68, 0),
    (71, 64),
    (72, 64),
    (73, 64),
    (74, 64),
    (75, 64),
    (76, 64),
    (77, 64),
    (78, 64),
    (84, 0),
    (91, 40),
    (93, 0),
    (126, 0),
    (2, 127),
];

/// The position of a wheel at rest.
const MIDDLE: u16 = 8192;

/// The positions of controllers.
#[derive(Debug, Clone)]
pub struct Controllers {
    values: Box<[[u8; CONTROLLERS]; CHANNELS]>,
    bends: [u16; CHANNELS],
    pressures: [u8; CHANNELS],
}

impl Controllers {
    /// The positions that General MIDI prescribes for the start.
    pub fn new() -> Self {
        let mut values = [0; CONTROLLERS];
        for (controller, value) in TOLD {
            values[usize::from(controller)] = value;
        }
        let values = Box::new([values; CHANNELS]);
        Self { values, bends: [MIDDLE; CHANNELS], pressures: [0; CHANNELS] }
    }

    /// Takes a controller message.
    pub fn message(&mut self, channel: usize, controller: u8, value: u8) {
        let Some(values) = self.values.get_mut(channel) else { return };
        match controller {
            // Reset all controllers (RP-015).
            121 => {
                for (controller, rest) in
                    [(1, 0), (2, 127), (11, 127), (64, 0), (65, 0), (66, 0), (67, 0), (68, 0)]
                {
                    values[controller] = rest;
                }
                self.bends[channel] = MIDDLE;
                self.pressures[channel] = 0;
            }
            // Mono and poly are two positions of one switch.
            126 => values[126] = 127,
            127 => values[126] = 0,
            _ => {
                if let Some(place) = values.get_mut(usize::from(controller)) {
                    *place = value & 0x7F;
                }
            }
        }
    }

    /// Takes a message of the bend wheel or of channel pressure, and ignores any other.
    pub fn wheel(&mut self, [status, first, second]: [u8; 3]) {
        let channel = usize::from(status & 0x0F);
        match status & 0xF0 {
            0xD0 => self.pressures[channel] = first,
            0xE0 => self.bends[channel] = u16::from(second) << 7 | u16::from(first),
            _ => {}
        }
    }

    /// The position of a controller of a channel.
    pub fn get(&self, channel: usize, controller: u8) -> u8 {
        self.values.get(channel).map_or(0, |values| values[usize::from(controller & 0x7F)])
    }

    /// The events that put the parts into these positions, channel by channel.
    pub fn controls(&self) -> impl Iterator<Item = Vec<What>> {
        (0..CHANNELS).map(|channel| {
            let (mut channels, mut keys) = (Channels::new(1), Keys::new(CHANNELS, 0));
            let mut all = vec![];
            let mut say = |message| {
                let mut keep = |event: timbre_models::event::Event| all.push(event.what);
                keyboard::feed(&mut channels, &mut keys, channel, message, 0.0, &mut keep);
            };
            for (controller, _) in TOLD.iter().filter(|(controller, _)| *controller < 120) {
                let value = u7::from_int_lossy(self.get(channel, *controller));
                say(MidiMessage::Controller { controller: u7::from_int_lossy(*controller), value });
            }
            let bend = midly::PitchBend(u14::from_int_lossy(self.bends[channel]));
            say(MidiMessage::PitchBend { bend });
            let vel = u7::from_int_lossy(self.pressures[channel]);
            say(MidiMessage::ChannelAftertouch { vel });
            all
        })
    }
}

impl Default for Controllers {
    fn default() -> Self {
        Self::new()
    }
}
