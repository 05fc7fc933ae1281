//! Writes a file for each part beside the mix. A part has the same level as in the mix, but no
//! reverb, chorus and limiter. This file does not know the mix.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use timbre_models::event::What;

use super::Plan;
use super::output::{Kind, Length, SoundFile};
use crate::audio::resample::{ResampleError, StreamResampler};
use crate::error::Error;
use crate::mix::{MIX_BUSES, SIDES, make_up};
use crate::songs::Piece;
use crate::whole_file::WholeFile;

/// How many parts have buses of their own.
const PARTS: u8 = 16;

/// The files of the parts that play.
pub(super) struct Stems(Vec<Stem>);

struct Stem {
    /// The index of its left bus; the right one is the next.
    bus: usize,
    file: SoundFile,
    converter: StreamResampler,
    both: Vec<f32>,
    converted: Vec<f32>,
}

/// The path of the file of a part (counted from 0) beside that of the mix.
fn beside(mix: &Path, part: u8) -> PathBuf {
    let stem = mix.file_stem().unwrap_or_default().to_string_lossy();
    let ending = mix.extension().unwrap_or_default().to_string_lossy();
    mix.with_file_name(format!("{stem}-part_{:02}.{ending}", part + 1))
}

impl Stems {
    /// Writes no files.
    pub(super) fn none() -> Self {
        Self(vec![])
    }

    /// Begins a file beside `mix` for each part of the piece that has notes.
    ///
    /// # Errors
    /// The system reports an error.
    pub(super) fn begin(
        piece: &Piece,
        mix: &Path,
        plan: &Plan,
        rate_hz: u32,
        length: Length,
    ) -> Result<Self, Error> {
        let strikes = piece.events.iter().filter(|event| matches!(event.what, What::On(_)));
        let parts: BTreeSet<u8> = strikes.map(|event| event.part.0).collect();
        let kind = Kind::of(mix).unwrap_or(Kind::Wav);
        let stem = |part: u8| {
            let file = WholeFile::create(&beside(mix, part))?;
            let file = SoundFile::begin(file, kind, plan.format, plan.rate_hz, length)?;
            let converter = StreamResampler::new(rate_hz, plan.rate_hz, SIDES);
            let converter = converter.map_err(unfit)?;
            let bus = MIX_BUSES + SIDES * usize::from(part);
            Ok(Stem { bus, file, converter, both: vec![], converted: vec![] })
        };
        let stems = parts.into_iter().filter(|part| *part < PARTS).map(stem);
        Ok(Self(stems.collect::<Result<_, Error>>()?))
    }

    /// Writes the next samples of all buses.
    ///
    /// # Errors
    /// The system reports an error.
    pub(super) fn push(&mut self, buses: &[Vec<f32>]) -> Result<(), Error> {
        let gain = make_up();
        for stem in &mut self.0 {
            let Some([left, right]) = buses.get(stem.bus..stem.bus + SIDES) else { continue };
            stem.both.clear();
            stem.both.extend(left.iter().zip(right).flat_map(|(l, r)| [l * gain, r * gain]));
            stem.converter.push(&stem.both, &mut stem.converted).map_err(unfit)?;
            stem.file.samples(&stem.converted)?;
            stem.converted.clear();
        }
        Ok(())
    }

    /// Ends the files and puts them in their places.
    ///
    /// # Errors
    /// The system reports an error.
    pub(super) fn finish(self) -> Result<(), Error> {
        for mut stem in self.0 {
            stem.converter.finish(&mut stem.converted).map_err(unfit)?;
            stem.file.samples(&stem.converted)?;
            stem.file.finish()?;
        }
        Ok(())
    }
}

fn unfit(e: ResampleError) -> Error {
    Error::Usage(e.to_string())
}
