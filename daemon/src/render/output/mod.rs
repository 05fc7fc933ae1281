//! Writes samples or mel frames to WAV, FLAC or NPY as they are made, so that even a long file
//! needs little memory. It knows no song and no names of files.

mod flac;
mod wav;

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use ndarray_npy::write_zeroed_npy;
use timbre_models::units::MEL_BINS;

use crate::cli::SampleFormat;
use crate::error::Error;
use crate::whole_file::WholeFile;

/// The highest sample rate that the FLAC encoder supports.
pub const FLAC_MAX_HZ: u32 = 96_000;
/// How many bytes are collected before they are written.
const BUFFER_BYTES: usize = 64 << 10;

/// The contents of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Samples, uncompressed.
    Wav,
    /// Samples, compressed without loss.
    Flac,
    /// The log-mel [frames, 128].
    Npy,
}

impl Kind {
    /// The kind for the ending of a path.
    pub fn of(path: &std::path::Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "wav" => Some(Self::Wav),
            "flac" => Some(Self::Flac),
            "npy" => Some(Self::Npy),
            _ => None,
        }
    }

    /// Checks that samples of this format and rate can be written to a file of this kind.
    ///
    /// # Errors
    /// A FLAC file with float samples, or with too high a sample rate.
    pub fn check(self, format: SampleFormat, rate_hz: u32) -> Result<(), Error> {
        let refused = |text: String| Err(Error::Usage(text));
        match self {
            Self::Flac if format == SampleFormat::F32 => refused(
                "--format 32f: FLAC holds whole numbers; choose --format 24 or a .wav file".into(),
            ),
            Self::Flac if rate_hz > FLAC_MAX_HZ => refused(format!(
                "--rate {rate_hz}: FLAC is written up to {FLAC_MAX_HZ} Hz; choose a lower rate or \
                 a .wav file"
            )),
            _ => Ok(()),
        }
    }
}

impl Kind {
    /// A warning that the user should see before a file of that length is made.
    pub fn warning(self, format: SampleFormat, length: Length) -> Option<String> {
        (self == Self::Wav && wav::is_large(length, format)).then(|| {
            "more than 4 GiB of sound: written as RF64, which old players do not read (FLAC, \
             --from and --to make smaller files)"
                .to_owned()
        })
    }
}

/// Samples above full scale.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Clipping {
    /// How many there are.
    pub samples: usize,
    /// The greatest absolute value of all samples; 1 is full scale.
    pub peak: f32,
}

impl Clipping {
    fn add(&mut self, samples: &[f32]) {
        self.peak = samples.iter().fold(self.peak, |peak, x| peak.max(x.abs()));
        self.samples += samples.iter().filter(|x| x.abs() > 1.0).count();
    }

    /// A text about the clipped samples, if there are any.
    pub fn say(&self) -> Option<String> {
        (self.samples > 0).then(|| {
            let over_db = 20.0 * self.peak.log10();
            let n = self.samples;
            format!(
                "{n} samples clipped, the loudest was {over_db:.1} dB above full scale (a WAV file \
                 of --format 32f keeps them)"
            )
        })
    }
}

/// The length of the output, which is known before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Samples of each channel of the file.
    pub samples: u64,
    /// Channels, 1 or 2.
    pub channels: usize,
    /// How many mel frames of 20 ms.
    pub frames: usize,
}

/// A file to which samples or mel frames are written as they are made.
pub struct SoundFile {
    file: WholeFile,
    encoder: Encoder,
    clipping: Clipping,
    /// Encoded bytes that have not been written yet.
    waiting: Vec<u8>,
}

enum Encoder {
    Wav(SampleFormat),
    Flac(Box<flac::Flac>),
    Npy,
}

impl std::fmt::Debug for SoundFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoundFile").field("file", &self.file).finish_non_exhaustive()
    }
}

impl SoundFile {
    /// Begins a file of the given length.
    ///
    /// # Errors
    /// The system reports an error, or a mel is to be written into a pipe.
    pub fn begin(
        mut file: WholeFile,
        kind: Kind,
        format: SampleFormat,
        rate_hz: u32,
        length: Length,
    ) -> Result<Self, Error> {
        let mut waiting = vec![];
        let encoder = match kind {
            Kind::Wav => {
                waiting = wav::header(format, rate_hz, length);
                Encoder::Wav(format)
            }
            Kind::Flac => {
                let bits = bits(format).min(24);
                let flac = flac::Flac::begin(&mut waiting, bits, rate_hz, length);
                Encoder::Flac(Box::new(flac.map_err(|e| file.failed(e))?))
            }
            Kind::Npy => {
                begin_npy(file.file(), length.frames).map_err(|e| file.failed(e))?;
                Encoder::Npy
            }
        };
        Ok(Self { file, encoder, clipping: Clipping::default(), waiting })
    }

    /// Writes the next samples at the rate of the file, with the channels interleaved. A mel file
    /// ignores them.
    ///
    /// # Errors
    /// The system reports an error.
    pub fn samples(&mut self, samples: &[f32]) -> Result<(), Error> {
        let written = match &mut self.encoder {
            Encoder::Wav(format) => wav::write(&mut self.waiting, *format, samples),
            Encoder::Flac(flac) => flac.write(&mut self.waiting, samples),
            Encoder::Npy => return Ok(()),
        };
        if !matches!(self.encoder, Encoder::Wav(SampleFormat::F32)) {
            self.clipping.add(samples);
        }
        written.and_then(|()| self.flush()).map_err(|e| self.file.failed(e))
    }

    /// Writes the next mel frames. A sound file ignores them.
    ///
    /// # Errors
    /// The system reports an error.
    pub fn mel(&mut self, mel: &[f32]) -> Result<(), Error> {
        if matches!(self.encoder, Encoder::Npy) {
            self.waiting.extend(mel.iter().flat_map(|x| x.to_le_bytes()));
            self.flush().map_err(|e| self.file.failed(e))?;
        }
        Ok(())
    }

    /// Ends the file and puts it in its place. Returns how much was above full scale.
    ///
    /// # Errors
    /// The system reports an error.
    pub fn finish(self) -> Result<Clipping, Error> {
        let Self { mut file, encoder, clipping, mut waiting } = self;
        let header = match encoder {
            Encoder::Flac(flac) => Some(flac.finish(&mut waiting).map_err(|e| file.failed(e))?),
            Encoder::Wav(_) | Encoder::Npy => None,
        };
        file.file().write_all(&waiting).map_err(|e| file.failed(e))?;
        if let Some(header) = header.filter(|_| file.is_seekable()) {
            let out = file.file();
            let again = out.seek(SeekFrom::Start(0)).and_then(|_| out.write_all(&header));
            again.map_err(|e| file.failed(e))?;
        }
        file.keep()?;
        Ok(clipping)
    }

    /// Writes the waiting bytes if there are many of them.
    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.len() > BUFFER_BYTES {
            self.file.file().write_all(&self.waiting)?;
            self.waiting.clear();
        }
        Ok(())
    }
}

/// Writes an NPY file for a number of frames, and seeks to the place of the first frame.
fn begin_npy(file: &mut File, frames: usize) -> Result<(), String> {
    let no_pipe = |_| "a mel is written to a file, not to a pipe".to_owned();
    file.stream_position().map_err(no_pipe)?;
    write_zeroed_npy::<f32, _>(file, (frames, MEL_BINS)).map_err(|e| e.to_string())?;
    let data_bytes = (frames * MEL_BINS * size_of::<f32>()) as i64;
    file.seek(SeekFrom::End(-data_bytes)).map_err(|e| e.to_string())?;
    Ok(())
}

fn bits(format: SampleFormat) -> u16 {
    match format {
        SampleFormat::I16 => 16,
        SampleFormat::I24 => 24,
        SampleFormat::F32 => 32,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;
    use crate::audio::quantized;

    #[test]
    fn full_scale_is_held_and_counted() {
        assert_eq!([1.0, -1.0, 2.0, 0.5].map(|x| quantized(x, 16)), [32767, -32768, 32767, 16384]);
        assert_eq!(quantized(-3.0, 24), -(1 << 23));
        let mut clipping = Clipping::default();
        clipping.add(&[0.5, -2.0]);
        clipping.add(&[1.0]);
        assert_eq!(clipping, Clipping { samples: 1, peak: 2.0 });
        assert!(clipping.say().unwrap().contains("6.0 dB"));
    }

    #[test]
    fn endings_name_kinds() {
        assert_eq!(Kind::of(Path::new("a.WAV")), Some(Kind::Wav));
        assert_eq!(Kind::of(Path::new("a.mid")), None);
        assert!(Kind::Flac.check(SampleFormat::F32, 48_000).is_err());
        assert!(Kind::Flac.check(SampleFormat::I16, 192_000).is_err());
        assert!(Kind::Wav.check(SampleFormat::F32, 192_000).is_ok());
    }

    #[test]
    fn flac_of_any_length_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        for (n, length) in [1usize, 15, 4096, 4097, 10_000].into_iter().enumerate() {
            let path = folder.path().join(format!("{n}.flac"));
            let samples: Vec<f32> = (0..length).map(|i| (i as f32 * 0.1).sin() * 0.9).collect();
            let file = WholeFile::create(&path).unwrap();
            let length = Length { samples: length as u64, channels: 1, frames: 0 };
            let format = SampleFormat::I24;
            let mut file = SoundFile::begin(file, Kind::Flac, format, 44_100, length).unwrap();
            samples.chunks(1000).for_each(|piece| file.samples(piece).unwrap());
            assert_eq!(file.finish().unwrap().samples, 0);
            // At the end the reader checks the sum of all samples.
            let mut reader = claxon::FlacReader::open(&path).unwrap();
            assert_eq!(reader.streaminfo().samples, Some(length.samples));
            let back: Vec<i32> = reader.samples().map(Result::unwrap).collect();
            assert_eq!(back, samples.iter().map(|x| quantized(*x, 24)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_mel_comes_back_row_by_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let length = Length { samples: 0, channels: 1, frames: 3 };
        let file = WholeFile::create(&path).unwrap();
        let mut file =
            SoundFile::begin(file, Kind::Npy, SampleFormat::I16, 48_000, length).unwrap();
        let mel: Vec<f32> = (0..3 * MEL_BINS).map(|n| n as f32).collect();
        mel.chunks(MEL_BINS).for_each(|row| file.mel(row).unwrap());
        file.finish().unwrap();
        let back: ndarray::Array2<f32> = ndarray_npy::read_npy(&path).unwrap();
        assert_eq!(back.shape(), [3, MEL_BINS]);
        assert!(back.iter().eq(&mel));
    }
}
