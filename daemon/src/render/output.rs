//! Samples or mel frames -> WAV, FLAC or NPY. Knows no song, and no names of files.

use std::io::{BufWriter, Write};

use flacenc::component::BitRepr;
use flacenc::error::Verify;
use ndarray_npy::WriteNpyExt;
use timbre_models::units::MEL_BINS;

use crate::cli::SampleFormat;
use crate::error::Error;
use crate::whole_file::WholeFile;

/// Highest rate of the FLAC encoder.
pub const FLAC_MAX_HZ: u32 = 96_000;
/// Bytes of a WAV file are counted in 32 bits; the header needs some.
const WAV_MAX_BYTES: u64 = u32::MAX as u64 - 1024;

/// What a file holds.
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
    /// The kind that a file's ending names.
    pub fn of(path: &std::path::Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "wav" => Some(Self::Wav),
            "flac" => Some(Self::Flac),
            "npy" => Some(Self::Npy),
            _ => None,
        }
    }

    /// That samples of this format and rate can be written to it.
    ///
    /// # Errors
    /// A float FLAC, or one of too high a rate.
    pub fn check(self, format: SampleFormat, rate_hz: u32) -> Result<(), Error> {
        let refused = |text: String| Err(Error::Usage(text));
        match self {
            Self::Flac if format == SampleFormat::F32 => refused(
                "--format 32f: FLAC holds whole numbers; choose --format 24 or a .wav file".into(),
            ),
            Self::Flac if rate_hz > FLAC_MAX_HZ => refused(format!(
                "--rate {rate_hz}: FLAC is written up to {FLAC_MAX_HZ} Hz; choose a lower rate or a .wav file"
            )),
            _ => Ok(()),
        }
    }
}

/// Samples beyond full scale.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Clipping {
    /// How many.
    pub samples: usize,
    /// The loudest of all, 1 is full scale.
    pub peak: f32,
}

impl Clipping {
    fn of(samples: &[f32]) -> Self {
        let peak = samples.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
        Self { samples: samples.iter().filter(|x| x.abs() > 1.0).count(), peak }
    }

    /// What was lost, in words.
    pub fn say(&self) -> Option<String> {
        (self.samples > 0).then(|| {
            let over_db = 20.0 * self.peak.log10();
            let n = self.samples;
            format!("{n} samples clipped, the loudest was {over_db:.1} dB above full scale (a WAV file of --format 32f keeps them)")
        })
    }
}

/// Writes one channel of samples; says what had to be clipped.
///
/// # Errors
/// What the system or the encoder says.
pub fn write_samples(
    file: &mut WholeFile,
    kind: Kind,
    format: SampleFormat,
    rate_hz: u32,
    samples: &[f32],
) -> Result<Clipping, Error> {
    match (kind, format) {
        (Kind::Flac, _) => write_flac(file, bits(format).min(24), rate_hz, samples)?,
        (_, SampleFormat::F32) => {
            write_wav(file, hound::SampleFormat::Float, 32, rate_hz, samples.iter().copied())?;
            return Ok(Clipping::default());
        }
        _ => {
            let bits = bits(format);
            let whole = samples.iter().map(|x| quantized(*x, bits));
            write_wav(file, hound::SampleFormat::Int, bits, rate_hz, whole)?;
        }
    }
    Ok(Clipping::of(samples))
}

/// Writes mel frames as float32 [frames, 128].
///
/// # Errors
/// What the system says.
pub fn write_mel(file: &mut WholeFile, mel: &[f32]) -> Result<(), Error> {
    let frames = mel.len() / MEL_BINS;
    let rows =
        ndarray::ArrayView2::from_shape((frames, MEL_BINS), mel).map_err(|e| file.failed(e))?;
    let mut out = BufWriter::new(file.file());
    let written = rows.write_npy(&mut out).map_err(|e| e.to_string());
    let written = written.and_then(|()| out.flush().map_err(|e| e.to_string()));
    drop(out);
    written.map_err(|e| file.failed(e))
}

fn bits(format: SampleFormat) -> u16 {
    match format {
        SampleFormat::I16 => 16,
        SampleFormat::I24 => 24,
        SampleFormat::F32 => 32,
    }
}

/// A sample as a whole number of `bits` bits; beyond full scale it is held there.
pub(crate) fn quantized(sample: f32, bits: u16) -> i32 {
    let full = f64::from(1u32 << (bits - 1));
    (f64::from(sample) * full).round().clamp(-full, full - 1.0) as i32
}

fn write_wav<S: hound::Sample>(
    file: &mut WholeFile,
    sample_format: hound::SampleFormat,
    bits_per_sample: u16,
    sample_rate: u32,
    samples: impl ExactSizeIterator<Item = S>,
) -> Result<(), Error> {
    if samples.len() as u64 * u64::from(bits_per_sample / 8) > WAV_MAX_BYTES {
        let reason = "a WAV file holds at most 4 GiB; write FLAC, or parts with --from and --to";
        return Err(file.failed(reason));
    }
    let spec = hound::WavSpec { channels: 1, sample_rate, bits_per_sample, sample_format };
    let write = |out: &mut std::fs::File| {
        let mut writer = hound::WavWriter::new(BufWriter::new(out), spec)?;
        for sample in samples {
            writer.write_sample(sample)?;
        }
        writer.finalize()
    };
    write(file.file()).map_err(|e| file.failed(e))
}

fn write_flac(file: &mut WholeFile, bits: u16, rate_hz: u32, samples: &[f32]) -> Result<(), Error> {
    let whole: Vec<i32> = samples.iter().map(|x| quantized(*x, bits)).collect();
    let mut settings = flacenc::config::Encoder::default();
    // One file, one core: several files are what runs at the same time.
    settings.multithread = false;
    let settings = settings.into_verified().map_err(|(_, e)| file.failed(e))?;
    let source = flacenc::source::MemSource::from_samples(&whole, 1, bits.into(), rate_hz as usize);
    let stream = flacenc::encode_with_fixed_block_size(&settings, source, settings.block_size)
        .map_err(|e| file.failed(e))?;
    let mut bytes = flacenc::bitsink::ByteSink::new();
    stream.write(&mut bytes).map_err(|e| file.failed(e))?;
    file.file().write_all(bytes.as_slice()).map_err(|e| file.failed(e))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;

    #[test]
    fn full_scale_is_held_and_counted() {
        assert_eq!([1.0, -1.0, 2.0, 0.5].map(|x| quantized(x, 16)), [32767, -32768, 32767, 16384]);
        assert_eq!(quantized(-3.0, 24), -(1 << 23));
        let clipping = Clipping::of(&[0.5, -2.0, 1.0]);
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
            let mut file = WholeFile::create(&path).unwrap();
            write_samples(&mut file, Kind::Flac, SampleFormat::I24, 44_100, &samples).unwrap();
            file.keep().unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(&bytes[..4], b"fLaC");
            let total = bytes[22..26].iter().fold(0, |all, byte| all << 8 | usize::from(*byte));
            assert_eq!(total, length);
        }
    }
}
