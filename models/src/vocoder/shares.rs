//! The shares of the partials of each note in the bands that it shares with other notes. It makes
//! no samples.
//!
//! The filter of a band is the same for all notes. By itself, a note that should have nothing in a
//! band would sound there if another note does, so that a bass would be as bright as the strings
//! above it. So each group of partials of a note is scaled beforehand: by the square root of the
//! power that the note prior gives the note in the bands of the group, divided by the power that it
//! would get. The sum of all notes does not change, and neither does a note alone.

use super::lanes::Lanes;
use super::life::{GROUP_FIRST, UPPER};
use super::profiles::Profiles;
use super::tables::Tables;
use super::voice::{Heard, Voicing};
use crate::graph::LIFE_GROUPS;
use crate::units::MEL_BINS;

/// The smallest and the largest weight of a group.
const LEAST: f32 = 0.01;
const MOST: f32 = 10.0;

/// The mel power of the tone of a note in a frame, with attacks (`struck`).
#[derive(Debug, Clone, Copy)]
pub struct NoteTone {
    /// The index of the note in the ledger.
    pub note: usize,
    /// The power in each band.
    pub power: [f32; MEL_BINS],
}

/// One note of a frame.
#[derive(Debug)]
struct Share {
    slot: usize,
    /// The frequency of its first harmonic in octaves above 1 Hz; none without harmonics.
    octave: Option<f32>,
    /// How much higher the partials of each group are, as multiples of the first harmonic.
    shifts: [f64; LIFE_GROUPS],
    /// The mel power that its excitation has, and the one that it should have.
    has: [f32; MEL_BINS],
    wants: [f32; MEL_BINS],
}

/// The notes of a frame.
#[derive(Debug)]
pub struct Shares {
    notes: Vec<Share>,
    /// The sums of all notes.
    has: [f32; MEL_BINS],
    wants: [f32; MEL_BINS],
}

impl Default for Shares {
    fn default() -> Self {
        Self { notes: vec![], has: [0.0; MEL_BINS], wants: [0.0; MEL_BINS] }
    }
}

impl Shares {
    /// Removes all notes.
    pub fn clear(&mut self) {
        self.notes.clear();
        (self.has, self.wants) = ([0.0; MEL_BINS], [0.0; MEL_BINS]);
    }

    /// Adds the note in a slot, with the power that it should have in each band. A note without a
    /// tone is ignored.
    pub fn add(
        &mut self,
        voicing: &Voicing<'_>,
        (heard, profiles): (&Heard, &mut Profiles),
        wants: &[f32; MEL_BINS],
        slot: usize,
    ) {
        let mut has = [0.0; MEL_BINS];
        voicing.add_profile(&mut has, heard, profiles);
        if has.iter().all(|power| *power == 0.0) {
            return;
        }
        self.has.iter_mut().zip(&has).for_each(|(sum, power)| *sum += power);
        self.wants.iter_mut().zip(wants).for_each(|(sum, power)| *sum += power);
        let (octave, shifts) = (voicing.octave(heard.semitones), voicing.shifts());
        self.notes.push(Share { slot, octave, shifts, has, wants: *wants });
    }

    /// The weights of the groups of the note in each slot.
    pub fn weights(&self, tables: &Tables) -> impl Iterator<Item = (usize, Lanes)> {
        let by: [f32; MEL_BINS] =
            std::array::from_fn(|b| self.wants[b] / self.has[b].max(f32::MIN_POSITIVE));
        self.notes.iter().map(move |note| (note.slot, note.weights(&by, tables)))
    }
}

impl Share {
    /// The weights of one note, if the common filters multiply the power of each band by `by`.
    fn weights(&self, by: &[f32; MEL_BINS], tables: &Tables) -> Lanes {
        let weight = |first: usize, last: usize| {
            let bands = self.wants.iter().zip(self.has.iter().zip(by));
            let bands = bands.take(last + 1).skip(first);
            let (wants, gets) = bands.fold((0.0, 0.0), |(wants, gets), (want, (has, by))| {
                (wants + want, gets + has * by)
            });
            if gets > 0.0 { (wants / gets).sqrt().clamp(LEAST, MOST) } else { 1.0 }
        };
        let Some(octave) = self.octave else { return [weight(0, MEL_BINS); UPPER + 1] };
        // The first band above a partial.
        let above = |partial: u32, group: usize| {
            let octave = octave + (f64::from(partial) + self.shifts[group]).log2() as f32;
            tables.octaves.partition_point(|band| *band < octave).min(MEL_BINS - 1)
        };
        std::array::from_fn(|group| {
            let group = group.min(UPPER - 1);
            let after = GROUP_FIRST.get(group + 1).copied();
            let last = after.map_or(MEL_BINS, |after| above(after - 1, group));
            weight(above(GROUP_FIRST[group], group).saturating_sub(1), last)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::Voice;
    use crate::vocoder::life::LifeTable;

    /// The weights of notes, each given by its key, its power, and its wanted factor in the lower
    /// and in the upper half of the bands.
    fn weights(notes: &[(u8, f32, [f32; 2])]) -> Vec<Lanes> {
        let (tables, lives) = (Tables::new(), LifeTable::still());
        let (mut shares, mut profiles) = (Shares::default(), Profiles::new());
        for (slot, (key, power, wants)) in notes.iter().enumerate() {
            let voice = Voice { program: 48, key: *key, is_drum: false };
            let voicing = Voicing::new(&tables, &lives, voice);
            let mut has = [0.0; MEL_BINS];
            let mut heard = Heard { power: 1.0, semitones: 0.0, morph: None };
            voicing.add_profile(&mut has, &heard, &mut profiles);
            let halves = |b: usize| wants[usize::from(b >= MEL_BINS / 2)];
            let wants = std::array::from_fn(|b| has[b] * halves(b));
            heard.power = *power;
            shares.add(&voicing, (&heard, &mut profiles), &wants, slot);
        }
        let weights = shares.weights(&tables).map(|(_, weights)| weights);
        weights.collect()
    }

    #[test]
    fn a_note_alone_is_left_alone() {
        for weights in weights(&[(60, 0.3, [2.0, 0.01])]) {
            assert!(weights.iter().all(|w| (w - 1.0).abs() < 1e-3), "{weights:?}");
        }
    }

    #[test]
    fn a_dark_note_stays_dark_beside_a_bright_one() {
        // Both notes have the same key, so by themselves each would have half of every band.
        let found = weights(&[(48, 1.0, [1.0, 0.0]), (48, 1.0, [1.0, 1.0])]);
        let (dark, bright) = (found[0], found[1]);
        assert!((dark[0] - 1.0).abs() < 1e-3 && (bright[0] - 1.0).abs() < 1e-3);
        assert_eq!(dark[UPPER], LEAST);
        assert!((bright[UPPER] - 2f32.sqrt()).abs() < 1e-3, "{bright:?}");
    }

    #[test]
    fn what_fades_faster_than_its_excitation_is_made_up_for() {
        let found = weights(&[(48, 0.1, [1.0, 1.0]), (48, 1.0, [1.0, 1.0])]);
        let by = found[0][3] / found[1][3];
        assert!((by - 10f32.sqrt()).abs() < 0.01, "{by}");
    }

    #[test]
    fn a_shifted_group_is_weighed_where_its_partials_are() {
        let tables = Tables::new();
        let mut share = Share {
            slot: 0,
            octave: Some(tables.octave_of(84)),
            shifts: [0.0; LIFE_GROUPS],
            has: [1.0; MEL_BINS],
            wants: [0.0; MEL_BINS],
        };
        // Only the band of a partial half a harmonic above the third is wanted.
        let octave = tables.octave_of(84) + 3.5f32.log2();
        share.wants[tables.octaves.partition_point(|band| *band < octave)] = 1.0;
        assert_eq!(share.weights(&[1.0; MEL_BINS], &tables)[2], LEAST);
        share.shifts[2] = 0.5;
        assert!(share.weights(&[1.0; MEL_BINS], &tables)[2] > 0.5);
    }
}
