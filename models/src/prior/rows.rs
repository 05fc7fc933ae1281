//! Rows: the results of the network for single notes at single times. Each is computed once and
//! then cached. It knows no stream.
//!
//! A result depends only on instrument, key, velocity, age and release. So the network is evaluated
//! on the points of a grid, and the results are cached with 16 bits per value. A note is
//! interpolated, in nats, between the points around it. Entries that were not used for the longest
//! time are removed first.

use std::collections::HashMap;

use tract_onnx::prelude::*;

use super::features;
use super::grid::{self, CORNERS, Corners, PLACES, Place};
use crate::denoise::DenoiseError;
use crate::engine::Plan;
use crate::graph::{FEATURES, FIRST_DRUM, GAINS, LOWEST_KEY, NOTE_ROWS, TABLE_KEYS, check_prior};
use crate::notes::{Kits, Voice};
use crate::units::MEL_BINS;
use crate::vocoder::polar::exp;
use crate::wide::wide;
use pulp::{Simd, WithSimd};

/// The most rows in one call of the network, so that its memory stays small.
const ROWS: usize = 1024;
/// The most rows in the cache: 20 MB.
const KEPT: usize = 20_000_000 / (2 * GAINS);
/// The most rows that are computed ahead, enough for about nine instruments.
const MOST_FILLED: usize = KEPT * 5 / 6;
/// The number of sheets that have room from the start.
const SHEETS: usize = 1024;
/// The keys of an instrument to compute ahead: five octaves, and all drums.
const KEYS: std::ops::Range<u8> = 35..97;
/// The range of the gains, nats.
const GAIN_RANGE: (f32, f32) = (-16.0, 8.0);
/// The step of a cached gain, nats.
const STEP: f32 = (GAIN_RANGE.1 - GAIN_RANGE.0) / u16::MAX as f32;
/// Marks a grid point that is not known yet.
const NOWHERE: u32 = u32::MAX;

/// The rows of one key of one instrument.
#[derive(Debug)]
struct Sheet {
    /// The index of the row of each grid point.
    rows: Vec<u32>,
    /// When it was last used.
    used: u64,
}

impl Sheet {
    /// A sheet without rows.
    fn new(now: u64) -> Self {
        Self { rows: vec![NOWHERE; PLACES], used: now }
    }
}

/// Grid points that were computed elsewhere, with their rows.
#[derive(Debug)]
pub struct FilledRows {
    places: Vec<(Voice, u16)>,
    gains: Vec<[u16; GAINS]>,
}

/// The grid points of a requested note.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    voice: Voice,
    corners: Corners,
}

impl Asked {
    /// The voice of the note.
    pub fn voice(&self) -> Voice {
        self.voice
    }
}

/// The network and its cache.
#[derive(Debug)]
pub struct Rows {
    network: RowNetwork,
    sheets: HashMap<Voice, Sheet>,
    /// Gains in nats, as steps above the lowest, [rows][tone and noise, 128].
    gains: Vec<[u16; GAINS]>,
    free: Vec<u32>,
    /// The grid points that were requested and not computed yet.
    missing: Vec<(Voice, u16)>,
    /// Counts the calls of [`Self::answer`].
    now: u64,
    /// The instruments to compute ahead, and how many of their keys are done.
    expected: Vec<Voice>,
    looked_at: usize,
}

impl Rows {
    /// Loads the network of a model with these kits from ONNX bytes.
    pub fn load(bytes: &[u8], kits: Kits) -> Result<Self, DenoiseError> {
        Ok(Self {
            network: RowNetwork::load(bytes, kits)?,
            sheets: HashMap::with_capacity(SHEETS),
            // This reserves address space, and memory only as it is used. Growing would copy all of
            // it.
            gains: Vec::with_capacity(KEPT),
            free: vec![],
            missing: vec![],
            now: 0,
            expected: vec![],
            looked_at: 0,
        })
    }

    /// Requests a note. It can be read after [`Self::answer`].
    pub fn ask(&mut self, voice: Voice, place: &Place) -> Asked {
        let corners = grid::around(place);
        let now = self.now;
        self.sheets.entry(voice).or_insert_with(|| Sheet::new(now)).used = now;
        let mut missing = std::mem::take(&mut self.missing);
        missing.extend(self.unknown(voice, corners.iter().map(|(place, _)| place)));
        self.missing = missing;
        Asked { voice, corners }
    }

    /// A network that can compute the points of [`Self::wanted`] elsewhere, such as in another
    /// thread.
    pub fn network(&self) -> RowNetwork {
        self.network.clone()
    }

    /// Grid points that are not known yet and will be needed soon, at most `count` and a few more:
    /// the first 40 ms of the keys of these instruments, in their order.
    pub fn wanted(&mut self, instruments: &[Voice], count: usize) -> Vec<(Voice, u16)> {
        if instruments != self.expected {
            self.expected = instruments.to_vec();
            self.looked_at = 0;
        }
        let mut wanted = vec![];
        while wanted.len() < count && self.gains.len() - self.free.len() < MOST_FILLED {
            let (which, key) = (self.looked_at / KEYS.len(), self.looked_at % KEYS.len());
            let Some(instrument) = self.expected.get(which) else { break };
            let voice = Voice { key: KEYS.start + key as u8, ..*instrument };
            let voice = self.network.kits.played(voice);
            self.looked_at += 1;
            wanted.extend(self.unknown(voice, grid::beginnings()));
        }
        wanted
    }

    /// The grid points around a note that are not known yet.
    pub fn unknown_around(
        &self,
        voice: Voice,
        place: &Place,
    ) -> impl Iterator<Item = (Voice, u16)> {
        self.unknown(voice, grid::around(place).iter().map(|(place, _)| place))
    }

    /// Those of `places` that are not known yet.
    fn unknown(
        &self,
        voice: Voice,
        places: impl IntoIterator<Item = u16>,
    ) -> impl Iterator<Item = (Voice, u16)> {
        let sheet = self.sheets.get(&voice);
        let is_unknown = move |place: &u16| {
            sheet.is_none_or(|sheet| sheet.rows.get(usize::from(*place)) == Some(&NOWHERE))
        };
        places.into_iter().filter(is_unknown).map(move |place| (voice, place))
    }

    /// Takes points that were computed elsewhere. Points that have become known in the meantime
    /// stay.
    pub fn fill(&mut self, filled: &FilledRows) {
        for (place, gains) in filled.places.iter().zip(&filled.gains) {
            let now = self.now;
            let sheet = self.sheets.entry(place.0).or_insert_with(|| Sheet::new(now));
            if sheet.rows.get(usize::from(place.1)) == Some(&NOWHERE) {
                self.keep(&[*place], std::slice::from_ref(gains));
            }
        }
    }

    /// Computes the requested grid points that are not known. After it, everything requested can be
    /// read.
    ///
    /// # Errors
    /// The inference engine failed. The requests are removed then.
    pub fn answer(&mut self) -> Result<(), DenoiseError> {
        self.now += 1;
        if self.missing.is_empty() {
            return Ok(());
        }
        let mut missing = std::mem::take(&mut self.missing);
        missing.sort_unstable_by_key(|(voice, place)| {
            (voice.is_drum, voice.program, voice.key, *place)
        });
        missing.dedup();
        let mut result = Ok(());
        for batch in missing.chunks(ROWS) {
            let places = batch.iter().map(|(v, place)| (*v, grid::place(usize::from(*place))));
            match self.network.run(places) {
                Ok(gains) => self.keep(batch, &gains),
                Err(e) => {
                    result = Err(e);
                    break;
                }
            }
        }
        missing.clear();
        self.missing = missing;
        result
    }

    /// Stores the rows of grid points: `gains` [places][GAINS].
    fn keep(&mut self, places: &[(Voice, u16)], gains: &[[u16; GAINS]]) {
        self.make_room(places.len());
        for ((voice, place), row) in places.iter().zip(gains) {
            let Some(sheet) = self.sheets.get_mut(voice) else { continue };
            let Some(to) = sheet.rows.get_mut(usize::from(*place)) else { continue };
            match self.free.pop() {
                Some(free) => {
                    self.gains[free as usize] = *row;
                    *to = free;
                }
                None => {
                    *to = self.gains.len() as u32;
                    self.gains.push(*row);
                }
            }
        }
    }

    /// Removes sheets until there is room for some more rows, but none that was used just now.
    fn make_room(&mut self, rows: usize) {
        while self.gains.len() - self.free.len() + rows > KEPT {
            let old = self.sheets.iter().filter(|(_, sheet)| sheet.used + 1 < self.now);
            let Some(oldest) = old.min_by_key(|(_, sheet)| sheet.used).map(|(voice, _)| *voice)
            else {
                return;
            };
            if let Some(sheet) = self.sheets.remove(&oldest) {
                self.free.extend(sheet.rows.iter().filter(|row| **row != NOWHERE));
            }
        }
    }

    /// The sound of a requested note: factors for the power of the profile of a tone [128], and the
    /// mel power of a noise [128].
    pub fn read(&self, asked: &Asked, out: &mut [f32; GAINS]) {
        let rows = self.sheets.get(&asked.voice).map(|sheet| sheet.rows.as_slice());
        let mut known = [(&[0; GAINS], 0.0); CORNERS];
        for (known, (place, share)) in known.iter_mut().zip(asked.corners.iter()) {
            let row = rows.and_then(|rows| rows.get(usize::from(place)));
            if let Some(gains) = row.and_then(|row| self.gains.get(*row as usize)) {
                *known = (gains, share);
            }
        }
        wide(Mean { known: &known, out });
    }
}

/// The weighted mean of rows, in nats, as powers.
struct Mean<'a> {
    /// The rows and their weights.
    known: &'a [(&'a [u16; GAINS], f32)],
    out: &'a mut [f32; GAINS],
}

impl WithSimd for Mean<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        // In a variable of its own, so that the compiler knows that nothing else points to it.
        let mut sums = [0.0; GAINS];
        for &(gains, share) in self.known.iter().filter(|(_, share)| *share > 0.0) {
            for n in 0..GAINS {
                sums[n] += share * f32::from(gains[n]);
            }
        }
        for (out, sum) in self.out.iter_mut().zip(&sums) {
            *out = exp(2.0 * (GAIN_RANGE.0 + STEP * sum));
        }
    }
}

/// The network.
#[derive(Debug, Clone)]
pub struct RowNetwork {
    plan: Plan,
    kits: Kits,
}

impl RowNetwork {
    /// Loads the network of a model with these kits from ONNX bytes.
    pub fn load(bytes: &[u8], kits: Kits) -> Result<Self, DenoiseError> {
        let drums = kits.drums();
        Ok(Self { plan: Plan::load("prior", bytes, |model| check_prior(model, drums))?, kits })
    }

    /// Computes grid points.
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn fill(&mut self, places: Vec<(Voice, u16)>) -> Result<FilledRows, DenoiseError> {
        let of = places.iter().map(|(voice, place)| (*voice, grid::place(usize::from(*place))));
        let gains = self.run(of)?;
        Ok(FilledRows { places, gains })
    }

    /// Runs the network for notes at grid points. Returns the gains of tone and noise, as steps
    /// above the lowest.
    fn run(
        &mut self,
        places: impl Iterator<Item = (Voice, Place)>,
    ) -> Result<Vec<[u16; GAINS]>, DenoiseError> {
        let (mut instruments, mut keys, mut notes) = (vec![], vec![], vec![]);
        let mut features = vec![];
        for (voice, place) in places {
            let key = i64::from(voice.key);
            let instrument = match voice.is_drum {
                true => FIRST_DRUM + self.kits.number(voice),
                false => usize::from(voice.program),
            };
            instruments.push(instrument as i64);
            keys.push(key);
            notes.push(table_row(voice));
            features::push(&mut features, place.velocity, place.age_s, place.release_s);
        }
        let count = keys.len();
        let inputs = tvec![
            self.plan.input(&[count], &instruments)?,
            self.plan.input(&[count], &keys)?,
            self.plan.input(&[count], &notes)?,
            self.plan.input(&[count, FEATURES], &features)?,
        ];
        let result = self.plan.run(inputs)?;
        let gains = self.plan.floats(&result[0], count * GAINS)?.chunks_exact(GAINS);
        let steps = |gain: f32| {
            ((gain.clamp(GAIN_RANGE.0, GAIN_RANGE.1) - GAIN_RANGE.0) / STEP).round() as u16
        };
        Ok(gains.map(|row| std::array::from_fn(|i| steps(row[i]))).collect())
    }
}

/// The row of the note table. Keys beyond those of a piano use its first and last key.
fn table_row(voice: Voice) -> i64 {
    if voice.is_drum {
        return NOTE_ROWS as i64 - 1;
    }
    let key = usize::from(voice.key.saturating_sub(LOWEST_KEY)).min(TABLE_KEYS - 1);
    (usize::from(voice.program) * TABLE_KEYS + key) as i64
}

/// The two halves of a row: tone and noise.
pub fn halves(row: &[f32; GAINS]) -> (&[f32], &[f32]) {
    row.split_at(MEL_BINS)
}
