//! The drum kits of a model. It knows no sound. Python twin:
//! `models/training/timbre_training/kits.py`.
//!
//! Kits share most of their drums with the standard kit, so a model has the 128 drums of that, and
//! of each other kit those that differ. The program of a drum channel chooses the kit, as in
//! General MIDI 2.

use serde::{Deserialize, Serialize};

use super::Voice;

/// The drums of the standard kit, one for each key.
pub const STANDARD_DRUMS: usize = 128;
/// The standard kit.
const STANDARD: u8 = 0;
/// The program of a kit, in GS and General MIDI 2, and the seven after it are variations of one
/// kit.
const VARIATIONS: u8 = 8;

/// `[[kits]]` of a manifest: a kit beside the standard one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kit {
    /// The program that chooses it, 1..=127.
    pub program: u8,
    /// The keys of the drums that are not those of the standard kit, 0..=127, in ascending order.
    pub keys: Vec<u8>,
}

/// All kits beside the standard one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kits(Vec<Kit>);

impl Kits {
    /// These kits, in ascending order.
    pub fn new(kits: Vec<Kit>) -> Self {
        Self(kits)
    }

    /// Whether there is only the standard kit.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The programs of all kits, the standard one first.
    pub fn programs(&self) -> impl Iterator<Item = u8> {
        [STANDARD].into_iter().chain(self.0.iter().map(|kit| kit.program))
    }

    /// The number of all different drums.
    pub fn drums(&self) -> usize {
        STANDARD_DRUMS + self.0.iter().map(|kit| kit.keys.len()).sum::<usize>()
    }

    /// The program of the kit that plays for a program: the one asked for, else the one whose
    /// variation it is, else the standard kit.
    pub fn kit(&self, program: u8) -> u8 {
        let has = |program: &u8| self.0.iter().any(|kit| kit.program == *program);
        [program, program - program % VARIATIONS].into_iter().find(has).unwrap_or(STANDARD)
    }

    /// The voice that plays for a voice. A drum that its kit shares with the standard kit is that
    /// of the standard kit. Voices that are no drums stay as they are.
    pub fn played(&self, voice: Voice) -> Voice {
        if !voice.is_drum {
            return voice;
        }
        let program = self.kit(voice.program);
        let is_own = self.0.iter().any(|k| k.program == program && k.keys.contains(&voice.key));
        Voice { program: if is_own { program } else { STANDARD }, ..voice }
    }

    /// The row of a drum in tables of drums, 0..[`Self::drums`]. The voice must come from
    /// [`Self::played`].
    pub fn number(&self, voice: Voice) -> usize {
        let mut first = STANDARD_DRUMS;
        for kit in &self.0 {
            if kit.program == voice.program
                && let Some(place) = kit.keys.iter().position(|key| *key == voice.key)
            {
                return first + place;
            }
            first += kit.keys.len();
        }
        usize::from(voice.key)
    }

    /// What is wrong with them, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        if !self.programs().is_sorted_by(|a, b| a < b && *b < 128) {
            return Some("programs that are not in ascending order from 1 to 127".to_owned());
        }
        let kit = self.0.iter().find(|kit| !kit.keys.is_sorted_by(|a, b| a < b && *b < 128))?;
        Some(format!("keys of {} that are not in ascending order up to 127", kit.program))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kits() -> Kits {
        Kits::new(vec![
            Kit { program: 16, keys: vec![36, 38] },
            Kit { program: 40, keys: vec![38] },
        ])
    }

    fn drum(program: u8, key: u8) -> Voice {
        Voice { is_drum: true, program, key }
    }

    #[test]
    fn a_kit_plays_its_own_drums_and_the_standard_kit_the_others() {
        let kits = kits();
        assert_eq!(kits.played(drum(16, 38)), drum(16, 38));
        assert_eq!(kits.played(drum(16, 42)), drum(0, 42));
        assert_eq!(kits.played(drum(19, 38)), drum(16, 38), "a variation");
        assert_eq!(kits.played(drum(30, 38)), drum(0, 38), "a kit that it lacks");
        let piano = Voice { is_drum: false, ..drum(16, 38) };
        assert_eq!(kits.played(piano), piano);
    }

    #[test]
    fn every_drum_has_a_row_of_its_own() {
        let kits = kits();
        let standard = (0..128).map(|key| kits.number(drum(0, key)));
        let own = [(16, 36), (16, 38), (40, 38)].map(|(program, key)| drum(program, key));
        let rows: Vec<usize> = standard.chain(own.map(|voice| kits.number(voice))).collect();
        assert_eq!(rows, (0..kits.drums()).collect::<Vec<_>>());
    }

    #[test]
    fn kits_out_of_order_or_range_are_refused() {
        let problem =
            |program, keys: &[u8]| Kits::new(vec![Kit { program, keys: keys.to_vec() }]).problem();
        assert_eq!(kits().problem(), None);
        for (program, keys) in [(0, [1, 2]), (128, [1, 2]), (8, [2, 1]), (8, [2, 2]), (8, [1, 128])]
        {
            assert!(problem(program, &keys).is_some(), "{program} {keys:?}");
        }
    }
}
