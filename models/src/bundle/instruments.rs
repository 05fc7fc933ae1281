//! How well a model plays each program, according to its manifest. `make evaluate` measures that
//! and writes it there.

use serde::{Deserialize, Serialize};

use super::Manifest;
use crate::notes::Voice;

/// The number of programs of General MIDI.
pub const PROGRAMS: u8 = 128;

/// `[instruments]`: the programs by how close they come to the sound they were trained on. Programs
/// in no list were not measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Instruments {
    /// Programs that are close to it.
    pub good: Vec<u8>,
    /// Programs that can be recognized.
    pub fair: Vec<u8>,
    /// Programs that are far from it.
    pub poor: Vec<u8>,
}

/// How a program sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rating {
    /// Close to the sound it was trained on.
    Good,
    /// It can be recognized.
    Fair,
    /// Far from the sound it was trained on.
    Poor,
    /// The model does not know the program, and plays this one in its place.
    Fallback(u8),
    /// Not measured.
    Unrated,
}

impl Instruments {
    /// The first number that is not a program, or is listed twice.
    pub(super) fn problem(&self) -> Option<u8> {
        let all: Vec<u8> =
            [&self.good, &self.fair, &self.poor].into_iter().flatten().copied().collect();
        let is_wrong = |(i, program): (usize, &u8)| {
            (*program >= PROGRAMS || all.iter().take(i).any(|other| other == program))
                .then_some(*program)
        };
        all.iter().enumerate().find_map(is_wrong)
    }
}

impl Manifest {
    /// How a program sounds.
    pub fn rating(&self, program: u8) -> Rating {
        let played = self.tokens.map_voice(Voice { is_drum: false, program, key: 60 }).program;
        match &self.instruments {
            _ if played != program => Rating::Fallback(played),
            Some(i) if i.good.contains(&program) => Rating::Good,
            Some(i) if i.fair.contains(&program) => Rating::Fair,
            Some(i) if i.poor.contains(&program) => Rating::Poor,
            _ => Rating::Unrated,
        }
    }
}
